/* test_keep.c - media records: what comes back from one is what went in, down to the rules of the
 * flows, and what does not belong there is refused whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "bench.h"
#include "control/state/record.h"
#include "control/state/record_head.h"
#include "golden.h"
#include "rtpengine/session/keep_private.h"

#define KEY30   "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define KEY30_B "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

/* A store that outlives its owner, as a server does. */
struct shelf {
	struct store store;
	struct {
		char key[STORE_KEY_LIMIT];
		struct buf value;
	} entries[8];
	unsigned count, puts;
	bool is_away;
};

static unsigned shelf_find(const struct shelf *shelf, struct slice key)
{
	unsigned i = 0;
	while (i < shelf->count && !slice_equal(slice_from(shelf->entries[i].key), key))
		i++;
	return i;
}

static void shelf_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		      store_done_fn *done, void *owner, uint64_t handle)
{
	struct shelf *shelf = (struct shelf *)store;
	unsigned i = shelf_find(shelf, key);
	const struct store_reply reply = {0};
	assert_true(i < 8);
	assert_int_equal(ttl_s, KEEP_TTL_S);
	if (i == shelf->count) {
		slice_copy(key, shelf->entries[i].key, sizeof(shelf->entries[i].key));
		buf_init(&shelf->entries[i].value);
		shelf->count++;
	}
	buf_clear(&shelf->entries[i].value);
	buf_add(&shelf->entries[i].value, value);
	shelf->puts++;
	done(owner, handle, &reply);
}

static void shelf_remove(struct store *store, struct slice key)
{
	struct shelf *shelf = (struct shelf *)store;
	unsigned i = shelf_find(shelf, key);
	if (i == shelf->count)
		return;
	buf_free(&shelf->entries[i].value);
	shelf->entries[i] = shelf->entries[--shelf->count];
}

static void shelf_scan(struct store *store, struct slice prefix, store_each_fn *each,
		       store_done_fn *done, void *owner, uint64_t handle)
{
	struct shelf *shelf = (struct shelf *)store;
	const struct store_reply reply = {.err = shelf->is_away ? -ERR_CLOSED : 0};
	for (unsigned i = 0; i < shelf->count && !shelf->is_away; i++)
		if (slice_starts(slice_from(shelf->entries[i].key), prefix))
			each(owner, slice_from(shelf->entries[i].key),
			     buf_slice(&shelf->entries[i].value));
	done(owner, handle, &reply);
}

static void shelf_status(const struct store *store, struct store_status *out)
{
	(void)store;
	*out = (struct store_status){.kind = "shelf"};
}

static void shelf_destroy(struct store *store)
{
	(void)store;
}

static const struct store_verbs shelf_verbs = {.destroy = shelf_destroy,
					       .put = shelf_put,
					       .remove = shelf_remove,
					       .scan = shelf_scan,
					       .status = shelf_status};

struct world {
	struct bench bench;
	struct shelf shelf;
	bool is_sealed, keeps_ringing;
	unsigned done;
	unsigned lan, wan; /* RTP ports of the last call */
};

static void on_done(void *owner)
{
	((struct world *)owner)->done++;
}

static void start(struct world *w)
{
	const struct keep_config config = {.store = &w->shelf.store,
					   .node = "edge-1",
					   .mark = "m1",
					   .node_number = 7,
					   .is_sealed = w->is_sealed,
					   .keeps_ringing = w->keeps_ringing};
	bench_start(&w->bench);
	w->bench.random_state += 4711;
	assert_int_equal(sessions_keep(w->bench.sessions, &config), 0);
	w->done = 0;
	sessions_revive(w->bench.sessions, on_done, w);
	assert_int_equal(w->done, 0);
	for (unsigned i = 0; i < 4; i++) /* two scans, and the end */
		bench_advance(&w->bench, 1);
}

