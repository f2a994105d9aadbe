#include "core/store/rows.h"

#include "core/store/overlay.h"
#include "core/store/rotation.h"

struct yr_rows {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    const struct yr_store_view *view;
    bool unlocked;
    bool failed; /* the transaction in flight did */
    bool broken; /* a write was refused */
    struct yr_rowkeys keys;
    uint64_t dice;
    uint64_t taken, durable;    /* tokens */
    struct yr_overlay *pending; /* NULL: nothing was put */
    struct yr_overlay *flight;  /* NULL: nothing is at the store */
    struct yr_overlay *orphans; /* forgotten here, but the store has not answered yet */
    uint8_t *scratch;           /* padded plaintexts; wiped after each use */
    size_t scratch_cap;

    struct yr_rotation rotation;
    bool resealing; /* the transaction in flight moves all rows to the new key */
};

static const struct {
    const char *name;
    enum yr_db db;
} tables[] = {
#define X(name, text, db, meaning) [YR_TABLE_##name] = {text, YR_DB_##db},
    YR_TABLE_MAP(X)
#undef X
};

enum yr_err yr_rows_new(struct yr_rows **out, struct yr_mem *mem, const struct yr_rng *rng,
                        const struct yr_store_view *view)
{
    struct yr_rows *rows = yr_alloc_secret(mem, YR_MEM_STORE, sizeof *rows);

    if (rows == NULL)
        return YR_ENOMEM;
    rows->mem = mem;
    rows->rng = rng;
    rows->view = view;
    yr_random(rng, &rows->dice, sizeof rows->dice);
    rows->dice |= 1;
    *out = rows;
    return YR_OK;
}

void yr_rows_free(struct yr_rows *rows)
{
    struct yr_overlay *older;

    if (rows == NULL)
        return;
    yr_rows_lock(rows);
    for (; rows->orphans != NULL; rows->orphans = older) {
        older = rows->orphans->older;
        yr_overlay_free(rows->orphans);
    }
    yr_free_secret(rows->mem, rows);
}

// What the store may still be reading is kept, without its plaintexts, until it answers.
static void forget(struct yr_rows *rows)
{
    yr_overlay_free(rows->pending);
    rows->pending = NULL;
    if (rows->flight != NULL && rows->failed) {
        yr_overlay_free(rows->flight);
    } else if (rows->flight != NULL) {
        yr_overlay_wipe(rows->flight);
        rows->flight->older = rows->orphans;
        rows->orphans = rows->flight;
    }
    rows->flight = NULL;
    rows->failed = rows->broken = false;
    rows->resealing = false;
}

enum yr_err yr_rows_vault_key(const struct yr_rows *rows, uint8_t vk[32])
{
    if (!rows->unlocked)
        return YR_ELOCKED;
    memcpy(vk, rows->keys.vk, 32);
    return YR_OK;
}

void yr_rows_lock(struct yr_rows *rows)
{
    forget(rows);
    rows->unlocked = false;
    yr_rotation_clear(&rows->rotation);
    yr_wipe(&rows->keys, sizeof rows->keys);
    yr_free_secret(rows->mem, rows->scratch);
    rows->scratch = NULL;
    rows->scratch_cap = 0;
}

void yr_rows_reset(struct yr_rows *rows)
{
    forget(rows);
}

bool yr_rows_busy(const struct yr_rows *rows)
{
    return (rows->flight != NULL && !rows->failed) || rows->orphans != NULL;
}

bool yr_rows_broken(const struct yr_rows *rows)
{
    return (rows->broken || rows->failed) && !yr_rows_busy(rows);
}

// ---- one row ----

