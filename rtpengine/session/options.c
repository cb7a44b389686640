/* options.c - one row per key. Keys carry their value to a reader, or are lists whose words are
 * flags (options_flags.c). SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/options.h"

#include <stdio.h>
#include "rtpengine/session/options_edits.h"
#include "rtpengine/session/options_flags.h"

enum { PASS_OVER = 1, REFUSE };

void options_refuse(struct options *options, const char *list, struct slice word)
{
	if (options->refused[0])
		return;
	snprintf(options->refused, sizeof(options->refused), "%s%s%.*s is not supported",
		 list ? list : "", list ? "=" : "", (int)(word.len < 64 ? word.len : 64),
		 word.data ? word.data : "");
}

static void read_transport(struct reader *reader, struct slice word)
{
	static const char *const known[] = {"RTP/AVP",   "RTP/AVPF",         "RTP/SAVP",
					    "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"};

	if (ng_name_equal(word, SLICE("accept")))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_equal_nocase(word, slice_from(known[i]))) {
			reader->options->transport = slice_from(known[i]);
			return;
		}
	}
	options_refuse(reader->options, "transport-protocol", word);
}

static void apply_flag(struct reader *reader, struct slice word)
{
	if (options_peering_flag(&reader->options->peering, word))
		return;
	int err = sdes_option(&reader->options->sdes, word);
	if (!err)
		return;
	if (err == -ERR_UNSUPPORTED) {
		options_refuse(reader->options, NULL, word);
		return;
	}
	switch (option_flag(word, &reader->options->bits)) {
	case OPTION_SETS:
	case OPTION_PASSED_OVER:
		return;
	case OPTION_REFUSED:
		options_refuse(reader->options, NULL, word);
		return;
	case OPTION_UNKNOWN:
		break;
	}
	if (option_edit_flag(reader, word))
		return;
	if (slice_find(word, '/') < word.len) /* "RTP/AVP" among the words of rtpp-flags */
		read_transport(reader, word);
	else
		log_debug(reader->log, "ng.unknown", "flag=%.*s", SLICE_ARG(word));
}

static void each_flag(void *owner, struct slice word)
{
	apply_flag(owner, word);
}

/* A word of the list `replace` is the flag "replace-word", and so on. */
static void each_listed(void *owner, struct slice word)
{
	struct reader *reader = owner;
	char name[96];
	int len = snprintf(name, sizeof(name), "%s-%.*s", reader->list, SLICE_ARG(word));

	if (len < 0 || (size_t)len >= sizeof(name)) {
		log_debug(reader->log, "ng.unknown", "flag=%s-%.*s", reader->list, SLICE_ARG(word));
		return;
	}
	apply_flag(reader, (struct slice){name, (size_t)len});
}

static void each_support(void *owner, struct slice word)
{
	struct reader *reader = owner;
	if (ng_name_equal(word, SLICE("load-limit")))
		reader->options->bits |= OPTION_LOAD_LIMIT;
}

static void each_direction(void *owner, struct slice word)
{
	struct options *options = ((struct reader *)owner)->options;
	unsigned n = options->direction_count++;

	if (n == 0)
		options->interface_from = word;
	else if (n == 1)
		options->interface_to = word;
}

static void each_source(void *owner, struct slice word)
{
	static const struct {
		const char *name;
		enum session_source source;
	} words[] = {{"default", SESSION_SOURCE_UNSAID},
		     {"learn-once", SESSION_SOURCE_LEARN_ONCE},
		     {"sdp-only", SESSION_SOURCE_SDP_ONLY},
		     {"ice", SESSION_SOURCE_ICE},
		     {"secure", SESSION_SOURCE_SECURE}};
	struct options *options = ((struct reader *)owner)->options;
	unsigned n = options->source_count++;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && n < 2; i++) {
		if (!ng_name_is(word, words[i].name))
			continue;
		options->source[n] = words[i].source;
		return;
	}
	options_refuse(options, "media-source", word);
}

