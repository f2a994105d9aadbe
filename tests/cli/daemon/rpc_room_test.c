/* The control interface: rooms. */
#include "tests/cli/daemon/rpc_world.h"

/* bob and carol are friends; #garden (10) with ourselves, bob and zed, whom bob knows. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct yr_member_info *zed;

    world_open(w);
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "carol", "C.");
    fake_room(w->node, 10, "garden")->rank = YR_RANK_FOUNDER;
    fake_member(w->node, 10, 1, "alice", 1)->rank = YR_RANK_FOUNDER;
    fake_member(w->node, 10, 0x22, "bobby", 2)->online = true;
    zed = fake_member(w->node, 10, 0x44, "zed", 0);
    zed->reached = true;
    fake_id(zed->via, 2);
    zed->seen_ms = 5000;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static const struct yr_cmd *last(struct world *w)
{
    assert_true(w->node->command_count > 0);
    return &w->node->commands[w->node->command_count - 1].cmd;
}

static bool all_are(const uint8_t *bytes, size_t len, int fill)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != fill)
            return false;
    return true;
}

/* The answer to the request that waits for the last command. */
static json_t *finished(struct world *w, enum yr_err err, int conv)
{
    struct yr_event event = {.kind = YR_EV_DONE, .err = err};

    event.ticket = w->node->commands[w->node->command_count - 1].ticket;
    fake_id(event.conv, conv);
    yr_rpc_event(w->rpc, &event);
    return next_of(&w->conn);
}

/* A request carried out by one command. */
static json_t *carried(struct world *w, const char *method, const char *params,
                       enum yr_cmd_kind kind)
{
    begin(w, method, params);
    assert_int_equal(last(w)->kind, kind);
    json_t *answer = finished(w, YR_OK, 10);
    assert_non_null(answer);
    return answer;
}

/* ---- looking ---- */

