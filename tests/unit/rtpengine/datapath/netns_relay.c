/* netns_relay.c - the datapath alone, driven by lines on standard input: what the namespace tests
 * (and a bare benchmark) talk to. Not a test by itself. Every command answers with one line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/datapath/datapath.h"
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS_MAX      24
#define INTERFACES_MAX 16
#define CORES_MAX      16

struct relay {
	struct log log;
	struct addr addresses[INTERFACES_MAX];
	struct datapath_interface interfaces[INTERFACES_MAX];
	unsigned cores[CORES_MAX];
	struct datapath_config config;
	struct datapath *datapath;
	bool quit;
};

static struct addr parse_addr(const char *text)
{
	struct addr addr = {0};
	if (strcmp(text, "-") != 0 && addr_parse(slice_from(text), 0, &addr) != 0)
		fprintf(stderr, "bad address %s\n", text);
	return addr;
}

static struct flow_id parse_id(const char *text)
{
	return (struct flow_id){(uint32_t)strtoul(text, NULL, 10)};
}

static void answer(int err)
{
	printf("%s\n", err ? err_text(err) : "ok");
}

/* open ADDRESS AFFINITY */
static void command_open(struct relay *relay, char **words)
{
	struct addr local = parse_addr(words[1]);
	struct flow_id id;
	int err = datapath_flow_open(relay->datapath, &local, (uint32_t)strtoul(words[2], NULL, 10),
				     &id);
	if (err)
		answer(err);
	else
		printf("%u\n", id.value);
}

/* set ID KIND MODE EXPECTED EXPECTED REMOTE RTP_TO RTCP_TO RTP_OF EPOCH WINDOW_MS */
static void command_set(struct relay *relay, char **words)
{
	static const char *const kinds[] = {"rtp", "rtcp", "mux", "other"};
	static const char *const modes[] = {"closed", "exact", "learn"};
	struct flow_rule rule = {.symmetric = true, .dscp = 46, .clock_hz = 8000};
	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(words[2], kinds[i]))
			rule.kind = i;
	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(words[3], modes[i]))
			rule.source.mode = i;
	rule.source.expected[0] = parse_addr(words[4]);
	rule.source.expected[1] = parse_addr(words[5]);
	rule.remote = parse_addr(words[6]);
	rule.rtp_to = parse_id(words[7]);
	rule.rtcp_to = parse_id(words[8]);
	rule.rtp_of = parse_id(words[9]);
	rule.source.epoch = (uint32_t)strtoul(words[10], NULL, 10);
	rule.source.window_ms = (uint32_t)strtoul(words[11], NULL, 10);
	answer(datapath_flow_set(relay->datapath, parse_id(words[1]), &rule));
}

static void command_close(struct relay *relay, char **words)
{
	datapath_flow_close(relay->datapath, parse_id(words[1]));
	answer(0);
}

static void command_stats(struct relay *relay, char **words)
{
	struct flow_stats stats;
	char text[ADDR_TEXT_SIZE];
	int err = datapath_flow_stats(relay->datapath, parse_id(words[1]), &stats);
	if (err) {
		answer(err);
		return;
	}
	printf("packets=%lu bytes=%lu rtcp=%lu sent=%lu lost=%lu jitter_us=%u hijack=%lu source=%s",
	       stats.packets, stats.bytes, stats.rtcp_packets, stats.sent_packets, stats.lost,
	       stats.jitter_us, stats.hijack_attempts,
	       stats.source_is_locked ? addr_text(&stats.source, text) : "-");
	for (unsigned i = 0; i < DROP_COUNT; i++)
		if (stats.drops[i])
			printf(" drop.%s=%lu", drop_key(i), stats.drops[i]);
	printf("\n");
}

