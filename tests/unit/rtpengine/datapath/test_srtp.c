/* test_srtp.c - the stages srtp_in and srtp_out beside libsrtp2, packet by packet; and what no
 * oracle says: that nothing changes for a packet that is not authentic.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include <stdlib.h>
#include "oracle.h"
#include "rtpengine/datapath/srtp.h"

static const char *const LAN = "10.0.0.9:4000";
static const char *const LAN_TO = "10.0.0.1:30000";
static const char *const WAN = "192.0.2.9:5000";
static const char *const WAN_TO = "192.0.2.1:30000";

struct rig {
	struct bench *b;
	struct srtp_crypto *crypto;
	struct srtp_context *in, *out;
	struct oracle *peer_out, *peer_in; /* the far phone: what it sends, what it gets */
	uint64_t random;
};

static uint32_t draw(struct rig *rig)
{
	rig->random = rig->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rig->random >> 33);
}

static struct flow_srtp make_key(struct rig *rig, enum flow_srtp_suite suite, uint8_t mki_len)
{
	struct flow_srtp srtp = {.suite = suite, .mki_len = mki_len};
	for (unsigned i = 0; i < sizeof(srtp.key); i++)
		srtp.key[i] = (uint8_t)draw(rig);
	for (unsigned i = 0; i < sizeof(srtp.salt); i++)
		srtp.salt[i] = (uint8_t)draw(rig);
	for (unsigned i = 0; i < mki_len; i++)
		srtp.mki[i] = (uint8_t)draw(rig);
	return srtp;
}

static void drop_keys(struct rig *rig)
{
	srtp_context_put(rig->in);
	srtp_context_put(rig->out);
	if (rig->peer_in) {
		oracle_destroy(rig->peer_in);
		oracle_destroy(rig->peer_out);
	}
}

