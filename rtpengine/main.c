/* postern-rtpengine: the media relay. Opens the devices, answers NG, shows its numbers, and leaves
 * nothing behind. Serves our signalling half, Kamailio, or whoever speaks NG.
 * SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "control/base/exits.h"
#include "rtpengine/relay.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 3 };

/* The supervisor waits for this line on the descriptor it gave us. */
static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	ssize_t n = write(fd, "ready\n", 6);
	(void)n; /* nobody listens any more: no reason not to go on */
	close(fd);
}

static int load(struct relay *relay, const char *path)
{
	struct buf findings;

	buf_init(&findings);
	int err = config_load(path, &relay->config, &findings);
	if (findings.len)
		fputs(findings.data, stderr);
	else if (err)
		fprintf(stderr, "%s: %s\n", path, err_text(err));
	buf_free(&findings);
	if (err)
		return EXIT_CONFIG;
	if (!relay->config->relay.listen_count) {
		fprintf(stderr,
			"%s: relay: control names no address of this host, so there is nothing to "
			"answer on; add one, such as udp/127.0.0.1:2223\n",
			path);
		return EXIT_CONFIG;
	}
	relay->current = config_hold(relay->config);
	relay->log.level = relay->config->log_level;
	return 0;
}

static int usage(FILE *to, int status)
{
	fputs("usage: postern-rtpengine -c FILE [--ready-fd N]\n"
	      "       postern-rtpengine --version | --help\n",
	      to);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct relay relay = {.log = {.level = LOG_INFO, .fd = 2, .program = "rtpengine"}};
	const char *path = NULL;
	uint32_t ready_fd = 0;
	int c;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (c == 'c') {
			path = optarg;
		} else if (c == 'r') {
			if (slice_to_u32(slice_from(optarg), 1023, &ready_fd) != 0)
				return usage(stderr, EXIT_USAGE);
		} else if (c == 'v') {
			puts("postern-rtpengine " POSTERN_VERSION);
			return 0;
		} else {
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : EXIT_USAGE);
		}
	}
	if (!path || optind != argc)
		return usage(stderr, EXIT_USAGE);

	signal(SIGPIPE, SIG_IGN);
	random_system_init(&relay.random);
	int status = load(&relay, path);
	if (status)
		return status;
	int err = relay_open(&relay);
	if (!err) {
		log_info(&relay.log, "relay.ready", "instance=%s interfaces=%zu",
			 sessions_instance(relay.sessions), relay.config->interface_count);
		tell_ready(ready_fd ? (int)ready_fd : -1);
		loop_run(relay.loop);
	}
	relay_close(&relay);
	if (!err && relay.is_upgrading)
		return EXIT_HANDED_OVER;
	return err && err != -ERR_CLOSED ? EXIT_FAILURE : EXIT_SUCCESS;
}
