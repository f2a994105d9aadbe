// One suite for every store back end: what the core relies on, of LMDB and of the simulator's
// memory store alike.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/store_lmdb.h"
#include "tests/support/seeded.h"
#include "tests/support/store_memory.h"
#include "tests/support/test.h"

#define MIB ((size_t)1 << 20)

// ---- the two back ends behind one face ----

struct fixture {
    const struct backend *backend;
    const struct yr_store_view *view;
    uint64_t token;
    struct yr_memstore *memory;
    struct yr_lmdb *lmdb;
    char dir[64];
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t answered;
    enum yr_err answer;
    int fault;          // what the next commit fails with
    bool held, arrived; // a commit stops at the gate while held
};

struct backend {
    void (*open)(struct fixture *f);
    void (*close)(struct fixture *f); // what is committed stays
    void (*drop)(struct fixture *f);
    void (*submit)(struct fixture *f, const struct yr_txn *txn);
    enum yr_err (*wait)(struct fixture *f, uint64_t token);
    void (*fail_next)(struct fixture *f, enum yr_err err);
    void (*hold)(struct fixture *f, bool held); // true returns when a commit is under way
};

static void memory_open(struct fixture *f)
{
    if (f->memory == NULL)
        f->memory = yr_memstore_new();
    f->view = yr_memstore_view(f->memory);
}

static void memory_close(struct fixture *f)
{
    yr_memstore_crash(f->memory);
}

static void memory_drop(struct fixture *f)
{
    yr_memstore_free(f->memory);
}

static void memory_submit(struct fixture *f, const struct yr_txn *txn)
{
    yr_memstore_submit(f->memory, txn);
}

static enum yr_err memory_wait(struct fixture *f, uint64_t token)
{
    enum yr_err err = YR_EINVAL;
    uint64_t done = 0;

    while (done != token)
        assert_true(yr_memstore_commit_next(f->memory, &done, &err));
    return err;
}

static void memory_fail_next(struct fixture *f, enum yr_err err)
{
    yr_memstore_fail(f->memory, err, 1);
}

static void memory_hold(struct fixture *f, bool held)
{
    (void)f; // nothing is committed before memory_wait
    (void)held;
}

static const struct backend memory_backend = {memory_open,   memory_close, memory_drop,
                                              memory_submit, memory_wait,  memory_fail_next,
                                              memory_hold};

static void lmdb_done(void *ctx, uint64_t token, enum yr_err err)
{
    struct fixture *f = ctx;

    pthread_mutex_lock(&f->lock);
    f->answered = token;
    f->answer = err;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->lock);
}

static int lmdb_gate(void *ctx)
{
    struct fixture *f = ctx;
    int fault;

    pthread_mutex_lock(&f->lock);
    f->arrived = true;
    pthread_cond_broadcast(&f->moved);
    while (f->held)
        pthread_cond_wait(&f->moved, &f->lock);
    f->arrived = false;
    fault = f->fault;
    f->fault = 0;
    pthread_mutex_unlock(&f->lock);
    return fault;
}

static void lmdb_open(struct fixture *f)
{
    struct yr_lmdb_opts opts = yr_lmdb_opts_default();

    opts.map_size = MIB / 4; // grows in most of these tests
    opts.on_done = lmdb_done;
    opts.fault = lmdb_gate;
    opts.ctx = f;
    if (f->dir[0] == '\0') {
        snprintf(f->dir, sizeof f->dir, "/tmp/yaari-store-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
    }
    assert_int_equal(yr_lmdb_open(&f->lmdb, f->dir, &opts), YR_OK);
    f->view = yr_lmdb_view(f->lmdb);
}

static void lmdb_close(struct fixture *f)
{
    yr_lmdb_close(f->lmdb);
    f->lmdb = NULL;
}

static void lmdb_drop(struct fixture *f)
{
    char path[80];

    snprintf(path, sizeof path, "%s/data.mdb", f->dir);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/lock.mdb", f->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(f->dir), 0);
}

static void lmdb_submit(struct fixture *f, const struct yr_txn *txn)
{
    assert_int_equal(yr_lmdb_submit(f->lmdb, txn), YR_OK);
}

static enum yr_err lmdb_wait(struct fixture *f, uint64_t token)
{
    enum yr_err err;

    pthread_mutex_lock(&f->lock);
    while (f->answered < token)
        pthread_cond_wait(&f->moved, &f->lock);
    err = f->answer;
    pthread_mutex_unlock(&f->lock);
    return err;
}

static void lmdb_fail_next(struct fixture *f, enum yr_err err)
{
    pthread_mutex_lock(&f->lock);
    f->fault = err == YR_ENOSPC ? 28 /* ENOSPC */ : 5 /* EIO */;
    pthread_mutex_unlock(&f->lock);
}

static void lmdb_hold(struct fixture *f, bool held)
{
    pthread_mutex_lock(&f->lock);
    f->held = held;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->lock);
}

