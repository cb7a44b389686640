/* subscription.c - `subscribe request` makes an offer of what participants send, `subscribe answer`
 * takes the subscriber's address, `unsubscribe` ends it. Copies are made by the datapath, in clear.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/subscription.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "rtpengine/session/participant.h"
#include "rtpengine/session/subscription_private.h"

#define TAG_LENGTH 16

struct building { /* of a request */
	struct command *command;
	struct session *session;
	struct subscription *subscription;
	struct sdp *sdp;
	struct ng_value *medias; /* tag-medias */
	struct ng_value *labels; /* media-labels: the same by a=label */
	struct ng_value *from_tags;
};

void subscriptions_copies(const struct stream *stream, int side,
			  struct flow_id copies[FLOW_COPIES_MAX])
{
	const struct session *session = stream->dialog->session;
	unsigned count = 0;

	memset(copies, 0, FLOW_COPIES_MAX * sizeof(copies[0]));
	for (const struct subscription *at = session->subscriptions; at; at = at->next)
		for (unsigned i = 0; i < at->count && count < FLOW_COPIES_MAX; i++)
			if (at->sources[i].stream == stream && at->sources[i].side == side &&
			    at->sources[i].is_answered)
				copies[count++] = at->sources[i].flow;
}

void subscriptions_forget(struct stream *stream)
{
	struct session *session = stream->dialog->session;

	for (struct subscription *at = session->subscriptions; at; at = at->next)
		for (unsigned i = 0; i < at->count; i++)
			if (at->sources[i].stream == stream)
				at->sources[i].stream = NULL;
}

static void close_source(struct session *session, struct source *source, uint64_t now_ms)
{
	if (flow_id_is_set(source->flow))
		datapath_flow_close(session->all->datapath, source->flow);
	if (source->range)
		port_range_give(source->range, now_ms, source->port);
	*source = (struct source){.stream = NULL};
}

static void subscription_destroy(struct session *session, struct subscription *subscription,
				 uint64_t now_ms)
{
	struct subscription **link = &session->subscriptions;

	while (*link && *link != subscription)
		link = &(*link)->next;
	if (*link)
		*link = subscription->next;
	for (unsigned i = 0; i < subscription->count; i++)
		close_source(session, &subscription->sources[i], now_ms);
	free(subscription->tag);
	free(subscription->label);
	free(subscription);
}

void subscriptions_free(struct session *session, uint64_t now_ms)
{
	while (session->subscriptions)
		subscription_destroy(session, session->subscriptions, now_ms);
}

static void end(struct session *session, struct subscription *subscription, uint64_t now_ms)
{
	for (unsigned i = 0; i < subscription->count; i++)
		subscription->sources[i].is_answered = false;
	session_publish(session); /* no copies any more, then no flows */
	subscription_destroy(session, subscription, now_ms);
}

static struct subscription *find(struct session *session, struct slice tag)
{
	struct subscription *at = session->subscriptions;

	while (at && !slice_equal(slice_from(at->tag), tag))
		at = at->next;
	return at;
}

/* Its RTP flow alone: no report is relayed to or from a copy. */
static int open_source(struct building *building, struct stream *stream, int side,
		       struct source **out)
{
	struct subscription *subscription = building->subscription;
	struct sessions *sessions = building->command->sessions;
	uint64_t now_ms = building->command->now_ms;

	if (subscription->count == SDP_MAX_MEDIA)
		return -ERR_TOO_MANY;
	struct port_range *range =
		interface_range(sessions, subscription->interface, subscription->family, now_ms);
	if (!range)
		return -ERR_NOT_FOUND;
	struct source *source = &subscription->sources[subscription->count];
	*source = (struct source){.stream = stream, .side = side};
	int err = port_range_take(range, now_ms, stream, &source->port);
	if (err)
		return err;
	source->range = range;
	subscription->count++;
	struct addr local = *port_range_address(range);
	local.port = source->port;
	*out = source;
	return datapath_flow_open(sessions->datapath, &local, building->session->affinity,
				  &source->flow);
}

/* What of a media section tells how to read the packets. */
static bool is_about_codecs(const struct sdp_line *line)
{
	static const char *const names[] = {"rtpmap", "fmtp", "ptime", "maxptime", "extmap"};

	for (size_t i = 0; line->type == 'a' && i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal(line->name, slice_from(names[i])))
			return true;
	return false;
}

