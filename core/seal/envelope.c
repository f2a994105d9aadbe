#include "core/seal/envelope.h"

#include "core/base/bytes.h"
#include "core/crypto/aead.h"

#define VERSION  1
#define AD_LEN   22 /* version, flags, expiry, tag */
#define HEAD_LEN (AD_LEN + YR_NONCE_LEN)
#define END_MARK 0x80 /* after the body, before the zeros */

static_assert(YR_ENVELOPE_OVERHEAD == HEAD_LEN + 1 + 1 + YR_TAG_LEN, "layout of B.6");
static_assert((YR_ENVELOPE_MAX & (YR_ENVELOPE_MAX - 1)) == 0, "buckets are powers of two");

static bool is_bucket(size_t len)
{
    return len >= YR_ENVELOPE_MIN && len <= YR_ENVELOPE_MAX && (len & (len - 1)) == 0;
}

enum yr_err yr_envelope_seal(uint8_t *out, size_t cap, size_t *out_len, const uint8_t env_key[32],
                             const uint8_t tag[16], uint32_t exp_s, enum yr_envelope_kind kind,
                             const void *body, size_t body_len, const struct yr_rng *rng)
{
    uint8_t nonce[YR_NONCE_LEN];

    yr_random(rng, nonce, sizeof nonce);
    return yr_envelope_seal_again(out, cap, out_len, env_key, tag, exp_s, kind, body, body_len,
                                  nonce);
}

enum yr_err yr_envelope_seal_again(uint8_t *out, size_t cap, size_t *out_len,
                                   const uint8_t env_key[32], const uint8_t tag[16], uint32_t exp_s,
                                   enum yr_envelope_kind kind, const void *body, size_t body_len,
                                   const uint8_t nonce[YR_NONCE_LEN])
{
    size_t size = YR_ENVELOPE_MIN;
    struct yr_wr wr;
    uint8_t *plain;

    YR_ASSERT(exp_s % YR_ENVELOPE_STEP_S == 0);
    if (body_len > YR_ENVELOPE_BODY_MAX)
        return YR_ESIZE;
    while (size < body_len + YR_ENVELOPE_OVERHEAD)
        size *= 2;
    if (size > cap)
        return YR_ESIZE;

    wr = yr_wr_init(out, size - YR_TAG_LEN);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u8(&wr, 0); // flags
    yr_wr_u32(&wr, exp_s);
    yr_wr_bytes(&wr, tag, 16);
    yr_wr_bytes(&wr, nonce, YR_NONCE_LEN);
    plain = wr.at;
    yr_wr_u8(&wr, (uint8_t)kind);
    yr_wr_bytes(&wr, body, body_len);
    yr_wr_u8(&wr, END_MARK);
    yr_wr_zero(&wr, (size_t)(wr.end - wr.at));
    YR_ASSERT(yr_wr_ok(&wr));
    yr_seal_x(plain, env_key, nonce, out, AD_LEN, plain, (size_t)(wr.end - plain));
    *out_len = size;
    return YR_OK;
}

enum yr_err yr_envelope_peek(const void *src, size_t len, uint32_t *exp_s, uint8_t tag[16])
{
    struct yr_rd rd = yr_rd_init(src, len);
    uint8_t version, flags;
    uint32_t exp;

    version = yr_rd_u8(&rd);
    flags = yr_rd_u8(&rd);
    exp = yr_rd_u32(&rd);
    if (!is_bucket(len))
        return YR_EPROTO;
    if (version != VERSION || flags != 0)
        return YR_EVERSION;
    if (exp % YR_ENVELOPE_STEP_S != 0)
        return YR_EPROTO;
    if (exp_s != NULL)
        *exp_s = exp;
    if (tag != NULL)
        yr_rd_copy(&rd, tag, 16);
    return YR_OK;
}

// Strip the zeros and the end mark; the length that is left, 0 when there is no mark.
static size_t unpadded(const uint8_t *plain, size_t len)
{
    while (len > 0 && plain[len - 1] == 0)
        len--;
    return len > 0 && plain[len - 1] == END_MARK ? len - 1 : 0;
}

enum yr_err yr_envelope_open(const uint8_t env_key[32], const void *src, size_t len, uint8_t *buf,
                             size_t cap, enum yr_envelope_kind *kind, const uint8_t **body,
                             size_t *body_len)
{
    const uint8_t *env = src;
    enum yr_err err;
    size_t n;

    if ((err = yr_envelope_peek(src, len, NULL, NULL)) != YR_OK)
        return err;
    if (len - HEAD_LEN - YR_TAG_LEN > cap)
        return YR_ESIZE;
    err = yr_unseal_x(buf, env_key, env + AD_LEN, env, AD_LEN, env + HEAD_LEN, len - HEAD_LEN);
    if (err != YR_OK)
        return err;
    n = unpadded(buf, len - HEAD_LEN - YR_TAG_LEN);
    if (n == 0)
        return YR_EPROTO;
    if (buf[0] < YR_ENV_MESSAGE || buf[0] > YR_ENV_COVER)
        return YR_EVERSION;
    *kind = (enum yr_envelope_kind)buf[0];
    *body = buf + 1;
    *body_len = n - 1;
    return YR_OK;
}

void yr_envelope_id(uint8_t eid[YR_HASH16], const void *src, size_t len)
{
    yr_hash16(eid, src, len);
}

uint32_t yr_envelope_exp(uint64_t now_s)
{
    const uint64_t last = YR_MIN(now_s, (uint64_t)UINT32_MAX - YR_ENVELOPE_DAYS * YR_DAY_S) +
                          YR_ENVELOPE_DAYS * YR_DAY_S;

    return (uint32_t)(last - last % YR_ENVELOPE_STEP_S);
}

uint32_t yr_envelope_exp_until(uint64_t now_s, uint64_t until_s)
{
    const uint64_t latest = yr_envelope_exp(now_s);
    const uint64_t rest = until_s % YR_ENVELOPE_STEP_S;

    if (until_s == 0 || until_s >= latest)
        return (uint32_t)latest;
    return (uint32_t)(rest == 0 ? until_s : until_s - rest + YR_ENVELOPE_STEP_S);
}
