// Rows: what is put is read at once, committed whole, sealed, and forgotten when it must be.
#include <stdio.h>
#include <stdlib.h>

#include "core/store/rowkeys.h"
#include "tests/support/rowbox.h"
#include "tests/support/test.h"

#define MAIN  YR_TABLE_MESSAGE
#define SHRED YR_TABLE_OUTBOX

static int set_up(void **state)
{
    struct rowbox *box = malloc(sizeof *box);

    assert_non_null(box);
    rowbox_open(box, 7);
    *state = box;
    return 0;
}

static int tear_down(void **state)
{
    rowbox_close(*state);
    free(*state);
    return 0;
}

#define assert_row(box, table, owner, suffix, text) \
    assert_string_equal(rowbox_get(box, table, owner, suffix), text)
#define assert_put(box, table, owner, suffix, text) \
    assert_int_equal(rowbox_put(box, table, owner, suffix, text), YR_OK)
#define assert_del(box, table, owner, suffix) \
    assert_int_equal(rowbox_del(box, table, owner, suffix), YR_OK)

// ---- reading ----

static void a_put_is_read_at_once_and_ever_after(void **state)
{
    struct rowbox *box = *state;

    assert_row(box, MAIN, "bob", "1", "-");
    assert_put(box, MAIN, "bob", "1", "hello");
    assert_put(box, SHRED, "bob", "1", "secret");
    assert_put(box, YR_TABLE_SELF, NULL, NULL, "me");
    for (int i = 0; i < 4; i++) { // pending, in flight, stored, read again after a crash
        assert_row(box, MAIN, "bob", "1", "hello");
        assert_row(box, SHRED, "bob", "1", "secret");
        assert_row(box, YR_TABLE_SELF, NULL, NULL, "me");
        assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "1=hello");
        if (i == 0)
            assert_int_equal(rowbox_pump(box), 1);
        else if (i == 1)
            assert_true(rowbox_answer(box));
        else
            assert_int_equal(rowbox_crash(box), YR_OK);
    }
}

static void the_newest_of_several_writes_is_read(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "stored");
    rowbox_settle(box);
    assert_put(box, MAIN, "bob", "1", "in flight, and longer than it was");
    assert_row(box, MAIN, "bob", "1", "in flight, and longer than it was");
    assert_int_equal(rowbox_pump(box), 1);
    assert_put(box, MAIN, "bob", "1", "pending");
    assert_row(box, MAIN, "bob", "1", "pending");
    assert_string_equal(rowbox_walk(box, MAIN, "bob", false), "1=pending");
    assert_true(rowbox_answer(box));
    assert_row(box, MAIN, "bob", "1", "pending");
    rowbox_settle(box);
    assert_row(box, MAIN, "bob", "1", "pending");
}

static void a_deleted_row_is_gone_at_once_and_for_good(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "a");
    assert_put(box, MAIN, "bob", "2", "b");
    rowbox_settle(box);
    assert_del(box, MAIN, "bob", "1");
    assert_del(box, MAIN, "bob", "never there");
    for (int i = 0; i < 3; i++) {
        assert_row(box, MAIN, "bob", "1", "-");
        assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "2=b");
        assert_string_equal(rowbox_walk(box, MAIN, "bob", false), "2=b");
        if (i == 0)
            assert_int_equal(rowbox_pump(box), 1);
        else
            rowbox_settle(box);
    }
    assert_put(box, MAIN, "bob", "1", "again");
    assert_row(box, MAIN, "bob", "1", "again");
    assert_del(box, MAIN, "bob", "1");
    assert_put(box, MAIN, "bob", "1", "and again");
    rowbox_settle(box);
    assert_row(box, MAIN, "bob", "1", "and again");
}

static void tables_and_owners_are_apart(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "bob's");
    assert_put(box, MAIN, "bo", "b1", "bo's");
    assert_put(box, MAIN, NULL, "bob1", "nobody's");
    assert_put(box, YR_TABLE_ORPHAN, "bob", "1", "another table's");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "1=bob's");
        assert_string_equal(rowbox_walk(box, MAIN, "bo", true), "b1=bo's");
        assert_string_equal(rowbox_walk(box, MAIN, NULL, false), "bob1=nobody's");
        assert_string_equal(rowbox_walk(box, YR_TABLE_ORPHAN, "bob", true), "1=another table's");
        rowbox_settle(box);
    }
}

static void more_owners_than_the_cache_holds_are_kept_apart(void **state)
{
    struct rowbox *box = *state;
    char owner[40], text[40];

    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3000; i++) { // some longer than the cache takes
            snprintf(owner, sizeof owner, "%0*u", i % 3 == 0 ? 36 : 32, i);
            snprintf(text, sizeof text, "row %u", i);
            if (round == 0)
                assert_put(box, MAIN, owner, "x", text);
            assert_row(box, MAIN, owner, "x", text);
        }
        rowbox_settle(box);
    }
}

