/* json.h - small helpers to make the answers of show.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "control/base/addr.h"
#include "control/ng/value.h"
#include "control/stats/server.h"

/* Bytes that are no UTF-8 are shown as '?'. */
json_t *json_text(struct slice text);
json_t *json_addr(const struct addr *addr); /* "a:p", null when not set */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_text(json_t *object, const char *key, const char *text);
void json_put_number(json_t *object, const char *key, uint64_t value);
void json_put_bool(json_t *object, const char *key, bool value);
/* An NG value as it is; names get underscores for spaces and hyphens. */
json_t *json_from_ng(const struct ng_value *value);
json_t *json_ng_name(struct slice name);

/* Numbers are added, objects and arrays walked, all else is kept from `into`. */
void json_add_up(json_t *into, const json_t *more);
