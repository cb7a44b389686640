/* store_mark.c - a name for the store that a file means. Of two hosts the same words may mean two
 * stores ("127.0.0.1", a path), so the host's name and the node's belong to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>
#include "config/config.h"
#include "control/base/buf.h"
#include "control/base/table.h"

static void add(struct buf *out, const char *text)
{
	buf_add_text(out, text ? text : "");
	buf_add_char(out, '\0');
}

static void add_servers(struct buf *out, const struct config_endpoint *servers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(out, servers[i].text);
	add(out, "");
}

void config_store_mark(const struct config *config, char out[CONFIG_STORE_MARK_SIZE])
{
	static const uint64_t key[2] = {1, 2};
	const struct config_state *state = &config->state;
	struct utsname host = {0};
	struct buf text;

	(void)uname(&host);
	buf_init(&text);
	add(&text, host.nodename);
	add(&text, config->node);
	buf_printf(&text, "%d %" PRIu32 " %d", (int)state->store, state->database,
		   state->key != NULL);
	add(&text, state->path);
	add_servers(&text, state->servers, state->server_count);
	add(&text, state->sentinel.master);
	add_servers(&text, state->sentinel.servers, state->sentinel.server_count);
	snprintf(out, CONFIG_STORE_MARK_SIZE, "%016llx",
		 (unsigned long long)siphash(buf_slice(&text), key));
	if (buf_failed(&text))
		out[0] = '\0';
	buf_free(&text);
}
