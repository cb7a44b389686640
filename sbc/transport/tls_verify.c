/* Whom a certificate names, by RFC 5922 7.1: SIP URIs and DNS names in subjectAltName, the common
 * name only where there is no subjectAltName at all; no wildcards.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/tls_private.h"

#include <openssl/evp.h>

static struct slice text_of(const ASN1_STRING *string)
{
	return (struct slice){(const char *)ASN1_STRING_get0_data(string),
			      (size_t)ASN1_STRING_length(string)};
}

/* "sip:host" and no more: a user would be somebody, not a domain. */
static bool uri_names(struct slice uri, struct slice name)
{
	if (!slice_starts_nocase(uri, SLICE("sip:")))
		return false;
	return slice_equal_nocase(slice_sub(uri, 4, uri.len), name);
}

static bool any_uri_names(X509 *certificate, struct slice name)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
		found = one->type == GEN_URI &&
			uri_names(text_of(one->d.uniformResourceIdentifier), name);
	}
	GENERAL_NAMES_free(names);
	return found;
}

bool certificate_names(X509 *certificate, const char *name, const struct addr *addr)
{
	bool has_alternatives = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
	unsigned int flags = X509_CHECK_FLAG_NO_WILDCARDS |
			     (has_alternatives ? X509_CHECK_FLAG_NEVER_CHECK_SUBJECT : 0);

	if (!name)
		return X509_check_ip(certificate, addr->bytes, addr->family == AF_INET ? 4 : 16,
				     0) == 1;
	return X509_check_host(certificate, name, 0, flags, NULL) == 1 ||
	       any_uri_names(certificate, slice_from(name));
}

int tls_websocket_accept(struct slice key, char out[WEBSOCKET_ACCEPT_SIZE])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
	unsigned char text[WEBSOCKET_KEY_LENGTH + sizeof(guid)], digest[EVP_MAX_MD_SIZE];
	unsigned char nonce[WEBSOCKET_KEY_LENGTH];
	unsigned int len = 0;

	if (key.len != WEBSOCKET_KEY_LENGTH || !slice_ends(key, SLICE("==")) ||
	    slice_find(key, '=') != WEBSOCKET_KEY_LENGTH - 2 ||
	    EVP_DecodeBlock(nonce, (const unsigned char *)key.data, WEBSOCKET_KEY_LENGTH) != 18)
		return -ERR_MALFORMED;
	memcpy(text, key.data, WEBSOCKET_KEY_LENGTH);
	memcpy(text + WEBSOCKET_KEY_LENGTH, guid, sizeof(guid) - 1);
	if (EVP_Digest(text, WEBSOCKET_KEY_LENGTH + sizeof(guid) - 1, digest, &len, EVP_sha1(),
		       NULL) != 1)
		return -ERR_NO_MEMORY;
	EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
	return 0;
}
