/* show.c - what the stats socket says about calls, interfaces and the whole relay.
 * Names end in their unit (control/stats/text.h). SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_stringn_nocheck(text, strlen(text)));
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_addr(json_t *object, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];

	if (addr->family)
		set_text(object, key,
			 addr->port ? addr_text(addr, text) : addr_ip_text(addr, text));
}

static const char *session_state(const struct session *session)
{
	if (session->is_deleting)
		return "deleting";
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		if (dialog->is_answered)
			return session_is_held(session) ? "held" : "answered";
	}
	return "offered";
}

static void set_age(json_t *object, const char *key, uint64_t now_ms, uint64_t at_ms)
{
	if (at_ms)
		set_number(object, key, now_ms > at_ms ? now_ms - at_ms : 0);
}

static void read_stats(const struct stream *stream, struct flow_id id, struct flow_stats *out)
{
	memset(out, 0, sizeof(*out));
	if (!flow_id_is_set(id) ||
	    datapath_flow_stats(stream->dialog->session->all->datapath, id, out) != 0)
		memset(out, 0, sizeof(*out));
}

/* Received from side 0 and side 1, over all streams. */
static void sum_packets(const struct session *session, uint64_t packets[2], uint64_t lost[2])
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		for (unsigned i = 0; i < dialog->stream_count; i++) {
			for (int side = 0; side < 2; side++) {
				struct flow_stats stats;
				read_stats(dialog->streams[i],
					   dialog->streams[i]->sides[side].rtp.id, &stats);
				packets[side] += stats.packets;
				lost[side] += stats.lost;
			}
		}
	}
}

static json_t *call_line(const struct session *session, uint64_t now_ms)
{
	const struct sessions *sessions = session->all;
	const struct dialog *dialog = session->dialogs;
	json_t *line = json_object();
	uint64_t packets[2] = {0, 0}, lost[2] = {0, 0};

	set_text(line, "call_id", session->call_id);
	set_text(line, "state", session_state(session));
	set_age(line, "age_ms", now_ms, session->created_ms);
	set_age(line, "signalled_ms", now_ms, session->signal_ms);
	set_text(line, "caller", sessions->interfaces[dialog->parties[0].interface].name);
	set_text(line, "callee", sessions->interfaces[dialog->parties[1].interface].name);
	set_number(line, "dialogs", session->dialog_count);
	set_number(line, "streams", dialog->stream_count);
	sum_packets(session, packets, lost);
	set_number(line, "caller_packets", packets[0]);
	set_number(line, "callee_packets", packets[1]);
	set_number(line, "caller_lost", lost[0]);
	set_number(line, "callee_lost", lost[1]);
	set_number(line, "hijack_attempts", session->hijack_attempts);
	return line;
}

json_t *sessions_show_calls(struct sessions *sessions, uint64_t now_ms)
{
	json_t *object = json_object();
	json_t *calls = json_array();

	for (const struct session *session = sessions->first; session; session = session->next)
		json_array_append_new(calls, call_line(session, now_ms));
	json_object_set_new(object, "calls", calls);
	return object;
}

static json_t *show_drops(const uint64_t drops[DROP_COUNT])
{
	json_t *object = json_object();

	for (unsigned why = 0; why < DROP_COUNT; why++) {
		if (drops[why])
			set_number(object, drop_key((enum drop)why), drops[why]);
	}
	return object;
}

/* Of the stream that arrives, in our own measure; and what its sender reports of the other. */
static json_t *show_quality(const struct flow_quality *quality)
{
	json_t *object = json_object();

	set_number(object, "samples", quality->samples);
	set_number(object, "mos_tenths", quality->average.mos);
	set_number(object, "lowest_mos_tenths", quality->lowest.mos);
	set_number(object, "highest_mos_tenths", quality->highest.mos);
	set_number(object, "loss_percent", quality->average.loss_percent);
	set_number(object, "jitter_ms", quality->average.jitter_ms);
	if (quality->round_trip_us)
		set_number(object, "round_trip_us", quality->round_trip_us);
	if (quality->has_report)
		set_number(object, "reported_loss_percent", quality->reported_loss_percent);
	return object;
}

