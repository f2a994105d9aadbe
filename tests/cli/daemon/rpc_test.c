/* The control interface: what is a request, and what each method does with the node. */
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

/* ---- what is a request ---- */

static void expect_refusal(struct world *w, const char *line, int code)
{
    json_t *answer = ask(w, line);
    assert_non_null(answer);
    if (code_of(answer) != code)
        print_error("%s\n", line);
    assert_int_equal(code_of(answer), code);
    json_decref(answer);
}

static void what_is_not_json_is_a_parse_error(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "nonsense",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"} x",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"hello\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_refusal(*state, lines[i], YR_RPC_PARSE);
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const lines[] = {
        "1",
        "\"hello\"",
        "null",
        "{}",
        "[]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\"}]",
        "{\"id\":1,\"method\":\"rpc.list\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"rpc.list\"}",
        "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"rpc.list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"rpc.list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"rpc.list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"rpc.list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\",\"params\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.list\",\"extra\":1}"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_refusal(*state, lines[i], YR_RPC_INVALID_REQUEST);
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    struct world *w = *state;
    yr_rpc_line_too_long(w->rpc, w->client);
    json_t *answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_INVALID_REQUEST);
    assert_true(json_is_null(json_object_get(answer, "id")));
    json_decref(answer);
}

static void a_notification_is_neither_answered_nor_carried_out(void **state)
{
    struct world *w = *state;
    say(w, "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.stop\"}");
    say(w, "{\"jsonrpc\":\"2.0\",\"method\":\"no.such\",\"params\":{}}");
    assert_int_equal(w->conn.lines, 0);
    assert_int_equal(w->stops, 0);
}

static void an_answer_carries_the_id_of_its_request(void **state)
{
    json_t *answer = ask(*state, "{\"jsonrpc\":\"2.0\",\"id\":\"a-7\",\"method\":\"rpc.list\"}");
    assert_string_equal(str(answer, "id"), "a-7");
    json_decref(answer);
    answer = ask(*state, "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"rpc.list\"}");
    assert_true(num(answer, "id") == 9007199254740993);
    json_decref(answer);
}

static void an_unknown_method_is_named(void **state)
{
    expect_error(*state, "message.sendd", "{}", YR_RPC_NO_SUCH_METHOD);
}

static void parameters_are_checked_against_the_table(void **state)
{
    struct world *w = *state;
    expect_error(w, "message.send", "[\"bob\",\"hi\"]", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.send", "{\"target\":\"bob\"}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":5}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"x\",\"colour\":\"red\"}",
                 YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.list", "{\"limit\":0}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.list", "{\"limit\":1.5}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.delete", "{\"ids\":[1]}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.delete", "{\"ids\":[]}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "friend.list", "{\"online\":\"yes\"}", YR_RPC_INVALID_PARAMS);
    assert_int_equal(w->node->command_count, 0);
}

static void every_method_is_listed_and_described(void **state)
{
    json_t *answer, *described, *name;
    json_t *methods = json_object_get(call(*state, &answer, "rpc.list", "{}"), "methods");
    size_t i;

    assert_true(json_array_size(methods) > 40);
    json_array_foreach(methods, i, name)
    {
        char params[128];
        snprintf(params, sizeof params, "{\"method\":\"%s\"}", json_string_value(name));
        const json_t *result = call(*state, &described, "rpc.describe", params);
        assert_string_equal(str(result, "method"), json_string_value(name));
        assert_true(json_is_object(json_object_get(result, "params")));
        assert_true(json_is_object(json_object_get(result, "result")));
        json_decref(described);
    }
    json_decref(answer);
    expect_error(*state, "rpc.describe", "{\"method\":\"x\"}", YR_RPC_NO_SUCH_METHOD);
}

/* ---- the node's state ---- */

static void without_identity_only_what_needs_none_works(void **state)
{
    struct world *w = *state;
    json_t *answer;

    w->node->self.unlocked = w->node->self.has_identity = false;
    expect_error(w, "friend.list", "{}", YR_RPC_LOCKED);
    w->vault = false;
    expect_error(w, "friend.list", "{}", YR_RPC_NO_IDENTITY);
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"x\"}", YR_RPC_NO_IDENTITY);
    const json_t *status = call(w, &answer, "net.status", "{}");
    assert_string_equal(str(status, "state"), "no_identity");
    assert_string_equal(str(status, "reachable"), "none");
    assert_null(json_object_get(status, "identity"));
    json_decref(answer);
    w->vault = true;
    status = call(w, &answer, "net.status", "{}");
    assert_string_equal(str(status, "state"), "locked");
    json_decref(answer);
    json_decref((call(w, &answer, "complete", "{\"kind\":\"target\",\"prefix\":\"\"}"), answer));
}

static void hello_agrees_on_the_version(void **state)
{
    json_t *answer;
    const json_t *hello = call(*state, &answer, "hello", "{\"client\":\"test\",\"api\":1}");
    assert_int_equal(num(hello, "api"), 1);
    assert_string_equal(str(hello, "profile"), "default");
    assert_string_equal(str(hello, "state"), "ok");
    json_decref(answer);
    expect_error(*state, "hello", "{\"api\":2}", YR_RPC_UNSUPPORTED);
    expect_error(*state, "hello", "{}", YR_RPC_INVALID_PARAMS);
}

static void an_identity_is_made_once(void **state)
{
    struct world *w = *state;
    expect_error(w, "identity.create", "{\"name\":\"x\"}", YR_RPC_EXISTS);
    w->node->self.has_identity = false;
    begin(w, "identity.create", "{\"name\":\"alice\"}");
    assert_string_equal(w->nick, "alice");
    w->node->self.has_identity = true;
    yr_rpc_done(w->rpc, w->ticket, YR_OK);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "type"), "identity");
    assert_string_equal(str(result_of(answer), "name"), "alice");
    assert_int_equal(strlen(str(result_of(answer), "id")), 52);
    json_decref(answer);
    assert_int_equal(w->conn.holds, 0);
}

