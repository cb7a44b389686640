/* early.h - the early dialogs of a call (RFC 3261 12): one for each To tag that the callee's side
 * sends before it answers, since its proxies may fork. Each is shown to the caller as an early
 * dialog of its own, with a tag of ours, so that what is said in one is never taken for another's.
 * The first 2xx makes its dialog the call's; the others go.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/session.h"
#include "sbc/dialog/dialog.h"
#include "sbc/topology/body.h"

enum { EARLY_MAX = 8 };

struct call;

struct early {
	struct early *next;
	uint8_t id; /* counts up in the call; never 0 */
	struct dialog dialogs[LEGS];
	struct body_origin origin; /* of what the caller is shown in it */
	struct session session;
	uint32_t rseq; /* of the callee's last reliable provisional (RFC 3262); 0 = none */
};

struct early *early_find(const struct call *call, uint8_t id);
struct early *early_by_far_tag(const struct call *call, struct slice tag);
/* Of a response to the first INVITE: found, or made. -ERR_TOO_MANY: forks beyond EARLY_MAX. */
MUST_CHECK int early_take(struct call *call, const struct message *response, struct early **out);
/* One of another process, out of its record. */
struct record_leg;
MUST_CHECK int early_resume(struct call *call, const struct record_leg *leg);
/* Its dialogs and its session are the call's from now on; all early ones are gone. */
void early_confirm(struct call *call, struct early *early);
void early_end(struct call *call, struct early *early);
void early_end_all(struct call *call);
/* The dialog of a leg: an early one's, or (id 0, or gone since) the call's. */
struct dialog *early_dialog(struct call *call, uint8_t id, uint8_t leg);
struct session *early_session(struct call *call, uint8_t id);
