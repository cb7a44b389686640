/* srtp_out.c - SRTP and SRTCP on the way out (RFC 3711 3.3, 3.4; RFC 7714 8.1, 9.2): encrypted in
 * place, tags behind. The packet index follows the sequence numbers of whoever sends; a number that
 * was there already is not sealed again, for its key stream is used up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/srtp.h"

#define RTCP_E         0x80000000u
#define RTCP_INDEX_MAX 0x7fffffffu
#define RTCP_CLEAR     8

static struct srtp_stream *stream_of(struct srtp_context *context, uint32_t ssrc)
{
	struct srtp_stream *stream = srtp_stream_find(context, ssrc);
	return stream ? stream : srtp_stream_add(context, ssrc);
}

static bool has_room(const struct packet *packet, unsigned more)
{
	return packet->payload + packet->payload_len + more <=
	       (unsigned)packet->len + packet->tailroom;
}

/* Tag and MKI behind the packet: the MKI first with an HMAC (RFC 3711 3.1), last with AEAD. */
static void finish(struct srtp_work *work, uint8_t tag_len)
{
	struct packet *packet = work->packet;
	const struct srtp_context *context = work->context;
	uint8_t *end = packet->data + packet->payload + packet->payload_len;
	bool is_aead = context->suite->is_aead;
	if (context->mki_len)
		memcpy(is_aead ? end + tag_len : end, context->mki, context->mki_len);
	memcpy(is_aead ? end : end + context->mki_len, work->op.tag, tag_len);
	packet->payload_len = (uint16_t)(packet->payload_len + tag_len + context->mki_len);
	packet->sum_is_stale = true;
}

static enum drop prepare_rtp(struct srtp_work *work, struct packet *packet)
{
	struct srtp_context *context = packet->leaving->srtp_out;
	uint8_t *rtp = packet->data + packet->payload;
	uint16_t header = srtp_rtp_header(rtp);
	struct srtp_stream *stream = stream_of(context, packet->ssrc);
	if (!stream)
		return DROP_SRTP_SSRC;
	/* the rollover counter needs 4 bytes for a moment */
	if (!has_room(packet,
		      context->mki_len +
			      (context->suite->rtp_tag > 4u ? context->suite->rtp_tag : 4u)))
		return DROP_TOO_BIG;
	work->index = srtp_stream_index(stream, packet->sequence);
	enum drop why = srtp_stream_check(stream, work->index);
	if (why != DROP_NONE)
		return why;
	srtp_stream_mark(stream, work->index);
	work->packet = packet;
	work->context = context;
	work->op.keys = context->rtp;
	work->op.text = rtp + header;
	work->op.text_len = (uint32_t)(packet->payload_len - header);
	work->op.auth = rtp;
	work->op.auth_len = header;
	srtp_keys_iv(context->rtp, packet->ssrc, work->index, work->op.iv);
	if (!context->suite->is_aead) {
		write_be32(rtp + packet->payload_len, (uint32_t)(work->index >> 16));
		work->op.auth_len = packet->payload_len + 4u;
	}
	return DROP_NONE;
}

static enum drop prepare_rtcp(struct srtp_work *work, struct packet *packet)
{
	struct srtp_context *context = packet->leaving->srtp_out;
	const struct flow_srtp_info *suite = context->suite;
	struct srtp_stream *stream = stream_of(context, packet->ssrc);
	if (!stream)
		return DROP_SRTP_SSRC;
	if (!has_room(packet, context->mki_len + suite->rtcp_tag + 4u))
		return DROP_TOO_BIG;
	work->index = (uint32_t)counter_get(&stream->rtcp_index) + 1;
	if (work->index > RTCP_INDEX_MAX)
		return DROP_SRTP_KEY; /* used up: RFC 3711 9.2 wants another */
	srtp_stream_rtcp_mark(stream, (uint32_t)work->index);
	uint8_t *rtcp = packet->data + packet->payload;
	work->packet = packet;
	work->context = context;
	work->op.keys = srtp_context_rtcp(context);
	work->op.text = rtcp + RTCP_CLEAR;
	work->op.text_len = (uint32_t)(packet->payload_len - RTCP_CLEAR);
	srtp_keys_iv(work->op.keys, packet->ssrc, work->index, work->op.iv);
	return DROP_NONE;
}

