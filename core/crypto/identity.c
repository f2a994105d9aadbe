#include "core/crypto/identity.h"

#include <sodium.h>

#include "core/base/bytes.h"

#define CERT_VERSION 1
#define CERT_SIGNED  (YR_CERT_LEN - crypto_sign_BYTES) /* bytes before the signature */
#define CERT_LABEL   "device"
#define LABEL_MAX    32

static_assert(CERT_SIGNED == 1 + 4 + 8 + 1 + 32 + 32, "layout of B.2");

/* ---- identity ---- */

void yr_identity_from(struct yr_identity *out, const uint8_t root[32], const uint8_t device_sk[32],
                      uint32_t gen, yr_ms created_ms)
{
    uint8_t seed[crypto_sign_SEEDBYTES];

    memset(out, 0, sizeof *out);
    memcpy(out->root, root, sizeof out->root);
    yr_kdf(seed, sizeof seed, root, YR_LABEL_ID_ED, NULL, 0);
    crypto_sign_seed_keypair(out->id, out->sign_sk, seed);
    yr_keypair_from_seed(&out->device, device_sk);
    out->gen = gen;
    out->created_ms = created_ms;
    sodium_memzero(seed, sizeof seed);
}

void yr_identity_new(struct yr_identity *out, const struct yr_rng *rng, yr_ms now_ms)
{
    uint8_t root[32], device[32];

    yr_random(rng, root, sizeof root);
    yr_random(rng, device, sizeof device);
    yr_identity_from(out, root, device, 1, now_ms);
    sodium_memzero(root, sizeof root);
    sodium_memzero(device, sizeof device);
}

void yr_identity_clear(struct yr_identity *identity)
{
    if (identity != NULL)
        sodium_memzero(identity, sizeof *identity);
}

/* ---- signatures ---- */

// label || 0x00 || H(x)
static size_t signed_bytes(uint8_t out[LABEL_MAX + 1 + YR_HASH_LEN], const char *label,
                           const void *msg, size_t len)
{
    const size_t label_len = strlen(label);

    YR_ASSERT(label_len <= LABEL_MAX);
    memcpy(out, label, label_len + 1);
    yr_hash(out + label_len + 1, msg, len);
    return label_len + 1 + YR_HASH_LEN;
}

void yr_sign_keypair(uint8_t public_key[32], uint8_t sign_sk[64], const uint8_t seed[32])
{
    crypto_sign_seed_keypair(public_key, sign_sk, seed);
}

void yr_sign(uint8_t sig[64], const uint8_t sign_sk[64], const char *label, const void *msg,
             size_t len)
{
    uint8_t bytes[LABEL_MAX + 1 + YR_HASH_LEN];
    const size_t n = signed_bytes(bytes, label, msg, len);

    crypto_sign_detached(sig, NULL, bytes, n, sign_sk);
}

enum yr_err yr_verify(const uint8_t sig[64], const uint8_t id[32], const char *label,
                      const void *msg, size_t len)
{
    uint8_t bytes[LABEL_MAX + 1 + YR_HASH_LEN];
    const size_t n = signed_bytes(bytes, label, msg, len);

    return crypto_sign_verify_detached(sig, bytes, n, id) == 0 ? YR_OK : YR_EAUTH;
}

/* ---- device certificate ---- */

void yr_cert_make(uint8_t out[YR_CERT_LEN], const struct yr_identity *identity)
{
    struct yr_wr wr = yr_wr_init(out, YR_CERT_LEN);

    yr_wr_u8(&wr, CERT_VERSION);
    yr_wr_u32(&wr, identity->gen);
    yr_wr_u64(&wr, (uint64_t)identity->created_ms);
    yr_wr_u8(&wr, 0); // flags
    yr_wr_bytes(&wr, identity->id, sizeof identity->id);
    yr_wr_bytes(&wr, identity->device.public_key, sizeof identity->device.public_key);
    yr_sign(yr_wr_room(&wr, crypto_sign_BYTES), identity->sign_sk, CERT_LABEL, out, CERT_SIGNED);
}

enum yr_err yr_cert_open(struct yr_cert *out, const uint8_t cert[YR_CERT_LEN])
{
    struct yr_rd rd = yr_rd_init(cert, YR_CERT_LEN);
    struct yr_cert c = {0};
    enum yr_err err;

    if (yr_rd_u8(&rd) != CERT_VERSION)
        return YR_EVERSION;
    c.gen = yr_rd_u32(&rd);
    c.created_ms = yr_rd_u64(&rd);
    c.flags = yr_rd_u8(&rd);
    yr_rd_copy(&rd, c.id, sizeof c.id);
    yr_rd_copy(&rd, c.dev, sizeof c.dev);
    if (c.gen == 0 || c.created_ms > INT64_MAX)
        return YR_EPROTO;
    err = yr_verify(yr_rd_bytes(&rd, crypto_sign_BYTES), c.id, CERT_LABEL, cert, CERT_SIGNED);
    if (err != YR_OK)
        return err;
    *out = c;
    return YR_OK;
}

/* ---- fingerprint ---- */

void yr_fingerprint(char out[YR_FINGERPRINT_LEN + 1], const uint8_t a[32], const uint8_t b[32])
{
    const bool ordered = memcmp(a, b, 32) <= 0;
    uint8_t both[YR_HASH_LEN], bytes[8];
    struct yr_rd rd;
    uint64_t n;

    yr_hash2(both, ordered ? a : b, 32, ordered ? b : a, 32);
    for (uint8_t group = 0; group < 12; group++) {
        yr_kdf(bytes, sizeof bytes, both, YR_LABEL_FP, &group, 1);
        rd = yr_rd_init(bytes, sizeof bytes);
        n = yr_rd_u64(&rd) % 100000;
        for (size_t digit = 5; digit-- > 0; n /= 10)
            out[group * 6 + digit] = (char)('0' + n % 10);
        out[group * 6 + 5] = group < 11 ? ' ' : '\0';
    }
}
