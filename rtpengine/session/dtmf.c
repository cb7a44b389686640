/* dtmf.c - the queue of telephone events of a side, and the command that fills it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/dtmf.h"

#include <stdlib.h>
#include "rtpengine/session/participant.h"

#define QUEUE_MAX       32
#define DURATION_MS     250
#define DURATION_MIN_MS 100
#define DURATION_MAX_MS 5000
#define PAUSE_MS        100
#define VOLUME_DB       8
#define VOLUME_MAX      63

struct digit {
	uint8_t event, volume;
	uint16_t duration_ms, pause_ms;
};

struct dtmf {
	struct stream *stream;
	int side;
	struct timer pause;
	bool is_playing;
	uint32_t id; /* of the last one played; each begins anew in the datapath */
	unsigned count;
	struct digit queue[QUEUE_MAX]; /* the first is the one that is played */
};

static uint8_t event_type(const struct stream *stream)
{
	for (int side = 0; side < 2; side++)
		if (stream->sides[side].now.event_type)
			return stream->sides[side].now.event_type;
	return 0;
}

struct flow_play dtmf_play(const struct stream *stream, int side)
{
	const struct dtmf *dtmf = stream->sides[side].dtmf;
	struct flow_play play = {.type = event_type(stream)};
	uint32_t clock_hz = stream->sides[side].now.clock_hz;

	if (!dtmf || !dtmf->is_playing || !play.type || !clock_hz)
		return (struct flow_play){.id = 0};
	uint64_t duration = (uint64_t)dtmf->queue[0].duration_ms * clock_hz / 1000;
	play.id = dtmf->id;
	play.event = dtmf->queue[0].event;
	play.volume = dtmf->queue[0].volume;
	play.duration = (uint16_t)(duration < UINT16_MAX ? duration : UINT16_MAX);
	return play;
}

static void play_next(struct dtmf *dtmf)
{
	dtmf->is_playing = dtmf->count > 0;
	if (dtmf->is_playing && ++dtmf->id == 0)
		dtmf->id = 1;
	stream_publish(dtmf->stream);
}

static void on_pause(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	play_next(container_of(timer, struct dtmf, pause));
}

void dtmf_played(struct stream *stream, int side, uint32_t id)
{
	struct dtmf *dtmf = stream->sides[side].dtmf;
	struct sessions *sessions = stream->dialog->session->all;

	if (!dtmf || !dtmf->is_playing || dtmf->id != id)
		return;
	uint32_t pause_ms = dtmf->queue[0].pause_ms;
	dtmf->count--;
	memmove(dtmf->queue, dtmf->queue + 1, dtmf->count * sizeof(dtmf->queue[0]));
	dtmf->is_playing = false;
	stream_publish(stream);
	wheel_arm(sessions->wheel, &dtmf->pause, wheel_now_ms(sessions->wheel) + pause_ms,
		  on_pause);
}

void dtmf_free(struct sessions *sessions, struct dtmf *dtmf)
{
	if (!dtmf)
		return;
	wheel_cancel(sessions->wheel, &dtmf->pause);
	free(dtmf);
}

static int add(struct stream *stream, int side, const struct digit *digits, unsigned count)
{
	struct side *at = &stream->sides[side];

	if (!at->dtmf) {
		at->dtmf = calloc(1, sizeof(*at->dtmf));
		if (!at->dtmf)
			return -ERR_NO_MEMORY;
		at->dtmf->stream = stream;
		at->dtmf->side = side;
	}
	struct dtmf *dtmf = at->dtmf;
	if (dtmf->count + count > QUEUE_MAX)
		return -ERR_TOO_MANY;
	memcpy(dtmf->queue + dtmf->count, digits, count * sizeof(*digits));
	dtmf->count += count;
	if (!dtmf->is_playing && !timer_is_armed(&dtmf->pause))
		play_next(dtmf);
	return 0;
}

static bool read_event(char c, uint8_t *out)
{
	static const char events[] = "0123456789*#ABCD"; /* RFC 4733 table 3 */
	const char *at = c ? strchr(events, c >= 'a' && c <= 'd' ? c - 'a' + 'A' : c) : NULL;

	if (at)
		*out = (uint8_t)(at - events);
	return at != NULL;
}

static int64_t number(const struct command *command, const char *key, int64_t otherwise,
		      int64_t min, int64_t max)
{
	int64_t value;

	if (ng_get_integer(command->request->dict, key, &value) != 0)
		return otherwise;
	return value < min ? min : value > max ? max : value;
}

/* "code" is one event, as a number or a character; several characters are several events. */
static int read_digits(struct command *command, struct digit *digits, unsigned *count)
{
	const struct ng_value *code = ng_dict_get(command->request->dict, "code");
	int64_t volume = number(command, "volume", VOLUME_DB, -VOLUME_MAX, VOLUME_MAX);
	struct digit model = {
		.volume = (uint8_t)(volume < 0 ? -volume : volume),
		.duration_ms = (uint16_t)number(command, "duration", DURATION_MS, DURATION_MIN_MS,
						DURATION_MAX_MS),
		.pause_ms = (uint16_t)number(command, "pause", PAUSE_MS, DURATION_MIN_MS,
					     DURATION_MAX_MS),
	};

	if (!code)
		code = ng_dict_get(command->request->dict, "digit");
	*count = 0;
	if (code && code->type == NG_INTEGER && code->integer >= 0 && code->integer <= 15) {
		model.event = (uint8_t)code->integer;
		digits[(*count)++] = model;
		return 0;
	}
	bool is_text = code && code->type == NG_STRING && code->string.len &&
		       code->string.len <= QUEUE_MAX;
	for (size_t i = 0; is_text && i < code->string.len; i++) {
		is_text = read_event(code->string.data[i], &model.event);
		digits[(*count)++] = model;
	}
	if (is_text)
		return 0;
	command_error(command, "code: 0 to 15, or 1 to %d characters of 0-9*#A-D", QUEUE_MAX);
	return -ERR_INVALID;
}

static struct stream *audio(struct dialog *dialog)
{
	for (unsigned i = 0; i < dialog->stream_count; i++)
		if (dialog->streams[i]->is_live && event_type(dialog->streams[i]))
			return dialog->streams[i];
	return NULL;
}

void command_play_dtmf(struct command *command)
{
	struct session *session = command_session(command);
	struct participants who;
	struct digit digits[QUEUE_MAX];
	unsigned count, found = 0;

	if (!session || participants_read(command, session, false, &who) != 0 ||
	    read_digits(command, digits, &count) != 0)
		return;
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		struct stream *stream = audio(dialog);

		for (int side = 0; side < 2 && stream; side++) {
			if (!participants_mean(&who, dialog, side))
				continue;
			found++;
			int err = add(stream, side, digits, count);
			if (err) {
				command_error(command, "%s",
					      err == -ERR_TOO_MANY
						      ? "too many events are waiting already"
						      : err_text(err));
				return;
			}
		}
	}
	if (!found)
		command_error(command, "no participant with telephone-event in its audio");
	else
		ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
}
