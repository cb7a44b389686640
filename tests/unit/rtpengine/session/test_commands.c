/* The commands' replies: errors, limits, lists, numbers, and what the stats socket shows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DIRECTION "direction=lan direction=wan"

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	bench_start(bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static void offer_number(struct bench *b, unsigned number)
{
	bench_offer(b, arena_printf(b->arena, "call-%u", number), "a",
		    bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
}

static void assert_refused(const struct ng_value *reply, const char *reason)
{
	assert_string_equal(bench_text(reply, "result"), "error");
	assert_string_equal(bench_text(reply, "error-reason"), reason);
}

static void wrong_requests_are_told_what_is_wrong(void **state)
{
	struct bench *b = *state;
	const char *sdp = bench_sdp(b, "10.0.0.20", 4000, "");

	assert_refused(bench_ask(b, "fly", NULL), "Unrecognized command");
	assert_refused(bench_ask(b, "mesh", "call-id", "c", NULL),
		       "command \"mesh\" is not supported");
	assert_refused(bench_ask(b, "offer", "from-tag", "a", "sdp", sdp, NULL),
		       "No call-id in message");
	assert_refused(bench_ask(b, "offer", "call-id", "c", "sdp", sdp, NULL),
		       "No from-tag in message");
	assert_refused(bench_ask(b, "offer", "call-id", "c", "from-tag", "a", NULL),
		       "No sdp in message");
	assert_refused(bench_ask(b, "answer", "call-id", "c", "from-tag", "a", "sdp", sdp, NULL),
		       "No to-tag in message");
	assert_refused(bench_answer(b, "c", "a b", sdp, ""), "Unknown call-id");
	assert_refused(bench_ask(b, "query", "call-id", "c", NULL), "Unknown call-id");
	assert_refused(bench_ask(b, "query", NULL), "No call-id in message");
	assert_refused(bench_ask(b, "delete", NULL), "No call-id in message");
	offer_number(b, 1);
	assert_refused(bench_answer(b, "call-1", "zz b", sdp, ""), "Unknown from-tag");
	char longer[600];
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_refused(bench_offer(b, longer, "a", sdp, ""), "call-id is longer than 512 bytes");
	assert_int_equal(sessions_count(b->sessions), 1);
}

static void unknown_names_are_passed_over(void **state)
{
	struct bench *b = *state;
	const struct ng_value *reply =
		bench_ask(b, "offer", "call id", "c", "from-tag", "a", "sdp",
			  bench_sdp(b, "10.0.0.20", 4000, ""), "repacketize", "20", "flags[]",
			  "no-such-flag,session-connection,trust address", "direction[]", "lan,wan",
			  "replace[]", "session-connection,origin", "ICE", "remove", NULL);
	assert_string_equal(bench_text(reply, "result"), "ok");
}

static void what_we_cannot_do_is_refused_by_name(void **state)
{
	static const char *const cases[][2] = {
		{"record-call", "this relay does not record (relay.recordings is not set)"},
		{"record-call=yes", "this relay does not record (relay.recordings is not set)"},
		{"transcode-PCMU", "transcode-PCMU is not supported"},
		{"generate-RTCP=on", "generate-RTCP=on is not supported"},
		{"transport-protocol=RTP/XYZ", "transport-protocol=RTP/XYZ is not supported"},
		{"UDP/TLS/RTP/SAVPX", "transport-protocol=UDP/TLS/RTP/SAVPX is not supported"},
		{"address-family=IPX", "address-family=IPX is not supported"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(
			bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), cases[i][0]),
			cases[i][1]);
	assert_refused(bench_ask(b, "offer", "call-id", "c", "from-tag", "a", "sdp",
				 bench_sdp(b, "10.0.0.20", 4000, ""), "SDES[]", "only-NULL_HMAC",
				 NULL),
		       "SDES-only-NULL_HMAC is not supported");
	/* asking for nothing is no request */
	assert_string_equal(bench_text(bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""),
						   DIRECTION " record-call=no DTLS=off SDES-off"),
				       "result"),
			    "ok");
}

