/* server.c - the NG server's life, and a message turned into its reply.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/server.h"
#include "control/ng/bencode.h"
#include "control/ng/json.h"
#include "control/ng/serving.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CACHE_MS        30000
#define CACHE_BYTES     (32u << 20)
#define MAX_CONNECTIONS 256
#define IDLE_MS         10000
#define UNIX_MODE       0660
/* A request of NG_MAX_VALUES values, its reply, and room for the handler's work. */
#define ARENA_FIRST (256u << 10)
#define ARENA_LIMIT (16u << 20)

uint64_t ng_server_now_ms(const struct ng_server *server)
{
	return server->own_clock ? wheel_now_ms(server->wheel) : loop_now_ms(server->loop);
}

bool ng_server_allows(const struct ng_server *server, const struct addr *source)
{
	for (unsigned i = 0; i < server->allow_count; i++)
		if (cidr_contains(&server->allow[i], source))
			return true;
	return server->allow_count == 0;
}

bool ng_split_cookie(struct slice message, struct slice *cookie, struct slice *document)
{
	size_t space = slice_find(slice_sub(message, 0, NG_COOKIE_MAX_BYTES + 1), ' ');

	if (space == 0 || space > NG_COOKIE_MAX_BYTES || space >= message.len)
		return false;
	*cookie = slice_sub(message, 0, space);
	*document = slice_sub(message, space + 1, message.len - space - 1);
	return true;
}

/* The errors of the framing speak with the words that NG clients know. */
static const char *read_document(struct ng_server *server, struct slice document, bool *is_json,
				 struct ng_value **out)
{
	*is_json = false;
	if (!document.len)
		return "Invalid data (no payload)";
	if (document.data[0] == 'd')
		return bencode_read(server->arena, document, out)
			       ? "Could not decode bencode dictionary"
			       : NULL;
	if (document.data[0] != '{')
		return "Invalid NG data format";
	*is_json = true;
	return ng_json_read(server->arena, document, out) ? "Failed to parse JSON document" : NULL;
}

static const char *run_handler(struct ng_server *server, const struct ng_message *message,
			       const struct ng_value *dict, uint64_t *wait, struct ng_value *reply)
{
	struct ng_request request = {
		.arena = server->arena,
		.command = ng_get_string(dict, "command"),
		.dict = dict,
		.source = *message->source,
		.wait = message->may_wait && ng_held_has_room(server) ? wait : NULL,
	};

	if (!request.command.data)
		return "Dictionary contains no key \"command\"";
	server->handler(server->owner, &request, reply);
	if (*wait)
		return NULL;
	counter_add(&server->counters.requests, 1);
	if (!ng_value_is_whole(reply))
		return "Out of memory";
	return reply->count ? NULL : "No reply to this command";
}

static void write_error(struct buf *out, bool is_json, const char *reason)
{
	struct ng_value text = {
		.type = NG_STRING, .key = SLICE("error-reason"), .string = slice_from(reason)};
	struct ng_value result = {
		.type = NG_STRING, .key = SLICE("result"), .string = SLICE("error"), .next = &text};
	struct ng_value dict = {.type = NG_DICT, .first = &result, .last = &text, .count = 2};

	if (is_json)
		ng_json_write(out, &dict);
	else
		bencode_write(out, &dict);
}

static uint64_t answer(struct ng_server *server, const struct ng_message *message, struct buf *out)
{
	size_t start = out->len;
	struct ng_value *dict = NULL;
	uint64_t wait = 0;
	bool is_json;

	arena_reset(server->arena);
	const char *reason = read_document(server, message->document, &is_json, &dict);
	if (!reason) {
		struct ng_value *reply = ng_dict_create(server->arena);

		reason = reply ? run_handler(server, message, dict, &wait, reply) : "Out of memory";
		if (wait)
			return wait;
		if (!reason && is_json)
			ng_json_write(out, reply);
		else if (!reason)
			bencode_write(out, reply);
	}
	if (!reason && out->len - start > message->max_bytes - message->cookie.len - 1)
		reason = "Reply too large";
	if (!reason)
		return 0;
	counter_add(&server->counters.errors, 1);
	out->len = start;
	write_error(out, is_json, reason);
	return 0;
}

uint64_t ng_server_answer(struct ng_server *server, const struct ng_message *message,
			  struct buf *out)
{
	uint64_t now_ms = ng_server_now_ms(server);
	size_t start = out->len;
	struct slice known;

	if (slice_is_empty(message->cookie))
		return answer(server, message, out);
	if (ng_cache_get(server->cache, now_ms, message->source, message->cookie, &known)) {
		counter_add(&server->counters.duplicates, 1);
		buf_add(out, known);
		return 0;
	}
	buf_add(out, message->cookie);
	buf_add_char(out, ' ');
	uint64_t wait = answer(server, message, out);
	if (wait)
		out->len = start;
	else if (!buf_failed(out))
		ng_cache_put(server->cache, now_ms, message->source, message->cookie,
			     slice_sub(buf_slice(out), start, out->len - start));
	return wait;
}

