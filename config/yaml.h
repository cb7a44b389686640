/* yaml.h - a YAML file as a tree with places (libfyaml behind this file alone).
 * The subset that a configuration needs: one document, maps with plain text keys, no anchors and no
 * aliases (so a small file cannot blow up), bounded size, depth and count.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/findings.h"

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 16
#define YAML_MAX_NODES 65536

struct config_peer;

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_type type;
	bool is_quoted;     /* a scalar in quotes or a block */
	struct place place; /* of a scalar: its text; otherwise where it begins */
	struct slice tag;   /* "!file" */
	struct slice text;  /* YAML_SCALAR; in the arena */
	struct slice key;   /* inside a map */
	struct place key_place;
	const void *retired;     /* follow.c: not in the file, only its index is; what it was */
	struct yaml_node *first; /* YAML_LIST, YAML_MAP: children in the file's order */
	struct yaml_node *next;
	uint32_t count;
};

/* findings->source is read. -ERR_MALFORMED: at least one finding says why. */
MUST_CHECK int yaml_parse(struct findings *findings, struct yaml_node **out);
/* NULL when there is no such key, or `map` is no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, struct slice key);
