/* main.c - postern-sbc: reads the configuration, opens every socket, lets go of root, runs the
 * workers until it is asked to stop.
 * Exit status: 0 stopped as asked; 10 drained as asked; 11 left to the next; 1 could not start or
 * failed; 2 wrong arguments or configuration. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config/reload.h"
#include "control/base/exits.h"
#include "control/state/keys.h"
#include "sbc/call/core.h"
#include "sbc/cdr/cdr_file.h"
#include "sbc/registration/registry.h"
#include "sbc/route/shared.h"
#include "sbc/sandbox.h"
#include "sbc/show/show.h"
#include "sbc/supervised.h"
#include "sbc/transport/inherit.h"

enum { EXIT_USAGE = 2 };
/* BYE to both sides of every call; what is not answered by then is left to the peers. */
enum { STOP_LIMIT_MS = 3000 };
/* How often it is looked whether listeners that a reload took away are still used. */
enum { LISTENERS_LOOK_MS = 1000 };
/* How often it is looked whether the store has lost what the nodes have in common. */
enum { STORE_LOOK_MS = 1000 };
/* Draining: how often it is looked whether calls are left; what is being set up is answered, and
 * the store has it, before calls are handed over. */
enum { DRAIN_LOOK_MS = 200, HAND_OVER_MS = 500, LEAVE_MS = 50, UPGRADE_MS = 300 };

struct arguments {
	const char *config;
	int ready_fd;     /* -1 = none */
	uint32_t sockets; /* that are open already, from the descriptor behind ready_fd on */
};

struct program {
	struct log log;
	struct config *config;        /* of the start: what never changes points into it */
	const struct config *current; /* held */
	struct loop *loop;
	struct shared *shared;
	struct registry *registry;
	struct cdr_file *cdr;   /* NULL = none */
	struct cluster cluster; /* of its keys the workers have a copy */
	struct workers *workers;
	struct show *show;
	struct timer draining; /* armed while it ends as soon as it is empty */
	uint64_t drain_until_ms;
	uint64_t give_up_ms; /* so long another node is waited for that could have the calls */
	struct inherited inherited;
	bool is_drained; /* why it ends */
	bool hands_over;
	bool has_no_heir;       /* and that was said */
	bool is_upgrading;      /* likewise, to the next process here */
	struct timer listeners; /* that a reload took away: are they still used? */
	struct timer store_look;
	struct supervised supervised;
};

static int usage(FILE *out, int status)
{
	fputs("usage: postern-sbc -c FILE [--ready-fd N [--sockets COUNT]] [--version]\n", out);
	return status;
}

static int read_arguments(int argc, char **argv, struct arguments *out)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"ready-fd", required_argument, NULL, 'r'},
						{"sockets", required_argument, NULL, 's'},
						{"version", no_argument, NULL, 'v'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	int option;
	uint32_t fd;

	*out = (struct arguments){.ready_fd = -1};
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config = optarg;
			break;
		case 'r':
			if (slice_to_u32(slice_from(optarg), 1 << 20, &fd) != 0)
				exit(usage(stderr, EXIT_USAGE));
			out->ready_fd = (int)fd;
			break;
		case 's':
			if (slice_to_u32(slice_from(optarg), INHERITED_MAX, &out->sockets) != 0)
				exit(usage(stderr, EXIT_USAGE));
			break;
		case 'v':
			puts("postern-sbc " POSTERN_VERSION);
			exit(0);
		case 'h':
			exit(usage(stdout, 0));
		default:
			exit(usage(stderr, EXIT_USAGE));
		}
	}
	return out->config && optind == argc ? 0 : -ERR_INVALID;
}

static int load(struct program *program, const char *path)
{
	struct buf findings;

	buf_init(&findings);
	int err = config_load(path, &program->config, &findings);
	if (findings.len > 0)
		fprintf(stderr, "%.*s", (int)findings.len, findings.data);
	else if (err)
		fprintf(stderr, "%s: %s\n", path, err_text(err));
	buf_free(&findings);
	return err;
}

/* One socket a TCP peer: as many as the system lets us have. */
static void raise_limits(const struct log *log)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn(log, "limit.files", "reason=\"%s\"", strerror(errno));
}

/* The folder of the stats socket, for the user we become: the socket is removed at the end. */
static void make_folder(const char *path, const struct passwd *user)
{
	char folder[256];
	size_t len = slice_copy(slice_from(path), folder, sizeof(folder));

	while (len > 0 && folder[len] != '/')
		len--;
	folder[len] = '\0';
	if (len > 0 && mkdir(folder, 0755) == 0 && user &&
	    chown(folder, user->pw_uid, user->pw_gid))
		return; /* then the socket stays behind and is replaced at the next start */
}

