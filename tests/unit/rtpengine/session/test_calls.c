/* A call's life: offers, answers, forks, deletes, time-outs. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
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

static const char *result(const struct ng_value *reply)
{
	return bench_text(reply, "result");
}

/* lan 10.0.0.20:4000 calls wan 198.51.100.7:5000; our ports are 20000 and 30000. */
static void establish(struct bench *b, const char *call_id)
{
	assert_string_equal(result(bench_offer(b, call_id, "a", bench_sdp(b, "10.0.0.20", 4000, ""),
					       DIRECTION)),
			    "ok");
	assert_string_equal(
		result(bench_answer(b, call_id, "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "")),
		"ok");
}

static void packet_now(struct bench *b, const char *address, unsigned port)
{
	struct fake_flow *flow = fake_flow_at(&b->datapath, address, port);
	assert_non_null(flow);
	flow->stats.packets++;
	flow->stats.last_packet_ms = b->now_ms;
}

static void nobody_is_admitted_before_the_answer(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	assert_int_equal(datapath_flow_count(&b->datapath), 4);
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rules, 0);
	assert_int_equal(fake_flow_at(&b->datapath, LAN, 20000)->rules, 0);
}

static void a_refused_reinvite_changes_nothing(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	struct flow_rule before = fake_flow_at(&b->datapath, LAN, 20000)->rule;
	/* hold, elsewhere: answered with 488, which the relay never hears of */
	bench_offer(b, "c", "a b", bench_sdp(b, "10.0.0.99", 7000, "a=sendonly\r\n"), "");
	assert_memory_equal(&before, &fake_flow_at(&b->datapath, LAN, 20000)->rule, sizeof(before));
	/* T.38 in place of audio, refused as well */
	bench_offer(b, "c", "a b",
		    "v=0\r\no=- 1 2 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
		    "m=image 4000 udptl t38\r\n",
		    "");
	assert_memory_equal(&before, &fake_flow_at(&b->datapath, LAN, 20000)->rule, sizeof(before));
	assert_int_equal(datapath_flow_count(&b->datapath), 4);
}

static void t38_takes_the_ports_of_the_audio_and_gives_them_back(void **state)
{
	struct bench *b = *state;
	const char *fax =
		"v=0\r\no=- 1 2 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
		"m=image 4000 udptl t38\r\n";
	const char *fax_answer =
		"v=0\r\no=- 1 2 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
		"m=image 5000 udptl t38\r\n";

	establish(b, "c");
	bench_offer(b, "c", "a b", fax, "");
	assert_string_equal(result(bench_answer(b, "c", "a b", fax_answer, "")), "ok");
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rule.kind, FLOW_OTHER);
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30001)->rule.source.mode,
			 FLOW_SOURCE_CLOSED);
	bench_offer(b, "c", "b a", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	bench_answer(b, "c", "b a", bench_sdp(b, "10.0.0.20", 4000, ""), "");
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rule.kind, FLOW_RTP);
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30001)->rule.source.mode,
			 FLOW_SOURCE_LEARN);
	assert_int_equal(bench_ports_in_use(b), 4);
}

static void hold_stops_packets_one_way_and_rtcp_goes_on(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	bench_offer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 4000, "a=sendonly\r\n"), "");
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, "a=recvonly\r\n"), "");
	struct fake_flow *lan = fake_flow_at(&b->datapath, LAN, 20000);
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	assert_int_equal(lan->rule.rtp_to.value, wan->id.value);
	assert_int_equal(wan->rule.rtp_to.value, 0);
	assert_true(flow_id_is_set(fake_flow_at(&b->datapath, WAN, 30001)->rule.rtcp_to));
	/* resume */
	bench_offer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 4000, ""), "");
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	assert_int_equal(wan->rule.rtp_to.value, lan->id.value);
}

static void silence_ends_the_call_and_ping_says_so(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	bench_advance(b, 50000);
	packet_now(b, WAN, 30000);
	bench_advance(b, 59999); /* 60 s after the answer it looked, and saw that packet */
	assert_int_equal(sessions_count(b->sessions), 1);
	bench_advance(b, 1);
	assert_int_equal(sessions_count(b->sessions), 0);
	assert_int_equal(datapath_flow_count(&b->datapath), 0);
	assert_int_equal(sessions_counters(b->sessions)->timed_out, 1);

	const struct ng_value *pong = bench_ask(b, "ping", "since", "0", NULL);
	int64_t sequence;
	assert_string_equal(result(pong), "pong");
	assert_string_equal(bench_text(pong, "instance"), sessions_instance(b->sessions));
	assert_int_equal(ng_get_integer(pong, "sequence", &sequence), 0);
	assert_int_equal(sequence, 1);
	assert_true(ng_list_has(pong, "ended", "c"));
	pong = bench_ask(b, "ping", "since", "1", NULL);
	assert_int_equal(ng_get_list(pong, "ended")->count, 0);
	/* the first ping of a client: who is there, and where to count from */
	pong = bench_ask(b, "ping", NULL);
	assert_string_equal(bench_text(pong, "instance"), sessions_instance(b->sessions));
	assert_int_equal(ng_get_integer(pong, "sequence", &sequence), 0);
	assert_int_equal(sequence, 1);
	assert_null(ng_dict_get(pong, "ended"));
}

