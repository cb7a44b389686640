/* cdr.c - what is left of a call: one line in the log, and for those that failed a look back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include <stdio.h>

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
