/* types.h - how a scalar of the file becomes a value, and back: durations, rates, ports, addresses,
 * references by name. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/raw.h"

struct schema_type {
	const char *name;    /* "duration" */
	const char *write;   /* how to write one: "500ms, 30s or 10m" */
	const char *pattern; /* JSON Schema, NULL = any text */
	size_t size;
	bool takes_tag; /* !env, !file */
	bool takes_map; /* says itself what it thinks of a map */
	/* Reports what is wrong with it and returns false. `node` holds a scalar. */
	bool (*read)(struct loaded *loaded, const struct schema_key *key,
		     const struct yaml_node *node, void *out);
	void (*print)(const struct loaded *loaded, const struct schema_key *key, const void *value,
		      struct buf *out);
};

/* types.c */
extern const struct schema_type type_bool;     /* bool */
extern const struct schema_type type_choice;   /* int */
extern const struct schema_type type_number;   /* uint32_t */
extern const struct schema_type type_limit;    /* uint32_t, "off" = 0 */
extern const struct schema_type type_duration; /* uint32_t, ms */
extern const struct schema_type type_batch;    /* uint32_t, us */
extern const struct schema_type type_rate;     /* struct config_rate */
extern const struct schema_type type_ports;    /* struct raw_ports */
extern const struct schema_type type_dscp;     /* uint8_t */
/* types_text.c */
extern const struct schema_type type_word;   /* const char * */
extern const struct schema_type type_domain; /* const char * */
extern const struct schema_type type_path;   /* const char *, of a Unix socket */
extern const struct schema_type type_user;   /* const char * */
extern const struct schema_type type_secret; /* const char * */
extern const struct schema_type type_called; /* struct config_number */
extern const struct schema_type type_driver; /* struct raw_driver */
/* types_net.c */
extern const struct schema_type type_address;   /* struct raw_address */
extern const struct schema_type type_advertise; /* struct raw_advertise */
extern const struct schema_type type_listen;    /* struct raw_listen */
extern const struct schema_type type_server;    /* struct config_server */
extern const struct schema_type type_network;   /* struct cidr */
extern const struct schema_type type_control;   /* struct config_endpoint, of NG */
extern const struct schema_type type_store;     /* struct config_endpoint, of Redis */
/* types_name.c: references */
extern const struct schema_type type_interface; /* uint32_t, index */
extern const struct schema_type type_peer;      /* uint32_t, index */
extern const struct schema_type type_end;       /* struct config_end */

/* "NAME" is no TYPE: write ... */
bool type_wrong(struct loaded *loaded, const struct schema_key *key, const struct yaml_node *node);
char *type_text(struct loaded *loaded, struct slice text);
bool type_is_word(struct slice text); /* letters, digits, '-', '_', '.' */
bool type_is_host(struct slice text); /* RFC 1123 host name with a letter in its last label */
