/* peering_dtls.c - the DTLS associations of a side, one per component: who begins, when another one
 * is needed (RFC 8842), and what is done with the keys. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/peering_private.h"

#include <stdlib.h>
#include "rtpengine/session/keep.h"

static void on_send(void *owner, const struct addr *to, const uint8_t *data, size_t len)
{
	const struct dtls_slot *slot = owner;
	int err =
		datapath_flow_send(peering_sessions(slot->peering)->datapath,
				   peering_flow(slot->peering, slot->component, to), to, data, len);
	(void)err; /* DTLS sends again by itself */
}

static enum flow_srtp_suite suite_of(uint16_t profile)
{
	for (unsigned i = 1; i < FLOW_SRTP_SUITES; i++)
		if (flow_srtp_info((enum flow_srtp_suite)i)->dtls_profile == profile)
			return (enum flow_srtp_suite)i;
	return FLOW_SRTP_NONE;
}

static void fill(struct flow_srtp *srtp, enum flow_srtp_suite suite, const uint8_t *key,
		 size_t key_len, const uint8_t *salt, size_t salt_len)
{
	*srtp = (struct flow_srtp){.suite = suite};
	memcpy(srtp->key, key, key_len);
	memcpy(srtp->salt, salt, salt_len);
}

static void on_done(void *owner, const struct dtls_keys *keys)
{
	struct dtls_slot *slot = owner;
	struct peering *peering = slot->peering;
	struct sessions *sessions = peering_sessions(peering);
	enum flow_srtp_suite suite = suite_of(keys->profile);
	struct addr to;

	fill(&slot->out, suite, keys->our_key, keys->key_len, keys->our_salt, keys->salt_len);
	fill(&slot->in, suite, keys->their_key, keys->key_len, keys->their_salt, keys->salt_len);
	slot->has_keys = true;
	sessions->counters.dtls_done++;
	log_info(sessions->log, "dtls.done", "call=%s stream=%u port=%u component=%u suite=%s",
		 peering->stream->dialog->session->call_id, peering->stream->index,
		 peering_side(peering)->port, slot->component, flow_srtp_info(suite)->name);
	stream_publish(peering->stream);
	keep_now(peering->stream->dialog->session); /* it cannot be had again */
	/* Where the handshake went is where the peer is: also behind a NAT. */
	if (!peering->uses_ice && dtls_peer(slot->dtls, &to) &&
	    datapath_flow_lock(sessions->datapath, peering_flow(peering, slot->component, &to),
			       &to) != 0)
		log_error(sessions->log, "dtls.lock", "call=%s",
			  peering->stream->dialog->session->call_id);
}

static void on_failed(void *owner, const char *reason)
{
	const struct dtls_slot *slot = owner;
	struct sessions *sessions = peering_sessions(slot->peering);

	sessions->counters.dtls_failed++;
	log_warn(sessions->log, "dtls.failed", "call=%s stream=%u port=%u reason=\"%s\"",
		 slot->peering->stream->dialog->session->call_id, slot->peering->stream->index,
		 peering_side(slot->peering)->port, reason);
}

static void on_closed(void *owner)
{
	const struct dtls_slot *slot = owner;
	log_debug(peering_sessions(slot->peering)->log, "dtls.closed", "call=%s",
		  slot->peering->stream->dialog->session->call_id);
}

static const struct dtls_events events = {on_send, on_done, on_failed, on_closed};

static bool is_resumed(const struct peering *peering)
{
	return peering->dtls[0].is_resumed || peering->dtls[1].is_resumed;
}

int peering_dtls_promise(struct peering *peering, const struct options *options, uint64_t now_ms)
{
	struct sessions *sessions = peering_sessions(peering);

	if (peering->identity || is_resumed(peering))
		return 0;
	peering->identity = dtls_identity_get(sessions->identities, now_ms);
	random_text(sessions->random, peering->tls_id, TLS_ID_LEN);
	return dtls_identity_fingerprint(peering->identity, options->peering.fingerprint,
					 &peering->fingerprint);
}

