/* core/seal/ratchet.h: Double Ratchet sessions between two friends (B.7, A4), without header
 * encryption: the envelope around hides the header.
 *
 *   start_sender   --encrypt/decrypt--> ...       knows the other's prekey, may send at once
 *   start_receiver --first decrypt--> encrypt/... owns the prekey, sends once it has received
 *
 *   message = ver 1 | sid8 | dh 32 | pn u32 | n u32 | nonce 24 | ct;  AD = sid 16 || first 49 bytes
 *
 * A new state is committed together with what it sealed or opened, before that is used: encrypt
 * changes the session it is given, decrypt makes a new one beside it.  The skipped keys of all
 * sessions with one friend are kept in one store. */
#ifndef YR_RATCHET_H
#define YR_RATCHET_H

#include "core/crypto/noise.h"
#include "core/seal/skipped.h"

/** Bytes a message is longer than its plaintext. */
#define YR_RATCHET_OVERHEAD (1 + 8 + 32 + 4 + 4 + YR_NONCE_LEN + YR_TAG_LEN)

/* ---- prekeys ---- */

/** A prekey as the friend sees it; travels inside authenticated payloads only. */
struct yr_prekey {
    uint32_t id;
    uint8_t pk[32];
    uint32_t exp_s;
};
/** One of our own, for one friend.  When it has been used, its exp_s becomes now + 24 h.  Secret.
 */
struct yr_prekey_own {
    uint32_t id;
    struct yr_keypair pair;
    uint32_t exp_s;
};

void yr_prekey_new(struct yr_prekey_own *out, uint32_t id, uint32_t exp_s,
                   const struct yr_rng *rng);
/** What the friend gets. */
void yr_prekey_public(struct yr_prekey *out, const struct yr_prekey_own *own);

#define YR_PREKEY_LEN (4 + 32 + 4)
/** pkid u32 | PK 32 | exp u32. */
void yr_prekey_encode(uint8_t out[YR_PREKEY_LEN], const struct yr_prekey *prekey);
/** Total.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_prekey_decode(struct yr_prekey *out, const void *src, size_t len);

#define YR_PREKEY_OWN_LEN (1 + 4 + 32 + 4)
/** As a row; returns YR_PREKEY_OWN_LEN. */
size_t yr_prekey_own_encode(uint8_t out[YR_PREKEY_OWN_LEN], const struct yr_prekey_own *own);
/** Total.  Errors: YR_EPROTO; YR_EVERSION. */
YR_MUST_USE enum yr_err yr_prekey_own_decode(struct yr_prekey_own *out, const void *src,
                                             size_t len);

/* ---- sessions ---- */

enum yr_session_flag {
    YR_SESSION_SENDS = 1,   /* there is a sending chain */
    YR_SESSION_RECEIVES = 2 /* there is a receiving chain: the friend has answered */
};

/** One session.  May be copied and assigned; wipe copies with yr_session_clear. */
struct yr_session {
    uint8_t sid[YR_SID_LEN];
    uint8_t flags; /* yr_session_flag */
    uint8_t past_count;
    uint8_t rk[64];
    struct yr_keypair dhs;
    uint8_t dhr[32];
    uint8_t cks[32], ckr[32];
    uint32_t ns, nr, pn;
    uint32_t day;                   /* made on */
    uint8_t past[YR_CHAINS_MAX][8]; /* beginnings of the friend's last ratchet keys, newest first */
};

/** Start on the prekey owner's side.  exporter, h: of the handshake (first contact or prekey
 *  handshake); prekey: own, becomes the first ratchet key. */
void yr_session_start_receiver(struct yr_session *out, const uint8_t exporter[32],
                               const uint8_t h[64], const struct yr_keypair *prekey, uint32_t day);
/** Start on the other side; `prekey` is the friend's public one.
 *  Errors: YR_EAUTH: it is no usable key. */
YR_MUST_USE enum yr_err yr_session_start_sender(struct yr_session *out, const uint8_t exporter[32],
                                                const uint8_t h[64], const uint8_t prekey[32],
                                                uint32_t day, const struct yr_rng *rng);
void yr_session_clear(struct yr_session *session);

/** Seal one message; the session moves on.  out must not overlap plain; cap: len +
 *  YR_RATCHET_OVERHEAD.
 *  Errors: YR_ESIZE; YR_EAGAIN: nothing has been received on it yet; YR_EFULL: 2^32 - 1 messages
 *  without an answer.  On any the session is as before. */
YR_MUST_USE enum yr_err yr_session_encrypt(struct yr_session *session, const struct yr_rng *rng,
                                           const void *plain, size_t len, uint8_t *out, size_t cap,
                                           size_t *out_len);

/** Which session a message is for.  Total.  Errors: YR_EPROTO; YR_EVERSION. */
YR_MUST_USE enum yr_err yr_session_peek(const void *msg, size_t len, uint8_t sid8[8]);

/** Open one message of session `before`.  On YR_OK *after is the session that follows (may be
 *  `before`) and `skipped` has changed with it; on any error nothing has: not *after, not skipped,
 *  not out.
 *  now_s  unix seconds, for the age of skipped keys.
 *  rng    for the next ratchet key of our own.
 *  out    receives len - YR_RATCHET_OVERHEAD bytes.
 *  Errors: YR_EPROTO; YR_EVERSION; YR_EAUTH: it does not open, or is of a chain long past;
 *  YR_EEXIST: this number has been used (a duplicate), or its key is gone; YR_EFULL: more than
 * YR_SKIP_MAX numbers ahead; YR_ESIZE (cap); YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_session_decrypt(const struct yr_session *before,
                                           struct yr_session *after, struct yr_skipped *skipped,
                                           uint64_t now_s, const struct yr_rng *rng,
                                           const void *msg, size_t len, uint8_t *out, size_t cap,
                                           size_t *out_len);

#define YR_SESSION_LEN      (16 + 1 + 1 + 64 + 32 + 32 + 2 * 32 + 3 * 4 + 4 + YR_CHAINS_MAX * 8)
#define YR_SESSIONS_ROW_MAX (2 + YR_SESSIONS_MAX * YR_SESSION_LEN)
/** `count` (<= YR_SESSIONS_MAX) sessions as a row, in their order; returns its length. */
size_t yr_sessions_encode(uint8_t out[YR_SESSIONS_ROW_MAX], const struct yr_session *sessions,
                          size_t count);
/** Total.  *count: how many there are.  Errors: YR_EPROTO; YR_EVERSION. */
YR_MUST_USE enum yr_err yr_sessions_decode(struct yr_session out[YR_SESSIONS_MAX], size_t *count,
                                           const void *src, size_t len);

#endif