static void a_wrong_passphrase_is_denied(void **state)
{
    struct world *w = *state;
    w->node->self.unlocked = false;
    begin(w, "vault.unlock", "{\"passphrase\":\"hunter2\"}");
    assert_string_equal(w->passphrase, "hunter2");
    yr_rpc_done(w->rpc, w->ticket, YR_EAUTH);
    json_t *answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_DENIED);
    json_decref(answer);
}

/* ---- sending ---- */

static void a_text_is_answered_when_it_is_durable(void **state)
{
    struct world *w = *state;
    begin(w, "message.send",
          "{\"target\":\"bob\",\"text\":\"hi\",\"key\":\"k1\",\"kind\":\"action\"}");
    assert_int_equal(w->conn.holds, 1);
    assert_int_equal(w->node->commands[0].cmd.kind, YR_CMD_SEND);
    assert_int_equal(w->node->commands[0].cmd.flags, YR_FLAG_ACTION);
    assert_string_equal(w->node->commands[0].body, "hi");
    assert_string_equal(w->node->commands[0].name, "k1");
    done(w, YR_OK, fake_message(w->node, 2, 1, 5000, "hi"));
    json_t *answer = next_of(&w->conn);
    const json_t *message = result_of(answer);
    assert_string_equal(str(message, "type"), "message");
    assert_int_equal(strlen(str(message, "id")), 26);
    assert_string_equal(str(message, "text"), "hi");
    assert_string_equal(str(message, "state"), "accepted");
    assert_string_equal(str(json_object_get(message, "target"), "name"), "bob");
    assert_string_equal(str(json_object_get(message, "from"), "kind"), "self");
    assert_string_equal(str(message, "time"), "1970-01-01T00:00:05.000Z");
    json_decref(answer);
    assert_int_equal(w->conn.holds, 0);
}

static void a_refused_text_is_an_error_at_once(void **state)
{
    struct world *w = *state;
    char *big = malloc(17000), *params = NULL;

    w->node->refuse = YR_ENOSPC;
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"x\"}", YR_RPC_IO);
    w->node->refuse = YR_ENOMEM;
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"x\"}", YR_RPC_RATE_LIMITED);
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"\"}", YR_RPC_INVALID_PARAMS);
    memset(big, 'x', 16385);
    big[16385] = '\0';
    assert_true(asprintf(&params, "{\"target\":\"bob\",\"text\":\"%s\"}", big) > 0);
    expect_error(w, "message.send", params, YR_RPC_TOO_LARGE);
    free(params);
    free(big);
    assert_int_equal(w->conn.holds, 0);
}

static void a_text_whose_commit_failed_is_an_error(void **state)
{
    struct world *w = *state;
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}");
    done(w, YR_EIO, NULL);
    json_t *answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_IO);
    json_decref(answer);
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

static void send_waits_until_delivered(void **state)
{
    struct world *w = *state;
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"delivered\"}");
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    done(w, YR_OK, msg);
    assert_int_equal(w->conn.lines, 0);
    state_event(w, msg, YR_STATE_HELD);
    assert_int_equal(w->conn.lines, 0);
    state_event(w, msg, YR_STATE_DELIVERED);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "state"), "delivered");
    json_decref(answer);
    assert_int_equal(w->conn.holds, 0);
    assert_true(yr_rpc_deadline(w->rpc) == YR_NEVER);
}

static void a_text_that_was_delivered_before_it_was_waited_for_is_answered(void **state)
{
    struct world *w = *state;
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"delivered\"}");
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    msg->state = YR_STATE_DELIVERED;
    done(w, YR_OK, msg);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "state"), "delivered");
    json_decref(answer);
}

