/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* Datagram sockets keep apart what was written by one write(2) and by another. */
struct bench {
	int fds[2];
	struct log log;
	char line[8192];
	ssize_t len;
};

static int bench_setup(void **state)
{
	static struct bench bench;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, bench.fds))
		return -1;
	bench.log = (struct log){LOG_INFO, bench.fds[0], "sbc"};
	*state = &bench;
	return 0;
}

static int bench_teardown(void **state)
{
	struct bench *bench = *state;
	close(bench->fds[0]);
	close(bench->fds[1]);
	return 0;
}

static bool next_line(struct bench *bench)
{
	bench->len = recv(bench->fds[1], bench->line, sizeof(bench->line) - 1, 0);
	bench->line[bench->len < 0 ? 0 : bench->len] = '\0';
	return bench->len > 0;
}

/* What follows the time. */
static const char *rest(struct bench *bench)
{
	assert_true(next_line(bench));
	return bench->line + strlen("2026-01-31T23:59:59.123Z");
}

static void a_line_has_its_fields_in_order(void **state)
{
	struct bench *bench = *state;
	int year, month, day, hour, minute, second, ms, end = 0;
	log_info(&bench->log, "call.answered", "call=%s code=%d", "c1", 200);
	assert_string_equal(rest(bench), " info sbc call.answered call=c1 code=200\n");
	assert_int_equal(sscanf(bench->line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day,
				&hour, &minute, &second, &ms, &end),
			 7);
	assert_int_equal(end, 24);
	assert_in_range(year, 2020, 9999);
	log_error(&bench->log, "store.lost", NULL);
	assert_string_equal(rest(bench), " error sbc store.lost\n");
	log_warn(&bench->log, "x", "a=1");
	assert_string_equal(rest(bench), " warn sbc x a=1\n");
}

static int evaluated(int *count)
{
	return ++*count;
}

static void the_level_decides(void **state)
{
	struct bench *bench = *state;
	int count = 0;
	log_debug(&bench->log, "x", "n=%d", evaluated(&count));
	assert_false(next_line(bench));
	assert_int_equal(count, 0);
	bench->log.level = LOG_DEBUG;
	log_debug(&bench->log, "x", "n=%d", evaluated(&count));
	assert_string_equal(rest(bench), " debug sbc x n=1\n");
	bench->log.level = LOG_ERROR;
	log_warn(&bench->log, "x", NULL);
	assert_false(next_line(bench));
	bench->log.level = LOG_INFO;
}

static void a_peer_cannot_write_lines_or_escapes(void **state)
{
	struct bench *bench = *state;
	log_info(&bench->log, "x", "from=%s", "a\r\nb\tc\x1b[2J\x7f\\x0a");
	assert_string_equal(rest(bench),
			    " info sbc x from=a\\x0d\\x0ab\\x09c\\x1b[2J\\x7f\\x5cx0a\n");
	assert_false(next_line(bench));
	log_info(&bench->log, "x", "from=%s", "J\xc3\xbcrgen \xff");
	assert_string_equal(rest(bench), " info sbc x from=J\\xc3\\xbcrgen \\xff\n");
}

/* Every length around the limit: one line, whole or cut with the mark and never amid an escape. */
static void long_lines_are_cut_with_a_mark(void **state)
{
	struct bench *bench = *state;
	static char text[6000];
	bool was_cut = false, was_whole = false;
	for (size_t len = 900; len<sizeof(text) - 1; len += len> 4200 ? 400 : 1) {
		for (int escaped = 0; escaped < 2; escaped++) {
			memset(text, escaped ? '\n' : 'a', len);
			text[len] = '\0';
			log_info(&bench->log, "x", "%s", text);
			assert_true(next_line(bench));
			assert_true(bench->len <= 4096);
			assert_int_equal(bench->line[bench->len - 1], '\n');
			assert_ptr_equal(strchr(bench->line, '\n'), bench->line + bench->len - 1);
			const char *mark = strstr(bench->line, " [cut]\n");
			size_t fields =
				(mark ? (size_t)(mark - bench->line) : (size_t)bench->len - 1) -
				strlen("2026-01-31T23:59:59.123Z info sbc x ");
			if (mark) {
				was_cut = true;
				assert_true(bench->len > 4096 - 5);
			} else {
				was_whole = true;
				assert_int_equal(fields, escaped ? len * 4 : len);
			}
			if (escaped)
				assert_int_equal(fields % 4, 0);
			assert_false(next_line(bench));
		}
	}
	assert_true(was_cut && was_whole);
}

static void errno_stays_and_a_closed_log_harms_nobody(void **state)
{
	(void)state;
	struct log closed = {LOG_INFO, -1, "sbc"};
	errno = EXDEV;
	log_info(&closed, "x", "a=1");
	assert_int_equal(errno, EXDEV);
}

static void levels_have_names(void **state)
{
	(void)state;
	enum log_level level = LOG_ERROR;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_true(log_level_parse("loud", &level) < 0);
	assert_true(log_level_parse("", &level) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_its_fields_in_order),
		cmocka_unit_test(the_level_decides),
		cmocka_unit_test(a_peer_cannot_write_lines_or_escapes),
		cmocka_unit_test(long_lines_are_cut_with_a_mark),
		cmocka_unit_test(errno_stays_and_a_closed_log_harms_nobody),
		cmocka_unit_test(levels_have_names),
	};
	return cmocka_run_group_tests(tests, bench_setup, bench_teardown);
}
