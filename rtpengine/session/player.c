/* player.c - commands that play sounds. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/player.h"

#include <stdlib.h>
#include "rtpengine/recorder/g711.h"
#include "rtpengine/session/base64.h"
#include "rtpengine/session/connect.h"
#include "rtpengine/session/participant.h"
#include "rtpengine/session/sound.h"

#define PACKET_MS      20
#define PACKET_SAMPLES (SOUND_HZ / 1000 * PACKET_MS)
#define RTP_HEADER     12
#define REPEATS_MAX    1000
#define CATCH_UP_MAX   5 /* packets at once after the loop was late */

struct player {
	struct stream *stream;
	int side; /* who hears it */
	struct timer tick;
	uint64_t next_ms;
	struct sound *sound; /* a reference */
	size_t at;           /* sample */
	unsigned repeats;    /* left after this one */
	uint64_t until_ms;   /* it begins no more after that; 0 = whenever */
	bool has_begun;
	bool is_alaw;
	uint8_t payload_type;
	uint16_t sequence;
	uint32_t timestamp, ssrc;
};

static void free_player(struct player *player)
{
	wheel_cancel(player->stream->dialog->session->all->wheel, &player->tick);
	sound_put(player->sound);
	free(player);
}

uint64_t player_stop(struct stream *stream, int side)
{
	struct player *player = stream->sides[side].player;

	if (!player)
		return 0;
	uint64_t at = player->at / PACKET_SAMPLES;
	stream->sides[side].player = NULL;
	free_player(player);
	return at;
}

static void write_header(const struct player *player, uint8_t *rtp)
{
	rtp[0] = 0x80;
	rtp[1] = (uint8_t)(player->payload_type | (player->has_begun ? 0 : 0x80));
	rtp[2] = (uint8_t)(player->sequence >> 8);
	rtp[3] = (uint8_t)player->sequence;
	for (unsigned i = 0; i < 4; i++) {
		rtp[4 + i] = (uint8_t)(player->timestamp >> (24 - 8 * i));
		rtp[8 + i] = (uint8_t)(player->ssrc >> (24 - 8 * i));
	}
}

static void send_packet(struct player *player)
{
	uint8_t rtp[RTP_HEADER + PACKET_SAMPLES];
	const struct sound *sound = player->sound;

	write_header(player, rtp);
	for (size_t i = 0; i < PACKET_SAMPLES; i++) {
		int16_t sample = player->at + i < sound->count ? sound->samples[player->at + i] : 0;

		rtp[RTP_HEADER + i] = player->is_alaw ? g711_alaw(sample) : g711_ulaw(sample);
	}
	int err = datapath_media_send(player->stream->dialog->session->all->datapath,
				      side_transport(player->stream, player->side)->rtp.id, rtp,
				      sizeof(rtp));
	if (err) /* it is lost, as any packet may be */
		player->stream->dialog->session->all->counters.unsent++;
	player->has_begun = true;
	player->sequence++;
	player->timestamp += PACKET_SAMPLES;
	player->at += PACKET_SAMPLES;
}

/* False: that was all. */
static bool advance(struct player *player)
{
	if (player->at < player->sound->count)
		return true;
	if (player->until_ms ? player->next_ms >= player->until_ms : !player->repeats)
		return false;
	player->repeats -= player->repeats > 0;
	player->at = 0;
	return true;
}

static void on_tick(struct timer *timer, uint64_t now_ms)
{
	struct player *player = container_of(timer, struct player, tick);
	struct stream *stream = player->stream;

	for (unsigned i = 0; i < CATCH_UP_MAX && player->next_ms <= now_ms; i++) {
		if (!advance(player)) {
			(void)player_stop(stream, player->side);
			stream_publish(stream);
			return;
		}
		send_packet(player);
		player->next_ms += PACKET_MS;
	}
	if (player->next_ms <= now_ms) /* it was away for long: no burst */
		player->next_ms = now_ms + PACKET_MS;
	wheel_arm(stream->dialog->session->all->wheel, timer, player->next_ms, on_tick);
}

static int64_t number(const struct command *command, const char *key, int64_t otherwise,
		      int64_t max)
{
	int64_t value;

	if (ng_get_integer(command->request->dict, key, &value) != 0)
		return otherwise;
	return value < 0 ? 0 : value > max ? max : value;
}

/* G.711 that both sides named: the listener's payload type for it. */
static bool choose_codec(const struct stream *stream, int side, struct player *player)
{
	const struct side_media *to = &stream->sides[side].now, *other = to;
	struct hearer hearer = stream_hearer(stream, side);

	if (hearer.stream)
		other = &hearer.stream->sides[hearer.side].now;

	player->is_alaw = to->pcma_type != TYPE_NONE && other->pcma_type != TYPE_NONE;
	player->payload_type = player->is_alaw ? to->pcma_type : to->pcmu_type;
	return player->is_alaw || (to->pcmu_type != TYPE_NONE && other->pcmu_type != TYPE_NONE);
}

