/* test_flows.c - opening, replacing and closing flows as the control thread does; the lcores are
 * played by a grace period that ends when the test says so. SPDX-License-Identifier: Apache-2.0 */
#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include "bench.h"
#include "rtpengine/datapath/control.h"
#include "rtpengine/datapath/srtp.h"

#define MAX 4

/* Next hops are counted, not made. */
static int hops_out;
static struct hop the_hop;

int hop_get(struct hops *hops, const struct addr *to, const struct addr *from, struct hop **out)
{
	(void)hops;
	(void)to;
	(void)from;
	hops_out++;
	*out = &the_hop;
	return 0;
}

void hop_put(struct hops *hops, struct hop *hop)
{
	(void)hops;
	if (hop)
		hops_out--;
}

struct rig {
	struct flows flows;
	struct retire_queue retired;
	struct rte_rcu_qsbr *rcu;
	struct endpoint endpoint;
	struct media_address address;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	assert_non_null(rig);
	hops_out = 0;
	rig->rcu = aligned_alloc(64, (rte_rcu_qsbr_get_memsize(1) + 63) / 64 * 64);
	assert_int_equal(rte_rcu_qsbr_init(rig->rcu, 1), 0);
	retire_init(&rig->retired, rig->rcu);
	rig->endpoint = (struct endpoint){
		.addr = bench_addr("10.0.0.1"), .base = 30000, .first = 30000, .last = 30100};
	rig->endpoint.ports = calloc(101, sizeof(*rig->endpoint.ports));
	rig->address = (struct media_address){.addr = rig->endpoint.addr,
					      .ranges = {{30000, 30010}, {30050, 30100}},
					      .range_count = 2};
	assert_int_equal(flows_init(&rig->flows, MAX), 0);
	rig->flows.retired = &rig->retired;
	rig->flows.endpoints = &rig->endpoint;
	rig->flows.addresses = &rig->address;
	rig->flows.endpoint_count = 1;
	rig->flows.lcore_count = 3;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	flows_free(&rig->flows);
	assert_int_equal(hops_out, 0);
	free(rig->endpoint.ports);
	free(rig->rcu);
	free(rig);
	return 0;
}

static struct flow_id open_port(struct rig *rig, uint16_t port)
{
	struct addr local = rig->endpoint.addr;
	struct flow_id id = FLOW_NONE;
	local.port = port;
	assert_int_equal(flows_open(&rig->flows, &local, 7, &id), 0);
	return id;
}

static const struct flow *published(struct rig *rig, uint16_t port)
{
	return atomic_load(&rig->endpoint.ports[port - 30000]);
}

static struct flow_rule a_rule(void)
{
	struct flow_rule rule = {.kind = FLOW_RTP, .symmetric = true, .dscp = 46};
	rule.source.mode = FLOW_SOURCE_LEARN;
	rule.source.expected[0] = rule.remote = bench_addr("10.0.0.9:4000");
	return rule;
}

static void only_ports_of_a_range_open_and_only_once(void **state)
{
	struct rig *rig = *state;
	struct addr local = bench_addr("10.0.0.1:30020"); /* between the ranges */
	struct flow_id id;
	assert_int_equal(flows_open(&rig->flows, &local, 1, &id), -ERR_NOT_FOUND);
	local = bench_addr("10.0.0.2:30000");
	assert_int_equal(flows_open(&rig->flows, &local, 1, &id), -ERR_NOT_FOUND);
	(void)open_port(rig, 30000);
	local = bench_addr("10.0.0.1:30000");
	assert_int_equal(flows_open(&rig->flows, &local, 1, &id), -ERR_EXISTS);
	assert_int_equal(published(rig, 30000)->mode, FLOW_SOURCE_CLOSED);
	assert_int_equal(rig->flows.count, 1);
}

static void there_is_a_limit(void **state)
{
	struct rig *rig = *state;
	struct addr local = bench_addr("10.0.0.1:30009");
	struct flow_id id, last = FLOW_NONE;
	for (uint16_t i = 0; i < MAX; i++)
		last = open_port(rig, (uint16_t)(30000 + i));
	assert_int_equal(flows_open(&rig->flows, &local, 1, &id), -ERR_TOO_MANY);
	flows_close(&rig->flows, last);
	assert_int_equal(flows_open(&rig->flows, &local, 1, &id), 0);
}