static int add_lines(struct sdp *sdp, struct sdp_media *media, const struct sdp_media *of,
		     const char *label, bool is_active)
{
	int err = 0;

	for (const struct sdp_line *line = of->section.lines; line && !err; line = line->next)
		if (is_about_codecs(line))
			err = sdp_line_add(sdp, &media->section, 'a', line->value);
	if (!err)
		err = sdp_attribute_add(sdp, &media->section, "label", slice_from(label));
	if (!err)
		err = sdp_media_set_direction(media, is_active ? SDP_SENDONLY : SDP_INACTIVE);
	return err;
}

static int add_media(struct building *building, const struct sdp_media *of,
		     const struct source *source)
{
	struct arena *arena = building->command->request->arena;
	const struct options *options = &building->command->options;
	char label[12];
	struct buf formats;
	struct sdp_media *media;

	snprintf(label, sizeof(label), "%u", building->subscription->count);
	buf_init(&formats);
	for (unsigned i = 0; i < of->format_count; i++) {
		buf_add_text(&formats, i ? " " : "");
		buf_add(&formats, of->formats[i]);
	}
	struct slice text = arena_copy(arena, buf_slice(&formats));
	buf_free(&formats);
	if (!text.data)
		return -ERR_NO_MEMORY;
	int err = sdp_add_media(building->sdp, of->type, source->port, SLICE("RTP/AVP"), text,
				&media);
	return err ? err
		   : add_lines(building->sdp, media, of, label, !option(options, OPTION_INACTIVE));
}

/* What a client needs to know of one m= line of the offer: whose it is, and which of its own. */
static void describe(const struct building *building, struct ng_value *one,
		     const struct stream *stream, int side)
{
	struct arena *arena = building->command->request->arena;

	ng_dict_add_integer(arena, one, "index", (int64_t)stream->index + 1);
	ng_dict_add_string(arena, one, "type", arena_copy(arena, slice_from(stream->kind.type)));
	ng_dict_add_string(arena, one, "mode",
			   slice_from(sdp_direction_text(stream->sides[side].now.direction)));
}

static void tell_media(struct building *building, struct ng_value *list,
		       const struct stream *stream, int side)
{
	struct arena *arena = building->command->request->arena;
	const struct party *party = &stream->dialog->parties[side];
	struct ng_value *one = ng_list_add(list, ng_dict_create(arena));
	char *label = arena_printf(arena, "%u", building->subscription->count);
	struct slice text = slice_from(label ? label : "");

	describe(building, one, stream, side);
	ng_dict_add_string(arena, one, "label", text);
	one = ng_dict_add(building->labels, text, ng_dict_create(arena));
	describe(building, one, stream, side);
	ng_dict_add_string(arena, one, "tag", arena_copy(arena, slice_from(party->tag)));
	if (party->label)
		ng_dict_add_string(arena, one, "label",
				   arena_copy(arena, slice_from(party->label)));
}

/* Everything that one participant sends now. */
static int add_party(struct building *building, struct dialog *dialog, int side)
{
	struct arena *arena = building->command->request->arena;
	const struct party *party = &dialog->parties[side];
	struct slice tag = arena_copy(arena, slice_from(party->tag));
	struct sdp *sdp;

	if (!party->sdp || sdp_parse(arena, slice_from(party->sdp), &sdp, NULL) != 0)
		return 0; /* it has said nothing yet */
	struct ng_value *one = ng_list_add(building->medias, ng_dict_create(arena));
	ng_dict_add_string(arena, one, "tag", tag);
	if (party->label)
		ng_dict_add_string(arena, one, "label",
				   arena_copy(arena, slice_from(party->label)));
	struct ng_value *medias = ng_dict_add_list(arena, one, "medias");
	ng_list_add_string(arena, building->from_tags, tag);
	for (unsigned i = 0; i < dialog->stream_count && i < sdp->media_count; i++) {
		struct stream *stream = dialog->streams[i];
		struct source *source = NULL;

		if (!stream->is_live || !stream->kind.is_rtp ||
		    sdp_media_is_rejected(&sdp->media[i]))
			continue;
		int err = open_source(building, stream, side, &source);
		if (!err)
			err = add_media(building, &sdp->media[i], source);
		if (err)
			return err;
		tell_media(building, medias, stream, side);
	}
	return 0;
}

struct tags {
	struct slice names[SESSION_MAX_DIALOGS];
	unsigned count;
};

