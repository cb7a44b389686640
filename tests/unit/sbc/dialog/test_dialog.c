/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dialog/dialog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sbc/topology/owned.h"

struct parsed {
	char text[2048];
	struct scan scan;
	struct arena *arena;
	struct message *message;
};

static struct parsed *parse(const char *routes)
{
	struct scan_limits limits = {.message_max = 16384};
	struct parsed *parsed = calloc(1, sizeof(*parsed));

	assert_int_equal(message_init(), 0);
	snprintf(parsed->text, sizeof(parsed->text),
		 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=l\r\n"
		 "To: <sip:c@d>;tag=r\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n%sContact: "
		 "<sip:c@9.9.9.9>\r\n"
		 "Content-Length: 0\r\n\r\n",
		 routes);
	assert_int_equal(scan_message(parsed->text, strlen(parsed->text), &limits, &parsed->scan),
			 SCAN_ACCEPT);
	assert_int_equal(arena_create(65536, 1 << 20, &parsed->arena), 0);
	assert_int_equal(message_parse(&parsed->scan, parsed->arena, &parsed->message), 0);
	return parsed;
}

static void written(const char *routes, bool reversed, char *out, size_t size)
{
	struct parsed *parsed = parse(routes);
	struct dialog dialog = {0};
	struct buf buf;

	buf_init(&buf);
	assert_int_equal(owned_set(&dialog.call_id, SLICE("x")), 0);
	assert_int_equal(owned_set(&dialog.local_tag, SLICE("l")), 0);
	assert_int_equal(owned_set(&dialog.remote_tag, SLICE("r")), 0);
	assert_int_equal(owned_set(&dialog.local_uri, SLICE("sip:a@b")), 0);
	assert_int_equal(owned_set(&dialog.remote_uri, SLICE("sip:c@d")), 0);
	assert_int_equal(dialog_set_routes(&dialog, parsed->message, reversed), 0);
	assert_int_equal(dialog_set_target(&dialog, parsed->message), 0);
	dialog_write_request(&dialog, SLICE("BYE"), 2, 70, &buf);
	slice_copy(buf_slice(&buf), out, size);
	buf_free(&buf);
	dialog_free(&dialog);
	arena_destroy(parsed->arena);
	free(parsed);
}

static void a_route_set_is_reversed_for_who_sent_the_invite(void **state)
{
	char text[1024];
	(void)state;

	written("Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n", true,
		text, sizeof(text));
	assert_non_null(strstr(text, "BYE sip:c@9.9.9.9 SIP/2.0\r\nRoute: <sip:p3;lr>\r\n"
				     "Route: <sip:p2;lr>\r\nRoute: <sip:p1;lr>\r\n"));
	written("Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n", false, text, sizeof(text));
	assert_non_null(strstr(text, "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"));
}

static void a_strict_router_gets_the_request_uri(void **state)
{
	char text[1024];
	(void)state;

	written("Record-Route: <sip:strict>, <sip:p2;lr>\r\n", false, text, sizeof(text));
	assert_non_null(strstr(text, "BYE sip:strict SIP/2.0\r\nRoute: <sip:p2;lr>\r\n"
				     "Route: <sip:c@9.9.9.9>\r\n"));
}

static void an_old_cseq_is_known(void **state)
{
	struct dialog dialog = {0};
	(void)state;

	assert_true(dialog_accept_cseq(&dialog, 5));
	assert_false(dialog_accept_cseq(&dialog, 5));
	assert_false(dialog_accept_cseq(&dialog, 4));
	assert_true(dialog_accept_cseq(&dialog, 6));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_set_is_reversed_for_who_sent_the_invite),
		cmocka_unit_test(a_strict_router_gets_the_request_uri),
		cmocka_unit_test(an_old_cseq_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
