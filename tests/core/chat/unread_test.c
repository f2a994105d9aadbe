/* What was read: the marker, the count, the first unread message, receipts. */
#include "tests/support/chats.h"
#include "tests/support/test.h"

static struct talker alice, bob; /* alice reads what bob says */
static struct yr_message message;
static uint8_t ids[16][YR_MSG_ID_LEN];

static int set_up(void **state)
{
    talker_init(&alice, 'a', 5);
    talker_init(&bob, 'b', 5);
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

// Bob's i-th message, said at second `at_s`; parent < 0: none; gone: he took it back in time.
static void arrive_so(int i, int at_s, int parent, bool gone)
{
    static const uint8_t log[YR_INCARNATION_LEN] = {5};
    struct yr_plain p = {.type = YR_PLAIN_TEXT,
                         .hlc = (uint64_t)at_s * 1000 << 16,
                         .seq = (uint64_t)i + 1,
                         .incarnation = log,
                         .text = (const uint8_t *)"x",
                         .text_len = 1};

    memset(ids[i], i + 1, sizeof ids[i]);
    p.id = ids[i];
    if (gone) {
        p.type = YR_PLAIN_DELETE;
        p.target = ids[i];
    }
    if (parent >= 0) {
        memset(ids[parent], parent + 1, sizeof ids[parent]);
        p.parents[p.parent_count++] = ids[parent];
    }
    assert_int_equal(talker_take(&alice, &bob, &p), YR_OK);
}

static void arrive(int i, int at_s, int parent)
{
    arrive_so(i, at_s, parent, false);
}

// The state holds, and the flags of the messages agree with the count and with the first.
static void expect(size_t count, int first, int marker)
{
    for (int again = 0; again < 2; again++) {
        struct yr_unread unread;
        struct yr_place at = {{0}};
        uint8_t first_seen[YR_MSG_ID_LEN] = {0}, none[YR_MSG_ID_LEN] = {0};
        size_t flagged = 0;

        yr_chat_unread(alice.chats, bob.id, &unread);
        assert_int_equal(unread.count, count);
        assert_memory_equal(unread.first, first >= 0 ? ids[first] : none, sizeof none);
        assert_memory_equal(unread.marker, marker >= 0 ? ids[marker] : none, sizeof none);
        for (enum yr_seek how = YR_SEEK_GE;
             yr_chat_history(alice.chats, bob.id, how, &at, &message) == YR_OK; how = YR_SEEK_GT) {
            if (message.unread && flagged++ == 0)
                memcpy(first_seen, message.id, sizeof first_seen);
            assert_false(message.unread && message.own);
        }
        assert_int_equal(flagged, count);
        assert_memory_equal(first_seen, unread.first, sizeof first_seen);
        talker_commit(&alice); // the same after a restart
        talker_crash(&alice, alice.out_count);
    }
}

static void read_up_to(int i)
{
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, i >= 0 ? ids[i] : NULL, false),
                     YR_OK);
}

static void what_arrives_is_unread_until_it_is_read(void **state)
{
    expect(0, -1, -1);
    read_up_to(-1); // nothing there, no error
    for (int i = 0; i < 4; i++)
        arrive(i, 10 + i, i - 1);
    expect(4, 0, -1);
    read_up_to(1);
    expect(2, 2, 1);
    read_up_to(-1);
    expect(0, -1, 3);
    arrive(4, 20, 3);
    expect(1, 4, 3);
}

static void own_words_and_lines_of_the_node_are_never_unread(void **state)
{
    talker_say(&alice, &bob, "mine", NULL);
    assert_int_equal(yr_chat_note(alice.chats, alice.now, bob.id, "a line"), YR_OK);
    expect(0, -1, -1);
    arrive(0, 10, -1);
    talker_say(&alice, &bob, "mine too", NULL);
    expect(1, 0, -1);
}

static void a_text_taken_back_is_unread_nowhere_and_nobody_is_told_it_was_read(void **state)
{
    arrive_so(0, 10, -1, true);
    expect(0, -1, -1);
    arrive(1, 11, 0);
    arrive_so(2, 20, 4, true); // waits below the marker for what it cites
    expect(1, 1, -1);
    read_up_to(1);
    expect(0, -1, 1);
    arrive_so(3, 5, -1, true); // late, above the marker
    expect(0, -1, 1);
    arrive(4, 30, 1); // the one that cites it moves
    expect(1, 4, 1);
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, NULL, true), YR_OK);
    assert_memory_equal(alice.out[alice.out_count - 1].conv, bob.id, YR_ID_LEN);
    expect(0, -1, 2);
    for (size_t i = 0; i < alice.out_count; i++) {
        struct yr_plain plain;

        assert_int_equal(yr_plain_decode(&plain, alice.out[i].bytes, alice.out[i].len), YR_OK);
        for (size_t k = 0; k < plain.id_count; k++)
            assert_true(memcmp(plain.ids[k], ids[1], YR_MSG_ID_LEN) == 0 ||
                        memcmp(plain.ids[k], ids[4], YR_MSG_ID_LEN) == 0);
    }
}

