/* What names a transaction (RFC 3261 17.1.3, 17.2.3). The texts are hashed twice with secret keys
 * and not kept: nobody can choose two requests that meet.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transaction/internal.h"

/* With its length in front, so that "ab","c" and "a","bc" differ. */
static void add_part(struct buf *buf, struct slice part)
{
	uint32_t len = (uint32_t)part.len;
	buf_add(buf, (struct slice){(const char *)&len, sizeof(len)});
	buf_add(buf, part);
}

static void add_number(struct buf *buf, uint32_t number)
{
	buf_add(buf, (struct slice){(const char *)&number, sizeof(number)});
}

static void finish(struct transactions *transactions, struct key *out)
{
	struct slice text = buf_slice(&transactions->scratch);
	/* Branches compare without case (RFC 3261 7.3.1); where case matters (Call-ID) two that
	 * differ in it alone are not met in practice and come from one sender. */
	out->hash = siphash_nocase(text, &transactions->key[0]);
	out->check = siphash_nocase(text, &transactions->key[2]);
}

void key_of_request(struct transactions *transactions, const struct scan *scan,
		    const struct transport_path *path, enum method method, struct key *out)
{
	struct buf *buf = &transactions->scratch;
	struct addr source = path->remote;
	char text[ADDR_TEXT_SIZE];

	buf_clear(buf);
	/* Whose it is: a branch overheard or guessed cancels nobody else's INVITE. The port may
	 * change, with a NAT or a new connection. */
	add_number(buf, path->interface);
	add_part(buf, slice_from(addr_ip_text(&source, text)));
	/* An unknown method is told by its name. */
	add_part(buf, method == METHOD_UNKNOWN ? scan->method_text : method_text(method));
	add_number(buf, scan->via.port);
	add_part(buf, scan->via.host);
	if (branch_is_rfc3261(scan->via.branch)) {
		add_part(buf, scan->via.branch);
	} else {
		/* RFC 2543: the To tag is left out, since the ACK carries the one we gave. */
		add_part(buf, scan->request_uri);
		add_part(buf, scan->call_id);
		add_part(buf, scan->from_tag);
		add_number(buf, scan->cseq);
		add_part(buf, scan->via.raw);
	}
	finish(transactions, out);
}

void key_of_branch(struct transactions *transactions, struct slice branch, struct slice method,
		   struct key *out)
{
	buf_clear(&transactions->scratch);
	add_part(&transactions->scratch, method);
	add_part(&transactions->scratch, branch);
	finish(transactions, out);
}

uint64_t hash_of_id(uint64_t id)
{
	return id * 0x9e3779b97f4a7c15ull; /* ids count up: spread them over the buckets */
}