static void stale_ids_are_refused(void **state)
{
	struct rig *rig = *state;
	struct flow_rule rule = a_rule();
	struct flow_stats stats;
	struct flow_id id = open_port(rig, 30000);
	flows_close(&rig->flows, id);
	flows_close(&rig->flows, id);
	for (unsigned i = 0; i < MAX; i++) /* until the slot has another tenant */
		(void)open_port(rig, (uint16_t)(30000 + i));
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), -ERR_NOT_FOUND);
	assert_int_equal(flows_stats(&rig->flows, id, &stats), -ERR_NOT_FOUND);
	flows_close(&rig->flows, id);
	assert_int_equal(rig->flows.count, MAX);
	assert_int_equal(flows_set(&rig->flows, FLOW_NONE, &rule, 0), -ERR_NOT_FOUND);
}

static void contradictions_are_refused(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000), other = open_port(rig, 30002);
	struct flow_rule rule = a_rule();
	rule.remote = bench_addr("[2001:db8::1]:4000"); /* of the other family */
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), -ERR_INVALID);
	rule.remote = bench_addr("224.0.0.1:4000");
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), -ERR_INVALID);
	rule = a_rule();
	rule.dscp = 64;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), -ERR_INVALID);
	rule = a_rule();
	rule.rtp_to = other;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), 0);
	flows_close(&rig->flows, other);
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), -ERR_NOT_FOUND);
	struct addr local = bench_addr("10.0.0.1:30004");
	uint32_t affinity = 8; /* one that is served by another lcore */
	do {
		assert_int_equal(flows_open(&rig->flows, &local, affinity++, &other), 0);
		rule.rtp_to = other;
		if (published(rig, 30004)->lcore != published(rig, 30000)->lcore)
			break;
		flows_close(&rig->flows, other);
	} while (affinity < 100);
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), -ERR_INVALID);
	assert_int_equal(hops_out, 2); /* of the rule that stands */
}

static void a_source_rule_that_changes_begins_another_epoch(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000);
	struct flow_rule rule = a_rule();
	rule.source.window_ms = 1000;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 5000000), 0);
	uint32_t epoch = published(rig, 30000)->epoch;
	assert_int_equal(published(rig, 30000)->learn_until_ns, 1005000000);
	rule.dscp = 0; /* nothing about the source: epoch and window go on */
	assert_int_equal(flows_set(&rig->flows, id, &rule, 900000000), 0);
	assert_int_equal(published(rig, 30000)->epoch, epoch);
	assert_int_equal(published(rig, 30000)->learn_until_ns, 1005000000);
	rule.source.expected[0].port++;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 900000000), 0);
	assert_int_not_equal(published(rig, 30000)->epoch, epoch);
	epoch = published(rig, 30000)->epoch;
	rule.source.epoch++;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 900000000), 0);
	assert_int_not_equal(published(rig, 30000)->epoch, epoch);
}

/* An lcore inside its iteration still reads what was replaced. */
static void nothing_goes_before_the_lcores_are_done(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000);
	struct flow_rule rule = a_rule();
	assert_int_equal(rte_rcu_qsbr_thread_register(rig->rcu, 0), 0);
	rte_rcu_qsbr_thread_online(rig->rcu, 0);
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), 0);
	const struct flow *seen = published(rig, 30000);
	flows_close(&rig->flows, id);
	assert_null(published(rig, 30000));
	assert_null(atomic_load(&seen->slot->current));
	assert_int_equal(seen->local.port, 30000); /* ASan would tell */
	assert_int_equal(hops_out, 2);
	assert_int_equal(rig->flows.free_count, MAX - 1); /* the slot rests too */
	rte_rcu_qsbr_quiescent(rig->rcu, 0);
	retire_run(&rig->retired);
	assert_int_equal(hops_out, 0);
	assert_int_equal(rig->flows.free_count, MAX);
	rte_rcu_qsbr_thread_offline(rig->rcu, 0);
	rte_rcu_qsbr_thread_unregister(rig->rcu, 0);
}

