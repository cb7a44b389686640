/* receive.c - a STUN datagram for an agent (RFC 8445 7.3). Who does not know the password is not
 * answered: a media port is no STUN server for strangers, and nothing they send is reflected.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/agent.h"

/* "ours:theirs"; theirs may not be known yet. */
static bool username_is_ours(const struct ice *ice, struct slice username)
{
	struct slice rest = username;
	struct slice first = slice_cut(&rest, ':');

	if (first.len == username.len || !slice_equal(first, slice_from(ice->ufrag)))
		return false;
	return !ice->has_remote || slice_equal(rest, slice_from(ice->remote_ufrag));
}

static bool id_is_ours(const struct ice *ice, const uint8_t *id)
{
	for (unsigned i = 0; i < ice->pair_count; i++) {
		if (ice->pairs[i]->has_transaction && !memcmp(ice->pairs[i]->id, id, STUN_ID))
			return true;
	}
	for (unsigned i = 0; i < ICE_COMPONENTS; i++) {
		if (ice->components[i].has_consent_id &&
		    !memcmp(ice->components[i].consent_id, id, STUN_ID))
			return true;
	}
	return false;
}

static bool message_is_ours(const struct ice *ice, const struct stun_message *message)
{
	if (message->class == STUN_REQUEST || message->class == STUN_INDICATION)
		return username_is_ours(ice, message->username);
	return id_is_ours(ice, message->id);
}

bool ice_is_for(const struct ice *ice, const uint8_t *data, size_t len)
{
	struct stun_message message;
	return stun_read(data, len, &message) == 0 && message_is_ours(ice, &message);
}

static void answer(struct ice *ice, unsigned component, const struct addr *to,
		   struct stun_writer *writer)
{
	if (stun_end(writer, slice_from(ice->pwd)) == 0)
		ice->config.events->send(ice->config.owner, component, to, writer->data,
					 writer->len);
}

static void answer_error(struct ice *ice, unsigned component, const struct addr *to,
			 const struct stun_message *message, uint16_t code, struct slice reason)
{
	struct stun_writer writer;

	stun_begin(&writer, STUN_ERROR, message->id);
	stun_add_error(&writer, code, reason);
	if (code == 420)
		stun_add_unknown(&writer, message->unknown, message->unknown_count);
	answer(ice, component, to, &writer);
}

/* RFC 8445 7.3.1.1. True: the other side has to give in, and hears so. */
static bool role_conflicts(struct ice *ice, const struct stun_message *message)
{
	bool controlling = ice->config.is_controlling;

	if (ice->config.is_lite || message->role == STUN_NO_ROLE ||
	    controlling != (message->role == STUN_CONTROLLING))
		return false;
	bool larger = ice->tie_breaker >= message->tie_breaker;
	if (controlling == larger)
		return true;
	ice->config.is_controlling = !controlling;
	return false;
}

static struct pair *pair_of(struct ice *ice, unsigned component, const struct addr *from,
			    const struct stun_message *message)
{
	struct pair *pair = pair_find(ice, component, from);
	if (pair)
		return pair;
	const struct ice_candidate candidate = {
		.addr = *from,
		.component = (uint8_t)component,
		.type = ICE_PRFLX,
		.priority = message->priority ? message->priority : 1,
	};
	return pair_add(ice, &candidate);
}

static void note_consent(struct ice *ice, unsigned number, const struct pair *pair, uint64_t now_ms)
{
	struct component *at = component_of(ice, number);

	if (!ice->config.is_lite || at->selected != pair)
		return;
	/* once may be a late check; once more after an interval is RFC 7675 */
	if (now_ms - at->consent_ms >= CONSENT_MS * 8 / 10 / 2) {
		at->peer_consents = true;
		checks_wake(ice, now_ms);
	}
	at->consent_ms = now_ms;
}

static enum ice_verdict request(struct ice *ice, unsigned component, const struct addr *from,
				const struct stun_message *message, uint64_t now_ms)
{
	struct stun_writer writer;

	if (!message->has_fingerprint)
		return ICE_MALFORMED; /* RFC 8445 7.1 */
	if (!stun_is_authentic(message, slice_from(ice->pwd)))
		return ICE_UNAUTHENTIC;
	if (message->unknown_count) {
		answer_error(ice, component, from, message, 420, SLICE("Unknown Attribute"));
		return ICE_TAKEN;
	}
	if (role_conflicts(ice, message)) {
		answer_error(ice, component, from, message, 487, SLICE("Role Conflict"));
		return ICE_TAKEN;
	}
	struct pair *pair = pair_of(ice, component, from, message);
	if (!pair) /* more than anybody needs */
		return ICE_TAKEN;
	stun_begin(&writer, STUN_SUCCESS, message->id);
	stun_add_mapped(&writer, from);
	answer(ice, component, from, &writer);
	if (ice->config.is_lite)
		pair->state = PAIR_SUCCEEDED; /* RFC 8445 7.3.2 */
	check_trigger(ice, pair, now_ms);
	if (message->use_candidate && !ice->config.is_controlling) {
		pair->use_candidate = true;
		if (pair->state == PAIR_SUCCEEDED)
			pair_select(ice, pair, now_ms);
	}
	note_consent(ice, component, pair, now_ms);
	return ICE_TAKEN;
}

enum ice_verdict ice_receive(struct ice *ice, unsigned component, const struct addr *from,
			     const uint8_t *data, size_t len, uint64_t now_ms)
{
	struct stun_message message;

	if (stun_read(data, len, &message) != 0 || message.method != STUN_BINDING)
		return ICE_MALFORMED;
	if (component < 1 || component > ice->config.components || !message_is_ours(ice, &message))
		return ICE_NOT_OURS;
	if (message.class == STUN_REQUEST)
		return request(ice, component, from, &message, now_ms);
	if (message.class == STUN_INDICATION)
		return ICE_TAKEN; /* keeps a binding alive, no more (RFC 8445 11) */
	if (!stun_is_authentic(&message, slice_from(ice->remote_pwd)))
		return ICE_UNAUTHENTIC;
	if (!consent_response(ice, component, from, &message, now_ms))
		check_response(ice, component, from, &message, now_ms);
	return ICE_TAKEN;
}
