/* refer_ask.c - a dialog that another worker holds: its names are asked for by ring. The request
 * that names it is copied and comes again, as it came, when they are known.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "sbc/call/core.h"
#include "sbc/call/verbs.h"

enum { QUESTIONS_MAX = 256 };

/* Goes to the other worker and back; belongs to the asker's table all the while. */
struct question {
	struct core_command command;
	struct question *next;
	struct worker *asker;
	struct transaction_handle handle;
	struct transport_path path;
	struct replaces names;
	struct slice user;      /* of the Contact, when that is asked for */
	struct buf texts;       /* owned; of the two */
	struct buf bytes;       /* owned; the request */
	int err;                /* of the answer */
	struct renamed renamed; /* the answer */
	bool is_cancelled;
};

struct refer_questions {
	struct question *first;
	uint32_t count;
	const struct question *answered; /* while its request is looked at again */
};

static void question_free(struct question *question)
{
	renamed_free(&question->renamed);
	buf_free(&question->texts);
	buf_free(&question->bytes);
	free(question);
}

int refer_questions_create(struct refer_questions **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ERR_NO_MEMORY;
}

void refer_questions_destroy(struct refer_questions *questions)
{
	if (!questions)
		return;
	while (questions->first) {
		struct question *question = questions->first;
		questions->first = question->next;
		question_free(question);
	}
	free(questions);
}

static void take_out(struct refer_questions *questions, struct question *question)
{
	struct question **at = &questions->first;

	while (*at && *at != question)
		at = &(*at)->next;
	if (*at)
		*at = question->next;
	questions->count--;
}

/* --- the answer --- */

static void look_again(struct calls *calls, struct question *question)
{
	struct worker *worker = calls->worker;
	struct scan_limits limits = {.message_max = question->bytes.len, .stream = true};
	struct scan *scan = calloc(1, sizeof(*scan));
	struct message *message;

	arena_reset(worker->arena);
	if (scan &&
	    scan_message(question->bytes.data, question->bytes.len, &limits, scan) == SCAN_ACCEPT &&
	    message_parse(scan, worker->arena, &message) == 0) {
		calls->questions->answered = question;
		calls->again(calls->owner, question->handle, message, &question->path);
		calls->questions->answered = NULL;
	} else {
		struct reply reply = {.status = 500};
		(void)!transaction_reply(worker->transactions, question->handle, &reply);
	}
	free(scan);
}

static void on_answer(struct core_command *command, struct core *core)
{
	struct question *question = container_of(command, struct question, command);
	struct calls *calls = core->calls;

	take_out(calls->questions, question);
	if (question->is_cancelled) {
		struct reply reply = {.status = 487};
		(void)!transaction_reply(calls->worker->transactions, question->handle, &reply);
	} else {
		look_again(calls, question);
	}
	question_free(question);
}

/* In the worker that holds the dialog. */
static void on_question(struct core_command *command, struct core *core)
{
	struct question *question = container_of(command, struct question, command);
	uint8_t worker;

	if (question->user.len > 0) {
		buf_init(&question->renamed.texts);
		question->err = refer_contact(core->calls, question->user, &question->renamed.texts,
					      &worker);
		question->renamed.target = buf_slice(&question->renamed.texts);
	} else {
		question->err =
			refer_rename(core->calls, &question->names, &question->renamed, &worker);
	}
	question->command.run = on_answer;
	if (worker_post(question->asker, &question->command) != 0)
		log_warn(core->worker->log, "call.transfer_lost", NULL);
}

/* --- the question --- */

static void keep_texts(struct question *question, const struct replaces *names, struct slice user)
{
	struct slice from[] = {names->call_id, names->to_tag, names->from_tag, user};
	struct slice *to[] = {&question->names.call_id, &question->names.to_tag,
			      &question->names.from_tag, &question->user};
	size_t at = 0;

	question->names.is_early_only = names->is_early_only;
	for (int i = 0; i < 4; i++)
		buf_add(&question->texts, from[i]);
	for (int i = 0; i < 4; i++) {
		*to[i] = slice_sub(buf_slice(&question->texts), at, from[i].len);
		at += from[i].len;
	}
}

