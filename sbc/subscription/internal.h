/* internal.h - what the files of this folder share. subscriptions.c is the table and who gets what,
 * way.c where a request goes, passing.c one request on its way, subscribe.c and notify.c the
 * dialogs, keep.c the record of one.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/dialog/dialog.h"
#include "sbc/revival/pursuits.h"
#include "sbc/subscription/subscription.h"
#include "sbc/topology/policy.h"

enum {
	SUBSCRIBER = 0,
	NOTIFIER = 1,
	SUBSCRIPTIONS_MAX = 65536, /* of one worker */
	PASSINGS_MAX = 16384,
	FORKS_MAX = 4,     /* beside the first */
	CONTACTS_MAX = 16, /* of a user that a request is for */
	SHARES = 16384,
	SHARE_MAX = 512, /* subscriptions of one phone */
	BODY_MAX = 65536,
	SUBSCRIPTION_ID = 3, /* the two bits of its own identifier: no side's */
};

struct branches;

struct side {
	struct dialog dialog;
	struct transport_path path; /* where its last message came from, or the first goes to */
	uint16_t interface;
	int peer; /* -1 = a phone */
	bool is_trusted;
};

struct subscription {
	struct table_link by_number;
	struct subscriptions *all;
	uint64_t number; /* in its tokens: packed, with node and worker (sbc/worker/token.h) */
	struct side sides[2];
	struct slice event;  /* owned; with its id */
	struct slice target; /* owned; Request-URI as it came */
	uint64_t root;       /* of a fork: the first one */
	uint64_t forks[FORKS_MAX];
	uint32_t fork_count;
	uint16_t *share;  /* of its subscriber; NULL = a peer's, or a fork */
	bool is_up;       /* the notifier's dialog is there */
	bool is_secure;   /* sips: every hop is secured */
	uint32_t asked_s; /* Expires of the last SUBSCRIBE */
	uint64_t created_ms;
	struct timer expiry;
	uint64_t ends_ms;   /* without a refresh; the loop's clock */
	uint32_t granted_s; /* with that; 0 = it is about to end */
	/* its record (keep.c) */
	uint64_t epoch; /* of our ownership */
	struct timer keep;
	bool is_kept;  /* a record was given to the store */
	bool was_kept; /* before that */
	bool is_protected;
	uint32_t kept_cseq; /* of the subscriber's side, when it was written */
	uint64_t kept_ends_ms;
	struct session_ids session;
};

/* One request on its way, until its answer. */
struct passing {
	struct table_link by_number;
	struct subscriptions *all;
	uint64_t number;
	struct transaction_handle server;
	uint64_t subscription;     /* 0 = none */
	uint8_t from;              /* side of it that asked */
	bool is_first;             /* the request that began it */
	bool is_last;              /* NOTIFY that ends it */
	bool is_named;             /* its dialog's next hop is to be looked up */
	bool is_secure;            /* sips: */
	uint8_t contact;           /* of the phones of a user, which one has it */
	struct branches *branches; /* it goes to several phones; else NULL */
	enum method method;
	struct crossing back;       /* for the answer */
	struct dialog dialog;       /* without a subscription: what stands in From, To, ... */
	struct slice method_text;   /* owned */
	struct slice uri;           /* owned; Request-URI as it came */
	struct slice lines;         /* owned; all other headers */
	struct slice content_type;  /* owned */
	struct slice body;          /* owned */
	struct slice record_routes; /* owned; for the answer */
	int max_forwards;
	uint16_t interface; /* it leaves by */
	int peer;           /* -1 = to a phone, or in a dialog */
	struct peers_try attempt;
	struct transport_path path;
};

struct subscriptions {
	struct subscriptions_config config;
	struct worker *worker;
	struct table by_number;
	struct table passings;
	uint64_t next_number;
	uint64_t next_passing;
	uint16_t shares[SHARES]; /* subscriptions of a phone, by the hash of its name */
	uint64_t secret[2];      /* of the Call-IDs and tags of requests without a dialog */
	uint64_t unix_offset_ms; /* Unix time minus the loop's clock */
	struct arena *scratch;   /* of the record in hand */
	struct pursuits *pursuits;
	bool is_closing;
	struct subscription_counters counters;
};

/* --- way.c --- */
struct way {
	unsigned int status; /* 0 = found; else the answer */
	bool is_silent;      /* none at all */
	int from_peer;       /* -1 = a phone */
	int peer;            /* -1 = to a phone */
	uint16_t interface;
	struct transport_path path; /* to a phone */
	struct buf target;          /* owned; to a phone: Request-URI */
	struct buf routes;          /* owned; to a phone: its Path (RFC 3327); else Service-Route */
	struct buf headers;         /* owned; of the answer */
};
/* The phones of a user of our own domains, one flow of each, the best (q) first: on the worker's
 * arena. `is_secure`: only those that are reached by TLS. */
size_t way_contacts(const struct subscriptions *all, struct slice uri, bool is_secure,
		    struct binding **out);
void way_to_phone(const struct binding *binding, struct slice uri, struct way *out);
void way_free(struct way *way);
void way_find(struct subscriptions *all, const struct message *request,
	      const struct transport_path *path, struct way *out);
/* A REFER outside calls: 0, or the status to refuse it with. */
unsigned int way_may_refer(const struct subscriptions *all, const struct message *refer,
			   const struct transport_path *path, int from_peer);
