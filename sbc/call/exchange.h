/* exchange.h - one INVITE transaction across the call, the first or a re-INVITE of either side: its
 * server transaction towards the side that sent it, its client transaction towards the other, and
 * the replies on their way back.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/parts.h"
#include "control/base/table.h"
#include "control/base/wheel.h"
#include "sbc/transaction/transaction.h"

enum { DRAFTS_MAX = 4 };

/* A reply on its way to the other side. */
struct draft {
	unsigned int status; /* 0 = none */
	uint8_t early;       /* the early dialog it came in; 0 = the call's */
	uint32_t rseq;       /* reliable (RFC 3262), to be acknowledged by the other side's PRACK */
	struct slice headers; /* owned; lines that cross */
	struct slice body;    /* owned; SDP as received */
	struct parts parts;   /* that came with it */
};

/* May replies be reliable (RFC 3262) towards who sent the INVITE? */
enum reliability { RELIABLE_NEVER, RELIABLE_SUPPORTED, RELIABLE_REQUIRED };

/* Our reliable provisional reply, until its PRACK. It outlives the INVITE's final reply. */
struct provisional {
	uint32_t rseq;        /* ours, of the last one sent; 0 = none yet */
	bool is_waiting;      /* for its PRACK */
	bool has_sdp;         /* then no 2xx may overtake it (RFC 3262 3) */
	bool is_offer;        /* the PRACK answers it */
	uint8_t early;        /* the dialog it went out in */
	uint32_t far_rseq;    /* what the other side wants acknowledged with it; 0 = nothing */
	uint32_t server_cseq; /* of the INVITE it answers, */
	uint32_t client_cseq; /* and as that was sent to the other side */
	uint32_t repeat_ms;
	uint64_t repeat_until_ms;
	struct transaction_handle server;
	struct timer repeat;
};

enum exchange_state {
	EXCHANGE_NONE,
	EXCHANGE_OFFERING, /* the relay has the offer */
	EXCHANGE_CALLING,  /* the INVITE is out */
	EXCHANGE_STORING,  /* the store has the record */
	EXCHANGE_ACCEPTED, /* 2xx is out, no ACK yet */
	EXCHANGE_ACKING    /* the relay has the answer that came in the ACK */
};

struct exchange {
	enum exchange_state state;
	struct table_link by_server;      /* found by its server transaction */
	struct table_link by_merge;       /* the first INVITE, by what RFC 3261 8.2.2.2 compares */
	struct transaction_handle server; /* towards `from` */
	struct transaction_handle client; /* towards the other */
	uint8_t from;
	bool is_initial;
	bool is_update;     /* `from` sent an UPDATE, and the other side knows only re-INVITE */
	bool is_late;       /* INVITE without SDP: the other side offers */
	bool is_cancelled;  /* `from` sent CANCEL */
	bool is_replied;    /* a final reply is out */
	uint16_t refused;   /* with this status; 0 = not */
	bool is_answered;   /* a 2xx came */
	bool is_asked;      /* the relay has the offer, and does not finish something else first */
	bool is_stale;      /* the relay has the answer of another early dialog than the 2xx's */
	bool is_reoffered;  /* the relay had lost the offer: it has another one than the other side
			     */
	bool is_reoffering; /* it is asked for that */
	bool is_acked;      /* the 2xx from the other side has its ACK */
	enum reliability reliability;
	uint32_t rseq; /* of a re-INVITE's last reliable provisional from the other side */
	uint32_t server_cseq;
	uint32_t client_cseq;
	uint8_t raises;    /* INVITEs sent again with a longer session interval (422) */
	uint8_t logins;    /* INVITEs sent again with credentials */
	uint64_t heard_ms; /* the last provisional but 100 */
	int max_forwards;
	struct slice headers;       /* owned; lines that cross, of the INVITE */
	struct slice own_headers;   /* owned; lines of ours that follow from it */
	struct slice record_routes; /* owned; lines to copy into replies */
	struct parts parts;         /* that came with its SDP */
	struct draft draft;         /* in hand: with the relay or the store */
	struct draft *waiting;      /* owned; behind it, DRAFTS_MAX of them; NULL = none was yet */
	uint8_t waiting_count;
	uint32_t repeat_ms; /* 2xx until ACK */
	uint64_t repeat_until_ms;
	struct timer repeat; /* of an UPDATE: until when it must be answered */
	struct timer wait;   /* for the store */
};
