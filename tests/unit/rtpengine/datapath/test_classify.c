/* test_classify.c - frames as no kernel has cleaned them. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static const char *const FROM = "10.0.0.9:4000";
static const char *const TO = "10.0.0.1:30000";

static void a_plain_packet_finds_its_flow(void **state)
{
	struct bench *b = *state;
	struct packet *p = bench_rtp(b, 0, FROM, TO, 7, 0x1234);
	assert_int_equal(bench_classify(b, p), DROP_NONE);
	assert_ptr_equal(p->flow, &b->flows[0]);
	assert_int_equal(p->kind, PACKET_RTP);
	assert_int_equal(p->sequence, 7);
	assert_int_equal(p->ssrc, 0x1234);
	assert_int_equal(p->payload_len, 172);
	struct addr from = bench_addr(FROM);
	assert_true(addr_equal(&p->source, &from));
}

static void ipv6_does_too(void **state)
{
	struct bench *b = *state;
	b->flows[2] = b->flows[0];
	bench_publish(b, 2, "[fd00::1]:30002");
	struct packet *p = bench_rtp(b, 0, "[fd00::9]:4000", "[fd00::1]:30002", 7, 1);
	assert_int_equal(bench_classify(b, p), DROP_NONE);
	assert_ptr_equal(p->flow, &b->flows[2]);
}

static void every_truncation_is_a_named_drop(void **state)
{
	struct bench *b = *state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		const char *from = v6 ? "[fd00::9]:1" : FROM, *to = v6 ? "[fd00::1]:30000" : TO;
		uint16_t whole = bench_rtp(b, 0, from, to, 1, 1)->len;
		for (uint16_t len = 0; len < whole; len++) {
			struct packet *p = bench_rtp(b, 0, from, to, 1, 1);
			p->len = len;
			enum drop why = bench_classify(b, p);
			assert_int_equal(why,
					 len < 14 + (v6 ? 40 : 20) ? DROP_RUNT : DROP_IP_HEADER);
		}
	}
}

static void trailing_padding_is_no_payload(void **state)
{
	struct bench *b = *state;
	struct packet *p = bench_rtcp(b, 0, FROM, TO, 1);
	b->flows[0].kind = FLOW_RTCP;
	p->len = (uint16_t)(p->len + 10); /* Ethernet pads to 60 */
	assert_int_equal(bench_classify(b, p), DROP_NONE);
	assert_int_equal(p->payload_len, 8);
}

/* Change one byte, mend the checksums if asked, expect a reason. */
static void expect(struct bench *b, bool v6, uint16_t at, uint8_t value, bool mend, enum drop why)
{
	struct packet *p = v6 ? bench_rtp(b, 0, "[fd00::9]:1", "[fd00::1]:30000", 1, 1)
			      : bench_rtp(b, 0, FROM, TO, 1, 1);
	p->data[at] = value;
	if (mend)
		bench_checksum(p);
	assert_string_equal(drop_key(bench_classify(b, p)), drop_key(why));
}

