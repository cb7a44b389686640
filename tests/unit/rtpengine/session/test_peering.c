/* Sides that are reached by ICE and DTLS-SRTP: a browser of our own, made of the same parts, talks
 * to the session over the fake datapath. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "bench.h"
#include "control/sdp/media.h"
#include "rtpengine/dtls/dtls.h"
#include "rtpengine/ice/ice.h"

#define DIRECTION "direction=wan direction=lan "

struct browser {
	struct bench *bench;
	struct addr at;    /* where it is; both components, for it muxes */
	struct addr relay; /* our port */
	struct ice *ice;
	struct dtls *dtls;
	struct dtls_identities *identities;
	struct dtls_identity *identity;
	struct dtls_keys keys;
	unsigned done, selected;
	bool is_deaf;
};

static void to_relay(struct browser *b, const uint8_t *data, size_t len)
{
	char ip[ADDR_TEXT_SIZE];
	struct fake_flow *flow =
		fake_flow_at(&b->bench->datapath, addr_ip_text(&b->relay, ip), b->relay.port);
	if (flow && !b->is_deaf)
		fake_punt(&b->bench->datapath, flow->id, &b->at, data, len);
}

static void on_ice_send(void *owner, unsigned component, const struct addr *to, const uint8_t *data,
			size_t len)
{
	struct browser *b = owner;
	(void)component;
	assert_true(addr_equal(to, &b->relay));
	to_relay(b, data, len);
}

static void on_selected(void *owner, unsigned component, const struct addr *remote)
{
	struct browser *b = owner;
	(void)component;
	b->selected++;
	if (b->dtls)
		dtls_start(b->dtls, remote, b->bench->now_ms);
}

static void on_ice_event(void *owner, unsigned component)
{
	(void)owner, (void)component;
}

static void on_dtls_send(void *owner, const struct addr *to, const uint8_t *data, size_t len)
{
	(void)to;
	to_relay(owner, data, len);
}

static void on_done(void *owner, const struct dtls_keys *keys)
{
	struct browser *b = owner;
	b->keys = *keys;
	b->done++;
}

static void on_failed(void *owner, const char *reason)
{
	(void)owner, (void)reason;
}

static void on_closed(void *owner)
{
	(void)owner;
}

static const struct ice_events ice_events = {on_ice_send, on_selected, on_ice_event, on_ice_event};
static const struct dtls_events dtls_events = {on_dtls_send, on_done, on_failed, on_closed};

static struct addr address(const char *text)
{
	struct addr addr;
	assert_int_equal(addr_parse(slice_from(text), 0, &addr), 0);
	return addr;
}

/* What the relay sent reaches the browser; and so on, until it is quiet. */
static void run(struct browser *b, uint64_t ms)
{
	for (uint64_t end = b->bench->now_ms + ms; b->bench->now_ms < end;) {
		const struct fake_send *send;
		while ((send = fake_sent(&b->bench->datapath))) {
			if (!addr_equal(&send->to, &b->at) || b->is_deaf)
				continue;
			if (send->data[0] < 4)
				(void)ice_receive(b->ice, 1, &send->from, send->data, send->len,
						  b->bench->now_ms);
			else if (b->dtls)
				dtls_receive(b->dtls, &send->from, send->data, send->len,
					     b->bench->now_ms);
		}
		bench_advance(b->bench, 5);
	}
}

static void open_ice(struct browser *b, bool controlling)
{
	struct ice_config config = {
		.wheel = b->bench->wheel,
		.random = &b->bench->random,
		.is_controlling = controlling,
		.components = 1,
		.mark = {9, 9, 9, 9},
		.events = &ice_events,
		.owner = b,
	};
	ice_destroy(b->ice);
	assert_int_equal(ice_create(&config, b->bench->now_ms, &b->ice), 0);
}

static int setup(void **state)
{
	struct browser *b = calloc(1, sizeof(*b));
	b->bench = calloc(1, sizeof(*b->bench));
	bench_start(b->bench);
	b->bench->random_state = 7;
	b->at = address("198.51.100.7:5000");
	assert_int_equal(dtls_identities_create(b->bench->now_ms, &b->identities), 0);
	b->identity = dtls_identity_get(b->identities, b->bench->now_ms);
	open_ice(b, true);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct browser *b = *state;
	ice_destroy(b->ice);
	dtls_destroy(b->dtls);
	dtls_identity_put(b->identity);
	dtls_identities_destroy(b->identities);
	bench_stop(b->bench);
	free(b->bench);
	free(b);
	return 0;
}

