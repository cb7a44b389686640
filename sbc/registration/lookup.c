/* lookup.c - who is calling, and where the called one is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/auth/header.h"
#include "sbc/registration/registering.h"

enum { LOCATIONS_MAX = 16 };

bool registrar_is_masked(const struct registrar *registrar, struct slice user)
{
	struct token token;
	return token_read(registrar->worker->token_key, TOKEN_CONTACT, user, &token) == 0 &&
	       (token.id & 3) == CONTACT_BINDING;
}

const struct binding *registrar_contact(const struct registrar *registrar, struct slice user)
{
	struct token token;

	if (token_read(registrar->worker->token_key, TOKEN_CONTACT, user, &token) != 0 ||
	    (token.id & 3) != CONTACT_BINDING)
		return NULL;
	const struct binding *binding = binding_find(&registrar->bindings, token.id >> 2);
	return binding && !binding->is_lost ? binding : NULL;
}

const struct binding *registrar_contact_uri(const struct registrar *registrar,
					    const struct uri *uri)
{
	struct slice value;

	if (uri_parameter(uri, SLICE(SHARD_BULK_PARAMETER), &value))
		return registrar_contact(registrar, value);
	return registrar_contact(registrar, uri->user);
}

/* RFC 6140 5.2: the number goes where the contact has none. */
void registrar_target(const struct binding *binding, struct slice request_uri, struct buf *out)
{
	struct slice contact = binding->facts.contact, name, value;
	struct uri uri, called;

	if (!binding->facts.is_bulk || uri_parse(contact, &uri) != 0 ||
	    uri_parse(request_uri, &called) != 0) {
		buf_add(out, contact);
		return;
	}
	buf_add_text(out, "sip:");
	buf_add(out, called.user);
	buf_add_char(out, '@');
	struct slice rest = uri.parameters;
	buf_add(out, slice_sub(contact, (size_t)(uri.host.data - contact.data),
			       (size_t)(uri.parameters.data - uri.host.data)));
	while (parameter_next(&rest, &name, &value)) {
		if (slice_equal_nocase(name, SLICE("bnc")))
			continue;
		buf_add_char(out, ';');
		buf_add(out, name);
		if (value.len > 0) {
			buf_add_char(out, '=');
			buf_add(out, value);
		}
	}
}

static const struct binding *relayed(const struct registrar *registrar, struct slice uri,
				     const struct binding *after)
{
	const struct config *config = registrar->worker->config;
	const struct binding *found = NULL;

	for (size_t i = 0; i < config->phones_count && !found; i++) {
		struct buf aor;
		buf_init(&aor);
		if (registering_aor(registrar, config->phones[i].registrar, uri, &aor) == 0)
			found = binding_of_aor(&registrar->bindings, buf_slice(&aor), after);
		buf_free(&aor);
	}
	return found;
}

/* The domain of ours in a URI, and the canonical AOR: -1 = none. */
static int own_aor(const struct registrar *registrar, struct slice text, struct buf *aor)
{
	struct uri uri;

	if (uri_parse(text, &uri) != 0)
		return -1;
	int domain = registrar_domain(registrar, uri.host);
	uri.scheme = URI_SIP; /* sips: and a port change no subscriber */
	uri.port = 0;
	return domain >= 0 && uri_canonical(&uri, aor) == 0 ? domain : -1;
}

static const struct binding *lookup(const struct registrar *registrar, struct slice uri,
				    const struct binding *after)
{
	const struct binding *found;
	struct buf aor;

	buf_init(&aor);
	if (own_aor(registrar, uri, &aor) >= 0)
		found = binding_of_aor(&registrar->bindings, buf_slice(&aor), after);
	else
		found = relayed(registrar, uri, after);
	buf_free(&aor);
	return found;
}

