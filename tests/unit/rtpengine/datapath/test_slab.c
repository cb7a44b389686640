/* test_slab.c - pieces are apart, are used again, and go with their chunk.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rtpengine/datapath/slab.h"

enum { SIZE = 448, PIECES = 10000 }; /* more than two chunks */

static void pieces_do_not_overlap(void **state)
{
	struct slab slab;
	uint8_t **pieces = calloc(PIECES, sizeof(*pieces));
	(void)state;
	assert_non_null(pieces);
	slab_init(&slab, SIZE);
	for (unsigned i = 0; i < PIECES; i++) {
		pieces[i] = slab_take(&slab);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 64, 0);
		memset(pieces[i], (int)i, SIZE);
	}
	for (unsigned i = 0; i < PIECES; i += 2) {
		slab_give(pieces[i]);
		pieces[i] = slab_take(&slab);
		memset(pieces[i], (int)i, SIZE);
	}
	for (unsigned i = 0; i < PIECES; i++)
		for (unsigned k = 0; k < SIZE; k++)
			assert_int_equal(pieces[i][k], (uint8_t)i);
	for (unsigned i = 0; i < PIECES; i++)
		slab_give(pieces[(i * 7919u) % PIECES]);
	slab_release(&slab);
	free(pieces);
}

static void the_one_given_back_last_comes_first(void **state)
{
	struct slab slab;
	(void)state;
	slab_init(&slab, SIZE);
	void *a = slab_take(&slab), *b = slab_take(&slab);
	slab_give(a);
	assert_ptr_equal(slab_take(&slab), a);
	slab_give(b);
	slab_give(a);
	assert_ptr_equal(slab_take(&slab), a);
	slab_give(a);
	slab_release(&slab);
}

static void what_is_taken_outlives_its_slab(void **state)
{
	struct slab slab;
	uint8_t *pieces[PIECES / 2];
	(void)state;
	slab_init(&slab, SIZE);
	for (unsigned i = 0; i < PIECES / 2; i++)
		pieces[i] = slab_take(&slab);
	slab_release(&slab);
	memset(&slab, 0xff, sizeof(slab)); /* it is gone */
	for (unsigned i = 0; i < PIECES / 2; i++) {
		memset(pieces[i], 1, SIZE);
		slab_give(pieces[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_do_not_overlap),
		cmocka_unit_test(the_one_given_back_last_comes_first),
		cmocka_unit_test(what_is_taken_outlives_its_slab),
	};
	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
