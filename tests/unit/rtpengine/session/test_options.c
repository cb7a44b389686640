/* test_options.c - every key and flag of the protocol is known, and what becomes of it is what
 * docs/control-protocol.md says. Argument: that file. SPDX-License-Identifier: Apache-2.0 */
#include "rtpengine/session/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

enum verdict { TAKEN, OF_COMMANDS, PASSED, REFUSED, UNKNOWN };
static const char *const headings[] = {
	[TAKEN] = "Taken:",
	[OF_COMMANDS] = "Read by a command of their own:",
	[PASSED] = "Passed over:",
	[REFUSED] = "Refused by name:",
};

/* A key with a value that asks for something; the value "{}" stands for a dictionary. */
static const struct {
	const char *key, *value;
} keys[] = {
	{"call-id", "c"},
	{"from-tag", "a"},
	{"to-tag", "b"},
	{"via-branch", "x"},
	{"label", "x"},
	{"from-label", "x"},
	{"set-label", "x"},
	{"to-label", "x"},
	{"from-tags", "x"},
	{"to-call-id", "x"},
	{"calls", "x"},
	{"tags", "x"},
	{"source-tag", "x"},
	{"source-call-id", "x"},
	{"address", "192.0.2.1"},
	{"all", "all"},
	{"alias-key", "x"},
	{"instance", "x"},
	{"sdp", "v=0"},
	{"received-from", "192.0.2.1"},
	{"sip-message-type", "request"},
	{"sip-code", "200"},
	{"supports", "load limit"},
	{"template", "x"},
	{"rtpp-flags", "strict-source"},
	{"direction", "lan"},
	{"interface", "lan"},
	{"from-interface", "lan"},
	{"to-interface", "lan"},
	{"inbound-peer", "x"},
	{"outbound-peer", "x"},
	{"peer", "x"},
	{"address-family", "IP6"},
	{"media-address", "192.0.2.1"},
	{"TOS", "184"},
	{"endpoint-learning", "off"},
	{"drop-traffic", "start"},
	{"media-echo", "forward"},
	{"transport-protocol", "RTP/SAVP"},
	{"DTLS", "passive"},
	{"DTLS-reverse", "passive"},
	{"DTLS-fingerprint", "sha-384"},
	{"SDES", "off"},
	{"OSRTP", "offer"},
	{"ICE", "force"},
	{"ICE-lite", "both"},
	{"rtcp-mux", "offer"},
	{"bundle", "offer"},
	{"generate-RTCP", "on"},
	{"replace", "origin"},
	{"flags", "fatal"},
	{"codec", "{}strip"},
	{"sdp-attr", "{}"},
	{"sdp-media-remove", "video"},
	{"extmap", "{}strip"},
	{"ptime", "40"},
	{"ptime-reverse", "40"},
	{"T.38", "decode"},
	{"T.38-version", "1"},
	{"passthrough", "on"},
	{"record-call", "on"},
	{"recording-file", "x"},
	{"recording-dir", "x"},
	{"recording-pattern", "x"},
	{"recording-media-slot-offer", "1"},
	{"metadata", "x"},
	{"file", "x"},
	{"blob", "x"},
	{"blob64", "x"},
	{"db-id", "1"},
	{"repeat-times", "1"},
	{"repeat-duration", "1"},
	{"start-pos", "1"},
	{"moh", "{}file"},
	{"audio-player", "transcoding"},
	{"code", "1"},
	{"digit", "1"},
	{"duration", "1"},
	{"volume", "1"},
	{"pause", "1"},
	{"frequency", "1"},
	{"DTMF-security", "silence"},
	{"DTMF-security-trigger", "1"},
	{"DTMF-delay", "1"},
	{"DTMF-log-dest", "x"},
	{"delay-buffer", "1"},
	{"trigger", "1"},
	{"trigger-end", "1"},
	{"trigger-end-time", "1"},
	{"trigger-end-digits", "1"},
	{"vsc-start-rec", "1"},
	{"delete-delay", "1"},
	{"xmlrpc-callback", "x"},
	{"medias", "x"},
	{"limit", "1"},
	{"since", "1"},
	{"media-source", "ice"},
	{"media-timeout", "1"},
	{"state", "1"},
};

