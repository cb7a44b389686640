/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define START 5000000ull

struct bench {
	struct wheel *wheel;
	struct random_system random;
	struct binding_table table;
	struct transport_path path;
};

static void bench_open(struct bench *bench, uint32_t limit)
{
	*bench = (struct bench){0};
	assert_int_equal(wheel_create(START, &bench->wheel), 0);
	random_system_init(&bench->random);
	assert_int_equal(
		binding_table_init(&bench->table, bench->wheel, (uint64_t[2]){1, 2}, limit), 0);
}

static void bench_close(struct bench *bench)
{
	binding_table_free(&bench->table);
	assert_int_equal(wheel_armed(bench->wheel), 0);
	wheel_destroy(bench->wheel);
}

static int put(struct bench *bench, const char *aor, const char *contact, uint32_t expires_s,
	       struct binding **out)
{
	struct binding_facts facts = {.contact = slice_from(contact), .expires_s = expires_s};
	uint64_t id = binding_id(&bench->table, slice_from(aor), facts.contact);
	return binding_put(&bench->table, slice_from(aor), id, &facts, &bench->path, out);
}

static void a_binding_is_found_by_its_identifier_and_its_aor(void **state)
{
	struct bench bench;
	struct binding *a, *b, *other;
	(void)state;

	bench_open(&bench, 10);
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@1.1.1.1", 60, &a), 0);
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@2.2.2.2", 60, &b), 0);
	assert_int_equal(put(&bench, "sip:b@x", "sip:a@1.1.1.1", 60, &other), 0);
	assert_ptr_equal(binding_find(&bench.table, a->id), a);
	assert_int_equal(binding_count(&bench.table, SLICE("sip:a@x")), 2);
	assert_true(a->id != other->id && a->id != b->id);
	assert_null(binding_of_aor(&bench.table, SLICE("sip:c@x"), NULL));
	bench_close(&bench);
}

static void the_same_contact_is_the_same_binding(void **state)
{
	struct bench bench;
	struct binding *first, *again;
	(void)state;

	bench_open(&bench, 1);
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@1.1.1.1", 60, &first), 0);
	wheel_advance(bench.wheel, START + 50000);
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@1.1.1.1", 60, &again), 0);
	assert_ptr_equal(first, again);
	wheel_advance(bench.wheel, START + 100000);
	assert_int_equal(bench.table.ids.count, 1);
	wheel_advance(bench.wheel, START + 110001);
	assert_int_equal(bench.table.ids.count, 0);
	assert_int_equal(bench.table.expired, 1);
	bench_close(&bench);
}

static void the_table_is_bounded(void **state)
{
	struct bench bench;
	struct binding *binding;
	(void)state;

	bench_open(&bench, 1);
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@1.1.1.1", 60, &binding), 0);
	assert_int_equal(put(&bench, "sip:b@x", "sip:b@1.1.1.1", 60, &binding), -ERR_TOO_MANY);
	bench_close(&bench);
}

static void a_binding_is_lost_with_its_connection(void **state)
{
	struct bench bench;
	struct binding *a, *b, *c;
	(void)state;

	bench_open(&bench, 10);
	bench.path = (struct transport_path){.connection = 7, .flow = true};
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@h1.invalid", 60, &a), 0);
	assert_int_equal(put(&bench, "sip:b@x", "sip:b@h2.invalid", 60, &b), 0);
	bench.path = (struct transport_path){.connection = 8, .transport = SIP_TCP};
	assert_int_equal(addr_parse(SLICE("3.3.3.3"), 5060, &bench.path.remote), 0);
	assert_int_equal(put(&bench, "sip:c@x", "sip:c@3.3.3.3", 60, &c), 0);
	binding_flow_closed(&bench.table, 8); /* another way leads there */
	assert_false(c->is_lost);
	binding_flow_closed(&bench.table, 7);
	binding_flow_closed(&bench.table, 7);
	assert_true(a->is_lost && b->is_lost);
	bench.path = (struct transport_path){.connection = 9, .flow = true};
	assert_int_equal(put(&bench, "sip:a@x", "sip:a@h1.invalid", 60, &a), 0);
	assert_false(a->is_lost);
	binding_flow_closed(&bench.table, 7);
	assert_false(a->is_lost);
	binding_remove(b);
	binding_flow_closed(&bench.table, 9);
	assert_true(a->is_lost);
	bench_close(&bench);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_binding_is_found_by_its_identifier_and_its_aor),
		cmocka_unit_test(the_same_contact_is_the_same_binding),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(a_binding_is_lost_with_its_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
