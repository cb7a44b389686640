/* keepalive.h - what keeps a NAT open between us and a registered phone (founding scenario N15). A
 * phone behind NAT that has been silent for as long as its NAT is known to bear is asked by OPTIONS
 * (UDP) or sent two line ends (RFC 5626 3.5.1, connections). A phone that refreshes more often than
 * that is sent nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/binding.h"

struct keepalives;
struct registrar_counters;

MUST_CHECK int keepalives_create(struct worker *worker, struct registrar_counters *counters,
				 struct keepalives **out);
void keepalives_reload(struct keepalives *keepalives); /* worker->config is another one */
void keepalives_stop(struct keepalives *keepalives);
void keepalives_destroy(struct keepalives *keepalives); /* after the bindings; NULL is fine */
/* A binding was made or refreshed, or is going. */
void keepalives_follow(struct keepalives *keepalives, struct binding *binding, bool is_going);
/* The headers of an OPTIONS to it, below Via. */
void keepalive_write(const struct worker *worker, const struct binding *binding, struct buf *out);
/* How long the NAT at this address is known to bear silence. */
uint32_t keepalives_interval_ms(const struct keepalives *keepalives, const struct binding *binding);
