/* hops.h - where a request has been by us before it comes (RFC 3261 16.3 step 4), on whatever
 * worker: behind the token of a From tag of ours stands a mark for each of its arrivals, made of
 * the side and the Request-URI. Coming round as it was it is a loop; with another Request-URI a
 * spiral. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/message.h"
#include "sbc/worker/worker.h"

/* Was this request here already? `kind`: of the tokens in such tags. */
bool hops_came_round(const struct worker *worker, enum token_kind kind,
		     const struct message *request, const struct transport_path *path);
/* The tag for where it goes on to: the token, then the marks of before and this one. */
void hops_write_tag(const struct worker *worker, enum token_kind kind,
		    const struct message *request, const struct transport_path *path,
		    struct slice token, struct buf *out);
