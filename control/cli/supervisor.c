/* SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/base/exits.h"
#include "control/cli/cli.h"
#include "control/cli/successor.h"
#include "control/cli/supervisor_private.h"

#define BACKOFF_FIRST_MS 10 /* calls are silent meanwhile */
#define BACKOFF_LAST_MS  5000
/* Ready for so long: the next death begins a new back-off. A start takes a tenth of it: to be
 * silent for longer would cost more than starting does. */
#define SETTLED_MS 3000

#define ARGUMENTS_MAX 12

static void supervisor_stop(struct supervisor *supervisor);
static void child_start(struct child *child);

static void arm(struct child *child, uint32_t after_ms, timer_fn *fn)
{
	struct loop *loop = child->supervisor->config->loop;

	wheel_arm(loop_wheel(loop), &child->timer, loop_now_ms(loop) + after_ms, fn);
}

static void disarm(struct child *child)
{
	wheel_cancel(loop_wheel(child->supervisor->config->loop), &child->timer);
}

static void child_signal(const struct child *child, int signum)
{
	/* By descriptor: never another process that got the same number. */
	if (child->pid_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, child->pid_fd, signum, NULL, 0);
}

static void child_close(struct child *child)
{
	loop_io_remove(child->pid_io);
	loop_io_remove(child->ready_io);
	child->pid_io = NULL;
	child->ready_io = NULL;
	if (child->pid_fd >= 0)
		close(child->pid_fd);
	if (child->ready_fd >= 0)
		close(child->ready_fd);
	child->pid_fd = -1;
	child->ready_fd = -1;
}

/* --- stopping: the last one first ----------------------------------------------------------------
 */

static void on_stop_timeout(struct timer *timer, uint64_t now_ms)
{
	struct child *child = container_of(timer, struct child, timer);

	(void)now_ms;
	log_warn(child->supervisor->config->log, "run.kill",
		 "program=%s pid=%d reason=did-not-stop", child->program->name, (int)child->pid);
	child->supervisor->status = CLI_UNCLEAN;
	child_signal(child, SIGKILL);
}

static void stop_next(struct supervisor *supervisor)
{
	for (size_t i = supervisor->config->program_count; i-- > 0;) {
		struct child *child = &supervisor->children[i];
		if (child->state == CHILD_STOPPING)
			return; /* one after the other */
		if (child->state == CHILD_GONE)
			continue;
		disarm(child);
		if (child->state == CHILD_IDLE) {
			child->state = CHILD_GONE;
			continue;
		}
		log_info(supervisor->config->log, "run.stop", "program=%s pid=%d",
			 child->program->name, (int)child->pid);
		child->state = CHILD_STOPPING;
		child_signal(child, SIGTERM);
		arm(child, supervisor->config->stop_ms, on_stop_timeout);
		return;
	}
	loop_stop(supervisor->config->loop);
}

static void supervisor_stop(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return;
	supervisor->stopping = true;
	successor_cancel(supervisor);
	stop_next(supervisor);
}

static void on_signal(void *owner, int signum)
{
	struct supervisor *supervisor = owner;

	if (signum == SIGHUP) {
		/* Each reads the file itself, and says in its log what became of it. One that
		 * starts just now reads it anyway. */
		log_info(supervisor->config->log, "run.reload", NULL);
		for (size_t i = 0; i < supervisor->config->program_count; i++)
			if (supervisor->children[i].state == CHILD_READY)
				child_signal(&supervisor->children[i], SIGHUP);
		return;
	}
	log_info(supervisor->config->log, "run.signal", "signal=%s",
		 signum == SIGTERM ? "TERM" : "INT");
	if (!supervisor->stopping) {
		supervisor_stop(supervisor);
		return;
	}
	/* A second time: whoever asks does not want to wait. */
	for (size_t i = 0; i < supervisor->config->program_count; i++) {
		supervisor->status = CLI_UNCLEAN;
		child_signal(&supervisor->children[i], SIGKILL);
	}
}

/* --- starting ------------------------------------------------------------------------------------
 */

static void on_ready_timeout(struct timer *timer, uint64_t now_ms)
{
	struct child *child = container_of(timer, struct child, timer);

	(void)now_ms;
	log_error(child->supervisor->config->log, "run.kill", "program=%s pid=%d reason=not-ready",
		  child->program->name, (int)child->pid);
	child_signal(child, SIGKILL); /* on_exit() goes on from there */
}

static void on_restart(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	child_start(container_of(timer, struct child, timer));
}

static void retry_later(struct child *child)
{
	child->state = CHILD_IDLE;
	child->backoff_ms = !child->backoff_ms                        ? BACKOFF_FIRST_MS
			    : child->backoff_ms * 2 < BACKOFF_LAST_MS ? child->backoff_ms * 2
								      : BACKOFF_LAST_MS;
	arm(child, child->backoff_ms, on_restart);
}

/* A program that was never ready has said why; starting it again and again would not help. */
static void first_start_failed(struct child *child)
{
	log_error(child->supervisor->config->log, "run.failed", "program=%s", child->program->name);
	child->state = CHILD_GONE;
	child->supervisor->status = CLI_NO_START;
	supervisor_stop(child->supervisor);
}

