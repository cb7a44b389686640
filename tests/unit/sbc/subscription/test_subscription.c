/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "control/state/record_head.h"

enum { HOUR_MS = 3600000 };

static void create(struct bench *bench, struct store *store)
{
	struct subscriptions_config config = {.worker = &bench->worker,
					      .peers = bench->peer_table,
					      .registrar = bench->registrar,
					      .conceal = &bench->conceal,
					      .store = store};
	assert_int_equal(subscriptions_create(&config, &bench->subscriptions), 0);
}

static int open_with(void **state, bool is_kept)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	bench_open(bench);
	create(bench, is_kept ? &bench->store.store : NULL);
	*state = bench;
	return 0;
}

static int open(void **state)
{
	return open_with(state, false);
}

static int open_kept(void **state)
{
	return open_with(state, true);
}

/* kill -9, and the next process with the same store. */
static void restart(struct bench *bench)
{
	subscriptions_destroy(bench->subscriptions);
	bench->subscriptions = NULL;
	bench_restart(bench);
	create(bench, &bench->store.store);
	subscriptions_told_all(bench->subscriptions);
}

static int close_all(void **state)
{
	struct bench *bench = *state;

	subscriptions_destroy(bench->subscriptions);
	bench_close(bench);
	free(bench);
	return 0;
}

/* What is refused goes to the transport at once: it is counted, not recorded. */
static uint64_t refused(const struct bench *bench)
{
	return counter_get(&subscriptions_counters(bench->subscriptions)->refused);
}

/* Days at once: the relay's client is not waited for at every step. */
static void leap(struct bench *bench, uint64_t ms)
{
	bench->now_ms += ms;
	wheel_advance(bench->wheel, bench->now_ms);
}

/* A subscription that is up: the subscriber's dialog, and the notifier's request. */
struct subscribed {
	char to[160];
	char target[160];
	char call_id[64];      /* on the notifier's side */
	char notifier_to[160]; /* of the SUBSCRIBE there: our tag */
	char contact[160];     /* ours, there */
};

static const char *ask(struct bench *bench, const struct subscribed *subscribed, unsigned cseq,
		       unsigned expires)
{
	static unsigned count;
	char branch[32];

	snprintf(branch, sizeof(branch), "s%u", ++count);
	bench_receive(
		bench, PHONE,
		"SUBSCRIBE %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bK%s;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\nTo: %s\r\n"
		"Call-ID: mine@192.168.7.10\r\nCSeq: %u SUBSCRIBE\r\n"
		"Contact: <sip:a@192.168.7.10>\r\nEvent: presence\r\nExpires: %u\r\n"
		"Content-Length: 0\r\n\r\n",
		subscribed ? subscribed->target : "sip:b@example.com", branch,
		subscribed ? subscribed->to : "<sip:b@example.com>", cseq, expires);
	return bench_next(bench, PBX, "SUBSCRIBE ");
}

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

static void learn_uri(char *out, size_t size, const char *contact)
{
	const char *start = strchr(contact, '<') + 1;
	snprintf(out, size, "%.*s", (int)strcspn(start, ">"), start);
}

static void subscribe(struct bench *bench, struct subscribed *out, unsigned expires)
{
	char lines[64];
	const char *request = ask(bench, NULL, 1, expires);

	copy(out->call_id, sizeof(out->call_id), bench_header(request, "Call-ID"));
	copy(out->notifier_to, sizeof(out->notifier_to), bench_header(request, "From"));
	learn_uri(out->contact, sizeof(out->contact), bench_header(request, "Contact"));
	snprintf(lines, sizeof(lines), "Expires: %u\r\n", expires);
	bench_reply_with(bench, PBX, request, "200 OK", "n", lines, NULL);
	const char *reply = bench_next(bench, PHONE, "SIP/2.0 200 ");
	copy(out->to, sizeof(out->to), bench_header(reply, "To"));
	learn_uri(out->target, sizeof(out->target), bench_header(reply, "Contact"));
}

static void notify(struct bench *bench, const struct subscribed *subscribed, const char *tag,
		   unsigned cseq, const char *state)
{
	static unsigned count;

	bench_receive(bench, PBX,
		      "NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.20;branch=z9hG4bKn%u\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:b@example.com>;tag=%s\r\nTo: %s\r\n"
		      "Call-ID: %s\r\nCSeq: %u NOTIFY\r\nContact: <sip:x@10.0.0.20>\r\n"
		      "Event: presence\r\nSubscription-State: %s\r\nContent-Length: 0\r\n\r\n",
		      subscribed->contact, ++count, tag, subscribed->notifier_to,
		      subscribed->call_id, cseq, state);
}

