/* The file's tree into the raw structs, by the schema's table. Every value is read, wrong ones are
 * reported and left out, so that one reading finds everything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#include <stdio.h>

#include "config/nearest.h"
#include "config/types.h"

#define PATH_SIZE    96
#define MAX_VALUES   4096 /* of a list, unless its key says fewer */
#define MAX_DEFAULTS 32

/* One struct being filled. */
struct element {
	struct loaded *loaded;
	const struct schema_section *section;
	char *base;
	const struct yaml_node *node;
	const char *title; /* "interface \"wan\"", for messages */
};

/* --- one value -----------------------------------------------------------------------------------
 */

static bool is_null(const struct yaml_node *node)
{
	return node->type == YAML_SCALAR && !node->is_quoted && !node->tag.len &&
	       (node->text.len == 0 || slice_equal(node->text, SLICE("~")) ||
		slice_equal(node->text, SLICE("null")));
}

static bool scalar_read(struct element *element, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct findings *findings = &element->loaded->findings;

	if (node->type == YAML_MAP && !key->type->takes_map) {
		finding_error(findings, node->place, "%s takes no keys of its own: write %s",
			      key->path, key->type->write);
		return false;
	}
	if (node->type == YAML_LIST) {
		finding_error(findings, node->place, "%s takes no list%s", key->path,
			      key->count_offset ? " inside a list" : ": write one value");
		return false;
	}
	if (node->tag.len && !key->type->takes_tag) {
		finding_error(findings, node->place, "%.*s has no use here: %s takes %s",
			      SLICE_ARG(node->tag), key->path, key->type->write);
		return false;
	}
	if (is_null(node)) {
		finding_error(findings, node->place, "%s has no value: write %s", key->path,
			      key->type->write);
		return false;
	}
	return key->type->read(element->loaded, key, node, out);
}

/* A list, or one value standing for a list of one. */
static void list_read(struct element *element, const struct schema_key *key,
		      const struct yaml_node *node)
{
	struct loaded *loaded = element->loaded;
	bool is_list = node->type == YAML_LIST;
	size_t size = key->type->size, room = is_list ? node->count : 1, count = 0;

	size_t most = key->max_values ? key->max_values : MAX_VALUES;

	if (room > most) {
		finding_error(&loaded->findings, node->place,
			      "%s holds at most %zu values, not %zu", key->path, most, room);
		return;
	}
	if (room == 0 && key->is_required) {
		finding_error(&loaded->findings, node->place, "%s is empty: write %s", key->path,
			      key->type->write);
		return;
	}
	char *values = arena_zalloc(loaded->arena, room ? room * size : 1);
	if (!values) {
		loaded->findings.failed = true;
		return;
	}
	for (const struct yaml_node *item = is_list ? node->first : node; item;
	     item = is_list ? item->next : NULL) {
		char *value = values + count * size;
		if (!scalar_read(element, key, item, value))
			continue;
		if (item->place.offset != PLACE_NOWHERE)
			origin_set(loaded, value, ORIGIN_FILE, item->place);
		count++;
	}
	memcpy(element->base + key->offset, &(void *){values}, sizeof(void *));
	memcpy(element->base + key->count_offset, &count, sizeof(count));
}

static void value_read(struct element *element, const struct schema_key *key,
		       const struct yaml_node *node)
{
	struct loaded *loaded = element->loaded;
	char *value = element->base + key->offset;

	if (key->is_later) {
		finding_error(&loaded->findings, node->key_place,
			      "\"%s\" is not supported by this version", key->path);
		return;
	}
	origin_set(loaded, value, ORIGIN_FILE, node->place);
	if (key->count_offset)
		list_read(element, key, node);
	else
		(void)scalar_read(element, key, node, value); /* it has said what is wrong */
}

/* --- the keys of one struct ----------------------------------------------------------------------
 */

