// The erasable key: made, rotated, interrupted anywhere, and never lost while a row needs it
// (B.11).
#include <stdio.h>
#include <stdlib.h>

#include "core/store/rowkeys.h"
#include "tests/support/rowbox.h"
#include "tests/support/test.h"

#define MAIN  YR_TABLE_MESSAGE
#define SHRED YR_TABLE_OUTBOX

#define assert_row(box, table, owner, suffix, text) \
    assert_string_equal(rowbox_get(box, table, owner, suffix), text)
#define assert_put(box, table, owner, suffix, text) \
    assert_int_equal(rowbox_put(box, table, owner, suffix, text), YR_OK)

// The generations of the slots that open; 0: does not.
static void read_gens(const struct rowbox *box, uint64_t gens[2])
{
    const uint8_t *file = yr_memstore_shred_file(box->store);
    uint8_t sk[32];

    for (size_t i = 0; i < 2; i++)
        if (yr_shred_decode(&gens[i], sk, file + i * YR_SHRED_SLOT_LEN, box->vk) != YR_OK)
            gens[i] = 0;
}

// The generation of the only slot that opens, which all rows carry.
static uint64_t the_gen(const struct rowbox *box)
{
    const struct yr_store_view *view = yr_memstore_view(box->store);
    uint8_t key[YR_KEY_MAX] = {0};
    enum yr_seek how = YR_SEEK_GE;
    size_t key_len = 1;
    uint64_t gens[2];
    struct yr_kv kv;

    read_gens(box, gens);
    assert_true((gens[0] == 0) != (gens[1] == 0));
    for (; view->seek(view->ctx, YR_DB_SHRED, how, key, key_len, &kv) == YR_OK; how = YR_SEEK_GT) {
        uint32_t gen;

        assert_int_equal(yr_row_gen(kv.value, kv.value_len, &gen), YR_OK);
        assert_int_equal(gen, gens[0] + gens[1]);
        memcpy(key, kv.key, kv.key_len);
        key_len = kv.key_len;
    }
    return gens[0] + gens[1];
}

// Rows of both maps, stored; then changes of all kinds, not yet stored.
static void put_rows(struct rowbox *box)
{
    char suffix[8];

    for (int i = 0; i < 20; i++) {
        snprintf(suffix, sizeof suffix, "%02d", i);
        assert_put(box, MAIN, "bob", suffix, "old");
        assert_put(box, SHRED, "bob", suffix, "old");
    }
    rowbox_settle(box);
}

static void put_changes(struct rowbox *box)
{
    assert_put(box, MAIN, "bob", "03", "new");
    assert_put(box, SHRED, "bob", "03", "new");
    assert_put(box, SHRED, "bob", "99", "new");
    assert_int_equal(rowbox_del(box, SHRED, "bob", "04"), YR_OK);
}

static void check_rows(struct rowbox *box, bool changed)
{
    char suffix[8];

    for (int i = 0; i < 20; i++) {
        snprintf(suffix, sizeof suffix, "%02d", i);
        assert_row(box, MAIN, "bob", suffix, changed && i == 3 ? "new" : "old");
        assert_row(box, SHRED, "bob", suffix,
                   !changed || (i != 3 && i != 4) ? "old"
                   : i == 3                       ? "new"
                                                  : "-");
    }
    assert_row(box, SHRED, "bob", "99", changed ? "new" : "-");
}

static bool is_there(struct rowbox *box)
{
    return strcmp(rowbox_get(box, SHRED, "bob", "99"), "-") != 0;
}

// ---- the first key ----

static void nothing_is_committed_before_the_first_key_is_durable(void **state)
{
    struct yr_keyfile keyfile;
    struct rowbox box;

    rowbox_init(&box, 1);
    assert_int_equal(rowbox_unlock(&box), YR_OK);
    assert_put(&box, MAIN, "bob", "1", "text");
    assert_null(yr_rows_take(box.rows));
    assert_true(yr_rows_keyfile(box.rows, &keyfile));
    assert_int_equal(keyfile.token >> 63, 1);
    assert_false(yr_rows_keyfile(box.rows, &keyfile));
    assert_null(yr_rows_take(box.rows));
    yr_rows_stored(box.rows, keyfile.token, YR_OK);
    assert_false(yr_rows_rotating(box.rows));
    assert_non_null(yr_rows_take(box.rows));
    rowbox_close(&box);
}

