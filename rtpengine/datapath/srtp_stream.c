/* srtp_stream.c - packet indexes and replay windows (RFC 3711 3.3.1, 3.3.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/lcore.h"
#include "rtpengine/datapath/srtp.h"

#define SET         (1ull << 63)
#define HALF        0x8000 /* of a cycle of sequence numbers */
#define RTCP_WINDOW 64
/* The control thread is asked for room this often. */
#define ASK_AGAIN_MS 10

struct srtp_stream *srtp_stream_find(struct srtp_context *context, uint32_t ssrc)
{
	uint16_t count = atomic_load_explicit(&context->count, memory_order_relaxed);
	if (context->recent < count) {
		struct srtp_stream *recent = srtp_context_stream(context, context->recent);
		if (recent->ssrc == ssrc)
			return recent;
	}
	for (uint16_t i = 0; i < count; i++) {
		struct srtp_stream *stream = srtp_context_stream(context, i);
		if (stream->ssrc != ssrc)
			continue;
		context->recent = i;
		return stream;
	}
	return NULL;
}

struct srtp_stream *srtp_stream_add(struct srtp_context *context, uint32_t ssrc)
{
	uint16_t count = atomic_load_explicit(&context->count, memory_order_relaxed);
	if (count == atomic_load_explicit(&context->room, memory_order_acquire))
		return NULL;
	struct srtp_stream *stream = srtp_context_stream(context, count);
	*stream = (struct srtp_stream){.ssrc = ssrc};
	context->recent = count;
	atomic_store_explicit(&context->count, (uint16_t)(count + 1), memory_order_release);
	return stream;
}

/* Appendix A of RFC 3711, but that nothing lies before rollover 0: what a sequence number seems to
 * say about packets before the first is taken for a leap forward. */
static uint64_t estimate(uint64_t highest, uint16_t sequence)
{
	uint64_t rollover = highest >> 16;
	int32_t ahead = (int32_t)sequence - (int32_t)(highest & 0xffff);
	if (highest <= HALF)
		return sequence;
	if (ahead > HALF && rollover)
		rollover--;
	else if (ahead < -HALF)
		rollover++;
	return rollover << 16 | sequence;
}

uint64_t srtp_stream_index(const struct srtp_stream *stream, uint16_t sequence)
{
	uint64_t highest = stream ? counter_get(&stream->index) : 0;
	return highest & SET ? estimate(highest & ~SET, sequence) : sequence;
}

enum drop srtp_stream_check(const struct srtp_stream *stream, uint64_t index)
{
	uint64_t highest = stream ? counter_get(&stream->index) : 0;
	if (!(highest & SET) || index > (highest & ~SET))
		return DROP_NONE;
	uint64_t behind = (highest & ~SET) - index;
	if (behind >= SRTP_WINDOW || (stream->window[behind / 64] >> behind % 64 & 1))
		return DROP_SRTP_REPLAY;
	return DROP_NONE;
}

static void store(struct counter *counter, uint64_t value)
{
	atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

void srtp_stream_mark(struct srtp_stream *stream, uint64_t index)
{
	uint64_t *window = stream->window;
	uint64_t highest = counter_get(&stream->index);
	uint64_t forward = index - (highest & ~SET);
	if (!(highest & SET)) {
		window[0] = 1;
		window[1] = 0;
	} else if (index <= (highest & ~SET)) {
		uint64_t behind = (highest & ~SET) - index;
		window[behind / 64] |= 1ull << behind % 64;
		return;
	} else if (forward >= 64) {
		window[1] = forward < 128 ? window[0] << (forward - 64) : 0;
		window[0] = 1;
	} else {
		window[1] = window[1] << forward | window[0] >> (64 - forward);
		window[0] = window[0] << forward | 1;
	}
	if (stream->is_restored)
		window[0] = window[1] = UINT64_MAX;
	stream->is_restored = false;
	store(&stream->index, SET | index);
}

enum drop srtp_stream_rtcp_check(const struct srtp_stream *stream, uint32_t index)
{
	uint64_t highest = stream ? counter_get(&stream->rtcp_index) : 0;
	if (!(highest & SET) || index > (uint32_t)highest)
		return DROP_NONE;
	uint32_t behind = (uint32_t)highest - index;
	if (behind >= RTCP_WINDOW || (stream->rtcp_window >> behind & 1))
		return DROP_SRTP_REPLAY;
	return DROP_NONE;
}

void srtp_stream_rtcp_mark(struct srtp_stream *stream, uint32_t index)
{
	uint64_t highest = counter_get(&stream->rtcp_index);
	uint32_t forward = index - (uint32_t)highest;
	if (highest & SET && index <= (uint32_t)highest) {
		stream->rtcp_window |= 1ull << ((uint32_t)highest - index);
		return;
	}
	if (!(highest & SET) || forward >= RTCP_WINDOW)
		stream->rtcp_window = 1;
	else
		stream->rtcp_window = stream->rtcp_window << forward | 1;
	if (stream->rtcp_is_restored)
		stream->rtcp_window = UINT64_MAX;
	stream->rtcp_is_restored = false;
	store(&stream->rtcp_index, SET | index);
}

void srtp_ask_room(struct lcore *lcore, const struct flow *flow, struct srtp_context *context)
{
	uint32_t now_ms = (uint32_t)(lcore->now_ns / 1000000) | 1; /* not 0 */
	if (context->asked_ms && now_ms - context->asked_ms < ASK_AGAIN_MS)
		return;
	context->asked_ms = now_ms;
	struct datapath_event event = {.type = DATAPATH_SRTP_SHORT};
	lcore->ops->report(lcore, flow, &event);
}
