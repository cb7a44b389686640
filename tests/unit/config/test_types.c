/* How each kind of value is written, and what is said of one that is not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <stdio.h>

#define REST                                                                                       \
	"\npeers: {pbx: {interface: lan, address: 10.0.0.20}}\nroutes: [{from: pbx, to: pbx}]\n"
/* A key of the interface, alone on line 3; its value begins in column 5 + its length + 2. */
#define INTERFACE(line) "interfaces:\n  lan: {role: trusted, address: 10.0.0.1,\n    " line "}" REST
/* A key of the file, on line 2. */
#define FILE_KEY(line) BENCH_LAN line REST
/* A key of the peer, on line 3. */
#define PEER(line)                                                                                 \
	BENCH_LAN "peers: {pbx: {interface: lan,\n  " line "}}\nroutes: [{from: pbx, to: pbx}]\n"

static uint32_t ping_ms(const char *text)
{
	struct loaded *loaded = bench_fine(text);
	uint32_t ms = loaded->file.public.peers[0].ping_ms;

	loaded_destroy(loaded);
	return ms;
}

static void durations_have_units(void **state)
{
	(void)state;
	assert_int_equal(ping_ms(PEER("address: 10.0.0.2, ping: 1500ms")), 1500);
	assert_int_equal(ping_ms(PEER("address: 10.0.0.2, ping: 30s")), 30000);
	assert_int_equal(ping_ms(PEER("address: 10.0.0.2, ping: 10m")), 600000);
	assert_int_equal(ping_ms(PEER("address: 10.0.0.2, ping: 1h")), 3600000);
	assert_int_equal(ping_ms(PEER("address: 10.0.0.2, ping: off")), 0);
	bench_refused(PEER("ping: 30, address: 10.0.0.2"),
		      "test.yaml:3:9: 30 has no unit: write 30s or 30ms\n");
	bench_refused(PEER("ping: 2h, address: 10.0.0.2"),
		      "test.yaml:3:9: 2h is too large: ping may be at most 1h\n");
	bench_refused(PEER("ping: 5 s, address: 10.0.0.2"),
		      "test.yaml:3:9: \"5 s\" is no duration: write 500ms, 30s, 10m or 2h\n");
	bench_refused(PEER("ping: 1500us, address: 10.0.0.2"),
		      "test.yaml:3:9: 1500us is too fine: whole milliseconds, please\n");
	bench_refused(FILE_KEY("state: {wait: off}"),
		      "test.yaml:2:15: \"off\" is no duration: write 500ms, 30s, 10m or 2h\n");
}

static struct config_rate setup_rate(const char *text)
{
	struct loaded *loaded = bench_fine(text);
	struct config_rate rate = loaded->file.public.interfaces[0].limits.setup_rate;

	loaded_destroy(loaded);
	return rate;
}

static void rates_are_counts_in_a_period(void **state)
{
	struct config_rate rate = setup_rate(INTERFACE("limits: {setup-rate: 40/s}"));

	(void)state;
	assert_int_equal(rate.count, 40);
	assert_int_equal(rate.period_ms, 1000);
	rate = setup_rate(INTERFACE("limits: {setup-rate: 10/30s}"));
	assert_int_equal(rate.count, 10);
	assert_int_equal(rate.period_ms, 30000);
	rate = setup_rate(INTERFACE("limits: {setup-rate: 100/m}"));
	assert_int_equal(rate.period_ms, 60000);
	rate = setup_rate(INTERFACE("limits: {setup-rate: off}"));
	assert_int_equal(rate.count, 0);
	bench_refused(INTERFACE("limits: {setup-rate: 40}"),
		      "test.yaml:3:26: \"40\" is no rate: write 40/s, 100/m, 10/30s or off\n");
	bench_refused(INTERFACE("limits: {setup-rate: 0/s}"), "test.yaml:3:26: \"0/s\" is no rate");
	bench_refused(INTERFACE("limits: {setup-rate: 5/x}"), "test.yaml:3:26: \"5/x\" is no rate");
	bench_refused(INTERFACE("limits: {setup-rate: 5/2h}"),
		      "test.yaml:3:26: \"5/2h\" is no rate");
}

