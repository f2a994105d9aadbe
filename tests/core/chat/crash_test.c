/* Power failures, failed commits and refused memory: what was durable is there, whole, and what was
 * not is gone, whole. */
#include "tests/support/chats.h"
#include "tests/support/test.h"

#define STEPS 16

static struct talker alice, bob;
static struct yr_message message, other;

static int set_up(void **state)
{
    talker_init(&alice, 'a', 9);
    talker_init(&bob, 'b', 9);
    talker_befriend(&alice, &bob);
    talker_befriend(&bob, &alice);
    return 0;
}

static int tear_down(void **state)
{
    talker_clear(&alice);
    talker_clear(&bob);
    return 0;
}

/* A scene: alice and bob do a bit of everything; each step is one call of alice's. */
static uint8_t hers[3][YR_MSG_ID_LEN], his[2][YR_MSG_ID_LEN];

static enum yr_err receive(size_t i)
{
    const enum yr_err err = talker_receive(&alice, &bob, &bob.out[i]);

    return err == YR_EEXIST ? YR_OK : err;
}

static enum yr_err step(int i)
{
    struct yr_chats *chats = alice.chats;

    alice.now.wall_ms += 1000;
    switch (i) {
    case 0: return yr_chat_send(chats, alice.now, bob.id, false, "one", 3, NULL, NULL, 0, hers[0]);
    case 1: return yr_chat_send(chats, alice.now, bob.id, true, "two", 3, NULL, "key", 3, hers[1]);
    case 2: return receive(1); // his second text, which cites his first
    case 3: return receive(2); // an edit of his first, which has not come
    case 4: return receive(0); // his first text
    case 5: return yr_chat_edit(chats, alice.now, hers[0], "uno", 3);
    case 6: return yr_chat_react(chats, alice.now, his[0], "+", 1, false);
    case 7: return receive(3); // reaction of his
    case 8: return receive(4); // receipts for hers
    case 9: return yr_chat_read(chats, alice.now, bob.id, NULL, true);
    case 10: return yr_chat_note(chats, alice.now, bob.id, "a line");
    case 11:
        return yr_chat_send(chats, alice.now, alice.id, false, "note", 4, NULL, NULL, 0, hers[2]);
    case 12: return yr_chat_delete(chats, alice.now, hers[1], false);
    case 13: return receive(5); // a deletion of his
    case 14: return yr_chat_delete(chats, alice.now, his[0], true);
    default: return yr_chats_flush(chats, alice.now);
    }
}

// What bob will have said: made once, against a first run of the scene.
static void rehearse(void)
{
    size_t next = 0;

    assert_int_equal(step(0), YR_OK);
    assert_int_equal(step(1), YR_OK);
    talker_say(&bob, &alice, "eins", his[0]);
    talker_say(&bob, &alice, "zwei", his[1]);
    assert_int_equal(yr_chat_edit(bob.chats, bob.now, his[0], "one", 3), YR_OK);
    talker_hand_over(&alice, &bob, &next);
    assert_int_equal(yr_chat_react(bob.chats, bob.now, hers[0], "!", 1, false), YR_OK);
    talker_commit(&bob);
    assert_int_equal(yr_chat_delete(bob.chats, bob.now, his[1], false), YR_OK);
    assert_int_equal(bob.out_count, 6);
}

static void restart_scene(void)
{
    talker_clear(&alice);
    talker_init(&alice, 'a', 9); // the same seed: the same ids, which bob's words are about
    talker_befriend(&alice, &bob);
}

