/* TLS of all interfaces, out of the configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/internal.h"

#include <stdlib.h>

static void set_side(const struct config_interface *from, struct tls_certificate *certificates,
		     struct tls_side *out)
{
	const struct config_tls *tls = &from->tls;

	for (size_t i = 0; i < tls->certificate_count; i++)
		certificates[i] = (struct tls_certificate){.name = tls->certificates[i].chain.path,
							   .chain = tls->certificates[i].chain.text,
							   .key = tls->certificates[i].key.text};
	*out = (struct tls_side){
		.name = from->name,
		.certificates = certificates,
		.certificate_count = tls->certificate_count,
		.ca = tls->ca.text,
		.ca_name = tls->ca.path,
		.only_tls_1_3 = tls->minimum == CONFIG_TLS_1_3,
		.verify_server = tls->verify_peer,
		.verify_client = tls->verify_client == CONFIG_VERIFY_REQUIRE   ? TLS_VERIFY_REQUIRE
				 : tls->verify_client == CONFIG_VERIFY_REQUEST ? TLS_VERIFY_REQUEST
									       : TLS_VERIFY_NEVER,
	};
}

int setup_tls(const struct config *config, struct buf *why, struct tls **out)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < config->interface_count; i++)
		count += config->interfaces[i].tls.certificate_count;
	struct tls_side *sides = calloc(config->interface_count + 1, sizeof(*sides));
	struct tls_certificate *certificates = calloc(count + 1, sizeof(*certificates));
	int err = sides && certificates ? 0 : -ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < config->interface_count; i++) {
		set_side(&config->interfaces[i], &certificates[at], &sides[i]);
		at += config->interfaces[i].tls.certificate_count;
	}
	if (!err)
		err = tls_create(sides, config->interface_count, why, out);
	free(sides);
	free(certificates);
	return err;
}