static void a_first_key_that_cannot_be_written_is_tried_again_with_the_next_put(void **state)
{
    struct rowbox box;

    rowbox_init(&box, 1);
    assert_int_equal(rowbox_unlock(&box), YR_OK);
    yr_memstore_fail_keyfile(box.store, YR_ENOSPC, 2, 0);
    for (int i = 0; i < 2; i++) {
        assert_put(&box, SHRED, "bob", "1", "text");
        rowbox_settle(&box); // ends: no circle
        assert_null(yr_memstore_shred_file(box.store));
        assert_true(yr_rows_broken(box.rows));
        yr_rows_reset(box.rows);
        rowbox_settle(&box);
        assert_false(yr_rows_broken(box.rows));
        assert_row(&box, SHRED, "bob", "1", "-");
    }
    assert_put(&box, SHRED, "bob", "1", "text");
    rowbox_settle(&box);
    assert_int_equal(the_gen(&box), 1);
    assert_int_equal(rowbox_crash(&box), YR_OK);
    assert_row(&box, SHRED, "bob", "1", "text");
    rowbox_close(&box);
}

static void a_crash_around_the_first_key_leaves_a_store_that_opens(void **state)
{
    for (size_t torn = 0; torn <= YR_SHRED_SLOT_LEN; torn += 12) {
        struct rowbox box;

        rowbox_init(&box, torn);
        assert_int_equal(rowbox_unlock(&box), YR_OK);
        assert_put(&box, SHRED, "bob", "1", "text");
        rowbox_pump(&box);
        yr_memstore_crash_during_keyfile(box.store, torn);
        assert_int_equal(rowbox_crash(&box), YR_OK);
        assert_row(&box, SHRED, "bob", "1", "-");
        assert_put(&box, SHRED, "bob", "1", "text");
        rowbox_settle(&box);
        assert_int_equal(rowbox_crash(&box), YR_OK);
        assert_row(&box, SHRED, "bob", "1", "text");
        rowbox_close(&box);
    }
}

// ---- rotation ----

static void a_rotation_moves_every_row_and_destroys_the_old_key(void **state)
{
    uint8_t before[YR_SHRED_FILE_LEN];
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    for (uint64_t gen = 1; gen < 6; gen++) {
        assert_int_equal(the_gen(&box), gen);
        memcpy(before, yr_memstore_shred_file(box.store), sizeof before);
        if (gen == 1)
            put_changes(&box);
        assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
        assert_int_equal(yr_rows_rotate(box.rows), YR_OK); // one at a time
        assert_true(yr_rows_rotating(box.rows));
        rowbox_settle(&box);
        assert_false(yr_rows_rotating(box.rows));
        assert_int_equal(the_gen(&box), gen + 1);
        check_rows(&box, true);
        assert_int_equal(yr_rows_unlock(box.rows, box.vk, before), YR_ECORRUPT); // a stolen old key
        assert_int_equal(rowbox_unlock(&box), YR_OK);
    }
    rowbox_close(&box);
}

static void a_rotation_of_an_empty_store_needs_no_transaction(void **state)
{
    struct rowbox box;

    rowbox_open(&box, 1);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    rowbox_settle(&box);
    assert_false(yr_rows_rotating(box.rows));
    assert_int_equal(the_gen(&box), 2);
    assert_int_equal(yr_rows_pending(box.rows), 0);
    rowbox_close(&box);
}

static void rows_move_in_one_transaction_with_what_is_pending(void **state)
{
    const struct yr_txn *txn;
    struct yr_keyfile keyfile;
    size_t deletes = 0, mains = 0;
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    put_changes(&box);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    assert_true(yr_rows_keyfile(box.rows, &keyfile));
    assert_int_equal(keyfile.slot, 1);
    yr_rows_stored(box.rows, keyfile.token, YR_OK);
    assert_false(yr_rows_keyfile(box.rows, &keyfile)); // the old slot stays until the rows moved
    txn = yr_rows_take(box.rows);
    assert_int_equal(txn->op_count, 22); // 20 and a new one, of which one is deleted; 1 of main
    for (size_t i = 0; i < txn->op_count; i++) {
        deletes += txn->ops[i].value == NULL;
        mains += txn->ops[i].db == YR_DB_MAIN;
    }
    assert_int_equal(deletes, 1);
    assert_int_equal(mains, 1);
    assert_false(yr_rows_keyfile(box.rows, &keyfile));
    yr_rows_stored(box.rows, txn->token, YR_OK);
    assert_true(yr_rows_keyfile(box.rows, &keyfile));
    assert_int_equal(keyfile.slot, 0);
    rowbox_close(&box);
}

