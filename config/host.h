/* host.h - what the configuration asks of the machine it is read on; a test gives its own.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

#define HOST_DEVICE_ADDRESSES 16

struct config_host {
	void *owner;
	/* The addresses of a device, link-local ones left out. Returns how many; -1 = no such
	 * device. */
	int (*device_addresses)(void *owner, const char *device, struct addr *out, int max);
	/* Names of the devices there are, one after the other; false = no more. */
	bool (*device_name)(void *owner, unsigned index, char *out, size_t size);
	unsigned (*cpu_count)(void *owner);
	bool (*has_user)(void *owner, const char *user);
	const char *(*environment)(void *owner, const char *name); /* NULL = not set */
	/* The whole of a plain file, at most `size` bytes. false: `why` says what keeps it from
	 * being read. is_public: everybody on this machine may read it. */
	bool (*read_file)(void *owner, const char *path, char *out, size_t size, size_t *length,
			  bool *is_public, char *why, size_t why_size);
	int64_t (*now_s)(void *owner); /* of the epoch */
	void (*node_name)(void *owner, char *out, size_t size);
};

extern const struct config_host config_this_host;
