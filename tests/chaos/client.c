/* client.c - the requests of the crowd, and what becomes of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void client_end(struct client *client)
{
	free(client->text);
	*client = (struct client){0};
}

static size_t write_request(struct crowd *crowd, struct call *call, int side, const char *method,
			    unsigned cseq, unsigned branch, bool has_body, char *out)
{
	struct party *me = &call->party[side];
	char body[1024] = "";
	char to[128] = "", uri[256];
	unsigned slot = call_slot(crowd, call);

	if (has_body)
		sip_body(crowd, call, side, false, body, sizeof(body));
	if (me->remote_tag[0])
		snprintf(to, sizeof(to), ";tag=%s", me->remote_tag);
	/* who is called is said by a number that names the call */
	snprintf(uri, sizeof(uri), "sip:9%uz%uz%u@%s", crowd->run, slot, call->serial,
		 side == WAN ? "example.com" : "example.net");
	bool is_caller = call->caller == side;
	return (size_t)snprintf(
		out, TEXT,
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bKz%uz%uz%uz%dz%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <%s>;tag=z%uz%uz%uz%d\r\nTo: <%s>%s\r\nCall-ID: %s\r\n"
		"CSeq: %u %s\r\nContact: <sip:crowd@%s:5060>\r\n%sContent-Length: %zu\r\n\r\n%s",
		method, me->target[0] ? me->target : uri, crowd->side[side].ip, crowd->run, slot,
		call->serial, side, branch, is_caller ? "sip:crowd@example.org" : uri, crowd->run,
		slot, call->serial, side, is_caller ? uri : "sip:crowd@example.org", to,
		me->call_id, cseq, method, crowd->side[side].ip,
		body[0] ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
}

static void client_begin(struct crowd *crowd, struct call *call, int side, const char *method,
			 bool has_body, uint64_t now)
{
	struct party *me = &call->party[side];
	struct client *client = &me->client;
	char out[TEXT];

	client_end(client);
	size_t len =
		write_request(crowd, call, side, method, ++me->cseq, ++me->branch, has_body, out);
	*client = (struct client){.text = malloc(len),
				  .len = len,
				  .again_at = now + T1,
				  .give_up_at = now + crowd->patience_ms * MS};
	if (!client->text)
		exit(1);
	memcpy(client->text, out, len);
	snprintf(client->method, sizeof(client->method), "%s", method);
	sip_send(crowd, side, out, len);
}

/* ACK of a 2xx, a transaction of its own; of another final response within the INVITE's. */
static void send_ack(struct crowd *crowd, struct call *call, int side, unsigned cseq, bool is_2xx)
{
	struct party *me = &call->party[side];
	char out[TEXT];
	size_t len = write_request(crowd, call, side, "ACK", cseq,
				   is_2xx ? me->branch + 1000000 : me->branch, false, out);
	sip_send(crowd, side, out, len);
}

void client_invite(struct crowd *crowd, struct call *call, uint64_t now)
{
	struct party *me = &call->party[call->caller];

	snprintf(me->call_id, sizeof(me->call_id), "z%uz%u@crowd", crowd->run, call->serial);
	call->state = CALL_INVITED;
	call->invited_at = now;
	crowd->counters.started++;
	client_begin(crowd, call, call->caller, "INVITE", true, now);
}

void client_reinvite(struct crowd *crowd, struct call *call, int side, uint64_t now)
{
	call->party[side].version++;
	client_begin(crowd, call, side, "INVITE", true, now);
}

void client_bye(struct crowd *crowd, struct call *call, int side, uint64_t now)
{
	call->state = CALL_ENDING;
	client_begin(crowd, call, side, "BYE", false, now);
}

void client_cancel(struct crowd *crowd, struct call *call, uint64_t now)
{
	struct party *me = &call->party[call->caller];
	char out[TEXT];

	call->state = CALL_ENDING;
	me->client.give_up_at = now + crowd->patience_ms * MS;
	/* sent again with the INVITE's timer: its own transaction is of no interest */
	me->client.again_at = now + T1;
	me->client.count = 0;
	size_t len = write_request(crowd, call, call->caller, "CANCEL", me->cseq, me->branch, false,
				   out);
	sip_send(crowd, call->caller, out, len);
}

