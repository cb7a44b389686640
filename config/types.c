/* SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include "config/nearest.h"

#define VALUE(type) (*(const type *)value)

bool type_wrong(struct loaded *loaded, const struct schema_key *key, const struct yaml_node *node)
{
	finding_error(&loaded->findings, node->place, "\"%.*s\" is no %s: write %s",
		      SLICE_ARG(node->text), key->type->name, key->type->write);
	return false;
}

char *type_text(struct loaded *loaded, struct slice text)
{
	char *copy = arena_text(loaded->arena, text);

	if (!copy)
		loaded->findings.failed = true;
	return copy;
}

static bool out_of_range(struct loaded *loaded, const struct schema_key *key,
			 const struct yaml_node *node, bool too_large, const char *bound)
{
	finding_error(&loaded->findings, node->place, "%.*s is too %s: %s may be %s %s",
		      SLICE_ARG(node->text), too_large ? "large" : "small", key->path,
		      too_large ? "at most" : "at least", bound);
	return false;
}

/* --- yes and no ---------------------------------------------------------------------------------
 */

static bool bool_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	bool yes = slice_equal(node->text, SLICE("true"));

	if (!yes && !slice_equal(node->text, SLICE("false")))
		return type_wrong(loaded, key, node);
	*(bool *)out = yes;
	return true;
}

static void bool_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_add_text(out, VALUE(bool) ? "true" : "false");
}

const struct schema_type type_bool = {
	.name = "yes-or-no value",
	.write = "true or false",
	.size = sizeof(bool),
	.read = bool_read,
	.print = bool_print,
};

/* --- one of a few words -------------------------------------------------------------------------
 */

static bool choice_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct findings *findings = &loaded->findings;
	struct nearest nearest;

	nearest_start(&nearest, node->text);
	for (const struct schema_choice *choice = key->choices; choice->name; choice++) {
		nearest_offer(&nearest, choice->name);
		if (!slice_equal(node->text, slice_from(choice->name)))
			continue;
		*(int *)out = choice->value;
		return true;
	}
	finding_error(findings, node->place, "\"%.*s\" is none of the values of %s%s%s%s",
		      SLICE_ARG(node->text), key->path, nearest.name ? " (did you mean \"" : "",
		      nearest.name ? nearest.name : "", nearest.name ? "\"?)" : "");
	struct buf all;
	buf_init(&all);
	for (const struct schema_choice *choice = key->choices; choice->name; choice++)
		buf_printf(&all, "%s%s", all.len ? ", " : "", choice->name);
	finding_note(findings, PLACE_NONE, "%s takes: %s", key->path, all.data ? all.data : "");
	buf_free(&all);
	return false;
}

static void choice_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	for (const struct schema_choice *choice = key->choices; choice->name; choice++)
		if (choice->value == VALUE(int)) {
			buf_add_text(out, choice->name);
			return;
		}
}

const struct schema_type type_choice = {
	.name = "choice",
	.write = "one of the words listed",
	.size = sizeof(int),
	.read = choice_read,
	.print = choice_print,
};

/* --- numbers ------------------------------------------------------------------------------------
 */

static bool number_in_range(struct loaded *loaded, const struct schema_key *key,
			    const struct yaml_node *node, uint64_t number)
{
	char bound[24];
	bool too_large = number > key->max;

	if (!too_large && number >= key->min)
		return true;
	struct buf text;
	buf_init(&text);
	buf_add_u64(&text, too_large ? key->max : key->min);
	slice_copy(buf_slice(&text), bound, sizeof(bound));
	buf_free(&text);
	return out_of_range(loaded, key, node, too_large, bound);
}

static bool number_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	uint64_t number;

	if (slice_to_u64(node->text, UINT64_MAX, &number))
		return type_wrong(loaded, key, node);
	if (!number_in_range(loaded, key, node, number))
		return false;
	*(uint32_t *)out = (uint32_t)number;
	return true;
}

static void number_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_add_u64(out, VALUE(uint32_t));
}

