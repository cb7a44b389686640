/* test_srtp_crypto.c - the vectors of RFC 3711 appendix B and RFC 7714 section 16, on what is
 * between master key and cipher. SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include <stdlib.h>
#include "rtpengine/datapath/srtp_crypto.c"

static size_t unhex(const char *text, uint8_t *out)
{
	size_t n = 0;
	for (; *text; text++) {
		if (*text == ' ')
			continue;
		char pair[3] = {text[0], text[1], 0};
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		text++;
	}
	return n;
}

static void expect_hex(const uint8_t *got, const char *text)
{
	uint8_t want[1024];
	assert_memory_equal(got, want, unhex(text, want));
}

static int setup(void **state)
{
	return srtp_crypto_create((struct srtp_crypto **)state);
}

static int teardown(void **state)
{
	srtp_crypto_destroy(*state);
	return 0;
}

/* RFC 3711 B.3 */
static void keys_are_derived_as_in_rfc_3711(void **state)
{
	struct flow_srtp srtp = {.suite = FLOW_SRTP_AES_CM_128_HMAC_SHA1_80};
	uint8_t out[94];
	unhex("E1F97A0D3E018BE0D64FA32C06DE4139", srtp.key);
	unhex("0EC675AD498AFEEBB6960B3AABE6", srtp.salt);
	derive(*state, &srtp, 0, out, 16);
	expect_hex(out, "C61E7A93744F39EE10734AFE3FF7A087");
	derive(*state, &srtp, 2, out, 14);
	expect_hex(out, "30CBBC08863D8C85D49DB34A9AE1");
	derive(*state, &srtp, 1, out, 94);
	expect_hex(out, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE"
			"E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25"
			"6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2");
}