static void read_sources(struct reader *reader, const struct ng_value *value)
{
	ng_each_string(value, each_source, reader);
}

/* In ms; "default" leaves one as it is. */
static void each_idle(void *owner, struct slice word)
{
	struct options *options = ((struct reader *)owner)->options;
	unsigned n = options->idle_count++;
	uint64_t ms;

	if (n < 2 && slice_to_u64(word, 86400000, &ms) == 0)
		options->idle_timeout_ms[n] = (int64_t)ms;
	else if (n >= 2 || !ng_name_equal(word, SLICE("default")))
		options_refuse(options, "media-timeout", word);
}

static void read_idle(struct reader *reader, const struct ng_value *value)
{
	ng_each_string(value, each_idle, reader);
}

/* "IP4", "192.0.2.1" in two words, or the address alone. */
static void each_received(void *owner, struct slice word)
{
	struct options *options = ((struct reader *)owner)->options;
	struct addr addr;

	if (!ng_name_equal(word, SLICE("IP4")) && !ng_name_equal(word, SLICE("IP6")) &&
	    addr_parse_ip(word, &addr) == 0)
		options->received_from = addr;
}

static void read_family(struct reader *reader, struct slice word)
{
	if (ng_name_equal(word, SLICE("IP4")) || ng_name_equal(word, SLICE("inet")))
		reader->options->family = AF_INET;
	else if (ng_name_equal(word, SLICE("IP6")) || ng_name_equal(word, SLICE("inet6")))
		reader->options->family = AF_INET6;
	else
		options_refuse(reader->options, "address-family", word);
}

static void read_media_address(struct reader *reader, struct slice word)
{
	if (addr_parse_ip(word, &reader->options->media_address) != 0)
		options_refuse(reader->options, "media-address", word);
}

static void read_from_interface(struct reader *reader, struct slice word)
{
	reader->options->interface_from = word;
}

static void read_to_interface(struct reader *reader, struct slice word)
{
	reader->options->interface_to = word;
}

static void read_interface(struct reader *reader, struct slice word)
{
	reader->options->interface_from = word;
	reader->options->interface_to = word;
}

static void read_state(struct reader *reader, struct slice word)
{
	reader->options->state = word;
}

/* The flag of that name, as a key. What names flows between two has no meaning of its own here. */
static void read_all(struct reader *reader, struct slice word)
{
	if (ng_name_equal(word, SLICE("all")))
		reader->options->bits |= OPTION_ALL;
	else if (!ng_name_equal(word, SLICE("none")) && !ng_name_equal(word, SLICE("offer-answer")))
		options_refuse(reader->options, "all", word);
}

static void read_tos(struct reader *reader, struct slice word)
{
	uint64_t tos;
	if (slice_to_u64(word, 255, &tos) == 0)
		reader->options->dscp = (int)(tos >> 2); /* RFC 2474: the upper six bits */
	else
		options_refuse(reader->options, "TOS", word);
}

static void read_delete_delay(struct reader *reader, struct slice word)
{
	uint64_t delay_s;
	if (slice_to_u64(word, 86400, &delay_s) == 0)
		reader->options->delete_delay_s = (int64_t)delay_s;
}

/* Keys whose "no", "off" or "0" asks for nothing. */
static void read_service(struct reader *reader, struct slice word, const char *name)
{
	static const char *const off[] = {"no", "off", "0", "false", "default", "", "disable"};

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		if (slice_equal_nocase(word, slice_from(off[i])))
			return;
	}
	options_refuse(reader->options, name, word);
}

/* To drop events is what `block DTMF` does. */
static void read_dtmf_security(struct reader *reader, struct slice word)
{
	if (!slice_equal_nocase(word, SLICE("drop")))
		read_service(reader, word, "DTMF-security");
}

struct key {
	const char *name;
	const char *list; /* a list whose words are flags "list-word" */
	void (*text)(struct reader *reader, struct slice word);
	void (*value)(struct reader *reader, const struct ng_value *value);
	int what; /* PASS_OVER, REFUSE */
};

