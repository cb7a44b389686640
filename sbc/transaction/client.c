/* The client state machines: INVITE (RFC 3261 17.1.1 with RFC 6026) and the others (17.1.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transaction/internal.h"

#include <stdlib.h>

static bool is_reliable(const struct client *client)
{
	return sip_transport_is_reliable((enum sip_transport)client->path.transport);
}

static struct slice request_of(const struct client *client)
{
	return (struct slice){client->bytes, client->bytes_len};
}

struct client *client_find(struct transactions *transactions, const struct key *key)
{
	struct table_link *link = NULL;
	while ((link = table_find(&transactions->clients, key->hash, link))) {
		struct client *client = container_of(link, struct client, by_key);
		if (client->check == key->check)
			return client;
	}
	return NULL;
}

struct client *client_find_id(struct transactions *transactions, uint64_t id)
{
	struct table_link *link = NULL;
	while ((link = table_find(&transactions->client_ids, hash_of_id(id), link))) {
		struct client *client = container_of(link, struct client, by_id);
		if (client->id == id)
			return client;
	}
	return NULL;
}

static void client_forget(struct client *client)
{
	free(client->bytes);
	client->bytes = NULL;
	client->bytes_len = 0;
	free((char *)(uintptr_t)client->cancel_headers.data);
	client->cancel_headers = SLICE_NONE;
	ways_forget(client);
}

void client_end(struct client *client)
{
	struct transactions *transactions = client->transactions;

	wheel_cancel(transactions->config.wheel, &client->timer);
	table_remove(&transactions->clients, &client->by_key);
	table_remove(&transactions->client_ids, &client->by_id);
	counter_sub(&transactions->counters.live, 1);
	client_forget(client);
	free(client);
}

void client_fail(struct client *client, int err)
{
	struct transaction_handle handle = {client->id};
	const struct client_handlers *handlers = client->handlers;
	void *owner = client->owner;
	uint64_t context = client->context;

	client_end(client);
	if (handlers)
		handlers->on_failure(owner, context, handle, err);
}

int client_send(struct client *client)
{
	struct transactions *transactions = client->transactions;
	return transactions->config.send(transactions->config.owner, &client->path,
					 request_of(client), client->id);
}

static void on_timer(struct timer *timer, uint64_t now_ms);

void client_arm(struct client *client)
{
	uint64_t due = client->resend_ms < client->end_ms ? client->resend_ms : client->end_ms;
	wheel_arm(client->transactions->config.wheel, &client->timer, due, on_timer);
}

bool client_set_bytes(struct client *client, const struct buf *from)
{
	char *copy = buf_failed(from) ? NULL : malloc(from->len);
	if (!copy)
		return false;
	memcpy(copy, from->data, from->len);
	free(client->bytes);
	client->bytes = copy;
	client->bytes_len = (uint32_t)from->len;
	return true;
}

void client_set_timers(struct client *client)
{
	const struct transaction_timers *timers = &client->transactions->timers;
	uint64_t now_ms = transactions_now(client->transactions);
	bool waits = client->hop.len > 0;

	client->interval_ms = timers->t1_ms;
	client->resend_ms = waits || is_reliable(client) ? UINT64_MAX : now_ms + timers->t1_ms;
	/* Timers B and F. Who is silent leaves the others their part of it. */
	client->end_ms = now_ms + 64ull * timers->t1_ms / (client->ways ? client->ways->count : 1);
}

/* The request, Via and all, is in transactions->out. */
static int client_start(struct transactions *transactions, const struct client *as,
			struct client **out)
{
	struct client *client = malloc(sizeof(*client));
	struct key key;

	if (!client)
		return -ERR_NO_MEMORY;
	*client = *as;
	if (!client_set_bytes(client, &transactions->out)) {
		free(client);
		return -ERR_NO_MEMORY;
	}
	struct slice method = {client->bytes, slice_find(request_of(client), ' ')};
	key_of_branch(transactions, branch_of(request_of(client)), method, &key);
	client->check = key.check;
	client->transactions = transactions;
	client_set_timers(client);
	table_insert(&transactions->clients, &client->by_key, key.hash);
	table_insert(&transactions->client_ids, &client->by_id, hash_of_id(client->id));
	counter_add(&transactions->counters.live, 1);
	counter_add(&transactions->counters.client_created, 1);
	client_arm(client);
	*out = client;
	return 0;
}

