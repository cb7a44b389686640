/* rtpload.c - paced RTP through a relay between two network namespaces, every packet verified.
 *
 * Raw AF_PACKET transmit past the qdisc, TPACKET_V3 rings for receipt. A packet that comes back
 * must carry a known SSRC, come from the relay's announced address and port, go to the right end
 * and hold the payload that was sent. A full transmit ring counts as loss: retrying would hide it.
 *
 * usage: rtpload FLOWS PPS SECONDS CPU  NS:DEVICE:RELAY-MAC (lan)  NS:DEVICE:RELAY-MAC (wan)
 * FLOWS: one call per line: ssrc lan-ip lan-port relay-ip relay-port wan-ip wan-port relay-ip
 * relay-port [key-to-relay key-from-relay], the keys of an SRTP WAN side in hexadecimal
 * (AES_CM_128_HMAC_SHA1_80, sealed and opened by libsrtp2). PPS is per direction. Prints START and
 * STOP around the measured window, then one JSON line. SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <srtp2/srtp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64,
	PAYLOAD = 160,
	RTP = 12,
	HEADERS = 14 + 20 + 8,
	FRAME = HEADERS + RTP + PAYLOAD,
	TAG = 10,
	KEY = 30
};
enum { LATE_MAX = 2 * BATCH, BLOCK = 1 << 18, BLOCKS = 128, LATENCIES = 1 << 22, FILL = 0xd5 };
#define WARM_NS     1000000000ull
#define DRAIN_NS    300000000ull
#define OTHER_SSRCS 0x100000u /* the WAN side's SSRC is the LAN side's plus this */

struct end {
	uint32_t ip, relay_ip;     /* network byte order */
	uint16_t port, relay_port; /* host byte order */
};

struct call {
	uint32_t ssrc;
	struct end end[2]; /* LAN, WAN */
	uint16_t sequence[2];
	srtp_t seal, open; /* of the WAN end; NULL = plain RTP */
};

struct side {
	int tx, rx;
	uint8_t source_mac[6], relay_mac[6];
	uint8_t *ring;
	unsigned block, next_call;
	uint64_t sent, received, bad, not_sent;
	uint32_t *latency_ns; /* of packets received here */
	size_t latencies;
	uint8_t frames[BATCH][FRAME + SRTP_MAX_TRAILER_LEN + 2];
};

struct load {
	struct call *calls;
	size_t count;
	struct side side[2];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts); /* the clock of the rings' time stamps */
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static srtp_t make_session(const char *hex, srtp_ssrc_type_t direction)
{
	unsigned char key[KEY];
	srtp_policy_t policy = {.ssrc = {.type = direction}, .key = key, .window_size = 1024};
	srtp_t session;

	for (int i = 0; i < KEY; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &key[i]) != 1)
			die("key");
	srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
	policy.rtcp = policy.rtp;
	if (srtp_create(&session, &policy) != srtp_err_status_ok)
		die("srtp_create");
	return session;
}

/* The rest of the line. */
static void read_keys(FILE *file, struct call *call)
{
	char line[256], to[64], from[64];

	if (!fgets(line, sizeof(line), file) || sscanf(line, "%63s %63s", to, from) != 2)
		return;
	call->seal = make_session(to, ssrc_any_outbound);
	call->open = make_session(from, ssrc_any_inbound);
}

static void read_calls(struct load *load, const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		die(path);
	size_t room = 1024;
	load->calls = malloc(room * sizeof(*load->calls));
	for (;;) {
		struct call call = {0};
		char ip[4][32];
		unsigned port[4];
		int n = fscanf(file, "%u %31s %u %31s %u %31s %u %31s %u", &call.ssrc, ip[0],
			       &port[0], ip[1], &port[1], ip[2], &port[2], ip[3], &port[3]);
		if (n != 9)
			break;
		read_keys(file, &call);
		for (int d = 0; d < 2; d++)
			call.end[d] =
				(struct end){inet_addr(ip[d * 2]), inet_addr(ip[d * 2 + 1]),
					     (uint16_t)port[d * 2], (uint16_t)port[d * 2 + 1]};
		if (load->count == room) {
			room *= 2;
			load->calls = realloc(load->calls, room * sizeof(*load->calls));
		}
		if (!load->calls)
			die("memory");
		load->calls[load->count++] = call;
	}
	fclose(file);
	if (load->count == 0) {
		fprintf(stderr, "%s: no calls\n", path);
		exit(1);
	}
}

