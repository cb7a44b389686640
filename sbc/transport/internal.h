/* internal.h - what the files of this folder share: transport.c owns it all, udp.c and connection.c
 * (life of a connection), stream.c (its bytes) do the work. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/message/frame.h"
#include "sbc/transport/transport.h"

enum {
	BURST = 32,               /* datagrams of one recvmmsg */
	QUEUE_MESSAGES_MAX = 512, /* of one connection */
	QUEUE_BYTES_MAX = 512 * 1024,
	READ_SIZE = 65536,
	READ_MORE = 8192, /* of a message whose beginning is kept */
	DRAIN_MS = 2000,
	SILENT_MAX = 32, /* far ends remembered */
	SILENT_MS = 10000,
};

struct listener {
	struct transport_listener info;
	struct transport *transport;
	uint16_t index;
	int fd;
	struct loop_io *io;
};

struct interface {
	struct transport_interface info;
	struct transport_counters counters;
	uint32_t connections;
};

/* A datagram that waits for the end of the burst. */
struct outgoing {
	uint16_t listener;
	struct transport_path path;
	size_t offset; /* into transport->udp_bytes */
	size_t len;
	uint64_t token;
};

struct failure { /* to be told when no handler is on the stack */
	struct transport_path path;
	uint64_t token;
	int err;
};

/* How many connections one address holds; oldest first, to make room for its next one. */
struct source {
	struct table_link link;
	struct addr addr; /* port 0 */
	uint16_t interface;
	uint32_t connections;
};

struct queued { /* one message to go out on a stream */
	struct queued *next;
	uint64_t token;
	size_t len;
	size_t sent;
	char bytes[];
};

/* A far end that did not answer a SYN: for a while nobody waits for it again (scenario N5). */
struct silent {
	struct addr remote;
	uint16_t interface;
	uint64_t until_ms;
};

enum connection_state { CONNECTION_CONNECTING, CONNECTION_OPEN, CONNECTION_CLOSED };

struct connection {
	struct table_link by_id;
	struct table_link by_remote;
	struct table_link by_alias;
	struct connection *next, *prev; /* of the transport; the newest first */
	struct connection *next_dirty;  /* has something to write at burst end */
	struct connection *next_dead;
	struct transport *transport;
	struct source *source; /* accepted ones; NULL otherwise */
	uint64_t id;
	struct addr remote;
	struct addr alias;
	uint16_t interface;
	uint16_t listener;
	int fd;
	struct loop_io *io;
	enum connection_state state;
	bool accepted;
	bool dirty;
	bool closing;  /* once the queue is out */
	bool draining; /* our end is said; what still comes is thrown away */
	bool reading;
	bool got_message;
	bool want_write;
	struct buf in; /* the beginning of a message */
	struct frame frame;
	struct queued *first, **last;
	size_t queued_bytes;
	uint32_t queued_messages;
	struct timer timer;
	uint64_t opened_ms;
	uint64_t active_ms;  /* last whole message or keep-alive */
	uint64_t partial_ms; /* first byte of what is in `in` */
	uint64_t stuck_ms;   /* since when the queue has not moved */
};

struct transport {
	struct transport_config config;
	struct listener *listeners;
	struct interface *interfaces;

	char *datagrams; /* BURST buffers */
	size_t datagram_size;
	struct outgoing *udp_queue;
	size_t udp_count;
	struct buf udp_bytes;

	struct table by_id, by_remote, by_alias, sources;
	uint64_t last_connection;
	struct connection *connections, *dirty, *dead;
	char *read_buffer; /* READ_SIZE */
	int spare_fd;      /* given up to accept and close when descriptors run out */

	struct silent silent[SILENT_MAX];
	size_t next_silent;

	struct failure *failures;
	size_t failure_count, failure_size;
};

static inline struct transport_counters *counters_of(struct transport *transport,
						     uint16_t interface)
{
	return &transport->interfaces[interface].counters;
}

/* --- transport.c --- */
void transport_failed(struct transport *transport, const struct transport_path *path,
		      uint64_t token, int err);

/* --- udp.c --- */
enum { UDP_QUEUE = 256 };
MUST_CHECK int udp_send(struct transport *transport, const struct transport_path *path,
			struct slice bytes, uint64_t token);
void udp_flush(struct transport *transport);
void udp_on_readable(void *owner, int events);

/* --- connection.c --- */
void tcp_on_acceptable(void *owner, int events);
MUST_CHECK int tcp_send(struct transport *transport, const struct transport_path *path,
			struct slice bytes, uint64_t token);
struct connection *connection_find(struct transport *transport, uint64_t id);
/* Its handlers may be on the stack: memory goes at burst end. Tokens in the queue fail with err. */
void connection_close(struct connection *connection, int err);
void connections_bury(struct transport *transport);
void connection_arm(struct connection *connection);

/* --- stream.c --- */
void stream_on_event(void *owner, int events);
MUST_CHECK int stream_queue(struct connection *connection, struct slice bytes, uint64_t token);
void stream_flush(struct connection *connection);
void stream_drop_queue(struct connection *connection, int err);
void connection_path(const struct connection *connection, struct transport_path *out);
