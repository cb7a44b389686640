/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/leak.h"
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include "sbc/topology/words.h"

/* What lies inside, as found in a text: an address of a network, or a name. */
struct inside {
	bool is_name;
	struct cidr network;
	struct slice name; /* owned */
};

struct leaks {
	const struct config *config;
	struct words *words;
	struct inside *insides;
	uint32_t inside_count;
	uint32_t inside_size;
	struct leak_counters counters;
	struct leak_sample samples[LEAK_SAMPLES];
	uint32_t sample_count;
};

/* --- what to look for --- */

static bool is_of_untrusted(const struct config *config, const struct addr *addr)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];
		if (interface->trusted)
			continue;
		if (addr_is_set(&interface->advertise_addr) &&
		    addr_equal_ip(&interface->advertise_addr, addr))
			return true;
		for (size_t k = 0; k < interface->address_count; k++)
			if (addr_equal_ip(&interface->addresses[k], addr))
				return true;
	}
	return false;
}

/* Does somebody of an untrusted side live in this network? Then it tells nothing. */
static bool is_shared(const struct config *config, const struct cidr *network)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];
		for (size_t k = 0; !interface->trusted && k < interface->address_count; k++)
			if (cidr_contains(network, &interface->addresses[k]))
				return true;
	}
	for (size_t i = 0; i < config->peer_count; i++) {
		const struct config_peer *peer = &config->peers[i];
		for (size_t k = 0;
		     !config->interfaces[peer->interface].trusted && k < peer->accept_from_count;
		     k++)
			if (cidr_contains(network, &peer->accept_from[k].network))
				return true;
	}
	return false;
}

static struct inside *new_inside(struct leaks *leaks)
{
	if (leaks->inside_count == leaks->inside_size) {
		uint32_t size = leaks->inside_size ? 2 * leaks->inside_size : 16;
		struct inside *grown = realloc(leaks->insides, size * sizeof(*grown));
		if (!grown)
			return NULL;
		leaks->insides = grown;
		leaks->inside_size = size;
	}
	struct inside *inside = &leaks->insides[leaks->inside_count++];
	*inside = (struct inside){0};
	return inside;
}

static bool is_known(const struct leaks *leaks, const struct cidr *network)
{
	for (uint32_t i = 0; i < leaks->inside_count; i++)
		if (!leaks->insides[i].is_name && leaks->insides[i].network.bits == network->bits &&
		    addr_equal_ip(&leaks->insides[i].network.network, &network->network))
			return true;
	return false;
}

/* The octets or the group that all its addresses begin with; the rest is read where it is found. */
static int add_beginnings(struct leaks *leaks, const struct cidr *network, uint32_t id)
{
	const uint8_t *bytes = network->network.bytes;
	char text[ADDR_TEXT_SIZE];

	if (network->network.family == AF_INET) {
		size_t len = 0;
		for (int i = 0; i < network->bits / 8; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						i < 3 ? "%u." : "%u", bytes[i]);
		return words_add(leaks->words, slice_from(text), id);
	}
	unsigned int group = (unsigned int)bytes[0] << 8 | bytes[1];
	snprintf(text, sizeof(text), "%x:", group);
	/* "::1" and its like are written without it. */
	int err = group < 0x10 ? 0 : words_add(leaks->words, slice_from(text), id);
	if (!err && group < 0x1000) {
		snprintf(text, sizeof(text), "%04x:", group);
		err = words_add(leaks->words, slice_from(text), id);
	}
	return err;
}

static int add_network(struct leaks *leaks, struct cidr network)
{
	bool is_v4 = network.network.family == AF_INET;

	/* A network as large as that is a rule for anybody, not a place. */
	if (network.bits < (is_v4 ? 8 : 16) || addr_is_any(&network.network) ||
	    is_shared(leaks->config, &network) || is_known(leaks, &network))
		return 0;
	struct inside *inside = new_inside(leaks);
	if (!inside)
		return -ERR_NO_MEMORY;
	inside->network = network;
	return add_beginnings(leaks, &network, leaks->inside_count - 1);
}

static int add_host(struct leaks *leaks, const struct addr *addr)
{
	struct cidr host = {.network = *addr, .bits = addr->family == AF_INET ? 32 : 128};
	host.network.port = 0;
	return addr_is_set(addr) ? add_network(leaks, host) : 0;
}