// Is the suffix a person or a room?  These tables are read by id or walked whole, so their order is
// free.
static bool is_hidden(enum yr_table table, size_t suffix_len)
{
    static const bool by_person[YR_TABLE_COUNT] = {
        [YR_TABLE_FRIEND] = true,   [YR_TABLE_CLOCK] = true,   [YR_TABLE_ADDR] = true,
        [YR_TABLE_CONV] = true,     [YR_TABLE_TIMEKEY] = true, [YR_TABLE_SESSION] = true,
        [YR_TABLE_PREKEY] = true,   [YR_TABLE_ROOM] = true,    [YR_TABLE_ROOMFRIEND] = true,
        [YR_TABLE_ROOMSEAL] = true, [YR_TABLE_RELAY] = true,   [YR_TABLE_HABIT] = true,
        [YR_TABLE_CERT] = true,
    };

    return by_person[table] && suffix_len == YR_ID_LEN;
}

static void make_key(struct yr_rows *rows, enum yr_table table, const void *owner, size_t owner_len,
                     const void *suffix, size_t suffix_len, struct yr_rowkey *out)
{
    YR_ASSERT((unsigned)table < YR_TABLE_COUNT && suffix_len <= YR_KEY_MAX);
    yr_rowkeys_prefix(&rows->keys, table, tables[table].name, owner, owner_len, out->bytes);
    if (suffix_len > 0)
        memcpy(out->bytes + YR_ROW_PREFIX, suffix, suffix_len);
    if (is_hidden(table, suffix_len))
        yr_rowkeys_hide(&rows->keys, tables[table].name, out->bytes + YR_ROW_PREFIX, false);
    out->len = YR_ROW_PREFIX + suffix_len;
}

static enum yr_err grow_scratch(struct yr_rows *rows, size_t size)
{
    uint8_t *scratch;

    if (rows->scratch_cap >= size)
        return YR_OK;
    scratch = yr_realloc(rows->mem, YR_MEM_STORE, rows->scratch, size); // holds no secret now
    if (scratch == NULL)
        return YR_ENOMEM;
    rows->scratch = scratch;
    rows->scratch_cap = size;
    return YR_OK;
}

// A stored row, opened into `out`.
static enum yr_err open_row(struct yr_rows *rows, enum yr_db db, const struct yr_kv *kv, void *out,
                            size_t cap, size_t *out_len)
{
    size_t pad, len = 0;
    enum yr_err err = yr_row_check(kv->value_len, &pad);

    if (err != YR_OK)
        return err;
    if (cap >= pad) { // the usual case: straight into the caller's buffer
        err = yr_rowkeys_open(&rows->keys, db, kv->key, kv->key_len, kv->value, kv->value_len, out,
                              &len);
    } else if ((err = grow_scratch(rows, pad)) == YR_OK) {
        err = yr_rowkeys_open(&rows->keys, db, kv->key, kv->key_len, kv->value, kv->value_len,
                              rows->scratch, &len);
        if (err == YR_OK && len > cap)
            err = YR_ESIZE;
        if (err == YR_OK && len > 0)
            memcpy(out, rows->scratch, len);
        yr_wipe(rows->scratch, pad);
    }
    if (err == YR_OK)
        *out_len = len;
    return err;
}

static enum yr_err read_entry(const struct yr_entry *entry, void *out, size_t cap, size_t *out_len)
{
    if (entry->len > cap)
        return YR_ESIZE;
    if (entry->len > 0)
        memcpy(out, yr_entry_plain(entry), entry->len);
    *out_len = entry->len;
    return YR_OK;
}

enum yr_err yr_rows_get(struct yr_rows *rows, enum yr_table table, const void *owner,
                        size_t owner_len, const void *suffix, size_t suffix_len, void *out,
                        size_t cap, size_t *out_len)
{
    const struct yr_entry *entry;
    struct yr_rowkey key;
    struct yr_kv kv;
    enum yr_err err;

    if (!rows->unlocked)
        return YR_ELOCKED;
    make_key(rows, table, owner, owner_len, suffix, suffix_len, &key);
    if ((entry = yr_overlay_get(rows->pending, &key)) == NULL)
        entry = yr_overlay_get(rows->flight, &key);
    if (entry != NULL)
        return entry->pad == 0 ? YR_ENOENT : read_entry(entry, out, cap, out_len);
    if (key.len > YR_KEY_MAX)
        return YR_ENOENT;
    kv.key = key.bytes;
    kv.key_len = key.len;
    err = rows->view->get(rows->view->ctx, tables[table].db, key.bytes, key.len, &kv.value,
                          &kv.value_len);
    return err != YR_OK ? err : open_row(rows, tables[table].db, &kv, out, cap, out_len);
}

