/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/show/show.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "sbc/route/shared.h"
#include "sbc/show/part.h"

enum { RING_SIZE = 4096, ARGS_MAX = 128 };

enum merge { MERGE_CONCAT, MERGE_SUM, MERGE_FIRST };

struct gather {
	struct show *show;
	struct gather *next; /* of those under way */
	struct stats_reply *reply;
	part_fn *fn;
	enum merge merge;
	uint8_t missing;
	uint8_t count;
	char args[ARGS_MAX];
	struct part parts[];
};

struct show {
	struct show_config config;
	struct stats_server *server;
	struct ring *ring; /* parts that are done */
	struct gather *gathers;
	time_t started;
};

void part_done(struct part *part, json_t *value)
{
	struct show *show = part->gather->show;

	part->value = value;
	/* The ring holds more than all gathers can have parts: the server bounds its readers. */
	if (!ring_push(show->ring, part))
		log_error(show->config.log, "show.ring_full", NULL);
	loop_wake(show->config.loop);
}

static json_t *concatenated(struct gather *gather)
{
	json_t *all = json_array();

	for (uint8_t i = 0; i < gather->count; i++)
		if (gather->parts[i].value)
			(void)json_array_extend(all, gather->parts[i].value);
	return all;
}

static json_t *first_of(struct gather *gather, bool add)
{
	json_t *found = NULL;

	for (uint8_t i = 0; i < gather->count; i++) {
		json_t *value = gather->parts[i].value;
		if (!value)
			continue;
		if (!found)
			found = json_incref(value);
		else if (add)
			json_add_up(found, value);
	}
	return found;
}

static void gather_free(struct gather *gather)
{
	struct gather **at = &gather->show->gathers;

	while (*at && *at != gather)
		at = &(*at)->next;
	if (*at)
		*at = gather->next;
	for (uint8_t i = 0; i < gather->count; i++)
		json_decref(gather->parts[i].value);
	free(gather);
}

static void answer(struct gather *gather)
{
	json_t *value = gather->merge == MERGE_CONCAT
				? concatenated(gather)
				: first_of(gather, gather->merge == MERGE_SUM);

	if (value)
		stats_reply_done(gather->reply, value);
	else
		stats_reply_error(gather->reply, "nothing is known of \"%s\"", gather->args);
	gather_free(gather);
}

static void on_wake(void *owner)
{
	struct show *show = owner;
	struct part *part;

	while ((part = ring_pop(show->ring))) {
		if (--part->gather->missing == 0)
			answer(part->gather);
	}
}

static void run_part(struct core_command *command, struct core *core)
{
	struct part *part = container_of(command, struct part, command);
	part->gather->fn(part, core);
}

static void gather(struct show *show, struct slice args, struct stats_reply *reply, part_fn *fn,
		   enum merge merge)
{
	uint8_t count = workers_count(show->config.workers);
	struct gather *all = calloc(1, sizeof(*all) + count * sizeof(all->parts[0]));

	if (!all) {
		stats_reply_error(reply, "out of memory");
		return;
	}
	*all = (struct gather){.show = show,
			       .next = show->gathers,
			       .reply = reply,
			       .fn = fn,
			       .merge = merge,
			       .count = count,
			       .missing = 1};
	slice_copy(args, all->args, sizeof(all->args));
	show->gathers = all;
	for (uint8_t i = 0; i < count; i++) {
		struct part *part = &all->parts[i];
		part->command.run = run_part;
		part->gather = all;
		part->args = slice_from(all->args);
		if (worker_post(workers_at(show->config.workers, i), &part->command) == 0)
			all->missing++;
	}
	if (--all->missing == 0)
		answer(all);
}

