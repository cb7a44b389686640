/* metrics.h - answers of the stats sockets as OpenMetrics text (the format that Prometheus reads).
 * Names come from the answers themselves: {"calls": {"answered": 3}} under the prefix "postern_sbc"
 * is postern_sbc_calls_answered_total 3. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <jansson.h>
#include "control/base/buf.h"

struct metrics;

MUST_CHECK int metrics_create(struct metrics **out);
void metrics_destroy(struct metrics *metrics); /* NULL is fine */
/* One gauge with one label. */
void metrics_add_gauge(struct metrics *metrics, const char *name, const char *label,
		       const char *value, int64_t number);
/* Every number of an answer. Of the elements of a list, what names them becomes labels ("peer",
 * "interface"); the keys under "drops" become the label "reason"; "state" becomes NAME_up. */
void metrics_add(struct metrics *metrics, const char *prefix, const json_t *answer);
/* Everything added, families together, up to "# EOF". -ERR_NO_MEMORY, -ERR_TOO_LARGE. */
MUST_CHECK int metrics_write(struct metrics *metrics, struct buf *out);