static void rows_may_change_under_a_walk(void **state)
{
    struct rowbox *box = *state;
    struct yr_row at = {.suffix_len = 0};
    char value[8];

    assert_put(box, MAIN, "bob", "a", "1");
    assert_put(box, MAIN, "bob", "c", "3");
    assert_put(box, MAIN, "bob", "d", "4");
    rowbox_settle(box);
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GE, &at, value, 8), YR_OK);
    assert_memory_equal(at.suffix, "a", 1);
    assert_put(box, MAIN, "bob", "b", "2");
    assert_del(box, MAIN, "bob", "a");
    assert_del(box, MAIN, "bob", "c");
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GT, &at, value, 8), YR_OK);
    assert_memory_equal(at.suffix, "b", 1);
    rowbox_settle(box);
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GT, &at, value, 8), YR_OK);
    assert_memory_equal(at.suffix, "d", 1);
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GT, &at, value, 8), YR_ENOENT);
    assert_memory_equal(at.suffix, "d", 1); // as it was
}

static void a_walk_without_a_buffer_gives_the_suffixes(void **state)
{
    struct rowbox *box = *state;
    struct yr_row at = {.suffix_len = 0};

    assert_put(box, MAIN, "bob", "a", "1");
    rowbox_settle(box);
    assert_put(box, MAIN, "bob", "b", "2");
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GE, &at, NULL, 0), YR_OK);
    assert_memory_equal(at.suffix, "a", 1);
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GT, &at, NULL, 0), YR_OK);
    assert_memory_equal(at.suffix, "b", 1);
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GT, &at, NULL, 0), YR_ENOENT);
}

static void values_of_every_size_come_back_and_too_small_a_buffer_is_an_error(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 127, 128, 129, 1000, 20000, 65535, YR_ROW_MAX};
    static uint8_t value[YR_ROW_MAX + 1], got[YR_ROW_MAX + 64];
    struct rowbox *box = *state;
    struct yr_row at;
    size_t len;

    memset(value, 0x80, sizeof value); // looks like padding
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < YR_COUNT(sizes); i++) {
            const char suffix[2] = {(char)('a' + i), '\0'};

            if (round == 0)
                assert_int_equal(
                    yr_rows_put(box->rows, SHRED, "bob", 3, suffix, 1, value, sizes[i]), YR_OK);
            for (size_t room = 0; room <= 64; room += 32) { // with and without a detour
                memset(got, 0, sizeof got);
                assert_int_equal(
                    yr_rows_get(box->rows, SHRED, "bob", 3, suffix, 1, got, sizes[i] + room, &len),
                    YR_OK);
                assert_int_equal(len, sizes[i]);
                if (len > 0)
                    assert_memory_equal(got, value, len);
            }
            if (sizes[i] == 0)
                continue;
            len = 12345;
            assert_int_equal(
                yr_rows_get(box->rows, SHRED, "bob", 3, suffix, 1, got, sizes[i] - 1, &len),
                YR_ESIZE);
            assert_int_equal(len, 12345);
            at.suffix[0] = (uint8_t)suffix[0];
            at.suffix_len = 1;
            assert_int_equal(
                yr_rows_seek(box->rows, SHRED, "bob", 3, YR_SEEK_LE, &at, got, sizes[i] - 1),
                YR_ESIZE);
        }
        rowbox_settle(box);
    }
    assert_int_equal(yr_rows_put(box->rows, SHRED, "bob", 3, "z", 1, value, YR_ROW_MAX + 1),
                     YR_ESIZE);
    assert_true(yr_rows_broken(box->rows));
}

// ---- a model: what was put, what was committed ----

#define OWNERS   3
#define SUFFIXES 40

struct model {
    uint32_t pending[OWNERS][SUFFIXES]; // stamps; 0: no row
    uint32_t flight[OWNERS][SUFFIXES];
    uint32_t stored[OWNERS][SUFFIXES];
};

static enum yr_table model_table(size_t owner)
{
    return owner == 0 ? MAIN : owner == 1 ? SHRED : YR_TABLE_SKIPPED;
}

// In bytewise order of i, with shared prefixes, from empty to the longest there may be.
static size_t model_suffix(size_t i, uint8_t out[YR_KEY_MAX])
{
    const size_t len = i == 0 ? 0 : 1 + (i - 1) % 4 * 10 + ((i - 1) % 4 == 3);

    memset(out, 0, YR_KEY_MAX);
    out[0] = (uint8_t)((i + 3) / 4 * 20);
    return len;
}

static size_t model_value(uint32_t stamp, uint8_t *out)
{
    const size_t len = stamp % 300;

    memset(out, (int)(stamp & 0xff), len);
    if (len >= 4)
        memcpy(out, &stamp, 4);
    return len;
}

static void check_value(uint32_t stamp, const uint8_t *got, size_t len)
{
    uint8_t want[300];

    assert_int_equal(len, model_value(stamp, want));
    if (len > 0)
        assert_memory_equal(got, want, len);
}