static bool ask(struct calls *calls, uint8_t to, const struct replaces *names, struct slice user,
		struct transaction_handle handle, const struct message *request,
		const struct transport_path *path)
{
	struct refer_questions *questions = calls->questions;
	struct worker *other = workers_at(calls->worker->all, to);

	if (questions->count == QUESTIONS_MAX)
		return false;
	struct question *question = calloc(1, sizeof(*question));
	if (!question)
		return false;
	question->command.run = on_question;
	question->asker = calls->worker;
	question->handle = handle;
	question->path = *path;
	buf_init(&question->texts);
	buf_init(&question->bytes);
	keep_texts(question, names, user);
	buf_add(&question->bytes, message_scan(request)->message);
	if (buf_failed(&question->texts) || buf_failed(&question->bytes) ||
	    worker_post(other, &question->command) != 0) {
		question_free(question);
		return false;
	}
	question->next = questions->first;
	questions->first = question;
	questions->count++;
	return true;
}

/* Replaces in the URI of Refer-To, or of an INVITE. */
static bool read_names(const struct message *request, struct replaces *names, struct slice *user,
		       struct buf *text)
{
	struct slice value;
	struct name_addr address;
	struct uri uri;

	*user = SLICE_NONE;
	if (message_method(request) == METHOD_INVITE)
		return message_header(request, SLICE("Replaces"), &value) &&
		       replaces_read(value, names) == 0;
	value = message_value(request, HEADER_REFER_TO);
	if (name_addr_parse(value, &address) != 0 || uri_parse(address.uri, &uri) != 0)
		return false;
	*names = (struct replaces){0};
	*user = uri.user;
	if (refer_find_replaces(uri.headers, text) && replaces_read(buf_slice(text), names) == 0)
		*user = SLICE_NONE;
	return true;
}

bool refer_waits(struct calls *calls, struct transaction_handle handle,
		 const struct message *request, const struct transport_path *path)
{
	enum method method = message_method(request);
	bool is_first = method == METHOD_INVITE && slice_is_empty(message_to_tag(request));
	struct renamed renamed = {0};
	struct replaces names;
	struct slice user;
	struct buf text;
	uint8_t worker = 0;
	int err = 0;

	if ((!is_first && method != METHOD_REFER) || calls->worker->count < 2 ||
	    calls->questions->answered)
		return false;
	buf_init(&text);
	if (read_names(request, &names, &user, &text)) {
		if (user.len == 0)
			err = refer_rename(calls, &names, &renamed, &worker);
		else
			err = refer_contact(calls, user, &renamed.texts, &worker);
		renamed_free(&renamed);
	}
	bool waits = err == -ERR_AGAIN && ask(calls, worker, &names, user, handle, request, path);
	buf_free(&text);
	return waits;
}

bool refer_cancelled(struct calls *calls, struct transaction_handle handle)
{
	for (struct question *at = calls->questions->first; at; at = at->next) {
		if (at->handle.id != handle.id)
			continue;
		at->is_cancelled = true;
		return true;
	}
	return false;
}

int refer_answered(const struct calls *calls, const struct replaces *names, struct renamed *out)
{
	const struct question *question = calls->questions->answered;

	if (!question || question->err || question->user.len > 0 ||
	    !slice_equal(question->names.call_id, names->call_id) ||
	    !slice_equal(question->names.to_tag, names->to_tag))
		return -ERR_NOT_FOUND;
	return renamed_copy(&question->renamed, out);
}

struct slice refer_answered_contact(const struct calls *calls, struct slice user)
{
	const struct question *question = calls->questions->answered;

	if (!question || question->err || !slice_equal(question->user, user))
		return SLICE_NONE;
	return question->renamed.target;
}