static void a_full_range_is_told_to_each_client_in_its_words(void **state)
{
	struct bench *b = *state;
	const char *sdp = bench_sdp(b, "10.0.0.20", 4000, "");

	for (unsigned i = 0; i < 50; i++)
		offer_number(b, i);
	bench_ask(b, "delete", "call-id", "call-7", NULL);
	assert_int_equal(bench_ports_in_use(b), 196);
	/* one that knows load limits goes to the next relay, and its log says why */
	const struct ng_value *reply =
		bench_ask(b, "offer", "call-id", "new", "from-tag", "a", "sdp", sdp, "supports[]",
			  "load limit", "direction[]", "lan,wan", NULL);
	assert_string_equal(bench_text(reply, "result"), "load limit");
	assert_string_equal(bench_text(reply, "message"),
			    "range 20000-20099 of lan: 98 of 100 ports in use, 2 in quarantine");
	/* others compare this text */
	reply = bench_offer(b, "new", "a", sdp, DIRECTION);
	assert_refused(reply, "Ran out of ports");
	assert_true(strstr(bench_text(reply, "detail"), "2 in quarantine") != NULL);
	/* in a known call there is no other relay to go to: the cause itself */
	reply = bench_offer(b, "call-3", "a b",
			    bench_sdp(b, "10.0.0.20", 4000, "m=video 4002 RTP/AVP 99\r\n"), "");
	assert_refused(reply, "range 20000-20099 of lan: 98 of 100 ports in use, 2 in quarantine");
	assert_int_equal(bench_ports_in_use(b), 196);
	assert_int_equal(sessions_count(b->sessions), 49);
}

static void the_session_limit_stops_new_calls_only(void **state)
{
	struct bench b = {.limits.sessions = 3};
	(void)state;

	bench_start(&b);
	for (unsigned i = 0; i < 4; i++)
		offer_number(&b, i);
	assert_int_equal(sessions_count(b.sessions), 3);
	const char *sdp = bench_sdp(&b, "10.0.0.20", 4000, "");
	assert_refused(bench_offer(&b, "new", "a", sdp, DIRECTION),
		       "Parallel session limit reached");
	const struct ng_value *reply = bench_ask(&b, "offer", "call-id", "new", "from-tag", "a",
						 "sdp", sdp, "supports[]", "load limit", NULL);
	assert_string_equal(bench_text(reply, "result"), "load limit");
	assert_string_equal(bench_text(reply, "message"), "Parallel session limit reached");
	assert_string_equal(bench_text(bench_offer(&b, "call-1", "a", sdp, DIRECTION), "result"),
			    "ok");
	bench_stop(&b);
}

static void measured_limits_are_told_by_their_names(void **state)
{
	struct bench b = {.limits = {.bandwidth_kbps = 1000, .load_percent = 80}};
	(void)state;

	bench_start(&b);
	const char *sdp = bench_sdp(&b, "10.0.0.20", 4000, "");
	b.datapath.asleep_ns += 900000000; /* 10 % busy, 800 kbit/s */
	b.datapath.rx_bytes += 100000;
	bench_advance(&b, 1000);
	assert_string_equal(bench_text(bench_offer(&b, "a", "a", sdp, DIRECTION), "result"), "ok");
	b.datapath.asleep_ns += 100000000;
	bench_advance(&b, 1000);
	const struct ng_value *reply = bench_ask(&b, "offer", "call-id", "b", "from-tag", "a",
						 "sdp", sdp, "supports[]", "load limit", NULL);
	assert_string_equal(bench_text(reply, "message"), "Load limit exceeded");
	b.datapath.asleep_ns += 1000000000;
	b.datapath.rx_bytes += 150000;
	bench_advance(&b, 1000);
	reply = bench_ask(&b, "offer", "call-id", "b", "from-tag", "a", "sdp", sdp, "supports[]",
			  "load limit", NULL);
	assert_string_equal(bench_text(reply, "message"), "Bandwidth limit exceeded");
	b.datapath.asleep_ns += 1000000000;
	bench_advance(&b, 1000);
	sessions_drain(b.sessions, true);
	assert_refused(bench_offer(&b, "b", "a", sdp, DIRECTION), "Parallel session limit reached");
	assert_string_equal(bench_text(bench_offer(&b, "a", "a", sdp, DIRECTION), "result"), "ok");
	sessions_drain(b.sessions, false);
	assert_string_equal(bench_text(bench_offer(&b, "b", "a", sdp, DIRECTION), "result"), "ok");
	bench_stop(&b);
}

static void flows_that_run_out_are_a_limit_too(void **state)
{
	struct bench *b = *state;

	b->datapath.limit = 6;
	offer_number(b, 1);
	assert_refused(
		bench_offer(b, "call-2", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION),
		"Parallel session limit reached");
	assert_int_equal(datapath_flow_count(&b->datapath), 4);
	assert_int_equal(bench_ports_in_use(b), 4);
}

