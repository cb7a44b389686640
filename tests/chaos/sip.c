/* sip.c - what the crowd is asked, and what it answers; session descriptions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header after `from` (NULL = from the top); where it ends goes to *at. */
bool sip_header(const char *message, const char *name, const char *from, const char **value,
		int *len, const char **at)
{
	size_t n = strlen(name);
	for (const char *line = strstr(from ? from : message, "\r\n");
	     line && line[2] && line[2] != '\r';) {
		line += 2;
		const char *end = strstr(line, "\r\n");
		if (!end)
			return false;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
			for (line += n + 1; *line == ' ';)
				line++;
			*value = line;
			*len = (int)(end - line);
			if (at)
				*at = end;
			return true;
		}
		line = end;
	}
	return false;
}

void sip_send(struct crowd *crowd, int side, const char *text, size_t len)
{
	const struct side *s = &crowd->side[side];
	for (int i = 0; i < 100; i++)
		if (sendto(s->sip_fd, text, len, 0, (const void *)&s->edge, sizeof(s->edge)) >= 0 ||
		    (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED))
			return;
}

size_t sip_body(struct crowd *crowd, struct call *call, int side, bool is_answer, char *out,
		size_t size)
{
	const char *ip = crowd->side[side].ip, *profile = "RTP/AVP";
	char security[256] = "";
	enum keying keying = side == WAN ? call->keying : KEYING_NONE;

	if (keying == KEYING_SDES) {
		unsigned char text[64];
		EVP_EncodeBlock(text, call->key, 30);
		profile = "RTP/SAVP";
		snprintf(security, sizeof(security),
			 "a=crypto:%u AES_CM_128_HMAC_SHA1_80 inline:%s\r\n",
			 is_answer ? call->party[side].crypto_tag : 1, text);
	} else if (keying == KEYING_DTLS) {
		profile = "UDP/TLS/RTP/SAVP";
		snprintf(security, sizeof(security), "a=fingerprint:SHA-256 %s\r\na=setup:%s\r\n",
			 crowd->fingerprint,
			 !is_answer                          ? "actpass"
			 : dtls_is_client(&call->party[WAN]) ? "active"
							     : "passive");
	}
	return (size_t)snprintf(out, size,
				"v=0\r\no=crowd %u %u IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
				"m=audio %d %s 8\r\na=rtpmap:8 PCMA/8000\r\n%sa=sendrecv\r\n",
				call->serial + 1, call->party[side].version + 1, ip, ip, MEDIA_PORT,
				profile, security);
}

/* RFC 4568: the key the other end seals with. */
static void learn_keys(struct crowd *crowd, struct call *call, const char *body)
{
	const char *inlined = strstr(body, " AES_CM_128_HMAC_SHA1_80 inline:");
	unsigned char text[41] = "", key[33];

	(void)crowd;
	if (!inlined)
		return;
	const char *tag = inlined;
	while (tag[-1] >= '0' && tag[-1] <= '9')
		tag--;
	call->party[WAN].crypto_tag = (unsigned)atoi(tag);
	memcpy(text, inlined + 32, strnlen(inlined + 32, 40));
	if (EVP_DecodeBlock(key, text, 40) == 30)
		media_keys(&call->party[WAN], call->key, key);
}

/* RFC 8842 4: another one is another association. */
static void learn_fingerprint(struct crowd *crowd, struct party *party, const char *body)
{
	const char *line = strstr(body, "a=fingerprint:");
	size_t len = line ? strcspn(line, "\r") : 0;

	if (len == 0 || len >= sizeof(party->fingerprint))
		return;
	if (party->dtls && strlen(party->fingerprint) == len &&
	    memcmp(party->fingerprint, line, len) == 0)
		return;
	memcpy(party->fingerprint, line, len);
	party->fingerprint[len] = '\0';
	dtls_forget(party);
	dtls_begin(crowd, party, strstr(body, "a=setup:passive") != NULL);
}

void sip_learn_body(struct crowd *crowd, struct call *call, int side, const char *message)
{
	const char *body = strstr(message, "\r\n\r\n");
	const char *media = body ? strstr(body, "m=audio ") : NULL,
		   *where = body ? strstr(body, "c=IN IP4 ") : NULL;
	char ip[32] = "";
	struct sockaddr_in relay = {.sin_family = AF_INET};

	if (!media || !where || sscanf(where + 9, "%31[0-9.]", ip) != 1 ||
	    inet_aton(ip, &relay.sin_addr) == 0)
		return;
	relay.sin_port = htons((uint16_t)atoi(media + 8));
	media_set(crowd, call, side, &relay);
	if (side == WAN && call->keying == KEYING_SDES)
		learn_keys(crowd, call, body);
	if (side == WAN && call->keying == KEYING_DTLS)
		learn_fingerprint(crowd, &call->party[WAN], body);
}

