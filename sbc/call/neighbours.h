/* neighbours.h - what nodes of one store tell each other with their heartbeats: who lives, and
 * which calls and subscriptions one took from another that lives. A call belongs to the node that
 * gets its messages; the one that had it learns within two seconds (ten of a node
 * that is new to it), and drops it without a word. Of
 * worker 0; the others give it their news. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/core.h"

struct neighbours;

MUST_CHECK int neighbours_create(struct core *core, struct neighbours **out);
/* The worker's configuration is another: addresses may float that did not. */
void neighbours_reload(struct neighbours *neighbours); /* NULL is fine */
/* We end, and what is ours in the store is the others' at once. */
void neighbours_leave(struct neighbours *neighbours);
void neighbours_destroy(struct neighbours *neighbours); /* NULL is fine */

/* From any worker: this one was another node's. `owner` is its core. */
void neighbours_took_call(void *owner, uint64_t name, uint64_t epoch);
void neighbours_took_subscription(void *owner, uint64_t name, uint64_t epoch);
