/* postern check, postern config ...: questions about a file, answered without starting anything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "config/config.h"
#include "config/effective.h"
#include "config/reload.h"
#include "config/schema.h"

static const char *only_file(const char *command, int argc, char **argv)
{
	if (argc != 1 || (argv[0][0] == '-' && argv[0][1])) {
		cli_usage("%s takes one file (postern %s --help)", command, command);
		return NULL;
	}
	return strcmp(argv[0], "-") == 0 ? "/dev/stdin" : argv[0];
}

static unsigned count_listeners(const struct config *config, enum config_transport transport)
{
	unsigned count = 0;

	for (size_t i = 0; i < config->interface_count; i++)
		for (size_t j = 0; j < config->interfaces[i].listener_count; j++)
			count += config->interfaces[i].listeners[j].transport == transport;
	return count;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static const char *state_place(const struct config_state *state)
{
	if (state->store == CONFIG_STORE_FILE)
		return state->path;
	return state->store == CONFIG_STORE_REDIS ? state->server.text : "memory";
}

static void summary(const struct config *config, const char *path)
{
	printf("%s: fine: %zu interface%s, %zu peer%s, %zu route%s; listens on %u UDP and %u TCP "
	       "socket%s\n",
	       path, config->interface_count, plural(config->interface_count), config->peer_count,
	       plural(config->peer_count), config->route_count, plural(config->route_count),
	       count_listeners(config, CONFIG_UDP), count_listeners(config, CONFIG_TCP),
	       plural(count_listeners(config, CONFIG_TCP)));
	for (size_t i = 0; i < config->phones_count; i++)
		printf("%sphones on %s register with %s", i ? "; " : "",
		       config->interfaces[config->phones[i].from].name,
		       config->peers[config->phones[i].registrar].name);
	printf("%s; state in %s\n", config->phones_count ? "" : "no phones register",
	       state_place(&config->state));
}

/* What a running daemon would be given, and what it could not take. */
static int diff_command(const char *before_path, const char *after_path)
{
	struct config *before = NULL, *after = NULL;
	struct buf text;

	buf_init(&text);
	int err = config_load(before_path, &before, &text);
	if (!err)
		err = config_load(after_path, &after, &text);
	cli_write(STDERR_FILENO, &text);
	buf_clear(&text);
	if (!err && config_diff(before, after, &text) == 0)
		buf_add_text(&text, "nothing changes\n");
	cli_write(STDOUT_FILENO, &text);
	buf_free(&text);
	config_free(before);
	config_free(after);
	return err ? CLI_WRONG : CLI_OK;
}

int check_command(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[0], "--diff") == 0)
		return diff_command(argv[1], argv[2]);
	const char *path = only_file("check", argc, argv);
	struct config *config = NULL;
	struct buf findings;

	if (!path)
		return CLI_USAGE;
	buf_init(&findings);
	int err = config_load(path, &config, &findings);
	cli_write(STDERR_FILENO, &findings);
	buf_free(&findings);
	if (err)
		return CLI_WRONG;
	summary(config, path);
	config_free(config);
	return CLI_OK;
}

static int copy_file(const char *path)
{
	char chunk[8192];
	size_t got;
	FILE *file = fopen(path, "re");

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return CLI_WRONG;
	}
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		fwrite(chunk, 1, got, stdout);
	fclose(file);
	return CLI_OK;
}

int config_show_command(int argc, char **argv)
{
	bool effective = argc > 0 && strcmp(argv[0], "--effective") == 0;
	bool last = argc > 1 && strcmp(argv[1], "--effective") == 0;
	struct config *config = NULL;
	struct buf text;

	if (effective)
		argv++;
	if (effective || last)
		argc--;
	const char *path = only_file("config show", argc, argv);
	if (!path)
		return CLI_USAGE;
	if (!effective && !last)
		return copy_file(path);
	buf_init(&text);
	int err = config_load(path, &config, &text);
	cli_write(STDERR_FILENO, &text);
	buf_clear(&text);
	if (!err) {
		config_show_effective(config, &text);
		cli_write(STDOUT_FILENO, &text);
	}
	buf_free(&text);
	config_free(config);
	return err ? CLI_WRONG : CLI_OK;
}

static int print_made(const char *command, int argc, void (*make)(struct buf *out))
{
	struct buf text;

	if (argc > 0)
		return cli_usage("%s takes nothing", command);
	buf_init(&text);
	make(&text);
	int status = buf_failed(&text) ? CLI_WRONG : CLI_OK;
	cli_write(STDOUT_FILENO, &text);
	buf_free(&text);
	return status;
}

int config_docs_command(int argc, char **argv)
{
	(void)argv;
	return print_made("config docs", argc, schema_docs);
}

int config_schema_command(int argc, char **argv)
{
	(void)argv;
	return print_made("config schema", argc, schema_json);
}
