/* internal.h - what the files of this folder share. transport.c owns it all; listen.c binds; udp.c
 * does datagrams. A connection is accepted (accept.c) or opened (open.c), secured (secure.c, for
 * TLS) and upgraded (frames.c, for WebSocket); stream.c moves its bytes, over TLS or not (bytes.c),
 * and cuts messages out of them; connection.c ends it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/message/frame.h"
#include "sbc/transport/crowd.h"
#include "sbc/transport/order.h"
#include "sbc/transport/transport.h"
#include "sbc/transport/websocket.h"

enum {
	BURST = 32,               /* datagrams of one recvmmsg */
	QUEUE_MESSAGES_MAX = 512, /* of one connection */
	QUEUE_BYTES_MAX = 512 * 1024,
	READ_SIZE = 65536,
	RECORDS = 16, /* of TLS, read from one connection in one wake-up */
	DRAIN_MS = 2000,
	PARTING_MS = 200, /* for answers of other workers that are on their way */
	SILENT_MAX = 32,  /* far ends remembered */
	SILENT_MS = 10000,
	/* Public-key work: so much in one wake-up that a message waits no longer than a few
	 * milliseconds; so many begun at once that their memory is bounded. */
	HANDSHAKES_A_WAKE = 2,
	HANDSHAKES_MAX = 1024,
	HANDSHAKE_YIELD_MS = 1000, /* one that is older makes room */
	HANDSHAKE_LATER_MS = 20,   /* when none of so many is */
	/* Of what is kept of messages that are not whole, all connections together; beyond it none
	 * may keep more than a small one. */
	KEPT_BYTES_MAX = 64 * 1024 * 1024,
	KEPT_SMALL = 4096,
	NAMES_MAX = 4096,
};

struct listener {
	struct transport_listener info;
	struct transport *transport;
	uint16_t index;
	bool is_draining;
	int fd; /* -1 = closed, or another worker's */
	struct loop_io *io;
};

struct interface {
	struct transport_interface info;
	struct transport_counters counters;
	uint32_t connections;
	struct order fresh;   /* accepted, and no message yet */
	struct order used;    /* accepted, and one came */
	uint64_t told_tls_ms; /* the last line about a failed handshake */
	uint32_t untold_tls;  /* failed since without a line */
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

/* The connections that one address holds; the longest silent makes room for its next one. */
struct source {
	struct table_link link;
	struct addr addr; /* port 0 */
	uint16_t interface;
	uint32_t connections;
	struct order order;
};

struct queued { /* one message to go out on a stream */
	struct queued *next;
	uint64_t token;
	bool is_request; /* somebody waits for its answer */
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

struct name { /* of a host, lower case */
	struct table_link link;
	uint16_t number;
	char text[];
};

/* One system call's worth. Not on the stack: it would be zeroed each time. */
struct udp_burst {
	struct mmsghdr headers[BURST];
	struct iovec vectors[BURST];
	struct sockaddr_storage names[BURST];
};

enum connection_state {
	CONNECTION_CONNECTING,
	CONNECTION_SECURING,  /* TLS handshake */
	CONNECTION_UPGRADING, /* HTTP request for a WebSocket */
	CONNECTION_OPEN,
	CONNECTION_CLOSED,
};

struct connection {
	struct table_link by_id;
	struct table_link by_remote;
	struct table_link by_alias;
	struct order_link in_all;       /* of the transport */
	struct order_link in_interface; /* accepted ones: fresh or used */
	struct order_link in_source;
	struct order_link in_handshakes; /* while its TLS handshake goes on */
	struct connection *next_dirty;   /* has something to write at burst end */
	struct connection *next_dead;
	struct connection *next_waiting; /* for its share of handshakes */
	struct transport *transport;
	struct source *source; /* accepted ones; NULL otherwise */
	uint64_t id;
	uint64_t followers; /* workers to be told of its end */
	struct addr remote;
	struct addr alias;
	uint16_t interface;
	uint16_t listener;
	uint16_t name;  /* whom its certificate names; opened ones */
	uint8_t kind;   /* enum sip_transport */
	uint8_t state;  /* enum connection_state */
	uint8_t events; /* that its descriptor is watched for */
	int fd;
	struct loop_io *io;
	struct tls_link *tls; /* TLS and WSS, once there is something to do */
	bool accepted;
	bool dirty;
	bool parting;  /* nothing is read any more; what is answered still goes out, PARTING_MS long
			*/
	bool closing;  /* once the queue is out */
	bool draining; /* our end is said; what still comes is thrown away */
	bool reading;
	bool got_message;
	bool is_waiting;       /* in the queue of handshakes */
	bool read_wants_write; /* TLS has to say something before it can go on reading */
	struct buf in;         /* the beginning of a message, or of an HTTP request */
	size_t kept;           /* bytes counted in transport->kept_bytes */
	struct frame frame;
	struct websocket *websocket; /* while a frame or message of it is begun */
	struct queued *first, **last;
	size_t queued_bytes;
	uint32_t queued_messages;
	struct unanswered *unanswered; /* owned; NULL until a request went out */
	uint32_t hello;                /* bytes of the first TLS record, once known */
	struct timer timer;
	uint64_t opened_ms;
	uint64_t active_ms;  /* last whole message or keep-alive */
	uint64_t partial_ms; /* first byte of the message at hand; 0 = none is */
	uint64_t stuck_ms;   /* since when the queue has not moved */
};

struct transport {
	struct transport_config config;
	struct listener *
		*listeners; /* TRANSPORT_LISTENERS_MAX; never moved, closed ones stay as they are */
	uint16_t listener_count;
	struct interface *interfaces; /* room for config.interface_room */
	size_t interface_count;

