/* TLS over real sockets: who is believed, what half an effort costs, what resumes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transport/bench.h"

#include <fcntl.h>
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/sbc/transport/certificates.h"

enum { DAY_S = 86400 };

static const char options[] = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";

/* An authority, certificates, and a transport that has them. */
struct tls_bench {
	struct bench bench;
	struct authority *authority;
	struct credentials credentials[2];
	struct tls *tls;
};

static struct tls *make_tls(struct tls_bench *b, const struct tls_side *as, size_t count)
{
	struct tls_certificate certificates[2];
	struct tls_side side = *as;
	struct tls *tls = NULL;
	struct buf why;

	for (size_t i = 0; i < count; i++)
		certificates[i] = (struct tls_certificate){.name = "test.pem",
							   .chain = b->credentials[i].chain,
							   .key = b->credentials[i].key};
	side.name = "wan";
	side.certificates = certificates;
	side.certificate_count = count;
	side.ca = authority_pem(b->authority);
	side.ca_name = "ca.pem";
	buf_init(&why);
	int err = tls_create(&side, 1, &why, &tls);
	if (err)
		print_error("%s\n", why.data);
	assert_int_equal(err, 0);
	buf_free(&why);
	return tls;
}

static void open_with(struct tls_bench *b, const char *alternative, long to_s,
		      const struct tls_side *side)
{
	memset(b, 0, sizeof(*b));
	b->authority = authority_create();
	b->credentials[0] = authority_sign(b->authority, "first", alternative, -7200, to_s);
	b->credentials[1] =
		authority_sign(b->authority, "second", "DNS:two.example.com,IP:::1", -7200, DAY_S);
	b->tls = make_tls(b, side, 2);
	bench_open_with(&b->bench, &(struct bench_options){.tls = b->tls});
}

static const struct tls_side plain = {.verify_server = true};

static void open_usual(struct tls_bench *b)
{
	open_with(b, "DNS:one.example.com,IP:127.0.0.1", DAY_S, &plain);
}

static void close_all(struct tls_bench *b)
{
	bench_close(&b->bench);
	tls_release(b->tls);
	for (size_t i = 0; i < 2; i++)
		credentials_free(&b->credentials[i]);
	authority_destroy(b->authority);
}

/* --- a client that is not ours --- */

struct client {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
};

static struct client client_begin(const struct addr *to, const char *name)
{
	struct client client = {.context = SSL_CTX_new(TLS_client_method())};
	client.fd = bench_connect_to(to);
	assert_int_equal(fcntl(client.fd, F_SETFL, O_NONBLOCK), 0);
	client.ssl = SSL_new(client.context);
	SSL_set_fd(client.ssl, client.fd);
	if (name)
		SSL_set_tlsext_host_name(client.ssl, name);
	SSL_set_connect_state(client.ssl);
	return client;
}

/* 1 = done; 0 = refused. */
static int client_handshake(struct bench *b, struct client *client)
{
	for (int i = 0; i < 500; i++) {
		ERR_clear_error();
		int n = SSL_do_handshake(client->ssl);
		if (n == 1)
			return 1;
		if (SSL_get_error(client->ssl, n) != SSL_ERROR_WANT_READ)
			return 0;
		bench_run(b, 2);
	}
	return 0;
}

static int client_read(struct bench *b, struct client *client, char *out, int size)
{
	for (int i = 0; i < 500; i++) {
		ERR_clear_error();
		int n = SSL_read(client->ssl, out, size);
		if (n > 0 || SSL_get_error(client->ssl, n) != SSL_ERROR_WANT_READ)
			return n;
		bench_run(b, 2);
	}
	return -1;
}

static void client_close(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	close(client->fd);
}

static void assert_shows(const struct client *client, const char *name)
{
	X509 *certificate = SSL_get1_peer_certificate(client->ssl);
	char text[64];
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
				  sizeof(text));
	assert_string_equal(text, name);
	X509_free(certificate);
}

