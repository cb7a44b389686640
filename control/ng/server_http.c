/* server_http.c - NG over HTTP (libmicrohttpd behind this file): POST /ng with "cookie document",
 * POST /ng-plain with the document alone, GET /ping, and the handshake of the WebSocket
 * subprotocols ng.rtpengine.com and ng-plain.rtpengine.com (RFC 6455 4.2), whose frames
 * server_ws.c handles. The daemon has no thread: it runs in our loop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/serving.h"
#include <microhttpd.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#define REPLY_MAX   (1u << 20)
#define REQUEST_MAX (NG_MAX_BYTES + NG_COOKIE_MAX_BYTES + 1)
#define IDLE_S      60
#define MEMORY_MAX  (32u << 10) /* of one connection, for its headers */
#define TURNS_MAX   8           /* of the daemon in one wake-up */
#define WAIT_MAX_MS 1000        /* it is asked at least so often while a connection is there */

struct ng_http {
	struct ng_listener *listener;
	struct MHD_Daemon *daemon;
	struct loop_io *io;
	struct timer timer;
	struct addr source; /* of the request at hand, copied from its connection */
};

struct request { /* a body that comes in pieces */
	struct buf body;
	bool is_too_large;
	bool was_held;
	struct ng_http *http;
	struct MHD_Connection *connection; /* while it is held */
};

static void run(struct ng_http *http);

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	run(container_of(timer, struct ng_http, timer));
}

static void on_io(void *owner, int events)
{
	(void)events;
	run(owner);
}

static void run(struct ng_http *http)
{
	struct ng_server *server = http->listener->server;
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	bool waits = true;

	for (unsigned i = 0; i < TURNS_MAX && waits && !wait_ms; i++) {
		(void)MHD_run(http->daemon);
		waits = MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES;
	}
	wheel_cancel(server->wheel, &http->timer);
	if (waits)
		wheel_arm(server->wheel, &http->timer,
			  ng_server_now_ms(server) +
				  (wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS),
			  on_timer);
}

static struct addr source_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct addr source = {.family = 0};

	if (info && info->client_addr)
		addr_from_sockaddr(info->client_addr, &source);
	return source;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
			       struct slice body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);

	if (!response)
		return MHD_NO;
	enum MHD_Result done = MHD_add_response_header(response, "Content-Type", type);
	if (done == MHD_YES)
		done = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return done;
}

static enum MHD_Result respond_error(struct MHD_Connection *connection, unsigned status,
				     const char *text)
{
	return respond(connection, status, "text/plain", slice_from(text));
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

	return value ? value : "";
}

/* A token of a comma-separated list, in any case. */
static bool has_token(const char *list, struct slice token)
{
	struct slice rest = slice_from(list);

	while (rest.len) {
		size_t end = slice_find(rest, ',');

		if (slice_equal_nocase(slice_trim(slice_sub(rest, 0, end)), token))
			return true;
		rest = slice_sub(rest, end + 1, rest.len);
	}
	return false;
}

/* RFC 6455 4.2.2: base64 of the SHA-1 of the key and a known text. */
static bool accept_text(const char *key, char out[29])
{
	static const char known[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[24 + sizeof(known)];
	unsigned len = 0;

	if (strlen(key) != 24)
		return false;
	memcpy(text, key, 24);
	memcpy(text + 24, known, sizeof(known));
	if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha1(), NULL) != 1 || len != 20)
		return false;
	return EVP_EncodeBlock((unsigned char *)out, digest, (int)len) == 28;
}

static void on_upgraded(void *owner, struct MHD_Connection *connection, void *of_request,
			const char *extra, size_t extra_len, MHD_socket fd,
			struct MHD_UpgradeResponseHandle *handle)
{
	struct ng_http *http = owner;
	struct addr source = source_of(connection);
	bool is_plain =
		has_token(header(connection, "Sec-WebSocket-Protocol"),
			  SLICE("ng-plain.rtpengine.com")) &&
		!has_token(header(connection, "Sec-WebSocket-Protocol"), SLICE("ng.rtpengine.com"));