static const char *const flags[] = {
	"all",
	"allow-asymmetric-codecs",
	"allow-no-codec-media",
	"allow-transcoding",
	"force-transcoding",
	"always-transcode",
	"asymmetric",
	"asymmetric-codecs",
	"audio-player",
	"bidirectional",
	"block-DTMF",
	"block-egress",
	"block-short",
	"debug",
	"detect-DTMF",
	"directional",
	"discard-recording",
	"early-media",
	"egress",
	"exclude-recording",
	"fatal",
	"fast",
	"fragment",
	"full-rtcp-attribute",
	"generate-mid",
	"generate-RTCP",
	"reject-ICE",
	"inactive",
	"inject-DTMF",
	"loop-protect",
	"media-handover",
	"RTCP-mirror",
	"mix",
	"NAT-wait",
	"new-branch",
	"reuse-codecs",
	"passthrough",
	"no-passthrough",
	"no-player",
	"port-latching",
	"no-port-latching",
	"no-redis-update",
	"no-rtcp-attribute",
	"no-tls-id",
	"no-jitter-buffer",
	"original-sendrecv",
	"pad-crypto",
	"pierce-NAT",
	"provisional",
	"record-call",
	"recording-vsc",
	"recording-announcement",
	"recrypt",
	"reorder-codecs",
	"reset",
	"single-codec",
	"SIP-source-address",
	"siprec",
	"skip-recording-db",
	"static-codecs",
	"strict-source",
	"strip-extmap",
	"symmetric-codecs",
	"to-tag",
	"trickle-ICE",
	"trust-address",
	"unidirectional",
	"unsubscribe",
	"WebRTC",
	"endpoint-learning-off",
	"from-tags-x",
	"OSRTP-offer",
	"replace-origin",
	"rtcp-mux-offer",
	"BUNDLE-offer",
	"codec-strip-PCMU",
	"transcode-opus",
	"SDES-off",
	"SDES-no-AES_CM_128_HMAC_SHA1_80",
	"SDES-only-AES_CM_128_HMAC_SHA1_80",
	"SDES-order:AES_CM_128_HMAC_SHA1_80",
	"SDES-offerer_pref:AES_CM_128_HMAC_SHA1_80",
	"sdp-attr-add-none-x",
	"T38-decode",
	"T.38-decode",
};

static const char *docs;

static void add_value(struct arena *arena, struct ng_value *dict, const char *key,
		      const char *value)
{
	if (strncmp(value, "{}", 2) != 0) {
		ng_dict_add_string(arena, dict, key, slice_from(value));
		return;
	}
	struct ng_value *inner = ng_dict_add_dict(arena, dict, key);
	if (value[2]) {
		struct ng_value *list = ng_dict_add_list(arena, inner, value + 2);
		ng_list_add_string(arena, list, SLICE("PCMU"));
	} else {
		struct ng_value *list =
			ng_dict_add_list(arena, ng_dict_add_dict(arena, inner, "none"), "add");
		ng_list_add_string(arena, list, SLICE("x"));
	}
}

/* What options.c makes of it. */
static enum verdict judge(const char *key, const char *value)
{
	struct options options, none;
	struct arena *arena;
	struct log log = {.level = LOG_DEBUG, .fd = memfd_create("log", 0), .program = "test"};

	assert_int_equal(arena_create(4096, 65536, &arena), 0);
	struct ng_value *dict = ng_dict_create(arena);
	const struct ng_request request = {.dict = dict, .arena = arena};
	options_read(&log, &request, &none);
	add_value(arena, dict, key, value);
	options_read(&log, &request, &options);
	bool is_unknown = lseek(log.fd, 0, SEEK_END) > 0;
	enum verdict verdict = options.refused[0]                      ? REFUSED
			       : memcmp(&options, &none, sizeof(none)) ? TAKEN
			       : is_unknown                            ? UNKNOWN
								       : PASSED;
	close(log.fd);
	arena_destroy(arena);
	return verdict;
}

/* What the document says: under which heading the name stands between backticks. */
static enum verdict documented(const char *name, bool is_flag)
{
	char quoted[80];
	const char *section = strstr(docs, is_flag ? "### Every flag" : "### Every key");

	assert_non_null(section);
	const char *end = strstr(section + 4, "\n#");
	snprintf(quoted, sizeof(quoted), "`%s`", name);
	for (unsigned i = 0; i < UNKNOWN; i++) {
		const char *at = strstr(section, headings[i]);
		if (!at || (end && at > end))
			continue;
		const char *stop = strstr(at, "\n\n"), *found = strstr(at, quoted);
		if (found && (!stop || found < stop))
			return (enum verdict)i;
	}
	return UNKNOWN;
}

static unsigned compare(const char *name, bool is_flag, enum verdict verdict)
{
	static const char *const words[] = {"taken", "a command's", "passed over", "refused",
					    "unknown"};
	enum verdict said = documented(name, is_flag);

	if (said == verdict || (said == OF_COMMANDS && verdict == PASSED))
		return 0;
	print_error("%s %s: is %s, documented as %s\n", is_flag ? "flag" : "key", name,
		    words[verdict], words[said]);
	return 1;
}

static void keys_are_as_documented(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		wrong += compare(keys[i].key, false, judge(keys[i].key, keys[i].value));
	assert_int_equal(wrong, 0);
}

static void flags_are_as_documented(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		wrong += compare(flags[i], true, judge("flags", flags[i]));
	assert_int_equal(wrong, 0);
}

static void what_is_none_is_passed_over(void **state)
{
	(void)state;
	assert_int_equal(judge("colour", "red"), UNKNOWN);
	assert_int_equal(judge("flags", "colourful"), UNKNOWN);
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!file || !text || !fread(text, 1, (1 << 20) - 1, file))
		abort();
	fclose(file);
	return text;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_as_documented),
		cmocka_unit_test(flags_are_as_documented),
		cmocka_unit_test(what_is_none_is_passed_over),
	};
	if (argc < 2)
		return EXIT_FAILURE;
	char *text = read_whole(argv[1]);
	docs = text;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(text);
	return failed;
}
