/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/worker/shard.h"

#include "control/base/table.h"

static bool is_ours(const struct shard *shard, enum token_kind kind, struct slice text,
		    uint8_t *worker)
{
	struct token token;

	if (token_read(shard->key, kind, text, &token))
		return false;
	/* A smaller number of workers than when it was made: any one will do, but always that. */
	*worker = (uint8_t)(token.worker % shard->workers);
	return true;
}

static uint8_t by_hash(const struct shard *shard, uint64_t hash)
{
	return (uint8_t)(hash % shard->workers);
}

/* The user alone tells: a phone may register with our address for a domain and be called by a name,
 * or by the address of the other side, and the registrar takes them for one
 * (sbc/registration/mask.c). */
uint8_t shard_of_aor(const struct shard *shard, struct slice text)
{
	struct uri uri;
	struct buf user;

	if (uri_parse(text, &uri) || uri.scheme == URI_OTHER || uri.scheme == URI_TEL ||
	    !uri.user.len)
		return by_hash(shard, uri_hash(text, shard->hash_key));
	uri = (struct uri){.scheme = URI_SIP, .user = uri.user};
	buf_init(&user);
	int err = uri_canonical(&uri, &user);
	uint64_t hash = siphash(err ? uri.user : buf_slice(&user), shard->hash_key);
	buf_free(&user);
	return by_hash(shard, hash);
}

static bool by_branch(const struct shard *shard, const struct scan *scan, uint8_t *worker)
{
	return branch_is_rfc3261(scan->via.branch) &&
	       is_ours(shard, TOKEN_BRANCH, slice_sub(scan->via.branch, 7, scan->via.branch.len),
		       worker);
}

static bool by_request_uri(const struct shard *shard, const struct scan *scan, uint8_t *worker)
{
	struct slice token;
	struct uri uri;

	if (uri_parse(scan->request_uri, &uri))
		return false;
	token = uri.user;
	(void)uri_parameter(&uri, SLICE(SHARD_BULK_PARAMETER), &token);
	return is_ours(shard, TOKEN_CONTACT, token, worker) ||
	       is_ours(shard, TOKEN_SUBSCRIPTION, token, worker);
}

uint8_t shard_of(const struct shard *shard, const struct scan *scan, enum shard_source source)
{
	uint8_t worker = 0;

	if (shard->workers < 2)
		return 0;
	if (!scan->is_request) {
		if (!by_branch(shard, scan, &worker))
			worker = by_hash(shard, siphash(scan->call_id, shard->hash_key));
		return worker;
	}
	struct slice tag = slice_sub(scan->to_tag, 0, TOKEN_LENGTH); /* marks may follow */
	if (is_ours(shard, TOKEN_TAG, tag, &worker) ||
	    is_ours(shard, TOKEN_SUBSCRIPTION, tag, &worker) ||
	    by_request_uri(shard, scan, &worker))
		return worker;
	if (source == SHARD_PEER_UNTRUSTED)
		return by_hash(shard, siphash(scan->call_id, shard->hash_key));
	if (source == SHARD_PEER_TRUSTED)
		return shard_of_aor(shard, scan->request_uri);
	return shard_of_aor(shard, scan->method == METHOD_REGISTER ? scan->to.uri : scan->from.uri);
}
