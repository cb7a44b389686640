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
	ROW("Allow-Events", END_TO_END),
	ROW("Answer-Mode", END_TO_END),
	ROW("Authentication-Info", END_TO_END),
	ROW("Authorization", END_TO_END),
	ROW("Call-ID", OURS),
	ROW("Call-Info", OTHER),
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
	ROW("Error-Info", OTHER),
	ROW("Event", END_TO_END),
	ROW("Expires", END_TO_END),
	ROW("Feature-Caps", OTHER),
	ROW("Flow-Timer", OURS),
	ROW("From", OURS),
	ROW("Geolocation", ADDRESSES),
	ROW("Geolocation-Error", END_TO_END),
	ROW("Geolocation-Routing", END_TO_END),
	ROW("Hide", HIDDEN),
	ROW("History-Info", IDENTITY),
	ROW("Identity", END_TO_END),
	ROW("Identity-Info", END_TO_END),
	ROW("In-Reply-To", HIDDEN), /* Call-IDs of the other side */
	ROW("Info-Package", END_TO_END),
	ROW("Join", OURS),
	ROW("Max-Breadth", OURS),
	ROW("Max-Forwards", OURS),
	ROW("MIME-Version", BODY),
	ROW("Min-Expires", END_TO_END),
	ROW("Min-SE", OURS),
	ROW("Organization", HIDDEN),
	ROW("P-Access-Network-Info", IDENTITY),
	ROW("P-Answer-State", IDENTITY),
	ROW("P-Asserted-Identity", IDENTITY),
	ROW("P-Asserted-Service", IDENTITY),
	ROW("P-Associated-URI", IDENTITY),
	ROW("P-Called-Party-ID", IDENTITY),
	ROW("P-Charge-Info", IDENTITY),
	ROW("P-Charging-Function-Addresses", IDENTITY),
	ROW("P-Charging-Vector", IDENTITY),
	ROW("P-DCS-OSPS", IDENTITY),
	ROW("P-Early-Media", IDENTITY),
	ROW("P-Media-Authorization", HIDDEN),
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
	ROW("Privacy", PRIVACY),
	ROW("Proxy-Authenticate", END_TO_END),
	ROW("Proxy-Authentication-Info", END_TO_END),
	ROW("Proxy-Authorization", END_TO_END),
	ROW("Proxy-Require", OURS),
	ROW("RAck", OURS),
	ROW("Reason", REASON),
	ROW("Record-Route", OURS),
	ROW("Recv-Info", END_TO_END),
	ROW("Refer-Sub", END_TO_END),
	ROW("Refer-To", OURS),
	ROW("Referred-By", ADDRESSES),
	ROW("Reject-Contact", END_TO_END),
	ROW("Remote-Party-ID", IDENTITY),
	ROW("Replaces", OURS),
	ROW("Reply-To", OTHER),
	ROW("Request-Disposition", END_TO_END),
	ROW("Require", OURS),
	ROW("Resource-Priority", END_TO_END),
	ROW("Response-Key", HIDDEN),
	ROW("Retry-After", RETRY),
	ROW("Route", OURS),
	ROW("RSeq", OURS),
	ROW("Security-Client", OURS),
	ROW("Security-Server", OURS),
	ROW("Security-Verify", OURS),
	ROW("Server", HIDDEN),
	ROW("Service-Route", OURS),
	ROW("Session-Expires", OURS),
	ROW("Session-ID", SESSION),
	ROW("SIP-ETag", END_TO_END),
	ROW("SIP-If-Match", END_TO_END),
	ROW("Subject", END_TO_END),
	ROW("Subscription-State", OURS),
	ROW("Supported", OURS),
	ROW("Suppress-If-Match", END_TO_END),
	ROW("Target-Dialog", OURS),
	ROW("Timestamp", OURS),
	ROW("To", OURS),
	ROW("Unsupported", END_TO_END),
	ROW("User-Agent", HIDDEN),
	ROW("User-to-User", END_TO_END),
	ROW("Via", OURS),
	ROW("Warning", WARNING),
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

/* Those of RFC 7315 and its kind that nobody listed are claims of a trust domain too. */
static bool is_private(struct slice name)
{
	return slice_starts_nocase(name, SLICE("P-"));
}

enum header_rule policy_header_rule(struct slice name)
{
	const struct rule *found =
		bsearch(&name, rules, sizeof(rules) / sizeof(rules[0]), sizeof(rules[0]), compare);
	if (found)
		return found->rule;
	return is_private(name) ? RULE_IDENTITY : RULE_OTHER;
}

bool policy_header_has_addresses(struct slice name)
{
	static const struct slice names[] = {
		{"Alert-Info", 10},           {"Call-Info", 9},         {"Diversion", 9},
		{"Error-Info", 10},           {"Geolocation", 11},      {"History-Info", 12},
		{"P-Asserted-Identity", 19},  {"P-Associated-URI", 16}, {"P-Called-Party-ID", 17},
		{"P-Preferred-Identity", 20}, {"P-Served-User", 13},    {"Referred-By", 11},
		{"Remote-Party-ID", 15},      {"Reply-To", 8},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal_nocase(name, names[i]))
			return true;
	return false;
}

bool policy_privacy_has(struct slice value, struct slice token)
{
	while (value.len > 0) {
		struct slice one = slice_trim(slice_cut(&value, ';'));
		if (slice_equal_nocase(one, token))
			return true;
	}
	return false;
}

/* RFC 3323 4.1 and 5.3: what a user says of himself beside From. */
static bool names_user(struct slice name)
{
	static const struct slice names[] = {
		{"Alert-Info", 10},  {"Call-Info", 9}, {"Geolocation", 11}, {"History-Info", 12},
		{"Referred-By", 11}, {"Reply-To", 8},  {"Subject", 7},      {"User-to-User", 12},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal_nocase(name, names[i]))
			return true;
	return false;
}

bool policy_header_crosses(struct slice name, const struct crossing *crossing, bool hides_user)
{
	if (hides_user && names_user(name))
		return false;
	switch (policy_header_rule(name)) {
	case RULE_OURS:
	case RULE_HIDDEN:
	case RULE_SESSION:
		return false;
	case RULE_BODY:
		return crossing->with_body;
	case RULE_IDENTITY:
		return crossing->identity;
	case RULE_END_TO_END:
	case RULE_ADDRESSES:
	case RULE_REASON:
	case RULE_WARNING:
	case RULE_RETRY:
	case RULE_PRIVACY:
		return true;
	case RULE_OTHER:
		break;
	}
	return crossing->to_trusted;
}
