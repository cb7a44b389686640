/* worst.c - what the most expensive messages of 16 and 64 KB cost: CPU time of the pre-scan and
 * parse, of the look at every list member, and of what is done with headers and body before they
 * go to the other side. Says which shape is the worst; ends with 1 when one is above the limit in
 * microseconds (argument; 1000), or grows faster than its length.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "control/sdp/sdp.h"
#include "sbc/message/message.h"
#include "sbc/topology/bodies.h"
#include "sbc/topology/body.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/multipart.h"

enum { SMALL = 16384, LARGE = 65536, RUNS = 15, GROWTH_MAX = 8 };

#define HEAD                                                                                       \
	"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKworst\r\n"                                       \
	"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\n"                     \
	"Call-ID: worst@192.0.2.1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"

struct shape {
	const char *name;
	const char *before; /* header lines in front of what is repeated */
	const char *unit;   /* repeated until the message is full; %u counts */
	const char *after;  /* behind it, up to the end of its line */
	const char *type;  /* of the body, or "URI" (the Request-URI): then the three stand there */
	unsigned int most; /* repetitions; 0 = as many as fit */
};

#define SDP_HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
#define FILL50   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define FILL200  FILL50 FILL50 FILL50 FILL50

static const struct shape shapes[] = {
	{"short headers", "", "X: %u\r\n", "", NULL, 0},
	{"190 long headers", "", "X-%u: " FILL200 FILL50 FILL50 "\r\n", "", NULL, 190},
	{"one header", "X: ", "abcdefghij%u", "\r\n", NULL, 0},
	{"folds", "X: a", "\r\n a", "\r\n", NULL, 0},
	{"folds of a Contact", "Contact: <sip:a@b>", "\r\n ;p%u=1", "\r\n", NULL, 60},
	{"folds of blanks", "Subject: a", "\r\n \t \t \t", "\r\n", NULL, 0},
	{"blanks", "Subject: a", "          ", "b\r\n", NULL, 0},
	{"Via lines", "", "Via: SIP/2.0/UDP 192.0.2.%u;branch=z9hG4bK" FILL200 "\r\n", "", NULL,
	 63},
	{"Vias in a line", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx",
	 ", SIP/2.0/UDP h%u;branch=z9hG4bK", "\r\n", NULL, 0},
	{"Via parameters", "Via: SIP/2.0/UDP 192.0.2.1", ";p%u=v", "\r\n", NULL, 0},
	{"long Via parameter", "Via: SIP/2.0/UDP 192.0.2.1;p=", "abcdefgh%u", "\r\n", NULL, 0},
	{"Route lines", "", "Route: <sip:h%u.example.com;lr;x=" FILL200 FILL200 FILL200 ">\r\n", "",
	 NULL, 63},
	{"Routes in a line", "Route: <sip:a;lr>", ", <sip:h%u;lr>", "\r\n", NULL, 0},
	{"Record-Routes", "Record-Route: <sip:a;lr>",
	 ", <sip:h%u;lr;x=" FILL200 FILL200 FILL200 ">", "\r\n", NULL, 63},
	{"Contact parameters", "Contact: <sip:a@b>", ";p%u=v", "\r\n", NULL, 0},
	{"long Contacts", "Contact: <sip:a@b>",
	 ", \"" FILL200 FILL200 "\" <sip:u%u@h;x=" FILL200 FILL200 ">;q=0.5;y=" FILL50, "\r\n",
	 NULL, 62},
	{"quoted string", "Contact: \"", "\\\"\\\\", "\" <sip:a@b>\r\n", NULL, 0},
	{"open quote", "X: \"", "\\\"", "\r\n", NULL, 0},
	{"quotes in From", "P-Asserted-Identity: \"", "a\\\"b, <sip:%u>", "\" <sip:a@b>\r\n", NULL,
	 0},
	{"escapes", "Contact: <sip:", "%%41", "@b>\r\n", NULL, 0},
	{"URI parameters", "Contact: <sip:a@b", ";p%u=%%41", ">\r\n", NULL, 0},
	{"URI headers", "Contact: <sip:a@b?x=y", "&h%u=%%41", ">\r\n", NULL, 0},
	{"Refer-To headers", "Refer-To: <sip:a@b?Replaces=", "%%3Bto-tag%%3D%u", ">\r\n", NULL, 0},
	{"commas", "Accept: a/b", ",a/b", "\r\n", NULL, 0},
	{"empty members", "Supported: a", ",", "\r\n", NULL, 0},
	{"Allow", "Allow: A", ",A%u", "\r\n", NULL, 0},
	{"digest fields", "Authorization: Digest username=\"a\"", ",f%u=\"v\"", "\r\n", NULL, 0},
	{"digest lines", "", "Authorization: Digest username=\"" FILL200 FILL50 "%u\"\r\n", "",
	 NULL, 190},
	{"identities", "", "P-Asserted-Identity: \"" FILL200 "\" <sip:u%u@192.0.2.1>\r\n", "", NULL,
	 60},
	{"diversions", "", "Diversion: <sip:u%u@192.0.2.1;x=" FILL200 FILL50 ">;reason=busy\r\n",
	 "", NULL, 60},
	{"histories", "", "History-Info: <sip:u%u@192.0.2.1?Reason=" FILL200 ">;index=1\r\n", "",
	 NULL, 60},
	{"warnings", "", "Warning: 399 192.0.2.1:5060 \"" FILL200 FILL50 "%u\"\r\n", "", NULL, 60},
	{"comments", "User-Agent: a ", "(", "\r\n", NULL, 0},
	{"Request-URI", "sip:a", "bcdef", "@b", "URI", 0},
	{"Request-URI escapes", "sip:a", "%%41", "@b", "URI", 0},
	{"Request-URI few escapes", "sip:%41%41%41%41%41%41%41%41", "bcdef", "@b", "URI", 0},
	{"Request-URI parameters", "sip:a@b", ";p%u", "", "URI", 0},
	{"64 URI parameters", "sip:a@b", ";p%u=" FILL200 FILL200 FILL200 FILL200, "", "URI", 60},
	{"64 URI headers", "Contact: <sip:a@b?x=y", "&h%u=" FILL200 FILL200 FILL200, ">\r\n", NULL,
	 60},
	{"a= lines", SDP_HEAD "m=audio 4 RTP/AVP 0\r\n", "a=x:%u\r\n", "", "application/sdp", 0},
	{"190 long a= lines", SDP_HEAD "m=audio 4 RTP/AVP 0\r\n",
	 "a=fmtp:%u " FILL200 FILL50 FILL50 "\r\n", "", "application/sdp", 190},
	{"candidates", SDP_HEAD "m=audio 4 RTP/AVP 0\r\n",
	 "a=candidate:%u 1 UDP 2130706431 192.0.2.1 4 typ host\r\n", "", "application/sdp", 0},
	{"m= lines", SDP_HEAD, "m=audio %u RTP/AVP 0\r\n", "", "application/sdp", 0},
	{"payload types", SDP_HEAD "m=audio 4 RTP/AVP 0", " %u", "\r\n", "application/sdp", 0},
	{"line without an end", SDP_HEAD "a=", "abcdefg", "", "application/sdp", 0},
	{"short lines", "", "v\r\n", "", "application/sdp", 0},
	{"parts", "", "--b\r\n\r\n%u\r\n", "--b--", "multipart/mixed;boundary=b", 0},
	{"almost boundaries", "--b\r\n\r\n", "\r\n--", "\r\n--b--", "multipart/mixed;boundary=b",
	 0},
	{"dashes", "--b\r\n\r\n", "-", "\r\n--b--", "multipart/mixed;boundary=b", 0},
	{"headers of a part", "--b\r\n", "X: %u\r\n", "\r\nx\r\n--b--",
	 "multipart/mixed;boundary=b", 0},
	{"parts in parts", "--b\r\n", "Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n", "",
	 "multipart/mixed;boundary=b", 0},
	{"SDP in parts",
	 "--b\r\nContent-Type: application/sdp\r\n\r\n" SDP_HEAD "m=audio 4 RTP/AVP 0\r\n",
	 "a=x:%u\r\n", "\r\n--b--", "multipart/mixed;boundary=b", 0},
	{"XML elements", "<?xml version=\"1.0\"?><dialog-info>", "<a>", "",
	 "application/dialog-info+xml", 0},
	{"XML texts", "<?xml version=\"1.0\"?><dialog-info><a>", "sip:a@192.0.2.1 ",
	 "</a></dialog-info>", "application/dialog-info+xml", 0},
	{"XML attributes", "<?xml version=\"1.0\"?><dialog-info ", "a%u='sip:a@192.0.2.1' ",
	 "></dialog-info>", "application/dialog-info+xml", 0},
	{"XML entities", "<?xml version=\"1.0\"?><presence><a>", "&amp;&lt;", "</a></presence>",
	 "application/pidf+xml", 0},
	{"fragment", "SIP/2.0 200 OK\r\n", "Contact: <sip:a@192.0.2.%u>\r\n", "", "message/sipfrag",
	 0},
	{"summary", "Messages-Waiting: yes\r\n", "Message-Account: sip:a@192.0.2.%u\r\n", "",
	 "application/simple-message-summary", 0},
};

