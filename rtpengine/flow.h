/* flow.h - what the session side tells the datapath, and what it reads back: the only thing the two
 * share. A flow is one local UDP port of ours with one peer on it. What is admitted on a flow
 * leaves through another flow of the same call: from that flow's local port, to that flow's peer.
 * So a plain stream is two flows pointing at each other, its RTCP two more, and a learned source is
 * by itself where the other direction sends to (symmetric RTP, RFC 4961). A rule is immutable once
 * published; it is replaced as a whole under RCU. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/counter.h"

/* Names a flow to the datapath; carries a generation, so a stale id is refused, not misread. */
struct flow_id {
	uint32_t value; /* 0 = none */
};
#define FLOW_NONE ((struct flow_id){0})

static inline bool flow_id_is_set(struct flow_id id)
{
	return id.value != 0;
}

enum flow_kind {
	FLOW_RTP,   /* RTP only: RTCP has a port of its own (the odd one) */
	FLOW_RTCP,  /* RTCP only */
	FLOW_MUX,   /* both, told apart by payload type (RFC 5761 section 4) */
	FLOW_OTHER, /* any UDP payload: T.38 UDPTL and the like; no RTP checks, no RTP counters */
};

enum flow_source_mode {
	FLOW_SOURCE_CLOSED, /* nobody is admitted (no SDP from that side yet) */
	FLOW_SOURCE_EXACT,  /* only an expected address with its port (or port 0, see below) */
	FLOW_SOURCE_LEARN,  /* the same, and other ports of an expected address after probation */
	FLOW_SOURCE_SECURE, /* anybody whose packet passes SRTP authentication; needs srtp_in */
	FLOW_SOURCE_ICE,    /* who the control thread names, and the expected ones (valid pairs) */
};

/* Who may send to a flow. An expected address with a port (what the SDP says) is admitted and
 * locked by its first packet. With port 0 (a NATed side: only the IP address of its signalling is
 * known), or from another port in LEARN mode, it takes two consecutive packets of one SSRC in
 * sequence inside the window; the first of the two is not relayed. Everybody else is dropped and
 * counted as a hijack attempt. Once locked, the lock moves only
 *  - by a rule with another `epoch` (a new offer), or
 *  - in LEARN mode to another port of the same address that goes on with the same SSRC and sequence
 *    after the old one fell silent (a NAT that re-mapped), or
 *  - from a source that was only learned to the very address and port of the SDP.
 * A rule replaced with the same epoch and the same expected addresses keeps lock, probation and
 * window. Otherwise all begin anew, and the old source stays admitted for up to 5 s until the new
 * one is confirmed. RTCP needs no probation where its address is that of the locked RTP source
 * (`rtp_of`, or the same port with FLOW_MUX) and its sender SSRC is that source's or its port the
 * next; it takes over from RTCP learned without that. While RTP is locked, no other is learned.
 *
 * Where srtp_in is set, a packet is authenticated and fresh before it changes anything: no counter,
 * lock or learning moves for one that is not; and one that is needs no probation. In SECURE mode
 * any address may send such packets; where we send to follows once the old source fell silent. In
 * ICE mode nothing that packets say locks or moves: datapath_flow_lock() does, and outlives rules
 * of the same epoch; packets from the expected addresses are admitted beside the locked one. */
#define FLOW_EXPECTED_MAX 2
struct flow_source {
	enum flow_source_mode mode;
	struct addr expected[FLOW_EXPECTED_MAX]; /* family 0 = unused; port 0 = not known */
	uint32_t window_ms; /* learning ends this long after this epoch's first rule; 0 = never */
	uint32_t epoch;     /* any number; another one than before = learn again */
};

/* How packets of one direction are protected (RFC 3711, 6188, 7714). Order: as FOREACH_SUITE. */
enum flow_srtp_suite {
	FLOW_SRTP_NONE, /* plain RTP and RTCP */
	FLOW_SRTP_AES_CM_128_HMAC_SHA1_80,
	FLOW_SRTP_AES_CM_128_HMAC_SHA1_32, /* its RTCP tag has 80 bits too (RFC 4568 6.2.2) */
	FLOW_SRTP_AES_192_CM_HMAC_SHA1_80,
	FLOW_SRTP_AES_192_CM_HMAC_SHA1_32,
	FLOW_SRTP_AES_256_CM_HMAC_SHA1_80,
	FLOW_SRTP_AES_256_CM_HMAC_SHA1_32,
	FLOW_SRTP_AEAD_AES_128_GCM,
	FLOW_SRTP_AEAD_AES_256_GCM,
	FLOW_SRTP_SUITES
};

