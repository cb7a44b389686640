/* Real sockets on loopback: bursts, partial writes, slow and silent peers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/free_port.h"
#include "tests/unit/sbc/transport/bench.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char options[] = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";

static int udp_socket(const struct bench *b)
{
	struct sockaddr_storage sa;
	struct timeval limit = {.tv_sec = 5};
	socklen_t len = addr_to_sockaddr(&b->udp, &sa);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

static size_t open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void datagrams_come_and_go_in_bursts(void **state)
{
	static struct bench b;
	char text[256];
	(void)state;
	bench_open(&b, NULL, 0);
	b.echo = true;
	int fd = udp_socket(&b);
	for (int i = 0; i < 100; i++)
		bench_write(fd, options);
	bench_wait(&b, 100);
	bench_run(&b, 5);
	for (int i = 0; i < 100; i++)
		assert_int_equal(read(fd, text, sizeof(text)), (ssize_t)strlen(options));
	assert_int_equal(COUNTER(&b, sent), 100);
	close(fd);
	bench_close(&b);
}

static void long_datagram_is_told_as_truncated(void **state)
{
	static struct bench b;
	static char large[20000];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = udp_socket(&b);
	memset(large, 'x', sizeof(large));
	assert_int_equal(write(fd, large, sizeof(large)), (ssize_t)sizeof(large));
	bench_wait(&b, 1);
	assert_true(b.truncated);
	assert_int_equal(b.last_len, 16384);
	close(fd);
	bench_close(&b);
}

static void stream_is_cut_into_messages(void **state)
{
	static struct bench b;
	char text[1024];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	snprintf(text, sizeof(text), "%s\r\n%s%.30s", options, options, options);
	bench_write(fd, text);
	bench_wait(&b, 2);
	assert_int_equal(b.last_len, strlen(options));
	bench_run(&b, 10);
	assert_int_equal(b.received, 2);
	for (const char *at = options + 30; *at; at++) { /* byte by byte */
		assert_int_equal(write(fd, at, 1), 1);
		bench_run(&b, 0);
	}
	bench_wait(&b, 3);
	assert_memory_equal(b.last, options, strlen(options));
	assert_int_equal(COUNTER(&b, connections), 1);
	close(fd);
	bench_run(&b, 20);
	assert_int_equal(COUNTER(&b, connections), 0);
	bench_close(&b);
}

static void keepalive_gets_its_pong(void **state)
{
	static struct bench b;
	char text[16];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	bench_write(fd, "\r\n\r\n");
	bench_run(&b, 50);
	assert_int_equal(read(fd, text, sizeof(text)), 2);
	assert_int_equal(b.received, 0);
	close(fd);
	bench_close(&b);
}

static void broken_framing_is_told_and_ends_the_connection(void **state)
{
	static struct bench b;
	char text[512];
	(void)state;
	bench_open(&b, NULL, 0);
	b.echo = true; /* the last words must arrive though more is unread */
	int fd = bench_connect(&b);
	bench_write(fd, "OPTIONS sip:a@b SIP/2.0\r\n\r\nwhat follows is anybody's guess");
	bench_wait(&b, 1);
	assert_true(b.broken);
	bench_write(fd, options);
	bench_run(&b, 50);
	assert_int_equal(b.received, 1);
	assert_int_equal(read(fd, text, sizeof(text)), 27);
	assert_int_equal(read(fd, text, sizeof(text)), 0);
	close(fd);
	bench_run(&b, 20);
	assert_int_equal(COUNTER(&b, connections), 0);
	bench_close(&b);
}

/* Another worker may have what came before; the bytes behind it are no reason to lose its answer.
 */
static void answer_to_what_came_before_garbage_still_goes_out(void **state)
{
	static struct bench b;
	char text[512];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	bench_write(fd, options);
	bench_write(fd, "OPTIONS sip:a@b SIP/2.0\r\n\r\nwhat follows is anybody's guess");
	bench_wait(&b, 2);
	assert_true(b.broken);
	bench_run(&b, 20);
	assert_int_equal(transport_send(b.transport, &b.path, SLICE("SIP/2.0 200 OK\r\n\r\n"), 1),
			 0);
	bench_write(fd, options); /* nothing more is read */
	bench_run(&b, 300);
	assert_int_equal(b.received, 2);
	assert_int_equal(read(fd, text, sizeof(text)), 18);
	assert_int_equal(read(fd, text, sizeof(text)), 0);
	close(fd);
	bench_run(&b, 20);
	assert_int_equal(COUNTER(&b, connections), 0);
	bench_close(&b);
}

