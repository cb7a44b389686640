/* Properties of canonical identities (uri.h) over random ones: one form for every spelling, never
 * one form for two identities. The seed is printed; POSTERN_SEED repeats it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { ROUNDS = 20000, USER_MAX = 6, ESCAPED = 0x100 };
/* What a user part may hold as it is; RFC 3261 19.1.4: a reserved one and its escape differ. */
#define UNRESERVED "aA1-_.!~*'()"
#define RESERVED   "&=+$,;?/"

/* What an identity is, before anybody spells it. */
struct identity {
	bool secure;
	uint16_t user[USER_MAX]; /* bytes, with ESCAPED or not; none = no user */
	size_t user_len;
	const char *host;
	uint16_t port; /* the scheme's default when none is written */
};

static uint64_t chance_state;

/* splitmix64 */
static uint64_t chance(uint64_t below)
{
	uint64_t z = (chance_state += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static int seed(void **state)
{
	const char *given = getenv("POSTERN_SEED");
	(void)state;
	chance_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("# POSTERN_SEED=%llu\n", (unsigned long long)chance_state);
	return 0;
}

static struct identity make_identity(void)
{
	/* Few of each, so that two are often nearly the same. */
	static const char *const hosts[] = {"a.example.com", "example.com", "192.0.2.1",
					    "[2001:db8::1]", "[2001:db8::1:0:1]"};
	static const uint16_t ports[] = {5060, 5061, 5070};
	static const char bytes[] = UNRESERVED RESERVED " %@:\"<>#[]\\^`{|}\x7f\x80\xff\r\n\t";
	struct identity made = {.secure = chance(4) == 0,
				.user_len = chance(USER_MAX + 1),
				.host = hosts[chance(5)],
				.port = ports[chance(3)]};

	for (size_t i = 0; i < made.user_len; i++) {
		uint8_t byte = (uint8_t)bytes[chance(sizeof(bytes))]; /* its NUL too */
		made.user[i] = byte;
		if (byte && strchr(RESERVED, byte) && chance(2))
			made.user[i] |= ESCAPED;
	}
	return made;
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->secure == b->secure && a->user_len == b->user_len &&
	       memcmp(a->user, b->user, a->user_len * sizeof(a->user[0])) == 0 &&
	       strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static void spell_any_case(const char *text, struct buf *out)
{
	for (; *text; text++)
		buf_add_char(out, *text >= 'a' && *text <= 'z' && chance(2) ? (char)(*text - 32)
									    : *text);
}

/* One of the many ways of RFC 3261 25.1 to write it. */
static void spell(const struct identity *identity, struct buf *out)
{
	static const char *const parameters[] = {"", ";transport=tcp", ";user=phone;x", ";lr"};
	uint16_t port = identity->secure ? 5061 : 5060;

	buf_clear(out);
	spell_any_case(identity->secure ? "sips:" : "sip:", out);
	for (size_t i = 0; i < identity->user_len; i++) {
		uint8_t byte = (uint8_t)(identity->user[i] & 0xff);
		bool is_reserved = byte && strchr(RESERVED, byte);
		bool is_free = byte && strchr(UNRESERVED, byte) && chance(3);
		if (is_free || (is_reserved && !(identity->user[i] & ESCAPED)))
			buf_add_char(out, (char)byte);
		else
			buf_printf(out, chance(2) ? "%%%02x" : "%%%02X", byte);
	}
	if (identity->user_len > 0)
		buf_add_text(out, chance(8) ? "@" : ":secret@");
	spell_any_case(identity->host, out);
	if (strstr(identity->host, ".com") && chance(4) == 0)
		buf_add_char(out, '.');
	if (identity->port != port || chance(2))
		buf_printf(out, ":%u", identity->port);
	buf_add_text(out, parameters[chance(4)]);
	if (chance(4) == 0)
		buf_add_text(out, "?Subject=x");
}

static const char *canonical(const struct buf *text, struct buf *out)
{
	buf_clear(out);
	if (uri_canonical_text(buf_slice(text), out) != 0)
		fail_msg("refused: %s", text->data);
	buf_add_char(out, '\0');
	return out->data;
}

static void every_spelling_gives_one_text(void **state)
{
	struct buf a, b, first, second;
	(void)state;
	buf_init(&a);
	buf_init(&b);
	buf_init(&first);
	buf_init(&second);
	for (int i = 0; i < ROUNDS; i++) {
		struct identity identity = make_identity();
		spell(&identity, &a);
		spell(&identity, &b);
		if (strcmp(canonical(&a, &first), canonical(&b, &second)) != 0)
			fail_msg("%s is %s, but %s is %s", a.data, first.data, b.data, second.data);
		/* And that text is its own. */
		buf_clear(&a);
		buf_add_text(&a, first.data);
		assert_string_equal(canonical(&a, &second), first.data);
	}
	buf_free(&a);
	buf_free(&b);
	buf_free(&first);
	buf_free(&second);
}

static void two_identities_never_give_one_text(void **state)
{
	struct buf a, b, first, second;
	(void)state;
	buf_init(&a);
	buf_init(&b);
	buf_init(&first);
	buf_init(&second);
	for (int i = 0; i < ROUNDS; i++) {
		struct identity one = make_identity(), other = one;
		if (chance(4) == 0) {
			other = make_identity();
		} else if (one.user_len > 0) { /* a neighbour: one byte of the user is another */
			struct identity donor = make_identity();
			other.user[chance(one.user_len)] = donor.user[0];
		}
		spell(&one, &a);
		spell(&other, &b);
		bool equal = strcmp(canonical(&a, &first), canonical(&b, &second)) == 0;
		if (equal != same(&one, &other))
			fail_msg("%s and %s: %s", a.data, b.data, first.data);
	}
	buf_free(&a);
	buf_free(&b);
	buf_free(&first);
	buf_free(&second);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_gives_one_text),
		cmocka_unit_test(two_identities_never_give_one_text),
	};
	return cmocka_run_group_tests(tests, seed, NULL);
}
