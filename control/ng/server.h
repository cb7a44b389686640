/* server.h - answers NG clients (Kamailio, OpenSIPS, our signalling half) over UDP, TCP, Unix
 * stream sockets, HTTP and WebSockets. Framing, both encodings, the reply cache for
 * retransmissions, and the errors are here; the commands are the handler's. One per control thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"
#include "control/base/log.h"
#include "control/base/loop.h"
#include "control/ng/value.h"

struct ng_server;

enum ng_transport { NG_UDP, NG_TCP, NG_UNIX, NG_HTTP /* WebSocket too */ };

/* Where NG is spoken: an address with port, or the path of a Unix stream socket. */
struct ng_endpoint {
	enum ng_transport transport;
	struct addr addr; /* NG_UDP, NG_TCP, NG_HTTP */
	const char *path; /* NG_UNIX */
};

struct ng_request {
	struct arena *arena; /* of this request; also for the reply */
	struct slice command;
	const struct ng_value *dict;
	struct addr source; /* family 0 over a Unix socket */
	/* NULL = answer now. Else a handler that has to wait for something leaves its reply empty
	 * and puts a number of its own here, not 0: after ng_server_resume() with that number the
	 * request comes again, with NULL. */
	uint64_t *wait;
};

/* Fill `reply` (an empty dict): result and whatever belongs to it. An empty dict is answered as an
 * error. Must not block. Texts in the reply live until the handler's return plus encoding: put them
 * into request->arena. */
typedef void ng_handler_fn(void *owner, const struct ng_request *request, struct ng_value *reply);

struct ng_server_config {
	struct loop *loop;
	struct wheel *wheel; /* NULL = the loop's; tests give their own */
	const struct log *log;
	const struct ng_endpoint *listeners;
	unsigned listener_count;
	const struct cidr *allow; /* copied; none = anybody */
	unsigned allow_count;
	unsigned unix_mode;       /* of the socket files; 0 = 0660 */
	uint32_t cache_ms;        /* a generation of the reply cache; 0 = 30 s */
	size_t cache_bytes;       /* bound of the reply cache; 0 = 32 MiB */
	unsigned max_connections; /* TCP, Unix and WebSocket together; 0 = 256 */
	uint32_t idle_ms;         /* a connection that holds half a message; 0 = 10 s */
	ng_handler_fn *handler;
	void *owner;
};

struct ng_server_counters {
	struct counter requests;   /* given to the handler */
	struct counter errors;     /* answered with an error by us: bad format, no command */
	struct counter duplicates; /* answered from the cache */
	struct counter denied;     /* source not in `allow` */
	struct counter dropped;    /* no cookie, cookie too long, send failed */
};

/* Binds and listens; a stale Unix socket file is replaced. */
MUST_CHECK int ng_server_create(const struct ng_server_config *config, struct ng_server **out);
/* From now on these may ask (copied). -ERR_NO_MEMORY: those of before. */
MUST_CHECK int ng_server_allow(struct ng_server *server, const struct cidr *allow, unsigned count);
void ng_server_destroy(struct ng_server *server); /* NULL is fine; removes its socket files */
const struct ng_server_counters *ng_server_counters(const struct ng_server *server);
/* What waits for `number` may be answered. */
void ng_server_resume(struct ng_server *server, uint64_t number);
/* The address listener `index` is bound to (port 0 asked: the one given). */
MUST_CHECK int ng_server_address(const struct ng_server *server, unsigned index, struct addr *out);
