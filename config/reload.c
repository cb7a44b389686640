/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reload.h"

#include <stdlib.h>

#include "config/diff.h"

static char *copy_text(const char *source, size_t length)
{
	char *copy = malloc(length + 1);

	if (copy) {
		memcpy(copy, source, length);
		copy[length] = '\0';
	}
	return copy;
}

/* The file says the same in the order of before, and what is new comes last. */
static bool keeps_order(const struct config *before, const struct config *after)
{
	if (after->peer_count < before->peer_count ||
	    after->interface_count < before->interface_count)
		return false;
	for (size_t i = 0; i < before->interface_count; i++)
		if (before->interfaces[i].retired ||
		    strcmp(before->interfaces[i].name, after->interfaces[i].name) != 0)
			return false;
	for (size_t i = 0; i < before->peer_count; i++)
		if (!diff_is_same_peer(before, &before->peers[i], after, &after->peers[i]))
			return false;
	return true;
}

/* The draft is the file as it stands: what is wrong in it, what it changes. The second reading puts
 * its elements where they were. */
int loaded_reload(const struct loaded *before, char *source, size_t length, struct loaded **out,
		  struct buf *said)
{
	char *again = copy_text(source, length);
	struct loaded *draft = NULL, *next = NULL;
	struct diff diff = {.before = before, .out = said};

	if (!again) {
		free(source);
		return -ERR_NO_MEMORY;
	}
	int err =
		loaded_create(before->file.public.path, source, length, before->host, &draft, said);
	if (!err) {
		buf_clear(said); /* warnings are the check's affair */
		diff.after = draft;
		diff_make(&diff);
		err = buf_failed(said) ? -ERR_NO_MEMORY : diff.fixed ? -ERR_UNSUPPORTED : 0;
	}
	if (!err && diff.lines && keeps_order(&before->file.public, &draft->file.public)) {
		next = draft;
		draft = NULL;
	} else if (!err && diff.lines) {
		struct follow follow = {before, draft};
		struct buf findings;
		buf_init(&findings);
		err = loaded_follow(&follow, again, length, &next, &findings);
		again = NULL;
		if (err)
			buf_add(said, buf_slice(&findings));
		buf_free(&findings);
	}
	free(again);
	loaded_destroy(draft);
	if (!err)
		*out = next;
	return err;
}

int config_reload(const struct config *current, struct config **out, struct buf *said)
{
	const struct loaded *before = (const struct loaded *)(const void *)current;
	struct loaded *next = NULL;
	char *source = NULL;
	size_t length = 0;
	int err = loaded_read(current->path, &source, &length, said);

	if (!err)
		err = loaded_reload(before, source, length, &next, said);
	if (!err)
		*out = next ? &next->file.public : NULL;
	return err;
}
