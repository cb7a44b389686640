/* References: the names of interfaces and peers are known before anything is read, so the order of
 * the sections in the file does not matter. SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include "config/nearest.h"

#define VALUE(type)    (*(const type *)value)
#define NAMES_COMPARED 512

/* Index of `name` among the keys of `map`; -1 = none. */
static int find_name(const struct yaml_node *map, struct slice name)
{
	int index = 0;

	for (const struct yaml_node *child = map ? map->first : NULL; child; child = child->next) {
		if (!child->retired && slice_equal(child->key, name))
			return index;
		index++;
	}
	return -1;
}

static void offer_names(struct loaded *loaded, struct nearest *nearest, const struct yaml_node *map)
{
	const struct yaml_node *child = map ? map->first : NULL;

	for (int i = 0; child && i < NAMES_COMPARED; child = child->next, i++) {
		if (child->retired)
			continue;
		char *name = type_text(loaded, child->key);
		if (name)
			nearest_offer(nearest, name);
	}
}

/* The wrong name's place, the nearest right one and its place, or all there are. */
static bool unknown_name(struct loaded *loaded, const struct yaml_node *node, const char *what,
			 const struct yaml_node *map, bool or_phones)
{
	struct findings *findings = &loaded->findings;
	struct nearest nearest;

	nearest_start(&nearest, node->text);
	if (!findings_are_many(findings))
		offer_names(loaded, &nearest, map);
	if (or_phones)
		nearest_offer(&nearest, "phones");
	if (nearest.name) {
		finding_error(findings, node->place,
			      "%s \"%.*s\" is not defined (did you mean \"%s\"?)", what,
			      SLICE_ARG(node->text), nearest.name);
		const struct yaml_node *right = yaml_get(map, slice_from(nearest.name));
		if (right)
			finding_note(findings, right->key_place, "\"%s\" is defined here",
				     nearest.name);
		return false;
	}
	finding_error(findings, node->place, "%s \"%.*s\" is not defined", what,
		      SLICE_ARG(node->text));
	if (map && map->first)
		finding_note(findings, map->first->key_place, "%ss are defined here", what);
	else
		finding_note(findings, PLACE_NONE, "the file defines no %s", what);
	return false;
}

static bool interface_read(struct loaded *loaded, const struct schema_key *key,
			   const struct yaml_node *node, void *out)
{
	int index = find_name(loaded->interface_nodes, node->text);

	(void)key;
	if (index < 0)
		return unknown_name(loaded, node, "interface", loaded->interface_nodes, false);
	*(uint32_t *)out = (uint32_t)index;
	return true;
}

static void interface_print(const struct loaded *loaded, const struct schema_key *key,
			    const void *value, struct buf *out)
{
	(void)key;
	if (VALUE(uint32_t) < loaded->interface_count)
		buf_add_text(out, loaded->interfaces[VALUE(uint32_t)].public.name);
}

const struct schema_type type_interface = {
	.name = "interface",
	.write = "the name of an interface",
	.size = sizeof(uint32_t),
	.read = interface_read,
	.print = interface_print,
};

static bool peer_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	int index = find_name(loaded->peer_nodes, node->text);

	(void)key;
	if (index < 0)
		return unknown_name(loaded, node, "peer", loaded->peer_nodes, false);
	*(uint32_t *)out = (uint32_t)index;
	return true;
}

static void peer_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	(void)key;
	if (VALUE(uint32_t) < loaded->peer_count)
		buf_add_text(out, loaded->peers[VALUE(uint32_t)].public.name);
}

const struct schema_type type_peer = {
	.name = "peer",
	.write = "the name of a peer",
	.size = sizeof(uint32_t),
	.read = peer_read,
	.print = peer_print,
};

/* --- ends of a route -----------------------------------------------------------------------------
 */

