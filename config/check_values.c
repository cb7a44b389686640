/* Values that contradict each other, and policies that cannot be met: refused by line, for they
 * would show one call after the other. SPDX-License-Identifier: Apache-2.0 */
#include "config/raw.h"

#include "config/certificate.h"

#define EXPIRY_WARNING_S (30 * 86400)

static bool is_written(const struct loaded *loaded, const void *value)
{
	return value_place(loaded, value, NULL).offset != PLACE_NOWHERE;
}

/* `low` may not be above `high`; the place is that of the one that is written. */
static void order_check(struct loaded *loaded, const struct yaml_node *node, const uint32_t *low,
			const char *low_name, const uint32_t *high, const char *high_name)
{
	bool low_written = is_written(loaded, low);

	if (*low <= *high)
		return;
	finding_error(&loaded->findings, value_place(loaded, low_written ? low : high, node),
		      low_written ? "%s is above %s, which is %us" : "%s is below %s, which is %us",
		      low_written ? low_name : high_name, low_written ? high_name : low_name,
		      (low_written ? *high : *low) / 1000);
	if (low_written && is_written(loaded, high))
		finding_note(&loaded->findings, value_place(loaded, high, node), "%s is here",
			     high_name);
}

/* --- TLS -----------------------------------------------------------------------------------------
 */

static void tls_listeners_check(struct loaded *loaded, const struct raw_interface *interface)
{
	for (size_t i = 0; i < interface->listen_count; i++) {
		const struct raw_listen *listen = &interface->listen[i];
		if (listen->transport != CONFIG_TLS && listen->transport != CONFIG_WSS)
			continue;
		finding_error(&loaded->findings, value_place(loaded, listen, interface->node),
			      "%s needs a certificate: interface \"%s\" has none",
			      listen->transport == CONFIG_TLS ? "tls" : "wss",
			      interface->public.name);
		finding_note(&loaded->findings, PLACE_NONE,
			     "add tls: {certificate: !file %s.pem, key: !file %s.key}",
			     interface->public.name, interface->public.name);
		return;
	}
}

static void certificate_check(struct loaded *loaded, const struct raw_interface *interface,
			      size_t i)
{
	struct slice chain = slice_from(interface->certificates[i].text);
	struct place place = value_place(loaded, &interface->certificates[i], interface->node);

	if (!certificate_has_key(chain, slice_from(interface->keys[i].text))) {
		finding_error(&loaded->findings, value_place(loaded, &interface->keys[i], NULL),
			      "%s is not the key of %s", interface->keys[i].path,
			      interface->certificates[i].path);
		finding_note(&loaded->findings, place, "the certificate is here");
	}
	int64_t left = certificate_lifetime_s(chain, loaded->host->now_s(loaded->host->owner));
	if (left < 0)
		finding_warn(&loaded->findings, place, "the certificate %s has expired",
			     interface->certificates[i].path);
	else if (left < EXPIRY_WARNING_S)
		finding_warn(&loaded->findings, place, "the certificate %s expires in %lld days",
			     interface->certificates[i].path, (long long)(left / 86400));
}

static void tls_check(struct loaded *loaded, const struct raw_interface *interface)
{
	const struct config_tls *tls = &interface->public.tls;

	if (interface->certificate_count != interface->key_count) {
		bool no_key = interface->key_count == 0;
		finding_error(
			&loaded->findings,
			value_place(loaded,
				    no_key ? (const void *)&interface->certificates
					   : (const void *)&interface->keys,
				    interface->node),
			"%zu certificates, %zu keys: each certificate has its key, in the same "
			"order",
			interface->certificate_count, interface->key_count);
		return;
	}
	for (size_t i = 0; i < interface->certificate_count; i++)
		certificate_check(loaded, interface, i);
	if (interface->certificate_count == 0)
		tls_listeners_check(loaded, interface);
	if (tls->verify_client == CONFIG_VERIFY_REQUIRE && !tls->ca.path)
		finding_warn(&loaded->findings,
			     value_place(loaded, &tls->verify_client, interface->node),
			     "any certificate of a public authority will do: name your own with "
			     "tls.ca");
	if (!tls->verify_peer && is_written(loaded, &tls->verify_peer))
		finding_warn(
			&loaded->findings, value_place(loaded, &tls->verify_peer, interface->node),
			"whoever stands between us and a server of \"%s\" can pretend to be it",
			interface->public.name);
}

