/* metrics.c - a walk over an answer collects samples; they are sorted by family, because
 * OpenMetrics wants each family in one piece. SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include "control/base/arena.h"

enum { SAMPLES_MAX = 100000, MEMORY_MAX = 64 << 20, DEPTH_MAX = 8 };

struct sample {
	const char *family;
	const char *labels; /* "a=\"b\",c=\"d\"" */
	bool is_gauge;
	uint32_t number; /* in order of adding */
	int64_t value;
};

struct metrics {
	struct arena *arena;
	struct sample *samples;
	size_t count, room;
	int err;
};

/* Where the walk is. */
struct at {
	const char *family; /* so far */
	const char *labels;
	bool is_gauge; /* everything from here on */
	unsigned depth;
};

int metrics_create(struct metrics **out)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return -ERR_NO_MEMORY;

	int err = arena_create(1 << 16, MEMORY_MAX, &metrics->arena);
	if (err) {
		free(metrics);
		return err;
	}
	*out = metrics;
	return 0;
}

void metrics_destroy(struct metrics *metrics)
{
	if (!metrics)
		return;
	arena_destroy(metrics->arena);
	free(metrics->samples);
	free(metrics);
}

static bool is_among(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}
#define IS_AMONG(word, words) is_among(word, words, sizeof(words) / sizeof((words)[0]))

/* What may fall as well as rise: numbers of these names, */
static bool is_gauge(const char *key)
{
	static const char *const keys[] = {"answer",      "calls",    "connections", "draining",
					   "emergencies", "entries",  "live",        "expires_in_s",
					   "next_try_s",  "pending",  "ping_ms",     "queues",
					   "registered",  "rtt_us",   "sealed",      "timers",
					   "up",          "uptime_ms"};

	return IS_AMONG(key, keys);
}

/* and all that is under these. */
static bool is_gauge_group(const char *key)
{
	static const char *const keys[] = {"held", "limits", "ports", "resources"};

	return IS_AMONG(key, keys);
}

/* What an element of a list is called by. */
static bool is_label(const char *key)
{
	static const char *const keys[] = {"name",   "interface", "role",    "peer",
					   "server", "relay",     "address", "device",
					   "driver", "cpu",       "ports"};

	return IS_AMONG(key, keys);
}

static void fail(struct metrics *metrics, int err)
{
	if (!metrics->err)
		metrics->err = err;
}

static void sample_add(struct metrics *metrics, const struct at *at, bool gauge, int64_t value)
{
	if (metrics->count == metrics->room) {
		size_t room = metrics->room ? 2 * metrics->room : 256;
		if (room > SAMPLES_MAX) {
			fail(metrics, -ERR_TOO_LARGE);
			return;
		}
		struct sample *grown = realloc(metrics->samples, room * sizeof(*grown));
		if (!grown) {
			fail(metrics, -ERR_NO_MEMORY);
			return;
		}
		metrics->samples = grown;
		metrics->room = room;
	}
	metrics->samples[metrics->count] = (struct sample){.family = at->family,
							   .labels = at->labels,
							   .is_gauge = gauge || at->is_gauge,
							   .number = (uint32_t)metrics->count,
							   .value = value};
	metrics->count++;
}

/* "FAMILY_KEY", of letters, digits and underscores only. */
static const char *family_of(struct metrics *metrics, const char *family, const char *key)
{
	char *text = arena_printf(metrics->arena, "%s_%s", family, key);

	for (char *c = text; c && *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9')))
			*c = '_';
	if (!text)
		fail(metrics, -ERR_NO_MEMORY);
	return text;
}

/* One label more; quotes, backslashes and line ends are escaped. */
static const char *label_add(struct metrics *metrics, const char *labels, const char *name,
			     const char *value)
{
	struct buf text;

	buf_init(&text);
	buf_printf(&text, "%s%s%s=\"", labels, *labels ? "," : "", name);
	for (const char *c = value; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_add_char(&text, '\\');
		if (*c == '\n')
			buf_add_text(&text, "\\n");
		else
			buf_add_char(&text, *c);
	}
	buf_add_char(&text, '"');
	const char *kept = buf_failed(&text) ? NULL : arena_text(metrics->arena, buf_slice(&text));
	buf_free(&text);
	if (!kept)
		fail(metrics, -ERR_NO_MEMORY);
	return kept ? kept : labels;
}

static void walk(struct metrics *metrics, const struct at *at, const json_t *value);

static void walk_drops(struct metrics *metrics, const struct at *at, const json_t *drops)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)drops, key, value)
	{
		struct at one = *at;
		if (!json_is_integer(value))
			continue;
		one.labels = label_add(metrics, at->labels, "reason", key);
		sample_add(metrics, &one, false, json_integer_value(value));
	}
}

