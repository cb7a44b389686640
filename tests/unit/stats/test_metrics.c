/* SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void assert_metrics(const char *json_text, const char *want)
{
	json_error_t error;
	struct metrics *metrics;
	struct buf out;
	json_t *json = json_loads(json_text, 0, &error);

	if (!json)
		fail_msg("%s: %s", error.text, json_text);
	assert_int_equal(metrics_create(&metrics), 0);
	metrics_add(metrics, "x", json);
	buf_init(&out);
	assert_int_equal(metrics_write(metrics, &out), 0);
	assert_string_equal(out.data, want);
	buf_free(&out);
	metrics_destroy(metrics);
	json_decref(json);
}

static void numbers_are_counters_or_gauges(void **state)
{
	(void)state;
	assert_metrics("{\"calls\": {\"answered\": 3, \"up\": 2}, \"held\": {\"calls\": 1}}",
		       "# TYPE x_calls_answered counter\nx_calls_answered_total 3\n"
		       "# TYPE x_calls_up gauge\nx_calls_up 2\n"
		       "# TYPE x_held_calls gauge\nx_held_calls 1\n# EOF\n");
	assert_metrics("{\"a-b\": 1, \"text\": \"no number\", \"draining\": true, \"none\": null}",
		       "# TYPE x_a_b counter\nx_a_b_total 1\n"
		       "# TYPE x_draining gauge\nx_draining 1\n# EOF\n");
}

static void elements_of_a_list_have_labels(void **state)
{
	(void)state;
	assert_metrics("[{\"name\": \"wan\", \"sent\": 1, \"connections\": 4},"
		       " {\"name\": \"l\\\"a\\\\n\\nx\", \"sent\": 2}]",
		       "# TYPE x_connections gauge\nx_connections{interface=\"wan\"} 4\n"
		       "# TYPE x_sent counter\nx_sent_total{interface=\"wan\"} 1\n"
		       "x_sent_total{interface=\"l\\\"a\\\\n\\nx\"} 2\n# EOF\n");
	assert_metrics("{\"lcores\": [{\"cpu\": 1, \"rx\": 5, \"drops\": {\"no route\": 7}}]}",
		       "# TYPE x_lcores_drops counter\n"
		       "x_lcores_drops_total{cpu=\"1\",reason=\"no route\"} 7\n"
		       "# TYPE x_lcores_rx counter\nx_lcores_rx_total{cpu=\"1\"} 5\n# EOF\n");
}

static void a_state_is_up_or_not(void **state)
{
	(void)state;
	assert_metrics("[{\"peer\": \"a\", \"state\": \"up\"}, {\"peer\": \"b\", \"state\": "
		       "\"down\"}]",
		       "# TYPE x_up gauge\nx_up{peer=\"a\"} 1\nx_up{peer=\"b\"} 0\n# EOF\n");
}

static void what_is_deep_ends(void **state)
{
	(void)state;
	assert_metrics("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
		       "# EOF\n");
	assert_metrics("{\"error\": \"busy\"}", "# EOF\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_counters_or_gauges),
		cmocka_unit_test(elements_of_a_list_have_labels),
		cmocka_unit_test(a_state_is_up_or_not),
		cmocka_unit_test(what_is_deep_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
