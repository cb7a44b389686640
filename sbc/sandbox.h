/* sandbox.h - what the signalling process may still ask of the kernel once it serves: seccomp(2).
 * The list is in sandbox.c. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "control/base/err.h"

/* For this thread and all that it starts from here on; it cannot be taken back. What starts another
 * program or reaches into another process ends ours (SIGSYS); any other call that is not listed,
 * and a socket that is neither of the internet, Unix nor netlink, gets ENOSYS. -ERR_DENIED: the
 * kernel does not do it; `why` says so for people. */
MUST_CHECK int sandbox_enter(char *why, size_t size);
