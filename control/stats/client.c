/* client.c - asks a stats socket and waits for the answer; both ends of the wait are bounded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/stats/client.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "control/stats/address.h"

#define READ_SIZE    ((size_t)64 * 1024)
#define ANSWER_LIMIT ((size_t)128 * 1024 * 1024)

struct stats_client {
	int fd;
	uint32_t timeout_ms;
	struct buf in;
};

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int connect_error(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return -ERR_NOT_FOUND;
	case ECONNREFUSED:
		return -ERR_REFUSED;
	case EAGAIN:
		return -ERR_TIMEOUT; /* its backlog stayed full */
	default:
		return err_from_errno(errnum);
	}
}

int stats_client_open(const char *path, uint32_t timeout_ms, struct stats_client **out)
{
	struct sockaddr_un address;
	int err = stats_address(path, &address);
	if (err)
		return err;
	struct stats_client *client = calloc(1, sizeof(*client));
	if (!client)
		return -ERR_NO_MEMORY;
	client->timeout_ms = timeout_ms;
	buf_init(&client->in);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0) {
		err = err_from_errno(errno);
		goto fail;
	}
	const struct timeval limit = {.tv_sec = timeout_ms / 1000,
				      .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
	if (setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(client->fd, (const void *)&address, sizeof(address)) < 0) {
		err = connect_error(errno);
		goto fail;
	}
	*out = client;
	return 0;
fail:
	stats_client_close(client);
	return err;
}

void stats_client_close(struct stats_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	buf_free(&client->in);
	free(client);
}

static int send_all(struct stats_client *client, struct slice bytes)
{
	while (bytes.len) {
		ssize_t n = send(client->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return -ERR_TIMEOUT;
		if (n < 0)
			return errno == EPIPE || errno == ECONNRESET ? -ERR_CLOSED
								     : err_from_errno(errno);
		bytes = slice_sub(bytes, (size_t)n, SIZE_MAX);
	}
	return 0;
}

/* More bytes behind those already there, before `deadline_ms`. */
static int receive_more(struct stats_client *client, uint64_t deadline_ms)
{
	uint64_t now = now_ms();
	struct pollfd ready = {.fd = client->fd, .events = POLLIN};
	if (now >= deadline_ms)
		return -ERR_TIMEOUT;
	int found = poll(&ready, 1, (int)(deadline_ms - now));
	if (found <= 0)
		return found == 0 ? -ERR_TIMEOUT : errno == EINTR ? 0 : err_from_errno(errno);
	if (client->in.len > ANSWER_LIMIT)
		return -ERR_TOO_LARGE;
	char *room = buf_reserve(&client->in, READ_SIZE);
	if (!room)
		return -ERR_NO_MEMORY;
	ssize_t n = recv(client->fd, room, READ_SIZE, 0);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return -ERR_CLOSED;
	if (n < 0)
		return errno == EINTR ? 0 : err_from_errno(errno);
	client->in.len += (size_t)n;
	return 0;
}

int stats_client_ask(struct stats_client *client, struct slice command, json_t **out)
{
	uint64_t deadline_ms = now_ms() + client->timeout_ms;
	struct slice line;
	size_t seen = 0, end;
	if (slice_find(command, '\n') != command.len)
		return -ERR_INVALID;
	int err = send_all(client, command);
	if (!err)
		err = send_all(client, SLICE("\n"));
	if (err)
		return err;
	for (;;) {
		line = buf_slice(&client->in);
		end = seen + slice_find(slice_sub(line, seen, SIZE_MAX), '\n');
		if (end < line.len)
			break;
		seen = line.len;
		err = receive_more(client, deadline_ms);
		if (err)
			return err;
	}
	json_t *answer = json_loadb(line.data, end, JSON_DECODE_ANY, NULL);
	buf_consume(&client->in, end + 1);
	if (!answer)
		return -ERR_MALFORMED;
	*out = answer;
	return 0;
}