static void the_marker_never_goes_back(void **state)
{
    struct yr_event event;
    size_t moved = 0;

    for (int i = 0; i < 4; i++)
        arrive(i, 10 + i, i - 1);
    read_up_to(2);
    read_up_to(0);
    read_up_to(2);
    expect(1, 3, 2);
    talker_commit(&alice);
    while (talker_event(&alice, &event))
        moved += event.kind == YR_EV_READ;
    assert_int_equal(moved, 0); // told before the restarts in expect
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, ids[3], false), YR_OK);
    talker_commit(&alice);
    assert_true(talker_event(&alice, &event));
    assert_int_equal(event.kind, YR_EV_READ);
    assert_memory_equal(event.msg, ids[3], YR_MSG_ID_LEN);
}

static void the_marker_needs_a_message_of_this_conversation(void **state)
{
    uint8_t id[YR_ID_LEN] = {0xee}, own[YR_MSG_ID_LEN];

    arrive(0, 10, -1);
    talker_say(&alice, &alice, "note", own);
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, id, false), YR_ENOENT);
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, own, false), YR_ENOENT);
    assert_int_equal(yr_chat_read(alice.chats, alice.now, id, NULL, false), YR_ENOFRIEND);
    expect(1, 0, -1);
}

static void a_message_that_comes_late_is_unread_above_the_marker(void **state)
{
    for (int i = 0; i < 3; i++)
        arrive(i, 10 + i, -1);
    read_up_to(-1);
    arrive(3, 5, -1); // older than all of them
    arrive(4, 11, -1);
    arrive(5, 20, -1);
    expect(3, 3, 2);
    read_up_to(3); // only that one: it stands above the others
    expect(2, 4, 2);
    read_up_to(5);
    expect(0, -1, 5);
}

static void more_late_messages_than_are_remembered_leave_the_count_true(void **state)
{
    static const uint8_t log[YR_INCARNATION_LEN] = {5};
    struct yr_unread unread;
    size_t flagged = 0;
    struct yr_place at = {{0}};

    arrive(0, 1000, -1);
    read_up_to(-1);
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t id[YR_MSG_ID_LEN] = {0xaa, i};
        const struct yr_plain p = {.type = YR_PLAIN_TEXT,
                                   .hlc = i,
                                   .seq = 100U + i,
                                   .id = id,
                                   .incarnation = log,
                                   .text = (const uint8_t *)"x",
                                   .text_len = 1};

        assert_int_equal(talker_take(&alice, &bob, &p), YR_OK);
    }
    yr_chat_unread(alice.chats, bob.id, &unread);
    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(alice.chats, bob.id, how, &at, &message) == YR_OK; how = YR_SEEK_GT)
        flagged += message.unread;
    assert_int_equal(unread.count, 64);
    assert_int_equal(flagged, 64);
    read_up_to(-1);
    yr_chat_unread(alice.chats, bob.id, &unread);
    assert_int_equal(unread.count, 0);
}

static void what_was_read_stays_read_when_it_moves_down(void **state)
{
    arrive(1, 10, 0); // cites a message that has not come
    arrive(2, 12, -1);
    read_up_to(1);
    expect(1, 2, 1);
    arrive(0, 11, -1); // 1 moves below 0: to just after second 11, below the marker
    expect(2, 0, 1);
    read_up_to(-1);
    expect(0, -1, 2);
}

static void the_first_unread_is_found_again_when_it_moves_down(void **state)
{
    arrive(1, 10, 0);
    arrive(2, 12, -1);
    talker_say(&alice, &bob, "between", NULL);
    expect(2, 1, -1);
    arrive(0, 30, -1); // 1 is now after 2, and after 0
    expect(3, 2, -1);
    read_up_to(2);
    expect(2, 0, 2);
    read_up_to(0);
    expect(1, 1, 0);
}

static void a_late_message_that_moves_below_the_marker_is_counted_once(void **state)
{
    arrive(5, 50, -1);
    read_up_to(-1);
    arrive(1, 10, 0); // late, above the marker, waits for 0
    expect(1, 1, 5);
    arrive(0, 60, -1); // and goes below it
    expect(2, 0, 5);
    arrive(3, 20, 2); // late again, moves, and stays above
    arrive(2, 25, -1);
    expect(4, 2, 5);
    read_up_to(-1);
    expect(0, -1, 1);
}

