/* dtls.c - one association: datagrams in, datagrams out, keys at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/dtls/private.h"

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <stdlib.h>

/* RFC 6347 4.2.4.1 says 1 s; on paths of telephony an answer takes less, and a call waits for it.
 */
#define TIMER_FIRST_US 200000u
#define TIMER_MAX_US   5000000u
/* Of one datagram: a ClientHello and certificates stay far below. */
#define DATAGRAM_MAX 16384

static unsigned next_timer_us(SSL *ssl, unsigned timer_us)
{
	(void)ssl;
	if (timer_us == 0)
		return TIMER_FIRST_US;
	return timer_us * 2 < TIMER_MAX_US ? timer_us * 2 : TIMER_MAX_US;
}

int dtls_create(const struct dtls_config *config, struct dtls **out)
{
	struct dtls *dtls = calloc(1, sizeof(*dtls));
	if (!dtls)
		return -ERR_NO_MEMORY;
	dtls->config = *config;
	dtls->config.identity->references++;
	dtls->ssl = SSL_new(config->identity->context);
	BIO *bio = dtls->ssl ? dtls_bio(dtls) : NULL;
	if (!bio) {
		dtls_destroy(dtls);
		return -ERR_NO_MEMORY;
	}
	SSL_set_bio(dtls->ssl, bio, bio);
	DTLS_set_timer_cb(dtls->ssl, next_timer_us);
	SSL_set_mtu(dtls->ssl, DTLS_MTU);
	if (config->role == DTLS_CLIENT)
		SSL_set_connect_state(dtls->ssl);
	else
		SSL_set_accept_state(dtls->ssl);
	*out = dtls;
	return 0;
}

void dtls_destroy(struct dtls *dtls)
{
	if (!dtls)
		return;
	wheel_cancel(dtls->config.wheel, &dtls->timer);
	SSL_free(dtls->ssl);
	dtls_identity_put(dtls->config.identity);
	free(dtls);
}

enum dtls_state dtls_state(const struct dtls *dtls)
{
	return dtls->state;
}

bool dtls_peer(const struct dtls *dtls, struct addr *out)
{
	if (dtls->peer.family)
		*out = dtls->peer;
	return dtls->peer.family != 0;
}

static void fail(struct dtls *dtls, const char *reason)
{
	if (dtls->state == DTLS_FAILED)
		return;
	dtls->state = DTLS_FAILED;
	wheel_cancel(dtls->config.wheel, &dtls->timer);
	dtls->config.events->failed(dtls->config.owner, reason);
}

/* RFC 5763 5: the certificate is the one whose hash came in the signalling. */
static bool peer_is_right(const struct dtls *dtls)
{
	const EVP_MD *digests[] = {[FINGERPRINT_SHA256] = EVP_sha256(),
				   [FINGERPRINT_SHA384] = EVP_sha384(),
				   [FINGERPRINT_SHA512] = EVP_sha512()};
	X509 *certificate = SSL_get1_peer_certificate(dtls->ssl);
	bool found = false;

	for (unsigned i = 0; certificate && i < dtls->config.fingerprint_count && !found; i++) {
		const struct fingerprint *expected = &dtls->config.fingerprints[i];
		unsigned char bytes[EVP_MAX_MD_SIZE];
		unsigned len = 0;
		found = X509_digest(certificate, digests[expected->hash], bytes, &len) == 1 &&
			len == expected->len && memcmp(bytes, expected->bytes, len) == 0;
	}
	X509_free(certificate);
	return found;
}

static const struct {
	unsigned long id; /* OpenSSL's; the wire's too */
	uint8_t key_len, salt_len;
} profiles[] = {
	{SRTP_AES128_CM_SHA1_80, 16, 14},
	{SRTP_AES128_CM_SHA1_32, 16, 14},
	{SRTP_AEAD_AES_128_GCM, 16, 12},
	{SRTP_AEAD_AES_256_GCM, 32, 12},
};

/* RFC 5764 4.2: client key, server key, client salt, server salt. */
static bool export_keys(const struct dtls *dtls, struct dtls_keys *keys)
{
	static const char label[] = "EXTRACTOR-dtls_srtp";
	const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(dtls->ssl);
	uint8_t material[2 * (32 + 14)];
	bool is_client = dtls->config.role == DTLS_CLIENT;
	bool done = false;

	for (size_t i = 0; profile && i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		size_t key = profiles[i].key_len, salt = profiles[i].salt_len;
		if (profiles[i].id != profile->id)
			continue;
		if (SSL_export_keying_material(dtls->ssl, material, 2 * (key + salt), label,
					       sizeof(label) - 1, NULL, 0, 0) != 1)
			break;
		const uint8_t *client_key = material, *server_key = material + key;
		const uint8_t *client_salt = server_key + key, *server_salt = client_salt + salt;
		keys->profile = (uint16_t)profile->id;
		keys->key_len = (uint8_t)key;
		keys->salt_len = (uint8_t)salt;
		memcpy(keys->our_key, is_client ? client_key : server_key, key);
		memcpy(keys->our_salt, is_client ? client_salt : server_salt, salt);
		memcpy(keys->their_key, is_client ? server_key : client_key, key);
		memcpy(keys->their_salt, is_client ? server_salt : client_salt, salt);
		done = true;
	}
	explicit_bzero(material, sizeof(material));
	return done;
}

