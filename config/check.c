/* What no value shows alone: sources that two peers claim, limits beyond others, what this machine
 * has not. Each finding names both places. SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#define MAX_CORES 16

/* --- who is who: sources that two peers claim ----------------------------------------------------
 */

static struct place network_place(const struct loaded *loaded, const struct raw_peer *peer,
				  size_t i)
{
	size_t addresses = 0;

	for (size_t j = 0; j < peer->public.server_count; j++)
		if (addr_is_set(&peer->public.servers[j].addr) && addresses++ == i)
			return value_place(loaded, &peer->public.servers[j], peer->node);
	return value_place(loaded, &peer->accept_from[i - addresses], peer->node);
}

static bool networks_overlap(const struct cidr *a, const struct cidr *b)
{
	return cidr_contains(a, &b->network) || cidr_contains(b, &a->network);
}

static void sources_check_pair(struct loaded *loaded, const struct raw_peer *a,
			       const struct raw_peer *b, unsigned *budget)
{
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < a->public.accept_from_count; i++) {
		for (size_t j = 0; j < b->public.accept_from_count; j++) {
			const struct cidr *second = &b->public.accept_from[j];
			if (*budget == 0)
				return;
			--*budget;
			if (!networks_overlap(&a->public.accept_from[i], second))
				continue;
			finding_warn(
				&loaded->findings, network_place(loaded, b, j),
				"requests from %s/%u are also those of peer \"%s\", which comes "
				"first and gets them",
				addr_ip_text(&second->network, text), second->bits, a->public.name);
			finding_note(&loaded->findings, network_place(loaded, a, i),
				     "peer \"%s\" takes them here", a->public.name);
			return;
		}
	}
}

static void sources_check(struct loaded *loaded)
{
	unsigned budget = LINT_BUDGET;

	for (size_t n = 0; n < loaded->peer_count; n++)
		for (size_t m = 0; m < n && budget; m++, budget -= budget > 0) {
			const struct raw_peer *a = &loaded->peers[m], *b = &loaded->peers[n];
			if (a->interface_known && b->interface_known &&
			    a->public.interface == b->public.interface)
				sources_check_pair(loaded, a, b, &budget);
		}
}

/* --- phones, limits, machine ---------------------------------------------------------------------
 */

static void phones_check(struct loaded *loaded)
{
	for (size_t n = 0; n < loaded->phones_count; n++) {
		const struct raw_phones *phones = &loaded->phones[n];
		if (phones->public.registrar < loaded->peer_count &&
		    loaded->peers[phones->public.registrar].public.interface == phones->public.from)
			finding_warn(&loaded->findings,
				     value_place(loaded, &phones->public.registrar, phones->node),
				     "the registrar is on the phones' own interface: registrations "
				     "go back "
				     "to where they came from");
		for (size_t m = 0; m < n && n < 512; m++) {
			const struct raw_phones *before = &loaded->phones[m];
			if (before->public.from != phones->public.from ||
			    before->public.from >= loaded->interface_count || before->domain_count)
				continue;
			finding_warn(&loaded->findings, value_place(loaded, NULL, phones->node),
				     "never used: the entry before takes every domain of that "
				     "interface");
			finding_note(&loaded->findings, value_place(loaded, NULL, before->node),
				     "that entry is here");
			break;
		}
	}
}

static bool rate_is_higher(struct config_rate a, struct config_rate b)
{
	return a.count && b.count &&
	       (uint64_t)a.count * b.period_ms > (uint64_t)b.count * a.period_ms;
}

static void limits_check(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->interface_count; i++) {
		const struct raw_interface *interface = &loaded->interfaces[i];
		const struct config_limits *limits = &interface->public.limits;
		const struct config_media *media = &interface->public.media;
		unsigned room = 0; /* RTP and RTCP of one audio stream */
		if (interface->public.retired)
			continue;
		for (size_t j = 0; j < media->port_count; j++)
			room += (media->ports[j].last - media->ports[j].first + 1u) / 2;

		if (rate_is_higher(limits->per_source.setup_rate, limits->setup_rate))
			finding_warn(&loaded->findings,
				     value_place(loaded, &limits->per_source.setup_rate,
						 interface->node),
				     "can never be reached: the whole interface takes less "
				     "(limits.setup-rate)");
		if (rate_is_higher(limits->per_source.register_rate, limits->register_rate))
			finding_warn(&loaded->findings,
				     value_place(loaded, &limits->per_source.register_rate,
						 interface->node),
				     "can never be reached: the whole interface takes less "
				     "(limits.register-rate)");
		if (room && limits->calls > room && origin_of(loaded, &limits->calls))
			finding_warn(&loaded->findings,
				     value_place(loaded, &limits->calls, interface->node),
				     "can never be reached: media.ports has room for %u calls",
				     room);
	}
}

static void machine_check(struct loaded *loaded)
{
	struct raw_file *file = &loaded->file;
	unsigned cpus = loaded->host->cpu_count(loaded->host->owner);

	for (size_t i = 0; i < file->core_count; i++)
		if (file->cores[i] >= cpus)
			finding_error(&loaded->findings, value_place(loaded, &file->cores[i], NULL),
				      "this machine has no CPU %u: it has 0 to %u", file->cores[i],
				      cpus - 1);
	if (file->core_count > MAX_CORES || (file->core_count == 0 && !loaded->findings.errors))
		finding_error(&loaded->findings, value_place(loaded, &file->cores, NULL),
			      "dataplane.cores takes 1 to %d CPUs", MAX_CORES);
	if (file->public.stats.socket && file->public.stats.relay_socket &&
	    strcmp(file->public.stats.socket, file->public.stats.relay_socket) == 0) {
		finding_error(&loaded->findings,
			      value_place(loaded, &file->public.stats.relay_socket, NULL),
			      "both halves cannot have the stats socket %s",
			      file->public.stats.socket);
		finding_note(&loaded->findings,
			     value_place(loaded, &file->public.stats.socket, NULL),
			     "the other one is here");
	}
	for (size_t i = 0; i < file->control_count; i++)
		if (file->control[i].transport == CONFIG_HTTP)
			finding_error(&loaded->findings,
				      value_place(loaded, &file->control[i], NULL),
				      "the signalling half speaks NG over udp/, tcp/ and unix:; "
				      "http/ is for relay.listen");
	for (size_t i = 0; i < file->relay_listen_count; i++) {
		const struct config_endpoint *endpoint = &file->relay_listen[i];
		if (endpoint->transport != CONFIG_UNIX && !addr_is_private(&endpoint->addr))
			finding_warn(&loaded->findings, value_place(loaded, endpoint, NULL),
				     "NG asks for no password: let nobody but the signalling half "
				     "reach %s",
				     endpoint->text);
	}
}

void check_sections(struct loaded *loaded)
{
	if (loaded->findings.failed)
		return;
	check_sockets(loaded);
	check_reach(loaded);
	check_values(loaded);
	sources_check(loaded);
	phones_check(loaded);
	check_routes(loaded);
	if (!loaded->findings.errors) /* what is wrong may be what would use them */
		check_unused(loaded);
	limits_check(loaded);
	machine_check(loaded);
}
