/* crowd.c - the crowd's main: lines in, lines of JSON out.
 *
 * usage: crowd WAN-NAMESPACE WAN-IP WAN-EDGE LAN-NAMESPACE LAN-IP LAN-EDGE
 * Each line of standard input is answered with one line:
 *   start COUNT RATE ANSWER-MS CALLER SDES-% DTLS-%   calls begin; ANSWER-MS -1: they ring until
 * told; CALLER wan, lan or any; keying of those from the WAN answer|cancel|decline|bye|reinvite
 * COUNT RATE   of calls that can be, picked at random rtp MS           a packet each MS on every
 * call both ways; 0 = none patience MS      after which an unanswered request has failed probe
 * begins to send OPTIONS each 2 ms until one is answered mark             measures begin anew (RTP,
 * set-up times) report           what there is to say SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* What a line asked for, spread over time. */
struct work {
	char verb[12];
	unsigned left;
	double rate; /* a second; 0 = at once */
	uint64_t begun, done;
	int answer_ms, caller;
	unsigned sdes, dtls;
};

enum { WORKS = 16 };

uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

unsigned call_slot(const struct crowd *crowd, const struct call *call)
{
	return (unsigned)(call - crowd->calls);
}

/* It stays for a while, for what is on its way. */
void call_done(struct crowd *crowd, struct call *call, uint64_t now)
{
	(void)crowd;
	call->state = CALL_DONE;
	call->done_at = now;
}

static void call_free(struct crowd *crowd, struct call *call)
{
	media_forget(crowd, call);
	for (int s = 0; s < SIDES; s++) {
		struct party *party = &call->party[s];
		free(party->client.text);
		free(party->final.text);
		free(party->invite);
		dtls_forget(party);
		if (party->seal)
			srtp_dealloc(party->seal);
		if (party->open)
			srtp_dealloc(party->open);
	}
	unsigned serial = call->serial;
	*call = (struct call){.serial = serial};
}

static bool start_one(struct crowd *crowd, const struct work *work, uint64_t now)
{
	unsigned slot = 0;
	while (slot < CALLS_MAX && crowd->calls[slot].state != CALL_FREE)
		slot++;
	if (slot == CALLS_MAX)
		return false;
	struct call *call = &crowd->calls[slot];
	call->serial = ++crowd->serial;
	call->caller = work->caller < 0 ? rand() & 1 : work->caller;
	call->answer_ms = work->answer_ms;
	if (call->caller == WAN) {
		unsigned dice = (unsigned)rand() % 100;
		call->keying = dice < work->sdes                ? KEYING_SDES
			       : dice < work->sdes + work->dtls ? KEYING_DTLS
								: KEYING_NONE;
	}
	for (size_t i = 0; i < sizeof(call->key); i++)
		call->key[i] = (uint8_t)rand();
	client_invite(crowd, call, now);
	return true;
}

static bool can(const struct call *call, const char *verb)
{
	if (strcmp(verb, "bye") == 0 || strcmp(verb, "reinvite") == 0)
		return call->state == CALL_UP && !call->party[WAN].client.text &&
		       !call->party[LAN].client.text && call->party[!call->caller].is_confirmed;
	const struct party *callee = &call->party[!call->caller];
	return call->state == CALL_RINGING && callee->invite && !callee->final.text &&
	       !callee->is_confirmed;
}

static bool pick_one(struct crowd *crowd, const struct work *work, uint64_t now)
{
	unsigned from = (unsigned)rand() % CALLS_MAX;

	for (unsigned i = 0; i < CALLS_MAX; i++) {
		struct call *call = &crowd->calls[(from + i) % CALLS_MAX];
		if (!can(call, work->verb))
			continue;
		if (strcmp(work->verb, "bye") == 0)
			client_bye(crowd, call, rand() & 1, now);
		else if (strcmp(work->verb, "reinvite") == 0)
			client_reinvite(crowd, call, rand() & 1, now);
		else if (strcmp(work->verb, "cancel") == 0)
			client_cancel(crowd, call, now);
		else
			sip_answer(crowd, call, strcmp(work->verb, "answer") == 0 ? 200 : 486, now);
		return true;
	}
	return false;
}

