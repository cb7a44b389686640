/* config.h - the configuration as both halves read it: plain, immutable, every default filled in.
 * Made by config_load() out of one YAML file, owned by whoever loaded it, read by all threads.
 * Copy what you need at construction (docs/configuration.md says what each value means).
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/base/log.h"

enum config_transport {
	CONFIG_UDP,
	CONFIG_TCP,
	CONFIG_UNIX,
	CONFIG_TLS,
	CONFIG_WS,
	CONFIG_WSS,
	CONFIG_STUN, /* a UDP port that answers STUN only (RFC 8489) */
	CONFIG_HTTP, /* NG alone: HTTP and WebSocket */
};
enum config_send { CONFIG_SEND_AUTO, CONFIG_SEND_UDP, CONFIG_SEND_TCP, CONFIG_SEND_TLS };
enum config_replies { CONFIG_REPLIES_SAME, CONFIG_REPLIES_TCP };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_verify { CONFIG_VERIFY_NEVER, CONFIG_VERIFY_REQUEST, CONFIG_VERIFY_REQUIRE };
enum config_source {
	CONFIG_SOURCE_SDP_ONLY,   /* media only from the address that SDP names */
	CONFIG_SOURCE_LEARN_ONCE, /* or confirmed once from the signalling source, then locked */
	CONFIG_SOURCE_ICE,        /* only what ICE has confirmed */
	CONFIG_SOURCE_SECURE,     /* only what SRTP has authenticated */
};
enum config_srtp { CONFIG_SRTP_NEVER, CONFIG_SRTP_ALLOW, CONFIG_SRTP_PREFER, CONFIG_SRTP_REQUIRE };
enum config_keying { CONFIG_KEYING_DTLS, CONFIG_KEYING_SDES };
enum config_ice { CONFIG_ICE_NEVER, CONFIG_ICE_LITE, CONFIG_ICE_FULL };
/* Of RTP and RTCP on one port (RFC 5761, 8858), of all media on one port (RFC 9143). */
enum config_mux { CONFIG_MUX_ACCEPT, CONFIG_MUX_OFFER, CONFIG_MUX_REQUIRE, CONFIG_MUX_NEVER };
enum config_keepalive_mode {
	CONFIG_KEEPALIVE_OFF,
	CONFIG_KEEPALIVE_ADAPTIVE,
	CONFIG_KEEPALIVE_FIXED
};
enum config_unknown_caller { CONFIG_UNKNOWN_DROP, CONFIG_UNKNOWN_REJECT, CONFIG_UNKNOWN_CHALLENGE };
enum config_leak_guard { CONFIG_LEAK_OFF, CONFIG_LEAK_COUNT, CONFIG_LEAK_BLOCK };
enum config_redirects { CONFIG_REDIRECTS_FOLLOW, CONFIG_REDIRECTS_PASS };
enum config_transfer { CONFIG_TRANSFER_PASS, CONFIG_TRANSFER_LOCAL, CONFIG_TRANSFER_REFUSE };
enum config_reliable { CONFIG_RELIABLE_AUTO, CONFIG_RELIABLE_REQUIRE, CONFIG_RELIABLE_NEVER };
enum config_privacy { CONFIG_PRIVACY_APPLY, CONFIG_PRIVACY_PASS };
enum config_strategy {
	CONFIG_STRATEGY_FAILOVER,
	CONFIG_STRATEGY_ROUND_ROBIN,
	CONFIG_STRATEGY_LEAST_CALLS,
	CONFIG_STRATEGY_WEIGHTED,
};
enum config_keep { CONFIG_KEEP_NEVER, CONFIG_KEEP_AT_ONCE, CONFIG_KEEP_PERIODICALLY };
enum config_algorithm { CONFIG_ALGORITHM_SHA_256, CONFIG_ALGORITHM_MD5 };
enum config_subscriber_store { CONFIG_SUBSCRIBERS_FILE, CONFIG_SUBSCRIBERS_REDIS };
enum config_priority { CONFIG_PRIORITY_NORMAL, CONFIG_PRIORITY_EMERGENCY };
enum config_driver {
	CONFIG_DRIVER_AUTO,
	CONFIG_DRIVER_AF_XDP,
	CONFIG_DRIVER_AF_PACKET,
	CONFIG_DRIVER_PCI,
};
enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_NEVER, CONFIG_HUGEPAGES_REQUIRE };
enum config_store { CONFIG_STORE_MEMORY, CONFIG_STORE_REDIS, CONFIG_STORE_FILE };
enum config_protect { CONFIG_PROTECT_ANSWERED, CONFIG_PROTECT_RINGING };

