/* show.h - answers the stats socket of postern-sbc: asks the workers by ring, puts their parts
 * together, all without making a worker wait. Lives in the main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/loop.h"
#include "sbc/worker/worker.h"

struct show;

struct drain_order {
	bool ends;       /* the program does, when the last call has ended or the time is over */
	bool hands_over; /* at once, without a word: other nodes have the store */
	uint32_t within_s;
};

struct show_config {
	struct loop *loop; /* of the main thread; its wake-up is ours */
	const struct log *log;
	const struct config *config;
	struct workers *workers;
	/* Read the file again, in the main thread; `said` tells what changes, or what is wrong. */
	int (*reload)(void *owner, struct buf *said);
	/* No new calls from now on; `order`: what becomes of those that are there. */
	void (*drain)(void *owner, const struct drain_order *order);
	void (*undrain)(void *owner);
	void (*upgrade)(void *owner);
	int (*upgrade_run)(void *owner); /* of who started us; -ERR_NOT_FOUND: nobody did */
	/* -1 = it does not drain; else the calls that are left. */
	int64_t (*draining)(void *owner);
	void *owner;
};

/* Opens the socket. Errors are those of stats_server_create(). */
MUST_CHECK int show_create(const struct show_config *config, struct show **out);
void show_reload(struct show *show, const struct config *config); /* another one is in force */
void show_destroy(struct show *show); /* after the workers have ended; NULL is fine */