/* Fresh keys on the WAN flow, here and there. */
static void use_suite(struct rig *rig, enum flow_srtp_suite suite, uint8_t mki_len)
{
	struct flow_srtp theirs = make_key(rig, suite, mki_len);
	struct flow_srtp ours = make_key(rig, suite, mki_len);
	struct flow *wan = &rig->b->flows[1];
	drop_keys(rig);
	assert_int_equal(srtp_context_create(rig->crypto, &theirs, false, &rig->in), 0);
	assert_int_equal(srtp_context_create(rig->crypto, &ours, true, &rig->out), 0);
	rig->peer_out = oracle_create(&theirs, true);
	rig->peer_in = oracle_create(&ours, false);
	wan->srtp_in = rig->in;
	wan->srtp_out = rig->out;
	wan->has_srtp = true;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	rig->random = 42;
	rig->b = bench_create();
	bench_pair(rig->b);
	rig->b->flows[0].kind = rig->b->flows[1].kind = FLOW_MUX;
	assert_int_equal(srtp_lcore_create(&rig->b->lcore.srtp), 0);
	assert_int_equal(srtp_crypto_create(&rig->crypto), 0);
	use_suite(rig, FLOW_SRTP_AES_CM_128_HMAC_SHA1_80, 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	drop_keys(rig);
	srtp_crypto_destroy(rig->crypto);
	srtp_lcore_destroy(rig->b->lcore.srtp);
	bench_destroy(rig->b);
	free(rig);
	return 0;
}

static uint16_t make_rtp(struct rig *rig, uint8_t *rtp, uint16_t sequence, uint32_t ssrc)
{
	unsigned csrcs = draw(rig) % 4, words = draw(rig) % 3, body = draw(rig) % 300;
	bool extended = draw(rig) & 1;
	uint16_t at = 12;
	rtp[0] = (uint8_t)(0x80 | csrcs | (extended ? 0x10 : 0));
	rtp[1] = (uint8_t)(draw(rig) % 64 | (draw(rig) & 0x80));
	write_be16(rtp + 2, sequence);
	write_be32(rtp + 4, draw(rig));
	write_be32(rtp + 8, ssrc);
	for (unsigned i = 0; i < csrcs; i++, at = (uint16_t)(at + 4))
		write_be32(rtp + at, draw(rig));
	if (extended) {
		write_be32(rtp + at, 0xbede0000u | words);
		at = (uint16_t)(at + 4);
		for (unsigned i = 0; i < words; i++, at = (uint16_t)(at + 4))
			write_be32(rtp + at, draw(rig));
	}
	for (unsigned i = 0; i < body; i++)
		rtp[at++] = (uint8_t)draw(rig);
	return at;
}

static uint16_t make_rtcp(struct rig *rig, uint8_t *rtcp, uint32_t ssrc)
{
	uint16_t words = (uint16_t)(1 + draw(rig) % 40);
	rtcp[0] = 0x81;
	rtcp[1] = (uint8_t)(200 + draw(rig) % 7);
	write_be16(rtcp + 2, words);
	write_be32(rtcp + 4, ssrc);
	for (uint16_t i = 8; i < 4 + 4 * words; i++)
		rtcp[i] = (uint8_t)draw(rig);
	return (uint16_t)(4 + 4 * words);
}

static void expect_payload(const struct packet *packet, const uint8_t *want, uint16_t len)
{
	uint8_t sum[2];
	assert_int_equal(packet->payload_len, len);
	assert_memory_equal(packet_payload(packet), want, len);
	memcpy(sum, packet->data + packet->payload - 2, 2);
	bench_checksum((struct packet *)(uintptr_t)packet);
	assert_memory_equal(packet->data + packet->payload - 2, sum, 2);
}

/* One packet each way, and the oracle at the other end. */
static void exchange(struct rig *rig, bool is_rtcp, uint16_t sequence, uint32_t ssrc)
{
	uint8_t plain[1024], sealed[1024];
	uint16_t len = is_rtcp ? make_rtcp(rig, plain, ssrc) : make_rtp(rig, plain, sequence, ssrc);
	uint16_t sealed_len = len;
	memcpy(sealed, plain, len);
	assert_true(oracle_protect(rig->peer_out, is_rtcp, sealed, &sealed_len));
	struct packet *packet = bench_udp(rig->b, 0, WAN, WAN_TO, sealed, sealed_len);
	assert_int_equal(bench_run(rig->b, packet), DROP_NONE);
	expect_payload(packet, plain, len);

	packet = bench_udp(rig->b, 1, LAN, LAN_TO, plain, len);
	assert_int_equal(bench_run(rig->b, packet), DROP_NONE);
	sealed_len = packet->payload_len;
	memcpy(sealed, packet_payload(packet), sealed_len);
	expect_payload(packet, sealed, sealed_len);
	/* libsrtp looks for the MKI of SRTCP where that of SRTP would be */
	if (is_rtcp && rig->out->mki_len && rig->out->suite->rtp_tag == 4)
		return;
	assert_true(oracle_unprotect(rig->peer_in, is_rtcp, sealed, &sealed_len));
	assert_int_equal(sealed_len, len);
	assert_memory_equal(sealed, plain, len);
}

/* libsrtp derives keys of 192 bits with AES-256, unlike RFC 6188, whose vectors test_srtp_crypto.c
 * has; so those are not for the oracle. */
static unsigned next_suite(unsigned suite)
{
	return suite == FLOW_SRTP_AES_CM_128_HMAC_SHA1_32 ? FLOW_SRTP_AES_256_CM_HMAC_SHA1_80
							  : suite + 1;
}

static void every_suite_agrees_with_libsrtp(void **state)
{
	struct rig *rig = *state;
	static const uint8_t mki[] = {0, 1, 4, 128};
	for (unsigned suite = 1; suite < FLOW_SRTP_SUITES; suite = next_suite(suite))
		for (unsigned m = 0; m < sizeof(mki); m++) {
			use_suite(rig, suite, mki[m]);
			for (unsigned i = 0; i < 200; i++)
				exchange(rig, i % 8 == 7, (uint16_t)(65400 + i), 7);
		}
}

/* Two cycles of sequence numbers: the rollover counter is in every tag. */
static void rollover_agrees_with_libsrtp(void **state)
{
	struct rig *rig = *state;
	for (unsigned i = 0; i < 2 * 65536 + 10; i += 1 + draw(rig) % 900)
		exchange(rig, false, (uint16_t)i, 7);
	struct flow_srtp_index index[4];
	assert_int_equal(srtp_context_indexes(rig->in, index, 4), 1);
	assert_int_equal(index[0].ssrc, 7);
	assert_true(index[0].rtp >> 16 >= 1);
	assert_int_equal(srtp_context_indexes(rig->out, index, 4), 1);
	assert_true(index[0].rtp >> 16 >= 1);
}

static void ssrcs_have_their_own_indexes_and_are_bounded(void **state)
{
	struct rig *rig = *state;
	srtp_context_grow(rig->in);
	srtp_context_grow(rig->out);
	for (unsigned round = 0; round < 3; round++)
		for (uint32_t ssrc = 0; ssrc < SRTP_STREAMS; ssrc++) {
			exchange(rig, false, (uint16_t)(round * 30000 + ssrc), ssrc);
			exchange(rig, true, 0, ssrc);
		}
	uint8_t plain[1024];
	uint16_t len = make_rtp(rig, plain, 1, 9999);
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, LAN, LAN_TO, plain, len)),
			 DROP_SRTP_SSRC);
	assert_true(oracle_protect(rig->peer_out, false, plain, &len));
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, plain, len)),
			 DROP_SRTP_SSRC);
}

