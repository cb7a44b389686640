/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/core.h"
#include <stdlib.h>
#include "control/state/keys.h"
#include "sbc/call/neighbours.h"
#include "sbc/call/takeover.h"
#include "sbc/registration/trunk.h"
#include "sbc/route/locate.h"
#include "sbc/route/refuse.h"
#include "sbc/route/shared.h"

static void on_empty(void *owner)
{
	struct core *core = owner;
	worker_finish(core->worker);
}

static enum limit_source who_registers(const struct core *core, const struct message *request,
				       const struct transport_path *path)
{
	if (worker_peer_of(core->worker, path) >= 0)
		return LIMIT_PEER;
	return registrar_caller(core->registrar, message_to(request)->uri, path) ? LIMIT_PHONE
										 : LIMIT_STRANGER;
}

/* Rates are for those who are not known: a registered phone, known by its address and name,
 * refreshes when it must, however many share the address. */
static bool may_register(const struct core *core, const struct message *request,
			 const struct transport_path *path)
{
	enum limit_source who = who_registers(core, request, path);

	return who == LIMIT_PHONE || limits_take(core->limits, LIMIT_REGISTER, path, who, -1,
						 wheel_now_ms(core->worker->wheel)) == 0;
}

static const struct config_security *rules_of_side(const struct core *core,
						   const struct transport_path *path)
{
	return &core->worker->config->interfaces[path->interface].security;
}

/* security.methods of the side it came by. What we do not know is refused anyway. */
static bool takes_method(const struct core *core, const struct message *request,
			 const struct transport_path *path)
{
	const struct config_security *rules = rules_of_side(core, path);
	enum method method = message_method(request);

	if (rules->method_count == 0 || method == METHOD_UNKNOWN)
		return true;
	for (size_t i = 0; i < rules->method_count; i++)
		if (slice_equal(method_text(method), slice_from(rules->methods[i])))
			return true;
	return false;
}

/* Who is not known gets no answer, but to what strangers may ask. */
static bool is_stranger(const struct core *core, const struct message *request,
			const struct transport_path *path)
{
	enum method method = message_method(request);

	return !core->worker->config->interfaces[path->interface].trusted &&
	       method != METHOD_REGISTER && method != METHOD_OPTIONS &&
	       worker_peer_of(core->worker, path) < 0 &&
	       !registrar_caller(core->registrar, message_from(request)->uri, path);
}

static void refuse_method(struct core *core, struct transaction_handle handle,
			  const struct message *request, const struct transport_path *path)
{
	const struct config_security *rules = rules_of_side(core, path);
	struct buf allow;

	if (is_stranger(core, request, path)) {
		refuse_silently(core->worker, handle);
		return;
	}
	buf_init(&allow);
	for (size_t i = 0; i < rules->method_count; i++)
		buf_printf(&allow, "%s%s", i ? ", " : "Allow: ", rules->methods[i]);
	buf_add_text(&allow, "\r\n");
	refuse(core->worker, handle, request, path, 405,
	       buf_failed(&allow) ? SLICE_NONE : buf_slice(&allow));
	buf_free(&allow);
}

/* Before the reload that took its interface away. */
static bool was_peer(const struct core *core, const struct transport_path *path)
{
	const struct config *config = core->worker->config;

	for (size_t i = 0; i < config->peer_count; i++) {
		const struct config_peer *peer = &config->peers[i];
		for (size_t k = 0;
		     peer->retired && peer->interface == path->interface && k < peer->server_count;
		     k++)
			if (addr_equal_ip(&peer->servers[k].addr, &path->remote))
				return true;
	}
	return false;
}

/* A reload took its listener away: what is there goes on, nothing begins. */
static void refuse_new(struct core *core, struct transaction_handle handle,
		       const struct message *request, const struct transport_path *path)
{
	if (is_stranger(core, request, path) && !was_peer(core, path))
		refuse_silently(core->worker, handle);
	else
		refuse(core->worker, handle, request, path, 503, SLICE("Retry-After: 10\r\n"));
}

static void on_request(void *owner, struct transaction_handle handle, const struct message *request,
		       const struct transport_path *path)
{
	struct core *core = owner;

	/* An ACK has no transaction, and no answer. */
	if (handle.id && !takes_method(core, request, path)) {
		refuse_method(core, handle, request, path);
		return;
	}
	if (handle.id && message_to_tag(request).len == 0 &&
	    transport_is_draining(core->worker->transport, path->listener)) {
		refuse_new(core, handle, request, path);
		return;
	}
	/* Of an INVITE calls_receive() asks. */
	if (message_method(request) == METHOD_REFER &&
	    refer_waits(core->calls, handle, request, path))
		return;
	if (subscriptions_receive(core->subscriptions, handle, request, path))
		return;
	if (message_method(request) != METHOD_REGISTER)
		calls_receive(core->calls, handle, request, path);
	else if (!may_register(core, request, path))
		registrar_refuse_limited(core->registrar, handle, request, path);
	else
		registrar_receive(core->registrar, handle, request, path);
}