/* kill -9, and another process: what was in the store at that moment is there again. */
static void kill_and_start(struct world *w)
{
	bench_advance(&w->bench, KEEP_TICK_MS);
	struct shelf copy = w->shelf;
	for (unsigned i = 0; i < copy.count; i++) {
		buf_init(&copy.entries[i].value);
		buf_add(&copy.entries[i].value, buf_slice(&w->shelf.entries[i].value));
	}
	bench_stop(&w->bench);
	while (w->shelf.count)
		shelf_remove(&w->shelf.store, slice_from(w->shelf.entries[0].key));
	w->shelf = copy;
	start(w);
	if (!w->shelf.is_away)
		assert_int_equal(w->done, 1);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	w->shelf.store.verbs = &shelf_verbs;
	w->is_sealed = true;
	start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	bench_stop(&w->bench);
	while (w->shelf.count)
		shelf_remove(&w->shelf.store, slice_from(w->shelf.entries[0].key));
	free(w);
	return 0;
}

static const char *protect(struct bench *b, char *sdp, const char *protocol)
{
	char *at = strstr(sdp, "RTP/AVP");
	return arena_printf(b->arena, "%.*s%s%s", (int)(at - sdp), sdp, protocol, at + 7);
}

static unsigned port_in(const struct ng_value *reply)
{
	const char *line = strstr(bench_text(reply, "sdp"), "m=audio ");
	assert_string_equal(bench_text(reply, "result"), "ok");
	assert_non_null(line);
	return (unsigned)atoi(line + 8);
}

static void call(struct world *w, const char *call_id, const char *answer_lines,
		 const char *protocol, const char *flags)
{
	struct bench *b = &w->bench;
	w->wan = port_in(bench_offer(b, call_id, "a", bench_sdp(b, "10.0.0.20", 4000, ""), flags));
	char *sdp = bench_sdp(b, "198.51.100.7", 5000, answer_lines);
	w->lan = port_in(
		bench_answer(b, call_id, "a b", protocol ? protect(b, sdp, protocol) : sdp, flags));
	bench_advance(b, KEEP_TICK_MS);
}

static struct fake_flow *wan_flow(struct world *w)
{
	struct fake_flow *flow = fake_flow_at(&w->bench.datapath, WAN, w->wan);
	assert_non_null(flow);
	return flow;
}

static void same_rules(const struct flow_rule *a, const struct flow_rule *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->source.mode, b->source.mode);
	assert_true(addr_equal(&a->source.expected[0], &b->source.expected[0]));
	assert_int_equal(a->source.epoch, b->source.epoch);
	assert_int_equal(a->source.window_ms, b->source.window_ms);
	assert_true(addr_equal(&a->remote, &b->remote));
	assert_int_equal(a->symmetric, b->symmetric);
	assert_int_equal(a->dscp, b->dscp);
	assert_int_equal(a->clock_hz, b->clock_hz);
	assert_int_equal(a->needs_srtp, b->needs_srtp);
	assert_int_equal(a->has_ice, b->has_ice);
	assert_int_equal(a->has_dtls, b->has_dtls);
	assert_memory_equal(&a->ice, &b->ice, sizeof(a->ice));
	assert_int_equal(a->limit.packets_per_s, b->limit.packets_per_s);
	assert_int_equal(a->limit.bytes_per_s, b->limit.bytes_per_s);
	assert_memory_equal(a->payload_types, b->payload_types, sizeof(a->payload_types));
	assert_memory_equal(a->alter.event_types, b->alter.event_types, FLOW_EVENT_TYPES);
	assert_int_equal(a->alter.media, b->alter.media);
	assert_int_equal(a->srtp_in.suite, b->srtp_in.suite);
	assert_memory_equal(a->srtp_in.key, b->srtp_in.key, FLOW_SRTP_KEY_MAX);
	assert_memory_equal(a->srtp_in.salt, b->srtp_in.salt, FLOW_SRTP_SALT_MAX);
	assert_int_equal(a->srtp_out.suite, b->srtp_out.suite);
	assert_memory_equal(a->srtp_out.key, b->srtp_out.key, FLOW_SRTP_KEY_MAX);
	assert_memory_equal(a->srtp_out.salt, b->srtp_out.salt, FLOW_SRTP_SALT_MAX);
}