int ng_server_allow(struct ng_server *server, const struct cidr *allow, unsigned count)
{
	struct cidr *copy = calloc(count + 1u, sizeof(*copy));

	if (!copy)
		return -ERR_NO_MEMORY;
	for (unsigned i = 0; i < count; i++)
		copy[i] = allow[i];
	free(server->allow);
	server->allow = copy;
	server->allow_count = count;
	return 0;
}

static int open_listener(struct ng_server *server, const struct ng_endpoint *endpoint)
{
	struct ng_listener *listener = &server->listeners[server->listener_count++];

	*listener = (struct ng_listener){.server = server, .endpoint = *endpoint, .fd = -1};
	listener->endpoint.path = NULL;
	if (endpoint->transport == NG_UDP)
		return ng_udp_listen(listener);
	if (endpoint->transport == NG_HTTP)
		return ng_http_listen(listener);
	if (endpoint->transport == NG_UNIX) {
		if (!endpoint->path)
			return -ERR_INVALID;
		listener->endpoint.path = slice_dup(slice_from(endpoint->path));
		if (!listener->endpoint.path)
			return -ERR_NO_MEMORY;
	}
	return ng_stream_listen(listener);
}

static void log_listener(const struct ng_server *server, const struct ng_listener *listener,
			 int err)
{
	static const char *const names[] = {"udp", "tcp", "unix", "http"};
	char text[ADDR_TEXT_SIZE];
	const char *where =
		listener->endpoint.path
			? listener->endpoint.path
			: addr_text(err ? &listener->endpoint.addr : &listener->bound, text);
	const char *transport = names[listener->endpoint.transport];

	if (err)
		log_error(server->log, "ng.listen-failed", "transport=%s address=%s error=\"%s\"",
			  transport, where, err_text(err));
	else
		log_info(server->log, "ng.listening", "transport=%s address=%s", transport, where);
}

int ng_server_create(const struct ng_server_config *config, struct ng_server **out)
{
	struct ng_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ERR_NO_MEMORY;
	server->loop = config->loop;
	server->own_clock = config->wheel != NULL;
	server->wheel = config->wheel ? config->wheel : loop_wheel(config->loop);
	server->log = config->log;
	server->handler = config->handler;
	server->owner = config->owner;
	server->idle_ms = config->idle_ms ? config->idle_ms : IDLE_MS;
	server->unix_mode = config->unix_mode ? config->unix_mode : UNIX_MODE;
	server->max_connections =
		config->max_connections ? config->max_connections : MAX_CONNECTIONS;
	int err = arena_create(ARENA_FIRST, ARENA_LIMIT, &server->arena);
	if (!err)
		err = ng_cache_create(config->cache_ms ? config->cache_ms : CACHE_MS,
				      config->cache_bytes ? config->cache_bytes : CACHE_BYTES,
				      ng_server_now_ms(server), &server->cache);
	if (!err)
		err = ng_udp_create(&server->udp);
	if (!err)
		err = ng_server_allow(server, config->allow, config->allow_count);
	if (err)
		goto fail;
	err = -ERR_NO_MEMORY;
	server->listeners = calloc(config->listener_count + 1, sizeof(server->listeners[0]));
	if (!server->listeners)
		goto fail;
	for (unsigned i = 0; i < config->listener_count; i++) {
		err = open_listener(server, &config->listeners[i]);
		log_listener(server, &server->listeners[i], err);
		if (err)
			goto fail;
	}
	*out = server;
	return 0;
fail:
	ng_server_destroy(server);
	return err;
}

void ng_server_destroy(struct ng_server *server)
{
	if (!server)
		return;
	ng_held_end(server);
	ng_stream_close_all(server);
	ng_websocket_close_all(server);
	for (unsigned i = 0; i < server->listener_count; i++) {
		struct ng_listener *listener = &server->listeners[i];

		ng_http_close(listener);
		wheel_cancel(server->wheel, &listener->rest);
		loop_io_remove(listener->io);
		if (listener->fd >= 0) {
			close(listener->fd);
			if (listener->endpoint.path)
				(void)unlink(listener->endpoint.path);
		}
		free((char *)(uintptr_t)listener->endpoint.path);
	}
	free(server->listeners);
	free(server->allow);
	ng_udp_destroy(server->udp);
	ng_cache_destroy(server->cache);
	arena_destroy(server->arena);
	free(server);
}

const struct ng_server_counters *ng_server_counters(const struct ng_server *server)
{
	return &server->counters;
}

int ng_server_address(const struct ng_server *server, unsigned index, struct addr *out)
{
	if (index >= server->listener_count || server->listeners[index].endpoint.path)
		return -ERR_NOT_FOUND;
	*out = server->listeners[index].bound;
	return 0;
}
