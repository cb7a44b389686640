/* Host names as small numbers, so that a path stays small enough to copy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <ctype.h>
#include <stdlib.h>

enum { NAME_LENGTH_MAX = 255 };

static struct name *find(const struct transport *transport, struct slice text, uint64_t hash)
{
	struct table_link *link = NULL;

	while ((link = table_find(&transport->name_table, hash, link))) {
		struct name *name = container_of(link, struct name, link);
		if (slice_equal_nocase(slice_from(name->text), text))
			return name;
	}
	return NULL;
}

static int add(struct transport *transport, struct slice text, uint64_t hash, struct name **out)
{
	if (!transport->names)
		transport->names = calloc(NAMES_MAX, sizeof(struct name *));
	if (!transport->names)
		return -ERR_NO_MEMORY;
	if (transport->name_count == NAMES_MAX)
		return -ERR_TOO_MANY;
	struct name *name = calloc(1, sizeof(*name) + text.len + 1);
	if (!name)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++)
		name->text[i] = (char)tolower((unsigned char)text.data[i]);
	transport->names[transport->name_count++] = name;
	name->number = transport->name_count;
	table_insert(&transport->name_table, &name->link, hash);
	*out = name;
	return 0;
}

int transport_name(struct transport *transport, struct slice host, uint16_t *out)
{
	uint64_t hash = siphash_nocase(host, transport->config.hash_key);
	struct addr address;

	if (!host.len || addr_parse_ip(host, &address) == 0) {
		*out = 0;
		return 0;
	}
	if (host.len > NAME_LENGTH_MAX)
		return -ERR_INVALID;
	struct name *name = find(transport, host, hash);
	if (!name) {
		int err = add(transport, host, hash, &name);
		if (err)
			return err;
	}
	*out = name->number;
	return 0;
}

const char *transport_name_text(const struct transport *transport, uint16_t name)
{
	return name && name <= transport->name_count ? transport->names[name - 1]->text : NULL;
}

void names_free(struct transport *transport)
{
	for (size_t i = 0; i < transport->name_count; i++)
		free(transport->names[i]);
	free(transport->names);
	table_free(&transport->name_table);
}
