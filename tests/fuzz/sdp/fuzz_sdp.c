/* Fuzz the SDP parser: what it takes it writes, and takes again the same; edits keep it valid.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/media.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sdp *parse(struct arena *arena, struct slice text)
{
	struct sdp *sdp = NULL;
	struct sdp_error why = {0, 0, NULL};

	if (sdp_parse(arena, text, &sdp, &why) == 0)
		return sdp;
	if (!why.reason || why.line == 0 || why.column == 0 || why.column > text.len + 1)
		abort();
	return NULL;
}

/* Write, parse, write: both texts are the same. */
static void check_round_trip(struct arena *arena, const struct sdp *sdp)
{
	struct buf first;
	struct buf second;

	buf_init(&first);
	buf_init(&second);
	sdp_write(sdp, &first);
	/* Mending may take the text over the limit of one body. */
	if (first.len <= SDP_MAX_BYTES) {
		struct sdp *again = parse(arena, buf_slice(&first));

		if (!again)
			abort();
		sdp_write(again, &second);
		if (!slice_equal(buf_slice(&first), buf_slice(&second)))
			abort();
	}
	buf_free(&first);
	buf_free(&second);
}

static void use_media(struct sdp_media *media)
{
	struct addr addr;
	struct sdp_rtpmap map;

	(void)!sdp_media_rtp_addr(media, &addr);
	(void)!sdp_media_rtcp_addr(media, &addr);
	(void)sdp_media_is_hold(media);
	(void)sdp_media_is_secure(media);
	(void)sdp_media_is_rejected(media);
	(void)sdp_media_ptime_ms(media);
	for (unsigned i = 0; i < media->format_count; i++) {
		(void)!sdp_media_rtpmap(media, media->formats[i], &map);
		(void)sdp_media_fmtp(media, media->formats[i]);
	}
	(void)!sdp_media_find_encoding(media, SLICE("opus"), 0, &map);
}

static void edit_media(struct sdp_media *media, const struct addr *addr, unsigned choice)
{
	(void)!sdp_media_set_connection(media, addr);
	(void)!sdp_media_set_rtcp(media, addr, choice & 1);
	(void)!sdp_media_set_direction(media, (enum sdp_direction)(choice & 3));
	(void)sdp_attribute_remove(&media->section, "rtpmap");
	if (choice & 4)
		(void)sdp_media_remove_format(media, media->formats[0]);
	if (choice & 8)
		sdp_media_reject(media);
	(void)!sdp_line_add(media->sdp, &media->section, 'b', SLICE("AS:1"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct addr addr;
	struct arena *arena;

	if (arena_create(16384, 4 << 20, &arena))
		abort();
	struct sdp *sdp = parse(arena, text);
	if (sdp) {
		check_round_trip(arena, sdp);
		(void)sdp_is_hold(sdp);
		if (addr_parse(SLICE("192.0.2.1:5000"), 0, &addr))
			abort();
		for (unsigned i = 0; i < sdp->media_count; i++) {
			use_media(&sdp->media[i]);
			edit_media(&sdp->media[i], &addr, (unsigned)size + i);
		}
		(void)!sdp_set_connection(sdp, &sdp->section, &addr);
		(void)!sdp_set_origin_address(sdp, &addr);
		/* Edits may add lines beyond the limits of a body from the network. */
		unsigned lines = 0;
		for (unsigned i = 0; i < sdp->media_count; i++)
			for (const struct sdp_line *at = sdp->media[i].section.lines; at;
			     at = at->next)
				lines++;
		if (lines < SDP_MAX_ATTRIBUTES / 2)
			check_round_trip(arena, sdp);
	}
	arena_destroy(arena);
	return 0;
}
