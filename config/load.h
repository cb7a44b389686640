/* load.h - one struct of the configuration being filled from its part of the file.
 * Private to config/. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/raw.h"

/* One struct being filled. */
struct element {
	struct loaded *loaded;
	const struct schema_section *section;
	char *base;
	const struct yaml_node *node;
	const char *title; /* "interface \"wan\"", for messages */
};

/* Its keys into it; false when its part of the file is no map at all. */
bool load_element(struct element *element);
/* The keys of `map`, below `prefix` ("media" or nothing). */
void load_keys(struct element *element, const struct yaml_node *map, struct slice prefix);
/* What a peer does not say, its interface says: the value, and where it comes from. */
void load_inherit(struct element *element, const struct raw_interface *interface);
/* What is left out, as the role has it; what is missing is reported. */
void load_defaults(struct element *element, bool trusted);
