/* fuzz_srtp.c - SRTP beside libsrtp2. The input chooses suite and MKI, then tells a story: packets
 * sealed by libsrtp, bent or cut or sent again, and packets of nobody; each gets the same verdict
 * from both, and the same text. Then the same text is sealed by us and opened by libsrtp. Buffers
 * are exactly as long as they may be used. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include "../../unit/rtpengine/datapath/oracle.h"
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/srtp.h"

#define STEPS 24
#define ROOM  160 /* behind a packet: more than any trailer */
#define TEXT  96

enum { BEND = 1, CUT = 2, AGAIN = 4, ALIEN = 8, RTCP = 16, LEAP = 32 };

struct rig {
	struct lcore lcore;
	struct flow flow;
	struct flow_slot slot;
	struct srtp_context *in, *out;
	struct oracle *sender, *reference, *receiver;
	bool was_dropped;
	bool has_old_mki_fault; /* libsrtp seeks the MKI of SRTCP where that of SRTP would be */
	uint16_t sequence;
	uint8_t last[512];
	uint16_t last_len;
	bool last_is_rtcp;
};

static void release(struct lcore *lcore, struct packet *packet)
{
	(void)packet;
	((struct rig *)lcore)->was_dropped = true;
}

static void report(struct lcore *lcore, const struct flow *flow, struct datapath_event *event)
{
	(void)lcore;
	event->flow = flow->id;
}

static const struct lcore_ops ops = {.release = release, .report = report};

static void set_up(struct rig *rig, uint8_t how)
{
	static const uint8_t suites[] = {1, 2, 5, 6, 7, 8}; /* not those of 192 bits: RFC 6188 */
	struct flow_srtp key = {
		.suite = suites[how % 6], .mki_len = how >> 3 & 3, .mki = {9, 8, 7}};
	struct srtp_crypto *crypto;
	memset(rig, 0, sizeof(*rig));
	for (unsigned i = 0; i < FLOW_SRTP_KEY_MAX; i++)
		key.key[i] = (uint8_t)(i * 7 + how);
	rig->lcore.ops = &ops;
	rig->lcore.now_ns = 1000000000;
	if (srtp_lcore_create(&rig->lcore.srtp) != 0 || srtp_crypto_create(&crypto) != 0 ||
	    srtp_context_create(crypto, &key, false, &rig->in) != 0 ||
	    srtp_context_create(crypto, &key, true, &rig->out) != 0)
		abort();
	srtp_crypto_destroy(crypto);
	rig->flow = (struct flow){.slot = &rig->slot,
				  .extra = &flow_no_extra,
				  .kind = FLOW_MUX,
				  .mode = FLOW_SOURCE_ICE,
				  .has_srtp = true,
				  .srtp_in = rig->in,
				  .srtp_out = rig->out};
	rig->sender = oracle_create(&key, true);
	rig->reference = oracle_create(&key, false);
	rig->receiver = oracle_create(&key, false);
	rig->has_old_mki_fault = key.mki_len && flow_srtp_info(key.suite)->rtp_tag == 4;
	rig->sequence = (uint16_t)(65530 - (how >> 5));
}

static void tear_down(struct rig *rig)
{
	oracle_destroy(rig->sender);
	oracle_destroy(rig->reference);
	oracle_destroy(rig->receiver);
	srtp_context_put(rig->in);
	srtp_context_put(rig->out);
	srtp_lcore_destroy(rig->lcore.srtp);
}

static uint16_t write_text(struct rig *rig, uint8_t what, const uint8_t *random, uint8_t *out)
{
	uint16_t len = (uint16_t)(16 + random[0] % TEXT / 4 * 4);
	for (uint16_t i = 12; i < len; i++)
		out[i] = (uint8_t)(i * random[1]);
	out[0] = 0x80;
	out[1] = what & RTCP ? 201 : 8;
	rig->sequence = (uint16_t)(rig->sequence + 1 + (what & LEAP ? random[2] * 64 : 0));
	write_be16(out + 2, what & RTCP ? (uint16_t)(len / 4 - 1) : rig->sequence);
	write_be32(out + 4, 7);
	if (!(what & RTCP))
		write_be32(out + 8, 7);
	return len;
}