void client_probe(struct crowd *crowd, uint64_t now)
{
	char out[1024];
	int len = snprintf(out, sizeof(out),
			   "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP "
			   "%s:5060;branch=z9hG4bKprobe%llu;rport\r\nMax-Forwards: 70\r\n"
			   "From: <sip:probe@example.org>;tag=p\r\nTo: <sip:probe@example.com>\r\n"
			   "Call-ID: p%llu@crowd\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			   "example.com", crowd->side[WAN].ip, (unsigned long long)now,
			   (unsigned long long)now);
	sip_send(crowd, WAN, out, (size_t)len);
}

static void on_invited(struct crowd *crowd, struct call *call, int side, int code,
		       const char *message, uint64_t at)
{
	struct party *me = &call->party[side];
	const char *value;
	int len;

	if (sip_header(message, "Contact", NULL, &value, &len, NULL)) {
		const char *open = memchr(value, '<', (size_t)len);
		const char *close = open ? memchr(open, '>', (size_t)(value + len - open)) : NULL;
		if (close)
			snprintf(me->target, sizeof(me->target), "%.*s", (int)(close - open - 1),
				 open + 1);
	}
	if (sip_header(message, "To", NULL, &value, &len, NULL)) {
		const char *tag = memmem(value, (size_t)len, ";tag=", 5);
		if (tag)
			snprintf(me->remote_tag, sizeof(me->remote_tag), "%.*s",
				 (int)(value + len - tag - 5), tag + 5);
	}
	sip_learn_body(crowd, call, side, message);
	send_ack(crowd, call, side, me->cseq, true);
	if (call->state == CALL_ENDING) { /* the answer crossed our CANCEL */
		client_bye(crowd, call, side, at);
		return;
	}
	client_end(&me->client);
	if (call->state == CALL_UP) { /* a re-INVITE */
		crowd->counters.reinvited++;
		return;
	}
	call->state = CALL_UP;
	crowd->counters.answered++;
	uint64_t ring = call->answer_ms > 0 ? (uint64_t)call->answer_ms * MS : 0;
	if (call->answer_ms >= 0 && crowd->setups < SETUPS_MAX)
		crowd->setup_ms[crowd->setups++] =
			(float)(at - call->invited_at > ring ? at - call->invited_at - ring : 0) /
			1e6f;
	(void)code;
}

static void on_refused(struct crowd *crowd, struct call *call, int side, int code,
		       const char *message, uint64_t at)
{
	send_ack(crowd, call, side, call->party[side].cseq, false);
	if (!call->party[side].client.text)
		return;
	client_end(&call->party[side].client);
	if (call->state == CALL_UP) {
		if (code == 491) /* two at once (RFC 3261 14.1) */
			return;
		crowd->counters.reinvite_bad++;
		fprintf(stderr, "re-INVITE of call %u: %.60s\n", call->serial, message);
		return;
	}
	if (call->state == CALL_ENDING && !call->has_failed)
		*(code == 487 ? &crowd->counters.cancelled : &crowd->counters.cancel_bad) += 1;
	else if (call->has_failed)
		;
	else if (code == 486)
		crowd->counters.declined++;
	else
		crowd->counters.refused++;
	if (code != 487 && code != 486)
		fprintf(stderr, "call %u: %.*s\n", call->serial, (int)strcspn(message, "\r"),
			message);
	call_done(crowd, call, at);
}

