/* datapath.h - the packet half of the relay, as the control thread sees it: start, flows, numbers,
 * events. Everything here is called by the control thread alone and never waits for an lcore.
 * One datapath per process (DPDK's EAL starts once). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "rtpengine/flow.h"

struct datapath;
struct record_ring;

/* One media interface of the configuration. Several may share an address (with other ports) and
 * several addresses may share a device; the device is found from the address. */
struct datapath_interface {
	const char *name; /* as in the YAML file, for messages */
	const struct addr *addresses;
	size_t address_count;
	bool is_floating;    /* they may be on another machine just now, and come later */
	uint16_t first_port; /* the media range, both ends included */
	uint16_t last_port;
};

enum datapath_driver { DATAPATH_AUTO, DATAPATH_AF_XDP, DATAPATH_AF_PACKET, DATAPATH_PCI };
enum datapath_hugepages { DATAPATH_HUGE_AUTO, DATAPATH_HUGE_NEVER, DATAPATH_HUGE_REQUIRE };

#define DATAPATH_BATCH_US  1000
#define DATAPATH_MAX_FLOWS 65536

struct datapath_config {
	const struct datapath_interface *interfaces; /* strings and arrays are copied */
	size_t interface_count;
	enum datapath_driver driver; /* AUTO: AF_XDP, or AF_PACKET where that cannot be (logged) */
	const char *pci_address;     /* DATAPATH_PCI */
	const unsigned *cores;       /* CPUs of the lcores; one CPU may be named twice */
	size_t core_count;           /* 1 to 16 */
	enum datapath_hugepages hugepages;
	uint32_t batch_us;     /* how long packets may wait to be handled together; 0 = spin */
	uint32_t max_flows;    /* 0 = DATAPATH_MAX_FLOWS */
	const struct log *log; /* must live as long as the datapath */
};

#define DATAPATH_WHY_SIZE 256

/* Open the devices and start the lcores; needs root (or CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF,
 * CAP_PERFMON, CAP_SYS_ADMIN, CAP_IPC_LOCK). When it fails, `why` holds one line: the cause and the
 * cure. Afterwards no capability is needed for packets, routes and neighbours. CAP_NET_ADMIN, if
 * kept, lets the kernel's neighbour entries be refreshed without a datagram (NTF_USE) and lets
 * datapath_destroy() take the XDP program or the nftables chain off the devices; without it they
 * stay until the next start, which removes what an earlier run left (the program passes everything
 * to the kernel once its sockets are closed). */
MUST_CHECK int datapath_create(const struct datapath_config *config, char why[DATAPATH_WHY_SIZE],
			       struct datapath **out);
void datapath_destroy(struct datapath *datapath); /* stops the lcores, closes the devices */
/* Could it go over to these? `why` says why not. */
MUST_CHECK int datapath_check(const struct datapath *datapath,
			      const struct datapath_interface *interfaces, size_t count,
			      char why[DATAPATH_WHY_SIZE]);
/* These addresses and ports from now on, on the devices of the start; flows on others must be
 * closed. On failure nothing has changed, and `why` says why. */
MUST_CHECK int datapath_follow(struct datapath *datapath,
			       const struct datapath_interface *interfaces, size_t count,
			       char why[DATAPATH_WHY_SIZE]);

/* One pollable descriptor: readable when datapath_poll() has something to do (netlink, events,
 * a timer of its own). Put it into the control loop with LOOP_READ. */
int datapath_fd(const struct datapath *datapath);
void datapath_poll(struct datapath *datapath);

/* A flow's life: open reserves the local port (nothing is admitted yet, drop reason "closed"), set
 * publishes or replaces the rule, close retires it. Which port to take, and how long to leave it
 * unused afterwards, is the session's affair.
 * Flows that name each other must have been opened with the same `affinity` (a hash of the call):
 * it chooses the lcore that serves them. */
MUST_CHECK int datapath_flow_open(struct datapath *datapath, const struct addr *local,
				  uint32_t affinity, struct flow_id *out);
bool datapath_same_lcore(const struct datapath *datapath, uint32_t affinity, uint32_t other);
/* -ERR_INVALID: contradictory rule; -ERR_NOT_FOUND: a flow id in it (or `id`) is not open. */
MUST_CHECK int datapath_flow_set(struct datapath *datapath, struct flow_id id,
				 const struct flow_rule *rule);
/* The peer's source, as the control thread knows it (ICE): `source` is locked from here on, in any
 * mode, until the rule's epoch changes, another call, or what the mode itself lets move it. It
 * needs no place among the expected ones. -ERR_INVALID: not an address of the flow's family. */
MUST_CHECK int datapath_flow_lock(struct datapath *datapath, struct flow_id id,
				  const struct addr *source);
/* RTP of ours to the peer of flow `id`, sealed as its rule says; it numbers itself. Lost when the
 * lcore is busy (-ERR_BUSY), as any packet may be. */
