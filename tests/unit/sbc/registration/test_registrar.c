/* REGISTER through us: contacts masked one way and mapped back the other, bindings kept as granted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"

static struct bench bench;
static char masked[160]; /* our contact, as the registrar got it */

static int open_bench(void **state)
{
	(void)state;
	bench_open(&bench);
	return 0;
}

static int close_bench(void **state)
{
	(void)state;
	bench_close(&bench);
	return 0;
}

static const char *send_register(uint32_t cseq, const char *contact, const char *more)
{
	bench_receive(&bench, PHONE,
		      "REGISTER sip:203.0.113.10 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKreg%u;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@203.0.113.10>;tag=r\r\n"
		      "To: <sip:alice@203.0.113.10>\r\nCall-ID: reg-a\r\nCSeq: %u REGISTER\r\n"
		      "Contact: %s\r\n%sContent-Length: 0\r\n\r\n",
		      cseq, cseq, contact, more);
	const char *request = bench_next(&bench, PBX, "REGISTER sip:10.0.0.20 SIP/2.0\r\n");
	const char *value = bench_header(request, "Contact");
	if (value[0] == '<')
		snprintf(masked, sizeof(masked), "%.*s", (int)strcspn(value + 1, ">"), value + 1);
	return request;
}

static void grant(const char *request, const char *contacts)
{
	bench_receive(&bench, PBX,
		      "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=p\r\nCall-ID: %s\r\n"
		      "CSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
		      bench_header(request, "Via"), bench_header(request, "From"),
		      bench_header(request, "To"), bench_header(request, "Call-ID"),
		      bench_header(request, "CSeq"), contacts);
}

static const char *granted(uint32_t cseq, uint32_t expires_s)
{
	char contacts[320];
	const char *request = send_register(cseq, "<sip:alice@192.168.7.10>", "Expires: 600\r\n");

	snprintf(contacts, sizeof(contacts),
		 "Contact: <%s>;expires=%u, <sip:desk@10.0.0.30>;expires=9\r\n", masked, expires_s);
	grant(request, contacts);
	return bench_next(&bench, PHONE, "SIP/2.0 200 ");
}

static void a_contact_is_masked_and_mapped_back(void **state)
{
	(void)state;
	const char *request = send_register(1, "<sip:alice@192.168.7.10>", "Expires: 600\r\n");
	assert_null(strstr(request, "192.168.7.10"));
	assert_null(strstr(request, "reg-a"));
	assert_non_null(strstr(request, "To: <sip:alice@10.0.0.20>\r\n"));
	assert_non_null(strstr(request, "@10.0.0.1:5060;transport=udp>;expires=3600\r\n"));
	char contacts[320];
	snprintf(contacts, sizeof(contacts),
		 "Contact: <%s>;expires=120\r\nContact: <sip:desk@10.0.0.30>;expires=9\r\n",
		 masked);
	grant(request, contacts);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench_header(ok, "Contact"), "<sip:alice@192.168.7.10>;expires=120");
	assert_null(strstr(ok, "10.0.0."));

	struct uri uri;
	assert_int_equal(uri_parse(slice_from(masked), &uri), 0);
	const struct binding *binding = registrar_contact(bench.registrar, uri.user);
	assert_non_null(binding);
	assert_true(slice_equal(binding->facts.contact, SLICE("sip:alice@192.168.7.10")));
	assert_true(addr_equal(&binding->path.remote, &bench.servers[PHONE].addr));
	/* by whatever address of ours it is called */
	assert_ptr_equal(registrar_lookup(bench.registrar, SLICE("sip:alice@10.0.0.1"), NULL),
			 binding);
	bench_advance(&bench, 119999);
	assert_non_null(registrar_contact(bench.registrar, uri.user));
	bench_advance(&bench, 1);
	assert_null(registrar_contact(bench.registrar, uri.user));
}

