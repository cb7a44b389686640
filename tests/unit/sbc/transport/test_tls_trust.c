/* Whom TLS believes: servers that we connect to, clients that must show a certificate, and what is
 * remembered of them. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transport/tls_bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char options[] = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";

/* As client; the server is the same transport. */

static int send_to(struct tls_bench *b, const char *name)
{
	struct transport_path path = bench_to(SIP_TLS, b->bench.tls.port);
	if (name)
		assert_int_equal(transport_name(b->bench.transport, slice_from(name), &path.name),
				 0);
	size_t errors = b->bench.errors, received = b->bench.received;
	int err = transport_send(b->bench.transport, &path, slice_from(options), 7);
	for (int i = 0; !err && i < 300; i++) {
		bench_run(&b->bench, 5);
		if (b->bench.errors != errors)
			return b->bench.error;
		if (b->bench.received != received)
			return 0;
	}
	return err ? err : -ERR_AGAIN;
}

static void server_must_be_whom_we_want(void **state)
{
	static struct tls_bench b;
	(void)state;
	tls_bench_open_with(&b,
			    "DNS:one.example.com,DNS:*.wild.example.com,URI:sip:uri.example.com,"
			    "URI:sip:somebody@user.example.com,IP:127.0.0.1",
			    DAY_S, &plain);
	b.bench.log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(send_to(&b, NULL), 0); /* the address itself */
	assert_int_equal(send_to(&b, "ONE.example.com"), 0);
	assert_int_equal(send_to(&b, "uri.example.com"), 0);
	assert_int_equal(send_to(&b, "user.example.com"), -ERR_DENIED);
	assert_int_equal(send_to(&b, "a.wild.example.com"), -ERR_DENIED);
	assert_int_equal(send_to(&b, "first"), -ERR_DENIED); /* the common name: not with others */
	assert_int_equal(COUNTER(&b.bench, opened), 6);
	/* The one that is there is used for the same name alone. */
	assert_int_equal(send_to(&b, "one.example.com"), 0);
	assert_int_equal(COUNTER(&b.bench, opened), 6);
	close(b.bench.log.fd);
	tls_bench_close_all(&b);
}

static void common_name_counts_where_nothing_else_is(void **state)
{
	static struct tls_bench b;
	(void)state;
	tls_bench_open_with(&b, NULL, DAY_S, &plain);
	assert_int_equal(send_to(&b, "first"), 0);
	tls_bench_close_all(&b);
}

static void expired_certificate_is_refused_and_said(void **state)
{
	static struct tls_bench b;
	char line[512] = "";
	int pipes[2];
	(void)state;
	tls_bench_open_with(&b, "DNS:one.example.com", -3600, &plain);
	assert_int_equal(pipe(pipes), 0);
	b.bench.log = (struct log){.level = LOG_WARN, .fd = pipes[1], .program = "test"};
	assert_int_equal(send_to(&b, "one.example.com"), -ERR_DENIED);
	assert_true(read(pipes[0], line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "tls.failed"));
	assert_non_null(strstr(line, "name=one.example.com"));
	assert_non_null(strstr(line, "its certificate is refused: certificate has expired"));
	assert_int_equal(b.bench.received, 0);
	tls_bench_close_all(&b);
	close(pipes[0]);
	close(pipes[1]);
}

static void verification_can_be_turned_off(void **state)
{
	static struct tls_bench b;
	(void)state;
	tls_bench_open_with(&b, NULL, -3600, &(struct tls_side){.verify_server = false});
	assert_int_equal(send_to(&b, "somebody.else"), 0);
	tls_bench_close_all(&b);
}

static void session_is_resumed(void **state)
{
	static struct tls_bench b;
	(void)state;
	tls_bench_open_usual(&b);
	assert_int_equal(send_to(&b, "one.example.com"), 0);
	b.bench.echo = true; /* the server's ticket comes with what it says */
	assert_int_equal(transport_send(b.bench.transport, &b.bench.path, SLICE("\r\n"), 0), 0);
	bench_run(&b.bench, 30);
	b.bench.echo = false;
	assert_int_equal(COUNTER(&b.bench, resumed), 0);
	transport_close(b.bench.transport, b.bench.path.connection);
	bench_run(&b.bench, 50);
	assert_int_equal(COUNTER(&b.bench, connections), 0);
	assert_int_equal(send_to(&b, "one.example.com"), 0);
	assert_int_equal(COUNTER(&b.bench, resumed), 2); /* both ends are ours */
	tls_bench_close_all(&b);
}

/* A reload while a server has yet to send its ticket: what was agreed under former rules is not
 * resumed under the new ones. */
static void ticket_of_before_a_reload_is_not_used(void **state)
{
	static struct tls_bench b;
	(void)state;
	tls_bench_open_usual(&b);
	assert_int_equal(send_to(&b, "one.example.com"), 0);
	transport_set_tls(b.bench.transport, b.tls);
	b.bench.echo = true;
	assert_int_equal(transport_send(b.bench.transport, &b.bench.path, SLICE("\r\n"), 0), 0);
	bench_run(&b.bench, 30);
	b.bench.echo = false;
	transport_close(b.bench.transport, b.bench.path.connection);
	bench_run(&b.bench, 50);
	assert_int_equal(send_to(&b, "one.example.com"), 0);
	assert_int_equal(COUNTER(&b.bench, resumed), 0);
	tls_bench_close_all(&b);
}

