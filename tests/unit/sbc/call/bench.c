/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/call/bench.h"
#include "control/state/record_head.h"
#include "sbc/call/takeover.h"
#include <unistd.h>

const char phone_sdp[] =
	"v=0\r\no=a 1 1 IN IP4 192.168.7.10\r\ns=x\r\nc=IN IP4 192.168.7.10\r\nt=0 0\r\n"
	"m=audio 20000 RTP/AVP 8\r\n";
const char pbx_sdp[] = "v=0\r\no=p 1 1 IN IP4 10.0.0.20\r\ns=x\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\n"
		       "m=audio 30000 RTP/AVP 8\r\n";

/* --- what stands around --- */

static int record(void *owner, const struct transport_path *path, struct slice bytes,
		  uint64_t token)
{
	struct bench *bench = owner;
	(void)token;

	if (bench->is_deaf)
		return 0;
	assert_true(bench->sent < BENCH_SENT_MAX);
	slice_copy(bytes, bench->texts[bench->sent], BENCH_TEXT_MAX);
	bench->paths[bench->sent++] = *path;
	return 0;
}

static void branch(void *owner, uint64_t number, char out[26])
{
	struct bench *bench = owner;
	worker_token(&bench->worker, TOKEN_BRANCH, number, out);
}

/* Says yes to all: what a branch does not stop, the tags must. */
static bool made(void *owner, struct slice text)
{
	(void)owner, (void)text;
	return true;
}

static const char *sent_by(void *owner, uint16_t listener)
{
	(void)owner;
	return listener ? "203.0.113.10:5060" : "10.0.0.1:5060";
}

static int large(void *owner, const struct transport_path *path, uint16_t *listener)
{
	(void)owner, (void)path, (void)listener;
	return -ERR_NOT_FOUND;
}

static void on_request(void *user, struct transaction_handle handle, const struct message *request,
		       const struct transport_path *path)
{
	struct bench *bench = user;
	if (bench->subscriptions &&
	    subscriptions_receive(bench->subscriptions, handle, request, path))
		return;
	if (message_method(request) == METHOD_REGISTER)
		registrar_receive(bench->registrar, handle, request, path);
	else
		calls_receive(bench->calls, handle, request, path);
}
static void on_cancel(void *user, struct transaction_handle handle, const struct message *cancel)
{
	struct bench *bench = user;
	calls_cancelled(bench->calls, handle, cancel);
}
static void on_server_failure(void *user, struct transaction_handle handle, int err)
{
	struct bench *bench = user;
	calls_server_failed(bench->calls, handle, err);
}
static void on_orphan(void *user, const struct message *response, const struct transport_path *path)
{
	struct bench *bench = user;
	calls_stray(bench->calls, response, path);
}
static bool on_unknown_cancel(void *user, const struct scan *cancel,
			      const struct transport_path *path)
{
	struct bench *bench = user;
	return takeover_cancel(bench->calls, cancel, path);
}
static const struct transaction_handlers handlers = {on_request, on_cancel, on_server_failure,
						     on_orphan, on_unknown_cancel};

static void store_destroy_nothing(struct store *store)
{
	(void)store;
}
static struct bench_record *find_kept(const struct bench_store *store, struct slice key)
{
	for (unsigned i = 0; i < BENCH_KEPT_MAX; i++)
		if (slice_equal(slice_from(store->kept[i].key), key))
			return (struct bench_record *)(uintptr_t)&store->kept[i];
	return NULL;
}

static void keep(struct bench_store *store, struct slice key, struct slice value)
{
	struct bench_record *kept = find_kept(store, key);

	if (!kept)
		kept = &store->kept[store->kept_next++ % BENCH_KEPT_MAX];
	slice_copy(key, kept->key, sizeof(kept->key));
	buf_clear(&kept->value);
	buf_add(&kept->value, value);
}

