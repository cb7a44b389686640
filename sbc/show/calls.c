/* calls.c - `show calls` and `show call ID`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/show/part.h"

static const char *state_text(enum call_state state)
{
	switch (state) {
	case CALL_SETUP:
		return "setup";
	case CALL_UP:
		return "up";
	case CALL_ENDING:
		break;
	}
	return "ending";
}

static const char *peer_text(const struct config *config, const struct leg *leg)
{
	return leg->peer >= 0 ? config->peers[leg->peer].name : "phone";
}

static json_t *call_line(const struct core *core, const struct call *call)
{
	const struct config *config = core->worker->config;
	uint64_t now = wheel_now_ms(core->worker->wheel);
	json_t *line = json_object();

	json_put(line, "id", json_text((struct slice){call->id, TOKEN_LENGTH}));
	json_put_text(line, "state", state_text(call->state));
	json_put(line, "caller", json_text(call->caller));
	json_put(line, "callee", json_text(call->callee));
	json_put_text(line, "from", config->interfaces[call->legs[CALLER].interface].name);
	json_put_text(line, "to", config->interfaces[call->legs[CALLEE].interface].name);
	json_put_text(line, "route", call->route ? call->route->name : "");
	json_put_number(line, "age_ms", now - call->created_ms);
	json_put_number(line, "talk_ms", call->answered_ms ? now - call->answered_ms : 0);
	json_put_bool(line, "protected", call->is_protected);
	return line;
}

void part_calls(struct part *part, struct core *core)
{
	json_t *lines = json_array();

	for (struct call *call = calls_next(core->calls, NULL); call;
	     call = calls_next(core->calls, call))
		(void)json_array_append_new(lines, call_line(core, call));
	part_done(part, lines);
}

static json_t *leg_object(const struct core *core, const struct call *call, uint8_t index)
{
	const struct config *config = core->worker->config;
	const struct leg *leg = &call->legs[index];
	const struct dialog *dialog = &leg->dialog;
	json_t *object = json_object();
	json_t *routes = json_array();

	json_put_text(object, "side", index == CALLER ? "caller" : "callee");
	json_put_text(object, "interface", config->interfaces[leg->interface].name);
	json_put_text(object, "peer", peer_text(config, leg));
	json_put_text(object, "transport",
		      sip_transport_name((enum sip_transport)leg->path.transport));
	json_put(object, "remote", json_addr(&leg->path.remote));
	json_put(object, "call_id", json_text(dialog->call_id));
	json_put(object, "local_uri", json_text(dialog->local_uri));
	json_put(object, "local_tag", json_text(dialog->local_tag));
	json_put(object, "remote_uri", json_text(dialog->remote_uri));
	json_put(object, "remote_tag", json_text(dialog->remote_tag));
	json_put(object, "local_contact", json_text(dialog->local_contact));
	json_put(object, "remote_target", json_text(dialog->remote_target));
	for (size_t i = 0; i < dialog->route_count; i++)
		(void)json_array_append_new(routes, json_text(dialog->routes[i]));
	json_put(object, "route_set", routes);
	json_put_number(object, "local_cseq", dialog->local_cseq);
	json_put_number(object, "remote_cseq", dialog->remote_cseq);
	return object;
}

static json_t *ladder_array(const struct ladder *ladder, uint64_t created_ms)
{
	json_t *array = json_array();
	struct ladder_event event;

	for (uint32_t i = 0; ladder_at(ladder, i, &event); i++) {
		json_t *line = json_object();
		json_put_number(line, "at_ms", event.at_ms - created_ms);
		json_put_text(line, "leg", event.leg == CALLER ? "caller" : "callee");
		json_put_text(line, "direction", event.sent ? "sent" : "received");
		json_put_text(line, "message", event.text);
		json_put_number(line, "cseq", event.cseq);
		(void)json_array_append_new(array, line);
	}
	return array;
}

static json_t *recent_object(const struct core *core, const struct recent *recent)
{
	const struct config *config = core->worker->config;
	json_t *object = json_object();

	json_put(object, "id", json_text((struct slice){recent->id, TOKEN_LENGTH}));
	json_put_text(object, "state", "ended");
	json_put_text(object, "cause", call_cause_text(recent->cause));
	json_put_number(object, "status", recent->status);
	json_put_text(object, "caller", recent->caller);
	json_put_text(object, "callee", recent->callee);
	json_put_text(object, "from", config->interfaces[recent->interfaces[CALLER]].name);
	json_put_text(object, "to", config->interfaces[recent->interfaces[CALLEE]].name);
	json_put_number(object, "lasted_ms", recent->ended_ms - recent->created_ms);
	json_put_number(object, "ago_ms", wheel_now_ms(core->worker->wheel) - recent->ended_ms);
	json_put(object, "messages", ladder_array(&recent->ladder, recent->created_ms));
	return object;
}

static json_t *find_recent(const struct core *core, struct slice id)
{
	const struct calls *calls = core->calls;
	uint32_t count = calls->recent_count < RECENT_MAX ? calls->recent_count : RECENT_MAX;

	for (uint32_t i = 0; i < count; i++)
		if (slice_equal(id, (struct slice){calls->recent[i].id, TOKEN_LENGTH}))
			return recent_object(core, &calls->recent[i]);
	return NULL;
}

static json_t *call_object(const struct core *core, const struct call *call)
{
	json_t *object = call_line(core, call);
	json_t *legs = json_array();
	struct ng_relay_state relay = {0};

	for (uint8_t leg = 0; leg < LEGS; leg++)
		(void)json_array_append_new(legs, leg_object(core, call, leg));
	json_put(object, "legs", legs);
	json_put(object, "messages", ladder_array(&call->ladder, call->created_ms));
	json_put_number(object, "messages_left_out", ladder_lost(&call->ladder));
	if (call->media.relay >= 0)
		ng_client_relays(media_client(core->calls->media), (unsigned)call->media.relay,
				 &relay);
	json_put_text(object, "relay", relay.name ? relay.name : "");
	return object;
}

/* What waits for the relay: the part, and the object made so far. */
struct media_wait {
	struct part *part;
	json_t *object;
	char tags[LEGS][TOKEN_LENGTH];
};

