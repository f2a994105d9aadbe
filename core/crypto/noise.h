/* core/crypto/noise.h: Noise rev 34 handshakes in 25519_ChaChaPoly_BLAKE2b, the patterns the
 * protocol uses, as a small interpreter of their tokens. */
#ifndef YR_NOISE_H
#define YR_NOISE_H

#include "core/crypto/kdf.h"

#define YR_DH_LEN 32

struct yr_keypair {
    uint8_t public_key[32], secret_key[32];
};

/*    X(NAME, name in Noise, pre-messages, messages) */
#define YR_NOISE_MAP(X)                                                            \
    X(KK, "KK", "is rs", {"e es ss", "e ee se"})                                   \
    X(KKPSK0, "KKpsk0", "is rs", {"psk e es ss", "e ee se"}) /* links */           \
    X(KK1, "KK1", "is rs", {"e", "e ee se es"})                                    \
    X(KK1PSK2, "KK1psk2", "is rs", {"e", "e ee se es psk"}) /* prekey handshake */ \
    X(XK, "XK", "rs", {"e es", "e ee", "s se"})                                    \
    X(XKPSK0, "XKpsk0", "rs", {"psk e es", "e ee", "s se"}) /* first contact */

enum yr_noise_pattern {
#define X(name, text, pre, ...) YR_NOISE_##name,
    YR_NOISE_MAP(X)
#undef X
        YR_NOISE_COUNT
};

/** One handshake; all fields are the module's own.  Wipe with yr_noise_clear. */
struct yr_noise {
    enum yr_noise_pattern pattern;
    bool initiator, has_key, use_psk, failed;
    unsigned step;
    uint64_t nonce;
    uint8_t chaining_key[64], hash[64], key[32];
    struct yr_keypair s, e;
    uint8_t rs[32], re[32], psk[32];
};

/** X25519 key pair of a 32-byte secret seed (clamping is libsodium's). */
void yr_keypair_from_seed(struct yr_keypair *pair, const uint8_t seed[32]);

/** s: own static.  rs: the peer's static where the pattern knows it beforehand, else NULL.
 *  psk: NULL in patterns without one.  All borrowed. */
void yr_noise_init(struct yr_noise *hs, enum yr_noise_pattern pattern, bool initiator,
                   const struct yr_keypair *s, const uint8_t *rs, const uint8_t *psk,
                   const void *prologue, size_t prologue_len);

/** Write the pattern's next message with ephemeral secret `e_seed` (32 random bytes).
 *  dst/dst_cap: room; *dst_len: length.  Errors: YR_ESIZE (no room); YR_EAUTH (a DH gave all
 *  zeroes, or it is not our turn, or an earlier error): the handshake is over. */
YR_MUST_USE enum yr_err yr_noise_write(struct yr_noise *hs, const uint8_t e_seed[32],
                                       const void *payload, size_t payload_len, uint8_t *dst,
                                       size_t dst_cap, size_t *dst_len);

/** Read the next message; payload room is payload_cap.  Errors as above; on any the handshake is
 *  over and must be cleared. */
YR_MUST_USE enum yr_err yr_noise_read(struct yr_noise *hs, const void *msg, size_t msg_len,
                                      uint8_t *payload, size_t payload_cap, size_t *payload_len);

/** Let the first message of a KK1 pattern pass without its travelling: it is the ephemeral key
 *  alone, which both sides have beforehand as a prekey, and its tag is under a key that anybody can
 *  make.  own: the initiator's; theirs: the prekey as the responder knows it; the other is NULL. */
void yr_noise_prekey(struct yr_noise *hs, const struct yr_keypair *own, const uint8_t *theirs);

/** All messages of the pattern have passed. */
bool yr_noise_done(const struct yr_noise *hs);

/** After the last message: the keys of both directions and the exporter (third HKDF output, B.1).
 *  Each pointer may be NULL. */
void yr_noise_split(const struct yr_noise *hs, uint8_t i2r[32], uint8_t r2i[32],
                    uint8_t exporter[32]);

void yr_noise_clear(struct yr_noise *hs);

/** Noise HKDF with two outputs of 64 bytes on a 64-byte chaining key (the ratchet's root step). */
void yr_noise_hkdf2(uint8_t out1[64], uint8_t out2[64], const uint8_t chaining_key[64],
                    const void *ikm, size_t ikm_len);
/** X25519.  Errors: YR_EAUTH when the result is all zeroes. */
YR_MUST_USE enum yr_err yr_dh(uint8_t out[32], const uint8_t secret[32],
                              const uint8_t public_key[32]);

#endif