static size_t write_response(struct crowd *crowd, struct call *call, int side, const char *request,
			     unsigned status, const char *body, char *out)
{
	const char *value, *at = NULL;
	int len;
	size_t n = (size_t)snprintf(out, TEXT, "SIP/2.0 %u X\r\n", status);

	while (sip_header(request, "Via", at, &value, &len, &at))
		n += (size_t)snprintf(out + n, TEXT - n, "Via: %.*s\r\n", len, value);
	for (const char *const *name = (const char *const[]){"From", "Call-ID", "CSeq", NULL};
	     *name; name++)
		if (sip_header(request, *name, NULL, &value, &len, NULL))
			n += (size_t)snprintf(out + n, TEXT - n, "%s: %.*s\r\n", *name, len, value);
	if (sip_header(request, "To", NULL, &value, &len, NULL)) {
		n += (size_t)snprintf(out + n, TEXT - n, "To: %.*s", len, value);
		if (!memmem(value, (size_t)len, "tag=", 4))
			n += (size_t)snprintf(out + n, TEXT - n, ";tag=z%uz%uz%uz%d", crowd->run,
					      call ? call_slot(crowd, call) : 0,
					      call ? call->serial : 0, side);
	}
	return n + (size_t)snprintf(out + n, TEXT - n,
				    "\r\nContact: <sip:crowd@%s:5060>\r\n%sContent-Length: "
				    "%zu\r\n\r\n%s",
				    crowd->side[side].ip,
				    body[0] ? "Content-Type: application/sdp\r\n" : "",
				    strlen(body), body);
}

static void keep_final(struct party *me, const char *text, size_t len, uint64_t now)
{
	free(me->final.text);
	me->final = (struct final){
		.text = malloc(len + 1), .len = len, .again_at = now + T1, .count = 0};
	if (!me->final.text)
		exit(1);
	memcpy(me->final.text, text, len);
}

void sip_answer(struct crowd *crowd, struct call *call, unsigned status, uint64_t now)
{
	int side = !call->caller;
	struct party *me = &call->party[side];
	char out[TEXT], body[1024] = "";

	if (!me->invite)
		return;
	if (status == 200)
		sip_body(crowd, call, side, true, body, sizeof(body));
	size_t len = write_response(crowd, call, side, me->invite, status, body, out);
	sip_send(crowd, side, out, len);
	if (status >= 200)
		keep_final(me, out, len, now);
	call->answer_at = 0;
}

static struct call *call_of_tag(struct crowd *crowd, int side, const char *message)
{
	const char *to;
	int len, of_side;
	unsigned run, slot, serial;

	if (!sip_header(message, "To", NULL, &to, &len, NULL))
		return NULL;
	const char *tag = memmem(to, (size_t)len, "tag=z", 5);
	if (!tag || sscanf(tag + 5, "%uz%uz%uz%d", &run, &slot, &serial, &of_side) != 4 ||
	    run != crowd->run || slot >= CALLS_MAX || of_side != side ||
	    crowd->calls[slot].serial != serial || crowd->calls[slot].state == CALL_FREE)
		return NULL;
	return &crowd->calls[slot];
}

static void reply(struct crowd *crowd, struct call *call, int side, const char *request,
		  unsigned status)
{
	char out[TEXT];
	size_t len = write_response(crowd, call, side, request, status, "", out);
	sip_send(crowd, side, out, len);
}

/* The dialog as the callee has it: the caller's contact and tag. */
static void learn_dialog(struct party *me, const char *message)
{
	const char *value;
	int len;

	if (sip_header(message, "Contact", NULL, &value, &len, NULL)) {
		const char *open = memchr(value, '<', (size_t)len);
		const char *close = open ? memchr(open, '>', (size_t)(value + len - open)) : NULL;
		if (close)
			snprintf(me->target, sizeof(me->target), "%.*s", (int)(close - open - 1),
				 open + 1);
	}
	if (sip_header(message, "From", NULL, &value, &len, NULL)) {
		const char *tag = memmem(value, (size_t)len, ";tag=", 5);
		if (tag)
			snprintf(me->remote_tag, sizeof(me->remote_tag), "%.*s",
				 (int)(value + len - tag - 5), tag + 5);
	}
	if (sip_header(message, "Call-ID", NULL, &value, &len, NULL))
		snprintf(me->call_id, sizeof(me->call_id), "%.*s", len, value);
}

