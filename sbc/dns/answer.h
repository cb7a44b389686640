/* answer.h - one DNS message read: the records of one name and type, with how long they may be
 * kept. Whoever answers may lie: lengths, names, loops and counts are bounded here.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };

enum {
	DNS_NAME_MAX = 253,   /* characters of a name as text */
	DNS_RECORDS_MAX = 32, /* of an answer that are used; further ones are not looked at */
};

struct dns_srv { /* RFC 2782 */
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
	struct slice target; /* "." = decidedly no such service */
};

struct dns_naptr { /* RFC 3403 */
	uint16_t order;
	uint16_t preference;
	struct slice flags;
	struct slice services;
	struct slice regexp;
	struct slice replacement;
};

struct dns_record {
	union {
		struct addr addr; /* A, AAAA; port 0 */
		struct dns_srv srv;
		struct dns_naptr naptr;
	};
};

/* One block of memory, texts included. No records: the name has none of this type. */
struct dns_answer {
	uint32_t ttl_s;   /* the smallest of all that led here; of a denial, what its SOA says */
	bool name_exists; /* false: NXDOMAIN */
	size_t size;      /* of the block */
	uint32_t count;
	struct dns_record records[];
};

/* Reads the answer to a question for `name` (lower case, no dot at the end); free() it. CNAMEs
 * inside are followed. -ERR_MALFORMED, -ERR_REFUSED (the server says it could not),
 * -ERR_NO_MEMORY. */
MUST_CHECK int dns_answer_read(struct slice message, enum dns_type type, struct slice name,
			       struct dns_answer **out);
/* Lower case, without the dot at the end; letters, digits, '-', '_' and dots only. */
MUST_CHECK int dns_name_normal(struct slice name, char out[DNS_NAME_MAX + 1]);
