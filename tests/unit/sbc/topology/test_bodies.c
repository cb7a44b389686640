/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/bodies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sbc/topology/multipart.h"
#include "sbc/topology/xml.h"

static struct config config;
static struct config_interface interfaces[2];
static struct addr lan, wan;

static bool map_dialog(void *owner, const struct dialog_name *name, struct buf *texts,
		       struct dialog_name *out)
{
	(void)owner;
	(void)texts;
	if (!slice_equal(name->call_id, SLICE("known")))
		return false;
	*out = (struct dialog_name){SLICE("other"), SLICE("l2"), SLICE("r2")};
	return true;
}

static bool map_contact(void *owner, struct slice uri, struct buf *out)
{
	(void)owner;
	if (!slice_starts(uri, SLICE("sip:masked@")))
		return false;
	buf_add_text(out, "sip:phone@192.168.0.18:5062");
	return true;
}

static struct body_rules outwards(void)
{
	assert_int_equal(addr_parse_ip(SLICE("10.0.0.1"), &lan), 0);
	assert_int_equal(addr_parse_ip(SLICE("203.0.113.10"), &wan), 0);
	interfaces[0] = (struct config_interface){
		.name = "lan", .trusted = true, .addresses = &lan, .address_count = 1};
	interfaces[1] =
		(struct config_interface){.name = "wan", .addresses = &wan, .address_count = 1};
	config = (struct config){.interfaces = interfaces, .interface_count = 2};
	return (struct body_rules){
		.crossing = {.from_trusted = true, .way = {.config = &config, .interface = 1}},
		.names = {.dialog = map_dialog, .contact = map_contact},
	};
}

static void expect(const char *type, const char *body, const char *expected)
{
	struct body_rules rules = outwards();
	struct buf out;

	buf_init(&out);
	assert_int_equal(
		bodies_rewrite(&rules, slice_from(type), SLICE_NONE, slice_from(body), &out), 0);
	assert_string_equal(out.data ? out.data : "", expected);
	buf_free(&out);
}

