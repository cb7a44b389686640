/* scan_head.h - the two halves of the pre-scanner: scan.c cuts the message up, scan_check.c looks
 * at what was found. Private to message. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/scan.h"

/* The first fault decides the answer. */
void scan_refuse(struct scan *scan, uint16_t code, const char *reason);
/* The headers that have a grammar, ranges or a count; needs the whole index. */
void scan_check_headers(struct scan *scan);
/* No more parameters (or headers) in a URI or value than are taken. */
bool scan_parameters_are_few(struct slice value);
/* Content-Length against what is there; a multipart body's own headers. */
void scan_check_body(struct scan *scan, struct slice rest, const struct scan_limits *limits);
