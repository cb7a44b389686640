/* verbs.h - what the files of sbc/call do for each other. Private to the folder.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/record.h"
#include "control/state/record_head.h"
#include "sbc/call/call.h"

struct admission;

/* --- leg.c --- */
void leg_free(struct leg *leg);
/* The leg's tag and Contact, ours. */
MUST_CHECK int leg_name(struct call *call, uint8_t leg);
/* Where a request of its dialog goes: on an untrusted side where the peer was last seen, on a
 * trusted one where route set and target point; to a configured peer of an untrusted side there
 * too, as far as that is the peer's. `hop`: it has a name, to be looked up (struct client_request).
 */
void leg_way(const struct call *call, uint8_t leg, const struct dialog *dialog,
	     struct transport_path *out, struct slice *hop);
/* The same for what cannot wait: to where the peer was last seen while a name is not known. */
void leg_way_now(const struct call *call, uint8_t leg, struct transport_path *out);
/* A request or reply of the dialog came by this path. */
void leg_seen(struct call *call, uint8_t leg, const struct transport_path *path);
/* Is this the peer of the dialog, by its address? */
bool leg_is_source(const struct call *call, uint8_t leg, const struct transport_path *path);
struct media_end leg_media(const struct call *call, uint8_t leg);
/* How its dialogs are to be held: its peer's policy, or its interface's. */
const struct config_dialog *leg_policy(const struct call *call, uint8_t leg);
/* What a message of the peer says about it: Allow. */
void leg_learn(struct call *call, uint8_t leg, const struct message *message);
/* The o= line of what this leg is shown, in an early dialog or (0) the call's. */
struct body_origin *leg_origin(struct call *call, uint8_t leg, uint8_t early);
struct crossing leg_crossing(const struct call *call, uint8_t from, bool with_body);
/* The body of a message of `from` as the other leg may see it: SDP as it came, it goes through the
 * relay; others by their type. -ERR_MALFORMED. */
MUST_CHECK int leg_keep_body(const struct call *call, uint8_t from, const struct message *message,
			     struct slice *owned);
void leg_write_contact(const struct call *call, uint8_t leg, struct buf *out);
/* What the peer may send us now: no UPDATE before the answer to a callee without it. */
void leg_write_allow(const struct call *call, uint8_t leg, struct buf *out);
struct leg_request {
	struct slice method;
	uint32_t cseq;
	int max_forwards;
	struct slice own;     /* whole lines of ours */
	struct slice headers; /* whole lines that cross */
	struct slice content_type;
	struct slice body;
};
/* A request in a dialog of the leg; INVITE and UPDATE get our Contact and Allow. */
MUST_CHECK int leg_write(const struct call *call, uint8_t leg, const struct dialog *dialog,
			 const struct leg_request *request, struct buf *out);
/* Our Contact on this leg, at the listener of a path. */
MUST_CHECK int leg_set_contact(struct call *call, uint8_t leg, const struct transport_path *path);

/* --- leg_move.c --- */
/* Dialog, way and all of a leg at rest become those of another call's; what is left behind has no
 * dialog. */
void leg_move(struct call *from, uint8_t leg, struct call *to, uint8_t as);
/* Its call is going: nobody finds it any more. */
/* Its tag was made by another call, or process: it is found by that. */
void leg_enter_name(struct call *call, uint8_t leg);
void leg_forget_name(struct call *call, uint8_t leg);

/* --- setup.c: the first INVITE --- */
void setup_receive(struct calls *calls, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path);
/* What a call is before it has a target. Of a transfer nobody sent `request`. */
MUST_CHECK int setup_begin(struct call *call, struct transaction_handle handle,
			   const struct message *request, const struct transport_path *path,
			   const struct admission *admission);
/* The INVITE to where leg B points. */
MUST_CHECK int setup_send(struct call *call);

