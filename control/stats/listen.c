/* listen.c - the stats socket's place in the file system.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/stats/address.h"
#include "control/stats/private.h"

int stats_address(const char *path, struct sockaddr_un *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len == 0)
		return -ERR_INVALID;
	if (len >= sizeof(address.sun_path))
		return -ERR_TOO_LARGE;
	memcpy(address.sun_path, path, len);
	*out = address;
	return 0;
}

static int fail(const struct log *log, const char *path, const char *cure, int errnum)
{
	char text[64];
	log_error(log, "stats.listen", "path=\"%s\" error=\"%s\" cure=\"%s\"", path,
		  strerror_r(errnum, text, sizeof(text)), cure);
	return errnum == EADDRINUSE ? -ERR_EXISTS : err_from_errno(errnum);
}

static const char *cure_of(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return "make the folder";
	case EACCES:
	case EPERM:
	case EROFS:
		return "choose a folder this user may write to";
	default:
		return "choose another path";
	}
}

/* Does anybody serve the socket that is already there? */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true; /* not known: leave it alone */
	int err = connect(fd, (const void *)address, sizeof(*address));
	/* EAGAIN: somebody listens, with a full backlog. */
	bool served = err == 0 || errno == EAGAIN || errno == EINPROGRESS;
	close(fd);
	return served;
}

/* A socket of a dead process is removed; anything else is not ours to remove. */
static int place_clear(const struct log *log, const struct sockaddr_un *address)
{
	struct stat status;
	const char *path = address->sun_path;
	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : fail(log, path, cure_of(errno), errno);
	if (!S_ISSOCK(status.st_mode))
		return fail(log, path, "a file is in the way: choose another path", EADDRINUSE);
	if (is_served(address))
		return fail(log, path, "another process serves it: stop that one first",
			    EADDRINUSE);
	if (unlink(path) < 0)
		return fail(log, path, cure_of(errno), errno);
	log_info(log, "stats.stale_socket_replaced", "path=\"%s\"", path);
	return 0;
}

int stats_listen(const struct log *log, const char *path, uint32_t mode, int *out)
{
	struct sockaddr_un address;
	int err = stats_address(path, &address);
	if (err) {
		log_error(log, "stats.listen",
			  "path=\"%s\" error=\"%s\" cure=\"at most %zu bytes\"", path,
			  err_text(err), sizeof(address.sun_path) - 1);
		return err;
	}
	err = place_clear(log, &address);
	if (err)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(log, path, "raise the limit of open files", errno);
	if (bind(fd, (const void *)&address, sizeof(address)) < 0) {
		err = fail(log, path, cure_of(errno), errno);
		goto fail_bind;
	}
	/* Nobody can connect before listen(), so the mode is in force in time. */
	if (chmod(path, (mode_t)mode) < 0 || listen(fd, 16) < 0) {
		err = fail(log, path, cure_of(errno), errno);
		goto fail_listen;
	}
	*out = fd;
	return 0;
fail_listen:
	unlink(path);
fail_bind:
	close(fd);
	return err;
}
