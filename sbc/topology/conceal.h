/* conceal.h - a text of one side in a form that the other side may hold and give back: nothing
 * shows, nobody else can make one, nothing is kept. For identifiers of dialogs that are none of
 * ours but are named to the other side (dialog-info, Refer-To with Replaces).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

enum { CONCEAL_MAX = 192 };

struct conceal_key { /* the same in all workers */
	uint64_t mac[2];
	uint64_t cipher[2];
};

/* From any four secret numbers. */
void conceal_key_derive(const uint64_t mac[2], const uint64_t cipher[2], struct conceal_key *out);
/* Appends letters and digits only. A text too long to be concealed appends nothing and fails out.
 */
void conceal(const struct conceal_key *key, struct slice text, struct buf *out);
/* -ERR_MALFORMED: not one of ours. */
MUST_CHECK int conceal_reveal(const struct conceal_key *key, struct slice text, struct buf *out);
