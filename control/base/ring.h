/* ring.h - bounded lock-free queue of pointers, many producers, one consumer: how workers hand
 * messages to each other and to the main thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "control/base/err.h"

struct ring;

MUST_CHECK int ring_create(uint32_t size, struct ring **out); /* size: a power of two */
void ring_destroy(struct ring *ring);                         /* what is queued is not freed */
bool ring_push(struct ring *ring, void *item);                /* any thread; false = full */
void *ring_pop(struct ring *ring);                            /* consumer only; NULL = empty */
