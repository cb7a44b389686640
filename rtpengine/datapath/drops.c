/* drops.c - the names of the drop reasons, and the one place that counts them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"

static const struct {
	const char *key;
	const char *text;
} names[DROP_COUNT] = {
#define X(name, key, text) [DROP_##name] = {key, text},
	FOREACH_DROP(X)
#undef X
};

const char *drop_key(enum drop why)
{
	return why < DROP_COUNT ? names[why].key : "none";
}

const char *drop_text(enum drop why)
{
	return why < DROP_COUNT ? names[why].text : "not dropped";
}

/* A stranger can bring it to its largest value in an hour: it stays there. */
static void count_on_flow(struct flow_state *state, enum drop why)
{
	_Atomic uint32_t *drops = &state->drops[why - DROP_OF_FLOW];
	uint32_t value = atomic_load_explicit(drops, memory_order_relaxed);
	if (value != UINT32_MAX)
		atomic_store_explicit(drops, value + 1, memory_order_relaxed);
}

void packet_drop(struct lcore *lcore, struct packet *packet, enum drop why)
{
	counter_add(&lcore->drops[why], 1);
	if (packet->flow && why >= DROP_OF_FLOW)
		count_on_flow(&packet->flow->slot->state, why);
	lcore->ops->release(lcore, packet);
}
