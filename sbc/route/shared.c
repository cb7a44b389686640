/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/shared.h"
#include <stdlib.h>

int shared_create(const struct config *config, struct shared **out)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	size_t servers = 0;
	if (!shared)
		return -ERR_NO_MEMORY;

	for (size_t i = 0; i < config->peer_count; i++)
		servers += config->peers[i].server_count;
	shared->calls = calloc(config->interface_count + 1, sizeof(*shared->calls));
	shared->servers = calloc(servers + 1, sizeof(*shared->servers));
	if (!shared->calls || !shared->servers) {
		shared_destroy(shared);
		return -ERR_NO_MEMORY;
	}
	*out = shared;
	return 0;
}

void shared_destroy(struct shared *shared)
{
	if (!shared)
		return;
	free(shared->calls);
	free(shared->servers);
	free(shared);
}
