/* media.c - RTP of the crowd: one socket a side carries all calls, told apart by the port of the
 * relay. SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { RTP = 12, PAYLOAD = 160 };

/* At another relay it may be another call's by now. */
static void forget_port(struct crowd *crowd, struct call *call, int side)
{
	uint16_t port = ntohs(call->party[side].relay.sin_port);

	if (crowd->side[side].call_of_port[port] == call_slot(crowd, call) + 1)
		crowd->side[side].call_of_port[port] = 0;
}

void media_set(struct crowd *crowd, struct call *call, int side, const struct sockaddr_in *relay)
{
	struct party *me = &call->party[side];

	if (me->relay.sin_port == relay->sin_port &&
	    me->relay.sin_addr.s_addr == relay->sin_addr.s_addr)
		return;
	forget_port(crowd, call, side);
	me->relay = *relay;
	crowd->side[side].call_of_port[ntohs(relay->sin_port)] =
		(uint16_t)(call_slot(crowd, call) + 1);
}

void media_forget(struct crowd *crowd, struct call *call)
{
	for (int s = 0; s < SIDES; s++)
		forget_port(crowd, call, s);
}

static srtp_t make_session(const uint8_t key[30], srtp_ssrc_type_t type)
{
	uint8_t copy[30];
	srtp_t session;
	srtp_policy_t policy = {.ssrc = {type, 0}, .key = copy, .window_size = 1024};

	memcpy(copy, key, sizeof(copy));
	srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
	policy.rtcp = policy.rtp;
	if (srtp_create(&session, &policy) != srtp_err_status_ok)
		exit(1);
	return session;
}

void media_keys(struct party *party, const uint8_t seal[30], const uint8_t open[30])
{
	/* Rollover counter and replay window go on while they are the same. */
	if (party->seal && memcmp(party->keys[0], seal, 30) == 0 &&
	    memcmp(party->keys[1], open, 30) == 0)
		return;
	memcpy(party->keys[0], seal, 30);
	memcpy(party->keys[1], open, 30);
	if (party->seal)
		srtp_dealloc(party->seal);
	if (party->open)
		srtp_dealloc(party->open);
	party->seal = make_session(seal, ssrc_any_outbound);
	party->open = make_session(open, ssrc_any_inbound);
}

static size_t write_packet(struct crowd *crowd, struct call *call, int side, uint8_t *out)
{
	struct party *me = &call->party[side];
	uint32_t ssrc = htonl((call->serial << 1) + (uint32_t)side + 0x10000000u),
		 stamp = htonl((uint32_t)me->sequence * PAYLOAD);
	uint16_t sequence = htons(me->sequence++);
	int len = RTP + PAYLOAD;

	(void)crowd;
	out[0] = 0x80;
	out[1] = 8; /* PCMA */
	memcpy(out + 2, &sequence, 2);
	memcpy(out + 4, &stamp, 4);
	memcpy(out + 8, &ssrc, 4);
	memset(out + RTP, 0xd5, PAYLOAD);
	if (me->seal && srtp_protect(me->seal, out, &len) != srtp_err_status_ok)
		exit(1);
	me->sent++;
	return (size_t)len;
}

static bool speaks(const struct call *call, int side)
{
	const struct party *me = &call->party[side];
	bool has_keys = side == LAN || call->keying == KEYING_NONE || me->seal;
	return call->state == CALL_UP && me->relay.sin_port && has_keys;
}

struct batch {
	struct mmsghdr messages[BURST];
	struct iovec vectors[BURST];
	uint8_t data[BURST][RTP + PAYLOAD + SRTP_MAX_TRAILER_LEN + 4];
	unsigned count;
};

static void flush(struct crowd *crowd, int side, struct batch *batch)
{
	for (unsigned at = 0; at < batch->count;) {
		int n = sendmmsg(crowd->side[side].rtp_fd, batch->messages + at, batch->count - at,
				 0);
		at += n > 0 ? (unsigned)n : 1;
	}
	batch->count = 0;
}

