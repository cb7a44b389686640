/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/natprobe.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "config/reload.h"
#include "sbc/registration/keepalive.h"

enum { NATS = 4096, STEPS = 4, STEP_MIN_MS = 5000, WAIT_MS = 2000, TRIES = 2, TEXT_MAX = 2048 };

enum stage {
	NAT_IDLE,
	NAT_OPENING, /* the phone shall answer to our other port */
	NAT_SILENT,  /* that mapping is left alone */
	NAT_ASKING,  /* is it still there? */
	NAT_DONE
};

struct nat {
	struct addr addr; /* port 0 */
	uint16_t interface;
	enum stage stage;
	uint32_t proven_ms;
	uint32_t trying_ms;
	uint8_t tries;
	struct addr mapping; /* as seen from our other port */
	char branch[16];
	char *request; /* owned: request line and headers below Via */
	struct timer timer;
	struct natprobes *probes;
};

/* Our other port on a side. */
struct side {
	struct natprobes *probes;
	int fd;
	struct loop_io *io;
	struct addr own;
};

struct natprobes {
	struct worker *worker;
	struct side *sides;
	size_t side_count;
	struct nat *nats; /* NATS, by their address */
	uint64_t key[2];
};

static void on_readable(void *owner, int events);
static int open_side(struct natprobes *probes, const struct transport_path *path);

static const struct config_nat *rules_of(const struct natprobes *probes, uint16_t interface)
{
	return &probes->worker->config->interfaces[interface].nat;
}

/* From the start, so that a worker holds as many descriptors as it ever will. What cannot be opened
 * now is tried again with the first phone. */
static void open_sides(struct natprobes *probes)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};

	for (uint16_t i = 0; i < probes->worker->config->interface_count; i++) {
		struct transport_path path = {.interface = i};

		if (probes->worker->config->interfaces[i].retired ||
		    rules_of(probes, i)->keepalive.mode != CONFIG_KEEPALIVE_ADAPTIVE)
			continue;
		for (size_t f = 0; f < 2 && probes->sides[i].fd < 0; f++)
			if (transport_listener_for(probes->worker->transport, i, SIP_UDP,
						   families[f], &path.listener) == 0)
				(void)open_side(probes, &path);
	}
}

int natprobes_create(struct worker *worker, struct natprobes **out)
{
	struct natprobes *probes = calloc(1, sizeof(*probes));
	if (!probes)
		return -ERR_NO_MEMORY;
	size_t count = probes->side_count =
		worker->config->interface_count + RELOAD_INTERFACES_MORE;

	probes->worker = worker;
	probes->sides = calloc(count, sizeof(*probes->sides));
	probes->nats = calloc(NATS, sizeof(*probes->nats));
	random_fill(worker->random, probes->key, sizeof(probes->key));
	for (size_t i = 0; probes->sides && i < count; i++)
		probes->sides[i] = (struct side){.probes = probes, .fd = -1};
	if (!probes->sides || !probes->nats) {
		natprobes_destroy(probes);
		return -ERR_NO_MEMORY;
	}
	open_sides(probes);
	*out = probes;
	return 0;
}

static void close_side(struct side *side)
{
	loop_io_remove(side->io);
	side->io = NULL;
	if (side->fd >= 0)
		close(side->fd);
	side->fd = -1;
}

static bool is_of_side(const struct config_interface *interface, const struct addr *own)
{
	for (size_t i = 0; !interface->retired && i < interface->address_count; i++)
		if (addr_equal_ip(&interface->addresses[i], own))
			return true;
	return false;
}

void natprobes_reload(struct natprobes *probes)
{
	const struct config *config = probes->worker->config;

	for (size_t i = 0; i < config->interface_count; i++)
		if (probes->sides[i].fd >= 0 &&
		    !is_of_side(&config->interfaces[i], &probes->sides[i].own))
			close_side(&probes->sides[i]);
	open_sides(probes);
}

static void forget(struct natprobes *probes, struct nat *nat)
{
	wheel_cancel(probes->worker->wheel, &nat->timer);
	free(nat->request);
	nat->request = NULL;
}

void natprobes_stop(struct natprobes *probes)
{
	for (size_t i = 0; i < NATS; i++)
		forget(probes, &probes->nats[i]);
	for (size_t i = 0; i < probes->side_count; i++)
		close_side(&probes->sides[i]);
}

void natprobes_destroy(struct natprobes *probes)
{
	if (!probes)
		return;
	if (probes->sides && probes->nats)
		natprobes_stop(probes);
	free(probes->sides);
	free(probes->nats);
	free(probes);
}

