/* The HEP3 packet is a list of chunks, each {vendor 0, type, length with this head, value}, all
 * numbers in network order (HEP version 3, revision 12 of its specification).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/hep/hep.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/base/buf.h"

enum {
	BURST = 32,
	HEAD_MAX = 128,     /* all chunks but the message */
	PACKET_MAX = 65000, /* of one datagram */
	QUEUE_BYTES = 256 * 1024,
};

enum chunk {
	CHUNK_FAMILY = 1,
	CHUNK_PROTOCOL = 2,
	CHUNK_SOURCE4 = 3,
	CHUNK_DESTINATION4 = 4,
	CHUNK_SOURCE6 = 5,
	CHUNK_DESTINATION6 = 6,
	CHUNK_SOURCE_PORT = 7,
	CHUNK_DESTINATION_PORT = 8,
	CHUNK_SECONDS = 9,
	CHUNK_MICROSECONDS = 10,
	CHUNK_KIND = 11,
	CHUNK_AGENT = 12,
	CHUNK_PAYLOAD = 15,
};
enum { KIND_SIP = 1, HEP_INET = 2, HEP_INET6 = 10, HEP_TCP = 6, HEP_UDP = 17, CHUNK_HEAD = 6 };

struct hep {
	int fd; /* connected to the collector */
	uint32_t id;
	struct buf bytes;
	size_t ends[BURST]; /* of each packet in `bytes` */
	unsigned int count;
	struct hep_counters counters;
};

int hep_create(const struct addr *collector, uint32_t id, struct hep **out)
{
	struct hep *hep = calloc(1, sizeof(*hep));
	struct sockaddr_storage address;
	if (!hep)
		return -ERR_NO_MEMORY;

	socklen_t size = addr_to_sockaddr(collector, &address);
	hep->id = id;
	buf_init(&hep->bytes);
	hep->fd = socket(collector->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (hep->fd < 0 || connect(hep->fd, (struct sockaddr *)&address, size) != 0) {
		int err = err_from_errno(errno);
		hep_destroy(hep);
		return err;
	}
	*out = hep;
	return 0;
}

void hep_destroy(struct hep *hep)
{
	if (!hep)
		return;
	if (hep->fd >= 0)
		close(hep->fd);
	buf_free(&hep->bytes);
	free(hep);
}

static void add_number(struct buf *out, uint64_t value, unsigned int size)
{
	while (size--)
		buf_add_char(out, (char)(value >> 8 * size & 0xff));
}

static void add_chunk(struct buf *out, enum chunk type, size_t size)
{
	add_number(out, 0, 2);
	add_number(out, type, 2);
	add_number(out, CHUNK_HEAD + size, 2);
}

static void add_number_chunk(struct buf *out, enum chunk type, uint64_t value, unsigned int size)
{
	add_chunk(out, type, size);
	add_number(out, value, size);
}

static void add_address(struct buf *out, const struct addr *addr, enum chunk of4, enum chunk of6)
{
	size_t size = addr->family == AF_INET6 ? 16 : 4;

	add_chunk(out, size == 16 ? of6 : of4, size);
	buf_add(out, (struct slice){(const char *)addr->bytes, size});
}

static void write_packet(const struct hep *hep, const struct hep_message *message, struct buf *out)
{
	size_t start = out->len;

	buf_add(out, SLICE("HEP3"));
	add_number(out, 0, 2); /* the length, known at the end */
	add_number_chunk(out, CHUNK_FAMILY, message->from.family == AF_INET6 ? HEP_INET6 : HEP_INET,
			 1);
	add_number_chunk(out, CHUNK_PROTOCOL, message->is_stream ? HEP_TCP : HEP_UDP, 1);
	add_address(out, &message->from, CHUNK_SOURCE4, CHUNK_SOURCE6);
	add_address(out, &message->to, CHUNK_DESTINATION4, CHUNK_DESTINATION6);
	add_number_chunk(out, CHUNK_SOURCE_PORT, message->from.port, 2);
	add_number_chunk(out, CHUNK_DESTINATION_PORT, message->to.port, 2);
	add_number_chunk(out, CHUNK_SECONDS, message->wall_us / 1000000, 4);
	add_number_chunk(out, CHUNK_MICROSECONDS, message->wall_us % 1000000, 4);
	add_number_chunk(out, CHUNK_KIND, KIND_SIP, 1);
	add_number_chunk(out, CHUNK_AGENT, hep->id, 4);
	add_chunk(out, CHUNK_PAYLOAD, message->bytes.len);
	buf_add(out, message->bytes);
	if (buf_failed(out))
		return;
	size_t size = out->len - start;
	out->data[start + 4] = (char)(size >> 8 & 0xff);
	out->data[start + 5] = (char)(size & 0xff);
}

void hep_copy(struct hep *hep, const struct hep_message *message)
{
	if (message->bytes.len + HEAD_MAX > PACKET_MAX) {
		counter_add(&hep->counters.dropped, 1);
		return;
	}
	if (hep->count == BURST || hep->bytes.len + message->bytes.len + HEAD_MAX > QUEUE_BYTES)
		hep_flush(hep);
	size_t start = hep->bytes.len;
	write_packet(hep, message, &hep->bytes);
	if (buf_failed(&hep->bytes)) {
		hep->bytes.failed = false; /* what was there is whole */
		hep->bytes.len = start;
		counter_add(&hep->counters.dropped, 1);
		return;
	}
	hep->ends[hep->count++] = hep->bytes.len;
}

void hep_flush(struct hep *hep)
{
	struct mmsghdr headers[BURST];
	struct iovec vectors[BURST];
	size_t start = 0;
	unsigned int done = 0, refusals = 0;

	if (!hep->count)
		return;
	for (unsigned int i = 0; i < hep->count; i++) {
		vectors[i] = (struct iovec){hep->bytes.data + start, hep->ends[i] - start};
		headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
		start = hep->ends[i];
	}
	while (done < hep->count) {
		int n = sendmmsg(hep->fd, headers + done, hep->count - done, MSG_DONTWAIT);
		if (n > 0) {
			counter_add(&hep->counters.sent, (uint64_t)n);
			done += (unsigned int)n;
			continue;
		}
		if (errno == ECONNREFUSED) { /* it tells of an earlier one */
			counter_add(&hep->counters.refused, 1);
			if (++refusals < BURST)
				continue;
		}
		/* No room: nothing of the rest has any. */
		unsigned int lost = errno == EAGAIN || errno == ENOBUFS ? hep->count - done : 1;
		counter_add(&hep->counters.dropped, lost);
		done += lost;
	}
	hep->count = 0;
	buf_clear(&hep->bytes);
}

const struct hep_counters *hep_counters(const struct hep *hep)
{
	return &hep->counters;
}
