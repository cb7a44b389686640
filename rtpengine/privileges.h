/* privileges.h - from root to nobody in particular, once everything is open.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include "control/base/err.h"

/* Become `user` in every thread, keeping CAP_NET_ADMIN in the calling one: it refreshes the
 * kernel's neighbours and takes the packet filter off the devices at the end (datapath.h). "root"
 * stays. Not being root is no error: there is nothing to drop. On error `why` holds the cause and
 * the cure. */
MUST_CHECK int privileges_drop(const char *user, char *why, size_t size);
/* Give `user` a folder (made if it is missing), so that sockets in it can be removed at the end. */
void privileges_give_folder(const char *user, const char *socket_path);
/* And a socket that is there. */
void privileges_give_socket(const char *user, const char *path);
