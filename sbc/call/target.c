/* target.c - where the first INVITE goes: from one target to the next until one answers, or a
 * person decides (RFC 3261 16.6, 16.7). The targets are found by sbc/route/hunt.c; here leg B is
 * made for each of them anew, from nothing. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/check.h"
#include "sbc/call/fork.h"
#include "sbc/call/verbs.h"
#include "sbc/route/numbers.h"
#include "sbc/route/path.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"
#include "sbc/topology/owned.h"

enum { RETRY_AFTER_MAX_S = 3600, CONTACTS_MAX = 8 };

/* --- one target --- */

static const struct binding *binding_of(const struct call *call, struct slice text)
{
	const struct registrar *registrar = call->calls->registrar;
	const struct binding *binding = NULL;
	struct uri uri;

	if (call->transfer && call->transfer->lead.is_found && slice_equal(text, call->target))
		return &call->transfer->lead.binding;
	if (uri_parse(text, &uri) == 0)
		binding = registrar_contact_uri(registrar, &uri);
	return binding ? binding : registrar_lookup(registrar, text, NULL);
}

/* The phone's own place. -ERR_NOT_FOUND: it is not registered. */
static int aim_at_phone(struct call *call, const struct binding *binding,
			struct hunt_target *target)
{
	struct slice callee = target->uri.len > 0 ? target->uri : call->target;

	if (!binding)
		binding = binding_of(call, callee);
	if (!binding)
		return -ERR_NOT_FOUND;
	target->path = binding->path;
	target->interface = binding->path.interface;
	struct dialog *dialog = &call->legs[CALLEE].dialog;
	struct buf aim;
	buf_init(&aim);
	registrar_target(binding, callee, &aim);
	int err = buf_failed(&aim) ? -ERR_NO_MEMORY
				   : owned_set(&dialog->remote_target, buf_slice(&aim));
	buf_free(&aim);
	return err ? err : dialog_preset_routes(dialog, binding->facts.path_set);
}

const struct message *target_read(struct calls *calls, struct slice invite)
{
	const struct scan_limits limits = {.message_max = SIZE_MAX, .stream = true};
	struct arena *scratch = calls->scratch;
	struct message *message;

	arena_reset(scratch);
	struct scan *scan = arena_alloc(scratch, sizeof(*scan));
	if (!scan ||
	    scan_message((char *)(uintptr_t)invite.data, invite.len, &limits, scan) !=
		    SCAN_ACCEPT ||
	    message_parse(scan, scratch, &message) != 0)
		return NULL;
	return message;
}

static void forget_replies(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	draft_clear(&exchange->draft);
	for (uint8_t i = 0; i < exchange->waiting_count; i++)
		draft_clear(&exchange->waiting[i]);
	exchange->waiting_count = 0;
	exchange->is_asked = false;
	call->media_pending = false;
	call->media_early = 0;
	call->has_provisional = false;
}

/* Leg B on another side, or with somebody else: what crosses is another thing, and the relay has to
 * open ports there. */
static int cross_anew(struct call *call, const struct message *invite, bool *out)
{
	struct slice sdp;

	if (!invite)
		invite = target_read(call->calls, call->invite);
	if (!invite)
		return -ERR_NO_MEMORY;
	int err = exchange_keep_headers(call, invite);
	if (!err)
		err = renumber_lines(&target_numbers(call, call->legs[CALLER].peer)->caller_in,
				     &target_numbers(call, call->legs[CALLEE].peer)->caller_out,
				     &call->exchange.headers);
	if (err)
		return err;
	sdp = parts_sdp(invite);
	forget_replies(call);
	*out = true;
	exchange_start(call, sdp);
	return 0;
}

static int aim(struct call *call, const struct message *invite, const struct binding *contact,
	       struct hunt_target *target, bool *is_sent)
{
	struct leg *leg = &call->legs[CALLEE];
	const struct config *config = call->calls->worker->config;

	int err = target->type == CONFIG_END_PHONES ? aim_at_phone(call, contact, target) : 0;
	if (!err && check_is_secure(call->callee) &&
	    !sip_transport_is_secure((enum sip_transport)target->path.transport))
		err = -ERR_NOT_FOUND;
	if (err)
		return err;
	bool is_other = !call->has_target || leg->interface != target->interface ||
			leg->peer != target->peer;
	leg->interface = target->interface;
	leg->peer = target->peer;
	leg->path = target->path;
	leg->is_trusted = config->interfaces[leg->interface].trusted;
	call->has_target = true;
	err = target_name(call, target);
	if (!err)
		err = target_set_route(call, target);
	return err || !is_other ? err : cross_anew(call, invite, is_sent);
}

