/* af_packet.c - the driver of last resort: AF_PACKET, where XDP cannot be loaded. It steals
 * nothing: the kernel sees each packet too, and would answer ICMP port unreachable. So the driver's
 * socket takes only our media (a classic BPF filter), and an nftables chain at the device's
 * ingress, which runs after the socket, drops the same. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/control.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "control/base/buf.h"

#define CODE_MAX   4096
#define TAKE_ALL   0xffff
#define FRAME_SIZE "2048"

struct program {
	struct sock_filter code[CODE_MAX];
	uint16_t len;
};

static void emit(struct program *program, uint16_t code, uint8_t if_true, uint8_t if_false,
		 uint32_t k)
{
	if (program->len < CODE_MAX)
		program->code[program->len++] =
			(struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = k};
}

/* Destination address at `at`, destination port at `port_at`: take the packet if it is this one's
 * media; fall through to the next address otherwise. */
static void emit_address(struct program *program, const struct media_address *address, uint32_t at,
			 uint32_t port_at)
{
	unsigned words = address->addr.family == AF_INET ? 1 : 4;
	uint16_t rest = (uint16_t)(2 + 3 * address->range_count);
	for (unsigned i = 0; i < words; i++) {
		uint32_t word;
		memcpy(&word, address->addr.bytes + 4 * i, 4);
		emit(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, at + 4 * i);
		emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(2 * (words - 1 - i) + rest),
		     ntohl(word));
	}
	emit(program, BPF_LD | BPF_H | BPF_ABS, 0, 0, port_at);
	for (uint16_t i = 0; i < address->range_count; i++) {
		emit(program, BPF_JMP | BPF_JGE | BPF_K, 0, 2, address->ranges[i].first);
		emit(program, BPF_JMP | BPF_JGT | BPF_K, 1, 0, address->ranges[i].last);
		emit(program, BPF_RET | BPF_K, 0, 0, TAKE_ALL);
	}
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
}

static void emit_family(struct program *program, const struct device_config *config, uint8_t family)
{
	for (uint16_t i = 0; i < config->address_count; i++)
		if (config->addresses[i].addr.family == family)
			emit_address(program, &config->addresses[i], family == AF_INET ? 30 : 38,
				     family == AF_INET ? 36 : 56);
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
}

/* The same decision as filter.bpf.c. */
static void build(struct program *program, const struct device_config *config)
{
	program->len = 0;
	/* what leaves through the device is tapped as well (on lo: everything, twice); the socket's
	 * PACKET_IGNORE_OUTGOING is void once the driver has put it into a fanout group */
	emit(program, BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PACKET_OUTGOING);
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
	emit(program, BPF_LD | BPF_H | BPF_ABS, 0, 0, 12);
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0x0800);
	uint16_t jump = program->len;
	emit(program, BPF_JMP | BPF_JA, 0, 0, 0); /* to IPv6, set below */
	emit(program, BPF_LD | BPF_B | BPF_ABS, 0, 0, 14);
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0x45); /* no options */
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
	emit(program, BPF_LD | BPF_B | BPF_ABS, 0, 0, 23);
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, IPPROTO_UDP);
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
	emit(program, BPF_LD | BPF_H | BPF_ABS, 0, 0, 20);
	emit(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, 0x3fff); /* a fragment */
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
	emit_family(program, config, AF_INET);
	program->code[jump].k = (uint32_t)(program->len - jump - 1);
	emit(program, BPF_LD | BPF_H | BPF_ABS, 0, 0, 12);
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0x86dd);
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
	emit(program, BPF_LD | BPF_B | BPF_ABS, 0, 0, 20);
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, IPPROTO_UDP);
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
	emit_family(program, config, AF_INET6);
}

static int filter_sockets(const struct device *device, const struct device_config *config)
{
	struct program program;
	build(&program, config);
	if (program.len == CODE_MAX)
		return -ERR_TOO_MANY;
	struct sock_fprog filter = {.len = program.len, .filter = program.code};
	for (uint16_t i = 0; i < device->fd_count; i++)
		if (setsockopt(device->fds[i], SOL_SOCKET, SO_ATTACH_FILTER, &filter,
			       sizeof(filter)) != 0)
			return err_from_errno(errno);
	return 0;
}

/* A process that has become nobody and kept CAP_NET_ADMIN hands it to nft, and to nobody after. */
static void lend_net_admin(bool lend)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	if (geteuid() == 0 || syscall(SYS_capget, &header, data) != 0 ||
	    !(data[0].permitted & 1u << CAP_NET_ADMIN))
		return;
	if (!lend)
		(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_ADMIN, 0, 0);
	data[0].inheritable = lend ? 1u << CAP_NET_ADMIN : 0;
	if (syscall(SYS_capset, &header, data) == 0 && lend)
		(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
}

