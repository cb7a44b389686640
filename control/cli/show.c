/* postern show: asks the stats sockets and prints text for people. What both halves know is shown
 * together, each under its name. SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <stdio.h>
#include <unistd.h>

#include "config/config.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "control/stats/client.h"
#include "control/stats/text.h"

#define ANSWER_MS   5000
#define COMMAND_MAX 512

/* First words that both halves answer. */
static const char *const of_both[] = {"interfaces", "stats", "version", "help"};
static const char *const of_sbc[] = {"calls", "call",   "record", "registrations",
				     "peers", "relays", "bans"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct question {
	char command[COMMAND_MAX]; /* "show call 1234" */
	const char *first;
	bool json;
	const char *socket; /* -s */
	const char *file;   /* -c */
};

static bool is_among(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static int read_arguments(const char *verb, int argc, char **argv, struct question *question)
{
	size_t used = (size_t)snprintf(question->command, COMMAND_MAX, "%s", verb);

	for (int i = 0; i < argc; i++) {
		bool takes = strcmp(argv[i], "-s") == 0 || strcmp(argv[i], "-c") == 0;
		if (takes && i + 1 == argc)
			return cli_usage("%s needs a %s", argv[i],
					 argv[i][1] == 's' ? "socket" : "file");
		if (takes && argv[i][1] == 's')
			question->socket = argv[++i];
		else if (takes)
			question->file = argv[++i];
		else if (strcmp(argv[i], "--json") == 0)
			question->json = true;
		else if (argv[i][0] == '-' && !question->first)
			return cli_usage("%s has no option %s", verb, argv[i]);
		else {
			if (strpbrk(argv[i], "\r\n"))
				return cli_usage("a question is one line");
			int length = snprintf(question->command + used, COMMAND_MAX - used, " %s",
					      argv[i]);
			if (length < 0 || (size_t)length >= COMMAND_MAX - used)
				return cli_usage("that question is too long");
			used += (size_t)length;
			if (!question->first)
				question->first = argv[i];
		}
	}
	return CLI_OK;
}

/* A word that is nobody's is taken for a slip, unless a socket was named: that may know more. */
static int check_word(const struct question *question)
{
	struct nearest nearest;

	if (question->socket || is_among(question->first, of_both, COUNT(of_both)) ||
	    is_among(question->first, of_sbc, COUNT(of_sbc)))
		return CLI_OK;
	nearest_start(&nearest, slice_from(question->first));
	for (size_t i = 0; i < COUNT(of_both); i++)
		nearest_offer(&nearest, of_both[i]);
	for (size_t i = 0; i < COUNT(of_sbc); i++)
		nearest_offer(&nearest, of_sbc[i]);
	if (nearest.name)
		return cli_usage("nothing to show by the name \"%s\" (did you mean \"%s\"?)",
				 question->first, nearest.name);
	return cli_usage("nothing to show by the name \"%s\" (postern show help)", question->first);
}

/* NULL after one line that says why. */
static json_t *ask(const char *socket, const char *half, const struct question *question)
{
	struct stats_client *client = NULL;
	json_t *answer = NULL;
	int err = stats_client_open(socket, ANSWER_MS, &client);

	if (!err)
		err = stats_client_ask(client, slice_from(question->command), &answer);
	stats_client_close(client);
	if (!err)
		return answer;
	if (err == -ERR_NOT_FOUND || err == -ERR_REFUSED)
		fprintf(stderr, "postern: %s is not running (nobody answers at %s)\n", half,
			socket);
	else if (err == -ERR_DENIED)
		fprintf(stderr, "postern: you may not read %s (try as root)\n", socket);
	else
		fprintf(stderr, "postern: %s did not answer at %s: %s\n", half, socket,
			err_text(err));
	return NULL;
}

/* Prints the answer and lets go of it. */
static int print_answer(json_t *answer, const struct question *question)
{
	struct buf text;
	const json_t *error = json_object_get(answer, "error");
	int status = error ? CLI_WRONG : CLI_OK;

	if (question->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (error) {
		fprintf(stderr, "postern: %s\n",
			json_is_string(error) ? json_string_value(error)
					      : "the answer is an error");
	} else {
		buf_init(&text);
		stats_text(answer, &text);
		cli_write(STDOUT_FILENO, &text);
		buf_free(&text);
	}
	json_decref(answer);
	return status;
}

static int ask_both(const char *sbc_socket, const char *relay_socket,
		    const struct question *question)
{
	json_t *sbc = ask(sbc_socket, "postern-sbc", question);
	json_t *relay = ask(relay_socket, "postern-rtpengine", question);
	json_t *merged = json_object();
	int status = sbc && relay ? CLI_OK : CLI_NO_ANSWER;

	if (!merged || (!sbc && !relay)) {
		json_decref(merged);
		json_decref(sbc);
		json_decref(relay);
		return CLI_NO_ANSWER;
	}
	/* The one that answers is shown, whatever became of the other. */
	if (sbc)
		json_object_set_new(merged, "sbc", sbc);
	if (relay)
		json_object_set_new(merged, "relay", relay);
	(void)print_answer(merged, question);
	return status;
}

static int ask_one(const char *socket, const char *half, const struct question *question)
{
	json_t *answer = ask(socket, half, question);

	return answer ? print_answer(answer, question) : CLI_NO_ANSWER;
}

static const char *default_socket(const char *key)
{
	return schema_default(schema_find(schema_section(SCHEMA_FILE), slice_from(key)), false);
}

static int load(const char *path, struct config **config)
{
	struct buf findings;

	buf_init(&findings);
	int err = config_load(path, config, &findings);
	if (err)
		cli_write(STDERR_FILENO, &findings);
	buf_free(&findings);
	return err;
}

int unban_command(int argc, char **argv)
{
	struct question question = {.first = NULL};
	struct config *config = NULL;
	const char *socket = default_socket("stats.socket");
	int status = read_arguments("unban", argc, argv, &question);

	if (!status && !question.first)
		return cli_usage("unban whom? (an address; show bans lists them)");
	if (status)
		return status;
	if (question.socket) {
		socket = question.socket;
	} else if (question.file) {
		if (load(question.file, &config) != 0)
			return CLI_WRONG;
		socket = config->stats.socket;
	}
	status = ask_one(socket, "postern-sbc", &question);
	config_free(config);
	return status;
}

static int tell_sbc(const char *verb, bool takes_word, int argc, char **argv)
{
	struct question question = {.first = NULL};
	struct config *config = NULL;
	const char *socket = default_socket("stats.socket");
	int status = read_arguments(verb, argc, argv, &question);

	if (!status && question.first && !takes_word)
		return cli_usage("%s takes no words", verb);
	if (status)
		return status;
	if (question.socket) {
		socket = question.socket;
	} else if (question.file) {
		if (load(question.file, &config) != 0)
			return CLI_WRONG;
		socket = config->stats.socket;
	}
	status = ask_one(socket, "postern-sbc", &question);
	config_free(config);
	return status;
}

int drain_command(int argc, char **argv)
{
	return tell_sbc("drain", true, argc, argv);
}

int undrain_command(int argc, char **argv)
{
	return tell_sbc("undrain", false, argc, argv);
}

int upgrade_command(int argc, char **argv)
{
	return tell_sbc("upgrade", false, argc, argv);
}

int upgrade_run_command(int argc, char **argv)
{
	return tell_sbc("upgrade run", false, argc, argv);
}

static int tell_relay(const char *name, int argc, char **argv)
{
	struct question question = {.first = NULL};
	struct config *config = NULL;
	const char *socket = default_socket("stats.relay-socket");
	int status = read_arguments(name, argc, argv, &question);

	if (!status && question.first)
		return cli_usage("relay %s takes no words", name);
	if (status)
		return status;
	if (question.socket) {
		socket = question.socket;
	} else if (question.file) {
		if (load(question.file, &config) != 0)
			return CLI_WRONG;
		socket = config->stats.relay_socket;
	}
	status = ask_one(socket, "postern-rtpengine", &question);
	config_free(config);
	return status;
}

int relay_drain_command(int argc, char **argv)
{
	return tell_relay("drain", argc, argv);
}

int relay_upgrade_command(int argc, char **argv)
{
	return tell_relay("upgrade", argc, argv);
}

int relay_undrain_command(int argc, char **argv)
{
	return tell_relay("undrain", argc, argv);
}

/* The lines of one half; CLI_WRONG when it refused. */
static int reload_one(const char *socket, const char *half, const struct question *question)
{
	json_t *answer = ask(socket, half, question);
	const json_t *changes = json_object_get(answer, "changes");
	size_t count = json_array_size(changes);

	if (!answer || question->json || !changes)
		return answer ? print_answer(answer, question) : CLI_NO_ANSWER;
	printf("%s: %s\n", half, count ? "reloaded" : "nothing has changed");
	for (size_t i = 0; i < count; i++)
		printf("  %s\n", json_string_value(json_array_get(changes, i)));
	json_decref(answer);
	return CLI_OK;
}

/* Nothing is changed by asking. */
static int may_reload(const char *socket, const char *half)
{
	const struct question check = {.command = "reload check"};
	json_t *answer = ask(socket, half, &check);

	if (answer && json_object_get(answer, "error"))
		return print_answer(answer, &check);
	json_decref(answer);
	return answer ? CLI_OK : CLI_NO_ANSWER;
}

int reload_command(int argc, char **argv)
{
	struct question question = {.first = NULL};
	struct config *config = NULL;
	const char *sbc = default_socket("stats.socket");
	const char *relay = default_socket("stats.relay-socket");
	bool has_relay = true;
	int status = read_arguments("reload", argc, argv, &question);

	if (!status && question.first)
		return cli_usage("reload takes no words: each half reads its own file again");
	if (status)
		return status;
	if (question.socket)
		return reload_one(question.socket, "it", &question);
	if (question.file) {
		if (load(question.file, &config) != 0)
			return CLI_WRONG;
		sbc = config->stats.socket;
		relay = config->stats.relay_socket;
		has_relay = config->relay.listen_count > 0;
	}
	/* What one half cannot take, the other is not asked to. */
	if (has_relay)
		status = may_reload(relay, "postern-rtpengine");
	if (!status)
		status = reload_one(sbc, "postern-sbc", &question);
	if (!status && has_relay)
		status = reload_one(relay, "postern-rtpengine", &question);
	config_free(config);
	return status;
}

int show_command(int argc, char **argv)
{
	struct question question = {.first = NULL};
	struct config *config = NULL;
	const char *sbc = default_socket("stats.socket");
	const char *relay = default_socket("stats.relay-socket");
	int status = read_arguments("show", argc, argv, &question);

	if (!status && !question.first)
		return cli_usage(
			"show what? calls, call ID, record ID, registrations, peers, relays, bans, "
			"interfaces, stats, version");
	if (!status && strcmp(question.first, "help") == 0)
		slice_copy(SLICE("help"), question.command, COMMAND_MAX);
	if (!status)
		status = check_word(&question);
	if (status)
		return status;
	if (question.socket)
		return ask_one(question.socket, "it", &question);
	if (question.file) {
		if (load(question.file, &config) != 0)
			return CLI_WRONG;
		sbc = config->stats.socket;
		relay = config->stats.relay_socket;
	}
	if (is_among(question.first, of_both, COUNT(of_both)) &&
	    !(config && config->relay.listen_count == 0))
		status = ask_both(sbc, relay, &question);
	else
		status = ask_one(sbc, "postern-sbc", &question);
	config_free(config);
	return status;
}
