/* record_fields.c - the layout of a record, decided for good.
 *
 *   value  = 0xCA, version, field*
 *   field  = number, length (both LEB128, shortest form), that many bytes
 *
 * Fields stand in ascending order of number; one that repeats (legs, lists) stands several times.
 * What is empty or zero is left out, so each record has exactly one encoding. A reader skips
 * numbers it does not know; the version changes only when an old number changes its meaning.
 *
 * Numbers never to be used otherwise, kept for what comes later or written before:
 *   record  24-25  correlation, limits (its legs' peers say those)
 *           66-79  REFER and Replaces
 *   leg     57-63  early dialogs
 * Media (ports, SSRCs, keys, indexes) is the relay's own value: media:{id}, or relay_state while
 * there is nothing in it that the answer did not say.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/state/record_fields.h"

enum {
	NAME_LIMIT = 128,
	TAG_LIMIT = 512,
	CALL_ID_LIMIT = 1024,
	URI_LIMIT = 4096,
	SDP_LIMIT = 16 * 1024
};

static const char *const state_names[] = {"none",   "ringing",      "answered",
					  "ending", "subscription", NULL};
static const char *const transport_names[] = {"none", "udp", "tcp", "tls", "ws", "wss", NULL};
static const char *const hold_names[] = {"none", "by us", "by peer", "both", NULL};
static const char *const offer_names[] = {"none", "sent", "received", NULL};
static const char *const refresher_names[] = {"none", "us", "peer", NULL};

#define AT(type, member) .name = #member, .offset = offsetof(struct type, member)
#define COUNTED(type, member, most)                                                                \
	.count_offset = offsetof(struct type, member), .count_limit = (most)

static const struct field record_fields[] = {
	{1, FIELD_LINE, RECORD_ID_LIMIT, AT(call_record, id)},
	{2, FIELD_ENUM, RECORD_SUBSCRIPTION, AT(call_record, state), .names = state_names},
	{3, FIELD_TIME, 0, .name = "created_at",
	 .offset = offsetof(struct call_record, created_ms)},
	{4, FIELD_TIME, 0, .name = "answered_at",
	 .offset = offsetof(struct call_record, answered_ms)},
	{5, FIELD_TIME, 0, .name = "written_at",
	 .offset = offsetof(struct call_record, written_ms)},
	{6, FIELD_LINE, NAME_LIMIT, AT(call_record, node)},
	{7, FIELD_U64, 0, AT(call_record, epoch)},
	{8, FIELD_U32, 0, AT(call_record, worker)},
	{12, FIELD_LINE, CALL_ID_LIMIT, AT(call_record, ng_call_id)},
	{13, FIELD_LINE, NAME_LIMIT, AT(call_record, relay)},
	{14, FIELD_LINE, NAME_LIMIT, AT(call_record, relay_instance)},
	{15, FIELD_U32, 0, AT(call_record, media_idle_ms)},
	{16, FIELD_TIME, 0, .name = "ends_at", .offset = offsetof(struct call_record, ends_ms)},
	{17, FIELD_BYTES, SDP_LIMIT, AT(call_record, relay_state)},
	{20, FIELD_LINE, URI_LIMIT, AT(call_record, caller)},
	{21, FIELD_LINE, URI_LIMIT, AT(call_record, callee)},
	{22, FIELD_ADDR, 0, AT(call_record, source)},
	{23, FIELD_LINE, NAME_LIMIT, AT(call_record, route)},
	{26, FIELD_BOOL, 0, AT(call_record, is_emergency)},
	{27, FIELD_BOOL, 0, AT(call_record, wants_privacy)},
	{28, FIELD_TIME, 0, .name = "ringing_at",
	 .offset = offsetof(struct call_record, ringing_ms)},
	{29, FIELD_BODY, NAME_LIMIT, AT(call_record, session_ids)},
	{32, FIELD_LEGS, 0, AT(call_record, legs),
	 COUNTED(call_record, leg_count, RECORD_LEGS_LIMIT)},
	{48, FIELD_BODY, SDP_LIMIT, AT(call_record, invite)},
	{49, FIELD_BODY, SDP_LIMIT, AT(call_record, sent)},
	{50, FIELD_BODY, SDP_LIMIT, AT(call_record, record_routes)},
	{51, FIELD_U32, 0, AT(call_record, client_cseq)},
	{52, FIELD_U32, 0, AT(call_record, reliability)},
	{53, FIELD_BOOL, 0, AT(call_record, is_late)},
	{54, FIELD_U32, 0, AT(call_record, media_early)},
	{55, FIELD_U32, 0, AT(call_record, early_count)},
	{56, FIELD_U32, 0, AT(call_record, rseq)},
	{57, FIELD_BOOL, 0, AT(call_record, awaits_prack)},
	{58, FIELD_BOOL, 0, AT(call_record, prack_has_sdp)},
	{59, FIELD_BOOL, 0, AT(call_record, prack_is_answer)},
	{60, FIELD_U32, 0, AT(call_record, prack_early)},
	{61, FIELD_U32, 0, AT(call_record, prack_far_rseq)},
	{62, FIELD_LINE, URI_LIMIT, AT(call_record, target)},
	{63, FIELD_LINE, NAME_LIMIT, AT(call_record, hunt)},
	{64, FIELD_LINES, NAME_LIMIT, AT(call_record, refers),
	 COUNTED(call_record, refer_count, RECORD_LIST_LIMIT)},
	{65, FIELD_BOOL, 0, AT(call_record, is_branch)},
	{66, FIELD_LINE, NAME_LIMIT, AT(call_record, transfer)},
	{80, FIELD_LINE, URI_LIMIT, AT(call_record, event)},
	{81, FIELD_U32, 0, AT(call_record, lifetime_s)},
	{82, FIELD_LINES, RECORD_ID_LIMIT, AT(call_record, forks),
	 COUNTED(call_record, fork_count, RECORD_LIST_LIMIT)},
	{83, FIELD_LINE, RECORD_ID_LIMIT, AT(call_record, root)},
};

static const struct field leg_fields[] = {
	{1, FIELD_LINE, CALL_ID_LIMIT, AT(record_leg, call_id)},
	{2, FIELD_LINE, TAG_LIMIT, AT(record_leg, local_tag)},
	{3, FIELD_LINE, TAG_LIMIT, AT(record_leg, remote_tag)},
	{4, FIELD_LINE, URI_LIMIT, AT(record_leg, local_uri)},
	{5, FIELD_LINE, URI_LIMIT, AT(record_leg, remote_uri)},
	{6, FIELD_LINE, URI_LIMIT, AT(record_leg, remote_target)},
	{7, FIELD_LINE, URI_LIMIT, AT(record_leg, local_contact)},
	{8, FIELD_LINES, URI_LIMIT, AT(record_leg, route_set),
	 COUNTED(record_leg, route_count, RECORD_ROUTE_LIMIT)},
	{9, FIELD_U32, 0, AT(record_leg, local_cseq)},
	{10, FIELD_U32, 0, AT(record_leg, remote_cseq)},
	{11, FIELD_BOOL, 0, AT(record_leg, is_caller)},
	{12, FIELD_BOOL, 0, AT(record_leg, is_confirmed)},
	{13, FIELD_BOOL, 0, AT(record_leg, is_secure)},
	{14, FIELD_LINE, URI_LIMIT, AT(record_leg, local_display)},
	{15, FIELD_LINE, URI_LIMIT, AT(record_leg, remote_display)},
	{16, FIELD_ENUM, RECORD_WSS, AT(record_leg, transport), .names = transport_names},
	{17, FIELD_LINE, NAME_LIMIT, AT(record_leg, interface)},
	{18, FIELD_LINE, NAME_LIMIT, AT(record_leg, listener)},
	{19, FIELD_ADDR, 0, AT(record_leg, remote)},
	{20, FIELD_LINE, NAME_LIMIT, AT(record_leg, peer)},
	{21, FIELD_BOOL, 0, AT(record_leg, allows_update)},
	{22, FIELD_U32, 0, AT(record_leg, server)},
	{23, FIELD_LINE, TAG_LIMIT, AT(record_leg, tls_name)},
	{24, FIELD_BODY, SDP_LIMIT, AT(record_leg, sdp_sent)},
	{25, FIELD_BODY, SDP_LIMIT, AT(record_leg, sdp_received)},
	{26, FIELD_LINE, NAME_LIMIT, AT(record_leg, sdp_session_id)},
	{27, FIELD_U64, 0, AT(record_leg, sdp_session_version)},
	{28, FIELD_U64, 0, AT(record_leg, remote_sdp_version)},
	{29, FIELD_ENUM, RECORD_HOLD_BOTH, AT(record_leg, hold), .names = hold_names},
	{30, FIELD_ENUM, RECORD_OFFER_RECEIVED, AT(record_leg, offer), .names = offer_names},
	{31, FIELD_LINE, TAG_LIMIT, AT(record_leg, ng_tag)},
	{32, FIELD_U64, 0, AT(record_leg, sdp_session_hash)},
	{40, FIELD_U32, 0, AT(record_leg, session_interval_s)},
	{41, FIELD_ENUM, RECORD_REFRESHER_PEER, AT(record_leg, refresher),
	 .names = refresher_names},
	{42, FIELD_TIME, 0, .name = "next_refresh_at",
	 .offset = offsetof(struct record_leg, next_refresh_ms)},
	{43, FIELD_U32, 0, AT(record_leg, minimum_se_s)},
	{44, FIELD_U32, 0, AT(record_leg, asked_interval_s)},
	{45, FIELD_U32, 0, AT(record_leg, asked_minimum_s)},
	{46, FIELD_U32, 0, AT(record_leg, asked_refresher)},
	{47, FIELD_BOOL, 0, AT(record_leg, knows_timers)},
	{48, FIELD_U32, 0, AT(record_leg, early_id)},
	{49, FIELD_U32, 0, AT(record_leg, rseq)},
	{50, FIELD_BOOL, 0, AT(record_leg, is_agreed)},
	{51, FIELD_BODY, SDP_LIMIT, AT(record_leg, near_offer)},
	{52, FIELD_BODY, SDP_LIMIT, AT(record_leg, near_shown)},
	{53, FIELD_U64, 0, AT(record_leg, near_version)},
	{54, FIELD_U64, 0, AT(record_leg, near_hash)},
	{55, FIELD_U32, 0, AT(record_leg, near_local_cseq)},
	{56, FIELD_U32, 0, AT(record_leg, near_remote_cseq)},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct field_table record_table = {record_fields, COUNT(record_fields)};
const struct field_table leg_table = {leg_fields, COUNT(leg_fields)};

bool field_line_is_clean(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}
