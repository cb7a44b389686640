/* store_answer.h - private to control/state: tell a caller, if one wants to know, how a verb
 * without a value ended (err 0 or negative). SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/store.h"

void store_answer(store_done_fn *done, void *owner, uint64_t handle, int err);
