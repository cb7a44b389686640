/* Our four state machines against libosip2's, over random sequences of events on one fake clock.
 * After each step both must have sent the same messages, told their user the same, and both live or
 * have ended. What differs, and may:
 *  - after a 2xx to INVITE the library ends at once (RFC 3261); ours stays Accepted for 64*T1 (RFC
 *    6026): the comparison ends there, and ours must still be alive;
 *  - the library's timer E stays at T1 instead of doubling up to T2 (17.1.2.2), so retransmissions
 * of other requests are not compared (test_client.c holds their times);
 *  - the library starts timer I anew at each ACK: one ACK is sent (test_server.c sends more);
 *  - timer C, and the end of a server transaction that nobody answers for 64*T1, are ours alone:
 * the sequences stay below them. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transaction/bench.h"
#include "tests/unit/sbc/transaction/oracle.h"

enum { SEQUENCES = 400, STEPS = 40 };

static unsigned int dice(uint64_t *seed, unsigned int sides)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(*seed >> 33) % sides;
}

static void first_words(const struct bench *b, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < b->sent; i++) {
		struct slice text = slice_from(b->texts[i]);
		struct slice word = slice_cut(&text, ' ');
		if (slice_equal(word, SLICE("SIP/2.0")))
			word = slice_cut(&text, ' ');
		size_t at = strlen(out);
		snprintf(out + at, size - at, "%.*s;", SLICE_ARG(word));
	}
}

static void last_words(const struct bench *b, char *out, size_t size)
{
	struct slice rest = slice_from(b->heard);
	out[0] = '\0';
	while (rest.len) {
		struct slice word = slice_cut(&rest, ';');
		if (slice_ends(word, SLICE("timed out")))
			word = SLICE("timeout");
		else
			slice_cut(&word, ' ');
		size_t at = strlen(out);
		snprintf(out + at, size - at, "%.*s;", SLICE_ARG(word));
	}
}

struct pair {
	struct bench *ours;
	struct oracle *theirs;
	char request[BENCH_TEXT_MAX]; /* as on the wire */
	struct transport_path path;
	char history[16384]; /* to show when they differ */
	bool compare_end;
	bool compare_sent;
};

static void agree(struct pair *p)
{
	char sent[1024], told[1024];
	first_words(p->ours, sent, sizeof(sent));
	last_words(p->ours, told, sizeof(told));
	bool ended = counter_get(&transactions_counters(p->ours->transactions)->live) == 0;
	bool same = (!p->compare_sent || strcmp(sent, oracle_sent(p->theirs)) == 0) &&
		    strcmp(told, oracle_told(p->theirs)) == 0 &&
		    (!p->compare_end || ended == oracle_has_ended(p->theirs));
	if (!same)
		fail_msg("%s\nours sent %s told %s ended %d\ntheirs sent %s told %s ended %d",
			 p->history, sent, told, ended, oracle_sent(p->theirs),
			 oracle_told(p->theirs), oracle_has_ended(p->theirs));
	bench_forget(p->ours);
	oracle_forget(p->theirs);
}

static void remember(struct pair *p, const char *what, unsigned int number)
{
	size_t at = strlen(p->history);
	snprintf(p->history + at, sizeof(p->history) - at, "%s %u, ", what, number);
}

static void pass_time(struct pair *p, uint64_t *seed, uint64_t most_ms)
{
	uint64_t now_ms = p->ours->now_ms, next_ms = oracle_next_ms(p->theirs);
	uint64_t to_ms = now_ms + 1 + dice(seed, 3000);

	if (dice(seed, 2) && next_ms != UINT64_MAX) /* right up to it, and a little less */
		to_ms = next_ms - (next_ms > now_ms + 1 ? dice(seed, 2) : 0);
	if (to_ms > now_ms + most_ms)
		to_ms = now_ms + most_ms;
	if (to_ms <= now_ms)
		to_ms = now_ms + 1;
	remember(p, "time", (unsigned int)(to_ms - now_ms));
	while (p->ours->now_ms < to_ms) /* each timer on its millisecond, as in the loop */
		bench_advance(p->ours, 1);
	oracle_advance(p->theirs, to_ms);
}

static const unsigned int statuses[] = {100, 180, 183, 200, 302, 404, 486, 503, 603};

static void response_to(const char *request, unsigned int status, char *out, size_t size)
{
	struct slice rest = slice_from(request), line;
	size_t len = (size_t)snprintf(out, size, "SIP/2.0 %u Some Reason\r\n", status);

	slice_next_line(&rest, &line);
	while (slice_next_line(&rest, &line) && line.len) {
		bool to = slice_starts(line, SLICE("To:"));
		if (slice_starts(line, SLICE("Max-Forwards")) || slice_starts(line, SLICE("Route")))
			continue;
		len += (size_t)snprintf(out + len, size - len, "%.*s%s\r\n", SLICE_ARG(line),
					to && status > 100 ? ";tag=far" : "");
	}
	snprintf(out + len, size - len, "\r\n");
}

