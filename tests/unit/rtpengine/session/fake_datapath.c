/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_datapath.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const keys[DROP_COUNT] = {
#define X(name, key, text) [DROP_##name] = key,
	FOREACH_DROP(X)
#undef X
};

const char *drop_key(enum drop why)
{
	return why < DROP_COUNT ? keys[why] : "none";
}

void fake_datapath_init(struct datapath *datapath)
{
	memset(datapath, 0, sizeof(*datapath));
}

struct fake_flow *fake_flow_of(const struct datapath *datapath, struct flow_id id)
{
	struct fake_flow *flow = datapath->flows[id.value % FAKE_BUCKETS];
	while (flow && flow->id.value != id.value)
		flow = flow->next;
	return flow;
}

struct fake_flow *fake_flow_at(struct datapath *datapath, const char *address, unsigned port)
{
	struct addr local;
	if (addr_parse_ip(slice_from(address), &local) != 0)
		abort();
	local.port = (uint16_t)port;
	for (unsigned i = 0; i < FAKE_BUCKETS; i++) {
		for (struct fake_flow *flow = datapath->flows[i]; flow; flow = flow->next) {
			if (addr_equal(&flow->local, &local))
				return flow;
		}
	}
	return NULL;
}

bool datapath_same_lcore(const struct datapath *datapath, uint32_t affinity, uint32_t other)
{
	(void)datapath;
	return affinity == other; /* as many lcores as there may be */
}

int datapath_flow_open(struct datapath *datapath, const struct addr *local, uint32_t affinity,
		       struct flow_id *out)
{
	if (datapath->limit && datapath->count >= datapath->limit)
		return -ERR_TOO_MANY;
	struct fake_flow *flow = calloc(1, sizeof(*flow));
	if (!flow)
		return -ERR_NO_MEMORY;
	flow->id.value = ++datapath->next_id;
	flow->local = *local;
	flow->affinity = affinity;
	struct fake_flow **bucket = &datapath->flows[flow->id.value % FAKE_BUCKETS];
	flow->next = *bucket;
	*bucket = flow;
	datapath->count++;
	*out = flow->id;
	return 0;
}

/* As the real one: what a rule names must be open, and be served by the same lcore. */
static bool may_name(struct datapath *datapath, const struct fake_flow *flow, struct flow_id other)
{
	const struct fake_flow *named = fake_flow_of(datapath, other);
	return !flow_id_is_set(other) || (named && named->affinity == flow->affinity);
}

int datapath_flow_set(struct datapath *datapath, struct flow_id id, const struct flow_rule *rule)
{
	struct fake_flow *flow = fake_flow_of(datapath, id);

	if (!flow || !may_name(datapath, flow, rule->rtp_to) ||
	    !may_name(datapath, flow, rule->rtcp_to) || !may_name(datapath, flow, rule->rtp_of))
		return -ERR_NOT_FOUND;
	flow->rule = *rule;
	if (rule->bundle) {
		flow->bundle = *rule->bundle;
		flow->rule.bundle = &flow->bundle;
	}
	flow->rules++;
	return 0;
}

void datapath_flow_close(struct datapath *datapath, struct flow_id id)
{
	if (!flow_id_is_set(id))
		return;
	struct fake_flow **at = &datapath->flows[id.value % FAKE_BUCKETS];
	while (*at && (*at)->id.value != id.value)
		at = &(*at)->next;
	struct fake_flow *flow = *at;
	assert(flow);
	*at = flow->next;
	free(flow);
	datapath->count--;
}

size_t datapath_flow_srtp(const struct datapath *datapath, struct flow_id id, bool is_outgoing,
			  struct flow_srtp_index *out, size_t max)
{
	const struct fake_flow *flow = fake_flow_of(datapath, id);
	if (!flow || !flow->index_count || !max)
		return 0;
	out[0] = flow->indexes[is_outgoing];
	return 1;
}

