/* SPDX-License-Identifier: Apache-2.0 */
#include "config/host.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
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

static bool read_open(int fd, char *out, size_t size, size_t *length)
{
	*length = 0;
	for (;;) {
		char beyond;
		bool is_full = *length == size;
		ssize_t got =
			read(fd, is_full ? &beyond : out + *length, is_full ? 1 : size - *length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got > 0 && is_full)
			errno = EFBIG;
		if (got < 0 || (got > 0 && is_full))
			return false;
		if (got == 0)
			return true;
		*length += (size_t)got;
	}
}

static bool read_file(void *owner, const char *path, char *out, size_t size, size_t *length,
		      bool *is_public, char *why, size_t why_size)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	(void)owner;
	if (fd < 0 || fstat(fd, &status)) {
		slice_copy(slice_from(strerror(errno)), why, why_size);
	} else if (!S_ISREG(status.st_mode)) {
		slice_copy(SLICE("not a plain file"), why, why_size);
	} else if (read_open(fd, out, size, length)) {
		*is_public = status.st_mode & S_IROTH;
		close(fd);
		return true;
	} else {
		slice_copy(slice_from(strerror(errno)), why, why_size);
	}
	if (fd >= 0)
		close(fd);
	return false;
}

static int64_t now_s(void *owner)
{
	(void)owner;
	return time(NULL);
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
	.read_file = read_file,
	.now_s = now_s,
	.node_name = node_name,
};
