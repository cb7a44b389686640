/* subscription.h - requests outside calls that go through us: MESSAGE, PUBLISH, OPTIONS and others
 * by route, and the dialogs of SUBSCRIBE, NOTIFY and REFER (RFC 6665, 3515), one on each side,
 * which live as long as their notifier says: weeks. One table per worker, bounded.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"
#include "sbc/registration/registrar.h"
#include "sbc/topology/conceal.h"

struct subscriptions;

#define FOREACH_SUBSCRIPTION_COUNTER(X)                                                            \
	X(passed, "requests passed on outside calls")                                              \
	X(failed, "of them, without an answer from the other side")                                \
	X(refused, "of them, refused by us")                                                       \
	X(strangers, "requests of strangers, dropped")                                             \
	X(subscribed, "subscriptions begun")                                                       \
	X(forked, "subscriptions that a NOTIFY of another fork began")                             \
	X(notified, "NOTIFYs passed on")                                                           \
	X(expired, "subscriptions that nobody refreshed")                                          \
	X(loops, "SUBSCRIBEs that came round (482)")                                               \
	X(revived, "subscriptions taken up from their records")                                    \
	X(lost, "subscriptions that another node took")                                            \
	X(unknown_dialog, "requests for no subscription of ours (481)")                            \
	X(foreign_source, "requests in a subscription from somebody else's address")

struct subscription_counters {
#define X(name, text) struct counter name;
	FOREACH_SUBSCRIPTION_COUNTER(X)
#undef X
};

/* What `show subscriptions` tells of one. */
struct subscription_info {
	struct slice event;
	struct slice subscriber; /* URI as it came */
	struct slice target;
	uint16_t interfaces[2];
	uint64_t created_ms; /* the loop's clock */
	uint64_t expires_ms;
	bool is_up;
	bool is_protected;     /* its record was acknowledged */
	char id[TOKEN_LENGTH]; /* of its record */
};

struct crossing;
struct subscriptions_config {
	struct worker *worker;
	struct peers *peers;
	struct registrar *registrar;
	const struct conceal_key *conceal; /* must outlive it */
	struct store *store;               /* NULL: none that outlives the process */
	/* One that was another node's is ours (its packed name); NULL is fine. */
	void (*on_taken)(void *owner, uint64_t name, uint64_t epoch);
	/* What Refer-To says, as the other side knows the calls that it names. -ERR_MALFORMED,
	 * -ERR_NO_MEMORY. */
	int (*map_refer_to)(void *owner, const struct crossing *crossing, struct slice value,
			    struct buf *out);
	void *owner;
};

/* Of the keys of their records: "sub:{id}". */
#define SUBSCRIPTION_KEPT "sub:"

MUST_CHECK int subscriptions_create(const struct subscriptions_config *config,
				    struct subscriptions **out);
/* Those still there are forgotten without a word; their records stay. */
void subscriptions_destroy(struct subscriptions *subscriptions); /* NULL is fine */
/* Which one a record's key names; false: no key of ours. */
bool subscription_key_read(const struct token_key *key, struct slice text, struct token *out);
/* This one is in the store, and its node is dead, or was this one: take it up behind. */
void subscriptions_add(struct subscriptions *subscriptions, const struct token *name,
		       uint64_t epoch);
/* Another node says that this one is its: we drop it. */
void subscriptions_taken(struct subscriptions *subscriptions, uint64_t name, uint64_t epoch);
void subscriptions_told_all(struct subscriptions *subscriptions); /* that there were at the start */
/* The store takes writes again (store_return_fn). */
void subscriptions_store_returned(struct subscriptions *subscriptions, bool everything);
/* False: it is nothing for here, but a call's or for ourselves. */
bool subscriptions_receive(struct subscriptions *subscriptions, struct transaction_handle handle,
			   const struct message *request, const struct transport_path *path);
const struct subscription_counters *subscriptions_counters(
	const struct subscriptions *subscriptions);
uint32_t subscriptions_count(const struct subscriptions *subscriptions);
uint32_t subscriptions_pending(const struct subscriptions *subscriptions); /* requests under way */
/* Walk them: start with `at` NULL. */
const void *subscriptions_next(const struct subscriptions *subscriptions, const void *at,
			       struct subscription_info *out);