/* What is fixed by a suite; lengths in bytes. */
struct flow_srtp_info {
	const char *name; /* as in a=crypto; "" for FLOW_SRTP_NONE */
	uint8_t key_len;
	uint8_t salt_len;
	uint8_t rtp_tag;
	uint8_t rtcp_tag;
	uint16_t dtls_profile; /* RFC 5764 4.1.2, 7714 14.2; 0 = not for DTLS-SRTP */
	bool is_aead;
};
const struct flow_srtp_info *flow_srtp_info(enum flow_srtp_suite suite); /* never NULL */

/* How far one SSRC has come under a key. */
struct flow_srtp_index {
	uint32_t ssrc;
	uint32_t rtcp; /* SRTCP index of its last packet, 31 bits; 0 = none yet */
	uint64_t rtp;  /* rollover counter << 16 | sequence, 48 bits */
};

#define FLOW_SRTP_KEY_MAX     32
#define FLOW_SRTP_SALT_MAX    14
#define FLOW_SRTP_MKI_MAX     128 /* RFC 4568 section 6.1 */
#define FLOW_SRTP_INITIAL_MAX 4

/* Keys of one direction. Rollover counters, indexes and replay windows go on from rule to rule as
 * long as suite, key, salt and MKI stay; they begin anew when one of these changes (re-keying), and
 * what still comes under the old key is taken for 5 s more. Wipe it (explicit_bzero) after use. */
struct flow_srtp {
	enum flow_srtp_suite suite;
	uint8_t key[FLOW_SRTP_KEY_MAX];
	uint8_t salt[FLOW_SRTP_SALT_MAX];
	uint8_t mki_len; /* 0 = packets carry none */
	uint8_t mki[FLOW_SRTP_MKI_MAX];
	/* A restored session: where to go on, when the key is new to this flow. Incoming, nothing
	 * up to there is taken again; outgoing SRTCP skips ahead of it. */
	uint8_t initial_count;
	struct flow_srtp_index initial[FLOW_SRTP_INITIAL_MAX];
};

/* How a datagram shows that it belongs to an ICE session of this flow: what names none never
 * reaches the control thread. Two sessions, for one that restarts goes on until the next has
 * selected. */
#define FLOW_ICE_SESSIONS 2
#define FLOW_ICE_UFRAG    8
#define FLOW_ICE_MARK     4
struct flow_ice {
	char ufrags[FLOW_ICE_SESSIONS][FLOW_ICE_UFRAG]; /* ours; NUL first = none */
	uint8_t mark[FLOW_ICE_MARK]; /* begins the transaction ids of all our requests */
};

/* What a peer may send at most, on the average and 1 s in a burst; 0 = no limit. */
struct flow_limit {
	uint32_t packets_per_s;
	uint32_t bytes_per_s; /* of UDP payload */
};

/* What is done to the RTP that is admitted on a flow. */
enum flow_media {
	FLOW_MEDIA_PASS,
	FLOW_MEDIA_BLOCK,   /* dropped, but for telephone events */
	FLOW_MEDIA_SILENCE, /* G.711 (payload types 0 and 8) is made silent, the rest dropped */
};

/* A telephone event (RFC 4733) played into a stream: it takes the place of the packets that pass
 * meanwhile, so that sequence and timing stay those of the stream. */
struct flow_play {
	uint32_t id;  /* another one than before: play it; 0 = nothing */
	uint8_t type; /* payload type */
	uint8_t event;
	uint8_t volume;    /* -dBm0, 0 to 63 */
	uint16_t duration; /* in units of the stream's clock, at least one packet's worth */
};

#define FLOW_EVENT_TYPES 2
#define FLOW_COPIES_MAX  4
struct flow_alter {
	enum flow_media media;
	bool blocks_events;
	/* Payload types of telephone-event (RFC 4733) in the SDPs: seen, they are reported; 0 =
	 * none. */
	uint8_t event_types[FLOW_EVENT_TYPES];
	struct flow_play play;
	uint32_t recording;  /* everything admitted is copied to the recorder; 0 = nothing is */
	uint32_t forwarding; /* the same of RTP alone, under another name */
	/* RTP admitted here leaves through these as well, whatever `media` says. */
	struct flow_id copies[FLOW_COPIES_MAX];
};