struct config_rate { /* at most `count` in `period_ms`; count 0 = no limit */
	uint32_t count;
	uint32_t period_ms;
};

/* One bound socket of an interface: each entry of `listen` once for each address. */
struct config_listener {
	const char *name; /* "udp/5060", of a second address "udp/5060/2": the same on every node */
	enum config_transport transport; /* not UNIX */
	struct addr addr;                /* with port */
	struct addr group;               /* multicast, with port; family 0 = none. Transport UDP */
};

struct config_pem { /* a file read when the configuration was: reading it needs no rights later */
	const char *path; /* NULL = none */
	const char *text;
};

struct config_certificate {
	struct config_pem chain; /* the server's own certificate first */
	struct config_pem key;   /* never printed; wiped by config_free() */
};

struct config_tls {
	const struct config_certificate *certificates; /* SNI picks by name; the first by default */
	size_t certificate_count;                      /* 0 = no TLS listener here */
	struct config_pem ca;                          /* path NULL = the system's */
	enum config_tls_version minimum;
	bool verify_peer;                 /* servers that we connect to */
	enum config_verify verify_client; /* those that connect to us */
};

struct config_ports { /* both ends included: first even, last odd */
	uint16_t first;
	uint16_t last;
};

/* Of an interface; of a peer with the interface's values wherever it says nothing. */
struct config_media {
	const struct config_ports *ports; /* at least one range */
	size_t port_count;                /* of ranges */
	const struct addr *addresses;     /* the interface's unless the file says more; port 0 */
	size_t address_count;
	uint32_t idle_timeout_ms; /* a call without media for so long is ended; 0 = never */
	enum config_source source;
	enum config_srtp srtp;
	const enum config_keying *keying; /* in order of preference */
	size_t keying_count;
	enum config_ice ice;
	enum config_mux rtcp_mux;
	enum config_mux bundle;
	const char *const *codecs; /* allowed, in this order; none = all, as they come */
	size_t codec_count;
	uint8_t dscp; /* 0 to 63 */
};

struct config_keepalive {
	enum config_keepalive_mode mode;
	uint32_t interval_ms; /* FIXED */
};

struct config_nat {
	struct config_keepalive keepalive; /* towards phones behind NAT */
	uint32_t minimum_ms;               /* ADAPTIVE: between these */
	uint32_t maximum_ms;
};

struct config_limits {
	uint32_t calls;                   /* at once; 0 = no limit */
	struct config_rate setup_rate;    /* INVITEs that begin a call, of the whole interface */
	struct config_rate register_rate; /* REGISTERs of the whole interface */
	struct config_rate message_rate;  /* messages of any kind, all strangers together */
	uint32_t connections;             /* TCP, TLS and WebSocket at once; 0 = no limit */
	struct {                          /* of one source address that is no peer's */
		struct config_rate setup_rate;
		struct config_rate register_rate;
		struct config_rate message_rate;
		uint32_t connections; /* at once; 0 = no limit */
	} per_source;
};

struct config_ban {                      /* of a source address that is no peer's */
	struct config_rate bad_messages; /* malformed; count 0 = no ban */
	struct config_rate auth_failures;
	uint32_t for_ms;
};

struct config_security {
	const char *const *methods; /* others get 405 */
	size_t method_count;
	struct config_ban ban;
	enum config_unknown_caller unknown_caller;
	enum config_leak_guard leak_guard;
	const char *const *scanners; /* in a User-Agent, any case: dropped and banned */
	size_t scanner_count;
};

