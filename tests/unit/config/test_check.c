/* What two values say together: clashes, destinations out of reach, routes and peers of no use.
 * The errors among them are in broken/; here are the warnings, and what must not be one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#define TRUNK                                                                                      \
	BENCH_WAN "peers:\n  pbx: {interface: lan, address: 10.0.0.20}\n"                          \
		  "  carrier: {interface: wan, address: 198.51.100.7}\n"

static void a_shadowed_route_is_named_with_its_shadow(void **state)
{
	(void)state;
	bench_warned(
		TRUNK "routes:\n  - {from: pbx, number: \"0*\", to: carrier}\n"
		      "  - {name: paris, from: pbx, number: [\"01*\", \"0800\"], to: carrier}\n"
		      "  - {from: carrier, to: pbx}\n",
		"test.yaml:9:12: warning: route \"paris\" is never reached: route \"1\" before it "
		"takes all of its calls\n");
	/* one number of it is not in the shadow */
	loaded_destroy(bench_fine(TRUNK "routes:\n  - {from: pbx, number: \"0*\", to: carrier}\n"
					"  - {from: pbx, number: [\"01*\", \"112\"], to: carrier}\n"
					"  - {from: carrier, to: pbx}\n"));
	/* a whole number does not cover a beginning */
	loaded_destroy(bench_fine(TRUNK "routes:\n  - {from: pbx, number: \"01\", to: carrier}\n"
					"  - {from: pbx, number: \"01*\", to: carrier}\n"
					"  - {from: carrier, to: pbx}\n"));
}

static void a_registered_route_shadows_none_that_is_not(void **state)
{
	(void)state;
	loaded_destroy(bench_fine(
		TRUNK "phones: [{from: wan, registrar: pbx}]\nroutes:\n"
		      "  - {from: pbx, registered: true, to: phones}\n"
		      "  - {from: pbx, to: carrier}\n  - {from: [carrier, phones], to: pbx}\n"));
	bench_warned(
		TRUNK
		"phones: [{from: wan, registrar: pbx}]\nroutes:\n  - {from: pbx, to: carrier}\n"
		"  - {from: pbx, registered: true, to: phones}\n"
		"  - {from: [carrier, phones], to: pbx}\n",
		"test.yaml:10:5: warning: route \"2\" is never reached");
}

static void unused_peers_and_interfaces_are_named(void **state)
{
	(void)state;
	bench_warned(TRUNK, "test.yaml:6:3: warning: peer \"carrier\" is not used");
	bench_warned(BENCH_WAN
		     "  dmz: {address: 192.0.2.1}\npeers: {pbx: {interface: lan, address: "
		     "10.0.0.20}}\nphones: [{from: wan, registrar: pbx}]\n",
		     "test.yaml:4:3: warning: interface \"dmz\" is not used");
}

static void one_advertised_address_stands_for_one(void **state)
{
	(void)state;
	bench_refused("interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n"
		      "  wan: {address: 192.0.2.10, advertise: 203.0.113.10, media: {addresses: "
		      "[192.0.2.11, 192.0.2.12]}}\n"
		      "peers: {pbx: {interface: lan, address: 10.0.0.20}}\n",
		      "test.yaml:3:41: interface \"wan\" has 2 IPv4 addresses for media");
}

static void several_registrars_are_no_default(void **state)
{
	(void)state;
	bench_warned(BENCH_SHORTEST "  pbx2: {interface: lan, address: 10.0.0.21}\n",
		     "test.yaml:6:3: warning: 2 peers are on trusted interfaces");
	bench_warned(BENCH_SHORTEST
		     "  pbx2: {interface: lan, address: 10.0.0.21}\n"
		     "phones: [{from: wan, registrar: pbx, domains: a.example}, {from: wan, "
		     "registrar: pbx2}]\n",
		     "test.yaml:7:82: warning: phones have several registrars");
}

static void phones_of_a_domain_come_before_phones_of_any(void **state)
{
	(void)state;
	bench_warned(BENCH_SHORTEST "phones:\n  - {from: wan, registrar: pbx}\n"
				    "  - {from: wan, registrar: pbx, domains: a.example}\n",
		     "test.yaml:8:5: warning: never used: the entry before takes every domain");
	bench_warned(BENCH_SHORTEST "phones: [{from: lan, registrar: pbx}]\n",
		     "warning: the registrar is on the phones' own interface");
}

