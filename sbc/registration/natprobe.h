/* natprobe.h - how long the NATs in front of phones bear silence. Known per address of a NAT, for
 * all phones behind it; found out on a mapping that nothing depends on.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/binding.h"

struct natprobes;

MUST_CHECK int natprobes_create(struct worker *worker, struct natprobes **out);
void natprobes_reload(struct natprobes *probes); /* sides have come and gone */
void natprobes_stop(struct natprobes *probes);
void natprobes_destroy(struct natprobes *probes); /* NULL is fine */
/* Between nat.minimum and nat.maximum. */
uint32_t natprobes_interval_ms(const struct natprobes *probes, const struct transport_path *path);
/* A keep-alive of this phone is due: open a mapping to try more with, unless one is being tried. */
void natprobes_try(struct natprobes *probes, const struct binding *binding);
/* A keep-alive after such a silence was not answered: less is borne than was thought. */
void natprobes_lost(struct natprobes *probes, const struct transport_path *path);
