/* Any JSON as text: bounded, and without a byte that a terminal would obey.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "control/stats/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out;
	json_t *json = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!json)
		return 0;
	buf_init(&out);
	stats_text(json, &out);
	if (buf_failed(&out) || out.len == 0 || out.data[out.len - 1] != '\n')
		abort();
	for (size_t i = 0; i < out.len; i++) {
		unsigned char c = (unsigned char)out.data[i];
		if ((c < 0x20 && c != '\n') || c == 0x7f)
			abort();
	}
	buf_free(&out);
	json_decref(json);
	return 0;
}
