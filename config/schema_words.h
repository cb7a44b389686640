/* schema_words.h - what the tables of interfaces and peers have in common: a peer may say again
 * what its interface says. SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "config/schema.h"

/* schema_words.c */
extern const struct schema_choice schema_sources[];
extern const struct schema_choice schema_srtp[];
extern const struct schema_choice schema_keyings[];
extern const struct schema_choice schema_ice[];
extern const struct schema_choice schema_muxes[];
extern const struct schema_choice schema_reliable[];
extern const struct schema_choice schema_transfers[];
extern const struct schema_choice schema_redirects[];
extern const struct schema_choice schema_privacy[];

#define SCHEMA_HEADER_KEYS(raw, peer)                                                              \
	{.path = "headers.in.remove",                                                              \
	 .type = &type_header,                                                                     \
	 SCHEMA_VALUES(raw, public.headers.in.remove, public.headers.in.remove_count),             \
	 .is_live = true,                                                                          \
	 .inherits = (peer),                                                                       \
	 .max_values = 64,                                                                         \
	 .otherwise = "none",                                                                      \
	 .example = "[X-*, User-Agent]",                                                           \
	 .doc = "Headers taken out of what comes from here; `X-*` is all that begin so."},         \
		{.path = "headers.in.keep",                                                        \
		 .type = &type_header,                                                             \
		 SCHEMA_VALUES(raw, public.headers.in.keep, public.headers.in.keep_count),         \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .max_values = 64,                                                                 \
		 .otherwise = "none",                                                              \
		 .example = "X-Customer",                                                          \
		 .doc = "Headers that pass from here, whatever `remove` and the defaults say."},   \
		{.path = "headers.in.set",                                                         \
		 .type = &type_headers,                                                            \
		 SCHEMA_FIELD(raw, set_in),                                                        \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .otherwise = "none",                                                              \
		 .example = "{X-Side: wan}",                                                       \
		 .doc = "Headers put into what comes from here, in place of any of the name."},    \
		{.path = "headers.out.remove",                                                     \
		 .type = &type_header,                                                             \
		 SCHEMA_VALUES(raw, public.headers.out.remove, public.headers.out.remove_count),   \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .max_values = 64,                                                                 \
		 .otherwise = "none",                                                              \
		 .example = "[X-*, Server, User-Agent]",                                           \
		 .doc = "Headers taken out of what leaves by here; `X-*` is all that begin so."},  \
		{.path = "headers.out.keep",                                                       \
		 .type = &type_header,                                                             \
		 SCHEMA_VALUES(raw, public.headers.out.keep, public.headers.out.keep_count),       \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .max_values = 64,                                                                 \
		 .otherwise = "none",                                                              \
		 .example = "P-Charging-Vector",                                                   \
		 .doc = "Headers that leave by here, whatever `remove` and the defaults say."},    \
	{                                                                                          \
		.path = "headers.out.set", .type = &type_headers, SCHEMA_FIELD(raw, set_out),      \
		.is_live = true, .inherits = (peer), .otherwise = "none",                          \
		.example = "{User-Agent: Example}",                                                \
		.doc = "Headers put into what leaves by here, in place of any of the name."        \
	}

#define SCHEMA_DEFAULT(peer, text) (peer) ? NULL : (text)
#define SCHEMA_DIALOG_KEYS(raw, peer)                                                              \
	{.path = "session-timer",                                                                  \
	 .type = &type_duration,                                                                   \
	 SCHEMA_FIELD(raw, public.dialog.session_timer_ms),                                        \
	 .is_live = true,                                                                          \
	 .inherits = (peer),                                                                       \
	 .max = 86400000,                                                                          \
	 .untrusted = SCHEMA_DEFAULT(peer, "1800s"),                                               \
	 .otherwise = "as its interface",                                                          \
	 .example = "900s",                                                                        \
	 .doc = "Session-Expires that is asked for (RFC 4028); `off`: only when the other side "   \
		"asks."},                                                                          \
		{.path = "session-timer-minimum",                                                  \
		 .type = &type_duration,                                                           \
		 SCHEMA_FIELD(raw, public.dialog.session_minimum_ms),                              \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .min = 90000,                                                                     \
		 .max = 86400000,                                                                  \
		 .untrusted = SCHEMA_DEFAULT(peer, "90s"),                                         \
		 .otherwise = "as its interface",                                                  \
		 .example = "120s",                                                                \
		 .doc = "Min-SE: shorter session timers are refused with 422."},                   \
		{.path = "reliable",                                                               \
		 .type = &type_choice,                                                             \
		 SCHEMA_FIELD(raw, public.dialog.reliable),                                        \
		 .choices = schema_reliable,                                                       \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .untrusted = SCHEMA_DEFAULT(peer, "auto"),                                        \
		 .otherwise = "as its interface",                                                  \
		 .example = "never",                                                               \
		 .doc = "Reliable provisional answers (100rel, PRACK; RFC 3262)."},                \
		{.path = "transfer",                                                               \
		 .type = &type_choice,                                                             \
		 SCHEMA_FIELD(raw, public.dialog.transfer),                                        \
		 .choices = schema_transfers,                                                      \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .untrusted = SCHEMA_DEFAULT(peer, "pass"),                                        \
		 .otherwise = "as its interface",                                                  \
		 .example = "local",                                                               \
		 .doc = "What becomes of REFER from here (RFC 3515)."},                            \
		{.path = "redirects",                                                              \
		 .type = &type_choice,                                                             \
		 SCHEMA_FIELD(raw, public.dialog.redirects),                                       \
		 .choices = schema_redirects,                                                      \
		 .is_live = true,                                                                  \
		 .inherits = (peer),                                                               \
		 .untrusted = SCHEMA_DEFAULT(peer, "follow"),                                      \
		 .otherwise = "as its interface",                                                  \
		 .example = "pass",                                                                \
		 .doc = "What becomes of a 3xx from here."},                                       \
	{                                                                                          \
		.path = "privacy", .type = &type_choice, SCHEMA_FIELD(raw, public.dialog.privacy), \
		.choices = schema_privacy, .is_live = true, .inherits = (peer),                    \
		.untrusted = SCHEMA_DEFAULT(peer, "apply"), .otherwise = "as its interface",       \
		.example = "pass",                                                                 \
		.doc = "What becomes of `Privacy` in what leaves by here "                         \
		       "(RFC 3323)."                                                               \
	}