static void a_room_is_told_with_what_we_are_in_it(void **state)
{
    struct world *w = *state;
    json_t *answer;

    w->node->rooms[0].hist_days = 7;
    w->node->rooms[0].online = 2;
    w->node->rooms[0].waiting = 3;
    w->node->rooms[0].muted_until_ms = INT64_MAX;
    strcpy(w->node->rooms[0].topic, "tulips\n\x1b[31m");
    struct fake_message *msg = fake_message(w->node, 10, 0x44, 1000, "hi @alice");
    msg->unread = msg->mention = true;
    const json_t *room = call(w, &answer, "room.get", "{\"room\":\"garden\"}");
    assert_string_equal(str(room, "type"), "room");
    assert_string_equal(str(room, "name"), "garden");
    assert_string_equal(str(room, "topic"), "tulips\n\x1b[31m");
    assert_string_equal(str(room, "state"), "active");
    assert_string_equal(str(room, "role"), "founder");
    assert_int_equal(num(room, "members"), 3);
    assert_int_equal(num(room, "online"), 2);
    assert_int_equal(num(room, "unread"), 1);
    assert_int_equal(num(room, "mentions"), 1);
    assert_int_equal(num(room, "history_days"), 7);
    assert_int_equal(num(room, "waiting"), 3);
    assert_true(json_is_true(json_object_get(room, "muted")));
    assert_null(json_object_get(room, "muted_until"));
    assert_int_equal(strlen(str(room, "self")), 26);
    assert_null(json_object_get(room, "inviter"));
    json_decref(answer);
    expect_error(w, "room.get", "{\"room\":\"bob\"}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "room.get", "{\"room\":\"@garden\"}", YR_RPC_NO_SUCH_TARGET);
}

static void a_list_leaves_out_invitations_and_rooms_left(void **state)
{
    struct world *w = *state;
    json_t *answer;

    fake_room(w->node, 11, "old")->state = YR_ROOM_GONE;
    fake_room(w->node, 12, "new")->state = YR_ROOM_INVITED;
    fake_room(w->node, 13, "soon")->state = YR_ROOM_JOINING;
    assert_int_equal(json_array_size(json_object_get(call(w, &answer, "room.list", "{}"), "rooms")),
                     2);
    json_decref(answer);
    assert_int_equal(
        json_array_size(json_object_get(call(w, &answer, "room.list", "{\"all\":true}"), "rooms")),
        4);
    json_decref(answer);
}

static void a_member_is_named_as_a_friend_or_by_its_nick(void **state)
{
    struct world *w = *state;
    json_t *answer;

    fake_member(w->node, 10, 0x55, "gone", 0)->rank = 0;
    const json_t *list =
        json_object_get(call(w, &answer, "room.members", "{\"room\":\"+garden\"}"), "members");
    assert_int_equal(json_array_size(list), 3);
    const json_t *me = json_array_get(list, 0), *bob = json_array_get(list, 1),
                 *zed = json_array_get(list, 2);
    assert_string_equal(str(me, "role"), "founder");
    assert_true(json_is_true(json_object_get(me, "self")));
    assert_string_equal(str(bob, "name"), "bob");
    assert_string_equal(str(bob, "nick"), "bobby");
    assert_true(json_is_true(json_object_get(bob, "friend")));
    assert_int_equal(strlen(str(bob, "friend_id")), 52);
    assert_null(json_object_get(bob, "via"));
    assert_string_equal(str(zed, "name"), "zed");
    assert_true(json_is_false(json_object_get(zed, "friend")));
    assert_string_equal(str(zed, "via"), "bob");
    assert_int_equal(strlen(str(zed, "id")), 26);
    assert_string_equal(str(zed, "last_seen"), "1970-01-01T00:00:05.000Z");
    json_decref(answer);
    list = json_object_get(call(w, &answer, "room.members", "{\"room\":\"garden\",\"all\":true}"),
                           "members");
    assert_int_equal(json_array_size(list), 4);
    assert_string_equal(str(json_array_get(list, 3), "role"), "none");
    json_decref(answer);
}

static void hostile_nicks_and_names_never_leave_as_names(void **state)
{
    struct world *w = *state;
    json_t *answer;

    strcpy(w->node->members[2].info.nick, "\x1b[31m~@zed\xe2\x80\xae\n");
    strcpy(w->node->rooms[0].name, "#\x1bgar\nden");
    w->node->rooms_version++;
    const json_t *list =
        json_object_get(call(w, &answer, "room.members", "{\"room\":\"gar den\"}"), "members");
    assert_string_equal(str(json_array_get(list, 2), "name"), "[31m-@zed");
    json_decref(answer);
    strcpy(w->node->members[2].info.nick, "\xe2\x80\xae");
    list = json_object_get(call(w, &answer, "room.members", "{\"room\":\"gar den\"}"), "members");
    assert_int_equal(strlen(str(json_array_get(list, 2), "name")), 8);
    json_decref(answer);
}

/* ---- making, inviting, joining ---- */

static void a_room_is_made_and_then_its_members_are_invited(void **state)
{
    struct world *w = *state;

    begin(w, "room.new",
          "{\"name\":\"roof\",\"topic\":\"t\",\"members\":[\"bob\",\"carol\"],\"history_days\":7}");
    assert_int_equal(w->node->command_count, 1);
    assert_int_equal(last(w)->kind, YR_CMD_ROOM_NEW);
    assert_int_equal(last(w)->number, 7);
    assert_string_equal(w->node->commands[0].text, "roof");
    assert_string_equal(w->node->commands[0].body, "t");
    fake_room(w->node, 20, "roof")->rank = YR_RANK_FOUNDER;
    assert_null(finished(w, YR_OK, 20));
    assert_int_equal(w->node->command_count, 3);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(w->node->commands[i].cmd.kind, YR_CMD_ROOM_INVITE);
        assert_true(all_are(w->node->commands[i].cmd.conv, YR_ID_LEN, 20));
        assert_true(all_are(w->node->commands[i].cmd.who, YR_ID_LEN, (int)i + 1));
    }
    assert_null(finished(w, YR_OK, 0));
    json_t *answer = finished(w, YR_OK, 0);
    const json_t *room = result_of(answer);
    assert_string_equal(str(room, "name"), "roof");
    assert_string_equal(str(room, "role"), "founder");
    assert_int_equal(json_array_size(json_object_get(room, "invited")), 2);
    json_decref(answer);
    assert_int_equal(w->conn.holds, 0);
}

static void a_room_without_members_is_answered_at_once(void **state)
{
    struct world *w = *state;

    begin(w, "room.new", "{\"name\":\"roof\"}");
    assert_int_equal(last(w)->number, 0);
    fake_room(w->node, 20, "roof");
    json_t *answer = finished(w, YR_OK, 20);
    assert_string_equal(str(result_of(answer), "name"), "roof");
    assert_int_equal(w->node->command_count, 1);
    json_decref(answer);
}

