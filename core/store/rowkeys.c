#include "core/store/rowkeys.h"

static const char *const db_names[YR_DB_COUNT] = {[YR_DB_MAIN] = "main", [YR_DB_SHRED] = "shred"};

void yr_rowkeys_init(struct yr_rowkeys *keys, const uint8_t vk[32], const struct yr_rng *rng)
{
    memset(keys, 0, sizeof *keys);
    memcpy(keys->vk, vk, sizeof keys->vk);
    yr_kdf(keys->val, sizeof keys->val, vk, YR_LABEL_DB_VAL, NULL, 0);
    yr_random(rng, keys->cache_key, sizeof keys->cache_key);
    keys->rng = rng;
}

static void derive(const struct yr_rowkeys *keys, const char *name, const void *owner,
                   size_t owner_len, uint8_t out[YR_ROW_PREFIX])
{
    const size_t name_len = strlen(name) + 1; // with its 0
    uint8_t ctx[32 + YR_OWNER_MAX];

    YR_ASSERT(name_len <= 32 && owner_len <= YR_OWNER_MAX);
    memcpy(ctx, name, name_len);
    if (owner_len > 0)
        memcpy(ctx + name_len, owner, owner_len);
    yr_kdf(out, YR_ROW_PREFIX, keys->vk, YR_LABEL_DB_IDX, ctx, name_len + owner_len);
}

static bool cached(const struct yr_prefix *at, unsigned table, const void *owner, size_t owner_len)
{
    return at->table == table && at->owner_len == owner_len + 1 &&
           (owner_len == 0 || memcmp(at->owner, owner, owner_len) == 0);
}

void yr_rowkeys_prefix(struct yr_rowkeys *keys, unsigned table, const char *name, const void *owner,
                       size_t owner_len, uint8_t out[YR_ROW_PREFIX])
{
    uint8_t what[1 + YR_ID_LEN], hash[8];
    struct yr_prefix *set;

    if (owner_len > YR_ID_LEN) {
        derive(keys, name, owner, owner_len, out);
        return;
    }
    what[0] = (uint8_t)table;
    if (owner_len > 0)
        memcpy(what + 1, owner, owner_len);
    yr_siphash(hash, keys->cache_key, what, 1 + owner_len);
    set = keys->cache[hash[0]];
    static_assert(YR_PREFIX_SETS == 256, "one byte of the hash picks the set");

    if (!cached(&set[0], table, owner, owner_len)) { // the one used last stays in front
        const struct yr_prefix front = set[0];

        set[0] = set[1];
        set[1] = front;
        if (!cached(&set[0], table, owner, owner_len)) {
            set[0].table = (uint8_t)table;
            set[0].owner_len = (uint8_t)(owner_len + 1);
            if (owner_len > 0)
                memcpy(set[0].owner, owner, owner_len);
            derive(keys, name, owner, owner_len, set[0].prefix);
        }
    }
    memcpy(out, set[0].prefix, YR_ROW_PREFIX);
}

void yr_rowkeys_hide(const struct yr_rowkeys *keys, const char *name, uint8_t id[YR_ID_LEN],
                     bool back)
{
    enum { HALF = YR_ID_LEN / 2, ROUNDS = 4 };
    const size_t name_len = strlen(name) + 1; // with its 0
    uint8_t ctx[32 + 1 + HALF], mask[HALF];

    YR_ASSERT(name_len <= 32);
    memcpy(ctx, name, name_len);
    for (unsigned i = 0; i < ROUNDS; i++) {
        const unsigned round = back ? ROUNDS - 1 - i : i;
        uint8_t *from = id + (round % 2 == 0 ? 0 : HALF), *to = id + (round % 2 == 0 ? HALF : 0);

        ctx[name_len] = (uint8_t)round;
        memcpy(ctx + name_len + 1, from, HALF);
        yr_kdf(mask, HALF, keys->vk, YR_LABEL_DB_HIDE, ctx, name_len + 1 + HALF);
        for (size_t k = 0; k < HALF; k++)
            to[k] ^= mask[k];
    }
}

static size_t ad_of(enum yr_db db, const uint8_t *key, size_t key_len, uint8_t out[8 + YR_KEY_MAX])
{
    const size_t name_len = strlen(db_names[db]) + 1;

    memcpy(out, db_names[db], name_len);
    memcpy(out + name_len, key, key_len);
    return name_len + key_len;
}

