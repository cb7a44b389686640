/* location.h - a binding as a text that outlives the process: words and numbers of its own, one
 * line. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/binding.h"

struct location_text {
	struct slice aor;
	struct binding_facts facts;
	struct transport_path path;
};

void location_write_name(const struct binding *binding, struct buf *out);
/* Times as Unix time; interface and listener by what they are called, the file may change. */
void location_write(const struct worker *worker, const struct binding *binding, struct buf *out);
/* -ERR_MALFORMED; -ERR_NOT_FOUND: expired, or its interface is no more. Slices of the texts. */
MUST_CHECK int location_read(const struct worker *worker, struct slice name, struct slice value,
			     struct location_text *out);