static void a_bad_room_makes_nothing(void **state)
{
    struct world *w = *state;

    expect_error(w, "room.new", "{\"name\":\"\"}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "room.new", "{\"name\":\"\\u202e\\u200b\"}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "room.new", "{\"name\":\"x\",\"members\":[\"zed\"]}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "room.new", "{\"name\":\"x\",\"members\":[\"garden\"]}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "room.new", "{\"name\":\"x\",\"history_days\":31}", YR_RPC_INVALID_PARAMS);
    assert_int_equal(w->node->command_count, 0);
    w->node->refuse = YR_EFULL;
    expect_error(w, "room.new", "{\"name\":\"x\"}", YR_RPC_TOO_LARGE);
    assert_int_equal(w->conn.holds, 0);
}

static void an_invitation_that_fails_tells_that_the_room_is_there(void **state)
{
    struct world *w = *state;

    begin(w, "room.new", "{\"name\":\"roof\",\"members\":[\"bob\"]}");
    fake_room(w->node, 20, "roof");
    assert_null(finished(w, YR_OK, 20));
    json_t *answer = finished(w, YR_EIO, 0);
    assert_int_equal(code_of(answer), YR_RPC_IO);
    assert_non_null(strstr(str(json_object_get(answer, "error"), "message"), "#roof is made"));
    json_decref(answer);
}

static void friends_are_invited_by_their_names(void **state)
{
    struct world *w = *state;

    begin(w, "room.invite", "{\"room\":\"garden\",\"friends\":[\"carol\",\"@bob\"]}");
    assert_int_equal(w->node->command_count, 2);
    assert_true(all_are(w->node->commands[0].cmd.who, YR_ID_LEN, 3));
    assert_null(finished(w, YR_OK, 0));
    json_t *answer = finished(w, YR_OK, 0);
    assert_string_equal(
        str(json_array_get(json_object_get(result_of(answer), "invited"), 0), "name"), "carol");
    json_decref(answer);
    begin(w, "room.invite", "{\"room\":\"garden\",\"friends\":[\"bob\"]}");
    answer = finished(w, YR_EEXIST, 0);
    assert_int_equal(code_of(answer), YR_RPC_EXISTS);
    json_decref(answer);
    expect_error(w, "room.invite", "{\"room\":\"garden\",\"friends\":[]}", YR_RPC_INVALID_PARAMS);
}

static void what_a_role_does_not_allow_is_denied(void **state)
{
    struct world *w = *state;

    w->node->rooms[0].rank = YR_RANK_MEMBER;
    w->node->refuse = YR_EDENIED;
    json_t *answer = ask(w, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"room.kick\","
                            "\"params\":{\"room\":\"garden\",\"member\":\"bob\"}}");
    assert_int_equal(code_of(answer), YR_RPC_DENIED);
    assert_string_equal(str(json_object_get(answer, "error"), "message"),
                        "not allowed to a member of #garden");
    json_decref(answer);
}

static void an_invitation_is_a_request(void **state)
{
    struct world *w = *state;
    struct yr_room_info *room = fake_room(w->node, 11, "roof\n\x1b");
    struct yr_add_info *add = &w->node->adds[w->node->add_count++];
    json_t *answer;

    room->state = YR_ROOM_INVITED;
    room->members = 4;
    fake_id(room->inviter, 2);
    snprintf(add->id, sizeof add->id, "abcdefgh");
    const json_t *list = json_object_get(call(w, &answer, "request.list", "{}"), "requests");
    assert_int_equal(json_array_size(list), 2);
    const json_t *request = json_array_get(list, 1);
    assert_int_equal(num(json_array_get(list, 0), "id"), 1);
    assert_int_equal(num(request, "id"), 2);
    assert_string_equal(str(request, "what"), "room");
    assert_string_equal(str(request, "dir"), "in");
    assert_string_equal(str(request, "state"), "waiting");
    assert_string_equal(str(request, "text"), "roof\n\x1b");
    assert_string_equal(str(json_object_get(request, "from"), "name"), "bob");
    assert_string_equal(str(json_object_get(request, "room"), "kind"), "room");
    assert_string_equal(str(json_object_get(request, "room"), "name"), "roof");
    json_decref(answer);

    begin(w, "request.accept", "{\"id\":2}");
    assert_int_equal(last(w)->kind, YR_CMD_ROOM_JOIN);
    assert_true(all_are(last(w)->conv, YR_ID_LEN, 11));
    w->node->rooms[1].state = YR_ROOM_JOINING;
    answer = finished(w, YR_OK, 0);
    assert_string_equal(str(result_of(answer), "type"), "request");
    assert_string_equal(str(result_of(answer), "state"), "accepted");
    json_decref(answer);
    request = call(w, &answer, "request.accept", "{\"id\":2}"); // again: nothing new
    assert_string_equal(str(request, "state"), "accepted");
    json_decref(answer);
    assert_int_equal(w->node->command_count, 1);

    w->node->rooms[1].state = YR_ROOM_ACTIVE;
    expect_error(w, "request.accept", "{\"id\":2}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "request.accept", "{\"id\":1}", YR_RPC_INVALID_PARAMS);
    expect_error(w, "request.accept", "{\"id\":3}", YR_RPC_NO_SUCH_TARGET);
    list = json_object_get(call(w, &answer, "request.list", "{}"), "requests");
    assert_int_equal(json_array_size(list), 1);
    json_decref(answer);
}

static void an_invitation_may_be_refused(void **state)
{
    struct world *w = *state;

    fake_room(w->node, 11, "roof")->state = YR_ROOM_INVITED;
    json_decref(ask(w, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"request.list\"}"));
    json_decref(carried(w, "request.reject", "{\"id\":1}", YR_CMD_ROOM_REJECT));
    json_decref(carried(w, "room.leave", "{\"room\":\"roof\"}", YR_CMD_ROOM_REJECT));
    assert_true(all_are(last(w)->conv, YR_ID_LEN, 11));
    expect_error(w, "request.reject", "{\"id\":2}", YR_RPC_NO_SUCH_TARGET);
}

static void joining_needs_an_invitation(void **state)
{
    struct world *w = *state;
    json_t *answer;

    fake_room(w->node, 11, "roof")->state = YR_ROOM_INVITED;
    begin(w, "room.join", "{\"room\":\"roof\"}");
    assert_int_equal(last(w)->kind, YR_CMD_ROOM_JOIN);
    w->node->rooms[1].state = YR_ROOM_JOINING;
    answer = finished(w, YR_OK, 0);
    assert_string_equal(str(result_of(answer), "state"), "joining");
    json_decref(answer);
    const json_t *room = call(w, &answer, "room.join", "{\"room\":\"garden\"}");
    assert_string_equal(str(room, "state"), "active");
    json_decref(answer);
    w->node->rooms[0].state = YR_ROOM_GONE;
    expect_error(w, "room.join", "{\"room\":\"garden\"}", YR_RPC_DENIED);
    expect_error(w, "room.join", "{\"room\":\"nowhere\"}", YR_RPC_NO_SUCH_TARGET);
    assert_int_equal(w->node->command_count, 1);
}

static void who_is_no_member_does_nothing_in_a_room(void **state)
{
    struct world *w = *state;
    const enum yr_room_state states[] = {YR_ROOM_INVITED, YR_ROOM_JOINING, YR_ROOM_GONE};
    const struct {
        const char *method, *params;
    } calls[] = {{"room.invite", "{\"room\":\"garden\",\"friends\":[\"bob\"]}"},
                 {"room.kick", "{\"room\":\"garden\",\"member\":\"bob\"}"},
                 {"room.role", "{\"room\":\"garden\",\"member\":\"bob\",\"role\":\"mod\"}"},
                 {"room.topic", "{\"room\":\"garden\",\"topic\":\"x\"}"},
                 {"room.rename", "{\"room\":\"garden\",\"name\":\"x\"}"},
                 {"message.send", "{\"target\":\"garden\",\"text\":\"x\"}"}};

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
            w->node->rooms[0].state = states[i];
            w->node->rooms_version++;
            expect_error(w, calls[k].method, calls[k].params, YR_RPC_DENIED);
        }
    assert_int_equal(w->node->command_count, 0);
}

static void leaving_may_forget(void **state)
{
    struct world *w = *state;

    json_decref(carried(w, "room.leave", "{\"room\":\"garden\"}", YR_CMD_ROOM_LEAVE));
    assert_int_equal(last(w)->flags, 0);
    w->node->rooms[0].state = YR_ROOM_GONE;
    expect_error(w, "room.leave", "{\"room\":\"garden\"}", YR_RPC_DENIED);
    json_decref(
        carried(w, "room.leave", "{\"room\":\"garden\",\"forget\":true}", YR_CMD_ROOM_LEAVE));
    assert_int_equal(last(w)->flags, YR_FLAG_FORGET);
}

/* ---- members ---- */

/* Whom a text means: the first byte of the mid; 0 nobody, -1 several. */
static int means(struct world *w, const char *text)
{
    const size_t before = w->node->command_count;
    char *line = NULL;
    int code;

    assert_true(asprintf(&line,
                         "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"room.kick\","
                         "\"params\":{\"room\":\"garden\",\"member\":\"%s\"}}",
                         text) > 0);
    json_t *answer = ask(w, line);
    free(line);
    if (w->node->command_count > before) {
        json_decref(answer);
        json_decref(finished(w, YR_OK, 0));
        assert_true(all_are(last(w)->who + YR_MID_LEN, YR_ID_LEN - YR_MID_LEN, 0));
        return last(w)->who[0];
    }
    code = code_of(answer);
    json_decref(answer);
    assert_true(code == YR_RPC_NO_SUCH_TARGET || code == YR_RPC_AMBIGUOUS);
    return code == YR_RPC_AMBIGUOUS ? -1 : 0;
}

static void a_member_is_meant_by_name_nick_or_id(void **state)
{
    struct world *w = *state;
    char id[53];

    assert_int_equal(means(w, "bob"), 0x22);
    assert_int_equal(means(w, "@bob"), 0x22);
    assert_int_equal(means(w, "bobby"), 0x22);
    assert_int_equal(means(w, "~bob"), 0);
    assert_int_equal(means(w, "zed"), 0x44);
    assert_int_equal(means(w, "~zed"), 0x44);
    assert_int_equal(means(w, "@zed"), 0);
    assert_int_equal(means(w, "me"), 1);
    assert_int_equal(means(w, "carol"), 0); // a friend, no member
    assert_int_equal(means(w, "nobody"), 0);
    yr_id_text(id, w->node->members[2].info.mid, YR_MID_LEN);
    assert_int_equal(means(w, id), 0x44);
    id[6] = '\0';
    assert_int_equal(means(w, id), 0x44);
    id[5] = '\0';
    assert_int_equal(means(w, id), 0);
    yr_id_text(id, w->node->friends[0].id, YR_ID_LEN);
    assert_int_equal(means(w, id), 0x22);
}

static void no_nick_outdoes_the_name_of_a_friend(void **state)
{
    struct world *w = *state;

    strcpy(w->node->members[2].info.nick, "bob");
    assert_int_equal(means(w, "bob"), 0x22);
    assert_int_equal(means(w, "~bob"), 0x44);
    fake_member(w->node, 10, 0x66, "bob", 0);
    assert_int_equal(means(w, "bob"), 0x22);
    assert_int_equal(means(w, "~bob"), -1);
    fake_member(w->node, 10, 0x77, "once", 0)->rank = 0;
    assert_int_equal(means(w, "once"), 0);
}

static void nicks_that_look_alike_are_told_apart_by_their_ids(void **state)
{
    struct world *w = *state;
    json_t *answer;
    char id[53], name[80];

    fake_member(w->node, 10, 0x66, "Zed", 0);
    fake_member(w->node, 10, 0x77, "bob", 0); // a friend's name: marked, but alone with it
    fake_message(w->node, 10, 0x66, 1000, "hi");
    const json_t *list =
        json_object_get(call(w, &answer, "room.members", "{\"room\":\"garden\"}"), "members");
    yr_id_text(id, w->node->members[2].info.mid, YR_MID_LEN);
    snprintf(name, sizeof name, "zed~%.6s", id);
    assert_string_equal(str(json_array_get(list, 2), "name"), name);
    assert_string_equal(str(json_array_get(list, 2), "nick"), "zed");
    assert_string_equal(str(json_array_get(list, 4), "name"), "bob");
    json_decref(answer);
    assert_int_equal(means(w, name), 0x44);
    memmove(name + 1, name, strlen(name) + 1);
    name[0] = '~';
    assert_int_equal(means(w, name), 0x44);
    assert_int_equal(means(w, "zed"), 0x44); // as written it is one
    list = json_object_get(call(w, &answer, "message.list", "{\"target\":\"garden\"}"), "messages");
    yr_id_text(id, w->node->members[3].info.mid, YR_MID_LEN);
    snprintf(name, sizeof name, "Zed~%.6s", id);
    assert_string_equal(str(json_object_get(json_array_get(list, 0), "from"), "name"), name);
    json_decref(answer);
}

static void a_role_is_one_of_three(void **state)
{
    struct world *w = *state;

    begin(w, "room.role", "{\"room\":\"garden\",\"member\":\"zed\",\"role\":\"mod\"}");
    assert_int_equal(last(w)->kind, YR_CMD_ROOM_ROLE);
    assert_int_equal(last(w)->number, YR_RANK_MOD);
    assert_int_equal(last(w)->who[0], 0x44);
    w->node->members[2].info.rank = YR_RANK_MOD;
    json_t *answer = finished(w, YR_OK, 0);
    assert_string_equal(str(result_of(answer), "type"), "member");
    assert_string_equal(str(result_of(answer), "role"), "mod");
    json_decref(answer);
    expect_error(w, "room.role", "{\"room\":\"garden\",\"member\":\"zed\",\"role\":\"founder\"}",
                 YR_RPC_INVALID_PARAMS);
    expect_error(w, "room.role", "{\"room\":\"garden\",\"member\":\"zed\",\"role\":\"none\"}",
                 YR_RPC_INVALID_PARAMS);
}

static void settings_are_passed_on(void **state)
{
    struct world *w = *state;

    json_decref(
        carried(w, "room.topic", "{\"room\":\"garden\",\"topic\":\"tulips\"}", YR_CMD_ROOM_TOPIC));
    assert_string_equal(w->node->commands[0].text, "tulips");
    json_decref(
        carried(w, "room.rename", "{\"room\":\"garden\",\"name\":\"Garten\"}", YR_CMD_ROOM_NAME));
    assert_string_equal(w->node->commands[1].text, "Garten");
    json_decref(carried(w, "room.mute", "{\"room\":\"garden\",\"muted_s\":60}", YR_CMD_ROOM_MUTE));
    assert_true(last(w)->expires_ms == w->now.wall_ms + 60000);
    json_decref(carried(w, "room.mute", "{\"room\":\"garden\",\"muted_s\":-1}", YR_CMD_ROOM_MUTE));
    assert_true(last(w)->expires_ms == INT64_MAX);
    json_decref(carried(w, "room.set",
                        "{\"room\":\"garden\",\"key\":\"mentions\",\"value\":\"yes\"}",
                        YR_CMD_ROOM_MENTIONS));
    assert_int_equal(last(w)->flags, 0);
    json_decref(carried(w, "room.set",
                        "{\"room\":\"garden\",\"key\":\"mentions\",\"value\":\"no\"}",
                        YR_CMD_ROOM_MENTIONS));
    assert_int_equal(last(w)->flags, YR_FLAG_REMOVE);
    expect_error(w, "room.set", "{\"room\":\"garden\",\"key\":\"mentions\",\"value\":\"maybe\"}",
                 YR_RPC_INVALID_PARAMS);
    expect_error(w, "room.set", "{\"room\":\"garden\",\"key\":\"colour\",\"value\":\"yes\"}",
                 YR_RPC_INVALID_PARAMS);
}

/* ---- what is said ---- */

static void a_text_says_who_wrote_it_and_who_has_it(void **state)
{
    struct world *w = *state;
    json_t *answer;

    struct fake_message *msg = fake_message(w->node, 10, 1, 1000, "hello");
    msg->of = 4;
    msg->delivered_to = 3;
    msg->read_by = 2;
    msg->reaction_count = 1;
    memset(msg->reactions[0].author, 0x44, YR_MID_LEN);
    strcpy(msg->reactions[0].emoji, "+");
    fake_message(w->node, 10, 0x44, 2000, "hi @alice")->mention = true;
    fake_message(w->node, 10, 0x22, 3000, "yo");
    msg = fake_message(w->node, 10, 0, 4000, "alice added zed");
    msg->kind = YR_MSG_SYSTEM;
    fake_message(w->node, 10, 0x99, 5000, "who am I");

    const json_t *list = json_object_get(
        call(w, &answer, "message.list", "{\"target\":\"garden\",\"all\":true}"), "messages");
    const json_t *own = json_array_get(list, 0), *zed = json_array_get(list, 1),
                 *from = json_object_get(own, "from");
    assert_int_equal(json_array_size(list), 5);
    assert_string_equal(str(json_object_get(own, "target"), "kind"), "room");
    assert_string_equal(str(json_object_get(own, "target"), "name"), "garden");
    assert_string_equal(str(from, "kind"), "member");
    assert_string_equal(str(from, "name"), "alice");
    assert_int_equal(strlen(str(from, "id")), 26);
    assert_int_equal(num(json_object_get(own, "per_member"), "of"), 4);
    assert_int_equal(num(json_object_get(own, "per_member"), "delivered"), 3);
    assert_int_equal(num(json_object_get(own, "per_member"), "read"), 0); // receipts are off
    const json_t *reaction = json_array_get(json_object_get(own, "reactions"), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(reaction, "from"), 0)),
                        "zed");
    assert_int_equal(json_string_length(json_array_get(json_object_get(reaction, "ids"), 0)), 26);
    assert_true(json_is_false(json_array_get(json_object_get(reaction, "friends"), 0)));
    assert_true(json_is_true(json_object_get(zed, "mention")));
    assert_null(json_object_get(zed, "per_member"));
    assert_true(json_is_false(json_object_get(json_object_get(zed, "from"), "friend")));
    assert_string_equal(str(json_object_get(json_array_get(list, 2), "from"), "name"), "bob");
    assert_true(
        json_is_true(json_object_get(json_object_get(json_array_get(list, 2), "from"), "friend")));
    assert_string_equal(str(json_object_get(json_array_get(list, 3), "from"), "kind"), "room");
    assert_string_equal(str(json_object_get(json_array_get(list, 4), "from"), "kind"), "member");
    json_decref(answer);
    yr_rpc_set_read_receipts(w->rpc, true);
    list = json_object_get(call(w, &answer, "message.list", "{\"target\":\"garden\"}"), "messages");
    assert_int_equal(json_array_size(list), 4);
    assert_int_equal(num(json_object_get(json_array_get(list, 0), "per_member"), "read"), 2);
    json_decref(answer);
}

static size_t listed(struct world *w, const char *params)
{
    json_t *answer;
    const size_t count =
        json_array_size(json_object_get(call(w, &answer, "message.list", params), "messages"));
    json_decref(answer);
    return count;
}

static void history_is_chosen_by_author_in_rooms_too(void **state)
{
    struct world *w = *state;

    fake_message(w->node, 2, 2, 1000, "direct of bob");
    fake_message(w->node, 10, 0x22, 2000, "bob in the room");
    fake_message(w->node, 10, 0x44, 3000, "zed in the room");
    fake_message(w->node, 10, 1, 4000, "mine");
    assert_int_equal(listed(w, "{}"), 4);
    assert_int_equal(listed(w, "{\"from\":\"bob\"}"), 2);
    assert_int_equal(listed(w, "{\"from\":\"me\"}"), 1);
    assert_int_equal(listed(w, "{\"target\":\"+garden\"}"), 3);
    assert_int_equal(listed(w, "{\"target\":\"+garden\",\"from\":\"bob\"}"), 1);
    assert_int_equal(listed(w, "{\"target\":\"+garden\",\"from\":\"~zed\"}"), 1);
    assert_int_equal(listed(w, "{\"target\":\"+garden\",\"from\":\"me\"}"), 1);
    expect_error(w, "message.list", "{\"from\":\"~zed\"}", YR_RPC_NO_SUCH_TARGET);
    expect_error(w, "message.list", "{\"target\":\"garden\",\"from\":\"carol\"}",
                 YR_RPC_NO_SUCH_TARGET);
}

static void a_wait_that_runs_out_says_how_many_lack_it(void **state)
{
    struct world *w = *state;

    begin(w, "message.send",
          "{\"target\":\"+garden\",\"text\":\"hi\",\"wait\":\"delivered\",\"timeout_ms\":20000}");
    assert_true(all_are(last(w)->conv, YR_ID_LEN, 10));
    struct fake_message *msg = fake_message(w->node, 10, 1, 1000, "hi");
    msg->of = 4;
    msg->delivered_to = 3;
    done(w, YR_OK, msg);
    w->now.mono_us += 20000000;
    yr_rpc_tick(w->rpc);
    json_t *answer = next_of(&w->conn);
    assert_int_equal(code_of(answer), YR_RPC_TIMEOUT);
    assert_string_equal(str(json_object_get(answer, "error"), "message"),
                        "not delivered to 1 of 4 members within 20 s; the message stays queued");
    json_decref(answer);
}

static void in_an_empty_room_there_is_nobody_to_wait_for(void **state)
{
    struct world *w = *state;

    begin(w, "message.send", "{\"target\":\"garden\",\"text\":\"hi\",\"wait\":\"delivered\"}");
    done(w, YR_OK, fake_message(w->node, 10, 1, 1000, "hi"));
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "state"), "accepted");
    json_decref(answer);
}

