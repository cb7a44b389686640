/* caller.h - who sends a request that begins something, and where the routes lead it: the same for
 * a call and for what is outside calls.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <time.h>
#include "sbc/registration/registrar.h"

struct caller {
	int peer;            /* -1 = a phone, or nobody we know */
	unsigned int status; /* 0 = known; else the answer */
	bool is_silent;      /* none at all */
};
/* A peer, a registered phone, somebody with a password: true. `headers` gets the lines of the
 * answer to anybody else. */
bool caller_identify(struct registrar *registrar, const struct message *request,
		     const struct transport_path *path, struct buf *headers, struct caller *out);

/* Somebody may have put another's address on this: a datagram from no peer, nor from where the
 * phone registered that it names. */
bool caller_may_be_forged(const struct registrar *registrar, const struct message *request,
			  const struct transport_path *path);

struct caller_query {
	int peer;            /* of who calls; -1 = a phone */
	struct slice called; /* URI; its number, by the rules of who calls, and its parts: */
	struct slice number;
	const struct uri *uri;
	time_t now;
	const struct binding
		*lead; /* the phone that is called, where it is known; NULL = looked up */
};
struct caller_way {
	const struct config_route *route;
	const struct binding *binding; /* the phone that is called; NULL = none */
};
/* 0, or what to answer: 404, 480. */
unsigned int caller_find(const struct registrar *registrar, const struct caller_query *query,
			 struct caller_way *out);
