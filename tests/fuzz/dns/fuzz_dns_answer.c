/* Answers of a name server that lies. Input: one byte for the type, then the message. What is read
 * of it goes through a resolver as well, so that names, services and expressions are walked.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/dns/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct dns *dns;
	const uint8_t *data;
	size_t size;
	unsigned int asked;
	unsigned int told;
};

static void check(bool fact)
{
	if (!fact)
		abort();
}

/* Whatever is asked gets the same records, under the name that was asked for. */
static int ask(void *owner, enum dns_type type, const char *name, uint64_t question)
{
	struct bench *bench = owner;
	static uint8_t bytes[70000];
	size_t at = 12;
	(void)type;

	check(++bench->asked < 10000);
	if (bench->size < 12) {
		dns_failed(bench->dns, question, -ERR_TIMEOUT);
		return 0;
	}
	memcpy(bytes, bench->data, 12);
	bytes[2] |= 0x80;
	bytes[4] = 0, bytes[5] = 1;
	while (*name) {
		size_t len = strcspn(name, ".");
		bytes[at++] = (uint8_t)len;
		memcpy(bytes + at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	bytes[at++] = 0;
	bytes[at++] = 0, bytes[at++] = (uint8_t)type, bytes[at++] = 0, bytes[at++] = 1;
	memcpy(bytes + at, bench->data + 12, bench->size - 12);
	dns_answered(bench->dns, question,
		     (struct slice){(const char *)bytes, at + bench->size - 12});
	return 0;
}

static void on_targets(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	struct bench *bench = owner;
	(void)context;
	bench->told++;
	check(err || targets->count > 0);
}

static void on_uris(void *owner, uint64_t context, int err, const struct dns_uris *uris)
{
	struct bench *bench = owner;
	(void)context;
	bench->told++;
	check(err || uris->count > 0);
}

static void read_alone(enum dns_type type, const uint8_t *data, size_t size)
{
	static const struct slice names[] = {{"x.example", 9}, {"a", 1}};
	uint8_t *copy = malloc(size ? size : 1); /* exactly so long: a read beyond it is seen */

	check(copy != NULL);
	memcpy(copy, data, size);
	for (size_t i = 0; i < 2; i++) {
		struct dns_answer *answer = NULL;
		if (dns_answer_read((struct slice){(char *)copy, size}, type, names[i], &answer))
			continue;
		check(answer->count <= DNS_RECORDS_MAX);
		for (uint32_t k = 0; type == DNS_SRV && k < answer->count; k++)
			check(answer->records[k].srv.target.len > 0);
		free(answer);
	}
	free(copy);
}

static void fill(struct random *random, void *out, size_t len)
{
	(void)random;
	memset(out, 5, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR};
	struct random random = {fill};
	struct wheel *wheel;
	struct dns_targets targets;
	static struct dns_uris uris;

	if (size < 1 || size > 60000)
		return 0;
	read_alone(types[data[0] & 3], data + 1, size - 1);
	struct bench bench = {.data = data + 1, .size = size - 1};
	check(wheel_create(1000, &wheel) == 0);
	struct dns_config config = {.wheel = wheel,
				    .random = &random,
				    .timeout_ms = 4000,
				    .cache_max_ms = 60000,
				    .ask = ask,
				    .owner = &bench};
	check(dns_create(&config, &bench.dns) == 0);
	struct dns_destination destination = {.host = SLICE("x.example"),
					      .allowed = DNS_UDP | DNS_TCP | DNS_TLS};
	int err = dns_resolve(bench.dns, &destination, on_targets, &bench, 1, &targets);
	check(err != -ERR_AGAIN && targets.count <= DNS_TARGETS_MAX);
	err = dns_enum(bench.dns, SLICE("+331234"), SLICE("e164.arpa"), on_uris, &bench, 2, &uris);
	check(err != -ERR_AGAIN && uris.count <= DNS_URIS_MAX);
	for (uint32_t i = 0; !err && i < uris.count; i++)
		for (const char *c = uris.uris[i]; *c; c++)
			check(*c > ' ' && *c <= '~');
	dns_destroy(bench.dns);
	check(wheel_armed(wheel) == 0);
	wheel_destroy(wheel);
	return 0;
}
