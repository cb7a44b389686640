/* URIs, addresses and the canonical identity. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sbc/message/uri.h"

#define assert_slice(got, text)                                                                    \
	do {                                                                                       \
		struct slice s_ = (got);                                                           \
		assert_int_equal(s_.len, strlen(text));                                            \
		assert_memory_equal(s_.data, text, s_.len);                                        \
	} while (0)

static void uri_is_taken_apart(void **state)
{
	struct uri uri;
	struct slice value;
	(void)state;
	assert_int_equal(
		uri_parse(SLICE("sip:a;b:pw@[2001:db8::1]:5070;transport=TCP;lr?Subject=x"), &uri),
		0);
	assert_int_equal(uri.scheme, URI_SIP);
	assert_slice(uri.user, "a;b");
	assert_slice(uri.password, "pw");
	assert_slice(uri.host, "2001:db8::1");
	assert_int_equal(uri.port, 5070);
	assert_true(uri_parameter(&uri, SLICE("Transport"), &value));
	assert_slice(value, "TCP");
	assert_true(uri_parameter(&uri, SLICE("lr"), &value));
	assert_int_equal(value.len, 0);
	assert_false(uri_parameter(&uri, SLICE("maddr"), &value));
	assert_slice(uri.headers, "Subject=x");
	assert_int_equal(uri_parse(SLICE("tel:+1-201-555-0123;ext=4"), &uri), 0);
	assert_slice(uri.user, "+1-201-555-0123");
}

static void bad_uris_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"sip:",
		"sip:@host",
		"sip:a@",
		"sip:a@b@c",
		"sip:a b@c",
		"sip:a%4@c",
		"sip:a%zz@c",
		"sip:a@2001:db8::10",
		"sip:a@[2001:db8::10",
		"sip:a@[192.0.2.1]",
		"sip:a@b:0",
		"sip:a@b:65536",
		"sip:a@b:5060x",
		"sip:a@b:",
		"sip:a@256.1.1.1",
		"sip:a@b..c",
		"sip:a@.b",
		"sip:a@b;",
		"sip:a@b;=x",
		"sip:a@b?",
		"sip:a\"b@c",
		"sip:a<b@c",
		"sip:a\x01@c",
		"sip:a\xff@c",
		"<sip:a@b>",
		"nothing",
		"tel:",
		"tel:+",
		"tel:12x",
		"1sip:a@b",
	};
	struct uri uri;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (uri_parse(slice_from(bad[i]), &uri) != -ERR_MALFORMED)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(uri_parse((struct slice){"sip:a\0b@c", 9}, &uri), -ERR_MALFORMED);
}

static void host_becomes_an_address(void **state)
{
	struct uri uri;
	struct addr addr;
	char text[ADDR_TEXT_SIZE];
	(void)state;
	assert_int_equal(uri_parse(SLICE("sip:a@[2001:db8:::192.0.2.1]"), &uri),
			 0); /* RFC 5118 4.10 */
	assert_int_equal(uri_host_addr(&uri, 5060, &addr), 0);
	assert_string_equal(addr_text(&addr, text), "[2001:db8::c000:201]:5060");
	assert_int_equal(uri_parse(SLICE("sip:a@[::ffff:192.0.2.2]:7"), &uri), 0);
	assert_int_equal(uri_host_addr(&uri, 5060, &addr), 0);
	assert_string_equal(addr_text(&addr, text), "192.0.2.2:7");
	assert_int_equal(uri_parse(SLICE("sip:a@example.com"), &uri), 0);
	assert_int_equal(uri_host_addr(&uri, 5060, &addr), -ERR_NOT_FOUND);
}

static void canonical(const char *text, char *out, size_t size)
{
	struct buf buf;
	buf_init(&buf);
	int err = uri_canonical_text(slice_from(text), &buf);
	snprintf(out, size, "%s", err ? "refused" : buf.data);
	buf_free(&buf);
}

static void identity_has_one_spelling(void **state)
{
	static const char *const same[][2] = {
		{"sip:alice@example.com", "sip:alice@example.com"},
		{"SIP:alice@EXAMPLE.com:5060", "sip:alice@example.com"},
		{"sip:%61lic%65@example.com.;transport=tcp?X=y", "sip:alice@example.com"},
		{"sip:alice:secret@example.com", "sip:alice@example.com"},
		{"sips:alice@example.com:5061", "sips:alice@example.com"},
		{"sip:alice@example.com:5061", "sip:alice@example.com:5061"},
		{"sip:Alice@example.com", "sip:Alice@example.com"},
		{"sip:a%40b@example.com", "sip:a%40b@example.com"},
		{"sip:a%2f@example.com", "sip:a%2F@example.com"},
		{"sip:a/@example.com", "sip:a/@example.com"},
		{"sip:#31#@example.com", "sip:%2331%23@example.com"},
		{"sip:a%00b@example.com", "sip:a%00b@example.com"},
		{"sip:a%0d%0aX@example.com", "sip:a%0D%0AX@example.com"},
		{"sip:a@[2001:DB8:0:0::1]", "sip:a@[2001:db8::1]"},
		{"sip:a@[::ffff:192.0.2.1]", "sip:a@192.0.2.1"},
		{"sip:example.com", "sip:example.com"},
		{"tel:+1-201-(555).0123", "tel:+12015550123"},
		{"tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"},
		{"http://example.com", "refused"},
	};
	char got[256];
	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		canonical(same[i][0], got, sizeof(got));
		assert_string_equal(got, same[i][1]);
	}
}

/* Property: two spellings give one text exactly when they name one user at one host. The model of a
 * user is a list of (octet, was it escaped) after decoding, as RFC 3261 19.1.4 compares it. */
