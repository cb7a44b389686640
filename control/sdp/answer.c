/* answer.c - what offer/answer (RFC 3264) asks of an answer. SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/media.h"

void sdp_media_reject(struct sdp_media *media)
{
	media->port = 0;
	media->port_count = 1;
	media->section.lines = NULL;
}

int sdp_answer_check(const struct sdp *offer, const struct sdp *answer, const char **reason)
{
	if (offer->media_count != answer->media_count) {
		*reason = "answer has another number of m= lines than its offer";
		return -ERR_MALFORMED;
	}
	for (unsigned i = 0; i < offer->media_count; i++) {
		const struct sdp_media *offered = &offer->media[i];
		const struct sdp_media *answered = &answer->media[i];

		if (!slice_equal_nocase(offered->type, answered->type)) {
			*reason = "answer has another media type than its offer";
			return -ERR_MALFORMED;
		}
		if (sdp_media_is_rejected(offered) && answered->port != 0) {
			*reason = "answer accepts a stream that was not offered";
			return -ERR_MALFORMED;
		}
	}
	return 0;
}

enum sdp_direction sdp_direction_answer(enum sdp_direction offered, enum sdp_direction wanted)
{
	return (enum sdp_direction)((unsigned)sdp_direction_reverse(offered) & (unsigned)wanted);
}
