/* callgen.c - SIP calls through an edge: phone and PBX in one thread, over UDP, with RFC 3261's
 * retransmissions (T1 0.5 s), done and counted. Receive times are the kernel's.
 *
 * usage: callgen EDGE-IP PHONE-IP PBX-IP RATE CALLS HOLD-MS RING-MS
 *        callgen EDGE-IP PHONE-IP PBX-IP RATE PHONES register
 * INVITE with SDP, 180, 200 after RING-MS, ACK, BYE after HOLD-MS, 200; or one REGISTER of each
 * phone, answered 200 by the PBX. One JSON line at the end; exit 0 when none failed. The phone
 * claims a private address (192.168.7.10), as behind a NAT.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 32, MESSAGE = 16384, RETRANSMIT_MAX = 7 };
#define MS      1000000ull
#define T1      (500 * MS)
#define T2      (4000 * MS)
#define GIVE_UP (32000 * MS)

enum call_state {
	CALL_NEW,
	CALL_INVITED,
	CALL_RINGING,
	CALL_TALKING,
	CALL_ENDING,
	CALL_DONE,
	CALL_FAILED
};

struct call { /* the phone's side */
	enum call_state state;
	uint64_t invited, answered, hang_up, bye_sent, ended; /* ns */
	uint64_t retransmit_at;
	unsigned retransmissions;
	char *target, *to_tag, *routes;
};

enum leg_state { LEG_RINGING, LEG_ANSWERED, LEG_CONFIRMED, LEG_ENDED };

struct leg { /* the PBX's side */
	enum leg_state state;
	uint64_t answer_at, retransmit_at;
	unsigned retransmissions;
	char *call_id, *ok;
	size_t ok_len;
	int next; /* in its hash bucket, -1 = none */
};

struct generator {
	const char *edge, *phone, *pbx;
	struct sockaddr_in edge_addr, pbx_side; /* the edge's two faces */
	int phone_fd, pbx_fd;
	double rate;
	unsigned calls, hold_ms, ring_ms, run;
	struct call *call;
	struct leg *leg;
	int *bucket;
	unsigned legs, mask, started, live, live_max, ok, failed;
	unsigned again_invite, again_bye, again_ok, repeats_seen, strays;
	unsigned reordered; /* 180 behind its 200 */
	bool registers;     /* no calls, REGISTERs */
};

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The value of a header after `from` (NULL = from the top); where it was found goes to *at. */
static bool header(const char *message, const char *name, const char *from, const char **value,
		   int *len, const char **at)
{
	size_t n = strlen(name);
	for (const char *line = strstr(from ? from : message, "\r\n");
	     line && line[2] && line[2] != '\r';) {
		line += 2;
		const char *end = strstr(line, "\r\n");
		if (!end)
			return false;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
			for (line += n + 1; *line == ' ';)
				line++;
			*value = line;
			*len = (int)(end - line);
			if (at)
				*at = end;
			return true;
		}
		line = end;
	}
	return false;
}

static char *copy(const char *text, size_t len)
{
	char *out = malloc(len + 1);
	if (!out)
		exit(1);
	memcpy(out, text, len);
	out[len] = '\0';
	return out;
}

static unsigned hash(const char *text, int len)
{
	unsigned h = 5381;
	for (int i = 0; i < len; i++)
		h = h * 33 ^ (unsigned char)text[i];
	return h;
}

