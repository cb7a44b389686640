/* shares.h - a peer's limit of calls, held over all nodes of one store: each has a share of it,
 * which it tells the others with its heartbeat (control/state/nodes.h) and which ends with that. A
 * share is the calls that the node has, and its part of what is free; it grows only by what the
 * others are known to have left. Of worker 0. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

struct cluster;
struct shared;
struct shares;

/* `cluster`: who may live; they count until they are known to be dead. Not kept. */
MUST_CHECK int shares_create(const struct worker *worker, struct shared *shared,
			     const struct cluster *cluster, struct shares **out);
void shares_destroy(struct shares *shares); /* NULL is fine */
/* Our shares anew, and what the others must know of them: lines "p CALLS SHARE PEER". What is not
 * said is idle. */
void shares_beat(struct shares *shares, struct buf *lines);
/* A heartbeat of this node: its lines follow, without their "p ". */
void shares_heard(struct shares *shares, uint16_t node);
void shares_told(struct shares *shares, uint16_t node, struct slice line);
void shares_node_lost(struct shares *shares, uint16_t node);
