/* log.h - levelled, structured log: one line per event, "time level program event key=value ...".
 * Bytes outside printable ASCII are escaped as \xNN after formatting, so one event is one line
 * whatever a peer wrote into it. Never called on a packet path. Secrets are never arguments.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Shared by the threads of a process; set up once, then read only. One write(2) per line. */
struct log {
	enum log_level level;
	int fd;              /* not owned; 2 = stderr */
	const char *program; /* "sbc", "rtpengine" */
};

/* `event` is a dotted literal ("call.answered"); `format` has the key=value fields, NULL = none. */
void log_event(const struct log *log, enum log_level level, const char *event, const char *format,
	       ...) __attribute__((format(printf, 4, 5)));

#define log_error(log, event, ...) log_event((log), LOG_ERROR, (event), __VA_ARGS__)
#define log_warn(log, event, ...)  log_event((log), LOG_WARN, (event), __VA_ARGS__)
#define log_info(log, event, ...)  log_event((log), LOG_INFO, (event), __VA_ARGS__)
/* The arguments of a debug line are not evaluated when it is off. */
#define log_debug(log, event, ...)                                                                 \
	do {                                                                                       \
		if ((log)->level >= LOG_DEBUG)                                                     \
			log_event((log), LOG_DEBUG, (event), __VA_ARGS__);                         \
	} while (0)

int log_level_parse(const char *text, enum log_level *out); /* "error" ... "debug" */
