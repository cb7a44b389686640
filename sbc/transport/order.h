/* order.h - a list whose members are kept in the order in which something last happened to them:
 * the first one is the longest silent. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

struct order_link {
	struct order_link *prev, *next; /* NULL = in no list */
};

struct order {
	struct order_link ends; /* a ring through this */
};

static inline void order_init(struct order *order)
{
	order->ends.prev = order->ends.next = &order->ends;
}

static inline void order_append(struct order *order, struct order_link *link)
{
	link->prev = order->ends.prev;
	link->next = &order->ends;
	link->prev->next = link;
	order->ends.prev = link;
}

static inline void order_remove(struct order_link *link) /* in no list is fine */
{
	if (!link->next)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->prev = link->next = NULL;
}

/* Behind this one; NULL = it is the last. */
static inline struct order_link *order_next(const struct order *order,
					    const struct order_link *link)
{
	return link->next == &order->ends ? NULL : link->next;
}

static inline struct order_link *order_first(const struct order *order) /* NULL = empty */
{
	return order->ends.next == &order->ends ? NULL : order->ends.next;
}
