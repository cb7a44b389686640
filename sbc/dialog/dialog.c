/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/dialog/dialog.h"
#include "sbc/topology/owned.h"

static void free_routes(struct slice *routes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		owned_free(&routes[i]);
	free(routes);
}

void dialog_free(struct dialog *dialog)
{
	owned_free(&dialog->call_id);
	owned_free(&dialog->local_tag);
	owned_free(&dialog->remote_tag);
	owned_free(&dialog->local_display);
	owned_free(&dialog->local_uri);
	owned_free(&dialog->remote_display);
	owned_free(&dialog->remote_uri);
	owned_free(&dialog->remote_target);
	owned_free(&dialog->local_contact);
	free_routes(dialog->routes, dialog->route_count);
	*dialog = (struct dialog){0};
}

static int copy_texts(struct dialog *dialog, const struct dialog *from)
{
	const struct {
		struct slice *to;
		struct slice text;
	} texts[] = {
		{&dialog->call_id, from->call_id},
		{&dialog->local_tag, from->local_tag},
		{&dialog->remote_tag, from->remote_tag},
		{&dialog->local_display, from->local_display},
		{&dialog->local_uri, from->local_uri},
		{&dialog->remote_display, from->remote_display},
		{&dialog->remote_uri, from->remote_uri},
		{&dialog->remote_target, from->remote_target},
		{&dialog->local_contact, from->local_contact},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !err; i++)
		err = owned_set(texts[i].to, texts[i].text);
	return err;
}

int dialog_copy(struct dialog *dialog, const struct dialog *from)
{
	int err = copy_texts(dialog, from);

	if (!err && from->route_count > 0) {
		dialog->routes = calloc(from->route_count, sizeof(*dialog->routes));
		err = dialog->routes ? 0 : -ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < from->route_count && !err; i++) {
		err = owned_set(&dialog->routes[i], from->routes[i]);
		dialog->route_count = i + 1;
	}
	dialog->local_cseq = from->local_cseq;
	dialog->remote_cseq = from->remote_cseq;
	dialog->has_remote_cseq = from->has_remote_cseq;
	dialog->is_confirmed = from->is_confirmed;
	return err;
}

int dialog_set_routes(struct dialog *dialog, const struct message *message, bool reversed)
{
	size_t count = message_member_count(message, HEADER_RECORD_ROUTE);
	struct slice *routes = NULL;

	if (count > DIALOG_ROUTES_MAX)
		return -ERR_TOO_MANY;
	if (count > 0) {
		routes = calloc(count, sizeof(*routes));
		if (!routes)
			return -ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < count; i++) {
		struct slice member;
		if (!message_member(message, HEADER_RECORD_ROUTE, i, &member))
			continue;
		if (owned_set(&routes[reversed ? count - 1 - i : i], member) != 0) {
			free_routes(routes, count);
			return -ERR_NO_MEMORY;
		}
	}
	free_routes(dialog->routes, dialog->route_count);
	dialog->routes = routes;
	dialog->route_count = count;
	return 0;
}

int dialog_preset_routes(struct dialog *dialog, struct slice list)
{
	struct slice *routes = NULL, rest = list, member;
	size_t count = 0, made = 0;

	while (list_next(&rest, &member))
		count++;
	if (count > DIALOG_ROUTES_MAX)
		return -ERR_TOO_MANY;
	if (count > 0 && !(routes = calloc(count, sizeof(*routes))))
		return -ERR_NO_MEMORY;
	while (made < count && list_next(&list, &member)) {
		if (owned_set(&routes[made++], member) != 0) {
			free_routes(routes, count);
			return -ERR_NO_MEMORY;
		}
	}
	free_routes(dialog->routes, dialog->route_count);
	dialog->routes = routes;
	dialog->route_count = count;
	return 0;
}

int dialog_set_target(struct dialog *dialog, const struct message *message)
{
	struct contact contact;

	if (!message_contact(message, 0, &contact) || contact.star)
		return 0;
	return owned_set(&dialog->remote_target, contact.address.uri);
}

bool dialog_matches(const struct dialog *dialog, const struct message *request)
{
	return slice_equal(dialog->call_id, message_call_id(request)) &&
	       slice_equal_nocase(dialog->local_tag, message_to_tag(request)) &&
	       slice_equal_nocase(dialog->remote_tag, message_from_tag(request));
}

bool dialog_accept_cseq(struct dialog *dialog, uint32_t cseq)
{
	if (dialog->has_remote_cseq && cseq <= dialog->remote_cseq)
		return false;
	dialog->remote_cseq = cseq;
	dialog->has_remote_cseq = true;
	return true;
}

/* URI of a route entry; empty when it cannot be read. */
static struct slice route_uri(struct slice route)
{
	struct name_addr address;
	return name_addr_parse(route, &address) == 0 ? address.uri : SLICE_NONE;
}

static bool is_loose(struct slice route)
{
	struct uri uri;
	struct slice value;

	return uri_parse(route_uri(route), &uri) == 0 && uri_parameter(&uri, SLICE("lr"), &value);
}

struct slice dialog_next_hop(const struct dialog *dialog)
{
	return dialog->route_count > 0 ? route_uri(dialog->routes[0]) : dialog->remote_target;
}

static void write_target_as_route(const struct dialog *dialog, struct buf *out)
{
	struct buf route;

	buf_init(&route);
	buf_add_char(&route, '<');
	buf_add(&route, dialog->remote_target);
	buf_add_char(&route, '>');
	builder_header(out, HEADER_ROUTE, buf_slice(&route));
	out->failed = out->failed || buf_failed(&route);
	buf_free(&route);
}

struct slice dialog_request_uri(const struct dialog *dialog)
{
	bool strict = dialog->route_count > 0 && !is_loose(dialog->routes[0]);
	return strict ? route_uri(dialog->routes[0]) : dialog->remote_target;
}

void dialog_write_request(const struct dialog *dialog, struct slice method, uint32_t cseq,
			  int max_forwards, struct buf *out)
{
	bool strict = dialog->route_count > 0 && !is_loose(dialog->routes[0]);

	builder_request_line(out, method,
			     strict ? route_uri(dialog->routes[0]) : dialog->remote_target);
	for (size_t i = strict ? 1 : 0; i < dialog->route_count; i++)
		builder_header(out, HEADER_ROUTE, dialog->routes[i]);
	if (strict)
		write_target_as_route(dialog, out);
	builder_header_number(out, HEADER_MAX_FORWARDS, (uint64_t)max_forwards);
	builder_address(out, HEADER_FROM, dialog->local_display, dialog->local_uri,
			dialog->local_tag, SLICE_NONE);
	builder_address(out, HEADER_TO, dialog->remote_display, dialog->remote_uri,
			dialog->remote_tag, SLICE_NONE);
	builder_header(out, HEADER_CALL_ID, dialog->call_id);
	builder_cseq(out, cseq, method);
}