bool way_believes(const struct subscriptions *all, int peer);

/* --- passing.c --- */
/* An unfinished one, not yet in the table; passing_drop() or passing_send() follows. */
MUST_CHECK int passing_create(struct subscriptions *all, struct transaction_handle server,
			      const struct message *request, const struct crossing *crossing,
			      struct passing **out);
void passing_free(struct passing *passing); /* NULL is fine */
struct passing *passing_find(const struct subscriptions *all, uint64_t number);
/* Give it to a client transaction; from then on it belongs to the table. */
MUST_CHECK int passing_send(struct passing *passing);
/* The same again, to where it points now. */
MUST_CHECK int passing_send_now(struct passing *passing);
void passing_answer(struct passing *passing, const struct reply *reply);

/* --- outside.c: outside any dialog --- */
void passing_outside(struct subscriptions *all, struct transaction_handle handle,
		     const struct message *request, const struct transport_path *path,
		     const struct way *way);
/* One of several gives up its part; the last one ends what they share. */
void branches_leave(struct branches *branches);
/* What one phone says: true = `out` is to be answered with now. */
bool branches_hear(struct branches *branches, const struct reply *reply, struct reply *out);

/* The crossing from one place to another. */
struct crossing passing_crossing(const struct subscriptions *all, uint16_t from_interface,
				 int from_peer, uint16_t to_interface, int to_peer, bool with_body);
/* Identity of the other side, with the hosts of this one. */
MUST_CHECK int passing_map_identity(struct slice *owned, const struct crossing *crossing,
				    struct slice uri);
void passing_copy_routes(const struct message *request, struct buf *out);

/* --- subscriptions.c --- */
struct subscription *subscription_find(const struct subscriptions *all, uint64_t number);
void subscription_end(struct subscription *subscription);
/* Another node has it: nobody is told. */
void subscription_lose(struct subscription *subscription);
/* `name` as another process gave it; 0 = a new one. */
MUST_CHECK int subscription_create(struct subscriptions *all, uint64_t name,
				   struct subscription **out);
/* One more of a phone's: -ERR_TOO_MANY, it has its share. */
MUST_CHECK int subscription_share(struct subscription *subscription, struct slice subscriber);
void subscription_refuse(struct subscriptions *all, struct transaction_handle handle,
			 const struct message *request, const struct transport_path *path,
			 unsigned int status, struct slice headers);
/* What could not be passed on: 400, 500, or 503 with Retry-After. */
void subscription_refuse_error(struct subscriptions *all, struct transaction_handle handle,
			       const struct message *request, const struct transport_path *path,
			       int err);
/* Good for so long from now, and a little for the last NOTIFY to come. */
void subscription_arm(struct subscription *subscription, uint64_t expires_s);

/* An identifier of it: `bits` tell the side, or SUBSCRIPTION_ID. */
void subscription_token(const struct subscription *subscription, unsigned int bits,
			char out[TOKEN_LENGTH]);

/* --- keep.c --- */
/* Of the record of a subscription with this number. */
void subscription_write_id(const struct subscriptions *all, uint64_t name, char out[TOKEN_LENGTH]);
MUST_CHECK int subscriptions_open_store(struct subscriptions *all);
/* Its dialogs have changed: it is written soon. */
void subscription_keep(struct subscription *subscription);
/* The same, if its time has changed, or its numbers come to the end of what the record leaves. */
void subscription_follow(struct subscription *subscription);
void subscription_unkeep(struct subscription *subscription);

/* --- subscribe.c --- */
void subscribe_receive(struct subscriptions *all, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path,
		       const struct way *way);
/* SUBSCRIBE or NOTIFY in its dialog, from a side. */
void subscription_receive(struct subscription *subscription, uint8_t from,
			  struct transaction_handle handle, const struct message *request,
			  const struct transport_path *path);
/* The first SUBSCRIBE to the next phone of its user. False: there is none. */
bool subscribe_try_next(struct passing *passing);
/* What became of it: before the answer goes back. Lines of ours for the answer. */
void subscription_answered(struct passing *passing, const struct message *response,
			   const struct transport_path *path, struct buf *own);
void subscription_unanswered(struct passing *passing, unsigned int status);
/* Whose NOTIFY this is: the subscription, a fork of it, or a fork that it begins. NULL = 481. */
struct subscription *notify_match(struct subscription *first, const struct message *notify,
				  const struct transport_path *path);
/* Of those that a NOTIFY may belong to, one that is in the store and not here; 0 = none. */
uint64_t notify_missing(const struct subscription *first, const struct message *notify);
void notify_forget(struct subscription *first, uint64_t fork);
/* Where a side's requests go now; `is_named`: where the name of its next hop leads from there. */
void side_way(const struct subscription *subscription, uint8_t side, struct transport_path *out,
	      bool *is_named);
bool side_is_source(const struct subscription *subscription, uint8_t side,
		    const struct transport_path *path);
void side_write_contact(const struct subscription *subscription, uint8_t side, struct buf *out);
MUST_CHECK int side_set_contact(struct subscription *subscription, uint8_t side,
				const struct transport_path *path);
struct crossing side_crossing(const struct subscription *subscription, uint8_t from,
			      bool with_body);
