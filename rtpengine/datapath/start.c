/* start.c - starting and stopping the packet half: addresses, devices, EAL, lcores, in that order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <errno.h>
#include <fcntl.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "rtpengine/datapath/poller.h"
#include "rtpengine/datapath/srtp.h"

/* What one queue's driver may hold: its fill ring and its transmit ring. */
#define MBUFS_PER_QUEUE 4096
#define MBUFS_PER_LCORE 2048
#define MBUF_CACHE      256
#define EAL_MEGABYTES   48 /* heap beside the mbufs; what is not touched costs nothing */

static int add_range(struct media_address *address, const struct datapath_interface *interface,
		     char *why)
{
	char text[ADDR_TEXT_SIZE];
	for (uint16_t r = 0; r < address->range_count; r++)
		if (interface->first_port <= address->ranges[r].last &&
		    interface->last_port >= address->ranges[r].first)
			return why_set(why, -ERR_EXISTS,
				       "interfaces %s and %s share the address %s and media ports; "
				       "give them different media.ports",
				       address->interface, interface->name,
				       addr_ip_text(&address->addr, text));
	if (address->range_count == RANGES_MAX)
		return why_set(why, -ERR_TOO_MANY, "more than %d interfaces share the address %s",
			       RANGES_MAX, addr_ip_text(&address->addr, text));
	address->ranges[address->range_count++] =
		(struct port_range){interface->first_port, interface->last_port};
	return 0;
}

static int add_address(struct datapath *datapath, const struct datapath_interface *interface,
		       const struct addr *addr, char *why)
{
	if (!addr_is_set(addr) || addr_is_any(addr) || addr_is_multicast(addr))
		return why_set(why, -ERR_INVALID,
			       "interface %s: media needs an address of this host, not a wildcard",
			       interface->name);
	uint16_t i = 0;
	while (i < datapath->address_count && !addr_equal_ip(&datapath->addresses[i].addr, addr))
		i++;
	if (i == ENDPOINTS_MAX)
		return why_set(why, -ERR_TOO_MANY, "more than %d media addresses", ENDPOINTS_MAX);
	if (i == datapath->address_count) {
		datapath->addresses[i].addr = *addr;
		datapath->addresses[i].addr.port = 0;
		datapath->addresses[i].is_floating = interface->is_floating;
		datapath->addresses[i].interface = strdup(interface->name);
		datapath->address_count++;
		if (!datapath->addresses[i].interface)
			return why_set(why, -ERR_NO_MEMORY, "out of memory");
	}
	return add_range(&datapath->addresses[i], interface, why);
}

static int collect_addresses(struct datapath *datapath, const struct datapath_config *config,
			     char *why)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct datapath_interface *interface = &config->interfaces[i];
		if (interface->first_port < 1 || interface->first_port > interface->last_port)
			return why_set(
				why, -ERR_INVALID, "interface %s: media.ports %u-%u is not a range",
				interface->name, interface->first_port, interface->last_port);
		for (size_t k = 0; k < interface->address_count; k++) {
			int err = add_address(datapath, interface, &interface->addresses[k], why);
			if (err)
				return err;
		}
	}
	if (datapath->address_count == 0)
		return why_set(why, -ERR_INVALID, "no media address is configured");
	return 0;
}

static int make_endpoints(struct datapath *datapath, char *why)
{
	for (uint16_t i = 0; i < datapath->address_count; i++) {
		int err = endpoint_make(&datapath->endpoints[i], &datapath->addresses[i], why);
		if (err)
			return err;
	}
	return 0;
}

static void on_neighbour(void *owner, unsigned ifindex, const struct addr *ip, const uint8_t *mac)
{
	hops_on_neighbour(&((struct datapath *)owner)->hops, ifindex, ip, mac);
}

static void on_change(void *owner)
{
	hops_on_change(&((struct datapath *)owner)->hops);
}

static int make_control(struct datapath *datapath, uint32_t max_flows, char *why)
{
	static const struct netlink_events events = {on_neighbour, on_change};
	struct hops *hops = &datapath->hops;
	int err = netlink_create(&events, datapath, &datapath->netlink);
	if (err)
		return why_set(why, err, "cannot follow routes and neighbours: %s", err_text(err));
	hops->netlink = datapath->netlink;
	hops->retired = &datapath->retired;
	hops->devices = datapath->devices;
	hops->device_count = datapath->device_count;
	hops->addresses = datapath->addresses;
	hops->address_count = datapath->address_count;
	err = hops_init(hops);
	if (!err)
		err = flows_init(&datapath->flows, max_flows ? max_flows : DATAPATH_MAX_FLOWS);
	if (err)
		return why_set(why, err, "cannot make the flow table: %s", err_text(err));
	datapath->flows.retired = &datapath->retired;
	datapath->flows.hops = hops;
	datapath->flows.endpoints = datapath->endpoints;
	datapath->flows.addresses = datapath->addresses;
	datapath->flows.endpoint_count = datapath->address_count;
	datapath->flows.lcore_count = datapath->lcore_count;
	return 0;
}

