/* transfer.h - transfers that end here: a call whose sides are taken over from other calls. A REFER
 * (RFC 3515, transfer: local) places it for the side that remains, or joins what remains of two
 * calls; an INVITE with Replaces (RFC 3891) takes the place of one side. Until both sides hold to
 * the new session each leg is on loan, and goes back to its call when nothing comes of it.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/refer.h"
#include "sbc/call/session.h"
#include "sbc/registration/binding.h"
#include "control/base/wheel.h"

/* A leg of this call that is another's. */
struct loan {
	uint64_t call; /* number; 0 = it is none */
	uint8_t leg;   /* in that call */
	bool is_taken;
};

/* Where a phone is that has registered with another worker. */
struct lead {
	bool is_found;
	struct binding binding; /* path and what its contact is; texts in: */
	struct buf texts;       /* owned */
};
void lead_free(struct lead *lead);

struct transfer { /* owned by the call that it places, until that is answered or ends */
	struct call *call;
	struct loan loans[LEGS];
	uint64_t referrer; /* number of the call that the REFER came in; 0 = there was none */
	uint8_t referrer_leg;
	uint32_t event_id;                /* of its NOTIFYs; 0 = none needed */
	bool is_quiet;                    /* Refer-Sub: false (RFC 4488) */
	unsigned int told;                /* the last status in a NOTIFY */
	struct transaction_handle client; /* INVITE to the caller's side with the callee's offer */
	bool is_shifted;                  /* its 2xx came: its media goes here */
	bool is_repeated;                 /* with credentials */
	uint8_t tries;
	struct lead lead;  /* to the one called */
	struct timer wait; /* for the other call to be at rest */
};

/* --- transfer.c --- */
MUST_CHECK int transfer_create(struct call *call);
void transfer_free(struct call *call);
/* Is this leg one that has a dialog of another call, or will have? */
bool transfer_borrows(const struct call *call, uint8_t leg);
/* -ERR_BUSY: something is under way in its call. -ERR_NOT_FOUND. */
MUST_CHECK int transfer_take(struct call *call, uint8_t leg);
/* May the 2xx go on to the caller's side? Else it does when that is at rest. */
bool transfer_is_ready(struct call *call);
/* A reply for a caller's side that sent no INVITE. True: it was taken care of. */
bool transfer_reply(struct call *call, unsigned int status);
/* Both sides hold to the session: the other calls end. */
void transfer_joined(struct call *call);
/* The call ends: legs go back, and the referrer hears of it. */
void transfer_over(struct call *call);
/* The other side of the transfer's call ends, or the call that is to lend a leg does. */
void transfer_lender_over(struct call *call);
/* BYE of the referrer before it is decided: the other side waits on. True: the call goes on. */
bool transfer_outlives(struct call *call, uint8_t leg);
/* What its peer was told last, with the next version: its media is to come here again. */
void transfer_tell_again(struct call *call, uint8_t leg);

/* --- transfer_keep.c --- */
struct call_record;
/* Is a leg of it in the transfer's call by now? */
bool transfer_has_leg_of(const struct call *lender);
MUST_CHECK int transfer_fill(struct arena *arena, const struct call *call,
			     struct call_record *record);
/* Its transfer ended with the process that carried it out: whoever asked hears so, and the side
 * that was to leave is told what it had. */
void transfer_resume(struct call *call, struct slice text);

/* --- transfer_offer.c --- */
/* INVITE with the callee's offer in the dialog of the caller's side. */
MUST_CHECK int transfer_offer(struct call *call);
/* A 2xx of a leg that went back to its call meanwhile: acknowledged there, and told again what it
 * had. True: it was one. */
bool transfer_late_answer(const struct call *call, const struct message *response);

/* --- refer_local.c --- */
void refer_local(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path);
void refer_local_subscribe(struct call *call, uint8_t leg, struct transaction_handle handle,
			   const struct message *request);
/* NOTIFY with a fragment of that status, the last one unless it is provisional. */
void refer_notify(struct transfer *transfer, unsigned int status);
/* The same without a call that it speaks of; 0: nothing is under way. */
void refer_notify_call(struct call *call, uint8_t leg, uint32_t event_id, unsigned int status);

/* --- refer_place.c --- */
struct asked { /* by a REFER that was accepted */
	struct call *call;
	uint8_t leg;
	uint32_t event_id;
	bool is_quiet;
};
/* The INVITE that it stands for goes where the routes lead the one who asked, once it is known
 * where that is. */
void refer_place(const struct asked *asked, struct buf *bytes, const struct referred *to,
		 const struct transport_path *path);
struct refer_lookup;
void refer_lookups_free(struct calls *calls);

/* --- replaces.c --- */
struct admission;
/* INVITE with Replaces: 0, `out` has the dialog of ours that it replaces, or there is none that we
 * are to replace here; else what to answer (RFC 3891 3). */
unsigned int replaces_find(const struct calls *calls, const struct message *request,
			   const struct transport_path *path, struct admission *out);
/* The new call takes the other leg of the one replaced. */
MUST_CHECK int replaces_begin(struct call *call, const struct admission *admission);
/* Its INVITE to that side, in the dialog it has. */
MUST_CHECK int replaces_go_on(struct call *call, const struct message *invite);
