/* policy.h - which header may cross from one side to the other.
 * What leaves by an untrusted interface is an allow-list; what leaves by a trusted one is all but
 * the headers of the hop and those that would tell one side about the other.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum header_rule {
	HEADER_OURS,       /* we write it ourselves, or it belongs to the hop: never copied */
	HEADER_HIDDEN,     /* says who or what is behind us: never copied */
	HEADER_IDENTITY,   /* an asserted identity: from trusted to trusted only (RFC 3325) */
	HEADER_END_TO_END, /* crosses everywhere */
	HEADER_REASON,     /* crosses, its text only towards a trusted side (RFC 3326) */
	HEADER_OTHER       /* not listed: crosses towards a trusted side only */
};

enum header_rule policy_header_rule(struct slice name);
/* May it leave by an interface with `to_trusted`, having come in by one with `from_trusted`? */
bool policy_header_crosses(struct slice name, bool from_trusted, bool to_trusted);
