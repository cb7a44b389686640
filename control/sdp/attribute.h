/* attribute.h - look up and edit the lines of one section of an SDP (session or media).
 * Texts given to the editors are copied into the arena of the sdp.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/sdp/sdp.h"

/* First a= line of that name (names are case-sensitive, RFC 8866 5.13), and the next one of the
 * same name; NULL = none. */
const struct sdp_line *sdp_attribute(const struct sdp_section *section, const char *name);
const struct sdp_line *sdp_attribute_next(const struct sdp_line *line);
static inline const struct sdp_line *sdp_media_attribute(const struct sdp_media *media,
							 const char *name)
{
	return sdp_attribute(&media->section, name);
}
/* In the media, else in the session. */
const struct sdp_line *sdp_media_attribute_effective(const struct sdp_media *media,
						     const char *name);

/* First line of a type letter ('b', 'i', ...), and the next one of the same type. */
const struct sdp_line *sdp_line_find(const struct sdp_section *section, char type);
const struct sdp_line *sdp_line_next(const struct sdp_line *line);
/* Put a line where RFC 8866 wants its type: after the last of the same or an earlier type. */
MUST_CHECK int sdp_line_add(struct sdp *sdp, struct sdp_section *section, char type,
			    struct slice value);

/* `argument` with data NULL: a flag ("a=rtcp-mux"). */
MUST_CHECK int sdp_attribute_add(struct sdp *sdp, struct sdp_section *section, const char *name,
				 struct slice argument);
/* Exactly one line of that name: the first is changed in place, further ones removed. */
MUST_CHECK int sdp_attribute_set(struct sdp *sdp, struct sdp_section *section, const char *name,
				 struct slice argument);
/* All lines of that name; returns how many. */
unsigned sdp_attribute_remove(struct sdp_section *section, const char *name);
/* All lines for which `fn` is true; returns how many. */
typedef bool sdp_line_fn(void *owner, const struct sdp_line *line);
unsigned sdp_line_remove_if(struct sdp_section *section, sdp_line_fn *fn, void *owner);

/* The section has exactly this c= line afterwards. */
MUST_CHECK int sdp_set_connection(struct sdp *sdp, struct sdp_section *section,
				  const struct addr *addr);
static inline int sdp_media_set_connection(struct sdp_media *media, const struct addr *addr)
{
	return sdp_set_connection(media->sdp, &media->section, addr);
}
unsigned sdp_remove_connection(struct sdp_section *section); /* how many c= lines went */
/* Texts are copied; a text with data NULL leaves that part of o= as it is. */
MUST_CHECK int sdp_set_origin(struct sdp *sdp, const struct sdp_origin *origin);
MUST_CHECK int sdp_set_origin_address(struct sdp *sdp, const struct addr *addr);
MUST_CHECK int sdp_set_session_name(struct sdp *sdp, struct slice name);