static void add(char *out, size_t *len, size_t size, const char *text)
{
	size_t count = strlen(text);

	if (*len + count > size)
		return;
	memcpy(out + *len, text, count);
	*len += count;
}

static size_t fill(const struct shape *shape, char *out, size_t size)
{
	char unit[1024];
	size_t len = 0;

	add(out, &len, size, shape->before);
	for (unsigned int n = 1; shape->most == 0 || n <= shape->most; n++) {
		/* The format is one of the table above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(unit, sizeof(unit), shape->unit, n);
#pragma GCC diagnostic pop
		if (len + strlen(unit) + strlen(shape->after) > size)
			break;
		add(out, &len, size, unit);
	}
	add(out, &len, size, shape->after);
	return len;
}

/* The whole message, at most `size` bytes. */
static size_t write_message(const struct shape *shape, char *out, size_t size)
{
	static char filled[LARGE];
	bool is_uri = shape->type && strcmp(shape->type, "URI") == 0;
	size_t len = 0;
	char tail[256];

	add(out, &len, size, "INVITE ");
	if (is_uri) {
		size_t count = fill(shape, filled, size - len - 400);
		memcpy(out + len, filled, count);
		len += count;
	} else {
		add(out, &len, size, "sip:bob@example.com");
	}
	add(out, &len, size, " SIP/2.0\r\n" HEAD);
	if (is_uri) {
		add(out, &len, size, "Content-Length: 0\r\n\r\n");
		return len;
	}
	if (!shape->type) {
		size_t count = fill(shape, filled, size - len - 64);
		memcpy(out + len, filled, count);
		len += count;
		add(out, &len, size, "Content-Length: 0\r\n\r\n");
		return len;
	}
	size_t count = fill(shape, filled, size - len - 160);
	snprintf(tail, sizeof(tail),
		 "Contact: <sip:a@b>\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		 shape->type, count);
	add(out, &len, size, tail);
	memcpy(out + len, filled, count);
	return len + count;
}

/* --- what is done with it --- */

static const struct config_interface side = {.name = "wan", .advertise_host = "sbc.example.com"};
static const struct config config = {.interfaces = &side, .interface_count = 1};

static void look_at_all(const struct message *message, struct buf *options)
{
	static const enum header_id lists[] = {HEADER_VIA,  HEADER_ROUTE,     HEADER_RECORD_ROUTE,
					       HEADER_PATH, HEADER_SUPPORTED, HEADER_REQUIRE};
	struct contact contact;
	struct slice member;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (size_t n = 0; message_member(message, lists[i], n, &member); n++)
			continue;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		(void)message_has_option(message, lists[i], SLICE("none"));
	headers_options(message, HEADER_SUPPORTED, options);
	for (size_t n = 0; message_contact(message, n, &contact); n++)
		continue;
}

static void hide(const struct message *message, struct arena *arena)
{
	struct body_rules rules = {.crossing = {.from_trusted = true, .way = {.config = &config}}};
	struct body_origin origin = {.session_id = 1};
	struct slice type = message_content_type(message), body = message_body(message);
	const char *reason;
	struct buf out;

	buf_init(&out);
	headers_copy(message, &rules.crossing, &out);
	struct slice sdp = multipart_sdp(type, body);
	if (sdp.len > 0 && body_hide(arena, sdp, &origin, &out, &reason) != 0)
		sdp = SLICE_NONE;
	if (bodies_rewrite(&rules, type, SLICE_NONE, body, &out) != 0)
		sdp = SLICE_NONE;
	buf_free(&out);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

struct cost {
	double parse_us;
	double whole_us;
	unsigned int status; /* the scanner's or parser's refusal; 0 = taken */
};

static struct cost measure_once(const char *text, size_t len, struct arena *arena)
{
	static char copy[LARGE];
	static struct scan scan;
	const struct scan_limits limits = {.message_max = LARGE, .stream = true};
	struct cost cost = {0};
	struct buf options;
	struct message *message;

	memcpy(copy, text, len);
	arena_reset(arena);
	double start = now_us();
	if (scan_message(copy, len, &limits, &scan) != SCAN_ACCEPT)
		cost.status = scan.reply_code ? scan.reply_code : 1;
	else if (message_parse(&scan, arena, &message) != 0)
		cost.status = 400;
	cost.parse_us = now_us() - start;
	if (!cost.status) {
		buf_init(&options);
		look_at_all(message, &options);
		buf_free(&options);
		hide(message, arena);
	}
	cost.whole_us = now_us() - start;
	return cost;
}

/* The best of some: what others take from this CPU is no cost of ours. */
static struct cost measure(const struct shape *shape, size_t size, struct arena *arena)
{
	static char text[LARGE];
	size_t len = write_message(shape, text, size);
	struct cost best = measure_once(text, len, arena);

	for (int run = 1; run < RUNS; run++) {
		struct cost cost = measure_once(text, len, arena);
		if (cost.parse_us < best.parse_us)
			best.parse_us = cost.parse_us;
		if (cost.whole_us < best.whole_us)
			best.whole_us = cost.whole_us;
	}
	return best;
}

int main(int argc, char **argv)
{
	double limit_us = argc > 1 ? atof(argv[1]) : 1000, worst_us = 0;
	const char *worst = "";
	struct arena *arena;
	int failed = 0;

	if (message_init() != 0 || arena_create(65536, 16 * 1024 * 1024, &arena) != 0)
		return 2;
	printf("%-22s %9s %9s %9s  %s\n", "shape", "parse 16K", "parse 64K", "whole 64K", "answer");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct cost small = measure(&shapes[i], SMALL, arena);
		struct cost large = measure(&shapes[i], LARGE, arena);
		bool is_over = large.whole_us > limit_us;
		bool is_steep = large.whole_us > limit_us / 10 &&
				large.whole_us > GROWTH_MAX * small.whole_us;
		printf("%-22s %9.1f %9.1f %9.1f  %u%s%s\n", shapes[i].name, small.parse_us,
		       large.parse_us, large.whole_us, large.status, is_over ? "  TOO MUCH" : "",
		       is_steep ? "  TOO STEEP" : "");
		failed |= is_over || is_steep;
		if (large.whole_us > worst_us) {
			worst_us = large.whole_us;
			worst = shapes[i].name;
		}
	}
	printf("worst: %s, %.0f us\n", worst, worst_us);
	arena_destroy(arena);
	return failed;
}
