/* An NG server that gives each request back inside its reply: what peer.py talks to. Prints the
 * port it listens on (UDP and TCP) and runs until its standard input is closed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/server.h"
#include <stdio.h>
#include <unistd.h>

static void mirror(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	(void)owner;
	ng_dict_add_string(request->arena, reply, "result", SLICE("ok"));
	ng_dict_add(reply, SLICE("request"), (struct ng_value *)(uintptr_t)request->dict);
}

static void on_input(void *owner, int events)
{
	char byte;

	(void)events;
	if (read(STDIN_FILENO, &byte, 1) <= 0)
		loop_stop(owner);
}

int main(void)
{
	struct log log = {.level = LOG_ERROR, .fd = 2, .program = "mirror"};
	struct ng_endpoint listener = {.transport = NG_UDP};
	struct ng_server_config config = {.log = &log, .listener_count = 1, .handler = mirror};
	struct ng_server *servers[2] = {NULL, NULL};
	struct loop *loop;
	struct loop_io *input = NULL;

	config.listeners = &listener;
	if (addr_parse(SLICE("127.0.0.1:0"), 0, &listener.addr) || loop_create(&loop))
		return 1;
	config.loop = loop;
	int err = ng_server_create(&config, &servers[0]);
	if (!err)
		err = ng_server_address(servers[0], 0, &listener.addr);
	listener.transport = NG_TCP;
	if (!err)
		err = ng_server_create(&config, &servers[1]);
	if (!err)
		err = loop_io_add(loop, STDIN_FILENO, LOOP_READ, on_input, loop, &input);
	if (!err) {
		printf("%u\n", listener.addr.port);
		fflush(stdout);
		loop_run(loop);
	}
	loop_io_remove(input);
	ng_server_destroy(servers[1]);
	ng_server_destroy(servers[0]);
	loop_destroy(loop);
	return err ? 1 : 0;
}
