/* SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/recorder/pcm.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "rtpengine/recorder/g711.h"

#define RTP_HEADER 12

static socklen_t place(const struct addr *to, const char *path, struct sockaddr_storage *out)
{
	if (!path)
		return addr_to_sockaddr(to, out);
	struct sockaddr_un *un = (struct sockaddr_un *)out;
	size_t len = strlen(path);

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	if (len >= sizeof(un->sun_path))
		return 0;
	memcpy(un->sun_path, path, len);
	return sizeof(*un);
}

int pcm_connect(const struct addr *to, const char *path, int *out)
{
	struct sockaddr_storage storage;
	socklen_t len = place(to, path, &storage);

	if (!len)
		return -ERR_TOO_LARGE;
	int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_from_errno(errno);
	if (connect(fd, (const struct sockaddr *)&storage, len) != 0 && errno != EINPROGRESS) {
		int err = err_from_errno(errno);
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* Header, contributing sources, extension (RFC 3550 5.1, 5.3.1), and the padding behind. */
static struct slice payload(const uint8_t *rtp, size_t len)
{
	size_t at = RTP_HEADER + (rtp[0] & 0x0fu) * 4;

	if (rtp[0] & 0x10) {
		if (at + 4 > len)
			return SLICE_NONE;
		at += 4 + (size_t)(rtp[at + 2] << 8 | rtp[at + 3]) * 4;
	}
	size_t padding = rtp[0] & 0x20 ? rtp[len - 1] : 0;
	if (at + padding >= len)
		return SLICE_NONE;
	return (struct slice){(const char *)rtp + at, len - at - padding};
}

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* How many samples are missing before this packet; below 0 = it comes too late. */
static int32_t missing(struct pcm *pcm, const uint8_t *rtp)
{
	uint32_t timestamp = read32(rtp + 4), ssrc = read32(rtp + 8);
	int32_t gap = (int32_t)(timestamp - pcm->next);

	if (!pcm->has_begun || pcm->ssrc != ssrc || gap > PCM_GAP_MAX || gap < -PCM_GAP_MAX) {
		pcm->has_begun = true;
		pcm->ssrc = ssrc;
		pcm->next = timestamp;
		return 0;
	}
	return gap;
}

void pcm_add(struct pcm *pcm, struct buf *out, const uint8_t *rtp, size_t len)
{
	if (len <= RTP_HEADER || rtp[0] >> 6 != 2)
		return;
	uint8_t type = rtp[1] & 0x7f;
	if (type != pcm->pcma_type && type != pcm->pcmu_type)
		return;
	struct slice sound = payload(rtp, len);
	int32_t gap = sound.len ? missing(pcm, rtp) : -1;
	if (gap < 0)
		return;
	char *room = buf_reserve(out, ((size_t)gap + sound.len) * 2);
	if (!room)
		return;
	memset(room, 0, (size_t)gap * 2);
	room += (size_t)gap * 2;
	for (size_t i = 0; i < sound.len; i++) {
		uint8_t code = (uint8_t)sound.data[i];
		int16_t sample =
			type == pcm->pcma_type ? g711_from_alaw(code) : g711_from_ulaw(code);
		room[2 * i] = (char)(sample & 0xff);
		room[2 * i + 1] = (char)(sample >> 8);
	}
	out->len += ((size_t)gap + sound.len) * 2;
	pcm->next += (uint32_t)gap + (uint32_t)sound.len;
}
