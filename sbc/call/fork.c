/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/fork.h"
#include <stdlib.h>
#include "sbc/call/check.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

enum {
	CONTACTS_MAX = 64, /* what `contacts` of a domain allows */
	CONTACTS_CHUNK = 4096,
	CONTACTS_LIMIT = 1024 * 1024,
	BREADTH_USUAL = 60
};

#define ELSEWHERE "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"

struct fork {
	struct calls *calls;
	const struct config *config; /* held: the one the call began with */
	struct arena *arena;         /* of the contacts */
	struct binding *contacts;    /* copies */
	size_t contact_count;
	size_t next; /* not tried yet */
	uint32_t breadth;
	size_t width; /* branches begun together last */
	struct call *branches[FORK_MAX];
	size_t branch_count;
	bool is_beginning; /* who fails now is not the last one */
	struct timer ring;
	/* Of the caller's INVITE: what a branch is made from. */
	struct transaction_handle server;
	struct transport_path path;
	struct admission admission;
	struct session_ids session_ids;
	struct slice invite;  /* owned; as it came */
	struct slice uri;     /* owned; the target's; empty = the callee's */
	struct hunt rest;     /* where the route leads when none of them wants it */
	unsigned int status;  /* the best refusal; 0 = none */
	struct slice headers; /* owned */
};

/* --- what is shared --- */

static void fork_destroy(struct fork *fork)
{
	wheel_cancel(fork->calls->worker->wheel, &fork->ring);
	hunt_end(&fork->calls->hunter, &fork->rest);
	owned_free(&fork->invite);
	owned_free(&fork->uri);
	owned_free(&fork->headers);
	arena_destroy(fork->arena);
	config_release(fork->config);
	free(fork);
}

void fork_free(struct call *call)
{
	if (!call->fork)
		return;
	fork_destroy(call->fork);
	call->fork = NULL;
}

static void join(struct fork *fork, struct call *call)
{
	fork->branches[fork->branch_count++] = call;
	call->fork = fork;
}

/* What becomes of this branch is nobody's affair any more. */
static void leave(struct fork *fork, struct call *call)
{
	size_t at = 0;

	while (at < fork->branch_count && fork->branches[at] != call)
		at++;
	fork->branch_count--;
	memmove(&fork->branches[at], &fork->branches[at + 1],
		(fork->branch_count - at) * sizeof(call));
	call->fork = NULL;
	call->is_branch = true;
	call->exchange.is_replied = true;
}

static void drop_others(struct fork *fork, const struct call *stays, struct slice reason)
{
	for (size_t i = fork->branch_count; i > 0; i--) {
		struct call *call = fork->branches[i - 1];
		if (call == stays)
			continue;
		leave(fork, call);
		call_end(call, CALL_CANCELLED, 0, -1, reason);
	}
}

static void keep_best(struct fork *fork, unsigned int status, struct slice headers)
{
	if (fork->status && outcome_rank(fork->status) <= outcome_rank(status))
		return;
	fork->status = status;
	if (owned_set(&fork->headers, headers) != 0)
		owned_free(&fork->headers);
}

/* --- branches --- */

static void name_branch(const struct call *call, const struct binding *contact)
{
	const struct fork *fork = call->fork;
	char addr[ADDR_TEXT_SIZE];

	counter_add(&call->calls->counters.branches, 1);
	log_info(call->calls->worker->log, "call.branch", "call=%.*s a_call_id=%.*s to=%s q=%u",
		 TOKEN_LENGTH, call->id, SLICE_ARG(call->legs[CALLER].dialog.call_id),
		 contact ? addr_text(&contact->path.remote, addr) : fork->admission.route->name,
		 contact ? contact->facts.q : 0);
}

