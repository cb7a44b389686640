/* srtp_in.c - SRTP and SRTCP on the way in (RFC 3711 3.3, RFC 7714 8.2, 9.3): authenticated, fresh,
 * decrypted in place, in this order, and only then believed by anything else. A burst's packets are
 * hashed together and decrypted together; what is rare (AEAD, SRTCP, the key before the last) goes
 * one by one. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/srtp.h"

#define RTCP_E     0x80000000u
#define RTCP_CLEAR 8 /* header and SSRC of the first packet */

static uint8_t *payload_of(const struct packet *packet)
{
	return packet->data + packet->payload;
}

/* Bytes behind what is encrypted: tag, MKI and, of SRTCP, the index. */
static uint16_t trailer_len(const struct srtp_context *context, const struct packet *packet)
{
	const struct flow_srtp_info *suite = context->suite;
	if (packet->kind == PACKET_RTCP)
		return (uint16_t)(suite->rtcp_tag + context->mki_len + 4);
	return (uint16_t)(suite->rtp_tag + context->mki_len);
}

/* The MKI stands before an HMAC tag (RFC 3711 3.1), and after an AEAD tag (RFC 7714 8.2). */
static bool mki_is_right(const struct srtp_context *context, const struct packet *packet)
{
	const struct flow_srtp_info *suite = context->suite;
	uint8_t tag = packet->kind == PACKET_RTCP ? suite->rtcp_tag : suite->rtp_tag;
	uint16_t behind = (uint16_t)(context->mki_len + (suite->is_aead ? 0 : tag));
	return !context->mki_len || (packet->payload_len >= behind &&
				     !memcmp(payload_of(packet) + packet->payload_len - behind,
					     context->mki, context->mki_len));
}

static struct srtp_context *context_before(const struct lcore *lcore, const struct flow *flow)
{
	const struct flow_extra *extra = flow->extra;
	return lcore->now_ns < extra->srtp_before_until_ns ? extra->srtp_before : NULL;
}

/* The work on an RTP packet under `context`, up to its hash. */
static enum drop prepare_rtp(struct srtp_work *work, struct packet *packet,
			     struct srtp_context *context)
{
	uint8_t *rtp = payload_of(packet);
	uint16_t header = srtp_rtp_header(rtp), trailer = trailer_len(context, packet);
	if (packet->payload_len < header + trailer)
		return DROP_SRTP_AUTH;
	if (!mki_is_right(context, packet))
		return DROP_SRTP_KEY;
	uint16_t end = (uint16_t)(packet->payload_len - trailer);
	uint8_t tag = context->suite->rtp_tag;
	work->packet = packet;
	work->context = context;
	work->stream = srtp_stream_find(context, packet->ssrc);
	work->index = srtp_stream_index(work->stream, packet->sequence);
	enum drop why = srtp_stream_check(work->stream, work->index);
	if (why != DROP_NONE)
		return why;
	work->op.keys = context->rtp;
	work->op.text = rtp + header;
	work->op.text_len = (uint32_t)(end - header);
	work->op.auth = rtp;
	srtp_keys_iv(context->rtp, packet->ssrc, work->index, work->op.iv);
	if (context->suite->is_aead) {
		memcpy(work->tag, rtp + end, tag);
		work->op.auth_len = header;
		return DROP_NONE;
	}
	/* behind what is authenticated stands the rollover counter (RFC 3711 4.2) */
	memcpy(work->tag, rtp + packet->payload_len - tag, tag);
	work->op.auth_len = end + 4u;
	memcpy(work->under, rtp + end, 4);
	write_be32(rtp + end, (uint32_t)(work->index >> 16));
	return DROP_NONE;
}

static bool is_authentic(struct srtp_work *work, uint8_t tag_len)
{
	if (!work->context->suite->is_aead)
		memcpy((uint8_t *)(uintptr_t)work->op.auth + work->op.auth_len - 4, work->under, 4);
	return srtp_tag_is_equal(work->op.tag, work->tag, tag_len);
}

/* It is authentic: unless another of this burst was the same, it counts now. */
static enum drop accept_rtp(struct srtp_work *work)
{
	struct packet *packet = work->packet;
	if (!work->stream)
		work->stream = srtp_stream_find(work->context, packet->ssrc);
	if (!work->stream)
		work->stream = srtp_stream_add(work->context, packet->ssrc);
	if (!work->stream)
		return DROP_SRTP_SSRC;
	enum drop why = srtp_stream_check(work->stream, work->index);
	if (why != DROP_NONE)
		return why;
	srtp_stream_mark(work->stream, work->index);
	packet->payload_len = (uint16_t)(packet->payload_len - trailer_len(work->context, packet));
	packet->sum_is_stale = true;
	return DROP_NONE;
}