static void transmit(int fd, const char *data, size_t len, const struct sockaddr_in *to)
{
	while (sendto(fd, data, len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	       (errno == EAGAIN || errno == ENOBUFS))
		;
}

/* --- the phone --- */

static const char phone_sdp[] =
	"v=0\r\no=alice 1 1 IN IP4 192.168.7.10\r\ns=-\r\nc=IN IP4 192.168.7.10\r\nt=0 0\r\n"
	"m=audio 20000 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

static void send_invite(struct generator *g, unsigned i)
{
	char out[2048];
	int n = snprintf(out, sizeof(out),
			 "INVITE sip:1000@example.net SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP "
			 "192.168.7.10:5060;branch=z9hG4bKg%ux1r%u;rport\r\nMax-Forwards: 70\r\n"
			 "From: \"Alice\" <sip:alice%u@example.net>;tag=%ua%u\r\nTo: "
			 "<sip:1000@example.net>\r\n"
			 "Call-ID: c%u-%u@bench\r\nCSeq: 1 INVITE\r\nContact: "
			 "<sip:alice@192.168.7.10:5060;transport=udp>\r\n"
			 "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, "
			 "SUBSCRIBE, UPDATE, PRACK\r\n"
			 "Supported: replaces, timer, path\r\nUser-Agent: BenchPhone 1.0\r\n"
			 "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
			 i, g->run, i, g->run, i, i, g->run, (int)strlen(phone_sdp), phone_sdp);
	transmit(g->phone_fd, out, (size_t)n, &g->edge_addr);
}

static void send_register(struct generator *g, unsigned i)
{
	char out[1024];
	int n = snprintf(
		out, sizeof(out),
		"REGISTER sip:example.net SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.168.7.10:5060;branch=z9hG4bKg%ux1r%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:u%u@example.net>;tag=%ua%u\r\n"
		"To: <sip:u%u@example.net>\r\nCall-ID: r%u-%u@bench\r\n"
		"CSeq: 1 REGISTER\r\nContact: <sip:u%u@192.168.7.10:5060;transport=udp>\r\n"
		"Expires: 600\r\nContent-Length: 0\r\n\r\n",
		i, g->run, i, g->run, i, i, i, g->run, i);
	transmit(g->phone_fd, out, (size_t)n, &g->edge_addr);
}

static void send_first(struct generator *g, unsigned i)
{
	g->registers ? send_register(g, i) : send_invite(g, i);
}

static void send_in_dialog(struct generator *g, unsigned i, const char *method, unsigned cseq)
{
	const struct call *call = &g->call[i];
	char out[4096];
	int n = snprintf(
		out, sizeof(out),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP "
		"192.168.7.10:5060;branch=z9hG4bKg%ux%ur%u;rport\r\n%s"
		"Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice%u@example.net>;tag=%ua%u\r\n"
		"To: <sip:1000@example.net>%s\r\nCall-ID: c%u-%u@bench\r\nCSeq: %u "
		"%s\r\nContent-Length: 0\r\n\r\n",
		method, call->target ? call->target : "sip:1000@example.net", i,
		method[0] == 'A' ? 2 : 3, g->run, call->routes ? call->routes : "", i, g->run, i,
		call->to_tag ? call->to_tag : "", i, g->run, cseq, method);
	transmit(g->phone_fd, out, (size_t)n, &g->edge_addr);
}

static void finish(struct generator *g, unsigned i, bool good)
{
	struct call *call = &g->call[i];
	call->state = good ? CALL_DONE : CALL_FAILED;
	good ? g->ok++ : g->failed++;
	g->live--;
	free(call->target);
	free(call->to_tag);
	free(call->routes);
	call->target = call->to_tag = call->routes = NULL;
}

/* The 200's Contact, To tag and Record-Route, reversed: the dialog (RFC 3261 12.1.2). */
static void learn_dialog(struct call *call, const char *message)
{
	const char *value, *at = NULL, *route[8];
	int len, route_len[8], routes = 0;
	char out[4096];
	size_t used = 0;

	if (header(message, "Contact", NULL, &value, &len, NULL)) {
		const char *open = memchr(value, '<', (size_t)len),
			   *close = open ? strchr(open, '>') : NULL;
		if (close)
			call->target = copy(open + 1, (size_t)(close - open - 1));
	}
	if (header(message, "To", NULL, &value, &len, NULL)) {
		const char *tag = memmem(value, (size_t)len, ";tag=", 5);
		if (tag)
			call->to_tag = copy(tag, (size_t)(value + len - tag));
	}
	while (routes < 8 && header(message, "Record-Route", at, &value, &len, &at)) {
		route[routes] = value;
		route_len[routes++] = len;
	}
	for (int i = routes - 1; i >= 0; i--)
		used += (size_t)snprintf(out + used, sizeof(out) - used, "Route: %.*s\r\n",
					 route_len[i], route[i]);
	if (routes)
		call->routes = copy(out, used);
}

static void on_invite_reply(struct generator *g, unsigned i, int code, const char *message,
			    uint64_t at)
{
	struct call *call = &g->call[i];

	if (call->state >= CALL_DONE)
		return;
	if (code < 200) {
		if (call->state == CALL_INVITED)
			call->state = CALL_RINGING;
		g->reordered += call->state == CALL_TALKING;
	} else if (code < 300) {
		if (call->state < CALL_TALKING) {
			call->answered = at;
			call->hang_up = at + g->hold_ms * MS;
			call->state = CALL_TALKING;
			learn_dialog(call, message);
		} else {
			g->repeats_seen++;
		}
		send_in_dialog(g, i, "ACK", 1);
	} else {
		fprintf(stderr, "call %u: %.40s\n", i, message);
		send_in_dialog(g, i, "ACK", 1);
		finish(g, i, false);
	}
}

static void phone_receive(struct generator *g, const char *message, uint64_t at)
{
	const char *via;
	int len;
	unsigned i, step, run;

	if (strncmp(message, "SIP/2.0 ", 8) != 0 ||
	    !header(message, "Via", NULL, &via, &len, NULL)) {
		g->strays++;
		return;
	}
	int code = atoi(message + 8);
	const char *branch = memmem(via, (size_t)len, "z9hG4bKg", 8);
	if (!branch || sscanf(branch + 8, "%ux%ur%u", &i, &step, &run) != 3 || run != g->run ||
	    i >= g->calls)
		return;
	struct call *call = &g->call[i];
	if (step == 1 && g->registers) {
		if (code < 200 || call->state != CALL_INVITED)
			return;
		call->answered = at;
		finish(g, i, code < 300);
	} else if (step == 1) {
		on_invite_reply(g, i, code, message, at);
	} else if (step == 3 && code >= 200 && call->state == CALL_ENDING) {
		call->ended = at;
		finish(g, i, code < 300);
	}
}

/* --- the PBX --- */

static size_t write_reply(const struct generator *g, char *out, size_t size, const char *request,
			  const char *status, unsigned tag, const char *body)
{
	const char *value, *at = NULL;
	int len;
	size_t n = (size_t)snprintf(out, size, "SIP/2.0 %s\r\n", status);

	while (header(request, "Via", at, &value, &len, &at))
		n += (size_t)snprintf(out + n, size - n, "Via: %.*s\r\n", len, value);
	for (at = NULL; header(request, "Record-Route", at, &value, &len, &at);)
		n += (size_t)snprintf(out + n, size - n, "Record-Route: %.*s\r\n", len, value);
	for (const char *const *name = (const char *const[]){"From", "Call-ID", "CSeq", NULL};
	     *name; name++)
		if (header(request, *name, NULL, &value, &len, NULL))
			n += (size_t)snprintf(out + n, size - n, "%s: %.*s\r\n", *name, len, value);
	if (header(request, "To", NULL, &value, &len, NULL)) {
		n += (size_t)snprintf(out + n, size - n, "To: %.*s", len, value);
		if (!memmem(value, (size_t)len, "tag=", 4))
			n += (size_t)snprintf(out + n, size - n, ";tag=%ub%u", g->run, tag);
	}
	if (g->registers && header(request, "Contact", NULL, &value, &len, NULL))
		n += (size_t)snprintf(out + n, size - n, "\r\nContact: %.*s;expires=600\r\n", len,
				      value);
	else
		n += (size_t)snprintf(out + n, size - n,
				      "\r\nContact: <sip:pbx@%s:5060;transport=udp>\r\n", g->pbx);
	if (body)
		n += (size_t)snprintf(out + n, size - n, "Content-Type: application/sdp\r\n");
	n += (size_t)snprintf(out + n, size - n, "Content-Length: %zu\r\n\r\n%s",
			      body ? strlen(body) : 0, body ? body : "");
	return n;
}

static void pbx_invite(struct generator *g, const char *message, uint64_t at)
{
	const char *id;
	int len;
	char out[8192], body[512];

	if (!header(message, "Call-ID", NULL, &id, &len, NULL))
		return;
	int *bucket = &g->bucket[hash(id, len) & g->mask];
	for (int k = *bucket; k >= 0; k = g->leg[k].next) {
		if (strncmp(g->leg[k].call_id, id, (size_t)len) == 0 && !g->leg[k].call_id[len]) {
			g->repeats_seen++;
			return;
		}
	}
	if (g->legs >= g->calls * 2)
		return;
	unsigned k = g->legs++;
	struct leg *leg = &g->leg[k];
	leg->call_id = copy(id, (size_t)len);
	leg->next = *bucket;
	*bucket = (int)k;
	leg->state = LEG_RINGING;
	leg->answer_at = at + g->ring_ms * MS;
	snprintf(body, sizeof(body),
		 "v=0\r\no=pbx 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 30000 "
		 "RTP/AVP 8 101\r\n"
		 "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 "
		 "0-16\r\na=ptime:20\r\n",
		 g->pbx, g->pbx);
	size_t n = write_reply(g, out, sizeof(out), message, "180 Ringing", k, NULL);
	transmit(g->pbx_fd, out, n, &g->pbx_side);
	leg->ok_len = write_reply(g, out, sizeof(out), message, "200 OK", k, body);
	leg->ok = copy(out, leg->ok_len);
}

static void pbx_receive(struct generator *g, const char *message, uint64_t at,
			const struct sockaddr_in *from)
{
	const char *to;
	int len;
	char mark[32], out[8192];

	g->pbx_side = *from;
	if (strncmp(message, "INVITE ", 7) == 0) {
		pbx_invite(g, message, at);
		return;
	}
	int n = snprintf(mark, sizeof(mark), "tag=%ub", g->run);
	const char *tag = header(message, "To", NULL, &to, &len, NULL)
				  ? memmem(to, (size_t)len, mark, (size_t)n)
				  : NULL;
	unsigned k = tag ? (unsigned)strtoul(tag + n, NULL, 10) : g->legs;
	if (k >= g->legs) {
		if (strncmp(message, "OPTIONS ", 8) == 0 || /* health checks of the edge */
		    (g->registers && strncmp(message, "REGISTER ", 9) == 0))
			transmit(g->pbx_fd, out,
				 write_reply(g, out, sizeof(out), message, "200 OK", 0, NULL),
				 from);
		else
			g->strays++;
		return;
	}
	struct leg *leg = &g->leg[k];
	if (strncmp(message, "ACK ", 4) == 0) {
		if (leg->state == LEG_ANSWERED)
			leg->state = LEG_CONFIRMED;
	} else if (strncmp(message, "BYE ", 4) == 0) {
		g->repeats_seen += leg->state == LEG_ENDED;
		leg->state = LEG_ENDED;
		transmit(g->pbx_fd, out,
			 write_reply(g, out, sizeof(out), message, "200 OK", k, NULL), from);
	}
}

/* --- time --- */

static uint64_t backoff(unsigned count)
{
	uint64_t wait = T1 << count;
	return wait > T2 ? T2 : wait;
}

static void phone_timers(struct generator *g, unsigned i, uint64_t now)
{
	struct call *call = &g->call[i];

	if (call->state == CALL_TALKING && call->hang_up <= now) {
		call->state = CALL_ENDING;
		call->bye_sent = now;
		call->retransmissions = 0;
		call->retransmit_at = now + T1;
		send_in_dialog(g, i, "BYE", 2);
	} else if (call->state == CALL_RINGING && now - call->invited > GIVE_UP) {
		finish(g, i, false);
	} else if ((call->state == CALL_INVITED || call->state == CALL_ENDING) &&
		   call->retransmit_at <= now) {
		if (++call->retransmissions > RETRANSMIT_MAX) {
			finish(g, i, false);
			return;
		}
		call->retransmit_at =
			now + (call->state == CALL_INVITED ? T1 << call->retransmissions
							   : backoff(call->retransmissions));
		if (call->state == CALL_INVITED) {
			g->again_invite++;
			send_first(g, i);
		} else {
			g->again_bye++;
			send_in_dialog(g, i, "BYE", 2);
		}
	}
}

static void pbx_timers(struct generator *g, struct leg *leg, uint64_t now)
{
	bool first = leg->state == LEG_RINGING && leg->answer_at <= now;

	if (!first && !(leg->state == LEG_ANSWERED && leg->retransmit_at <= now))
		return;
	if (!first && ++leg->retransmissions > RETRANSMIT_MAX) {
		leg->state = LEG_ENDED;
		return;
	}
	g->again_ok += !first;
	leg->state = LEG_ANSWERED;
	leg->retransmit_at = now + backoff(leg->retransmissions);
	transmit(g->pbx_fd, leg->ok, leg->ok_len, &g->pbx_side);
}

static int open_socket(const char *ip)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 8 << 20, one = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5060)};

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	if (inet_aton(ip, &at.sin_addr) == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror(ip);
		exit(2);
	}
	return fd;
}

