/* client.h - blocking reader of a stats socket, for the command line and tests.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <jansson.h>
#include "control/base/buf.h"

struct stats_client;

/* -ERR_NOT_FOUND no socket there, -ERR_REFUSED nobody listens, -ERR_DENIED, -ERR_TOO_LARGE path. */
MUST_CHECK int stats_client_open(const char *path, uint32_t timeout_ms, struct stats_client **out);
void stats_client_close(struct stats_client *client); /* NULL is fine */
/* One command, one answer, both bounded by the time-out. The caller owns *out (json_decref).
 * -ERR_TIMEOUT, -ERR_CLOSED, -ERR_MALFORMED, -ERR_TOO_LARGE. An {"error": ...} answer is not an
 * error here. */
MUST_CHECK int stats_client_ask(struct stats_client *client, struct slice command, json_t **out);
