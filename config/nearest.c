/* SPDX-License-Identifier: Apache-2.0 */
#include "config/nearest.h"

#define NEAREST_LONGEST 48

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

/* Insertions, deletions, replacements and swapped neighbours (Damerau, restricted). */
static unsigned edit_distance(struct slice a, struct slice b)
{
	unsigned rows[3][NEAREST_LONGEST + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (unsigned j = 0; j <= b.len; j++)
		above[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			bool same = lower(a.data[i - 1]) == lower(b.data[j - 1]);
			unsigned best = above[j - 1] + (same ? 0 : 1);
			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && lower(a.data[i - 1]) == lower(b.data[j - 2]) &&
			    lower(a.data[i - 2]) == lower(b.data[j - 1]) &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
		unsigned *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b.len];
}

void nearest_start(struct nearest *nearest, struct slice wanted)
{
	nearest->wanted = wanted;
	nearest->name = NULL;
	nearest->distance = 0;
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	struct slice candidate = slice_from(name);
	size_t longer = candidate.len > nearest->wanted.len ? candidate.len : nearest->wanted.len;

	if (longer > NEAREST_LONGEST || nearest->wanted.len == 0)
		return;
	unsigned distance = edit_distance(nearest->wanted, candidate);
	/* A third of the letters may be wrong; further away it is another word. */
	unsigned allowed = longer < 3 ? 1 : (unsigned)(longer + 2) / 3;
	if (distance > allowed || distance >= longer)
		return;
	if (!nearest->name || distance < nearest->distance) {
		nearest->name = name;
		nearest->distance = distance;
	}
}
