/* sdes.c - offers and answers of SRTP keys (RFC 4568 section 7). Keys of ours last as long as what
 * they were made for: a re-offer that changes nothing changes no key, and a peer that takes another
 * key gets another one from us, so that both directions begin anew together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/sdes.h"

#include <stdlib.h>
#include "control/sdp/attribute.h"
#include "rtpengine/session/sdes_private.h"

/* What we offer when nobody says otherwise; the rest can be asked for. */
static const uint8_t usual[] = {
	FLOW_SRTP_AEAD_AES_128_GCM,        FLOW_SRTP_AEAD_AES_256_GCM,
	FLOW_SRTP_AES_256_CM_HMAC_SHA1_80, FLOW_SRTP_AES_CM_128_HMAC_SHA1_80,
	FLOW_SRTP_AES_CM_128_HMAC_SHA1_32,
};

static int ensure(struct sdes **sdes)
{
	if (!*sdes)
		*sdes = calloc(1, sizeof(**sdes));
	return *sdes ? 0 : -ERR_NO_MEMORY;
}

void sdes_list_clear(struct sdes_list *list)
{
	if (list->lines)
		explicit_bzero(list->lines, list->count * sizeof(*list->lines));
	free(list->lines);
	*list = (struct sdes_list){.lines = NULL};
}

int sdes_list_set(struct sdes_list *list, const struct sdes_line *lines, unsigned count)
{
	struct sdes_list set = {.count = count};

	if (count) {
		set.lines = malloc(count * sizeof(*lines));
		if (!set.lines)
			return -ERR_NO_MEMORY;
		memcpy(set.lines, lines, count * sizeof(*lines));
	}
	sdes_list_clear(list);
	*list = set;
	return 0;
}

void sdes_destroy(struct sdes *sdes)
{
	if (!sdes)
		return;
	sdes_list_clear(&sdes->offered);
	sdes_list_clear(&sdes->said);
	sdes_list_clear(&sdes->told);
	explicit_bzero(sdes, sizeof(*sdes));
	free(sdes);
}

int sdes_read(struct sdes **at, const struct sdp_media *media, bool is_open)
{
	const struct sdp_line *line = sdp_media_attribute(media, "crypto");
	bool counts = sdp_media_is_secure(media) || (is_open && sdp_media_is_rtp(media));

	if (!*at && (!line || !counts))
		return 0;
	int err = ensure(at);
	if (err)
		return err;
	struct sdes_line lines[SDES_LINES];
	unsigned count = 0;
	for (; line && counts && count < SDES_LINES; line = sdp_attribute_next(line))
		if (sdes_line_read(line->argument, &lines[count]) == 0)
			count++;
	err = sdes_list_set(&(*at)->offered, lines, count);
	explicit_bzero(lines, count * sizeof(lines[0]));
	if (!err)
		(*at)->is_offered = true;
	return err;
}

static bool may_use(const struct options_sdes *options, unsigned suite)
{
	return !options->is_off && !(options->never >> suite & 1) &&
	       (!options->only || options->only >> suite & 1);
}

static struct sdes_line *find_told(struct sdes *sdes, unsigned suite)
{
	for (unsigned i = 0; i < sdes->told.count; i++)
		if (sdes->told.lines[i].suite == suite)
			return &sdes->told.lines[i];
	return NULL;
}

static void make_key(struct sdes_line *line, struct random *random)
{
	const struct flow_srtp_info *suite = flow_srtp_info(line->suite);

	random_fill(random, line->key, suite->key_len);
	random_fill(random, line->salt, suite->salt_len);
}

/* What the side said last, answered or not. */
static const struct sdes_list *newest(const struct sdes *sdes)
{
	return sdes->is_offered ? &sdes->offered : &sdes->said;
}

struct promise {
	struct sdes *sdes;
	const struct options_sdes *options;
	struct random *random;
	struct sdes_line lines[SDES_LINES];
	unsigned count;
};

