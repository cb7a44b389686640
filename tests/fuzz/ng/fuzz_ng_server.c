/* Fuzz what the NG server does with a datagram: cookie, document, handler, reply, cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ng/serving.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives back what it was given. */
static void echo(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	(void)owner;
	if (slice_equal(request->command, SLICE("error")))
		ng_reply_error(request->arena, reply, "%.*s", SLICE_ARG(request->command));
	else
		ng_dict_add_string(request->arena, reply, "result", request->command);
}

static struct ng_server *create(void)
{
	static const struct log quiet = {.level = LOG_ERROR, .fd = -1, .program = "fuzz"};
	struct loop *loop;
	struct ng_server *server;

	if (loop_create(&loop))
		abort();
	struct ng_server_config config = {.loop = loop, .log = &quiet, .handler = echo};
	if (ng_server_create(&config, &server))
		abort();
	return server;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ng_server *server; /* its life is the program's */
	struct ng_message message = {.max_bytes = 65507};
	struct addr source;
	struct buf first;
	struct buf second;

	if (!server)
		server = create();
	if (addr_parse(SLICE("192.0.2.1:1"), 0, &source))
		abort();
	if (!ng_split_cookie((struct slice){(const char *)data, size}, &message.cookie,
			     &message.document))
		return 0;
	buf_init(&first);
	buf_init(&second);
	message.source = &source;
	if (ng_server_answer(server, &message, &first) != 0 ||
	    ng_server_answer(server, &message, &second) != 0)
		abort(); /* it may not wait */
	if (!slice_equal(buf_slice(&first), buf_slice(&second)) || first.len > 65507 ||
	    !slice_starts(buf_slice(&first), message.cookie))
		abort();
	buf_free(&first);
	buf_free(&second);
	return 0;
}
