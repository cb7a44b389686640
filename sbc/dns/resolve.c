/* resolve.c - RFC 3263 4: which transports, ports and addresses a host in a SIP URI stands for, in
 * the order to try them. Service records that fail are followed by the host's own addresses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "sbc/dns/internal.h"

enum { ADDRESSES_MAX = 8 }; /* of one host */

struct service {
	struct slice naptr;
	const char *prefix; /* of the SRV name */
	uint8_t transport;
};
/* Over UDP last: TCP is asked first when nothing says otherwise. */
static const struct service services[] = {
	{{"SIPS+D2T", 8}, "_sips._tcp", DNS_TLS},
	{{"SIP+D2T", 7}, "_sip._tcp", DNS_TCP},
	{{"SIP+D2U", 7}, "_sip._udp", DNS_UDP},
};
enum { SERVICES = sizeof(services) / sizeof(services[0]) };

struct walk {
	struct dns *dns;
	const struct dns_destination *destination;
	struct lookup *lookup;
	struct dns_targets *out;
	bool waits;     /* something is missing */
	bool is_denied; /* the domain says that it has no such service */
	int failure;    /* of a question */
	int fatal;
};

static const struct dns_answer *get(struct walk *walk, enum dns_type type, struct slice name)
{
	struct known known;

	int err = cache_get(walk->dns, type, name, walk->lookup, &known);
	if (!err) {
		if (known.left_ms < walk->out->ttl_ms)
			walk->out->ttl_ms = (uint32_t)known.left_ms;
		return known.answer;
	}
	if (err == -ERR_AGAIN)
		walk->waits = true;
	else if (err == -ERR_BUSY || err == -ERR_NO_MEMORY)
		walk->fatal = err;
	else if (err != -ERR_MALFORMED)
		walk->failure = err;
	return NULL;
}

static void add_target(struct walk *walk, const struct addr *addr, uint16_t port, uint8_t transport)
{
	struct dns_targets *out = walk->out;
	struct dns_target target = {.addr = *addr, .transport = transport};

	if (addr_is_any(addr) || addr_is_multicast(addr) ||
	    (addr->family == AF_INET && addr->v4.s_addr == INADDR_BROADCAST))
		return;
	if (addr->family == AF_INET ? walk->destination->no_v4 : walk->destination->no_v6)
		return;
	target.addr.port = port;
	for (uint32_t i = 0; i < out->count; i++)
		if (out->targets[i].transport == transport &&
		    addr_equal(&out->targets[i].addr, &target.addr))
			return;
	if (out->count < DNS_TARGETS_MAX)
		out->targets[out->count++] = target;
}

static uint16_t default_port(uint8_t transport)
{
	return transport == DNS_TLS ? 5061 : 5060;
}

static void add_host(struct walk *walk, struct slice host, uint16_t port, uint8_t transport)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};

	if (port == 0)
		port = default_port(transport);
	for (size_t i = 0; i < 2; i++) {
		if (types[i] == DNS_A ? walk->destination->no_v4 : walk->destination->no_v6)
			continue;
		const struct dns_answer *answer = get(walk, types[i], host);
		for (uint32_t k = 0; answer && k < answer->count && k < ADDRESSES_MAX; k++)
			add_target(walk, &answer->records[k].addr, port, transport);
	}
}

/* --- SRV --- */

/* Of those of one priority that are left, the next by its weight (RFC 2782). */
static uint32_t draw(struct random *random, const struct dns_srv **left, uint32_t count)
{
	uint64_t sum = 0, so_far = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += left[i]->weight;
	uint64_t mark = random_u64(random) % (sum + 1);
	for (uint32_t i = 0; i < count; i++) {
		so_far += left[i]->weight;
		if (so_far >= mark && (left[i]->weight > 0 || mark == 0))
			return i;
	}
	return (uint32_t)(random_u64(random) % count); /* all weights are 0 */
}

/* In the order to try them. */
static uint32_t order_services(struct random *random, const struct dns_answer *answer,
			       const struct dns_srv *out[DNS_RECORDS_MAX])
{
	const struct dns_srv *group[DNS_RECORDS_MAX];
	uint32_t done = 0;
	int32_t last = -1;

	while (done < answer->count) {
		uint32_t count = 0;
		int32_t priority = INT32_MAX;
		for (uint32_t i = 0; i < answer->count; i++) {
			int32_t at = answer->records[i].srv.priority;
			if (at > last && at < priority)
				priority = at;
		}
		for (uint32_t i = 0; i < answer->count; i++)
			if (answer->records[i].srv.priority == priority)
				group[count++] = &answer->records[i].srv;
		for (; count > 0; count--) {
			uint32_t chosen = draw(random, group, count);
			out[done++] = group[chosen];
			group[chosen] = group[count - 1];
		}
		last = priority;
	}
	return done;
}