// Rotate with changes pending, crash after `steps` steps; true if it was over before.
static bool rotate_and_crash(struct rowbox *box, size_t steps, size_t torn)
{
    assert_int_equal(yr_rows_rotate(box->rows), YR_OK);
    for (size_t step = 0;; step += 2) {
        rowbox_pump(box);
        if (step == steps)
            break;
        if (!rowbox_answer(box))
            return true;
        if (step + 1 == steps)
            break;
    }
    yr_memstore_crash_during_keyfile(box->store, torn);
    return false;
}

static void a_crash_at_any_point_of_a_rotation_loses_no_row(void **state)
{
    static const size_t torn[] = {0, 1, 8, 40, 95, 96};
    size_t points = 0;

    for (size_t t = 0; t < YR_COUNT(torn); t++) {
        for (size_t first = 0, over = 0; !over; first++) {
            for (size_t second = 0; second < 8; second++) { // and again while it is taken up
                struct rowbox box;
                bool changed;

                rowbox_open(&box, 100 * first + second);
                put_rows(&box);
                put_changes(&box);
                over = rotate_and_crash(&box, first, torn[t]);
                assert_int_equal(rowbox_crash(&box), YR_OK);
                changed = is_there(&box);
                check_rows(&box, changed);

                rotate_and_crash(&box, second, torn[YR_COUNT(torn) - 1 - t]);
                assert_int_equal(rowbox_crash(&box), YR_OK);
                check_rows(&box, changed);

                rowbox_settle(&box); // takes up what was interrupted
                assert_false(yr_rows_rotating(box.rows));
                check_rows(&box, changed);
                the_gen(&box);
                assert_int_equal(rowbox_crash(&box), YR_OK);
                assert_false(yr_rows_rotating(box.rows));
                check_rows(&box, changed);
                rowbox_close(&box);
                points++;
            }
        }
    }
    assert_true(points > 250);
}

static void a_new_slot_that_cannot_be_written_gives_the_rotation_up(void **state)
{
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    for (size_t torn = 0; torn <= YR_SHRED_SLOT_LEN; torn += 24) { // it may be there all the same
        yr_memstore_fail_keyfile(box.store, YR_EIO, 1, torn);
        assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
        rowbox_settle(&box);
        assert_false(yr_rows_rotating(box.rows));
        assert_false(yr_rows_broken(box.rows));
        assert_put(&box, SHRED, "bob", "00", "old");
        rowbox_settle(&box);
        check_rows(&box, false);
    }
    assert_int_equal(rowbox_crash(&box), YR_OK); // two slots open now
    check_rows(&box, false);
    rowbox_settle(&box);
    assert_int_equal(the_gen(&box), 2);
    check_rows(&box, false);
    rowbox_close(&box);
}

static void an_old_slot_that_cannot_be_destroyed_is_tried_again_when_asked(void **state)
{
    struct rowbox box;
    uint64_t gens[2];

    rowbox_open(&box, 1);
    put_rows(&box);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    rowbox_pump(&box);
    assert_true(rowbox_answer(&box)); // the new slot
    yr_memstore_fail_keyfile(box.store, YR_EIO, 1, 0);
    rowbox_settle(&box);
    assert_true(yr_rows_rotating(box.rows));
    read_gens(&box, gens);
    assert_int_equal(gens[0], 1);
    assert_int_equal(gens[1], 2);
    assert_put(&box, SHRED, "bob", "00", "old");
    rowbox_settle(&box);
    check_rows(&box, false);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    rowbox_settle(&box);
    assert_false(yr_rows_rotating(box.rows));
    assert_int_equal(the_gen(&box), 2);
    rowbox_close(&box);
}

static void a_full_disk_does_not_turn_a_rotation_in_circles(void **state)
{
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    yr_memstore_fail(box.store, YR_ENOSPC, 1);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    rowbox_settle(&box);
    assert_true(yr_rows_broken(box.rows));
    yr_rows_reset(box.rows);
    assert_null(yr_rows_take(box.rows));
    check_rows(&box, false);
    put_changes(&box); // half the rows under the old key, some under the new
    rowbox_settle(&box);
    check_rows(&box, true);
    assert_true(yr_rows_rotating(box.rows));
    assert_int_equal(rowbox_crash(&box), YR_OK);
    check_rows(&box, true);
    assert_true(yr_rows_rotating(box.rows));
    rowbox_settle(&box);
    assert_int_equal(the_gen(&box), 2);
    check_rows(&box, true);
    rowbox_close(&box);
}

