/* inside.h - a request other than INVITE, ACK, CANCEL and BYE on its way through both dialogs.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/message.h"
#include "sbc/transaction/transaction.h"

enum { RELAYED_MAX = 8 };

enum relayed_state {
	RELAYED_READY,     /* its SDP waits for the relay to be free */
	RELAYED_ASKING,    /* the relay has it */
	RELAYED_SENT,      /* the request is out */
	RELAYED_ANSWERED,  /* the answer in its 2xx waits for the relay */
	RELAYED_ANSWERING, /* the relay has that */
};

/* Allocated when it comes, freed when its client transaction is over. */
struct relayed {
	enum relayed_state state;
	enum method method;
	uint8_t from;
	uint8_t early; /* the early dialog; 0 = the call's */
	bool is_offer; /* its SDP is an offer: the 2xx answers. Else it answers one (PRACK). */
	bool is_answer;
	bool is_repeated;                 /* with credentials */
	struct transaction_handle server; /* id 0: nobody waits any more */
	struct transaction_handle client;
	int max_forwards;
	unsigned int status;       /* of the 2xx in hand */
	struct slice method_text;  /* owned */
	struct slice headers;      /* owned; lines of the request, then of its 2xx */
	struct slice content_type; /* owned */
	struct slice body;         /* owned */
};
