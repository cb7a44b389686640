/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/trunk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sbc/registration/registering.h"
#include "sbc/registration/trunk_private.h"
#include "sbc/route/path.h"
#include "sbc/route/shared.h"
#include "sbc/topology/owned.h"

enum {
	FIRST_TRY_MS = 500,
	RETRY_MIN_S = 15, /* after a failure; twice as long after each more */
	RETRY_MAX_S = 600,
	REFUSED_MIN_S = 60, /* it has heard us and said no: asking again at once is a flood */
	EXPIRES_MAX_S = 86400,
	LOGINS_MAX = 2,
	AWAIT_MS = 2000,
};

static void on_due(struct timer *timer, uint64_t now_ms);

const struct config_peer *trunk_peer(const struct trunk *trunk)
{
	return &trunk->trunks->worker->config->peers[trunk->peer];
}

static bool is_wanted(const struct config_peer *peer)
{
	return !peer->retired && peer->registration.user;
}

/* RFC 3608: the way that requests go while the registration lasts. */
static void take_service_route(struct trunk *trunk, const struct message *response)
{
	struct trunks *trunks = trunk->trunks;
	struct buf list;

	buf_init(&list);
	if (response)
		registering_take_service_route(response, &list);
	shared_set_service_route(peers_shared(trunks->peers), trunk->peer,
				 buf_failed(&list) ? SLICE_NONE : buf_slice(&list),
				 trunk->until_ms);
	buf_free(&list);
}

/* Many trunks do not start in step. */
static void begin(struct trunk *trunk)
{
	struct worker *worker = trunk->trunks->worker;

	wheel_arm(worker->wheel, &trunk->timer,
		  wheel_now_ms(worker->wheel) + 1 + random_u64(worker->random) % FIRST_TRY_MS,
		  on_due);
}

static struct trunk *trunk_of(struct trunks *trunks, uint32_t peer)
{
	for (uint32_t i = 0; i < trunks->count; i++)
		if (trunks->list[i].peer == peer)
			return &trunks->list[i];
	return NULL;
}

static void add_trunk(struct trunks *trunks, uint32_t peer)
{
	struct worker *worker = trunks->worker;
	struct trunk *trunk = &trunks->list[trunks->count++];

	*trunk = (struct trunk){.trunks = trunks, .peer = peer, .state = {.text = "registering"}};
	trunk->expires_s = worker->config->peers[peer].registration.expires_ms / 1000;
	random_text(worker->random, trunk->call_id, sizeof(trunk->call_id));
	random_text(worker->random, trunk->tag, sizeof(trunk->tag));
	begin(trunk);
}

void trunks_reload(struct trunks *trunks)
{
	const struct config *config = trunks->worker->config;

	for (uint32_t i = 0; trunks->worker->index == 0 && i < config->peer_count; i++) {
		struct trunk *trunk = trunk_of(trunks, i);
		if (!trunk && is_wanted(&config->peers[i])) {
			add_trunk(trunks, i);
		} else if (trunk && !is_wanted(&config->peers[i])) {
			wheel_cancel(trunks->worker->wheel, &trunk->timer); /* it expires */
			take_service_route(trunk, NULL);
		} else if (trunk) {
			trunk->expires_s = config->peers[i].registration.expires_ms / 1000;
			/* What was wrong may be right now; what lasts is refreshed in time. */
			if (!timer_is_armed(&trunk->timer) || trunk->in_row > 0)
				begin(trunk);
		}
	}
}

int trunks_create(const struct trunks_config *config, struct trunks **out)
{
	struct trunks *trunks = calloc(1, sizeof(*trunks));
	struct timespec now;
	if (!trunks)
		return -ERR_NO_MEMORY;

	trunks->config = *config;
	trunks->worker = config->worker;
	trunks->peers = config->peers;
	clock_gettime(CLOCK_REALTIME, &now);
	trunks->unix_offset_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 -
				 wheel_now_ms(trunks->worker->wheel);
	/* Room for those that a reload adds: their timers and requests are under way. */
	trunks->list = calloc(peers_shared(trunks->peers)->peer_room, sizeof(*trunks->list));
	if (!trunks->list) {
		free(trunks);
		return -ERR_NO_MEMORY;
	}
	trunks_reload(trunks);
	*out = trunks;
	return 0;
}

void trunks_stop(struct trunks *trunks)
{
	for (uint32_t i = 0; i < trunks->count; i++)
		wheel_cancel(trunks->worker->wheel, &trunks->list[i].timer);
}