static const struct backend lmdb_backend = {lmdb_open, lmdb_close,     lmdb_drop, lmdb_submit,
                                            lmdb_wait, lmdb_fail_next, lmdb_hold};

static int set_up(void **state, const struct backend *backend)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->backend = backend;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->moved, NULL);
    backend->open(f);
    *state = f;
    return 0;
}

static int set_up_memory(void **state)
{
    return set_up(state, &memory_backend);
}

static int set_up_lmdb(void **state)
{
    return set_up(state, &lmdb_backend);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->backend->close(f);
    f->backend->drop(f);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->moved);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    f->backend->close(f);
    f->backend->open(f);
}

// ---- helpers ----

static struct yr_op op_put(enum yr_db db, const char *key, const void *value, size_t len)
{
    return (struct yr_op){db, (const uint8_t *)key, strlen(key), value, len};
}

static struct yr_op op_text(enum yr_db db, const char *key, const char *value)
{
    return op_put(db, key, value, strlen(value));
}

static struct yr_op op_del(enum yr_db db, const char *key)
{
    return (struct yr_op){db, (const uint8_t *)key, strlen(key), NULL, 0};
}

static struct yr_txn txn_of(struct fixture *f, const struct yr_op *ops, size_t count)
{
    struct yr_txn txn = {++f->token, ops, count, 0};

    for (size_t i = 0; i < count; i++)
        txn.byte_count += ops[i].key_len + ops[i].value_len;
    return txn;
}

static enum yr_err commit(struct fixture *f, const struct yr_op *ops, size_t count)
{
    const struct yr_txn txn = txn_of(f, ops, count);

    f->backend->submit(f, &txn);
    return f->backend->wait(f, txn.token);
}

// The value of a row as text; "-" when there is none.
static const char *text_of(struct fixture *f, enum yr_db db, const char *key)
{
    static char text[64];
    const uint8_t *value;
    size_t len;
    const enum yr_err err =
        f->view->get(f->view->ctx, db, (const uint8_t *)key, strlen(key), &value, &len);

    if (err == YR_ENOENT)
        return "-";
    assert_int_equal(err, YR_OK);
    snprintf(text, sizeof text, "%.*s", (int)len, (const char *)value);
    return text;
}

// The key found, "-" when there is none.
static const char *seek(struct fixture *f, enum yr_db db, enum yr_seek how, const char *key)
{
    static char text[64];
    struct yr_kv kv;
    const enum yr_err err =
        f->view->seek(f->view->ctx, db, how, (const uint8_t *)key, strlen(key), &kv);

    if (err == YR_ENOENT)
        return "-";
    assert_int_equal(err, YR_OK);
    snprintf(text, sizeof text, "%.*s", (int)kv.key_len, (const char *)kv.key);
    return text;
}

// ---- the suite ----

static void an_empty_store_has_no_rows(void **state)
{
    struct fixture *f = *state;

    for (enum yr_db db = YR_DB_MAIN; db < YR_DB_COUNT; db++) {
        assert_string_equal(text_of(f, db, "a"), "-");
        for (int how = YR_SEEK_GE; how <= YR_SEEK_LT; how++)
            assert_string_equal(seek(f, db, (enum yr_seek)how, "a"), "-");
    }
}

