/* told.h - the calls that the end of a file of call detail records tells of: whoever goes on with
 * the records of a process that was killed must not write these again. Read once, at the start;
 * then anybody may ask. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

struct told;

/* Calls ended faster than this many bytes ago are known; the others' records are long gone. */
enum { TOLD_BYTES = 4 * 1024 * 1024 };

/* What is there by this name: no file, or nothing to read in it, is fine. A line of ours that its
 * writer did not bring to its end is taken back. */
MUST_CHECK int told_read(const char *path, struct told **out);
void told_free(struct told *told); /* NULL is fine */
bool told_has(const struct told *told, struct slice id);