static int watch(struct datapath *datapath, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return fd < 0 || epoll_ctl(datapath->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 ? -ERR_SYSTEM
										       : 0;
}

static int make_descriptors(struct datapath *datapath, char *why)
{
	datapath->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	datapath->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	datapath->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err = watch(datapath, datapath->event_fd);
	if (!err)
		err = watch(datapath, datapath->timer_fd);
	if (!err)
		err = watch(datapath, netlink_fd(datapath->netlink));
	if (err)
		return why_set(why, err, "cannot make descriptors: %s", strerror(errno));
	return 0;
}

static uint32_t mbufs_needed(const struct datapath *datapath)
{
	uint32_t queues = 0;
	for (uint16_t i = 0; i < datapath->device_count; i++)
		queues += datapath->devices[i].queues ? datapath->devices[i].queues : 1;
	return queues * MBUFS_PER_QUEUE + datapath->lcore_count * MBUFS_PER_LCORE - 1u;
}

static size_t private_size(void)
{
	return RTE_ALIGN_CEIL(sizeof(struct carried), RTE_MBUF_PRIV_ALIGN);
}

/* The AF_XDP driver takes a pool for one block of objects without gaps, as long as their number
 * times their size. By default DPDK lets no object cross a page; with 4 KB pages nearly every
 * second one would then lie behind the end, and be lost to the kernel ("invalid descriptor") when
 * its turn comes. A bound NIC needs just that default, for its DMA. */
static struct rte_mempool *make_pool(uint32_t mbufs, bool is_one_block)
{
	if (!is_one_block)
		return rte_pktmbuf_pool_create("media", mbufs, MBUF_CACHE, (uint16_t)private_size(),
					       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct rte_pktmbuf_pool_private private = {
		.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE,
		.mbuf_priv_size = (uint16_t)private_size(),
	};
	unsigned size =
		(unsigned)(sizeof(struct rte_mbuf) + private_size() + RTE_MBUF_DEFAULT_BUF_SIZE);
	struct rte_mempool *pool =
		rte_mempool_create_empty("media", mbufs, size, MBUF_CACHE, sizeof(private),
					 SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (!pool)
		return NULL;
	rte_pktmbuf_pool_init(pool, &private);
	if (rte_mempool_populate_default(pool) != (int)mbufs || pool->nb_mem_chunks != 1) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

static int start_eal(struct datapath *datapath, const struct datapath_config *config, char *why)
{
	uint32_t mbufs = mbufs_needed(datapath);
	/* with the object header, and room for how the pool spreads its objects over channels */
	size_t each = sizeof(struct rte_mbuf) + private_size() + RTE_MBUF_DEFAULT_BUF_SIZE + 512;
	struct eal_config eal = {
		.cores = config->cores,
		.core_count = config->core_count,
		.hugepages = config->hugepages,
		.pci_address = config->driver == DATAPATH_PCI ? config->pci_address : NULL,
		.megabytes = (uint32_t)(mbufs * each >> 20) + EAL_MEGABYTES,
	};
	int err = eal_start(&eal, why, &datapath->eal);
	if (err)
		return err;
	datapath->pool = make_pool(mbufs, config->driver != DATAPATH_PCI);
	size_t rcu_size = rte_rcu_qsbr_get_memsize(datapath->lcore_count);
	datapath->rcu = rte_zmalloc("rcu", rcu_size, RTE_CACHE_LINE_SIZE);
	if (!datapath->pool || !datapath->rcu)
		return why_set(why, -ERR_NO_MEMORY, "no memory for %u packet buffers (%u MB)",
			       mbufs, eal.megabytes);
	rte_rcu_qsbr_init(datapath->rcu, datapath->lcore_count);
	retire_init(&datapath->retired, datapath->rcu);
	return 0;
}

/* A packet from lo to a local socket comes without the route that the kernel's own would carry: it
 * must be willing to take one from itself. */
static void open_loopback(const struct device *device, const struct log *log)
{
	static const char *const settings[] = {"/proc/sys/net/ipv4/conf/lo/accept_local",
					       "/proc/sys/net/ipv4/conf/lo/route_localnet"};
	for (size_t i = 0; device->is_loopback && i < sizeof(settings) / sizeof(*settings); i++) {
		int fd = open(settings[i], O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "1", 1) != 1)
			log_warn(log, "datapath.loopback", "setting=%s failed=\"%s\"", settings[i],
				 strerror(errno));
		if (fd >= 0)
			close(fd);
	}
}

static int open_devices(struct datapath *datapath, const struct datapath_config *config, char *why)
{
	struct device_config device_config = {
		.driver = config->driver,
		.pci_address = config->pci_address,
		.addresses = datapath->addresses,
		.address_count = datapath->address_count,
		.pool = datapath->pool,
		.batch_us = config->batch_us,
		.last_error = eal_last_error(datapath->eal),
		.log = config->log,
	};
	for (uint16_t i = 0; i < datapath->device_count; i++) {
		struct device *device = &datapath->devices[i];
		int err = device_open(device, &device_config, i, why);
		if (err)
			return err;
		open_loopback(device, config->log);
		log_info(config->log, "datapath.device", "name=%s driver=%s queues=%u mtu=%u",
			 device->name, device_driver_name(device), device->queues, device->mtu);
	}
	datapath->baseline = rte_mempool_in_use_count(datapath->pool);
	return 0;
}

static void add_fd(struct poller *poller, int fd)
{
	poller->fds[poller->fd_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static int make_poller(struct datapath *datapath, const struct datapath_config *config,
		       uint16_t index, char *why)
{
	struct poller *poller = rte_zmalloc("poller", sizeof(*poller), RTE_CACHE_LINE_SIZE);
	char name[32];
	if (!poller)
		return why_set(why, -ERR_NO_MEMORY, "out of memory");
	datapath->pollers[index] = poller;
	poller->lcore.index = index;
	poller->lcore.endpoints = datapath->endpoints;
	poller->lcore.endpoint_count = datapath->address_count;
	poller->lcore.ops = &poller_ops;
	poller->cpu = config->cores[index];
	poller->batch_us = config->batch_us;
	poller->rcu = datapath->rcu;
	poller->pollers = datapath->pollers;
	poller->stop = &datapath->stop;
	poller->control_fd = datapath->event_fd;
	poller->tap = NO_TAP;
	poller->can_wait = true;
	poller->device_count = datapath->device_count;
	poller->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(name, sizeof(name), "inbox%u", index);
	poller->inbox = rte_ring_create(name, HANDOVER_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	poller->punts = calloc(1, sizeof(*poller->punts));
	poller->lcore.records = calloc(1, sizeof(*poller->lcore.records));
	int err = srtp_lcore_create(&poller->lcore.srtp);
	if (err || !poller->inbox || poller->wake_fd < 0 || !poller->punts ||
	    !poller->lcore.records || rte_rcu_qsbr_thread_register(datapath->rcu, index) != 0)
		return why_set(why, -ERR_NO_MEMORY, "cannot set up lcore %u", index);
	add_fd(poller, poller->wake_fd);
	return 0;
}

static int add_queue(struct poller *poller, const struct device *device, uint16_t device_index,
		     uint16_t queue)
{
	if (poller->rx_count + 2 > QUEUES_MAX)
		return -ERR_TOO_MANY;
	poller->rx[poller->rx_count++] =
		(struct rx_queue){.port = device->port, .queue = queue, .device = device_index};
	if (device->fd_count == device->queues)
		add_fd(poller, device->fds[queue]);
	else
		poller->can_wait = false; /* no socket to wait for: a bound NIC */
	struct tx_buffer *tx = &poller->tx[device_index];
	if (tx->lcore != poller->lcore.index) {
		tx->lcore = poller->lcore.index;
		tx->queue = queue;
	}
	return 0;
}

/* What the NIC gets that is not media goes up the tap, what the tap gives goes out of the NIC. */
static void add_tap(struct poller *poller, const struct device *device)
{
	poller->tap = poller->device_count++;
	poller->tx[poller->tap] =
		(struct tx_buffer){.port = device->tap_port, .lcore = poller->lcore.index};
	poller->rx[poller->rx_count++] =
		(struct rx_queue){.port = device->tap_port, .is_tap = true, .device = 0};
}

/* Queues go round the lcores; who has no queue of a device sends through the one that has its
 * first. */
static int share_queues(struct datapath *datapath, char *why)
{
	uint16_t next = 0;
	for (uint16_t d = 0; d < datapath->device_count; d++) {
		const struct device *device = &datapath->devices[d];
		uint16_t first = next;
		for (uint16_t i = 0; i < datapath->lcore_count; i++) {
			datapath->pollers[i]->tx[d].port = device->port;
			datapath->pollers[i]->tx[d].lcore = UINT16_MAX;
		}
		for (uint16_t q = 0; q < device->queues; q++) {
			if (add_queue(datapath->pollers[next], device, d, q) != 0)
				return why_set(why, -ERR_TOO_MANY,
					       "more device queues than %u lcores can serve; add "
					       "dataplane.cores",
					       datapath->lcore_count);
			next = (uint16_t)((next + 1) % datapath->lcore_count);
		}
		for (uint16_t i = 0; i < datapath->lcore_count; i++)
			if (datapath->pollers[i]->tx[d].lcore == UINT16_MAX)
				datapath->pollers[i]->tx[d].lcore = first;
		if (device->tap[0])
			add_tap(datapath->pollers[first], device);
	}
	return 0;
}

static int start_lcores(struct datapath *datapath, char *why)
{
	for (uint16_t i = 0; i < datapath->lcore_count; i++) {
		datapath->is_running = true;
		if (rte_eal_remote_launch(poller_main, datapath->pollers[i], eal_lcore(i)) != 0)
			return why_set(why, -ERR_SYSTEM, "cannot start lcore %u on CPU %u", i,
				       datapath->pollers[i]->cpu);
	}
	return 0;
}

static int start(struct datapath *datapath, const struct datapath_config *config, char *why)
{
	if (config->core_count == 0 || config->core_count > LCORES_MAX)
		return why_set(why, -ERR_INVALID, "dataplane.cores: between 1 and %d CPUs",
			       LCORES_MAX);
	datapath->lcore_count = (uint16_t)config->core_count;
	int err = collect_addresses(datapath, config, why);
	if (!err)
		err = devices_find(datapath->addresses, datapath->address_count, config->driver,
				   datapath->devices, &datapath->device_count, why);
	if (!err)
		err = make_endpoints(datapath, why);
	if (!err)
		err = start_eal(datapath, config, why);
	if (!err)
		err = open_devices(datapath, config, why);
	if (!err)
		err = make_control(datapath, config->max_flows, why);
	if (!err && srtp_crypto_create(&datapath->flows.crypto) != 0)
		err = why_set(why, -ERR_NO_MEMORY, "out of memory for the ciphers of SRTP");
	if (!err)
		err = make_descriptors(datapath, why);
	for (uint16_t i = 0; i < datapath->lcore_count && !err; i++)
		err = make_poller(datapath, config, i, why);
	if (!err)
		err = share_queues(datapath, why);
	return err ? err : start_lcores(datapath, why);
}

int datapath_create(const struct datapath_config *config, char why[DATAPATH_WHY_SIZE],
		    struct datapath **out)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	why[0] = '\0';
	if (!datapath)
		return why_set(why, -ERR_NO_MEMORY, "out of memory");
	datapath->log = config->log;
	datapath->epoll_fd = datapath->event_fd = datapath->timer_fd = -1;
	retire_init(&datapath->retired, NULL);
	int err = start(datapath, config, why);
	if (err) {
		datapath_destroy(datapath);
		return err;
	}
	log_info(config->log, "datapath.started", "lcores=%u devices=%u addresses=%u batch_us=%u",
		 datapath->lcore_count, datapath->device_count, datapath->address_count,
		 config->batch_us);
	*out = datapath;
	return 0;
}

static void stop_lcores(struct datapath *datapath)
{
	uint64_t one = 1;
	atomic_store(&datapath->stop, true);
	for (uint16_t i = 0; datapath->is_running && i < datapath->lcore_count; i++) {
		ssize_t ignored = write(datapath->pollers[i]->wake_fd, &one, sizeof(one));
		(void)ignored; /* full: it is awake */
		rte_eal_wait_lcore(eal_lcore(i));
	}
	datapath->is_running = false;
}

static void free_poller(struct poller *poller)
{
	void *mbuf;
	if (!poller)
		return;
	while (poller->inbox && rte_ring_dequeue(poller->inbox, &mbuf) == 0)
		rte_pktmbuf_free(mbuf);
	rte_ring_free(poller->inbox);
	if (poller->wake_fd >= 0)
		close(poller->wake_fd);
	free(poller->punts);
	free(poller->lcore.records);
	srtp_lcore_destroy(poller->lcore.srtp);
	rte_free(poller);
}

void datapath_destroy(struct datapath *datapath)
{
	if (!datapath)
		return;
	stop_lcores(datapath);
	flows_free(&datapath->flows);
	srtp_crypto_destroy(datapath->flows.crypto);
	hops_free(&datapath->hops);
	retire_all(&datapath->retired);
	netlink_destroy(datapath->netlink);
	for (uint16_t i = 0; i < LCORES_MAX; i++)
		free_poller(datapath->pollers[i]);
	for (uint16_t i = 0; i < datapath->device_count; i++)
		device_close(&datapath->devices[i], datapath->log);
	rte_mempool_free(datapath->pool);
	rte_free(datapath->rcu);
	eal_stop(datapath->eal);
	for (uint16_t i = 0; i < datapath->address_count; i++) {
		free(datapath->endpoints[i].ports);
		free((char *)(uintptr_t)datapath->addresses[i].interface);
	}
	const int fds[] = {datapath->epoll_fd, datapath->event_fd, datapath->timer_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(datapath);
}
