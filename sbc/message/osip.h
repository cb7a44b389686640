/* osip.h - libosip2 as a second reader of the headers that route a message. Private to message: the
 * one includer of the library in production code. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/arena.h"
#include "sbc/message/scan.h"

MUST_CHECK int osip_reader_init(void);
/* 0: it parses, and reads method, Request-URI or status, Call-ID, CSeq, tags and branch as the
 * pre-scanner does. -ERR_MALFORMED when it refuses or disagrees: where two readers differ, somebody
 * behind us may be made to see another message. */
MUST_CHECK int osip_reader_agrees(const struct scan *scan, struct arena *arena);
