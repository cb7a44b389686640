/* The tables, and the sorting of what comes in: a retransmission is absorbed before anybody parses
 * it; a new request is parsed, gets its transaction and goes up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transaction/transaction.h"

#include <stdlib.h>

#include "sbc/transaction/internal.h"
#include "sbc/transport/reply_path.h"

/* Of 36 bits that a branch has. */
#define FIRST_ID_MAX ((1ull << 35) - 1)

const struct transaction_timers transaction_timers_default = {
	.t1_ms = 500,
	.t2_ms = 4000,
	.t4_ms = 5000,
	.timer_d_ms = 32000,
	.timer_c_ms = 181000, /* more than three minutes (RFC 3261 16.6) */
};

int transactions_create(const struct transactions_config *config, struct transactions **out)
{
	struct transactions *transactions = calloc(1, sizeof(*transactions));

	if (!transactions)
		return -ERR_NO_MEMORY;
	transactions->config = *config;
	transactions->timers = config->timers ? *config->timers : transaction_timers_default;
	random_fill(config->random, transactions->key, sizeof(transactions->key));
	/* The keys of branches may be older than this process: an answer to one of before is no
	 * answer to one of ours. */
	transactions->last_id = random_u64(config->random) & FIRST_ID_MAX;
	buf_init(&transactions->scratch);
	buf_init(&transactions->out);
	int err = table_init(&transactions->servers, 1024);
	if (!err)
		err = table_init(&transactions->clients, 1024);
	if (!err)
		err = table_init(&transactions->server_ids, 1024);
	if (!err)
		err = table_init(&transactions->client_ids, 1024);
	if (err) {
		transactions_destroy(transactions);
		return err;
	}
	*out = transactions;
	return 0;
}

void transactions_destroy(struct transactions *transactions)
{
	struct table_link *link;

	if (!transactions)
		return;
	while (transactions->servers.count && (link = table_next(&transactions->servers, NULL)))
		server_end(container_of(link, struct lingering, by_key));
	while (transactions->clients.count && (link = table_next(&transactions->clients, NULL)))
		client_end(container_of(link, struct client, by_key));
	table_free(&transactions->servers);
	table_free(&transactions->clients);
	table_free(&transactions->server_ids);
	table_free(&transactions->client_ids);
	buf_free(&transactions->scratch);
	buf_free(&transactions->out);
	free(transactions);
}

const struct transaction_counters *transactions_counters(const struct transactions *transactions)
{
	return &transactions->counters;
}

/* An answer without a transaction: a retransmission gets it again by being looked at again. */
static void refuse(struct transactions *transactions, const struct scan *scan,
		   const struct transport_path *path, unsigned int status)
{
	struct transport_path back;
	char tag[16];
	struct reply reply = {.status = status, .to_tag = {tag, sizeof(tag)}};

	if (scan->method == METHOD_ACK)
		return;
	random_text(transactions->config.random, tag, sizeof(tag));
	if (status == 503)
		reply.headers = SLICE("Retry-After: 5\r\n");
	buf_clear(&transactions->out);
	builder_reply(&transactions->out, scan, &path->remote, &reply);
	reply_path(scan, path, &back);
	if (!buf_failed(&transactions->out) &&
	    transactions->config.send(transactions->config.owner, &back,
				      buf_slice(&transactions->out), 0))
		log_debug(transactions->config.log, "reply.unsent", NULL);
}

static void answer(struct transactions *transactions, struct server *server, unsigned int status,
		   struct slice tag)
{
	struct reply reply = {.status = status, .to_tag = tag};
	/* Without memory nothing is sent: the far end asks again. */
	if (transaction_reply(transactions, (struct transaction_handle){server->id}, &reply))
		log_debug(transactions->config.log, "reply.unsent", "status=%u", status);
}

/* CANCEL (RFC 3261 9.2): answered here; the upper half only hears that its INVITE is to end. */
static void received_cancel(struct transactions *transactions, const struct message *message,
			    struct lingering *base, struct server *cancel)
{
	struct slice tag = SLICE_NONE;
	if (!base->compact) {
		struct server *invite = container_of(base, struct server, base);
		tag = (struct slice){invite->tag, invite->tag_len};
	}
	answer(transactions, cancel, 200, tag);
	if (!base->compact && base->state == SERVER_PROCEEDING) {
		struct server *invite = container_of(base, struct server, base);
		transactions->config.handlers->on_cancel(transactions->config.user,
							 (struct transaction_handle){invite->id},
							 message);
	}
}

static struct lingering *find_cancelled(struct transactions *transactions, const struct scan *scan,
					const struct transport_path *path)
{
	struct key key;
	key_of_request(transactions, scan, path, METHOD_INVITE, &key);
	return server_find(transactions, &key);
}

