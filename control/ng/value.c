/* value.c - the tree of an NG message. SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/value.h"
#include <stdarg.h>
#include <stdio.h>

static struct ng_value *value_create(struct arena *arena, enum ng_type type)
{
	struct ng_value *value = arena_zalloc(arena, sizeof(*value));

	if (value)
		value->type = type;
	return value;
}

struct ng_value *ng_dict_create(struct arena *arena)
{
	return value_create(arena, NG_DICT);
}

struct ng_value *ng_list_create(struct arena *arena)
{
	return value_create(arena, NG_LIST);
}

struct ng_value *ng_string_create(struct arena *arena, struct slice string)
{
	/* A length without bytes: the text found no memory. */
	bool lost = string.len && !string.data;
	struct ng_value *value = lost ? NULL : value_create(arena, NG_STRING);

	if (value)
		value->string = string.data ? string : SLICE("");
	return value;
}

struct ng_value *ng_integer_create(struct arena *arena, int64_t integer)
{
	struct ng_value *value = value_create(arena, NG_INTEGER);

	if (value)
		value->integer = integer;
	return value;
}

struct ng_value *ng_list_add(struct ng_value *list, struct ng_value *value)
{
	if (!list)
		return NULL;
	if (!value) {
		list->failed = true;
		return NULL;
	}
	if (list->last)
		list->last->next = value;
	else
		list->first = value;
	list->last = value;
	list->count++;
	return value;
}

struct ng_value *ng_dict_add(struct ng_value *dict, struct slice key, struct ng_value *value)
{
	if (value)
		value->key = key;
	return ng_list_add(dict, value);
}

struct ng_value *ng_dict_add_string(struct arena *arena, struct ng_value *dict, const char *key,
				    struct slice string)
{
	return ng_dict_add(dict, slice_from(key), ng_string_create(arena, string));
}

struct ng_value *ng_dict_add_integer(struct arena *arena, struct ng_value *dict, const char *key,
				     int64_t integer)
{
	return ng_dict_add(dict, slice_from(key), ng_integer_create(arena, integer));
}

struct ng_value *ng_dict_add_list(struct arena *arena, struct ng_value *dict, const char *key)
{
	return ng_dict_add(dict, slice_from(key), ng_list_create(arena));
}

struct ng_value *ng_dict_add_dict(struct arena *arena, struct ng_value *dict, const char *key)
{
	return ng_dict_add(dict, slice_from(key), ng_dict_create(arena));
}

struct ng_value *ng_list_add_string(struct arena *arena, struct ng_value *list, struct slice string)
{
	return ng_list_add(list, ng_string_create(arena, string));
}

struct ng_value *ng_list_add_integer(struct arena *arena, struct ng_value *list, int64_t integer)
{
	return ng_list_add(list, ng_integer_create(arena, integer));
}

bool ng_value_is_whole(const struct ng_value *value)
{
	if (!value || value->failed)
		return false;
	for (const struct ng_value *member = value->first; member; member = member->next)
		if (!ng_value_is_whole(member))
			return false;
	return true;
}

/* One spelling of a name's character. */
static char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return c == ' ' || c == '_' ? '-' : c;
}

bool ng_name_equal(struct slice name, struct slice canonical)
{
	if (name.len != canonical.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (fold(name.data[i]) != fold(canonical.data[i]))
			return false;
	return true;
}

bool ng_name_is(struct slice name, const char *canonical)
{
	size_t i = 0;

	while (i < name.len && canonical[i] && fold(name.data[i]) == fold(canonical[i]))
		i++;
	return i == name.len && !canonical[i];
}

const struct ng_value *ng_dict_get(const struct ng_value *dict, const char *key)
{
	if (!dict || dict->type != NG_DICT)
		return NULL;
	for (const struct ng_value *member = dict->first; member; member = member->next)
		if (ng_name_is(member->key, key))
			return member;
	return NULL;
}

const struct ng_value *ng_dict_get_exact(const struct ng_value *dict, struct slice key)
{
	if (!dict || dict->type != NG_DICT)
		return NULL;
	for (const struct ng_value *member = dict->first; member; member = member->next)
		if (slice_equal(member->key, key))
			return member;
	return NULL;
}

struct slice ng_get_string(const struct ng_value *dict, const char *key)
{
	const struct ng_value *value = ng_dict_get(dict, key);

	return value && value->type == NG_STRING ? value->string : SLICE_NONE;
}

int ng_value_integer(const struct ng_value *value, int64_t *out)
{
	uint64_t number;

	if (!value)
		return -ERR_NOT_FOUND;
	if (value->type == NG_INTEGER) {
		*out = value->integer;
		return 0;
	}
	if (value->type != NG_STRING)
		return -ERR_MALFORMED;
	struct slice text = value->string;
	bool negative = text.len && text.data[0] == '-';
	if (negative)
		text = slice_sub(text, 1, text.len - 1);
	if (slice_to_u64(text, INT64_MAX, &number))
		return -ERR_MALFORMED;
	*out = negative ? -(int64_t)number : (int64_t)number;
	return 0;
}

int ng_get_integer(const struct ng_value *dict, const char *key, int64_t *out)
{
	return ng_value_integer(ng_dict_get(dict, key), out);
}

static const struct ng_value *get_typed(const struct ng_value *dict, const char *key,
					enum ng_type type)
{
	const struct ng_value *value = ng_dict_get(dict, key);

	return value && value->type == type ? value : NULL;
}

const struct ng_value *ng_get_list(const struct ng_value *dict, const char *key)
{
	return get_typed(dict, key, NG_LIST);
}

const struct ng_value *ng_get_dict(const struct ng_value *dict, const char *key)
{
	return get_typed(dict, key, NG_DICT);
}

void ng_each_string(const struct ng_value *value, ng_each_fn *fn, void *owner)
{
	if (!value)
		return;
	if (value->type == NG_STRING) {
		fn(owner, value->string);
		return;
	}
	if (value->type != NG_LIST)
		return;
	for (const struct ng_value *member = value->first; member; member = member->next)
		if (member->type == NG_STRING)
			fn(owner, member->string);
}

struct search {
	struct slice word;
	bool found;
};

static void compare_word(void *owner, struct slice string)
{
	struct search *search = owner;

	search->found = search->found || ng_name_equal(string, search->word);
}

bool ng_list_has(const struct ng_value *dict, const char *key, const char *word)
{
	struct search search = {.word = slice_from(word)};

	ng_each_string(ng_dict_get(dict, key), compare_word, &search);
	return search.found;
}

void ng_reply_error(struct arena *arena, struct ng_value *reply, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		len = 0;
	if ((size_t)len >= sizeof(text))
		len = sizeof(text) - 1;
	struct slice reason = arena_copy(arena, (struct slice){text, (size_t)len});
	(void)ng_dict_add_string(arena, reply, "result", SLICE("error"));
	(void)ng_dict_add_string(arena, reply, "error-reason",
				 reason.data ? reason : SLICE("out of memory"));
}
