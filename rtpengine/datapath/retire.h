/* retire.h - memory that lcores may still be reading: given back once each of them has passed a
 * quiescent state (RCU). Control thread only. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

struct rte_rcu_qsbr;

struct retired { /* embedded in what is retired */
	struct retired *next;
	uint64_t token;
	void (*release)(struct retired *retired, void *owner);
	void *owner;
};

struct retire_queue {
	struct rte_rcu_qsbr *rcu;
	struct retired *first;
	struct retired **last;
};

void retire_init(struct retire_queue *queue, struct rte_rcu_qsbr *rcu);
/* The item must not be reachable any more; `release` runs in a later retire_run(). */
void retire(struct retire_queue *queue, struct retired *retired,
	    void (*release)(struct retired *retired, void *owner), void *owner);
void retire_run(struct retire_queue *queue); /* release what can be; never waits */
void retire_all(struct retire_queue *queue); /* the lcores have stopped */
