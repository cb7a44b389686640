/* command.c - the table of NG commands. Adding one is adding a row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/keep.h"
#include "rtpengine/session/session.h"

#include <stdarg.h>
#include <stdio.h>

struct command_entry {
	const char *name;
	void (*fn)(struct command *command); /* NULL = known to the protocol, not to us */
	size_t counter;                      /* offset in struct sessions_counters */
	const char *total; /* "total..count" of `statistics`; NULL = has none there */
};

#define COUNTER(name) offsetof(struct sessions_counters, name)

/* clang-format off */
static const struct command_entry commands[] = {
	{ "offer", command_offer, COUNTER(offers), "totaloffercount" },
	{ "answer", command_answer, COUNTER(answers), "totalanswercount" },
	{ "delete", command_delete, COUNTER(deletes), "totaldeletecount" },
	{ "query", command_query, COUNTER(queries), "totalquerycount" },
	{ "list", command_list, COUNTER(lists), "totallistcount" },
	{ "ping", command_ping, COUNTER(pings), "totalpingcount" },
	{ "statistics", command_statistics, COUNTER(statistics), "totalstatscount" },
	{ "start recording", command_start_recording, COUNTER(controls), "totalstartreccount" },
	{ "stop recording", command_stop_recording, COUNTER(controls), "totalstopreccount" },
	{ "pause recording", command_stop_recording, COUNTER(controls), "totalpausereccount" },
	{ "start forwarding", command_start_forwarding, COUNTER(controls), "totalstartfwdcount" },
	{ "stop forwarding", command_stop_forwarding, COUNTER(controls), "totalstopfwdcount" },
	{ "block DTMF", command_block_dtmf, COUNTER(controls), "totalblkdtmfcount" },
	{ "unblock DTMF", command_unblock_dtmf, COUNTER(controls), "totalunblkdtmfcount" },
	{ "block media", command_block_media, COUNTER(controls), "totalblkmediacount" },
	{ "unblock media", command_unblock_media, COUNTER(controls), "totalunblkmediacount" },
	{ "silence media", command_silence_media, COUNTER(controls), "totalslnmediacount" },
	{ "unsilence media", command_unsilence_media, COUNTER(controls), "totalunslnmediacount" },
	{ "play media", command_play_media, COUNTER(controls), "totalplaymediacount" },
	{ "stop media", command_stop_media, COUNTER(controls), "totalstopmediacount" },
	{ "play DTMF", command_play_dtmf, COUNTER(controls), "totalplaydtmfcount" },
	{ "publish", command_publish, COUNTER(offers), "totalpubcount" },
	{ "subscribe request", command_subscribe_request, COUNTER(controls), "totalsubreqcount" },
	{ "subscribe answer", command_subscribe_answer, COUNTER(controls), "totalsubanscount" },
	{ "unsubscribe", command_unsubscribe, COUNTER(controls), "totalunsubcount" },
	{ "connect", command_connect, COUNTER(controls), "totalconnectcount" },
	{ "create", NULL, 0, NULL },
	{ "create answer", NULL, 0, NULL },
	{ "mesh", NULL, 0, NULL },
	{ "inject start", NULL, 0, NULL },
	{ "inject stop", NULL, 0, NULL },
	{ "transform", NULL, 0, NULL },
	{ "cli", NULL, 0, NULL },
};
/* clang-format on */

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
_Static_assert(COMMANDS <= SESSIONS_COMMANDS_MAX, "one counter each");

void commands_each_total(const struct sessions *sessions,
			 void (*each)(void *owner, const char *key, uint64_t count), void *owner)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].total)
			each(owner, commands[i].total, sessions->commands[i]);
}

