/* message.list: one conversation, all of them, filters, pages. */
#include "tests/cli/daemon/rpc_world.h"

static int setup(void **state)
{
    static const struct {
        int conv, author;
        yr_ms time_ms;
        const char *text;
    } said[] = {{2, 2, 1000, "a"}, {3, 3, 2000, "b"}, {2, 1, 3000, "c"}, {1, 1, 4000, "d"},
                {3, 1, 5000, "e"}, {2, 2, 6000, "f"}, {3, 3, 7000, "g"}};
    struct world *w = calloc(1, sizeof *w);

    world_open(w);
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "", "carol");
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        fake_message(w->node, said[i].conv, said[i].author, said[i].time_ms, said[i].text);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* The texts of the answer, one behind the other, and a `+` if there is more. */
static void expect_list(struct world *w, const char *params, const char *texts)
{
    struct yr_buf got = {0};
    json_t *answer, *message;
    const json_t *result = call(w, &answer, "message.list", params);
    size_t i;

    json_array_foreach(json_object_get(result, "messages"), i, message)
        yr_buf_adds(&got, str(message, "text"));
    if (json_is_true(json_object_get(result, "more")))
        yr_buf_addc(&got, '+');
    assert_string_equal(yr_buf_str(&got), texts);
    yr_buf_clear(&got);
    json_decref(answer);
}

static const char *id(struct world *w, size_t i)
{
    static char text[2][27];
    static unsigned turn;
    char *out = text[turn++ % 2];
    yr_id_text(out, w->node->messages[i].id, YR_MSG_ID_LEN);
    return out;
}

/* The same with "bound": the i-th message. */
static void expect_bounded(struct world *w, const char *bound, size_t i, const char *rest,
                           const char *texts)
{
    char params[160];
    snprintf(params, sizeof params, "{\"%s\":\"%s\"%s}", bound, id(w, i), rest);
    expect_list(w, params, texts);
}

static void one_conversation_is_listed_oldest_first(void **state)
{
    expect_list(*state, "{\"target\":\"bob\"}", "acf");
    expect_list(*state, "{\"target\":\"@me\"}", "d");
}

static void all_conversations_are_merged_by_time(void **state)
{
    expect_list(*state, "{}", "abcdefg");
}

static void a_limit_takes_the_last(void **state)
{
    expect_list(*state, "{\"limit\":3}", "efg+");
    expect_list(*state, "{\"limit\":7}", "abcdefg");
    expect_list(*state, "{\"target\":\"bob\",\"limit\":1}", "f+");
    expect_list(*state, "{\"first\":true,\"limit\":3}", "abc+");
}

static void before_and_after_mean_the_same_in_all_conversations(void **state)
{
    expect_bounded(*state, "before", 3, "", "abc");
    expect_bounded(*state, "after", 3, "", "efg");
    expect_bounded(*state, "after", 3, ",\"first\":true,\"limit\":2", "ef+");
    expect_bounded(*state, "before", 3, ",\"target\":\"carol\"", "b"); // of another conversation
    expect_bounded(*state, "before", 0, "", "");
    expect_bounded(*state, "after", 6, "", "");
}

static void pages_from_the_end_are_the_whole(void **state)
{
    struct world *w = *state;
    struct yr_buf all = {0};
    char params[80] = "{\"limit\":2}";
    bool more = true;

    for (int pages = 0; more; pages++) {
        json_t *answer;
        const json_t *result = call(w, &answer, "message.list", params);
        const json_t *list = json_object_get(result, "messages");
        struct yr_buf page = {0};
        assert_true(pages < 5);
        for (size_t i = 0; i < json_array_size(list); i++)
            yr_buf_adds(&page, str(json_array_get(list, i), "text"));
        yr_buf_splice(&all, 0, 0, page.at, page.len);
        yr_buf_clear(&page);
        more = json_is_true(json_object_get(result, "more"));
        snprintf(params, sizeof params, "{\"limit\":2,\"before\":\"%s\"}", str(result, "resume"));
        json_decref(answer);
    }
    assert_string_equal(yr_buf_str(&all), "abcdefg");
    yr_buf_clear(&all);
}

