/* names.h - dialogs of one side named to the other: a dialog that is none of ours is concealed on
 * its way out and revealed on its way in; its tags are random and tell nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/topology/bodies.h"
#include "sbc/topology/conceal.h"

/* For bodies_rewrite(); `key` must outlive it. */
struct body_names names_for(const struct conceal_key *key, const struct crossing *crossing);
