#include "core/link/protect.h"

void yr_keyring_init(struct yr_keyring *ring)
{
    memset(ring, 0, sizeof *ring);
    for (size_t i = 0; i < YR_SPACE_COUNT; i++)
        ring->highest[i] = -1;
}

void yr_keyring_clear(struct yr_keyring *ring)
{
    yr_wipe(ring->keys, sizeof ring->keys);
}

void yr_initial_secrets(uint8_t out[2][32], const uint8_t init[32], const uint8_t *dcid,
                        size_t dcid_len)
{
    uint8_t both[64];

    yr_kdf(both, sizeof both, init, YR_LABEL_LINK_INITIAL, dcid, dcid_len);
    memcpy(out[0], both, 32);
    memcpy(out[1], both + 32, 32);
    yr_wipe(both, sizeof both);
}

void yr_packet_keys(const uint8_t secret[32], uint8_t key[32], uint8_t iv[12], uint8_t hp[32])
{
    if (key != NULL)
        yr_kdf(key, 32, secret, YR_LABEL_QUIC_KEY, NULL, 0);
    if (iv != NULL)
        yr_kdf(iv, 12, secret, YR_LABEL_QUIC_IV, NULL, 0);
    if (hp != NULL)
        yr_kdf(hp, 32, secret, YR_LABEL_QUIC_HP, NULL, 0);
}

static struct yr_packet_key *key_new(struct yr_keyring *ring, enum yr_space space)
{
    for (size_t i = 0; i < YR_COUNT(ring->keys); i++) {
        struct yr_packet_key *key = &ring->keys[i];

        if (key->ring == NULL) {
            key->ring = ring;
            key->space = space;
            return key;
        }
    }
    return NULL;
}

enum yr_err yr_direction_init(struct yr_direction *out, struct yr_keyring *ring,
                              enum yr_space space, const uint8_t secret[32])
{
    struct yr_packet_key *aead = key_new(ring, space), *hp = key_new(ring, space);

    if (aead == NULL || hp == NULL)
        return YR_EFULL; // the connection ends, and its ring with it
    yr_packet_keys(secret, aead->key, aead->iv, hp->key);
    memcpy(out->iv, aead->iv, sizeof out->iv);
    out->aead.native_handle = aead;
    out->hp.native_handle = hp;
    return YR_OK;
}

enum yr_err yr_direction_update(struct yr_keyring *ring, uint8_t next[32],
                                ngtcp2_crypto_aead_ctx *aead, uint8_t iv[12],
                                const uint8_t secret[32])
{
    struct yr_packet_key *key = key_new(ring, YR_SPACE_APP);

    if (key == NULL)
        return YR_EFULL;
    yr_kdf(next, 32, secret, YR_LABEL_QUIC_KU, NULL, 0);
    yr_packet_keys(next, key->key, key->iv, NULL);
    memcpy(iv, key->iv, sizeof key->iv);
    aead->native_handle = key;
    return YR_OK;
}

ngtcp2_crypto_ctx yr_crypto_ctx(void)
{
    // No limit on encryptions: the dialler counts its packets and updates long before any, while
    // 0.12.1 ends the connection when its own update does not come through.
    return (ngtcp2_crypto_ctx){
        .aead = {.native_handle = NULL, .max_overhead = YR_TAG_LEN},
        .max_encryption = UINT64_MAX,
        .max_decryption_failure = 1ULL << 36,
    };
}

int yr_protect_encrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                       const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                       const uint8_t *nonce, size_t nonce_len, const uint8_t *ad, size_t ad_len)
{
    const struct yr_packet_key *key = ctx->native_handle;

    (void)aead;
    (void)nonce_len;
    if (key == NULL) // ngtcp2 checks a Retry's tag this way; they are dropped before it sees them
        return NGTCP2_ERR_CALLBACK_FAILURE;
    yr_seal_c(dst, key->key, nonce, ad, ad_len, src, len);
    return 0;
}

// A nonce is the iv with the packet number added without carry to its last 8 bytes.
static int64_t packet_number(const struct yr_packet_key *key, const uint8_t nonce[12])
{
    uint64_t number = 0;

    for (size_t i = 4; i < 12; i++)
        number = number << 8 | (uint8_t)(nonce[i] ^ key->iv[i]);
    return (int64_t)number; // < 2^62
}

int yr_protect_decrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                       const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                       const uint8_t *nonce, size_t nonce_len, const uint8_t *ad, size_t ad_len)
{
    const struct yr_packet_key *key = ctx->native_handle;
    int64_t *highest;

    (void)aead;
    (void)nonce_len;
    if (key == NULL || yr_unseal_c(dst, key->key, nonce, ad, ad_len, src, len) != YR_OK)
        return NGTCP2_ERR_DECRYPT;
    key->ring->opened++;
    // ngtcp2 drops a duplicate 1-RTT packet only after this, so "it decrypts" is no sign of life.
    highest = &key->ring->highest[key->space];
    *highest = YR_MAX(*highest, packet_number(key, nonce));
    return 0;
}

int yr_protect_mask(uint8_t *dst, const ngtcp2_crypto_cipher *cipher,
                    const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample)
{
    const struct yr_packet_key *key = ctx->native_handle;

    (void)cipher;
    if (key == NULL)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    yr_hp_mask(dst, key->key, sample);
    return 0;
}

void yr_protect_forget(struct yr_keyring *ring, void *native_handle)
{
    for (size_t i = 0; i < YR_COUNT(ring->keys); i++)
        if (native_handle == &ring->keys[i])
            yr_wipe(&ring->keys[i], sizeof ring->keys[i]);
}
