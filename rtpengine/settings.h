/* settings.h - what the control thread is told of the configuration, at the start and again when
 * the file has been read anew. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "rtpengine/session/sessions.h"

/* For sessions_create() and sessions_set_policies(); malloc'd, NULL without memory. */
struct session_interface *settings_interfaces(const struct config *config);
struct limits_config settings_limits(const struct config *config);
/* Who may command us: this host, and the servers of peers on trusted interfaces. Malloc'd. */
MUST_CHECK int settings_allowed(const struct config *config, struct cidr **out, unsigned *count);
