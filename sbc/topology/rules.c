/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/topology/rules.h"
#include "sbc/message/builder.h"
#include "sbc/topology/policy.h"

const struct config_headers *rules_of(const struct config *config, uint16_t interface, int peer)
{
	return peer >= 0 ? &config->peers[peer].headers : &config->interfaces[interface].headers;
}

static bool fits(const char *pattern, struct slice name)
{
	struct slice text = slice_from(pattern);

	if (text.len > 0 && text.data[text.len - 1] == '*')
		return slice_starts_nocase(name, slice_sub(text, 0, text.len - 1));
	return slice_equal_nocase(name, text);
}

static bool is_among(const char *const *patterns, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (fits(patterns[i], name))
			return true;
	return false;
}

static bool is_set(const struct config_header_rules *rules, struct slice name)
{
	for (size_t i = 0; rules && i < rules->set_count; i++)
		if (slice_equal_nocase(slice_from(rules->set[i].name), name))
			return true;
	return false;
}

static bool keeps(const struct config_header_rules *rules, struct slice name)
{
	return rules && is_among(rules->keep, rules->keep_count, name);
}

static bool takes(const struct config_header_rules *rules, struct slice name)
{
	return rules && is_among(rules->remove, rules->remove_count, name) && !keeps(rules, name);
}

bool rules_let_cross(const struct crossing *crossing, struct slice name, bool crosses)
{
	const struct config_header_rules *in = crossing->in, *out = crossing->out;

	if (!in && !out)
		return crosses;
	if (policy_header_rule(name) == RULE_OURS || is_set(in, name) || is_set(out, name) ||
	    takes(in, name) || takes(out, name))
		return false;
	return crosses || keeps(in, name) || keeps(out, name);
}

static void write_line(const struct config_header *header, struct buf *out)
{
	builder_header_text(out, slice_from(header->name), slice_from(header->value));
}

void rules_write(const struct crossing *crossing, bool hides_user, struct buf *out)
{
	const struct config_header_rules *in = crossing->in, *to = crossing->out;

	/* As if it had come so: it crosses where such a header does. */
	for (size_t i = 0; in && i < in->set_count; i++) {
		struct slice name = slice_from(in->set[i].name);
		bool crosses = policy_header_crosses(name, crossing, hides_user) ||
			       keeps(in, name) || keeps(to, name);
		if (policy_header_rule(name) != RULE_OURS && crosses && !is_set(to, name) &&
		    !takes(to, name))
			write_line(&in->set[i], out);
	}
	for (size_t i = 0; to && i < to->set_count; i++)
		if (policy_header_rule(slice_from(to->set[i].name)) != RULE_OURS)
			write_line(&to->set[i], out);
}
