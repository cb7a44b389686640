/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/hep/hep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int collector(struct addr *out)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), 0, out), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, addr_to_sockaddr(out, &sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	addr_from_sockaddr((struct sockaddr *)&sa, out);
	return fd;
}

static struct hep_message message(struct slice bytes)
{
	struct hep_message out = {.wall_us = 0x10203040ull * 1000000 + 7, .bytes = bytes};

	assert_int_equal(addr_parse(SLICE("192.0.2.1:5060"), 0, &out.from), 0);
	assert_int_equal(addr_parse(SLICE("192.0.2.2:5061"), 0, &out.to), 0);
	return out;
}

static void a_message_is_a_packet_of_chunks(void **state)
{
	static const unsigned char want[] = {
		'H', 'E', 'P', '3', 0, 100, 0,    0,    0,    1,    0, 7, 2, /* IPv4 */
		0,   0,   0,   2,   0, 7,   17,                              /* UDP */
		0,   0,   0,   3,   0, 10,  192,  0,    2,    1,             /* from */
		0,   0,   0,   4,   0, 10,  192,  0,    2,    2,             /* to */
		0,   0,   0,   7,   0, 8,   0x13, 0xc4,                      /* 5060 */
		0,   0,   0,   8,   0, 8,   0x13, 0xc5,                      /* 5061 */
		0,   0,   0,   9,   0, 10,  0x10, 0x20, 0x30, 0x40,          /* s */
		0,   0,   0,   10,  0, 10,  0,    0,    0,    7,             /* us */
		0,   0,   0,   11,  0, 7,   1,                               /* SIP */
		0,   0,   0,   12,  0, 10,  0,    0,    7,    0xd1,          /* 2001 */
		0,   0,   0,   15,  0, 9,   'B',  'Y',  'E'};
	struct addr to;
	struct hep *hep;
	unsigned char got[256];
	int fd = collector(&to);
	struct hep_message one = message(SLICE("BYE"));
	(void)state;

	assert_int_equal(hep_create(&to, 2001, &hep), 0);
	hep_copy(hep, &one);
	hep_flush(hep);
	ssize_t len = recv(fd, got, sizeof(got), 0);
	assert_int_equal(len, sizeof(want));
	got[5] = 100; /* the length, looked at below */
	assert_memory_equal(got, want, sizeof(want));
	hep_copy(hep, &one);
	hep_flush(hep);
	len = recv(fd, got, sizeof(got), 0);
	assert_int_equal(got[4] << 8 | got[5], len);
	assert_int_equal(counter_get(&hep_counters(hep)->sent), 2);
	hep_destroy(hep);
	close(fd);
}

static void nothing_waits_and_losses_are_counted(void **state)
{
	struct addr to;
	struct hep *hep;
	int fd = collector(&to);
	char *large = calloc(1, 65000);
	struct hep_message one = message(SLICE("x")),
			   too_large = message((struct slice){large, 65000});
	(void)state;

	assert_int_equal(hep_create(&to, 1, &hep), 0);
	hep_copy(hep, &too_large);
	assert_int_equal(counter_get(&hep_counters(hep)->dropped), 1);
	for (int i = 0; i < 100; i++)
		hep_copy(hep, &one);
	hep_flush(hep);
	assert_int_equal(counter_get(&hep_counters(hep)->sent), 100);
	close(fd); /* the next ones are refused by ICMP */
	for (int i = 0; i < 100; i++) {
		hep_copy(hep, &one);
		hep_flush(hep);
	}
	assert_int_equal(counter_get(&hep_counters(hep)->sent), 200);
	assert_int_equal(counter_get(&hep_counters(hep)->dropped), 1);
	assert_true(counter_get(&hep_counters(hep)->refused) > 1);
	hep_destroy(hep);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_a_packet_of_chunks),
		cmocka_unit_test(nothing_waits_and_losses_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
