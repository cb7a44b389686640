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
	void (*on_arrival)(void *owner, uint8_t index);
	void *owner;
};

/* Knows none yet. */
MUST_CHECK int floating_create(const struct floating_config *config, struct floating **out);
void floating_destroy(struct floating *floating); /* NULL is fine */
/* The addresses that interfaces of `config` call floating, from now on; those it knows keep their
 * indexes, and are never forgotten: calls may be at them. */
void floating_follow(struct floating *floating, const struct config *config);
/* Those that are here, or were since the start: calls of ours may be at them. */
uint32_t floating_had(const struct floating *floating);
const struct addr *floating_at(const struct floating *floating, uint8_t index);
/* The set with the one of this text, or none. */
uint32_t floating_find(const struct floating *floating, struct slice text);
