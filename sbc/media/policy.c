/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/policy.h"

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

/* What is offered to `to`; NULL = as it came. */
static const char *transport(const struct config_media *from, const struct config_media *to,
			     struct slice sdp)
{
	bool offered = from->srtp != CONFIG_SRTP_NEVER && is_secure(sdp);

	if (to->srtp == CONFIG_SRTP_NEVER || (to->srtp == CONFIG_SRTP_ALLOW && !offered))
		return offered ? "RTP/AVP" : NULL;
	/* The first way to agree on keys is the one that is offered. */
	return to->keying_count > 0 && to->keying[0] == CONFIG_KEYING_SDES ? "RTP/SAVP"
									   : "UDP/TLS/RTP/SAVPF";
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
		add(arena, list, "offer");
	if (rejects)
		add(arena, list, "reject");
}

void policy_offer(struct arena *arena, struct ng_value *dict, const struct config_media *from,
		  const struct config_media *to, struct slice sdp)
{
	const char *protocol = transport(from, to, sdp);

	if (protocol)
		ng_dict_add_string(arena, dict, "transport-protocol", slice_from(protocol));
	if (from->srtp == CONFIG_SRTP_NEVER || !keys_by(from, CONFIG_KEYING_DTLS))
		ng_dict_add_string(arena, dict, "DTLS-reverse", SLICE("off"));
	add_mux(arena, dict, from, to);
	add_ice(arena, dict, from, to);
	add_bundle(arena, dict, from, to);
}

void policy_answer(struct arena *arena, struct ng_value *dict, const struct config_media *to)
{
	if (to->ice == CONFIG_ICE_NEVER)
		ng_dict_add_string(arena, dict, "ICE", SLICE("remove"));
}
