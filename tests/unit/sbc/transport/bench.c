/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transport/bench.h"

#include <arpa/inet.h>
#include <signal.h>
#include <time.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/free_port.h"

static void on_message(void *owner, struct transport_message *message)
{
	struct bench *bench = owner;
	bench->received++;
	bench->path = message->path;
	bench->truncated = message->truncated;
	bench->broken = message->broken;
	bench->last_len = message->len < sizeof(bench->last) ? message->len : sizeof(bench->last);
	memcpy(bench->last, message->data, bench->last_len);
	if (bench->echo)
		assert_int_equal(transport_send(bench->transport, &message->path,
						(struct slice){message->data, message->len}, 0),
				 0);
	if (bench->until_received)
		loop_stop(bench->loop);
}

static void on_error(void *owner, const struct transport_path *path, uint64_t token, int err)
{
	struct bench *bench = owner;
	(void)path;
	bench->errors++;
	bench->error = err;
	bench->error_token = token;
}

static void on_closed(void *owner, uint64_t connection, uint64_t followers)
{
	struct bench *bench = owner;
	assert_int_not_equal(connection, 0);
	assert_int_equal(followers, 9);
	bench->closed++;
}

static bool admit(void *owner, const struct transport_path *path)
{
	const struct bench *bench = owner;
	assert_int_equal(path->transport, SIP_UDP);
	return !bench->deny;
}

static struct addr free_address(void)
{
	struct addr addr;
	assert_int_equal(addr_parse(SLICE("127.0.0.1"), free_port(), &addr), 0);
	return addr;
}

void bench_open_with(struct bench *bench, const struct bench_options *options)
{
	struct transport_interface interface = {.name = "wan",
						.connections_source = options->source_max,
						.connections_max = options->interface_max,
						.origins = options->origins,
						.origin_count = options->origin_count};
	struct buf why;

	memset(bench, 0, sizeof(*bench));
	signal(SIGPIPE, SIG_IGN);
	bench->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "test"};
	assert_int_equal(loop_create(&bench->loop), 0);
	bench->udp = bench->tcp = free_address();
	bench->tls = free_address();
	bench->ws = free_address();
	bench->wss = free_address();
	bench->stun = free_address();
	struct transport_listener listeners[] = {
		{.transport = SIP_UDP, .address = bench->udp, .sent_by = "127.0.0.1:5060"},
		{.transport = SIP_TCP, .address = bench->tcp, .sent_by = "127.0.0.1:5060"},
		{.transport = SIP_UDP, .purpose = TRANSPORT_STUN, .address = bench->stun},
		{.transport = SIP_WS, .address = bench->ws, .sent_by = "127.0.0.1:80"},
		{.transport = SIP_TLS, .address = bench->tls, .sent_by = "127.0.0.1:5061"},
		{.transport = SIP_WSS, .address = bench->wss, .sent_by = "127.0.0.1:443"},
	};
	struct transport_config config = {
		.loop = bench->loop,
		.log = &bench->log,
		.interfaces = &interface,
		.interface_count = 1,
		.listeners = listeners,
		.listener_count = options->tls ? 6 : 4,
		.datagram_max = 16384,
		.stream_max = 65536,
		.tls = options->tls,
		.timers = options->timers ? *options->timers : transport_timers_default,
		.hash_key = {1, 2},
		.on_message = on_message,
		.on_error = on_error,
		.admit = admit,
		.on_closed = on_closed,
		.owner = bench,
	};
	buf_init(&why);
	int err = transport_create(&config, &why, &bench->transport);
	if (err)
		print_error("%s\n", why.data);
	assert_int_equal(err, 0);
	buf_free(&why);
}

void bench_open(struct bench *bench, const struct transport_timers *timers, uint32_t source_max)
{
	struct bench_options options = {.timers = timers, .source_max = source_max};
	bench_open_with(bench, &options);
}

void bench_close(struct bench *bench)
{
	transport_destroy(bench->transport);
	assert_int_equal(wheel_armed(loop_wheel(bench->loop)), 0);
	loop_destroy(bench->loop);
}

static void on_stop(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	loop_stop(container_of(timer, struct bench, stop)->loop);
}

void bench_run(struct bench *bench, uint32_t ms)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t now_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	wheel_arm(loop_wheel(bench->loop), &bench->stop, now_ms + ms, on_stop);
	loop_run(bench->loop);
	wheel_cancel(loop_wheel(bench->loop), &bench->stop);
}

void bench_wait(struct bench *bench, size_t received)
{
	bench->until_received = true;
	for (int i = 0; i < 500 && bench->received < received; i++)
		bench_run(bench, 10);
	bench->until_received = false;
	assert_int_equal(bench->received, received);
}

int bench_connect_to(const struct addr *addr)
{
	struct sockaddr_storage sa;
	struct timeval limit = {.tv_sec = 5};
	socklen_t len = addr_to_sockaddr(addr, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

int bench_connect(const struct bench *bench)
{
	return bench_connect_to(&bench->tcp);
}

void bench_write(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

struct transport_path bench_to(enum sip_transport transport, uint16_t port)
{
	static const uint16_t listeners[] = {
		[SIP_UDP] = 0, [SIP_TCP] = 1, [SIP_TLS] = 4, [SIP_WS] = 3, [SIP_WSS] = 5};
	struct transport_path path = {.transport = (uint8_t)transport,
				      .listener = listeners[transport]};
	assert_int_equal(addr_parse(SLICE("127.0.0.1"), port, &path.remote), 0);
	return path;
}

uint64_t bench_counter(const struct bench *bench, size_t offset)
{
	const char *counters = (const char *)transport_counters(bench->transport, 0);
	return counter_get((const struct counter *)(const void *)(counters + offset));
}