static void a_locked_source_is_read_back_for_its_epoch_only(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000);
	struct flow_rule rule = a_rule();
	struct flow_stats stats;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), 0);
	struct flow_state *state_of = &published(rig, 30000)->slot->state;
	assert_int_equal(flows_stats(&rig->flows, id, &stats), 0);
	assert_false(stats.source_is_locked);
	uint64_t epoch = published(rig, 30000)->epoch;
	atomic_store(&state_of->locked_source.value, 1ull << 63 | epoch << 24 | 6001);
	assert_int_equal(flows_stats(&rig->flows, id, &stats), 0);
	struct addr want = bench_addr("10.0.0.9:6001");
	assert_true(stats.source_is_locked && addr_equal(&stats.source, &want));
	rule.source.epoch = 9;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 0), 0);
	assert_int_equal(flows_stats(&rig->flows, id, &stats), 0);
	assert_false(stats.source_is_locked);
}

static void a_named_source_lasts_as_long_as_its_epoch(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000);
	struct addr source = bench_addr("10.0.0.77:4004");
	struct addr other_family = bench_addr("[2001:db8::1]:4004");
	struct flow_rule rule = {.source = {.mode = FLOW_SOURCE_ICE, .epoch = 1}};
	assert_int_equal(flows_set(&rig->flows, id, &rule, 1), 0);
	assert_int_equal(flows_lock(&rig->flows, FLOW_NONE, &source), -ERR_NOT_FOUND);
	assert_int_equal(flows_lock(&rig->flows, id, &other_family), -ERR_INVALID);
	assert_int_equal(flows_lock(&rig->flows, id, &source), 0);
	const struct flow *flow = atomic_load(&rig->endpoint.ports[0]);
	assert_true(addr_equal(&flow->extra->named, &source));
	assert_ptr_equal(flow->extra->named_hop, &the_hop);
	uint16_t count = flow->named_count;
	assert_int_not_equal(count, 0);
	rule.dscp = 46;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 2), 0);
	flow = atomic_load(&rig->endpoint.ports[0]);
	assert_int_equal(flow->named_count, count);
	assert_true(addr_equal(&flow->extra->named, &source));

	struct flow_state *seen = &flow->slot->state;
	atomic_store(&seen->locked_source.value,
		     1ull << 63 | (uint64_t)flow->epoch << 24 | SOURCE_NAMED << 16 | 4004);
	struct flow_stats stats;
	assert_int_equal(flows_stats(&rig->flows, id, &stats), 0);
	assert_true(stats.source_is_locked && addr_equal(&stats.source, &source));
	rule.source.epoch = 2;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 3), 0);
	flow = atomic_load(&rig->endpoint.ports[0]);
	assert_int_equal(flow->extra->named.family, 0);
	assert_int_equal(flow->named_count, count);
}

static void keys_go_on_until_another_comes_and_may_come_back(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000);
	struct flow_rule rule = {.srtp_in = {.suite = FLOW_SRTP_AES_CM_128_HMAC_SHA1_80},
				 .srtp_out = {.suite = FLOW_SRTP_AEAD_AES_128_GCM}};
	struct flow_srtp_index index;
	assert_int_equal(srtp_crypto_create(&rig->flows.crypto), 0);
	assert_int_equal(flows_set(&rig->flows, id, &rule, 1), 0);
	const struct flow *flow = atomic_load(&rig->endpoint.ports[0]);
	struct srtp_context *in = flow->srtp_in, *out = flow->srtp_out;
	assert_true(flow->has_srtp && in && out && in != out);
	assert_null(flow->extra->srtp_before);
	assert_non_null(srtp_stream_add(out, 7));
	assert_int_equal(flows_srtp(&rig->flows, id, true, &index, 1), 1);
	assert_int_equal(index.ssrc, 7);
	assert_int_equal(flows_srtp(&rig->flows, id, false, &index, 1), 0);

	rule.dscp = 46;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 2), 0);
	flow = atomic_load(&rig->endpoint.ports[0]);
	assert_ptr_equal(flow->srtp_in, in);
	assert_ptr_equal(flow->srtp_out, out);
	rule.srtp_in.key[0] = rule.srtp_out.key[0] = 1;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 3), 0);
	flow = atomic_load(&rig->endpoint.ports[0]);
	assert_ptr_not_equal(flow->srtp_in, in);
	assert_ptr_equal(flow->extra->srtp_before, in);
	assert_int_equal(flow->extra->srtp_before_until_ns, 3 + 5000000000);
	assert_ptr_not_equal(flow->srtp_out, out);
	struct addr source = bench_addr("10.0.0.77:4004");
	assert_int_equal(flows_lock(&rig->flows, id, &source), 0);
	rule.srtp_in.key[0] = rule.srtp_out.key[0] = 0; /* the re-offer was refused */
	assert_int_equal(flows_set(&rig->flows, id, &rule, 4), 0);
	flow = atomic_load(&rig->endpoint.ports[0]);
	assert_ptr_equal(flow->srtp_in, in);
	assert_ptr_equal(flow->srtp_out, out);
	assert_int_equal(flows_srtp(&rig->flows, id, true, &index, 1), 1);

	rule.kind = FLOW_OTHER;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 5), -ERR_INVALID);
	rule = (struct flow_rule){.source.mode = FLOW_SOURCE_SECURE};
	assert_int_equal(flows_set(&rig->flows, id, &rule, 6), -ERR_INVALID);
	rule.needs_srtp = true;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 7), 0);
	flows_close(&rig->flows, id);
	retire_all(&rig->retired);
	srtp_crypto_destroy(rig->flows.crypto);
	rig->flows.crypto = NULL;
}

