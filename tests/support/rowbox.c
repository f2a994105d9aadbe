#include "tests/support/rowbox.h"

#include <stdio.h>

#include "tests/support/test.h"

void rowbox_init(struct rowbox *box, uint64_t seed)
{
    memset(box, 0, sizeof *box);
    test_mem_init(&box->mem, 64u << 20);
    seeded_init(&box->rng, seed);
    box->store = yr_memstore_new();
    yr_random(&box->rng.rng, box->vk, sizeof box->vk);
    assert_int_equal(
        yr_rows_new(&box->rows, &box->mem.mem, &box->rng.rng, yr_memstore_view(box->store)), YR_OK);
}

void rowbox_open(struct rowbox *box, uint64_t seed)
{
    rowbox_init(box, seed);
    assert_int_equal(rowbox_unlock(box), YR_OK);
    rowbox_settle(box);
    assert_non_null(yr_memstore_shred_file(box->store));
}

void rowbox_close(struct rowbox *box)
{
    yr_rows_free(box->rows);
    yr_memstore_free(box->store);
    assert_int_equal(box->mem.live, 0);
    assert_int_equal(box->mem.mem.used[YR_MEM_STORE], 0);
}

enum yr_err rowbox_unlock(struct rowbox *box)
{
    return yr_rows_unlock(box->rows, box->vk, yr_memstore_shred_file(box->store));
}

size_t rowbox_pump(struct rowbox *box)
{
    const struct yr_txn *txn = yr_rows_take(box->rows);
    struct yr_keyfile keyfile;
    size_t count = 0;

    if (txn != NULL) {
        yr_memstore_submit(box->store, txn);
        count++;
    }
    while (yr_rows_keyfile(box->rows, &keyfile)) {
        yr_memstore_submit_keyfile(box->store, keyfile.token, keyfile.slot, keyfile.bytes);
        count++;
    }
    return count;
}

bool rowbox_answer(struct rowbox *box)
{
    uint64_t token;
    enum yr_err err;

    if (!yr_memstore_commit_next(box->store, &token, &err))
        return false;
    yr_rows_stored(box->rows, token, err);
    return true;
}

void rowbox_settle(struct rowbox *box)
{
    do
        rowbox_pump(box);
    while (rowbox_answer(box));
}

enum yr_err rowbox_crash(struct rowbox *box)
{
    yr_memstore_crash(box->store);
    yr_rows_free(box->rows);
    box->rows = NULL;
    assert_int_equal(box->mem.live, 0);
    assert_int_equal(
        yr_rows_new(&box->rows, &box->mem.mem, &box->rng.rng, yr_memstore_view(box->store)), YR_OK);
    return rowbox_unlock(box);
}

static size_t len_of(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

enum yr_err rowbox_put(struct rowbox *box, enum yr_table table, const char *owner,
                       const char *suffix, const char *text)
{
    return yr_rows_put(box->rows, table, owner, len_of(owner), suffix, len_of(suffix), text,
                       strlen(text));
}

enum yr_err rowbox_del(struct rowbox *box, enum yr_table table, const char *owner,
                       const char *suffix)
{
    return yr_rows_del(box->rows, table, owner, len_of(owner), suffix, len_of(suffix));
}

const char *rowbox_get(struct rowbox *box, enum yr_table table, const char *owner,
                       const char *suffix)
{
    static char text[2048];
    size_t len = 0;
    const enum yr_err err = yr_rows_get(box->rows, table, owner, len_of(owner), suffix,
                                        len_of(suffix), text, sizeof text - 1, &len);

    text[len] = '\0';
    return err == YR_OK ? text : err == YR_ENOENT ? "-" : yr_errname(err);
}

const char *rowbox_walk(struct rowbox *box, enum yr_table table, const char *owner, bool up)
{
    static char text[8192];
    enum yr_seek how = up ? YR_SEEK_GE : YR_SEEK_LE;
    struct yr_row at;
    char value[1024];
    size_t len = 0;
    enum yr_err err;

    at.suffix_len = up ? 0 : sizeof at.suffix;
    memset(at.suffix, 0xff, sizeof at.suffix);
    text[0] = '\0';
    while ((err = yr_rows_seek(box->rows, table, owner, len_of(owner), how, &at, value,
                               sizeof value)) == YR_OK) {
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%s%.*s=%.*s", len > 0 ? " " : "",
                             (int)at.suffix_len, (const char *)at.suffix, (int)at.value_len, value);
        assert_true(len < sizeof text);
        how = up ? YR_SEEK_GT : YR_SEEK_LT;
    }
    if (err != YR_ENOENT)
        snprintf(text + len, sizeof text - len, " %s", yr_errname(err));
    return text;
}
