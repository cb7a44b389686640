/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/media.h"
#include <stdlib.h>
#include "sbc/media/policy.h"
#include "sbc/media/request.h"

/* The same complaint is logged at most so often. */
enum { COMPLAIN_MS = 10000 };
/* Calls whose relay is another process are silent until that is known. */
enum { PING_MS = 1000 };
enum { ARENA_CHUNK = 32768, ARENA_LIMIT = 1024 * 1024, STATE_MAX = 8192 };

struct media {
	struct worker *worker;
	struct ng_client *client;
	struct arena *arena; /* of the request in hand */
	struct media_handlers handlers;
	void *owner;
	char mark[CONFIG_STORE_MARK_SIZE];
	uint64_t complained_ms;
	struct media_counters counters;
};

static void on_ended(void *owner, int relay, struct slice id)
{
	struct media *media = owner;

	counter_add(&media->counters.ended, 1);
	media->handlers.on_ended(media->owner, relay, id);
}

static void on_news(void *owner, int relay, enum ng_news news)
{
	struct media *media = owner;
	struct ng_relay_state state;

	ng_client_relays(media->client, (unsigned)relay, &state);
	if (news == NG_NEWS_RESTARTED) {
		counter_add(&media->counters.restarts, 1);
		log_warn(media->worker->log, "relay.restarted",
			 "relay=%s calls=%u effect=\"they get new media by re-INVITE\"", state.name,
			 state.calls);
	} else if (news == NG_NEWS_LOST) {
		counter_add(&media->counters.lost, 1);
		log_warn(media->worker->log, "relay.lost",
			 "relay=%s calls=%u effect=\"they go to another one, if there is one\"",
			 state.name, state.calls);
	}
	media->handlers.on_relay(media->owner, relay, news);
}

static struct ng_endpoint endpoint_of(const struct config_endpoint *config)
{
	struct ng_endpoint endpoint = {.addr = config->addr, .path = config->path};

	switch (config->transport) {
	case CONFIG_UDP:
		endpoint.transport = NG_UDP;
		break;
	case CONFIG_TCP:
		endpoint.transport = NG_TCP;
		break;
	case CONFIG_UNIX:
		endpoint.transport = NG_UNIX;
		break;
	default: /* NG is spoken in no other way */
		break;
	}
	return endpoint;
}

static int create_client(struct media *media)
{
	const struct config_relay *relay = &media->worker->config->relay;
	struct ng_relay_config relays[NG_MAX_RELAYS];
	unsigned count = 0;

	for (size_t i = 0; i < relay->control_count && count < NG_MAX_RELAYS; i++)
		relays[count++] =
			(struct ng_relay_config){.name = relay->control[i].text,
						 .endpoint = endpoint_of(&relay->control[i])};
	struct ng_client_config config = {
		.loop = media->worker->loop,
		.wheel = media->worker->wheel,
		.log = media->worker->log,
		.random = media->worker->random,
		.relays = relays,
		.relay_count = count,
		.timeout_ms = relay->timeout_ms,
		.ping_ms = PING_MS,
	};
	return ng_client_create(&config, &media->client);
}

int media_create(struct worker *worker, const struct media_handlers *handlers, void *owner,
		 struct media **out)
{
	struct media *media = calloc(1, sizeof(*media));
	if (!media)
		return -ERR_NO_MEMORY;

	media->worker = worker;
	media->handlers = *handlers;
	media->owner = owner;
	config_store_mark(worker->config, media->mark);
	int err = arena_create(ARENA_CHUNK, ARENA_LIMIT, &media->arena);
	if (!err)
		err = create_client(media);
	if (err) {
		media_destroy(media);
		return err;
	}
	ng_client_on_ended(media->client, on_ended, media);
	ng_client_on_news(media->client, on_news, media);
	*out = media;
	return 0;
}

void media_destroy(struct media *media)
{
	if (!media)
		return;
	ng_client_destroy(media->client);
	arena_destroy(media->arena);
	free(media);
}

void media_session_init(struct media_session *session, const char id[TOKEN_LENGTH])
{
	*session = (struct media_session){.relay = -1};
	memcpy(session->id, id, TOKEN_LENGTH);
}

