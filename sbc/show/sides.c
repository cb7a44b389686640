/* sides.c - `show registrations`, `show interfaces`, `show peers`, `show relays`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/shared.h"
#include "sbc/registration/trunk.h"
#include "sbc/show/part.h"

static json_t *binding_line(const struct core *core, const struct binding *binding)
{
	const struct config *config = core->worker->config;
	uint64_t now = wheel_now_ms(core->worker->wheel);
	json_t *line = json_object();

	json_put(line, "aor", json_text(binding->aor));
	json_put(line, "contact", json_text(binding->facts.contact));
	json_put(line, "source", json_addr(&binding->path.remote));
	json_put_text(line, "transport",
		      sip_transport_name((enum sip_transport)binding->path.transport));
	json_put(line, "reachable", json_boolean(!binding->is_lost));
	json_put_text(line, "interface", config->interfaces[binding->path.interface].name);
	json_put_text(line, "registrar",
		      binding->facts.registrar == BINDING_NO_PEER
			      ? "local"
			      : config->peers[binding->facts.registrar].name);
	json_put_number(line, "expires_in_s", binding_left_s(binding));
	if (binding->facts.registrar_until_ms > now)
		json_put_number(line, "registrar_expires_in_s",
				(binding->facts.registrar_until_ms - now) / 1000);
	json_put_number(line, "keepalive_ms", registrar_keepalive_ms(core->registrar, binding));
	json_put_number(line, "registered_ms", now - binding->registered_ms);
	struct buf record;
	buf_init(&record);
	if (registrar_record(core->registrar, binding, &record) && !buf_failed(&record))
		json_put(line, "record", json_text(buf_slice(&record)));
	buf_free(&record);
	return line;
}

void part_registrations(struct part *part, struct core *core)
{
	const struct binding_table *table = registrar_bindings(core->registrar);
	json_t *lines = json_array();

	for (struct binding *binding = binding_next(table, NULL); binding;
	     binding = binding_next(table, binding))
		(void)json_array_append_new(lines, binding_line(core, binding));
	part_done(part, lines);
}

static const char *listener_kind(const struct config_listener *listener)
{
	static const char *const names[] = {
		[CONFIG_UDP] = "udp", [CONFIG_TCP] = "tcp", [CONFIG_TLS] = "tls",
		[CONFIG_WS] = "ws",   [CONFIG_WSS] = "wss", [CONFIG_STUN] = "stun"};

	return addr_is_set(&listener->group) ? "multicast" : names[listener->transport];
}

static json_t *listener_array(const struct config_interface *interface)
{
	json_t *array = json_array();
	char addr[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < interface->listener_count; i++) {
		const struct config_listener *listener = &interface->listeners[i];
		(void)json_array_append_new(
			array,
			json_sprintf("%s/%s", listener_kind(listener),
				     addr_text(addr_is_set(&listener->group) ? &listener->group
									     : &listener->addr,
					       addr)));
	}
	return array;
}

void part_interfaces(struct part *part, struct core *core)
{
	const struct config *config = core->worker->config;
	json_t *lines = json_array();

	for (uint16_t i = 0; i < config->interface_count; i++) {
		const struct transport_counters *counters =
			transport_counters(core->worker->transport, i);
		json_t *line = json_object();
		json_put_text(line, "name", config->interfaces[i].name);
		if (config->interfaces[i].retired)
			json_put_bool(line, "removed", true);
		json_put_text(line, "role",
			      config->interfaces[i].trusted ? "trusted" : "untrusted");
		json_put(line, "listeners", listener_array(&config->interfaces[i]));
		json_put_number(line, "calls", limits_calls(core->limits, i));
		if (core->worker->index == 0)
			json_put_number(
				line, "emergencies",
				atomic_load(&peers_shared(core->peers)->interfaces[i].emergencies));
#define X(name, text) json_put_number(line, #name, counter_get(&counters->name));
		FOREACH_TRANSPORT_COUNTER(X)
#undef X
		(void)json_array_append_new(lines, line);
	}
	part_done(part, lines);
}

static json_t *server_line(const struct core *core, uint32_t peer, uint32_t server)
{
	const struct config *config = core->worker->config;
	struct peer_server_state state;
	json_t *line = json_object();

	peers_state(core->peers, peer, server, &state);
	json_put_text(line, "peer", config->peers[peer].name);
	json_put_text(line, "interface", config->interfaces[config->peers[peer].interface].name);
	if (state.server->addr.family)
		json_put(line, "server", json_addr(&state.server->addr));
	else
		json_put_text(line, "server", state.server->host);
	json_put_text(line, "state", state.is_up ? "up" : "down");
	json_put_number(line, "requests", state.requests);
	json_put_number(line, "failures", state.failures);
	if (core->worker->index != 0)
		return line;
	/* What all workers know together is said once. */
	json_put_number(line, "ping_ms", state.ping_rtt_ms);
	json_put_number(line, "calls", state.calls);
	struct trunk_state trunk;
	if (server == 0 && trunks_state(core->trunks, peer, &trunk)) {
		json_put_text(line, "registration", trunk.text);
		json_put_number(line, "expires_in_s", trunk.expires_in_s);
		json_put_number(line, "next_try_s", trunk.next_try_s);
		json_put_number(line, "answer", trunk.status);
		json_put_number(line, "registered", trunk.registered);
		json_put_number(line, "register_failures", trunk.failures);
	}
	if (state.addr.family)
		json_put(line, "address", json_addr(&state.addr));
	return line;
}

