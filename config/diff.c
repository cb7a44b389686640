/* Element by element and key by key, along the table; values are compared as they are written, so
 * that another way of writing the same is no change. SPDX-License-Identifier: Apache-2.0 */
#include "config/diff.h"

#include <stdarg.h>
#include <stdio.h>

#include "config/effective.h"
#include "config/reload.h"
#include "config/types.h"

#define VALUE_SHOWN 120

static void line_add(struct diff *diff, bool is_live, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void line_add(struct diff *diff, bool is_live, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diff->lines++;
	diff->fixed += !is_live;
	buf_printf(diff->out, "%s%s\n", text, is_live ? "" : " (needs a restart)");
}

/* --- one value -----------------------------------------------------------------------------------
 */

static bool secrets_are_same(const struct schema_key *key, const char *before, const char *after)
{
	size_t count = 1, others = 1;
	const char *a = before + key->offset, *b = after + key->offset;

	if (!key->type->is_same)
		return true;
	if (key->count_offset) {
		memcpy(&count, before + key->count_offset, sizeof(count));
		memcpy(&others, after + key->count_offset, sizeof(others));
		memcpy(&a, before + key->offset, sizeof(a));
		memcpy(&b, after + key->offset, sizeof(b));
	}
	if (count != others)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!key->type->is_same(a + i * key->type->size, b + i * key->type->size))
			return false;
	return true;
}

static struct slice value_shown(const struct buf *text)
{
	return text->len ? slice_sub(buf_slice(text), 0, VALUE_SHOWN) : SLICE("none");
}

static void key_diff(struct diff *diff, const struct schema_section *section, const char *name,
		     const struct schema_key *key, const char *before, const char *after)
{
	struct buf old, new;
	const char *dot = *name ? "." : "";

	buf_init(&old);
	buf_init(&new);
	value_text(diff->before, key, before, &old);
	value_text(diff->after, key, after, &new);
	if (buf_failed(&old) || buf_failed(&new))
		diff->out->failed = true;
	else if (!slice_equal(buf_slice(&old), buf_slice(&new)))
		line_add(diff, key->is_live, "~ %s%s%s%s%s: %.*s -> %.*s", section->path,
			 *section->path ? "." : "", name, dot, key->path,
			 SLICE_ARG(value_shown(&old)), SLICE_ARG(value_shown(&new)));
	else if (!secrets_are_same(key, before, after))
		line_add(diff, key->is_live, "~ %s%s%s%s%s: changed, not shown", section->path,
			 *section->path ? "." : "", name, dot, key->path);
	buf_free(&old);
	buf_free(&new);
}

static void element_diff(struct diff *diff, enum schema_section_id id, const char *name,
			 const void *before, const void *after)
{
	const struct schema_section *section = schema_section(id);

	for (size_t i = 0; i < section->key_count; i++)
		key_diff(diff, section, name, &section->keys[i], before, after);
}

/* --- sections ------------------------------------------------------------------------------------
 */

/* The elements of a section by number: address, name; NULL when there is none any more. */
struct elements {
	enum schema_section_id id;
	const char *base;
	size_t count;
	const char *(*name)(const void *element);
};

static const char *interface_name(const void *element)
{
	const struct raw_interface *interface = element;

	return interface->public.retired ? NULL : interface->public.name;
}

static const char *domain_name(const void *element)
{
	return ((const struct raw_domain *)element)->public.name;
}

static const char *peer_name(const void *element)
{
	const struct raw_peer *peer = element;

	return peer->public.retired ? NULL : peer->public.name;
}

static const char *route_name(const void *element)
{
	return ((const struct raw_route *)element)->name;
}

static const void *element_at(const struct elements *elements, size_t i)
{
	return elements->base + i * schema_section(elements->id)->size;
}

/* `hint`: where it was, and mostly still is. */
static const void *element_named(const struct elements *elements, const char *name, size_t hint)
{
	for (size_t i = 0; i < elements->count; i++) {
		const void *element = element_at(elements, (i + hint) % elements->count);
		const char *other = elements->name(element);
		if (other && strcmp(other, name) == 0)
			return element;
	}
	return NULL;
}

static void section_diff(struct diff *diff, const struct elements *before,
			 const struct elements *after)
{
	const struct schema_section *section = schema_section(before->id);

	for (size_t i = 0; i < before->count; i++) {
		const void *old = element_at(before, i);
		const char *name = before->name(old);
		if (!name)
			continue;
		const void *new = element_named(after, name, i);
		if (new)
			element_diff(diff, before->id, name, old, new);
		else
			line_add(diff, true, "- %s.%s", section->path, name);
	}
	for (size_t i = 0; i < after->count; i++) {
		const char *name = after->name(element_at(after, i));
		if (name && !element_named(before, name, i))
			line_add(diff, true, "+ %s.%s", section->path, name);
	}
}

