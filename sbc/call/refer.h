/* refer.h - transfers (RFC 3515, 3891, 3892): a dialog of one side named on the other by the names
 * it has there. A dialog that another worker holds is asked for there; the request waits meanwhile.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/message.h"
#include "sbc/topology/conceal.h"
#include "sbc/topology/policy.h"
#include "sbc/transaction/transaction.h"

enum { REFERS_MAX = 4, REFER_NAME_MAX = 256 };

struct calls;
struct call;

/* CSeq of a REFER on both sides: what Event: refer;id=... speaks of (RFC 3515 2.4.6). */
struct refer_id {
	uint8_t from; /* leg it came from */
	uint32_t in;
	uint32_t out;
};

/* A dialog as RFC 3891 names it, for whoever is to be asked to replace it. */
struct replaces {
	struct slice call_id;
	struct slice to_tag;
	struct slice from_tag;
	bool is_early_only;
};

/* "callid;to-tag=a;from-tag=b". -ERR_MALFORMED. */
MUST_CHECK int replaces_read(struct slice text, struct replaces *out);
void replaces_write(const struct replaces *replaces, struct buf *out);

/* The same dialog from the other side. */
struct renamed {
	struct replaces replaces;
	struct slice target; /* URI of whoever is in it there; empty = not known */
	struct buf texts;    /* owned; of all of these */
};
void renamed_free(struct renamed *renamed);
/* 0: `out` has it; -ERR_NOT_FOUND: it is none that we hide, or hold, and goes as it is;
 * -ERR_AGAIN: `worker` has it; -ERR_NO_MEMORY. */
MUST_CHECK int refer_rename(const struct calls *calls, const struct replaces *replaces,
			    struct renamed *out, uint8_t *worker);
/* The URI behind a Contact of ours in a call, as the other side knows it. Likewise. */
MUST_CHECK int refer_contact(const struct calls *calls, struct slice user, struct buf *out,
			     uint8_t *worker);

/* The call of this worker, in conversation and at rest with its legs, whose leg it names. */
struct call *refer_held(const struct calls *calls, const struct replaces *replaces, uint8_t *leg);

MUST_CHECK int renamed_copy(const struct renamed *from, struct renamed *out);
/* Is one of its ends a tag of ours, or the user a Contact of ours in a call? */
bool refer_is_ours(const struct calls *calls, const struct replaces *replaces);
bool refer_is_contact(const struct calls *calls, struct slice user);

/* --- refer_ask.c --- */
struct refer_questions;
MUST_CHECK int refer_questions_create(struct refer_questions **out);
void refer_questions_destroy(struct refer_questions *questions); /* NULL is fine */
/* Does this request name a dialog of another worker? Then it was copied, and comes again when that
 * one has told. */
bool refer_waits(struct calls *calls, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path);
/* Its INVITE was cancelled while it waited: true = it did. */
bool refer_cancelled(struct calls *calls, struct transaction_handle handle);

/* What another worker told about the dialog, or the Contact, that the request in hand names.
 * -ERR_NOT_FOUND; empty. */
MUST_CHECK int refer_answered(const struct calls *calls, const struct replaces *names,
			      struct renamed *out);
struct slice refer_answered_contact(const struct calls *calls, struct slice user);

/* --- refer.c --- */
/* The Replaces among the header fields of a URI, without escapes. */
bool refer_find_replaces(struct slice fields, struct buf *out);
void refer_receive(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		   const struct message *request, const struct transport_path *path);
/* SUBSCRIBE and NOTIFY of what a REFER began, in the call's dialogs. */
void refer_event(struct call *call, uint8_t early, uint8_t leg, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path);
/* Replaces of the first INVITE, for the side it goes to. */
void refer_write_replaces(const struct call *call, uint8_t from, const struct message *invite,
			  struct buf *out);
/* What Refer-To says, for us: whom to call, and in place of which dialog. Zeroed is empty. */
struct referred {
	struct buf target;   /* URI */
	struct buf replaces; /* as it came; empty = none */
	struct buf mapped;   /* as who is called knows it */
};
MUST_CHECK int refer_resolve(const struct call *call, uint8_t from, struct slice value,
			     struct referred *out);
/* What Refer-To says, for the other side. */
MUST_CHECK int refer_map_to(const struct calls *calls, const struct crossing *crossing,
			    struct slice value, struct buf *out);
