#include "core/crypto/vault.h"

#include <sodium.h>

#include "core/base/bytes.h"
#include "core/limits.h"

/* vault.key: magic 8 | ver 1 | alg 1 | ops u32 | mem u64 | salt 16 | slots u8 = 1
 *            | kind 1 | nonce 24 | VK sealed 48  (kind 1)  or  kind 0 | VK 32
 *            | check 16 = H16 of all before: a damaged file is not taken for a wrong passphrase */
#define VERSION   1
#define MAGIC_LEN 8
static const char magic[MAGIC_LEN] = {'y', 'a', 'a', 'r', 'i', '-', 'v', 'k'};

enum { ALG_NONE, ALG_ARGON2ID13 };
enum { SLOT_PLAIN, SLOT_PASSPHRASE };

#define HEAD_LEN (MAGIC_LEN + 1 + 1 + 4 + 8 + 16) /* up to the salt: the AD of the sealed VK */

static void write_head(struct yr_wr *wr, const struct yr_vault_file *file)
{
    yr_wr_bytes(wr, magic, sizeof magic);
    yr_wr_u8(wr, VERSION);
    yr_wr_u8(wr, file->has_passphrase ? ALG_ARGON2ID13 : ALG_NONE);
    if (!file->has_passphrase) {
        yr_wr_zero(wr, 4 + 8 + 16);
        return;
    }
    yr_wr_u32(wr, file->pwhash.ops);
    yr_wr_u64(wr, file->pwhash.mem_bytes);
    yr_wr_bytes(wr, file->pwhash.salt, sizeof file->pwhash.salt);
}

static enum yr_err read_head(struct yr_rd *rd, struct yr_vault_file *file)
{
    uint8_t got[MAGIC_LEN], version, alg;

    yr_rd_copy(rd, got, sizeof got);
    version = yr_rd_u8(rd);
    alg = yr_rd_u8(rd);
    file->pwhash.ops = yr_rd_u32(rd);
    file->pwhash.mem_bytes = yr_rd_u64(rd);
    yr_rd_copy(rd, file->pwhash.salt, sizeof file->pwhash.salt);
    if (rd->bad || memcmp(got, magic, sizeof magic) != 0)
        return YR_EPROTO;
    if (version != VERSION || alg > ALG_ARGON2ID13)
        return YR_EVERSION;
    file->has_passphrase = alg == ALG_ARGON2ID13;
    return YR_OK;
}

static enum yr_err check_pwhash(const struct yr_vault_file *file)
{
    static const struct yr_pwhash none;
    const struct yr_pwhash *p = &file->pwhash;

    if (!file->has_passphrase)
        return p->ops == 0 && p->mem_bytes == 0 && memcmp(p->salt, none.salt, sizeof none.salt) == 0
                   ? YR_OK
                   : YR_EPROTO;
    return p->ops >= YR_PWHASH_OPS_MIN && p->ops <= YR_PWHASH_OPS_MAX &&
                   p->mem_bytes >= (uint64_t)YR_PWHASH_MIB_MIN << 20 &&
                   p->mem_bytes <= (uint64_t)YR_PWHASH_MIB_MAX << 20
               ? YR_OK
               : YR_EINVAL;
}

enum yr_err yr_vault_decode(struct yr_vault_file *out, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_vault_file file = {0};
    uint8_t check[YR_HASH16], want[YR_HASH16], slots, kind;
    enum yr_err err;

    if ((err = read_head(&rd, &file)) != YR_OK)
        goto out;
    err = YR_EPROTO;
    slots = yr_rd_u8(&rd);
    kind = yr_rd_u8(&rd);
    if (slots != 1 || kind != (file.has_passphrase ? SLOT_PASSPHRASE : SLOT_PLAIN))
        goto out;
    if (file.has_passphrase) {
        yr_rd_copy(&rd, file.nonce, sizeof file.nonce);
        yr_rd_copy(&rd, file.boxed, sizeof file.boxed);
    } else {
        yr_rd_copy(&rd, file.vk_plain, sizeof file.vk_plain);
    }
    yr_rd_copy(&rd, check, sizeof check);
    if (!yr_rd_done(&rd))
        goto out;
    yr_hash16(want, src, len - sizeof check);
    if (memcmp(check, want, sizeof check) != 0)
        goto out;
    if ((err = check_pwhash(&file)) == YR_OK)
        *out = file;
out:
    sodium_memzero(&file, sizeof file);
    return err;
}

void yr_vault_encode(const struct yr_vault_file *file, uint8_t out[YR_VAULT_FILE_MAX],
                     size_t *out_len)
{
    struct yr_wr wr = yr_wr_init(out, YR_VAULT_FILE_MAX);
    uint8_t check[YR_HASH16];

    write_head(&wr, file);
    yr_wr_u8(&wr, 1); // slots
    if (file->has_passphrase) {
        yr_wr_u8(&wr, SLOT_PASSPHRASE);
        yr_wr_bytes(&wr, file->nonce, sizeof file->nonce);
        yr_wr_bytes(&wr, file->boxed, sizeof file->boxed);
    } else {
        yr_wr_u8(&wr, SLOT_PLAIN);
        yr_wr_bytes(&wr, file->vk_plain, sizeof file->vk_plain);
    }
    yr_hash16(check, out, yr_wr_len(&wr));
    yr_wr_bytes(&wr, check, sizeof check);
    YR_ASSERT(yr_wr_ok(&wr));
    *out_len = yr_wr_len(&wr);
}