static enum drop seal_rtcp(struct srtp_lcore *srtp, struct packet *packet)
{
	struct srtp_work work;
	struct srtp_op *op = &work.op;
	uint8_t associated[RTCP_CLEAR + 4];
	enum drop why = prepare_rtcp(&work, packet);
	if (why != DROP_NONE)
		return why;
	uint8_t *rtcp = packet->data + packet->payload;
	const struct flow_srtp_info *suite = work.context->suite;
	uint32_t word = RTCP_E | (uint32_t)work.index;
	if (!suite->is_aead) {
		srtp_crypto_cipher(srtp->crypto, &op, 1);
		write_be32(rtcp + packet->payload_len, word);
		packet->payload_len = (uint16_t)(packet->payload_len + 4);
		op->auth = rtcp;
		op->auth_len = packet->payload_len;
		srtp_crypto_hash(srtp->crypto, &op, 1);
		finish(&work, suite->rtcp_tag);
		return DROP_NONE;
	}
	memcpy(associated, rtcp, RTCP_CLEAR);
	write_be32(associated + RTCP_CLEAR, word);
	op->auth = associated;
	op->auth_len = sizeof(associated);
	srtp_crypto_seal(srtp->crypto, op);
	memcpy(rtcp + packet->payload_len, op->tag, suite->rtcp_tag);
	packet->payload_len = (uint16_t)(packet->payload_len + suite->rtcp_tag);
	write_be32(rtcp + packet->payload_len, word);
	if (work.context->mki_len)
		memcpy(rtcp + packet->payload_len + 4, work.context->mki, work.context->mki_len);
	packet->payload_len = (uint16_t)(packet->payload_len + 4 + work.context->mki_len);
	packet->sum_is_stale = true;
	return DROP_NONE;
}

static void seal_batch(struct srtp_lcore *srtp, unsigned works)
{
	unsigned batched = 0;
	for (unsigned w = 0; w < works; w++) {
		struct srtp_work *work = &srtp->work[w];
		if (work->context->suite->is_aead)
			srtp_crypto_seal(srtp->crypto, &work->op);
		else
			srtp->hash[batched++] = &work->op;
	}
	srtp_crypto_cipher(srtp->crypto, srtp->hash, batched);
	srtp_crypto_hash(srtp->crypto, srtp->hash, batched);
	for (unsigned w = 0; w < works; w++)
		finish(&srtp->work[w], srtp->work[w].context->suite->rtp_tag);
}

static bool has_any(const struct packet *packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (packets[i].leaving->srtp_out)
			return true;
	return false;
}

uint16_t stage_srtp_out(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	struct srtp_lcore *srtp = lcore->srtp;
	uint16_t kept = 0;
	unsigned works = 0;
	if (!has_any(packets, n))
		return n;
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = &packets[i];
		if (kept != i)
			packets[kept] = *packet;
		packet = &packets[kept++];
		if (!packet->leaving->srtp_out || packet->kind == PACKET_OTHER)
			continue;
		enum drop why = packet->kind == PACKET_RTCP
					? seal_rtcp(srtp, packet)
					: prepare_rtp(&srtp->work[works], packet);
		if (srtp_context_is_short(packet->leaving->srtp_out))
			srtp_ask_room(lcore, packet->leaving, packet->leaving->srtp_out);
		if (why != DROP_NONE) {
			packet_drop(lcore, packet, why);
			kept--;
		} else if (packet->kind == PACKET_RTP) {
			works++;
		}
	}
	if (works)
		seal_batch(srtp, works);
	return kept;
}
