/* core/crypto/vault.h: the two key files that stand before the store (B.11).
 *
 *   vault.key   VK, in the clear (no passphrase) or wrapped under Argon2id(passphrase)
 *   shred.key   two 96-byte slots, each SK wrapped under VK; the newer valid one counts
 *
 * Files are read and written by net/; here are only their bytes. */
#ifndef YR_VAULT_H
#define YR_VAULT_H

#include "core/crypto/aead.h"

#define YR_VAULT_FILE_MAX 512
#define YR_SHRED_SLOT_LEN 96
#define YR_SHRED_FILE_LEN (2 * YR_SHRED_SLOT_LEN)

/** Parameters of the passphrase hash, stored with it.  Default t = 3, 256 MiB; floor t = 3, 64 MiB.
 */
struct yr_pwhash {
    uint32_t ops;
    uint64_t mem_bytes;
    uint8_t salt[16];
};

/** vault.key, decoded. */
struct yr_vault_file {
    bool has_passphrase;
    struct yr_pwhash pwhash;
    uint8_t vk_plain[32];         /* without passphrase */
    uint8_t nonce[24], boxed[48]; /* with: VK under KEK */
};

/** Total decoder.  Errors: YR_EPROTO; YR_EVERSION; YR_EINVAL (parameters below the floor, or beyond
 *  64 passes or 4 GiB). */
YR_MUST_USE enum yr_err yr_vault_decode(struct yr_vault_file *out, const void *src, size_t len);
/** *out_len: length written, <= YR_VAULT_FILE_MAX. */
void yr_vault_encode(const struct yr_vault_file *file, uint8_t out[YR_VAULT_FILE_MAX],
                     size_t *out_len);
/** A vault around a fresh VK; kek NULL: without passphrase. */
void yr_vault_make(struct yr_vault_file *out, uint8_t vk[32], const struct yr_pwhash *pwhash,
                   const uint8_t *kek, const struct yr_rng *rng);
/** KEK = Argon2id13(passphrase).  Slow (0.4 s) and large: net/ runs it on a worker thread.
 *  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_vault_kek(uint8_t kek[32], const struct yr_pwhash *pwhash,
                                     const void *passphrase, size_t len);
/** kek NULL when the file has no passphrase.  Errors: YR_EAUTH: wrong passphrase; YR_ELOCKED: one
 * is needed. */
YR_MUST_USE enum yr_err yr_vault_unlock(uint8_t vk[32], const struct yr_vault_file *file,
                                        const uint8_t *kek);

/** One slot of shred.key: gen u64 | nonce 24 | SK under KDF(VK,"db/shred") 48 | check 16. */
void yr_shred_encode(uint8_t slot[YR_SHRED_SLOT_LEN], uint64_t gen, const uint8_t sk[32],
                     const uint8_t vk[32], const struct yr_rng *rng);
/** Errors: YR_EAUTH for an overwritten or foreign slot. */
YR_MUST_USE enum yr_err yr_shred_decode(uint64_t *gen, uint8_t sk[32],
                                        const uint8_t slot[YR_SHRED_SLOT_LEN],
                                        const uint8_t vk[32]);

#endif