static void a_wait_that_runs_out_tells_the_id(void **state)
{
    struct world *w = *state;
    begin(w, "message.send",
          "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"delivered\",\"timeout_ms\":200}");
    done(w, YR_OK, fake_message(w->node, 2, 1, 5000, "hi"));
    assert_true(yr_rpc_deadline(w->rpc) == w->now.mono_us + 200000);
    w->now.mono_us += 199999;
    yr_rpc_tick(w->rpc);
    assert_int_equal(w->conn.lines, 0);
    w->now.mono_us += 1;
    yr_rpc_tick(w->rpc);
    json_t *answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_TIMEOUT);
    const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
    assert_int_equal(strlen(str(data, "id")), 26);
    assert_int_equal(num(data, "exit"), 75);
    json_decref(answer);
    assert_true(yr_rpc_deadline(w->rpc) == YR_NEVER);
}

static void a_client_that_leaves_while_it_waits_leaves_nothing(void **state)
{
    struct world *w = *state;
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"delivered\"}");
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    done(w, YR_OK, msg);
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"ho\"}");
    yr_rpc_client_gone(w->rpc, w->client);
    yr_rpc_tick(w->rpc);
    done(w, YR_OK, msg); // of the second
    state_event(w, msg, YR_STATE_DELIVERED);
    assert_int_equal(w->conn.lines, 0);
    assert_true(yr_rpc_deadline(w->rpc) == YR_NEVER);
    w->client = yr_rpc_client_new(w->rpc, &w->conn);
}

static void waiting_for_read_needs_read_receipts(void **state)
{
    struct world *w = *state;
    json_t *answer = ask(w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.send\",\"params\":"
                            "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"read\"}}");
    const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
    assert_int_equal(num(data, "exit"), 64);
    json_decref(answer);
    yr_rpc_set_read_receipts(w->rpc, true);
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\",\"wait\":\"read\"}");
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    done(w, YR_OK, msg);
    state_event(w, msg, YR_STATE_DELIVERED);
    assert_int_equal(w->conn.in.len, 0);
    state_event(w, msg, YR_STATE_READ);
    answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "state"), "read");
    json_decref(answer);
}

static void read_is_never_shown_while_receipts_are_off(void **state)
{
    struct world *w = *state;
    json_t *answer;
    fake_message(w->node, 2, 1, 5000, "hi")->state = YR_STATE_READ;
    const json_t *list = json_object_get(call(w, &answer, "message.list", "{}"), "messages");
    assert_string_equal(str(json_array_get(list, 0), "state"), "delivered");
    json_decref(answer);
}

static void one_client_cannot_have_more_than_its_share_pending(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < YR_RPC_PENDING_MAX; i++)
        begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}");
    expect_error(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}", YR_RPC_RATE_LIMITED);
    assert_int_equal(w->node->command_count, YR_RPC_PENDING_MAX);
    // another one is not hindered, and neither are requests that are answered at once
    const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.send\",\"params\":"
                        "{\"target\":\"bob\",\"text\":\"hi\"}}";
    yr_rpc_line(w->rpc, w->other, line, strlen(line));
    assert_int_equal(w->node->command_count, YR_RPC_PENDING_MAX + 1);
    json_t *answer;
    call(w, &answer, "net.status", "{}");
    json_decref(answer);
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "hi");
    for (size_t i = w->node->command_count; i-- > 0;) { // and in another order than asked
        struct yr_event event = {.kind = YR_EV_DONE, .ticket = w->node->commands[i].ticket};
        memcpy(event.msg, msg->id, sizeof event.msg);
        yr_rpc_event(w->rpc, &event);
    }
    assert_int_equal(w->conn.holds, 0);
    assert_int_equal(w->other_conn.holds, 0);
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}");
}

