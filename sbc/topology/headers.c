/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/headers.h"
#include "control/base/table.h"
#include "sbc/message/builder.h"
#include "sbc/topology/rules.h"

static void reason_member(struct slice member, struct buf *out)
{
	size_t cut = slice_find(member, ';');
	struct slice parameters = slice_sub(member, cut, member.len);
	struct slice name, value;

	buf_add(out, slice_trim(slice_sub(member, 0, cut)));
	while (parameter_next(&parameters, &name, &value)) {
		if (!slice_equal_nocase(name, SLICE("cause")))
			continue;
		buf_add_text(out, ";cause=");
		buf_add(out, value);
	}
}

void headers_reason(struct slice value, struct buf *out)
{
	struct slice member;
	bool more = false;

	while (list_next(&value, &member)) {
		if (more)
			buf_add_text(out, ", ");
		reason_member(member, out);
		more = true;
	}
}

/* --- Warning (RFC 3261 20.43): warn-code warn-agent "text" --- */

static const char *warning_text(uint32_t code)
{
	static const struct {
		uint32_t code;
		const char *text;
	} texts[] = {
		{300, "Incompatible network protocol"},
		{301, "Incompatible network address formats"},
		{302, "Incompatible transport protocol"},
		{303, "Incompatible bandwidth units"},
		{304, "Media type not available"},
		{305, "Incompatible media format"},
		{306, "Attribute not understood"},
		{307, "Session description parameter not understood"},
		{330, "Multicast not available"},
		{331, "Unicast not available"},
		{370, "Insufficient bandwidth"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].code == code)
			return texts[i].text;
	return "Miscellaneous warning";
}

static void write_warning(const struct crossing *crossing, struct slice value, struct buf *out)
{
	struct slice member;
	bool more = false;

	while (list_next(&value, &member)) {
		struct slice code, agent, text = member;
		uint32_t number;
		if (!slice_next_word(&text, &code) || !slice_next_word(&text, &agent) ||
		    slice_to_u32(code, 999, &number) != 0 || number < 100)
			continue;
		buf_printf(out, "%s%u ", more ? ", " : "", number);
		hosts_write_own(crossing->way.config, crossing->way.interface, out);
		buf_add_char(out, ' ');
		if (crossing->to_trusted)
			buf_add(out, slice_trim(text));
		else
			buf_printf(out, "\"%s\"", warning_text(number));
		more = true;
	}
}

/* --- Retry-After: seconds (comment) ;duration=x --- */

static void write_retry(struct slice value, struct buf *out)
{
	size_t digits = 0;
	struct slice duration;
	uint32_t number;

	while (digits < value.len && value.data[digits] >= '0' && value.data[digits] <= '9')
		digits++;
	if (slice_to_u32(slice_sub(value, 0, digits), UINT32_MAX, &number) != 0)
		return;
	buf_add_u64(out, number);
	/* A semicolon inside the comment makes no parameter that is one. */
	size_t at = value.len;
	while (at > 0 && value.data[at - 1] != ';' && value.data[at - 1] != ')')
		at--;
	if (at > 0 && value.data[at - 1] == ';' &&
	    parameter_find(slice_sub(value, at - 1, value.len), SLICE("duration"), &duration) &&
	    slice_to_u32(duration, UINT32_MAX, &number) == 0)
		buf_printf(out, ";duration=%u", number);
}

/* --- Privacy --- */

bool headers_want_privacy(const struct message *message)
{
	struct slice value = message_value(message, HEADER_PRIVACY);
	return policy_privacy_has(value, SLICE("user")) ||
	       policy_privacy_has(value, SLICE("header"));
}

bool headers_hide_user(const struct message *message, const struct crossing *crossing)
{
	return crossing->applies_privacy && headers_want_privacy(message);
}