/* The control thread is asked when the last place is taken, so that who has one SSRC after the
 * other loses nothing; who is faster than it loses what it did not wait for. */
static void room_for_more_ssrcs_is_asked_for_in_time(void **state)
{
	struct rig *rig = *state;
	uint8_t plain[1024], first[1024];
	uint16_t len = make_rtp(rig, plain, 1, 0), first_len = len;
	memcpy(first, plain, len);
	assert_true(oracle_protect(rig->peer_out, false, first, &first_len));
	memcpy(plain, first, first_len);
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, plain, first_len)),
			 DROP_NONE);
	exchange(rig, false, 2, 0); /* both sources are known */
	rig->b->event_count = 0;
	for (uint32_t ssrc = 1; ssrc < SRTP_STREAMS_FIRST; ssrc++) {
		assert_int_equal(rig->b->event_count, 0);
		exchange(rig, false, 1, ssrc);
	}
	assert_int_equal(rig->b->event_count, 2); /* by each of the two keys */
	assert_int_equal(rig->b->events[0].type, DATAPATH_SRTP_SHORT);
	assert_int_equal(rig->b->events[0].flow.value, rig->b->flows[1].id.value);
	len = make_rtp(rig, plain, 1, 100);
	assert_true(oracle_protect(rig->peer_out, false, plain, &len));
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, plain, len)),
			 DROP_SRTP_SSRC);
	assert_int_equal(rig->b->event_count, 2); /* not so soon */
	bench_advance_ms(rig->b, 10);
	exchange(rig, false, 2, 1);
	assert_int_equal(rig->b->event_count, 4);

	srtp_context_grow(rig->in);
	srtp_context_grow(rig->out);
	bench_advance_ms(rig->b, 10);
	exchange(rig, false, 2, 100);
	exchange(rig, true, 2, 101);
	assert_int_equal(rig->b->event_count, 4);
	memcpy(plain, first, first_len); /* what was before is known as before */
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, plain, first_len)),
			 DROP_SRTP_REPLAY);
	struct flow_srtp_index index[8];
	assert_int_equal(srtp_context_indexes(rig->in, index, 8), SRTP_STREAMS_FIRST + 2);
	assert_int_equal(index[SRTP_STREAMS_FIRST].ssrc, 100);
}

