/* postern-rtpengine: the media relay. Opens the devices, answers NG, shows its numbers, and leaves
 * nothing behind. Serves our signalling half, Kamailio, or whoever speaks NG.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "config/reload.h"
#include "control/ng/server.h"
#include "control/stats/server.h"
#include "rtpengine/datapath/datapath.h"
#include "rtpengine/privileges.h"
#include "rtpengine/session/sessions.h"
#include "rtpengine/settings.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 3 };

struct relay {
	struct config *config; /* of the start */
	const struct config *current;
	struct log log;
	struct random_system random;
	struct loop *loop;
	struct datapath *datapath;
	struct loop_io *datapath_io;
	struct recorder *recorder; /* NULL = nothing is recorded */
	struct sessions *sessions;
	struct ng_server *ng;
	struct stats_server *stats;
};

static void on_ng(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	struct relay *relay = owner;
	sessions_handle(relay->sessions, loop_now_ms(relay->loop), request, reply);
}

static void on_datapath_readable(void *owner, int events)
{
	struct relay *relay = owner;
	(void)events;
	datapath_poll(relay->datapath);
}

static void on_datapath_event(void *owner)
{
	struct relay *relay = owner;
	if (relay->sessions)
		sessions_events(relay->sessions);
}

static void on_stop(void *owner, int signum)
{
	struct relay *relay = owner;
	log_info(&relay->log, "relay.stopping", "signal=%d sessions=%u", signum,
		 sessions_count(relay->sessions));
	loop_stop(relay->loop);
}

static void show_calls(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	(void)args;
	stats_reply_done(reply, sessions_show_calls(relay->sessions, loop_now_ms(relay->loop)));
}

static void show_call(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;

	if (slice_is_empty(args)) {
		stats_reply_error(reply, "show call needs a Call-ID (see `show calls`)");
		return;
	}
	json_t *call = sessions_show_call(relay->sessions, loop_now_ms(relay->loop), args);
	if (call)
		stats_reply_done(reply, call);
	else
		stats_reply_error(reply, "no call with this Call-ID");
}

static void show_interfaces(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	(void)args;
	stats_reply_done(reply,
			 sessions_show_interfaces(relay->sessions, loop_now_ms(relay->loop)));
}

static json_t *ng_numbers(const struct ng_server *server)
{
	const struct ng_server_counters *c = ng_server_counters(server);

	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "requests", (json_int_t)counter_get(&c->requests),
			 "errors", (json_int_t)counter_get(&c->errors), "duplicates",
			 (json_int_t)counter_get(&c->duplicates), "denied",
			 (json_int_t)counter_get(&c->denied), "dropped",
			 (json_int_t)counter_get(&c->dropped));
}

static void show_stats(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	json_t *stats = sessions_show_stats(relay->sessions, loop_now_ms(relay->loop));
	(void)args;

	if (stats)
		json_object_set_new(stats, "control", ng_numbers(relay->ng));
	stats_reply_done(reply, stats);
}

static void show_version(void *owner, struct slice args, struct stats_reply *reply)
{
	struct relay *relay = owner;
	(void)args;
	stats_reply_done(reply, json_pack("{s:s,s:s,s:s}", "program", "postern-rtpengine",
					  "version", POSTERN_VERSION, "instance",
					  sessions_instance(relay->sessions)));
}

static void show_reload(void *owner, struct slice args, struct stats_reply *reply);

static void drain(struct relay *relay, bool on, struct stats_reply *reply)
{
	sessions_drain(relay->sessions, on);
	log_info(&relay->log, on ? "relay.draining" : "relay.open", "sessions=%u",
		 sessions_count(relay->sessions));
	stats_reply_done(reply, json_pack("{s:b,s:I}", "draining", on, "sessions",
					  (json_int_t)sessions_count(relay->sessions)));
}

static void on_drain(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)args;
	drain(owner, true, reply);
}

static void on_undrain(void *owner, struct slice args, struct stats_reply *reply)
{
	(void)args;
	drain(owner, false, reply);
}

static const struct stats_command stats_commands[] = {
	{"drain", "take no new calls", on_drain},
	{"undrain", "take new calls again", on_undrain},
	{"reload", "reads the configuration again and goes over to it, whole or not at all",
	 show_reload},
	{"show calls", "one line for each call", show_calls},
	{"show call", "everything about one call: show call CALL-ID", show_call},
	{"show interfaces", "addresses, port ranges, devices and drivers", show_interfaces},
	{"show stats", "sessions, ports, lcores, drops by reason", show_stats},
	{"show version", "version and instance", show_version},
};

