/* cdr.c - what is left of a call: one line in the log, one in the file of call detail records, and
 * for those that failed a look back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include <stdio.h>
#include <time.h>
#include "sbc/cdr/cdr_file.h"
#include "sbc/route/shared.h"

static const char *ended_by_text(const struct call *call)
{
	if (call->ended_by < 0)
		return "sbc";
	return call->ended_by == CALLER ? "caller" : "callee";
}

static void side_text(const struct call *call, uint8_t index, char *out, size_t size)
{
	const struct config *config = call->calls->worker->config;
	const struct leg *leg = &call->legs[index];
	char addr[ADDR_TEXT_SIZE];

	snprintf(out, size, "%s/%s/%s", config->interfaces[leg->interface].name,
		 leg->peer >= 0 ? config->peers[leg->peer].name : "phone",
		 leg->path.remote.family ? addr_text(&leg->path.remote, addr) : "-");
}

void cdr_log(const struct call *call)
{
	uint64_t setup_end = call->answered_ms ? call->answered_ms : call->ended_ms;
	char caller[160], callee[160];

	side_text(call, CALLER, caller, sizeof(caller));
	side_text(call, CALLEE, callee, sizeof(callee));
	log_info(call->calls->worker->log, "call.ended",
		 "call=%.*s cause=\"%s\" status=%u by=%s setup_ms=%llu talk_ms=%llu caller=%.*s "
		 "callee=%.*s a=%s a_call_id=%.*s b=%s route=%s protected=%d",
		 TOKEN_LENGTH, call->id, call_cause_text(call->cause), call->status,
		 ended_by_text(call), (unsigned long long)(setup_end - call->created_ms),
		 (unsigned long long)(call->answered_ms ? call->ended_ms - call->answered_ms : 0),
		 SLICE_ARG(call->caller), SLICE_ARG(call->callee), caller,
		 SLICE_ARG(call->legs[CALLER].dialog.call_id), callee,
		 call->route ? call->route->name : "-", call->is_protected);
}

/* --- the line of cdr.path: JSON (RFC 8259) ------------------------------------------------------
 */

/* Length of the UTF-8 character at the beginning; 0 = it is none (RFC 3629 4). */
static size_t utf8_length(struct slice text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)text.data;
	size_t length = at[0] < 0x80             ? 1
			: (at[0] & 0xe0) == 0xc0 ? 2
			: (at[0] & 0xf0) == 0xe0 ? 3
			: (at[0] & 0xf8) == 0xf0 ? 4
						 : 0;
	uint32_t code = length < 2 ? at[0] : at[0] & (0x7fu >> length);

	if (length == 0 || length > text.len)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)
		       ? 0
		       : length;
}

static void add_json_text(struct buf *out, const char *key, struct slice text)
{
	buf_printf(out, ",\"%s\":\"", key);
	while (text.len) {
		size_t length = utf8_length(text);
		unsigned char c = (unsigned char)text.data[0];
		if (length == 0)
			buf_add_text(out, "\\ufffd");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else {
			if (c == '"' || c == '\\')
				buf_add_char(out, '\\');
			buf_add(out, slice_sub(text, 0, length));
		}
		text = slice_sub(text, length ? length : 1, text.len);
	}
	buf_add_char(out, '"');
}

static void add_json_number(struct buf *out, const char *key, uint64_t value)
{
	buf_printf(out, ",\"%s\":", key);
	buf_add_u64(out, value);
}

/* RFC 3339, UTC; nothing for what did not happen. */
static void add_json_time(struct buf *out, const struct call *call, const char *key, uint64_t at_ms)
{
	uint64_t unix_ms = at_ms + call->calls->unix_offset_ms;
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (!at_ms || !gmtime_r(&seconds, &tm))
		return;
	buf_printf(out, ",\"%s\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\"", key, tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		   (unsigned int)(unix_ms % 1000));
}

static void add_json_side(struct buf *out, const struct call *call, uint8_t index, const char *key)
{
	const struct config *config = call->calls->worker->config;
	const struct leg *leg = &call->legs[index];
	char addr[ADDR_TEXT_SIZE];

	buf_printf(out, ",\"%s\":{\"transport\":\"%s\"", key,
		   sip_transport_name((enum sip_transport)leg->path.transport));
	add_json_text(out, "interface", slice_from(config->interfaces[leg->interface].name));
	if (leg->peer >= 0)
		add_json_text(out, "peer", slice_from(config->peers[leg->peer].name));
	if (leg->path.remote.family)
		add_json_text(out, "address", slice_from(addr_text(&leg->path.remote, addr)));
	add_json_text(out, "call_id", leg->dialog.call_id);
	buf_add_char(out, '}');
}

uint64_t cdr_write(const struct call *call)
{
	const struct worker *worker = call->calls->worker;
	const struct shared *shared = worker->shared;
	uint64_t setup_end = call->answered_ms ? call->answered_ms : call->ended_ms;
	uint64_t ticket = 0;
	struct buf line;

	if (!shared || !shared->cdr)
		return 0;
	buf_init(&line);
	buf_printf(&line, "{\"call\":\"%.*s\"", TOKEN_LENGTH, call->id);
	add_json_text(&line, "node", slice_from(worker->config->node));
	add_json_time(&line, call, "created", call->created_ms);
	add_json_time(&line, call, "answered", call->answered_ms);
	add_json_time(&line, call, "ended", call->ended_ms);
	add_json_number(&line, "setup_ms", setup_end - call->created_ms);
	add_json_number(&line, "talk_ms",
			call->answered_ms ? call->ended_ms - call->answered_ms : 0);
	add_json_text(&line, "cause", slice_from(call_cause_text(call->cause)));
	add_json_number(&line, "status", call->status);
	add_json_text(&line, "ended_by", slice_from(ended_by_text(call)));
	add_json_text(&line, "caller", call->caller);
	add_json_text(&line, "callee", call->callee);
	if (call->route)
		add_json_text(&line, "route", slice_from(call->route->name));
	buf_printf(&line, ",\"emergency\":%s,\"protected\":%s",
		   call->is_emergency ? "true" : "false", call->is_protected ? "true" : "false");
	add_json_side(&line, call, CALLER, "from");
	add_json_side(&line, call, CALLEE, "to");
	buf_add_char(&line, '}');
	if (buf_failed(&line))
		log_error(worker->log, "cdr.no_memory", "call=%.*s", TOKEN_LENGTH, call->id);
	else
		ticket = cdr_file_write(shared->cdr, buf_slice(&line));
	buf_free(&line);
	return ticket;
}

void recent_keep(struct call *call)
{
	struct calls *calls = call->calls;
	struct recent *recent = &calls->recent[calls->recent_count++ % RECENT_MAX];

	memcpy(recent->id, call->id, TOKEN_LENGTH);
	recent->cause = call->cause;
	recent->status = call->status;
	recent->created_ms = call->created_ms;
	recent->ended_ms = call->ended_ms;
	slice_copy(call->caller, recent->caller, sizeof(recent->caller));
	slice_copy(call->callee, recent->callee, sizeof(recent->callee));
	for (uint8_t leg = 0; leg < LEGS; leg++)
		recent->interfaces[leg] = call->legs[leg].interface;
	recent->ladder = call->ladder;
}
