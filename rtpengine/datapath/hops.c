/* hops.c - next hops: for each destination of a flow the finished Ethernet header, kept right while
 * routes and neighbours change. The kernel decides; we follow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <stdlib.h>
#include <sys/random.h>
#include "control/base/wheel.h" /* container_of */

/* The kernel forgets neighbours that its own stack does not use; ours are used behind its back. */
#define REFRESH_TICKS 20
/* Lookups in one tick after a change of routes: each is a system call of some 10 us. */
#define LOOKUPS_MAX 1000

struct hop_entry {
	struct hop hop; /* first: hop_put() casts back */
	struct table_link link;
	struct retired retired;
	struct addr to, from;
	uint32_t references;
	bool is_stale;
	bool has_route;
	struct route route;
	uint16_t device;
	bool has_mac;
	uint8_t mac[6];
	uint64_t probed_tick;
};

struct egress_entry {
	struct egress egress; /* first: retired from the pointer to it */
	struct retired retired;
};

static void release_egress(struct retired *retired, void *owner)
{
	(void)owner;
	free(container_of(retired, struct egress_entry, retired));
}

static void set_egress(struct hops *hops, struct hop_entry *entry, struct egress_entry *new)
{
	const struct egress *old = atomic_exchange_explicit(
		&entry->hop.egress, new ? &new->egress : NULL, memory_order_acq_rel);
	if (old)
		retire(hops->retired, &((struct egress_entry *)(uintptr_t)old)->retired,
		       release_egress, NULL);
}

/* Make the header anew from what is known. Without memory it stays unresolved; the tick tries
 * again. */
static void publish(struct hops *hops, struct hop_entry *entry)
{
	atomic_store_explicit(&entry->hop.has_route, entry->has_route, memory_order_relaxed);
	if (!entry->has_route || !entry->has_mac) {
		set_egress(hops, entry, NULL);
		return;
	}
	const struct device *device = &hops->devices[entry->device];
	struct egress_entry *egress = calloc(1, sizeof(*egress));
	if (!egress) {
		entry->has_mac = false;
		set_egress(hops, entry, NULL);
		return;
	}
	egress->egress.device = entry->device;
	egress->egress.mtu = device->mtu;
	if (entry->route.mtu && entry->route.mtu < device->mtu)
		egress->egress.mtu = entry->route.mtu;
	memcpy(egress->egress.ethernet, entry->mac, 6);
	memcpy(egress->egress.ethernet + 6, device->mac, 6);
	set_egress(hops, entry, egress);
}

static void probe(struct hops *hops, struct hop_entry *entry)
{
	entry->probed_tick = hops->tick;
	if (!hops->devices[entry->device].is_loopback)
		netlink_probe(hops->netlink, entry->route.ifindex, &entry->route.next_hop);
}

static void look_up_neighbour(struct hops *hops, struct hop_entry *entry)
{
	if (hops->devices[entry->device].is_loopback) {
		memset(entry->mac, 0, sizeof(entry->mac));
		entry->has_mac = true;
		return;
	}
	entry->has_mac = netlink_neighbour(hops->netlink, entry->route.ifindex,
					   &entry->route.next_hop, entry->mac) == 0;
	if (!entry->has_mac)
		probe(hops, entry);
}

static bool find_device(const struct hops *hops, unsigned ifindex, uint16_t *out)
{
	for (uint16_t i = 0; i < hops->device_count; i++)
		if (hops->devices[i].ifindex == ifindex) {
			*out = i;
			return true;
		}
	return false;
}

static void look_up(struct hops *hops, struct hop_entry *entry)
{
	entry->is_stale = false;
	entry->has_route =
		netlink_route(hops->netlink, &entry->to, &entry->from, &entry->route) == 0 &&
		find_device(hops, entry->route.ifindex, &entry->device);
	if (entry->has_route)
		look_up_neighbour(hops, entry);
	publish(hops, entry);
}

int hops_init(struct hops *hops)
{
	if (getrandom(hops->key, sizeof(hops->key), 0) != sizeof(hops->key))
		return -ERR_SYSTEM;
	return table_init(&hops->table, 256);
}