static int receive(struct generator *g, int fd)
{
	static char data[BURST][MESSAGE];
	struct mmsghdr messages[BURST];
	struct iovec vectors[BURST];
	struct sockaddr_in from[BURST];
	char control[BURST][64];

	for (int i = 0; i < BURST; i++) {
		vectors[i] = (struct iovec){data[i], MESSAGE - 1};
		messages[i].msg_hdr = (struct msghdr){&from[i], sizeof(from[i]), &vectors[i],
						      1,        control[i],      sizeof(control[i]),
						      0};
	}
	int n = recvmmsg(fd, messages, BURST, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		uint64_t at = now_ns();
		struct cmsghdr *c = CMSG_FIRSTHDR(&messages[i].msg_hdr);
		if (c && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			at = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
		}
		data[i][messages[i].msg_len] = '\0';
		if (messages[i].msg_len < 12)
			continue;
		if (fd == g->phone_fd)
			phone_receive(g, data[i], at);
		else
			pbx_receive(g, data[i], at, &from[i]);
	}
	return n;
}

static void run(struct generator *g)
{
	uint64_t start = now_ns(), scanned = 0, all_started = 0;
	struct pollfd fds[2] = {{g->phone_fd, POLLIN, 0}, {g->pbx_fd, POLLIN, 0}};

	for (;;) {
		uint64_t now = now_ns();
		while (g->started < g->calls &&
		       start + (uint64_t)(g->started / g->rate * 1e9) <= now) {
			struct call *call = &g->call[g->started];
			call->state = CALL_INVITED;
			call->invited = now_ns();
			call->retransmit_at = call->invited + T1;
			send_first(g, g->started++);
			if (++g->live > g->live_max)
				g->live_max = g->live;
		}
		if (poll(fds, 2, 1) > 0)
			for (int i = 0;
			     i < 64 && (receive(g, g->pbx_fd) > 0 || receive(g, g->phone_fd) > 0);
			     i++)
				;
		now = now_ns();
		if (now - scanned >= MS) {
			scanned = now;
			for (unsigned i = 0; i < g->started; i++)
				phone_timers(g, i, now);
			for (unsigned i = 0; i < g->legs; i++)
				pbx_timers(g, &g->leg[i], now);
		}
		if (g->started == g->calls && !all_started)
			all_started = now;
		if (all_started && (g->live == 0 || now - all_started > GIVE_UP + g->hold_ms * MS))
			return;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void print_result(struct generator *g)
{
	uint64_t *setup = calloc(g->calls, sizeof(*setup));
	unsigned n = 0;

	for (unsigned i = 0; setup && i < g->calls; i++) {
		const struct call *call = &g->call[i];
		g->failed += call->state > CALL_NEW && call->state < CALL_DONE; /* never ended */
		if (call->answered > call->invited + g->ring_ms * MS)
			setup[n++] = call->answered - call->invited - g->ring_ms * MS;
	}
	qsort(setup, n, sizeof(*setup), compare);
	printf("{\"calls\": %u, \"ok\": %u, \"failed\": %u, \"live_max\": %u, \"again_invite\": "
	       "%u, \"again_bye\": %u, "
	       "\"again_ok\": %u, \"repeats_seen\": %u, \"reordered\": %u, \"strays\": %u, "
	       "\"setup_p50_ms\": %.3f, "
	       "\"setup_p99_ms\": %.3f}\n",
	       g->calls, g->ok, g->failed, g->live_max, g->again_invite, g->again_bye, g->again_ok,
	       g->repeats_seen, g->reordered, g->strays, n ? (double)setup[n / 2] / 1e6 : 0,
	       n ? (double)setup[n * 99 / 100] / 1e6 : 0);
	free(setup);
}

int main(int argc, char **argv)
{
	bool registers = argc == 7 && strcmp(argv[6], "register") == 0;
	if (argc != 8 && !registers) {
		fprintf(stderr,
			"usage: callgen EDGE-IP PHONE-IP PBX-IP RATE CALLS HOLD-MS RING-MS\n"
			"       callgen EDGE-IP PHONE-IP PBX-IP RATE PHONES register\n");
		return 2;
	}
	struct generator g = {.edge = argv[1],
			      .phone = argv[2],
			      .pbx = argv[3],
			      .rate = atof(argv[4]),
			      .calls = (unsigned)atoi(argv[5]),
			      .hold_ms = registers ? 0 : (unsigned)atoi(argv[6]),
			      .ring_ms = registers ? 0 : (unsigned)atoi(argv[7]),
			      .registers = registers,
			      .run = (unsigned)(now_ns() / MS % 100000000)};
	g.edge_addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5060)};
	inet_aton(g.edge, &g.edge_addr.sin_addr);
	g.phone_fd = open_socket(g.phone);
	g.pbx_fd = open_socket(g.pbx);
	for (g.mask = 1; g.mask < g.calls * 2;)
		g.mask <<= 1;
	g.call = calloc(g.calls, sizeof(*g.call));
	g.leg = calloc((size_t)g.calls * 2 + 1, sizeof(*g.leg));
	g.bucket = malloc(g.mask * sizeof(*g.bucket));
	if (!g.call || !g.leg || !g.bucket)
		return 1;
	memset(g.bucket, 0xff, g.mask * sizeof(*g.bucket));
	g.mask--;
	run(&g);
	print_result(&g);
	return g.failed ? 1 : 0;
}