/* One packet under one key, all of it. `spare`: AEAD decrypts before it knows. */
static enum drop open_rtp(struct srtp_lcore *srtp, struct packet *packet,
			  struct srtp_context *context, uint8_t *spare)
{
	struct srtp_work work;
	struct srtp_op *op = &work.op;
	enum drop why = prepare_rtp(&work, packet, context);
	if (why != DROP_NONE)
		return why;
	if (spare)
		memcpy(spare, op->text, op->text_len);
	if (context->suite->is_aead)
		srtp_crypto_open(srtp->crypto, op);
	else
		srtp_crypto_hash(srtp->crypto, &op, 1);
	if (!is_authentic(&work, context->suite->rtp_tag)) {
		if (spare)
			memcpy(op->text, spare, op->text_len);
		return DROP_SRTP_AUTH;
	}
	why = accept_rtp(&work);
	if (why == DROP_NONE && !context->suite->is_aead)
		srtp_crypto_cipher(srtp->crypto, &op, 1);
	return why;
}

static enum drop prepare_rtcp(struct srtp_work *work, struct packet *packet,
			      struct srtp_context *context, uint8_t associated[12])
{
	uint8_t *rtcp = payload_of(packet);
	const struct flow_srtp_info *suite = context->suite;
	uint16_t trailer = trailer_len(context, packet);
	if (packet->payload_len < RTCP_CLEAR + trailer)
		return DROP_SRTP_AUTH;
	if (!mki_is_right(context, packet))
		return DROP_SRTP_KEY;
	uint16_t end = (uint16_t)(packet->payload_len - trailer);
	uint8_t *word = rtcp + end + (suite->is_aead ? suite->rtcp_tag : 0);
	bool is_encrypted = read_be32(word) & RTCP_E;
	work->packet = packet;
	work->context = context;
	work->index = read_be32(word) & ~RTCP_E;
	work->stream = srtp_stream_find(context, packet->ssrc);
	enum drop why = srtp_stream_rtcp_check(work->stream, (uint32_t)work->index);
	if (why != DROP_NONE)
		return why;
	work->op.keys = srtp_context_rtcp(context);
	work->op.text = rtcp + RTCP_CLEAR;
	work->op.text_len = is_encrypted ? (uint32_t)(end - RTCP_CLEAR) : 0;
	work->op.auth = rtcp;
	work->op.auth_len = end + 4u;
	srtp_keys_iv(work->op.keys, packet->ssrc, work->index, work->op.iv);
	if (!suite->is_aead) {
		memcpy(work->tag, rtcp + packet->payload_len - suite->rtcp_tag, suite->rtcp_tag);
		memcpy(work->under, rtcp + end, 4); /* the index word itself */
		return DROP_NONE;
	}
	memcpy(work->tag, rtcp + end, suite->rtcp_tag);
	if (is_encrypted) { /* RFC 7714 9.2: header and index word are the associated data */
		memcpy(associated, rtcp, RTCP_CLEAR);
		memcpy(associated + RTCP_CLEAR, word, 4);
		work->op.auth = associated;
		work->op.auth_len = RTCP_CLEAR + 4;
	} else { /* 9.3: all of it */
		memcpy(rtcp + end, word, 4);
	}
	return DROP_NONE;
}

static enum drop open_rtcp(struct srtp_lcore *srtp, struct packet *packet,
			   struct srtp_context *context, uint8_t *spare)
{
	struct srtp_work work;
	struct srtp_op *op = &work.op;
	uint8_t associated[12];
	uint16_t len = packet->payload_len;
	enum drop why = DROP_SRTP_AUTH;
	memcpy(spare, payload_of(packet), len);
	why = prepare_rtcp(&work, packet, context, associated);
	if (why != DROP_NONE)
		return why;
	if (context->suite->is_aead)
		srtp_crypto_open(srtp->crypto, op);
	else
		srtp_crypto_hash(srtp->crypto, &op, 1);
	if (!srtp_tag_is_equal(op->tag, work.tag, context->suite->rtcp_tag)) {
		memcpy(payload_of(packet), spare, len);
		return DROP_SRTP_AUTH;
	}
	if (!work.stream)
		work.stream = srtp_stream_add(context, packet->ssrc);
	if (!work.stream)
		return DROP_SRTP_SSRC;
	srtp_stream_rtcp_mark(work.stream, (uint32_t)work.index);
	if (!context->suite->is_aead)
		srtp_crypto_cipher(srtp->crypto, &op, 1);
	packet->payload_len = (uint16_t)(len - trailer_len(context, packet));
	packet->sum_is_stale = true;
	return DROP_NONE;
}

