/* Digest both ways: what the client writes the server accepts, once; nothing else is accepted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/client.h"
#include "sbc/auth/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sbc/auth/header.h"

#define NOW 7000000ull

struct bench {
	char folder[48], path[64];
	struct log log;
	struct subscribers *store;
	struct directory *directory;
	struct random_system random;
	struct auth_server server;
	struct arena *arena;
	struct scan scan;
	char text[4096];
	enum digest_algorithm algorithms[2];
	struct auth_question question;
};
static struct bench bench;

static void add(const char *user, const char *password)
{
	struct digest_hex ha1[DIGEST_ALGORITHMS];
	struct subscriber subscriber = {.domain = SLICE("falco.bz"), .user = slice_from(user)};
	for (int i = 0; i < DIGEST_ALGORITHMS; i++) {
		assert_int_equal(digest_ha1((enum digest_algorithm)i, slice_from(user),
					    subscriber.domain, slice_from(password), &ha1[i]),
				 0);
		subscriber.ha1[i] = slice_from(ha1[i].text);
	}
	assert_int_equal(subscribers_add(bench.store, &subscriber), 0);
}

static int setup(void **state)
{
	(void)state;
	bench = (struct bench){.log = {.level = LOG_ERROR, .fd = 2, .program = "test"},
			       .algorithms = {DIGEST_SHA_256, DIGEST_MD5}};
	bench.question = (struct auth_question){
		.realm = SLICE("falco.bz"), .algorithms = bench.algorithms, .algorithm_count = 2};
	strcpy(bench.folder, "/tmp/postern-auth-XXXXXX");
	assert_non_null(mkdtemp(bench.folder));
	snprintf(bench.path, sizeof(bench.path), "%s/s.db", bench.folder);
	struct subscribers_config config = {.path = bench.path};
	assert_int_equal(subscribers_open(&config, NULL, &bench.store), 0);
	add("alice", "secret");
	assert_int_equal(directory_create(bench.store, &bench.log, &bench.directory), 0);
	random_system_init(&bench.random);
	assert_int_equal(auth_server_init(&bench.server, bench.directory, &bench.random.base), 0);
	assert_int_equal(arena_create(65536, 1 << 20, &bench.arena), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	auth_server_free(&bench.server);
	directory_destroy(bench.directory);
	arena_destroy(bench.arena);
	unlink(bench.path);
	rmdir(bench.folder);
	return 0;
}

static __attribute__((format(printf, 1, 2))) const struct message *parse(const char *format, ...)
{
	va_list arguments;
	struct scan_limits limits = {.message_max = sizeof(bench.text)};
	struct message *message;

	va_start(arguments, format);
	int len = vsnprintf(bench.text, sizeof(bench.text), format, arguments);
	va_end(arguments);
	arena_reset(bench.arena);
	assert_int_equal(scan_message(bench.text, (size_t)len, &limits, &bench.scan), SCAN_ACCEPT);
	assert_int_equal(message_parse(&bench.scan, bench.arena, &message), 0);
	return message;
}

#define REST                                                                                       \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"                       \
	"From: <sip:alice@falco.bz>;tag=a\r\nTo: <sip:alice@falco.bz>\r\nCall-ID: c\r\n"           \
	"CSeq: 1 REGISTER\r\nContent-Length: 0\r\n"

static enum auth_verdict ask(const char *line, uint64_t now)
{
	struct slice user;
	return auth_server_check(&bench.server, &bench.question,
				 parse("REGISTER sip:falco.bz SIP/2.0\r\n" REST "%s\r\n", line),
				 now, &user);
}

/* A challenge of ours as the client gets it. */
static void challenge(struct auth_client *client, const struct auth_identity *identity,
		      uint64_t now)
{
	struct buf lines;
	buf_init(&lines);
	auth_server_challenge(&bench.server, &bench.question, false, now, &lines);
	assert_int_equal(auth_client_challenged(
				 client, identity,
				 parse("SIP/2.0 401 Unauthorized\r\n" REST "%s\r\n", lines.data),
				 false),
			 0);
	buf_free(&lines);
}

static char *answer(struct auth_client *client, const struct auth_identity *identity)
{
	static struct buf line;
	const struct auth_request request = {.method = SLICE("REGISTER"),
					     .uri = SLICE("sip:falco.bz")};
	buf_clear(&line);
	assert_int_equal(auth_client_write(client, identity, &request, &bench.random.base, &line),
			 0);
	return line.data;
}

static const struct auth_identity alice = {.user = {"alice", 5}, .password = {"secret", 6}};

