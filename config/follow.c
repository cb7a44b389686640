/* A new file for what runs already: interfaces and peers in the order of before, so that what has
 * an index of one has it still. An interface that has gone, and a peer that has gone or become
 * another (diff_is_same_peer), leave an entry behind that no name leads to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/diff.h"
#include "config/types.h"

/* Takes the child of that name out of the list. */
static struct yaml_node *take_child(struct yaml_node *map, struct slice name)
{
	for (struct yaml_node **link = &map->first; *link; link = &(*link)->next) {
		struct yaml_node *child = *link;
		if (!slice_equal(child->key, name))
			continue;
		*link = child->next;
		child->next = NULL;
		return child;
	}
	return NULL;
}

static struct yaml_node *retired_node(struct loaded *loaded, const char *name, const void *what,
				      const struct yaml_node *map)
{
	struct yaml_node *node = arena_zalloc(loaded->arena, sizeof(*node));

	if (!node) {
		loaded->findings.failed = true;
		return NULL;
	}
	node->type = YAML_SCALAR; /* no check looks into it */
	node->key = arena_copy(loaded->arena, slice_from(name));
	node->place = map->place;
	node->key_place = map->place;
	node->retired = what;
	return node;
}

/* The same peer's node as the file has it, taken out of `map`; NULL = it is another one, or none.
 */
static struct yaml_node *same_peer(const struct loaded *loaded, struct yaml_node *map,
				   const struct config_peer *peer)
{
	const struct config *before = &loaded->follow->before->file.public;
	const struct config *draft = &loaded->follow->draft->file.public;
	int index = config_find_peer(draft, slice_from(peer->name));

	if (index < 0 || !diff_is_same_peer(before, peer, draft, &draft->peers[index]))
		return NULL;
	return take_child(map, slice_from(peer->name));
}

static void order_peers(struct loaded *loaded, struct yaml_node *map)
{
	const struct config *before = &loaded->follow->before->file.public;
	struct yaml_node *first = NULL, **link = &first;
	uint32_t count = 0;

	for (size_t i = 0; i < before->peer_count; i++) {
		struct yaml_node *node = same_peer(loaded, map, &before->peers[i]);
		if (!node)
			node = retired_node(loaded, before->peers[i].name, &before->peers[i], map);
		if (!node)
			return;
		*link = node;
		link = &node->next;
		count++;
	}
	for (*link = map->first; *link; link = &(*link)->next)
		count++;
	map->first = first;
	map->count = count;
}

/* One that was gone and is in the file again has its old index: what it had goes on. But whom it
 * trusts is what calls rely on. */
static struct yaml_node *same_interface(const struct loaded *loaded, struct yaml_node *map,
					const struct config_interface *old)
{
	const struct config *draft = &loaded->follow->draft->file.public;
	int index = config_find_interface(draft, slice_from(old->name));

	if (index < 0 || draft->interfaces[index].trusted != old->trusted)
		return NULL;
	return take_child(map, slice_from(old->name));
}

static void order_interfaces(struct loaded *loaded, struct yaml_node *map)
{
	const struct loaded *before = loaded->follow->before;
	struct yaml_node *first = NULL, **link = &first;
	uint32_t count = 0;

	for (size_t i = 0; i < before->interface_count; i++) {
		const struct raw_interface *old = &before->interfaces[i];
		struct yaml_node *node = same_interface(loaded, map, &old->public);
		if (!node)
			node = retired_node(loaded, old->public.name, old, map);
		if (!node)
			return;
		*link = node;
		link = &node->next;
		count++;
	}
	for (*link = map->first; *link; link = &(*link)->next)
		count++;
	map->first = first;
	map->count = count;
}

static struct yaml_node *child_of(struct yaml_node *root, const char *name)
{
	for (struct yaml_node *child = root->type == YAML_MAP ? root->first : NULL; child;
	     child = child->next)
		if (slice_equal(child->key, slice_from(name)) && child->type == YAML_MAP)
			return child;
	return NULL;
}

void follow_order(struct loaded *loaded, struct yaml_node *root)
{
	struct yaml_node *interfaces = child_of(root, "interfaces");
	struct yaml_node *peers = child_of(root, "peers");

	if (interfaces)
		order_interfaces(loaded, interfaces);
	if (!peers && loaded->follow->before->file.public.peer_count) {
		peers = arena_zalloc(loaded->arena, sizeof(*peers));
		if (!peers) {
			loaded->findings.failed = true;
			return;
		}
		*peers = (struct yaml_node){.type = YAML_MAP,
					    .key = SLICE("peers"),
					    .place = PLACE_NONE,
					    .key_place = PLACE_NONE,
					    .next = root->first};
		root->first = peers;
		root->count++;
	}
	if (peers)
		order_peers(loaded, peers);
}

void follow_retire_interface(struct loaded *loaded, struct raw_interface *interface)
{
	const struct raw_interface *old = interface->node->retired;
	const struct yaml_node *node = interface->node;

	*interface = *old;
	interface->node = node;
	interface->public.retired = true;
	interface->public.listener_count = 0;
	interface->origin =
		config_hold(old->origin ? old->origin : &loaded->follow->before->file.public);
}

/* Its servers, and how they are spoken to: the rest is nobody's any more. */
void follow_retire(struct loaded *loaded, struct raw_peer *peer)
{
	const struct config_peer *old = peer->node->retired;
	struct config_server *servers =
		finish_take(loaded, old->server_count, sizeof(*old->servers));

	for (size_t i = 0; servers && i < old->server_count; i++) {
		servers[i] = old->servers[i];
		servers[i].host = type_text(loaded, slice_from(old->servers[i].host));
	}
	peer->public = (struct config_peer){
		.name = type_text(loaded, slice_from(old->name)),
		.retired = true,
		.interface = old->interface,
		.servers = servers,
		.server_count = servers ? old->server_count : 0,
		.strategy = old->strategy,
		.identity_trusted = old->identity_trusted,
		.dialog = old->dialog,
		.media = old->media,
	};
	/* Lists of another arena: what only the interface has is taken from there. */
	peer->public.media.codecs = NULL;
	peer->public.media.codec_count = 0;
	peer->public.media.keying = NULL;
	peer->public.media.keying_count = 0;
}
