/* follow.c - other media addresses and ports while the lcores run. Devices are those of the start.
 * An address keeps its place for ever; one that has no ports any more costs nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <stdlib.h>
#include "rtpengine/datapath/poller.h"

enum { PORTS = 65536 };

static void set_bounds(struct endpoint *endpoint, const struct media_address *address)
{
	uint16_t first = UINT16_MAX, last = 0;
	for (uint16_t r = 0; r < address->range_count; r++) {
		if (address->ranges[r].first < first)
			first = address->ranges[r].first;
		if (address->ranges[r].last > last)
			last = address->ranges[r].last;
	}
	atomic_store_explicit(&endpoint->first, first, memory_order_relaxed);
	atomic_store_explicit(&endpoint->last, last, memory_order_relaxed);
}

int endpoint_make(struct endpoint *endpoint, const struct media_address *address, char *why)
{
	endpoint->addr = address->addr;
	endpoint->base = 0;
	endpoint->ports = calloc(PORTS, sizeof(*endpoint->ports));
	if (!endpoint->ports)
		return why_set(why, -ERR_NO_MEMORY, "out of memory");
	set_bounds(endpoint, address);
	return 0;
}

/* Ranges that touch become one: what is going overlaps with what comes. */
static int add_range(struct media_address *address, uint16_t first, uint16_t last, char *why)
{
	char text[ADDR_TEXT_SIZE];
	for (uint16_t r = 0; r < address->range_count; r++) {
		struct port_range *range = &address->ranges[r];
		if (first > range->last + 1u || last + 1u < range->first)
			continue;
		first = first < range->first ? first : range->first;
		last = last > range->last ? last : range->last;
		*range = address->ranges[--address->range_count];
		return add_range(address, first, last, why);
	}
	if (address->range_count == RANGES_MAX)
		return why_set(why, -ERR_TOO_MANY, "more than %d ranges of ports on the address %s",
			       RANGES_MAX, addr_ip_text(&address->addr, text));
	address->ranges[address->range_count++] = (struct port_range){first, last};
	return 0;
}

struct media_addresses {
	struct media_address list[ENDPOINTS_MAX];
	uint16_t count;
};

static int add_address(const struct datapath *datapath, struct media_addresses *wanted,
		       const struct datapath_interface *interface, const struct addr *addr,
		       char *why)
{
	uint16_t i = 0;
	while (i < wanted->count && !addr_equal_ip(&wanted->list[i].addr, addr))
		i++;
	if (i == ENDPOINTS_MAX)
		return why_set(why, -ERR_TOO_MANY,
			       "more than %d media addresses since the start (needs a restart)",
			       ENDPOINTS_MAX);
	struct media_address *address = &wanted->list[i];
	if (i == wanted->count) {
		*address = (struct media_address){.addr = *addr,
						  .interface = interface->name,
						  .is_floating = interface->is_floating};
		address->addr.port = 0;
		int err = devices_have(datapath->devices, datapath->device_count, address, why);
		if (err)
			return err;
		wanted->count++;
	}
	return add_range(address, interface->first_port, interface->last_port, why);
}

static int collect(const struct datapath *datapath, const struct datapath_interface *interfaces,
		   size_t count, struct media_addresses *wanted, char *why)
{
	wanted->count = datapath->address_count;
	for (uint16_t i = 0; i < wanted->count; i++) {
		wanted->list[i] = datapath->addresses[i];
		wanted->list[i].range_count = 0;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < interfaces[i].address_count; k++) {
			int err = add_address(datapath, wanted, &interfaces[i],
					      &interfaces[i].addresses[k], why);
			if (err)
				return err;
		}
	return 0;
}

static int refill(struct datapath *datapath, const struct media_address *addresses, uint16_t count,
		  char *why)
{
	const struct device_config config = {
		.addresses = addresses, .address_count = count, .log = datapath->log};
	for (uint16_t i = 0; i < datapath->device_count; i++) {
		int err = device_refill(&datapath->devices[i], &config, why);
		if (err)
			return err;
	}
	return 0;
}

/* The new addresses' tables; what cannot be made leaves nothing behind. */
static int make_new(struct datapath *datapath, struct media_addresses *wanted, char *why)
{
	for (uint16_t i = datapath->address_count; i < wanted->count; i++) {
		struct media_address *address = &wanted->list[i];
		address->interface = strdup(address->interface);
		int err = address->interface ? endpoint_make(&datapath->endpoints[i], address, why)
					     : why_set(why, -ERR_NO_MEMORY, "out of memory");
		if (!err)
			continue;
		free((char *)(uintptr_t)address->interface);
		wanted->count = i;
		return err;
	}
	return 0;
}

static void drop_new(struct datapath *datapath, const struct media_addresses *wanted)
{
	for (uint16_t i = datapath->address_count; i < wanted->count; i++) {
		free((char *)(uintptr_t)wanted->list[i].interface);
		free(datapath->endpoints[i].ports);
		datapath->endpoints[i].ports = NULL;
	}
}

static void commit(struct datapath *datapath, const struct media_addresses *wanted)
{
	for (uint16_t i = 0; i < wanted->count; i++) {
		datapath->addresses[i] = wanted->list[i];
		set_bounds(&datapath->endpoints[i], &wanted->list[i]);
	}
	datapath->address_count = wanted->count;
	datapath->flows.endpoint_count = wanted->count;
	datapath->hops.address_count = wanted->count;
	for (uint16_t i = 0; i < datapath->lcore_count; i++)
		atomic_store_explicit(&datapath->pollers[i]->lcore.endpoint_count, wanted->count,
				      memory_order_release);
	hops_on_change(&datapath->hops);
}

int datapath_check(const struct datapath *datapath, const struct datapath_interface *interfaces,
		   size_t count, char why[DATAPATH_WHY_SIZE])
{
	struct media_addresses *wanted = calloc(1, sizeof(*wanted));
	if (!wanted)
		return why_set(why, -ERR_NO_MEMORY, "out of memory");
	int err = collect(datapath, interfaces, count, wanted, why);
	free(wanted);
	return err;
}

int datapath_follow(struct datapath *datapath, const struct datapath_interface *interfaces,
		    size_t count, char why[DATAPATH_WHY_SIZE])
{
	char ignored[DATAPATH_WHY_SIZE];
	struct media_addresses *wanted = calloc(1, sizeof(*wanted));
	if (!wanted)
		return why_set(why, -ERR_NO_MEMORY, "out of memory");
	int err = collect(datapath, interfaces, count, wanted, why);
	if (!err) {
		err = make_new(datapath, wanted, why);
		if (err)
			drop_new(datapath, wanted);
	}
	if (!err) {
		err = refill(datapath, wanted->list, wanted->count, why);
		if (err && refill(datapath, datapath->addresses, datapath->address_count, ignored))
			log_error(datapath->log, "datapath.filter", "reason=\"%s\"", ignored);
		if (err)
			drop_new(datapath, wanted);
		else
			commit(datapath, wanted);
	}
	free(wanted);
	return err;
}
