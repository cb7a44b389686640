/* checks.c - connectivity checks of a full agent (RFC 8445 6.1.4, 7.2) and its nomination (8.1.1).
 * All pairs begin waiting: with one local candidate there are few, and nothing is gained by
 * freezing some. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/agent.h"

#include <stdio.h>

void check_new_id(struct ice *ice, uint8_t id[STUN_ID])
{
	memcpy(id, ice->config.mark, sizeof(ice->config.mark));
	random_fill(ice->config.random, id + sizeof(ice->config.mark),
		    STUN_ID - sizeof(ice->config.mark));
}

bool check_send(struct ice *ice, const struct pair *pair, const uint8_t *id, bool use_candidate)
{
	struct stun_writer writer;
	char username[2 * ICE_TEXT_MAX + 2];
	unsigned component = pair->remote.component;
	int len = snprintf(username, sizeof(username), "%s:%s", ice->remote_ufrag, ice->ufrag);

	stun_begin(&writer, STUN_REQUEST, id);
	stun_add_username(&writer, (struct slice){username, (size_t)len});
	/* that of a peer-reflexive candidate, RFC 8445 7.1.1 */
	stun_add_priority(&writer,
			  ice_priority(ICE_PRFLX, ice_preference(ice, pair->remote.addr.family),
				       (uint8_t)component));
	stun_add_role(&writer, ice->config.is_controlling ? STUN_CONTROLLING : STUN_CONTROLLED,
		      ice->tie_breaker);
	if (use_candidate)
		stun_add_use_candidate(&writer);
	if (stun_end(&writer, slice_from(ice->remote_pwd)) != 0)
		return false;
	ice->config.events->send(ice->config.owner, component, &pair->remote.addr, writer.data,
				 writer.len);
	return true;
}

/* RFC 8489 6.2.1: 500 ms, doubled each time. */
static void transmit(struct ice *ice, struct pair *pair, uint64_t now_ms)
{
	pair->due_ms = now_ms + ((uint64_t)RTO_MS << pair->tries);
	pair->tries++;
	if (!check_send(ice, pair, pair->id, pair->is_nominating))
		pair->tries = CHECK_TRIES;
}

static void start(struct ice *ice, struct pair *pair, bool nominate, uint64_t now_ms)
{
	pair->is_triggered = false;
	pair->is_nominating = nominate;
	pair->state = PAIR_IN_PROGRESS;
	pair->has_transaction = true;
	pair->tries = 0;
	check_new_id(ice, pair->id);
	transmit(ice, pair, now_ms);
}

static void fail(struct pair *pair)
{
	pair->state = PAIR_FAILED;
	pair->has_transaction = false;
	pair->is_nominating = false;
}

/* What is under way: again, or given up. Returns when the next one is due. */
static uint64_t retransmit(struct ice *ice, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;

	for (unsigned i = 0; i < ice->pair_count; i++) {
		struct pair *pair = ice->pairs[i];
		if (!pair->has_transaction)
			continue;
		if (pair->due_ms <= now_ms) {
			if (pair->tries < CHECK_TRIES)
				transmit(ice, pair, now_ms);
			else
				fail(pair);
		}
		if (pair->has_transaction && pair->due_ms < next_ms)
			next_ms = pair->due_ms;
	}
	return next_ms;
}

static struct pair *best(struct ice *ice, unsigned component, enum pair_state state)
{
	struct pair *found = NULL;

	for (unsigned i = 0; i < ice->pair_count; i++) {
		struct pair *pair = ice->pairs[i];
		if ((component && pair->remote.component != component) || pair->state != state)
			continue;
		if (!found || pair_priority(ice, pair) > pair_priority(ice, found))
			found = pair;
	}
	return found;
}

/* RFC 8445 6.1.4.2: what the peer asks for first, then the best that waits. */
static struct pair *next_check(struct ice *ice)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		if (ice->pairs[i]->is_triggered)
			return ice->pairs[i];
	}
	return best(ice, 0, PAIR_WAITING);
}

/* A better pair than the best that works may still come through, for a while. */
static bool may_improve(struct ice *ice, const struct pair *pair)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		const struct pair *other = ice->pairs[i];
		if (other->remote.component == pair->remote.component &&
		    (other->state == PAIR_WAITING || other->state == PAIR_IN_PROGRESS) &&
		    pair_priority(ice, other) > pair_priority(ice, pair))
			return true;
	}
	return false;
}

static bool is_nominating(const struct ice *ice, unsigned component)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		if (ice->pairs[i]->remote.component == component && ice->pairs[i]->is_nominating)
			return true;
	}
	return false;
}

