/* consent.c - whether the peer still wants our packets (RFC 7675). A full agent asks; a lite one
 * notes when it is asked, and when a peer that did so regularly stops. The checks keep NAT bindings
 * alive as well. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/agent.h"

/* 0.8 to 1.2 times, RFC 7675 5.1. */
static uint64_t interval_ms(struct ice *ice)
{
	uint16_t any;
	random_fill(ice->config.random, &any, sizeof(any));
	return CONSENT_MS * 8 / 10 + any % (CONSENT_MS * 4 / 10 + 1);
}

void consent_begin(struct ice *ice, struct component *component, uint64_t now_ms)
{
	component->consent_ms = now_ms;
	component->has_consent_id = false;
	component->peer_consents = false;
	component->next_consent_ms = now_ms + interval_ms(ice);
}

bool consent_response(struct ice *ice, unsigned number, const struct addr *from,
		      const struct stun_message *message, uint64_t now_ms)
{
	struct component *at = component_of(ice, number);

	if (!at->has_consent_id || memcmp(at->consent_id, message->id, STUN_ID) != 0)
		return false;
	if (message->class == STUN_SUCCESS && at->selected &&
	    addr_equal(from, &at->selected->remote.addr))
		at->consent_ms = now_ms;
	return true;
}

/* It ended: the pair is no more, and a later check of the peer may bring another. */
static void lose(struct ice *ice, unsigned number)
{
	struct component *at = component_of(ice, number);

	at->selected->state = PAIR_FAILED;
	at->selected->use_candidate = false;
	at->selected = NULL;
	at->has_failed = true;
	ice->config.events->lost(ice->config.owner, number);
}

uint64_t consent_check(struct ice *ice, unsigned number, uint64_t now_ms)
{
	struct component *at = component_of(ice, number);

	if (!at->selected || (ice->config.is_lite && !at->peer_consents))
		return UINT64_MAX;
	if (now_ms >= at->consent_ms + CONSENT_END_MS) {
		lose(ice, number);
		return UINT64_MAX;
	}
	if (ice->config.is_lite)
		return at->consent_ms + CONSENT_END_MS;
	if (now_ms >= at->next_consent_ms) {
		check_new_id(ice, at->consent_id);
		at->has_consent_id = true;
		at->next_consent_ms = now_ms + interval_ms(ice);
		(void)check_send(ice, at->selected, at->consent_id, false);
	}
	return at->next_consent_ms < at->consent_ms + CONSENT_END_MS
		       ? at->next_consent_ms
		       : at->consent_ms + CONSENT_END_MS;
}
