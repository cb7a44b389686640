/* Every message of RFC 4475, RFC 5118 and of known faults against the verdict it must get
 * (torture/expect.tsv), as a datagram and in a stream. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sbc/message/frame.h"
#include "sbc/message/message.h"

#define DIRECTORY SOURCE_ROOT "/tests/unit/sbc/message/torture/"

static char *read_file(const char *name, size_t *len)
{
	char path[512];
	snprintf(path, sizeof(path), DIRECTORY "%s", name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *data = malloc(1 << 20);
	assert_non_null(data);
	*len = fread(data, 1, 1 << 20, file);
	fclose(file);
	/* Exactly as long as the message, so that a read beyond it is seen. */
	char *exact = malloc(*len);
	assert_non_null(exact);
	memcpy(exact, data, *len);
	free(data);
	return exact;
}

static void verdict_text(enum scan_verdict verdict, const struct scan *scan, char *out, size_t size)
{
	if (verdict == SCAN_REPLY)
		snprintf(out, size, "%u", scan->reply_code);
	else
		snprintf(out, size, "%s", verdict == SCAN_ACCEPT ? "accept" : "drop");
}

static struct slice field(struct slice *line)
{
	return slice_cut(line, '\t');
}

static void check_parse(const struct scan *scan, struct slice expected)
{
	struct arena *arena;
	struct message *message = NULL;

	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	int err = message_parse(scan, arena, &message);
	if (slice_equal(expected, SLICE("ok")))
		assert_int_equal(err, 0);
	else
		assert_int_equal(err, -ERR_MALFORMED);
	arena_destroy(arena);
}

static void check_datagram(const char *name, struct slice expected, struct slice parse)
{
	struct scan_limits limits = {.message_max = 16384};
	struct scan *scan = malloc(sizeof(*scan));
	char got[16];
	size_t len;
	char *data = read_file(name, &len);

	enum scan_verdict verdict = scan_message(data, len, &limits, scan);
	verdict_text(verdict, scan, got, sizeof(got));
	if (!slice_equal(slice_from(got), expected))
		fail_msg("%s: %s (%s) instead of %.*s", name, got,
			 scan->reply_reason ? scan->reply_reason : scan_drop_text(scan->drop),
			 SLICE_ARG(expected));
	if (verdict == SCAN_ACCEPT)
		check_parse(scan, parse);
	free(data);
	free(scan);
}

static void check_stream(const char *name, struct slice expected)
{
	struct scan_limits limits = {.message_max = 16384, .stream = true};
	struct scan *scan = malloc(sizeof(*scan));
	struct frame frame = {0};
	char got[16] = "more";
	size_t len, length;
	char *data = read_file(name, &len);

	enum frame_result result = frame_next(&frame, (struct slice){data, len}, 16384, &length);
	if (result == FRAME_MESSAGE || result == FRAME_BROKEN)
		verdict_text(scan_message(data, length, &limits, scan), scan, got, sizeof(got));
	if (!slice_equal(slice_from(got), expected))
		fail_msg("%s in a stream: %s instead of %.*s", name, got, SLICE_ARG(expected));
	if (result == FRAME_BROKEN)
		assert_true(scan->close);
	free(data);
	free(scan);
}

static void every_torture_message_gets_its_verdict(void **state)
{
	size_t len, checked = 0;
	char *table = read_file("expect.tsv", &len);
	struct slice rest = {table, len}, line;

	(void)state;
	while (slice_next_line(&rest, &line)) {
		char name[128];
		if (line.len == 0 || line.data[0] == '#')
			continue;
		slice_copy(field(&line), name, sizeof(name));
		struct slice udp = field(&line), tcp = field(&line), parse = field(&line);
		check_datagram(name, udp, parse);
		check_stream(name, slice_equal(tcp, SLICE("-")) ? udp : tcp);
		checked++;
	}
	assert_int_equal(checked, 64);
	free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_torture_message_gets_its_verdict),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
