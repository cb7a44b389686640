/* stream.c - one m= line: port pairs and flows of both sides, and what its SDP says of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/bundle.h"
#include "rtpengine/session/connect.h"
#include "rtpengine/session/dtmf.h"
#include "rtpengine/session/player.h"
#include "rtpengine/session/subscription.h"

#include <stdlib.h>

enum { TRIES_MAX = 32 }; /* to find a port that nobody is on */

/* TCP, and the data channels of WebRTC, which would need our DTLS for themselves. */
static bool is_refused(struct slice protocol)
{
	return slice_find_slice(protocol, SLICE("TCP")) < protocol.len ||
	       slice_find_slice(protocol, SLICE("SCTP")) < protocol.len;
}

struct stream_kind stream_kind_of(const struct sdp_media *media)
{
	struct stream_kind kind = {.is_rtp = sdp_media_is_rtp(media),
				   .is_refused = is_refused(media->protocol)};

	slice_copy(media->type, kind.type, sizeof(kind.type));
	return kind;
}

int stream_create(struct dialog *dialog, const struct sdp_media *media, struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ERR_NO_MEMORY;
	stream->dialog = dialog;
	stream->index = media->index;
	stream->kind = stream_kind_of(media);
	for (uint8_t side = 0; side < 2; side++) {
		stream->sides[side].carrier = (uint8_t)stream->index;
		struct side *at = &stream->sides[side];
		struct flow_ref *refs[] = {&at->rtp, &at->rtcp};
		for (size_t i = 0; i < 2; i++) {
			refs[i]->stream = stream;
			refs[i]->side = side;
		}
	}
	*out = stream;
	return 0;
}

void stream_destroy(struct stream *stream, uint64_t now_ms)
{
	subscriptions_forget(stream);
	for (int side = 0; side < 2; side++) {
		side_close(stream, side, now_ms);
		side_offer_forget(&stream->sides[side]);
	}
	free(stream);
}

int flow_open(struct stream *stream, struct flow_ref *ref, struct addr local)
{
	struct sessions *sessions = stream->dialog->session->all;
	int err = datapath_flow_open(sessions->datapath, &local, stream->dialog->session->affinity,
				     &ref->id);
	if (!err)
		table_insert(&sessions->by_flow, &ref->link, ref->id.value);
	return err;
}

void flow_close(struct stream *stream, struct flow_ref *ref)
{
	struct sessions *sessions = stream->dialog->session->all;
	struct flow_stats stats;

	if (!flow_id_is_set(ref->id))
		return;
	if (datapath_flow_stats(sessions->datapath, ref->id, &stats) == 0) {
		sessions->counters.packets += stats.sent_packets;
		sessions->counters.bytes += stats.sent_bytes;
		sessions->counters.lost += stats.lost;
	}
	datapath_flow_close(sessions->datapath, ref->id);
	table_remove(&sessions->by_flow, &ref->link);
	ref->id = FLOW_NONE;
}

static void ports_close(struct stream *stream, int side, uint64_t now_ms)
{
	struct side *at = &stream->sides[side];

	dtmf_free(stream->dialog->session->all, at->dtmf);
	at->dtmf = NULL;
	(void)player_stop(stream, side);
	forwarding_stop(stream, side);
	alternate_close(stream, side, now_ms);
	flow_close(stream, &at->rtp);
	flow_close(stream, &at->rtcp);
	if (at->range)
		port_range_give(at->range, now_ms, at->port);
	at->range = NULL;
	at->port = 0;
}

/* The pair is taken already. */
static int open_at(struct stream *stream, int side, uint64_t now_ms, struct port_range *range,
		   uint16_t port)
{
	struct side *at = &stream->sides[side];
	struct addr local = *port_range_address(range);

	ports_close(stream, side, now_ms);
	at->range = range;
	at->port = port;
	local.port = port;
	int err = flow_open(stream, &at->rtp, local);
	local.port++;
	if (!err) /* without RTP it stays closed; an audio stream that becomes T.38 may come back */
		err = flow_open(stream, &at->rtcp, local);
	if (err)
		ports_close(stream, side, now_ms);
	return err;
}

