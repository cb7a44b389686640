/* A session's life: made by its first offer, ended by delete, by silence, or with the process.
 * Its timer wakes once per time-out, looks when a packet last came, and goes to sleep until that
 * packet would be too old: no walk over all calls (media-requirements.md 4.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/session.h"

#include <stdlib.h>
#include "rtpengine/session/connect.h"
#include "rtpengine/session/keep.h"
#include "rtpengine/session/piercing.h"
#include "rtpengine/session/subscription.h"

uint32_t session_affinity(const struct sessions *sessions, struct slice call_id)
{
	return (uint32_t)(siphash(call_id, sessions->hash_key) >> 32);
}

int session_create(struct sessions *sessions, struct slice call_id, uint64_t now_ms,
		   struct session **out)
{
	struct session *session = calloc(1, sizeof(*session));
	if (!session)
		return -ERR_NO_MEMORY;
	session->call_id = slice_dup(call_id);
	if (!session->call_id) {
		free(session);
		return -ERR_NO_MEMORY;
	}
	uint64_t hash = siphash(call_id, sessions->hash_key);
	session->all = sessions;
	session->affinity = session_affinity(sessions, call_id);
	session->created_ms = now_ms;
	session->signal_ms = now_ms;
	table_insert(&sessions->by_call_id, &session->link, hash);
	session->prev = sessions->last;
	if (session->prev)
		session->prev->next = session;
	else
		sessions->first = session;
	sessions->last = session;
	*out = session;
	return 0;
}

void session_destroy(struct session *session, uint64_t now_ms)
{
	struct sessions *sessions = session->all;

	piercing_stop(session);
	subscriptions_free(session, now_ms);
	while (session->dialogs)
		dialog_destroy(session->dialogs, now_ms);
	recording_stop(session, true);
	keep_forget(session);
	wheel_cancel(sessions->wheel, &session->expiry);
	table_remove(&sessions->by_call_id, &session->link);
	if (session->prev)
		session->prev->next = session->next;
	else
		sessions->first = session->next;
	if (session->next)
		session->next->prev = session->prev;
	else
		sessions->last = session->prev;
	if (now_ms > session->created_ms)
		sessions->counters.duration_ms += now_ms - session->created_ms;
	free(session->affinity_of);
	free(session->call_id);
	free(session);
}

void session_end(struct session *session, uint64_t now_ms)
{
	session->all->counters.deleted++;
	session_destroy(session, now_ms);
}

static void note_side(const struct stream *stream, int side, uint64_t *last_ms)
{
	const struct flow_ref *refs[] = {&stream->sides[side].rtp, &stream->sides[side].rtcp};
	struct flow_stats stats;

	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		if (!flow_id_is_set(refs[i]->id) ||
		    datapath_flow_stats(stream->dialog->session->all->datapath, refs[i]->id,
					&stats) != 0)
			continue;
		if (stats.last_packet_ms > *last_ms)
			*last_ms = stats.last_packet_ms;
		if (stats.last_rtcp_ms > *last_ms)
			*last_ms = stats.last_rtcp_ms;
	}
}

uint64_t session_last_packet_ms(const struct session *session)
{
	uint64_t last_ms = 0;

	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		for (unsigned i = 0; i < dialog->stream_count; i++) {
			note_side(dialog->streams[i], 0, &last_ms);
			note_side(dialog->streams[i], 1, &last_ms);
		}
	}
	return last_ms;
}

static bool session_is_answered(const struct session *session)
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		if (dialog->is_answered)
			return true;
	}
	return false;
}

static bool both_speak(const struct stream *stream, int side)
{
	struct hearer peer = stream_hearer(stream, side);

	if (stream->dialog->is_published)
		return side == 0 && (stream->sides[0].now.direction & SDP_SENDONLY);
	return peer.stream && side_may_send(stream, side) && side_may_send(peer.stream, peer.side);
}

/* Silence means something only where both sides said they would speak. A stream that is sendonly,
 * recvonly or inactive on either side, or whose address is 0.0.0.0, may be silent for long. */
bool session_is_held(const struct session *session)
{
	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		for (unsigned i = 0; i < dialog->stream_count; i++) {
			const struct stream *stream = dialog->streams[i];
			if (stream_is_live(stream) &&
			    (both_speak(stream, 0) || both_speak(stream, 1)))
				return false;
		}
	}
	return true;
}

/* The shorter of the two sides' time-outs. */
static uint32_t session_idle_ms(const struct session *session)
{
	uint32_t idle_ms = 0;

	for (const struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next) {
		for (int side = 0; side < 2; side++) {
			uint32_t one = party_idle_ms(dialog, side);
			if (one && (!idle_ms || one < idle_ms))
				idle_ms = one;
		}
	}
	return idle_ms;
}

static uint64_t session_timeout_ms(const struct session *session, uint64_t **counter)
{
	struct sessions *sessions = session->all;

	if (!session_is_answered(session)) {
		*counter = &sessions->counters.offer_timed_out;
		return sessions->offer_timeout_ms;
	}
	uint32_t idle_ms = session_idle_ms(session);
	if (!idle_ms || session_is_held(session)) {
		*counter = &sessions->counters.held_timed_out;
		return sessions->held_timeout_ms;
	}
	*counter = &sessions->counters.timed_out;
	return idle_ms;
}

/* Who asks with `ping since` hears of it: nobody else knows that this call has ended. */
static void session_note_ended(struct session *session)
{
	struct sessions *sessions = session->all;
	uint64_t sequence = ++sessions->ended_sequence;
	struct ended_call *slot = &sessions->ended[sequence % SESSION_ENDED_KEPT];

	keep_forget(session);
	free(slot->call_id);
	slot->sequence = sequence;
	slot->call_id = session->call_id;
	session->call_id = NULL;
}

static void on_expiry(struct timer *timer, uint64_t now_ms)
{
	struct session *session = container_of(timer, struct session, expiry);
	struct sessions *sessions = session->all;

	if (session->is_deleting) {
		session_end(session, now_ms);
		return;
	}
	uint64_t *counter;
	uint64_t timeout_ms = session_timeout_ms(session, &counter);
	uint64_t last_ms = session_last_packet_ms(session);
	if (last_ms < session->signal_ms)
		last_ms = session->signal_ms;
	if (now_ms < last_ms + timeout_ms) {
		wheel_arm(sessions->wheel, timer, last_ms + timeout_ms, on_expiry);
		return;
	}
	(*counter)++;
	log_info(sessions->log, "session.timed-out", "call=%s silent_ms=%llu answered=%d held=%d",
		 session->call_id, (unsigned long long)(now_ms - last_ms),
		 session_is_answered(session), session_is_held(session));
	session_note_ended(session);
	session_destroy(session, now_ms);
}

void session_publish(struct session *session)
{
	for (struct dialog *dialog = session->dialogs; dialog; dialog = dialog->next)
		for (unsigned i = 0; i < dialog->stream_count; i++)
			if (dialog->streams[i]->is_live)
				stream_publish(dialog->streams[i]);
}

void session_touch(struct session *session, uint64_t now_ms)
{
	uint64_t *counter;

	session->signal_ms = now_ms;
	session->is_deleting = false;
	wheel_arm(session->all->wheel, &session->expiry,
		  now_ms + session_timeout_ms(session, &counter), on_expiry);
}

void session_delete_later(struct session *session, uint64_t now_ms, uint64_t delay_ms)
{
	session->is_deleting = true;
	wheel_arm(session->all->wheel, &session->expiry, now_ms + delay_ms, on_expiry);
}
