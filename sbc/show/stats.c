/* stats.c - `show stats`: every counter, and what is held right now, for leak tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include "sbc/cdr/cdr_file.h"
#include "sbc/route/shared.h"
#include "sbc/show/part.h"

static json_t *call_counters(const struct core *core)
{
	const struct call_counters *counters = &core->calls->counters;
	json_t *object = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_CALL_COUNTER(X)
#undef X
	return object;
}

static json_t *registrar_counters_object(const struct core *core)
{
	const struct registrar_counters *counters = registrar_counters(core->registrar);
	json_t *object = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_REGISTRAR_COUNTER(X)
#undef X
	return object;
}

static json_t *subscription_counters_object(const struct core *core)
{
	const struct subscription_counters *counters = subscriptions_counters(core->subscriptions);
	json_t *object = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_SUBSCRIPTION_COUNTER(X)
#undef X
	return object;
}

static json_t *leak_counters_object(const struct core *core)
{
	const struct leak_counters *counters = leaks_counters(core->leaks);
	json_t *object = json_object();

	json_put_number(object, "checked", counter_get(&counters->checked));
	json_put_number(object, "bytes", counter_get(&counters->bytes));
	json_put_number(object, "found", counter_get(&counters->found));
	json_put_number(object, "blocked", counter_get(&counters->blocked));
	return object;
}

static json_t *dns_counters_object(const struct core *core)
{
	const struct dns_counters *counters = dns_counters(core->worker->dns);
	json_t *object = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_DNS_COUNTER(X)
#undef X
	return object;
}

static json_t *media_counters_object(const struct core *core)
{
	const struct media_counters *counters = media_counters(core->calls->media);
	json_t *object = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_MEDIA_COUNTER(X)
#undef X
	return object;
}

static json_t *transaction_counters_object(const struct core *core)
{
	const struct transaction_counters *counters =
		transactions_counters(core->worker->transactions);
	json_t *object = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_TRANSACTION_COUNTER(X)
#undef X
	return object;
}

static json_t *message_counters_object(const struct core *core)
{
	const struct worker_counters *counters = &core->worker->counters;
	const struct counter *guard = guard_counters(core->worker->guard);
	json_t *object = json_object();
	json_t *drops = json_object();

#define X(name, text) json_put_number(object, #name, counter_get(&counters->name));
	FOREACH_WORKER_COUNTER(X)
#undef X
	for (int i = SCAN_DROP_NONE + 1; i < SCAN_DROP_COUNT; i++)
		json_put_number(drops, scan_drop_text((enum scan_drop)i),
				counter_get(&counters->scan_drops[i]));
	for (int i = GUARD_PASS + 1; i < GUARD_VERDICT_COUNT; i++)
		json_put_number(drops, guard_verdict_text((enum guard_verdict)i),
				counter_get(&guard[i]));
	json_put(object, "drops", drops);
	return object;
}

static json_t *store_object(const struct core *core)
{
	struct store_status status;
	json_t *object = json_object();

	store_status(core->store, &status);
	json_put_text(object, "kind", status.kind);
	json_put_text(object, "state", store_state_text(status.state)); /* of the first worker */
	json_put_number(object, "workers_away", status.state != STORE_UP);
	json_put_text(object, "server", status.server);
	json_put_text(object, "reason", status.reason);
	json_put_number(object, "pending", status.pending);
	json_put_number(object, "commands", status.commands);
	json_put_number(object, "puts", status.puts);
	json_put_number(object, "gets", status.gets);
	json_put_number(object, "deletes", status.deletes);
	json_put_number(object, "takes", status.takes);
	json_put_number(object, "denied", status.denied);
	json_put_number(object, "refused", status.refused);
	json_put_number(object, "acknowledged", status.acknowledged);
	json_put_number(object, "late", status.late);
	json_put_number(object, "unprotected", status.unprotected);
	json_put_number(object, "timeouts", status.timeouts);
	json_put_number(object, "errors", status.errors);
	json_put_number(object, "connects", status.connects);
	json_put_number(object, "entries", status.entries);
	json_put_number(object, "bytes", status.bytes);
	return object;
}

static uint64_t open_files(void)
{
	uint64_t count = 0;
	DIR *dir = opendir("/proc/self/fd");

	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count > 3 ? count - 3 : 0; /* ".", ".." and this one */
}

/* What must be back at its start when the last call is gone. */
static json_t *held_object(const struct core *core)
{
	const struct worker *worker = core->worker;
	json_t *object = json_object();

	json_put_number(object, "calls", core->calls->by_number.count);
	json_put_number(object, "calls_unprotected", core->calls->unprotected);
	json_put_number(object, "transactions",
			counter_get(&transactions_counters(worker->transactions)->live));
	json_put_number(object, "timers", wheel_armed(worker->wheel));
	json_put_number(object, "registrations", registrar_bindings(core->registrar)->ids.count);
	json_put_number(object, "registers_pending", registrar_pending(core->registrar));
	json_put_number(object, "subscriptions", subscriptions_count(core->subscriptions));
	json_put_number(object, "requests_pending", subscriptions_pending(core->subscriptions));
	/* of the process: said by one worker */
	json_put_number(object, "files", worker->index == 0 ? open_files() : 0);
	return object;
}

/* Where they are configured: copies to a collector, and the file of call detail records, which is
 * one for all workers. */
static void put_exports(const struct core *core, json_t *object)
{
	const struct worker *worker = core->worker;
	const struct shared *shared = worker->shared;
	struct cdr_file_counts cdr;

	if (worker->hep) {
		json_t *hep = json_object();
		json_put_number(hep, "sent", counter_get(&hep_counters(worker->hep)->sent));
		json_put_number(hep, "dropped", counter_get(&hep_counters(worker->hep)->dropped));
		json_put_number(hep, "refused", counter_get(&hep_counters(worker->hep)->refused));
		json_put(object, "hep", hep);
	}
	if (shared && shared->cdr && worker->index == 0) {
		json_t *lines = json_object();
		cdr_file_counts(shared->cdr, &cdr);
		json_put_number(lines, "written", cdr.written);
		json_put_number(lines, "lost", cdr.lost);
		json_put(object, "cdr", lines);
	}
}

void part_stats(struct part *part, struct core *core)
{
	json_t *object = json_object();

	json_put(object, "held", held_object(core));
	json_put(object, "calls", call_counters(core));
	json_put(object, "registrations", registrar_counters_object(core));
	json_put(object, "subscriptions", subscription_counters_object(core));
	json_put(object, "leaks", leak_counters_object(core));
	json_put(object, "dns", dns_counters_object(core));
	json_put(object, "media", media_counters_object(core));
	json_put(object, "messages", message_counters_object(core));
	json_put(object, "transactions", transaction_counters_object(core));
	json_put(object, "store", store_object(core));
	put_exports(core, object);
	part_done(part, object);
}
