/* trunk.h - we as a subscriber of a peer (`register` of a peer, RFC 3261 10.2): registered,
 * refreshed before it expires, tried again with growing patience. One worker does it for all; a
 * trunk that fails disturbs nobody else. Of several nodes with one store one registers each trunk,
 * another one when that node dies or cannot. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"
#include "sbc/route/peers.h"

struct trunks;

struct trunk_state {
	const char *text; /* "registered", "registering", "refused", ... */
	uint32_t expires_in_s;
	uint32_t next_try_s;
	unsigned int status; /* of the last answer; 0 = none came */
	uint32_t registered; /* times */
	uint32_t failures;
};

struct trunks_config {
	struct worker *worker;
	struct peers *peers;
	struct store *store; /* NULL: none that outlives the process */
};

MUST_CHECK int trunks_create(const struct trunks_config *config, struct trunks **out);
/* By its heartbeat (control/state/nodes.h): what it registered is anybody's, until it is back. */
void trunks_node_lost(struct trunks *trunks, uint16_t node);
void trunks_store_returned(struct trunks *trunks); /* it may have come back empty */
void trunks_node_back(struct trunks *trunks, uint16_t node);
/* worker->config is another one: new trunks begin, those that it knows no more end. */
void trunks_reload(struct trunks *trunks);
void trunks_stop(struct trunks *trunks);    /* no more refreshes; what is registered expires */
void trunks_destroy(struct trunks *trunks); /* NULL is fine */
/* False: we do not register with this peer, or another worker does. */
bool trunks_state(const struct trunks *trunks, uint32_t peer, struct trunk_state *out);
