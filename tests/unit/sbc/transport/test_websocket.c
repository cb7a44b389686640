/* Frames, the HTTP request before them, and both over real sockets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/websocket.h"

#include <sys/socket.h>
#include <unistd.h>

#include "sbc/transport/upgrade.h"
#include "tests/unit/sbc/transport/bench.h"

#define REQUEST                                                                                    \
	"GET / HTTP/1.1\r\nHost: edge.example.com\r\nUpgrade: websocket\r\nConnection: "           \
	"Upgrade\r\n"                                                                              \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n"           \
	"Sec-WebSocket-Version: 13\r\nOrigin: https://phone.example.com\r\n\r\n"

static const char options[] = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS x.invalid\r\n\r\n";

/* A frame as a client sends it. */
static void add_frame(struct buf *out, unsigned char first, struct slice payload)
{
	static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

	buf_add_char(out, (char)first);
	if (payload.len < 126) {
		buf_add_char(out, (char)(0x80 | payload.len));
	} else if (payload.len < 65536) {
		buf_add_char(out, (char)(0x80 | 126));
		buf_add_char(out, (char)(payload.len >> 8));
		buf_add_char(out, (char)payload.len);
	} else {
		buf_add_char(out, (char)(0x80 | 127));
		for (int i = 7; i >= 0; i--)
			buf_add_char(out, (char)((uint64_t)payload.len >> (8 * i)));
	}
	buf_add(out, (struct slice){(const char *)mask, 4});
	for (size_t i = 0; i < payload.len; i++)
		buf_add_char(out, (char)(payload.data[i] ^ mask[i % 4]));
}

/* All events of these bytes, fed so many at a time: "M:text|P:text|...". */
static void events_of(struct slice input, size_t step, struct buf *out)
{
	struct websocket *websocket;
	enum websocket_event event = WEBSOCKET_MORE;

	assert_int_equal(websocket_create(70000, &websocket), 0);
	buf_clear(out);
	while (input.len && event != WEBSOCKET_CLOSE && event != WEBSOCKET_BROKEN) {
		struct slice part = slice_sub(input, 0, step), payload;
		uint16_t status;
		input = slice_sub(input, part.len, input.len);
		do {
			event = websocket_next(websocket, &part, &payload, &status);
			if (event == WEBSOCKET_MORE)
				break;
			buf_add_char(out, " MPQCB"[event]);
			buf_add(out, slice_sub(payload, 0, 20));
			if (status)
				buf_printf(out, "%u", status);
			buf_add_char(out, '|');
		} while (event != WEBSOCKET_CLOSE && event != WEBSOCKET_BROKEN);
		assert_true(part.len == 0 || event >= WEBSOCKET_CLOSE);
	}
	if (event != WEBSOCKET_CLOSE && event != WEBSOCKET_BROKEN)
		buf_add_text(out, websocket_is_between(websocket) ? "-" : "...");
	websocket_destroy(websocket);
}

static void assert_events(const struct buf *input, const char *wanted)
{
	static const size_t steps[] = {1, 2, 7, 100, 5000, 1000000};
	struct buf got;

	buf_init(&got);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		events_of(buf_slice(input), steps[i], &got);
		assert_string_equal(got.data, wanted);
	}
	buf_free(&got);
}

static void messages_come_in_frames_of_any_cut(void **state)
{
	struct buf in;
	(void)state;
	buf_init(&in);
	add_frame(&in, 0x81, SLICE("hello"));
	add_frame(&in, 0x82, SLICE("\xff\x00 binary"));
	add_frame(&in, 0x01, SLICE("in "));
	add_frame(&in, 0x89, SLICE("ping"));
	add_frame(&in, 0x00, SLICE("three "));
	add_frame(&in, 0x8a, SLICE(""));
	add_frame(&in, 0x80, SLICE("parts"));
	add_frame(&in, 0x81, SLICE(""));
	struct buf got;
	buf_init(&got);
	for (size_t step = 1; step < 40; step += 3) {
		events_of(buf_slice(&in), step, &got);
		assert_true(
			slice_equal(buf_slice(&got), SLICE("Mhello|M\xff\x00"
							   " binary|Pping|Q|Min three parts|M|-")));
	}
	buf_free(&got);
	buf_free(&in);
}

static void long_messages_are_bounded(void **state)
{
	static char large[70001];
	struct buf in;
	(void)state;
	memset(large, 'x', sizeof(large));
	buf_init(&in);
	add_frame(&in, 0x81, (struct slice){large, 70000});
	add_frame(&in, 0x81, (struct slice){large, 300});
	assert_events(&in, "Mxxxxxxxxxxxxxxxxxxxx|Mxxxxxxxxxxxxxxxxxxxx|-");
	buf_clear(&in);
	add_frame(&in, 0x81, (struct slice){large, 70001});
	assert_events(&in, "B1009|");
	buf_clear(&in);
	add_frame(&in, 0x01, (struct slice){large, 60000});
	add_frame(&in, 0x80, (struct slice){large, 10001});
	assert_events(&in, "B1009|");
	buf_free(&in);
}

