/* lookup.c - one name or number on its way: walks through the answers as they come.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/internal.h"
#include <stdlib.h>

int dns_create(const struct dns_config *config, struct dns **out)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	if (!dns)
		return -ERR_NO_MEMORY;

	dns->config = *config;
	random_fill(config->random, dns->key, sizeof(dns->key));
	int err = table_init(&dns->by_name, 64);
	if (!err)
		err = table_init(&dns->by_question, 16);
	if (err) {
		dns_destroy(dns);
		return err;
	}
	*out = dns;
	return 0;
}

static void lookup_free(struct lookup *lookup)
{
	struct dns *dns = lookup->dns;

	wheel_cancel(dns->config.wheel, &lookup->deadline);
	*lookup->link = lookup->next;
	if (lookup->next)
		lookup->next->link = lookup->link;
	dns->lookup_count--;
	free(lookup);
}

void dns_destroy(struct dns *dns)
{
	if (!dns)
		return;
	cache_free(dns);
	while (dns->lookups)
		lookup_free(dns->lookups);
	table_free(&dns->by_name);
	table_free(&dns->by_question);
	free(dns);
}

const struct dns_counters *dns_counters(const struct dns *dns)
{
	return &dns->counters;
}

/* Told once; the lookup stays until the last answer it waits for is in. */
static void tell_targets(struct lookup *lookup, int err, const struct dns_targets *targets)
{
	if (!lookup->is_told)
		lookup->on_targets(lookup->owner, lookup->context, err, targets);
	lookup->is_told = true;
}

static void tell_uris(struct lookup *lookup, int err, const struct dns_uris *uris)
{
	if (!lookup->is_told)
		lookup->on_uris(lookup->owner, lookup->context, err, uris);
	lookup->is_told = true;
}

static void on_deadline(struct timer *timer, uint64_t now_ms)
{
	struct lookup *lookup = container_of(timer, struct lookup, deadline);
	(void)now_ms;

	counter_add(&lookup->dns->counters.timeouts, 1);
	if (lookup->is_number)
		tell_uris(lookup, -ERR_TIMEOUT, NULL);
	else
		tell_targets(lookup, -ERR_TIMEOUT, NULL);
}

/* Walks until something is missing that does not come at once. -ERR_AGAIN: it waits. */
static int walk(struct lookup *lookup, struct dns_targets *targets, struct dns_uris *uris)
{
	struct dns *dns = lookup->dns;
	int err = -ERR_AGAIN;

	lookup->is_walking = true;
	dns->walking++;
	while (err == -ERR_AGAIN && lookup->missing == 0)
		if (++lookup->walks > WALKS_MAX)
			err = -ERR_UNREACHABLE;
		else if (lookup->is_number)
			err = enum_walk(dns, lookup->number, lookup->zone, lookup, uris);
		else
			err = resolve_walk(dns, &lookup->destination, lookup, targets);
	dns->walking--;
	lookup->is_walking = false;
	return err;
}

/* Over and nothing comes any more. */
static void finish_if_over(struct lookup *lookup, bool is_over)
{
	struct dns *dns = lookup->dns;

	if (is_over && lookup->missing == 0)
		lookup_free(lookup);
	cache_trim(dns);
}

void lookup_heard(struct lookup *lookup)
{
	struct dns_targets targets = {0};
	int err;

	lookup->missing--;
	if (lookup->is_walking || lookup->missing > 0)
		return;
	if (lookup->is_told) {
		lookup_free(lookup);
		return;
	}
	if (lookup->is_number) {
		struct dns_uris uris = {0};
		err = walk(lookup, NULL, &uris);
		if (err != -ERR_AGAIN)
			tell_uris(lookup, err, &uris);
	} else {
		err = walk(lookup, &targets, NULL);
		if (err != -ERR_AGAIN)
			tell_targets(lookup, err, &targets);
	}
	finish_if_over(lookup, err != -ERR_AGAIN);
}

static int lookup_create(struct dns *dns, size_t text, struct lookup **out)
{
	if (dns->lookup_count >= LOOKUPS_MAX) {
		counter_add(&dns->counters.refused, 1);
		return -ERR_BUSY;
	}
	struct lookup *lookup = calloc(1, sizeof(*lookup) + text);
	if (!lookup)
		return -ERR_NO_MEMORY;
	lookup->dns = dns;
	lookup->next = dns->lookups;
	lookup->link = &dns->lookups;
	if (lookup->next)
		lookup->next->link = &lookup->next;
	dns->lookups = lookup;
	dns->lookup_count++;
	*out = lookup;
	return 0;
}

/* The first walk is made at once; what is left waits. */
static int begin(struct lookup *lookup, struct dns_targets *targets, struct dns_uris *uris)
{
	struct dns *dns = lookup->dns;

	int err = walk(lookup, targets, uris);
	lookup->is_told = err != -ERR_AGAIN;
	if (err == -ERR_AGAIN)
		wheel_arm(dns->config.wheel, &lookup->deadline,
			  wheel_now_ms(dns->config.wheel) + dns->config.timeout_ms, on_deadline);
	finish_if_over(lookup, err != -ERR_AGAIN);
	return err;
}

int dns_resolve(struct dns *dns, const struct dns_destination *destination, dns_targets_fn *fn,
		void *owner, uint64_t context, struct dns_targets *out)
{
	struct lookup *lookup;

	counter_add(&dns->counters.lookups, 1);
	*out = (struct dns_targets){0};
	int err = resolve_walk(dns, destination, NULL, out);
	if (err != -ERR_AGAIN) {
		counter_add(&dns->counters.known, 1);
		return err;
	}
	err = lookup_create(dns, destination->host.len + 1, &lookup);
	if (err)
		return err;
	lookup->on_targets = fn;
	lookup->owner = owner;
	lookup->context = context;
	lookup->destination = *destination;
	memcpy(lookup->text, destination->host.data, destination->host.len);
	lookup->destination.host.data = lookup->text;
	return begin(lookup, out, NULL);
}

int dns_enum(struct dns *dns, struct slice number, struct slice zone, dns_uris_fn *fn, void *owner,
	     uint64_t context, struct dns_uris *out)
{
	struct lookup *lookup;

	counter_add(&dns->counters.lookups, 1);
	out->count = 0;
	int err = enum_walk(dns, number, zone, NULL, out);
	if (err != -ERR_AGAIN) {
		counter_add(&dns->counters.known, 1);
		return err;
	}
	err = lookup_create(dns, number.len + zone.len + 1, &lookup);
	if (err)
		return err;
	lookup->is_number = true;
	lookup->on_uris = fn;
	lookup->owner = owner;
	lookup->context = context;
	memcpy(lookup->text, number.data, number.len);
	memcpy(lookup->text + number.len, zone.data, zone.len);
	lookup->number = (struct slice){lookup->text, number.len};
	lookup->zone = (struct slice){lookup->text + number.len, zone.len};
	return begin(lookup, NULL, out);
}