static void bench_put(struct store *store, struct slice key, struct slice value, uint32_t ttl_s,
		      store_done_fn *done, void *owner, uint64_t handle)
{
	struct bench_store *own = (struct bench_store *)store;
	struct store_reply reply = {0};
	(void)ttl_s;

	keep(own, key, value);
	own->puts++;
	own->bytes = value.len;
	own->done = done;
	own->owner = owner;
	own->handle = handle;
	if (done && !own->holds)
		done(owner, handle, &reply);
}
static void store_drop(struct store *store, struct slice key)
{
	struct bench_record *kept = find_kept((struct bench_store *)store, key);

	if (kept)
		kept->key[0] = '\0';
	((struct bench_store *)store)->deletes++;
}
static void answer(struct bench_store *store, store_done_fn *done, void *owner, uint64_t handle,
		   const struct store_reply *reply)
{
	if (store->is_away)
		done(owner, handle, &(struct store_reply){.err = -ERR_CLOSED});
	else
		done(owner, handle, reply);
}
static void store_find(struct store *store, struct slice key, store_done_fn *done, void *owner,
		       uint64_t handle)
{
	struct bench_store *own = (struct bench_store *)store;
	const struct bench_record *kept = find_kept(own, key);

	own->gets++;
	answer(own, done, owner, handle,
	       &(struct store_reply){.err = kept ? 0 : -ERR_NOT_FOUND,
				     .value = kept ? buf_slice(&kept->value) : SLICE_NONE});
}
static void bench_take(struct store *store, struct slice key, uint16_t node, uint64_t seen,
		       store_done_fn *done, void *owner, uint64_t handle)
{
	struct bench_store *own = (struct bench_store *)store;
	struct bench_record *kept = find_kept(own, key);
	struct store_reply reply = {.err = -ERR_NOT_FOUND};
	struct record_head head;

	own->takes++;
	struct slice body;

	if (kept && record_head_split(buf_slice(&kept->value), &head, &body) == 0) {
		reply.err = -ERR_DENIED;
		if (head.epoch == seen) {
			struct buf value;
			head.epoch++;
			head.node = own->is_slow ? 9 : node;
			buf_init(&value);
			record_head_write(&head, &value);
			buf_add(&value, body);
			buf_free(&kept->value);
			kept->value = value;
			if (!own->is_slow)
				reply = (struct store_reply){.value = buf_slice(&kept->value)};
			own->is_slow = false;
		}
	}
	answer(own, done, owner, handle, &reply);
}
static void bench_put_owned(struct store *store, struct slice key, struct slice value,
			    uint32_t ttl_s, store_done_fn *done, void *owner, uint64_t handle)
{
	struct bench_record *kept = find_kept((struct bench_store *)store, key);
	struct record_head stored, given;

	if (kept && record_head_read(buf_slice(&kept->value), &stored) == 0 &&
	    record_head_read(value, &given) == 0 &&
	    (stored.epoch > given.epoch ||
	     (stored.epoch == given.epoch && stored.node != given.node)))
		done(owner, handle, &(struct store_reply){.err = -ERR_DENIED});
	else
		bench_put(store, key, value, ttl_s, done, owner, handle);
}
static void store_say(const struct store *store, struct store_status *out)
{
	(void)store;
	memset(out, 0, sizeof(*out));
}
static const struct store_verbs store_verbs = {.destroy = store_destroy_nothing,
					       .put = bench_put,
					       .remove = store_drop,
					       .get = store_find,
					       .status = store_say,
					       .put_owned = bench_put_owned,
					       .take = bench_take};

static void on_wake(void *owner)
{
	struct bench *bench = owner;
	loop_stop(bench->loop);
}

