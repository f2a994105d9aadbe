#include "core/room/epoch_state.h"

#define ROW_VERSION 1
#define ROW_LEN     (1 + 2 + 16 + 16 + 4 + 4 + 32 + 32 + 8 + 8 + 16 + 32 + 32 + 32)
#define CHAIN_LEN   (32 + 4)
#define OWNER_LEN   (YR_ROOM_ID_LEN + YR_EPOCH_ID_LEN)

/* ---- epochs as rows ---- */

/*    X(member, bit) */
#define FLAG_MAP(X) \
    X(partial, 1) X(whole, 2) X(added, 4) X(open, 8) X(granted, 16) X(kept, 32) X(own, 64)

static uint16_t flags_of(const struct yr_epoch *e)
{
    unsigned flags = 0;

#define X(member, bit) flags |= e->member ? bit : 0u;
    FLAG_MAP(X)
#undef X
    return (uint16_t)flags;
}

static void put_flags(struct yr_epoch *e, uint16_t flags)
{
#define X(member, bit) e->member = (flags & bit) != 0;
    FLAG_MAP(X)
#undef X
}

static size_t encode(const struct yr_epoch *e, uint8_t row[ROW_LEN])
{
    struct yr_wr wr = yr_wr_init(row, ROW_LEN);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u16(&wr, flags_of(e));
    yr_wr_bytes(&wr, e->author, sizeof e->author);
    yr_wr_bytes(&wr, e->parent, sizeof e->parent);
    yr_wr_u32(&wr, e->depth);
    yr_wr_u32(&wr, e->generation);
    yr_wr_bytes(&wr, e->membership, sizeof e->membership);
    yr_wr_bytes(&wr, e->maker, sizeof e->maker);
    yr_wr_u64(&wr, e->seen_ms);
    yr_wr_u64(&wr, e->superseded_ms);
    if (e->added) {
        yr_wr_bytes(&wr, e->commit, sizeof e->commit);
        yr_wr_bytes(&wr, e->before, sizeof e->before);
        yr_wr_bytes(&wr, e->sign_pk, sizeof e->sign_pk);
        yr_wr_bytes(&wr, e->seal_pk, sizeof e->seal_pk);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static enum yr_err decode(struct yr_epoch *e, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);

    if (yr_rd_u8(&rd) != ROW_VERSION)
        return YR_ECORRUPT;
    put_flags(e, yr_rd_u16(&rd));
    yr_rd_copy(&rd, e->author, sizeof e->author);
    yr_rd_copy(&rd, e->parent, sizeof e->parent);
    e->depth = yr_rd_u32(&rd);
    e->generation = yr_rd_u32(&rd);
    yr_rd_copy(&rd, e->membership, sizeof e->membership);
    yr_rd_copy(&rd, e->maker, sizeof e->maker);
    e->seen_ms = yr_rd_u64(&rd);
    e->superseded_ms = yr_rd_u64(&rd);
    if (e->added) {
        yr_rd_copy(&rd, e->commit, sizeof e->commit);
        yr_rd_copy(&rd, e->before, sizeof e->before);
        yr_rd_copy(&rd, e->sign_pk, sizeof e->sign_pk);
        yr_rd_copy(&rd, e->seal_pk, sizeof e->seal_pk);
    }
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

struct yr_epoch *yr_epoch_append(struct yr_epochs *s, const uint8_t id[YR_EPOCH_ID_LEN])
{
    struct yr_epoch *e, **more;

    if (s->count == s->cap) {
        const size_t cap = s->cap == 0 ? 8 : 2 * s->cap;

        if ((more = yr_realloc(s->mem, YR_MEM_ROOM, s->list, cap * sizeof(*more))) == NULL)
            return NULL;
        s->list = more;
        s->cap = cap;
    }
    if ((e = yr_alloc(s->mem, YR_MEM_ROOM, sizeof *e)) == NULL)
        return NULL;
    memcpy(e->id, id, sizeof e->id);
    e->own = true;
    s->list[s->count++] = e;
    return e;
}

static int by_order(const void *a, const void *b)
{
    const struct yr_epoch *x = *(struct yr_epoch *const *)a, *y = *(struct yr_epoch *const *)b;

    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    if (x->generation != y->generation)
        return x->generation < y->generation ? -1 : 1;
    return memcmp(x->id, y->id, sizeof x->id);
}

enum yr_err yr_epoch_load(struct yr_epochs *s)
{
    enum yr_seek how = YR_SEEK_GE;
    uint8_t row[ROW_LEN + 64];
    struct yr_row at = {.suffix_len = 0};
    struct yr_epoch *e;
    enum yr_err err;

    for (; (err = yr_rows_seek(s->rows, YR_TABLE_EPOCH, s->room_id, sizeof s->room_id, how, &at,
                               row, sizeof row)) == YR_OK;
         how = YR_SEEK_GT) {
        if (at.suffix_len != YR_EPOCH_ID_LEN)
            return YR_ECORRUPT;
        if ((e = yr_epoch_append(s, at.suffix)) == NULL)
            return YR_ENOMEM;
        if ((err = decode(e, row, at.value_len)) != YR_OK)
            return err;
    }
    if (s->count > 0)
        qsort(s->list, s->count, sizeof(*s->list), by_order);
    return err == YR_ENOENT ? YR_OK : err;
}

enum yr_err yr_epoch_save(struct yr_epochs *s, const struct yr_epoch *e)
{
    uint8_t row[ROW_LEN];
    const size_t len = encode(e, row);

    return yr_rows_put(s->rows, YR_TABLE_EPOCH, s->room_id, sizeof s->room_id, e->id, sizeof e->id,
                       row, len);
}

/* ---- rows of keys ---- */

#define KEY_SUFFIX_LEN (YR_EPOCH_ID_LEN + 1)

static void key_suffix(uint8_t out[KEY_SUFFIX_LEN], const struct yr_epoch *e,
                       enum yr_epoch_key which)
{
    memcpy(out, e->id, YR_EPOCH_ID_LEN);
    out[YR_EPOCH_ID_LEN] = (uint8_t)which;
}

enum yr_err yr_epoch_get(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which,
                         void *out, size_t cap, size_t *len)
{
    uint8_t suffix[KEY_SUFFIX_LEN];

    key_suffix(suffix, e, which);
    return yr_rows_get(s->rows, YR_TABLE_EPOCHKEY, s->room_id, sizeof s->room_id, suffix,
                       sizeof suffix, out, cap, len);
}

enum yr_err yr_epoch_put(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which,
                         const void *value, size_t len)
{
    uint8_t suffix[KEY_SUFFIX_LEN];

    key_suffix(suffix, e, which);
    return yr_rows_put(s->rows, YR_TABLE_EPOCHKEY, s->room_id, sizeof s->room_id, suffix,
                       sizeof suffix, value, len);
}

enum yr_err yr_epoch_del(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which)
{
    uint8_t suffix[KEY_SUFFIX_LEN];

    key_suffix(suffix, e, which);
    return yr_rows_del(s->rows, YR_TABLE_EPOCHKEY, s->room_id, sizeof s->room_id, suffix,
                       sizeof suffix);
}

static void chain_owner(uint8_t out[OWNER_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                        const uint8_t epoch[YR_EPOCH_ID_LEN])
{
    memcpy(out, room_id, YR_ROOM_ID_LEN);
    memcpy(out + YR_ROOM_ID_LEN, epoch, YR_EPOCH_ID_LEN);
}

// Delete an owner's rows of a table while there are any and *max allows.
static enum yr_err delete_rows(struct yr_rows *rows, enum yr_table table, const uint8_t *owner,
                               size_t owner_len, size_t *max)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_err err = YR_OK;

    for (; *max > 0; --*max) {
        at.suffix_len = 0;
        err = yr_rows_seek(rows, table, owner, owner_len, YR_SEEK_GE, &at, NULL, 0);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        if ((err = yr_rows_del(rows, table, owner, owner_len, at.suffix, at.suffix_len)) != YR_OK)
            return err;
    }
    return YR_OK;
}

static void forget(struct yr_epochs *s, struct yr_epoch *e)
{
    size_t i = 0;

    while (s->list[i] != e)
        i++;
    memmove(s->list + i, s->list + i + 1, (s->count - i - 1) * sizeof(*s->list));
    s->count--;
    yr_free(s->mem, e);
}

enum yr_err yr_epoch_delete(struct yr_epochs *s, struct yr_epoch *e)
{
    uint8_t owner[OWNER_LEN];
    size_t all = SIZE_MAX;
    enum yr_err err;

    chain_owner(owner, s->room_id, e->id);
    err = delete_rows(s->rows, YR_TABLE_EPOCHCHAIN, owner, sizeof owner, &all);
    for (unsigned which = 0; which < YR_EPOCH_KEYS && err == YR_OK; which++)
        err = yr_epoch_del(s, e, (enum yr_epoch_key)which);
    if (err == YR_OK)
        err = yr_rows_del(s->rows, YR_TABLE_EPOCH, s->room_id, sizeof s->room_id, e->id,
                          sizeof e->id);
    if (err == YR_OK)
        forget(s, e);
    return err;
}

enum yr_err yr_epochs_erase(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN], size_t max,
                            bool *more)
{
    struct yr_row at;
    uint8_t owner[OWNER_LEN];
    enum yr_err err;

    for (;;) {
        at.suffix_len = 0;
        err = yr_rows_seek(rows, YR_TABLE_EPOCH, room_id, YR_ROOM_ID_LEN, YR_SEEK_GE, &at, NULL, 0);
        if (err != YR_OK)
            break;
        if (at.suffix_len != YR_EPOCH_ID_LEN)
            return YR_ECORRUPT;
        chain_owner(owner, room_id, at.suffix);
        err = delete_rows(rows, YR_TABLE_EPOCHCHAIN, owner, sizeof owner, &max);
        if (err != YR_OK || max == 0)
            break;
        err = yr_rows_del(rows, YR_TABLE_EPOCH, room_id, YR_ROOM_ID_LEN, at.suffix, at.suffix_len);
        if (err != YR_OK || --max == 0)
            break;
    }
    if (err == YR_ENOENT)
        err = delete_rows(rows, YR_TABLE_EPOCHKEY, room_id, YR_ROOM_ID_LEN, &max);
    if (err == YR_OK)
        *more = max == 0;
    return err;
}

/* ---- trees ---- */

void yr_epoch_root(uint8_t root[32], const uint8_t es[32], enum yr_epoch_key which)
{
    const uint8_t ctx = (uint8_t)which;

    yr_kdf(root, 32, es, YR_LABEL_ROOM_TREE, &ctx, 1);
}

static enum yr_err put_tree(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which,
                            const struct yr_keytree *tree)
{
    uint8_t *row = yr_alloc_secret(s->mem, YR_MEM_ROOM, YR_TREE_LEN_MAX);
    enum yr_err err = YR_ENOMEM;

    if (row != NULL)
        err = yr_epoch_put(s, e, which, row, yr_keytree_encode(tree, row));
    yr_free_secret(s->mem, row);
    return err;
}

static enum yr_err get_tree(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which,
                            struct yr_keytree *tree)
{
    uint8_t *row = yr_alloc_secret(s->mem, YR_MEM_ROOM, YR_TREE_LEN_MAX + 64);
    enum yr_err err = YR_ENOMEM;
    size_t len;

    if (row != NULL)
        err = yr_epoch_get(s, e, which, row, YR_TREE_LEN_MAX + 64, &len);
    if (err == YR_OK && yr_keytree_decode(tree, row, len) != YR_OK)
        err = YR_ECORRUPT;
    yr_free_secret(s->mem, row);
    return err;
}

enum yr_err yr_epoch_put_members(struct yr_epochs *s, const struct yr_epoch *e,
                                 const struct yr_room_member *members, size_t count)
{
    uint8_t *row = yr_alloc(s->mem, YR_MEM_ROOM, count * YR_MID_LEN);
    enum yr_err err = YR_ENOMEM;

    for (size_t i = 0; row != NULL && i < count; i++)
        memcpy(row + i * YR_MID_LEN, members[i].mid, YR_MID_LEN);
    if (row != NULL)
        err = yr_epoch_put(s, e, YR_EPOCH_MEMBERS, row, count * YR_MID_LEN);
    yr_free(s->mem, row);
    return err;
}

static enum yr_err put_roots(struct yr_epochs *s, struct yr_epoch *e, const uint8_t es[32])
{
    struct yr_keytree *tree = yr_alloc_secret(s->mem, YR_MEM_ROOM, sizeof *tree);
    uint8_t root[32];
    enum yr_err err = tree != NULL ? YR_OK : YR_ENOMEM;

    for (unsigned which = YR_EPOCH_CONTENT; which <= YR_EPOCH_ADDS && err == YR_OK; which++) {
        yr_epoch_root(root, es, (enum yr_epoch_key)which);
        yr_keytree_init(tree, root);
        err = put_tree(s, e, (enum yr_epoch_key)which, tree);
    }
    if (err == YR_OK && s->hist_days > 0) {
        yr_epoch_root(root, es, YR_EPOCH_CONTENT);
        err = yr_epoch_put(s, e, YR_EPOCH_KEPT, root, sizeof root);
        e->kept = true;
    }
    yr_wipe(root, sizeof root);
    yr_free_secret(s->mem, tree);
    return err;
}

enum yr_err yr_epoch_install(struct yr_epochs *s, struct yr_epoch *e, const uint8_t es[32],
                             const struct yr_room_member *members, size_t count)
{
    enum yr_err err;

    if ((err = yr_epoch_put_members(s, e, members, count)) != YR_OK ||
        (err = put_roots(s, e, es)) != YR_OK)
        return err;
    e->open = true;
    e->announce = true;
    e->fresh = true;
    return yr_epoch_save(s, e);
}

/* ---- chains ---- */

static void first_key(uint8_t key[32], const uint8_t leaf[32], enum yr_epoch_key which,
                      const uint8_t mid[YR_MID_LEN])
{
    yr_kdf(key, 32, leaf, which == YR_EPOCH_CONTENT ? YR_LABEL_ROOM_CK : YR_LABEL_ROOM_AK, mid,
           YR_MID_LEN);
}

static bool is_member(const uint8_t (*mids)[YR_MID_LEN], size_t count,
                      const uint8_t mid[YR_MID_LEN])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(mids[i], mid, YR_MID_LEN) == 0)
            return true;
    return false;
}