static void command_totals(struct relay *relay, char **words)
{
	(void)words;
	struct lcore_stats sum = {0};
	for (size_t i = 0; i < datapath_lcore_count(relay->datapath); i++) {
		struct lcore_stats one;
		datapath_lcore_stats(relay->datapath, i, &one);
		sum.rx_packets += one.rx_packets;
		sum.tx_packets += one.tx_packets;
		sum.naps += one.naps;
		sum.waits += one.waits;
		sum.bursts += one.bursts;
		sum.handed_over += one.handed_over;
		for (unsigned k = 0; k < DROP_COUNT; k++)
			sum.drops[k] += one.drops[k];
	}
	printf("flows=%u mbufs=%u rx=%lu tx=%lu bursts=%lu naps=%lu waits=%lu handed_over=%lu",
	       datapath_flow_count(relay->datapath), datapath_mbufs_in_use(relay->datapath),
	       sum.rx_packets, sum.tx_packets, sum.bursts, sum.naps, sum.waits, sum.handed_over);
	for (unsigned k = 0; k < DROP_COUNT; k++)
		if (sum.drops[k])
			printf(" drop.%s=%lu", drop_key(k), sum.drops[k]);
	for (size_t i = 0; i < datapath_device_count(relay->datapath); i++) {
		struct device_stats device;
		datapath_device_stats(relay->datapath, i, &device);
		printf(" %s=%s", device.name, device.driver);
	}
	printf("\n");
}

static void command_events(struct relay *relay, char **words)
{
	(void)words;
	static const char *const names[] = {
		[DATAPATH_SOURCE_LOCKED] = "locked",
		[DATAPATH_SOURCE_MOVED] = "moved",
		[DATAPATH_SOURCE_ROAMED] = "roamed",
		[DATAPATH_HIJACK] = "hijack",
		[DATAPATH_DTMF] = "dtmf",
		[DATAPATH_PLAYED] = "played",
	};
	struct datapath_event events[64];
	size_t n = datapath_events(relay->datapath, events, 64);
	printf("events=%zu", n);
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_SIZE];
		printf(" %s:%u:%s", names[events[i].type], events[i].flow.value,
		       addr_text(&events[i].source, text));
	}
	printf("\n");
}

/* Become nobody, with CAP_NET_ADMIN kept or with nothing: drop KEEP */
static void command_drop(struct relay *relay, char **words)
{
	(void)relay;
	bool keep = !strcmp(words[1], "keep");
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	int err = prctl(PR_SET_KEEPCAPS, keep, 0, 0, 0) || setgroups(0, NULL) || setgid(65534) ||
		  setuid(65534);
	if (!err && keep) {
		data[0].effective = data[0].permitted = 1u << CAP_NET_ADMIN;
		err = (int)syscall(SYS_capset, &header, data);
	}
	answer(err ? -ERR_SYSTEM : 0);
}

/* What ngsetup.py --static assigns: static FILE */
static void command_static(struct relay *relay, char **words)
{
	FILE *file = fopen(words[1], "re");
	unsigned ssrc, port[4], count = 0;
	char ip[4][40], rest[3][80];
	while (file && fscanf(file, "%u %39s %u %39s %u %39s %u %39s %u %79s %79s %79s", &ssrc,
			      ip[0], &port[0], ip[1], &port[1], ip[2], &port[2], ip[3], &port[3],
			      rest[0], rest[1], rest[2]) == 12) {
		struct flow_id id[2];
		int err = 0;
		for (unsigned i = 0; i < 2 && !err; i++) {
			struct addr local = parse_addr(ip[1 + 2 * i]);
			local.port = (uint16_t)port[1 + 2 * i];
			err = datapath_flow_open(relay->datapath, &local, count, &id[i]);
		}
		for (unsigned i = 0; i < 2 && !err; i++) {
			struct flow_rule rule = {.kind = FLOW_RTP,
						 .symmetric = true,
						 .dscp = 46,
						 .clock_hz = 8000,
						 .rtp_to = id[1 - i]};
			rule.remote = parse_addr(ip[2 * i]);
			rule.remote.port = (uint16_t)port[2 * i];
			rule.source.mode = FLOW_SOURCE_LEARN;
			rule.source.expected[0] = rule.remote;
			err = datapath_flow_set(relay->datapath, id[i], &rule);
		}
		if (err)
			break;
		count++;
	}
	if (file)
		fclose(file);
	printf("calls=%u\n", count);
}