static void close_slot(struct dtls_slot *slot)
{
	if (slot->dtls)
		dtls_close(slot->dtls);
	dtls_destroy(slot->dtls);
	slot->dtls = NULL;
	slot->is_resumed = false;
}

void peering_dtls_close(struct peering *peering)
{
	free(peering->early);
	peering->early = NULL;
	for (unsigned i = 0; i < ICE_COMPONENTS; i++) {
		close_slot(&peering->dtls[i]);
		peering->dtls[i].has_keys = false;
		explicit_bzero(&peering->dtls[i].in, sizeof(peering->dtls[i].in));
		explicit_bzero(&peering->dtls[i].out, sizeof(peering->dtls[i].out));
	}
	peering->uses_dtls = false;
	peering->has_role = false;
}

/* RFC 8842 5: we say active to whom leaves us the choice, because then nothing waits for a first
 * packet from behind its NAT; passive where we do not know where to send. */
static enum dtls_role choose_role(const struct peering *peering, bool is_offerer,
				  const struct options *options)
{
	const unsigned back = peering->bits, on = options->peering.bits;

	switch (peering->said.setup) {
	case SETUP_ACTIVE:
		return DTLS_SERVER;
	case SETUP_PASSIVE:
		return DTLS_CLIENT;
	default:
		break;
	}
	if (!is_offerer) /* its answer does not say: RFC 4145 4.1, the answerer is active */
		return DTLS_SERVER;
	if (peering->has_role)
		return peering->role;
	if ((back & PEERING_REVERSE_PASSIVE) || (on & PEERING_DTLS_PASSIVE))
		return DTLS_SERVER;
	if ((back & PEERING_REVERSE_ACTIVE) || (on & PEERING_DTLS_ACTIVE))
		return DTLS_CLIENT;
	bool is_natted = peering_side(peering)->now.is_natted && !peering->uses_ice;
	return is_natted ? DTLS_SERVER : DTLS_CLIENT;
}

static bool promises_differ(const struct peering_sdp *a, const struct peering_sdp *b)
{
	if (a->fingerprint_count != b->fingerprint_count || strcmp(a->tls_id, b->tls_id) != 0)
		return true;
	for (unsigned i = 0; i < a->fingerprint_count; i++)
		if (!fingerprint_equal(&a->fingerprints[i], &b->fingerprints[i]))
			return true;
	return false;
}

static int open_slot(struct peering *peering, struct dtls_slot *slot, uint64_t now_ms)
{
	struct sessions *sessions = peering_sessions(peering);
	const struct peering_sdp *said = &peering->said;
	const struct side_media *media = &peering_side(peering)->now;
	struct dtls_config config = {
		.wheel = sessions->wheel,
		.identity = peering->identity,
		.role = peering->role,
		.asks_cookie = !peering->uses_ice,
		.cookie_key = {sessions->hash_key[1], sessions->hash_key[0]},
		.fingerprint_count = said->fingerprint_count,
		.events = &events,
		.owner = slot,
	};
	struct addr to = slot->component == 1 ? media->rtp : media->rtcp;

	memcpy(config.fingerprints, said->fingerprints, sizeof(config.fingerprints));
	int err = dtls_create(&config, &slot->dtls);
	if (err)
		return err;
	if (peering->uses_ice ? peering_ice_selected(peering, slot->component, &to)
			      : peering->role == DTLS_CLIENT)
		dtls_start(slot->dtls, &to, now_ms);
	return 0;
}

/* Only the one that ICE found, or that SDP names, may speak. */
static bool is_peer(const struct peering *peering, unsigned component, const struct addr *from)
{
	const struct side_media *media = &peering_side(peering)->now;
	struct addr selected;

	if (peering->uses_ice)
		return peering_ice_selected(peering, component, &selected) &&
		       addr_equal(&selected, from);
	return addr_equal_ip(from, component == 1 ? &media->rtp : &media->rtcp) ||
	       addr_equal_ip(from, &media->received);
}

