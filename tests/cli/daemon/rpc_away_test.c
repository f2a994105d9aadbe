/* What programs are told of friends who are away, and of texts that wait for them. */
#include "tests/cli/daemon/rpc_world.h"

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    world_open(w);
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "carol", "C.");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static const struct yr_cmd *command(const struct world *w, size_t i)
{
    assert_true(i < w->node->command_count);
    return &w->node->commands[i].cmd;
}

static void state_event(struct world *w, struct fake_message *msg, enum yr_state to)
{
    struct yr_event event = {.kind = YR_EV_STATE, .state = to};
    msg->state = to;
    event.cursor = ++w->node->self.cursor;
    memcpy(event.msg, msg->id, sizeof event.msg);
    memcpy(event.conv, msg->conv, sizeof event.conv);
    yr_rpc_event(w->rpc, &event);
}

static void away_and_back_are_commands_and_answer_who_we_are(void **state)
{
    struct world *w = *state;
    json_t *answer;

    begin(w, "presence.set", "{\"away\":true,\"text\":\"lunch\"}");
    assert_int_equal(command(w, 0)->kind, YR_CMD_PRESENCE);
    assert_int_equal(command(w, 0)->flags, 0);
    assert_string_equal(w->node->commands[0].text, "lunch");
    w->node->self.away = true;
    strcpy(w->node->self.away_text, "lunch");
    w->node->self.away_ms = w->now.wall_ms;
    done(w, YR_OK, NULL);
    answer = next_of(&w->conn);
    assert_true(json_is_true(json_object_get(result_of(answer), "away")));
    assert_string_equal(str(result_of(answer), "away_text"), "lunch");
    json_decref(answer);
    begin(w, "presence.set", "{\"away\":false}");
    assert_int_equal(command(w, 1)->flags, YR_FLAG_REMOVE);
    w->node->self.away = false;
    done(w, YR_OK, NULL);
    answer = next_of(&w->conn);
    assert_null(json_object_get(result_of(answer), "away"));
    assert_string_equal(str(result_of(answer), "away_text"), "(absent)");
    json_decref(answer);
    expect_error(w, "presence.set", "{\"away\":false,\"text\":\"x\"}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "presence.set", "{}", YR_RPC_INVALID_PARAMS);
}

static void typing_is_a_command_about_a_friend(void **state)
{
    struct world *w = *state;

    begin(w, "typing.set", "{\"friend\":\"bob\",\"typing\":true}");
    assert_int_equal(command(w, 0)->kind, YR_CMD_TYPING);
    assert_int_equal(command(w, 0)->flags, 0);
    assert_memory_equal(command(w, 0)->conv, w->node->friends[0].id, YR_ID_LEN);
    begin(w, "typing.set", "{\"friend\":\"bob\",\"typing\":false}");
    assert_int_equal(command(w, 1)->flags, YR_FLAG_REMOVE);
    expect_error(w, "typing.set", "{\"friend\":\"eve\",\"typing\":true}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "typing.set", "{\"friend\":\"bob\"}", YR_RPC_INVALID_PARAMS);
}

static void settings_of_a_friend_are_commands_one_each(void **state)
{
    struct world *w = *state;

    begin(w, "friend.set",
          "{\"friend\":\"bob\",\"relay\":\"no\",\"mail\":\"yes\",\"presence\":\"default\","
          "\"typing\":\"yes\",\"receipts\":\"no\"}");
    assert_int_equal(w->node->command_count, 5);
    assert_int_equal(command(w, 0)->kind, YR_CMD_FRIEND_RELAY);
    assert_int_equal(command(w, 0)->number, YR_NO);
    assert_int_equal(command(w, 1)->kind, YR_CMD_FRIEND_MAIL);
    assert_int_equal(command(w, 1)->number, YR_YES);
    assert_int_equal(command(w, 2)->kind, YR_CMD_FRIEND_PRESENCE);
    assert_int_equal(command(w, 2)->number, YR_UNKNOWN);
    assert_int_equal(command(w, 3)->kind, YR_CMD_FRIEND_TYPING);
    assert_int_equal(command(w, 4)->kind, YR_CMD_FRIEND_RECEIPTS);
    expect_error(w, "friend.set", "{\"friend\":\"bob\",\"mail\":\"maybe\"}", YR_RPC_INVALID_PARAMS);
    assert_int_equal(w->node->command_count, 5); // one that is wrong, and nothing is done
}

static void a_friend_is_away_only_while_linked(void **state)
{
    struct world *w = *state;
    struct yr_friend_info *bob = &w->node->friends[0];
    json_t *answer, *record;

    bob->away = bob->online = true;
    strcpy(bob->away_text, "lunch");
    bob->away_ms = bob->active_ms = 5000;
    bob->mail = YR_YES;
    record = call(w, &answer, "friend.get", "{\"friend\":\"bob\"}");
    assert_string_equal(str(record, "state"), "away");
    assert_string_equal(str(record, "away_text"), "lunch");
    assert_string_equal(str(record, "away_since"), "1970-01-01T00:00:05.000Z");
    assert_string_equal(str(record, "last_active"), "1970-01-01T00:00:05.000Z");
    assert_string_equal(str(record, "mail"), "yes");
    assert_string_equal(str(record, "typing"), "default");
    json_decref(answer);
    bob->online = false;
    record = call(w, &answer, "friend.get", "{\"friend\":\"bob\"}");
    assert_string_equal(str(record, "state"), "offline");
    assert_string_equal(str(record, "away_text"), "lunch"); // as they said last
    json_decref(answer);
}

static void presence_and_typing_are_told_as_they_are(void **state)
{
    struct world *w = *state;
    struct yr_event event = {.kind = YR_EV_PRESENCE, .online = true};
    struct yr_friend_info *bob = &w->node->friends[0];
    json_t *answer, *data;

    (void)call(w, &answer, "hello", "{\"api\":1}");
    json_decref(answer);
    (void)call(w, &answer, "events.subscribe", "{\"types\":[\"presence\",\"typing\"]}");
    json_decref(answer);
    bob->online = bob->away = true;
    strcpy(bob->away_text, "lunch");
    memcpy(event.conv, bob->id, YR_ID_LEN);
    yr_rpc_event(w->rpc, &event);
    answer = next_of(&w->conn);
    data = json_object_get(json_object_get(answer, "params"), "data");
    assert_string_equal(str(data, "state"), "away");
    assert_string_equal(str(data, "away_text"), "lunch");
    json_decref(answer);
    event.kind = YR_EV_TYPING;
    yr_rpc_event(w->rpc, &event);
    answer = next_of(&w->conn);
    assert_string_equal(str(json_object_get(answer, "params"), "event"), "typing");
    data = json_object_get(json_object_get(answer, "params"), "data");
    assert_true(json_is_true(json_object_get(data, "typing")));
    json_decref(answer);
}

static void a_text_may_have_a_time_but_not_in_a_room(void **state)
{
    struct world *w = *state;

    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"expires_s\":90}");
    assert_true(command(w, 0)->expires_ms == w->now.wall_ms + 90000);
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}");
    assert_true(command(w, 1)->expires_ms == 0);
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"expires_s\":0}",
                 YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"expires_s\":31622401}",
                 YR_RPC_INVALID_PARAMS);
}

