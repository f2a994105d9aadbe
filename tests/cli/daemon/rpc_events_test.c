/* Subscriptions: live, from the past, behind a slow reader. */
#include "tests/cli/daemon/rpc_world.h"

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    json_t *answer;
    world_open(w);
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "", "carol");
    call(w, &answer, "hello", "{\"client\":\"test\",\"api\":1}");
    json_decref(answer);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* Subscribe; the subscription's number. */
static int64_t subscribe(struct world *w, const char *params)
{
    json_t *answer;
    const int64_t sub = num(call(w, &answer, "events.subscribe", params), "sub");
    json_decref(answer);
    return sub;
}

/* A message with its event, told at once. */
static struct fake_message *arrives(struct world *w, int from, const char *text, bool tell)
{
    struct fake_message *msg = fake_message(w->node, from, from, 5000, text);
    struct yr_event *event = fake_event(w->node, YR_EV_MESSAGE);
    memcpy(event->conv, msg->conv, sizeof event->conv);
    memcpy(event->msg, msg->id, sizeof event->msg);
    if (tell)
        yr_rpc_event(w->rpc, event);
    return msg;
}

/* The parameters of the next notification; *line is the owner. */
static const json_t *next_event(struct world *w, json_t **line)
{
    *line = next_of(&w->conn);
    if (*line == NULL)
        return NULL;
    assert_string_equal(str(*line, "method"), "event");
    assert_null(json_object_get(*line, "id"));
    const json_t *event = json_object_get(*line, "params");
    assert_string_equal(str(event, "type"), "event");
    return event;
}

static void expect_text(struct world *w, const char *text)
{
    json_t *line;
    const json_t *event = next_event(w, &line);
    assert_non_null(event);
    assert_string_equal(str(event, "event"), "message");
    assert_string_equal(str(json_object_get(event, "data"), "text"), text);
    json_decref(line);
}

static void expect_nothing(struct world *w)
{
    assert_int_equal(w->conn.in.len, 0);
}

static void tick_until_quiet(struct world *w)
{
    for (int i = 0; i < 10000 && yr_rpc_deadline(w->rpc) != YR_NEVER; i++) {
        if (yr_rpc_deadline(w->rpc) > w->now.mono_us)
            w->now.mono_us = yr_rpc_deadline(w->rpc);
        yr_rpc_tick(w->rpc);
    }
    assert_true(yr_rpc_deadline(w->rpc) == YR_NEVER);
}

static void hello_comes_first(void **state)
{
    struct world *w = *state;
    const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\"}";
    yr_rpc_line(w->rpc, w->other, line, strlen(line));
    json_t *answer = next_of(&w->other_conn);
    assert_int_equal(code_of(answer), YR_RPC_UNSUPPORTED);
    json_decref(answer);
}

static void a_subscriber_hears_what_comes(void **state)
{
    struct world *w = *state;
    const int64_t sub = subscribe(w, "{}");
    json_t *line;

    arrives(w, 2, "hi", true);
    const json_t *event = next_event(w, &line);
    assert_int_equal(num(event, "sub"), sub);
    assert_int_equal(num(event, "cursor"), 1);
    assert_string_equal(str(event, "time"), "1970-01-01T00:00:01.000Z");
    assert_string_equal(str(json_object_get(event, "data"), "type"), "message");
    json_decref(line);
    expect_nothing(w);
}

static void two_subscriptions_share_one_reading(void **state)
{
    struct world *w = *state;
    subscribe(w, "{}");
    subscribe(w, "{\"types\":[\"message\"]}");
    w->node->message_reads = 0;
    arrives(w, 2, "hi", true);
    assert_int_equal(w->node->message_reads, 1);
    expect_text(w, "hi");
    expect_text(w, "hi");
}

static void nobody_listening_costs_no_reading(void **state)
{
    struct world *w = *state;
    subscribe(w, "{\"types\":[\"presence\"]}");
    arrives(w, 2, "hi", true);
    assert_int_equal(w->node->message_reads, 0);
    expect_nothing(w);
}

