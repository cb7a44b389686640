/* hep.h - a copy of each SIP message to a collector such as Homer: HEP version 3 over UDP, in
 * bursts. One per worker. It never waits: what the socket does not take at once is dropped and
 * counted. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"

struct hep;

struct hep_message {
	uint64_t wall_us; /* since 1970 */
	bool is_stream;   /* TCP and what runs over it; else UDP */
	struct addr from, to;
	struct slice bytes;
};

struct hep_counters {
	struct counter sent;
	struct counter dropped;
	struct counter refused; /* of those sent: nobody listened, as ICMP says */
};

/* `id`: of this capture agent. */
MUST_CHECK int hep_create(const struct addr *collector, uint32_t id, struct hep **out);
void hep_destroy(struct hep *hep); /* NULL is fine; what is queued is dropped */
void hep_copy(struct hep *hep, const struct hep_message *message);
void hep_flush(struct hep *hep); /* at burst end */
const struct hep_counters *hep_counters(const struct hep *hep);
