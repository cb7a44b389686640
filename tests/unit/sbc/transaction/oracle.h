/* oracle.h - libosip2's transaction state machines, detached from its lists and clock, as a second
 * opinion on ours. Each step's doings are lines: "send INVITE", "up 180", "up timeout".
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/slice.h"

enum oracle_kind { ORACLE_ICT, ORACLE_NICT, ORACLE_IST, ORACLE_NIST };

struct oracle;

/* `request`: what is sent (client) or received (server), whole. */
struct oracle *oracle_create(enum oracle_kind kind, const char *request, uint64_t now_ms);
void oracle_destroy(struct oracle *oracle);
void oracle_start(struct oracle *oracle); /* the request goes out, or comes in */
void oracle_receive(struct oracle *oracle, const char *message);
void oracle_reply(struct oracle *oracle, const char *response); /* the transaction user answers */
void oracle_advance(struct oracle *oracle, uint64_t to_ms);
uint64_t oracle_next_ms(const struct oracle *oracle); /* UINT64_MAX = no timer */
bool oracle_has_ended(const struct oracle *oracle);
/* What was done since the last call: sends, and what the user was told. */
const char *oracle_sent(struct oracle *oracle);
const char *oracle_told(struct oracle *oracle);
void oracle_forget(struct oracle *oracle);
