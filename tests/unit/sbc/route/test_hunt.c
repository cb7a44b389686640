/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/hunt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sbc/route/shared.h"
#include "tests/unit/sbc/dns/bench.h"

enum { PEERS = 3, SERVERS = 3 };

struct edge {
	struct bench dns;
	struct loop *loop;
	struct log log;
	struct random_system random;
	struct config config;
	struct config_interface interface;
	struct addr own;
	struct config_peer peers[PEERS];
	struct config_server servers[PEERS][SERVERS];
	struct worker worker;
	struct peers *table;
	struct hunter hunter;
	struct hunt hunt;
	unsigned int told;
	uint64_t context;
	int err;
};

static const char *const zone[] = {
	"_sip._udp.farm.example SRV 1 0 5070 a.farm.example",
	"_sip._udp.farm.example SRV 2 0 5070 b.farm.example",
	"a.farm.example A 198.51.100.1",
	"b.farm.example A 198.51.100.2",
	"other.example A 198.51.100.3",
	"inside.example A 10.0.0.20",
	"self.example A 192.0.2.10",
	"4.3.2.1.3.3.e164.arpa NAPTR 1 1 u E2U+sip !^.*$!sip:x@other.example! .",
	NULL};

static void on_hunt(void *owner, uint64_t context, int err)
{
	struct edge *edge = owner;
	edge->told++;
	edge->context = context;
	edge->err = err;
}

static void make_peer(struct edge *edge, int index, enum config_strategy strategy,
		      const char *const *hosts)
{
	struct config_peer *peer = &edge->peers[index];

	*peer = (struct config_peer){
		.name = "peer", .strategy = strategy, .servers = edge->servers[index]};
	for (int i = 0; i < SERVERS && hosts[i]; i++) {
		struct config_server *server = &edge->servers[index][i];
		server->host = hosts[i];
		server->weight = 1;
		if (addr_parse(slice_from(hosts[i]), 5060, &server->addr) != 0)
			server->addr.family = 0;
		peer->server_count++;
	}
}

static void edge_open(struct edge *edge)
{
	struct worker *worker = &edge->worker;
	struct guard_config guard = {.interface_count = 1, .sources_max = 64};
	struct guard_interface guarded = {.trusted = false};

	*edge = (struct edge){.log = {.level = LOG_ERROR, .fd = 2, .program = "test"}};
	bench_open(&edge->dns, zone);
	assert_int_equal(loop_create(&edge->loop), 0);
	random_system_init(&edge->random);
	assert_int_equal(addr_parse_ip(SLICE("192.0.2.10"), &edge->own), 0);
	edge->interface = (struct config_interface){
		.name = "wan", .addresses = &edge->own, .address_count = 1};
	make_peer(edge, 0, CONFIG_STRATEGY_FAILOVER,
		  (const char *const[]){"198.51.100.11", "198.51.100.12", NULL});
	make_peer(edge, 1, CONFIG_STRATEGY_ROUND_ROBIN,
		  (const char *const[]){"198.51.100.21", "198.51.100.22", "198.51.100.23"});
	make_peer(edge, 2, CONFIG_STRATEGY_FAILOVER, (const char *const[]){"farm.example", NULL});
	edge->config = (struct config){.interfaces = &edge->interface,
				       .interface_count = 1,
				       .peers = edge->peers,
				       .peer_count = PEERS};
	guard.interfaces = &guarded;
	*worker = (struct worker){.count = 1,
				  .loop = edge->loop,
				  .wheel = edge->dns.wheel,
				  .random = &edge->random.base,
				  .log = &edge->log,
				  .config = &edge->config,
				  .dns = edge->dns.dns};
	assert_int_equal(guard_create(&guard, &worker->guard), 0);
	struct transport_interface interfaces[1] = {{.name = "wan"}};
	struct transport_listener listener = {.interface = 0, .sent_by = "192.0.2.10:5060"};
	assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), 0, &listener.address), 0);
	struct transport_config transport = {.loop = edge->loop,
					     .log = &edge->log,
					     .interfaces = interfaces,
					     .interface_count = 1,
					     .listeners = &listener,
					     .listener_count = 1,
					     .datagram_max = 16384,
					     .stream_max = 65536,
					     .timers = transport_timers_default};
	assert_int_equal(transport_create(&transport, NULL, &worker->transport), 0);
	assert_int_equal(peers_create(worker, &edge->table), 0);
	edge->hunter = (struct hunter){
		.worker = worker, .peers = edge->table, .fn = on_hunt, .owner = edge};
}