/* Streams that share one transport (RFC 9143). What is admitted on its flow belongs to one of them,
 * found by the mid in the header extension, an SSRC seen before, or the payload type (9.2); there
 * the rule of the member's own flow goes on: limit, payload types, numbers, `alter`, `rtp_to`. What
 * leaves for a member's peer leaves through the flow of the transport. A member's own port is
 * closed, unless the member is the transport's flow itself. */
#define FLOW_BUNDLE_MAX 16
#define FLOW_MID_MAX    32
struct flow_member {
	struct flow_id flow;
	uint64_t payload_types[2]; /* as in its own rule; all zero = not known */
	char mid[FLOW_MID_MAX + 1];
};
struct flow_bundle {
	unsigned count;
	uint8_t mid_id; /* of the header extension (RFC 8285); 0 = not agreed */
	struct flow_member members[FLOW_BUNDLE_MAX];
};

struct flow_rule {
	enum flow_kind kind;
	struct flow_source source;
	/* Where packets that leave through this flow go while no source is locked; family 0 or
	 * port 0 = nowhere: they are dropped (no-destination). Leave it unset for a NATed side. */
	struct addr remote;
	bool symmetric; /* once a source is locked, send there instead (if false: always remote) */
	uint8_t dscp;   /* of packets leaving through this flow, 0 to 63 */
	uint32_t clock_hz;      /* RTP clock, for jitter (RFC 3550 A.8); 0 = no jitter */
	struct flow_id rtp_to;  /* RTP (FLOW_OTHER: everything) admitted here leaves through that
				 * flow;  none = counted, not relayed (hold, one-way) */
	struct flow_id rtcp_to; /* the same for RTCP (FLOW_RTCP, FLOW_MUX) */
	struct flow_id rtp_of;  /* FLOW_RTCP: the flow with the RTP of the same peer, if any */
	struct flow_alter alter;
	/* STUN that names a session of `ice`, and DTLS records from the locked source or an
	 * expected address (in mode CLOSED: from anybody), are given to the control thread, within
	 * a rate (RFC 7983; not with FLOW_OTHER). Other STUN and DTLS is dropped. */
	bool has_ice;
	bool has_dtls;
	struct flow_ice ice;
	/* Between us and the peer of this flow: `in` is the peer's key, `out` is ours. RTP and RTCP
	 * of one peer get the same on both flows. Packets are relayed from any kind of flow to any:
	 * opened on the way in, sealed anew on the way out. With FLOW_OTHER there is none. */
	struct flow_srtp srtp_in, srtp_out;
	/* DTLS-SRTP before the handshake is through: admit and send no RTP or RTCP in clear. */
	bool needs_srtp;
	struct flow_limit limit; /* of what arrives here */
	/* Payload types the SDP allows to arrive here, a bit each; all zero = any. */
	uint64_t payload_types[2];
	const struct flow_bundle *bundle; /* NULL = one stream; copied */
};

/* Why a packet was dropped: one reason each, in the order in which the stages look. */
#define FOREACH_DROP(X)                                                                            \
	X(RUNT, "runt", "shorter than its headers")                                                \
	X(SEGMENTED, "segmented", "more than one buffer (jumbo frame)")                            \
	X(NOT_IP, "not-ip", "VLAN tag or not IP")                                                  \
	X(IP_HEADER, "ip-header", "bad IP version, header length or total length")                 \
	X(IP_CHECKSUM, "ip-checksum", "wrong IPv4 header checksum")                                \
	X(IP_OPTIONS, "ip-options", "IPv4 options or IPv6 extension headers")                      \
	X(FRAGMENT, "fragment", "IP fragment")                                                     \
	X(NOT_UDP, "not-udp", "not UDP")                                                           \
	X(UDP_LENGTH, "udp-length", "UDP length does not fit")                                     \
	X(UDP_CHECKSUM, "udp-checksum", "wrong UDP checksum")                                      \
	X(NOT_OURS, "not-ours", "not to a media address and port of ours")                         \
	X(NO_FLOW, "no-flow", "no call on this port")                                              \
	X(HANDOVER, "handover", "queue to the lcore that owns the flow is full")                   \
	X(STUN, "stun", "STUN on a flow without ICE, or of no session of it")                      \
	X(DTLS, "dtls", "DTLS on a flow without DTLS-SRTP, or not from its peer")                  \
	X(DEMUX, "demux", "neither RTP, RTCP, STUN nor DTLS (RFC 7983)")                           \
	X(RTP_HEADER, "rtp-header", "malformed RTP")                                               \
	X(RTCP_HEADER, "rtcp-header", "malformed RTCP")                                            \
	X(CLOSED, "closed", "nobody may send here yet")                                            \
	X(STRANGER, "stranger", "source is not the peer")                                          \
	X(RATE, "rate", "more than the session's limit")                                           \
	X(PUNT, "punt", "too many STUN or DTLS packets for the control thread")                    \
	X(SRTP_KEY, "srtp-key", "no key for SRTP yet, or none with its MKI")                       \
	X(SRTP_AUTH, "srtp-auth", "SRTP authentication failed")                                    \
	X(SRTP_REPLAY, "srtp-replay", "SRTP packet seen before, or too old")                       \
	X(SRTP_SSRC, "srtp-ssrc", "more SSRCs than one SRTP key serves")                           \
	X(BUNDLE, "bundle", "of no stream that shares this port")                                  \
	X(PAYLOAD_TYPE, "payload-type", "RTP payload type that the SDP does not name")             \
	X(PROBATION, "probation", "first packet of a source that is being learned")                \
	X(BLOCKED, "blocked", "blocked by command")                                                \
	X(HELD, "held", "stream is held or one-way")                                               \
	X(NO_DESTINATION, "no-destination", "peer's address is not known yet")                     \
	X(NO_ROUTE, "no-route", "no route, or through a device that is not ours")                  \
	X(NO_NEIGHBOUR, "no-neighbour", "next hop does not answer ARP or ND")                      \
	X(LOOP, "loop", "destination is a media port of ours on this flow")                        \
	X(TOO_BIG, "too-big", "larger than the egress MTU")                                        \
	X(TX_FULL, "tx-full", "device did not take it")

