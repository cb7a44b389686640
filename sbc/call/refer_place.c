/* refer_place.c - the call that a REFER asks for: whom it leads to, whether it may, and its start.
 * A phone that has registered with another worker is asked for there, by ring.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/call/core.h"
#include "sbc/call/transfer.h"
#include "sbc/call/verbs.h"
#include "sbc/route/numbers.h"

enum { LOOKUPS_MAX = 256 };

/* Goes to the other worker and back; belongs to the asker's list all the while. */
struct refer_lookup {
	struct core_command command;
	struct refer_lookup *next;
	struct worker *asker;
	uint64_t call;
	struct asked asked; /* but for its call */
	struct transport_path path;
	struct buf called;   /* owned; whom */
	struct buf replaces; /* owned */
	struct buf bytes;    /* owned; the INVITE */
	struct lead lead;
};

void lead_free(struct lead *lead)
{
	buf_free(&lead->texts);
	*lead = (struct lead){0};
}

/* --- the call --- */

static const struct message *read_invite(const struct worker *worker, struct buf *bytes)
{
	const struct scan_limits limits = {.message_max = SIZE_MAX, .stream = true};
	struct scan *scan = arena_alloc(worker->arena, sizeof(*scan));
	struct message *message;

	if (!scan || scan_message(bytes->data, bytes->len, &limits, scan) != SCAN_ACCEPT ||
	    message_parse(scan, worker->arena, &message) != 0)
		return NULL;
	return message;
}

static int prepare(struct call *made, const struct asked *asked, struct lead *lead)
{
	struct call *call = asked->call;

	int err = transfer_create(made);
	if (err)
		return err;
	made->transfer->referrer = call->number;
	made->transfer->referrer_leg = asked->leg;
	made->transfer->event_id = asked->event_id;
	made->transfer->is_quiet = asked->is_quiet;
	made->transfer->loans[CALLER] =
		(struct loan){.call = call->number, .leg = other_leg(asked->leg)};
	made->transfer->lead = *lead;
	*lead = (struct lead){0};
	call->lent_to = made->number;
	record_keep(call, false);
	refer_notify(made->transfer, 100);
	return 0;
}

static void place(const struct asked *asked, const struct message *invite,
		  const struct admission *admission, struct lead *lead)
{
	struct call *call = asked->call, *made;
	struct calls *calls = call->calls;
	const struct leg *remains = &call->legs[other_leg(asked->leg)];

	if (call_create(calls, &made) != 0) {
		limits_leave(calls->limits, remains->interface, remains->peer,
			     admission->route->priority == CONFIG_PRIORITY_EMERGENCY);
		refer_notify_call(call, asked->leg, asked->event_id, 500);
		return;
	}
	counter_add(&calls->counters.attempts, 1);
	int err = prepare(made, asked, lead);
	if (!err)
		err = setup_begin(made, TRANSACTION_NONE, invite, &remains->path, admission);
	if (err) {
		exchange_fail(made, CALL_FAILED, err == -ERR_BUSY ? 491 : 500, SLICE_NONE);
		return;
	}
	made->wants_privacy = call->wants_privacy && other_leg(asked->leg) == CALLER;
	log_info(calls->worker->log, "call.transfer", "call=%.*s by=%.*s callee=%.*s route=%s",
		 TOKEN_LENGTH, made->id, TOKEN_LENGTH, call->id, SLICE_ARG(made->callee),
		 made->route->name);
	err = admission->replaced ? replaces_go_on(made, invite) : target_go(made, invite);
	if (err && made->state != CALL_ENDING)
		target_fail(made, err);
}

/* What is left of another call of the referrer is joined with what is left of this one. */
static void find_held(const struct call *call, struct slice text, const struct transport_path *path,
		      struct admission *out)
{
	struct replaces names;
	uint8_t leg;

	if (text.len == 0 || replaces_read(text, &names) != 0)
		return;
	struct call *held = refer_held(call->calls, &names, &leg);
	if (!held || held == call || !leg_is_source(held, leg, path))
		return;
	out->replaced = held;
	out->replaced_leg = leg;
}

static void place_found(const struct asked *asked, struct buf *bytes, struct slice replaces,
			const struct transport_path *path, struct lead *lead)
{
	struct call *call = asked->call;
	struct admission admission = {.lead = lead->is_found ? &lead->binding : NULL};

	const struct message *invite = read_invite(call->calls->worker, bytes);
	find_held(call, replaces, path, &admission);
	if (invite)
		admit_transfer(call, asked->leg, invite, &admission);
	else
		admission.status = 400;
	if (!admission.status) {
		place(asked, invite, &admission, lead);
		return;
	}
	log_info(call->calls->worker->log, "call.transfer_denied", "call=%.*s status=%u",
		 TOKEN_LENGTH, call->id, admission.status);
	if (!asked->is_quiet)
		refer_notify_call(call, asked->leg, asked->event_id, admission.status);
}

/* --- where a phone is --- */

static const struct binding *find_phone(const struct calls *calls, struct slice called)
{
	const struct binding *binding = NULL;
	struct uri uri;

	if (uri_parse(called, &uri) == 0)
		binding = registrar_contact_uri(calls->registrar, &uri);
	return binding ? binding : registrar_lookup(calls->registrar, called, NULL);
}

