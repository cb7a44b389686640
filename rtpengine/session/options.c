/* One row per name. Keys carry their value to a reader; flags (members of the lists, the words of
 * rtpp-flags) set a bit, are passed over, or are refused. What is refused is what would change the
 * meaning of the call if it were left undone (transcoding, encryption, recording); hints are passed
 * over. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/options.h"

#include <stdio.h>

struct reader {
	const struct log *log;
	struct options *options;
	const char *list; /* prefix of the words of the list being read; NULL = "flags" */
};

enum { PASS_OVER = 1, REFUSE };

struct flag {
	const char *name;
	uint32_t bit; /* 0 = see `what` */
	int what;
};

/* clang-format off */
static const struct flag flags[] = {
	{ "replace-origin", OPTION_REPLACE_ORIGIN, 0 },
	{ "replace-origin-full", OPTION_REPLACE_ORIGIN_FULL, 0 },
	{ "replace-username", OPTION_REPLACE_USERNAME, 0 },
	{ "replace-session-name", OPTION_REPLACE_SESSION_NAME, 0 },
	{ "replace-sdp-version", OPTION_REPLACE_VERSION, 0 },
	{ "replace-force-increment-sdp-ver", OPTION_REPLACE_VERSION | OPTION_FORCE_INCREMENT, 0 },
	{ "replace-force-increment", OPTION_REPLACE_VERSION | OPTION_FORCE_INCREMENT, 0 },
	{ "force-increment-sdp-ver", OPTION_REPLACE_VERSION | OPTION_FORCE_INCREMENT, 0 },
	{ "replace-zero-address", OPTION_REPLACE_ZERO, 0 },
	{ "replace-session-connection", 0, PASS_OVER }, /* always done */
	{ "sip-source-address", OPTION_SIP_SOURCE, 0 },
	{ "trust-address", 0, PASS_OVER },
	{ "asymmetric", OPTION_ASYMMETRIC, 0 },
	{ "symmetric", 0, PASS_OVER },
	{ "strict-source", OPTION_STRICT_SOURCE, 0 },
	{ "media-handover", 0, PASS_OVER }, /* the source rule says when a source may move */
	{ "endpoint-learning-off", OPTION_ASYMMETRIC | OPTION_STRICT_SOURCE, 0 },
	{ "endpoint-learning-immediate", 0, PASS_OVER },
	{ "endpoint-learning-delayed", 0, PASS_OVER },
	{ "endpoint-learning-heuristic", 0, PASS_OVER },
	{ "port-latching", 0, PASS_OVER }, /* always done */
	{ "no-port-latching", OPTION_NO_LATCHING, 0 },
	{ "no-rtcp-attribute", OPTION_NO_RTCP_ATTRIBUTE, 0 },
	{ "full-rtcp-attribute", OPTION_FULL_RTCP_ATTRIBUTE, 0 },
	{ "rtcp-mux-offer", OPTION_MUX_OFFER, 0 },
	{ "rtcp-mux-require", OPTION_MUX_REQUIRE, 0 },
	{ "rtcp-mux-demux", OPTION_MUX_DEMUX, 0 },
	{ "rtcp-mux-accept", OPTION_MUX_ACCEPT, 0 },
	{ "rtcp-mux-reject", OPTION_MUX_REJECT, 0 },
	{ "to-tag", OPTION_TO_TAG, 0 },
	{ "fatal", OPTION_FATAL, 0 },
	{ "fast", OPTION_FAST, 0 },
	{ "all", OPTION_ALL, 0 },
	{ "new-branch", OPTION_NEW_BRANCH, 0 },
	{ "sdes-off", OPTION_SDES_OFF, 0 },
	{ "sdes-no", OPTION_SDES_OFF, 0 },
	{ "sdes-disable", OPTION_SDES_OFF, 0 },
	{ "ice-remove", 0, PASS_OVER }, /* always done: media is anchored here */
	{ "ice-default", 0, PASS_OVER },
	{ "ice-optional", 0, PASS_OVER },
	{ "ice-force", 0, REFUSE },
	{ "ice-force-relay", 0, REFUSE },
	{ "reject-ice", 0, PASS_OVER },
	{ "trickle-ice", 0, PASS_OVER },
	{ "fragment", 0, REFUSE },
	{ "webrtc", 0, REFUSE },
	{ "osrtp-offer", 0, REFUSE },
	{ "osrtp-offer-legacy", 0, REFUSE },
	{ "osrtp-accept", 0, PASS_OVER },
	{ "osrtp-accept-legacy", 0, PASS_OVER },
	{ "dtls-off", 0, PASS_OVER },
	{ "dtls-no", 0, PASS_OVER },
	{ "dtls-disable", 0, PASS_OVER },
	{ "dtls-passive", 0, PASS_OVER }, /* a hint on DTLS, which is refused by itself */
	{ "dtls-active", 0, PASS_OVER },
	{ "recrypt", 0, REFUSE },
	{ "bundle-offer", 0, REFUSE },
	{ "bundle-require", 0, REFUSE },
	{ "bundle-strict", 0, REFUSE },
	{ "bundle-accept", 0, PASS_OVER },
	{ "bundle-reject", 0, PASS_OVER }, /* always done */
	{ "generate-mid", 0, REFUSE },
	{ "generate-rtcp", 0, REFUSE },
	{ "rtcp-mirror", 0, REFUSE },
	{ "allow-transcoding", 0, PASS_OVER },
	{ "always-transcode", 0, REFUSE },
	{ "force-transcoding", 0, REFUSE },
	{ "record-call", 0, REFUSE },
	{ "siprec", 0, REFUSE },
	{ "audio-player", 0, REFUSE },
	{ "block-dtmf", 0, REFUSE },
	{ "inject-dtmf", 0, REFUSE },
	{ "detect-dtmf", 0, REFUSE },
	{ "early-media", 0, PASS_OVER },
	{ "provisional", 0, PASS_OVER },
	{ "original-sendrecv", 0, PASS_OVER }, /* directions are passed as they are */
	{ "unidirectional", 0, PASS_OVER },
	{ "bidirectional", 0, PASS_OVER },
	{ "directional", 0, PASS_OVER },
	{ "allow-asymmetric-codecs", 0, PASS_OVER },
	{ "asymmetric-codecs", 0, PASS_OVER },
	{ "symmetric-codecs", 0, PASS_OVER },
	{ "reuse-codecs", 0, PASS_OVER },
	{ "reorder-codecs", 0, PASS_OVER },
	{ "allow-no-codec-media", 0, PASS_OVER },
	{ "single-codec", 0, REFUSE },
	{ "strip-extmap", 0, REFUSE },
	{ "loop-protect", 0, PASS_OVER },
	{ "pierce-nat", 0, PASS_OVER },
	{ "nat-wait", 0, PASS_OVER },
	{ "no-redis-update", 0, PASS_OVER },
	{ "no-jitter-buffer", 0, PASS_OVER },
	{ "no-passthrough", 0, PASS_OVER },
	{ "passthrough", 0, PASS_OVER },
	{ "no-player", 0, PASS_OVER },
	{ "no-tls-id", 0, PASS_OVER },
	{ "pad-crypto", 0, PASS_OVER },
	{ "reset", 0, PASS_OVER },
	{ "debug", 0, PASS_OVER },
	{ "discard-recording", 0, PASS_OVER },
	{ "exclude-recording", 0, PASS_OVER },
	{ "skip-recording-db", 0, PASS_OVER },
	{ "auto-detect-rtp", 0, PASS_OVER },
};
/* clang-format on */

