/* show.c - what the stats socket is asked. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/relay.h"
#include "rtpengine/session/keep.h"

static void show_calls(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	(void)args;
	stats_reply_done(reply, sessions_show_calls(relay->sessions, loop_now_ms(relay->loop)));
}

static void show_call(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;

	if (slice_is_empty(args)) {
		stats_reply_error(reply, "show call needs a Call-ID (see `show calls`)");
		return;
	}
	json_t *call = sessions_show_call(relay->sessions, loop_now_ms(relay->loop), args);
	if (call)
		stats_reply_done(reply, call);
	else
		stats_reply_error(reply, "no call with this Call-ID");
}

static void show_interfaces(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	(void)args;
	stats_reply_done(reply,
			 sessions_show_interfaces(relay->sessions, loop_now_ms(relay->loop)));
}

static json_t *ng_numbers(const struct ng_server *server)
{
	const struct ng_server_counters *c = ng_server_counters(server);

	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "requests", (json_int_t)counter_get(&c->requests),
			 "errors", (json_int_t)counter_get(&c->errors), "duplicates",
			 (json_int_t)counter_get(&c->duplicates), "denied",
			 (json_int_t)counter_get(&c->denied), "dropped",
			 (json_int_t)counter_get(&c->dropped));
}

static json_t *keep_numbers(const struct keep_status *status)
{
	return json_pack(
		"{s:s,s:b,s:I,s:I,s:I,s:I,s:I}", "store", store_state_text(status->store.state),
		"sealed", status->is_sealed, "written", (json_int_t)status->written, "unprotected",
		(json_int_t)status->store.unprotected, "revived", (json_int_t)status->revived,
		"lost", (json_int_t)status->lost, "fetched", (json_int_t)status->fetched);
}

static void show_stats(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	json_t *stats = sessions_show_stats(relay->sessions, loop_now_ms(relay->loop));
	struct keep_status kept;
	(void)args;

	if (stats)
		json_object_set_new(stats, "control", ng_numbers(relay->ng));
	if (stats && sessions_keep_status(relay->sessions, &kept))
		json_object_set_new(stats, "kept", keep_numbers(&kept));
	stats_reply_done(reply, stats);
}

static void show_version(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	(void)args;
	stats_reply_done(reply, json_pack("{s:s,s:s,s:s}", "program", "postern-rtpengine",
					  "version", POSTERN_VERSION, "instance",
					  sessions_instance(relay->sessions)));
}

static void drain(struct relay *relay, bool on, struct stats_reply *reply)
{
	sessions_drain(relay->sessions, on);
	log_info(&relay->log, on ? "relay.draining" : "relay.open", "sessions=%u",
		 sessions_count(relay->sessions));
	stats_reply_done(reply, json_pack("{s:b,s:I}", "draining", on, "sessions",
					  (json_int_t)sessions_count(relay->sessions)));
}

static void on_drain(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)args;
	drain(owner, true, reply);
}

static void on_undrain(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)args;
	drain(owner, false, reply);
}

/* What it knows of its sessions is written when it ends. */
static void on_upgrade(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	struct keep_status kept;
	(void)args;

	if (!sessions_keep_status(relay->sessions, &kept)) {
		stats_reply_error(reply,
				  "the next process would know no session: state.store is memory");
		return;
	}
	if (kept.store.state != STORE_UP) {
		stats_reply_error(reply, "the store does not take what the next process needs");
		return;
	}
	log_info(&relay->log, "upgrade.begun", "sessions=%u sealed=%d",
		 sessions_count(relay->sessions), kept.is_sealed);
	relay->is_upgrading = true;
	stats_reply_done(reply, json_pack("{s:b}", "upgrading", 1));
	loop_stop(relay->loop);
}

const struct stats_command relay_stats_commands[] = {
	{"drain", "take no new calls", on_drain},
	{"undrain", "take new calls again", on_undrain},
	{"reload", "reads the configuration again and goes over to it, whole or not at all",
	 relay_reload},
	{"reload check", "would it? nothing is changed", relay_reload_check},
	{"show calls", "one line for each call", show_calls},
	{"show call", "everything about one call: show call CALL-ID", show_call},
	{"show interfaces", "addresses, port ranges, devices and drivers", show_interfaces},
	{"show stats", "sessions, ports, lcores, drops by reason", show_stats},
	{"show version", "version and instance", show_version},
	{"upgrade", "end, and leave calls to the next process", on_upgrade},
};
const size_t relay_stats_command_count =
	sizeof(relay_stats_commands) / sizeof(relay_stats_commands[0]);