static void send_one(struct crowd *crowd, struct call *call, int side, struct batch *batch)
{
	unsigned k = batch->count++;

	batch->vectors[k] =
		(struct iovec){batch->data[k], write_packet(crowd, call, side, batch->data[k])};
	batch->messages[k] =
		(struct mmsghdr){.msg_hdr = {.msg_name = &call->party[side].relay,
					     .msg_namelen = sizeof(call->party[side].relay),
					     .msg_iov = &batch->vectors[k],
					     .msg_iovlen = 1}};
	if (batch->count == BURST)
		flush(crowd, side, batch);
}

/* Each call has its millisecond in the interval; a late tick makes up for what it missed. */
void media_tick(struct crowd *crowd, uint64_t now)
{
	static struct batch batch;
	uint64_t tick = now / MS;

	if (!crowd->interval_ms) {
		crowd->tick = tick;
		return;
	}
	if (tick - crowd->tick > crowd->interval_ms)
		crowd->tick = tick - crowd->interval_ms;
	for (int side = 0; side < SIDES; side++) {
		for (uint64_t t = crowd->tick; t < tick; t++)
			for (unsigned i = (unsigned)(t % crowd->interval_ms); i < CALLS_MAX;
			     i += crowd->interval_ms)
				if (speaks(&crowd->calls[i], side))
					send_one(crowd, &crowd->calls[i], side, &batch);
		flush(crowd, side, &batch);
	}
	crowd->tick = tick;
}

static void on_packet(struct crowd *crowd, int side, uint8_t *data, size_t size,
		      const struct sockaddr_in *from, uint64_t at)
{
	uint16_t slot = crowd->side[side].call_of_port[ntohs(from->sin_port)];
	int len = (int)size;

	if (!slot || size < RTP)
		return;
	struct call *call = &crowd->calls[slot - 1];
	struct party *me = &call->party[side];
	if (data[0] >= 20 && data[0] <= 63) {
		if (me->dtls)
			dtls_receive(crowd, me, data, size);
		return;
	}
	if (data[0] >> 6 != 2 || data[1] != 8 || from->sin_addr.s_addr != me->relay.sin_addr.s_addr)
		return;
	if (me->open && srtp_unprotect(me->open, data, &len) != srtp_err_status_ok) {
		crowd->counters.srtp_bad++;
		return;
	}
	if (len != RTP + PAYLOAD || data[RTP] != 0xd5)
		return;
	if (me->heard_at && at > me->heard_at && at - me->heard_at > me->gap)
		me->gap = at - me->heard_at;
	me->heard_at = at;
	me->received++;
}

void media_receive(struct crowd *crowd, int side)
{
	static uint8_t data[BURST][PACKET];
	struct mmsghdr messages[BURST];
	struct iovec vectors[BURST];
	struct sockaddr_in from[BURST];

	for (int round = 0; round < 16; round++) {
		for (int i = 0; i < BURST; i++) {
			vectors[i] = (struct iovec){data[i], PACKET};
			messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
								   .msg_namelen = sizeof(from[i]),
								   .msg_iov = &vectors[i],
								   .msg_iovlen = 1}};
		}
		int n = recvmmsg(crowd->side[side].rtp_fd, messages, BURST, MSG_DONTWAIT, NULL);
		uint64_t at = now_ns();
		for (int i = 0; i < n; i++)
			on_packet(crowd, side, data[i], messages[i].msg_len, &from[i], at);
		if (n < BURST)
			return;
	}
}

void media_mark(struct crowd *crowd, uint64_t now)
{
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		for (int side = 0; side < SIDES; side++) {
			struct party *me = &crowd->calls[i].party[side];
			me->sent = me->received = me->gap = 0;
			if (me->heard_at)
				me->heard_at = now;
		}
	}
	crowd->setups = 0;
	crowd->counters.srtp_bad = 0;
}
