/* alternate.c - the other address family of a side that ICE reaches (RFC 8421): a pair of ports
 * there, whose candidates stand beside those of the first. Its flows take STUN and DTLS, never
 * media: when ICE selects there, the two pairs change places.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <stdlib.h>

static int take(struct stream *stream, int side, uint64_t now_ms, const struct addr *local,
		struct alternate *out)
{
	struct sessions *sessions = stream->dialog->session->all;
	const struct side *at = &stream->sides[side];
	unsigned interface = stream->dialog->parties[side].interface;
	uint8_t family = port_range_address(at->range)->family == AF_INET6 ? AF_INET : AF_INET6;

	out->range = local ? interface_range_of(sessions, interface, local)
			   : interface_range(sessions, interface, family, now_ms);
	if (!out->range)
		return -ERR_NOT_FOUND;
	if (!local)
		return port_range_take(out->range, now_ms, stream, &out->port);
	out->port = local->port;
	return port_range_take_port(out->range, now_ms, stream, local->port);
}

void alternate_open(struct stream *stream, int side, uint64_t now_ms, const struct addr *local)
{
	struct side *at = &stream->sides[side];

	if (!at->range || at->alternate || stream->dialog->parties[side].media_address.family)
		return;
	struct alternate *alternate = calloc(1, sizeof(*alternate));
	if (!alternate)
		return;
	alternate->rtp.stream = alternate->rtcp.stream = stream;
	alternate->rtp.side = alternate->rtcp.side = (uint8_t)side;
	if (take(stream, side, now_ms, local, alternate) != 0) {
		free(alternate);
		return;
	}
	at->alternate = alternate;
	struct addr address = *port_range_address(alternate->range);
	address.port = alternate->port;
	int err = flow_open(stream, &alternate->rtp, address);
	address.port++;
	if (!err)
		err = flow_open(stream, &alternate->rtcp, address);
	if (err)
		alternate_close(stream, side, now_ms);
}

void alternate_close(struct stream *stream, int side, uint64_t now_ms)
{
	struct alternate *alternate = stream->sides[side].alternate;

	if (!alternate)
		return;
	flow_close(stream, &alternate->rtp);
	flow_close(stream, &alternate->rtcp);
	port_range_give(alternate->range, now_ms, alternate->port);
	stream->sides[side].alternate = NULL;
	free(alternate);
}

bool alternate_has(const struct side *side, uint8_t family)
{
	return side->alternate && port_range_address(side->alternate->range)->family == family;
}

static void swap_flows(struct sessions *sessions, struct flow_ref *a, struct flow_ref *b)
{
	struct flow_id id = a->id;

	table_remove(&sessions->by_flow, &a->link);
	table_remove(&sessions->by_flow, &b->link);
	a->id = b->id;
	b->id = id;
	table_insert(&sessions->by_flow, &a->link, a->id.value);
	table_insert(&sessions->by_flow, &b->link, b->id.value);
}

void alternate_swap(struct stream *stream, int side)
{
	struct sessions *sessions = stream->dialog->session->all;
	struct side *at = &stream->sides[side];
	struct port_range *range = at->range;
	uint16_t port = at->port;

	at->range = at->alternate->range;
	at->port = at->alternate->port;
	at->alternate->range = range;
	at->alternate->port = port;
	swap_flows(sessions, &at->rtp, &at->alternate->rtp);
	swap_flows(sessions, &at->rtcp, &at->alternate->rtcp);
}

void alternate_move(struct stream *stream, int side)
{
	struct alternate *alternate = stream->sides[side].alternate;

	if (!alternate)
		return;
	struct addr local = *port_range_address(alternate->range);
	local.port = alternate->port;
	flow_close(stream, &alternate->rtp);
	flow_close(stream, &alternate->rtcp);
	int err = flow_open(stream, &alternate->rtp, local);
	local.port++;
	if (!err)
		err = flow_open(stream, &alternate->rtcp, local);
	if (err)
		alternate_close(stream, side, wheel_now_ms(stream->dialog->session->all->wheel));
}

/* Nobody is admitted: whoever is there has to ask by STUN. */
void alternate_publish(struct stream *stream, int side)
{
	struct sessions *sessions = stream->dialog->session->all;
	const struct side *at = &stream->sides[side];
	struct flow_rule rule = {.kind = FLOW_MUX, .source.mode = FLOW_SOURCE_CLOSED};
	const struct alternate *alternate = at->alternate;

	if (!alternate)
		return;
	const struct flow_ref *refs[] = {&alternate->rtp, &alternate->rtcp};
	(void)peering_early_rule(at->peering, &rule);
	for (size_t i = 0; i < 2; i++) {
		int err = datapath_flow_set(sessions->datapath, refs[i]->id, &rule);
		if (err)
			log_error(sessions->log, "flow.refused",
				  "call=%s stream=%u side=%d reason=\"%s\"",
				  stream->dialog->session->call_id, stream->index, side,
				  err_text(err));
	}
}