static const struct command_entry *command_find(struct slice name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (ng_name_is(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

void command_error(struct command *command, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	command->sessions->counters.errors++;
	log_info(command->sessions->log, "ng.refused", "command=%.*s call=%.*s reason=\"%s\"",
		 SLICE_ARG(command->request->command), SLICE_ARG(command->options.call_id), text);
	ng_reply_error(command->request->arena, command->reply, "%s", text);
}

void command_refuse_limit(struct command *command, const char *text, const char *detail)
{
	struct arena *arena = command->request->arena;

	command->sessions->counters.refused++;
	log_warn(command->sessions->log, "session.refused", "call=%.*s reason=\"%s\"",
		 SLICE_ARG(command->options.call_id), detail);
	if (option(&command->options, OPTION_LOAD_LIMIT)) {
		ng_dict_add_string(arena, command->reply, "result", SLICE("load limit"));
		ng_dict_add_string(arena, command->reply, "message", slice_from(detail));
		return;
	}
	/* The others know these very texts, and go to another relay. */
	ng_reply_error(arena, command->reply, "%s", text);
	ng_dict_add_string(arena, command->reply, "detail", slice_from(detail));
}

void command_refuse_no_port(struct command *command, bool is_new, struct port_range *range)
{
	struct buf text;

	buf_init(&text);
	port_range_describe(range, command->now_ms, &text);
	const char *detail = arena_text(command->request->arena, buf_slice(&text));
	buf_free(&text);
	if (!detail)
		command_error(command, "out of memory");
	else if (is_new)
		command_refuse_limit(command, "Ran out of ports", detail);
	else
		command_error(command, "%s", detail);
}

int command_check(struct command *command, bool need_to_tag)
{
	const struct options *o = &command->options;
	const struct {
		const char *name;
		struct slice text;
		bool is_needed;
	} texts[] = {
		{"call-id", o->call_id, true},        {"from-tag", o->from_tag, true},
		{"to-tag", o->to_tag, need_to_tag},   {"sdp", o->sdp, true},
		{"via-branch", o->via_branch, false}, {"label", o->from_label, false},
		{"to-label", o->to_label, false},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].is_needed && slice_is_empty(texts[i].text)) {
			command_error(command, "No %s in message", texts[i].name);
			return -ERR_INVALID;
		}
		if (texts[i].text.data != o->sdp.data && texts[i].text.len > SESSION_MAX_TEXT) {
			command_error(command, "%s is longer than %d bytes", texts[i].name,
				      SESSION_MAX_TEXT);
			return -ERR_TOO_LARGE;
		}
		/* They are kept as C strings. */
		if (texts[i].text.len && memchr(texts[i].text.data, 0, texts[i].text.len)) {
			command_error(command, "NUL byte in %s", texts[i].name);
			return -ERR_MALFORMED;
		}
	}
	if (o->edits.accepted.count &&
	    !ng_name_equal(command->request->command, SLICE("publish"))) {
		command_error(command, "codec=accept is not supported");
		return -ERR_UNSUPPORTED;
	}
	if (o->refused[0]) {
		command_error(command, "%s", o->refused);
		return -ERR_UNSUPPORTED;
	}
	return 0;
}

int command_sdp(struct command *command, struct sdp **out)
{
	struct sdp_error why = {0, 0, ""};
	int err = sdp_parse(command->request->arena, command->options.sdp, out, &why);

	if (err) {
		command_error(command, "SDP line %u, column %u: %s", why.line, why.column,
			      why.reason);
		return err;
	}
	/* What is taken off is as if it had never been there. */
	for (unsigned i = 0; i < (*out)->media_count && !err; i++) {
		struct sdp_media *media = &(*out)->media[i];

		if (edits_remove_media(&command->options.edits, media->type))
			sdp_media_reject(media);
		else
			err = edits_apply_codecs(&command->options.edits, media);
	}
	if (err)
		command_error(command, "%s", err_text(err));
	return err;
}

/* It asks for one that should be there. An offer does when its sender knows an answer to one
 * before; others begin a session, and need no look into the store. Our own signalling half has a
 * to-tag from the beginning, and says when a call is new. */
static bool means_session(const struct command_entry *entry, const struct command *command)
{
	int64_t is_new = 0;

	if (entry->counter == COUNTER(offers))
		return command->options.to_tag.len > 0 &&
		       (ng_get_integer(command->request->dict, "new", &is_new) != 0 || !is_new);
	return entry->counter == COUNTER(answers) || entry->counter == COUNTER(deletes) ||
	       entry->counter == COUNTER(queries) || entry->counter == COUNTER(controls);
}

bool command_answer_loop(struct command *command, const struct sdp *sdp)
{
	struct arena *arena = command->request->arena;
	const struct sdp_line *line = sdp_attribute(&sdp->section, LOOP_ATTRIBUTE);

	if (!option(&command->options, OPTION_LOOP_PROTECT) || !line ||
	    !slice_equal(line->argument, slice_from(command->sessions->instance)))
		return false;
	ng_dict_add_string(arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(arena, command->reply, "sdp", command->options.sdp);
	return true;
}

void sessions_handle(struct sessions *sessions, uint64_t now_ms, const struct ng_request *request,
		     struct ng_value *reply)
{
	struct command command = {
		.sessions = sessions, .now_ms = now_ms, .request = request, .reply = reply};
	const struct command_entry *entry = command_find(request->command);

	if (!entry) {
		command_error(&command, "Unrecognized command");
		return;
	}
	if (!entry->fn) {
		command_error(&command, "command \"%s\" is not supported", entry->name);
		return;
	}
	options_read(sessions->log, request, &command.options);
	if (request->wait && means_session(entry, &command)) {
		*request->wait = keep_fetch(sessions, command.options.call_id);
		if (*request->wait)
			return;
	}
	(*(uint64_t *)(void *)((char *)&sessions->counters + entry->counter))++;
	sessions->commands[entry - commands]++;
	entry->fn(&command);
	/* what only looks changes nothing */
	if (entry->counter == COUNTER(offers) || entry->counter == COUNTER(answers) ||
	    entry->counter == COUNTER(controls) || entry->counter == COUNTER(deletes)) {
		struct session *session = session_find(sessions, command.options.call_id);
		if (session)
			keep_answered(session, &command);
	}
}
