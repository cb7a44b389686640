/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/bodies.h"
#include "sbc/message/builder.h"
#include "sbc/topology/multipart.h"
#include "sbc/topology/xml.h"

bool bodies_map_uri(const struct body_rules *rules, struct slice uri, struct buf *out)
{
	if (rules->names.contact && rules->names.contact(rules->names.owner, uri, out))
		return true;
	return hosts_map(&rules->crossing.way, uri, out);
}

/* --- XML --- */

static struct xml_attribute *attribute(struct xml_attribute *attributes, size_t count,
				       struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(attributes[i].name, name))
			return &attributes[i];
	return NULL;
}

static void change(struct xml_attribute *attribute, struct slice value)
{
	if (!attribute)
		return;
	attribute->is_changed = true;
	buf_clear(&attribute->changed);
	buf_add(&attribute->changed, value);
}

/* <dialog call-id local-tag remote-tag> and <replaces> of RFC 4235. */
static void map_dialog(const struct body_rules *rules, struct xml_attribute *attributes,
		       size_t count)
{
	struct xml_attribute *call_id = attribute(attributes, count, SLICE("call-id"));
	struct xml_attribute *local = attribute(attributes, count, SLICE("local-tag"));
	struct xml_attribute *remote = attribute(attributes, count, SLICE("remote-tag"));
	struct dialog_name name, mapped;
	struct buf texts;

	if (!call_id || !rules->names.dialog)
		return;
	name = (struct dialog_name){.call_id = call_id->value,
				    .local_tag = local ? local->value : SLICE_NONE,
				    .remote_tag = remote ? remote->value : SLICE_NONE};
	buf_init(&texts);
	if (rules->names.dialog(rules->names.owner, &name, &texts, &mapped)) {
		change(call_id, mapped.call_id);
		change(local, mapped.local_tag);
		change(remote, mapped.remote_tag);
		if (buf_failed(&texts))
			call_id->changed.failed = true;
	}
	buf_free(&texts);
}

static void on_element(void *owner, struct slice name, struct xml_attribute *attributes,
		       size_t count)
{
	const struct body_rules *rules = owner;
	(void)name;

	map_dialog(rules, attributes, count);
	for (size_t i = 0; i < count; i++)
		if (!attributes[i].is_changed &&
		    bodies_map_uri(rules, attributes[i].value, &attributes[i].changed))
			attributes[i].is_changed = true;
}

static bool on_text(void *owner, struct slice element, struct slice text, struct buf *changed)
{
	const struct body_rules *rules = owner;
	struct addr literal;

	if (bodies_map_uri(rules, text, changed))
		return true;
	/* reginfo's <unknown-param name="received"> and the like: an address alone. */
	(void)element;
	if (addr_parse(text, 0, &literal) != 0 || slice_find(text, '.') == text.len)
		return false;
	hosts_write_own(rules->crossing.way.config, rules->crossing.way.interface, changed);
	return true;
}

static int rewrite_xml(const struct body_rules *rules, struct slice body, struct buf *out)
{
	struct xml_visitor visitor = {
		.owner = (void *)(uintptr_t)rules, .element = on_element, .text = on_text};
	return xml_rewrite(body, &visitor, out);
}

/* --- message/sipfrag --- */

static void write_frag_start(const struct body_rules *rules, struct slice line, struct buf *out)
{
	struct slice rest = line, method, uri;
	struct buf mapped;

	if (slice_starts(line, SLICE("SIP/2.0 "))) {
		/* Towards an untrusted side the code tells enough: a phrase may tell who said it.
		 */
		uint32_t code;
		struct slice digits = slice_sub(line, 8, 3);
		if (rules->crossing.to_trusted || slice_to_u32(digits, 699, &code) != 0 ||
		    code < 100) {
			buf_add(out, line);
		} else {
			buf_printf(out, "SIP/2.0 %u %s", code, status_text(code));
		}
		buf_add_text(out, "\r\n");
		return;
	}
	if (!slice_next_word(&rest, &method) || !slice_next_word(&rest, &uri))
		return;
	buf_init(&mapped);
	buf_add(out, method);
	buf_add_char(out, ' ');
	buf_add(out, bodies_map_uri(rules, uri, &mapped) ? buf_slice(&mapped) : uri);
	buf_add_text(out, " SIP/2.0\r\n");
	buf_free(&mapped);
}

/* A request line has three words; a header that ends like one has its colon before. */
static bool is_frag_start(struct slice line)
{
	struct slice method, uri, version;

	if (slice_starts(line, SLICE("SIP/2.0 ")))
		return true;
	return slice_next_word(&line, &method) && slice_next_word(&line, &uri) &&
	       slice_next_word(&line, &version) && slice_trim(line).len == 0 &&
	       slice_equal(version, SLICE("SIP/2.0")) && slice_find(method, ':') == method.len &&
	       slice_find(uri, ':') > 0;
}

