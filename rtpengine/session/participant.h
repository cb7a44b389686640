/* participant.h - whom a command of a call in progress means: everybody, or those with a tag, a
 * label or an address. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/session.h"

struct participants {
	struct slice tag, label; /* empty = not asked */
	struct addr address;     /* family 0 = not asked */
	bool is_everybody;       /* no selector, or `all` */
};

/* Read the selectors, and give who is meant the label of `set-label`. A from-tag counts only with
 * the flag `directional` when `tag_needs_flag` (Kamailio always sends one). Otherwise the reply
 * says what is wrong. */
MUST_CHECK int participants_read(struct command *command, struct session *session,
				 bool tag_needs_flag, struct participants *out);
bool participants_mean(const struct participants *participants, const struct dialog *dialog,
		       int side);
/* The call of the command; NULL: the reply says why. */
struct session *command_session(struct command *command);