// The pending entry of a key, to be filled in; pad 0 deletes.
static enum yr_err edit(struct yr_rows *rows, enum yr_table table, const void *owner,
                        size_t owner_len, const void *suffix, size_t suffix_len, uint32_t pad,
                        struct yr_entry **out)
{
    struct yr_rowkey key;
    enum yr_err err = YR_ENOMEM;

    if (!rows->unlocked)
        return YR_ELOCKED;
    if (rows->rotation.state == YR_ROTATION_FIRST)
        rows->rotation.stalled = false; // something waits for the first key: try to write it again
    make_key(rows, table, owner, owner_len, suffix, suffix_len, &key);
    YR_ASSERT(key.len <= YR_KEY_MAX);
    if (rows->pending == NULL)
        rows->pending = yr_overlay_new(rows->mem);
    if (rows->pending != NULL)
        err = yr_overlay_edit(rows->pending, &rows->dice, tables[table].db, &key, pad, out);
    if (err != YR_OK)
        rows->broken = true;
    return err;
}

enum yr_err yr_rows_put(struct yr_rows *rows, enum yr_table table, const void *owner,
                        size_t owner_len, const void *suffix, size_t suffix_len, const void *value,
                        size_t len)
{
    struct yr_entry *entry;
    enum yr_err err;

    if (len > YR_ROW_MAX) {
        rows->broken = rows->unlocked;
        return rows->unlocked ? YR_ESIZE : YR_ELOCKED;
    }
    err = edit(rows, table, owner, owner_len, suffix, suffix_len, yr_row_pad(len), &entry);
    if (err != YR_OK)
        return err;
    if (len > 0)
        memcpy(yr_entry_plain(entry), value, len);
    entry->len = (uint32_t)len;
    return YR_OK;
}

enum yr_err yr_rows_del(struct yr_rows *rows, enum yr_table table, const void *owner,
                        size_t owner_len, const void *suffix, size_t suffix_len)
{
    struct yr_entry *entry;

    return edit(rows, table, owner, owner_len, suffix, suffix_len, 0, &entry);
}

// ---- walks: pending over flight over stored ----

enum { PENDING, FLIGHT, STORED, SOURCE_COUNT };

/** A source's nearest row of one prefix. */
struct hit {
    bool found;
    struct yr_kv kv;              // value: of stored rows only
    const struct yr_entry *entry; // of the others
};

// No stored key is longer than YR_KEY_MAX, and this bound parts those the same way.
static enum yr_seek shorten(enum yr_seek how, struct yr_rowkey *bound)
{
    if (bound->len <= YR_KEY_MAX)
        return how;
    bound->len = YR_KEY_MAX;
    return how == YR_SEEK_GE || how == YR_SEEK_GT ? YR_SEEK_GT : YR_SEEK_LE;
}

static enum yr_err seek_source(const struct yr_rows *rows, size_t source, enum yr_db db,
                               enum yr_seek how, const struct yr_rowkey *bound, struct hit *hit)
{
    enum yr_err err = YR_OK;

