/* limits.c - measuring, and the texts NG clients know. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/limits.h"

#include <string.h>

#define PERIOD_MS 1000
#define NS_PER_MS 1000000ull

static void on_tick(struct timer *timer, uint64_t now_ms);

static uint32_t load_of(struct limits *limits, size_t lcore, const struct lcore_stats *stats,
			uint64_t passed_ms)
{
	uint64_t asleep_ns = stats->asleep_ns - limits->asleep_ns[lcore];
	uint64_t passed_ns = passed_ms * NS_PER_MS;

	limits->asleep_ns[lcore] = stats->asleep_ns;
	/* A sleep is counted when it ends: one that lasts is idleness. */
	if (stats->is_blocked || asleep_ns >= passed_ns)
		return 0;
	return (uint32_t)((passed_ns - asleep_ns) * 100 / passed_ns);
}

static void measure(struct limits *limits, uint64_t passed_ms)
{
	size_t count = datapath_lcore_count(limits->datapath);
	struct lcore_stats stats;
	uint64_t bytes = 0;

	limits->load_percent = 0;
	for (size_t i = 0; i < count; i++) {
		datapath_lcore_stats(limits->datapath, i, &stats);
		bytes += stats.rx_bytes + stats.tx_bytes;
		uint32_t load = load_of(limits, i, &stats, passed_ms);
		if (load > limits->load_percent)
			limits->load_percent = load;
	}
	limits->bandwidth_kbps = (uint32_t)((bytes - limits->bytes) * 8 / passed_ms);
	limits->bytes = bytes;
}

static void arm(struct limits *limits, uint64_t now_ms)
{
	limits->ticked_ms = now_ms;
	wheel_arm(limits->wheel, &limits->tick, now_ms + PERIOD_MS, on_tick);
}

static void on_tick(struct timer *timer, uint64_t now_ms)
{
	struct limits *limits = container_of(timer, struct limits, tick);

	if (now_ms > limits->ticked_ms)
		measure(limits, now_ms - limits->ticked_ms);
	arm(limits, now_ms);
}

/* Nothing is measured that nobody asks for: an idle relay sleeps. */
void limits_start(struct limits *limits, const struct limits_config *config,
		  struct datapath *datapath, struct wheel *wheel, uint64_t now_ms)
{
	*limits = (struct limits){.config = *config, .datapath = datapath, .wheel = wheel};
	if (config->bandwidth_kbps || config->load_percent)
		arm(limits, now_ms);
}

void limits_stop(struct limits *limits)
{
	if (limits->wheel)
		wheel_cancel(limits->wheel, &limits->tick);
}

const char *limits_refuse(const struct limits *limits, uint32_t sessions)
{
	const struct limits_config *config = &limits->config;

	if (limits->is_draining || (config->sessions && sessions >= config->sessions))
		return "Parallel session limit reached";
	if (config->load_percent && limits->load_percent >= config->load_percent)
		return "Load limit exceeded";
	if (config->bandwidth_kbps && limits->bandwidth_kbps >= config->bandwidth_kbps)
		return "Bandwidth limit exceeded";
	return NULL;
}
