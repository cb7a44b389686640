/* refer.c - REFER in a call: refused, or passed on with what it names as the other side knows it;
 * and what is told about it afterwards.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/refer.h"
#include "sbc/call/early.h"
#include "sbc/call/inside.h"
#include "sbc/call/verbs.h"
#include "sbc/route/route.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/hosts.h"

/* --- header fields in a URI (RFC 3261 19.1.1): name=value&name=value, escaped --- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: something in it that no header may hold. */
static bool unescape(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '%') {
			if (i + 2 >= text.len || hex(text.data[i + 1]) < 0 ||
			    hex(text.data[i + 2]) < 0)
				return false;
			c = (char)(hex(text.data[i + 1]) << 4 | hex(text.data[i + 2]));
			i += 2;
		}
		if ((unsigned char)c < ' ' || c == 127)
			return false;
		buf_add_char(out, c);
	}
	return true;
}

static void escape(struct slice text, struct buf *out)
{
	static const char plain[] = "-_.!~*'()[]/?:+$";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
				(c >= 'A' && c <= 'Z') || (c && strchr(plain, c));
		if (is_plain)
			buf_add_char(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned int)(unsigned char)c);
	}
}

/* --- Replaces --- */

/* The dialog as the other side knows it. `target` may be NULL. */
static int map_replaces(const struct calls *calls, const struct crossing *crossing,
			struct slice text, struct buf *out, struct buf *target)
{
	bool outwards = crossing->from_trusted && !crossing->to_trusted;
	struct replaces names;
	struct renamed renamed = {0};
	struct buf concealed;
	uint8_t worker;

	int err = replaces_read(text, &names);
	if (err)
		return err;
	err = refer_answered(calls, &names, &renamed);
	if (err == -ERR_NOT_FOUND)
		err = refer_rename(calls, &names, &renamed, &worker);
	if (err == -ERR_NO_MEMORY)
		return err;
	buf_init(&concealed);
	if (!err) {
		names = renamed.replaces;
		if (target)
			buf_add(target, renamed.target);
	} else if (outwards && !refer_is_ours(calls, &names)) {
		conceal(calls->conceal, names.call_id, &concealed);
		names.call_id = buf_slice(&concealed);
	}
	if (buf_failed(&concealed))
		out->failed = true;
	replaces_write(&names, out);
	buf_free(&concealed);
	renamed_free(&renamed);
	return 0;
}

void refer_write_replaces(const struct call *call, uint8_t from, const struct message *invite,
			  struct buf *out)
{
	struct crossing crossing = leg_crossing(call, from, false);
	struct slice value;
	struct buf mapped;

	if (!message_header(invite, SLICE("Replaces"), &value))
		return;
	buf_init(&mapped);
	if (map_replaces(call->calls, &crossing, value, &mapped, NULL) == 0)
		builder_header_text(out, SLICE("Replaces"), buf_slice(&mapped));
	if (buf_failed(&mapped))
		out->failed = true;
	buf_free(&mapped);
}

/* --- Refer-To --- */

bool refer_find_replaces(struct slice fields, struct buf *out)
{
	if (slice_starts(fields, SLICE("?")))
		fields = slice_sub(fields, 1, fields.len);
	while (fields.len > 0) {
		struct slice pair = slice_cut(&fields, '&');
		struct slice name = slice_cut(&pair, '=');
		if (slice_equal_nocase(name, SLICE("Replaces")))
			return unescape(pair, out) && !buf_failed(out);
	}
	return false;
}

static void add_field(struct buf *fields, struct slice name, struct slice value)
{
	buf_add_char(fields, fields->len > 0 ? '&' : '?');
	escape(name, fields);
	buf_add_char(fields, '=');
	escape(value, fields);
}

/* What the URI wants in the INVITE to come: Replaces by its other names, and what may cross. */
static int map_fields(const struct calls *calls, const struct crossing *crossing,
		      struct slice headers, struct buf *fields, struct buf *target)
{
	while (headers.len > 0) {
		struct slice pair = slice_cut(&headers, '&');
		struct slice name = slice_cut(&pair, '=');
		struct buf value, mapped;
		int err = 0;
		buf_init(&value);
		buf_init(&mapped);
		if (!unescape(pair, &value))
			err = -ERR_MALFORMED;
		else if (slice_equal_nocase(name, SLICE("Replaces")))
			err = map_replaces(calls, crossing, buf_slice(&value), &mapped, target);
		else if (slice_equal_nocase(name, SLICE("Require")) ||
			 policy_header_rule(name) == RULE_END_TO_END)
			buf_add(&mapped, buf_slice(&value));
		if (!err && mapped.len > 0)
			add_field(fields, name, buf_slice(&mapped));
		if (buf_failed(&value) || buf_failed(&mapped))
			fields->failed = true;
		buf_free(&value);
		buf_free(&mapped);
		if (err)
			return err;
	}
	return 0;
}