static void add_service(struct walk *walk, struct slice name, uint8_t transport)
{
	const struct dns_srv *order[DNS_RECORDS_MAX];
	const struct dns_answer *answer = get(walk, DNS_SRV, name);

	if (!answer)
		return;
	uint32_t count = order_services(walk->dns->config.random, answer, order);
	for (uint32_t i = 0; i < count; i++) {
		if (slice_equal(order[i]->target, SLICE(".")))
			walk->is_denied = true;
		else if (order[i]->port > 0)
			add_host(walk, order[i]->target, order[i]->port, transport);
	}
}

static void add_service_of_host(struct walk *walk, const struct service *service)
{
	char name[DNS_NAME_MAX + 16];
	struct slice host = walk->destination->host;

	if (host.len > DNS_NAME_MAX)
		return;
	int len = snprintf(name, sizeof(name), "%s.%.*s", service->prefix, SLICE_ARG(host));
	add_service(walk, (struct slice){name, (size_t)len}, service->transport);
}

/* --- NAPTR --- */

static bool may_use(const struct walk *walk, const struct service *service)
{
	const struct dns_destination *destination = walk->destination;

	if (destination->is_secure && service->transport != DNS_TLS)
		return false;
	return destination->allowed & service->transport;
}

static const struct service *service_of(const struct walk *walk, struct slice name)
{
	for (size_t i = 0; i < SERVICES; i++)
		if (slice_equal_nocase(services[i].naptr, name))
			return may_use(walk, &services[i]) ? &services[i] : NULL;
	return NULL;
}

static bool comes_before(const struct dns_naptr *a, const struct dns_naptr *b)
{
	return a->order != b->order ? a->order < b->order : a->preference < b->preference;
}

/* False: there is nothing we can use. */
static bool add_naptr(struct walk *walk)
{
	const struct dns_naptr *usable[DNS_RECORDS_MAX];
	uint32_t count = 0;
	const struct dns_answer *answer = get(walk, DNS_NAPTR, walk->destination->host);

	for (uint32_t i = 0; answer && i < answer->count; i++) {
		const struct dns_naptr *naptr = &answer->records[i].naptr;
		if (!slice_equal_nocase(naptr->flags, SLICE("s")) ||
		    !service_of(walk, naptr->services))
			continue;
		uint32_t at = count++;
		for (; at > 0 && comes_before(naptr, usable[at - 1]); at--)
			usable[at] = usable[at - 1];
		usable[at] = naptr;
	}
	for (uint32_t i = 0; i < count; i++)
		add_service(walk, usable[i]->replacement,
			    service_of(walk, usable[i]->services)->transport);
	return count > 0;
}

/* --- the whole --- */

/* What is spoken to a host about which nothing is said (RFC 3263 4.1). */
static uint8_t plain_transport(const struct dns_destination *destination)
{
	if (destination->transport)
		return destination->transport;
	if (destination->is_secure)
		return DNS_TLS;
	return destination->allowed & DNS_UDP   ? DNS_UDP
	       : destination->allowed & DNS_TCP ? DNS_TCP
						: DNS_TLS;
}

static void find(struct walk *walk)
{
	const struct dns_destination *destination = walk->destination;
	uint8_t plain = plain_transport(destination);
	struct addr literal;

	if (addr_parse_ip(destination->host, &literal) == 0) {
		add_target(walk, &literal,
			   destination->port ? destination->port : default_port(plain), plain);
		return;
	}
	if (destination->port == 0) {
		bool is_told = !destination->transport && add_naptr(walk);
		for (size_t i = 0; !is_told && i < SERVICES; i++) {
			const struct service *service = &services[i];
			bool fits = destination->transport
					    ? service->transport == destination->transport
					    : may_use(walk, service) &&
						      (service->transport != DNS_TLS ||
						       destination->is_secure);
			if (fits)
				add_service_of_host(walk, service);
		}
	}
	if (!walk->is_denied)
		add_host(walk, destination->host, destination->port, plain);
}

int resolve_walk(struct dns *dns, const struct dns_destination *destination, struct lookup *lookup,
		 struct dns_targets *out)
{
	struct walk walk = {.dns = dns, .destination = destination, .lookup = lookup, .out = out};
	char normal[DNS_NAME_MAX + 1];
	struct addr literal;

	out->count = 0;
	out->ttl_ms = UINT32_MAX;
	if (!(plain_transport(destination) & destination->allowed))
		return -ERR_UNSUPPORTED;
	if (addr_parse_ip(destination->host, &literal) != 0 &&
	    dns_name_normal(destination->host, normal) != 0)
		return -ERR_MALFORMED;
	find(&walk);
	if (walk.fatal)
		return walk.fatal;
	if (walk.waits)
		return -ERR_AGAIN;
	if (out->count > 0)
		return 0;
	return walk.failure ? walk.failure : -ERR_NOT_FOUND;
}