void client_choose_transport(struct client *client, size_t bytes)
{
	const struct transactions_config *config = &client->transactions->config;
	uint16_t listener = 0;

	client->small_path = client->path;
	client->fell_back_possible = client->path.transport == SIP_UDP && !client->stay &&
				     bytes + 100 > UDP_REQUEST_MAX && /* 100: the Via to come */
				     config->large(config->owner, &client->path, &listener) == 0;
	if (!client->fell_back_possible)
		return;
	client->path.transport = SIP_TCP;
	client->path.listener = listener;
	client->path.connection = 0;
}

/* The large request found no stream: try the datagram after all (RFC 3261 18.1.1). */
int client_fall_back(struct client *client)
{
	struct transactions *transactions = client->transactions;

	client->fell_back_possible = false;
	client->path = client->small_path;
	write_rerouted(transactions, request_of(client), &client->path,
		       branch_of(request_of(client)), &transactions->out);
	if (!client_set_bytes(client, &transactions->out))
		return -ERR_NO_MEMORY;
	client->interval_ms = transactions->timers.t1_ms;
	client->resend_ms = transactions_now(transactions) + client->interval_ms;
	client_arm(client);
	return client_send(client);
}

/* It was sent, and the connection broke: an answer could still come by another one (RFC
 * 3261 18.2.2) from a far end that closes after each message. It gets T1 for that. Who has said
 * something since is there. */
static void lose(struct client *client)
{
	uint64_t end_ms =
		transactions_now(client->transactions) + client->transactions->timers.t1_ms;

	if (client->state != CLIENT_CALLING || client->is_lost)
		return;
	client->is_lost = true;
	if (end_ms < client->end_ms)
		client->end_ms = end_ms;
	client_arm(client);
}

void client_transport_failed(struct client *client, int err)
{
	if (err == -ERR_LOST) {
		lose(client);
		return;
	}
	if (client->state == CLIENT_CALLING && client->fell_back_possible)
		err = client_fall_back(client);
	if (!err || client->state == CLIENT_ACCEPTED ||
	    (client->state == CLIENT_CALLING && ways_next(client)))
		return;
	if (client->state == CLIENT_COMPLETED)
		client_end(client);
	else
		client_fail(client, err);
}

static void send_cancel(struct client *invite)
{
	struct transactions *transactions = invite->transactions;
	struct client *cancel;
	struct client as = {
		.id = ++transactions->last_id, .path = invite->path, .method = METHOD_CANCEL};

	invite->cancelled = true;
	invite->cancel_wanted = false;
	/* A far end that answers the CANCEL and never the INVITE (RFC 3261 9.1). */
	invite->end_ms = transactions_now(transactions) + 64ull * transactions->timers.t1_ms;
	client_arm(invite);
	write_cancel(request_of(invite), invite->cancel_headers, &transactions->out);
	if (!client_start(transactions, &as, &cancel) && client_send(cancel))
		client_end(cancel);
}

static void on_end(struct client *client)
{
	struct transactions *transactions = client->transactions;

	if (client->state == CLIENT_COMPLETED || client->state == CLIENT_ACCEPTED) {
		client_end(client); /* timers D, K, M */
	} else if (client->method == METHOD_INVITE && client->state == CLIENT_PROCEEDING &&
		   !client->cancelled) {
		send_cancel(client); /* timer C (RFC 3261 16.8) */
	} else if (client->state == CLIENT_CALLING && ways_next(client)) {
		return;
	} else if (client->is_lost) {
		client_fail(client, -ERR_CLOSED);
	} else {
		counter_add(&transactions->counters.timeouts, 1);
		client_fail(client, -ERR_TIMEOUT); /* timers B, F */
	}
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct client *client = container_of(timer, struct client, timer);
	struct transactions *transactions = client->transactions;
	const struct transaction_timers *timers = &transactions->timers;

	if (now_ms >= client->end_ms) {
		on_end(client);
		return;
	}
	client->interval_ms *= 2;
	/* Timer A doubles without a bound; timer E up to T2. */
	if (client->method != METHOD_INVITE &&
	    (client->interval_ms > timers->t2_ms || client->state == CLIENT_PROCEEDING))
		client->interval_ms = timers->t2_ms;
	client->resend_ms = now_ms + client->interval_ms;
	client_arm(client);
	counter_add(&transactions->counters.requests_sent_again, 1);
	int err = client_send(client);
	if (err)
		client_transport_failed(client, err);
}