#define PORTS 4
static void take_rules(struct world *w, struct flow_rule out[PORTS])
{
	const unsigned ports[PORTS] = {w->lan, w->lan + 1, w->wan, w->wan + 1};
	for (unsigned i = 0; i < PORTS; i++) {
		const struct fake_flow *flow =
			fake_flow_at(&w->bench.datapath, i < 2 ? LAN : WAN, ports[i]);
		assert_non_null(flow);
		out[i] = flow->rule;
	}
}

static void check_same(struct world *w)
{
	struct flow_rule before[PORTS], after[PORTS];
	char instance[32];

	take_rules(w, before);
	strcpy(instance, sessions_instance(w->bench.sessions));
	kill_and_start(w);
	take_rules(w, after);
	for (unsigned i = 0; i < PORTS; i++)
		same_rules(&before[i], &after[i]);
	assert_string_equal(sessions_instance(w->bench.sessions), instance);
}

/* Whichever of the two comes back first. */
static void joined_calls_come_back_joined(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;

	call(w, "c1@x", "", NULL, "direction=lan direction=wan");
	unsigned first = w->lan;
	call(w, "c2@x", "", NULL, "direction=lan direction=wan");
	unsigned second = w->lan;
	const struct ng_value *reply = bench_ask(b, "connect", "call-id", "c1@x", "from-tag", "a",
						 "to-call-id", "c2@x", "to-tag", "a", NULL);
	assert_string_equal(bench_text(reply, "result"), "ok");
	assert_string_equal(
		bench_text(bench_ask(b, "publish", "call-id", "p@x", "from-tag", "p", "sdp",
				     bench_sdp(b, "10.0.0.20", 6000, "a=sendonly\r\n"), NULL),
			   "result"),
		"ok");
	kill_and_start(w);
	assert_int_equal(sessions_count(b->sessions), 3);
	const struct fake_flow *one = fake_flow_at(&b->datapath, LAN, first);
	const struct fake_flow *other = fake_flow_at(&b->datapath, LAN, second);
	assert_int_equal(one->rule.rtp_to.value, other->id.value);
	assert_int_equal(other->rule.rtp_to.value, one->id.value);
	reply = bench_ask(b, "subscribe request", "call-id", "p@x", "from-tag", "p", NULL);
	assert_string_equal(bench_text(reply, "result"), "ok");
}

static void a_plain_call_comes_back_as_it_was(void **state)
{
	struct world *w = *state;
	struct fake_flow *flow;
	struct addr source;

	call(w, "c1@x", "a=rtpmap:101 telephone-event/8000\r\n", NULL,
	     "direction=lan direction=wan");
	assert_int_equal(w->shelf.count, 1);
	assert_string_equal(w->shelf.entries[0].key, "media:{c1@x}:edge-1");
	assert_int_equal(w->shelf.puts, 1);
	/* learned elsewhere than the SDP says */
	assert_int_equal(addr_parse(SLICE("198.51.100.7:5555"), 0, &source), 0);
	flow = wan_flow(w);
	flow->stats.source_is_locked = true;
	flow->stats.source = source;
	w->bench.datapath.events[w->bench.datapath.event_count++] = (struct datapath_event){
		.type = DATAPATH_SOURCE_LOCKED, .flow = flow->id, .source = source};
	sessions_events(w->bench.sessions);
	bench_advance(&w->bench, KEEP_SOON_MS + 1);
	assert_int_equal(w->shelf.puts, 2);
	check_same(w);
	flow = wan_flow(w);
	assert_true(addr_equal(&flow->locked, &source));
	assert_int_equal(flow_id_is_set(flow->rule.rtp_to), 1);
}

