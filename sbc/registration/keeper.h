/* keeper.h - keeps locations of phones beyond the process: the workers hand changes over, a thread
 * writes them, many at once. With `at-once` the phone's 200 waits for that, by handle; with
 * `periodically` what has changed is written every now and then.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/registry.h"

struct keeper;

bool keeper_is_wanted(const struct config *config);
MUST_CHECK int keeper_create(const struct registry_config *config, struct buf *why,
			     struct keeper **out);
MUST_CHECK int keeper_run(struct keeper *keeper);
void keeper_stop(struct keeper *keeper);    /* writes what is left */
void keeper_destroy(struct keeper *keeper); /* NULL is fine */

struct keeper_job {
	struct worker *worker; /* told when it is done */
	uint64_t number;       /* its handle there; 0 = nobody waits */
	bool at_once;
	bool is_removal;
	struct slice name; /* all copied */
	struct slice value;
};
/* In the worker's thread: what it waited for is written, or (`err`) is not. */
typedef void keeper_done_fn(void *owner, uint64_t number, int err);
void keeper_on_done(struct keeper *keeper, uint8_t worker, keeper_done_fn *fn, void *owner);
/* -ERR_AGAIN: too much is waiting; it is not kept. */
MUST_CHECK int keeper_give(struct keeper *keeper, const struct keeper_job *job);
/* What was kept, before any thread runs. */
typedef int keeper_fn(void *owner, struct slice name, struct slice value);
MUST_CHECK int keeper_each(struct keeper *keeper, keeper_fn *fn, void *owner);