static void bad_headers_are_named(void **state)
{
	struct bench *b = *state;
	expect(b, false, 12, 0x81, false, DROP_NOT_IP);    /* VLAN */
	expect(b, false, 13, 0x06, false, DROP_NOT_IP);    /* ARP */
	expect(b, false, 14, 0x55, false, DROP_IP_HEADER); /* version 5 */
	expect(b, false, 14, 0x44, false, DROP_IP_HEADER); /* header of 16 bytes */
	expect(b, false, 14, 0x46, false, DROP_IP_OPTIONS);
	expect(b, false, 16, 0xff, false, DROP_IP_HEADER); /* longer than the frame */
	expect(b, false, 22, 61, false, DROP_IP_CHECKSUM); /* TTL changed, sum not */
	expect(b, false, 20, 0x20, true, DROP_FRAGMENT);   /* more fragments */
	expect(b, false, 21, 0x01, true, DROP_FRAGMENT);   /* an offset */
	expect(b, false, 20, 0x40, true, DROP_NONE);       /* don't fragment is fine */
	expect(b, false, 23, 6, true, DROP_NOT_UDP);
	expect(b, false, 33, 2, true, DROP_NOT_OURS);    /* 10.0.0.2 */
	expect(b, false, 36, 0x10, true, DROP_NOT_OURS); /* a port outside the range */
	expect(b, false, 37, 0x3a, true, DROP_NO_FLOW);  /* 30010: no call */
	expect(b, false, 39, 7, false, DROP_UDP_LENGTH);
	expect(b, false, 38, 0xff, false, DROP_UDP_LENGTH);
	expect(b, false, 60, 0x00, false, DROP_UDP_CHECKSUM); /* payload changed */
	expect(b, true, 14, 0x40, false, DROP_IP_HEADER);
	expect(b, true, 18, 0xff, false, DROP_IP_HEADER);
	expect(b, true, 20, 44, false, DROP_FRAGMENT);
	expect(b, true, 20, 0, false, DROP_IP_OPTIONS);  /* hop by hop */
	expect(b, true, 20, 43, false, DROP_IP_OPTIONS); /* routing */
	expect(b, true, 20, 60, false, DROP_IP_OPTIONS); /* destination */
	expect(b, true, 20, 58, false, DROP_NOT_UDP);    /* ICMPv6 */
}

static void checksums_absent_partial_or_right_are_taken(void **state)
{
	struct bench *b = *state;
	struct packet *p = bench_rtp(b, 0, FROM, TO, 1, 1);
	memset(p->data + 40, 0, 2); /* none: IPv4 allows it */
	assert_int_equal(bench_classify(b, p), DROP_NONE);

	p = bench_rtp(b, 0, FROM, TO, 1, 1); /* a local sender's: the pseudo-header alone */
	uint16_t partial = checksum_fold(checksum_pseudo(p->data + 26, 8, 180));
	memcpy(p->data + 40, &partial, 2);
	assert_int_equal(bench_classify(b, p), DROP_NONE);

	p = bench_rtp(b, 0, "[fd00::9]:1", "[fd00::1]:30000", 1, 1);
	memset(p->data + 60, 0, 2); /* RFC 8200 8.1: not in IPv6 */
	assert_int_equal(bench_classify(b, p), DROP_UDP_CHECKSUM);
}

static void first_bytes_are_told_apart(void **state)
{
	struct bench *b = *state;
	uint8_t payload[40] = {0};
	for (unsigned first = 0; first < 256; first++) {
		payload[0] = (uint8_t)first;
		payload[1] = 8;
		enum drop want = first <= 3                   ? DROP_STUN
				 : first >= 20 && first <= 63 ? DROP_DTLS
				 : first < 128 || first > 191 ? DROP_DEMUX
							      : DROP_NONE;
		enum drop why = bench_classify(b, bench_udp(b, 0, FROM, TO, payload, 40));
		/* CSRC count and extension may ask for more than there is */
		if (want == DROP_NONE && why == DROP_RTP_HEADER)
			assert_true((first & 0xf) > 6 || first & 0x10);
		else
			assert_int_equal(why, want);
	}
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, payload, 0)), DROP_DEMUX);
	b->flows[0].kind = FLOW_OTHER;
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, payload, 0)), DROP_NONE);
}

static void stun_and_dtls_go_to_the_control_thread_where_the_rule_says_so(void **state)
{
	struct bench *b = *state;
	uint8_t payload[40] = {0};
	struct packet *packet;
	payload[0] = 22;
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, payload, 40)), DROP_DTLS);
	b->flows[0].has_dtls = true;
	packet = bench_udp(b, 0, FROM, TO, payload, 40);
	assert_int_equal(stage_classify(&b->lcore, packet, 1), 0);
	assert_int_equal(b->punted, 1);
	assert_int_equal(b->released, 2);
	b->punts_full = true;
	packet = bench_udp(b, 0, FROM, TO, payload, 40);
	assert_int_equal(bench_classify(b, packet), DROP_PUNT);
	b->flows[0].kind = FLOW_OTHER;
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, payload, 40)), DROP_NONE);
	assert_int_equal(b->punted, 1);
}

