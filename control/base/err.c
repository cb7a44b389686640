/* SPDX-License-Identifier: Apache-2.0 */
#include "control/base/err.h"

#include <errno.h>
#include <limits.h>

const char *err_text(int err)
{
	static const char *const texts[] = {[ERR_NONE] = "no error",
#define X(name, text) [ERR_##name] = (text),
					    FOREACH_ERR(X)
#undef X
	};
	const int count = (int)(sizeof(texts) / sizeof(texts[0]));

	if (err < 0 && err > INT_MIN)
		err = -err;
	return err >= 0 && err < count ? texts[err] : "unknown error";
}

int err_from_errno(int errnum)
{
	static const struct {
		int errnum;
		enum err err;
	} map[] = {
		{0, ERR_NONE},
		{ENOMEM, ERR_NO_MEMORY},
		{ENOBUFS, ERR_NO_MEMORY},
		{EINVAL, ERR_INVALID},
		{EBADF, ERR_INVALID},
		{EAFNOSUPPORT, ERR_UNSUPPORTED},
		{EPROTONOSUPPORT, ERR_UNSUPPORTED},
		{EOPNOTSUPP, ERR_UNSUPPORTED},
		{ENOSYS, ERR_UNSUPPORTED},
		{EMSGSIZE, ERR_TOO_LARGE},
		{E2BIG, ERR_TOO_LARGE},
		{EFBIG, ERR_TOO_LARGE},
		{ENAMETOOLONG, ERR_TOO_LARGE},
		{EMFILE, ERR_TOO_MANY},
		{ENFILE, ERR_TOO_MANY},
		{ENOENT, ERR_NOT_FOUND},
		{ENODEV, ERR_NOT_FOUND},
		{EADDRNOTAVAIL, ERR_NOT_FOUND},
		{EEXIST, ERR_EXISTS},
		{EADDRINUSE, ERR_BUSY},
		{EBUSY, ERR_BUSY},
		{EAGAIN, ERR_AGAIN},
		{EINTR, ERR_AGAIN},
		{EINPROGRESS, ERR_AGAIN},
		{EPIPE, ERR_CLOSED},
		{ECONNRESET, ERR_CLOSED},
		{ENOTCONN, ERR_CLOSED},
		{ETIMEDOUT, ERR_TIMEOUT},
		{ECONNREFUSED, ERR_REFUSED},
		{EHOSTUNREACH, ERR_UNREACHABLE},
		{ENETUNREACH, ERR_UNREACHABLE},
		{ENETDOWN, ERR_UNREACHABLE},
		{EPERM, ERR_DENIED},
		{EACCES, ERR_DENIED},
	};

	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (map[i].errnum == errnum)
			return -(int)map[i].err;
	}
	return -ERR_SYSTEM;
}