static char *browser_sdp(struct browser *b, const char *setup, const char *more)
{
	struct fingerprint fingerprint;
	struct buf text;

	assert_int_equal(dtls_identity_fingerprint(b->identity, FINGERPRINT_SHA256, &fingerprint),
			 0);
	buf_init(&text);
	buf_printf(&text,
		   "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
		   "m=audio 9 UDP/TLS/RTP/SAVPF 111 8\r\nc=IN IP4 0.0.0.0\r\n"
		   "a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
		   "a=ice-options:trickle\r\na=fingerprint:",
		   ice_ufrag(b->ice), ice_pwd(b->ice));
	fingerprint_write(&fingerprint, &text);
	buf_printf(&text,
		   "\r\na=setup:%s\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
		   "a=rtpmap:8 PCMA/8000\r\n%s",
		   setup, more);
	char *copy = arena_text(b->bench->arena, buf_slice(&text));
	buf_free(&text);
	return copy;
}

/* The browser takes in what we wrote for it. */
static struct sdp *take(struct browser *b, const struct ng_value *reply, bool is_lite)
{
	struct sdp *sdp;
	struct sdp_error why;

	assert_string_equal(bench_text(reply, "result"), "ok");
	assert_int_equal(
		sdp_parse(b->bench->arena, slice_from(bench_text(reply, "sdp")), &sdp, &why), 0);
	const struct sdp_media *media = &sdp->media[0];
	assert_int_equal(sdp_media_rtp_addr(media, &b->relay), 0);
	const struct sdp_line *ufrag = sdp_media_attribute(media, "ice-ufrag");
	const struct sdp_line *pwd = sdp_media_attribute(media, "ice-pwd");
	const struct sdp_line *line = sdp_media_attribute(media, "candidate");
	assert_non_null(ufrag);
	assert_int_equal(sdp_attribute(&sdp->section, "ice-lite") != NULL, is_lite);
	assert_int_equal(
		ice_set_remote(b->ice, ufrag->argument, pwd->argument, is_lite, b->bench->now_ms),
		0);
	for (; line; line = sdp_attribute_next(line)) {
		struct ice_candidate candidate;
		assert_int_equal(ice_candidate_read(line->argument, &candidate), 0);
		if (candidate.addr.family != b->at.family)
			continue; /* of both families we have one */
		if (candidate.component == 1 && b->relay.family != b->at.family)
			b->relay = candidate.addr; /* not the one of c= */
		if (candidate.component == 1)
			assert_true(addr_equal(&candidate.addr, &b->relay));
		ice_add_candidate(b->ice, &candidate, b->bench->now_ms);
	}
	return sdp;
}

static const char *argument(const struct sdp *sdp, const char *name)
{
	const struct sdp_line *line = sdp_media_attribute(&sdp->media[0], name);
	char text[512];
	if (!line)
		return "";
	slice_copy(line->argument, text, sizeof(text));
	return arena_text(sdp->arena, slice_from(text));
}

static void open_dtls(struct browser *b, const struct sdp *sdp, enum dtls_role role)
{
	struct dtls_config config = {
		.wheel = b->bench->wheel,
		.identity = b->identity,
		.role = role,
		.fingerprint_count = 1,
		.events = &dtls_events,
		.owner = b,
	};
	assert_int_equal(
		fingerprint_read(slice_from(argument(sdp, "fingerprint")), &config.fingerprints[0]),
		0);
	dtls_destroy(b->dtls);
	assert_int_equal(dtls_create(&config, &b->dtls), 0);
}

static struct fake_flow *wan_flow(struct browser *b)
{
	char ip[ADDR_TEXT_SIZE];
	return fake_flow_at(&b->bench->datapath, addr_ip_text(&b->relay, ip), b->relay.port);
}

