/* SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/guardian.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARDIAN_SLOTS 8

static void send_signal(int pid_fd, int signum)
{
	(void)syscall(SYS_pidfd_send_signal, pid_fd, signum, NULL, 0);
}

/* A pidfd becomes readable when its process ends. */
static bool has_ended(int pid_fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = pid_fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* The next pidfd and its slot; false when the supervisor is gone. */
static bool receive(int fd, uint8_t *slot, int *pid_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {slot, sizeof(*slot)};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return false;
	memcpy(pid_fd, CMSG_DATA(header), sizeof(*pid_fd));
	return true;
}

/* The programs started last go first, as the supervisor does it. */
static void guard(int fd, uint32_t stop_ms)
{
	int pid_fds[GUARDIAN_SLOTS];
	uint8_t slot;
	int pid_fd;

	memset(pid_fds, 0xff, sizeof(pid_fds));
	while (receive(fd, &slot, &pid_fd)) {
		if (slot >= GUARDIAN_SLOTS) {
			close(pid_fd);
			continue;
		}
		if (pid_fds[slot] >= 0)
			close(pid_fds[slot]);
		pid_fds[slot] = pid_fd;
	}
	for (int i = GUARDIAN_SLOTS - 1; i >= 0; i--) {
		if (pid_fds[i] < 0 || has_ended(pid_fds[i], 0))
			continue;
		send_signal(pid_fds[i], SIGTERM);
		if (!has_ended(pid_fds[i], (int)stop_ms))
			send_signal(pid_fds[i], SIGKILL);
	}
}

int guardian_start(uint32_t stop_ms, struct guardian *out)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -ERR_SYSTEM;
	pid_t pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return -ERR_SYSTEM;
	}
	if (pid == 0) {
		(void)setpgid(0, 0); /* what the terminal sends is the supervisor's affair */
		close(fds[0]);
		guard(fds[1], stop_ms);
		_exit(0);
	}
	close(fds[1]);
	*out = (struct guardian){pid, fds[0]};
	return 0;
}

void guardian_watch(const struct guardian *guardian, uint8_t slot, int pid_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {&slot, sizeof(slot)};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	memset(control, 0, sizeof(control));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &pid_fd, sizeof(pid_fd));
	/* Without a guardian (somebody killed it) the programs run all the same. */
	(void)sendmsg(guardian->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void guardian_end(struct guardian *guardian)
{
	close(guardian->fd);
	while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
