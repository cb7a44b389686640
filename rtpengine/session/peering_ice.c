/* peering_ice.c - the ICE agents of a side: made by an offer or for an answer, restarted when the
 * peer's credentials change (RFC 8445 9): the old one goes on until the new one has selected.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/peering_private.h"

static struct peering *peering_of(void *owner)
{
	return ((struct ice_slot *)owner)->peering;
}

static void on_send(void *owner, unsigned component, const struct addr *to, const uint8_t *data,
		    size_t len)
{
	const struct peering *peering = peering_of(owner);
	int err = datapath_flow_send(peering_sessions(peering)->datapath,
				     peering_flow(peering, component, to), to, data, len);
	(void)err; /* sent again by itself, or the peer asks again */
}

bool peering_selected(const struct peering *peering, struct addr *out)
{
	return peering && peering->uses_ice && peering_ice_selected(peering, 1, out);
}

/* Media goes by the pair of ports of the family that ICE has selected. */
static void follow(struct peering *peering)
{
	struct addr to;

	if (peering_selected(peering, &to) && alternate_has(peering_side(peering), to.family))
		alternate_swap(peering->stream, peering->side);
}

bool peering_ice_selected(const struct peering *peering, unsigned component, struct addr *out)
{
	const struct ice *ice = peering->ice[peering->current].ice;
	return ice && ice_selected(ice, component, out);
}

void peering_lock(const struct peering *peering)
{
	struct addr to;

	for (unsigned component = 1; component <= ICE_COMPONENTS; component++) {
		if (!peering->uses_ice || (component > 1 && peering->is_mux) ||
		    !peering_ice_selected(peering, component, &to) ||
		    alternate_has(peering_side(peering), to.family))
			continue;
		struct flow_id flow = peering_flow(peering, component, &to);
		if (!flow_id_is_set(flow))
			continue;
		int err = datapath_flow_lock(peering_sessions(peering)->datapath, flow, &to);
		if (err)
			log_error(peering_sessions(peering)->log, "ice.lock",
				  "call=%s component=%u reason=\"%s\"",
				  peering->stream->dialog->session->call_id, component,
				  err_text(err));
	}
}

static void log_component(const struct peering *peering, enum log_level level, const char *event,
			  unsigned component, const char *what, const char *text)
{
	log_event(peering_sessions(peering)->log, level, event,
		  "call=%s stream=%u port=%u component=%u %s=\"%s\"",
		  peering->stream->dialog->session->call_id, peering->stream->index,
		  peering_side(peering)->port, component, what, text);
}

static void on_selected(void *owner, unsigned component, const struct addr *remote)
{
	struct ice_slot *slot = owner;
	struct peering *peering = slot->peering;
	struct sessions *sessions = peering_sessions(peering);
	uint64_t now_ms = wheel_now_ms(sessions->wheel);
	unsigned index = (unsigned)(slot - peering->ice);
	char text[ADDR_TEXT_SIZE];

	log_component(peering, LOG_INFO, "ice.selected", component, "remote",
		      addr_text(remote, text));
	if (!ice_is_completed(slot->ice) && index != peering->current)
		return; /* the old session serves until the new one can */
	if (index != peering->current) {
		ice_destroy(peering->ice[peering->current].ice);
		peering->ice[peering->current].ice = NULL;
		peering->current = index;
	}
	if (ice_is_completed(slot->ice))
		sessions->counters.ice_completed++;
	peering->is_mute = peering->has_failed = false;
	follow(peering);
	stream_publish(peering->stream);
	for (unsigned i = 1; i <= ICE_COMPONENTS; i++) {
		struct addr to;
		if (ice_selected(slot->ice, i, &to))
			peering_dtls_path(peering, i, &to, now_ms);
	}
}

static void on_failed(void *owner, unsigned component)
{
	struct peering *peering = peering_of(owner);

	if (!peering->has_failed)
		peering_sessions(peering)->counters.ice_failed++;
	peering->has_failed = true;
	log_component(peering, LOG_WARN, "ice.failed", component, "reason",
		      "no candidate of the peer answers");
}

static void on_lost(void *owner, unsigned component)
{
	struct ice_slot *slot = owner;
	struct peering *peering = slot->peering;

	if (slot != &peering->ice[peering->current])
		return;
	if (!peering->is_mute)
		peering_sessions(peering)->counters.consent_lost++;
	peering->is_mute = true;
	log_component(peering, LOG_WARN, "ice.consent-lost", component, "effect",
		      "nothing is sent there any more");
	stream_publish(peering->stream);
}

static const struct ice_events events = {on_send, on_selected, on_failed, on_lost};

