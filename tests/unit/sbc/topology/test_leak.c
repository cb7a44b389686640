/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sbc/topology/words.h"

/* --- words --- */

struct hits {
	char text[256];
};

static bool note(void *owner, uint32_t id, struct slice text, size_t start)
{
	struct hits *hits = owner;
	size_t len = strlen(hits->text);
	(void)text;
	snprintf(hits->text + len, sizeof(hits->text) - len, "%u@%zu ", id, start);
	return false;
}

static void all_words_are_found_in_one_pass(void **state)
{
	struct words *words;
	struct hits hits = {""};
	(void)state;

	assert_int_equal(words_create(&words), 0);
	assert_int_equal(words_add(words, SLICE("he "), 1), 0);
	assert_int_equal(words_add(words, SLICE("SHE"), 2), 0);
	assert_int_equal(words_add(words, SLICE("his"), 3), 0);
	assert_int_equal(words_add(words, SLICE("hers"), 4), 0);
	assert_int_equal(words_add(words, SLICE("xy"), 5), -ERR_INVALID);
	assert_int_equal(words_build(words), 0);
	assert_false(words_find(words, SLICE("ushers and Hishe she "), note, &hits));
	assert_string_equal(hits.text, "2@1 4@2 3@11 2@13 1@14 2@17 1@18 ");
	words_destroy(words);
}

/* Against a search that cannot be wrong. */
static void it_finds_what_a_plain_search_finds(void **state)
{
	static const char letters[] = "ab.1";
	char words_text[40][8], text[2000];
	uint64_t seed = 7;
	struct words *words;
	struct hits hits;
	(void)state;

	for (int round = 0; round < 50; round++) {
		unsigned int expected = 0, count = 0;
		assert_int_equal(words_create(&words), 0);
		for (int i = 0; i < 40; i++) {
			size_t len = 3 + (size_t)(seed >> 33) % 4;
			for (size_t k = 0; k < len; k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				words_text[i][k] = letters[seed >> 62];
			}
			words_text[i][len] = '\0';
			assert_int_equal(words_add(words, slice_from(words_text[i]), (uint32_t)i),
					 0);
		}
		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			text[i] = letters[seed >> 62];
		}
		assert_int_equal(words_build(words), 0);
		for (size_t at = 0; at + 30 < sizeof(text); at += 30) {
			struct slice part = {text + at, 30};
			memset(&hits, 0, sizeof(hits));
			for (int i = 0; i < 40; i++)
				for (size_t k = 0; k < part.len; k++)
					expected += slice_starts(slice_sub(part, k, part.len),
								 slice_from(words_text[i]));
			(void)words_find(words, part, note, &hits);
			char *at_hit = hits.text;
			if (strlen(hits.text) + 8 > sizeof(hits.text)) {
				expected = count = 0; /* too many to note: another round */
				break;
			}
			for (; (at_hit = strchr(at_hit, '@')); at_hit++)
				count++;
		}
		assert_int_equal(count, expected);
		words_destroy(words);
	}
}

/* --- leaks --- */

struct edge {
	struct config config;
	struct config_interface interfaces[2];
	struct config_peer peers[1];
	struct addr lan, wan;
	struct config_server server;
	struct cidr accept[2];
};

static struct addr address(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse_ip(slice_from(text), &addr), 0);
	return addr;
}

static struct leaks *make(struct edge *edge)
{
	struct leaks *leaks;

	*edge = (struct edge){.lan = address("10.0.0.1"), .wan = address("203.0.113.10")};
	edge->interfaces[0] = (struct config_interface){.name = "lan",
							.trusted = true,
							.addresses = &edge->lan,
							.address_count = 1,
							.advertise_host = "edge.corp.lan"};
	edge->interfaces[1] = (struct config_interface){
		.name = "wan",
		.addresses = &edge->wan,
		.address_count = 1,
		.security = {.leak_guard = CONFIG_LEAK_COUNT},
	};
	edge->server.addr = address("10.0.0.20");
	assert_int_equal(cidr_parse(SLICE("10.0.0.20/32"), &edge->accept[0]), 0);
	assert_int_equal(cidr_parse(SLICE("fd00:1::/64"), &edge->accept[1]), 0);
	edge->peers[0] = (struct config_peer){.name = "pbx",
					      .interface = 0,
					      .servers = &edge->server,
					      .server_count = 1,
					      .accept_from = edge->accept,
					      .accept_from_count = 2};
	edge->config = (struct config){.interfaces = edge->interfaces,
				       .interface_count = 2,
				       .peers = edge->peers,
				       .peer_count = 1};
	assert_int_equal(leaks_create(&edge->config, &leaks), 0);
	return leaks;
}

#define HEAD                                                                                       \
	"INVITE sip:phone@10.0.0.20 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKx\r\n"  \
	"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"

static uint64_t found(struct leaks *leaks, const char *text)
{
	struct addr remote = address("198.51.100.7");
	uint64_t before = counter_get(&leaks_counters(leaks)->found);

	assert_true(leaks_may_leave(leaks, 1, &remote, slice_from(text), 5));
	return counter_get(&leaks_counters(leaks)->found) - before;
}

