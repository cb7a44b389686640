/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"
#include <arpa/inet.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct addr address(const char *ip, uint16_t port)
{
	struct addr addr = {.family = strchr(ip, ':') ? AF_INET6 : AF_INET, .port = port};
	inet_pton(addr.family, ip, addr.bytes);
	return addr;
}

static void fill_caller(struct record_leg *leg)
{
	*leg = (struct record_leg){
		.call_id = SLICE("843817637684230@998sdasdh09"),
		.local_tag = SLICE("314159"),
		.remote_tag = SLICE("1928301774"),
		.local_uri = SLICE("sip:bob@example.com"),
		.remote_uri = SLICE("sip:alice@example.org"),
		.remote_target = SLICE("sip:alice@192.168.0.18:5060;ob"),
		.local_contact = SLICE("sip:7f3a@203.0.113.10"),
		.route_set = {SLICE("<sip:p1.example.org;lr>"), SLICE("<sip:p2.example.org;lr>")},
		.route_count = 2,
		.local_cseq = 100,
		.remote_cseq = 314159,
		.is_caller = true,
		.is_confirmed = true,
		.is_secure = true,
		.transport = RECORD_WSS,
		.interface = SLICE("wan"),
		.listener = SLICE("wss/443"),
		.remote = address("198.51.100.7", 40123),
		.peer = SLICE("phones"),
		.sdp_sent = SLICE("v=0\r\no=- 1 2 IN IP4 203.0.113.10\r\ns=-\r\nt=0 0\r\n"),
		.sdp_received = SLICE("v=0\r\no=- 7 8 IN IP4 192.168.0.18\r\ns=-\r\nt=0 0\r\n"),
		.sdp_session_id = SLICE("1"),
		.sdp_session_version = 2,
		.remote_sdp_version = 8,
		.hold = RECORD_HOLD_BY_PEER,
		.offer = RECORD_OFFER_RECEIVED,
		.ng_tag = SLICE("1928301774"),
		.session_interval_s = 1800,
		.refresher = RECORD_REFRESHER_PEER,
		.next_refresh_ms = 1732283300000,
	};
}

struct call_record *sample_full(struct arena *arena)
{
	struct call_record *record = record_create(arena, 2);
	struct record_leg *legs = record->legs;
	fill_caller(&legs[0]);
	legs[1].call_id = SLICE("a84b4c76e66710");
	legs[1].remote = address("2001:db8::20", 5060);
	legs[1].transport = RECORD_UDP;
	legs[1].interface = SLICE("lan");
	*record = (struct call_record){
		.id = SLICE("n1-0-4f3c9a"),
		.state = RECORD_ANSWERED,
		.created_ms = 1732282800123,
		.answered_ms = 1732282805456,
		.written_ms = 1732282805457,
		.node = SLICE("edge-1"),
		.epoch = 1732280000000,
		.worker = 3,
		.ng_call_id = SLICE("n1-0-4f3c9a"),
		.relay = SLICE("udp/127.0.0.1:2223"),
		.relay_instance = SLICE("r-77"),
		.media_idle_ms = 60000,
		.ends_ms = 1732297205456,
		.caller = SLICE("sip:alice@example.org"),
		.callee = SLICE("sip:bob@example.com"),
		.source = address("198.51.100.7", 40123),
		.route = SLICE("users"),
		.legs = legs,
		.leg_count = 2,
	};
	return record;
}

struct call_record *sample_grown(struct arena *arena)
{
	struct call_record *record = sample_full(arena);
	struct record_leg *leg = &record->legs[1];

	record->is_emergency = true;
	record->wants_privacy = true;
	record->ringing_ms = 1732282803000;
	record->session_ids = SLICE("\x01\x00\xff");
	record->refers[0] = SLICE("0 12 113");
	record->refers[1] = SLICE("1 3 4");
	record->refer_count = 2;
	leg->local_display = SLICE("\"Alice\"");
	leg->remote_display = SLICE("Bob");
	leg->allows_update = true;
	leg->server = 2;
	leg->tls_name = SLICE("pbx.example.org");
	leg->sdp_session_hash = 0xcbf29ce484222325;
	leg->minimum_se_s = 90;
	return record;
}

static void fill(struct random *base, void *out, size_t len)
{
	struct sample_random *random = (struct sample_random *)base;
	uint8_t *bytes = out;
	for (size_t i = 0; i < len; i++) {
		/* xorshift64* (Vigna 2014) */
		random->state ^= random->state >> 12;
		random->state ^= random->state << 25;
		random->state ^= random->state >> 27;
		bytes[i] = (uint8_t)(random->state * 2685821657736338717ull >> 56);
	}
}

void sample_random_init(struct sample_random *random, uint64_t seed)
{
	*random = (struct sample_random){.base.fill = fill, .state = seed | 1};
}

static uint32_t below(struct random *random, uint32_t n)
{
	return (uint32_t)(random_u64(random) % n);
}