/* --- media ---------------------------------------------------------------------------------------
 */

/* `from` is what the media of a peer has been taken from: that has been looked at already. */
static void media_check(struct loaded *loaded, const struct config_media *media,
			const struct config_media *from, const struct yaml_node *node)
{
	struct place source = value_place(loaded, &media->source, node);

	if (media->srtp != CONFIG_SRTP_NEVER && media->keying_count == 0 &&
	    !(from && from->srtp == media->srtp && from->keying == media->keying))
		finding_error(&loaded->findings, value_place(loaded, &media->keying, node),
			      "SRTP needs a way to agree on keys: media.keying is empty");
	if (media->source == CONFIG_SOURCE_ICE && media->ice == CONFIG_ICE_NEVER &&
	    !(from && from->source == media->source && from->ice == media->ice)) {
		finding_error(&loaded->findings, source,
			      "source: ice can never be met: media.ice is never");
		finding_note(&loaded->findings, PLACE_NONE, "add ice: lite");
	}
	if (media->source == CONFIG_SOURCE_SECURE && media->srtp != CONFIG_SRTP_REQUIRE &&
	    !(from && from->source == media->source && from->srtp == media->srtp)) {
		finding_error(&loaded->findings, source,
			      "source: secure admits no RTP: media.srtp must be require");
		finding_note(&loaded->findings, PLACE_NONE, "add srtp: require");
	}
}

/* --- who may do what -----------------------------------------------------------------------------
 */

static bool has_method(const struct config_security *security, const char *name)
{
	for (size_t i = 0; i < security->method_count; i++)
		if (strcmp(security->methods[i], name) == 0)
			return true;
	return false;
}

static void methods_check(struct loaded *loaded, const struct raw_interface *interface)
{
	static const char *const together[] = {"ACK", "BYE", "CANCEL"};
	const struct config_security *security = &interface->public.security;

	if (!has_method(security, "INVITE"))
		return;
	for (size_t i = 0; i < SCHEMA_COUNT(together); i++)
		if (!has_method(security, together[i]))
			finding_error(
				&loaded->findings,
				value_place(loaded, &security->methods, interface->node),
				"security.methods takes INVITE without %s: calls could not be "
				"made or ended",
				together[i]);
}

static void advertise_check(struct loaded *loaded, const struct raw_interface *interface)
{
	uint8_t family = interface->advertise.addr.family;
	const struct config_media *media = &interface->public.media;
	size_t of_media = 0;

	for (size_t i = 0; family && i < media->address_count; i++)
		of_media += media->addresses[i].family == family;
	if (of_media > 1)
		finding_error(
			&loaded->findings,
			value_place(loaded, &interface->advertise, interface->node),
			"interface \"%s\" has %zu %s addresses for media, and this one cannot "
			"stand for all of them",
			interface->public.name, of_media, family == AF_INET ? "IPv4" : "IPv6");
	for (size_t i = 0; i < interface->public.address_count; i++)
		if (interface->public.addresses[i].family == family)
			return;
	if (family && interface->public.address_count)
		finding_error(&loaded->findings,
			      value_place(loaded, &interface->advertise, interface->node),
			      "interface \"%s\" has no %s address that this one could stand for",
			      interface->public.name, family == AF_INET ? "IPv4" : "IPv6");
}

static void groups_check(struct loaded *loaded, const struct raw_interface *interface)
{
	for (size_t i = 0; i < interface->listen_count; i++) {
		const struct raw_listen *listen = &interface->listen[i];
		bool heard = !addr_is_set(&listen->group) || interface->public.address_count == 0;
		for (size_t j = 0; j < interface->public.address_count; j++)
			heard = heard ||
				interface->public.addresses[j].family == listen->group.family;
		if (!heard)
			finding_error(
				&loaded->findings, value_place(loaded, listen, interface->node),
				"this group cannot be heard: interface \"%s\" has no %s address",
				interface->public.name,
				listen->group.family == AF_INET ? "IPv4" : "IPv6");
	}
}

