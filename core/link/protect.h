/* core/link/protect.h: QUIC packet protection without TLS: ChaCha20-Poly1305 and ChaCha20 header
 * protection under keys of our own KDF.  docs/protocol.md "Links", keys. */
#ifndef YR_PROTECT_H
#define YR_PROTECT_H

#include "core/crypto/aead.h"
#include "core/link/quic_compat.h"

#define YR_PACKET_KEYS_MAX                                                \
    24 /* of one connection at once: 4 per level, 5 of key updates, spare \
        */

/** The spaces in which packet numbers are counted. */
enum yr_space { YR_SPACE_INITIAL, YR_SPACE_HANDSHAKE, YR_SPACE_APP, YR_SPACE_COUNT };

/** The keys of one connection, in the form in which ngtcp2 holds on to them. */
struct yr_keyring {
    struct yr_packet_key {
        struct yr_keyring *ring; /* NULL: free */
        enum yr_space space;
        uint8_t key[32], iv[12];
    } keys[YR_PACKET_KEYS_MAX];
    /** Highest packet number that has authenticated in each space, -1: none. */
    int64_t highest[YR_SPACE_COUNT];
    uint64_t opened; /* packets that have authenticated, old ones included */
};

void yr_keyring_init(struct yr_keyring *ring);
void yr_keyring_clear(struct yr_keyring *ring);

/** Secrets of the first packets: [0] the dialler's, [1] the responder's.
 *  init: L_init[dir] of the dial.  dcid: the dialler's first connection id. */
void yr_initial_secrets(uint8_t out[2][32], const uint8_t init[32], const uint8_t *dcid,
                        size_t dcid_len);

/** key, iv and hp of a packet secret; each may be NULL. */
void yr_packet_keys(const uint8_t secret[32], uint8_t key[32], uint8_t iv[12], uint8_t hp[32]);

/** One direction as ngtcp2 wants it. */
struct yr_direction {
    ngtcp2_crypto_aead_ctx aead;
    ngtcp2_crypto_cipher_ctx hp;
    uint8_t iv[12];
};
/** Errors: YR_EFULL: no free key (a peer that updates keys without end). */
YR_MUST_USE enum yr_err yr_direction_init(struct yr_direction *out, struct yr_keyring *ring,
                                          enum yr_space space, const uint8_t secret[32]);

/** Next secret and key of one direction; the header key stays.  Errors as above. */
YR_MUST_USE enum yr_err yr_direction_update(struct yr_keyring *ring, uint8_t next[32],
                                            ngtcp2_crypto_aead_ctx *aead, uint8_t iv[12],
                                            const uint8_t secret[32]);

/** How ngtcp2 is to use them. */
ngtcp2_crypto_ctx yr_crypto_ctx(void);

/** ngtcp2's callbacks; a native_handle is a struct yr_packet_key. */
int yr_protect_encrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                       const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                       const uint8_t *nonce, size_t nonce_len, const uint8_t *ad, size_t ad_len);
int yr_protect_decrypt(uint8_t *dst, const ngtcp2_crypto_aead *aead,
                       const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *src, size_t len,
                       const uint8_t *nonce, size_t nonce_len, const uint8_t *ad, size_t ad_len);
int yr_protect_mask(uint8_t *dst, const ngtcp2_crypto_cipher *cipher,
                    const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample);
/** Wipe one key and free its place; NULL and foreign handles are fine. */
void yr_protect_forget(struct yr_keyring *ring, void *native_handle);

#endif
