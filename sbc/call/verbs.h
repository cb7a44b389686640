/* verbs.h - what the files of sbc/call do for each other. Private to the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/call.h"

/* --- leg.c --- */
void leg_free(struct leg *leg);
/* The leg's tag and Contact, ours. */
MUST_CHECK int leg_name(struct call *call, uint8_t leg);
/* Where a request of its dialog goes: on an untrusted side where the peer was last seen, on a
 * trusted one where route set and target point. */
void leg_way(const struct call *call, uint8_t leg, struct transport_path *out);
/* A request or reply of the dialog came by this path. */
void leg_seen(struct call *call, uint8_t leg, const struct transport_path *path);
/* Is this the peer of the dialog, by its address? */
bool leg_is_source(const struct call *call, uint8_t leg, const struct transport_path *path);
struct media_end leg_media(const struct call *call, uint8_t leg);
struct crossing leg_crossing(const struct call *call, uint8_t from, bool with_body);
void leg_write_contact(const struct call *call, uint8_t leg, struct buf *out);
struct leg_request {
	struct slice method;
	uint32_t cseq;
	int max_forwards;
	struct slice headers; /* whole lines that cross */
	struct slice content_type;
	struct slice body;
};
/* A request in the leg's dialog; an INVITE gets our Contact. */
MUST_CHECK int leg_write(const struct call *call, uint8_t leg, const struct leg_request *request,
			 struct buf *out);
/* Our Contact on this leg, at the listener of a path. */
MUST_CHECK int leg_set_contact(struct call *call, uint8_t leg, const struct transport_path *path);

/* --- setup.c: the first INVITE --- */
void setup_receive(struct calls *calls, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path);
/* The INVITE to the callee, to the next server if it is a peer's. -ERR_UNREACHABLE: none is left.
 */
MUST_CHECK int setup_send(struct call *call);
/* The callee's server failed: is another one tried? */
bool setup_try_next(struct call *call, const char *why);

/* --- admit.c: may this INVITE begin a call, and where does it go --- */
struct admission {
	unsigned int status;  /* 0 = yes; else the answer */
	bool is_silent;       /* no answer at all */
	struct slice headers; /* of the answer */
	int peer;             /* of the caller; -1 = a phone */
	const struct config_route *route;
	const struct binding *binding; /* the callee, when it is a phone */
	uint64_t parent;
};
void admit(struct calls *calls, const struct message *request, const struct transport_path *path,
	   struct buf *headers, struct admission *out);

/* --- exchange.c --- */
/* Begin with the INVITE of `from`; its server transaction is `handle`. */
MUST_CHECK int exchange_begin(struct call *call, uint8_t from, struct transaction_handle handle,
			      const struct message *request, bool is_initial);
/* Offer the SDP, or send the INVITE at once when there is none. */
void exchange_start(struct call *call, struct slice sdp);
void exchange_clear(struct call *call);
void exchange_fail(struct call *call, enum call_cause cause, unsigned int status,
		   struct slice headers);
/* Final reply other than 2xx to `from`, once. */
void exchange_refuse(struct call *call, unsigned int status, struct slice headers);
void exchange_media(struct call *call, const struct media_result *result);
/* The exchange is over and the session is as it agreed, or as it was before. */
void exchange_done(struct call *call);
void exchange_agree(struct call *call);
MUST_CHECK int exchange_ask(struct call *call, enum media_verb verb, uint8_t from,
			    struct slice sdp);
/* Give the INVITE to the other side's dialog (re-INVITE) or start its leg (setup.c). */
void exchange_send(struct call *call);
extern const struct client_handlers exchange_handlers;
MUST_CHECK int exchange_request(struct call *call, struct slice bytes,
				const struct transport_path *path);

/* --- reply.c: replies of the INVITE going back --- */
/* Take what crosses out of a response. */
MUST_CHECK int draft_take(struct call *call, struct draft *draft, const struct message *response);
void draft_clear(struct draft *draft);
/* Work on the draft in hand: relay, store, send. */
void reply_go_on(struct call *call);
void reply_media(struct call *call, const struct media_result *result);
void reply_stored(struct call *call, bool acknowledged);

/* --- ack.c --- */
/* ACK the 2xx of the side the INVITE went to. */
void ack_send(struct call *call, struct slice sdp);
void ack_repeat(struct call *call, uint8_t leg);
void ack_receive(struct call *call, uint8_t leg, const struct message *ack);
void ack_media(struct call *call, const struct media_result *result);
void ack_await(struct call *call);

/* --- reinvite.c --- */
void reinvite_receive(struct call *call, uint8_t leg, struct transaction_handle handle,
		      const struct message *request, const struct transport_path *path);
/* Not agreed: the relay goes back to what both sides had. */
void reinvite_restore(struct call *call);
void reinvite_restored(struct call *call);

/* --- bye.c --- */
void bye_receive(struct call *call, uint8_t leg, struct transaction_handle handle,
		 const struct message *request);
/* The one way a call ends. `status` answers an INVITE still open; `by` is the leg that ended it, -1
 * we; `reason`: lines for the BYE or CANCEL. */
void call_end(struct call *call, enum call_cause cause, unsigned int status, int by,
	      struct slice reason);
void bye_send(struct call *call, uint8_t leg, struct slice headers);
/* ACK, and BYE if wanted, for a 2xx that no call waits for. */
void stray_end(struct calls *calls, const struct message *response,
	       const struct transport_path *path, bool with_bye);

/* --- inside.c: other requests in the dialogs --- */
void inside_receive(struct call *call, uint8_t leg, struct transaction_handle handle,
		    const struct message *request);
void inside_abort(struct call *call);

/* --- store.c --- */
/* The record of an answered call. `wait`: reply_stored() follows, soon or by the time-out. */
void record_keep(struct call *call, bool wait);
void record_drop(struct call *call);
void record_upkeep(struct call *call);
/* The record, `delay_ms` from now. */
void record_keep_soon(struct call *call, uint64_t delay_ms);
/* A CSeq number of a leg was used: the record gets a new block when it is nearly used up. */
void record_reserve(struct call *call);
/* The call's relay was restarted: the call has no media until its next offer. */
void record_media_lost(struct call *call);

/* --- cdr.c --- */
void cdr_log(const struct call *call);
void recent_keep(struct call *call);
