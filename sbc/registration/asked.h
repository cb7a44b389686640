/* asked.h - what a REGISTER asks for (RFC 3261 10.3, RFC 5626 6, RFC 3327, RFC 6140), read once for
 * whoever answers it: the registrar behind us or our own.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sbc/registration/binding.h"

enum { ASKED_CONTACTS_MAX = 16 };

struct asked_contact {
	struct slice uri;        /* owned */
	struct slice parameters; /* owned; of the flow, as binding_facts has them */
	uint64_t id;
	uint32_t expires_s;
	bool has_expires;
	uint16_t q;
	bool is_bulk;
};

struct asked {
	struct slice aor;      /* owned; canonical */
	struct slice call_id;  /* owned */
	struct slice path_set; /* owned */
	uint32_t cseq;
	uint32_t expires_s;
	bool has_expires;
	bool star;
	bool is_outbound; /* RFC 5626: a contact has a reg-id and the phone supports it */
	bool is_bulk;
	uint64_t identity; /* of the credentials it brought; 0 = none */
	struct asked_contact contacts[ASKED_CONTACTS_MAX];
	uint32_t count;
};

/* `aor` is canonical. The status to refuse with, or 0; `headers` gets what goes with a refusal. */
unsigned int asked_read(const struct binding_table *table, struct slice aor,
			const struct message *request, bool takes_bulk, struct asked *out,
			struct buf *headers);
void asked_free(struct asked *asked);
/* Would it take the AOR beyond this many contacts? */
bool asked_is_too_many(const struct binding_table *table, const struct asked *asked, uint32_t most);
/* What a binding is made of. */
void asked_facts(const struct asked *asked, const struct asked_contact *contact,
		 struct binding_facts *out);
/* The Contact lines of a 200: all bindings of the AOR, as the phones wrote them. */
void asked_write_contacts(const struct binding_table *table, struct slice aor, struct buf *out);
/* Path and Require lines of a 200 that grants what was asked. */
void asked_write_extras(const struct asked *asked, const struct message *request, struct buf *out);