/* The worker that would know it, when that is another one. */
static bool is_elsewhere(const struct calls *calls, struct slice called, uint8_t *out)
{
	const struct worker *worker = calls->worker;
	struct token token;
	struct uri uri;

	if (worker->count < 2 || uri_parse(called, &uri) != 0 ||
	    registrar_is_local(calls->registrar, called) || find_phone(calls, called))
		return false;
	if (token_read(worker->token_key, TOKEN_CONTACT, uri.user, &token) == 0)
		*out = token.worker;
	else
		*out = shard_of_aor(worker->shard, called);
	return *out != worker->index && *out < worker->count;
}

static void lookup_free(struct refer_lookup *lookup)
{
	buf_free(&lookup->called);
	buf_free(&lookup->replaces);
	buf_free(&lookup->bytes);
	lead_free(&lookup->lead);
	free(lookup);
}

void refer_lookups_free(struct calls *calls)
{
	while (calls->lookups) {
		struct refer_lookup *lookup = calls->lookups;
		calls->lookups = lookup->next;
		lookup_free(lookup);
	}
}

static void on_answer(struct core_command *command, struct core *core)
{
	struct refer_lookup *lookup = container_of(command, struct refer_lookup, command);
	struct calls *calls = core->calls;
	struct refer_lookup **at = &calls->lookups;
	struct call *call = calls_find(calls, lookup->call);

	while (*at && *at != lookup)
		at = &(*at)->next;
	if (*at)
		*at = lookup->next;
	if (call)
		call->is_referring = false;
	if (call && call->state == CALL_UP && !call->lent_to) {
		arena_reset(calls->worker->arena);
		lookup->asked.call = call;
		place_found(&lookup->asked, &lookup->bytes, buf_slice(&lookup->replaces),
			    &lookup->path, &lookup->lead);
	}
	lookup_free(lookup);
}

static void write_lead(const struct binding *binding, struct lead *lead)
{
	const struct slice contact = binding->facts.contact, route = binding->facts.path_set;

	buf_init(&lead->texts);
	buf_add(&lead->texts, contact);
	buf_add(&lead->texts, route);
	lead->is_found = !buf_failed(&lead->texts);
	struct slice texts = buf_slice(&lead->texts);
	lead->binding =
		(struct binding){.path = binding->path,
				 .facts = {.contact = slice_sub(texts, 0, contact.len),
					   .path_set = slice_sub(texts, contact.len, route.len),
					   .is_bulk = binding->facts.is_bulk}};
}

/* In the worker that may know the phone. */
static void on_question(struct core_command *command, struct core *core)
{
	struct refer_lookup *lookup = container_of(command, struct refer_lookup, command);

	arena_reset(core->worker->arena);
	const struct binding *binding = find_phone(core->calls, buf_slice(&lookup->called));
	if (binding)
		write_lead(binding, &lookup->lead);
	lookup->command.run = on_answer;
	if (worker_post(lookup->asker, &lookup->command) != 0)
		log_warn(core->worker->log, "call.transfer_lost", NULL);
}

static uint32_t count(const struct calls *calls)
{
	uint32_t found = 0;
	for (const struct refer_lookup *at = calls->lookups; at; at = at->next)
		found++;
	return found;
}

static bool ask(const struct asked *asked, uint8_t worker, struct slice called,
		const struct buf *bytes, struct slice replaces, const struct transport_path *path)
{
	struct calls *calls = asked->call->calls;
	struct refer_lookup *lookup =
		count(calls) < LOOKUPS_MAX ? calloc(1, sizeof(*lookup)) : NULL;
	if (!lookup)
		return false;

	lookup->command.run = on_question;
	lookup->asker = calls->worker;
	lookup->call = asked->call->number;
	lookup->asked = *asked;
	lookup->path = *path;
	buf_init(&lookup->called);
	buf_init(&lookup->replaces);
	buf_init(&lookup->bytes);
	buf_init(&lookup->lead.texts);
	buf_add(&lookup->called, called);
	buf_add(&lookup->replaces, replaces);
	buf_add(&lookup->bytes, buf_slice(bytes));
	if (buf_failed(&lookup->called) || buf_failed(&lookup->replaces) ||
	    buf_failed(&lookup->bytes) ||
	    worker_post(workers_at(calls->worker->all, worker), &lookup->command) != 0) {
		lookup_free(lookup);
		return false;
	}
	lookup->next = calls->lookups;
	calls->lookups = lookup;
	asked->call->is_referring = true;
	return true;
}

void refer_place(const struct asked *asked, struct buf *bytes, const struct referred *to,
		 const struct transport_path *path)
{
	static const struct config_number_rules none;
	struct call *call = asked->call;
	int peer = call->legs[asked->leg].peer;
	struct lead lead = {0};
	struct buf called;
	uint8_t worker;

	buf_init(&called);
	buf_init(&lead.texts);
	int err = numbers_apply(peer >= 0 ? &call_policies(call, peer)->peers[peer].numbers.in
					  : &none,
				buf_slice(&to->target), &called);
	if (err || !is_elsewhere(call->calls, buf_slice(&called), &worker) ||
	    !ask(asked, worker, buf_slice(&called), bytes, buf_slice(&to->replaces), path))
		place_found(asked, bytes, buf_slice(&to->replaces), path, &lead);
	buf_free(&called);
	lead_free(&lead);
}
