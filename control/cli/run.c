/* postern run: the file is checked, then both halves are supervised.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "control/cli/successor.h"

#define READY_MS 30000 /* hugepages may have to be cleared */
#define STOP_MS  5000

struct half { /* a program to keep running */
	const char *name;
	const char *tree; /* from here to it in the build tree */
	const char *verb; /* its first argument; NULL = none */
	char path[PATH_MAX];
};

static bool is_program(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISREG(status.st_mode) && !access(path, X_OK);
}

/* `folder`/`rest`/`name` when it is a program. */
static bool try_path(struct half *half, struct slice folder, const char *rest)
{
	int length = snprintf(half->path, sizeof(half->path), "%.*s/%s%s", SLICE_ARG(folder), rest,
			      half->name);

	return length > 0 && (size_t)length < sizeof(half->path) && folder.len &&
	       is_program(half->path);
}

/* Beside this program, in its build tree, or in PATH. */
static int find_half(struct half *half)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct slice here = {self, length > 0 ? (size_t)length : 0};
	struct slice rest = slice_from(getenv("PATH"));

	while (here.len && here.data[here.len - 1] != '/')
		here.len--;
	if (here.len)
		here.len--;
	if (try_path(half, here, "") || try_path(half, here, half->tree))
		return 0;
	while (rest.len)
		if (try_path(half, slice_cut(&rest, ':'), ""))
			return 0;
	fprintf(stderr, "postern: there is no program %s, neither beside this one nor in PATH\n",
		half->name);
	return -ERR_NOT_FOUND;
}

/* The folder of a stats socket, so that the halves need not be root to remove their sockets. */
static void make_folder(const char *socket, const char *user, const struct log *log)
{
	char folder[PATH_MAX];
	struct passwd *entry;

	(void)snprintf(folder, sizeof(folder), "%s", socket);
	char *slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = '\0';
	if (mkdir(folder, 0755)) {
		if (errno != EEXIST)
			log_warn(log, "run.folder", "path=%s error=\"%s\"", folder,
				 strerror(errno));
		return;
	}
	entry = getpwnam(user);
	if (geteuid() == 0 && entry && chown(folder, entry->pw_uid, entry->pw_gid))
		log_warn(log, "run.folder", "path=%s user=%s error=\"%s\"", folder, user,
			 strerror(errno));
}

struct order { /* of the command line */
	char *file;
	char *self;
	const struct successor *resumed; /* NULL = everything is started */
};

static int supervise(struct half *halves, size_t count, const struct order *order,
		     const struct log *log)
{
	struct supervisor_program programs[SUPERVISOR_PROGRAMS];
	char *argv[SUPERVISOR_PROGRAMS][7];
	struct loop *loop = NULL;
	char ready[8];

	(void)snprintf(ready, sizeof(ready), "%d", SUPERVISOR_READY_FD);
	for (size_t i = 0; i < count; i++) {
		const char *words[7] = {halves[i].path, halves[i].verb, "-c", order->file,
					"--ready-fd",   ready,          NULL};
		if (!halves[i].verb)
			memmove(words + 1, words + 2, 5 * sizeof(words[0]));
		memcpy(argv[i], words, sizeof(words)); /* execv() takes them as char *const */
		programs[i] = (struct supervisor_program){halves[i].name, halves[i].path, argv[i]};
	}
	if (loop_create(&loop)) {
		fputs("postern: no event loop: out of memory or file descriptors\n", stderr);
		return CLI_NO_START;
	}
	int status = supervisor_run(&(struct supervisor_config){
		.loop = loop,
		.log = log,
		.programs = programs,
		.program_count = count,
		.ready_ms = READY_MS,
		.stop_ms = STOP_MS,
		.self = order->self,
		.file = order->file,
		.resumed = order->resumed,
	});
	loop_destroy(loop);
	log_info(log, "run.end", "status=%d", status);
	return status;
}

static int find_self(struct half *half)
{
	ssize_t length = readlink("/proc/self/exe", half->path, sizeof(half->path) - 1);

	if (length <= 0) {
		fprintf(stderr, "postern: who am I? /proc/self/exe: %s\n", strerror(errno));
		return -ERR_NOT_FOUND;
	}
	half->path[length] = '\0';
	return 0;
}

/* "--resumes VERSION" asks whether this binary could take the place of one that runs; "--resume FD"
 * makes it do so. Both are said by a supervisor, to its next one. */
static int read_order(int argc, char **argv, struct successor *successor, struct order *out,
		      bool *is_trial)
{
	uint32_t fd;

	*is_trial = false;
	if ((argc != 2 && argc != 4) || strcmp(argv[0], "-c") != 0)
		return cli_usage("run takes -c FILE (postern run --help)");
	out->file = argv[1];
	if (argc == 2)
		return CLI_OK;
	*is_trial = strcmp(argv[2], "--resumes") == 0;
	if (*is_trial && strcmp(argv[3], SUCCESSOR_VERSION) == 0)
		return CLI_OK;
	if (*is_trial || strcmp(argv[2], "--resume") != 0 ||
	    slice_to_u32(slice_from(argv[3]), INT_MAX, &fd) != 0 ||
	    successor_read((int)fd, successor) != 0)
		return cli_usage("run takes -c FILE (postern run --help)");
	out->resumed = successor;
	return CLI_OK;
}

/* Those of the file, or those that run. */
static size_t choose(const struct config *config, const struct successor *resumed,
		     struct half *halves, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		/* Without a place to listen the relays are all elsewhere. */
		bool is_wanted = i == 0   ? config->relay.listen_count > 0
				 : i == 2 ? addr_is_set(&config->stats.prometheus)
					  : true;
		if (resumed)
			is_wanted = successor_find(resumed, halves[i].name) != NULL;
		if (is_wanted)
			halves[kept++] = halves[i];
	}
	return kept;
}

int run_command(int argc, char **argv)
{
	struct half halves[] = {{.name = "postern-rtpengine", .tree = "../../rtpengine/"},
				{.name = "postern-sbc", .tree = "../../sbc/"},
				{.name = "exporter", .verb = "exporter"}};
	struct half self = {.name = "postern"};
	struct log log = {.fd = STDERR_FILENO, .program = "run"};
	struct successor successor;
	struct order order = {.self = self.path};
	struct config *config = NULL;
	struct buf findings;
	bool is_trial;

	int status = read_order(argc, argv, &successor, &order, &is_trial);
	if (status)
		return status;
	buf_init(&findings);
	int err = config_load(order.file, &config, &findings);
	cli_write(STDERR_FILENO, &findings);
	buf_free(&findings);
	if (err) {
		fputs("postern: nothing was started\n", stderr);
		return CLI_WRONG;
	}
	log.level = config->log_level;
	make_folder(config->stats.socket, config->user, &log);
	make_folder(config->stats.relay_socket, config->user, &log);
	size_t count = choose(config, order.resumed, halves, sizeof(halves) / sizeof(halves[0]));
	config_free(config);

	if (find_self(&self))
		return CLI_NO_START;
	for (size_t i = 0; i < count; i++)
		if (halves[i].verb ? find_self(&halves[i]) : find_half(&halves[i]))
			return CLI_NO_START;
	if (is_trial)
		return CLI_OK;
	(void)signal(SIGPIPE, SIG_IGN);
	return supervise(halves, count, &order, &log);
}
