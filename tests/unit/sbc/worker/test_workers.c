/* Whole workers with threads and real sockets, 1, 2 and 4 of them: every message of a call meets
 * the same worker, whatever socket it came in by. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sbc/worker/worker.h"
#include "tests/unit/free_port.h"

enum { CALLS = 120, SOCKETS = 24 };

/* The upper half of these tests: answers everything, and says which worker did. */
struct core {
	struct worker *worker;
	uint64_t calls;
	unsigned int reloads;
	bool is_held; /* has a call that does not end yet */
};

struct command { /* asked of a worker by the main thread */
	_Atomic unsigned int answered;
	bool holds;
	bool finishes;
};

static int on_start(struct worker *worker, void **out)
{
	struct core *core = calloc(1, sizeof(*core));
	if (!core)
		return -ERR_NO_MEMORY;
	core->worker = worker;
	*out = core;
	return 0;
}

static void on_reload(void *owner)
{
	struct core *core = owner;
	assert_string_equal(core->worker->config->interfaces[0].name, "wan");
	core->reloads++;
}

static void on_stop(void *owner)
{
	struct core *core = owner;
	if (!core->is_held)
		worker_finish(core->worker);
}

static void on_command(void *owner, void *posted)
{
	struct core *core = owner;
	struct command *command = posted;

	if (command->holds)
		core->is_held = true;
	if (command->finishes)
		worker_finish(core->worker);
	atomic_store(&command->answered, core->worker->index + 1u);
}

static void hear_nothing(void *owner, uint64_t context, struct transaction_handle handle,
			 const struct message *response, const struct transport_path *path)
{
	(void)owner, (void)context, (void)handle, (void)response, (void)path;
}

static void mind_nothing(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	(void)owner, (void)context, (void)handle, (void)err;
}

/* A request to where the sender says it listens. */
static void send_back(struct core *core, const struct transport_path *path)
{
	static const struct client_handlers none = {hear_nothing, mind_nothing};
	struct transaction_handle handle;
	struct client_request request = {
		.bytes = SLICE("OPTIONS sip:x SIP/2.0\r\n\r\n"), .path = *path, .handlers = &none};
	request.path.connection = 0;
	request.path.remote.port = 5099;
	assert_int_equal(transaction_request(core->worker->transactions, &request, &handle), 0);
}

static void on_request(void *owner, struct transaction_handle handle, const struct message *request,
		       const struct transport_path *path)
{
	struct core *core = owner;
	char tag[TOKEN_LENGTH], header[64];
	(void)path;
	if (!handle.id)
		return;
	if (message_method(request) == METHOD_INFO)
		send_back(core, path);
	worker_token(core->worker, TOKEN_TAG, ++core->calls, tag);
	snprintf(header, sizeof(header), "X-Worker: %u\r\n", core->worker->index);
	struct reply reply = {
		.status = 200, .to_tag = {tag, sizeof(tag)}, .headers = slice_from(header)};
	if (message_method(request) == METHOD_INVITE) {
		reply.status = 180;
		assert_int_equal(transaction_reply(core->worker->transactions, handle, &reply), 0);
		return;
	}
	assert_int_equal(transaction_reply(core->worker->transactions, handle, &reply), 0);
}

static void on_cancel(void *owner, struct transaction_handle handle, const struct message *cancel)
{
	struct core *core = owner;
	char header[64];
	(void)cancel;
	snprintf(header, sizeof(header), "X-Worker: %u\r\n", core->worker->index);
	struct reply reply = {.status = 487, .headers = slice_from(header)};
	assert_int_equal(transaction_reply(core->worker->transactions, handle, &reply), 0);
}

static void on_server_failure(void *owner, struct transaction_handle handle, int err)
{
	(void)owner;
	(void)handle;
	(void)err;
}

static void on_orphan(void *owner, const struct message *response,
		      const struct transport_path *path)
{
	(void)owner;
	(void)response;
	(void)path;
}

/* --- the bench --- */

struct bench {
	struct config config;
	struct config_interface interface;
	struct config_listener listeners[2];
	struct log log;
	struct workers *workers;
	struct addr addr;
	int fds[SOCKETS];
};