static void what_breaks_the_rules_ends_it(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *wanted;
	} cases[] = {
#define CASE(bytes, wanted) {bytes, sizeof(bytes) - 1, wanted}
		CASE("\x81\x01x", "B1002|"),                          /* no mask */
		CASE("\xc1\x81\0\0\0\0x", "B1002|"),                  /* RSV1 */
		CASE("\x83\x81\0\0\0\0x", "B1002|"),                  /* unknown opcode */
		CASE("\x8b\x81\0\0\0\0x", "B1002|"),                  /* unknown control */
		CASE("\x80\x81\0\0\0\0x", "B1002|"),                  /* continues nothing */
		CASE("\x01\x81\0\0\0\0x\x81\x81\0\0\0\0y", "B1002|"), /* a second one within */
		CASE("\x09\x80\0\0\0\0", "B1002|"),                   /* a ping in parts */
		CASE("\x89\xfe\x00\x7e\0\0\0\0x", "B1002|"),          /* too long for a control */
		CASE("\x81\xfe\x00\x05\0\0\0\0hello", "B1002|"),      /* length not in short form */
		CASE("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0x", "B1002|"), /* length beyond 2^63 */
		CASE("\x81\x82\0\0\0\0\xc0\x80", "B\xc0\x80"
						 "1007|"), /* overlong UTF-8 */
		CASE("\x81\x83\0\0\0\0\xed\xa0\x80", "B\xed\xa0\x80"
						     "1007|"), /* a surrogate */
		CASE("\x88\x80\0\0\0\0", "C|"),
		CASE("\x88\x82\0\0\0\0\x03\xe8", "C\x03\xe8"
						 "1000|"),
		CASE("\x88\x81\0\0\0\0x", "Bx1002|"),
		CASE("\x88\x82\0\0\0\0\x03\xed", "B\x03\xed"
						 "1002|"), /* 1005 is never sent */
		CASE("\x81\x85\0\0\0\0hel", "..."),
		CASE("\x81", "..."),
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf in;
		buf_init(&in);
		buf_add(&in, (struct slice){cases[i].data, cases[i].len});
		assert_events(&in, cases[i].wanted);
		buf_free(&in);
	}
}

static void frames_are_written_as_a_server_does(void **state)
{
	static char large[65536];
	struct buf out;
	(void)state;
	buf_init(&out);
	websocket_write(WEBSOCKET_TEXT, SLICE("hi"), &out);
	websocket_write_close(1009, &out);
	websocket_write_close(0, &out);
	assert_true(slice_equal(buf_slice(&out), SLICE("\x81\x02hi\x88\x02\x03\xf1\x88\x00")));
	buf_clear(&out);
	websocket_write(WEBSOCKET_BINARY, (struct slice){large, 126}, &out);
	assert_memory_equal(out.data, "\x82\x7e\x00\x7e", 4);
	buf_clear(&out);
	websocket_write(WEBSOCKET_TEXT, (struct slice){large, 65536}, &out);
	assert_memory_equal(out.data, "\x81\x7f\0\0\0\0\0\x01\0\0", 10);
	assert_int_equal(out.len, 65546);
	buf_free(&out);
}

/* --- the request --- */

static int read_request(const char *text, const struct upgrade_policy *policy, struct buf *answer)
{
	struct upgrade_policy any = {0};
	size_t used = 0;

	buf_init(answer);
	int err = upgrade_read(policy ? policy : &any, slice_from(text), &used, answer);
	if (!err)
		assert_int_equal(used, strlen(text));
	return err;
}

static void the_rfcs_request_is_answered(void **state)
{
	struct buf answer;
	(void)state;
	assert_int_equal(read_request(REQUEST, NULL, &answer), 0);
	/* The key and its answer are RFC 6455's own (1.3). */
	assert_string_equal(answer.data,
			    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			    "Connection: Upgrade\r\n"
			    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
			    "Sec-WebSocket-Protocol: sip\r\n\r\n");
	buf_free(&answer);
	for (size_t len = 0; len < strlen(REQUEST); len++) {
		size_t used;
		buf_init(&answer);
		struct upgrade_policy any = {0};
		assert_int_equal(upgrade_read(&any, (struct slice){REQUEST, len}, &used, &answer),
				 -ERR_AGAIN);
		assert_int_equal(answer.len, 0);
	}
}

