/* floating.h - addresses of ours that another node may have just now (`floating`): which of them
 * are here, and when one comes, as a VRRP daemon moves it (RFC 5798). Of worker 0.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "control/base/log.h"
#include "control/base/loop.h"

enum { FLOATING_MAX = 32 }; /* addresses; bits of a set */

struct floating;

struct floating_config {
	struct loop *loop;
	const struct log *log;
	const struct config *config;
	void (*on_arrival)(void *owner, uint8_t index);
	void *owner;
};

/* NULL in *out: no interface says `floating`. */
MUST_CHECK int floating_create(const struct floating_config *config, struct floating **out);
void floating_destroy(struct floating *floating); /* NULL is fine */
/* Those that are here, or were since the start: calls of ours may be at them. */
uint32_t floating_had(const struct floating *floating);
const struct addr *floating_at(const struct floating *floating, uint8_t index);
/* The set with the one of this text, or none. */
uint32_t floating_find(const struct floating *floating, struct slice text);