static void a_call_that_came_back_can_be_held_and_ended(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;

	call(w, "c1", "", NULL, "direction=lan direction=wan");
	kill_and_start(w);
	const struct ng_value *reply =
		bench_offer(b, "c1", "a b", bench_sdp(b, "10.0.0.20", 4000, "a=sendonly\r\n"),
			    "direction=lan direction=wan");
	assert_int_equal(port_in(reply), w->wan);
	reply = bench_answer(b, "c1", "a b", bench_sdp(b, "198.51.100.7", 5000, "a=recvonly\r\n"),
			     "direction=lan direction=wan");
	assert_int_equal(port_in(reply), w->lan);
	struct fake_flow *flow = wan_flow(w);
	assert_false(flow_id_is_set(flow->rule.rtp_to));
	bench_ask(b, "delete", "call-id", "c1", "from-tag", "a", NULL);
	assert_int_equal(bench_ports_in_use(b), 0);
	assert_int_equal(w->shelf.count, 0);
}

static void keys_and_indexes_come_back(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;

	call(w, "c1", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n", "RTP/SAVP",
	     "direction=lan direction=wan transport-protocol=RTP/SAVP "
	     "SDES-only-AES_CM_128_HMAC_SHA1_80");
	struct fake_flow *flow = wan_flow(w);
	assert_int_equal(flow->rule.srtp_in.suite, FLOW_SRTP_AES_CM_128_HMAC_SHA1_80);
	flow->indexes[0] = (struct flow_srtp_index){.ssrc = 17, .rtp = 0x1fff0, .rtcp = 12};
	flow->indexes[1] = (struct flow_srtp_index){.ssrc = 18, .rtp = 0x20001, .rtcp = 13};
	flow->index_count = 1;
	unsigned puts = w->shelf.puts;
	bench_advance(b, KEEP_CHECKPOINT_MS + 1);
	assert_int_equal(w->shelf.puts, puts + 1);
	bench_advance(b, KEEP_CHECKPOINT_MS + 1);
	assert_int_equal(w->shelf.puts, puts + 1); /* nothing moved */
	check_same(w);
	flow = wan_flow(w);
	assert_int_equal(flow->rule.srtp_in.initial_count, 1);
	assert_int_equal(flow->rule.srtp_in.initial[0].ssrc, 17);
	assert_int_equal(flow->rule.srtp_in.initial[0].rtp, 0x1fff0);
	assert_int_equal(flow->rule.srtp_in.initial[0].rtcp, 12);
	assert_int_equal(flow->rule.srtp_out.initial[0].ssrc, 18);
	assert_int_equal(flow->rule.srtp_out.initial[0].rtp, 0x20001);

	/* the same keys in a re-offer; another key of the phone, and ours changes with it */
	struct flow_srtp ours = flow->rule.srtp_out;
	const char *words = "direction=wan direction=lan transport-protocol=RTP/AVP";
	bench_offer(b, "c1", "b a",
		    protect(b,
			    bench_sdp(b, "198.51.100.7", 5000,
				      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"),
			    "RTP/SAVP"),
		    words);
	bench_answer(b, "c1", "b a", bench_sdp(b, "10.0.0.20", 4000, ""), words);
	flow = wan_flow(w);
	assert_memory_equal(flow->rule.srtp_out.key, ours.key, sizeof(ours.key));
	bench_offer(b, "c1", "b a",
		    protect(b,
			    bench_sdp(b, "198.51.100.7", 5000,
				      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30_B "\r\n"),
			    "RTP/SAVP"),
		    words);
	bench_answer(b, "c1", "b a", bench_sdp(b, "10.0.0.20", 4000, ""), words);
	flow = wan_flow(w);
	assert_memory_not_equal(flow->rule.srtp_out.key, ours.key, 16);
}

static void without_a_seal_no_key_leaves_the_process(void **state)
{
	struct world *w = *state;
	char instance[32];

	bench_stop(&w->bench);
	w->is_sealed = false;
	start(w);
	call(w, "c1", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n", "RTP/SAVP",
	     "direction=lan direction=wan transport-protocol=RTP/SAVP "
	     "SDES-only-AES_CM_128_HMAC_SHA1_80");
	call(w, "c2", "", NULL, "direction=lan direction=wan");
	assert_int_equal(w->shelf.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct slice value = buf_slice(&w->shelf.entries[i].value);
		assert_true(slice_find_slice(value, SLICE("YS__")) >= value.len);
		assert_true(slice_find_slice(value, SLICE("inline:")) >= value.len);
	}
	strcpy(instance, sessions_instance(w->bench.sessions));
	w->bench.log.level = LOG_ERROR;
	kill_and_start(w);
	/* one of them did not come back, and whoever asks shall see it */
	assert_int_equal(sessions_count(w->bench.sessions), 1);
	assert_string_not_equal(sessions_instance(w->bench.sessions), instance);
	assert_int_equal(w->shelf.count, 1);
}

static void what_nobody_has_answered_is_kept_only_on_demand(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;

	bench_offer(b, "c1", "a", bench_sdp(b, "10.0.0.20", 4000, ""),
		    "direction=lan direction=wan");
	assert_int_equal(w->shelf.count, 0);
	bench_stop(b);
	w->keeps_ringing = true;
	start(w);
	w->wan = port_in(bench_offer(b, "c1", "a", bench_sdp(b, "10.0.0.20", 4000, ""),
				     "direction=lan direction=wan"));
	bench_advance(b, KEEP_TICK_MS);
	assert_int_equal(w->shelf.count, 1);
	kill_and_start(w);
	const struct ng_value *reply =
		bench_answer(b, "c1", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), "");
	assert_true(port_in(reply) > 0);
	struct fake_flow *flow = wan_flow(w);
	assert_true(flow_id_is_set(flow->rule.rtp_to));
}

