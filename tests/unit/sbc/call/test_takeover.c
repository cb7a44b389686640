/* A process killed and started again answers for the calls of before: on the first message in one
 * after one read, and takes the others up behind. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"
#include "sbc/call/takeover.h"
#include "sbc/call/verbs.h"

static struct bench bench;
static struct talk talk;
static char id[TOKEN_LENGTH];
static struct token name;

static void killed_in_a_call(void)
{
	bench_open(&bench);
	bench_talk(&bench, &talk);
	struct call *call = calls_next(bench.calls, NULL);
	memcpy(id, call->id, TOKEN_LENGTH);
	name = call->name;
	bench_restart(&bench);
	takeover_told_all(bench.calls);
	bench_advance(&bench, 1);
	assert_int_equal(bench.calls->by_number.count, 0);
}

static void the_first_message_brings_it_back(void **state)
{
	(void)state;

	killed_in_a_call();
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_nothing(&bench); /* it waits */
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_nothing(&bench);
	assert_int_equal(bench.store.gets, 1);
	assert_int_equal(bench.store.takes, 1);
	assert_int_equal(bench.store.deletes, 1);
	assert_int_equal(bench_record(&bench, id).len, 0);
	bench_close(&bench);
}

static void what_comes_meanwhile_keeps_its_order(void **state)
{
	(void)state;

	killed_in_a_call();
	bench_inside(&bench, &talk, PHONE, "INFO", 2, "", NULL);
	bench_inside(&bench, &talk, PHONE, "MESSAGE", 3, "", NULL);
	bench_inside(&bench, &talk, PBX, "BYE", 4, "", NULL);
	bench_advance(&bench, 20);
	bench_next(&bench, PBX, "INFO ");
	bench_next(&bench, PBX, "MESSAGE ");
	bench_next(&bench, PBX, "SIP/2.0 200 ");
	bench_next(&bench, PHONE, "SIP/2.0 487 ");
	bench_next(&bench, PHONE, "SIP/2.0 487 ");
	bench_reply(&bench, PHONE, bench_next(&bench, PHONE, "BYE "), "200 OK", "a", NULL);
	assert_int_equal(bench.store.gets, 1);
	bench_close(&bench);
}

static void what_is_in_no_store_is_unknown(void **state)
{
	(void)state;

	killed_in_a_call();
	memset(bench.store.kept[0].key, 0, sizeof(bench.store.kept[0].key));
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	assert_int_equal(counter_get(&bench.calls->counters.unknown_dialog), 1);
	/* ... and is not asked for again at once. */
	bench_inside(&bench, &talk, PHONE, "INFO", 3, "", NULL);
	assert_int_equal(counter_get(&bench.calls->counters.unknown_dialog), 2);
	assert_int_equal(bench.store.gets, 1);
	bench_close(&bench);
}

/* Not one read for what this process made itself. */
static void calls_of_this_process_are_not_asked_for(void **state)
{
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	bench_hang_up(&bench, &talk, 2);
	bench_advance(&bench, 40000);
	bench_inside(&bench, &talk, PHONE, "INFO", 9, "", NULL);
	assert_int_equal(counter_get(&bench.calls->counters.unknown_dialog), 1);
	assert_int_equal(bench.store.gets, 0);
	bench_close(&bench);
}

static void a_store_that_is_away_is_waited_for(void **state)
{
	(void)state;

	killed_in_a_call();
	bench.store.is_away = true;
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 600);
	bench_nothing(&bench);
	bench.store.is_away = false;
	bench_advance(&bench, 600);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_close(&bench);
}

static void one_that_stays_away_is_told(void **state)
{
	(void)state;

	killed_in_a_call();
	bench.store.is_away = true;
	bench_inside(&bench, &talk, PHONE, "INFO", 2, "", NULL);
	bench_advance(&bench, 4000);
	assert_string_equal(bench_header(bench_next(&bench, PHONE, "SIP/2.0 500 "), "Retry-After"),
			    "5");
	bench_close(&bench);
}

static void a_forged_record_is_no_call(void **state)
{
	(void)state;

	killed_in_a_call();
	bench.store.kept[0].value.data[RECORD_HEAD_SIZE + 2] ^= 0x40;
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	assert_int_equal(counter_get(&bench.calls->counters.unknown_dialog), 1);
	assert_int_equal(counter_get(&bench.calls->counters.bad_records), 1);
	bench_close(&bench);
}

static void the_rest_is_taken_up_behind(void **state)
{
	(void)state;

	killed_in_a_call();
	takeover_add(bench.calls, &name, 1);
	assert_int_equal(takeover_waiting(bench.calls->takeover), 1);
	bench_advance(&bench, 20);
	assert_int_equal(takeover_waiting(bench.calls->takeover), 0);
	assert_int_equal(bench.calls->by_number.count, 1);
	assert_int_equal(bench.store.gets, 0);
	bench_hang_up(&bench, &talk, 2);
	bench_close(&bench);
}

