/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "control/ng/bencode.h"

static void fill(struct random *random, void *out, size_t len)
{
	struct bench *bench = container_of(random, struct bench, random);
	uint8_t *bytes = out;

	for (size_t i = 0; i < len; i++) {
		if (bench->random_state)
			bench->random_state = bench->random_state * 6364136223846793005ull +
					      1442695040888963407ull;
		bytes[i] = (uint8_t)(bench->random_state >> 56);
	}
}

static struct addr ip(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse_ip(slice_from(text), &addr), 0);
	return addr;
}

void bench_interfaces(const struct bench *bench, struct session_interface out[2])
{
	static struct addr lan[1], wan[2];
	uint16_t span = bench->last_port ? bench->last_port : 99;

	lan[0] = ip(LAN);
	wan[0] = ip(WAN);
	wan[1] = ip(WAN6);
	out[0] = (struct session_interface){.name = "lan",
					    .addresses = lan,
					    .address_count = 1,
					    .ports = {{20000, (uint16_t)(20000 + span)}},
					    .port_count = 1,
					    .idle_timeout_ms = 60000};
	out[1] = (struct session_interface){.name = "wan",
					    .addresses = wan,
					    .address_count = 2,
					    .ports = {{30000, (uint16_t)(30000 + span)}},
					    .port_count = 1,
					    .idle_timeout_ms = 60000,
					    .dscp = 46};
}

void bench_start(struct bench *bench)
{
	struct session_interface interfaces[2];

	bench_interfaces(bench, interfaces);
	bench->now_ms = 1000000;
	bench->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "test"};
	bench->random.fill = fill;
	fake_datapath_init(&bench->datapath);
	buf_init(&bench->encoded);
	assert_int_equal(wheel_create(bench->now_ms, &bench->wheel), 0);
	assert_int_equal(arena_create(65536, 64u << 20, &bench->arena), 0);
	assert_int_equal(arena_create(65536, 8u << 20, &bench->request), 0);
	struct sessions_config config = {
		.wheel = bench->wheel,
		.log = &bench->log,
		.random = &bench->random,
		.datapath = &bench->datapath,
		.sounds = "/tmp",
		.interfaces = interfaces,
		.interface_count = 2,
		.limits = bench->limits,
		.wall_us = 1700000000000000ull,
	};
	assert_int_equal(sessions_create(&config, bench->now_ms, &bench->sessions), 0);
}

void bench_stop(struct bench *bench)
{
	sessions_destroy(bench->sessions);
	assert_int_equal(datapath_flow_count(&bench->datapath), 0);
	assert_int_equal(wheel_armed(bench->wheel), 0);
	fake_datapath_free(&bench->datapath);
	wheel_destroy(bench->wheel);
	arena_destroy(bench->arena);
	arena_destroy(bench->request);
	buf_free(&bench->encoded);
}

void bench_advance(struct bench *bench, uint64_t ms)
{
	bench->now_ms += ms;
	wheel_advance(bench->wheel, bench->now_ms);
}

static void add_pair(struct bench *bench, struct ng_value *dict, const char *key, const char *value)
{
	size_t len = strlen(key);

	if (len < 2 || strcmp(key + len - 2, "[]") != 0) {
		ng_dict_add_string(bench->request, dict, key, slice_from(value));
		return;
	}
	char *name = arena_text(bench->request, (struct slice){key, len - 2});
	struct ng_value *list = ng_dict_add_list(bench->request, dict, name);
	struct slice rest = slice_from(value);
	while (rest.len)
		ng_list_add_string(bench->request, list, slice_cut(&rest, ','));
}

static const struct ng_value *ask(struct bench *bench, struct ng_value *dict)
{
	struct ng_value *reply = ng_dict_create(bench->request);
	struct ng_request request = {.arena = bench->request, .dict = dict};

	request.command = ng_get_string(dict, "command");
	sessions_handle(bench->sessions, bench->now_ms, &request, reply);
	/* What the server does next: nothing in the reply may be gone by now. */
	buf_clear(&bench->encoded);
	bencode_write(&bench->encoded, reply);
	assert_true(ng_value_is_whole(reply));
	assert_false(buf_failed(&bench->encoded));
	return reply;
}

const struct ng_value *bench_ask(struct bench *bench, const char *command, ...)
{
	arena_reset(bench->request);
	struct ng_value *dict = ng_dict_create(bench->request);
	va_list args;

	ng_dict_add_string(bench->request, dict, "command", slice_from(command));
	va_start(args, command);
	for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *))
		add_pair(bench, dict, key, va_arg(args, const char *));
	va_end(args);
	return ask(bench, dict);
}

/* `tags` is "a" or "a b": from-tag and to-tag. */
static const struct ng_value *ask_tags(struct bench *bench, const char *command,
				       const char *call_id, const char *tags, const char *sdp,
				       const char *flags)
{
	struct slice rest = slice_from(tags);
	char *from = arena_text(bench->arena, slice_cut(&rest, ' '));
	char *to = arena_text(bench->arena, rest);

	if (!*to)
		return bench_ask(bench, command, "call-id", call_id, "from-tag", from, "sdp", sdp,
				 "rtpp-flags", flags, NULL);
	return bench_ask(bench, command, "call-id", call_id, "from-tag", from, "to-tag", to, "sdp",
			 sdp, "rtpp-flags", flags, NULL);
}

const struct ng_value *bench_offer(struct bench *bench, const char *call_id, const char *tags,
				   const char *sdp, const char *flags)
{
	return ask_tags(bench, "offer", call_id, tags, sdp, flags);
}

const struct ng_value *bench_answer(struct bench *bench, const char *call_id, const char *tags,
				    const char *sdp, const char *flags)
{
	return ask_tags(bench, "answer", call_id, tags, sdp, flags);
}

const char *bench_text(const struct ng_value *reply, const char *key)
{
	static char text[4][2048]; /* the last four asked for stay valid */
	static unsigned at;
	struct slice value = ng_get_string(reply, key);

	at = (at + 1) % 4;
	slice_copy(value, text[at], sizeof(text[at]));
	return text[at];
}

char *bench_sdp(struct bench *bench, const char *address, unsigned port, const char *more)
{
	const char *type = strchr(address, ':') ? "IP6" : "IP4";

	return arena_printf(bench->arena,
			    "v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n"
			    "m=audio %u RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
			    "a=rtpmap:101 telephone-event/8000\r\n%s",
			    type, address, type, address, port, more ? more : "");
}

uint32_t bench_ports_in_use(struct bench *bench)
{
	uint32_t in_use = 0;

	for (size_t i = 0; i < sessions_range_count(bench->sessions); i++)
		in_use += port_range_use(sessions_range(bench->sessions, i), bench->now_ms).in_use;
	return in_use;
}
