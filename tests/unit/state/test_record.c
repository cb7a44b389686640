/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "sample.h"

struct bench {
	struct arena *arena;
	struct buf out;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	*state = b;
	buf_init(&b->out);
	return arena_create(4096, 16 * 1024 * 1024, &b->arena);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	arena_destroy(b->arena);
	buf_free(&b->out);
	free(b);
	return 0;
}

static struct call_record *minimal(struct bench *b)
{
	struct call_record *record = record_create(b->arena, 1);
	record->id = SLICE("a");
	record->state = RECORD_ANSWERED;
	return record;
}

static int decode(struct bench *b, struct slice bytes)
{
	struct call_record *record = NULL;
	return record_decode(b->arena, bytes, &record);
}

/* sample_full(), written down from the description in record_fields.c by other means than this
 * code. The format of version 1 for good: what is stored today is read by every later version. */
static const char golden[] =
	"ca01010b6e312d302d346633633961020102030601935419d7fb040601935419ecd0050601935419ecd1"
	"0606656467652d310706019353ef1e000801030c0b6e312d302d3466336339610d127564702f3132372e"
	"302e302e313a323232330e04722d37370f02ea601006019354f5a6d014157369703a616c696365406578"
	"616d706c652e6f726715137369703a626f62406578616d706c652e636f6d1606c63364079cbb17057573"
	"6572731803632d31190d696e746572666163653a77616e1908706565723a706278208203011b38343338"
	"31373633373638343233304039393873646173646830390206333134313539030a313932383330313737"
	"3404137369703a626f62406578616d706c652e636f6d05157369703a616c696365406578616d706c652e"
	"6f7267061e7369703a616c696365403139322e3136382e302e31383a353036303b6f6207157369703a37"
	"663361403230332e302e3131332e313008173c7369703a70312e6578616d706c652e6f72673b6c723e08"
	"173c7369703a70322e6578616d706c652e6f72673b6c723e0901640a0304cb2f0b01010c01010d010110"
	"0105110377616e12077773732f3434331306c63364079cbb140670686f6e6573182e763d300d0a6f3d2d"
	"2031203220494e20495034203230332e302e3131332e31300d0a733d2d0d0a743d3020300d0a192e763d"
	"300d0a6f3d2d2037203820494e20495034203139322e3136382e302e31380d0a733d2d0d0a743d302030"
	"0d0a1a01311b01021c01081d01021e01021f0a31393238333031373734280207082901022a0601935421"
	"78a0202c010e613834623463373665363637313010010111036c616e131220010db80000000000000000"
	"0000002013c4";

/* sample_grown(), made in the same way. */
static const char grown[] =
	"ca01010b6e312d302d346633633961020102030601935419d7fb040601935419ecd0050601935419ecd1"
	"0606656467652d310706019353ef1e000801030c0b6e312d302d3466336339610d127564702f3132372e"
	"302e302e313a323232330e04722d37370f02ea601006019354f5a6d014157369703a616c696365406578"
	"616d706c652e6f726715137369703a626f62406578616d706c652e636f6d1606c63364079cbb17057573"
	"6572731803632d31190d696e746572666163653a77616e1908706565723a7062781a01011b01011c0601"
	"935419e3381d030100ff208203011b383433383137363337363834323330403939387364617364683039"
	"0206333134313539030a3139323833303137373404137369703a626f62406578616d706c652e636f6d05"
	"157369703a616c696365406578616d706c652e6f7267061e7369703a616c696365403139322e3136382e"
	"302e31383a353036303b6f6207157369703a37663361403230332e302e3131332e313008173c7369703a"
	"70312e6578616d706c652e6f72673b6c723e08173c7369703a70322e6578616d706c652e6f72673b6c72"
	"3e0901640a0304cb2f0b01010c01010d0101100105110377616e12077773732f3434331306c63364079c"
	"bb140670686f6e6573182e763d300d0a6f3d2d2031203220494e20495034203230332e302e3131332e31"
	"300d0a733d2d0d0a743d3020300d0a192e763d300d0a6f3d2d2037203820494e20495034203139322e31"
	"36382e302e31380d0a733d2d0d0a743d3020300d0a1a01311b01021c01081d01021e01021f0a31393238"
	"333031373734280207082901022a060193542178a0205e010e61383462346337366536363731300e0722"
	"416c696365220f03426f6210010111036c616e131220010db800000000000000000000002013c4150101"
	"160102170f7062782e6578616d706c652e6f72672008cbf29ce4842223252b015a400830203132203131"
	"3340053120332034";

