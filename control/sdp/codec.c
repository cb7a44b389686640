/* codec.c - codec filters and preferences. SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/codec.h"

int sdp_codec_names_add(struct sdp_codec_names *names, struct slice name)
{
	if (names->count == SDP_CODEC_NAMES_MAX)
		return -ERR_TOO_MANY;
	names->names[names->count++] = name;
	return 0;
}

/* The next part of "opus/48000/2". */
static struct slice part(struct slice *rest)
{
	size_t end = slice_find(*rest, '/');
	struct slice out = slice_sub(*rest, 0, end);

	*rest = slice_sub(*rest, end + 1, rest->len);
	return out;
}

static bool number_fits(struct slice text, uint32_t value)
{
	uint32_t wanted;

	return !text.len || (slice_to_u32(text, UINT32_MAX, &wanted) == 0 && wanted == value);
}

static bool name_fits(struct slice name, const struct sdp_rtpmap *map)
{
	struct slice rest = name;
	struct slice encoding = part(&rest), rate = part(&rest), channels = part(&rest);

	return slice_equal_nocase(name, SLICE("all")) || slice_equal_nocase(name, SLICE("full")) ||
	       (slice_equal_nocase(encoding, map->encoding) && number_fits(rate, map->clock_rate) &&
		number_fits(channels, map->channels));
}

/* Which of the names fits this format first; `count` = none. */
static unsigned rank(const struct sdp_media *media, struct slice format,
		     const struct sdp_codec_names *names)
{
	struct sdp_rtpmap map;
	unsigned i = 0;

	if (sdp_media_rtpmap(media, format, &map) != 0)
		map = (struct sdp_rtpmap){.encoding = format};
	while (i < names->count && !name_fits(names->names[i], &map))
		i++;
	return i;
}

static bool is_named(const struct sdp_media *media, struct slice format,
		     const struct sdp_codec_names *names)
{
	return rank(media, format, names) < names->count;
}

/* RFC 4588 8.6: "apt=96" of an rtx names the format it repeats. */
static struct slice repeats(const struct sdp_media *media, struct slice format)
{
	struct slice fmtp = sdp_media_fmtp(media, format);
	size_t at = slice_find_slice(fmtp, SLICE("apt="));
	struct slice value = slice_sub(fmtp, at + 4, fmtp.len);

	return at < fmtp.len ? slice_trim(slice_sub(value, 0, slice_find(value, ';'))) : SLICE_NONE;
}

static bool among(const struct slice *formats, unsigned count, struct slice format)
{
	for (unsigned i = 0; i < count; i++)
		if (slice_equal(formats[i], format))
			return true;
	return false;
}

struct choice {
	struct slice kept[SDP_MAX_FORMATS];
	unsigned count;
};

static void keep(struct choice *choice, struct slice format)
{
	if (!among(choice->kept, choice->count, format))
		choice->kept[choice->count++] = format;
}

static bool is_gone(const struct choice *choice, const struct sdp_media *media, struct slice format)
{
	struct slice of = repeats(media, format);

	return of.len && !among(choice->kept, choice->count, of);
}

static void choose(const struct sdp_media *media, const struct sdp_codec_rules *rules,
		   struct choice *out)
{
	for (unsigned name = 0; name < rules->offer.count; name++)
		for (unsigned i = 0; i < media->format_count; i++)
			if (rank(media, media->formats[i], &rules->offer) == name)
				keep(out, media->formats[i]);
	for (unsigned i = 0; i < media->format_count; i++)
		if (!is_named(media, media->formats[i], &rules->strip) ||
		    is_named(media, media->formats[i], &rules->except))
			keep(out, media->formats[i]);
	unsigned kept = 0;
	for (unsigned i = 0; i < out->count; i++)
		if (!is_gone(out, media, out->kept[i]))
			out->kept[kept++] = out->kept[i];
	out->count = kept;
}

int sdp_media_filter_codecs(struct sdp_media *media, const struct sdp_codec_rules *rules)
{
	struct choice choice = {.count = 0};

	if (!sdp_media_is_rtp(media))
		return 0;
	choose(media, rules, &choice);
	if (!choice.count)
		return -ERR_NOT_FOUND;
	for (unsigned i = 0; i < media->format_count;) {
		struct slice format = media->formats[i];

		if (among(choice.kept, choice.count, format) ||
		    !sdp_media_remove_format(media, format))
			i++;
	}
	for (unsigned i = 0; i < choice.count; i++)
		media->formats[i] = choice.kept[i];
	media->format_count = choice.count;
	return 0;
}
