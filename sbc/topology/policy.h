/* policy.h - which header may cross from one side to the other, and as what.
 * What leaves by an untrusted interface is an allow-list; what leaves by a trusted one is all but
 * the headers of the hop and those that would tell one side about the other.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/topology/hosts.h"

enum header_rule {
	RULE_OURS,       /* we write it ourselves, or it belongs to the hop: never copied */
	RULE_HIDDEN,     /* says who or what is behind us: never copied */
	RULE_BODY,       /* describes the body: goes with it */
	RULE_IDENTITY,   /* an asserted identity: between those who believe it (RFC 3325) */
	RULE_END_TO_END, /* crosses everywhere */
	RULE_ADDRESSES,  /* crosses everywhere; the hosts of its URIs become those of the side */
	RULE_REASON,     /* crosses, its text only towards a trusted side (RFC 3326) */
	RULE_WARNING,    /* crosses in our name, its text only towards a trusted side */
	RULE_RETRY,      /* crosses without its comment (RFC 3261 20.33) */
	RULE_PRIVACY,    /* crosses without what was done for it here (RFC 3323 5) */
	RULE_SESSION,    /* crosses, and is made where it is missing (RFC 7989) */
	RULE_OTHER       /* not listed: crosses towards a trusted side only */
};

enum header_rule policy_header_rule(struct slice name);
/* Does it hold URIs of its sender's side? */
bool policy_header_has_addresses(struct slice name);

/* The identifiers of one session (RFC 7989), each side's as it said or as we made it. Embedded in
 * what holds the session, with a random seed. */
struct session_ids {
	uint64_t seed[2];
	uint8_t ids[2][16];
	bool is_known[2];
};

/* For a record of what holds the session: so many bytes. */
enum { SESSION_IDS_SIZE = 50 };
void session_ids_write(const struct session_ids *ids, char out[SESSION_IDS_SIZE]);
bool session_ids_read(struct slice bytes, struct session_ids *out);

/* The two sides of a crossing. Zeroed members: nothing is mapped, nothing is made. */
struct crossing {
	bool from_trusted;    /* side it came in by */
	bool to_trusted;      /* side it leaves by */
	bool identity;        /* both believe each other's asserted identities */
	bool with_body;       /* the body goes along */
	bool applies_privacy; /* what Privacy asks for is done here (RFC 3323) */
	struct hosts_way way; /* the side it leaves by; config NULL = hosts stay as they are */
	struct slice own;     /* lines that are written already: not copied again */
	struct session_ids *session;          /* NULL = Session-ID goes as it is, or not at all */
	uint8_t from;                         /* whose identifier in it is the sender's: 0 or 1 */
	const struct config_header_rules *in; /* of the side it came in by (rules.h); NULL = none */
	const struct config_header_rules *out; /* of the side it leaves by */
};
/* `hides_user`: privacy of the user is applied (policy_hides_user()). */
bool policy_header_crosses(struct slice name, const struct crossing *crossing, bool hides_user);
/* Is this token among the values of a Privacy header ("header;user")? */
bool policy_privacy_has(struct slice value, struct slice token);
