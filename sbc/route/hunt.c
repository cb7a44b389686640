/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/hunt.h"
#include <stdlib.h>
#include "sbc/route/locate.h"
#include "sbc/route/numbers.h"
#include "sbc/route/path.h"
#include "sbc/route/servers.h"
#include "sbc/topology/hosts.h"
#include "sbc/topology/owned.h"

static const struct config *config_of(const struct hunter *hunter)
{
	return hunter->worker->config;
}

static uint64_t now_of(const struct hunter *hunter)
{
	return wheel_now_ms(hunter->worker->wheel);
}

int hunt_begin(struct hunt *hunt, const struct config_route *route)
{
	*hunt = (struct hunt){.peer = -1,
			      .code = 503,
			      .is_emergency = route->priority == CONFIG_PRIORITY_EMERGENCY};
	hunt->list = calloc(1, sizeof(*hunt->list));
	if (!hunt->list)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < route->to_count && i < HUNT_STEPS_MAX; i++)
		hunt->list->steps[hunt->list->step_count++] =
			(struct hunt_step){.end = route->to[i], .peer = -1};
	return 0;
}

/* --- steps --- */

/* At the front; the last ones give way. */
int hunt_push(struct hunt *hunt, const struct hunt_step *step, struct slice uri)
{
	struct hunt_list *list = hunt->list;
	struct hunt_step added = *step;

	added.uri = SLICE_NONE;
	int err = owned_set(&added.uri, uri);
	if (err)
		return err;
	if (list->step_count == HUNT_STEPS_MAX)
		owned_free(&list->steps[--list->step_count].uri);
	memmove(&list->steps[1], &list->steps[0], list->step_count * sizeof(list->steps[0]));
	list->steps[0] = added;
	list->step_count++;
	return 0;
}

static void leave_peer(const struct hunter *hunter, struct hunt *hunt)
{
	if (hunt->peer < 0)
		return;
	peers_end(hunter->peers, (uint32_t)hunt->peer, &hunt->attempt);
	if (hunt->is_counted)
		shared_leave(&peers_shared(hunter->peers)->peers[hunt->peer].calls);
	hunt->is_counted = false;
	hunt->peer = -1;
}

void hunt_leave(const struct hunter *hunter, struct hunt *hunt)
{
	leave_peer(hunter, hunt);
	owned_free(&hunt->at.uri);
	hunt->has_step = hunt->is_used = false;
	hunt->heard = 0;
	if (hunt->list) {
		free(hunt->list->addresses);
		hunt->list->addresses = NULL;
		hunt->list->address = hunt->list->address_count = 0;
	}
}

/* The peer's calls and its rate, in both directions. */
static bool enter_peer(const struct hunter *hunter, struct hunt *hunt, uint32_t peer)
{
	const struct config_peer_limits *limits = &config_of(hunter)->peers[peer].limits;
	struct shared_peer *shared = &peers_shared(hunter->peers)->peers[peer];

	if (!hunt->is_emergency) {
		if (!shared_enter_peer(shared, limits->calls))
			return false;
		if (!rate_take(&shared->setups, limits->setup_rate, now_of(hunter))) {
			shared_leave(&shared->calls);
			return false;
		}
	}
	hunt->peer = (int)peer;
	hunt->is_counted = !hunt->is_emergency;
	hunt->attempt = (struct peers_try){0};
	return true;
}

static bool next_step(const struct hunter *hunter, struct hunt *hunt)
{
	struct hunt_list *list = hunt->list;

	hunt_leave(hunter, hunt);
	while (list->step_count > 0) {
		hunt->at = list->steps[0];
		hunt->has_step = true;
		list->step_count--;
		memmove(&list->steps[0], &list->steps[1],
			list->step_count * sizeof(list->steps[0]));
		int peer = hunt->at.end.type == CONFIG_END_PEER ? (int)hunt->at.end.peer
								: hunt->at.peer;
		if (peer < 0 || enter_peer(hunter, hunt, (uint32_t)peer))
			return true;
		hunt->is_busy = true;
		hunt->code = 503;
		hunt_leave(hunter, hunt);
	}
	return false;
}

