/* bench.h - what the SDP tests share: an arena, parsing that must succeed, writing to text.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/media.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct bench {
	struct arena *arena;
	struct buf out;
	struct sdp_error why;
};

static inline int bench_open(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	assert_int_equal(arena_create(16384, 1 << 20, &bench->arena), 0);
	buf_init(&bench->out);
	*state = bench;
	return 0;
}

static inline int bench_close(void **state)
{
	struct bench *bench = *state;

	arena_destroy(bench->arena);
	buf_free(&bench->out);
	test_free(bench);
	return 0;
}

static inline int bench_try(struct bench *bench, struct slice text, struct sdp **out)
{
	memset(&bench->why, 0, sizeof(bench->why));
	return sdp_parse(bench->arena, text, out, &bench->why);
}

static inline struct sdp *bench_parse(struct bench *bench, const char *text)
{
	struct sdp *sdp = NULL;
	int err = bench_try(bench, slice_from(text), &sdp);

	if (err)
		fail_msg("line %u column %u: %s", bench->why.line, bench->why.column,
			 bench->why.reason);
	return sdp;
}

static inline const char *bench_write(struct bench *bench, const struct sdp *sdp)
{
	buf_clear(&bench->out);
	sdp_write(sdp, &bench->out);
	assert_false(buf_failed(&bench->out));
	return bench->out.data;
}

static inline void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.len ? s.data : "", expected, s.len);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
