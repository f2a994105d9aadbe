/* Texts that are given up when their time has come, and what the other side makes of those that
 * come too late. */
#include "tests/support/chats.h"
#include "tests/support/test.h"

#define GRACE_MS (YR_EXPIRY_GRACE_S * INT64_C(1000))

static struct talker alice, bob;
static size_t to_bob, to_alice;
static struct yr_message message;

static int set_up(void **state)
{
    talker_init(&alice, 'a', 5);
    talker_init(&bob, 'b', 5);
    talker_befriend(&alice, &bob);
    talker_befriend(&bob, &alice);
    to_bob = to_alice = 0;
    return 0;
}

static int tear_down(void **state)
{
    talker_clear(&alice);
    talker_clear(&bob);
    return 0;
}

static void exchange(void)
{
    for (int i = 0; i < 3; i++) {
        talker_commit(&alice);
        talker_hand_over(&alice, &bob, &to_bob);
        talker_commit(&bob);
        talker_hand_over(&bob, &alice, &to_alice);
    }
    talker_commit(&alice);
}

static const struct yr_message *see(struct talker *t, const uint8_t id[YR_MSG_ID_LEN])
{
    assert_int_equal(yr_chat_message(t->chats, id, &message), YR_OK);
    return &message;
}

static enum yr_err send_until(const char *text, yr_ms expires_ms, uint8_t id[YR_MSG_ID_LEN])
{
    return yr_chat_send_until(alice.chats, alice.now, bob.id, false, text, strlen(text), NULL, NULL,
                              0, expires_ms, id);
}

// Let alice's clock be there and her node look; when it wants to look again.
static yr_ms at(yr_ms wall_ms)
{
    yr_ms next_ms = 0;

    alice.now.wall_ms = wall_ms;
    assert_int_equal(yr_chats_expire(alice.chats, alice.now, &next_ms), YR_OK);
    return next_ms;
}

static bool leaves(const char *text)
{
    for (size_t i = 0; i < alice.out_count; i++)
        if (!alice.out[i].recalled &&
            memmem(alice.out[i].bytes, alice.out[i].len, text, strlen(text)) != NULL)
            return true;
    return false;
}

// Every message with its text, in order.
static void history(struct talker *t, const struct talker *of, char out[512])
{
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;

    out[0] = '\0';
    for (; yr_chat_history(t->chats, of->id, how, &place, &message) == YR_OK; how = YR_SEEK_GT)
        strcat(
            strcat(out, message.deleted || message.state == YR_STATE_FAILED ? "-" : message.text),
            " ");
}

static void a_text_that_nobody_has_when_its_time_comes_fails_and_never_leaves(void **state)
{
    const yr_ms start_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];
    char mine[512], theirs[512];
    struct yr_event event;
    bool failed = false;

    alice.recallable = true;
    talker_say(&alice, &bob, "one", NULL);
    assert_int_equal(send_until("secret", start_ms + 5000, id), YR_OK);
    talker_say(&alice, &bob, "three", NULL);
    assert_int_equal(see(&alice, id)->expires_ms, start_ms + 5000);
    assert_int_equal(at(start_ms + 4999), start_ms + 5000);
    assert_int_equal(see(&alice, id)->state, YR_STATE_ACCEPTED);
    assert_int_equal(at(start_ms + 5000), INT64_MAX);
    assert_int_equal(see(&alice, id)->state, YR_STATE_FAILED);
    assert_int_equal(message.failed_ms, start_ms + 5000);
    assert_string_equal(message.text, "secret"); // its author still has it
    assert_false(leaves("secret"));
    exchange();
    while (talker_event(&alice, &event))
        failed |= event.kind == YR_EV_STATE && event.state == YR_STATE_FAILED;
    assert_true(failed);
    history(&alice, &bob, mine);
    history(&bob, &alice, theirs);
    assert_string_equal(mine, "one - three ");
    assert_string_equal(theirs, mine); // its place is there on both sides
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "again", 5), YR_EDENIED);
}

