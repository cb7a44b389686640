/* refer_local.c - REFER that ends here (RFC 3515, transfer: local): 202, a call to whom it names on
 * behalf of the side that remains, and NOTIFY of how that goes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/credentials.h"
#include "sbc/call/transfer.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/hosts.h"

enum { EXPIRES_S = 180 };

/* --- NOTIFY --- */

static void on_notified(struct calls *calls, uint64_t context, const struct message *response)
{
	struct call *call = calls_find(calls, context >> 8);

	if (!call)
		return;
	if (response)
		call_note(call, (uint8_t)(context & 0xff), false, response);
	call->pending--;
	call_release_if_done(call);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	(void)handle, (void)path;
	if (message_status(response) >= 200)
		on_notified(owner, context, response);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	(void)handle, (void)err;
	on_notified(owner, context, NULL);
}

static const struct client_handlers handlers = {on_response, on_failure};

void refer_notify_call(struct call *call, uint8_t index, uint32_t event_id, unsigned int status)
{
	struct leg *leg = &call->legs[index];
	bool is_over = status == 0 || status >= 200;
	struct client_request out = {
		.handlers = &handlers, .owner = call->calls, .context = call->number << 8 | index};
	struct transaction_handle client;
	struct buf own, bytes, fragment;

	if (!leg->dialog.is_confirmed)
		return;
	buf_init(&own);
	buf_init(&bytes);
	buf_init(&fragment);
	leg_write_contact(call, index, &own);
	buf_add_text(&own, "Event: refer");
	if (event_id)
		buf_printf(&own, ";id=%u", event_id);
	if (is_over)
		buf_add_text(&own, "\r\nSubscription-State: terminated;reason=noresource\r\n");
	else
		buf_printf(&own, "\r\nSubscription-State: active;expires=%d\r\n", EXPIRES_S);
	if (status)
		builder_status_line(&fragment, status, SLICE_NONE);
	struct leg_request request = {.method = SLICE("NOTIFY"),
				      .cseq = ++leg->dialog.local_cseq,
				      .max_forwards = 70,
				      .own = buf_slice(&own),
				      .content_type = SLICE("message/sipfrag;version=2.0"),
				      .body = buf_slice(&fragment)};
	leg_way(call, index, &leg->dialog, &out.path, &out.hop);
	int err = buf_failed(&own) || buf_failed(&fragment)
			  ? -ERR_NO_MEMORY
			  : leg_write(call, index, &leg->dialog, &request, &bytes);
	out.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(call->calls->worker->transactions, &out, &client);
	if (!err) {
		call->pending++;
		call_note_sent(call, index, request.method, 0, request.cseq, false);
		record_reserve(call);
	}
	buf_free(&own);
	buf_free(&bytes);
	buf_free(&fragment);
}

void refer_notify(struct transfer *transfer, unsigned int status)
{
	struct call *call = calls_find(transfer->call->calls, transfer->referrer);

	if (!call || call->state == CALL_ENDING || transfer->is_quiet || transfer->told == status ||
	    transfer->told >= 200)
		return;
	transfer->told = status;
	refer_notify_call(call, transfer->referrer_leg, transfer->event_id, status);
}

void refer_local_subscribe(struct call *call, uint8_t leg, struct transaction_handle handle,
			   const struct message *request)
{
	const struct call *made = call->lent_to ? calls_find(call->calls, call->lent_to) : NULL;
	const struct transfer *transfer = made ? made->transfer : NULL;
	uint32_t asked = EXPIRES_S;
	struct buf lines;

	if (!transfer || transfer->referrer != call->number || transfer->referrer_leg != leg) {
		inside_answer(call, leg, handle, 481, SLICE_NONE);
		return;
	}
	if (slice_to_u32(slice_trim(message_value(request, HEADER_EXPIRES)), UINT32_MAX, &asked) !=
		    0 ||
	    asked > EXPIRES_S)
		asked = EXPIRES_S;
	made->transfer->is_quiet = asked == 0;
	buf_init(&lines);
	leg_write_contact(call, leg, &lines);
	buf_printf(&lines, "Expires: %u\r\n", asked);
	inside_answer(call, leg, handle, 200, buf_failed(&lines) ? SLICE_NONE : buf_slice(&lines));
	buf_free(&lines);
	refer_notify_call(call, leg, transfer->event_id, asked ? transfer->told : 0);
}

/* --- the INVITE that it stands for --- */

