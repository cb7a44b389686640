/* test_sdes.c - a=crypto lines, the choice among them, and what the flows get for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "bench.h"
#include "rtpengine/session/sdes.h"

#define KEY30   "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define KEY30_B "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
#define KEY28   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw=="
#define KEY46   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLQ=="
#define TO_WAN  "direction=lan direction=wan "
#define TO_LAN  "direction=wan direction=lan "

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	bench_start(b);
	b->random_state = 4711;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_stop(*state);
	free(*state);
	return 0;
}

static int read_line(const char *text, struct sdes_line *line)
{
	return sdes_line_read((struct slice){text, strcspn(text, "\r\n")}, line);
}

static void lines_are_read_in_all_their_forms(void **state)
{
	struct sdes_line line;
	(void)state;
	assert_int_equal(read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30, &line), 0);
	assert_int_equal(line.tag, 1);
	assert_int_equal(line.suite, FLOW_SRTP_AES_CM_128_HMAC_SHA1_80);
	assert_memory_equal(line.key, "YS__", 4);
	assert_int_equal(read_line("999999999 aes_cm_128_hmac_sha1_32 INLINE:" KEY30
				   "|2^20|66051:4 KDR=0 WSH=64 -x=y",
				   &line),
			 0);
	assert_int_equal(line.mki_len, 4);
	assert_memory_equal(line.mki, "\0\1\2\3", 4);
	assert_int_equal(
		read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1:1|1048576", &line) != 0,
		true);
	assert_int_equal(read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1:128", &line), 0);
	assert_int_equal(line.mki_len, 128);
	assert_int_equal(line.mki[127], 1);
	/* padding written, and forgotten */
	assert_int_equal(read_line("2 AEAD_AES_128_GCM inline:" KEY28, &line), 0);
	assert_int_equal(read_line("2 AEAD_AES_128_GCM inline:"
				   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw",
				   &line),
			 0);
	assert_int_equal(line.key[15], 15);
	assert_int_equal(line.salt[11], 27);
	assert_int_equal(read_line("3 AES_256_CM_HMAC_SHA1_80 inline:" KEY46, &line), 0);
	assert_int_equal(line.salt[13], 45);
}

static void what_may_not_be_chosen_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"1",
		"1 AES_CM_128_HMAC_SHA1_80",
		"x AES_CM_128_HMAC_SHA1_80 inline:" KEY30,
		"1000000000 AES_CM_128_HMAC_SHA1_80 inline:" KEY30,
		"1 AES_CM_128_HMAC_MD5 inline:" KEY30,
		"1 F8_128_HMAC_SHA1_80 inline:" KEY30,
		"1 NULL_HMAC_SHA1_80 inline:" KEY30,
		"1 AES_CM_128_HMAC_SHA1_80 " KEY30,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY28,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "AA",
		"1 AES_CM_128_HMAC_SHA1_80 inline:*VNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "=",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^49",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|x",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^20|1:0",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^20|1:129",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^20|256:1",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 ";inline:" KEY30_B,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " KDR=1",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNENCRYPTED_SRTP",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNENCRYPTED_SRTCP",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNAUTHENTICATED_SRTP",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " FEC_ORDER=SRTP_FEC",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " SOMETHING",
		"1 AEAD_AES_128_GCM inline:=",
		"1 AEAD_AES_128_GCM inline:====",
	};
	struct sdes_line line;
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (read_line(lines[i], &line) == 0)
			fail_msg("taken: %s", lines[i]);
}

static void lines_come_back_as_written(void **state)
{
	struct sdes_line line, again;
	struct buf text;
	(void)state;
	buf_init(&text);
	for (unsigned suite = 1; suite < FLOW_SRTP_SUITES; suite++) {
		memset(&line, 0, sizeof(line));
		line.suite = (enum flow_srtp_suite)suite;
		line.tag = suite;
		for (unsigned i = 0; i < flow_srtp_info(suite)->key_len; i++)
			line.key[i] = (uint8_t)(i * 37 + suite);
		for (unsigned i = 0; i < flow_srtp_info(suite)->salt_len; i++)
			line.salt[i] = (uint8_t)(255 - i);
		buf_clear(&text);
		sdes_line_write(&line, &text);
		assert_int_equal(sdes_line_read(buf_slice(&text), &again), 0);
		assert_memory_equal(&again, &line, sizeof(line));
	}
	buf_free(&text);
}