static void messages_come_and_go(void **state)
{
	static struct tls_bench b;
	char text[256];
	(void)state;
	open_usual(&b);
	b.bench.echo = true;
	struct client client = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &client), 1);
	assert_true(SSL_version(client.ssl) >= TLS1_2_VERSION);
	for (size_t i = 0; i < 20; i++) { /* byte by byte, each in a record */
		assert_int_equal(SSL_write(client.ssl, options + i, 1), 1);
		bench_run(&b.bench, 0);
	}
	assert_true(SSL_write(client.ssl, options + 20, (int)strlen(options) - 20) > 0);
	bench_wait(&b.bench, 1);
	assert_int_equal(b.bench.path.transport, SIP_TLS);
	assert_int_equal(client_read(&b.bench, &client, text, sizeof(text)), strlen(options));
	assert_int_equal(COUNTER(&b.bench, secured), 1);
	transport_follow(b.bench.transport, b.bench.path.connection, 0);
	transport_follow(b.bench.transport, b.bench.path.connection, 3);
	SSL_shutdown(client.ssl);
	client_close(&client);
	bench_run(&b.bench, 20);
	assert_int_equal(b.bench.closed, 1);
	assert_int_equal(COUNTER(&b.bench, connections), 0);
	close_all(&b);
}

static void name_asked_for_chooses_the_certificate(void **state)
{
	static struct tls_bench b;
	static const struct {
		const char *asked, *shown;
	} cases[] = {{NULL, "first"},
		     {"one.example.com", "first"},
		     {"TWO.example.com", "second"},
		     {"three.example.com", "first"}};
	(void)state;
	open_usual(&b);
	for (size_t i = 0; i < 4; i++) {
		struct client client = client_begin(&b.bench.tls, cases[i].asked);
		assert_int_equal(client_handshake(&b.bench, &client), 1);
		assert_shows(&client, cases[i].shown);
		client_close(&client);
	}
	close_all(&b);
}

static void old_versions_and_renegotiation_are_refused(void **state)
{
	static struct tls_bench b;
	char text[64];
	(void)state;
	open_usual(&b);
	struct client old = client_begin(&b.bench.tls, NULL);
	SSL_set_security_level(old.ssl, 0);
	SSL_set_max_proto_version(old.ssl, TLS1_1_VERSION);
	assert_int_equal(client_handshake(&b.bench, &old), 0);
	client_close(&old);
	struct client weak = client_begin(&b.bench.tls, NULL);
	SSL_set_max_proto_version(weak.ssl, TLS1_2_VERSION);
	SSL_set_cipher_list(weak.ssl, "ECDHE-ECDSA-AES128-SHA256");
	assert_int_equal(client_handshake(&b.bench, &weak), 0);
	client_close(&weak);
	struct client again = client_begin(&b.bench.tls, NULL);
	SSL_set_max_proto_version(again.ssl, TLS1_2_VERSION);
	assert_int_equal(client_handshake(&b.bench, &again), 1);
	assert_int_equal(SSL_renegotiate(again.ssl), 1);
	assert_true(client_read(&b.bench, &again, text, sizeof(text)) <= 0);
	assert_int_equal(COUNTER(&b.bench, secured), 1);
	client_close(&again);
	close_all(&b);
}

/* --- as client; the server is the same transport --- */

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
	open_with(&b,
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
	close_all(&b);
}

static void common_name_counts_where_nothing_else_is(void **state)
{
	static struct tls_bench b;
	(void)state;
	open_with(&b, NULL, DAY_S, &plain);
	assert_int_equal(send_to(&b, "first"), 0);
	close_all(&b);
}

static void expired_certificate_is_refused_and_said(void **state)
{
	static struct tls_bench b;
	char line[512] = "";
	int pipes[2];
	(void)state;
	open_with(&b, "DNS:one.example.com", -3600, &plain);
	assert_int_equal(pipe(pipes), 0);
	b.bench.log = (struct log){.level = LOG_WARN, .fd = pipes[1], .program = "test"};
	assert_int_equal(send_to(&b, "one.example.com"), -ERR_DENIED);
	assert_true(read(pipes[0], line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "tls.failed"));
	assert_non_null(strstr(line, "name=one.example.com"));
	assert_non_null(strstr(line, "its certificate is refused: certificate has expired"));
	assert_int_equal(b.bench.received, 0);
	close_all(&b);
	close(pipes[0]);
	close(pipes[1]);
}