static void a_rotation_without_memory_waits_and_writes_go_on(void **state)
{
    size_t stuck = 0;

    for (size_t left = 0;; left++) {
        bool done;
        struct rowbox box;

        rowbox_open(&box, left);
        put_rows(&box);
        put_changes(&box);
        assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
        box.mem.left = left;
        rowbox_settle(&box);
        box.mem.left = SIZE_MAX;
        done = !yr_rows_rotating(box.rows);
        stuck += !done;
        assert_false(yr_rows_broken(box.rows));
        check_rows(&box, true);
        assert_int_equal(yr_rows_durable(box.rows), yr_rows_pending(box.rows));
        assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
        rowbox_settle(&box);
        assert_int_equal(the_gen(&box), done ? 3 : 2);
        assert_int_equal(rowbox_crash(&box), YR_OK);
        check_rows(&box, true);
        rowbox_close(&box);
        if (done)
            break;
    }
    assert_true(stuck >= 18);
}

static void a_late_answer_of_a_key_file_is_ignored(void **state)
{
    struct yr_keyfile keyfile, later;
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    assert_true(yr_rows_keyfile(box.rows, &keyfile));
    yr_rows_stored(box.rows, keyfile.token + 1, YR_OK);
    assert_true(yr_rows_rotating(box.rows));
    assert_int_equal(rowbox_unlock(&box), YR_OK);
    assert_false(yr_rows_rotating(box.rows));
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    assert_true(yr_rows_keyfile(box.rows, &later));
    assert_true(later.token != keyfile.token);
    yr_rows_stored(box.rows, keyfile.token, YR_OK);
    assert_null(yr_rows_take(box.rows)); // no reseal yet
    check_rows(&box, false);
    rowbox_close(&box);
}

// ---- unlocking ----

static void overwrite(struct rowbox *box, const struct yr_op *op)
{
    const struct yr_txn txn = {1, op, 1, op->key_len + op->value_len};
    uint64_t token;
    enum yr_err err;

    yr_memstore_submit(box->store, &txn);
    assert_true(yr_memstore_commit_next(box->store, &token, &err));
}

static void damage_first_row(struct rowbox *box, enum yr_db db, size_t at)
{
    const struct yr_store_view *view = yr_memstore_view(box->store);
    uint8_t key[YR_KEY_MAX], value[512];
    struct yr_kv kv;

    assert_int_equal(view->seek(view->ctx, db, YR_SEEK_GE, (const uint8_t *)"", 1, &kv), YR_OK);
    memcpy(key, kv.key, kv.key_len);
    memcpy(value, kv.value, kv.value_len);
    value[at] ^= 1;
    overwrite(box, &(struct yr_op){db, key, kv.key_len, value, kv.value_len});
}

static void another_vault_key_does_not_open_the_store(void **state)
{
    struct rowbox box;
    uint8_t other[32];

    rowbox_open(&box, 1);
    put_rows(&box);
    memcpy(other, box.vk, sizeof other);
    other[31] ^= 0x80;
    assert_int_equal(yr_rows_unlock(box.rows, other, yr_memstore_shred_file(box.store)), YR_EAUTH);
    assert_string_equal(rowbox_get(&box, MAIN, "bob", "00"), "ELOCKED");
    assert_int_equal(yr_rows_unlock(box.rows, other, NULL), YR_EAUTH);
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, NULL), YR_EAUTH); // its erasable key is lost
    assert_int_equal(rowbox_unlock(&box), YR_OK);
    check_rows(&box, false);
    rowbox_close(&box);
}

static void a_damaged_key_file_is_told_from_a_damaged_row(void **state)
{
    uint8_t file[YR_SHRED_FILE_LEN];
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    memcpy(file, yr_memstore_shred_file(box.store), sizeof file);
    for (size_t i = 0; i < YR_SHRED_SLOT_LEN; i++) {
        file[i] ^= 0x10;
        assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_EAUTH);
        file[i] ^= 0x10;
    }
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_OK);
    damage_first_row(&box, YR_DB_MAIN, 70);
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_ECORRUPT);
    damage_first_row(&box, YR_DB_MAIN, 70);
    damage_first_row(&box, YR_DB_SHRED, 1); // its generation: a key no slot holds
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_ECORRUPT);
    damage_first_row(&box, YR_DB_SHRED, 1);
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_OK);
    rowbox_close(&box);
}