static void rtcp_is_a_sign_of_life(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	bench_advance(b, 55000);
	fake_flow_at(&b->datapath, LAN, 20001)->stats.last_rtcp_ms = b->now_ms;
	bench_advance(b, 50000);
	assert_int_equal(sessions_count(b->sessions), 1);
}

static void a_held_call_is_not_ended_by_silence(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	bench_offer(b, "c", "a b", bench_sdp(b, "10.0.0.20", 4000, "a=inactive\r\n"), "");
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, "a=inactive\r\n"), "");
	bench_advance(b, SESSIONS_HELD_MS - 1);
	assert_int_equal(sessions_count(b->sessions), 1);
	bench_advance(b, 1);
	assert_int_equal(sessions_count(b->sessions), 0);
	assert_int_equal(sessions_counters(b->sessions)->held_timed_out, 1);
}

static void a_zero_address_is_a_hold_too(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	bench_offer(b, "c", "a b", bench_sdp(b, "0.0.0.0", 4000, ""), "");
	bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rule.rtp_to.value, 0);
	/* where the holder is reached stays known */
	assert_int_equal(fake_flow_at(&b->datapath, LAN, 20000)->rule.remote.port, 4000);
	bench_advance(b, 120000);
	assert_int_equal(sessions_count(b->sessions), 1);
}

static void an_offer_nobody_answers_gives_its_ports_back(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_advance(b, SESSIONS_OFFER_MS);
	assert_int_equal(sessions_count(b->sessions), 0);
	assert_int_equal(bench_ports_in_use(b), 0);
	assert_int_equal(sessions_counters(b->sessions)->offer_timed_out, 1);
}

