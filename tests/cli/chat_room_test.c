/* Rooms in the chat, with a node that answers as it is told. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/chat_int.h"

#define TODAY_S 1795362390 // 2026-11-22T15:46:30Z, when all messages here are said

// Stands before the C library's, so that a test is the clock.
static time_t late_s;
int clock_gettime(clockid_t clock, struct timespec *out)
{
    const int result = (int)syscall(SYS_clock_gettime, clock, out);

    if (clock == CLOCK_REALTIME)
        out->tv_sec = TODAY_S;
    out->tv_sec += late_s;
    return result;
}

#define ROOM   "garden00000000000000000000000000000000000000000000000"
#define BOB    "bob0000000000000000000000000000000000000000000000000"
#define ME     "me000000000000000000000000"
#define BOBMID "bobmember00000000000000000"
#define ZED    "zed00000000000000000000000"

/* ---- a node ---- */

static struct node {
    char dir[64], path[96];
    int listen_fd;
    pthread_t thread;
    json_t *answers; // by method
    char said[4096]; // what was asked of it: "method params\n"
} node;

static void serve_line(FILE *out, const char *line)
{
    json_t *request = json_loads(line, 0, NULL), *answer, *result;
    const char *method = json_string_value(json_object_get(request, "method"));
    char *params = json_dumps(json_object_get(request, "params"), JSON_COMPACT | JSON_SORT_KEYS);
    const size_t len = strlen(node.said);

    snprintf(node.said + len, sizeof node.said - len, "%s %s\n", method,
             params != NULL ? params : "");
    result = json_object_get(node.answers, method);
    answer = json_pack("{s:s, s:O}", "jsonrpc", "2.0", "id", json_object_get(request, "id"));
    if (result != NULL)
        json_object_set(answer, "result", result);
    else
        json_object_set_new(answer, "error",
                            json_pack("{s:i, s:s}", "code", -32006, "message", "not allowed"));
    json_dumpf(answer, out, JSON_COMPACT);
    fputc('\n', out);
    fflush(out);
    free(params);
    json_decref(answer);
    json_decref(request);
}

static void *serve(void *ctx)
{
    const int fd = accept(node.listen_fd, NULL, NULL);
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, in) > 0)
        serve_line(out, line);
    free(line);
    fclose(in);
    fclose(out);
    return ctx;
}

/** Was this asked since the last time? */
static bool asked(const char *words)
{
    const bool found = strstr(node.said, words) != NULL;

    if (!found)
        print_message("asked:\n%s", node.said);
    node.said[0] = '\0';
    return found;
}

static void answers(const char *method, json_t *result)
{
    assert_non_null(result);
    json_object_set_new(node.answers, method, result);
}

/* ---- records ---- */

static json_t *with(json_t *record, const char *key, json_t *value)
{
    json_object_set_new(record, key, value);
    return record;
}

static json_t *ref(const char *kind, const char *id, const char *name)
{
    return json_pack("{s:s,s:s,s:s}", "kind", kind, "id", id, "name", name);
}

static json_t *room(const char *state)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:b,s:b,s:i,s:o}", "type",
                     "room", "id", ROOM, "name", "garden", "topic", "tulips", "state", state,
                     "role", "admin", "self", ME, "members", 4, "online", 2, "unread", 0,
                     "mentions", 0, "muted", 0, "mentions_only", 0, "waiting", 0, "inviter",
                     ref("friend", BOB, "bob"));
}

static json_t *member(const char *id, const char *name, bool friend)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:b}", "type", "member", "room", ROOM, "id", id,
                     "name", name, "nick", name, "role", "member", "online", friend, "friend",
                     friend);
}

static json_t *members(void)
{
    json_t *list = json_array();

    json_array_append_new(list, with(member(ME, "alice", false), "self", json_true()));
    json_array_append_new(list, with(member(BOBMID, "bob", true), "friend_id", json_string(BOB)));
    json_array_append_new(list, with(member(ZED, "zed", false), "via", json_string("bob")));
    return json_pack("{s:o}", "members", list);
}

static json_t *message(const char *id, const char *author, const char *name, const char *text)
{
    json_t *from =
        with(ref("member", author, name), "friend", json_boolean(strcmp(author, BOBMID) == 0));
    json_t *record =
        json_pack("{s:s,s:o,s:o,s:b,s:s,s:s,s:s,s:s}", "id", id, "target",
                  ref("room", ROOM, "garden"), "from", from, "own", strcmp(author, ME) == 0, "kind",
                  "text", "text", text, "state", "delivered", "time", "2026-11-22T15:46:30.000Z");

    return strcmp(author, ME) == 0 ? record : with(record, "unread", json_true());
}

