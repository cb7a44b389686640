/* session.h - the objects behind sessions.h, for the files of this folder only.
 *
 * Invariants: a session has at least one dialog; a dialog has exactly two parties; a stream exists
 * for each m= line ever offered in its dialog, in order; a side of a stream either holds a port
 * pair with its flows open, or nothing at all. What an offer says takes effect with its answer (RFC
 * 3261 14.1: a failed re-INVITE leaves the session as it was). SPDX-License-Identifier: Apache-2.0
 */
#pragma once
#include "control/base/table.h"
#include "control/sdp/media.h"
#include "rtpengine/session/options.h"
#include "rtpengine/session/sdes.h"
#include "rtpengine/session/peering.h"
#include "rtpengine/session/policing.h"
#include "rtpengine/session/sessions.h"
#include "rtpengine/session/sounds.h"

#define SESSION_MAX_DIALOGS   32
#define SESSION_MAX_ALIASES   8
#define SESSION_MAX_TEXT      512 /* bytes of a Call-ID, tag or branch */
#define SESSION_ENDED_KEPT    4096
#define SESSIONS_COMMANDS_MAX 40

/* What commands forbid, of a participant or of the whole call. */
enum { TYPE_NONE = 255 };

enum session_block { BLOCK_MEDIA = 1, BLOCK_TO_SILENCE = 2, BLOCK_DTMF = 4 };

struct flow_ref { /* finds the side of a flow the datapath speaks of */
	struct table_link link;
	struct flow_id id;
	struct stream *stream;
	uint8_t side;
};

/* What an SDP says about one side of one stream. */
struct side_media {
	bool is_known;    /* an SDP came from this side */
	bool is_rejected; /* m= port 0 */
	bool is_zero;     /* c= 0.0.0.0: wants nothing (RFC 2543 hold) */
	bool has_mux;     /* a=rtcp-mux is in its SDP */
	bool is_natted;   /* media is expected from `received`, any port */
	enum sdp_direction direction;
	struct addr rtp, rtcp; /* as in the SDP */
	struct addr received;  /* where its signalling came from; family 0 = not known */
	uint32_t clock_hz;
	struct policing policing;
	uint8_t event_type;           /* payload type of telephone-event; 0 = none */
	uint8_t pcma_type, pcmu_type; /* of G.711; TYPE_NONE = not in the SDP */
	uint32_t bits;                /* OPTIONS_OF_SIDE */
	uint8_t mid_id;               /* of the header extension with the mid; 0 = none */
	char protocol[24];
};

enum mux_policy { MUX_AS_PEER, MUX_ACCEPT, MUX_REJECT };

/* Of a side with ICE whose interface has both families: the pair of ports of the other one, until
 * ICE has selected there; then the two change places. */
struct alternate {
	struct port_range *range;
	uint16_t port;
	struct flow_ref rtp, rtcp;
};

struct side {
	struct port_range *range; /* NULL = no ports */
	uint16_t port;            /* RTP; RTCP is the next one */
	struct flow_ref rtp, rtcp;
	struct alternate *alternate; /* owned; NULL = there is none */
	struct side_media now;       /* in effect */
	/* Owned; waits for its answer: NULL, or not is_known = there is none. Most of a call's life
	 * it takes no memory. */
	struct side_media *offered;
	/* The stream whose port, ICE and DTLS this side uses: another one than its own while both
	 * are in one bundle (RFC 9143). Its own port is kept and closed meanwhile. */
	uint8_t carrier;
	bool is_bundled;  /* agreed; of the carrier, too */
	bool bundle_told; /* it is in a group of what we last offered to this side */
	enum mux_policy mux_policy;
	bool mux_told; /* a=rtcp-mux is in what we last wrote to this side */
	bool mux;      /* RTP and RTCP share the port, agreed */
	uint32_t epoch;
	struct side_resume *resume; /* owned; while it comes back from its record */
	struct dtmf *dtmf;          /* owned; NULL = no event was ever played */
	struct sdes *sdes;          /* owned; NULL = no a=crypto either way */
	struct peering *peering;    /* owned; NULL = neither ICE nor DTLS */
	uint32_t forwarding; /* of the recorder: its sound goes out decoded; 0 = it does not */
	struct player
		*player; /* owned; what this side hears instead of the other; NULL = nothing */
};

struct stream_kind {
	char type[16]; /* "audio" */
	bool is_rtp;
	bool is_refused; /* cannot be relayed (TCP): port 0 both ways */
};

