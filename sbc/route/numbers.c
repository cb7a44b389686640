/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/route/numbers.h"

static bool is_separator(char c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

static bool is_digit(char c)
{
	return (c >= '0' && c <= '9') || c == '*' || c == '#';
}

/* "+33-1(2)34": digits and separators, at least one digit first. */
static bool is_number(struct slice user)
{
	size_t at = user.len > 0 && user.data[0] == '+' ? 1 : 0;
	size_t digits = 0;

	for (; at < user.len; at++) {
		if (is_digit(user.data[at]))
			digits++;
		else if (!is_separator(user.data[at]))
			return false;
	}
	return digits > 0;
}

/* '+' and '#' are the same written as escapes: a route for "+" is not passed by spelling it "%2B".
 */
static void decode(struct slice user, struct buf *out)
{
	for (size_t i = 0; i < user.len; i++) {
		struct slice rest = slice_sub(user, i, 3);
		bool is_plus = slice_equal_nocase(rest, SLICE("%2b"));
		if (is_plus || slice_equal(rest, SLICE("%23"))) {
			buf_add_char(out, is_plus ? '+' : '#');
			i += 2;
		} else {
			buf_add_char(out, user.data[i]);
		}
	}
}

static void write_number(struct slice user, struct buf *out)
{
	struct buf decoded;

	buf_init(&decoded);
	decode(user, &decoded);
	struct slice all = buf_slice(&decoded);
	struct slice number = slice_sub(all, 0, slice_find(all, ';'));
	if (!is_number(number)) {
		buf_add(out, user);
	} else {
		for (size_t i = 0; i < number.len; i++)
			if (!is_separator(number.data[i]))
				buf_add_char(out, number.data[i]);
	}
	out->failed = out->failed || buf_failed(&decoded);
	buf_free(&decoded);
}

int number_of(struct slice text, struct buf *out)
{
	struct buf canonical;
	struct uri uri;

	int err = uri_parse(text, &uri);
	if (err)
		return err;
	buf_init(&canonical);
	err = uri_canonical(&uri, &canonical);
	struct slice user = buf_slice(&canonical);
	if (!err) {
		(void)slice_cut(&user, ':');
		if (uri.scheme != URI_TEL && uri.user.len == 0)
			user.len = 0;
		else if (uri.scheme != URI_TEL)
			user.len = slice_find(user, '@');
		write_number(user, out);
		err = buf_failed(out) ? -ERR_NO_MEMORY : 0;
	}
	buf_free(&canonical);
	return err;
}

static const struct config_number_rule *rule_for(const struct config_number_rules *rules,
						 struct slice number)
{
	for (size_t i = 0; i < rules->count; i++)
		if (config_number_matches(&rules->list[i].from, number))
			return &rules->list[i];
	return NULL;
}

/* '#' may not stand in a SIP URI as it is, and only so in a tel: one (RFC 3966 3). */
static void write_user(enum uri_scheme scheme, struct slice user, struct buf *out)
{
	for (size_t i = 0; i < user.len; i++)
		if (user.data[i] == '#' && scheme != URI_TEL)
			buf_add_text(out, "%23");
		else
			buf_add_char(out, user.data[i]);
}

static void write_changed(const struct config_number_rule *rule, struct slice number,
			  const struct uri *uri, struct buf *out)
{
	/* The user is one piece of the text: what stands around it stays. */
	size_t at = (size_t)(uri->user.data - uri->raw.data);

	buf_add(out, slice_sub(uri->raw, 0, at));
	write_user(uri->scheme, slice_from(rule->to.text), out);
	if (rule->to.is_prefix)
		write_user(uri->scheme, slice_sub(number, strlen(rule->from.text), number.len),
			   out);
	buf_add(out, slice_sub(uri->raw, at + uri->user.len, uri->raw.len));
}

int numbers_apply(const struct config_number_rules *rules, struct slice text, struct buf *out)
{
	const struct config_number_rule *rule = NULL;
	struct buf number;
	struct uri uri;

	buf_init(&number);
	if (rules->count > 0 && uri_parse(text, &uri) == 0 && uri.user.len > 0 &&
	    number_of(text, &number) == 0)
		rule = rule_for(rules, buf_slice(&number));
	if (rule)
		write_changed(rule, buf_slice(&number), &uri, out);
	else
		buf_add(out, text);
	int err = buf_failed(out) || buf_failed(&number) ? -ERR_NO_MEMORY : 0;
	buf_free(&number);
	return err;
}