struct config_header {
	const char *name;
	const char *value;
};

/* Names match without case; `*` at the end of a pattern stands for any rest. */
struct config_header_rules {
	const char *const *remove; /* patterns */
	size_t remove_count;
	const char *const *keep; /* patterns: these stay, whatever `remove` and the defaults say */
	size_t keep_count;
	const struct config_header *set; /* then these, in place of any of the name */
	size_t set_count;
};

struct config_headers {
	struct config_header_rules in;  /* what comes from this side */
	struct config_header_rules out; /* what leaves by it */
};

/* How calls are held with whoever is on this side: an interface's, a peer's where it says more. */
struct config_dialog {
	uint32_t session_timer_ms;       /* Session-Expires that we ask for (RFC 4028); 0 = none */
	uint32_t session_minimum_ms;     /* Min-SE */
	enum config_reliable reliable;   /* provisional answers (RFC 3262) */
	enum config_transfer transfer;   /* REFER */
	enum config_redirects redirects; /* 3xx */
	enum config_privacy privacy;     /* RFC 3323 */
};

struct config_interface {
	const char *name;
	bool retired; /* gone from the file: only what began before uses it, by its index; no
			 listeners */
	bool trusted;
	const struct addr *addresses; /* port 0; of a device: those it had when the file was read */
	size_t address_count;
	bool is_floating;           /* another node may have the addresses just now */
	const char *device;         /* NULL unless the file names one */
	const char *advertise_host; /* in Via and Contact; NULL = the address */
	struct addr advertise_addr; /* in SDP (and Via, Contact without host); family 0 = our own */
	const struct config_listener *listeners;
	size_t listener_count;
	enum config_send send;
	enum config_replies send_replies;
	struct config_tls tls;
	const char *const *origins; /* of WebSockets; none = any */
	size_t origin_count;
	struct config_media media;
	struct config_nat nat;
	struct config_limits limits;
	struct config_security security;
	struct config_headers headers;
	struct config_dialog dialog;
};

/* A domain that we answer for ourselves (RFC 3261 10.3). */
struct config_domain {
	const char *name;
	enum config_keep keep;                   /* locations, on disk or in Redis */
	const enum config_algorithm *algorithms; /* of digest, in order of preference (RFC 8760) */
	size_t algorithm_count;
	uint32_t expires_minimum_ms; /* below: 423 */
	uint32_t expires_maximum_ms;
	uint32_t contacts; /* of one address-of-record, at most */
};

struct config_subscribers {
	enum config_subscriber_store store;
	const char *path; /* FILE */
};

struct config_server {
	const char *host;           /* as written: an address or a name */
	struct addr addr;           /* with port; family 0: a name, to be looked up (RFC 3263) */
	uint16_t port;              /* as written; 0 = none: SRV, else the transport's default */
	enum config_send transport; /* AUTO = as the interface sends */
	uint32_t weight;            /* 1 to 1000; of WEIGHTED */
};

struct config_register {    /* as a client (RFC 3261 10.2) */
	const char *user;   /* NULL = we do not register with this peer */
	const char *domain; /* NULL = the first server's host */
	uint32_t expires_ms;
};

struct config_credentials {   /* of digest as a client (RFC 3261 22) */
	const char *user;     /* NULL = none */
	const char *password; /* never printed; wiped by config_free() */
	const char *realm;    /* NULL = any */
};

struct config_number {    /* pattern of a user part */
	const char *text; /* without the star */
	bool is_prefix;   /* the pattern ended in '*' */
};

struct config_number_rule { /* what matches `from` becomes `to`; a prefix keeps its rest */
	struct config_number from;
	struct config_number to; /* is_prefix as from's */
};

struct config_number_rules { /* the first that matches */
	const struct config_number_rule *list;
	size_t count;
};

struct config_numbers {
	struct config_number_rules in;        /* the called number of what comes from the peer */
	struct config_number_rules out;       /* of what goes to it */
	struct config_number_rules caller_in; /* the caller's, the same way */
	struct config_number_rules caller_out;
};

