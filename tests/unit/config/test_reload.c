/* A new file for what runs: the difference in words, indexes that stay, what needs a restart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/bench.h"

#include <stdlib.h>

#include "config/reload.h"

#define INTERFACES                                                                                 \
	"interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n  wan: {address: 203.0.113.10}\n"
#define PEERS                                                                                      \
	"peers:\n  pbx: {interface: lan, address: 10.0.0.20}\n"                                    \
	"  carrier: {interface: wan, address: 198.51.100.7, credentials: {user: a, password: "     \
	"!env CARRIER_PASSWORD}}\n"
#define ROUTES                                                                                     \
	"routes:\n  - {name: out, from: pbx, to: carrier}\n  - {name: in, from: carrier, to: "     \
	"pbx}\n"

static struct loaded *reload(const struct loaded *before, const char *text, int expected,
			     const char *said)
{
	struct loaded *after = NULL;
	struct buf words;

	buf_init(&words);
	int err = loaded_reload(before, strdup(text), strlen(text), &after, &words);
	buf_add_char(&words, '\0');
	if (err != expected || strcmp(words.data, said) != 0)
		print_error("%d, said:\n%s\n", err, words.data);
	assert_int_equal(err, expected);
	assert_string_equal(words.data, said);
	assert_true(!err || !after);
	buf_free(&words);
	return after;
}

static void the_same_in_other_words_is_no_change(void **state)
{
	struct loaded *before = bench_fine(INTERFACES PEERS ROUTES);

	(void)state;
	assert_null(reload(before,
			   "# a comment\n" PEERS ROUTES
			   "workers: 1\ninterfaces:\n  wan: {address: [203.0.113.10], limits: "
			   "{calls: 5000}}\n  lan: {address: 10.0.0.1, role: trusted}\n",
			   0, ""));
	loaded_destroy(before);
}

static void each_value_that_changes_is_named(void **state)
{
	struct loaded *before = bench_fine(INTERFACES PEERS ROUTES "log: {level: info}\n");

	(void)state;
	struct loaded *after = reload(
		before,
		"interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n  wan: {address: "
		"203.0.113.10, limits: {setup-rate: 10/s}}\n"
		"peers:\n  pbx: {interface: lan, address: 10.0.0.20, ping: 10s}\n"
		"  carrier: {interface: wan, address: 198.51.100.7, credentials: {user: a, "
		"password: "
		"!file wan.pem}}\n"
		"routes:\n  - {name: in, from: carrier, to: pbx}\n"
		"  - {name: out, from: pbx, number: \"+*\", to: carrier}\nlog: {level: debug}\n",
		0,
		"~ interfaces.wan.limits.setup-rate: 200/s -> 10/s\n"
		"~ peers.pbx.ping: off -> 10s\n"
		"~ peers.carrier.credentials.password: changed, not shown\n"
		"~ routes.out.number: [] -> [\"+*\"]\n"
		"~ routes: in another order, from \"out\" on\n"
		"~ log.level: info -> debug\n");
	assert_int_equal(after->file.public.interfaces[1].limits.setup_rate.count, 10);
	assert_int_equal(after->file.public.peer_count, 2);
	loaded_destroy(after);
	loaded_destroy(before);
}

static void indexes_stay_whatever_the_order(void **state)
{
	struct loaded *before = bench_fine(INTERFACES PEERS ROUTES);

	(void)state;
	struct loaded *after = reload(
		before,
		"peers:\n  new: {interface: lan, address: 10.0.0.9}\n"
		"  carrier: {interface: wan, address: 198.51.100.7, credentials: {user: a, "
		"password: "
		"!env CARRIER_PASSWORD}}\n"
		"  pbx: {interface: lan, address: 10.0.0.20}\n"
		"interfaces:\n  wan: {address: 203.0.113.10}\n  lan: {role: trusted, address: "
		"10.0.0.1}\n"
		"routes:\n  - {name: out, from: [pbx, new], to: carrier}\n"
		"  - {name: in, from: carrier, to: pbx}\n",
		0, "+ peers.new\n~ routes.out.from: [pbx] -> [pbx, new]\n");
	const struct config *config = &after->file.public;
	assert_string_equal(config->interfaces[0].name, "lan");
	assert_string_equal(config->interfaces[1].name, "wan");
	assert_string_equal(config->peers[0].name, "pbx");
	assert_string_equal(config->peers[1].name, "carrier");
	assert_string_equal(config->peers[2].name, "new");
	assert_int_equal(config->peers[1].interface, 1);
	assert_int_equal(config->routes[0].from[1].peer, 2);
	assert_int_equal(config->routes[0].to[0].peer, 1);
	loaded_destroy(after);
	loaded_destroy(before);
}

static void another_peer_has_another_index(void **state)
{
	struct loaded *before = bench_fine(INTERFACES PEERS ROUTES);

	(void)state;
	struct loaded *after = reload(
		before,
		INTERFACES "peers:\n  pbx: {interface: lan, servers: [10.0.0.20, 10.0.0.21]}\n"
			   "routes: [{name: in, from: pbx, to: pbx}]\n",
		0,
		"~ peers.pbx.address: \"sip:10.0.0.20:5060\" -> none\n"
		"~ peers.pbx.servers: [] -> [\"sip:10.0.0.20:5060\", \"sip:10.0.0.21:5060\"]\n"
		"- peers.carrier\n- routes.out\n~ routes.in.from: [carrier] -> [pbx]\n");
	const struct config *config = &after->file.public;
	assert_int_equal(config->peer_count, 3);
	assert_true(config->peers[0].retired && config->peers[1].retired);
	assert_string_equal(config->peers[0].servers[0].host, "10.0.0.20");
	assert_int_equal(config->peers[0].accept_from_count, 0);
	assert_string_equal(config->peers[1].name, "carrier");
	assert_null(config->peers[1].credentials.password);
	assert_true(config->peers[1].media.port_count == 1);
	assert_int_equal(config_find_peer(config, SLICE("pbx")), 2);
	assert_int_equal(config_find_peer(config, SLICE("carrier")), -1);
	assert_int_equal(config->peers[2].server_count, 2);
	/* Back again: it is a new one. What has gone stays gone, and nobody sees it. */
	struct loaded *third = reload(after, INTERFACES PEERS ROUTES, 0,
				      "~ peers.pbx.address: none -> \"sip:10.0.0.20:5060\"\n"
				      "~ peers.pbx.servers: [\"sip:10.0.0.20:5060\", "
				      "\"sip:10.0.0.21:5060\"] -> []\n"
				      "+ peers.carrier\n~ routes.in.from: [pbx] -> [carrier]\n"
				      "+ routes.out\n");
	config = &third->file.public;
	assert_int_equal(config->peer_count, 5);
	assert_int_equal(config_find_peer(config, SLICE("pbx")), 3);
	assert_int_equal(config_find_peer(config, SLICE("carrier")), 4);
	assert_int_equal(config->routes[1].from[0].peer, 4);
	loaded_destroy(before);
	loaded_destroy(after); /* nothing of theirs is used by the third */
	assert_string_equal(config->peers[1].servers[0].host, "198.51.100.7");
	loaded_destroy(third);
}

