/* The whole: construction, look-ups, events. What the commands do is in a file each.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/sessions.h"

#include <stdlib.h>
#include "rtpengine/session/dtmf.h"
#include "rtpengine/session/keep.h"

static void interface_free(struct local_interface *interface)
{
	free(interface->name);
	free(interface->ranges);
}

static void sessions_free(struct sessions *sessions)
{
	for (size_t i = 0; i < sessions->interface_count; i++)
		interface_free(&sessions->interfaces[i]);
	for (size_t i = 0; i < sessions->range_count; i++)
		port_range_destroy(sessions->ranges[i]);
	for (size_t i = 0; i < SESSION_ENDED_KEPT; i++)
		free(sessions->ended[i].call_id);
	free(sessions->interfaces);
	free(sessions->ranges);
	dtls_identities_destroy(sessions->identities);
	sounds_free(&sessions->kept_sounds);
	free(sessions->sounds);
	table_free(&sessions->by_call_id);
	table_free(&sessions->by_flow);
	buf_free(&sessions->scratch);
	free(sessions);
}

static int add_interface(struct sessions *sessions, const struct session_interface *config)
{
	struct local_interface *interface = &sessions->interfaces[sessions->interface_count++];

	interface->name = slice_dup(slice_from(config->name));
	interface->ranges =
		calloc(config->address_count * config->port_count, sizeof(*interface->ranges));
	interface_set_policy(interface, config);
	if (!interface->name || !interface->ranges)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < config->address_count * config->port_count; i++) {
		const struct session_ports *ports = &config->ports[i % config->port_count];
		struct port_range_config range = {
			.interface = config->name,
			.address = config->addresses[i / config->port_count],
			.first = ports->first,
			.last = ports->last,
			.quarantine_ms = config->quarantine_ms,
			.random = sessions->random,
		};
		int err = port_range_create(&range, &interface->ranges[i]);
		if (err)
			return err;
		interface->range_count++;
		sessions->ranges[sessions->range_count++] = interface->ranges[i];
	}
	return 0;
}

static struct flow_ref *flow_find(const struct sessions *sessions, struct flow_id id)
{
	struct table_link *link = table_find(&sessions->by_flow, id.value, NULL);
	return link ? container_of(link, struct flow_ref, link) : NULL;
}

/* STUN or DTLS; nobody's when the call has ended meanwhile. */
static void on_punt(void *owner, const struct datapath_punt *punt)
{
	struct sessions *sessions = owner;
	struct flow_ref *ref = flow_find(sessions, punt->flow);
	if (!ref)
		return;
	struct side *side = &ref->stream->sides[ref->side];
	bool is_rtp = ref == &side->rtp || (side->alternate && ref == &side->alternate->rtp);
	if (side->peering)
		peering_receive(side->peering, is_rtp ? 1 : 2, &punt->source, punt->is_stun,
				punt->data, punt->len, wheel_now_ms(sessions->wheel));
}

int sessions_create(const struct sessions_config *config, uint64_t now_ms, struct sessions **out)
{
	size_t ranges = 0;
	for (size_t i = 0; i < config->interface_count; i++)
		ranges += config->interfaces[i].address_count * config->interfaces[i].port_count;
	if (!ranges)
		return -ERR_INVALID;

	struct sessions *sessions = calloc(1, sizeof(*sessions));
	if (!sessions)
		return -ERR_NO_MEMORY;
	sessions->wheel = config->wheel;
	sessions->log = config->log;
	sessions->random = config->random;
	sessions->datapath = config->datapath;
	sessions->recorder = config->recorder;
	sessions->offer_timeout_ms =
		config->offer_timeout_ms ? config->offer_timeout_ms : SESSIONS_OFFER_MS;
	sessions->held_timeout_ms =
		config->held_timeout_ms ? config->held_timeout_ms : SESSIONS_HELD_MS;
	sessions->started_ms = now_ms;
	sessions->wall_us = config->wall_us - now_ms * 1000;
	random_fill(sessions->random, sessions->hash_key, sizeof(sessions->hash_key));
	random_text(sessions->random, sessions->instance, sizeof(sessions->instance) - 1);
	buf_init(&sessions->scratch);
	sessions->interfaces = calloc(config->interface_count, sizeof(*sessions->interfaces));
	sessions->ranges = calloc(ranges, sizeof(*sessions->ranges));
	if (config->sounds)
		sessions->sounds = slice_dup(slice_from(config->sounds));
	int err = -ERR_NO_MEMORY;
	if (!sessions->interfaces || !sessions->ranges || (config->sounds && !sessions->sounds))
		goto fail;
	err = dtls_identities_create(now_ms, &sessions->identities);
	if (!err)
		err = table_init(&sessions->by_call_id, 1024);
	if (!err)
		err = table_init(&sessions->by_flow, 4096);
	for (size_t i = 0; i < config->interface_count && !err; i++)
		err = add_interface(sessions, &config->interfaces[i]);
	if (err)
		goto fail;
	datapath_on_punt(sessions->datapath, on_punt, sessions);
	limits_start(&sessions->limits, &config->limits, sessions->datapath, sessions->wheel,
		     now_ms);
	*out = sessions;
	return 0;
fail:
	sessions_free(sessions);
	return err;
}

void sessions_destroy(struct sessions *sessions)
{
	if (!sessions)
		return;
	datapath_on_punt(sessions->datapath, NULL, NULL);
	keeper_destroy(sessions);
	limits_stop(&sessions->limits);
	while (sessions->first)
		session_destroy(sessions->first, sessions->first->signal_ms);
	sessions_free(sessions);
}

