/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/nonce.h"
#include <stdlib.h>
#include "control/base/digest.h"
#include "control/base/wheel.h"

/* 6 bytes of time in ms, 6 of chance, 12 of MAC; in hex. WINDOW: counts may overtake each other. */
enum { TIME = 6, HEAD = 12, MAC = 12, RAW = HEAD + MAC, WINDOW = 32 };

struct nonce_used {
	struct table_link link;
	struct nonce_used *newer;
	uint64_t made_ms;
	uint32_t top;  /* the highest count */
	uint32_t seen; /* bit n: top - n was used */
};

int nonce_table_init(struct nonce_table *table, struct random *random, uint32_t limit)
{
	*table = (struct nonce_table){.limit = limit};
	random_fill(random, table->key, sizeof(table->key));
	random_fill(random, table->hash_key, sizeof(table->hash_key));
	return table_init(&table->used, 64);
}

static void forget_oldest(struct nonce_table *table)
{
	struct nonce_used *used = table->oldest;

	table->oldest = used->newer;
	if (!table->oldest)
		table->newest = NULL;
	table_remove(&table->used, &used->link);
	free(used);
}

void nonce_table_free(struct nonce_table *table)
{
	while (table->oldest)
		forget_oldest(table);
	table_free(&table->used);
	digest_wipe(table->key, sizeof(table->key));
}

static int mac_of(const struct nonce_table *table, const uint8_t *head, uint8_t *out)
{
	return digest_mac(table->key, sizeof(table->key), (struct slice){(const char *)head, HEAD},
			  out, MAC);
}

int nonce_make(struct nonce_table *table, struct random *random, uint64_t now_ms,
	       char out[NONCE_LENGTH])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[RAW];

	for (int i = 0; i < TIME; i++)
		raw[i] = (uint8_t)(now_ms >> (8 * (TIME - 1 - i)));
	random_fill(random, raw + TIME, HEAD - TIME);
	int err = mac_of(table, raw, raw + HEAD);
	if (err)
		return err;
	for (int i = 0; i < RAW; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	return 0;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_raw(struct slice text, uint8_t raw[RAW])
{
	if (text.len != NONCE_LENGTH)
		return false;
	for (size_t i = 0; i < RAW; i++) {
		int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		raw[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* When it was made, if we made it and it is not too old. */
static bool is_fresh(const struct nonce_table *table, struct slice nonce, uint64_t now_ms,
		     uint64_t *made_ms)
{
	uint8_t raw[RAW], mac[MAC];
	uint64_t made = 0;

	if (!read_raw(nonce, raw) || mac_of(table, raw, mac) != 0 ||
	    !digest_is_same((struct slice){(const char *)mac, MAC},
			    (struct slice){(const char *)raw + HEAD, MAC}))
		return false;
	for (int i = 0; i < TIME; i++)
		made = made << 8 | raw[i];
	*made_ms = made;
	return made >= table->floor_ms && made + NONCE_AGE_MS > now_ms;
}

static struct nonce_used *find(const struct nonce_table *table, uint64_t hash)
{
	struct table_link *link = table_find(&table->used, hash, NULL);
	return link ? container_of(link, struct nonce_used, link) : NULL;
}

static int remember(struct nonce_table *table, uint64_t hash, uint64_t made_ms, uint32_t count,
		    uint64_t now_ms)
{
	while (table->oldest && table->oldest->made_ms + NONCE_AGE_MS <= now_ms)
		forget_oldest(table);
	while (table->used.count >= table->limit) {
		/* Its counts go: no nonce of its age may be used any more. */
		if (table->floor_ms <= table->oldest->made_ms)
			table->floor_ms = table->oldest->made_ms + 1;
		forget_oldest(table);
	}
	if (made_ms < table->floor_ms)
		return -ERR_DENIED;
	struct nonce_used *used = calloc(1, sizeof(*used));
	if (!used)
		return -ERR_NO_MEMORY;
	*used = (struct nonce_used){.made_ms = made_ms, .top = count, .seen = 1};
	table_insert(&table->used, &used->link, hash);
	if (table->newest)
		table->newest->newer = used;
	else
		table->oldest = used;
	table->newest = used;
	return 0;
}

static int count_on(struct nonce_used *used, uint32_t count)
{
	if (count == 0 || used->top == 0) /* without counts: once */
		return -ERR_DENIED;
	if (count > used->top) {
		uint32_t ahead = count - used->top;
		used->seen = ahead < WINDOW ? used->seen << ahead | 1u : 1u;
		used->top = count;
		return 0;
	}
	uint32_t behind = used->top - count;
	if (behind >= WINDOW || used->seen & 1u << behind)
		return -ERR_DENIED;
	used->seen |= 1u << behind;
	return 0;
}

int nonce_use(struct nonce_table *table, struct slice nonce, uint32_t count, uint64_t now_ms)
{
	uint64_t made_ms;

	if (!is_fresh(table, nonce, now_ms, &made_ms))
		return -ERR_DENIED;
	uint64_t hash = siphash(nonce, table->hash_key);
	struct nonce_used *used = find(table, hash);
	return used ? count_on(used, count) : remember(table, hash, made_ms, count, now_ms);
}