static void work_on(struct crowd *crowd, struct work *work, uint64_t now)
{
	while (work->left > 0) {
		if (work->rate > 0 &&
		    work->begun + (uint64_t)((double)work->done / work->rate * 1e9) > now)
			return;
		bool went = strcmp(work->verb, "start") == 0 ? start_one(crowd, work, now)
							     : pick_one(crowd, work, now);
		if (!went) {
			work->left = 0; /* there is nobody */
			return;
		}
		work->left--;
		work->done++;
	}
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

static double part(const float *sorted, size_t count, unsigned percent)
{
	return count ? (double)sorted[count * percent / 100 < count ? count * percent / 100
								    : count - 1]
		     : 0;
}

static void report(struct crowd *crowd, const struct work *works, uint64_t now)
{
	static float gaps[CALLS_MAX * SIDES];
	unsigned answering = 0; /* they will be, by themselves */
	unsigned states[CALL_DONE + 1] = {0}, unconfirmed = 0, deaf = 0, busy = 0, open_bye = 0;
	const char *worst = ""; /* who has the longest silence, as it knows the call */
	uint64_t longest = 0;
	uint64_t sent = 0, received = 0;
	size_t parties = 0;
	const struct counters *c = &crowd->counters;

	for (unsigned i = 0; i < WORKS; i++)
		busy += works[i].left;
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		const struct call *call = &crowd->calls[i];
		states[call->state]++;
		const struct party *callee = &call->party[!call->caller];
		answering += call->state == CALL_RINGING &&
			     (call->answer_ms >= 0 || callee->final.text || callee->is_confirmed);
		if (call->state != CALL_UP)
			continue;
		unconfirmed += !call->party[!call->caller].is_confirmed;
		open_bye += call->party[WAN].client.text || call->party[LAN].client.text;
		for (int s = 0; s < SIDES; s++) {
			const struct party *party = &call->party[s];
			sent += party->sent;
			received += party->received;
			deaf += !party->received;
			uint64_t gap = party->heard_at ? now - party->heard_at : 0;
			gap = gap > party->gap ? gap : party->gap;
			if (gap > longest) {
				longest = gap;
				worst = party->call_id;
			}
			gaps[parties++] = (float)gap / 1e6f;
		}
	}
	qsort(gaps, parties, sizeof(*gaps), by_size);
	qsort(crowd->setup_ms, crowd->setups, sizeof(float), by_size);
	printf("{\"invited\": %u, \"answering\": %u, \"ringing\": %u, \"up\": %u, \"ending\": %u, "
	       "\"busy\": %u, "
	       "\"unconfirmed\": %u, \"asking\": %u, \"started\": %u, \"answered\": %u, "
	       "\"refused\": %u, \"failed\": %u, \"bye_ok\": %u, \"bye_bad\": %u, \"bye_lost\": "
	       "%u, \"bye_through\": %u, \"cancelled\": %u, \"cancel_bad\": %u, \"declined\": %u, "
	       "\"reinvited\": %u, \"reinvite_bad\": %u, \"cut\": %u, \"strays\": %u, \"again\": "
	       "%u, ",
	       states[CALL_INVITED], answering, states[CALL_RINGING], states[CALL_UP],
	       states[CALL_ENDING], busy, unconfirmed, open_bye, c->started, c->answered,
	       c->refused, c->failed, c->bye_ok, c->bye_bad, c->bye_lost, c->bye_through,
	       c->cancelled, c->cancel_bad, c->declined, c->reinvited, c->reinvite_bad, c->cut,
	       c->strays, c->again);
	printf("\"rtp_sent\": %llu, \"rtp_received\": %llu, \"deaf\": %u, \"gap_max_call\": "
	       "\"%s\", "
	       "\"srtp_bad\": %u, "
	       "\"gap_p50_ms\": %.1f, \"gap_p99_ms\": %.1f, \"gap_max_ms\": %.1f, "
	       "\"setups\": %u, \"setup_p50_ms\": %.2f, \"setup_p99_ms\": %.2f, "
	       "\"setup_max_ms\": %.2f, \"probe_ms\": %.2f}\n",
	       (unsigned long long)sent, (unsigned long long)received, deaf, worst, c->srtp_bad,
	       part(gaps, parties, 50), part(gaps, parties, 99), part(gaps, parties, 100),
	       crowd->setups, part(crowd->setup_ms, crowd->setups, 50),
	       part(crowd->setup_ms, crowd->setups, 99), part(crowd->setup_ms, crowd->setups, 100),
	       crowd->probe_ms);
}