static void client_must_show_a_certificate(void **state)
{
	static struct tls_bench b;
	struct tls_side both = {.verify_server = true, .verify_client = TLS_VERIFY_REQUIRE};
	char text[64];
	(void)state;
	tls_bench_open_with(&b, "DNS:one.example.com", DAY_S, &both);
	assert_int_equal(send_to(&b, "one.example.com"), 0); /* with the first certificate */
	struct client none = client_begin(&b.bench.tls, NULL);
	/* In TLS 1.3 the client hears of it after its own part. */
	if (client_handshake(&b.bench, &none))
		assert_true(client_read(&b.bench, &none, text, sizeof(text)) <= 0);
	client_close(&none);
	assert_int_equal(COUNTER(&b.bench, not_secured), 1);

	/* RFC 5923: the connection that it opened serves requests to whom it is. */
	struct addr alias;
	struct transport_path path = bench_to(SIP_TLS, 5099);
	assert_int_equal(addr_parse(SLICE("127.0.0.1:5099"), 0, &alias), 0);
	transport_alias(b.bench.transport, &b.bench.path, &alias);
	uint64_t opened = COUNTER(&b.bench, opened);
	assert_int_equal(transport_name(b.bench.transport, SLICE("one.example.com"), &path.name),
			 0);
	assert_int_equal(transport_send(b.bench.transport, &path, slice_from(options), 0), 0);
	assert_int_equal(COUNTER(&b.bench, opened), opened);
	assert_int_equal(transport_name(b.bench.transport, SLICE("evil.example.com"), &path.name),
			 0);
	assert_int_equal(transport_send(b.bench.transport, &path, slice_from(options), 0), 0);
	assert_int_equal(COUNTER(&b.bench, opened), opened + 1);
	bench_run(&b.bench, 20);
	tls_bench_close_all(&b);
}

static int send_trusting_system(struct tls_bench *b)
{
	struct tls *tls = tls_bench_make(b, &plain, 2, NULL);

	transport_set_tls(b->bench.transport, tls);
	tls_release(tls);
	return send_to(b, "one.example.com");
}

/* A side without a `ca`: roots are read beside the start, the first to connect waits for them. */
static void system_is_believed(void **state)
{
	static struct tls_bench b;
	char path[] = "/tmp/postern-roots-XXXXXX";
	int fd = mkstemp(path);
	(void)state;
	assert_true(fd >= 0);
	tls_bench_open_with(&b, "DNS:one.example.com", DAY_S, &plain);
	const char *pem = authority_pem(b.authority);
	assert_int_equal(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
	close(fd);
	assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
	assert_int_equal(send_trusting_system(&b), 0);
	tls_bench_close_all(&b);
	/* of another authority than the one there */
	tls_bench_open_with(&b, "DNS:one.example.com", DAY_S, &plain);
	b.bench.log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(send_trusting_system(&b), -ERR_DENIED);
	/* none at all */
	assert_int_equal(setenv("SSL_CERT_FILE", "/nonexistent", 1), 0);
	assert_int_equal(send_trusting_system(&b), -ERR_DENIED);
	close(b.bench.log.fd);
	tls_bench_close_all(&b);
	unsetenv("SSL_CERT_FILE");
	unlink(path);
}

static void bad_files_are_named(void **state)
{
	struct authority *authority = authority_create();
	struct credentials one = authority_sign(authority, "one", NULL, -60, DAY_S);
	struct credentials two = authority_sign(authority, "two", NULL, -60, DAY_S);
	const struct {
		struct tls_certificate certificate;
		const char *ca, *why;
	} cases[] = {
		{{"a.pem", "nothing", one.key}, NULL, "a.pem: no certificate can be read"},
		{{"a.pem", one.chain, "nothing"}, NULL, "a.pem: its key cannot be used"},
		{{"a.pem", one.chain, two.key}, NULL, "a.pem: its key "},
		{{"a.pem", one.chain, one.key}, "nothing", "ca.pem: no certificate of a CA"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_side side = {.name = "wan",
					.certificates = &cases[i].certificate,
					.certificate_count = 1,
					.ca = cases[i].ca,
					.ca_name = "ca.pem",
					.verify_server = cases[i].ca != NULL};
		struct tls *tls = NULL;
		struct buf why;
		buf_init(&why);
		assert_int_equal(tls_create(&side, 1, &why, &tls), -ERR_INVALID);
		assert_non_null(strstr(why.data, "tls of interface wan"));
		assert_non_null(strstr(why.data, cases[i].why));
		buf_free(&why);
	}
	credentials_free(&one);
	credentials_free(&two);
	authority_destroy(authority);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_must_be_whom_we_want),
		cmocka_unit_test(common_name_counts_where_nothing_else_is),
		cmocka_unit_test(expired_certificate_is_refused_and_said),
		cmocka_unit_test(verification_can_be_turned_off),
		cmocka_unit_test(session_is_resumed),
		cmocka_unit_test(ticket_of_before_a_reload_is_not_used),
		cmocka_unit_test(client_must_show_a_certificate),
		cmocka_unit_test(system_is_believed),
		cmocka_unit_test(bad_files_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
