/* sessions.h - everything the control thread knows of calls: NG requests in, SDP and flows out.
 * A session is a Call-ID; it holds dialogs (pairs of tags, one per branch), a dialog holds streams
 * (one per m= line), a stream has two sides with a port pair each. Used by one thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/random.h"
#include "control/base/wheel.h"
#include "control/ng/server.h"
#include "control/stats/server.h"
#include "rtpengine/datapath/datapath.h"
#include "rtpengine/recorder/recorder.h"
#include "rtpengine/session/limits.h"
#include "rtpengine/session/ports.h"

struct sessions;

struct session_ports { /* both ends included */
	uint16_t first, last;
};
#define SESSION_MAX_RANGES 8

/* From where media is admitted (flow.h says how). */
enum session_source {
	SESSION_SOURCE_UNSAID,     /* for a party: as its interface */
	SESSION_SOURCE_LEARN_ONCE, /* the SDP's address, or one confirmed once */
	SESSION_SOURCE_SDP_ONLY,
	SESSION_SOURCE_ICE,    /* only from where ICE has confirmed */
	SESSION_SOURCE_SECURE, /* only what SRTP has authenticated */
};

/* One media interface; a peer is put on it by name ("direction"). */
struct session_interface {
	const char *name;
	const struct addr *addresses; /* its own; ports ignored */
	size_t address_count;
	/* What SDP says instead of the address of that family (1:1 NAT); family 0 = the address. */
	struct addr advertise;
	/* On each address; a stream goes where most is free. */
	struct session_ports ports[SESSION_MAX_RANGES];
	size_t port_count;
	uint32_t quarantine_ms;   /* 0 = PORTS_QUARANTINE_MS */
	uint32_t idle_timeout_ms; /* a call without any packet ends; 0 = as if on hold */
	enum session_source source;
	uint8_t dscp; /* 0 to 63 */
};

/* How long a side may take to speak first, where its interface has no idle time-out. */
#define SESSIONS_LEARN_MS 60000
/* Nobody answered: longer than a phone may ring (RFC 3261 16.6 timer C: above 3 minutes). */
#define SESSIONS_OFFER_MS 300000
/* A call on hold is silent by intent: only what the signalling forgot for an hour is ended. */
#define SESSIONS_HELD_MS 3600000

#define SESSIONS_INSTANCE_LEN 16

struct sessions_config {
	struct wheel *wheel;
	const struct log *log;
	struct random *random;
	struct datapath *datapath;
	struct recorder *recorder;                  /* NULL = no recording */
	const char *sounds;                         /* folder; copied; NULL = no file is played */
	const struct session_interface *interfaces; /* copied; the first is the default */
	size_t interface_count;
	struct limits_config limits;
	uint32_t offer_timeout_ms; /* 0 = SESSIONS_OFFER_MS */
	uint32_t held_timeout_ms;  /* 0 = SESSIONS_HELD_MS */
	uint64_t wall_us;          /* Unix time at create, in microseconds */
};

struct sessions_counters {
	uint64_t created;
	uint64_t refused;   /* by a limit, or without a free port */
	uint64_t deleted;   /* asked for */
	uint64_t timed_out; /* no media */
	uint64_t held_timed_out;
	uint64_t offer_timed_out; /* never answered */
	uint64_t offers, answers, deletes, queries, lists, pings, statistics, errors;
	uint64_t controls; /* commands on calls in progress: block, play, ... */
	uint64_t unsent;   /* packets of played sounds that no lcore took */
	uint64_t events;   /* telephone events that arrived (RFC 4733) */
	uint64_t ice_completed, ice_failed, ice_restarts;
	uint64_t ice_unauthentic; /* STUN with our ufrag and a wrong password */
	uint64_t consent_lost;    /* sides that stopped consenting to our packets */
	uint64_t dtls_done, dtls_failed;
	uint64_t hijack_attempts; /* first strangers, as reported by the datapath */
	uint64_t packets, bytes;  /* relayed by sessions that have ended */
	uint64_t lost;
	uint64_t duration_ms; /* of sessions that have ended */
};

MUST_CHECK int sessions_create(const struct sessions_config *config, uint64_t now_ms,
			       struct sessions **out);
/* New policies, addresses and ports for streams that are offered from now on; the same interfaces
 * in the same order, and new ones behind them. Ranges that are gone stay as long as somebody is on
 * them. -ERR_NO_MEMORY and others of port_range_create(): nothing has changed. */
MUST_CHECK int sessions_follow(struct sessions *sessions,
			       const struct session_interface *interfaces, size_t count);
/* Forget the ranges of before that nobody is on any more: how many. `left`: that somebody is. */
size_t sessions_sweep_ranges(struct sessions *sessions, uint64_t now_ms, size_t *left);
void sessions_destroy(struct sessions *sessions); /* closes every flow; NULL is fine */

/* Answer one NG request: fills `reply`. `now_ms` is the clock of the wheel. */
void sessions_handle(struct sessions *sessions, uint64_t now_ms, const struct ng_request *request,
		     struct ng_value *reply);
/* Take what the datapath reports (learned sources, strangers) into the log. */
void sessions_events(struct sessions *sessions);

/* From now on; what is there goes on. */
void sessions_set_limits(struct sessions *sessions, uint64_t now_ms,
			 const struct limits_config *limits);
void sessions_drain(struct sessions *sessions, bool on); /* no new sessions while it is on */
uint32_t sessions_count(const struct sessions *sessions);
const struct sessions_counters *sessions_counters(const struct sessions *sessions);
/* Random; that of the process before when all its sessions came back. */
const char *sessions_instance(const struct sessions *sessions);
size_t sessions_range_count(const struct sessions *sessions);
struct port_range *sessions_range(const struct sessions *sessions, size_t index);

/* Answers of the stats socket (show.c). */
json_t *sessions_show_calls(struct sessions *sessions, uint64_t now_ms);
json_t *sessions_show_call(struct sessions *sessions, uint64_t now_ms, struct slice call_id);
json_t *sessions_show_interfaces(struct sessions *sessions, uint64_t now_ms);
json_t *sessions_show_stats(struct sessions *sessions, uint64_t now_ms);