/* On standard error: who has heard nothing since the mark. */
static void name_deaf(const struct crowd *crowd)
{
	static const char *const keyings[] = {"plain", "SDES", "DTLS"};

	for (unsigned i = 0; i < CALLS_MAX; i++) {
		const struct call *call = &crowd->calls[i];
		for (int s = 0; s < SIDES && call->state == CALL_UP; s++) {
			const struct party *party = &call->party[s];
			if (!party->received)
				fprintf(stderr,
					"call %u (%s), %s, %s by %s: deaf, sent %llu to port %u\n",
					call->serial, party->call_id, s == WAN ? "wan" : "lan",
					keyings[call->keying], call->caller == WAN ? "wan" : "lan",
					(unsigned long long)party->sent,
					ntohs(party->relay.sin_port));
		}
	}
}

static void begin_work(struct work *works, const char *line, uint64_t now)
{
	struct work work = {.begun = now, .caller = -1};
	char caller[8] = "any";

	if (sscanf(line, "start %u %lf %d %7s %u %u", &work.left, &work.rate, &work.answer_ms,
		   caller, &work.sdes, &work.dtls) >= 3) {
		work.caller = strcmp(caller, "wan") == 0   ? WAN
			      : strcmp(caller, "lan") == 0 ? LAN
							   : -1;
		snprintf(work.verb, sizeof(work.verb), "start");
	} else if (sscanf(line, "%11s %u %lf", work.verb, &work.left, &work.rate) < 2) {
		printf("{\"error\": \"what?\"}\n");
		return;
	}
	for (unsigned i = 0; i < WORKS; i++) {
		if (works[i].left == 0) {
			works[i] = work;
			printf("{}\n");
			return;
		}
	}
	printf("{\"error\": \"too much at once\"}\n");
}

static void obey(struct crowd *crowd, struct work *works, const char *line)
{
	uint64_t now = now_ns();

	if (strncmp(line, "report", 6) == 0) {
		report(crowd, works, now);
	} else if (strncmp(line, "deaf", 4) == 0) {
		name_deaf(crowd);
		printf("{}\n");
	} else if (strncmp(line, "mark", 4) == 0) {
		media_mark(crowd, now);
		printf("{}\n");
	} else if (sscanf(line, "rtp %u", &crowd->interval_ms) == 1 ||
		   sscanf(line, "patience %u", &crowd->patience_ms) == 1) {
		printf("{}\n");
	} else if (strncmp(line, "probe", 5) == 0) {
		crowd->probe_at = now;
		crowd->probe_ms = -1;
		printf("{}\n");
	} else {
		begin_work(works, line, now);
	}
	fflush(stdout);
}

static int open_socket(const char *ip, int port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 8 << 20;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (inet_aton(ip, &at.sin_addr) == 0 || bind(fd, (void *)&at, sizeof(at))) {
		perror(ip);
		exit(2);
	}
	return fd;
}

static void open_side(struct side *side, char **arguments)
{
	char path[128];

	snprintf(path, sizeof(path), "/run/netns/%s", arguments[0]);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		perror(path);
		exit(2);
	}
	close(fd);
	side->ip = arguments[1];
	side->edge = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5060)};
	inet_aton(arguments[2], &side->edge.sin_addr);
	side->sip_fd = open_socket(side->ip, 5060);
	side->rtp_fd = open_socket(side->ip, MEDIA_PORT);
}

