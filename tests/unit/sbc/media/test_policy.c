/* test_policy.c - what a side's policy lets through, and what it asks of the relay.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define HEAD  "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n"
#define PLAIN SLICE(HEAD "m=audio 4000 RTP/AVP 8\r\n")
#define SDES  SLICE(HEAD "m=audio 4000 RTP/SAVP 8\r\na=crypto:1 X inline:Y\r\n")
#define DTLS  SLICE(HEAD "m=audio 4000 UDP/TLS/RTP/SAVPF 8\r\na=fingerprint:sha-256 AA\r\n")
#define T38   SLICE(HEAD "m=image 4000 udptl t38\r\n")
#define MIXED                                                                                      \
	SLICE(HEAD "m=audio 4000 RTP/SAVP 8\r\na=crypto:1 X inline:Y\r\n"                          \
		   "m=video 4002 RTP/AVP 99\r\n")
#define REFUSED                                                                                    \
	SLICE(HEAD "m=audio 4000 RTP/SAVP 8\r\na=crypto:1 X inline:Y\r\n"                          \
		   "m=video 0 RTP/AVP 99\r\n")

static const enum config_keying dtls[] = {CONFIG_KEYING_DTLS};
static const enum config_keying sdes[] = {CONFIG_KEYING_SDES};
static const enum config_keying both[] = {CONFIG_KEYING_DTLS, CONFIG_KEYING_SDES};

static struct config_media media(enum config_srtp srtp, const enum config_keying *keying,
				 size_t count)
{
	return (struct config_media){.srtp = srtp, .keying = keying, .keying_count = count};
}

static void nothing_is_downgraded_in_silence(void **state)
{
	const struct config_media never = media(CONFIG_SRTP_NEVER, both, 2);
	const struct config_media allow = media(CONFIG_SRTP_ALLOW, dtls, 1);
	const struct config_media require = media(CONFIG_SRTP_REQUIRE, both, 2);
	const struct config_media by_sdes = media(CONFIG_SRTP_REQUIRE, sdes, 1);
	(void)state;
	assert_int_equal(policy_check(&never, PLAIN), 0);
	assert_int_equal(policy_check(&never, SDES), -ERR_UNSUPPORTED);
	assert_int_equal(policy_check(&never, DTLS), -ERR_UNSUPPORTED);
	assert_int_equal(policy_check(&allow, PLAIN), 0);
	assert_int_equal(policy_check(&allow, DTLS), 0);
	assert_int_equal(policy_check(&allow, SDES), -ERR_UNSUPPORTED);
	assert_int_equal(policy_check(&require, PLAIN), -ERR_UNSUPPORTED);
	assert_int_equal(policy_check(&require, MIXED), -ERR_UNSUPPORTED);
	assert_int_equal(policy_check(&require, REFUSED), 0);
	assert_int_equal(policy_check(&require, SDES), 0);
	assert_int_equal(policy_check(&require, DTLS), 0);
	assert_int_equal(policy_check(&require, T38), 0);
	assert_int_equal(policy_check(&by_sdes, DTLS), -ERR_UNSUPPORTED);
}

struct asked {
	const char *transport, *osrtp;
};

static void expect(const struct config_media *from, const struct config_media *to, struct slice sdp,
		   struct asked want)
{
	struct arena *arena;
	assert_int_equal(arena_create(4096, 65536, &arena), 0);
	struct ng_value *dict = ng_dict_create(arena);
	policy_offer(arena, dict, from, to, SLICE_NONE, sdp);
	const struct ng_value *list = ng_dict_get(dict, "OSRTP");
	char osrtp[64] = "";
	for (const struct ng_value *at = ng_first(list); at; at = at->next) {
		strncat(osrtp, at->string.data, at->string.len);
		strcat(osrtp, " ");
	}
	assert_true(
		slice_equal(ng_get_string(dict, "transport-protocol"), slice_from(want.transport)));
	assert_string_equal(osrtp, want.osrtp);
	arena_destroy(arena);
}

static void the_other_side_is_offered_what_its_policy_says(void **state)
{
	const struct config_media never = media(CONFIG_SRTP_NEVER, dtls, 1);
	const struct config_media allow = media(CONFIG_SRTP_ALLOW, sdes, 1);
	const struct config_media prefer = media(CONFIG_SRTP_PREFER, sdes, 1);
	const struct config_media require = media(CONFIG_SRTP_REQUIRE, sdes, 1);
	const struct config_media handshake = media(CONFIG_SRTP_REQUIRE, dtls, 1);
	(void)state;
	expect(&never, &never, PLAIN, (struct asked){"", ""});
	expect(&never, &require, PLAIN, (struct asked){"RTP/SAVP", ""});
	expect(&never, &handshake, PLAIN, (struct asked){"UDP/TLS/RTP/SAVPF", ""});
	expect(&never, &prefer, PLAIN, (struct asked){"RTP/AVP", "offer "});
	expect(&require, &never, SDES, (struct asked){"RTP/AVP", ""});
	expect(&allow, &never, PLAIN, (struct asked){"", "accept "});
	expect(&allow, &allow, SDES, (struct asked){"RTP/SAVP", "accept "});
}

static bool lists(const struct ng_value *dict, const char *key, const char *word)
{
	const struct ng_value *list = ng_dict_get(dict, key);
	for (const struct ng_value *at = list ? ng_first(list) : NULL; at; at = at->next)
		if (slice_equal(at->string, slice_from(word)))
			return true;
	return false;
}

static void browsers_get_what_they_need_and_the_lan_does_not(void **state)
{
	const struct config_media lan = media(CONFIG_SRTP_NEVER, dtls, 1);
	struct config_media wan = media(CONFIG_SRTP_REQUIRE, dtls, 1);
	struct arena *arena;
	(void)state;
	wan.ice = CONFIG_ICE_LITE;
	wan.rtcp_mux = CONFIG_MUX_REQUIRE;
	wan.bundle = CONFIG_MUX_OFFER;
	assert_int_equal(arena_create(4096, 65536, &arena), 0);

	struct ng_value *out = ng_dict_create(arena);
	policy_offer(arena, out, &lan, &wan, SLICE_NONE, PLAIN);
	assert_true(slice_equal(ng_get_string(out, "ICE"), SLICE("force")));
	assert_true(slice_equal(ng_get_string(out, "ICE-lite"), SLICE("forward")));
	assert_true(lists(out, "rtcp-mux", "offer") && lists(out, "rtcp-mux", "require"));
	assert_true(lists(out, "bundle", "offer"));
	assert_true(policy_offers_bundle(&wan) && !policy_offers_bundle(&lan));
	wan.bundle = CONFIG_MUX_REQUIRE;
	policy_offer(arena, out = ng_dict_create(arena), &lan, &wan, SLICE_NONE, PLAIN);
	assert_true(lists(out, "bundle", "require") && !lists(out, "bundle", "offer"));

	struct ng_value *in = ng_dict_create(arena);
	policy_offer(arena, in, &wan, &lan, SLICE_NONE, DTLS);
	assert_true(slice_equal(ng_get_string(in, "ICE"), SLICE("remove")));
	assert_true(slice_equal(ng_get_string(in, "ICE-lite"), SLICE("backward")));
	assert_true(lists(in, "rtcp-mux", "demux") && !lists(in, "rtcp-mux", "offer"));
	assert_null(ng_dict_get(in, "DTLS-reverse"));

	struct ng_value *answer = ng_dict_create(arena);
	policy_answer(arena, answer, &wan);
	assert_null(ng_dict_get(answer, "ICE"));
	policy_answer(arena, answer, &lan);
	assert_true(slice_equal(ng_get_string(answer, "ICE"), SLICE("remove")));

	wan.rtcp_mux = CONFIG_MUX_NEVER;
	wan.bundle = CONFIG_MUX_NEVER;
	in = ng_dict_create(arena);
	policy_offer(arena, in, &wan, &lan, SLICE_NONE, DTLS);
	assert_true(lists(in, "rtcp-mux", "reject") && lists(in, "bundle", "reject"));
	arena_destroy(arena);
}

/* A re-INVITE of the side in clear does not take the other side's keys away. */
static void what_is_secure_stays_secure(void **state)
{
	const struct config_media lan = media(CONFIG_SRTP_NEVER, sdes, 1);
	const struct config_media wan = media(CONFIG_SRTP_ALLOW, both, 2);
	struct arena *arena;
	(void)state;
	assert_int_equal(arena_create(4096, 65536, &arena), 0);
	struct ng_value *dict = ng_dict_create(arena);
	policy_offer(arena, dict, &lan, &wan, SDES, PLAIN);
	assert_true(slice_equal(ng_get_string(dict, "transport-protocol"), SLICE("RTP/SAVP")));
	policy_offer(arena, dict = ng_dict_create(arena), &lan, &wan, PLAIN, PLAIN);
	assert_null(ng_dict_get(dict, "transport-protocol"));
	policy_offer(arena, dict = ng_dict_create(arena), &wan, &lan, PLAIN, SDES);
	assert_true(slice_equal(ng_get_string(dict, "transport-protocol"), SLICE("RTP/AVP")));
	arena_destroy(arena);
}

