// What the chat says about texts that are on their way, and about whom they are for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/chat_int.h"

// Stands before the C library's, so that a test is the clock.
static time_t late_s;
int clock_gettime(clockid_t clock, struct timespec *out)
{
    const int result = (int)syscall(SYS_clock_gettime, clock, out);

    out->tv_sec += late_s;
    return result;
}

static struct yr_cli cli;
static struct yr_talk chat;

static int start(void **state)
{
    const struct yr_edit_opts opts = {.plain = true, .utf8 = true};

    late_s = 0;
    cli.out.time.format = "short";
    chat = (struct yr_talk){.cli = &cli, .plain = true, .running = true};
    chat.edit = yr_edit_new(&opts);
    return 0;
}

static int stop(void **state)
{
    yr_talk_convs_clear(&chat);
    yr_edit_free(chat.edit);
    yr_buf_clear(&chat.screen);
    return 0;
}

static void event(const char *name, json_t *data)
{
    json_t *event = json_pack("{s:s, s:o}", "event", name, "data", data);

    assert_non_null(event);
    yr_talk_event(&chat, event);
    json_decref(event);
}

static void presence(const char *state)
{
    event("presence", json_pack("{s:{s:s,s:s,s:s}, s:s}", "friend", "kind", "friend", "id", "b0b",
                                "name", "bob", "state", state));
    chat.current = chat.convs[0];
}

static void text(const char *name, const char *id, const char *state)
{
    event(name, json_pack("{s:s, s:{s:s,s:s,s:s}, s:b, s:s, s:s, s:s, s:s}", "id", id, "target",
                          "kind", "friend", "id", "b0b", "name", "bob", "own", 1, "kind", "text",
                          "text", "hi", "state", state, "time", "2026-11-22T15:46:30.000Z"));
}

/** How often the word was said since the last time that was asked. */
static size_t said(const char *word)
{
    size_t count = 0;

    for (const char *at = yr_buf_str(&chat.screen); (at = strstr(at, word)) != NULL; at++)
        count++;
    yr_buf_cut(&chat.screen, 0);
    return count;
}

static void a_text_to_a_friend_online_that_does_not_arrive_is_said_once(void **state)
{
    presence("online");
    text("message", "1", "accepted");
    text("message", "2", "accepted");
    assert_in_range(yr_talk_overdue(&chat), 29000, 30000);
    late_s = 31;
    assert_int_equal(yr_talk_overdue(&chat), -1);
    assert_int_equal(said("not delivered for 30 s"), 1);
    text("message", "3", "accepted");
    late_s = 62;
    assert_int_equal(yr_talk_overdue(&chat), -1);
    assert_int_equal(said("not delivered"), 0);
    text("message.state", "1", "delivered"); // it goes on: the rest has its time again
    assert_true(yr_talk_overdue(&chat) > 0);
    text("message.state", "2", "delivered");
    text("message.state", "3", "read");
    assert_int_equal(yr_talk_overdue(&chat), -1);
}

static void a_text_that_arrives_in_time_needs_no_word(void **state)
{
    presence("online");
    text("message", "1", "accepted");
    text("message.state", "1", "delivered");
    late_s = 31;
    assert_int_equal(yr_talk_overdue(&chat), -1);
    assert_int_equal(said("not delivered"), 0);
}

static void to_a_friend_offline_it_is_said_at_once(void **state)
{
    presence("online");
    presence("offline");
    text("message", "1", "accepted");
    assert_int_equal(said("not delivered yet: "), 1);
    late_s = 31;
    assert_int_equal(yr_talk_overdue(&chat), -1);
    assert_int_equal(said("not delivered"), 0);
}

static void away(const char *why)
{
    event("presence", json_pack("{s:{s:s,s:s,s:s}, s:s, s:s}", "friend", "kind", "friend", "id",
                                "b0b", "name", "bob", "state", "away", "away_text", why));
    chat.current = chat.convs[0];
}

