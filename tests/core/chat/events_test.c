/* Events: numbered, durable before they are told, replayed from a cursor. */
#include "core/chat/events.h"

#include "tests/support/chats.h"
#include "tests/support/test.h"

static struct talker t;

static int set_up(void **state)
{
    talker_init(&t, 'a', 7);
    talker_commit(&t);
    return 0;
}

static int tear_down(void **state)
{
    talker_clear(&t);
    return 0;
}

static uint64_t append(enum yr_event_kind kind, const char *text)
{
    struct yr_event event = {.kind = kind, .time_ms = 42, .state = YR_STATE_READ, .gone = true};

    memset(event.conv, 1, sizeof event.conv);
    memset(event.msg, 2, sizeof event.msg);
    strcpy(event.text, text);
    assert_int_equal(yr_events_append(t.events, &event), YR_OK);
    return event.cursor;
}

static void append_done(uint64_t ticket)
{
    struct yr_event event = {.kind = YR_EV_DONE, .ticket = ticket, .err = YR_OK};

    memset(event.msg, 3, sizeof event.msg);
    assert_int_equal(yr_events_append(t.events, &event), YR_OK);
}

static void an_event_is_told_once_and_only_when_it_is_durable(void **state)
{
    struct yr_event event;
    bool gap;

    assert_int_equal(append(YR_EV_FRIEND, ""), 1);
    assert_false(talker_event(&t, &event));
    assert_int_equal(yr_events_cursor(t.events), 0);
    assert_int_equal(yr_events_after(t.events, 0, &event, &gap), YR_ENOENT);
    talker_commit(&t);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_FRIEND);
    assert_int_equal(event.cursor, 1);
    assert_int_equal(event.time_ms, 42);
    assert_true(event.gone);
    assert_int_equal(event.conv[31], 1);
    assert_false(talker_event(&t, &event));
    assert_int_equal(yr_events_cursor(t.events), 1);
}

static void any_kept_event_can_be_read_again_in_order(void **state)
{
    struct yr_event event;
    bool gap = true;

    for (int i = 0; i < 10; i++)
        append(i % 2 == 0 ? YR_EV_NOTICE : YR_EV_STATE, i % 2 == 0 ? "careful" : "");
    talker_commit(&t);
    while (talker_event(&t, &event))
        ;
    for (uint64_t cursor = 0; cursor < 10; cursor++) {
        assert_int_equal(yr_events_after(t.events, cursor, &event, &gap), YR_OK);
        assert_false(gap);
        assert_int_equal(event.cursor, cursor + 1);
        assert_int_equal(event.kind, cursor % 2 == 0 ? YR_EV_NOTICE : YR_EV_STATE);
        assert_string_equal(event.text, cursor % 2 == 0 ? "careful" : "");
        assert_int_equal(event.state, YR_STATE_READ);
        assert_int_equal(event.msg[15], 2);
    }
    assert_int_equal(yr_events_after(t.events, 10, &event, &gap), YR_ENOENT);
    assert_int_equal(yr_events_after(t.events, UINT64_MAX, &event, &gap), YR_ENOENT);
}

static void the_numbering_goes_on_after_a_restart_and_nothing_is_told_again(void **state)
{
    struct yr_event event;
    bool gap;

    append(YR_EV_FRIEND, "");
    append(YR_EV_FRIEND, "");
    talker_commit(&t);
    append(YR_EV_FRIEND, ""); // never durable
    talker_crash(&t, 0);
    assert_false(talker_event(&t, &event));
    assert_int_equal(yr_events_cursor(t.events), 2);
    assert_int_equal(yr_events_after(t.events, 1, &event, &gap), YR_OK);
    assert_int_equal(event.cursor, 2);
    assert_int_equal(append(YR_EV_FRIEND, ""), 3);
}

static void done_waits_for_what_is_pending(void **state)
{
    struct yr_event event;

    append(YR_EV_FRIEND, "");
    append_done(77);
    assert_false(talker_event(&t, &event));
    talker_commit(&t);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_FRIEND);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_DONE);
    assert_int_equal(event.ticket, 77);
    assert_int_equal(event.err, YR_OK);
    assert_int_equal(event.cursor, 1);
}

static void done_of_a_command_that_changed_nothing_waits_for_nothing(void **state)
{
    struct yr_event event;

    append_done(5);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.ticket, 5);
    assert_int_equal(event.cursor, 0);
}

static void done_waits_for_the_transaction_that_is_at_the_store(void **state)
{
    struct yr_event event;
    const struct yr_txn *txn;

    append(YR_EV_FRIEND, "");
    txn = yr_rows_take(t.rows);
    assert_non_null(txn);
    append_done(6); // nothing is pending, but what it speaks of may be in flight
    assert_false(talker_event(&t, &event));
    yr_rows_stored(t.rows, txn->token, YR_OK);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_FRIEND);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.ticket, 6);
}

