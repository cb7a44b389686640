/* What an established call costs, transactions gone: with an SDP as phones send them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"
#include <malloc.h>

enum { CALLS = 2000, LIMIT = 10 * 1024 };

static struct bench bench;

/* About 600 bytes each way. */
static const char attributes[] =
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n"
	"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-16\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1;maxptime=60\r\n"
	"a=ptime:20\r\na=rtcp-fb:* nack\r\na=label:1\r\na=sendrecv\r\n";

static void establish(unsigned i)
{
	char sdp[2][1200], tag[16];

	for (int side = 0; side < 2; side++)
		snprintf(sdp[side], sizeof(sdp[side]), "%s%s", side ? phone_sdp : pbx_sdp,
			 attributes);
	bench.sent = bench.seen = 0;
	bench_receive(&bench, PHONE,
		      "INVITE sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKm%u;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.net>;tag=a%u\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: memory-%u@192.168.7.10\r\n"
		      "CSeq: 1 INVITE\r\nContact: <sip:alice@192.168.7.10>\r\n"
		      "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		      i, i, i, strlen(sdp[1]), sdp[1]);
	bench_next(&bench, PHONE, "SIP/2.0 100 ");
	const char *invite = bench_next(&bench, PBX, "INVITE ");
	snprintf(tag, sizeof(tag), "b%u", i);
	bench_reply(&bench, PBX, invite, "180 Ringing", tag, NULL);
	bench_next(&bench, PHONE, "SIP/2.0 180 ");
	bench_reply(&bench, PBX, invite, "200 OK", tag, sdp[0]);
	bench_next(&bench, PBX, "ACK ");
	const char *ok = bench_next(&bench, PHONE, "SIP/2.0 200 ");
	bench_receive(&bench, PHONE,
		      "ACK sip:x@203.0.113.10 SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKk%u;rport\r\n"
		      "From: <sip:alice@example.net>;tag=a%u\r\nTo: %s\r\n"
		      "Call-ID: memory-%u@192.168.7.10\r\nCSeq: 1 ACK\r\n"
		      "Content-Length: 0\r\n\r\n",
		      i, i, bench_header(ok, "To"), i);
}

static void a_call_is_small(void **state)
{
	(void)state;

	bench_open(&bench);
	bench.relay_instance = "one";
	establish(0);
	bench_advance(&bench, 40000);
	size_t before = mallinfo2().uordblks;
	for (unsigned i = 1; i <= CALLS; i++)
		establish(i);
	bench_advance(&bench, 40000); /* lingering transactions are over */
	size_t each = (mallinfo2().uordblks - before) / CALLS;
	print_message("# %zu bytes per established call, and %zu of its record in a memory store\n",
		      each, bench.store.bytes);
	size_t state_len = calls_next(bench.calls, NULL)->media_state.len;
	assert_true(state_len > 1000);
	if (before) { /* not under a sanitizer */
		assert_true(each <= LIMIT);
		/* a memory store has nothing of the relay */
		assert_true(each - state_len + bench.store.bytes - state_len <= LIMIT);
	}
	assert_int_equal(bench.calls->by_number.count, CALLS + 1);
	bench.is_deaf = true;
	calls_stop(bench.calls);
	bench_close(&bench);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
