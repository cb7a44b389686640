/* bio.c - between OpenSSL and our datagrams: what it reads is the one in hand, what it writes goes
 * to the peer at once. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/dtls/private.h"

static int on_write(BIO *bio, const char *data, int len)
{
	struct dtls *dtls = BIO_get_data(bio);
	const struct addr *to = dtls->peer.family ? &dtls->peer : &dtls->from;

	if (len > 0 && to->family)
		dtls->config.events->send(dtls->config.owner, to, (const uint8_t *)data,
					  (size_t)len);
	return len;
}

static int on_read(BIO *bio, char *out, int size)
{
	struct dtls *dtls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!dtls->in || size <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t len = dtls->in_len < (size_t)size ? dtls->in_len : (size_t)size;
	memcpy(out, dtls->in, len);
	dtls->in = NULL; /* as a datagram socket: the rest is gone */
	return (int)len;
}

static long on_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return 0; /* DTLS_MTU is of UDP payload */
	default:
		return 0;
	}
}

static int on_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *dtls_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");

	if (method && BIO_meth_set_write(method, on_write) && BIO_meth_set_read(method, on_read) &&
	    BIO_meth_set_ctrl(method, on_ctrl) && BIO_meth_set_create(method, on_create))
		return method;
	BIO_meth_free(method);
	return NULL;
}

BIO *dtls_bio(struct dtls *dtls)
{
	BIO *bio = BIO_new(dtls->config.identity->method);
	if (bio)
		BIO_set_data(bio, dtls);
	return bio;
}

struct dtls *dtls_of_ssl(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}
