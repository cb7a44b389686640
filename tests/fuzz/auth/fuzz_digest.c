/* Headers of digest authentication: whatever comes is taken apart within its bounds; what is
 * answered of it comes out as one line.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/auth/header.h"
#include "sbc/auth/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void inside(struct slice part, struct slice whole)
{
	check(!part.data ||
	      (part.data >= whole.data && part.data + part.len <= whole.data + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct slice text = {copy, size};
	enum digest_algorithm algorithm;
	struct auth_fields fields;
	bool session;

	check(copy != NULL);
	memcpy(copy, data, size);
	if (!auth_fields_parse(text, &fields)) {
		inside(fields.username, text);
		inside(fields.realm, text);
		inside(fields.nonce, text);
		inside(fields.uri, text);
		inside(fields.response, text);
		inside(fields.qop, text);
		inside(fields.nc, text);
		(void)!auth_algorithm(fields.algorithm, &algorithm, &session);
		(void)auth_list_has(fields.qop, SLICE("auth"));
		(void)auth_user_is(fields.username, fields.uri);
		if (auth_is_quotable(fields.realm))
			for (size_t i = 0; i < fields.realm.len; i++)
				check(fields.realm.data[i] != '\r' && fields.realm.data[i] != '\n');
	}
	free(copy);
	return 0;
}