static void waiting_for_held_ends_when_a_friend_holds_it(void **state)
{
    struct world *w = *state;
    struct fake_message *msg;
    json_t *answer;

    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"held\"}");
    msg = fake_message(w->node, 2, 1, 5000, "hi");
    done(w, YR_OK, msg);
    assert_int_equal(w->conn.in.len, 0);
    msg->held_by = 2;
    msg->held_until_ms = 9000;
    state_event(w, msg, YR_STATE_HELD);
    answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "state"), "held");
    assert_int_equal(num(result_of(answer), "held_by"), 2);
    assert_string_equal(str(result_of(answer), "held_until"), "1970-01-01T00:00:09.000Z");
    json_decref(answer);
}

static void waiting_ends_when_a_text_is_given_up_or_taken_back(void **state)
{
    struct world *w = *state;
    struct fake_message *msg;
    json_t *answer;

    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"delivered\"}");
    msg = fake_message(w->node, 2, 1, 5000, "hi");
    done(w, YR_OK, msg);
    msg->expires_ms = msg->failed_ms = 6000;
    state_event(w, msg, YR_STATE_FAILED);
    answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_UNREACHABLE);
    assert_string_equal(str(json_object_get(answer, "error"), "message"),
                        "given up: not delivered to bob in time");
    json_decref(answer);
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"held\"}");
    msg = fake_message(w->node, 2, 1, 7000, "hi");
    done(w, YR_OK, msg);
    state_event(w, msg, YR_STATE_CANCELLED);
    answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_UNREACHABLE);
    json_decref(answer);
    // Who waited for no more than that it was accepted has his answer in any case.
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}");
    msg = fake_message(w->node, 2, 1, 8000, "hi");
    msg->state = YR_STATE_CANCELLED;
    done(w, YR_OK, msg);
    answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "state"), "cancelled");
    json_decref(answer);
}

static void read_is_shown_for_a_friend_who_is_told(void **state)
{
    struct world *w = *state;
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    json_t *answer;

    msg->state = YR_STATE_READ;
    w->node->friends[0].receipts = YR_YES; // while the configuration says no
    const json_t *list = json_object_get(call(w, &answer, "message.list", "{}"), "messages");
    assert_string_equal(str(json_array_get(list, 0), "state"), "read");
    json_decref(answer);
    yr_rpc_set_read_receipts(w->rpc, true);
    w->node->friends[0].receipts = YR_NO;
    list = json_object_get(call(w, &answer, "message.list", "{}"), "messages");
    assert_string_equal(str(json_array_get(list, 0), "state"), "delivered");
    json_decref(answer);
}