static void write_privacy(const struct crossing *crossing, struct slice value, struct buf *out)
{
	static const struct slice done[] = {
		{"user", 4}, {"header", 6}, {"session", 7}, {"critical", 8}};

	while (value.len > 0) {
		struct slice one = slice_trim(slice_cut(&value, ';'));
		bool is_done = one.len == 0;
		for (size_t i = 0; crossing->applies_privacy && i < sizeof(done) / sizeof(done[0]);
		     i++)
			is_done = is_done || slice_equal_nocase(one, done[i]);
		if (is_done)
			continue;
		if (out->len > 0)
			buf_add_char(out, ';');
		buf_add(out, one);
	}
}

/* --- URIs --- */

static void write_addresses(const struct crossing *crossing, struct slice value, struct buf *out)
{
	struct slice member;
	bool more = false;

	while (list_next(&value, &member)) {
		struct name_addr address;
		struct buf mapped;
		buf_init(&mapped);
		if (more)
			buf_add_text(out, ", ");
		more = true;
		if (name_addr_parse(member, &address) != 0 ||
		    !hosts_map(&crossing->way, address.uri, &mapped)) {
			buf_add(out, member);
		} else {
			if (address.display.len > 0) {
				buf_add(out, address.display);
				buf_add_char(out, ' ');
			}
			buf_add_char(out, '<');
			buf_add(out, buf_slice(&mapped));
			buf_add_char(out, '>');
			buf_add(out, address.parameters);
		}
		if (buf_failed(&mapped))
			out->failed = true;
		buf_free(&mapped);
	}
}

/* --- Session-ID (RFC 7989): 32 hexadecimal digits, ;remote=32 more --- */

enum { SESSION_DIGITS = 32 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_session(struct slice value, uint8_t out[16])
{
	struct slice text = slice_trim(slice_sub(value, 0, slice_find(value, ';')));
	uint8_t any = 0;

	if (text.len != SESSION_DIGITS)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		any |= out[i];
	}
	return any; /* all zero: it has none */
}

void session_ids_write(const struct session_ids *ids, char out[SESSION_IDS_SIZE])
{
	memcpy(out, ids->seed, 16);
	memcpy(out + 16, ids->ids, 32);
	out[48] = ids->is_known[0];
	out[49] = ids->is_known[1];
}

bool session_ids_read(struct slice bytes, struct session_ids *out)
{
	if (bytes.len != SESSION_IDS_SIZE)
		return false;
	memcpy(out->seed, bytes.data, 16);
	memcpy(out->ids, bytes.data + 16, 32);
	out->is_known[0] = bytes.data[48] != 0;
	out->is_known[1] = bytes.data[49] != 0;
	return true;
}

