/* kept.c - a dialog as the record of what holds it tells of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dialog/kept.h"

void dialog_keep(const struct dialog *dialog, struct record_leg *out)
{
	out->call_id = dialog->call_id;
	out->local_tag = dialog->local_tag;
	out->remote_tag = dialog->remote_tag;
	out->local_uri = dialog->local_uri;
	out->remote_uri = dialog->remote_uri;
	out->local_display = dialog->local_display;
	out->remote_display = dialog->remote_display;
	out->remote_target = dialog->remote_target;
	out->local_contact = dialog->local_contact;
	for (size_t i = 0; i < dialog->route_count && i < RECORD_ROUTE_LIMIT; i++)
		out->route_set[out->route_count++] = dialog->routes[i];
	out->local_cseq = dialog->local_cseq;
	out->remote_cseq = dialog->remote_cseq;
}

int dialog_resume(struct dialog *dialog, const struct record_leg *from)
{
	struct slice routes[RECORD_ROUTE_LIMIT];
	struct dialog borrowed = {
		.call_id = from->call_id,
		.local_tag = from->local_tag,
		.remote_tag = from->remote_tag,
		.local_display = from->local_display,
		.local_uri = from->local_uri,
		.remote_display = from->remote_display,
		.remote_uri = from->remote_uri,
		.remote_target = from->remote_target,
		.local_contact = from->local_contact,
		.routes = routes,
		.route_count = from->route_count,
		.local_cseq = from->local_cseq,
		.remote_cseq = from->remote_cseq,
		.has_remote_cseq = from->remote_cseq > 0,
		.is_confirmed = from->is_confirmed,
	};

	for (uint32_t i = 0; i < from->route_count; i++)
		routes[i] = from->route_set[i];
	dialog_free(dialog);
	return dialog_copy(dialog, &borrowed);
}