/* clang-format off */
static const struct key keys[] = {
	{ "flags", "", NULL, NULL, 0 },
	{ "replace", "replace", NULL, NULL, 0 },
	{ "rtcp-mux", "rtcp-mux", NULL, NULL, 0 },
	{ "SDES", "SDES", NULL, NULL, 0 },
	{ "DTLS", "DTLS", NULL, NULL, 0 },
	{ "DTLS-reverse", "DTLS-reverse", NULL, NULL, 0 },
	{ "OSRTP", "OSRTP", NULL, NULL, 0 },
	{ "bundle", "bundle", NULL, NULL, 0 },
	{ "ICE", "ICE", NULL, NULL, 0 },
	{ "T.38", "T38", NULL, NULL, 0 },
	{ "endpoint-learning", "endpoint-learning", NULL, NULL, 0 },
	{ "address-family", NULL, read_family, NULL, 0 },
	{ "media-address", NULL, read_media_address, NULL, 0 },
	{ "transport-protocol", NULL, read_transport, NULL, 0 },
	{ "from-interface", NULL, read_from_interface, NULL, 0 },
	{ "to-interface", NULL, read_to_interface, NULL, 0 },
	{ "interface", NULL, read_interface, NULL, 0 },
	{ "TOS", NULL, read_tos, NULL, 0 },
	{ "delete-delay", NULL, read_delete_delay, NULL, 0 },
	{ "media-source", NULL, NULL, read_sources, 0 }, /* ours, like the next */
	{ "media-timeout", NULL, NULL, read_idle, 0 },
	{ "state", NULL, read_state, NULL, 0 },
	{ "codec", NULL, NULL, option_codecs, 0 },
	{ "sdp-attr", NULL, NULL, option_attributes, 0 },
	{ "sdp-media-remove", NULL, NULL, option_removed_media, 0 },
	{ "extmap", NULL, NULL, option_extmap, 0 },
	{ "ptime", NULL, NULL, NULL, REFUSE },
	{ "ptime-reverse", NULL, NULL, NULL, REFUSE },
	{ "record-call", "record-call", NULL, NULL, 0 },
	{ "recording-file", NULL, NULL, NULL, PASS_OVER },
	{ "output-destination", NULL, NULL, NULL, PASS_OVER },
	{ "generate-RTCP", NULL, NULL, NULL, REFUSE },
	{ "media-echo", NULL, NULL, NULL, REFUSE },
	{ "drop-traffic", NULL, NULL, NULL, REFUSE },
	{ "delay-buffer", NULL, NULL, NULL, REFUSE },
	{ "audio-player", NULL, NULL, NULL, REFUSE },
	{ "moh", NULL, NULL, NULL, REFUSE },
	{ "inbound-peer", NULL, NULL, NULL, REFUSE },
	{ "outbound-peer", NULL, NULL, NULL, REFUSE },
	{ "peer", NULL, NULL, NULL, REFUSE },
	{ "template", NULL, NULL, NULL, REFUSE },
	{ "DTMF-security", NULL, read_dtmf_security, NULL, 0 },
	{ "DTMF-delay", NULL, NULL, NULL, REFUSE },
	{ "command", NULL, NULL, NULL, PASS_OVER },
	{ "call-id", NULL, NULL, NULL, PASS_OVER }, /* these are taken by name below */
	{ "from-tag", NULL, NULL, NULL, PASS_OVER },
	{ "to-tag", NULL, NULL, NULL, PASS_OVER },
	{ "via-branch", NULL, NULL, NULL, PASS_OVER },
	{ "sdp", NULL, NULL, NULL, PASS_OVER },
	{ "supports", NULL, NULL, NULL, PASS_OVER },
	{ "direction", NULL, NULL, NULL, PASS_OVER },
	{ "received-from", NULL, NULL, NULL, PASS_OVER },
	{ "rtpp-flags", NULL, NULL, NULL, PASS_OVER },
	{ "sip-message-type", NULL, NULL, NULL, PASS_OVER },
	{ "sip-code", NULL, NULL, NULL, PASS_OVER },
	{ "label", NULL, NULL, NULL, PASS_OVER },
	{ "from-label", NULL, NULL, NULL, PASS_OVER },
	{ "set-label", NULL, NULL, NULL, PASS_OVER },
	{ "to-label", NULL, NULL, NULL, PASS_OVER },
	{ "metadata", NULL, NULL, NULL, PASS_OVER },
	{ "DTLS-fingerprint", "DTLS-fingerprint", NULL, NULL, 0 },
	{ "ICE-lite", "ICE-lite", NULL, NULL, 0 },
	{ "xmlrpc-callback", NULL, NULL, NULL, PASS_OVER },
	{ "passthrough", NULL, NULL, NULL, PASS_OVER },
	{ "limit", NULL, NULL, NULL, PASS_OVER },
	{ "since", NULL, NULL, NULL, PASS_OVER },
	{ "from-tags", NULL, NULL, NULL, PASS_OVER },
	{ "to-call-id", NULL, NULL, NULL, PASS_OVER },
	{ "calls", NULL, NULL, NULL, PASS_OVER },
	{ "tags", NULL, NULL, NULL, PASS_OVER },
	{ "source-tag", NULL, NULL, NULL, PASS_OVER },
	{ "source-call-id", NULL, NULL, NULL, PASS_OVER },
	{ "address", NULL, NULL, NULL, PASS_OVER },
	{ "all", NULL, read_all, NULL, 0 },
	{ "alias-key", NULL, NULL, NULL, PASS_OVER },
	{ "instance", NULL, NULL, NULL, PASS_OVER },
	{ "T.38-version", NULL, NULL, NULL, PASS_OVER },
	{ "recording-dir", NULL, NULL, NULL, PASS_OVER },
	{ "recording-pattern", NULL, NULL, NULL, PASS_OVER },
	{ "recording-media-slot-offer", NULL, NULL, NULL, PASS_OVER },
	{ "file", NULL, NULL, NULL, PASS_OVER },
	{ "blob", NULL, NULL, NULL, PASS_OVER },
	{ "blob64", NULL, NULL, NULL, PASS_OVER },
	{ "db-id", NULL, NULL, NULL, PASS_OVER },
	{ "repeat-times", NULL, NULL, NULL, PASS_OVER },
	{ "repeat-duration", NULL, NULL, NULL, PASS_OVER },
	{ "start-pos", NULL, NULL, NULL, PASS_OVER },
	{ "code", NULL, NULL, NULL, PASS_OVER },
	{ "digit", NULL, NULL, NULL, PASS_OVER },
	{ "duration", NULL, NULL, NULL, PASS_OVER },
	{ "volume", NULL, NULL, NULL, PASS_OVER },
	{ "pause", NULL, NULL, NULL, PASS_OVER },
	{ "frequency", NULL, NULL, NULL, PASS_OVER },
	{ "DTMF-log-dest", NULL, NULL, NULL, PASS_OVER },
	{ "medias", NULL, NULL, NULL, PASS_OVER },
	{ "DTMF-security-trigger", NULL, NULL, NULL, REFUSE },
	{ "trigger", NULL, NULL, NULL, REFUSE },
	{ "trigger-end", NULL, NULL, NULL, REFUSE },
	{ "trigger-end-time", NULL, NULL, NULL, REFUSE },
	{ "trigger-end-digits", NULL, NULL, NULL, REFUSE },
	{ "vsc-start-rec", NULL, NULL, NULL, REFUSE },
};
/* clang-format on */