static void a_text_for_a_room_is_shorter(void **state)
{
    struct world *w = *state;
    char params[4300], text[4098];

    memset(text, 'x', 4097);
    text[4097] = '\0';
    snprintf(params, sizeof params, "{\"target\":\"garden\",\"text\":\"%s\"}", text);
    expect_error(w, "message.send", params, YR_RPC_TOO_LARGE);
    text[4096] = '\0';
    snprintf(params, sizeof params, "{\"target\":\"garden\",\"text\":\"%s\"}", text);
    begin(w, "message.send", params);
    json_decref(finished(w, YR_EIO, 0));
}

static void a_name_of_a_friend_and_a_room_is_ambiguous(void **state)
{
    struct world *w = *state;

    fake_room(w->node, 11, "bob");
    json_t *answer = ask(w, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"message.send\","
                            "\"params\":{\"target\":\"bob\",\"text\":\"x\"}}");
    assert_int_equal(code_of(answer), YR_RPC_AMBIGUOUS);
    const json_t *candidates =
        json_object_get(json_object_get(json_object_get(answer, "error"), "data"), "candidates");
    assert_int_equal(json_array_size(candidates), 2);
    assert_string_equal(json_string_value(json_array_get(candidates, 0)), "@bob");
    assert_string_equal(json_string_value(json_array_get(candidates, 1)), "+bob");
    json_decref(answer);
    answer = ask(w, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"message.send\","
                    "\"params\":{\"target\":\"gardn\",\"text\":\"x\"}}");
    assert_int_equal(code_of(answer), YR_RPC_NO_SUCH_TARGET);
    assert_string_equal(str(json_object_get(answer, "error"), "message"),
                        "no friend or room named 'gardn'");
    assert_non_null(strstr(str(json_object_get(json_object_get(answer, "error"), "data"), "hint"),
                           "'+garden'"));
    json_decref(answer);
}

