/* enum.c - RFC 6116: the NAPTR records of a telephone number, turned into URIs by the Dynamic
 * Delegation Discovery System (RFC 3402). The expressions are a stranger's: their evaluation is
 * bounded.
 * SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "sbc/dns/internal.h"

enum {
	DIGITS_MAX = 15,    /* E.164 */
	STEPS_MAX = 5,      /* records without flag lead on (RFC 6116 3.1) */
	PATTERN_MAX = 256,  /* characters of an expression */
	MATCH_LIMIT = 2000, /* steps of its evaluation */
	DEPTH_LIMIT = 200,
	HEAP_LIMIT_KB = 64,
	GROUPS_MAX = 10, /* \0 is none; \1 to \9 */
};

/* --- a substitution: !expression!replacement!flags --- */

struct substitution {
	struct slice pattern;
	struct slice replacement;
	bool is_nocase;
};

/* The part up to the delimiter; a backslash keeps one. */
static int next_part(struct slice *rest, char delimiter, struct slice *out)
{
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->data[i] == '\\') {
			i++;
		} else if (rest->data[i] == delimiter) {
			*out = slice_sub(*rest, 0, i);
			*rest = slice_sub(*rest, i + 1, rest->len);
			return 0;
		}
	}
	return -ERR_MALFORMED;
}

static int substitution_read(struct slice text, struct substitution *out)
{
	struct slice rest = slice_sub(text, 1, text.len);

	if (text.len < 4)
		return -ERR_MALFORMED;
	char delimiter = text.data[0];
	if ((delimiter >= '0' && delimiter <= '9') || delimiter == 'i' || delimiter == '\\')
		return -ERR_MALFORMED;
	int err = next_part(&rest, delimiter, &out->pattern);
	if (!err)
		err = next_part(&rest, delimiter, &out->replacement);
	if (err || out->pattern.len == 0 || out->pattern.len > PATTERN_MAX)
		return -ERR_MALFORMED;
	out->is_nocase = slice_equal(rest, SLICE("i"));
	return rest.len == 0 || out->is_nocase ? 0 : -ERR_MALFORMED;
}

static int match(const struct substitution *substitution, struct slice subject,
		 pcre2_match_data *found)
{
	int error = 0;
	PCRE2_SIZE at = 0;
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
			   (substitution->is_nocase ? PCRE2_CASELESS : 0);
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)substitution->pattern.data,
					 substitution->pattern.len, options, &error, &at, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	int groups = -ERR_NO_MEMORY;

	if (!code) {
		groups = -ERR_MALFORMED;
	} else if (limits) {
		pcre2_set_match_limit(limits, MATCH_LIMIT);
		pcre2_set_depth_limit(limits, DEPTH_LIMIT);
		pcre2_set_heap_limit(limits, HEAP_LIMIT_KB);
		groups = pcre2_match(code, (PCRE2_SPTR)subject.data, subject.len, 0, 0, found,
				     limits);
		if (groups < 0)
			groups = -ERR_NOT_FOUND;
	}
	pcre2_match_context_free(limits);
	pcre2_code_free(code);
	return groups;
}

static int write_group(struct slice subject, const pcre2_match_data *found, int group, int groups,
		       char *out, size_t *len)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer((pcre2_match_data *)(uintptr_t)found);

	if (group == 0)
		return -ERR_MALFORMED;
	if (groups > 0 && group >= groups) /* took no part in the match */
		return 0;
	if (ends[2 * group] == PCRE2_UNSET)
		return 0;
	/* \K in a lookahead can end a match before it begins. */
	if (ends[2 * group + 1] < ends[2 * group] || ends[2 * group + 1] > subject.len)
		return -ERR_MALFORMED;
	struct slice part =
		slice_sub(subject, ends[2 * group], ends[2 * group + 1] - ends[2 * group]);
	if (*len + part.len >= DNS_URI_SIZE)
		return -ERR_TOO_LARGE;
	memcpy(out + *len, part.data, part.len);
	*len += part.len;
	return 0;
}

static int write_replacement(struct slice replacement, struct slice subject,
			     const pcre2_match_data *found, int groups, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < replacement.len; i++) {
		char c = replacement.data[i];
		if (c == '\\' && ++i < replacement.len) {
			c = replacement.data[i];
			if (c >= '0' && c <= '9') {
				int err = write_group(subject, found, c - '0', groups, out, &len);
				if (err)
					return err;
				continue;
			}
		}
		if (c <= ' ' || c > '~' || c == '<' || c == '>' || len + 1 >= DNS_URI_SIZE)
			return -ERR_MALFORMED;
		out[len++] = c;
	}
	out[len] = '\0';
	return 0;
}

