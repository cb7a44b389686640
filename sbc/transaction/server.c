/* The server state machines: INVITE (RFC 3261 17.2.1 with RFC 6026) and non-INVITE (17.2.2).
 * Over a reliable transport what would only absorb retransmissions ends at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transaction/internal.h"

#include <stdlib.h>

#include "sbc/transport/reply_path.h"

/* RFC 3261 17.2.1: so long a 100 may wait for a better answer. */
enum { TRYING_MS = 200 };

static struct server *full(struct lingering *base)
{
	return container_of(base, struct server, base);
}

static bool is_reliable(const struct lingering *base)
{
	return sip_transport_is_reliable((enum sip_transport)base->path.transport);
}

struct lingering *server_find(struct transactions *transactions, const struct key *key)
{
	struct table_link *link = NULL;
	while ((link = table_find(&transactions->servers, key->hash, link))) {
		struct lingering *base = container_of(link, struct lingering, by_key);
		if (base->check == key->check)
			return base;
	}
	return NULL;
}

struct server *server_find_id(struct transactions *transactions, uint64_t id)
{
	struct table_link *link = NULL;
	while ((link = table_find(&transactions->server_ids, hash_of_id(id), link))) {
		struct server *server = container_of(link, struct server, by_id);
		if (server->id == id)
			return server;
	}
	return NULL;
}

void server_end(struct lingering *base)
{
	struct transactions *transactions = base->transactions;

	wheel_cancel(transactions->config.wheel, &base->timer);
	table_remove(&transactions->servers, &base->by_key);
	counter_sub(&transactions->counters.live, 1);
	if (base->compact) {
		free(base);
		return;
	}
	struct server *server = full(base);
	table_remove(&transactions->server_ids, &server->by_id);
	free(base->reply);
	free(server->head);
	free(server);
}

static int send_reply(struct lingering *base, uint64_t token)
{
	struct transactions *transactions = base->transactions;
	struct slice bytes = {base->reply, base->reply_len};
	/* What cannot even be queued is lost like a datagram: the far end asks again. */
	int err = transactions->config.send(transactions->config.owner, &base->path, bytes, token);
	if (err)
		log_debug(transactions->config.log, "reply.unsent", "err=\"%s\"", err_text(err));
	return err;
}

static void on_linger_end(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	server_end(container_of(timer, struct lingering, timer));
}

/* Nothing is left to do but absorb until `end_ms`: keep the small part alone. */
static void server_linger(struct server *server, uint64_t end_ms, bool with_reply)
{
	struct lingering *base = &server->base;
	struct transactions *transactions = base->transactions;
	size_t reply_len = with_reply ? base->reply_len : 0;
	struct lingering *small = malloc(sizeof(*small) + reply_len);

	if (small) {
		*small = *base;
		small->by_key = (struct table_link){0};
		small->timer = (struct timer){0};
		small->compact = true;
		small->reply = (char *)(small + 1);
		small->reply_len = (uint32_t)reply_len;
		if (reply_len)
			memcpy(small->reply, base->reply, reply_len);
		table_insert(&transactions->servers, &small->by_key, base->by_key.hash);
		wheel_arm(transactions->config.wheel, &small->timer, end_ms, on_linger_end);
		counter_add(&transactions->counters.live, 1);
	}
	/* Without memory the transaction is just over; a retransmission will be a new request. */
	server_end(base);
}

static void server_fail(struct server *server, int err)
{
	struct transactions *transactions = server->base.transactions;
	struct transaction_handle handle = {server->id};

	server_end(&server->base);
	transactions->config.handlers->on_server_failure(transactions->config.user, handle, err);
}

static void on_timer(struct timer *timer, uint64_t now_ms);

static void server_arm(struct server *server)
{
	uint64_t due = server->resend_ms < server->end_ms ? server->resend_ms : server->end_ms;
	if (due == UINT64_MAX)
		wheel_cancel(server->base.transactions->config.wheel, &server->base.timer);
	else
		wheel_arm(server->base.transactions->config.wheel, &server->base.timer, due,
			  on_timer);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct lingering *base = container_of(timer, struct lingering, timer);
	struct server *server = full(base);
	struct transactions *transactions = base->transactions;

	if (now_ms >= server->end_ms) {
		if (base->state == SERVER_COMPLETED) { /* timer H: no ACK came */
			counter_add(&transactions->counters.timeouts, 1);
			server_fail(server, -ERR_TIMEOUT);
		} else {
			server_end(base);
		}
		return;
	}
	if (base->state == SERVER_PROCEEDING) {
		struct reply trying = {.status = 100};
		server->resend_ms = UINT64_MAX;
		if (transaction_reply(transactions, (struct transaction_handle){server->id},
				      &trying) != 0)
			log_debug(transactions->config.log, "reply.unsent", "status=100");
		return;
	}
	/* Timer G. */
	counter_add(&transactions->counters.replies_sent_again, 1);
	(void)send_reply(base, server->id);
	server->interval_ms *= 2;
	if (server->interval_ms > transactions->timers.t2_ms)
		server->interval_ms = transactions->timers.t2_ms;
	server->resend_ms = now_ms + server->interval_ms;
	server_arm(server);
}

