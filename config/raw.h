/* raw.h - what the file says, before it is filled in: each section's public struct with what only
 * config/ needs beside it. Private to config/. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/config.h"
#include "config/findings.h"
#include "config/host.h"
#include "config/schema.h"
#include "config/yaml.h"

struct raw_address { /* of `address`: an IP address or a device */
	struct addr addr;
	const char *device;
};

struct raw_listen {
	enum config_transport transport;
	uint16_t port;
	struct addr group; /* multicast, with port; family 0 = none */
};

struct raw_advertise {
	const char *host;
	struct addr addr;
};

struct raw_driver {
	enum config_driver driver;
	const char *pci_address;
};

struct raw_headers { /* of `set` */
	const struct config_header *list;
	size_t count;
};

enum raw_role { RAW_UNTRUSTED, RAW_TRUSTED };
enum raw_identity { RAW_IDENTITY_UNTRUSTED, RAW_IDENTITY_TRUSTED };

struct raw_interface {
	struct config_interface public;
	const struct yaml_node *node;
	int role;
	struct raw_address *addresses;
	size_t address_count;
	struct raw_listen *listen;
	size_t listen_count;
	uint32_t *listener_of; /* of each public listener: its entry of listen */
	struct raw_advertise advertise;
	struct config_pem *certificates;
	size_t certificate_count;
	struct config_pem *keys;
	size_t key_count;
	struct raw_headers set_in;
	struct raw_headers set_out;
	const struct config
		*origin; /* of a retired one: held, because what it points to is there */
};

struct raw_domain {
	struct config_domain public;
	const struct yaml_node *node;
	int registrar;
};

struct raw_peer {
	struct config_peer public;
	const struct yaml_node *node;
	struct config_server address;
	struct config_server *servers;
	size_t server_count;
	struct cidr *accept_from;
	size_t accept_from_count;
	int identity;
	const char *register_password;
	const char *register_auth_user;
	struct raw_headers set_in;
	struct raw_headers set_out;
	bool interface_known;
};

struct raw_phones {
	struct config_phones public;
	const struct yaml_node *node; /* NULL = implicit */
	const char **domains;
	size_t domain_count;
};

struct raw_route {
	struct config_route public;
	const struct yaml_node *node; /* NULL = implicit */
	const char *name;
	struct config_end *from;
	size_t from_count;
	struct config_number *numbers;
	size_t number_count;
	struct config_end *to;
	size_t to_count;
	bool is_whole; /* nothing in it is wrong: fit for comparisons */
};

struct raw_file {
	struct config public;
	const struct yaml_node *node;
	uint32_t version;
	struct config_endpoint *control;
	size_t control_count;
	struct config_endpoint *relay_listen;
	size_t relay_listen_count;
	int store;
	struct config_endpoint *state_servers;
	size_t state_server_count;
	struct raw_driver driver;
	unsigned *cores;
	size_t core_count;
	int hugepages;
	int log_level;
	uint32_t workers;
};

enum origin_type { ORIGIN_NONE, ORIGIN_FILE, ORIGIN_ROLE, ORIGIN_DEFAULT, ORIGIN_HOST };
struct origin {
	struct origin *next;
	const void *value; /* address of the value it tells about */
	enum origin_type type;
	struct place place; /* ORIGIN_FILE */
};

struct secret { /* a text in the arena that must not stay in memory */
	struct secret *next;
	char *text;
	size_t length;
};

struct follow { /* whose indexes a file keeps, and the same file read without that */
	const struct loaded *before;
	const struct loaded *draft;
};

/* A loaded file: what config_load() returns the public part of. */
struct loaded {
	struct raw_file file; /* first: its first member is the struct config */
	struct arena *arena;  /* of everything */
	char *source;         /* owned */
	struct findings findings;
	const struct config_host *host;
	struct raw_interface *interfaces;
	size_t interface_count;
	struct raw_domain *domains;
	size_t domain_count;
	struct raw_peer *peers;
	size_t peer_count;
	struct raw_phones *phones;
	size_t phones_count;
	struct raw_route *routes;
	size_t route_count;
	struct origin *origins[1024]; /* by address */
	struct secret *secrets;       /* wiped at the end */
	const struct follow *follow;  /* only while it is read */
	/* The names of interfaces and peers, known before anything refers to them. */
	const struct yaml_node *interface_nodes;
	const struct yaml_node *peer_nodes;
};

/* follow.c: the elements in the order of before, with what has gone in its place. */
void follow_order(struct loaded *loaded, struct yaml_node *root);
/* The whole of an interface that has gone, but its listeners. */
void follow_retire_interface(struct loaded *loaded, struct raw_interface *interface);
/* What a peer that has gone leaves to the calls that still use it. */
void follow_retire(struct loaded *loaded, struct raw_peer *peer);
/* load.c: the file's values into the raw structs. */
void load_sections(struct loaded *loaded, const struct yaml_node *root);
/* config.c: this text is wiped by loaded_destroy(). false: no memory, and it has been wiped. */
bool secret_keep(struct loaded *loaded, char *text, size_t length);
/* origin.c */
void origin_set(struct loaded *loaded, const void *value, enum origin_type type,
		struct place place);
const struct origin *origin_of(const struct loaded *loaded, const void *value);
/* Place of a value of an element, or of the element, for findings. */
struct place value_place(const struct loaded *loaded, const void *value,
			 const struct yaml_node *element);
/* finish.c: what follows from other values; fills the public structs. */
void finish_sections(struct loaded *loaded);
void *finish_take(struct loaded *loaded, size_t count, size_t size); /* zeroed; NULL: no memory */
void finish_headers(struct config_headers *headers, const struct raw_headers *in,
		    const struct raw_headers *out);
void finish_interfaces(struct loaded *loaded);
void finish_peers(struct loaded *loaded);
/* Comparisons of routes with routes, and of networks with networks, before the lint gives up: a
 * file of tens of thousands of patterns is machine-made. */
#define LINT_BUDGET 4000000u
/* check.c: what each value alone cannot show. */
void check_sections(struct loaded *loaded);
void check_sockets(struct loaded *loaded);
void check_reach(struct loaded *loaded);
/* check_values.c: values that contradict each other */
void check_values(struct loaded *loaded);
/* check_routes.c */
void check_routes(struct loaded *loaded);
void check_unused(struct loaded *loaded);

/* Like config_load(), for tests: the text, and a host of their own. `source` is taken over
 * (malloc'd). */
MUST_CHECK int loaded_create(const char *path, char *source, size_t length,
			     const struct config_host *host, struct loaded **out,
			     struct buf *findings);
/* The same for what runs already: interfaces and peers keep their indexes. */
MUST_CHECK int loaded_follow(const struct follow *follow, char *source, size_t length,
			     struct loaded **out, struct buf *findings);
/* config_reload() with the text. */
MUST_CHECK int loaded_reload(const struct loaded *before, char *source, size_t length,
			     struct loaded **out, struct buf *said);
/* The file read whole, bounded; malloc'd and NUL-terminated. */
MUST_CHECK int loaded_read(const char *path, char **source, size_t *length, struct buf *findings);
void loaded_destroy(struct loaded *loaded);
/* effective.c */
/* A key's value as one would write it; of the struct at `base`. */
void value_text(const struct loaded *loaded, const struct schema_key *key, const char *base,
		struct buf *out);
void effective_show(const struct loaded *loaded, struct buf *out);
