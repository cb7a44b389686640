/* trunk_private.h - private to sbc/registration: one trunk. trunk.c registers it, trunk_keep.c
 * keeps it in the store and knows whose it is. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/auth/client.h"
#include "sbc/registration/trunk.h"

/* Which node registers. */
enum trunk_hold {
	TRUNK_UNKNOWN, /* the store is to be asked */
	TRUNK_OURS,    /* or there is nobody else */
	TRUNK_OTHERS
};

struct trunk {
	struct trunks *trunks;
	uint32_t peer;
	struct timer timer;
	struct peers_try attempt;
	struct transaction_handle handle;
	struct auth_client auth;
	char call_id[TOKEN_LENGTH];
	char tag[12];
	uint32_t cseq;
	uint32_t expires_s;
	uint8_t logins; /* of this round */
	uint32_t in_row;
	uint64_t until_ms; /* registered until */
	struct trunk_state state;
	/* in the store */
	enum trunk_hold hold;
	uint16_t holder;      /* OTHERS: its node */
	uint64_t epoch;       /* of what is in the store */
	uint8_t unanswered;   /* times that the store did not say */
	struct slice contact; /* owned; ours, as it was registered */
	struct slice former;  /* owned; of the node that it was taken from: to be taken back */
};

struct trunks {
	struct trunks_config config;
	struct worker *worker;
	struct peers *peers;
	struct trunk *list;
	uint32_t count;
	uint64_t unix_offset_ms; /* Unix time minus the loop's clock */
	bool is_lost[256];       /* nodes, by number */
};

const struct config_peer *trunk_peer(const struct trunk *trunk);
/* Domain of the address-of-record. */
void trunk_write_host(const struct trunk *trunk, struct buf *out);
void trunk_arm(struct trunk *trunk, uint64_t delay_ms);
/* So long before it ends it is refreshed (RFC 3261 10.2.4). */
void trunk_arm_refresh(struct trunk *trunk, uint64_t left_s);
void trunk_register(struct trunk *trunk);
/* `reason` NULL: all is well. */
void trunk_say(struct trunk *trunk, const char *text, const char *reason);

/* --- trunk_keep.c --- */
/* May it be registered now? If the store has to be asked: false, and trunk_register() follows when
 * it is ours. */
bool trunk_may_register(struct trunk *trunk);
void trunk_keep(struct trunk *trunk, uint32_t expires_s); /* it is registered */
void trunk_release(struct trunk *trunk);                  /* it could not be: any node may try */
