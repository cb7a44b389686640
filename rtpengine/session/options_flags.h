/* options_flags.h - the words of NG flag lists: what each does to the options. Inside options only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rtpengine/session/options.h"

enum option_verdict { OPTION_SETS, OPTION_PASSED_OVER, OPTION_REFUSED, OPTION_UNKNOWN };

struct option_flag {
	const char *name;
	uint64_t bit; /* enum options_bit; 0 = see `verdict` */
	enum option_verdict verdict;
};

/* The row of a word; of one that is not in the table, whether it is known by its beginning. */
enum option_verdict option_flag(struct slice word, uint64_t *bits);
bool option_word_starts(struct slice word, const char *prefix);