static void command_quit(struct relay *relay, char **words)
{
	(void)words;
	relay->quit = true;
}

static const struct {
	const char *name;
	int arguments;
	void (*run)(struct relay *relay, char **words);
} commands[] = {
	{"open", 2, command_open},   {"set", 11, command_set},      {"close", 1, command_close},
	{"stats", 1, command_stats}, {"totals", 0, command_totals}, {"events", 0, command_events},
	{"drop", 1, command_drop},   {"static", 1, command_static}, {"quit", 0, command_quit},
};

static void run_line(struct relay *relay, char *line)
{
	char *words[WORDS_MAX];
	int count = 0;
	char *save = NULL;
	for (char *word = strtok_r(line, " \n", &save); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " \n", &save))
		words[count++] = word;
	for (size_t i = 0; count && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(words[0], commands[i].name) && count == commands[i].arguments + 1) {
			commands[i].run(relay, words);
			fflush(stdout);
			return;
		}
	printf("bad command\n");
	fflush(stdout);
}

/* -i ADDRESS,FIRST,LAST -c CPU -d DRIVER -b BATCH_US -H never|require */
static void parse_arguments(struct relay *relay, int argc, char **argv)
{
	struct datapath_config *config = &relay->config;
	static const char *const drivers[] = {"auto", "af_xdp", "af_packet", "pci"};
	int option;
	while ((option = getopt(argc, argv, "i:c:d:b:p:H:")) != -1) {
		size_t n = config->interface_count;
		char *save = NULL;
		if (option == 'i' && n < INTERFACES_MAX) {
			relay->addresses[n] = parse_addr(strtok_r(optarg, ",", &save));
			relay->interfaces[n] = (struct datapath_interface){
				.name = "test",
				.addresses = &relay->addresses[n],
				.address_count = 1,
				.first_port = (uint16_t)atoi(strtok_r(NULL, ",", &save)),
				.last_port = (uint16_t)atoi(strtok_r(NULL, ",", &save)),
			};
			config->interface_count++;
		} else if (option == 'c' && config->core_count < CORES_MAX) {
			relay->cores[config->core_count++] = (unsigned)atoi(optarg);
		} else if (option == 'b') {
			config->batch_us = (uint32_t)atoi(optarg);
		} else if (option == 'p') {
			config->driver = DATAPATH_PCI;
			config->pci_address = optarg;
		} else if (option == 'H') {
			config->hugepages = !strcmp(optarg, "never") ? DATAPATH_HUGE_NEVER
								     : DATAPATH_HUGE_REQUIRE;
		} else if (option == 'd') {
			for (unsigned i = 0; i < 3; i++)
				if (!strcmp(optarg, drivers[i]))
					config->driver = i;
		}
	}
}

int main(int argc, char **argv)
{
	struct relay relay = {.log = {LOG_DEBUG, 2, "relay"}};
	char why[DATAPATH_WHY_SIZE];
	relay.config.interfaces = relay.interfaces;
	relay.config.cores = relay.cores;
	relay.config.batch_us = DATAPATH_BATCH_US;
	relay.config.log = &relay.log;
	parse_arguments(&relay, argc, argv);
	int err = datapath_create(&relay.config, why, &relay.datapath);
	if (err) {
		printf("failed: %s: %s\n", err_text(err), why);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	struct pollfd fds[2] = {{.fd = 0, .events = POLLIN},
				{.fd = datapath_fd(relay.datapath), .events = POLLIN}};
	while (!relay.quit) {
		char line[512];
		poll(fds, 2, -1);
		if (fds[1].revents)
			datapath_poll(relay.datapath);
		if (!fds[0].revents)
			continue;
		if (!fgets(line, sizeof(line), stdin)) /* one line for each we are asked */
			break;
		run_line(&relay, line);
	}
	datapath_destroy(relay.datapath);
	return 0;
}
