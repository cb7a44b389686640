/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/policy.h"

const struct config_media *policy_of(const struct config *config, const struct media_end *end)
{
	return end->policy ? end->policy : &config->interfaces[end->interface].media;
}

static void add(struct arena *arena, struct ng_value *list, const char *word)
{
	ng_list_add_string(arena, list, slice_from(word));
}

static bool keys_by(const struct config_media *media, enum config_keying keying)
{
	for (size_t i = 0; i < media->keying_count; i++)
		if (media->keying[i] == keying)
			return true;
	return false;
}

/* An m= line of RTP/SAVP, RTP/SAVPF or UDP/TLS/RTP/SAVPF. */
static bool is_secure(struct slice sdp)
{
	struct slice line;

	while (slice_next_line(&sdp, &line))
		if (slice_starts(line, SLICE("m=")) &&
		    slice_find_slice(line, SLICE("/SAVP")) < line.len)
			return true;
	return false;
}

/* "m=audio 4000 RTP/SAVP 8": of a medium that is wanted. */
static bool read_media_line(struct slice line, struct slice *port, struct slice *protocol)
{
	struct slice type;

	return slice_starts(line, SLICE("m=")) && slice_next_word(&line, &type) &&
	       slice_next_word(&line, port) && slice_next_word(&line, protocol) &&
	       !slice_equal(*port, SLICE("0")) &&
	       slice_find_slice(*protocol, SLICE("RTP/")) < protocol->len;
}

/* A medium may be keyed as its line and the attributes say. */
static bool is_keyed(const struct config_media *from, struct slice protocol, struct slice sdp)
{
	bool is_tls = slice_find_slice(protocol, SLICE("TLS")) < protocol.len;
	bool has_print = slice_find_slice(sdp, SLICE("a=fingerprint:")) < sdp.len;
	bool has_crypto = slice_find_slice(sdp, SLICE("a=crypto:")) < sdp.len;

	return (has_print && keys_by(from, CONFIG_KEYING_DTLS)) ||
	       (has_crypto && !is_tls && keys_by(from, CONFIG_KEYING_SDES));
}

int policy_check(const struct config_media *from, struct slice sdp)
{
	struct slice rest = sdp, line, port, protocol;

	while (slice_next_line(&rest, &line)) {
		if (!read_media_line(line, &port, &protocol))
			continue;
		bool secure = slice_find_slice(protocol, SLICE("/SAVP")) < protocol.len;
		if (secure ? from->srtp == CONFIG_SRTP_NEVER || !is_keyed(from, protocol, sdp)
			   : from->srtp == CONFIG_SRTP_REQUIRE)
			return -ERR_UNSUPPORTED;
	}
	return 0;
}

/* RFC 8643: a=crypto beside RTP/AVP, to be taken or left. */
static bool is_opportunistic(const struct config_media *media)
{
	return media->srtp == CONFIG_SRTP_PREFER && keys_by(media, CONFIG_KEYING_SDES);
}

/* The profile of a description that is secure; NULL: it is not. */
static const char *secure_profile(struct slice sdp)
{
	static const char *const profiles[] = {"RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP",
					       "UDP/TLS/RTP/SAVPF"};
	struct slice line, port, protocol;

	while (slice_next_line(&sdp, &line))
		if (read_media_line(line, &port, &protocol))
			for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++)
				if (slice_equal(protocol, slice_from(profiles[i])))
					return profiles[i];
	return NULL;
}

/* What is offered to `to`; NULL = as it came. What was agreed to be secure is not offered in clear
 * (RFC 3264 8: the other side's next offer must not take the keys away). */
static const char *transport(const struct config_media *from, const struct config_media *to,
			     struct slice agreed, struct slice sdp)
{
	bool offered = from->srtp != CONFIG_SRTP_NEVER && is_secure(sdp);
	const char *profile = to->srtp != CONFIG_SRTP_NEVER ? secure_profile(agreed) : NULL;

	if (profile)
		return profile;

	if (to->srtp == CONFIG_SRTP_NEVER || (to->srtp == CONFIG_SRTP_ALLOW && !offered))
		return offered ? "RTP/AVP" : NULL;
	if (is_opportunistic(to))
		return "RTP/AVP";
	/* The first way to agree on keys is the one that is offered. */
	return to->keying_count > 0 && to->keying[0] == CONFIG_KEYING_SDES ? "RTP/SAVP"
									   : "UDP/TLS/RTP/SAVPF";
}

