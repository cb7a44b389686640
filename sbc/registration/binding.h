/* binding.h - where a phone is: its address-of-record, the contact it registered, and the path by
 * which it really came. The registrar knows it by a contact of ours, whose user part is the token.
 * Owned by the table of one worker.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/table.h"
#include "sbc/worker/worker.h"

struct binding {
	struct table_link by_aor;
	struct table_link by_id;
	struct table_link by_flow; /* of its connection, while that is open */
	struct timer expiry;
	struct binding_table *table;
	struct slice aor;     /* owned; canonical */
	struct slice contact; /* owned; the phone's own URI, as registered */
	uint64_t id;          /* in the token */
	struct transport_path path;
	bool is_lost; /* its connection has ended: not to be reached until it registers again */
	uint32_t registrar; /* peer */
	uint32_t expires_s; /* granted */
	uint64_t registered_ms;
	uint64_t refreshed_ms;
};

struct binding_table {
	struct wheel *wheel;
	struct table aors;
	struct table ids;
	struct table flows;
	uint64_t key[2];
	uint32_t limit;
	uint64_t expired;
};

MUST_CHECK int binding_table_init(struct binding_table *table, struct wheel *wheel,
				  struct random *random, uint32_t limit);
void binding_table_free(struct binding_table *table);
/* The identifier a contact of this AOR has or will have: the same each time it registers. */
uint64_t binding_id(const struct binding_table *table, struct slice aor, struct slice contact);
struct binding *binding_find(const struct binding_table *table, uint64_t id);
/* The bindings of an AOR: start with NULL. */
struct binding *binding_of_aor(const struct binding_table *table, struct slice aor,
			       const struct binding *after);
struct binding *binding_next(const struct binding_table *table, const struct binding *at);
uint32_t binding_count(const struct binding_table *table, struct slice aor);
/* Add or refresh. -ERR_TOO_MANY, -ERR_NO_MEMORY, -ERR_EXISTS (two contacts, one identifier). */
MUST_CHECK int binding_put(struct binding_table *table, struct slice aor, struct slice contact,
			   uint32_t expires_s, const struct transport_path *path,
			   struct binding **out);
/* Those that registered over this connection are lost (RFC 5626 5.3: 430). */
void binding_flow_closed(struct binding_table *table, uint64_t connection);
void binding_remove(struct binding *binding);