static void assert_slice(struct slice got, struct slice want)
{
	assert_int_equal(got.len, want.len);
	if (want.len)
		assert_memory_equal(got.data, want.data, want.len);
}

static void assert_leg(const struct record_leg *got, const struct record_leg *want)
{
	assert_slice(got->call_id, want->call_id);
	assert_slice(got->local_tag, want->local_tag);
	assert_slice(got->remote_tag, want->remote_tag);
	assert_slice(got->local_uri, want->local_uri);
	assert_slice(got->remote_uri, want->remote_uri);
	assert_slice(got->remote_target, want->remote_target);
	assert_slice(got->local_contact, want->local_contact);
	assert_slice(got->interface, want->interface);
	assert_slice(got->listener, want->listener);
	assert_slice(got->peer, want->peer);
	assert_slice(got->ng_tag, want->ng_tag);
	assert_slice(got->sdp_session_id, want->sdp_session_id);
	assert_slice(got->sdp_sent, want->sdp_sent);
	assert_slice(got->sdp_received, want->sdp_received);
	assert_int_equal(got->route_count, want->route_count);
	for (uint32_t i = 0; i < want->route_count; i++)
		assert_slice(got->route_set[i], want->route_set[i]);
	assert_int_equal(got->local_cseq, want->local_cseq);
	assert_int_equal(got->remote_cseq, want->remote_cseq);
	assert_int_equal(got->is_caller, want->is_caller);
	assert_int_equal(got->is_confirmed, want->is_confirmed);
	assert_int_equal(got->is_secure, want->is_secure);
	assert_int_equal(got->transport, want->transport);
	assert_true(addr_equal(&got->remote, &want->remote));
	assert_true(got->sdp_session_version == want->sdp_session_version);
	assert_true(got->remote_sdp_version == want->remote_sdp_version);
	assert_int_equal(got->hold, want->hold);
	assert_int_equal(got->offer, want->offer);
	assert_int_equal(got->session_interval_s, want->session_interval_s);
	assert_int_equal(got->refresher, want->refresher);
	assert_true(got->next_refresh_ms == want->next_refresh_ms);
	assert_slice(got->local_display, want->local_display);
	assert_slice(got->remote_display, want->remote_display);
	assert_slice(got->tls_name, want->tls_name);
	assert_int_equal(got->allows_update, want->allows_update);
	assert_int_equal(got->server, want->server);
	assert_true(got->sdp_session_hash == want->sdp_session_hash);
	assert_int_equal(got->minimum_se_s, want->minimum_se_s);
}

static void assert_record(const struct call_record *got, const struct call_record *want)
{
	assert_slice(got->id, want->id);
	assert_int_equal(got->state, want->state);
	assert_true(got->created_ms == want->created_ms);
	assert_true(got->answered_ms == want->answered_ms);
	assert_true(got->written_ms == want->written_ms);
	assert_slice(got->node, want->node);
	assert_true(got->epoch == want->epoch);
	assert_int_equal(got->worker, want->worker);
	assert_slice(got->ng_call_id, want->ng_call_id);
	assert_slice(got->relay, want->relay);
	assert_slice(got->relay_instance, want->relay_instance);
	assert_int_equal(got->media_idle_ms, want->media_idle_ms);
	assert_true(got->ends_ms == want->ends_ms);
	assert_slice(got->caller, want->caller);
	assert_slice(got->callee, want->callee);
	assert_true(addr_equal(&got->source, &want->source));
	assert_slice(got->route, want->route);
	assert_int_equal(got->is_emergency, want->is_emergency);
	assert_int_equal(got->wants_privacy, want->wants_privacy);
	assert_true(got->ringing_ms == want->ringing_ms);
	assert_slice(got->session_ids, want->session_ids);
	assert_slice(got->event, want->event);
	assert_slice(got->root, want->root);
	assert_int_equal(got->lifetime_s, want->lifetime_s);
	assert_int_equal(got->fork_count, want->fork_count);
	for (uint32_t i = 0; i < want->fork_count; i++)
		assert_slice(got->forks[i], want->forks[i]);
	assert_int_equal(got->refer_count, want->refer_count);
	for (uint32_t i = 0; i < want->refer_count; i++)
		assert_slice(got->refers[i], want->refers[i]);
	assert_int_equal(got->leg_count, want->leg_count);
	for (uint32_t i = 0; i < want->leg_count; i++)
		assert_leg(&got->legs[i], &want->legs[i]);
}