static void check_get(struct rowbox *box, const struct model *m, size_t owner, size_t i)
{
    uint8_t suffix[YR_KEY_MAX], got[400];
    const size_t suffix_len = model_suffix(i, suffix);
    const char name = (char)owner;
    size_t len;
    const enum yr_err err = yr_rows_get(box->rows, model_table(owner), &name, 1, suffix, suffix_len,
                                        got, sizeof got, &len);

    assert_int_equal(err, m->pending[owner][i] == 0 ? YR_ENOENT : YR_OK);
    if (err == YR_OK)
        check_value(m->pending[owner][i], got, len);
}

static void check_seek(struct rowbox *box, const struct model *m, size_t owner, size_t at,
                       enum yr_seek how, size_t extra)
{
    const bool up = how == YR_SEEK_GE || how == YR_SEEK_GT;
    const char name = (char)owner;
    uint8_t suffix[YR_KEY_MAX], got[400];
    struct yr_row row;
    size_t i = at, suffix_len;
    enum yr_err err;

    row.suffix_len = model_suffix(at, row.suffix);
    if (extra > 0) { // a bound right behind the row, perhaps too long to be a key
        if (row.suffix_len % 10 == 1 && row.suffix_len < 31)
            extra = 1 + extra % 9; // the next row is this one and ten zeroes
        row.suffix_len = YR_MIN(row.suffix_len + extra, (size_t)YR_KEY_MAX);
        if (up)
            i++;
    } else if (how == YR_SEEK_GT || how == YR_SEEK_LT) {
        i += up ? 1 : SIZE_MAX;
    }
    while (i < SUFFIXES && m->pending[owner][i] == 0)
        i += up ? 1 : SIZE_MAX;
    err = yr_rows_seek(box->rows, model_table(owner), &name, 1, how, &row, got, sizeof got);
    if (i >= SUFFIXES) {
        assert_int_equal(err, YR_ENOENT);
        return;
    }
    assert_int_equal(err, YR_OK);
    suffix_len = model_suffix(i, suffix);
    assert_int_equal(row.suffix_len, suffix_len);
    assert_memory_equal(row.suffix, suffix, suffix_len);
    check_value(m->pending[owner][i], got, row.value_len);
}

static void random_write(struct rowbox *box, struct seeded *s, struct model *m, uint32_t *stamp)
{
    const size_t owner = seeded_below(s, OWNERS), i = seeded_below(s, SUFFIXES);
    const char name = (char)owner;
    uint8_t suffix[YR_KEY_MAX], value[300];
    const size_t suffix_len = model_suffix(i, suffix);

    if (seeded_below(s, 3) == 0) {
        m->pending[owner][i] = 0;
        assert_int_equal(yr_rows_del(box->rows, model_table(owner), &name, 1, suffix, suffix_len),
                         YR_OK);
    } else {
        m->pending[owner][i] = ++*stamp;
        assert_int_equal(yr_rows_put(box->rows, model_table(owner), &name, 1, suffix, suffix_len,
                                     value, model_value(*stamp, value)),
                         YR_OK);
    }
}

// The store carries out one thing; the model follows if it was a transaction.
static void random_answer(struct rowbox *box, struct model *m, bool fails)
{
    const uint64_t durable = yr_rows_durable(box->rows);

    if (fails)
        yr_memstore_fail(box->store, YR_EIO, 1);
    if (!rowbox_answer(box)) {
        yr_memstore_fail(box->store, YR_OK, 0);
        return;
    }
    yr_memstore_fail(box->store, YR_OK, 0);
    if (yr_rows_durable(box->rows) > durable) {
        memcpy(m->stored, m->flight, sizeof m->stored);
    } else if (yr_rows_broken(box->rows)) {
        assert_null(yr_rows_take(box->rows));
        yr_rows_reset(box->rows);
        memcpy(m->flight, m->stored, sizeof m->stored);
        memcpy(m->pending, m->stored, sizeof m->stored);
    }
}

static void random_use_agrees_with_a_model_through_crashes_and_rotations(void **state)
{
    static struct model m;
    struct rowbox *box = *state;
    uint32_t stamp = 0;
    struct seeded s;
    size_t resets = 0, crashes = 0;

    memset(&m, 0, sizeof m);
    seeded_init(&s, seeded_seed("rows model", 1));
    for (size_t round = 0; round < 20000; round++) {
        const size_t owner = seeded_below(&s, OWNERS), i = seeded_below(&s, SUFFIXES);
        const size_t what = seeded_below(&s, 100);

        if (what < 50) {
            random_write(box, &s, &m, &stamp);
        } else if (what < 70) {
            const bool busy = yr_rows_busy(box->rows);

            rowbox_pump(box);
            if (!busy && yr_rows_busy(box->rows))
                memcpy(m.flight, m.pending, sizeof m.flight);
        } else if (what < 95) {
            const bool fails = seeded_below(&s, 10) == 0;

            resets += fails;
            random_answer(box, &m, fails);
        } else if (what < 98) {
            assert_int_equal(yr_rows_rotate(box->rows), YR_OK);
        } else {
            if (seeded_below(&s, 2) == 0)
                yr_memstore_crash_during_keyfile(box->store, seeded_below(&s, 97));
            assert_int_equal(rowbox_crash(box), YR_OK);
            memcpy(m.flight, m.stored, sizeof m.stored);
            memcpy(m.pending, m.stored, sizeof m.stored);
            crashes++;
        }
        check_get(box, &m, owner, i);
        check_seek(box, &m, owner, i, (enum yr_seek)seeded_below(&s, 4),
                   seeded_below(&s, 2) * (1 + seeded_below(&s, YR_KEY_MAX)));
    }
    assert_true(resets > 50 && crashes > 50);
}

