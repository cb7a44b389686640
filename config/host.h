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
	void (*node_name)(void *owner, char *out, size_t size);
};

extern const struct config_host config_this_host;