const struct schema_type type_number = {
	.name = "number",
	.write = "a whole number",
	.pattern = "^[0-9]+$",
	.size = sizeof(uint32_t),
	.read = number_read,
	.print = number_print,
};

static bool limit_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	if (slice_equal(node->text, SLICE("off"))) {
		*(uint32_t *)out = 0;
		return true;
	}
	return number_read(loaded, key, node, out);
}

static void limit_print(const struct loaded *loaded, const struct schema_key *key,
			const void *value, struct buf *out)
{
	if (VALUE(uint32_t))
		number_print(loaded, key, value, out);
	else
		buf_add_text(out, "off");
}

const struct schema_type type_limit = {
	.name = "limit",
	.write = "a whole number, or off",
	.pattern = "^([0-9]+|off)$",
	.size = sizeof(uint32_t),
	.read = limit_read,
	.print = limit_print,
};

/* --- durations ----------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	uint64_t us;
} units[] = {
	{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000},
};

/* Digits and a unit, in us; false when it is not written so. */
bool type_duration_parse(struct slice text, uint64_t *us)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
		digits++;
	if (slice_to_u64(slice_sub(text, 0, digits), UINT32_MAX, &number))
		return false;
	struct slice unit = slice_sub(text, digits, text.len);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (slice_equal(unit, slice_from(units[i].name))) {
			*us = number * units[i].us;
			return true;
		}
	return false;
}

void type_duration_add(struct buf *out, uint64_t us)
{
	size_t i = sizeof(units) / sizeof(units[0]) - 1;

	while (i > 0 && us % units[i].us)
		i--;
	buf_add_u64(out, us / units[i].us);
	buf_add_text(out, units[i].name);
}

static bool duration_read_us(struct loaded *loaded, const struct schema_key *key,
			     const struct yaml_node *node, uint64_t scale, uint32_t *out)
{
	uint64_t us, bare;

	if (key->min == 0 &&
	    (slice_equal(node->text, SLICE("off")) || slice_equal(node->text, SLICE("0")))) {
		*out = 0;
		return true;
	}
	if (!slice_to_u64(node->text, UINT32_MAX, &bare)) {
		finding_error(&loaded->findings, node->place,
			      "%.*s has no unit: write %.*ss or %.*sms", SLICE_ARG(node->text),
			      SLICE_ARG(node->text), SLICE_ARG(node->text));
		return false;
	}
	if (!type_duration_parse(node->text, &us))
		return type_wrong(loaded, key, node);
	bool too_large = us > key->max * scale;
	if (too_large || us < key->min * scale) {
		struct buf bound;
		buf_init(&bound);
		type_duration_add(&bound, (too_large ? key->max : key->min) * scale);
		out_of_range(loaded, key, node, too_large, bound.data ? bound.data : "");
		buf_free(&bound);
		return false;
	}
	if (us % scale) {
		finding_error(&loaded->findings, node->place, "%.*s is too fine: whole %s, please",
			      SLICE_ARG(node->text),
			      scale == 1000 ? "milliseconds" : "microseconds");
		return false;
	}
	*out = (uint32_t)(us / scale);
	return true;
}

static bool duration_read(struct loaded *loaded, const struct schema_key *key,
			  const struct yaml_node *node, void *out)
{
	return duration_read_us(loaded, key, node, 1000, out);
}

static bool batch_read(struct loaded *loaded, const struct schema_key *key,
		       const struct yaml_node *node, void *out)
{
	return duration_read_us(loaded, key, node, 1, out);
}

static void duration_print(const struct loaded *loaded, const struct schema_key *key,
			   const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	if (VALUE(uint32_t))
		type_duration_add(out, VALUE(uint32_t) * 1000ull);
	else
		buf_add_text(out, "off");
}

static void batch_print(const struct loaded *loaded, const struct schema_key *key,
			const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	if (VALUE(uint32_t))
		type_duration_add(out, VALUE(uint32_t));
	else
		buf_add_text(out, "off");
}

