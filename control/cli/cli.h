/* cli.h - the `postern` command: one row of a table for each verb.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/buf.h"

/* What the exit status tells. */
enum cli_status {
	CLI_OK = 0,
	CLI_WRONG = 1,     /* the file is wrong, the answer an error */
	CLI_USAGE = 2,     /* the command line is wrong */
	CLI_NO_START = 3,  /* run: a half could not start */
	CLI_UNCLEAN = 4,   /* run: a half did not stop by itself, or not with 0 */
	CLI_NO_ANSWER = 5, /* show: nothing answers at the socket */
};

struct cli_command {
	const char *name;                  /* "config show" */
	const char *usage;                 /* what follows the name */
	const char *summary;               /* one line */
	const char *help;                  /* the rest, lines that end in \n */
	int (*run)(int argc, char **argv); /* argv[0] is the first word after the name */
};

int check_command(int argc, char **argv);
int config_show_command(int argc, char **argv);
int config_docs_command(int argc, char **argv);
int config_schema_command(int argc, char **argv);
int run_command(int argc, char **argv);
int exporter_command(int argc, char **argv);
int show_command(int argc, char **argv);
int records_command(int argc, char **argv);
int reload_command(int argc, char **argv);
int subscriber_command(int argc, char **argv);
int unban_command(int argc, char **argv);
int drain_command(int argc, char **argv);
int undrain_command(int argc, char **argv);
int upgrade_command(int argc, char **argv);
int upgrade_run_command(int argc, char **argv);
int relay_upgrade_command(int argc, char **argv);
int relay_drain_command(int argc, char **argv);
int relay_undrain_command(int argc, char **argv);
int version_command(int argc, char **argv);

/* "postern: TEXT" on stderr; returns CLI_USAGE. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The whole of `text` to a file descriptor; a reader that has gone is no error. */
void cli_write(int fd, const struct buf *text);
