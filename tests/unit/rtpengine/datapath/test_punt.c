/* What wakes the control thread, and what does not. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#define FROM     "10.0.0.9:4000"
#define STRANGER "198.51.100.66:9"
#define TO       "10.0.0.1:30000"

struct stun {
	uint8_t bytes[128];
	uint16_t len;
};

/* A request with another attribute first, then USERNAME. */
static struct stun request(const char *username)
{
	struct stun s = {.bytes = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, .len = 20};
	uint16_t len = (uint16_t)strlen(username);

	memcpy(s.bytes + 8, "MARKtransact", 12);
	memcpy(s.bytes + 20, "\x80\x22\0\x03xyz\0\0\x06", 10);
	write_be16(s.bytes + 30, len);
	memcpy(s.bytes + 32, username, len);
	s.len = (uint16_t)(32 + ((len + 3) & ~3));
	write_be16(s.bytes + 2, (uint16_t)(s.len - 20));
	return s;
}

static struct stun response(const char *id)
{
	struct stun s = {.bytes = {1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, .len = 20};

	memcpy(s.bytes + 8, id, 12);
	return s;
}

static enum drop arrive(struct bench *b, const char *from, const struct stun *stun)
{
	uint64_t drops[DROP_COUNT];
	for (unsigned i = 0; i < DROP_COUNT; i++)
		drops[i] = bench_drops(b, i);
	struct packet *packet = bench_udp(b, 0, from, TO, stun->bytes, stun->len);
	assert_int_equal(stage_classify(&b->lcore, packet, 1), 0);
	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (bench_drops(b, i) != drops[i])
			return (enum drop)i;
	return DROP_NONE;
}

static int setup(void **state)
{
	int err = bench_setup(state);
	struct bench *b = *state;
	b->flows[0].has_ice = b->flows[0].has_dtls = true;
	memcpy(b->extras[0].ice.ufrags[0], "abcdefgh", 8);
	memcpy(b->extras[0].ice.mark, "MARK", 4);
	return err;
}

static void stun_has_to_name_the_session(void **state)
{
	struct bench *b = *state;
	struct stun s = request("abcdefgh:theirs");

	assert_int_equal(arrive(b, STRANGER, &s), DROP_NONE);
	assert_int_equal(b->punted, 1);
	s = request("abcdefgX:theirs");
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
	s = request("abcdefghi:theirs");
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
	s = request("abcdefgh");
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
	memcpy(b->extras[0].ice.ufrags[1], "newufrag", 8);
	s = request("newufrag:theirs");
	assert_int_equal(arrive(b, FROM, &s), DROP_NONE);
	s = request("abcdefgh:theirs");
	assert_int_equal(arrive(b, FROM, &s), DROP_NONE);
	s.bytes[3] = (uint8_t)(s.bytes[3] + 4); /* longer than it is */
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
	s = request("abcdefgh:theirs");
	s.bytes[4] = 0; /* no cookie */
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
	s = request("abcdefgh:theirs");
	write_be16(s.bytes + 30, 200); /* the attribute leads out */
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
}

static void answers_have_to_be_to_questions_of_ours(void **state)
{
	struct bench *b = *state;
	struct stun s = response("MARKtransact");

	assert_int_equal(arrive(b, FROM, &s), DROP_NONE);
	s = response("mARKtransact");
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
	s.len = 19;
	assert_int_equal(arrive(b, FROM, &s), DROP_STUN);
}

static void dtls_has_to_come_from_the_peer(void **state)
{
	struct bench *b = *state;
	struct stun record = {.bytes = {22, 0xfe, 0xff}, .len = 60};

	assert_int_equal(arrive(b, FROM, &record), DROP_NONE);
	assert_int_equal(arrive(b, "10.0.0.9:4711", &record), DROP_NONE); /* its address */
	assert_int_equal(arrive(b, STRANGER, &record), DROP_DTLS);
	b->flows[0].mode = FLOW_SOURCE_ICE; /* only what ICE has found */
	assert_int_equal(arrive(b, FROM, &record), DROP_DTLS);
	b->extras[0].named = bench_addr(STRANGER);
	b->extras[0].named_hop = &b->hop;
	b->flows[0].named_count++;
	assert_int_equal(arrive(b, STRANGER, &record), DROP_NONE);
	assert_int_equal(arrive(b, FROM, &record), DROP_DTLS);
	b->flows[0].mode = FLOW_SOURCE_CLOSED; /* no answer yet: it may be anybody */
	assert_int_equal(arrive(b, FROM, &record), DROP_NONE);
}

static void a_flood_does_not_shut_the_peer_out(void **state)
{
	struct bench *b = *state;
	struct stun s = request("abcdefgh:theirs");

	b->flows[0].mode = FLOW_SOURCE_ICE;
	b->extras[0].named = bench_addr(FROM);
	b->extras[0].named_hop = &b->hop;
	b->flows[0].named_count++;
	for (unsigned i = 0; i < 10000; i++) {
		(void)arrive(b, STRANGER, &s);
		if (i % 100 == 0)
			bench_advance_ms(b, 1);
	}
	assert_true(b->punted <= 40);
	assert_int_equal(bench_drops(b, DROP_PUNT), 10000 - b->punted);
	unsigned before = b->punted;
	assert_int_equal(arrive(b, FROM, &s), DROP_NONE);
	assert_int_equal(b->punted, before + 1);
	bench_advance_ms(b, 1000);
	assert_int_equal(arrive(b, STRANGER, &s), DROP_NONE);
}

static void a_full_ring_is_a_drop_of_its_own(void **state)
{
	struct bench *b = *state;
	struct stun s = request("abcdefgh:theirs");

	b->punts_full = true;
	assert_int_equal(arrive(b, FROM, &s), DROP_PUNT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		TEST(stun_has_to_name_the_session),
		TEST(answers_have_to_be_to_questions_of_ours),
		TEST(dtls_has_to_come_from_the_peer),
		TEST(a_flood_does_not_shut_the_peer_out),
		TEST(a_full_ring_is_a_drop_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