struct stream {
	struct dialog *dialog;
	unsigned index;
	struct stream_kind kind;    /* in effect */
	struct stream_kind offered; /* waits for its answer, as the side's `offered` */
	bool is_live;               /* its rules are published */
	struct side sides[2];
};

struct tag_alias {
	struct tag_alias *next;
	char *tag;
};

/* Side 0 made the first offer of the dialog. */
struct party {
	char *tag;                 /* NULL = not answered yet */
	struct tag_alias *aliases; /* other tags that answered the same offer (forks) */
	unsigned alias_count;
	unsigned interface;
	uint8_t family;
	struct addr media_address;  /* asked for its SDP; family 0 = ours */
	int dscp;                   /* -1 = of the interface */
	enum session_source source; /* said for this party */
	int64_t idle_timeout_ms;    /* the same; -1 = of the interface, 0 = never */
	char *label;                /* NULL = none given */
	/* With whom `connect` joined it, in place of the other party of its dialog; NULL = it did
	 * not. It holds where both name each other (connect.h). */
	char *connected_call, *connected_tag;
	char *sdp;      /* its last body, as received; NULL = none yet */
	uint8_t blocks; /* enum session_block, of what it sends */
	uint64_t created_ms;
	/* The o= and s= first written to this party, and the version counted from there. */
	char *origin_username, *origin_session_id;
	char *session_name;
	uint64_t origin_version;
	uint64_t body_hash; /* of the last body without its version */
};

struct dialog {
	struct dialog *next;
	struct session *session;
	char *via_branch; /* NULL = none given */
	struct party parties[2];
	struct stream *streams[SDP_MAX_MEDIA];
	unsigned stream_count;
	int offerer; /* who made the offer that waits for an answer; -1 = none does */
	bool is_answered;
	bool is_published; /* party 0 alone, by `publish`: there is no other side */
};

struct session {
	struct table_link link;      /* by Call-ID */
	struct session *prev, *next; /* all, oldest first */
	struct sessions *all;
	char *call_id;
	uint32_t affinity;
	char *affinity_of; /* the Call-ID it is made of, when that is another's (connect.h) */
	struct dialog *dialogs;
	unsigned dialog_count;
	uint64_t created_ms;
	uint64_t signal_ms; /* last offer or answer */
	struct timer expiry;
	bool is_deleting;                   /* expiry is the end of a delete delay */
	uint8_t blocks;                     /* enum session_block, of everybody */
	struct subscription *subscriptions; /* owned */
	struct piercing *piercing;          /* owned; NULL = no NAT is to be pierced */
	uint32_t recording;                 /* of the recorder; 0 = none */
	bool recording_is_paused;
	uint64_t hijack_attempts;
	struct timer keep;           /* when its record is written next */
	uint64_t kept_hash, kept_ms; /* what was written last, and when; 0 = nothing */
	uint64_t given_hash;         /* what its client keeps for us; 0 = nothing */
};

struct local_interface {
	char *name;
	struct port_range **ranges; /* of each address, all of them; for new streams */
	size_t range_count;
	struct addr advertise;
	uint32_t idle_timeout_ms;
	enum session_source source;
	uint8_t dscp;
};

struct ended_call {
	uint64_t sequence;
	char *call_id;
};

struct sessions {
	struct wheel *wheel;
	struct dtls_identities *identities;
	const struct log *log;
	struct random *random;
	struct datapath *datapath;
	struct recorder *recorder; /* NULL = there is none */
	char *sounds;              /* folder; NULL = no file is played */
	struct sounds kept_sounds;
	struct local_interface *interfaces;
	size_t interface_count;
	/* Of all interfaces, and those that a new configuration took away while they are in use;
	 * not owned twice: these own. */
	struct port_range **ranges;
	size_t range_count;
	struct limits limits;
	uint32_t offer_timeout_ms;
	uint32_t held_timeout_ms;
	uint64_t wall_us; /* minus the monotonic clock: add now_ms * 1000 */
	uint64_t started_ms;
	uint64_t hash_key[2];
	struct table by_call_id;
	struct table by_flow;
	struct session *first, *last;
	struct sessions_counters counters;
	uint64_t commands[SESSIONS_COMMANDS_MAX]; /* how often each, in the order of command.c */
	struct ended_call ended[SESSION_ENDED_KEPT];
	uint64_t ended_sequence; /* of the newest; 0 = none yet */
	char instance[SESSIONS_INSTANCE_LEN + 1];
	struct keeper *keeper; /* owned; NULL = nothing is kept */
	struct buf scratch;    /* for SDP bodies and messages */
};

