/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dns/answer.h"
#include <ares.h>
#include <stdlib.h>

enum {
	HEADER = 12,
	FIXED = 10,      /* of a record: type, class, TTL, length */
	WALK_MAX = 256,  /* records looked at in one message */
	ALIASES_MAX = 8, /* CNAMEs followed */
	DENIAL_S = 10,   /* without an SOA */
	CLASS_IN = 1,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	RCODE_NAME = 3, /* NXDOMAIN */
};

struct record { /* where one stands in the message */
	size_t name_at;
	size_t data_at;
	size_t data_len;
	uint32_t ttl_s;
	uint16_t type;
};

struct reader {
	struct slice message;
	struct record records[WALK_MAX];
	uint32_t count;
	uint32_t answers; /* those of the answer section: the first so many */
};

static uint16_t u16_at(struct slice message, size_t at)
{
	const uint8_t *p = (const uint8_t *)message.data + at;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u32_at(struct slice message, size_t at)
{
	return (uint32_t)u16_at(message, at) << 16 | u16_at(message, at + 2);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

int dns_name_normal(struct slice name, char out[DNS_NAME_MAX + 1])
{
	if (name.len > 1 && name.data[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > DNS_NAME_MAX)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < name.len; i++) {
		char c = lower(name.data[i]);
		bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			    c == '_' || c == '.';
		if (!fits || (c == '.' && i > 0 && out[i - 1] == '.'))
			return -ERR_MALFORMED;
		out[i] = c;
	}
	out[name.len] = '\0';
	return 0;
}

/* The name that starts there, as text; `used` (may be NULL): its bytes in the message. */
static int name_at(struct slice message, size_t at, char out[DNS_NAME_MAX + 1], size_t *used)
{
	char *text = NULL;
	long length = 0;

	if (at >= message.len || ares_expand_name((const unsigned char *)message.data + at,
						  (const unsigned char *)message.data,
						  (int)message.len, &text, &length) != ARES_SUCCESS)
		return -ERR_MALFORMED;
	size_t len = strlen(text);
	int err = len <= DNS_NAME_MAX && length > 0 ? 0 : -ERR_MALFORMED;
	if (!err) {
		for (size_t i = 0; i <= len; i++)
			out[i] = lower(text[i]);
		if (used)
			*used = (size_t)length;
	}
	ares_free_string(text);
	return err;
}

static int skip_question(struct slice message, size_t *at, struct slice name, enum dns_type type)
{
	char asked[DNS_NAME_MAX + 1];
	size_t used = 0;

	if (u16_at(message, 4) != 1)
		return -ERR_MALFORMED;
	int err = name_at(message, *at, asked, &used);
	if (err)
		return err;
	*at += used;
	if (*at + 4 > message.len || u16_at(message, *at) != type ||
	    !slice_equal(slice_from(asked), name))
		return -ERR_MALFORMED;
	*at += 4;
	return 0;
}

static int read_record(struct reader *reader, size_t *at)
{
	struct slice message = reader->message;
	char name[DNS_NAME_MAX + 1];
	size_t used = 0;
	struct record *record = &reader->records[reader->count];

	int err = name_at(message, *at, name, &used);
	if (err)
		return err;
	record->name_at = *at;
	*at += used;
	if (*at + FIXED > message.len)
		return -ERR_MALFORMED;
	record->type = u16_at(message, *at);
	bool is_in = u16_at(message, *at + 2) == CLASS_IN;
	record->ttl_s = u32_at(message, *at + 4);
	if (record->ttl_s > INT32_MAX) /* RFC 2181 8 */
		record->ttl_s = 0;
	record->data_len = u16_at(message, *at + 8);
	record->data_at = *at + FIXED;
	if (record->data_at + record->data_len > message.len)
		return -ERR_MALFORMED;
	*at = record->data_at + record->data_len;
	if (is_in)
		reader->count++;
	return 0;
}

/* Answer and authority section. Beyond WALK_MAX nothing is read: what is there is used. */
static int read_records(struct reader *reader, size_t at)
{
	uint32_t answers = u16_at(reader->message, 6);
	uint32_t all = answers + u16_at(reader->message, 8);

	for (uint32_t i = 0; i < all && i < WALK_MAX; i++) {
		int err = read_record(reader, &at);
		if (err)
			return err;
		if (i < answers)
			reader->answers = reader->count;
	}
	return 0;
}

static bool is_of(const struct reader *reader, const struct record *record, uint16_t type,
		  const char *name)
{
	char owner[DNS_NAME_MAX + 1];

	return record->type == type &&
	       name_at(reader->message, record->name_at, owner, NULL) == 0 &&
	       strcmp(owner, name) == 0;
}

/* Where the CNAMEs lead; a loop ends by the count. */
static void follow_aliases(const struct reader *reader, char name[DNS_NAME_MAX + 1],
			   uint32_t *ttl_s)
{
	for (int i = 0; i < ALIASES_MAX; i++) {
		const struct record *alias = NULL;
		for (uint32_t k = 0; k < reader->answers && !alias; k++)
			if (is_of(reader, &reader->records[k], TYPE_CNAME, name))
				alias = &reader->records[k];
		if (!alias || name_at(reader->message, alias->data_at, name, NULL) != 0)
			return;
		if (alias->ttl_s < *ttl_s)
			*ttl_s = alias->ttl_s;
	}
}

/* RFC 2308 5: the SOA's own TTL or its MINIMUM, whichever is less. */
static uint32_t denial_ttl(const struct reader *reader)
{
	for (uint32_t i = reader->answers; i < reader->count; i++) {
		const struct record *record = &reader->records[i];
		if (record->type != TYPE_SOA || record->data_len < 22)
			continue;
		uint32_t minimum = u32_at(reader->message, record->data_at + record->data_len - 4);
		return minimum < record->ttl_s ? minimum : record->ttl_s;
	}
	return DENIAL_S;
}

/* --- the data of one record --- */

struct writer { /* where texts go */
	char *text;
	size_t left;
};

static int put(struct writer *writer, struct slice s, struct slice *out)
{
	if (s.len > writer->left)
		return -ERR_TOO_LARGE;
	memcpy(writer->text, s.data, s.len);
	*out = (struct slice){writer->text, s.len};
	writer->text += s.len;
	writer->left -= s.len;
	return 0;
}

/* A host; the root is ".". */
static int put_host(struct writer *writer, struct slice message, size_t at, struct slice *out)
{
	char name[DNS_NAME_MAX + 1], normal[DNS_NAME_MAX + 1];

	int err = name_at(message, at, name, NULL);
	if (err)
		return err;
	if (name[0] == '\0')
		return put(writer, SLICE("."), out);
	err = dns_name_normal(slice_from(name), normal);
	return err ? err : put(writer, slice_from(normal), out);
}

/* A character string (RFC 1035 3.3) of the record's data. */
static int put_string(struct writer *writer, struct slice data, size_t *at, struct slice *out)
{
	if (*at >= data.len)
		return -ERR_MALFORMED;
	size_t len = (uint8_t)data.data[*at];
	if (*at + 1 + len > data.len)
		return -ERR_MALFORMED;
	int err = put(writer, slice_sub(data, *at + 1, len), out);
	*at += 1 + len;
	return err;
}

static int read_naptr(const struct reader *reader, const struct record *record,
		      struct writer *writer, struct dns_naptr *out)
{
	struct slice data = slice_sub(reader->message, record->data_at, record->data_len);
	size_t at = 4;

	if (data.len < 4)
		return -ERR_MALFORMED;
	out->order = u16_at(data, 0);
	out->preference = u16_at(data, 2);
	int err = put_string(writer, data, &at, &out->flags);
	if (!err)
		err = put_string(writer, data, &at, &out->services);
	if (!err)
		err = put_string(writer, data, &at, &out->regexp);
	if (!err && at >= data.len)
		err = -ERR_MALFORMED;
	return err ? err
		   : put_host(writer, reader->message, record->data_at + at, &out->replacement);
}

static int read_srv(const struct reader *reader, const struct record *record, struct writer *writer,
		    struct dns_srv *out)
{
	if (record->data_len < 7)
		return -ERR_MALFORMED;
	out->priority = u16_at(reader->message, record->data_at);
	out->weight = u16_at(reader->message, record->data_at + 2);
	out->port = u16_at(reader->message, record->data_at + 4);
	return put_host(writer, reader->message, record->data_at + 6, &out->target);
}

static int read_data(const struct reader *reader, const struct record *record,
		     struct writer *writer, struct dns_record *out)
{
	const char *data = reader->message.data + record->data_at;

	switch ((enum dns_type)record->type) {
	case DNS_A:
		out->addr = (struct addr){.family = AF_INET};
		if (record->data_len != sizeof(out->addr.v4))
			return -ERR_MALFORMED;
		memcpy(&out->addr.v4, data, sizeof(out->addr.v4));
		return 0;
	case DNS_AAAA:
		out->addr = (struct addr){.family = AF_INET6};
		if (record->data_len != sizeof(out->addr.v6))
			return -ERR_MALFORMED;
		memcpy(&out->addr.v6, data, sizeof(out->addr.v6));
		return 0;
	case DNS_SRV:
		return read_srv(reader, record, writer, &out->srv);
	case DNS_NAPTR:
		return read_naptr(reader, record, writer, &out->naptr);
	}
	return -ERR_MALFORMED;
}

/* --- the whole --- */

/* The records that are meant, in the order given. */
static uint32_t select_records(const struct reader *reader, enum dns_type type, const char *name,
			       uint32_t out[DNS_RECORDS_MAX], size_t *text)
{
	uint32_t count = 0;

	*text = 0;
	for (uint32_t i = 0; i < reader->answers && count < DNS_RECORDS_MAX; i++) {
		if (!is_of(reader, &reader->records[i], (uint16_t)type, name))
			continue;
		out[count++] = i;
		if (type == DNS_SRV || type == DNS_NAPTR)
			*text += DNS_NAME_MAX + reader->records[i].data_len;
	}
	return count;
}

static int build(const struct reader *reader, enum dns_type type, struct slice asked,
		 struct dns_answer **out)
{
	uint32_t chosen[DNS_RECORDS_MAX], ttl_s = UINT32_MAX;
	char name[DNS_NAME_MAX + 1];
	size_t text;

	name[slice_copy(asked, name, sizeof(name))] = '\0';
	follow_aliases(reader, name, &ttl_s);
	uint32_t count = select_records(reader, type, name, chosen, &text);
	size_t size = sizeof(struct dns_answer) + count * sizeof(struct dns_record) + text;
	struct dns_answer *answer = calloc(1, size);
	if (!answer)
		return -ERR_NO_MEMORY;
	answer->size = size;
	struct writer writer = {(char *)&answer->records[count], text};
	for (uint32_t i = 0; i < count; i++) {
		const struct record *record = &reader->records[chosen[i]];
		/* One that cannot be read is not there; the others are. */
		if (read_data(reader, record, &writer, &answer->records[answer->count]) != 0)
			continue;
		answer->count++;
		if (record->ttl_s < ttl_s)
			ttl_s = record->ttl_s;
	}
	if (answer->count == 0) {
		uint32_t denial_s = denial_ttl(reader);
		ttl_s = denial_s < ttl_s ? denial_s : ttl_s;
	}
	answer->ttl_s = ttl_s;
	answer->name_exists = true;
	*out = answer;
	return 0;
}

int dns_answer_read(struct slice message, enum dns_type type, struct slice name,
		    struct dns_answer **out)
{
	struct reader reader = {.message = message};
	size_t at = HEADER;

	if (message.len < HEADER || message.len > UINT16_MAX)
		return -ERR_MALFORMED;
	unsigned int flags = u16_at(message, 2), rcode = flags & 15;
	if (!(flags & 0x8000) || (flags & 0x7800)) /* an answer, of an ordinary query */
		return -ERR_MALFORMED;
	if (rcode != 0 && rcode != RCODE_NAME)
		return -ERR_REFUSED;
	int err = skip_question(message, &at, name, type);
	if (!err)
		err = read_records(&reader, at);
	if (!err)
		err = build(&reader, type, name, out);
	if (!err && rcode == RCODE_NAME && (*out)->count == 0)
		(*out)->name_exists = false;
	return err;
}