// ---- transactions ----

static void a_row_overwritten_many_times_is_written_once(void **state)
{
    struct rowbox *box = *state;
    const struct yr_txn *txn;
    char text[300];

    for (int i = 0; i < 250; i++) {
        snprintf(text, sizeof text, "%0*d", i + 1, i);
        assert_put(box, MAIN, "bob", "1", text);
    }
    assert_put(box, SHRED, "bob", "1", "x");
    txn = yr_rows_take(box->rows);
    assert_non_null(txn);
    assert_int_equal(txn->op_count, 2);
    assert_int_equal(txn->byte_count, 2 * 17 + (size_t)(256 + 64) + 2 * YR_ROW_OVERHEAD);
}

static void what_is_put_during_a_commit_goes_into_the_next(void **state)
{
    struct rowbox *box = *state;
    const uint64_t before = yr_rows_durable(box->rows);
    const struct yr_txn *txn;

    assert_int_equal(yr_rows_pending(box->rows), before); // nothing to wait for
    assert_null(yr_rows_take(box->rows));
    assert_put(box, MAIN, "bob", "1", "a");
    assert_int_equal(yr_rows_pending(box->rows), before + 1);
    txn = yr_rows_take(box->rows);
    assert_int_equal(txn->token, before + 1);
    assert_int_equal(txn->op_count, 1);
    yr_memstore_submit(box->store, txn);
    assert_int_equal(yr_rows_pending(box->rows), before + 1);
    assert_put(box, MAIN, "bob", "2", "b");
    assert_put(box, MAIN, "bob", "3", "c");
    assert_int_equal(yr_rows_pending(box->rows), before + 2);
    assert_null(yr_rows_take(box->rows));
    assert_int_equal(yr_rows_durable(box->rows), before);
    assert_true(rowbox_answer(box));
    assert_int_equal(yr_rows_durable(box->rows), before + 1);
    txn = yr_rows_take(box->rows);
    assert_int_equal(txn->token, before + 2);
    assert_int_equal(txn->op_count, 2);
}

static void after_a_failed_commit_and_a_reset_all_is_as_it_was_stored(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "stored");
    rowbox_settle(box);
    assert_put(box, MAIN, "bob", "1", "lost");
    assert_int_equal(rowbox_pump(box), 1);
    assert_put(box, MAIN, "bob", "2", "lost too");
    yr_memstore_fail(box->store, YR_ENOSPC, 1);
    assert_false(yr_rows_broken(box->rows));
    assert_true(rowbox_answer(box));
    assert_true(yr_rows_broken(box->rows));
    assert_null(yr_rows_take(box->rows));
    yr_rows_reset(box->rows);
    assert_false(yr_rows_broken(box->rows));
    assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "1=stored");
    assert_null(yr_rows_take(box->rows));
    assert_put(box, MAIN, "bob", "3", "goes on");
    rowbox_settle(box);
    assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "1=stored 3=goes on");
    assert_int_equal(yr_rows_durable(box->rows), yr_rows_pending(box->rows));
}

static void a_late_answer_after_a_reset_is_ignored(void **state)
{
    struct rowbox *box = *state;
    const uint64_t durable = yr_rows_durable(box->rows);
    const struct yr_txn *txn;
    uint64_t token;
    uint8_t sealed[YR_ROW_OVERHEAD + 64];

    assert_put(box, MAIN, "bob", "1", "a");
    txn = yr_rows_take(box->rows);
    token = txn->token;
    memcpy(sealed, txn->ops[0].value, sizeof sealed);
    yr_rows_reset(box->rows);
    assert_true(yr_rows_busy(box->rows));
    assert_memory_equal(txn->ops[0].value, sealed, sizeof sealed); // the store may be reading it
    assert_row(box, MAIN, "bob", "1", "-");
    assert_put(box, MAIN, "bob", "1", "b");
    assert_int_equal(rowbox_unlock(box), YR_EAGAIN);
    assert_int_equal(rowbox_put(box, MAIN, "bob", "1", "b"), YR_ELOCKED);
    yr_rows_stored(box->rows, token, YR_EIO);
    assert_false(yr_rows_busy(box->rows));
    assert_int_equal(rowbox_unlock(box), YR_OK);
    yr_rows_stored(box->rows, token, YR_OK); // and one that was never asked for
    yr_rows_stored(box->rows, 99999, YR_EIO);
    assert_int_equal(yr_rows_durable(box->rows), durable);
    assert_put(box, MAIN, "bob", "1", "c");
    rowbox_settle(box);
    assert_row(box, MAIN, "bob", "1", "c");
}