/** What the room itself says. */
static json_t *line(const char *id, const char *text)
{
    json_t *record = message(id, ZED, "zed", text);

    json_object_set_new(record, "from", ref("room", ROOM, "garden"));
    json_object_del(record, "unread");
    return with(record, "kind", json_string("system"));
}

/* ---- a chat ---- */

static struct yr_cli cli;
static struct yr_talk chat;

static int start(void **state)
{
    const struct yr_edit_opts edit = {.plain = true, .utf8 = true};
    struct yr_client_opts opts = {.name = "test", .timeout_ms = 5000};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct yr_client_error err = {0};

    late_s = 0;
    node = (struct node){.answers = json_object()};
    snprintf(node.dir, sizeof node.dir, "/tmp/yaari-chat-XXXXXX");
    assert_non_null(mkdtemp(node.dir));
    snprintf(node.path, sizeof node.path, "%s/sock", node.dir);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", node.path);
    node.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(node.listen_fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(node.listen_fd, 1), 0);
    answers("hello", json_pack("{s:i, s:s}", "api", 1, "state", "ok"));
    assert_int_equal(pthread_create(&node.thread, NULL, serve, NULL), 0);

    cli.out.time.format = "short";
    cli.out.time.utc = true;
    snprintf(cli.paths.profile, sizeof cli.paths.profile, "default");
    opts.socket = node.path;
    assert_int_equal(yr_client_open(&cli.client, &opts, &err), YR_OK);
    chat = (struct yr_talk){
        .cli = &cli, .plain = true, .running = true, .connected = true, .call_ms = 5000};
    chat.edit = yr_edit_new(&edit);
    chat.numbered = json_array();
    chat.self_name = yr_strdup("alice");
    answers("room.get", room("active"));
    answers("room.members", members());
    answers("message.list", json_pack("{s:[]}", "messages"));
    answers("read.set", json_object());
    return 0;
}

static int stop(void **state)
{
    yr_client_close(cli.client);
    cli.client = NULL;
    pthread_join(node.thread, NULL);
    close(node.listen_fd);
    unlink(node.path);
    rmdir(node.dir);
    json_decref(node.answers);
    yr_talk_convs_clear(&chat);
    yr_edit_free(chat.edit);
    yr_buf_clear(&chat.screen);
    json_decref(chat.numbered);
    free(chat.self_name);
    free(chat.unsure);
    free(chat.guarded);
    return 0;
}

static void event(const char *name, json_t *data)
{
    json_t *event = json_pack("{s:s, s:o}", "event", name, "data", data);

    assert_non_null(event);
    yr_talk_event(&chat, event);
    json_decref(event);
}

/** Was this said since the last time? */
static bool said(const char *words)
{
    const bool found = strstr(yr_buf_str(&chat.screen), words) != NULL;

    if (!found)
        print_message("said:\n%s", yr_buf_str(&chat.screen));
    yr_buf_cut(&chat.screen, 0);
    return found;
}

static void nothing_said(void)
{
    assert_string_equal(yr_buf_str(&chat.screen), "");
}

/** In the room, with nothing said. */
static struct yr_talk_conv *enter_room(void)
{
    struct yr_talk_conv *conv;

    event("room", room("active"));
    conv = yr_talk_conv_by_id(&chat, ROOM);
    assert_non_null(conv);
    if (chat.current != conv)
        yr_talk_conv_open(&chat, conv);
    yr_buf_cut(&chat.screen, 0);
    node.said[0] = '\0';
    return conv;
}

/** Somewhere else, the room being known. */
static struct yr_talk_conv *enter_other(void)
{
    json_t *bob = ref("friend", BOB, "bob");
    struct yr_talk_conv *conv = enter_room();

    yr_talk_conv_open(&chat, yr_talk_conv_of(&chat, bob));
    yr_buf_cut(&chat.screen, 0);
    json_decref(bob);
    return conv;
}

/* ---- what is shown ---- */

