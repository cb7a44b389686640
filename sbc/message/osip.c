/* libosip2 reads start line and structured headers only: unfolded, in one spelling, in order,
 * without the body. That keeps its costs linear and small (hostile-edge 2: quadratic in headers,
 * lists and parameters; a leak in MIME parts; NULs that cut). SPDX-License-Identifier: Apache-2.0
 */
#include "sbc/message/osip.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

/* The library's allocators have no owner argument, so the arena in use is the thread's. */
static __thread struct arena *current_arena;

/* In front of every block: how long it is and where it came from. */
struct block {
	size_t size;
	bool in_arena;
} __attribute__((aligned(16)));

static void *reader_malloc(size_t size)
{
	struct block *block;

	if (size > SIZE_MAX - sizeof(*block))
		return NULL;
	if (current_arena)
		block = arena_alloc(current_arena, sizeof(*block) + size);
	else
		block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->size = size;
	block->in_arena = current_arena != NULL;
	return block + 1;
}

static void reader_free(void *data)
{
	if (!data)
		return;
	struct block *block = (struct block *)data - 1;
	if (!block->in_arena)
		free(block);
}

static void *reader_realloc(void *data, size_t size)
{
	void *fresh = reader_malloc(size);
	if (fresh && data) {
		size_t old = ((struct block *)data - 1)->size;
		memcpy(fresh, data, old < size ? old : size);
		reader_free(data);
	}
	return fresh;
}

/* What a stranger sent is not worth a line of log each. */
static void silence(const char *file, int line, osip_trace_level_t level, const char *format,
		    va_list arguments)
{
	(void)file;
	(void)line;
	(void)level;
	(void)format;
	(void)arguments;
}

int osip_reader_init(void)
{
	osip_trace_initialize_func(TRACE_LEVEL0, silence);
	osip_set_allocators(reader_malloc, reader_realloc, reader_free);
	return parser_init() == OSIP_SUCCESS ? 0 : -ERR_NO_MEMORY;
}

static bool is_list(enum header_id id)
{
	return id == HEADER_VIA || id == HEADER_CONTACT || id == HEADER_ROUTE ||
	       id == HEADER_RECORD_ROUTE;
}

static bool is_read(enum header_id id)
{
	return is_list(id) || id == HEADER_FROM || id == HEADER_TO || id == HEADER_CALL_ID ||
	       id == HEADER_CSEQ;
}

static char *add(char *at, struct slice s)
{
	if (s.len)
		memcpy(at, s.data, s.len);
	return at + s.len;
}

/* Its escapes were judged by uri_parse(); this reader decodes them at a cost that grows with their
 * square, so it sees another character in their place. */
static char *add_uri(char *at, struct slice uri)
{
	for (size_t i = 0; i < uri.len; i++)
		*at++ = uri.data[i] == '%' ? '.' : uri.data[i];
	return at;
}

/* One value on a line of its own, addresses without display name: neither lists (valid ones are
 * refused) nor anybody's free text are for this reader. */
static char *add_value(char *at, enum header_id id, struct slice value)
{
	struct name_addr address;

	at = add(at, header_text(id));
	at = add(at, SLICE(": "));
	if (id == HEADER_VIA || id == HEADER_CALL_ID || id == HEADER_CSEQ ||
	    slice_equal(value, SLICE("*")) || name_addr_parse(value, &address)) {
		at = add(at, value);
	} else {
		at = add(at, SLICE("<"));
		at = add_uri(at, address.uri);
		at = add(at, SLICE(">"));
		at = add(at, address.parameters);
	}
	return add(at, SLICE("\r\n"));
}

static char *add_header(char *at, const struct header *header)
{
	struct slice list = header->value, member;

	if (!is_list(header->id))
		return add_value(at, header->id, header->value);
	while (list_next(&list, &member))
		at = add_value(at, header->id, member);
	return at;
}

