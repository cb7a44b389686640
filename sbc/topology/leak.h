/* leak.h - the last look before a message leaves by an untrusted side: does it hold an address, a
 * host or a name of a trusted one? Topology hiding is done by construction everywhere else; this
 * tells when that, or a rule of the operator's, went wrong. One per worker.
 * What a side said itself is not looked at when it is said back to it: in a response Via, From, To,
 * Call-ID, CSeq, Record-Route and a REGISTER's Contacts; in a request the start line and Route, and
 * in a dialog From, To and Call-ID. So a phone behind a NAT with the LAN's own addresses is no
 * leak. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "control/base/counter.h"

struct leaks;

enum { LEAK_SAMPLES = 16, LEAK_TEXT = 64 };

struct leak_sample {
	uint64_t at_ms; /* the loop's clock */
	uint16_t interface;
	bool is_blocked;
	char what[LEAK_TEXT];    /* the text that was found */
	char where[LEAK_TEXT];   /* "Subject" or "body" */
	char message[LEAK_TEXT]; /* method or status line */
};

struct leak_counters {
	struct counter checked; /* messages */
	struct counter bytes;
	struct counter found;
	struct counter blocked;
};

/* Everything to look for comes from the configuration, and from the networks that the trusted
 * sides' addresses are in on this machine. */
MUST_CHECK int leaks_create(const struct config *config, struct leaks **out);
/* Another configuration of the same interfaces; what was counted stays. On failure (memory) the old
 * words are looked for. */
MUST_CHECK int leaks_reload(struct leaks *leaks, const struct config *config);
void leaks_destroy(struct leaks *leaks); /* NULL is fine */
/* May this message go to `remote` by this interface? */
bool leaks_may_leave(struct leaks *leaks, uint16_t interface, const struct addr *remote,
		     struct slice message, uint64_t now_ms);
const struct leak_counters *leaks_counters(const struct leaks *leaks);
/* Newest first; NULL past the end. */
const struct leak_sample *leaks_sample(const struct leaks *leaks, uint32_t index);