static struct yr_why *add_why(struct world *w, yr_ms time_ms, const char *code, const char *text)
{
    struct yr_why *why = &w->node->whys[w->node->why_count++];

    memset(why, 0, sizeof *why);
    why->time_ms = time_ms;
    why->code = code;
    strcpy(why->text, text);
    return why;
}

static void why_names_holders_and_stands_in_order_of_time(void **state)
{
    struct world *w = *state;
    struct yr_why *held, *refused;
    json_t *answer, *steps;

    (void)add_why(w, 5000, "accepted", "accepted here");
    held = add_why(w, 9000, "held", "custody acknowledged");
    fake_id(held->who, 3);
    held->until_ms = w->now.wall_ms + 14 * INT64_C(86400000);
    refused = add_why(w, 7000, "refused", "does not hold it");
    fake_id(refused->who, 9); // no friend any more
    (void)add_why(w, 3000, "last_seen", "last seen");
    add_why(w, 0, "expires", "given up unless it is there")->until_ms = w->now.wall_ms + 60000;
    steps = json_object_get(call(w, &answer, "message.why", "{\"friend\":\"bob\"}"), "steps");
    assert_int_equal(json_array_size(steps), 5);
    assert_string_equal(str(json_array_get(steps, 0), "code"), "last_seen");
    assert_string_equal(str(json_array_get(steps, 1), "code"), "accepted");
    assert_string_equal(str(json_array_get(steps, 2), "code"), "refused");
    assert_non_null(strstr(str(json_array_get(steps, 2), "text"), " does not hold it"));
    assert_int_equal(strncmp(str(json_array_get(steps, 3), "text"), "held by carol until ", 20), 0);
    assert_non_null(strstr(str(json_array_get(steps, 3), "text"), " (custody acknowledged)"));
    assert_string_equal(str(json_array_get(steps, 4), "time"), "(absent)");
    assert_int_equal(
        strncmp(str(json_array_get(steps, 4), "text"), "given up unless it is there by ", 31), 0);
    json_decref(answer);
}

static void why_of_a_text_that_nobody_holds_says_who_could(void **state)
{
    struct world *w = *state;
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    char params[96], id[64];

    yr_id_text(id, msg->id, YR_MSG_ID_LEN);
    snprintf(params, sizeof params, "{\"id\":\"%s\"}", id);
    for (unsigned by = 0; by < 2; by++) {
        json_t *answer, *hints, *hint;
        bool found = false;
        size_t i;

        msg->held_by = by;
        msg->state = by > 0 ? YR_STATE_HELD : YR_STATE_ACCEPTED;
        hints = json_object_get(call(w, &answer, "message.why", params), "hints");
        json_array_foreach(hints, i, hint) found =
            found || strstr(json_string_value(hint), "nobody holds it") != NULL;
        assert_true(found == (by == 0));
        json_decref(answer);
    }
}

static void status_says_for_whom_texts_wait(void **state)
{
    struct world *w = *state;
    struct yr_queue_info *queue = &w->node->queues[w->node->queue_count++];
    json_t *answer, *queued, *steps;

    w->node->self.queued = 3;
    memcpy(queue->id, w->node->friends[1].id, YR_ID_LEN);
    queue->texts = 2;
    queue->held = queue->held_at = 1;
    queue->oldest_ms = 5000;
    queued = json_object_get(call(w, &answer, "net.status", "{}"), "queued");
    assert_int_equal(json_array_size(queued), 1);
    assert_string_equal(str(json_object_get(json_array_get(queued, 0), "friend"), "name"), "carol");
    assert_int_equal(num(json_array_get(queued, 0), "messages"), 2);
    assert_int_equal(num(json_array_get(queued, 0), "held"), 1);
    assert_int_equal(num(json_array_get(queued, 0), "held_at"), 1);
    json_decref(answer);
    steps = json_object_get(call(w, &answer, "message.why", "{\"friend\":\"carol\"}"), "steps");
    assert_string_equal(str(json_array_get(steps, 0), "text"),
                        "2 texts wait for them since then, 1 held by 1 friend");
    json_decref(answer);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(away_and_back_are_commands_and_answer_who_we_are),
                                       T(typing_is_a_command_about_a_friend),
                                       T(settings_of_a_friend_are_commands_one_each),
                                       T(a_friend_is_away_only_while_linked),
                                       T(presence_and_typing_are_told_as_they_are),
                                       T(a_text_may_have_a_time_but_not_in_a_room),
                                       T(waiting_for_held_ends_when_a_friend_holds_it),
                                       T(waiting_ends_when_a_text_is_given_up_or_taken_back),
                                       T(read_is_shown_for_a_friend_who_is_told),
                                       T(why_names_holders_and_stands_in_order_of_time),
                                       T(why_of_a_text_that_nobody_holds_says_who_could),
                                       T(status_says_for_whom_texts_wait)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