static void on_put(void *owner, uint64_t handle, const struct store_reply *reply)
{
	(void)owner, (void)handle, (void)reply;
}

/* As the signalling half does. */
static void keep_with_call(struct world *w, struct slice state)
{
	struct call_record *record = record_create(w->bench.arena, 2);
	struct record_head head = {.node = 3, .epoch = 1, .state = RECORD_ANSWERED};
	struct buf value;

	buf_init(&value);
	record->id = SLICE("c1");
	record->state = RECORD_ANSWERED;
	record->relay_state = state;
	record_head_write(&head, &value);
	assert_int_equal(record_encode(record, &value), 0);
	shelf_put(&w->shelf.store, SLICE("call:{c1}"), buf_slice(&value), KEEP_TTL_S, on_put, NULL,
		  0);
	buf_free(&value);
}

#define WAYS "direction=lan direction=wan "

/* The answer's reply carries the record away; the rest is as with one of our own. */
static void give_call(struct world *w)
{
	struct bench *b = &w->bench;

	w->wan = port_in(
		bench_offer(b, "c1", "a", bench_sdp(b, "10.0.0.20", 4000, ""), WAYS "state=m1"));
	const struct ng_value *reply = bench_answer(
		b, "c1", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), WAYS "state=m1");
	w->lan = port_in(reply);
	assert_true(ng_get_string(reply, "state").len > 0);
	keep_with_call(w, ng_get_string(reply, "state"));
	w->shelf.puts = 0;
}

