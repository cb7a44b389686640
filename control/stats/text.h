/* text.h - JSON answers as aligned text for people.
 * An array of objects becomes a table, an object a block of "key  value" lines, nested ones are
 * indented. Units come from the names: _us, _ms and _s are durations, _at is a Unix time in
 * seconds, _bytes a size, _percent a percentage. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <jansson.h>
#include "control/base/buf.h"

/* Control bytes come out as \xNN: nothing a peer sent reaches the terminal as a command. */
void stats_text(const json_t *value, struct buf *out);