/* --- target.c: where it goes, one after the other --- */
void target_init(struct calls *calls);
MUST_CHECK int target_begin(struct call *call, const struct message *request);
/* To the next target. 0 also when DNS is asked, or the call has ended. `invite`: as it came, NULL =
 * it is read again. */
MUST_CHECK int target_go(struct call *call, const struct message *invite);
/* To this one; `contact` (may be NULL): its phone, else the best is looked up. 0 also when the call
 * has ended. */
MUST_CHECK int target_aim(struct call *call, const struct message *invite,
			  const struct hunt_target *target, const struct binding *contact);
/* The INVITE as it came, to be read once more: in the scratch arena. NULL without memory. */
const struct message *target_read(struct calls *calls, struct slice invite);
/* There was none. */
void target_fail(struct call *call, int err);
/* The target in hand failed (`why`, NULL = not by its own fault): is another one tried? */
bool target_try_next(struct call *call, const char *why, uint32_t rest_ms);
/* A final reply but 2xx: is another one tried? */
bool target_refused(struct call *call, const struct message *response);
void target_sent(struct call *call);
void target_heard(struct call *call, unsigned int status); /* provisional */
void target_answered(struct call *call);
void target_end(struct call *call);
/* target_names.c: the number rules of a peer; leg B's URIs and its Service-Route. */
const struct config_numbers *target_numbers(const struct call *call, int peer);
MUST_CHECK int target_name(struct call *call, const struct hunt_target *target);
MUST_CHECK int target_set_route(struct call *call, const struct hunt_target *target);
/* renumber.c: identities of the caller in header lines, owned by the caller, by the same rules. */
MUST_CHECK int renumber_lines(const struct config_number_rules *in,
			      const struct config_number_rules *out, struct slice *lines);
/* 3xx is the caller's affair: its contacts, by us. */
bool target_passes_redirects(const struct call *call);
void target_write_contacts(const struct call *call, const struct message *response,
			   struct buf *out);

/* --- admit.c: may this INVITE begin a call, and where does it go --- */
struct admission {
	unsigned int status;  /* 0 = yes; else the answer */
	bool is_silent;       /* no answer at all */
	struct slice headers; /* of the answer */
	int peer;             /* of the caller; -1 = a phone */
	const struct config_route *route;
	enum reliability reliability;
	const struct binding *lead; /* the phone that is called, when another worker knew it */
	struct call *replaced;      /* it takes the place of a leg of this one; NULL = of none */
	uint8_t replaced_leg;
};
/* 100rel between an INVITE and the policy of its side: -ERR_UNSUPPORTED, it requires what we do not
 * do (420); -ERR_REFUSED, we require what it does not do (421). */
MUST_CHECK int admit_reliability(const struct config_dialog *policy, const struct message *request,
				 enum reliability *out);
void admit(struct calls *calls, const struct message *request, const struct transport_path *path,
	   struct buf *headers, struct admission *out);
/* A call that `leg` of `call` asks for on behalf of the other one: where the routes lead the one
 * that asks, while the limits are the other's too. `request`: its INVITE, NULL = it is to go where
 * somebody is already. */
void admit_transfer(const struct call *call, uint8_t leg, const struct message *request,
		    struct admission *out);

/* --- exchange.c --- */
/* Begin with the INVITE (or UPDATE) of `from`; its server transaction is `handle`. */
MUST_CHECK int exchange_begin(struct call *call, uint8_t from, struct transaction_handle handle,
			      const struct message *request, bool is_initial);
/* What of the INVITE crosses, now that leg B is known. */
MUST_CHECK int exchange_keep_headers(struct call *call, const struct message *request);
/* Is its INVITE one that makes a dialog on the other side? */
bool call_is_placed(const struct call *call);
/* Offer the SDP, or send the INVITE at once when there is none. */
void exchange_start(struct call *call, struct slice sdp);
/* Its offer waits for the relay to be free. */
void exchange_go_on(struct call *call);
void exchange_clear(struct call *call);
/* One of another process: its transactions are there already. */
void exchange_resume(struct call *call);
/* Refuse, and leave the session as it was before; a first INVITE ends its call. */
void exchange_fail(struct call *call, enum call_cause cause, unsigned int status,
		   struct slice headers);