static void list_is_bounded(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 40; i++)
		offer_number(b, i);
	assert_int_equal(ng_get_list(bench_ask(b, "list", NULL), "calls")->count, 32);
	assert_int_equal(ng_get_list(bench_ask(b, "list", "limit", "5", NULL), "calls")->count, 5);
	assert_int_equal(ng_get_list(bench_ask(b, "list", "limit", "99", NULL), "calls")->count,
			 40);
	assert_string_equal(bench_text(bench_ask(b, "list", "limit", "-1", NULL), "result"),
			    "error");
}

static int64_t number(const struct ng_value *dict, const char *key)
{
	int64_t value = -1;
	assert_int_equal(ng_get_integer(dict, key, &value), 0);
	return value;
}

static void query_speaks_the_clients_words(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	wan->stats = (struct flow_stats){.packets = 9,
					 .bytes = 1548,
					 .ssrc = 0x1234,
					 .last_packet_ms = b->now_ms,
					 .jitter_us = 250,
					 .source_is_locked = true,
					 .hijack_attempts = 4};
	assert_int_equal(addr_parse(SLICE("198.51.100.7:5009"), 0, &wan->stats.source), 0);
	wan->stats.drops[DROP_STRANGER] = 4;
	const struct ng_value *reply = bench_ask(b, "query", "call-id", "c", NULL);
	assert_int_equal(number(reply, "created"), 1700000000);
	assert_int_equal(number(reply, "last signal"), 1700000000);
	const struct ng_value *tag = ng_get_dict(ng_get_dict(reply, "tags"), "b");
	const struct ng_value *media = ng_first(ng_get_list(tag, "medias"));
	const struct ng_value *rtp = ng_first(ng_get_list(media, "streams"));
	assert_string_equal(bench_text(media, "type"), "audio");
	assert_int_equal(number(rtp, "local port"), 30000);
	assert_int_equal(number(ng_get_dict(rtp, "endpoint"), "port"), 5009);
	assert_int_equal(number(ng_get_dict(rtp, "advertised endpoint"), "port"), 5000);
	assert_int_equal(number(rtp, "last packet"), 1700000000);
	assert_int_equal(number(rtp, "SSRC"), 0x1234);
	assert_int_equal(number(ng_get_dict(rtp, "stats"), "packets"), 9);
	assert_int_equal(number(ng_get_dict(rtp, "stats"), "errors"), 4);
	assert_int_equal(number(ng_get_dict(rtp, "drops"), "stranger"), 4);
	assert_int_equal(number(ng_get_dict(rtp, "receive"), "hijack attempts"), 4);
	assert_int_equal(number(rtp->next, "local port"), 30001);
	assert_int_equal(number(ng_first(ng_get_list(media, "ingress SSRCs")), "SSRC"), 0x1234);
	assert_int_equal(number(ng_get_dict(ng_get_dict(reply, "totals"), "RTP"), "packets"), 9);
	/* a tag means its dialogs, both sides of them */
	reply = bench_ask(b, "query", "call-id", "c", "from-tag", "a", NULL);
	assert_int_equal(ng_get_dict(reply, "tags")->count, 2);
	reply = bench_ask(b, "query", "call-id", "c", "from-tag", "a", "to-tag", "b", NULL);
	assert_int_equal(ng_get_dict(reply, "tags")->count, 2);
	reply = bench_ask(b, "query", "call-id", "c", "from-tag", "nobody", NULL);
	assert_int_equal(ng_get_dict(reply, "tags")->count, 0);
}