static void promise_suite(struct promise *promise, unsigned suite)
{
	struct sdes *sdes = promise->sdes;
	const struct sdes_line *before = find_told(sdes, suite);
	struct sdes_line *line = &promise->lines[promise->count];

	for (unsigned i = 0; i < promise->count; i++)
		if (promise->lines[i].suite == suite)
			return;
	if (promise->count == SDES_LINES || !may_use(promise->options, suite))
		return;
	/* the key in effect comes first: as told, or as answered to this side's own offer */
	if (sdes->is_used && sdes->out.suite == suite)
		before = &sdes->out;
	if (before) {
		*line = *before;
	} else {
		*line = (struct sdes_line){.suite = (enum flow_srtp_suite)suite};
		make_key(line, promise->random);
	}
	promise->count++;
}

int sdes_promise(struct sdes **at, const struct sdes *like, const struct options_sdes *options,
		 bool is_required, struct random *random)
{
	int err = ensure(at);
	if (err)
		return err;
	struct sdes *sdes = *at;
	struct promise promise = {.sdes = sdes, .options = options, .random = random};

	for (unsigned i = 0; i < options->order_count; i++)
		promise_suite(&promise, options->order[i]);
	if (sdes->is_used)
		promise_suite(&promise, sdes->out.suite);
	const struct sdes_list *liked = like ? newest(like) : NULL;
	for (unsigned i = 0; liked && i < liked->count; i++)
		promise_suite(&promise, liked->lines[i].suite);
	if (!options->has_no_new || !liked || !liked->count) {
		for (unsigned i = 0; i < sizeof(usual); i++)
			promise_suite(&promise, usual[i]);
		for (unsigned i = 1; options->only && i < FLOW_SRTP_SUITES; i++)
			promise_suite(&promise, i);
	}
	for (unsigned i = 0; i < promise.count; i++)
		promise.lines[i].tag = i + 1;
	err = sdes_list_set(&sdes->told, promise.lines, promise.count);
	sdes->is_required = is_required;
	explicit_bzero(&promise, sizeof(promise));
	return err ? err : sdes->told.count || !is_required ? 0 : -ERR_UNSUPPORTED;
}

void sdes_promise_none(struct sdes *sdes)
{
	if (!sdes)
		return;
	sdes_list_clear(&sdes->told);
	sdes->is_required = false;
}

/* The line to take from an offer: the first of the preferred suites, or of its own order. */
static const struct sdes_line *choose(const struct sdes_list *list,
				      const struct options_sdes *options)
{
	const struct sdes_line *lines = list->lines;

	for (unsigned p = 0; p < options->preferred_count; p++)
		for (unsigned i = 0; i < list->count; i++)
			if (lines[i].suite == options->preferred[p] &&
			    may_use(options, lines[i].suite))
				return &lines[i];
	for (unsigned i = 0; i < list->count; i++)
		if (may_use(options, lines[i].suite))
			return &lines[i];
	return NULL;
}

bool sdes_is_offered(const struct sdes *sdes, const struct options_sdes *options)
{
	static const struct options_sdes any;

	if (!sdes)
		return false;
	return choose(newest(sdes), options ? options : &any) != NULL;
}

/* RFC 4568 7.1.2: the answer names the tag of what it takes, and its suite. */
static const struct sdes_line *accepted(const struct sdes *sdes, const struct sdes_list *list,
					const struct sdes_line **ours)
{
	for (unsigned i = 0; i < list->count; i++)
		for (unsigned k = 0; k < sdes->told.count; k++) {
			const struct sdes_line *told = &sdes->told.lines[k];
			if (list->lines[i].tag != told->tag || list->lines[i].suite != told->suite)
				continue;
			*ours = told;
			return &list->lines[i];
		}
	return NULL;
}

bool sdes_is_accepted(const struct sdes *sdes)
{
	const struct sdes_line *ours;

	return sdes && accepted(sdes, newest(sdes), &ours);
}

