/* Two associations over a network of our own. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/dtls/dtls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define QUEUE 64

struct bench;

struct end {
	struct bench *bench;
	struct dtls *dtls;
	struct addr at;
	struct dtls_keys keys;
	unsigned done, failed, closed;
	const char *reason;
};

struct datagram {
	struct addr from, to;
	size_t len;
	uint8_t data[2048];
};

struct bench {
	struct wheel *wheel;
	uint64_t now_ms;
	struct dtls_identities *identities;
	struct end ends[2];
	struct datagram queue[QUEUE];
	unsigned head, tail, sent;
	unsigned lose; /* of the next datagrams */
	size_t longest;
	unsigned towards_stranger;
	struct addr stranger;
};

static void on_send(void *owner, const struct addr *to, const uint8_t *data, size_t len)
{
	struct end *end = owner;
	struct bench *b = end->bench;
	struct datagram *d = &b->queue[b->tail++ % QUEUE];

	assert_true(b->tail - b->head <= QUEUE && len <= sizeof(d->data));
	b->sent++;
	if (len > b->longest)
		b->longest = len;
	if (addr_equal(to, &b->stranger))
		b->towards_stranger++;
	d->from = end->at;
	d->to = *to;
	d->len = len;
	memcpy(d->data, data, len);
}

static void on_done(void *owner, const struct dtls_keys *keys)
{
	struct end *end = owner;
	end->done++;
	end->keys = *keys;
}

static void on_failed(void *owner, const char *reason)
{
	struct end *end = owner;
	end->failed++;
	end->reason = reason;
}

static void on_closed(void *owner)
{
	((struct end *)owner)->closed++;
}

static const struct dtls_events events = {on_send, on_done, on_failed, on_closed};

static void deliver(struct bench *b)
{
	while (b->head != b->tail) {
		struct datagram d = b->queue[b->head++ % QUEUE];
		if (b->lose) {
			b->lose--;
			continue;
		}
		for (int e = 0; e < 2; e++)
			if (addr_equal(&b->ends[e].at, &d.to))
				dtls_receive(b->ends[e].dtls, &d.from, d.data, d.len, b->now_ms);
	}
}

/* In real time: OpenSSL reads the clock itself. */
static void run(struct bench *b, unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 5) {
		deliver(b);
		b->now_ms += 5;
		wheel_advance(b->wheel, b->now_ms);
		if (b->ends[0].done && b->ends[1].done && b->head == b->tail)
			return;
		usleep(5000);
	}
}

static struct bench *open_bench(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	b->now_ms = 1000;
	b->stranger = (struct addr){.family = AF_INET, .port = 9, .bytes = {198, 51, 100, 66}};
	assert_int_equal(wheel_create(b->now_ms, &b->wheel), 0);
	assert_int_equal(dtls_identities_create(b->now_ms, &b->identities), 0);
	*state = b;
	return b;
}

static void open_end(struct bench *b, int which, enum dtls_role role, bool asks_cookie,
		     enum fingerprint_hash hash, uint8_t flip)
{
	struct end *end = &b->ends[which];
	struct dtls_identity *identity = dtls_identity_get(b->identities, b->now_ms);
	struct dtls_config config = {
		.wheel = b->wheel,
		.identity = identity,
		.role = role,
		.asks_cookie = asks_cookie,
		.cookie_key = {1, 2},
		.fingerprint_count = 1,
		.events = &events,
		.owner = end,
	};
	end->bench = b;
	end->at = (struct addr){
		.family = AF_INET, .port = 30000, .bytes = {192, 0, 2, (uint8_t)(which + 1)}};
	assert_int_equal(dtls_identity_fingerprint(identity, hash, &config.fingerprints[0]), 0);
	config.fingerprints[0].bytes[7] ^= flip;
	assert_int_equal(dtls_create(&config, &end->dtls), 0);
	dtls_identity_put(identity);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	dtls_destroy(b->ends[0].dtls);
	dtls_destroy(b->ends[1].dtls);
	dtls_identities_destroy(b->identities);
	assert_int_equal(wheel_armed(b->wheel), 0);
	wheel_destroy(b->wheel);
	free(b);
	return 0;
}

static void assert_agreed(const struct bench *b)
{
	const struct dtls_keys *a = &b->ends[0].keys, *c = &b->ends[1].keys;

	assert_int_equal(b->ends[0].done, 1);
	assert_int_equal(b->ends[1].done, 1);
	assert_int_equal(a->profile, 7); /* SRTP_AEAD_AES_128_GCM */
	assert_int_equal(a->profile, c->profile);
	assert_memory_equal(a->our_key, c->their_key, a->key_len);
	assert_memory_equal(a->their_key, c->our_key, a->key_len);
	assert_memory_equal(a->our_salt, c->their_salt, a->salt_len);
	assert_memory_not_equal(a->our_key, a->their_key, a->key_len);
	assert_true(b->longest <= DTLS_MTU);
}

static void a_handshake_gives_both_the_same_keys(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, DTLS_CLIENT, false, FINGERPRINT_SHA256, 0);
	open_end(b, 1, DTLS_SERVER, false, FINGERPRINT_SHA512, 0);
	dtls_start(b->ends[0].dtls, &b->ends[1].at, b->now_ms);
	run(b, 2000);
	assert_agreed(b);
	dtls_close(b->ends[0].dtls);
	deliver(b);
	assert_int_equal(b->ends[1].closed, 1);
}

