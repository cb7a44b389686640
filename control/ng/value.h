/* value.h - what an NG message is made of: strings, integers, lists, dictionaries, in an arena.
 * The encodings (bencode.h, json.h) read and write it. Adding never copies the text given.
 * The add functions return NULL when the arena is full; a NULL parent gives NULL again, so a
 * builder may check the last result alone: ng_value_is_whole() asks the parent.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"

/* Of a message, either encoding; beyond them it is refused. */
#define NG_MAX_BYTES  65536
#define NG_MAX_DEPTH  16
#define NG_MAX_VALUES 16384

enum ng_type { NG_STRING, NG_INTEGER, NG_LIST, NG_DICT };

struct ng_value {
	enum ng_type type;
	bool failed;            /* an add to this list or dict failed */
	struct slice key;       /* when inside a dict */
	struct slice string;    /* NG_STRING */
	int64_t integer;        /* NG_INTEGER */
	struct ng_value *first; /* NG_LIST, NG_DICT: the members, linked by `next` in order */
	struct ng_value *last;
	struct ng_value *next;
	unsigned count;
};

struct ng_value *ng_dict_create(struct arena *arena);
struct ng_value *ng_list_create(struct arena *arena);
struct ng_value *ng_string_create(struct arena *arena, struct slice string);
struct ng_value *ng_integer_create(struct arena *arena, int64_t integer);

/* `key` must outlive the dict (a literal, or text in the arena). Return what was added. */
struct ng_value *ng_dict_add(struct ng_value *dict, struct slice key, struct ng_value *value);
struct ng_value *ng_dict_add_string(struct arena *arena, struct ng_value *dict, const char *key,
				    struct slice string);
struct ng_value *ng_dict_add_integer(struct arena *arena, struct ng_value *dict, const char *key,
				     int64_t integer);
struct ng_value *ng_dict_add_list(struct arena *arena, struct ng_value *dict, const char *key);
struct ng_value *ng_dict_add_dict(struct arena *arena, struct ng_value *dict, const char *key);
struct ng_value *ng_list_add(struct ng_value *list, struct ng_value *value);
struct ng_value *ng_list_add_string(struct arena *arena, struct ng_value *list,
				    struct slice string);
struct ng_value *ng_list_add_integer(struct arena *arena, struct ng_value *list, int64_t integer);
/* False when some add below this value found no memory. */
bool ng_value_is_whole(const struct ng_value *value);

/* Names: hyphen, space and underscore are one, and so are upper and lower case ("call-id" finds
 * "call id", "ICE" finds "ice"). The first member of that name; NULL = none, or not a dict. */
bool ng_name_equal(struct slice name, struct slice canonical);
bool ng_name_is(struct slice name, const char *canonical); /* the same of a C string */
const struct ng_value *ng_dict_get(const struct ng_value *dict, const char *key);
/* Byte for byte: where keys are data (tags, SSRCs). */
const struct ng_value *ng_dict_get_exact(const struct ng_value *dict, struct slice key);

/* The string of a member; data NULL = absent or not a string. */
struct slice ng_get_string(const struct ng_value *dict, const char *key);
/* Integer of a member, also as a decimal string. -ERR_NOT_FOUND, -ERR_MALFORMED. */
MUST_CHECK int ng_get_integer(const struct ng_value *dict, const char *key, int64_t *out);
MUST_CHECK int ng_value_integer(const struct ng_value *value, int64_t *out);
const struct ng_value *ng_get_list(const struct ng_value *dict, const char *key);
const struct ng_value *ng_get_dict(const struct ng_value *dict, const char *key);
/* Does the list (or a lone string) under `key` hold this word (compared as a name)? */
bool ng_list_has(const struct ng_value *dict, const char *key, const char *word);

/* for (v = ng_first(list); v; v = v->next). A lone string is a list of one (its `next` is its
 * neighbour in the dict: use ng_each to walk either). */
static inline const struct ng_value *ng_first(const struct ng_value *list)
{
	return list ? list->first : NULL;
}
/* Walk the strings of a list, or a lone string once. */
typedef void ng_each_fn(void *owner, struct slice string);
void ng_each_string(const struct ng_value *value, ng_each_fn *fn, void *owner);

/* result=error and error-reason in a reply dict; the text is formatted into the arena. */
void ng_reply_error(struct arena *arena, struct ng_value *reply, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
