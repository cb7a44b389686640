/* inject.c - the control thread's packets (STUN, DTLS): those that lcores punted to it, and those
 * it sends from a flow's port. Frames are finished here and leave through the lcore's inbox, so
 * that each queue keeps its one sender. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <unistd.h>
#include "rtpengine/datapath/poller.h"

enum { FRAME_HEADERS = 14 + 40 + 8 };

/* NG is served between two helpings: a datagram of DTLS may cost a signature, of STUN a hash. */
#define HELPING_NS 2000000ull

static void wake(int fd)
{
	uint64_t one = 1;
	ssize_t ignored = write(fd, &one, sizeof(one)); /* full means: awake already */
	(void)ignored;
}

void datapath_on_punt(struct datapath *datapath, datapath_punt_fn *fn, void *owner)
{
	datapath->on_punt = fn;
	datapath->on_punt_owner = owner;
}

/* True: there is more. */
static bool serve_ring(struct datapath *datapath, struct punt_ring *ring, uint64_t until_ns)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	bool has_time = true;
	while (tail != head && has_time) {
		const struct datapath_punt *punt = &ring->punts[tail % PUNT_RING_SIZE];
		if (datapath->on_punt)
			datapath->on_punt(datapath->on_punt_owner, punt);
		atomic_store_explicit(&ring->tail, ++tail, memory_order_release);
		has_time = clock_now_ns() < until_ns;
	}
	return tail != head;
}

void inject_serve_punts(struct datapath *datapath)
{
	for (uint16_t i = 0; i < datapath->lcore_count; i++)
		if (serve_ring(datapath, datapath->pollers[i]->punts,
			       clock_now_ns() + HELPING_NS / datapath->lcore_count))
			wake(datapath->event_fd); /* the rest with the next turn of the loop */
}

/* The destination is a media port of ours: a call that passes this edge twice. */
static const struct flow *own_flow(const struct datapath *datapath, const struct addr *to)
{
	for (uint16_t i = 0; i < datapath->address_count; i++) {
		const struct endpoint *endpoint = &datapath->endpoints[i];
		if (addr_equal_ip(&endpoint->addr, to) && endpoint_has(endpoint, to->port))
			return atomic_load(&endpoint->ports[to->port - endpoint->base]);
	}
	return NULL;
}

static int fill(struct datapath *datapath, const struct flow *from, const struct addr *to,
		const struct hop *hop, struct rte_mbuf *mbuf)
{
	struct carried *carried = rte_mbuf_to_priv(mbuf);
	struct packet *packet = &carried->packet;
	const struct flow *own = atomic_load(&hop->is_ours) ? own_flow(datapath, to) : NULL;
	const struct egress *egress = atomic_load(&hop->egress);
	if (own) {
		packet->source = from->local;
		carried->is_outbound = false;
		carried->is_ours = false;
		carried->flow = (struct flow_link){own->slot, own->generation};
		return 0;
	}
	if (!egress || packet->payload_len + FRAME_HEADERS - 14 > egress->mtu)
		return -ERR_UNREACHABLE;
	packet_write_headers(&datapath->ip_id, packet, from, to, egress);
	mbuf->data_off = (uint16_t)(packet->data - (uint8_t *)mbuf->buf_addr);
	mbuf->data_len = packet->len;
	mbuf->pkt_len = packet->len;
	carried->device = egress->device;
	carried->is_outbound = true;
	return 0;
}

/* The payload in a buffer of its own, with room for headers in front. */
static struct rte_mbuf *make(struct datapath *datapath, const uint8_t *data, size_t len)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(datapath->pool);
	if (!mbuf)
		return NULL;
	char *at = rte_pktmbuf_append(mbuf, (uint16_t)(FRAME_HEADERS + len));
	if (!at) {
		rte_pktmbuf_free(mbuf);
		return NULL;
	}
	struct carried *carried = rte_mbuf_to_priv(mbuf);
	carried->packet = (struct packet){
		.data = (uint8_t *)at,
		.mbuf = mbuf,
		.len = (uint16_t)(FRAME_HEADERS + len),
		.headroom = rte_pktmbuf_headroom(mbuf),
		.payload = FRAME_HEADERS,
		.payload_len = (uint16_t)len,
		.payload_sum = packet_payload_sum(data, len),
	};
	memcpy(at + FRAME_HEADERS, data, len);
	return mbuf;
}

static void wake_lcore(struct poller *poller)
{
	atomic_thread_fence(memory_order_seq_cst); /* what was queued, before `asleep` is read */
	if (atomic_load(&poller->asleep))
		wake(poller->wake_fd);
}

int datapath_media_send(struct datapath *datapath, struct flow_id id, const uint8_t *rtp,
			size_t len)
{
	const struct flow *out = flows_find(&datapath->flows, id);

	if (!out)
		return -ERR_NOT_FOUND;
	if (len < 12 || len > PUNT_MAX)
		return -ERR_INVALID;
	struct rte_mbuf *mbuf = make(datapath, rtp, len);
	if (!mbuf)
		return -ERR_NO_MEMORY;
	struct carried *carried = rte_mbuf_to_priv(mbuf);
	carried->packet.kind = PACKET_RTP;
	carried->packet.sequence = read_be16(rtp + 2);
	carried->packet.ssrc = read_be32(rtp + 8);
	carried->is_outbound = false;
	carried->is_ours = true;
	carried->flow = (struct flow_link){out->slot, out->generation};
	struct poller *poller = datapath->pollers[out->lcore];
	if (rte_ring_mp_enqueue(poller->inbox, mbuf) != 0) {
		rte_pktmbuf_free(mbuf);
		return -ERR_BUSY;
	}
	wake_lcore(poller);
	return 0;
}

int datapath_flow_send(struct datapath *datapath, struct flow_id id, const struct addr *to,
		       const uint8_t *data, size_t len)
{
	const struct flow *from = flows_find(&datapath->flows, id);
	struct hop *hop;
	if (!from)
		return -ERR_NOT_FOUND;
	if (len > PUNT_MAX || to->family != from->local.family || !to->port)
		return -ERR_INVALID;
	int err = hop_get(&datapath->hops, to, &from->local, &hop);
	if (err)
		return err;
	struct rte_mbuf *mbuf = make(datapath, data, len);
	err = mbuf ? fill(datapath, from, to, hop, mbuf) : -ERR_NO_MEMORY;
	hop_put(&datapath->hops, hop);
	struct poller *poller = datapath->pollers[from->lcore];
	if (!err && rte_ring_mp_enqueue(poller->inbox, mbuf) != 0)
		err = -ERR_BUSY;
	if (err) {
		rte_pktmbuf_free(mbuf); /* NULL is fine */
		return err;
	}
	wake_lcore(poller);
	return 0;
}