/* The first that matches wins: another order is a change. */
static void order_diff(struct diff *diff, const struct elements *before,
		       const struct elements *after)
{
	size_t j = 0;

	for (size_t i = 0; i < before->count; i++) {
		const char *name = before->name(element_at(before, i));
		if (!element_named(after, name, j))
			continue;
		while (j < after->count &&
		       !element_named(before, after->name(element_at(after, j)), i))
			j++;
		if (j < after->count && strcmp(after->name(element_at(after, j)), name) != 0) {
			line_add(diff, true, "~ %s: in another order, from \"%s\" on",
				 schema_section(before->id)->path, name);
			return;
		}
		j++;
	}
}

static void phones_diff(struct diff *diff)
{
	const struct loaded *before = diff->before, *after = diff->after;
	char number[24];

	for (size_t i = 0; i < before->phones_count || i < after->phones_count; i++) {
		(void)snprintf(number, sizeof(number), "%zu", i + 1);
		if (i >= after->phones_count)
			line_add(diff, true, "- phones.%s", number);
		else if (i >= before->phones_count)
			line_add(diff, true, "+ phones.%s", number);
		else
			element_diff(diff, SCHEMA_PHONES, number, &before->phones[i],
				     &after->phones[i]);
	}
}

/* A device may have other addresses than when the file was read. */
static void devices_diff(struct diff *diff)
{
	for (size_t i = 0; i < diff->before->interface_count; i++) {
		const struct config_interface *old = &diff->before->interfaces[i].public;
		int index = config_find_interface(&diff->after->file.public, slice_from(old->name));
		if (index < 0 || !old->device || old->retired)
			continue;
		const struct config_interface *new = &diff->after->interfaces[index].public;
		bool same = new->address_count == old->address_count;
		for (size_t j = 0; same && j < old->address_count; j++)
			same = addr_equal_ip(&old->addresses[j], &new->addresses[j]);
		if (!same && new->device)
			line_add(diff, true, "~ interfaces.%s: %s has other addresses now",
				 old->name, old->device);
	}
}

bool diff_is_same_peer(const struct config *before, const struct config_peer *a,
		       const struct config *after, const struct config_peer *b)
{
	if (a->retired || b->retired || strcmp(a->name, b->name) != 0 ||
	    strcmp(before->interfaces[a->interface].name, after->interfaces[b->interface].name) !=
		    0 ||
	    a->server_count != b->server_count)
		return false;
	for (size_t i = 0; i < a->server_count; i++) {
		const struct config_server *x = &a->servers[i], *y = &b->servers[i];
		if (strcmp(x->host, y->host) != 0 || !addr_equal(&x->addr, &y->addr) ||
		    x->port != y->port || x->transport != y->transport)
			return false;
	}
	return true;
}

void diff_make(struct diff *diff)
{
	const struct loaded *a = diff->before, *b = diff->after;
	struct elements pairs[][2] = {
		{{SCHEMA_INTERFACES, (const char *)a->interfaces, a->interface_count,
		  interface_name},
		 {SCHEMA_INTERFACES, (const char *)b->interfaces, b->interface_count,
		  interface_name}},
		{{SCHEMA_DOMAINS, (const char *)a->domains, a->domain_count, domain_name},
		 {SCHEMA_DOMAINS, (const char *)b->domains, b->domain_count, domain_name}},
		{{SCHEMA_PEERS, (const char *)a->peers, a->peer_count, peer_name},
		 {SCHEMA_PEERS, (const char *)b->peers, b->peer_count, peer_name}},
		{{SCHEMA_ROUTES, (const char *)a->routes, a->route_count, route_name},
		 {SCHEMA_ROUTES, (const char *)b->routes, b->route_count, route_name}},
	};

	for (size_t i = 0; i < SCHEMA_COUNT(pairs); i++)
		section_diff(diff, &pairs[i][0], &pairs[i][1]);
	order_diff(diff, &pairs[3][0], &pairs[3][1]);
	phones_diff(diff);
	devices_diff(diff);
	element_diff(diff, SCHEMA_FILE, "", &a->file, &b->file);
}

unsigned config_diff(const struct config *before, const struct config *after, struct buf *out)
{
	struct diff diff = {.before = (const struct loaded *)(const void *)before,
			    .after = (const struct loaded *)(const void *)after,
			    .out = out};

	diff_make(&diff);
	return diff.lines;
}