/* --- responses --- */

static void linger(struct client *client, uint8_t state, uint64_t for_ms)
{
	client->state = state;
	client->resend_ms = UINT64_MAX;
	client->end_ms = transactions_now(client->transactions) + for_ms;
	client_arm(client);
}

static void send_ack(struct client *client, const struct scan *response)
{
	struct transactions *transactions = client->transactions;

	write_ack(request_of(client), response, &transactions->out);
	/* From now on it is the ACK that is sent again. */
	if (client_set_bytes(client, &transactions->out) && client_send(client))
		log_debug(transactions->config.log, "ack.unsent", NULL);
}

/* It takes nothing now, another address of its name may. */
static bool acknowledge_and_go_on(struct client *client, const struct scan *response)
{
	struct transactions *transactions = client->transactions;
	struct transport_path path = client->path;
	struct buf ack;

	if (!client->ways)
		return false;
	buf_init(&ack);
	write_ack(request_of(client), response, &ack);
	bool goes_on = ways_next(client);
	if (goes_on &&
	    (buf_failed(&ack) || transactions_resend(transactions, buf_slice(&ack), &path) != 0))
		log_debug(transactions->config.log, "ack.unsent", NULL);
	buf_free(&ack);
	return goes_on;
}

/* True: the upper half hears of it. */
static bool invite_response(struct client *client, const struct scan *response)
{
	const struct transaction_timers *timers = &client->transactions->timers;
	unsigned int status = response->status;

	switch (client->state) {
	case CLIENT_COMPLETED:
		if (status >= 300 && client_send(client))
			log_debug(client->transactions->config.log, "ack.unsent", NULL);
		return false;
	case CLIENT_ACCEPTED:
		return status >= 200 && status < 300;
	default:
		break;
	}
	client->is_lost = false;
	if (status < 200) {
		/* A 100 says nothing new: it does not keep an INVITE alive (RFC 3261 16.7 step 2).
		 */
		bool is_news = status > 100 || client->state == CLIENT_CALLING;
		client->state = CLIENT_PROCEEDING;
		client->resend_ms = UINT64_MAX;
		if (!client->cancelled && is_news)
			client->end_ms =
				transactions_now(client->transactions) + timers->timer_c_ms;
		client_arm(client);
		if (client->cancel_wanted)
			send_cancel(client);
	} else if (status == 503 && acknowledge_and_go_on(client, response)) {
		return false;
	} else if (status < 300) {
		client_forget(client);
		linger(client, CLIENT_ACCEPTED, 64ull * timers->t1_ms); /* timer M */
	} else {
		send_ack(client, response);
		linger(client, CLIENT_COMPLETED, is_reliable(client) ? 0 : timers->timer_d_ms);
	}
	return true;
}

static bool other_response(struct client *client, const struct scan *response)
{
	const struct transaction_timers *timers = &client->transactions->timers;

	if (client->state == CLIENT_COMPLETED)
		return false;
	if (response->status < 200) {
		bool has_less = client->ways && client->state == CLIENT_CALLING;
		client->state = CLIENT_PROCEEDING;
		if (client->is_lost || has_less)
			client->end_ms =
				transactions_now(client->transactions) + 64ull * timers->t1_ms;
		client->is_lost = false;
		client_arm(client);
	} else if (response->status == 503 && ways_next(client)) {
		return false;
	} else {
		client_forget(client);
		linger(client, CLIENT_COMPLETED, is_reliable(client) ? 0 : timers->t4_ms);
	}
	return true;
}

