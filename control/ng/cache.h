/* cache.h - inside control/ng only: replies kept for retransmitted requests, by source address and
 * cookie. Two generations, exchanged every `generation_ms`, so that a reply lives for one to two of
 * them; sooner when the bytes run out. The source port is not part of the key: a client that sends
 * again from another socket is the same client. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

struct ng_cache;

MUST_CHECK int ng_cache_create(uint32_t generation_ms, size_t max_bytes, uint64_t now_ms,
			       struct ng_cache **out);
void ng_cache_destroy(struct ng_cache *cache);
/* False = not there. The reply is valid until the next call. */
bool ng_cache_get(struct ng_cache *cache, uint64_t now_ms, const struct addr *source,
		  struct slice cookie, struct slice *reply);
/* Without memory nothing is kept. */
void ng_cache_put(struct ng_cache *cache, uint64_t now_ms, const struct addr *source,
		  struct slice cookie, struct slice reply);
