/* ranges.c - other addresses and ports of the interfaces while there are sessions. What stays is
 * kept as it is, with who is on it; what goes is kept until nobody is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"
#include <stdlib.h>

void interface_set_policy(struct local_interface *interface, const struct session_interface *config)
{
	interface->advertise = config->advertise;
	interface->idle_timeout_ms = config->idle_timeout_ms;
	interface->source = config->source;
	interface->dscp = config->dscp;
}

/* What shall be, made beside what is. */
struct plan {
	struct local_interface *interfaces;
	size_t count;
	struct port_range **all; /* live ones, then those that are going */
	size_t all_count;
	size_t made; /* how many of `fresh` */
	struct port_range **fresh;
};

static bool is_range(const struct port_range *range, const char *interface,
		     const struct addr *address, const struct session_ports *ports)
{
	uint16_t first, last;

	port_range_bounds(range, &first, &last);
	return first == ports->first && last == ports->last &&
	       addr_equal_ip(port_range_address(range), address) &&
	       strcmp(port_range_interface(range), interface) == 0;
}

static int plan_range(const struct sessions *sessions, struct plan *plan,
		      const struct session_interface *config, const struct addr *address,
		      const struct session_ports *ports, struct port_range **out)
{
	for (size_t i = 0; i < sessions->range_count; i++)
		if (is_range(sessions->ranges[i], config->name, address, ports)) {
			*out = sessions->ranges[i];
			return 0;
		}
	const struct port_range_config range = {
		.interface = config->name,
		.address = *address,
		.first = ports->first,
		.last = ports->last,
		.quarantine_ms = config->quarantine_ms,
		.random = sessions->random,
	};
	int err = port_range_create(&range, out);
	if (!err)
		plan->fresh[plan->made++] = *out;
	return err;
}

static int plan_interface(const struct sessions *sessions, struct plan *plan, size_t index,
			  const struct session_interface *config)
{
	struct local_interface *interface = &plan->interfaces[index];
	size_t count = config->address_count * config->port_count;

	interface->ranges = calloc(count + 1, sizeof(*interface->ranges));
	interface->name = slice_dup(slice_from(config->name));
	if (!interface->ranges || !interface->name)
		return -ERR_NO_MEMORY;
	interface_set_policy(interface, config);
	for (size_t i = 0; i < count; i++) {
		struct port_range **range = &interface->ranges[i];
		int err = plan_range(sessions, plan, config,
				     &config->addresses[i / config->port_count],
				     &config->ports[i % config->port_count], range);
		if (err)
			return err;
		interface->range_count++;
		plan->all[plan->all_count++] = *range;
	}
	return 0;
}

static bool is_planned(const struct plan *plan, const struct port_range *range)
{
	for (size_t i = 0; i < plan->all_count; i++)
		if (plan->all[i] == range)
			return true;
	return false;
}

static void interfaces_free(struct local_interface *interfaces, size_t count)
{
	for (size_t i = 0; interfaces && i < count; i++) {
		free(interfaces[i].name);
		free(interfaces[i].ranges);
	}
	free(interfaces);
}

static void plan_drop(struct plan *plan)
{
	for (size_t i = 0; i < plan->made; i++)
		port_range_destroy(plan->fresh[i]);
	interfaces_free(plan->interfaces, plan->count);
	free(plan->all);
	free(plan->fresh);
}

int sessions_follow(struct sessions *sessions, const struct session_interface *interfaces,
		    size_t count)
{
	struct plan plan = {.count = count};
	size_t ranges = sessions->range_count;
	int err = 0;

	for (size_t i = 0; i < count; i++)
		ranges += interfaces[i].address_count * interfaces[i].port_count;
	plan.interfaces = calloc(count + 1, sizeof(*plan.interfaces));
	plan.all = calloc(ranges + 1, sizeof(*plan.all));
	plan.fresh = calloc(ranges + 1, sizeof(*plan.fresh));
	if (!plan.interfaces || !plan.all || !plan.fresh)
		err = -ERR_NO_MEMORY;
	for (size_t i = 0; i < count && !err; i++)
		err = plan_interface(sessions, &plan, i, &interfaces[i]);
	if (err) {
		plan_drop(&plan);
		return err;
	}
	for (size_t i = 0; i < sessions->range_count; i++)
		if (!is_planned(&plan, sessions->ranges[i]))
			plan.all[plan.all_count++] = sessions->ranges[i];
	interfaces_free(sessions->interfaces, sessions->interface_count);
	free(sessions->ranges);
	free(plan.fresh);
	sessions->interfaces = plan.interfaces;
	sessions->interface_count = count;
	sessions->ranges = plan.all;
	sessions->range_count = plan.all_count;
	return 0;
}

static bool is_live(const struct sessions *sessions, const struct port_range *range)
{
	for (size_t i = 0; i < sessions->interface_count; i++)
		for (size_t k = 0; k < sessions->interfaces[i].range_count; k++)
			if (sessions->interfaces[i].ranges[k] == range)
				return true;
	return false;
}

size_t sessions_sweep_ranges(struct sessions *sessions, uint64_t now_ms, size_t *left)
{
	size_t kept = 0, gone = 0;

	*left = 0;
	for (size_t i = 0; i < sessions->range_count; i++) {
		struct port_range *range = sessions->ranges[i];
		struct port_range_use use = port_range_use(range, now_ms);
		if (!is_live(sessions, range) && use.in_use == 0) {
			port_range_destroy(range);
			gone++;
			continue;
		}
		*left += !is_live(sessions, range);
		sessions->ranges[kept++] = range;
	}
	sessions->range_count = kept;
	return gone;
}