void trunks_destroy(struct trunks *trunks)
{
	if (!trunks)
		return;
	trunks_stop(trunks);
	for (uint32_t i = 0; i < trunks->count; i++) {
		peers_end(trunks->peers, trunks->list[i].peer, &trunks->list[i].attempt);
		auth_client_free(&trunks->list[i].auth);
		owned_free(&trunks->list[i].contact);
		owned_free(&trunks->list[i].former);
	}
	free(trunks->list);
	free(trunks);
}

void trunk_arm(struct trunk *trunk, uint64_t delay_ms)
{
	struct wheel *wheel = trunk->trunks->worker->wheel;
	uint64_t spread = random_u64(trunk->trunks->worker->random) % (delay_ms / 10 + 1);

	wheel_arm(wheel, &trunk->timer, wheel_now_ms(wheel) + delay_ms - spread, on_due);
}

/* In time for a retry or two. */
void trunk_arm_refresh(struct trunk *trunk, uint64_t left_s)
{
	trunk_arm(trunk, left_s > 120 ? (left_s - 60) * 1000 : left_s * 500);
}

void trunk_say(struct trunk *trunk, const char *text, const char *reason)
{
	const struct log *log = trunk->trunks->worker->log;
	bool is_news = strcmp(trunk->state.text, text) != 0;

	trunk->state.text = text;
	if (is_news && !reason)
		log_info(log, "trunk.registered", "peer=%s expires_s=%u", trunk_peer(trunk)->name,
			 trunk->expires_s);
	else if (is_news)
		log_warn(log, "trunk.not_registered", "peer=%s reason=\"%s\"",
			 trunk_peer(trunk)->name, reason);
}

/* Not this time: later, and later still. A registration that lasts is not lost by it. */
static void give_up(struct trunk *trunk, const char *text, const char *reason, uint32_t at_least_s)
{
	uint32_t wait_s = RETRY_MIN_S;

	for (uint32_t i = 0; i < trunk->in_row && wait_s < RETRY_MAX_S; i++)
		wait_s *= 2;
	if (wait_s < at_least_s)
		wait_s = at_least_s;
	trunk->in_row++;
	trunk->state.failures++;
	trunk_say(trunk, text, reason);
	peers_end(trunk->trunks->peers, trunk->peer, &trunk->attempt);
	trunk->attempt = (struct peers_try){0};
	trunk_release(trunk);
	trunk_arm(trunk, (wait_s < RETRY_MAX_S ? wait_s : RETRY_MAX_S) * 1000ull);
}

/* --- the request --- */

void trunk_write_host(const struct trunk *trunk, struct buf *out)
{
	const struct config_peer *peer = trunk_peer(trunk);

	if (peer->registration.domain)
		buf_add_text(out, peer->registration.domain);
	else if (peer->servers[0].addr.family)
		addr_add_host(out, &peer->servers[0].addr);
	else
		buf_add_text(out, peer->servers[0].host);
}

static int write_request(struct trunk *trunk, const struct transport_path *path, struct buf *out)
{
	struct worker *worker = trunk->trunks->worker;
	const struct config_peer *peer = trunk_peer(trunk);
	struct buf uri, aor, contact;
	char parameters[24];

	buf_init(&uri);
	buf_init(&aor);
	buf_init(&contact);
	buf_add_text(&uri, "sip:");
	trunk_write_host(trunk, &uri);
	buf_printf(&aor, "sip:%s@", peer->registration.user);
	trunk_write_host(trunk, &aor);
	path_write_contact(worker, path->listener, false, slice_from(peer->registration.user),
			   &contact);
	builder_request_line(out, SLICE("REGISTER"), buf_slice(&uri));
	builder_header_number(out, HEADER_MAX_FORWARDS, 70);
	builder_address(out, HEADER_FROM, SLICE_NONE, buf_slice(&aor),
			(struct slice){trunk->tag, sizeof(trunk->tag)}, SLICE_NONE);
	builder_address(out, HEADER_TO, SLICE_NONE, buf_slice(&aor), SLICE_NONE, SLICE_NONE);
	builder_header(out, HEADER_CALL_ID, (struct slice){trunk->call_id, TOKEN_LENGTH});
	builder_cseq(out, ++trunk->cseq, SLICE("REGISTER"));
	buf_add_text(out, "Supported: path\r\n"); /* RFC 3327 5.1 */
	int len = snprintf(parameters, sizeof(parameters), ";expires=%u", trunk->expires_s);
	builder_address(out, HEADER_CONTACT, SLICE_NONE, buf_slice(&contact), SLICE_NONE,
			(struct slice){parameters, (size_t)len});
	if (trunk->former.len > 0)
		builder_address(out, HEADER_CONTACT, SLICE_NONE, trunk->former, SLICE_NONE,
				SLICE(";expires=0"));
	int err = owned_set(&trunk->contact, buf_slice(&contact));
	if (!err && auth_client_is_ready(&trunk->auth)) {
		const struct auth_identity identity = {
			.user = slice_from(peer->credentials.user),
			.password = slice_from(peer->credentials.password),
			.realm = slice_from(peer->credentials.realm)};
		const struct auth_request request = {.method = SLICE("REGISTER"),
						     .uri = buf_slice(&uri)};
		err = auth_client_write(&trunk->auth, &identity, &request, worker->random, out);
	}
	builder_body(out, SLICE_NONE, SLICE_NONE);
	if (buf_failed(&uri) || buf_failed(&aor) || buf_failed(&contact) || buf_failed(out))
		err = -ERR_NO_MEMORY;
	buf_free(&uri);
	buf_free(&aor);
	buf_free(&contact);
	return err;
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path);
static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err);
static const struct client_handlers handlers = {on_response, on_failure};

