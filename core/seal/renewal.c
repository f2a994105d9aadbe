#include "core/seal/renewal.h"

#include "core/base/bytes.h"
#include "core/crypto/aead.h"

// As for signals: the pair itself is forgotten, every pair has keys of probes.
static void cert_key(uint8_t key[YR_KEY_LEN], const struct yr_pair *pair, uint8_t dir)
{
    yr_kdf(key, YR_KEY_LEN, pair->probe[dir], YR_LABEL_PATH_CERT, NULL, 0);
}

void yr_renewal_seal(uint8_t out[YR_RENEWAL_LEN], const struct yr_pair *pair,
                     const struct yr_renewal *renewal, const struct yr_rng *rng)
{
    uint8_t plain[YR_RENEWAL_PLAIN], key[YR_KEY_LEN], nonce[YR_NONCE_LEN];
    struct yr_wr wr = yr_wr_init(plain, sizeof plain);

    yr_wr_u64(&wr, renewal->ms);
    yr_wr_bytes(&wr, renewal->cert, YR_CERT_LEN);
    yr_random(rng, nonce, sizeof nonce);
    wr = yr_wr_init(out, YR_RENEWAL_LEN);
    yr_wr_u8(&wr, YR_RENEWAL_TYPE);
    yr_siphash(yr_wr_room(&wr, 8), pair->link_hint[pair->out], nonce, sizeof nonce);
    yr_wr_bytes(&wr, nonce, sizeof nonce);
    cert_key(key, pair, pair->out);
    yr_seal_x(wr.at, key, nonce, out, YR_RENEWAL_HEAD, plain, sizeof plain);
    yr_wipe(key, sizeof key);
}

bool yr_renewal_is(const struct yr_pair *pair, const uint8_t *src, size_t len)
{
    uint8_t want[8];

    if (len != YR_RENEWAL_LEN || src[0] != YR_RENEWAL_TYPE)
        return false;
    yr_siphash(want, pair->link_hint[1 - pair->out], src + 9, YR_NONCE_LEN);
    return yr_equal(want, src + 1, sizeof want);
}

enum yr_err yr_renewal_open(struct yr_renewal *out, const struct yr_pair *pair, const uint8_t *src,
                            size_t len)
{
    uint8_t plain[YR_RENEWAL_PLAIN], key[YR_KEY_LEN];
    struct yr_rd rd;
    enum yr_err err;

    if (len != YR_RENEWAL_LEN || src[0] != YR_RENEWAL_TYPE)
        return YR_EPROTO;
    cert_key(key, pair, (uint8_t)(1 - pair->out));
    err = yr_unseal_x(plain, key, src + 9, src, YR_RENEWAL_HEAD, src + YR_RENEWAL_HEAD,
                      len - YR_RENEWAL_HEAD);
    yr_wipe(key, sizeof key);
    if (err != YR_OK)
        return err;
    rd = yr_rd_init(plain, sizeof plain);
    out->ms = yr_rd_u64(&rd);
    yr_rd_copy(&rd, out->cert, YR_CERT_LEN);
    return YR_OK;
}

void yr_renewal_body(uint8_t out[YR_RENEWAL_BODY], const uint8_t cert[YR_CERT_LEN],
                     const struct yr_prekey *prekey)
{
    struct yr_wr wr = yr_wr_init(out, YR_RENEWAL_BODY);

    yr_wr_bytes(&wr, cert, YR_CERT_LEN);
    yr_wr_u32(&wr, prekey->id);
    yr_wr_bytes(&wr, prekey->pk, 32);
    yr_wr_u32(&wr, prekey->exp_s);
    YR_ASSERT(yr_wr_ok(&wr));
}

enum yr_err yr_renewal_body_decode(uint8_t cert[YR_CERT_LEN], struct yr_prekey *prekey,
                                   const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);

    if (len != YR_RENEWAL_BODY)
        return YR_EPROTO;
    yr_rd_copy(&rd, cert, YR_CERT_LEN);
    prekey->id = yr_rd_u32(&rd);
    yr_rd_copy(&rd, prekey->pk, 32);
    prekey->exp_s = yr_rd_u32(&rd);
    return YR_OK;
}

bool yr_cert_newer(const struct yr_cert *a, const struct yr_cert *b)
{
    if (a->gen != b->gen)
        return a->gen > b->gen;
    if (a->created_ms != b->created_ms)
        return a->created_ms > b->created_ms;
    return memcmp(a->dev, b->dev, sizeof a->dev) > 0;
}