static void heavy_requests_of_one_client_leave_room_for_others(void **state)
{
    static const char heavy[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"friend.list\"}",
                      light[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"rpc.list\"}";
    struct world *w = *state;
    size_t before;

    w->drift = 30000; // at each look at the clock: friend.list seems to take long
    say(w, heavy);
    w->drift = 0;
    for (int i = 0; i < 99; i++)
        say(w, heavy);
    assert_int_equal(w->conn.lines, 1);
    assert_int_equal(w->conn.holds, 99);
    before = w->conn.lines;
    say(w, light); // is answered at once
    assert_int_equal(w->conn.lines, before + 1);

    yr_rpc_line(w->rpc, w->other, heavy, strlen(heavy));
    assert_int_equal(w->other_conn.lines, 0);
    w->drift = 3000;
    for (int i = 0; i < 5 && w->other_conn.lines == 0; i++) {
        if (yr_rpc_deadline(w->rpc) > w->now.mono_us)
            w->now.mono_us = yr_rpc_deadline(w->rpc);
        yr_rpc_tick(w->rpc);
    }
    assert_int_equal(w->other_conn.lines, 1); // its turn came before the others' hundred
    assert_in_range(w->conn.lines, before + 1, before + 20);
    while (yr_rpc_deadline(w->rpc) != YR_NEVER) {
        if (yr_rpc_deadline(w->rpc) > w->now.mono_us)
            w->now.mono_us = yr_rpc_deadline(w->rpc);
        yr_rpc_tick(w->rpc);
    }
    assert_int_equal(w->conn.lines, 101);
    assert_int_equal(w->conn.holds, 0);
}

static void a_client_that_leaves_takes_its_turns_along(void **state)
{
    static const char heavy[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"friend.list\"}";
    struct world *w = *state;

    w->drift = 30000;
    for (int i = 0; i < 10; i++)
        say(w, heavy);
    const size_t lines = w->conn.lines;
    assert_in_range(lines, 1, 5);
    assert_true(yr_rpc_deadline(w->rpc) != YR_NEVER);
    yr_rpc_client_gone(w->rpc, w->client);
    assert_true(yr_rpc_deadline(w->rpc) == YR_NEVER);
    yr_rpc_tick(w->rpc);
    assert_int_equal(w->conn.lines, lines);
    w->client = yr_rpc_client_new(w->rpc, &w->conn);
}

static void lists_wait_while_their_reader_does_not_read(void **state)
{
    static const char heavy[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.list\"}";
    struct world *w = *state;

    w->conn.unsent = YR_RPC_UNSENT_HIGH;
    say(w, heavy);
    yr_rpc_line(w->rpc, w->other, heavy, strlen(heavy)); // another one is not concerned
    assert_int_equal(w->other_conn.lines, 1);
    for (int i = 0; i < 10; i++) {
        assert_true(yr_rpc_deadline(w->rpc) != YR_NEVER);
        if (yr_rpc_deadline(w->rpc) > w->now.mono_us)
            w->now.mono_us = yr_rpc_deadline(w->rpc);
        yr_rpc_tick(w->rpc);
    }
    assert_in_range(w->now.mono_us, 1100000, 2000000); // without spinning
    assert_int_equal(w->conn.lines, 0);
    w->conn.unsent = 0;
    w->now.mono_us = yr_rpc_deadline(w->rpc);
    yr_rpc_tick(w->rpc);
    assert_int_equal(w->conn.lines, 1);
    assert_true(yr_rpc_deadline(w->rpc) == YR_NEVER);
}

static void a_done_event_that_nobody_waits_for_is_ignored(void **state)
{
    struct world *w = *state;
    const uint64_t tickets[] = {0, 1, UINT64_MAX, (uint64_t)1 << 32, (uint64_t)7 << 32 | 3};
    for (size_t i = 0; i < 5; i++) {
        struct yr_event event = {.kind = YR_EV_DONE, .ticket = tickets[i]};
        yr_rpc_event(w->rpc, &event);
    }
    begin(w, "message.send", "{\"target\":\"bob\",\"text\":\"hi\"}");
    done(w, YR_OK, fake_message(w->node, 2, 1, 5000, "hi"));
    json_decref(next_of(&w->conn));
    done(w, YR_OK, NULL); // the same once more
    assert_int_equal(w->conn.lines, 1);
}

/* ---- messages ---- */

static const char *id_of(const struct fake_message *msg)
{
    static char text[27];
    yr_id_text(text, msg->id, YR_MSG_ID_LEN);
    return text;
}

static void a_message_is_found_by_a_prefix_that_is_unique(void **state)
{
    struct world *w = *state;
    struct fake_message *one = fake_message(w->node, 2, 2, 5000, "one");
    struct fake_message *two = fake_message(w->node, 2, 2, 6000, "two");
    char params[80];
    json_t *answer;

    memcpy(two->id, one->id, 4); // 32 bits: six characters and a bit
    snprintf(params, sizeof params, "{\"id\":\"%.8s\"}", id_of(two));
    assert_string_equal(str(call(w, &answer, "message.get", params), "text"), "two");
    json_decref(answer);
    snprintf(params, sizeof params, "{\"id\":\"%.6s\"}", id_of(one));
    expect_error(w, "message.get", params, YR_RPC_AMBIGUOUS);
    snprintf(params, sizeof params, "{\"id\":\"%.3s\"}", id_of(one));
    expect_error(w, "message.get", params, YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.get", "{\"id\":\"zzzzzz\"}", YR_RPC_NO_SUCH_OBJECT);
    expect_error(w, "message.get", "{\"id\":\"!!!!!!\"}", YR_RPC_NO_SUCH_OBJECT);
}

static void a_whole_id_with_stray_bits_at_its_end_is_no_id(void **state)
{
    struct world *w = *state;
    char id[27], params[80];
    struct fake_message *msg = fake_message(w->node, 2, 2, 5000, "one");

    memcpy(id, id_of(msg), sizeof id);
    id[25] = (char)(id[25] == '0' ? '1' : id[25] + 1); // two of its five bits are not the id's
    snprintf(params, sizeof params, "{\"id\":\"%s\"}", id);
    expect_error(w, "message.get", params, YR_RPC_NO_SUCH_OBJECT);
}

static void edit_and_react_answer_with_the_message(void **state)
{
    struct world *w = *state;
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "helo");
    char params[128];

    snprintf(params, sizeof params, "{\"id\":\"%s\",\"text\":\"hello\"}", id_of(msg));
    begin(w, "message.edit", params);
    assert_int_equal(w->node->commands[0].cmd.kind, YR_CMD_EDIT);
    assert_memory_equal(w->node->commands[0].cmd.msg, msg->id, YR_MSG_ID_LEN);
    msg->text = "hello";
    done(w, YR_OK, fake_message(w->node, 2, 1, 5001, "the operation itself"));
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "text"), "hello");
    json_decref(answer);

    snprintf(params, sizeof params, "{\"id\":\"%s\",\"emoji\":\"+1\",\"remove\":true}", id_of(msg));
    begin(w, "message.react", params);
    assert_int_equal(w->node->commands[1].cmd.flags, YR_FLAG_REMOVE);
    done(w, YR_EDENIED, NULL);
    answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_DENIED);
    json_decref(answer);
}

static void delete_is_done_for_all_or_for_none(void **state)
{
    struct world *w = *state;
    struct fake_message *one = fake_message(w->node, 2, 1, 5000, "one");
    struct fake_message *two = fake_message(w->node, 2, 1, 6000, "two");
    char params[128], first[27];

    memcpy(first, id_of(one), sizeof first);
    snprintf(params, sizeof params, "{\"ids\":[\"%s\",\"zzzzzzzz\"]}", first);
    expect_error(w, "message.delete", params, YR_RPC_NO_SUCH_OBJECT);
    assert_int_equal(w->node->command_count, 0);
    snprintf(params, sizeof params, "{\"ids\":[\"%s\",\"%s\"]}", first, id_of(two));
    begin(w, "message.delete", params);
    assert_int_equal(w->node->command_count, 2);
    one->deleted = two->deleted = true;
    done(w, YR_OK, one);
    assert_int_equal(w->conn.in.len, 0);
    done(w, YR_OK, two);
    json_t *answer = next_of(&w->conn);
    const json_t *list = json_object_get(result_of(answer), "messages");
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_is_true(json_object_get(json_array_get(list, 1), "deleted")));
    assert_string_equal(str(json_array_get(list, 1), "text"), "");
    json_decref(answer);
}