static void open_tx(struct side *side, int ifindex, const char *device)
{
	int one = 1, size = 8 << 20;
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	struct ifreq request = {0};

	side->tx = socket(AF_PACKET, SOCK_RAW, 0);
	if (side->tx < 0 ||
	    setsockopt(side->tx, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die("transmit socket");
	setsockopt(side->tx, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (bind(side->tx, (struct sockaddr *)&at, sizeof(at)))
		die("bind transmit socket");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", IFNAMSIZ - 1, device);
	if (ioctl(side->tx, SIOCGIFHWADDR, &request))
		die(device);
	memcpy(side->source_mac, request.ifr_hwaddr.sa_data, 6);
}

static void open_rx(struct side *side, int ifindex)
{
	int version = TPACKET_V3, one = 1;
	struct tpacket_req3 ring = {.tp_block_size = BLOCK,
				    .tp_block_nr = BLOCKS,
				    .tp_frame_size = 2048,
				    .tp_frame_nr = BLOCK / 2048 * BLOCKS,
				    .tp_retire_blk_tov = 5};
	/* ETH_P_ALL taps see a packet before the ingress chain that drops it. */
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_protocol = htons(ETH_P_ALL)};

	side->rx = socket(AF_PACKET, SOCK_RAW, 0);
	if (side->rx < 0 ||
	    setsockopt(side->rx, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(side->rx, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(side->rx, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)))
		die("receive ring");
	side->ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, side->rx, 0);
	if (side->ring == MAP_FAILED || bind(side->rx, (struct sockaddr *)&at, sizeof(at)))
		die("receive ring");
	side->latency_ns = malloc(LATENCIES * sizeof(*side->latency_ns));
	if (!side->latency_ns)
		die("memory");
}

/* spec: NAMESPACE:DEVICE:xx:xx:xx:xx:xx:xx */
static void open_side(struct side *side, const char *spec)
{
	char namespace[64], device[IFNAMSIZ], path[96];
	unsigned mac[6];

	if (sscanf(spec, "%63[^:]:%15[^:]:%x:%x:%x:%x:%x:%x", namespace, device, &mac[0], &mac[1],
		   &mac[2], &mac[3], &mac[4], &mac[5]) != 8) {
		fprintf(stderr, "%s: not NAMESPACE:DEVICE:MAC\n", spec);
		exit(2);
	}
	for (int i = 0; i < 6; i++)
		side->relay_mac[i] = (uint8_t)mac[i];
	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
	int ifindex = (int)if_nametoindex(device);
	if (!ifindex)
		die(device);
	open_tx(side, ifindex, device);
	open_rx(side, ifindex);
}

static uint32_t sum16(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Returns its length. */
static unsigned write_rtp(uint8_t *rtp, const struct call *call, int d, uint16_t sequence,
			  uint64_t sent_ns)
{
	uint32_t ssrc = htonl(call->ssrc + (d ? OTHER_SSRCS : 0)),
		 stamp = htonl((uint32_t)sequence * PAYLOAD);
	int len = RTP + PAYLOAD;

	rtp[0] = 0x80;
	rtp[1] = 8; /* PCMA */
	rtp[2] = (uint8_t)(sequence >> 8);
	rtp[3] = (uint8_t)sequence;
	memcpy(rtp + 4, &stamp, 4);
	memcpy(rtp + 8, &ssrc, 4);
	memcpy(rtp + 12, &sent_ns, 8);
	memset(rtp + 20, FILL, PAYLOAD - 8);
	if (d && call->seal && srtp_protect(call->seal, rtp, &len) != srtp_err_status_ok)
		die("srtp_protect");
	return (unsigned)len;
}

/* Returns its length. */
static unsigned write_frame(uint8_t *frame, const struct side *side, const struct call *call, int d,
			    uint16_t sequence, uint64_t sent_ns)
{
	const struct end *end = &call->end[d];
	unsigned len = write_rtp(frame + HEADERS, call, d, sequence, sent_ns);
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .tos = 0xb8,
			   .tot_len = htons((uint16_t)(HEADERS - 14 + len)),
			   .frag_off = htons(0x4000),
			   .ttl = 64,
			   .protocol = IPPROTO_UDP,
			   .saddr = end->ip,
			   .daddr = end->relay_ip};
	struct udphdr udp = {.source = htons(end->port),
			     .dest = htons(end->relay_port),
			     .len = htons((uint16_t)(8 + len))};

	memcpy(frame, side->relay_mac, 6);
	memcpy(frame + 6, side->source_mac, 6);
	frame[12] = 0x08;
	frame[13] = 0x00;
	memcpy(frame + 14, &ip, sizeof(ip));
	ip.check = htons(fold(sum16(frame + 14, sizeof(ip))));
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &udp, sizeof(udp));
	uint16_t check =
		fold(sum16(frame + 34, 8 + len) + sum16(frame + 26, 8) + IPPROTO_UDP + 8 + len);
	udp.check = htons(check ? check : 0xffff);
	memcpy(frame + 34, &udp, sizeof(udp));
	return HEADERS + len;
}

static void send_batch(struct load *load, int d, unsigned n)
{
	struct side *side = &load->side[d];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];
	uint64_t sent_ns = now_ns();

	for (unsigned i = 0; i < n; i++) {
		struct call *call = &load->calls[side->next_call++ % load->count];
		unsigned len =
			write_frame(side->frames[i], side, call, d, call->sequence[d]++, sent_ns);
		vectors[i] = (struct iovec){side->frames[i], len};
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned at = 0; at < n;) {
		int done = sendmmsg(side->tx, messages + at, n - at, 0);
		if (done > 0) {
			at += (unsigned)done;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			side->not_sent++;
			at++;
		} else {
			die("sendmmsg");
		}
	}
	side->sent += n;
}

