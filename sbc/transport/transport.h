/* transport.h - the sockets of one worker: listeners of every interface and transport, connections
 * either way. Messages come in whole and go out whole; sends are queued and flushed at burst end.
 * Nothing blocks: a peer that does not read, answer a SYN, end its handshake or close costs a
 * bounded queue and a time-out. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"
#include "control/base/log.h"
#include "control/base/loop.h"
#include "sbc/transport/sip_transport.h"
#include "sbc/transport/tls.h"

/* Of one worker until a restart: a reload adds some, and indexes are not used again. */
enum { TRANSPORT_LISTENERS_MAX = 4096 };

/* Where a message came from, or shall go. As a destination: `connection` is tried first when it is
 * set and alive; then any connection to `remote`; else one is opened. */
struct transport_path {
	uint16_t interface; /* index into the configuration's interfaces */
	uint16_t listener;  /* index of a listener: our own address */
	uint8_t transport;  /* enum sip_transport */
	uint8_t worker;     /* whose connection it is */
	bool flow;          /* over `connection` or not at all (RFC 5626) */
	uint16_t via_port;  /* of a reply: where its receiver listens; 0 = remote.port */
	uint16_t name; /* of transport_name(): whom a TLS certificate must name; 0 = the address */
	struct addr remote;
	uint64_t connection; /* 0 = none; carries its worker, never used twice */
};

enum transport_purpose {
	TRANSPORT_SIP,
	TRANSPORT_STUN, /* a UDP port for STUN alone */
};

struct transport_listener {
	uint16_t interface;
	enum sip_transport transport;
	enum transport_purpose purpose;
	struct addr address; /* bound */
	bool is_floating;    /* it may be on another machine just now, and come later */
	struct addr group;   /* multicast: joined on `address`; family 0 = none */
	const char *sent_by; /* "host:port" in Via and Contact: advertised name or the address */
};

struct transport_interface {
	const char *name;
	bool trusted;
	bool replies_by_tcp; /* scenario N4: replies to UDP requests go out by TCP */
	bool large_by_tcp;   /* RFC 3261 18.1.1 may be followed */
	uint32_t connections_max;
	uint32_t connections_source; /* of one address */
	const char *const *origins;  /* of WebSockets (RFC 6454); not copied; none = any */
	size_t origin_count;
};

struct transport_timers {
	uint32_t connect_ms; /* a SYN that nobody answers */
	uint32_t idle_ms;    /* a connection without a message */
	uint32_t first_ms;   /* from accept to the first whole message, handshakes included */
	uint32_t stall_ms;   /* a peer that does not read */
	uint32_t partial_ms; /* from the first byte of a message to its last */
};
extern const struct transport_timers transport_timers_default;

/* Written by this worker, read by the stats thread; per interface. */
#define FOREACH_TRANSPORT_COUNTER(X)                                                               \
	X(received, "messages received")                                                           \
	X(sent, "messages sent")                                                                   \
	X(bytes_received, "bytes received")                                                        \
	X(bytes_sent, "bytes sent")                                                                \
	X(send_errors, "messages that could not be sent")                                          \
	X(accepted, "connections accepted")                                                        \
	X(opened, "connections opened")                                                            \
	X(connect_failed, "connections that did not open")                                         \
	X(refused, "connections over a limit")                                                     \
	X(timed_out, "connections closed for silence")                                             \
	X(stalled, "connections closed because the peer did not read")                             \
	X(secured, "TLS handshakes done")                                                          \
	X(resumed, "TLS handshakes that resumed a session")                                        \
	X(not_secured, "TLS handshakes that failed")                                               \
	X(not_upgraded, "WebSocket handshakes that failed")                                        \
	X(stun, "STUN requests answered")                                                          \
	X(connections, "connections open")

struct transport_counters {
#define X(name, text) struct counter name;
	FOREACH_TRANSPORT_COUNTER(X)
#undef X
};

struct transport;

/* `data` may be scanned in place and is valid during the call. `close_after` (out, streams only):
 * the receiver sets it to have the connection closed once queued replies are out. */
struct transport_message {
	char *data;
	size_t len;
	struct transport_path path;
	bool truncated; /* longer than message_max: only the head is here */
	bool broken;    /* stream without usable Content-Length: answer and close */
	bool multicast; /* sent to a group: path is already that of a reply */
};
typedef void transport_message_fn(void *owner, struct transport_message *message);
/* A message given to transport_send() with this token was not sent or its connection broke before
 * it was: -ERR_TIMEOUT (no answer to SYN), -ERR_REFUSED, -ERR_UNREACHABLE, -ERR_CLOSED, ...
 * -ERR_LOST: a request was sent whole, and its connection has broken since; it may have been
 * answered. */
typedef void transport_error_fn(void *owner, const struct transport_path *path, uint64_t token,
				int err);
/* STUN from there: may it be answered? */
typedef bool transport_admit_fn(void *owner, const struct transport_path *path);
/* A connection that workers follow (bits of `followers`) has ended. It must not send. */
typedef void transport_closed_fn(void *owner, uint64_t connection, uint64_t followers);
/* A message for another worker's connection; true when it was taken. */
typedef bool transport_relay_fn(void *owner, const struct transport_path *path, struct slice bytes,
				uint64_t token);

