/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transaction/bench.h"

static void hear(struct bench *bench, const char *what, const char *detail, unsigned int number)
{
	size_t at = strlen(bench->heard);
	if (detail)
		snprintf(bench->heard + at, sizeof(bench->heard) - at, "%s %s;", what, detail);
	else
		snprintf(bench->heard + at, sizeof(bench->heard) - at, "%s %u;", what, number);
}

static void branch(void *owner, uint64_t number, char out[26])
{
	(void)owner;
	char text[32];
	snprintf(text, sizeof(text), "branch%020llu", (unsigned long long)number);
	memcpy(out, text, 26);
}

static bool made(void *owner, struct slice number)
{
	(void)owner;
	return slice_starts(number, SLICE("branch"));
}

static int record(void *owner, const struct transport_path *path, struct slice bytes,
		  uint64_t token)
{
	struct bench *bench = owner;
	if (bench->send_error && (!bench->large || path->transport == SIP_TCP))
		return bench->send_error;
	assert_true(bench->sent < BENCH_SENT_MAX);
	slice_copy(bytes, bench->texts[bench->sent], BENCH_TEXT_MAX);
	bench->paths[bench->sent] = *path;
	bench->tokens[bench->sent] = token;
	bench->sent++;
	return 0;
}

static const char *sent_by(void *owner, uint16_t listener)
{
	(void)owner;
	return listener ? "192.0.2.100:5070" : "192.0.2.100:5060";
}

static int large(void *owner, const struct transport_path *path, uint16_t *listener)
{
	struct bench *bench = owner;
	(void)path;
	*listener = 1;
	return bench->large ? 0 : -ERR_NOT_FOUND;
}

static int locate(void *owner, const struct transport_path *from, struct slice hop, uint64_t number,
		  struct transaction_ways *out)
{
	struct bench *bench = owner;
	(void)from;
	assert_true(slice_equal(hop, slice_from(bench->hop)));
	bench->located = number;
	*out = bench->ways;
	return bench->locate_error;
}

static void way_failed(void *owner, const struct transport_path *path)
{
	struct bench *bench = owner;
	(void)path;
	bench->failed_ways++;
}

static void on_request(void *user, struct transaction_handle handle, const struct message *request,
		       const struct transport_path *path)
{
	struct bench *bench = user;
	char method[64];
	(void)path;
	slice_copy(message_method_text(request), method, sizeof(method));
	hear(bench, "request", method, 0);
	bench->request = handle;
	if (bench->reply_at_once && handle.id)
		assert_int_equal(bench_reply(bench, bench->reply_at_once), 0);
}

static void on_cancel(void *user, struct transaction_handle handle, const struct message *cancel)
{
	struct bench *bench = user;
	(void)cancel;
	hear(bench, "cancel", "INVITE", 0);
	bench->cancelled = handle;
}

static void on_server_failure(void *user, struct transaction_handle handle, int err)
{
	(void)handle;
	hear(user, "server-failure", err_text(err), 0);
}

static void on_orphan(void *user, const struct message *response, const struct transport_path *path)
{
	(void)path;
	hear(user, "orphan", NULL, message_status(response));
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct bench *bench = owner;
	(void)handle;
	(void)path;
	assert_int_equal(context, bench->context);
	hear(owner, "response", NULL, message_status(response));
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct bench *bench = owner;
	(void)handle;
	assert_int_equal(context, bench->context);
	hear(owner, "failure", err_text(err), 0);
}

static const struct transaction_handlers handlers = {on_request, on_cancel, on_server_failure,
						     on_orphan, NULL};
static const struct client_handlers client_handlers = {on_response, on_failure};

int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	bench->now_ms = 1000;
	bench->context = 42;
	assert_int_equal(wheel_create(bench->now_ms, &bench->wheel), 0);
	assert_int_equal(arena_create(65536, 1 << 20, &bench->arena), 0);
	random_system_init(&bench->random);
	bench->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "test"};
	struct transactions_config config = {.wheel = bench->wheel,
					     .arena = bench->arena,
					     .random = &bench->random.base,
					     .log = &bench->log,
					     .limit = 100,
					     .branch = branch,
					     .made = made,
					     .send = record,
					     .sent_by = sent_by,
					     .large = large,
					     .locate = locate,
					     .way_failed = way_failed,
					     .handlers = &handlers,
					     .owner = bench,
					     .user = bench};
	assert_int_equal(transactions_create(&config, &bench->transactions), 0);
	*state = bench;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;
	transactions_destroy(bench->transactions);
	assert_int_equal(wheel_armed(bench->wheel), 0);
	wheel_destroy(bench->wheel);
	arena_destroy(bench->arena);
	free(bench);
	return 0;
}

void bench_advance(struct bench *bench, uint64_t ms)
{
	bench->now_ms += ms;
	wheel_advance(bench->wheel, bench->now_ms);
}

