#include "tests/support/store_memory.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

// A treap: the order of the keys, balanced by a hash of them.
struct row {
    struct row *left, *right;
    uint64_t priority;
    size_t key_len, value_len;
    uint8_t bytes[]; // key, value
};

struct job {
    struct job *next;
    uint64_t token;
    bool is_keyfile;
    unsigned slot;
    uint8_t slot_bytes[YR_SHRED_SLOT_LEN];
    size_t op_count;
    struct op {
        enum yr_db db;
        bool is_delete;
        size_t key_len, value_len;
        uint8_t *bytes; // key, value
    } * ops;
};

struct fault {
    enum yr_err err;
    size_t count;
};

struct yr_memstore {
    struct yr_store_view view;
    struct row *roots[YR_DB_COUNT];
    size_t counts[YR_DB_COUNT];
    struct job *first, **last;
    size_t waiting;
    bool has_shred;
    uint8_t shred[YR_SHRED_FILE_LEN];
    uint8_t *lent;
    struct fault commit_fault, keyfile_fault, read_fault;
    size_t torn;
};

static void *need(size_t size)
{
    void *ptr = malloc(size > 0 ? size : 1);

    YR_ASSERT(ptr != NULL);
    return ptr;
}

static uint64_t hash_bytes(uint64_t hash, const void *src, size_t len)
{
    const uint8_t *at = src;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x100000001b3ULL;
    return hash;
}

static int compare(const struct row *row, const uint8_t *key, size_t key_len)
{
    const int order = memcmp(row->bytes, key, row->key_len < key_len ? row->key_len : key_len);

    return order != 0 ? order : (row->key_len > key_len) - (row->key_len < key_len);
}

// Part a treap in the rows below `key` and the rest.
static void split(struct row *row, const uint8_t *key, size_t key_len, struct row **below,
                  struct row **rest)
{
    if (row == NULL) {
        *below = *rest = NULL;
    } else if (compare(row, key, key_len) < 0) {
        *below = row;
        split(row->right, key, key_len, &row->right, rest);
    } else {
        *rest = row;
        split(row->left, key, key_len, below, &row->left);
    }
}

static struct row *join(struct row *below, struct row *above)
{
    if (below == NULL || above == NULL)
        return below != NULL ? below : above;
    if (below->priority > above->priority) {
        below->right = join(below->right, above);
        return below;
    }
    above->left = join(below, above->left);
    return above;
}

static struct row **find(struct row **at, const uint8_t *key, size_t key_len)
{
    int order;

    while (*at != NULL && (order = compare(*at, key, key_len)) != 0)
        at = order < 0 ? &(*at)->right : &(*at)->left;
    return at;
}

static void put(struct yr_memstore *store, enum yr_db db, const uint8_t *key, size_t key_len,
                const uint8_t *value, size_t value_len)
{
    struct row **at = find(&store->roots[db], key, key_len);
    struct row *row = need(sizeof *row + key_len + value_len), *below, *above;

    row->left = row->right = NULL;
    row->priority = hash_bytes(0xcbf29ce484222325ULL, key, key_len) * 0x9e3779b97f4a7c15ULL;
    row->key_len = key_len;
    row->value_len = value_len;
    memcpy(row->bytes, key, key_len);
    if (value_len > 0)
        memcpy(row->bytes + key_len, value, value_len);

    if (*at != NULL) {
        struct row *old = *at;

        row->left = old->left;
        row->right = old->right;
        *at = row;
        free(old);
        return;
    }
    split(store->roots[db], key, key_len, &below, &above);
    store->roots[db] = join(join(below, row), above);
    store->counts[db]++;
}

static void del(struct yr_memstore *store, enum yr_db db, const uint8_t *key, size_t key_len)
{
    struct row **at = find(&store->roots[db], key, key_len), *gone = *at;

    if (gone == NULL)
        return;
    *at = join(gone->left, gone->right);
    free(gone);
    store->counts[db]--;
}

static void free_rows(struct row *row)
{
    while (row != NULL) {
        struct row *right = row->right;

        free_rows(row->left);
        free(row);
        row = right;
    }
}

static void walk(const struct row *row, void (*visit)(void *ctx, const struct row *row), void *ctx)
{
    for (; row != NULL; row = row->right) {
        walk(row->left, visit, ctx);
        visit(ctx, row);
    }
}

// ---- the view ----

static bool strike(struct fault *fault, enum yr_err *err)
{
    if (fault->count == 0)
        return false;
    fault->count--;
    *err = fault->err;
    return true;
}

