/* control.h - what the control-thread half of the datapath shares: the parts of struct datapath and
 * the verbs of flows.c, hops.c, device.c and eal.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <net/if.h>
#include <time.h>
#include "control/base/table.h"
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/netlink.h"
#include "rtpengine/datapath/retire.h"
#include "rtpengine/datapath/slab.h"

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct rte_mempool;
struct srtp_crypto;
struct rte_rcu_qsbr;
struct poller;
struct eal;

#define RANGES_MAX 8 /* media ranges of one address (interfaces that share it) */
#define DEVICE_FDS 64

struct port_range {
	uint16_t first, last;
};

/* An endpoint with what only the control thread needs. Same index as in datapath.endpoints. */
struct media_address {
	struct addr addr;
	const char *interface; /* the first that named it */
	bool is_floating;      /* of no device yet, perhaps: its network tells which */
	struct port_range ranges[RANGES_MAX];
	uint16_t range_count;
	unsigned ifindex; /* 0: no kernel device has it (PCI) */
};

struct device {
	char name[IF_NAMESIZE];
	unsigned ifindex;
	uint8_t mac[6];
	uint16_t mtu;
	uint16_t queues;
	bool is_loopback;
	bool has_split_queues;       /* several rx queues, but not as pairs: AF_XDP sees one */
	enum datapath_driver driver; /* the one that serves it */
	char vdev[32];               /* "net_af_xdp0"; "" = not open */
	uint16_t port;               /* DPDK's */
	bool is_started;
	int guard_fd;     /* holds the name, so that no second relay takes the device */
	bool has_chain;   /* an nftables chain of ours */
	bool has_program; /* an XDP program of ours */
	int map_fd;       /* of its addresses and ports; 0 = none */
	char tap[32];     /* PCI: the vdev of the exception path; "" = none */
	uint16_t tap_port;
	int fds[DEVICE_FDS]; /* the driver's sockets (its, not ours to close) */
	uint16_t fd_count;
	/* coalesce.c */
	int timeout_fd, defer_fd;
	unsigned long timeout_ns, kept_timeout_ns, kept_defer;
};

struct hops {
	struct table table;
	uint64_t key[2];
	struct netlink *netlink;
	struct retire_queue *retired;
	const struct device *devices;
	uint16_t device_count;
	const struct media_address *addresses;
	uint16_t address_count;
	bool is_stale; /* routes changed: look up at the next tick, or sooner */
	uint64_t tick;
};

struct flows {
	struct flow_slot *slots; /* mapped once: max of them */
	struct flow_control *controls;
	uint32_t max, count;
	uint32_t *free; /* indexes, a queue: the longest unused goes first */
	uint32_t free_head, free_count;
	struct retire_queue *retired;
	struct hops *hops;
	struct endpoint *endpoints;
	const struct media_address *addresses;
	uint16_t endpoint_count;
	uint16_t lcore_count;
	struct srtp_crypto *crypto;         /* to expand keys */
	struct slab plain_entries, entries; /* compile.c */
};

/* hops.c */
MUST_CHECK int hops_init(struct hops *hops);
void hops_free(struct hops *hops);
/* One hop for each (destination, source) pair, counted. Never unusable for lack of a neighbour: it
 * is asked for, and packets are dropped meanwhile. */
MUST_CHECK int hop_get(struct hops *hops, const struct addr *to, const struct addr *from,
		       struct hop **out);
void hop_put(struct hops *hops, struct hop *hop); /* NULL is fine */
void hops_on_neighbour(struct hops *hops, unsigned ifindex, const struct addr *ip,
		       const uint8_t *mac);
void hops_on_change(struct hops *hops);
/* Once a second: look routes up again if they changed, ask for neighbours that are missing, keep
 * the kernel's entries fresh. */
void hops_tick(struct hops *hops);

/* flows.c */
MUST_CHECK int flows_init(struct flows *flows, uint32_t max);
void flows_free(struct flows *flows); /* after the lcores have stopped */
uint16_t flows_lcore(const struct flows *flows, uint32_t affinity);
MUST_CHECK int flows_open(struct flows *flows, const struct addr *local, uint32_t affinity,
			  struct flow_id *out);
MUST_CHECK int flows_set(struct flows *flows, struct flow_id id, const struct flow_rule *rule,
			 uint64_t now_ns);
MUST_CHECK int flows_lock(struct flows *flows, struct flow_id id, const struct addr *source);
const struct flow *flows_find(const struct flows *flows, struct flow_id id); /* NULL = not open */
size_t flows_srtp(const struct flows *flows, struct flow_id id, bool is_outgoing,
		  struct flow_srtp_index *out, size_t max);