static void hex(struct slice bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(out, "%02x", (uint8_t)bytes.data[i]);
}

static void unhex(const char *text, struct buf *out)
{
	unsigned byte;
	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		buf_add_char(out, (char)byte);
}

/* The fields 24 and 25 of the first writers. */
static const char no_more[] = "1803632d31190d696e746572666163653a77616e1908706565723a706278";

static void assert_golden(struct bench *b, const struct call_record *want, const char *hex_text)
{
	struct call_record *got = NULL;
	struct buf text, bytes;
	buf_init(&text);
	buf_init(&bytes);
	buf_clear(&b->out);
	assert_int_equal(record_encode(want, &b->out), 0);
	hex(buf_slice(&b->out), &text);
	/* What is not written any more is skipped in what was. */
	const char *old = strstr(hex_text, no_more);
	assert_non_null(old);
	assert_memory_equal(text.data, hex_text, (size_t)(old - hex_text));
	assert_string_equal(text.data + (old - hex_text), old + strlen(no_more));
	unhex(hex_text, &bytes);
	assert_int_equal(record_decode(b->arena, buf_slice(&bytes), &got), 0);
	assert_record(got, want);
	buf_free(&bytes);
	buf_free(&text);
}

static void the_bytes_of_version_1_never_change(void **state)
{
	struct bench *b = *state;

	assert_golden(b, sample_full(b->arena), golden);
	assert_golden(b, sample_grown(b->arena), grown);
}

static void a_record_does_not_point_into_the_bytes(void **state)
{
	struct bench *b = *state;
	struct call_record *want = sample_full(b->arena), *got = NULL;
	assert_int_equal(record_encode(want, &b->out), 0);
	assert_int_equal(record_decode(b->arena, buf_slice(&b->out), &got), 0);
	memset(b->out.data, 'X', b->out.len);
	assert_record(got, want);
}

static void any_record_survives_and_has_one_encoding(void **state)
{
	struct bench *b = *state;
	struct sample_random random;
	struct buf again;
	buf_init(&again);
	sample_random_init(&random, 20261122);
	for (int i = 0; i < 3000; i++) {
		struct call_record *got = NULL;
		struct call_record *want = sample_random(b->arena, &random.base);
		buf_clear(&b->out);
		buf_clear(&again);
		assert_int_equal(record_encode(want, &b->out), 0);
		assert_int_equal(record_decode(b->arena, buf_slice(&b->out), &got), 0);
		assert_record(got, want);
		assert_int_equal(record_encode(got, &again), 0);
		assert_slice(buf_slice(&again), buf_slice(&b->out));
		arena_reset(b->arena);
	}
	buf_free(&again);
}

static void every_cut_and_every_flipped_byte_is_survived(void **state)
{
	struct bench *b = *state;
	assert_int_equal(record_encode(sample_grown(b->arena), &b->out), 0);
	struct slice all = buf_slice(&b->out);
	char *copy = malloc(all.len);
	for (size_t n = 0; n < all.len; n++) {
		memcpy(copy, all.data, n);
		int err = decode(b, (struct slice){copy, n});
		assert_true(err == 0 || err == -ERR_MALFORMED);
		arena_reset(b->arena);
	}
	for (size_t i = 0; i < all.len * 8; i++) {
		memcpy(copy, all.data, all.len);
		copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
		int err = decode(b, (struct slice){copy, all.len});
		assert_true(err == 0 || err == -ERR_MALFORMED || err == -ERR_VERSION ||
			    err == -ERR_TOO_LARGE);
		arena_reset(b->arena);
	}
	free(copy);
}

#define HEAD                                                                                       \
	"\xca\x01\x01\x01"                                                                         \
	"a\x02\x01\x02" /* id "a", answered */

static void unknown_fields_are_skipped(void **state)
{
	struct bench *b = *state;
	struct call_record *got = NULL;
	/* record: number 9 twice, and 200 at the end; leg: number 100 */
	struct slice bytes =
		SLICE(HEAD "\x09\x02xx\x09\x00\x20\x06\x01\x01z\x64\x01?\xc8\x01\x03???");
	assert_int_equal(record_decode(b->arena, bytes, &got), 0);
	assert_slice(got->id, SLICE("a"));
	assert_int_equal(got->leg_count, 1);
	assert_slice(got->legs[0].call_id, SLICE("z"));
}