#define MIDS_LEN_MAX (YR_ROOM_MEMBERS_MAX * YR_MID_LEN)

static enum yr_err get_members(struct yr_epochs *s, const struct yr_epoch *e, struct yr_chain *c)
{
    enum yr_err err;
    size_t len;

    if ((c->mids = yr_alloc(s->mem, YR_MEM_ROOM, MIDS_LEN_MAX + 64)) == NULL)
        return YR_ENOMEM;
    err = yr_epoch_get(s, e, YR_EPOCH_MEMBERS, c->mids, MIDS_LEN_MAX + 64, &len);
    if (err == YR_ENOENT || (err == YR_OK && len % YR_MID_LEN != 0))
        return YR_ECORRUPT;
    if (err == YR_OK)
        c->mid_count = len / YR_MID_LEN;
    return err;
}

// The first key of a member that has used none: from the tree, if it is covered.
static enum yr_err begin_in_tree(struct yr_epochs *s, const struct yr_epoch *e, struct yr_chain *c)
{
    const uint32_t place = yr_tree_place(c->mid);
    enum yr_err err;

    if ((err = get_members(s, e, c)) != YR_OK)
        return err;
    if (!is_member((const uint8_t(*)[YR_MID_LEN])c->mids, c->mid_count, c->mid))
        return YR_EPROTO;
    if ((c->tree = yr_alloc_secret(s->mem, YR_MEM_ROOM, sizeof *c->tree)) == NULL)
        return YR_ENOMEM;
    if ((err = get_tree(s, e, c->which, c->tree)) != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    if (yr_keytree_take(c->tree, (const uint8_t(*)[YR_MID_LEN])c->mids, c->mid_count, place,
                        c->leaf) != YR_OK)
        return YR_ECORRUPT; // its chain would have a row
    first_key(c->key, c->leaf, c->which, c->mid);
    return YR_OK;
}

// Whom a known epoch covers that was not made for us.
static enum yr_err granted_members(struct yr_epochs *s, const struct yr_epoch *e,
                                   struct yr_chain *c)
{
    const uint8_t(*maker)[YR_REC_ID_LEN] = (const uint8_t(*)[YR_REC_ID_LEN]) & e->maker;
    struct yr_room_member *members;
    size_t count;
    enum yr_err err;