void yr_vault_make(struct yr_vault_file *out, uint8_t vk[32], const struct yr_pwhash *pwhash,
                   const uint8_t *kek, const struct yr_rng *rng)
{
    uint8_t head[HEAD_LEN];
    struct yr_wr wr = yr_wr_init(head, sizeof head);

    memset(out, 0, sizeof *out);
    yr_random(rng, vk, 32);
    if (kek == NULL) {
        memcpy(out->vk_plain, vk, sizeof out->vk_plain);
        return;
    }
    YR_ASSERT(pwhash != NULL);
    out->has_passphrase = true;
    out->pwhash = *pwhash;
    yr_random(rng, out->nonce, sizeof out->nonce);
    write_head(&wr, out);
    yr_seal_x(out->boxed, kek, out->nonce, head, sizeof head, vk, 32);
}

enum yr_err yr_vault_kek(uint8_t kek[32], const struct yr_pwhash *pwhash, const void *passphrase,
                         size_t len)
{
    static_assert(crypto_pwhash_SALTBYTES == 16, "salt of B.11");
    uint8_t key[32];
    enum yr_err err = YR_ENOMEM;

    if (crypto_pwhash(key, sizeof key, passphrase, len, pwhash->salt, pwhash->ops,
                      (size_t)pwhash->mem_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0) {
        memcpy(kek, key, sizeof key);
        err = YR_OK;
    }
    sodium_memzero(key, sizeof key);
    return err;
}

enum yr_err yr_vault_unlock(uint8_t vk[32], const struct yr_vault_file *file, const uint8_t *kek)
{
    uint8_t head[HEAD_LEN];
    struct yr_wr wr = yr_wr_init(head, sizeof head);

    if (!file->has_passphrase) {
        memcpy(vk, file->vk_plain, sizeof file->vk_plain);
        return YR_OK;
    }
    if (kek == NULL)
        return YR_ELOCKED;
    write_head(&wr, file);
    return yr_unseal_x(vk, kek, file->nonce, head, sizeof head, file->boxed, sizeof file->boxed);
}

/* ---- shred.key ---- */

#define SHRED_SEALED (YR_SHRED_SLOT_LEN - YR_HASH16) /* bytes before the check */

static_assert(SHRED_SEALED == 8 + YR_NONCE_LEN + 32 + YR_TAG_LEN, "layout of B.11");

void yr_shred_encode(uint8_t slot[YR_SHRED_SLOT_LEN], uint64_t gen, const uint8_t sk[32],
                     const uint8_t vk[32], const struct yr_rng *rng)
{
    struct yr_wr wr = yr_wr_init(slot, YR_SHRED_SLOT_LEN);
    uint8_t key[YR_KEY_LEN];
    uint8_t *nonce;

    yr_wr_u64(&wr, gen);
    nonce = yr_wr_room(&wr, YR_NONCE_LEN);
    yr_random(rng, nonce, YR_NONCE_LEN);
    yr_kdf(key, sizeof key, vk, YR_LABEL_DB_SHRED, NULL, 0);
    yr_seal_x(yr_wr_room(&wr, 32 + YR_TAG_LEN), key, nonce, slot, 8, sk, 32);
    yr_hash16(yr_wr_room(&wr, YR_HASH16), slot, SHRED_SEALED);
    sodium_memzero(key, sizeof key);
}

enum yr_err yr_shred_decode(uint64_t *gen, uint8_t sk[32], const uint8_t slot[YR_SHRED_SLOT_LEN],
                            const uint8_t vk[32])
{
    struct yr_rd rd = yr_rd_init(slot, YR_SHRED_SLOT_LEN);
    const uint64_t got = yr_rd_u64(&rd);
    const uint8_t *nonce = yr_rd_bytes(&rd, YR_NONCE_LEN);
    const uint8_t *sealed = yr_rd_bytes(&rd, 32 + YR_TAG_LEN);
    uint8_t check[YR_HASH16], key[YR_KEY_LEN];
    enum yr_err err;

    yr_hash16(check, slot, SHRED_SEALED);
    if (memcmp(check, yr_rd_bytes(&rd, YR_HASH16), YR_HASH16) != 0)
        return YR_EAUTH; // half written
    yr_kdf(key, sizeof key, vk, YR_LABEL_DB_SHRED, NULL, 0);
    err = yr_unseal_x(sk, key, nonce, slot, 8, sealed, 32 + YR_TAG_LEN);
    if (err == YR_OK)
        *gen = got;
    sodium_memzero(key, sizeof key);
    return err;
}