/* What the relay knows of the interface is not said again. */
static void a_peers_own_limits_are_said(void **state)
{
	const struct config_interface interfaces[] = {
		{.name = "lan",
		 .media = {.source = CONFIG_SOURCE_LEARN_ONCE, .idle_timeout_ms = 60000}},
		{.name = "wan",
		 .media = {.source = CONFIG_SOURCE_SECURE, .idle_timeout_ms = 60000}}};
	const struct config config = {.interfaces = interfaces, .interface_count = 2};
	struct config_media peer = interfaces[0].media;
	const struct media_end phone = {.interface = 1};
	const struct media_end pbx = {.interface = 0, .policy = &peer};
	struct arena *arena;
	(void)state;
	assert_int_equal(arena_create(4096, 65536, &arena), 0);

	struct ng_value *out = ng_dict_create(arena);
	policy_add_limits(arena, out, &config, &phone, &pbx);
	assert_null(ng_dict_get(out, "media-source"));
	assert_null(ng_dict_get(out, "media-timeout"));
	peer.source = CONFIG_SOURCE_SDP_ONLY;
	peer.idle_timeout_ms = 5000;
	policy_add_limits(arena, out, &config, &phone, &pbx);
	const struct ng_value *source = ng_first(ng_dict_get(out, "media-source"));
	const struct ng_value *idle = ng_first(ng_dict_get(out, "media-timeout"));
	assert_true(slice_equal(source->string, SLICE("secure")));
	assert_true(slice_equal(source->next->string, SLICE("sdp-only")));
	assert_true(slice_equal(idle->string, SLICE("60000")));
	assert_true(slice_equal(idle->next->string, SLICE("5000")));
	arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_downgraded_in_silence),
		cmocka_unit_test(the_other_side_is_offered_what_its_policy_says),
		cmocka_unit_test(browsers_get_what_they_need_and_the_lan_does_not),
		cmocka_unit_test(what_is_secure_stays_secure),
		cmocka_unit_test(a_peers_own_limits_are_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
