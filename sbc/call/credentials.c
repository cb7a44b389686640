/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/call/credentials.h"
#include <stdlib.h>
#include "sbc/call/verbs.h"

void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	auth_client_free(&credentials->client);
	free(credentials);
}

static bool identity_of(const struct call *call, int peer, struct auth_identity *out)
{
	if (peer < 0)
		return false;
	const struct config_credentials *config =
		&call_policies(call, peer)->peers[peer].credentials;
	*out = (struct auth_identity){.user = slice_from(config->user),
				      .password = slice_from(config->password),
				      .realm = slice_from(config->realm)};
	return config->user && config->password;
}

bool credentials_challenged(struct call *call, uint8_t index, const struct message *response,
			    bool answered)
{
	struct leg *leg = &call->legs[index];
	struct auth_identity identity;

	if (!identity_of(call, leg->peer, &identity))
		return false;
	if (!leg->credentials)
		leg->credentials = calloc(1, sizeof(*leg->credentials));
	if (!leg->credentials)
		return false;
	leg->credentials->peer = leg->peer;
	int err = auth_client_challenged(&leg->credentials->client, &identity, response, answered);
	if (err)
		log_warn(call->calls->worker->log, "call.not_authenticated",
			 "call=%.*s peer=%s reason=\"%s\"", TOKEN_LENGTH, call->id,
			 call->calls->worker->config->peers[leg->peer].name,
			 err == -ERR_DENIED ? "it refuses the credentials" : "not our realm");
	return err == 0;
}

bool credentials_asked(struct call *call, uint8_t index, const struct message *response)
{
	unsigned int status = message_status(response);

	return (status == 401 || status == 407) &&
	       credentials_challenged(call, index, response, false);
}

void credentials_write(const struct call *call, uint8_t index, struct slice method,
		       struct slice uri, struct slice body, struct buf *out)
{
	const struct leg *leg = &call->legs[index];
	const struct auth_request request = {.method = method, .uri = uri, .body = body};
	struct auth_identity identity;

	if (!leg->credentials || leg->credentials->peer != leg->peer ||
	    !auth_client_is_ready(&leg->credentials->client) ||
	    !identity_of(call, leg->peer, &identity) || slice_equal(method, SLICE("ACK")))
		return;
	if (auth_client_write(&leg->credentials->client, &identity, &request,
			      call->calls->worker->random, out) != 0)
		log_debug(call->calls->worker->log, "call.no_credentials", "call=%.*s",
			  TOKEN_LENGTH, call->id);
}

bool credentials_may_cross(const struct call *call, uint8_t from, unsigned int status)
{
	struct auth_identity identity;
	int peer = call->legs[from].peer;

	return (status != 401 && status != 407) ||
	       (peer >= 0 && !identity_of(call, peer, &identity));
}