static void what_we_write_we_accept_once(void **state)
{
	struct auth_client client = {0};
	char first[1024];
	(void)state;

	assert_int_equal(ask("", NOW), AUTH_ABSENT);
	challenge(&client, &alice, NOW);
	assert_non_null(strstr(client.challenge.data, "SHA-256"));
	snprintf(first, sizeof(first), "%s", answer(&client, &alice));
	assert_int_equal(ask(first, NOW), AUTH_ACCEPTED);
	assert_int_equal(ask(first, NOW), AUTH_STALE);                      /* replayed */
	assert_int_equal(ask(answer(&client, &alice), NOW), AUTH_ACCEPTED); /* nc=2 */
	assert_int_equal(ask(first, NOW), AUTH_STALE);
	assert_int_equal(ask(answer(&client, &alice), NOW + NONCE_AGE_MS), AUTH_STALE);
	auth_client_free(&client);
}

static void nothing_else_is_accepted(void **state)
{
	const struct auth_identity wrong = {.user = SLICE("alice"), .password = SLICE("Secret")};
	const struct auth_identity nobody = {.user = SLICE("nobody"), .password = SLICE("secret")};
	struct auth_client client = {0};
	(void)state;

	challenge(&client, &wrong, NOW);
	assert_int_equal(ask(answer(&client, &wrong), NOW), AUTH_REFUSED);
	assert_int_equal(ask(answer(&client, &nobody), NOW), AUTH_REFUSED);
	char *line = answer(&client, &alice);
	char *uri = strstr(line, "uri=\"sip:falco.bz");
	uri[12] = 'x';
	assert_int_equal(ask(line, NOW), AUTH_REFUSED); /* for another URI */
	line = answer(&client, &alice);
	char *nonce = strstr(line, "nonce=\"") + 7;
	*nonce = *nonce == '1' ? '2' : '1';
	assert_int_equal(ask(line, NOW), AUTH_REFUSED); /* not the digest of this nonce */
	assert_int_equal(ask("Authorization: Basic YTpi\r\n", NOW), AUTH_ABSENT);
	assert_int_equal(ask("Authorization: Digest username=\"alice\r\n", NOW), AUTH_ABSENT);
	auth_client_free(&client);
}

static void a_nonce_that_is_not_ours_is_stale(void **state)
{
	struct auth_client client = {0};
	(void)state;

	assert_int_equal(
		auth_client_challenged(&client, &alice,
				       parse("SIP/2.0 401 U\r\n" REST "WWW-Authenticate: Digest "
					     "realm=\"falco.bz\", nonce=\"before-the-restart\", "
					     "qop=\"auth\"\r\n\r\n"),
				       false),
		0);
	assert_int_equal(ask(answer(&client, &alice), NOW), AUTH_STALE);
	auth_client_free(&client);
}

static void the_older_form_works_once(void **state)
{
	struct digest_hex ha1, ha2, response;
	char nonce[NONCE_LENGTH + 1] = "", line[512];
	const struct slice second[] = {SLICE("REGISTER"), SLICE("sip:falco.bz")};
	(void)state;

	assert_int_equal(nonce_make(&bench.server.nonces, &bench.random.base, NOW, nonce), 0);
	assert_int_equal(
		digest_ha1(DIGEST_MD5, alice.user, SLICE("falco.bz"), alice.password, &ha1), 0);
	assert_int_equal(digest_of(DIGEST_MD5, second, 2, &ha2), 0);
	const struct slice parts[] = {slice_from(ha1.text), slice_from(nonce),
				      slice_from(ha2.text)};
	assert_int_equal(digest_of(DIGEST_MD5, parts, 3, &response), 0);
	snprintf(line, sizeof(line),
		 "Authorization: Digest username=\"alice\",realm=\"falco.bz\",nonce=\"%s\","
		 "uri=\"sip:falco.bz\",response=\"%s\"\r\n",
		 nonce, response.text);
	assert_int_equal(ask(line, NOW), AUTH_ACCEPTED);
	assert_int_equal(ask(line, NOW), AUTH_STALE);
}

static void counts_may_overtake_but_not_return(void **state)
{
	char nonce[NONCE_LENGTH];
	struct nonce_table *table = &bench.server.nonces;
	struct slice text = {nonce, NONCE_LENGTH};
	(void)state;

	assert_int_equal(nonce_make(table, &bench.random.base, NOW, nonce), 0);
	assert_int_equal(nonce_use(table, text, 3, NOW), 0);
	assert_int_equal(nonce_use(table, text, 2, NOW), 0);
	assert_int_equal(nonce_use(table, text, 2, NOW), -ERR_DENIED);
	assert_int_equal(nonce_use(table, text, 100, NOW), 0);
	assert_int_equal(nonce_use(table, text, 50, NOW), -ERR_DENIED); /* too far behind */
	assert_int_equal(nonce_use(table, text, 99, NOW), 0);
	assert_int_equal(nonce_use(table, text, 0, NOW), -ERR_DENIED);
}