static void the_title_says_role_members_and_what_waits(void **state)
{
    struct yr_talk_conv *conv;

    answers("room.get", with(room("active"), "waiting", json_integer(3)));
    event("room", room("active"));
    assert_true(said("you are in #garden now"));
    conv = yr_talk_conv_by_id(&chat, ROOM);
    yr_talk_conv_open(&chat, conv);
    assert_true(
        said("alice@default -> #garden (admin, 2 of 4 members seen lately, waiting for 3 earlier "
             "messages)\n-- topic: tulips\n"));
    answers("room.get",
            with(with(room("keyless"), "muted", json_true()), "mentions_only", json_true()));
    yr_talk_conv_open(&chat, conv);
    assert_true(said("seen lately, without the key to what is said now, muted, only mentions "
                     "count)\n"));
}

static void authors_are_named_and_those_who_are_no_friends_marked(void **state)
{
    enter_room();
    event("message", message("1", BOBMID, "bob", "hi"));
    assert_true(said("15:46 bob: hi\n"));
    event("message", message("2", ZED, "zed", "hi\nthere"));
    assert_true(said("15:46 ~zed: hi\n      there\n"));
    event("message", message("3", ME, "alice", "hello"));
    assert_true(said("15:46 me: hello\n"));
    event("message.edit", with(message("2", ZED, "zed", "hey"), "edited", json_string("now")));
    assert_true(said("-- ~zed edited \"hi there\": hey\n"));
    event("reaction", with(message("1", BOBMID, "bob", "hi"), "reactions",
                           json_pack("[{s:s,s:[s,s],s:[s,s],s:[b,b]}]", "emoji", "+", "from", "zed",
                                     "alice", "ids", ZED, ME, "friends", 0, 1)));
    assert_true(said("-- ~zed reacted + \"hi\"\n-- me reacted + \"hi\"\n"));
    event("message.delete", with(message("2", ZED, "zed", ""), "deleted", json_true()));
    assert_true(said("-- ~zed deleted \"hey\"\n"));
}

static void what_the_room_says_stands_between_dashes_and_is_never_unread(void **state)
{
    struct yr_talk_conv *conv = enter_room();

    event("message", line("1", "alice added carol"));
    assert_string_equal(yr_buf_str(&chat.screen), "-- alice added carol --\n");
    conv = enter_other();
    event("message", line("2", "bob left"));
    nothing_said();
    assert_int_equal(conv->unread, 0);
    assert_false(chat.unread_due);
}

static void everything_others_chose_is_made_safe(void **state)
{
    json_t *record = room("active");

    json_object_set_new(record, "name", json_string("ga\x1b[2Jrden\n"));
    json_object_set_new(record, "topic", json_string("a\n15:46 bob: I owe you\x07"));
    answers("room.get", json_incref(record));
    event("room", record);
    yr_talk_conv_open(&chat, yr_talk_conv_by_id(&chat, ROOM));
    event("message", message("1", ZED,
                             "z\x1b]0;x\x07"
                             "ed\n",
                             "hi"));
    event("message", line("2", "~z\x1b[2J set the topic: a\n15:46 bob: yes"));
    for (const char *at = yr_buf_str(&chat.screen); *at != '\0'; at++)
        assert_true((uint8_t)*at >= ' ' || *at == '\n');
    assert_null(strstr(yr_buf_str(&chat.screen), "\n15:46 bob"));
    yr_buf_cut(&chat.screen, 0);
}

static void a_mention_stands_out(void **state)
{
    cli.out.color = true;
    strcpy(cli.out.paint[YR_ROLE_MENTION], "\033[1;33m");
    enter_room();
    event("message", with(message("1", BOBMID, "bob", "@alice hi"), "mention", json_true()));
    cli.out.color = false;
    assert_true(said("bob: \033[1;33m@alice hi\033[0m"));
    event("message", message("2", BOBMID, "bob", "hi"));
    assert_true(said("bob: hi"));
}

static void an_author_has_one_colour_everywhere(void **state)
{
    struct yr_out out = {.color = true, .paint = {[YR_ROLE_NICK] = "\033[36m"}};
    const char *bob = yr_talk_author_paint(&out, BOBMID);
    bool other = false;

    assert_string_equal(bob, yr_talk_author_paint(&out, BOBMID));
    for (char id[2] = "a"; id[0] <= 'z'; id[0]++)
        other = other || strcmp(bob, yr_talk_author_paint(&out, id)) != 0;
    assert_true(other);
    out.paint[YR_ROLE_NICK][0] = '\0';
    assert_string_equal(yr_talk_author_paint(&out, BOBMID), "");
}

