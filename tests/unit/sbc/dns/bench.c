/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static size_t put16(uint8_t *out, size_t at, unsigned int value)
{
	out[at] = (uint8_t)(value >> 8);
	out[at + 1] = (uint8_t)value;
	return at + 2;
}

static size_t put_name(uint8_t *out, size_t at, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		size_t len = strcspn(name, ".");
		out[at++] = (uint8_t)len;
		memcpy(out + at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	out[at++] = 0;
	return at;
}

static size_t put_string(uint8_t *out, size_t at, const char *text)
{
	size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text);
	out[at++] = (uint8_t)len;
	memcpy(out + at, text, len);
	return at + len;
}

static unsigned int type_of(const char *text)
{
	return strcmp(text, "A") == 0       ? 1
	       : strcmp(text, "CNAME") == 0 ? 5
	       : strcmp(text, "AAAA") == 0  ? 28
	       : strcmp(text, "SRV") == 0   ? 33
					    : 35;
}

static size_t put_data(uint8_t *out, size_t at, unsigned int type, char **words)
{
	struct addr addr;

	switch (type) {
	case 1:
	case 28:
		assert_int_equal(addr_parse_ip(slice_from(words[2]), &addr), 0);
		memcpy(out + at, addr.bytes, type == 1 ? 4 : 16);
		return at + (type == 1 ? 4 : 16);
	case 5:
		return put_name(out, at, words[2]);
	case 33:
		for (int i = 2; i < 5; i++)
			at = put16(out, at, (unsigned int)atoi(words[i]));
		return put_name(out, at, words[5]);
	default:
		at = put16(out, at, (unsigned int)atoi(words[2]));
		at = put16(out, at, (unsigned int)atoi(words[3]));
		for (int i = 4; i < 7; i++)
			at = put_string(out, at, words[i]);
		return put_name(out, at, words[7]);
	}
}

/* The records of the name, and those its CNAMEs lead to. */
static size_t put_records(const struct bench *bench, unsigned int type, const char *name,
			  uint8_t *out, size_t at, unsigned int *count, int depth)
{
	char line[512], *words[16];

	for (const char *const *record = bench->zone; *record; record++) {
		char *save = NULL;
		int n = 0;
		snprintf(line, sizeof(line), "%s", *record);
		for (char *w = strtok_r(line, " ", &save); w && n < 16;
		     w = strtok_r(NULL, " ", &save))
			words[n++] = w;
		unsigned int is = type_of(words[1]);
		if (strcmp(words[0], name) != 0 || (is != type && is != 5))
			continue;
		at = put_name(out, at, words[0]);
		at = put16(out, at, is);
		at = put16(out, at, 1);
		at = put16(out, at, bench->ttl_s >> 16);
		at = put16(out, at, bench->ttl_s & 0xffff);
		size_t length = at;
		at = put_data(out, at + 2, is, words);
		put16(out, length, (unsigned int)(at - length - 2));
		++*count;
		if (is == 5 && depth < 12)
			at = put_records(bench, type, words[2], out, at, count, depth + 1);
	}
	return at;
}

size_t bench_message(const struct bench *bench, enum dns_type type, const char *name,
		     uint8_t out[8192])
{
	unsigned int count = 0;

	memset(out, 0, 12);
	put16(out, 2, 0x8180);
	put16(out, 4, 1);
	size_t at = put_name(out, 12, name);
	at = put16(out, at, type);
	at = put16(out, at, 1);
	at = put_records(bench, type, name, out, at, &count, 0);
	put16(out, 6, count);
	return at;
}

static void answer(struct bench *bench, enum dns_type type, const char *name, uint64_t question)
{
	uint8_t bytes[8192];

	if (bench->broken && strcmp(name, bench->broken) == 0) {
		dns_failed(bench->dns, question, -ERR_UNREACHABLE);
		return;
	}
	size_t len = bench_message(bench, type, name, bytes);
	dns_answered(bench->dns, question, (struct slice){(const char *)bytes, len});
}

static int ask(void *owner, enum dns_type type, const char *name, uint64_t question)
{
	struct bench *bench = owner;

	bench->asked++;
	if (bench->silent && strcmp(name, bench->silent) == 0)
		return 0;
	if (!bench->later) {
		answer(bench, type, name, question);
		return 0;
	}
	assert_true(bench->open_count < BENCH_QUESTIONS);
	bench->open[bench->open_count].type = type;
	bench->open[bench->open_count].question = question;
	snprintf(bench->open[bench->open_count++].name, 256, "%s", name);
	return 0;
}

void bench_answer(struct bench *bench)
{
	while (bench->open_count > 0) {
		bench->open_count--;
		char name[256];
		snprintf(name, sizeof(name), "%s", bench->open[bench->open_count].name);
		answer(bench, bench->open[bench->open_count].type, name,
		       bench->open[bench->open_count].question);
	}
}

static void fill(struct random *random, void *out, size_t len)
{
	struct bench *bench = container_of(random, struct bench, random);
	for (size_t i = 0; i < len; i++) {
		bench->seed = bench->seed * 6364136223846793005u + 1442695040888963407u;
		((uint8_t *)out)[i] = (uint8_t)(bench->seed >> 40);
	}
}

void bench_open(struct bench *bench, const char *const *zone)
{
	*bench = (struct bench){.zone = zone, .ttl_s = 60, .now_ms = 1000, .seed = 7};
	bench->random.fill = fill;
	assert_int_equal(wheel_create(bench->now_ms, &bench->wheel), 0);
	struct dns_config config = {.wheel = bench->wheel,
				    .random = &bench->random,
				    .timeout_ms = 4000,
				    .cache_max_ms = 3600000,
				    .ask = ask,
				    .owner = bench};
	assert_int_equal(dns_create(&config, &bench->dns), 0);
}

void bench_close(struct bench *bench)
{
	dns_destroy(bench->dns);
	assert_int_equal(wheel_armed(bench->wheel), 0);
	wheel_destroy(bench->wheel);
}

void bench_advance(struct bench *bench, uint64_t ms)
{
	bench->now_ms += ms;
	wheel_advance(bench->wheel, bench->now_ms);
}

void bench_on_targets(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	struct bench *bench = owner;

	bench->told++;
	bench->context = context;
	bench->err = err;
	bench->targets = targets ? *targets : (struct dns_targets){0};
}

void bench_on_uris(void *owner, uint64_t context, int err, const struct dns_uris *uris)
{
	struct bench *bench = owner;

	bench->told++;
	bench->context = context;
	bench->err = err;
	bench->uris.count = 0;
	if (uris)
		bench->uris = *uris;
}

int bench_resolve(struct bench *bench, const char *host, uint16_t port, uint8_t transport)
{
	struct dns_destination destination = {.host = slice_from(host),
					      .port = port,
					      .transport = transport,
					      .allowed = DNS_UDP | DNS_TCP | DNS_TLS};
	return dns_resolve(bench->dns, &destination, bench_on_targets, bench, 42, &bench->targets);
}

const char *bench_text(struct bench *bench)
{
	static char text[2048];
	char addr[ADDR_TEXT_SIZE];
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < bench->targets.count; i++) {
		const struct dns_target *target = &bench->targets.targets[i];
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %s", i ? ", " : "",
				       target->transport == DNS_UDP   ? "udp"
				       : target->transport == DNS_TCP ? "tcp"
								      : "tls",
				       addr_text(&target->addr, addr));
	}
	return text;
}