static void a_source_of_two_peers_is_named(void **state)
{
	(void)state;
	bench_warned(
		TRUNK "  other: {interface: wan, address: 192.0.2.1, accept-from: "
		      "198.51.100.0/24}\nroutes: [{from: [pbx, carrier, other], to: pbx}]\n",
		"test.yaml:7:60: warning: requests from 198.51.100.0/24 are also those of peer "
		"\"carrier\"");
	/* the same address on another interface is another host */
	loaded_destroy(bench_fine(TRUNK "  other: {interface: lan, address: 198.51.100.7}\n"
					"routes: [{from: [pbx, carrier, other], to: pbx}]\n"));
}

static void limits_out_of_reach_are_named(void **state)
{
	(void)state;
	bench_warned(
		"interfaces:\n  lan:\n    role: trusted\n    address: 10.0.0.1\n"
		"    media: {ports: 20000-20099}\n    limits:\n      calls: 51\n"
		"      setup-rate: 10/s\n      per-source: {setup-rate: 700/m}\n"
		"peers: {pbx: {interface: lan, address: 10.0.0.20}}\n"
		"routes: [{from: pbx, to: pbx}]\n",
		"test.yaml:7:14: warning: can never be reached: media.ports has room for 50 calls");
	bench_warned(
		"interfaces:\n  lan:\n    role: trusted\n    address: 10.0.0.1\n    limits:\n"
		"      setup-rate: 10/s\n      per-source: {setup-rate: 700/m}\n"
		"peers: {pbx: {interface: lan, address: 10.0.0.20}}\n"
		"routes: [{from: pbx, to: pbx}]\n",
		"test.yaml:7:32: warning: can never be reached: the whole interface takes less");
}

static void ng_on_a_public_address_is_warned_of(void **state)
{
	(void)state;
	bench_warned(BENCH_SHORTEST "relay: {listen: udp/203.0.113.10:2223}\n",
		     "test.yaml:6:17: warning: NG asks for no password");
}

static void one_address_may_have_two_interfaces(void **state)
{
	(void)state;
	/* by port: an SBC with one address */
	loaded_destroy(bench_fine("interfaces:\n"
				  "  in: {role: trusted, address: 10.0.0.1, listen: udp/5080, "
				  "media: {ports: 40000-49999}}\n"
				  "  out: {address: 10.0.0.1}\n"
				  "peers: {pbx: {interface: in, address: 10.0.0.20}}\n"));
	bench_refused("interfaces:\n"
		      "  in: {role: trusted, address: 10.0.0.1, listen: udp/5080}\n"
		      "  out: {address: 10.0.0.1}\n"
		      "peers: {pbx: {interface: in, address: 10.0.0.20}}\n",
		      "test.yaml:3:3: media ports 20000-29999 of \"out\" overlap 20000-29999 of "
		      "\"in\" on the "
		      "same address 10.0.0.1\n");
}

static void the_machine_has_what_is_asked(void **state)
{
	(void)state;
	bench_refused(BENCH_SHORTEST "dataplane: {cores: [0, 2]}\n",
		      "test.yaml:6:24: this machine has no CPU 2: it has 0 to 1\n");
	bench_refused(BENCH_SHORTEST "dataplane: {cores: []}\n",
		      "test.yaml:6:20: dataplane.cores takes 1 to 16 CPUs\n");
	bench_refused(BENCH_SHORTEST "user: postern\n",
		      "test.yaml:6:7: this machine has no user \"postern\"");
	bench_refused(BENCH_SHORTEST "relay: {listen: udp/10.0.0.1:20002}\n",
		      "test.yaml:6:17: NG port 20002 lies inside the media ports");
}

#define TLS(files)                                                                                 \
	"interfaces: {lan: {role: trusted, address: 10.0.0.1,\n  tls: {" files "}}}\n"             \
	"peers: {pbx: {interface: lan, address: 10.0.0.20}}\nroutes: [{from: pbx, to: pbx}]\n"