/* Returns when to look again. */
static uint64_t nominate(struct ice *ice, unsigned number, uint64_t now_ms)
{
	struct component *at = component_of(ice, number);
	struct pair *pair = best(ice, number, PAIR_SUCCEEDED);

	if (!ice->config.is_controlling || at->selected || !pair || is_nominating(ice, number))
		return UINT64_MAX;
	if (may_improve(ice, pair) && now_ms < at->valid_ms + NOMINATE_MS)
		return at->valid_ms + NOMINATE_MS;
	start(ice, pair, true, now_ms);
	return pair->due_ms;
}

static bool is_hopeless(const struct ice *ice, unsigned number)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		const struct pair *pair = ice->pairs[i];
		if (pair->remote.component == number && pair->state != PAIR_FAILED)
			return false;
	}
	return ice->is_ended;
}

/* Returns when to look again. */
static uint64_t look_for_failure(struct ice *ice, unsigned number, uint64_t now_ms)
{
	struct component *at = component_of(ice, number);

	if (at->selected || at->has_failed)
		return UINT64_MAX;
	if (!is_hopeless(ice, number) && now_ms < ice->started_ms + ICE_PATIENCE_MS)
		return ice->started_ms + ICE_PATIENCE_MS;
	at->has_failed = true;
	ice->config.events->failed(ice->config.owner, number);
	return UINT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t run_checks(struct ice *ice, uint64_t now_ms)
{
	uint64_t next_ms = retransmit(ice, now_ms);
	struct pair *pair = next_check(ice);

	if (pair && now_ms >= ice->next_check_ms) {
		start(ice, pair, false, now_ms);
		ice->next_check_ms = now_ms + TA_MS;
		next_ms = earlier(next_ms, pair->due_ms);
		pair = next_check(ice);
	}
	if (pair)
		next_ms = earlier(next_ms, ice->next_check_ms);
	for (unsigned number = 1; number <= ice->config.components; number++) {
		next_ms = earlier(next_ms, nominate(ice, number, now_ms));
		next_ms = earlier(next_ms, look_for_failure(ice, number, now_ms));
	}
	return next_ms;
}

void checks_on_timer(struct timer *timer, uint64_t now_ms)
{
	struct ice *ice = container_of(timer, struct ice, timer);
	uint64_t next_ms = UINT64_MAX;

	if (!ice->config.is_lite && ice->has_remote)
		next_ms = run_checks(ice, now_ms);
	for (unsigned number = 1; number <= ice->config.components; number++)
		next_ms = earlier(next_ms, consent_check(ice, number, now_ms));
	if (next_ms != UINT64_MAX)
		wheel_arm(ice->config.wheel, &ice->timer, next_ms > now_ms ? next_ms : now_ms + 1,
			  checks_on_timer);
}

void checks_wake(struct ice *ice, uint64_t now_ms)
{
	wheel_arm(ice->config.wheel, &ice->timer, now_ms, checks_on_timer);
}

/* RFC 8445 7.3.1.4. */
void check_trigger(struct ice *ice, struct pair *pair, uint64_t now_ms)
{
	if (pair->state == PAIR_SUCCEEDED || ice->config.is_lite)
		return;
	if (pair->state == PAIR_IN_PROGRESS && pair->tries <= 1)
		return; /* fresh enough: its answer is on the way */
	pair->is_triggered = true;
	checks_wake(ice, now_ms);
}

struct pair *check_find(struct ice *ice, const uint8_t *id)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		struct pair *pair = ice->pairs[i];
		if (pair->has_transaction && memcmp(pair->id, id, STUN_ID) == 0)
			return pair;
	}
	return NULL;
}

static void succeed(struct ice *ice, struct pair *pair, uint64_t now_ms)
{
	struct component *at = component_of(ice, pair->remote.component);
	bool nominated = pair->is_nominating;

	pair->state = PAIR_SUCCEEDED;
	pair->has_transaction = pair->is_nominating = pair->is_triggered = false;
	if (!at->valid_ms)
		at->valid_ms = now_ms;
	if (nominated || (pair->use_candidate && !ice->config.is_controlling))
		pair_select(ice, pair, now_ms);
	checks_wake(ice, now_ms);
}

void check_response(struct ice *ice, unsigned component, const struct addr *from,
		    const struct stun_message *message, uint64_t now_ms)
{
	struct pair *pair = check_find(ice, message->id);

	if (!pair || pair->remote.component != component)
		return;
	if (message->class == STUN_ERROR && message->error == 487) {
		/* RFC 8445 7.2.5.1: it is the other role, and the check comes again */
		ice->config.is_controlling = !ice->config.is_controlling;
		pair->has_transaction = pair->is_nominating = false;
		pair->state = PAIR_WAITING;
		pair->is_triggered = true;
	} else if (message->class == STUN_ERROR || !addr_equal(from, &pair->remote.addr)) {
		fail(pair); /* 7.2.5.2.1: answered from elsewhere */
	} else {
		succeed(ice, pair, now_ms);
		return;
	}
	checks_wake(ice, now_ms);
}