/* What a command needs; `reply` is filled by it. */
struct command {
	struct sessions *sessions;
	uint64_t now_ms;
	const struct ng_request *request;
	struct ng_value *reply;
	struct options options;
};

/* ranges.c */
void interface_set_policy(struct local_interface *interface,
			  const struct session_interface *config);
/* sessions.c */
struct session *session_find(const struct sessions *sessions, struct slice call_id);
uint64_t session_wall_us(const struct sessions *sessions, uint64_t at_ms);
const struct local_interface *interface_find(const struct sessions *sessions, struct slice name,
					     unsigned *index);
struct port_range *interface_range(const struct sessions *sessions, unsigned interface,
				   uint8_t family, uint64_t now_ms);
/* The one with this very address and port; NULL = none. */
struct port_range *interface_range_of(const struct sessions *sessions, unsigned interface,
				      const struct addr *address);

/* session.c */
uint32_t session_affinity(const struct sessions *sessions, struct slice call_id);
MUST_CHECK int session_create(struct sessions *sessions, struct slice call_id, uint64_t now_ms,
			      struct session **out);
void session_destroy(struct session *session, uint64_t now_ms);
void session_end(struct session *session, uint64_t now_ms);   /* as asked for */
void session_touch(struct session *session, uint64_t now_ms); /* signalling came: arm the expiry */
void session_delete_later(struct session *session, uint64_t now_ms, uint64_t delay_ms);
bool session_is_held(const struct session *session);
void session_publish(struct session *session); /* the rules of all live streams, as they are now */
uint64_t session_last_packet_ms(const struct session *session);

/* dialog.c */
MUST_CHECK int dialog_create(struct session *session, uint64_t now_ms, struct dialog **out);
void dialog_destroy(struct dialog *dialog, uint64_t now_ms);
/* Which party has this tag (or had it: aliases); -1 = none. */
int dialog_side(const struct dialog *dialog, struct slice tag);
MUST_CHECK int party_set_tag(struct party *party, struct slice tag);
MUST_CHECK int party_set_sdp(struct party *party, struct slice sdp);
MUST_CHECK int party_set_label(struct party *party, struct slice label); /* empty: as it was */
struct dialog *session_dialog_for_offer(struct session *session, const struct options *options,
					int *from);
struct dialog *session_dialog_for_answer(struct session *session, const struct options *options,
					 int *from);

/* stream.c */
MUST_CHECK int stream_create(struct dialog *dialog, const struct sdp_media *media,
			     struct stream **out);
void stream_destroy(struct stream *stream, uint64_t now_ms);
/* What an m= line says it is; that may change from offer to offer (RFC 3264 8.3.3: T.38). */
struct stream_kind stream_kind_of(const struct sdp_media *media);
/* A port pair and its flows on the interface of that party; kept if it is there already.
 * -ERR_NO_PORT, -ERR_NOT_FOUND (no address of the family), or what the datapath says; `failed` =
 * the range. */
MUST_CHECK int side_open(struct stream *stream, int side, uint64_t now_ms,
			 struct port_range **failed);
/* The pair it had before: `local` is its RTP port. -ERR_NOT_FOUND, -ERR_NO_PORT. */
MUST_CHECK int side_reopen(struct stream *stream, int side, uint64_t now_ms,
			   const struct addr *local);
void side_close(struct stream *stream, int side, uint64_t now_ms);
/* Its flows anew on the same ports, for another affinity: `resume` is what they had come to. */
MUST_CHECK int side_move(struct stream *stream, int side);
/* alternate.c: ports of the other family, too, where there is one and ports are free; `local` as
 * with side_reopen(), or NULL. Without it the side has one family, no more. */
void alternate_open(struct stream *stream, int side, uint64_t now_ms, const struct addr *local);
void alternate_close(struct stream *stream, int side, uint64_t now_ms);
bool alternate_has(const struct side *side, uint8_t family);
void alternate_swap(struct stream *stream, int side); /* the rules are the caller's */
void alternate_move(struct stream *stream, int side); /* as side_move() */
void alternate_publish(struct stream *stream, int side);
/* stream.c, for alternate.c: one flow of a side. */
MUST_CHECK int flow_open(struct stream *stream, struct flow_ref *ref, struct addr local);
void flow_close(struct stream *stream, struct flow_ref *ref);
/* Take in what the SDP of `side` says about this stream. */
MUST_CHECK int side_read(struct stream *stream, int side, const struct sdp_media *media,
			 const struct options *options, struct side_media *out, const char **why);