/* Without an answer it comes again, to the next process; over a connection it does not, and that
 * one ends with us. */
static void leave_invite(struct core *core, struct transaction_handle handle,
			 const struct message *request, const struct transport_path *path)
{
	if (sip_transport_is_reliable((enum sip_transport)path->transport))
		refuse(core->worker, handle, request, path, 503, SLICE("Retry-After: 1\r\n"));
	else
		refuse_silently(core->worker, handle);
}

/* From the worker. */
static void on_first_request(void *owner, struct transaction_handle handle,
			     const struct message *request, const struct transport_path *path)
{
	struct core *core = owner;
	const struct shared *shared = core->worker->shared;

	if (shared && atomic_load(&shared->is_leaving) &&
	    message_method(request) == METHOD_INVITE && message_to_tag(request).len == 0) {
		leave_invite(core, handle, request, path);
		return;
	}
	if (!takeover_holds(core->calls, handle, request, path))
		on_request(core, handle, request, path);
}

static void on_cancel(void *owner, struct transaction_handle handle, const struct message *cancel)
{
	struct core *core = owner;

	if (!takeover_cancelled(core->calls, handle))
		calls_cancelled(core->calls, handle, cancel);
}

static bool on_unknown_cancel(void *owner, const struct scan *cancel,
			      const struct transport_path *path)
{
	struct core *core = owner;
	return takeover_cancel(core->calls, cancel, path);
}

static void on_server_failure(void *owner, struct transaction_handle handle, int err)
{
	struct core *core = owner;
	calls_server_failed(core->calls, handle, err);
}

static void on_orphan_response(void *owner, const struct message *response,
			       const struct transport_path *path)
{
	struct core *core = owner;
	calls_stray(core->calls, response, path);
}

static void on_store_return(void *owner, bool all)
{
	struct core *core = owner;
	struct shared *shared = core->worker->shared;

	if (all && shared)
		atomic_store(&shared->is_wiped, true);
	calls_store_returned(core->calls, all);
	subscriptions_store_returned(core->subscriptions, all);
	trunks_store_returned(core->trunks);
	registrar_store_returned(core->registrar);
}

/* Do the store, and the keys of what is in it, outlive the process? */
static bool is_lasting(const struct worker *worker)
{
	const struct shared *shared = worker->shared;

	return worker->config->state.store != CONFIG_STORE_MEMORY && shared && shared->cluster &&
	       shared->cluster->is_lasting;
}

/* Worker 0 sees to what concerns the whole node. */
static int create_nodes(struct core *core)
{
	int err = loading_create(core, &core->loading);
	return err ? err : neighbours_create(core, &core->neighbours);
}

static int create_dns(struct core *core)
{
	struct worker *worker = core->worker;
	const struct config_dns *dns = &worker->config->dns;
	struct dns_channel_config config = {.loop = worker->loop,
					    .random = worker->random,
					    .servers = dns->servers,
					    .server_count = dns->server_count,
					    .timeout_ms = dns->timeout_ms,
					    .cache_max_ms = dns->cache_max_ms};

	int err = dns_channel_create(&config, &core->dns);
	if (!err)
		worker->dns = dns_channel_resolver(core->dns);
	return err;
}

static void core_destroy(void *owner)
{
	struct core *core = owner;

	neighbours_destroy(core->neighbours);
	loading_destroy(core->loading);
	calls_destroy(core->calls);
	subscriptions_destroy(core->subscriptions);
	trunks_destroy(core->trunks);
	registrar_destroy(core->registrar);
	peers_destroy(core->peers);
	dns_channel_destroy(core->dns);
	limits_destroy(core->limits);
	store_destroy(core->store);
	leaks_destroy(core->leaks);
	free(core);
}

static int map_refer_to(void *owner, const struct crossing *crossing, struct slice value,
			struct buf *out)
{
	const struct core *core = owner;
	return refer_map_to(core->calls, crossing, value, out);
}