/* Puts its own address in place of the one in the SDP: 203.0.113.10 to the phone's side. */
static void relay_answers(void *owner, const struct ng_request *request, struct ng_value *reply)
{
	struct bench *bench = owner;
	struct slice sdp = ng_get_string(request->dict, "sdp");
	size_t used = strlen(bench->relay_log);

	if (slice_equal(request->command, SLICE("ping"))) {
		ng_dict_add_string(request->arena, reply, "result", SLICE("pong"));
		if (bench->relay_instance)
			ng_dict_add_string(request->arena, reply, "instance",
					   slice_from(bench->relay_instance));
		return;
	}
	snprintf(bench->relay_log + used, sizeof(bench->relay_log) - used, "%.*s ",
		 SLICE_ARG(request->command));
	if (bench->relay_refuses) {
		ng_reply_error(request->arena, reply, "%s", bench->relay_refuses);
		bench->relay_refuses = NULL;
		return;
	}
	ng_dict_add_string(request->arena, reply, "result", SLICE("ok"));
	if (sdp.len == 0)
		return;
	size_t attributes = slice_find_slice(sdp, SLICE("\r\na="));
	bool from_pbx = slice_find_slice(sdp, SLICE("10.0.0.20")) < sdp.len;
	char *text = arena_printf(request->arena,
				  "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
				  "m=audio 40000 RTP/AVP 8\r\n%.*s",
				  from_pbx ? "203.0.113.10" : "10.0.0.1",
				  from_pbx ? "203.0.113.10" : "10.0.0.1",
				  SLICE_ARG(slice_sub(sdp, attributes + 2, sdp.len)));
	ng_dict_add_string(request->arena, reply, "sdp", slice_from(text));
	if (!ng_dict_get(request->dict, "state"))
		return;
	size_t len = 300 + 2 * sdp.len; /* about as much as ours says */
	const char *state = arena_zalloc(request->arena, len);
	ng_dict_add_string(request->arena, reply, "state", (struct slice){state, len});
}

static void on_empty(void *owner)
{
	((struct bench *)owner)->is_empty = true;
}

static void configure(struct bench *bench)
{
	static const char *const names[] = {"lan", "wan"};
	static const char *const remotes[] = {"10.0.0.20", "192.0.2.7"};
	static const char *const own[] = {"10.0.0.1", "203.0.113.10"};

	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(addr_parse_ip(slice_from(own[i]), &bench->own[i]), 0);
		bench->interfaces[i] = (struct config_interface){.name = names[i],
								 .trusted = i == 0,
								 .addresses = &bench->own[i],
								 .address_count = 1};
		assert_int_equal(addr_parse(slice_from(remotes[i]), 5060, &bench->servers[i].addr),
				 0);
		bench->peers[i] = (struct config_peer){.name = i ? "phones" : "pbx",
						       .interface = i,
						       .servers = &bench->servers[i],
						       .server_count = 1};
		bench->ends[i] = (struct config_end){.type = CONFIG_END_PEER, .peer = i};
		bench->routes[i] = (struct config_route){.name = "way",
							 .from = &bench->ends[i],
							 .from_count = 1,
							 .to = &bench->ends[1 - i],
							 .to_count = 1};
	}
	bench->phones = (struct config_phones){.from = PHONE,
					       .registrar = PBX,
					       .contacts = 2,
					       .expires_device_ms = 600000,
					       .expires_registrar_ms = 3600000};
	bench->relay = (struct config_endpoint){
		.transport = CONFIG_UNIX, .path = bench->relay_path, .text = "bench"};
	bench->config = (struct config){.interfaces = bench->interfaces,
					.interface_count = 2,
					.peers = bench->peers,
					.peer_count = 2,
					.phones = &bench->phones,
					.phones_count = 1,
					.routes = bench->routes,
					.route_count = 2,
					.relay = {.control = &bench->relay, .control_count = 1},
					.state.wait_ms = 20,
					.node = "bench"};
}

static void open_relay(struct bench *bench)
{
	struct ng_endpoint listener = {.transport = NG_UNIX, .path = bench->relay_path};
	struct ng_server_config config = {.loop = bench->loop,
					  .log = &bench->log,
					  .listeners = &listener,
					  .listener_count = 1,
					  .handler = relay_answers,
					  .owner = bench};
	assert_int_equal(ng_server_create(&config, &bench->relay_server), 0);
}