static void each_seek_finds_the_nearest_row_on_its_side(void **state)
{
    static const struct {
        const char *at, *ge, *gt, *le, *lt;
    } rows[] = {
        {"a", "b", "b", "-", "-"},    {"b", "b", "ba", "b", "-"},   {"b0", "ba", "ba", "b", "b"},
        {"ba", "ba", "d", "ba", "b"}, {"c", "d", "d", "ba", "ba"},  {"d", "d", "-", "d", "ba"},
        {"da", "-", "-", "d", "d"},   {"\xff", "-", "-", "d", "d"},
    };
    const struct yr_op ops[] = {op_text(YR_DB_MAIN, "d", "4"), op_text(YR_DB_MAIN, "b", "1"),
                                op_text(YR_DB_MAIN, "ba", "2")};
    struct fixture *f = *state;

    assert_int_equal(commit(f, ops, YR_COUNT(ops)), YR_OK);
    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        assert_string_equal(seek(f, YR_DB_MAIN, YR_SEEK_GE, rows[i].at), rows[i].ge);
        assert_string_equal(seek(f, YR_DB_MAIN, YR_SEEK_GT, rows[i].at), rows[i].gt);
        assert_string_equal(seek(f, YR_DB_MAIN, YR_SEEK_LE, rows[i].at), rows[i].le);
        assert_string_equal(seek(f, YR_DB_MAIN, YR_SEEK_LT, rows[i].at), rows[i].lt);
    }
    assert_string_equal(seek(f, YR_DB_SHRED, YR_SEEK_GE, "a"), "-");
}

static void the_two_maps_are_apart(void **state)
{
    const struct yr_op ops[] = {op_text(YR_DB_MAIN, "k", "main"),
                                op_text(YR_DB_SHRED, "k", "shred")};
    const struct yr_op gone = op_del(YR_DB_MAIN, "k");
    struct fixture *f = *state;

    assert_int_equal(commit(f, ops, 2), YR_OK);
    assert_string_equal(text_of(f, YR_DB_MAIN, "k"), "main");
    assert_string_equal(text_of(f, YR_DB_SHRED, "k"), "shred");
    assert_int_equal(commit(f, &gone, 1), YR_OK);
    assert_string_equal(text_of(f, YR_DB_MAIN, "k"), "-");
    assert_string_equal(text_of(f, YR_DB_SHRED, "k"), "shred");
}

static void the_last_write_of_a_transaction_counts(void **state)
{
    const struct yr_op ops[] = {op_text(YR_DB_MAIN, "a", "1"), op_text(YR_DB_MAIN, "a", "2"),
                                op_text(YR_DB_MAIN, "b", "1"), op_del(YR_DB_MAIN, "b"),
                                op_del(YR_DB_MAIN, "c"),       op_text(YR_DB_MAIN, "c", "3")};
    struct fixture *f = *state;

    assert_int_equal(commit(f, ops, YR_COUNT(ops)), YR_OK);
    assert_string_equal(text_of(f, YR_DB_MAIN, "a"), "2");
    assert_string_equal(text_of(f, YR_DB_MAIN, "b"), "-");
    assert_string_equal(text_of(f, YR_DB_MAIN, "c"), "3");
}

static void deleting_what_is_absent_is_no_error(void **state)
{
    const struct yr_op ops[] = {op_del(YR_DB_SHRED, "nothing"), op_text(YR_DB_SHRED, "a", "1")};
    struct fixture *f = *state;

    assert_int_equal(commit(f, ops, 2), YR_OK);
    assert_string_equal(text_of(f, YR_DB_SHRED, "a"), "1");
}

static void an_empty_transaction_is_answered(void **state)
{
    assert_int_equal(commit(*state, NULL, 0), YR_OK);
}

