/* datapath.c - what the control thread asks of the running datapath.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/datapath.h"
#include <rte_ethdev.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "rtpengine/datapath/control.h"
#include "rtpengine/datapath/poller.h"

#define NS_PER_MS 1000000ull
#define TICK_MS   1000
/* Routes come in flocks: look them up this long after the first. */
#define ROUTES_MS 50
/* Packets a second. Measured on veth: at 40,000 coalescing saves an eighth to a fifth; at 100,000
 * and more it saves nothing and a device's ring of 256 begins to overflow. */
#define COALESCE_RATE_MAX 60000

int datapath_fd(const struct datapath *datapath)
{
	return datapath->epoll_fd;
}

/* The next tick; none while there is nothing to keep fresh, so that an idle relay sleeps. */
static void arm_timer(struct datapath *datapath, uint32_t ms)
{
	if (datapath->hops.table.count == 0 && !datapath->retired.first)
		ms = 0;
	struct itimerspec timer = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * NS_PER_MS)}};
	(void)timerfd_settime(datapath->timer_fd, 0, &timer, NULL);
	datapath->timer_is_armed = ms != 0;
}

static void coalesce(struct datapath *datapath, bool on)
{
	if (on == datapath->is_coalesced)
		return;
	datapath->is_coalesced = on;
	for (uint16_t i = 0; i < datapath->device_count; i++)
		coalesce_set(&datapath->devices[i], on);
}

/* An lcore that finds a queue crowded says so at once: when many calls begin, a device's ring would
 * overflow long before the next tick. */
static bool is_crowded(const struct datapath *datapath)
{
	bool any = false;
	for (uint16_t i = 0; i < datapath->lcore_count; i++)
		any = any ||
		      atomic_load_explicit(&datapath->pollers[i]->is_crowded, memory_order_relaxed);
	return any;
}

static void forget_crowd(struct datapath *datapath)
{
	for (uint16_t i = 0; i < datapath->lcore_count; i++)
		atomic_store_explicit(&datapath->pollers[i]->is_crowded, false,
				      memory_order_relaxed);
}

/* While there are calls, up to the rate at which packets come by batches anyway. */
static void adapt_coalescing(struct datapath *datapath)
{
	uint64_t now_ns = clock_now_ns(), packets = 0;
	for (uint16_t i = 0; i < datapath->lcore_count; i++)
		packets += counter_get(&datapath->pollers[i]->lcore.rx_packets);
	uint64_t elapsed_ms = (now_ns - datapath->counted_ns) / NS_PER_MS;
	if (elapsed_ms < TICK_MS / 2)
		return;
	uint64_t rate = (packets - datapath->counted_packets) * 1000 / elapsed_ms;
	datapath->counted_ns = now_ns;
	datapath->counted_packets = packets;
	coalesce(datapath,
		 datapath->flows.count > 0 && rate < COALESCE_RATE_MAX && !is_crowded(datapath));
	forget_crowd(datapath);
}