static void certificates_near_their_end_are_named(void **state)
{
	(void)state;
	loaded_destroy(bench_fine(TLS("certificate: !file wan.pem, key: !file wan.key")));
	struct buf findings;
	buf_init(&findings);
	assert_null(bench_load(TLS("certificate: !file old.pem, key: !file wan.key"), &findings));
	assert_non_null(strstr(findings.data, "wan.key is not the key of old.pem"));
	assert_non_null(strstr(findings.data, "warning: the certificate old.pem expires in "));
	buf_free(&findings);
	assert_null(bench_load(TLS("certificate: !file gone.pem, key: !file wan.key"), &findings));
	assert_non_null(strstr(findings.data, "warning: the certificate gone.pem has expired\n"));
	buf_free(&findings);
}

static void secrets_that_everybody_reads_are_named(void **state)
{
	(void)state;
	bench_warned(TLS("certificate: !file wan.pem, key: !file public.key"),
		     "test.yaml:2:48: warning: public.key can be read by everybody (chmod 640)\n");
	bench_refused(TLS("certificate: wan.pem, key: !env STATE_KEY"),
		      "test.yaml:2:41: \"STATE_KEY\" is no PEM file");
}

static void destinations_behind_an_answer_are_never_reached(void **state)
{
	(void)state;
	bench_warned(TRUNK "routes: [{from: [pbx, carrier], to: [reject/403, pbx]}]\n",
		     "test.yaml:7:50: warning: never reached: the destination before it is an "
		     "answer\n");
	bench_warned(TRUNK "routes: [{from: pbx, domain: [a.example, b.example], to: pbx},\n"
			   "  {from: [pbx], domain: B.example, to: carrier}]\n",
		     "test.yaml:8:3: warning: route \"2\" is never reached");
	loaded_destroy(bench_fine(TRUNK
				  "routes: [{from: pbx, time: sat, to: pbx}, {from: pbx, "
				  "domain: a.example, to: pbx}, {from: pbx, to: carrier}]\n"));
}

static void what_does_nothing_is_named(void **state)
{
	(void)state;
	bench_warned(BENCH_LAN "peers: {pbx: {interface: lan, servers: [\"10.0.0.2;weight=2\"]}}\n"
			       "routes: [{from: pbx, to: pbx}]\n",
		     "test.yaml:2:42: warning: the weight is not used: strategy is not weighted\n");
	bench_warned(BENCH_WAN "peers: {pbx: {interface: wan, address: 203.0.113.7,\n"
			       "  accept-from: 0.0.0.0/0, limits: {calls: 9000}}}\n"
			       "routes: [{from: pbx, to: pbx}]\n",
		     "test.yaml:5:16: warning: everybody on \"wan\" is this peer");
	bench_warned(BENCH_WAN "peers: {pbx: {interface: wan, address: 203.0.113.7,\n"
			       "  limits: {calls: 9000}}}\nroutes: [{from: pbx, to: pbx}]\n",
		     "test.yaml:5:19: warning: can never be reached: interface \"wan\" takes 5000 "
		     "calls\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shadowed_route_is_named_with_its_shadow),
		cmocka_unit_test(a_registered_route_shadows_none_that_is_not),
		cmocka_unit_test(unused_peers_and_interfaces_are_named),
		cmocka_unit_test(one_advertised_address_stands_for_one),
		cmocka_unit_test(several_registrars_are_no_default),
		cmocka_unit_test(phones_of_a_domain_come_before_phones_of_any),
		cmocka_unit_test(a_source_of_two_peers_is_named),
		cmocka_unit_test(limits_out_of_reach_are_named),
		cmocka_unit_test(ng_on_a_public_address_is_warned_of),
		cmocka_unit_test(one_address_may_have_two_interfaces),
		cmocka_unit_test(the_machine_has_what_is_asked),
		cmocka_unit_test(certificates_near_their_end_are_named),
		cmocka_unit_test(secrets_that_everybody_reads_are_named),
		cmocka_unit_test(destinations_behind_an_answer_are_never_reached),
		cmocka_unit_test(what_does_nothing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
