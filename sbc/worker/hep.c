/* Copies of what comes and goes, for a collector. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/internal.h"

#include <time.h>

int worker_set_hep(struct worker *worker, const struct config_stats *stats)
{
	struct hep *hep = NULL;

	if (addr_is_set(&stats->hep.to)) {
		int err = hep_create(&stats->hep.to, stats->hep.id, &hep);
		if (err)
			return err;
	}
	hep_destroy(worker->hep);
	worker->hep = hep;
	return 0;
}

static uint64_t wall_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void copy(const struct worker *worker, const struct transport_path *path, bool is_out,
		 struct slice bytes)
{
	const struct transport_listener *listener =
		transport_listener(worker->transport, path->listener);
	struct hep_message message = {
		.wall_us = wall_us(),
		.is_stream = path->transport != SIP_UDP,
		.from = is_out ? listener->address : path->remote,
		.to = is_out ? path->remote : listener->address,
		.bytes = bytes,
	};

	hep_copy(worker->hep, &message);
}

void worker_copy_in(const struct worker *worker, const struct transport_message *message)
{
	/* Less is a keep-alive (RFC 5626 3.5.1). */
	if (message->len > 4)
		copy(worker, &message->path, false, (struct slice){message->data, message->len});
}

void worker_copy_out(const struct worker *worker, const struct transport_path *path,
		     struct slice bytes)
{
	copy(worker, path, true, bytes);
}
