/* rx.c - a burst from a driver's queue becomes a burst of packets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/poller.h"
#include <rte_ethdev.h>

uint16_t rx_burst(struct poller *poller, const struct rx_queue *queue, struct packet *packets,
		  uint16_t *taken)
{
	struct lcore *lcore = &poller->lcore;
	struct rte_mbuf *mbufs[BURST];
	uint16_t n = rte_eth_rx_burst(queue->port, queue->queue, mbufs, BURST);
	uint16_t kept = 0;
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = mbufs[i];
		struct packet *packet = &packets[kept];
		packet->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
		packet->mbuf = mbuf;
		packet->flow = NULL;
		packet->len = rte_pktmbuf_data_len(mbuf);
		packet->headroom = rte_pktmbuf_headroom(mbuf);
		packet->tailroom = rte_pktmbuf_tailroom(mbuf);
		packet->sum_is_stale = false;
		packet->turns = 0;
		bytes += rte_pktmbuf_pkt_len(mbuf);
		if (i < 4)
			rte_prefetch0(packet->data);
		if (mbuf->nb_segs > 1)
			packet_drop(lcore, packet, DROP_SEGMENTED);
		else
			kept++;
	}
	if (n) {
		counter_add(&lcore->rx_packets, n);
		counter_add(&lcore->rx_bytes, bytes);
		counter_add(&lcore->bursts, 1);
	}
	*taken = n;
	return kept;
}

uint16_t rx_tap(struct poller *poller, const struct rx_queue *queue)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t n = rte_eth_rx_burst(queue->port, queue->queue, mbufs, BURST);
	for (uint16_t i = 0; i < n; i++)
		tx_add_mbuf(poller, queue->device, mbufs[i]);
	return n;
}