static void assert_secured(struct browser *b)
{
	const struct flow_rule *rule = &wan_flow(b)->rule;

	assert_int_equal(b->done, 1);
	assert_true(rule->has_ice && rule->has_dtls && rule->needs_srtp);
	assert_int_equal(rule->kind, FLOW_MUX);
	assert_int_equal(rule->source.mode, FLOW_SOURCE_ICE);
	assert_int_equal(rule->source.expected[0].family, 0);
	assert_int_equal(rule->remote.family, 0);
	assert_int_equal(rule->srtp_in.suite, FLOW_SRTP_AEAD_AES_128_GCM);
	assert_memory_equal(rule->srtp_in.key, b->keys.our_key, 16);
	assert_memory_equal(rule->srtp_out.key, b->keys.their_key, 16);
	assert_memory_equal(rule->srtp_in.salt, b->keys.our_salt, 12);
	assert_true(addr_equal(&wan_flow(b)->locked, &b->at));
	const struct fake_flow *lan = fake_flow_of(&b->bench->datapath, rule->rtp_to);
	assert_int_equal(lan->rule.srtp_in.suite, FLOW_SRTP_NONE);
	assert_int_equal(lan->rule.kind, FLOW_RTP);
	assert_false(lan->rule.has_ice || lan->rule.has_dtls || lan->rule.needs_srtp);
}

#define PHONE "10.0.0.20"

/* The browser calls a plain phone. */
static struct sdp *call_phone(struct browser *b, const char *flags, const char *answer_flags,
			      bool is_lite)
{
	const struct ng_value *reply =
		bench_offer(b->bench, "c", "a", browser_sdp(b, "actpass", ""), flags);
	assert_string_equal(bench_text(reply, "result"), "ok");
	const char *offer = bench_text(reply, "sdp");
	assert_null(strstr(offer, "ice-"));
	assert_null(strstr(offer, "candidate"));
	assert_null(strstr(offer, "fingerprint"));
	assert_null(strstr(offer, "BUNDLE"));
	assert_non_null(strstr(offer, " RTP/AVP 111 8"));
	return take(b,
		    bench_answer(b->bench, "c", "a b", bench_sdp(b->bench, PHONE, 4000, ""),
				 answer_flags),
		    is_lite);
}

