/* leak.c - what the leak guard's look at a message costs, in cycles of the time-stamp counter a
 * byte: an INVITE with SDP, the same full of beginnings that lead nowhere, and a body without any.
 * Built and run by hand:
 *   cc -O2 -std=gnu11 -D_GNU_SOURCE -DPOSTERN_VERSION='"x"' -I. tests/bench/leak.c \
 *     sbc/topology/{leak,words}.c control/base/{slice,buf,addr,table,err}.c -o /tmp/leak &&
 * /tmp/leak SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>
#include "sbc/topology/leak.h"

enum { PEERS = 32, ROUNDS = 20000 };

static const char head[] =
	"INVITE sip:33123456789@198.51.100.7 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKabcdefghijklmnopqrstuvwxyz;rport\r\n"
	"Max-Forwards: 69\r\nFrom: \"Alice\" "
	"<sip:alice@example.com>;tag=k5bdd7yz4gqcgnsn2oeikd54vi\r\n"
	"To: <sip:33123456789@198.51.100.7>\r\nCall-ID: w2dgvxtlnzxrdwpxz4ocpqaa2q\r\n"
	"CSeq: 1 INVITE\r\nContact: "
	"<sip:trvgcgwaxt2xdtzgrntdqh6x5a@203.0.113.10:5060;transport=udp>\r\n"
	"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, PRACK, UPDATE, REFER, NOTIFY\r\n"
	"Supported: timer, 100rel\r\nSubject: a call\r\nSession-Expires: 1800\r\n"
	"Content-Type: application/sdp\r\nContent-Length: 260\r\n\r\n";
static const char sdp[] =
	"v=0\r\no=- 4611686018427387904 1 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\n"
	"t=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\na=rtcp:30001\r\n"
	"a=ptime:20\r\n";

static void measure(struct leaks *leaks, const char *name, const char *text, size_t len)
{
	struct addr remote = {0};
	struct slice message = {text, len};
	double best = 1e9;

	for (int run = 0; run < 20; run++) {
		uint64_t start = __rdtsc();
		for (int i = 0; i < ROUNDS / 20; i++)
			if (!leaks_may_leave(leaks, 1, &remote, message, 1))
				abort();
		double cycles = (double)(__rdtsc() - start) / (ROUNDS / 20) / (double)len;
		best = cycles < best ? cycles : best;
	}
	printf("%-28s %6zu bytes  %5.2f cycles a byte  %8.0f a message\n", name, len, best,
	       best * (double)len);
}

int main(void)
{
	struct addr addrs[2], *servers = calloc(PEERS, sizeof(*servers));
	struct config_interface interfaces[2] = {{.name = "lan", .trusted = true}, {.name = "wan"}};
	struct config_peer peers[PEERS] = {0};
	struct config_server configured[PEERS] = {0};
	struct leaks *leaks;
	static char text[65536];

	if (!servers || addr_parse_ip(SLICE("10.0.0.1"), &addrs[0]) != 0 ||
	    addr_parse_ip(SLICE("203.0.113.10"), &addrs[1]) != 0)
		return 1;
	for (int i = 0; i < 2; i++) {
		interfaces[i].addresses = &addrs[i];
		interfaces[i].address_count = 1;
	}
	interfaces[1].security.leak_guard = CONFIG_LEAK_COUNT;
	for (int i = 0; i < PEERS; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 8, 20 + i);
		if (addr_parse_ip(slice_from(text), &configured[i].addr) != 0)
			return 1;
		peers[i] = (struct config_peer){
			.name = "pbx", .servers = &configured[i], .server_count = 1};
	}
	struct config config = {.interfaces = interfaces,
				.interface_count = 2,
				.peers = peers,
				.peer_count = PEERS};
	if (leaks_create(&config, &leaks) != 0)
		return 1;
	snprintf(text, sizeof(text), "%s%s", head, sdp);
	measure(leaks, "INVITE with SDP", text, sizeof(head) + sizeof(sdp) - 2);
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", head);
	while (len + 16 < 16000)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "10.0.0.10.0.1");
	measure(leaks, "beginnings everywhere", text, len);
	len = (size_t)snprintf(text, sizeof(text), "%s", head);
	memset(text + len, 'x', 16000 - len);
	measure(leaks, "none", text, 16000);
	leaks_destroy(leaks);
	free(servers);
	return 0;
}