static void a_refused_write_breaks_the_transaction_but_not_the_one_in_flight(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "in flight");
    assert_int_equal(rowbox_pump(box), 1);
    assert_put(box, MAIN, "bob", "2", "half");
    box->mem.left = 0;
    assert_int_equal(rowbox_put(box, MAIN, "bob", "3", "of it"), YR_ENOMEM);
    box->mem.left = SIZE_MAX;
    assert_put(box, MAIN, "bob", "4", "and more");
    assert_false(yr_rows_broken(box->rows)); // a reset now might be overtaken by the commit
    assert_true(rowbox_answer(box));
    assert_true(yr_rows_broken(box->rows));
    assert_null(yr_rows_take(box->rows));
    yr_rows_reset(box->rows);
    assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "1=in flight");
}

static void locked_rows_say_so(void **state)
{
    struct rowbox *box = *state;
    struct yr_keyfile keyfile;
    struct yr_row at = {.suffix_len = 0};

    assert_put(box, MAIN, "bob", "1", "stored");
    rowbox_settle(box);
    assert_put(box, MAIN, "bob", "1", "lost");
    yr_rows_lock(box->rows);
    assert_string_equal(rowbox_get(box, MAIN, "bob", "1"), "ELOCKED");
    assert_int_equal(rowbox_put(box, MAIN, "bob", "1", "x"), YR_ELOCKED);
    assert_int_equal(rowbox_del(box, MAIN, "bob", "1"), YR_ELOCKED);
    assert_int_equal(yr_rows_seek(box->rows, MAIN, "bob", 3, YR_SEEK_GE, &at, NULL, 0), YR_ELOCKED);
    assert_int_equal(yr_rows_rotate(box->rows), YR_ELOCKED);
    assert_null(yr_rows_take(box->rows));
    assert_false(yr_rows_keyfile(box->rows, &keyfile));
    assert_false(yr_rows_broken(box->rows));
    assert_int_equal(rowbox_unlock(box), YR_OK);
    assert_row(box, MAIN, "bob", "1", "stored");
}

static void the_same_seed_writes_the_same_bytes(void **state)
{
    struct rowbox boxes[2];
    uint64_t hashes[2];

    for (size_t i = 0; i < 2; i++) {
        char suffix[8];

        rowbox_open(&boxes[i], 42);
        for (int k = 0; k < 300; k++) {
            snprintf(suffix, sizeof suffix, "%d", k * 7919 % 300);
            assert_put(&boxes[i], k % 2 == 0 ? MAIN : SHRED, "bob", suffix, "text");
            if (k % 50 == 0)
                rowbox_settle(&boxes[i]);
        }
        assert_int_equal(yr_rows_rotate(boxes[i].rows), YR_OK);
        rowbox_settle(&boxes[i]);
        hashes[i] = yr_memstore_hash(boxes[i].store);
        rowbox_close(&boxes[i]);
    }
    assert_true(hashes[0] == hashes[1]);
}

// ---- damage ----

// The one row of the main map, as the store has it.
static struct yr_op stored_row(struct rowbox *box, enum yr_db db, uint8_t key[YR_KEY_MAX],
                               uint8_t *value)
{
    const struct yr_store_view *view = yr_memstore_view(box->store);
    struct yr_kv kv;

    assert_int_equal(view->seek(view->ctx, db, YR_SEEK_GE, (const uint8_t *)"", 1, &kv), YR_OK);
    memcpy(key, kv.key, kv.key_len);
    memcpy(value, kv.value, kv.value_len);
    return (struct yr_op){db, key, kv.key_len, value, kv.value_len};
}

static void overwrite(struct rowbox *box, const struct yr_op *op)
{
    const struct yr_txn txn = {1, op, 1, op->key_len + op->value_len};
    uint64_t token;
    enum yr_err err;

    yr_memstore_submit(box->store, &txn);
    assert_true(yr_memstore_commit_next(box->store, &token, &err));
    assert_int_equal(err, YR_OK);
}

static void every_flipped_bit_of_a_stored_value_is_found(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "text");
    assert_put(box, SHRED, "bob", "1", "text");
    rowbox_settle(box);
    for (enum yr_db db = YR_DB_MAIN; db < YR_DB_COUNT; db++) {
        const enum yr_table table = db == YR_DB_MAIN ? MAIN : SHRED;
        uint8_t key[YR_KEY_MAX], value[256];
        const struct yr_op op = stored_row(box, db, key, value);

        for (size_t bit = 0; bit < 8 * op.value_len; bit++) {
            value[bit / 8] ^= (uint8_t)(1u << bit % 8);
            overwrite(box, &op);
            assert_row(box, table, "bob", "1", "ECORRUPT");
            assert_string_equal(rowbox_walk(box, table, "bob", true), " ECORRUPT");
            value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        overwrite(box, &op);
        assert_row(box, table, "bob", "1", "text");
    }
}