	char *datagrams; /* BURST buffers */
	size_t datagram_size;
	struct outgoing *udp_queue;
	struct udp_burst udp_in, udp_out;
	size_t udp_count;
	struct buf udp_bytes;

	struct table by_id, by_remote, by_alias, sources;
	struct table elsewhere; /* aliases of other workers' connections */
	uint64_t last_connection;
	struct order all;
	struct connection *dirty, *dead;
	char *read_buffer;  /* READ_SIZE */
	char *write_buffer; /* RECORD_SIZE: messages that leave in one TLS record */
	size_t kept_bytes;
	int spare_fd; /* given up to accept and close when descriptors run out */

	struct tls *tls;
	struct tls_sessions *sessions;
	struct order handshakes; /* under way, the oldest first */
	uint32_t handshake_count;
	uint32_t handshakes_left; /* in this wake-up */
	bool handshakes_full;     /* one had to wait for another to end */
	struct connection *waiting, **last_waiting;
	struct timer waiting_timer;

	struct table name_table;
	struct name **names; /* by number - 1 */
	uint16_t name_count;

	struct silent silent[SILENT_MAX];
	size_t next_silent;

	struct failure *failures;
	size_t failure_count, failure_size;
};

enum { RECORD_SIZE = 16384 };

static inline struct transport_counters *counters_of(struct transport *transport,
						     uint16_t interface)
{
	return &transport->interfaces[interface].counters;
}

static inline uint64_t remote_hash(const struct transport *transport, uint16_t interface,
				   const struct addr *addr)
{
	return addr_hash(addr, transport->config.hash_key) ^ interface;
}

/* --- transport.c --- */
void transport_failed(struct transport *transport, const struct transport_path *path,
		      uint64_t token, int err);

/* --- names.c --- */
/* NULL for 0. */
void names_free(struct transport *transport);

/* --- alias.c --- */
bool alias_is_for(const struct connection *connection, const struct transport_path *path);
/* The connection of another worker that serves this path; 0 = none. */
uint64_t alias_elsewhere(const struct transport *transport, const struct transport_path *path);

/* --- listen.c --- */
MUST_CHECK int listener_open(struct transport *transport, const struct transport_listener *info,
			     struct buf *why);
void listeners_free(struct transport *transport);

/* --- udp.c --- */
enum { UDP_QUEUE = 256 };
MUST_CHECK int udp_send(struct transport *transport, const struct transport_path *path,
			struct slice bytes, uint64_t token);
void udp_flush(struct transport *transport);
void udp_on_readable(void *owner, int events);

/* --- accept.c --- */
void accept_on_readable(void *owner, int events);
/* The longest silent connection of an interface makes room, where one may. */
bool accept_evict(struct transport *transport, uint16_t interface);
void source_leave(struct transport *transport, struct source *source);

/* --- open.c --- */
MUST_CHECK int connection_open(struct transport *transport, const struct transport_path *path,
			       struct connection **out);
void open_on_connected(struct connection *connection);
/* It did not answer a SYN: nobody waits for it again so soon. */
void open_remember_silent(const struct connection *connection, uint64_t now_ms);

/* --- connection.c --- */
MUST_CHECK int connection_create(struct transport *transport, uint16_t listener, int fd,
				 const struct addr *remote, bool accepted, struct connection **out);
struct connection *connection_find(struct transport *transport, uint64_t id);
/* One that requests to this path may use. */
struct connection *connection_find_remote(struct transport *transport,
					  const struct transport_path *path);
/* Its handlers may be on the stack: memory goes at burst end. Tokens in the queue fail with err. */
void connection_close(struct connection *connection, int err);
void connections_bury(struct transport *transport);
/* How many an interface has, with those of the other workers. */
void interface_count_change(struct transport *transport, uint16_t interface, int change);
uint32_t interface_count(const struct transport *transport, uint16_t interface);
void connection_arm(struct connection *connection);
/* Something whole came from the peer. */
void connection_touch(struct connection *connection);
/* What was to be before messages is done (TCP, TLS, the upgrade): the next step, or open. */
void connection_next_state(struct connection *connection);
void connection_path(const struct connection *connection, struct transport_path *out);
void connection_watch(struct connection *connection, int events);

/* --- secure.c --- */
void secure_on_event(struct connection *connection);
void secure_leave(struct connection *connection); /* of a connection that ends meanwhile */
/* At burst end: a new share for the next wake-up. */
void secure_renew(struct transport *transport);

/* --- bytes.c: as read(2) and sendmsg(2), errno too, over TLS or not --- */
MUST_CHECK ssize_t bytes_read(struct connection *connection, char *data, size_t size);
MUST_CHECK ssize_t bytes_write_queue(struct connection *connection);
void bytes_end(struct connection *connection); /* nothing more will be written */

/* --- frames.c --- */
void frames_upgrade(struct connection *connection, struct slice data);
void frames_take(struct connection *connection, struct slice data);

/* --- stream.c --- */
void stream_on_event(void *owner, int events);
/* One message as its transport frames it. */
MUST_CHECK int stream_send(struct connection *connection, struct slice bytes, uint64_t token);
/* Bytes as they are. */
MUST_CHECK int stream_queue(struct connection *connection, struct slice bytes, uint64_t token,
			    bool is_request);
void stream_flush(struct connection *connection);
void stream_drop_queue(struct connection *connection, int err);
void stream_deliver(struct connection *connection, struct slice message, enum frame_result how);
/* The beginning of something is kept until the rest comes. */
void stream_keep(struct connection *connection, struct slice rest);
void stream_forget(struct connection *connection); /* and is not kept any more */

/* --- unanswered.c --- */
/* A request is out: its sender hears when the connection breaks (-ERR_LOST), unless there were too
 * many since. */
void unanswered_add(struct connection *connection, uint64_t token);
void unanswered_tell(struct connection *connection);
