/* Calls under random orders of everything both sides may say, right or wrong, and of time. Whatever
 * happens, nothing is left in the end (bench_close), and while it happens the invariants hold that
 * docs/architecture.md gives. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"

enum { SEQUENCES = 120, STEPS = 60, KEPT = 24 };

static struct bench bench;
static uint64_t seed;
static uint64_t answered, updates, reinvites, wrong, forks, refreshes;

static unsigned dice(unsigned sides)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % sides;
}

/* What went out lately, to answer or to refer to. */
static struct {
	char text[BENCH_TEXT_MAX];
	int side;
} kept[KEPT];
static unsigned kept_count;
static char invite[BENCH_TEXT_MAX];
static struct talk talk;
static uint32_t cseq;

static const char two_media[] =
	"v=0\r\no=p 1 2 IN IP4 10.0.0.20\r\ns=x\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
	"m=audio 30000 RTP/AVP 8\r\nm=video 30002 RTP/AVP 31\r\n";

static const char *some_sdp(int side)
{
	switch (dice(12)) {
	case 0:
		return NULL;
	case 1:
		return two_media;
	default:
		return side == PHONE ? phone_sdp : pbx_sdp;
	}
}

/* Take up what was sent since the last step. */
static void look(void)
{
	for (unsigned i = 0; i < bench.sent; i++) {
		const char *text = bench.texts[i];
		snprintf(kept[kept_count % KEPT].text, BENCH_TEXT_MAX, "%s", text);
		kept[kept_count++ % KEPT].side = bench.paths[i].interface;
		if (strncmp(text, "INVITE ", 7) == 0 && bench.paths[i].interface == PBX &&
		    !strstr(bench_header(text, "To"), "tag=")) {
			snprintf(invite, sizeof(invite), "%s", text);
			talk.invite = invite;
		}
		bool is_reply =
			strncmp(text, "SIP/2.0 1", 9) == 0 || strncmp(text, "SIP/2.0 2", 9) == 0;
		if (is_reply && bench.paths[i].interface == PHONE && strstr(text, "\r\nContact: "))
			bench_learn(&talk, text);
	}
	bench.sent = bench.seen = 0;
}

static void check_invariants(void)
{
	for (const struct call *call = calls_next(bench.calls, NULL); call;
	     call = calls_next(bench.calls, call)) {
		unsigned early = 0;
		for (const struct early *e = call->early; e; e = e->next)
			early++;
		assert_true(early <= EARLY_MAX);
		assert_true(call->exchange.waiting_count <= DRAFTS_MAX);
		if (call->state == CALL_UP)
			assert_true(session_is_agreed(&call->session) || call->session.is_open);
		if (call->state == CALL_UP)
			assert_null(call->early);
		if (call->exchange.state == EXCHANGE_NONE && call->state != CALL_ENDING)
			assert_true(call->state == CALL_UP);
	}
}

static void answer_something(void)
{
	static const char *const statuses[] = {"100 T",  "180 R",  "183 P", "199 G", "200 OK",
					       "200 OK", "200 OK", "422 S", "481 N", "486 B",
					       "488 N",  "491 P",  "500 E", "503 U"};
	static const char *const tags[] = {"b", "b", "two", "three"};
	char lines[160];

	if (kept_count == 0)
		return;
	unsigned at = dice(kept_count < KEPT ? kept_count : KEPT);
	const char *request = kept[at].text;
	if (strncmp(request, "SIP/2.0", 7) == 0 || strncmp(request, "ACK ", 4) == 0)
		return;
	const char *status = statuses[dice(14)];
	if (status[0] == '1' && strncmp(request, "INVITE ", 7) != 0)
		return;
	lines[0] = '\0';
	if (status[0] == '1' && dice(2))
		snprintf(lines, sizeof(lines), "Require: 100rel\r\nRSeq: %u\r\n", 1 + dice(4));
	else if (dice(3) == 0)
		snprintf(lines, sizeof(lines),
			 "Allow: INVITE, UPDATE\r\nMin-SE: %u\r\nSession-Expires: "
			 "%u;refresher=%s\r\n",
			 90 + dice(2000), 90 + dice(600), dice(2) ? "uac" : "uas");
	bench_reply_with(&bench, kept[at].side, request, status, tags[dice(4)], lines,
			 some_sdp(kept[at].side));
}

