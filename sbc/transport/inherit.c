/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/inherit.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void inherited_init(struct inherited *inherited, int first, uint32_t count)
{
	inherited->count = count < INHERITED_MAX ? count : INHERITED_MAX;
	for (uint32_t i = 0; i < inherited->count; i++) {
		inherited->fds[i] = first + (int)i;
		(void)fcntl(inherited->fds[i], F_SETFD, FD_CLOEXEC);
	}
}

static bool fits(int fd, const struct transport_listener *listener)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name), type_len = sizeof(int);
	struct addr bound;
	int type = 0;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 ||
	    type != (listener->transport == SIP_UDP ? SOCK_DGRAM : SOCK_STREAM) ||
	    getsockname(fd, (struct sockaddr *)&name, &len) != 0)
		return false;
	addr_from_sockaddr((struct sockaddr *)&name, &bound);
	return addr_equal(&bound, &listener->address);
}

int inherited_take(struct inherited *inherited, const struct transport_listener *listener)
{
	/* A group is joined anew. */
	for (uint32_t i = 0; i < inherited->count && !addr_is_set(&listener->group); i++) {
		int fd = inherited->fds[i];
		if (!fits(fd, listener))
			continue;
		inherited->fds[i] = -1;
		return fd;
	}
	return -1;
}

void inherited_close(struct inherited *inherited)
{
	for (uint32_t i = 0; i < inherited->count; i++)
		if (inherited->fds[i] >= 0)
			close(inherited->fds[i]);
	inherited->count = 0;
}
