/* pci.c - a NIC that is bound to vfio-pci and given by its PCI address. The kernel has no device of
 * it any more: a tap takes its place, carries what is not media both ways, and is where the
 * operator puts the addresses and routes ("ip address add 203.0.113.10/24 dev postern0"), which are
 * followed there as on any other device. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>

#define TAP_NAME    "postern0"
#define TAP_VDEV    "net_tap_postern"
#define DESCRIPTORS 512

static int start_tap(struct device *device, const struct device_config *config, char *why)
{
	char arguments[96];
	const uint8_t *mac = device->mac;
	struct rte_eth_conf conf = {0};
	snprintf(arguments, sizeof(arguments),
		 "iface=" TAP_NAME ",mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	int err = rte_eal_hotplug_add("vdev", TAP_VDEV, arguments);
	if (!err) {
		snprintf(device->tap, sizeof(device->tap), TAP_VDEV);
		err = rte_eth_dev_get_port_by_name(TAP_VDEV, &device->tap_port);
	}
	if (!err)
		err = rte_eth_dev_configure(device->tap_port, 1, 1, &conf);
	if (!err)
		err = rte_eth_rx_queue_setup(device->tap_port, 0, DESCRIPTORS,
					     (unsigned)SOCKET_ID_ANY, NULL, config->pool);
	if (!err)
		err = rte_eth_tx_queue_setup(device->tap_port, 0, DESCRIPTORS,
					     (unsigned)SOCKET_ID_ANY, NULL);
	if (!err)
		err = rte_eth_dev_start(device->tap_port);
	if (err)
		return why_set(why, -ERR_SYSTEM,
			       "cannot make the tap " TAP_NAME " for what is not media: %s",
			       config->last_error);
	device->ifindex = if_nametoindex(TAP_NAME);
	return 0;
}

int pci_open(struct device *device, const struct device_config *config, char *why)
{
	struct rte_ether_addr mac;
	struct rte_eth_dev_info info;
	device->driver = DATAPATH_PCI;
	snprintf(device->vdev, sizeof(device->vdev), "%s", config->pci_address);
	snprintf(device->name, sizeof(device->name), TAP_NAME);
	if (rte_eth_dev_get_port_by_name(device->vdev, &device->port) != 0) {
		device->vdev[0] = '\0';
		return why_set(
			why, -ERR_NOT_FOUND,
			"no usable PCI device %s; bind it ('dpdk-devbind.py -b vfio-pci %s') "
			"or set dataplane.driver to auto",
			config->pci_address, config->pci_address);
	}
	if (rte_eth_dev_info_get(device->port, &info) != 0 ||
	    rte_eth_macaddr_get(device->port, &mac) != 0 ||
	    rte_eth_dev_get_mtu(device->port, &device->mtu) != 0)
		return why_set(why, -ERR_SYSTEM, "cannot read %s", config->pci_address);
	memcpy(device->mac, mac.addr_bytes, 6);
	device->queues = 1;
	int err = device_start(device, config, "pci", NULL, why);
	if (!err)
		(void)rte_eth_allmulticast_enable(device->port); /* neighbour discovery */
	if (!err)
		err = start_tap(device, config, why);
	if (!err)
		log_info(config->log, "datapath.tap",
			 "device=" TAP_NAME " cure=\"give it the media addresses and routes\"");
	return err;
}

void pci_close(struct device *device)
{
	if (!device->tap[0])
		return;
	rte_eth_dev_stop(device->tap_port);
	rte_eth_dev_close(device->tap_port);
	rte_eal_hotplug_remove("vdev", device->tap);
	device->tap[0] = '\0';
}
