/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/words.h"
#include <stdlib.h>

enum { STATES_MAX = 65535, NO_WORD = -1 };

struct word {
	char *text; /* owned; lower case */
	uint16_t len;
	uint32_t id;
	int32_t next; /* of the same end */
};

struct words {
	struct word *words;
	uint32_t count;
	uint32_t size;
	uint8_t classes[256]; /* of bytes; 0 = in no word */
	uint32_t class_count;
	uint32_t state_count;
	uint16_t *next; /* state * class_count + class */
	uint16_t *fail;
	int32_t *ends;        /* of a state: first word that ends there */
	uint16_t *shorter;    /* of a state: the longest proper suffix at which a word ends; 0 */
	bool *is_end;         /* a word ends here or at a suffix */
	uint64_t pairs[1024]; /* two bytes that stand first or second in a word */
};

int words_create(struct words **out)
{
	struct words *words = calloc(1, sizeof(*words));
	if (!words)
		return -ERR_NO_MEMORY;
	words->class_count = 1;
	*out = words;
	return 0;
}

void words_destroy(struct words *words)
{
	if (!words)
		return;
	for (uint32_t i = 0; i < words->count; i++)
		free(words->words[i].text);
	free(words->words);
	free(words->next);
	free(words->fail);
	free(words->ends);
	free(words->shorter);
	free(words->is_end);
	free(words);
}

static uint8_t lower(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static uint8_t upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

int words_add(struct words *words, struct slice text, uint32_t id)
{
	if (text.len < WORD_MIN || text.len > WORD_MAX)
		return -ERR_INVALID;
	if (words->count == WORDS_MAX)
		return -ERR_TOO_MANY;
	if (words->count == words->size) {
		uint32_t size = words->size ? 2 * words->size : 16;
		struct word *grown = realloc(words->words, size * sizeof(*grown));
		if (!grown)
			return -ERR_NO_MEMORY;
		words->words = grown;
		words->size = size;
	}
	char *copy = slice_dup(text);
	if (!copy)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = (char)lower(copy[i]);
	words->words[words->count++] =
		(struct word){.text = copy, .len = (uint16_t)text.len, .id = id, .next = NO_WORD};
	return 0;
}

/* Bytes that no word holds are one class: the table stays small. */
static void set_classes(struct words *words)
{
	for (uint32_t i = 0; i < words->count; i++) {
		for (uint16_t k = 0; k < words->words[i].len; k++) {
			uint8_t byte = (uint8_t)words->words[i].text[k];
			if (words->classes[byte])
				continue;
			words->classes[byte] = (uint8_t)words->class_count++;
			words->classes[upper(byte)] = words->classes[byte];
		}
	}
}

static void set_one_pair(struct words *words, uint8_t first, uint8_t second)
{
	uint32_t pair = (uint32_t)second << 8 | first;
	words->pairs[pair >> 6] |= 1ull << (pair & 63);
}

static void set_pair(struct words *words, uint8_t first, uint8_t second)
{
	set_one_pair(words, first, second);
	set_one_pair(words, upper(first), second);
	set_one_pair(words, first, upper(second));
	set_one_pair(words, upper(first), upper(second));
}

static void set_pairs(struct words *words)
{
	for (uint32_t i = 0; i < words->count; i++) {
		uint8_t first = (uint8_t)words->words[i].text[0];
		uint8_t second = (uint8_t)words->words[i].text[1];
		uint8_t third = (uint8_t)words->words[i].text[2];
		set_pair(words, first, second);
		set_pair(words, second, third);
	}
}

static int allocate(struct words *words)
{
	size_t states = 1;

	for (uint32_t i = 0; i < words->count; i++)
		states += words->words[i].len;
	if (states > STATES_MAX)
		return -ERR_TOO_MANY;
	words->next = calloc(states * words->class_count, sizeof(*words->next));
	words->fail = calloc(states, sizeof(*words->fail));
	words->ends = malloc(states * sizeof(*words->ends));
	words->shorter = calloc(states, sizeof(*words->shorter));
	words->is_end = calloc(states, sizeof(*words->is_end));
	if (!words->next || !words->fail || !words->ends || !words->shorter || !words->is_end)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < states; i++)
		words->ends[i] = NO_WORD;
	return 0;
}

static void grow_trie(struct words *words)
{
	words->state_count = 1;
	for (uint32_t i = 0; i < words->count; i++) {
		struct word *word = &words->words[i];
		uint16_t state = 0;
		for (uint16_t k = 0; k < word->len; k++) {
			uint8_t class = words->classes[(uint8_t)word->text[k]];
			uint16_t *next = &words->next[state * words->class_count + class];
			if (!*next)
				*next = (uint16_t)words->state_count++;
			state = *next;
		}
		word->next = words->ends[state];
		words->ends[state] = (int32_t)i;
		words->is_end[state] = true;
	}
}

static void visit(struct words *words, uint16_t state, uint16_t *queue, uint32_t *tail)
{
	for (uint32_t class = 1; class < words->class_count; class ++) {
		uint16_t *next = &words->next[state * words->class_count + class];
		uint16_t back = words->next[words->fail[state] * words->class_count + class];
		if (!*next) {
			*next = state ? back : 0;
			continue;
		}
		words->fail[*next] = state ? back : 0;
		uint16_t fail = words->fail[*next];
		words->shorter[*next] = words->ends[fail] != NO_WORD ? fail : words->shorter[fail];
		words->is_end[*next] = words->is_end[*next] || words->is_end[fail];
		queue[(*tail)++] = *next;
	}
}

int words_build(struct words *words)
{
	set_classes(words);
	set_pairs(words);
	int err = allocate(words);
	if (err)
		return err;
	grow_trie(words);
	/* In breadth: a state's fail link leads to one nearer to the root, which is complete. */
	uint16_t *queue = calloc(words->state_count, sizeof(*queue));
	if (!queue)
		return -ERR_NO_MEMORY;
	uint32_t head = 0, tail = 1;
	while (head < tail)
		visit(words, queue[head++], queue, &tail);
	free(queue);
	return 0;
}

bool words_is_empty(const struct words *words)
{
	return words->count == 0;
}

static bool report(const struct words *words, uint16_t state, struct slice text, size_t end,
		   words_found_fn *found, void *owner)
{
	for (uint16_t at = words->ends[state] != NO_WORD ? state : words->shorter[state]; at;
	     at = words->shorter[at]) {
		for (int32_t i = words->ends[at]; i != NO_WORD; i = words->words[i].next)
			if (found(owner, words->words[i].id, text, end - words->words[i].len))
				return true;
	}
	return false;
}

static bool begins(const struct words *words, const char *at)
{
	uint16_t pair = (uint16_t)((uint8_t)at[0] | (uint16_t)((uint8_t)at[1] << 8));
	return words->pairs[pair >> 6] >> (pair & 63) & 1;
}

/* No word is shorter than three bytes: of any two neighbours in it one pair is looked at, its first
 * or its second. */
bool words_find(const struct words *words, struct slice text, words_found_fn *found, void *owner)
{
	size_t done = 0, at = 0;

	while (at + 1 < text.len) {
		if (!begins(words, text.data + at)) {
			at += 2;
			continue;
		}
		uint16_t state = 0;
		size_t look = at > done ? at - 1 : at;
		do {
			uint8_t class = words->classes[(uint8_t)text.data[look++]];
			state = words->next[state * words->class_count + class];
			if (words->is_end[state] && report(words, state, text, look, found, owner))
				return true;
		} while ((state || look <= at) && look < text.len);
		done = look;
		at = look;
	}
	return false;
}
