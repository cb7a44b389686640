/* How long a NAT bears silence is found on a second mapping, so that the one calls come by is never
 * at stake: the phone answers one keep-alive to another port of ours (its Via says so, RFC 3261
 * 18.2.2), and that flow alone is then left silent for longer and asked (natprobe.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "sbc/registration/keepalive.h"
#include <stdlib.h>
#include "sbc/registration/natprobe.h"
#include "sbc/registration/registrar.h"
#include "sbc/topology/hosts.h"

enum { MISSES_MAX = 8 };

struct keepalives {
	struct worker *worker;
	struct registrar_counters *counters;
	struct natprobes *probes;
	const struct binding_table *table; /* where the handles are looked up */
	bool is_stopped;
};

static void on_due(struct timer *timer, uint64_t now_ms);

int keepalives_create(struct worker *worker, struct registrar_counters *counters,
		      struct keepalives **out)
{
	struct keepalives *keepalives = calloc(1, sizeof(*keepalives));
	if (!keepalives)
		return -ERR_NO_MEMORY;

	keepalives->worker = worker;
	keepalives->counters = counters;
	int err = natprobes_create(worker, &keepalives->probes);
	if (err) {
		free(keepalives);
		return err;
	}
	*out = keepalives;
	return 0;
}

void keepalives_stop(struct keepalives *keepalives)
{
	keepalives->is_stopped = true;
	natprobes_stop(keepalives->probes);
}

void keepalives_reload(struct keepalives *keepalives)
{
	if (!keepalives->is_stopped)
		natprobes_reload(keepalives->probes);
}

void keepalives_destroy(struct keepalives *keepalives)
{
	if (!keepalives)
		return;
	natprobes_destroy(keepalives->probes);
	free(keepalives);
}

static const struct config_nat *rules_of(const struct keepalives *keepalives,
					 const struct binding *binding)
{
	return &keepalives->worker->config->interfaces[binding->path.interface].nat;
}

uint32_t keepalives_interval_ms(const struct keepalives *keepalives, const struct binding *binding)
{
	const struct config_nat *rules = rules_of(keepalives, binding);

	if (rules->keepalive.mode == CONFIG_KEEPALIVE_OFF)
		return 0;
	if (rules->keepalive.mode == CONFIG_KEEPALIVE_FIXED)
		return rules->keepalive.interval_ms;
	if (sip_transport_is_reliable((enum sip_transport)binding->path.transport))
		return rules->maximum_ms; /* RFC 5626 4.4.1: a NAT bears idle connections longer */
	return natprobes_interval_ms(keepalives->probes, &binding->path);
}

/* Is what it says of itself not where it really is? */
static bool is_natted(const struct binding *binding)
{
	struct addr said;
	struct uri uri;

	if (uri_parse(binding->facts.contact, &uri) != 0 ||
	    uri_host_addr(&uri, sip_transport_port((enum sip_transport)binding->path.transport),
			  &said) != 0)
		return true;
	if (sip_transport_is_reliable((enum sip_transport)binding->path.transport))
		return !addr_equal_ip(&said, &binding->path.remote);
	return !addr_equal(&said, &binding->path.remote);
}

static void arm(struct keepalives *keepalives, struct binding *binding)
{
	uint32_t interval_ms = keepalives_interval_ms(keepalives, binding);

	binding->keepalive.owner = keepalives;
	keepalives->table = binding->table;
	if (interval_ms && !keepalives->is_stopped)
		wheel_arm(keepalives->worker->wheel, &binding->keepalive.timer,
			  binding->heard_ms + interval_ms, on_due);
}

void keepalives_follow(struct keepalives *keepalives, struct binding *binding, bool is_going)
{
	binding->keepalive.misses = 0;
	wheel_cancel(keepalives->worker->wheel, &binding->keepalive.timer);
	if (!is_going && !binding->is_lost && is_natted(binding))
		arm(keepalives, binding);
}

/* --- one keep-alive --- */

static struct binding *find(const struct keepalives *keepalives, uint64_t context,
			    struct transaction_handle handle)
{
	struct binding *binding = binding_find(keepalives->table, context);
	return binding && binding->keepalive.handle.id == handle.id ? binding : NULL;
}

