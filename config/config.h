/* config.h - the configuration as both halves read it: plain, immutable, every default filled in.
 * Made by config_load() out of one YAML file, owned by whoever loaded it, read by all threads.
 * Copy what you need at construction (docs/configuration.md says what each value means).
 * A key of the schema that this version does not act on has no field here: the file is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/log.h"

enum config_transport { CONFIG_UDP, CONFIG_TCP, CONFIG_UNIX };
enum config_send { CONFIG_SEND_AUTO, CONFIG_SEND_UDP, CONFIG_SEND_TCP };
enum config_replies { CONFIG_REPLIES_SAME, CONFIG_REPLIES_TCP };
enum config_source {
	CONFIG_SOURCE_SIGNALLED,  /* media only from the address that SDP names */
	CONFIG_SOURCE_LEARN_ONCE, /* or confirmed once from the signalling source, then locked */
};
enum config_driver {
	CONFIG_DRIVER_AUTO,
	CONFIG_DRIVER_AF_XDP,
	CONFIG_DRIVER_AF_PACKET,
	CONFIG_DRIVER_PCI,
};
enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_NEVER, CONFIG_HUGEPAGES_REQUIRE };
enum config_store { CONFIG_STORE_MEMORY, CONFIG_STORE_REDIS };
enum config_strategy { CONFIG_STRATEGY_FAILOVER };

struct config_rate { /* at most `count` in `period_ms`; count 0 = no limit */
	uint32_t count;
	uint32_t period_ms;
};

/* One bound socket of an interface: each entry of `listen` once for each address. */
struct config_listener {
	const char *name; /* "udp/5060", of a second address "udp/5060/2": the same on every node */
	enum config_transport transport; /* UDP or TCP */
	struct addr addr;                /* with port */
};

struct config_media {
	uint16_t first_port;      /* both ends included; even */
	uint16_t last_port;       /* odd */
	uint32_t idle_timeout_ms; /* a call without media for so long is ended; 0 = never */
	enum config_source source;
	uint8_t dscp; /* 0 to 63 */
};

struct config_limits {
	uint32_t calls;                   /* at once; 0 = no limit */
	struct config_rate setup_rate;    /* INVITEs that begin a call, of the whole interface */
	struct config_rate register_rate; /* REGISTERs of the whole interface */
	struct {                          /* of one source address that is no peer's */
		struct config_rate setup_rate;
		struct config_rate register_rate;
		uint32_t connections; /* TCP, at once; 0 = no limit */
	} per_source;
};

struct config_interface {
	const char *name;
	bool trusted;
	const struct addr *addresses; /* port 0; of a device: those it had when the file was read */
	size_t address_count;
	const char *device;         /* NULL unless the file names one */
	const char *advertise_host; /* in Via and Contact; NULL = the address */
	struct addr advertise_addr; /* in SDP (and Via, Contact without host); family 0 = our own */
	const struct config_listener *listeners;
	size_t listener_count;
	enum config_send send;
	enum config_replies send_replies;
	struct config_media media;
	struct config_limits limits;
};

struct config_server {
	struct addr addr;           /* with port */
	enum config_send transport; /* AUTO = as the interface sends */
};

struct config_peer {
	const char *name;
	uint32_t interface;                  /* index */
	const struct config_server *servers; /* in order of preference */
	size_t server_count;
	const struct cidr *accept_from; /* the servers' addresses first, then what the file adds */
	size_t accept_from_count;
	enum config_strategy strategy;
	uint32_t ping_ms;      /* OPTIONS to each server so often; 0 = never */
	bool identity_trusted; /* P-Asserted-Identity (RFC 3325) is believed from it and given to it
				*/
};

/* Registrations relayed from an interface to a registrar behind us. */
struct config_phones {
	uint32_t from;              /* interface index */
	uint32_t registrar;         /* peer index */
	const char *const *domains; /* REGISTERs for other domains are refused; none = any domain */
	size_t domain_count;
	uint32_t contacts; /* bindings of one address-of-record, at most */
	bool implicit;     /* not in the file: the default */
};

enum config_end_type { CONFIG_END_PEER, CONFIG_END_PHONES };
struct config_end {
	enum config_end_type type;
	uint32_t peer; /* index, for CONFIG_END_PEER */
};

struct config_number {    /* pattern of the called user part */
	const char *text; /* without the star */
	bool is_prefix;   /* the pattern ended in '*' */
};

struct config_route {
	const char *name;
	const struct config_end *from; /* any of them */
	size_t from_count;
	const struct config_number *numbers; /* any of them; none = any user part */
	size_t number_count;
	bool registered; /* only when the called address-of-record is registered through us */
	struct config_end to;
	bool implicit;
};

/* Where NG is spoken: udp/ADDRESS:PORT, tcp/ADDRESS:PORT or unix:PATH. */
struct config_endpoint {
	enum config_transport transport;
	struct addr addr;
	const char *path; /* CONFIG_UNIX */
	const char *text; /* as in the file */
};

struct config_relay {
	const struct config_endpoint *control; /* the relays that the sbc may ask */
	size_t control_count;
	const struct config_endpoint *listen; /* where our relay answers; none = we run none */
	size_t listen_count;
	uint32_t timeout_ms; /* of one try */
};

struct config_state {
	enum config_store store;
	struct config_endpoint server; /* redis: TCP or UNIX */
	const char *password;          /* NULL = none; never printed */
	const char *user;              /* NULL = Redis's default user */
	uint32_t database;
	uint32_t wait_ms; /* how long an answer waits for the store's acknowledgement */
};

struct config_stats {
	const char *socket;       /* of postern-sbc */
	const char *relay_socket; /* of postern-rtpengine */
};

struct config_dataplane {
	const unsigned *cores;
	size_t core_count;
	enum config_driver driver;
	const char *pci_address; /* CONFIG_DRIVER_PCI */
	enum config_hugepages hugepages;
	uint32_t batch_us; /* 0 = spin */
};

struct config {
	const char *path; /* of the file, for messages */
	const struct config_interface *interfaces;
	size_t interface_count;
	const struct config_peer *peers;
	size_t peer_count;
	const struct config_phones *phones;
	size_t phones_count;
	const struct config_route *routes; /* first match wins */
	size_t route_count;
	struct config_relay relay;
	struct config_state state;
	struct config_stats stats;
	struct config_dataplane dataplane;
	const char *node; /* name of this node; the host's by default */
	unsigned workers; /* of the sbc, 1 to 64 */
	enum log_level log_level;
	const char *user; /* whom the daemons become after binding; "root" = stay */
};

/* Read, check, fill in. Findings (errors and warnings, each "file:line:column: ...", the line, a
 * caret, the cure) are appended to `findings`, all of them, also when 0 is returned (then they are
 * warnings). -ERR_MALFORMED: something is wrong in the file; -ERR_NOT_FOUND: no such file. */
MUST_CHECK int config_load(const char *path, struct config **out, struct buf *findings);
void config_free(struct config *config); /* NULL is fine; wipes secrets */

/* -1 when there is none. */
int config_find_interface(const struct config *config, struct slice name);
int config_find_peer(const struct config *config, struct slice name);
bool config_number_matches(const struct config_number *number, struct slice user);