static void a_value_of_any_other_length_is_damaged(void **state)
{
    struct rowbox *box = *state;
    static uint8_t key[YR_KEY_MAX], value[YR_ROW_MAX + 1000];
    struct yr_op op;

    assert_put(box, MAIN, "bob", "1", "text");
    rowbox_settle(box);
    op = stored_row(box, YR_DB_MAIN, key, value);
    for (size_t len = 0; len < 400; len++) {
        op.value_len = len;
        overwrite(box, &op);
        assert_row(box, MAIN, "bob", "1", len == 64 + YR_ROW_OVERHEAD ? "text" : "ECORRUPT");
    }
    for (op.value_len = YR_ROW_MAX; op.value_len < sizeof value; op.value_len++) {
        overwrite(box, &op);
        assert_row(box, MAIN, "bob", "1", "ECORRUPT");
    }
}

static void a_row_under_another_key_or_in_the_other_map_does_not_open(void **state)
{
    struct rowbox *box = *state;
    uint8_t key[YR_KEY_MAX], other[YR_KEY_MAX + 8], value[256];
    struct yr_op op;

    assert_put(box, MAIN, "bob", "1", "text");
    rowbox_settle(box);
    op = stored_row(box, YR_DB_MAIN, key, value);
    memcpy(other, key, op.key_len);
    other[op.key_len - 1] = '2';
    op.key = other;
    overwrite(box, &op);
    assert_row(box, MAIN, "bob", "1", "text");
    assert_row(box, MAIN, "bob", "2", "ECORRUPT");
    assert_string_equal(rowbox_walk(box, MAIN, "bob", true), "1=text ECORRUPT");
    op.db = YR_DB_SHRED;
    op.key = key;
    overwrite(box, &op);
    assert_row(box, MAIN, "bob", "1", "text");
    assert_put(box, SHRED, "bob", "1", "x");
    assert_row(box, SHRED, "bob", "1", "x");
    // A key longer than ours may be.
    memset(other + op.key_len, 0, sizeof other - op.key_len);
    op = (struct yr_op){YR_DB_MAIN, other, YR_KEY_MAX + 1, value, op.value_len};
    other[16] = '0';
    overwrite(box, &op);
    assert_string_equal(rowbox_walk(box, MAIN, "bob", true), " ECORRUPT");
}

static void what_the_view_cannot_read_is_an_error(void **state)
{
    struct rowbox *box = *state;

    assert_put(box, MAIN, "bob", "1", "text");
    rowbox_settle(box);
    yr_memstore_fail_reads(box->store, YR_EIO, 2);
    assert_row(box, MAIN, "bob", "1", "EIO");
    assert_string_equal(rowbox_walk(box, MAIN, "bob", true), " EIO");
    assert_row(box, MAIN, "bob", "1", "text");
}

// ---- memory and secrets ----

static void refusing_any_one_allocation_loses_nothing_that_was_committed(void **state)
{
    static uint8_t large[5000];
    size_t refused = 0;

    for (size_t n = 0;; n++) {
        struct rowbox box;
        bool broken;

        rowbox_open(&box, n);
        assert_put(&box, MAIN, "bob", "1", "stored");
        assert_put(&box, SHRED, "bob", "1", "stored");
        rowbox_settle(&box);
        box.mem.left = n;
        for (int i = 0; i < 100; i++) {
            char suffix[8];

            snprintf(suffix, sizeof suffix, "%d", i);
            rowbox_put(&box, MAIN, "bob", suffix, "new");
            rowbox_put(&box, MAIN, "bob", "1",
                       i % 2 == 0 ? "short"
                                  : "and over and over again, to "
                                    "more than fits in there");
            rowbox_del(&box, SHRED, "bob", "1");
        }
        yr_rows_put(box.rows, SHRED, "bob", 3, "2", 1, large, sizeof large);
        broken = yr_rows_broken(box.rows);
        refused += broken;
        if (broken)
            yr_rows_reset(box.rows);
        box.mem.left = 0; // taking needs none
        rowbox_settle(&box);
        box.mem.left = SIZE_MAX;
        assert_string_equal(rowbox_walk(&box, SHRED, "bob", true), broken ? "1=stored" : " ESIZE");
        assert_row(&box, MAIN, "bob", "2", broken ? "-" : "new");
        if (broken)
            assert_row(&box, MAIN, "bob", "1", "stored");
        assert_int_equal(rowbox_crash(&box), YR_OK);
        assert_row(&box, MAIN, "bob", "2", broken ? "-" : "new");
        rowbox_close(&box);
        if (!broken)
            break;
    }
    assert_true(refused > 40);
}

#define CANARY "CANARY-IN-A-COAL-MINE"