static void what_is_not_exactly_right_is_refused(void **state)
{
	struct bench *b = *state;
	static const struct {
		struct slice bytes;
		int err;
	} cases[] = {
		{{HEAD, sizeof(HEAD) - 1}, 0},
		{{"", 0}, -ERR_MALFORMED},
		{{"\xca", 1}, -ERR_MALFORMED},
		{{"\xcb\x01", 2}, -ERR_MALFORMED},
		{{"\xca\x02\x01\x01"
		  "a",
		  5},
		 -ERR_VERSION},
		{{"\xca\x01", 2}, -ERR_MALFORMED}, /* no id */
		{{"\xca\x01\x01\x01"
		  "a",
		  5},
		 -ERR_MALFORMED},                                       /* no state */
		{{"\xca\x01\x01\x01}\x02\x01\x02", 8}, -ERR_MALFORMED}, /* id */
		{{"\xca\x01\x02\x01\x02\x01\x01"
		  "a",
		  8},
		 -ERR_MALFORMED},                                        /* order */
		{{HEAD "\x02\x01\x02", 11}, -ERR_MALFORMED},             /* twice */
		{{HEAD "\x00\x01\x02", 11}, -ERR_MALFORMED},             /* number 0 */
		{{HEAD "\x83\x00\x01\x02", 12}, -ERR_MALFORMED},         /* long number */
		{{HEAD "\x03\x81\x00\x02", 12}, -ERR_MALFORMED},         /* long length */
		{{HEAD "\x03\xff\xff\xff\xff\x01", 14}, -ERR_MALFORMED}, /* varint */
		{{HEAD "\x03\x02\x00\x02", 12}, -ERR_MALFORMED},         /* leading zero */
		{{HEAD "\x03\x01\x00", 11}, -ERR_MALFORMED},             /* zero */
		{{HEAD "\x03\x00", 10}, -ERR_MALFORMED},                 /* empty number */
		{{HEAD "\x03\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01", 19}, -ERR_MALFORMED},
		{{HEAD "\x06\x00", 10}, -ERR_MALFORMED}, /* empty text */
		{{HEAD "\x06\x02"
		       "a\n",
		  12},
		 -ERR_MALFORMED},                                            /* line feed */
		{{HEAD "\x06\x01\x7f", 11}, -ERR_MALFORMED},                 /* DEL */
		{{HEAD "\x08\x05\x01\x01\x01\x01\x01", 15}, -ERR_MALFORMED}, /* > 32 bits */
		{{HEAD "\x16\x05\x01\x01\x01\x01\x01", 15}, -ERR_MALFORMED}, /* address */
		{{HEAD "\x20\x03\x0b\x01\x02", 13}, -ERR_MALFORMED},         /* bool 2 */
		{{HEAD "\x20\x03\x10\x01\x06", 13}, -ERR_MALFORMED},         /* transport 6 */
		{{HEAD "\x20\x03\x01\x04"
		       "a",
		  13},
		 -ERR_MALFORMED}, /* leg too short */
		{{"\xca\x01\x01\x01"
		  "a\x02\x01\x05",
		  8},
		 -ERR_MALFORMED}, /* state 5 */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = decode(b, cases[i].bytes);
		if (err != cases[i].err)
			fail_msg("case %zu: %s, not %s", i, err_text(err), err_text(cases[i].err));
	}
}

static void limits_hold_both_ways(void **state)
{
	struct bench *b = *state;
	struct call_record *record = minimal(b);
	char *big = arena_zalloc(b->arena, 20000);
	memset(big, 'x', 20000);

	record->legs[0].sdp_sent = (struct slice){big, 16 * 1024};
	assert_int_equal(record_encode(record, &b->out), 0);
	size_t before = b->out.len;
	record->legs[0].sdp_sent.len++;
	assert_int_equal(record_encode(record, &b->out), -ERR_TOO_LARGE);
	assert_int_equal(b->out.len, before);
	record->legs[0].sdp_sent.len = 0;

	record->node = (struct slice){big, 129};
	assert_int_equal(record_encode(record, &b->out), -ERR_TOO_LARGE);
	record->node = SLICE("two\r\nlines");
	assert_int_equal(record_encode(record, &b->out), -ERR_INVALID);
	record->node = SLICE_NONE;

	record->leg_count = RECORD_LEGS_LIMIT + 1;
	assert_int_equal(record_encode(record, &b->out), -ERR_TOO_MANY);
	record->leg_count = 1;
	record->legs[0].route_count = RECORD_ROUTE_LIMIT + 1;
	assert_int_equal(record_encode(record, &b->out), -ERR_TOO_MANY);
	record->legs[0].route_count = 0;

	record->legs[0].hold = RECORD_HOLD_BOTH + 1;
	assert_int_equal(record_encode(record, &b->out), -ERR_INVALID);
	record->legs[0].hold = 0;

	record->state = 0;
	assert_int_equal(record_encode(record, &b->out), -ERR_INVALID);
	assert_int_equal(b->out.len, before);
}

