/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/base/wheel.h" /* container_of */

/* The reference vectors of the SipHash paper's implementation (vectors_sip64): key 00..0f, input
 * 00, 01, 02, ... of the length given. Bytes as they are in little-endian order. */
static void siphash_gives_the_reference_vectors(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, 0x726fdb47dd0e0e31ull},  {1, 0x74f839c593dc67fdull},
		{2, 0x0d6c8009d9a94f5aull},  {3, 0x85676696d7fb7e2dull},
		{4, 0xcf2794e0277187b7ull},  {5, 0x18765564cd99a68dull},
		{6, 0xcbc9466e58fee3ceull},  {7, 0xab0200f58b01d137ull},
		{8, 0x93f5f5799a932462ull},  {9, 0x9e0082df0ba9e4b0ull},
		{10, 0x7a5dbbc594ddb9f3ull}, {11, 0xf4b32f46226bada7ull},
		{12, 0x751e8fbc860ee5fbull}, {13, 0x14ea5627c0843d90ull},
		{14, 0xf723ca908e7af2eeull}, {15, 0xa129ca6149be45e5ull},
		{63, 0x958a324ceb064572ull},
	};
	const uint64_t key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	char input[64];
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct slice data = {input, vectors[i].len};
		assert_int_equal(siphash(data, key), vectors[i].hash);
	}
	assert_int_equal(siphash(SLICE_NONE, key), vectors[0].hash);
}

static void nocase_is_the_hash_of_the_lower_case(void **state)
{
	(void)state;
	const uint64_t key[2] = {11, 22};
	char all[256], lower[256];
	for (int c = 0; c < 256; c++) {
		all[c] = (char)c;
		lower[c] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;
	}
	for (size_t from = 0; from < 256; from++) {
		for (size_t len = 0; len <= 256 - from && len < 20; len++)
			assert_int_equal(siphash_nocase((struct slice){all + from, len}, key),
					 siphash((struct slice){lower + from, len}, key));
	}
}

struct item {
	struct table_link link;
	unsigned number;
	bool inside;
};

static struct item *find(const struct table *table, uint64_t hash, unsigned number)
{
	struct table_link *link = NULL;
	while ((link = table_find(table, hash, link))) {
		struct item *item = container_of(link, struct item, link);
		assert_int_equal(link->hash, hash);
		if (item->number == number)
			return item;
	}
	return NULL;
}

/* Few hash values, so that most items share theirs with others. */
static uint64_t hash_of(unsigned number)
{
	return number % 97 * 0x9e3779b97f4a7c15ull;
}

static void a_table_agrees_with_the_naive_one(void **state)
{
	(void)state;
	enum { ITEMS = 2000 };
	static struct item items[ITEMS];
	struct table table;
	uint32_t inside = 0;
	srand(7);
	assert_int_equal(table_init(&table, 1), 0);
	for (unsigned i = 0; i < ITEMS; i++)
		items[i] = (struct item){.number = i};
	for (int step = 0; step < 50000; step++) {
		struct item *item = &items[(unsigned)rand() % ITEMS];
		assert_ptr_equal(find(&table, hash_of(item->number), item->number),
				 item->inside ? item : NULL);
		if (item->inside) {
			table_remove(&table, &item->link);
			assert_null(item->link.next);
			inside--;
		} else {
			table_insert(&table, &item->link, hash_of(item->number));
			inside++;
		}
		item->inside = !item->inside;
		assert_int_equal(table.count, inside);
	}
	/* A walk meets every item once, and the one it is at may be removed. */
	struct table_link *link = table_next(&table, NULL), *next;
	for (; link; link = next) {
		next = table_next(&table, link);
		struct item *item = container_of(link, struct item, link);
		assert_true(item->inside);
		item->inside = false;
		table_remove(&table, link);
		inside--;
	}
	assert_int_equal(inside, 0);
	assert_int_equal(table.count, 0);
	table_free(&table);
}

static void a_table_grows_with_its_items(void **state)
{
	(void)state;
	enum { ITEMS = 10000 };
	struct item *items = calloc(ITEMS, sizeof(*items));
	struct table table;
	assert_non_null(items);
	assert_int_equal(table_init(&table, 16), 0);
	for (unsigned i = 0; i < ITEMS; i++) {
		items[i].number = i;
		table_insert(&table, &items[i].link, i * 0x9e3779b97f4a7c15ull);
	}
	assert_true(table.mask + 1 >= ITEMS);
	for (unsigned i = 0; i < ITEMS; i++)
		assert_ptr_equal(find(&table, i * 0x9e3779b97f4a7c15ull, i), &items[i]);
	assert_null(find(&table, 1, 1));
	table_free(&table);
	free(items);
}

static void sizes_are_powers_of_two(void **state)
{
	(void)state;
	struct table table;
	assert_int_equal(table_init(&table, 0), -ERR_INVALID);
	assert_int_equal(table_init(&table, 100), -ERR_INVALID);
	assert_int_equal(table_init(&table, 1u << 31), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_reference_vectors),
		cmocka_unit_test(nocase_is_the_hash_of_the_lower_case),
		cmocka_unit_test(a_table_agrees_with_the_naive_one),
		cmocka_unit_test(a_table_grows_with_its_items),
		cmocka_unit_test(sizes_are_powers_of_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