/* rules.c: publish the rules of both sides as they are now. */
void stream_publish(struct stream *stream);
/* Of a side that got our offer: let its ICE and DTLS in. */
void stream_publish_early(struct stream *stream);
static inline bool side_has_offered(const struct side *side)
{
	return side->offered && side->offered->is_known;
}
void side_offer_forget(struct side *side);
bool stream_is_live(const struct stream *stream); /* both sides known, none refused */
bool side_may_send(const struct stream *stream, int side);
/* What SDP says of our end towards that party. */
struct addr side_local(const struct stream *stream, int side);
struct addr side_local_alternate(const struct stream *stream, int side); /* family 0 = none */
struct addr party_sdp_address(const struct dialog *dialog, int side);

/* The side of the stream that carries this one: itself, unless it is bundled. */
static inline struct side *side_transport(const struct stream *stream, int side)
{
	return &stream->dialog->streams[stream->sides[side].carrier]->sides[side];
}
static inline bool side_is_carried(const struct stream *stream, int side)
{
	return stream->sides[side].carrier != stream->index;
}

static inline enum session_source party_source(const struct dialog *dialog, int side)
{
	const struct party *party = &dialog->parties[side];
	return party->source ? party->source
			     : dialog->session->all->interfaces[party->interface].source;
}
static inline uint32_t party_idle_ms(const struct dialog *dialog, int side)
{
	const struct party *party = &dialog->parties[side];
	return party->idle_timeout_ms >= 0
		       ? (uint32_t)party->idle_timeout_ms
		       : dialog->session->all->interfaces[party->interface].idle_timeout_ms;
}

/* rewrite.c */
MUST_CHECK int rewrite(struct dialog *dialog, int to, struct sdp *sdp,
		       const struct options *options, bool is_answer, struct buf *out);

/* command.c: how often each command came, as `statistics` calls it. */
void commands_each_total(const struct sessions *sessions,
			 void (*each)(void *owner, const char *key, uint64_t count), void *owner);

/* Commands, a file each. */
void command_offer(struct command *command);
void command_answer(struct command *command);
void command_publish(struct command *command);
void command_connect(struct command *command);
void command_fragment(struct command *command, bool is_answer);
void command_delete(struct command *command);
void command_query(struct command *command);
void command_list(struct command *command);
void command_ping(struct command *command);
void command_statistics(struct command *command);
void command_block_media(struct command *command);
void command_unblock_media(struct command *command);
void command_silence_media(struct command *command);
void command_unsilence_media(struct command *command);
void command_block_dtmf(struct command *command);
void command_unblock_dtmf(struct command *command);
void command_play_dtmf(struct command *command);
void command_subscribe_request(struct command *command);
void command_subscribe_answer(struct command *command);
void command_unsubscribe(struct command *command);
void command_play_media(struct command *command);
void command_stop_media(struct command *command);
void command_start_forwarding(struct command *command);
void command_stop_forwarding(struct command *command);
void command_start_recording(struct command *command);
void command_stop_recording(struct command *command);
/* recording.c: also what the flag record-call of an offer asks for. When it fails, the reply says
 * why. */
MUST_CHECK int recording_start(struct command *command, struct session *session);
void recording_stop(struct session *session, bool is_kept);
void forwarding_stop(struct stream *stream,
		     int side); /* forwarding.c; the rules are the caller's */
/* Parse the SDP of the request; otherwise the reply says what is wrong with it. */
MUST_CHECK int command_sdp(struct command *command, struct sdp **out);
/* With the flag loop-protect an SDP that was here before goes back as it came: true. */
#define LOOP_ATTRIBUTE "rtpengine"
bool command_answer_loop(struct command *command, const struct sdp *sdp);
/* Texts of the request that are kept: present where they must be, and not too long. */
MUST_CHECK int command_check(struct command *command, bool need_to_tag);
/* There is no room for this call: `text` is what clients compare, `detail` the cause. */
void command_refuse_limit(struct command *command, const char *text, const char *detail);
void command_refuse_no_port(struct command *command, bool is_new, struct port_range *range);
void command_error(struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The state of a session in the words of `query` (query.c). */
void session_report(const struct session *session, struct command *command);
