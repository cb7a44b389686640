/* words.h - many texts looked for in one pass over another one (Aho and Corasick 1975), whatever
 * their case. Linear in the text whatever it holds; what is in none of them is skipped by two
 * bytes a look-up.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum { WORD_MIN = 3, WORD_MAX = 253, WORDS_MAX = 4096 };

struct words;

MUST_CHECK int words_create(struct words **out);
void words_destroy(struct words *words); /* NULL is fine */
/* Copied. -ERR_INVALID: shorter or longer than can be looked for; -ERR_TOO_MANY. */
MUST_CHECK int words_add(struct words *words, struct slice text, uint32_t id);
/* After the last words_add(). -ERR_TOO_MANY, -ERR_NO_MEMORY. */
MUST_CHECK int words_build(struct words *words);
bool words_is_empty(const struct words *words);

/* One of them stands at text[start, start + its length); true = it is what was looked for, stop. */
typedef bool words_found_fn(void *owner, uint32_t id, struct slice text, size_t start);
/* Did `found` say yes? */
bool words_find(const struct words *words, struct slice text, words_found_fn *found, void *owner);