// An allocator that looks through each block it gets back, and through those that live when asked.
struct block {
    struct block *next, **link;
    size_t size;
    _Alignas(16) uint8_t bytes[];
};
struct watch {
    size_t found, freed;
    struct block *live;
};

static bool has_canary(const void *block, size_t size)
{
    return memmem(block, size, CANARY, sizeof CANARY - 1) != NULL;
}

static void *watched_realloc(void *ctx, void *ptr, size_t size)
{
    struct watch *watch = ctx;
    struct block *old = NULL, *next = NULL;

    if (size > 0) {
        next = malloc(sizeof *next + size);
        assert_non_null(next);
        next->size = size;
        next->next = watch->live;
        next->link = &watch->live;
        if (next->next != NULL)
            next->next->link = &next->next;
        watch->live = next;
    }
    if (ptr != NULL) {
        old = (struct block *)(void *)((uint8_t *)ptr - offsetof(struct block, bytes));
        if (next != NULL)
            memcpy(next->bytes, ptr, old->size < size ? old->size : size);
        watch->freed++;
        watch->found += has_canary(ptr, old->size);
        *old->link = old->next;
        if (old->next != NULL)
            old->next->link = old->link;
        free(old);
    }
    return next != NULL ? next->bytes : NULL;
}

static bool canary_lives(const struct watch *watch)
{
    for (const struct block *at = watch->live; at != NULL; at = at->next)
        if (has_canary(at->bytes, at->size))
            return true;
    return false;
}

static void plaintexts_are_wiped_and_leave_in_no_transaction(void **state)
{
    static char text[2000];
    struct watch watch = {0, 0, NULL};
    struct rowbox box;
    const struct yr_txn *txn;

    for (size_t i = 0; i + sizeof CANARY < sizeof text; i += sizeof CANARY - 1)
        memcpy(text + i, CANARY, sizeof CANARY - 1);
    rowbox_open(&box, 1);
    yr_rows_free(box.rows);
    box.mem.mem.realloc = watched_realloc;
    box.mem.mem.ctx = &watch;
    assert_int_equal(
        yr_rows_new(&box.rows, &box.mem.mem, &box.rng.rng, yr_memstore_view(box.store)), YR_OK);
    assert_int_equal(rowbox_unlock(&box), YR_OK);
    for (int i = 0; i < 4; i++) {
        char got[8];
        size_t len;

        assert_put(&box, SHRED, "bob", "1", text);
        assert_put(&box, MAIN, "bob", "1", "short");
        assert_put(&box, MAIN, "bob", "1", text);
        assert_put(&box, MAIN, "bob", "2", text);
        assert_put(&box, MAIN, "bob", "2", "short");
        assert_put(&box, MAIN, "bob", "3", text);
        assert_int_equal(rowbox_del(&box, MAIN, "bob", "3"), YR_OK);
        assert_true(canary_lives(&watch)); // or this test could not fail
        txn = yr_rows_take(box.rows);
        for (size_t k = 0; k < txn->op_count; k++)
            if (txn->ops[k].value != NULL)
                assert_false(has_canary(txn->ops[k].value, txn->ops[k].value_len));
        yr_memstore_submit(box.store, txn);
        if (i == 1) {
            yr_rows_reset(box.rows);
            assert_false(canary_lives(&watch));
        }
        if (i == 2)
            assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
        rowbox_settle(&box);
        assert_int_equal(yr_rows_get(box.rows, MAIN, "bob", 3, "1", 1, got, sizeof got, &len),
                         YR_ESIZE); // opened in between
        assert_false(canary_lives(&watch));
        yr_rows_lock(box.rows);
        assert_int_equal(rowbox_unlock(&box), YR_OK);
    }
    yr_rows_free(box.rows);
    assert_true(watch.freed > 20);
    assert_int_equal(watch.found, 0);
    box.rows = NULL;
    rowbox_close(&box);
}

// ---- the format ----

static void check_format(struct rowbox *box, enum yr_db db, const char *table, const char *db_name,
                         uint32_t gen, const uint8_t secret[32])
{
    uint8_t key[YR_KEY_MAX], value[256], prefix[16], plain[128], ad[80];
    const struct yr_op op = stored_row(box, db, key, value);
    const size_t table_len = strlen(table) + 1, db_len = strlen(db_name) + 1;
    uint8_t ctx[64];

    memcpy(ctx, table, table_len);
    memcpy(ctx + table_len, "bob", 3);
    yr_kdf(prefix, 16, box->vk, YR_LABEL_DB_IDX, ctx, table_len + 3);
    assert_int_equal(op.key_len, 16 + 4);
    assert_memory_equal(key, prefix, 16);
    assert_memory_equal(key + 16, "1234", 4);

    assert_int_equal(op.value_len, 1 + 4 + 24 + 128 + 16);
    assert_int_equal(value[0], 1);
    assert_int_equal(value[1] | value[2] << 8 | value[3] << 16 | value[4] << 24, gen);
    memcpy(ad, db_name, db_len);
    memcpy(ad + db_len, key, op.key_len);
    assert_int_equal(
        yr_unseal_x(plain, secret, value + 5, ad, db_len + op.key_len, value + 29, 128 + 16),
        YR_OK);
    for (size_t i = 0; i < sizeof plain; i++)
        assert_int_equal(plain[i], i < 64 ? 'x' : i == 64 ? 0x80 : 0);
}