/* ---- what is unread ---- */

static void mentions_are_counted_apart(void **state)
{
    struct yr_talk_conv *conv = enter_other();

    event("message", message("1", ZED, "zed", "one"));
    event("message", message("2", ZED, "zed", "two"));
    event("message", with(message("3", ZED, "zed", "@alice"), "mention", json_true()));
    assert_true(chat.unread_due);
    assert_int_equal(yr_talk_unread_line(&chat, false), -1);
    assert_true(said("-- #garden (3, 1 mention) --\n"));
    assert_ptr_equal(yr_talk_conv_next_unread(&chat), conv);
    event("read", json_pack("{s:o,s:i,s:i}", "target", ref("room", ROOM, "garden"), "unread", 0,
                            "mentions", 0));
    assert_null(yr_talk_conv_next_unread(&chat));
}

static void a_muted_room_is_not_told_of(void **state)
{
    struct yr_talk_conv *conv = enter_other();

    event("room", with(room("active"), "muted", json_true()));
    event("message", with(message("1", ZED, "zed", "@alice"), "mention", json_true()));
    assert_int_equal(conv->unread, 1);
    assert_false(chat.unread_due);
    (void)yr_talk_unread_line(&chat, true); // who asks is told
    assert_true(said("#garden (1, 1 mention)"));
}

static void where_only_mentions_count_the_rest_is_not_told_of(void **state)
{
    struct yr_talk_conv *conv = enter_other();

    event("room", with(room("active"), "mentions_only", json_true()));
    event("message", message("1", ZED, "zed", "one"));
    assert_false(chat.unread_due);
    assert_null(yr_talk_conv_next_unread(&chat));
    event("message", with(message("2", ZED, "zed", "@alice"), "mention", json_true()));
    assert_true(chat.unread_due);
    assert_ptr_equal(yr_talk_conv_next_unread(&chat), conv);
}

static void the_bell_rings_for_what_is_meant_for_me(void **state)
{
    char *yes[] = {(char[]){"yes"}};

    cli.config.values[YR_CFG_UI_BELL] = (struct yr_config_value){.items = yes, .count = 1};
    enter_other();
    chat.plain = false;
    event("message", message("1", ZED, "zed", "hi"));
    assert_int_equal(chat.bell_at, 0);
    event("message", with(message("2", ZED, "zed", "@alice"), "mention", json_true()));
    assert_true(chat.bell_at > 0);
    assert_true(said("\a"));
    event("message", with(message("3", ZED, "zed", "@alice"), "mention", json_true()));
    nothing_said(); // just now
    late_s = 4;
    event("message", with(message("4", ZED, "zed", "@alice"), "mention", json_true()));
    assert_true(said("\a"));
    late_s = 8;
    event("room", with(room("active"), "muted", json_true()));
    event("message", with(message("5", ZED, "zed", "@alice"), "mention", json_true()));
    nothing_said();
    chat.plain = true;
    memset(&cli.config, 0, sizeof cli.config);
}

static void what_was_deleted_unread_is_unread_no_longer(void **state)
{
    struct yr_talk_conv *conv = enter_other();

    event("message", with(message("1", ZED, "zed", "@alice"), "mention", json_true()));
    assert_int_equal(conv->unread, 1);
    yr_talk_conv_open(&chat, conv); // the node knows of nothing unread
    assert_int_equal(conv->unread, 0);
    assert_int_equal(conv->room->mentions, 0);
    yr_buf_cut(&chat.screen, 0);
}

static void when_many_came_and_went_all_that_is_unread_is_shown_still(void **state)
{
    json_t *list = json_array();
    struct yr_talk_conv *conv;

    for (int i = 0; i < 40; i++)
        json_array_append_new(list, line("l", "somebody left"));
    answers("message.list", json_pack("{s:o}", "messages", list));
    conv = enter_other();
    event("message", message("1", ZED, "zed", "hi"));
    node.said[0] = '\0';
    yr_talk_conv_open(&chat, conv);
    // once with the room's own lines, and once without
    assert_non_null(strstr(node.said, "message.list {\"all\":true,"));
    assert_true(asked("message.list {\"limit\":"));
    yr_buf_cut(&chat.screen, 0);
}

/* ---- coming and going ---- */

