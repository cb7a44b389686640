/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sbc/transaction/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <osip2/osip.h>

enum { TIMERS = 3, LOG_SIZE = 1024 };

struct oracle_timer {
	type_t event;
	int *length;
	struct timeval *start;
	struct timeval seen;
	state_t states[2]; /* where it runs */
	uint64_t due_ms;
};

struct oracle {
	osip_t *osip;
	osip_transaction_t *transaction;
	osip_message_t *request;
	enum oracle_kind kind;
	uint64_t now_ms;
	struct oracle_timer timers[TIMERS];
	size_t timer_count;
	char sent[LOG_SIZE], told[LOG_SIZE];
};

static void note(char *log, const char *text)
{
	size_t at = strlen(log);
	snprintf(log + at, LOG_SIZE - at, "%s;", text);
}

static struct oracle *oracle_of(osip_transaction_t *transaction)
{
	return osip_get_application_context((osip_t *)transaction->config);
}

static void note_message(char *log, const osip_message_t *sip)
{
	char text[64];
	if (sip->sip_method)
		snprintf(text, sizeof(text), "%s", sip->sip_method);
	else
		snprintf(text, sizeof(text), "%d", sip->status_code);
	note(log, text);
}

static int on_send(osip_transaction_t *transaction, osip_message_t *sip, char *host, int port,
		   int out_socket)
{
	(void)host;
	(void)port;
	(void)out_socket;
	note_message(oracle_of(transaction)->sent, sip);
	return 0;
}

static void on_told(int type, osip_transaction_t *transaction, osip_message_t *sip)
{
	struct oracle *oracle = oracle_of(transaction);
	if (type == OSIP_ICT_STATUS_TIMEOUT || type == OSIP_NICT_STATUS_TIMEOUT)
		note(oracle->told, "timeout");
	else
		note_message(oracle->told, sip);
}

static void on_kill(int type, osip_transaction_t *transaction)
{
	(void)type;
	(void)transaction;
}

static const int told_types[] = {
	OSIP_ICT_STATUS_1XX_RECEIVED,  OSIP_ICT_STATUS_2XX_RECEIVED,  OSIP_ICT_STATUS_3XX_RECEIVED,
	OSIP_ICT_STATUS_4XX_RECEIVED,  OSIP_ICT_STATUS_5XX_RECEIVED,  OSIP_ICT_STATUS_6XX_RECEIVED,
	OSIP_ICT_STATUS_TIMEOUT,       OSIP_NICT_STATUS_1XX_RECEIVED, OSIP_NICT_STATUS_2XX_RECEIVED,
	OSIP_NICT_STATUS_3XX_RECEIVED, OSIP_NICT_STATUS_4XX_RECEIVED, OSIP_NICT_STATUS_5XX_RECEIVED,
	OSIP_NICT_STATUS_6XX_RECEIVED, OSIP_NICT_STATUS_TIMEOUT,      OSIP_IST_INVITE_RECEIVED,
	OSIP_NIST_OPTIONS_RECEIVED,
};

static void add_timer(struct oracle *oracle, type_t event, int *length, struct timeval *start,
		      state_t a, state_t b)
{
	oracle->timers[oracle->timer_count++] = (struct oracle_timer){
		.event = event, .length = length, .start = start, .states = {a, b}};
}

static void find_timers(struct oracle *oracle)
{
	osip_ict_t *ict = oracle->transaction->ict_context;
	osip_nict_t *nict = oracle->transaction->nict_context;
	osip_ist_t *ist = oracle->transaction->ist_context;
	osip_nist_t *nist = oracle->transaction->nist_context;

	if (ict) {
		add_timer(oracle, TIMEOUT_A, &ict->timer_a_length, &ict->timer_a_start, ICT_CALLING,
			  ICT_CALLING);
		add_timer(oracle, TIMEOUT_B, &ict->timer_b_length, &ict->timer_b_start, ICT_CALLING,
			  ICT_CALLING);
		add_timer(oracle, TIMEOUT_D, &ict->timer_d_length, &ict->timer_d_start,
			  ICT_COMPLETED, ICT_COMPLETED);
	} else if (nict) {
		add_timer(oracle, TIMEOUT_F, &nict->timer_f_length, &nict->timer_f_start,
			  NICT_TRYING, NICT_PROCEEDING);
		add_timer(oracle, TIMEOUT_E, &nict->timer_e_length, &nict->timer_e_start,
			  NICT_TRYING, NICT_PROCEEDING);
		add_timer(oracle, TIMEOUT_K, &nict->timer_k_length, &nict->timer_k_start,
			  NICT_COMPLETED, NICT_COMPLETED);
	} else if (ist) {
		add_timer(oracle, TIMEOUT_H, &ist->timer_h_length, &ist->timer_h_start,
			  IST_COMPLETED, IST_COMPLETED);
		add_timer(oracle, TIMEOUT_G, &ist->timer_g_length, &ist->timer_g_start,
			  IST_COMPLETED, IST_COMPLETED);
		add_timer(oracle, TIMEOUT_I, &ist->timer_i_length, &ist->timer_i_start,
			  IST_CONFIRMED, IST_CONFIRMED);
	} else {
		add_timer(oracle, TIMEOUT_J, &nist->timer_j_length, &nist->timer_j_start,
			  NIST_COMPLETED, NIST_COMPLETED);
	}
}