/* Run nft with `script` on its standard input; false when it is missing or refuses. By path, with
 * an empty environment: that is not ours to trust. */
static bool run_nft(const char *script)
{
	static const char *const places[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"};
	char *const argv[] = {(char *)(uintptr_t) "nft", (char *)(uintptr_t) "-f",
			      (char *)(uintptr_t) "-", NULL};
	char *const environment[] = {NULL};
	size_t len = strlen(script);
	int input = memfd_create("postern-nft", MFD_CLOEXEC);
	if (input < 0)
		return false;
	if (write(input, script, len) != (ssize_t)len || lseek(input, 0, SEEK_SET) != 0) {
		close(input);
		return false;
	}
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	pid_t pid = 0;
	int err = ENOENT;
	lend_net_admin(true);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && err; i++)
		err = posix_spawn(&pid, places[i], &actions, NULL, argv, environment);
	lend_net_admin(false);
	posix_spawn_file_actions_destroy(&actions);
	close(input);
	if (err)
		return false;
	int status = -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return status == 0;
}

static bool add_chain(struct device *device, const struct device_config *config)
{
	struct buf script;
	char text[ADDR_TEXT_SIZE];
	buf_init(&script);
	/* added first so that deleting what an earlier run left cannot fail */
	buf_printf(&script,
		   "add table netdev postern_%u\ndelete table netdev postern_%u\n"
		   "add table netdev postern_%u\n"
		   "add chain netdev postern_%u media "
		   "{ type filter hook ingress device \"%s\" priority -400; }\n",
		   device->ifindex, device->ifindex, device->ifindex, device->ifindex,
		   device->name);
	for (uint16_t i = 0; i < config->address_count; i++) {
		const struct media_address *address = &config->addresses[i];
		bool v4 = address->addr.family == AF_INET;
		/* what the socket takes and no more; a later fragment has data where the ports were
		 */
		const char *plain =
			v4 ? "ip hdrlength 5 ip frag-off & 0x3fff == 0" : "ip6 nexthdr udp";
		for (uint16_t r = 0; r < address->range_count; r++)
			buf_printf(&script,
				   "add rule netdev postern_%u media %s daddr %s %s "
				   "udp dport %u-%u drop\n",
				   device->ifindex, v4 ? "ip" : "ip6",
				   addr_ip_text(&address->addr, text), plain,
				   address->ranges[r].first, address->ranges[r].last);
	}
	bool done = !buf_failed(&script) && run_nft(script.data);
	buf_free(&script);
	return done;
}

int af_packet_open(struct device *device, const struct device_config *config, uint16_t index,
		   char *why)
{
	char arguments[128];
	device->driver = DATAPATH_AF_PACKET;
	device->queues = 1;
	snprintf(device->vdev, sizeof(device->vdev), "net_af_packet%u", index);
	snprintf(arguments, sizeof(arguments),
		 "iface=%s,qpairs=1,qdisc_bypass=1,blocksz=65536,framesz=" FRAME_SIZE
		 ",framecnt=2048",
		 device->name);
	int err = device_start(device, config, "vdev", arguments, why);
	if (err)
		return err;
	err = filter_sockets(device, config);
	if (err)
		return why_set(why, err, "%s: cannot filter what AF_PACKET receives: %s",
			       device->name, err_text(err));
	device->has_chain = add_chain(device, config);
	if (!device->has_chain)
		log_warn(config->log, "datapath.no_nft",
			 "device=%s effect=\"the kernel answers media with ICMP port unreachable\" "
			 "cure=\"install nftables, or use a kernel with XDP\"",
			 device->name);
	return 0;
}

int af_packet_refill(struct device *device, const struct device_config *config, char *why)
{
	int err = filter_sockets(device, config);
	if (err)
		return why_set(why, err, "%s: cannot filter what AF_PACKET receives: %s",
			       device->name, err_text(err));
	if (device->has_chain && !add_chain(device, config))
		return why_set(why, -ERR_SYSTEM, "%s: nftables refuses other media ports",
			       device->name);
	return 0;
}

void af_packet_close(struct device *device, const struct log *log)
{
	if (!device->has_chain)
		return;
	char script[64];
	snprintf(script, sizeof(script), "delete table netdev postern_%u\n", device->ifindex);
	device->has_chain = false;
	if (!run_nft(script))
		log_warn(log, "datapath.chain_left", "device=%s cure=\"nft %.*s\"", device->name,
			 (int)strlen(script) - 1, script);
}
