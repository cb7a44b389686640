/* SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/location.h"
#include <time.h>

/* One field a line, so that none of them (all are parts of header lines) can hold the separator:
 *   name   aor LF contact-or-flow
 *   value  version, expiry (Unix), interface, transport, remote, q, cseq, contact, parameters,
 *          path set, call-id */
#define VERSION SLICE("1")

void location_write_name(const struct binding *binding, struct buf *out)
{
	buf_add(out, binding->aor);
	buf_add_char(out, '\n');
	buf_add(out,
		binding->facts.parameters.len ? binding->facts.parameters : binding->facts.contact);
}

static void add(struct buf *out, struct slice text)
{
	buf_add(out, text);
	buf_add_char(out, '\n');
}

void location_write(const struct worker *worker, const struct binding *binding, struct buf *out)
{
	const struct binding_facts *facts = &binding->facts;
	char addr[ADDR_TEXT_SIZE];

	add(out, VERSION);
	buf_printf(out, "%llu\n", (unsigned long long)time(NULL) + facts->expires_s);
	add(out, slice_from(worker->config->interfaces[binding->path.interface].name));
	add(out, sip_transport_text((enum sip_transport)binding->path.transport));
	add(out, slice_from(addr_text(&binding->path.remote, addr)));
	buf_printf(out, "%u\n%u\n", facts->q, facts->cseq);
	add(out, facts->contact);
	add(out, facts->parameters);
	add(out, facts->path_set);
	add(out, facts->call_id);
}

static int read_path(const struct worker *worker, struct slice *value, struct transport_path *out)
{
	struct slice interface, transport, remote;
	enum sip_transport kind = SIP_UDP;

	if (!slice_next_line(value, &interface) || !slice_next_line(value, &transport) ||
	    !slice_next_line(value, &remote))
		return -ERR_MALFORMED;
	int index = config_find_interface(worker->config, interface);
	if (index < 0)
		return -ERR_NOT_FOUND;
	for (int i = 0; i < SIP_TRANSPORT_COUNT; i++)
		if (slice_equal(transport, sip_transport_text((enum sip_transport)i)))
			kind = (enum sip_transport)i;
	*out = (struct transport_path){
		.interface = (uint16_t)index, .transport = (uint8_t)kind, .worker = worker->index};
	int err = addr_parse(remote, 0, &out->remote);
	return err ? err
		   : transport_listener_for(worker->transport, out->interface, kind,
					    out->remote.family, &out->listener);
}

static int read_numbers(struct slice *value, struct binding_facts *out)
{
	struct slice q, cseq;
	uint32_t number;

	if (!slice_next_line(value, &q) || !slice_next_line(value, &cseq) ||
	    slice_to_u32(q, BINDING_Q_MAX, &number) != 0 ||
	    slice_to_u32(cseq, UINT32_MAX, &out->cseq) != 0)
		return -ERR_MALFORMED;
	out->q = (uint16_t)number;
	return 0;
}

int location_read(const struct worker *worker, struct slice name, struct slice value,
		  struct location_text *out)
{
	struct location_text text = {0};
	struct slice version, expiry;
	uint64_t until, now = (uint64_t)time(NULL);

	text.aor = slice_cut(&name, '\n');
	if (!slice_next_line(&value, &version) || !slice_equal(version, VERSION) ||
	    !slice_next_line(&value, &expiry) || slice_to_u64(expiry, UINT64_MAX, &until) != 0)
		return -ERR_MALFORMED;
	if (until <= now)
		return -ERR_NOT_FOUND;
	text.facts.expires_s = until - now < UINT32_MAX / 1000 ? (uint32_t)(until - now) : 86400;
	int err = read_path(worker, &value, &text.path);
	if (!err)
		err = read_numbers(&value, &text.facts);
	if (err)
		return err;
	if (!slice_next_line(&value, &text.facts.contact) ||
	    !slice_next_line(&value, &text.facts.parameters) ||
	    !slice_next_line(&value, &text.facts.path_set) ||
	    !slice_next_line(&value, &text.facts.call_id) || slice_is_empty(text.facts.contact))
		return -ERR_MALFORMED;
	*out = text;
	return 0;
}
