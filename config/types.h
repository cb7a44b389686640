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
	/* Of values that are not shown, NULL for all others. */
	bool (*is_same)(const void *a, const void *b);
	/* Reports what is wrong with it and returns false. `node` holds a scalar. */
	bool (*read)(struct loaded *loaded, const struct schema_key *key,
		     const struct yaml_node *node, void *out);
	void (*print)(const struct loaded *loaded, const struct schema_key *key, const void *value,
		      struct buf *out);
};

/* types.c */
extern const struct schema_type type_bool;      /* bool */
extern const struct schema_type type_choice;    /* an enum, or int */
extern const struct schema_type type_number;    /* uint32_t */
extern const struct schema_type type_limit;     /* uint32_t, "off" = 0 */
extern const struct schema_type type_duration;  /* uint32_t, ms */
extern const struct schema_type type_batch;     /* uint32_t, us */
extern const struct schema_type type_rate;      /* struct config_rate */
extern const struct schema_type type_keepalive; /* struct config_keepalive */
/* types_media.c */
extern const struct schema_type type_ports;     /* struct config_ports */
extern const struct schema_type type_dscp;      /* uint8_t */
extern const struct schema_type type_codec;     /* const char * */
extern const struct schema_type type_bandwidth; /* uint32_t, kbit/s */
extern const struct schema_type type_percent;   /* uint32_t */
extern const struct schema_type type_driver;    /* struct raw_driver */
/* types_text.c */
extern const struct schema_type type_word;   /* const char * */
extern const struct schema_type type_origin; /* const char * */
extern const struct schema_type type_domain; /* const char * */
extern const struct schema_type type_path;   /* const char *, of a Unix socket */
extern const struct schema_type type_place;  /* const char *, of a file or folder */
extern const struct schema_type type_user;   /* const char * */
extern const struct schema_type type_line;   /* const char *, printable */
/* types_file.c */
extern const struct schema_type type_secret; /* const char * */
extern const struct schema_type type_pem;    /* struct config_pem */
/* types_sip.c */
extern const struct schema_type type_called;   /* struct config_number */
extern const struct schema_type type_rule;     /* struct config_number_rule */
extern const struct schema_type type_method;   /* const char * */
extern const struct schema_type type_header;   /* const char *, a name or a pattern of names */
extern const struct schema_type type_headers;  /* struct raw_headers */
extern const struct schema_type type_failover; /* struct config_failover */
extern const struct schema_type type_time;     /* struct config_time */
/* types_net.c */
extern const struct schema_type type_address;   /* struct raw_address */
extern const struct schema_type type_ip;        /* struct addr, port 0 */
extern const struct schema_type type_advertise; /* struct raw_advertise */
extern const struct schema_type type_network;   /* struct cidr */
/* types_server.c */
extern const struct schema_type type_listen;   /* struct raw_listen */
extern const struct schema_type type_server;   /* struct config_server */
extern const struct schema_type type_control;  /* struct config_endpoint, of NG */
extern const struct schema_type type_stream;   /* struct config_endpoint, TCP or UNIX */
extern const struct schema_type type_store;    /* struct config_endpoint, of Redis */
extern const struct schema_type type_sentinel; /* struct config_endpoint, of Redis Sentinel */
extern const struct schema_type type_resolver; /* struct addr, with port */
extern const struct schema_type type_exporter; /* struct addr, with port */
extern const struct schema_type type_homer;    /* struct addr, with port */
/* types_name.c: references */
extern const struct schema_type type_interface;   /* uint32_t, index */
extern const struct schema_type type_peer;        /* uint32_t, index */
extern const struct schema_type type_caller;      /* struct config_end, of `from` */
extern const struct schema_type type_destination; /* struct config_end, of `to` */

/* "NAME" is no TYPE: write ... */
bool type_wrong(struct loaded *loaded, const struct schema_key *key, const struct yaml_node *node);
char *type_text(struct loaded *loaded, struct slice text);
bool type_is_word(struct slice text);  /* letters, digits, '-', '_', '.' */
bool type_is_host(struct slice text);  /* RFC 1123 host name with a letter in its last label */
bool type_is_token(struct slice text); /* RFC 3261 25.1 */
bool type_is_alnum(char c);
/* Digits and a unit, in us; false when it is not written so. */
bool type_duration_parse(struct slice text, uint64_t *us);
void type_duration_add(struct buf *out, uint64_t us);
void type_text_print(const struct loaded *loaded, const struct schema_key *key, const void *value,
		     struct buf *out);
void type_addr_add(struct buf *out, const struct addr *addr);
/* A text as YAML would take it back: in quotes where it must be. */
void type_quoted_add(struct buf *out, const char *text);