static void expect_refused(const char *type, const char *body)
{
	struct body_rules rules = outwards();
	struct buf out;

	buf_init(&out);
	assert_true(bodies_rewrite(&rules, slice_from(type), SLICE_NONE, slice_from(body), &out) <
		    0);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

#define DIALOG_INFO                                                                                \
	"<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" "      \
	"version='3' state=\"full\" entity=\"%s\">\n  <dialog id=\"as7d900as8\" call-id=\"%s\" "   \
	"local-tag='%s' remote-tag=\"%s\" direction=\"initiator\">\n   <state>confirmed</state>\n" \
	"   <local><identity display=\"A &amp; B\">%s</identity>\n<target uri=\"%s\"/></local>\n"  \
	"  </dialog>\n</dialog-info>\n"

static void dialog_info_names_our_side_alone(void **state)
{
	char body[2048], expected[2048];
	(void)state;

	snprintf(body, sizeof(body), DIALOG_INFO, "sip:desk@10.0.0.20", "known", "l1", "r1",
		 "sip:desk@example.com", "sip:desk@10.0.0.30:5060;transport=udp");
	snprintf(expected, sizeof(expected), DIALOG_INFO, "sip:desk@203.0.113.10", "other", "l2",
		 "r2", "sip:desk@example.com", "sip:desk@203.0.113.10");
	expect("application/dialog-info+xml", body, expected);
	snprintf(body, sizeof(body), DIALOG_INFO, "sip:desk@example.com", "unknown", "l1", "r1",
		 "sip:desk@example.com", "sip:masked@10.0.0.1");
	snprintf(expected, sizeof(expected), DIALOG_INFO, "sip:desk@example.com", "unknown", "l1",
		 "r1", "sip:desk@example.com", "sip:phone@192.168.0.18:5062");
	expect("application/dialog-info+xml;charset=utf-8", body, expected);
}

static void presence_and_registrations_lose_their_addresses(void **state)
{
	(void)state;
	expect("application/pidf+xml",
	       "<p:presence xmlns:p=\"urn:x\" entity=\"pres:desk@10.0.0.20\"><p:tuple id=\"t\">"
	       "<p:contact priority=\"0.8\"> sip:desk@10.0.0.30 </p:contact><!-- at 10.0.0.9 -->"
	       "<p:note>at 10.0.0.9, he says</p:note></p:tuple></p:presence>",
	       "<p:presence xmlns:p=\"urn:x\" entity=\"pres:desk@203.0.113.10\"><p:tuple id=\"t\">"
	       "<p:contact priority=\"0.8\">sip:desk@203.0.113.10</p:contact>"
	       "<p:note>at 10.0.0.9, he says</p:note></p:tuple></p:presence>");
	expect("Application/RegInfo+XML",
	       "<reginfo><registration aor=\"sip:a@example.com\"><contact id=\"1\" "
	       "received=\"sip:10.0.0.30:5060\"><uri>sip:a&amp;b@10.0.0.30</uri>"
	       "<unknown-param name=\"x\">10.0.0.30</unknown-param></contact></registration>"
	       "</reginfo>",
	       "<reginfo><registration aor=\"sip:a@example.com\"><contact id=\"1\" "
	       "received=\"sip:203.0.113.10\"><uri>sip:a&amp;b@203.0.113.10</uri>"
	       "<unknown-param name=\"x\">203.0.113.10</unknown-param></contact></registration>"
	       "</reginfo>");
}

static void hostile_xml_is_refused(void **state)
{
	char deep[2048] = "";
	(void)state;

	expect_refused("application/pidf+xml", "<a><b></a>");
	expect_refused("application/pidf+xml", "no xml");
	expect_refused("application/pidf+xml",
		       "<!DOCTYPE a [<!ENTITY x \"10.0.0.1\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>");
	expect_refused("application/pidf+xml", "<a>&undefined;</a>");
	expect_refused("application/pidf+xml", "<a>sip:a@10.0<!-- -->.0.20</a>");
	for (int i = 0; i < XML_DEPTH_MAX + 1; i++)
		strcat(deep, "<a>");
	for (int i = 0; i < XML_DEPTH_MAX + 1; i++)
		strcat(deep, "</a>");
	expect_refused("application/pidf+xml", deep);
	expect("application/pidf+xml", "<a x='sip:a@h?b=&lt;c&gt;'><![CDATA[sip:a@10.0.0.20]]></a>",
	       "<a x='sip:a@h?b=&lt;c&gt;'>sip:a@203.0.113.10</a>");
}

static void a_fragment_keeps_what_would_cross(void **state)
{
	(void)state;
	expect("message/sipfrag;version=2.0", "SIP/2.0 503 pbx.corp.lan is down\r\n",
	       "SIP/2.0 503 Service Unavailable\r\n");
	expect("message/sipfrag",
	       "INVITE sip:a@10.0.0.20 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.20\r\n"
	       "Contact: <sip:a@10.0.0.20>\r\nSubject: hello\r\n there\r\nServer: x\r\n y\r\n",
	       "INVITE sip:a@203.0.113.10 SIP/2.0\r\nSubject: hello\r\n there\r\n");
}

static void a_summary_names_the_account_by_our_side(void **state)
{
	(void)state;
	expect("application/simple-message-summary",
	       "Messages-Waiting: yes\r\nMessage-Account: sip:desk@10.0.0.20\r\n"
	       "Voice-Message: 2/8 (0/2)\r\n",
	       "Messages-Waiting: yes\r\nMessage-Account: sip:desk@203.0.113.10\r\n"
	       "Voice-Message: 2/8 (0/2)\r\n");
}

static void unknown_bodies_are_untouched(void **state)
{
	struct body_rules rules = outwards();
	struct buf out;
	static const char binary[] = "\0\1 10.0.0.20 \r\n\n\r\xff";
	(void)state;

	buf_init(&out);
	assert_int_equal(bodies_rewrite(&rules, SLICE("application/isup;version=itu-t92+"),
					SLICE_NONE, (struct slice){binary, sizeof(binary)}, &out),
			 0);
	assert_int_equal(out.len, sizeof(binary));
	assert_memory_equal(out.data, binary, sizeof(binary));
	buf_clear(&out);
	assert_int_equal(bodies_rewrite(&rules, SLICE("application/pidf+xml"), SLICE("gzip"),
					(struct slice){binary, sizeof(binary)}, &out),
			 0);
	assert_int_equal(out.len, sizeof(binary));
	buf_free(&out);
}

#define PARTS                                                                                      \
	"preamble\r\n--b1\r\nContent-Type: application/sdp\r\n%s\r\n%s\r\n--b1\r\n"                \
	"c: application/isup;version=x\r\nContent-Disposition: signal;handling=optional\r\n\r\n"   \
	"\x01\x02--b1 \r\n--b1x\r\n\r\n--b1\r\nContent-Type: "                                     \
	"multipart/related;boundary=\"in\"\r\n"                                                    \
	"\r\n--in\r\n"                                                                             \
	"Content-Type: application/pidf+xml\r\n\r\n<a>%s</a>\r\n--in--\r\n--b1--\r\nepilogue"

static void each_part_goes_by_its_type(void **state)
{
	char body[2048], expected[2048];
	struct buf out;
	(void)state;

	snprintf(body, sizeof(body), PARTS, "", "v=0", "sip:a@10.0.0.20");
	snprintf(expected, sizeof(expected), PARTS, "", "v=0", "sip:a@203.0.113.10");
	expect("multipart/mixed; boundary=b1", body, expected);
	expect("multipart/mixed", body, body); /* no boundary: not to be read */

	snprintf(body, sizeof(body), PARTS, "Content-Length: 3\r\n", "v=0", "x");
	snprintf(expected, sizeof(expected), PARTS, "Content-Length: 11\r\n", "v=0\r\no=us\r\n",
		 "x");
	struct slice sdp =
		multipart_sdp(SLICE("Multipart/Mixed;boundary=\"b1\""), slice_from(body));
	assert_true(slice_equal(sdp, SLICE("v=0")));
	buf_init(&out);
	assert_int_equal(multipart_set_sdp(SLICE("multipart/mixed;boundary=b1"), slice_from(body),
					   SLICE("v=0\r\no=us\r\n"), &out),
			 0);
	assert_string_equal(out.data, expected);
	buf_clear(&out);
	assert_int_equal(multipart_set_sdp(SLICE("multipart/mixed;boundary=b1"),
					   SLICE("--b1\r\n\r\nx\r\n--b1--\r\n"), SLICE("v"), &out),
			 -ERR_NOT_FOUND);
	assert_true(slice_is_empty(multipart_sdp(SLICE("text/plain"), SLICE("v=0"))));
	assert_true(
		slice_equal(multipart_sdp(SLICE("application/SDP"), SLICE("v=0")), SLICE("v=0")));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialog_info_names_our_side_alone),
		cmocka_unit_test(presence_and_registrations_lose_their_addresses),
		cmocka_unit_test(hostile_xml_is_refused),
		cmocka_unit_test(a_fragment_keeps_what_would_cross),
		cmocka_unit_test(a_summary_names_the_account_by_our_side),
		cmocka_unit_test(unknown_bodies_are_untouched),
		cmocka_unit_test(each_part_goes_by_its_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