/* A call that stands beside the first one. */
static int create_branch(struct fork *fork, const struct message *invite, struct call **out)
{
	struct call *call;

	int err = call_create(fork->calls, &call);
	if (err)
		return err;
	config_release(call->config);
	call->config = config_hold(fork->config);
	call->session_ids = fork->session_ids;
	join(fork, call);
	err = setup_begin(call, fork->server, invite, &fork->path, &fork->admission);
	if (err)
		exchange_fail(call, CALL_FAILED, err == -ERR_NO_MEMORY ? 500 : 400, SLICE_NONE);
	else
		*out = call;
	return err;
}

static void aim_branch(struct call *call, const struct message *invite,
		       const struct binding *contact)
{
	const struct hunt_target target = {
		.type = CONFIG_END_PHONES, .peer = -1, .uri = call->fork->uri};

	name_branch(call, contact);
	int err = target_aim(call, invite, &target, contact);
	if (err && call->state != CALL_ENDING)
		target_fail(call, err);
}

static void begin_branch(struct fork *fork, const struct binding *contact)
{
	const struct message *invite = target_read(fork->calls, fork->invite);
	struct call *call;

	if (!invite || create_branch(fork, invite, &call) != 0)
		return;
	hunt_clear(&call->hunt);
	aim_branch(call, invite, contact);
}

/* Those of the best q, as far as the breadth allows. */
static size_t next_width(const struct fork *fork)
{
	size_t count = 0, left = fork->contact_count - fork->next;

	while (count < left && count < fork->breadth &&
	       fork->contacts[fork->next + count].facts.q == fork->contacts[fork->next].facts.q)
		count++;
	return count;
}

static void on_rung_long_enough(struct timer *timer, uint64_t now_ms)
{
	struct fork *fork = container_of(timer, struct fork, ring);
	(void)now_ms;

	if (fork->branch_count == 0)
		return;
	struct call *last = fork->branches[0];
	drop_others(fork, last, SLICE_NONE);
	exchange_fail(last, CALL_NO_ANSWER, 408, SLICE_NONE);
}

static void be_patient(struct fork *fork)
{
	struct wheel *wheel = fork->calls->worker->wheel;

	if (fork->next < fork->contact_count || hunt_has_next(&fork->calls->hunter, &fork->rest))
		wheel_arm(wheel, &fork->ring, wheel_now_ms(wheel) + FORK_RING_MS,
			  on_rung_long_enough);
}

/* Where the route leads behind its phones; with the last refusal a call of its own goes there. */
static bool go_behind(struct fork *fork)
{
	const struct hunter *hunter = &fork->calls->hunter;
	const struct message *invite;
	struct call *call;

	if (!hunt_has_next(hunter, &fork->rest) ||
	    !hunt_moves_on(hunter, &fork->rest, fork->status))
		return false;
	invite = target_read(fork->calls, fork->invite);
	if (!invite || create_branch(fork, invite, &call) != 0)
		return false;
	name_branch(call, NULL);
	hunt_end(hunter, &call->hunt);
	call->hunt = fork->rest;
	fork->rest = (struct hunt){.peer = -1};
	int err = target_go(call, invite);
	if (err && call->state != CALL_ENDING)
		target_fail(call, err);
	return fork->branch_count > 0;
}

/* The next ones, when nobody is left. False: there are none. */
static bool go_next(struct fork *fork)
{
	bool is_beginning = fork->is_beginning;

	if (fork->calls->is_stopping)
		return false;
	wheel_cancel(fork->calls->worker->wheel, &fork->ring);
	fork->is_beginning = true;
	while (fork->branch_count == 0 && fork->next < fork->contact_count) {
		fork->width = next_width(fork);
		for (size_t i = 0; i < fork->width; i++)
			begin_branch(fork, &fork->contacts[fork->next++]);
	}
	bool found = fork->branch_count > 0 || go_behind(fork);
	fork->is_beginning = is_beginning;
	if (found)
		be_patient(fork);
	return found;
}

/* --- its beginning --- */

static uint32_t read_breadth(const struct message *invite)
{
	struct slice value;
	uint32_t breadth = BREADTH_USUAL;

	if (message_header(invite, SLICE("Max-Breadth"), &value) &&
	    slice_to_u32(slice_trim(value), UINT32_MAX, &breadth) != 0)
		breadth = 1;
	return breadth > 0 ? breadth : 1;
}

