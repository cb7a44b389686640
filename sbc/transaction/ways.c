/* ways.c - a request whose next hop has a name (RFC 3263): it waits for the name, goes to its first
 * address, and when that fails to the next one (4.3). Who sent it knows it by one handle all the
 * while. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transaction/internal.h"

#include <stdlib.h>

static struct slice request_of(const struct client *client)
{
	return (struct slice){client->bytes, client->bytes_len};
}

void ways_forget(struct client *client)
{
	free((char *)(uintptr_t)client->hop.data);
	client->hop = SLICE_NONE;
	free(client->ways);
	client->ways = NULL;
}

/* Only what is tried later is kept. Without memory there is no second try. */
static void keep(struct client *client, const struct transaction_ways *ways)
{
	client->path = ways->paths[0];
	client->way = 1;
	client->ways = ways->count > 1 ? malloc(sizeof(*ways)) : NULL;
	if (client->ways)
		*client->ways = *ways;
}

int ways_find(struct transactions *transactions, const struct client_request *request,
	      struct client *as)
{
	const struct transactions_config *config = &transactions->config;
	struct transaction_ways ways;

	if (request->hop.len == 0 || !config->locate)
		return 0;
	int err = config->locate(config->owner, &as->path, request->hop, as->id, &ways);
	if (!err)
		keep(as, &ways);
	if (err != -ERR_AGAIN)
		return 0;
	char *copy = slice_dup(request->hop);
	if (!copy)
		return 0; /* to where its far end was last */
	as->hop = (struct slice){copy, request->hop.len};
	return -ERR_AGAIN;
}

/* To client->path, as a transaction of its own: with another branch. */
static int start_again(struct client *client)
{
	struct transactions *transactions = client->transactions;
	char branch[BRANCH_LENGTH];
	struct key key;

	make_branch(transactions, ++transactions->last_id, branch);
	client_choose_transport(client, client->bytes_len);
	write_rerouted(transactions, request_of(client), &client->path,
		       (struct slice){branch, sizeof(branch)}, &transactions->out);
	if (!client_set_bytes(client, &transactions->out))
		return -ERR_NO_MEMORY;
	struct slice method = {client->bytes, slice_find(request_of(client), ' ')};
	key_of_branch(transactions, branch_of(request_of(client)), method, &key);
	table_remove(&transactions->clients, &client->by_key);
	client->check = key.check;
	table_insert(&transactions->clients, &client->by_key, key.hash);
	client->state = CLIENT_CALLING;
	client->is_lost = false;
	client_set_timers(client);
	client_arm(client);
	int err = client_send(client);
	return err && client->fell_back_possible ? client_fall_back(client) : err;
}

bool ways_next(struct client *client)
{
	const struct transactions_config *config = &client->transactions->config;

	if (!client->ways || client->cancelled || client->cancel_wanted)
		return false;
	while (client->way < client->ways->count) {
		if (config->way_failed)
			config->way_failed(config->owner, &client->path);
		client->path = client->ways->paths[client->way++];
		if (start_again(client) == 0)
			return true;
	}
	return false;
}

void transactions_located(struct transactions *transactions, uint64_t number)
{
	const struct transactions_config *config = &transactions->config;
	struct client *client = client_find_id(transactions, number);
	struct transaction_ways ways;

	if (!client || client->hop.len == 0)
		return;
	struct slice hop = client->hop;
	client->hop = SLICE_NONE;
	if (config->locate(config->owner, &client->path, hop, number, &ways) == 0)
		keep(client, &ways);
	free((char *)(uintptr_t)hop.data);
	int err = start_again(client);
	if (err && !ways_next(client))
		client_fail(client, err);
}
