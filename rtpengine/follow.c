/* follow.c - a new configuration for a relay that runs. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include "rtpengine/settings.h"

enum { SWEEP_MS = 2000 };

/* One that is gone is of no matter: the datapath knows its addresses. */
static bool is_floating(const struct config *config, const char *interface)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (strcmp(config->interfaces[i].name, interface) == 0)
			return config->interfaces[i].is_floating;
	return false;
}

/* What the datapath must take in: the ranges of all sessions, also those of before that are in use.
 */
static int open_ranges(struct relay *relay, const struct config *config, struct buf *said)
{
	size_t count = sessions_range_count(relay->sessions);
	struct datapath_interface *interfaces = calloc(count + 1, sizeof(*interfaces));
	char why[DATAPATH_WHY_SIZE] = "";

	if (!interfaces)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const struct port_range *range = sessions_range(relay->sessions, i);
		interfaces[i].name = port_range_interface(range);
		interfaces[i].addresses = port_range_address(range);
		interfaces[i].address_count = 1;
		interfaces[i].is_floating = is_floating(config, interfaces[i].name);
		port_range_bounds(range, &interfaces[i].first_port, &interfaces[i].last_port);
	}
	int err = datapath_follow(relay->datapath, interfaces, count, why);
	if (err) { /* the difference does not matter any more */
		buf_clear(said);
		buf_printf(said, "%s\n", why);
	}
	free(interfaces);
	return err;
}

static void on_sweep(struct timer *timer, uint64_t now_ms)
{
	struct relay *relay = container_of(timer, struct relay, sweep);
	struct buf said;
	size_t left;

	buf_init(&said);
	if (sessions_sweep_ranges(relay->sessions, now_ms, &left) &&
	    open_ranges(relay, relay->current, &said) !=
		    0) /* they stay in the filter, and lead nowhere */
		log_warn(&relay->log, "reload.ranges", "reason=\"%.*s\"",
			 (int)slice_trim(buf_slice(&said)).len, said.data ? said.data : "");
	buf_free(&said);
	if (left)
		wheel_arm(loop_wheel(relay->loop), timer, now_ms + SWEEP_MS, on_sweep);
}

static int take_ranges(struct relay *relay, const struct config *config, struct buf *said)
{
	struct session_interface *before = settings_interfaces(relay->current);
	struct session_interface *after = settings_interfaces(config);
	int err = before && after ? sessions_follow(relay->sessions, after, config->interface_count)
				  : -ERR_NO_MEMORY;

	if (!err) {
		err = open_ranges(relay, config, said);
		/* What was is all there: nothing has to be made for it. */
		if (err &&
		    sessions_follow(relay->sessions, before, relay->current->interface_count) != 0)
			log_error(&relay->log, "reload.ranges", "effect=\"restart it\"");
		wheel_arm(loop_wheel(relay->loop), &relay->sweep, loop_now_ms(relay->loop) + 1,
			  on_sweep);
	}
	free(before);
	free(after);
	return err;
}

/* Everything that may fail first. */
static int take_config(struct relay *relay, const struct config *config, struct buf *said)
{
	struct cidr *allow = NULL;
	unsigned allow_count = 0;
	int err = settings_allowed(config, &allow, &allow_count);

	if (!err)
		err = take_ranges(relay, config, said);
	if (!err) {
		struct limits_config limits = settings_limits(config);

		err = ng_server_allow(relay->ng, allow, allow_count);
		sessions_set_limits(relay->sessions, loop_now_ms(relay->loop), &limits);
	}
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
		err = take_config(relay, next, said);
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

static int check(struct relay *relay, struct buf *said)
{
	char why[DATAPATH_WHY_SIZE] = "";
	struct config *next = NULL;
	size_t count = 0;
	int err = config_reload(relay->current, &next, said);

	if (!err && next) {
		struct datapath_interface *media = relay_media(next, &count);
		err = media ? datapath_check(relay->datapath, media, count, why) : -ERR_NO_MEMORY;
		if (err) {
			buf_clear(said);
			buf_add_text(said, *why ? why : err_text(err));
		}
		free(media);
	}
	config_free(next);
	return err;
}

static void answer(struct stats_reply *reply, const struct buf *said, int err)
{
	json_t *lines = json_array();
	struct slice rest, line;

	for (rest = buf_slice(said); !err && slice_next_line(&rest, &line);)
		json_array_append_new(lines, json_stringn(line.data, line.len));
	if (err) {
		stats_reply_error(reply, "%.*s",
				  (int)(said->len ? said->len : strlen(err_text(err))),
				  said->len ? said->data : err_text(err));
		json_decref(lines);
	} else {
		stats_reply_done(reply, json_pack("{s:o}", "changes", lines));
	}
}

void relay_reload_check(void *owner, struct slice args, struct stats_reply *reply)
{
	struct buf said;
	(void)args;

	buf_init(&said);
	int err = check(owner, &said);
	answer(reply, &said, err);
	buf_free(&said);
}

void relay_reload(void *owner, struct slice args, struct stats_reply *reply)
{
	struct buf said;
	(void)args;

	buf_init(&said);
	int err = reload(owner, &said);
	answer(reply, &said, err);
	buf_free(&said);
}

void relay_on_hangup(void *owner, int signum)
{
	struct buf said;
	(void)signum;

	buf_init(&said);
	if (reload(owner, &said) != 0)
		fprintf(stderr, "%.*s", (int)said.len, said.len ? said.data : "");
	buf_free(&said);
}