static void a_plain_call_goes_with_its_clients_record(void **state)
{
	struct world *w = *state;
	struct fake_flow *flow;

	give_call(w);
	/* where the SDP said: nothing new */
	flow = wan_flow(w);
	flow->stats.source_is_locked = true;
	assert_int_equal(addr_parse(SLICE("198.51.100.7:5000"), 0, &flow->stats.source), 0);
	w->bench.datapath.events[w->bench.datapath.event_count++] = (struct datapath_event){
		.type = DATAPATH_SOURCE_LOCKED, .flow = flow->id, .source = flow->stats.source};
	sessions_events(w->bench.sessions);
	bench_advance(&w->bench, 1000);
	assert_int_equal(w->shelf.puts, 0);
	check_same(w);
	/* from now on it has one of its own, which ends with it; the call's is not touched */
	bench_advance(&w->bench, KEEP_SOON_MS);
	assert_int_equal(w->shelf.count, 2);
	check_same(w);
	bench_ask(&w->bench, "delete", "call-id", "c1", "from-tag", "a", NULL);
	assert_int_equal(w->shelf.count, 1);
	assert_string_equal(w->shelf.entries[0].key, "call:{c1}");
}

static void what_changes_later_is_the_relays_own(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;

	give_call(w);
	assert_int_equal(w->shelf.count, 1);
	bench_offer(b, "c1", "a b", bench_sdp(b, "10.0.0.20", 4002, ""), WAYS);
	bench_advance(b, KEEP_TICK_MS);
	assert_int_equal(w->shelf.count, 2);
	/* once there is one, no other is given away */
	const struct ng_value *reply = bench_answer(
		b, "c1", "a b", bench_sdp(b, "198.51.100.7", 5002, ""), WAYS "state=m1");
	assert_null(ng_dict_get(reply, "state"));
	bench_advance(b, KEEP_TICK_MS);
	assert_int_equal(w->shelf.puts, 2);
	check_same(w);
}

static void a_record_is_given_to_the_same_store_only(void **state)
{
	struct world *w = *state;

	call(w, "c1", "", NULL, WAYS "state=m2");
	assert_int_equal(w->shelf.count, 1);
	call(w, "c2", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n", "RTP/SAVP",
	     WAYS "transport-protocol=RTP/SAVP SDES-only-AES_CM_128_HMAC_SHA1_80 state=m1");
	assert_int_equal(w->shelf.count, 2);
}

static void another_nodes_state_is_left_alone(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;

	bench_offer(b, "c1", "a", bench_sdp(b, "10.0.0.20", 4000, ""), WAYS "state=m1");
	const struct ng_value *reply = bench_answer(
		b, "c1", "a b", bench_sdp(b, "198.51.100.7", 5000, ""), WAYS "state=m1");
	struct slice given = arena_copy(b->arena, ng_get_string(reply, "state"));
	char *bytes = (char *)(uintptr_t)given.data;

	assert_non_null(bytes);
	bytes[5] = '2';
	keep_with_call(w, given);
	kill_and_start(w);
	assert_int_equal(sessions_count(w->bench.sessions), 0);
	assert_int_equal(w->shelf.count, 1);
}

static void records_of_others_and_of_before_are_left_out(void **state)
{
	struct world *w = *state;

	call(w, "c1", "", NULL, "direction=lan direction=wan");
	slice_copy(SLICE("media:{c1}:edge-2"), w->shelf.entries[0].key, STORE_KEY_LIMIT);
	kill_and_start(w);
	assert_int_equal(sessions_count(w->bench.sessions), 0);
	assert_int_equal(w->shelf.count, 1); /* another node's is not touched */
	/* this process did not get the other's; what it writes later makes that one stale */
	slice_copy(SLICE("media:{c1}:edge-1"), w->shelf.entries[0].key, STORE_KEY_LIMIT);
	bench_advance(&w->bench, 1000);
	call(w, "c2", "", NULL, "direction=lan direction=wan");
	kill_and_start(w);
	assert_int_equal(sessions_count(w->bench.sessions), 1);
	assert_int_equal(w->shelf.count, 1);
}

