/* outcome.c - what became of a target, and whether the next one is tried: after what the peer's
 * failover-on says, never after a person's decision (486, 6xx).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/hunt.h"
#include "sbc/route/servers.h"

void hunt_worked(const struct hunter *hunter, const struct hunt *hunt)
{
	if (hunt->at.end.type == CONFIG_END_PEER && hunt->peer >= 0)
		peers_worked(hunter->peers, (uint32_t)hunt->peer, hunt->attempt.server);
}

void hunt_failed(const struct hunter *hunter, const struct hunt *hunt, const char *why,
		 uint32_t rest_ms)
{
	const struct hunt_list *list = hunt->list;

	if (!hunt->has_step)
		return;
	if (hunt->at.end.type == CONFIG_END_PEER && hunt->peer >= 0) {
		peers_try_failed(hunter->peers, (uint32_t)hunt->peer, &hunt->attempt, why, rest_ms);
	} else if (hunt->at.end.type == CONFIG_END_DNS && list && list->address > 0) {
		const struct dns_target *target = &list->addresses[list->address - 1];
		shared_rest_set(peers_shared(hunter->peers), &target->addr, target->transport,
				wheel_now_ms(hunter->worker->wheel) +
					(rest_ms ? rest_ms : REST_MS));
	}
}

bool hunt_has_next(const struct hunter *hunter, const struct hunt *hunt)
{
	const struct hunt_list *list = hunt->list;

	if (!list || hunt->tries >= HUNT_TRIES_MAX)
		return false;
	if (list->step_count > 0)
		return list->steps[0].end.type != CONFIG_END_REJECT;
	if (hunt->at.end.type == CONFIG_END_DNS)
		return list->address < list->address_count;
	return hunt->at.end.type == CONFIG_END_PEER && hunt->peer >= 0 &&
	       peers_has_next(hunter->peers, (uint32_t)hunt->peer, &hunt->attempt);
}

static const struct config_failover *reasons(const struct hunter *hunter, const struct hunt *hunt,
					     size_t *count)
{
	static const struct config_failover usual[] = {{.first_code = 408, .last_code = 408},
						       {.first_code = 500, .last_code = 599}};
	if (hunt->peer < 0) {
		*count = sizeof(usual) / sizeof(usual[0]);
		return usual;
	}
	*count = hunter->worker->config->peers[hunt->peer].failover_count;
	return hunter->worker->config->peers[hunt->peer].failover;
}

bool hunt_moves_on(const struct hunter *hunter, const struct hunt *hunt, unsigned int status)
{
	size_t count;
	const struct config_failover *list = reasons(hunter, hunt, &count);

	if (status < 400 || status == 486 || status == 487 || status >= 600)
		return false;
	for (size_t i = 0; i < count; i++)
		if (list[i].first_code && status >= list[i].first_code &&
		    status <= list[i].last_code)
			return true;
	return false;
}

uint32_t hunt_no_answer_ms(const struct hunter *hunter, const struct hunt *hunt)
{
	size_t count;
	const struct config_failover *list = reasons(hunter, hunt, &count);

	for (size_t i = 0; i < count; i++)
		if (list[i].first_code == 0)
			return list[i].no_answer_ms;
	return 0;
}

uint32_t hunt_silence_ms(const struct hunter *hunter, const struct hunt *hunt)
{
	uint32_t no_answer_ms = hunt_no_answer_ms(hunter, hunt);

	return no_answer_ms && no_answer_ms < HUNT_SILENCE_MS ? no_answer_ms : HUNT_SILENCE_MS;
}

/* A person's word comes before that of a machine. */
int outcome_rank(unsigned int status)
{
	switch (status) {
	case 401:
	case 407:
	case 415:
	case 420:
	case 484:
		return 2;
	case 486:
		return 3;
	case 408:
	case 430:
	case 480:
	case 487:
		return 5;
	default:
		return status >= 600 ? 0 : status < 400 ? 1 : status < 500 ? 4 : 6;
	}
}