/* The last word of `path` when it lies directly under `prefix`, NUL-terminated into `out`. */
static bool direct_child(const char *path, struct slice prefix, char *out, size_t size)
{
	struct slice rest = slice_from(path);

	if (prefix.len) {
		if (rest.len <= prefix.len || !slice_starts(rest, prefix) ||
		    rest.data[prefix.len] != '.')
			return false;
		rest = slice_sub(rest, prefix.len + 1, rest.len);
	}
	slice_copy(slice_cut(&rest, '.'), out, size);
	return true;
}

static void unknown_key(struct element *element, const struct yaml_node *node, struct slice prefix)
{
	struct findings *findings = &element->loaded->findings;
	const struct schema_section *section = element->section;
	struct nearest nearest;
	const char *elsewhere = NULL;
	char name[PATH_SIZE];

	nearest_start(&nearest, node->key);
	for (size_t i = 0; i < section->key_count && !findings_are_many(findings); i++) {
		struct slice path = slice_from(section->keys[i].path);
		if (direct_child(section->keys[i].path, prefix, name, sizeof(name))) {
			char *kept = type_text(element->loaded, slice_from(name));
			if (kept)
				nearest_offer(&nearest, kept);
		}
		if (path.len > node->key.len && slice_ends(path, node->key) &&
		    path.data[path.len - node->key.len - 1] == '.')
			elsewhere = section->keys[i].path;
	}
	if (section->shape == SCHEMA_ROOT && prefix.len == 0)
		for (int id = SCHEMA_INTERFACES; id < SCHEMA_SECTIONS; id++)
			nearest_offer(&nearest, schema_section((enum schema_section_id)id)->path);

	const char *best = nearest.name && nearest.distance < 2 ? nearest.name
			   : elsewhere                          ? elsewhere
								: nearest.name;
	/* A misspelled key is not missing as well. */
	char path[PATH_SIZE];
	int length = snprintf(path, sizeof(path), "%.*s%s%s", SLICE_ARG(prefix),
			      prefix.len ? "." : "", nearest.name ? nearest.name : "");
	const struct schema_key *meant = schema_find(
		section, slice_sub(slice_from(path), 0, length > 0 ? (size_t)length : 0));
	if (meant && meant->is_required)
		origin_set(element->loaded, element->base + meant->offset, ORIGIN_FILE,
			   node->place);
	finding_error(findings, node->key_place, "%s has no key \"%.*s%s%.*s\"%s%s%s",
		      element->title, SLICE_ARG(prefix), prefix.len ? "." : "",
		      SLICE_ARG(node->key), best ? " (did you mean \"" : "", best ? best : "",
		      best ? "\"?)" : "");
}

static void keys_read(struct element *element, const struct yaml_node *map, struct slice prefix)
{
	struct findings *findings = &element->loaded->findings;

	for (const struct yaml_node *node = map->first; node; node = node->next) {
		char text[PATH_SIZE];
		int length = snprintf(text, sizeof(text), "%.*s%s%.*s", SLICE_ARG(prefix),
				      prefix.len ? "." : "", SLICE_ARG(node->key));
		struct slice path = {text, length > 0 ? (size_t)length : 0};
		if (path.len >= sizeof(text)) {
			unknown_key(element, node, prefix);
			continue;
		}
		const struct schema_key *key = schema_find(element->section, path);
		if (key)
			value_read(element, key, node);
		else if (!schema_is_group(element->section, path))
			unknown_key(element, node, prefix);
		else if (node->type == YAML_MAP)
			keys_read(element, node, path);
		else
			finding_error(findings, node->place,
				      "\"%s\" holds keys, not a value: %s: {...}", text, text);
	}
}

/* --- defaults ------------------------------------------------------------------------------------
 */

