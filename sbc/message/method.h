/* method.h - the names of RFC 3261 and its extensions that we know: methods, headers, reasons.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

#define FOREACH_METHOD(X)                                                                          \
	X(INVITE)                                                                                  \
	X(ACK)                                                                                     \
	X(BYE)                                                                                     \
	X(CANCEL)                                                                                  \
	X(OPTIONS)                                                                                 \
	X(REGISTER)                                                                                \
	X(PRACK)                                                                                   \
	X(UPDATE)                                                                                  \
	X(INFO)                                                                                    \
	X(REFER)                                                                                   \
	X(SUBSCRIBE)                                                                               \
	X(NOTIFY)                                                                                  \
	X(PUBLISH)                                                                                 \
	X(MESSAGE)

enum method {
	METHOD_UNKNOWN,
#define X(name) METHOD_##name,
	FOREACH_METHOD(X)
#undef X
		METHOD_COUNT
};

enum method method_parse(struct slice text);  /* case matters (RFC 3261 7.1) */
struct slice method_text(enum method method); /* "INVITE" */

/* id, name, compact form (0 = none), single value? */
#define FOREACH_HEADER(X)                                                                          \
	X(VIA, "Via", 'v', false)                                                                  \
	X(FROM, "From", 'f', true)                                                                 \
	X(TO, "To", 't', true)                                                                     \
	X(CALL_ID, "Call-ID", 'i', true)                                                           \
	X(CSEQ, "CSeq", 0, true)                                                                   \
	X(CONTACT, "Contact", 'm', false)                                                          \
	X(ROUTE, "Route", 0, false)                                                                \
	X(RECORD_ROUTE, "Record-Route", 0, false)                                                  \
	X(MAX_FORWARDS, "Max-Forwards", 0, true)                                                   \
	X(EXPIRES, "Expires", 0, true)                                                             \
	X(MIN_EXPIRES, "Min-Expires", 0, true)                                                     \
	X(CONTENT_LENGTH, "Content-Length", 'l', true)                                             \
	X(CONTENT_TYPE, "Content-Type", 'c', true)                                                 \
	X(CONTENT_ENCODING, "Content-Encoding", 'e', false)                                        \
	X(CONTENT_DISPOSITION, "Content-Disposition", 0, true)                                     \
	X(CONTENT_LANGUAGE, "Content-Language", 0, false)                                          \
	X(MIME_VERSION, "MIME-Version", 0, true)                                                   \
	X(REQUIRE, "Require", 0, false)                                                            \
	X(PROXY_REQUIRE, "Proxy-Require", 0, false)                                                \
	X(SUPPORTED, "Supported", 'k', false)                                                      \
	X(UNSUPPORTED, "Unsupported", 0, false)                                                    \
	X(ALLOW, "Allow", 0, false)                                                                \
	X(ALLOW_EVENTS, "Allow-Events", 'u', false)                                                \
	X(ACCEPT, "Accept", 0, false)                                                              \
	X(ACCEPT_ENCODING, "Accept-Encoding", 0, false)                                            \
	X(ACCEPT_LANGUAGE, "Accept-Language", 0, false)                                            \
	X(ACCEPT_CONTACT, "Accept-Contact", 'a', false)                                            \
	X(REJECT_CONTACT, "Reject-Contact", 'j', false)                                            \
	X(REQUEST_DISPOSITION, "Request-Disposition", 'd', false)                                  \
	X(AUTHORIZATION, "Authorization", 0, false)                                                \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", 0, false)                                    \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", 0, false)                                          \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 0, false)                                      \
	X(AUTHENTICATION_INFO, "Authentication-Info", 0, false)                                    \
	X(PATH, "Path", 0, false)                                                                  \
	X(SERVICE_ROUTE, "Service-Route", 0, false)                                                \
	X(REFER_TO, "Refer-To", 'r', true)                                                         \
	X(REFERRED_BY, "Referred-By", 'b', true)                                                   \
	X(REPLACES, "Replaces", 0, true)                                                           \
	X(REASON, "Reason", 0, false)                                                              \
	X(DATE, "Date", 0, true)                                                                   \
	X(WARNING, "Warning", 0, false)                                                            \
	X(SERVER, "Server", 0, true)                                                               \
	X(USER_AGENT, "User-Agent", 0, true)                                                       \
	X(ORGANIZATION, "Organization", 0, true)                                                   \
	X(SUBJECT, "Subject", 's', true)                                                           \
	X(PRIORITY, "Priority", 0, true)                                                           \
	X(RETRY_AFTER, "Retry-After", 0, true)                                                     \
	X(TIMESTAMP, "Timestamp", 0, true)                                                         \
	X(SESSION_EXPIRES, "Session-Expires", 'x', true)                                           \
	X(MIN_SE, "Min-SE", 0, true)                                                               \
	X(EVENT, "Event", 'o', true)                                                               \
	X(SUBSCRIPTION_STATE, "Subscription-State", 0, true)                                       \
	X(RSEQ, "RSeq", 0, true)                                                                   \
	X(RACK, "RAck", 0, true)                                                                   \
	X(IDENTITY, "Identity", 'y', false)                                                        \
	X(PRIVACY, "Privacy", 0, false)                                                            \
	X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 0, false)                                    \
	X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", 0, false)                                  \
	X(REMOTE_PARTY_ID, "Remote-Party-ID", 0, false)                                            \
	X(DIVERSION, "Diversion", 0, false)                                                        \
	X(HISTORY_INFO, "History-Info", 0, false)                                                  \
	X(CALL_INFO, "Call-Info", 0, false)                                                        \
	X(ALERT_INFO, "Alert-Info", 0, false)                                                      \
	X(ERROR_INFO, "Error-Info", 0, false)                                                      \
	X(REPLY_TO, "Reply-To", 0, true)                                                           \
	X(IN_REPLY_TO, "In-Reply-To", 0, false)

enum header_id {
	HEADER_OTHER,
#define X(id, name, compact, single) HEADER_##id,
	FOREACH_HEADER(X)
#undef X
		HEADER_COUNT
};

enum header_id header_parse(struct slice name); /* any case, compact forms too */
struct slice header_text(enum header_id id);    /* "Call-ID" */
bool header_is_single(enum header_id id);

const char *status_text(unsigned int status); /* "Not Found"; the class's name for unknown codes */
