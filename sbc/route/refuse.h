/* refuse.h - say no without keeping anything: the reply goes back the way the request came, and the
 * transaction is forgotten. A retransmission is answered anew.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/worker/worker.h"

/* What we do, for Allow. */
#define ALLOWED_METHODS                                                                            \
	"INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, PRACK, UPDATE, MESSAGE, REFER, "       \
	"NOTIFY, SUBSCRIBE, PUBLISH"

/* `headers`: whole lines, may be empty. */
void refuse(struct worker *worker, struct transaction_handle handle, const struct message *request,
	    const struct transport_path *path, unsigned int status, struct slice headers);
/* To somebody whose address may be forged: without `headers` where they would make the answer
 * longer than the request, so that nobody is flooded by what others ask for. */
void refuse_briefly(struct worker *worker, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path,
		    unsigned int status, struct slice headers);
/* Say nothing at all. */
void refuse_silently(struct worker *worker, struct transaction_handle handle);
