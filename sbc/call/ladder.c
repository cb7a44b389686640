/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/ladder.h"
#include <stdio.h>

enum { KEPT_FIRST = 16, KEPT_LAST = LADDER_EVENTS - KEPT_FIRST };

static uint32_t slot(uint32_t number)
{
	return number < KEPT_FIRST ? number : KEPT_FIRST + (number - KEPT_FIRST) % KEPT_LAST;
}

void ladder_add(struct ladder *ladder, uint64_t now_ms, const struct ladder_message *message)
{
	struct ladder_event *event = &ladder->events[slot(ladder->seen)];
	char text[LADDER_TEXT];

	ladder->seen++;
	slice_copy(message->text, text, sizeof(text) - 10);
	event->at_ms = now_ms;
	event->leg = message->leg;
	event->sent = message->sent;
	event->code = message->code;
	event->cseq = message->cseq;
	if (message->code)
		snprintf(event->text, sizeof(event->text), "%u %.27s%s", message->code, text,
			 message->has_sdp ? " sdp" : "");
	else
		snprintf(event->text, sizeof(event->text), "%.30s%s", text,
			 message->has_sdp ? " sdp" : "");
}

uint32_t ladder_count(const struct ladder *ladder)
{
	return ladder->seen < LADDER_EVENTS ? ladder->seen : LADDER_EVENTS;
}

uint32_t ladder_lost(const struct ladder *ladder)
{
	return ladder->seen - ladder_count(ladder);
}

const struct ladder_event *ladder_at(const struct ladder *ladder, uint32_t index)
{
	if (index >= ladder_count(ladder))
		return NULL;
	if (index < KEPT_FIRST)
		return &ladder->events[index];
	return &ladder->events[slot(index + ladder_lost(ladder))];
}
