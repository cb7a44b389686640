/* Messages in any order, replies, requests of our own and time, through the transaction table.
 * Input: one byte of command, then for a message its length in two bytes and its bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "sbc/transaction/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 32 };

struct bench {
	struct transactions *transactions;
	struct transaction_handle last, ours;
	size_t sent;
};

static void branch(void *owner, uint64_t number, char out[26])
{
	char text[32];
	(void)owner;
	snprintf(text, sizeof(text), "%026u", (unsigned int)number); /* can be guessed here */
	memcpy(out, text, 26);
}

static bool made(void *owner, struct slice number)
{
	(void)owner;
	return number.len == 26;
}

static int send_bytes(void *owner, const struct transport_path *path, struct slice bytes,
		      uint64_t token)
{
	struct bench *bench = owner;
	(void)token;
	if (bytes.len < 20 || !addr_is_set(&path->remote))
		abort();
	return ++bench->sent % 13 ? 0 : -ERR_UNREACHABLE;
}

static const char *sent_by(void *owner, uint16_t listener)
{
	(void)owner;
	(void)listener;
	return "192.0.2.100:5060";
}

static int large(void *owner, const struct transport_path *path, uint16_t *listener)
{
	(void)owner;
	(void)path;
	*listener = 1;
	return 0;
}

static void on_request(void *user, struct transaction_handle handle, const struct message *request,
		       const struct transport_path *path)
{
	struct bench *bench = user;
	(void)request;
	(void)path;
	if (handle.id)
		bench->last = handle;
}

static void on_cancel(void *user, struct transaction_handle handle, const struct message *cancel)
{
	struct bench *bench = user;
	const struct reply reply = {.status = 487};
	(void)cancel;
	(void)!transaction_reply(bench->transactions, handle, &reply);
}

static void on_server_failure(void *user, struct transaction_handle handle, int err)
{
	(void)user;
	(void)handle;
	if (!err)
		abort();
}

static void on_orphan(void *user, const struct message *response, const struct transport_path *path)
{
	(void)user;
	(void)path;
	if (message_status(response) <= 100)
		abort();
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct bench *bench = owner;
	(void)context;
	(void)path;
	if (message_status(response) == 183)
		(void)!transaction_cancel(bench->transactions, handle, SLICE_NONE);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	(void)owner;
	(void)context;
	(void)handle;
	if (!err)
		abort();
}

static const struct transaction_handlers handlers = {on_request, on_cancel, on_server_failure,
						     on_orphan, NULL};
static const struct client_handlers client_handlers = {on_response, on_failure};

static void receive(struct bench *bench, const uint8_t *data, size_t len, bool stream)
{
	static struct scan scan;
	struct scan_limits limits = {.message_max = 65536, .stream = stream};
	struct transport_path path = {.transport = stream ? SIP_TCP : SIP_UDP,
				      .remote = {.family = AF_INET, .port = 5060}};
	char *text = malloc(len ? len : 1);
	if (!text)
		abort();
	memcpy(text, data, len);
	if (scan_message(text, len, &limits, &scan) == SCAN_ACCEPT)
		transactions_receive(bench->transactions, &scan, &path);
	free(text);
}

static void request(struct bench *bench, bool invite, bool stream)
{
	struct client_request request = {
		.bytes = invite ? SLICE("INVITE sip:b@h SIP/2.0\r\nFrom: <sip:a@h>;tag=1\r\n"
					"To: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n")
				: SLICE("BYE sip:b@h SIP/2.0\r\nFrom: <sip:a@h>;tag=1\r\n"
					"To: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n"),
		.path = {.transport = stream ? SIP_TCP : SIP_UDP,
			 .remote = {.family = AF_INET, .port = 5060}},
		.handlers = &client_handlers,
		.owner = bench,
	};
	(void)!transaction_request(bench->transactions, &request, &bench->ours);
}

/* One command; returns how many bytes of what follows it used. */
static size_t command(struct bench *bench, uint8_t byte, const uint8_t *rest, size_t left)
{
	struct reply reply = {.status = 100u + (byte >> 3) * 20u};

	switch (byte & 7) {
	case 0:
	case 1: {
		if (left < 2)
			return left;
		size_t len = (size_t)rest[0] << 8 | rest[1];
		len = len < left - 2 ? len : left - 2;
		receive(bench, rest + 2, len, byte & 1);
		return len + 2;
	}
	case 2:
		(void)!transaction_reply(bench->transactions, bench->last, &reply);
		break;
	case 3:
		(void)!transaction_repeat(bench->transactions, bench->last);
		break;
	case 4:
		request(bench, byte & 8, byte & 16);
		break;
	case 5:
		(void)!transaction_cancel(bench->transactions, bench->ours, SLICE_NONE);
		break;
	case 6:
		transactions_transport_error(bench->transactions, byte >> 3, -ERR_CLOSED);
		break;
	default:
		break;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	static struct random_system random;
	struct log log = {.level = LOG_ERROR, .fd = 2, .program = "fuzz"};
	struct bench bench = {0};
	struct wheel *wheel;
	uint64_t now_ms = 1000;

	if (!arena && (message_init() || arena_create(65536, 8 << 20, &arena)))
		abort();
	random_system_init(&random);
	if (wheel_create(now_ms, &wheel))
		abort();
	struct transactions_config config = {.wheel = wheel,
					     .arena = arena,
					     .random = &random.base,
					     .log = &log,
					     .limit = LIMIT,
					     .branch = branch,
					     .made = made,
					     .send = send_bytes,
					     .sent_by = sent_by,
					     .large = large,
					     .handlers = &handlers,
					     .owner = &bench,
					     .user = &bench};
	if (transactions_create(&config, &bench.transactions))
		abort();
	for (size_t at = 0; at < size;) {
		uint8_t byte = data[at++];
		arena_reset(arena);
		if ((byte & 7) == 7) {
			now_ms += 1u + (byte >> 3) * 400u;
			wheel_advance(wheel, now_ms);
		} else {
			at += command(&bench, byte, data + at, size - at);
		}
		/* A CANCEL of ours may come on top. */
		if (counter_get(&transactions_counters(bench.transactions)->live) > 2 * LIMIT)
			abort();
	}
	for (int i = 0; i < 40; i++) /* all but an INVITE that nobody answers has an end */
		wheel_advance(wheel, now_ms += 10000);
	transactions_destroy(bench.transactions);
	if (wheel_armed(wheel))
		abort();
	wheel_destroy(wheel);
	return 0;
}
