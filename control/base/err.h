/* err.h - the one list of error codes. Functions return 0 or -ERR_X; parsers add position and
 * reason of their own. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define FOREACH_ERR(X)                                                                             \
	X(NO_MEMORY, "out of memory")                                                              \
	X(INVALID, "invalid argument")                                                             \
	X(MALFORMED, "malformed input")                                                            \
	X(TOO_LARGE, "too large")                                                                  \
	X(TOO_MANY, "too many")                                                                    \
	X(NOT_FOUND, "not found")                                                                  \
	X(EXISTS, "already exists")                                                                \
	X(BUSY, "busy")                                                                            \
	X(AGAIN, "try again")                                                                      \
	X(CLOSED, "closed")                                                                        \
	X(LOST, "connection lost")                                                                 \
	X(TIMEOUT, "timed out")                                                                    \
	X(REFUSED, "refused")                                                                      \
	X(UNREACHABLE, "unreachable")                                                              \
	X(DENIED, "not permitted")                                                                 \
	X(UNSUPPORTED, "not supported")                                                            \
	X(NO_PORT, "no media port free")                                                           \
	X(VERSION, "unknown version")                                                              \
	X(SYSTEM, "system call failed")

enum err {
	ERR_NONE = 0,
#define X(name, text) ERR_##name,
	FOREACH_ERR(X)
#undef X
};

/* Every verb that can fail is marked: ignoring the result does not compile. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Text of a code, either sign; never NULL. */
const char *err_text(int err);

/* The code (negative) that fits an errno value. */
int err_from_errno(int errnum);