static void walk_state(struct metrics *metrics, const struct at *at, const char *state)
{
	struct at one = *at;

	one.family = family_of(metrics, at->family, "up");
	if (one.family)
		sample_add(metrics, &one, true,
			   strcmp(state, "up") == 0 || strcmp(state, "in service") == 0);
}

static void walk_object(struct metrics *metrics, const struct at *at, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		struct at next = {.labels = at->labels, .depth = at->depth + 1};
		if (strcmp(key, "state") == 0 && json_is_string(value))
			walk_state(metrics, at, json_string_value(value));
		if (json_is_string(value))
			continue;
		next.family = family_of(metrics, at->family, key);
		next.is_gauge = at->is_gauge ||
				(json_is_object(value) || json_is_array(value) ? is_gauge_group(key)
									       : is_gauge(key));
		if (!next.family)
			return;
		if (strcmp(key, "drops") == 0 && json_is_object(value))
			walk_drops(metrics, &next, value);
		else
			walk(metrics, &next, value);
	}
}

/* Elements with labels of their own; the labels are no samples. */
static void walk_list(struct metrics *metrics, const struct at *at, const json_t *list)
{
	size_t index;
	json_t *element;

	json_array_foreach(list, index, element)
	{
		struct at one = *at;
		const char *key;
		json_t *value;
		json_t *rest = json_is_object(element) ? json_copy(element) : NULL;
		if (!rest)
			continue;
		json_object_foreach(element, key, value)
		{
			char number[24];
			if (!is_label(key) || (!json_is_string(value) && !json_is_integer(value)))
				continue;
			(void)snprintf(number, sizeof(number), "%lld",
				       (long long)json_integer_value(value));
			one.labels = label_add(
				metrics, one.labels, strcmp(key, "name") == 0 ? "interface" : key,
				json_is_string(value) ? json_string_value(value) : number);
			json_object_del(rest, key);
		}
		walk_object(metrics, &one, rest);
		json_decref(rest);
	}
}

static void walk(struct metrics *metrics, const struct at *at, const json_t *value)
{
	if (metrics->err || at->depth > DEPTH_MAX)
		return;
	if (json_is_object(value))
		walk_object(metrics, at, value);
	else if (json_is_array(value))
		walk_list(metrics, at, value);
	else if (json_is_integer(value))
		sample_add(metrics, at, false, json_integer_value(value));
	else if (json_is_boolean(value))
		sample_add(metrics, at, true, json_is_true(value));
}

void metrics_add(struct metrics *metrics, const char *prefix, const json_t *answer)
{
	struct at at = {.family = prefix, .labels = ""};

	walk(metrics, &at, answer);
}

void metrics_add_gauge(struct metrics *metrics, const char *name, const char *label,
		       const char *value, int64_t number)
{
	struct at at = {.family = name, .is_gauge = true};

	at.labels = label_add(metrics, "", label, value);
	sample_add(metrics, &at, true, number);
}

static int by_family(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = strcmp(x->family, y->family);

	return order ? order : x->number < y->number ? -1 : 1;
}

int metrics_write(struct metrics *metrics, struct buf *out)
{
	const char *family = NULL;
	bool gauge = false;

	if (metrics->err)
		return metrics->err;
	if (metrics->count)
		qsort(metrics->samples, metrics->count, sizeof(*metrics->samples), by_family);
	for (size_t i = 0; i < metrics->count; i++) {
		const struct sample *sample = &metrics->samples[i];
		if (!family || strcmp(family, sample->family) != 0) {
			family = sample->family;
			gauge = sample->is_gauge;
			buf_printf(out, "# TYPE %s %s\n", family, gauge ? "gauge" : "counter");
		}
		buf_printf(out, "%s%s", family, gauge ? "" : "_total");
		if (*sample->labels)
			buf_printf(out, "{%s}", sample->labels);
		buf_printf(out, " %lld\n", (long long)sample->value);
	}
	buf_add_text(out, "# EOF\n");
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