static struct nat *slot_of(const struct natprobes *probes, const struct transport_path *path)
{
	struct addr host = path->remote;

	host.port = 0;
	return &probes->nats[addr_hash(&host, probes->key) % NATS];
}

static bool is_of(const struct nat *nat, const struct transport_path *path)
{
	return nat->interface == path->interface && addr_equal_ip(&nat->addr, &path->remote);
}

uint32_t natprobes_interval_ms(const struct natprobes *probes, const struct transport_path *path)
{
	const struct nat *nat = slot_of(probes, path);
	uint32_t minimum_ms = rules_of(probes, path->interface)->minimum_ms;

	return is_of(nat, path) && nat->proven_ms > minimum_ms ? nat->proven_ms : minimum_ms;
}

void natprobes_lost(struct natprobes *probes, const struct transport_path *path)
{
	struct nat *nat = slot_of(probes, path);

	if (!is_of(nat, path) || nat->proven_ms == 0)
		return;
	/* It has one mapping for all our ports (RFC 4787 4.1) and the other one was kept open by
	 * this: what was found out says nothing. */
	forget(probes, nat);
	nat->proven_ms = 0;
	nat->stage = NAT_DONE;
}

/* --- our other port --- */

static int open_side(struct natprobes *probes, const struct transport_path *path)
{
	struct side *side = &probes->sides[path->interface];
	struct sockaddr_storage storage;
	socklen_t len;

	if (side->fd >= 0)
		return addr_equal_ip(&side->own,
				     &transport_listener(probes->worker->transport, path->listener)
					      ->address)
			       ? 0
			       : -ERR_UNSUPPORTED;
	struct addr own = transport_listener(probes->worker->transport, path->listener)->address;
	own.port = 0;
	side->fd = socket(own.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (side->fd < 0)
		return -ERR_SYSTEM;
	len = addr_to_sockaddr(&own, &storage);
	int failed = bind(side->fd, (struct sockaddr *)&storage, len);
	len = sizeof(storage);
	failed = failed || getsockname(side->fd, (struct sockaddr *)&storage, &len);
	addr_from_sockaddr((struct sockaddr *)&storage, &side->own);
	if (failed || loop_io_add(probes->worker->loop, side->fd, LOOP_READ, on_readable, side,
				  &side->io) != 0) {
		close(side->fd);
		side->fd = -1;
		return -ERR_SYSTEM;
	}
	return 0;
}

/* The kept request with a Via of ours: `back` is where the answer shall go. */
static void write_request(const struct nat *nat, const struct addr *back, bool rport,
			  struct buf *out)
{
	struct slice rest = slice_from(nat->request), line;
	char text[ADDR_TEXT_SIZE];

	if (!slice_next_line(&rest, &line))
		return;
	buf_add(out, line);
	buf_printf(out, "\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%.*s%s\r\n", addr_text(back, text),
		   (int)sizeof(nat->branch), nat->branch, rport ? ";rport" : "");
	buf_add(out, rest);
}

static void on_timer(struct timer *timer, uint64_t now_ms);

static void ask(struct natprobes *probes, struct nat *nat, uint64_t now_ms)
{
	struct side *side = &probes->sides[nat->interface];
	struct sockaddr_storage storage;
	socklen_t len = addr_to_sockaddr(&nat->mapping, &storage);
	struct buf bytes;

	buf_init(&bytes);
	write_request(nat, &side->own, true, &bytes);
	/* Lost is lost: it is sent again. */
	if (!buf_failed(&bytes) && side->fd >= 0 &&
	    sendto(side->fd, bytes.data, bytes.len, 0, (struct sockaddr *)&storage, len) < 0)
		log_debug(probes->worker->log, "nat.not_sent", "errno=%d", errno);
	buf_free(&bytes);
	nat->stage = NAT_ASKING;
	wheel_arm(probes->worker->wheel, &nat->timer, now_ms + WAIT_MS, on_timer);
}

static void done(struct natprobes *probes, struct nat *nat)
{
	char text[ADDR_TEXT_SIZE];

	forget(probes, nat);
	nat->stage = NAT_DONE;
	log_info(probes->worker->log, "nat.known", "source=%s bears_s=%u",
		 addr_ip_text(&nat->addr, text),
		 (nat->proven_ms ? nat->proven_ms : rules_of(probes, nat->interface)->minimum_ms) /
			 1000);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct nat *nat = container_of(timer, struct nat, timer);
	struct natprobes *probes = nat->probes;

	switch (nat->stage) {
	case NAT_SILENT:
		nat->tries = 0;
		ask(probes, nat, now_ms);
		break;
	case NAT_ASKING:
		if (++nat->tries < TRIES)
			ask(probes, nat, now_ms);
		else
			done(probes, nat); /* it bears what was proven, no more */
		break;
	case NAT_OPENING: /* the phone answers to where the request came from */
		done(probes, nat);
		break;
	case NAT_IDLE:
	case NAT_DONE:
		break;
	}
}

/* Silent for longer than is proven. The proven silence is a step below what was borne. */
static void be_silent(struct natprobes *probes, struct nat *nat)
{
	const struct config_nat *rules = rules_of(probes, nat->interface);
	uint64_t now = wheel_now_ms(probes->worker->wheel);
	uint32_t step_ms = (rules->maximum_ms - rules->minimum_ms) / STEPS;

	if (nat->trying_ms >= rules->maximum_ms) {
		done(probes, nat);
		return;
	}
	nat->trying_ms += step_ms > STEP_MIN_MS ? step_ms : STEP_MIN_MS;
	if (nat->trying_ms > rules->maximum_ms)
		nat->trying_ms = rules->maximum_ms;
	nat->stage = NAT_SILENT;
	/* A little more than what shall be borne. */
	wheel_arm(probes->worker->wheel, &nat->timer, now + nat->trying_ms + nat->trying_ms / 10,
		  on_timer);
}

void natprobes_try(struct natprobes *probes, const struct binding *binding)
{
	const struct transport_path *path = &binding->path;
	const struct config_nat *rules = rules_of(probes, path->interface);
	struct nat *nat = slot_of(probes, path);
	struct buf bytes;

	if (rules->keepalive.mode != CONFIG_KEEPALIVE_ADAPTIVE ||
	    path->interface >= probes->side_count || rules->maximum_ms <= rules->minimum_ms ||
	    (is_of(nat, path) && nat->stage != NAT_IDLE) || open_side(probes, path) != 0)
		return;
	forget(probes, nat);
	*nat = (struct nat){.addr = path->remote,
			    .interface = path->interface,
			    .trying_ms = rules->minimum_ms,
			    .stage = NAT_OPENING,
			    .probes = probes};
	nat->addr.port = 0;
	random_text(probes->worker->random, nat->branch, sizeof(nat->branch));
	buf_init(&bytes);
	builder_request_line(&bytes, SLICE("OPTIONS"), binding->facts.contact);
	keepalive_write(probes->worker, binding, &bytes);
	if (buf_failed(&bytes) || bytes.len > TEXT_MAX) {
		buf_free(&bytes);
		nat->stage = NAT_DONE;
		return;
	}
	nat->request = bytes.data; /* taken over */
	struct buf open;
	buf_init(&open);
	write_request(nat, &probes->sides[path->interface].own, false, &open);
	if (buf_failed(&open) ||
	    transport_send(probes->worker->transport, path, buf_slice(&open), 0) != 0)
		log_debug(probes->worker->log, "nat.not_sent", NULL);
	buf_free(&open);
	wheel_arm(probes->worker->wheel, &nat->timer, wheel_now_ms(probes->worker->wheel) + WAIT_MS,
		  on_timer);
}

/* An answer, known by the branch that only the phone was told. */
static void on_answer(struct natprobes *probes, uint16_t interface, const struct addr *from,
		      struct slice text)
{
	const struct transport_path path = {.interface = interface, .remote = *from};
	struct nat *nat = slot_of(probes, &path);

	if (!is_of(nat, &path) || (nat->stage != NAT_OPENING && nat->stage != NAT_ASKING) ||
	    !slice_starts(text, SLICE("SIP/2.0 ")) ||
	    slice_find_slice(text, (struct slice){nat->branch, sizeof(nat->branch)}) == text.len)
		return;
	if (nat->stage == NAT_ASKING)
		nat->proven_ms = nat->trying_ms;
	nat->mapping = *from;
	be_silent(probes, nat);
}

static void on_readable(void *owner, int events)
{
	struct side *side = owner;
	struct sockaddr_storage storage;
	char text[TEXT_MAX];
	(void)events;

	for (int i = 0; i < 32; i++) {
		socklen_t len = sizeof(storage);
		struct addr from;
		ssize_t got = recvfrom(side->fd, text, sizeof(text), 0, (struct sockaddr *)&storage,
				       &len);
		if (got < 0)
			return;
		addr_from_sockaddr((struct sockaddr *)&storage, &from);
		on_answer(side->probes, (uint16_t)(side - side->probes->sides), &from,
			  (struct slice){text, (size_t)got});
	}
}