static void reoffers_keep_their_ports(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	for (int i = 0; i < 20; i++) {
		bench_offer(b, "c", "b a", bench_sdp(b, "198.51.100.7", 5000, ""), "");
		bench_answer(b, "c", "b a", bench_sdp(b, "10.0.0.20", 4000, ""), "");
		bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
		bench_answer(b, "c", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	}
	assert_int_equal(bench_ports_in_use(b), 4);
	assert_non_null(fake_flow_at(&b->datapath, LAN, 20000));
	assert_non_null(fake_flow_at(&b->datapath, WAN, 30000));
}

static void the_last_fork_to_answer_gets_the_media(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_answer(b, "c", "a b1", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	struct fake_flow *wan = fake_flow_at(&b->datapath, WAN, 30000);
	uint32_t epoch = wan->rule.source.epoch;
	bench_answer(b, "c", "a b1", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	assert_int_equal(wan->rule.source.epoch, epoch); /* the same answer again */
	bench_answer(b, "c", "a b2", bench_sdp(b, "198.51.100.8", 6000, ""), "");
	assert_int_equal(wan->rule.remote.port, 6000);
	assert_int_not_equal(wan->rule.source.epoch, epoch);
	/* the loser is still known by its tag: its late BYE finds the call, not an error */
	const struct ng_value *query = bench_ask(b, "query", "call-id", "c", NULL);
	const struct ng_value *tag = ng_get_dict(ng_get_dict(query, "tags"), "b2");
	assert_non_null(tag);
	assert_true(ng_list_has(tag, "tag-aliases", "b1"));
}

static void branches_with_an_offer_each_have_ports_each(void **state)
{
	struct bench *b = *state;
	const char *sdp = bench_sdp(b, "10.0.0.20", 4000, "");

	bench_offer(b, "c", "a", sdp, DIRECTION " via-branch=br0");
	bench_offer(b, "c", "a", sdp, DIRECTION " via-branch=br1");
	bench_offer(b, "c", "a", sdp, DIRECTION " via-branch=br1"); /* again */
	assert_int_equal(bench_ports_in_use(b), 8);
	bench_answer(b, "c", "a b1", bench_sdp(b, "198.51.100.8", 6000, ""), "via-branch=br1");
	bench_answer(b, "c", "a b0", bench_sdp(b, "198.51.100.7", 5000, ""), "via-branch=br0");
	assert_int_equal(fake_flow_at(&b->datapath, WAN, 30000)->rule.remote.port, 5000);
	/* one branch failed: the other stays */
	assert_string_equal(result(bench_ask(b, "delete", "call-id", "c", "from-tag", "a",
					     "via-branch", "br0", NULL)),
			    "ok");
	assert_int_equal(bench_ports_in_use(b), 4);
	assert_int_equal(sessions_count(b->sessions), 1);
	bench_ask(b, "delete", "call-id", "c", "from-tag", "b1", NULL);
	assert_int_equal(sessions_count(b->sessions), 0);
}

static void delete_reads_tags_as_clients_send_them(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	/* Kamailio: a to-tag without the flag does not count */
	const struct ng_value *reply =
		bench_ask(b, "delete", "call-id", "c", "from-tag", "zz", "to-tag", "b", NULL);
	assert_string_equal(result(reply), "ok");
	assert_true(bench_text(reply, "warning")[0] != '\0');
	assert_int_equal(sessions_count(b->sessions), 1);
	/* the flag makes it count */
	bench_ask(b, "delete", "call-id", "c", "from-tag", "a", "to-tag", "x", "flags[]", "to-tag",
		  NULL);
	assert_int_equal(sessions_count(b->sessions), 1);
	bench_ask(b, "delete", "call-id", "c", "from-tag", "a", "to-tag", "b", "flags[]", "to-tag",
		  NULL);
	assert_int_equal(sessions_count(b->sessions), 0);
	/* OpenSIPS sends no from-tag at all */
	establish(b, "c");
	assert_string_equal(result(bench_ask(b, "delete", "call-id", "c", NULL)), "ok");
	assert_int_equal(sessions_count(b->sessions), 0);
	/* unknown: a warning, or an error when asked to be strict */
	assert_string_equal(result(bench_ask(b, "delete", "call-id", "c", NULL)), "ok");
	assert_string_equal(
		result(bench_ask(b, "delete", "call-id", "c", "flags[]", "fatal", NULL)), "error");
}

static void a_refusal_with_its_own_tag_ends_the_offer(void **state)
{
	struct bench *b = *state;

	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_ask(b, "delete", "call-id", "c", "from-tag", "a", "to-tag", "busy", "flags[]",
		  "to-tag", NULL);
	assert_int_equal(sessions_count(b->sessions), 0);
}

static void a_delayed_delete_may_be_taken_back_by_an_offer(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	/* Kamailio sends it twice, as a number and as a text */
	bench_ask(b, "delete", "call-id", "c", "delete delay", "30", "delete-delay", "30", NULL);
	bench_advance(b, 29000);
	assert_int_equal(sessions_count(b->sessions), 1);
	bench_offer(b, "c", "a", bench_sdp(b, "10.0.0.20", 4000, ""), DIRECTION);
	bench_advance(b, 5000);
	assert_int_equal(sessions_count(b->sessions), 1);
	bench_ask(b, "delete", "call-id", "c", "delete-delay", "2", NULL);
	bench_advance(b, 2000);
	assert_int_equal(sessions_count(b->sessions), 0);
	assert_int_equal(sessions_counters(b->sessions)->deleted, 1);
	const struct ng_value *pong = bench_ask(b, "ping", "since", "0", NULL);
	assert_int_equal(ng_get_list(pong, "ended")->count, 0); /* it was asked for */
}

static void the_delete_reply_holds_the_last_numbers(void **state)
{
	struct bench *b = *state;

	establish(b, "c");
	struct fake_flow *lan = fake_flow_at(&b->datapath, LAN, 20000);
	lan->stats = (struct flow_stats){.packets = 50, .bytes = 8600, .lost = 3, .ssrc = 77};
	const struct ng_value *reply = bench_ask(b, "delete", "call-id", "c", NULL);
	const struct ng_value *rtp = ng_get_dict(ng_get_dict(reply, "totals"), "RTP");
	int64_t packets, lost;
	assert_int_equal(ng_get_integer(rtp, "packets", &packets), 0);
	assert_int_equal(packets, 50);
	assert_int_equal(ng_get_integer(ng_get_dict(ng_get_dict(reply, "SSRC"), "77"),
					"cumulative loss", &lost),
			 0);
	assert_int_equal(lost, 3);
	establish(b, "d");
	reply = bench_ask(b, "delete", "call-id", "d", "flags[]", "fast", NULL);
	assert_null(ng_dict_get(reply, "totals"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_is_admitted_before_the_answer),
		TEST(a_refused_reinvite_changes_nothing),
		TEST(t38_takes_the_ports_of_the_audio_and_gives_them_back),
		TEST(hold_stops_packets_one_way_and_rtcp_goes_on),
		TEST(silence_ends_the_call_and_ping_says_so),
		TEST(rtcp_is_a_sign_of_life),
		TEST(a_held_call_is_not_ended_by_silence),
		TEST(a_zero_address_is_a_hold_too),
		TEST(an_offer_nobody_answers_gives_its_ports_back),
		TEST(reoffers_keep_their_ports),
		TEST(the_last_fork_to_answer_gets_the_media),
		TEST(branches_with_an_offer_each_have_ports_each),
		TEST(delete_reads_tags_as_clients_send_them),
		TEST(a_refusal_with_its_own_tag_ends_the_offer),
		TEST(a_delayed_delete_may_be_taken_back_by_an_offer),
		TEST(the_delete_reply_holds_the_last_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