static void a_browser_calls_a_phone(void **state)
{
	struct browser *b = *state;
	struct sdp *sdp = call_phone(b, DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux", "", false);

	assert_string_equal(argument(sdp, "setup"), "active");
	assert_string_equal(argument(sdp, "mid"), "0");
	assert_non_null(sdp_media_attribute(&sdp->media[0], "rtcp-mux"));
	assert_true(slice_equal(sdp->media[0].protocol, SLICE("UDP/TLS/RTP/SAVPF")));
	assert_true(
		slice_equal(sdp_attribute(&sdp->section, "group")->argument, SLICE("BUNDLE 0")));
	open_dtls(b, sdp, DTLS_SERVER);
	run(b, 1500);
	assert_secured(b);
}

/* c= is of IPv4, and IPv6 is what works. */
static void the_other_family_is_taken_where_it_works(void **state)
{
	struct browser *b = *state;
	char *phone = bench_sdp(b->bench, PHONE, 4000, "");

	b->at = address("[2001:db8::7]:5000");
	struct sdp *sdp = call_phone(b, DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux", "", false);
	assert_int_equal(sdp_media_connection(&sdp->media[0])->addr.family, AF_INET);
	assert_int_equal(b->relay.family, AF_INET6);
	assert_int_equal(bench_ports_in_use(b->bench), 6);
	open_dtls(b, sdp, DTLS_SERVER);
	run(b, 1500);
	assert_secured(b);
	/* a re-INVITE leaves it there, whatever its c= says; ours tells where media is */
	bench_offer(b->bench, "c", "a b", browser_sdp(b, "actpass", ""),
		    DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux");
	sdp = take(b, bench_answer(b->bench, "c", "a b", phone, ""), false);
	assert_int_equal(sdp_media_connection(&sdp->media[0])->addr.family, AF_INET6);
	run(b, 100);
	assert_secured(b);
	assert_int_equal(bench_ports_in_use(b->bench), 6);
}

/* Its answer is of the family that our c= was not; and without ICE the ports are given back. */
static void an_answer_may_choose_the_family(void **state)
{
	struct browser *b = *state;
	const char *flags = "direction=lan direction=wan RTP/AVP ICE=force";
	const struct ng_value *reply =
		bench_offer(b->bench, "c", "a", bench_sdp(b->bench, PHONE, 4000, ""), flags);

	open_ice(b, false);
	b->at = address("[2001:db8::7]:5000");
	(void)take(b, reply, false);
	char *lines = arena_printf(b->bench->arena,
				   "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
				   "a=candidate:1 1 UDP 2130706431 2001:db8::7 5000 typ host\r\n",
				   ice_ufrag(b->ice), ice_pwd(b->ice));
	reply = bench_answer(b->bench, "c", "a b", bench_sdp(b->bench, "2001:db8::7", 5000, lines),
			     "");
	assert_string_equal(bench_text(reply, "error-reason"), "");
	run(b, 1500);
	assert_int_equal(b->selected, 1);
	assert_true(addr_equal(&wan_flow(b)->locked, &b->at));
	assert_int_equal(wan_flow(b)->rule.source.mode, FLOW_SOURCE_ICE);
	assert_true(flow_id_is_set(wan_flow(b)->rule.rtp_to));

	reply = bench_offer(b->bench, "d", "a", bench_sdp(b->bench, PHONE, 4002, ""), flags);
	assert_non_null(strstr(bench_text(reply, "sdp"), "2001:db8::10"));
	assert_int_equal(bench_ports_in_use(b->bench), 12);
	reply = bench_answer(b->bench, "d", "a b", bench_sdp(b->bench, "198.51.100.7", 5000, ""),
			     "");
	assert_string_equal(bench_text(reply, "result"), "ok");
	assert_int_equal(bench_ports_in_use(b->bench), 10);
}

static void lite_and_passive_where_it_is_asked(void **state)
{
	struct browser *b = *state;
	struct sdp *sdp = call_phone(b, DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux",
				     "ICE-lite=forward DTLS=passive", true);

	assert_string_equal(argument(sdp, "setup"), "passive");
	open_dtls(b, sdp, DTLS_CLIENT);
	unsigned before = b->bench->datapath.send_count;
	run(b, 1500);
	assert_secured(b);
	assert_true(b->bench->datapath.send_count - before < 20);
}

static void a_phone_calls_a_browser(void **state)
{
	struct browser *b = *state;
	const struct ng_value *reply =
		bench_offer(b->bench, "c", "a", bench_sdp(b->bench, PHONE, 4000, ""),
			    "direction=lan direction=wan webrtc rtcp-mux-demux");

	open_ice(b, false);
	struct sdp *sdp = take(b, reply, false);
	assert_string_equal(argument(sdp, "setup"), "actpass");
	assert_string_equal(argument(sdp, "mid"), "0");
	assert_true(strlen(argument(sdp, "tls-id")) >= 20);
	assert_true(slice_equal(sdp->media[0].protocol, SLICE("UDP/TLS/RTP/SAVPF")));
	open_dtls(b, sdp, DTLS_CLIENT);
	reply = bench_answer(b->bench, "c", "a b", browser_sdp(b, "active", ""), "");
	const char *answer = bench_text(reply, "sdp");
	assert_non_null(strstr(answer, " RTP/AVP "));
	assert_null(strstr(answer, "ice-"));
	assert_null(strstr(answer, "fingerprint"));
	run(b, 1500);
	assert_secured(b);
}

static void what_comes_before_the_answer_is_not_lost(void **state)
{
	struct browser *b = *state;
	const struct ng_value *reply = bench_offer(
		b->bench, "c", "a", bench_sdp(b->bench, PHONE, 4000, ""),
		"direction=lan direction=wan UDP/TLS/RTP/SAVP ICE=remove rtcp-mux-demux "
		"rtcp-mux-offer");
	struct fingerprint fingerprint;
	struct sdp *sdp;
	struct sdp_error why;
	struct buf text;

	assert_int_equal(
		sdp_parse(b->bench->arena, slice_from(bench_text(reply, "sdp")), &sdp, &why), 0);
	assert_int_equal(sdp_media_rtp_addr(&sdp->media[0], &b->relay), 0);
	open_dtls(b, sdp, DTLS_CLIENT);
	assert_true(wan_flow(b)->rule.has_dtls);
	assert_int_equal(wan_flow(b)->rule.source.mode, FLOW_SOURCE_CLOSED);
	/* a stranger is as quick, and is told nothing */
	struct addr mine = b->at;
	dtls_start(b->dtls, &b->relay, b->bench->now_ms);
	b->at = address("192.0.2.66:9");
	const uint8_t noise[] = {22, 0xfe, 0xff, 0};
	to_relay(b, noise, sizeof(noise));
	b->at = mine;
	assert_null(fake_sent(&b->bench->datapath));
	assert_int_equal(dtls_identity_fingerprint(b->identity, FINGERPRINT_SHA256, &fingerprint),
			 0);
	buf_init(&text);
	buf_add_text(&text, "a=rtcp-mux\r\na=setup:active\r\na=fingerprint:");
	fingerprint_write(&fingerprint, &text);
	buf_add_text(&text, "\r\n");
	char *plain = bench_sdp(b->bench, "198.51.100.7", 5000, text.data);
	char *at = strstr(plain, "RTP/AVP");
	(void)bench_answer(b->bench, "c", "a b",
			   arena_printf(b->bench->arena, "%.*sUDP/TLS/RTP/SAVP%s",
					(int)(at - plain), plain, at + 7),
			   "");
	buf_free(&text);
	run(b, 150); /* less than a retransmission takes */
	assert_int_equal(b->done, 1);
}

static void without_ice_the_handshake_goes_by_the_sdp(void **state)
{
	struct browser *b = *state;
	struct fingerprint fingerprint;
	struct buf text;
	struct sdp *sdp;
	struct sdp_error why;

	assert_int_equal(dtls_identity_fingerprint(b->identity, FINGERPRINT_SHA256, &fingerprint),
			 0);
	buf_init(&text);
	buf_add_text(&text, "a=rtcp-mux\r\na=setup:active\r\na=fingerprint:");
	fingerprint_write(&fingerprint, &text);
	buf_add_text(&text, "\r\n");
	char *offer = bench_sdp(b->bench, "198.51.100.7", 5000, text.data);
	char *at = strstr(offer, "RTP/AVP");
	char *secure = arena_printf(b->bench->arena, "%.*sUDP/TLS/RTP/SAVP%s", (int)(at - offer),
				    offer, at + 7);
	buf_free(&text);
	(void)bench_offer(b->bench, "c", "a", secure,
			  DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux");
	const struct ng_value *reply =
		bench_answer(b->bench, "c", "a b", bench_sdp(b->bench, PHONE, 4000, ""), "");
	assert_int_equal(
		sdp_parse(b->bench->arena, slice_from(bench_text(reply, "sdp")), &sdp, &why), 0);
	assert_int_equal(sdp_media_rtp_addr(&sdp->media[0], &b->relay), 0);
	assert_null(sdp_media_attribute(&sdp->media[0], "candidate"));
	assert_string_equal(argument(sdp, "setup"), "passive");
	open_dtls(b, sdp, DTLS_CLIENT);
	dtls_start(b->dtls, &b->relay, b->bench->now_ms);
	run(b, 1500);
	assert_int_equal(b->done, 1);
	const struct flow_rule *rule = &wan_flow(b)->rule;
	assert_int_equal(rule->source.mode, FLOW_SOURCE_SECURE);
	assert_memory_equal(rule->srtp_in.key, b->keys.our_key, 16);
	assert_true(addr_equal(&wan_flow(b)->locked, &b->at));
}

static void another_behind_the_same_nat_cannot_shut_the_peer_out(void **state)
{
	struct browser *b = *state;
	struct fingerprint fingerprint;
	struct buf text;
	struct sdp *sdp;
	struct sdp_error why;

	assert_int_equal(dtls_identity_fingerprint(b->identity, FINGERPRINT_SHA256, &fingerprint),
			 0);
	buf_init(&text);
	buf_add_text(&text, "a=rtcp-mux\r\na=setup:active\r\na=fingerprint:");
	fingerprint_write(&fingerprint, &text);
	buf_add_text(&text, "\r\n");
	char *offer = bench_sdp(b->bench, "198.51.100.7", 5000, text.data);
	char *at = strstr(offer, "RTP/AVP");
	char *secure = arena_printf(b->bench->arena, "%.*sUDP/TLS/RTP/SAVP%s", (int)(at - offer),
				    offer, at + 7);
	buf_free(&text);
	(void)bench_offer(b->bench, "c", "a", secure,
			  DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux");
	const struct ng_value *reply =
		bench_answer(b->bench, "c", "a b", bench_sdp(b->bench, PHONE, 4000, ""), "");
	assert_int_equal(
		sdp_parse(b->bench->arena, slice_from(bench_text(reply, "sdp")), &sdp, &why), 0);
	assert_int_equal(sdp_media_rtp_addr(&sdp->media[0], &b->relay), 0);
	assert_null(sdp_media_attribute(&sdp->media[0], "candidate"));
	assert_string_equal(argument(sdp, "setup"), "passive");
	struct dtls_identity *mine = b->identity, *other;
	struct dtls_identities *others;
	assert_int_equal(dtls_identities_create(b->bench->now_ms, &others), 0);
	other = dtls_identity_get(others, b->bench->now_ms);
	b->identity = other;
	b->at.port = 7777;
	open_dtls(b, sdp, DTLS_CLIENT);
	dtls_start(b->dtls, &b->relay, b->bench->now_ms);
	run(b, 300);
	assert_int_equal(sessions_counters(b->bench->sessions)->dtls_failed, 1);
	assert_int_equal(wan_flow(b)->rule.srtp_in.suite, FLOW_SRTP_NONE);
	b->identity = mine;
	b->at.port = 5000;
	b->done = 0; /* the other one's own view */
	dtls_identity_put(other);
	dtls_identities_destroy(others);
	open_dtls(b, sdp, DTLS_CLIENT);
	dtls_start(b->dtls, &b->relay, b->bench->now_ms);
	run(b, 1500);
	assert_int_equal(b->done, 1);
	const struct flow_rule *rule = &wan_flow(b)->rule;
	assert_int_equal(rule->source.mode, FLOW_SOURCE_SECURE);
	assert_memory_equal(rule->srtp_in.key, b->keys.our_key, 16);
	assert_true(addr_equal(&wan_flow(b)->locked, &b->at));
}

static void a_restart_leaves_media_alone_until_it_is_through(void **state)
{
	struct browser *b = *state;
	struct sdp *sdp = call_phone(b, DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux",
				     "ICE-lite=forward", true);
	const char *ufrag = argument(sdp, "ice-ufrag");
	struct addr before = b->at;

	open_dtls(b, sdp, DTLS_SERVER);
	run(b, 1500);
	assert_secured(b);
	uint32_t epoch = wan_flow(b)->rule.source.epoch;
	open_ice(b, true);
	sdp = call_phone(b, DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux", "ICE-lite=forward",
			 true);
	assert_string_not_equal(argument(sdp, "ice-ufrag"), ufrag);
	assert_true(addr_equal(&wan_flow(b)->locked, &before));
	assert_int_equal(wan_flow(b)->rule.source.epoch, epoch);
	assert_memory_equal(wan_flow(b)->rule.ice.ufrags[0], ufrag, 8);
	assert_memory_equal(wan_flow(b)->rule.ice.ufrags[1], argument(sdp, "ice-ufrag"), 8);
	b->at = address("192.0.2.99:6000"); /* it went to another network */
	run(b, 500);
	assert_true(addr_equal(&wan_flow(b)->locked, &b->at));
	assert_secured(b); /* the keys are those of before */
	assert_int_equal(wan_flow(b)->rule.ice.ufrags[0][0], 0);
	assert_int_equal(sessions_counters(b->bench->sessions)->ice_restarts, 1);
}

static void no_consent_no_media(void **state)
{
	struct browser *b = *state;
	struct sdp *sdp = call_phone(b, DIRECTION "RTP/AVP ICE=remove rtcp-mux-demux", "", false);

	open_dtls(b, sdp, DTLS_SERVER);
	run(b, 1500);
	assert_secured(b);
	struct flow_id lan = wan_flow(b)->rule.rtp_to;
	assert_true(flow_id_is_set(fake_flow_of(&b->bench->datapath, lan)->rule.rtp_to));
	b->is_deaf = true;
	run(b, 32000);
	assert_int_equal(sessions_counters(b->bench->sessions)->consent_lost, 1);
	assert_false(flow_id_is_set(fake_flow_of(&b->bench->datapath, lan)->rule.rtp_to));
}

static void candidates_come_by_fragments(void **state)
{
	struct browser *b = *state;
	const struct ng_value *reply =
		bench_offer(b->bench, "c", "a", bench_sdp(b->bench, PHONE, 4000, ""),
			    "direction=lan direction=wan webrtc rtcp-mux-demux");
	struct sdp *sdp;

	open_ice(b, false);
	sdp = take(b, reply, false);
	open_dtls(b, sdp, DTLS_CLIENT);
	(void)bench_answer(b->bench, "c", "a b", browser_sdp(b, "active", ""), "");
	b->is_deaf = true; /* its own checks do not get through: a strict firewall */
	run(b, 300);
	b->is_deaf = false;
	const char *fragment =
		arena_printf(b->bench->arena,
			     "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
			     "a=candidate:1 1 UDP 2130706431 198.51.100.7 5000 typ host\r\n"
			     "a=candidate:2 1 TCP 1 198.51.100.7 9 typ host tcptype active\r\n"
			     "a=end-of-candidates\r\n",
			     ice_ufrag(b->ice), ice_pwd(b->ice));
	reply = bench_offer(b->bench, "c", "b a", fragment, "fragment");
	assert_string_equal(bench_text(reply, "result"), "ok");
	run(b, 2500);
	assert_secured(b);
	reply = bench_offer(b->bench, "c", "b a", "a=candidate:broken\r\n", "fragment");
	assert_string_equal(bench_text(reply, "result"), "error");
	reply = bench_offer(b->bench, "nobody", "b", fragment, "fragment");
	assert_string_equal(bench_text(reply, "error-reason"), "Unknown call-id");
}

static void bad_attributes_are_told(void **state)
{
	struct browser *b = *state;
	static const struct {
		const char *from, *to, *reason;
	} cases[] = {
		{"a=fingerprint:sha-256 ", "a=fingerprint:sha-256 zz",
		 "media 1: bad a=fingerprint"},
		{"a=fingerprint:sha-256 ", "a=fingerprint:sha-1 ",
		 "media 1: DTLS-SRTP without a=fingerprint of SHA-256 or better"},
		{"a=ice-pwd:", "a=ice-pwd:!", "media 1: bad a=ice-ufrag or a=ice-pwd"},
		{"a=mid:0", "a=candidate:1 1 UDP x", "media 1: bad a=candidate"},
	};
	const char *sdp = browser_sdp(b, "actpass", "");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = strstr(sdp, cases[i].from);
		char *bad = arena_printf(b->bench->arena, "%.*s%s%s", (int)(at - sdp), sdp,
					 cases[i].to, at + strlen(cases[i].from));
		const struct ng_value *reply = bench_offer(b->bench, "c", "a", bad, DIRECTION);
		assert_string_equal(bench_text(reply, "error-reason"), cases[i].reason);
	}
	assert_int_equal(sessions_count(b->bench->sessions), 0);
}

static void a_rewritten_address_ends_ice(void **state)
{
	struct browser *b = *state;
	char *sdp = arena_printf(b->bench->arena, "%sa=ice-ufrag:abcd\r\na=ice-pwd:%s\r\n%s",
				 bench_sdp(b->bench, "198.51.100.7", 5000, ""),
				 "0123456789012345678901",
				 "a=candidate:1 1 UDP 2130706431 192.168.0.9 5000 typ host\r\n");

	b->bench->random_state = 0; /* the first port */
	(void)bench_offer(b->bench, "c", "a", sdp, DIRECTION "ICE=remove");
	const struct ng_value *reply =
		bench_answer(b->bench, "c", "a b", bench_sdp(b->bench, PHONE, 4000, ""), "");
	const char *answer = bench_text(reply, "sdp");
	assert_non_null(strstr(answer, "a=ice-mismatch\r\n"));
	assert_null(strstr(answer, "ice-ufrag"));
	assert_false(fake_flow_at(&b->bench->datapath, WAN, 30000)->rule.has_ice);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_browser_calls_a_phone),
		TEST(the_other_family_is_taken_where_it_works),
		TEST(an_answer_may_choose_the_family),
		TEST(lite_and_passive_where_it_is_asked),
		TEST(a_phone_calls_a_browser),
		TEST(without_ice_the_handshake_goes_by_the_sdp),
		TEST(another_behind_the_same_nat_cannot_shut_the_peer_out),
		TEST(what_comes_before_the_answer_is_not_lost),
		TEST(a_restart_leaves_media_alone_until_it_is_through),
		TEST(no_consent_no_media),
		TEST(candidates_come_by_fragments),
		TEST(bad_attributes_are_told),
		TEST(a_rewritten_address_ends_ice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