static void too_many_of_a_list_are_refused(void **state)
{
	struct bench *b = *state;
	buf_add(&b->out, SLICE(HEAD));
	for (int i = 0; i < RECORD_LEGS_LIMIT; i++)
		buf_add(&b->out, SLICE("\x20\x00"));
	assert_int_equal(decode(b, buf_slice(&b->out)), 0);
	buf_add(&b->out, SLICE("\x20\x00"));
	assert_int_equal(decode(b, buf_slice(&b->out)), -ERR_TOO_MANY);

	char *huge = calloc(1, RECORD_SIZE_LIMIT + 1);
	assert_int_equal(decode(b, (struct slice){huge, RECORD_SIZE_LIMIT + 1}), -ERR_TOO_LARGE);
	free(huge);
}

static void a_full_arena_is_an_error(void **state)
{
	struct bench *b = *state;
	struct arena *small = NULL;
	struct call_record *record = NULL;
	assert_int_equal(record_encode(sample_full(b->arena), &b->out), 0);
	assert_int_equal(arena_create(512, 1600, &small), 0);
	assert_int_equal(record_decode(small, buf_slice(&b->out), &record), -ERR_NO_MEMORY);
	assert_null(record);
	arena_destroy(small);
}

static void keys_hold_the_hash_tag(void **state)
{
	struct bench *b = *state;
	assert_int_equal(record_key(SLICE("n1-0-4f3c9a"), &b->out), 0);
	assert_string_equal(b->out.data, "call:{n1-0-4f3c9a}");
	assert_int_equal(record_key(SLICE("a}b"), &b->out), -ERR_INVALID);
	assert_int_equal(record_key(SLICE("a b"), &b->out), -ERR_INVALID);
	assert_int_equal(record_key(SLICE_NONE, &b->out), -ERR_INVALID);
}

static void json_is_valid_whatever_the_record_holds(void **state)
{
	struct bench *b = *state;
	struct call_record *record = sample_full(b->arena);
	record->legs[1].sdp_sent =
		SLICE("a\"\\\x01\x7f\xff\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80\xc0\x80");
	record_json(record, &b->out);
	json_error_t error;
	json_t *json = json_loadb(b->out.data, b->out.len, 0, &error);
	if (!json)
		fail_msg("%s in %s", error.text, b->out.data);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "answered");
	assert_float_equal(json_number_value(json_object_get(json, "created_at")), 1732282800.123,
			   0.0001);
	json_t *legs = json_object_get(json, "legs");
	assert_int_equal(json_array_size(legs), 2);
	const json_t *leg = json_array_get(legs, 0);
	assert_string_equal(json_string_value(json_object_get(leg, "transport")), "wss");
	assert_string_equal(json_string_value(json_object_get(leg, "remote")),
			    "198.51.100.7:40123");
	assert_int_equal(json_array_size(json_object_get(leg, "route_set")), 2);
	leg = json_array_get(legs, 1);
	assert_string_equal(json_string_value(json_object_get(leg, "sdp_sent")),
			    "a\"\\\x01\x7f\xef\xbf\xbd\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
			    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_null(json_object_get(leg, "peer"));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_bytes_of_version_1_never_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_record_does_not_point_into_the_bytes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(any_record_survives_and_has_one_encoding, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_cut_and_every_flipped_byte_is_survived, setup,
						teardown),
		cmocka_unit_test_setup_teardown(unknown_fields_are_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_exactly_right_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(limits_hold_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_of_a_list_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_arena_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_hold_the_hash_tag, setup, teardown),
		cmocka_unit_test_setup_teardown(json_is_valid_whatever_the_record_holds, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
