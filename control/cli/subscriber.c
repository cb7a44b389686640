/* postern subscriber: who may register with the domains we answer for (founding scenario R1). A
 * password is asked for or read from stdin, never an argument: arguments are seen by everybody.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "config/config.h"
#include "config/schema.h"
#include "control/state/subscribers.h"

enum { PASSWORD_MAX = 256, BACKUP_MAX = 1 << 28 };

struct request {
	const char *words[3];
	int count;
	const char *file; /* -c */
	const char *path; /* -f: the store's file */
};

static int read_arguments(int argc, char **argv, struct request *request)
{
	for (int i = 0; i < argc; i++) {
		bool takes = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "-f") == 0;
		if (takes && i + 1 == argc)
			return cli_usage("%s needs a file", argv[i]);
		if (takes && argv[i][1] == 'c')
			request->file = argv[++i];
		else if (takes)
			request->path = argv[++i];
		else if (argv[i][0] == '-' && argv[i][1] != '\0')
			return cli_usage("subscriber has no option %s", argv[i]);
		else if (request->count == 3)
			return cli_usage("too many words");
		else
			request->words[request->count++] = argv[i];
	}
	return CLI_OK;
}

/* --- the store --- */

static int open_store(const struct request *request, struct config **config,
		      struct subscribers **out)
{
	const struct schema_key *key =
		schema_find(schema_section(SCHEMA_FILE), SLICE("subscribers.path"));
	struct subscribers_config store = {.path = schema_default(key, false)};
	struct buf why;

	buf_init(&why);
	if (request->file) {
		if (config_load(request->file, config, &why) != 0) {
			cli_write(STDERR_FILENO, &why);
			buf_free(&why);
			return CLI_WRONG;
		}
		buf_clear(&why);
		const struct config_state *state = &(*config)->state;
		store.path = (*config)->subscribers.path;
		if ((*config)->subscribers.store == CONFIG_SUBSCRIBERS_REDIS) {
			store = (struct subscribers_config){
				.redis = state->server.addr,
				.redis_unix = state->server.transport == CONFIG_UNIX
						      ? state->server.path
						      : NULL,
				.redis_user = state->user,
				.redis_password = state->password,
				.redis_database = state->database,
				.sentinels = {.master = state->sentinel.master,
					      .password = state->sentinel.password}};
			for (size_t i = 0; i < state->sentinel.server_count; i++)
				redis_sentinels_add(&store.sentinels,
						    &state->sentinel.servers[i].addr);
		}
	}
	if (request->path)
		store.path = request->path;
	int err = subscribers_open(&store, &why, out);
	if (err)
		fprintf(stderr, "postern: subscribers: %.*s\n",
			why.len ? (int)why.len : (int)strlen(err_text(err)),
			why.len ? why.data : err_text(err));
	buf_free(&why);
	return err ? CLI_WRONG : CLI_OK;
}

/* --- passwords --- */

static int read_line(struct buf *out)
{
	char c;

	while (out->len < PASSWORD_MAX) {
		ssize_t got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || c == '\n')
			return out->len > 0 ? 0 : -ERR_NOT_FOUND;
		if (c != '\r')
			buf_add_char(out, c);
	}
	return -ERR_TOO_LARGE;
}

