/* serving.h - inside control/ng only: what the parts of the server share.
 *   server.c         lifecycle, and a message turned into its reply
 *   server_held.c    messages whose handler waits
 *   server_udp.c     datagrams in bursts, answered from the address they were sent to
 *   server_stream.c  connections over TCP and Unix sockets
 *   server_http.c    requests over HTTP, and the handshake of WebSockets
 *   server_ws.c      messages over WebSockets
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/socket.h>
#include "control/base/buf.h"
#include "control/ng/cache.h"
#include "control/ng/server.h"

#define NG_COOKIE_MAX_BYTES 255
#define NG_CONTROL_MAX      128 /* control data of a datagram */

struct ng_udp;
struct ng_connection;
struct ng_http;
struct ng_websocket;
struct ng_held;

/* Handle it again; this time it is not held. It is freed afterwards. */
typedef void ng_again_fn(struct ng_held *held);
struct ng_held {
	struct ng_held *next;
	uint64_t number;
	ng_again_fn *again;
	void *owner; /* the listener, or the connection, which ends it when it closes */
	/* a datagram: where it came from, and to which address */
	struct sockaddr_storage from;
	socklen_t from_len;
	_Alignas(struct cmsghdr) char control[NG_CONTROL_MAX];
	size_t control_len;
	uint8_t opcode; /* of a WebSocket message */
	size_t len;
	char data[]; /* the message; none where its connection has it */
};

struct ng_listener {
	struct ng_server *server;
	struct ng_endpoint endpoint; /* path owned */
	struct addr bound;
	int fd; /* -1 = not open */
	struct loop_io *io;
	struct timer rest; /* no descriptor free: try to accept again then */
	struct ng_http *http;
};

struct ng_server {
	struct loop *loop;
	struct wheel *wheel;
	bool own_clock; /* a wheel of its own, as tests have: then its time counts, not the loop's
			 */
	const struct log *log;
	ng_handler_fn *handler;
	void *owner;
	uint32_t idle_ms;
	unsigned unix_mode;
	struct arena *arena; /* of the request at hand */
	struct ng_cache *cache;
	struct cidr *allow;
	unsigned allow_count;
	struct ng_listener *listeners;
	unsigned listener_count;
	struct ng_udp *udp; /* room for a burst, shared by the UDP listeners */
	struct ng_connection *connections;
	struct ng_websocket *websockets;
	unsigned connection_count; /* of both */
	unsigned max_connections;
	struct ng_held *held; /* the oldest first */
	unsigned held_count;
	size_t held_bytes;
	struct ng_server_counters counters;
};

/* Now. The loop's wheel itself stands still between its advances. */
uint64_t ng_server_now_ms(const struct ng_server *server);
bool ng_server_allows(const struct ng_server *server, const struct addr *source);

/* Where the cookie of "cookie document" ends; false = there is none, or too long. */
bool ng_split_cookie(struct slice message, struct slice *cookie, struct slice *document);
/* One message, and what becomes of it. */
struct ng_message {
	const struct addr *source;
	struct slice cookie; /* empty = none, and no cache: one request per Unix connection, as
				OpenSIPS does it */
	struct slice document;
	size_t max_bytes; /* of the answer */
	bool may_wait;
};
/* Appends the whole answer to `out`: from the cache, or from the handler. Not 0: nothing is
 * appended; hold the message until that number is resumed (only with may_wait). */
MUST_CHECK uint64_t ng_server_answer(struct ng_server *server, const struct ng_message *message,
				     struct buf *out);

bool ng_held_has_room(const struct ng_server *server);
/* NULL: no memory; the message is dropped, as on the way. */
MUST_CHECK struct ng_held *ng_held_add(struct ng_server *server, uint64_t number,
				       ng_again_fn *again, void *owner, struct slice message);
void ng_held_drop(struct ng_server *server, const void *owner);
/* The server ends: whoever waits is answered without. */
void ng_held_end(struct ng_server *server);

MUST_CHECK int ng_udp_create(struct ng_udp **out);
void ng_udp_destroy(struct ng_udp *udp);
MUST_CHECK int ng_udp_listen(struct ng_listener *listener);

MUST_CHECK int ng_stream_listen(struct ng_listener *listener);
void ng_stream_close_all(struct ng_server *server);
/* A socket in listener->fd, bound and listening. */
MUST_CHECK int ng_stream_bind(struct ng_listener *listener);

MUST_CHECK int ng_http_listen(struct ng_listener *listener);
void ng_http_close(struct ng_listener *listener);
/* Give the socket of a WebSocket back to be closed. */
void ng_http_release(struct ng_listener *listener, void *handle);

/* `fd` and `early` (what was read past the handshake) are those of an HTTP connection, which
 * `handle` names. */
MUST_CHECK int ng_websocket_open(struct ng_listener *listener, int fd, const struct addr *source,
				 bool is_plain, struct slice early, void *handle);
void ng_websocket_close_all(struct ng_server *server);