static void check_packet(struct load *load, int d, const struct tpacket3_hdr *header)
{
	struct side *side = &load->side[d];
	const uint8_t *frame = (const uint8_t *)header + header->tp_mac, *rtp = frame + HEADERS;
	uint32_t ssrc;
	uint16_t ports[2];
	uint64_t sent_ns;

	if (header->tp_snaplen < HEADERS + RTP || frame[12] != 0x08 || frame[23] != IPPROTO_UDP)
		return;
	memcpy(&ssrc, rtp + 8, 4);
	uint32_t index = ntohl(ssrc) - load->calls[0].ssrc - (d ? 0 : OTHER_SSRCS);
	if (index >= load->count)
		return;
	const struct end *end = &load->calls[index].end[d];
	memcpy(ports, frame + 34, 4);
	uint8_t opened[FRAME + SRTP_MAX_TRAILER_LEN];
	srtp_t session = d ? load->calls[index].open : NULL;
	int len = (int)header->tp_snaplen - HEADERS;
	if (session && len <= RTP + PAYLOAD + TAG) {
		memcpy(opened, rtp, (size_t)len);
		rtp = opened;
		if (srtp_unprotect(session, opened, &len) != srtp_err_status_ok)
			len = 0;
	}
	bool good = len == RTP + PAYLOAD && ntohs(ports[0]) == end->relay_port &&
		    ntohs(ports[1]) == end->port && memcmp(frame + 26, &end->relay_ip, 4) == 0 &&
		    memcmp(frame + 30, &end->ip, 4) == 0;
	for (int i = RTP + 8; good && i < RTP + PAYLOAD; i++)
		good = rtp[i] == FILL;
	if (!good) {
		side->bad++;
		return;
	}
	side->received++;
	memcpy(&sent_ns, rtp + 12, 8);
	uint64_t at_ns = (uint64_t)header->tp_sec * 1000000000ull + header->tp_nsec;
	if (side->latencies < LATENCIES)
		side->latency_ns[side->latencies++] =
			at_ns > sent_ns ? (uint32_t)(at_ns - sent_ns) : 0;
}