static void edge_close(struct edge *edge)
{
	hunt_end(&edge->hunter, &edge->hunt);
	struct shared *shared = peers_shared(edge->table);
	for (int i = 0; i < PEERS; i++)
		assert_int_equal(atomic_load(&shared->peers[i].calls), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(atomic_load(&shared->servers[i].calls), 0);
	peers_destroy(edge->table);
	transport_destroy(edge->worker.transport);
	guard_destroy(edge->worker.guard);
	loop_destroy(edge->loop);
	bench_close(&edge->dns);
}

static void begin(struct edge *edge, const struct config_end *ends, size_t count)
{
	const struct config_route route = {.to = ends, .to_count = count};
	hunt_end(&edge->hunter, &edge->hunt);
	assert_int_equal(hunt_begin(&edge->hunt, &route), 0);
}

/* The address of the next target, or why there is none. */
static const char *next(struct edge *edge, const char *callee)
{
	static char text[ADDR_TEXT_SIZE];
	struct hunt_target target;

	int err = hunt_next(&edge->hunter, &edge->hunt, slice_from(callee), 77, &target);
	return err                                ? err_text(err)
	       : target.type == CONFIG_END_PHONES ? "phones"
						  : addr_text(&target.path.remote, text);
}

#define PEER(index)                                                                                \
	{                                                                                          \
		.type = CONFIG_END_PEER, .peer = (index)                                           \
	}

static void destinations_and_servers_in_order(void **state)
{
	static const struct config_end ends[] = {PEER(0), {.type = CONFIG_END_PHONES}, PEER(2)};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	begin(&edge, ends, 3);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.11:5060");
	assert_true(hunt_has_next(&edge.hunter, &edge.hunt));
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.12:5060");
	assert_string_equal(next(&edge, "sip:1@h"), "phones");
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.1:5070");
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.2:5070");
	assert_false(hunt_has_next(&edge.hunter, &edge.hunt));
	assert_string_equal(next(&edge, "sip:1@h"), err_text(-ERR_UNREACHABLE));
	assert_int_equal(edge.hunt.code, 503);
	edge_close(&edge);
}

static void round_robin_goes_on_and_fails_over(void **state)
{
	static const struct config_end ends[] = {PEER(1)};
	static const char *const order[] = {"198.51.100.21:5060", "198.51.100.22:5060",
					    "198.51.100.23:5060", "198.51.100.21:5060"};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	for (int i = 0; i < 4; i++) {
		begin(&edge, ends, 1);
		assert_string_equal(next(&edge, "sip:1@h"), order[i]);
	}
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.22:5060");
	edge_close(&edge);
}

static void a_failed_address_rests(void **state)
{
	static const struct config_end farm[] = {PEER(2)}, plain[] = {PEER(0)};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	begin(&edge, farm, 1);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.1:5070");
	hunt_failed(&edge.hunter, &edge.hunt, "test", 0);
	begin(&edge, farm, 1);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.2:5070");
	hunt_failed(&edge.hunter, &edge.hunt, "test", 0);
	begin(&edge, farm, 1); /* all rest: one may be back */
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.1:5070");
	bench_advance(&edge.dns, 10001);
	begin(&edge, farm, 1);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.1:5070");
	/* Retry-After: 20 */
	begin(&edge, plain, 1);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.11:5060");
	hunt_failed(&edge.hunter, &edge.hunt, "test", 20000);
	for (int i = 0; i < 3; i++) {
		bench_advance(&edge.dns, i < 2 ? 9000 : 2001);
		begin(&edge, plain, 1);
		assert_string_equal(next(&edge, "sip:1@h"),
				    i < 2 ? "198.51.100.12:5060" : "198.51.100.11:5060");
	}
	edge_close(&edge);
}

static void names_that_come_later(void **state)
{
	static const struct config_end ends[] = {{.type = CONFIG_END_DNS}, PEER(0)};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	edge.dns.later = true;
	begin(&edge, ends, 2);
	assert_string_equal(next(&edge, "sip:x@other.example"), err_text(-ERR_AGAIN));
	bench_answer(&edge.dns);
	assert_int_equal(edge.told, 1);
	assert_int_equal(hunt_number(edge.context), 77);
	assert_true(hunt_heard(&edge.hunt, edge.context, edge.err));
	assert_false(hunt_heard(&edge.hunt, edge.context, edge.err)); /* once */
	assert_string_equal(next(&edge, "sip:x@other.example"), "198.51.100.3:5060");
	assert_string_equal(next(&edge, "sip:x@other.example"), "198.51.100.11:5060");
	/* Silence: the next destination. */
	edge.dns.silent = "silent.example";
	begin(&edge, ends, 2);
	assert_string_equal(next(&edge, "sip:x@silent.example:5060"), err_text(-ERR_AGAIN));
	bench_advance(&edge.dns, 4001);
	assert_true(hunt_heard(&edge.hunt, edge.context, edge.err));
	assert_string_equal(next(&edge, "sip:x@silent.example:5060"), "198.51.100.11:5060");
	edge_close(&edge);
}

static void names_lead_nowhere_they_should_not(void **state)
{
	static const struct config_end ends[] = {{.type = CONFIG_END_DNS}};
	static const char *const callees[] = {"sip:x@inside.example", "sip:x@self.example",
					      "sip:x@127.0.0.1", "sip:x@10.0.0.20",
					      "sip:x@no.example"};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	for (size_t i = 0; i < sizeof(callees) / sizeof(callees[0]); i++) {
		begin(&edge, ends, 1);
		assert_string_equal(next(&edge, callees[i]), err_text(-ERR_UNREACHABLE));
		assert_int_equal(edge.hunt.code, 404);
	}
	begin(&edge, ends, 1);
	assert_string_equal(next(&edge, "tel:+331234"), err_text(-ERR_UNREACHABLE));
	assert_int_equal(edge.hunt.code, 416);
	edge_close(&edge);
}

static void numbers_lead_to_uris(void **state)
{
	static const struct config_end ends[] = {{.type = CONFIG_END_ENUM, .suffix = "e164.arpa"},
						 PEER(0)};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	begin(&edge, ends, 2);
	assert_string_equal(next(&edge, "sip:+33-1234@h"), "198.51.100.3:5060");
	assert_string_equal(next(&edge, "sip:+33-1234@h"), "198.51.100.11:5060");
	begin(&edge, ends, 2);
	assert_string_equal(next(&edge, "sip:alice@h"), "198.51.100.11:5060");
	edge_close(&edge);
}

static void a_persons_decision_stands(void **state)
{
	static const struct config_end ends[] = {PEER(0)};
	static const struct config_failover list[] = {{.first_code = 400, .last_code = 699}};
	struct edge edge;
	(void)state;

	edge_open(&edge);
	edge.peers[0].failover = list;
	edge.peers[0].failover_count = 1;
	begin(&edge, ends, 1);
	(void)next(&edge, "sip:1@h");
	for (unsigned int status = 100; status < 700; status++)
		assert_int_equal(hunt_moves_on(&edge.hunter, &edge.hunt, status),
				 status >= 400 && status < 600 && status != 486 && status != 487);
	edge_close(&edge);
}

static void limits_of_a_peer(void **state)
{
	static const struct config_end ends[] = {PEER(0), PEER(1)};
	struct edge edge;
	struct hunt first;
	(void)state;

	edge_open(&edge);
	edge.peers[0].limits.calls = 1;
	begin(&edge, ends, 2);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.11:5060");
	first = edge.hunt;
	edge.hunt = (struct hunt){.peer = -1};
	begin(&edge, ends, 2);
	assert_string_equal(next(&edge, "sip:1@h"), "198.51.100.21:5060");
	assert_true(edge.hunt.is_busy);
	hunt_end(&edge.hunter, &edge.hunt);
	edge.hunt = first;
	hunt_settle(&edge.hunt); /* answered: it still counts */
	assert_int_equal(atomic_load(&peers_shared(edge.table)->peers[0].calls), 1);
	edge_close(&edge);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations_and_servers_in_order),
		cmocka_unit_test(round_robin_goes_on_and_fails_over),
		cmocka_unit_test(a_failed_address_rests),
		cmocka_unit_test(names_that_come_later),
		cmocka_unit_test(names_lead_nowhere_they_should_not),
		cmocka_unit_test(numbers_lead_to_uris),
		cmocka_unit_test(a_persons_decision_stands),
		cmocka_unit_test(limits_of_a_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