static void who_goes_away_and_comes_back_is_told_of_once(void **state)
{
    presence("online");
    yr_buf_cut(&chat.screen, 0);
    away("lunch\x1b[31m");
    assert_int_equal(said("bob is away: lunch"), 1);
    away("lunch\x1b[31m");
    assert_int_equal(said("bob"), 0);
    assert_true(chat.convs[0]->online); // the link is up, and a text would arrive
    assert_null(strchr(chat.convs[0]->away_text, '\x1b'));
    text("message", "1", "accepted");
    assert_int_equal(said("not delivered yet"), 0);
    presence("online");
    assert_int_equal(said("bob is back"), 1);
    presence("offline");
    assert_int_equal(said("bob is offline"), 1);
    presence("offline");
    assert_int_equal(said("bob"), 0);
}

static void who_is_writing_is_known_until_the_text_comes(void **state)
{
    json_t *typing = json_pack("{s:{s:s,s:s,s:s}, s:b}", "friend", "kind", "friend", "id", "b0b",
                               "name", "bob", "typing", 1);

    presence("online");
    event("typing", json_incref(typing));
    assert_true(chat.convs[0]->writes);
    json_object_set_new(typing, "typing", json_false());
    event("typing", json_incref(typing));
    assert_false(chat.convs[0]->writes);
    json_object_set_new(typing, "typing", json_true());
    event("typing", typing);
    event("message",
          json_pack("{s:s, s:{s:s,s:s,s:s}, s:b, s:s, s:s, s:s, s:s}", "id", "1", "target", "kind",
                    "friend", "id", "b0b", "name", "bob", "own", 0, "kind", "text", "text", "hi",
                    "state", "delivered", "time", "2026-11-22T15:46:30.000Z"));
    assert_false(chat.convs[0]->writes);
}

static void held(const char *id, int by)
{
    event("message.state",
          json_pack("{s:s, s:{s:s,s:s,s:s}, s:b, s:s, s:s, s:s, s:s, s:i, s:s}", "id", id, "target",
                    "kind", "friend", "id", "b0b", "name", "bob", "own", 1, "kind", "text", "text",
                    "hi", "state", "held", "time", "2026-11-22T15:46:30.000Z", "held_by", by,
                    "held_until", "2026-12-06T00:00:00.000Z"));
}

static void that_friends_hold_texts_is_said_once_while_one_is_away(void **state)
{
    presence("online");
    presence("offline");
    text("message", "1", "accepted");
    yr_buf_cut(&chat.screen, 0);
    held("1", 2);
    assert_int_equal(said("2 friends keep it for ~bob, sealed, until"), 1);
    held("2", 1);
    assert_int_equal(said("keep"), 0);
    presence("online");
    presence("offline");
    yr_buf_cut(&chat.screen, 0);
    held("3", 1);
    assert_int_equal(said("1 friend keeps it for ~bob"), 1);
}

static void that_a_text_was_given_up_is_said(void **state)
{
    presence("offline");
    event("message.state", json_pack("{s:s, s:{s:s,s:s,s:s}, s:b, s:s, s:s, s:s, s:s, s:s}", "id",
                                     "1", "target", "kind", "friend", "id", "b0b", "name", "bob",
                                     "own", 1, "kind", "text", "text", "hi", "state", "failed",
                                     "time", "2026-11-22T15:46:30.000Z", "reason", "expired"));
    assert_int_equal(said("given up, not in time for ~bob: \"hi\""), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_to_a_friend_online_that_does_not_arrive_is_said_once),
        TEST(a_text_that_arrives_in_time_needs_no_word),
        TEST(to_a_friend_offline_it_is_said_at_once),
        TEST(who_goes_away_and_comes_back_is_told_of_once),
        TEST(who_is_writing_is_known_until_the_text_comes),
        TEST(that_friends_hold_texts_is_said_once_while_one_is_away),
        TEST(that_a_text_was_given_up_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