/* ---- what is unread, what happens ---- */

static void unread_and_status_count_rooms(void **state)
{
    struct world *w = *state;
    json_t *answer;

    fake_room(w->node, 11, "roof")->state = YR_ROOM_INVITED;
    fake_room(w->node, 12, "old")->state = YR_ROOM_GONE;
    struct fake_message *msg = fake_message(w->node, 10, 0x44, 1000, "hi @alice");
    msg->unread = msg->mention = true;
    fake_message(w->node, 10, 0x44, 2000, "and all")->unread = true;
    const json_t *list = json_object_get(call(w, &answer, "read.get", "{}"), "unread");
    assert_int_equal(json_array_size(list), 1);
    const json_t *unread = json_array_get(list, 0);
    assert_string_equal(str(json_object_get(unread, "target"), "kind"), "room");
    assert_int_equal(num(unread, "unread"), 2);
    assert_int_equal(num(unread, "mentions"), 1);
    json_decref(answer);
    const json_t *status = call(w, &answer, "net.status", "{}");
    assert_int_equal(num(status, "rooms"), 1);
    assert_int_equal(num(status, "requests"), 1);
    assert_int_equal(num(status, "unread"), 2);
    assert_int_equal(num(status, "mentions"), 1);
    json_decref(answer);
    json_decref(carried(w, "read.set", "{\"target\":\"garden\"}", YR_CMD_READ));
}

