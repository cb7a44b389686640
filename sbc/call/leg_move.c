/* leg_move.c - a leg in another call than the one that named it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"

static uint64_t spread(uint64_t name)
{
	return name * 0x9e3779b97f4a7c15u;
}

static uint64_t own_name(const struct call *call, uint8_t leg)
{
	const struct worker *worker = call->calls->worker;
	struct token name = {
		.node = worker->node, .worker = worker->index, .id = call->number << 2 | leg};

	return token_pack(&name);
}

/* The call that it is in by now, which holds its memory. */
struct named {
	struct call *call;
	struct leg *leg;
};

static struct named named_of(struct table_link *link)
{
	struct leg *leg = container_of(link, struct leg, by_name);
	return (struct named){container_of(leg - leg->index, struct call, legs[0]), leg};
}

bool calls_by_name(const struct calls *calls, const struct token *token, struct call **call,
		   uint8_t *leg)
{
	const struct worker *worker = calls->worker;
	bool is_here = token->node == worker->node && token->worker == worker->index;
	struct table_link *link = NULL;
	uint64_t name = token_pack(token);

	while (calls->by_name.count && (link = table_find(&calls->by_name, spread(name), link))) {
		struct named named = named_of(link);
		if (named.leg->name != name)
			continue;
		*call = named.call;
		*leg = named.leg->index;
		return true;
	}
	*call = is_here && (token->id & 3) < LEGS ? calls_find(calls, token->id >> 2) : NULL;
	*leg = token->id & 3;
	return *call != NULL;
}

bool calls_by_tag(const struct calls *calls, struct slice tag, struct call **call, uint8_t *leg)
{
	struct token token;

	return token_read(calls->worker->token_key, TOKEN_TAG, slice_sub(tag, 0, TOKEN_LENGTH),
			  &token) == 0 &&
	       calls_by_name(calls, &token, call, leg);
}

void leg_enter_name(struct call *call, uint8_t index)
{
	struct leg *leg = &call->legs[index];
	struct token token;

	if (token_read(call->calls->worker->token_key, TOKEN_TAG,
		       slice_sub(leg->dialog.local_tag, 0, TOKEN_LENGTH), &token) != 0 ||
	    token_pack(&token) == own_name(call, index))
		return;
	leg->name = token_pack(&token);
	table_insert(&call->calls->by_name, &leg->by_name, spread(leg->name));
}

void leg_forget_name(struct call *call, uint8_t index)
{
	struct leg *leg = &call->legs[index];

	if (leg->name)
		table_remove(&call->calls->by_name, &leg->by_name);
	leg->name = 0;
}

void leg_move(struct call *from, uint8_t index, struct call *to, uint8_t as)
{
	struct leg *old = &from->legs[index], *leg = &to->legs[as];
	uint64_t name = old->name ? old->name : own_name(from, index);
	bool has_timer = timer_is_armed(&old->timer.due);
	uint64_t due_ms = old->timer.due.due_ms;

	session_timer_stop(from, index);
	session_timer_stop(to, as);
	leg_forget_name(from, index);
	leg_forget_name(to, as);
	leg_free(leg);
	*leg = *old;
	leg->index = as;
	leg->timer.due = (struct timer){0};
	leg->name = name == own_name(to, as) ? 0 : name;
	if (leg->name)
		table_insert(&to->calls->by_name, &leg->by_name, spread(name));
	*old = (struct leg){.path = old->path,
			    .interface = old->interface,
			    .peer = old->peer,
			    .index = index,
			    .is_trusted = old->is_trusted};
	if (has_timer)
		session_timer_resume(to, as, due_ms);
}
