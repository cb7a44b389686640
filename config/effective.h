/* effective.h - every resulting value with where it comes from: file:line, the interface's role,
 * the machine, or the default. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"

/* As YAML, the origin behind each value. `config` is one that config_load() returned. */
void config_show_effective(const struct config *config, struct buf *out);