static void two_slots_of_one_generation_are_not_ours(void **state)
{
    uint8_t file[YR_SHRED_FILE_LEN];
    struct rowbox box;

    rowbox_open(&box, 1);
    memcpy(file, yr_memstore_shred_file(box.store), YR_SHRED_SLOT_LEN);
    memcpy(file + YR_SHRED_SLOT_LEN, file, YR_SHRED_SLOT_LEN);
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_ECORRUPT);
    rowbox_close(&box);
}

static void a_generation_out_of_range_does_not_open(void **state)
{
    static const uint64_t gens[] = {0, (uint64_t)UINT32_MAX + 1, UINT64_MAX};
    uint8_t file[YR_SHRED_FILE_LEN] = {0}, sk[32] = {0};
    struct rowbox box;

    rowbox_open(&box, 1);
    for (size_t i = 0; i < YR_COUNT(gens); i++) {
        yr_shred_encode(file, gens[i], sk, box.vk, &box.rng.rng);
        assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_EAUTH);
    }
    yr_shred_encode(file, UINT32_MAX, sk, box.vk, &box.rng.rng);
    assert_int_equal(yr_rows_unlock(box.rows, box.vk, file), YR_OK);
    assert_int_equal(yr_rows_rotate(box.rows), YR_EFULL);
    rowbox_close(&box);
}

static void a_damaged_row_stops_a_rotation_and_nothing_else(void **state)
{
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    damage_first_row(&box, YR_DB_SHRED, 70);
    put_changes(&box);
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    rowbox_settle(&box);
    assert_true(yr_rows_rotating(box.rows));
    assert_false(yr_rows_broken(box.rows));
    assert_row(&box, MAIN, "bob", "03", "new");
    assert_row(&box, SHRED, "bob", "99", "new");
    assert_int_equal(rowbox_crash(&box), YR_OK);
    assert_row(&box, SHRED, "bob", "99", "new");
    rowbox_settle(&box);
    assert_true(yr_rows_rotating(box.rows));
    damage_first_row(&box, YR_DB_SHRED, 70); // mended
    assert_int_equal(yr_rows_rotate(box.rows), YR_OK);
    rowbox_settle(&box);
    assert_false(yr_rows_rotating(box.rows));
    check_rows(&box, true);
    the_gen(&box);
    rowbox_close(&box);
}

static void what_cannot_be_read_leaves_the_rows_locked(void **state)
{
    struct rowbox box;

    rowbox_open(&box, 1);
    put_rows(&box);
    yr_memstore_fail_reads(box.store, YR_EIO, 1);
    assert_int_equal(rowbox_unlock(&box), YR_EIO);
    assert_string_equal(rowbox_get(&box, MAIN, "bob", "00"), "ELOCKED");
    box.mem.left = 0;
    assert_int_equal(rowbox_unlock(&box), YR_ENOMEM);
    box.mem.left = SIZE_MAX;
    assert_int_equal(rowbox_unlock(&box), YR_OK);
    check_rows(&box, false);
    rowbox_close(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_committed_before_the_first_key_is_durable),
        cmocka_unit_test(a_first_key_that_cannot_be_written_is_tried_again_with_the_next_put),
        cmocka_unit_test(a_crash_around_the_first_key_leaves_a_store_that_opens),
        cmocka_unit_test(a_rotation_moves_every_row_and_destroys_the_old_key),
        cmocka_unit_test(a_rotation_of_an_empty_store_needs_no_transaction),
        cmocka_unit_test(rows_move_in_one_transaction_with_what_is_pending),
        cmocka_unit_test(a_crash_at_any_point_of_a_rotation_loses_no_row),
        cmocka_unit_test(a_new_slot_that_cannot_be_written_gives_the_rotation_up),
        cmocka_unit_test(an_old_slot_that_cannot_be_destroyed_is_tried_again_when_asked),
        cmocka_unit_test(a_full_disk_does_not_turn_a_rotation_in_circles),
        cmocka_unit_test(a_rotation_without_memory_waits_and_writes_go_on),
        cmocka_unit_test(a_late_answer_of_a_key_file_is_ignored),
        cmocka_unit_test(another_vault_key_does_not_open_the_store),
        cmocka_unit_test(a_damaged_key_file_is_told_from_a_damaged_row),
        cmocka_unit_test(two_slots_of_one_generation_are_not_ours),
        cmocka_unit_test(a_generation_out_of_range_does_not_open),
        cmocka_unit_test(a_damaged_row_stops_a_rotation_and_nothing_else),
        cmocka_unit_test(what_cannot_be_read_leaves_the_rows_locked),
    };

    return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