/* Told of it by a scan that was slower than the call's end. */
static void what_has_ended_does_not_come_back(void **state)
{
	(void)state;

	killed_in_a_call();
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_advance(&bench, 40000);
	takeover_add(bench.calls, &name, 1);
	bench_advance(&bench, 20);
	assert_int_equal(bench.calls->by_number.count, 0);
	bench_close(&bench);
}

/* Its record is deleted a moment after its end: a scan may find it until then. */
static void nor_while_the_store_has_it(void **state)
{
	(void)state;

	killed_in_a_call();
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_advance(&bench, 20);
	unsigned takes = bench.store.takes;
	takeover_add(bench.calls, &name, 1);
	bench_advance(&bench, 20);
	assert_int_equal(bench.store.takes, takes);
	bench_close(&bench);
}

/* As the walk at the start does, with what it read. */
static void give(void)
{
	takeover_give(bench.calls, &name, buf_slice(&bench.store.kept[0].value));
}

static void what_the_walk_read_is_not_asked_for_again(void **state)
{
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	name = calls_next(bench.calls, NULL)->name;
	bench_restart(&bench);
	give();
	give(); /* it may come by twice */
	takeover_told_all(bench.calls);
	assert_int_equal(bench.calls->by_number.count, 1);
	assert_int_equal(bench.calls->unprotected, 0);
	assert_int_equal(bench.store.gets + bench.store.takes, 0);
	bench_hang_up(&bench, &talk, 2);
	bench_close(&bench);
}

/* It was read before the call's end, and comes after it. */
static void what_the_walk_read_too_early_is_dropped(void **state)
{
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	name = calls_next(bench.calls, NULL)->name;
	struct buf before;
	buf_init(&before);
	buf_add(&before, buf_slice(&bench.store.kept[0].value));
	bench_restart(&bench);
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_advance(&bench, 1000);
	assert_int_equal(bench.calls->by_number.count, 0);
	takeover_give(bench.calls, &name, buf_slice(&before));
	assert_int_equal(bench.calls->by_number.count, 0);
	buf_free(&before);
	bench_close(&bench);
}

/* Two nodes get the same message: one acts. The other one takes the call only when it is asked for
 * again. */
static void one_that_is_slower_leaves_it_alone(void **state)
{
	(void)state;

	killed_in_a_call();
	bench.store.is_slow = true;
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 2000);
	bench_nothing(&bench);
	assert_int_equal(bench.calls->by_number.count, 0);
	assert_int_equal(bench.store.takes, 1);
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_int_equal(bench.store.takes, 2);
	bench_close(&bench);
}

static void headless(void)
{
	struct buf *value = &bench.store.kept[0].value;

	memmove(value->data, value->data + RECORD_HEAD_SIZE, value->len - RECORD_HEAD_SIZE);
	value->len -= RECORD_HEAD_SIZE;
}

/* Of the version before: it has no head, and is nobody's. */
static void a_record_of_the_version_before_is_read(void **state)
{
	(void)state;

	killed_in_a_call();
	headless();
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, bench_next(&bench, PBX, "BYE "), "200 OK", "b", NULL);
	assert_int_equal(bench.store.takes, 1);
	bench_close(&bench);
}

/* Where they are sealed it could be anybody's. */
static void not_where_records_are_sealed(void **state)
{
	(void)state;

	killed_in_a_call();
	bench.config.state.key = "a key";
	headless();
	bench_inside(&bench, &talk, PHONE, "BYE", 2, "", NULL);
	bench_advance(&bench, 20);
	assert_int_equal(counter_get(&bench.calls->counters.bad_records), 1);
	bench.config.state.key = NULL;
	bench_close(&bench);
}

/* Another node has taken it: our next write fails, and the call is gone here without a word. */
static void a_lost_call_is_dropped_in_silence(void **state)
{
	struct record_head head = {.node = 9, .epoch = 7};
	struct buf value;
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	struct call *call = calls_next(bench.calls, NULL);
	buf_init(&value);
	record_head_write(&head, &value);
	memcpy(bench.store.kept[0].value.data, value.data, RECORD_HEAD_SIZE);
	buf_free(&value);
	record_keep(call, false);
	bench_nothing(&bench);
	assert_int_equal(counter_get(&bench.calls->counters.lost), 1);
	assert_int_equal(counter_get(&bench.calls->counters.ended), 0);
	assert_int_equal(bench.store.deletes, 0);
	assert_null(strstr(bench.relay_log, "delete"));
	bench_advance(&bench, 10);
	assert_int_equal(bench.calls->by_number.count, 0);
	assert_int_equal(limits_calls(bench.limits, PHONE), 0);
	bench_close(&bench);
}

