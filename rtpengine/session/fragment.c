/* fragment.c - candidates that come after their SDP (trickle ICE, RFC 8838): a body of
 * application/trickle-ice-sdpfrag (RFC 8840 section 9). SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/peering_private.h"

#define FRAGMENT_MAX_LINES 512

/* One m= section of it, or what stands before the first: that goes for all. */
struct fragment {
	struct command *command;
	struct dialog *dialog;
	int side;
	unsigned media; /* m= lines seen */
	struct peering_sdp section;
	char ufrag[ICE_TEXT_MAX + 1]; /* of the session level */
	bool is_ended;
	unsigned taken;
};

static bool stream_is_named(const struct fragment *f, const struct stream *stream)
{
	const struct peering *peering = stream->sides[f->side].peering;

	if (!peering)
		return false;
	const char *mid = peering->is_offered ? peering->offered.mid : peering->said.mid;
	return !f->section.mid[0] || strcmp(mid, f->section.mid) == 0;
}

/* To the stream of its mid; without one to the m= line of the same place. */
static void end_section(struct fragment *f)
{
	struct peering_sdp *section = &f->section;

	if (!section->ufrag[0])
		memcpy(section->ufrag, f->ufrag, sizeof(f->ufrag));
	section->is_ended = section->is_ended || f->is_ended;
	for (unsigned i = 0; i < f->dialog->stream_count; i++) {
		struct stream *stream = f->dialog->streams[i];
		bool is_placed = section->mid[0] || !f->media || i + 1 == f->media;
		if (!is_placed || !stream_is_named(f, stream))
			continue;
		if (stream->sides[f->side].is_bundled)
			stream = f->dialog->streams[stream->sides[f->side].carrier];
		if (peering_trickle(stream, f->side, section, f->command->now_ms) == 0)
			f->taken++;
		break;
	}
	memset(section, 0, sizeof(*section));
}

static int read_attribute(struct fragment *f, struct slice value)
{
	struct slice argument = value;
	struct slice name = slice_cut(&argument, ':');
	bool is_unknown;

	if (slice_equal(name, SLICE("candidate")))
		return peering_candidate_read(&f->section, argument, &is_unknown);
	if (slice_equal(name, SLICE("mid")) && argument.len <= PEERING_MID_MAX)
		slice_copy(argument, f->section.mid, sizeof(f->section.mid));
	else if (slice_equal(name, SLICE("ice-ufrag")) && argument.len <= ICE_TEXT_MAX)
		slice_copy(argument, f->media ? f->section.ufrag : f->ufrag, sizeof(f->ufrag));
	else if (slice_equal(name, SLICE("end-of-candidates")) && f->media)
		f->section.is_ended = true;
	else if (slice_equal(name, SLICE("end-of-candidates")))
		f->is_ended = true;
	return 0;
}

static int read_lines(struct fragment *f, struct slice text)
{
	struct slice line;
	unsigned count = 0;

	while (slice_next_line(&text, &line)) {
		if (++count > FRAGMENT_MAX_LINES)
			return -ERR_TOO_MANY;
		if (slice_starts(line, SLICE("m="))) {
			if (f->media || f->section.candidate_count)
				end_section(f);
			f->media++;
		} else if (slice_starts(line, SLICE("a="))) {
			int err = read_attribute(f, slice_sub(line, 2, line.len));
			if (err)
				return err;
		}
	}
	end_section(f);
	return 0;
}

/* Ours were all in our SDP; what goes on to the other side says just that. */
static void answer(struct command *command)
{
	struct arena *arena = command->request->arena;

	ng_dict_add_string(arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_string(arena, command->reply, "sdp", SLICE("a=end-of-candidates\r\n"));
}

void command_fragment(struct command *command, bool is_answer)
{
	const struct options *options = &command->options;
	struct session *session = session_find(command->sessions, options->call_id);
	struct fragment f = {.command = command};

	if (!session) {
		command_error(command, "Unknown call-id");
		return;
	}
	f.dialog = is_answer ? session_dialog_for_answer(session, options, &f.side)
			     : session_dialog_for_offer(session, options, &f.side);
	if (!f.dialog) {
		command_error(command, "Unknown from-tag");
		return;
	}
	int err = read_lines(&f, options->sdp);
	if (err) {
		command_error(command, "SDP fragment: %s", err_text(err));
		return;
	}
	if (!f.taken)
		log_info(command->sessions->log, "ice.fragment",
			 "call=%s reason=\"of no session of ours\"", session->call_id);
	session_touch(session, command->now_ms);
	answer(command);
}