#define DURATION_PATTERN "^([0-9]+(us|ms|s|m|h)|off|0)$"

const struct schema_type type_duration = {
	.name = "duration",
	.write = "500ms, 30s, 10m or 2h",
	.pattern = DURATION_PATTERN,
	.size = sizeof(uint32_t),
	.read = duration_read,
	.print = duration_print,
};

const struct schema_type type_batch = {
	.name = "short duration",
	.write = "100us, 1ms or off",
	.pattern = DURATION_PATTERN,
	.size = sizeof(uint32_t),
	.read = batch_read,
	.print = batch_print,
};

/* --- rates --------------------------------------------------------------------------------------
 */

static bool rate_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	struct config_rate rate = {0, 1000};
	struct slice period = node->text;

	if (!slice_equal(node->text, SLICE("off"))) {
		struct slice count = slice_cut(&period, '/');
		uint64_t us = 0;
		if (period.len && period.data[0] >= '0' && period.data[0] <= '9') {
			if (!type_duration_parse(period, &us))
				return type_wrong(loaded, key, node);
		} else if (slice_equal(period, SLICE("s"))) {
			us = 1000000;
		} else if (slice_equal(period, SLICE("m"))) {
			us = 60000000;
		}
		if (us < 1000 || us > 3600000000 || slice_to_u32(count, 1000000, &rate.count) ||
		    rate.count == 0)
			return type_wrong(loaded, key, node);
		rate.period_ms = (uint32_t)(us / 1000);
	}
	*(struct config_rate *)out = rate;
	return true;
}

static void rate_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	struct config_rate rate = VALUE(struct config_rate);

	(void)loaded;
	(void)key;
	if (rate.count == 0) {
		buf_add_text(out, "off");
		return;
	}
	buf_printf(out, "%u/", rate.count);
	if (rate.period_ms == 1000)
		buf_add_char(out, 's');
	else
		type_duration_add(out, rate.period_ms * 1000ull);
}

const struct schema_type type_rate = {
	.name = "rate",
	.write = "40/s, 100/m, 10/30s or off",
	.pattern = "^([0-9]+/([0-9]+(ms|s|m|h)|s|m)|off)$",
	.size = sizeof(struct config_rate),
	.read = rate_read,
	.print = rate_print,
};

/* --- keep-alives: off, adaptive or a duration ---------------------------------------------------
 */

static bool keepalive_read(struct loaded *loaded, const struct schema_key *key,
			   const struct yaml_node *node, void *out)
{
	struct config_keepalive keepalive = {CONFIG_KEEPALIVE_FIXED, 0};
	uint64_t us;

	if (slice_equal(node->text, SLICE("off")))
		keepalive.mode = CONFIG_KEEPALIVE_OFF;
	else if (slice_equal(node->text, SLICE("adaptive")))
		keepalive.mode = CONFIG_KEEPALIVE_ADAPTIVE;
	else if (!type_duration_parse(node->text, &us) || us < 5000000 || us > 3600000000)
		return type_wrong(loaded, key, node);
	else
		keepalive.interval_ms = (uint32_t)(us / 1000);
	*(struct config_keepalive *)out = keepalive;
	return true;
}

static void keepalive_print(const struct loaded *loaded, const struct schema_key *key,
			    const void *value, struct buf *out)
{
	struct config_keepalive keepalive = VALUE(struct config_keepalive);

	(void)loaded;
	(void)key;
	if (keepalive.mode == CONFIG_KEEPALIVE_FIXED)
		type_duration_add(out, keepalive.interval_ms * 1000ull);
	else
		buf_add_text(out, keepalive.mode == CONFIG_KEEPALIVE_OFF ? "off" : "adaptive");
}

const struct schema_type type_keepalive = {
	.name = "keep-alive",
	.write = "adaptive, off, or an interval from 5s to 1h",
	.pattern = "^(adaptive|off|[0-9]+(ms|s|m|h))$",
	.size = sizeof(struct config_keepalive),
	.read = keepalive_read,
	.print = keepalive_print,
};
