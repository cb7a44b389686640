/* The requests that follow from an INVITE we sent: ACK to a failure, CANCEL, and the same request
 * over another transport. All are made from the bytes sent, which are ours: one header a line, full
 * names, no folds. SPDX-License-Identifier: Apache-2.0 */
#include "sbc/transaction/internal.h"

void make_branch(struct transactions *transactions, uint64_t number, char out[BRANCH_LENGTH])
{
	memcpy(out, "z9hG4bK", 7);
	transactions->config.branch(transactions->config.owner, number, out + 7);
}

void write_with_via(struct transactions *transactions, struct slice bytes,
		    const struct transport_path *path, struct slice branch, struct buf *out)
{
	size_t line = slice_find(bytes, '\n') + 1;
	enum sip_transport transport = (enum sip_transport)path->transport;
	const char *sent_by =
		transactions->config.sent_by(transactions->config.owner, path->listener);

	buf_clear(out);
	buf_add(out, slice_sub(bytes, 0, line));
	builder_via(out, sip_transport_text(transport), slice_from(sent_by), branch,
		    sip_transport_is_reliable(transport));
	buf_add(out, slice_sub(bytes, line, bytes.len));
}

/* The value of the first header of this name; our own spelling. */
static struct slice value_of(struct slice request, struct slice name)
{
	struct slice line;
	while (slice_next_line(&request, &line) && line.len) {
		if (slice_starts(line, name) && line.len > name.len && line.data[name.len] == ':')
			return slice_trim(slice_sub(line, name.len + 1, line.len));
	}
	return SLICE_NONE;
}

static void copy_lines(struct slice request, struct slice name, struct buf *out)
{
	struct slice line;
	while (slice_next_line(&request, &line) && line.len) {
		if (slice_starts(line, name) && line.len > name.len && line.data[name.len] == ':') {
			buf_add(out, line);
			buf_add(out, SLICE("\r\n"));
		}
	}
}

static void write_follower(struct slice invite, enum method method, struct slice to,
			   struct slice headers, struct buf *out)
{
	struct slice rest = invite, line = SLICE_NONE, number;
	struct slice cseq = value_of(invite, SLICE("CSeq"));
	uint32_t value = 0;

	/* Our own first line: "INVITE uri SIP/2.0". */
	if (!slice_next_line(&rest, &line))
		out->failed = true;
	slice_cut(&line, ' ');
	number = slice_cut(&cseq, ' ');
	if (slice_to_u32(number, UINT32_MAX, &value))
		out->failed = true;
	builder_request_line(out, method_text(method), slice_cut(&line, ' '));
	copy_lines(invite, SLICE("Via"), out);
	copy_lines(invite, SLICE("Route"), out);
	builder_header(out, HEADER_FROM, value_of(invite, SLICE("From")));
	builder_header(out, HEADER_TO, to);
	builder_header(out, HEADER_CALL_ID, value_of(invite, SLICE("Call-ID")));
	builder_cseq(out, value, method_text(method));
	builder_header_number(out, HEADER_MAX_FORWARDS, 70);
	buf_add(out, headers);
	builder_body(out, SLICE_NONE, SLICE_NONE);
}

void write_ack(struct slice invite, const struct scan *response, struct buf *out)
{
	buf_clear(out);
	write_follower(invite, METHOD_ACK, scan_value(response, HEADER_TO), SLICE_NONE, out);
}

void write_cancel(struct slice invite, struct slice headers, struct buf *out)
{
	buf_clear(out);
	write_follower(invite, METHOD_CANCEL, value_of(invite, SLICE("To")), headers, out);
}

struct slice branch_of(struct slice request)
{
	size_t at = slice_find_slice(request, SLICE(";branch=")) + 8;
	return slice_sub(request, at, BRANCH_LENGTH);
}

void write_rerouted(struct transactions *transactions, struct slice request,
		    const struct transport_path *path, struct slice branch, struct buf *out)
{
	struct slice rest = request, line = SLICE_NONE, via = SLICE_NONE;
	struct buf plain;

	buf_init(&plain);
	if (slice_next_line(&rest, &line) && slice_next_line(&rest, &via)) {
		buf_add(&plain, line);
		buf_add(&plain, SLICE("\r\n"));
		buf_add(&plain, rest);
	}
	write_with_via(transactions, buf_slice(&plain), path, branch, out);
	if (buf_failed(&plain))
		out->failed = true;
	buf_free(&plain);
}
