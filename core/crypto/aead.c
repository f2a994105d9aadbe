#include "core/crypto/aead.h"

#include <sodium.h>

void yr_subkey_x(uint8_t sub_key[32], const uint8_t key[32], const uint8_t nonce[24])
{
    crypto_core_hchacha20(sub_key, nonce, key, NULL);
}

// XChaCha20-Poly1305 is the ietf construction under HChaCha20(key, nonce[0..15]) with the nonce
// 0^4 || nonce[16..23].
static void x_to_c(uint8_t sub_key[32], uint8_t sub_nonce[12], const uint8_t key[32],
                   const uint8_t nonce[24])
{
    yr_subkey_x(sub_key, key, nonce);
    memset(sub_nonce, 0, 4);
    memcpy(sub_nonce + 4, nonce + 16, 8);
}

void yr_seal_x(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[24], const void *ad,
               size_t ad_len, const void *src, size_t len)
{
    uint8_t sub_key[32], sub_nonce[12];

    x_to_c(sub_key, sub_nonce, key, nonce);
    yr_seal_c(dst, sub_key, sub_nonce, ad, ad_len, src, len);
    sodium_memzero(sub_key, sizeof sub_key);
}

enum yr_err yr_unseal_x(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[24],
                        const void *ad, size_t ad_len, const void *src, size_t len)
{
    uint8_t sub_key[32], sub_nonce[12];
    enum yr_err err;

    x_to_c(sub_key, sub_nonce, key, nonce);
    err = yr_unseal_c(dst, sub_key, sub_nonce, ad, ad_len, src, len);
    sodium_memzero(sub_key, sizeof sub_key);
    return err;
}

void yr_seal_c(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[12], const void *ad,
               size_t ad_len, const void *src, size_t len)
{
    crypto_aead_chacha20poly1305_ietf_encrypt(dst, NULL, src, len, ad, ad_len, NULL, nonce, key);
}

enum yr_err yr_unseal_c(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[12],
                        const void *ad, size_t ad_len, const void *src, size_t len)
{
    const uint8_t *ct = src;

    if (len < YR_TAG_LEN)
        return YR_EAUTH;
    len -= YR_TAG_LEN;
    // Without a destination libsodium only verifies; with one it would zero it on failure, and dst
    // may be src.  What it would do next, the stream from block 1 on, is then done here.
    if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(NULL, NULL, ct, len, ct + len, ad,
                                                           ad_len, nonce, key) != 0)
        return YR_EAUTH;
    if (len > 0)
        crypto_stream_chacha20_ietf_xor_ic(dst, ct, len, nonce, 1, key);
    return YR_OK;
}

void yr_hp_mask(uint8_t mask[5], const uint8_t key[32], const uint8_t sample[16])
{
    static const uint8_t zeros[5];
    const uint32_t counter = (uint32_t)sample[0] | (uint32_t)sample[1] << 8 |
                             (uint32_t)sample[2] << 16 | (uint32_t)sample[3] << 24;

    crypto_stream_chacha20_ietf_xor_ic(mask, zeros, sizeof zeros, sample + 4, counter, key);
}
