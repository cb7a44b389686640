/* leg.h - one side of a call: its dialog, the way to it, and what is known of who is there.
 * Embedded in struct call; destroyed with it. A transfer moves it into another call, with all its
 * peer knows it by.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "control/base/table.h"
#include "sbc/call/session.h"
#include "sbc/dialog/dialog.h"
#include "sbc/topology/body.h"
#include "sbc/transaction/transaction.h"

enum refresher { REFRESHER_ANY, REFRESHER_UAC, REFRESHER_UAS };

/* RFC 4028. Each leg has its own; what one side wants does not bind the other. */
struct session_timer {
	uint32_t interval_s; /* 0 = no session timer on this leg */
	uint32_t minimum_s;  /* Min-SE that the peer told (422) */
	bool is_ours;        /* we send the refreshes */
	/* What its last INVITE or UPDATE asked for. */
	bool is_known; /* it supports session timers */
	uint32_t asked_s;
	uint32_t asked_minimum_s;
	enum refresher asked_refresher;
	/* A refresh of ours that is under way. */
	struct transaction_handle client;
	bool is_invite;      /* by re-INVITE */
	bool is_repeated;    /* with credentials, since the last one */
	bool must_tell;      /* the SDP it has is not what it was told: by re-INVITE alone */
	bool is_telling;     /* the one under way does */
	uint8_t tellings;    /* that were refused for a while */
	uint64_t expires_ms; /* the loop's clock: without a refresh until then the call ends */
	struct timer due;
};

struct leg {
	struct dialog dialog;
	struct transport_path path; /* where its last request or reply came from, or goes to */
	uint16_t interface;
	int peer;      /* -1 = a phone */
	uint8_t index; /* CALLER or CALLEE */
	bool is_trusted;
	bool allows_update; /* its last Allow has UPDATE (RFC 3311) */
	bool bye_after_ack; /* RFC 3261 15: no BYE on our 2xx before its ACK */
	struct body_origin origin;
	struct slice ack;   /* owned; the last ACK sent, for a repeated 2xx */
	bool ack_is_unsent; /* it waits for a name, and has no Via yet */
	struct transport_path ack_path;
	uint32_t ack_cseq;
	struct session_timer timer;
	struct credentials *credentials; /* owned; NULL until its peer asks for them */
	struct table_link by_name;       /* of a leg that another call was begun with */
	uint64_t name;                   /* in its tokens (token_pack()); 0 = this call's own */
};
