/* SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/base/buf.h"
#include "control/cli/supervisor_private.h"

enum { TRIAL_MS = 10000, FILE_MAX = 16384 };

/* --- what is written, and read ---
 * guardian PID FD
 * program NAME PID PIDFD READYFD SOCKET...        READYFD "-": none */

static void keep_open(int fd, bool keeps)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, keeps ? 0 : FD_CLOEXEC);
}

static void keep_all_open(const struct supervisor *supervisor, bool keeps)
{
	keep_open(supervisor->guardian.fd, keeps);
	for (size_t i = 0; i < supervisor->config->program_count; i++) {
		const struct child *child = &supervisor->children[i];
		keep_open(child->pid_fd, keeps);
		keep_open(child->ready_fd, keeps);
		for (uint32_t k = 0; k < child->socket_count; k++)
			keep_open(child->sockets[k], keeps);
	}
}

static void write_text(const struct supervisor *supervisor, struct buf *out)
{
	buf_printf(out, "guardian %d %d\n", (int)supervisor->guardian.pid, supervisor->guardian.fd);
	for (size_t i = 0; i < supervisor->config->program_count; i++) {
		const struct child *child = &supervisor->children[i];
		buf_printf(out, "program %s %d %d ", child->program->name, (int)child->pid,
			   child->pid_fd);
		if (child->ready_fd >= 0)
			buf_printf(out, "%d", child->ready_fd);
		else
			buf_add_text(out, "-");
		for (uint32_t k = 0; k < child->socket_count; k++)
			buf_printf(out, " %d", child->sockets[k]);
		buf_add_text(out, "\n");
	}
}

static int write_file(const struct supervisor *supervisor, int *fd)
{
	struct buf text;
	int err = -ERR_SYSTEM;

	buf_init(&text);
	write_text(supervisor, &text);
	*fd = buf_failed(&text) ? -1 : memfd_create("postern-run", 0);
	if (*fd >= 0 && write(*fd, text.data, text.len) == (ssize_t)text.len &&
	    lseek(*fd, 0, SEEK_SET) == 0)
		err = 0;
	else if (*fd >= 0)
		close(*fd);
	buf_free(&text);
	return err;
}

static bool read_fd(struct slice *line, int *out)
{
	struct slice word;
	uint32_t number;

	if (!slice_next_word(line, &word) || slice_to_u32(word, INT32_MAX, &number) != 0)
		return false;
	*out = (int)number;
	keep_open(*out, false);
	return true;
}

static bool read_pid(struct slice *line, pid_t *out)
{
	struct slice word;
	uint32_t number;

	if (!slice_next_word(line, &word) || slice_to_u32(word, INT32_MAX, &number) != 0)
		return false;
	*out = (pid_t)number;
	return true;
}

static int read_program(struct slice line, struct successor_program *out)
{
	struct slice name, rest;
	int fd;

	*out = (struct successor_program){.ready_fd = -1};
	if (!slice_next_word(&line, &name) || name.len >= sizeof(out->name) ||
	    !read_pid(&line, &out->pid) || !read_fd(&line, &out->pid_fd))
		return -ERR_MALFORMED;
	(void)slice_copy(name, out->name, sizeof(out->name));
	rest = slice_trim(line);
	if (rest.len > 0 && rest.data[0] == '-')
		line = slice_sub(rest, 1, rest.len);
	else if (!read_fd(&line, &out->ready_fd))
		return -ERR_MALFORMED;
	while (out->socket_count < SUPERVISOR_SOCKETS && read_fd(&line, &fd))
		out->sockets[out->socket_count++] = fd;
	return slice_trim(line).len > 0 ? -ERR_MALFORMED : 0;
}

static int read_line(struct slice line, struct successor *out)
{
	struct slice word;

	if (!slice_next_word(&line, &word))
		return 0;
	if (slice_equal(word, SLICE("guardian")))
		return read_pid(&line, &out->guardian.pid) && read_fd(&line, &out->guardian.fd)
			       ? 0
			       : -ERR_MALFORMED;
	if (!slice_equal(word, SLICE("program")) || out->count >= SUPERVISOR_PROGRAMS)
		return -ERR_MALFORMED;
	return read_program(line, &out->programs[out->count++]);
}

int successor_read(int fd, struct successor *out)
{
	char text[FILE_MAX];
	struct slice line;

	*out = (struct successor){.guardian = {.fd = -1}};
	ssize_t len = read(fd, text, sizeof(text));
	close(fd);
	if (len <= 0 || len == (ssize_t)sizeof(text))
		return -ERR_MALFORMED;
	struct slice rest = {text, (size_t)len};
	int err = 0;
	while (!err && slice_next_line(&rest, &line))
		err = read_line(line, out);
	if (!err && (out->guardian.fd < 0 || out->count == 0))
		err = -ERR_MALFORMED;
	return err;
}