static void read_sip(struct crowd *crowd, int side)
{
	static char data[65536];
	struct sockaddr_in from;

	for (int i = 0; i < 256; i++) {
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(crowd->side[side].sip_fd, data, sizeof(data) - 1, MSG_DONTWAIT,
				     (void *)&from, &size);
		if (n < 0 && errno == ECONNREFUSED)
			continue;
		if (n < 0)
			return;
		data[n] = '\0';
		if (n > 12)
			sip_receive(crowd, side, data, &from, now_ns());
	}
}

static void timers(struct crowd *crowd, uint64_t now)
{
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		struct call *call = &crowd->calls[i];
		if (call->state == CALL_FREE)
			continue;
		sip_timers(crowd, call, now);
		/* its identifiers stay ours until the edge has told the other end */
		bool is_through = call->party[WAN].had_bye || call->party[LAN].had_bye;
		if (call->state == CALL_DONE &&
		    now - call->done_at > (is_through ? 1000 : 8000) * MS)
			call_free(crowd, call);
	}
}

/* Whole lines of standard input; false at its end. */
static bool read_lines(struct crowd *crowd, struct work *works)
{
	static char buffer[4096];
	static size_t used;
	ssize_t n = read(0, buffer + used, sizeof(buffer) - 1 - used);

	if (n <= 0)
		return false;
	used += (size_t)n;
	buffer[used] = '\0';
	for (char *end; (end = strchr(buffer, '\n'));) {
		*end = '\0';
		obey(crowd, works, buffer);
		used -= (size_t)(end + 1 - buffer);
		memmove(buffer, end + 1, used + 1);
	}
	return true;
}

static void run(struct crowd *crowd)
{
	static struct work works[WORKS];
	uint64_t scanned = 0, probed = 0;
	struct pollfd fds[] = {{0, POLLIN, 0},
			       {crowd->side[WAN].sip_fd, POLLIN, 0},
			       {crowd->side[LAN].sip_fd, POLLIN, 0}};

	for (;;) {
		poll(fds, 3, 1);
		if (fds[0].revents && !read_lines(crowd, works))
			return;
		for (int side = 0; side < SIDES; side++) {
			read_sip(crowd, side);
			media_receive(crowd, side);
		}
		uint64_t now = now_ns();
		media_tick(crowd, now);
		for (unsigned i = 0; i < WORKS; i++)
			work_on(crowd, &works[i], now);
		if (crowd->probe_at && crowd->probe_ms < 0 && now - probed > 2 * MS) {
			probed = now;
			client_probe(crowd, now);
		}
		if (now - scanned > 10 * MS) {
			scanned = now;
			timers(crowd, now);
		}
	}
}

int main(int argc, char **argv)
{
	static struct crowd crowd;

	if (argc != 7) {
		fprintf(stderr, "usage: crowd WAN-NAMESPACE WAN-IP WAN-EDGE LAN-NAMESPACE LAN-IP "
				"LAN-EDGE\n");
		return 2;
	}
	crowd.calls = calloc(CALLS_MAX, sizeof(*crowd.calls));
	crowd.setup_ms = calloc(SETUPS_MAX, sizeof(*crowd.setup_ms));
	crowd.run = (unsigned)(time(NULL) % 1000000);
	crowd.patience_ms = 10000;
	srand(crowd.run);
	if (!crowd.calls || !crowd.setup_ms || srtp_init() != srtp_err_status_ok)
		return 1;
	dtls_init(&crowd);
	open_side(&crowd.side[WAN], argv + 1);
	open_side(&crowd.side[LAN], argv + 4);
	run(&crowd);
	for (unsigned i = 0; i < CALLS_MAX; i++)
		call_free(&crowd, &crowd.calls[i]);
	return 0;
}
