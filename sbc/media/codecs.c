/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/media/codecs.h"
#include "control/sdp/codec.h"

/* These carry no voice of their own (RFC 4733, 3389, 2198). */
static const char *const companions[] = {"telephone-event", "CN", "red"};

static bool has_voice(const struct sdp_media *media)
{
	struct sdp_rtpmap map;

	for (unsigned i = 0; i < media->format_count; i++) {
		bool is_companion = false;
		if (sdp_media_rtpmap(media, media->formats[i], &map) != 0)
			return true; /* whatever it is, it passed */
		for (size_t k = 0; k < sizeof(companions) / sizeof(companions[0]); k++)
			is_companion = is_companion ||
				       slice_equal_nocase(map.encoding, slice_from(companions[k]));
		if (!is_companion)
			return true;
	}
	return false;
}

static int read_rules(struct codec_list list, struct sdp_codec_rules *out)
{
	*out = (struct sdp_codec_rules){0};
	int err = sdp_codec_names_add(&out->strip, SLICE("all"));
	if (!err)
		err = sdp_codec_names_add(&out->except, SLICE("telephone-event"));
	for (size_t i = 0; !err && i < list.count; i++)
		err = sdp_codec_names_add(&out->offer, slice_from(list.names[i]));
	return err;
}

static int filter(struct sdp *sdp, struct codec_list list)
{
	struct sdp_codec_rules rules;

	if (list.count == 0)
		return 0;
	int err = read_rules(list, &rules);
	for (unsigned i = 0; !err && i < sdp->media_count; i++) {
		struct sdp_media *media = &sdp->media[i];
		if (sdp_media_is_rejected(media))
			continue;
		if (sdp_media_filter_codecs(media, &rules) != 0 ||
		    (sdp_media_is_rtp(media) && !has_voice(media)))
			sdp_media_reject(media);
	}
	return err;
}

static bool is_empty(const struct sdp *sdp)
{
	for (unsigned i = 0; i < sdp->media_count; i++)
		if (!sdp_media_is_rejected(&sdp->media[i]))
			return false;
	return true;
}

int codecs_filter(struct arena *arena, struct slice text, struct codec_list from,
		  struct codec_list to, struct buf *out)
{
	struct sdp *sdp;

	int err = sdp_parse(arena, text, &sdp, NULL);
	if (err)
		return err;
	bool was_empty = is_empty(sdp);
	err = filter(sdp, from);
	if (!err)
		err = filter(sdp, to);
	if (!err && is_empty(sdp) && !was_empty)
		err = -ERR_UNSUPPORTED;
	if (err)
		return err;
	sdp_write(sdp, out);
	return buf_failed(out) ? -ERR_NO_MEMORY : 0;
}
