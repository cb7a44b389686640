/* registry.h - what the registrars of all workers share: the subscribers, where the phones of our
 * own domains are (a call may come to any worker), which addresses have registered phones, and the
 * thread that keeps locations beyond the process. Made by the main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "control/base/arena.h"
#include "sbc/auth/directory.h"
#include "sbc/registration/binding.h"

struct registry;
struct keeper;

struct registry_config {
	const struct config *config;
	const struct log *log;
	uid_t user; /* whom the process becomes; 0 = root */
	gid_t group;
};

/* Opens the stores. `why` gets one line on failure. */
MUST_CHECK int registry_create(const struct registry_config *config, struct buf *why,
			       struct registry **out);
MUST_CHECK int registry_run(struct registry *registry); /* starts its threads */
/* Are there the stores that its domains need? */
bool registry_fits(const struct registry *registry, const struct config *config);
void registry_stop(struct registry *registry);    /* they write what is left, and end */
void registry_destroy(struct registry *registry); /* after the workers; NULL is fine */
struct directory *registry_directory(struct registry *registry); /* NULL without domains */
struct keeper *registry_keeper(struct registry *registry);       /* NULL: nothing is kept */

/* A binding of a domain of ours was made or refreshed, or is going. */
void registry_note(struct registry *registry, const struct binding *binding);
void registry_forget(struct registry *registry, const struct binding *binding);
/* Copies of an AOR's bindings, the best first (q, then the newest); at most `room`. */
size_t registry_find(struct registry *registry, struct slice aor, struct arena *arena,
		     struct binding *out, size_t room);
/* Phones registered from an address: one more, one less, any at all? (An address may be taken for
 * one that has some; never the other way.) */
void registry_source(struct registry *registry, const struct addr *addr, int change);
bool registry_has_phones(const struct registry *registry, const struct addr *addr);
