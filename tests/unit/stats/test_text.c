/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void assert_text(const char *json_text, const char *want)
{
	json_error_t error;
	struct buf out;
	json_t *json = json_loads(json_text, JSON_DECODE_ANY, &error);
	if (!json)
		fail_msg("%s: %s", error.text, json_text);
	buf_init(&out);
	stats_text(json, &out);
	assert_string_equal(out.data, want);
	buf_free(&out);
	json_decref(json);
}

static void an_array_of_objects_is_a_table(void **state)
{
	(void)state;
	assert_text("[{\"id\":\"a\",\"from\":\"sip:alice@example.org\",\"duration_s\":75,"
		    "\"packets\":9},"
		    " {\"id\":\"long-id\",\"from\":\"x\",\"duration_s\":2,\"packets\":12345,"
		    "\"held\":true}]",
		    "id       from                   duration  packets  held\n"
		    "a        sip:alice@example.org     1m15s        9\n"
		    "long-id  x                           2 s    12345  yes\n");
}

static void an_object_is_a_block(void **state)
{
	(void)state;
	assert_text("{\"name\":\"wan\",\"calls\":3,\"trusted\":false,\"gone\":null,"
		    "\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"],\"none\":[],\"nothing\":{}}",
		    "name       wan\n"
		    "calls      3\n"
		    "trusted    no\n"
		    "gone       -\n"
		    "addresses  192.0.2.1, 2001:db8::1\n"
		    "none       -\n"
		    "nothing    -\n");
}

static void what_is_inside_is_indented(void **state)
{
	(void)state;
	assert_text("{\"id\":\"x\",\"relay\":{\"state\":\"up\",\"rtt_us\":180},"
		    "\"legs\":[{\"tag\":\"1\",\"sdp\":{\"port\":4,\"deep\":[1]}},{\"tag\":\"22\"}],"
		    "\"after\":1}",
		    "id     x\n"
		    "relay\n"
		    "  state  up\n"
		    "  rtt    180 us\n"
		    "legs\n"
		    "  tag  sdp\n"
		    "  1    port=4 deep=...\n"
		    "  22\n"
		    "after  1\n");
}

static void units_come_from_the_names(void **state)
{
	(void)state;
	assert_text(
		"{\"a_us\":250,\"b_us\":2500,\"c_ms\":1.5,\"d_ms\":12345,\"e_s\":3599,\"f_s\":7384,"
		"\"g_s\":200000,\"h_at\":1732282800.9,\"i_at\":0,\"rx_bytes\":1536,\"bytes\":12,"
		"\"cpu_percent\":12.345,\"us\":7,\"status\":1,\"j_ms\":-5,\"k_s\":1e300}",
		"a         250 us\n"
		"b         2.5 ms\n"
		"c         1.5 ms\n"
		"d         12.3 s\n"
		"e         59m59s\n"
		"f         2h03m\n"
		"g         2d07h\n"
		"h         2024-11-22 13:40:00Z\n"
		"i         -\n"
		"rx bytes  1.5 KiB\n"
		"bytes     12 B\n"
		"cpu       12.3 %\n"
		"us        7\n"
		"status    1\n"
		"j         -5 ms\n"
		"k         1e+300 s\n");
}

static void many_lines_stand_below_their_name(void **state)
{
	(void)state;
	assert_text("{\"sdp\":\"v=0\\r\\no=- 1\\r\\n\",\"a\":1}", "sdp\n"
								  "  v=0\n"
								  "  o=- 1\n"
								  "a  1\n");
}

static void nothing_reaches_the_terminal_as_a_command(void **state)
{
	(void)state;
	assert_text("{\"n\\u001b[2J\":\"a\\u001b]0;x\\u0007\\u007f\\u009b1m\\u202egpj\\tb\"}",
		    "n\\x1b[2J  a\\x1b]0;x\\x07\\x7f\\xc2\\x9b1m\\xe2\\x80\\xaegpj\\x09b\n");
	assert_text("[{\"k\":\"two\\nlines\"}]", "k\ntwo\\x0alines\n");
}

static void letters_of_any_script_keep_the_columns(void **state)
{
	(void)state;
	assert_text("[{\"name\":\"h\xc3\xa9l\xc3\xa8ne\",\"n\":1},{\"name\":\"bob\",\"n\":22}]",
		    "name     n\n"
		    "h\xc3\xa9l\xc3\xa8ne   1\n"
		    "bob     22\n");
}

static void lists_and_single_values_are_lines(void **state)
{
	(void)state;
	assert_text("[]", "none\n");
	assert_text("[\"a\",\"b\",3]", "a\nb\n3\n");
	assert_text("\"text\"", "text\n");
	assert_text("true", "yes\n");
	assert_text("{}", "none\n");
	assert_text("{\"error\":\"unknown command\",\"commands\":[\"show calls\",\"help\"]}",
		    "error     unknown command\n"
		    "commands  show calls, help\n");
}

static void the_deepest_nesting_ends(void **state)
{
	(void)state;
	struct buf text, out;
	buf_init(&text);
	buf_init(&out);
	for (int i = 0; i < 1000; i++)
		buf_add_text(&text, "{\"a\":");
	buf_add_text(&text, "1");
	for (int i = 0; i < 1000; i++)
		buf_add_text(&text, "}");
	json_t *json = json_loads(text.data, 0, NULL);
	assert_non_null(json);
	stats_text(json, &out);
	assert_true(out.len < 1000);
	json_decref(json);
	buf_free(&text);
	buf_free(&out);
}

static void rows_of_a_thousand_columns_end(void **state)
{
	(void)state;
	struct buf out;
	char key[16];
	json_t *rows = json_array(), *row = json_object();
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		json_object_set_new(row, key, json_integer(i));
	}
	json_array_append_new(rows, row);
	json_array_append_new(rows, json_integer(1)); /* and one that is no object */
	buf_init(&out);
	stats_text(rows, &out);
	assert_true(out.len > 0 && !buf_failed(&out));
	buf_free(&out);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_array_of_objects_is_a_table),
		cmocka_unit_test(an_object_is_a_block),
		cmocka_unit_test(what_is_inside_is_indented),
		cmocka_unit_test(units_come_from_the_names),
		cmocka_unit_test(many_lines_stand_below_their_name),
		cmocka_unit_test(nothing_reaches_the_terminal_as_a_command),
		cmocka_unit_test(letters_of_any_script_keep_the_columns),
		cmocka_unit_test(lists_and_single_values_are_lines),
		cmocka_unit_test(the_deepest_nesting_ends),
		cmocka_unit_test(rows_of_a_thousand_columns_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