static int connect_to(const struct bench *b, int type)
{
	struct sockaddr_storage sa;
	struct timeval limit = {.tv_sec = 5};
	socklen_t len = addr_to_sockaddr(&b->addr, &sa);
	int fd = socket(AF_INET, type, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

static void bench_open_with(struct bench *b, uint8_t count, const struct config_peer *peer)
{
	struct buf why;

	memset(b, 0, sizeof(*b));
	b->log = (struct log){.level = LOG_WARN, .fd = 2, .program = "test"};
	assert_int_equal(addr_parse(SLICE("127.0.0.1"), free_port(), &b->addr), 0);
	b->listeners[0] =
		(struct config_listener){.name = "udp", .transport = CONFIG_UDP, .addr = b->addr};
	b->listeners[1] =
		(struct config_listener){.name = "tcp", .transport = CONFIG_TCP, .addr = b->addr};
	b->interface = (struct config_interface){
		.name = "wan", .listeners = b->listeners, .listener_count = 2};
	b->config = (struct config){.interfaces = &b->interface,
				    .interface_count = 1,
				    .peers = peer,
				    .peer_count = peer != NULL};
	struct workers_config config = {
		.config = &b->config,
		.log = &b->log,
		.node = 3,
		.count = count,
		.handlers = {.transaction = {on_request, on_cancel, on_server_failure, on_orphan},
			     .on_start = on_start,
			     .on_stop = on_stop,
			     .on_command = on_command,
			     .on_reload = on_reload,
			     .on_destroy = free},
	};
	buf_init(&why);
	int err = workers_create(&config, &why, &b->workers);
	if (err)
		print_error("%s\n", why.data);
	assert_int_equal(err, 0);
	buf_free(&why);
	assert_int_equal(workers_run(b->workers), 0);
	for (size_t i = 0; i < SOCKETS; i++)
		b->fds[i] = connect_to(b, SOCK_DGRAM);
}

static void bench_open(struct bench *b, uint8_t count)
{
	bench_open_with(b, count, NULL);
}

static void bench_close(struct bench *b)
{
	for (size_t i = 0; i < SOCKETS; i++)
		close(b->fds[i]);
	workers_stop(b->workers, 1000);
	workers_destroy(b->workers);
}

static void send_request(int fd, const char *method, int call, const char *to_tag)
{
	char text[1024];
	/* CANCEL and the ACK to a failure carry the INVITE's branch. */
	bool same = strcmp(method, "CANCEL") == 0 || strcmp(method, "ACK") == 0;
	int len = snprintf(text, sizeof(text),
			   "%s sip:bob@192.0.2.9 SIP/2.0\r\n"
			   "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s%d;rport\r\n"
			   "From: <sip:alice%d@192.0.2.1>;tag=1\r\nTo: <sip:bob@192.0.2.9>%s%s\r\n"
			   "Call-ID: call%d\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
			   method, same ? "INVITE" : method, call, call, to_tag ? ";tag=" : "",
			   to_tag ? to_tag : "", call, method);
	assert_int_equal(write(fd, text, (size_t)len), len);
}

/* The next reply of this call with this status; its To tag and worker. */
static unsigned int read_reply(int fd, const char *status, int call, char tag[TOKEN_LENGTH + 1])
{
	char text[2048], start[32], call_id[32];
	snprintf(call_id, sizeof(call_id), "Call-ID: call%d\r\n", call);
	snprintf(start, sizeof(start), "SIP/2.0 %s ", status);
	for (int i = 0; i < 100; i++) {
		ssize_t n = read(fd, text, sizeof(text) - 1);
		assert_true(n > 0);
		text[n] = '\0';
		if (strncmp(text, start, strlen(start)) || !strstr(text, call_id))
			continue;
		const char *found = strstr(text, "To: <sip:bob@192.0.2.9>;tag=");
		assert_non_null(found);
		snprintf(tag, TOKEN_LENGTH + 1, "%s", found + 28);
		found = strstr(text, "X-Worker: ");
		assert_non_null(found);
		return (unsigned int)atoi(found + 10);
	}
	fail_msg("no reply %s", status);
	return 0;
}

static void calls_stay_on_their_worker(uint8_t count)
{
	static struct bench b;
	char tag[TOKEN_LENGTH + 1], other[TOKEN_LENGTH + 1];
	size_t used[4] = {0};

	bench_open(&b, count);
	for (int call = 0; call < CALLS; call++) {
		/* Each message from another port, so that the kernel spreads them. */
		int a = b.fds[call % SOCKETS], c = b.fds[(call * 7 + 1) % SOCKETS];
		send_request(a, "INVITE", call, NULL);
		unsigned int worker = read_reply(a, "180", call, tag);
		used[worker]++;
		send_request(a, "INVITE", call, NULL); /* absorbed, answered again */
		assert_int_equal(read_reply(a, "180", call, other), worker);
		assert_string_equal(tag, other);
		send_request(c, "BYE", call, tag);
		assert_int_equal(read_reply(c, "200", call, other), worker);
		send_request(c, "CANCEL", call, NULL);
		assert_int_equal(read_reply(a, "487", call, other), worker);
		send_request(c, "ACK", call, tag);
		for (size_t i = 0; i < 2; i++) { /* what is left of this call */
			int fd = i ? c : a;
			while (recv(fd, other, 1, MSG_DONTWAIT) > 0)
				continue;
		}
	}
	workers_stop(b.workers, 1000);
	uint64_t handed = 0, taken = 0;
	for (uint8_t i = 0; i < count; i++) {
		handed += counter_get(&workers_at(b.workers, i)->counters.handed_over);
		taken += counter_get(&workers_at(b.workers, i)->counters.taken_over);
		assert_true(used[i] > 0);
	}
	if (count > 1)
		assert_true(handed > 0);
	else
		assert_int_equal(handed, 0);
	assert_true(taken <= handed);
	bench_close(&b);
}

static void calls_stay_on_their_worker_1(void **state)
{
	(void)state;
	calls_stay_on_their_worker(1);
}

static void calls_stay_on_their_worker_2(void **state)
{
	(void)state;
	calls_stay_on_their_worker(2);
}

static void calls_stay_on_their_worker_4(void **state)
{
	(void)state;
	calls_stay_on_their_worker(4);
}

static void replies_find_the_connection_of_another_worker(void **state)
{
	static struct bench b;
	char tag[TOKEN_LENGTH + 1];
	(void)state;
	bench_open(&b, 4);
	for (int call = 0; call < 40; call++) {
		int fd = connect_to(&b, SOCK_STREAM);
		send_request(fd, "OPTIONS", call, NULL);
		read_reply(fd, "200", call, tag);
		close(fd);
	}
	bench_close(&b);
}

static void alias_of_a_peer_takes_our_requests(void **state)
{
	static const char info[] =
		"INFO sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5099;branch=z9hG4bKx;alias\r\n"
		"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INFO\r\n"
		"Content-Length: 0\r\n\r\n";
	static struct bench b;
	struct cidr network;
	struct config_peer peer = {.name = "pbx", .accept_from = &network, .accept_from_count = 1};
	char text[2048] = "";
	size_t len = 0;
	(void)state;
	assert_int_equal(cidr_parse(SLICE("127.0.0.0/8"), &network), 0);
	bench_open_with(&b, 1, &peer);
	int fd = connect_to(&b, SOCK_STREAM);
	assert_int_equal(write(fd, info, strlen(info)), (ssize_t)strlen(info));
	for (int i = 0; i < 10 && !strstr(text, "OPTIONS sip:x"); i++) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
	}
	assert_non_null(strstr(text, "OPTIONS sip:x"));
	close(fd);
	bench_close(&b);
}

static void malformed_requests_are_answered(void **state)
{
	static struct bench b;
	char text[1024];
	(void)state;
	bench_open(&b, 2);
	static const char bad[] =
		"OPTIONS sip:a@b SIP/7.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"
		"\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\n"
		"CSeq: 1 OPTIONS\r\n\r\n";
	assert_true(write(b.fds[0], bad, strlen(bad)) > 0);
	ssize_t n = read(b.fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, "SIP/2.0 505 Version Not Supported\r\n", 35), 0);
	int fd = connect_to(&b, SOCK_STREAM);
	assert_true(write(fd, bad, strlen(bad)) > 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_int_equal(read(fd, text, sizeof(text)), 0); /* no Content-Length: closed */
	close(fd);
	bench_close(&b);
}

static void tell(const struct bench *b, uint8_t worker, struct command *command)
{
	assert_int_equal(worker_post(workers_at(b->workers, worker), command), 0);
	for (int j = 0; j < 1000 && !atomic_load(&command->answered); j++)
		usleep(1000);
	assert_int_equal(atomic_load(&command->answered), worker + 1);
}

static void commands_reach_their_worker(void **state)
{
	static struct bench b;
	(void)state;
	bench_open(&b, 4);
	for (uint8_t i = 0; i < 4; i++) {
		struct command command = {0};
		tell(&b, i, &command);
	}
	bench_close(&b);
}

struct stop {
	struct workers *workers;
	uint32_t limit_ms;
};

static void *stop_workers(void *argument)
{
	struct stop *stop = argument;
	workers_stop(stop->workers, stop->limit_ms);
	return NULL;
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void a_worker_without_calls_serves_until_all_are_empty(void **state)
{
	static struct bench b;
	char tag[TOKEN_LENGTH + 1];
	struct command hold = {.holds = true}, finish = {.finishes = true};
	pthread_t thread;
	(void)state;
	bench_open(&b, 4);
	tell(&b, 2, &hold);
	int stream = connect_to(&b, SOCK_STREAM);
	send_request(stream, "OPTIONS", 900, NULL);
	read_reply(stream, "200", 900, tag);
	struct stop stop = {b.workers, 8000};
	uint64_t began = now_ms();
	assert_int_equal(pthread_create(&thread, NULL, stop_workers, &stop), 0);
	usleep(200000); /* the others have nothing left to do by now */
	for (int i = 0; i < SOCKETS; i++) {
		send_request(b.fds[i], "OPTIONS", i, NULL);
		read_reply(b.fds[i], "200", i, tag);
	}
	send_request(stream, "OPTIONS", 901, NULL);
	read_reply(stream, "200", 901, tag);
	tell(&b, 2, &finish);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(now_ms() - began < 6000);
	close(stream);
	bench_close(&b);
}

static void the_time_to_end_is_bounded(void **state)
{
	static struct bench b;
	struct command hold = {.holds = true};
	(void)state;
	bench_open(&b, 2);
	tell(&b, 1, &hold);
	uint64_t began = now_ms();
	workers_stop(b.workers, 300);
	uint64_t took = now_ms() - began;
	assert_true(took >= 290 && took < 3000);
	bench_close(&b);
}

/* Nobody loses a message while the configuration changes under it. */
static void a_reload_reaches_all_workers_between_messages(void **state)
{
	static struct bench b;
	char tag[TOKEN_LENGTH + 1];
	struct buf why;
	(void)state;

	bench_open(&b, 4);
	struct config_peer peer = {.name = "pbx", .accept_from_count = 0};
	struct config next = b.config;
	next.peers = &peer;
	next.peer_count = 1;
	buf_init(&why);
	for (int call = 0; call < 40; call++) {
		int fd = b.fds[call % SOCKETS];
		send_request(fd, "OPTIONS", call, NULL);
		assert_int_equal(workers_reload(b.workers, call % 2 ? &b.config : &next, &why), 0);
		read_reply(fd, "200", call, tag);
	}
	assert_int_equal(workers_reload(b.workers, &next, &why), 0);
	buf_free(&why);
	for (uint8_t i = 0; i < 4; i++) { /* each has taken it when it answers */
		struct command command = {0};
		assert_int_equal(worker_post(workers_at(b.workers, i), &command), 0);
		while (!atomic_load(&command.answered))
			usleep(1000);
	}
	workers_stop(b.workers, 1000);
	for (uint8_t i = 0; i < 4; i++) {
		const struct core *core = workers_at(b.workers, i)->core;
		assert_ptr_equal(workers_at(b.workers, i)->config, &next);
		assert_true(core->reloads > 0 && core->reloads <= 41);
	}
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_stay_on_their_worker_1),
		cmocka_unit_test(calls_stay_on_their_worker_2),
		cmocka_unit_test(calls_stay_on_their_worker_4),
		cmocka_unit_test(replies_find_the_connection_of_another_worker),
		cmocka_unit_test(alias_of_a_peer_takes_our_requests),
		cmocka_unit_test(malformed_requests_are_answered),
		cmocka_unit_test(commands_reach_their_worker),
		cmocka_unit_test(a_worker_without_calls_serves_until_all_are_empty),
		cmocka_unit_test(the_time_to_end_is_bounded),
		cmocka_unit_test(a_reload_reaches_all_workers_between_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