static void an_invitation_is_a_line_with_its_number(void **state)
{
    enter_other();
    answers("request.list", json_pack("{s:[{s:i,s:s,s:s,s:o,s:o}]}", "requests", "id", 3, "what",
                                      "room", "state", "waiting", "from", ref("friend", BOB, "bob"),
                                      "room", ref("room", "other", "yard")));
    event("room",
          with(with(room("invited"), "id", json_string("other")), "name", json_string("yard")));
    assert_true(said("invites you to #yard: /accept 3\n"));
    answers("request.accept",
            json_pack("{s:i,s:o}", "id", 3, "room", ref("room", "other", "yard")));
    answers("room.get",
            with(with(room("joining"), "id", json_string("other")), "name", json_string("yard")));
    yr_talk_entered(&chat, "/accept 3");
    assert_true(asked("request.accept {\"id\":3}"));
    assert_true(said("asked ~bob to let you into #yard\n"));
    assert_string_equal(chat.current->shown, "#yard");
    event("room",
          with(with(room("active"), "id", json_string("other")), "name", json_string("yard")));
    assert_true(said("-- you are in #yard now\n"));
}

static void being_removed_is_told_wherever_one_is(void **state)
{
    const struct yr_talk_conv *conv = enter_other();

    event("room", room("gone"));
    assert_true(said("you are no longer a member of #garden; what was said stays readable"));
    event("room", room("gone"));
    nothing_said();
    assert_false(conv->gone);
    enter_room();
    event("room", json_pack("{s:o,s:b}", "room", ref("room", ROOM, "garden"), "gone", 1));
    assert_true(said("#garden is left, and its history deleted"));
}

static void a_room_that_is_renamed_is_told_and_named_in_the_prompt(void **state)
{
    const struct yr_talk_conv *conv = enter_room();

    event("room", with(room("active"), "name", json_string("yard")));
    assert_true(said("-- #garden is called #yard now\n"));
    assert_string_equal(conv->shown, "#yard");
}

/* ---- commands ---- */

static void commands_of_rooms_ask_the_node(void **state)
{
    static const struct {
        const char *line, *asked;
    } rows[] = {
        {"/topic", "room.get {\"room\":\"" ROOM "\"}"},
        {"/topic more tulips", "room.topic {\"room\":\"" ROOM "\",\"topic\":\"more tulips\"}"},
        {"/topic \"\"", "room.topic {\"room\":\"" ROOM "\",\"topic\":\"\"}"},
        {"/kick ~zed", "room.kick {\"member\":\"~zed\",\"room\":\"" ROOM "\"}"},
        {"/kick \"john s\"", "room.kick {\"member\":\"john s\",\"room\":\"" ROOM "\"}"},
        {"/role \"john s\" mod",
         "room.role {\"member\":\"john s\",\"role\":\"mod\",\"room\":\"" ROOM "\"}"},
        {"/invite bob ~eve", "room.invite {\"friends\":[\"bob\",\"eve\"],\"room\":\"" ROOM "\"}"},
        {"/rename yard", "room.rename {\"name\":\"yard\",\"room\":\"" ROOM "\"}"},
        {"/rename \"the yard\"", "room.rename {\"name\":\"the yard\",\"room\":\"" ROOM "\"}"},
        {"/rename bob Robert", "friend.get {\"friend\":\"bob\"}"},
        {"/mute 2h", "room.mute {\"muted_s\":7200,\"room\":\"" ROOM "\"}"},
        {"/mute off", "room.mute {\"muted_s\":0,\"room\":\"" ROOM "\"}"},
        {"/leave", "room.leave {\"room\":\"" ROOM "\"}"},
        {"/new the yard", "room.new {\"name\":\"the yard\"}"},
        {"/join yard", "room.join {\"room\":\"yard\"}"},
        {"/to +yard", "read.get {\"target\":\"+yard\"}"},
        {"hello", "\"target\":\"" ROOM "\""},
    };

    enter_room();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yr_talk_entered(&chat, rows[i].line);
        if (!asked(rows[i].asked))
            fail_msg("%s", rows[i].line);
    }
    yr_buf_cut(&chat.screen, 0);
}

static void bad_commands_of_rooms_ask_nothing(void **state)
{
    static const char *const lines[] = {
        "/kick",      "/role bob",  "/role bob founder", "/role bob mod now", "/invite", "/new",
        "/leave now", "/mute soon", "/accept x",         "/reject -1",        "/verify", "/block"};

    enter_room();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        yr_talk_entered(&chat, lines[i]);
        if (!said("yaari: ") || node.said[0] != '\0')
            fail_msg("%s asked %s", lines[i], node.said);
    }
}