static void on_response(void *owner, uint64_t context, struct transaction_handle handle,
			const struct message *response, const struct transport_path *path)
{
	struct keepalives *keepalives = owner;
	struct binding *binding = find(keepalives, context, handle);
	(void)path;

	if (!binding || message_status(response) < 200)
		return;
	binding->keepalive.handle = TRANSACTION_NONE;
	binding->keepalive.misses = 0;
	binding->heard_ms = wheel_now_ms(keepalives->worker->wheel);
	arm(keepalives, binding);
}

static void on_failure(void *owner, uint64_t context, struct transaction_handle handle, int err)
{
	struct keepalives *keepalives = owner;
	struct binding *binding = find(keepalives, context, handle);
	(void)err;

	if (!binding)
		return;
	binding->keepalive.handle = TRANSACTION_NONE;
	counter_add(&keepalives->counters->probes_lost, 1);
	natprobes_lost(keepalives->probes, &binding->path);
	/* Perhaps it answers no OPTIONS at all: what goes to it opens most NATs all the same. */
	if (++binding->keepalive.misses < MISSES_MAX) {
		binding->heard_ms = wheel_now_ms(keepalives->worker->wheel);
		arm(keepalives, binding);
	}
}

static const struct client_handlers handlers = {on_response, on_failure};

void keepalive_write(const struct worker *worker, const struct binding *binding, struct buf *out)
{
	char tag[12], call_id[20];
	struct buf own;

	buf_init(&own);
	buf_add_text(&own, "sip:");
	hosts_write_own(worker->config, binding->path.interface, &own);
	random_text(worker->random, tag, sizeof(tag));
	random_text(worker->random, call_id, sizeof(call_id));
	builder_header_number(out, HEADER_MAX_FORWARDS, 70);
	builder_address(out, HEADER_FROM, SLICE_NONE, buf_slice(&own),
			(struct slice){tag, sizeof(tag)}, SLICE_NONE);
	builder_address(out, HEADER_TO, SLICE_NONE, binding->facts.contact, SLICE_NONE, SLICE_NONE);
	builder_header(out, HEADER_CALL_ID, (struct slice){call_id, sizeof(call_id)});
	builder_cseq(out, 1, SLICE("OPTIONS"));
	if (binding->facts.path_set.len > 0)
		builder_header(out, HEADER_ROUTE, binding->facts.path_set);
	builder_body(out, SLICE_NONE, SLICE_NONE);
	out->failed = out->failed || buf_failed(&own);
	buf_free(&own);
}

static int send_options(struct keepalives *keepalives, struct binding *binding)
{
	struct client_request request = {.path = binding->path,
					 .handlers = &handlers,
					 .owner = keepalives,
					 .context = binding->id,
					 .stay = true};
	struct buf bytes;

	buf_init(&bytes);
	builder_request_line(&bytes, SLICE("OPTIONS"), binding->facts.contact);
	keepalive_write(keepalives->worker, binding, &bytes);
	request.bytes = buf_slice(&bytes);
	int err = buf_failed(&bytes) ? -ERR_NO_MEMORY
				     : transaction_request(keepalives->worker->transactions,
							   &request, &binding->keepalive.handle);
	buf_free(&bytes);
	return err;
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	struct binding *binding = container_of(timer, struct binding, keepalive.timer);
	struct keepalives *keepalives = binding->keepalive.owner;

	counter_add(&keepalives->counters->probes, 1);
	if (sip_transport_is_reliable((enum sip_transport)binding->path.transport)) {
		struct transport_path path = binding->path;
		path.flow = true;
		if (transport_send(keepalives->worker->transport, &path, SLICE("\r\n\r\n"), 0) == 0)
			binding->heard_ms = now_ms;
		else
			return; /* the connection is gone: the phone opens the next */
		arm(keepalives, binding);
		return;
	}
	natprobes_try(keepalives->probes, binding);
	if (send_options(keepalives, binding) != 0) {
		binding->heard_ms = now_ms;
		arm(keepalives, binding);
	}
}
