/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sbc/worker/shard.h"

static const struct token_key key = {{1, 2}, {3, 4}};
static const struct shard shard = {.key = &key, .workers = 4, .hash_key = {5, 6}};

struct parts { /* NULL = the usual */
	const char *method, *uri, *branch, *from, *to, *call_id, *to_tag;
};

static const char * or (const char *text, const char *usual)
{
	return text ? text : usual;
}

static uint8_t shard_of_request(const struct parts *p, enum shard_source source)
{
	struct scan_limits limits = {.message_max = 16384};
	struct scan *scan = malloc(sizeof(*scan));
	char text[1024];
	const char *method = or (p->method, "INVITE");
	int len = snprintf(text, sizeof(text),
			   "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s\r\n"
			   "From: <%s>;tag=1\r\nTo: <%s>%s%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n\r\n",
			   method, or (p->uri, "sip:bob@example.com"), or (p->branch, "1"),
			   or (p->from, "sip:alice@example.com"), or (p->to, "sip:bob@example.com"),
			   p->to_tag ? ";tag=" : "", or (p->to_tag, ""), or (p->call_id, "call"),
			   method);
	assert_int_equal(scan_message(text, (size_t)len, &limits, scan), SCAN_ACCEPT);
	uint8_t worker = shard_of(&shard, scan, source);
	free(scan);
	return worker;
}

static const char *token(enum token_kind kind, uint8_t worker, uint16_t node)
{
	static char text[TOKEN_LENGTH + 1];
	struct token value = {.node = node, .worker = worker, .id = 77};
	token_make(&key, kind, &value, text);
	return text;
}

static void our_identifiers_lead_home(void **state)
{
	char text[64];
	(void)state;
	for (uint8_t worker = 0; worker < 4; worker++) {
		struct parts tag = {.to_tag = token(TOKEN_TAG, worker, 9)};
		assert_int_equal(shard_of_request(&tag, SHARD_PHONE), worker);
		snprintf(text, sizeof(text), "sip:%s@192.0.2.9:5060",
			 token(TOKEN_CONTACT, worker, 9));
		struct parts contact = {.uri = text};
		assert_int_equal(shard_of_request(&contact, SHARD_PEER_TRUSTED), worker);
	}
}

/* It left by one worker with that worker's Call-ID, and goes to a phone of another. */
static void a_call_that_comes_back_goes_to_its_phone(void **state)
{
	char text[64];
	(void)state;
	for (uint8_t worker = 0; worker < 4; worker++) {
		snprintf(text, sizeof(text), "sip:%s@192.0.2.9", token(TOKEN_CONTACT, worker, 9));
		struct parts spiral = {
			.uri = text,
			.call_id = token(TOKEN_CALL_ID, (uint8_t)((worker + 1) % 4), 9)};
		assert_int_equal(shard_of_request(&spiral, SHARD_PEER_TRUSTED), worker);
	}
}

/* Whose calls are taken over here, by the worker of the same number. */
static void another_nodes_identifiers_lead_to_one_worker_too(void **state)
{
	(void)state;
	for (uint8_t worker = 0; worker < 8; worker++) {
		struct parts tag = {.to_tag = token(TOKEN_TAG, worker, 8)};
		assert_int_equal(shard_of_request(&tag, SHARD_PHONE), worker % 4);
	}
}

static void response_goes_where_the_branch_says(void **state)
{
	struct scan_limits limits = {.message_max = 16384};
	struct scan *scan = malloc(sizeof(*scan));
	char text[512];
	(void)state;
	for (uint8_t worker = 0; worker < 4; worker++) {
		int len =
			snprintf(text, sizeof(text),
				 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK%s\r\n"
				 "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\n"
				 "CSeq: 1 BYE\r\n\r\n",
				 token(TOKEN_BRANCH, worker, 9));
		assert_int_equal(scan_message(text, (size_t)len, &limits, scan), SCAN_ACCEPT);
		assert_int_equal(shard_of(&shard, scan, SHARD_PHONE), worker);
	}
	free(scan);
}

/* A phone registers, calls, is called, cancels, in every spelling of its name: one worker. */
static void a_phone_lives_on_one_worker(void **state)
{
	char aor[64], spelled[64], call[16];
	size_t used[4] = {0};
	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(aor, sizeof(aor), "sip:alice%d@example.com", i);
		snprintf(spelled, sizeof(spelled), "sip:%%61lice%d@EXAMPLE.com:5060", i);
		snprintf(call, sizeof(call), "call%d", i);
		struct parts registers = {.method = "REGISTER",
					  .uri = "sip:example.com",
					  .from = "sip:other@example.com",
					  .to = aor,
					  .call_id = "registration"};
		struct parts calls = {.from = spelled, .call_id = call};
		struct parts cancels = {.method = "CANCEL", .from = spelled, .call_id = call};
		struct parts acks = {
			.method = "ACK", .from = spelled, .call_id = call, .to_tag = "theirs"};
		struct parts called = {.uri = aor, .from = "sip:pbx@10.0.0.20", .call_id = call};
		uint8_t home = shard_of_request(&registers, SHARD_PHONE);
		assert_int_equal(shard_of_request(&calls, SHARD_PHONE), home);
		assert_int_equal(shard_of_request(&cancels, SHARD_PHONE), home);
		assert_int_equal(shard_of_request(&acks, SHARD_PHONE), home);
		assert_int_equal(shard_of_request(&called, SHARD_PEER_TRUSTED), home);
		assert_int_equal(shard_of_aor(&shard, slice_from(aor)), home);
		used[home]++;
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(used[i], 25, 80);
}

/* Registered with our address as the domain, called by the address of the other side. */
static void a_host_says_nothing_about_the_worker(void **state)
{
	char uris[5][64];
	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(uris[0], sizeof(uris[0]), "sip:bob%d@203.0.113.10", i);
		snprintf(uris[1], sizeof(uris[1]), "sip:bob%d@10.0.0.1:5070;transport=tcp", i);
		snprintf(uris[2], sizeof(uris[2]), "sip:bob%d@example.com", i);
		snprintf(uris[3], sizeof(uris[3]), "sips:bob%d@[2001:db8::1]", i);
		snprintf(uris[4], sizeof(uris[4]), "sip:%%62ob%d:secret@203.0.113.10", i);
		for (size_t k = 1; k < 5; k++)
			assert_int_equal(shard_of_aor(&shard, slice_from(uris[k])),
					 shard_of_aor(&shard, slice_from(uris[0])));
	}
}

static void a_carrier_is_spread_by_call(void **state)
{
	size_t used[4] = {0};
	char call[16];
	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(call, sizeof(call), "call%d", i);
		struct parts p = {.call_id = call};
		uint8_t home = shard_of_request(&p, SHARD_PEER_UNTRUSTED);
		p.method = "BYE";
		assert_int_equal(shard_of_request(&p, SHARD_PEER_UNTRUSTED), home);
		used[home]++;
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(used[i], 25, 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_identifiers_lead_home),
		cmocka_unit_test(a_call_that_comes_back_goes_to_its_phone),
		cmocka_unit_test(another_nodes_identifiers_lead_to_one_worker_too),
		cmocka_unit_test(response_goes_where_the_branch_says),
		cmocka_unit_test(a_phone_lives_on_one_worker),
		cmocka_unit_test(a_host_says_nothing_about_the_worker),
		cmocka_unit_test(a_carrier_is_spread_by_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
