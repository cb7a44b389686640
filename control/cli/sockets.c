/* sockets.c - the listening sockets of a program: it tells them, we keep them, the next one has
 * them. SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/supervisor_private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void child_forget_sockets(struct child *child)
{
	while (child->socket_count > 0)
		close(child->sockets[--child->socket_count]);
}

ssize_t child_read_word(struct child *child, char text[CHILD_WORD_MAX])
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SUPERVISOR_SOCKETS * sizeof(int))];
	} control;
	struct iovec vector = {text, CHILD_WORD_MAX};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(child->ready_fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *with = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (!with || with->cmsg_level != SOL_SOCKET || with->cmsg_type != SCM_RIGHTS)
		return got;
	child_forget_sockets(child);
	child->socket_count = (uint32_t)((with->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(child->sockets, CMSG_DATA(with), child->socket_count * sizeof(int));
	return got;
}

bool child_pass_sockets(struct child *child, int ready_fd)
{
	int above = SUPERVISOR_READY_FD + 1 + SUPERVISOR_SOCKETS;
	int ready = fcntl(ready_fd, F_DUPFD, above);

	for (uint32_t i = 0; i < child->socket_count; i++)
		child->sockets[i] = fcntl(child->sockets[i], F_DUPFD, above);
	if (ready < 0 || dup2(ready, SUPERVISOR_READY_FD) < 0)
		return false;
	for (uint32_t i = 0; i < child->socket_count; i++)
		if (child->sockets[i] < 0 ||
		    dup2(child->sockets[i], SUPERVISOR_READY_FD + 1 + (int)i) < 0)
			return false;
	(void)close_range(SUPERVISOR_READY_FD + 1 + child->socket_count, ~0u, 0);
	return true;
}
