/* When a route is open: "mon-fri 08:00-18:00", "sat,sun", "22:00-06:00".
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#define VALUE(type) (*(const type *)value)
#define ALL_DAYS    0x7f
#define DAY_MINUTES 1440

static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static int day_of(struct slice text)
{
	for (int i = 0; i < 7; i++)
		if (slice_equal_nocase(text, slice_from(days[i])))
			return i;
	return -1;
}

static bool days_parse(struct slice text, uint8_t *out)
{
	*out = 0;
	while (text.len) {
		struct slice last_text = slice_cut(&text, ',');
		struct slice first_text = slice_cut(&last_text, '-');
		int first = day_of(first_text);
		int last = last_text.len ? day_of(last_text) : first;
		if (first < 0 || last < 0)
			return false;
		for (int day = first;; day = (day + 1) % 7) { /* fri-mon goes over the week's end */
			*out = (uint8_t)(*out | 1u << day);
			if (day == last)
				break;
		}
	}
	return *out != 0;
}

static bool minute_parse(struct slice text, uint16_t *out)
{
	uint32_t hour, minute;

	if (text.len != 5 || text.data[2] != ':' ||
	    slice_to_u32(slice_sub(text, 0, 2), 24, &hour) ||
	    slice_to_u32(slice_sub(text, 3, 2), 59, &minute) || hour * 60 + minute > DAY_MINUTES)
		return false;
	*out = (uint16_t)(hour * 60 + minute);
	return true;
}

static bool hours_parse(struct slice text, struct config_time *out)
{
	struct slice first = slice_cut(&text, '-');

	return minute_parse(first, &out->from_minute) && minute_parse(text, &out->to_minute) &&
	       out->from_minute < DAY_MINUTES && out->to_minute > 0 &&
	       out->from_minute != out->to_minute;
}

static bool time_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	struct config_time time = {ALL_DAYS, 0, DAY_MINUTES};
	struct slice rest = node->text, word;
	bool good = slice_next_word(&rest, &word);

	if (good && word.len && word.data[0] >= '0' && word.data[0] <= '9') {
		good = hours_parse(word, &time);
	} else if (good) {
		good = days_parse(word, &time.days);
		if (good && slice_next_word(&rest, &word))
			good = hours_parse(word, &time);
	}
	if (!good || slice_next_word(&rest, &word))
		return type_wrong(loaded, key, node);
	*(struct config_time *)out = time;
	return true;
}

static void time_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	struct config_time time = VALUE(struct config_time);
	const char *separator = "";

	(void)loaded;
	(void)key;
	buf_add_char(out, '"');
	for (int i = 0; i < 7; i++)
		if (time.days & 1u << i) {
			buf_printf(out, "%s%s", separator, days[i]);
			separator = ",";
		}
	buf_printf(out, " %02u:%02u-%02u:%02u\"", time.from_minute / 60u, time.from_minute % 60u,
		   time.to_minute / 60u, time.to_minute % 60u);
}

const struct schema_type type_time = {
	.name = "time",
	.write = "\"mon-fri 08:00-18:00\", \"sat,sun\" or \"22:00-06:00\"",
	.size = sizeof(struct config_time),
	.read = time_read,
	.print = time_print,
};
