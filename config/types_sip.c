/* What SIP has words for: numbers, methods, headers, answers; and the hours of a route.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#define VALUE(type) (*(const type *)value)
#define NUMBER_MAX  64
#define HEADERS_MAX 64

/* --- numbers -------------------------------------------------------------------------------------
 */

static bool number_parse(struct loaded *loaded, struct slice text, struct config_number *out)
{
	struct config_number number = {NULL, false};

	if (text.len == 0 || text.len > NUMBER_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] == '@' || text.data[i] == ':')
			return false;
	if (text.data[text.len - 1] == '*') {
		number.is_prefix = true;
		text.len--;
	}
	number.text = type_text(loaded, text);
	*out = number;
	return true;
}

static void number_add(struct buf *out, const struct config_number *number)
{
	buf_add_char(out, '"');
	for (const char *c = number->text ? number->text : ""; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *c);
	}
	buf_add_text(out, number->is_prefix ? "*\"" : "\"");
}

static bool called_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	return number_parse(loaded, node->text, out) || type_wrong(loaded, key, node);
}

static void called_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	number_add(out, value);
}

const struct schema_type type_called = {
	.name = "number",
	.write = "\"112\", or \"+33*\" for all that begin so",
	.size = sizeof(struct config_number),
	.read = called_read,
	.print = called_print,
};

/* --- rules of numbers: {from: "0*", to: "+33*"} --------------------------------------------------
 */

static bool rule_read(struct loaded *loaded, const struct schema_key *key,
		      const struct yaml_node *node, void *out)
{
	const struct yaml_node *from = yaml_get(node, SLICE("from"));
	const struct yaml_node *to = yaml_get(node, SLICE("to"));
	struct config_number_rule rule;

	if (!from || !to || node->count != 2 || from->type != YAML_SCALAR ||
	    to->type != YAML_SCALAR) {
		finding_error(&loaded->findings, node->place, "no %s: write %s", key->type->name,
			      key->type->write);
		return false;
	}
	if (!number_parse(loaded, from->text, &rule.from))
		return type_wrong(loaded, key, from);
	if (!number_parse(loaded, to->text, &rule.to))
		return type_wrong(loaded, key, to);
	if (rule.to.is_prefix != rule.from.is_prefix) {
		finding_error(&loaded->findings, to->place,
			      "a star on one side only: it stands for the rest of the number, "
			      "on both");
		finding_note(&loaded->findings, from->place, "the other side is here");
		return false;
	}
	*(struct config_number_rule *)out = rule;
	return true;
}

static void rule_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		       struct buf *out)
{
	(void)loaded;
	(void)key;
	buf_add_text(out, "{from: ");
	number_add(out, &VALUE(struct config_number_rule).from);
	buf_add_text(out, ", to: ");
	number_add(out, &VALUE(struct config_number_rule).to);
	buf_add_char(out, '}');
}

const struct schema_type type_rule = {
	.name = "rule of numbers",
	.write = "{from: \"0*\", to: \"+33*\"}",
	.size = sizeof(struct config_number_rule),
	.takes_map = true,
	.read = rule_read,
	.print = rule_print,
};

/* --- methods -------------------------------------------------------------------------------------
 */

static bool method_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	bool good = type_is_token(node->text) && node->text.len <= 32;

	for (size_t i = 0; i < node->text.len; i++)
		good = good && !(node->text.data[i] >= 'a' && node->text.data[i] <= 'z');
	if (!good)
		return type_wrong(loaded, key, node);
	*(const char **)out = type_text(loaded, node->text);
	return true;
}

const struct schema_type type_method = {
	.name = "method",
	.write = "INVITE, REGISTER and so on, in capitals",
	.pattern = "^[A-Z0-9.!%*_+`'~-]+$",
	.size = sizeof(const char *),
	.read = method_read,
	.print = type_text_print,
};

/* --- headers -------------------------------------------------------------------------------------
 */