/* Defaults are written as in a file; so they are read as from one. */
static void default_read(struct element *element, const struct schema_key *key, const char *text)
{
	struct yaml_node values[MAX_DEFAULTS];
	struct yaml_node list = {.type = YAML_LIST, .place = PLACE_NONE};
	struct slice rest = slice_from(strcmp(text, "[]") == 0 ? "" : text);

	memset(values, 0, sizeof(values));
	while (rest.len && list.count < sizeof(values) / sizeof(values[0])) {
		struct yaml_node *value = &values[list.count];
		value->place = PLACE_NONE;
		value->text = key->count_offset ? slice_trim(slice_cut(&rest, ',')) : rest;
		if (list.count)
			values[list.count - 1].next = value;
		else
			list.first = value;
		list.count++;
		if (!key->count_offset)
			break;
	}
	if (key->count_offset)
		list_read(element, key, &list);
	else
		(void)scalar_read(element, key, &values[0], element->base + key->offset);
}

static void defaults_read(struct element *element, bool trusted)
{
	struct loaded *loaded = element->loaded;
	const struct schema_section *section = element->section;

	for (size_t i = 0; i < section->key_count; i++) {
		const struct schema_key *key = &section->keys[i];
		const char *text = schema_default(key, trusted);
		if (origin_of(loaded, element->base + key->offset))
			continue;
		if (text)
			default_read(element, key, text);
		else if (key->is_required) {
			finding_error(&loaded->findings, value_place(loaded, NULL, element->node),
				      "%s has no %s", element->title, key->path);
			finding_note(&loaded->findings, PLACE_NONE, "add %s: %s", key->path,
				     key->type->write);
		}
	}
}

/* What the peer does not say, its interface says: the value, and where it comes from. */
static void inherit(struct element *element, const struct raw_interface *interface)
{
	struct loaded *loaded = element->loaded;
	const struct schema_section *from = schema_section(SCHEMA_INTERFACES);

	for (size_t i = 0; i < element->section->key_count; i++) {
		const struct schema_key *key = &element->section->keys[i];
		char *value = element->base + key->offset;
		if (!key->inherits || origin_of(loaded, value))
			continue;
		const struct schema_key *same = schema_find(from, slice_from(key->path));
		const char *inherited = (const char *)interface + same->offset;
		const struct origin *origin = origin_of(loaded, inherited);
		memcpy(value, inherited, key->count_offset ? sizeof(void *) : key->type->size);
		if (key->count_offset)
			memcpy(element->base + key->count_offset,
			       (const char *)interface + same->count_offset, sizeof(size_t));
		if (origin)
			origin_set(loaded, value, origin->type, origin->place);
	}
}

/* --- sections ------------------------------------------------------------------------------------
 */

/* The elements of a section, as an array of its structs; each gets its node, none is read yet. */
static void *section_array(struct loaded *loaded, const struct schema_section *section,
			   const struct yaml_node *root, size_t *count)
{
	const struct yaml_node *node = yaml_get(root, slice_from(section->path));
	enum yaml_type wanted = section->shape == SCHEMA_MAP ? YAML_MAP : YAML_LIST;

	*count = 0;
	if (!node)
		return NULL;
	if (section->is_later) {
		finding_error(&loaded->findings, node->key_place,
			      "\"%s\" is not supported by this version", section->path);
		return NULL;
	}
	if (node->type != wanted) {
		finding_error(&loaded->findings, node->place, "%s is a %s", section->path,
			      wanted == YAML_MAP ? "map: each name with its own keys"
						 : "list: each entry begins with \"- \"");
		return NULL;
	}
	if (node->count > section->max_entries) {
		finding_error(&loaded->findings, node->place, "%s holds at most %u entries, not %u",
			      section->path, section->max_entries, node->count);
		return NULL;
	}
	void *array = arena_zalloc(loaded->arena, (node->count ? node->count : 1) * section->size);
	if (!array) {
		loaded->findings.failed = true;
		return NULL;
	}
	*count = node->count;
	return array;
}

static const struct yaml_node *section_first(const struct yaml_node *root,
					     enum schema_section_id id)
{
	return yaml_get(root, slice_from(schema_section(id)->path))->first;
}

