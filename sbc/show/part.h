/* part.h - one worker's part of an answer. Private to sbc/show.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/core.h"
#include "sbc/show/json.h"

struct gather;

struct part {
	struct core_command command;
	struct gather *gather;
	struct slice args; /* of the gather; lives as long */
	json_t *value;     /* NULL = this worker has nothing to say */
};

/* Makes part->value and calls part_done(), now or when an answer it waits for has come. Runs in the
 * worker's thread. */
typedef void part_fn(struct part *part, struct core *core);

void part_done(struct part *part, json_t *value);

part_fn part_leaks, part_subscriptions;
part_fn part_calls, part_call, part_registrations, part_interfaces, part_peers, part_stats,
	part_record, part_relays, part_bans, part_unban;
