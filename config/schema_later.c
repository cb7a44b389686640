/* Forms of writing a value that nothing acts on yet: delete the row with the first line of code
 * that does. Keys and words have their marks in the tables (schema.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

static bool is_marked(const char *form)
{
	static const char *const later[] = {
		NULL /* none today */
	};

	for (size_t i = 0; later[i]; i++)
		if (strcmp(form, later[i]) == 0)
			return true;
	return false;
}

bool form_is_later(const struct loaded *loaded, const char *form)
{
	return !loaded->host->takes_later && is_marked(form);
}
