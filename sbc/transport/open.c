/* Connections that we open, without waiting for anybody.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void open_remember_silent(const struct connection *connection, uint64_t now_ms)
{
	struct transport *transport = connection->transport;
	struct silent *silent = &transport->silent[transport->next_silent++ % SILENT_MAX];

	*silent = (struct silent){.remote = connection->remote,
				  .interface = connection->interface,
				  .until_ms = now_ms + SILENT_MS};
}

static bool is_silent(const struct transport *transport, const struct transport_path *path)
{
	uint64_t now_ms = loop_now_ms(transport->config.loop);

	for (size_t i = 0; i < SILENT_MAX; i++) {
		const struct silent *silent = &transport->silent[i];
		if (silent->until_ms > now_ms && silent->interface == path->interface &&
		    addr_equal(&silent->remote, &path->remote))
			return true;
	}
	return false;
}

static int open_socket(const struct transport *transport, uint16_t listener,
		       const struct addr *remote, int *out)
{
	struct sockaddr_storage sa;
	struct addr local = transport->listeners[listener]->info.address;
	int fd = socket(remote->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	/* From our interface's address, whatever the routes prefer. */
	local.port = 0;
	socklen_t len = addr_to_sockaddr(&local, &sa);
	if (bind(fd, (struct sockaddr *)&sa, len))
		goto fail;
	len = addr_to_sockaddr(remote, &sa);
	if (connect(fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS)
		goto fail;
	*out = fd;
	return 0;
fail:;
	int err = err_from_errno(errno);
	close(fd);
	return err;
}

int connection_open(struct transport *transport, const struct transport_path *path,
		    struct connection **out)
{
	const struct interface *interface = &transport->interfaces[path->interface];
	int fd = -1;

	if (is_silent(transport, path))
		return -ERR_TIMEOUT;
	if (path->transport == SIP_TLS && !transport->tls)
		return -ERR_UNSUPPORTED;
	if (interface->info.connections_max &&
	    interface_count(transport, path->interface) >= interface->info.connections_max &&
	    !accept_evict(transport, path->interface))
		return -ERR_TOO_MANY;
	int err = open_socket(transport, path->listener, &path->remote, &fd);
	if (!err)
		err = connection_create(transport, path->listener, fd, &path->remote, false, out);
	if (err) {
		counter_add(&counters_of(transport, path->interface)->connect_failed, 1);
		if (fd >= 0)
			close(fd);
		return err;
	}
	(*out)->name = path->name;
	counter_add(&counters_of(transport, path->interface)->opened, 1);
	return 0;
}

void open_on_connected(struct connection *connection)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct transport *transport = connection->transport;

	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		counter_add(&counters_of(transport, connection->interface)->connect_failed, 1);
		connection_close(connection, err_from_errno(error));
		return;
	}
	connection->opened_ms = loop_now_ms(transport->config.loop);
	connection->active_ms = connection->opened_ms;
	connection_next_state(connection);
}