static void keep_early(struct peering *peering, unsigned component, const struct addr *from,
		       const uint8_t *data, size_t len)
{
	if (!peering->early)
		peering->early = calloc(EARLY_HELLOS, sizeof(*peering->early));
	if (!peering->early || len > PUNT_MAX)
		return;
	struct early_hello *early = &peering->early[peering->early_next++ % EARLY_HELLOS];
	early->from = *from;
	early->component = (uint8_t)component;
	early->len = (uint16_t)len;
	memcpy(early->data, data, len);
}

/* Somebody at the peer's address, behind the same NAT, was faster and had no right certificate: the
 * peer itself may still come. NULL: not any more. */
static struct dtls *begin_again(struct peering *peering, unsigned component, uint64_t now_ms)
{
	struct dtls_slot *slot = &peering->dtls[component - 1];

	if (peering->role != DTLS_SERVER || slot->failures++ >= DTLS_FAILURES_MAX)
		return NULL;
	close_slot(slot);
	return open_slot(peering, slot, now_ms) == 0 ? slot->dtls : NULL;
}

void peering_dtls_receive(struct peering *peering, unsigned component, const struct addr *from,
			  const uint8_t *data, size_t len, uint64_t now_ms)
{
	struct dtls *dtls = peering->dtls[component - 1].dtls;
	bool is_known = peering->uses_dtls && dtls && is_peer(peering, component, from);

	if (is_known && dtls_state(dtls) == DTLS_FAILED)
		dtls = begin_again(peering, component, now_ms);
	if (is_known && dtls)
		dtls_receive(dtls, from, data, len, now_ms);
	else if (peering->told_dtls && (!dtls || dtls_state(dtls) == DTLS_WAITING))
		keep_early(peering, component, from, data, len);
}

/* Now it is known who may: what came too early counts. */
static void replay_early(struct peering *peering, uint64_t now_ms)
{
	for (unsigned i = 0; peering->early && i < EARLY_HELLOS; i++) {
		struct early_hello *early = &peering->early[i];
		unsigned component = early->component;
		if (!component || !peering->dtls[component - 1].dtls ||
		    !is_peer(peering, component, &early->from))
			continue;
		early->component = 0;
		dtls_receive(peering->dtls[component - 1].dtls, &early->from, early->data,
			     early->len, now_ms);
	}
}

int peering_dtls_apply(struct peering *peering, bool is_offerer, const struct options *options,
		       uint64_t now_ms)
{
	if (!peering->uses_dtls) {
		peering_dtls_close(peering);
		return 0;
	}
	int err = peering_dtls_promise(peering, options, now_ms);
	if (err)
		return err;
	enum dtls_role role = choose_role(peering, is_offerer, options);
	bool is_new = !peering->has_role || role != peering->role ||
		      promises_differ(&peering->met, &peering->said);
	/* The certificate went with its process: another association has another one. */
	if (is_new && is_resumed(peering)) {
		peering->dtls[0].is_resumed = peering->dtls[1].is_resumed = false;
		err = peering_dtls_promise(peering, options, now_ms);
		if (err)
			return err;
	}
	peering->role = role;
	peering->has_role = true;
	peering->met = peering->said;
	for (unsigned i = 0; i < ICE_COMPONENTS; i++) {
		struct dtls_slot *slot = &peering->dtls[i];
		bool is_wanted = i == 0 || !peering->is_mux;
		if (slot->dtls && (is_new || !is_wanted))
			close_slot(slot); /* its keys serve until there are others */
		if (!slot->dtls && is_wanted && !slot->is_resumed)
			err = open_slot(peering, slot, now_ms);
		if (err)
			return err;
	}
	replay_early(peering, now_ms);
	return 0;
}

void peering_dtls_path(struct peering *peering, unsigned component, const struct addr *to,
		       uint64_t now_ms)
{
	struct dtls *dtls = peering->dtls[component - 1].dtls;

	if (!peering->uses_dtls || !dtls)
		return;
	dtls_start(dtls, to, now_ms);
	replay_early(peering, now_ms);
}
