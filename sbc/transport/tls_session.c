/* Sessions with servers, remembered so that the next connection costs no public-key work. A fixed
 * number: the oldest gives way. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transport/tls_private.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 64 };

struct remembered {
	SSL_SESSION *session; /* NULL = free */
	struct tls_key key;
};

struct tls_sessions {
	struct remembered list[SESSIONS_MAX];
	size_t next;
	uint32_t generation; /* what a link of another one brings is not remembered */
};

int tls_sessions_create(struct tls_sessions **out)
{
	struct tls_sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return -ERR_NO_MEMORY;
	*out = sessions;
	return 0;
}

void tls_sessions_clear(struct tls_sessions *sessions)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		SSL_SESSION_free(sessions->list[i].session);
		sessions->list[i].session = NULL;
	}
	sessions->generation++;
}

void tls_sessions_destroy(struct tls_sessions *sessions)
{
	if (sessions)
		tls_sessions_clear(sessions);
	free(sessions);
}

static struct remembered *find(struct tls_sessions *sessions, const struct tls_key *key)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct remembered *one = &sessions->list[i];
		if (one->session && one->key.side == key->side &&
		    addr_equal(&one->key.remote, &key->remote) &&
		    strcmp(one->key.name, key->name) == 0)
			return one;
	}
	return NULL;
}

int session_on_new(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_link *link = SSL_get_app_data(ssl);

	if (!link || !link->sessions || !link->key ||
	    link->generation != link->sessions->generation)
		return 0;
	struct remembered *place = find(link->sessions, link->key);
	if (!place)
		place = &link->sessions->list[link->sessions->next++ % SESSIONS_MAX];
	SSL_SESSION_free(place->session);
	place->session = session;
	place->key = *link->key;
	return 1; /* taken over */
}

void session_use(struct tls_link *link)
{
	struct remembered *place = link->sessions ? find(link->sessions, link->key) : NULL;

	link->generation = link->sessions ? link->sessions->generation : 0;
	/* A ticket is used once (RFC 8446 C.4); the connection brings the next one. What cannot be
	 * used any more is found out by the handshake, which then is a full one. */
	if (!place)
		return;
	(void)SSL_set_session(link->ssl, place->session);
	SSL_SESSION_free(place->session);
	place->session = NULL;
}