/* Random sequence numbers, repeated and late ones: the same verdict as libsrtp, both ways. */
static void replays_and_leaps_get_the_verdict_of_libsrtp(void **state)
{
	struct rig *rig = *state;
	struct flow_srtp key = make_key(rig, FLOW_SRTP_AES_CM_128_HMAC_SHA1_80, 0);
	struct oracle *reference = oracle_create(&key, false);
	struct oracle *sender = oracle_create(&key, true);
	struct srtp_context *context;
	static uint8_t sent[512][400];
	static uint16_t sent_len[512];
	unsigned accepted = 0;
	assert_int_equal(srtp_context_create(rig->crypto, &key, false, &context), 0);
	rig->b->flows[1].srtp_in = context;
	for (unsigned i = 0; i < 512; i++) {
		sent_len[i] = make_rtp(rig, sent[i], (uint16_t)(65300 + i), 7);
		assert_true(oracle_protect(sender, false, sent[i], &sent_len[i]));
	}
	for (unsigned i = 0, at = 0; i < 3000; i++) {
		at = draw(rig) % 4 ? (at + draw(rig) % 3) % 512
				   : (at + 512 - draw(rig) % 200) % 512;
		uint8_t copy[400];
		uint16_t len = sent_len[at];
		memcpy(copy, sent[at], len);
		bool want = oracle_unprotect(reference, false, copy, &len);
		enum drop why = bench_run(
			rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, sent[at], sent_len[at]));
		assert_int_equal(why == DROP_NONE, want);
		accepted += want;
	}
	assert_true(accepted > 100);
	assert_true(bench_drops(rig->b, DROP_SRTP_REPLAY) > 100);
	rig->b->flows[1].srtp_in = rig->in;
	srtp_context_put(context);
	oracle_destroy(reference);
	oracle_destroy(sender);
}

/* Every bit matters; and a forgery leaves no trace but its drop. */
static void a_forged_packet_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct flow_state *at = &rig->b->slots[1].state;
	uint8_t sealed[1024], forged[1024];
	for (unsigned suite = 1; suite < FLOW_SRTP_SUITES; suite = next_suite(suite)) {
		use_suite(rig, suite, 2);
		uint64_t before = counter_get(&at->packets);
		memset(&at->locked, 0, sizeof(at->locked));
		uint16_t len = make_rtp(rig, sealed, 100, 7);
		assert_true(oracle_protect(rig->peer_out, false, sealed, &len));
		for (unsigned bit = 16; bit < len * 8u; bit += 5) {
			memcpy(forged, sealed, len);
			forged[bit / 8] ^= (uint8_t)(1 << bit % 8);
			enum drop why =
				bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, forged, len));
			assert_true(why == DROP_SRTP_AUTH || why == DROP_SRTP_KEY ||
				    why == DROP_RTP_HEADER); /* a length says too much */
		}
		assert_false(at->locked.is_set);
		assert_int_equal(counter_get(&at->packets), before);
		assert_int_equal(atomic_load(&rig->in->count), 0);
		for (uint16_t cut = 12; cut < len; cut++) {
			struct packet *packet = bench_udp(rig->b, 0, WAN, WAN_TO, sealed, cut);
			assert_int_not_equal(bench_run(rig->b, packet), DROP_NONE);
		}
		assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, sealed, len)),
				 DROP_NONE);
		assert_true(at->locked.is_set);
	}
}

static void forged_rtcp_is_refused_whatever_its_e_bit_says(void **state)
{
	struct rig *rig = *state;
	uint8_t sealed[1024], forged[1024];
	for (unsigned suite = 1; suite < FLOW_SRTP_SUITES; suite = next_suite(suite)) {
		use_suite(rig, suite, 0);
		uint16_t len = make_rtcp(rig, sealed, 7);
		assert_true(oracle_protect(rig->peer_out, true, sealed, &len));
		for (unsigned bit = 32; bit < len * 8u; bit += 3) {
			memcpy(forged, sealed, len);
			forged[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(
				bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, forged, len)),
				DROP_SRTP_AUTH);
		}
		assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, sealed, len)),
				 DROP_NONE);
		assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, sealed, len)),
				 DROP_SRTP_REPLAY);
	}
}