static void verification_can_be_turned_off(void **state)
{
	static struct tls_bench b;
	(void)state;
	open_with(&b, NULL, -3600, &(struct tls_side){.verify_server = false});
	assert_int_equal(send_to(&b, "somebody.else"), 0);
	close_all(&b);
}

static void session_is_resumed(void **state)
{
	static struct tls_bench b;
	(void)state;
	open_usual(&b);
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
	close_all(&b);
}

static void client_must_show_a_certificate(void **state)
{
	static struct tls_bench b;
	struct tls_side both = {.verify_server = true, .verify_client = TLS_VERIFY_REQUIRE};
	char text[64];
	(void)state;
	open_with(&b, "DNS:one.example.com", DAY_S, &both);
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
	close_all(&b);
}

static void certificates_change_without_a_drop(void **state)
{
	static struct tls_bench b;
	char text[256];
	(void)state;
	open_usual(&b);
	b.bench.echo = true;
	struct client before = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &before), 1);
	struct credentials first = b.credentials[0];
	b.credentials[0] = authority_sign(b.authority, "renewed", NULL, -7200, DAY_S);
	struct tls *renewed = make_tls(&b, &plain, 1);
	transport_set_tls(b.bench.transport, renewed);
	tls_release(renewed);
	struct client after = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &after), 1);
	assert_shows(&after, "renewed");
	assert_true(SSL_write(before.ssl, options, (int)strlen(options)) > 0);
	assert_int_equal(client_read(&b.bench, &before, text, sizeof(text)), strlen(options));
	client_close(&before);
	client_close(&after);
	credentials_free(&first);
	close_all(&b);
}

static void what_is_no_tls_ends_at_once(void **state)
{
	static struct tls_bench b;
	static const struct {
		const char *data;
		size_t len;
	} bad[] = {{options, sizeof(options) - 1},
		   {"\x16\x02", 2},
		   {"\x16\x03\x01\xff\xff", 5},
		   {"\x15\x03\x01\x00\x02\x01\x00", 7},
		   {"\x16\x03\x01\x00\x00", 5},
		   {"\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9},
		   {"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00", 10}};
	char text[64];
	(void)state;
	open_usual(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = bench_connect_to(&b.bench.tls);
		assert_int_equal(write(fd, bad[i].data, bad[i].len), (ssize_t)bad[i].len);
		if (i == 6) /* the rest of that message never comes */
			shutdown(fd, SHUT_WR);
		bench_run(&b.bench, 30);
		assert_int_equal(COUNTER(&b.bench, connections), 0);
		while (read(fd, text, sizeof(text)) > 0)
			;
		close(fd);
	}
	assert_int_equal(COUNTER(&b.bench, not_secured), 7);
	assert_int_equal(b.bench.received, 0);
	close_all(&b);
}

/* Half a first record, and half a close of it: no work, no memory, no spinning. */
static void half_a_hello_costs_nothing(void **state)
{
	static struct tls_bench b;
	int fds[100];
	struct rusage before, after;
	(void)state;
	open_usual(&b);
	for (size_t i = 0; i < 100; i++) {
		fds[i] = bench_connect_to(&b.bench.tls);
		if (i % 4)
			assert_int_equal(write(fds[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
					       i % 4 == 1 ? 3 : 10),
					 i % 4 == 1 ? 3 : 10);
	}
	bench_run(&b.bench, 50);
	getrusage(RUSAGE_SELF, &before);
	bench_run(&b.bench, 300);
	getrusage(RUSAGE_SELF, &after);
	long spent_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
			after.ru_utime.tv_usec - before.ru_utime.tv_usec;
	assert_true(spent_us < 50000);
	assert_int_equal(COUNTER(&b.bench, connections), 100);
	struct client client = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &client), 1);
	client_close(&client);
	for (size_t i = 0; i < 100; i += 2)
		shutdown(fds[i], SHUT_WR);
	bench_run(&b.bench, 50);
	assert_int_equal(COUNTER(&b.bench, connections), 50);
	for (size_t i = 0; i < 100; i++)
		close(fds[i]);
	bench_run(&b.bench, 50);
	assert_int_equal(COUNTER(&b.bench, connections), 0);
	close_all(&b);
}