void client_response(struct crowd *crowd, int side, const char *message, uint64_t at)
{
	const char *via, *cseq;
	int len, code = atoi(message + 8), of_side;
	unsigned run, slot, serial, number, branch;
	char method[16];

	if (!sip_header(message, "CSeq", NULL, &cseq, &len, NULL) ||
	    sscanf(cseq, "%u %15s", &number, method) != 2 ||
	    !sip_header(message, "Via", NULL, &via, &len, NULL))
		return;
	if (strcmp(method, "OPTIONS") == 0) {
		if (crowd->probe_at && crowd->probe_ms < 0 && code >= 200)
			crowd->probe_ms = (double)(at - crowd->probe_at) / 1e6;
		return;
	}
	const char *mark = memmem(via, (size_t)len, "z9hG4bKz", 8);
	if (!mark ||
	    sscanf(mark + 8, "%uz%uz%uz%dz%u", &run, &slot, &serial, &of_side, &branch) != 5 ||
	    run != crowd->run || slot >= CALLS_MAX || crowd->calls[slot].serial != serial) {
		crowd->counters.strays++;
		return;
	}
	struct call *call = &crowd->calls[slot];
	struct party *me = &call->party[side];
	if (strcmp(method, "INVITE") == 0) {
		if (number != me->cseq && !(call->state == CALL_ENDING || call->state == CALL_DONE))
			return;
		me->client.is_proceeding = true;
		if (code > 100 && code < 200 && call->state == CALL_INVITED)
			call->state = CALL_RINGING;
		if (code >= 200 && code < 300 && !me->client.text)
			send_ack(crowd, call, side, number, true); /* a repeated 200 */
		else if (code >= 200 && code < 300)
			on_invited(crowd, call, side, code, message, at);
		else if (code >= 300)
			on_refused(crowd, call, side, code, message, at);
	} else if (strcmp(method, "BYE") == 0 && code >= 200 && me->client.text) {
		*(code < 300 ? &crowd->counters.bye_ok : &crowd->counters.bye_bad) += 1;
		if (code >= 300)
			fprintf(stderr, "BYE of call %u (%s): %.*s\n", call->serial, me->call_id,
				(int)strcspn(message, "\r"), message);
		client_end(&me->client);
		call_done(crowd, call, at);
	}
}

static void gave_up(struct crowd *crowd, struct call *call, int side, uint64_t now)
{
	struct party *me = &call->party[side];
	bool was_bye = strcmp(me->client.method, "BYE") == 0;

	if (call->state == CALL_INVITED || call->state == CALL_RINGING) {
		crowd->counters.failed++;
		call->has_failed = true;
		fprintf(stderr, "call %u (%s): not answered, state %d\n", call->serial, me->call_id,
			call->state);
		client_cancel(crowd, call, now);
		return;
	}
	fprintf(stderr, "call %u (%s): %s unanswered\n", call->serial, me->call_id,
		me->client.method);
	client_end(&me->client);
	if (call->state == CALL_UP) {
		crowd->counters.reinvite_bad++;
		return;
	}
	if (!call->has_failed)
		*(was_bye ? &crowd->counters.bye_lost : &crowd->counters.cancel_bad) += 1;
	call_done(crowd, call, now);
}

void client_timers(struct crowd *crowd, struct call *call, int side, uint64_t now)
{
	struct client *client = &call->party[side].client;
	bool rings = call->answer_ms < 0 && call->state == CALL_RINGING;

	if (!client->text)
		return;
	if (now >= client->give_up_at && !rings) {
		gave_up(crowd, call, side, now);
		return;
	}
	if (now < client->again_at)
		return;
	uint64_t wait = T1 << (client->count < 6 ? ++client->count : 6);
	bool is_invite = strcmp(client->method, "INVITE") == 0;
	client->again_at = now + (is_invite || wait < T2 ? wait : T2);
	if (is_invite && call->state == CALL_ENDING) {
		char out[TEXT];
		size_t len = write_request(crowd, call, side, "CANCEL", call->party[side].cseq,
					   call->party[side].branch, false, out);
		sip_send(crowd, side, out, len);
	} else if (!is_invite || !client->is_proceeding) {
		crowd->counters.again++;
		sip_send(crowd, side, client->text, client->len);
	}
}