static void an_address_is_found_where_it_stands_alone(void **state)
{
	static const struct {
		const char *line;
		int found;
	} lines[] = {
		{"Subject: ask 10.0.0.20", 1},
		{"Subject: ask 10.0.0.20.", 1},
		{"Subject: <sip:10.0.0.20:5060>", 1},
		{"Subject: sip:a@10.0.0.1;x", 1},
		{"Subject: 110.0.0.10 10.0.0.100 10.0.0.2 1.10.0.0.1 10.0.0.1.5 v10.0.0.1", 0},
		{"Subject: 10.0.0.201", 0},
		{"Subject: [fd00:1::20]:5060", 1},
		{"Subject: FD00:0001:0000::9", 1},
		{"Subject: fd00:2::20 afd00:1::20", 0},
		{"Subject: at EDGE.corp.lan, they say", 1},
		{"Subject: x.edge.corp.lan", 1},
		{"Subject: myedge.corp.lan edge.corp.lands edge.corp.lan.example.com", 0},
		{"Via: SIP/2.0/UDP 10.0.0.20", 1},
		{"Route: <sip:10.0.0.20;lr>", 0},
	};
	struct edge edge;
	struct leaks *leaks = make(&edge);
	char text[1024];
	(void)state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), HEAD "%s\r\nContent-Length: 0\r\n\r\n", lines[i].line);
		if (found(leaks, text) != (uint64_t)lines[i].found)
			fail_msg("%s", lines[i].line);
	}
	assert_int_equal(found(leaks, HEAD "Content-Length: 22\r\n\r\no=x 1 IN IP4 10.0.0.20\r\n"),
			 1);
	const struct leak_sample *sample = leaks_sample(leaks, 0);
	assert_string_equal(sample->what, "10.0.0.20");
	assert_string_equal(sample->where, "body");
	assert_string_equal(sample->message, "INVITE");
	assert_int_equal(sample->interface, 1);
	assert_string_equal(leaks_sample(leaks, 1)->where, "Via");
	assert_null(leaks_sample(leaks, LEAK_SAMPLES));
	leaks_destroy(leaks);
}

static void what_a_side_said_itself_is_no_leak(void **state)
{
	struct edge edge;
	struct leaks *leaks = make(&edge);
	struct addr lan_peer = address("10.0.0.20");
	(void)state;

	assert_int_equal(found(leaks,
			       "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.20;branch=z9hG4bKx\r\n"
			       "From: <sip:a@10.0.0.20>;tag=1\r\nCall-ID: x@10.0.0.20\r\n"
			       "CSeq: 1 INVITE\r\nTo: <sip:c@10.0.0.20>;tag=2\r\n"
			       "Record-Route: <sip:10.0.0.20;lr>\r\nContent-Length: 0\r\n\r\n"),
			 0);
	assert_int_equal(found(leaks, "SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\n"
				      "Contact: <sip:c@10.0.0.20>\r\n\r\n"),
			 0);
	assert_int_equal(found(leaks, "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n"
				      "Contact: <sip:c@10.0.0.20>\r\n\r\n"),
			 1);
	assert_int_equal(found(leaks, "BYE sip:c@10.0.0.20 SIP/2.0\r\nFrom: <sip:c@10.0.0.20>;tag=1"
				      "\r\nTo: <sip:c@10.0.0.20>;tag=2\r\n\r\n"),
			 0);
	assert_int_equal(found(leaks, "INVITE sip:c@10.0.0.20 SIP/2.0\r\n"
				      "From: <sip:c@10.0.0.20>;tag=1\r\nTo: <sip:c@d>\r\n\r\n"),
			 1);
	/* A phone with the LAN's addresses, and one of ours on the side itself. */
	uint64_t before = counter_get(&leaks_counters(leaks)->found);
	assert_true(
		leaks_may_leave(leaks, 1, &lan_peer, SLICE(HEAD "Subject: 10.0.0.20\r\n\r\n"), 5));
	assert_true(
		leaks_may_leave(leaks, 0, &lan_peer, SLICE(HEAD "Subject: 10.0.0.1\r\n\r\n"), 5));
	assert_int_equal(counter_get(&leaks_counters(leaks)->found), before);
	leaks_destroy(leaks);
}

static void it_blocks_when_told(void **state)
{
	struct edge edge;
	struct leaks *leaks = make(&edge);
	struct addr remote = address("198.51.100.7");
	(void)state;

	leaks_destroy(leaks);
	edge.interfaces[1].security.leak_guard = CONFIG_LEAK_BLOCK;
	assert_int_equal(leaks_create(&edge.config, &leaks), 0);
	assert_false(
		leaks_may_leave(leaks, 1, &remote, SLICE(HEAD "Subject: 10.0.0.20\r\n\r\n"), 5));
	assert_true(leaks_may_leave(leaks, 1, &remote, SLICE(HEAD "Subject: x\r\n\r\n"), 5));
	assert_int_equal(counter_get(&leaks_counters(leaks)->blocked), 1);
	assert_true(leaks_sample(leaks, 0)->is_blocked);
	leaks_destroy(leaks);
	edge.interfaces[1].security.leak_guard = CONFIG_LEAK_OFF;
	assert_int_equal(leaks_create(&edge.config, &leaks), 0);
	assert_true(
		leaks_may_leave(leaks, 1, &remote, SLICE(HEAD "Subject: 10.0.0.20\r\n\r\n"), 5));
	assert_int_equal(counter_get(&leaks_counters(leaks)->checked), 0);
	/* Told anew while it runs. */
	struct config next = edge.config;
	struct config_interface sides[2] = {edge.interfaces[0], edge.interfaces[1]};
	sides[1].security.leak_guard = CONFIG_LEAK_BLOCK;
	next.interfaces = sides;
	assert_int_equal(leaks_reload(leaks, &next), 0);
	assert_false(
		leaks_may_leave(leaks, 1, &remote, SLICE(HEAD "Subject: 10.0.0.20\r\n\r\n"), 5));
	leaks_destroy(leaks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_words_are_found_in_one_pass),
		cmocka_unit_test(it_finds_what_a_plain_search_finds),
		cmocka_unit_test(an_address_is_found_where_it_stands_alone),
		cmocka_unit_test(what_a_side_said_itself_is_no_leak),
		cmocka_unit_test(it_blocks_when_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
