/* attribute.c - look up and edit lines, keeping the order of RFC 8866.
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/sdp/attribute.h"
#include "control/sdp/lines.h"

unsigned sdp_line_rank(char type)
{
	static const char order[] = "iuepcbtka"; /* r= and z= belong to the t= before them */
	const char *at = strchr(order, type == 'r' || type == 'z' ? 't' : type);

	return at && *at ? (unsigned)(at - order) : SDP_RANK_UNKNOWN;
}

void sdp_line_link(struct sdp_section *section, struct sdp_line *after, struct sdp_line *line)
{
	struct sdp_line **link = after ? &after->next : &section->lines;

	line->next = *link;
	*link = line;
}

const struct sdp_line *sdp_attribute(const struct sdp_section *section, const char *name)
{
	struct slice wanted = slice_from(name);

	for (const struct sdp_line *line = section->lines; line; line = line->next)
		if (line->type == 'a' && slice_equal(line->name, wanted))
			return line;
	return NULL;
}

const struct sdp_line *sdp_attribute_next(const struct sdp_line *line)
{
	for (const struct sdp_line *next = line->next; next; next = next->next)
		if (next->type == 'a' && slice_equal(next->name, line->name))
			return next;
	return NULL;
}

const struct sdp_line *sdp_media_attribute_effective(const struct sdp_media *media,
						     const char *name)
{
	const struct sdp_line *line = sdp_attribute(&media->section, name);

	return line ? line : sdp_attribute(&media->sdp->section, name);
}

const struct sdp_line *sdp_line_find(const struct sdp_section *section, char type)
{
	const struct sdp_line *line = section->lines;

	while (line && line->type != type)
		line = line->next;
	return line;
}

const struct sdp_line *sdp_line_next(const struct sdp_line *line)
{
	const struct sdp_line *next = line->next;

	while (next && next->type != line->type)
		next = next->next;
	return next;
}

/* Last line of the same or an earlier rank; unknown types go with the line they follow. */
static struct sdp_line *line_place(struct sdp_section *section, char type)
{
	struct sdp_line *after = NULL;
	unsigned wanted = sdp_line_rank(type);
	unsigned rank = 0;

	for (struct sdp_line *line = section->lines; line; line = line->next) {
		unsigned own = sdp_line_rank(line->type);

		if (own != SDP_RANK_UNKNOWN)
			rank = own;
		if (rank > wanted)
			break;
		after = line;
	}
	return after;
}

static bool is_one_line(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0')
			return false;
	return true;
}

static int copy_text(struct sdp *sdp, struct slice text, struct slice *out)
{
	if (!is_one_line(text))
		return -ERR_INVALID;
	struct slice copy = text.len ? arena_copy(sdp->arena, text) : SLICE("");
	if (!copy.data)
		return -ERR_NO_MEMORY;
	*out = copy;
	return 0;
}

static int line_create(struct sdp *sdp, char type, struct slice value, struct sdp_line **out)
{
	struct sdp_line *line = arena_zalloc(sdp->arena, sizeof(*line));
	struct sdp_fault fault;

	if (!line)
		return -ERR_NO_MEMORY;
	line->type = type;
	int err = copy_text(sdp, value, &line->value);
	if (!err && type == 'a')
		err = sdp_read_attribute(line->value, line, &fault);
	if (!err && type == 'c') {
		line->connection = arena_zalloc(sdp->arena, sizeof(*line->connection));
		err = line->connection ? sdp_read_connection(line->value, line->connection, &fault)
				       : -ERR_NO_MEMORY;
	}
	if (!err)
		*out = line;
	return err;
}

int sdp_line_add(struct sdp *sdp, struct sdp_section *section, char type, struct slice value)
{
	struct sdp_line *line;

	if (type < 'A' || strchr("vosm", type))
		return -ERR_INVALID;
	int err = line_create(sdp, type, value, &line);
	if (err)
		return err;
	sdp_line_link(section, line_place(section, type), line);
	return 0;
}

static int attribute_create(struct sdp *sdp, const char *name, struct slice argument,
			    struct sdp_line **out)
{
	if (!argument.data)
		return line_create(sdp, 'a', slice_from(name), out);
	char *text = arena_printf(sdp->arena, "%s:%.*s", name, SLICE_ARG(argument));
	return text ? line_create(sdp, 'a', slice_from(text), out) : -ERR_NO_MEMORY;
}

int sdp_attribute_add(struct sdp *sdp, struct sdp_section *section, const char *name,
		      struct slice argument)
{
	struct sdp_line *line;
	int err = attribute_create(sdp, name, argument, &line);

	if (err)
		return err;
	sdp_line_link(section, line_place(section, 'a'), line);
	return 0;
}

int sdp_attribute_set(struct sdp *sdp, struct sdp_section *section, const char *name,
		      struct slice argument)
{
	struct sdp_line **link = &section->lines;
	struct slice wanted = slice_from(name);
	struct sdp_line *line;
	int err = attribute_create(sdp, name, argument, &line);

