/* SPDX-License-Identifier: Apache-2.0 */
#include "config/host.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_link_local(const struct addr *addr)
{
	return addr->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->v6);
}

static int device_addresses(void *owner, const char *device, struct addr *out, int max)
{
	struct ifaddrs *list;
	int count = 0;

	(void)owner;
	if (if_nametoindex(device) == 0 || getifaddrs(&list))
		return -1;
	for (const struct ifaddrs *entry = list; entry && count < max; entry = entry->ifa_next) {
		struct addr addr;
		if (!entry->ifa_addr || strcmp(entry->ifa_name, device) != 0)
			continue;
		addr_from_sockaddr(entry->ifa_addr, &addr);
		if (addr_is_set(&addr) && !is_link_local(&addr))
			out[count++] = addr;
	}
	freeifaddrs(list);
	return count;
}

static bool device_name(void *owner, unsigned index, char *out, size_t size)
{
	struct if_nameindex *names = if_nameindex();
	unsigned i = 0;

	(void)owner;
	if (!names)
		return false;
	while (i < index && names[i].if_index)
		i++;
	bool found = names[i].if_index != 0;
	if (found)
		slice_copy(slice_from(names[i].if_name), out, size);
	if_freenameindex(names);
	return found;
}

static unsigned cpu_count(void *owner)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	(void)owner;
	return count > 0 ? (unsigned)count : 1;
}

static bool has_user(void *owner, const char *user)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	(void)owner;
	return getpwnam_r(user, &entry, buffer, sizeof(buffer), &found) == 0 && found;
}

static const char *environment(void *owner, const char *name)
{
	(void)owner;
	return getenv(name);
}

static void node_name(void *owner, char *out, size_t size)
{
	(void)owner;
	if (gethostname(out, size) || !out[0])
		slice_copy(SLICE("postern"), out, size);
	out[size - 1] = '\0';
}

const struct config_host config_this_host = {
	.device_addresses = device_addresses,
	.device_name = device_name,
	.cpu_count = cpu_count,
	.has_user = has_user,
	.environment = environment,
	.node_name = node_name,
};