/* What arrives from one side is what leaves to the other; RTCP is counted in bytes, too. */
static void query_tells_both_directions_and_how_it_went(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	fake_flow_at(&b->datapath, WAN, 30000)->stats = (struct flow_stats){
		.packets = 9,
		.bytes = 1548,
		.ssrc = 0x1234,
		.sequence = 77,
		.timestamp = 160000,
		.quality = {.samples = 3,
			    .average = {.mos = 42},
			    .lowest = {.mos = 40, .at_ms = b->now_ms},
			    .highest = {.mos = 44, .at_ms = b->now_ms},
			    .progress_count = 2,
			    .progress_step = 2,
			    .progress = {{.mos = 44, .at_ms = b->now_ms},
					 {.mos = 40, .loss_percent = 3, .at_ms = b->now_ms}}}};
	fake_flow_at(&b->datapath, WAN, 30001)->stats =
		(struct flow_stats){.rtcp_packets = 2, .rtcp_bytes = 104};
	/* the caller is on the first pair of ports, too */
	struct fake_flow *lan =
		fake_flow_of(&b->datapath, fake_flow_at(&b->datapath, WAN, 30000)->rule.rtp_to);
	lan->stats = (struct flow_stats){.sent_packets = 8, .sent_bytes = 1376};
	const struct ng_value *reply = bench_ask(b, "query", "call-id", "c", NULL);
	const struct ng_value *rtcp = ng_get_dict(ng_get_dict(reply, "totals"), "RTCP");
	assert_int_equal(number(rtcp, "packets"), 2);
	assert_int_equal(number(rtcp, "bytes"), 104);
	const struct ng_value *media =
		ng_first(ng_get_list(ng_get_dict(ng_get_dict(reply, "tags"), "a"), "medias"));
	const struct ng_value *egress = ng_get_list(media, "egress SSRCs");
	assert_int_equal(ng_get_list(media, "ingress SSRCs")->count, 0);
	assert_int_equal(egress->count, 1);
	assert_int_equal(number(ng_first(egress), "SSRC"), 0x1234);
	assert_int_equal(number(ng_first(egress), "packets"), 8);
	assert_int_equal(number(ng_first(egress), "bytes"), 1376);
	media = ng_first(ng_get_list(ng_get_dict(ng_get_dict(reply, "tags"), "b"), "medias"));
	assert_int_equal(ng_get_list(media, "egress SSRCs")->count, 0); /* nothing came from a */
	rtcp = ng_first(ng_get_list(media, "streams"))->next;
	assert_int_equal(number(ng_get_dict(rtcp, "stats"), "bytes"), 104);
	const struct ng_value *ssrc = ng_get_dict(ng_get_dict(reply, "SSRC"), "4660");
	assert_int_equal(number(ssrc, "last RTP timestamp"), 160000);
	assert_int_equal(number(ssrc, "last RTP seq"), 77);
	assert_int_equal(number(ng_get_dict(ssrc, "lowest MOS"), "reported at"), 1700000000);
	const struct ng_value *went = ng_get_dict(ssrc, "MOS progression");
	assert_int_equal(number(went, "interval"), 10);
	assert_int_equal(ng_get_list(went, "entries")->count, 2);
	const struct ng_value *last = ng_first(ng_get_list(went, "entries"))->next;
	assert_int_equal(number(last, "MOS"), 40);
	assert_int_equal(number(last, "packet loss"), 3);
	assert_int_equal(number(last, "reported at"), 1700000000);

	json_t *shown = sessions_show_call(b->sessions, b->now_ms, SLICE("c"));
	char *text = json_dumps(shown, JSON_COMPACT);
	assert_non_null(strstr(text, "\"mos_tenths\":42"));
	free(text);
	json_decref(shown);
}

static void statistics_add_up(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 3; i++)
		offer_number(b, i);
	bench_advance(b, 2000);
	bench_ask(b, "delete", "call-id", "call-0", NULL);
	bench_ask(b, "fly", NULL);
	const struct ng_value *all = ng_get_dict(bench_ask(b, "statistics", NULL), "statistics");
	assert_int_equal(number(ng_get_dict(all, "currentstatistics"), "sessionstotal"), 2);
	const struct ng_value *total = ng_get_dict(all, "totalstatistics");
	assert_int_equal(number(total, "managedsessions"), 1);
	assert_int_equal(number(total, "regularterminatedsessions"), 1);
	assert_int_equal(number(total, "relayedpackets"), 5);
	assert_string_equal(bench_text(total, "avgcallduration"), "2.000000");
	assert_int_equal(number(ng_get_dict(all, "controlstatistics"), "totaloffercount"), 3);
	assert_int_equal(number(ng_get_dict(all, "controlstatistics"), "totaldeletecount"), 1);
	assert_int_equal(number(ng_get_dict(all, "controlstatistics"), "totalstatscount"), 1);
	assert_int_equal(number(ng_get_dict(all, "controlstatistics"), "totalplaydtmfcount"), 0);
	assert_int_equal(number(ng_get_dict(all, "controlstatistics"), "totalerrorcount"), 1);
	assert_int_equal(ng_get_list(all, "interfaces")->count, 3);
}

