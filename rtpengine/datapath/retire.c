/* retire.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/retire.h"
#include <rte_rcu_qsbr.h>

void retire_init(struct retire_queue *queue, struct rte_rcu_qsbr *rcu)
{
	queue->rcu = rcu;
	queue->first = NULL;
	queue->last = &queue->first;
}

void retire(struct retire_queue *queue, struct retired *retired,
	    void (*release)(struct retired *retired, void *owner), void *owner)
{
	retired->next = NULL;
	retired->token = queue->rcu ? rte_rcu_qsbr_start(queue->rcu) : 0;
	retired->release = release;
	retired->owner = owner;
	*queue->last = retired;
	queue->last = &retired->next;
}

static void release_first(struct retire_queue *queue)
{
	struct retired *retired = queue->first;
	queue->first = retired->next;
	if (!queue->first)
		queue->last = &queue->first;
	retired->release(retired, retired->owner);
}

void retire_run(struct retire_queue *queue)
{
	while (queue->first &&
	       (!queue->rcu || rte_rcu_qsbr_check(queue->rcu, queue->first->token, false)))
		release_first(queue);
}

void retire_all(struct retire_queue *queue)
{
	while (queue->first)
		release_first(queue);
}
