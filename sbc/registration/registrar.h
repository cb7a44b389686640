/* registrar.h - relays REGISTER from phones to the registrar behind us. The phone's contact is
 * masked by one of ours; what the registrar grants is kept as a binding; its reply is mapped back.
 * Credentials and challenges pass untouched. One per worker: a phone's messages all come to the
 * worker of its address-of-record (sbc/worker/shard.h).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/binding.h"
#include "sbc/route/peers.h"

/* Whose a Contact user of ours is: the two lowest bits of its token's id. */
enum contact_owner { CONTACT_CALLER, CONTACT_CALLEE, CONTACT_BINDING };

struct registrar;

#define FOREACH_REGISTRAR_COUNTER(X)                                                               \
	X(requests, "REGISTERs received")                                                          \
	X(accepted, "REGISTERs the registrar accepted")                                            \
	X(challenged, "REGISTERs the registrar challenged")                                        \
	X(refused, "REGISTERs the registrar refused")                                              \
	X(refused_here, "REGISTERs refused by us")                                                 \
	X(failed, "REGISTERs without an answer from the registrar")                                \
	X(limited, "REGISTERs over a rate")

struct registrar_counters {
#define X(name, text) struct counter name;
	FOREACH_REGISTRAR_COUNTER(X)
#undef X
};

MUST_CHECK int registrar_create(struct worker *worker, struct peers *peers, struct registrar **out);
void registrar_destroy(struct registrar *registrar); /* NULL is fine */
void registrar_receive(struct registrar *registrar, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path);
/* Answer 503: over a rate. */
void registrar_refuse_limited(struct registrar *registrar, struct transaction_handle handle,
			      const struct message *request, const struct transport_path *path);
/* A connection has ended: who registered over it is not reached until they do again. */
void registrar_flow_closed(struct registrar *registrar, uint64_t connection);
/* The binding a masked contact stands for, from the user part of a Request-URI; NULL = none that
 * can be reached. */
const struct binding *registrar_contact(const struct registrar *registrar, struct slice user);
/* Is this user part a masked contact of ours, bound or not any more? */
bool registrar_is_masked(const struct registrar *registrar, struct slice user);
/* A binding of an address-of-record that can be reached; `after` NULL = the first. */
const struct binding *registrar_lookup(const struct registrar *registrar, struct slice uri,
				       const struct binding *after);
/* Is the source of this request the registered phone its From names? */
const struct binding *registrar_caller(const struct registrar *registrar, struct slice from_uri,
				       const struct transport_path *path);
const struct binding_table *registrar_bindings(const struct registrar *registrar);
const struct registrar_counters *registrar_counters(const struct registrar *registrar);
uint32_t registrar_pending(const struct registrar *registrar);