static void notified(struct bench *bench, const char *status)
{
	bench_reply(bench, PHONE, bench_next(bench, PHONE, "NOTIFY "), status, "a", NULL);
	char first[32];
	snprintf(first, sizeof(first), "SIP/2.0 %.3s ", status);
	bench_next(bench, PBX, first);
}

static void it_lives_for_thirty_days_and_dies_alone(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;
	unsigned cseq = 1;

	subscribe(bench, &subscribed, 86400);
	for (unsigned day = 0; day < 30; day++) {
		bench->sent = bench->seen = 0;
		leap(bench, 23ull * HOUR_MS);
		assert_int_equal(subscriptions_count(bench->subscriptions), 1);
		bench_reply_with(bench, PBX, ask(bench, &subscribed, ++cseq, 86400), "200 OK", "n",
				 "Expires: 86400\r\n", NULL);
		bench_next(bench, PHONE, "SIP/2.0 200 ");
		notify(bench, &subscribed, "n", day + 1, "active;expires=86400");
		notified(bench, "200 OK");
		bench_nothing(bench);
	}
	/* Nobody refreshes: its time and a little more. */
	leap(bench, 86400ull * 1000);
	assert_int_equal(subscriptions_count(bench->subscriptions), 1);
	leap(bench, 33000);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	assert_int_equal(counter_get(&subscriptions_counters(bench->subscriptions)->expired), 1);
	notify(bench, &subscribed, "n", 99, "active");
	bench_nothing(bench);
	assert_int_equal(refused(bench), 1);
}

static void what_the_notifier_says_of_time_holds(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	notify(bench, &subscribed, "n", 1, "active;expires=60");
	notified(bench, "200 OK");
	bench_advance(bench, 93000);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
}

static void it_ends_as_either_side_says(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	notify(bench, &subscribed, "n", 1, "terminated;reason=noresource");
	notified(bench, "200 OK");
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	subscribe(bench, &subscribed, 3600);
	notify(bench, &subscribed, "n", 2, "active");
	notified(bench, "481 Gone");
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	subscribe(bench, &subscribed, 3600);
	bench_reply(bench, PBX, ask(bench, &subscribed, 7, 3600), "481 Gone", "n", NULL);
	bench_next(bench, PHONE, "SIP/2.0 481 ");
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	/* Interval too brief, or credentials: it goes on. */
	subscribe(bench, &subscribed, 3600);
	bench_reply_with(bench, PBX, ask(bench, &subscribed, 8, 1), "423 Brief", "n",
			 "Min-Expires: 60\r\n", NULL);
	assert_string_equal(bench_header(bench_next(bench, PHONE, "SIP/2.0 423 "), "Min-Expires"),
			    "60");
	assert_int_equal(subscriptions_count(bench->subscriptions), 1);
	/* A NOTIFY that nobody answers. */
	notify(bench, &subscribed, "n", 3, "active");
	bench_advance(bench, 33000);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	bench->seen = bench->sent;
}

static void a_refused_one_leaves_nothing(void **state)
{
	struct bench *bench = *state;

	bench_reply_with(bench, PBX, ask(bench, NULL, 1, 3600), "401 Unauthorized", "n",
			 "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n", NULL);
	const char *reply = bench_next(bench, PHONE, "SIP/2.0 401 ");
	assert_non_null(strstr(reply, "WWW-Authenticate: Digest"));
	assert_null(strstr(reply, "Contact:"));
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	(void)ask(bench, NULL, 2, 3600);
	bench->seen = bench->sent; /* silence */
	bench_advance(bench, 33000);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	assert_int_equal(subscriptions_pending(bench->subscriptions), 0);
	bench->seen = bench->sent;
}

static void forks_are_bounded_and_go_with_the_first(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;
	char tag[8];

	subscribe(bench, &subscribed, 3600);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(tag, sizeof(tag), "f%u", i);
		notify(bench, &subscribed, tag, 1, "active");
		const char *seen = bench_next(bench, PHONE, "NOTIFY ");
		assert_null(strstr(subscribed.to, strstr(bench_header(seen, "From"), ";tag=")));
		bench_reply(bench, PHONE, seen, "200 OK", "a", NULL);
		bench_next(bench, PBX, "SIP/2.0 200 ");
	}
	notify(bench, &subscribed, "f9", 1, "active");
	bench_nothing(bench);
	assert_int_equal(refused(bench), 1);
	assert_int_equal(subscriptions_count(bench->subscriptions), 5);
	notify(bench, &subscribed, "f2", 2, "terminated");
	notified(bench, "200 OK");
	assert_int_equal(subscriptions_count(bench->subscriptions), 4);
	notify(bench, &subscribed, "n", 9, "terminated");
	notified(bench, "200 OK");
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
}

