/* One via-parm (RFC 3261 20.42), with spaces wherever its grammar allows them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/message/scan.h"

#include "sbc/message/chars.h"

static bool cut_token(struct slice *s, struct slice *token)
{
	size_t n = 0;
	while (n < s->len && chars_has(CHARS_TOKEN, s->data[n]))
		n++;
	*token = slice_sub(*s, 0, n);
	*s = slice_sub(*s, n, s->len);
	return n != 0;
}

static bool cut_slash(struct slice *s)
{
	skip_space(s);
	if (s->len == 0 || s->data[0] != '/')
		return false;
	*s = slice_sub(*s, 1, s->len);
	skip_space(s);
	return true;
}

static bool parse_parameters(struct via *via)
{
	struct slice rest = via->parameters, name, value;
	unsigned int branches = 0;

	while (parameter_next(&rest, &name, &value)) {
		if (slice_equal_nocase(name, SLICE("branch"))) {
			via->branch = value;
			branches++;
		} else if (slice_equal_nocase(name, SLICE("rport"))) {
			via->rport = true;
		}
	}
	skip_space(&rest);
	return rest.len == 0 && branches <= 1;
}

int via_parse(struct slice member, struct via *out)
{
	struct via via = {.raw = member};
	struct slice rest = member, name, version;

	if (!cut_token(&rest, &name) || !slice_equal_nocase(name, SLICE("SIP")) ||
	    !cut_slash(&rest) || !cut_token(&rest, &version) ||
	    !slice_equal(version, SLICE("2.0")) || !cut_slash(&rest) ||
	    !cut_token(&rest, &via.transport))
		return -ERR_MALFORMED;
	if (rest.len == 0 || !char_is_space(rest.data[0]))
		return -ERR_MALFORMED;
	skip_space(&rest);
	if (host_port_cut(&rest, &via.host, &via.port))
		return -ERR_MALFORMED;
	via.parameters = rest;
	if (!parse_parameters(&via))
		return -ERR_MALFORMED;
	*out = via;
	return 0;
}

bool branch_is_rfc3261(struct slice branch)
{
	/* The bare cookie is nobody's unique number (RFC 4475 3.2.1). */
	return slice_starts_nocase(branch, SLICE("z9hG4bK")) && branch.len > 7;
}