/* An answer came that cannot be undone on its side: refuse, and end the call. */
void exchange_break(struct call *call, enum call_cause cause, unsigned int status);
/* Final reply other than 2xx to `from`, once. */
void exchange_refuse(struct call *call, unsigned int status, struct slice headers);
void exchange_media(struct call *call, const struct media_result *result);
/* The exchange is over and the session is as it agreed, or as it was before. */
void exchange_done(struct call *call);
/* Give the INVITE to the other side's dialog (re-INVITE) or start its leg (setup.c). */
void exchange_send(struct call *call);
extern const struct client_handlers exchange_handlers;
MUST_CHECK int exchange_request(struct call *call, struct slice bytes,
				const struct transport_path *path, struct slice hop);
/* Is the first INVITE here already, by another way (RFC 3261 8.2.2.2)? */
bool exchange_is_merged(const struct calls *calls, const struct message *request);

/* --- reply.c: replies of the INVITE going back --- */
/* Take what crosses out of a response. */
MUST_CHECK int draft_take(struct call *call, struct draft *draft, const struct message *response);
void draft_clear(struct draft *draft);
/* Behind those that wait. -ERR_TOO_MANY: there is no room, or a final one waits. */
MUST_CHECK int reply_queue(struct call *call, struct draft *draft);
/* Work on the next draft: relay, store, send. */
void reply_go_on(struct call *call);
void reply_media(struct call *call, const struct media_result *result);
void reply_stored(struct call *call, bool acknowledged);

/* --- provisional.c: reliable provisional replies and PRACK (RFC 3262) --- */
/* A provisional of the other side: is it new? `rseq` is 0 for an unreliable one. */
bool provisional_is_new(const struct call *call, const struct early *early,
			const struct message *response, uint32_t *rseq);
/* It was taken: the next one must have the next number. */
void provisional_taken(struct call *call, struct early *early, uint32_t rseq);
/* May this draft go out now, or does it wait for a PRACK? */
bool provisional_may_send(const struct call *call, const struct draft *draft);
bool provisional_is_reliable(const struct call *call, const struct draft *draft);
/* Require and RSeq of the one that is sent next. */
void provisional_write(struct call *call, struct buf *out);
/* It was sent: repeat it until its PRACK. */
void provisional_await(struct call *call, const struct draft *draft, bool has_sdp);
/* No more repetitions: a final reply is out. Its PRACK may still come. */
void provisional_settle(struct call *call);
void prack_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path);
/* Our own PRACK for a reliable provisional that the other side gets as an unreliable one. */
void prack_send(struct call *call, uint8_t early, uint32_t rseq);

/* --- restore.c: the relay goes back to what both sides agreed on --- */
/* `from`: the side whose part is the offer, as its peer's is new or may be. */
void restore_begin(struct call *call, uint8_t early, uint8_t from);
void restore_go_on(struct call *call);
void restore_media(struct call *call, const struct media_result *result);

/* --- renew.c: new media for a call whose relay has lost it --- */
/* Soon, at a bounded rate: a relay is told what both sides agreed on, and a side whose SDP has
 * become another one by that gets it by re-INVITE. Nothing happens to a call whose relay knows it.
 */
void renew_call(struct call *call);
/* Taken up from a record: is its relay the one that the record tells of? */
void renew_taken_up(struct call *call, const struct call_record *record);
/* News of a relay that concerns all its calls. */
void renew_relay(struct calls *calls, int relay, enum ng_news news);
/* restore.c has done it, or could not. */
void renew_done(struct call *call, const struct media_result *result);
void renew_drop(struct call *call); /* not queued is fine */
void renewals_stop(struct calls *calls);