static void authors_are_told_what_was_read_once(void **state)
{
    struct yr_plain plain;
    size_t out;

    for (int i = 0; i < 3; i++)
        arrive(i, 10 + i, i - 1);
    talker_commit(&alice); // delivered receipt
    out = alice.out_count;
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, ids[1], true), YR_OK);
    assert_int_equal(alice.out_count, out + 1);
    assert_int_equal(yr_plain_decode(&plain, alice.out[out].bytes, alice.out[out].len), YR_OK);
    assert_int_equal(plain.type, YR_PLAIN_READ);
    assert_int_equal(plain.id_count, 2);
    assert_memory_equal(plain.ids[0], ids[0], YR_MSG_ID_LEN);
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, ids[1], true), YR_OK);
    assert_int_equal(alice.out_count, out + 1);
    arrive(3, 5, -1); // late
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, NULL, true), YR_OK);
    assert_int_equal(yr_plain_decode(&plain, alice.out[out + 1].bytes, alice.out[out + 1].len),
                     YR_OK);
    assert_int_equal(plain.id_count, 2);
    assert_memory_equal(plain.ids[0], ids[3], YR_MSG_ID_LEN);
    assert_memory_equal(plain.ids[1], ids[2], YR_MSG_ID_LEN);
}

static void without_receipts_nobody_is_told(void **state)
{
    arrive(0, 10, -1);
    talker_commit(&alice);
    assert_int_equal(alice.out_count, 1);
    read_up_to(-1);
    talker_commit(&alice);
    assert_int_equal(alice.out_count, 1);
}

static void a_receipt_that_is_refused_leaves_the_marker_where_it_was(void **state)
{
    arrive(0, 10, -1);
    alice.refuse = YR_EFULL;
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, NULL, true), YR_EFULL);
    alice.refuse = YR_OK;
    expect(1, 0, -1);
}

static void a_thousand_texts_are_read_in_two_receipts(void **state)
{
    struct yr_unread unread;
    size_t next = 0, out;

    for (int i = 0; i < 1000; i++)
        talker_say(&bob, &alice, "x", NULL);
    talker_hand_over(&bob, &alice, &next);
    talker_commit(&alice);
    out = alice.out_count;
    assert_int_equal(yr_chat_read(alice.chats, alice.now, bob.id, NULL, true), YR_OK);
    assert_int_equal(alice.out_count, out + 2);
    yr_chat_unread(alice.chats, bob.id, &unread);
    assert_int_equal(unread.count, 0);
    next = 0;
    talker_hand_over(&alice, &bob, &next);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(yr_chat_message(bob.chats, bob.out[i].id, &message), YR_OK);
        assert_int_equal(message.state, YR_STATE_READ);
    }
}

// Messages with unknown parents, reading at random: count, flags and first always agree.
static void any_order_of_arriving_and_reading_keeps_the_count_true(void **state)
{
    struct seeded rng;

    seeded_init(&rng, seeded_seed("unread", 4));
    for (int round = 0; round < 150; round++) {
        bool there[16] = {false};

        set_up(state);
        for (int step = 0; step < 24; step++) {
            const int i = (int)seeded_below(&rng, 16);

            if (!there[i]) {
                arrive(i, (int)seeded_below(&rng, 30),
                       i > 0 ? (int)seeded_below(&rng, (size_t)i) : -1);
                there[i] = true;
            } else if (seeded_below(&rng, 3) == 0) {
                read_up_to(seeded_below(&rng, 4) == 0 ? -1 : i);
            }
            struct yr_unread unread;
            struct yr_place at = {{0}};
            uint8_t first[YR_MSG_ID_LEN] = {0};
            size_t flagged = 0;

            yr_chat_unread(alice.chats, bob.id, &unread);
            for (enum yr_seek how = YR_SEEK_GE;
                 yr_chat_history(alice.chats, bob.id, how, &at, &message) == YR_OK;
                 how = YR_SEEK_GT)
                if (message.unread && flagged++ == 0)
                    memcpy(first, message.id, sizeof first);
            assert_int_equal(flagged, unread.count);
            assert_memory_equal(first, unread.first, sizeof first);
        }
        read_up_to(-1);
        for (int i = 0; i < 16; i++)
            if (there[i]) {
                assert_int_equal(yr_chat_message(alice.chats, ids[i], &message), YR_OK);
                assert_false(message.unread);
            }
        tear_down(state);
    }
    set_up(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_arrives_is_unread_until_it_is_read),
        TEST(own_words_and_lines_of_the_node_are_never_unread),
        TEST(a_text_taken_back_is_unread_nowhere_and_nobody_is_told_it_was_read),
        TEST(the_marker_never_goes_back),
        TEST(the_marker_needs_a_message_of_this_conversation),
        TEST(a_message_that_comes_late_is_unread_above_the_marker),
        TEST(more_late_messages_than_are_remembered_leave_the_count_true),
        TEST(what_was_read_stays_read_when_it_moves_down),
        TEST(the_first_unread_is_found_again_when_it_moves_down),
        TEST(a_late_message_that_moves_below_the_marker_is_counted_once),
        TEST(authors_are_told_what_was_read_once),
        TEST(without_receipts_nobody_is_told),
        TEST(a_receipt_that_is_refused_leaves_the_marker_where_it_was),
        TEST(a_thousand_texts_are_read_in_two_receipts),
        cmocka_unit_test_teardown(any_order_of_arriving_and_reading_keeps_the_count_true,
                                  tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