struct transport_config {
	struct loop *loop;
	const struct log *log;
	uint8_t worker;
	bool shared; /* several workers bind the same ports (SO_REUSEPORT) */
	const struct transport_interface *interfaces; /* copied */
	size_t interface_count;
	size_t interface_room; /* of which a reload may make use; 0 = none more */
	const struct transport_listener *listeners; /* copied */
	size_t listener_count;
	size_t datagram_max; /* bytes of one UDP message; 16384 */
	size_t stream_max;   /* bytes of one message on a connection; 65536 */
	struct tls *tls;     /* shared by transport_create(); NULL = no TLS */
	struct transport_timers timers;
	struct inherited *inherited; /* sockets that are open already; NULL = none */
	struct crowd *crowd;         /* of all workers; NULL = what is here is all there is */
	uint64_t hash_key[2];        /* of the tables, because their keys come from strangers */
	transport_message_fn *on_message;
	transport_error_fn *on_error;
	transport_relay_fn *relay;      /* NULL = one worker */
	transport_admit_fn *admit;      /* NULL = everybody */
	transport_closed_fn *on_closed; /* NULL is fine */
	void *owner;
};

/* Binds everything. On failure `why` (may be NULL) gets one line naming address and cause. */
MUST_CHECK int transport_create(const struct transport_config *config, struct buf *why,
				struct transport **out);
void transport_destroy(struct transport *transport); /* NULL is fine; open queues are dropped */

/* Queue a message. Never calls back from inside: failures come later through on_error when token is
 * not 0. 0, or -ERR_X when it could not even be queued (then on_error is not called). */
MUST_CHECK int transport_send(struct transport *transport, const struct transport_path *path,
			      struct slice bytes, uint64_t token);
/* Send what is queued now; the loop does this at every burst end. */
void transport_flush(struct transport *transport);

/* A socket for this listener, as transport_create() makes its own: `is_first` looks whether a
 * stranger has the port already. From any thread. */
MUST_CHECK int transport_bind(const struct transport_listener *info, bool shared, bool is_first,
			      struct buf *why, int *fd);
/* A socket of transport_bind() becomes one more listener, which takes it; all workers add the same
 * ones in the same order, so that an index means the same everywhere. `fd` -1: of a multicast
 * group, another worker's. -ERR_TOO_MANY, -ERR_NO_MEMORY: the socket is still the caller's. */
MUST_CHECK int transport_add_listener(struct transport *transport,
				      const struct transport_listener *info, int fd);
/* Whether anything new may begin there: one that drains serves what it has. */
void transport_set_draining(struct transport *transport, uint16_t listener, bool is_draining);
bool transport_is_draining(const struct transport *transport, uint16_t listener);
/* Its "host:port" in Via and Contact from now on. Without memory it stays. */
void transport_set_sent_by(struct transport *transport, uint16_t listener, const char *sent_by);
/* Its socket goes, and every connection that came or went by it. */
void transport_close_listener(struct transport *transport, uint16_t listener);

/* The listener of this interface for a transport and family, one that drains only when there is no
 * other: -ERR_NOT_FOUND. */
MUST_CHECK int transport_listener_for(const struct transport *transport, uint16_t interface,
				      enum sip_transport kind, uint8_t family, uint16_t *listener);
const struct transport_listener *transport_listener(const struct transport *transport,
						    uint16_t index);
/* Its socket; -1 = it has none (a group that another worker hears). */
int transport_listener_fd(const struct transport *transport, uint16_t index);
uint16_t transport_listener_count(const struct transport *transport); /* closed ones, too */
const struct transport_interface *transport_interface(const struct transport *transport,
						      uint16_t index);
const struct transport_counters *transport_counters(const struct transport *transport,
						    uint16_t interface);
/* The number of a host name in transport_path.name, of this worker: 0 for an address.
 * -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int transport_name(struct transport *transport, struct slice host, uint16_t *name);
/* The host name of a number; NULL for 0. */
const char *transport_name_text(const struct transport *transport, uint16_t name);
/* Let requests to `address` use this connection (RFC 5923 alias; the caller trusts the source. Over
 * TLS only requests to whom its certificate names). True: other workers should know. */
bool transport_alias(struct transport *transport, const struct transport_path *path,
		     const struct addr *address);
/* The same of another worker's connection, of which `path` tells; and that it has ended (0: all).
 */
void transport_alias_elsewhere(struct transport *transport, const struct transport_path *path,
			       const struct addr *address);
void transport_forget_elsewhere(struct transport *transport, uint64_t connection);
/* This worker hears when the connection ends (on_closed). */
void transport_follow(struct transport *transport, uint64_t connection, uint8_t worker);
/* Close once what is queued is out. */
void transport_close(struct transport *transport, uint64_t connection);
/* Take no new connections; what is open, and datagrams, go on. */
void transport_stop_accepting(struct transport *transport);
/* New limits and policies of the same interfaces, and new ones behind them, as many as there is
 * room for; connections that are open stay. */
void transport_set_interfaces(struct transport *transport,
			      const struct transport_interface *interfaces, size_t count);
/* From now on connections begin with these certificates; those that are open keep theirs. */
void transport_set_tls(struct transport *transport, struct tls *tls);
