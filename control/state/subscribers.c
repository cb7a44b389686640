/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/subscribers.h"
#include <stdlib.h>
#include "control/state/subscribers_private.h"

#define HEADLINE "postern-subscribers 1"

int subscribers_open(const struct subscribers_config *config, struct buf *why,
		     struct subscribers **out)
{
	return config->path ? subscribers_file_open(config, why, out)
			    : subscribers_redis_open(config, why, out);
}

void subscribers_close(struct subscribers *subscribers)
{
	if (subscribers)
		subscribers->verbs->close(subscribers);
}

/* What could not stand in a line of the backup, or in a quoted string of a header, is no name. */
static bool is_name(struct slice name)
{
	if (name.len == 0 || name.len > SUBSCRIBER_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c <= ' ' || c == 0x7f || c == '"' || c == '\\' || c == ':' || c == '@')
			return false;
	}
	return true;
}

static bool is_digest(struct slice text, enum digest_algorithm algorithm)
{
	if (text.len != digest_hex_length(algorithm))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

bool subscriber_is_valid(const struct subscriber *subscriber)
{
	if (!is_name(subscriber->domain) || !is_name(subscriber->user))
		return false;
	for (size_t i = 0; i < subscriber->domain.len; i++)
		if (subscriber->domain.data[i] >= 'A' && subscriber->domain.data[i] <= 'Z')
			return false;
	for (int i = 0; i < DIGEST_ALGORITHMS; i++)
		if (!is_digest(subscriber->ha1[i], (enum digest_algorithm)i))
			return false;
	return true;
}

int subscribers_add(struct subscribers *subscribers, const struct subscriber *subscriber)
{
	return subscriber_is_valid(subscriber) ? subscribers->verbs->add(subscribers, subscriber)
					       : -ERR_MALFORMED;
}

int subscribers_change(struct subscribers *subscribers, const struct subscriber *subscriber)
{
	return subscriber_is_valid(subscriber) ? subscribers->verbs->change(subscribers, subscriber)
					       : -ERR_MALFORMED;
}

int subscribers_remove(struct subscribers *subscribers, struct slice domain, struct slice user)
{
	return subscribers->verbs->remove(subscribers, domain, user);
}

int subscribers_each(struct subscribers *subscribers, subscriber_fn *fn, void *owner)
{
	return subscribers->verbs->each(subscribers, fn, owner);
}

int subscribers_version(struct subscribers *subscribers, uint64_t *out)
{
	return subscribers->verbs->version(subscribers, out);
}

static int write_line(void *owner, const struct subscriber *subscriber)
{
	struct buf *out = owner;

	buf_add(out, subscriber->domain);
	buf_add_char(out, ' ');
	buf_add(out, subscriber->user);
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		buf_add_char(out, ' ');
		buf_add(out, subscriber->ha1[i]);
	}
	buf_add_char(out, '\n');
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}

int subscribers_backup(struct subscribers *subscribers, struct buf *out)
{
	buf_add_text(out, HEADLINE "\n");
	return subscribers_each(subscribers, write_line, out);
}

static int read_line(struct slice line, struct subscriber *out)
{
	struct slice rest;

	if (!slice_next_word(&line, &out->domain) || !slice_next_word(&line, &out->user))
		return -ERR_MALFORMED;
	for (int i = 0; i < DIGEST_ALGORITHMS; i++)
		if (!slice_next_word(&line, &out->ha1[i]))
			return -ERR_MALFORMED;
	if (slice_next_word(&line, &rest) || !subscriber_is_valid(out))
		return -ERR_MALFORMED;
	return 0;
}

static int read_lines(struct slice text, struct subscriber **list, size_t *count,
		      unsigned int *line)
{
	struct slice row;
	size_t room = 0;

	*line = 1;
	if (!slice_next_line(&text, &row) || !slice_equal(row, SLICE(HEADLINE)))
		return -ERR_MALFORMED;
	while (slice_next_line(&text, &row)) {
		(*line)++;
		if (slice_is_empty(slice_trim(row)))
			continue;
		if (*count == room) {
			room = room ? room * 2 : 64;
			struct subscriber *more = realloc(*list, room * sizeof(**list));
			if (!more)
				return -ERR_NO_MEMORY;
			*list = more;
		}
		int err = read_line(row, &(*list)[*count]);
		if (err)
			return err;
		(*count)++;
	}
	return 0;
}

int subscribers_restore(struct subscribers *subscribers, struct slice text, unsigned int *line)
{
	struct subscriber *list = NULL;
	size_t count = 0;

	int err = read_lines(text, &list, &count, line);
	if (!err)
		err = subscribers->verbs->replace(subscribers, list, count);
	free(list);
	return err;
}
