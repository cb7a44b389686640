/* client.h - asks media relays over NG: ours, or any other that speaks it. One per sbc worker.
 * Retransmits, times out, watches the relays' health, and takes the offer of a new call to another
 * relay when one fails or is full. Nothing here blocks; answers come by handle, because calls end
 * while we wait. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/loop.h"
#include "control/base/random.h"
#include "control/ng/server.h"

struct ng_client;

#define NG_MAX_RELAYS 64

struct ng_reply {
	int err;   /* 0 = a reply came (look at its `result`); -ERR_TIMEOUT, -ERR_UNREACHABLE,
		    * -ERR_MALFORMED, -ERR_NO_MEMORY */
	int relay; /* which answered or was asked last; -1 = none */
	const struct ng_value *dict; /* NULL on err; valid only during the call */
};

/* Called exactly once for each accepted request, never from inside ng_client_request(). */
typedef void ng_done_fn(void *owner, uint64_t handle, const struct ng_reply *reply);
/* A relay of ours says that this call ended by media time-out. */
typedef void ng_ended_fn(void *owner, int relay, struct slice call_id);
enum ng_news {
	NG_NEWS_KNOWN,     /* the first time that a relay of ours says which process it is */
	NG_NEWS_RESTARTED, /* it is another process than at the ping before: its sessions are gone
			    */
	NG_NEWS_LOST       /* it was heard of, and has not answered for a while: as good as gone */
};
/* What becomes of a relay; each is told once. */
typedef void ng_news_fn(void *owner, int relay, enum ng_news news);

struct ng_relay_config {
	const char *name;            /* for logs and show */
	struct ng_endpoint endpoint; /* NG_UDP best; NG_TCP, NG_UNIX */
};

struct ng_client_config {
	struct loop *loop;
	struct wheel *wheel; /* NULL = the loop's; tests give their own */
	const struct log *log;
	struct random *random;
	const struct ng_relay_config *relays; /* copied */
	unsigned relay_count;
	uint32_t timeout_ms;  /* of one try; 0 = 1000 */
	uint32_t tries;       /* sends of one request; 0 = 5 */
	uint32_t ping_ms;     /* 0 = 5000 */
	uint32_t max_pending; /* 0 = 65536 */
};

struct ng_relay_state {
	const char *name;
	struct ng_endpoint endpoint;
	bool in_service;
	bool is_ours;         /* its pings hold `instance` */
	const char *instance; /* which process it is; "" = not ours, or not asked yet */
	uint32_t pending;     /* requests without answer */
	uint32_t calls;       /* placed there by us and not deleted */
	uint64_t requests, replies, retransmits, timeouts, refused, failovers;
	uint32_t rtt_us; /* smoothed; 0 = never measured. In steps of the loop's clock (1 ms) */
	uint64_t last_reply_ms;
};

/* Starts pinging; all relays count as in service until they fail. */
MUST_CHECK int ng_client_create(const struct ng_client_config *config, struct ng_client **out);
/* Pending requests are forgotten: their done functions are not called. NULL is fine. The loop keeps
 * its burst-end hook: destroy the client when the loop has stopped for good. */
void ng_client_destroy(struct ng_client *client);

/* `request` must hold "command"; it is encoded at once and sent at the end of the burst. relay -1:
 * choose one by health and load; an "offer" so sent is a new call and fails over. When it does not
 * return 0 (-ERR_UNREACHABLE no relay in service, -ERR_TOO_MANY, -ERR_TOO_LARGE, -ERR_INVALID,
 * -ERR_NO_MEMORY), done is not called. done NULL = the answer does not matter. */
MUST_CHECK int ng_client_request(struct ng_client *client, int relay,
				 const struct ng_value *request, ng_done_fn *done, void *owner,
				 uint64_t handle);
/* Send what is queued now. The loop does it at each burst end, but for deletes that nobody waits
 * for: they go with the next request, or within 20 ms. */
void ng_client_flush(struct ng_client *client);

void ng_client_on_ended(struct ng_client *client, ng_ended_fn *fn, void *owner);
void ng_client_on_news(struct ng_client *client, ng_news_fn *fn, void *owner);

unsigned ng_client_relay_count(const struct ng_client *client);
void ng_client_relays(const struct ng_client *client, unsigned relay, struct ng_relay_state *out);
bool ng_client_relay_is_ours(const struct ng_client *client, int relay);
/* Is there one, -1: any at all, that can be asked now? */
bool ng_client_relay_serves(const struct ng_client *client, int relay);
bool ng_client_relays_are_ours(const struct ng_client *client); /* all of them */
