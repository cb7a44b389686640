/* token.h - the identifiers we make, which carry their way home: local tags, our Call-IDs, branches
 * (after z9hG4bK) and Contact users. 26 characters [a-z2-7]: a small SIV over {node, worker, kind,
 * id} with two siphash keys: opaque (nothing of the inside shows, not even order), and not to be
 * made by anybody else. One value has one text.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/random.h"

enum { TOKEN_LENGTH = 26 };

enum token_kind {
	TOKEN_CALL_ID = 1,
	TOKEN_TAG,
	TOKEN_BRANCH,
	TOKEN_CONTACT,
	TOKEN_SUBSCRIPTION, /* tag, Contact user and Call-ID of its dialogs */
};

struct token_key { /* shared by all workers of a process, and later by all nodes */
	uint64_t mac[2];
	uint64_t cipher[2];
};

struct token {
	uint16_t node;
	uint8_t worker;
	uint64_t id; /* 36 bits */
};
#define TOKEN_ID_MAX ((1ull << 36) - 1)

/* All three in one number below 2^60; not 0, as no node has that. */
static inline uint64_t token_pack(const struct token *token)
{
	return (uint64_t)token->node << 44 | (uint64_t)token->worker << 36 |
	       (token->id & TOKEN_ID_MAX);
}
static inline struct token token_unpack(uint64_t packed)
{
	return (struct token){.node = (uint16_t)(packed >> 44),
			      .worker = (uint8_t)(packed >> 36),
			      .id = packed & TOKEN_ID_MAX};
}

void token_key_random(struct random *random, struct token_key *out);
void token_make(const struct token_key *key, enum token_kind kind, const struct token *token,
		char out[TOKEN_LENGTH]);
/* -ERR_MALFORMED: not one of ours. Either case is read. */
MUST_CHECK int token_read(const struct token_key *key, enum token_kind kind, struct slice text,
			  struct token *out);