static void plain_packets_are_not_taken_for_srtp(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(bench_send(rig->b, WAN, WAN_TO, 1, 7), DROP_SRTP_AUTH);
	rig->b->flows[1].has_srtp = false;
	rig->b->flows[1].srtp_in = rig->b->flows[1].srtp_out = NULL;
	rig->b->flows[1].needs_srtp = rig->b->flows[1].is_sealed = true;
	assert_int_equal(bench_send(rig->b, WAN, WAN_TO, 1, 7), DROP_SRTP_KEY);
	assert_int_equal(bench_send(rig->b, LAN, LAN_TO, 1, 7), DROP_SRTP_KEY);
}

/* One burst: the first packets of an SSRC across its first rollover, a replay among them, a
 * forgery, plain packets between. */
static void a_burst_is_judged_packet_by_packet(void **state)
{
	struct rig *rig = *state;
	struct bench *b = rig->b;
	uint8_t data[1024];
	uint16_t len;
	for (unsigned i = 0; i < 30; i++) {
		if (i % 3 == 0) {
			bench_rtp(b, i, LAN, LAN_TO, (uint16_t)i, 9);
			continue;
		}
		len = make_rtp(rig, data, (uint16_t)(65520 + i), 7);
		assert_true(oracle_protect(rig->peer_out, false, data, &len));
		if (i == 20)
			data[15] ^= 1;
		bench_udp(b, i, WAN, WAN_TO, data, len);
		if (i == 26) /* again, as the next */
			bench_udp(b, ++i, WAN, WAN_TO, data, len);
	}
	uint16_t n = stage_classify(&b->lcore, b->packets, 30);
	assert_int_equal(n, 30);
	n = packet_forward(&b->lcore, b->packets, n);
	assert_int_equal(bench_drops(b, DROP_SRTP_AUTH), 1);
	assert_int_equal(bench_drops(b, DROP_SRTP_REPLAY), 1);
	assert_int_equal(n, 28);
}

static void the_key_before_is_taken_for_a_while(void **state)
{
	struct rig *rig = *state;
	uint8_t data[1024], old[3][1024];
	uint16_t len, old_len[3];
	struct srtp_context *before = srtp_context_get(rig->in);
	for (unsigned suite = 1; suite < FLOW_SRTP_SUITES; suite += 6) {
		use_suite(rig, suite, 0);
		srtp_context_put(before);
		before = srtp_context_get(rig->in);
		for (unsigned i = 0; i < 3; i++) {
			old_len[i] = i == 1 ? make_rtcp(rig, old[i], 7)
					    : make_rtp(rig, old[i], (uint16_t)(9 + i), 7);
			assert_true(oracle_protect(rig->peer_out, i == 1, old[i], &old_len[i]));
		}
		use_suite(rig, suite == 1 ? FLOW_SRTP_AEAD_AES_128_GCM : 1, 0);
		rig->b->extras[1].srtp_before = before;
		rig->b->extras[1].srtp_before_until_ns = rig->b->lcore.now_ns + 5000000000;
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, old[i],
								     old_len[i])),
					 DROP_NONE);
		len = make_rtp(rig, data, 20, 7);
		assert_true(oracle_protect(rig->peer_out, false, data, &len));
		assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, data, len)),
				 DROP_NONE);
		bench_advance_ms(rig->b, 5001);
		assert_int_equal(
			bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, old[2], old_len[2])),
			DROP_SRTP_AUTH);
		rig->b->extras[1].srtp_before = NULL;
	}
	srtp_context_put(before);
}