static int start(struct command *command, struct stream *stream, int side, struct sound *sound)
{
	struct sessions *sessions = command->sessions;
	struct player *player = calloc(1, sizeof(*player));

	if (!player)
		return -ERR_NO_MEMORY;
	if (!choose_codec(stream, side, player)) {
		free(player);
		return -ERR_UNSUPPORTED;
	}
	player->sound = sound_hold(sound);
	(void)player_stop(stream, side);
	player->stream = stream;
	player->side = side;
	player->at = (size_t)number(command, "start-pos", 0, INT32_MAX) * PACKET_SAMPLES;
	player->repeats = (unsigned)number(command, "repeat-times", 1, REPEATS_MAX);
	player->repeats -= player->repeats > 0;
	random_fill(sessions->random, &player->ssrc, sizeof(player->ssrc));
	random_fill(sessions->random, &player->timestamp, sizeof(player->timestamp));
	random_fill(sessions->random, &player->sequence, sizeof(player->sequence));
	player->next_ms = command->now_ms;
	int64_t repeat_ms = number(command, "repeat-duration", 0, INT32_MAX);
	player->until_ms = repeat_ms ? player->next_ms + (uint64_t)repeat_ms : 0;
	stream->sides[side].player = player;
	stream_publish(stream);
	wheel_arm(sessions->wheel, &player->tick, player->next_ms, on_tick);
	return 0;
}

static bool blob64(struct command *command, struct slice *out, const char **why)
{
	struct slice text = ng_get_string(command->request->dict, "blob64");
	size_t len = base64_size(text);
	uint8_t *bytes = len ? arena_alloc(command->request->arena, len) : NULL;

	if (!bytes)
		return false;
	*why = "blob64 is no base64";
	if (base64_read(text, bytes, len) != 0)
		return false;
	*out = (struct slice){(const char *)bytes, len};
	return true;
}

static int load(struct command *command, struct sound **out)
{
	const struct ng_value *dict = command->request->dict;
	struct slice file = ng_get_string(dict, "file"), blob = ng_get_string(dict, "blob");
	const char *why = "one of file, blob and blob64 is needed";
	int err = -ERR_INVALID;

	if (file.len && !command->sessions->sounds)
		why = "this relay plays no files (relay.sounds is not set)";
	else if (file.len)
		err = sounds_get(&command->sessions->kept_sounds, command->sessions->sounds, file,
				 out, &why);
	else if (blob.len || blob64(command, &blob, &why))
		err = sound_parse(blob, out, &why);
	if (err)
		command_error(command, "cannot play: %s", why);
	return err;
}

static struct stream *audio(struct dialog *dialog)
{
	for (unsigned i = 0; i < dialog->stream_count; i++)
		if (dialog->streams[i]->is_live && !strcmp(dialog->streams[i]->kind.type, "audio"))
			return dialog->streams[i];
	return NULL;
}

void command_play_media(struct command *command)
{
	struct session *session = command_session(command);
	struct participants who;
	struct sound *sound;
	unsigned found = 0, played = 0;

	if (!session || participants_read(command, session, false, &who) != 0 ||
	    load(command, &sound) != 0)
		return;
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		struct stream *stream = audio(dialog);

		for (int side = 0; side < 2 && stream; side++) {
			if (!participants_mean(&who, dialog, side))
				continue;
			found++;
			played += start(command, stream, side, sound) == 0;
		}
	}
	if (!found)
		command_error(command, "no such participant with audio in this call");
	else if (!played)
		command_error(command, "cannot play: no G.711 in this call");
	else {
		ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
		ng_dict_add_integer(command->request->arena, command->reply, "duration",
				    (int64_t)(sound->count * 1000 / SOUND_HZ));
	}
	sound_put(sound);
}

void command_stop_media(struct command *command)
{
	struct session *session = command_session(command);
	struct participants who;
	uint64_t position = 0;

	if (!session || participants_read(command, session, false, &who) != 0)
		return;
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		struct stream *stream = audio(dialog);

		for (int side = 0; side < 2 && stream; side++) {
			if (!participants_mean(&who, dialog, side) || !stream->sides[side].player)
				continue;
			position = player_stop(stream, side);
			stream_publish(stream);
		}
	}
	ng_dict_add_string(command->request->arena, command->reply, "result", SLICE("ok"));
	ng_dict_add_integer(command->request->arena, command->reply, "last-frame-pos",
			    (int64_t)position);
}