int server_create(struct transactions *transactions, const struct scan *scan,
		  const struct transport_path *path, const struct key *key, struct server **out)
{
	struct server *server = calloc(1, sizeof(*server));
	struct buf head;

	if (!server)
		return -ERR_NO_MEMORY;
	buf_init(&head);
	builder_reply_head(&head, scan, &path->remote, SLICE_NONE);
	if (buf_failed(&head)) {
		buf_free(&head);
		free(server);
		return -ERR_NO_MEMORY;
	}
	server->head = head.data; /* taken over from the buffer */
	server->head_len = (uint32_t)head.len;
	server->to_has_tag = scan->to_tag.len != 0;
	server->id = ++transactions->last_id;
	server->resend_ms = UINT64_MAX;
	server->end_ms = UINT64_MAX;
	server->base.transactions = transactions;
	server->base.check = key->check;
	server->base.method = (uint8_t)scan->method;
	server->base.state = scan->method == METHOD_INVITE ? SERVER_PROCEEDING : SERVER_TRYING;
	reply_path(scan, path, &server->base.path);
	table_insert(&transactions->servers, &server->base.by_key, key->hash);
	table_insert(&transactions->server_ids, &server->by_id, hash_of_id(server->id));
	counter_add(&transactions->counters.live, 1);
	counter_add(&transactions->counters.server_created, 1);
	if (scan->method != METHOD_INVITE) {
		/* Its client gives up after timer F: so do we when nobody answers. */
		server->end_ms =
			transactions_now(transactions) + 64ull * transactions->timers.t1_ms;
		server_arm(server);
	}
	*out = server;
	return 0;
}

void server_try_later(struct server *server)
{
	server->resend_ms = transactions_now(server->base.transactions) + TRYING_MS;
	server_arm(server);
}

void server_repeated(struct lingering *base)
{
	struct transactions *transactions = base->transactions;

	counter_add(&transactions->counters.requests_absorbed, 1);
	if (base->status == 0 || base->state == SERVER_ACCEPTED || base->state == SERVER_CONFIRMED)
		return;
	counter_add(&transactions->counters.replies_sent_again, 1);
	(void)send_reply(base, 0);
}

bool server_acknowledged(struct lingering *base)
{
	struct transactions *transactions = base->transactions;

	if (base->state == SERVER_ACCEPTED)
		return false; /* an RFC 2543 client: the ACK to a 2xx looks like this one */
	if (base->state != SERVER_COMPLETED)
		return true;
	base->state = SERVER_CONFIRMED;
	if (is_reliable(base)) /* timer I is 0 */
		server_end(base);
	else
		server_linger(full(base),
			      transactions_now(transactions) + transactions->timers.t4_ms, false);
	return true;
}

void server_transport_failed(struct server *server, int err)
{
	struct transactions *transactions = server->base.transactions;

	/* Accepted: the upper half repeats its 2xx and gives up by itself (RFC 6026 8.7). */
	if (server->base.state == SERVER_ACCEPTED)
		return;
	if (server->base.method == METHOD_INVITE)
		server_fail(server, err);
	else
		server_end(&server->base);
	(void)transactions;
}

/* The reply in transactions->out becomes the last one and is sent. -ERR_DENIED: it may not be. */
static int server_send(struct server *server, unsigned int status)
{
	struct buf *out = &server->base.transactions->out;

	if (buf_failed(out))
		return -ERR_NO_MEMORY;
	char *copy = malloc(out->len);
	if (!copy)
		return -ERR_NO_MEMORY;
	memcpy(copy, out->data, out->len);
	char *old = server->base.reply;
	uint32_t old_len = server->base.reply_len;
	server->base.reply = copy;
	server->base.reply_len = (uint32_t)out->len;
	/* What may not leave was not said: the state stays as it was. */
	if (send_reply(&server->base, server->id) == -ERR_DENIED) {
		server->base.reply = old;
		server->base.reply_len = old_len;
		free(copy);
		return -ERR_DENIED;
	}
	free(old);
	server->base.status = (uint16_t)status;
	return 0;
}

