/* srtp_context.c - the control thread's side of SRTP: contexts made, shared by the rules that have
 * the same keys, read, and wiped. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/srtp.h"
#include <stdlib.h>
#include "rtpengine/datapath/slab.h"

/* SRTCP indexes that a session restored elsewhere may have used since it was written down. */
#define RTCP_SKIP 0x10000
#define RTCP_MAX  0x7fffffff

bool srtp_is_valid(const struct flow_srtp *srtp)
{
	return srtp->suite < FLOW_SRTP_SUITES && srtp->mki_len <= FLOW_SRTP_MKI_MAX &&
	       srtp->initial_count <= FLOW_SRTP_INITIAL_MAX;
}

void srtp_context_grow(struct srtp_context *context)
{
	if (context->more)
		return;
	context->more = calloc(SRTP_STREAMS - SRTP_STREAMS_FIRST, sizeof(*context->more));
	if (context->more)
		atomic_store_explicit(&context->room, SRTP_STREAMS, memory_order_release);
}

static void restore(struct srtp_context *context, const struct flow_srtp *srtp)
{
	for (uint8_t i = 0; i < srtp->initial_count; i++) {
		const struct flow_srtp_index *from = &srtp->initial[i];
		struct srtp_stream *stream = srtp_stream_find(context, from->ssrc);
		if (!stream)
			stream = srtp_stream_add(context, from->ssrc);
		uint32_t rtcp = from->rtcp & RTCP_MAX;
		if (context->is_outgoing && rtcp)
			rtcp = rtcp < RTCP_MAX - RTCP_SKIP ? rtcp + RTCP_SKIP : RTCP_MAX;
		srtp_stream_mark(stream, from->rtp & 0xffffffffffff);
		if (rtcp)
			srtp_stream_rtcp_mark(stream, rtcp);
		memset(stream->window, 0xff, sizeof(stream->window));
		stream->rtcp_window = UINT64_MAX;
		stream->is_restored = stream->rtcp_is_restored = true;
	}
}

/* One piece of memory: the keys of RTCP, the keys of RTP, the context. What an RTP packet needs
 * lies together, and the translation of its address is looked up once. */
static size_t context_offset(const struct flow_srtp_info *suite)
{
	return 2 * srtp_keys_size(suite);
}

int srtp_context_create(struct srtp_crypto *crypto, const struct flow_srtp *srtp, bool is_outgoing,
			struct srtp_context **out)
{
	const struct flow_srtp_info *suite = flow_srtp_info(srtp->suite);
	if (suite->key_len == 0)
		return -ERR_INVALID;
	size_t size = context_offset(suite) + sizeof(struct srtp_context);
	uint8_t *mki = srtp->mki_len ? malloc(srtp->mki_len) : NULL;
	if (srtp->mki_len && !mki)
		return -ERR_NO_MEMORY;
	uint8_t *memory = slab_take(srtp_crypto_slab(crypto, suite, size));
	if (!memory) {
		free(mki);
		return -ERR_NO_MEMORY;
	}
	struct srtp_keys *rtcp = (void *)memory;
	struct srtp_keys *rtp = (void *)(memory + srtp_keys_size(suite));
	struct srtp_context *context = (void *)(memory + context_offset(suite));
	srtp_keys_init(crypto, srtp, true, rtcp);
	srtp_keys_init(crypto, srtp, false, rtp);
	memset(context, 0, sizeof(*context));
	context->suite = suite;
	context->rtp = rtp;
	context->mki = mki;
	context->mki_len = srtp->mki_len;
	if (mki)
		memcpy(mki, srtp->mki, srtp->mki_len);
	memcpy(context->key, srtp->key, suite->key_len);
	memcpy(context->salt, srtp->salt, suite->salt_len);
	context->is_outgoing = is_outgoing;
	context->references = 1;
	atomic_store_explicit(&context->room, SRTP_STREAMS_FIRST, memory_order_relaxed);
	if (srtp->initial_count > SRTP_STREAMS_FIRST)
		srtp_context_grow(context);
	if (srtp->initial_count > atomic_load_explicit(&context->room, memory_order_relaxed)) {
		srtp_context_put(context);
		return -ERR_NO_MEMORY; /* what is forgotten would be sealed twice */
	}
	restore(context, srtp);
	*out = context;
	return 0;
}

struct srtp_context *srtp_context_get(struct srtp_context *context)
{
	if (context)
		context->references++;
	return context;
}

void srtp_context_put(struct srtp_context *context)
{
	if (!context || --context->references)
		return;
	size_t before = context_offset(context->suite);
	uint8_t *memory = (uint8_t *)context - before;
	free(context->more);
	free(context->mki);
	explicit_bzero(memory, before + sizeof(*context));
	slab_give(memory);
}

bool srtp_context_is(const struct srtp_context *context, const struct flow_srtp *srtp)
{
	return context && context->suite == flow_srtp_info(srtp->suite) &&
	       context->mki_len == srtp->mki_len &&
	       (!srtp->mki_len || !memcmp(context->mki, srtp->mki, srtp->mki_len)) &&
	       srtp_tag_is_equal(context->key, srtp->key, context->suite->key_len) &&
	       srtp_tag_is_equal(context->salt, srtp->salt, context->suite->salt_len);
}

size_t srtp_context_indexes(const struct srtp_context *context, struct flow_srtp_index *out,
			    size_t max)
{
	size_t count = atomic_load_explicit(&context->count, memory_order_acquire);
	if (count > max)
		count = max;
	for (size_t i = 0; i < count; i++) {
		const struct srtp_stream *stream =
			srtp_context_stream((struct srtp_context *)(uintptr_t)context, (unsigned)i);
		out[i] = (struct flow_srtp_index){
			.ssrc = stream->ssrc,
			.rtp = counter_get(&stream->index) & 0xffffffffffff,
			.rtcp = (uint32_t)counter_get(&stream->rtcp_index),
		};
	}
	return count;
}

int srtp_lcore_create(struct srtp_lcore **out)
{
	struct srtp_lcore *srtp = aligned_alloc(64, (sizeof(*srtp) + 63) / 64 * 64);
	if (!srtp)
		return -ERR_NO_MEMORY;
	memset(srtp, 0, sizeof(*srtp));
	int err = srtp_crypto_create(&srtp->crypto);
	if (err) {
		free(srtp);
		return err;
	}
	*out = srtp;
	return 0;
}

void srtp_lcore_destroy(struct srtp_lcore *srtp)
{
	if (!srtp)
		return;
	srtp_crypto_destroy(srtp->crypto);
	explicit_bzero(srtp, sizeof(*srtp));
	free(srtp);
}
