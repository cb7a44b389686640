/* TLS handshakes, which cost what a hundred messages do: nothing is begun for a client before its
 * whole first record is there (the kernel keeps it), few steps are done in one wake-up, in turn,
 * and what they hold in memory is bounded. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	RECORD_HEAD = 5,
	TYPE_HANDSHAKE = 22, /* RFC 8446 5.1 */
	TELL_EVERY_MS = 1000,
};

/* Nobody's mistake is news each time: a line a second for each interface, and how many it leaves
 * out. What we asked for ourselves is always told. */
static void say_failure(struct connection *connection, const char *why)
{
	struct transport *transport = connection->transport;
	struct interface *interface = &transport->interfaces[connection->interface];
	uint64_t now_ms = loop_now_ms(transport->config.loop);
	const char *name = transport_name_text(transport, connection->name);
	char text[ADDR_TEXT_SIZE];

	counter_add(&interface->counters.not_secured, 1);
	if (connection->accepted && now_ms < interface->told_tls_ms + TELL_EVERY_MS &&
	    interface->told_tls_ms) {
		interface->untold_tls++;
		return;
	}
	if (connection->accepted) {
		log_info(transport->config.log, "tls.refused",
			 "interface=%s remote=%s reason=\"%s\" unsaid=%u", interface->info.name,
			 addr_text(&connection->remote, text), why, interface->untold_tls);
		interface->told_tls_ms = now_ms;
		interface->untold_tls = 0;
		return;
	}
	log_warn(transport->config.log, "tls.failed",
		 "interface=%s remote=%s name=%s reason=\"%s\"", interface->info.name,
		 addr_text(&connection->remote, text), name ? name : "-", why);
}

static void fail(struct connection *connection, int err, const char *why)
{
	say_failure(connection, why);
	if (!connection->accepted)
		counter_add(
			&counters_of(connection->transport, connection->interface)->connect_failed,
			1);
	connection_close(connection, err);
}

/* --- the first record of a client --- */