static void where_no_room_is_open_its_commands_say_so(void **state)
{
    static const char *const lines[] = {"/kick bob", "/role bob mod", "/leave", "/topic x",
                                        "/members"};

    enter_other();
    node.said[0] = '\0';
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        yr_talk_entered(&chat, lines[i]);
        if (!said("yaari: this is no room") || node.said[0] != '\0')
            fail_msg("%s", lines[i]);
    }
}

static void members_are_shown_with_the_way_to_them(void **state)
{
    enter_room();
    yr_talk_entered(&chat, "/members");
    assert_true(said("-- alice: member, offline, me\n-- bob: member, online\n-- ~zed: member, "
                     "offline, via bob\n"));
    yr_talk_entered(&chat, "/whois zed");
    assert_true(said("-- ~zed: member, offline, via bob, calls itself zed\n"));
    yr_talk_entered(&chat, "/whois " ZED);
    assert_true(said("-- ~zed: member, offline, via bob, calls"));
    yr_talk_entered(&chat, "/whois @zed"); // no friend
    assert_true(said("yaari: "));
}

static void a_friend_is_never_outdone_by_who_calls_himself_so(void **state)
{
    json_t *list = members();
    struct yr_talk_conv *conv;

    json_array_append_new(json_object_get(list, "members"),
                          member("evil0000000000000000000000", "bob", false));
    answers("room.members", list);
    conv = enter_room();
    assert_string_equal(yr_json_str(yr_talk_member_find(conv, "bob"), "id", ""), BOBMID);
    assert_string_equal(yr_json_str(yr_talk_member_find(conv, "~bob"), "id", ""),
                        "evil0000000000000000000000");
    assert_string_equal(yr_json_str(yr_talk_member_find(conv, "me"), "id", ""), ME);
    assert_string_equal(yr_json_str(yr_talk_member_find(conv, "EVIL000"), "name", ""), "bob");
    assert_null(yr_talk_member_find(conv, "nobody"));
}

static void members_come_and_go_in_memory(void **state)
{
    const struct yr_talk_conv *conv = enter_room();

    event("member", member("dave0000000000000000000000", "dave", false));
    assert_non_null(yr_talk_member_find(conv, "~dave"));
    event("member", json_pack("{s:o,s:o,s:b}", "room", ref("room", ROOM, "garden"), "member",
                              ref("member", ZED, "zed"), "gone", 1));
    assert_null(yr_talk_member_find(conv, "zed"));
    assert_int_equal(json_array_size(conv->room->people), 3);
}

/** What Tab offers, joined by '|'. */
static void assert_completes(const char *text, const char *want)
{
    struct yr_edit_words words = {.start = strlen(text)};
    struct yr_buf all = {0};

    yr_talk_complete(&chat, text, strlen(text), &words);
    for (size_t i = 0; i < words.count; i++) {
        yr_buf_addf(&all, "%s%s", i > 0 ? "|" : "", words.words[i]);
        free(words.words[i]);
    }
    free(words.words);
    assert_string_equal(yr_buf_str(&all), want);
    yr_buf_clear(&all);
}

static void tab_knows_rooms_members_and_friends(void **state)
{
    json_t *friend = json_pack("{s:s,s:s,s:s}", "id", "f2", "name", "rob", "petname", "rob");

    enter_room();
    json_decref(json_incref(friend));
    (void)yr_talk_conv_update(&chat, friend);
    json_decref(friend);
    assert_completes("/to gar", "#garden ");
    assert_completes("/to +g", "+garden ");
    assert_completes("/join #", "#garden ");
    assert_completes("@", "@bob: |@zed: ");
    event("message", message("1", ZED, "zed", "hi")); // who spoke last comes first
    assert_completes("@", "@zed: |@bob: ");
    assert_completes("hey @z", "@zed ");
    assert_completes("zed", "zed: ");
    assert_completes("/kick ", "~zed |bob ");
    assert_completes("/kick ~", "~zed ");
    assert_completes("/role bob m", "mod |member ");
    assert_completes("/invite r", "rob ");
    assert_completes("/help roo", "rooms ");
    yr_buf_cut(&chat.screen, 0);
}

/* ---- delivery ---- */

