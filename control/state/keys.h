/* keys.h - what the nodes of one store have in common: the keys that identifiers are made with, and
 * a number for each node. Asked for once, at the start, before there are workers: it blocks.
 * Kept in the store (Redis: the hash `postern:cluster`; SQLite: the table `cluster`), where the
 * first node makes them; with `secret` the keys are derived from that (HKDF, RFC 5869) and nothing
 * of them is stored. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"
#include "control/state/kept.h"

enum { NODE_NUMBER_MAX = 255 };

struct identity_keys { /* of tokens, and of what leads to a worker */
	uint64_t token_mac[2];
	uint64_t token_cipher[2];
	uint64_t shard[2];
};

struct cluster_config {
	const char *path;                       /* SQLite; or */
	const struct redis_plain_config *redis; /* or none of both: alone, and random keys */
	const char *secret;                     /* NULL = none */
	const char *name;                       /* of this node */
	uint16_t number;                        /* 0 = the one it had, or a free one */
	uid_t user;                             /* as in kept.h */
	gid_t group;
};

struct cluster {
	struct identity_keys keys;
	bool is_lasting; /* false: the keys are of this process alone */
	uint16_t number;
	bool is_member[NODE_NUMBER_MAX + 1]; /* numbers that nodes of this store have, ours too */
};

/* Always fills `out` with something to start with, except on -ERR_EXISTS: another node that lives
 * has our number. Other errors (the store is away, refuses, ...): keys of this process and a number
 * made from the name. `why` gets a line on each failure. */
MUST_CHECK int cluster_join(const struct cluster_config *config, struct random *random,
			    struct buf *why, struct cluster *out);
/* The store has lost it all: our number and the keys are put there again, unless somebody was
 * faster. It blocks too. `why` likewise. */
MUST_CHECK int cluster_rewrite(const struct cluster_config *config, struct buf *why,
			       const struct cluster *cluster);
void cluster_wipe(struct cluster *cluster); /* its keys are gone from memory */
/* Of heartbeats (nodes.h), and looked for when a number is taken. */
void node_key(uint16_t number, struct buf *out);
/* A key for one purpose out of `state.key`, at most DIGEST_RAW_MAX bytes. */
MUST_CHECK int cluster_derive(const char *secret, const char *label, void *out, size_t len);