static void a_text_that_is_on_its_way_has_ten_minutes_more(void **state)
{
    const yr_ms start_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];

    assert_int_equal(send_until("soon", start_ms + 5000, id), YR_OK);
    assert_int_equal(at(start_ms + 5000), start_ms + 5000 + GRACE_MS);
    assert_int_equal(see(&alice, id)->state, YR_STATE_ACCEPTED);
    talker_commit(&alice);
    talker_crash(&alice, alice.out_count); // and that is remembered
    assert_int_equal(at(start_ms + 4999 + GRACE_MS), start_ms + 5000 + GRACE_MS);
    assert_int_equal(at(start_ms + 5000 + GRACE_MS), INT64_MAX);
    assert_int_equal(see(&alice, id)->state, YR_STATE_FAILED);
}

static void word_that_it_was_there_in_time_may_come_late(void **state)
{
    const yr_ms start_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];

    assert_int_equal(send_until("soon", start_ms + 5000, id), YR_OK);
    talker_commit(&alice);
    talker_hand_over(&alice, &bob, &to_bob); // in time
    talker_commit(&bob);
    (void)at(start_ms + 5000);
    (void)at(start_ms + 5000 + GRACE_MS);
    assert_int_equal(see(&alice, id)->state, YR_STATE_FAILED);
    talker_hand_over(&bob, &alice, &to_alice);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
    assert_int_equal(message.failed_ms, 0);
}

static void what_was_delivered_in_time_does_not_fail(void **state)
{
    const yr_ms start_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];

    assert_int_equal(send_until("soon", start_ms + 5000, id), YR_OK);
    exchange();
    assert_int_equal(at(start_ms + 5000), INT64_MAX);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
}

static void a_text_that_comes_too_late_leaves_its_place_and_nothing_else(void **state)
{
    const yr_ms start_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];
    char mine[512], theirs[512];
    struct yr_event event;

    talker_say(&alice, &bob, "one", NULL);
    assert_int_equal(send_until("secret", start_ms + 5000, id), YR_OK);
    talker_say(&alice, &bob, "three", NULL);
    (void)at(start_ms + 5000);
    (void)at(start_ms + 5000 + GRACE_MS);
    bob.now.wall_ms = start_ms + 6000 + GRACE_MS;
    exchange();
    assert_true(see(&bob, id)->deleted);
    assert_int_equal(message.text_len, 0);
    assert_false(message.unread);
    while (talker_event(&bob, &event))
        assert_false(event.kind == YR_EV_MESSAGE && memcmp(event.msg, id, sizeof id) == 0);
    assert_int_equal(see(&alice, id)->state, YR_STATE_FAILED); // no receipt says otherwise
    history(&alice, &bob, mine);
    history(&bob, &alice, theirs);
    assert_string_equal(theirs, "one - three ");
    assert_string_equal(mine, theirs);
    // A second copy of it, maybe from another friend, changes nothing, nor is it an offence.
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[1]), YR_EEXIST);
    assert_int_equal(talker_counter(&bob, "chat.conflict"), 0);
    talker_commit(&bob);
    talker_hand_over(&bob, &alice, &to_alice);
    assert_int_equal(see(&alice, id)->state, YR_STATE_FAILED);
}

static void ten_minutes_late_is_still_shown(void **state)
{
    const yr_ms start_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];

    assert_int_equal(send_until("soon", start_ms + 5000, id), YR_OK);
    bob.now.wall_ms = start_ms + 5000 + GRACE_MS;
    exchange();
    assert_string_equal(see(&bob, id)->text, "soon");
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
}

static void that_its_letter_came_does_not_say_that_it_was_shown(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], plain_text[YR_MSG_ID_LEN];

    assert_int_equal(send_until("soon", alice.now.wall_ms + 5000, id), YR_OK);
    talker_say(&alice, &bob, "whenever", plain_text);
    struct yr_plain noop = {.type = YR_PLAIN_NOOP,
                            .known = true,
                            .id = (const uint8_t *)"0123456789abcdef",
                            .acks = {id, plain_text},
                            .ack_count = 2};
    assert_int_equal(talker_take(&alice, &bob, &noop), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_ACCEPTED);
    assert_int_equal(see(&alice, plain_text)->state, YR_STATE_DELIVERED);
}

