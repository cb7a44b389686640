/* seal.h - private to control/state: what stands in the store for nobody else to read or make.
 * AES-256-GCM (NIST SP 800-38D) with a random nonce; its key is derived from `state.key`. A sealed
 * value is the record's head (format 2), nonce, ciphertext, tag. The head's format, worker and
 * state are authenticated; node and epoch are not, as scripts in the store change them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"
#include "control/base/log.h"
#include "control/base/random.h"

enum { SEAL_NONCE_SIZE = 12, SEAL_TAG_SIZE = 16 };

struct seal;

/* `random` and `log` outlive it. */
MUST_CHECK int seal_create(const char *secret, struct random *random, const struct log *log,
			   struct seal **out);
void seal_destroy(struct seal *seal); /* NULL is fine; wipes the key */
/* Appends. A value without head (heartbeats: nothing in them is secret) is passed as it is. */
MUST_CHECK int seal_close(struct seal *seal, struct slice value, struct buf *out);
/* Appends the value as it was, its head (format 1) with it. -ERR_MALFORMED: sealed with another
 * key, changed, or not sealed at all; counted, and each 1024th said in the log. What has no head is
 * passed. */
MUST_CHECK int seal_open(struct seal *seal, struct slice value, struct buf *out);
uint64_t seal_refused(const struct seal *seal);