static void what_needs_a_restart_is_not_taken_at_all(void **state)
{
	struct loaded *before = bench_fine(INTERFACES PEERS ROUTES);

	(void)state;
	assert_null(reload(before,
			   "interfaces:\n  lan: {role: trusted, address: 10.0.0.1, limits: {calls: "
			   "7}}\n  wan: {address: 203.0.113.10}\n" PEERS ROUTES "workers: 2\n",
			   -ERR_UNSUPPORTED,
			   "~ interfaces.lan.limits.calls: off -> 7\n"
			   "~ workers: 1 -> 2 (needs a restart)\n"));
	loaded_destroy(before);
}

#define DMZ      "  dmz: {address: 198.51.100.1}\n"
#define DMZ_PEER "  other: {interface: dmz, address: 198.51.100.7}\n"
#define TO_OTHER "  - {from: pbx, to: other}\n"

static void interfaces_come_and_go(void **state)
{
	struct loaded *first = bench_fine(INTERFACES PEERS ROUTES);

	(void)state;
	struct loaded *second =
		reload(first,
		       "interfaces:\n" DMZ "  wan: {address: 203.0.113.10, listen: udp/5080}\n"
		       "  lan: {role: trusted, address: 10.0.0.1}\n" PEERS DMZ_PEER ROUTES TO_OTHER,
		       0,
		       "~ interfaces.wan.listen: [udp/5060, tcp/5060] -> [udp/5080]\n"
		       "+ interfaces.dmz\n+ peers.other\n+ routes.3\n");
	const struct config *config = &second->file.public;
	assert_int_equal(config->interface_count, 3);
	assert_string_equal(config->interfaces[2].name, "dmz");
	assert_int_equal(config->interfaces[1].listeners[0].addr.port, 5080);
	assert_int_equal(config->peers[2].interface, 2);

	/* What has gone is there by its index, as it was, for those who use it. */
	struct loaded *third =
		reload(second, INTERFACES PEERS ROUTES, 0,
		       "~ interfaces.wan.listen: [udp/5080] -> [udp/5060, tcp/5060]\n"
		       "- interfaces.dmz\n- peers.other\n- routes.3\n");
	config_free(&second->file.public); /* the third holds it for what has gone */
	config = &third->file.public;
	assert_int_equal(config->interface_count, 3);
	assert_true(config->interfaces[2].retired && config->peers[2].retired);
	assert_int_equal(config->interfaces[2].listener_count, 0);
	assert_string_equal(config->interfaces[2].name, "dmz");
	assert_true(config->interfaces[2].security.method_count > 0);
	assert_int_equal(config->interfaces[2].address_count, 1);
	assert_int_equal(config_find_interface(config, SLICE("dmz")), -1);

	/* It comes back, and has its place again; one that trusts others has another place. */
	struct loaded *fourth =
		reload(third,
		       "interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n"
		       "  wan: {address: 203.0.113.10}\n" DMZ PEERS DMZ_PEER ROUTES TO_OTHER,
		       0, "+ interfaces.dmz\n+ peers.other\n+ routes.3\n");
	config = &fourth->file.public;
	assert_int_equal(config->interface_count, 3);
	assert_false(config->interfaces[2].retired);
	assert_int_equal(config->peer_count, 4);
	struct loaded *fifth =
		reload(third,
		       "interfaces:\n  lan: {role: trusted, address: 10.0.0.1}\n"
		       "  wan: {address: 203.0.113.10}\n  dmz: {role: trusted, address: "
		       "198.51.100.1}\n" PEERS DMZ_PEER ROUTES TO_OTHER,
		       0, "+ interfaces.dmz\n+ peers.other\n+ routes.3\n");
	config = &fifth->file.public;
	assert_int_equal(config->interface_count, 4);
	assert_true(config->interfaces[2].retired && !config->interfaces[3].retired);
	assert_int_equal(config_find_interface(config, SLICE("dmz")), 3);
	loaded_destroy(fifth);
	loaded_destroy(fourth);
	loaded_destroy(third);
	loaded_destroy(first);
}

