/* binding.h - where a phone is: its address-of-record, the contact it registered, and the path by
 * which it really came. The registrar behind us knows it by a contact of ours, whose user part is
 * the token. Owned by the table of one worker.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/worker/worker.h"

enum { BINDING_Q_MAX = 1000 };

/* What is known of a contact when it registers; the texts are copied. */
struct binding_facts {
	struct slice contact; /* the phone's own URI */
	struct slice
		parameters;    /* RFC 5626: ";+sip.instance=...;reg-id=1", given back in replies */
	struct slice call_id;  /* RFC 3261 10.3 step 7: a refresh is known by these */
	struct slice path_set; /* RFC 3327: "<sip:p;lr>, ..." for the Route of what goes to it */
	struct slice service_route; /* RFC 3608: for the Route of what comes from it */
	uint64_t identity;          /* hash of the digest's username; 0 = none */
	uint32_t cseq;
	uint32_t expires_s;          /* told to the phone */
	uint64_t registrar_until_ms; /* how long the registrar behind us holds it */
	uint16_t q;                  /* thousandths */
	bool is_bulk;                /* RFC 6140: it stands for a whole range of numbers */
	uint32_t registrar;          /* peer; NO_PEER = it is ours */
};
#define BINDING_NO_PEER UINT32_MAX

/* Towards a phone behind NAT (keepalive.h). */
struct binding_keepalive {
	void *owner;
	struct timer timer;
	struct transaction_handle handle; /* of the one that waits for its answer */
	uint8_t misses;
};

struct binding {
	struct table_link by_aor;
	struct table_link by_id;
	struct table_link by_flow; /* of its connection, while that is open */
	struct timer expiry;
	struct binding_table *table;
	struct slice aor;           /* owned; canonical */
	struct binding_facts facts; /* texts owned */
	uint64_t id;                /* in the token */
	struct transport_path path;
	bool is_lost; /* its connection has ended: not to be reached until it registers again */
	uint64_t registered_ms;
	uint64_t refreshed_ms;
	uint64_t heard_ms;      /* the last that came from it */
	uint64_t kept_until_ms; /* what the store was told (relayed.c); 0 = nothing */
	uint32_t kept_epoch;    /* of the registrar, then */
	struct addr kept_remote;
	struct addr counted; /* of the registry's addresses; family 0 = not */
	struct binding_keepalive keepalive;
};

/* RFC 5626 5.3: flows of one phone. */
bool binding_is_same_phone(const struct binding *a, const struct binding *b);

struct binding_table {
	struct wheel *wheel;
	struct table aors;
	struct table ids;
	struct table flows;
	uint64_t key[2];
	uint32_t limit;
	uint64_t expired;
	/* A binding was made, changed or is about to go. */
	void (*on_change)(void *owner, struct binding *binding, bool is_going);
	void *owner;
};

/* `secret`: of the identifiers; the same after a restart gives the same masks. */
MUST_CHECK int binding_table_init(struct binding_table *table, struct wheel *wheel,
				  const uint64_t secret[2], uint32_t limit);
void binding_table_free(struct binding_table *table);
/* The identifier of what names a contact of this AOR (its URI; its instance and reg-id where it has
 * them, RFC 5626 6): the same each time it registers. */
uint64_t binding_id(const struct binding_table *table, struct slice aor, struct slice name);
struct binding *binding_find(const struct binding_table *table, uint64_t id);
/* The bindings of an AOR: start with NULL. */
struct binding *binding_of_aor(const struct binding_table *table, struct slice aor,
			       const struct binding *after);
struct binding *binding_next(const struct binding_table *table, const struct binding *at);
uint32_t binding_count(const struct binding_table *table, struct slice aor);
/* Add or refresh; `path` is the one its REGISTER came by. -ERR_TOO_MANY, -ERR_NO_MEMORY,
 * -ERR_EXISTS (two AORs, one identifier). */
MUST_CHECK int binding_put(struct binding_table *table, struct slice aor, uint64_t id,
			   const struct binding_facts *facts, const struct transport_path *path,
			   struct binding **out);
/* The phone said that it is still there, by the same path. */
void binding_refresh(struct binding *binding, uint32_t cseq, uint32_t expires_s);
/* Those that registered over this connection are lost (RFC 5626 5.3: 430). */
void binding_flow_closed(struct binding_table *table, uint64_t connection);
/* The same of a listener where nothing begins any more. */
void binding_listener_gone(struct binding_table *table, uint16_t listener);
void binding_remove(struct binding *binding);
uint32_t binding_left_s(const struct binding *binding); /* until it expires */
