/* shard.h - which worker a message belongs to, from the pre-scan alone. One rule for first
 * transmissions, retransmissions, CANCEL and ACK, so that workers share no table. The first that
 * fits:
 * What another node made belongs to the worker of the same number here: it takes the call over.
 *  - a response: the worker in the top Via's branch (we made it);
 *  - our To tag: the worker in the tag;
 *  - a Request-URI user of ours (a masked contact; of a bulk one, RFC 6140, the parameter): the
 *    worker in it, the binding lives there;
 *  - from a known peer on an untrusted side (a carrier): hash of the Call-ID;
 *  - from a known peer on a trusted side: hash of the Request-URI's user;
 *  - from anybody else (a phone): hash of the From user, of the To user for REGISTER.
 * So a phone's bindings and the calls it makes and gets meet on one worker, and the registration
 * table needs no sharing. Our Call-ID without our To tag says nothing: a call that a proxy behind
 * us sends back has it, and belongs to the worker of the phone it goes to.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/scan.h"
#include "sbc/worker/token.h"

/* Where a bulk contact of ours has its token. */
#define SHARD_BULK_PARAMETER "bnc-id"

enum shard_source { SHARD_PHONE, SHARD_PEER_TRUSTED, SHARD_PEER_UNTRUSTED };

struct shard {
	const struct token_key *key;
	uint8_t workers;
	uint64_t hash_key[2]; /* the same in every worker */
};

uint8_t shard_of(const struct shard *shard, const struct scan *scan, enum shard_source source);
/* The worker of an AOR, by the rule's last two lines: by its user, whatever the host is called. */
uint8_t shard_of_aor(const struct shard *shard, struct slice text);
