/* redis_link.h - private to control/state: one stream to a server, made anew with back-off, written
 * once per wake-up, never waited for. Knows nothing of what is said on it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/socket.h>
#include "control/base/buf.h"
#include "control/base/loop.h"

typedef void redis_link_open_fn(void *owner);
typedef void redis_link_bytes_fn(void *owner, struct slice bytes);
/* The connection, or the attempt, has ended; another follows by itself. */
typedef void redis_link_close_fn(void *owner, const char *reason);

struct redis_link_config {
	struct loop *loop;
	const struct sockaddr_storage *server;
	socklen_t server_len;
	uint32_t connect_timeout_ms;
	redis_link_open_fn *on_open;
	redis_link_bytes_fn *on_bytes;
	redis_link_close_fn *on_close;
	void *owner;
};

struct redis_link {
	struct redis_link_config config;
	struct sockaddr_storage server;
	int fd; /* -1 = none */
	bool is_open;
	struct loop_io *io;
	struct buf out;
	char in[16 * 1024]; /* here, as on the stack it would be zeroed each time */
	size_t out_sent;    /* of it, already with the kernel */
	bool is_blocked;    /* the kernel takes no more: wait until it is writable */
	int send_errno;     /* of a send at the end of a burst */
	struct timer timer; /* connect time-out, next attempt, or a send error to act upon */
	uint32_t backoff_ms;
};

void redis_link_init(struct redis_link *link, const struct redis_link_config *config);
void redis_link_start(struct redis_link *link);
void redis_link_stop(struct redis_link *link); /* sends what it can; on_close is not called */
/* End this connection for a reason of ours; calls on_close. */
void redis_link_drop(struct redis_link *link, const char *reason);
/* End it, and connect to `server` as it is now, at once; on_close is not called. */
void redis_link_turn(struct redis_link *link);
/* The other side has proved useful: the next loss starts with the shortest back-off. */
void redis_link_settle(struct redis_link *link);
size_t redis_link_unsent(const struct redis_link *link);
void redis_link_flush(struct redis_link *link); /* at the end of a burst */
