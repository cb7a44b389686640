/* piercing.c - SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/piercing.h"

#include <stdlib.h>

#define PERIOD_MS 500
#define TIMES     40 /* who does not speak in 20 s does not because of its NAT */

struct piercing {
	struct session *session;
	struct timer tick;
	unsigned left;
};

static void on_tick(struct timer *timer, uint64_t now_ms);

/* Its SDP says where it is, and nothing came from there. */
static bool waits(const struct stream *stream, int side, struct flow_id flow)
{
	const struct side *at = &stream->sides[side];
	struct flow_stats stats;

	return stream->is_live && at->now.bits & OPTION_PIERCE_NAT && !at->now.is_natted &&
	       !side_is_carried(stream, side) && !peering_has_ice(at->peering) &&
	       datapath_flow_stats(stream->dialog->session->all->datapath, flow, &stats) == 0 &&
	       !stats.source_is_locked;
}

/* Of the flows that wait; how many there are. A datagram that does not leave is sent again. */
static unsigned pierce(const struct stream *stream, int side)
{
	struct datapath *datapath = stream->dialog->session->all->datapath;
	const struct side *at = &stream->sides[side];
	const struct {
		struct flow_id flow;
		const struct addr *to;
	} flows[] = {{at->rtp.id, &at->now.rtp}, {at->rtcp.id, &at->now.rtcp}};
	unsigned found = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!flow_id_is_set(flows[i].flow) || !waits(stream, side, flows[i].flow))
			continue;
		found += i == 0; /* RTCP alone may never come */
		if (flows[i].to->port && !(i && at->mux))
			(void)!datapath_flow_send(datapath, flows[i].flow, flows[i].to,
						  (const uint8_t *)"", 0);
	}
	return found;
}

static void run(struct piercing *piercing, uint64_t now_ms)
{
	struct session *session = piercing->session;
	unsigned found = 0;

	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < (dialog->is_published ? 1 : 2); side++)
				found += pierce(dialog->streams[i], side);
	if (found && --piercing->left)
		wheel_arm(session->all->wheel, &piercing->tick, now_ms + PERIOD_MS, on_tick);
	else
		piercing_stop(session);
}

static void on_tick(struct timer *timer, uint64_t now_ms)
{
	run(container_of(timer, struct piercing, tick), now_ms);
}

static bool is_asked(const struct session *session)
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			for (int side = 0; side < 2; side++)
				if (dialog->streams[i]->sides[side].now.bits & OPTION_PIERCE_NAT)
					return true;
	return false;
}

void piercing_start(struct session *session, uint64_t now_ms)
{
	if (!is_asked(session))
		return;
	if (!session->piercing)
		session->piercing = calloc(1, sizeof(*session->piercing));
	if (!session->piercing)
		return; /* the call does without */
	session->piercing->session = session;
	session->piercing->left = TIMES;
	run(session->piercing, now_ms);
}

void piercing_stop(struct session *session)
{
	if (!session->piercing)
		return;
	wheel_cancel(session->all->wheel, &session->piercing->tick);
	free(session->piercing);
	session->piercing = NULL;
}