/* Flows of one phone are not rung beside each other; the newest is taken. */
static bool is_rung(const struct binding *contacts, size_t count, const struct binding *contact)
{
	for (size_t i = 0; i < count; i++)
		if (binding_is_same_phone(&contacts[i], contact))
			return true;
	return false;
}

/* The best ones, without their texts. */
static size_t choose(const struct call *call, struct slice callee, struct binding *out)
{
	struct arena *arena = call->calls->worker->arena;
	struct binding *found = arena_alloc(arena, CONTACTS_MAX * sizeof(*found));
	bool is_secure = check_is_secure(call->callee);
	size_t kept = 0;
	if (!found)
		return 0;

	size_t count =
		registrar_contacts(call->calls->registrar, callee, arena, found, CONTACTS_MAX);
	for (size_t i = 0; i < count && kept < FORK_MAX; i++) {
		if (is_secure &&
		    !sip_transport_is_secure((enum sip_transport)found[i].path.transport))
			continue;
		if (!is_rung(out, kept, &found[i]))
			out[kept++] = found[i];
	}
	return kept;
}

static int find_contacts(const struct call *call, struct slice callee, struct fork *fork)
{
	struct binding chosen[FORK_MAX];
	size_t count = choose(call, callee, chosen);
	if (count < 2)
		return -ERR_NOT_FOUND;

	int err = arena_create(CONTACTS_CHUNK, CONTACTS_LIMIT, &fork->arena);
	if (err)
		return err;
	fork->contacts = arena_alloc(fork->arena, count * sizeof(*fork->contacts));
	for (size_t i = 0; i < count && fork->contacts; i++) {
		struct binding *contact = &fork->contacts[i];
		*contact = chosen[i];
		contact->aor = SLICE_NONE;
		contact->facts.parameters = SLICE_NONE;
		contact->facts.contact = arena_copy(fork->arena, chosen[i].facts.contact);
		contact->facts.path_set = arena_copy(fork->arena, chosen[i].facts.path_set);
		if (!contact->facts.contact.data ||
		    contact->facts.path_set.len != chosen[i].facts.path_set.len)
			return -ERR_NO_MEMORY;
	}
	fork->contact_count = count;
	return fork->contacts ? 0 : -ERR_NO_MEMORY;
}

static int fill(struct fork *fork, struct call *call, const struct message *invite,
		const struct hunt_target *target)
{
	const struct leg *caller = &call->legs[CALLER];

	fork->breadth = read_breadth(invite);
	fork->server = call->exchange.server;
	fork->path = caller->path;
	fork->admission = (struct admission){.peer = caller->peer, .route = call->route};
	fork->session_ids = call->session_ids;
	int err = owned_set(&fork->invite, call->invite);
	if (!err)
		err = owned_set(&fork->uri, target->uri);
	if (err)
		return err;
	/* The route's other destinations are for when all have refused. */
	return hunt_part(&call->hunt, &fork->rest);
}

static int fork_create(struct call *call, const struct message *invite, struct slice callee,
		       const struct hunt_target *target, struct fork **out)
{
	struct fork *fork = calloc(1, sizeof(*fork));
	if (!fork)
		return -ERR_NO_MEMORY;

	fork->calls = call->calls;
	fork->config = config_hold(call->config);
	fork->rest.peer = -1;
	int err = find_contacts(call, callee, fork);
	if (!err)
		err = fill(fork, call, invite, target);
	if (err) {
		fork_destroy(fork);
		return err;
	}
	*out = fork;
	return 0;
}

