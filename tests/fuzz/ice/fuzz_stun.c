/* A STUN datagram as it comes from anybody: read, and given to an agent whose password the fuzzer
 * cannot know. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/ice/ice.h"
#include "rtpengine/ice/stun.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *owner, unsigned component, const struct addr *to, const uint8_t *data,
		    size_t len)
{
	(void)owner, (void)component, (void)to, (void)data, (void)len;
	abort(); /* nobody proved anything, so nobody is answered */
}

static void on_component(void *owner, unsigned component)
{
	(void)owner, (void)component;
	abort();
}

static void on_selected(void *owner, unsigned component, const struct addr *remote)
{
	(void)remote;
	on_component(owner, component);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ice_events events = {on_send, on_selected, on_component, on_component};
	const struct addr from = {.family = AF_INET, .port = 9, .bytes = {198, 51, 100, 66}};
	struct random_system random;
	struct stun_message message;
	struct ice_candidate candidate;
	struct wheel *wheel;
	struct ice *ice;

	if (stun_read(data, size, &message) == 0)
		(void)stun_is_authentic(&message, SLICE("a password of 24 letters"));
	if (ice_candidate_read((struct slice){(const char *)data, size}, &candidate) == 0 &&
	    (!candidate.priority || candidate.component < 1 || candidate.component > 2))
		abort();
	random_system_init(&random);
	if (wheel_create(1000, &wheel) != 0)
		return 0;
	struct ice_config config = {
		.wheel = wheel,
		.random = &random.base,
		.is_lite = true,
		.components = 2,
		.events = &events,
	};
	if (ice_create(&config, 1000, &ice) == 0) {
		(void)ice_is_for(ice, data, size);
		(void)ice_receive(ice, 1, &from, data, size, 1000);
		ice_destroy(ice);
	}
	wheel_destroy(wheel);
	return 0;
}
