/* crowd.h - many telephone calls through an edge, both ends of each in one process: SIP over UDP
 * with RFC 3261's retransmissions, RTP or SRTP both ways, every packet counted. Driven by lines on
 * its standard input. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <netinet/in.h>
#include <srtp2/srtp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WAN, LAN, SIDES };
enum { CALLS_MAX = 8192, TEXT = 4096, PACKET = 1500, BURST = 64, MEDIA_PORT = 40000 };
#define MS ((uint64_t)1000000)
#define T1 (500 * MS)
#define T2 (4000 * MS)

enum keying { KEYING_NONE, KEYING_SDES, KEYING_DTLS };

enum call_state {
	CALL_FREE,
	CALL_INVITED, /* nothing heard but a 100 */
	CALL_RINGING, /* the caller had a 18x */
	CALL_UP,      /* the caller had its 200: acknowledged, must not be lost any more */
	CALL_ENDING,  /* one end said BYE, or the caller CANCEL */
	CALL_DONE
};

/* A request of ours that waits for its final response. */
struct client {
	char *text; /* NULL = none */
	size_t len;
	uint64_t again_at, give_up_at;
	unsigned count;
	char method[12];
	bool is_proceeding;
};

/* A final response to an INVITE, repeated until its ACK. */
struct final {
	char *text;
	size_t len;
	uint64_t again_at;
	unsigned count;
};

struct dtls;

struct party {
	char call_id[128], remote_tag[96], target[256];
	unsigned cseq, version, branch;
	struct client client;
	struct final final;
	char *invite; /* as callee: what to answer */
	bool is_confirmed, had_bye;
	/* media */
	struct sockaddr_in relay; /* port 0 = not known */
	uint16_t sequence;
	uint64_t sent, received, heard_at, gap; /* since the mark; ns */
	srtp_t seal, open;
	uint8_t keys[2][30]; /* of these */
	unsigned crypto_tag; /* of the line that was offered us */
	struct dtls *dtls;
	char fingerprint[160]; /* of whom it speaks DTLS with */
};

struct call {
	enum call_state state;
	unsigned serial;
	bool has_failed; /* was not set up: what becomes of it is of no interest */
	int caller;      /* WAN or LAN */
	enum keying keying;
	int answer_ms; /* -1 = rings until told */
	uint64_t invited_at, answer_at, done_at;
	uint8_t key[30]; /* the WAN end's, SDES */
	struct party party[SIDES];
};

struct side {
	const char *ip;
	struct sockaddr_in edge;
	int sip_fd, rtp_fd;
	uint16_t call_of_port[65536]; /* slot + 1 of who gets from this relay port */
};

struct counters {
	unsigned started, answered, refused, failed; /* set-ups */
	unsigned bye_ok, bye_bad, bye_lost, bye_through;
	unsigned cancelled, cancel_bad, declined, reinvited, reinvite_bad;
	unsigned cut; /* ended, and neither end had said so */
	unsigned strays, again, srtp_bad;
};

struct crowd {
	struct side side[SIDES];
	struct call *calls;
	struct counters counters;
	unsigned run, serial, patience_ms;
	unsigned interval_ms; /* of RTP; 0 = none */
	uint64_t tick;
	float *setup_ms; /* of set-ups since the mark */
	unsigned setups;
	uint64_t probe_at; /* an OPTIONS is on its way */
	double probe_ms;   /* its answer took; < 0 = none yet */
	void *tls;         /* SSL_CTX */
	char fingerprint[128];
};

enum { SETUPS_MAX = 1 << 20 };

uint64_t now_ns(void);
unsigned call_slot(const struct crowd *crowd, const struct call *call);
void call_done(struct crowd *crowd, struct call *call, uint64_t now);

/* sip.c, client.c */
void sip_receive(struct crowd *crowd, int side, char *message, const struct sockaddr_in *from,
		 uint64_t at);
void sip_timers(struct crowd *crowd, struct call *call, uint64_t now);
void sip_send(struct crowd *crowd, int side, const char *text, size_t len);
void sip_answer(struct crowd *crowd, struct call *call, unsigned status, uint64_t now);
size_t sip_body(struct crowd *crowd, struct call *call, int side, bool is_answer, char *out,
		size_t size);
void sip_learn_body(struct crowd *crowd, struct call *call, int side, const char *message);
bool sip_header(const char *message, const char *name, const char *from, const char **value,
		int *len, const char **at);
void client_invite(struct crowd *crowd, struct call *call, uint64_t now);
void client_reinvite(struct crowd *crowd, struct call *call, int side, uint64_t now);
void client_bye(struct crowd *crowd, struct call *call, int side, uint64_t now);
void client_cancel(struct crowd *crowd, struct call *call, uint64_t now);
void client_probe(struct crowd *crowd, uint64_t now);
void client_response(struct crowd *crowd, int side, const char *message, uint64_t at);
void client_timers(struct crowd *crowd, struct call *call, int side, uint64_t now);

/* media.c */
void media_tick(struct crowd *crowd, uint64_t now);
void media_receive(struct crowd *crowd, int side);
void media_set(struct crowd *crowd, struct call *call, int side, const struct sockaddr_in *relay);
void media_keys(struct party *party, const uint8_t seal[30], const uint8_t open[30]);
void media_forget(struct crowd *crowd, struct call *call);
void media_mark(struct crowd *crowd, uint64_t now);

/* dtls.c: the WAN end as a DTLS-SRTP peer (RFC 5763, 5764) */
void dtls_init(struct crowd *crowd);
void dtls_begin(struct crowd *crowd, struct party *party, bool is_client);
void dtls_receive(struct crowd *crowd, struct party *party, const uint8_t *data, size_t len);
void dtls_timer(struct crowd *crowd, struct party *party);
bool dtls_is_client(const struct party *party);
void dtls_forget(struct party *party);
