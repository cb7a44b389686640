/* kept.h - a dialog in a record and back. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/state/record.h"
#include "sbc/dialog/dialog.h"

/* Borrowed from the dialog. Sequence numbers that a successor leaves out are the caller's to add.
 */
void dialog_keep(const struct dialog *dialog, struct record_leg *out);
/* Whatever was there is freed. -ERR_NO_MEMORY. */
MUST_CHECK int dialog_resume(struct dialog *dialog, const struct record_leg *from);