static void show_calls(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_calls, MERGE_CONCAT);
}
static void show_call(void *owner, struct slice args, struct stats_reply *reply)
{
	if (slice_is_empty(args))
		stats_reply_error(reply, "which call? (show call ID; show calls lists them)");
	else
		gather(owner, args, reply, part_call, MERGE_FIRST);
}
static void show_record(void *owner, struct slice args, struct stats_reply *reply)
{
	if (slice_is_empty(args))
		stats_reply_error(reply, "which call? (show record ID; show calls lists them)");
	else
		gather(owner, args, reply, part_record, MERGE_FIRST);
}
static void show_registrations(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_registrations, MERGE_CONCAT);
}
static void show_interfaces(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_interfaces, MERGE_SUM);
}
static void show_peers(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_peers, MERGE_SUM);
}
static void show_leaks(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_leaks, MERGE_CONCAT);
}
static void show_subscriptions(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_subscriptions, MERGE_CONCAT);
}
static void show_relays(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_relays, MERGE_SUM);
}
static void show_bans(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_bans, MERGE_CONCAT);
}
static void unban(void *owner, struct slice args, struct stats_reply *reply)
{
	struct addr address;

	if (addr_parse_ip(args, &address) != 0)
		stats_reply_error(reply, "which address? (show bans lists them)");
	else
		gather(owner, args, reply, part_unban, MERGE_FIRST);
}
static void show_stats(void *owner, struct slice args, struct stats_reply *reply)
{
	gather(owner, args, reply, part_stats, MERGE_SUM);
}

static void show_version(void *owner, struct slice args, struct stats_reply *reply)
{
	const struct show *show = owner;
	json_t *answer = json_object();
	(void)args;

	json_put_text(answer, "program", "postern-sbc");
	json_put_text(answer, "version", POSTERN_VERSION);
	json_put_text(answer, "node", show->config.config->node);
	json_put_number(answer, "pid", (uint64_t)getpid());
	json_put_number(answer, "workers", workers_count(show->config.workers));
	json_put_number(answer, "started_at", (uint64_t)show->started);
	json_put_number(answer, "uptime_s", (uint64_t)(time(NULL) - show->started));
	int64_t left = show->config.draining(show->config.owner);
	json_put_bool(answer, "draining", left >= 0);
	if (left >= 0)
		json_put_number(answer, "calls", (uint64_t)left);
	stats_reply_done(reply, answer);
}

static json_t *lines_of(const struct buf *text)
{
	json_t *lines = json_array();
	struct slice rest = buf_slice(text), line;

	while (slice_next_line(&rest, &line))
		(void)json_array_append_new(lines, json_text(line));
	return lines;
}

static void reload(void *owner, struct slice args, struct stats_reply *reply)
{
	const struct show *show = owner;
	struct buf said;
	(void)args;

	buf_init(&said);
	int err = show->config.reload(show->config.owner, &said);
	buf_add_char(&said, '\0');
	if (buf_failed(&said)) {
		stats_reply_error(reply, "%s", err_text(-ERR_NO_MEMORY));
	} else if (err) {
		stats_reply_error(reply, "%s", said.len > 1 ? said.data : err_text(err));
	} else {
		said.len--;
		stats_reply_done(reply, json_pack("{s:o}", "changes", lines_of(&said)));
	}
	buf_free(&said);
}

void show_reload(struct show *show, const struct config *config)
{
	show->config.config = config;
}

/* Nodes that may have our calls; without any, it waits (drain.no_heir). */
static uint64_t count_heirs(const struct show *show)
{
	const struct shared *shared = workers_at(show->config.workers, 0)->shared;
	return shared ? atomic_load(&shared->heirs) : 0;
}