static uint32_t dice(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % sides;
}

struct spelling {
	char text[128];  /* as sent */
	char model[256]; /* what it means */
};

static void spell(uint64_t *seed, struct spelling *out)
{
	static const char plain[] = "ab-_.!~*'()AB01"; /* never needs an escape */
	static const char reserved[] = ";?:@&=+$,/";   /* differs from its escape */
	static const char bare[] = ";?&=+$,/";         /* reserved, and allowed bare in a user */
	static const char never[] = {'%', ' ', '"', '\0', '\r', '\n', (char)0xc3};
	size_t t = (size_t)snprintf(out->text, sizeof(out->text), "sip:"), m = 0;
	uint32_t len = 1 + dice(seed, 3);

	for (uint32_t i = 0; i < len; i++) {
		uint32_t kind = dice(seed, 4);
		unsigned char c;
		bool escaped = true;
		if (kind == 0) {
			c = (unsigned char)plain[dice(seed, sizeof(plain) - 1)];
			escaped = dice(seed, 2);
		} else if (kind == 1) {
			c = (unsigned char)reserved[dice(seed, sizeof(reserved) - 1)];
		} else if (kind == 2) {
			c = (unsigned char)bare[dice(seed, sizeof(bare) - 1)];
			escaped = false;
		} else {
			c = (unsigned char)never[dice(seed, sizeof(never))];
		}
		if (escaped)
			t += (size_t)snprintf(out->text + t, sizeof(out->text) - t,
					      dice(seed, 2) ? "%%%02x" : "%%%02X", c);
		else
			out->text[t++] = (char)c;
		m += (size_t)snprintf(out->model + m, sizeof(out->model) - m, "%02x%s ", c,
				      kind == 1 ? "e" : "");
	}
	bool upper = dice(seed, 2), port = dice(seed, 2), other = dice(seed, 8) == 0;
	snprintf(out->text + t, sizeof(out->text) - t, "@%s%s", upper ? "H.Org" : "h.org",
		 other  ? ":5061"
		 : port ? ":5060"
			: "");
	snprintf(out->model + m, sizeof(out->model) - m, "%d", other);
}

static void two_identities_never_become_one(void **state)
{
	enum { COUNT = 1500 };
	struct spelling *all = calloc(COUNT, sizeof(*all));
	char(*texts)[256] = calloc(COUNT, sizeof(*texts));
	uint64_t seed = 42;
	size_t equal = 0;
	(void)state;
	assert_non_null(all);
	assert_non_null(texts);
	for (size_t i = 0; i < COUNT; i++) {
		spell(&seed, &all[i]);
		canonical(all[i].text, texts[i], sizeof(texts[i]));
		assert_string_not_equal(texts[i], "refused");
	}
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t j = i + 1; j < COUNT; j++) {
			bool one = strcmp(all[i].model, all[j].model) == 0;
			if (one != (strcmp(texts[i], texts[j]) == 0))
				fail_msg("%s and %s: %s and %s", all[i].text, all[j].text, texts[i],
					 texts[j]);
			equal += one;
		}
	}
	assert_true(equal > 1000);
	free(all);
	free(texts);
}

static void addresses_are_taken_apart(void **state)
{
	struct name_addr a;
	struct slice value;
	(void)state;
	assert_int_equal(name_addr_parse(SLICE("\"A \\\" B\" <sip:a@b;x=1>;tag=7;q=\"z;\""), &a),
			 0);
	assert_slice(a.display, "\"A \\\" B\"");
	assert_slice(a.uri, "sip:a@b;x=1");
	assert_true(parameter_find(a.parameters, SLICE("TAG"), &value));
	assert_slice(value, "7");
	assert_true(parameter_find(a.parameters, SLICE("q"), &value));
	assert_slice(unquoted(value), "z;");
	assert_int_equal(name_addr_parse(SLICE("sip:a@b;tag=7"), &a), 0);
	assert_slice(a.uri, "sip:a@b");
	assert_true(parameter_find(a.parameters, SLICE("tag"), &value));
	assert_int_equal(name_addr_parse(SLICE("Gr\xc3\xbc\xc3\x9f Gott<sip:a@b>"), &a), 0);
	assert_slice(a.display, "Gr\xc3\xbc\xc3\x9f Gott");
	static const char *const bad[] = {"",
					  "<>",
					  "<sip:a@b",
					  "\"open <sip:a@b>",
					  "Bell, Alexander <sip:a@b>",
					  "sip:a@b?Route=x",
					  "<sip:a@b>;",
					  "<sip:a@b>;;x",
					  "<sip:a@b>x",
					  "<sip:a@b>;x=\"open"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (name_addr_parse(slice_from(bad[i]), &a) != -ERR_MALFORMED)
			fail_msg("taken: %s", bad[i]);
	}
}

static void lists_are_cut_at_commas(void **state)
{
	struct slice list = SLICE(" \"a,b\" <sip:x,y@z> , <sip:q>;p=\"1,2\",last"), member;
	(void)state;
	assert_true(list_next(&list, &member));
	assert_slice(member, "\"a,b\" <sip:x,y@z>");
	assert_true(list_next(&list, &member));
	assert_slice(member, "<sip:q>;p=\"1,2\"");
	assert_true(list_next(&list, &member));
	assert_slice(member, "last");
	assert_false(list_next(&list, &member));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uri_is_taken_apart),
		cmocka_unit_test(bad_uris_are_refused),
		cmocka_unit_test(host_becomes_an_address),
		cmocka_unit_test(identity_has_one_spelling),
		cmocka_unit_test(two_identities_never_become_one),
		cmocka_unit_test(addresses_are_taken_apart),
		cmocka_unit_test(lists_are_cut_at_commas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