bool fork_begin(struct call *call, const struct message *invite, const struct hunt_target *target)
{
	struct slice callee = target->uri.len > 0 ? target->uri : call->target;
	struct fork *fork;

	/* A transfer rings the best one: its legs are on loan to one call. */
	if (call->fork || call->transfer || !registrar_is_local(call->calls->registrar, callee))
		return false;
	if (!invite)
		invite = target_read(call->calls, call->invite);
	/* Without memory for several it goes to one. */
	if (!invite || fork_create(call, invite, callee, target, &fork) != 0)
		return false;
	join(fork, call);
	fork->width = next_width(fork);
	size_t end = fork->next + fork->width;
	const struct binding *own = &fork->contacts[fork->next++];
	fork->is_beginning = true;
	while (fork->next < end)
		begin_branch(fork, &fork->contacts[fork->next++]);
	fork->is_beginning = false;
	be_patient(fork);
	/* The message in hand is gone from the scratch arena if it was read again. */
	invite = target_read(call->calls, call->invite);
	if (invite)
		aim_branch(call, invite, own);
	else
		exchange_fail(call, CALL_FAILED, 500, SLICE_NONE);
	return true;
}

/* --- its end --- */

void fork_won(struct call *call)
{
	if (!call->fork)
		return;
	drop_others(call->fork, call, SLICE(ELSEWHERE));
	fork_free(call);
}

void fork_abandon(struct call *call)
{
	if (!call->fork)
		return;
	drop_others(call->fork, call, SLICE_NONE);
	fork_free(call);
}

void fork_forget(struct call *call)
{
	struct fork *fork = call->fork;

	if (!fork)
		return;
	leave(fork, call);
	if (fork->branch_count == 0)
		fork_destroy(fork);
}

bool fork_refused(struct call *call, unsigned int *status, struct slice *headers)
{
	struct fork *fork = call->fork;

	keep_best(fork, *status, *headers);
	if (*status >= 600) {
		drop_others(fork, call, SLICE_NONE);
		return true;
	}
	leave(fork, call);
	if (fork->is_beginning || fork->branch_count > 0 || go_next(fork)) {
		if (!fork->is_beginning && fork->branch_count > 0)
			fork_go_on(fork->branches[0]);
		return false;
	}
	join(fork, call);
	call->is_branch = false;
	*status = fork->status;
	*headers = fork->headers;
	return true;
}

/* --- replies --- */

bool fork_holds(const struct call *call)
{
	const struct fork *fork = call->fork;

	for (size_t i = 0; fork && i < fork->branch_count; i++)
		if (fork->branches[i] != call && fork->branches[i]->provisional.is_waiting)
			return true;
	return false;
}

void fork_go_on(const struct call *call)
{
	const struct fork *fork = call->fork;

	/* Whoever may speak first holds up the others, or ends them. */
	for (size_t i = 0; fork && call->fork == fork && i < fork->branch_count; i++)
		reply_go_on(fork->branches[i]);
}

uint32_t fork_breadth(const struct call *call, uint32_t breadth)
{
	size_t width = call->fork && call->fork->width > 0 ? call->fork->width : 1;
	return breadth >= width ? breadth / (uint32_t)width : 1;
}

/* --- begun by another process --- */

int fork_resume(struct call *call, struct call *sibling)
{
	struct fork *fork = sibling ? sibling->fork : calloc(1, sizeof(*fork));

	if (!fork)
		return -ERR_NO_MEMORY;
	if (sibling && fork->branch_count == FORK_MAX)
		return -ERR_TOO_MANY;
	if (!sibling) {
		fork->calls = call->calls;
		fork->config = config_hold(call->config);
		fork->rest.peer = -1;
		fork->server = call->exchange.server;
	}
	join(fork, call);
	return 0;
}

bool fork_is_alone(const struct call *call)
{
	return !call->is_branch && (!call->fork || call->fork->branch_count == 1);
}

void fork_over(struct call *call)
{
	call_end(call, CALL_CANCELLED, 0, -1, SLICE(ELSEWHERE));
}

bool fork_lost(struct call *call)
{
	if (fork_is_alone(call))
		return true;
	if (call->fork)
		leave(call->fork, call);
	return false;
}
