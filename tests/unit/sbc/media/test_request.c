/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/ng/bencode.h"

static const struct config_interface interfaces[] = {{.name = "lan"}, {.name = "wan"}};
static const struct config config = {.interfaces = interfaces, .interface_count = 2};

static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 192.168.0.18\r\ns=-\r\nc=IN IP4 192.168.0.18\r\n"
			  "t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

static bool natted(const char *source, const char *text)
{
	struct arena *arena;
	struct addr addr;
	bool out = false;

	assert_int_equal(addr_parse_ip(slice_from(source), &addr), 0);
	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	assert_int_equal(request_is_natted(arena, slice_from(text), &addr, &out), 0);
	arena_destroy(arena);
	return out;
}

static void a_phone_behind_a_nat_is_known_by_its_source(void **state)
{
	(void)state;
	assert_true(natted("81.56.73.55", sdp));
	assert_false(natted("192.168.0.18", sdp));
	/* held the old way: says nothing about where it is */
	assert_false(natted("81.56.73.55",
			    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n"
			    "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"));
	/* a refused stream neither */
	assert_false(natted("81.56.73.55",
			    "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\n"
			    "c=IN IP4 1.2.3.4\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"));
}

static void an_offer_says_what_any_relay_needs(void **state)
{
	struct media_session session = {.relay = -1};
	struct media_end from = {.tag = SLICE("ta"), .interface = 1};
	struct media_end to = {.tag = SLICE("tb"), .interface = 0};
	struct arena *arena;
	(void)state;

	memcpy(session.id, "abcdefghijklmnopqrstuvwxyz", TOKEN_LENGTH);
	assert_int_equal(addr_parse_ip(SLICE("81.56.73.55"), &from.source), 0);
	assert_int_equal(arena_create(65536, 1 << 20, &arena), 0);
	struct ng_value *offer = request_exchange(arena, &config, MEDIA_OFFER, &session, &from, &to,
						  slice_from(sdp), true);
	assert_true(slice_equal(ng_get_string(offer, "command"), SLICE("offer")));
	assert_true(slice_equal(ng_get_string(offer, "from-tag"), SLICE("ta")));
	assert_true(slice_equal(ng_get_string(offer, "to-tag"), SLICE("tb")));
	assert_true(ng_list_has(offer, "direction", "wan"));
	assert_true(slice_equal(ng_get_list(offer, "direction")->first->string, SLICE("wan")));
	assert_true(ng_list_has(offer, "flags", "SIP-source-address"));
	assert_true(ng_list_has(offer, "received-from", "81.56.73.55"));
	assert_true(slice_equal(ng_get_string(offer, "ICE"), SLICE("remove")));
	/* the answerer speaks: the offerer is still named first */
	struct ng_value *answer = request_exchange(arena, &config, MEDIA_ANSWER, &session, &to,
						   &from, slice_from(sdp), false);
	assert_true(slice_equal(ng_get_string(answer, "from-tag"), SLICE("ta")));
	assert_true(slice_equal(ng_get_string(answer, "to-tag"), SLICE("tb")));
	assert_null(ng_get_list(answer, "flags"));
	arena_destroy(arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phone_behind_a_nat_is_known_by_its_source),
		cmocka_unit_test(an_offer_says_what_any_relay_needs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
