/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER_SIZE 256

/* Only this thread's: the lcores had none to keep, setuid(2) took theirs. */
static int keep_net_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

	data[CAP_NET_ADMIN / 32].effective = 1u << (CAP_NET_ADMIN % 32);
	data[CAP_NET_ADMIN / 32].permitted = 1u << (CAP_NET_ADMIN % 32);
	return (int)syscall(SYS_capset, &header, data);
}

int privileges_drop(const char *user, char *why, size_t size)
{
	if (geteuid() != 0 || !strcmp(user, "root"))
		return 0;
	const struct passwd *entry = getpwnam(user);
	if (!entry) {
		snprintf(why, size,
			 "user \"%s\" does not exist: create it (adduser --system --group %s), or "
			 "set "
			 "`user: root`",
			 user, user);
		return -ERR_NOT_FOUND;
	}
	/* glibc makes the set*id calls in all threads. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
	    setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0 || keep_net_admin() != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		snprintf(why, size, "cannot become user \"%s\": %s", user, strerror(errno));
		return -ERR_DENIED;
	}
	return 0;
}

void privileges_give_folder(const char *user, const char *socket_path)
{
	const char *slash = strrchr(socket_path, '/');
	char folder[FOLDER_SIZE];

	if (geteuid() != 0 || !slash || slash == socket_path ||
	    (size_t)(slash - socket_path) >= sizeof(folder))
		return;
	memcpy(folder, socket_path, (size_t)(slash - socket_path));
	folder[slash - socket_path] = '\0';
	if (mkdir(folder, 0755) != 0)
		return; /* it is there, and is somebody's */
	const struct passwd *entry = strcmp(user, "root") ? getpwnam(user) : NULL;
	if (entry && chown(folder, entry->pw_uid, entry->pw_gid) != 0)
		return; /* then the socket stays behind at the end, and is replaced at the next
			   start */
}

void privileges_give_socket(const char *user, const char *path)
{
	const struct passwd *entry = geteuid() == 0 && strcmp(user, "root") ? getpwnam(user) : NULL;

	if (entry && chown(path, entry->pw_uid, (gid_t)-1) != 0)
		return; /* then root alone may ask */
}