    memset(hit, 0, sizeof *hit);
    if (source == STORED) {
        err = rows->view->seek(rows->view->ctx, db, how, bound->bytes, bound->len, &hit->kv);
        hit->found = err == YR_OK;
        if (err == YR_ENOENT)
            err = YR_OK;
    } else {
        hit->entry = yr_overlay_seek(source == PENDING ? rows->pending : rows->flight, how, bound);
        hit->found = hit->entry != NULL;
        if (hit->found) {
            hit->kv.key = hit->entry->key;
            hit->kv.key_len = hit->entry->key_len;
        }
    }
    if (hit->found &&
        (hit->kv.key_len < YR_ROW_PREFIX || memcmp(hit->kv.key, bound->bytes, YR_ROW_PREFIX) != 0))
        hit->found = false;
    if (hit->found && hit->kv.key_len > YR_KEY_MAX)
        return YR_ECORRUPT;
    return err;
}

static int compare_keys(const struct yr_kv *a, const struct yr_kv *b)
{
    return yr_key_cmp(a->key, a->key_len, b->key, b->key_len);
}

// The nearest row of all sources, and of equals that of the first source; NULL: none.
static struct hit *nearest(struct hit hits[SOURCE_COUNT], bool up)
{
    struct hit *best = NULL;

    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        if (!hits[i].found)
            continue;
        const int order = best == NULL ? 0 : compare_keys(&hits[i].kv, &best->kv);
        if (best == NULL || (up ? order < 0 : order > 0))
            best = &hits[i];
    }
    return best;
}

// Like yr_rows_seek, up to the row itself, which is lent until the next call to the view.
static enum yr_err find(struct yr_rows *rows, enum yr_db db, enum yr_seek how,
                        struct yr_rowkey *bound, struct hit *out)
{
    const bool up = how == YR_SEEK_GE || how == YR_SEEK_GT;
    bool stale[SOURCE_COUNT] = {true, true, true};
    struct hit hits[SOURCE_COUNT], *best;
    enum yr_err err;

    for (how = shorten(how, bound);; how = up ? YR_SEEK_GT : YR_SEEK_LT) {
        for (size_t i = 0; i < SOURCE_COUNT; i++)
            if (stale[i] && (err = seek_source(rows, i, db, how, bound, &hits[i])) != YR_OK)
                return err;
        if ((best = nearest(hits, up)) == NULL)
            return YR_ENOENT;
        if (best->entry == NULL || best->entry->pad != 0)
            break;
        // A deleted row: on, past it.
        for (size_t i = 0; i < SOURCE_COUNT; i++)
            stale[i] = hits[i].found && compare_keys(&hits[i].kv, &best->kv) == 0;
        bound->len = best->kv.key_len;
        memcpy(bound->bytes, best->kv.key, bound->len);
    }
    *out = *best;
    return YR_OK;
}

enum yr_err yr_rows_seek(struct yr_rows *rows, enum yr_table table, const void *owner,
                         size_t owner_len, enum yr_seek how, struct yr_row *at, void *value,
                         size_t cap)
{
    struct yr_rowkey bound;
    struct hit hit;
    size_t len = 0;
    enum yr_err err;

    if (!rows->unlocked)
        return YR_ELOCKED;
    make_key(rows, table, owner, owner_len, at->suffix, at->suffix_len, &bound);
    if ((err = find(rows, tables[table].db, how, &bound, &hit)) != YR_OK)
        return err;
    if (value == NULL)
        err = YR_OK;
    else if (hit.entry != NULL)
        err = read_entry(hit.entry, value, cap, &len);
    else
        err = open_row(rows, tables[table].db, &hit.kv, value, cap, &len);
    if (err != YR_OK)
        return err;
    at->suffix_len = hit.kv.key_len - YR_ROW_PREFIX;
    memcpy(at->suffix, hit.kv.key + YR_ROW_PREFIX, at->suffix_len);
    if (is_hidden(table, at->suffix_len))
        yr_rowkeys_hide(&rows->keys, tables[table].name, at->suffix, true);
    at->value_len = len;
    return YR_OK;
}

// ---- transactions ----

uint64_t yr_rows_pending(const struct yr_rows *rows)
{
    if (rows->pending != NULL && rows->pending->count > 0)
        return rows->taken + 1;
    return rows->flight != NULL ? rows->taken : rows->durable;
}

