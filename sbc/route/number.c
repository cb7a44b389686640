/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/number.h"

/* Only something that looks like a telephone number has separators: "a.b" is a name. */
static bool is_telephone(struct slice number)
{
	if (slice_is_empty(number))
		return false;
	for (size_t i = 0; i < number.len; i++) {
		char c = number.data[i];
		if ((c < '0' || c > '9') && !(c == '+' && i == 0) && !strchr("-.()*#", c))
			return false;
	}
	return true;
}

static bool is_separator(char c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

bool number_matches(struct slice pattern, struct slice number)
{
	bool telephone = is_telephone(number);
	size_t at = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.data[i] == '*' && i + 1 == pattern.len)
			return true;
		while (telephone && at < number.len && is_separator(number.data[at]) &&
		       !is_separator(pattern.data[i]))
			at++;
		if (at == number.len || pattern.data[i] != number.data[at])
			return false;
		at++;
	}
	while (telephone && at < number.len && is_separator(number.data[at]))
		at++;
	return at == number.len;
}