/* --- session_body.c --- */
/* The relay's SDP as this leg is shown it, into `owned`. */
MUST_CHECK int body_show(struct call *call, uint8_t leg, uint8_t early, struct slice sdp,
			 struct slice *owned, const char **reason);
/* An answer of `from`: -ERR_MALFORMED, it does not fit its offer; counted and logged. */
MUST_CHECK int body_check_answer(struct call *call, uint8_t early, uint8_t from, struct slice sdp);
/* The same for an answer to what the leg was shown last. */
MUST_CHECK int body_check_agreed(struct call *call, uint8_t from, struct slice sdp);
/* What the leg was shown last, as an offer with other media behind it. */
MUST_CHECK int body_offer_again(struct call *call, uint8_t leg, struct buf *out);

/* --- session_timer.c (RFC 4028) --- */
/* An INVITE or UPDATE of a side: 0, or 422 with Min-SE. */
unsigned int session_timer_check(const struct config_dialog *policy, const struct message *request,
				 struct buf *headers);
/* What it asks for, until its 2xx. */
void session_timer_take(struct call *call, uint8_t leg, const struct message *request);
/* Session-Expires and Min-SE of an INVITE or UPDATE that goes to the leg. */
void session_timer_ask(const struct call *call, uint8_t leg, struct buf *out);
/* Its 2xx: what both hold to from now on. */
void session_timer_answered(struct call *call, uint8_t leg, const struct message *response);
/* Session-Expires (and Require) of our 2xx to the leg; it counts from now. */
void session_timer_answer(struct call *call, uint8_t leg, struct buf *out);
/* A 422: true when it may be asked again with the interval it wants. */
bool session_timer_raise(struct call *call, uint8_t leg, const struct message *response);
/* As it was, with this time left: until then a refresh must come, or ours is due before. */
void session_timer_restore(struct call *call, uint8_t leg, uint32_t interval_s, bool is_ours,
			   uint64_t expires_ms);
void session_timer_stop(struct call *call, uint8_t leg);
/* The timer of a leg that was moved here goes on. */
void session_timer_resume(struct call *call, uint8_t leg, uint64_t due_ms);
/* INVITE with agreed.sent, which the leg has not seen, until it takes it or refuses for good. */
void session_timer_tell(struct call *call, uint8_t leg);
/* A refresh of ours by re-INVITE is under way on some leg. */
bool session_timer_is_inviting(const struct call *call);

/* --- ack.c --- */
/* ACK the 2xx of the side the INVITE went to. */
void ack_send(struct call *call, struct slice sdp);
void ack_repeat(struct call *call, uint8_t leg);
/* One ACK of the leg, kept for the 2xx that comes again. */
void ack_owe(struct call *call, uint8_t leg, uint32_t cseq, struct slice sdp);
/* Of an INVITE that no exchange knows: our refresh, or one of before (RFC 3261 13.2.2.4). */
void ack_again(struct call *call, uint8_t leg, uint32_t cseq);
void ack_receive(struct call *call, uint8_t leg, const struct message *ack);
void ack_media(struct call *call, const struct media_result *result);
void ack_await(struct call *call);

/* --- reinvite.c --- */
void reinvite_receive(struct call *call, uint8_t early, uint8_t leg,
		      struct transaction_handle handle, const struct message *request,
		      const struct transport_path *path);

/* --- update.c (RFC 3311) --- */
void update_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path);
/* An offer of `leg` now: 0, or 491, or 500 with Retry-After. */
unsigned int offer_crossing(const struct call *call, uint8_t early, uint8_t leg);

/* --- bye.c --- */
void bye_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path);
/* The one way a call ends. `status` answers an INVITE still open; `by` is the leg that ended it, -1
 * we; `reason`: lines for the BYE or CANCEL. */
void call_end(struct call *call, enum call_cause cause, unsigned int status, int by,
	      struct slice reason);