static void a_stored_row_is_what_the_protocol_says(void **state)
{
    struct rowbox *box = *state;
    uint8_t text[64], val[32], sk[32];
    uint64_t gen;

    memset(text, 'x', sizeof text);
    assert_int_equal(yr_rows_put(box->rows, MAIN, "bob", 3, "1234", 4, text, 64), YR_OK);
    assert_int_equal(yr_rows_put(box->rows, SHRED, "bob", 3, "1234", 4, text, 64), YR_OK);
    rowbox_settle(box);
    yr_kdf(val, 32, box->vk, YR_LABEL_DB_VAL, NULL, 0);
    check_format(box, YR_DB_MAIN, "message", "main", 0, val);
    assert_int_equal(yr_shred_decode(&gen, sk, yr_memstore_shred_file(box->store), box->vk), YR_OK);
    assert_int_equal(gen, 1);
    check_format(box, YR_DB_SHRED, "outbox", "shred", 1, sk);
}

static void a_stored_key_does_not_tell_who_a_friend_is(void **state)
{
    struct rowbox *box = *state;
    const struct yr_store_view *view = yr_memstore_view(box->store);
    uint8_t ids[20][YR_ID_LEN], key[YR_KEY_MAX] = {0}, one, got;
    struct yr_row at = {.suffix_len = 0};
    struct yr_kv kv = {0};
    size_t seen = 0, stored = 0, key_len = 1, len;
    enum yr_seek how = YR_SEEK_GE;

    for (size_t i = 0; i < YR_COUNT(ids); i++) {
        memset(ids[i], (int)i, YR_ID_LEN);
        one = (uint8_t)i;
        assert_int_equal(
            yr_rows_put(box->rows, YR_TABLE_FRIEND, NULL, 0, ids[i], YR_ID_LEN, &one, 1), YR_OK);
    }
    rowbox_settle(box);
    for (; yr_rows_seek(box->rows, YR_TABLE_FRIEND, NULL, 0, how, &at, &got, 1) == YR_OK; seen++) {
        how = YR_SEEK_GT;
        assert_int_equal(at.suffix_len, YR_ID_LEN);
        assert_memory_equal(at.suffix, ids[got], YR_ID_LEN);
    }
    assert_int_equal(seen, YR_COUNT(ids));
    assert_int_equal(yr_rows_get(box->rows, YR_TABLE_FRIEND, NULL, 0, ids[7], 32, &got, 1, &len),
                     YR_OK);
    assert_int_equal(got, 7);
    for (how = YR_SEEK_GE; view->seek(view->ctx, YR_DB_MAIN, how, key, key_len, &kv) == YR_OK;
         stored++) {
        how = YR_SEEK_GT;
        key_len = kv.key_len;
        memcpy(key, kv.key, key_len);
        for (size_t i = 0; i < YR_COUNT(ids); i++)
            assert_null(memmem(key, key_len, ids[i], 4));
    }
    assert_int_equal(stored, YR_COUNT(ids));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_put_is_read_at_once_and_ever_after),
        T(the_newest_of_several_writes_is_read),
        T(a_deleted_row_is_gone_at_once_and_for_good),
        T(tables_and_owners_are_apart),
        T(more_owners_than_the_cache_holds_are_kept_apart),
        T(rows_may_change_under_a_walk),
        T(a_walk_without_a_buffer_gives_the_suffixes),
        T(a_stored_key_does_not_tell_who_a_friend_is),
        T(values_of_every_size_come_back_and_too_small_a_buffer_is_an_error),
        T(random_use_agrees_with_a_model_through_crashes_and_rotations),
        T(a_row_overwritten_many_times_is_written_once),
        T(what_is_put_during_a_commit_goes_into_the_next),
        T(after_a_failed_commit_and_a_reset_all_is_as_it_was_stored),
        T(a_late_answer_after_a_reset_is_ignored),
        T(a_refused_write_breaks_the_transaction_but_not_the_one_in_flight),
        T(locked_rows_say_so),
        cmocka_unit_test(the_same_seed_writes_the_same_bytes),
        T(every_flipped_bit_of_a_stored_value_is_found),
        T(a_value_of_any_other_length_is_damaged),
        T(a_row_under_another_key_or_in_the_other_map_does_not_open),
        T(what_the_view_cannot_read_is_an_error),
        cmocka_unit_test(refusing_any_one_allocation_loses_nothing_that_was_committed),
        cmocka_unit_test(plaintexts_are_wiped_and_leave_in_no_transaction),
        T(a_stored_row_is_what_the_protocol_says),
    };

    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
