/* core/seal/pair.h: what two friends derive from their pair secret (B.2).
 *
 *   PAIR --derive--> struct yr_pair (vault)              links, probes, beacons, prekey handshake
 *   PAIR --first---> T[d0] --advance--> T[d0+1] ...      (shreddable) one key a UTC day, and from
 * it
 *                      \--> E[dir,d], tag[dir,d]         envelopes
 *
 * PAIR itself is wiped by the caller as soon as both are made.  `dir` is 0 from the smaller
 * identity to the larger one and 1 back; a day is floor(unix seconds / 86,400). */
#ifndef YR_PAIR_H
#define YR_PAIR_H

#include "core/crypto/kdf.h"
#include "core/limits.h"

/** The keys of one generation of a pair.  Secret: wipe with yr_wipe. */
struct yr_pair {
    uint8_t gen;
    uint8_t out; /* dir of what we send: 0 when our identity is the smaller; 1 - out comes in */
    uint8_t link_psk[32];
    uint8_t link_init[2][32]; /* [dir], as below */
    uint8_t link_hint[2][16];
    uint8_t probe[2][32];
    uint8_t lan[2][16];
    uint8_t next[32]; /* P_next: input of the KEM refresh only */
    uint8_t pkh_psk[32];
    uint8_t rel[32];
    uint32_t
        off; /* seconds, < 7,200: offset of the pair's rendezvous epochs; that of gen 0 stays */
};

/** Derive all of it.  pair, own_id, peer_id: borrowed; the two identities differ. */
void yr_pair_derive(struct yr_pair *out, uint8_t gen, const uint8_t pair[32],
                    const uint8_t own_id[32], const uint8_t peer_id[32]);

#define YR_PAIR_ROW_LEN (1 + 1 + 1 + 32 + 2 * 32 + 2 * 16 + 2 * 32 + 2 * 16 + 3 * 32 + 4)
/** As a row; returns YR_PAIR_ROW_LEN. */
size_t yr_pair_encode(uint8_t out[YR_PAIR_ROW_LEN], const struct yr_pair *pair);
/** Total.  Errors: YR_EPROTO; YR_EVERSION. */
YR_MUST_USE enum yr_err yr_pair_decode(struct yr_pair *out, const void *src, size_t len);

/** T[day], the oldest day key that is still kept.  Secret. */
struct yr_timekey {
    uint32_t day;
    uint8_t key[32];
};

/** T[day] of a fresh pair; `day` is d0, the day of its making - 1. */
void yr_timekey_first(struct yr_timekey *out, const uint8_t pair[32], uint32_t day);
/** T[day].  Errors: YR_ENOENT: before the oldest, or more than YR_TIMEKEY_REACH days after it. */
YR_MUST_USE enum yr_err yr_timekey_at(const struct yr_timekey *oldest, uint32_t day,
                                      uint8_t key[32]);
/** Forget all days before `day`: nobody can derive them again.  Days that have been forgotten
 * already are no error.  Errors: YR_ENOENT: further than YR_TIMEKEY_REACH days on; nothing changed.
 */
YR_MUST_USE enum yr_err yr_timekey_advance(struct yr_timekey *tk, uint32_t day);
/** E[dir,day] and the day's tag.  Errors: YR_ENOENT as yr_timekey_at. */
YR_MUST_USE enum yr_err yr_envelope_keys(const struct yr_timekey *oldest, uint8_t dir, uint32_t day,
                                         uint8_t env[32], uint8_t tag[16]);

#define YR_TIMEKEY_ROW_LEN (1 + 4 + 32)
/** As a row; returns YR_TIMEKEY_ROW_LEN. */
size_t yr_timekey_encode(uint8_t out[YR_TIMEKEY_ROW_LEN], const struct yr_timekey *tk);
/** Total.  Errors: YR_EPROTO; YR_EVERSION. */
YR_MUST_USE enum yr_err yr_timekey_decode(struct yr_timekey *out, const void *src, size_t len);

#endif
