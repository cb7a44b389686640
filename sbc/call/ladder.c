/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/ladder.h"
#include <stdio.h>
#include "sbc/message/method.h"

enum { KEPT_FIRST = 16, KEPT_LAST = LADDER_EVENTS - KEPT_FIRST };

static uint32_t slot(uint32_t number)
{
	return number < KEPT_FIRST ? number : KEPT_FIRST + (number - KEPT_FIRST) % KEPT_LAST;
}

void ladder_add(struct ladder *ladder, uint64_t now_ms, const struct ladder_message *message)
{
	if (ladder->seen == 0)
		ladder->first_ms = now_ms;
	uint64_t after_ms = now_ms - ladder->first_ms;
	ladder->notes[slot(ladder->seen++)] = (struct ladder_note){
		.after_ms = after_ms < UINT32_MAX ? (uint32_t)after_ms : UINT32_MAX,
		.cseq = message->cseq,
		.code = message->code,
		.method = (uint8_t)method_parse(message->method),
		.is_callee = message->leg != 0,
		.sent = message->sent,
		.has_sdp = message->has_sdp,
	};
}

uint32_t ladder_count(const struct ladder *ladder)
{
	return ladder->seen < LADDER_EVENTS ? ladder->seen : LADDER_EVENTS;
}

uint32_t ladder_lost(const struct ladder *ladder)
{
	return ladder->seen - ladder_count(ladder);
}

bool ladder_at(const struct ladder *ladder, uint32_t index, struct ladder_event *out)
{
	if (index >= ladder_count(ladder))
		return false;
	uint32_t number = index < KEPT_FIRST ? index : index + ladder_lost(ladder);
	const struct ladder_note *note = &ladder->notes[slot(number)];
	const char *sdp = note->has_sdp ? " sdp" : "";

	*out = (struct ladder_event){
		.at_ms = ladder->first_ms + note->after_ms,
		.leg = note->is_callee,
		.sent = note->sent,
		.code = note->code,
		.cseq = note->cseq,
	};
	if (note->code)
		snprintf(out->text, sizeof(out->text), "%u %.27s%s", note->code,
			 status_text(note->code), sdp);
	else if (note->method == METHOD_UNKNOWN)
		snprintf(out->text, sizeof(out->text), "another request%s", sdp);
	else
		snprintf(out->text, sizeof(out->text), "%.*s%s",
			 SLICE_ARG(method_text((enum method)note->method)), sdp);
	return true;
}