/* Read one element's keys; false when it is none at all. */
static bool element_read(struct element *element)
{
	struct findings *findings = &element->loaded->findings;

	if (!element->title) {
		findings->failed = true;
		return false;
	}
	if (element->node->type != YAML_MAP) {
		finding_error(findings, element->node->place, "%s holds keys, not a value%s",
			      element->title,
			      is_null(element->node) ? " (nothing is indented under it)" : "");
		return false;
	}
	keys_read(element, element->node, SLICE_NONE);
	return true;
}

static void check_name(struct loaded *loaded, const struct yaml_node *node)
{
	if (!type_is_word(node->key))
		finding_error(&loaded->findings, node->key_place, "\"%.*s\" is no name: write %s",
			      SLICE_ARG(node->key), type_word.write);
	else if (slice_equal(node->key, SLICE("phones")))
		finding_error(
			&loaded->findings, node->key_place,
			"\"phones\" names the registered phones in routes: choose another name");
}

static void interfaces_load(struct loaded *loaded, const struct yaml_node *root)
{
	const struct schema_section *section = schema_section(SCHEMA_INTERFACES);

	loaded->interfaces = section_array(loaded, section, root, &loaded->interface_count);
	if (!loaded->interfaces)
		return;
	const struct yaml_node *node = section_first(root, SCHEMA_INTERFACES);
	for (size_t i = 0; i < loaded->interface_count; i++, node = node->next) {
		struct raw_interface *interface = &loaded->interfaces[i];
		struct element element = {loaded, section, (char *)interface, node, NULL};
		interface->node = node;
		interface->public.name = type_text(loaded, node->key);
		element.title = arena_printf(loaded->arena, "interface \"%s\"",
					     interface->public.name ? interface->public.name : "");
		check_name(loaded, node);
		if (!element_read(&element))
			continue;
		interface->public.trusted = interface->role == RAW_TRUSTED;
		defaults_read(&element, interface->public.trusted);
	}
}

static void peers_load(struct loaded *loaded, const struct yaml_node *root)
{
	const struct schema_section *section = schema_section(SCHEMA_PEERS);

	loaded->peers = section_array(loaded, section, root, &loaded->peer_count);
	if (!loaded->peers)
		return;
	const struct yaml_node *node = section_first(root, SCHEMA_PEERS);
	for (size_t i = 0; i < loaded->peer_count; i++, node = node->next) {
		struct raw_peer *peer = &loaded->peers[i];
		struct element element = {loaded, section, (char *)peer, node, NULL};
		peer->node = node;
		peer->public.name = type_text(loaded, node->key);
		peer->public.interface = UINT32_MAX;
		element.title = arena_printf(loaded->arena, "peer \"%s\"",
					     peer->public.name ? peer->public.name : "");
		check_name(loaded, node);
		if (!element_read(&element))
			continue;
		peer->interface_known = peer->public.interface < loaded->interface_count;
		if (peer->interface_known)
			inherit(&element, &loaded->interfaces[peer->public.interface]);
		defaults_read(&element,
			      peer->interface_known &&
				      loaded->interfaces[peer->public.interface].public.trusted);
	}
}

static void domains_load(struct loaded *loaded, const struct yaml_node *root)
{
	const struct schema_section *section = schema_section(SCHEMA_DOMAINS);

	loaded->domains = section_array(loaded, section, root, &loaded->domain_count);
	if (!loaded->domains)
		return;
	const struct yaml_node *node = section_first(root, SCHEMA_DOMAINS);
	for (size_t i = 0; i < loaded->domain_count; i++, node = node->next) {
		struct raw_domain *domain = &loaded->domains[i];
		struct element element = {loaded, section, (char *)domain, node, NULL};
		domain->node = node;
		domain->public.name = type_text(loaded, node->key);
		element.title = arena_printf(loaded->arena, "domain \"%s\"",
					     domain->public.name ? domain->public.name : "");
		if (!type_is_host(node->key))
			finding_error(&loaded->findings, node->key_place,
				      "\"%.*s\" is no domain: write %s", SLICE_ARG(node->key),
				      type_domain.write);
		if (element_read(&element))
			defaults_read(&element, false);
	}
}