static void a_wrong_request_in_it_is_refused(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	notify(bench, &subscribed, "n", 5, "active");
	notified(bench, "200 OK");
	notify(bench, &subscribed, "n", 4, "active"); /* older than what was seen */
	assert_int_equal(refused(bench), 1);
	/* From somebody else's side, with our own tag of the other. */
	bench_receive(
		bench, PHONE,
		"NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKx;rport\r\n"
		"From: <sip:b@example.com>;tag=n\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 9 NOTIFY\r\n"
		"Max-Forwards: 70\r\nEvent: presence\r\nSubscription-State: active\r\n"
		"Content-Length: 0\r\n\r\n",
		subscribed.contact, subscribed.notifier_to, subscribed.call_id);
	assert_int_equal(refused(bench), 2);
	assert_int_equal(counter_get(&subscriptions_counters(bench->subscriptions)->notified), 1);
	bench_nothing(bench);
}

static void one_that_comes_round_ends(void **state)
{
	struct bench *bench = *state;
	const char *seen = ask(bench, NULL, 1, 3600);
	char from[160], call_id[64];

	copy(from, sizeof(from), bench_header(seen, "From"));
	copy(call_id, sizeof(call_id), bench_header(seen, "Call-ID"));
	for (int round = 0; round < 2; round++) {
		bench_receive(bench, PBX,
			      "SUBSCRIBE sip:b@example.com SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 10.0.0.20;branch=z9hG4bKr%d\r\nMax-Forwards: 60\r\n"
			      "From: %s\r\nTo: <sip:b@example.com>\r\nCall-ID: %s\r\n"
			      "CSeq: %d SUBSCRIBE\r\nContact: <sip:x@10.0.0.20>\r\n"
			      "Event: presence\r\nContent-Length: 0\r\n\r\n",
			      round, from, call_id, round + 1);
		if (round == 0)
			copy(from, sizeof(from),
			     bench_header(bench_next(bench, PHONE, "SUBSCRIBE "), "From"));
	}
	bench_nothing(bench);
	assert_int_equal(counter_get(&subscriptions_counters(bench->subscriptions)->loops), 1);
	bench_advance(bench, 70000);
	bench->seen = bench->sent;
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
}

/* --- in the store --- */

static void what_goes_on_is_written_once(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 0); /* a look */
	bench_advance(bench, 300);
	assert_int_equal(bench->store.puts, 0);
	subscribe(bench, &subscribed, 3600);
	for (unsigned i = 1; i < 50; i++) {
		notify(bench, &subscribed, "n", i, "active;expires=3600");
		notified(bench, "200 OK");
		bench->sent = bench->seen = 0;
	}
	bench_advance(bench, 300);
	assert_int_equal(bench->store.puts, 1);
	/* A successor must not use a number twice: a block is left to us. */
	for (unsigned i = 50; i < 150; i++) {
		notify(bench, &subscribed, "n", i, "active");
		notified(bench, "200 OK");
		bench->sent = bench->seen = 0;
	}
	bench_advance(bench, 300);
	assert_int_equal(bench->store.puts, 2);
	notify(bench, &subscribed, "n", 200, "terminated");
	notified(bench, "200 OK");
	assert_int_equal(bench->store.deletes, 1);
	assert_int_equal(bench->store.gets, 0);
}

static void the_next_process_goes_on(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	notify(bench, &subscribed, "n", 5, "active");
	notified(bench, "200 OK");
	bench_advance(bench, 300);
	restart(bench);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	notify(bench, &subscribed, "n", 6, "active");
	bench_nothing(bench); /* it waits */
	bench_advance(bench, 20);
	const char *seen = bench_next(bench, PHONE, "NOTIFY ");
	assert_int_equal(strtoul(bench_header(seen, "CSeq"), NULL, 10), 102);
	assert_non_null(strstr(subscribed.to, strstr(bench_header(seen, "From"), ";tag=")));
	bench_reply(bench, PHONE, seen, "200 OK", "a", NULL);
	bench_next(bench, PBX, "SIP/2.0 200 ");
	/* What was there before comes no second time. */
	notify(bench, &subscribed, "n", 4, "active");
	assert_int_equal(refused(bench), 1);
	bench_reply_with(bench, PBX, ask(bench, &subscribed, 2, 0), "200 OK", "n", "Expires: 0\r\n",
			 NULL);
	bench_next(bench, PHONE, "SIP/2.0 200 ");
	notify(bench, &subscribed, "n", 7, "terminated");
	notified(bench, "200 OK");
	assert_int_equal(bench->store.gets, 1);
	assert_int_equal(bench->store.takes, 1);
	assert_int_equal(bench->store.deletes, 1);
	notify(bench, &subscribed, "n", 8, "active");
	bench_advance(bench, 20);
	assert_int_equal(refused(bench), 2);
}

