/* cdr_file.h - the file of call detail records: lines from the workers by ring, appended by a
 * thread of its own. A file that was moved away (logrotate) is opened anew with the next line. What
 * the disk does not take is counted and said once; calls do not notice. The end of the file is read
 * at the start: a call that is there was told of by a process before.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>
#include "control/base/buf.h"
#include "control/base/log.h"

struct cdr_file;

struct cdr_file_config {
	const char *path; /* copied */
	const struct log *log;
	uid_t user; /* whose the file shall be; 0 = root */
	gid_t group;
};

struct cdr_file_counts {
	uint64_t written;
	uint64_t lost;
};

/* Opens the file. `why` gets one line on failure. */
MUST_CHECK int cdr_file_create(const struct cdr_file_config *config, struct buf *why,
			       struct cdr_file **out);
MUST_CHECK int cdr_file_run(struct cdr_file *file); /* starts its thread */
void cdr_file_stop(struct cdr_file *file);    /* what is left is written first; NULL is fine */
void cdr_file_destroy(struct cdr_file *file); /* NULL is fine */
/* One line without its end, from any thread. Never waits. The result is for cdr_file_is_done(). */
uint64_t cdr_file_write(struct cdr_file *file, struct slice line);
/* That line is in the file, or lost. */
bool cdr_file_is_done(const struct cdr_file *file, uint64_t ticket);
/* A line that begins so ({"call":"ID") was there when the file was opened. From any thread. */
bool cdr_file_told(const struct cdr_file *file, struct slice id);
void cdr_file_counts(const struct cdr_file *file, struct cdr_file_counts *out);