static json_t *told(struct world *w, enum yr_event_kind kind, int room, int mid, bool gone)
{
    struct yr_event event = {.kind = kind, .gone = gone, .cursor = ++w->node->self.cursor};

    fake_id(event.conv, room);
    memset(event.who, mid, YR_MID_LEN);
    yr_rpc_event(w->rpc, &event);
    json_t *line = next_of(&w->conn);
    assert_non_null(line);
    json_t *data = json_incref(json_object_get(json_object_get(line, "params"), "data"));
    json_decref(line);
    return data;
}

static void rooms_and_members_are_told_as_events(void **state)
{
    struct world *w = *state;

    json_decref(
        ask(w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"api\":1}}"));
    json_decref(ask(w, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"events.subscribe\","
                       "\"params\":{\"targets\":[\"#garden\"],\"types\":[\"room\",\"member\"]}}"));
    json_t *data = told(w, YR_EV_ROOM, 10, 0, false);
    assert_string_equal(str(data, "type"), "room");
    json_decref(data);
    data = told(w, YR_EV_MEMBER, 10, 0x44, false);
    assert_string_equal(str(data, "type"), "member");
    assert_string_equal(str(data, "name"), "zed");
    json_decref(data);
    data = told(w, YR_EV_MEMBER, 10, 0x44, true);
    assert_true(json_is_true(json_object_get(data, "gone")));
    assert_string_equal(str(json_object_get(data, "room"), "name"), "garden");
    assert_string_equal(str(json_object_get(data, "member"), "name"), "zed");
    json_decref(data);
    w->node->room_count = 0;
    w->node->rooms_version++;
    data = told(w, YR_EV_ROOM, 10, 0, true);
    assert_true(json_is_true(json_object_get(data, "gone")));
    assert_string_equal(str(json_object_get(data, "room"), "kind"), "room");
    json_decref(data);
}

