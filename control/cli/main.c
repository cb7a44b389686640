/* SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "config/nearest.h"

static const struct cli_command commands[] = {
	{"run", "-c FILE", "both halves in the foreground, restarted when they die",
	 "Starts postern-rtpengine and postern-sbc (beside this program, or in PATH) and waits "
	 "until they\n"
	 "are ready; with stats.prometheus the exporter, too. SIGTERM or SIGINT ends the "
	 "signalling half first, then the relay.\n"
	 "Exit status: 0 stopped as asked, 1 the file is wrong, 3 a half could not start, 4 a half "
	 "did not\n"
	 "stop cleanly.\n",
	 run_command},
	{"check", "FILE | --diff OLD NEW", "is this configuration right? what does it change?",
	 "Prints every error and warning with its place and a cure. Exit status: 0 it may run "
	 "(there may be\n"
	 "warnings), 1 it may not.\n"
	 "--diff OLD NEW   each value that NEW changes, and whether that needs a restart\n",
	 check_command},
	{"config show", "[--effective] FILE", "the file, or every resulting value with its origin",
	 "--effective   every value, filled in, and behind it where it comes from: file:line, "
	 "role, default\n",
	 config_show_command},
	{"config docs", "", "the reference of all keys, as Markdown (docs/configuration.md)", "",
	 config_docs_command},
	{"config schema", "", "the JSON Schema of the file, for editors", "",
	 config_schema_command},
	{"records", "[--count] -c FILE", "what the store holds, and whose it is",
	 "Asks the store of this configuration, whether a Postern runs or not: calls, "
	 "subscriptions "
	 "(sub),\n"
	 "media, registrations (aor), trunks, nodes that live. Who speaks with whom is not shown, "
	 "and no key.\n"
	 "--count    their numbers alone\n"
	 "Exit status: 0 done, 1 there is no such store, 5 it does not answer.\n",
	 records_command},
	{"reload", "[--json] [-c FILE | -s SOCKET]", "the running halves read their file again",
	 "Each half checks the file whole, prints what changes and goes over to it; calls go on "
	 "as they\n"
	 "began. A file that is wrong, or needs a restart, changes nothing. SIGHUP does the "
	 "same.\n"
	 "-c FILE              the sockets of this configuration (default: /run/postern/)\n"
	 "-s SOCKET            this half only\n"
	 "Exit status: 0 done, 1 refused, 5 nobody answers.\n",
	 reload_command},
	{"exporter", "-c FILE", "the statistics for Prometheus, as `run` starts it",
	 "Answers GET /metrics at stats.prometheus with what both stats sockets say "
	 "(OpenMetrics).\n"
	 "`postern run` starts it by itself when the file has stats.prometheus.\n",
	 exporter_command},
	{"show", "WORDS... [--json] [-c FILE | -s SOCKET]", "what the running halves know",
	 "show calls | call ID | record ID | registrations | peers | relays | bans\n"
	 "                                                     asks the signalling half\n"
	 "show interfaces | stats | version                           asks both\n"
	 "show help            all that can be asked\n"
	 "--json               one JSON document instead of text\n"
	 "-c FILE              the sockets of this configuration (default: /run/postern/)\n"
	 "-s SOCKET            this socket only\n"
	 "Exit status: 0 answered, 1 the answer is an error, 5 nobody answers.\n",
	 show_command},
	{"subscriber", "VERB ... [-c FILE | -f STORE]",
	 "who may register with the domains we answer for",
	 "subscriber add USER@DOMAIN        the password is asked for, or read from stdin\n"
	 "subscriber password USER@DOMAIN   another one\n"
	 "subscriber remove USER@DOMAIN\n"
	 "subscriber list [DOMAIN]\n"
	 "subscriber backup FILE            all of them as text, digests only (- = stdout)\n"
	 "subscriber restore FILE           exactly those, all or nothing (- = stdin)\n"
	 "-c FILE    the store of this configuration (default: /var/lib/postern/subscribers.db)\n"
	 "-f STORE   this SQLite file\n"
	 "A running Postern sees changes within a second. Exit status: 0 done, 1 not done.\n",
	 subscriber_command},
	{"unban", "ADDRESS [-c FILE | -s SOCKET]", "let a banned address in again",
	 "Lifts every ban of the address and of single flows from it (show bans).\n"
	 "Exit status: 0 done, 1 it is not banned, 5 nobody answers.\n",
	 unban_command},
	{"drain", "[SECONDS | hand-over | keep] [-c FILE | -s SOCKET]",
	 "no new calls; end when none is left",
	 "New calls (but emergencies) and OPTIONS get 503 with Retry-After; what is there goes on "
	 "as ever.\n"
	 "When the last call has ended, or SECONDS are over (3600; then they get BYE), both halves "
	 "end, status 0.\n"
	 "hand-over   leave the calls to the other nodes of the store, and end at once; while no "
	 "other node lives (heirs 0), wait for one, or for the calls to end\n"
	 "keep        take no new calls, and do not end\n"
	 "show version tells how many calls are left. Exit status: 0 begun, 1 refused, 5 nobody "
	 "answers.\n",
	 drain_command},
	{"undrain", "[-c FILE | -s SOCKET]", "new calls again",
	 "Exit status: 0 done, 5 nobody answers.\n", undrain_command},
	{"upgrade run", "[-c FILE | -s SOCKET]", "another binary of `postern run`, in place",
	 "What is at its path now is asked whether it would start with this file, and takes its "
	 "place: the same\n"
	 "process, which keeps both halves and their sockets. Its log tells (run.replaced, "
	 "run.not_replaced).\n"
	 "Exit status: 0 begun, 1 refused, 5 nobody answers.\n",
	 upgrade_run_command},
	{"upgrade", "[-c FILE | -s SOCKET]", "another binary of the signalling half, in place",
	 "The signalling half ends without a word to its calls; postern run starts what is at its "
	 "path now, with\n"
	 "the same listening sockets. Calls are in the store (redis or file).\n"
	 "Exit status: 0 begun, 1 refused, 5 nobody answers.\n",
	 upgrade_command},
	{"relay drain", "[-c FILE | -s SOCKET]", "the relay takes no new calls",
	 "Calls that are there go on; show stats tells when none is left. New ones are refused "
	 "with a text\n"
	 "that makes NG clients go to another relay.\n"
	 "Exit status: 0 done, 5 nobody answers.\n",
	 relay_drain_command},
	{"relay undrain", "[-c FILE | -s SOCKET]", "the relay takes new calls again",
	 "Exit status: 0 done, 5 nobody answers.\n", relay_undrain_command},
	{"relay upgrade", "[-c FILE | -s SOCKET]", "another binary of the relay, in place",
	 "The relay writes what it knows of its calls to the store and ends; postern run starts "
	 "what "
	 "is at its\n"
	 "path now, with the same ports, sources and keys. Calls are silent for about 0.3 s.\n"
	 "Exit status: 0 begun, 1 refused, 5 nobody answers.\n",
	 relay_upgrade_command},
	{"version", "", "the version of this program", "", version_command},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int cli_usage(const char *format, ...)
{
	va_list arguments;

	fputs("postern: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return CLI_USAGE;
}

void cli_write(int fd, const struct buf *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t wrote = write(fd, text->data + done, text->len - done);
		if (wrote <= 0)
			return;
		done += (size_t)wrote;
	}
}

int version_command(int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return cli_usage("version takes nothing");
	puts("postern " POSTERN_VERSION);
	return CLI_OK;
}

static void help_all(FILE *out)
{
	fputs("usage: postern COMMAND ...\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
	fputs("\npostern COMMAND --help tells more; docs/configuration.md is the reference of the "
	      "file.\n",
	      out);
}

static void help_one(const struct cli_command *command, FILE *out)
{
	fprintf(out, "usage: postern %s%s%s\n%s\n%s", command->name, *command->usage ? " " : "",
		command->usage, command->summary, command->help);
}

/* How many words of argv are the command's name; 0 = it is another. */
static int words_of(const struct cli_command *command, int argc, char **argv)
{
	struct slice name = slice_from(command->name), word;
	int words = 0;

	while (slice_next_word(&name, &word)) {
		if (words >= argc || !slice_equal(word, slice_from(argv[words])))
			return 0;
		words++;
	}
	return words;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int unknown_command(int argc, char **argv)
{
	char text[96];
	struct nearest nearest;

	/* "config" alone, "config shwo": against both words where the first begins some command. */
	(void)snprintf(text, sizeof(text), "%s%s%s", argv[0], argc > 1 ? " " : "",
		       argc > 1 ? argv[1] : "");
	bool two = false;
	for (size_t i = 0; i < COMMANDS; i++) {
		struct slice name = slice_from(commands[i].name);
		struct slice first = slice_cut(&name, ' ');
		two = two || (name.len && slice_equal(first, slice_from(argv[0])));
	}
	struct slice wanted = slice_from(two ? text : argv[0]);
	nearest_start(&nearest, wanted);
	for (size_t i = 0; i < COMMANDS; i++)
		nearest_offer(&nearest, commands[i].name);
	nearest_offer(&nearest, "help");
	if (nearest.name)
		return cli_usage("no command \"%.*s\" (did you mean \"%s\"?)", SLICE_ARG(wanted),
				 nearest.name);
	cli_usage("no command \"%.*s\"", SLICE_ARG(wanted));
	help_all(stderr);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help_all(stderr);
		return CLI_USAGE;
	}
	argc--;
	argv++;
	bool help = strcmp(argv[0], "help") == 0;
	if (is_help(argv[0]) || (help && argc == 1)) {
		help_all(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[0], "--version") == 0)
		return version_command(0, argv);
	if (help) {
		argc--;
		argv++;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		int words = words_of(&commands[i], argc, argv);
		if (words == 0)
			continue;
		for (int j = words; j < argc; j++)
			help = help || is_help(argv[j]);
		if (!help)
			return commands[i].run(argc - words, argv + words);
		help_one(&commands[i], stdout);
		return CLI_OK;
	}
	return unknown_command(argc, argv);
}