static void finish(struct dtls *dtls)
{
	struct dtls_keys keys = {0};

	wheel_cancel(dtls->config.wheel, &dtls->timer);
	if (!peer_is_right(dtls)) {
		dtls_close(dtls);
		fail(dtls, "its certificate is not the one of its SDP");
		return;
	}
	if (!export_keys(dtls, &keys)) {
		dtls_close(dtls);
		fail(dtls, "no SRTP protection profile in common");
		return;
	}
	dtls->state = DTLS_DONE;
	dtls->config.events->done(dtls->config.owner, &keys);
	explicit_bzero(&keys, sizeof(keys));
}

static void on_timer(struct timer *timer, uint64_t now_ms);

static void arm(struct dtls *dtls, uint64_t now_ms)
{
	struct timeval left;

	if (DTLSv1_get_timeout(dtls->ssl, &left) != 1)
		return;
	/* up to the next millisecond: one too early does nothing */
	uint64_t ms = (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;
	wheel_arm(dtls->config.wheel, &dtls->timer, now_ms + ms, on_timer);
}

/* Take from OpenSSL what the datagram in hand, or the start, has made possible. */
static void drive(struct dtls *dtls, uint64_t now_ms)
{
	ERR_clear_error();
	int result = SSL_do_handshake(dtls->ssl);
	if (result == 1) {
		finish(dtls);
		return;
	}
	int error = SSL_get_error(dtls->ssl, result);
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());
		fail(dtls, reason ? reason : "handshake failure");
		return;
	}
	arm(dtls, now_ms);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct dtls *dtls = container_of(timer, struct dtls, timer);

	if (dtls->state != DTLS_HANDSHAKE)
		return;
	if (now_ms - dtls->started_ms >= DTLS_PATIENCE_MS) {
		fail(dtls, "the peer does not answer");
		return;
	}
	if (DTLSv1_handle_timeout(dtls->ssl) < 0) {
		fail(dtls, "the peer does not answer");
		return;
	}
	arm(dtls, now_ms);
}

static void begin(struct dtls *dtls, uint64_t now_ms)
{
	dtls->state = DTLS_HANDSHAKE;
	dtls->started_ms = now_ms;
}

void dtls_start(struct dtls *dtls, const struct addr *peer, uint64_t now_ms)
{
	dtls->peer = *peer;
	if (dtls->state != DTLS_WAITING || dtls->config.role != DTLS_CLIENT)
		return;
	begin(dtls, now_ms);
	drive(dtls, now_ms);
}

/* True: its cookie came back, and the ClientHello that brought it is OpenSSL's to answer. */
static bool is_greeted(struct dtls *dtls)
{
	BIO_ADDR *unused = BIO_ADDR_new();
	bool greeted = unused && DTLSv1_listen(dtls->ssl, unused) > 0;

	BIO_ADDR_free(unused);
	return greeted;
}

/* After the handshake nothing is said but alerts, and the peer's last flight when ours was lost. */
static void read_rest(struct dtls *dtls)
{
	uint8_t rest[256];

	ERR_clear_error();
	int n = SSL_read(dtls->ssl, rest, sizeof(rest));
	if (n > 0 || SSL_get_error(dtls->ssl, n) != SSL_ERROR_ZERO_RETURN)
		return; /* WebRTC's data channels are not ours; the rest is noise */
	dtls->state = DTLS_CLOSED;
	dtls->config.events->closed(dtls->config.owner);
}

void dtls_receive(struct dtls *dtls, const struct addr *from, const uint8_t *data, size_t len,
		  uint64_t now_ms)
{
	bool is_peer = dtls->peer.family && addr_equal(&dtls->peer, from);

	if (len > DATAGRAM_MAX || dtls->state == DTLS_FAILED || dtls->state == DTLS_CLOSED ||
	    (dtls->peer.family && !is_peer))
		return;
	dtls->from = *from;
	dtls->in = data;
	dtls->in_len = len;
	if (dtls->state == DTLS_WAITING && dtls->config.role == DTLS_SERVER) {
		if (dtls->config.asks_cookie && !is_greeted(dtls))
			goto out;
		dtls->peer = *from;
		begin(dtls, now_ms);
		drive(dtls, now_ms);
	} else if (dtls->state == DTLS_HANDSHAKE) {
		drive(dtls, now_ms);
	} else if (dtls->state == DTLS_DONE) {
		read_rest(dtls);
	}
out:
	dtls->in = NULL;
}

void dtls_close(struct dtls *dtls)
{
	if (dtls->peer.family && SSL_is_init_finished(dtls->ssl))
		(void)SSL_shutdown(dtls->ssl);
}
