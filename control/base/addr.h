/* addr.h - an IP address with port, either family, small enough to copy.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include "control/base/buf.h"

struct addr {
	uint8_t family; /* AF_INET, AF_INET6; 0 = none */
	uint16_t port;  /* host byte order */
	union {
		struct in_addr v4;  /* network byte order */
		struct in6_addr v6; /* v4-mapped addresses are turned into v4 on entry */
		uint8_t bytes[16];
	};
};

struct cidr {
	struct addr network;
	uint8_t bits;
};

#define ADDR_TEXT_SIZE 64 /* "[ipv6]:65535" and NUL */

/* "10.0.0.1", "2001:db8::1", "[2001:db8::1]"; no port. -ERR_MALFORMED. */
MUST_CHECK int addr_parse_ip(struct slice text, struct addr *out);
/* "10.0.0.1:5060", "[::1]:5060"; without port takes default_port. */
MUST_CHECK int addr_parse(struct slice text, uint16_t default_port, struct addr *out);
void addr_from_sockaddr(const struct sockaddr *sa, struct addr *out);
socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *out);
bool addr_is_set(const struct addr *addr);
bool addr_equal(const struct addr *a, const struct addr *b);    /* address and port */
bool addr_equal_ip(const struct addr *a, const struct addr *b); /* address only */
bool addr_is_any(const struct addr *addr);                      /* 0.0.0.0, :: */
bool addr_is_private(const struct addr *addr); /* RFC 1918, 6598, 4193, link-local, loopback */
bool addr_is_multicast(const struct addr *addr);
uint64_t addr_hash(const struct addr *addr, const uint64_t key[2]); /* address and port */
/* ip without brackets; ip and port "a:p" / "[a]:p"; both into a buffer of ADDR_TEXT_SIZE,
 * which is also returned. */
const char *addr_ip_text(const struct addr *addr, char *out);
const char *addr_text(const struct addr *addr, char *out);
void addr_add_ip(struct buf *buf, const struct addr *addr);     /* as in SDP: no brackets */
void addr_add_host(struct buf *buf, const struct addr *addr);   /* as in a URI: [v6] */
MUST_CHECK int cidr_parse(struct slice text, struct cidr *out); /* a bare address is one host */
bool cidr_contains(const struct cidr *cidr, const struct addr *addr);