static void large_values_come_back_whole_and_shrink(void **state)
{
    static uint8_t large[60000];
    struct fixture *f = *state;
    const struct yr_op put = op_put(YR_DB_MAIN, "large", large, sizeof large);
    const struct yr_op small = op_text(YR_DB_MAIN, "large", "small");
    const uint8_t *value;
    size_t len;

    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * i >> 7);
    assert_int_equal(commit(f, &put, 1), YR_OK);
    assert_int_equal(f->view->get(f->view->ctx, YR_DB_MAIN, put.key, put.key_len, &value, &len),
                     YR_OK);
    assert_int_equal(len, sizeof large);
    assert_memory_equal(value, large, sizeof large);
    assert_int_equal(commit(f, &small, 1), YR_OK);
    assert_string_equal(text_of(f, YR_DB_MAIN, "large"), "small");
}

static void what_is_lent_outlives_a_commit(void **state)
{
    const struct yr_op before = op_text(YR_DB_MAIN, "k", "before");
    const struct yr_op after = op_text(YR_DB_MAIN, "k", "after!");
    struct fixture *f = *state;
    struct yr_kv kv;

    assert_int_equal(commit(f, &before, 1), YR_OK);
    assert_int_equal(f->view->seek(f->view->ctx, YR_DB_MAIN, YR_SEEK_GE, before.key, 1, &kv),
                     YR_OK);
    assert_int_equal(commit(f, &after, 1), YR_OK);
    assert_memory_equal(kv.key, "k", 1);
    assert_memory_equal(kv.value, "before", 6);
    assert_string_equal(text_of(f, YR_DB_MAIN, "k"), "after!");
}

static void the_view_shows_nothing_before_the_commit(void **state)
{
    const struct yr_op old = op_text(YR_DB_MAIN, "k", "old");
    const struct yr_op ops[] = {op_text(YR_DB_MAIN, "k", "new"), op_text(YR_DB_SHRED, "l", "new")};
    struct fixture *f = *state;
    struct yr_txn txn;

    assert_int_equal(commit(f, &old, 1), YR_OK);
    f->backend->hold(f, true);
    txn = txn_of(f, ops, 2);
    f->backend->submit(f, &txn);
    pthread_mutex_lock(&f->lock); // LMDB: until the rows are written and only the commit is missing
    while (f->lmdb != NULL && !f->arrived)
        pthread_cond_wait(&f->moved, &f->lock);
    pthread_mutex_unlock(&f->lock);
    assert_string_equal(text_of(f, YR_DB_MAIN, "k"), "old");
    assert_string_equal(text_of(f, YR_DB_SHRED, "l"), "-");
    f->backend->hold(f, false);
    assert_int_equal(f->backend->wait(f, txn.token), YR_OK);
    assert_string_equal(text_of(f, YR_DB_MAIN, "k"), "new");
    assert_string_equal(text_of(f, YR_DB_SHRED, "l"), "new");
}

static void of_a_failed_transaction_nothing_is_there_and_the_next_succeeds(void **state)
{
    static const enum yr_err errs[] = {YR_ENOSPC, YR_EIO};
    const struct yr_op before[] = {op_text(YR_DB_MAIN, "a", "1"), op_text(YR_DB_MAIN, "b", "1")};
    const struct yr_op ops[] = {op_text(YR_DB_MAIN, "a", "2"), op_del(YR_DB_MAIN, "b"),
                                op_text(YR_DB_SHRED, "c", "2")};
    struct fixture *f = *state;

    for (size_t i = 0; i < YR_COUNT(errs); i++) {
        assert_int_equal(commit(f, before, 2), YR_OK);
        f->backend->fail_next(f, errs[i]);
        assert_int_equal(commit(f, ops, 3), errs[i]);
        assert_string_equal(text_of(f, YR_DB_MAIN, "a"), "1");
        assert_string_equal(text_of(f, YR_DB_MAIN, "b"), "1");
        assert_string_equal(text_of(f, YR_DB_SHRED, "c"), i == 0 ? "-" : "2");
        assert_int_equal(commit(f, ops, 3), YR_OK);
        assert_string_equal(text_of(f, YR_DB_MAIN, "b"), "-");
        assert_string_equal(text_of(f, YR_DB_SHRED, "c"), "2");
    }
    reopen(f);
    assert_string_equal(text_of(f, YR_DB_MAIN, "a"), "2");
}