static void rooms_complete_as_words_that_mean_rooms(void **state)
{
    struct world *w = *state;
    const struct {
        const char *params;
        size_t count;
        const char *last;
    } asked[] = {{"{\"kind\":\"target\",\"prefix\":\"\"}", 3, "+garden"},
                 {"{\"kind\":\"target\",\"prefix\":\"+g\"}", 1, "+garden"},
                 {"{\"kind\":\"target\",\"prefix\":\"#g\"}", 1, "#garden"},
                 {"{\"kind\":\"room\",\"prefix\":\"\"}", 1, "+garden"},
                 {"{\"kind\":\"friend\",\"prefix\":\"\"}", 2, "carol"}};

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        json_t *answer;
        const json_t *words =
            json_object_get(call(w, &answer, "complete", asked[i].params), "words");
        assert_int_equal(json_array_size(words), asked[i].count);
        assert_string_equal(json_string_value(json_array_get(words, asked[i].count - 1)),
                            asked[i].last);
        json_decref(answer);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_room_is_told_with_what_we_are_in_it),
        T(a_list_leaves_out_invitations_and_rooms_left),
        T(a_member_is_named_as_a_friend_or_by_its_nick),
        T(hostile_nicks_and_names_never_leave_as_names),
        T(a_room_is_made_and_then_its_members_are_invited),
        T(a_room_without_members_is_answered_at_once),
        T(a_bad_room_makes_nothing),
        T(an_invitation_that_fails_tells_that_the_room_is_there),
        T(friends_are_invited_by_their_names),
        T(what_a_role_does_not_allow_is_denied),
        T(an_invitation_is_a_request),
        T(an_invitation_may_be_refused),
        T(joining_needs_an_invitation),
        T(who_is_no_member_does_nothing_in_a_room),
        T(leaving_may_forget),
        T(a_member_is_meant_by_name_nick_or_id),
        T(no_nick_outdoes_the_name_of_a_friend),
        T(nicks_that_look_alike_are_told_apart_by_their_ids),
        T(a_role_is_one_of_three),
        T(settings_are_passed_on),
        T(a_text_says_who_wrote_it_and_who_has_it),
        T(history_is_chosen_by_author_in_rooms_too),
        T(a_wait_that_runs_out_says_how_many_lack_it),
        T(in_an_empty_room_there_is_nobody_to_wait_for),
        T(a_text_for_a_room_is_shorter),
        T(a_name_of_a_friend_and_a_room_is_ambiguous),
        T(unread_and_status_count_rooms),
        T(rooms_and_members_are_told_as_events),
        T(rooms_complete_as_words_that_mean_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