/* What the library is given, NUL-terminated. */
static char *text_for(const struct scan *scan, struct arena *arena, size_t *len)
{
	/* The longest canonical name is shorter than 16; each value may grow by it, ": ", "<>" and
	 * CRLF. */
	size_t values = scan->header_count + 4 * (size_t)SCAN_MEMBERS_MAX;
	size_t room = scan->message.len + values * 24 + 64;
	char *text = arena_alloc(arena, room), *at = text;

	if (!text)
		return NULL;
	if (scan->is_request) {
		at = add(at, scan->method_text);
		at = add(at, SLICE(" "));
		at = add_uri(at, scan->request_uri);
		at = add(at, SLICE(" SIP/2.0\r\n"));
	} else {
		/* The reason is anybody's text: not for this reader. */
		at = add(at, SLICE("SIP/2.0 "));
		*at++ = (char)('0' + scan->status / 100);
		*at++ = (char)('0' + scan->status / 10 % 10);
		*at++ = (char)('0' + scan->status % 10);
		at = add(at, SLICE(" x\r\n"));
	}
	for (uint16_t i = 0; i < scan->header_count; i++) {
		const struct header *header = &scan->headers[i];
		if (is_read(header->id))
			at = add_header(at, header);
	}
	at = add(at, SLICE("\r\n"));
	*at = '\0';
	*len = (size_t)(at - text);
	return text;
}

static bool same(const char *theirs, struct slice ours)
{
	return slice_equal_nocase(slice_from(theirs), ours);
}

static bool same_tag(osip_list_t *parameters, struct slice ours)
{
	osip_generic_param_t *tag = NULL;
	char name[] = "tag";
	if (osip_generic_param_get_byname(parameters, name, &tag) != OSIP_SUCCESS || !tag)
		return ours.len == 0;
	return same(tag->gvalue, ours);
}

static bool same_call_id(const osip_call_id_t *call_id, struct slice ours)
{
	struct slice number = slice_cut(&ours, '@');
	return call_id && same(call_id->number, number) &&
	       (call_id->host ? same(call_id->host, ours) : ours.len == 0);
}

static bool same_branch(const osip_message_t *sip, const struct scan *scan)
{
	osip_via_t *via = osip_list_get(&sip->vias, 0);
	osip_generic_param_t *branch = NULL;
	char name[] = "branch";
	if (!via)
		return false;
	if (osip_generic_param_get_byname(&via->via_params, name, &branch) != OSIP_SUCCESS ||
	    !branch)
		return scan->via.branch.len == 0;
	return same(branch->gvalue, scan->via.branch);
}

static bool same_cseq(const osip_cseq_t *cseq, const struct scan *scan)
{
	uint32_t number;
	return cseq && cseq->number && same(cseq->method, scan->method_text) &&
	       !slice_to_u32(slice_from(cseq->number), UINT32_MAX, &number) && number == scan->cseq;
}

static bool same_message(osip_message_t *sip, const struct scan *scan)
{
	if (scan->is_request ? !same(sip->sip_method, scan->method_text)
			     : sip->status_code != scan->status)
		return false;
	return sip->from && sip->to && same_tag(&sip->from->gen_params, scan->from_tag) &&
	       same_tag(&sip->to->gen_params, scan->to_tag) &&
	       same_call_id(sip->call_id, scan->call_id) && same_cseq(sip->cseq, scan) &&
	       same_branch(sip, scan);
}

int osip_reader_agrees(const struct scan *scan, struct arena *arena)
{
	osip_message_t *sip = NULL;
	int err = -ERR_MALFORMED;
	size_t len = 0;
	char *text = text_for(scan, arena, &len);

	if (!text)
		return -ERR_NO_MEMORY;
	/* Everything below lives on the arena and goes with it: nothing is freed. */
	current_arena = arena;
	int status = osip_message_init(&sip);
	if (status == OSIP_SUCCESS)
		status = osip_message_parse(sip, text, len);
	if (status == OSIP_NOMEM)
		err = -ERR_NO_MEMORY;
	else if (status == OSIP_SUCCESS && same_message(sip, scan))
		err = 0;
	current_arena = NULL;
	return err;
}