/* Room for more SSRCs under its keys, where there is no more. */
void flows_grow(struct flows *flows, struct flow_id id);
void flows_close(struct flows *flows, struct flow_id id);
MUST_CHECK int flows_stats(const struct flows *flows, struct flow_id id, struct flow_stats *out);

/* follow.c */
MUST_CHECK int endpoint_make(struct endpoint *endpoint, const struct media_address *address,
			     char *why);

/* device.c and one file per driver */
struct device_config {
	enum datapath_driver driver;
	const char *pci_address;
	const struct media_address *addresses;
	uint16_t address_count;
	struct rte_mempool *pool;
	uint32_t batch_us;
	const char *last_error; /* of EAL and its drivers */
	const struct log *log;
};
/* Which devices serve the addresses: fills ifindex of each and the list. */
MUST_CHECK int devices_find(struct media_address *addresses, uint16_t address_count,
			    enum datapath_driver driver, struct device *devices, uint16_t *count,
			    char *why);
/* The device of a new address, which must be one of those that are open. */
MUST_CHECK int devices_have(const struct device *devices, uint16_t count,
			    struct media_address *address, char *why);
/* What the device gives us, and keeps from the kernel, from now on. */
MUST_CHECK int device_refill(struct device *device, const struct device_config *config, char *why);
/* MAC addresses and MTUs may have changed. */
void devices_refresh(struct device *devices, uint16_t count);
MUST_CHECK int device_open(struct device *device, const struct device_config *config,
			   uint16_t index, char *why);
void device_close(struct device *device, const struct log *log);
const char *device_driver_name(const struct device *device);
/* DPDK's part, the same for all drivers: attach the vdev, set up queues, start. */
MUST_CHECK int device_start(struct device *device, const struct device_config *config,
			    const char *bus, const char *arguments, char *why);
/* One line into `why` (DATAPATH_WHY_SIZE); returns err. */
int why_set(char *why, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

MUST_CHECK int af_xdp_open(struct device *device, const struct device_config *config,
			   uint16_t index, char *why);
MUST_CHECK int af_xdp_refill(struct device *device, const struct device_config *config, char *why);
void af_xdp_close(struct device *device);
/* coalesce.c: take packets in by batches while there are calls. */
void coalesce_open(struct device *device, uint32_t batch_us);
void coalesce_set(struct device *device, bool on);
void coalesce_close(struct device *device);
MUST_CHECK int af_packet_open(struct device *device, const struct device_config *config,
			      uint16_t index, char *why);
MUST_CHECK int af_packet_refill(struct device *device, const struct device_config *config,
				char *why);
void af_packet_close(struct device *device, const struct log *log);
MUST_CHECK int pci_open(struct device *device, const struct device_config *config, char *why);
void pci_close(struct device *device); /* the tap */

/* start.c makes it, datapath.c serves it. */
struct datapath {
	const struct log *log;
	struct eal *eal;
	struct rte_mempool *pool;
	uint32_t baseline; /* mbufs that the drivers keep when nothing moves */
	struct rte_rcu_qsbr *rcu;
	struct retire_queue retired;
	struct netlink *netlink;
	struct hops hops;
	struct flows flows;
	uint16_t address_count;
	struct media_address addresses[ENDPOINTS_MAX];
	struct endpoint endpoints[ENDPOINTS_MAX];
	uint16_t device_count;
	struct device devices[DEVICES_MAX];
	uint16_t lcore_count;
	struct poller *pollers[LCORES_MAX];
	bool is_running;
	_Atomic bool stop;
	int epoll_fd, event_fd, timer_fd;
	bool timer_is_armed;
	bool is_coalesced;                    /* coalesce.c is on */
	uint64_t counted_ns, counted_packets; /* at the last tick: the rate */
	datapath_event_fn *on_event;
	void *on_event_owner;
	datapath_punt_fn *on_punt;
	void *on_punt_owner;
	uint16_t ip_id; /* of the packets that the control thread sends */
};

/* inject.c: give punted packets to their handler, so many at once. */
void inject_serve_punts(struct datapath *datapath);

/* eal.c */
struct eal_config {
	const unsigned *cores;
	size_t core_count;
	enum datapath_hugepages hugepages;
	const char *pci_address; /* NULL = no PCI bus at all */
	uint32_t megabytes;
};
/* struct eal keeps the last line that EAL or a driver logged */
MUST_CHECK int eal_start(const struct eal_config *config, char *why, struct eal **out);
const char *eal_last_error(const struct eal *eal); /* "" = none */
unsigned eal_lcore(size_t index);                  /* EAL's number of our lcore `index` */
void eal_stop(struct eal *eal);
