/* shard.h - which worker a message belongs to, from the pre-scan alone.
 *
 * One rule for first transmissions, retransmissions, CANCEL and ACK, so that workers share no
 * table: response                    the worker in the top Via's branch (we made it) request with
 * our To tag     the worker in the tag our Call-ID                 the worker in it Request-URI
 * user is ours    the worker in it (a masked contact: the binding lives there) known peer,
 * untrusted side  hash of the Call-ID (a carrier: nothing but the call to keep together) known
 * peer, trusted side    hash of the Request-URI's AOR anybody else (a phone)      hash of the From
 * AOR; of the To AOR for REGISTER The last two are finer than "by Call-ID": a phone's bindings and
 * the calls it makes and gets meet on one worker, so that the registration table needs no sharing
 * and no second hop. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/message/scan.h"
#include "sbc/worker/token.h"

enum shard_source { SHARD_PHONE, SHARD_PEER_TRUSTED, SHARD_PEER_UNTRUSTED };

struct shard {
	const struct token_key *key;
	uint16_t node;
	uint8_t workers;
	uint64_t hash_key[2]; /* the same in every worker */
};

uint8_t shard_of(const struct shard *shard, const struct scan *scan, enum shard_source source);
/* The worker of an AOR, by the rule's last two lines: by its user, whatever the host is called. */
uint8_t shard_of_aor(const struct shard *shard, struct slice text);