static void a_full_table_forgets_no_use(void **state)
{
	struct nonce_table table;
	char nonces[8][NONCE_LENGTH];
	(void)state;

	assert_int_equal(nonce_table_init(&table, &bench.random.base, 4), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct slice text = {nonces[i], NONCE_LENGTH};
		assert_int_equal(nonce_make(&table, &bench.random.base, NOW + i, nonces[i]), 0);
		assert_int_equal(nonce_use(&table, text, 1, NOW + i), 0);
	}
	for (unsigned i = 0; i < 8; i++) {
		struct slice text = {nonces[i], NONCE_LENGTH};
		assert_int_equal(nonce_use(&table, text, 1, NOW + 9), -ERR_DENIED);
	}
	nonce_table_free(&table);
}

#define FORM                                                                                       \
	"SIP/2.0 407 P\r\n" REST "Proxy-Authenticate: Digest realm=\"%s\", nonce=\"n\", "          \
	"algorithm=%s%s\r\n\r\n"

static void a_challenge_is_answered_once_and_for_its_realm(void **state)
{
	const struct auth_identity trunk = {
		.user = SLICE("33123"), .password = SLICE("x"), .realm = SLICE("carrier")};
	struct auth_client client = {0};
	(void)state;

	assert_int_equal(
		auth_client_challenged(&client, &trunk, parse(FORM, "else", "MD5", ""), false),
		-ERR_NOT_FOUND);
	assert_int_equal(
		auth_client_challenged(&client, &trunk, parse(FORM, "carrier", "X-1", ""), false),
		-ERR_NOT_FOUND);
	assert_int_equal(auth_client_challenged(&client, &trunk,
						parse(FORM, "carrier", "MD5-sess", ""), false),
			 0);
	assert_non_null(strstr(answer(&client, &trunk), "Proxy-Authorization: Digest "));
	assert_int_equal(
		auth_client_challenged(&client, &trunk, parse(FORM, "carrier", "MD5", ""), true),
		-ERR_DENIED);
	assert_int_equal(auth_client_challenged(&client, &trunk,
						parse(FORM, "carrier", "MD5", ", stale=TRUE"),
						true),
			 0);
	auth_client_free(&client);
}

static void a_user_is_the_user_of_a_uri(void **state)
{
	(void)state;
	assert_true(auth_user_is(SLICE("alice"), SLICE("sip:alice@falco.bz")));
	assert_true(auth_user_is(SLICE("a#b"), SLICE("sip:a%23b@falco.bz")));
	assert_false(auth_user_is(SLICE("alic"), SLICE("sip:alice@falco.bz")));
	assert_false(auth_user_is(SLICE("alice2"), SLICE("sip:alice@falco.bz")));
}

static void headers_are_taken_apart(void **state)
{
	struct auth_fields fields;
	(void)state;
	assert_int_equal(
		auth_fields_parse(SLICE("digest realm = \"a \\\" b, c\" , nonce=x,qop=auth,"
					"unknown=\"1\",NC=00000001"),
				  &fields),
		0);
	assert_true(slice_equal(fields.realm, SLICE("a \\\" b, c")));
	assert_true(slice_equal(fields.nc, SLICE("00000001")));
	assert_int_equal(auth_fields_parse(SLICE("Digest realm=\"a\",realm=\"b\""), &fields),
			 -ERR_MALFORMED);
	assert_int_equal(auth_fields_parse(SLICE("Digest"), &fields), -ERR_MALFORMED);
	assert_int_equal(auth_fields_parse(SLICE("Digest realm=\"a"), &fields), -ERR_MALFORMED);
	assert_int_equal(auth_fields_parse(SLICE("Digest realm=\"a\","), &fields), -ERR_MALFORMED);
	assert_int_equal(auth_fields_parse(SLICE("Bearer x"), &fields), -ERR_UNSUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_we_write_we_accept_once),
		TEST(nothing_else_is_accepted),
		TEST(a_nonce_that_is_not_ours_is_stale),
		TEST(the_older_form_works_once),
		TEST(counts_may_overtake_but_not_return),
		TEST(a_full_table_forgets_no_use),
		TEST(a_challenge_is_answered_once_and_for_its_realm),
		TEST(a_user_is_the_user_of_a_uri),
		TEST(headers_are_taken_apart),
	};
	return message_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