static void reactions_are_grouped_by_emoji(void **state)
{
    struct world *w = *state;
    struct fake_message *msg = fake_message(w->node, 2, 1, 5000, "x");
    json_t *answer;
    char params[80];

    msg->reaction_count = 3;
    for (int i = 0; i < 3; i++) {
        fake_id(msg->reactions[i].author, i + 1);
        strcpy(msg->reactions[i].emoji, i == 1 ? "b" : "a");
    }
    snprintf(params, sizeof params, "{\"id\":\"%s\"}", id_of(msg));
    const json_t *list = json_object_get(call(w, &answer, "message.get", params), "reactions");
    assert_int_equal(json_array_size(list), 2);
    const json_t *from = json_object_get(json_array_get(list, 0), "from");
    assert_string_equal(json_string_value(json_array_get(from, 0)), "alice");
    assert_string_equal(json_string_value(json_array_get(from, 1)), "carol");
    json_decref(answer);
}

static void why_is_about_a_message_or_a_friend(void **state)
{
    struct world *w = *state;
    json_t *answer;
    const json_t *why = call(w, &answer, "message.why", "{\"friend\":\"bob\"}");
    assert_string_equal(str(why, "type"), "why");
    assert_string_equal(str(why, "state"), "offline");
    assert_string_equal(str(json_array_get(json_object_get(why, "steps"), 0), "code"), "no_answer");
    assert_non_null(json_object_get(why, "next"));
    json_decref(answer);
    expect_error(w, "message.why", "{}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "message.why", "{\"id\":\"zzzzzz\",\"friend\":\"bob\"}", YR_RPC_INVALID_PARAMS);
}

static void the_read_marker_moves_within_its_conversation(void **state)
{
    struct world *w = *state;
    char params[128];
    struct fake_message *msg = fake_message(w->node, 3, 3, 5000, "x");

    snprintf(params, sizeof params, "{\"target\":\"bob\",\"message\":\"%s\"}", id_of(msg));
    expect_error(w, "read.set", params, YR_RPC_NO_SUCH_OBJECT);
    snprintf(params, sizeof params, "{\"target\":\"carol\",\"message\":\"%s\"}", id_of(msg));
    begin(w, "read.set", params);
    done(w, YR_OK, NULL);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "type"), "unread");
    assert_int_equal(num(result_of(answer), "unread"), 0);
    json_decref(answer);
}

