/* poller.h - an lcore with its queues, its rings to the others and its sleep: what lcore.c, rx.c
 * and tx.c share. Owned by struct datapath, used by its own lcore.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <poll.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>
#include "rtpengine/datapath/lcore.h"

#define TX_BATCH        256
#define QUEUES_MAX      64 /* of one lcore */
#define EVENT_RING_SIZE 1024
#define HANDOVER_SIZE   4096
#define GARBAGE_MAX     256
/* Packets found in a queue at once above which its device had better not be coalesced: a veth's
 * ring has 256, and its sender is told of no overflow. */
#define CROWD 100

/* In the private area of every mbuf: the packet, while it goes from one lcore to another. */
struct carried {
	struct packet packet;
	struct flow_link flow; /* pointers to flows do not outlive an iteration; links do */
	uint16_t device;
	bool is_outbound; /* finished, to be sent on `device` */
	bool is_ours;     /* media that leaves through `flow` */
};

struct event_ring {            /* one lcore to the control thread */
	_Atomic uint32_t head; /* next to write */
	_Atomic uint32_t tail; /* next to read */
	struct datapath_event events[EVENT_RING_SIZE];
};

#define PUNT_RING_SIZE 256
struct punt_ring {             /* the same, for STUN and DTLS */
	_Atomic uint32_t head; /* next to write */
	_Atomic uint32_t tail; /* next to read */
	struct datapath_punt punts[PUNT_RING_SIZE];
};

struct rx_queue {
	uint16_t port;
	uint16_t queue;
	bool is_tap;     /* from the kernel, for the NIC: not looked at */
	uint16_t device; /* whose queue it is, or whose tap */
};

#define NO_TAP UINT16_MAX

/* Packets collected for one device. */
struct tx_buffer {
	uint16_t port;
	uint16_t queue;
	uint16_t lcore; /* who may send on this device in our stead; our own index: we do */
	uint16_t count;
	struct rte_mbuf *mbufs[TX_BATCH];
};

struct poller {
	struct lcore lcore; /* first: the ops cast back */
	unsigned cpu;
	unsigned eal_lcore;
	uint32_t batch_us;
	struct rte_rcu_qsbr *rcu;
	struct poller **pollers; /* of all lcores, by index */
	_Atomic bool *stop;
	int control_fd; /* eventfd of the control thread: events are waiting */

	uint16_t rx_count;
	struct rx_queue rx[QUEUES_MAX];
	uint16_t device_count;
	struct tx_buffer tx[DEVICES_MAX + 1]; /* one more: the tap of a bound NIC */
	uint16_t tap;                         /* its index in tx; NO_TAP = none */

	struct rte_ring *inbox; /* from other lcores: mbufs with a struct carried */
	int wake_fd;            /* eventfd: the inbox has something, or stop */
	_Atomic bool asleep;
	bool can_wait; /* all our queues have sockets */
	bool has_sent; /* since the drivers last gave everything back */
	/* A queue held CROWD packets at once: the control thread is told, and takes it back. */
	_Atomic bool is_crowded;
	nfds_t fd_count;
	struct pollfd fds[QUEUES_MAX + 1]; /* the drivers' sockets and wake_fd */

	/* not on the stack, where the compiler would clear it for each burst */
	struct packet packets[BURST];
	bool event_added;
	struct event_ring events;
	struct punt_ring *punts; /* owned */
	uint16_t garbage_count;
	struct rte_mbuf *garbage[GARBAGE_MAX];
	uint64_t wake_mask; /* lcores that were handed something in this iteration */
};

extern const struct lcore_ops poller_ops;

/* rx.c: up to BURST packets of one queue; *taken: how many came (drops included). */
uint16_t rx_burst(struct poller *poller, const struct rx_queue *queue, struct packet *packets,
		  uint16_t *taken);
/* Everything the kernel sends through the tap leaves by the NIC. */
uint16_t rx_tap(struct poller *poller, const struct rx_queue *queue);
/* tx.c: put finished packets to their devices; send what is collected; take back what the drivers
 * have sent (without it, they keep the mbufs until the next packet). */
void tx_add(struct poller *poller, struct packet *packets, uint16_t n);
void tx_add_mbuf(struct poller *poller, uint16_t device, struct rte_mbuf *mbuf);
void tx_flush(struct poller *poller);
void tx_reclaim(struct poller *poller);
/* lcore.c */
bool poller_send_to(struct poller *poller, uint16_t lcore, struct rte_mbuf *mbuf);
void poller_release(struct poller *poller, struct rte_mbuf *mbuf);
int poller_main(void *poller); /* the loop; returns when stopped */
