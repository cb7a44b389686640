/* transfer_keep.c - a transfer that its process did not live to finish: what the store has of it,
 * and its end in the next process. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "control/state/record.h"
#include "sbc/call/transfer.h"
#include "sbc/call/verbs.h"

/* Descriptions that its peer may have been offered in the transfer's call meanwhile. */
enum { VERSIONS_OUT = 16 };

static const struct loan *loan_of(const struct call *lender, const struct transfer **out)
{
	const struct call *made =
		lender->lent_to ? calls_find(lender->calls, lender->lent_to) : NULL;
	const struct transfer *transfer = made ? made->transfer : NULL;

	for (uint8_t leg = 0; transfer && leg < LEGS; leg++) {
		if (transfer->loans[leg].call != lender->number)
			continue;
		*out = transfer;
		return &transfer->loans[leg];
	}
	return NULL;
}

bool transfer_has_leg_of(const struct call *lender)
{
	const struct transfer *transfer;
	const struct loan *loan = loan_of(lender, &transfer);

	return loan && loan->is_taken;
}

int transfer_fill(struct arena *arena, const struct call *call, struct call_record *record)
{
	const struct transfer *transfer = NULL;
	const struct loan *loan = loan_of(call, &transfer);

	if (!loan)
		return 0;
	uint8_t asked = other_leg(loan->leg);
	bool is_asked = transfer->referrer == call->number && !transfer->is_quiet;
	record->transfer = slice_from(arena_printf(arena, "%u %u %u %u", asked, transfer->event_id,
						   !is_asked, call->away >> asked & 1));
	return record->transfer.data ? 0 : -ERR_NO_MEMORY;
}

void transfer_resume(struct call *call, struct slice text)
{
	unsigned int asked, event_id, is_quiet, is_gone;
	char words[40];

	slice_copy(text, words, sizeof(words));
	if (sscanf(words, "%1u %10u %1u %1u", &asked, &event_id, &is_quiet, &is_gone) != 4 ||
	    asked >= LEGS)
		return;
	log_info(call->calls->worker->log, "call.transfer_lost", "call=%.*s", TOKEN_LENGTH,
		 call->id);
	if (is_gone) {
		call->legs[asked].dialog.is_confirmed = false;
		call_end(call, CALL_HUNG_UP, 0, -1, SLICE_NONE);
		return;
	}
	uint8_t other = other_leg((uint8_t)asked);
	if (!is_quiet)
		refer_notify_call(call, (uint8_t)asked, event_id, 503);
	call->legs[other].origin.version += VERSIONS_OUT;
	call->legs[other].origin.hash = 0;
	transfer_tell_again(call, other);
	record_keep_soon(call, 0);
}