/* Words that begin so are refused whatever follows: each needs what this relay cannot do. */
static const char *const refused_prefixes[] = {
	"transcode-",    "codec-transcode-",
	"codec-mask-",   "codec-set-",
	"codec-accept-", "codec-consume-",
	"codec-strip-",  "codec-offer-",
	"codec-except-", "codec-ignore-",
	"sdp-attr-",     "t38-",
	"t.38-",         "sdes-",
};

static void refuse(struct options *options, const char *list, struct slice word)
{
	if (options->refused[0])
		return;
	snprintf(options->refused, sizeof(options->refused), "%s%s%.*s is not supported",
		 list ? list : "", list ? "=" : "", (int)(word.len < 64 ? word.len : 64),
		 word.data ? word.data : "");
}

static const struct flag *flag_find(struct slice word)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (ng_name_equal(word, slice_from(flags[i].name)))
			return &flags[i];
	}
	return NULL;
}

static bool name_starts(struct slice word, const char *prefix)
{
	size_t len = strlen(prefix);
	return word.len >= len && ng_name_equal(slice_sub(word, 0, len), slice_from(prefix));
}

static void read_transport(struct reader *reader, struct slice word)
{
	static const char *const known[] = {"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"};

	if (ng_name_equal(word, SLICE("accept")))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_equal_nocase(word, slice_from(known[i]))) {
			reader->options->transport = slice_from(known[i]);
			return;
		}
	}
	refuse(reader->options, "transport-protocol", word);
}

static void apply_flag(struct reader *reader, struct slice word)
{
	const struct flag *flag = flag_find(word);

	if (flag && flag->bit) {
		reader->options->bits |= flag->bit;
		return;
	}
	if (flag && flag->what == PASS_OVER)
		return;
	if (flag) {
		refuse(reader->options, NULL, word);
		return;
	}
	for (size_t i = 0; i < sizeof(refused_prefixes) / sizeof(refused_prefixes[0]); i++) {
		if (name_starts(word, refused_prefixes[i])) {
			refuse(reader->options, NULL, word);
			return;
		}
	}
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
		refuse(reader->options, "address-family", word);
}