struct transport_path bench_path(enum sip_transport transport)
{
	struct transport_path path = {.transport = (uint8_t)transport};
	assert_int_equal(addr_parse(SLICE("192.0.2.1:5060"), 0, &path.remote), 0);
	path.connection = transport == SIP_TCP ? 77 : 0;
	return path;
}

void bench_receive_path(struct bench *bench, const char *text, const struct transport_path *path)
{
	struct scan_limits limits = {.message_max = 16384};
	static struct scan scan; /* large */
	char *copy = strdup(text);
	assert_non_null(copy);
	assert_int_equal(scan_message(copy, strlen(copy), &limits, &scan), SCAN_ACCEPT);
	arena_reset(bench->arena);
	transactions_receive(bench->transactions, &scan, path);
	free(copy);
}

void bench_receive(struct bench *bench, const char *text)
{
	struct transport_path path = bench_path(SIP_UDP);
	bench_receive_path(bench, text, &path);
}

const char *bench_request(const char *method, const char *with_branch)
{
	static char text[1024];
	bool ack = strcmp(method, "ACK") == 0;
	const char *cseq = ack ? "ACK" : method;
	snprintf(text, sizeof(text),
		 "%s sip:bob@192.0.2.100 SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%s;rport\r\n"
		 "From: <sip:alice@192.0.2.1>;tag=a\r\n"
		 "To: <sip:bob@192.0.2.100>%s\r\n"
		 "Call-ID: one@192.0.2.1\r\nCSeq: 7 %s\r\nMax-Forwards: 70\r\n"
		 "Content-Length: 0\r\n\r\n",
		 method, with_branch, ack ? ";tag=b" : "", cseq);
	return text;
}

const char *bench_last(const struct bench *bench)
{
	assert_true(bench->sent > 0);
	return bench->texts[bench->sent - 1];
}

size_t bench_count(const struct bench *bench, const char *start)
{
	size_t count = 0;
	for (size_t i = 0; i < bench->sent; i++)
		count += strncmp(bench->texts[i], start, strlen(start)) == 0;
	return count;
}

void bench_forget(struct bench *bench)
{
	bench->sent = 0;
	bench->heard[0] = '\0';
}

void bench_respond(struct bench *bench, const char *method, unsigned int status)
{
	char text[BENCH_TEXT_MAX], start[64];
	const char *request = NULL;
	struct slice rest, line;
	size_t len;

	snprintf(start, sizeof(start), "%s ", method);
	for (size_t i = 0; i < bench->sent; i++) {
		if (strncmp(bench->texts[i], start, strlen(start)) == 0)
			request = bench->texts[i];
	}
	assert_non_null(request);
	len = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %u Some Reason\r\n", status);
	rest = slice_from(request);
	slice_next_line(&rest, &line);
	while (slice_next_line(&rest, &line) && line.len) {
		const char *tag =
			slice_starts(line, SLICE("To:")) && status > 100 ? ";tag=far" : "";
		if (slice_starts(line, SLICE("Max-Forwards")) || slice_starts(line, SLICE("Route")))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s%s\r\n",
					SLICE_ARG(line), tag);
	}
	snprintf(text + len, sizeof(text) - len, "\r\n");
	bench_receive(bench, text);
}

int bench_reply(struct bench *bench, unsigned int status)
{
	struct reply reply = {.status = status, .to_tag = SLICE("ours")};
	return transaction_reply(bench->transactions, bench->request, &reply);
}

struct transaction_handle bench_send(struct bench *bench, const char *method,
				     enum sip_transport transport)
{
	struct transaction_handle handle = TRANSACTION_NONE;
	struct buf text;

	buf_init(&text);
	builder_request_line(&text, slice_from(method), SLICE("sip:bob@192.0.2.1"));
	builder_header(&text, HEADER_MAX_FORWARDS, SLICE("70"));
	builder_header(&text, HEADER_ROUTE, SLICE("<sip:192.0.2.9;lr>"));
	builder_address(&text, HEADER_FROM, SLICE_NONE, SLICE("sip:alice@192.0.2.100"), SLICE("us"),
			SLICE_NONE);
	builder_address(&text, HEADER_TO, SLICE_NONE, SLICE("sip:bob@192.0.2.1"), SLICE_NONE,
			SLICE_NONE);
	builder_header(&text, HEADER_CALL_ID, SLICE("two"));
	builder_cseq(&text, 9, slice_from(method));
	builder_body(&text, SLICE_NONE, SLICE_NONE);
	struct client_request request = {.bytes = buf_slice(&text),
					 .path = bench_path(transport),
					 .handlers = &client_handlers,
					 .owner = bench,
					 .context = bench->context};
	if (bench->hop)
		request.hop = slice_from(bench->hop);
	assert_false(buf_failed(&text));
	int err = transaction_request(bench->transactions, &request, &handle);
	buf_free(&text);
	if (!bench->send_error || bench->large)
		assert_int_equal(err, 0);
	return handle;
}
