/* redirect.c - the contacts of a 3xx become targets (RFC 3261 8.1.3.4): by their q, once each, and
 * only where the routes of the caller lead as well.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "control/base/table.h"
#include "sbc/route/hunt.h"
#include "sbc/route/numbers.h"
#include "sbc/route/shared.h"
#include "sbc/topology/hosts.h"

enum { CONTACTS_MAX = 8 };

struct candidate {
	struct slice uri;
	unsigned int q; /* in thousandths */
};

/* "0.7", "1", ".123"; anything else counts as 1. */
static unsigned int read_q(struct slice parameters)
{
	struct slice value;

	if (!parameter_find(parameters, SLICE("q"), &value) || value.len == 0 ||
	    value.data[0] == '1')
		return 1000;
	(void)slice_cut(&value, '.');
	unsigned int q = 0, unit = 100;
	for (size_t i = 0; i < value.len && i < 3; i++, unit /= 10) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return 1000;
		q += (unsigned int)(value.data[i] - '0') * unit;
	}
	return q;
}

static size_t read_contacts(const struct message *response, struct candidate *out)
{
	struct contact contact;
	size_t count = 0;

	for (size_t i = 0; i < CONTACTS_MAX && message_contact(response, i, &contact); i++) {
		struct candidate one = {contact.address.uri, read_q(contact.address.parameters)};
		size_t at = count;
		if (contact.star)
			continue;
		count++;
		for (; at > 0 && out[at - 1].q < one.q; at--)
			out[at] = out[at - 1];
		out[at] = one;
	}
	return count;
}

/* True the first time. */
static bool see(const struct hunter *hunter, struct hunt *hunt, struct slice uri)
{
	struct hunt_list *list = hunt->list;
	uint64_t hash = uri_hash(uri, peers_shared(hunter->peers)->key);

	for (uint32_t i = 0; i < list->seen_count; i++)
		if (list->seen[i] == hash)
			return false;
	if (list->seen_count == HUNT_SEEN_MAX)
		return false;
	list->seen[list->seen_count++] = hash;
	return true;
}

/* Is this host one of the peer's own? */
static bool is_of_peer(const struct hunter *hunter, const struct config_peer *peer, uint32_t index,
		       struct slice host)
{
	struct addr addr;

	for (size_t i = 0; i < peer->server_count; i++)
		if (slice_equal_nocase(slice_from(peer->servers[i].host), host))
			return true;
	if (addr_parse_ip(host, &addr) != 0)
		return false;
	return guard_peer_of(hunter->worker->guard, (uint16_t)peer->interface, &addr) == (int)index;
}

/* The step for one destination of the route that the contact's own number and domain take. False:
 * it does not lead there. */
static bool step_for(const struct hunter *hunter, const struct config_end *end,
		     const struct uri *uri, bool is_registered, struct hunt_step *out)
{
	const struct config_peer *peers = hunter->worker->config->peers;
	struct addr literal;

	*out = (struct hunt_step){.end = *end, .peer = -1};
	switch (end->type) {
	case CONFIG_END_PEER:
		if (is_of_peer(hunter, &peers[end->peer], end->peer, uri->host)) {
			out->end = (struct config_end){.type = CONFIG_END_DNS,
						       .interface = peers[end->peer].interface};
			out->peer = (int)end->peer;
			return true;
		}
		/* A stranger's address is not the peer's to send to. */
		return uri->host.len == 0 || addr_parse_ip(uri->host, &literal) != 0 ||
		       hosts_is_own(hunter->worker->config, uri->host);
	case CONFIG_END_PHONES:
		return is_registered;
	case CONFIG_END_DNS:
	case CONFIG_END_ENUM:
		return true;
	case CONFIG_END_REJECT:
		break;
	}
	return false;
}

static int add_steps(const struct hunter *hunter, struct hunt *hunt, struct slice text,
		     const struct hunt_caller *caller)
{
	struct route_query query = {.peer = caller->peer, .now = caller->now};
	struct hunt_step step;
	struct buf number;
	struct uri uri;
	int added = -ERR_NOT_FOUND;

	if (uri_parse(text, &uri) != 0)
		return -ERR_NOT_FOUND;
	buf_init(&number);
	int err = number_of(text, &number);
	query.number = buf_slice(&number);
	query.domain = uri.host;
	query.is_registered = caller->is_registered(caller->owner, text);
	const struct config_route *route = err ? NULL : route_find(hunter->worker->config, &query);
	for (size_t i = route ? route->to_count : 0; i > 0; i--) {
		if (!step_for(hunter, &route->to[i - 1], &uri, query.is_registered, &step))
			continue;
		step.depth = (uint8_t)(hunt->at.depth + 1);
		if (hunt_push(hunt, &step, text) == 0)
			added = 0;
	}
	buf_free(&number);
	return added;
}

int hunt_redirect(const struct hunter *hunter, struct hunt *hunt, const struct message *response,
		  const struct hunt_caller *caller)
{
	struct candidate contacts[CONTACTS_MAX];
	int added = -ERR_NOT_FOUND;

	if (!hunt->list || hunt->at.depth >= HUNT_DEPTH_MAX)
		return -ERR_NOT_FOUND;
	if (hunt->list->seen_count == 0)
		(void)see(hunter, hunt, caller->callee);
	size_t count = read_contacts(response, contacts);
	/* Each goes to the front: the best one last. */
	for (size_t i = count; i > 0; i--)
		if (see(hunter, hunt, contacts[i - 1].uri) &&
		    add_steps(hunter, hunt, contacts[i - 1].uri, caller) == 0)
			added = 0;
	if (!added)
		hunt_leave(hunter, hunt);
	return added;
}
