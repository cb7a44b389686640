/* URIs, name-addr values and lists; the canonical identity is a fixed point, and clean.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/message/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void canonical(struct slice text)
{
	static const uint64_t key[2] = {1, 2};
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	if (!uri_canonical_text(text, &once)) {
		for (size_t i = 0; i < once.len; i++)
			check(once.data[i] > 0x20 && once.data[i] < 0x7f);
		check(!uri_canonical_text(buf_slice(&once), &twice));
		check(slice_equal(buf_slice(&once), buf_slice(&twice)));
		check(uri_hash(text, key) == uri_hash(buf_slice(&once), key));
	}
	buf_free(&once);
	buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct slice text = {copy, size}, rest = text, member, name, value;
	struct name_addr address;
	struct addr addr;
	struct uri uri;
	struct via via;
	size_t members = 0;

	check(copy != NULL);
	memcpy(copy, data, size);
	if (!uri_parse(text, &uri)) {
		(void)!uri_host_addr(&uri, 5060, &addr);
		(void)uri_parameter(&uri, SLICE("transport"), &value);
	}
	canonical(text);
	while (list_next(&rest, &member)) {
		check(++members <= size + 1);
		if (!name_addr_parse(member, &address)) {
			check(address.uri.len > 0);
			canonical(address.uri);
		}
		if (!via_parse(member, &via))
			check(via.host.len > 0 && via.transport.len > 0);
	}
	rest = text;
	while (parameter_next(&rest, &name, &value))
		check(name.len > 0);
	free(copy);
	return 0;
}