static bool was_ready(int fd)
{
	uint64_t count;
	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

void datapath_poll(struct datapath *datapath)
{
	bool was_stale = datapath->hops.is_stale;
	netlink_read(datapath->netlink);
	if (was_ready(datapath->timer_fd)) {
		if (datapath->hops.is_stale)
			devices_refresh(datapath->devices, datapath->device_count);
		hops_tick(&datapath->hops);
		adapt_coalescing(datapath);
		arm_timer(datapath, datapath->hops.is_stale ? ROUTES_MS : TICK_MS);
	} else if (datapath->hops.is_stale && !was_stale) {
		arm_timer(datapath, ROUTES_MS);
	}
	retire_run(&datapath->retired);
	if (!was_ready(datapath->event_fd))
		return;
	if (is_crowded(datapath))
		coalesce(datapath, false);
	if (datapath->on_event)
		datapath->on_event(datapath->on_event_owner);
	inject_serve_punts(datapath);
}

bool datapath_same_lcore(const struct datapath *datapath, uint32_t affinity, uint32_t other)
{
	return flows_lcore(&datapath->flows, affinity) == flows_lcore(&datapath->flows, other);
}

int datapath_flow_open(struct datapath *datapath, const struct addr *local, uint32_t affinity,
		       struct flow_id *out)
{
	int err = flows_open(&datapath->flows, local, affinity, out);
	if (!err && datapath->flows.count == 1)
		coalesce(datapath, true);
	return err;
}

int datapath_flow_set(struct datapath *datapath, struct flow_id id, const struct flow_rule *rule)
{
	int err = flows_set(&datapath->flows, id, rule, clock_now_ns());
	if (!datapath->timer_is_armed)
		arm_timer(datapath, TICK_MS);
	return err;
}

size_t datapath_flow_srtp(const struct datapath *datapath, struct flow_id id, bool is_outgoing,
			  struct flow_srtp_index *out, size_t max)
{
	return flows_srtp(&datapath->flows, id, is_outgoing, out, max);
}

int datapath_flow_lock(struct datapath *datapath, struct flow_id id, const struct addr *source)
{
	return flows_lock(&datapath->flows, id, source);
}

void datapath_flow_close(struct datapath *datapath, struct flow_id id)
{
	uint32_t before = datapath->flows.count;
	flows_close(&datapath->flows, id);
	if (before && datapath->flows.count == 0)
		coalesce(datapath, false);
}

int datapath_flow_stats(const struct datapath *datapath, struct flow_id id, struct flow_stats *out)
{
	return flows_stats(&datapath->flows, id, out);
}

uint32_t datapath_flow_count(const struct datapath *datapath)
{
	return datapath->flows.count;
}

void datapath_on_event(struct datapath *datapath, datapath_event_fn *fn, void *owner)
{
	datapath->on_event = fn;
	datapath->on_event_owner = owner;
}

size_t datapath_events(struct datapath *datapath, struct datapath_event *out, size_t max)
{
	size_t count = 0;
	for (uint16_t i = 0; i < datapath->lcore_count; i++) {
		struct event_ring *ring = &datapath->pollers[i]->events;
		uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
		while (tail != head && count < max) {
			out[count] = ring->events[tail++ % EVENT_RING_SIZE];
			if (out[count].type == DATAPATH_SRTP_SHORT) {
				flows_grow(&datapath->flows, out[count].flow);
				continue;
			}
			if (out[count].type == DATAPATH_SOURCE_ROAMED &&
			    flows_lock(&datapath->flows, out[count].flow, &out[count].source) != 0)
				continue; /* closed meanwhile */
			count++;
		}
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
	return count;
}

struct record_ring *datapath_records(const struct datapath *datapath, size_t lcore)
{
	return datapath->pollers[lcore]->lcore.records;
}

size_t datapath_lcore_count(const struct datapath *datapath)
{
	return datapath->lcore_count;
}

void datapath_lcore_stats(const struct datapath *datapath, size_t lcore, struct lcore_stats *out)
{
	const struct poller *poller = datapath->pollers[lcore];
	const struct lcore *from = &poller->lcore;
	*out = (struct lcore_stats){
		.cpu = poller->cpu,
		.rx_packets = counter_get(&from->rx_packets),
		.rx_bytes = counter_get(&from->rx_bytes),
		.tx_packets = counter_get(&from->tx_packets),
		.tx_bytes = counter_get(&from->tx_bytes),
		.bursts = counter_get(&from->bursts),
		.naps = counter_get(&from->naps),
		.waits = counter_get(&from->waits),
		.asleep_ns = counter_get(&from->asleep_ns),
		.is_blocked = atomic_load(&datapath->pollers[lcore]->asleep),
		.handed_over = counter_get(&from->handed_over),
		.events_lost = counter_get(&from->events_lost),
	};
	for (unsigned i = 0; i < DROP_COUNT; i++)
		out->drops[i] = counter_get(&from->drops[i]);
}

size_t datapath_device_count(const struct datapath *datapath)
{
	return datapath->device_count;
}

void datapath_device_stats(const struct datapath *datapath, size_t index, struct device_stats *out)
{
	const struct device *device = &datapath->devices[index];
	struct rte_eth_stats stats = {0};
	(void)rte_eth_stats_get(device->port, &stats); /* zeros when the driver cannot say */
	*out = (struct device_stats){
		.name = device->name,
		.driver = device_driver_name(device),
		.queues = device->queues,
		.missed = stats.imissed,
		.tx_errors = stats.oerrors,
	};
}

uint32_t datapath_mbufs_in_use(const struct datapath *datapath)
{
	uint32_t used = rte_mempool_in_use_count(datapath->pool);
	return used > datapath->baseline ? used - datapath->baseline : 0;
}
