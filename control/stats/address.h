/* address.h - private to control/stats: a socket's path as address.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/un.h>
#include "control/base/err.h"

/* -ERR_TOO_LARGE when it does not fit, -ERR_INVALID when empty. */
MUST_CHECK int stats_address(const char *path, struct sockaddr_un *out);