static const char *sdp(struct bench *b, const char *address, const char *protocol,
		       const char *lines)
{
	char *text =
		bench_sdp(b, address, address[0] == '1' && address[1] == '0' ? 4000 : 5000, lines);
	char *at = strstr(text, "RTP/AVP");
	return arena_printf(b->arena, "%.*s%s%s", (int)(at - text), text, protocol,
			    at + strlen("RTP/AVP"));
}

static const char *ask_ok(const struct ng_value *reply)
{
	assert_string_equal(bench_text(reply, "error-reason"), "");
	return bench_text(reply, "sdp");
}

static const char *reason(const struct ng_value *reply)
{
	return bench_text(reply, "error-reason");
}

/* The n-th a=crypto of a body, as a line of the arena. */
static char *crypto(struct bench *b, const char *body, unsigned n)
{
	const char *at = strstr(body, "a=crypto:");
	while (at && n--)
		at = strstr(at + 1, "a=crypto:");
	return at ? arena_printf(b->arena, "%.*s\r\n", (int)strcspn(at, "\r\n"), at) : NULL;
}

/* Of the newest call: ports are drawn at random here, as keys are. */
static struct flow_rule *rule(struct bench *b, const char *address, unsigned odd)
{
	struct addr addr;
	struct fake_flow *found = NULL;
	assert_int_equal(addr_parse_ip(slice_from(address), &addr), 0);
	for (unsigned i = 0; i < FAKE_BUCKETS; i++)
		for (struct fake_flow *at = b->datapath.flows[i]; at; at = at->next)
			if (addr_equal_ip(&at->local, &addr) && (at->local.port & 1u) == odd &&
			    (!found || at->id.value > found->id.value))
				found = at;
	assert_non_null(found);
	return &found->rule;
}

static void rtp_becomes_sdes_and_back(void **state)
{
	struct bench *b = *state;
	const char *offered = ask_ok(bench_offer(b, "c", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""),
						 TO_WAN "transport-protocol=RTP/SAVP"));
	assert_non_null(strstr(offered, "RTP/SAVP 8"));
	assert_non_null(strstr(offered, "a=crypto:1 AEAD_AES_128_GCM inline:"));
	assert_non_null(crypto(b, offered, 4));
	assert_null(crypto(b, offered, 5));
	const char *answer = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:" KEY30_B "\r\n";
	const char *answered =
		ask_ok(bench_answer(b, "c", "a b", sdp(b, "198.51.100.7", "RTP/SAVP", answer), ""));
	assert_null(strstr(answered, "crypto"));
	assert_non_null(strstr(answered, "RTP/AVP"));

	struct flow_rule *wan = rule(b, WAN, 0), *lan = rule(b, LAN, 0);
	assert_int_equal(lan->srtp_in.suite, FLOW_SRTP_NONE);
	assert_int_equal(lan->srtp_out.suite, FLOW_SRTP_NONE);
	assert_false(lan->needs_srtp);
	assert_int_equal(wan->kind, FLOW_RTP);
	assert_int_equal(wan->srtp_in.suite, FLOW_SRTP_AES_CM_128_HMAC_SHA1_80);
	assert_int_equal(wan->source.mode, FLOW_SOURCE_SECURE);
	assert_true(wan->needs_srtp);
	struct sdes_line line;
	assert_int_equal(read_line(strchr(crypto(b, offered, 3), ':') + 1, &line), 0);
	assert_memory_equal(wan->srtp_out.key, line.key, sizeof(line.key));
	assert_memory_equal(wan->srtp_out.salt, line.salt, sizeof(line.salt));
	assert_int_equal(read_line(strchr(answer, ':') + 1, &line), 0);
	assert_memory_equal(wan->srtp_in.key, line.key, sizeof(line.key));
	assert_memory_equal(&rule(b, WAN, 1)->srtp_in, &wan->srtp_in, sizeof(wan->srtp_in));
}

static void sdes_becomes_rtp(void **state)
{
	struct bench *b = *state;
	const char *lines = "a=crypto:7 F8_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"
			    "a=crypto:8 AES_CM_128_HMAC_SHA1_32 inline:" KEY30 "|2^31|1:1\r\n"
			    "a=crypto:9 AEAD_AES_128_GCM inline:" KEY28 "\r\n";
	const char *offered =
		ask_ok(bench_offer(b, "c", "a", sdp(b, "198.51.100.7", "RTP/SAVP", lines),
				   TO_LAN "transport-protocol=RTP/AVP"));
	assert_null(strstr(offered, "crypto"));
	const char *answered =
		ask_ok(bench_answer(b, "c", "a b", sdp(b, "10.0.0.20", "RTP/AVP", ""), ""));
	assert_non_null(strstr(answered, "RTP/SAVP"));
	assert_non_null(strstr(answered, "a=crypto:8 AES_CM_128_HMAC_SHA1_32 inline:"));
	assert_null(crypto(b, answered, 1));
	assert_int_equal(rule(b, WAN, 0)->srtp_in.mki_len, 1);
	assert_int_equal(rule(b, WAN, 0)->srtp_out.mki_len, 0);
	assert_memory_not_equal(rule(b, WAN, 0)->srtp_out.key, rule(b, WAN, 0)->srtp_in.key, 16);

	/* preferred by the answer's client */
	answered = ask_ok(bench_answer(b, "c", "a b", sdp(b, "10.0.0.20", "RTP/AVP", ""),
				       "SDES-offerer_pref:AEAD_AES_256_GCM;AEAD_AES_128_GCM"));
	assert_non_null(strstr(answered, "a=crypto:9 AEAD_AES_128_GCM inline:"));
}