static void open_worker(struct bench *bench)
{
	struct transport_interface interfaces[2] = {{.name = "lan", .trusted = true},
						    {.name = "wan"}};
	struct transport_listener listeners[2] = {{.interface = 0, .sent_by = "10.0.0.1:5060"},
						  {.interface = 1, .sent_by = "203.0.113.10:5060"}};
	struct transport_config transport = {.loop = bench->loop,
					     .log = &bench->log,
					     .interfaces = interfaces,
					     .interface_count = 2,
					     .listeners = listeners,
					     .listener_count = 2,
					     .datagram_max = 16384,
					     .stream_max = 65536,
					     .timers = transport_timers_default};
	struct transactions_config transactions = {.wheel = bench->wheel,
						   .random = &bench->random.base,
						   .log = &bench->log,
						   .limit = 20000,
						   .branch = branch,
						   .made = made,
						   .send = record,
						   .sent_by = sent_by,
						   .large = large,
						   .handlers = &handlers,
						   .owner = bench,
						   .user = bench};
	struct guard_interface guarded[2] = {{.trusted = true}, {0}};
	struct guard_peer peers[2] = {{.interface = 0, .peer = 0}, {.interface = 1, .peer = 1}};
	struct guard_config guard = {.interfaces = guarded,
				     .interface_count = 2,
				     .peers = peers,
				     .peer_count = 2,
				     .sources_max = 64};
	struct worker *worker = &bench->worker;

	for (int i = 0; i < 2; i++)
		assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), 0, &listeners[i].address), 0);
	assert_int_equal(cidr_parse(SLICE("10.0.0.20"), &peers[0].network), 0);
	assert_int_equal(cidr_parse(SLICE("192.0.2.7"), &peers[1].network), 0);
	worker->count = 1;
	worker->node = 1;
	worker->loop = bench->loop;
	worker->wheel = bench->wheel;
	worker->random = &bench->random.base;
	worker->log = &bench->log;
	worker->config = &bench->config;
	worker->token_key = &bench->key;
	assert_int_equal(arena_create(65536, 4 << 20, &worker->arena), 0);
	transactions.arena = worker->arena;
	assert_int_equal(transport_create(&transport, NULL, &worker->transport), 0);
	assert_int_equal(transactions_create(&transactions, &worker->transactions), 0);
	assert_int_equal(guard_create(&guard, &worker->guard), 0);
}

static void open_upper(struct bench *bench)
{
	assert_int_equal(limits_create(&bench->worker, &bench->limits), 0);
	assert_int_equal(peers_create(&bench->worker, &bench->peer_table), 0);
	struct registrar_config registrar = {.worker = &bench->worker, .peers = bench->peer_table};
	assert_int_equal(registrar_create(&registrar, &bench->registrar), 0);
	struct calls_config calls = {.worker = &bench->worker,
				     .peers = bench->peer_table,
				     .registrar = bench->registrar,
				     .store = &bench->store.store,
				     .limits = bench->limits,
				     .conceal = &bench->conceal,
				     .is_lasting = true,
				     .on_empty = on_empty,
				     .owner = bench};
	assert_int_equal(calls_create(&calls, &bench->calls), 0);
}

void bench_open(struct bench *bench)
{
	static unsigned benches;

	memset(bench, 0, sizeof(*bench));
	snprintf(bench->relay_path, sizeof(bench->relay_path), "/tmp/postern-bench-%d-%u.sock",
		 (int)getpid(), ++benches);
	bench->now_ms = 1000000;
	bench->log = (struct log){.level = LOG_ERROR, .fd = 2, .program = "bench"};
	random_system_init(&bench->random);
	token_key_random(&bench->random.base, &bench->key);
	assert_int_equal(message_init(), 0);
	assert_int_equal(loop_create(&bench->loop), 0);
	loop_on_wake(bench->loop, on_wake, bench);
	assert_int_equal(wheel_create(bench->now_ms, &bench->wheel), 0);
	configure(bench);
	open_relay(bench);
	open_worker(bench);
	bench->store.store.verbs = &store_verbs;
	for (unsigned i = 0; i < BENCH_KEPT_MAX; i++)
		buf_init(&bench->store.kept[i].value);
	conceal_key_derive(bench->key.mac, bench->key.cipher, &bench->conceal);
	open_upper(bench);
}

