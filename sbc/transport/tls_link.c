/* One connection's TLS: handshake, bytes, end; each call does what the socket allows now.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/tls_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FAILURE_SIZE = 256 };

static int make_link(SSL_CTX *context, int fd, struct tls_link **out)
{
	struct tls_link *link = calloc(1, sizeof(*link));

	if (!link)
		return -ERR_NO_MEMORY;
	ERR_clear_error();
	link->ssl = SSL_new(context);
	if (!link->ssl || SSL_set_fd(link->ssl, fd) != 1) {
		tls_link_free(link);
		return -ERR_NO_MEMORY;
	}
	SSL_set_app_data(link->ssl, link);
	*out = link;
	return 0;
}

int tls_accept(struct tls *tls, size_t side, int fd, struct tls_link **out)
{
	struct tls_link *link;

	if (side >= tls->count || !tls->sides[side].count)
		return -ERR_NOT_FOUND;
	if (tls->sides[side].has_roots)
		tls_roots_wait(tls->roots);
	int err = make_link(tls->sides[side].servers[0], fd, &link);
	if (err)
		return err;
	SSL_set_accept_state(link->ssl);
	*out = link;
	return 0;
}

int tls_connect(struct tls *tls, struct tls_sessions *sessions, const struct tls_target *target,
		int fd, struct tls_link **out)
{
	struct tls_link *link;

	if (target->side >= tls->count)
		return -ERR_NOT_FOUND;
	if (tls->sides[target->side].has_roots)
		tls_roots_wait(tls->roots);
	int err = make_link(tls->sides[target->side].client, fd, &link);
	if (err)
		return err;
	link->verify = tls->sides[target->side].verify_server;
	link->sessions = sessions;
	link->key = calloc(1, sizeof(*link->key));
	if (!link->key) {
		tls_link_free(link);
		return -ERR_NO_MEMORY;
	}
	link->key->side = target->side;
	link->key->remote = target->remote;
	if (target->name)
		slice_copy(slice_from(target->name), link->key->name, sizeof(link->key->name));
	SSL_set_connect_state(link->ssl);
	if (target->name && SSL_set_tlsext_host_name(link->ssl, target->name) != 1) {
		tls_link_free(link);
		return -ERR_INVALID;
	}
	session_use(link);
	*out = link;
	return 0;
}

void tls_link_free(struct tls_link *link)
{
	if (!link)
		return;
	/* Ended without a word to the peer: OpenSSL would forget the session otherwise. */
	if (link->ssl)
		SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(link->ssl);
	free(link->key);
	free(link->failure);
	free(link);
}

static void set_failure(struct tls_link *link, const char *text, const char *more)
{
	if (!link->failure)
		link->failure = malloc(FAILURE_SIZE);
	if (link->failure)
		snprintf(link->failure, FAILURE_SIZE, "%s%s%s", text, more ? ": " : "",
			 more ? more : "");
}

const char *tls_failure(struct tls_link *link)
{
	return link->failure ? link->failure : "failed";
}

static enum tls_result failed(struct tls_link *link)
{
	unsigned long code = ERR_peek_error();
	long verified = SSL_get_verify_result(link->ssl);

	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		set_failure(link, "its certificate is refused",
			    X509_verify_cert_error_string(verified));
	else if (code && ERR_reason_error_string(code))
		set_failure(link, ERR_reason_error_string(code), NULL);
	else
		set_failure(link, "connection lost", NULL);
	ERR_clear_error();
	return TLS_FAILED;
}

static enum tls_result result_of(struct tls_link *link, int returned)
{
	switch (SSL_get_error(link->ssl, returned)) {
	case SSL_ERROR_NONE:
		return TLS_OK;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	case SSL_ERROR_SSL:
		return failed(link);
	default:
		set_failure(link, "connection lost", NULL);
		ERR_clear_error();
		return TLS_CLOSED;
	}
}

/* The chain is trusted; now: is it who we wanted (RFC 5922 7.2)? */
static enum tls_result check_name(struct tls_link *link)
{
	const struct tls_key *key = link->key;
	char address[ADDR_TEXT_SIZE];
	char text[FAILURE_SIZE];

	if (tls_peer_is(link, key->name[0] ? key->name : NULL, &key->remote))
		return TLS_OK;
	snprintf(text, sizeof(text), "its certificate does not name %.200s",
		 key->name[0] ? key->name : addr_ip_text(&key->remote, address));
	set_failure(link, text, NULL);
	return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls_link *link)
{
	ERR_clear_error();
	enum tls_result result = result_of(link, SSL_do_handshake(link->ssl));
	if (result == TLS_OK && link->verify)
		result = check_name(link);
	return result;
}

enum tls_result tls_read(struct tls_link *link, char *data, size_t size, size_t *len)
{
	ERR_clear_error();
	return result_of(link, SSL_read_ex(link->ssl, data, size, len));
}

enum tls_result tls_write(struct tls_link *link, const char *data, size_t size, size_t *len)
{
	ERR_clear_error();
	return result_of(link, SSL_write_ex(link->ssl, data, size, len));
}

void tls_shutdown(struct tls_link *link)
{
	ERR_clear_error();
	if (SSL_is_init_finished(link->ssl))
		(void)SSL_shutdown(link->ssl);
	ERR_clear_error();
}

bool tls_peer_is(const struct tls_link *link, const char *name, const struct addr *addr)
{
	X509 *certificate = SSL_get0_peer_certificate(link->ssl);

	return certificate && SSL_get_verify_mode(link->ssl) != SSL_VERIFY_NONE &&
	       SSL_get_verify_result(link->ssl) == X509_V_OK &&
	       certificate_names(certificate, name, addr);
}

bool tls_is_resumed(const struct tls_link *link)
{
	return SSL_session_reused(link->ssl) == 1;
}