static bool runs(const struct oracle *oracle, const struct oracle_timer *timer)
{
	state_t state = oracle->transaction->state;
	return *timer->length >= 0 && timer->start->tv_sec != -1 &&
	       (state == timer->states[0] || state == timer->states[1]);
}

/* The library starts a timer by writing the real time beside its length: a new time is a start. */
static void see_timers(struct oracle *oracle, type_t fired)
{
	for (size_t i = 0; i < oracle->timer_count; i++) {
		struct oracle_timer *timer = &oracle->timers[i];
		if (timer->event == fired ||
		    memcmp(&timer->seen, timer->start, sizeof(timer->seen)) != 0)
			timer->due_ms = oracle->now_ms + (uint64_t)*timer->length;
		timer->seen = *timer->start;
	}
}

static void execute(struct oracle *oracle, osip_event_t *event)
{
	type_t type = event->type;
	event->transactionid = oracle->transaction->transactionid;
	osip_transaction_execute(oracle->transaction, event);
	see_timers(oracle, type);
}

static osip_message_t *parse(const char *text)
{
	osip_message_t *sip = NULL;
	if (osip_message_init(&sip) || osip_message_parse(sip, text, strlen(text)))
		abort();
	return sip;
}

struct oracle *oracle_create(enum oracle_kind kind, const char *request, uint64_t now_ms)
{
	static const osip_fsm_type_t kinds[] = {ICT, NICT, IST, NIST};
	struct oracle *oracle = calloc(1, sizeof(*oracle));

	if (!oracle || osip_init(&oracle->osip))
		abort();
	oracle->kind = kind;
	oracle->now_ms = now_ms;
	osip_set_application_context(oracle->osip, oracle);
	osip_set_cb_send_message(oracle->osip, on_send);
	for (size_t i = 0; i < sizeof(told_types) / sizeof(told_types[0]); i++)
		osip_set_message_callback(oracle->osip, told_types[i], on_told);
	for (int i = 0; i < OSIP_KILL_CALLBACK_COUNT; i++)
		osip_set_kill_transaction_callback(oracle->osip, i, on_kill);
	oracle->request = parse(request);
	if (osip_transaction_init(&oracle->transaction, kinds[kind], oracle->osip, oracle->request))
		abort();
	osip_remove_transaction(oracle->osip, oracle->transaction);
	find_timers(oracle);
	see_timers(oracle, UNKNOWN_EVT);
	return oracle;
}

void oracle_destroy(struct oracle *oracle)
{
	osip_transaction_free2(oracle->transaction);
	osip_release(oracle->osip);
	free(oracle);
}

void oracle_start(struct oracle *oracle)
{
	osip_event_t *event = osip_new_outgoing_sipmessage(oracle->request);
	if (oracle->kind == ORACLE_IST)
		event->type = RCV_REQINVITE;
	else if (oracle->kind == ORACLE_NIST)
		event->type = RCV_REQUEST;
	execute(oracle, event);
}

void oracle_receive(struct oracle *oracle, const char *message)
{
	osip_event_t *event = osip_parse(message, strlen(message));
	if (!event)
		abort();
	execute(oracle, event);
}

void oracle_reply(struct oracle *oracle, const char *response)
{
	execute(oracle, osip_new_outgoing_sipmessage(parse(response)));
}

uint64_t oracle_next_ms(const struct oracle *oracle)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < oracle->timer_count; i++) {
		const struct oracle_timer *timer = &oracle->timers[i];
		if (runs(oracle, timer) && timer->due_ms < next)
			next = timer->due_ms;
	}
	return next;
}

static void fire(struct oracle *oracle, struct oracle_timer *timer)
{
	osip_event_t *event = osip_malloc(sizeof(*event));
	memset(event, 0, sizeof(*event));
	event->type = timer->event;
	if (timer->event == TIMEOUT_H) /* the library ends without a word */
		note(oracle->told, "timeout");
	execute(oracle, event);
}

void oracle_advance(struct oracle *oracle, uint64_t to_ms)
{
	uint64_t next;
	while ((next = oracle_next_ms(oracle)) <= to_ms) {
		oracle->now_ms = next > oracle->now_ms ? next : oracle->now_ms;
		for (size_t i = 0; i < oracle->timer_count; i++) {
			struct oracle_timer *timer = &oracle->timers[i];
			if (runs(oracle, timer) && timer->due_ms == next) {
				fire(oracle, timer);
				break;
			}
		}
	}
	oracle->now_ms = to_ms;
}

bool oracle_has_ended(const struct oracle *oracle)
{
	state_t state = oracle->transaction->state;
	return state == ICT_TERMINATED || state == NICT_TERMINATED || state == IST_TERMINATED ||
	       state == NIST_TERMINATED;
}

const char *oracle_sent(struct oracle *oracle)
{
	return oracle->sent;
}

const char *oracle_told(struct oracle *oracle)
{
	return oracle->told;
}

void oracle_forget(struct oracle *oracle)
{
	oracle->sent[0] = '\0';
	oracle->told[0] = '\0';
}