unsigned int media_status_of(int err)
{
	switch (-err) {
	case ERR_MALFORMED:
	case ERR_TOO_LARGE:
	case ERR_TOO_MANY:
	case ERR_UNSUPPORTED:
		return 488;
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
	case ERR_BUSY:
		return 503;
	default:
		return 500;
	}
}

static void complain(struct media *media, const char *cause)
{
	uint64_t now = wheel_now_ms(media->worker->wheel);

	counter_add(&media->counters.no_relay, 1);
	if (media->complained_ms && now - media->complained_ms < COMPLAIN_MS)
		return;
	media->complained_ms = now;
	const struct config_relay *relay = &media->worker->config->relay;
	log_error(media->worker->log, "media.no_relay",
		  "cause=\"%s\" relay=%s cure=\"start postern-rtpengine, or name a running relay "
		  "under relay: control:\"",
		  cause, relay->control_count > 0 ? relay->control[0].text : "none");
}

static bool is_full(struct slice reason)
{
	static const char *const texts[] = {"Parallel session limit reached", "Ran out of ports",
					    "CPU usage limit exceeded", "Load limit exceeded",
					    "Bandwidth limit exceeded"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (slice_find_slice(reason, slice_from(texts[i])) < reason.len)
			return true;
	return false;
}

/* The relay answered, but not with ok. */
static void read_refusal(const struct ng_value *dict, char *text, size_t size,
			 struct media_result *result)
{
	struct slice verdict = ng_get_string(dict, "result");
	struct slice reason = ng_get_string(dict, "error-reason");

	if (slice_equal(verdict, SLICE("load limit")))
		reason = ng_get_string(dict, "message");
	slice_copy(reason, text, size);
	result->reason = text;
	if (slice_equal(verdict, SLICE("load limit")) || is_full(reason)) {
		result->err = -ERR_BUSY;
		result->status = 503;
	} else if (slice_find_slice(reason, SLICE("Unknown call")) < reason.len) {
		result->err = -ERR_NOT_FOUND;
		result->status = 500;
	} else {
		result->err = -ERR_REFUSED;
		result->status = 488;
	}
}

static void on_reply(void *owner, uint64_t handle, const struct ng_reply *reply)
{
	struct media *media = owner;
	struct media_result result = {.relay = reply->relay};
	char text[160];

	if (reply->err) {
		result.err = reply->err;
		result.status = 503;
		result.reason = err_text(reply->err);
		complain(media, result.reason);
	} else if (!slice_equal(ng_get_string(reply->dict, "result"), SLICE("ok"))) {
		read_refusal(reply->dict, text, sizeof(text), &result);
	} else {
		result.sdp = ng_get_string(reply->dict, "sdp");
		result.state = ng_get_string(reply->dict, "state");
		if (result.state.len > STATE_MAX)
			result.state = SLICE_NONE;
		if (slice_is_empty(result.sdp)) {
			result.err = -ERR_MALFORMED;
			result.status = 500;
			result.reason = "the relay's answer holds no SDP";
		}
	}
	if (result.err)
		counter_add(&media->counters.failed, 1);
	media->handlers.on_result(media->owner, handle, &result);
}

/* What both sides allow of it, in the arena. */
static int use_codecs(struct media *media, const struct media_end *from, const struct media_end *to,
		      struct slice *sdp)
{
	struct buf allowed;

	if (from->codecs.count == 0 && to->codecs.count == 0)
		return 0;
	buf_init(&allowed);
	int err = codecs_filter(media->arena, *sdp, from->codecs, to->codecs, &allowed);
	struct slice copy = err ? *sdp : arena_copy(media->arena, buf_slice(&allowed));
	buf_free(&allowed);
	if (!err && !copy.data)
		err = -ERR_NO_MEMORY;
	if (!err)
		*sdp = copy;
	return err;
}

static bool is_ours(const struct media *media, const struct media_session *session)
{
	return session->relay < 0 ? ng_client_relays_are_ours(media->client)
				  : ng_client_relay_is_ours(media->client, session->relay);
}

int media_exchange(struct media *media, enum media_verb verb, struct media_session *session,
		   const struct media_end *from, const struct media_end *to, struct slice sdp,
		   uint64_t handle)
{
	bool differs;

	arena_reset(media->arena);
	int err =
		verb == MEDIA_OFFER ? policy_check(policy_of(media->worker->config, from), sdp) : 0;
	if (!err)
		err = use_codecs(media, from, to, &sdp);
	if (!err)
		err = request_is_natted(media->arena, sdp, &from->source, &differs);
	if (err)
		return err;
	struct ng_value *dict = request_exchange(media->arena, media->worker->config, verb, session,
						 from, to, sdp, differs && !from->is_trusted);
	if (dict && session->keeps_state && is_ours(media, session))
		ng_dict_add_string(media->arena, dict, "state", slice_from(media->mark));
	/* So that it need not look for it in the store, though there is a to-tag. */
	if (dict && verb == MEDIA_OFFER && !session->is_open && is_ours(media, session))
		ng_dict_add_integer(media->arena, dict, "new", 1);
	if (!dict || !ng_value_is_whole(dict))
		return -ERR_NO_MEMORY;
	counter_add(verb == MEDIA_OFFER ? &media->counters.offers : &media->counters.answers, 1);
	err = ng_client_request(media->client, session->relay, dict, on_reply, media, handle);
	if (err) {
		counter_add(&media->counters.failed, 1);
		complain(media, err == -ERR_UNREACHABLE ? "no relay answers" : err_text(err));
		return err == -ERR_TOO_MANY ? -ERR_BUSY : err;
	}
	session->is_open = true;
	return 0;
}

void media_delete(struct media *media, struct media_session *session)
{
	if (!session->is_open)
		return;
	session->is_open = false;
	arena_reset(media->arena);
	struct ng_value *dict = request_plain(media->arena, "delete", session);
	ng_dict_add_integer(media->arena, dict, "delete-delay", 0);
	/* Nobody reads the last numbers: ours leaves them out. */
	if (ng_client_relay_is_ours(media->client, session->relay))
		ng_list_add_string(media->arena, ng_dict_add_list(media->arena, dict, "flags"),
				   SLICE("fast"));
	counter_add(&media->counters.deletes, 1);
	if (!dict || !ng_value_is_whole(dict) ||
	    ng_client_request(media->client, session->relay, dict, NULL, NULL, 0) != 0)
		log_debug(media->worker->log, "media.delete_not_sent", "call=%.*s", TOKEN_LENGTH,
			  session->id);
}

int media_query(struct media *media, const struct media_session *session, ng_done_fn *done,
		void *owner, uint64_t handle)
{
	arena_reset(media->arena);
	struct ng_value *dict = request_plain(media->arena, "query", session);
	if (!dict || !ng_value_is_whole(dict))
		return -ERR_NO_MEMORY;
	counter_add(&media->counters.queries, 1);
	return ng_client_request(media->client, session->relay, dict, done, owner, handle);
}

static void on_check(void *owner, uint64_t handle, const struct ng_reply *reply)
{
	struct media *media = owner;

	if (reply->err || slice_equal(ng_get_string(reply->dict, "result"), SLICE("ok")))
		return;
	struct slice reason = ng_get_string(reply->dict, "error-reason");
	if (slice_find_slice(reason, SLICE("Unknown call")) == reason.len)
		return;
	counter_add(&media->counters.ended, 1);
	media->handlers.on_unknown(media->owner, handle);
}

void media_check(struct media *media, const struct media_session *session, uint64_t handle)
{
	if (media_query(media, session, on_check, media, handle) != 0)
		log_debug(media->worker->log, "media.check_not_sent", "call=%.*s", TOKEN_LENGTH,
			  session->id);
}

bool media_tells_end(const struct media *media, const struct media_session *session)
{
	return ng_client_relay_is_ours(media->client, session->relay);
}

const struct media_counters *media_counters(const struct media *media)
{
	return &media->counters;
}

const struct ng_client *media_client(const struct media *media)
{
	return media->client;
}