static int substitute(struct slice regexp, struct slice subject, char out[DNS_URI_SIZE])
{
	struct substitution substitution;

	int err = substitution_read(regexp, &substitution);
	if (err)
		return err;
	pcre2_match_data *found = pcre2_match_data_create(GROUPS_MAX, NULL);
	if (!found)
		return -ERR_NO_MEMORY;
	int groups = match(&substitution, subject, found);
	err = groups < 0 ? groups
			 : write_replacement(substitution.replacement, subject, found, groups, out);
	pcre2_match_data_free(found);
	return err;
}

/* --- the walk --- */

/* "E2U+sip", "E2U+pstn:sip", "E2U+sms:tel+sip"; the old order "sip+E2U" (RFC 2916) too. */
static bool is_sip(struct slice services)
{
	bool is_enum = false, is_sip_uri = false;

	while (services.len > 0) {
		struct slice subtype = slice_cut(&services, '+');
		struct slice type = slice_cut(&subtype, ':');
		if (slice_equal_nocase(type, SLICE("e2u")))
			is_enum = true;
		else if (slice_equal_nocase(type, SLICE("sip")) ||
			 slice_equal_nocase(subtype, SLICE("sip")))
			is_sip_uri = true;
	}
	return is_enum && is_sip_uri;
}

static int name_of(struct slice number, struct slice zone, char out[DNS_NAME_MAX + 1])
{
	size_t len = 0;

	if (number.len < 2 || number.len > DIGITS_MAX + 1 || number.data[0] != '+' ||
	    zone.len + 2 * DIGITS_MAX > DNS_NAME_MAX)
		return -ERR_MALFORMED;
	for (size_t i = number.len - 1; i > 0; i--) {
		if (number.data[i] < '0' || number.data[i] > '9')
			return -ERR_MALFORMED;
		out[len++] = number.data[i];
		out[len++] = '.';
	}
	memcpy(out + len, zone.data, zone.len);
	out[len + zone.len] = '\0';
	return 0;
}

static uint32_t by_order(const struct dns_answer *answer,
			 const struct dns_naptr *out[DNS_RECORDS_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < answer->count; i++) {
		const struct dns_naptr *naptr = &answer->records[i].naptr;
		uint32_t at = count++;
		for (; at > 0 && (naptr->order != out[at - 1]->order
					  ? naptr->order < out[at - 1]->order
					  : naptr->preference < out[at - 1]->preference);
		     at--)
			out[at] = out[at - 1];
		out[at] = naptr;
	}
	return count;
}

static void add_uri(struct dns_uris *out, const struct dns_naptr *naptr, struct slice number)
{
	char *uri = out->uris[out->count];

	if (out->count == DNS_URIS_MAX || !slice_equal_nocase(naptr->flags, SLICE("u")) ||
	    !is_sip(naptr->services) || substitute(naptr->regexp, number, uri) != 0)
		return;
	struct slice text = slice_from(uri);
	if (slice_starts_nocase(text, SLICE("sip:")) || slice_starts_nocase(text, SLICE("sips:")))
		out->count++;
}

/* The records of a name; the first of those that lead on goes to `next`. */
static void add_uris(struct dns_uris *out, const struct dns_answer *answer, struct slice number,
		     struct slice *next)
{
	const struct dns_naptr *ordered[DNS_RECORDS_MAX];
	uint32_t count = by_order(answer, ordered);

	*next = SLICE_NONE;
	for (uint32_t i = 0; i < count; i++) {
		if (ordered[i]->flags.len > 0)
			add_uri(out, ordered[i], number);
		else if (next->len == 0 && !slice_equal(ordered[i]->replacement, SLICE(".")))
			*next = ordered[i]->replacement;
	}
}

int enum_walk(struct dns *dns, struct slice number, struct slice zone, struct lookup *lookup,
	      struct dns_uris *out)
{
	char text[DNS_NAME_MAX + 1];
	struct known known;

	out->count = 0;
	int err = name_of(number, zone, text);
	if (err)
		return err;
	struct slice name = slice_from(text);
	for (int i = 0; !err && name.len > 0 && i < STEPS_MAX; i++) {
		err = cache_get(dns, DNS_NAPTR, name, lookup, &known);
		if (!err)
			add_uris(out, known.answer, number, &name);
	}
	if (err)
		return err;
	return out->count > 0 ? 0 : -ERR_NOT_FOUND;
}