static int open_datapath(struct relay *relay)
{
	const struct config *config = relay->config;
	struct datapath_interface *interfaces =
		calloc(config->interface_count, sizeof(*interfaces));
	char why[DATAPATH_WHY_SIZE] = "";

	if (!interfaces)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *from = &config->interfaces[i];
		interfaces[i] = (struct datapath_interface){
			.name = from->name,
			.addresses = from->addresses,
			.address_count = from->address_count,
			.first_port = from->media.ports[0].first,
			.last_port = from->media.ports[0].last,
		};
	}
	static const enum datapath_driver drivers[] = {
		[CONFIG_DRIVER_AUTO] = DATAPATH_AUTO,
		[CONFIG_DRIVER_AF_XDP] = DATAPATH_AF_XDP,
		[CONFIG_DRIVER_AF_PACKET] = DATAPATH_AF_PACKET,
		[CONFIG_DRIVER_PCI] = DATAPATH_PCI,
	};
	static const enum datapath_hugepages hugepages[] = {
		[CONFIG_HUGEPAGES_AUTO] = DATAPATH_HUGE_AUTO,
		[CONFIG_HUGEPAGES_NEVER] = DATAPATH_HUGE_NEVER,
		[CONFIG_HUGEPAGES_REQUIRE] = DATAPATH_HUGE_REQUIRE,
	};
	struct datapath_config datapath = {
		.interfaces = interfaces,
		.interface_count = config->interface_count,
		.driver = drivers[config->dataplane.driver],
		.pci_address = config->dataplane.pci_address,
		.cores = config->dataplane.cores,
		.core_count = config->dataplane.core_count,
		.hugepages = hugepages[config->dataplane.hugepages],
		.batch_us = config->dataplane.batch_us,
		.log = &relay->log,
	};
	int err = datapath_create(&datapath, why, &relay->datapath);
	free(interfaces);
	if (err) {
		log_error(&relay->log, "datapath.failed", "reason=\"%s\"%s", why,
			  geteuid() ? " cure=\"start as root: it becomes another user by itself\""
				    : "");
		return err;
	}
	datapath_on_event(relay->datapath, on_datapath_event, relay);
	return loop_io_add(relay->loop, datapath_fd(relay->datapath), LOOP_READ,
			   on_datapath_readable, relay, &relay->datapath_io);
}

