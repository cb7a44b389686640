/* show.h - answers the stats socket of postern-sbc: asks the workers by ring, puts their parts
 * together, all without making a worker wait. Lives in the main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/base/loop.h"
#include "sbc/worker/worker.h"

struct show;

struct show_config {
	struct loop *loop; /* of the main thread; its wake-up is ours */
	const struct log *log;
	const struct config *config;
	struct workers *workers;
	/* Read the file again, in the main thread; `said` tells what changes, or what is wrong. */
	int (*reload)(void *owner, struct buf *said);
	void *owner;
};

/* Opens the socket. Errors are those of stats_server_create(). */
MUST_CHECK int show_create(const struct show_config *config, struct show **out);
void show_reload(struct show *show, const struct config *config); /* another one is in force */
void show_destroy(struct show *show); /* after the workers have ended; NULL is fine */
