/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/names.h"

static bool conceal_dialog(void *owner, const struct dialog_name *name, struct buf *texts,
			   struct dialog_name *out)
{
	conceal(owner, name->call_id, texts);
	*out = *name;
	out->call_id = buf_slice(texts);
	return true;
}

static bool reveal_dialog(void *owner, const struct dialog_name *name, struct buf *texts,
			  struct dialog_name *out)
{
	if (conceal_reveal(owner, name->call_id, texts) != 0)
		return false;
	*out = *name;
	out->call_id = buf_slice(texts);
	return true;
}

struct body_names names_for(const struct conceal_key *key, const struct crossing *crossing)
{
	struct body_names names = {.owner = (void *)(uintptr_t)key};

	if (crossing->from_trusted && !crossing->to_trusted)
		names.dialog = conceal_dialog;
	else if (!crossing->from_trusted && crossing->to_trusted)
		names.dialog = reveal_dialog;
	return names;
}