static uint64_t wall_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int open_recorder(struct relay *relay)
{
	const char *folder = relay->config->relay.recordings;
	struct record_ring *rings[16];
	struct buf inside;
	struct timespec monotonic;

	if (!folder)
		return 0;
	buf_init(&inside);
	buf_printf(&inside, "%s/x", folder);
	if (!buf_failed(&inside))
		privileges_give_folder(relay->config->user, inside.data);
	buf_free(&inside);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	struct recorder_config recorder = {
		.folder = folder,
		.rings = rings,
		.ring_count = datapath_lcore_count(relay->datapath),
		.wall_ns = wall_us() * 1000 -
			   ((uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec),
		.log = &relay->log,
	};
	for (size_t i = 0; i < recorder.ring_count; i++)
		rings[i] = datapath_records(relay->datapath, i);
	int err = recorder_create(&recorder, &relay->recorder);
	if (err)
		log_error(&relay->log, "recorder.failed", "reason=\"%s\"", err_text(err));
	return err;
}

static int open_sessions(struct relay *relay)
{
	const struct config *config = relay->config;
	struct session_interface *interfaces = settings_interfaces(config);

	if (!interfaces) {
		log_error(&relay->log, "sessions.failed", "reason=\"%s\"",
			  err_text(-ERR_NO_MEMORY));
		return -ERR_NO_MEMORY;
	}
	struct sessions_config sessions = {
		.wheel = loop_wheel(relay->loop),
		.log = &relay->log,
		.random = &relay->random.base,
		.datapath = relay->datapath,
		.recorder = relay->recorder,
		.sounds = config->relay.sounds,
		.interfaces = interfaces,
		.interface_count = config->interface_count,
		.limits = settings_limits(config),
		.wall_us = wall_us(),
	};
	int err = sessions_create(&sessions, loop_now_ms(relay->loop), &relay->sessions);
	if (err)
		log_error(&relay->log, "sessions.failed", "reason=\"%s\"", err_text(err));
	free(interfaces);
	return err;
}

static int open_control(struct relay *relay)
{
	static const enum ng_transport transports[] = {[CONFIG_UDP] = NG_UDP,
						       [CONFIG_TCP] = NG_TCP,
						       [CONFIG_UNIX] = NG_UNIX,
						       [CONFIG_HTTP] = NG_HTTP};
	const struct config *config = relay->config;
	struct ng_endpoint *listeners = calloc(config->relay.listen_count, sizeof(*listeners));
	struct cidr *allow = NULL;
	unsigned allow_count = 0;
	int err = listeners ? settings_allowed(config, &allow, &allow_count) : -ERR_NO_MEMORY;

	if (err)
		goto out;
	for (size_t i = 0; i < config->relay.listen_count; i++) {
		const struct config_endpoint *from = &config->relay.listen[i];
		listeners[i] = (struct ng_endpoint){
			.transport = transports[from->transport],
			.addr = from->addr,
			.path = from->path,
		};
		if (from->transport == CONFIG_UNIX)
			privileges_give_folder(config->user, from->path);
	}
	struct ng_server_config server = {
		.loop = relay->loop,
		.log = &relay->log,
		.listeners = listeners,
		.listener_count = (unsigned)config->relay.listen_count,
		.allow = allow,
		.allow_count = allow_count,
		.handler = on_ng,
		.owner = relay,
	};
	err = ng_server_create(&server, &relay->ng);
	if (err == -ERR_BUSY)
		log_error(
			&relay->log, "control.failed",
			"reason=\"another program answers there\" cure=\"stop it (ss -lntup names "
			"it), or choose another address in relay.control\"");
out:
	free(listeners);
	free(allow);
	return err;
}

/* Everything that may fail first. */
static int take_config(struct relay *relay, const struct config *config)
{
	struct session_interface *interfaces = settings_interfaces(config);
	struct cidr *allow = NULL;
	unsigned allow_count = 0;
	int err = interfaces ? settings_allowed(config, &allow, &allow_count) : -ERR_NO_MEMORY;

	if (!err)
		err = ng_server_allow(relay->ng, allow, allow_count);
	if (!err) {
		struct limits_config limits = settings_limits(config);

		sessions_set_policies(relay->sessions, interfaces);
		sessions_set_limits(relay->sessions, loop_now_ms(relay->loop), &limits);
	}
	free(interfaces);
	free(allow);
	return err;
}

/* `said`: what is different now, or what is wrong with it. */
static int reload(struct relay *relay, struct buf *said)
{
	struct config *next = NULL;
	struct slice rest, line;
	int err = config_reload(relay->current, &next, said);

	if (!err && next)
		err = take_config(relay, next);
	if (err) {
		log_error(&relay->log, "reload.refused", "file=%s reason=\"%s\"",
			  relay->config->path, err_text(err));
		config_free(next);
		return err;
	}
	if (!next) {
		log_info(&relay->log, "reload.unchanged", "file=%s", relay->config->path);
		return 0;
	}
	relay->log.level = next->log_level;
	for (rest = buf_slice(said); slice_next_line(&rest, &line);)
		log_info(&relay->log, "reload.changed", "value=\"%.*s\"", SLICE_ARG(line));
	log_info(&relay->log, "reload.done", "file=%s", relay->config->path);
	config_release(relay->current);
	relay->current = next;
	return 0;
}

static void show_reload(void *owner, struct slice args, struct stats_reply *reply)
{
	json_t *lines = json_array();
	struct slice rest, line;
	struct buf said;
	(void)args;

	buf_init(&said);
	int err = reload(owner, &said);
	for (rest = buf_slice(&said); !err && slice_next_line(&rest, &line);)
		json_array_append_new(lines, json_stringn(line.data, line.len));
	if (err) {
		stats_reply_error(reply, "%.*s", (int)(said.len ? said.len : strlen(err_text(err))),
				  said.len ? said.data : err_text(err));
		json_decref(lines);
	} else {
		stats_reply_done(reply, json_pack("{s:o}", "changes", lines));
	}
	buf_free(&said);
}

static void on_hangup(void *owner, int signum)
{
	struct buf said;
	(void)signum;

	buf_init(&said);
	if (reload(owner, &said) != 0)
		fprintf(stderr, "%.*s", (int)said.len, said.len ? said.data : "");
	buf_free(&said);
}

static int open_stats(struct relay *relay)
{
	struct stats_server_config stats = {
		.loop = relay->loop,
		.log = &relay->log,
		.path = relay->config->stats.relay_socket,
		.commands = stats_commands,
		.command_count = sizeof(stats_commands) / sizeof(stats_commands[0]),
		.owner = relay,
	};

	privileges_give_folder(relay->config->user, stats.path);
	return stats_server_create(&stats, &relay->stats);
}

static int open_all(struct relay *relay)
{
	char why[256] = "";
	int err = loop_create(&relay->loop);

	if (!err)
		err = loop_on_signal(relay->loop, SIGTERM, on_stop, relay);
	if (!err)
		err = loop_on_signal(relay->loop, SIGINT, on_stop, relay);
	if (!err)
		err = loop_on_signal(relay->loop, SIGHUP, on_hangup, relay);
	if (!err)
		err = open_datapath(relay);
	if (!err)
		err = open_recorder(relay);
	if (!err)
		err = open_sessions(relay);
	if (!err)
		err = open_control(relay);
	if (!err)
		err = open_stats(relay);
	if (err)
		return err;
	err = privileges_drop(relay->config->user, why, sizeof(why));
	if (err)
		log_error(&relay->log, "privileges.failed", "reason=\"%s\"", why);
	return err;
}

static void close_all(struct relay *relay)
{
	ng_server_destroy(relay->ng);
	stats_server_destroy(relay->stats);
	sessions_destroy(relay->sessions);
	recorder_destroy(relay->recorder);
	loop_io_remove(relay->datapath_io);
	if (relay->datapath)
		datapath_destroy(relay->datapath);
	if (relay->loop)
		loop_destroy(relay->loop);
	config_release(relay->current);
	config_free(relay->config);
}

/* The supervisor waits for this line on the descriptor it gave us. */
static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	ssize_t n = write(fd, "ready\n", 6);
	(void)n; /* nobody listens any more: no reason not to go on */
	close(fd);
}