static bool end_named(struct loaded *loaded, const struct yaml_node *node, struct config_end *out)
{
	if (slice_equal(node->text, SLICE("phones"))) {
		out->type = CONFIG_END_PHONES;
		return true;
	}
	int index = find_name(loaded->peer_nodes, node->text);
	if (index >= 0) {
		out->type = CONFIG_END_PEER;
		out->peer = (uint32_t)index;
		return true;
	}
	(void)unknown_name(loaded, node, "peer", loaded->peer_nodes, true);
	if (find_name(loaded->interface_nodes, node->text) >= 0)
		finding_note(&loaded->findings, PLACE_NONE,
			     "\"%.*s\" is an interface; routes go between peers and phones",
			     SLICE_ARG(node->text));
	return false;
}

static bool caller_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct config_end end = {.type = CONFIG_END_PHONES};

	(void)key;
	if (!end_named(loaded, node, &end))
		return false;
	*(struct config_end *)out = end;
	return true;
}

/* {enum: e164.arpa, interface: wan} or {dns: wan} */
static bool lookup_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, struct config_end *out)
{
	const struct yaml_node *suffix = yaml_get(node, SLICE("enum"));
	const struct yaml_node *interface =
		yaml_get(node, suffix ? SLICE("interface") : SLICE("dns"));

	if (!interface || interface->type != YAML_SCALAR || node->count != (suffix ? 2 : 1) ||
	    (suffix && (suffix->type != YAML_SCALAR || !type_is_host(suffix->text)))) {
		finding_error(&loaded->findings, node->place, "no %s: write %s", key->type->name,
			      key->type->write);
		return false;
	}
	int index = find_name(loaded->interface_nodes, interface->text);
	if (index < 0)
		return unknown_name(loaded, interface, "interface", loaded->interface_nodes, false);
	out->type = suffix ? CONFIG_END_ENUM : CONFIG_END_DNS;
	out->interface = (uint32_t)index;
	out->suffix = suffix ? type_text(loaded, suffix->text) : NULL;
	return true;
}

static bool destination_read(struct loaded *loaded, const struct schema_key *key,
			     const struct yaml_node *node, void *out)
{
	struct config_end end = {.type = CONFIG_END_PHONES};
	uint32_t code;

	if (node->type == YAML_MAP) {
		if (!lookup_read(loaded, key, node, &end))
			return false;
	} else if (slice_starts(node->text, SLICE("reject/"))) {
		if (slice_to_u32(slice_sub(node->text, 7, SIZE_MAX), 699, &code) || code < 400)
			return type_wrong(loaded, key, node);
		end.type = CONFIG_END_REJECT;
		end.code = (uint16_t)code;
	} else if (!end_named(loaded, node, &end)) {
		return false;
	}
	*(struct config_end *)out = end;
	return true;
}

static void end_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		      struct buf *out)
{
	struct config_end end = VALUE(struct config_end);

	switch (end.type) {
	case CONFIG_END_PEER:
		peer_print(loaded, key, &end.peer, out);
		break;
	case CONFIG_END_PHONES:
		buf_add_text(out, "phones");
		break;
	case CONFIG_END_ENUM:
		buf_printf(out, "{enum: %s, interface: ", end.suffix);
		interface_print(loaded, key, &end.interface, out);
		buf_add_char(out, '}');
		break;
	case CONFIG_END_DNS:
		buf_add_text(out, "{dns: ");
		interface_print(loaded, key, &end.interface, out);
		buf_add_char(out, '}');
		break;
	case CONFIG_END_REJECT:
		buf_printf(out, "reject/%u", end.code);
		break;
	}
}

const struct schema_type type_caller = {
	.name = "end of a route",
	.write = "the name of a peer, or phones",
	.size = sizeof(struct config_end),
	.read = caller_read,
	.print = end_print,
};
const struct schema_type type_destination = {
	.name = "end of a route",
	.write = "the name of a peer, phones, {enum: e164.arpa, interface: NAME}, {dns: NAME} or "
		 "reject/403",
	.takes_map = true,
	.size = sizeof(struct config_end),
	.read = destination_read,
	.print = end_print,
};