static void rtp_headers_must_fit(void **state)
{
	struct bench *b = *state;
	uint8_t rtp[24] = {0x80, 8};
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 11)), DROP_RTP_HEADER);
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 12)), DROP_NONE);
	rtp[0] = 0x83; /* three CSRCs: 24 bytes */
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 23)), DROP_RTP_HEADER);
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 24)), DROP_NONE);
	rtp[0] = 0x90; /* an extension of one word */
	rtp[15] = 1;
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 15)), DROP_RTP_HEADER);
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 19)), DROP_RTP_HEADER);
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 20)), DROP_NONE);
	rtp[14] = 0xff; /* 64 KB of it */
	assert_int_equal(bench_classify(b, bench_udp(b, 0, FROM, TO, rtp, 24)), DROP_RTP_HEADER);
}

static void rtcp_is_found_by_payload_type(void **state)
{
	struct bench *b = *state;
	struct packet *p = bench_rtcp(b, 0, FROM, TO, 5);
	assert_int_equal(bench_classify(b, p), DROP_RTP_HEADER); /* 8 bytes are no RTP */
	b->flows[0].kind = FLOW_MUX;
	p = bench_rtcp(b, 0, FROM, TO, 5);
	assert_int_equal(bench_classify(b, p), DROP_NONE);
	assert_int_equal(p->kind, PACKET_RTCP);
	assert_int_equal(p->ssrc, 5);
	p = bench_rtp(b, 0, FROM, TO, 1, 1);
	assert_int_equal(bench_classify(b, p), DROP_NONE);
	assert_int_equal(p->kind, PACKET_RTP);
	b->flows[0].kind = FLOW_RTCP;
	assert_int_equal(bench_classify(b, bench_rtp(b, 0, FROM, TO, 1, 1)), DROP_RTCP_HEADER);
}

static void another_lcores_flow_is_handed_over(void **state)
{
	struct bench *b = *state;
	b->flows[0].lcore = 1;
	assert_int_equal(bench_classify(b, bench_rtp(b, 0, FROM, TO, 1, 1)), DROP_NONE);
	assert_int_equal(b->handed_over, 1);
	assert_int_equal(b->released, 0);
	b->flows[0].lcore = 15;
	assert_int_equal(bench_classify(b, bench_rtp(b, 0, FROM, TO, 1, 1)), DROP_HANDOVER);
	assert_int_equal(b->released, 1);
}

static void what_is_not_media_goes_to_the_kernel_where_it_can(void **state)
{
	struct bench *b = *state;
	b->kernel_takes = true;
	expect(b, false, 13, 0x06, false, DROP_NONE);
	expect(b, false, 36, 0x10, true, DROP_NONE);
	assert_int_equal(b->to_kernel, 2);
	expect(b, false, 60, 0x00, false, DROP_UDP_CHECKSUM); /* but no rubbish */
}

static void survivors_of_a_burst_keep_their_order(void **state)
{
	struct bench *b = *state;
	const unsigned bad = (BURST + 2) / 3;
	for (unsigned i = 0; i < BURST; i++) {
		struct packet *p = bench_rtp(b, i, FROM, TO, (uint16_t)i, 1);
		if (i % 3 == 0)
			p->data[60] ^= 0xff;
	}
	uint16_t n = stage_classify(&b->lcore, b->packets, BURST);
	assert_int_equal(n, BURST - bad);
	assert_int_equal(bench_drops(b, DROP_UDP_CHECKSUM), bad);
	assert_int_equal(b->released, bad);
	for (uint16_t i = 1; i < n; i++)
		assert_true(b->packets[i].sequence > b->packets[i - 1].sequence);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(a_plain_packet_finds_its_flow),
		T(ipv6_does_too),
		T(every_truncation_is_a_named_drop),
		T(trailing_padding_is_no_payload),
		T(bad_headers_are_named),
		T(checksums_absent_partial_or_right_are_taken),
		T(first_bytes_are_told_apart),
		T(stun_and_dtls_go_to_the_control_thread_where_the_rule_says_so),
		T(rtp_headers_must_fit),
		T(rtcp_is_found_by_payload_type),
		T(another_lcores_flow_is_handed_over),
		T(what_is_not_media_goes_to_the_kernel_where_it_can),
		T(survivors_of_a_burst_keep_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