static const struct passwd *user_to_become(const struct program *program)
{
	const char *name = program->config->user;

	if (geteuid() != 0 || !name || strcmp(name, "root") == 0)
		return NULL;
	return getpwnam(name);
}

/* So that the exporter, which becomes the same user, may ask. */
static void give_socket(const struct program *program)
{
	const struct passwd *user = user_to_become(program);

	if (user && chown(program->config->stats.socket, user->pw_uid, (gid_t)-1) != 0)
		log_warn(&program->log, "start.socket", "path=%s reason=\"%s\"",
			 program->config->stats.socket, strerror(errno));
}

static int drop_privileges(struct program *program)
{
	const char *name = program->config->user;
	const struct passwd *user = user_to_become(program);

	if (geteuid() == 0 && name && strcmp(name, "root") != 0) {
		if (!user) {
			log_error(&program->log, "start.no_user",
				  "user=%s cure=\"create it, or name another under user:\"", name);
			return -ERR_NOT_FOUND;
		}
		/* All threads inherit this: none runs yet. */
		if (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
		    setuid(user->pw_uid) != 0) {
			log_error(&program->log, "start.privileges", "user=%s reason=\"%s\"", name,
				  strerror(errno));
			return -ERR_DENIED;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_warn(&program->log, "start.no_new_privileges", "reason=\"%s\"",
			 strerror(errno));
	char why[128];
	if (sandbox_enter(why, sizeof(why)) != 0)
		log_warn(&program->log, "start.no_sandbox", "reason=\"%s\"", why);
	return 0;
}

static void on_stop_signal(void *owner, int signum)
{
	struct program *program = owner;

	log_info(&program->log, "stop.asked", "signal=%d", signum);
	loop_stop(program->loop);
}

static void on_listeners(struct timer *timer, uint64_t now_ms)
{
	struct program *program = container_of(timer, struct program, listeners);

	if (workers_drain(program->workers))
		wheel_arm(loop_wheel(program->loop), timer, now_ms + LISTENERS_LOOK_MS,
			  on_listeners);
}

/* What cannot be taken, although nothing is wrong with it. */
static int fits(const struct program *program, const struct config *next, struct buf *why)
{
	if (!shared_fits(program->shared, next)) {
		buf_add_text(why, "too many interfaces or peers have come and gone since the start "
				  "(needs a restart)\n");
		return -ERR_TOO_MANY;
	}
	if (!registry_fits(program->registry, next)) {
		buf_add_text(why, "the first domain, or the first that keeps locations, needs a "
				  "store, which is opened at the start (needs a restart)\n");
		return -ERR_UNSUPPORTED;
	}
	return 0;
}

/* All of it or nothing: until workers_reload() anything may still fail. */
static int reload_try(struct program *program, struct config **next, struct buf *said)
{
	struct buf why;
	int err = config_reload(program->current, next, said);

	if (err || !*next)
		return err;
	buf_init(&why);
	err = fits(program, *next, &why);
	if (!err)
		err = workers_reload(program->workers, *next, &why);
	if (err) { /* the difference does not matter any more */
		buf_clear(said);
		buf_add(said, buf_slice(&why));
	}
	buf_free(&why);
	return err;
}

/* `said`: what is different now, or what is wrong with it. */
static int reload(void *owner, struct buf *said)
{
	struct program *program = owner;
	struct config *next = NULL;
	struct slice rest, line;
	int err = reload_try(program, &next, said);

	if (err) {
		config_free(next);
		log_error(&program->log, "reload.refused", "file=%s reason=\"%s\"",
			  program->config->path, err_text(err));
		return err;
	}
	if (!next) {
		log_info(&program->log, "reload.unchanged", "file=%s", program->config->path);
		return 0;
	}
	program->log.level = next->log_level;
	for (rest = buf_slice(said); slice_next_line(&rest, &line);)
		log_info(&program->log, "reload.changed", "value=\"%.*s\"", SLICE_ARG(line));
	log_info(&program->log, "reload.done", "file=%s", program->config->path);
	show_reload(program->show, next);
	if (supervised_sockets(&program->supervised, program->workers) != 0)
		log_warn(&program->log, "reload.sockets_not_told", "reason=\"%s\"",
			 strerror(errno));
	wheel_arm(loop_wheel(program->loop), &program->listeners,
		  loop_now_ms(program->loop) + LISTENERS_LOOK_MS, on_listeners);
	config_release(program->current);
	program->current = next;
	return 0;
}

/* --- drain --- */

static uint64_t count_calls(const struct program *program)
{
	uint64_t count = 0;

	for (uint8_t i = 0; i < workers_count(program->workers); i++)
		count += core_calls(workers_at(program->workers, i)->core);
	return count;
}

/* Who hands over to nobody leaves its calls without a word, and nobody ends them. */
static bool waits_for_heir(struct program *program, uint64_t left, uint64_t now_ms)
{
	bool has_none = atomic_load(&program->shared->heirs) == 0;

	if (!program->hands_over || program->is_upgrading || program->is_drained || left == 0)
		return false;
	if (has_none && now_ms >= program->give_up_ms) {
		program->hands_over = false;
		return false;
	}
	if (has_none != program->has_no_heir)
		log_warn(&program->log, has_none ? "drain.no_heir" : "drain.heir",
			 "calls=%llu effect=\"%s\"", (unsigned long long)left,
			 has_none ? "waits for another node, or for the calls to end"
				  : "it gets the calls");
	program->has_no_heir = has_none;
	return has_none;
}

static void on_drain_due(struct timer *timer, uint64_t now_ms)
{
	struct program *program = container_of(timer, struct program, draining);
	uint64_t left = count_calls(program);

	if (waits_for_heir(program, left, now_ms) ||
	    (left > 0 && now_ms < program->drain_until_ms)) {
		wheel_arm(loop_wheel(program->loop), timer, now_ms + DRAIN_LOOK_MS, on_drain_due);
		return;
	}
	/* Commands to the store go out at the end of a burst: a moment before the workers end. */
	if (program->hands_over && !program->is_upgrading && !program->is_drained) {
		program->is_drained = true;
		core_leave(workers_at(program->workers, 0)->core);
		wheel_arm(loop_wheel(program->loop), timer, now_ms + LEAVE_MS, on_drain_due);
		return;
	}
	log_info(&program->log, "drain.done", "calls=%llu", (unsigned long long)left);
	program->is_drained = true;
	loop_stop(program->loop);
}

static void drain(void *owner, const struct drain_order *order)
{
	struct program *program = owner;
	struct wheel *wheel = loop_wheel(program->loop);
	uint64_t now = loop_now_ms(program->loop);

	atomic_store(&program->shared->is_draining, true);
	log_info(&program->log, "drain.begun", "calls=%llu within_s=%u hand_over=%d",
		 (unsigned long long)count_calls(program), order->within_s, order->hands_over);
	wheel_cancel(wheel, &program->draining);
	program->hands_over = order->hands_over;
	program->has_no_heir = false;
	program->give_up_ms = now + order->within_s * 1000ull;
	program->drain_until_ms =
		now + (order->hands_over ? HAND_OVER_MS : order->within_s * 1000ull);
	if (order->ends)
		wheel_arm(wheel, &program->draining,
			  order->hands_over ? program->drain_until_ms : now + DRAIN_LOOK_MS,
			  on_drain_due);
}

/* Calls that are being set up have a moment to come so far that the store has them. */
static void upgrade(void *owner)
{
	struct program *program = owner;

	log_info(&program->log, "upgrade.begun", "calls=%llu",
		 (unsigned long long)count_calls(program));
	atomic_store(&program->shared->is_leaving, true);
	for (uint8_t i = 0; i < workers_count(program->workers); i++)
		core_yield(workers_at(program->workers, i)->core);
	program->is_upgrading = true;
	program->drain_until_ms = 0;
	wheel_arm(loop_wheel(program->loop), &program->draining,
		  loop_now_ms(program->loop) + UPGRADE_MS, on_drain_due);
}

static int upgrade_run(void *owner)
{
	const struct program *program = owner;
	return supervised_upgrade(&program->supervised);
}

static void undrain(void *owner)
{
	struct program *program = owner;

	wheel_cancel(loop_wheel(program->loop), &program->draining);
	if (atomic_exchange(&program->shared->is_draining, false))
		log_info(&program->log, "drain.ended", NULL);
}

static int64_t draining(void *owner)
{
	const struct program *program = owner;

	return atomic_load(&program->shared->is_draining) ? (int64_t)count_calls(program) : -1;
}

static void on_hangup(void *owner, int signum)
{
	struct buf said;
	(void)signum;

	buf_init(&said);
	if (reload(owner, &said) != 0)
		fprintf(stderr, "%.*s", (int)said.len, said.len ? said.data : "");
	buf_free(&said);
}

static int make_registry(struct program *program)
{
	const struct passwd *user = user_to_become(program);
	struct registry_config config = {.config = program->config,
					 .log = &program->log,
					 .user = user ? user->pw_uid : 0,
					 .group = user ? user->pw_gid : 0};
	struct buf why;

	buf_init(&why);
	int err = registry_create(&config, &why, &program->registry);
	if (err)
		log_error(&program->log, "start.failed", "cause=\"%.*s\"",
			  (int)(why.len ? why.len : strlen(err_text(err))),
			  why.len ? why.data : err_text(err));
	else
		program->shared->registry = program->registry;
	buf_free(&why);
	return err;
}

/* Who we are among the nodes of the store, and the keys of identifiers. Without the store they are
 * of this process alone, and what was before is not known. */
static int ask_cluster(struct program *program, struct random *random, struct buf *why)
{
	const struct config_state *state = &program->config->state;
	const struct passwd *user = user_to_become(program);
	struct redis_plain_config redis = {
		.address = state->server.addr,
		.unix_path = state->server.transport == CONFIG_UNIX ? state->server.path : NULL,
		.user = state->user,
		.password = state->password,
		.database = state->database,
		.sentinels = {.master = state->sentinel.master,
			      .password = state->sentinel.password}};
	struct cluster_config config = {.path = state->store == CONFIG_STORE_FILE ? state->path
										  : NULL,
					.redis = state->store == CONFIG_STORE_REDIS ? &redis : NULL,
					.secret = state->key,
					.name = program->config->node,
					.number = (uint16_t)program->config->node_number,
					.user = user ? user->pw_uid : 0,
					.group = user ? user->pw_gid : 0};

	for (size_t i = 0; i < state->sentinel.server_count; i++)
		redis_sentinels_add(&redis.sentinels, &state->sentinel.servers[i].addr);
	return random ? cluster_join(&config, random, why, &program->cluster)
		      : cluster_rewrite(&config, why, &program->cluster);
}

static int join_cluster(struct program *program, struct random *random)
{
	struct buf why;

	buf_init(&why);
	int err = ask_cluster(program, random, &why);
	if (err)
		log_warn(&program->log, "cluster.not_joined", "reason=\"%.*s\" effect=\"%s\"",
			 (int)(why.len ? why.len : strlen(err_text(err))),
			 why.len ? why.data : err_text(err),
			 err == -ERR_EXISTS ? "it does not start" : "calls of before are unknown");
	buf_free(&why);
	program->shared->cluster = &program->cluster;
	return err == -ERR_EXISTS ? err : 0;
}

static void on_store_look(struct timer *timer, uint64_t now_ms)
{
	struct program *program = container_of(timer, struct program, store_look);
	struct buf why;

	wheel_arm(loop_wheel(program->loop), timer, now_ms + STORE_LOOK_MS, on_store_look);
	if (!atomic_exchange(&program->shared->is_wiped, false))
		return;
	buf_init(&why);
	if (ask_cluster(program, NULL, &why) != 0)
		log_warn(&program->log, "cluster.not_written", "reason=\"%.*s\"", (int)why.len,
			 why.len ? why.data : "");
	buf_free(&why);
}

static int make_cdr(struct program *program)
{
	const struct passwd *user = user_to_become(program);
	struct cdr_file_config config = {.path = program->config->cdr_path,
					 .log = &program->log,
					 .user = user ? user->pw_uid : 0,
					 .group = user ? user->pw_gid : 0};
	struct buf why;

	if (!config.path)
		return 0;
	make_folder(config.path, user);
	buf_init(&why);
	int err = cdr_file_create(&config, &why, &program->cdr);
	if (err)
		log_error(&program->log, "start.failed", "cause=\"%.*s\"",
			  (int)(why.len ? why.len : strlen(err_text(err))),
			  why.len ? why.data : err_text(err));
	buf_free(&why);
	program->shared->cdr = program->cdr;
	return err;
}

static int make_workers(struct program *program)
{
	const struct identity_keys *identity = &program->cluster.keys;
	struct worker_keys keys;
	struct workers_config config = {.config = program->config,
					.log = &program->log,
					.node = program->cluster.number,
					.keys = &keys,
					.count = (uint8_t)program->config->workers,
					.handlers = core_handlers(),
					.inherited = &program->inherited,
					.shared = program->shared};
	struct buf why;

	memcpy(keys.token.mac, identity->token_mac, sizeof(keys.token.mac));
	memcpy(keys.token.cipher, identity->token_cipher, sizeof(keys.token.cipher));
	memcpy(keys.shard, identity->shard, sizeof(keys.shard));
	buf_init(&why);
	int err = workers_create(&config, &why, &program->workers);
	if (err)
		log_error(&program->log, "start.failed", "cause=\"%.*s\"",
			  (int)(why.len ? why.len : strlen(err_text(err))),
			  why.len ? why.data : err_text(err));
	buf_free(&why);
	return err;
}

static int start(struct program *program)
{
	struct show_config show = {.log = &program->log,
				   .config = program->config,
				   .reload = reload,
				   .drain = drain,
				   .undrain = undrain,
				   .draining = draining,
				   .upgrade = upgrade,
				   .upgrade_run = upgrade_run,
				   .owner = program};
	struct random_system random;

	raise_limits(&program->log);
	int err = message_init();
	if (!err)
		err = loop_create(&program->loop);
	if (err) {
		log_error(&program->log, "start.failed", "cause=\"%s\"", err_text(err));
		return err;
	}
	random_system_init(&random);
	err = shared_create(program->config, &random.base, &program->shared);
	if (!err)
		err = join_cluster(program, &random.base);
	if (!err)
		err = make_registry(program);
	if (!err)
		err = make_cdr(program);
	if (!err)
		err = make_workers(program);
	if (err)
		return err;
	make_folder(program->config->stats.socket, user_to_become(program));
	show.loop = program->loop;
	show.workers = program->workers;
	err = show_create(&show, &program->show);
	if (!err)
		give_socket(program);
	if (!err)
		err = loop_on_signal(program->loop, SIGTERM, on_stop_signal, program);
	if (!err)
		err = loop_on_signal(program->loop, SIGINT, on_stop_signal, program);
	if (!err)
		err = loop_on_signal(program->loop, SIGHUP, on_hangup, program);
	if (!err)
		err = drop_privileges(program);
	if (!err)
		err = registry_run(program->registry);
	if (!err && program->cdr)
		err = cdr_file_run(program->cdr);
	if (!err)
		err = workers_run(program->workers);
	return err;
}

static void say_ready(struct program *program, int fd)
{
	log_info(&program->log, "ready", "version=%s node=%s workers=%u config=%s", POSTERN_VERSION,
		 program->config->node, program->config->workers, program->config->path);
	if (supervised_ready(&program->supervised, fd, program->workers) != 0)
		log_warn(&program->log, "ready.not_said", "fd=%d", fd);
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	struct program program = {.log = {.level = LOG_INFO, .fd = 2, .program = "sbc"},
				  .supervised = {-1}};

	if (read_arguments(argc, argv, &arguments) != 0)
		return usage(stderr, EXIT_USAGE);
	signal(SIGPIPE, SIG_IGN);
	if (load(&program, arguments.config) != 0)
		return EXIT_USAGE;
	program.current = config_hold(program.config);
	program.log.level = program.config->log_level;
	inherited_init(&program.inherited, arguments.ready_fd + 1, arguments.sockets);
	int err = start(&program);
	inherited_close(&program.inherited);
	if (!err) {
		if (program.config->state.store == CONFIG_STORE_REDIS && program.cluster.is_lasting)
			wheel_arm(loop_wheel(program.loop), &program.store_look,
				  loop_now_ms(program.loop) + STORE_LOOK_MS, on_store_look);
		say_ready(&program, arguments.ready_fd);
		loop_run(program.loop);
		if (program.is_drained && (program.hands_over || program.is_upgrading))
			workers_leave(program.workers);
		else
			workers_stop(program.workers, STOP_LIMIT_MS);
		registry_stop(program.registry);
		cdr_file_stop(program.cdr);
		log_info(&program.log, "stopped", NULL);
	}
	show_destroy(program.show);
	workers_destroy(program.workers);
	registry_destroy(program.registry);
	cdr_file_destroy(program.cdr);
	shared_destroy(program.shared);
	cluster_wipe(&program.cluster);
	loop_destroy(program.loop);
	config_release(program.current);
	config_free(program.config);
	if (err)
		return 1;
	if (!program.is_drained)
		return 0;
	return program.is_upgrading ? EXIT_HANDED_OVER : EXIT_DRAINED;
}