/* --- DNS --- */

static void on_names(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	const struct hunter *hunter = owner;
	(void)targets;
	hunter->fn(hunter->owner, context, err);
}

static void on_uris(void *owner, uint64_t context, int err, const struct dns_uris *uris)
{
	const struct hunter *hunter = owner;
	(void)uris;
	hunter->fn(hunter->owner, context, err);
}

static uint64_t next_context(struct hunt *hunt, uint64_t number)
{
	return number << 8 | ++hunt->sequence;
}

static int wait(struct hunt *hunt)
{
	hunt->is_waiting = true;
	return -ERR_AGAIN;
}

bool hunt_heard(struct hunt *hunt, uint64_t context, int err)
{
	if (!hunt->is_waiting || hunt->sequence != (context & 0xff))
		return false;
	hunt->is_waiting = false;
	hunt->heard = err;
	return true;
}

static uint16_t code_of(int err)
{
	switch (err) {
	case -ERR_NOT_FOUND:
		return 404;
	case -ERR_TIMEOUT:
		return 504; /* RFC 3261 21.5.5 */
	case -ERR_MALFORMED:
	case -ERR_UNSUPPORTED:
		return 416;
	default:
		return 503;
	}
}

static int find_addresses(const struct hunter *hunter, struct hunt *hunt, uint16_t interface,
			  struct slice uri, uint64_t number)
{
	struct hunt_list *list = hunt->list;
	struct dns_destination destination;
	struct dns_targets targets = {0};

	if (hunt->heard)
		return hunt->heard;
	int err = locate_destination(hunter->worker, interface, uri, &destination);
	if (err)
		return err;
	if (!hunter->worker->dns)
		return -ERR_UNREACHABLE;
	err = dns_resolve(hunter->worker->dns, &destination, on_names, (void *)(uintptr_t)hunter,
			  next_context(hunt, number), &targets);
	if (err)
		return err == -ERR_AGAIN ? wait(hunt) : err;
	list->addresses = calloc(targets.count, sizeof(*list->addresses));
	if (!list->addresses)
		return -ERR_NO_MEMORY;
	for (uint32_t i = 0; i < targets.count; i++)
		if (locate_may_go(hunter->worker, interface, &targets.targets[i].addr))
			list->addresses[list->address_count++] = targets.targets[i];
	hunt->is_used = true;
	return list->address_count > 0 ? 0 : -ERR_NOT_FOUND;
}

/* Those that rest come last. */
static bool next_address(const struct hunter *hunter, struct hunt *hunt, uint16_t interface,
			 struct transport_path *path)
{
	struct hunt_list *list = hunt->list;
	struct shared *shared = peers_shared(hunter->peers);

	while (list->address < list->address_count) {
		uint32_t chosen = list->address;
		for (uint32_t i = list->address; i < list->address_count; i++) {
			const struct dns_target *target = &list->addresses[i];
			if (!shared_rests(shared, &target->addr, target->transport,
					  now_of(hunter))) {
				chosen = i;
				break;
			}
		}
		struct dns_target target = list->addresses[chosen];
		memmove(&list->addresses[list->address + 1], &list->addresses[list->address],
			(chosen - list->address) * sizeof(target));
		list->addresses[list->address++] = target;
		if (path_to(hunter->worker, interface, &target.addr,
			    naming_transport(target.transport), path) == 0)
			return true;
	}
	return false;
}

/* --- one step --- */