static void invite_replied(struct server *server, unsigned int status)
{
	struct lingering *base = &server->base;
	struct transactions *transactions = base->transactions;
	uint64_t now_ms = transactions_now(transactions);

	server->resend_ms = UINT64_MAX; /* no 100 is owed any more */
	if (status < 200) {
		server_arm(server);
		return;
	}
	server->end_ms = now_ms + 64ull * transactions->timers.t1_ms; /* timers H and L */
	if (status < 300) {
		base->state = SERVER_ACCEPTED;
	} else {
		base->state = SERVER_COMPLETED;
		if (!is_reliable(base)) {
			server->interval_ms = transactions->timers.t1_ms;
			server->resend_ms = now_ms + server->interval_ms;
		}
	}
	server_arm(server);
}

static void other_replied(struct server *server, unsigned int status)
{
	struct lingering *base = &server->base;
	struct transactions *transactions = base->transactions;

	if (status < 200) {
		base->state = SERVER_PROCEEDING;
		return;
	}
	base->state = SERVER_COMPLETED;
	if (is_reliable(base)) /* timer J is 0 */
		server_end(base);
	else
		server_linger(server,
			      transactions_now(transactions) + 64ull * transactions->timers.t1_ms,
			      true);
}

/* The tag of a reply that was given none: the same one each time, so that it is one answer. */
static struct slice own_tag(struct server *server)
{
	struct random *random = server->base.transactions->config.random;
	if (!server->tag_len) {
		random_text(random, server->tag, 16);
		server->tag_len = 16;
	}
	return (struct slice){server->tag, server->tag_len};
}

static void write_reply(struct server *server, const struct reply *reply, struct buf *out)
{
	struct slice tag = reply->to_tag;

	if (tag.len && tag.len <= TAG_MAX) {
		memcpy(server->tag, tag.data, tag.len);
		server->tag_len = (uint8_t)tag.len;
	}
	buf_clear(out);
	builder_status_line(out, reply->status, reply->reason);
	buf_add(out, (struct slice){server->head, server->head_len - 2});
	if (!server->to_has_tag && reply->status > 100) {
		buf_add(out, SLICE(";tag="));
		buf_add(out, tag.len ? tag : own_tag(server));
	}
	buf_add(out, SLICE("\r\n"));
	buf_add(out, reply->headers);
	builder_body(out, reply->content_type, reply->body);
}

int transaction_reply(struct transactions *transactions, struct transaction_handle handle,
		      const struct reply *reply)
{
	struct server *server = server_find_id(transactions, handle.id);

	if (!server)
		return -ERR_NOT_FOUND;
	if (server->base.state != SERVER_TRYING && server->base.state != SERVER_PROCEEDING)
		return -ERR_INVALID;
	if (reply->status < 100 || reply->status > 699)
		return -ERR_INVALID;
	unsigned int status = reply->status;
	write_reply(server, reply, &transactions->out);
	int err = server_send(server, status);
	bool is_answer = server->base.method == METHOD_INVITE && status < 300;
	if (err == -ERR_DENIED && status >= 200 && !is_answer) {
		/* The end must be told, even if nothing else may be. */
		struct reply bare = {.status = 500, .to_tag = reply->to_tag};
		status = bare.status;
		write_reply(server, &bare, &transactions->out);
		err = server_send(server, status);
	}
	if (err)
		return err;
	if (server->base.method == METHOD_INVITE)
		invite_replied(server, status);
	else
		other_replied(server, status);
	return 0;
}

int transaction_repeat(struct transactions *transactions, struct transaction_handle handle)
{
	struct server *server = server_find_id(transactions, handle.id);

	if (!server || server->base.status == 0)
		return -ERR_NOT_FOUND;
	counter_add(&transactions->counters.replies_sent_again, 1);
	(void)send_reply(&server->base, server->id);
	return 0;
}

void transaction_drop(struct transactions *transactions, struct transaction_handle handle)
{
	struct server *server = server_find_id(transactions, handle.id);
	if (server && server->base.state <= SERVER_PROCEEDING)
		server_end(&server->base);
}

int transaction_resume_server(struct transactions *transactions, const struct scan *invite,
			      const struct transport_path *path, struct slice tag,
			      struct transaction_handle *out)
{
	struct server *server;
	struct key key;

	key_of_request(transactions, invite, path, METHOD_INVITE, &key);
	const struct lingering *other = server_find(transactions, &key);
	if (other) {
		*out = TRANSACTION_NONE;
		if (!other->compact)
			*out = (struct transaction_handle){
				container_of(other, struct server, base)->id};
		return -ERR_EXISTS;
	}
	int err = server_create(transactions, invite, path, &key, &server);
	if (err)
		return err;
	if (tag.len <= TAG_MAX) {
		memcpy(server->tag, tag.data, tag.len);
		server->tag_len = (uint8_t)tag.len;
	}
	*out = (struct transaction_handle){server->id};
	return 0;
}
