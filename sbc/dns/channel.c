/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/channel.h"
#include <ares.h>
#include <stdlib.h>

enum {
	TRIES = 3,           /* of a question, at each server */
	ANSWER_BYTES = 1232, /* by UDP (DNS flag day 2020): larger ones come by TCP */
	CLASS_IN = 1,
};

struct watch { /* one socket of c-ares */
	struct watch *next;
	struct dns_channel *channel;
	struct loop_io *io;
	ares_socket_t fd;
};

struct dns_channel {
	struct loop *loop;
	ares_channel ares;
	bool has_ares;
	bool has_library;
	struct watch *watches;
	struct timer timer;
	struct dns *dns;
};

struct asked { /* what c-ares gives back with the answer */
	struct dns_channel *channel;
	uint64_t question;
};

static void on_timer(struct timer *timer, uint64_t now_ms);

static void arm(struct dns_channel *channel)
{
	struct wheel *wheel = loop_wheel(channel->loop);
	struct timeval left;

	if (!ares_timeout(channel->ares, NULL, &left)) {
		wheel_cancel(wheel, &channel->timer);
		return;
	}
	uint64_t ms = (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;
	wheel_arm(wheel, &channel->timer, wheel_now_ms(wheel) + ms, on_timer);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct dns_channel *channel = container_of(timer, struct dns_channel, timer);
	(void)now_ms;

	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(channel);
}

static void on_ready(void *owner, int events)
{
	struct watch *watch = owner;
	struct dns_channel *channel = watch->channel;
	ares_socket_t fd = watch->fd;

	/* The watch may go meanwhile. */
	ares_process_fd(channel->ares, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
			events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	arm(channel);
}

/* Without memory the socket is not watched: its questions time out. */
static void on_socket(void *owner, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *channel = owner;
	struct watch **link = &channel->watches;
	int events = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	struct watch *watch = *link;
	if (watch && events) {
		loop_io_set(watch->io, events);
	} else if (watch) {
		*link = watch->next;
		loop_io_remove(watch->io);
		free(watch);
	} else if (events && (watch = calloc(1, sizeof(*watch)))) {
		*watch = (struct watch){.next = channel->watches, .channel = channel, .fd = fd};
		if (loop_io_add(channel->loop, fd, events, on_ready, watch, &watch->io) != 0)
			free(watch);
		else
			channel->watches = watch;
	}
}

static void on_answer(void *owner, int status, int timeouts, unsigned char *bytes, int len)
{
	struct asked *asked = owner;
	struct dns_channel *channel = asked->channel;
	uint64_t question = asked->question;
	(void)timeouts;

	free(asked);
	if (!channel->dns)
		return;
	if (bytes && len > 0)
		dns_answered(channel->dns, question,
			     (struct slice){(const char *)bytes, (size_t)len});
	else
		dns_failed(channel->dns, question,
			   status == ARES_ETIMEOUT ? -ERR_TIMEOUT
			   : status == ARES_ENOMEM ? -ERR_NO_MEMORY
						   : -ERR_UNREACHABLE);
}

static int ask(void *owner, enum dns_type type, const char *name, uint64_t question)
{
	struct dns_channel *channel = owner;
	struct asked *asked = malloc(sizeof(*asked));
	if (!asked)
		return -ERR_NO_MEMORY;
	*asked = (struct asked){channel, question};
	ares_query(channel->ares, name, CLASS_IN, (int)type, on_answer, asked);
	arm(channel);
	return 0;
}

static int set_servers(struct dns_channel *channel, const struct dns_channel_config *config)
{
	struct ares_addr_port_node nodes[16];
	size_t count = config->server_count < 16 ? config->server_count : 16;

	if (count == 0)
		return 0;
	memset(nodes, 0, sizeof(nodes));
	for (size_t i = 0; i < count; i++) {
		const struct addr *addr = &config->servers[i];
		nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
		nodes[i].family = addr->family;
		nodes[i].udp_port = nodes[i].tcp_port = addr->port;
		memcpy(&nodes[i].addr, addr->bytes, addr->family == AF_INET ? 4 : 16);
	}
	return ares_set_servers_ports(channel->ares, nodes) == ARES_SUCCESS ? 0 : -ERR_SYSTEM;
}

static int open_ares(struct dns_channel *channel, const struct dns_channel_config *config)
{
	char lookups[] = "b"; /* no files: reading them would block */
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		/* c-ares doubles it with each round over its servers. */
		.timeout = (int)(config->timeout_ms / 4 > 100 ? config->timeout_ms / 4 : 100),
		.tries = TRIES,
		.ednspsz = ANSWER_BYTES,
		.lookups = lookups,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = channel,
	};

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ERR_SYSTEM;
	channel->has_library = true;
	if (ares_init_options(&channel->ares, &options,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				      ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
				      ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
		return -ERR_SYSTEM;
	channel->has_ares = true;
	return set_servers(channel, config);
}

int dns_channel_create(const struct dns_channel_config *config, struct dns_channel **out)
{
	struct dns_channel *channel = calloc(1, sizeof(*channel));
	if (!channel)
		return -ERR_NO_MEMORY;

	channel->loop = config->loop;
	struct dns_config dns = {.wheel = loop_wheel(config->loop),
				 .random = config->random,
				 .timeout_ms = config->timeout_ms,
				 .cache_max_ms = config->cache_max_ms,
				 .ask = ask,
				 .owner = channel};
	int err = dns_create(&dns, &channel->dns);
	if (!err)
		err = open_ares(channel, config);
	if (err) {
		dns_channel_destroy(channel);
		return err;
	}
	*out = channel;
	return 0;
}

void dns_channel_destroy(struct dns_channel *channel)
{
	if (!channel)
		return;
	struct dns *dns = channel->dns;
	channel->dns = NULL; /* c-ares says good-bye to every question */
	if (channel->has_ares)
		ares_destroy(channel->ares);
	if (channel->has_library)
		ares_library_cleanup();
	wheel_cancel(loop_wheel(channel->loop), &channel->timer);
	dns_destroy(dns);
	free(channel);
}

struct dns *dns_channel_resolver(const struct dns_channel *channel)
{
	return channel->dns;
}