int target_aim(struct call *call, const struct message *invite, const struct hunt_target *target,
	       const struct binding *contact)
{
	struct hunt_target copy = *target;
	bool is_sent = false;

	int err = aim(call, invite, contact, &copy, &is_sent);
	if (err == -ERR_NOT_FOUND)
		call->hunt.code = 480;
	return err || is_sent ? err : setup_send(call);
}

/* --- from one to the next --- */

static void stop_patience(struct call *call)
{
	wheel_cancel(call->calls->worker->wheel, &call->patience);
}

int target_go(struct call *call, const struct message *invite)
{
	const struct hunter *hunter = &call->calls->hunter;
	struct hunt_target target;

	stop_patience(call);
	while (true) {
		int err = hunt_next(hunter, &call->hunt, call->target, call->number, &target);
		if (err == -ERR_AGAIN)
			return 0;
		if (err)
			return err;
		if (target.type == CONFIG_END_PHONES && fork_begin(call, invite, &target))
			return 0;
		err = target_aim(call, invite, &target, NULL);
		if (!err || err == -ERR_NO_MEMORY)
			return err;
	}
}

bool target_try_next(struct call *call, const char *why, uint32_t rest_ms)
{
	if (!call->hunt.list || call->exchange.is_cancelled)
		return false;
	if (why)
		hunt_failed(&call->calls->hunter, &call->hunt, why, rest_ms);
	int err = target_go(call, NULL);
	if (err && call->hunt.is_rejected && call->state != CALL_ENDING)
		target_fail(call, err);
	/* It may have ended meanwhile: no relay for another side. */
	return err == 0 || call->state == CALL_ENDING;
}

static void on_hunted(void *owner, uint64_t context, int err)
{
	struct calls *calls = owner;
	struct call *call = calls_find(calls, hunt_number(context));

	if (!call || call->state == CALL_ENDING || !hunt_heard(&call->hunt, context, err))
		return;
	err = target_go(call, NULL);
	if (err && call->state != CALL_ENDING)
		target_fail(call, err);
}

void target_fail(struct call *call, int err)
{
	unsigned int status = err == -ERR_NO_MEMORY ? 500 : call->hunt.code;

	exchange_fail(call, CALL_UNREACHABLE, status,
		      status == 503 ? SLICE("Retry-After: 10\r\n") : SLICE_NONE);
}

void target_init(struct calls *calls)
{
	calls->hunter = (struct hunter){
		.worker = calls->worker, .peers = calls->peers, .fn = on_hunted, .owner = calls};
}

int target_begin(struct call *call, const struct message *request)
{
	const struct config_numbers *in = target_numbers(call, call->legs[CALLER].peer);
	struct buf called;

	buf_init(&called);
	int err = numbers_apply(&in->in, message_request_uri(request), &called);
	if (!err)
		err = owned_set(&call->target, buf_slice(&called));
	buf_free(&called);
	if (!err)
		err = owned_set(&call->invite, message_scan(request)->message);
	if (!err)
		err = owned_set(&call->legs[CALLEE].dialog.call_id,
				(struct slice){call->id, TOKEN_LENGTH});
	return err ? err : hunt_begin(&call->hunt, call->route);
}

void target_answered(struct call *call)
{
	stop_patience(call);
	hunt_worked(&call->calls->hunter, &call->hunt);
	hunt_settle(&call->hunt);
	owned_free(&call->invite);
}

void target_end(struct call *call)
{
	stop_patience(call);
	hunt_end(&call->calls->hunter, &call->hunt);
	owned_free(&call->invite);
}

/* --- time --- */

/* It may be there after all: then it is told that nobody waits, and its 2xx gets ACK and BYE
 * (on_late_answer). */
static void give_up_server(struct call *call)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->client.id == 0)
		return;
	if (transaction_cancel(call->calls->worker->transactions, exchange->client, SLICE_NONE))
		transaction_abandon(call->calls->worker->transactions, exchange->client);
	exchange->client = TRANSACTION_NONE;
	call->pending--;
}

static void on_patience_over(struct timer *timer, uint64_t now_ms)
{
	struct call *call = container_of(timer, struct call, patience);
	(void)now_ms;

	if (call->state != CALL_SETUP || call->exchange.is_cancelled ||
	    !hunt_has_next(&call->calls->hunter, &call->hunt))
		return;
	bool was_heard = call->has_provisional;
	give_up_server(call);
	hunt_failed(&call->calls->hunter, &call->hunt,
		    was_heard ? "no answer in time" : "no answer to INVITE", 0);
	int err = target_go(call, NULL);
	if (err && call->state != CALL_ENDING)
		target_fail(call, err);
}