static void received_new(struct transactions *transactions, const struct scan *scan,
			 const struct transport_path *path, const struct key *key)
{
	const struct transactions_config *config = &transactions->config;
	struct transaction_handle handle = TRANSACTION_NONE;
	struct message *message;
	struct server *server = NULL;
	struct lingering *cancelled = NULL;

	if (scan->method == METHOD_CANCEL) {
		cancelled = find_cancelled(transactions, scan, path);
		if (!cancelled && config->handlers->on_unknown_cancel &&
		    config->handlers->on_unknown_cancel(config->user, scan, path))
			return;
		if (!cancelled) {
			counter_add(&transactions->counters.cancels_unmatched, 1);
			refuse(transactions, scan, path, 481); /* anybody's: nothing is kept */
			return;
		}
	}
	if (counter_get(&transactions->counters.live) >= config->limit) {
		counter_add(&transactions->counters.refused, 1);
		refuse(transactions, scan, path, 503);
		return;
	}
	int err = message_parse(scan, config->arena, &message);
	if (err == -ERR_MALFORMED) {
		refuse(transactions, scan, path, scan->method == METHOD_UNKNOWN ? 501 : 400);
		return;
	}
	if (!err && scan->method != METHOD_ACK)
		err = server_create(transactions, scan, path, key, &server);
	if (err) {
		refuse(transactions, scan, path, 503);
		return;
	}
	if (cancelled) {
		received_cancel(transactions, message, cancelled, server);
		return;
	}
	if (server)
		handle.id = server->id;
	config->handlers->on_request(config->user, handle, message, path);

	/* 100 at once, unless the upper half had a better answer at once. In a dialog it mostly has
	 * one soon; and who has a 100 does not ask again, should this process end meanwhile. */
	server = scan->method == METHOD_INVITE ? server_find_id(transactions, handle.id) : NULL;
	if (!server || server->base.state != SERVER_PROCEEDING || server->base.status != 0)
		return;
	if (server->to_has_tag)
		server_try_later(server);
	else
		answer(transactions, server, 100, SLICE_NONE);
}

static void received_request(struct transactions *transactions, const struct scan *scan,
			     const struct transport_path *path)
{
	struct key key;
	bool ack = scan->method == METHOD_ACK;

	key_of_request(transactions, scan, path, ack ? METHOD_INVITE : scan->method, &key);
	struct lingering *server = server_find(transactions, &key);
	if (!server)
		received_new(transactions, scan, path, &key);
	else if (!ack)
		server_repeated(server);
	else if (!server_acknowledged(server))
		received_new(transactions, scan, path, &key);
}

/* Ours is the only Via: with another one below it a response is not for us (RFC 3261 8.1.3.3). */
static bool has_one_via(const struct scan *scan)
{
	int first = scan_header(scan, HEADER_VIA, -1);
	struct slice list = scan->headers[first].value, member;
	return scan_header(scan, HEADER_VIA, first) < 0 && list_next(&list, &member) &&
	       list.len == 0;
}

static void received_response(struct transactions *transactions, const struct scan *scan,
			      const struct transport_path *path)
{
	const struct transactions_config *config = &transactions->config;
	struct key key;
	struct message *message;

	key_of_branch(transactions, scan->via.branch, scan->method_text, &key);
	struct client *client = client_find(transactions, &key);
	/* Whoever answers is on the side that was asked. */
	if (client && has_one_via(scan) && client->path.interface == path->interface) {
		client_response(client, scan, path);
		return;
	}
	counter_add(&transactions->counters.responses_orphaned, 1);
	if (!client && scan->method == METHOD_INVITE && scan->status > 100 &&
	    branch_is_rfc3261(scan->via.branch) &&
	    config->made(config->owner, slice_sub(scan->via.branch, 7, scan->via.branch.len)) &&
	    !message_parse(scan, config->arena, &message))
		config->handlers->on_orphan_response(config->user, message, path);
}

void transactions_receive(struct transactions *transactions, const struct scan *scan,
			  const struct transport_path *path)
{
	if (scan->is_request)
		received_request(transactions, scan, path);
	else
		received_response(transactions, scan, path);
}

void transactions_transport_error(struct transactions *transactions, uint64_t token, int err)
{
	struct client *client = client_find_id(transactions, token);
	if (client) {
		client_transport_failed(client, err);
		return;
	}
	struct server *server = server_find_id(transactions, token);
	if (server)
		server_transport_failed(server, err);
}

int transactions_send_ack(struct transactions *transactions, struct slice bytes,
			  const struct transport_path *path, struct buf *sent)
{
	char branch[BRANCH_LENGTH];

	make_branch(transactions, ++transactions->last_id, branch);
	write_with_via(transactions, bytes, path, (struct slice){branch, sizeof(branch)},
		       &transactions->out);
	if (buf_failed(&transactions->out))
		return -ERR_NO_MEMORY;
	if (sent) {
		buf_clear(sent);
		buf_add(sent, buf_slice(&transactions->out));
	}
	return transactions_resend(transactions, buf_slice(&transactions->out), path);
}

int transactions_reroute(struct transactions *transactions, struct slice sent,
			 const struct transport_path *path, struct buf *out)
{
	char branch[BRANCH_LENGTH];

	make_branch(transactions, ++transactions->last_id, branch);
	write_rerouted(transactions, sent, path, (struct slice){branch, sizeof(branch)}, out);
	if (buf_failed(out))
		return -ERR_NO_MEMORY;
	return transactions_resend(transactions, buf_slice(out), path);
}

int transactions_resend(struct transactions *transactions, struct slice sent,
			const struct transport_path *path)
{
	return transactions->config.send(transactions->config.owner, path, sent, 0);
}