struct config_failover {     /* one reason to try the next server */
	uint16_t first_code; /* 0: no answer for so long */
	uint16_t last_code;
	uint32_t no_answer_ms;
};

struct config_peer_limits { /* count 0 = no limit */
	uint32_t calls;
	struct config_rate setup_rate; /* to and from it */
	struct config_rate register_rate;
	struct config_rate message_rate;
};

struct config_peer {
	const char *name;
	bool retired; /* gone from the file: only calls that began before use it, by its index */
	uint32_t interface;                  /* index */
	const struct config_server *servers; /* in order of preference */
	size_t server_count;
	const struct cidr *accept_from; /* the servers' addresses first, then what the file adds */
	size_t accept_from_count;
	enum config_strategy strategy;
	uint32_t ping_ms;      /* OPTIONS to each server so often; 0 = never */
	bool identity_trusted; /* P-Asserted-Identity (RFC 3325) is believed from it and given to it
				*/
	struct config_register registration;
	struct config_credentials credentials; /* the registration's unless written */
	struct config_peer_limits limits;
	struct config_numbers numbers;
	struct config_media media;
	struct config_headers headers;
	struct config_dialog dialog;
	const struct config_failover *failover; /* any of them */
	size_t failover_count;
};

/* Registrations relayed from an interface to a registrar behind us. */
struct config_phones {
	uint32_t from;              /* interface index */
	uint32_t registrar;         /* peer index */
	const char *const *domains; /* REGISTERs for other domains are refused; none = any domain */
	size_t domain_count;
	uint32_t contacts;             /* bindings of one address-of-record, at most */
	uint32_t expires_device_ms;    /* told to the phone */
	uint32_t expires_registrar_ms; /* asked of the registrar */
	bool implicit;                 /* not in the file: the default */
};

enum config_end_type {
	CONFIG_END_PEER,
	CONFIG_END_PHONES,
	CONFIG_END_ENUM,   /* RFC 6116, then by the domain of what it says */
	CONFIG_END_DNS,    /* to the Request-URI's own domain (RFC 3263) */
	CONFIG_END_REJECT, /* answered so */
};
struct config_end {
	enum config_end_type type;
	uint32_t peer;      /* index, for CONFIG_END_PEER */
	uint32_t interface; /* index, for ENUM and DNS: the side it leaves by */
	const char *suffix; /* ENUM: "e164.arpa" */
	uint16_t code;      /* REJECT: 400 to 699 */
};

struct config_time {          /* of the machine's local time */
	uint8_t days;         /* bit 0 = Sunday, as tm_wday */
	uint16_t from_minute; /* of the day, 0 to 1439 */
	uint16_t to_minute;   /* exclusive, 1 to 1440; below `from`: over midnight */
};

struct config_route {
	const char *name;
	const struct config_end *from; /* any of them: peers, phones */
	size_t from_count;
	const struct config_number *numbers; /* any of them; none = any user part */
	size_t number_count;
	const char *const *domains; /* of the Request-URI; none = any */
	size_t domain_count;
	bool registered; /* only when the called address-of-record is registered through us */
	const struct config_time *times; /* any of them; none = always */
	size_t time_count;
	enum config_priority priority;
	const struct config_end *to; /* one after the other, at least one */
	size_t to_count;
	bool implicit;
};

/* Where NG is spoken: udp/ADDRESS:PORT, tcp/ADDRESS:PORT or unix:PATH. */
struct config_endpoint {
	enum config_transport transport;
	struct addr addr;
	const char *path; /* CONFIG_UNIX */
	const char *text; /* as in the file */
};

struct config_dns {
	const struct addr *servers; /* with port; none = those of /etc/resolv.conf */
	size_t server_count;
	uint32_t timeout_ms;   /* of one question, all tries together */
	uint32_t cache_max_ms; /* a longer TTL is cut */
};