static int go_by_uri(const struct hunter *hunter, struct hunt *hunt, struct slice callee,
		     uint64_t number, struct hunt_target *out)
{
	struct slice uri = hunt->at.uri.len > 0 ? hunt->at.uri : callee;
	uint16_t interface = (uint16_t)hunt->at.end.interface;

	if (!hunt->is_used) {
		int err = find_addresses(hunter, hunt, interface, uri, number);
		if (err && err != -ERR_AGAIN)
			hunt->code = code_of(err);
		if (err)
			return err;
	}
	*out = (struct hunt_target){.type = CONFIG_END_DNS,
				    .peer = hunt->peer,
				    .interface = interface,
				    .uri = hunt->at.uri,
				    .keeps_host = true};
	struct dns_destination destination;
	while (next_address(hunter, hunt, interface, &out->path))
		if (locate_destination(hunter->worker, interface, uri, &destination) == 0 &&
		    path_set_name(hunter->worker, destination.host, &out->path) == 0)
			return 0;
	return -ERR_UNREACHABLE;
}

static int go_by_number(const struct hunter *hunter, struct hunt *hunt, struct slice callee,
			uint64_t context_number)
{
	struct hunt_step step = {
		.end = {.type = CONFIG_END_DNS, .interface = hunt->at.end.interface},
		.peer = -1,
		.depth = hunt->at.depth};
	struct dns_uris uris;
	struct buf number;

	buf_init(&number);
	int err = hunt->heard ? hunt->heard
			      : number_of(hunt->at.uri.len > 0 ? hunt->at.uri : callee, &number);
	if (!err && !hunter->worker->dns)
		err = -ERR_UNREACHABLE;
	if (!err)
		err = dns_enum(hunter->worker->dns, buf_slice(&number),
			       slice_from(hunt->at.end.suffix), on_uris, (void *)(uintptr_t)hunter,
			       next_context(hunt, context_number), &uris);
	buf_free(&number);
	if (err == -ERR_AGAIN)
		return wait(hunt);
	for (uint32_t i = err ? 0 : uris.count; !err && i > 0; i--)
		err = hunt_push(hunt, &step, slice_from(uris.uris[i - 1]));
	if (err)
		hunt->code = err == -ERR_MALFORMED ? 404 : code_of(err);
	return err ? err : -ERR_UNREACHABLE; /* on to what was pushed */
}

static int go_to_peer(const struct hunter *hunter, struct hunt *hunt, uint64_t number,
		      struct hunt_target *out)
{
	*out = (struct hunt_target){
		.type = CONFIG_END_PEER,
		.peer = hunt->peer,
		.interface = (uint16_t)config_of(hunter)->peers[hunt->peer].interface,
		.uri = hunt->at.uri};
	int err = peers_next(hunter->peers, (uint32_t)hunt->peer, &hunt->attempt, &out->path);
	if (err && hunt->attempt.asked == 0 && !hunt->is_used) {
		hunt->is_used = true;
		if (peers_await(hunter->peers, (uint32_t)hunt->peer, on_names,
				(void *)(uintptr_t)hunter, next_context(hunt, number)) == 0)
			return wait(hunt);
	}
	if (err)
		hunt->code = 503;
	return err;
}

static int go(const struct hunter *hunter, struct hunt *hunt, struct slice callee, uint64_t number,
	      struct hunt_target *out)
{
	switch (hunt->at.end.type) {
	case CONFIG_END_PEER:
		return go_to_peer(hunter, hunt, number, out);
	case CONFIG_END_DNS:
		return go_by_uri(hunter, hunt, callee, number, out);
	case CONFIG_END_ENUM:
		return go_by_number(hunter, hunt, callee, number);
	case CONFIG_END_PHONES:
		if (hunt->is_used)
			return -ERR_UNREACHABLE;
		hunt->is_used = true;
		*out = (struct hunt_target){
			.type = CONFIG_END_PHONES, .peer = -1, .uri = hunt->at.uri};
		return 0;
	case CONFIG_END_REJECT:
		break;
	}
	hunt->code = hunt->at.end.code;
	hunt->is_rejected = true;
	return -ERR_DENIED;
}

int hunt_next(const struct hunter *hunter, struct hunt *hunt, struct slice callee, uint64_t number,
	      struct hunt_target *out)
{
	while (hunt->list && hunt->tries < HUNT_TRIES_MAX) {
		if (!hunt->has_step && !next_step(hunter, hunt))
			break;
		int err = go(hunter, hunt, callee, number, out);
		if (!err)
			hunt->tries++;
		if (!err || err == -ERR_AGAIN || err == -ERR_NO_MEMORY)
			return err;
		if (err == -ERR_DENIED)
			break; /* the route ends here */
		hunt_leave(hunter, hunt);
	}
	return -ERR_UNREACHABLE;
}