/* The request with one part of it replaced. */
static void assert_status(const char *what, const char *by, const char *status)
{
	char text[40000];
	struct buf answer;
	const char *at = strstr(REQUEST, what);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - REQUEST), REQUEST, by,
		 at + strlen(what));
	assert_int_equal(read_request(text, NULL, &answer), -ERR_DENIED);
	if (strncmp(answer.data + 9, status, 3) != 0)
		print_error("%s -> %s: %.40s\n", what, by, answer.data);
	assert_memory_equal(answer.data, "HTTP/1.1 ", 9);
	assert_memory_equal(answer.data + 9, status, 3);
	buf_free(&answer);
}

static void bad_requests_are_refused(void **state)
{
	static char many[20000], large[10000];
	(void)state;
	assert_status("GET", "POST", "405");
	assert_status("GET", "G@T", "400");
	assert_status("HTTP/1.1", "HTTP/1.0", "505");
	assert_status("HTTP/1.1", "SIP/2.0", "400");
	assert_status("GET / ", "GET /\x01 ", "400");
	assert_status("Host: edge.example.com\r\n", "", "400");
	assert_status("Host: edge.example.com\r\n", "Host: a\r\nHost: b\r\n", "400");
	assert_status("Upgrade: websocket", "Upgrade: h2c", "426");
	assert_status("Connection: Upgrade", "Connection: keep-alive", "426");
	assert_status("dGhlIHNhbXBsZSBub25jZQ==", "short", "400");
	assert_status("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=A", "400");
	assert_status("dGhlIHNhbXBsZSBub25jZQ==", "dGhl!HNhbXBsZSBub25jZQ==", "400");
	assert_status("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400");
	assert_status("Protocol: sip", "Protocol: chat, sips", "400");
	assert_status("Version: 13", "Version: 8", "426");
	assert_status("Origin: https", "Origin: x\r\nOrigin: https", "400");
	assert_status("Origin: https", "Content-Length: 5\r\nOrigin: https", "400");
	assert_status("Origin: https", "Transfer-Encoding: chunked\r\nOrigin: https", "400");
	assert_status("Origin: https", " folded: x\r\nOrigin: https", "400");
	assert_status("Origin: https", "Ori gin: https", "400");
	assert_status("Origin: https", "no colon\r\nOrigin: https", "400");
	for (size_t i = 0; i < 100; i++)
		strcat(many, "X: y\r\n");
	strcat(many, "Origin: https");
	assert_status("Origin: https", many, "400");
	memset(large, 'x', sizeof(large) - 1);
	assert_status("edge.example.com", large, "431");
	struct buf answer;
	assert_int_equal(read_request("\x16\x03\x01", NULL, &answer), -ERR_DENIED);
	buf_free(&answer);
}

static void origins_are_chosen(void **state)
{
	static const char *const origins[] = {"https://other.example.com",
					      "https://PHONE.example.com"};
	struct upgrade_policy policy = {origins, 2};
	struct buf answer;
	(void)state;
	assert_int_equal(read_request(REQUEST, &policy, &answer), 0);
	buf_free(&answer);
	policy.origin_count = 1;
	assert_int_equal(read_request(REQUEST, &policy, &answer), -ERR_DENIED);
	assert_non_null(strstr(answer.data, " 403 "));
	buf_free(&answer);
}

/* --- over sockets --- */

static int open_websocket(struct bench *b)
{
	char text[512];
	int fd = bench_connect_to(&b->ws);
	bench_write(fd, REQUEST);
	bench_run(b, 20);
	ssize_t n = read(fd, text, sizeof(text));
	assert_true(n > 12 && memcmp(text, "HTTP/1.1 101", 12) == 0);
	return fd;
}

static void write_frame(int fd, unsigned char first, struct slice payload)
{
	struct buf frame;
	buf_init(&frame);
	add_frame(&frame, first, payload);
	assert_int_equal(write(fd, frame.data, frame.len), (ssize_t)frame.len);
	buf_free(&frame);
}

static void messages_go_both_ways(void **state)
{
	static struct bench b;
	char text[512];
	(void)state;
	bench_open(&b, NULL, 0);
	b.echo = true;
	int fd = open_websocket(&b);
	write_frame(fd, 0x81, slice_from(options));
	bench_wait(&b, 1);
	assert_int_equal(b.path.transport, SIP_WS);
	assert_int_equal(b.last_len, strlen(options));
	bench_run(&b, 10);
	assert_int_equal(read(fd, text, sizeof(text)), (ssize_t)strlen(options) + 2);
	assert_int_equal((unsigned char)text[0], 0x81);
	write_frame(fd, 0x89, SLICE("are you there"));
	write_frame(fd, 0x81, SLICE("\r\n\r\n"));
	bench_run(&b, 20);
	assert_int_equal(read(fd, text, sizeof(text)), 15 + 4);
	assert_memory_equal(text,
			    "\x8a\x0d"
			    "are you there\x81\x02\r\n",
			    19);
	assert_int_equal(b.received, 1);
	write_frame(fd, 0x88, SLICE("\x03\xe8"));
	bench_run(&b, 20);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_memory_equal(text, "\x88\x02\x03\xe8", 4);
	assert_int_equal(read(fd, text, sizeof(text)), 0);
	/* Nobody can be called back by opening one. */
	struct transport_path gone = b.path;
	close(fd);
	bench_run(&b, 20);
	assert_int_equal(COUNTER(&b, connections), 0);
	assert_int_equal(transport_send(b.transport, &gone, slice_from(options), 7), -ERR_CLOSED);
	bench_close(&b);
}

