/* A DTLS record as it comes from anybody, to an association that waits for its ClientHello, with
 * the cookie asked for and without. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/dtls/dtls.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *owner, const struct addr *to, const uint8_t *data, size_t len)
{
	(void)owner, (void)to, (void)data, (void)len;
}

static void on_done(void *owner, const struct dtls_keys *keys)
{
	(void)owner, (void)keys;
	abort(); /* without a certificate of that fingerprint there are no keys */
}

static void on_failed(void *owner, const char *reason)
{
	(void)owner, (void)reason;
}

static void on_closed(void *owner)
{
	(void)owner;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dtls_events events = {on_send, on_done, on_failed, on_closed};
	static struct dtls_identities *identities; /* made once: it costs a key */
	const struct addr from = {.family = AF_INET, .port = 9, .bytes = {198, 51, 100, 66}};
	struct fingerprint fingerprint;
	struct wheel *wheel;

	if (fingerprint_read((struct slice){(const char *)data, size}, &fingerprint) == 0 &&
	    fingerprint.len > FINGERPRINT_MAX)
		abort();
	if (!identities && dtls_identities_create(1000, &identities) != 0)
		return 0;
	if (wheel_create(1000, &wheel) != 0)
		return 0;
	struct dtls_config config = {
		.wheel = wheel,
		.identity = dtls_identity_get(identities, 1000),
		.role = DTLS_SERVER,
		.cookie_key = {1, 2},
		.fingerprint_count = 1,
		.events = &events,
	};
	for (int asks = 0; asks < 2; asks++) {
		struct dtls *dtls;
		config.asks_cookie = asks;
		if (dtls_create(&config, &dtls) != 0)
			continue;
		dtls_receive(dtls, &from, data, size, 1000);
		dtls_destroy(dtls);
	}
	dtls_identity_put(config.identity);
	wheel_destroy(wheel);
	return 0;
}
