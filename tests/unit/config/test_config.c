/* The shortest file and its defaults; what depends on roles, devices and the machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

static const char *ip(const struct addr *addr)
{
	static char text[ADDR_TEXT_SIZE];

	return addr->port ? addr_text(addr, text) : addr_ip_text(addr, text);
}

static void the_shortest_file_has_every_default(void **state)
{
	struct loaded *loaded = bench_fine(BENCH_SHORTEST);
	const struct config *config = &loaded->file.public;
	const struct config_interface *lan = &config->interfaces[0], *wan = &config->interfaces[1];

	(void)state;
	assert_string_equal(config->path, "test.yaml");
	assert_int_equal(config->interface_count, 2);
	assert_string_equal(lan->name, "lan");
	assert_true(lan->trusted);
	assert_false(wan->trusted);
	assert_int_equal(lan->listener_count, 2);
	assert_string_equal(ip(&lan->listeners[0].addr), "10.0.0.1:5060");
	assert_string_equal(lan->listeners[0].name, "udp/5060");
	assert_int_equal(lan->listeners[0].transport, CONFIG_UDP);
	assert_int_equal(lan->listeners[1].transport, CONFIG_TCP);
	assert_int_equal(wan->media.ports[0].first, 20000);
	assert_int_equal(wan->media.ports[0].last, 29999);
	assert_int_equal(wan->media.idle_timeout_ms, 60000);
	assert_int_equal(wan->media.source, CONFIG_SOURCE_LEARN_ONCE);
	assert_int_equal(wan->media.dscp, 46);
	assert_int_equal(wan->send, CONFIG_SEND_AUTO);
	assert_int_equal(wan->send_replies, CONFIG_REPLIES_SAME);
	assert_null(wan->advertise_host);
	assert_false(addr_is_set(&wan->advertise_addr));

	assert_int_equal(config->peer_count, 1);
	assert_int_equal(config->peers[0].interface, 0);
	assert_int_equal(config->peers[0].server_count, 1);
	assert_string_equal(ip(&config->peers[0].servers[0].addr), "10.0.0.20:5060");
	assert_int_equal(config->peers[0].accept_from_count, 1);
	assert_int_equal(config->peers[0].accept_from[0].bits, 32);
	assert_true(config->peers[0].identity_trusted);
	assert_int_equal(config->peers[0].ping_ms, 0);
	loaded_destroy(loaded);
}

static void the_shortest_file_implies_phones_and_routes(void **state)
{
	struct loaded *loaded = bench_fine(BENCH_SHORTEST);
	const struct config *config = &loaded->file.public;

	(void)state;
	assert_int_equal(config->phones_count, 1);
	assert_int_equal(config->phones[0].from, 1);
	assert_int_equal(config->phones[0].registrar, 0);
	assert_int_equal(config->phones[0].contacts, 10);
	assert_true(config->phones[0].implicit);
	assert_int_equal(config->route_count, 2);
	assert_int_equal(config->routes[0].from[0].type, CONFIG_END_PHONES);
	assert_int_equal(config->routes[0].to[0].type, CONFIG_END_PEER);
	assert_false(config->routes[0].registered);
	assert_int_equal(config->routes[1].from[0].type, CONFIG_END_PEER);
	assert_int_equal(config->routes[1].to[0].type, CONFIG_END_PHONES);
	assert_true(config->routes[1].registered);
	assert_true(config->routes[1].implicit);
	loaded_destroy(loaded);
}

static void the_rest_has_defaults_of_file_and_machine(void **state)
{
	struct loaded *loaded = bench_fine(BENCH_SHORTEST);
	const struct config *config = &loaded->file.public;

	(void)state;
	assert_int_equal(config->relay.control_count, 1);
	assert_string_equal(config->relay.control[0].text, "udp/127.0.0.1:2223");
	assert_int_equal(config->relay.listen_count, 1);
	assert_int_equal(config->relay.timeout_ms, 500);
	assert_int_equal(config->state.store, CONFIG_STORE_MEMORY);
	assert_int_equal(config->state.wait_ms, 20);
	assert_string_equal(config->stats.socket, "/run/postern/stats.sock");
	assert_string_equal(config->stats.relay_socket, "/run/postern/relay.sock");
	assert_int_equal(config->dataplane.core_count, 1);
	assert_int_equal(config->dataplane.cores[0], 1);
	assert_int_equal(config->dataplane.batch_us, 1000);
	assert_int_equal(config->dataplane.driver, CONFIG_DRIVER_AUTO);
	assert_int_equal(config->workers, 1);
	assert_string_equal(config->node, "edge");
	assert_int_equal(config->log_level, LOG_INFO);
	assert_string_equal(config->user, "nobody");
	loaded_destroy(loaded);
}

static void limits_follow_from_the_role(void **state)
{
	struct loaded *loaded = bench_fine(BENCH_SHORTEST);
	const struct config_limits *lan = &loaded->file.public.interfaces[0].limits;
	const struct config_limits *wan = &loaded->file.public.interfaces[1].limits;

	(void)state;
	assert_int_equal(lan->calls, 0);
	assert_int_equal(lan->setup_rate.count, 0);
	assert_int_equal(lan->per_source.connections, 0);
	assert_int_equal(wan->calls, 5000);
	assert_int_equal(wan->setup_rate.count, 200);
	assert_int_equal(wan->setup_rate.period_ms, 1000);
	assert_int_equal(wan->per_source.register_rate.count, 20);
	assert_int_equal(wan->per_source.connections, 64);
	loaded_destroy(loaded);
}

static void a_device_stands_for_its_addresses(void **state)
{
	struct loaded *loaded = bench_fine(
		"interfaces:\n  lan: {role: trusted, address: lan0}\n  wan: {address: wan0}\n"
		"peers: {pbx: {interface: lan, address: \"[2001:db8::20]\"}}\n");
	const struct config_interface *lan = &loaded->file.public.interfaces[0];

	(void)state;
	assert_string_equal(lan->device, "lan0");
	assert_int_equal(lan->address_count, 2);
	assert_int_equal(lan->listener_count, 4);
	assert_string_equal(lan->listeners[2].name, "udp/5060/2");
	assert_string_equal(ip(&lan->listeners[2].addr), "[2001:db8::1]:5060");
	loaded_destroy(loaded);
}

static void advertising_takes_name_and_address(void **state)
{
	struct loaded *loaded =
		bench_fine("interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n"
			   "  wan: {address: 192.0.2.10, advertise: sbc.example.com/203.0.113.10}\n"
			   "peers: {pbx: {interface: lan, address: 10.0.0.20}}\n");
	const struct config_interface *wan = &loaded->file.public.interfaces[1];

	(void)state;
	assert_string_equal(wan->advertise_host, "sbc.example.com");
	assert_string_equal(ip(&wan->advertise_addr), "203.0.113.10");
	loaded_destroy(loaded);
}

static void routes_in_the_file_say_everything(void **state)
{
	struct loaded *loaded = bench_fine(
		BENCH_WAN "peers:\n  pbx: {interface: lan, address: 10.0.0.20}\n"
			  "  carrier: {interface: wan, address: 198.51.100.7, accept-from: "
			  "198.51.100.0/24}\n"
			  "routes:\n  - {from: pbx, number: [\"+*\", \"112\"], to: carrier}\n"
			  "  - {name: inbound, from: carrier, to: pbx}\n");
	const struct config *config = &loaded->file.public;

	(void)state;
	assert_int_equal(config->phones_count, 0);
	assert_int_equal(config->route_count, 2);
	assert_string_equal(config->routes[0].name, "1");
	assert_string_equal(config->routes[1].name, "inbound");
	assert_int_equal(config->routes[0].number_count, 2);
	assert_true(config_number_matches(&config->routes[0].numbers[0], SLICE("+33123")));
	assert_false(config_number_matches(&config->routes[0].numbers[0], SLICE("33123")));
	assert_true(config_number_matches(&config->routes[0].numbers[1], SLICE("112")));
	assert_false(config_number_matches(&config->routes[0].numbers[1], SLICE("1123")));
	assert_int_equal(config->peers[1].accept_from_count, 2);
	assert_int_equal(config->peers[1].accept_from[1].bits, 24);
	assert_false(config->peers[1].identity_trusted);
	assert_int_equal(config_find_peer(config, SLICE("carrier")), 1);
	assert_int_equal(config_find_peer(config, SLICE("carrie")), -1);
	assert_int_equal(config_find_interface(config, SLICE("wan")), 1);
	loaded_destroy(loaded);
}

static void phones_in_the_file_imply_their_routes(void **state)
{
	struct loaded *loaded = bench_fine(
		BENCH_SHORTEST
		"phones: [{from: wan, registrar: pbx, domains: example.com, contacts: 3}]\n");
	const struct config *config = &loaded->file.public;

	(void)state;
	assert_int_equal(config->phones_count, 1);
	assert_false(config->phones[0].implicit);
	assert_int_equal(config->phones[0].domain_count, 1);
	assert_string_equal(config->phones[0].domains[0], "example.com");
	assert_int_equal(config->phones[0].contacts, 3);
	assert_int_equal(config->route_count, 2);
	loaded_destroy(loaded);
}

static void an_empty_list_of_phones_turns_them_off(void **state)
{
	struct buf findings;

	(void)state;
	buf_init(&findings);
	struct loaded *loaded = bench_load(BENCH_SHORTEST "phones: []\n", &findings);
	assert_non_null(loaded);
	assert_int_equal(loaded->file.public.phones_count, 0);
	assert_int_equal(loaded->file.public.route_count, 0);
	loaded_destroy(loaded);
	buf_free(&findings);
}

static void a_relay_elsewhere_is_not_ours_to_run(void **state)
{
	struct loaded *loaded = bench_fine(
		BENCH_SHORTEST "relay: {control: [udp/10.0.0.9:2223, unix:/run/ng.sock]}\n");
	const struct config_relay *relay = &loaded->file.public.relay;

	(void)state;
	assert_int_equal(relay->control_count, 2);
	assert_int_equal(relay->listen_count, 1);
	assert_int_equal(relay->listen[0].transport, CONFIG_UNIX);
	assert_string_equal(relay->listen[0].path, "/run/ng.sock");
	loaded_destroy(loaded);
	loaded = bench_fine(BENCH_SHORTEST "relay: {listen: []}\n");
	assert_int_equal(loaded->file.public.relay.listen_count, 0);
	assert_int_equal(loaded->file.public.relay.control_count, 1);
	loaded_destroy(loaded);
}

static void redis_takes_its_password_from_the_environment(void **state)
{
	struct loaded *loaded = bench_fine(
		BENCH_SHORTEST "state: {store: redis, servers: \"[2001:db8::5]:6380\", user: sbc, "
			       "password: !env REDIS_PASSWORD, database: 3, wait: 5ms}\n");
	const struct config_state *state_config = &loaded->file.public.state;

	(void)state;
	assert_int_equal(state_config->store, CONFIG_STORE_REDIS);
	assert_string_equal(ip(&state_config->server.addr), "[2001:db8::5]:6380");
	assert_string_equal(state_config->password, "hunter2");
	assert_string_equal(state_config->user, "sbc");
	assert_int_equal(state_config->database, 3);
	assert_int_equal(state_config->wait_ms, 5);
	loaded_destroy(loaded);
}

static void the_dataplane_is_as_written(void **state)
{
	struct loaded *loaded = bench_fine(
		BENCH_SHORTEST "dataplane: {cores: [0, 1], driver: 0000:03:00.1, hugepages: "
			       "require, batch: off}\nworkers: 4\nlog: {level: debug}\n"
			       "user: sip\nnode: {name: sbc-1}\n");
	const struct config *config = &loaded->file.public;

	(void)state;
	assert_int_equal(config->dataplane.core_count, 2);
	assert_int_equal(config->dataplane.driver, CONFIG_DRIVER_PCI);
	assert_string_equal(config->dataplane.pci_address, "0000:03:00.1");
	assert_int_equal(config->dataplane.hugepages, CONFIG_HUGEPAGES_REQUIRE);
	assert_int_equal(config->dataplane.batch_us, 0);
	assert_int_equal(config->workers, 4);
	assert_int_equal(config->log_level, LOG_DEBUG);
	assert_string_equal(config->user, "sip");
	assert_string_equal(config->node, "sbc-1");
	loaded_destroy(loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shortest_file_has_every_default),
		cmocka_unit_test(the_shortest_file_implies_phones_and_routes),
		cmocka_unit_test(the_rest_has_defaults_of_file_and_machine),
		cmocka_unit_test(limits_follow_from_the_role),
		cmocka_unit_test(a_device_stands_for_its_addresses),
		cmocka_unit_test(advertising_takes_name_and_address),
		cmocka_unit_test(routes_in_the_file_say_everything),
		cmocka_unit_test(phones_in_the_file_imply_their_routes),
		cmocka_unit_test(an_empty_list_of_phones_turns_them_off),
		cmocka_unit_test(a_relay_elsewhere_is_not_ours_to_run),
		cmocka_unit_test(redis_takes_its_password_from_the_environment),
		cmocka_unit_test(the_dataplane_is_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
