/* certificate.h - what PEM files hold (OpenSSL behind certificate.c alone, in config/): that they
 * are certificates and keys, belong together, and how long they are good.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

/* What is wrong with it ("holds no certificate"), static; NULL = nothing. */
const char *certificate_check_chain(struct slice pem);
const char *certificate_check_key(struct slice pem);
/* Whether the key is that of the chain's first certificate. */
bool certificate_has_key(struct slice chain, struct slice key);
/* Seconds from `now_s` (of the epoch) until the first certificate of the chain ends; negative when
 * it has ended. The chain must be a good one. */
int64_t certificate_lifetime_s(struct slice chain, int64_t now_s);
