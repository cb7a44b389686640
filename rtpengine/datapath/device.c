/* device.c - which kernel devices carry the media addresses, and what is the same for every driver:
 * attaching, queues, the driver's sockets, closing. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#define DESCRIPTORS 2048
/* Since Linux 6.17: how many packets one sendto() on an AF_XDP socket takes (32 before). */
#define XDP_MAX_TX_BUDGET    9
#define QUEUES_OF_DEVICE_MAX 32

int why_set(char *why, int err, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why, DATAPATH_WHY_SIZE, format, arguments);
	va_end(arguments);
	return err;
}

static bool find_ifindex(const struct ifaddrs *list, const struct addr *ip, unsigned *out)
{
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct addr has;
		if (!at->ifa_addr ||
		    (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
			continue;
		addr_from_sockaddr(at->ifa_addr, &has);
		/* all of 127.0.0.0/8 is on lo, listed or not */
		bool loopback = ip->family == AF_INET && ip->bytes[0] == 127 &&
				has.family == AF_INET && has.bytes[0] == 127;
		if (loopback || addr_equal_ip(&has, ip)) {
			*out = if_nametoindex(at->ifa_name);
			return *out != 0;
		}
	}
	return false;
}

static bool has_network(const struct ifaddrs *at, const struct addr *ip)
{
	struct addr has, mask;
	bool is_inside = true;

	if (!at->ifa_addr || !at->ifa_netmask || at->ifa_addr->sa_family != ip->family)
		return false;
	addr_from_sockaddr(at->ifa_addr, &has);
	addr_from_sockaddr(at->ifa_netmask, &mask);
	for (size_t i = 0; i < (ip->family == AF_INET ? 4 : 16); i++)
		is_inside &= ((has.bytes[i] ^ ip->bytes[i]) & mask.bytes[i]) == 0;
	return is_inside;
}

/* Where an address of that network would be. */
static bool find_network(const struct ifaddrs *list, const struct addr *ip, unsigned *out)
{
	for (const struct ifaddrs *at = list; at; at = at->ifa_next)
		if (has_network(at, ip))
			return (*out = if_nametoindex(at->ifa_name)) != 0;
	return false;
}

static int request(int fd, unsigned long what, const char *name, struct ifreq *ifr)
{
	size_t len = strlen(name);
	memset(ifr->ifr_name, 0, sizeof(ifr->ifr_name));
	memcpy(ifr->ifr_name, name, len < sizeof(ifr->ifr_name) ? len : sizeof(ifr->ifr_name) - 1);
	return ioctl(fd, what, ifr);
}

static void read_channels(int fd, struct device *device)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&channels};
	device->queues = 1;
	if (request(fd, SIOCETHTOOL, device->name, &ifr) != 0)
		return;
	if (channels.combined_count > 0 && channels.combined_count <= QUEUES_OF_DEVICE_MAX)
		device->queues = (uint16_t)channels.combined_count;
	device->has_split_queues = channels.combined_count == 0 && channels.rx_count > 1;
}

/* Name, MAC, MTU, state of a kernel device. */
static int read_device(unsigned ifindex, const struct media_address *address, struct device *device,
		       char *why)
{
	memset(device, 0, sizeof(*device));
	device->ifindex = ifindex;
	device->guard_fd = device->timeout_fd = device->defer_fd = -1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};
	int err = 0;
	if (fd < 0 || !if_indextoname(ifindex, device->name) ||
	    request(fd, SIOCGIFFLAGS, device->name, &ifr) != 0)
		err = why_set(why, -ERR_SYSTEM, "cannot read the device of interface %s: %s",
			      address->interface, strerror(errno));
	else if (!(ifr.ifr_flags & IFF_UP))
		err = why_set(why, -ERR_CLOSED,
			      "interface %s: device %s is down; 'ip link set %s up'",
			      address->interface, device->name, device->name);
	else if (request(fd, SIOCGIFHWADDR, device->name, &ifr) != 0)
		err = why_set(why, -ERR_SYSTEM, "cannot read the MAC address of %s: %s",
			      device->name, strerror(errno));
	else if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER &&
		 ifr.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		err = why_set(why, -ERR_UNSUPPORTED,
			      "interface %s: device %s is not Ethernet; use an address of an "
			      "Ethernet device",
			      address->interface, device->name);
	if (!err) {
		memcpy(device->mac, ifr.ifr_hwaddr.sa_data, 6);
		device->is_loopback = ifr.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
		if (request(fd, SIOCGIFMTU, device->name, &ifr) == 0)
			device->mtu =
				(uint16_t)(ifr.ifr_mtu < UINT16_MAX ? ifr.ifr_mtu : UINT16_MAX);
		read_channels(fd, device);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

void devices_refresh(struct device *devices, uint16_t count)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (uint16_t i = 0; fd >= 0 && i < count; i++) {
		struct ifreq ifr = {0};
		if (devices[i].driver == DATAPATH_PCI) /* the NIC's own, not the tap's */
			continue;
		if (request(fd, SIOCGIFHWADDR, devices[i].name, &ifr) == 0)
			memcpy(devices[i].mac, ifr.ifr_hwaddr.sa_data, 6);
		if (request(fd, SIOCGIFMTU, devices[i].name, &ifr) == 0 && ifr.ifr_mtu > 0)
			devices[i].mtu =
				(uint16_t)(ifr.ifr_mtu < UINT16_MAX ? ifr.ifr_mtu : UINT16_MAX);
	}
	if (fd >= 0)
		close(fd);
}

