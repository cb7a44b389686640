/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void reason_loses_its_text(void **state)
{
	struct buf out;
	(void)state;

	buf_init(&out);
	headers_reason(SLICE("Q.850;cause=16;text=\"Terminated by pbx.lan\", SIP;text=x;cause=200"),
		       &out);
	assert_string_equal(out.data, "Q.850;cause=16, SIP;cause=200");
	buf_free(&out);
}

static void what_crosses_keeps_its_order_and_gets_its_whole_name(void **state)
{
	char text[] =
		"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
		"CSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nX-Inner: 1\r\ns: hello\r\n"
		"User-Agent: leak\r\nPriority: urgent\r\nReason: SIP;cause=200;text=\"pbx\"\r\n"
		"Content-Length: 0\r\n\r\n";
	struct scan_limits limits = {.message_max = 16384};
	struct crossing crossing = {.from_trusted = true};
	struct scan *scan = calloc(1, sizeof(*scan));
	struct arena *arena;
	struct message *message;
	struct buf out;
	(void)state;

	assert_int_equal(message_init(), 0);
	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	assert_int_equal(scan_message(text, strlen(text), &limits, scan), SCAN_ACCEPT);
	assert_int_equal(message_parse(scan, arena, &message), 0);
	buf_init(&out);
	headers_copy(message, &crossing, &out);
	assert_string_equal(out.data,
			    "Subject: hello\r\nPriority: urgent\r\nReason: SIP;cause=200\r\n");
	buf_clear(&out);
	crossing.to_trusted = true;
	headers_copy(message, &crossing, &out);
	assert_string_equal(out.data, "X-Inner: 1\r\nSubject: hello\r\nPriority: urgent\r\n"
				      "Reason: SIP;cause=200;text=\"pbx\"\r\n");
	buf_free(&out);
	arena_destroy(arena);
	free(scan);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reason_loses_its_text),
		cmocka_unit_test(what_crosses_keeps_its_order_and_gets_its_whole_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
