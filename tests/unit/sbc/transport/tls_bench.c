/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transport/tls_bench.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls *tls_bench_make(struct tls_bench *b, const struct tls_side *as, size_t count,
			   const char *ca)
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
	side.ca = ca;
	side.ca_name = "ca.pem";
	buf_init(&why);
	int err = tls_create(&side, 1, &why, &tls);
	if (err)
		print_error("%s\n", why.data);
	assert_int_equal(err, 0);
	buf_free(&why);
	return tls;
}

void tls_bench_open_with(struct tls_bench *b, const char *alternative, long to_s,
			 const struct tls_side *side)
{
	memset(b, 0, sizeof(*b));
	b->authority = authority_create();
	b->credentials[0] = authority_sign(b->authority, "first", alternative, -7200, to_s);
	b->credentials[1] =
		authority_sign(b->authority, "second", "DNS:two.example.com,IP:::1", -7200, DAY_S);
	b->tls = tls_bench_make(b, side, 2, authority_pem(b->authority));
	bench_open_with(&b->bench, &(struct bench_options){.tls = b->tls});
}

const struct tls_side plain = {.verify_server = true};

void tls_bench_open_usual(struct tls_bench *b)
{
	tls_bench_open_with(b, "DNS:one.example.com,IP:127.0.0.1", DAY_S, &plain);
}

void tls_bench_close_all(struct tls_bench *b)
{
	bench_close(&b->bench);
	tls_release(b->tls);
	for (size_t i = 0; i < 2; i++)
		credentials_free(&b->credentials[i]);
	authority_destroy(b->authority);
}

struct client client_begin(const struct addr *to, const char *name)
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
int client_handshake(struct bench *b, struct client *client)
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

int client_read(struct bench *b, struct client *client, char *out, int size)
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

void client_close(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	close(client->fd);
}

void assert_shows(const struct client *client, const char *name)
{
	X509 *certificate = SSL_get1_peer_certificate(client->ssl);
	char text[64];
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
				  sizeof(text));
	assert_string_equal(text, name);
	X509_free(certificate);
}
