/* A call out of its record is the call that was written: the same record again, byte for byte, and
 * the same answers to whatever its sides say next. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"
#include "sbc/call/verbs.h"
#include "sbc/route/shared.h"

enum { ROUNDS = 60, CSEQ_BLOCK = 100 };

static struct bench bench;
static uint64_t seed;

static unsigned dice(unsigned sides)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % sides;
}

static const struct call_record *decode(struct arena *arena, struct slice bytes)
{
	struct call_record *record = NULL;

	assert_int_equal(record_decode(arena, bytes, &record), 0);
	return record;
}

/* The one call that there is. */
static struct call *only_call(void)
{
	assert_int_equal(bench.calls->by_number.count, 1);
	return calls_next(bench.calls, NULL);
}

/* Behind its clear head. */
static struct slice body_of(const char *id)
{
	struct slice value = bench_record(&bench, id);
	return slice_sub(value, RECORD_HEAD_SIZE, value.len);
}

static struct call *revive(struct arena *arena, const char *id)
{
	struct call *call = NULL;

	assert_int_equal(call_revive(bench.calls, decode(arena, body_of(id)), &call), 0);
	return call;
}

static void encode(const struct call_record *record, struct buf *out)
{
	buf_clear(out);
	assert_int_equal(record_encode(record, out), 0);
}

/* Killed, started again, and taken up: its record would be the same but for the CSeq numbers that
 * are left out, and the time. */
static struct call *restart(void)
{
	char id[TOKEN_LENGTH];
	struct buf before, after;
	struct arena *arena;

