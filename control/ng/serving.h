/* serving.h - inside control/ng only: what the parts of the server share.
 *   server.c         lifecycle, and a message turned into its reply
 *   server_udp.c     datagrams in bursts, answered from the address they were sent to
 *   server_stream.c  connections over TCP and Unix sockets
 *   server_http.c    requests over HTTP, and the handshake of WebSockets
 *   server_ws.c      messages over WebSockets
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/ng/cache.h"
#include "control/ng/server.h"

#define NG_COOKIE_MAX_BYTES 255

struct ng_udp;
struct ng_connection;
struct ng_http;
struct ng_websocket;

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
	struct ng_server_counters counters;
};

/* Now. The loop's wheel itself stands still between its advances. */
uint64_t ng_server_now_ms(const struct ng_server *server);
bool ng_server_allows(const struct ng_server *server, const struct addr *source);

/* Where the cookie of "cookie document" ends; false = there is none, or too long. */
bool ng_split_cookie(struct slice message, struct slice *cookie, struct slice *document);
/* Appends the whole answer to `out`: from the cache, or from the handler. `max_bytes` of it. */
void ng_server_answer(struct ng_server *server, const struct addr *source, struct slice cookie,
		      struct slice document, size_t max_bytes, struct buf *out);
/* The same without cookie and cache (one request per Unix connection, as OpenSIPS does it). */
void ng_server_answer_plain(struct ng_server *server, const struct addr *source,
			    struct slice document, size_t max_bytes, struct buf *out);

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
