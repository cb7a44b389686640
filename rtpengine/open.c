/* open.c - the parts of a relay, in the order in which they need each other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/relay.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "rtpengine/privileges.h"
#include "rtpengine/settings.h"

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

struct datapath_interface *relay_media(const struct config *config, size_t *count)
{
	size_t n = 0, ranges = 0;

	for (size_t i = 0; i < config->interface_count; i++)
		ranges += config->interfaces[i].media.port_count;
	struct datapath_interface *interfaces = calloc(ranges + 1, sizeof(*interfaces));
	for (size_t i = 0; i < config->interface_count && interfaces; i++) {
		const struct config_interface *from = &config->interfaces[i];
		for (size_t j = 0; !from->retired && j < from->media.port_count; j++)
			interfaces[n++] = (struct datapath_interface){
				.name = from->name,
				.addresses = from->media.addresses,
				.address_count = from->media.address_count,
				.is_floating = from->is_floating,
				.first_port = from->media.ports[j].first,
				.last_port = from->media.ports[j].last,
			};
	}
	*count = n;
	return interfaces;
}

static int open_datapath(struct relay *relay)
{
	const struct config *config = relay->config;
	size_t count;
	struct datapath_interface *interfaces = relay_media(config, &count);
	char why[DATAPATH_WHY_SIZE] = "";

	if (!interfaces)
		return -ERR_NO_MEMORY;
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
		.interface_count = count,
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
	const struct config_endpoint *forwarding = &relay->config->relay.forwarding;
	struct record_ring *rings[16];
	struct buf inside;
	struct timespec monotonic;

	if (!folder && !forwarding->text)
		return 0;
	buf_init(&inside);
	buf_printf(&inside, "%s/x", folder ? folder : "");
	if (folder && !buf_failed(&inside))
		privileges_give_folder(relay->config->user, inside.data);
	buf_free(&inside);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	struct recorder_config recorder = {
		.folder = folder,
		.forward_to = forwarding->addr.family ? &forwarding->addr : NULL,
		.forward_path = forwarding->path,
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

static int open_stats(struct relay *relay)
{
	struct stats_server_config stats = {
		.loop = relay->loop,
		.log = &relay->log,
		.path = relay->config->stats.relay_socket,
		.commands = relay_stats_commands,
		.command_count = relay_stats_command_count,
		.owner = relay,
	};

	privileges_give_folder(relay->config->user, stats.path);
	int err = stats_server_create(&stats, &relay->stats);
	if (!err) /* so that the exporter, which becomes the same user, may ask */
		privileges_give_socket(relay->config->user, stats.path);
	return err;
}

int relay_open(struct relay *relay)
{
	char why[256] = "";
	int err = loop_create(&relay->loop);

	if (!err)
		err = loop_on_signal(relay->loop, SIGTERM, on_stop, relay);
	if (!err)
		err = loop_on_signal(relay->loop, SIGINT, on_stop, relay);
	if (!err)
		err = loop_on_signal(relay->loop, SIGHUP, relay_on_hangup, relay);
	if (!err)
		err = open_datapath(relay);
	if (!err)
		err = open_recorder(relay);
	if (!err)
		err = open_sessions(relay);
	if (!err)
		err = relay_open_state(relay);
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

void relay_close(struct relay *relay)
{
	if (relay->loop)
		wheel_cancel(loop_wheel(relay->loop), &relay->sweep);
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
