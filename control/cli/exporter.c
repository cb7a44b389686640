/* postern exporter: what the stats sockets know, for Prometheus. A process of its own, started by
 * `postern run` when stats.prometheus is set: whoever reads it slowly, or attacks it, meets nothing
 * that carries calls. The halves are asked at most once a second however often it is read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "control/base/log.h"
#include "control/stats/client.h"
#include "control/stats/metrics.h"

#define ASK_MS      1000 /* of one question */
#define FRESH_MS    1000
#define READERS     16u
#define READERS_ONE 8u  /* of one address */
#define IDLE_S      10u /* of a reader that says or takes nothing */
#define MEMORY_MAX  ((size_t)16 << 10)
#define CONTENT     "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct exporter {
	struct config *config;
	struct log log;
	struct MHD_Daemon *daemon;
	struct buf text; /* of the last answer; the daemon's thread alone */
	uint64_t made_ms;
};

struct question {
	const char *command;
	const char *prefix;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- the answer ---------------------------------------------------------------------------------
 */

static void ask_half(struct metrics *metrics, const char *half, const char *socket,
		     const struct question *questions, size_t count)
{
	struct stats_client *client = NULL;
	int err = stats_client_open(socket, ASK_MS, &client);

	for (size_t i = 0; !err && i < count; i++) {
		json_t *answer = NULL;
		err = stats_client_ask(client, slice_from(questions[i].command), &answer);
		if (!err)
			metrics_add(metrics, questions[i].prefix, answer);
		json_decref(answer);
	}
	stats_client_close(client);
	metrics_add_gauge(metrics, "postern_answers", "half", half, err == 0);
}

static int make(const struct exporter *exporter, struct buf *out)
{
	static const struct question of_sbc[] = {{"show stats", "postern_sbc"},
						 {"show interfaces", "postern_interface"},
						 {"show peers", "postern_peer"},
						 {"show relays", "postern_relay"}};
	static const struct question of_relay[] = {{"show stats", "postern_rtpengine"}};
	const struct config *config = exporter->config;
	struct metrics *metrics;
	int err = metrics_create(&metrics);

	if (err)
		return err;
	metrics_add_gauge(metrics, "postern_build", "version", POSTERN_VERSION, 1);
	ask_half(metrics, "sbc", config->stats.socket, of_sbc, sizeof(of_sbc) / sizeof(of_sbc[0]));
	if (config->relay.listen_count)
		ask_half(metrics, "rtpengine", config->stats.relay_socket, of_relay,
			 sizeof(of_relay) / sizeof(of_relay[0]));
	err = metrics_write(metrics, out);
	metrics_destroy(metrics);
	return err;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
			       struct slice body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);

	if (!response)
		return MHD_NO;
	enum MHD_Result done = MHD_add_response_header(response, "Content-Type", type);
	/* What is left to read waits in the kernel, not here. */
	if (done == MHD_YES)
		done = MHD_add_response_header(response, "Connection", "close");
	if (done == MHD_YES)
		done = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return done;
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **of_request)
{
	struct exporter *exporter = owner;

	(void)version;
	(void)data;
	(void)of_request;
	*data_len = 0;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
			       SLICE("GET /metrics\n"));
	if (strcmp(path, "/metrics") != 0)
		return respond(connection, MHD_HTTP_NOT_FOUND, "text/plain",
			       SLICE("GET /metrics\n"));
	if (!exporter->text.len || now_ms() - exporter->made_ms >= FRESH_MS) {
		buf_clear(&exporter->text);
		int err = make(exporter, &exporter->text);
		if (err) {
			buf_clear(&exporter->text);
			return respond(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
				       slice_from(err_text(err)));
		}
		exporter->made_ms = now_ms();
	}
	return respond(connection, MHD_HTTP_OK, CONTENT, buf_slice(&exporter->text));
}

/* What the daemon says at odd hours is about single readers. */
static void on_log(void *owner, const char *format, va_list args)
{
	(void)owner;
	(void)format;
	(void)args;
}

/* --- the process --------------------------------------------------------------------------------
 */

static int say(const struct exporter *exporter, const char *what)
{
	char text[ADDR_TEXT_SIZE];
	int err = err_from_errno(errno);

	log_error(&exporter->log, "exporter.failed", "address=%s step=%s reason=\"%s\"%s",
		  addr_text(&exporter->config->stats.prometheus, text), what, strerror(errno),
		  errno == EADDRINUSE
			  ? " cure=\"another program listens there: choose another port\""
			  : "");
	return err;
}

static int open_socket(const struct exporter *exporter, int *out)
{
	const struct addr *at = &exporter->config->stats.prometheus;
	struct sockaddr_storage address;
	socklen_t size = addr_to_sockaddr(at, &address);
	int on = 1;
	int fd = socket(at->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return say(exporter, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, (int)READERS) != 0) {
		int err = say(exporter, "listen");
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static int drop_privileges(const struct exporter *exporter)
{
	const char *name = exporter->config->user;
	const struct passwd *user;

	if (geteuid() == 0 && strcmp(name, "root") != 0) {
		errno = 0;
		user = getpwnam(name);
		if (!user || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
		    setuid(user->pw_uid) != 0)
			return say(exporter, "user");
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? say(exporter, "privileges") : 0;
}

static int start(struct exporter *exporter)
{
	int fd;
	int err = open_socket(exporter, &fd);

	if (err)
		return err;
	err = drop_privileges(exporter);
	if (err) {
		close(fd);
		return err;
	}
	exporter->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, exporter, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, READERS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, READERS_ONE, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, MHD_OPTION_END);
	if (exporter->daemon)
		return 0;
	close(fd);
	return say(exporter, "serve");
}

static void say_ready(int fd)
{
	if (fd < 0)
		return;
	if (write(fd, "ready\n", 6) != 6)
		fputs("postern: nobody heard that the exporter is ready\n", stderr);
	close(fd);
}

static int serve(struct exporter *exporter, int ready_fd)
{
	sigset_t signals;
	int signum;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP); /* what it reads of the file needs a restart */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (start(exporter) != 0)
		return CLI_NO_START;
	say_ready(ready_fd);
	while (sigwait(&signals, &signum) == 0 && signum == SIGHUP)
		;
	MHD_stop_daemon(exporter->daemon);
	return CLI_OK;
}

int exporter_command(int argc, char **argv)
{
	struct exporter exporter = {.log = {.fd = STDERR_FILENO, .program = "exporter"}};
	struct buf findings;
	uint32_t ready = 0;
	bool has_ready = argc == 4 && strcmp(argv[2], "--ready-fd") == 0 &&
			 slice_to_u32(slice_from(argv[3]), 1 << 20, &ready) == 0;

	if ((argc != 2 && !has_ready) || strcmp(argv[0], "-c") != 0)
		return cli_usage("exporter takes -c FILE (postern exporter --help)");
	buf_init(&findings);
	int err = config_load(argv[1], &exporter.config, &findings);
	if (err)
		cli_write(STDERR_FILENO, &findings);
	buf_free(&findings);
	if (err)
		return CLI_WRONG;
	int status = CLI_WRONG;
	exporter.log.level = exporter.config->log_level;
	buf_init(&exporter.text);
	if (addr_is_set(&exporter.config->stats.prometheus))
		status = serve(&exporter, has_ready ? (int)ready : -1);
	else
		fprintf(stderr, "postern: %s has no stats.prometheus\n", argv[1]);
	buf_free(&exporter.text);
	config_free(exporter.config);
	return status;
}
