/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/show/json.h"
#include <stdlib.h>

json_t *json_text(struct slice text)
{
	json_t *value = json_stringn(text.data ? text.data : "", text.len);
	if (value)
		return value;
	char *copy = slice_dup(text);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)copy[i] >= 0x80 || copy[i] == '\0')
			copy[i] = '?';
	value = json_stringn(copy, text.len);
	free(copy);
	return value;
}

json_t *json_addr(const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	return addr->family ? json_string(addr_text(addr, text)) : json_null();
}

void json_put(json_t *object, const char *key, json_t *value)
{
	/* A value lost for lack of memory is left out of the answer. */
	(void)json_object_set_new(object, key, value);
}

void json_put_text(json_t *object, const char *key, const char *text)
{
	json_put(object, key, json_text(slice_from(text)));
}

void json_put_number(json_t *object, const char *key, uint64_t value)
{
	json_put(object, key, json_integer((json_int_t)value));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
	json_put(object, key, json_boolean(value));
}

json_t *json_ng_name(struct slice name)
{
	char text[64];
	size_t len = slice_copy(name, text, sizeof(text));

	for (size_t i = 0; i < len; i++) {
		if (text[i] == ' ' || text[i] == '-')
			text[i] = '_';
		else if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
	}
	return json_text((struct slice){text, len});
}

static json_t *members_of(const struct ng_value *value)
{
	json_t *out = value->type == NG_DICT ? json_object() : json_array();

	for (const struct ng_value *v = value->first; v; v = v->next) {
		if (value->type == NG_LIST) {
			(void)json_array_append_new(out, json_from_ng(v));
			continue;
		}
		json_t *name = json_ng_name(v->key);
		if (name)
			json_put(out, json_string_value(name), json_from_ng(v));
		json_decref(name);
	}
	return out;
}

json_t *json_from_ng(const struct ng_value *value)
{
	switch (value->type) {
	case NG_STRING:
		return json_text(value->string);
	case NG_INTEGER:
		return json_integer(value->integer);
	case NG_LIST:
	case NG_DICT:
		break;
	}
	return members_of(value);
}

static json_t *sum_of(json_t *mine, const json_t *theirs)
{
	if (json_is_integer(mine) && json_is_integer(theirs))
		(void)json_integer_set(mine, json_integer_value(mine) + json_integer_value(theirs));
	else if (json_is_object(mine) || json_is_array(mine))
		json_add_up(mine, theirs);
	return mine;
}

void json_add_up(json_t *into, const json_t *more)
{
	const char *key;
	json_t *mine;
	size_t index;

	if (json_is_object(into) && json_is_object(more)) {
		json_object_foreach(into, key, mine)
		{
			const json_t *theirs = json_object_get(more, key);
			if (theirs)
				sum_of(mine, theirs);
		}
	} else if (json_is_array(into) && json_is_array(more)) {
		json_array_foreach(into, index, mine)
		{
			const json_t *theirs = json_array_get(more, index);
			if (theirs)
				sum_of(mine, theirs);
		}
	}
}
