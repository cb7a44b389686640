/* core.h - the upper half of one worker: what stands behind its transactions.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/call/call.h"
#include "sbc/dns/channel.h"
#include "sbc/subscription/subscription.h"
#include "sbc/topology/leak.h"

struct core {
	struct worker *worker;
	struct dns_channel *dns;
	struct peers *peers;
	struct registrar *registrar;
	struct trunks *trunks;
	struct store *store;
	struct limits *limits;
	struct calls *calls;
	/* of worker 0, when the store outlives the process */
	struct neighbours *neighbours;
	struct loading *loading;
	struct leaks *leaks;
	struct conceal_key conceal;
	struct subscriptions *subscriptions;
};

/* For workers_create(). */
struct worker_handlers core_handlers(void);
/* From any thread: calls that this worker has. */
uint64_t core_calls(const struct core *core);
/* The same: another process here begins soon. Who connects now is its; an INVITE is refused where
 * nobody would send it again. */
void core_yield(struct core *core);
/* The same: the process ends soon, and what it has in the store is for other nodes. */
void core_leave(struct core *core);
/* core_store.c: the store that the configuration names, sealed with its key. */
MUST_CHECK int core_open_store(struct worker *worker, struct store **out);
/* Commands are posted as these; the worker calls run() with its core. */
struct core_command {
	void (*run)(struct core_command *command, struct core *core);
};