static void a_wrong_file_changes_nothing(void **state)
{
	struct loaded *before = bench_fine(INTERFACES PEERS ROUTES);

	(void)state;
	assert_null(reload(before,
			   INTERFACES "peers: {pbx: {interface: len, address: 10.0.0.20}}\n",
			   -ERR_MALFORMED,
			   "test.yaml:4:26: interface \"len\" is not defined (did you mean "
			   "\"lan\"?)\n"
			   "    4 | peers: {pbx: {interface: len, address: 10.0.0.20}}\n"
			   "      |                          ^~~\n"
			   "test.yaml:2:3: note: \"lan\" is defined here\n"
			   "    2 |   lan: {role: trusted, address: 10.0.0.1}\n"
			   "      |   ^~~\n"));
	loaded_destroy(before);
}

static void the_last_holder_frees_it(void **state)
{
	struct loaded *loaded = bench_fine(INTERFACES PEERS ROUTES);
	const struct config *config = config_hold(&loaded->file.public);

	(void)state;
	config_free(&loaded->file.public);
	assert_string_equal(config->peers[0].name, "pbx"); /* the sanitizer looks on */
	config_release(config);
	config_release(NULL);
	struct config by_hand = {.peer_count = 0};
	config_release(config_hold(&by_hand));
}

static void domains_come_and_go(void **state)
{
	struct loaded *before =
		bench_fine(INTERFACES PEERS ROUTES "domains: {a.example: {}, b.example: {}}\n");

	(void)state;
	struct loaded *after = reload(
		before,
		INTERFACES PEERS ROUTES "domains: {c.example: {}, b.example: {contacts: 3}}\n", 0,
		"- domains.a.example\n~ domains.b.example.contacts: 10 -> 3\n"
		"+ domains.c.example\n");
	assert_int_equal(after->file.public.domain_count, 2);
	assert_int_equal(after->file.public.domains[1].contacts, 3);
	loaded_destroy(after);
	loaded_destroy(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_in_other_words_is_no_change),
		cmocka_unit_test(each_value_that_changes_is_named),
		cmocka_unit_test(indexes_stay_whatever_the_order),
		cmocka_unit_test(another_peer_has_another_index),
		cmocka_unit_test(what_needs_a_restart_is_not_taken_at_all),
		cmocka_unit_test(a_wrong_file_changes_nothing),
		cmocka_unit_test(the_last_holder_frees_it),
		cmocka_unit_test(interfaces_come_and_go),
		cmocka_unit_test(domains_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
