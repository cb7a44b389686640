/* replaces.c - an INVITE that takes the place of one side of a call of ours (RFC 3891): the other
 * side is asked in the dialog it has, and the side replaced gets BYE once it has agreed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/transfer.h"
#include "sbc/call/verbs.h"

unsigned int replaces_find(const struct calls *calls, const struct message *request,
			   const struct transport_path *path, struct admission *out)
{
	struct replaces names;
	struct slice value;
	uint8_t leg;

	if (!message_header(request, SLICE("Replaces"), &value))
		return 0;
	if (replaces_read(value, &names) != 0)
		return 400;
	struct call *held = refer_held(calls, &names, &leg);
	/* What is not ours to end goes on to whom it concerns. Its names are a secret of both ends:
	 * who has them has them from one of these. */
	if (!held || held->legs[leg].interface != path->interface ||
	    leg_policy(held, leg)->transfer != CONFIG_TRANSFER_LOCAL)
		return 0;
	if (names.is_early_only)
		return 486;
	out->replaced = held;
	out->replaced_leg = leg;
	return 0;
}

int replaces_begin(struct call *call, const struct admission *admission)
{
	int err = call->transfer ? 0 : transfer_create(call);
	if (err)
		return err;
	call->transfer->loans[CALLEE] = (struct loan){.call = admission->replaced->number,
						      .leg = other_leg(admission->replaced_leg)};
	return transfer_take(call, CALLEE);
}

int replaces_go_on(struct call *call, const struct message *invite)
{
	int err = exchange_keep_headers(call, invite);
	if (!err)
		exchange_start(call, parts_sdp(invite));
	return err;
}
