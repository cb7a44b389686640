/* relay.h - one running relay, for the files of this folder. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/reload.h"
#include "control/ng/server.h"
#include "control/stats/server.h"
#include "rtpengine/datapath/datapath.h"
#include "rtpengine/session/sessions.h"

struct relay {
	struct config *config; /* of the start */
	const struct config *current;
	struct log log;
	struct random_system random;
	struct loop *loop;
	struct datapath *datapath;
	struct loop_io *datapath_io;
	struct recorder *recorder; /* NULL = nothing is recorded */
	struct sessions *sessions;
	struct ng_server *ng;
	struct stats_server *stats;
	bool is_revived;
	bool is_upgrading;  /* it ends for the next process */
	struct timer sweep; /* of ranges that a reload took away */
};

/* open.c: everything in its order, then away with the privileges; what was opened when it fails is
 * closed by relay_close(), as after a run. -ERR_CLOSED: it was asked to stop meanwhile. */
MUST_CHECK int relay_open(struct relay *relay);
void relay_close(struct relay *relay);
/* One for each range of ports; NULL without memory. The caller frees it. */
struct datapath_interface *relay_media(const struct config *config, size_t *count);

/* state.c: the store of the configuration, and from it the sessions of the process before; nobody
 * is answered before that. Nothing with CONFIG_STORE_MEMORY: a process's own memory is no place to
 * come back from. */
MUST_CHECK int relay_open_state(struct relay *relay);

/* show.c */
extern const struct stats_command relay_stats_commands[];
extern const size_t relay_stats_command_count;

/* follow.c: the file anew, whole or not at all. */
void relay_reload_check(void *owner, struct slice args, struct stats_reply *reply);
void relay_reload(void *owner, struct slice args, struct stats_reply *reply); /* `reload` */
void relay_on_hangup(void *owner, int signum);