// Rows sealed one after the other share the costly half of XChaCha20, under nonces that differ in
// their last 8 bytes.
static struct yr_row_seal *next_seal(struct yr_rowkeys *keys, enum yr_db db, const uint8_t key[32],
                                     uint32_t gen)
{
    struct yr_row_seal *seal = &keys->seals[db];

    if (seal->left == 0 || seal->gen != gen) {
        yr_random(keys->rng, seal->nonce, YR_NONCE_LEN);
        yr_subkey_x(seal->sub_key, key, seal->nonce);
        seal->gen = gen;
        seal->left = YR_ROWS_A_NONCE;
    }
    seal->left--;
    yr_increment_be(seal->nonce + 16, 8);
    return seal;
}

void yr_rowkeys_seal(struct yr_rowkeys *keys, enum yr_db db, const uint8_t *key, size_t key_len,
                     uint8_t *plain, size_t len, size_t pad, uint8_t *dst)
{
    const struct yr_shred_key *shred = &keys->slots[keys->active];
    const struct yr_row_seal *seal = db == YR_DB_MAIN ? next_seal(keys, db, keys->val, 0)
                                                      : next_seal(keys, db, shred->sk, shred->gen);
    struct yr_wr wr = yr_wr_init(dst, YR_ROW_HEAD);
    uint8_t ad[8 + YR_KEY_MAX], sub_nonce[12] = {0};
    const size_t ad_len = ad_of(db, key, key_len, ad);

    YR_ASSERT(pad == yr_row_pad(len) && (db == YR_DB_MAIN || shred->gen != 0));
    memcpy(sub_nonce + 4, seal->nonce + 16, 8);
    memset(plain + len, 0, pad - len);
    plain[len] = 0x80;
    yr_wr_u8(&wr, YR_ROW_VERSION);
    yr_wr_u32(&wr, seal->gen);
    yr_wr_bytes(&wr, seal->nonce, YR_NONCE_LEN);
    yr_seal_c(dst + YR_ROW_HEAD, seal->sub_key, sub_nonce, ad, ad_len, plain, pad);
}

enum yr_err yr_row_check(size_t value_len, size_t *pad)
{
    if (value_len < YR_ROW_OVERHEAD + YR_ROW_PAD ||
        value_len > YR_ROW_OVERHEAD + yr_row_pad(YR_ROW_MAX) ||
        (value_len - YR_ROW_OVERHEAD) % YR_ROW_PAD != 0)
        return YR_ECORRUPT;
    *pad = value_len - YR_ROW_OVERHEAD;
    return YR_OK;
}

enum yr_err yr_row_gen(const uint8_t *value, size_t value_len, uint32_t *gen)
{
    struct yr_rd rd = yr_rd_init(value, value_len);
    const uint8_t version = yr_rd_u8(&rd);
    const uint32_t kgen = yr_rd_u32(&rd);
    size_t pad;

    if (version != YR_ROW_VERSION || yr_row_check(value_len, &pad) != YR_OK)
        return YR_ECORRUPT;
    *gen = kgen;
    return YR_OK;
}

// The key a stored row says it is sealed with, or NULL.
static const uint8_t *key_of(const struct yr_rowkeys *keys, enum yr_db db, uint32_t gen)
{
    if (db == YR_DB_MAIN)
        return gen == 0 ? keys->val : NULL;
    for (size_t i = 0; i < YR_COUNT(keys->slots); i++)
        if (gen != 0 && keys->slots[i].gen == gen)
            return keys->slots[i].sk;
    return NULL;
}

enum yr_err yr_rowkeys_open(const struct yr_rowkeys *keys, enum yr_db db, const uint8_t *key,
                            size_t key_len, const uint8_t *value, size_t value_len, uint8_t *plain,
                            size_t *len)
{
    uint8_t ad[8 + YR_KEY_MAX];
    const uint8_t *secret;
    uint32_t gen;
    size_t end;

    if (key_len > YR_KEY_MAX || yr_row_gen(value, value_len, &gen) != YR_OK ||
        (secret = key_of(keys, db, gen)) == NULL)
        return YR_ECORRUPT;
    if (yr_unseal_x(plain, secret, value + 5, ad, ad_of(db, key, key_len, ad), value + YR_ROW_HEAD,
                    value_len - YR_ROW_HEAD) != YR_OK)
        return YR_ECORRUPT;

    end = value_len - YR_ROW_OVERHEAD;
    for (size_t i = 0; i < YR_ROW_PAD && plain[end - 1] == 0; i++)
        end--;
    if (end == 0 || plain[end - 1] != 0x80 || end - 1 > YR_ROW_MAX ||
        yr_row_pad(end - 1) != value_len - YR_ROW_OVERHEAD)
        return YR_ECORRUPT;
    *len = end - 1;
    return YR_OK;
}