static void nothing_secure_is_relayed_in_clear(void **state)
{
	struct bench *b = *state;
	assert_non_null(strstr(
		reason(bench_offer(b, "c", "a", sdp(b, "198.51.100.7", "RTP/SAVP", ""), TO_LAN)),
		"without an a=crypto"));
	assert_non_null(strstr(
		reason(bench_offer(b, "c", "a",
				   sdp(b, "198.51.100.7", "RTP/SAVP",
				       "a=crypto:1 F8_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"),
				   TO_LAN)),
		"without an a=crypto"));
	assert_non_null(strstr(reason(bench_offer(b, "c", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""),
						  TO_WAN "RTP/SAVP SDES-off")),
			       "SDES=off"));
	ask_ok(bench_offer(b, "c", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""), TO_WAN "RTP/SAVP"));
	static const char *const bad[][2] = {
		{"RTP/SAVP", ""},
		{"RTP/AVP", ""},
		{"RTP/SAVP", "a=crypto:99 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"},
		{"RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(strstr(
			reason(bench_answer(b, "c", "a b",
					    sdp(b, "198.51.100.7", bad[i][0], bad[i][1]), "")),
			"without an a=crypto that was offered"));
	/* and secure is not what was not asked for */
	ask_ok(bench_offer(b, "d", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""), TO_WAN));
	assert_non_null(
		strstr(reason(bench_answer(b, "d", "a b",
					   sdp(b, "198.51.100.7", "RTP/SAVP", bad[3][1]), "")),
		       "without an a=crypto"));
}

static void suites_are_filtered_and_ordered(void **state)
{
	struct bench *b = *state;
	const char *plain = sdp(b, "10.0.0.20", "RTP/AVP", "");
	const char *body = ask_ok(bench_offer(b, "1", "a", plain,
					      TO_WAN "RTP/SAVP SDES-only-AES_192_CM_HMAC_SHA1_80"));
	assert_non_null(strstr(body, "a=crypto:1 AES_192_CM_HMAC_SHA1_80"));
	assert_null(crypto(b, body, 1));
	body = ask_ok(bench_offer(b, "2", "a", plain,
				  TO_WAN "RTP/SAVP SDES-no-AEAD_AES_128_GCM "
					 "SDES-order:AES_CM_128_HMAC_SHA1_32;AEAD_AES_128_GCM"));
	assert_non_null(strstr(body, "a=crypto:1 AES_CM_128_HMAC_SHA1_32"));
	assert_non_null(strstr(body, "a=crypto:2 AEAD_AES_256_GCM"));
	assert_null(strstr(body, "AEAD_AES_128_GCM"));
	/* the offerer's come first; alone, if so wished */
	const char *lines = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:" KEY30 "\r\n";
	const char *secure = sdp(b, "10.0.0.20", "RTP/SAVP", lines);
	body = ask_ok(bench_offer(b, "3", "a", secure, TO_WAN));
	assert_non_null(strstr(body, "a=crypto:1 AES_CM_128_HMAC_SHA1_32"));
	assert_null(strstr(body, KEY30)); /* never the other side's key */
	assert_non_null(crypto(b, body, 4));
	body = ask_ok(bench_offer(b, "4", "a", secure, TO_WAN "SDES-nonew"));
	assert_null(crypto(b, body, 1));
	assert_non_null(strstr(reason(bench_offer(b, "5", "a", secure,
						  TO_WAN "SDES-nonew "
							 "SDES-no-AES_CM_128_HMAC_SHA1_32")),
			       "no suite"));
}

