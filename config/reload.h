/* reload.h - a new file for what runs already: checked whole, compared with what is in force, and
 * made so that indexes stay what they are. Interfaces keep theirs; so does a peer as long as it is
 * the same one (its interface and servers). Another one gets a new index, and the old entry stays
 * behind as retired: calls that still use it find its servers there.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"

/* How many more of them there may be after reloads than at the start, those included that have
 * gone: whoever keeps something for each index makes this room, and none is ever moved. */
enum { RELOAD_INTERFACES_MORE = 192, RELOAD_PEERS_MORE = 1024, RELOAD_SERVERS_MORE = 4096 };

/* Reads current->path again. `said` gets what is wrong with the file, or the difference, a line for
 * each value. 0 with *out NULL: nothing has changed. -ERR_MALFORMED and others of config_load();
 * -ERR_UNSUPPORTED: something in it needs a restart (its lines say so), so nothing of it is taken.
 */
MUST_CHECK int config_reload(const struct config *current, struct config **out, struct buf *said);
/* The difference of two files, with what needs a restart; returns how many lines there are. */
unsigned config_diff(const struct config *before, const struct config *after, struct buf *out);