struct slice bench_record(const struct bench *bench, const char *id)
{
	char key[64];

	snprintf(key, sizeof(key), "call:{%.*s}", TOKEN_LENGTH, id);
	const struct bench_record *kept = find_kept(&bench->store, slice_from(key));
	return kept ? buf_slice(&kept->value) : SLICE_NONE;
}

static void close_upper(struct bench *bench)
{
	calls_destroy(bench->calls);
	registrar_destroy(bench->registrar);
	peers_destroy(bench->peer_table);
	limits_destroy(bench->limits);
	transactions_destroy(bench->worker.transactions);
	guard_destroy(bench->worker.guard);
	transport_destroy(bench->worker.transport);
	arena_destroy(bench->worker.arena);
}

void bench_restart(struct bench *bench)
{
	uint64_t unix_offset_ms = bench->calls->unix_offset_ms;

	close_upper(bench);
	assert_int_equal(wheel_armed(bench->wheel), 0);
	ng_server_destroy(bench->relay_server);
	loop_destroy(bench->loop);
	assert_int_equal(loop_create(&bench->loop), 0);
	loop_on_wake(bench->loop, on_wake, bench);
	open_relay(bench);
	bench->first_id += 1000000;
	bench->worker = (struct worker){.first_id = bench->first_id};
	bench->seen = bench->sent;
	open_worker(bench);
	open_upper(bench);
	bench->calls->unix_offset_ms = unix_offset_ms; /* its clock is not the real one */
}

void bench_close(struct bench *bench)
{
	/* Everything lingering is over after timers H, I, J, K, L and M. */
	bench_advance(bench, 200000);
	assert_int_equal(bench->calls->by_number.count, 0);
	assert_int_equal(bench->calls->by_server.count, 0);
	assert_int_equal(counter_get(&transactions_counters(bench->worker.transactions)->live), 0);
	close_upper(bench);
	for (unsigned i = 0; i < BENCH_KEPT_MAX; i++)
		buf_free(&bench->store.kept[i].value);
	ng_server_destroy(bench->relay_server);
	assert_int_equal(wheel_armed(bench->wheel), 0);
	wheel_destroy(bench->wheel);
	loop_destroy(bench->loop);
}

/* --- time and messages --- */

static void on_alarm(struct timer *timer, uint64_t now_ms)
{
	struct bench *bench = container_of(timer, struct bench, alarm);
	(void)now_ms;
	loop_stop(bench->loop);
}

/* The real loop turns until the relay owes no answer. */
static void turn(struct bench *bench)
{
	struct ng_relay_state state;

	for (int i = 0; i < 1000; i++) {
		ng_client_flush((struct ng_client *)(uintptr_t)media_client(bench->calls->media));
		ng_client_relays(media_client(bench->calls->media), 0, &state);
		if (state.pending == 0 && i > 0)
			return;
		if (i < 10)
			loop_wake(bench->loop); /* what is there now, without waiting */
		else
			wheel_arm(loop_wheel(bench->loop), &bench->alarm,
				  loop_now_ms(bench->loop) + 1, on_alarm);
		loop_run(bench->loop);
	}
	fail_msg("the relay does not answer");
}

void bench_advance(struct bench *bench, uint32_t ms)
{
	for (uint64_t end = bench->now_ms + ms; bench->now_ms < end;) {
		uint64_t next = wheel_next_ms(bench->wheel);
		bench->now_ms =
			next < end ? (next > bench->now_ms ? next : bench->now_ms + 1) : end;
		wheel_advance(bench->wheel, bench->now_ms);
		ng_client_flush((struct ng_client *)(uintptr_t)media_client(bench->calls->media));
		turn(bench);
	}
}