	memcpy(id, only_call()->id, TOKEN_LENGTH);
	bench_restart(&bench);
	assert_int_equal(arena_create(4096, 1 << 20, &arena), 0);
	struct call *call = revive(arena, id);
	struct call_record *was = (struct call_record *)(uintptr_t)decode(arena, body_of(id));
	struct call_record *is = record_create(arena, LEGS);
	assert_int_equal(record_fill(arena, call, is), 0);
	was->written_ms = is->written_ms;
	for (int leg = 0; leg < LEGS; leg++) {
		uint32_t *cseq = &was->legs[leg].local_cseq;
		assert_in_range(is->legs[leg].local_cseq, *cseq + CSEQ_BLOCK, *cseq + 1000000);
		*cseq = is->legs[leg].local_cseq;
	}
	call->reserved_cseq[0] = call->reserved_cseq[1] = 0;
	buf_init(&before);
	buf_init(&after);
	encode(was, &before);
	encode(is, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	buf_free(&before);
	buf_free(&after);
	arena_destroy(arena);
	return call;
}

static void one_after_the_other(void **state)
{
	struct talk talk;
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	uint64_t answered = only_call()->answered_ms;
	bench_advance(&bench, 5000);
	struct call *call = restart();
	assert_true(call->answered_ms == answered);
	assert_int_equal(counter_get(&bench.calls->counters.up), 1);
	bench_hang_up(&bench, &talk, 2);
	assert_int_equal(bench.store.deletes, 1);
	assert_int_equal(counter_get(&bench.calls->counters.up), 0);
	bench_close(&bench);
}

static void the_callee_hangs_up(void **state)
{
	struct talk talk;
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	restart();
	bench_inside(&bench, &talk, PBX, "BYE", 7, "", NULL);
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	const char *bye = bench_next(&bench, PHONE, "BYE ");
	/* No number is used twice. */
	assert_true(strtoul(bench_header(bye, "CSeq"), NULL, 10) > CSEQ_BLOCK);
	bench_reply(&bench, PHONE, bye, "200 OK", "a", NULL);
	bench_close(&bench);
}

static void hold_goes_on_with_the_same_origin(void **state)
{
	struct talk talk;
	unsigned long long id, version, next_id, next_version;
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	assert_int_equal(sscanf(strstr(talk.invite, "o=- "), "o=- %llu %llu", &id, &version), 2);
	restart();
	bench_inside(&bench, &talk, PHONE, "INVITE", 2, "",
		     "v=0\r\no=a 1 2 IN IP4 192.168.7.10\r\ns=x\r\nc=IN IP4 192.168.7.10\r\n"
		     "t=0 0\r\nm=audio 20000 RTP/AVP 8\r\na=sendonly\r\n");
	const char *again = bench_next(&bench, PBX, "INVITE ");
	assert_int_equal(sscanf(strstr(again, "o=- "), "o=- %llu %llu", &next_id, &next_version),
			 2);
	assert_true(next_id == id && next_version == version + 1);
	bench_reply(&bench, PBX, again, "200 OK", "b", pbx_sdp);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_ack(&bench, &talk, 2, NULL);
	bench_hang_up(&bench, &talk, 3);
	bench_close(&bench);
}

static void it_counts_in_its_limits_again(void **state)
{
	struct talk talk;
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	restart();
	assert_int_equal(limits_calls(bench.limits, PHONE), 1);
	assert_int_equal(atomic_load(&peers_shared(bench.peer_table)->peers[PBX].calls), 1);
	assert_int_equal(atomic_load(&peers_shared(bench.peer_table)->servers[PBX].calls), 1);
	bench_hang_up(&bench, &talk, 2);
	assert_int_equal(limits_calls(bench.limits, PHONE), 0);
	assert_int_equal(atomic_load(&peers_shared(bench.peer_table)->peers[PBX].calls), 0);
	assert_int_equal(atomic_load(&peers_shared(bench.peer_table)->servers[PBX].calls), 0);
	bench_close(&bench);
}

static void what_is_not_ours_is_refused(void **state)
{
	struct call_record *record;
	struct call *call = NULL;
	struct talk talk;
	struct arena *arena;
	char id[TOKEN_LENGTH];
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	memcpy(id, only_call()->id, TOKEN_LENGTH);
	assert_int_equal(arena_create(4096, 1 << 20, &arena), 0);
	assert_int_equal(call_revive(bench.calls, decode(arena, body_of(id)), &call), -ERR_EXISTS);
	bench_restart(&bench);
	record = (struct call_record *)(uintptr_t)decode(arena, body_of(id));
	struct slice name = record->id;
	record->id = SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaa");
	assert_int_equal(call_revive(bench.calls, record, &call), -ERR_MALFORMED);
	record->id = name;
	record->legs[1].interface = SLICE("gone");
	assert_int_equal(call_revive(bench.calls, record, &call), -ERR_NOT_FOUND);
	bench_advance(&bench, 10);
	assert_int_equal(bench.calls->by_number.count, 0);
	assert_int_equal(counter_get(&bench.calls->counters.live), 0);
	assert_null(call);
	arena_destroy(arena);
	bench_close(&bench);
}

/* A call of another node: our numbers may be the same as its. */
static void names_of_another_node_are_kept_apart(void **state)
{
	struct talk talk;
	struct arena *arena;
	char id[TOKEN_LENGTH];
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	memcpy(id, only_call()->id, TOKEN_LENGTH);
	bench_restart(&bench);
	bench.worker.node = 2;
	assert_int_equal(arena_create(4096, 1 << 20, &arena), 0);
	struct call *call = revive(arena, id);
	assert_int_equal(call->name.node, 1);
	assert_true(call->number != call->name.id);
	assert_memory_equal(call->id, id, TOKEN_LENGTH);
	bench_hang_up(&bench, &talk, 2);
	bench_advance(&bench, 200000);
	assert_int_equal(bench.calls->by_name.count, 0);
	arena_destroy(arena);
	bench_close(&bench);
}

/* Calls with all sorts of properties. */
static void any_call_comes_back(void **state)
{
	static const char *const some_lines[] = {
		"", "Session-Expires: 600;refresher=uac\r\nSupported: timer\r\n",
		"Record-Route: <sip:p1.example.net;lr>\r\nRecord-Route: <sip:192.0.2.7;lr>\r\n",
		"Allow: INVITE, UPDATE\r\nSession-Expires: 1800;refresher=uas\r\n"
		"Supported: timer\r\n",
		"Session-ID: 0123456789abcdef0123456789abcdef;remote="
		"00000000000000000000000000000000\r\nPrivacy: id\r\n"};
	(void)state;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct talk talk;
		uint32_t cseq = 2;
		seed = round + 1;
		bench_open(&bench);
		bench_invite_with(&bench, &talk, some_lines[dice(5)], phone_sdp);
		if (dice(2)) {
			bench_reply(&bench, PBX, talk.invite, "180 Ringing", "b", NULL);
			bench_next(&bench, PHONE, "SIP/2.0 180 ");
		}
		bench_reply_with(&bench, PBX, talk.invite, "200 OK", "b",
				 dice(2) ? "Session-Expires: 900;refresher=uac\r\nAllow: UPDATE\r\n"
					 : "Record-Route: <sip:10.0.0.20;lr>\r\n",
				 pbx_sdp);
		bench_next(&bench, PBX, "ACK ");
		bench_learn(&talk, bench_next(&bench, PHONE, "SIP/2.0 200 "));
		bench_ack(&bench, &talk, 1, NULL);
		for (unsigned i = dice(3); i > 0; i--) {
			bench_advance(&bench, dice(2000));
			bench_inside(&bench, &talk, PHONE, "INVITE", cseq, "", phone_sdp);
			bench_reply(&bench, PBX, bench_next(&bench, PBX, "INVITE "), "200 OK", "b",
				    pbx_sdp);
			bench_next(&bench, PBX, "ACK ");
			bench_next(&bench, PHONE, "SIP/2.0 200 ");
			bench_ack(&bench, &talk, cseq++, NULL);
		}
		/* More than once. */
		for (unsigned i = 1 + dice(2); i > 0; i--) {
			struct call *call = restart();
			record_keep(call, false);
		}
		bench_hang_up(&bench, &talk, cseq);
		bench_close(&bench);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(the_callee_hangs_up),
		cmocka_unit_test(hold_goes_on_with_the_same_origin),
		cmocka_unit_test(it_counts_in_its_limits_again),
		cmocka_unit_test(what_is_not_ours_is_refused),
		cmocka_unit_test(names_of_another_node_are_kept_apart),
		cmocka_unit_test(any_call_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
