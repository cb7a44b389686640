/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/request.h"
#include "control/sdp/media.h"
#include "sbc/media/policy.h"

static void add_list(struct arena *arena, struct ng_value *dict, const char *key,
		     const char *const *words, size_t count)
{
	struct ng_value *list = ng_dict_add_list(arena, dict, key);
	for (size_t i = 0; i < count; i++)
		ng_list_add_string(arena, list, slice_from(words[i]));
}

static void add_source(struct arena *arena, struct ng_value *dict, const struct addr *source)
{
	char *text = arena_alloc(arena, ADDR_TEXT_SIZE);
	struct ng_value *list = ng_dict_add_list(arena, dict, "received-from");

	if (!text)
		return;
	ng_list_add_string(arena, list, source->family == AF_INET6 ? SLICE("IP6") : SLICE("IP4"));
	ng_list_add_string(arena, list, slice_from(addr_ip_text(source, text)));
}

struct ng_value *request_exchange(struct arena *arena, const struct config *config,
				  enum media_verb verb, const struct media_session *session,
				  const struct media_end *from, const struct media_end *to,
				  struct slice sdp, bool is_natted)
{
	static const char *const replace[] = {"origin", "session-name"};
	static const char *const supports[] = {"load limit"};
	struct ng_value *dict = ng_dict_create(arena);
	/* Both verbs name the offerer first; in an answer `from` is the answerer. */
	const struct media_end *offerer = verb == MEDIA_OFFER ? from : to;
	const struct media_end *answerer = verb == MEDIA_OFFER ? to : from;

	ng_dict_add_string(arena, dict, "command",
			   verb == MEDIA_OFFER ? SLICE("offer") : SLICE("answer"));
	ng_dict_add_string(arena, dict, "call-id", (struct slice){session->id, TOKEN_LENGTH});
	ng_dict_add_string(arena, dict, "from-tag", offerer->tag);
	if (answerer->tag.len > 0)
		ng_dict_add_string(arena, dict, "to-tag", answerer->tag);
	ng_dict_add_string(arena, dict, "sdp", sdp);
	add_list(arena, dict, "replace", replace, 2);
	add_list(arena, dict, "supports", supports, 1);
	if (from->source.family)
		add_source(arena, dict, &from->source);
	const char *flags[2];
	size_t flag_count = 0;
	if (is_natted)
		flags[flag_count++] = "SIP-source-address";
	if (verb == MEDIA_OFFER && policy_offers_bundle(policy_of(config, to)))
		flags[flag_count++] = "generate-mid";
	if (flag_count)
		add_list(arena, dict, "flags", flags, flag_count);
	if (verb == MEDIA_OFFER) {
		const char *const direction[] = {config->interfaces[from->interface].name,
						 config->interfaces[to->interface].name};
		add_list(arena, dict, "direction", direction, 2);
		policy_offer(arena, dict, policy_of(config, from), policy_of(config, to),
			     to->agreed, sdp);
		policy_add_limits(arena, dict, config, from, to);
	} else {
		policy_answer(arena, dict, policy_of(config, to));
	}
	return dict;
}

struct ng_value *request_plain(struct arena *arena, const char *command,
			       const struct media_session *session)
{
	struct ng_value *dict = ng_dict_create(arena);

	ng_dict_add_string(arena, dict, "command", slice_from(command));
	ng_dict_add_string(arena, dict, "call-id", (struct slice){session->id, TOKEN_LENGTH});
	return dict;
}

int request_is_natted(struct arena *arena, struct slice text, const struct addr *source, bool *out)
{
	struct sdp *sdp;
	bool natted = false;

	int err = sdp_parse(arena, text, &sdp, NULL);
	if (err)
		return err;
	for (unsigned i = 0; i < sdp->media_count; i++) {
		const struct sdp_connection *connection = sdp_media_connection(&sdp->media[i]);
		if (sdp_media_is_rejected(&sdp->media[i]) || !connection)
			continue;
		/* 0.0.0.0 is an old way to hold (RFC 2543), not an address. */
		if (!connection->addr.family || addr_is_any(&connection->addr))
			continue;
		if (!addr_equal_ip(&connection->addr, source))
			natted = true;
	}
	*out = natted;
	return 0;
}