static int core_start(struct worker *worker, void **out)
{
	struct core *core = calloc(1, sizeof(*core));
	if (!core)
		return -ERR_NO_MEMORY;

	core->worker = worker;
	const struct shared *shared = worker->shared;
	int err = core_open_store(worker, &core->store);
	if (!err)
		err = leaks_create(worker->config, &core->leaks);
	if (!err)
		err = limits_create(worker, &core->limits);
	if (!err)
		err = create_dns(core);
	if (!err)
		err = peers_create(worker, &core->peers);
	struct registrar_config registrar = {.worker = worker,
					     .peers = core->peers,
					     .registry = shared ? shared->registry : NULL,
					     .store = is_lasting(worker) ? core->store : NULL};
	if (!err)
		err = registrar_create(&registrar, &core->registrar);
	struct trunks_config trunks = {.worker = worker,
				       .peers = core->peers,
				       .store = is_lasting(worker) ? core->store : NULL};
	if (!err)
		err = trunks_create(&trunks, &core->trunks);
	conceal_key_derive(worker->token_key->mac, worker->token_key->cipher, &core->conceal);
	struct subscriptions_config subscriptions = {.worker = worker,
						     .peers = core->peers,
						     .registrar = core->registrar,
						     .conceal = &core->conceal,
						     .store = is_lasting(worker) ? core->store
										 : NULL,
						     .on_taken = neighbours_took_subscription,
						     .map_refer_to = map_refer_to,
						     .owner = core};
	if (!err)
		err = subscriptions_create(&subscriptions, &core->subscriptions);
	struct calls_config calls = {.worker = worker,
				     .peers = core->peers,
				     .registrar = core->registrar,
				     .store = core->store,
				     .limits = core->limits,
				     .conceal = &core->conceal,
				     .is_lasting = is_lasting(worker),
				     .again = on_request,
				     .on_taken = neighbours_took_call,
				     .on_empty = on_empty,
				     .owner = core};
	if (!err)
		err = calls_create(&calls, &core->calls);
	if (!err)
		store_on_return(core->store, on_store_return, core);
	if (!err && calls.is_lasting && worker->index == 0)
		err = create_nodes(core);
	if (err) {
		core_destroy(core);
		return err;
	}
	*out = core;
	return 0;
}

uint64_t core_calls(const struct core *core)
{
	return counter_get(&core->calls->counters.live);
}

static void on_yield(void *owner, uint64_t number, int err)
{
	const struct core *core = owner;
	(void)number, (void)err;

	transport_stop_accepting(core->worker->transport);
}

void core_yield(struct core *core)
{
	if (worker_run(core->worker, on_yield, core, 0, 0) != 0)
		log_debug(core->worker->log, "upgrade.not_told", NULL);
}

static void on_leave(void *owner, uint64_t number, int err)
{
	const struct core *core = owner;
	(void)number, (void)err;

	neighbours_leave(core->neighbours);
}

void core_leave(struct core *core)
{
	if (worker_run(core->worker, on_leave, core, 0, 0) != 0)
		log_debug(core->worker->log, "node.not_told", NULL);
}

static void on_stop(void *owner)
{
	struct core *core = owner;

	peers_stop(core->peers);
	registrar_stop(core->registrar);
	trunks_stop(core->trunks);
	calls_stop(core->calls);
}

static void on_flow_closed(void *owner, uint64_t connection)
{
	struct core *core = owner;

	registrar_flow_closed(core->registrar, connection);
}

static void on_command(void *owner, void *posted)
{
	struct core_command *command = posted;
	command->run(command, owner);
}

static void on_reload(void *owner)
{
	struct core *core = owner;

	peers_reload(core->peers);
	trunks_reload(core->trunks);
	registrar_reload(core->registrar);
	neighbours_reload(core->neighbours);
	if (leaks_reload(core->leaks, core->worker->config) != 0)
		log_warn(core->worker->log, "reload.leaks",
			 "effect=\"the leak guard looks for what it looked for before\"");
}

static bool uses_listener(void *owner, uint16_t listener)
{
	const struct core *core = owner;

	for (const struct call *call = calls_next(core->calls, NULL); call;
	     call = calls_next(core->calls, call))
		for (uint8_t leg = 0; leg < LEGS; leg++)
			if (call->legs[leg].path.remote.family &&
			    call->legs[leg].path.listener == listener)
				return true;
	return false;
}

static bool may_leave(void *owner, const struct transport_path *path, struct slice bytes)
{
	struct core *core = owner;
	return leaks_may_leave(core->leaks, path->interface, &path->remote, bytes,
			       wheel_now_ms(core->worker->wheel));
}

static int locate(void *owner, const struct transport_path *from, struct slice hop, uint64_t number,
		  struct transaction_ways *out)
{
	struct core *core = owner;
	return locate_for_request(core->worker, from, hop, number, out);
}

static void way_failed(void *owner, const struct transport_path *path)
{
	const struct core *core = owner;
	locate_failed(core->worker, path);
}

struct worker_handlers core_handlers(void)
{
	return (struct worker_handlers){
		.transaction = {.on_request = on_first_request,
				.on_cancel = on_cancel,
				.on_unknown_cancel = on_unknown_cancel,
				.on_server_failure = on_server_failure,
				.on_orphan_response = on_orphan_response},
		.on_start = core_start,
		.on_stop = on_stop,
		.on_command = on_command,
		.on_reload = on_reload,
		.uses_listener = uses_listener,
		.on_flow_closed = on_flow_closed,
		.may_leave = may_leave,
		.locate = locate,
		.way_failed = way_failed,
		.on_destroy = core_destroy,
	};
}
