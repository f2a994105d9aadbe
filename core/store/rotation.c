#include "core/store/rotation.h"

static void make_key(struct yr_rowkeys *keys, unsigned slot, uint32_t gen)
{
    keys->slots[slot].gen = gen;
    yr_random(keys->rng, keys->slots[slot].sk, sizeof keys->slots[slot].sk);
}

// ---- the key file ----

bool yr_rotation_keyfile(struct yr_rotation *rotation, const struct yr_rowkeys *keys,
                         struct yr_keyfile *out)
{
    const bool first = rotation->state == YR_ROTATION_FIRST;
    const struct yr_shred_key *key;

    if (rotation->out || rotation->stalled || rotation->state == YR_ROTATION_IDLE ||
        rotation->state == YR_ROTATION_RESEAL)
        return false;
    out->token = rotation->out_token = YR_KEYFILE_TOKEN | ++rotation->count;
    out->slot = first ? keys->active : 1 - keys->active;
    key = &keys->slots[out->slot];
    if (rotation->state == YR_ROTATION_OVERWRITE)
        yr_random(keys->rng, out->bytes, sizeof out->bytes);
    else
        yr_shred_encode(out->bytes, key->gen, key->sk, keys->vk, keys->rng);
    rotation->out = true;
    return true;
}

// The slot that is not active: given up before any row used it, or destroyed.
static void drop_other(struct yr_rotation *rotation, struct yr_rowkeys *keys)
{
    yr_wipe(&keys->slots[1 - keys->active], sizeof keys->slots[0]);
    yr_wipe(&keys->seals[YR_DB_SHRED], sizeof keys->seals[0]); // may be of that key
    rotation->state = YR_ROTATION_IDLE;
}

bool yr_rotation_answer(struct yr_rotation *rotation, struct yr_rowkeys *keys, uint64_t token,
                        enum yr_err err)
{
    if (!rotation->out || rotation->out_token != token)
        return true;
    rotation->out = false;
    switch (rotation->state) {
    case YR_ROTATION_FIRST:
        rotation->stalled = err != YR_OK;
        rotation->state = err == YR_OK ? YR_ROTATION_IDLE : YR_ROTATION_FIRST;
        return err == YR_OK;
    case YR_ROTATION_NEW:
        if (err == YR_OK) {
            keys->active = 1 - keys->active;
            rotation->state = YR_ROTATION_RESEAL;
        } else {
            drop_other(rotation, keys);
        }
        return true;
    case YR_ROTATION_OVERWRITE:
        if (err == YR_OK)
            drop_other(rotation, keys);
        else
            rotation->stalled = true;
        return true;
    case YR_ROTATION_IDLE: // these two write nothing
    case YR_ROTATION_RESEAL: return true;
    }
    return true;
}

enum yr_err yr_rotation_start(struct yr_rotation *rotation, struct yr_rowkeys *keys)
{
    const uint32_t gen = keys->slots[keys->active].gen;

    rotation->stalled = false;
    if (rotation->state != YR_ROTATION_IDLE)
        return YR_OK;
    if (gen == UINT32_MAX)
        return YR_EFULL;
    make_key(keys, 1 - keys->active, gen + 1);
    rotation->state = YR_ROTATION_NEW;
    return YR_OK;
}

void yr_rotation_clear(struct yr_rotation *rotation)
{
    *rotation = (struct yr_rotation){.count = rotation->count};
}

// ---- opening ----

enum yr_err yr_rotation_next_row(const struct yr_store_view *view, enum yr_seek how,
                                 struct yr_rowkey *at, struct yr_kv *kv)
{
    enum yr_err err = view->seek(view->ctx, YR_DB_SHRED, how, at->bytes, at->len, kv);

    if (err != YR_OK)
        return err;
    if (kv->key_len > YR_KEY_MAX)
        return YR_ECORRUPT;
    at->len = kv->key_len;
    memcpy(at->bytes, kv->key, kv->key_len);
    return YR_OK;
}

// The slots that open under the vault key.
static enum yr_err read_slots(struct yr_rowkeys *keys, const uint8_t *file)
{
    struct yr_shred_key *slots = keys->slots;

    for (size_t i = 0; i < YR_COUNT(keys->slots); i++) {
        uint8_t sk[32];
        uint64_t gen;

        if (yr_shred_decode(&gen, sk, file + i * YR_SHRED_SLOT_LEN, keys->vk) == YR_OK &&
            gen != 0 && gen <= UINT32_MAX) {
            slots[i].gen = (uint32_t)gen;
            memcpy(slots[i].sk, sk, sizeof sk);
        }
        yr_wipe(sk, sizeof sk);
    }
    if (slots[0].gen == 0 && slots[1].gen == 0)
        return YR_EAUTH;
    keys->active = slots[1].gen > slots[0].gen;
    return slots[0].gen == slots[1].gen ? YR_ECORRUPT : YR_OK;
}

// Which slots' keys do the rows use?  Stops at the first row when one slot is free.
static enum yr_err scan_gens(const struct yr_rowkeys *keys, const struct yr_store_view *view,
                             bool used[2])
{
    const struct yr_shred_key *slots = keys->slots;
    struct yr_rowkey key = {1, {0}};
    enum yr_seek how = YR_SEEK_GE;
    struct yr_kv kv;
    enum yr_err err;
    uint32_t gen;

    used[0] = used[1] = false;
    for (;; how = YR_SEEK_GT) {
        if ((err = yr_rotation_next_row(view, how, &key, &kv)) != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        if ((err = yr_row_gen(kv.value, kv.value_len, &gen)) != YR_OK)
            return err;
        if (gen == 0 || (gen != slots[0].gen && gen != slots[1].gen))
            return YR_ECORRUPT;
        used[gen == slots[1].gen] = true;
        if (slots[0].gen == 0 || slots[1].gen == 0)
            return YR_OK;
    }
}

static enum yr_err make_first(struct yr_rotation *rotation, struct yr_rowkeys *keys,
                              const struct yr_store_view *view)
{
    struct yr_rowkey key = {1, {0}};
    struct yr_kv kv;
    enum yr_err err = yr_rotation_next_row(view, YR_SEEK_GE, &key, &kv);

    if (err == YR_OK)
        return YR_EAUTH; // there are rows, and their key is gone
    if (err != YR_ENOENT)
        return err;
    keys->active = 0;
    make_key(keys, 0, 1);
    rotation->state = YR_ROTATION_FIRST;
    return YR_OK;
}

enum yr_err yr_rotation_open(struct yr_rotation *rotation, struct yr_rowkeys *keys,
                             const struct yr_store_view *view, const uint8_t *file)
{
    unsigned other;
    bool used[2];
    enum yr_err err;

    yr_rotation_clear(rotation);
    if (file == NULL)
        return make_first(rotation, keys, view);
    if ((err = read_slots(keys, file)) != YR_OK || (err = scan_gens(keys, view, used)) != YR_OK)
        return err;
    other = 1 - keys->active;
    if (keys->slots[other].gen == 0)
        rotation->state = YR_ROTATION_IDLE;
    else if (used[keys->active] && !used[other])
        rotation->state = YR_ROTATION_OVERWRITE;
    else
        rotation->state = YR_ROTATION_RESEAL;
    return YR_OK;
}