static void what_is_lost_comes_again(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, DTLS_CLIENT, false, FINGERPRINT_SHA256, 0);
	open_end(b, 1, DTLS_SERVER, true, FINGERPRINT_SHA256, 0);
	b->lose = 2;
	dtls_start(b->ends[0].dtls, &b->ends[1].at, b->now_ms);
	deliver(b);
	run(b, 600);
	b->lose = 1;
	run(b, 5000);
	assert_agreed(b);
}

static void a_stranger_gets_a_cookie_and_leaves_nothing(void **state)
{
	struct bench *b = open_bench(state);
	struct datagram hello;

	open_end(b, 0, DTLS_CLIENT, false, FINGERPRINT_SHA256, 0);
	open_end(b, 1, DTLS_SERVER, true, FINGERPRINT_SHA256, 0);
	dtls_start(b->ends[0].dtls, &b->ends[1].at, b->now_ms);
	hello = b->queue[b->head % QUEUE];
	for (int i = 0; i < 1000; i++) {
		b->stranger.port = (uint16_t)(1000 + i);
		dtls_receive(b->ends[1].dtls, &b->stranger, hello.data, hello.len, b->now_ms);
		b->tail = b->head + 1; /* what it is told; ours stays in the queue */
		assert_int_equal(dtls_state(b->ends[1].dtls), DTLS_WAITING);
	}
	assert_int_equal(b->towards_stranger, 1000);
	run(b, 2000);
	assert_agreed(b);
	/* and none gets in afterwards */
	dtls_receive(b->ends[1].dtls, &b->stranger, hello.data, hello.len, b->now_ms);
	assert_int_equal(b->towards_stranger, 1000);
	assert_int_equal(dtls_state(b->ends[1].dtls), DTLS_DONE);
}

static void another_certificate_is_refused(void **state)
{
	struct bench *b = open_bench(state);

	open_end(b, 0, DTLS_CLIENT, false, FINGERPRINT_SHA256, 0);
	open_end(b, 1, DTLS_SERVER, false, FINGERPRINT_SHA256, 1);
	dtls_start(b->ends[0].dtls, &b->ends[1].at, b->now_ms);
	run(b, 300);
	assert_int_equal(b->ends[1].done, 0);
	assert_int_equal(b->ends[1].failed, 1);
	assert_string_equal(b->ends[1].reason, "its certificate is not the one of its SDP");
}

static void noise_changes_nothing(void **state)
{
	struct bench *b = open_bench(state);
	uint8_t noise[1500];

	open_end(b, 0, DTLS_CLIENT, false, FINGERPRINT_SHA384, 0);
	open_end(b, 1, DTLS_SERVER, true, FINGERPRINT_SHA384, 0);
	srandom(7);
	dtls_start(b->ends[0].dtls, &b->ends[1].at, b->now_ms);
	for (int i = 0; i < 2000; i++) {
		size_t len = (size_t)random() % sizeof(noise);
		for (size_t at = 0; at < len; at++)
			noise[at] = (uint8_t)random();
		if (len) /* a record, as the demultiplexer lets through */
			noise[0] = (uint8_t)(20 + random() % 44);
		if (len > 13 && i % 2)
			memcpy(noise, "\x16\xfe\xff\0\0\0\0\0\0\0\0", 11);
		dtls_receive(b->ends[1].dtls, &b->ends[0].at, noise, len, b->now_ms);
		assert_int_equal(dtls_state(b->ends[1].dtls), DTLS_WAITING);
	}
	run(b, 2000);
	assert_agreed(b);
}

static void fingerprints_are_read_strictly(void **state)
{
	struct fingerprint f;
	struct buf out;
	const char *good = "sha-256 01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:"
			   "16:17:18:19:1A:1B:1C:1D:1E:1F:AA";
	(void)state;

	assert_int_equal(fingerprint_read(slice_from(good), &f), 0);
	buf_init(&out);
	fingerprint_write(&f, &out);
	assert_string_equal(out.data, good);
	buf_free(&out);
	assert_int_equal(fingerprint_read(SLICE("sha-1 01:02"), &f), -ERR_UNSUPPORTED);
	assert_int_equal(fingerprint_read(SLICE("sha-256 01:02"), &f), -ERR_MALFORMED);
	assert_int_equal(fingerprint_read(SLICE("sha-256"), &f), -ERR_MALFORMED);
	assert_int_equal(fingerprint_read(SLICE(""), &f), -ERR_MALFORMED);
}

static void certificates_change_and_old_ones_stay(void **state)
{
	struct bench *b = open_bench(state);
	struct dtls_identity *first = dtls_identity_get(b->identities, b->now_ms);
	struct dtls_identity *same = dtls_identity_get(b->identities, b->now_ms + 1000);
	struct dtls_identity *next = dtls_identity_get(b->identities, b->now_ms + 25 * 3600000);
	struct fingerprint one, other;

	assert_ptr_equal(first, same);
	assert_ptr_not_equal(first, next);
	assert_int_equal(dtls_identity_fingerprint(first, FINGERPRINT_SHA256, &one), 0);
	assert_int_equal(dtls_identity_fingerprint(next, FINGERPRINT_SHA256, &other), 0);
	assert_false(fingerprint_equal(&one, &other));
	dtls_identity_put(first);
	dtls_identity_put(same);
	dtls_identity_put(next);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_handshake_gives_both_the_same_keys),
		TEST(what_is_lost_comes_again),
		TEST(a_stranger_gets_a_cookie_and_leaves_nothing),
		TEST(another_certificate_is_refused),
		TEST(noise_changes_nothing),
		cmocka_unit_test(fingerprints_are_read_strictly),
		TEST(certificates_change_and_old_ones_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
