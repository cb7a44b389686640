/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/hops.h"
#include "control/base/table.h"

enum {
	MARK = 6,      /* characters: 30 bits */
	MARKS_MAX = 8, /* what goes round further ends by Max-Forwards */
};

static void make_mark(const struct worker *worker, const struct message *request,
		      const struct transport_path *path, char out[MARK])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	/* The same in all workers, and nobody else's. */
	const uint64_t key[2] = {worker->token_key->mac[1], worker->token_key->cipher[0]};
	uint64_t hash =
		siphash(message_request_uri(request), key) + path->interface * 0x9e3779b97f4a7c15u;

	for (int i = 0; i < MARK; i++)
		out[i] = alphabet[hash >> (5 * i + 24) & 31];
}

/* What stands behind the token of a tag of ours: "-" and marks. */
static struct slice marks_of(const struct worker *worker, enum token_kind kind,
			     const struct message *request)
{
	struct slice tag = message_from_tag(request);
	struct token token;

	if (tag.len <= TOKEN_LENGTH || tag.data[TOKEN_LENGTH] != '-' ||
	    token_read(worker->token_key, kind, slice_sub(tag, 0, TOKEN_LENGTH), &token) != 0)
		return SLICE_NONE;
	return slice_sub(tag, TOKEN_LENGTH + 1, tag.len);
}

bool hops_came_round(const struct worker *worker, enum token_kind kind,
		     const struct message *request, const struct transport_path *path)
{
	struct slice marks = marks_of(worker, kind, request);
	char mark[MARK];

	if (marks.len == 0)
		return false;
	make_mark(worker, request, path, mark);
	for (size_t at = 0; at + MARK <= marks.len; at += MARK)
		if (slice_equal_nocase(slice_sub(marks, at, at + MARK), (struct slice){mark, MARK}))
			return true;
	return false;
}

void hops_write_tag(const struct worker *worker, enum token_kind kind,
		    const struct message *request, const struct transport_path *path,
		    struct slice token, struct buf *out)
{
	struct slice marks = marks_of(worker, kind, request);
	size_t room = (MARKS_MAX - 1) * MARK;
	char mark[MARK];

	make_mark(worker, request, path, mark);
	marks = slice_sub(marks, 0, marks.len - marks.len % MARK);
	buf_add(out, token);
	buf_add_char(out, '-');
	buf_add(out, slice_sub(marks, marks.len > room ? marks.len - room : 0, marks.len));
	buf_add(out, (struct slice){mark, MARK});
}
