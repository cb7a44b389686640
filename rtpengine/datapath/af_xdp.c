/* af_xdp.c - the driver for any Linux interface: AF_XDP with our own filter program. DPDK's driver
 * loads the program from a file it opens itself, attaches it and detaches it at close; the file is
 * a memory file here. The program's maps are found again by the id of the program on the device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include "rtpengine/datapath/filter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "filter_object.h" /* made from filter.bpf.c by the build */

#define PROGRAM_NAME "postern_media"
#define MAPS_MAX     8

_Static_assert(FILTER_RANGES_MAX == RANGES_MAX, "the program and we agree");

#ifdef __SANITIZE_ADDRESS__
/* DPDK's driver neither closes the object it loaded nor frees libxdp's umem. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libbpf.so\nleak:xsk_umem__create\n";
}
#endif

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static bool program_info(uint32_t id, struct bpf_prog_info *info, uint32_t *maps, uint32_t map_max)
{
	int fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return false;
	memset(info, 0, sizeof(*info));
	info->map_ids = (uint64_t)(uintptr_t)maps;
	info->nr_map_ids = map_max;
	uint32_t len = sizeof(*info);
	int err = bpf_obj_get_info_by_fd(fd, info, &len);
	close(fd);
	return err == 0;
}

/* A run that was killed, or had no right to detach, left its program; a stranger's is not ours to
 * touch. */
static int remove_leftover(struct device *device, const struct log *log, char *why)
{
	uint32_t id = 0;
	struct bpf_prog_info info;
	if (bpf_xdp_query_id((int)device->ifindex, 0, &id) < 0 || id == 0)
		return 0;
	if (!program_info(id, &info, NULL, 0) || strcmp(info.name, PROGRAM_NAME) != 0)
		return why_set(
			why, -ERR_EXISTS,
			"%s carries another XDP program (id %u); 'ip link set %s xdp off', or "
			"set dataplane.driver to af_packet",
			device->name, id, device->name);
	log_info(log, "datapath.leftover", "device=%s xdp_program=%u", device->name, id);
	if (bpf_xdp_detach((int)device->ifindex, 0, NULL) != 0)
		return why_set(why, -ERR_DENIED,
			       "cannot take an earlier run's XDP program off %s: %s", device->name,
			       strerror(errno));
	return 0;
}

static int write_object(char *path, size_t size, char *why)
{
	int fd = memfd_create("postern-filter", MFD_CLOEXEC);
	if (fd < 0 ||
	    write(fd, filter_object, sizeof(filter_object)) != (ssize_t)sizeof(filter_object)) {
		if (fd >= 0)
			close(fd);
		return why_set(why, -ERR_SYSTEM, "cannot write the XDP program: %s",
			       strerror(errno));
	}
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

static int find_map(const uint32_t *ids, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && !strcmp(info.name, name))
			return fd;
		close(fd);
	}
	return -1;
}

/* Every media address, on every device: a packet may arrive through another than the one that has
 * its address. */
static int fill_media_map(int map, const struct media_address *addresses, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		struct filter_address key = {.family = addresses[i].addr.family == AF_INET ? 4 : 6};
		struct filter_ranges value;
		memcpy(key.word, addresses[i].addr.bytes, key.family == 4 ? 4 : 16);
		for (uint16_t r = 0; r < FILTER_RANGES_MAX; r++) {
			bool used = r < addresses[i].range_count;
			value.range[r].first = used ? addresses[i].ranges[r].first : 1;
			value.range[r].last = used ? addresses[i].ranges[r].last : 0;
		}
		if (bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0)
			return -ERR_SYSTEM;
	}
	return 0;
}

static int fill_filter(struct device *device, const struct device_config *config, char *why)
{
	uint32_t id = 0;
	uint32_t maps[MAPS_MAX];
	struct bpf_prog_info info;
	if (bpf_xdp_query_id((int)device->ifindex, 0, &id) < 0 || id == 0 ||
	    !program_info(id, &info, maps, MAPS_MAX))
		return why_set(why, -ERR_SYSTEM, "the XDP program on %s cannot be read: %s",
			       device->name, strerror(errno));
	uint32_t count = info.nr_map_ids < MAPS_MAX ? info.nr_map_ids : MAPS_MAX;
	int map = find_map(maps, count, "media_map");
	int err = map < 0 ? -ERR_NOT_FOUND
			  : fill_media_map(map, config->addresses, config->address_count);
	if (err && map >= 0)
		close(map);
	device->map_fd = err ? 0 : map; /* kept: later we have no right to find it */
	if (err)
		return why_set(why, err, "the XDP program's map on %s cannot be filled: %s",
			       device->name, strerror(errno));
	return 0;
}

int af_xdp_open(struct device *device, const struct device_config *config, uint16_t index,
		char *why)
{
	libbpf_set_print(silent);
	if (device->has_split_queues)
		return why_set(why, -ERR_UNSUPPORTED,
			       "%s has several receive queues that AF_XDP cannot pair; "
			       "'ethtool -L %s rx 1 tx 1'",
			       device->name, device->name);
	int err = remove_leftover(device, config->log, why);
	if (err)
		return err;
	char path[64];
	char arguments[256];
	int fd = write_object(path, sizeof(path), why);
	if (fd < 0)
		return fd;
	snprintf(device->vdev, sizeof(device->vdev), "net_af_xdp%u", index);
	/* busy polling is for dedicated cores; our loop waits in poll(2) */
	snprintf(arguments, sizeof(arguments),
		 "iface=%s,start_queue=0,queue_count=%u,xdp_prog=%s,busy_budget=0", device->name,
		 device->queues, path);
	device->driver = DATAPATH_AF_XDP;
	err = device_start(device, config, "vdev", arguments, why);
	close(fd);
	device->has_program = true; /* it may have got that far before it failed */
	if (!err)
		err = fill_filter(device, config, why);
	return err;
}

int af_xdp_refill(struct device *device, const struct device_config *config, char *why)
{
	if (device->map_fd > 0 &&
	    fill_media_map(device->map_fd, config->addresses, config->address_count) == 0)
		return 0;
	return why_set(why, -ERR_SYSTEM, "the XDP program's map on %s cannot be filled: %s",
		       device->name, strerror(errno));
}

void af_xdp_close(struct device *device)
{
	uint32_t id = 0;
	struct bpf_prog_info info;
	if (device->map_fd > 0)
		close(device->map_fd);
	device->map_fd = 0;
	/* the driver has detached it, unless it failed half-way or may not any more */
	if (!device->has_program || bpf_xdp_query_id((int)device->ifindex, 0, &id) < 0 || id == 0)
		return;
	if (program_info(id, &info, NULL, 0) && !strcmp(info.name, PROGRAM_NAME))
		bpf_xdp_detach((int)device->ifindex, 0, NULL);
	device->has_program = false;
}
