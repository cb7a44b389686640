/* The sections of the file, in the order in which they need one another.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"

#include "config/types.h"

/* The elements of a section, as an array of its structs; each gets its node, none is read yet. */
static void *section_array(struct loaded *loaded, const struct schema_section *section,
			   const struct yaml_node *root, size_t *count)
{
	const struct yaml_node *node = yaml_get(root, slice_from(section->path));
	enum yaml_type wanted = section->shape == SCHEMA_MAP ? YAML_MAP : YAML_LIST;

	*count = 0;
	if (!node)
		return NULL;
	if (node->type != wanted) {
		finding_error(&loaded->findings, node->place, "%s is a %s", section->path,
			      wanted == YAML_MAP ? "map: each name with its own keys"
						 : "list: each entry begins with \"- \"");
		return NULL;
	}
	uint32_t written = 0;
	for (const struct yaml_node *child = node->first; child; child = child->next)
		written += !child->retired;
	if (written > section->max_entries) {
		finding_error(&loaded->findings, node->place, "%s holds at most %u entries, not %u",
			      section->path, section->max_entries, written);
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
		if (node->retired) {
			follow_retire_interface(loaded, interface);
			continue;
		}
		interface->public.name = type_text(loaded, node->key);
		element.title = arena_printf(loaded->arena, "interface \"%s\"",
					     interface->public.name ? interface->public.name : "");
		check_name(loaded, node);
		if (!load_element(&element))
			continue;
		interface->public.trusted = interface->role == RAW_TRUSTED;
		load_defaults(&element, interface->public.trusted);
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
		if (node->retired) {
			follow_retire(loaded, peer);
			continue;
		}
		peer->public.name = type_text(loaded, node->key);
		peer->public.interface = UINT32_MAX;
		element.title = arena_printf(loaded->arena, "peer \"%s\"",
					     peer->public.name ? peer->public.name : "");
		check_name(loaded, node);
		if (!load_element(&element))
			continue;
		peer->interface_known = peer->public.interface < loaded->interface_count;
		if (peer->interface_known)
			load_inherit(&element, &loaded->interfaces[peer->public.interface]);
		load_defaults(&element,
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
		struct addr addr;
		if (!type_is_host(node->key) && addr_parse_ip(node->key, &addr))
			finding_error(&loaded->findings, node->key_place,
				      "\"%.*s\" is no domain: write %s", SLICE_ARG(node->key),
				      type_domain.write);
		if (load_element(&element))
			load_defaults(&element, false);
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
		if (load_element(&element))
			load_defaults(&element, false);
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
		if (load_element(&element))
			load_defaults(&element, false);
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
	load_keys(&element, &rest, SLICE_NONE);
	load_defaults(&element, false);
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
