/* renumber.c - who calls is said in more places than From: the identities that cross (RFC 3325,
 * Remote-Party-ID) follow the same rules of numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/verbs.h"
#include "sbc/route/numbers.h"
#include "sbc/topology/owned.h"

static bool names_caller(struct slice name)
{
	static const struct slice names[] = {
		{"P-Asserted-Identity", 19}, {"P-Preferred-Identity", 20}, {"Remote-Party-ID", 15}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal_nocase(name, names[i]))
			return true;
	return false;
}

/* The URI is one piece of its member: what stands around it stays. */
static void write_member(struct slice member, const struct config_number_rules *in,
			 const struct config_number_rules *out, struct buf *to)
{
	struct name_addr address;
	struct buf came, goes;

	if (name_addr_parse(member, &address) != 0) {
		buf_add(to, member);
		return;
	}
	size_t at = (size_t)(address.uri.data - member.data);
	buf_init(&came);
	buf_init(&goes);
	int err = numbers_apply(in, address.uri, &came);
	if (!err)
		err = numbers_apply(out, buf_slice(&came), &goes);
	buf_add(to, slice_sub(member, 0, at));
	buf_add(to, buf_slice(&goes));
	buf_add(to, slice_sub(member, at + address.uri.len, member.len));
	to->failed = to->failed || err;
	buf_free(&came);
	buf_free(&goes);
}

static void write_line(struct slice line, const struct config_number_rules *in,
		       const struct config_number_rules *out, struct buf *to)
{
	struct slice value = line, member;
	struct slice name = slice_cut(&value, ':');
	bool is_first = true;

	if (!names_caller(slice_trim(name))) {
		buf_add(to, line);
	} else {
		buf_add(to, name);
		while (list_next(&value, &member)) {
			buf_add_text(to, is_first ? ": " : ", ");
			write_member(slice_trim(member), in, out, to);
			is_first = false;
		}
	}
	buf_add_text(to, "\r\n");
}

int renumber_lines(const struct config_number_rules *in, const struct config_number_rules *out,
		   struct slice *lines)
{
	struct slice rest = *lines, line;
	struct buf written;

	if (in->count == 0 && out->count == 0)
		return 0;
	buf_init(&written);
	while (slice_next_line(&rest, &line))
		write_line(line, in, out, &written);
	int err = buf_failed(&written) ? -ERR_NO_MEMORY : owned_set(lines, buf_slice(&written));
	buf_free(&written);
	return err;
}