static void the_store_grows_past_its_first_size(void **state)
{
    static uint8_t value[60000];
    struct fixture *f = *state;
    char keys[40][8];
    struct yr_op ops[40];

    memset(value, 0x5a, sizeof value);
    for (size_t i = 0; i < YR_COUNT(ops); i++) {
        snprintf(keys[i], sizeof keys[i], "%04zu", i);
        ops[i] = op_put(YR_DB_MAIN, keys[i], value, sizeof value);
    }
    assert_int_equal(commit(f, ops, 1), YR_OK);
    assert_int_equal(commit(f, ops + 1, YR_COUNT(ops) - 1), YR_OK); // twice doubled at once
    reopen(f);
    for (size_t i = 0; i < YR_COUNT(ops); i++) {
        const uint8_t *got;
        size_t len;

        assert_int_equal(f->view->get(f->view->ctx, YR_DB_MAIN, ops[i].key, 4, &got, &len), YR_OK);
        assert_int_equal(len, sizeof value);
        assert_memory_equal(got, value, len);
    }
}

// ---- random operations against a model ----

#define MODEL_KEYS 300

struct model {
    bool there[YR_DB_COUNT][MODEL_KEYS];
    uint32_t stamp[YR_DB_COUNT][MODEL_KEYS]; // what the value is made from
};

// Keys of one to five bytes whose order is that of their numbers, and that share prefixes.
static size_t model_key(size_t i, uint8_t out[8])
{
    size_t len = 0;

    out[len++] = (uint8_t)(i / 60 * 40);
    if (i % 60 == 0)
        return len;
    out[len++] = (uint8_t)((i % 60 - 1) / 6 * 25);
    if ((i % 60 - 1) % 6 == 0)
        return len;
    for (size_t k = 0; k < (i % 60 - 1) % 6; k++)
        out[len++] = (uint8_t)(k + 1 == (i % 60 - 1) % 6 ? 3 : 0xff - 1);
    return len;
}

static size_t model_value(uint32_t stamp, uint8_t *out)
{
    const size_t len = stamp % 31 == 0 ? 5000 + stamp % 60000 : stamp % 700;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(stamp * 2654435761u >> (i % 24));
    return len;
}

static void check_row(const struct model *m, enum yr_db db, size_t i, const uint8_t *value,
                      size_t len)
{
    static uint8_t want[70000];
    const size_t want_len = model_value(m->stamp[db][i], want);

    assert_int_equal(len, want_len);
    if (len > 0)
        assert_memory_equal(value, want, len);
}

static void check_seek(struct fixture *f, const struct model *m, const size_t *sorted,
                       enum yr_db db, size_t at, enum yr_seek how)
{
    const bool up = how == YR_SEEK_GE || how == YR_SEEK_GT;
    size_t i = at, key_len, bound_len;
    uint8_t bound[8], key[8];
    struct yr_kv kv;
    enum yr_err err;

    bound_len = model_key(sorted[at], bound);
    if (how == YR_SEEK_GT || how == YR_SEEK_LT)
        i += up ? 1 : SIZE_MAX;
    while (i < MODEL_KEYS && !m->there[db][sorted[i]])
        i += up ? 1 : SIZE_MAX;
    err = f->view->seek(f->view->ctx, db, how, bound, bound_len, &kv);
    if (i >= MODEL_KEYS) {
        assert_int_equal(err, YR_ENOENT);
        return;
    }
    assert_int_equal(err, YR_OK);
    key_len = model_key(sorted[i], key);
    assert_int_equal(kv.key_len, key_len);
    assert_memory_equal(kv.key, key, key_len);
    check_row(m, db, sorted[i], kv.value, kv.value_len);
}

static int by_key(const void *a, const void *b)
{
    uint8_t x[8], y[8];
    const size_t x_len = model_key(*(const size_t *)a, x), y_len = model_key(*(const size_t *)b, y);
    const int order = memcmp(x, y, x_len < y_len ? x_len : y_len);

    return order != 0 ? order : (x_len > y_len) - (x_len < y_len);
}