/* "keep", "SECONDS" or "hand-over" */
static void drain(void *owner, struct slice args, struct stats_reply *reply)
{
	const struct show *show = owner;
	struct drain_order order = {.ends = true, .within_s = 3600};

	if (slice_equal(args, SLICE("hand-over")))
		order.hands_over = true;
	else if (slice_equal(args, SLICE("keep")))
		order.ends = false;
	else if (args.len > 0 && slice_to_u32(args, 7 * 86400, &order.within_s) != 0) {
		stats_reply_error(reply, "drain [SECONDS | hand-over | keep]");
		return;
	}
	if (order.hands_over && show->config.config->state.store != CONFIG_STORE_REDIS) {
		stats_reply_error(reply, "no other node has these calls: state.store is not redis");
		return;
	}
	show->config.drain(show->config.owner, &order);
	json_t *answer = json_pack("{s:b, s:I}", "draining", 1, "calls",
				   (json_int_t)show->config.draining(show->config.owner));
	if (order.hands_over)
		json_put_number(answer, "heirs", count_heirs(show));
	stats_reply_done(reply, answer);
}

static void undrain(void *owner, struct slice args, struct stats_reply *reply)
{
	const struct show *show = owner;
	(void)args;

	show->config.undrain(show->config.owner);
	stats_reply_done(reply, json_pack("{s:b}", "draining", 0));
}

static void upgrade(void *owner, struct slice args, struct stats_reply *reply)
{
	const struct show *show = owner;
	(void)args;

	if (show->config.config->state.store == CONFIG_STORE_MEMORY) {
		stats_reply_error(reply,
				  "the next process would know no call: state.store is memory");
		return;
	}
	show->config.upgrade(show->config.owner);
	stats_reply_done(reply, json_pack("{s:b}", "upgrading", 1));
}

static void upgrade_run(void *owner, struct slice args, struct stats_reply *reply)
{
	const struct show *show = owner;
	(void)args;

	if (show->config.upgrade_run(show->config.owner) != 0)
		stats_reply_error(reply, "no postern run listens");
	else
		stats_reply_done(reply, json_pack("{s:b}", "upgrading", 1));
}

static const struct stats_command commands[] = {
	{"show calls", "the calls there are", show_calls},
	{"show call", "ID: one call, both legs, messages, streams; failed ones for a while",
	 show_call},
	{"show registrations", "the phones registered through us", show_registrations},
	{"show subscriptions", "the SUBSCRIBE dialogs there are", show_subscriptions},
	{"show leaks", "what the leak guard found last: where, and what", show_leaks},
	{"show interfaces", "our sides: addresses, calls, messages", show_interfaces},
	{"show peers", "the far ends and their servers", show_peers},
	{"show bans", "addresses that are not heard for a while, and why", show_bans},
	{"unban", "ADDRESS: hear it again", unban},
	{"show relays", "the media relays as the workers see them", show_relays},
	{"show stats", "all counters, and what is held right now", show_stats},
	{"show record", "ID: the record of a call in the store", show_record},
	{"reload", "reads the configuration again and goes over to it, whole or not at all",
	 reload},
	{"drain", "[SECONDS | hand-over | keep]: no new calls; end when none is left", drain},
	{"undrain", "new calls again", undrain},
	{"upgrade", "end, and leave sockets and calls to the next process", upgrade},
	{"upgrade run", "another binary of postern run takes its place", upgrade_run},
	{"show version", "program, version, uptime", show_version},
};

int show_create(const struct show_config *config, struct show **out)
{
	struct show *show = calloc(1, sizeof(*show));
	if (!show)
		return -ERR_NO_MEMORY;

	show->config = *config;
	show->started = time(NULL);
	json_object_seed(0); /* before there are threads: the workers make objects too */
	struct stats_server_config server = {
		.loop = config->loop,
		.log = config->log,
		.path = config->config->stats.socket,
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
		.owner = show,
	};
	int err = ring_create(RING_SIZE, &show->ring);
	if (!err)
		err = stats_server_create(&server, &show->server);
	if (err) {
		show_destroy(show);
		return err;
	}
	loop_on_wake(config->loop, on_wake, show);
	*out = show;
	return 0;
}

void show_destroy(struct show *show)
{
	if (!show)
		return;
	stats_server_destroy(show->server);
	while (show->gathers)
		gather_free(show->gathers);
	ring_destroy(show->ring);
	free(show);
}