static void add_sdes(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		     const struct config_media *to)
{
	bool takes = from->srtp != CONFIG_SRTP_NEVER && from->srtp != CONFIG_SRTP_REQUIRE &&
		     keys_by(from, CONFIG_KEYING_SDES);

	if (!takes && !is_opportunistic(to))
		return;
	struct ng_value *list = ng_dict_add_list(arena, dict, "OSRTP");
	if (takes)
		add(arena, list, "accept");
	if (is_opportunistic(to))
		add(arena, list, "offer");
}

static void add_mux(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		    const struct config_media *to)
{
	struct ng_value *list = ng_dict_add_list(arena, dict, "rtcp-mux");

	if (to->rtcp_mux == CONFIG_MUX_OFFER || to->rtcp_mux == CONFIG_MUX_REQUIRE)
		add(arena, list, "offer");
	if (to->rtcp_mux == CONFIG_MUX_REQUIRE)
		add(arena, list, "require");
	/* One side's rtcp-mux is not the other's. */
	add(arena, list, from->rtcp_mux == CONFIG_MUX_NEVER ? "reject" : "demux");
}

static void add_ice(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		    const struct config_media *to)
{
	bool forward = to->ice == CONFIG_ICE_LITE, backward = from->ice == CONFIG_ICE_LITE;

	ng_dict_add_string(arena, dict, "ICE",
			   to->ice == CONFIG_ICE_NEVER ? SLICE("remove") : SLICE("force"));
	if (forward || backward)
		ng_dict_add_string(arena, dict, "ICE-lite",
				   forward && backward ? SLICE("both")
				   : forward           ? SLICE("forward")
						       : SLICE("backward"));
}

bool policy_offers_bundle(const struct config_media *to)
{
	return to->bundle == CONFIG_MUX_OFFER || to->bundle == CONFIG_MUX_REQUIRE;
}

static void add_bundle(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		       const struct config_media *to)
{
	bool offers = policy_offers_bundle(to);
	bool rejects = from->bundle == CONFIG_MUX_NEVER;

	if (!offers && !rejects)
		return;
	struct ng_value *list = ng_dict_add_list(arena, dict, "bundle");
	if (offers)
		add(arena, list, to->bundle == CONFIG_MUX_REQUIRE ? "require" : "offer");
	if (rejects)
		add(arena, list, "reject");
}

static const struct config_media *own_of(const struct config *config, const struct media_end *end)
{
	return &config->interfaces[end->interface].media;
}

void policy_add_limits(struct arena *arena, struct ng_value *dict, const struct config *config,
		       const struct media_end *from, const struct media_end *to)
{
	static const char *const words[] = {
		[CONFIG_SOURCE_SDP_ONLY] = "sdp-only",
		[CONFIG_SOURCE_LEARN_ONCE] = "learn-once",
		[CONFIG_SOURCE_ICE] = "ice",
		[CONFIG_SOURCE_SECURE] = "secure",
	};
	const struct media_end *const ends[] = {from, to};
	struct ng_value *sources = NULL, *idles = NULL;
	bool source_differs = false, idle_differs = false;

	for (size_t i = 0; i < 2; i++) {
		const struct config_media *media = policy_of(config, ends[i]);
		const struct config_media *own = own_of(config, ends[i]);
		source_differs = source_differs || media->source != own->source;
		idle_differs = idle_differs || media->idle_timeout_ms != own->idle_timeout_ms;
	}
	if (source_differs)
		sources = ng_dict_add_list(arena, dict, "media-source");
	if (idle_differs)
		idles = ng_dict_add_list(arena, dict, "media-timeout");
	for (size_t i = 0; i < 2; i++) {
		const struct config_media *media = policy_of(config, ends[i]);
		if (sources)
			add(arena, sources, words[media->source]);
		if (idles)
			add(arena, idles, arena_printf(arena, "%u", media->idle_timeout_ms));
	}
}

void policy_offer(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		  const struct config_media *to, struct slice agreed, struct slice sdp)
{
	const char *protocol = transport(from, to, agreed, sdp);

	if (protocol)
		ng_dict_add_string(arena, dict, "transport-protocol", slice_from(protocol));
	if (from->srtp == CONFIG_SRTP_NEVER || !keys_by(from, CONFIG_KEYING_DTLS))
		ng_dict_add_string(arena, dict, "DTLS-reverse", SLICE("off"));
	add_sdes(arena, dict, from, to);
	add_mux(arena, dict, from, to);
	add_ice(arena, dict, from, to);
	add_bundle(arena, dict, from, to);
}

void policy_answer(struct arena *arena, struct ng_value *dict, const struct config_media *to)
{
	if (to->ice == CONFIG_ICE_NEVER)
		ng_dict_add_string(arena, dict, "ICE", SLICE("remove"));
}