static int add_device(struct device *devices, uint16_t *count, struct media_address *address,
		      char *why)
{
	for (uint16_t i = 0; i < *count; i++)
		if (devices[i].ifindex == address->ifindex)
			return 0;
	if (*count == DEVICES_MAX)
		return why_set(why, -ERR_TOO_MANY, "media addresses on more than %d devices",
			       DEVICES_MAX);
	int err = read_device(address->ifindex, address, &devices[*count], why);
	if (!err)
		(*count)++;
	return err;
}

/* Of one that may be on another machine just now, its network tells the device. */
static bool find_device(const struct ifaddrs *list, struct media_address *address)
{
	return find_ifindex(list, &address->addr, &address->ifindex) ||
	       (address->is_floating && find_network(list, &address->addr, &address->ifindex));
}

int devices_find(struct media_address *addresses, uint16_t address_count,
		 enum datapath_driver driver, struct device *devices, uint16_t *count, char *why)
{
	struct ifaddrs *list = NULL;
	*count = 0;
	if (driver == DATAPATH_PCI) { /* its addresses are on the tap that pci.c makes */
		memset(&devices[0], 0, sizeof(devices[0]));
		devices[0].guard_fd = devices[0].timeout_fd = devices[0].defer_fd = -1;
		*count = 1;
		return 0;
	}
	if (getifaddrs(&list) != 0)
		return why_set(why, -ERR_SYSTEM, "cannot list addresses: %s", strerror(errno));
	int err = 0;
	for (uint16_t i = 0; i < address_count && !err; i++) {
		char text[ADDR_TEXT_SIZE];
		if (find_device(list, &addresses[i]))
			err = add_device(devices, count, &addresses[i], why);
		else
			err = why_set(why, -ERR_NOT_FOUND,
				      "interface %s: no device has the address %s; see 'ip "
				      "address', or correct interfaces.%s.address",
				      addresses[i].interface,
				      addr_ip_text(&addresses[i].addr, text),
				      addresses[i].interface);
	}
	freeifaddrs(list);
	return err;
}

int devices_have(const struct device *devices, uint16_t count, struct media_address *address,
		 char *why)
{
	struct ifaddrs *list = NULL;
	char text[ADDR_TEXT_SIZE];
	bool is_found;
	if (count && devices[0].driver == DATAPATH_PCI)
		return 0;
	if (getifaddrs(&list) != 0)
		return why_set(why, -ERR_SYSTEM, "cannot list addresses: %s", strerror(errno));
	is_found = find_device(list, address);
	freeifaddrs(list);
	for (uint16_t i = 0; is_found && i < count; i++)
		if (devices[i].ifindex == address->ifindex)
			return 0;
	return why_set(why, -ERR_NOT_FOUND,
		       is_found ? "interface %s: the device of %s carries no media yet, and is "
				  "opened at the start (needs a restart)"
				: "interface %s: no device has the address %s; see 'ip address'",
		       address->interface, addr_ip_text(&address->addr, text));
}

int device_refill(struct device *device, const struct device_config *config, char *why)
{
	switch (device->driver) {
	case DATAPATH_AF_XDP:
		return af_xdp_refill(device, config, why);
	case DATAPATH_AF_PACKET:
		return af_packet_refill(device, config, why);
	case DATAPATH_AUTO:
	case DATAPATH_PCI:
		break;
	}
	return 0;
}

/* The kernel frees the name when we end, however we end. */
static int take_guard(struct device *device, char *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int len = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "postern-datapath/%s",
			   device->name);
	device->guard_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (device->guard_fd < 0)
		return why_set(why, -ERR_SYSTEM, "cannot open a socket: %s", strerror(errno));
	if (bind(device->guard_fd, (struct sockaddr *)&sa,
		 (socklen_t)(sizeof(sa.sun_family) + 1 + (size_t)len)) != 0)
		return why_set(why, -ERR_BUSY,
			       "%s is served by another postern-rtpengine; stop that one first",
			       device->name);
	return 0;
}