static void peer_that_never_reads_is_cut(void **state)
{
	static struct tls_bench b;
	static char large[60000];
	(void)state;
	open_usual(&b);
	struct client client = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &client), 1);
	assert_true(SSL_write(client.ssl, options, (int)strlen(options)) > 0);
	bench_wait(&b.bench, 1);
	memset(large, 'x', sizeof(large));
	int err = 0;
	for (int i = 0; i < 1000 && !err; i++) {
		err = transport_send(b.bench.transport, &b.bench.path,
				     (struct slice){large, sizeof(large)}, 7);
		bench_run(&b.bench, 0);
	}
	assert_int_equal(err, -ERR_BUSY);
	assert_false(transport_connection_is_open(b.bench.transport, b.bench.path.connection));
	client_close(&client);
	close_all(&b);
}

/* More than the kernel takes at once: records are tried again as they were. */
static void slow_reader_gets_every_byte(void **state)
{
	static struct tls_bench b;
	static char large[40000], text[65536];
	size_t got = 0, sent = 0;
	(void)state;
	open_usual(&b);
	struct client client = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &client), 1);
	assert_true(SSL_write(client.ssl, options, (int)strlen(options)) > 0);
	bench_wait(&b.bench, 1);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)('a' + i % 26);
	while (sent < 1000 && COUNTER(&b.bench, sent) == sent) {
		assert_int_equal(transport_send(b.bench.transport, &b.bench.path,
						(struct slice){large, sizeof(large)}, 7),
				 0);
		sent++;
		bench_run(&b.bench, 0);
	}
	assert_true(COUNTER(&b.bench, sent) < sent);
	while (got < sent * sizeof(large)) {
		int n = client_read(&b.bench, &client, text, sizeof(text));
		assert_true(n > 0);
		for (int j = 0; j < n; j++, got++)
			assert_int_equal(text[j], (char)('a' + got % sizeof(large) % 26));
	}
	assert_int_equal(b.bench.errors, 0);
	client_close(&client);
	close_all(&b);
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

/* Ours and OpenSSL's together, after a message each. */
static void idle_connection_is_small(void **state)
{
	enum { COUNT = 200, LIMIT = 20000 };
	static struct tls_bench b;
	struct client clients[COUNT];
	(void)state;
	open_usual(&b);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	size_t before = mallinfo2().uordblks;
	for (size_t i = 0; i < COUNT; i++) {
		clients[i].fd = bench_connect_to(&b.bench.tls);
		assert_int_equal(fcntl(clients[i].fd, F_SETFL, O_NONBLOCK), 0);
		clients[i].ssl = SSL_new(context);
		SSL_set_fd(clients[i].ssl, clients[i].fd);
		SSL_set_connect_state(clients[i].ssl);
		assert_int_equal(client_handshake(&b.bench, &clients[i]), 1);
		assert_true(SSL_write(clients[i].ssl, options, (int)strlen(options)) > 0);
	}
	bench_wait(&b.bench, COUNT);
	bench_run(&b.bench, 20);
	for (size_t i = 0; i < COUNT; i++)
		SSL_free(clients[i].ssl); /* the other half of what is held */
	size_t held = (mallinfo2().uordblks - before) / COUNT;
	print_message("# %zu bytes for an idle TLS connection\n", held);
	assert_true(held < LIMIT);
	for (size_t i = 0; i < COUNT; i++)
		close(clients[i].fd);
	SSL_CTX_free(context);
	close_all(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_and_go),
		cmocka_unit_test(name_asked_for_chooses_the_certificate),
		cmocka_unit_test(old_versions_and_renegotiation_are_refused),
		cmocka_unit_test(server_must_be_whom_we_want),
		cmocka_unit_test(common_name_counts_where_nothing_else_is),
		cmocka_unit_test(expired_certificate_is_refused_and_said),
		cmocka_unit_test(verification_can_be_turned_off),
		cmocka_unit_test(session_is_resumed),
		cmocka_unit_test(client_must_show_a_certificate),
		cmocka_unit_test(certificates_change_without_a_drop),
		cmocka_unit_test(what_is_no_tls_ends_at_once),
		cmocka_unit_test(half_a_hello_costs_nothing),
		cmocka_unit_test(peer_that_never_reads_is_cut),
		cmocka_unit_test(slow_reader_gets_every_byte),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(idle_connection_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