	if (err)
		return err;
	while (*link && !((*link)->type == 'a' && slice_equal((*link)->name, wanted)))
		link = &(*link)->next;
	if (!*link) {
		sdp_line_link(section, line_place(section, 'a'), line);
		return 0;
	}
	line->next = (*link)->next;
	*link = line;
	struct sdp_section behind = {.lines = line->next};
	(void)sdp_attribute_remove(&behind, name);
	line->next = behind.lines;
	return 0;
}

unsigned sdp_line_remove_if(struct sdp_section *section, sdp_line_fn *fn, void *owner)
{
	unsigned removed = 0;
	struct sdp_line **link = &section->lines;

	while (*link) {
		if (!fn(owner, *link)) {
			link = &(*link)->next;
			continue;
		}
		*link = (*link)->next;
		removed++;
	}
	return removed;
}

static bool has_name(void *owner, const struct sdp_line *line)
{
	const struct slice *name = owner;

	return line->type == 'a' && slice_equal(line->name, *name);
}

unsigned sdp_attribute_remove(struct sdp_section *section, const char *name)
{
	struct slice wanted = slice_from(name);

	return sdp_line_remove_if(section, has_name, &wanted);
}

static bool is_connection(void *owner, const struct sdp_line *line)
{
	(void)owner;
	return line->type == 'c';
}

unsigned sdp_remove_connection(struct sdp_section *section)
{
	return sdp_line_remove_if(section, is_connection, NULL);
}

static const char *address_type(const struct addr *addr)
{
	return addr->family == AF_INET6 ? "IP6" : "IP4";
}

int sdp_set_connection(struct sdp *sdp, struct sdp_section *section, const struct addr *addr)
{
	char ip[ADDR_TEXT_SIZE];
	struct sdp_line *line;

	if (!addr_is_set(addr))
		return -ERR_INVALID;
	char *text =
		arena_printf(sdp->arena, "IN %s %s", address_type(addr), addr_ip_text(addr, ip));
	if (!text)
		return -ERR_NO_MEMORY;
	int err = line_create(sdp, 'c', slice_from(text), &line);
	if (err)
		return err;
	(void)sdp_remove_connection(section);
	sdp_line_link(section, line_place(section, 'c'), line);
	return 0;
}

int sdp_set_origin(struct sdp *sdp, const struct sdp_origin *origin)
{
	struct sdp_origin new = sdp->origin;
	const struct slice *from[] = {&origin->username,        &origin->session_id,
				      &origin->session_version, &origin->network_type,
				      &origin->address_type,    &origin->address};
	struct slice *to[] = {&new.username,     &new.session_id,   &new.session_version,
			      &new.network_type, &new.address_type, &new.address};

	for (unsigned i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		if (!from[i]->data)
			continue;
		if (!from[i]->len || slice_find(*from[i], ' ') < from[i]->len)
			return -ERR_INVALID;
		int err = copy_text(sdp, *from[i], to[i]);
		if (err)
			return err;
	}
	sdp->origin = new;
	return 0;
}

int sdp_set_origin_address(struct sdp *sdp, const struct addr *addr)
{
	char ip[ADDR_TEXT_SIZE];
	struct sdp_origin origin = {
		.network_type = SLICE("IN"),
		.address_type = slice_from(address_type(addr)),
		.address = slice_from(addr_ip_text(addr, ip)),
	};

	return addr_is_set(addr) ? sdp_set_origin(sdp, &origin) : -ERR_INVALID;
}

int sdp_set_session_name(struct sdp *sdp, struct slice name)
{
	return copy_text(sdp, name, &sdp->session_name);
}

uint64_t sdp_origin_version(const struct sdp_origin *origin)
{
	uint64_t version;

	return slice_to_u64(origin->session_version, UINT64_MAX, &version) ? UINT64_MAX : version;
}

uint64_t sdp_text_version(struct slice text)
{
	struct sdp_origin origin = {0};
	struct slice line, word;

	while (slice_next_line(&text, &line)) {
		if (!slice_starts(line, SLICE("o=")))
			continue;
		if (slice_next_word(&line, &word) && slice_next_word(&line, &word))
			(void)slice_next_word(&line, &origin.session_version);
		break;
	}
	return sdp_origin_version(&origin);
}

/* 0.0.0.0, or :: in any spelling, may be among these. */
static bool may_be_any(struct slice connection)
{
	static const struct slice signs[] = {{"0.0.0.0", 7}, {"::", 2}, {"0:0", 3}};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (slice_find_slice(connection, signs[i]) < connection.len)
			return true;
	return false;
}

bool sdp_text_may_hold(struct slice text)
{
	struct slice line;

	while (slice_next_line(&text, &line)) {
		struct slice value = slice_trim(slice_sub(line, 2, SIZE_MAX));
		if (slice_starts(line, SLICE("a=")) && (slice_starts(value, SLICE("sendonly")) ||
							slice_starts(value, SLICE("inactive"))))
			return true;
		if (slice_starts(line, SLICE("c=")) && may_be_any(value))
			return true;
	}
	return false;
}