/* A version 4 look (RFC 4122), the same each time it is asked for. */
static void make_session(const struct session_ids *session, uint8_t side, uint8_t out[16])
{
	for (uint64_t half = 0; half < 2; half++) {
		uint64_t input[2] = {side, half};
		uint64_t hash =
			siphash((struct slice){(const char *)input, sizeof(input)}, session->seed);
		memcpy(out + 8 * half, &hash, 8);
	}
	out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
	out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

static void add_hex(struct buf *out, const uint8_t id[16])
{
	static const char digits[] = "0123456789abcdef";
	char text[SESSION_DIGITS];

	for (size_t i = 0; i < 16; i++) {
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	buf_add(out, (struct slice){text, sizeof(text)});
}

static void write_session(const struct message *message, const struct crossing *crossing,
			  struct buf *out)
{
	struct session_ids *session = crossing->session;
	uint8_t from = crossing->from & 1, to = from ^ 1;
	static const uint8_t none[16];
	struct slice value;
	uint8_t id[16];

	if (message_header(message, SLICE("Session-ID"), &value) && read_session(value, id)) {
		memcpy(session->ids[from], id, sizeof(id));
		session->is_known[from] = true;
	} else if (!session->is_known[from]) {
		make_session(session, from, session->ids[from]);
		session->is_known[from] = true;
	}
	buf_add_text(out, "Session-ID: ");
	add_hex(out, session->ids[from]);
	buf_add_text(out, ";remote=");
	add_hex(out, session->is_known[to] ? session->ids[to] : none);
	buf_add_text(out, "\r\n");
}

/* --- all of them --- */

/* False: the value goes as it is. */
static bool rewrite(struct slice name, struct slice value, const struct crossing *crossing,
		    struct buf *out)
{
	switch (policy_header_rule(name)) {
	case RULE_REASON:
		if (crossing->to_trusted)
			return false;
		headers_reason(value, out);
		return true;
	case RULE_WARNING:
		if (crossing->way.config)
			write_warning(crossing, value, out);
		return true;
	case RULE_RETRY:
		write_retry(value, out);
		return true;
	case RULE_PRIVACY:
		write_privacy(crossing, value, out);
		return true;
	default:
		break;
	}
	if (!crossing->way.config || !policy_header_has_addresses(name))
		return false;
	write_addresses(crossing, value, out);
	return true;
}

static bool is_written(struct slice name, struct slice lines)
{
	struct slice line;

	while (slice_next_line(&lines, &line))
		if (slice_starts_nocase(line, name) && line.len > name.len &&
		    line.data[name.len] == ':')
			return true;
	return false;
}

void headers_copy(const struct message *message, const struct crossing *crossing, struct buf *out)
{
	size_t count = message_header_count(message);
	bool hides_user = headers_hide_user(message, crossing);
	struct buf value;

	buf_init(&value);
	for (size_t i = 0; i < count; i++) {
		const struct header *header = message_header_at(message, i);
		/* Compact and odd spellings come out in full. */
		struct slice name =
			header->id == HEADER_OTHER ? header->name : header_text(header->id);
		if (is_written(name, crossing->own) ||
		    !rules_let_cross(crossing, name,
				     policy_header_crosses(name, crossing, hides_user)))
			continue;
		buf_clear(&value);
		if (!rewrite(name, header->value, crossing, &value))
			builder_header_text(out, name, header->value);
		else if (value.len > 0)
			builder_header_text(out, name, buf_slice(&value));
		out->failed = out->failed || buf_failed(&value);
	}
	buf_free(&value);
	rules_write(crossing, hides_user, out);
	if (crossing->session)
		write_session(message, crossing, out);
}

/* --- option tags --- */

/* Those that ask nothing of who stands between. */
static const struct slice end_to_end_options[] = {
	{"answermode", 10},
	{"eventlist", 9},
	{"explicitsub", 11},
	{"geolocation-http", 16},
	{"geolocation-sip", 15},
	{"histinfo", 8},
	{"multiple-refer", 14},
	{"norefersub", 10},
	{"nosub", 5},
	{"pref", 4},
	{"recipient-list-message", 22},
	{"recipient-list-subscribe", 24},
	{"replaces", 8},
	{"resource-priority", 17},
	{"uui", 3},
};
enum { END_TO_END_OPTIONS = sizeof(end_to_end_options) / sizeof(end_to_end_options[0]) };

void headers_options(const struct message *message, enum header_id id, struct buf *out)
{
	struct slice member;
	bool is_begun = false;

	for (size_t i = 0; message_member(message, id, i, &member); i++) {
		size_t at = 0;
		while (at < END_TO_END_OPTIONS &&
		       !slice_equal_nocase(member, end_to_end_options[at]))
			at++;
		if (at == END_TO_END_OPTIONS)
			continue;
		buf_add(out, is_begun ? SLICE(", ") : header_text(id));
		if (!is_begun)
			buf_add_text(out, ": ");
		buf_add(out, end_to_end_options[at]);
		is_begun = true;
	}
	if (is_begun)
		buf_add_text(out, "\r\n");
}

bool headers_unsupported(const struct message *request, struct buf *unsupported)
{
	const struct scan *scan = message_scan(request);
	bool is_bad = scan_unknown_options(scan, HEADER_REQUIRE, end_to_end_options,
					   END_TO_END_OPTIONS, unsupported);
	return scan_unknown_options(scan, HEADER_PROXY_REQUIRE, NULL, 0, unsupported) || is_bad;
}
