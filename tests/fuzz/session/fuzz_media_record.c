/* fuzz_media_record.c - a record of the relay's, as anybody who can write to the store may have
 * made it. Whatever comes back from it has its own ports and flows, can be shown, asked and ended,
 * and written again; what is refused leaves nothing. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "control/state/memory.h"
#include "rtpengine/session/keep_private.h"
#include "tests/unit/rtpengine/session/fake_datapath.h"

struct world {
	struct wheel *wheel;
	struct log log;
	struct random random;
	uint64_t random_state;
	struct datapath datapath;
	struct sessions *sessions;
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
		 .ports = {{20000, 20099}},
		 .port_count = 1,
		 .idle_timeout_ms = 60000},
		{.name = "wan",
		 .addresses = wan,
		 .address_count = 2,
		 .ports = {{30000, 30099}},
		 .port_count = 1,
		 .idle_timeout_ms = 60000},
	};
	world->log = (struct log){.level = LOG_ERROR, .fd = -1, .program = "fuzz"};
	world->random.fill = fill;
	fake_datapath_init(&world->datapath);
	must(wheel_create(1000, &world->wheel));
	struct sessions_config config = {
		.wheel = world->wheel,
		.log = &world->log,
		.random = &world->random,
		.datapath = &world->datapath,
		.interfaces = interfaces,
		.interface_count = 2,
		.wall_us = 1700000000000000ull,
	};
	must(sessions_create(&config, 1000, &world->sessions));
	struct store_memory_config memory = {.wheel = world->wheel, .random = &world->random};
	struct keep_config keep = {.node = "edge-1", .node_number = 7, .is_sealed = true};
	must(store_memory_create(&memory, &keep.store));
	must(sessions_keep(world->sessions, &keep));
}

static void check(struct world *world, uint64_t now_ms)
{
	uint32_t ports = 0;

	for (size_t i = 0; i < sessions_range_count(world->sessions); i++)
		ports += port_range_use(sessions_range(world->sessions, i), now_ms).in_use;
	if (ports != datapath_flow_count(&world->datapath) ||
	    (ports && !sessions_count(world->sessions)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *world = calloc(1, sizeof(*world));
	struct buf again;

	if (!world)
		return 0;
	world_start(world);
	buf_init(&again);
	int err = revive_session(world->sessions, (struct slice){(const char *)data, size}, 1000);
	if (!err != (sessions_count(world->sessions) == 1))
		abort();
	check(world, 1000);
	if (!err) {
		err = keep_encode(world->sessions->keeper, world->sessions->first, &again);
		if (err && err != -ERR_TOO_LARGE)
			abort();
		json_decref(sessions_show_calls(world->sessions, 1000));
		session_publish(world->sessions->first);
		wheel_advance(world->wheel, 3000); /* ICE, records, time-outs */
		check(world, 3000);
		wheel_advance(world->wheel, 4000000);
		check(world, 4000000);
	}
	sessions_destroy(world->sessions);
	if (datapath_flow_count(&world->datapath) || wheel_armed(world->wheel))
		abort();
	fake_datapath_free(&world->datapath);
	wheel_destroy(world->wheel);
	buf_free(&again);
	free(world);
	return 0;
}