/* Who is meant: by his own name when the URI is a Contact of ours. */
static void write_meant(const struct calls *calls, const struct uri *uri, const struct buf *known,
			struct buf *out)
{
	uint8_t worker;

	if (refer_contact(calls, uri->user, out, &worker) == 0)
		return;
	if (refer_answered_contact(calls, uri->user).len > 0)
		buf_add(out, refer_answered_contact(calls, uri->user));
	else if (known->len > 0 && refer_is_contact(calls, uri->user))
		buf_add(out, buf_slice(known));
	else
		buf_add(out, slice_sub(uri->raw, 0, slice_find(uri->raw, '?')));
}

static void map_target(const struct calls *calls, const struct crossing *crossing,
		       const struct uri *uri, const struct buf *known, struct buf *out)
{
	struct buf meant;

	buf_init(&meant);
	write_meant(calls, uri, known, &meant);
	if (!hosts_map(&crossing->way, buf_slice(&meant), out))
		buf_add(out, buf_slice(&meant));
	if (buf_failed(&meant))
		out->failed = true;
	buf_free(&meant);
}

int refer_map_to(const struct calls *calls, const struct crossing *crossing, struct slice value,
		 struct buf *out)
{
	struct name_addr address;
	struct uri uri;
	struct slice method;
	struct buf fields, target;

	if (name_addr_parse(value, &address) != 0 || uri_parse(address.uri, &uri) != 0)
		return -ERR_MALFORMED;
	buf_init(&fields);
	buf_init(&target);
	struct slice headers = uri.headers;
	if (slice_starts(headers, SLICE("?")))
		headers = slice_sub(headers, 1, headers.len);
	int err = map_fields(calls, crossing, headers, &fields, &target);
	if (!err) {
		buf_add_char(out, '<');
		map_target(calls, crossing, &uri, &target, out);
		/* Kept by hosts_map() in a URI that needs no change, and dropped in one that does.
		 */
		if (uri_parameter(&uri, SLICE("method"), &method) && method.len > 0 &&
		    slice_find_slice(buf_slice(out), SLICE(";method=")) == out->len) {
			buf_add_text(out, ";method=");
			buf_add(out, method);
		}
		buf_add(out, buf_slice(&fields));
		buf_add_char(out, '>');
		if (buf_failed(&fields) || buf_failed(&target) || buf_failed(out))
			err = -ERR_NO_MEMORY;
	}
	buf_free(&fields);
	buf_free(&target);
	return err;
}

int refer_resolve(const struct call *call, uint8_t from, struct slice value, struct referred *out)
{
	struct crossing crossing = leg_crossing(call, from, false);
	struct name_addr address;
	struct uri uri;
	struct buf known;

	if (name_addr_parse(value, &address) != 0 || uri_parse(address.uri, &uri) != 0)
		return -ERR_MALFORMED;
	buf_init(&known);
	int err = 0;
	if (refer_find_replaces(uri.headers, &out->replaces))
		err = map_replaces(call->calls, &crossing, buf_slice(&out->replaces), &out->mapped,
				   &known);
	write_meant(call->calls, &uri, &known, &out->target);
	if (!err && (buf_failed(&known) || buf_failed(&out->replaces) || buf_failed(&out->mapped) ||
		     buf_failed(&out->target)))
		err = -ERR_NO_MEMORY;
	buf_free(&known);
	return err;
}

/* --- REFER --- */

/* What nobody outside may dial must not be dialled by a REFER either: the target goes through the
 * routes of whoever sent it. The target of a transfer after a consultation is in a call already. */
static bool may_refer(const struct call *call, uint8_t leg, struct slice value)
{
	struct calls *calls = call->calls;
	struct name_addr address;
	struct uri uri;

	if (call->legs[leg].is_trusted)
		return true;
	if (name_addr_parse(value, &address) != 0 || uri_parse(address.uri, &uri) != 0)
		return false;
	if (refer_is_contact(calls, uri.user))
		return true;
	struct route_query query = {
		.peer = call->legs[leg].peer,
		.number = uri.user,
		.domain = uri.host,
		.is_registered = registrar_lookup(calls->registrar, address.uri, NULL) != NULL,
		.now = (time_t)((call_now(call) + calls->unix_offset_ms) / 1000),
	};
	return route_find(calls->worker->config, &query) != NULL;
}

