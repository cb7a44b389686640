/* schema.h - every key of the configuration file in one declarative table: what it may hold, what
 * it is when left out, what it means. Loading, the effective values, the reference in docs/ and the
 * JSON Schema for editors all come from it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"

struct schema_type; /* config/types.h */

struct schema_choice {
	const char *name;
	int value;
	const char *doc; /* NULL = the name says it */
};

struct schema_key {
	const char *path; /* inside its section: "media.ports" */
	const struct schema_type *type;
	size_t offset;         /* of the value in the section's struct */
	size_t count_offset;   /* of a size_t: the key takes a list; 0 = one value */
	const char *untrusted; /* defaults, as one would write them; NULL = none */
	const char *trusted;   /* NULL = the same */
	const char *otherwise; /* what happens without it, where no text can say it */
	const struct schema_choice *choices;
	uint64_t min, max;   /* of a number */
	uint32_t max_values; /* of a list; 0 = 4096 */
	bool is_required;
	bool is_live;        /* a reload may change it; others need a restart */
	bool inherits;       /* of a peer: without it, the value of its interface's same key */
	const char *example; /* a value as one would write it */
	const char *doc;
};

enum schema_shape {
	SCHEMA_ROOT, /* the file itself */
	SCHEMA_MAP,  /* name: {...} */
	SCHEMA_LIST, /* - {...} */
};

/* The keys of one struct. */
struct schema_section {
	const char *path; /* "" or "interfaces" */
	enum schema_shape shape;
	const struct schema_key *keys;
	size_t key_count;
	size_t size; /* of the struct; its first member is the public one */
	uint32_t max_entries;
	const char *doc;
};

enum schema_section_id {
	SCHEMA_FILE,
	SCHEMA_INTERFACES,
	SCHEMA_DOMAINS,
	SCHEMA_PEERS,
	SCHEMA_PHONES,
	SCHEMA_ROUTES,
	SCHEMA_SECTIONS,
};

/* schema_file.c and so on, one a section */
extern const struct schema_section schema_of_file;
extern const struct schema_section schema_of_interfaces;
extern const struct schema_section schema_of_domains;
extern const struct schema_section schema_of_peers;
extern const struct schema_section schema_of_phones;
extern const struct schema_section schema_of_routes;

/* Of the tables. */
#define SCHEMA_FIELD(type, member) .offset = offsetof(struct type, member)
#define SCHEMA_VALUES(type, member, count)                                                         \
	.offset = offsetof(struct type, member), .count_offset = offsetof(struct type, count)
#define SCHEMA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct schema_section *schema_section(enum schema_section_id id);
/* NULL = no such key. A group ("media" of "media.ports") is no key. */
const struct schema_key *schema_find(const struct schema_section *section, struct slice path);
bool schema_is_group(const struct schema_section *section, struct slice path);
/* The text of a key's default on a side; NULL = none. */
const char *schema_default(const struct schema_key *key, bool trusted);

/* docs/configuration.md and the JSON Schema for editors (draft 2020-12). */
void schema_docs(struct buf *out);
void schema_json(struct buf *out);