static int load(struct relay *relay, const char *path)
{
	struct buf findings;

	buf_init(&findings);
	int err = config_load(path, &relay->config, &findings);
	if (findings.len)
		fputs(findings.data, stderr);
	else if (err)
		fprintf(stderr, "%s: %s\n", path, err_text(err));
	buf_free(&findings);
	if (err)
		return EXIT_CONFIG;
	if (!relay->config->relay.listen_count) {
		fprintf(stderr,
			"%s: relay: control names no address of this host, so there is nothing to "
			"answer on; add one, such as udp/127.0.0.1:2223\n",
			path);
		return EXIT_CONFIG;
	}
	relay->current = config_hold(relay->config);
	relay->log.level = relay->config->log_level;
	return 0;
}

static int usage(FILE *to, int status)
{
	fputs("usage: postern-rtpengine -c FILE [--ready-fd N]\n"
	      "       postern-rtpengine --version | --help\n",
	      to);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct relay relay = {.log = {.level = LOG_INFO, .fd = 2, .program = "rtpengine"}};
	const char *path = NULL;
	uint32_t ready_fd = 0;
	int c;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (c == 'c') {
			path = optarg;
		} else if (c == 'r') {
			if (slice_to_u32(slice_from(optarg), 1023, &ready_fd) != 0)
				return usage(stderr, EXIT_USAGE);
		} else if (c == 'v') {
			puts("postern-rtpengine " POSTERN_VERSION);
			return 0;
		} else {
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : EXIT_USAGE);
		}
	}
	if (!path || optind != argc)
		return usage(stderr, EXIT_USAGE);

	signal(SIGPIPE, SIG_IGN);
	random_system_init(&relay.random);
	int status = load(&relay, path);
	if (status)
		return status;
	int err = open_all(&relay);
	if (!err) {
		log_info(&relay.log, "relay.ready", "instance=%s interfaces=%zu",
			 sessions_instance(relay.sessions), relay.config->interface_count);
		tell_ready(ready_fd ? (int)ready_fd : -1);
		loop_run(relay.loop);
	}
	close_all(&relay);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
