/* free_port.h - a port of 127.0.0.1 that a test program may listen on, UDP and TCP alike.
 *
 * Test programs run side by side, and the kernel gives its own ports (ip_local_port_range, from
 * 32768) to whoever asks next, for one protocol at a time: a port that was free for TCP a moment
 * ago can be another test's UDP socket now. So each process has a few ports of its own below that
 * range. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define FREE_PORT_FIRST  10000
#define FREE_PORT_BLOCK  32u /* ports of a process */
#define FREE_PORT_BLOCKS 600u

static inline bool free_port_of(int type, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	int fd = socket(AF_INET, type, 0);
	bool is_free = fd >= 0 &&
		       /* as the listeners do: connections that ended a moment ago do not count */
		       (type != SOCK_STREAM ||
			!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))) &&
		       !bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	if (fd >= 0)
		close(fd);
	return is_free;
}

/* Each call gives another port, around in the process' block. 0 when none is free. */
static inline uint16_t free_port(void)
{
	static unsigned next;
	unsigned block = (unsigned)getpid() % FREE_PORT_BLOCKS;
	for (unsigned tries = 0; tries < FREE_PORT_BLOCK; tries++) {
		uint16_t port = (uint16_t)(FREE_PORT_FIRST + block * FREE_PORT_BLOCK +
					   next++ % FREE_PORT_BLOCK);
		if (free_port_of(SOCK_STREAM, port) && free_port_of(SOCK_DGRAM, port))
			return port;
	}
	return 0;
}