/* One local port: who may send to it, who does, what came and what left. */
static json_t *show_flow(const struct stream *stream, int side, bool is_rtcp, uint64_t now_ms)
{
	const struct side *at = &stream->sides[side];
	const struct addr *signalled = is_rtcp ? &at->now.rtcp : &at->now.rtp;
	struct addr local = *port_range_address(at->range);
	struct flow_stats stats;
	json_t *flow = json_object();

	const struct side *via = side_transport(stream, side);

	local.port = (uint16_t)(via->port + (is_rtcp ? 1 : 0));
	read_stats(stream, is_rtcp ? at->rtcp.id : at->rtp.id, &stats);
	if (via != at) {
		struct flow_stats shared;
		read_stats(stream, is_rtcp ? via->rtcp.id : via->rtp.id, &shared);
		stats.source_is_locked = shared.source_is_locked;
		stats.source = shared.source;
		json_object_set_new(flow, "bundled_with", json_integer(at->carrier));
	}
	set_addr(flow, "local", &local);
	set_addr(flow, "signalled", signalled);
	if (at->now.is_natted)
		set_addr(flow, "expected_from", &at->now.received);
	set_text(flow, "source_state",
		 !stream->is_live         ? "closed"
		 : stats.source_is_locked ? "confirmed"
					  : "awaited");
	if (stats.source_is_locked)
		set_addr(flow, "source", &stats.source);
	set_number(flow, "packets", is_rtcp ? stats.rtcp_packets : stats.packets);
	if (!is_rtcp) {
		set_number(flow, "received_bytes", stats.bytes);
		set_number(flow, "rtcp_packets", stats.rtcp_packets);
		set_number(flow, "lost", stats.lost);
		set_number(flow, "reordered", stats.reordered);
		set_number(flow, "duplicate", stats.duplicate);
		set_number(flow, "jitter_us", stats.jitter_us);
		set_number(flow, "ssrc", stats.ssrc);
		set_number(flow, "payload_type", stats.payload_type);
		if (stats.quality.samples || stats.quality.has_report)
			json_object_set_new(flow, "quality", show_quality(&stats.quality));
	} else {
		set_number(flow, "received_bytes", stats.rtcp_bytes);
	}
	set_number(flow, "sent_packets", stats.sent_packets);
	set_number(flow, "sent_bytes", stats.sent_bytes);
	set_age(flow, "last_packet_ms", now_ms,
		is_rtcp ? stats.last_rtcp_ms : stats.last_packet_ms);
	set_number(flow, "hijack_attempts", stats.hijack_attempts);
	json_object_set_new(flow, "drops", show_drops(stats.drops));
	return flow;
}

static json_t *show_side(const struct stream *stream, int side, uint64_t now_ms)
{
	const struct side *at = &stream->sides[side];
	const struct party *party = &stream->dialog->parties[side];
	json_t *object = json_object();

	set_text(object, "party", side == 0 ? "caller" : "callee");
	set_text(object, "tag", party->tag);
	set_text(object, "interface",
		 stream->dialog->session->all->interfaces[party->interface].name);
	if (at->now.is_known) {
		set_text(object, "protocol", at->now.protocol);
		set_text(object, "direction", sdp_direction_text(at->now.direction));
	}
	if (at->now.is_zero)
		set_text(object, "hold", "0.0.0.0");
	if (stream->kind.is_rtp)
		json_object_set_new(object, "rtcp_mux", json_boolean(at->mux));
	const struct side *via = side_transport(stream, side);
	set_text(object, "ice", peering_ice_text(via->peering));
	set_text(object, "dtls", peering_dtls_text(via->peering));
	set_text(object, "sdes", sdes_suite_text(at->sdes));
	if (at->range) {
		json_object_set_new(object, "rtp", show_flow(stream, side, false, now_ms));
		if (stream->kind.is_rtp)
			json_object_set_new(object, "rtcp", show_flow(stream, side, true, now_ms));
	}
	return object;
}

static json_t *show_dialog(const struct dialog *dialog, uint64_t now_ms)
{
	json_t *object = json_object();
	json_t *streams = json_array();

	set_text(object, "caller_tag", dialog->parties[0].tag);
	set_text(object, "callee_tag", dialog->parties[1].tag);
	set_text(object, "via_branch", dialog->via_branch);
	json_object_set_new(object, "answered", json_boolean(dialog->is_answered));
	json_object_set_new(object, "offer_pending", json_boolean(dialog->offerer >= 0));
	for (unsigned i = 0; i < dialog->stream_count; i++) {
		const struct stream *stream = dialog->streams[i];
		json_t *one = json_object();
		json_t *sides = json_array();

		set_number(one, "index", stream->index + 1);
		set_text(one, "type", stream->kind.type);
		json_object_set_new(one, "live", json_boolean(stream->is_live));
		json_array_append_new(sides, show_side(stream, 0, now_ms));
		json_array_append_new(sides, show_side(stream, 1, now_ms));
		json_object_set_new(one, "sides", sides);
		json_array_append_new(streams, one);
	}
	json_object_set_new(object, "streams", streams);
	return object;
}

