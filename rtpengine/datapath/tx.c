/* tx.c - finished packets are collected per device over a whole iteration and sent together: in
 * copy mode the driver's system call is nearly all of a packet's cost, and it is paid per batch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/poller.h"
#include <rte_ethdev.h>

static void send_buffer(struct poller *poller, struct tx_buffer *tx)
{
	struct lcore *lcore = &poller->lcore;
	uint64_t bytes = 0;
	for (uint16_t i = 0; i < tx->count; i++)
		bytes += rte_pktmbuf_pkt_len(tx->mbufs[i]);
	uint16_t sent = rte_eth_tx_burst(tx->port, tx->queue, tx->mbufs, tx->count);
	for (uint16_t i = sent; i < tx->count; i++) {
		bytes -= rte_pktmbuf_pkt_len(tx->mbufs[i]);
		counter_add(&lcore->drops[DROP_TX_FULL], 1);
		poller_release(poller, tx->mbufs[i]);
	}
	counter_add(&lcore->tx_packets, sent);
	counter_add(&lcore->tx_bytes, bytes);
	tx->count = 0;
	poller->has_sent = true;
}

void tx_add_mbuf(struct poller *poller, uint16_t device, struct rte_mbuf *mbuf)
{
	struct tx_buffer *tx = &poller->tx[device];
	if (tx->lcore != poller->lcore.index) {
		struct carried *carried = rte_mbuf_to_priv(mbuf);
		carried->device = device;
		carried->is_outbound = true;
		if (!poller_send_to(poller, tx->lcore, mbuf)) {
			counter_add(&poller->lcore.drops[DROP_TX_FULL], 1);
			poller_release(poller, mbuf);
		}
		return;
	}
	tx->mbufs[tx->count++] = mbuf;
	if (tx->count == TX_BATCH)
		send_buffer(poller, tx);
}

void tx_add(struct poller *poller, struct packet *packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = packets[i].mbuf;
		mbuf->data_off = (uint16_t)(packets[i].data - (uint8_t *)mbuf->buf_addr);
		mbuf->data_len = packets[i].len;
		mbuf->pkt_len = packets[i].len;
		mbuf->ol_flags = 0;
		tx_add_mbuf(poller, packets[i].out->device, mbuf);
	}
}

void tx_flush(struct poller *poller)
{
	for (uint16_t i = 0; i < poller->device_count; i++)
		if (poller->tx[i].count)
			send_buffer(poller, &poller->tx[i]);
}

void tx_reclaim(struct poller *poller)
{
	struct rte_mbuf *none[1] = {NULL};
	for (uint16_t i = 0; i < poller->device_count; i++)
		if (poller->tx[i].lcore == poller->lcore.index)
			(void)rte_eth_tx_burst(poller->tx[i].port, poller->tx[i].queue, none, 0);
}