static void a_challenge_passes_and_keeps_nothing(void **state)
{
	(void)state;
	const char *request = send_register(1, "<sip:alice@192.168.7.10>", "Expires: 600\r\n");
	bench_reply(&bench, PBX, request, "401 No", "p", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 401 ");
	assert_int_equal(registrar_bindings(bench.registrar)->ids.count, 0);
	assert_int_equal(registrar_pending(bench.registrar), 0);
	char first[160];
	snprintf(first, sizeof(first), "%s", masked);
	send_register(2, "<sip:alice@192.168.7.10>", "Authorization: Digest username=\"a\"\r\n");
	assert_string_equal(first, masked); /* the same contact, the same mask */
	bench_advance(&bench, 40000);
	assert_int_equal(registrar_pending(bench.registrar), 0);
	bench.seen = bench.sent; /* retransmissions, and the 408 */
}

static void a_phone_that_leaves_is_forgotten(void **state)
{
	(void)state;
	granted(1, 600);
	assert_int_equal(registrar_bindings(bench.registrar)->ids.count, 1);
	grant(send_register(2, "<sip:alice@192.168.7.10>", "Expires: 0\r\n"), "");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_int_equal(registrar_bindings(bench.registrar)->ids.count, 0);
	granted(3, 600);
	grant(send_register(4, "*", "Expires: 0\r\n"), "");
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_int_equal(registrar_bindings(bench.registrar)->ids.count, 0);
}

static void only_the_registered_address_calls(void **state)
{
	struct transport_path path = {.interface = PHONE, .remote = bench.servers[PHONE].addr};
	(void)state;

	granted(1, 600);
	path.remote.port = 1234; /* the NAT gave it another one */
	assert_non_null(registrar_caller(bench.registrar, SLICE("sip:alice@203.0.113.10"), &path));
	assert_null(registrar_caller(bench.registrar, SLICE("sip:bob@203.0.113.10"), &path));
	assert_int_equal(addr_parse(SLICE("198.51.100.66"), 5060, &path.remote), 0);
	assert_null(registrar_caller(bench.registrar, SLICE("sip:alice@203.0.113.10"), &path));
	bench_advance(&bench, 600000);
}

/* RFC 5626 6: the flow is what its instance and reg-id say, whatever its URI. */
static void a_flow_is_known_by_its_instance(void **state)
{
	const char *more = "Supported: path, outbound\r\nPath: <sip:edge.example;lr;ob>\r\n";
	char contacts[320], first[160];
	(void)state;

	const char *request = send_register(
		1, "<sip:alice@192.168.7.10>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"", more);
	snprintf(first, sizeof(first), "%s", masked);
	assert_null(strstr(request, "edge.example"));
	snprintf(contacts, sizeof(contacts),
		 "Contact: <%s>;expires=900\r\nService-Route: <sip:10.0.0.20;lr>\r\n", masked);
	grant(request, contacts);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_non_null(strstr(ok, "Require: outbound\r\n"));
	assert_non_null(strstr(ok, ";+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n"));
	assert_string_equal(bench_header(ok, "Path"), "<sip:edge.example;lr;ob>");
	assert_non_null(strstr(ok, "Service-Route: <sip:203.0.113.10;lr>\r\n"));
	assert_null(strstr(ok, "10.0.0."));

	/* its calls to that registrar take this way, in the order given */
	bench_receive(&bench, PHONE,
		      "INVITE sip:100@203.0.113.10 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKcall;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@203.0.113.10>;tag=r\r\n"
		      "To: <sip:100@203.0.113.10>\r\nCall-ID: call\r\nCSeq: 1 INVITE\r\n"
		      "Contact: <sip:alice@192.168.7.10>\r\nContent-Length: 0\r\n\r\n");
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	assert_string_equal(bench_header(invite, "Route"), "<sip:10.0.0.20;lr>");
	bench_reply(&bench, PBX, invite, "486 Busy Here", "p", NULL);
	bench_next(&bench, PHONE, "SIP/2.0 100 ");
	bench_next(&bench, PBX, "ACK ");
	bench_next(&bench, PHONE, "SIP/2.0 486 ");
	bench_receive(&bench, PHONE,
		      "ACK sip:100@203.0.113.10 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKcall;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@203.0.113.10>;tag=r\r\n"
		      "To: <sip:100@203.0.113.10>\r\nCall-ID: call\r\nCSeq: 1 ACK\r\n"
		      "Content-Length: 0\r\n\r\n");

	request = send_register(
		2, "<sip:alice@192.168.7.10:5070>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"", more);
	assert_string_equal(first, masked);
	snprintf(contacts, sizeof(contacts), "Contact: <%s>;expires=900\r\n", masked);
	grant(request, contacts);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_int_equal(registrar_bindings(bench.registrar)->ids.count, 1);
	const struct binding *binding =
		registrar_lookup(bench.registrar, SLICE("sip:alice@203.0.113.10"), NULL);
	assert_true(slice_equal(binding->facts.contact, SLICE("sip:alice@192.168.7.10:5070")));
	assert_true(slice_equal(binding->facts.path_set, SLICE("<sip:edge.example;lr;ob>")));
}

/* RFC 6140: a number in our bulk contact is a number in the phone's. */
static void a_bulk_contact_takes_numbers(void **state)
{
	char contacts[320], called[200];
	struct uri uri;
	struct buf target;
	(void)state;

	const char *request = send_register(1, "<sip:192.168.7.10:5080;bnc>",
					    "Require: gin\r\nProxy-Require: gin\r\n");
	assert_non_null(strstr(request, "Require: gin\r\n"));
	assert_non_null(strstr(masked, ";bnc;bnc-id="));
	assert_null(strchr(masked, '@'));
	snprintf(contacts, sizeof(contacts), "Contact: <%s>;expires=900\r\n", masked);
	grant(request, contacts);
	bench_next(&bench, PHONE, "SIP/2.0 200 ");
	snprintf(called, sizeof(called), "sip:+33123@%s", masked + 4);
	assert_int_equal(uri_parse(slice_from(called), &uri), 0);
	const struct binding *binding = registrar_contact_uri(bench.registrar, &uri);
	assert_non_null(binding);
	buf_init(&target);
	registrar_target(binding, slice_from(called), &target);
	assert_string_equal(target.data, "sip:+33123@192.168.7.10:5080");
	buf_free(&target);
}

static void what_we_do_not_know_is_refused(void **state)
{
	(void)state;
	bench_receive(&bench, PHONE,
		      "REGISTER sip:203.0.113.10 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKq;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:a@203.0.113.10>;tag=r\r\n"
		      "To: <sip:a@203.0.113.10>\r\nCall-ID: q\r\nCSeq: 1 REGISTER\r\n"
		      "Contact: <sip:a@1.2.3.4>\r\nRequire: teleport\r\nContent-Length: 0\r\n\r\n");
	const struct registrar_counters *counters = registrar_counters(bench.registrar);
	assert_int_equal(counter_get(&counters->refused_here), 1);
	/* somebody between us and the phone that keeps no flow */
	bench_receive(
		&bench, PHONE,
		"REGISTER sip:203.0.113.10 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKr;rport, SIP/2.0/UDP 192.168.7.11\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:a@203.0.113.10>;tag=r\r\n"
		"To: <sip:a@203.0.113.10>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n"
		"Supported: outbound\r\n"
		"Contact: <sip:a@1.2.3.4>;reg-id=1;+sip.instance=\"<urn:x>\"\r\n"
		"Content-Length: 0\r\n\r\n");
	assert_int_equal(counter_get(&counters->refused_here), 2);
	assert_int_equal(registrar_pending(bench.registrar), 0);
}

static void a_refresh_is_absorbed_and_a_forgery_is_not(void **state)
{
	char contacts[320];
	(void)state;

	bench.phones.expires_device_ms = 60000;
	const char *request = send_register(1, "<sip:alice@192.168.7.10>", "Expires: 600\r\n");
	snprintf(contacts, sizeof(contacts), "Contact: <%s>;expires=3600\r\n", masked);
	grant(request, contacts);
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench_header(ok, "Contact"), "<sip:alice@192.168.7.10>;expires=60");
	bench_advance(&bench, 50000);
	bench_receive(&bench, PHONE,
		      "REGISTER sip:203.0.113.10 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKabs;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@203.0.113.10>;tag=r\r\n"
		      "To: <sip:alice@203.0.113.10>\r\nCall-ID: reg-a\r\nCSeq: 2 REGISTER\r\n"
		      "Contact: <sip:alice@192.168.7.10>\r\nContent-Length: 0\r\n\r\n");
	ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	assert_string_equal(bench_header(ok, "Contact"), "<sip:alice@192.168.7.10>;expires=60");
	bench_nothing(&bench);
	send_register(2, "<sip:alice@192.168.7.10>", "Expires: 600\r\n"); /* no later CSeq */
	send_register(3, "<sip:alice@192.168.7.99>", "Expires: 600\r\n"); /* elsewhere */
	bench_advance(&bench, 40000);
	bench.seen = bench.sent;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_contact_is_masked_and_mapped_back),
		TEST(a_challenge_passes_and_keeps_nothing),
		TEST(a_phone_that_leaves_is_forgotten),
		TEST(only_the_registered_address_calls),
		TEST(a_flow_is_known_by_its_instance),
		TEST(a_bulk_contact_takes_numbers),
		TEST(what_we_do_not_know_is_refused),
		TEST(a_refresh_is_absorbed_and_a_forgery_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