static void client_sequence(struct bench *b, const char *method, enum sip_transport transport,
			    uint64_t seed)
{
	struct pair p = {.ours = b,
			 .path = bench_path(transport),
			 .compare_end = true,
			 .compare_sent = true};
	char response[BENCH_TEXT_MAX];
	bool invite = strcmp(method, "INVITE") == 0, final = false;

	bench_forget(b);
	bench_send(b, method, transport);
	memcpy(p.request, bench_last(b), sizeof(p.request));
	p.theirs = oracle_create(invite ? ORACLE_ICT : ORACLE_NICT, p.request, b->now_ms);
	oracle_start(p.theirs);
	agree(&p);
	p.compare_sent = invite;
	for (int step = 0; step < STEPS && !oracle_has_ended(p.theirs); step++) {
		if (dice(&seed, 3) == 0) {
			unsigned int status = statuses[dice(&seed, 9)];
			remember(&p, "response", status);
			response_to(p.request, status, response, sizeof(response));
			bench_receive_path(b, response, &p.path);
			oracle_receive(p.theirs, response);
			/* Zero-length timers of streams. */
			bench_advance(b, 1);
			oracle_advance(p.theirs, b->now_ms);
			p.compare_end = !(invite && status / 100 == 2 && !final);
			final = final || status >= 200;
		} else {
			pass_time(&p, &seed, 4000);
		}
		agree(&p);
	}
	if (!p.compare_end)
		assert_true(counter_get(&transactions_counters(b->transactions)->live) > 0);
	oracle_destroy(p.theirs);
}

static void server_sequence(struct bench *b, const char *method, enum sip_transport transport,
			    uint64_t seed)
{
	struct pair p = {.ours = b,
			 .path = bench_path(transport),
			 .compare_end = true,
			 .compare_sent = true};
	bool invite = strcmp(method, "INVITE") == 0, final = false, acknowledged = false;
	char *at;

	bench_forget(b);
	memcpy(p.request, bench_request(method, "d"), 1024);
	if (transport == SIP_TCP && (at = strstr(p.request, "UDP")))
		memcpy(at, "TCP", 3);
	bench_receive_path(b, p.request, &p.path);
	p.theirs = oracle_create(invite ? ORACLE_IST : ORACLE_NIST, p.request, b->now_ms);
	oracle_start(p.theirs);
	if (invite) /* ours says 100 by itself */
		oracle_reply(p.theirs, bench_last(b));
	agree(&p);
	uint64_t started_ms = b->now_ms;
	for (int step = 0; step < STEPS && !oracle_has_ended(p.theirs); step++) {
		unsigned int what = dice(&seed, 4);
		unsigned int status = statuses[dice(&seed, 9)];
		bool late = b->now_ms - started_ms > 25000;
		if (!final && (what == 0 || late)) {
			if (late && status < 200)
				status = 404;
			final = status >= 200;
			remember(&p, "reply", status);
			assert_int_equal(bench_reply(b, status), 0);
			oracle_reply(p.theirs, bench_last(b));
			p.compare_end = !(invite && status / 100 == 2);
			bench_advance(b, 1);
			oracle_advance(p.theirs, b->now_ms);
		} else if (what == 1 || (what == 2 && !(invite && final))) {
			remember(&p, "request again", 0);
			bench_receive_path(b, p.request, &p.path);
			oracle_receive(p.theirs, p.request);
		} else if (what == 2 && !acknowledged) {
			acknowledged = true;
			char ack[1024];
			memcpy(ack, bench_request("ACK", "d"), sizeof(ack));
			if (transport == SIP_TCP && (at = strstr(ack, "UDP")))
				memcpy(at, "TCP", 3);
			remember(&p, "ACK", 0);
			bench_receive_path(b, ack, &p.path);
			oracle_receive(p.theirs, ack);
			bench_advance(b, 1);
			oracle_advance(p.theirs, b->now_ms);
		} else {
			pass_time(&p, &seed, final ? 8000 : 4000);
		}
		agree(&p);
	}
	if (!p.compare_end)
		assert_true(counter_get(&transactions_counters(b->transactions)->live) > 0);
	oracle_destroy(p.theirs);
}

typedef void sequence_fn(struct bench *b, const char *method, enum sip_transport transport,
			 uint64_t seed);

static void many(sequence_fn *sequence, const char *method, enum sip_transport transport)
{
	for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
		void *state = NULL;
		bench_setup(&state);
		sequence(state, method, transport, seed * 7919);
		bench_teardown(&state);
	}
}

#define DIFFERENTIAL(name, sequence, method, transport)                                            \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		many(sequence, method, transport);                                                 \
	}
DIFFERENTIAL(invite_client_over_udp, client_sequence, "INVITE", SIP_UDP)
DIFFERENTIAL(invite_client_over_tcp, client_sequence, "INVITE", SIP_TCP)
DIFFERENTIAL(other_client_over_udp, client_sequence, "OPTIONS", SIP_UDP)
DIFFERENTIAL(other_client_over_tcp, client_sequence, "OPTIONS", SIP_TCP)
DIFFERENTIAL(invite_server_over_udp, server_sequence, "INVITE", SIP_UDP)
DIFFERENTIAL(invite_server_over_tcp, server_sequence, "INVITE", SIP_TCP)
DIFFERENTIAL(other_server_over_udp, server_sequence, "OPTIONS", SIP_UDP)
DIFFERENTIAL(other_server_over_tcp, server_sequence, "OPTIONS", SIP_TCP)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invite_client_over_udp), cmocka_unit_test(invite_client_over_tcp),
		cmocka_unit_test(other_client_over_udp),  cmocka_unit_test(other_client_over_tcp),
		cmocka_unit_test(invite_server_over_udp), cmocka_unit_test(invite_server_over_tcp),
		cmocka_unit_test(other_server_over_udp),  cmocka_unit_test(other_server_over_tcp),
	};
	if (message_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
