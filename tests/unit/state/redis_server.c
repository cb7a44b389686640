/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_server.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int redis_server_create(struct redis_server *server)
{
	*server = (struct redis_server){.folder = "/tmp/postern-redis-XXXXXX"};
	if (!mkdtemp(server->folder))
		return -1;
	snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->folder);
	return 0;
}

static void run(const struct redis_server *server, const char *option, const char *value)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves nothing behind */
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
	       "--dir", server->folder, "--save", "", "--appendonly", "no", option, value,
	       (char *)NULL);
	_exit(127);
}

static int server_connect(const struct redis_server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, server->socket, strlen(server->socket) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = {.tv_sec = 2};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const void *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

int redis_server_start(struct redis_server *server, const char *option, const char *value)
{
	fflush(NULL);
	server->pid = fork();
	if (server->pid == 0)
		run(server, option, value);
	for (int i = 0; i < 500; i++) {
		int fd = server_connect(server);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		usleep(10 * 1000);
	}
	redis_server_kill(server);
	return -1;
}

void redis_server_kill(struct redis_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
	unlink(server->socket);
}

void redis_server_destroy(struct redis_server *server)
{
	redis_server_kill(server);
	rmdir(server->folder);
}

static bool is_complete(struct slice answer, struct slice *body)
{
	size_t end = slice_find_slice(answer, SLICE("\r\n"));
	if (end == answer.len)
		return false;
	*body = slice_sub(answer, 1, end - 1);
	if (answer.data[0] != '$')
		return true;
	long len = strtol(answer.data + 1, NULL, 10);
	if (len < 0) {
		*body = SLICE("(nil)");
		return true;
	}
	*body = slice_sub(answer, end + 2, (size_t)len);
	return answer.len >= end + 2 + (size_t)len + 2;
}

int redis_server_ask(const struct redis_server *server, const char *command, struct buf *out)
{
	struct slice body;
	struct buf answer;
	int result = -1;
	int fd = server_connect(server);
	if (fd < 0)
		return -1;
	buf_init(&answer);
	size_t len = strlen(command);
	if (write(fd, command, len) != (ssize_t)len || write(fd, "\r\n", 2) != 2)
		goto done;
	for (;;) {
		char *room = buf_reserve(&answer, 4096);
		ssize_t n = room ? read(fd, room, 4096) : -1;
		if (n <= 0)
			goto done;
		answer.len += (size_t)n;
		if (is_complete(buf_slice(&answer), &body))
			break;
	}
	buf_clear(out);
	buf_add(out, body);
	result = 0;
done:
	buf_free(&answer);
	close(fd);
	return result;
}
