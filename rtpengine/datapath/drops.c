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

void packet_drop(struct lcore *lcore, struct packet *packet, enum drop why)
{
	counter_add(&lcore->drops[why], 1);
	if (packet->flow)
		counter_add(&packet->flow->slot->state.drops[why], 1);
	lcore->ops->release(lcore, packet);
}
