/* ice.h - an ICE agent for one side of one stream (RFC 8445), full or lite: connectivity checks,
 * nomination, consent (RFC 7675). It has one local host candidate per component and address family
 * (the flow it sits on), so a candidate pair is a remote candidate. A restart is another agent: the
 * old one goes on until the new one has selected. Knows neither sockets nor SDP: packets, time and
 * what happens leave by struct ice_events. Not freed inside its own events.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once
#include "control/base/random.h"
#include "control/base/wheel.h"
#include "rtpengine/ice/candidate.h"

#define ICE_COMPONENTS 2
#define ICE_UFRAG_LEN  8 /* ours; RFC 8445 5.3: at least 4, and 22 for the password */
#define ICE_PWD_LEN    24
#define ICE_TEXT_MAX   256 /* of the far end's */
#define ICE_PAIRS_MAX  32

struct ice;

struct ice_events {
	void (*send)(void *owner, unsigned component, const struct addr *to, const uint8_t *data,
		     size_t len);
	/* Media of this component goes to and comes from there; may be called again with another
	 * address (the peer nominated a better one). */
	void (*selected)(void *owner, unsigned component, const struct addr *remote);
	/* No pair works and no candidate is to come; or none worked in ICE_PATIENCE_MS. */
	void (*failed)(void *owner, unsigned component);
	/* The peer did not consent for 30 s; nothing may be sent there any more. */
	void (*lost)(void *owner, unsigned component);
};
#define ICE_PATIENCE_MS 40000

struct ice_config {
	struct wheel *wheel;
	struct random *random;
	bool is_lite;
	bool is_controlling; /* as SDP says; a conflict may turn it round */
	uint8_t components;  /* 1 (rtcp-mux) or 2 */
	bool has_both_families;
	uint8_t mark[4]; /* begins all our transaction ids, so that strangers' answers are seen
			    without a look-up */
	const struct ice_events *events;
	void *owner;
};

MUST_CHECK int ice_create(const struct ice_config *config, uint64_t now_ms, struct ice **out);
void ice_destroy(struct ice *ice); /* NULL is fine */

/* What outlives a process: credentials both ways, and what was selected. */
struct ice_state {
	char ufrag[ICE_UFRAG_LEN + 1], pwd[ICE_PWD_LEN + 1];
	char remote_ufrag[ICE_TEXT_MAX + 1], remote_pwd[ICE_TEXT_MAX + 1];
	bool is_controlling, has_remote, remote_is_lite, is_ended;
	uint64_t tie_breaker;
	uint8_t selected_count;
	struct ice_candidate selected[ICE_COMPONENTS];
};
/* restore.c */
void ice_save(const struct ice *ice, struct ice_state *out);
/* The same agent again: what was selected is so at once, without an event, and consent counts from
 * now. The other candidates are the caller's to add. */
MUST_CHECK int ice_restore(const struct ice_config *config, const struct ice_state *state,
			   uint64_t now_ms, struct ice **out);

/* Of our candidate of that family: IPv6 first (RFC 8421). */
uint16_t ice_preference(const struct ice *ice, uint8_t family);
const char *ice_ufrag(const struct ice *ice); /* ours */
const char *ice_pwd(const struct ice *ice);

/* The far end's credentials; checks begin when they are there. -ERR_INVALID: too long or short. */
MUST_CHECK int ice_set_remote(struct ice *ice, struct slice ufrag, struct slice pwd, bool is_lite,
			      uint64_t now_ms);
bool ice_has_remote(const struct ice *ice);
/* Another peer takes the place of the one before (a fork): all that was found is forgotten. */
void ice_forget_remote(struct ice *ice);
bool ice_remote_is(const struct ice *ice, struct slice ufrag, struct slice pwd);
/* Another place where the far end may be. One that is known, or beyond ICE_PAIRS_MAX, is passed
 * over. */
void ice_add_candidate(struct ice *ice, const struct ice_candidate *candidate, uint64_t now_ms);
void ice_end_of_candidates(struct ice *ice, uint64_t now_ms);
/* RTCP came to share the RTP component. */
void ice_set_components(struct ice *ice, uint8_t components);

/* Whether this datagram is of this agent's session (its ufrag, its transactions). */
bool ice_is_for(const struct ice *ice, const uint8_t *data, size_t len);
enum ice_verdict { ICE_TAKEN, ICE_MALFORMED, ICE_NOT_OURS, ICE_UNAUTHENTIC };
enum ice_verdict ice_receive(struct ice *ice, unsigned component, const struct addr *from,
			     const uint8_t *data, size_t len, uint64_t now_ms);

bool ice_is_controlling(const struct ice *ice);
/* The selected remote of a component; false = none yet. */
bool ice_selected(const struct ice *ice, unsigned component, struct addr *out);
/* Every component has one. */
bool ice_is_completed(const struct ice *ice);