static void a_fork_is_found_beside_the_first(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	notify(bench, &subscribed, "f", 1, "active");
	notified(bench, "200 OK");
	bench_advance(bench, 300);
	assert_int_equal(bench->store.puts, 2);
	restart(bench);
	notify(bench, &subscribed, "f", 2, "active");
	bench_advance(bench, 20);
	notified(bench, "200 OK");
	assert_int_equal(subscriptions_count(bench->subscriptions), 2);
	notify(bench, &subscribed, "f", 3, "terminated");
	notified(bench, "200 OK");
	restart(bench);
	/* It has ended: its NOTIFY begins another one. */
	notify(bench, &subscribed, "f", 4, "active");
	bench_advance(bench, 20);
	notified(bench, "200 OK");
	assert_int_equal(counter_get(&subscriptions_counters(bench->subscriptions)->forked), 1);
}

static void it_ends_in_its_time_after_all(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	bench_advance(bench, 300);
	restart(bench);
	notify(bench, &subscribed, "n", 6, "active");
	bench_advance(bench, 20);
	notified(bench, "200 OK");
	leap(bench, 3600ull * 1000 + 33000);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	assert_int_equal(bench->store.deletes, 1);
}

/* Another node has it: not a word, and the record is left alone. */
static void a_lost_one_is_dropped_in_silence(void **state)
{
	struct bench *bench = *state;
	struct record_head head = {.node = 9, .epoch = 7};
	struct subscribed subscribed;
	struct buf value;

	subscribe(bench, &subscribed, 3600);
	bench_advance(bench, 300);
	buf_init(&value);
	record_head_write(&head, &value);
	memcpy(bench->store.kept[0].value.data, value.data, RECORD_HEAD_SIZE);
	buf_free(&value);
	bench_reply_with(bench, PBX, ask(bench, &subscribed, 2, 3600), "200 OK", "n",
			 "Expires: 3600\r\n", NULL);
	bench_next(bench, PHONE, "SIP/2.0 200 ");
	bench_advance(bench, 300);
	assert_int_equal(subscriptions_count(bench->subscriptions), 0);
	assert_int_equal(bench->store.deletes, 0);
	assert_int_equal(counter_get(&subscriptions_counters(bench->subscriptions)->lost), 1);
	bench_nothing(bench);
}

/* A store that was emptied gets all of them again. */
static void a_store_that_returns_is_told(void **state)
{
	struct bench *bench = *state;
	struct subscribed subscribed;

	subscribe(bench, &subscribed, 3600);
	bench_advance(bench, 300);
	memset(bench->store.kept[0].key, 0, sizeof(bench->store.kept[0].key));
	subscriptions_store_returned(bench->subscriptions, false);
	bench_advance(bench, 10);
	assert_int_equal(bench->store.puts, 1);
	subscriptions_store_returned(bench->subscriptions, true);
	bench_advance(bench, 10);
	assert_int_equal(bench->store.puts, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_lives_for_thirty_days_and_dies_alone, open,
						close_all),
		cmocka_unit_test_setup_teardown(what_the_notifier_says_of_time_holds, open,
						close_all),
		cmocka_unit_test_setup_teardown(it_ends_as_either_side_says, open, close_all),
		cmocka_unit_test_setup_teardown(a_refused_one_leaves_nothing, open, close_all),
		cmocka_unit_test_setup_teardown(forks_are_bounded_and_go_with_the_first, open,
						close_all),
		cmocka_unit_test_setup_teardown(a_wrong_request_in_it_is_refused, open, close_all),
		cmocka_unit_test_setup_teardown(one_that_comes_round_ends, open, close_all),
		cmocka_unit_test_setup_teardown(what_goes_on_is_written_once, open_kept, close_all),
		cmocka_unit_test_setup_teardown(the_next_process_goes_on, open_kept, close_all),
		cmocka_unit_test_setup_teardown(a_fork_is_found_beside_the_first, open_kept,
						close_all),
		cmocka_unit_test_setup_teardown(it_ends_in_its_time_after_all, open_kept,
						close_all),
		cmocka_unit_test_setup_teardown(a_lost_one_is_dropped_in_silence, open_kept,
						close_all),
		cmocka_unit_test_setup_teardown(a_store_that_returns_is_told, open_kept, close_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