static void a_store_that_is_away_is_not_waited_for_long(void **state)
{
	struct world *w = *state;

	call(w, "c1", "", NULL, "direction=lan direction=wan");
	w->shelf.is_away = true;
	w->bench.log.level = LOG_ERROR;
	kill_and_start(w);
	bench_advance(&w->bench, KEEP_PATIENCE_MS / 2);
	assert_int_equal(w->done, 0);
	bench_advance(&w->bench, KEEP_PATIENCE_MS);
	assert_int_equal(w->done, 1);
	assert_int_equal(sessions_count(w->bench.sessions), 0);
}

/* Whatever is cut off or changed: refused, or a session whose parts belong together. */
static void broken_records_leave_nothing(void **state)
{
	struct world *w = *state;
	struct bench *b = &w->bench;
	struct buf copy;

	call(w, "c1", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n", "RTP/SAVP",
	     "direction=lan direction=wan transport-protocol=RTP/SAVP "
	     "SDES-only-AES_CM_128_HMAC_SHA1_80");
	struct slice value = buf_slice(&w->shelf.entries[0].value);
	buf_init(&copy);
	buf_add(&copy, slice_sub(value, RECORD_HEAD_SIZE, SIZE_MAX));
	bench_ask(b, "delete", "call-id", "c1", "from-tag", "a", NULL);
	bench_advance(b, 60000);
	for (size_t len = 0; len < copy.len; len++) {
		int err =
			revive_session(b->sessions, slice_sub(buf_slice(&copy), 0, len), b->now_ms);
		while (!err && b->sessions->first)
			session_destroy(b->sessions->first, b->now_ms);
		bench_advance(b, 10000);
		assert_int_equal(sessions_count(b->sessions), 0);
		assert_int_equal(bench_ports_in_use(b), 0);
	}
	for (size_t i = 0; i < copy.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			copy.data[i] = (char)(copy.data[i] ^ 1 << bit);
			int err = revive_session(b->sessions, buf_slice(&copy), b->now_ms);
			copy.data[i] = (char)(copy.data[i] ^ 1 << bit);
			while (!err && b->sessions->first)
				session_destroy(b->sessions->first, b->now_ms);
			assert_int_equal(sessions_count(b->sessions), 0);
			assert_int_equal(bench_ports_in_use(b), 0);
			bench_advance(b, 10000);
		}
	}
	buf_free(&copy);
}

/* What stands in stores today is read by every version to come: whoever changes these bytes breaks
 * running calls. */
static void the_bytes_of_a_record_are_decided(void **state)
{
	static const char golden[] = GOLDEN;
	struct world *w = *state;
	struct buf hex;

	call(w, "c1", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n", "RTP/SAVP",
	     "direction=lan direction=wan transport-protocol=RTP/SAVP "
	     "SDES-only-AES_CM_128_HMAC_SHA1_80");
	struct slice value = buf_slice(&w->shelf.entries[0].value);
	buf_init(&hex);
	for (size_t i = 0; i < value.len; i++)
		buf_printf(&hex, "%02x", (uint8_t)value.data[i]);
	assert_string_equal(hex.data, golden);
	buf_free(&hex);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_plain_call_comes_back_as_it_was),
		TEST(a_plain_call_goes_with_its_clients_record),
		TEST(what_changes_later_is_the_relays_own),
		TEST(a_record_is_given_to_the_same_store_only),
		TEST(another_nodes_state_is_left_alone),
		TEST(joined_calls_come_back_joined),
		TEST(a_call_that_came_back_can_be_held_and_ended),
		TEST(keys_and_indexes_come_back),
		TEST(without_a_seal_no_key_leaves_the_process),
		TEST(what_nobody_has_answered_is_kept_only_on_demand),
		TEST(records_of_others_and_of_before_are_left_out),
		TEST(a_store_that_is_away_is_not_waited_for_long),
		TEST(broken_records_leave_nothing),
		TEST(the_bytes_of_a_record_are_decided),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