static void on_exit_of_child(struct child *child, const siginfo_t *info)
{
	struct supervisor *supervisor = child->supervisor;
	const struct log *log = supervisor->config->log;
	uint64_t now_ms = loop_now_ms(supervisor->config->loop);
	bool exited = info->si_code == CLD_EXITED;

	disarm(child);
	child_close(child);
	if (supervisor->stopping) {
		if (!exited || info->si_status != 0) {
			log_warn(log, "run.unclean", "program=%s %s=%d", child->program->name,
				 exited ? "exit" : "signal", info->si_status);
			if (!supervisor->status)
				supervisor->status = CLI_UNCLEAN;
		}
		child->state = CHILD_GONE;
		stop_next(supervisor);
		return;
	}
	if (exited && info->si_status == EXIT_DRAINED) {
		log_info(log, "run.drained", "program=%s", child->program->name);
		child->state = CHILD_GONE;
		supervisor_stop(supervisor);
		return;
	}
	if (exited && info->si_status == EXIT_HANDED_OVER) {
		log_info(log, "run.upgrade", "program=%s sockets=%u", child->program->name,
			 child->socket_count);
		child->backoff_ms = 0;
		child->state = CHILD_IDLE;
		arm(child, 0, on_restart);
		return;
	}
	log_error(log, "run.died", "program=%s pid=%d %s=%d", child->program->name, (int)child->pid,
		  exited ? "exit" : "signal", info->si_status);
	if (!child->was_ready) {
		first_start_failed(child);
		return;
	}
	if (child->state == CHILD_READY && now_ms - child->ready_at_ms >= SETTLED_MS)
		child->backoff_ms = 0;
	retry_later(child);
	log_info(log, "run.restart", "program=%s after_ms=%u", child->program->name,
		 child->backoff_ms);
}

static void became_ready(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;

	disarm(child);
	child->state = CHILD_READY;
	child->ready_at_ms = loop_now_ms(supervisor->config->loop);
	child->was_ready = true;
	log_info(supervisor->config->log, "run.ready", "program=%s pid=%d", child->program->name,
		 (int)child->pid);
	size_t next = (size_t)(child - supervisor->children) + 1;
	if (next < supervisor->config->program_count &&
	    supervisor->children[next].state == CHILD_IDLE &&
	    !supervisor->children[next].was_ready &&
	    !timer_is_armed(&supervisor->children[next].timer))
		child_start(&supervisor->children[next]);
}

/* The first word says that it is ready; those after it bring other sockets (a reload), or the wish
 * that another binary takes our place. */
static void on_word(void *owner, int events)
{
	struct child *child = owner;
	char text[CHILD_WORD_MAX];
	ssize_t got;

	(void)events;
	while ((got = child_read_word(child, text)) > 0)
		if (child->state == CHILD_STARTING)
			became_ready(child);
		else if (slice_equal((struct slice){text, (size_t)got}, SLICE("upgrade\n")))
			successor_begin(child->supervisor);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* Before the first word: it is dying, or the time-out will find it. */
	loop_io_remove(child->ready_io);
	child->ready_io = NULL;
	close(child->ready_fd);
	child->ready_fd = -1;
}

static void on_pid(void *owner, int events)
{
	struct child *child = owner;
	siginfo_t info;

	(void)events;
	if (child->ready_io) /* it may have been ready and be gone already */
		on_word(child, LOOP_READ);
	memset(&info, 0, sizeof(info));
	if (waitid(P_PIDFD, (id_t)child->pid_fd, &info, WEXITED | WNOHANG) || info.si_pid == 0)
		return;
	on_exit_of_child(child, &info);
}

static void add_arguments(char *const *from, char *sockets, char **out)
{
	static char option[] = "--sockets";
	size_t count = 0;

	while (from[count] && count < ARGUMENTS_MAX - 3) {
		out[count] = from[count];
		count++;
	}
	if (sockets) {
		out[count++] = option;
		out[count++] = sockets;
	}
	out[count] = NULL;
}

/* In the new process: nothing of ours but stdin, stdout, stderr and the descriptor to say ready on.
 */