enum drop {
#define X(name, key, text) DROP_##name,
	FOREACH_DROP(X)
#undef X
		DROP_COUNT,
	DROP_NONE = DROP_COUNT,
	DROP_OF_FLOW = DROP_NO_FLOW /* the first that can be counted on a flow */
};

const char *drop_key(enum drop why);  /* "udp-checksum" */
const char *drop_text(enum drop why); /* for people */

/* The largest STUN or DTLS datagram there is: an Ethernet frame's. */
#define PUNT_MAX 1472

/* How an arriving stream sounds, sampled every five seconds. */
#define FLOW_PROGRESS_MAX 8
#define FLOW_SAMPLE_MS    5000
struct flow_quality_sample {
	uint32_t mos; /* 10 to 45: tenths */
	uint32_t loss_percent;
	uint32_t jitter_ms;
	uint32_t round_trip_us; /* between us and the peer; 0 = no RTCP says */
	uint64_t at_ms;         /* CLOCK_MONOTONIC; 0 for averages */
};
struct flow_quality {
	uint64_t samples;
	struct flow_quality_sample average, lowest, highest;
	uint32_t round_trip_us; /* the last one */
	/* What the peer's last RTCP report says of the stream that it gets. */
	bool has_report;
	uint32_t reported_loss_percent;
	uint32_t reported_jitter; /* in units of the stream's clock */
	/* Samples over the whole of the stream, oldest first: every `progress_step`th of them. */
	unsigned progress_count, progress_step;
	struct flow_quality_sample progress[FLOW_PROGRESS_MAX];
};

/* A flow's numbers as read at one moment; each is exact, together they may be a packet apart. */
struct flow_stats {
	uint64_t packets; /* admitted here: RTP or, for FLOW_OTHER, anything */
	uint64_t bytes;   /* of UDP payload */
	uint64_t rtcp_packets;
	uint64_t rtcp_bytes;   /* of UDP payload, in clear */
	uint64_t sent_packets; /* left through this flow towards its peer, RTCP too */
	uint64_t sent_bytes;
	uint64_t lost; /* RFC 3550 A.3, over all SSRCs; never below 0 */
	uint64_t reordered;
	uint64_t duplicate;
	uint32_t jitter_us;      /* RFC 3550 A.8; includes up to one batch time of our own clock */
	uint64_t last_packet_ms; /* CLOCK_MONOTONIC, the last admitted RTP or other packet; 0 = none
				  */
	uint64_t last_rtcp_ms;
	uint32_t ssrc; /* of the last RTP packet; valid when packets > 0 */
	uint16_t sequence;
	uint32_t timestamp;
	uint8_t payload_type;
	bool source_is_locked;
	struct addr source;         /* when locked */
	uint64_t hijack_attempts;   /* packets of strangers, before the lock and after */
	uint64_t drops[DROP_COUNT]; /* of packets that arrived on this flow */
	struct flow_quality quality;
};