static void each_tag(void *owner, struct slice tag)
{
	struct tags *tags = owner;

	if (tags->count < SESSION_MAX_DIALOGS)
		tags->names[tags->count++] = tag;
}

static bool is_asked(const struct command *command, const struct tags *tags,
		     const struct dialog *dialog, int side)
{
	if (option(&command->options, OPTION_ALL) ||
	    (!tags->count && option(&command->options, OPTION_SIPREC)))
		return true;
	for (unsigned i = 0; i < tags->count; i++)
		if (dialog_side(dialog, tags->names[i]) == side)
			return true;
	return false;
}

static int add_parties(struct building *building)
{
	struct command *command = building->command;
	struct tags tags = {.count = 0};
	int err = 0;

	ng_each_string(ng_dict_get(command->request->dict, "from-tags"), each_tag, &tags);
	if (!tags.count && command->options.from_tag.len)
		each_tag(&tags, command->options.from_tag);
	for (struct dialog *dialog = building->session->dialogs; dialog; dialog = dialog->next)
		for (int side = 0; side < 2 && !err; side++)
			if (is_asked(command, &tags, dialog, side))
				err = add_party(building, dialog, side);
	return err ? err : building->subscription->count ? 0 : -ERR_INVALID;
}

static int create(struct building *building)
{
	struct command *command = building->command;
	struct sessions *sessions = command->sessions;
	struct slice name = ng_get_string(command->request->dict, "interface");
	struct slice tag = command->options.to_tag;
	char own[TAG_LENGTH + 1];
	unsigned count = 0;

	for (struct subscription *at = building->session->subscriptions; at; at = at->next)
		count++;
	if (count == SESSION_MAX_SUBSCRIPTIONS)
		return -ERR_TOO_MANY;
	struct subscription *subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return -ERR_NO_MEMORY;
	building->subscription = subscription;
	if (!tag.len) {
		random_text(sessions->random, own, TAG_LENGTH);
		tag = (struct slice){own, TAG_LENGTH};
	}
	subscription->tag = slice_dup(tag);
	subscription->created_ms = command->now_ms;
	struct slice label = ng_get_string(command->request->dict, "set-label");
	if (!label.len)
		label = command->options.to_label;
	if (label.len && label.len <= SESSION_MAX_TEXT && !memchr(label.data, 0, label.len))
		subscription->label = slice_dup(label); /* it may do without */
	subscription->next = building->session->subscriptions;
	building->session->subscriptions = subscription;
	if (!subscription->tag)
		return -ERR_NO_MEMORY;
	if (name.len && !interface_find(sessions, name, &subscription->interface))
		return -ERR_NOT_FOUND;
	subscription->family = command->options.family;
	if (!subscription->family)
		subscription->family =
			interface_range(sessions, subscription->interface, AF_INET, command->now_ms)
				? AF_INET
				: AF_INET6;
	return 0;
}

static int write_sdp(struct building *building)
{
	struct command *command = building->command;
	struct sessions *sessions = command->sessions;
	const struct port_range *range =
		interface_range(sessions, building->subscription->interface,
				building->subscription->family, command->now_ms);
	const struct local_interface *local =
		&sessions->interfaces[building->subscription->interface];
	struct sdp_origin origin = {
		.username = SLICE("-"),
		.session_id = SLICE("1"),
		.session_version = SLICE("1"),
	};

	if (!range)
		return -ERR_NOT_FOUND;
	struct addr address = *port_range_address(range);
	if (local->advertise.family == address.family)
		address = local->advertise;
	int err = sdp_create(command->request->arena, &origin, &address, &building->sdp);
	return err ? err : sdp_set_origin_address(building->sdp, &address);
}

static const char *why(int err)
{
	return err == -ERR_INVALID     ? "nobody with media is meant: from-tag, from-tags or all"
	       : err == -ERR_NOT_FOUND ? "no such interface, or none of this address family"
	       : err == -ERR_TOO_MANY  ? "too many subscriptions or streams"
	       : err == -ERR_NO_PORT   ? "Ran out of ports"
				       : err_text(err);
}