static void ask_something(void)
{
	static const char *const methods[] = {"UPDATE",  "UPDATE",  "INVITE", "PRACK", "INFO",
					      "MESSAGE", "OPTIONS", "BYE",    "ACK",   "ACK"};
	static const char *const tags[] = {"b", "b", "two", "three"};
	int side = dice(2) ? PHONE : PBX;
	const char *method = methods[dice(10)];
	char lines[160];

	if (!talk.invite || (side == PHONE && talk.to[0] == '\0'))
		return;
	bool is_ack = strcmp(method, "ACK") == 0;
	snprintf(lines, sizeof(lines), "RAck: %u %u INVITE\r\n%s", 1 + dice(3), 1 + dice(2),
		 dice(2) ? "Supported: timer\r\nSession-Expires: 100\r\n" : "");
	for (unsigned i = 0; i < kept_count && i < KEPT && dice(4); i++)
		if (strstr(kept[i].text, "\r\nRSeq: "))
			snprintf(lines, sizeof(lines), "RAck: %s 1 INVITE\r\n",
				 bench_header(kept[i].text, "RSeq"));
	talk.far_tag = tags[dice(4)];
	bench_inside(&bench, &talk, side, method, is_ack && dice(2) ? 1 : ++cseq, lines,
		     some_sdp(side));
}

static void begin(void)
{
	static const char *const lines[] = {
		"", "Supported: 100rel\r\nAllow: UPDATE\r\n", "Require: 100rel\r\n",
		"Supported: timer, 100rel, 199\r\nSession-Expires: 200\r\nAllow: UPDATE\r\n"};
	const char *sdp = dice(3) ? phone_sdp : NULL;
	const char *chosen = lines[dice(4)];

	bench_receive(&bench, PHONE,
		      "INVITE sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKinvite;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: call-a\r\nCSeq: 1 INVITE\r\n"
		      "Contact: <sip:alice@192.168.7.10>\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		      chosen, sdp ? "Content-Type: application/sdp\r\n" : "", sdp ? strlen(sdp) : 0,
		      sdp ? sdp : "");
}

/* Every other call is answered first. */
static void establish(void)
{
	look();
	bench_reply_with(&bench, PBX, talk.invite, "200 OK", "b",
			 dice(2) ? "Allow: INVITE, UPDATE\r\n"
				   "Session-Expires: 120;refresher=uac\r\n"
				 : "Session-Expires: 120;refresher=uac\r\n",
			 pbx_sdp);
	bool is_late = strstr(talk.invite, "m=audio") == NULL;
	bench_advance(&bench, 10);
	look();
	if (talk.to[0])
		bench_inside(&bench, &talk, PHONE, "ACK", 1, "", is_late ? phone_sdp : NULL);
}

static void cancel(void)
{
	bench_receive(&bench, PHONE,
		      "CANCEL sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKinvite;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: call-a\r\nCSeq: 1 CANCEL\r\n"
		      "Content-Length: 0\r\n\r\n");
}

static void step(void)
{
	switch (dice(16)) {
	case 0:
		bench.relay_refuses = dice(2) ? "Ran out of ports" : "Failed to parse SDP";
		break;
	case 1:
		if (dice(6) == 0)
			cancel();
		break;
	case 2:
		bench_advance(&bench, 1 + dice(dice(4) ? 600 : 90000));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		ask_something();
		break;
	default:
		answer_something();
		break;
	}
}

static void sequence(uint64_t number)
{
	seed = number * 0x9e3779b97f4a7c15u + 1;
	kept_count = 0;
	cseq = 1;
	talk = (struct talk){0};
	bench_open(&bench);
	bench.relay_instance = "one";
	bench.log.level = LOG_ERROR;
	bench.peers[PBX].dialog.session_timer_ms = dice(2) ? 120000 : 0;
	begin();
	if (number % 2)
		establish();
	for (unsigned i = 0; i < STEPS; i++) {
		step();
		look();
		check_invariants();
	}
	bench.is_deaf = true;
	bench.relay_refuses = NULL;
	calls_stop(bench.calls);
	const struct call_counters *counters = &bench.calls->counters;
	answered += counter_get(&counters->answered);
	updates += counter_get(&counters->updates);
	reinvites += counter_get(&counters->reinvites);
	wrong += counter_get(&counters->wrong_answers);
	forks += counter_get(&counters->forks);
	refreshes += counter_get(&counters->refreshes);
	bench_close(&bench);
}

static void nothing_is_left_whatever_is_said(void **state)
{
	(void)state;
	const char *one = getenv("SEQUENCE");

	if (one) {
		sequence(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t i = 0; i < SEQUENCES; i++)
		sequence(i);
	print_message("# answered %llu, updates %llu, re-INVITEs %llu, wrong answers %llu, "
		      "forks %llu, refreshes %llu\n",
		      (unsigned long long)answered, (unsigned long long)updates,
		      (unsigned long long)reinvites, (unsigned long long)wrong,
		      (unsigned long long)forks, (unsigned long long)refreshes);
	/* The dice come to everything. */
	assert_true(answered && updates && reinvites && wrong && forks && refreshes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_whatever_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
