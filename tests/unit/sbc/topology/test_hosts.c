/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct edge {
	struct addr addresses[2];
	struct config_interface interfaces[2];
	struct config config;
	struct addr server;
};

static void edge_init(struct edge *edge)
{
	*edge = (struct edge){0};
	assert_int_equal(addr_parse_ip(SLICE("10.0.0.1"), &edge->addresses[0]), 0);
	assert_int_equal(addr_parse_ip(SLICE("192.0.2.10"), &edge->addresses[1]), 0);
	assert_int_equal(addr_parse(SLICE("10.0.0.20:5070"), 5060, &edge->server), 0);
	for (int i = 0; i < 2; i++) {
		edge->interfaces[i].addresses = &edge->addresses[i];
		edge->interfaces[i].address_count = 1;
	}
	edge->interfaces[1].advertise_host = "sbc.example.com";
	edge->config.interfaces = edge->interfaces;
	edge->config.interface_count = 2;
}

static void identity_is(const struct edge *edge, uint16_t interface, const struct addr *server,
			const char *uri, const char *wanted)
{
	struct hosts_way way = {.config = &edge->config, .interface = interface, .server = server};
	struct buf out;

	buf_init(&out);
	hosts_write_identity(&way, slice_from(uri), &out);
	assert_string_equal(out.data, wanted);
	buf_free(&out);
}

static void towards_a_peer_our_host_becomes_its_server(void **state)
{
	struct edge edge;
	(void)state;

	edge_init(&edge);
	identity_is(&edge, 0, &edge.server, "sip:alice@192.0.2.10", "sip:alice@10.0.0.20");
	identity_is(&edge, 0, &edge.server, "sip:alice@sbc.example.com;transport=tcp",
		    "sip:alice@10.0.0.20");
	identity_is(&edge, 0, &edge.server, "sip:alice@192.168.0.18:5062", "sip:alice@10.0.0.20");
	identity_is(&edge, 0, &edge.server, "sips:a%20b@falco.bz;user=phone",
		    "sips:a%20b@falco.bz;user=phone");
	identity_is(&edge, 0, &edge.server, "tel:+33123", "tel:+33123");
}

static void towards_a_phone_every_address_becomes_ours(void **state)
{
	struct edge edge;
	(void)state;

	edge_init(&edge);
	identity_is(&edge, 1, NULL, "sip:bob@10.0.0.20", "sip:bob@sbc.example.com");
	identity_is(&edge, 1, NULL, "sip:bob@10.0.0.1", "sip:bob@sbc.example.com");
	identity_is(&edge, 1, NULL, "sip:bob@[fd00::7]", "sip:bob@sbc.example.com");
	identity_is(&edge, 1, NULL, "sip:bob@falco.bz", "sip:bob@falco.bz");
}

static void a_target_has_the_servers_port(void **state)
{
	struct edge edge;
	struct buf out;
	(void)state;

	edge_init(&edge);
	struct hosts_way way = {.config = &edge.config, .server = &edge.server};
	buf_init(&out);
	hosts_write_target(&way, SLICE("sip:1000@192.0.2.10:5060"), &out);
	assert_string_equal(out.data, "sip:1000@10.0.0.20:5070");
	buf_free(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(towards_a_peer_our_host_becomes_its_server),
		cmocka_unit_test(towards_a_phone_every_address_becomes_ours),
		cmocka_unit_test(a_target_has_the_servers_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