static bool is_known(const struct device *device, int fd)
{
	for (uint16_t i = 0; i < device->fd_count; i++)
		if (device->fds[i] == fd)
			return true;
	return false;
}

/* The sockets that the driver opened: after `before` was taken. Neither driver has rx interrupts,
 * but its sockets are in our process and can be waited for. */
static void list_sockets(struct device *device, const struct device *before)
{
	int domain = device->driver == DATAPATH_AF_XDP ? AF_XDP : AF_PACKET;
	DIR *dir = opendir("/proc/self/fd");
	device->fd_count = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		int fd = atoi(entry->d_name);
		int has = 0;
		socklen_t len = sizeof(has);
		if (entry->d_name[0] == '.' || is_known(before, fd) ||
		    device->fd_count == DEVICE_FDS ||
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &has, &len) != 0 || has != domain)
			continue;
		device->fds[device->fd_count++] = fd;
	}
	if (dir)
		closedir(dir);
}

static void raise_tx_budget(const struct device *device)
{
	int budget = DESCRIPTORS / 2;
	for (uint16_t i = 0; device->driver == DATAPATH_AF_XDP && i < device->fd_count; i++)
		(void)setsockopt(device->fds[i], SOL_XDP, XDP_MAX_TX_BUDGET, &budget,
				 sizeof(budget));
}

static int set_up_port(struct device *device, const struct device_config *config)
{
	struct rte_eth_conf conf = {0};
	int err = rte_eth_dev_configure(device->port, device->queues, device->queues, &conf);
	for (uint16_t q = 0; q < device->queues && !err; q++) {
		err = rte_eth_rx_queue_setup(device->port, q, DESCRIPTORS, (unsigned)SOCKET_ID_ANY,
					     NULL, config->pool);
		if (!err)
			err = rte_eth_tx_queue_setup(device->port, q, DESCRIPTORS,
						     (unsigned)SOCKET_ID_ANY, NULL);
	}
	if (!err)
		err = rte_eth_dev_start(device->port);
	device->is_started = err == 0;
	return err;
}

int device_start(struct device *device, const struct device_config *config, const char *bus,
		 const char *arguments, char *why)
{
	struct device before = *device;
	list_sockets(&before, &(struct device){0});
	int err = arguments ? rte_eal_hotplug_add(bus, device->vdev, arguments) : 0;
	if (!err)
		err = rte_eth_dev_get_port_by_name(device->vdev, &device->port);
	if (err) {
		device->vdev[0] = '\0';
		return why_set(why, -ERR_SYSTEM, "%s: DPDK's %s driver refuses it: %s",
			       device->name, bus, config->last_error);
	}
	err = set_up_port(device, config);
	if (err)
		return why_set(why, -ERR_SYSTEM, "%s: DPDK cannot start it: %s", device->name,
			       config->last_error);
	list_sockets(device, &before);
	raise_tx_budget(device);
	return 0;
}

static void close_port(struct device *device)
{
	if (!device->vdev[0])
		return;
	if (device->is_started)
		rte_eth_dev_stop(device->port);
	rte_eth_dev_close(device->port);
	rte_eal_hotplug_remove(device->driver == DATAPATH_PCI ? "pci" : "vdev", device->vdev);
	device->vdev[0] = '\0';
	device->is_started = false;
	device->fd_count = 0;
}

static int open_kernel_device(struct device *device, const struct device_config *config,
			      uint16_t index, char *why)
{
	int err = take_guard(device, why);
	if (err)
		return err;
	if (config->driver == DATAPATH_AF_PACKET)
		return af_packet_open(device, config, index, why);
	err = af_xdp_open(device, config, index, why);
	if (!err || config->driver == DATAPATH_AF_XDP)
		return err;
	log_warn(config->log, "datapath.fallback", "device=%s driver=af_packet reason=\"%s\"",
		 device->name, why);
	close_port(device);
	af_xdp_close(device);
	return af_packet_open(device, config, index, why);
}

int device_open(struct device *device, const struct device_config *config, uint16_t index,
		char *why)
{
	if (config->driver == DATAPATH_PCI)
		return pci_open(device, config, why);
	int err = open_kernel_device(device, config, index, why);
	if (!err)
		coalesce_open(device, config->batch_us);
	return err;
}

void device_close(struct device *device, const struct log *log)
{
	coalesce_set(device, false);
	coalesce_close(device);
	pci_close(device);
	close_port(device);
	af_xdp_close(device);
	af_packet_close(device, log);
	if (device->guard_fd >= 0)
		close(device->guard_fd);
	device->guard_fd = -1;
}

const char *device_driver_name(const struct device *device)
{
	static const char *const names[] = {"auto", "af_xdp", "af_packet", "pci"};
	return names[device->driver];
}