json_t *sessions_show_call(struct sessions *sessions, uint64_t now_ms, struct slice call_id)
{
	const struct session *session = session_find(sessions, call_id);
	if (!session)
		return NULL;
	json_t *object = call_line(session, now_ms);
	json_t *dialogs = json_array();

	set_number(object, "created_at", session_wall_us(sessions, session->created_ms) / 1000000);
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		json_array_append_new(dialogs, show_dialog(dialog, now_ms));
	json_object_set_new(object, "dialogs", dialogs);
	return object;
}

static json_t *show_range(struct port_range *range, uint64_t now_ms)
{
	struct port_range_use use = port_range_use(range, now_ms);
	json_t *object = json_object();
	uint16_t first, last;
	char text[32];

	port_range_bounds(range, &first, &last);
	set_text(object, "interface", port_range_interface(range));
	set_addr(object, "address", port_range_address(range));
	snprintf(text, sizeof(text), "%u-%u", first, last);
	set_text(object, "ports", text);
	set_number(object, "in_use", use.in_use);
	set_number(object, "quarantine", use.quarantine);
	set_number(object, "total", use.total);
	return object;
}

static json_t *show_ranges(struct sessions *sessions, uint64_t now_ms)
{
	json_t *ranges = json_array();

	for (size_t i = 0; i < sessions->range_count; i++)
		json_array_append_new(ranges, show_range(sessions->ranges[i], now_ms));
	return ranges;
}

static json_t *show_devices(const struct sessions *sessions)
{
	json_t *devices = json_array();
	size_t count = datapath_device_count(sessions->datapath);

	for (size_t i = 0; i < count; i++) {
		struct device_stats stats;
		json_t *one = json_object();
		datapath_device_stats(sessions->datapath, i, &stats);
		set_text(one, "device", stats.name);
		set_text(one, "driver", stats.driver);
		set_number(one, "queues", stats.queues);
		set_number(one, "missed", stats.missed);
		set_number(one, "tx_errors", stats.tx_errors);
		json_array_append_new(devices, one);
	}
	return devices;
}

json_t *sessions_show_interfaces(struct sessions *sessions, uint64_t now_ms)
{
	json_t *object = json_object();
	json_t *interfaces = json_array();

	for (size_t i = 0; i < sessions->interface_count; i++) {
		const struct local_interface *local = &sessions->interfaces[i];
		for (size_t j = 0; j < local->range_count; j++) {
			json_t *one = show_range(local->ranges[j], now_ms);
			if (local->advertise.family == port_range_address(local->ranges[j])->family)
				set_addr(one, "advertised", &local->advertise);
			set_number(one, "idle_timeout_ms", local->idle_timeout_ms);
			set_number(one, "dscp", local->dscp);
			json_array_append_new(interfaces, one);
		}
	}
	json_object_set_new(object, "interfaces", interfaces);
	json_object_set_new(object, "devices", show_devices(sessions));
	return object;
}

static json_t *show_counters(const struct sessions *sessions)
{
	const struct sessions_counters *c = &sessions->counters;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"created", c->created},
		{"refused", c->refused},
		{"deleted", c->deleted},
		{"timed_out", c->timed_out},
		{"held_timed_out", c->held_timed_out},
		{"offer_timed_out", c->offer_timed_out},
		{"offers", c->offers},
		{"answers", c->answers},
		{"deletes", c->deletes},
		{"queries", c->queries},
		{"lists", c->lists},
		{"pings", c->pings},
		{"statistics", c->statistics},
		{"errors", c->errors},
		{"hijack_attempts", c->hijack_attempts},
		{"ice_completed", c->ice_completed},
		{"ice_failed", c->ice_failed},
		{"ice_restarts", c->ice_restarts},
		{"ice_unauthentic", c->ice_unauthentic},
		{"consent_lost", c->consent_lost},
		{"dtls_done", c->dtls_done},
		{"dtls_failed", c->dtls_failed},
		{"ended_packets", c->packets},
		{"ended_sent_bytes", c->bytes},
		{"ended_lost", c->lost},
	};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		set_number(object, rows[i].name, rows[i].value);
	return object;
}

