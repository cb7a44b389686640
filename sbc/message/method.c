/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/method.h"

struct header_name {
	struct slice name;
	char compact;
	bool single;
};

static const struct header_name header_names[HEADER_COUNT] = {
#define X(id, name, compact, single) [HEADER_##id] = {{name, sizeof(name) - 1}, compact, single},
	FOREACH_HEADER(X)
#undef X
};

static const struct slice method_names[METHOD_COUNT] = {
#define X(name) [METHOD_##name] = {#name, sizeof(#name) - 1},
	FOREACH_METHOD(X)
#undef X
};

struct status_name {
	unsigned int status;
	const char *text;
};

static const struct status_name status_names[] = {
	{100, "Trying"},
	{180, "Ringing"},
	{181, "Call Is Being Forwarded"},
	{182, "Queued"},
	{183, "Session Progress"},
	{199, "Early Dialog Terminated"},
	{200, "OK"},
	{202, "Accepted"},
	{204, "No Notification"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Moved Temporarily"},
	{305, "Use Proxy"},
	{380, "Alternative Service"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{410, "Gone"},
	{412, "Conditional Request Failed"},
	{413, "Request Entity Too Large"},
	{414, "Request-URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Unsupported URI Scheme"},
	{420, "Bad Extension"},
	{421, "Extension Required"},
	{422, "Session Interval Too Small"},
	{423, "Interval Too Brief"},
	{428, "Use Identity Header"},
	{429, "Provide Referrer Identity"},
	{430, "Flow Failed"},
	{433, "Anonymity Disallowed"},
	{439, "First Hop Lacks Outbound Support"},
	{440, "Max-Breadth Exceeded"},
	{469, "Bad Info Package"},
	{480, "Temporarily Unavailable"},
	{481, "Call/Transaction Does Not Exist"},
	{482, "Loop Detected"},
	{483, "Too Many Hops"},
	{484, "Address Incomplete"},
	{485, "Ambiguous"},
	{486, "Busy Here"},
	{487, "Request Terminated"},
	{488, "Not Acceptable Here"},
	{489, "Bad Event"},
	{491, "Request Pending"},
	{493, "Undecipherable"},
	{494, "Security Agreement Required"},
	{500, "Server Internal Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Server Time-out"},
	{505, "Version Not Supported"},
	{513, "Message Too Large"},
	{580, "Precondition Failure"},
	{600, "Busy Everywhere"},
	{603, "Decline"},
	{604, "Does Not Exist Anywhere"},
	{606, "Not Acceptable"},
};

static const char *const class_names[] = {
	"Unknown",          "Trying",      "OK",
	"Multiple Choices", "Bad Request", "Server Internal Error",
	"Busy Everywhere",
};

enum method method_parse(struct slice text)
{
	for (int i = METHOD_UNKNOWN + 1; i < METHOD_COUNT; i++) {
		if (slice_equal(text, method_names[i]))
			return (enum method)i;
	}
	return METHOD_UNKNOWN;
}

struct slice method_text(enum method method)
{
	return method_names[method];
}

static enum header_id header_parse_compact(char c)
{
	c = (char)(c | 0x20);
	for (int i = HEADER_OTHER + 1; i < HEADER_COUNT; i++) {
		if (header_names[i].compact == c)
			return (enum header_id)i;
	}
	return HEADER_OTHER;
}

enum header_id header_parse(struct slice name)
{
	if (name.len == 1)
		return header_parse_compact(name.data[0]);
	for (int i = HEADER_OTHER + 1; i < HEADER_COUNT; i++) {
		/* The first letters differ in case at most: 0x20 is the case bit. */
		if (header_names[i].name.len == name.len &&
		    ((header_names[i].name.data[0] ^ name.data[0]) & ~0x20) == 0 &&
		    slice_equal_nocase(header_names[i].name, name))
			return (enum header_id)i;
	}
	return HEADER_OTHER;
}

struct slice header_text(enum header_id id)
{
	return header_names[id].name;
}

bool header_is_single(enum header_id id)
{
	return header_names[id].single;
}

const char *status_text(unsigned int status)
{
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++) {
		if (status_names[i].status == status)
			return status_names[i].text;
	}
	return class_names[status >= 100 && status < 700 ? status / 100 : 0];
}