static void wait_for(const struct connection *connection, int bytes)
{
	(void)!setsockopt(connection->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* Woken up with less than we wait for: at the end of the stream, nothing more will come. */
static bool is_ended(const struct connection *connection)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	       info.tcpi_state != TCP_ESTABLISHED;
}

/* 0: it is there. -ERR_AGAIN, -ERR_CLOSED, -ERR_MALFORMED: this is no TLS. */
static int look_at_hello(struct connection *connection)
{
	unsigned char head[RECORD_HEAD];
	int available = 0;
	ssize_t n = recv(connection->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	else if (n <= 0)
		return -ERR_CLOSED;
	if ((n > 0 && head[0] != TYPE_HANDSHAKE) || (n > 1 && head[1] != 3))
		return -ERR_MALFORMED;
	uint32_t wanted = RECORD_HEAD;
	if (n == RECORD_HEAD)
		wanted += (uint32_t)(head[3] << 8 | head[4]);
	if (wanted > RECORD_HEAD + RECORD_SIZE || (n == RECORD_HEAD && wanted == RECORD_HEAD))
		return -ERR_MALFORMED;
	if (ioctl(connection->fd, FIONREAD, &available))
		return -ERR_CLOSED;
	if (n == RECORD_HEAD && (uint32_t)available >= wanted) {
		wait_for(connection, 1);
		return 0;
	}
	if (connection->hello == wanted)
		return is_ended(connection) ? -ERR_CLOSED : -ERR_AGAIN;
	connection->hello = wanted;
	wait_for(connection, (int)wanted);
	/* It may have come between looking and asking to be told. */
	return is_ended(connection) ? -ERR_CLOSED : -ERR_AGAIN;
}

/* --- beginning one --- */

static bool make_room(struct transport *transport)
{
	if (transport->handshake_count < HANDSHAKES_MAX)
		return true;
	struct order_link *link = order_first(&transport->handshakes);
	struct connection *oldest = container_of(link, struct connection, in_handshakes);
	if (loop_now_ms(transport->config.loop) < oldest->opened_ms + HANDSHAKE_YIELD_MS)
		return false;
	fail(oldest, -ERR_TIMEOUT, "too slow, and others wait");
	return true;
}

/* -ERR_AGAIN: too many are under way. */
static int begin(struct connection *connection)
{
	struct transport *transport = connection->transport;
	struct tls_target target = {.side = connection->interface,
				    .name = transport_name_text(transport, connection->name),
				    .remote = connection->remote};

	if (!transport->tls)
		return -ERR_UNSUPPORTED;
	if (!make_room(transport))
		return -ERR_AGAIN;
	int err = connection->accepted ? tls_accept(transport->tls, connection->interface,
						    connection->fd, &connection->tls)
				       : tls_connect(transport->tls, transport->sessions, &target,
						     connection->fd, &connection->tls);
	if (err)
		return err;
	order_append(&transport->handshakes, &connection->in_handshakes);
	transport->handshake_count++;
	return 0;
}

static void step(struct connection *connection)
{
	struct transport *transport = connection->transport;
	struct transport_counters *counters = counters_of(transport, connection->interface);

	switch (tls_handshake(connection->tls)) {
	case TLS_OK:
		break;
	case TLS_WANT_WRITE:
		connection_watch(connection, LOOP_READ | LOOP_WRITE);
		return;
	case TLS_WANT_READ:
		connection_watch(connection, LOOP_READ);
		return;
	case TLS_CLOSED:
		fail(connection, -ERR_CLOSED, "closed by the peer");
		return;
	case TLS_FAILED:
		fail(connection, -ERR_DENIED, tls_failure(connection->tls));
		return;
	}
	secure_leave(connection);
	counter_add(&counters->secured, 1);
	counter_add(&counters->resumed, tls_is_resumed(connection->tls));
	connection_watch(connection, LOOP_READ);
	connection_next_state(connection);
}

/* --- in turn --- */

static void on_share(struct timer *timer, uint64_t now_ms);

static void wait_in_turn(struct connection *connection)
{
	struct transport *transport = connection->transport;

	connection_watch(connection, 0);
	connection->is_waiting = true;
	connection->next_waiting = NULL;
	*transport->last_waiting = connection;
	transport->last_waiting = &connection->next_waiting;
}

static void leave_turn(struct connection *connection)
{
	struct transport *transport = connection->transport;
	struct connection **link = &transport->waiting;

	if (!connection->is_waiting)
		return;
	while (*link != connection)
		link = &(*link)->next_waiting;
	*link = connection->next_waiting;
	if (transport->last_waiting == &connection->next_waiting)
		transport->last_waiting = link;
	connection->is_waiting = false;
}

static void work(struct connection *connection)
{
	struct transport *transport = connection->transport;

	transport->handshakes_left--;
	int err = connection->tls ? 0 : begin(connection);
	if (err == -ERR_AGAIN) {
		wait_in_turn(connection);
		transport->handshakes_full = true;
	} else if (err) {
		fail(connection, err, err_text(err));
	} else {
		step(connection);
	}
}

void secure_on_event(struct connection *connection)
{
	struct transport *transport = connection->transport;
	int err = connection->accepted && !connection->tls ? look_at_hello(connection) : 0;

	if (err == -ERR_AGAIN)
		return;
	if (err) {
		fail(connection, -ERR_CLOSED, err == -ERR_MALFORMED ? "this is no TLS" : "closed");
		return;
	}
	if (transport->waiting || !transport->handshakes_left)
		wait_in_turn(connection);
	else
		work(connection);
}

static void on_share(struct timer *timer, uint64_t now_ms)
{
	struct transport *transport = container_of(timer, struct transport, waiting_timer);
	(void)now_ms;

	transport->handshakes_full = false;
	while (transport->waiting && transport->handshakes_left) {
		struct connection *connection = transport->waiting;
		leave_turn(connection);
		work(connection);
	}
}

void secure_renew(struct transport *transport)
{
	uint64_t due_ms = loop_now_ms(transport->config.loop);

	if (transport->handshakes_full)
		due_ms += HANDSHAKE_LATER_MS;
	transport->handshakes_left = HANDSHAKES_A_WAKE;
	if (transport->waiting && !timer_is_armed(&transport->waiting_timer))
		wheel_arm(loop_wheel(transport->config.loop), &transport->waiting_timer, due_ms,
			  on_share);
}

void secure_leave(struct connection *connection)
{
	leave_turn(connection);
	if (!connection->in_handshakes.next)
		return;
	order_remove(&connection->in_handshakes);
	connection->transport->handshake_count--;
}
