/* redis_queue.c - a ring of commands in flight, a list of keys to delete, and the RESP they are
 * sent in. SPDX-License-Identifier: Apache-2.0 */
#include "control/state/redis_queue.h"
#include <stdlib.h>

void redis_queue_init(struct redis_queue *queue, uint32_t limit)
{
	*queue = (struct redis_queue){.limit = limit};
}

static void redis_command_free(struct redis_command *command)
{
	free(command->grave);
	free(command->words);
}

void redis_queue_free(struct redis_queue *queue)
{
	struct redis_command command;
	while (redis_queue_pop(queue, &command))
		redis_command_free(&command);
	free(queue->ring);
	*queue = (struct redis_queue){.limit = queue->limit};
}

uint32_t redis_queue_count(const struct redis_queue *queue)
{
	return (uint32_t)(queue->tail - queue->head);
}

static struct redis_command *command_at(const struct redis_queue *queue, uint64_t number)
{
	return &queue->ring[number & (queue->size - 1)];
}

static int queue_grow(struct redis_queue *queue)
{
	struct redis_queue bigger = *queue;
	bigger.size = queue->size ? queue->size * 2 : 64;
	bigger.ring = calloc(bigger.size, sizeof(*bigger.ring));
	if (!bigger.ring)
		return -ERR_NO_MEMORY;
	for (uint64_t at = queue->head; at != queue->tail; at++)
		*command_at(&bigger, at) = *command_at(queue, at);
	free(queue->ring);
	*queue = bigger;
	return 0;
}

int redis_queue_push(struct redis_queue *queue, const struct redis_command *command)
{
	uint32_t count = redis_queue_count(queue);
	if (count >= queue->limit)
		return -ERR_BUSY;
	int err = count == queue->size ? queue_grow(queue) : 0;
	if (err)
		return err;
	*command_at(queue, queue->tail++) = *command;
	return 0;
}

bool redis_queue_pop(struct redis_queue *queue, struct redis_command *out)
{
	if (queue->head == queue->tail)
		return false;
	*out = *command_at(queue, queue->head++);
	if (queue->waiting < queue->head)
		queue->waiting = queue->head;
	return true;
}

struct redis_command *redis_queue_head(struct redis_queue *queue)
{
	return queue->head == queue->tail ? NULL : command_at(queue, queue->head);
}

struct redis_command *redis_queue_waiting(struct redis_queue *queue)
{
	while (queue->waiting != queue->tail && command_at(queue, queue->waiting)->given_up)
		queue->waiting++;
	return queue->waiting == queue->tail ? NULL : command_at(queue, queue->waiting);
}

static bool is_grave_of(const struct redis_grave *grave, struct slice key)
{
	return slice_equal((struct slice){grave->key, grave->len}, key);
}

bool redis_queue_deletes(const struct redis_queue *queue, struct slice key)
{
	for (uint64_t at = queue->head; at != queue->tail; at++) {
		const struct redis_command *command = command_at(queue, at);
		if (command->grave && is_grave_of(command->grave, key))
			return true;
	}
	return false;
}

struct redis_words *redis_words_create(const struct slice *words, uint32_t count)
{
	size_t size = 0, at = 0;

	for (uint32_t i = 0; i < count; i++)
		size += words[i].len;
	struct redis_words *copy = malloc(sizeof(*copy) + size);
	if (!copy)
		return NULL;
	copy->count = count;
	for (uint32_t i = 0; i < count; i++) {
		copy->lengths[i] = words[i].len;
		if (words[i].len)
			memcpy(copy->bytes + at, words[i].data, words[i].len);
		at += words[i].len;
	}
	return copy;
}

void redis_words_read(const struct redis_words *words, struct slice *out)
{
	const char *at = words->bytes;

	for (uint32_t i = 0; i < words->count; i++) {
		out[i] = (struct slice){at, words->lengths[i]};
		at += words->lengths[i];
	}
}

void redis_graves_init(struct redis_graves *graves, uint32_t limit)
{
	*graves = (struct redis_graves){.last = &graves->first, .limit = limit};
}

void redis_graves_free(struct redis_graves *graves)
{
	struct redis_grave *grave;
	while ((grave = redis_graves_take(graves)))
		free(grave);
}

struct redis_grave *redis_grave_create(struct slice key)
{
	struct redis_grave *grave = malloc(sizeof(*grave) + key.len);
	if (!grave)
		return NULL;
	grave->next = NULL;
	grave->len = key.len;
	memcpy(grave->key, key.data, key.len);
	return grave;
}

bool redis_graves_add(struct redis_graves *graves, struct redis_grave *grave)
{
	if (graves->count >= graves->limit) {
		free(grave);
		return false;
	}
	grave->next = NULL;
	*graves->last = grave;
	graves->last = &grave->next;
	graves->count++;
	return true;
}

struct redis_grave *redis_graves_take(struct redis_graves *graves)
{
	struct redis_grave *grave = graves->first;
	if (!grave)
		return NULL;
	graves->first = grave->next;
	if (!graves->first)
		graves->last = &graves->first;
	graves->count--;
	return grave;
}

void redis_graves_forget(struct redis_graves *graves, struct slice key)
{
	struct redis_grave **link = &graves->first;
	while (*link) {
		struct redis_grave *grave = *link;
		if (!is_grave_of(grave, key)) {
			link = &grave->next;
			continue;
		}
		*link = grave->next;
		graves->count--;
		free(grave);
	}
	graves->last = link;
}

bool redis_graves_hold(const struct redis_graves *graves, struct slice key)
{
	for (const struct redis_grave *grave = graves->first; grave; grave = grave->next)
		if (is_grave_of(grave, key))
			return true;
	return false;
}

void resp_add_words(struct buf *out, uint32_t words)
{
	buf_add_char(out, '*');
	buf_add_u64(out, words);
	buf_add(out, SLICE("\r\n"));
}

void resp_add_word(struct buf *out, struct slice word)
{
	buf_add_char(out, '$');
	buf_add_u64(out, word.len);
	buf_add(out, SLICE("\r\n"));
	buf_add(out, word);
	buf_add(out, SLICE("\r\n"));
}