/* Alone: under the key of the rule, and under the one before for a while. */
static enum drop open_alone(struct lcore *lcore, struct packet *packet)
{
	const struct flow *flow = packet->flow;
	struct srtp_lcore *srtp = lcore->srtp;
	struct srtp_context *before = context_before(lcore, flow);
	enum drop (*open)(struct srtp_lcore *, struct packet *, struct srtp_context *, uint8_t *) =
		packet->kind == PACKET_RTCP ? open_rtcp : open_rtp;
	if (packet->payload_len > sizeof(srtp->spare))
		return DROP_TOO_BIG;
	bool is_kept = before || packet->kind == PACKET_RTCP;
	enum drop why = open(srtp, packet, flow->srtp_in, is_kept ? srtp->spare : NULL);
	if (before && (why == DROP_SRTP_AUTH || why == DROP_SRTP_KEY) &&
	    open(srtp, packet, before, srtp->spare) == DROP_NONE)
		return DROP_NONE;
	return why;
}

static bool is_batched(const struct lcore *lcore, const struct packet *packet)
{
	return packet->kind == PACKET_RTP && !packet->flow->srtp_in->suite->is_aead &&
	       !context_before(lcore, packet->flow);
}

/* Which packets failed in the batch because the burst itself brought news: an SSRC's first packet
 * tells the rollover of those behind it. */
static bool is_estimated_anew(const struct srtp_work *work)
{
	const struct srtp_stream *stream = srtp_stream_find(work->context, work->packet->ssrc);
	return stream && srtp_stream_index(stream, work->packet->sequence) != work->index;
}

/* Returns the verdicts by position in the burst. */
static void open_batch(struct lcore *lcore, struct packet *packets, unsigned n, enum drop *why)
{
	struct srtp_lcore *srtp = lcore->srtp;
	unsigned works = 0, ciphers = 0;
	for (unsigned i = 0; i < n; i++) {
		struct srtp_work *work = &srtp->work[works];
		if (!packets[i].flow->has_srtp || !is_batched(lcore, &packets[i]))
			continue;
		why[i] = prepare_rtp(work, &packets[i], packets[i].flow->srtp_in);
		if (why[i] != DROP_NONE)
			continue;
		srtp->hash[works++] = &work->op;
	}
	srtp_crypto_hash(srtp->crypto, srtp->hash, works);
	for (unsigned w = 0; w < works; w++) {
		struct srtp_work *work = &srtp->work[w];
		enum drop *verdict = &why[work->packet - packets];
		*verdict = DROP_SRTP_AUTH;
		if (is_authentic(work, work->context->suite->rtp_tag)) {
			*verdict = accept_rtp(work);
			if (*verdict == DROP_NONE)
				srtp->cipher[ciphers++] = &work->op;
		} else if (is_estimated_anew(work)) {
			*verdict = open_rtp(srtp, work->packet, work->context, NULL);
		}
	}
	srtp_crypto_cipher(srtp->crypto, srtp->cipher, ciphers);
}

static bool has_any(const struct packet *packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (packets[i].flow->has_srtp)
			return true;
	return false;
}

uint16_t stage_srtp_in(struct lcore *lcore, struct packet *packets, uint16_t n)
{
	enum drop why[BURST];
	uint16_t kept = 0;
	if (!has_any(packets, n))
		return n;
	for (uint16_t i = 0; i < n; i++)
		why[i] = DROP_NONE;
	open_batch(lcore, packets, n, why);
	for (uint16_t i = 0; i < n; i++) {
		struct packet *packet = &packets[i];
		if (packet->flow->has_srtp) {
			if (!is_batched(lcore, packet))
				why[i] = open_alone(lcore, packet);
			if (srtp_context_is_short(packet->flow->srtp_in))
				srtp_ask_room(lcore, packet->flow, packet->flow->srtp_in);
			if (why[i] == DROP_NONE)
				why[i] = source_authentic(lcore, packet);
		}
		if (why[i] != DROP_NONE) {
			packet_drop(lcore, packet, why[i]);
			continue;
		}
		if (kept != i)
			packets[kept] = *packet;
		kept++;
	}
	return kept;
}