static void exec_program(struct child *child, int ready_fd, int go_fd, pid_t parent)
{
	const struct supervisor_program *program = child->program;
	char *argv[ARGUMENTS_MAX];
	char count[12];
	sigset_t none;
	char go;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* A group of its own: Ctrl-C reaches the supervisor alone, which stops them in order. */
	(void)setpgid(0, 0);
	/* Forgotten by the kernel when the program changes its user: then there is the guardian. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || read(go_fd, &go, 1) != 1)
		_exit(0);
	if (!child_pass_sockets(child, ready_fd))
		_exit(126);
	snprintf(count, sizeof(count), "%u", child->socket_count);
	add_arguments(program->argv, child->socket_count ? count : NULL, argv);
	execv(program->path, argv);
	(void)dprintf(STDERR_FILENO, "postern: cannot start %s: %s\n", program->path,
		      strerror(errno));
	_exit(127);
}

/* The new process waits for its go until the guardian knows it: whenever the supervisor is killed,
 * either somebody watches over it or it ends by itself. */
static int child_fork(struct child *child, int ready_fd)
{
	pid_t self = getpid();
	int go[2];

	if (pipe2(go, O_CLOEXEC))
		return -ERR_SYSTEM;
	child->pid = fork();
	if (child->pid == 0) {
		close(go[1]);
		exec_program(child, ready_fd, go[0], self);
	}
	close(go[0]);
	if (child->pid > 0)
		child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	if (child->pid_fd >= 0) {
		guardian_watch(&child->supervisor->guardian,
			       (uint8_t)(child - child->supervisor->children), child->pid_fd);
		if (write(go[1], "", 1) != 1)
			child_signal(child, SIGKILL); /* on_pid() goes on from there */
	}
	close(go[1]);
	if (child->pid > 0 && child->pid_fd < 0)
		(void)waitpid(child->pid, NULL, 0); /* it had no go */
	return child->pid_fd < 0 ? -ERR_SYSTEM : 0;
}

/* Start the process and open its descriptors; -ERR_SYSTEM leaves nothing behind. */
static int child_spawn(struct child *child)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -ERR_SYSTEM;
	child->ready_fd = pair[0];
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	int err = child_fork(child, pair[1]);
	close(pair[1]);
	if (err)
		child_close(child);
	return err;
}

static void child_start(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	struct loop *loop = supervisor->config->loop;

	int err = child_spawn(child);
	if (!err) {
		err = loop_io_add(loop, child->pid_fd, LOOP_READ, on_pid, child, &child->pid_io);
		if (!err)
			err = loop_io_add(loop, child->ready_fd, LOOP_READ, on_word, child,
					  &child->ready_io);
		if (err) {
			child_signal(child, SIGKILL);
			(void)waitpid(child->pid, NULL, 0);
			child_close(child);
		}
	}
	if (err) {
		log_error(supervisor->config->log, "run.spawn", "program=%s error=\"%s\"",
			  child->program->name, err_text(err));
		if (child->was_ready)
			retry_later(child);
		else
			first_start_failed(child);
		return;
	}
	child->state = CHILD_STARTING;
	log_info(supervisor->config->log, "run.start", "program=%s pid=%d", child->program->name,
		 (int)child->pid);
	arm(child, supervisor->config->ready_ms, on_ready_timeout);
}

/* A program that runs already, of the supervisor that was in our place. */
static int child_adopt(struct child *child, const struct successor_program *from)
{
	struct loop *loop = child->supervisor->config->loop;

	child->pid = from->pid;
	child->pid_fd = from->pid_fd;
	child->ready_fd = from->ready_fd;
	child->socket_count = from->socket_count;
	memcpy(child->sockets, from->sockets, sizeof(child->sockets));
	child->state = CHILD_READY;
	child->was_ready = true;
	child->ready_at_ms = loop_now_ms(loop);
	int err = loop_io_add(loop, child->pid_fd, LOOP_READ, on_pid, child, &child->pid_io);
	if (!err && child->ready_fd >= 0)
		err = loop_io_add(loop, child->ready_fd, LOOP_READ, on_word, child,
				  &child->ready_io);
	return err;
}

static int adopt(struct supervisor *supervisor)
{
	const struct supervisor_config *config = supervisor->config;
	int err = 0;

	for (size_t i = 0; i < config->program_count && !err; i++) {
		struct child *child = &supervisor->children[i];
		const struct successor_program *from =
			successor_find(config->resumed, child->program->name);
		err = from ? child_adopt(child, from) : -ERR_NOT_FOUND;
	}
	if (!err)
		log_info(config->log, "run.resumed", "programs=%zu", config->program_count);
	return err;
}

/* A new guardian, or the one that is there. */
static int find_guardian(const struct supervisor_config *config, struct guardian *out)
{
	if (!config->resumed)
		return guardian_start(config->stop_ms, out);
	*out = config->resumed->guardian;
	return 0;
}

int supervisor_run(const struct supervisor_config *config)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct supervisor supervisor = {
		.config = config, .status = CLI_OK, .trial = {.pid_fd = -1}};

	if (config->program_count == 0 || config->program_count > SUPERVISOR_PROGRAMS)
		return CLI_NO_START;
	if (find_guardian(config, &supervisor.guardian))
		return CLI_NO_START;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (loop_on_signal(config->loop, signals[i], on_signal, &supervisor)) {
			guardian_end(&supervisor.guardian);
			return CLI_NO_START;
		}
	for (size_t i = 0; i < config->program_count; i++) {
		struct child *child = &supervisor.children[i];
		child->supervisor = &supervisor;
		child->program = &config->programs[i];
		child->pid_fd = -1;
		child->ready_fd = -1;
	}
	if (config->resumed && adopt(&supervisor) != 0)
		supervisor_stop(&supervisor);
	else if (!config->resumed)
		child_start(&supervisor.children[0]);
	if (supervisor.children[0].state != CHILD_GONE)
		loop_run(config->loop);
	for (size_t i = 0; i < config->program_count; i++)
		child_forget_sockets(&supervisor.children[i]);
	guardian_end(&supervisor.guardian);
	return supervisor.status;
}