int datapath_flow_stats(const struct datapath *datapath, struct flow_id id, struct flow_stats *out)
{
	const struct fake_flow *flow = fake_flow_of(datapath, id);
	if (!flow)
		return -ERR_NOT_FOUND;
	*out = flow->stats;
	return 0;
}

uint32_t datapath_flow_count(const struct datapath *datapath)
{
	return datapath->count;
}

size_t datapath_events(struct datapath *datapath, struct datapath_event *out, size_t max)
{
	size_t count = datapath->event_count < max ? datapath->event_count : max;
	memcpy(out, datapath->events, count * sizeof(*out));
	datapath->event_count = 0;
	return count;
}

size_t datapath_lcore_count(const struct datapath *datapath)
{
	(void)datapath;
	return 1;
}

void datapath_lcore_stats(const struct datapath *datapath, size_t lcore, struct lcore_stats *out)
{
	*out = (struct lcore_stats){.cpu = (unsigned)lcore,
				    .rx_packets = 7,
				    .tx_packets = 5,
				    .rx_bytes = datapath->rx_bytes,
				    .asleep_ns = datapath->asleep_ns};
	out->drops[DROP_STRANGER] = 2;
}

size_t datapath_device_count(const struct datapath *datapath)
{
	(void)datapath;
	return 1;
}

void datapath_device_stats(const struct datapath *datapath, size_t device, struct device_stats *out)
{
	(void)datapath;
	(void)device;
	*out = (struct device_stats){.name = "eth0", .driver = "af_xdp", .queues = 1};
}

uint32_t datapath_mbufs_in_use(const struct datapath *datapath)
{
	(void)datapath;
	return 0;
}

void datapath_on_punt(struct datapath *datapath, datapath_punt_fn *fn, void *owner)
{
	datapath->on_punt = fn;
	datapath->on_punt_owner = owner;
}

int datapath_flow_lock(struct datapath *datapath, struct flow_id id, const struct addr *source)
{
	struct fake_flow *flow = fake_flow_of(datapath, id);
	if (!flow)
		return -ERR_NOT_FOUND;
	flow->locked = *source;
	return 0;
}

int datapath_media_send(struct datapath *datapath, struct flow_id id, const uint8_t *rtp,
			size_t len)
{
	if (!fake_flow_of(datapath, id))
		return -ERR_NOT_FOUND;
	datapath->media_sent++;
	datapath->media_len = len < sizeof(datapath->media) ? len : sizeof(datapath->media);
	memcpy(datapath->media, rtp, datapath->media_len);
	return 0;
}

int datapath_flow_send(struct datapath *datapath, struct flow_id id, const struct addr *to,
		       const uint8_t *data, size_t len)
{
	const struct fake_flow *flow = fake_flow_of(datapath, id);
	if (!flow)
		return -ERR_NOT_FOUND;
	if (len > PUNT_MAX)
		return -ERR_INVALID;
	struct fake_send *send = &datapath->sends[datapath->send_count++ % FAKE_SENDS];
	*send = (struct fake_send){.flow = id, .from = flow->local, .to = *to, .len = len};
	memcpy(send->data, data, len);
	return 0;
}

const struct fake_send *fake_sent(struct datapath *datapath)
{
	if (datapath->send_taken == datapath->send_count)
		return NULL;
	return &datapath->sends[datapath->send_taken++ % FAKE_SENDS];
}

void fake_punt(struct datapath *datapath, struct flow_id flow, const struct addr *from,
	       const uint8_t *data, size_t len)
{
	struct datapath_punt punt = {
		.flow = flow, .source = *from, .is_stun = len && data[0] < 4, .len = (uint16_t)len};
	if (len > PUNT_MAX || !datapath->on_punt)
		return;
	memcpy(punt.data, data, len);
	datapath->on_punt(datapath->on_punt_owner, &punt);
}

void fake_datapath_free(struct datapath *datapath)
{
	for (unsigned i = 0; i < FAKE_BUCKETS; i++) {
		while (datapath->flows[i])
			datapath_flow_close(datapath, datapath->flows[i]->id);
	}
}
