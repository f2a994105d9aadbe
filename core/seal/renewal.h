/* core/seal/renewal.h: how a friend learns that a device key changed: packet 0x24, and the body of
 * an envelope of kind 4.  docs/protocol.md "New devices".
 *
 *     24 | hint 8 | nonce 24 | AEAD_X(KDF(probe key of the direction, "path/cert");
 *     unix ms 8 | certificate 142)
 *
 *     envelope: certificate 142 | pkid u32 | prekey 32 | exp u32
 *
 * The certificate is the sender's own, or the receiver's: whoever is shown a newer certificate of
 * his own identity is an old copy of himself. */
#ifndef YR_RENEWAL_H
#define YR_RENEWAL_H

#include "core/crypto/identity.h"
#include "core/seal/pair.h"
#include "core/seal/ratchet.h"

#define YR_RENEWAL_TYPE  0x24
#define YR_RENEWAL_HEAD  (1 + 8 + YR_NONCE_LEN)
#define YR_RENEWAL_PLAIN (8 + YR_CERT_LEN)
#define YR_RENEWAL_LEN   (YR_RENEWAL_HEAD + YR_RENEWAL_PLAIN + YR_TAG_LEN)

struct yr_renewal {
    uint64_t ms; /* the sender's clock */
    uint8_t cert[YR_CERT_LEN];
};

void yr_renewal_seal(uint8_t out[YR_RENEWAL_LEN], const struct yr_pair *pair,
                     const struct yr_renewal *renewal, const struct yr_rng *rng);
/** Is it of that form, and does its hint say that this pair's friend sent it? */
bool yr_renewal_is(const struct yr_pair *pair, const uint8_t *src, size_t len);
/** Opens it; the certificate is not looked at.  Total.  Errors: YR_EPROTO; YR_EAUTH. */
YR_MUST_USE enum yr_err yr_renewal_open(struct yr_renewal *out, const struct yr_pair *pair,
                                        const uint8_t *src, size_t len);

#define YR_RENEWAL_BODY (YR_CERT_LEN + 4 + 32 + 4)
void yr_renewal_body(uint8_t out[YR_RENEWAL_BODY], const uint8_t cert[YR_CERT_LEN],
                     const struct yr_prekey *prekey);
/** The certificate is not looked at.  Total.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_renewal_body_decode(uint8_t cert[YR_CERT_LEN], struct yr_prekey *prekey,
                                               const uint8_t *src, size_t len);

/** Is `a` newer than `b`, both certificates of one identity?  By generation; of two copies that
 *  were restored to the same one by who was made later, then by key, so that all agree. */
bool yr_cert_newer(const struct yr_cert *a, const struct yr_cert *b);

#endif