static void media_ports_are_whole_pairs(void **state)
{
	struct loaded *loaded = bench_fine(INTERFACE("media: {ports: 20001-30000}"));

	(void)state;
	assert_int_equal(loaded->file.public.interfaces[0].media.ports[0].first, 20002);
	assert_int_equal(loaded->file.public.interfaces[0].media.ports[0].last, 29999);
	loaded_destroy(loaded);
	bench_refused(INTERFACE("media: {ports: 20000}"),
		      "test.yaml:3:20: \"20000\" is no range of ports: write 20000-29999\n");
	bench_refused(INTERFACE("media: {ports: 20000-70000}"), "is no range of ports");
	bench_refused(INTERFACE("media: {ports: 30000-20000}"),
		      "test.yaml:3:20: the range is upside down: write 20000-30000\n");
	bench_refused(INTERFACE("media: {ports: 512-2048}"),
		      "test.yaml:3:20: media ports below 1024 belong to services");
	bench_refused(INTERFACE("media: {ports: 20000-20002}"),
		      "test.yaml:3:20: a call takes two ports on each side");
	bench_refused(INTERFACE("media: {ports: 65535-65535}"), "a call takes two ports");
}

static void dscp_has_names_and_numbers(void **state)
{
	static const struct {
		const char *text;
		uint8_t code;
	} rows[] = {
		{INTERFACE("media: {dscp: ef}"), 46},   {INTERFACE("media: {dscp: cs3}"), 24},
		{INTERFACE("media: {dscp: af41}"), 34}, {INTERFACE("media: {dscp: 63}"), 63},
		{INTERFACE("media: {dscp: 0}"), 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loaded *loaded = bench_fine(rows[i].text);
		assert_int_equal(loaded->file.public.interfaces[0].media.dscp, rows[i].code);
		loaded_destroy(loaded);
	}
	bench_refused(INTERFACE("media: {dscp: af44}"), "test.yaml:3:19: \"af44\" is no DSCP");
	bench_refused(INTERFACE("media: {dscp: 64}"), "test.yaml:3:19: \"64\" is no DSCP");
}

static void limits_are_numbers_or_off(void **state)
{
	(void)state;
	loaded_destroy(bench_fine(INTERFACE("limits: {calls: off}")));
	bench_refused(INTERFACE("limits: {calls: -1}"),
		      "test.yaml:3:21: \"-1\" is no limit: write a whole number, or off\n");
	bench_refused(INTERFACE("limits: {calls: 99999999999999999999}"), "is no limit");
	bench_refused(
		INTERFACE("limits: {calls: 1000001}"),
		"test.yaml:3:21: 1000001 is too large: limits.calls may be at most 1000000\n");
}

static void addresses_of_an_interface_are_this_machines(void **state)
{
	(void)state;
	bench_refused("interfaces: {wan: {address: 0.0.0.0}}",
		      "test.yaml:1:29: 0.0.0.0 is everywhere: name one address");
	bench_refused("interfaces: {wan: {address: 224.0.1.75}}",
		      "test.yaml:1:29: 224.0.1.75 is a multicast group");
	bench_refused(
		"interfaces: {wan: {address: wan1}}",
		"test.yaml:1:29: this machine has no device \"wan1\" (did you mean \"wan0\"?)\n");
	bench_refused("interfaces: {wan: {address: bare0}}",
		      "test.yaml:1:29: device \"bare0\" has no address (ip addr add");
	bench_refused("interfaces: {wan: {address: []}}", "test.yaml:1:29: address is empty");
	bench_refused("interfaces: {wan: {address: [[1]]}}",
		      "test.yaml:1:30: address takes no list inside a list\n");
	bench_warned("interfaces: {wan: {address: [203.0.113.10, 203.0.113.10], role: trusted}}\n"
		     "peers: {pbx: {interface: wan, address: 203.0.113.20}}\n",
		     "test.yaml:1:44: warning: this address is here a second time\n");
}

static void listeners_are_transport_and_port(void **state)
{
	(void)state;
	bench_refused(INTERFACE("listen: [udp/5060, wss/443]"),
		      "test.yaml:3:24: wss needs a certificate: interface \"lan\" has none\n");
	bench_refused(INTERFACE("listen: udp/0"),
		      "test.yaml:3:13: \"udp/0\" is no transport and port");
	bench_refused(INTERFACE("listen: 5060"),
		      "test.yaml:3:13: \"5060\" is no transport and port");
	bench_refused(INTERFACE("listen: {udp: 5060}"),
		      "test.yaml:3:13: listen takes no keys of its own");
}

static void servers_are_addresses_or_uris(void **state)
{
	struct loaded *loaded =
		bench_fine("interfaces: {lan: {role: trusted, address: lan0}}\n"
			   "peers: {pbx: {interface: lan, servers: [10.0.0.20, \"10.0.0.21:5070\", "
			   "\"[2001:db8::2]:5080\", \"sip:10.0.0.23:5081;transport=tcp\"]}}\n"
			   "routes: [{from: pbx, to: pbx}]\n");
	const struct config_peer *peer = &loaded->file.public.peers[0];
	static const uint16_t ports[] = {5060, 5070, 5080, 5081};

	(void)state;
	assert_int_equal(peer->server_count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(peer->servers[i].addr.port, ports[i]);
	assert_int_equal(peer->servers[2].addr.family, AF_INET6);
	assert_int_equal(peer->servers[2].transport, CONFIG_SEND_AUTO);
	assert_int_equal(peer->servers[3].transport, CONFIG_SEND_TCP);
	loaded_destroy(loaded);
}

static void server_mistakes_are_named(void **state)
{
	(void)state;
	bench_refused(PEER("address: pbx..example.com"),
		      "test.yaml:3:12: \"pbx..example.com\" is no server");
	bench_refused(PEER("address: \"sips:10.0.0.20\""),
		      "test.yaml:3:13: 10.0.0.20:5061 cannot be reached: interface \"lan\" has no "
		      "TLS IPv4 listener\n");
	bench_refused(PEER("address: \"sip:10.0.0.20;weight=0\""),
		      "test.yaml:3:13: \"weight=0\" means nothing here");
	bench_refused(PEER("address: \"sip:10.0.0.20;transport=sctp\""),
		      "\"transport=sctp\" means nothing here");
	bench_refused(PEER("address: 10.0.0.20:99999"),
		      "test.yaml:3:12: \"10.0.0.20:99999\" is no server");
	bench_refused(PEER("address: 10.0.0.20:0"), "is no machine's address and port");
	bench_refused(PEER("address: 0.0.0.0"), "is no machine's address and port");
	bench_refused(PEER("address: [10.0.0.20]"),
		      "test.yaml:3:12: address takes no list: write one");
	bench_refused(PEER("servers: []"), "test.yaml:3:12: servers is empty");
}

static void networks_are_told_from_hosts(void **state)
{
	(void)state;
	bench_warned(PEER("address: 10.0.0.20, accept-from: [10.1.0.5/16]"),
		     "test.yaml:3:37: warning: \"10.1.0.5/16\" is a host inside the network "
		     "10.1.0.0/16");
	bench_refused(PEER("address: 10.0.0.20, accept-from: 10.1.0.0/33"),
		      "test.yaml:3:36: \"10.1.0.0/33\" is no network");
}

static void advertised_names_are_host_names(void **state)
{
	(void)state;
	loaded_destroy(bench_fine(INTERFACE("advertise: 203.0.113.10")));
	loaded_destroy(bench_fine(INTERFACE("advertise: sbc.example.com")));
	bench_refused(INTERFACE("advertise: sbc_1.example.com"), "test.yaml:3:16: ");
	bench_refused(INTERFACE("advertise: sbc.example.com/x"),
		      "is no name or address to advertise");
	bench_refused(INTERFACE("advertise: 203.0.113.300"), "is no name or address to advertise");
}

static void choices_name_all_words(void **state)
{
	(void)state;
	bench_refused(
		INTERFACE("send: tpc"),
		"test.yaml:3:11: \"tpc\" is none of the values of send (did you mean \"tcp\"?)\n");
	bench_refused(INTERFACE("send: pigeon"), "      = send takes: auto, udp, tcp, tls\n");
	bench_refused(
		INTERFACE("send: tls"),
		"test.yaml:3:11: send: tls needs a TLS listener on interface \"lan\" (listen: "
		"[tls/5061])\n");
	bench_refused(INTERFACE("send: !file x"), "test.yaml:3:17: !file has no use here");
	bench_refused(INTERFACE("send:"), "send has no value");
}

static void secrets_are_never_shown(void **state)
{
	struct buf findings;

	(void)state;
	buf_init(&findings);
	assert_null(bench_load(FILE_KEY("state: {password: hunter2, stroe: redis}"), &findings));
	assert_null(strstr(findings.data, "hunter2"));
	assert_non_null(strstr(findings.data, "test.yaml:2:19: a secret is not written here"));
	buf_clear(&findings);
	/* on a line of its own */
	assert_null(bench_load(FILE_KEY("state:\n  password:\n    hunter2"), &findings));
	assert_null(strstr(findings.data, "hunter2"));
	assert_non_null(strstr(findings.data, "test.yaml:4:5: a secret is not written here"));
	buf_clear(&findings);
	/* too broken to have a tree */
	assert_null(bench_load(FILE_KEY("state: {password: \"hunter2\", [}"), &findings));
	assert_null(strstr(findings.data, "hunter2"));
	buf_free(&findings);
	bench_refused(FILE_KEY("state: {password: !env NOT_SET}"),
		      "test.yaml:2:24: the environment has no NOT_SET\n");
	bench_refused(
		FILE_KEY("state: {password: !file /no/such/file}"),
		"test.yaml:2:25: cannot read the file /no/such/file: No such file or directory\n");
	bench_refused(FILE_KEY("state: {password: !file /dev/null}"),
		      "cannot read the file /dev/null: not a plain file\n");
}

static void control_and_store_have_their_forms(void **state)
{
	(void)state;
	bench_refused(FILE_KEY("relay: {control: [127.0.0.1:2223]}"),
		      "test.yaml:2:19: \"127.0.0.1:2223\" is no place to speak NG at: write udp/");
	bench_refused(FILE_KEY("relay: {control: udp/127.0.0.1}"), "is no place to speak NG at");
	bench_refused(FILE_KEY("relay: {control: unix:ng.sock}"), "is no place to speak NG at");
	bench_refused(
		FILE_KEY("state: {store: redis, servers: redis.local}"),
		"test.yaml:2:32: \"redis.local\" is no Redis server: write 10.0.0.5:6379 or unix:");
	bench_refused(FILE_KEY("state: {store: redis}"),
		      "test.yaml:2:16: store: redis needs its server (servers: [10.0.0.5:6379])\n");
	bench_warned(FILE_KEY("state: {servers: 10.0.0.5}"), "state.servers is not used");
	bench_refused(FILE_KEY("stats: {socket: stats.sock}"),
		      "test.yaml:2:17: \"stats.sock\" is no path: write one that begins with /\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(rates_are_counts_in_a_period),
		cmocka_unit_test(media_ports_are_whole_pairs),
		cmocka_unit_test(dscp_has_names_and_numbers),
		cmocka_unit_test(limits_are_numbers_or_off),
		cmocka_unit_test(addresses_of_an_interface_are_this_machines),
		cmocka_unit_test(listeners_are_transport_and_port),
		cmocka_unit_test(servers_are_addresses_or_uris),
		cmocka_unit_test(server_mistakes_are_named),
		cmocka_unit_test(networks_are_told_from_hosts),
		cmocka_unit_test(advertised_names_are_host_names),
		cmocka_unit_test(choices_name_all_words),
		cmocka_unit_test(secrets_are_never_shown),
		cmocka_unit_test(control_and_store_have_their_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
