/* ping.c - OPTIONS to the servers of a peer (RFC 3261 11): who answers is there. Of a server with a
 * name one address after the other is asked; it is down when none of them answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/path.h"
#include "sbc/route/servers.h"
#include "sbc/topology/hosts.h"

/* Timer F is 32 s: that is too long to send calls there. */
enum { PATIENCE_MS = 4000 };

static uint32_t addresses_of(const struct server *server)
{
	return server_has_name(server) ? server->address_count : 1;
}

/* The address in turn; false: there is none. */
static bool in_turn(const struct server *server, struct addr *addr, enum sip_transport *transport)
{
	const struct config_server *config = server_config(server);

	if (!server_has_name(server)) {
		*addr = config->addr;
		*transport = naming_transport(naming_set(config->transport));
		return true;
	}
	if (server->address_count == 0)
		return false;
	const struct dns_target *target =
		&server->addresses[server->pinged % server->address_count];
	*addr = target->addr;
	*transport = naming_transport(target->transport);
	return true;
}

static void not_there(struct server *server, const char *why)
{
	server->pinged++;
	if (++server->unanswered >= addresses_of(server))
		server_set_up(server, false, why);
}

static void on_ping_response(void *owner, uint64_t context, struct transaction_handle handle,
			     const struct message *response, const struct transport_path *path)
{
	struct peers *peers = owner;
	struct server *server = &peers->servers[context];
	(void)handle;
	(void)path;

	if (message_status(response) < 200)
		return;
	server->ping_pending = false;
	atomic_store(&server->health->ping_rtt_ms,
		     (uint32_t)(wheel_now_ms(peers->worker->wheel) - server->asked_ms));
	/* Whoever answers is there; 503 says he takes no calls. */
	if (message_status(response) == 503) {
		not_there(server, "answers 503");
		return;
	}
	server->unanswered = 0;
	server_set_up(server, true, "");
}

static void on_ping_failure(void *owner, uint64_t context, struct transaction_handle handle,
			    int err)
{
	struct peers *peers = owner;
	struct server *server = &peers->servers[context];
	(void)handle;

	server->ping_pending = false;
	server->failures++;
	not_there(server, err == -ERR_TIMEOUT ? "no answer to OPTIONS" : err_text(err));
}

static const struct client_handlers ping_handlers = {on_ping_response, on_ping_failure};

static void write_ping(struct server *server, const struct transport_path *path, struct buf *out)
{
	const struct worker *worker = server->peers->worker;
	const struct config_server *config = server_config(server);
	const struct addr *addr = &path->remote;
	struct buf uri, own;
	char tag[12];

	buf_init(&uri);
	buf_init(&own);
	buf_add_text(&uri, "sip:");
	if (server_has_name(server))
		buf_add_text(&uri, config->host);
	else
		addr_add_host(&uri, addr);
	if (server_has_name(server) ? config->port : addr->port != 5060)
		buf_printf(&uri, ":%u", addr->port);
	buf_add_text(&own, "sip:");
	hosts_write_own(worker->config, path->interface, &own);
	random_text(worker->random, tag, sizeof(tag));

	builder_request_line(out, SLICE("OPTIONS"), buf_slice(&uri));
	builder_header_number(out, HEADER_MAX_FORWARDS, 70);
	builder_address(out, HEADER_FROM, SLICE_NONE, buf_slice(&own),
			(struct slice){tag, sizeof(tag)}, SLICE_NONE);
	builder_address(out, HEADER_TO, SLICE_NONE, buf_slice(&uri), SLICE_NONE, SLICE_NONE);
	builder_header(out, HEADER_CALL_ID, (struct slice){server->call_id, TOKEN_LENGTH});
	builder_cseq(out, ++server->cseq, SLICE("OPTIONS"));
	builder_header(out, HEADER_ACCEPT, SLICE("application/sdp"));
	builder_body(out, SLICE_NONE, SLICE_NONE);
	out->failed = out->failed || buf_failed(&uri) || buf_failed(&own);
	buf_free(&uri);
	buf_free(&own);
}

static int send_ping(struct server *server)
{
	struct worker *worker = server->peers->worker;
	struct client_request request = {.handlers = &ping_handlers,
					 .owner = server->peers,
					 .context = (uint64_t)(server - server->peers->servers)};
	enum sip_transport transport;
	struct transaction_handle handle;
	struct addr addr;
	struct buf bytes;

	if (!in_turn(server, &addr, &transport))
		return -ERR_NOT_FOUND;
	int err = path_to(worker, (uint16_t)server_peer(server)->interface, &addr, transport,
			  &request.path);
	if (!err && server_has_name(server))
		err = path_set_name(worker, slice_from(server_config(server)->host), &request.path);
	if (err)
		return err;
	buf_init(&bytes);
	write_ping(server, &request.path, &bytes);
	request.bytes = buf_slice(&bytes);
	err = buf_failed(&bytes) ? -ERR_NO_MEMORY
				 : transaction_request(worker->transactions, &request, &handle);
	buf_free(&bytes);
	return err;
}

static void on_ping_due(struct timer *timer, uint64_t now_ms)
{
	struct server *server = container_of(timer, struct server, ping);

	if (!server->ping_pending) {
		server->asked_ms = now_ms;
		int err = send_ping(server);
		server->ping_pending = err == 0;
		if (err)
			not_there(server, err_text(err));
	} else if (now_ms - server->asked_ms >= PATIENCE_MS) {
		server_set_up(server, false, "no answer to OPTIONS");
	}
	wheel_arm(server->peers->worker->wheel, timer, now_ms + server_peer(server)->ping_ms,
		  on_ping_due);
}

void ping_start(struct server *server)
{
	struct worker *worker = server->peers->worker;
	uint32_t ping_ms = server_peer(server)->ping_ms;

	random_text(worker->random, server->call_id, sizeof(server->call_id));
	/* One worker pings for all. */
	if (ping_ms == 0 || worker->index != 0)
		return;
	/* Spread over the interval: servers are not pinged in step. */
	uint64_t delay = random_u64(worker->random) % (ping_ms < 2000 ? ping_ms : 2000);
	wheel_arm(worker->wheel, &server->ping, wheel_now_ms(worker->wheel) + delay, on_ping_due);
}

void peers_ping_now(struct peers *peers)
{
	struct worker *worker = peers->worker;

	for (uint32_t i = 0; i < peers->count; i++) {
		struct server *server = &peers->servers[i];
		server->ping_pending = false;
		if (timer_is_armed(&server->ping))
			wheel_arm(worker->wheel, &server->ping, wheel_now_ms(worker->wheel),
				  on_ping_due);
	}
}