void hunt_resume(const struct hunter *hunter, struct hunt *hunt, int peer, uint32_t server,
		 bool is_emergency)
{
	*hunt = (struct hunt){.peer = peer, .code = 503, .is_emergency = is_emergency};
	if (peer < 0)
		return;
	hunt->is_counted = !is_emergency;
	if (hunt->is_counted)
		atomic_fetch_add(&peers_shared(hunter->peers)->peers[peer].calls, 1);
	peers_resume(hunter->peers, (uint32_t)peer, server, &hunt->attempt);
}

void hunt_keep(const struct hunt *hunt, struct hunt_kept *out)
{
	const struct hunt_list *list = hunt->list;

	*out = (struct hunt_kept){.tries = hunt->tries, .servers = hunt->attempt.tried};
	/* What came later stands in front of what the route says. */
	for (uint32_t i = list ? list->step_count : 0;
	     i > 0 && list->steps[i - 1].depth == 0 && slice_is_empty(list->steps[i - 1].uri); i--)
		out->steps++;
}

int hunt_resume_rest(struct hunt *hunt, const struct config_route *route,
		     const struct hunt_kept *kept)
{
	struct hunt_list *list = calloc(1, sizeof(*list));
	if (!list)
		return -ERR_NO_MEMORY;

	size_t steps = kept->steps < route->to_count ? kept->steps : route->to_count;
	for (size_t i = route->to_count - steps; i < route->to_count; i++)
		if (list->step_count < HUNT_STEPS_MAX)
			list->steps[list->step_count++] =
				(struct hunt_step){.end = route->to[i], .peer = -1};
	hunt->list = list;
	hunt->tries = (uint8_t)(kept->tries < HUNT_TRIES_MAX ? kept->tries : HUNT_TRIES_MAX);
	hunt->has_step = hunt->is_used = true;
	hunt->at = (struct hunt_step){.end = {.type = CONFIG_END_PHONES}, .peer = -1};
	hunt->code = 480;
	if (hunt->peer < 0)
		return 0;
	hunt->at.end = (struct config_end){.type = CONFIG_END_PEER, .peer = (uint32_t)hunt->peer};
	hunt->attempt.asked = hunt->tries;
	hunt->attempt.tried |= kept->servers;
	hunt->code = 503;
	return 0;
}

/* --- the end --- */

void hunt_clear(struct hunt *hunt)
{
	struct hunt_list *list = hunt->list;

	while (list && list->step_count > 0)
		owned_free(&list->steps[--list->step_count].uri);
	hunt->code = 480;
}

int hunt_part(struct hunt *hunt, struct hunt *rest)
{
	struct hunt_list *list = calloc(1, sizeof(*list));
	if (!list)
		return -ERR_NO_MEMORY;

	*rest = *hunt;
	*hunt = (struct hunt){.list = list,
			      .at = {.peer = -1, .depth = rest->at.depth},
			      .peer = -1,
			      .code = 480,
			      .tries = rest->tries,
			      .is_emergency = rest->is_emergency};
	return 0;
}

void hunt_settle(struct hunt *hunt)
{
	if (!hunt->list)
		return;
	for (uint32_t i = 0; i < hunt->list->step_count; i++)
		owned_free(&hunt->list->steps[i].uri);
	free(hunt->list->addresses);
	free(hunt->list);
	hunt->list = NULL;
	free(hunt->attempt.addresses);
	hunt->attempt.addresses = NULL;
	hunt->attempt.next = hunt->attempt.count = 0;
	hunt->is_waiting = false;
}

void hunt_end(const struct hunter *hunter, struct hunt *hunt)
{
	hunt_settle(hunt);
	hunt_leave(hunter, hunt);
}