static void reply_goes_down_the_same_connection(void **state)
{
	static struct bench b;
	char text[512];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	int other = bench_connect(&b);
	bench_write(fd, options);
	bench_wait(&b, 1);
	assert_int_equal(transport_send(b.transport, &b.path, SLICE("SIP/2.0 200 OK\r\n\r\n"), 1),
			 0);
	bench_run(&b, 20);
	assert_int_equal(read(fd, text, sizeof(text)), 18);
	assert_int_equal(fcntl(other, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(other, text, sizeof(text)), -1);
	close(fd);
	close(other);
	bench_close(&b);
}

static int listen_on(uint16_t *port, int backlog)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static void requests_share_one_connection(void **state)
{
	static struct bench b;
	char text[512];
	uint16_t port;
	(void)state;
	bench_open(&b, NULL, 0);
	int listener = listen_on(&port, 8);
	struct transport_path path = bench_to(SIP_TCP, port);
	for (int i = 0; i < 3; i++)
		assert_int_equal(transport_send(b.transport, &path, slice_from(options), 7), 0);
	bench_run(&b, 50);
	int fd = accept(listener, NULL, NULL);
	assert_int_equal(recv(fd, text, 3 * strlen(options), MSG_WAITALL),
			 (ssize_t)(3 * strlen(options)));
	assert_int_equal(COUNTER(&b, opened), 1);
	assert_int_equal(b.errors, 0);
	close(fd);
	close(listener);
	bench_close(&b);
}

static void alias_finds_the_connection_of_a_peer(void **state)
{
	static struct bench b;
	struct addr alias;
	char text[512];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	bench_write(fd, options);
	bench_wait(&b, 1);
	assert_int_equal(addr_parse(SLICE("127.0.0.1:5099"), 0, &alias), 0);
	transport_alias(b.transport, &b.path, &alias);
	struct transport_path path = bench_to(SIP_TCP, 5099);
	assert_int_equal(transport_send(b.transport, &path, slice_from(options), 7), 0);
	bench_run(&b, 20);
	assert_int_equal(read(fd, text, sizeof(text)), (ssize_t)strlen(options));
	close(fd);
	bench_close(&b);
}

static void refused_connection_is_told(void **state)
{
	static struct bench b;
	(void)state;
	bench_open(&b, NULL, 0);
	struct transport_path path = bench_to(SIP_TCP, free_port());
	assert_int_equal(transport_send(b.transport, &path, slice_from(options), 7), 0);
	bench_run(&b, 50);
	assert_int_equal(b.errors, 1);
	assert_int_equal(b.error, -ERR_REFUSED);
	assert_int_equal(b.error_token, 7);
	bench_close(&b);
}

static void unanswered_syn_is_told_and_remembered(void **state)
{
	static struct bench b;
	struct transport_timers timers = transport_timers_default;
	uint16_t port;
	int waiting[4];
	(void)state;
	timers.connect_ms = 100;
	bench_open(&b, &timers, 0);
	/* A full backlog drops SYNs like a firewall does. */
	int listener = listen_on(&port, 0);
	struct transport_path path = bench_to(SIP_TCP, port);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&path.remote, &sa);
	for (size_t i = 0; i < 4; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(waiting[i], (struct sockaddr *)&sa, len);
	}
	assert_int_equal(transport_send(b.transport, &path, slice_from(options), 7), 0);
	assert_int_equal(transport_send(b.transport, &path, slice_from(options), 8), 0);
	bench_run(&b, 300);
	assert_int_equal(b.errors, 2);
	assert_int_equal(b.error, -ERR_TIMEOUT);
	/* Nobody waits for it again so soon. */
	assert_int_equal(transport_send(b.transport, &path, slice_from(options), 9), -ERR_TIMEOUT);
	for (size_t i = 0; i < 4; i++)
		close(waiting[i]);
	close(listener);
	bench_close(&b);
}

