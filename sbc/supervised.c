/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/supervised.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "sbc/transport/inherit.h"

static bool tell(int fd, const char *word, const struct workers *workers)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(INHERITED_MAX * sizeof(int))];
	} control = {0};
	size_t len = strlen(word);
	struct iovec vector = {(char *)(uintptr_t)word, len};
	int sockets[INHERITED_MAX];
	uint32_t count = workers_sockets(workers, sockets, INHERITED_MAX);
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = CMSG_SPACE(count * sizeof(int))};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), sockets, count * sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

int supervised_ready(struct supervised *supervised, int fd, const struct workers *workers)
{
	static const char word[] = "ready\n";
	bool is_said;

	supervised->fd = fd;
	if (fd < 0 || tell(fd, word, workers))
		return 0;
	is_said = errno == ENOTSOCK && write(fd, word, sizeof(word) - 1) == sizeof(word) - 1;
	close(fd);
	supervised->fd = -1;
	return is_said ? 0 : -ERR_SYSTEM;
}

int supervised_upgrade(const struct supervised *supervised)
{
	static const char word[] = "upgrade\n";

	if (supervised->fd < 0)
		return -ERR_NOT_FOUND;
	return send(supervised->fd, word, sizeof(word) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) ==
			       (ssize_t)(sizeof(word) - 1)
		       ? 0
		       : -ERR_SYSTEM;
}

int supervised_sockets(const struct supervised *supervised, const struct workers *workers)
{
	if (supervised->fd < 0 || tell(supervised->fd, "sockets\n", workers))
		return 0;
	return -ERR_SYSTEM;
}
