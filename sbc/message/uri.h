/* uri.h - SIP, SIPS and TEL URIs and name-addr values, taken apart without copying, and the one
 * canonical form of an identity (address of record). Everything is a slice of the input.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

enum uri_scheme { URI_OTHER, URI_SIP, URI_SIPS, URI_TEL };

struct uri {
	enum uri_scheme scheme;
	struct slice raw;
	struct slice scheme_text;
	struct slice user;       /* raw, still escaped; for tel: the number */
	struct slice password;   /* raw */
	struct slice host;       /* IPv6 without its brackets */
	uint16_t port;           /* 0 = none given */
	struct slice parameters; /* ";a=b;c" with the leading semicolon, or empty */
	struct slice headers;    /* what follows '?', or empty: never turned into headers */
};

/* From, To, Contact, Route: `"name" <uri>;parameters` or a bare addr-spec (RFC 3261 20.10: then
 * the parameters belong to the header). */
struct name_addr {
	struct slice raw;
	struct slice display;    /* raw: quotes are kept */
	struct slice uri;        /* without < > */
	struct slice parameters; /* of the header, ";a=b;c" */
};

/* -ERR_MALFORMED unless the text is a URI; unknown schemes give URI_OTHER with raw and scheme_text.
 * Control octets, spaces, < > and bad escapes are refused; so are bad hosts and ports. */
MUST_CHECK int uri_parse(struct slice text, struct uri *out);
/* Only "scheme:", for the 416 decision. URI_OTHER also when there is none (scheme_text empty). */
enum uri_scheme uri_scheme_of(struct slice text, struct slice *scheme_text);
/* Value of one parameter (";transport=udp"); value empty when it has none. */
bool uri_parameter(const struct uri *uri, struct slice name, struct slice *value);
/* The host as an address; port is the URI's or default_port. -ERR_NOT_FOUND for a name. */
MUST_CHECK int uri_host_addr(const struct uri *uri, uint16_t default_port, struct addr *out);

/* The canonical address of record: "sip:user@host[:port]": escapes decoded once and what must be
 * escaped escaped again in one way, host lower-case, addresses in RFC 5952 form, the scheme's
 * default port dropped; parameters, headers and password left out; sips stays sips. tel: without
 * visual separators. NUL, CR, LF and other controls are refused as bytes and stay escaped where
 * they came escaped. -ERR_UNSUPPORTED for other schemes. Two
 * different identities never give one text. */
MUST_CHECK int uri_canonical(const struct uri *uri, struct buf *out);
MUST_CHECK int uri_canonical_text(struct slice text, struct buf *out);
/* siphash of the canonical form; of the raw bytes when there is no canonical form. */
uint64_t uri_hash(struct slice text, const uint64_t key[2]);

MUST_CHECK int name_addr_parse(struct slice value, struct name_addr *out);
/* ";a=b;c=\"d\"": value of one parameter by name (any case); quotes are kept. */
bool parameter_find(struct slice parameters, struct slice name, struct slice *value);
/* Walk ";a=b;c": cuts the next one from the front; false when used up or malformed. */
bool parameter_next(struct slice *parameters, struct slice *name, struct slice *value);
/* Walk a comma-separated list, minding quotes and < >: cuts the next member from the front. */
bool list_next(struct slice *list, struct slice *member);
/* A slice without the surrounding quotes; escapes inside stay. */
struct slice unquoted(struct slice s);