/* As the side that remains would have sent it. */
static void write_invite(const struct call *call, uint8_t leg, const struct message *refer,
			 const struct referred *to, struct buf *out)
{
	const struct worker *worker = call->calls->worker;
	const struct dialog *remains = &call->legs[other_leg(leg)].dialog;
	struct crossing crossing = leg_crossing(call, leg, false);
	struct slice by = message_value(refer, HEADER_REFERRED_BY);
	struct name_addr address;
	char text[32], branch[TOKEN_LENGTH + 7] = "z9hG4bK";
	struct buf mapped;

	random_text(worker->random, text, sizeof(text));
	random_text(worker->random, branch + 7, TOKEN_LENGTH);
	builder_request_line(out, SLICE("INVITE"), buf_slice(&to->target));
	builder_via(out, SLICE("UDP"), SLICE("transfer.invalid"),
		    (struct slice){branch, sizeof(branch)}, false);
	builder_header_number(
		out, HEADER_MAX_FORWARDS,
		message_max_forwards(refer) < 0 ? 70 : (uint64_t)message_max_forwards(refer));
	builder_address(out, HEADER_FROM, remains->remote_display, remains->remote_uri,
			(struct slice){text, 16}, SLICE_NONE);
	builder_address(out, HEADER_TO, SLICE_NONE, buf_slice(&to->target), SLICE_NONE, SLICE_NONE);
	builder_header(out, HEADER_CALL_ID, (struct slice){text + 16, 16});
	builder_cseq(out, 1, SLICE("INVITE"));
	builder_address(out, HEADER_CONTACT, SLICE_NONE, remains->remote_target, SLICE_NONE,
			SLICE_NONE);
	buf_init(&mapped);
	if (name_addr_parse(by, &address) != 0)
		address.uri = call->legs[leg].dialog.remote_uri;
	if (!hosts_map(&crossing.way, address.uri, &mapped))
		buf_add(&mapped, address.uri);
	builder_address(out, HEADER_REFERRED_BY, SLICE_NONE, buf_slice(&mapped), SLICE_NONE,
			SLICE_NONE);
	if (buf_failed(&mapped))
		out->failed = true;
	buf_free(&mapped);
	if (to->mapped.len > 0) {
		builder_header_text(out, SLICE("Replaces"), buf_slice(&to->mapped));
		builder_header(out, HEADER_REQUIRE, SLICE("replaces"));
	}
	builder_body(out, SLICE_NONE, SLICE_NONE);
}

static void begin(const struct asked *asked, struct transaction_handle handle,
		  const struct message *refer, const struct transport_path *path,
		  const struct referred *to)
{
	struct call *call = asked->call;
	struct buf bytes, lines;

	buf_init(&bytes);
	buf_init(&lines);
	write_invite(call, asked->leg, refer, to, &bytes);
	leg_write_contact(call, asked->leg, &lines);
	if (asked->is_quiet)
		buf_add_text(&lines, "Refer-Sub: false\r\n");
	if (buf_failed(&bytes) || buf_failed(&lines)) {
		inside_answer(call, asked->leg, handle, 400, SLICE_NONE);
	} else {
		inside_answer(call, asked->leg, handle, 202, buf_slice(&lines));
		refer_place(asked, &bytes, to, path);
	}
	buf_free(&bytes);
	buf_free(&lines);
}

/* An INVITE is what we can place. */
static bool is_invite(struct slice refer_to)
{
	struct name_addr address;
	struct slice method;
	struct uri uri;

	return name_addr_parse(refer_to, &address) == 0 && uri_parse(address.uri, &uri) == 0 &&
	       (!uri_parameter(&uri, SLICE("method"), &method) || method.len == 0 ||
		slice_equal_nocase(method, SLICE("INVITE")));
}

void refer_local(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path)
{
	struct slice value = message_value(request, HEADER_REFER_TO), sub;
	struct referred to = {0};
	struct asked asked = {.call = call, .leg = leg};

	asked.is_quiet = message_header(request, SLICE("Refer-Sub"), &sub) &&
			 slice_equal_nocase(slice_trim(sub), SLICE("false"));
	if (!is_invite(value)) {
		inside_answer(call, leg, handle, 603, SLICE_NONE);
		return;
	}
	/* RFC 3261 21.4.27: its INVITE is pending; there is nobody yet whom to join with somebody.
	 */
	if (early || call->state != CALL_UP || call->lent_to || call->transfer ||
	    call->is_referring) {
		inside_answer(call, leg, handle, 491, SLICE_NONE);
		return;
	}
	/* RFC 3515 2.4.6: from the second one on in a dialog. */
	if (call->refer_count > 0)
		asked.event_id = message_cseq(request);
	if (call->refer_count < UINT8_MAX)
		call->refer_count++;
	buf_init(&to.target);
	buf_init(&to.replaces);
	buf_init(&to.mapped);
	int err = refer_resolve(call, leg, value, &to);
	if (err)
		inside_answer(call, leg, handle, err == -ERR_NO_MEMORY ? 500 : 400, SLICE_NONE);
	else
		begin(&asked, handle, request, path, &to);
	buf_free(&to.target);
	buf_free(&to.replaces);
	buf_free(&to.mapped);
}