uint64_t yr_rows_durable(const struct yr_rows *rows)
{
    return rows->durable;
}

static enum yr_err reseal_row(struct yr_rows *rows, const struct yr_rowkey *key,
                              const struct yr_kv *kv)
{
    struct yr_entry *entry;
    size_t pad, len;
    enum yr_err err;

    if (yr_overlay_get(rows->pending, key) != NULL) // it is written or deleted anyway
        return YR_OK;
    if ((err = yr_row_check(kv->value_len, &pad)) != YR_OK ||
        (err = grow_scratch(rows, pad)) != YR_OK)
        return err;
    err = yr_rowkeys_open(&rows->keys, YR_DB_SHRED, kv->key, kv->key_len, kv->value, kv->value_len,
                          rows->scratch, &len);
    if (err == YR_OK)
        err = yr_overlay_reseal(rows->pending, YR_DB_SHRED, key, (uint32_t)pad, &entry);
    if (err == YR_OK)
        yr_rowkeys_seal(&rows->keys, YR_DB_SHRED, key->bytes, key->len, rows->scratch, len, pad,
                        yr_entry_sealed(entry));
    yr_wipe(rows->scratch, pad);
    return err;
}

// Add every stored row of the erasable map to what is pending, under the new key; or none.
static enum yr_err reseal(struct yr_rows *rows)
{
    struct yr_rowkey key = {1, {0}};
    enum yr_seek how = YR_SEEK_GE;
    struct yr_kv kv;
    enum yr_err err;

    if (rows->pending == NULL && (rows->pending = yr_overlay_new(rows->mem)) == NULL)
        return YR_ENOMEM;
    for (;; how = YR_SEEK_GT) {
        err = yr_rotation_next_row(rows->view, how, &key, &kv);
        if (err == YR_OK)
            err = reseal_row(rows, &key, &kv);
        if (err != YR_OK)
            break;
    }
    if (err == YR_ENOENT)
        return YR_OK;
    yr_overlay_unreseal(rows->pending);
    return err;
}

static void fill_op(struct yr_overlay *overlay, const struct yr_entry *entry)
{
    struct yr_op *op = &overlay->ops[overlay->txn.op_count++];

    YR_ASSERT(overlay->txn.op_count <= overlay->op_cap);
    *op = (struct yr_op){(enum yr_db)entry->db, entry->key, entry->key_len, NULL, 0};
    if (entry->pad > 0) {
        op->value = yr_entry_sealed(entry);
        op->value_len = entry->pad + YR_ROW_OVERHEAD;
    }
    overlay->txn.byte_count += op->key_len + op->value_len;
}

// If that is what the rotation waits for, let what is pending move all rows to the new key.
static void reseal_if_due(struct yr_rows *rows)
{
    struct yr_rotation *rotation = &rows->rotation;

    if (rotation->state != YR_ROTATION_RESEAL || rotation->stalled)
        return;
    rows->resealing = reseal(rows) == YR_OK;
    rotation->stalled = !rows->resealing; // both keys stay, nothing is lost
    if (rows->resealing && rows->pending->count == 0) {
        rows->resealing = false;
        rotation->state = YR_ROTATION_OVERWRITE;
    }
}

const struct yr_txn *yr_rows_take(struct yr_rows *rows)
{
    struct yr_overlay *overlay;

    if (!rows->unlocked || rows->flight != NULL || rows->broken ||
        rows->rotation.state == YR_ROTATION_FIRST)
        return NULL;
    reseal_if_due(rows);
    overlay = rows->pending;
    if (overlay == NULL || overlay->count == 0)
        return NULL;

    overlay->txn = (struct yr_txn){++rows->taken, overlay->ops, 0, 0};
    for (struct yr_entry *at = overlay->head[0]; at != NULL; at = at->next[0]) {
        if (at->pad > 0)
            yr_rowkeys_seal(&rows->keys, (enum yr_db)at->db, at->key, at->key_len,
                            yr_entry_plain(at), at->len, at->pad, yr_entry_sealed(at));
        fill_op(overlay, at);
    }
    for (const struct yr_entry *at = overlay->resealed; at != NULL; at = at->next[0])
        fill_op(overlay, at);
    rows->flight = overlay;
    rows->pending = NULL;
    return &overlay->txn;
}