void bench_receive(struct bench *bench, int side, const char *format, ...)
{
	struct scan_limits limits = {.message_max = 16384};
	struct transport_path path = {.interface = (uint16_t)side,
				      .listener = (uint16_t)side,
				      .remote = bench->servers[side].addr};
	va_list list;

	va_start(list, format);
	int len = vsnprintf(bench->in, sizeof(bench->in), format, list);
	va_end(list);
	assert_true(len > 0 && (size_t)len < sizeof(bench->in));
	assert_int_equal(scan_message(bench->in, (size_t)len, &limits, &bench->scan), SCAN_ACCEPT);
	arena_reset(bench->worker.arena);
	transactions_receive(bench->worker.transactions, &bench->scan, &path);
	turn(bench);
}

const char *bench_next(struct bench *bench, int side, const char *first)
{
	if (bench->seen == bench->sent)
		fail_msg("nothing was sent, wanted %s", first);
	unsigned at = bench->seen++;
	if (strncmp(bench->texts[at], first, strlen(first)) != 0 ||
	    bench->paths[at].interface != side)
		fail_msg("wanted %s by %s, got by %s:\n%s", first, side == PBX ? "lan" : "wan",
			 bench->paths[at].interface ? "wan" : "lan", bench->texts[at]);
	return bench->texts[at];
}

void bench_nothing(struct bench *bench)
{
	if (bench->seen != bench->sent)
		fail_msg("sent beyond what was wanted:\n%s", bench->texts[bench->seen]);
}