static json_t *show_lcore(const struct sessions *sessions, size_t index)
{
	struct lcore_stats stats;
	json_t *one = json_object();

	datapath_lcore_stats(sessions->datapath, index, &stats);
	set_number(one, "cpu", stats.cpu);
	set_number(one, "rx_packets", stats.rx_packets);
	set_number(one, "rx_bytes", stats.rx_bytes);
	set_number(one, "tx_packets", stats.tx_packets);
	set_number(one, "tx_bytes", stats.tx_bytes);
	set_number(one, "bursts", stats.bursts);
	set_number(one, "naps", stats.naps);
	set_number(one, "waits", stats.waits);
	set_number(one, "handed_over", stats.handed_over);
	set_number(one, "events_lost", stats.events_lost);
	json_object_set_new(one, "drops", show_drops(stats.drops));
	return one;
}

/* All that was relayed, and what got lost here for want of room: not what the network lost. */
static json_t *show_totals(const struct sessions *sessions)
{
	uint64_t packets = 0, bytes = 0, lost = 0;
	size_t lcores = datapath_lcore_count(sessions->datapath);
	size_t devices = datapath_device_count(sessions->datapath);
	json_t *object = json_object();

	for (size_t i = 0; i < lcores; i++) {
		struct lcore_stats stats;
		datapath_lcore_stats(sessions->datapath, i, &stats);
		packets += stats.tx_packets;
		bytes += stats.tx_bytes;
		lost += stats.drops[DROP_TX_FULL] + stats.drops[DROP_HANDOVER];
	}
	for (size_t i = 0; i < devices; i++) {
		struct device_stats stats;
		datapath_device_stats(sessions->datapath, i, &stats);
		lost += stats.missed + stats.tx_errors;
	}
	set_number(object, "packets", packets);
	set_number(object, "sent_bytes", bytes);
	set_number(object, "lost", lost);
	return object;
}

/* /proc/self belongs to root once privileges are dropped, so the numbers are asked one by one. */
static unsigned open_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* What calls hold: back to where it was when they have ended. */
static json_t *show_resources(struct sessions *sessions, uint64_t now_ms)
{
	json_t *object = json_object();
	uint64_t ports = 0;

	for (size_t i = 0; i < sessions->range_count; i++)
		ports += port_range_use(sessions->ranges[i], now_ms).in_use;
	set_number(object, "sessions", sessions->by_call_id.count);
	set_number(object, "ports", ports);
	set_number(object, "flows", datapath_flow_count(sessions->datapath));
	set_number(object, "mbufs", datapath_mbufs_in_use(sessions->datapath));
	set_number(object, "descriptors", open_descriptors());
	return object;
}

static json_t *show_limits(const struct limits *limits)
{
	json_t *object = json_object();

	set_number(object, "sessions", limits->config.sessions);
	set_number(object, "bandwidth_kbps", limits->config.bandwidth_kbps);
	set_number(object, "load_percent", limits->config.load_percent);
	if (limits->config.bandwidth_kbps || limits->config.load_percent) {
		set_number(object, "bandwidth_kbps_now", limits->bandwidth_kbps);
		set_number(object, "load_percent_now", limits->load_percent);
	}
	json_object_set_new(object, "draining", json_boolean(limits->is_draining));
	return object;
}

json_t *sessions_show_stats(struct sessions *sessions, uint64_t now_ms)
{
	json_t *object = json_object();
	json_t *lcores = json_array();
	size_t count = datapath_lcore_count(sessions->datapath);

	set_text(object, "version", POSTERN_VERSION);
	set_text(object, "instance", sessions->instance);
	set_number(object, "uptime_ms", now_ms - sessions->started_ms);
	json_object_set_new(object, "limits", show_limits(&sessions->limits));
	set_number(object, "timers", wheel_armed(sessions->wheel));
	json_object_set_new(object, "resources", show_resources(sessions, now_ms));
	json_object_set_new(object, "totals", show_totals(sessions));
	json_object_set_new(object, "counters", show_counters(sessions));
	json_object_set_new(object, "ports", show_ranges(sessions, now_ms));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(lcores, show_lcore(sessions, i));
	json_object_set_new(object, "lcores", lcores);
	json_object_set_new(object, "devices", show_devices(sessions));
	return object;
}