    if (!e->added)
        return get_members(s, e, c);
    if ((err = yr_epoch_members(s, maker, 1, &members, &count)) != YR_OK)
        return err == YR_ESIZE ? YR_EPROTO : err;
    if ((c->mids = yr_alloc(s->mem, YR_MEM_ROOM, count * YR_MID_LEN)) != NULL)
        for (c->mid_count = 0; c->mid_count < count; c->mid_count++)
            memcpy(c->mids[c->mid_count], members[c->mid_count].mid, YR_MID_LEN);
    yr_free(s->mem, members);
    return c->mids != NULL ? YR_OK : YR_ENOMEM;
}

// The same of an epoch of which we were given the kept root.  Whoever has that could derive a chain
// for anybody.
static enum yr_err begin_in_kept(struct yr_epochs *s, const struct yr_epoch *e, struct yr_chain *c)
{
    uint8_t root[32 + 64];
    enum yr_err err;
    size_t len;

    if (c->which != YR_EPOCH_CONTENT)
        return YR_ENOENT;
    if (e->whole && (err = granted_members(s, e, c)) != YR_OK)
        return err;
    if (e->whole && !is_member((const uint8_t(*)[YR_MID_LEN])c->mids, c->mid_count, c->mid))
        return YR_EPROTO;
    err = yr_epoch_get(s, e, YR_EPOCH_KEPT, root, sizeof root, &len);
    if (err == YR_OK && len != 32)
        err = YR_ECORRUPT;
    if (err == YR_OK) {
        yr_tree_leaf(c->leaf, root, yr_tree_place(c->mid));
        first_key(c->key, c->leaf, c->which, c->mid);
    }
    yr_wipe(root, sizeof root);
    return err;
}

#define CHAIN_SUFFIX_LEN (1 + YR_MID_LEN)

static void chain_suffix(uint8_t out[CHAIN_SUFFIX_LEN], enum yr_epoch_key which,
                         const uint8_t mid[YR_MID_LEN])
{
    out[0] = (uint8_t)which;
    memcpy(out + 1, mid, YR_MID_LEN);
}

static enum yr_err get_chain(struct yr_epochs *s, const struct yr_epoch *e, struct yr_chain *c)
{
    uint8_t owner[OWNER_LEN], suffix[CHAIN_SUFFIX_LEN], row[CHAIN_LEN + 64];
    struct yr_rd rd;
    enum yr_err err;
    size_t len;