/* The same packet to our stage, in a buffer of its own. */
static bool open_here(struct rig *rig, bool is_rtcp, const uint8_t *data, uint16_t len,
		      uint8_t *text, uint16_t *text_len)
{
	uint8_t *exact = malloc(len);
	if (!exact)
		abort();
	memcpy(exact, data, len);
	struct packet packet = {.data = exact, .flow = &rig->flow, .len = len, .payload_len = len};
	packet.kind = is_rtcp ? PACKET_RTCP : PACKET_RTP;
	packet.ssrc = read_be32(exact + (is_rtcp ? 4 : 8));
	packet.sequence = read_be16(exact + 2);
	rig->was_dropped = false;
	uint16_t n = stage_srtp_in(&rig->lcore, &packet, 1);
	if (n + rig->was_dropped != 1)
		abort();
	if (n) {
		*text_len = packet.payload_len;
		memcpy(text, packet_payload(&packet), packet.payload_len);
	}
	free(exact);
	return n;
}

static void seal_here(struct rig *rig, bool is_rtcp, const uint8_t *text, uint16_t len)
{
	uint8_t *exact = malloc((size_t)len + ROOM);
	if (!exact)
		abort();
	memcpy(exact, text, len);
	struct packet packet = {.data = exact,
				.flow = &rig->flow,
				.leaving = &rig->flow,
				.len = len,
				.tailroom = ROOM,
				.payload_len = len};
	packet.kind = is_rtcp ? PACKET_RTCP : PACKET_RTP;
	packet.ssrc = 7;
	packet.sequence = read_be16(text + 2);
	rig->was_dropped = false;
	if (stage_srtp_out(&rig->lcore, &packet, 1) && !(is_rtcp && rig->has_old_mki_fault)) {
		uint16_t sealed = packet.payload_len;
		if (!oracle_unprotect(rig->receiver, is_rtcp, exact, &sealed) || sealed != len ||
		    memcmp(exact, text, len) != 0)
			abort();
	}
	free(exact);
}

static void step(struct rig *rig, const uint8_t *d)
{
	uint8_t plain[512], packet[512 + 256], text[512 + 256], copy[512 + 256];
	uint8_t what = d[0];
	bool is_rtcp = what & RTCP;
	uint16_t len = write_text(rig, what, d + 1, plain), text_len = 0;
	seal_here(rig, is_rtcp, plain, len);
	memcpy(packet, plain, len);
	if (!(what & ALIEN) && !oracle_protect(rig->sender, is_rtcp, packet, &len))
		return;
	if (what & AGAIN && rig->last_len) {
		len = rig->last_len;
		is_rtcp = rig->last_is_rtcp;
		memcpy(packet, rig->last, len);
	}
	if (len <= sizeof(rig->last)) {
		memcpy(rig->last, packet, len);
		rig->last_len = len;
		rig->last_is_rtcp = is_rtcp;
	}
	if (what & CUT && len > 20)
		len = (uint16_t)(12 + d[4] % (len - 12));
	/* what demux looks at stays: it has been looked at */
	unsigned first = is_rtcp ? 4 : 2;
	if (what & BEND && len > first)
		packet[first + d[5] % (len - first)] ^= d[6];
	if (is_rtcp && rig->has_old_mki_fault)
		return;
	memcpy(copy, packet, len);
	uint16_t want_len = len;
	bool want = oracle_unprotect(rig->reference, is_rtcp, copy, &want_len);
	bool got = open_here(rig, is_rtcp, packet, len, text, &text_len);
	if (got != want || (got && (text_len != want_len || memcmp(text, copy, want_len) != 0)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 8)
		return 0;
	struct rig *rig = aligned_alloc(64, (sizeof(*rig) + 63) / 64 * 64);
	if (!rig)
		abort();
	set_up(rig, data[0]);
	for (unsigned i = 0; i < STEPS && 1 + 7 * (i + 1) <= size; i++)
		step(rig, data + 1 + 7 * i);
	tear_down(rig);
	free(rig);
	return 0;
}
