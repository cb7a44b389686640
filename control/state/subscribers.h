/* subscribers.h - who may register with the domains we answer for (founding scenario R1): user,
 * domain and the digests that stand for a password, never the password. In an SQLite file, or in
 * Redis where several nodes share them.
 * Everything here blocks: it is for the `postern subscriber` command and for the thread that loads
 * them for the workers (sbc/auth/directory.h).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/digest.h"
#include "control/state/redis_place.h"

enum { SUBSCRIBER_NAME_MAX = 255 }; /* of user and of domain */

struct subscriber {
	struct slice domain; /* lower case; also the realm */
	struct slice user;   /* as it stands in the digest's username */
	struct slice ha1[DIGEST_ALGORITHMS];
};

struct subscribers;

/* Other than 0 ends the walk with it. The subscriber is valid during the call. */
typedef int subscriber_fn(void *owner, const struct subscriber *subscriber);

struct subscribers_config {
	const char *path;                 /* of the SQLite file; NULL = Redis */
	struct addr redis;                /* or */
	const char *redis_unix;           /* when set */
	struct redis_sentinels sentinels; /* when there are any: they say which server */
	const char *redis_user;           /* NULL = the default user */
	const char *redis_password;
	uint32_t redis_database;
};

/* Opens, and makes what is missing. `why` (may be NULL) gets one line on failure. */
MUST_CHECK int subscribers_open(const struct subscribers_config *config, struct buf *why,
				struct subscribers **out);
void subscribers_close(struct subscribers *subscribers); /* NULL is fine */
/* -ERR_EXISTS; -ERR_MALFORMED: a name or digest that cannot be. */
MUST_CHECK int subscribers_add(struct subscribers *subscribers,
			       const struct subscriber *subscriber);
/* Its digests change. -ERR_NOT_FOUND. */
MUST_CHECK int subscribers_change(struct subscribers *subscribers,
				  const struct subscriber *subscriber);
MUST_CHECK int subscribers_remove(struct subscribers *subscribers, struct slice domain,
				  struct slice user); /* -ERR_NOT_FOUND */
/* All of them, by domain and user in the file's order. */
MUST_CHECK int subscribers_each(struct subscribers *subscribers, subscriber_fn *fn, void *owner);
/* A number that is another one after every change. */
MUST_CHECK int subscribers_version(struct subscribers *subscribers, uint64_t *out);
/* One text for either store: lines "domain user md5 sha-256 sha-512-256" under a headline. */
MUST_CHECK int subscribers_backup(struct subscribers *subscribers, struct buf *out);
/* Exactly those of a backup, all or nothing. -ERR_MALFORMED: `line` says where, nothing changed. */
MUST_CHECK int subscribers_restore(struct subscribers *subscribers, struct slice text,
				   unsigned int *line);
bool subscriber_is_valid(const struct subscriber *subscriber);
