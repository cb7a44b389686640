/* session_body.c - SDP on its way between both sides: what a side is shown of the relay's, and
 * whether its answer fits. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "control/sdp/attribute.h"
#include "sbc/topology/owned.h"

int body_show(struct call *call, uint8_t leg, uint8_t early, struct slice sdp, struct slice *owned,
	      const char **reason)
{
	struct buf body;

	buf_init(&body);
	arena_reset(call->calls->scratch);
	int err = body_hide(call->calls->scratch, sdp, leg_origin(call, leg, early), &body, reason);
	if (!err)
		err = owned_set(owned, buf_slice(&body));
	buf_free(&body);
	return err;
}

/* RFC 8842 5.2: who offers a new association leaves the roles open. */
static int open_roles(struct sdp *sdp, struct sdp_section *section)
{
	const struct sdp_line *line = sdp_attribute(section, "setup");

	if (!line)
		return 0;
	return sdp_attribute_set(sdp, section, "setup", SLICE("actpass"));
}

int body_offer_again(struct call *call, uint8_t leg, struct buf *out)
{
	struct slice sent = call->session.agreed[leg].sent;
	struct sdp *sdp;

	arena_reset(call->calls->scratch);
	int err = sdp_parse(call->calls->scratch, sent, &sdp, NULL);
	if (!err)
		err = open_roles(sdp, &sdp->section);
	for (unsigned i = 0; !err && i < sdp->media_count; i++)
		err = open_roles(sdp, &sdp->media[i].section);
	if (err)
		return err;
	sdp_write(sdp, out);
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}

int body_check_answer(struct call *call, uint8_t early, uint8_t from, struct slice sdp)
{
	const char *reason = NULL;

	int err = session_check_answer(early_session(call, early), call->calls->scratch, sdp,
				       &reason);
	if (!err)
		return 0;
	counter_add(&call->calls->counters.wrong_answers, 1);
	log_warn(call->calls->worker->log, "call.wrong_answer", "call=%.*s leg=%u reason=\"%s\"",
		 TOKEN_LENGTH, call->id, from, reason ? reason : err_text(err));
	return err;
}

int body_check_agreed(struct call *call, uint8_t from, struct slice sdp)
{
	const struct session shown = {.offer_shown = call->session.agreed[from].sent};
	const char *reason;

	return session_check_answer(&shown, call->calls->scratch, sdp, &reason);
}
