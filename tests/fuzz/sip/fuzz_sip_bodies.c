/* Bodies of all kinds as the other side sees them: what was rewritten once is not changed by being
 * rewritten again, what is XML stays XML, an SDP put into parts is found there, a concealed text
 * comes back, and the leak guard finds no address that was taken out of an attribute or a value.
 * The first byte says what it is. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/topology/bodies.h"
#include "sbc/topology/conceal.h"
#include "sbc/topology/leak.h"
#include "sbc/topology/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice types[] = {
	{"application/dialog-info+xml", 27},
	{"application/pidf+xml", 20},
	{"message/sipfrag", 15},
	{"application/simple-message-summary", 34},
	{"multipart/mixed;boundary=b", 26},
	{"application/isup", 16},
};

struct edge {
	struct addr addrs[2];
	struct config_interface interfaces[2];
	struct config config;
};

static void edge_init(struct edge *edge)
{
	static const char *const texts[] = {"10.0.0.1", "203.0.113.10"};

	*edge = (struct edge){0};
	for (int i = 0; i < 2; i++) {
		if (addr_parse_ip(slice_from(texts[i]), &edge->addrs[i]) != 0)
			abort();
		edge->interfaces[i] = (struct config_interface){
			.name = texts[i],
			.trusted = i == 0,
			.addresses = &edge->addrs[i],
			.address_count = 1,
			.security.leak_guard = CONFIG_LEAK_BLOCK,
		};
	}
	edge->config = (struct config){.interfaces = edge->interfaces, .interface_count = 2};
}

static void check_conceal(struct slice text)
{
	struct conceal_key key;
	struct buf hidden, plain;

	conceal_key_derive((uint64_t[2]){1, 2}, (uint64_t[2]){3, 4}, &key);
	buf_init(&hidden);
	buf_init(&plain);
	if (conceal_reveal(&key, text, &plain) == 0)
		abort(); /* nobody can make one */
	text = slice_sub(text, 0, CONCEAL_MAX);
	if (text.len > 0) {
		conceal(&key, text, &hidden);
		if (conceal_reveal(&key, buf_slice(&hidden), &plain) != 0 ||
		    !slice_equal(buf_slice(&plain), text))
			abort();
	}
	buf_free(&hidden);
	buf_free(&plain);
}

static void check_sdp(struct slice body)
{
	struct slice type = types[4];
	struct slice wanted = SLICE("v=0\r\nmarked\r\n");
	struct buf out;

	buf_init(&out);
	if (multipart_sdp(type, body).len > 0) {
		if (multipart_set_sdp(type, body, wanted, &out) != 0 ||
		    !slice_equal(multipart_sdp(type, buf_slice(&out)), wanted))
			abort();
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct edge edge;
	struct leaks *leaks;
	struct buf once, twice;

	if (size < 1 || size > 20000)
		return 0;
	edge_init(&edge);
	struct slice type = types[data[0] % 6];
	struct slice body = {(const char *)data + 1, size - 1};
	struct body_rules rules = {.crossing = {.from_trusted = true,
						.way = {.config = &edge.config, .interface = 1}}};
	buf_init(&once);
	buf_init(&twice);
	int err = bodies_rewrite(&rules, type, SLICE_NONE, body, &once);
	if (err && once.len > 0)
		abort();
	if (!err) {
		if (bodies_rewrite(&rules, type, SLICE_NONE, buf_slice(&once), &twice) != 0 ||
		    !slice_equal(buf_slice(&once), buf_slice(&twice)))
			abort();
		if (data[0] % 6 == 5 && !slice_equal(body, buf_slice(&once)))
			abort();
	}
	check_conceal(body);
	check_sdp(body);
	if (leaks_create(&edge.config, &leaks) == 0) {
		(void)leaks_may_leave(leaks, 1, &edge.addrs[1], body, 1);
		leaks_destroy(leaks);
	}
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
