#include "core/crypto/kdf.h"

#include <sodium.h>

#define PREFIX     "yaari/1/"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define KDF_MIN    16 /* libsodium's shortest BLAKE2b */
#define KDF_MAX    64

static_assert(YR_TAG_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
static_assert(YR_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
static_assert(KDF_MIN == crypto_generichash_BYTES_MIN, "shortest");
static_assert(KDF_MAX == crypto_generichash_BYTES_MAX, "longest");

static const struct {
    const char *text;
    size_t len;
} labels[] = {
#define X(name, text, key) [YR_LABEL_##name] = {text, sizeof text - 1},
    YR_LABEL_MAP(X)
#undef X
};

const char *yr_label_text(enum yr_label label)
{
    YR_ASSERT(label < YR_LABEL_COUNT);
    return labels[label].text;
}

void yr_kdf(uint8_t *out, size_t out_len, const uint8_t key[YR_KEY_LEN], enum yr_label label,
            const void *ctx, size_t ctx_len)
{
    crypto_generichash_state state;
    uint8_t digest[KDF_MAX];
    uint8_t head[1 + PREFIX_LEN] = {0};
    uint8_t ctx_head[2];
    const size_t digest_len = YR_MAX(out_len, (size_t)KDF_MIN);

    YR_ASSERT(out_len >= 1 && out_len <= KDF_MAX && label < YR_LABEL_COUNT &&
              ctx_len <= UINT16_MAX);
    head[0] = (uint8_t)(PREFIX_LEN + labels[label].len);
    memcpy(head + 1, PREFIX, PREFIX_LEN);
    ctx_head[0] = (uint8_t)ctx_len;
    ctx_head[1] = (uint8_t)(ctx_len >> 8);

    crypto_generichash_init(&state, key, YR_KEY_LEN, digest_len);
    crypto_generichash_update(&state, head, sizeof head);
    crypto_generichash_update(&state, (const uint8_t *)labels[label].text, labels[label].len);
    crypto_generichash_update(&state, ctx_head, sizeof ctx_head);
    crypto_generichash_update(&state, ctx, ctx_len);
    crypto_generichash_final(&state, digest, digest_len);
    memcpy(out, digest, out_len);
    sodium_memzero(digest, sizeof digest);
    sodium_memzero(&state, sizeof state);
}

void yr_hash(uint8_t out[YR_HASH_LEN], const void *src, size_t len)
{
    crypto_generichash(out, YR_HASH_LEN, src, len, NULL, 0);
}

void yr_hash16(uint8_t out[YR_HASH16], const void *src, size_t len)
{
    uint8_t full[YR_HASH_LEN];

    yr_hash(full, src, len);
    memcpy(out, full, YR_HASH16);
}

void yr_hash2(uint8_t out[YR_HASH_LEN], const void *a, size_t a_len, const void *b, size_t b_len)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, YR_HASH_LEN);
    crypto_generichash_update(&state, a, a_len);
    crypto_generichash_update(&state, b, b_len);
    crypto_generichash_final(&state, out, YR_HASH_LEN);
}

void yr_mac16(uint8_t out[16], const uint8_t key[YR_KEY_LEN], const void *src, size_t len)
{
    crypto_generichash(out, 16, src, len, key, YR_KEY_LEN);
}

void yr_siphash(uint8_t out[8], const uint8_t key[16], const void *src, size_t len)
{
    static_assert(crypto_shorthash_BYTES == 8 && crypto_shorthash_KEYBYTES == 16, "SipHash-2-4");
    crypto_shorthash(out, src, len, key);
}

bool yr_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void yr_wipe(void *ptr, size_t len)
{
    sodium_memzero(ptr, len);
}

void yr_increment_be(uint8_t *number, size_t len)
{
    while (len-- > 0 && ++number[len] == 0)
        ;
}