/* Often empty, sometimes long. */
static struct slice text(struct arena *arena, struct random *random, size_t most, bool is_line)
{
	size_t len = below(random, 3) ? below(random, 40) : below(random, (uint32_t)most + 1);
	char *bytes = arena_alloc(arena, len + 1);
	random_fill(random, bytes, len);
	for (size_t i = 0; is_line && i < len; i++) {
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			bytes[i] = '~';
	}
	return (struct slice){len ? bytes : NULL, len};
}

static uint64_t number(struct random *random, unsigned bits)
{
	return below(random, 3) ? random_u64(random) >> (64 - bits + below(random, bits)) : 0;
}

static struct addr random_addr(struct random *random)
{
	struct addr addr = {0};
	uint32_t kind = below(random, 3);
	if (kind == 0)
		return addr;
	addr.family = kind == 1 ? AF_INET : AF_INET6;
	addr.port = (uint16_t)random_u64(random);
	random_fill(random, addr.bytes, kind == 1 ? 4 : 16);
	return addr;
}

static void random_leg(struct arena *arena, struct random *random, struct record_leg *leg)
{
	struct slice *const lines[] = {
		&leg->call_id,    &leg->local_tag,     &leg->remote_tag,     &leg->local_uri,
		&leg->remote_uri, &leg->remote_target, &leg->local_contact,  &leg->interface,
		&leg->listener,   &leg->peer,          &leg->ng_tag,         &leg->sdp_session_id,
		&leg->tls_name,   &leg->local_display, &leg->remote_display,
	};
	for (size_t i = 0; i < COUNT(lines); i++)
		*lines[i] = text(arena, random, 128, true);
	leg->route_count =
		below(random, 4) ? below(random, 3) : below(random, RECORD_ROUTE_LIMIT + 1);
	for (uint32_t i = 0; i < leg->route_count; i++) {
		leg->route_set[i] = text(arena, random, 300, true);
		if (leg->route_set[i].len == 0)
			leg->route_set[i] = SLICE("<sip:p;lr>");
	}
	leg->local_cseq = (uint32_t)number(random, 32);
	leg->remote_cseq = (uint32_t)number(random, 32);
	leg->is_caller = below(random, 2);
	leg->is_confirmed = below(random, 2);
	leg->is_secure = below(random, 2);
	leg->transport = below(random, RECORD_WSS + 1);
	leg->remote = random_addr(random);
	leg->sdp_sent = text(arena, random, 4000, false);
	leg->sdp_received = text(arena, random, 4000, false);
	leg->sdp_session_version = number(random, 64);
	leg->remote_sdp_version = number(random, 64);
	leg->hold = below(random, RECORD_HOLD_BOTH + 1);
	leg->offer = below(random, RECORD_OFFER_RECEIVED + 1);
	leg->session_interval_s = (uint32_t)number(random, 32);
	leg->refresher = below(random, RECORD_REFRESHER_PEER + 1);
	leg->next_refresh_ms = number(random, 64);
	leg->allows_update = below(random, 2);
	leg->server = (uint32_t)number(random, 32);
	leg->sdp_session_hash = number(random, 64);
	leg->minimum_se_s = (uint32_t)number(random, 32);
}

struct call_record *sample_random(struct arena *arena, struct random *random)
{
	struct call_record *record = record_create(arena, below(random, 5));
	struct slice *const lines[] = {
		&record->node,           &record->ng_call_id, &record->relay,
		&record->relay_instance, &record->caller,     &record->callee,
		&record->route,          &record->event,      &record->root,
	};
	char *id = arena_alloc(arena, RECORD_ID_LIMIT);
	record->id = (struct slice){id, 1 + below(random, RECORD_ID_LIMIT)};
	random_text(random, id, record->id.len);
	for (size_t i = 0; i < COUNT(lines); i++)
		*lines[i] = text(arena, random, 128, true);
	record->state = 1 + below(random, RECORD_SUBSCRIPTION);
	record->created_ms = number(random, 64);
	record->answered_ms = number(random, 64);
	record->written_ms = number(random, 64);
	record->epoch = number(random, 64);
	record->worker = (uint32_t)number(random, 32);
	record->media_idle_ms = (uint32_t)number(random, 32);
	record->ends_ms = number(random, 64);
	record->source = random_addr(random);
	record->is_emergency = below(random, 2);
	record->wants_privacy = below(random, 2);
	record->ringing_ms = number(random, 64);
	record->session_ids = text(arena, random, 128, false);
	record->refer_count = below(random, 5);
	for (uint32_t i = 0; i < record->refer_count; i++)
		record->refers[i] = SLICE("1 2 3");
	record->lifetime_s = (uint32_t)number(random, 32);
	record->fork_count = below(random, 5);
	for (uint32_t i = 0; i < record->fork_count; i++)
		record->forks[i] = SLICE("f");
	for (uint32_t i = 0; i < record->leg_count; i++)
		random_leg(arena, random, &record->legs[i]);
	return record;
}