void client_response(struct client *client, const struct scan *scan,
		     const struct transport_path *path)
{
	struct transactions *transactions = client->transactions;
	struct message *message;

	/* Refused by the second reader: as if it had not come; the far end sends it again. */
	if (message_parse(scan, transactions->config.arena, &message))
		return;
	bool tell = client->method == METHOD_INVITE ? invite_response(client, scan)
						    : other_response(client, scan);
	if (tell && client->handlers)
		client->handlers->on_response(client->owner, client->context,
					      (struct transaction_handle){client->id}, message,
					      path);
}

/* --- the upper half's verbs --- */

int transaction_request(struct transactions *transactions, const struct client_request *request,
			struct transaction_handle *out)
{
	const struct transactions_config *config = &transactions->config;
	char branch[BRANCH_LENGTH];
	struct client *client;
	struct client as = {.id = ++transactions->last_id,
			    .transactions = transactions,
			    .path = request->path,
			    .handlers = request->handlers,
			    .owner = request->owner,
			    .context = request->context,
			    .stay = request->stay};

	if (counter_get(&transactions->counters.live) >= config->limit)
		return -ERR_TOO_MANY;
	struct slice method = slice_sub(request->bytes, 0, slice_find(request->bytes, ' '));
	as.method = (uint8_t)method_parse(method);
	make_branch(transactions, as.id, branch);
	int found = ways_find(transactions, request, &as);
	client_choose_transport(&as, request->bytes.len);
	write_with_via(transactions, request->bytes, &as.path,
		       (struct slice){branch, sizeof(branch)}, &transactions->out);
	int err = client_start(transactions, &as, &client);
	if (err) {
		ways_forget(&as);
		return err;
	}
	if (found != -ERR_AGAIN)
		err = client_send(client);
	if (err && client->fell_back_possible)
		err = client_fall_back(client);
	if (err && !ways_next(client)) {
		client_end(client);
		return err;
	}
	*out = (struct transaction_handle){as.id};
	return 0;
}

struct slice transaction_sent(const struct transactions *transactions,
			      struct transaction_handle handle)
{
	const struct client *client =
		client_find_id((struct transactions *)(uintptr_t)transactions, handle.id);
	return client ? request_of(client) : SLICE_NONE;
}

int transaction_resume_client(struct transactions *transactions,
			      const struct client_request *request, struct transaction_handle *out)
{
	struct client *client;
	struct client as = {.id = ++transactions->last_id,
			    .path = request->path,
			    .small_path = request->path,
			    .handlers = request->handlers,
			    .owner = request->owner,
			    .context = request->context,
			    .method = METHOD_INVITE,
			    .state = CLIENT_PROCEEDING};

	buf_clear(&transactions->out);
	buf_add(&transactions->out, request->bytes);
	int err = client_start(transactions, &as, &client);
	if (err)
		return err;
	client->resend_ms = UINT64_MAX;
	client->end_ms = transactions_now(transactions) + transactions->timers.timer_c_ms;
	client_arm(client);
	*out = (struct transaction_handle){as.id};
	return 0;
}

int transaction_cancel(struct transactions *transactions, struct transaction_handle handle,
		       struct slice headers)
{
	struct client *client = client_find_id(transactions, handle.id);

	if (!client)
		return -ERR_NOT_FOUND;
	if (client->method != METHOD_INVITE || client->state > CLIENT_PROCEEDING)
		return -ERR_INVALID;
	if (client->cancelled || client->cancel_wanted)
		return 0;
	if (headers.len) {
		char *copy = slice_dup(headers);
		if (!copy)
			return -ERR_NO_MEMORY;
		client->cancel_headers = (struct slice){copy, headers.len};
	}
	if (client->state == CLIENT_PROCEEDING)
		send_cancel(client);
	else
		client->cancel_wanted = true;
	return 0;
}

void transaction_set_context(struct transactions *transactions, struct transaction_handle handle,
			     uint64_t context)
{
	struct client *client = client_find_id(transactions, handle.id);
	if (client)
		client->context = context;
}

void transaction_abandon(struct transactions *transactions, struct transaction_handle handle)
{
	struct client *client = client_find_id(transactions, handle.id);
	if (client)
		client->handlers = NULL;
}