const struct successor_program *successor_find(const struct successor *successor, const char *name)
{
	for (size_t i = 0; i < successor->count; i++)
		if (strcmp(successor->programs[i].name, name) == 0)
			return &successor->programs[i];
	return NULL;
}

/* --- becoming it --- */

/* The signals that we wait for stay blocked, and are kept until it waits for them. */
static void become(struct supervisor *supervisor)
{
	const struct supervisor_config *config = supervisor->config;
	char word[] = "run", file_option[] = "-c", option[] = "--resume", number[12];
	int fd;

	if (write_file(supervisor, &fd) != 0) {
		log_error(config->log, "run.not_replaced", "reason=\"%s\"", strerror(errno));
		return;
	}
	(void)snprintf(number, sizeof(number), "%d", fd);
	char *argv[] = {config->self, word, file_option, config->file, option, number, NULL};
	log_info(config->log, "run.replaced", "path=%s", config->self);
	keep_all_open(supervisor, true);
	execv(config->self, argv);
	log_error(config->log, "run.not_replaced", "reason=\"%s\"", strerror(errno));
	keep_all_open(supervisor, false);
	close(fd);
}

/* --- the trial --- */

static void trial_close(struct supervisor *supervisor)
{
	struct trial *trial = &supervisor->trial;

	loop_io_remove(trial->io);
	wheel_cancel(loop_wheel(supervisor->config->loop), &trial->timer);
	close(trial->pid_fd);
	trial->io = NULL;
	trial->pid_fd = -1;
}

static bool is_settled(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->config->program_count; i++)
		if (supervisor->children[i].state != CHILD_READY)
			return false;
	return !supervisor->stopping;
}

static void on_trial_over(void *owner, int events)
{
	struct supervisor *supervisor = owner;
	const struct log *log = supervisor->config->log;
	siginfo_t info = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)supervisor->trial.pid_fd, &info, WEXITED | WNOHANG) ||
	    info.si_pid == 0)
		return;
	trial_close(supervisor);
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		log_error(log, "run.not_replaced", "path=%s %s=%d reason=\"it would not start\"",
			  supervisor->config->self, info.si_code == CLD_EXITED ? "exit" : "signal",
			  info.si_status);
	else if (!is_settled(supervisor))
		log_error(log, "run.not_replaced", "reason=\"a program is not ready\"");
	else
		become(supervisor);
}

static void on_trial_late(struct timer *timer, uint64_t now_ms)
{
	struct trial *trial = container_of(timer, struct trial, timer);
	(void)now_ms;

	(void)syscall(SYS_pidfd_send_signal, trial->pid_fd, SIGKILL, NULL, 0);
}

static void run_trial(const struct supervisor_config *config)
{
	char word[] = "run", file_option[] = "-c", option[] = "--resumes",
	     version[] = SUCCESSOR_VERSION;
	char *argv[] = {config->self, word, file_option, config->file, option, version, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(config->self, argv);
	_exit(127);
}

static int trial_start(struct supervisor *supervisor)
{
	const struct supervisor_config *config = supervisor->config;
	struct trial *trial = &supervisor->trial;

	trial->pid = fork();
	if (trial->pid == 0)
		run_trial(config);
	if (trial->pid < 0)
		return -ERR_SYSTEM;
	trial->pid_fd = (int)syscall(SYS_pidfd_open, trial->pid, 0);
	int err = trial->pid_fd < 0 ? -ERR_SYSTEM
				    : loop_io_add(config->loop, trial->pid_fd, LOOP_READ,
						  on_trial_over, supervisor, &trial->io);
	if (!err) {
		wheel_arm(loop_wheel(config->loop), &trial->timer,
			  loop_now_ms(config->loop) + TRIAL_MS, on_trial_late);
		return 0;
	}
	(void)kill(trial->pid, SIGKILL);
	(void)waitpid(trial->pid, NULL, 0);
	if (trial->pid_fd >= 0)
		close(trial->pid_fd);
	trial->pid_fd = -1;
	return err;
}

void successor_begin(struct supervisor *supervisor)
{
	const struct log *log = supervisor->config->log;

	if (supervisor->trial.pid_fd >= 0)
		return; /* it will be done anyway */
	if (!is_settled(supervisor)) {
		log_error(log, "run.not_replaced", "reason=\"a program is not ready\"");
		return;
	}
	int err = trial_start(supervisor);
	if (err)
		log_error(log, "run.not_replaced", "reason=\"%s\"", err_text(err));
}

void successor_cancel(struct supervisor *supervisor)
{
	if (supervisor->trial.pid_fd < 0)
		return;
	(void)syscall(SYS_pidfd_send_signal, supervisor->trial.pid_fd, SIGKILL, NULL, 0);
	(void)waitpid(supervisor->trial.pid, NULL, 0);
	trial_close(supervisor);
}