static void peer_that_never_reads_is_cut(void **state)
{
	static struct bench b;
	static char large[60000];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	int small = 4096;
	(void)!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	bench_write(fd, options);
	bench_wait(&b, 1);
	memset(large, 'x', sizeof(large));
	int err = 0;
	for (int i = 0; i < 1000 && !err; i++) {
		err = transport_send(b.transport, &b.path, (struct slice){large, sizeof(large)}, 7);
		bench_run(&b, 0);
	}
	assert_true(err != 0 || b.errors > 0);
	assert_int_equal(COUNTER(&b, connections), 0);
	close(fd);
	bench_close(&b);
}

/* More than the kernel takes, so that messages are written in parts. */
static void slow_reader_gets_every_byte(void **state)
{
	static struct bench b;
	static char large[40000], text[65536];
	size_t got = 0, sent = 0;
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = bench_connect(&b);
	bench_write(fd, options);
	bench_wait(&b, 1);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)('a' + i % 26);
	while (sent < 1000 && COUNTER(&b, sent) == sent) {
		assert_int_equal(transport_send(b.transport, &b.path,
						(struct slice){large, sizeof(large)}, 7),
				 0);
		sent++;
		bench_run(&b, 0);
	}
	assert_true(COUNTER(&b, sent) < sent); /* the kernel is full */
	assert_int_equal(transport_send(b.transport, &b.path, (struct slice){large, 40000}, 7), 0);
	sent++;
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 5000 && got < sent * sizeof(large); i++) {
		bench_run(&b, 1);
		ssize_t n = read(fd, text, sizeof(text));
		for (ssize_t j = 0; j < n; j++, got++)
			assert_int_equal(text[j], (char)('a' + got % sizeof(large) % 26));
	}
	assert_int_equal(got, sent * sizeof(large));
	assert_int_equal(COUNTER(&b, sent), sent);
	assert_int_equal(b.errors, 0);
	close(fd);
	bench_close(&b);
}

static void silence_of_every_kind_ends_a_connection(void **state)
{
	static struct bench b;
	struct transport_timers timers = {.connect_ms = 100,
					  .idle_ms = 900,
					  .first_ms = 300,
					  .stall_ms = 100,
					  .partial_ms = 300};
	(void)state;
	bench_open(&b, &timers, 0);
	int never = bench_connect(&b);
	int idle = bench_connect(&b);
	bench_write(idle, options);
	bench_run(&b, 100);
	assert_int_equal(COUNTER(&b, connections), 2);
	bench_run(&b, 400); /* no first message */
	assert_int_equal(COUNTER(&b, connections), 1);
	bench_write(idle, "OPTIONS");
	bench_run(&b, 450); /* no end of a message */
	assert_int_equal(COUNTER(&b, connections), 0);
	close(idle);
	idle = bench_connect(&b);
	bench_write(idle, options);
	bench_run(&b, 500);
	assert_int_equal(COUNTER(&b, connections), 1);
	bench_run(&b, 600);
	assert_int_equal(COUNTER(&b, connections), 0);
	assert_int_equal(COUNTER(&b, timed_out), 3);
	close(never);
	close(idle);
	bench_close(&b);
}

static void one_source_is_bounded(void **state)
{
	static struct bench b;
	int fds[6];
	(void)state;
	bench_open(&b, NULL, 4);
	for (size_t i = 0; i < 6; i++)
		fds[i] = bench_connect(&b);
	bench_run(&b, 30);
	assert_int_equal(COUNTER(&b, connections), 4);
	assert_int_equal(COUNTER(&b, refused), 2);
	/* After a second of silence the oldest makes room (scenario N7). */
	bench_run(&b, 1100);
	int more = bench_connect(&b);
	bench_write(more, options);
	bench_wait(&b, 1);
	assert_int_equal(COUNTER(&b, connections), 4);
	for (size_t i = 0; i < 6; i++)
		close(fds[i]);
	close(more);
	bench_close(&b);
}