static int send_to(struct trunk *trunk, const struct transport_path *path)
{
	struct client_request request = {.path = *path,
					 .handlers = &handlers,
					 .owner = trunk->trunks,
					 .context = (uint64_t)(trunk - trunk->trunks->list)};
	struct buf bytes;

	if (!is_wanted(trunk_peer(trunk)))
		return -ERR_NOT_FOUND;
	buf_init(&bytes);
	int err = write_request(trunk, path, &bytes);
	request.bytes = buf_slice(&bytes);
	if (!err)
		err = transaction_request(trunk->trunks->worker->transactions, &request,
					  &trunk->handle);
	buf_free(&bytes);
	return err;
}

static void on_names(void *owner, uint64_t context, int err, const struct dns_targets *targets)
{
	struct trunks *trunks = owner;
	(void)err;
	(void)targets; /* the peer knows them now */
	if (context < trunks->count)
		trunk_arm(&trunks->list[context], 1);
}

/* To the next server; -ERR_AGAIN: its names are being looked up. */
static int send_next(struct trunk *trunk)
{
	struct trunks *trunks = trunk->trunks;
	struct transport_path path;

	int err = peers_next(trunks->peers, trunk->peer, &trunk->attempt, &path);
	if (!err)
		return send_to(trunk, &path);
	if (trunk->attempt.asked == 0 && peers_await(trunks->peers, trunk->peer, on_names, trunks,
						     (uint64_t)(trunk - trunks->list)) == 0)
		return -ERR_AGAIN;
	return err;
}

void trunk_register(struct trunk *trunk)
{
	struct trunks *trunks = trunk->trunks;

	if (!is_wanted(trunk_peer(trunk)))
		return; /* another configuration knows it no more */
	peers_end(trunks->peers, trunk->peer, &trunk->attempt);
	trunk->attempt = (struct peers_try){0};
	trunk->logins = 0;
	int err = send_next(trunk);
	if (err == -ERR_AGAIN)
		trunk_arm(trunk, AWAIT_MS);
	else if (err)
		give_up(trunk, "unreachable", err_text(err), 0);
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	struct trunk *trunk = container_of(timer, struct trunk, timer);

	if (!is_wanted(trunk_peer(trunk)))
		return;
	if (trunk->until_ms <= now_ms && trunk->state.registered > 0 && trunk->in_row > 0)
		trunk->state.text = "expired";
	if (trunk_may_register(trunk))
		trunk_register(trunk);
}

/* --- the answer --- */

static uint32_t granted_s(const struct trunk *trunk, const struct message *response)
{
	struct contact contact;
	struct uri uri;
	uint32_t expires_s;

	for (size_t i = 0; message_contact(response, i, &contact); i++)
		if (!contact.star && contact.has_expires &&
		    uri_parse(contact.address.uri, &uri) == 0 &&
		    slice_equal(uri.user, slice_from(trunk_peer(trunk)->registration.user)))
			return contact.expires_s;
	return message_expires(response, &expires_s) ? expires_s : trunk->expires_s;
}