static void be_patient(struct call *call, uint64_t ms)
{
	wheel_arm(call->calls->worker->wheel, &call->patience, call_now(call) + ms,
		  on_patience_over);
}

void target_sent(struct call *call)
{
	call->sent_ms = call_now(call);
	if (call->hunt.list)
		be_patient(call, hunt_silence_ms(&call->calls->hunter, &call->hunt));
}

void target_heard(struct call *call, unsigned int status)
{
	uint32_t no_answer_ms = hunt_no_answer_ms(&call->calls->hunter, &call->hunt);
	uint64_t spent_ms = call_now(call) - call->sent_ms;

	stop_patience(call);
	if (status == 100 && call->hunt.list && no_answer_ms > spent_ms)
		be_patient(call, no_answer_ms - spent_ms);
}

/* --- final replies --- */

static bool is_registered(void *owner, struct slice uri)
{
	return binding_of(owner, uri) != NULL;
}

static bool follow(struct call *call, const struct message *response)
{
	struct hunt_caller caller = {
		.peer = call->legs[CALLER].peer,
		.now = (time_t)((call_now(call) + call->calls->unix_offset_ms) / 1000),
		.callee = call->target,
		.is_registered = is_registered,
		.owner = call};

	if (leg_policy(call, CALLEE)->redirects != CONFIG_REDIRECTS_FOLLOW ||
	    hunt_redirect(&call->calls->hunter, &call->hunt, response, &caller) != 0)
		return false;
	return target_try_next(call, NULL, 0);
}

static uint32_t retry_after_ms(const struct message *response)
{
	struct slice value;
	uint32_t seconds = 0;

	if (!message_header(response, SLICE("Retry-After"), &value))
		return 0;
	value = slice_trim(value);
	size_t digits = 0;
	while (digits < value.len && value.data[digits] >= '0' && value.data[digits] <= '9')
		digits++;
	if (slice_to_u32(slice_sub(value, 0, digits), UINT32_MAX, &seconds) != 0)
		return 0;
	return (seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * 1000;
}

bool target_refused(struct call *call, const struct message *response)
{
	unsigned int status = message_status(response);

	stop_patience(call);
	if (call->exchange.is_cancelled || !call->hunt.list)
		return false;
	if (status < 400)
		return follow(call, response);
	/* It says of itself that it takes nothing now: others are spared it too. */
	if (status == 503)
		hunt_failed(&call->calls->hunter, &call->hunt, "answers 503",
			    retry_after_ms(response));
	if (!hunt_moves_on(&call->calls->hunter, &call->hunt, status))
		return false;
	return target_try_next(call, NULL, 0);
}

bool target_passes_redirects(const struct call *call)
{
	return leg_policy(call, CALLEE)->redirects == CONFIG_REDIRECTS_PASS;
}

void target_write_contacts(const struct call *call, const struct message *response, struct buf *out)
{
	const struct leg *to = &call->legs[CALLER];
	struct hosts_way way = {.config = call->calls->worker->config, .interface = to->interface};
	struct contact contact;
	struct slice q;
	struct buf uri, parameters;

	for (size_t i = 0; i < CONTACTS_MAX && message_contact(response, i, &contact); i++) {
		struct uri parsed;
		if (contact.star || uri_parse(contact.address.uri, &parsed) != 0)
			continue;
		buf_init(&uri);
		buf_init(&parameters);
		if (parameter_find(contact.address.parameters, SLICE("q"), &q))
			buf_printf(&parameters, ";q=%.*s", SLICE_ARG(q));
		/* What is behind us is called by us. */
		if (to->is_trusted || parsed.scheme == URI_TEL) {
			hosts_write_target(&way, contact.address.uri, &uri);
		} else {
			buf_add_text(&uri, "sip:");
			buf_add(&uri, parsed.user);
			buf_add_char(&uri, '@');
			hosts_write_own(way.config, way.interface, &uri);
		}
		builder_address(out, HEADER_CONTACT, SLICE_NONE, buf_slice(&uri), SLICE_NONE,
				buf_slice(&parameters));
		out->failed = out->failed || buf_failed(&uri) || buf_failed(&parameters);
		buf_free(&uri);
		buf_free(&parameters);
	}
}