static void interface_check(struct loaded *loaded, const struct raw_interface *interface)
{
	const struct config_interface *public = &interface->public;

	if (interface->node->type != YAML_MAP)
		return;
	tls_check(loaded, interface);
	media_check(loaded, &public->media, NULL, interface->node);
	methods_check(loaded, interface);
	advertise_check(loaded, interface);
	groups_check(loaded, interface);
	if (public->nat.keepalive.mode == CONFIG_KEEPALIVE_ADAPTIVE)
		order_check(loaded, interface->node, &public->nat.minimum_ms, "nat.minimum",
			    &public->nat.maximum_ms, "nat.maximum");
	if (public->dialog.session_timer_ms)
		order_check(loaded, interface->node, &public->dialog.session_minimum_ms,
			    "session-timer-minimum", &public->dialog.session_timer_ms,
			    "session-timer");
	if (public->security.unknown_caller == CONFIG_UNKNOWN_CHALLENGE &&
	    loaded->domain_count == 0) {
		finding_error(
			&loaded->findings,
			value_place(loaded, &public->security.unknown_caller, interface->node),
			"nobody could answer the challenge: there are no domains with "
			"subscribers");
		finding_note(&loaded->findings, PLACE_NONE,
			     "add domains: {example.com: {registrar: local}}");
	}
}

/* --- peers ---------------------------------------------------------------------------------------
 */

static void login_check(struct loaded *loaded, const struct raw_peer *peer)
{
	const struct config_register *registration = &peer->public.registration;
	const struct config_credentials *credentials = &peer->public.credentials;

	if (registration->user && !credentials->password) {
		finding_error(&loaded->findings,
			      value_place(loaded, &registration->user, peer->node),
			      "register has no password");
		finding_note(&loaded->findings, PLACE_NONE,
			     "add register.password: !env NAME or !file PATH");
	} else if (!registration->user &&
		   (peer->register_password || registration->domain || peer->register_auth_user)) {
		finding_error(&loaded->findings, value_place(loaded, NULL, peer->node),
			      "register of peer \"%s\" has no user", peer->public.name);
	} else if (!credentials->user != !credentials->password) {
		finding_error(&loaded->findings,
			      value_place(loaded,
					  credentials->user ? (const void *)&credentials->user
							    : (const void *)&credentials->password,
					  peer->node),
			      "credentials are a user and a password: %s is missing",
			      credentials->user ? "the password" : "the user");
	}
}

static void weights_check(struct loaded *loaded, const struct raw_peer *peer)
{
	for (size_t i = 0; i < peer->public.server_count; i++) {
		const struct config_server *server = &peer->public.servers[i];
		if (server->weight == 1 || peer->public.strategy == CONFIG_STRATEGY_WEIGHTED)
			continue;
		finding_warn(&loaded->findings, value_place(loaded, server, peer->node),
			     "the weight is not used: strategy is not weighted");
		return;
	}
}

/* A peer that is ourselves would get its calls back. */
static void self_check(struct loaded *loaded, const struct raw_peer *peer)
{
	for (size_t i = 0; i < peer->public.server_count; i++) {
		const struct config_server *server = &peer->public.servers[i];
		for (size_t j = 0; j < loaded->interface_count; j++) {
			const struct config_interface *interface = &loaded->interfaces[j].public;
			for (size_t k = 0; k < interface->listener_count; k++) {
				if (!addr_is_set(&server->addr) ||
				    !addr_equal(&interface->listeners[k].addr, &server->addr))
					continue;
				finding_error(&loaded->findings,
					      value_place(loaded, server, peer->node),
					      "this is our own listener on interface \"%s\": calls "
					      "to peer \"%s\" would come back to us",
					      interface->name, peer->public.name);
				return;
			}
		}
	}
}

static void everybody_check(struct loaded *loaded, const struct raw_peer *peer)
{
	for (size_t i = 0; i < peer->accept_from_count; i++)
		if (peer->accept_from[i].bits == 0 && peer->interface_known &&
		    !loaded->interfaces[peer->public.interface].public.trusted)
			finding_warn(&loaded->findings,
				     value_place(loaded, &peer->accept_from[i], peer->node),
				     "everybody on \"%s\" is this peer: strangers may do what its "
				     "routes allow",
				     loaded->interfaces[peer->public.interface].public.name);
}

