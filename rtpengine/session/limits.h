/* limits.h - whether a new session may begin: sessions, bandwidth and load as configured, and
 * whether the relay is being drained. What is there goes on. Bandwidth and load are measured every
 * second. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/wheel.h"
#include "rtpengine/datapath/datapath.h"

struct limits_config { /* 0 = no limit */
	uint32_t sessions;
	uint32_t bandwidth_kbps; /* in and out together, Ethernet frames */
	uint32_t load_percent;   /* of the busiest lcore */
};

struct limits {
	struct limits_config config;
	bool is_draining;
	uint32_t bandwidth_kbps, load_percent; /* in the last second */
	struct datapath *datapath;
	struct wheel *wheel;
	struct timer tick;
	uint64_t ticked_ms;
	uint64_t bytes;
	uint64_t asleep_ns[16];
};

void limits_start(struct limits *limits, const struct limits_config *config,
		  struct datapath *datapath, struct wheel *wheel, uint64_t now_ms);
void limits_stop(struct limits *limits);
/* NULL: it may begin. Otherwise the text of the protocol that says why not. */
const char *limits_refuse(const struct limits *limits, uint32_t sessions);