void command_subscribe_request(struct command *command)
{
	struct arena *arena = command->request->arena;
	struct building building = {
		.command = command,
		.session = command_session(command),
		.medias = ng_list_create(arena),
		.labels = ng_dict_create(arena),
		.from_tags = ng_list_create(arena),
	};

	if (!building.session)
		return;
	struct subscription *before = find(building.session, command->options.to_tag);
	if (before) /* it asks anew: what it had ends */
		end(building.session, before, command->now_ms);
	int err = building.medias && building.labels && building.from_tags ? create(&building)
									   : -ERR_NO_MEMORY;
	if (!err)
		err = write_sdp(&building);
	if (!err)
		err = add_parties(&building);
	struct slice body = SLICE_NONE;
	if (!err) {
		buf_clear(&command->sessions->scratch);
		sdp_write(building.sdp, &command->sessions->scratch);
		body = arena_copy(arena, buf_slice(&command->sessions->scratch));
		err = body.data ? 0 : -ERR_NO_MEMORY;
	}
	if (err) {
		if (building.subscription)
			subscription_destroy(building.session, building.subscription,
					     command->now_ms);
		command_error(command, "cannot subscribe: %s", why(err));
		return;
	}
	struct slice tag = arena_copy(arena, slice_from(building.subscription->tag));
	ng_dict_add_string(arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(arena, command->reply, "sdp", body);
	ng_dict_add_string(arena, command->reply, "to-tag", tag);
	ng_dict_add_string(arena, command->reply, "from-tag", ng_first(building.from_tags)->string);
	ng_dict_add(command->reply, SLICE("from-tags"), building.from_tags);
	ng_dict_add(command->reply, SLICE("tag-medias"), building.medias);
	ng_dict_add(command->reply, SLICE("media-labels"), building.labels);
}

static int set_rule(struct sessions *sessions, const struct source *source)
{
	struct flow_rule rule = {
		.kind = FLOW_RTP,
		.source.mode = FLOW_SOURCE_CLOSED,
		.remote = source->remote,
		.dscp = sessions->interfaces[0].dscp,
	};

	return datapath_flow_set(sessions->datapath, source->flow, &rule);
}

int subscriptions_move(struct session *session)
{
	struct sessions *sessions = session->all;
	int err = 0;

	for (struct subscription *at = session->subscriptions; at; at = at->next)
		for (unsigned i = 0; i < at->count && !err; i++) {
			struct source *source = &at->sources[i];
			struct addr local = *port_range_address(source->range);

			local.port = source->port;
			datapath_flow_close(sessions->datapath, source->flow);
			source->flow = FLOW_NONE;
			err = datapath_flow_open(sessions->datapath, &local, session->affinity,
						 &source->flow);
			if (!err && source->is_answered)
				err = set_rule(sessions, source);
		}
	return err;
}

static int answer_source(struct command *command, struct source *source,
			 const struct sdp_media *media)
{
	struct addr remote;

	source->is_answered = false;
	if (sdp_media_is_rejected(media) || !(sdp_media_direction(media) & SDP_RECVONLY))
		return 0;
	if (sdp_media_rtp_addr(media, &remote) != 0)
		return -ERR_MALFORMED;
	if (remote.family != port_range_address(source->range)->family)
		return -ERR_UNSUPPORTED;
	source->remote = remote;
	int err = set_rule(command->sessions, source);
	source->is_answered = err == 0;
	return err;
}

static struct subscription *command_subscription(struct command *command, struct session **session)
{
	*session = command_session(command);
	if (!*session)
		return NULL;
	struct subscription *subscription = find(*session, command->options.to_tag);
	if (!subscription)
		command_error(command, "no subscription with this to-tag");
	return subscription;
}

void command_subscribe_answer(struct command *command)
{
	struct session *session;
	struct subscription *subscription = command_subscription(command, &session);
	struct sdp *sdp;

	if (!subscription || command_sdp(command, &sdp) != 0)
		return;
	if (sdp->media_count > subscription->count) {
		command_error(command, "the answer has %u media, the offer had %u",
			      sdp->media_count, subscription->count);
		return;
	}
	for (unsigned i = 0; i < sdp->media_count; i++) {
		int err = answer_source(command, &subscription->sources[i], &sdp->media[i]);
		if (err) {
			command_error(command, "media %u: %s", i + 1,
				      err == -ERR_UNSUPPORTED ? "its address is of another family"
							      : err_text(err));
			return;
		}
	}
	session_publish(session);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}

void command_unsubscribe(struct command *command)
{
	struct session *session;
	struct subscription *subscription = command_subscription(command, &session);

	if (!subscription)
		return;
	end(session, subscription, command->now_ms);
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}