int side_open(struct stream *stream, int side, uint64_t now_ms, struct port_range **failed)
{
	struct side *at = &stream->sides[side];
	const struct party *party = &stream->dialog->parties[side];
	struct sessions *sessions = stream->dialog->session->all;
	/* Where it is it stays, also on a range that nobody new is given. */
	if (at->range &&
	    (port_range_address(at->range)->family == party->family ||
	     alternate_has(at, party->family)) &&
	    strcmp(port_range_interface(at->range), sessions->interfaces[party->interface].name) ==
		    0)
		return 0;
	struct port_range *range =
		interface_range(sessions, party->interface, party->family, now_ms);
	*failed = range;
	if (!range)
		return -ERR_NOT_FOUND;
	/* A port may be one of a range that was taken away, and in use until its session ends. */
	int err = -ERR_EXISTS;
	for (int i = 0; i < TRIES_MAX && err == -ERR_EXISTS; i++) {
		uint16_t port;
		err = port_range_take(range, now_ms, stream, &port);
		if (!err)
			err = open_at(stream, side, now_ms, range, port);
	}
	return err;
}

int side_reopen(struct stream *stream, int side, uint64_t now_ms, const struct addr *local)
{
	unsigned interface = stream->dialog->parties[side].interface;
	struct port_range *range =
		interface_range_of(stream->dialog->session->all, interface, local);

	if (!range)
		return -ERR_NOT_FOUND;
	int err = port_range_take_port(range, now_ms, stream, local->port);
	return err ? err : open_at(stream, side, now_ms, range, local->port);
}

int side_move(struct stream *stream, int side)
{
	struct side *at = &stream->sides[side];

	if (!at->range)
		return 0;
	struct addr local = *port_range_address(at->range);
	local.port = at->port;
	flow_close(stream, &at->rtp);
	flow_close(stream, &at->rtcp);
	int err = flow_open(stream, &at->rtp, local);
	local.port++;
	if (!err)
		err = flow_open(stream, &at->rtcp, local);
	alternate_move(stream, side);
	return err;
}

void side_close(struct stream *stream, int side, uint64_t now_ms)
{
	peering_destroy(stream->sides[side].peering);
	sdes_destroy(stream->sides[side].sdes);
	stream->sides[side].sdes = NULL;
	stream->sides[side].carrier = (uint8_t)stream->index;
	stream->sides[side].is_bundled = false;
	ports_close(stream, side, now_ms);
}

/* The address of a range, as others see it. */
static struct addr told_address(const struct dialog *dialog, int side,
				const struct port_range *range)
{
	const struct party *party = &dialog->parties[side];
	const struct local_interface *local = &dialog->session->all->interfaces[party->interface];
	const struct addr *address = port_range_address(range);

	if (party->media_address.family)
		return party->media_address;
	return local->advertise.family == address->family ? local->advertise : *address;
}

struct addr party_sdp_address(const struct dialog *dialog, int side)
{
	const struct party *party = &dialog->parties[side];
	const struct port_range *range = NULL;

	/* Ranges of one family share an interface; the side's own says which address. */
	for (unsigned i = 0; i < dialog->stream_count && !range; i++)
		range = dialog->streams[i]->sides[side].range;
	if (!range)
		range = interface_range(dialog->session->all, party->interface, party->family, 0);
	return range ? told_address(dialog, side, range) : (struct addr){.family = party->family};
}

struct addr side_local(const struct stream *stream, int side)
{
	const struct side *at = side_transport(stream, side);
	/* Several addresses of one family: each stream says its own. */
	struct addr addr = at->range ? told_address(stream->dialog, side, at->range)
				     : party_sdp_address(stream->dialog, side);

	addr.port = at->port;
	return addr;
}

struct addr side_local_alternate(const struct stream *stream, int side)
{
	const struct alternate *alternate = side_transport(stream, side)->alternate;
	struct addr addr = {.family = 0};

	if (alternate) {
		addr = told_address(stream->dialog, side, alternate->range);
		addr.port = alternate->port;
	}
	return addr;
}

static bool is_multicast_or_broadcast(const struct addr *addr)
{
	return addr_is_multicast(addr) ||
	       (addr->family == AF_INET && addr->v4.s_addr == INADDR_BROADCAST);
}

static void read_natted(struct side_media *out, const struct options *options, bool is_exact)
{
	out->received = options->received_from;
	out->received.port = 0;
	if (out->received.family != out->rtp.family || is_exact ||
	    addr_equal_ip(&out->received, &out->rtp))
		return;
	/* Told by the client; or plain to see: private in the SDP, public outside. */
	out->is_natted = option(options, OPTION_SIP_SOURCE) ||
			 (addr_is_private(&out->rtp) && !addr_is_private(&out->received));
}