static void on_first_invite(struct crowd *crowd, int side, const char *message, uint64_t at)
{
	unsigned run, slot, serial;
	const char *id;
	int len;

	if (sscanf(message, "INVITE sip:9%uz%uz%u@", &run, &slot, &serial) != 3 ||
	    run != crowd->run || slot >= CALLS_MAX || crowd->calls[slot].serial != serial ||
	    crowd->calls[slot].caller == side || crowd->calls[slot].state >= CALL_UP) {
		reply(crowd, NULL, side, message, 486);
		crowd->counters.strays++;
		return;
	}
	struct call *call = &crowd->calls[slot];
	struct party *me = &call->party[side];
	if (me->invite) {
		sip_header(message, "Call-ID", NULL, &id, &len, NULL);
		if (strncmp(me->call_id, id, (size_t)len) != 0) {
			fprintf(stderr, "call %u: a second INVITE\n", call->serial);
			reply(crowd, call, side, message, 486);
		} else if (me->final.text) {
			sip_send(crowd, side, me->final.text, me->final.len);
		} else {
			reply(crowd, call, side, message, 180);
		}
		return;
	}
	me->invite = strdup(message);
	if (!me->invite)
		exit(1);
	learn_dialog(me, message);
	sip_learn_body(crowd, call, side, message);
	reply(crowd, call, side, message, 180);
	if (call->answer_ms == 0)
		sip_answer(crowd, call, 200, at);
	else if (call->answer_ms > 0)
		call->answer_at = at + (uint64_t)call->answer_ms * MS;
}

static void on_reinvite(struct crowd *crowd, struct call *call, int side, const char *message,
			uint64_t at)
{
	struct party *me = &call->party[side];
	char out[TEXT], body[1024];

	sip_learn_body(crowd, call, side, message);
	sip_body(crowd, call, side, true, body, sizeof(body));
	size_t len = write_response(crowd, call, side, message, 200, body, out);
	sip_send(crowd, side, out, len);
	me->is_confirmed = false;
	keep_final(me, out, len, at);
}

static void on_bye(struct crowd *crowd, struct call *call, int side, const char *message,
		   uint64_t at)
{
	const char *reason;
	int len;

	reply(crowd, call, side, message, 200);
	if (!call || call->party[side].had_bye)
		return;
	call->party[side].had_bye = true;
	if (call->state == CALL_ENDING || call->state == CALL_DONE) {
		crowd->counters.bye_through++;
		return;
	}
	/* a set-up that nobody was told of is not a call that was lost */
	if (call->state == CALL_UP) {
		crowd->counters.cut++;
		bool says = sip_header(message, "Reason", NULL, &reason, &len, NULL);
		fprintf(stderr, "call %u (%s) is cut: %.*s\n", call->serial,
			call->party[side].call_id, says ? len : 0, says ? reason : "");
		call_done(crowd, call, at);
	}
}

void sip_receive(struct crowd *crowd, int side, char *message, const struct sockaddr_in *from,
		 uint64_t at)
{
	crowd->side[side].edge = *from;
	if (strncmp(message, "SIP/2.0 ", 8) == 0) {
		client_response(crowd, side, message, at);
		return;
	}
	struct call *call = call_of_tag(crowd, side, message);
	struct party *me = call ? &call->party[side] : NULL;
	if (strncmp(message, "INVITE ", 7) == 0) {
		if (call)
			on_reinvite(crowd, call, side, message, at);
		else
			on_first_invite(crowd, side, message, at);
	} else if (strncmp(message, "ACK ", 4) == 0) {
		if (me) {
			me->is_confirmed = true;
			free(me->final.text);
			me->final = (struct final){0};
		}
	} else if (strncmp(message, "CANCEL ", 7) == 0) {
		unsigned run, slot, serial;
		reply(crowd, NULL, side, message, 200);
		if (sscanf(message, "CANCEL sip:9%uz%uz%u@", &run, &slot, &serial) == 3 &&
		    run == crowd->run && slot < CALLS_MAX && crowd->calls[slot].serial == serial &&
		    !crowd->calls[slot].party[side].final.text)
			sip_answer(crowd, &crowd->calls[slot], 487, at);
	} else if (strncmp(message, "BYE ", 4) == 0) {
		on_bye(crowd, call, side, message, at);
	} else {
		reply(crowd, call, side, message, 200);
	}
}

void sip_timers(struct crowd *crowd, struct call *call, uint64_t now)
{
	for (int side = 0; side < SIDES; side++) {
		struct final *final = &call->party[side].final;
		if (final->text && now >= final->again_at && final->count < 10) {
			uint64_t wait = T1 << (++final->count < 4 ? final->count : 3);
			final->again_at = now + (wait < T2 ? wait : T2);
			crowd->counters.again++;
			sip_send(crowd, side, final->text, final->len);
		}
		client_timers(crowd, call, side, now);
		if (call->party[side].dtls)
			dtls_timer(crowd, &call->party[side]);
	}
	if (call->answer_at && now >= call->answer_at)
		sip_answer(crowd, call, 200, now);
}
