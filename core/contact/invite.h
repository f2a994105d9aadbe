/* core/contact/invite.h: the one-time invite as bytes, link and QR.  docs/protocol.md "First
 * contact" (B.5).
 *
 * ver 1 | flags 1 | exp u32 | secret 32 | ID 32 | DEV 32 | gen u32 | hints u8 | n x hint | check 4
 * in Crockford base32 behind "yaari:i/" (lower case), or "YAARI:I/" upper case in a QR, without
 * hints.  Decoding ignores case. */
#ifndef YR_INVITE_H
#define YR_INVITE_H

#include "core/base/bytes.h"
#include "core/crypto/kdf.h"
#include "core/limits.h"

#define YR_INVITE_FLAG_QR   1
#define YR_INVITE_BYTES_MAX (111 + YR_HINTS_MAX * 19)
#define YR_LINK_PREFIX      "yaari:i/"
#define YR_LINK_MAX         (8 + YR_BASE32_LEN(YR_INVITE_BYTES_MAX)) /* characters */
#define YR_INVITE_ID_LEN    8                                        /* characters */

struct yr_invite {
    uint8_t flags;
    uint32_t exp_s; /* unix seconds */
    uint8_t secret[32];
    uint8_t id[32], dev[32]; /* the inviter's identity and device key */
    uint32_t gen;
    unsigned hint_count;
    struct yr_addr hints[YR_HINTS_MAX];
};

/** What both sides derive from the secret. */
struct yr_invite_keys {
    uint8_t psk[32], mac[32], hint[16];
    uint8_t rv[32];                /* F_rv: where the inviter leaves word in the DHT ... */
    uint32_t off;                  /* ... and when its epochs begin, s */
    uint8_t signal[2][32];         /* of signals: [0] to the inviter, [1] to the invitee */
    char id[YR_INVITE_ID_LEN + 1]; /* first characters of Crockford(H16(secret)) */
};
void yr_invite_keys(struct yr_invite_keys *out, const uint8_t secret[32]);

/** The link: NUL-terminated, at most YR_LINK_MAX characters.  qr: upper case, no hints, QR flag. */
void yr_invite_encode(char out[YR_LINK_MAX + 1], const struct yr_invite *invite, bool qr);
/** Total decoder; surrounding white space is allowed.
 *  Errors: YR_EPROTO (form, alphabet, checksum); YR_EVERSION; YR_ESIZE. */
YR_MUST_USE enum yr_err yr_invite_decode(struct yr_invite *out, const char *link, size_t len);

#endif
