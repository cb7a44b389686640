/* TLS over real sockets: what comes and goes, what half an effort costs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transport/tls_bench.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char options[] = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";

static void messages_come_and_go(void **state)
{
	static struct tls_bench b;
	char text[256];
	(void)state;
	tls_bench_open_usual(&b);
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
	tls_bench_close_all(&b);
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
	tls_bench_open_usual(&b);
	for (size_t i = 0; i < 4; i++) {
		struct client client = client_begin(&b.bench.tls, cases[i].asked);
		assert_int_equal(client_handshake(&b.bench, &client), 1);
		assert_shows(&client, cases[i].shown);
		client_close(&client);
	}
	tls_bench_close_all(&b);
}

static void old_versions_and_renegotiation_are_refused(void **state)
{
	static struct tls_bench b;
	char text[64];
	(void)state;
	tls_bench_open_usual(&b);
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
	tls_bench_close_all(&b);
}

static void certificates_change_without_a_drop(void **state)
{
	static struct tls_bench b;
	char text[256];
	(void)state;
	tls_bench_open_usual(&b);
	b.bench.echo = true;
	struct client before = client_begin(&b.bench.tls, NULL);
	assert_int_equal(client_handshake(&b.bench, &before), 1);
	struct credentials first = b.credentials[0];
	b.credentials[0] = authority_sign(b.authority, "renewed", NULL, -7200, DAY_S);
	struct tls *renewed = tls_bench_make(&b, &plain, 1, authority_pem(b.authority));
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
	tls_bench_close_all(&b);
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
	tls_bench_open_usual(&b);
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
	tls_bench_close_all(&b);
}

/* Half a first record, and half a close of it: no work, no memory, no spinning. */
static void half_a_hello_costs_nothing(void **state)
{
	static struct tls_bench b;
	int fds[100];
	struct rusage before, after;
	(void)state;
	tls_bench_open_usual(&b);
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
	tls_bench_close_all(&b);
}

static void peer_that_never_reads_is_cut(void **state)
{
	static struct tls_bench b;
	static char large[60000];
	(void)state;
	tls_bench_open_usual(&b);
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
	assert_int_equal(COUNTER(&b.bench, connections), 0);
	client_close(&client);
	tls_bench_close_all(&b);
}

/* More than the kernel takes at once: records are tried again as they were. */
static void slow_reader_gets_every_byte(void **state)
{
	static struct tls_bench b;
	static char large[40000], text[65536];
	size_t got = 0, sent = 0;
	(void)state;
	tls_bench_open_usual(&b);
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
	tls_bench_close_all(&b);
}

/* Ours and OpenSSL's together, after a message each. */
static void idle_connection_is_small(void **state)
{
	enum { COUNT = 200, LIMIT = 20000 };
	static struct tls_bench b;
	struct client clients[COUNT];
	(void)state;
	tls_bench_open_usual(&b);
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
	tls_bench_close_all(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_and_go),
		cmocka_unit_test(name_asked_for_chooses_the_certificate),
		cmocka_unit_test(old_versions_and_renegotiation_are_refused),
		cmocka_unit_test(certificates_change_without_a_drop),
		cmocka_unit_test(what_is_no_tls_ends_at_once),
		cmocka_unit_test(half_a_hello_costs_nothing),
		cmocka_unit_test(peer_that_never_reads_is_cut),
		cmocka_unit_test(slow_reader_gets_every_byte),
		cmocka_unit_test(idle_connection_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
