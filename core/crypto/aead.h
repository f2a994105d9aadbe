/* core/crypto/aead.h: the two AEADs of B.1.  Ciphertexts are plaintext + 16 bytes; dst may be src.
 */
#ifndef YR_AEAD_H
#define YR_AEAD_H

#include "core/crypto/kdf.h"

/** AEAD_X: XChaCha20-Poly1305, random 24-byte nonce.  dst: len + YR_TAG_LEN bytes. */
void yr_seal_x(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[24], const void *ad,
               size_t ad_len, const void *src, size_t len);
/** AEAD_X in two steps, for who seals much: the key of an AEAD_C, which all nonces share that begin
 *  with the same 16 bytes; the AEAD_C's own nonce is four zeros and the other 8. */
void yr_subkey_x(uint8_t sub_key[32], const uint8_t key[32], const uint8_t nonce[24]);
/** dst: len - YR_TAG_LEN bytes, untouched on error.  Errors: YR_EAUTH (also when len is too short).
 */
YR_MUST_USE enum yr_err yr_unseal_x(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[24],
                                    const void *ad, size_t ad_len, const void *src, size_t len);

/** AEAD_C: ChaCha20-Poly1305 (ietf) under a full 12-byte nonce (QUIC packet protection). */
void yr_seal_c(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[12], const void *ad,
               size_t ad_len, const void *src, size_t len);
YR_MUST_USE enum yr_err yr_unseal_c(uint8_t *dst, const uint8_t key[32], const uint8_t nonce[12],
                                    const void *ad, size_t ad_len, const void *src, size_t len);
/** QUIC header protection mask (RFC 9001 5.4.4): 5 bytes from a 16-byte sample. */
void yr_hp_mask(uint8_t mask[5], const uint8_t key[32], const uint8_t sample[16]);

#endif
