/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/early.h"
#include <stdio.h>
#include "sbc/call/verbs.h"
#include "sbc/topology/owned.h"

struct early *early_find(const struct call *call, uint8_t id)
{
	for (struct early *early = call->early; early; early = early->next)
		if (early->id == id)
			return early;
	return NULL;
}

struct early *early_by_far_tag(const struct call *call, struct slice tag)
{
	for (struct early *early = call->early; early; early = early->next)
		if (slice_equal_nocase(early->dialogs[CALLEE].remote_tag, tag))
			return early;
	return NULL;
}

static void early_free(struct early *early)
{
	for (uint8_t leg = 0; leg < LEGS; leg++)
		dialog_free(&early->dialogs[leg]);
	session_free(&early->session);
	free(early);
}

/* The first one has the tag that the caller's leg was given; the others a number behind it: the
 * token in front still says whose they are. */
static int name_near(struct call *call, struct early *early)
{
	char tag[TOKEN_LENGTH + 8];

	if (early->id == 1)
		return 0;
	snprintf(tag, sizeof(tag), "%.*s-%u", TOKEN_LENGTH,
		 call->legs[CALLER].dialog.local_tag.data, early->id);
	return owned_set(&early->dialogs[CALLER].local_tag, slice_from(tag));
}

static int early_fill(struct call *call, struct early *early, const struct message *response)
{
	struct dialog *far = &early->dialogs[CALLEE];
	int err = 0;

	for (uint8_t leg = 0; leg < LEGS && !err; leg++)
		err = dialog_copy(&early->dialogs[leg], &call->legs[leg].dialog);
	if (!err)
		err = name_near(call, early);
	if (!err)
		err = owned_set(&far->remote_tag, message_to_tag(response));
	if (!err)
		err = dialog_set_routes(far, response, true);
	if (!err)
		err = session_copy_offer(&early->session, &call->session);
	early->origin = call->legs[CALLER].origin;
	return err;
}

int early_take(struct call *call, const struct message *response, struct early **out)
{
	struct early *early = early_by_far_tag(call, message_to_tag(response));
	unsigned int count = 0;

	if (early) {
		*out = early;
		return 0;
	}
	struct early **end = &call->early;
	for (; *end; end = &(*end)->next)
		count++;
	/* An answer is taken from whomever it comes. */
	if (message_status(response) < 200 &&
	    (count >= EARLY_MAX || call->early_count >= UINT8_MAX - 1))
		return -ERR_TOO_MANY;
	early = calloc(1, sizeof(*early));
	if (!early)
		return -ERR_NO_MEMORY;
	early->id = ++call->early_count;
	int err = early_fill(call, early, response);
	if (err) {
		early_free(early);
		return err;
	}
	*end = early;
	*out = early;
	return 0;
}

static int resume_far(const struct call *call, struct dialog *far, const struct record_leg *leg)
{
	struct slice routes[RECORD_ROUTE_LIMIT];
	struct dialog borrowed = call->legs[CALLEE].dialog;

	for (uint32_t i = 0; i < leg->route_count; i++)
		routes[i] = leg->route_set[i];
	borrowed.remote_tag = leg->remote_tag;
	borrowed.remote_target = leg->remote_target;
	borrowed.routes = routes;
	borrowed.route_count = leg->route_count;
	borrowed.local_cseq = leg->local_cseq;
	borrowed.remote_cseq = leg->remote_cseq;
	borrowed.has_remote_cseq = leg->remote_cseq > 0;
	return dialog_copy(far, &borrowed);
}

static int resume_session(const struct call *call, struct session *session,
			  const struct record_leg *leg)
{
	struct description *near = &session->agreed[CALLER], *far = &session->agreed[CALLEE];
	int err;

	if (!leg->is_agreed) {
		err = session_copy_offer(session, &call->session);
		if (!err)
			err = owned_set(&session->answer, leg->sdp_received);
		return err ? err : owned_set(&session->answer_shown, leg->near_shown);
	}
	err = owned_set(&near->received, leg->near_offer);
	if (!err)
		err = owned_set(&near->sent, leg->near_shown);
	if (!err)
		err = owned_set(&far->received, leg->sdp_received);
	return err ? err : owned_set(&far->sent, leg->sdp_sent);
}

int early_resume(struct call *call, const struct record_leg *leg)
{
	struct early **end = &call->early, *early = calloc(1, sizeof(*early));
	struct dialog *near;

	if (!early)
		return -ERR_NO_MEMORY;
	near = &early->dialogs[CALLER];
	early->id = (uint8_t)leg->early_id;
	early->rseq = leg->rseq;
	int err = early->id ? dialog_copy(near, &call->legs[CALLER].dialog) : -ERR_MALFORMED;
	if (!err)
		err = name_near(call, early);
	if (!err)
		err = resume_far(call, &early->dialogs[CALLEE], leg);
	if (!err)
		err = resume_session(call, &early->session, leg);
	if (err) {
		early_free(early);
		return err;
	}
	near->local_cseq = leg->near_local_cseq;
	near->remote_cseq = leg->near_remote_cseq;
	early->origin = call->legs[CALLER].origin;
	early->origin.version = leg->near_version;
	early->origin.hash = leg->near_hash;
	while (*end)
		end = &(*end)->next;
	*end = early;
	if (call->early_count < early->id)
		call->early_count = early->id;
	return 0;
}

void early_confirm(struct call *call, struct early *early)
{
	for (uint8_t leg = 0; leg < LEGS; leg++) {
		dialog_free(&call->legs[leg].dialog);
		call->legs[leg].dialog = early->dialogs[leg];
		early->dialogs[leg] = (struct dialog){0};
	}
	call->legs[CALLER].origin = early->origin;
	session_free(&call->session);
	call->session = early->session;
	early->session = (struct session){0};
	early_end_all(call);
}

void early_end(struct call *call, struct early *early)
{
	for (struct early **at = &call->early; *at; at = &(*at)->next) {
		if (*at != early)
			continue;
		*at = early->next;
		early_free(early);
		return;
	}
}

void early_end_all(struct call *call)
{
	while (call->early)
		early_end(call, call->early);
}

struct dialog *early_dialog(struct call *call, uint8_t id, uint8_t leg)
{
	struct early *early = id ? early_find(call, id) : NULL;
	return early ? &early->dialogs[leg] : &call->legs[leg].dialog;
}

struct session *early_session(struct call *call, uint8_t id)
{
	struct early *early = id ? early_find(call, id) : NULL;
	return early ? &early->session : &call->session;
}