static void read_media_address(struct reader *reader, struct slice word)
{
	if (addr_parse_ip(word, &reader->options->media_address) != 0)
		refuse(reader->options, "media-address", word);
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

static void read_tos(struct reader *reader, struct slice word)
{
	uint64_t tos;
	if (slice_to_u64(word, 255, &tos) == 0)
		reader->options->dscp = (int)(tos >> 2); /* RFC 2474: the upper six bits */
	else
		refuse(reader->options, "TOS", word);
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
	refuse(reader->options, name, word);
}

struct key {
	const char *name;
	const char *list; /* a list whose words are flags "list-word" */
	void (*text)(struct reader *reader, struct slice word);
	int what; /* PASS_OVER, REFUSE */
};

/* clang-format off */
static const struct key keys[] = {
	{ "flags", "", NULL, 0 },
	{ "replace", "replace", NULL, 0 },
	{ "rtcp-mux", "rtcp-mux", NULL, 0 },
	{ "SDES", "SDES", NULL, 0 },
	{ "DTLS", "DTLS", NULL, 0 },
	{ "DTLS-reverse", "DTLS", NULL, 0 },
	{ "OSRTP", "OSRTP", NULL, 0 },
	{ "bundle", "bundle", NULL, 0 },
	{ "ICE", "ICE", NULL, 0 },
	{ "T.38", "T38", NULL, 0 },
	{ "endpoint-learning", "endpoint-learning", NULL, 0 },
	{ "address-family", NULL, read_family, 0 },
	{ "media-address", NULL, read_media_address, 0 },
	{ "transport-protocol", NULL, read_transport, 0 },
	{ "from-interface", NULL, read_from_interface, 0 },
	{ "to-interface", NULL, read_to_interface, 0 },
	{ "interface", NULL, read_interface, 0 },
	{ "TOS", NULL, read_tos, 0 },
	{ "delete-delay", NULL, read_delete_delay, 0 },
	{ "codec", NULL, NULL, REFUSE },
	{ "sdp-attr", NULL, NULL, REFUSE },
	{ "sdp-media-remove", NULL, NULL, REFUSE },
	{ "extmap", NULL, NULL, REFUSE },
	{ "ptime", NULL, NULL, REFUSE },
	{ "ptime-reverse", NULL, NULL, REFUSE },
	{ "record-call", NULL, NULL, REFUSE },
	{ "generate-RTCP", NULL, NULL, REFUSE },
	{ "media-echo", NULL, NULL, REFUSE },
	{ "drop-traffic", NULL, NULL, REFUSE },
	{ "delay-buffer", NULL, NULL, REFUSE },
	{ "audio-player", NULL, NULL, REFUSE },
	{ "moh", NULL, NULL, REFUSE },
	{ "inbound-peer", NULL, NULL, REFUSE },
	{ "outbound-peer", NULL, NULL, REFUSE },
	{ "peer", NULL, NULL, REFUSE },
	{ "template", NULL, NULL, REFUSE },
	{ "DTMF-security", NULL, NULL, REFUSE },
	{ "DTMF-delay", NULL, NULL, REFUSE },
	{ "command", NULL, NULL, PASS_OVER },
	{ "call-id", NULL, NULL, PASS_OVER }, /* these are taken by name below */
	{ "from-tag", NULL, NULL, PASS_OVER },
	{ "to-tag", NULL, NULL, PASS_OVER },
	{ "via-branch", NULL, NULL, PASS_OVER },
	{ "sdp", NULL, NULL, PASS_OVER },
	{ "supports", NULL, NULL, PASS_OVER },
	{ "direction", NULL, NULL, PASS_OVER },
	{ "received-from", NULL, NULL, PASS_OVER },
	{ "rtpp-flags", NULL, NULL, PASS_OVER },
	{ "sip-message-type", NULL, NULL, PASS_OVER },
	{ "sip-code", NULL, NULL, PASS_OVER },
	{ "label", NULL, NULL, PASS_OVER },
	{ "from-label", NULL, NULL, PASS_OVER },
	{ "set-label", NULL, NULL, PASS_OVER },
	{ "to-label", NULL, NULL, PASS_OVER },
	{ "metadata", NULL, NULL, PASS_OVER },
	{ "DTLS-fingerprint", NULL, NULL, PASS_OVER },
	{ "ICE-lite", NULL, NULL, PASS_OVER },
	{ "xmlrpc-callback", NULL, NULL, PASS_OVER },
	{ "passthrough", NULL, NULL, PASS_OVER },
	{ "limit", NULL, NULL, PASS_OVER },
	{ "since", NULL, NULL, PASS_OVER },
};
/* clang-format on */

static const struct key *key_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (ng_name_equal(name, slice_from(keys[i].name)))
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
	} else if (key->text) {
		key->text(reader, value_text(value, number));
	} else if (key->what == REFUSE && (value->type == NG_LIST || value->type == NG_DICT)) {
		if (value->count)
			refuse(reader->options, NULL, slice_from(key->name));
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
	struct reader reader = {.log = log, .options = out};

	memset(out, 0, sizeof(*out));
	out->dscp = -1;
	out->delete_delay_s = -1;
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
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct slice text = ng_get_string(dict, texts[i].name);
		if (text.len)
			*(struct slice *)(void *)((char *)out + texts[i].at) = text;
	}
	ng_each_string(ng_dict_get(dict, "supports"), each_support, &reader);
	ng_each_string(ng_dict_get(dict, "direction"), each_direction, &reader);
	ng_each_string(ng_dict_get(dict, "received-from"), each_received, &reader);
}