static void bad_input_gets_its_status_and_the_end(void **state)
{
	static struct bench b;
	char text[512];
	(void)state;
	bench_open(&b, NULL, 0);
	int fd = open_websocket(&b);
	bench_write(fd, "\x81\x05hello");
	bench_run(&b, 20);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_memory_equal(text, "\x88\x02\x03\xea", 4);
	assert_int_equal(read(fd, text, sizeof(text)), 0);
	close(fd);
	fd = bench_connect_to(&b.ws);
	bench_write(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	bench_run(&b, 20);
	ssize_t n = read(fd, text, sizeof(text));
	assert_true(n > 12 && memcmp(text, "HTTP/1.1 426", 12) == 0);
	assert_int_equal(read(fd, text, sizeof(text)), 0);
	close(fd);
	fd = bench_connect_to(&b.ws);
	for (size_t i = 0; i < strlen(REQUEST) - 1; i++) {
		assert_int_equal(write(fd, &(REQUEST)[i], 1), 1);
		bench_run(&b, 0);
	}
	bench_write(fd, "\n");
	bench_run(&b, 20);
	n = read(fd, text, sizeof(text));
	assert_true(n > 12 && memcmp(text, "HTTP/1.1 101", 12) == 0);
	close(fd);
	bench_run(&b, 20);
	assert_int_equal(COUNTER(&b, connections), 0);
	assert_int_equal(COUNTER(&b, not_upgraded), 1);
	bench_close(&b);
}

static void half_a_request_or_message_ends_in_time(void **state)
{
	static struct bench b;
	struct transport_timers timers = transport_timers_default;
	(void)state;
	timers.first_ms = 150;
	timers.partial_ms = 200;
	bench_open(&b, &timers, 0);
	int half = bench_connect_to(&b.ws);
	bench_write(half, "GET / HTTP/1.1\r\nHost:");
	int fd = open_websocket(&b);
	write_frame(fd, 0x81, slice_from(options));
	bench_wait(&b, 1);
	bench_run(&b, 250);
	assert_int_equal(COUNTER(&b, connections), 1);
	write_frame(fd, 0x01, SLICE("OPT"));
	for (int i = 0; i < 10; i++) { /* a piece now and then does not help */
		bench_run(&b, 30);
		if (COUNTER(&b, connections))
			write_frame(fd, 0x00, SLICE("I"));
	}
	assert_int_equal(COUNTER(&b, connections), 0);
	assert_int_equal(COUNTER(&b, timed_out), 2);
	close(fd);
	close(half);
	bench_close(&b);
}

static void stun_is_answered_beside_sip(void **state)
{
	static const char request[] = "\x00\x01\x00\x00\x21\x12\xa4\x42"
				      "abcdefghijkl";
	static struct bench b;
	char text[128];
	(void)state;
	bench_open(&b, NULL, 0);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_storage sa;
		struct timeval limit = {.tv_sec = 2};
		socklen_t len = addr_to_sockaddr(i ? &b.stun : &b.udp, &sa);
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
		(void)!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		assert_int_equal(write(fd, request, 20), 20);
		bench_run(&b, 10);
		assert_int_equal(read(fd, text, sizeof(text)), 32);
		assert_memory_equal(text, "\x01\x01\x00\x0c", 4);
		bench_write(fd, options); /* SIP is for the port of SIP */
		bench_run(&b, 10);
		assert_int_equal(b.received, 1);
		b.deny = true;
		assert_int_equal(write(fd, request, 20), 20);
		bench_run(&b, 10);
		assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
		b.deny = false;
		close(fd);
	}
	assert_int_equal(COUNTER(&b, stun), 2);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_in_frames_of_any_cut),
		cmocka_unit_test(long_messages_are_bounded),
		cmocka_unit_test(what_breaks_the_rules_ends_it),
		cmocka_unit_test(frames_are_written_as_a_server_does),
		cmocka_unit_test(the_rfcs_request_is_answered),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(origins_are_chosen),
		cmocka_unit_test(messages_go_both_ways),
		cmocka_unit_test(bad_input_gets_its_status_and_the_end),
		cmocka_unit_test(half_a_request_or_message_ends_in_time),
		cmocka_unit_test(stun_is_answered_beside_sip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