static const uint8_t *lend(struct yr_memstore *store, const struct row *row)
{
    free(store->lent);
    store->lent = need(row->key_len + row->value_len);
    memcpy(store->lent, row->bytes, row->key_len + row->value_len);
    return store->lent;
}

static enum yr_err view_get(void *ctx, enum yr_db db, const uint8_t *key, size_t key_len,
                            const uint8_t **value, size_t *value_len)
{
    struct yr_memstore *store = ctx;
    const struct row *row;
    enum yr_err err;

    YR_ASSERT((unsigned)db < YR_DB_COUNT && key_len > 0 && key_len <= YR_KEY_MAX);
    if (strike(&store->read_fault, &err))
        return err;
    if ((row = *find(&store->roots[db], key, key_len)) == NULL)
        return YR_ENOENT;
    *value = lend(store, row) + row->key_len;
    *value_len = row->value_len;
    return YR_OK;
}

static enum yr_err view_seek(void *ctx, enum yr_db db, enum yr_seek how, const uint8_t *key,
                             size_t key_len, struct yr_kv *out)
{
    const bool up = how == YR_SEEK_GE || how == YR_SEEK_GT;
    const bool equal = how == YR_SEEK_GE || how == YR_SEEK_LE;
    struct yr_memstore *store = ctx;
    const struct row *best = NULL;
    enum yr_err err;

    YR_ASSERT((unsigned)db < YR_DB_COUNT && key_len > 0 && key_len <= YR_KEY_MAX);
    if (strike(&store->read_fault, &err))
        return err;
    for (const struct row *at = store->roots[db]; at != NULL;) {
        const int order = compare(at, key, key_len);
        const bool wanted = order == 0 ? equal : (order > 0) == up;

        if (wanted)
            best = at;
        at = wanted == up ? at->left : at->right;
    }
    if (best == NULL)
        return YR_ENOENT;
    out->key = lend(store, best);
    out->key_len = best->key_len;
    out->value = out->key + best->key_len;
    out->value_len = best->value_len;
    return YR_OK;
}

const struct yr_store_view *yr_memstore_view(struct yr_memstore *store)
{
    return &store->view;
}

const uint8_t *yr_memstore_shred_file(const struct yr_memstore *store)
{
    return store->has_shred ? store->shred : NULL;
}

// ---- the queue ----

static void free_job(struct job *job)
{
    for (size_t i = 0; i < job->op_count; i++)
        free(job->ops[i].bytes);
    free(job->ops);
    free(job);
}

static struct job *queue(struct yr_memstore *store, uint64_t token)
{
    struct job *job = need(sizeof *job);

    memset(job, 0, sizeof *job);
    job->token = token;
    *store->last = job;
    store->last = &job->next;
    store->waiting++;
    return job;
}

static struct job *unqueue(struct yr_memstore *store)
{
    struct job *job = store->first;

    store->first = job->next;
    if (store->first == NULL)
        store->last = &store->first;
    store->waiting--;
    return job;
}

void yr_memstore_submit(struct yr_memstore *store, const struct yr_txn *txn)
{
    struct job *job = queue(store, txn->token);
    size_t byte_count = 0;

    job->ops = need(txn->op_count * sizeof *job->ops);
    job->op_count = txn->op_count;
    for (size_t i = 0; i < txn->op_count; i++) {
        const struct yr_op *from = &txn->ops[i];
        struct op *to = &job->ops[i];

        YR_ASSERT(from->key_len > 0 && (unsigned)from->db < YR_DB_COUNT);
        *to = (struct op){from->db, from->value == NULL, from->key_len, from->value_len, NULL};
        to->bytes = need(from->key_len + from->value_len);
        memcpy(to->bytes, from->key, from->key_len);
        if (from->value_len > 0)
            memcpy(to->bytes + from->key_len, from->value, from->value_len);
        byte_count += from->key_len + from->value_len;
    }
    YR_ASSERT(byte_count == txn->byte_count);
}

void yr_memstore_submit_keyfile(struct yr_memstore *store, uint64_t token, unsigned slot,
                                const uint8_t bytes[YR_SHRED_SLOT_LEN])
{
    struct job *job = queue(store, token);

    YR_ASSERT(slot < 2);
    job->is_keyfile = true;
    job->slot = slot;
    memcpy(job->slot_bytes, bytes, YR_SHRED_SLOT_LEN);
}

static void write_slot(struct yr_memstore *store, const struct job *job, size_t bytes)
{
    if (!store->has_shred && bytes < YR_SHRED_SLOT_LEN)
        return; // the file is made whole, under another name, and then renamed
    store->has_shred = true;
    memcpy(store->shred + job->slot * YR_SHRED_SLOT_LEN, job->slot_bytes, bytes);
}

