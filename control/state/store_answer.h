/* store_answer.h - private to control/state: tell a caller, if one wants to know, how a verb ended
 * (err 0 or negative), and what was read, unsealed. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"

void store_answer(store_done_fn *done, void *owner, uint64_t handle, int err);
/* `raw`: as it stands in the store. */
void store_answer_value(struct store *store, store_done_fn *done, void *owner, uint64_t handle,
			struct slice raw);
/* One of a walk; what cannot be unsealed is left out. False = enough. */
bool store_each(struct store *store, store_each_fn *each, void *owner, struct slice key,
		struct slice raw);
