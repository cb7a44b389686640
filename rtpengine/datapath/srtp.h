/* srtp.h - SRTP of one direction of one flow: keys and suite, made by the control thread and
 * published with the rule; and how far each SSRC has come, which belongs to the flow's lcore. A
 * context outlives its rule while the keys stay the same.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include "control/base/counter.h"
#include "rtpengine/datapath/packet.h"
#include "rtpengine/datapath/srtp_crypto.h"

/* More in one key's life is no phone: MKI or a new offer brings another key. A stream is never
 * forgotten, for its packets could be replayed, or its key stream used twice. */
#define SRTP_STREAMS       64
#define SRTP_STREAMS_FIRST 2   /* what most ever have; the control thread makes room for more */
#define SRTP_WINDOW        128 /* packets; RFC 3711 3.3.2 wants at least 64 */

/* One SSRC. */
struct srtp_stream {
	/* read by the control thread: bit 63 set; the highest index so far */
	struct counter index;
	uint64_t window[2]; /* bit i of it: index - i was there */
	uint32_t ssrc;
	/* What came between writing down and restoring is not known: whatever is below the first
	 * packet after that may have been there. */
	bool is_restored, rtcp_is_restored;
	struct counter rtcp_index; /* the same for RTCP */
	uint64_t rtcp_window;
};

struct srtp_context {
	const struct flow_srtp_info *suite; /* first cache line: what most packets need */
	const struct srtp_keys *rtp;
	uint32_t references; /* control thread */
	uint8_t mki_len;
	bool is_outgoing;
	uint16_t recent; /* lcore: the stream found last */
	_Atomic uint16_t count;
	_Atomic uint16_t room; /* control thread: for how many */
	uint32_t asked_ms;     /* lcore: when it asked for room; 0 = never */
	struct srtp_stream streams[SRTP_STREAMS_FIRST]; /* lcore */
	struct srtp_stream *more;                       /* owned; the rest, of `room` */
	uint8_t *mki;                                   /* owned */
	/* the control thread's */
	uint8_t key[FLOW_SRTP_KEY_MAX];
	uint8_t salt[FLOW_SRTP_SALT_MAX];
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct srtp_context, streams[0].rtcp_index) == 64, "all of the first SSRC");
_Static_assert(sizeof(struct srtp_context) == 192, "a call with SDES has four");

/* srtp_context.c, control thread */
bool srtp_is_valid(const struct flow_srtp *srtp);
MUST_CHECK int srtp_context_create(struct srtp_crypto *crypto, const struct flow_srtp *srtp,
				   bool is_outgoing, struct srtp_context **out);
void srtp_context_put(struct srtp_context *context); /* NULL is fine; wiped with the last */
struct srtp_context *srtp_context_get(struct srtp_context *context);
bool srtp_context_is(const struct srtp_context *context, const struct flow_srtp *srtp);
/* Make room for all the streams a key serves; without memory it stays as it is. */
void srtp_context_grow(struct srtp_context *context);
size_t srtp_context_indexes(const struct srtp_context *context, struct flow_srtp_index *out,
			    size_t max);

static inline struct srtp_stream *srtp_context_stream(struct srtp_context *context, unsigned i)
{
	return i < SRTP_STREAMS_FIRST ? &context->streams[i]
				      : &context->more[i - SRTP_STREAMS_FIRST];
}

static inline const struct srtp_keys *srtp_context_rtcp(const struct srtp_context *context)
{
	return (const void *)((const uint8_t *)context->rtp - srtp_keys_size(context->suite));
}

/* lcore: the next SSRC would find no room, and there could be some. */
static inline bool srtp_context_is_short(const struct srtp_context *context)
{
	uint16_t room = atomic_load_explicit(&context->room, memory_order_relaxed);
	return atomic_load_explicit(&context->count, memory_order_relaxed) == room &&
	       room < SRTP_STREAMS;
}

/* srtp_stream.c, lcore: the stream of an SSRC, or NULL. */
struct srtp_stream *srtp_stream_find(struct srtp_context *context, uint32_t ssrc);
struct srtp_stream *srtp_stream_add(struct srtp_context *context, uint32_t ssrc);
/* The index of a packet (RFC 3711 3.3.1); `stream` may be NULL: its first. */
uint64_t srtp_stream_index(const struct srtp_stream *stream, uint16_t sequence);
/* DROP_SRTP_REPLAY: it was there already, or is too old. */
enum drop srtp_stream_check(const struct srtp_stream *stream, uint64_t index);
/* The packet is authentic: it counts as seen. */
void srtp_stream_mark(struct srtp_stream *stream, uint64_t index);
enum drop srtp_stream_rtcp_check(const struct srtp_stream *stream, uint32_t index);
void srtp_stream_rtcp_mark(struct srtp_stream *stream, uint32_t index);

/* What the stages srtp_in and srtp_out need of one lcore. */
struct srtp_work {
	struct packet *packet;
	struct srtp_context *context;
	struct srtp_stream *stream; /* NULL: the SSRC is new */
	uint64_t index;
	uint8_t tag[CRYPTO_TAG_MAX]; /* as received */
	uint8_t under[4];            /* what stood where the rollover counter is put */
	struct srtp_op op;
};

struct srtp_lcore {
	struct srtp_crypto *crypto;
	struct srtp_work work[BURST];
	struct srtp_op *hash[BURST], *cipher[BURST];
	uint8_t spare[2048]; /* a packet as it came, when more than one key may fit */
};
struct lcore;
struct flow;
/* srtp_stream.c: this context of the flow has room for no other SSRC. */
void srtp_ask_room(struct lcore *lcore, const struct flow *flow, struct srtp_context *context);
MUST_CHECK int srtp_lcore_create(struct srtp_lcore **out);
void srtp_lcore_destroy(struct srtp_lcore *srtp); /* NULL is fine */

/* Ask for the memory of a context, and for the keys of RTP in front of it (srtp_context.c; longer
 * ones begin before that, and the packets of an AEAD go one by one anyway). */
static inline void srtp_context_prefetch(const struct srtp_context *context)
{
	const char *at = (const char *)context;
	for (unsigned i = 0; i < SRTP_KEYS_HOT; i += 64)
		__builtin_prefetch(at - SRTP_KEYS_HOT + i);
	__builtin_prefetch(at, 1);
}

/* Length of the header that SRTP leaves in clear; demux has checked that it fits. */
static inline uint16_t srtp_rtp_header(const uint8_t *rtp)
{
	uint16_t len = (uint16_t)(12 + 4 * (rtp[0] & 0xf));
	if (rtp[0] & 0x10)
		len = (uint16_t)(len + 4 + 4 * read_be16(rtp + len + 2));
	return len;
}

static inline void write_be32(uint8_t *p, uint32_t value)
{
	write_be16(p, (uint16_t)(value >> 16));
	write_be16(p + 2, (uint16_t)value);
}
