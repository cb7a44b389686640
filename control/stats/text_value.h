/* text_value.h - private to control/stats: names and single values as people read them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <jansson.h>
#include "control/base/buf.h"

/* "duration_s" is shown as "duration": its value carries the unit. */
void text_name(const char *name, struct buf *out);
/* A string, number, truth value or null, in the unit that its name says. Lists are joined by
 * commas; an object is shown as name=value pairs. */
void text_value(const char *name, const json_t *value, struct buf *out);
/* Bytes a terminal could take as a command, and characters that turn the direction of writing, are
 * shown as \xNN. */
void text_escape(struct slice text, struct buf *out);
size_t text_width(struct slice text); /* in characters */
