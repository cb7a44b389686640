/* findings.h - what is wrong or doubtful in a configuration file, each with its place.
 * Collected first and shown at the end, so that one reading names everything, in the file's order.
 * Secrets in the lines shown are masked. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "control/base/buf.h"

struct place {           /* bytes of the source */
	uint32_t offset; /* PLACE_NOWHERE = of the whole file */
	uint32_t length;
};
#define PLACE_NOWHERE UINT32_MAX
#define PLACE_NONE    ((struct place){PLACE_NOWHERE, 0})

struct finding;

struct findings {
	struct arena *arena; /* not owned; of the texts */
	const char *path;
	struct slice source;
	struct finding *list;  /* newest first */
	struct place *secrets; /* owned */
	size_t secret_count;
	unsigned errors;
	unsigned warnings;
	bool not_utf8; /* bytes above 0x7f are shown as '?' */
	bool failed;   /* no memory for one of them: the file is not to be trusted */
};

void findings_init(struct findings *findings, struct arena *arena, const char *path,
		   struct slice source);
void findings_free(struct findings *findings);
/* All printf-like. A note adds a second place, or a hint without place, to the newest finding. */
void finding_error(struct findings *findings, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void finding_warn(struct findings *findings, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void finding_note(struct findings *findings, struct place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* There are so many already that no cure need be looked for. */
bool findings_are_many(const struct findings *findings);
/* These bytes are shown as stars. */
void findings_hide(struct findings *findings, struct place place);
/* "path:line:column: message", the line, a caret; then the notes. */
void findings_show(const struct findings *findings, struct buf *out);
/* Line and column, both from 1; the column counts characters. */
void findings_position(const struct findings *findings, struct place place, unsigned *line,
		       unsigned *column);