static void port_in_use_is_named(void **state)
{
	static struct bench b, c;
	struct buf why;
	(void)state;
	bench_open(&b, NULL, 0);
	struct transport_interface interface = {.name = "wan"};
	struct transport_listener listener = {.address = b.udp, .sent_by = "x"};
	assert_int_equal(loop_create(&c.loop), 0);
	struct transport_config config = {.loop = c.loop,
					  .shared = true, /* several workers would share it */
					  .interfaces = &interface,
					  .interface_count = 1,
					  .listeners = &listener,
					  .listener_count = 1,
					  .datagram_max = 2000,
					  .stream_max = 2000};
	buf_init(&why);
	assert_int_not_equal(transport_create(&config, &why, &c.transport), 0);
	assert_non_null(strstr(why.data, "cannot listen on udp 127.0.0.1:"));
	assert_non_null(strstr(why.data, "another program listens there"));
	buf_free(&why);
	loop_destroy(c.loop);
	bench_close(&b);
}

static void unusable_destinations_are_refused(void **state)
{
	static struct bench b;
	static const char *const bad[] = {"0.0.0.0:5060", "255.255.255.255:5060", "224.0.1.75:5060",
					  "127.0.0.1:0", "[::1]:5060"};
	(void)state;
	bench_open(&b, NULL, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct transport_path path = {0};
		assert_int_equal(addr_parse(slice_from(bad[i]), 5060, &path.remote), 0);
		assert_int_equal(transport_send(b.transport, &path, SLICE("x"), 1),
				 -ERR_UNREACHABLE);
	}
	bench_close(&b);
}

/* Out of descriptors: waiting connections are refused one by one, and the listener comes back. */
static void running_out_of_descriptors_is_survived(void **state)
{
	static struct bench b;
	struct rlimit before, few;
	int fds[20];
	(void)state;
	bench_open(&b, NULL, 0);
	for (size_t i = 0; i < 20; i++)
		fds[i] = bench_connect(&b);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)fds[19] + 1 + 5;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	bench_run(&b, 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(COUNTER(&b, connections), 5);
	assert_true(COUNTER(&b, refused) >= 15);
	int again = bench_connect(&b);
	bench_write(again, options);
	bench_wait(&b, 1);
	for (size_t i = 0; i < 20; i++)
		close(fds[i]);
	close(again);
	bench_close(&b);
}

static void no_descriptor_is_left_behind(void **state)
{
	static struct bench b;
	size_t before = open_descriptors();
	int fds[50];
	(void)state;
	bench_open(&b, NULL, 0);
	for (size_t i = 0; i < 50; i++) {
		fds[i] = bench_connect(&b);
		bench_write(fds[i], options);
	}
	bench_wait(&b, 50);
	for (size_t i = 0; i < 50; i++)
		close(fds[i]);
	bench_close(&b);
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_come_and_go_in_bursts),
		cmocka_unit_test(long_datagram_is_told_as_truncated),
		cmocka_unit_test(stream_is_cut_into_messages),
		cmocka_unit_test(keepalive_gets_its_pong),
		cmocka_unit_test(broken_framing_is_told_and_ends_the_connection),
		cmocka_unit_test(answer_to_what_came_before_garbage_still_goes_out),
		cmocka_unit_test(reply_goes_down_the_same_connection),
		cmocka_unit_test(requests_share_one_connection),
		cmocka_unit_test(alias_finds_the_connection_of_a_peer),
		cmocka_unit_test(refused_connection_is_told),
		cmocka_unit_test(unanswered_syn_is_told_and_remembered),
		cmocka_unit_test(peer_that_never_reads_is_cut),
		cmocka_unit_test(slow_reader_gets_every_byte),
		cmocka_unit_test(silence_of_every_kind_ends_a_connection),
		cmocka_unit_test(one_source_is_bounded),
		cmocka_unit_test(port_in_use_is_named),
		cmocka_unit_test(unusable_destinations_are_refused),
		cmocka_unit_test(running_out_of_descriptors_is_survived),
		cmocka_unit_test(no_descriptor_is_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
