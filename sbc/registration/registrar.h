/* registrar.h - REGISTER (RFC 3261 10). For the domains that are ours it is answered here, against
 * the subscribers; all else of the configured phones is relayed to the registrar behind us: the
 * phone's contact is masked by one of ours, what is granted is kept as a binding, refreshes are
 * answered here while the registrar's own time lasts. Credentials and challenges pass untouched.
 * One per worker: a phone's messages all come to the worker of its address-of-record
 * (sbc/worker/shard.h).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"
#include "sbc/registration/binding.h"
#include "sbc/registration/registry.h"
#include "sbc/route/peers.h"

/* Whose a Contact user of ours is: the two lowest bits of its token's id. */
enum contact_owner { CONTACT_CALLER, CONTACT_CALLEE, CONTACT_BINDING };

struct registrar;

#define FOREACH_REGISTRAR_COUNTER(X)                                                               \
	X(requests, "REGISTERs received")                                                          \
	X(absorbed, "refreshes answered here for the registrar")                                   \
	X(accepted, "REGISTERs the registrar, or ours, accepted")                                  \
	X(challenged, "REGISTERs the registrar, or ours, challenged")                              \
	X(refused, "REGISTERs the registrar refused")                                              \
	X(refused_here, "REGISTERs refused by us")                                                 \
	X(failed, "REGISTERs without an answer from the registrar")                                \
	X(login_failures, "logins with a wrong password")                                          \
	X(not_kept, "registrations that were not written in time")                                 \
	X(probes, "keep-alives sent to phones behind NAT")                                         \
	X(probes_lost, "keep-alives that were not answered")                                       \
	X(restored, "registrations of before the start")                                           \
	X(limited, "REGISTERs over a rate")

struct registrar_counters {
#define X(name, text) struct counter name;
	FOREACH_REGISTRAR_COUNTER(X)
#undef X
};

struct registrar_config {
	struct worker *worker;
	struct peers *peers;
	struct registry *registry; /* NULL (tests): no domain of ours, nothing is shared */
	struct store *store;       /* of the worker; NULL = nothing outlives the process */
};

/* Keys of relayed registrations in the store: with the token of the binding in braces. */
#define REGISTRAR_KEPT "aor:"

MUST_CHECK int registrar_create(const struct registrar_config *config, struct registrar **out);
void registrar_destroy(struct registrar *registrar); /* NULL is fine */
/* One of before the start, as the store has it, with the number of its token. */
void registrar_restore(struct registrar *registrar, uint64_t id, struct slice value);
/* The key of what the store was told of it; false = nothing. */
bool registrar_record(const struct registrar *registrar, const struct binding *binding,
		      struct buf *out);
/* The store takes writes again (store_return_fn); it may have come back empty. */
void registrar_store_returned(struct registrar *registrar);
void registrar_stop(struct registrar *registrar); /* no more keep-alives */
void registrar_receive(struct registrar *registrar, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path);
/* Answer 503: over a rate. Each is told another time to come back, so that an office of thousands
 * returns in order. */
void registrar_refuse_limited(struct registrar *registrar, struct transaction_handle handle,
			      const struct message *request, const struct transport_path *path);
/* worker->config is another one: phones behind listeners that are gone are not reached any more. */
void registrar_reload(struct registrar *registrar);
/* A connection has ended: who registered over it is not reached until they do again. */
void registrar_flow_closed(struct registrar *registrar, uint64_t connection);
/* The binding a masked contact stands for, from the user part of a Request-URI; NULL = none that
 * can be reached. */
const struct binding *registrar_contact(const struct registrar *registrar, struct slice user);
/* The same of a whole Request-URI: a bulk contact (RFC 6140) hides in a parameter. */
const struct binding *registrar_contact_uri(const struct registrar *registrar,
					    const struct uri *uri);
/* Where a call to this binding goes: its contact; with the called number in it for a bulk one. */
void registrar_target(const struct binding *binding, struct slice request_uri, struct buf *out);
/* Is this user part a masked contact of ours, bound or not any more? */
bool registrar_is_masked(const struct registrar *registrar, struct slice user);
/* A binding of an address-of-record that can be reached; `after` NULL = the first. Of a domain of
 * ours there is one only, the best (q, then the newest), wherever it lives: a copy on the worker's
 * arena. */
const struct binding *registrar_lookup(const struct registrar *registrar, struct slice uri,
				       const struct binding *after);
/* All of an address-of-record of ours, copied to the arena; the best first. */
size_t registrar_contacts(const struct registrar *registrar, struct slice uri, struct arena *arena,
			  struct binding *out, size_t room);
/* Is this of a domain that we answer for? */
bool registrar_is_local(const struct registrar *registrar, struct slice uri);
/* Is the source of this request the registered phone its From names? */
const struct binding *registrar_caller(const struct registrar *registrar, struct slice from_uri,
				       const struct transport_path *path);
/* A request of somebody who is not known, with From in a domain of ours: 0 when its credentials
 * are right; else the status (407, 403) and its lines. */
unsigned int registrar_authenticate(struct registrar *registrar, const struct message *request,
				    const struct transport_path *path, struct buf *headers);
/* How long its NAT is known to bear silence; 0 = nothing is sent. */
uint32_t registrar_keepalive_ms(const struct registrar *registrar, const struct binding *binding);
/* Credentials for a domain of ours are for us alone: their lines are taken out of `lines`. */
void registrar_drop_credentials(const struct registrar *registrar, struct buf *lines);
const struct binding_table *registrar_bindings(const struct registrar *registrar);
const struct registrar_counters *registrar_counters(const struct registrar *registrar);
uint32_t registrar_pending(const struct registrar *registrar);