/* RFC 6188 7.2 */
static void keys_of_256_bits_are_derived_as_in_rfc_6188(void **state)
{
	struct flow_srtp srtp = {.suite = FLOW_SRTP_AES_256_CM_HMAC_SHA1_80};
	uint8_t out[32];
	unhex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6", srtp.key);
	unhex("3b04803de51ee7c96423ab5b78d2", srtp.salt);
	derive(*state, &srtp, 0, out, 32);
	expect_hex(out, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
	derive(*state, &srtp, 2, out, 14);
	expect_hex(out, "fa31791685ca444a9e07c6c64e93");
	derive(*state, &srtp, 1, out, 20);
	expect_hex(out, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05");
}

/* RFC 6188 7.4 */
static void keys_of_192_bits_are_derived_as_in_rfc_6188(void **state)
{
	struct flow_srtp srtp = {.suite = FLOW_SRTP_AES_192_CM_HMAC_SHA1_80};
	uint8_t out[32];
	unhex("73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1", srtp.key);
	unhex("c8522f3acd4ce86d5add78edbb11", srtp.salt);
	derive(*state, &srtp, 0, out, 24);
	expect_hex(out, "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb");
	derive(*state, &srtp, 2, out, 14);
	expect_hex(out, "2372b82d639b6d8503a47adc0a6c");
	derive(*state, &srtp, 1, out, 20);
	expect_hex(out, "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb");
}

/* RFC 3711 B.2 */
static void counter_mode_gives_the_key_stream_of_rfc_3711(void **state)
{
	struct srtp_keys keys = {.key_size = KEY_128};
	uint8_t key[16], stream[64] = {0};
	struct srtp_op op = {.keys = &keys, .text = stream, .text_len = sizeof(stream)};
	struct srtp_op *ops[] = {&op};
	unhex("2B7E151628AED2A6ABF7158809CF4F3C", key);
	expand(*state, key, KEY_128, keys.expanded);
	unhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD", keys.salt);
	srtp_keys_iv(&keys, 0, 0, op.iv);
	srtp_crypto_cipher(*state, ops, 1);
	expect_hex(stream, "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"
			   "41E95B3BB0A2E8DD477901E4FCA894C0");
}

static struct srtp_keys *gcm_keys(struct srtp_crypto *crypto, unsigned len)
{
	struct srtp_keys *keys =
		aligned_alloc(64, sizeof(*keys) + (sizeof(struct gcm_key_data) + 63) / 64 * 64);
	uint8_t key[32];
	memset(keys, 0, sizeof(*keys));
	for (unsigned i = 0; i < len; i++)
		key[i] = (uint8_t)i;
	keys->is_aead = true;
	keys->key_size = len == 16 ? KEY_128 : KEY_256;
	if (len == 16)
		IMB_AES128_GCM_PRE(crypto->mgr, key, keys->gcm);
	else
		IMB_AES256_GCM_PRE(crypto->mgr, key, keys->gcm);
	unhex("517569642070726f2071756f", keys->salt);
	return keys;
}

static void expect_gcm(struct srtp_crypto *crypto, unsigned key_len, const char *want)
{
	static const char plain[] = "Gallia est omnis divisa in partes tres";
	struct srtp_keys *keys = gcm_keys(crypto, key_len);
	uint8_t header[12], text[38], all[38 + 16];
	struct srtp_op op = {
		.keys = keys, .text = text, .text_len = 38, .auth = header, .auth_len = 12};
	unhex("8040f17b8041f8d35501a0b2", header);
	memcpy(text, plain, 38);
	srtp_keys_iv(keys, 0x5501a0b2, 0xf17b, op.iv);
	expect_hex(op.iv, "51753c6580c2726f20718414");
	srtp_crypto_seal(crypto, &op);
	memcpy(all, text, 38);
	memcpy(all + 38, op.tag, 16);
	expect_hex(all, want);
	srtp_crypto_open(crypto, &op);
	assert_memory_equal(text, plain, 38);
	expect_hex(op.tag, want + 76);
	free(keys);
}

/* RFC 7714 16.1.1 and 16.2.1 */
static void aead_is_that_of_rfc_7714(void **state)
{
	expect_gcm(*state, 16,
		   "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
		   "899d7f27beb16a9152cf765ee4390cce");
	expect_gcm(*state, 32,
		   "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
		   "7aa3db36dfffd6b0f9bb7878d7a76c13");
}

static void batches_of_all_sizes_agree_with_one_by_one(void **state)
{
	static const enum flow_srtp_suite suites[] = {FLOW_SRTP_AES_CM_128_HMAC_SHA1_80,
						      FLOW_SRTP_AES_192_CM_HMAC_SHA1_80,
						      FLOW_SRTP_AES_256_CM_HMAC_SHA1_80};
	struct srtp_keys *keys[3];
	static uint8_t text[2][CRYPTO_BATCH][200];
	static struct srtp_op op[2][CRYPTO_BATCH];
	struct srtp_op *ops[CRYPTO_BATCH];
	for (unsigned k = 0; k < 3; k++) {
		struct flow_srtp srtp = {.suite = suites[k], .key = {(uint8_t)k, 1, 2}};
		keys[k] = aligned_alloc(64, srtp_keys_size(flow_srtp_info(suites[k])));
		assert_non_null(keys[k]);
		srtp_keys_init(*state, &srtp, false, keys[k]);
	}
	for (unsigned n = 0; n <= CRYPTO_BATCH; n += 7) {
		for (unsigned way = 0; way < 2; way++)
			for (unsigned i = 0; i < n; i++) {
				uint32_t len = (i * 37 + n) % 196;
				memset(text[way][i], (int)i, sizeof(text[way][i]));
				op[way][i] = (struct srtp_op){.keys = keys[i % 3],
							      .text = text[way][i] + 1,
							      .text_len = len,
							      .auth = text[way][i],
							      .auth_len = len + 4};
				srtp_keys_iv(keys[i % 3], i, n, op[way][i].iv);
			}
		for (unsigned i = 0; i < n; i++) {
			struct srtp_op *one = &op[1][i];
			ops[i] = &op[0][i];
			srtp_crypto_cipher(*state, &one, 1);
			srtp_crypto_hash(*state, &one, 1);
		}
		srtp_crypto_cipher(*state, ops, n);
		srtp_crypto_hash(*state, ops, n);
		for (unsigned i = 0; i < n; i++) {
			assert_memory_equal(text[0][i], text[1][i], sizeof(text[0][i]));
			assert_memory_equal(op[0][i].tag, op[1][i].tag, SHA1_LEN);
		}
	}
	for (unsigned k = 0; k < 3; k++)
		free(keys[k]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(keys_are_derived_as_in_rfc_3711),
		T(keys_of_256_bits_are_derived_as_in_rfc_6188),
		T(keys_of_192_bits_are_derived_as_in_rfc_6188),
		T(counter_mode_gives_the_key_stream_of_rfc_3711),
		T(aead_is_that_of_rfc_7714),
		T(batches_of_all_sizes_agree_with_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
