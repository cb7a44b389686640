/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

static int open(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	bench_open(bench);
	*state = bench;
	return 0;
}

static int close_all(void **state)
{
	bench_close(*state);
	free(*state);
	return 0;
}

static void refer_to_is_mapped(void **state)
{
	static const struct {
		const char *to;
		const char *shown; /* NULL = 400 */
	} rows[] = {
		{"sip:c@example.com", "<sip:c@example.com>"},
		{"\"C\" <sip:c@192.168.7.11:5062;user=phone>", "<sip:c@10.0.0.20;user=phone>"},
		{"<sip:c@203.0.113.10?Subject=a%26b&X-Odd=1&Via=x>",
		 "<sip:c@10.0.0.20?Subject=a%26b>"},
		{"<sip:c@example.com;method=BYE>", "<sip:c@example.com;method=BYE>"},
		{"<tel:+331>", "<tel:+331>"},
		{"<sip:c@h?Replaces=x%40y%3Bto-tag%3Da%3Bfrom-tag%3Db%3Bearly-only>",
		 "<sip:c@h?Replaces=x%40y%3Bto-tag%3Da%3Bfrom-tag%3Db%3Bearly-only>"},
		{"<sip:c@h?Replaces=x%40y>", NULL},
		{"<sip:c@h?Subject=a%0d%0aVia:%20x>", NULL},
		{"<sip:c@h", NULL},
		{"*", NULL},
	};
	struct bench *bench = *state;
	struct talk talk = {0};
	char lines[512];

	bench_talk(bench, &talk);
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench->seen = bench->sent;
		snprintf(lines, sizeof(lines), "Refer-To: %s\r\n", rows[i].to);
		bench_inside(bench, &talk, PHONE, "REFER", 10 + i, lines, NULL);
		if (!rows[i].shown) {
			bench_next(bench, PHONE, "SIP/2.0 400 ");
			continue;
		}
		const char *sent = bench_next(bench, PBX, "REFER ");
		assert_string_equal(bench_header(sent, "Refer-To"), rows[i].shown);
		assert_null(strstr(sent, "192.168."));
		bench_reply(bench, PBX, sent, "202 Accepted", "b", NULL);
		bench_next(bench, PHONE, "SIP/2.0 202 ");
	}
	bench_hang_up(bench, &talk, 50);
}

static void a_side_may_be_refused(void **state)
{
	struct bench *bench = *state;
	struct talk talk = {0};

	bench->peers[PHONE].dialog.transfer = CONFIG_TRANSFER_REFUSE;
	bench_talk(bench, &talk);
	bench->seen = bench->sent;
	bench_inside(bench, &talk, PHONE, "REFER", 10, "Refer-To: <sip:c@example.com>\r\n", NULL);
	bench_next(bench, PHONE, "SIP/2.0 603 ");
	/* What nobody of its side may call, nobody is asked to call. */
	bench->peers[PHONE].dialog.transfer = CONFIG_TRANSFER_PASS;
	bench->config.route_count = 0;
	bench_inside(bench, &talk, PHONE, "REFER", 11, "Refer-To: <sip:c@example.com>\r\n", NULL);
	bench_next(bench, PHONE, "SIP/2.0 403 ");
	bench_inside(bench, &talk, PHONE, "REFER", 12, "", NULL);
	bench_next(bench, PHONE, "SIP/2.0 400 ");
	bench_nothing(bench);
	bench->config.route_count = 2;
	bench_hang_up(bench, &talk, 50);
}

static void a_dialog_is_renamed(void **state)
{
	struct bench *bench = *state;
	struct talk talk = {0};
	char tag[64], lines[512];
	struct replaces names, found;
	struct renamed renamed = {0};
	uint8_t worker;

	bench_talk(bench, &talk);
	struct call *call = calls_next(bench->calls, NULL);
	const struct dialog *near = &call->legs[CALLER].dialog, *far = &call->legs[CALLEE].dialog;
	snprintf(tag, sizeof(tag), "%.*s", SLICE_ARG(near->local_tag));
	snprintf(lines, sizeof(lines), "%.*s;to-tag=%s;from-tag=%.*s;early-only",
		 SLICE_ARG(near->call_id), tag, SLICE_ARG(near->remote_tag));
	assert_int_equal(replaces_read(slice_from(lines), &names), 0);
	assert_int_equal(refer_rename(bench->calls, &names, &renamed, &worker), 0);
	assert_true(slice_equal(renamed.replaces.call_id, far->call_id));
	assert_true(slice_equal(renamed.replaces.to_tag, far->remote_tag));
	assert_true(slice_equal(renamed.replaces.from_tag, far->local_tag));
	assert_true(renamed.replaces.is_early_only);
	assert_true(slice_equal(renamed.target, far->remote_uri));
	renamed_free(&renamed);
	/* Somebody who knows the tag alone gets nothing. */
	found = names;
	found.call_id = SLICE("guessed");
	assert_int_equal(refer_rename(bench->calls, &found, &renamed, &worker), -ERR_NOT_FOUND);
	found = names;
	found.from_tag = SLICE("guessed");
	assert_int_equal(refer_rename(bench->calls, &found, &renamed, &worker), -ERR_NOT_FOUND);
	assert_int_equal(replaces_read(SLICE("a;to-tag=b"), &names), -ERR_MALFORMED);
	assert_int_equal(replaces_read(SLICE(";to-tag=b;from-tag=c"), &names), -ERR_MALFORMED);
	bench_hang_up(bench, &talk, 50);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refer_to_is_mapped, open, close_all),
		cmocka_unit_test_setup_teardown(a_side_may_be_refused, open, close_all),
		cmocka_unit_test_setup_teardown(a_dialog_is_renamed, open, close_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