/* Everything that can be seen at alice's, in one hash-like list of bytes. */
static size_t picture(uint8_t *out, size_t cap)
{
    const uint8_t *convs[] = {bob.id, alice.id};
    struct yr_wr wr = yr_wr_init(out, cap);

    for (size_t i = 0; i < 2; i++) {
        struct yr_place at = {{0}};
        struct yr_unread unread;

        for (enum yr_seek how = YR_SEEK_GE;
             yr_chat_history(alice.chats, convs[i], how, &at, &message) == YR_OK;
             how = YR_SEEK_GT) {
            uint8_t conv[YR_ID_LEN];
            struct yr_place place;

            // The index agrees with the history.
            assert_int_equal(yr_chat_message(alice.chats, message.id, &other), YR_OK);
            assert_memory_equal(&other, &message, sizeof other);
            assert_int_equal(yr_chat_place(alice.chats, message.id, conv, &place), YR_OK);
            assert_memory_equal(&place, &at, sizeof place);
            yr_wr_bytes(&wr, message.id, sizeof message.id);
            yr_wr_bytes(&wr, message.text, message.text_len);
            yr_wr_u8(&wr, (uint8_t)(message.kind | message.state << 4));
            yr_wr_u8(&wr, (uint8_t)(message.edited | message.deleted << 1 | message.unread << 2));
            yr_wr_u64(&wr, message.cursor);
            yr_wr_u64(&wr, (uint64_t)message.edited_ms);
            yr_wr_u64(&wr, (uint64_t)message.delivered_ms);
            yr_wr_u64(&wr, (uint64_t)message.read_ms);
            for (size_t k = 0; k < message.reaction_count; k++)
                yr_wr_bytes(&wr, &message.reactions[k], sizeof message.reactions[k]);
        }
        yr_chat_unread(alice.chats, convs[i], &unread);
        yr_wr_u64(&wr, unread.count);
        yr_wr_bytes(&wr, unread.first, sizeof unread.first);
        yr_wr_bytes(&wr, unread.marker, sizeof unread.marker);
    }
    assert_true(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static uint8_t before[65536], after[65536];

static void a_crash_after_any_step_loses_exactly_what_was_not_committed(void **state)
{
    rehearse();
    for (int crash_at = 0; crash_at < STEPS; crash_at++) {
        size_t len;

        restart_scene();
        for (int i = 0; i < crash_at; i++)
            assert_int_equal(step(i), YR_OK);
        talker_commit(&alice);
        len = picture(before, sizeof before);
        assert_int_equal(step(crash_at), YR_OK); // not committed
        talker_crash(&alice, alice.out_count);
        assert_int_equal(picture(after, sizeof after), len);
        assert_memory_equal(before, after, len);
        for (int i = crash_at; i < STEPS; i++) // and life goes on
            assert_int_equal(step(i), YR_OK);
        talker_commit(&alice);
    }
}

static void a_restart_after_any_step_changes_nothing(void **state)
{
    size_t len, plain_len = 0;
    uint8_t *plain = malloc(sizeof before);

    assert_non_null(plain);
    rehearse();
    for (int restart_at = 0; restart_at <= STEPS; restart_at++) {
        restart_scene();
        for (int i = 0; i < STEPS; i++) {
            if (i == restart_at) {
                talker_commit(&alice);
                len = picture(before, sizeof before);
                talker_crash(&alice, alice.out_count);
                assert_int_equal(picture(after, sizeof after), len);
                assert_memory_equal(before, after, len);
            }
            assert_int_equal(step(i), YR_OK);
        }
        talker_commit(&alice);
        if (restart_at == STEPS)
            plain_len = picture(plain, sizeof before);
    }
    assert_true(plain_len > 200);
    free(plain);
}

static void the_sequence_never_repeats_and_the_clock_rises_over_crashes(void **state)
{
    uint64_t seq = 0, hlc = 0;
    uint8_t log[YR_INCARNATION_LEN] = {0};
    struct yr_plain plain;

    for (int i = 0; i < 50; i++) {
        talker_say(&alice, &bob, "x", NULL);
        assert_int_equal(yr_plain_decode(&plain, alice.out[alice.out_count - 1].bytes,
                                         alice.out[alice.out_count - 1].len),
                         YR_OK);
        if (i > 0)
            assert_memory_equal(log, plain.incarnation, sizeof log);
        memcpy(log, plain.incarnation, sizeof log);
        if (i % 3 == 2) { // it never was: its number may be used again
            talker_crash(&alice, alice.out_count - 1);
            continue;
        }
        assert_true(plain.seq == seq + 1);
        assert_true(plain.hlc > hlc);
        seq = plain.seq;
        hlc = plain.hlc;
        alice.now.wall_ms -= 1000; // and its clock goes back all the time
        talker_commit(&alice);
        if (i % 5 == 0)
            talker_crash(&alice, alice.out_count);
    }
}

static void two_stores_have_two_incarnations(void **state)
{
    struct yr_plain a, b;

    talker_say(&alice, &bob, "x", NULL);
    talker_say(&bob, &alice, "x", NULL);
    assert_int_equal(yr_plain_decode(&a, alice.out[0].bytes, alice.out[0].len), YR_OK);
    assert_int_equal(yr_plain_decode(&b, bob.out[0].bytes, bob.out[0].len), YR_OK);
    assert_memory_not_equal(a.incarnation, b.incarnation, YR_INCARNATION_LEN);
}

static void a_failed_commit_is_like_a_crash(void **state)
{
    const struct yr_txn *txn;
    struct yr_event event;
    size_t len;

    talker_say(&alice, &bob, "kept", NULL);
    talker_commit(&alice);
    len = picture(before, sizeof before);
    while (talker_event(&alice, &event))
        ;
    talker_say(&alice, &bob, "lost", NULL);
    assert_int_equal(yr_chats_flush(alice.chats, alice.now), YR_OK);
    txn = yr_rows_take(alice.rows);
    assert_non_null(txn);
    yr_rows_stored(alice.rows, txn->token, YR_ENOSPC);
    assert_true(yr_rows_broken(alice.rows));
    assert_int_equal(talker_reset(&alice), YR_OK);
    assert_int_equal(picture(after, sizeof after), len);
    assert_memory_equal(before, after, len);
    assert_false(talker_event(&alice, &event));
    talker_say(&alice, &bob, "again", NULL);
    talker_commit(&alice);
    assert_true(talker_event(&alice, &event));
}

static void every_refused_allocation_ends_in_the_state_before(void **state)
{
    size_t refused = 0;

    rehearse();
    for (int at = 0; at < STEPS; at++) {
        restart_scene();
        for (int i = 0; i < at; i++)
            assert_int_equal(step(i), YR_OK);
        talker_commit(&alice);
        for (size_t left = 0;; left++) {
            const struct yr_now now = alice.now;
            const uint64_t dice = alice.rng.state;
            const size_t len = picture(before, sizeof before), out = alice.out_count;
            enum yr_err err;

            alice.mem.left = left;
            err = step(at);
            alice.mem.left = SIZE_MAX;
            if (err == YR_OK && !yr_rows_broken(alice.rows))
                break;
            if (err != YR_OK)
                assert_int_equal(err, YR_ENOMEM);
            refused++;
            assert_int_equal(talker_reset(&alice), YR_OK);
            assert_int_equal(picture(after, sizeof after), len);
            assert_memory_equal(before, after, len);
            while (alice.out_count > out)
                free(alice.out[--alice.out_count].bytes);
            alice.now = now;
            alice.rng.state = dice;
        }
        talker_commit(&alice);
    }
    assert_true(refused > 60);
}

static void a_start_without_memory_can_be_tried_again(void **state)
{
    enum yr_err err = YR_ENOMEM;

    talker_say(&alice, &bob, "x", NULL);
    talker_commit(&alice);
    for (size_t left = 0; err != YR_OK; left++) {
        alice.mem.left = left;
        err = talker_reset(&alice);
        alice.mem.left = SIZE_MAX;
        assert_true(err == YR_OK || err == YR_ENOMEM);
    }
    assert_true(picture(before, sizeof before) > 100);
}

static void a_read_that_fails_is_an_error_and_not_an_absence(void **state)
{
    struct yr_place at = {{0}};

    talker_say(&alice, &bob, "x", NULL);
    talker_commit(&alice);
    yr_memstore_fail_reads(alice.store, YR_EIO, 1);
    assert_int_equal(yr_chat_message(alice.chats, alice.out[0].id, &message), YR_EIO);
    yr_memstore_fail_reads(alice.store, YR_EIO, 1);
    assert_int_equal(yr_chat_history(alice.chats, bob.id, YR_SEEK_GE, &at, &message), YR_EIO);
    talker_say(&bob, &alice, "y", NULL);
    yr_memstore_fail_reads(alice.store, YR_EIO, 1);
    assert_int_equal(talker_receive(&alice, &bob, &bob.out[0]), YR_EIO);
    assert_int_equal(talker_reset(&alice), YR_OK);
    assert_int_equal(talker_receive(&alice, &bob, &bob.out[0]), YR_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_crash_after_any_step_loses_exactly_what_was_not_committed),
        TEST(a_restart_after_any_step_changes_nothing),
        TEST(the_sequence_never_repeats_and_the_clock_rises_over_crashes),
        TEST(two_stores_have_two_incarnations),
        TEST(a_failed_commit_is_like_a_crash),
        TEST(every_refused_allocation_ends_in_the_state_before),
        TEST(a_start_without_memory_can_be_tried_again),
        TEST(a_read_that_fails_is_an_error_and_not_an_absence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