static json_int_t at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void the_stats_socket_shows_calls_and_resources(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	fake_flow_at(&b->datapath, WAN, 30000)->stats.packets = 12;
	json_t *calls = sessions_show_calls(b->sessions, b->now_ms);
	const json_t *line = json_array_get(json_object_get(calls, "calls"), 0);
	assert_string_equal(json_string_value(json_object_get(line, "state")), "answered");
	assert_int_equal(at(line, "callee_packets"), 12);
	json_decref(calls);

	json_t *call = sessions_show_call(b->sessions, b->now_ms, SLICE("c"));
	const json_t *dialog = json_array_get(json_object_get(call, "dialogs"), 0);
	const json_t *stream = json_array_get(json_object_get(dialog, "streams"), 0);
	const json_t *side = json_array_get(json_object_get(stream, "sides"), 1);
	const json_t *rtp = json_object_get(side, "rtp");
	assert_string_equal(json_string_value(json_object_get(rtp, "local")), WAN ":30000");
	assert_string_equal(json_string_value(json_object_get(rtp, "signalled")),
			    "198.51.100.7:5000");
	json_decref(call);
	assert_null(sessions_show_call(b->sessions, b->now_ms, SLICE("d")));

	json_t *stats = sessions_show_stats(b->sessions, b->now_ms);
	const json_t *resources = json_object_get(stats, "resources");
	assert_int_equal(at(resources, "sessions"), 1);
	assert_int_equal(at(resources, "ports"), 4);
	assert_int_equal(at(resources, "flows"), 4);
	assert_int_equal(at(json_object_get(stats, "totals"), "packets"), 5);
	json_decref(stats);
	json_t *interfaces = sessions_show_interfaces(b->sessions, b->now_ms);
	const json_t *device = json_array_get(json_object_get(interfaces, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(device, "driver")), "af_xdp");
	json_decref(interfaces);
}

static void strangers_are_counted_on_their_call(void **state)
{
	struct bench *b = *state;

	b->log.fd = -1; /* a warning, meant for the operator */
	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	b->datapath.events[0] = (struct datapath_event){
		.type = DATAPATH_HIJACK, .flow = fake_flow_at(&b->datapath, WAN, 30000)->id};
	b->datapath.events[1] =
		(struct datapath_event){.type = DATAPATH_HIJACK, .flow = {999}}; /* gone */
	b->datapath.event_count = 2;
	sessions_events(b->sessions);
	assert_int_equal(sessions_counters(b->sessions)->hijack_attempts, 1);
	json_t *calls = sessions_show_calls(b->sessions, b->now_ms);
	assert_int_equal(at(json_array_get(json_object_get(calls, "calls"), 0), "hijack_attempts"),
			 1);
	json_decref(calls);
}

static void the_list_of_ended_calls_comes_in_parts(void **state)
{
	struct bench b = {.last_port = 9999};
	char name[400];
	unsigned seen = 0;
	int64_t since = 0;
	(void)state;

	bench_start(&b);
	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "%0390u", i);
		bench_offer(&b, name, "a", bench_sdp(&b, "10.0.0.20", 4000, ""), DIRECTION);
	}
	bench_advance(&b, SESSIONS_OFFER_MS);
	for (int round = 0; round < 10 && since < 400; round++) {
		const char *text = arena_printf(b.arena, "%d", (int)since);
		const struct ng_value *pong = bench_ask(&b, "ping", "since", text, NULL);
		assert_true(b.encoded.len < 60000);
		seen += ng_get_list(pong, "ended")->count;
		since = number(pong, "sequence");
	}
	assert_int_equal(seen, 400);
	/* a number of another instance: everything that is known */
	assert_true(ng_get_list(bench_ask(&b, "ping", "since", "999999", NULL), "ended")->count >
		    0);
	bench_stop(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrong_requests_are_told_what_is_wrong),
		TEST(unknown_names_are_passed_over),
		TEST(what_we_cannot_do_is_refused_by_name),
		TEST(a_full_range_is_told_to_each_client_in_its_words),
		cmocka_unit_test(the_session_limit_stops_new_calls_only),
		cmocka_unit_test(measured_limits_are_told_by_their_names),
		TEST(flows_that_run_out_are_a_limit_too),
		TEST(list_is_bounded),
		TEST(query_speaks_the_clients_words),
		TEST(query_tells_both_directions_and_how_it_went),
		TEST(statistics_add_up),
		TEST(the_stats_socket_shows_calls_and_resources),
		TEST(strangers_are_counted_on_their_call),
		cmocka_unit_test(the_list_of_ended_calls_comes_in_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