struct session *session_find(const struct sessions *sessions, struct slice call_id)
{
	uint64_t hash = siphash(call_id, sessions->hash_key);
	struct table_link *link = table_find(&sessions->by_call_id, hash, NULL);

	for (; link; link = table_find(&sessions->by_call_id, hash, link)) {
		struct session *session = container_of(link, struct session, link);
		if (slice_equal(slice_from(session->call_id), call_id))
			return session;
	}
	return NULL;
}

uint64_t session_wall_us(const struct sessions *sessions, uint64_t at_ms)
{
	return sessions->wall_us + at_ms * 1000;
}

const struct local_interface *interface_find(const struct sessions *sessions, struct slice name,
					     unsigned *index)
{
	for (unsigned i = 0; i < sessions->interface_count; i++) {
		/* "wan:1" asks for one of a group of interfaces; groups are ranges here */
		if (slice_equal(slice_from(sessions->interfaces[i].name), name)) {
			*index = i;
			return &sessions->interfaces[i];
		}
	}
	return NULL;
}

struct port_range *interface_range_of(const struct sessions *sessions, unsigned interface,
				      const struct addr *address)
{
	const struct local_interface *local = &sessions->interfaces[interface];

	for (size_t i = 0; i < local->range_count; i++) {
		uint16_t first, last;
		port_range_bounds(local->ranges[i], &first, &last);
		if (addr_equal_ip(port_range_address(local->ranges[i]), address) &&
		    address->port >= first && address->port <= last)
			return local->ranges[i];
	}
	return NULL;
}

struct port_range *interface_range(const struct sessions *sessions, unsigned interface,
				   uint8_t family, uint64_t now_ms)
{
	const struct local_interface *local = &sessions->interfaces[interface];
	struct port_range *best = NULL;
	uint32_t best_free = 0;

	for (size_t i = 0; i < local->range_count; i++) {
		struct port_range *range = local->ranges[i];
		if (family && port_range_address(range)->family != family)
			continue;
		struct port_range_use use = port_range_use(range, now_ms);
		uint32_t free_ports = use.total - use.in_use - use.quarantine;
		if (!best || free_ports > best_free) {
			best = range;
			best_free = free_ports;
		}
	}
	return best;
}

static void log_flow_event(struct sessions *sessions, const struct datapath_event *event)
{
	struct flow_ref *ref = flow_find(sessions, event->flow);
	if (!ref)
		return; /* the call has ended meanwhile */
	struct session *session = ref->stream->dialog->session;
	struct side *side = &ref->stream->sides[ref->side];
	const char *what = ref == &side->rtcp ? "rtcp" : "rtp";
	unsigned port = side->port + (ref == &side->rtcp ? 1u : 0u);
	char source[ADDR_TEXT_SIZE];

	addr_text(&event->source, source);
	switch (event->type) {
	case DATAPATH_SOURCE_LOCKED:
		keep_soon(session);
		log_debug(sessions->log, "media.source", "call=%s port=%u kind=%s source=%s",
			  session->call_id, port, what, source);
		break;
	case DATAPATH_SOURCE_MOVED:
	case DATAPATH_SOURCE_ROAMED:
		keep_soon(session);
		log_info(sessions->log, "media.source-moved", "call=%s port=%u kind=%s source=%s",
			 session->call_id, port, what, source);
		break;
	case DATAPATH_HIJACK:
		session->hijack_attempts++;
		sessions->counters.hijack_attempts++;
		log_warn(sessions->log, "media.stranger", "call=%s port=%u kind=%s source=%s",
			 session->call_id, port, what, source);
		break;
	case DATAPATH_DTMF:
		sessions->counters.events++;
		/* What was keyed may be a secret (a PIN): it is seen where debugging is on. */
		log_info(sessions->log, "media.dtmf", "call=%s port=%u duration=%u volume=%u",
			 session->call_id, port, event->duration, event->volume);
		log_debug(sessions->log, "media.dtmf-event", "call=%s port=%u event=%u",
			  session->call_id, port, event->event);
		break;
	case DATAPATH_PLAYED:
		dtmf_played(ref->stream, ref->side, event->play);
		break;
	case DATAPATH_SRTP_SHORT:
		break;
	}
}

void sessions_events(struct sessions *sessions)
{
	struct datapath_event events[64];
	size_t count;

	while ((count = datapath_events(sessions->datapath, events,
					sizeof(events) / sizeof(events[0]))) > 0) {
		for (size_t i = 0; i < count; i++)
			log_flow_event(sessions, &events[i]);
	}
}

void sessions_set_limits(struct sessions *sessions, uint64_t now_ms,
			 const struct limits_config *limits)
{
	bool is_draining = sessions->limits.is_draining;

	limits_stop(&sessions->limits);
	limits_start(&sessions->limits, limits, sessions->datapath, sessions->wheel, now_ms);
	sessions->limits.is_draining = is_draining;
}

void sessions_drain(struct sessions *sessions, bool on)
{
	sessions->limits.is_draining = on;
}

uint32_t sessions_count(const struct sessions *sessions)
{
	return sessions->by_call_id.count;
}

const struct sessions_counters *sessions_counters(const struct sessions *sessions)
{
	return &sessions->counters;
}

const char *sessions_instance(const struct sessions *sessions)
{
	return sessions->instance;
}

size_t sessions_range_count(const struct sessions *sessions)
{
	return sessions->range_count;
}

struct port_range *sessions_range(const struct sessions *sessions, size_t index)
{
	return sessions->ranges[index];
}
