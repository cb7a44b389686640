/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/base/err.h"

/* A pipe takes up to 4096 bytes (PIPE_BUF) in one piece, whoever else writes into it. */
#define LOG_LINE_SIZE   4096
#define LOG_FIELDS_SIZE 4096
#define LOG_CUT_MARK    " [cut]"

struct line {
	char text[LOG_LINE_SIZE];
	size_t len;
	bool cut;
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void line_add_escaped(struct line *line, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	const size_t room = sizeof(line->text) - sizeof(LOG_CUT_MARK); /* its NUL is our LF */

	for (; *text && !line->cut; text++) {
		unsigned char c = (unsigned char)*text;
		/* The backslash too, so that "\x0a" in the log was never written by a peer. */
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';
		if (line->len + (plain ? 1 : 4) > room) {
			line->cut = true;
		} else if (plain) {
			line->text[line->len++] = *text;
		} else {
			line->text[line->len++] = '\\';
			line->text[line->len++] = 'x';
			line->text[line->len++] = hex[c >> 4];
			line->text[line->len++] = hex[c & 15];
		}
	}
}

/* 2026-01-31T23:59:59.123Z */
static void line_add_time(struct line *line)
{
	struct timespec now;
	struct tm utc;
	char text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900,
		 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		 now.tv_nsec / 1000000);
	line_add_escaped(line, text);
}

static void line_write(struct line *line, int fd)
{
	if (line->cut) {
		memcpy(line->text + line->len, LOG_CUT_MARK, sizeof(LOG_CUT_MARK) - 1);
		line->len += sizeof(LOG_CUT_MARK) - 1;
	}
	line->text[line->len++] = '\n';
	/* A log that does not take a line loses it: nobody waits for the log. */
	while (write(fd, line->text, line->len) < 0 && errno == EINTR)
		;
}

void log_event(const struct log *log, enum log_level level, const char *event, const char *format,
	       ...)
{
	if (level > log->level)
		return;

	int saved_errno = errno;
	struct line line;
	line.len = 0;
	line.cut = false;
	line_add_time(&line);
	line_add_escaped(&line, " ");
	line_add_escaped(&line, level_names[level]);
	line_add_escaped(&line, " ");
	line_add_escaped(&line, log->program);
	line_add_escaped(&line, " ");
	line_add_escaped(&line, event);
	if (format) {
		char fields[LOG_FIELDS_SIZE];
		va_list args;
		va_start(args, format);
		int len = vsnprintf(fields, sizeof(fields), format, args);
		va_end(args);
		line_add_escaped(&line, " ");
		if (len >= 0)
			line_add_escaped(&line, fields); /* what filled it up is cut there */
		else
			line.cut = true;
	}
	line_write(&line, log->fd);
	errno = saved_errno;
}

int log_level_parse(const char *text, enum log_level *out)
{
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -ERR_INVALID;
}