static int ask_once(const char *prompt, struct buf *out)
{
	struct termios before, quiet;

	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return read_line(out); /* no terminal: the line that comes */
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	int err = read_line(out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return err;
}

static int ask_password(struct buf *out)
{
	struct buf again;

	int err = ask_once("password: ", out);
	if (err || !isatty(STDIN_FILENO))
		return err;
	buf_init(&again);
	err = ask_once("again: ", &again);
	if (!err && !slice_equal(buf_slice(out), buf_slice(&again)))
		err = -ERR_MALFORMED;
	if (again.data)
		digest_wipe(again.data, again.cap);
	buf_free(&again);
	return err;
}

/* --- verbs on one subscriber --- */

struct named {
	char text[2 * SUBSCRIBER_NAME_MAX + 2];
	struct digest_hex ha1[DIGEST_ALGORITHMS];
	struct subscriber subscriber;
};

/* "alice@falco.bz"; the domain in lower case. */
static int read_name(const char *word, struct named *named)
{
	const char *at = word ? strchr(word, '@') : NULL;

	if (!at || at == word || !at[1] || strlen(word) >= sizeof(named->text))
		return cli_usage("whom? (USER@DOMAIN)");
	slice_copy(slice_from(word), named->text, sizeof(named->text));
	size_t user = (size_t)(at - word);
	for (char *c = named->text + user; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
	named->subscriber.user = (struct slice){named->text, user};
	named->subscriber.domain = slice_from(named->text + user + 1);
	return CLI_OK;
}

static int make_digests(struct named *named)
{
	struct buf password;
	int err = 0;

	buf_init(&password);
	err = ask_password(&password);
	for (int i = 0; !err && i < DIGEST_ALGORITHMS; i++) {
		err = digest_ha1((enum digest_algorithm)i, named->subscriber.user,
				 named->subscriber.domain, buf_slice(&password), &named->ha1[i]);
		named->subscriber.ha1[i] = slice_from(named->ha1[i].text);
	}
	if (password.data)
		digest_wipe(password.data, password.cap);
	buf_free(&password);
	if (err)
		fprintf(stderr, "postern: %s\n",
			err == -ERR_MALFORMED   ? "the two passwords differ"
			: err == -ERR_NOT_FOUND ? "no password was given"
						: err_text(err));
	return err;
}

static int say(const struct named *named, int err)
{
	const char *why = err == -ERR_EXISTS      ? "is there already (postern subscriber password)"
			  : err == -ERR_NOT_FOUND ? "is not there"
			  : err == -ERR_MALFORMED ? "is no name for a subscriber"
						  : err_text(err);
	if (err)
		fprintf(stderr, "postern: %s %s\n", named->text, why);
	return err ? CLI_WRONG : CLI_OK;
}

static int set(struct subscribers *store, const char *word, bool is_new)
{
	struct named named = {0};

	int status = read_name(word, &named);
	if (status)
		return status;
	if (make_digests(&named) != 0)
		return CLI_WRONG;
	int err = is_new ? subscribers_add(store, &named.subscriber)
			 : subscribers_change(store, &named.subscriber);
	digest_wipe(named.ha1, sizeof(named.ha1));
	return say(&named, err);
}

static int drop(struct subscribers *store, const char *word)
{
	struct named named = {0};

	int status = read_name(word, &named);
	if (status)
		return status;
	return say(&named,
		   subscribers_remove(store, named.subscriber.domain, named.subscriber.user));
}

/* --- verbs on all --- */

static int print_one(void *owner, const struct subscriber *subscriber)
{
	const struct slice *domain = owner;

	if (domain->len == 0 || slice_equal_nocase(*domain, subscriber->domain))
		printf("%.*s@%.*s\n", SLICE_ARG(subscriber->user), SLICE_ARG(subscriber->domain));
	return 0;
}

static int failed(const char *what, int err)
{
	fprintf(stderr, "postern: %s: %s\n", what, err_text(err));
	return CLI_WRONG;
}

static int list(struct subscribers *store, const char *word)
{
	struct slice domain = slice_from(word);

	int err = subscribers_each(store, print_one, &domain);
	return err ? failed("subscribers", err) : CLI_OK;
}

/* A new file that only its owner reads, in the place of another once it is whole. */
static int write_file(const char *path, const struct buf *text)
{
	struct buf beside;
	int err = -ERR_NO_MEMORY, fd = -1;

	buf_init(&beside);
	buf_printf(&beside, "%s.new", path);
	if (!buf_failed(&beside)) {
		(void)unlink(beside.data);
		fd = open(beside.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		err = fd < 0 ? err_from_errno(errno) : 0;
	}
	for (size_t done = 0; !err && done < text->len;) {
		ssize_t wrote = write(fd, text->data + done, text->len - done);
		if (wrote < 0)
			err = err_from_errno(errno);
		else
			done += (size_t)wrote;
	}
	if (!err && (fsync(fd) != 0 || rename(beside.data, path) != 0))
		err = err_from_errno(errno);
	if (fd >= 0)
		close(fd);
	if (err && fd >= 0)
		(void)unlink(beside.data);
	buf_free(&beside);
	return err;
}

static int backup(struct subscribers *store, const char *path)
{
	struct buf text;

	if (!path)
		return cli_usage("backup to which file? (- for stdout)");
	buf_init(&text);
	int err = subscribers_backup(store, &text);
	if (!err && strcmp(path, "-") == 0)
		cli_write(STDOUT_FILENO, &text);
	else if (!err)
		err = write_file(path, &text);
	buf_free(&text);
	return err ? failed(path, err) : CLI_OK;
}

static int read_file(const char *path, struct buf *out)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : 1;
	int err = fd < 0 ? err_from_errno(errno) : 0;

	while (!err && got > 0) {
		char *room = buf_reserve(out, 65536);
		if (!room || out->len > BACKUP_MAX) {
			err = room ? -ERR_TOO_LARGE : -ERR_NO_MEMORY;
			break;
		}
		got = read(fd, room, 65536);
		if (got < 0)
			err = err_from_errno(errno);
		else
			out->len += (size_t)got;
	}
	if (fd > STDIN_FILENO)
		close(fd);
	return err;
}

static int restore(struct subscribers *store, const char *path)
{
	struct buf text;
	unsigned int line = 0;

	if (!path)
		return cli_usage("restore from which file? (- for stdin)");
	buf_init(&text);
	int err = read_file(path, &text);
	if (!err)
		err = subscribers_restore(store, buf_slice(&text), &line);
	buf_free(&text);
	if (err == -ERR_MALFORMED) {
		fprintf(stderr, "postern: %s:%u: not a backup of subscribers; nothing changed\n",
			path, line);
		return CLI_WRONG;
	}
	return err ? failed(path, err) : CLI_OK;
}

int subscriber_command(int argc, char **argv)
{
	struct request request = {0};
	struct config *config = NULL;
	struct subscribers *store = NULL;

	int status = read_arguments(argc, argv, &request);
	if (status)
		return status;
	const char *verb = request.words[0] ? request.words[0] : "", *word = request.words[1];
	static const char *const verbs[] = {"add",  "password", "remove",
					    "list", "backup",   "restore"};
	size_t which = 0;
	while (which < 6 && strcmp(verb, verbs[which]) != 0)
		which++;
	if (which == 6 || request.count > 2)
		return cli_usage("subscriber add | password | remove USER@DOMAIN, list [DOMAIN], "
				 "backup | restore FILE");
	status = open_store(&request, &config, &store);
	if (!status)
		status = which == 0   ? set(store, word, true)
			 : which == 1 ? set(store, word, false)
			 : which == 2 ? drop(store, word)
			 : which == 3 ? list(store, word)
			 : which == 4 ? backup(store, word)
				      : restore(store, word);
	subscribers_close(store);
	config_free(config);
	return status;
}
