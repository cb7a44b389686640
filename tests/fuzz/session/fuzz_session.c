/* fuzz_session.c - a stream of NG requests into the session layer, as a client of ours or a hostile
 * one would send it. Records are separated by byte 0x1e: "T250" lets 250 ms pass, '{' begins JSON,
 * anything else is bencode. Whatever comes, ports and flows must belong to each other, and all of
 * them be free in the end. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "control/ng/bencode.h"
#include "control/ng/json.h"
#include "rtpengine/session/sessions.h"
#include "tests/unit/rtpengine/session/fake_datapath.h"

#define SEPARATOR 0x1e

struct world {
	struct wheel *wheel;
	struct log log;
	struct random random;
	uint64_t random_state;
	struct datapath datapath;
	struct sessions *sessions;
	struct arena *arena;
	struct buf buf;
	uint64_t now_ms;
};

static void fill(struct random *random, void *out, size_t len)
{
	struct world *world = container_of(random, struct world, random);
	uint8_t *bytes = out;

	for (size_t i = 0; i < len; i++) {
		world->random_state = world->random_state * 6364136223846793005ull + 1;
		bytes[i] = (uint8_t)(world->random_state >> 56);
	}
}

static void must(int err)
{
	if (err)
		abort();
}

static void world_start(struct world *world)
{
	struct addr lan, wan[2];

	must(addr_parse_ip(SLICE("10.0.0.1"), &lan));
	must(addr_parse_ip(SLICE("203.0.113.10"), &wan[0]));
	must(addr_parse_ip(SLICE("2001:db8::10"), &wan[1]));
	struct session_interface interfaces[] = {
		{.name = "lan",
		 .addresses = &lan,
		 .address_count = 1,
		 .ports = {{20000, 20039}},
		 .port_count = 1,
		 .idle_timeout_ms = 60000},
		{.name = "wan",
		 .addresses = wan,
		 .address_count = 2,
		 .ports = {{30000, 30039}},
		 .port_count = 1,
		 .idle_timeout_ms = 60000},
	};
	world->now_ms = 1000;
	world->log = (struct log){.level = LOG_ERROR, .fd = -1, .program = "fuzz"};
	world->random.fill = fill;
	fake_datapath_init(&world->datapath);
	buf_init(&world->buf);
	must(wheel_create(world->now_ms, &world->wheel));
	must(arena_create(65536, 8u << 20, &world->arena));
	struct sessions_config config = {
		.wheel = world->wheel,
		.log = &world->log,
		.random = &world->random,
		.datapath = &world->datapath,
		.interfaces = interfaces,
		.interface_count = 2,
		.limits.sessions = 8,
		.wall_us = 1700000000000000ull,
	};
	must(sessions_create(&config, world->now_ms, &world->sessions));
}

static void check(struct world *world)
{
	uint32_t ports = 0;

	for (size_t i = 0; i < sessions_range_count(world->sessions); i++)
		ports += port_range_use(sessions_range(world->sessions, i), world->now_ms).in_use;
	/* a pair has two flows, or, when it is for copies, one */
	uint32_t flows = datapath_flow_count(&world->datapath);
	if (flows > ports || 2 * flows < ports)
		abort();
	if (ports && !sessions_count(world->sessions))
		abort();
}

static void request(struct world *world, struct slice text)
{
	struct ng_value *dict;
	int err = text.data[0] == '{' ? ng_json_read(world->arena, text, &dict)
				      : bencode_read(world->arena, text, &dict);

	if (!err && dict->type == NG_DICT) {
		struct ng_value *reply = ng_dict_create(world->arena);
		struct ng_request ng = {.arena = world->arena,
					.command = ng_get_string(dict, "command"),
					.dict = dict};
		sessions_handle(world->sessions, world->now_ms, &ng, reply);
		if (ng_value_is_whole(reply) && !ng_dict_get(reply, "result"))
			abort(); /* every request is answered */
		buf_clear(&world->buf);
		bencode_write(&world->buf, reply);
		buf_clear(&world->buf);
		ng_json_write(&world->buf, reply);
	}
	arena_reset(world->arena);
}

static void record(struct world *world, struct slice text)
{
	uint32_t ms;

	if (slice_is_empty(text))
		return;
	if (text.data[0] != 'T') {
		request(world, text);
	} else if (slice_to_u32(slice_sub(text, 1, text.len), 4000000, &ms) == 0) {
		world->now_ms += ms;
		wheel_advance(world->wheel, world->now_ms);
	}
	check(world);
}

static void show(struct world *world)
{
	json_decref(sessions_show_calls(world->sessions, world->now_ms));
	json_decref(sessions_show_stats(world->sessions, world->now_ms));
	json_decref(sessions_show_call(world->sessions, world->now_ms, SLICE("c")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *world = calloc(1, sizeof(*world));
	struct slice rest = {(const char *)data, size};

	if (!world)
		return 0;
	world_start(world);
	while (rest.len)
		record(world, slice_cut(&rest, SEPARATOR));
	show(world);
	sessions_destroy(world->sessions);
	if (datapath_flow_count(&world->datapath) || wheel_armed(world->wheel))
		abort();
	fake_datapath_free(&world->datapath);
	wheel_destroy(world->wheel);
	arena_destroy(world->arena);
	buf_free(&world->buf);
	free(world);
	return 0;
}