static void remember(struct call *call, uint8_t leg, uint32_t in, uint32_t out)
{
	call->refers[call->refer_count++ % REFERS_MAX] =
		(struct refer_id){.from = leg, .in = in, .out = out};
	/* Its NOTIFYs may come to another process. */
	if (call->state == CALL_UP)
		record_keep_soon(call, 0);
}

static void pass(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, struct slice value)
{
	const struct dialog *to = early_dialog(call, early, other_leg(leg));
	struct crossing crossing = leg_crossing(call, leg, false);
	struct buf own, mapped;

	buf_init(&own);
	buf_init(&mapped);
	int err = refer_map_to(call->calls, &crossing, value, &mapped);
	if (!err)
		builder_header(&own, HEADER_REFER_TO, buf_slice(&mapped));
	if (!err && buf_failed(&own))
		err = -ERR_NO_MEMORY;
	if (err) {
		inside_answer(call, leg, handle, err == -ERR_NO_MEMORY ? 500 : 400, SLICE_NONE);
	} else {
		remember(call, leg, message_cseq(request), to->local_cseq + 1);
		inside_pass(call, early, leg, handle, request, METHOD_REFER, buf_slice(&own));
	}
	buf_free(&own);
	buf_free(&mapped);
}

void refer_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path)
{
	struct slice value = message_value(request, HEADER_REFER_TO);
	struct name_addr address;
	struct uri uri;

	if (slice_is_empty(value) || name_addr_parse(value, &address) != 0 ||
	    uri_parse(address.uri, &uri) != 0) {
		inside_answer(call, leg, handle, 400, SLICE_NONE);
	} else if (leg_policy(call, leg)->transfer == CONFIG_TRANSFER_REFUSE) {
		inside_answer(call, leg, handle, 603, SLICE_NONE);
	} else if (leg_policy(call, leg)->transfer == CONFIG_TRANSFER_LOCAL) {
		refer_local(call, early, leg, handle, request, path);
	} else if (!may_refer(call, leg, value)) {
		log_info(call->calls->worker->log, "call.transfer_denied", "call=%.*s target=%.*s",
			 TOKEN_LENGTH, call->id, SLICE_ARG(value));
		inside_answer(call, leg, handle, 403, SLICE_NONE);
	} else if (!early && !call->legs[other_leg(leg)].dialog.is_confirmed) {
		inside_answer(call, leg, handle, 481, SLICE_NONE);
	} else {
		pass(call, early, leg, handle, request, value);
	}
}

/* --- NOTIFY, SUBSCRIBE --- */

/* "refer;id=N" with the CSeq that the REFER has on the other side. */
static void write_event(const struct call *call, uint8_t leg, struct slice event, struct buf *out)
{
	size_t semicolon = slice_find(event, ';');
	struct slice id;
	uint32_t number;

	buf_add_text(out, "Event: ");
	if (!parameter_find(slice_sub(event, semicolon, event.len), SLICE("id"), &id) ||
	    slice_to_u32(id, UINT32_MAX, &number) != 0) {
		buf_add(out, event);
		buf_add_text(out, "\r\n");
		return;
	}
	for (uint8_t i = 0; i < REFERS_MAX && i < call->refer_count; i++) {
		const struct refer_id *refer = &call->refers[i];
		if (refer->from == leg && refer->in == number) {
			number = refer->out;
			break;
		}
		if (refer->from != leg && refer->out == number) {
			number = refer->in;
			break;
		}
	}
	buf_add(out, slice_sub(event, 0, semicolon));
	buf_printf(out, ";id=%u\r\n", number);
}

void refer_event(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path)
{
	struct slice event = message_value(request, HEADER_EVENT);
	struct slice state = message_value(request, HEADER_SUBSCRIPTION_STATE);
	struct buf own;
	(void)path;

	/* Other packages have dialogs of their own (RFC 5057). */
	if (!slice_equal_nocase(slice_trim(slice_sub(event, 0, slice_find(event, ';'))),
				SLICE("refer"))) {
		inside_answer(call, leg, handle, 489, SLICE("Allow-Events: refer\r\n"));
		return;
	}
	if (message_method(request) == METHOD_SUBSCRIBE &&
	    leg_policy(call, leg)->transfer == CONFIG_TRANSFER_LOCAL) {
		refer_local_subscribe(call, leg, handle, request);
		return;
	}
	buf_init(&own);
	write_event(call, leg, event, &own);
	if (state.len > 0)
		builder_header(&own, HEADER_SUBSCRIPTION_STATE, state);
	if (buf_failed(&own))
		inside_answer(call, leg, handle, 500, SLICE_NONE);
	else
		inside_pass(call, early, leg, handle, request, message_method(request),
			    buf_slice(&own));
	buf_free(&own);
}