static void keys_of_192_bits_seal_and_open(void **state)
{
	struct rig *rig = *state;
	struct bench *b = rig->b;
	for (unsigned suite = FLOW_SRTP_AES_192_CM_HMAC_SHA1_80;
	     suite <= FLOW_SRTP_AES_192_CM_HMAC_SHA1_32; suite++) {
		struct flow_srtp key = make_key(rig, suite, 3);
		struct srtp_context *in, *out;
		assert_int_equal(srtp_context_create(rig->crypto, &key, false, &in), 0);
		assert_int_equal(srtp_context_create(rig->crypto, &key, true, &out), 0);
		b->flows[1].srtp_in = in;
		b->flows[1].srtp_out = out;
		for (unsigned i = 0; i < 100; i++) {
			uint8_t plain[1024];
			bool is_rtcp = i % 5 == 4;
			uint16_t len = is_rtcp ? make_rtcp(rig, plain, 7)
					       : make_rtp(rig, plain, (uint16_t)(65500 + i), 7);
			struct packet *sealed = bench_udp(b, 0, LAN, LAN_TO, plain, len);
			assert_int_equal(bench_run(b, sealed), DROP_NONE);
			struct packet *packet = bench_udp(b, 1, WAN, WAN_TO, packet_payload(sealed),
							  sealed->payload_len);
			assert_int_equal(bench_run(b, packet), DROP_NONE);
			expect_payload(packet, plain, len);
		}
		srtp_context_put(in);
		srtp_context_put(out);
	}
	b->flows[1].srtp_in = rig->in;
	b->flows[1].srtp_out = rig->out;
}

/* What a duplicate would do going out: the same key stream on another text. */
static void a_sequence_number_is_sealed_once(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(bench_send(rig->b, LAN, LAN_TO, 5, 7), DROP_NONE);
	assert_int_equal(bench_send(rig->b, LAN, LAN_TO, 5, 7), DROP_SRTP_REPLAY);
	assert_int_equal(bench_send(rig->b, LAN, LAN_TO, 4, 7), DROP_NONE);
}

static void no_room_for_the_tag_is_a_drop(void **state)
{
	struct rig *rig = *state;
	struct packet *packet = bench_rtp(rig->b, 0, LAN, LAN_TO, 5, 7);
	packet->tailroom = 9;
	assert_int_equal(bench_run(rig->b, packet), DROP_TOO_BIG);
	packet = bench_rtp(rig->b, 0, LAN, LAN_TO, 5, 7);
	packet->tailroom = 10;
	assert_int_equal(bench_run(rig->b, packet), DROP_NONE);
}

static void an_authentic_packet_is_followed_from_anywhere_when_secure(void **state)
{
	struct rig *rig = *state;
	struct bench *b = rig->b;
	uint8_t data[1024];
	b->flows[1].mode = FLOW_SOURCE_SECURE;
	for (uint16_t i = 1; i < 9; i++) {
		uint16_t len = make_rtp(rig, data, i, 7);
		assert_true(oracle_protect(rig->peer_out, false, data, &len));
		const char *from = i < 3 ? WAN : "198.51.100.7:7777";
		assert_int_equal(bench_run(b, bench_udp(b, 0, from, WAN_TO, data, len)), DROP_NONE);
		if (i == 3) /* the old one still speaks */
			assert_int_equal(b->events[b->event_count - 1].type,
					 DATAPATH_SOURCE_LOCKED);
		bench_advance_ms(b, 200);
	}
	assert_int_equal(b->events[b->event_count - 1].type, DATAPATH_SOURCE_ROAMED);
	assert_int_equal(bench_send(b, "198.51.100.8:7777", WAN_TO, 50, 7), DROP_SRTP_AUTH);
	b->extras[1].named = bench_addr("198.51.100.7:7777");
	b->extras[1].named_hop = &b->hop;
	b->flows[1].named_count++;
	struct packet *packet = bench_rtp(b, 0, LAN, LAN_TO, 1, 8);
	assert_int_equal(bench_run(b, packet), DROP_NONE);
	assert_int_equal(packet->to->port, 7777);
}

/* Between the last word in the store and the crash there were packets: none of their indexes may
 * serve again, and the first packet after it is not lost. */
