/* restore.c - an agent that goes on in another process: its peer notices nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/agent.h"

void ice_save(const struct ice *ice, struct ice_state *out)
{
	struct ice_state state = {
		.is_controlling = ice->config.is_controlling,
		.has_remote = ice->has_remote,
		.remote_is_lite = ice->remote_is_lite,
		.is_ended = ice->is_ended,
		.tie_breaker = ice->tie_breaker,
	};

	memcpy(state.ufrag, ice->ufrag, sizeof(state.ufrag));
	memcpy(state.pwd, ice->pwd, sizeof(state.pwd));
	memcpy(state.remote_ufrag, ice->remote_ufrag, sizeof(state.remote_ufrag));
	memcpy(state.remote_pwd, ice->remote_pwd, sizeof(state.remote_pwd));
	for (unsigned i = 0; i < ICE_COMPONENTS; i++)
		if (ice->components[i].selected)
			state.selected[state.selected_count++] =
				ice->components[i].selected->remote;
	*out = state;
	explicit_bzero(&state, sizeof(state));
}

static void select_again(struct ice *ice, const struct ice_candidate *candidate, uint64_t now_ms)
{
	struct component *at = component_of(ice, candidate->component);
	struct pair *pair = at->selected ? NULL : pair_add(ice, candidate);

	if (!pair)
		return;
	pair->state = PAIR_SUCCEEDED;
	pair->use_candidate = true;
	at->selected = pair;
	at->valid_ms = now_ms ? now_ms : 1;
	at->nominated_ms = now_ms;
	consent_begin(ice, at, now_ms);
}

int ice_restore(const struct ice_config *config, const struct ice_state *state, uint64_t now_ms,
		struct ice **out)
{
	struct ice *ice;
	int err = ice_create(config, now_ms, &ice);

	if (err)
		return err;
	memcpy(ice->ufrag, state->ufrag, sizeof(ice->ufrag));
	memcpy(ice->pwd, state->pwd, sizeof(ice->pwd));
	ice->tie_breaker = state->tie_breaker;
	for (unsigned i = 0; i < state->selected_count; i++)
		select_again(ice, &state->selected[i], now_ms);
	if (state->has_remote)
		err = ice_set_remote(ice, slice_from(state->remote_ufrag),
				     slice_from(state->remote_pwd), state->remote_is_lite, now_ms);
	if (err) {
		ice_destroy(ice);
		return err;
	}
	ice->config.is_controlling = state->is_controlling;
	ice->is_ended = state->is_ended;
	*out = ice;
	return 0;
}