static void times_bound_the_list(void **state)
{
    expect_list(*state, "{\"since\":\"1970-01-01T00:00:05Z\"}", "efg");
    expect_list(*state, "{\"until\":\"1970-01-01T00:00:03.000Z\"}", "abc");
    expect_list(*state,
                "{\"since\":\"1970-01-01T05:30:03+05:30\",\"until\":\"1970-01-01T00:00:06Z\"}",
                "cdef");
    expect_error(*state, "message.list", "{\"since\":\"yesterday\"}", YR_RPC_INVALID_PARAMS);
}

static void a_message_moved_behind_its_cause_is_still_found_by_its_own_time(void **state)
{
    struct world *w = *state;
    w->node->messages[5].time_ms = 500; // bob's clock is behind, his place is not
    expect_list(w, "{\"until\":\"1970-01-01T00:00:00.900Z\"}", "f");
    expect_list(w, "{\"since\":\"1970-01-01T00:00:00.900Z\",\"target\":\"bob\"}", "ac");
}

static void since_does_not_read_what_is_older(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 200; i++)
        fake_message(w->node, 2, 2, 100 + i, "old");
    w->node->history_reads = 0;
    expect_list(w, "{\"since\":\"1970-01-01T00:00:06Z\"}", "fg");
    assert_in_range(w->node->history_reads, 1, 12);
}

static void authors_are_filtered(void **state)
{
    expect_list(*state, "{\"from\":\"me\"}", "cde");
    expect_list(*state, "{\"from\":\"carol\"}", "bg");
    expect_list(*state, "{\"from\":\"carol\",\"target\":\"bob\"}", "");
    expect_error(*state, "message.list", "{\"from\":\"nobody\"}", YR_RPC_NO_SUCH_TARGET);
}

static void only_unread_ones(void **state)
{
    struct world *w = *state;
    w->node->messages[1].unread = w->node->messages[6].unread = true;
    expect_list(w, "{\"unread\":true}", "bg");
    expect_list(w, "{\"unread\":true,\"target\":\"bob\"}", "");
}

static void system_lines_are_asked_for(void **state)
{
    struct world *w = *state;
    w->node->messages[2].kind = YR_MSG_SYSTEM;
    expect_list(w, "{\"target\":\"bob\"}", "af");
    expect_list(w, "{\"target\":\"bob\",\"all\":true}", "acf");
}

static void a_damaged_row_is_passed_over_and_told(void **state)
{
    struct world *w = *state;
    json_t *answer;

    w->node->messages[2].damaged = true;
    expect_list(w, "{\"target\":\"bob\"}", "af");
    expect_list(w, "{}", "abdefg");
    const json_t *result = call(w, &answer, "message.list", "{\"target\":\"bob\"}");
    assert_true(json_is_true(json_object_get(result, "damaged")));
    json_decref(answer);
}

static void an_answer_stops_before_it_is_too_large(void **state)
{
    struct world *w = *state;
    char *text = malloc(16385);
    json_t *answer;

    memset(text, 'x', 16384);
    text[16384] = '\0';
    for (int i = 0; i < 100; i++)
        fake_message(w->node, 2, 2, 10000 + i, text);
    const json_t *result = call(w, &answer, "message.list", "{\"target\":\"bob\"}");
    assert_in_range(json_array_size(json_object_get(result, "messages")), 10, 64);
    assert_true(json_is_true(json_object_get(result, "more")));
    json_decref(answer);
    free(text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_conversation_is_listed_oldest_first),
        T(all_conversations_are_merged_by_time),
        T(a_limit_takes_the_last),
        T(before_and_after_mean_the_same_in_all_conversations),
        T(pages_from_the_end_are_the_whole),
        T(times_bound_the_list),
        T(a_message_moved_behind_its_cause_is_still_found_by_its_own_time),
        T(since_does_not_read_what_is_older),
        T(authors_are_filtered),
        T(only_unread_ones),
        T(system_lines_are_asked_for),
        T(a_damaged_row_is_passed_over_and_told),
        T(an_answer_stops_before_it_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