	(void)of_request;
	if (ng_websocket_open(http->listener, fd, &source, is_plain,
			      (struct slice){extra, extra_len}, handle) != 0)
		(void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

void ng_http_release(struct ng_listener *listener, void *handle)
{
	(void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
	run(listener->http); /* it closes the socket */
}

static enum MHD_Result upgrade(struct ng_http *http, struct MHD_Connection *connection)
{
	const char *offered = header(connection, "Sec-WebSocket-Protocol");
	const char *protocol = has_token(offered, SLICE("ng.rtpengine.com")) ? "ng.rtpengine.com"
			       : has_token(offered, SLICE("ng-plain.rtpengine.com"))
				       ? "ng-plain.rtpengine.com"
				       : NULL;
	char accept[29];

	if (!has_token(header(connection, "Connection"), SLICE("upgrade")) ||
	    strcmp(header(connection, "Sec-WebSocket-Version"), "13") != 0 ||
	    !accept_text(header(connection, "Sec-WebSocket-Key"), accept))
		return respond_error(connection, MHD_HTTP_BAD_REQUEST,
				     "not a WebSocket handshake (RFC 6455 4.2.1)\n");
	if (!protocol)
		return respond_error(connection, MHD_HTTP_BAD_REQUEST,
				     "subprotocols: ng.rtpengine.com, ng-plain.rtpengine.com\n");
	struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgraded, http);
	if (!response)
		return MHD_NO;
	enum MHD_Result done = MHD_NO;
	if (MHD_add_response_header(response, "Upgrade", "websocket") == MHD_YES &&
	    MHD_add_response_header(response, "Sec-WebSocket-Accept", accept) == MHD_YES &&
	    MHD_add_response_header(response, "Sec-WebSocket-Protocol", protocol) == MHD_YES)
		done = MHD_queue_response(connection, MHD_HTTP_SWITCHING_PROTOCOLS, response);
	MHD_destroy_response(response);
	return done;
}

static void on_again(struct ng_held *held)
{
	struct request *request = held->owner;

	MHD_resume_connection(request->connection); /* and on_request() comes again */
	run(request->http);
}

static bool hold(struct ng_http *http, struct MHD_Connection *connection, struct request *request,
		 uint64_t number)
{
	if (!ng_held_add(http->listener->server, number, on_again, request, SLICE_NONE))
		return false;
	request->was_held = true;
	request->http = http;
	request->connection = connection;
	MHD_suspend_connection(connection);
	return true;
}

static enum MHD_Result answer_post(struct ng_http *http, struct MHD_Connection *connection,
				   const char *path, struct request *request)
{
	struct ng_server *server = http->listener->server;
	struct addr source = source_of(connection);
	struct slice body = buf_slice(&request->body);
	bool is_plain = strcmp(path, "/ng-plain") == 0;
	struct ng_message message = {.source = &source,
				     .document = body,
				     .max_bytes = REPLY_MAX,
				     .may_wait = !request->was_held};
	struct buf answer;

	if (request->is_too_large || buf_failed(&request->body))
		return respond_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "too large\n");
	if (!is_plain && strcmp(path, "/ng") != 0)
		return respond_error(connection, MHD_HTTP_NOT_FOUND,
				     "POST /ng or POST /ng-plain\n");
	if (!is_plain && !ng_split_cookie(body, &message.cookie, &message.document))
		return respond_error(connection, MHD_HTTP_BAD_REQUEST,
				     "no cookie before the document\n");
	buf_init(&answer);
	uint64_t wait = ng_server_answer(server, &message, &answer);
	if (wait) {
		buf_free(&answer);
		return hold(http, connection, request, wait) ? MHD_YES : MHD_NO;
	}
	enum MHD_Result done = buf_failed(&answer)
				       ? MHD_NO
				       : respond(connection, MHD_HTTP_OK,
						 is_plain && body.len && body.data[0] == '{'
							 ? "application/json"
							 : "application/x-rtpengine-ng",
						 buf_slice(&answer));
	buf_free(&answer);
	return done;
}

static enum MHD_Result take_body(struct request *request, const char *data, size_t *len)
{
	if (request->body.len + *len > REQUEST_MAX)
		request->is_too_large = true;
	else
		buf_add(&request->body, (struct slice){data, *len});
	*len = 0;
	return MHD_YES;
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **of_request)
{
	struct ng_http *http = owner;
	struct request *request = *of_request;

	(void)version;
	if (!request) {
		request = calloc(1, sizeof(*request));
		*of_request = request;
		return request ? MHD_YES : MHD_NO;
	}
	if (*data_len)
		return take_body(request, data, data_len);
	if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
		return answer_post(http, connection, path, request);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return respond_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or POST\n");
	if (has_token(header(connection, "Upgrade"), SLICE("websocket")))
		return upgrade(http, connection);
	if (strcmp(path, "/ping") == 0)
		return respond(connection, MHD_HTTP_OK, "text/plain", SLICE("pong\n"));
	return respond_error(connection, MHD_HTTP_NOT_FOUND, "GET /ping\n");
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **of_request,
			 enum MHD_RequestTerminationCode code)
{
	struct request *request = *of_request;

	struct ng_http *http = owner;

	(void)connection;
	(void)code;
	if (!request)
		return;
	ng_held_drop(http->listener->server, request);
	buf_free(&request->body);
	free(request);
	*of_request = NULL;
}

static enum MHD_Result on_accept(void *owner, const struct sockaddr *name, socklen_t len)
{
	struct ng_http *http = owner;
	struct ng_server *server = http->listener->server;
	struct addr source;

	(void)len;
	addr_from_sockaddr(name, &source);
	if (ng_server_allows(server, &source))
		return MHD_YES;
	counter_add(&server->counters.denied, 1);
	return MHD_NO;
}

/* What it says at odd hours is about single connections. */
static void on_log(void *owner, const char *format, va_list args)
{
	(void)owner;
	(void)format;
	(void)args;
}

int ng_http_listen(struct ng_listener *listener)
{
	struct ng_server *server = listener->server;
	struct ng_http *http = calloc(1, sizeof(*http));
	int err = http ? ng_stream_bind(listener) : -ERR_NO_MEMORY;

	if (err) {
		free(http);
		return err;
	}
	http->listener = listener;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, http,
		on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_CONNECTION_LIMIT,
		server->max_connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, http, MHD_OPTION_END);
	listener->http = http;
	if (!http->daemon)
		return -ERR_SYSTEM;
	listener->fd = -1; /* the daemon's now */
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ERR_SYSTEM;
	return loop_io_add(server->loop, info->epoll_fd, LOOP_READ, on_io, http, &http->io);
}

void ng_http_close(struct ng_listener *listener)
{
	struct ng_http *http = listener->http;

	if (!http)
		return;
	wheel_cancel(listener->server->wheel, &http->timer);
	loop_io_remove(http->io);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	free(http);
	listener->http = NULL;
}