/* Of a domain of ours: wherever it lives, a copy. */
static const struct binding *best_of(const struct registrar *registrar, struct slice aor)
{
	struct arena *arena = registrar->worker->arena;
	struct binding *best = arena_zalloc(arena, LOCATIONS_MAX * sizeof(*best));

	return best && registry_find(registrar->registry, aor, arena, best, LOCATIONS_MAX) > 0
		       ? best
		       : NULL;
}

const struct binding *registrar_lookup(const struct registrar *registrar, struct slice uri,
				       const struct binding *after)
{
	struct buf aor;

	buf_init(&aor);
	if (own_aor(registrar, uri, &aor) >= 0) {
		const struct binding *best = after ? NULL : best_of(registrar, buf_slice(&aor));
		buf_free(&aor);
		return best;
	}
	buf_free(&aor);
	const struct binding *binding = lookup(registrar, uri, after);

	while (binding && binding->is_lost)
		binding = lookup(registrar, uri, binding);
	return binding;
}

size_t registrar_contacts(const struct registrar *registrar, struct slice uri, struct arena *arena,
			  struct binding *out, size_t room)
{
	size_t count = 0;
	struct buf aor;

	buf_init(&aor);
	if (own_aor(registrar, uri, &aor) >= 0)
		count = registry_find(registrar->registry, buf_slice(&aor), arena, out, room);
	buf_free(&aor);
	return count;
}

bool registrar_is_local(const struct registrar *registrar, struct slice text)
{
	struct uri uri;
	return uri_parse(text, &uri) == 0 && registrar_domain(registrar, uri.host) >= 0;
}

const struct binding *registrar_caller(const struct registrar *registrar, struct slice from_uri,
				       const struct transport_path *path)
{
	const struct binding *binding = NULL;

	/* A NAT may give a call another port than the registration had, and a phone another
	 * connection; the address stays. */
	while ((binding = lookup(registrar, from_uri, binding)))
		if (binding->path.interface == path->interface &&
		    addr_equal_ip(&binding->path.remote, &path->remote))
			return binding;
	return NULL;
}

unsigned int registrar_authenticate(struct registrar *registrar, const struct message *request,
				    const struct transport_path *path, struct buf *headers)
{
	uint64_t now = wheel_now_ms(registrar->worker->wheel);
	enum digest_algorithm algorithms[DIGEST_ALGORITHMS];
	struct auth_question question;
	struct slice user;
	struct uri from;

	if (uri_parse(message_from(request)->uri, &from) != 0)
		return 403;
	int domain = registrar_domain(registrar, from.host);
	if (domain < 0)
		return 403;
	local_question(registrar, (uint32_t)domain, true, algorithms, &question);
	enum auth_verdict verdict =
		auth_server_check(&registrar->auth, &question, request, now, &user);
	if (verdict == AUTH_ACCEPTED)
		return auth_user_is(user, message_from(request)->uri) ? 0 : 403;
	if (verdict == AUTH_REFUSED)
		registrar_login_failed(registrar, path);
	auth_server_challenge(&registrar->auth, &question, verdict == AUTH_STALE, now, headers);
	return 407;
}

static bool is_for_us(const struct registrar *registrar, struct slice line)
{
	struct auth_fields fields;
	enum header_id id = header_parse(slice_trim(slice_cut(&line, ':')));

	return (id == HEADER_AUTHORIZATION || id == HEADER_PROXY_AUTHORIZATION) &&
	       auth_fields_parse(line, &fields) == 0 &&
	       registrar_domain(registrar, fields.realm) >= 0;
}

void registrar_drop_credentials(const struct registrar *registrar, struct buf *lines)
{
	size_t at = 0;

	while (!buf_failed(lines) && at < lines->len) {
		struct slice rest = slice_sub(buf_slice(lines), at, lines->len), line;
		size_t before = rest.len;
		if (!slice_next_line(&rest, &line))
			break;
		size_t len = before - rest.len;
		if (!is_for_us(registrar, line)) {
			at += len;
			continue;
		}
		memmove(lines->data + at, lines->data + at + len, lines->len - at - len);
		lines->len -= len;
	}
}