// One transaction of up to 12 random operations; the model follows if it was committed.
static void random_txn(struct fixture *f, struct seeded *s, struct model *m, uint32_t *stamp)
{
    static uint8_t keys[12][8], values[12][70000];
    const size_t count = seeded_below(s, YR_COUNT(keys) + 1);
    const bool fails = seeded_below(s, 8) == 0;
    struct model next = *m;
    struct yr_op ops[12];

    for (size_t k = 0; k < count; k++) {
        const enum yr_db db = seeded_below(s, 2) == 0 ? YR_DB_MAIN : YR_DB_SHRED;
        const size_t i = seeded_below(s, MODEL_KEYS);

        next.there[db][i] = seeded_below(s, 3) != 0;
        next.stamp[db][i] = ++*stamp;
        ops[k] = (struct yr_op){db, keys[k], model_key(i, keys[k]), NULL, 0};
        if (next.there[db][i]) {
            ops[k].value = values[k];
            ops[k].value_len = model_value(*stamp, values[k]);
        }
    }
    if (fails)
        f->backend->fail_next(f, YR_EIO);
    assert_int_equal(commit(f, ops, count), fails ? YR_EIO : YR_OK);
    if (!fails)
        *m = next;
}

static void random_operations_agree_with_a_model(void **state)
{
    static struct model m;
    struct fixture *f = *state;
    size_t sorted[MODEL_KEYS];
    uint32_t stamp = 0;
    struct seeded s;

    memset(&m, 0, sizeof m);
    seeded_init(&s, seeded_seed("store conformance", 1));
    for (size_t i = 0; i < MODEL_KEYS; i++)
        sorted[i] = i;
    qsort(sorted, MODEL_KEYS, sizeof sorted[0], by_key);
    for (size_t round = 0; round < 400; round++) {
        random_txn(f, &s, &m, &stamp);
        for (size_t i = 0; i < 10; i++) {
            const enum yr_db db = seeded_below(&s, 2) == 0 ? YR_DB_MAIN : YR_DB_SHRED;
            const size_t at = seeded_below(&s, MODEL_KEYS);
            uint8_t key[8];
            const size_t key_len = model_key(at, key);
            const uint8_t *value;
            size_t len;

            if (f->view->get(f->view->ctx, db, key, key_len, &value, &len) == YR_OK) {
                assert_true(m.there[db][at]);
                check_row(&m, db, at, value, len);
            } else {
                assert_false(m.there[db][at]);
            }
            check_seek(f, &m, sorted, db, at, (enum yr_seek)seeded_below(&s, 4));
        }
        if (round % 100 == 99)
            reopen(f);
    }
    for (size_t at = 0; at < MODEL_KEYS; at++)
        for (int how = YR_SEEK_GE; how <= YR_SEEK_LT; how++) {
            check_seek(f, &m, sorted, YR_DB_MAIN, at, (enum yr_seek)how);
            check_seek(f, &m, sorted, YR_DB_SHRED, at, (enum yr_seek)how);
        }
}

#define SUITE(X)                                                      \
    X(an_empty_store_has_no_rows)                                     \
    X(each_seek_finds_the_nearest_row_on_its_side)                    \
    X(the_two_maps_are_apart)                                         \
    X(the_last_write_of_a_transaction_counts)                         \
    X(deleting_what_is_absent_is_no_error)                            \
    X(an_empty_transaction_is_answered)                               \
    X(large_values_come_back_whole_and_shrink)                        \
    X(what_is_lent_outlives_a_commit)                                 \
    X(the_view_shows_nothing_before_the_commit)                       \
    X(of_a_failed_transaction_nothing_is_there_and_the_next_succeeds) \
    X(the_store_grows_past_its_first_size)                            \
    X(random_operations_agree_with_a_model)

int main(void)
{
    const struct CMUnitTest memory[] = {
#define X(test) {"memory: " #test, test, set_up_memory, tear_down, NULL},
        SUITE(X)
#undef X
    };
    const struct CMUnitTest lmdb[] = {
#define X(test) {"lmdb: " #test, test, set_up_lmdb, tear_down, NULL},
        SUITE(X)
#undef X
    };

    return cmocka_run_group_tests_name("memory store", memory, NULL, NULL) +
           cmocka_run_group_tests_name("lmdb store", lmdb, NULL, NULL);
}
