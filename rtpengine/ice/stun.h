/* stun.h - STUN messages (RFC 8489) with what ICE adds (RFC 8445 16.1): read strictly, write. Only
 * what a media port needs: Binding, short-term credentials, FINGERPRINT. Reading keeps pointers
 * into the datagram and allocates nothing. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/slice.h"

#define STUN_HEADER    20
#define STUN_ID        12
#define STUN_COOKIE    0x2112a442u
#define STUN_MAX       1280 /* bytes of a message that we read or write */
#define STUN_UNKNOWNS  8    /* listed in a 420 */
#define STUN_MAX_ATTRS 32

enum stun_class {
	STUN_REQUEST = 0x000,
	STUN_INDICATION = 0x010,
	STUN_SUCCESS = 0x100,
	STUN_ERROR = 0x110,
};
#define STUN_BINDING 0x001

enum stun_role { STUN_NO_ROLE, STUN_CONTROLLING, STUN_CONTROLLED };

struct stun_message {
	enum stun_class class;
	uint16_t method;
	const uint8_t *id; /* STUN_ID bytes */
	struct slice username;
	struct addr mapped; /* XOR-MAPPED-ADDRESS; family 0 = none */
	uint32_t priority;  /* 0 = none */
	bool use_candidate;
	enum stun_role role;
	uint64_t tie_breaker;
	uint16_t error;                  /* ERROR-CODE, 0 = none */
	uint16_t unknown[STUN_UNKNOWNS]; /* comprehension-required and not known (RFC 8489 6.3.1) */
	unsigned unknown_count;
	bool has_fingerprint;
	const uint8_t *data; /* the whole */
	size_t integrity_at; /* offset of MESSAGE-INTEGRITY; 0 = none */
};

/* One datagram. -ERR_MALFORMED: not STUN by RFC 8489, or its FINGERPRINT is wrong. Attributes after
 * MESSAGE-INTEGRITY other than FINGERPRINT are ignored (RFC 8489 14.5). */
MUST_CHECK int stun_read(const uint8_t *data, size_t len, struct stun_message *out);
/* Whether MESSAGE-INTEGRITY is there and right under this key (a password, short-term). */
bool stun_is_authentic(const struct stun_message *message, struct slice key);

struct stun_writer {
	uint8_t data[STUN_MAX];
	size_t len;
	bool failed; /* did not fit */
};

void stun_begin(struct stun_writer *writer, enum stun_class class, const uint8_t id[STUN_ID]);
void stun_add_username(struct stun_writer *writer, struct slice username);
void stun_add_priority(struct stun_writer *writer, uint32_t priority);
void stun_add_use_candidate(struct stun_writer *writer);
void stun_add_role(struct stun_writer *writer, enum stun_role role, uint64_t tie_breaker);
void stun_add_mapped(struct stun_writer *writer, const struct addr *addr);
void stun_add_error(struct stun_writer *writer, uint16_t code, struct slice reason);
void stun_add_unknown(struct stun_writer *writer, const uint16_t *types, unsigned count);
/* MESSAGE-INTEGRITY (key not empty) and FINGERPRINT. -ERR_TOO_LARGE if something did not fit. */
MUST_CHECK int stun_end(struct stun_writer *writer, struct slice key);