static void types_and_targets_choose(void **state)
{
    struct world *w = *state;
    subscribe(w, "{\"types\":[\"message\",\"gap\"],\"targets\":[\"carol\"]}");
    arrives(w, 2, "from bob", true);
    arrives(w, 3, "from carol", true);
    expect_text(w, "from carol");
    expect_nothing(w);
    expect_error(w, "events.subscribe", "{\"types\":[\"massage\"]}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "events.subscribe", "{\"targets\":[\"nobody\"]}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "events.subscribe", "{\"since\":\"later\"}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "events.subscribe", "{\"since\":-1}", YR_RPC_INVALID_PARAMS);
}

static void the_past_is_replayed_in_order_and_then_it_is_live(void **state)
{
    struct world *w = *state;
    char text[4][8];

    for (int i = 0; i < 3; i++) {
        snprintf(text[i], sizeof text[i], "m%d", i);
        arrives(w, 2, text[i], true);
    }
    subscribe(w, "{\"since\":1}");
    expect_nothing(w);
    arrives(w, 2, "m3", true); // while it is behind
    expect_nothing(w);
    tick_until_quiet(w);
    expect_text(w, "m1");
    expect_text(w, "m2");
    expect_text(w, "m3");
    expect_nothing(w);
    arrives(w, 2, "m4", true);
    expect_text(w, "m4");
    expect_nothing(w);
}

static void an_event_read_from_the_store_early_is_not_told_twice(void **state)
{
    struct world *w = *state;
    subscribe(w, "{\"since\":0}");
    tick_until_quiet(w);
    arrives(w, 2, "a", true);
    expect_text(w, "a");
    subscribe(w, "{\"since\":0}");
    arrives(w, 2, "b", false);
    tick_until_quiet(w); // the second one finds a and b in the store
    expect_text(w, "a");
    expect_text(w, "b");
    yr_rpc_event(w->rpc, &w->node->events[w->node->event_count - 1]);
    expect_text(w, "b"); // for the first
    expect_nothing(w);
}

static void what_was_dropped_is_a_gap(void **state)
{
    struct world *w = *state;
    json_t *line;

    for (int i = 0; i < 5; i++)
        arrives(w, 2, "x", true);
    w->node->oldest = 4;
    subscribe(w, "{\"since\":1,\"types\":[\"message\"]}");
    tick_until_quiet(w);
    const json_t *event = next_event(w, &line);
    assert_string_equal(str(event, "event"), "gap");
    assert_int_equal(num(event, "cursor"), 3);
    json_decref(line);
    expect_text(w, "x");
    expect_text(w, "x");
    expect_nothing(w);
}

static void a_cursor_of_another_store_is_a_gap(void **state)
{
    struct world *w = *state;
    json_t *line;

    arrives(w, 2, "x", true);
    subscribe(w, "{\"since\":99}");
    tick_until_quiet(w);
    const json_t *event = next_event(w, &line);
    assert_string_equal(str(event, "event"), "gap");
    json_decref(line);
    expect_nothing(w);
    arrives(w, 2, "y", true);
    expect_text(w, "y");
}

static void a_slow_reader_is_fed_as_it_reads(void **state)
{
    struct world *w = *state;

    subscribe(w, "{\"types\":[\"message\"]}");
    w->conn.unsent = YR_RPC_UNSENT_HIGH;
    for (int i = 0; i < 300; i++)
        arrives(w, 2, "x", true);
    expect_nothing(w);
    w->now.mono_us += 60000;
    yr_rpc_tick(w->rpc);
    expect_nothing(w);
    w->conn.unsent = 0;
    tick_until_quiet(w);
    for (int i = 0; i < 300; i++)
        expect_text(w, "x");
    expect_nothing(w);
}

static void replay_does_not_take_the_loop_for_itself(void **state)
{
    struct world *w = *state;
    const size_t before = w->conn.lines;

    for (int i = 0; i < 500; i++)
        arrives(w, 2, "x", true);
    subscribe(w, "{\"since\":0}");
    yr_rpc_tick(w->rpc);
    assert_in_range(w->conn.lines - before, 2, 300);
    tick_until_quiet(w);
    assert_int_equal(w->conn.lines - before, 501);
}

static void presence_changes_missed_while_behind_are_told_as_they_are(void **state)
{
    struct world *w = *state;
    struct yr_event event = {.kind = YR_EV_PRESENCE, .online = true};
    json_t *line;

    subscribe(w, "{\"types\":[\"presence\"]}");
    w->conn.unsent = YR_RPC_UNSENT_HIGH;
    fake_id(event.conv, 2);
    yr_rpc_event(w->rpc, &event);
    w->node->friends[0].online = true;
    expect_nothing(w);
    w->conn.unsent = 0;
    tick_until_quiet(w);
    const json_t *first = next_event(w, &line);
    assert_string_equal(str(first, "event"), "presence");
    assert_string_equal(str(json_object_get(first, "data"), "state"), "online");
    json_decref(line);
    first = next_event(w, &line);
    assert_string_equal(str(json_object_get(first, "data"), "state"), "offline");
    json_decref(line);
    expect_nothing(w);
}

static void a_state_event_tells_the_state_it_was_about(void **state)
{
    struct world *w = *state;
    json_t *line;

    subscribe(w, "{}");
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    struct yr_event *event = fake_event(w->node, YR_EV_STATE);
    memcpy(event->conv, msg->conv, sizeof event->conv);
    memcpy(event->msg, msg->id, sizeof event->msg);
    event->state = YR_STATE_DELIVERED;
    msg->state = YR_STATE_FAILED; // meanwhile
    yr_rpc_event(w->rpc, event);
    const json_t *told = next_event(w, &line);
    assert_string_equal(str(told, "event"), "message.state");
    assert_string_equal(str(json_object_get(told, "data"), "state"), "delivered");
    json_decref(line);
}

static void a_new_nick_is_a_new_name(void **state)
{
    struct world *w = *state;
    json_t *line;

    subscribe(w, "{}");
    strcpy(w->node->friends[0].nick, "robert");
    struct yr_event *event = fake_event(w->node, YR_EV_FRIEND);
    fake_id(event->conv, 2);
    yr_rpc_event(w->rpc, event);
    const json_t *told = next_event(w, &line);
    assert_string_equal(str(json_object_get(told, "data"), "name"), "robert");
    json_decref(line);
    expect_error(w, "friend.get", "{\"friend\":\"bob\"}", YR_RPC_NO_SUCH_TARGET);
}

static void a_removed_friend_is_told_as_gone(void **state)
{
    struct world *w = *state;
    json_t *line;

    subscribe(w, "{}");
    struct yr_event *event = fake_event(w->node, YR_EV_FRIEND);
    fake_id(event->conv, 3);
    event->gone = true;
    w->node->friend_count = 1;
    yr_rpc_event(w->rpc, event);
    const json_t *data = json_object_get(next_event(w, &line), "data");
    assert_true(json_is_true(json_object_get(data, "gone")));
    json_decref(line);
}

static void unsubscribing_ends_it_and_frees_the_place(void **state)
{
    struct world *w = *state;
    char params[64];
    int64_t sub = 0;

    for (int i = 0; i < YR_RPC_SUBS_MAX; i++)
        sub = subscribe(w, "{}");
    assert_int_equal(w->conn.holds, YR_RPC_SUBS_MAX);
    expect_error(w, "events.subscribe", "{}", YR_RPC_RATE_LIMITED);
    snprintf(params, sizeof params, "{\"sub\":%lld}", (long long)sub);
    json_t *answer;
    call(w, &answer, "events.unsubscribe", params);
    json_decref(answer);
    expect_error(w, "events.unsubscribe", params, YR_RPC_NO_SUCH_OBJECT);
    subscribe(w, "{}");
}

static void a_reader_that_left_is_told_nothing(void **state)
{
    struct world *w = *state;
    arrives(w, 2, "x", true);
    subscribe(w, "{\"since\":0}");
    yr_rpc_client_gone(w->rpc, w->client);
    const size_t lines = w->conn.lines;
    arrives(w, 2, "x", true);
    tick_until_quiet(w);
    assert_int_equal(w->conn.lines, lines);
}

static void a_message_forgotten_since_is_passed_over(void **state)
{
    struct world *w = *state;
    arrives(w, 2, "a", true);
    arrives(w, 2, "b", true);
    w->node->messages[0].id[0] ^= 1; // no longer found
    subscribe(w, "{\"since\":0}");
    tick_until_quiet(w);
    expect_text(w, "b");
    expect_nothing(w);
}

static void events_of_every_kind_have_a_name_and_a_record(void **state)
{
    struct world *w = *state;
    struct fake_message *msg = fake_message(w->node, 2, 2, 5000, "x");
    json_t *line;

    subscribe(w, "{}");
    for (unsigned kind = 0; kind < YR_EV_KIND_COUNT; kind++) {
        struct yr_event event = {.kind = (enum yr_event_kind)kind, .text = "hello"};
        if (kind == YR_EV_DONE)
            continue;
        event.cursor = ++w->node->self.cursor;
        memcpy(event.conv, msg->conv, sizeof event.conv);
        memcpy(event.msg, msg->id, sizeof event.msg);
        yr_rpc_event(w->rpc, &event);
        const json_t *told = next_event(w, &line);
        assert_non_null(told);
        assert_true(strlen(str(told, "event")) > 2);
        assert_true(json_is_object(json_object_get(told, "data")));
        json_decref(line);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(hello_comes_first),
        T(a_subscriber_hears_what_comes),
        T(two_subscriptions_share_one_reading),
        T(nobody_listening_costs_no_reading),
        T(types_and_targets_choose),
        T(the_past_is_replayed_in_order_and_then_it_is_live),
        T(an_event_read_from_the_store_early_is_not_told_twice),
        T(what_was_dropped_is_a_gap),
        T(a_cursor_of_another_store_is_a_gap),
        T(a_slow_reader_is_fed_as_it_reads),
        T(replay_does_not_take_the_loop_for_itself),
        T(presence_changes_missed_while_behind_are_told_as_they_are),
        T(a_state_event_tells_the_state_it_was_about),
        T(a_new_nick_is_a_new_name),
        T(a_removed_friend_is_told_as_gone),
        T(unsubscribing_ends_it_and_frees_the_place),
        T(a_reader_that_left_is_told_nothing),
        T(a_message_forgotten_since_is_passed_over),
        T(events_of_every_kind_have_a_name_and_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
