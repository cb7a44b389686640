/* bundle.c - what an SDP says of all its streams together: BUNDLE (RFC 9143), mid (RFC 5888),
 * ice-lite. One transport serves one stream here, so a group of one is what we offer and accept;
 * others of a group get transports of their own. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/bundle.h"

#include <stdio.h>
#include "rtpengine/session/peering_private.h"

/* The only stream with a transport of its own; NULL = none, or several. */
static struct sdp_media *only_media(struct sdp *sdp)
{
	struct sdp_media *found = NULL;

	for (unsigned i = 0; i < sdp->media_count; i++) {
		if (!sdp->media[i].port)
			continue;
		if (found)
			return NULL;
		found = &sdp->media[i];
	}
	return found;
}

static bool is_feature(void *owner, const struct sdp_line *line)
{
	(void)owner;
	return line->type == 'a' && slice_starts(line->name, SLICE("extmap"));
}

int bundle_prepare(struct sdp *sdp, const struct options *options)
{
	const unsigned bits = options->peering.bits;
	int err = 0;

	if (bits & PEERING_STRIP_EXTMAP)
		sdp_line_remove_if(&sdp->section, is_feature, NULL);
	for (unsigned i = 0; i < sdp->media_count && !err; i++) {
		struct sdp_media *media = &sdp->media[i];
		char mid[16];
		if (bits & PEERING_STRIP_EXTMAP)
			sdp_line_remove_if(&media->section, is_feature, NULL);
		if (!(bits & PEERING_GENERATE_MID) || !media->port ||
		    sdp_media_attribute(media, "mid"))
			continue;
		int len = snprintf(mid, sizeof(mid), "%u", i);
		err = sdp_attribute_add(sdp, &media->section, "mid",
					(struct slice){mid, (size_t)len});
	}
	return err;
}

static bool is_asked(const struct dialog *dialog, int to, const struct sdp_media *media,
		     const struct options *options, bool is_answer)
{
	const struct peering *peering = dialog->streams[media->index]->sides[to].peering;

	if (options->peering.bits & PEERING_BUNDLE_REJECT)
		return false;
	if (is_answer)
		return peering && peering->said.is_bundled &&
		       (peering->told_ice || peering->told_dtls);
	return options->peering.bits & (PEERING_BUNDLE_OFFER | PEERING_WEBRTC);
}

int bundle_write(const struct dialog *dialog, int to, struct sdp *sdp,
		 const struct options *options, bool is_answer)
{
	struct sdp_media *media = only_media(sdp);
	const struct sdp_line *mid = media ? sdp_media_attribute(media, "mid") : NULL;
	bool is_lite = false;
	char group[PEERING_MID_MAX + 8];
	int err = 0;

	for (unsigned i = 0; i < sdp->media_count; i++) {
		const struct peering *peering = dialog->streams[i]->sides[to].peering;
		is_lite = is_lite || (peering && peering->told_ice && peering->is_lite);
	}
	if (is_lite)
		err = sdp_attribute_add(sdp, &sdp->section, "ice-lite", SLICE_NONE);
	if (err || !mid || mid->argument.len > PEERING_MID_MAX ||
	    !is_asked(dialog, to, media, options, is_answer))
		return err;
	int len = snprintf(group, sizeof(group), "BUNDLE %.*s", SLICE_ARG(mid->argument));
	return sdp_attribute_add(sdp, &sdp->section, "group", (struct slice){group, (size_t)len});
}