static void phones_load(struct loaded *loaded, const struct yaml_node *root)
{
	const struct schema_section *section = schema_section(SCHEMA_PHONES);

	loaded->phones = section_array(loaded, section, root, &loaded->phones_count);
	if (!loaded->phones)
		return;
	const struct yaml_node *node = section_first(root, SCHEMA_PHONES);
	for (size_t i = 0; i < loaded->phones_count; i++, node = node->next) {
		struct raw_phones *phones = &loaded->phones[i];
		struct element element = {loaded, section, (char *)phones, node, "this entry"};
		phones->node = node;
		phones->public.from = UINT32_MAX;
		phones->public.registrar = UINT32_MAX;
		if (element_read(&element))
			defaults_read(&element, false);
	}
}

static void routes_load(struct loaded *loaded, const struct yaml_node *root)
{
	const struct schema_section *section = schema_section(SCHEMA_ROUTES);

	loaded->routes = section_array(loaded, section, root, &loaded->route_count);
	if (!loaded->routes)
		return;
	const struct yaml_node *node = section_first(root, SCHEMA_ROUTES);
	for (size_t i = 0; i < loaded->route_count; i++, node = node->next) {
		struct raw_route *route = &loaded->routes[i];
		struct element element = {loaded, section, (char *)route, node, NULL};
		unsigned errors = loaded->findings.errors;
		route->node = node;
		element.title = arena_printf(loaded->arena, "route %zu", i + 1);
		if (element_read(&element))
			defaults_read(&element, false);
		route->is_whole = loaded->findings.errors == errors;
		if (!route->name)
			route->name = arena_printf(loaded->arena, "%zu", i + 1);
	}
}

/* The file's own keys; the sections among them are read by the others. */
static void file_load(struct loaded *loaded, const struct yaml_node *root)
{
	const struct schema_section *section = schema_section(SCHEMA_FILE);
	struct element element = {loaded, section, (char *)&loaded->file, root, "the file"};
	struct yaml_node rest = *root;
	struct yaml_node **link = &rest.first;

	/* The same map without the sections; the nodes themselves stay as they are. */
	for (const struct yaml_node *node = root->first; node; node = node->next) {
		bool is_section = false;
		for (int id = SCHEMA_INTERFACES; id < SCHEMA_SECTIONS; id++) {
			const char *path = schema_section((enum schema_section_id)id)->path;
			is_section = is_section || slice_equal(node->key, slice_from(path));
		}
		if (is_section)
			continue;
		struct yaml_node *copy = arena_alloc(loaded->arena, sizeof(*copy));
		if (!copy) {
			loaded->findings.failed = true;
			return;
		}
		*copy = *node;
		*link = copy;
		link = &copy->next;
	}
	*link = NULL;
	keys_read(&element, &rest, SLICE_NONE);
	defaults_read(&element, false);
}

void load_sections(struct loaded *loaded, const struct yaml_node *root)
{
	if (root->type != YAML_MAP) {
		finding_error(&loaded->findings, root->place,
			      "a configuration begins with keys such as interfaces:");
		return;
	}
	loaded->file.node = root;
	loaded->interface_nodes = yaml_get(root, SLICE("interfaces"));
	loaded->peer_nodes = yaml_get(root, SLICE("peers"));
	file_load(loaded, root);
	if (!loaded->interface_nodes)
		finding_error(
			&loaded->findings, PLACE_NONE,
			"no interfaces: there must be at least one (interfaces: {wan: {address: "
			"203.0.113.10}})");
	interfaces_load(loaded, root);
	peers_load(loaded, root);
	domains_load(loaded, root);
	phones_load(loaded, root);
	routes_load(loaded, root);
}
