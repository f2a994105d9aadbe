/* core/store/rowkeys.h: how one row is named and sealed (B.11).
 *
 *     stored key    KDF(VK, "db/idx", table name || 0 || owner)[16] || suffix; where the suffix is
 *                   a person's id, enciphered: who the friends are is nobody's business
 *     stored value  ver 1 | kgen u32 | nonce 24 | AEAD_X(VAL or SK, pad64(plain)), AD = db name ||
 * 0 || key
 *
 * pad64 appends 0x80 and zeroes up to the next multiple of 64.  kgen is 0 in the main map and the
 * generation of SK in the erasable one. */
#ifndef YR_ROWKEYS_H
#define YR_ROWKEYS_H

#include "core/base/bytes.h"
#include "core/crypto/vault.h"
#include "core/limits.h"
#include "core/store/view.h"

#define YR_ROW_VERSION  1
#define YR_ROW_PREFIX   16
#define YR_ROW_PAD      64
#define YR_ROW_HEAD     (1 + 4 + YR_NONCE_LEN)
#define YR_ROW_OVERHEAD (YR_ROW_HEAD + YR_TAG_LEN)

#define YR_ROWS_A_NONCE 64 /* that count in the last 8 bytes of one random nonce */

#define YR_PREFIX_SETS 256 /* two prefixes each: the conversations of a busy hour */

/** A stored key, or a bound of a search, which may be too long to be one. */
struct yr_rowkey {
    size_t len;
    uint8_t bytes[YR_ROW_PREFIX + YR_KEY_MAX];
};

/** The keys of an unlocked store. */
struct yr_rowkeys {
    uint8_t vk[32], val[32];
    struct yr_shred_key {
        uint32_t gen; /* 0: this slot holds no key */
        uint8_t sk[32];
    } slots[2];
    unsigned active;       /* the slot new rows are sealed with */
    uint8_t cache_key[16]; /* so that nobody can aim at one set */
    struct yr_prefix {
        uint8_t table, owner_len; /* length + 1; 0: free */
        uint8_t owner[YR_ID_LEN];
        uint8_t prefix[YR_ROW_PREFIX];
    } cache[YR_PREFIX_SETS][2];
    const struct yr_rng *rng;
    struct yr_row_seal { /* what the next row of a map is sealed with */
        uint8_t nonce[YR_NONCE_LEN], sub_key[32];
        uint32_t gen;
        unsigned left; /* rows until it is drawn anew */
    } seals[YR_DB_COUNT];
};

/** Derive what comes from vk; no slot holds a key yet.  rng borrowed. */
void yr_rowkeys_init(struct yr_rowkeys *keys, const uint8_t vk[32], const struct yr_rng *rng);

/** The bytes that begin every key of (table, owner).  table: a number for the cache. */
void yr_rowkeys_prefix(struct yr_rowkeys *keys, unsigned table, const char *name, const void *owner,
                       size_t owner_len, uint8_t out[YR_ROW_PREFIX]);

/** Encipher an id in place, or (back) decipher it: a Feistel network of four rounds under the vault
 *  key, so that the same id in one table is the same 32 bytes again and nothing else tells it.
 *  Walks meet such rows in no meaningful order. */
void yr_rowkeys_hide(const struct yr_rowkeys *keys, const char *name, uint8_t id[YR_ID_LEN],
                     bool back);

/** Length of a padded plaintext: a multiple of 64, more than `len`. */
static inline uint32_t yr_row_pad(size_t len)
{
    return (uint32_t)((len / YR_ROW_PAD + 1) * YR_ROW_PAD);
}
/** dst: pad + YR_ROW_OVERHEAD bytes.  plain: `pad` bytes, of which `len` are the row's; the rest is
 *  written here. */
void yr_rowkeys_seal(struct yr_rowkeys *keys, enum yr_db db, const uint8_t *key, size_t key_len,
                     uint8_t *plain, size_t len, size_t pad, uint8_t *dst);
/** Length of the padded plaintext of a stored value, a multiple of 64.  Errors: YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_row_check(size_t value_len, size_t *pad);
/** The generation a stored value carries.  Errors: YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_row_gen(const uint8_t *value, size_t value_len, uint32_t *gen);
/** plain: as many bytes as yr_row_check said; *len receives the row's.
 *  Total: errors: YR_ECORRUPT for whatever these keys did not seal. */
YR_MUST_USE enum yr_err yr_rowkeys_open(const struct yr_rowkeys *keys, enum yr_db db,
                                        const uint8_t *key, size_t key_len, const uint8_t *value,
                                        size_t value_len, uint8_t *plain, size_t *len);

/** Bytewise order, the shorter of two that begin alike first. */
static inline int yr_key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    const int order = memcmp(a, b, YR_MIN(a_len, b_len));

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

#endif
