/* core/seal/envelope.h: the padded, sealed unit that travels to a friend, over the link or through
 * others (B.6).
 *
 *   ver 1 | flags 1 | exp u32 | tag 16 | nonce 24 | ct      AD = the first 22 bytes
 *   plaintext = kind u8 | body | 0x80 | zeros               so that the whole is a size bucket */
#ifndef YR_ENVELOPE_H
#define YR_ENVELOPE_H

#include "core/crypto/kdf.h"
#include "core/limits.h"

#define YR_ENVELOPE_OVERHEAD (46 + 1 + 1 + YR_TAG_LEN) /* header, kind, end mark, tag */
#define YR_ENVELOPE_BODY_MAX (YR_ENVELOPE_MAX - YR_ENVELOPE_OVERHEAD)

enum yr_envelope_kind {
    YR_ENV_MESSAGE = 1,     /* ratchet message */
    YR_ENV_PREKEY = 2,      /* prekey handshake and ratchet message (B.7) */
    YR_ENV_SESSION_BAD = 3, /* sid8 of a session we cannot read */
    YR_ENV_CERT = 4,        /* device certificate and prekey */
    YR_ENV_COVER = 5        /* discard */
};

/** Seal `body` (may be empty) into the smallest bucket that holds it.  out must not overlap body.
 *  exp_s: yr_envelope_exp().  Errors: YR_ESIZE: more than YR_ENVELOPE_BODY_MAX bytes, or more than
 *  `cap` (YR_ENVELOPE_MAX always does). */
YR_MUST_USE enum yr_err yr_envelope_seal(uint8_t *out, size_t cap, size_t *out_len,
                                         const uint8_t env_key[32], const uint8_t tag[16],
                                         uint32_t exp_s, enum yr_envelope_kind kind,
                                         const void *body, size_t body_len,
                                         const struct yr_rng *rng);

/** The same with this nonce (YR_NONCE_LEN bytes): what is alike comes out alike, byte by byte.  The
 *  nonce is random and serves for this one body and expiry. */
YR_MUST_USE enum yr_err yr_envelope_seal_again(uint8_t *out, size_t cap, size_t *out_len,
                                               const uint8_t env_key[32], const uint8_t tag[16],
                                               uint32_t exp_s, enum yr_envelope_kind kind,
                                               const void *body, size_t body_len,
                                               const uint8_t nonce[YR_NONCE_LEN]);

/** Check the form and read what is in the clear, as a relay does; each out pointer may be NULL.
 *  Total.  Errors: YR_EPROTO; YR_EVERSION: a version or flags of later times. */
YR_MUST_USE enum yr_err yr_envelope_peek(const void *src, size_t len, uint32_t *exp_s,
                                         uint8_t tag[16]);

/** Open with the key of its tag's day.
 *  buf   receives the plaintext; `cap` of len suffices.  Must not overlap src.
 *  body  lent in buf.
 *  Errors: as peek; YR_EAUTH; YR_ESIZE (cap); YR_EPROTO, YR_EVERSION also for a bad end mark and an
 *  unknown kind inside.  buf may be overwritten in the last two cases, else is as it was. */
YR_MUST_USE enum yr_err yr_envelope_open(const uint8_t env_key[32], const void *src, size_t len,
                                         uint8_t *buf, size_t cap, enum yr_envelope_kind *kind,
                                         const uint8_t **body, size_t *body_len);

/** The envelope's id: H16 of all of it. */
void yr_envelope_id(uint8_t eid[YR_HASH16], const void *src, size_t len);

/** The expiry of an envelope sealed at `now_s` (unix): the last multiple of YR_ENVELOPE_STEP_S
 * within YR_ENVELOPE_DAYS. */
uint32_t yr_envelope_exp(uint64_t now_s);
/** ... that is of no use after until_s (0: for ever): rounded up, and never later than that. */
uint32_t yr_envelope_exp_until(uint64_t now_s, uint64_t until_s);

#endif
