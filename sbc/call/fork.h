/* fork.h - one INVITE to several contacts of a user of ours (RFC 3261 16.7): those of the same q at
 * once, then the next lower ones. Each branch is a call of its own: tag, Contact and media towards
 * the caller too, so that each of its early dialogs has its own. What they share is the caller's
 * INVITE: the first 2xx makes its branch the call and the others go without a word; of refusals the
 * caller gets the best one, once there is nobody left to ring. On one worker.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/call.h"

enum {
	FORK_MAX = 16, /* contacts of one INVITE; `contacts` of the domain bounds them before */
	FORK_RING_MS = 20000 /* while there are others with a lower q */
};

struct fork;

/* Are there several contacts for this target? Then its INVITEs are out, this call's among them, or
 * the call has ended. `invite` may be NULL: it is read again. */
bool fork_begin(struct call *call, const struct message *invite, const struct hunt_target *target);
/* This branch was answered: it is the call. */
void fork_won(struct call *call);
/* The caller takes its INVITE back, or has gone: the other branches end. */
void fork_abandon(struct call *call);
/* This branch ends with a refusal. True: it is to be sent, as it stands now; fork_free() then. */
bool fork_refused(struct call *call, unsigned int *status, struct slice *headers);
/* Forget what is shared: its last branch goes on alone. */
void fork_free(struct call *call);
void fork_forget(struct call *call); /* it is about to be freed */
/* A branch is waiting for its PRACK: replies of the others wait too, or what is repeated were
 * theirs. */
bool fork_holds(const struct call *call);
void fork_go_on(const struct call *call);
/* A branch that another process began: beside `sibling`, or (NULL) the first one that is here.
 * Contacts that were not called yet are forgotten. */
MUST_CHECK int fork_resume(struct call *call, struct call *sibling);
/* It counts as a call: it stands alone, or is the only branch. */
bool fork_is_alone(const struct call *call);
/* Another one was answered, or the caller had his answer, before this one was here: it ends. */
void fork_over(struct call *call);
/* Another node has this one: does what counted it count it no more? */
bool fork_lost(struct call *call);
/* How many ways the INVITE's Max-Breadth is divided (RFC 5393 5.3.3.1). */
uint32_t fork_breadth(const struct call *call, uint32_t breadth);
