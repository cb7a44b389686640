/* The bytes of a connection, over TLS or not, with one face: that of read(2) and sendmsg(2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VECTORS = 64 }; /* messages of one writev */

static ssize_t result_of(struct connection *connection, enum tls_result result, size_t len)
{
	if (result == TLS_OK)
		return (ssize_t)len;
	if (result == TLS_CLOSED)
		return 0;
	connection->read_wants_write |= result == TLS_WANT_WRITE;
	errno = result == TLS_FAILED ? EPROTO : EAGAIN;
	return -1;
}

ssize_t bytes_read(struct connection *connection, char *data, size_t size)
{
	size_t len = 0;

	if (!connection->tls)
		return recv(connection->fd, data, size, MSG_DONTWAIT);
	connection->read_wants_write = false;
	enum tls_result result = tls_read(connection->tls, data, size, &len);
	return result_of(connection, result, len);
}

static ssize_t write_plain(struct connection *connection)
{
	struct iovec vectors[VECTORS];
	int count = 0;

	for (struct queued *q = connection->first; q && count < VECTORS; q = q->next)
		vectors[count++] = (struct iovec){q->bytes + q->sent, q->len - q->sent};
	struct msghdr header = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
	return sendmsg(connection->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What fits into one record. Tried again, it begins with the same bytes: the queue only grows at
 * its end. */
static ssize_t write_record(struct connection *connection)
{
	char *record = connection->transport->write_buffer;
	size_t len = 0, sent = 0;

	for (struct queued *q = connection->first; q && len < RECORD_SIZE; q = q->next) {
		size_t part = q->len - q->sent;
		if (part > RECORD_SIZE - len)
			part = RECORD_SIZE - len;
		memcpy(record + len, q->bytes + q->sent, part);
		len += part;
	}
	bool before = connection->read_wants_write;
	enum tls_result result = tls_write(connection->tls, record, len, &sent);
	ssize_t n = result_of(connection, result, sent);
	connection->read_wants_write = before; /* it is the writer who waits */
	if (n == 0) {
		errno = EPIPE;
		return -1;
	}
	return n;
}

ssize_t bytes_write_queue(struct connection *connection)
{
	return connection->tls ? write_record(connection) : write_plain(connection);
}

void bytes_end(struct connection *connection)
{
	if (connection->tls)
		tls_shutdown(connection->tls);
	shutdown(connection->fd, SHUT_WR);
}
