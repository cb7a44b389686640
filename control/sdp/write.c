/* write.c - a session description as text, and new ones from nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/attribute.h"
#include "control/sdp/lines.h"

static void write_lines(const struct sdp_section *section, struct buf *buf)
{
	for (const struct sdp_line *line = section->lines; line; line = line->next) {
		buf_add_char(buf, line->type);
		buf_add_char(buf, '=');
		buf_add(buf, line->value);
		buf_add_text(buf, "\r\n");
	}
}

static void write_word(struct slice word, struct buf *buf)
{
	buf_add_char(buf, ' ');
	buf_add(buf, word);
}

static void write_origin(const struct sdp_origin *origin, struct buf *buf)
{
	buf_add_text(buf, "o=");
	buf_add(buf, origin->username);
	write_word(origin->session_id, buf);
	write_word(origin->session_version, buf);
	write_word(origin->network_type, buf);
	write_word(origin->address_type, buf);
	write_word(origin->address, buf);
	buf_add_text(buf, "\r\n");
}

static void write_media(const struct sdp_media *media, struct buf *buf)
{
	buf_add_text(buf, "m=");
	buf_add(buf, media->type);
	buf_add_char(buf, ' ');
	buf_add_u64(buf, media->port);
	if (media->port_count > 1) {
		buf_add_char(buf, '/');
		buf_add_u64(buf, media->port_count);
	}
	write_word(media->protocol, buf);
	for (unsigned i = 0; i < media->format_count; i++)
		write_word(media->formats[i], buf);
	buf_add_text(buf, "\r\n");
	write_lines(&media->section, buf);
}

void sdp_write(const struct sdp *sdp, struct buf *buf)
{
	buf_add_text(buf, "v=0\r\n");
	write_origin(&sdp->origin, buf);
	buf_add_text(buf, "s=");
	/* The grammar wants one byte at least; RFC 8866 5.3 advises "-". */
	if (sdp->session_name.len)
		buf_add(buf, sdp->session_name);
	else
		buf_add_char(buf, '-');
	buf_add_text(buf, "\r\n");
	write_lines(&sdp->section, buf);
	for (unsigned i = 0; i < sdp->media_count; i++)
		write_media(&sdp->media[i], buf);
}

int sdp_create(struct arena *arena, const struct sdp_origin *origin, const struct addr *connection,
	       struct sdp **out)
{
	struct sdp *sdp = arena_zalloc(arena, sizeof(*sdp));

	if (!sdp)
		return -ERR_NO_MEMORY;
	sdp->arena = arena;
	sdp->session_name = SLICE("-");
	int err = sdp_set_origin(sdp, origin);
	if (!err)
		err = sdp_set_connection(sdp, &sdp->section, connection);
	if (!err)
		err = sdp_line_add(sdp, &sdp->section, 't', SLICE("0 0"));
	if (!err)
		*out = sdp;
	return err;
}

int sdp_add_media(struct sdp *sdp, struct slice type, uint32_t port, struct slice protocol,
		  struct slice formats, struct sdp_media **out)
{
	struct sdp_media media = {.sdp = sdp, .index = sdp->media_count};
	struct sdp_fault fault;

	if (sdp->media_count >= SDP_MAX_MEDIA)
		return -ERR_TOO_MANY;
	if (port > UINT16_MAX)
		return -ERR_INVALID;
	char *text = arena_printf(sdp->arena, "%.*s %u %.*s %.*s", SLICE_ARG(type), port,
				  SLICE_ARG(protocol), SLICE_ARG(formats));
	if (!text)
		return -ERR_NO_MEMORY;
	int err = sdp_read_media(sdp->arena, slice_from(text), &media, &fault);
	if (err)
		return err;
	size_t size = sdp->media_count * sizeof(media);
	struct sdp_media *grown = arena_realloc(sdp->arena, sdp->media, size, size + sizeof(media));
	if (!grown)
		return -ERR_NO_MEMORY;
	sdp->media = grown;
	sdp->media[sdp->media_count] = media;
	*out = &sdp->media[sdp->media_count++];
	return 0;
}
