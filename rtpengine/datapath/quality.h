/* quality.h - how a stream sounds: every few seconds of an arriving RTP stream one sample of loss,
 * jitter, round trip and the MOS that the E-model makes of them; and what the peer's RTCP says of
 * the stream it gets. Written by the flow's lcore, read by the control thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/counter.h"
#include "rtpengine/flow.h"

struct flow_state;

#define QUALITY_PERIOD_NS (FLOW_SAMPLE_MS * 1000000ull)

struct quality {
	/* of the lcore alone */
	uint64_t sampled_ns;         /* 0 = not begun */
	uint32_t expected, received; /* at the last sample */
	uint32_t sent_report;        /* middle of the NTP time of the last SR sent to this peer */
	uint64_t sent_report_ns;     /* when; 0 = none */
	/* for both; a sample is packed into one word (quality_pack) */
	struct counter samples, sum_mos, sum_loss, sum_jitter, sum_round_trip;
	struct counter lowest, lowest_ns, highest, highest_ns;
	struct counter round_trip_us; /* to this peer and back, by RTCP; 0 = not known */
	struct counter reported; /* bit 63 set; fraction lost << 32 | jitter (RTP clock units) */
	/* How it went: every `step`th sample. When there is room for no more, each second one goes
	 * and the step doubles. */
	_Atomic uint32_t begun_s; /* CLOCK_MONOTONIC of the first */
	_Atomic uint16_t step, count;
	struct counter progress[FLOW_PROGRESS_MAX];
};

/* RTP arrived; `expected` and `received` are those of the stream so far (RFC 3550 A.3),
 * modulo 2^32. */
void quality_rtp(struct quality *quality, uint32_t expected, uint32_t received, uint64_t jitter_us,
		 uint64_t now_ns);
/* A new SSRC: what was expected begins anew. */
void quality_restart(struct quality *quality);
/* RTCP in clear, its lengths checked, from the peer whose quality is `from`; it leaves towards the
 * one of `to` (NULL = nowhere). */
void quality_rtcp(struct quality *from, struct quality *to, const uint8_t *rtcp, uint32_t len,
		  uint64_t now_ns);
void quality_read(const struct quality *quality, struct flow_quality *out);
/* G.107 in its simple form: 10 to 45, in tenths. */
uint32_t quality_mos(uint32_t loss_percent, uint32_t jitter_ms, uint32_t round_trip_us);