static void room_for_ssrcs_is_made_where_it_is_short(void **state)
{
	struct rig *rig = *state;
	struct flow_id id = open_port(rig, 30000);
	struct flow_rule rule = {.srtp_in = {.suite = FLOW_SRTP_AES_CM_128_HMAC_SHA1_80},
				 .srtp_out = {.suite = FLOW_SRTP_AES_256_CM_HMAC_SHA1_80}};
	struct flow_bundle bundle = {.count = 1, .members = {{.flow = id}}};
	assert_int_equal(srtp_crypto_create(&rig->flows.crypto), 0);
	assert_int_equal(flows_set(&rig->flows, id, &rule, 1), 0);
	struct srtp_context *in = published(rig, 30000)->srtp_in;
	struct srtp_context *out = published(rig, 30000)->srtp_out;
	for (uint32_t ssrc = 0; ssrc < SRTP_STREAMS_FIRST; ssrc++)
		assert_non_null(srtp_stream_add(out, ssrc));
	assert_null(srtp_stream_add(out, 100));
	flows_grow(&rig->flows, (struct flow_id){id.value + 1}); /* another, gone */
	assert_null(srtp_stream_add(out, 100));
	flows_grow(&rig->flows, id);
	for (uint32_t ssrc = SRTP_STREAMS_FIRST; ssrc < SRTP_STREAMS; ssrc++)
		assert_non_null(srtp_stream_add(out, ssrc));
	assert_null(srtp_stream_add(out, 100));
	assert_ptr_equal(srtp_stream_find(out, 0), &out->streams[0]);
	assert_null(in->more);
	/* streams that share a port are several from the beginning */
	rule.bundle = &bundle;
	assert_int_equal(flows_set(&rig->flows, id, &rule, 2), 0);
	assert_ptr_equal(published(rig, 30000)->srtp_in, in);
	assert_non_null(in->more);
	flows_close(&rig->flows, id);
	retire_all(&rig->retired);
	srtp_crypto_destroy(rig->flows.crypto);
	rig->flows.crypto = NULL;
}

static void a_new_tenant_finds_clean_numbers(void **state)
{
	struct rig *rig = *state;
	struct flow_stats stats;
	for (unsigned i = 0; i < 3 * MAX; i++) {
		struct flow_id id = open_port(rig, 30000);
		struct flow_state *numbers = &published(rig, 30000)->slot->state;
		assert_int_equal(flows_stats(&rig->flows, id, &stats), 0);
		assert_int_equal(stats.packets, 0);
		counter_add(&numbers->packets, 5);
		flows_close(&rig->flows, id);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(only_ports_of_a_range_open_and_only_once),
		T(there_is_a_limit),
		T(stale_ids_are_refused),
		T(contradictions_are_refused),
		T(a_source_rule_that_changes_begins_another_epoch),
		T(nothing_goes_before_the_lcores_are_done),
		T(a_locked_source_is_read_back_for_its_epoch_only),
		T(a_named_source_lasts_as_long_as_its_epoch),
		T(keys_go_on_until_another_comes_and_may_come_back),
		T(room_for_ssrcs_is_made_where_it_is_short),
		T(a_new_tenant_finds_clean_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