static void presence_is_told_at_once_and_names_the_last_event_told(void **state)
{
    struct yr_event event;

    append(YR_EV_FRIEND, "");
    append(YR_EV_PRESENCE, "");
    append(YR_EV_NET, "");
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_PRESENCE);
    assert_int_equal(event.cursor, 0); // resuming from it must not miss event 1
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_NET);
    assert_false(talker_event(&t, &event));
    talker_commit(&t);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.cursor, 1);
    append(YR_EV_PRESENCE, "");
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.cursor, 1);
}

static void after_a_failed_commit_done_says_so_and_the_rest_is_forgotten(void **state)
{
    struct yr_event event;
    const struct yr_txn *txn;
    bool gap;

    append(YR_EV_FRIEND, "");
    talker_commit(&t); // durable, not told yet
    append(YR_EV_STATE, "");
    append_done(8);
    txn = yr_rows_take(t.rows);
    yr_rows_stored(t.rows, txn->token, YR_ENOSPC);
    yr_events_fail(t.events, YR_ENOSPC);
    yr_rows_reset(t.rows);
    assert_int_equal(yr_events_start(t.events), YR_OK);
    append(YR_EV_PRESENCE, "");
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.cursor, 0); // event 1 is still to be told
    assert_int_equal(yr_events_after(t.events, 0, &event, &gap), YR_ENOENT);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_FRIEND);
    assert_int_equal(event.cursor, 1);
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.kind, YR_EV_DONE);
    assert_int_equal(event.ticket, 8);
    assert_int_equal(event.err, YR_ENOSPC);
    assert_int_equal(event.msg[0], 0);
    assert_false(talker_event(&t, &event));
    append_done(9); // nothing is pending and nothing is at the store
    assert_true(talker_event(&t, &event));
    assert_int_equal(event.err, YR_OK);
    assert_int_equal(append(YR_EV_FRIEND, ""), 2); // the number was never seen
    assert_int_equal(yr_events_after(t.events, 1, &event, &gap), YR_ENOENT);
}

static void old_events_leave_and_the_gap_is_told(void **state)
{
    struct yr_event event;
    bool gap;

    for (uint64_t i = 1; i <= YR_EVENTS_KEPT + 2500; i++) {
        append(YR_EV_STATE, "");
        if (i % 5000 == 0)
            talker_commit(&t);
    }
    talker_commit(&t);
    while (talker_event(&t, &event))
        ;
    assert_int_equal(yr_events_after(t.events, 0, &event, &gap), YR_OK);
    assert_int_equal(event.cursor, 2501);
    assert_true(gap);
    assert_int_equal(yr_events_after(t.events, 2500, &event, &gap), YR_OK);
    assert_int_equal(event.cursor, 2501);
    assert_false(gap);
    talker_crash(&t, 0);
    assert_int_equal(yr_events_after(t.events, 5, &event, &gap), YR_OK);
    assert_int_equal(event.cursor, 2501);
    assert_true(gap);
    assert_true(yr_memstore_count(t.store, YR_DB_MAIN) < YR_EVENTS_KEPT + 10);
}

static void a_text_of_full_length_comes_back(void **state)
{
    char text[sizeof((struct yr_event *)0)->text];
    struct yr_event event;
    bool gap;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    append(YR_EV_NOTICE, text);
    talker_commit(&t);
    assert_true(talker_event(&t, &event));
    assert_string_equal(event.text, text);
    assert_int_equal(yr_events_after(t.events, 0, &event, &gap), YR_OK);
    assert_string_equal(event.text, text);
}

static void a_refused_allocation_is_an_error_and_no_half_event(void **state)
{
    struct yr_event event = {.kind = YR_EV_NOTICE, .text = "text"}, told;
    enum yr_err err = YR_ENOMEM;
    size_t refused = 0;

    for (size_t left = 0; err != YR_OK; left++) {
        t.mem.left = left;
        err = yr_events_append(t.events, &event);
        t.mem.left = SIZE_MAX;
        if (err == YR_OK)
            break;
        assert_int_equal(err, YR_ENOMEM);
        refused++;
        assert_int_equal(talker_reset(&t), YR_OK);
        assert_false(talker_event(&t, &told));
    }
    assert_true(refused > 1);
    talker_commit(&t);
    assert_true(talker_event(&t, &told));
    assert_int_equal(told.cursor, 1);
    assert_false(talker_event(&t, &told));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_told_once_and_only_when_it_is_durable),
        TEST(any_kept_event_can_be_read_again_in_order),
        TEST(the_numbering_goes_on_after_a_restart_and_nothing_is_told_again),
        TEST(done_waits_for_what_is_pending),
        TEST(done_of_a_command_that_changed_nothing_waits_for_nothing),
        TEST(done_waits_for_the_transaction_that_is_at_the_store),
        TEST(presence_is_told_at_once_and_names_the_last_event_told),
        TEST(after_a_failed_commit_done_says_so_and_the_rest_is_forgotten),
        TEST(old_events_leave_and_the_gap_is_told),
        TEST(a_text_of_full_length_comes_back),
        TEST(a_refused_allocation_is_an_error_and_no_half_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