static void keys_stay_until_somebody_changes_one(void **state)
{
	struct bench *b = *state;
	const char *line = "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n";
	const char *other = "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:" KEY30_B "\r\n";
	const char *plain = sdp(b, "10.0.0.20", "RTP/AVP", "");
	char *ours[4];
	const char *said[] = {line, line, other, other};
	for (unsigned i = 0; i < 4; i++) {
		ask_ok(bench_offer(b, "c", "a", sdp(b, "198.51.100.7", "RTP/SAVP", said[i]),
				   TO_LAN "RTP/AVP"));
		ours[i] = crypto(b, ask_ok(bench_answer(b, "c", "a b", plain, "")), 0);
	}
	assert_string_equal(ours[0], ours[1]);
	assert_string_not_equal(ours[1], ours[2]);
	assert_string_equal(ours[2], ours[3]);
	/* the other way about, a re-offer goes on with the key in effect, first of all */
	const char *body = ask_ok(bench_offer(b, "c", "b a", plain, "RTP/SAVP"));
	assert_non_null(strstr(crypto(b, body, 0), strstr(ours[3], "AES_CM_128")));
}

static void a_secure_interface_admits_nothing_in_clear(void **state)
{
	struct bench *b = *state;
	struct session_interface policies[2];
	bench_interfaces(b, policies);
	policies[0].source = SESSION_SOURCE_SDP_ONLY;
	policies[1].source = SESSION_SOURCE_SECURE;
	assert_int_equal(sessions_follow(b->sessions, policies, 2), 0);
	ask_ok(bench_offer(b, "c", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""), TO_WAN));
	ask_ok(bench_answer(b, "c", "a b", sdp(b, "198.51.100.7", "RTP/AVP", ""), ""));
	assert_true(rule(b, WAN, 0)->needs_srtp);
	assert_int_equal(rule(b, WAN, 0)->srtp_in.suite, FLOW_SRTP_NONE);
	assert_false(rule(b, LAN, 0)->needs_srtp);
	policies[1].source = SESSION_SOURCE_ICE;
	assert_int_equal(sessions_follow(b->sessions, policies, 2), 0);
	ask_ok(bench_offer(b, "d", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""), TO_WAN));
	ask_ok(bench_answer(b, "d", "a b", sdp(b, "198.51.100.7", "RTP/AVP", ""), ""));
	assert_int_equal(rule(b, WAN, 0)->source.mode, FLOW_SOURCE_CLOSED);
	assert_int_equal(rule(b, LAN, 0)->source.mode, FLOW_SOURCE_EXACT);
}

static void osrtp_is_offered_and_accepted_on_request(void **state)
{
	struct bench *b = *state;
	const char *line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n";
	/* without the word, lines beside RTP/AVP say nothing */
	ask_ok(bench_offer(b, "1", "a", sdp(b, "198.51.100.7", "RTP/AVP", line), TO_LAN));
	assert_null(
		strstr(ask_ok(bench_answer(b, "1", "a b", sdp(b, "10.0.0.20", "RTP/AVP", ""), "")),
		       "crypto"));
	assert_false(rule(b, WAN, 0)->needs_srtp);
	ask_ok(bench_offer(b, "2", "a", sdp(b, "198.51.100.7", "RTP/AVP", line),
			   TO_LAN "OSRTP-accept"));
	const char *body =
		ask_ok(bench_answer(b, "2", "a b", sdp(b, "10.0.0.20", "RTP/AVP", ""), ""));
	assert_non_null(strstr(body, "RTP/AVP"));
	assert_non_null(strstr(body, "a=crypto:1 AES_CM_128_HMAC_SHA1_80"));
	/* offered: taken, or not */
	body = ask_ok(
		bench_offer(b, "3", "a", sdp(b, "10.0.0.20", "RTP/AVP", ""), TO_WAN "OSRTP-offer"));
	assert_non_null(strstr(body, "RTP/AVP"));
	assert_non_null(crypto(b, body, 3));
	ask_ok(bench_answer(b, "3", "a b", sdp(b, "198.51.100.7", "RTP/AVP", ""), ""));
	ask_ok(bench_answer(b, "3", "a b",
			    sdp(b, "198.51.100.7", "RTP/AVP",
				"a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"),
			    ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_in_all_their_forms),
		cmocka_unit_test(what_may_not_be_chosen_is_refused),
		cmocka_unit_test(lines_come_back_as_written),
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(rtp_becomes_sdes_and_back),
		TEST(sdes_becomes_rtp),
		TEST(nothing_secure_is_relayed_in_clear),
		TEST(suites_are_filtered_and_ordered),
		TEST(keys_stay_until_somebody_changes_one),
		TEST(a_secure_interface_admits_nothing_in_clear),
		TEST(osrtp_is_offered_and_accepted_on_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
