/* A datagram to the STUN server. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sbc/stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice datagram = {(const char *)data, size};
	struct addr v6 = {.family = AF_INET6, .port = 5060};
	char answer[STUN_ANSWER_MAX];
	size_t len = 0;

	if (stun_answer(datagram, &v6, answer, &len) != 0)
		return 0;
	/* The longest there is: an IPv6 address for a request without anything. */
	if (!stun_is(datagram) || len > STUN_ANSWER_MAX || len > size + 24)
		abort();
	if (!stun_is((struct slice){answer, len}))
		abort();
	return 0;
}