/* Another node has it now: it ends here without a word, and without a record of it. */
void call_lose(struct call *call);
void bye_send(struct call *call, uint8_t leg, struct slice headers);
/* Everybody holds to it: it is a call from now on. */
void call_answered(struct call *call);
/* ACK, and BYE if wanted, for a 2xx that no call waits for. */
void stray_end(struct calls *calls, const struct message *response,
	       const struct transport_path *path, bool with_bye);

/* --- inside_parts.c: what of them crosses --- */
MUST_CHECK int relayed_take_request(struct call *call, struct relayed *relayed,
				    const struct message *request, enum method as,
				    struct slice own);
MUST_CHECK int relayed_take_response(struct call *call, struct relayed *relayed,
				     const struct message *response);

/* --- inside.c: other requests in the dialogs --- */
/* Passed on in the other dialog, its answer passed back. */
void inside_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		    const struct message *request, const struct transport_path *path);
/* The same with lines of our own (RAck, Session-Expires); SDP in it offers, or answers. */
void inside_pass(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, enum method as, struct slice own);
/* Reply to a request of the leg, out of a response of the other side or (NULL) on our own. */
void inside_answer(struct call *call, uint8_t leg, struct transaction_handle handle,
		   unsigned int status, struct slice lines);
void inside_media(struct call *call, uint8_t slot, const struct media_result *result);
void inside_go_on(struct call *call);
void inside_abort(struct call *call);
void inside_drop(struct call *call); /* without an answer */
void inside_free(struct call *call);

/* --- revive.c --- */
/* A call out of its record, as the process left it that wrote it: counted, timers armed, and its
 * record taken for written. -ERR_MALFORMED: it is none of an answered call; -ERR_EXISTS: it is here
 * already; -ERR_NOT_FOUND: a side of it is not in our configuration. */
MUST_CHECK int call_revive(struct calls *calls, const struct call_record *record,
			   struct call **out);

/* --- revive_ringing.c --- */
bool record_is_ringing(const struct call *call); /* and not answered: what its record says */
uint32_t ringing_legs(const struct call *call);  /* of its record */
MUST_CHECK int ringing_fill(struct arena *arena, const struct call *call,
			    struct call_record *record);
MUST_CHECK int ringing_resume(struct call *call, const struct call_record *record);
/* Once the target in hand is counted: where it goes when that one fails. */
MUST_CHECK int ringing_resume_hunt(struct call *call, const struct call_record *record);

/* A value of the store that is ours now: the call in it. As call_revive(), and what decoding says.
 */
MUST_CHECK int record_take_up(struct calls *calls, struct slice value);
/* It was not taken up: counted, and said. `name` is packed (takeover.h). */
void record_refused(struct calls *calls, uint64_t name, int err);

/* --- store.c --- */
/* What the record says of the call now; texts are the call's own, or in the arena. */
MUST_CHECK int record_fill(struct arena *arena, struct call *call, struct call_record *record);
/* The record is written right after this question to the relay, so that it may hold what the relay
 * would write by itself. */
bool record_follows(const struct call *call, enum media_verb verb);
/* A provisional reply went to the caller: the record of one that rings, where that is wanted. */
void record_ring(struct call *call, bool has_news);
/* The record of an answered call. `wait`: reply_stored() follows, soon or by the time-out. */
void record_keep(struct call *call, bool wait);
void record_drop(struct call *call);
/* It has ended, and cdr_write() was asked to say so: the record goes behind its line. */
void record_drop_told(struct call *call);
void record_upkeep(struct call *call);
/* The record, `delay_ms` from now. */
void record_keep_soon(struct call *call, uint64_t delay_ms);
/* A CSeq number of a leg was used: the record gets a new block when it is nearly used up. */
void record_reserve(struct call *call);
/* The call has no media until its sides are told anew. */
void record_media_lost(struct call *call);
void record_doubt(struct call *call); /* it was taken up, and may be over already */

/* --- cdr.c --- */
void cdr_log(const struct call *call);
uint64_t cdr_write(const struct call *call); /* where cdr.path says; 0, or its ticket */
void recent_keep(struct call *call);