static const struct key *key_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (ng_name_is(name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

static struct slice value_text(const struct ng_value *value, char number[24])
{
	if (value->type == NG_STRING)
		return value->string;
	if (value->type != NG_INTEGER)
		return SLICE_NONE;
	int len = snprintf(number, 24, "%lld", (long long)value->integer);
	return (struct slice){number, len > 0 ? (size_t)len : 0};
}

static void read_key(struct reader *reader, const struct ng_value *value)
{
	const struct key *key = key_find(value->key);
	char number[24];

	if (!key) {
		log_debug(reader->log, "ng.unknown", "key=%.*s", SLICE_ARG(value->key));
	} else if (key->list) {
		reader->list = key->list;
		ng_each_string(value, key->list[0] ? each_listed : each_flag, reader);
	} else if (key->value) {
		key->value(reader, value);
	} else if (key->text) {
		key->text(reader, value_text(value, number));
	} else if (key->what == REFUSE && (value->type == NG_LIST || value->type == NG_DICT)) {
		if (value->count)
			options_refuse(reader->options, NULL, slice_from(key->name));
	} else if (key->what == REFUSE) {
		read_service(reader, value_text(value, number), key->name);
	}
}

/* "replace-origin ICE=remove direction=lan direction=wan": a word alone is a flag, with "=" a key.
 */
static void read_flags_string(struct reader *reader, struct slice text)
{
	struct slice word;

	while (slice_next_word(&text, &word)) {
		size_t at = slice_find(word, '=');
		struct ng_value value = {.type = NG_STRING,
					 .key = slice_sub(word, 0, at),
					 .string = slice_sub(word, at + 1, word.len)};
		struct options *options = reader->options;

		if (at == word.len)
			apply_flag(reader, word);
		else if (ng_name_equal(value.key, SLICE("direction")))
			each_direction(reader, value.string);
		else if (ng_name_equal(value.key, SLICE("via-branch")))
			options->via_branch = value.string;
		else if (ng_name_equal(value.key, SLICE("call-id")))
			options->call_id = value.string;
		else if (ng_name_equal(value.key, SLICE("from-tag")))
			options->from_tag = value.string;
		else if (ng_name_equal(value.key, SLICE("to-tag")))
			options->to_tag = value.string;
		else
			read_key(reader, &value);
	}
}

void options_read(const struct log *log, const struct ng_request *request, struct options *out)
{
	const struct ng_value *dict = request->dict;
	struct reader reader = {.log = log, .arena = request->arena, .options = out};

	memset(out, 0, sizeof(*out));
	out->dscp = -1;
	out->delete_delay_s = -1;
	out->idle_timeout_ms[0] = out->idle_timeout_ms[1] = -1;
	/* The string first: what is a key of its own in the request has the last word. */
	read_flags_string(&reader, ng_get_string(dict, "rtpp-flags"));
	for (const struct ng_value *value = ng_first(dict); value; value = value->next)
		read_key(&reader, value);

	static const struct {
		const char *name;
		size_t at;
	} texts[] = {
		{"call-id", offsetof(struct options, call_id)},
		{"from-tag", offsetof(struct options, from_tag)},
		{"to-tag", offsetof(struct options, to_tag)},
		{"via-branch", offsetof(struct options, via_branch)},
		{"sdp", offsetof(struct options, sdp)},
		{"from-label", offsetof(struct options, from_label)},
		{"label", offsetof(struct options, from_label)},
		{"to-label", offsetof(struct options, to_label)},
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct slice text = ng_get_string(dict, texts[i].name);
		if (text.len)
			*(struct slice *)(void *)((char *)out + texts[i].at) = text;
	}
	ng_each_string(ng_dict_get(dict, "supports"), each_support, &reader);
	ng_each_string(ng_dict_get(dict, "direction"), each_direction, &reader);
	ng_each_string(ng_dict_get(dict, "received-from"), each_received, &reader);
	options_peering_settle(&out->peering);
	if (out->peering.bits & PEERING_WEBRTC) {
		out->bits |= OPTION_MUX_OFFER | OPTION_MUX_REQUIRE;
		if (slice_is_empty(out->transport))
			out->transport = SLICE("UDP/TLS/RTP/SAVPF");
	}
}