MUST_CHECK int datapath_media_send(struct datapath *datapath, struct flow_id id, const uint8_t *rtp,
				   size_t len);
/* Where the lcores put copies of what `recording` asks for: a ring each, to be read by one thread.
 */
struct record_ring *datapath_records(const struct datapath *datapath, size_t lcore);
/* Flows that still point at it drop what they receive (held). FLOW_NONE is fine. */
void datapath_flow_close(struct datapath *datapath, struct flow_id id);
MUST_CHECK int datapath_flow_stats(const struct datapath *datapath, struct flow_id id,
				   struct flow_stats *out);
/* How far the SSRCs of a flow have come, to be kept for a restored session (flow_srtp.initial).
 * Returns how many were stored. */
size_t datapath_flow_srtp(const struct datapath *datapath, struct flow_id id, bool is_outgoing,
			  struct flow_srtp_index *out, size_t max);
uint32_t datapath_flow_count(const struct datapath *datapath); /* open ones */

/* What the lcores report, oldest first. Returns how many were stored in `out`. Events are a
 * convenience: when their ring is full they are counted (events_lost) and gone; flow_stats holds
 * the same facts. */
enum datapath_event_type {
	DATAPATH_SOURCE_LOCKED, /* a source was confirmed */
	DATAPATH_SOURCE_MOVED,  /* the NAT re-mapped: another port of the same address */
	DATAPATH_SOURCE_ROAMED, /* SRTP came from a new address, which is now locked */
	DATAPATH_HIJACK,        /* the first stranger since the lock; more are only counted */
	DATAPATH_DTMF,          /* the end of a telephone event that arrived (RFC 4733) */
	DATAPATH_PLAYED,        /* flow_play is over */
	DATAPATH_SRTP_SHORT,    /* more SSRCs than expected: done with in here, never given out */
};
struct datapath_event {
	enum datapath_event_type type;
	struct flow_id flow;
	struct addr source;    /* of those about sources */
	uint8_t event, volume; /* DATAPATH_DTMF */
	uint16_t duration;     /* DATAPATH_DTMF, in units of the stream's clock */
	uint32_t play;         /* DATAPATH_PLAYED: its id */
};
size_t datapath_events(struct datapath *datapath, struct datapath_event *out, size_t max);
/* Called from datapath_poll() when events are waiting. */
typedef void datapath_event_fn(void *owner);
void datapath_on_event(struct datapath *datapath, datapath_event_fn *fn, void *owner);

/* A STUN or DTLS datagram that the control thread has to answer (flow_rule: has_ice, has_dtls). */
struct datapath_punt {
	struct flow_id flow;
	struct addr source;
	bool is_stun; /* DTLS otherwise */
	uint16_t len;
	uint8_t data[PUNT_MAX];
};
/* Called from datapath_poll(), some for each call; `punt` is valid during it. */
typedef void datapath_punt_fn(void *owner, const struct datapath_punt *punt);
void datapath_on_punt(struct datapath *datapath, datapath_punt_fn *fn, void *owner);
/* One datagram (it may be empty) from the flow's local port, whatever its rule says.
 * -ERR_NOT_FOUND: not open; -ERR_UNREACHABLE: no route, no neighbour yet, or larger than the MTU;
 * -ERR_BUSY: the lcore is behind. STUN and DTLS send again by themselves. */
MUST_CHECK int datapath_flow_send(struct datapath *datapath, struct flow_id id,
				  const struct addr *to, const uint8_t *data, size_t len);

/* Numbers of one lcore. */
struct lcore_stats {
	unsigned cpu;
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t bursts;      /* bursts that held a packet */
	uint64_t naps;        /* timed batches slept */
	uint64_t waits;       /* times blocked until a packet came */
	uint64_t asleep_ns;   /* in both; counted when they end */
	bool is_blocked;      /* waiting now */
	uint64_t handed_over; /* packets passed to the lcore that owns their flow */
	uint64_t events_lost;
	uint64_t drops[DROP_COUNT];
};
size_t datapath_lcore_count(const struct datapath *datapath);
void datapath_lcore_stats(const struct datapath *datapath, size_t lcore, struct lcore_stats *out);

/* One opened device, for `show interfaces`. */
struct device_stats {
	const char *name;   /* "eth0" */
	const char *driver; /* "af_xdp", "af_packet", "pci" */
	unsigned queues;
	uint64_t missed; /* dropped by the driver or the kernel before we saw them */
	uint64_t tx_errors;
};
size_t datapath_device_count(const struct datapath *datapath);
void datapath_device_stats(const struct datapath *datapath, size_t device,
			   struct device_stats *out);

/* mbufs held by packets in flight: 0 when nothing moves, whatever the drivers keep in their rings.
 * For leak tests and stats. */
uint32_t datapath_mbufs_in_use(const struct datapath *datapath);
