/* options.h - what one NG offer, answer or delete asks for: keys, flag list and rtpp-flags string
 * read through one table (docs: NG control protocol). Unknown names are logged and passed over;
 * known ones that ask for what this relay cannot do are refused by name.
 * Texts point into the request. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/log.h"
#include "control/ng/server.h"
#include "rtpengine/session/edits.h"
#include "rtpengine/session/sdes.h"
#include "rtpengine/session/options_peering.h"
#include "rtpengine/session/sessions.h"

enum options_bit {
	OPTION_REPLACE_ORIGIN = 1u << 0,      /* o= carries our address */
	OPTION_REPLACE_ORIGIN_FULL = 1u << 1, /* the whole o= is that of the first SDP */
	OPTION_REPLACE_USERNAME = 1u << 2,
	OPTION_REPLACE_SESSION_NAME = 1u << 3,
	OPTION_REPLACE_VERSION = 1u << 4, /* o= version counts the changes we make */
	OPTION_FORCE_INCREMENT = 1u << 5, /* ... and grows every time */
	OPTION_REPLACE_ZERO = 1u << 6,    /* 0.0.0.0 (old hold) is replaced as well */
	OPTION_SIP_SOURCE = 1u << 7,      /* media comes from where the SIP came from */
	OPTION_ASYMMETRIC = 1u << 8,      /* send to the SDP address whatever the source */
	OPTION_STRICT_SOURCE = 1u << 9,   /* only the very address and port of the SDP */
	OPTION_NO_LATCHING = 1u << 10,    /* a re-offer gets new ports */
	OPTION_NO_RTCP_ATTRIBUTE = 1u << 11,
	OPTION_FULL_RTCP_ATTRIBUTE = 1u << 12,
	OPTION_MUX_OFFER = 1u << 13,
	OPTION_MUX_REQUIRE = 1u << 14,
	OPTION_MUX_DEMUX = 1u << 15,
	OPTION_MUX_ACCEPT = 1u << 16,
	OPTION_MUX_REJECT = 1u << 17,
	OPTION_TO_TAG = 1u << 18,     /* delete: the to-tag counts */
	OPTION_FATAL = 1u << 19,      /* delete: an unknown call is an error */
	OPTION_PIERCE_NAT = 1u << 20, /* empty datagrams to who sent this, until it speaks */
	OPTION_LOAD_LIMIT = 1u << 21, /* the client understands result "load limit" */
	OPTION_NAT_WAIT = 1u << 22,   /* nothing is sent to who sent this before it speaks */
	OPTION_NEW_BRANCH = 1u << 23,
	OPTION_ALL = 1u << 24,
	OPTION_SINGLE_CODEC = 1u << 25, /* an answer names one codec */
	OPTION_RECORD = 1u << 27,
	OPTION_PAUSE = 1u << 28,
	OPTION_INACTIVE = 1u << 29, /* subscribe request: an offer that sends nothing */
	OPTION_SIPREC = 1u << 30,
	OPTION_DIRECTIONAL = 1u << 26, /* a command means the participant of the from-tag alone */
};

/* More than an enum holds. */
#define OPTION_FAST         (1ull << 32) /* delete: no statistics in the reply */
#define OPTION_DISCARD      (1ull << 33) /* the recording is not kept */
#define OPTION_LOOP_PROTECT (1ull << 34) /* an SDP that we wrote is passed as it is */
/* What of these is kept with a side. */
#define OPTIONS_OF_SIDE                                                                            \
	(OPTION_ASYMMETRIC | OPTION_STRICT_SOURCE | OPTION_NAT_WAIT | OPTION_PIERCE_NAT)

#define OPTIONS_REFUSED_SIZE 160

struct options {
	struct slice call_id, from_tag, to_tag, via_branch, sdp;
	struct slice state; /* which store the client keeps the call in; empty = it does not */
	struct slice from_label, to_label; /* of the participants; empty = not given */
	struct addr received_from;         /* family 0 = not given */
	struct slice interface_from;       /* names; empty = not given */
	struct slice interface_to;
	uint8_t family;            /* AF_INET, AF_INET6; 0 = not asked */
	struct addr media_address; /* to put into the SDP; family 0 = ours */
	int dscp;                  /* -1 = as configured */
	struct slice transport;    /* "RTP/AVP"; empty = as offered */
	int64_t delete_delay_s;    /* -1 = not given */
	uint64_t bits;             /* enum options_bit, and the rest above */
	unsigned direction_count;
	/* Of who made the offer, and of the other. */
	enum session_source source[2]; /* SESSION_SOURCE_UNSAID = not given */
	int64_t idle_timeout_ms[2];    /* -1 = not given */
	unsigned source_count, idle_count;
	const struct ng_value *stripped_extmaps; /* URIs; NULL = none by name */
	struct edits edits;
	struct options_sdes sdes;
	struct options_peering peering;
	char refused[OPTIONS_REFUSED_SIZE]; /* "" = nothing; else why the request is refused */
};

static inline bool option(const struct options *options, uint64_t bit)
{
	return (options->bits & bit) != 0;
}

/* Reads the whole request. Always fills *out; look at `refused` before an offer or answer is
 * obeyed. */
void options_read(const struct log *log, const struct ng_request *request, struct options *out);
