/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/shares.h"
#include <stdlib.h>
#include "control/state/keys.h"
#include "sbc/route/shared.h"

/* What another node said of a peer; not `is_said`: it has no call there. */
struct share {
	uint32_t calls;
	uint32_t share;
	bool is_said;
};

struct shares {
	const struct worker *worker;
	struct shared *shared;
	bool lives[NODE_NUMBER_MAX + 1];         /* or may: the others */
	struct share *said[NODE_NUMBER_MAX + 1]; /* owned; by peer; NULL = nothing yet */
	uint32_t next_peer;                      /* they come in one order */
};

void shares_destroy(struct shares *shares)
{
	if (!shares)
		return;
	for (uint16_t node = 0; node <= NODE_NUMBER_MAX; node++)
		free(shares->said[node]);
	free(shares);
}

/* --- ours --- */

struct sum {
	uint32_t calls;  /* of the others */
	uint32_t shares; /* likewise */
	bool is_busiest; /* we have the most calls: what cannot be divided is ours */
};

static uint32_t count_nodes(const struct shares *shares)
{
	uint32_t nodes = 1;

	for (uint16_t node = 1; node <= NODE_NUMBER_MAX; node++)
		nodes += shares->lives[node];
	return nodes;
}

/* About a half of what is free is nobody's: what is known of the others is a second old, and each
 * may have begun calls since. */
static uint32_t part_of(uint32_t free, uint32_t nodes)
{
	return free / (2 * nodes - 1);
}

static struct sum sum_up(const struct shares *shares, uint32_t peer, uint32_t idle, uint32_t own)
{
	struct sum sum = {.is_busiest = true};

	for (uint16_t node = 1; node <= NODE_NUMBER_MAX; node++) {
		const struct share *said = shares->said[node] ? &shares->said[node][peer] : NULL;
		if (!shares->lives[node])
			continue;
		uint32_t calls = said && said->is_said ? said->calls : 0;
		sum.calls += calls;
		sum.shares += said && said->is_said ? said->share : idle;
		if (calls > own || (calls == own && node < shares->worker->node))
			sum.is_busiest = false;
	}
	return sum;
}

static uint32_t share_of(const struct shares *shares, uint32_t peer, uint32_t limit, uint32_t nodes,
			 uint32_t own)
{
	struct sum sum = sum_up(shares, peer, part_of(limit, nodes), own);
	uint32_t used = sum.calls + own;
	uint32_t free = used < limit ? limit - used : 0;
	uint32_t part = part_of(free, nodes);
	uint32_t left = sum.shares < limit ? limit - sum.shares : 0;

	if (part == 0 && sum.is_busiest)
		part = free;
	/* Whose calls were taken over has more than its share; they are not ended for that. */
	return own + part < left ? own + part : left;
}

void shares_beat(struct shares *shares, struct buf *lines)
{
	const struct config *config = shares->worker->config;
	uint32_t nodes = count_nodes(shares);

	for (uint32_t i = 0; i < config->peer_count; i++) {
		struct shared_peer *peer = &shares->shared->peers[i];
		uint32_t limit = config->peers[i].limits.calls;
		uint32_t own = atomic_load(&peer->calls);
		if (limit == 0 || config->peers[i].retired)
			continue;
		uint32_t share = share_of(shares, i, limit, nodes, own);
		atomic_store(&peer->others, limit - share);
		if (own > 0 || share != part_of(limit, nodes))
			buf_printf(lines, "p %u %u %s\n", own, share, config->peers[i].name);
	}
}

int shares_create(const struct worker *worker, struct shared *shared, const struct cluster *cluster,
		  struct shares **out)
{
	struct shares *shares = calloc(1, sizeof(*shares));
	struct buf unsaid;

	if (!shares)
		return -ERR_NO_MEMORY;
	shares->worker = worker;
	shares->shared = shared;
	for (uint16_t node = 1; node <= NODE_NUMBER_MAX; node++)
		shares->lives[node] = cluster->is_member[node] && node != worker->node;
	buf_init(&unsaid);
	shares_beat(shares,
		    &unsaid); /* what the others may have is not ours before they are heard */
	buf_free(&unsaid);
	*out = shares;
	return 0;
}

/* --- theirs --- */

void shares_heard(struct shares *shares, uint16_t node)
{
	if (node == 0 || node > NODE_NUMBER_MAX)
		return;
	shares->lives[node] = true;
	shares->next_peer = 0;
	if (shares->said[node])
		memset(shares->said[node], 0,
		       shares->shared->peer_room * sizeof(*shares->said[node]));
}

static bool find_peer(struct shares *shares, struct slice name, uint32_t *out)
{
	const struct config *config = shares->worker->config;

	for (size_t i = 0; i < config->peer_count; i++) {
		uint32_t at = (uint32_t)((shares->next_peer + i) % config->peer_count);
		if (config->peers[at].retired ||
		    !slice_equal(slice_from(config->peers[at].name), name))
			continue;
		shares->next_peer = at + 1;
		*out = at;
		return true;
	}
	return false;
}

void shares_told(struct shares *shares, uint16_t node, struct slice line)
{
	struct slice calls, share, name;
	struct share said = {.is_said = true};
	uint32_t peer;

	if (node == 0 || node > NODE_NUMBER_MAX || !slice_next_word(&line, &calls) ||
	    !slice_next_word(&line, &share) || !slice_next_word(&line, &name) ||
	    slice_to_u32(calls, INT32_MAX, &said.calls) != 0 ||
	    slice_to_u32(share, INT32_MAX, &said.share) != 0 || !find_peer(shares, name, &peer))
		return; /* of a later version, or another configuration */
	if (!shares->said[node])
		shares->said[node] = calloc(shares->shared->peer_room, sizeof(*shares->said[node]));
	if (shares->said[node])
		shares->said[node][peer] = said;
}

void shares_node_lost(struct shares *shares, uint16_t node)
{
	if (node == 0 || node > NODE_NUMBER_MAX)
		return;
	shares->lives[node] = false;
	free(shares->said[node]);
	shares->said[node] = NULL;
}
