/* refer_names.c - the names of a hidden dialog on its other side.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/early.h"
#include "sbc/call/verbs.h"

int replaces_read(struct slice text, struct replaces *out)
{
	size_t semicolon = slice_find(text, ';');
	struct slice parameters = slice_sub(text, semicolon, text.len), value;
	struct replaces replaces = {.call_id = slice_trim(slice_sub(text, 0, semicolon))};

	if (replaces.call_id.len == 0 || replaces.call_id.len > REFER_NAME_MAX ||
	    !parameter_find(parameters, SLICE("to-tag"), &replaces.to_tag) ||
	    !parameter_find(parameters, SLICE("from-tag"), &replaces.from_tag) ||
	    replaces.to_tag.len == 0 || replaces.to_tag.len > REFER_NAME_MAX ||
	    replaces.from_tag.len == 0 || replaces.from_tag.len > REFER_NAME_MAX)
		return -ERR_MALFORMED;
	replaces.is_early_only = parameter_find(parameters, SLICE("early-only"), &value);
	*out = replaces;
	return 0;
}

void replaces_write(const struct replaces *replaces, struct buf *out)
{
	buf_add(out, replaces->call_id);
	buf_add_text(out, ";to-tag=");
	buf_add(out, replaces->to_tag);
	buf_add_text(out, ";from-tag=");
	buf_add(out, replaces->from_tag);
	if (replaces->is_early_only)
		buf_add_text(out, ";early-only");
}

void renamed_free(struct renamed *renamed)
{
	buf_free(&renamed->texts);
	*renamed = (struct renamed){0};
}

/* Four texts in one buffer: it may move while it grows, so slices come last. */
static int keep(struct renamed *out, const struct replaces *names, struct slice target)
{
	const struct slice from[] = {names->call_id, names->to_tag, names->from_tag, target};
	struct slice *to[] = {&out->replaces.call_id, &out->replaces.to_tag,
			      &out->replaces.from_tag, &out->target};
	size_t at = 0;

	buf_init(&out->texts);
	for (size_t i = 0; i < 4; i++)
		buf_add(&out->texts, from[i]);
	if (buf_failed(&out->texts)) {
		renamed_free(out);
		return -ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < 4; i++) {
		*to[i] = slice_sub(buf_slice(&out->texts), at, from[i].len);
		at += from[i].len;
	}
	out->replaces.is_early_only = names->is_early_only;
	return 0;
}

int renamed_copy(const struct renamed *from, struct renamed *out)
{
	return keep(out, &from->replaces, from->target);
}

bool refer_is_ours(const struct calls *calls, const struct replaces *replaces)
{
	const struct token_key *key = calls->worker->token_key;
	struct token token;

	return token_read(key, TOKEN_TAG, slice_sub(replaces->to_tag, 0, TOKEN_LENGTH), &token) ==
		       0 ||
	       token_read(key, TOKEN_TAG, slice_sub(replaces->from_tag, 0, TOKEN_LENGTH), &token) ==
		       0;
}

bool refer_is_contact(const struct calls *calls, struct slice user)
{
	struct token token;
	return token_read(calls->worker->token_key, TOKEN_CONTACT, user, &token) == 0 &&
	       (token.id & 3) < LEGS;
}

static int reveal(const struct calls *calls, const struct replaces *replaces, struct renamed *out)
{
	struct replaces names = *replaces;
	struct buf call_id;

	buf_init(&call_id);
	int err = conceal_reveal(calls->conceal, replaces->call_id, &call_id);
	names.call_id = buf_slice(&call_id);
	err = err ? -ERR_NOT_FOUND : keep(out, &names, SLICE_NONE);
	buf_free(&call_id);
	return err;
}

/* Whose leg a token of the kind speaks of: -ERR_NOT_FOUND, -ERR_AGAIN. */
static int find(const struct calls *calls, enum token_kind kind, struct slice text,
		struct call **call, uint8_t *leg, uint8_t *worker)
{
	struct token token;

	if (token_read(calls->worker->token_key, kind, text, &token) != 0 || (token.id & 3) >= LEGS)
		return -ERR_NOT_FOUND;
	if (token.worker % calls->worker->count != calls->worker->index) {
		*worker = token.worker % calls->worker->count;
		return -ERR_AGAIN;
	}
	return calls_by_name(calls, &token, call, leg) && (*call)->state != CALL_ENDING
		       ? 0
		       : -ERR_NOT_FOUND;
}

static bool is_named(const struct dialog *dialog, const struct replaces *names)
{
	return slice_equal(dialog->call_id, names->call_id) &&
	       slice_equal_nocase(dialog->local_tag, names->to_tag) &&
	       slice_equal_nocase(dialog->remote_tag, names->from_tag);
}

struct call *refer_held(const struct calls *calls, const struct replaces *replaces, uint8_t *leg)
{
	struct call *call;

	if (!calls_by_tag(calls, replaces->to_tag, &call, leg) || call->state != CALL_UP ||
	    call->away || call->lent_to || !is_named(&call->legs[*leg].dialog, replaces))
		return NULL;
	return call;
}

/* To-tag is the one who is asked to replace: the peer takes us for it, and means the far end. */
int refer_rename(const struct calls *calls, const struct replaces *replaces, struct renamed *out,
		 uint8_t *worker)
{
	struct call *call;
	uint8_t leg;

	if (reveal(calls, replaces, out) == 0)
		return 0;
	int err = find(calls, TOKEN_TAG, slice_sub(replaces->to_tag, 0, TOKEN_LENGTH), &call, &leg,
		       worker);
	if (err)
		return err;
	const struct dialog *near = &call->legs[leg].dialog;
	const struct dialog *far = &call->legs[other_leg(leg)].dialog;
	if (!is_named(near, replaces) || slice_is_empty(far->remote_tag))
		return -ERR_NOT_FOUND;
	struct replaces names = {.call_id = far->call_id,
				 .to_tag = far->remote_tag,
				 .from_tag = far->local_tag,
				 .is_early_only = replaces->is_early_only};
	return keep(out, &names, far->remote_uri);
}

int refer_contact(const struct calls *calls, struct slice user, struct buf *out, uint8_t *worker)
{
	struct call *call;
	uint8_t leg;

	int err = find(calls, TOKEN_CONTACT, user, &call, &leg, worker);
	if (err)
		return err;
	buf_add(out, call->legs[other_leg(leg)].dialog.remote_uri);
	return 0;
}
