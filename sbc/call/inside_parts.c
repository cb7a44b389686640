/* inside_parts.c - what of a request inside a call crosses, and of its answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/credentials.h"
#include "sbc/call/verbs.h"
#include "sbc/topology/headers.h"
#include "sbc/topology/owned.h"

int relayed_take_request(struct call *call, struct relayed *relayed, const struct message *request,
			 enum method as, struct slice own)
{
	struct crossing crossing = leg_crossing(call, relayed->from, message_body(request).len > 0);
	int forwards = message_max_forwards(request);
	struct buf lines;

	relayed->method = as;
	relayed->max_forwards = forwards < 0 ? 70 : forwards - 1;
	buf_init(&lines);
	crossing.own = own;
	buf_add(&lines, own);
	headers_copy(request, &crossing, &lines);
	registrar_drop_credentials(call->calls->registrar, &lines);
	headers_options(request, HEADER_SUPPORTED, &lines);
	headers_options(request, HEADER_REQUIRE, &lines);
	int err = buf_failed(&lines) ? -ERR_NO_MEMORY
				     : owned_set(&relayed->headers, buf_slice(&lines));
	buf_free(&lines);
	if (!err)
		err = owned_set(&relayed->method_text, as == METHOD_UNKNOWN
							       ? message_method_text(request)
							       : method_text(as));
	if (!err)
		err = owned_set(&relayed->content_type, message_content_type(request));
	if (!err)
		err = leg_keep_body(call, relayed->from, request, &relayed->body);
	return err;
}

int relayed_take_response(struct call *call, struct relayed *relayed,
			  const struct message *response)
{
	bool with_body = message_body(response).len > 0;
	struct crossing crossing = leg_crossing(call, other_leg(relayed->from), with_body);
	struct buf lines;

	relayed->status = message_status(response);
	buf_init(&lines);
	if (credentials_may_cross(call, other_leg(relayed->from), relayed->status))
		headers_copy(response, &crossing, &lines);
	else
		relayed->status = 403;
	int err = buf_failed(&lines) ? -ERR_NO_MEMORY
				     : owned_set(&relayed->headers, buf_slice(&lines));
	buf_free(&lines);
	if (!err)
		err = owned_set(&relayed->content_type,
				with_body ? message_content_type(response) : SLICE_NONE);
	if (!err)
		err = leg_keep_body(call, other_leg(relayed->from), response, &relayed->body);
	return err;
}