/* ---- friends ---- */

static void a_wrong_name_gets_a_suggestion(void **state)
{
    json_t *answer = ask(*state, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"friend.get\","
                                 "\"params\":{\"friend\":\"bbo\"}}");
    const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
    assert_int_equal(code_of(answer), YR_RPC_NO_SUCH_TARGET);
    assert_int_equal(num(data, "exit"), 67);
    assert_string_equal(json_string_value(json_array_get(json_object_get(data, "candidates"), 0)),
                        "bob");
    json_decref(answer);
}

static void a_petname_that_another_friend_has_is_refused(void **state)
{
    struct world *w = *state;
    expect_error(w, "friend.set", "{\"friend\":\"bob\",\"name\":\"carol\"}", YR_RPC_EXISTS);
    begin(w, "friend.set", "{\"friend\":\"bob\",\"name\":\"robert\",\"muted_s\":60}");
    assert_int_equal(w->node->command_count, 2);
    assert_string_equal(w->node->commands[0].text, "robert");
    assert_true(w->node->commands[1].cmd.expires_ms == w->now.wall_ms + 60000);
    strcpy(w->node->friends[0].petname, "robert");
    w->node->commands[1].ticket = w->node->commands[0].ticket;
    done(w, YR_OK, NULL);
    done(w, YR_OK, NULL);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "name"), "robert");
    json_decref(answer);
}