static void drain(struct load *load, int d)
{
	struct side *side = &load->side[d];

	for (;;) {
		struct tpacket_block_desc *block =
			(void *)(side->ring + (size_t)side->block * BLOCK);
		if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
		      TP_STATUS_USER))
			return;
		uint8_t *at = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
		for (unsigned i = 0; i < block->hdr.bh1.num_pkts; i++) {
			check_packet(load, d, (void *)at);
			at += ((struct tpacket3_hdr *)(void *)at)->tp_next_offset;
		}
		__atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		side->block = (side->block + 1) % BLOCKS;
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void run(struct load *load, uint64_t pps, uint64_t seconds)
{
	uint64_t start = now_ns(), end = start + WARM_NS + seconds * 1000000000ull, done = 0;
	bool measuring = false;

	for (uint64_t now = start; now < end; now = now_ns()) {
		if (!measuring && now >= start + WARM_NS) {
			measuring = true;
			printf("START\n");
			fflush(stdout);
		}
		uint64_t due = (uint64_t)((double)(now - start) * (double)pps / 1e9);
		/* What we were kept from sending is not made up for by a burst, which no phones
		 * would send: `sent` says how much was offered. */
		if (due - done > LATE_MAX)
			done = due - LATE_MAX;
		unsigned n = due - done > BATCH ? BATCH : (unsigned)(due - done);
		if (n > 0) {
			send_batch(load, 0, n);
			send_batch(load, 1, n);
			done += n;
		}
		drain(load, 0);
		drain(load, 1);
		if (due - done < 16)
			nanosleep(&(struct timespec){0, 200000}, NULL);
	}
	printf("STOP\n");
	fflush(stdout);
	for (uint64_t until = now_ns() + DRAIN_NS; now_ns() < until;) {
		drain(load, 0);
		drain(load, 1);
		usleep(2000);
	}
}

static void print_result(struct load *load)
{
	struct side *lan = &load->side[0], *wan = &load->side[1];
	uint64_t sent = lan->sent + wan->sent, received = lan->received + wan->received;

	printf("{\"calls\": %zu, \"sent\": %lu, \"received\": %lu, \"lost\": %lu, \"not_sent\": "
	       "%lu, \"bad\": %lu",
	       load->count, sent, received, sent - received, lan->not_sent + wan->not_sent,
	       lan->bad + wan->bad);
	for (int d = 0; d < 2; d++) {
		struct side *side = &load->side[d];
		struct tpacket_stats_v3 stats = {0};
		socklen_t size = sizeof(stats);
		getsockopt(side->rx, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
		qsort(side->latency_ns, side->latencies, sizeof(uint32_t), compare);
		const char *name = d ? "wan" : "lan";
		printf(", \"%s_sink_drops\": %u", name, stats.tp_drops);
		if (side->latencies)
			printf(", \"%s_p50_us\": %.0f, \"%s_p99_us\": %.0f", name,
			       side->latency_ns[side->latencies / 2] / 1e3, name,
			       side->latency_ns[side->latencies * 99 / 100] / 1e3);
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct load *load = calloc(1, sizeof(*load));
	if (argc != 7 || !load) {
		fprintf(stderr,
			"usage: rtpload FLOWS PPS SECONDS CPU NS:DEVICE:MAC NS:DEVICE:MAC\n");
		return 2;
	}
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(strtoul(argv[4], NULL, 10), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (srtp_init() != srtp_err_status_ok)
		die("srtp_init");
	read_calls(load, argv[1]);
	open_side(&load->side[0], argv[5]);
	open_side(&load->side[1], argv[6]);
	run(load, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	print_result(load);
	return 0;
}
