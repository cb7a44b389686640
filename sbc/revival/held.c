/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/revival/held.h"
#include <stdlib.h>

int held_add(struct held_list *list, struct transaction_handle handle, bool is_raw,
	     struct slice bytes, const struct transport_path *path)
{
	struct held **last = &list->first;
	struct held *held = malloc(sizeof(*held) + bytes.len);

	if (!held)
		return -ERR_NO_MEMORY;
	*held = (struct held){.handle = handle, .path = *path, .is_raw = is_raw, .len = bytes.len};
	memcpy(held->bytes, bytes.data, bytes.len);
	while (*last)
		last = &(*last)->next;
	*last = held;
	list->count++;
	list->bytes += bytes.len;
	return 0;
}

static void unlink_at(struct held_list *list, struct held **at)
{
	struct held *held = *at;

	*at = held->next;
	list->count--;
	list->bytes -= held->len;
	free(held);
}

void held_free(struct held_list *list)
{
	while (list->first)
		unlink_at(list, &list->first);
}

void held_refuse_one(struct worker *worker, struct transaction_handle handle)
{
	struct reply reply = {.status = 500, .headers = SLICE("Retry-After: 5\r\n")};

	if (handle.id && transaction_reply(worker->transactions, handle, &reply))
		log_debug(worker->log, "call.reply_not_sent", "status=500");
}

void held_refuse(struct worker *worker, struct held_list *list)
{
	for (const struct held *held = list->first; held; held = held->next)
		held_refuse_one(worker, held->handle);
	held_free(list);
}

static void look_again(struct worker *worker, struct held *held, struct scan *scan, held_fn *fn,
		       void *owner)
{
	struct scan_limits limits = {.message_max = held->len, .stream = true};
	struct message *message;

	arena_reset(worker->arena);
	if (!scan || scan_message(held->bytes, held->len, &limits, scan) != SCAN_ACCEPT)
		held_refuse_one(worker, held->handle);
	else if (held->is_raw)
		transactions_receive(worker->transactions, scan, &held->path);
	else if (message_parse(scan, worker->arena, &message) == 0)
		fn(owner, held->handle, message, &held->path);
	else
		held_refuse_one(worker, held->handle);
}

void held_release(struct worker *worker, struct held_list *list, held_fn *fn, void *owner)
{
	struct held_list all = *list;
	struct scan *scan = all.first ? calloc(1, sizeof(*scan)) : NULL;

	*list = (struct held_list){0};
	while (all.first) {
		look_again(worker, all.first, scan, fn, owner);
		unlink_at(&all, &all.first);
	}
	free(scan);
}

void held_leave(struct worker *worker, struct held_list *list)
{
	struct held **at = &list->first;

	while (*at) {
		if ((*at)->path.transport != SIP_UDP) {
			at = &(*at)->next;
			continue;
		}
		if ((*at)->handle.id)
			transaction_drop(worker->transactions, (*at)->handle);
		unlink_at(list, at);
	}
}

bool held_remove(struct held_list *list, struct transaction_handle handle)
{
	for (struct held **at = &list->first; *at; at = &(*at)->next) {
		if ((*at)->handle.id != handle.id)
			continue;
		unlink_at(list, at);
		return true;
	}
	return false;
}
