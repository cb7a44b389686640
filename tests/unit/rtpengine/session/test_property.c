/* Whatever is asked in whatever order, ports and flows belong to each other and come back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DIRECTION "direction=lan direction=wan"

static unsigned draw(struct bench *b, unsigned below)
{
	b->random_state = b->random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(b->random_state >> 33) % below;
}

/* Any mixture of media, some refused, some not relayable, some wrong. */
static const char *draw_sdp(struct bench *b)
{
	static const char *const media[] = {
		"m=audio 4000 RTP/AVP 8\r\n",
		"m=audio 0 RTP/AVP 8\r\n",
		"m=audio 4000 RTP/AVPF 8\r\na=rtcp-mux\r\n",
		"m=video 4002 RTP/AVP 99\r\na=sendonly\r\n",
		"m=image 4004 udptl t38\r\n",
		"m=application 4006 TCP/BFCP *\r\n",
		"m=audio 4008 RTP/SAVP 8\r\n",
		"m=video 4010 RTP/AVP 99\r\nc=IN IP4 0.0.0.0\r\n",
		"m=audio 4012 UDP/TLS/RTP/SAVPF 8\r\n", /* refused */
	};
	static const char *const addresses[] = {"10.0.0.20", "198.51.100.7", "0.0.0.0",
						"239.1.1.1"};
	const char *address = addresses[draw(b, 40) == 0 ? 3 : draw(b, 3)];
	char *text = arena_printf(b->arena,
				  "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n",
				  address, address);

	for (unsigned n = 1 + draw(b, 3); n; n--)
		text = arena_printf(b->arena, "%s%s", text, media[draw(b, draw(b, 5) ? 4 : 9)]);
	return text;
}

static const char *draw_flags(struct bench *b)
{
	static const char *const flags[] = {
		DIRECTION,
		"direction=wan direction=lan",
		"",
		"rtcp-mux-demux " DIRECTION,
		"via-branch=1 " DIRECTION,
		"via-branch=2",
		"no-port-latching",
		"new-branch",
		"address-family=IP6 " DIRECTION,
		"replace-sdp-version replace-origin",
		"direction=lan direction=lan",
		"direction=nowhere direction=lan",
	};
	return flags[draw(b, sizeof(flags) / sizeof(flags[0]))];
}

static void check(struct bench *b)
{
	/* a pair of ports for each pair of flows, and nothing without a session */
	assert_int_equal(bench_ports_in_use(b), datapath_flow_count(&b->datapath));
	if (!sessions_count(b->sessions))
		assert_int_equal(datapath_flow_count(&b->datapath), 0);
}

static void one_step(struct bench *b)
{
	static const char *const calls[] = {"c1", "c2", "c3"};
	static const char *const tags[] = {"a", "b", "a b", "b a", "a c", "c a", "a a"};
	const char *call_id = calls[draw(b, 3)];
	const char *tag = tags[draw(b, 7)];

	switch (draw(b, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		bench_offer(b, call_id, tag, draw_sdp(b), draw_flags(b));
		break;
	case 4:
	case 5:
	case 6:
		bench_answer(b, call_id, tag, draw_sdp(b), draw_flags(b));
		break;
	case 7:
		bench_ask(b, "delete", "call-id", call_id, "from-tag", tag, "delete-delay",
			  draw(b, 2) ? "0" : "5", NULL);
		break;
	case 8:
		bench_ask(b, draw(b, 2) ? "query" : "statistics", "call-id", call_id, NULL);
		break;
	default:
		bench_advance(b, draw(b, 4) ? draw(b, 3000) : draw(b, 400000));
	}
}

static void any_sequence_leaves_nothing_behind(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct bench b = {.random_state = seed};
		bench_start(&b);
		b.log.fd = -1;
		for (unsigned step = 0; step < 300; step++) {
			one_step(&b);
			check(&b);
		}
		for (int i = 1; i <= 3; i++) {
			char name[16];
			snprintf(name, sizeof(name), "c%d", i);
			bench_ask(&b, "delete", "call-id", name, NULL);
		}
		assert_int_equal(sessions_count(b.sessions), 0);
		assert_int_equal(datapath_flow_count(&b.datapath), 0);
		assert_int_equal(bench_ports_in_use(&b), 0);
		bench_advance(&b, PORTS_QUARANTINE_MS);
		for (size_t i = 0; i < sessions_range_count(b.sessions); i++)
			assert_int_equal(
				port_range_use(sessions_range(b.sessions, i), b.now_ms).quarantine,
				0);
		bench_stop(&b);
	}
}

static void ten_thousand_calls_come_and_go(void **state)
{
	struct bench b = {.last_port = 29999, .random_state = 7};
	char name[32];
	(void)state;

	bench_start(&b);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "call-%u@example.com", i);
		const struct ng_value *reply =
			bench_offer(&b, name, "a", bench_sdp(&b, "10.0.0.20", 4000, ""), DIRECTION);
		assert_string_equal(bench_text(reply, "result"), "ok");
		reply = bench_answer(&b, name, "a b", bench_sdp(&b, "198.51.100.7", 5000, ""), "");
		assert_string_equal(bench_text(reply, "result"), "ok");
	}
	assert_int_equal(sessions_count(b.sessions), 10000);
	assert_int_equal(datapath_flow_count(&b.datapath), 40000);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "call-%u@example.com", i * 7919 % 10000);
		bench_ask(&b, "delete", "call-id", name, "flags[]", "fast", NULL);
	}
	assert_int_equal(sessions_count(b.sessions), 0);
	assert_int_equal(bench_ports_in_use(&b), 0);
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_sequence_leaves_nothing_behind),
		cmocka_unit_test(ten_thousand_calls_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