static int add_name(struct leaks *leaks, struct slice name)
{
	struct addr literal;

	if (name.len < WORD_MIN || name.len > WORD_MAX || addr_parse_ip(name, &literal) == 0)
		return 0;
	struct inside *inside = new_inside(leaks);
	if (!inside)
		return -ERR_NO_MEMORY;
	inside->is_name = true;
	char *copy = slice_dup(name);
	if (!copy)
		return -ERR_NO_MEMORY;
	inside->name = (struct slice){copy, name.len};
	return words_add(leaks->words, name, leaks->inside_count - 1);
}

static uint8_t mask_bits(const struct addr *mask)
{
	uint8_t bits = 0;
	for (size_t i = 0; i < (mask->family == AF_INET ? 4 : 16); i++)
		for (uint8_t byte = mask->bytes[i]; byte & 0x80; byte = (uint8_t)(byte << 1))
			bits++;
	return bits;
}

/* The network on the wire that an address of ours is in. */
static int add_networks_of(struct leaks *leaks, const struct ifaddrs *all, const struct addr *own)
{
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		struct addr addr, mask;
		if (!at->ifa_addr || !at->ifa_netmask ||
		    (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
			continue;
		addr_from_sockaddr(at->ifa_addr, &addr);
		if (!addr_equal_ip(&addr, own))
			continue;
		/* Read as numbers: a mask is no address, of IPv6 it may look like a mapped one. */
		mask = (struct addr){.family = addr.family};
		if (addr.family == AF_INET)
			mask.v4 = ((const struct sockaddr_in *)(const void *)at->ifa_netmask)
					  ->sin_addr;
		else
			mask.v6 = ((const struct sockaddr_in6 *)(const void *)at->ifa_netmask)
					  ->sin6_addr;
		struct cidr network = {.network = addr, .bits = mask_bits(&mask)};
		network.network.port = 0;
		int err = add_network(leaks, network);
		if (err)
			return err;
	}
	return 0;
}

static int add_interface(struct leaks *leaks, const struct config_interface *interface,
			 const struct ifaddrs *all)
{
	int err = add_host(leaks, &interface->advertise_addr);

	if (!err && interface->advertise_host)
		err = add_name(leaks, slice_from(interface->advertise_host));
	for (size_t i = 0; !err && i < interface->address_count; i++) {
		err = add_host(leaks, &interface->addresses[i]);
		if (!err)
			err = add_networks_of(leaks, all, &interface->addresses[i]);
	}
	return err;
}

static int add_peer(struct leaks *leaks, const struct config_peer *peer)
{
	int err = 0;

	for (size_t i = 0; !err && i < peer->accept_from_count; i++)
		err = add_network(leaks, peer->accept_from[i]);
	for (size_t i = 0; !err && i < peer->server_count; i++)
		err = add_host(leaks, &peer->servers[i].addr);
	return err;
}

static int fill(struct leaks *leaks)
{
	const struct config *config = leaks->config;
	struct ifaddrs *all = NULL;
	int err = 0;

	if (getifaddrs(&all) != 0)
		all = NULL; /* then the addresses of the configuration alone */
	for (size_t i = 0; !err && i < config->interface_count; i++)
		if (config->interfaces[i].trusted)
			err = add_interface(leaks, &config->interfaces[i], all);
	for (size_t i = 0; !err && i < config->peer_count; i++)
		if (config->interfaces[config->peers[i].interface].trusted)
			err = add_peer(leaks, &config->peers[i]);
	freeifaddrs(all);
	return err ? err : words_build(leaks->words);
}

int leaks_create(const struct config *config, struct leaks **out)
{
	struct leaks *leaks = calloc(1, sizeof(*leaks));
	if (!leaks)
		return -ERR_NO_MEMORY;

	leaks->config = config;
	int err = words_create(&leaks->words);
	if (!err)
		err = fill(leaks);
	if (err) {
		leaks_destroy(leaks);
		return err;
	}
	*out = leaks;
	return 0;
}

int leaks_reload(struct leaks *leaks, const struct config *config)
{
	struct leaks *fresh;
	int err = leaks_create(config, &fresh);

	leaks->config = config;
	if (err)
		return err;
	struct leaks old = *leaks;
	leaks->words = fresh->words;
	leaks->insides = fresh->insides;
	leaks->inside_count = fresh->inside_count;
	leaks->inside_size = fresh->inside_size;
	fresh->words = old.words;
	fresh->insides = old.insides;
	fresh->inside_count = old.inside_count;
	leaks_destroy(fresh);
	return 0;
}

void leaks_destroy(struct leaks *leaks)
{
	if (!leaks)
		return;
	for (uint32_t i = 0; i < leaks->inside_count; i++)
		free((void *)(uintptr_t)leaks->insides[i].name.data);
	free(leaks->insides);
	words_destroy(leaks->words);
	free(leaks);
}

/* --- is it really there --- */

struct look {
	const struct leaks *leaks;
	const struct addr *remote;
	struct slice found;
	size_t at;
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A dot that goes on with a word, not one that ends a sentence. */
static bool goes_on(struct slice text, size_t at)
{
	return at + 1 < text.len && text.data[at] == '.' && is_alnum(text.data[at + 1]);
}

static bool is_name_at(struct slice text, size_t start, size_t len)
{
	char before = start > 0 ? text.data[start - 1] : ' ';
	char after = start + len < text.len ? text.data[start + len] : ' ';

	if (is_alnum(before) || before == '-' || before == '_')
		return false;
	return !is_alnum(after) && after != '-' && after != '_' && !goes_on(text, start + len);
}

/* The whole address that begins here, alone; its length, 0 = there is none. */
static size_t address_at(struct slice text, size_t start, bool is_v4, struct addr *out)
{
	char before = start > 0 ? text.data[start - 1] : ' ';
	size_t end = start;

	if (is_alnum(before) || before == '.' || (!is_v4 && before == ':'))
		return 0;
	while (end < text.len && end - start < 46 &&
	       (text.data[end] == '.' || (is_v4 ? text.data[end] >= '0' && text.data[end] <= '9'
						: is_hex(text.data[end]) || text.data[end] == ':')))
		end++;
	while (end > start && text.data[end - 1] == '.')
		end--; /* of the sentence */
	if (end < text.len && is_alnum(text.data[end]))
		return 0;
	return addr_parse_ip(slice_sub(text, start, end - start), out) == 0 ? end - start : 0;
}

static bool on_found(void *owner, uint32_t id, struct slice text, size_t start)
{
	struct look *look = owner;
	const struct inside *inside = &look->leaks->insides[id];
	struct addr addr;
	size_t len;

	if (inside->is_name) {
		len = inside->name.len;
		if (!is_name_at(text, start, len))
			return false;
	} else {
		len = address_at(text, start, inside->network.network.family == AF_INET, &addr);
		if (len == 0 || !cidr_contains(&inside->network, &addr) ||
		    addr_equal_ip(&addr, look->remote) ||
		    is_of_untrusted(look->leaks->config, &addr))
			return false;
	}
	look->found = slice_sub(text, start, len);
	look->at = start;
	return true;
}

/* --- which parts of a message --- */

struct kind { /* of the message */
	bool is_request;
	bool is_inside;   /* of a dialog */
	bool is_register; /* a reply to one */
};

static struct kind kind_of(struct slice head)
{
	struct kind kind = {.is_request = !slice_starts(head, SLICE("SIP/2.0 "))};
	size_t to = slice_find_slice(head, SLICE("\r\nTo: "));
	struct slice rest = slice_sub(head, to + 2, head.len), line;

	if (kind.is_request && to < head.len && slice_next_line(&rest, &line))
		kind.is_inside = slice_find_slice(line, SLICE(";tag=")) < line.len;
	if (!kind.is_request)
		kind.is_register = slice_find_slice(head, SLICE(" REGISTER\r\n")) < head.len;
	return kind;
}

/* Is this line what the side itself has said? */
static bool is_echo(struct slice line, const struct kind *kind)
{
	static const struct {
		struct slice name;
		bool in_requests;
		bool in_responses;
	} echoes[] = {
		{{"Via: ", 5}, false, true},   {{"From: ", 6}, true, true},
		{{"To: ", 4}, true, true},     {{"Call-ID: ", 9}, true, true},
		{{"CSeq: ", 6}, false, true},  {{"Record-Route: ", 14}, false, true},
		{{"Route: ", 7}, true, false}, {{"Contact: ", 9}, false, false},
	};

	if (line.len == 0 || !strchr("VFTCR", line.data[0]))
		return false;
	for (size_t i = 0; i < sizeof(echoes) / sizeof(echoes[0]); i++) {
		if (!slice_starts(line, echoes[i].name))
			continue;
		if (echoes[i].name.data[1] == 'o' && echoes[i].name.data[2] == 'n')
			return kind->is_register;
		if (!kind->is_request)
			return echoes[i].in_responses;
		return echoes[i].in_requests && (kind->is_inside || line.data[0] == 'R');
	}
	return false;
}

/* True = found; look->at is then an offset of the whole message. */
static bool find(struct look *look, struct slice message)
{
	size_t head_len = slice_find_slice(message, SLICE("\r\n\r\n"));
	struct slice head = slice_sub(message, 0, head_len + 2);
	struct kind kind = kind_of(head);
	size_t from = 0, at = 0;

	while (at < head.len) {
		const char *end = memchr(head.data + at, '\n', head.len - at);
		size_t next = end ? (size_t)(end - head.data) + 1 : head.len;
		bool is_start = at == 0;
		if (is_start ? kind.is_request : is_echo(slice_sub(head, at, next - at), &kind)) {
			if (words_find(look->leaks->words, slice_sub(message, from, at - from),
				       on_found, look)) {
				look->at += from;
				return true;
			}
			from = next;
		}
		at = next;
	}
	/* With the body in one go. */
	if (!words_find(look->leaks->words, slice_sub(message, from, message.len), on_found, look))
		return false;
	look->at += from;
	return true;
}

/* --- the verb --- */

static struct slice line_at(struct slice message, size_t at)
{
	size_t start = at, end = at;

	while (start > 0 && message.data[start - 1] != '\n')
		start--;
	while (end < message.len && message.data[end] != '\r' && message.data[end] != '\n')
		end++;
	return slice_sub(message, start, end - start);
}

static void keep_sample(struct leaks *leaks, uint16_t interface, bool is_blocked,
			struct slice message, const struct look *look, uint64_t now_ms)
{
	struct leak_sample *sample = &leaks->samples[leaks->sample_count++ % LEAK_SAMPLES];
	struct slice rest = message, start, line = line_at(message, look->at);

	*sample = (struct leak_sample){
		.at_ms = now_ms, .interface = interface, .is_blocked = is_blocked};
	slice_copy(look->found, sample->what, sizeof(sample->what));
	if (look->at > slice_find_slice(message, SLICE("\r\n\r\n")))
		line = SLICE("body");
	slice_copy(slice_sub(line, 0, slice_find(line, ':')), sample->where, sizeof(sample->where));
	if (slice_next_line(&rest, &start)) {
		/* of a request the method alone: its URI is somebody's */
		if (!slice_starts(start, SLICE("SIP/2.0")))
			start = slice_sub(start, 0, slice_find(start, ' '));
		slice_copy(start, sample->message, sizeof(sample->message));
	}
}

bool leaks_may_leave(struct leaks *leaks, uint16_t interface, const struct addr *remote,
		     struct slice message, uint64_t now_ms)
{
	const struct config_interface *side = &leaks->config->interfaces[interface];
	struct look look = {.leaks = leaks, .remote = remote};

	if (side->trusted || side->security.leak_guard == CONFIG_LEAK_OFF)
		return true;
	counter_add(&leaks->counters.checked, 1);
	counter_add(&leaks->counters.bytes, message.len);
	if (!find(&look, message))
		return true;
	bool is_blocked = side->security.leak_guard == CONFIG_LEAK_BLOCK;
	counter_add(&leaks->counters.found, 1);
	if (is_blocked)
		counter_add(&leaks->counters.blocked, 1);
	keep_sample(leaks, interface, is_blocked, message, &look, now_ms);
	return !is_blocked;
}

const struct leak_counters *leaks_counters(const struct leaks *leaks)
{
	return &leaks->counters;
}

const struct leak_sample *leaks_sample(const struct leaks *leaks, uint32_t index)
{
	if (index >= leaks->sample_count || index >= LEAK_SAMPLES)
		return NULL;
	return &leaks->samples[(leaks->sample_count - 1 - index) % LEAK_SAMPLES];
}
