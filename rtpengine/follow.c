/* follow.c - a new configuration for a relay that runs. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include "rtpengine/settings.h"

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

void relay_reload(void *owner, struct slice args, struct stats_reply *reply)
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

void relay_on_hangup(void *owner, int signum)
{
	struct buf said;
	(void)signum;

	buf_init(&said);
	if (reload(owner, &said) != 0)
		fprintf(stderr, "%.*s", (int)said.len, said.len ? said.data : "");
	buf_free(&said);
}