static struct ice_config agent_config(struct peering *peering, struct ice_slot *slot,
				      bool is_controlling)
{
	struct sessions *sessions = peering_sessions(peering);
	struct ice_config config = {
		.wheel = sessions->wheel,
		.random = sessions->random,
		.is_lite = peering->is_lite,
		.is_controlling = is_controlling,
		.components = peering->is_mux ? 1 : 2,
		.has_both_families = peering_side(peering)->alternate != NULL,
		.events = &events,
		.owner = slot,
	};

	memcpy(config.mark, peering->mark, sizeof(config.mark));
	return config;
}

int peering_ice_restore(struct peering *peering, const struct ice_state *state, uint64_t now_ms)
{
	struct ice_slot *slot = &peering->ice[peering->current];
	const struct ice_config config = agent_config(peering, slot, state->is_controlling);
	int err = ice_restore(&config, state, now_ms, &slot->ice);

	for (unsigned i = 0; i < peering->said.candidate_count && !err; i++)
		if (!ice_is_completed(slot->ice))
			peering_ice_candidate(peering, slot->ice, &peering->said.candidates[i],
					      now_ms);
	return err;
}

/* Beside the one in use, if there is one. */
int peering_ice_create(struct peering *peering, bool is_controlling, uint64_t now_ms)
{
	unsigned index =
		peering->ice[peering->current].ice ? 1 - peering->current : peering->current;
	struct ice_slot *slot = &peering->ice[index];
	const struct ice_config config = agent_config(peering, slot, is_controlling);
	struct ice *ice;

	int err = ice_create(&config, now_ms, &ice);
	if (err)
		return err;
	ice_destroy(slot->ice); /* a restart before the last one was through */
	slot->ice = ice;
	return 0;
}

void peering_ice_close(struct peering *peering)
{
	for (unsigned i = 0; i < 2; i++) {
		ice_destroy(peering->ice[i].ice);
		peering->ice[i].ice = NULL;
	}
	peering->uses_ice = false;
}

/* A full agent sends checks to where its peer says. Not into our own networks for one that is
 * outside of them, and not to another family than its flow speaks; where such a peer really is its
 * own checks show. */
void peering_ice_candidate(struct peering *peering, struct ice *ice,
			   const struct ice_candidate *candidate, uint64_t now_ms)
{
	const struct side *side = peering_side(peering);
	bool is_other = alternate_has(side, candidate->addr.family);
	struct addr local = *port_range_address(is_other ? side->alternate->range : side->range);

	if (candidate->addr.family != local.family ||
	    (addr_is_private(&candidate->addr) && !addr_is_private(&local)))
		return;
	ice_add_candidate(ice, candidate, now_ms);
}

/* The peer of this session, new or as before. */
static int meet(struct peering *peering, struct ice *ice, uint64_t now_ms)
{
	const struct peering_sdp *said = &peering->said;
	struct slice ufrag = slice_from(said->ufrag), pwd = slice_from(said->pwd);
	int err = 0;

	ice_set_components(ice, peering->is_mux ? 1 : 2);
	if (!ice_remote_is(ice, ufrag, pwd)) {
		if (ice_has_remote(ice)) /* another branch of a fork answers our one offer */
			ice_forget_remote(ice);
		err = ice_set_remote(ice, ufrag, pwd, said->is_lite, now_ms);
	}
	for (unsigned i = 0; i < said->candidate_count && !err; i++)
		peering_ice_candidate(peering, ice, &said->candidates[i], now_ms);
	if (!err && (said->is_ended || !said->is_trickle))
		ice_end_of_candidates(ice, now_ms);
	return err;
}

int peering_ice_apply(struct peering *peering, bool is_offerer, uint64_t now_ms)
{
	const struct peering_sdp *said = &peering->said;

	/* Two lite agents send no checks: media goes by the SDP (RFC 8445 8.2 with one pair). */
	if (!peering->told_ice || !said->has_ice || said->is_mismatched ||
	    (said->is_lite && peering->is_lite)) {
		peering_ice_close(peering);
		alternate_close(peering->stream, peering->side, now_ms);
		return 0;
	}
	struct ice *ice = peering_newest(peering);
	if (!ice)
		alternate_open(peering->stream, peering->side, now_ms, NULL);
	bool is_restart = is_offerer && ice && ice_has_remote(ice) &&
			  !ice_remote_is(ice, slice_from(said->ufrag), slice_from(said->pwd));
	peering->uses_ice = true;
	if (!ice || is_restart) {
		int err = peering_ice_create(peering, false, now_ms);
		if (err)
			return err;
		if (is_restart)
			peering_sessions(peering)->counters.ice_restarts++;
	}
	int err = meet(peering, peering_newest(peering), now_ms);
	follow(peering); /* whatever its c= says */
	return err;
}
