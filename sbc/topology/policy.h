/* policy.h - which header may cross from one side to the other.
 * What leaves by an untrusted interface is an allow-list; what leaves by a trusted one is all but
 * the headers of the hop and those that would tell one side about the other.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum header_rule {
	RULE_OURS,       /* we write it ourselves, or it belongs to the hop: never copied */
	RULE_HIDDEN,     /* says who or what is behind us: never copied */
	RULE_BODY,       /* describes the body: goes with it */
	RULE_IDENTITY,   /* an asserted identity: from trusted to trusted only (RFC 3325) */
	RULE_END_TO_END, /* crosses everywhere */
	RULE_REASON,     /* crosses, its text only towards a trusted side (RFC 3326) */
	RULE_OTHER       /* not listed: crosses towards a trusted side only */
};

enum header_rule policy_header_rule(struct slice name);
/* The two sides of a crossing. */
struct crossing {
	bool from_trusted; /* side it came in by */
	bool to_trusted;   /* side it leaves by */
	bool identity;     /* both believe each other's asserted identities */
	bool with_body;    /* the body goes along */
};
bool policy_header_crosses(struct slice name, const struct crossing *crossing);
