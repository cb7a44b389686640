/* rules.h - what the operator says of headers: per interface and peer, in what comes from there and
 * what leaves by there. Never of those we make ourselves (RULE_OURS): the check refuses them.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"

struct crossing;

/* The peer's where there is one (-1 = none), else the interface's. */
const struct config_headers *rules_of(const struct config *config, uint16_t interface, int peer);
/* `crosses`: what the policy says of it. */
bool rules_let_cross(const struct crossing *crossing, struct slice name, bool crosses);
/* The headers that rules set, whole lines. */
void rules_write(const struct crossing *crossing, bool hides_user, struct buf *out);