static void how_many_have_a_message_is_shown_when_asked(void **state)
{
    json_t *record = with(message("1", ME, "alice", "hi"), "per_member",
                          json_pack("{s:i,s:i,s:i}", "delivered", 3, "read", 1, "of", 4));

    enter_room();
    answers("message.get", record);
    yr_talk_entered(&chat, "/show 1111");
    assert_true(said("-- delivered to 3 of 4, read by 1\n"));
}

static json_t *sent(const char *id, int delivered)
{
    return with(with(message(id, ME, "alice", "hi"), "state", json_string("accepted")),
                "per_member",
                json_pack("{s:i,s:i,s:i}", "delivered", delivered, "read", 0, "of", 3));
}

static void friend_is(const char *state)
{
    event("presence", json_pack("{s:o,s:s}", "friend", ref("friend", BOB, "bob"), "state", state));
}

static void a_message_that_reaches_nobody_is_told_once(void **state)
{
    friend_is("online");
    enter_room();
    event("message", sent("1", 0));
    assert_true(said("me: hi"));
    assert_in_range(yr_talk_overdue(&chat), 29000, 30000);
    late_s = 31;
    answers("message.get", sent("1", 0));
    assert_int_equal(yr_talk_overdue(&chat), -1);
    assert_true(said("-- nobody in #garden has \"hi\" yet; /why says more\n"));
    event("message", sent("2", 0));
    yr_buf_cut(&chat.screen, 0);
    late_s = 62;
    (void)yr_talk_overdue(&chat);
    nothing_said(); // it was said
    event("message", sent("3", 0));
    yr_buf_cut(&chat.screen, 0);
    answers("message.get", sent("3", 1)); // it goes on
    late_s = 93;
    (void)yr_talk_overdue(&chat);
    nothing_said();
    event("message", sent("4", 0));
    yr_buf_cut(&chat.screen, 0);
    answers("message.get", sent("4", 0));
    late_s = 124;
    (void)yr_talk_overdue(&chat);
    assert_true(said("nobody in #garden has"));
}

static void where_no_friend_is_online_that_is_told_at_once(void **state)
{
    enter_room();
    friend_is("online");
    event("message", sent("1", 0));
    assert_false(said("not delivered"));
    friend_is("offline");
    event("message", sent("2", 0));
    assert_true(said("-- not delivered yet: no friend who is in #garden is online"));
    event("message", sent("3", 0));
    assert_false(said("not delivered"));
}

static void alone_in_a_room_nothing_is_missing(void **state)
{
    json_t *list = members();

    while (json_array_size(json_object_get(list, "members")) > 1)
        json_array_remove(json_object_get(list, "members"), 1);
    answers("room.members", list);
    enter_room();
    event("message", sent("1", 0));
    assert_string_equal(yr_buf_str(&chat.screen), "15:46 me: hi\n");
    assert_int_equal(yr_talk_overdue(&chat), -1);
    yr_buf_cut(&chat.screen, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_title_says_role_members_and_what_waits),
        TEST(authors_are_named_and_those_who_are_no_friends_marked),
        TEST(what_the_room_says_stands_between_dashes_and_is_never_unread),
        TEST(everything_others_chose_is_made_safe),
        TEST(a_mention_stands_out),
        TEST(an_author_has_one_colour_everywhere),
        TEST(mentions_are_counted_apart),
        TEST(a_muted_room_is_not_told_of),
        TEST(where_only_mentions_count_the_rest_is_not_told_of),
        TEST(the_bell_rings_for_what_is_meant_for_me),
        TEST(what_was_deleted_unread_is_unread_no_longer),
        TEST(when_many_came_and_went_all_that_is_unread_is_shown_still),
        TEST(an_invitation_is_a_line_with_its_number),
        TEST(being_removed_is_told_wherever_one_is),
        TEST(a_room_that_is_renamed_is_told_and_named_in_the_prompt),
        TEST(commands_of_rooms_ask_the_node),
        TEST(bad_commands_of_rooms_ask_nothing),
        TEST(where_no_room_is_open_its_commands_say_so),
        TEST(members_are_shown_with_the_way_to_them),
        TEST(a_friend_is_never_outdone_by_who_calls_himself_so),
        TEST(members_come_and_go_in_memory),
        TEST(tab_knows_rooms_members_and_friends),
        TEST(how_many_have_a_message_is_shown_when_asked),
        TEST(a_message_that_reaches_nobody_is_told_once),
        TEST(where_no_friend_is_online_that_is_told_at_once),
        TEST(alone_in_a_room_nothing_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