bool sdes_is_required(const struct sdes *sdes)
{
	return sdes && sdes->is_required;
}

static bool same_key(const struct sdes_line *a, const struct sdes_line *b)
{
	return a->suite == b->suite && !memcmp(a->key, b->key, sizeof(a->key)) &&
	       !memcmp(a->salt, b->salt, sizeof(a->salt)) && a->mki_len == b->mki_len &&
	       !memcmp(a->mki, b->mki, sizeof(a->mki));
}

/* It made the offer: we answer with a key of our own. */
static void apply_choice(struct sdes *sdes, const struct sdes_line *theirs, struct random *random)
{
	if (!sdes->is_used || sdes->out.suite != theirs->suite || !same_key(&sdes->in, theirs)) {
		sdes->out = (struct sdes_line){.suite = theirs->suite};
		make_key(&sdes->out, random);
	}
	sdes->out.tag = theirs->tag;
	sdes->in = *theirs;
	sdes->is_used = true;
}

void sdes_apply(struct sdes *sdes, bool is_offerer, const struct options_sdes *options,
		struct random *random)
{
	const struct sdes_line *theirs, *ours = NULL;

	if (!sdes)
		return;
	if (sdes->is_offered) {
		sdes_list_clear(&sdes->said);
		sdes->said = sdes->offered;
		sdes->offered = (struct sdes_list){.lines = NULL};
		sdes->is_offered = false;
	}
	theirs = is_offerer ? choose(&sdes->said, options) : accepted(sdes, &sdes->said, &ours);
	if (theirs && is_offerer) {
		apply_choice(sdes, theirs, random);
	} else if (theirs) {
		sdes->in = *theirs;
		sdes->out = *ours;
		sdes->is_used = true;
	} else {
		sdes->is_used = false;
		explicit_bzero(&sdes->in, sizeof(sdes->in));
		explicit_bzero(&sdes->out, sizeof(sdes->out));
	}
}

static int write_line(const struct sdes_line *line, struct sdp_media *media)
{
	struct buf text;

	buf_init(&text);
	sdes_line_write(line, &text);
	int err = buf_failed(&text) ? -ERR_NO_MEMORY
				    : sdp_attribute_add(media->sdp, &media->section, "crypto",
							buf_slice(&text));
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_free(&text);
	return err;
}

int sdes_write(const struct sdes *sdes, struct sdp_media *media, bool is_answer)
{
	int err = 0;

	if (!sdes)
		return 0;
	if (is_answer)
		return sdes->is_used ? write_line(&sdes->out, media) : 0;
	for (unsigned i = 0; i < sdes->told.count && !err; i++)
		err = write_line(&sdes->told.lines[i], media);
	return err;
}

static bool sdes_is_used(const struct sdes *sdes)
{
	return sdes && sdes->is_used;
}

const char *sdes_suite_text(const struct sdes *sdes)
{
	return sdes_is_used(sdes) ? flow_srtp_info(sdes->in.suite)->name : NULL;
}

static void fill(struct flow_srtp *srtp, const struct sdes_line *line)
{
	*srtp = (struct flow_srtp){.suite = line->suite, .mki_len = line->mki_len};
	memcpy(srtp->key, line->key, sizeof(srtp->key));
	memcpy(srtp->salt, line->salt, sizeof(srtp->salt));
	memcpy(srtp->mki, line->mki, line->mki_len);
}

void sdes_rule(const struct sdes *sdes, struct flow_rule *rule)
{
	if (!sdes_is_used(sdes))
		return;
	fill(&rule->srtp_in, &sdes->in);
	fill(&rule->srtp_out, &sdes->out);
	rule->needs_srtp = true;
	if (rule->source.mode == FLOW_SOURCE_LEARN)
		rule->source.mode = FLOW_SOURCE_SECURE; /* whoever has the keys is the peer */
}
