/* cache.c - what was asked, what was answered, how long it is true.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/internal.h"
#include <stdlib.h>

static uint64_t now_of(const struct dns *dns)
{
	return wheel_now_ms(dns->config.wheel);
}

static uint64_t hash_of(const struct dns *dns, enum dns_type type, struct slice name)
{
	return siphash(name, dns->key) + (uint64_t)type * 0x9e3779b97f4a7c15u;
}

static struct entry *entry_find(const struct dns *dns, enum dns_type type, struct slice name)
{
	struct table_link *link = NULL;

	while ((link = table_find(&dns->by_name, hash_of(dns, type, name), link))) {
		struct entry *entry = container_of(link, struct entry, by_name);
		if (entry->type == type && slice_equal(slice_from(entry->name), name))
			return entry;
	}
	return NULL;
}

static void use_unlink(struct dns *dns, struct entry *entry)
{
	*(entry->older ? &entry->older->newer : &dns->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &dns->newest) = entry->older;
	entry->older = entry->newer = NULL;
}

static void use_link(struct dns *dns, struct entry *entry)
{
	entry->older = dns->newest;
	entry->newer = NULL;
	*(dns->newest ? &dns->newest->newer : &dns->oldest) = entry;
	dns->newest = entry;
}

static size_t entry_bytes(const struct entry *entry)
{
	return sizeof(*entry) + strlen(entry->name) + (entry->answer ? entry->answer->size : 0);
}

static void entry_free(struct dns *dns, struct entry *entry)
{
	while (entry->waiters) {
		struct waiter *waiter = entry->waiters;
		entry->waiters = waiter->next;
		free(waiter);
	}
	table_remove(&dns->by_name, &entry->by_name);
	if (entry->is_asked)
		table_remove(&dns->by_question, &entry->by_question);
	else
		use_unlink(dns, entry);
	dns->bytes -= entry_bytes(entry);
	counter_sub(&dns->counters.entries, 1);
	free(entry->answer);
	free(entry);
}

void cache_trim(struct dns *dns)
{
	while (dns->walking == 0 && dns->oldest &&
	       (dns->by_name.count > ENTRIES_MAX || dns->bytes > BYTES_MAX))
		entry_free(dns, dns->oldest);
}

void cache_free(struct dns *dns)
{
	struct table_link *link;

	if (!dns->by_name.buckets)
		return;
	while ((link = table_next(&dns->by_name, NULL)))
		entry_free(dns, container_of(link, struct entry, by_name));
}

static struct entry *entry_add(struct dns *dns, enum dns_type type, struct slice name)
{
	struct entry *entry = calloc(1, sizeof(*entry) + name.len + 1);
	if (!entry)
		return NULL;
	entry->type = type;
	memcpy(entry->name, name.data, name.len);
	table_insert(&dns->by_name, &entry->by_name, hash_of(dns, type, name));
	use_link(dns, entry);
	dns->bytes += entry_bytes(entry);
	counter_add(&dns->counters.entries, 1);
	return entry;
}

static void settle(struct dns *dns, struct entry *entry, struct dns_answer *answer, int err)
{
	struct waiter *waiter = entry->waiters;
	uint64_t ttl_ms = FAILURE_MS;

	dns->bytes -= entry_bytes(entry);
	free(entry->answer);
	entry->answer = answer;
	entry->err = err;
	if (answer) {
		ttl_ms = (uint64_t)answer->ttl_s * 1000;
		uint64_t most = dns->config.cache_max_ms;
		if (answer->count == 0 && most > DENIAL_MAX_MS)
			most = DENIAL_MAX_MS;
		ttl_ms = ttl_ms > most ? most : ttl_ms;
		ttl_ms = ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : ttl_ms;
	}
	entry->expires_ms = now_of(dns) + ttl_ms;
	entry->is_asked = false;
	table_remove(&dns->by_question, &entry->by_question);
	use_link(dns, entry);
	dns->bytes += entry_bytes(entry);
	dns->open--;
	entry->waiters = NULL;
	while (waiter) {
		struct waiter *next = waiter->next;
		lookup_heard(waiter->lookup);
		free(waiter);
		waiter = next;
	}
}

static struct entry *entry_asked(const struct dns *dns, uint64_t question)
{
	struct table_link *link = NULL;

	while ((link = table_find(&dns->by_question, question, link))) {
		struct entry *entry = container_of(link, struct entry, by_question);
		if (entry->question == question)
			return entry;
	}
	return NULL;
}

void dns_failed(struct dns *dns, uint64_t question, int err)
{
	struct entry *entry = entry_asked(dns, question);

	if (!entry)
		return;
	counter_add(&dns->counters.failures, 1);
	settle(dns, entry, NULL, err);
}

void dns_answered(struct dns *dns, uint64_t question, struct slice message)
{
	struct entry *entry = entry_asked(dns, question);
	struct dns_answer *answer = NULL;

	if (!entry)
		return;
	int err = dns_answer_read(message, entry->type, slice_from(entry->name), &answer);
	if (err)
		dns_failed(dns, question, err == -ERR_NO_MEMORY ? err : -ERR_UNREACHABLE);
	else
		settle(dns, entry, answer, 0);
}

static int start(struct dns *dns, struct entry *entry)
{
	if (dns->open >= QUESTIONS_MAX)
		return -ERR_BUSY;
	use_unlink(dns, entry);
	entry->is_asked = true;
	entry->question = ++dns->last_question;
	table_insert(&dns->by_question, &entry->by_question, entry->question);
	dns->open++;
	counter_add(&dns->counters.questions, 1);
	uint64_t question = entry->question;
	int err = dns->config.ask(dns->config.owner, entry->type, entry->name, question);
	if (err)
		dns_failed(dns, question, err);
	return 0;
}

static int wait_for(struct entry *entry, struct lookup *lookup)
{
	struct waiter *waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ERR_NO_MEMORY;
	*waiter = (struct waiter){.next = entry->waiters, .lookup = lookup};
	entry->waiters = waiter;
	lookup->missing++;
	return -ERR_AGAIN;
}

int cache_get(struct dns *dns, enum dns_type type, struct slice text, struct lookup *lookup,
	      struct known *out)
{
	char normal[DNS_NAME_MAX + 1];

	int err = dns_name_normal(text, normal);
	if (err)
		return err;
	struct slice name = slice_from(normal);
	struct entry *entry = entry_find(dns, type, name);
	if (entry && !entry->is_asked && now_of(dns) < entry->expires_ms) {
		use_unlink(dns, entry);
		use_link(dns, entry);
		if (!entry->answer)
			return entry->err;
		*out = (struct known){entry->answer, entry->expires_ms - now_of(dns)};
		return 0;
	}
	if (!lookup) /* only what is known */
		return -ERR_AGAIN;
	if (!entry)
		entry = entry_add(dns, type, name);
	if (!entry)
		return -ERR_NO_MEMORY;
	if (entry->is_asked)
		return wait_for(entry, lookup);
	/* First the waiter: the answer may come from inside. */
	err = wait_for(entry, lookup);
	if (err != -ERR_AGAIN)
		return err;
	err = start(dns, entry);
	if (err) {
		struct waiter *waiter = entry->waiters;
		entry->waiters = waiter->next;
		lookup->missing--;
		free(waiter);
	}
	return err ? err : -ERR_AGAIN;
}