/* RFC 3420: start line and headers, each of which may be missing. What would cross in a message of
 * its own crosses here; nothing that makes a way or a dialog does. */
static void rewrite_frag(const struct body_rules *rules, struct slice body, struct buf *out)
{
	struct slice line;
	bool is_first = true, is_kept = false;

	while (slice_next_line(&body, &line) && line.len > 0) {
		bool is_folded = line.data[0] == ' ' || line.data[0] == '\t';
		if (is_first && is_frag_start(line)) {
			write_frag_start(rules, line, out);
		} else {
			struct slice name = slice_trim(slice_sub(line, 0, slice_find(line, ':')));
			if (!is_folded)
				is_kept = policy_header_rule(name) == RULE_END_TO_END;
			if (is_kept) {
				buf_add(out, line);
				buf_add_text(out, "\r\n");
			}
		}
		is_first = false;
	}
}

/* --- application/simple-message-summary --- */

static void rewrite_summary(const struct body_rules *rules, struct slice body, struct buf *out)
{
	struct slice line;

	while (slice_next_line(&body, &line)) {
		size_t colon = slice_find(line, ':');
		struct slice value = slice_trim(slice_sub(line, colon + 1, line.len));
		struct buf mapped;
		buf_init(&mapped);
		if (slice_equal_nocase(slice_trim(slice_sub(line, 0, colon)),
				       SLICE("Message-Account")) &&
		    bodies_map_uri(rules, value, &mapped)) {
			buf_add_text(out, "Message-Account: ");
			buf_add(out, buf_slice(&mapped));
		} else {
			buf_add(out, line);
		}
		buf_add_text(out, "\r\n");
		buf_free(&mapped);
	}
}

/* --- by type --- */

static int rewrite(const struct body_rules *rules, struct slice type, struct slice encoding,
		   struct slice body, int depth, struct buf *out);

static int rewrite_parts(const struct body_rules *rules, struct multipart *multipart, int depth,
			 struct buf *out)
{
	struct part part;
	size_t copied = 0;

	/* What stands before the first part is for nobody (RFC 2046 5.1.1), but untouched. */
	while (multipart_next(multipart, &part)) {
		struct buf content;
		buf_init(&content);
		int err =
			rewrite(rules, part.type, part.encoding, part.content, depth + 1, &content);
		if (!err && buf_failed(&content))
			err = -ERR_NO_MEMORY;
		if (!err && !slice_equal(part.content, buf_slice(&content))) {
			buf_add(out, slice_sub(multipart->body, copied, part.start - copied));
			multipart_write_part(&part, buf_slice(&content), out);
			copied = part.end;
		}
		buf_free(&content);
		if (err)
			return err;
	}
	buf_add(out, slice_sub(multipart->body, copied, multipart->body.len));
	return 0;
}

static bool is_known_xml(struct slice type)
{
	static const struct slice types[] = {
		{"application/dialog-info+xml", 27},    {"application/reginfo+xml", 23},
		{"application/pidf+xml", 20},           {"application/rlmi+xml", 20},
		{"application/watcherinfo+xml", 27},    {"application/conference-info+xml", 31},
		{"application/resource-lists+xml", 30}, {"application/xpidf+xml", 21},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (content_type_is(type, types[i]))
			return true;
	return false;
}

static int rewrite(const struct body_rules *rules, struct slice type, struct slice encoding,
		   struct slice body, int depth, struct buf *out)
{
	struct multipart multipart;

	if (encoding.len > 0 && !slice_equal_nocase(encoding, SLICE("identity")))
		buf_add(out, body); /* packed: not ours to open */
	else if (is_known_xml(type))
		return body.len > 0 ? rewrite_xml(rules, body, out) : 0;
	else if (content_type_is(type, SLICE("message/sipfrag")))
		rewrite_frag(rules, body, out);
	else if (content_type_is(type, SLICE("application/simple-message-summary")))
		rewrite_summary(rules, body, out);
	else if (depth < MULTIPART_DEPTH_MAX && multipart_open(type, body, &multipart))
		return rewrite_parts(rules, &multipart, depth, out);
	else
		buf_add(out, body);
	return 0;
}

int bodies_rewrite(const struct body_rules *rules, struct slice content_type,
		   struct slice content_encoding, struct slice body, struct buf *out)
{
	int err = rewrite(rules, content_type, content_encoding, body, 0, out);
	return err ? err : buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
