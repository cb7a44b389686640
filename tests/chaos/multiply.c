/* multiply.c - one call's record becomes those of as many calls as are asked for, as Redis commands
 * on standard output (for redis-cli --pipe). What the product itself wrote is read, opened, given
 * other identifiers, encoded and sealed with the product's own code. The relay knows none of them:
 * it has no ports for so many.
 *
 * usage: STATE_KEY=... multiply WORKERS COUNT SECONDS < value     SPDX-License-Identifier:
 * Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/state/keys.h"
#include "control/state/record.h"
#include "control/state/record_head.h"
#include "control/state/seal.h"
#include "sbc/worker/token.h"

/* Far above those of calls that live. */
#define FIRST_ID ((uint64_t)1 << 32)

enum { NAMES = 5 }; /* Call-ID, two tags, two Contact users */

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "multiply: %s: %s\n", what, err_text(err));
	exit(1);
}

/* As call_token() makes them. */
static void make_names(const struct token_key *key, const struct token *call,
		       char out[NAMES][TOKEN_LENGTH])
{
	token_make(key, TOKEN_CALL_ID, call, out[0]);
	for (unsigned leg = 0; leg < 2; leg++) {
		struct token token = *call;
		token.id = token.id << 2 | leg;
		token_make(key, TOKEN_TAG, &token, out[1 + leg]);
		token_make(key, TOKEN_CONTACT, &token, out[3 + leg]);
	}
}

static void replace(struct slice in, char from[NAMES][TOKEN_LENGTH], char to[NAMES][TOKEN_LENGTH])
{
	/* The arena's, and ours. */
	char *bytes = (char *)(uintptr_t)in.data;

	for (size_t at = 0; at + TOKEN_LENGTH <= in.len; at++)
		for (int i = 0; i < NAMES; i++)
			if (memcmp(bytes + at, from[i], TOKEN_LENGTH) == 0) {
				memcpy(bytes + at, to[i], TOKEN_LENGTH);
				at += TOKEN_LENGTH - 1;
				break;
			}
}

/* The peer's part of a dialog is another one's, too. */
static void number(struct slice text, uint32_t n)
{
	char digits[9];

	snprintf(digits, sizeof(digits), "%08x", n);
	if (text.len >= 8)
		memcpy((char *)(uintptr_t)text.data, digits, 8);
}

static void rename_call(struct call_record *record, char from[NAMES][TOKEN_LENGTH],
			char to[NAMES][TOKEN_LENGTH], uint32_t n)
{
	replace(record->id, from, to);
	for (uint32_t i = 0; i < record->leg_count; i++) {
		struct record_leg *leg = &record->legs[i];
		bool is_ours = leg->call_id.len == TOKEN_LENGTH &&
			       memcmp(leg->call_id.data, from[0], TOKEN_LENGTH) == 0;
		replace(leg->call_id, from, to);
		replace(leg->local_tag, from, to);
		replace(leg->local_contact, from, to);
		if (!is_ours)
			number(leg->call_id, n);
	}
}

static void print_command(struct slice key, struct slice value, unsigned seconds)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", seconds);

	printf("*5\r\n$3\r\nSET\r\n$%zu\r\n", key.len);
	fwrite(key.data, 1, key.len, stdout);
	printf("\r\n$%zu\r\n", value.len);
	fwrite(value.data, 1, value.len, stdout);
	printf("\r\n$2\r\nEX\r\n$%d\r\n%s\r\n", len, text);
}

int main(int argc, char **argv)
{
	static char bytes[RECORD_SIZE_LIMIT];
	struct random_system random;
	struct log log = {.level = LOG_ERROR, .fd = 2, .program = "multiply"};
	struct identity_keys keys;
	struct token_key key;
	struct token name;
	struct record_head head;
	struct call_record *record;
	struct arena *arena;
	struct seal *seal;
	struct buf value, plain, out, text;
	struct slice body;
	char from[NAMES][TOKEN_LENGTH], to[NAMES][TOKEN_LENGTH];
	const char *secret = getenv("STATE_KEY");

	if (argc != 4 || !secret) {
		fprintf(stderr, "usage: STATE_KEY=... multiply WORKERS COUNT SECONDS < value\n");
		return 2;
	}
	uint32_t workers = (uint32_t)atoi(argv[1]), count = (uint32_t)atoi(argv[2]);
	random_system_init(&random);
	must(cluster_derive(secret, "token mac", keys.token_mac, sizeof(keys.token_mac)), "keys");
	must(cluster_derive(secret, "token cipher", keys.token_cipher, sizeof(keys.token_cipher)),
	     "keys");
	memcpy(key.mac, keys.token_mac, sizeof(key.mac));
	memcpy(key.cipher, keys.token_cipher, sizeof(key.cipher));
	must(seal_create(secret, &random.base, &log, &seal), "state.key");
	must(arena_create(1 << 20, 16 << 20, &arena), "memory");
	buf_init(&value), buf_init(&plain), buf_init(&out), buf_init(&text);

	size_t len = fread(bytes, 1, sizeof(bytes), stdin);
	must(seal_open(seal, (struct slice){bytes, len}, &value), "the value cannot be opened");
	must(record_head_split(buf_slice(&value), &head, &body), "head");
	must(record_decode(arena, body, &record), "record");
	must(token_read(&key, TOKEN_CALL_ID, record->id, &name), "identifier");
	make_names(&key, &name, from);
	for (uint32_t i = 0; i < count; i++) {
		name.worker = (uint8_t)(i % workers);
		name.id = FIRST_ID + i;
		make_names(&key, &name, to);
		rename_call(record, from, to, i);
		memcpy(from, to, sizeof(from));
		record->worker = head.worker = name.worker;
		buf_clear(&plain), buf_clear(&out), buf_clear(&text);
		record_head_write(&head, &plain);
		must(record_encode(record, &plain), "encode");
		must(seal_close(seal, buf_slice(&plain), &out), "seal");
		must(record_key(record->id, &text), "key");
		print_command(buf_slice(&text), buf_slice(&out), (unsigned)atoi(argv[3]));
	}
	return fflush(stdout) ? 1 : 0;
}
