/* place.h - where a leg is, by names: another node knows the same interfaces and listeners by other
 * addresses. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/record.h"
#include "sbc/worker/worker.h"

void place_write(const struct worker *worker, const struct transport_path *path,
		 struct record_leg *out);
/* -ERR_NOT_FOUND: there is no such interface, or no listener of it that could be used. */
MUST_CHECK int place_read(const struct worker *worker, const struct record_leg *leg,
			  struct transport_path *out);
/* The peer of this name, or -1. */
int place_peer(const struct config *config, struct slice name);
