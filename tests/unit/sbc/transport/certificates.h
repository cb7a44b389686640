/* certificates.h - certificates made for a test: an authority and those it signs, as PEM texts.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/transport/tls.h"

struct authority;

struct credentials {
	char *chain;
	char *key;
};

struct authority *authority_create(void);
void authority_destroy(struct authority *authority);
const char *authority_pem(const struct authority *authority);
/* `alternative` as in openssl.cnf ("DNS:a,URI:sip:b"; NULL = none), common name `name`; good from
 * now + from_s to now + to_s. */
struct credentials authority_sign(const struct authority *authority, const char *name,
				  const char *alternative, long from_s, long to_s);
void credentials_free(struct credentials *credentials);