static void add_stream(json_t *streams, const char *leg, const struct ng_value *media,
		       const struct ng_value *stream)
{
	json_t *line = json_object();
	const struct ng_value *endpoint = ng_get_dict(stream, "endpoint");
	const struct ng_value *stats = ng_get_dict(stream, "stats");
	int64_t index = 0, port = 0;

	json_put_text(line, "leg", leg);
	if (ng_get_integer(media, "index", &index) == 0)
		json_put_number(line, "media", (uint64_t)index);
	json_put(line, "type", json_text(ng_get_string(media, "type")));
	for (const struct ng_value *v = ng_first(stream); v; v = v->next) {
		json_t *name = json_ng_name(v->key);
		if (name && v != endpoint && v != stats)
			json_put(line, json_string_value(name), json_from_ng(v));
		json_decref(name);
	}
	if (endpoint && ng_get_integer(endpoint, "port", &port) == 0)
		json_put(line, "remote",
			 json_sprintf("%.*s:%d", SLICE_ARG(ng_get_string(endpoint, "address")),
				      (int)port));
	for (const struct ng_value *v = ng_first(stats); v; v = v->next) {
		json_t *name = json_ng_name(v->key);
		if (name)
			json_put(line, json_string_value(name), json_from_ng(v));
		json_decref(name);
	}
	(void)json_array_append_new(streams, line);
}

static void add_tag(json_t *streams, const char *leg, const struct ng_value *tag)
{
	const struct ng_value *medias = ng_get_list(tag, "medias");

	for (const struct ng_value *media = ng_first(medias); media; media = media->next) {
		const struct ng_value *list = ng_get_list(media, "streams");
		for (const struct ng_value *s = ng_first(list); s; s = s->next)
			add_stream(streams, leg, media, s);
	}
}

static void on_media(void *owner, uint64_t handle, const struct ng_reply *reply)
{
	struct media_wait *wait = owner;
	json_t *streams = json_array();
	(void)handle;

	const struct ng_value *tags = reply->err ? NULL : ng_get_dict(reply->dict, "tags");
	for (int leg = 0; tags && leg < LEGS; leg++) {
		struct slice name = {wait->tags[leg], TOKEN_LENGTH};
		const struct ng_value *tag = ng_dict_get_exact(tags, name);
		if (tag)
			add_tag(streams, leg == CALLER ? "caller" : "callee", tag);
	}
	json_put(wait->object, "streams", streams);
	if (reply->err)
		json_put_text(wait->object, "streams_error", err_text(reply->err));
	const struct ng_value *totals = reply->err ? NULL : ng_get_dict(reply->dict, "totals");
	if (totals)
		json_put(wait->object, "totals", json_from_ng(totals));
	part_done(wait->part, wait->object);
	free(wait);
}

void part_call(struct part *part, struct core *core)
{
	struct call *call = calls_by_id(core->calls, part->args);

	if (!call) {
		part_done(part, find_recent(core, part->args));
		return;
	}
	json_t *object = call_object(core, call);
	struct media_wait *wait = call->media.is_open ? calloc(1, sizeof(*wait)) : NULL;
	if (wait) {
		wait->part = part;
		wait->object = object;
		for (int leg = 0; leg < LEGS; leg++)
			if (call->legs[leg].dialog.local_tag.len >= TOKEN_LENGTH)
				memcpy(wait->tags[leg], call->legs[leg].dialog.local_tag.data,
				       TOKEN_LENGTH);
		if (media_query(core->calls->media, &call->media, on_media, wait, 0) == 0)
			return;
		free(wait);
	}
	part_done(part, object);
}