static void mute_for_ever_is_minus_one(void **state)
{
    struct world *w = *state;
    begin(w, "friend.set", "{\"friend\":\"bob\",\"muted_s\":-1}");
    assert_true(w->node->commands[0].cmd.expires_ms == INT64_MAX);
    begin(w, "friend.set", "{\"friend\":\"bob\",\"muted_s\":0}");
    assert_true(w->node->commands[1].cmd.expires_ms == 0);
    expect_error(w, "friend.set", "{\"friend\":\"bob\",\"muted_s\":-2}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "friend.set", "{\"friend\":\"bob\"}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "friend.set", "{\"friend\":\"bob\",\"name\":\"\\u001b\\u200b \"}",
                 YR_RPC_INVALID_PARAMS); // nothing of it could be shown
    expect_error(w, "identity.set", "{\"name\":\"\\u0007\"}", YR_RPC_INVALID_PARAMS);
}

static void what_is_no_link_is_a_bad_link(void **state)
{
    expect_error(*state, "friend.add", "{\"link\":\"yaari:i/nonsense\"}", YR_RPC_BAD_LINK);
    expect_error(*state, "friend.add", "{\"link\":\"https://example.org\"}", YR_RPC_BAD_LINK);
}

static void the_ninth_open_invite_is_refused(void **state)
{
    struct world *w = *state;
    w->node->refuse = YR_EFULL;
    expect_error(w, "invite.create", "{}", YR_RPC_TOO_LARGE);
    expect_error(w, "invite.create", "{\"expires_s\":0}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "invite.create", "{\"expires_s\":31622401}", YR_RPC_INVALID_PARAMS);
}

static void an_invite_is_answered_with_link_and_qr(void **state)
{
    struct world *w = *state;
    struct yr_event event = {.kind = YR_EV_DONE, .text = "k3v9k3v9"};
    struct yr_invite_info *info = &w->node->invites[w->node->invite_count++];

    strcpy(info->id, "k3v9k3v9");
    strcpy(info->link, "yaari:i/abc");
    strcpy(info->qr, "YAARI:I/ABC");
    info->expires_ms = w->now.wall_ms + 90000;
    begin(w, "invite.create", "{\"expires_s\":90,\"name\":\"bob\",\"hints\":false}");
    assert_int_equal(w->node->commands[0].cmd.flags, 0);
    assert_true(w->node->commands[0].cmd.expires_ms == w->now.wall_ms + 90000);
    event.ticket = w->node->commands[0].ticket;
    yr_rpc_event(w->rpc, &event);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "link"), "yaari:i/abc");
    assert_string_equal(str(result_of(answer), "qr"), "YAARI:I/ABC");
    assert_string_equal(str(result_of(answer), "state"), "open");
    assert_int_equal(num(result_of(answer), "uses_left"), 1);
    json_decref(answer);
    json_t *list = call(w, &answer, "invite.list", "{}");
    assert_string_equal(str(json_array_get(json_object_get(list, "invites"), 0), "qr"), "(absent)");
    json_decref(answer);
}

static void a_request_keeps_its_number(void **state)
{
    struct world *w = *state;
    json_t *answer;

    for (int i = 0; i < 2; i++) {
        struct yr_add_info *add = &w->node->adds[w->node->add_count++];
        snprintf(add->id, sizeof add->id, "aaaaaaa%d", i);
        fake_id(add->inviter, 40 + i);
        add->state = i == 0 ? YR_ADD_FAILED : YR_ADD_SEARCHING;
        add->why = YR_ESPENT;
        strcpy(add->petname, i == 0 ? "" : "eve");
    }
    const json_t *list = json_object_get(call(w, &answer, "request.list", "{}"), "requests");
    assert_int_equal(num(json_array_get(list, 0), "id"), 1);
    assert_string_equal(str(json_array_get(list, 0), "state"), "failed");
    assert_string_equal(str(json_array_get(list, 0), "reason"), "spent");
    assert_int_equal(num(json_array_get(list, 1), "id"), 2);
    assert_string_equal(str(json_object_get(json_array_get(list, 1), "from"), "name"), "eve");
    assert_string_equal(str(json_array_get(list, 1), "dir"), "out");
    json_decref(answer);
    begin(w, "request.reject", "{\"id\":2}");
    assert_string_equal(w->node->commands[0].text, "aaaaaaa1");
    done(w, YR_OK, NULL);
    json_decref(next_of(&w->conn));
    w->node->add_count = 1;
    expect_error(w, "request.reject", "{\"id\":2}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "request.reject", "{\"id\":99}", YR_RPC_NO_SUCH_TARGET);
}

/* ---- the node ---- */

static void ping_needs_a_link_and_may_run_out(void **state)
{
    struct world *w = *state;
    struct yr_event event = {.kind = YR_EV_DONE, .value_us = 1250};

    expect_error(w, "net.ping", "{\"friend\":\"bob\"}", YR_RPC_UNREACHABLE);
    w->node->friends[0].online = w->node->friends[0].lan = true;
    begin(w, "net.ping", "{\"friend\":\"bob\"}");
    event.ticket = w->node->commands[0].ticket;
    yr_rpc_event(w->rpc, &event);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "path"), "lan");
    assert_true(json_real_value(json_array_get(json_object_get(result_of(answer), "ms"), 0)) ==
                1.25);
    assert_int_equal(num(result_of(answer), "lost"), 0);
    json_decref(answer);

    begin(w, "net.ping", "{\"friend\":\"bob\",\"timeout_ms\":50}");
    w->now.mono_us += 50000;
    yr_rpc_tick(w->rpc);
    answer = next_of(&w->conn);
    assert_int_equal(num(result_of(answer), "lost"), 1);
    json_decref(answer);
    event.ticket = w->node->commands[1].ticket;
    yr_rpc_event(w->rpc, &event); // too late
    assert_int_equal(w->conn.lines, 3);
}

static void a_peer_is_added_by_the_process_and_listed(void **state)
{
    struct world *w = *state;
    json_t *answer;

    begin(w, "peer.add", "{\"addr\":\"node.example.org:7722\"}");
    assert_string_equal(w->peer, "node.example.org:7722");
    strcpy(w->node->peers[w->node->peer_count++].name, w->peer);
    yr_rpc_done(w->rpc, w->ticket, YR_OK);
    answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "role"), "bootstrap");
    json_decref(answer);
    begin(w, "peer.add", "{\"addr\":\"nowhere.invalid:1\"}");
    yr_rpc_done(w->rpc, w->ticket, YR_EAGAIN);
    answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_UNREACHABLE);
    json_decref(answer);
    w->refuse = YR_EINVAL;
    expect_error(w, "peer.add", "{\"addr\":\"xxx\"}", YR_RPC_INVALID_PARAMS);
    w->node->friends[0].online = true;
    const json_t *peers = json_object_get(call(w, &answer, "peer.list", "{}"), "peers");
    assert_int_equal(json_array_size(peers), 2);
    assert_string_equal(str(json_array_get(peers, 1), "role"), "friend");
    json_decref(answer);
}

static void the_configuration_is_read_and_written(void **state)
{
    struct world *w = *state;
    json_t *answer;

    assert_string_equal(str(call(w, &answer, "config.get", "{\"key\":\"net.lan\"}"), "value"),
                        "yes");
    json_decref(answer);
    const json_t *record = call(w, &answer, "config.set", "{\"key\":\"net.lan\",\"value\":\"no\"}");
    assert_string_equal(str(record, "value"), "no");
    json_decref(answer);
    record = call(w, &answer, "config.set", "{\"key\":\"net.lan\",\"value\":null}");
    assert_string_equal(str(record, "value"), "yes");
    json_decref(answer);
    expect_error(w, "config.set", "{\"key\":\"net.lan\",\"value\":\"maybe\"}", YR_RPC_CONFIG);
    expect_error(w, "config.get", "{\"key\":\"net.lam\"}", YR_RPC_CONFIG);
    const json_t *list = json_object_get(call(w, &answer, "config.list", "{}"), "configs");
    assert_int_equal(json_array_size(list), 2);
    json_decref(answer);
}