static void what_a_restored_context_may_have_used_is_not_used_again(void **state)
{
	struct rig *rig = *state;
	struct srtp_context *context;
	struct flow_srtp key = {.suite = FLOW_SRTP_AES_CM_128_HMAC_SHA1_80, .initial_count = 1};
	key.initial[0] = (struct flow_srtp_index){.ssrc = 7, .rtcp = 5, .rtp = 0xffff};

	assert_int_equal(srtp_context_create(rig->crypto, &key, true, &context), 0);
	struct srtp_stream *stream = srtp_stream_find(context, 7);
	assert_int_equal(srtp_stream_check(stream, 0xfff0), DROP_SRTP_REPLAY);
	uint64_t first = srtp_stream_index(stream, 100); /* the sequence has wrapped */
	assert_int_equal(first, 0x10064);
	assert_int_equal(srtp_stream_check(stream, first), DROP_NONE);
	srtp_stream_mark(stream, first);
	for (uint64_t index = 0xffff; index <= first; index++)
		assert_int_equal(srtp_stream_check(stream, index), DROP_SRTP_REPLAY);
	srtp_stream_mark(stream, first + 2);
	assert_int_equal(srtp_stream_check(stream, first + 1), DROP_NONE);
	srtp_context_put(context);
}

static void restored_contexts_go_on(void **state)
{
	struct rig *rig = *state;
	struct flow_srtp key = make_key(rig, FLOW_SRTP_AEAD_AES_256_GCM, 0);
	struct oracle *sender = oracle_create(&key, true);
	struct srtp_context *context;
	uint8_t data[2][1024], again[1024];
	uint16_t len[2];
	for (unsigned i = 0; i < 70000; i += 100) {
		len[0] = make_rtp(rig, data[0], (uint16_t)i, 7);
		assert_true(oracle_protect(sender, false, data[0], &len[0]));
	}
	len[1] = make_rtp(rig, data[1], (uint16_t)70001, 7);
	assert_true(oracle_protect(sender, false, data[1], &len[1]));
	key.initial_count = 1;
	key.initial[0] = (struct flow_srtp_index){.ssrc = 7, .rtcp = 5, .rtp = 69900};
	assert_int_equal(srtp_context_create(rig->crypto, &key, false, &context), 0);
	rig->b->flows[1].srtp_in = context;
	memcpy(again, data[0], len[0]);
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, data[1], len[1])),
			 DROP_NONE);
	assert_int_equal(bench_run(rig->b, bench_udp(rig->b, 0, WAN, WAN_TO, again, len[0])),
			 DROP_SRTP_REPLAY);
	srtp_context_put(context);
	assert_int_equal(srtp_context_create(rig->crypto, &key, true, &context), 0);
	struct flow_srtp_index index;
	assert_int_equal(srtp_context_indexes(context, &index, 1), 1);
	assert_true(index.rtcp > 5);
	assert_int_equal(index.rtp, 69900);
	srtp_context_put(context);
	rig->b->flows[1].srtp_in = rig->in;
	oracle_destroy(sender);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_suite_agrees_with_libsrtp),
		T(rollover_agrees_with_libsrtp),
		T(ssrcs_have_their_own_indexes_and_are_bounded),
		T(room_for_more_ssrcs_is_asked_for_in_time),
		T(replays_and_leaps_get_the_verdict_of_libsrtp),
		T(a_forged_packet_changes_nothing),
		T(forged_rtcp_is_refused_whatever_its_e_bit_says),
		T(plain_packets_are_not_taken_for_srtp),
		T(a_burst_is_judged_packet_by_packet),
		T(the_key_before_is_taken_for_a_while),
		T(keys_of_192_bits_seal_and_open),
		T(a_sequence_number_is_sealed_once),
		T(no_room_for_the_tag_is_a_drop),
		T(an_authentic_packet_is_followed_from_anywhere_when_secure),
		T(restored_contexts_go_on),
		T(what_a_restored_context_may_have_used_is_not_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
