/* nodes.h - who lives: each node writes a heartbeat that ends by itself, each reads the others'; a
 * few lines for them go along, and end with it.
 * Of one worker of a node (its store, its thread). All by the store's clock: the nodes' own may
 * differ by hours. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/wheel.h"
#include "control/state/keys.h"
#include "control/state/store.h"

enum { NODES_BEAT_MS = 1000, NODES_TTL_S = 3 };

struct nodes;

struct nodes_config {
	struct store *store;
	struct wheel *wheel;
	const struct log *log;
	const struct cluster *cluster; /* our number, and who there is; not kept */
	const char *name;              /* ours; a copy is made */
	/* It has not been heard of for NODES_TTL_S, while the store answered all the time: its
	 * calls are anybody's. Once, until it is back. */
	void (*on_node_lost)(void *owner, uint16_t number);
	/* It is there (again), or for the first time. It takes nothing back by itself. */
	void (*on_node_back)(void *owner, uint16_t number);
	/* Lines that the next heartbeat takes along. NULL is fine, and below. */
	void (*on_beat)(void *owner, struct buf *lines);
	/* Another node's, each time its heartbeat is read. */
	void (*on_told)(void *owner, uint16_t number, struct slice lines);
	void *owner;
};

MUST_CHECK int nodes_create(const struct nodes_config *config, struct nodes **out);
/* Our heartbeat ends now: others need not wait for it. */
void nodes_leave(struct nodes *nodes);
void nodes_destroy(struct nodes *nodes); /* NULL is fine; the heartbeat ends by itself */
bool nodes_is_alive(const struct nodes *nodes, uint16_t number); /* as last heard; we are */
