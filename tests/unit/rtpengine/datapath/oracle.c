/* oracle.c - SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"
#include <assert.h>
#include <srtp2/srtp.h>
#include <stdlib.h>

struct oracle {
	srtp_t session;
	unsigned char key[64];
	unsigned char mki[FLOW_SRTP_MKI_MAX];
	srtp_master_key_t master;
	srtp_master_key_t *masters[1];
	bool has_mki;
};

static void set_policy(srtp_policy_t *policy, enum flow_srtp_suite suite)
{
	srtp_crypto_policy_t *rtp = &policy->rtp, *rtcp = &policy->rtcp;
	switch (suite) {
	case FLOW_SRTP_AES_CM_128_HMAC_SHA1_80:
	case FLOW_SRTP_AES_CM_128_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(rtp);
		break;
	case FLOW_SRTP_AES_192_CM_HMAC_SHA1_80:
	case FLOW_SRTP_AES_192_CM_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(rtp);
		break;
	case FLOW_SRTP_AES_256_CM_HMAC_SHA1_80:
	case FLOW_SRTP_AES_256_CM_HMAC_SHA1_32:
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(rtp);
		break;
	case FLOW_SRTP_AEAD_AES_128_GCM:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(rtp);
		break;
	default:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(rtp);
	}
	*rtcp = *rtp;
	if (flow_srtp_info(suite)->rtp_tag == 4)
		rtp->auth_tag_len = 4;
}

struct oracle *oracle_create(const struct flow_srtp *srtp, bool is_outgoing)
{
	static bool is_ready;
	const struct flow_srtp_info *suite = flow_srtp_info(srtp->suite);
	struct oracle *oracle = calloc(1, sizeof(*oracle));
	srtp_policy_t policy = {.window_size = 128, .allow_repeat_tx = 0};
	assert(oracle);
	if (!is_ready)
		is_ready = srtp_init() == srtp_err_status_ok;
	memcpy(oracle->key, srtp->key, suite->key_len);
	memcpy(oracle->key + suite->key_len, srtp->salt, suite->salt_len);
	set_policy(&policy, srtp->suite);
	policy.ssrc.type = is_outgoing ? ssrc_any_outbound : ssrc_any_inbound;
	oracle->has_mki = srtp->mki_len > 0;
	if (oracle->has_mki) {
		memcpy(oracle->mki, srtp->mki, srtp->mki_len);
		oracle->master = (srtp_master_key_t){oracle->key, oracle->mki, srtp->mki_len};
		oracle->masters[0] = &oracle->master;
		policy.keys = oracle->masters;
		policy.num_master_keys = 1;
	} else {
		policy.key = oracle->key;
	}
	srtp_err_status_t err = srtp_create(&oracle->session, &policy);
	assert(err == srtp_err_status_ok);
	return oracle;
}

void oracle_destroy(struct oracle *oracle)
{
	srtp_dealloc(oracle->session);
	free(oracle);
}

bool oracle_protect(struct oracle *oracle, bool is_rtcp, uint8_t *data, uint16_t *len)
{
	int size = *len;
	srtp_err_status_t err =
		is_rtcp ? srtp_protect_rtcp_mki(oracle->session, data, &size, oracle->has_mki, 0)
			: srtp_protect_mki(oracle->session, data, &size, oracle->has_mki, 0);
	*len = (uint16_t)size;
	return err == srtp_err_status_ok;
}

bool oracle_unprotect(struct oracle *oracle, bool is_rtcp, uint8_t *data, uint16_t *len)
{
	int size = *len;
	srtp_err_status_t err =
		is_rtcp ? srtp_unprotect_rtcp_mki(oracle->session, data, &size, oracle->has_mki)
			: srtp_unprotect_mki(oracle->session, data, &size, oracle->has_mki);
	*len = (uint16_t)size;
	return err == srtp_err_status_ok;
}