static void the_daemon_is_stopped_and_reloaded(void **state)
{
    struct world *w = *state;
    json_t *answer;

    call(w, &answer, "daemon.reload", "{}");
    json_decref(answer);
    call(w, &answer, "daemon.stop", "{}");
    json_decref(answer);
    assert_int_equal(w->stops, 1);
    assert_int_equal(w->reloads, 1);
}

static void completion_offers_what_begins_so(void **state)
{
    struct world *w = *state;
    json_t *answer;
    char params[80];

    const json_t *words = json_object_get(
        call(w, &answer, "complete", "{\"kind\":\"target\",\"prefix\":\"c\"}"), "words");
    assert_int_equal(json_array_size(words), 1);
    assert_string_equal(json_string_value(json_array_get(words, 0)), "carol");
    json_decref(answer);
    struct fake_message *msg = fake_message(w->node, 2, 2, 5000, "x");
    snprintf(params, sizeof params, "{\"kind\":\"message\",\"prefix\":\"%.3s\"}", id_of(msg));
    words = json_object_get(call(w, &answer, "complete", params), "words");
    assert_int_equal(json_array_size(words), 1);
    json_decref(answer);
    expect_error(w, "complete", "{\"kind\":\"file\",\"prefix\":\"\"}", YR_RPC_INVALID_PARAMS);
}

static void unsafe_code_points_leave_escaped(void **state)
{
    struct world *w = *state;
    fake_message(w->node, 2, 2, 5000, "a\x1b[31m\xe2\x80\xae");
    say(w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message.list\",\"params\":{}}");
    assert_null(strchr(yr_buf_str(&w->conn.in), 0x1b));
    assert_non_null(strcasestr(yr_buf_str(&w->conn.in), "\\u001b[31m\\u202e"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_not_json_is_a_parse_error),
        T(what_is_no_request_is_refused),
        T(a_line_that_is_too_long_is_refused),
        T(a_notification_is_neither_answered_nor_carried_out),
        T(an_answer_carries_the_id_of_its_request),
        T(an_unknown_method_is_named),
        T(parameters_are_checked_against_the_table),
        T(every_method_is_listed_and_described),
        T(without_identity_only_what_needs_none_works),
        T(hello_agrees_on_the_version),
        T(an_identity_is_made_once),
        T(a_wrong_passphrase_is_denied),
        T(a_text_is_answered_when_it_is_durable),
        T(a_refused_text_is_an_error_at_once),
        T(a_text_whose_commit_failed_is_an_error),
        T(send_waits_until_delivered),
        T(a_text_that_was_delivered_before_it_was_waited_for_is_answered),
        T(a_wait_that_runs_out_tells_the_id),
        T(a_client_that_leaves_while_it_waits_leaves_nothing),
        T(waiting_for_read_needs_read_receipts),
        T(read_is_never_shown_while_receipts_are_off),
        T(one_client_cannot_have_more_than_its_share_pending),
        T(heavy_requests_of_one_client_leave_room_for_others),
        T(a_client_that_leaves_takes_its_turns_along),
        T(lists_wait_while_their_reader_does_not_read),
        T(a_done_event_that_nobody_waits_for_is_ignored),
        T(a_message_is_found_by_a_prefix_that_is_unique),
        T(a_whole_id_with_stray_bits_at_its_end_is_no_id),
        T(edit_and_react_answer_with_the_message),
        T(delete_is_done_for_all_or_for_none),
        T(reactions_are_grouped_by_emoji),
        T(why_is_about_a_message_or_a_friend),
        T(the_read_marker_moves_within_its_conversation),
        T(a_wrong_name_gets_a_suggestion),
        T(a_petname_that_another_friend_has_is_refused),
        T(mute_for_ever_is_minus_one),
        T(what_is_no_link_is_a_bad_link),
        T(the_ninth_open_invite_is_refused),
        T(an_invite_is_answered_with_link_and_qr),
        T(a_request_keeps_its_number),
        T(ping_needs_a_link_and_may_run_out),
        T(a_peer_is_added_by_the_process_and_listed),
        T(the_configuration_is_read_and_written),
        T(the_daemon_is_stopped_and_reloaded),
        T(completion_offers_what_begins_so),
        T(unsafe_code_points_leave_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