/* Its 200 comes once more, as our ACK was lost with the process. */
static void a_repeated_answer_gets_its_ack(void **state)
{
	char invite[BENCH_TEXT_MAX];
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	snprintf(invite, sizeof(invite), "%s", talk.invite);
	bench_restart(&bench);
	bench_reply(&bench, PBX, invite, "200 OK", "b", pbx_sdp);
	bench_advance(&bench, 20);
	const char *ack = bench_next(&bench, PBX, "ACK ");
	assert_string_equal(bench_header(ack, "CSeq"), "1 ACK");
	bench_nothing(&bench);
	bench_hang_up(&bench, &talk, 2);
	bench_close(&bench);
}

/* A transfer goes on: what its NOTIFYs are numbered by is in the record. */
static void a_refer_is_still_known(void **state)
{
	char event[80];
	(void)state;

	bench_open(&bench);
	bench_talk(&bench, &talk);
	bench_inside(&bench, &talk, PBX, "REFER", 41, "Refer-To: <sip:x@example.net>\r\n", NULL);
	const char *refer = bench_next(&bench, PHONE, "REFER ");
	snprintf(event, sizeof(event), "Event: refer;id=%lu\r\nSubscription-State: active\r\n",
		 strtoul(bench_header(refer, "CSeq"), NULL, 10));
	bench_reply(&bench, PHONE, refer, "202 Accepted", "a", NULL);
	bench_next(&bench, PBX, "SIP/2.0 202 ");
	bench_advance(&bench, 20);
	bench_restart(&bench);
	bench_inside(&bench, &talk, PHONE, "NOTIFY", 2, event, NULL);
	bench_advance(&bench, 20);
	const char *notify = bench_next(&bench, PBX, "NOTIFY ");
	assert_string_equal(bench_header(notify, "Event"), "refer;id=41");
	bench_reply(&bench, PBX, notify, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_hang_up(&bench, &talk, 3);
	bench_close(&bench);
}

/* --- while it rings --- */

static void killed_while_ringing(const char *lines, const char *reply_lines, const char *sdp)
{
	static char invite[BENCH_TEXT_MAX];

	bench_open(&bench);
	bench.config.state.protect = CONFIG_PROTECT_RINGING;
	bench_invite_with(&bench, &talk, lines, phone_sdp);
	snprintf(invite, sizeof(invite), "%s", talk.invite);
	talk.invite = invite;
	bench_reply_with(&bench, PBX, talk.invite, "180 Ringing", "b", reply_lines, sdp);
	bench_learn(&talk, bench_next(&bench, PHONE, "SIP/2.0 180 "));
	assert_int_equal(bench.store.puts, 1);
	memcpy(id, calls_next(bench.calls, NULL)->id, TOKEN_LENGTH);
	name = calls_next(bench.calls, NULL)->name;
	bench_restart(&bench);
}

static void it_is_answered_afterwards(void **state)
{
	(void)state;

	killed_while_ringing("", "", NULL);
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", pbx_sdp);
	bench_advance(&bench, 20);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	/* The same dialog that the caller was told of, on the transaction that it waits on. */
	assert_string_equal(bench_header(ok, "To"), talk.to);
	assert_non_null(strstr(bench_header(ok, "Via"), "z9hG4bKinvite"));
	assert_non_null(strstr(ok, "m=audio"));
	bench_ack(&bench, &talk, 1, NULL);
	bench_hang_up(&bench, &talk, 2);
	assert_int_equal(bench.store.puts, 2);
	assert_int_equal(bench.store.deletes, 1);
	bench_close(&bench);
}

static void it_goes_on_ringing(void **state)
{
	(void)state;

	killed_while_ringing("", "", NULL);
	bench_reply(&bench, PBX, talk.invite, "183 Progress", "b", pbx_sdp);
	bench_advance(&bench, 20);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	assert_string_equal(bench_header(progress, "To"), talk.to);
	/* Another fork gets a tag of its own. */
	bench_reply(&bench, PBX, talk.invite, "180 Ringing", "other", NULL);
	assert_string_not_equal(bench_header(bench_next(&bench, PHONE, "SIP/2.0 180 "), "To"),
				talk.to);
	bench_reply(&bench, PBX, talk.invite, "486 Busy", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
	assert_int_equal(bench.store.deletes, 1);
	bench_close(&bench);
}

static void it_is_cancelled_afterwards(void **state)
{
	(void)state;

	killed_while_ringing("", "", NULL);
	bench_receive(&bench, PHONE,
		      "CANCEL sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKinvite;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: call-a\r\nCSeq: 1 CANCEL\r\n"
		      "Content-Length: 0\r\n\r\n");
	bench_nothing(&bench); /* it waits for all that the store has */
	takeover_add(bench.calls, &name, 1);
	takeover_told_all(bench.calls);
	bench_advance(&bench, 20);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_next(&bench, PHONE, "SIP/2.0 487 ");
	const char *cancel = bench_next(&bench, PBX, "CANCEL ");
	assert_string_equal(bench_header(cancel, "Via"), bench_header(talk.invite, "Via"));
	bench_reply(&bench, PBX, cancel, "200 OK", "b", NULL);
	bench_reply(&bench, PBX, talk.invite, "487 Gone", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_nothing(&bench);
	bench_advance(&bench, 10);
	assert_int_equal(bench.calls->by_server.count, 0);
	bench_close(&bench);
}

static void a_cancel_of_nothing_is_told_in_time(void **state)
{
	(void)state;

	killed_while_ringing("", "", NULL);
	bench_receive(&bench, PHONE,
		      "CANCEL sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKanother;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: call-b\r\nCSeq: 1 CANCEL\r\n"
		      "Content-Length: 0\r\n\r\n");
	bench_nothing(&bench);
	bench_advance(&bench, 2100);
	bench_next(&bench, PHONE, "SIP/2.0 481 ");
	bench_close(&bench);
}

/* Its answer came in a reliable reply: the 200 has none. */
static void what_was_agreed_early_is_still_agreed(void **state)
{
	(void)state;

	bench_open(&bench);
	bench.peers[PBX].dialog.reliable = CONFIG_RELIABLE_AUTO;
	bench.peers[PHONE].dialog.reliable = CONFIG_RELIABLE_AUTO;
	bench.config.state.protect = CONFIG_PROTECT_RINGING;
	bench_invite_with(&bench, &talk, "Supported: 100rel\r\n", phone_sdp);
	static char invite[BENCH_TEXT_MAX];
	snprintf(invite, sizeof(invite), "%s", talk.invite);
	talk.invite = invite;
	bench_reply_with(&bench, PBX, talk.invite, "183 Progress", "b",
			 "Require: 100rel\r\nRSeq: 7\r\n", pbx_sdp);
	const char *progress = bench_next(&bench, PHONE, "SIP/2.0 183 ");
	char rack[80];
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", bench_header(progress, "RSeq"));
	bench_learn(&talk, progress);
	bench_restart(&bench);
	bench_inside(&bench, &talk, PHONE, "PRACK", 2, rack, NULL);
	bench_advance(&bench, 20);
	const char *prack = bench_next(&bench, PBX, "PRACK ");
	assert_string_equal(bench_header(prack, "RAck"), "7 1 INVITE");
	bench_reply(&bench, PBX, prack, "200 OK", "b", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_reply(&bench, PBX, talk.invite, "200 OK", "b", NULL);
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_ack(&bench, &talk, 1, NULL);
	bench_hang_up(&bench, &talk, 3);
	bench_close(&bench);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_message_brings_it_back),
		cmocka_unit_test(what_comes_meanwhile_keeps_its_order),
		cmocka_unit_test(what_is_in_no_store_is_unknown),
		cmocka_unit_test(calls_of_this_process_are_not_asked_for),
		cmocka_unit_test(a_store_that_is_away_is_waited_for),
		cmocka_unit_test(one_that_stays_away_is_told),
		cmocka_unit_test(a_forged_record_is_no_call),
		cmocka_unit_test(the_rest_is_taken_up_behind),
		cmocka_unit_test(what_has_ended_does_not_come_back),
		cmocka_unit_test(nor_while_the_store_has_it),
		cmocka_unit_test(what_the_walk_read_is_not_asked_for_again),
		cmocka_unit_test(what_the_walk_read_too_early_is_dropped),
		cmocka_unit_test(one_that_is_slower_leaves_it_alone),
		cmocka_unit_test(a_record_of_the_version_before_is_read),
		cmocka_unit_test(not_where_records_are_sealed),
		cmocka_unit_test(a_lost_call_is_dropped_in_silence),
		cmocka_unit_test(a_repeated_answer_gets_its_ack),
		cmocka_unit_test(a_refer_is_still_known),
		cmocka_unit_test(it_is_answered_afterwards),
		cmocka_unit_test(it_goes_on_ringing),
		cmocka_unit_test(it_is_cancelled_afterwards),
		cmocka_unit_test(a_cancel_of_nothing_is_told_in_time),
		cmocka_unit_test(what_was_agreed_early_is_still_agreed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
