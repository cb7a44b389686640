/* number.h - does a dialled user match a pattern of a route?
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

/* A pattern is literal ("112"), or ends in '*' for any rest ("+33*", "*" alone for everything).
 * Visual separators of a telephone number (RFC 3966: - . ( )) are ignored on the number's side. */
bool number_matches(struct slice pattern, struct slice number);
