/* connect.h - who hears whom. By offer and answer it is the other party of the dialog; `connect`
 * joins two parties of any dialogs, of one call or of two, each in place of the one it had. The
 * parties keep each other's names, not pointers: they hear each other while both do. A call that
 * ends so leaves nothing behind. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/session.h"

struct hearer {
	struct stream *stream; /* NULL = nobody */
	int side;
};

/* Where what `side` of the stream sends is to go. */
struct hearer stream_hearer(const struct stream *stream, int side);
/* Offer and answer have joined the parties of this dialog (again). */
void connect_undo(struct dialog *dialog);