void part_peers(struct part *part, struct core *core)
{
	const struct config *config = core->worker->config;
	json_t *lines = json_array();

	for (uint32_t i = 0; i < config->peer_count; i++)
		for (uint32_t k = 0; !config->peers[i].retired && k < config->peers[i].server_count;
		     k++)
			(void)json_array_append_new(lines, server_line(core, i, k));
	part_done(part, lines);
}

void part_relays(struct part *part, struct core *core)
{
	const struct ng_client *client = media_client(core->calls->media);
	json_t *lines = json_array();

	for (unsigned i = 0; i < ng_client_relay_count(client); i++) {
		struct ng_relay_state state;
		json_t *line = json_object();
		ng_client_relays(client, i, &state);
		json_put_text(line, "relay", state.name);
		json_put_text(line, "state", state.in_service ? "in service" : "out of service");
		json_put_text(line, "kind", state.is_ours ? "postern-rtpengine" : "other");
		json_put_number(line, "calls", state.calls);
		json_put_number(line, "pending", state.pending);
		json_put_number(line, "requests", state.requests);
		json_put_number(line, "replies", state.replies);
		json_put_number(line, "retransmits", state.retransmits);
		json_put_number(line, "timeouts", state.timeouts);
		json_put_number(line, "refused", state.refused);
		json_put_number(line, "failovers", state.failovers);
		if (core->worker->index == 0)
			json_put_number(line, "rtt_us", state.rtt_us);
		(void)json_array_append_new(lines, line);
	}
	part_done(part, lines);
}

/* Every worker knows all bans: one says them. */
void part_bans(struct part *part, struct core *core)
{
	const struct worker *worker = core->worker;
	uint64_t now = wheel_now_ms(worker->wheel);
	json_t *lines = worker->index == 0 ? json_array() : NULL;
	struct guard_ban ban;
	uint32_t at = 0;

	while (lines && guard_ban_next(worker->guard, now, &at, &ban)) {
		char text[ADDR_TEXT_SIZE];
		json_t *line = json_object();
		json_put_text(line, "source",
			      ban.source.port ? addr_text(&ban.source, text)
					      : addr_ip_text(&ban.source, text));
		json_put_text(line, "interface", worker->config->interfaces[ban.interface].name);
		json_put_text(line, "cause", guard_cause_text(ban.cause));
		json_put_number(line, "left_s", (ban.until_ms - now) / 1000);
		(void)json_array_append_new(lines, line);
	}
	part_done(part, lines);
}

void part_unban(struct part *part, struct core *core)
{
	struct addr address;
	json_t *answer = NULL;

	if (addr_parse_ip(part->args, &address) == 0) {
		uint32_t count = guard_unban(core->worker->guard, &address,
					     wheel_now_ms(core->worker->wheel));
		if (count > 0) {
			answer = json_object();
			json_put_number(answer, "lifted", count);
		}
	}
	part_done(part, answer);
}

static json_t *leak_object(const struct core *core, const struct leak_sample *sample,
			   uint64_t now_ms)
{
	json_t *object = json_object();

	json_put_text(object, "interface",
		      core->worker->config->interfaces[sample->interface].name);
	json_put_text(object, "message", sample->message);
	json_put_text(object, "where", sample->where);
	json_put_text(object, "what", sample->what);
	json_put_bool(object, "blocked", sample->is_blocked);
	json_put_number(object, "age_s", (now_ms - sample->at_ms) / 1000);
	return object;
}

void part_leaks(struct part *part, struct core *core)
{
	uint64_t now_ms = wheel_now_ms(core->worker->wheel);
	const struct leak_sample *sample;
	json_t *all = json_array();

	for (uint32_t i = 0; (sample = leaks_sample(core->leaks, i)); i++)
		json_array_append_new(all, leak_object(core, sample, now_ms));
	part_done(part, all);
}

void part_subscriptions(struct part *part, struct core *core)
{
	const struct config *config = core->worker->config;
	uint64_t now_ms = wheel_now_ms(core->worker->wheel);
	struct subscription_info info;
	const void *at = NULL;
	json_t *all = json_array();

	while ((at = subscriptions_next(core->subscriptions, at, &info))) {
		json_t *object = json_object();
		json_put(object, "event", json_text(info.event));
		json_put(object, "subscriber", json_text(info.subscriber));
		json_put(object, "target", json_text(info.target));
		json_put_text(object, "from", config->interfaces[info.interfaces[0]].name);
		json_put_text(object, "to", config->interfaces[info.interfaces[1]].name);
		json_put_text(object, "state", info.is_up ? "up" : "asking");
		json_put_number(object, "age_s", (now_ms - info.created_ms) / 1000);
		json_put_number(object, "expires_s",
				info.expires_ms > now_ms ? (info.expires_ms - now_ms) / 1000 : 0);
		json_put(object, "record",
			 json_sprintf(SUBSCRIPTION_KEPT "{%.*s}", TOKEN_LENGTH, info.id));
		json_put_bool(object, "protected", info.is_protected);
		json_array_append_new(all, object);
	}
	part_done(part, all);
}
