/* registering.h - one REGISTER on its way: what the phone asked, until the registrar has answered.
 * Private to sbc/registration.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/registrar.h"

enum { REGISTER_CONTACTS_MAX = 16 };

struct asked_contact {
	struct slice uri; /* owned */
	uint64_t id;
	uint32_t expires_s;
};

struct registering {
	struct table_link link;
	uint64_t number; /* the context of its transactions */
	struct transaction_handle server;
	struct slice aor;  /* owned; canonical */
	struct slice rest; /* owned; what goes to the registrar, without its start line */
	struct transport_path path;
	struct config_phones phones; /* the entry as it was: another file may have others */
	uint32_t expires_s;
	bool star;
	struct peers_try attempt;
	struct asked_contact contacts[REGISTER_CONTACTS_MAX];
	uint32_t contact_count;
};

struct registrar {
	struct worker *worker;
	struct peers *peers;
	struct binding_table bindings;
	struct table pending;
	uint64_t next_number;
	uint64_t secret[2]; /* of the Call-IDs and tags we show the registrar */
	struct registrar_counters counters;
};

void registering_free(struct registering *registering);
/* What the registrar shall see of the phone's request: everything below the start line. */
MUST_CHECK int registering_write(const struct registrar *registrar,
				 const struct registering *registering,
				 const struct message *request, const struct transport_path *out,
				 struct buf *buf);
/* The contact of ours that stands for one of the phone's. */
void registering_mask(const struct registrar *registrar, uint64_t id, char user[TOKEN_LENGTH]);
/* A 2xx came: bring the bindings up to date and write the phone's Contact lines. */
void registering_granted(struct registrar *registrar, const struct registering *registering,
			 const struct message *response, struct buf *contacts);
/* The one form of an address-of-record, whichever of our addresses the URI names. */
MUST_CHECK int registering_aor(const struct registrar *registrar, uint32_t peer, struct slice uri,
			       struct buf *out);
