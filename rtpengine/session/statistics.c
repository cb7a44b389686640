/* statistics.c - the relay's totals in the words of the NG protocol.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <inttypes.h>

static void add(struct arena *arena, struct ng_value *dict, const char *key, uint64_t value)
{
	ng_dict_add_integer(arena, dict, key, (int64_t)value);
}

static void add_text(struct arena *arena, struct ng_value *dict, const char *key, const char *text)
{
	ng_dict_add_string(arena, dict, key, slice_from(text ? text : ""));
}

static void add_seconds(struct arena *arena, struct ng_value *dict, const char *key, uint64_t ms)
{
	add_text(arena, dict, key,
		 arena_printf(arena, "%" PRIu64 ".%03u000", ms / 1000, (unsigned)(ms % 1000)));
}

/* Clients of Sipwise's relay know what passed its kernel module, and what did not; there is none.
 */
static void add_split(struct arena *arena, struct ng_value *dict, const char *key, uint64_t value)
{
	add(arena, dict, key, value);
	add(arena, dict, arena_printf(arena, "%s_user", key), value);
	add(arena, dict, arena_printf(arena, "%s_kernel", key), 0);
}

struct lcore_total {
	uint64_t packets, bytes, errors;
};

static struct lcore_total lcore_total(const struct sessions *sessions)
{
	struct lcore_total total = {0, 0, 0};
	size_t count = datapath_lcore_count(sessions->datapath);

	for (size_t i = 0; i < count; i++) {
		struct lcore_stats stats;
		datapath_lcore_stats(sessions->datapath, i, &stats);
		total.packets += stats.tx_packets;
		total.bytes += stats.tx_bytes;
		for (unsigned why = 0; why < DROP_COUNT; why++)
			total.errors += stats.drops[why];
	}
	return total;
}

static void add_current(const struct command *command, struct ng_value *statistics)
{
	const struct sessions *sessions = command->sessions;
	struct arena *arena = command->request->arena;
	struct ng_value *now = ng_dict_add_dict(arena, statistics, "currentstatistics");

	add(arena, now, "sessionsown", sessions->by_call_id.count);
	add(arena, now, "sessionsforeign", 0);
	add(arena, now, "sessionstotal", sessions->by_call_id.count);
	add(arena, now, "transcodedmedia", 0);
	add(arena, now, "mediaports", datapath_flow_count(sessions->datapath));
}

static void add_total(const struct command *command, struct ng_value *statistics)
{
	const struct sessions *sessions = command->sessions;
	const struct sessions_counters *c = &sessions->counters;
	struct arena *arena = command->request->arena;
	struct ng_value *all = ng_dict_add_dict(arena, statistics, "totalstatistics");
	struct lcore_total total = lcore_total(sessions);
	uint64_t ended = c->created - sessions->by_call_id.count;

	add_text(arena, all, "uptime",
		 arena_printf(arena, "%" PRIu64, (command->now_ms - sessions->started_ms) / 1000));
	add(arena, all, "managedsessions", ended); /* those that go on are `current` */
	add(arena, all, "rejectedsessions", c->refused);
	add(arena, all, "timeoutsessions", c->timed_out);
	add(arena, all, "silenttimeoutsessions", c->held_timed_out);
	add(arena, all, "finaltimeoutsessions", 0);
	add(arena, all, "offertimeoutsessions", c->offer_timed_out);
	add(arena, all, "regularterminatedsessions", c->deleted);
	add(arena, all, "forcedterminatedsessions", 0);
	add_split(arena, all, "relayedpackets", total.packets);
	add_split(arena, all, "relayedbytes", total.bytes);
	add_split(arena, all, "relayedpacketerrors", total.errors);
	add(arena, all, "hijackattempts", c->hijack_attempts);
	add_seconds(arena, all, "totalcallsduration", c->duration_ms);
	add_seconds(arena, all, "avgcallduration", ended ? c->duration_ms / ended : 0);
}

struct totals {
	struct arena *arena;
	struct ng_value *dict;
};

static void each_total(void *owner, const char *key, uint64_t count)
{
	const struct totals *totals = owner;
	add(totals->arena, totals->dict, key, count);
}

static void add_control(const struct command *command, struct ng_value *statistics)
{
	struct arena *arena = command->request->arena;
	struct totals totals = {arena, ng_dict_add_dict(arena, statistics, "controlstatistics")};

	commands_each_total(command->sessions, each_total, &totals);
	add(arena, totals.dict, "totalerrorcount", command->sessions->counters.errors);
}

static void add_interfaces(const struct command *command, struct ng_value *statistics)
{
	struct sessions *sessions = command->sessions;
	struct arena *arena = command->request->arena;
	struct ng_value *list = ng_dict_add_list(arena, statistics, "interfaces");

	for (size_t i = 0; i < sessions->range_count; i++) {
		struct port_range *range = sessions->ranges[i];
		struct port_range_use use = port_range_use(range, command->now_ms);
		struct ng_value *one = ng_list_add(list, ng_dict_create(arena));
		uint16_t first, last;
		char text[ADDR_TEXT_SIZE];

		uint32_t total = use.total ? use.total : 1;

		port_range_bounds(range, &first, &last);
		ng_dict_add_string(arena, one, "name", slice_from(port_range_interface(range)));
		addr_ip_text(port_range_address(range), text);
		ng_dict_add_string(arena, one, "address", arena_copy(arena, slice_from(text)));
		struct ng_value *ports = ng_dict_add_dict(arena, one, "ports");
		add(arena, ports, "min", first);
		add(arena, ports, "max", last);
		add_text(arena, ports, "used_pct",
			 arena_printf(arena, "%u.%02u", use.in_use * 100 / total,
				      use.in_use * 10000 / total % 100));
		add(arena, ports, "used", use.in_use);
		add(arena, ports, "quarantine", use.quarantine);
		add(arena, ports, "free", use.total - use.in_use - use.quarantine);
		add(arena, ports, "totals", use.total);
	}
}

void command_statistics(struct command *command)
{
	struct arena *arena = command->request->arena;

	ng_dict_add_string(arena, command->reply, "result", SLICE("ok"));
	struct ng_value *statistics = ng_dict_add_dict(arena, command->reply, "statistics");
	add_current(command, statistics);
	add_total(command, statistics);
	add_control(command, statistics);
	add_interfaces(command, statistics);
}