static void a_time_that_cannot_be_is_refused(void **state)
{
    const yr_ms now_ms = alice.now.wall_ms;
    uint8_t id[YR_MSG_ID_LEN];

    assert_int_equal(send_until("x", now_ms, id), YR_EEXPIRED);
    assert_int_equal(send_until("x", 1, id), YR_EEXPIRED);
    assert_int_equal(send_until("x", -1, id), YR_EINVAL);
    assert_int_equal(send_until("x", INT64_MAX, id), YR_EINVAL);
    assert_int_equal(send_until("x", now_ms + YR_EXPIRY_S_MAX * INT64_C(1000) + 1, id), YR_EINVAL);
    assert_int_equal(alice.out_count, 0);
}

static void held_is_a_step_between_accepted_and_delivered(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], later[YR_MSG_ID_LEN];

    talker_say(&alice, &bob, "hello", id);
    alice.now.wall_ms += 3000;
    assert_int_equal(yr_chat_held(alice.chats, alice.now, bob.id, id), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_HELD);
    assert_int_equal(message.held_ms, alice.now.wall_ms);
    assert_int_equal(message.delivered_ms, 0);
    exchange();
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
    assert_int_equal(message.held_ms, alice.now.wall_ms); // it was, once
    assert_int_equal(yr_chat_held(alice.chats, alice.now, bob.id, id), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
    assert_int_equal(yr_chat_held(alice.chats, alice.now, bob.id, alice.id), YR_OK); // unknown
    assert_int_equal(yr_chat_held(alice.chats, alice.now, (const uint8_t[32]){9}, id),
                     YR_ENOFRIEND);
    // A text that friends hold is deleted by word that follows it, not taken back.
    talker_say(&alice, &bob, "oops", later);
    assert_int_equal(yr_chat_held(alice.chats, alice.now, bob.id, later), YR_OK);
    alice.recallable = true;
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, later, false), YR_OK);
    assert_int_equal(see(&alice, later)->state, YR_STATE_HELD);
    exchange();
    assert_true(see(&bob, later)->deleted);
}

static void a_clock_far_ahead_and_a_text_cancelled_in_the_middle_keep_one_order(void **state)
{
    uint8_t gone[YR_MSG_ID_LEN];
    char mine[512], theirs[512];

    alice.recallable = true;
    talker_say(&alice, &bob, "one", NULL);
    alice.now.wall_ms += 3600 * 1000; // for this one only
    talker_say(&alice, &bob, "ahead", gone);
    alice.now.wall_ms -= 3600 * 1000;
    talker_say(&bob, &alice, "two", NULL);
    talker_say(&alice, &bob, "three", NULL);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, gone, false), YR_OK);
    assert_int_equal(see(&alice, gone)->state, YR_STATE_CANCELLED);
    talker_say(&alice, &bob, "four", NULL);
    exchange();
    talker_say(&bob, &alice, "five", NULL);
    exchange();
    history(&alice, &bob, mine);
    history(&bob, &alice, theirs);
    assert_string_equal(mine, theirs);
    assert_non_null(strstr(mine, "- "));
    assert_int_equal(strncmp(mine, "one ", 4), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_text_that_nobody_has_when_its_time_comes_fails_and_never_leaves),
        T(a_text_that_is_on_its_way_has_ten_minutes_more),
        T(word_that_it_was_there_in_time_may_come_late),
        T(what_was_delivered_in_time_does_not_fail),
        T(a_text_that_comes_too_late_leaves_its_place_and_nothing_else),
        T(ten_minutes_late_is_still_shown),
        T(that_its_letter_came_does_not_say_that_it_was_shown),
        T(a_time_that_cannot_be_is_refused),
        T(held_is_a_step_between_accepted_and_delivered),
        T(a_clock_far_ahead_and_a_text_cancelled_in_the_middle_keep_one_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