const char *bench_header(const char *text, const char *name)
{
	static char values[8][512];
	static unsigned turn_of;
	char *value = values[turn_of++ % 8];
	char start[64];

	snprintf(start, sizeof(start), "\r\n%s: ", name);
	const char *at = strstr(text, start);
	if (!at)
		fail_msg("no %s in\n%s", name, text);
	at += strlen(start);
	snprintf(value, sizeof(values[0]), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

void bench_reply(struct bench *bench, int side, const char *request, const char *status,
		 const char *tag, const char *sdp)
{
	bench_reply_with(bench, side, request, status, tag, "", sdp);
}

void bench_reply_with(struct bench *bench, int side, const char *request, const char *status,
		      const char *tag, const char *lines, const char *sdp)
{
	const char *to = bench_header(request, "To");

	bench_receive(
		bench, side,
		"SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
		"Contact: <sip:x@%s>\r\nServer: secret\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		status, bench_header(request, "Via"), bench_header(request, "From"), to,
		strstr(to, "tag=") ? "" : ";tag=", strstr(to, "tag=") ? "" : tag,
		bench_header(request, "Call-ID"), bench_header(request, "CSeq"),
		side == PBX ? "10.0.0.20" : "192.168.7.10", lines,
		sdp ? "Content-Type: application/sdp\r\n" : "", sdp ? strlen(sdp) : 0,
		sdp ? sdp : "");
}

/* --- a whole call --- */

static void send_invite(struct bench *bench, const char *lines, const char *sdp)
{
	bench_receive(bench, PHONE,
		      "INVITE sip:1000@example.net SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKinvite;rport\r\n"
		      "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\n"
		      "To: <sip:1000@example.net>\r\nCall-ID: call-a\r\nCSeq: 1 INVITE\r\n"
		      "Contact: <sip:alice@192.168.7.10>\r\nUser-Agent: secret\r\n%s%s"
		      "Content-Length: %zu\r\n\r\n%s",
		      lines, sdp ? "Content-Type: application/sdp\r\n" : "", sdp ? strlen(sdp) : 0,
		      sdp ? sdp : "");
}

void bench_invite(struct bench *bench, const char *sdp)
{
	send_invite(bench, "", sdp);
	/* Without an SDP nothing is waited for: the INVITE goes on before the 100. */
	if (sdp)
		bench_next(bench, PHONE, "SIP/2.0 100 ");
}

void bench_invite_with(struct bench *bench, struct talk *talk, const char *lines, const char *sdp)
{
	*talk = (struct talk){.far_tag = "b"};
	send_invite(bench, lines, sdp);
	if (sdp)
		bench_next(bench, PHONE, "SIP/2.0 100 ");
	talk->invite = bench_next(bench, PBX, "INVITE ");
	if (!sdp)
		bench_next(bench, PHONE, "SIP/2.0 100 ");
}

void bench_learn(struct talk *talk, const char *reply)
{
	const char *contact = bench_header(reply, "Contact");

	snprintf(talk->to, sizeof(talk->to), "%s", bench_header(reply, "To"));
	snprintf(talk->target, sizeof(talk->target), "%.*s", (int)strcspn(contact + 1, ">"),
		 contact + 1);
}

void bench_inside(struct bench *bench, const struct talk *talk, int side, const char *method,
		  uint32_t cseq, const char *lines, const char *sdp)
{
	const char *contact = bench_header(talk->invite, "Contact");
	char from[200];

	snprintf(from, sizeof(from), "%s;tag=%s", bench_header(talk->invite, "To"),
		 talk->far_tag ? talk->far_tag : "b");
	bench_receive(
		bench, side,
		"%s %.*s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%u%s;rport\r\n"
		"Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"Contact: <sip:x@%s>\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		method, side == PHONE ? (int)strlen(talk->target) : (int)strcspn(contact + 1, ">"),
		side == PHONE ? talk->target : contact + 1,
		side == PHONE ? "192.168.7.10" : "10.0.0.20", method, cseq,
		side == PHONE ? "p" : "x", side == PHONE ? "<sip:alice@example.net>;tag=a" : from,
		side == PHONE ? talk->to : bench_header(talk->invite, "From"),
		side == PHONE ? "call-a" : bench_header(talk->invite, "Call-ID"), cseq, method,
		side == PHONE ? "192.168.7.10" : "10.0.0.20", lines,
		sdp ? "Content-Type: application/sdp\r\n" : "", sdp ? strlen(sdp) : 0,
		sdp ? sdp : "");
}

void bench_ack(struct bench *bench, const struct talk *talk, uint32_t cseq, const char *sdp)
{
	bench_receive(
		bench, PHONE,
		"ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKack%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\nTo: %s\r\n"
		"Call-ID: call-a\r\nCSeq: %u ACK\r\n%sContent-Length: %zu\r\n\r\n%s",
		talk->target, cseq, talk->to, cseq, sdp ? "Content-Type: application/sdp\r\n" : "",
		sdp ? strlen(sdp) : 0, sdp ? sdp : "");
}

void bench_talk(struct bench *bench, struct talk *talk)
{
	bench_invite_with(bench, talk, "", phone_sdp);
	bench_reply(bench, PBX, talk->invite, "200 OK", "b", pbx_sdp);
	bench_next(bench, PBX, "ACK ");
	bench_learn(talk, bench_next(bench, PHONE, "SIP/2.0 200 "));
	bench_ack(bench, talk, 1, NULL);
	bench_nothing(bench);
}

void bench_hang_up(struct bench *bench, const struct talk *talk, uint32_t cseq)
{
	bench_receive(
		bench, PHONE,
		"BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.7.10;branch=z9hG4bKbye%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=a\r\nTo: %s\r\n"
		"Call-ID: call-a\r\nCSeq: %u BYE\r\nContent-Length: 0\r\n\r\n",
		talk->target, cseq, talk->to, cseq);
	bench_next(bench, PHONE, "SIP/2.0 200 ");
	bench_reply(bench, PBX, bench_next(bench, PBX, "BYE "), "200 OK", "b", NULL);
	bench_nothing(bench);
}
