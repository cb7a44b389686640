/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/policy.h"
#include <stdlib.h>

struct rule {
	struct slice name;
	enum header_rule rule;
};

#define ROW(text, what)                                                                            \
	{                                                                                          \
		{text, sizeof(text) - 1}, RULE_##what                                              \
	}

/* Sorted without regard to case: bsearch. Compact forms are expanded by message. */
static const struct rule rules[] = {
	ROW("Accept", END_TO_END),
	ROW("Accept-Contact", END_TO_END),
	ROW("Accept-Encoding", END_TO_END),
	ROW("Accept-Language", END_TO_END),
	ROW("Accept-Resource-Priority", END_TO_END),
	ROW("Alert-Info", OTHER), /* a URI of the PBX's own */
	ROW("Allow", OURS),
	ROW("Allow-Events", OURS),
	ROW("Answer-Mode", END_TO_END),
	ROW("Authentication-Info", END_TO_END),
	ROW("Authorization", END_TO_END),
	ROW("Call-ID", OURS),
	ROW("Call-Info", HIDDEN),
	ROW("Contact", OURS),
	ROW("Content-Disposition", BODY),
	ROW("Content-Encoding", BODY),
	ROW("Content-Language", BODY),
	ROW("Content-Length", OURS),
	ROW("Content-Type", OURS), /* goes with the body */
	ROW("CSeq", OURS),
	ROW("Date", END_TO_END),
	ROW("Diversion", IDENTITY),
	ROW("Encryption", HIDDEN),
	ROW("Error-Info", HIDDEN),
	ROW("Event", END_TO_END),
	ROW("Expires", END_TO_END),
	ROW("From", OURS),
	ROW("Hide", HIDDEN),
	ROW("History-Info", IDENTITY),
	ROW("Identity", END_TO_END),
	ROW("In-Reply-To", HIDDEN), /* Call-IDs of the other side */
	ROW("Info-Package", END_TO_END),
	ROW("Join", HIDDEN), /* names a dialog of the other side */
	ROW("Max-Breadth", OURS),
	ROW("Max-Forwards", OURS),
	ROW("MIME-Version", BODY),
	ROW("Min-Expires", END_TO_END),
	ROW("Min-SE", OURS),
	ROW("Organization", HIDDEN),
	ROW("P-Access-Network-Info", IDENTITY),
	ROW("P-Asserted-Identity", IDENTITY),
	ROW("P-Asserted-Service", IDENTITY),
	ROW("P-Associated-URI", IDENTITY),
	ROW("P-Called-Party-ID", IDENTITY),
	ROW("P-Charge-Info", IDENTITY),
	ROW("P-Charging-Function-Addresses", IDENTITY),
	ROW("P-Charging-Vector", IDENTITY),
	ROW("P-Preferred-Identity", IDENTITY),
	ROW("P-Preferred-Service", IDENTITY),
	ROW("P-Private-Network-Indication", IDENTITY),
	ROW("P-Profile-Key", IDENTITY),
	ROW("P-Served-User", IDENTITY),
	ROW("P-User-Database", IDENTITY),
	ROW("P-Visited-Network-ID", IDENTITY),
	ROW("Path", OURS),
	ROW("Priority", END_TO_END),
	ROW("Priv-Answer-Mode", END_TO_END),
	ROW("Privacy", END_TO_END),
	ROW("Proxy-Authenticate", END_TO_END),
	ROW("Proxy-Authentication-Info", END_TO_END),
	ROW("Proxy-Authorization", END_TO_END),
	ROW("Proxy-Require", OURS),
	ROW("RAck", OURS),
	ROW("Reason", REASON),
	ROW("Record-Route", OURS),
	ROW("Recv-Info", END_TO_END),
	ROW("Refer-To", HIDDEN), /* needs its dialog and target mapped, not copied */
	ROW("Referred-By", HIDDEN),
	ROW("Reject-Contact", END_TO_END),
	ROW("Remote-Party-ID", IDENTITY),
	ROW("Replaces", HIDDEN),
	ROW("Reply-To", OTHER),
	ROW("Request-Disposition", END_TO_END),
	ROW("Require", OURS),
	ROW("Resource-Priority", END_TO_END),
	ROW("Response-Key", HIDDEN),
	ROW("Retry-After", END_TO_END),
	ROW("Route", OURS),
	ROW("RSeq", OURS),
	ROW("Server", HIDDEN),
	ROW("Service-Route", OURS),
	ROW("Session-Expires", OURS),
	ROW("SIP-ETag", END_TO_END),
	ROW("SIP-If-Match", END_TO_END),
	ROW("Subject", END_TO_END),
	ROW("Subscription-State", END_TO_END),
	ROW("Supported", OURS),
	ROW("Timestamp", OURS),
	ROW("To", OURS),
	ROW("Unsupported", END_TO_END),
	ROW("User-Agent", HIDDEN),
	ROW("User-to-User", END_TO_END),
	ROW("Via", OURS),
	ROW("Warning", HIDDEN), /* warn-agent is a host name */
	ROW("WWW-Authenticate", END_TO_END),
};

static int compare(const void *key, const void *row)
{
	const struct slice *name = key;
	const struct rule *rule = row;
	size_t len = name->len < rule->name.len ? name->len : rule->name.len;
	int order = strncasecmp(name->data, rule->name.data, len);

	if (order != 0)
		return order;
	return (name->len > rule->name.len) - (name->len < rule->name.len);
}

enum header_rule policy_header_rule(struct slice name)
{
	const struct rule *found =
		bsearch(&name, rules, sizeof(rules) / sizeof(rules[0]), sizeof(rules[0]), compare);
	return found ? found->rule : RULE_OTHER;
}

bool policy_header_crosses(struct slice name, const struct crossing *crossing)
{
	switch (policy_header_rule(name)) {
	case RULE_OURS:
	case RULE_HIDDEN:
		return false;
	case RULE_BODY:
		return crossing->with_body;
	case RULE_IDENTITY:
		return crossing->identity;
	case RULE_END_TO_END:
	case RULE_REASON:
		return true;
	case RULE_OTHER:
		break;
	}
	return crossing->to_trusted;
}
