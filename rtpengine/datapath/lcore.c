/* lcore.c - the loop of one lcore: receive all there is, run it through the stages, send, and sleep
 * as long as the batch time allows. When nothing comes for a few batches it waits in poll(2) on the
 * drivers' own sockets (no driver used here has rx interrupts), which costs no CPU at all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/poller.h"
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Bursts taken from one queue before the next gets its turn. */
#define ROUNDS 8
/* Timed batches without a packet before waiting: a timer costs as much as a wake-up by packet, so
 * below one packet per few batches the latter is cheaper (and faster). */
#define EMPTY_BATCHES 3
/* The same for batch_us = 0, in iterations: some milliseconds. */
#define EMPTY_SPINS 20000

static uint64_t clock_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void wake(int fd)
{
	uint64_t one = 1;
	ssize_t ignored = write(fd, &one, sizeof(one)); /* full means: awake already */
	(void)ignored;
}

void poller_release(struct poller *poller, struct rte_mbuf *mbuf)
{
	if (poller->garbage_count == GARBAGE_MAX) {
		rte_pktmbuf_free_bulk(poller->garbage, GARBAGE_MAX);
		poller->garbage_count = 0;
	}
	poller->garbage[poller->garbage_count++] = mbuf;
}

bool poller_send_to(struct poller *poller, uint16_t lcore, struct rte_mbuf *mbuf)
{
	if (rte_ring_mp_enqueue(poller->pollers[lcore]->inbox, mbuf) != 0)
		return false;
	poller->wake_mask |= 1ull << lcore;
	return true;
}

static bool op_hand_over(struct lcore *lcore, uint16_t to, struct packet *packet)
{
	struct carried *carried = rte_mbuf_to_priv(packet->mbuf);
	carried->packet = *packet;
	carried->flow.slot = packet->flow->slot;
	carried->flow.generation = packet->flow->generation;
	carried->is_outbound = false;
	carried->is_ours = false;
	return poller_send_to((struct poller *)lcore, to, packet->mbuf);
}

static void op_report(struct lcore *lcore, const struct flow *flow, struct datapath_event *event)
{
	struct poller *poller = (struct poller *)lcore;
	struct event_ring *ring = &poller->events;
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == EVENT_RING_SIZE) {
		counter_add(&lcore->events_lost, 1);
		return;
	}
	event->flow = flow->id;
	ring->events[head % EVENT_RING_SIZE] = *event;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	poller->event_added = true;
}

static void op_release(struct lcore *lcore, struct packet *packet)
{
	poller_release((struct poller *)lcore, packet->mbuf);
}

static bool op_punt(struct lcore *lcore, const struct packet *packet)
{
	struct poller *poller = (struct poller *)lcore;
	struct punt_ring *ring = poller->punts;
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == PUNT_RING_SIZE)
		return false;
	struct datapath_punt *punt = &ring->punts[head % PUNT_RING_SIZE];
	punt->flow = packet->flow->id;
	punt->source = packet->source;
	punt->is_stun = packet->kind == PACKET_STUN;
	punt->len = packet->payload_len; /* punt_check(): not above PUNT_MAX */
	memcpy(punt->data, packet_payload(packet), packet->payload_len);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	poller->event_added = true;
	return true;
}

static bool op_to_kernel(struct lcore *lcore, struct packet *packet)
{
	struct poller *poller = (struct poller *)lcore;
	if (poller->tap == NO_TAP)
		return false;
	tx_add_mbuf(poller, poller->tap, packet->mbuf);
	return true;
}

static bool op_copy(struct lcore *lcore, const struct packet *packet, struct packet *out)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(packet->mbuf->pool);
	size_t at = (size_t)(packet->data - (uint8_t *)packet->mbuf->buf_addr);

	(void)lcore;
	if (!mbuf)
		return false;
	*out = *packet;
	out->mbuf = mbuf;
	out->data = (uint8_t *)mbuf->buf_addr + at;
	memcpy(out->data + packet->payload, packet_payload(packet), packet->payload_len);
	return true;
}

const struct lcore_ops poller_ops = {op_hand_over, op_report,  op_punt,
				     op_to_kernel, op_release, op_copy};

/* What alter copied, and media of the control thread. */
static void send_copies(struct poller *poller)
{
	struct lcore *lcore = &poller->lcore;
	uint16_t n = lcore->copy_count;

	lcore->copy_count = 0;
	if (n)
		tx_add(poller, lcore->copies, packet_leave(lcore, lcore->copies, n));
}

static void send_held(struct poller *poller)
{
	if (poller->lcore.held_count)
		tx_add(poller, poller->packets, packet_unhold(&poller->lcore, poller->packets));
}

/* What other lcores gave us: packets of our flows, and finished ones for our devices. */
static uint16_t serve_inbox(struct poller *poller)
{
	struct rte_mbuf *mbufs[BURST];
	struct packet *packets = poller->packets;
	struct lcore *lcore = &poller->lcore;
	unsigned n = rte_ring_sc_dequeue_burst(poller->inbox, (void **)mbufs, BURST, NULL);
	uint16_t count = 0;
	for (unsigned i = 0; i < n; i++) {
		struct carried *carried = rte_mbuf_to_priv(mbufs[i]);
		if (carried->is_outbound) {
			tx_add_mbuf(poller, carried->device, mbufs[i]);
			continue;
		}
		struct packet *packet =
			carried->is_ours ? &lcore->copies[lcore->copy_count] : &packets[count];
		*packet = carried->packet;
		packet->flow = flow_link_get(&carried->flow);
		if (!packet->flow)
			packet_drop(lcore, packet, DROP_NO_FLOW);
		else if (carried->is_ours)
			lcore->copy_count++;
		else
			count++;
	}
	send_copies(poller);
	count = stage_demux(lcore, packets, count);
	tx_add(poller, packets, packet_forward(lcore, packets, count));
	send_copies(poller);
	return (uint16_t)n;
}

