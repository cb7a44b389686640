/* registering.h - the registrar of one worker inside, and a REGISTER on its way to the registrar
 * behind us until that has answered. Private to sbc/registration.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/auth/server.h"
#include "sbc/registration/asked.h"
#include "sbc/registration/registrar.h"

enum { CHALLENGES = 4096, PACES = 4096, MINIMA = 256 };

struct registering {
	struct table_link link;
	uint64_t number; /* the context of its transactions */
	struct transaction_handle server;
	struct asked asked;
	bool is_secure;      /* sips: by TLS all the way (RFC 5630) */
	struct slice domain; /* owned; of the Request-URI; empty = the server's address */
	struct slice rest;   /* owned; what goes to the registrar, without its start line */
	struct slice extras; /* owned; lines of a 200 */
	struct transport_path path;
	struct config_phones rules; /* as they were when it came */
	uint64_t nonce;             /* hash of the one its credentials are for; 0 = none */
	struct peers_try attempt;
};

/* A REGISTER of a domain of ours that waits until it is kept. */
struct keeping {
	struct table_link link;
	uint64_t number;
	struct transaction_handle server;
	struct slice headers; /* owned; of its 200 */
	struct timer timer;
	struct registrar *registrar;
	uint32_t missing; /* answers of the keeper */
};

/* The nonce that an AOR was given last: a login that fails with it is a wrong password. */
struct challenge {
	uint64_t aor;
	uint64_t nonce;
};

/* When the next of those over an address's rate may come back. */
struct pace {
	uint64_t next_us;
};

struct registrar {
	struct worker *worker;
	struct peers *peers;
	struct registry *registry;
	struct binding_table bindings;
	struct table pending;
	struct table keepings;
	uint64_t next_number;
	uint64_t secret[2]; /* of the Call-IDs and tags we show the registrar, of identifiers */
	struct auth_server auth;
	uint32_t minimum_s[MINIMA]; /* by peer: what its registrar said with 423 */
	struct challenge *challenges;
	struct pace *paces;
	struct keepalives *keepalives;
	struct store *store;     /* NULL = none that outlives the process */
	uint64_t unix_offset_ms; /* Unix time minus the loop's clock */
	struct timer rewriting;  /* relayed.c: the store may have lost what it had */
	struct binding *rewrite; /* the next of them; NULL = the first */
	uint32_t rewritten;      /* on this way through the table */
	uint32_t kept_epoch;     /* rises when the store may have lost what it had */
	bool is_restoring;       /* what the store has: it is not written again */
	bool is_closing;         /* the process ends: the next one has them again */
	bool is_taking_over;     /* what was kept: nothing is written again */
	struct registrar_counters counters;
};

/* --- relay.c --- */
void relay_receive(struct registrar *registrar, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path,
		   uint32_t phones);
void registering_free(struct registrar *registrar, struct registering *registering);

/* --- absorb.c: a refresh that the registrar need not hear --- */
bool absorb(struct registrar *registrar, struct transaction_handle handle,
	    const struct message *request, const struct transport_path *path,
	    const struct asked *asked, const struct config_phones *rules);

/* --- local.c: the domains that we answer for --- */
void local_receive(struct registrar *registrar, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path,
		   uint32_t domain);
void local_kept(void *owner, uint64_t number, int err);
void keeping_free(struct keeping *keeping);
/* What was kept before the last end; those whose AOR is another worker's are left. */
void local_expired(struct registrar *registrar, const struct binding *binding);
void local_take_over(struct registrar *registrar);
void local_question(const struct registrar *registrar, uint32_t domain, bool is_proxy,
		    enum digest_algorithm *algorithms, struct auth_question *out);

/* --- relayed.c --- */
/* A binding was made, changed or goes. */
void relayed_follow(struct registrar *registrar, struct binding *binding, bool is_going);
void relayed_stop(struct registrar *registrar);

/* --- mask.c --- */
/* What the registrar shall see of the phone's request: everything below the start line. */
MUST_CHECK int registering_write(const struct registrar *registrar,
				 const struct registering *registering,
				 const struct message *request, const struct transport_path *out,
				 uint32_t expires_s, struct buf *buf);
/* The identifier in a contact of ours; false when it is somebody else's. */
bool registering_unmask(const struct registrar *registrar, const struct uri *uri, uint64_t *id);
/* The one form of an address-of-record, whichever of our addresses the URI names. */
MUST_CHECK int registering_aor(const struct registrar *registrar, uint32_t peer, struct slice uri,
			       struct buf *out);

/* --- granted.c --- */
/* A 2xx came: bring the bindings up to date and write the lines of the phone's 200. */
void registering_granted(struct registrar *registrar, const struct registering *registering,
			 const struct message *response, struct buf *headers);

void registering_take_service_route(const struct message *response, struct buf *out);
void registering_write_service_route(const struct registrar *registrar, uint16_t interface,
				     struct buf *out);

/* --- registrar.c --- */
int registrar_domain(const struct registrar *registrar, struct slice host); /* -1 */
/* A login failed: counted, and perhaps a ban. */
void registrar_login_failed(struct registrar *registrar, const struct transport_path *path);