struct config_relay {
	const struct config_endpoint *control; /* the relays that the sbc may ask */
	size_t control_count;
	const struct config_endpoint *listen; /* where our relay answers; none = we run none */
	size_t listen_count;
	uint32_t timeout_ms; /* of one try */
	struct {             /* of our relay; 0 = no limit. Beyond: new sessions are refused */
		uint32_t sessions;
		uint32_t bandwidth_kbps; /* in and out together */
		uint32_t load_percent;   /* of the busiest core */
	} limits;
	const char *recordings;            /* folder; NULL = no recording */
	const char *sounds;                /* folder that `play media` may read; NULL = none */
	struct config_endpoint forwarding; /* TCP or UNIX; text NULL = nowhere */
};

struct config_state {
	enum config_store store;
	const struct config_endpoint *servers; /* redis: TCP or UNIX */
	size_t server_count;
	struct config_endpoint server; /* the first of them */
	const char *password;          /* NULL = none; never printed */
	const char *user;              /* NULL = Redis's default user */
	uint32_t database;
	uint32_t wait_ms; /* how long an answer waits for the store's acknowledgement */
	struct {
		const struct config_endpoint *servers; /* none = no Sentinel */
		size_t server_count;
		const char *master;
		const char *password; /* of the Sentinels; NULL = none; never printed */
	} sentinel;
	enum config_protect protect; /* from when on a call is in the store */
	const char *key;             /* encrypts key material in records; NULL = none is stored */
	const char *path;            /* CONFIG_STORE_FILE */
};

struct config_stats {
	const char *socket;       /* of postern-sbc */
	const char *relay_socket; /* of postern-rtpengine */
	struct addr prometheus;   /* with port; family 0 = no exporter */
	struct {
		struct addr to; /* with port, UDP; family 0 = no export */
		uint32_t id;    /* of this capture agent */
	} hep;
};

struct config_dataplane {
	const unsigned *cores;
	size_t core_count;
	enum config_driver driver;
	const char *pci_address; /* CONFIG_DRIVER_PCI */
	enum config_hugepages hugepages;
	uint32_t batch_us; /* 0 = spin */
};

struct config_holders; /* how many there are */

struct config {
	const char *path;               /* of the file, for messages */
	struct config_holders *holders; /* NULL: made by hand, holding does nothing */
	const struct config_interface *interfaces;
	size_t interface_count;
	const struct config_domain *domains;
	size_t domain_count;
	struct config_subscribers subscribers;
	const struct config_peer *peers;
	size_t peer_count;
	const struct config_phones *phones;
	size_t phones_count;
	const struct config_route *routes; /* first match wins */
	size_t route_count;
	struct config_dns dns;
	struct config_relay relay;
	struct config_state state;
	const char *cdr_path; /* one JSON line a call is appended there; NULL = the log alone */
	struct config_stats stats;
	struct config_dataplane dataplane;
	const char *node;     /* name of this node; the host's by default */
	uint32_t node_number; /* 1 to 255, of its own among the nodes of one store; 0 = found */
	unsigned workers;     /* of the sbc, 1 to 64 */
	enum log_level log_level;
	const char *user; /* whom the daemons become after binding; "root" = stay */
};

/* Read, check, fill in. Findings (errors and warnings, each "file:line:column: ...", the line, a
 * caret, the cure) are appended to `findings`, all of them, also when 0 is returned (then they are
 * warnings). -ERR_MALFORMED: something is wrong in the file; -ERR_NOT_FOUND: no such file. */
MUST_CHECK int config_load(const char *path, struct config **out, struct buf *findings);
/* Whoever keeps pointers into it holds it: a worker, a call that began with it. Freed by the last
 * one, from any thread. */
const struct config *config_hold(const struct config *config);
void config_release(const struct config *config); /* NULL is fine */
void config_free(struct config *config); /* the loader's hold; NULL is fine; wipes secrets */

/* Which store the file names, as both halves say it to each other: equal only where they share one.
 * Nothing secret. */
enum { CONFIG_STORE_MARK_SIZE = 17 };
void config_store_mark(const struct config *config, char out[CONFIG_STORE_MARK_SIZE]);

/* -1 when there is none. */
int config_find_interface(const struct config *config, struct slice name);
int config_find_peer(const struct config *config, struct slice name);
bool config_number_matches(const struct config_number *number, struct slice user);