static void settle(struct poller *poller)
{
	tx_flush(poller);
	if (poller->garbage_count) {
		rte_pktmbuf_free_bulk(poller->garbage, poller->garbage_count);
		poller->garbage_count = 0;
	}
	if (poller->wake_mask) /* what was queued must be seen before `asleep` is read */
		atomic_thread_fence(memory_order_seq_cst);
	for (uint16_t i = 0; poller->wake_mask; i++, poller->wake_mask >>= 1)
		if (poller->wake_mask & 1 && atomic_load(&poller->pollers[i]->asleep))
			wake(poller->pollers[i]->wake_fd);
	if (poller->event_added) {
		poller->event_added = false;
		wake(poller->control_fd);
	}
}

static uint16_t serve_queue(struct poller *poller, const struct rx_queue *queue)
{
	struct packet *packets = poller->packets;
	uint16_t taken;
	if (queue->is_tap)
		return rx_tap(poller, queue);
	uint16_t n = rx_burst(poller, queue, packets, &taken);
	n = stage_classify(&poller->lcore, packets, n);
	tx_add(poller, packets, packet_forward(&poller->lcore, packets, n));
	send_copies(poller);
	return taken;
}

static void note_crowd(struct poller *poller)
{
	if (!atomic_exchange_explicit(&poller->is_crowded, true, memory_order_relaxed))
		poller->event_added = true;
}

/* Everything that is there now. Returns how many packets; *more: there may be others at once. */
static uint32_t iterate(struct poller *poller, bool *more)
{
	uint32_t total = 0;
	*more = false;
	poller->lcore.now_ns = clock_now_ns();
	for (uint16_t q = 0; q < poller->rx_count; q++) {
		uint16_t n = BURST;
		uint32_t found = 0;
		for (unsigned round = 0; n == BURST && round < ROUNDS; round++) {
			n = serve_queue(poller, &poller->rx[q]);
			found += n;
		}
		if (found >= CROWD)
			note_crowd(poller);
		total += found;
		*more = *more || n == BURST;
	}
	uint16_t n = serve_inbox(poller);
	send_held(poller);
	settle(poller);
	*more = *more || n == BURST;
	return total + n;
}

static void nap(struct poller *poller)
{
	struct timespec time = {.tv_sec = poller->batch_us / 1000000,
				.tv_nsec = (long)(poller->batch_us % 1000000) * 1000};
	rte_rcu_qsbr_thread_offline(poller->rcu, poller->lcore.index);
	uint64_t before_ns = clock_now_ns();
	nanosleep(&time, NULL);
	counter_add(&poller->lcore.asleep_ns, clock_now_ns() - before_ns);
	rte_rcu_qsbr_thread_online(poller->rcu, poller->lcore.index);
	counter_add(&poller->lcore.naps, 1);
}

/* Block until a packet or a wake-up comes. What was sent last may not be given back yet: the mbufs
 * are asked for again a few times, and then it is quiet. */
static void block(struct poller *poller)
{
	static const int timeouts_ms[] = {10, 100, 1000};
	for (unsigned i = 0; poller->has_sent && i < sizeof(timeouts_ms) / sizeof(*timeouts_ms);
	     i++) {
		tx_reclaim(poller);
		if (poll(poller->fds, poller->fd_count, timeouts_ms[i]) != 0)
			return;
	}
	tx_reclaim(poller);
	poller->has_sent = false;
	poll(poller->fds, poller->fd_count, -1);
}

static void wait_for_packet(struct poller *poller)
{
	rte_rcu_qsbr_thread_offline(poller->rcu, poller->lcore.index);
	atomic_store(&poller->asleep, true); /* before looking at the inbox a last time */
	if (rte_ring_empty(poller->inbox) && !atomic_load(poller->stop)) {
		uint64_t before_ns = clock_now_ns();
		block(poller);
		counter_add(&poller->lcore.asleep_ns, clock_now_ns() - before_ns);
		counter_add(&poller->lcore.waits, 1);
	}
	atomic_store(&poller->asleep, false);
	uint64_t ignored;
	if (read(poller->wake_fd, &ignored, sizeof(ignored)) < 0)
		ignored = 0; /* it was a packet that woke us */
	rte_rcu_qsbr_thread_online(poller->rcu, poller->lcore.index);
}

int poller_main(void *arg)
{
	struct poller *poller = arg;
	uint32_t patience = poller->batch_us ? EMPTY_BATCHES : EMPTY_SPINS;
	uint32_t empty = 0;
	prctl(PR_SET_TIMERSLACK, 1000ul); /* ns: the default adds 50 us to each batch */
	rte_rcu_qsbr_thread_online(poller->rcu, poller->lcore.index);
	while (!atomic_load_explicit(poller->stop, memory_order_relaxed)) {
		bool more;
		uint32_t n = iterate(poller, &more);
		rte_rcu_qsbr_quiescent(poller->rcu, poller->lcore.index);
		empty = n ? 0 : empty + 1;
		if (more)
			continue;
		if (empty >= patience && poller->can_wait && !poller->lcore.held_count) {
			wait_for_packet(poller);
			empty = 0;
		} else if (poller->batch_us) {
			nap(poller);
		}
	}
	rte_rcu_qsbr_thread_offline(poller->rcu, poller->lcore.index);
	return 0;
}