static void answer_orphan(struct yr_rows *rows, uint64_t token)
{
    for (struct yr_overlay **at = &rows->orphans; *at != NULL; at = &(*at)->older) {
        struct yr_overlay *gone = *at;

        if (gone->txn.token == token) {
            *at = gone->older;
            yr_overlay_free(gone);
            return;
        }
    }
}

static void answer_txn(struct yr_rows *rows, uint64_t token, enum yr_err err)
{
    if (rows->flight == NULL || rows->failed || rows->flight->txn.token != token) {
        answer_orphan(rows, token);
        return;
    }
    if (err != YR_OK) {
        rows->failed = true;
        if (rows->resealing)
            rows->rotation.stalled = true; // a full disk is not tried in a circle
        return;
    }
    rows->durable = token;
    yr_overlay_free(rows->flight);
    rows->flight = NULL;
    if (rows->resealing)
        rows->rotation.state = YR_ROTATION_OVERWRITE;
    rows->resealing = false;
}

bool yr_rows_keyfile(struct yr_rows *rows, struct yr_keyfile *out)
{
    return rows->unlocked && yr_rotation_keyfile(&rows->rotation, &rows->keys, out);
}

void yr_rows_stored(struct yr_rows *rows, uint64_t token, enum yr_err err)
{
    if ((token & YR_KEYFILE_TOKEN) == 0)
        answer_txn(rows, token, err);
    else if (!yr_rotation_answer(&rows->rotation, &rows->keys, token, err))
        rows->broken = true; // what is pending cannot be committed without the first key
}

enum yr_err yr_rows_rotate(struct yr_rows *rows)
{
    return rows->unlocked ? yr_rotation_start(&rows->rotation, &rows->keys) : YR_ELOCKED;
}

bool yr_rows_rotating(const struct yr_rows *rows)
{
    return rows->rotation.state != YR_ROTATION_IDLE && rows->rotation.state != YR_ROTATION_FIRST;
}

// ---- unlocking ----

// Does the first row of the main map open?  Says whether the vault key is the store's.
static enum yr_err try_main(struct yr_rows *rows)
{
    static const uint8_t start[1];
    struct yr_kv kv;
    size_t pad, len;
    enum yr_err err = rows->view->seek(rows->view->ctx, YR_DB_MAIN, YR_SEEK_GE, start, 1, &kv);

    if (err == YR_ENOENT)
        return YR_OK;
    if (err != YR_OK || (err = yr_row_check(kv.value_len, &pad)) != YR_OK ||
        (err = grow_scratch(rows, pad)) != YR_OK)
        return err;
    err = yr_rowkeys_open(&rows->keys, YR_DB_MAIN, kv.key, kv.key_len, kv.value, kv.value_len,
                          rows->scratch, &len);
    yr_wipe(rows->scratch, pad);
    return err;
}

enum yr_err yr_rows_unlock(struct yr_rows *rows, const uint8_t vk[32], const uint8_t *shred_file)
{
    enum yr_err err;

    yr_rows_lock(rows);
    if (yr_rows_busy(rows))
        return YR_EAGAIN;
    yr_rowkeys_init(&rows->keys, vk, rows->rng);
    err = yr_rotation_open(&rows->rotation, &rows->keys, rows->view, shred_file);
    if (err == YR_OK) {
        err = try_main(rows);
        if (err == YR_ECORRUPT && shred_file == NULL)
            err = YR_EAUTH; // nothing else has shown that this is the store's vault key
    }
    if (err == YR_OK)
        rows->unlocked = true;
    else
        yr_rows_lock(rows);
    return err;
}