bool yr_memstore_commit_next(struct yr_memstore *store, uint64_t *token, enum yr_err *result)
{
    struct job *job;

    if (store->first == NULL)
        return false;
    job = unqueue(store);
    *token = job->token;
    *result = YR_OK;
    if (job->is_keyfile) {
        const bool struck = strike(&store->keyfile_fault, result);

        write_slot(store, job, struck ? store->torn : YR_SHRED_SLOT_LEN);
    } else if (!strike(&store->commit_fault, result)) {
        for (const struct op *op = job->ops; op < job->ops + job->op_count; op++) {
            if (op->is_delete)
                del(store, op->db, op->bytes, op->key_len);
            else
                put(store, op->db, op->bytes, op->key_len, op->bytes + op->key_len, op->value_len);
        }
    }
    free_job(job);
    return true;
}

size_t yr_memstore_waiting(const struct yr_memstore *store)
{
    return store->waiting;
}

bool yr_memstore_first_is_keyfile(const struct yr_memstore *store)
{
    return store->first != NULL && store->first->is_keyfile;
}

void yr_memstore_crash(struct yr_memstore *store)
{
    while (store->first != NULL)
        free_job(unqueue(store));
}

void yr_memstore_crash_during_keyfile(struct yr_memstore *store, size_t bytes)
{
    const struct job *job = store->first;

    YR_ASSERT(bytes <= YR_SHRED_SLOT_LEN);
    while (job != NULL && !job->is_keyfile)
        job = job->next;
    if (job != NULL)
        write_slot(store, job, bytes);
    yr_memstore_crash(store);
}

void yr_memstore_fail(struct yr_memstore *store, enum yr_err err, size_t count)
{
    store->commit_fault = (struct fault){err, count};
}

void yr_memstore_fail_keyfile(struct yr_memstore *store, enum yr_err err, size_t count, size_t torn)
{
    YR_ASSERT(torn <= YR_SHRED_SLOT_LEN);
    store->keyfile_fault = (struct fault){err, count};
    store->torn = torn;
}

void yr_memstore_fail_reads(struct yr_memstore *store, enum yr_err err, size_t count)
{
    store->read_fault = (struct fault){err, count};
}

// ---- the whole ----

struct yr_memstore *yr_memstore_new(void)
{
    struct yr_memstore *store = need(sizeof *store);

    memset(store, 0, sizeof *store);
    store->view = (struct yr_store_view){store, view_get, view_seek};
    store->last = &store->first;
    return store;
}

static void free_all(struct yr_memstore *store)
{
    yr_memstore_crash(store);
    for (size_t db = 0; db < YR_DB_COUNT; db++) {
        free_rows(store->roots[db]);
        store->roots[db] = NULL;
        store->counts[db] = 0;
    }
}

void yr_memstore_free(struct yr_memstore *store)
{
    if (store == NULL)
        return;
    free_all(store);
    free(store->lent);
    free(store);
}

struct copying {
    struct yr_memstore *to;
    enum yr_db db;
};

static void copy_row(void *ctx, const struct row *row)
{
    const struct copying *copying = ctx;

    put(copying->to, copying->db, row->bytes, row->key_len, row->bytes + row->key_len,
        row->value_len);
}

void yr_memstore_restore(struct yr_memstore *store, const struct yr_memstore *copy)
{
    free_all(store);
    for (int db = 0; db < YR_DB_COUNT; db++) {
        struct copying copying = {store, (enum yr_db)db};

        walk(copy->roots[db], copy_row, &copying);
    }
    store->has_shred = copy->has_shred;
    memcpy(store->shred, copy->shred, sizeof store->shred);
}

struct yr_memstore *yr_memstore_copy(const struct yr_memstore *store)
{
    struct yr_memstore *copy = yr_memstore_new();

    yr_memstore_restore(copy, store);
    return copy;
}

size_t yr_memstore_count(const struct yr_memstore *store, enum yr_db db)
{
    return store->counts[db];
}

static void hash_row(void *ctx, const struct row *row)
{
    uint64_t *hash = ctx;

    *hash = hash_bytes(*hash, &row->key_len, sizeof row->key_len);
    *hash = hash_bytes(*hash, row->bytes, row->key_len + row->value_len);
}

uint64_t yr_memstore_hash(const struct yr_memstore *store)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t db = 0; db < YR_DB_COUNT; db++) {
        hash = hash_bytes(hash, &store->counts[db], sizeof store->counts[db]);
        walk(store->roots[db], hash_row, &hash);
    }
    return store->has_shred ? hash_bytes(hash, store->shred, sizeof store->shred) : hash;
}