static void peer_check(struct loaded *loaded, const struct raw_peer *peer)
{
	const struct config_dialog *dialog = &peer->public.dialog;
	const struct config_interface *interface;

	if (peer->node->type != YAML_MAP)
		return;
	login_check(loaded, peer);
	weights_check(loaded, peer);
	self_check(loaded, peer);
	everybody_check(loaded, peer);
	if (!peer->interface_known)
		return;
	interface = &loaded->interfaces[peer->public.interface].public;
	media_check(loaded, &peer->public.media, &interface->media, peer->node);
	if (dialog->session_timer_ms &&
	    (dialog->session_timer_ms != interface->dialog.session_timer_ms ||
	     dialog->session_minimum_ms != interface->dialog.session_minimum_ms))
		order_check(loaded, peer->node, &dialog->session_minimum_ms,
			    "session-timer-minimum", &dialog->session_timer_ms, "session-timer");
	if (peer->public.limits.calls && interface->limits.calls &&
	    peer->public.limits.calls > interface->limits.calls)
		finding_warn(&loaded->findings,
			     value_place(loaded, &peer->public.limits.calls, peer->node),
			     "can never be reached: interface \"%s\" takes %u calls",
			     interface->name, interface->limits.calls);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static void domains_check(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->domain_count; i++) {
		const struct raw_domain *domain = &loaded->domains[i];
		order_check(loaded, domain->node, &domain->public.expires_minimum_ms,
			    "expires.minimum", &domain->public.expires_maximum_ms,
			    "expires.maximum");
		for (size_t j = 0; j < loaded->phones_count; j++)
			for (size_t k = 0; k < loaded->phones[j].domain_count; k++) {
				const struct raw_phones *phones = &loaded->phones[j];
				if (!slice_equal_nocase(slice_from(phones->domains[k]),
							domain->node->key))
					continue;
				finding_error(
					&loaded->findings,
					value_place(loaded, &phones->domains[k], phones->node),
					"\"%s\" has two registrars: this peer, and ourselves",
					phones->domains[k]);
				finding_note(&loaded->findings, domain->node->key_place,
					     "we answer for it here");
			}
	}
	for (size_t i = 0; i < loaded->phones_count; i++)
		if (loaded->phones[i].node)
			order_check(loaded, loaded->phones[i].node,
				    &loaded->phones[i].public.expires_device_ms, "expires.device",
				    &loaded->phones[i].public.expires_registrar_ms,
				    "expires.registrar");
}

static void state_check(struct loaded *loaded)
{
	const struct config *public = &loaded->file.public;
	const struct config_state *state = &public->state;
	struct findings *findings = &loaded->findings;

	if (state->sentinel.server_count && state->store != CONFIG_STORE_REDIS)
		finding_error(findings, value_place(loaded, &state->sentinel.servers, NULL),
			      "Sentinel knows Redis servers: state.store must be redis");
	if (state->sentinel.server_count && !state->sentinel.master)
		finding_error(findings, value_place(loaded, &state->sentinel.servers, NULL),
			      "Sentinel needs to know which server: add sentinel.master: NAME");
	if (state->sentinel.server_count && state->server_count)
		finding_warn(findings, value_place(loaded, &loaded->file.state_servers, NULL),
			     "state.servers is not used: Sentinel says where the server is");
	if (public->subscribers.store == CONFIG_SUBSCRIBERS_REDIS &&
	    state->store != CONFIG_STORE_REDIS)
		finding_error(findings, value_place(loaded, &public->subscribers.store, NULL),
			      "subscribers in Redis need its server: state.store must be redis");
	if (state->protect == CONFIG_PROTECT_RINGING && state->store == CONFIG_STORE_MEMORY &&
	    is_written(loaded, &state->protect))
		finding_warn(findings, value_place(loaded, &state->protect, NULL),
			     "nothing is protected by memory: state.store names no store");
	if (addr_is_set(&public->stats.prometheus) && !addr_is_private(&public->stats.prometheus))
		finding_warn(findings, value_place(loaded, &public->stats.prometheus, NULL),
			     "the exporter asks for no password: let nobody else reach it");
}

void check_values(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->interface_count; i++)
		if (!loaded->interfaces[i].public.retired)
			interface_check(loaded, &loaded->interfaces[i]);
	for (size_t i = 0; i < loaded->peer_count; i++)
		peer_check(loaded, &loaded->peers[i]);
	domains_check(loaded);
	state_check(loaded);
}