void hops_free(struct hops *hops)
{
	if (!hops->table.buckets)
		return;
	struct table_link *link = table_next(&hops->table, NULL);
	while (link) {
		struct table_link *next = table_next(&hops->table, link);
		struct hop_entry *entry = container_of(link, struct hop_entry, link);
		set_egress(hops, entry, NULL);
		table_remove(&hops->table, link);
		free(entry);
		link = next;
	}
	table_free(&hops->table);
}

static uint64_t hop_hash(const struct hops *hops, const struct addr *to, const struct addr *from)
{
	return addr_hash(to, hops->key) ^ (addr_hash(from, hops->key) << 1);
}

int hop_get(struct hops *hops, const struct addr *to, const struct addr *from, struct hop **out)
{
	struct addr to_ip = *to, from_ip = *from;
	to_ip.port = from_ip.port = 0;
	uint64_t hash = hop_hash(hops, &to_ip, &from_ip);
	struct table_link *link = NULL;
	while ((link = table_find(&hops->table, hash, link))) {
		struct hop_entry *entry = container_of(link, struct hop_entry, link);
		if (!addr_equal_ip(&entry->to, &to_ip) || !addr_equal_ip(&entry->from, &from_ip))
			continue;
		entry->references++;
		*out = &entry->hop;
		return 0;
	}
	struct hop_entry *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ERR_NO_MEMORY;
	entry->to = to_ip;
	entry->from = from_ip;
	entry->references = 1;
	for (uint16_t i = 0; i < hops->address_count; i++)
		if (addr_equal_ip(&hops->addresses[i].addr, &to_ip))
			atomic_store(&entry->hop.is_ours, true);
	look_up(hops, entry);
	table_insert(&hops->table, &entry->link, hash);
	*out = &entry->hop;
	return 0;
}

static void release_hop(struct retired *retired, void *owner)
{
	(void)owner;
	free(container_of(retired, struct hop_entry, retired));
}

void hop_put(struct hops *hops, struct hop *hop)
{
	struct hop_entry *entry = (struct hop_entry *)hop;
	if (!entry || --entry->references)
		return;
	set_egress(hops, entry, NULL);
	table_remove(&hops->table, &entry->link);
	retire(hops->retired, &entry->retired, release_hop, NULL); /* an lcore may be reading it */
}

void hops_on_neighbour(struct hops *hops, unsigned ifindex, const struct addr *ip,
		       const uint8_t *mac)
{
	for (struct table_link *link = table_next(&hops->table, NULL); link;
	     link = table_next(&hops->table, link)) {
		struct hop_entry *entry = container_of(link, struct hop_entry, link);
		if (!entry->has_route || entry->route.ifindex != ifindex ||
		    !addr_equal_ip(&entry->route.next_hop, ip) ||
		    hops->devices[entry->device].is_loopback)
			continue;
		if (entry->has_mac == (mac != NULL) && (!mac || !memcmp(entry->mac, mac, 6)))
			continue;
		entry->has_mac = mac != NULL;
		if (mac)
			memcpy(entry->mac, mac, 6);
		publish(hops, entry);
	}
}

void hops_on_change(struct hops *hops)
{
	hops->is_stale = true;
	for (struct table_link *link = table_next(&hops->table, NULL); link;
	     link = table_next(&hops->table, link))
		container_of(link, struct hop_entry, link)->is_stale = true;
}

void hops_tick(struct hops *hops)
{
	unsigned lookups = 0;
	bool left = false;
	hops->tick++;
	for (struct table_link *link = table_next(&hops->table, NULL); link;
	     link = table_next(&hops->table, link)) {
		struct hop_entry *entry = container_of(link, struct hop_entry, link);
		bool is_due = entry->is_stale || (entry->has_route && !entry->has_mac);
		if (is_due && lookups < LOOKUPS_MAX) {
			lookups++;
			look_up(hops, entry);
		} else if (is_due) {
			left = true;
		} else if (entry->has_route && hops->tick - entry->probed_tick >= REFRESH_TICKS) {
			probe(hops, entry);
		}
	}
	hops->is_stale = left;
}