    chain_owner(owner, s->room_id, e->id);
    chain_suffix(suffix, c->which, c->mid);
    err = yr_rows_get(s->rows, YR_TABLE_EPOCHCHAIN, owner, sizeof owner, suffix, sizeof suffix, row,
                      sizeof row, &len);
    if (err == YR_OK) {
        rd = yr_rd_init(row, len);
        yr_rd_copy(&rd, c->key, sizeof c->key);
        c->next = yr_rd_u32(&rd);
        err = yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
    }
    yr_wipe(row, sizeof row);
    return err;
}

enum yr_err yr_chain_begin(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which,
                           const uint8_t mid[YR_MID_LEN], struct yr_chain *out)
{
    struct yr_chain c = {.which = which};
    enum yr_err err;

    memcpy(c.mid, mid, YR_MID_LEN);
    err = get_chain(s, e, &c);
    if (err == YR_ENOENT && e->open)
        err = begin_in_tree(s, e, &c);
    else if (err == YR_ENOENT && e->granted)
        err = begin_in_kept(s, e, &c);
    if (err == YR_OK)
        *out = c;
    else
        yr_chain_end(s, &c);
    yr_wipe(&c, sizeof c);
    return err;
}

void yr_chain_step(struct yr_chain *c)
{
    yr_kdf(c->key, 32, c->key, YR_LABEL_ROOM_NEXT, NULL, 0);
    c->next++;
}

static enum yr_err put_chain(struct yr_epochs *s, const struct yr_epoch *e, enum yr_epoch_key which,
                             const uint8_t mid[YR_MID_LEN], const uint8_t key[32], uint32_t next)
{
    uint8_t owner[OWNER_LEN], suffix[CHAIN_SUFFIX_LEN], row[CHAIN_LEN];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_err err;

    chain_owner(owner, s->room_id, e->id);
    chain_suffix(suffix, which, mid);
    yr_wr_bytes(&wr, key, 32);
    yr_wr_u32(&wr, next);
    err = yr_rows_put(s->rows, YR_TABLE_EPOCHCHAIN, owner, sizeof owner, suffix, sizeof suffix, row,
                      yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
    return err;
}

// The leaf is gone from the tree: chains of others in its place begin now, too.
static enum yr_err put_neighbours(struct yr_epochs *s, const struct yr_epoch *e,
                                  const struct yr_chain *c)
{
    uint8_t key[32];
    enum yr_err err = YR_OK;

    for (size_t i = 0; i < c->mid_count && err == YR_OK; i++) {
        if (yr_tree_place(c->mids[i]) != yr_tree_place(c->mid) ||
            memcmp(c->mids[i], c->mid, YR_MID_LEN) == 0)
            continue;
        first_key(key, c->leaf, c->which, c->mids[i]);
        err = put_chain(s, e, c->which, c->mids[i], key, 0);
    }
    yr_wipe(key, sizeof key);
    return err;
}

enum yr_err yr_chain_save(struct yr_epochs *s, struct yr_epoch *e, const struct yr_chain *c)
{
    enum yr_err err = YR_OK;

    if (c->tree != NULL && (err = put_tree(s, e, c->which, c->tree)) == YR_OK)
        err = put_neighbours(s, e, c);
    if (err == YR_OK)
        err = put_chain(s, e, c->which, c->mid, c->key, c->next);
    return err;
}

void yr_chain_end(struct yr_epochs *s, struct yr_chain *c)
{
    yr_free_secret(s->mem, c->tree);
    yr_free(s->mem, c->mids);
    yr_wipe(c, sizeof *c);
}

enum yr_err yr_epoch_count(struct yr_epochs *s, struct yr_epoch *e)
{
    enum yr_seek how = YR_SEEK_GE;
    uint8_t owner[OWNER_LEN], row[CHAIN_LEN + 64];
    struct yr_row at = {.suffix_len = 0};
    struct yr_rd rd;
    enum yr_err err;

    if (e->counted)
        return YR_OK;
    e->count = 0;
    chain_owner(owner, s->room_id, e->id);
    for (; (err = yr_rows_seek(s->rows, YR_TABLE_EPOCHCHAIN, owner, sizeof owner, how, &at, row,
                               sizeof row)) == YR_OK &&
           at.suffix_len == CHAIN_SUFFIX_LEN && at.suffix[0] == YR_EPOCH_CONTENT;
         how = YR_SEEK_GT) {
        rd = yr_rd_init(row, at.value_len);
        yr_rd_skip(&rd, 32);
        e->count += yr_rd_u32(&rd);
    }
    yr_wipe(row, sizeof row);
    if (err != YR_OK && err != YR_ENOENT)
        return err;
    e->counted = true;
    return YR_OK;
}