static void on_accepted(struct trunk *trunk, const struct message *response)
{
	uint64_t now = wheel_now_ms(trunk->trunks->worker->wheel);
	uint32_t expires_s = granted_s(trunk, response);

	if (expires_s == 0) {
		take_service_route(trunk, NULL);
		give_up(trunk, "refused", "it grants no time", REFUSED_MIN_S);
		return;
	}
	if (expires_s > EXPIRES_MAX_S)
		expires_s = EXPIRES_MAX_S;
	trunk->in_row = 0;
	trunk->until_ms = now + expires_s * 1000ull;
	trunk->state.registered++;
	take_service_route(trunk, response);
	trunk_say(trunk, "registered", NULL);
	peers_worked(trunk->trunks->peers, trunk->peer, trunk->attempt.server);
	peers_end(trunk->trunks->peers, trunk->peer, &trunk->attempt);
	trunk->attempt = (struct peers_try){0};
	trunk_arm_refresh(trunk, expires_s);
	trunk_keep(trunk, expires_s);
}

static bool log_in(struct trunk *trunk, const struct message *response,
		   const struct transport_path *path)
{
	const struct config_credentials *credentials = &trunk_peer(trunk)->credentials;
	const struct auth_identity identity = {.user = slice_from(credentials->user),
					       .password = slice_from(credentials->password),
					       .realm = slice_from(credentials->realm)};

	if (!credentials->user || !credentials->password || trunk->logins >= LOGINS_MAX ||
	    auth_client_challenged(&trunk->auth, &identity, response, trunk->logins > 0) != 0)
		return false;
	trunk->logins++;
	return send_to(trunk, path) == 0;
}

static uint32_t retry_after_s(const struct message *response)
{
	struct slice value = message_value(response, HEADER_RETRY_AFTER);
	uint32_t wait_s;
	size_t end = 0;

	while (end < value.len && value.data[end] >= '0' && value.data[end] <= '9')
		end++;
	return slice_to_u32(slice_sub(value, 0, end), RETRY_MAX_S, &wait_s) == 0 ? wait_s : 0;
}

static void on_refused(struct trunk *trunk, const struct message *response,
		       const struct transport_path *path)
{
	unsigned int status = message_status(response);
	uint32_t minimum_s;
	char reason[64];

	if ((status == 401 || status == 407) && log_in(trunk, response, path))
		return;
	if (status == 423 && trunk->logins < LOGINS_MAX &&
	    slice_to_u32(message_value(response, HEADER_MIN_EXPIRES), EXPIRES_MAX_S, &minimum_s) ==
		    0 &&
	    minimum_s > trunk->expires_s) {
		trunk->expires_s = minimum_s;
		if (send_to(trunk, path) == 0)
			return;
	}
	(void)snprintf(reason, sizeof(reason), "answers %u", status);
	if (status >= 500) {
		peers_try_failed(trunk->trunks->peers, trunk->peer, &trunk->attempt, reason, 0);
		if (send_next(trunk) == 0)
			return;
		give_up(trunk, "unreachable", reason, retry_after_s(response));
		return;
	}
	auth_client_free(&trunk->auth);
	take_service_route(trunk, NULL);
	give_up(trunk, "refused", reason, REFUSED_MIN_S);
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct trunks *trunks = owner;
	struct trunk *trunk = &trunks->list[context];
	unsigned int status = message_status(response);

	if (status < 200 || trunk->handle.id != handle.id)
		return;
	trunk->handle = TRANSACTION_NONE;
	trunk->state.status = status;
	if (!is_wanted(trunk_peer(trunk))) { /* any more */
		peers_end(trunks->peers, trunk->peer, &trunk->attempt);
		trunk->attempt = (struct peers_try){0};
		return;
	}
	if (status < 300)
		on_accepted(trunk, response);
	else
		on_refused(trunk, response, path);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct trunks *trunks = owner;
	struct trunk *trunk = &trunks->list[context];

	if (trunk->handle.id != handle.id)
		return;
	trunk->handle = TRANSACTION_NONE;
	trunk->state.status = 0;
	peers_try_failed(trunks->peers, trunk->peer, &trunk->attempt, err_text(err), 0);
	if (send_next(trunk) != 0)
		give_up(trunk, "unreachable", err_text(err), 0);
}

bool trunks_state(const struct trunks *trunks, uint32_t peer, struct trunk_state *out)
{
	uint64_t now = wheel_now_ms(trunks->worker->wheel);

	for (uint32_t i = 0; i < trunks->count; i++) {
		const struct trunk *trunk = &trunks->list[i];
		if (trunk->peer != peer || !is_wanted(trunk_peer(trunk)))
			continue;
		*out = trunk->state;
		out->expires_in_s =
			trunk->until_ms > now ? (uint32_t)((trunk->until_ms - now) / 1000) : 0;
		if (timer_is_armed(&trunk->timer) && trunk->timer.due_ms > now)
			out->next_try_s = (uint32_t)((trunk->timer.due_ms - now) / 1000);
		return true;
	}
	return false;
}