/* Each of these is a header that we make ourselves, or that a dialog lives by. */
static bool header_is_ours(struct slice name)
{
	static const char *const ours[] = {
		"Via",
		"v",
		"From",
		"f",
		"To",
		"t",
		"Call-ID",
		"i",
		"CSeq",
		"Contact",
		"m",
		"Route",
		"Record-Route",
		"Max-Forwards",
		"Content-Length",
		"l",
		"Content-Type",
		"c",
		"RAck",
		"RSeq",
		"Path",
		"Service-Route",
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (slice_equal_nocase(name, slice_from(ours[i])))
			return true;
	return false;
}

static bool header_check(struct loaded *loaded, const struct yaml_node *node, struct place place,
			 struct slice name)
{
	(void)node;
	if (!header_is_ours(name))
		return true;
	finding_error(&loaded->findings, place,
		      "%.*s is made anew on each side: no rule can keep, take or set it",
		      SLICE_ARG(name));
	return false;
}

static bool header_read(struct loaded *loaded, const struct schema_key *key,
			const struct yaml_node *node, void *out)
{
	struct slice name = node->text;
	bool star = name.len > 0 && name.data[name.len - 1] == '*';

	if (star)
		name.len--;
	if ((name.len || !star) &&
	    (!type_is_token(name) || name.len > NUMBER_MAX || slice_find(name, '*') < name.len))
		return type_wrong(loaded, key, node);
	if (!star && !header_check(loaded, node, node->place, name))
		return false;
	*(const char **)out = type_text(loaded, node->text);
	return true;
}

static void header_print(const struct loaded *loaded, const struct schema_key *key,
			 const void *value, struct buf *out)
{
	(void)loaded;
	(void)key;
	type_quoted_add(out, *(const char *const *)value);
}

const struct schema_type type_header = {
	.name = "header",
	.write = "a name such as User-Agent, or X-* for all that begin so",
	.pattern = "^[A-Za-z0-9.!%_+`'~-]*[*]?$",
	.size = sizeof(const char *),
	.read = header_read,
	.print = header_print,
};

static bool header_value_is_fine(const struct yaml_node *node)
{
	if (node->type != YAML_SCALAR || node->text.len == 0 || node->text.len > 1024)
		return false;
	for (size_t i = 0; i < node->text.len; i++)
		if ((unsigned char)node->text.data[i] < ' ')
			return false;
	return true;
}

static bool headers_read(struct loaded *loaded, const struct schema_key *key,
			 const struct yaml_node *node, void *out)
{
	struct raw_headers headers = {NULL, 0};
	struct config_header *list;

	if (node->type != YAML_MAP || node->count > HEADERS_MAX) {
		finding_error(&loaded->findings, node->place,
			      "%s takes at most %d headers: write %s", key->path, HEADERS_MAX,
			      key->type->write);
		return false;
	}
	list = arena_zalloc(loaded->arena, (node->count ? node->count : 1) * sizeof(*list));
	if (!list) {
		loaded->findings.failed = true;
		return false;
	}
	for (const struct yaml_node *child = node->first; child; child = child->next) {
		if (!type_is_token(child->key) || slice_find(child->key, '*') < child->key.len) {
			finding_error(&loaded->findings, child->key_place,
				      "\"%.*s\" is no name of a header", SLICE_ARG(child->key));
			return false;
		}
		if (!header_check(loaded, child, child->key_place, child->key))
			return false;
		if (!header_value_is_fine(child)) {
			finding_error(&loaded->findings, child->place,
				      "%.*s takes a text of 1 to 1024 characters on one line",
				      SLICE_ARG(child->key));
			return false;
		}
		list[headers.count].name = type_text(loaded, child->key);
		list[headers.count++].value = type_text(loaded, child->text);
	}
	headers.list = list;
	*(struct raw_headers *)out = headers;
	return true;
}

static void headers_print(const struct loaded *loaded, const struct schema_key *key,
			  const void *value, struct buf *out)
{
	struct raw_headers headers = VALUE(struct raw_headers);

	(void)loaded;
	(void)key;
	if (headers.count == 0)
		return;
	for (size_t i = 0; i < headers.count; i++) {
		buf_add_text(out, i ? ", " : "{");
		type_quoted_add(out, headers.list[i].name);
		buf_add_text(out, ": ");
		type_quoted_add(out, headers.list[i].value);
	}
	buf_add_char(out, '}');
}

const struct schema_type type_headers = {
	.name = "set of headers",
	.write = "{Name: value}",
	.size = sizeof(struct raw_headers),
	.takes_map = true,
	.read = headers_read,
	.print = headers_print,
};

/* --- answers after which another server is tried -------------------------------------------------
 */

/* Authentication and redirection have their own rules; 486 and 6xx are a person's decision. */
static bool code_is_fixed(uint32_t code)
{
	return code < 400 || code == 401 || code == 407 || code == 486 || code == 487 ||
	       code >= 600;
}

static bool failover_read(struct loaded *loaded, const struct schema_key *key,
			  const struct yaml_node *node, void *out)
{
	struct config_failover failover = {0};
	struct slice text = node->text;
	uint32_t code;
	uint64_t us;

	if (slice_starts(text, SLICE("no-answer/"))) {
		if (!type_duration_parse(slice_sub(text, 10, text.len), &us) || us < 1000000 ||
		    us > 300000000)
			return type_wrong(loaded, key, node);
		failover.no_answer_ms = (uint32_t)(us / 1000);
	} else if (text.len == 3 && slice_ends(text, SLICE("xx")) &&
		   (text.data[0] == '4' || text.data[0] == '5')) {
		failover.first_code = (uint16_t)((text.data[0] - '0') * 100);
		failover.last_code = (uint16_t)(failover.first_code + 99);
		if (text.data[0] == '4') {
			finding_error(&loaded->findings, node->place,
				      "4xx holds answers that a person gives (486): name the "
				      "codes one by one");
			return false;
		}
	} else {
		if (slice_to_u32(text, 699, &code) || code < 300)
			return type_wrong(loaded, key, node);
		if (code_is_fixed(code)) {
			finding_error(&loaded->findings, node->place,
				      "%u never leads to another server: it is a decision, a "
				      "redirection or a challenge",
				      code);
			return false;
		}
		failover.first_code = failover.last_code = (uint16_t)code;
	}
	*(struct config_failover *)out = failover;
	return true;
}

static void failover_print(const struct loaded *loaded, const struct schema_key *key,
			   const void *value, struct buf *out)
{
	struct config_failover failover = VALUE(struct config_failover);

	(void)loaded;
	(void)key;
	if (failover.first_code == 0) {
		buf_add_text(out, "no-answer/");
		type_duration_add(out, failover.no_answer_ms * 1000ull);
	} else if (failover.first_code == failover.last_code) {
		buf_add_u64(out, failover.first_code);
	} else {
		buf_printf(out, "%uxx", failover.first_code / 100u);
	}
}

const struct schema_type type_failover = {
	.name = "reason to try another server",
	.write = "408, 5xx or no-answer/8s",
	.pattern = "^([345][0-9][0-9]|5xx|no-answer/[0-9]+(ms|s|m))$",
	.size = sizeof(struct config_failover),
	.read = failover_read,
	.print = failover_print,
};