/* Of both families the one of its c=, unless ICE has found the way; false: we have it not. */
static bool choose_family(struct stream *stream, int side, uint8_t family, bool has_ice)
{
	const struct side *at = &stream->sides[side];
	struct addr selected;

	if (!alternate_has(at, family))
		return family == stream->dialog->parties[side].family ||
		       (at->range && port_range_address(at->range)->family == family);
	if (!has_ice || !peering_selected(at->peering, &selected))
		alternate_swap(stream, side);
	return true;
}

int side_read(struct stream *stream, int side, const struct sdp_media *media,
	      const struct options *options, struct side_media *out, const char **why)
{
	const struct sdp_connection *connection = sdp_media_connection(media);
	struct side_media read = {.is_known = true,
				  .bits = (uint32_t)(options->bits & OPTIONS_OF_SIDE),
				  .pcma_type = TYPE_NONE,
				  .pcmu_type = TYPE_NONE};
	struct stream_kind kind = stream_kind_of(media);
	struct sdp_rtpmap map;

	slice_copy(media->protocol, read.protocol, sizeof(read.protocol));
	read.direction = sdp_media_direction(media);
	read.is_rejected = media->port == 0;
	read.has_mux = sdp_media_has_rtcp_mux(media);
	policing_read(media, &read.policing);
	read.mid_id = bundle_mid_id(media);
	if (media->format_count && sdp_media_rtpmap(media, media->formats[0], &map) == 0)
		read.clock_hz = map.clock_rate;
	if (sdp_media_find_encoding(media, SLICE("telephone-event"), read.clock_hz, &map) == 0)
		read.event_type = map.payload_type;
	if (sdp_media_find_encoding(media, SLICE("PCMA"), 8000, &map) == 0)
		read.pcma_type = map.payload_type;
	if (sdp_media_find_encoding(media, SLICE("PCMU"), 8000, &map) == 0)
		read.pcmu_type = map.payload_type;
	if (read.is_rejected || kind.is_refused) {
		*out = read;
		return 0;
	}
	*why = "no address in c=";
	if (!connection)
		return -ERR_MALFORMED;
	*why = "c= names a host, an IP address is needed";
	if (!connection->addr.family)
		return -ERR_UNSUPPORTED;
	*why = "c= names a multicast or broadcast address";
	if (is_multicast_or_broadcast(&connection->addr))
		return -ERR_UNSUPPORTED;
	/* with ICE 0.0.0.0 means that no candidate is the default yet (RFC 8840 4.1.1) */
	bool has_ice = peering_said_ice(stream->sides[side].peering);
	read.is_zero = addr_is_any(&connection->addr) && !has_ice;
	if (read.is_zero) {
		const struct side_media *before = &stream->sides[side].now;
		read.rtp = before->rtp;
		read.rtcp = before->rtcp;
		read.is_natted = before->is_natted;
		read.received = before->received;
		*out = read;
		return 0;
	}
	*why = "unusable address or port";
	if (sdp_media_rtp_addr(media, &read.rtp) != 0)
		return -ERR_MALFORMED;
	if (kind.is_rtp && sdp_media_rtcp_addr(media, &read.rtcp) != 0)
		return -ERR_MALFORMED;
	*why = "its address is not of the family spoken on that side";
	if (!choose_family(stream, side, read.rtp.family, has_ice) ||
	    (kind.is_rtp && read.rtcp.family != read.rtp.family))
		return -ERR_UNSUPPORTED;
	*why = "unusable address in a=rtcp";
	if (kind.is_rtp && is_multicast_or_broadcast(&read.rtcp))
		return -ERR_MALFORMED;
	read_natted(&read, options, party_source(stream->dialog, side) == SESSION_SOURCE_SDP_ONLY);
	*out = read;
	return 0;
}

bool stream_is_live(const struct stream *stream)
{
	for (int side = 0; side < (stream->dialog->is_published ? 1 : 2); side++) {
		const struct side *at = &stream->sides[side];
		if (!at->range || !at->now.is_known || at->now.is_rejected)
			return false;
	}
	return !stream->kind.is_refused;
}

/* Both SDPs agree that media goes from this side to its hearer (RFC 3264 5.1, 6.1). */
bool side_may_send(const struct stream *stream, int side)
{
	const struct side_media *from = &stream->sides[side].now;
	struct hearer hearer = stream_hearer(stream, side);

	if (!hearer.stream)
		return false;
	const struct side_media *to = &hearer.stream->sides[hearer.side].now;
	return (from->direction & SDP_SENDONLY) && (to->direction & SDP_RECVONLY) && !to->is_zero;
}
