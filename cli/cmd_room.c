/* cli/cmd_room.c: room and its subcommands. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/common/text_safe.h"

static void add_room_name(struct yr_buf *text, const json_t *room)
{
    yr_buf_addc(text, '#');
    yr_add_name(text, yr_json_str(room, "name", "?"));
}

/** "1 member", "4 members" */
static void add_count(struct yr_buf *text, const json_t *record, const char *key, const char *what)
{
    const long long count = (long long)yr_json_int(record, key, 0);

    yr_buf_addf(text, "%lld %s%s", count, what, count == 1 ? "" : "s");
}

/** What we are in it: the role; or what we are not, yet or any more. */
static const char *standing(const json_t *room)
{
    const char *state = yr_json_str(room, "state", "active");

    if (strcmp(state, "active") == 0)
        return yr_json_str(room, "role", "");
    return strcmp(state, "gone") == 0 ? "left" : state;
}

/* ---- list ---- */

static void room_row(struct yr_table *table, const json_t *room)
{
    struct yr_buf cell = {0};
    const bool unread = yr_json_int(room, "unread", 0) > 0 || yr_json_int(room, "mentions", 0) > 0;

    add_room_name(&cell, room);
    yr_table_add(table, YR_ROLE_NICK, yr_buf_str(&cell));
    yr_table_add(table, YR_ROLE_NONE, standing(room));
    yr_buf_cut(&cell, 0);
    add_count(&cell, room, "members", "member");
    yr_buf_addf(&cell, ", %lld online", (long long)yr_json_int(room, "online", 0));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    yr_add_unread(&cell, room);
    yr_table_add(table, unread ? YR_ROLE_UNREAD : YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    yr_add_flat(&cell, yr_json_str(room, "topic", ""));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_room_list(struct yr_cli *cli)
{
    static const char *const heads[] = {"NAME", "ROLE", "MEMBERS", "UNREAD", "TOPIC"};
    struct yr_table table = yr_table_init(5, heads);
    json_t *list, *room;
    enum yr_exit exit;
    size_t i;

    list = yr_cli_call(cli, "room.list",
                       json_pack("{s:b}", "all", (int)(YR_ARG(cli, room_list_all) != NULL)), &exit);
    json_array_foreach(json_object_get(list, "rooms"), i, room) if (yr_out_human(&cli->out))
        room_row(&table, room);
    else yr_out_record(&cli->out, room);
    yr_table_print(&cli->out, &table);
    if (list != NULL && i == 0)
        yr_out_next(&cli->out, "No rooms yet. Next: yaari room new NAME --members FRIEND,...");
    json_decref(list);
    return exit;
}

/* ---- new, invite ---- */

/** "bob,carol" as an array; empty names are left out. */
static json_t *split_names(const char *text)
{
    json_t *names = json_array();

    while (*text != '\0') {
        const size_t len = strcspn(text, ",");

        if (len > 0)
            json_array_append_new(names, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return names;
}

enum yr_exit yr_cmd_room_new(struct yr_cli *cli)
{
    const char *topic = YR_ARG(cli, room_new_topic), *members = YR_ARG(cli, room_new_members);
    json_t *params = json_pack("{s:s}", "name", yr_operand(cli, 0)), *room;
    struct yr_buf text = {0}, word = {0};
    int64_t days;
    enum yr_exit exit = yr_cli_number(cli, YR_F_room_new_history, 0, 30, &days);

    if (exit != YR_EXIT_OK) {
        json_decref(params);
        return exit;
    }
    if (topic != NULL)
        json_object_set_new(params, "topic", json_string(topic));
    if (members != NULL)
        json_object_set_new(params, "members", split_names(members));
    json_object_set_new(params, "history_days", json_integer(days));
    room = yr_cli_record(cli, "room.new", params, &exit);
    if (room == NULL)
        return exit;
    yr_buf_adds(&text, "room ");
    add_room_name(&text, room);
    yr_buf_adds(&text, " made");
    if (members != NULL)
        yr_buf_addf(&text, ", %zu invited", json_array_size(json_object_get(room, "invited")));
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_cut(&text, 0);
    yr_buf_addc(&text, '+');
    yr_add_name(&text, yr_json_str(room, "name", ""));
    yr_shell_word(&word, yr_buf_str(&text));
    if (members == NULL)
        yr_out_next(&cli->out, "Next: yaari room invite %s FRIEND", yr_buf_str(&word));
    else
        yr_out_next(&cli->out, "Next: yaari chat %s", yr_buf_str(&word));
    yr_buf_clear(&text);
    yr_buf_clear(&word);
    json_decref(room);
    return YR_EXIT_OK;
}

static void say_invited(struct yr_cli *cli, const json_t *room, const json_t *invited)
{
    struct yr_buf text = {0};
    const json_t *friend;
    size_t i;

    yr_buf_adds(&text, "invited to ");
    add_room_name(&text, room);
    json_array_foreach((json_t *)(uintptr_t)invited, i, friend)
    {
        yr_buf_adds(&text, i == 0 ? ": " : ", ");
        yr_add_ref(&text, friend);
    }
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
}

enum yr_exit yr_cmd_room_invite(struct yr_cli *cli)
{
    json_t *friends = json_array(), *invited, *room;
    enum yr_exit exit;

    for (int i = 1; i < cli->line.operand_count; i++)
        json_array_append_new(friends, json_string(yr_operand(cli, i)));
    invited =
        yr_cli_call(cli, "room.invite",
                    json_pack("{s:s, s:o}", "room", yr_operand(cli, 0), "friends", friends), &exit);
    if (invited == NULL)
        return exit;
    room = yr_cli_record(cli, "room.get", json_pack("{s:s}", "room", yr_operand(cli, 0)), &exit);
    if (room != NULL)
        say_invited(cli, room, json_object_get(invited, "invited"));
    json_decref(room);
    json_decref(invited);
    return exit;
}

/* ---- show ---- */

static void add_state(const struct yr_out *out, struct yr_buf *text, const json_t *room)
{
    const char *state = yr_json_str(room, "state", "");
    static const struct {
        const char *state, *text;
    } texts[] = {
        {"invited", "invited: yaari request list"},
        {"joining", "joining, whoever invited you has to let you in"},
        {"active", "member"},
        {"keyless", "member, without the key for what is said now; it was asked for"},
        {"gone", "left; the history stays readable"},
    };

    yr_buf_adds(text, "\nstate        ");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(state, texts[i].state) == 0)
            yr_buf_adds(text, texts[i].text);
    if (yr_json_bool(room, "muted", false))
        yr_buf_adds(text, ", muted");
    if (yr_json_str(room, "muted_until", NULL) != NULL) {
        yr_buf_adds(text, " until ");
        yr_add_time(out, text, yr_json_str(room, "muted_until", NULL));
    }
    if (yr_json_bool(room, "mentions_only", false))
        yr_buf_adds(text, ", only mentions count");
}

static void add_history(struct yr_buf *text, const json_t *room)
{
    const long long days = (long long)yr_json_int(room, "history_days", 0);

    yr_buf_adds(text, "\nhistory      who joins later reads ");
    if (days == 0)
        yr_buf_adds(text, "from then on");
    else if (days == 1)
        yr_buf_adds(text, "the last day too");
    else
        yr_buf_addf(text, "the last %lld days too", days);
}

static void show_room(struct yr_cli *cli, const json_t *room)
{
    const long long waiting = (long long)yr_json_int(room, "waiting", 0);
    struct yr_buf text = {0};

    yr_buf_adds(&text, "name         ");
    add_room_name(&text, room);
    if (yr_json_str(room, "topic", "")[0] != '\0') {
        yr_buf_adds(&text, "\ntopic        ");
        yr_add_flat(&text, yr_json_str(room, "topic", ""));
    }
    yr_buf_addf(&text, "\nid           %s", yr_json_str(room, "id", ""));
    add_state(&cli->out, &text, room);
    yr_buf_addf(&text, "\nown role     %s", yr_json_str(room, "role", ""));
    yr_buf_addf(&text, "\nmembers      %lld of ", (long long)yr_json_int(room, "online", 0));
    add_count(&text, room, "members", "member");
    yr_buf_adds(&text, " seen lately");
    add_history(&text, room);
    if (json_object_get(room, "inviter") != NULL) {
        yr_buf_adds(&text, "\ninvited by   ");
        yr_add_ref(&text, json_object_get(room, "inviter"));
    }
    yr_buf_adds(&text, "\nunread       ");
    yr_add_unread(&text, room);
    yr_buf_adds(&text, "\nsince        ");
    yr_add_time(&cli->out, &text, yr_json_str(room, "created", NULL));
    if (waiting > 0)
        yr_buf_addf(&text, "\nwaiting      %lld %s for earlier ones that are not here yet", waiting,
                    waiting == 1 ? "message waits" : "messages wait");
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
}

enum yr_exit yr_cmd_room_show(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *room =
        yr_cli_record(cli, "room.get", json_pack("{s:s}", "room", yr_operand(cli, 0)), &exit);

    if (room != NULL)
        show_room(cli, room);
    json_decref(room);
    return exit;
}

/* ---- members ---- */

static void add_note(struct yr_buf *cell, const json_t *member)
{
    if (yr_json_bool(member, "self", false)) {
        yr_buf_adds(cell, "me");
    } else if (yr_json_str(member, "via", NULL) != NULL) {
        yr_buf_adds(cell, "via ");
        yr_add_name(cell, yr_json_str(member, "via", NULL));
    } else if (!yr_json_bool(member, "friend", false)) {
        yr_buf_adds(cell, "not a friend");
    }
    if (yr_json_bool(member, "forked", false))
        yr_buf_addf(cell, "%shas signed two histories", cell->len > 0 ? ", " : "");
}

static void member_row(struct yr_table *table, const json_t *member)
{
    const bool self = yr_json_bool(member, "self", false);
    struct yr_buf cell = {0};

    if (!self && !yr_json_bool(member, "friend", false))
        yr_buf_addc(&cell, '~'); // the name is the member's own choice
    yr_add_name(&cell, yr_json_str(member, "name", "?"));
    yr_table_add(table, self ? YR_ROLE_SELF : YR_ROLE_NICK, yr_buf_str(&cell));
    yr_table_add(table, YR_ROLE_NONE, yr_json_str(member, "role", ""));
    yr_table_add(table, YR_ROLE_NONE, yr_json_bool(member, "online", false) ? "online" : "offline");
    yr_buf_cut(&cell, 0);
    if (yr_json_bool(member, "online", false))
        yr_buf_adds(&cell, "now");
    else
        yr_add_ago(&cell, yr_json_str(member, "last_seen", NULL));
    yr_table_add(table, YR_ROLE_TIME, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    yr_buf_addf(&cell, "%.8s", yr_json_str(member, "id", ""));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    add_note(&cell, member);
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_room_members(struct yr_cli *cli)
{
    static const char *const heads[] = {"NAME", "ROLE", "STATE", "LAST SEEN", "ID", ""};
    struct yr_table table = yr_table_init(6, heads);
    json_t *list, *member;
    enum yr_exit exit;
    size_t i;

    list = yr_cli_call(cli, "room.members", json_pack("{s:s}", "room", yr_operand(cli, 0)), &exit);
    json_array_foreach(json_object_get(list, "members"), i, member) if (yr_out_human(&cli->out))
        member_row(&table, member);
    else yr_out_record(&cli->out, member);
    yr_table_print(&cli->out, &table);
    json_decref(list);
    return exit;
}

/* ---- join, leave ---- */

enum yr_exit yr_cmd_room_join(struct yr_cli *cli)
{
    struct yr_buf text = {0};
    enum yr_exit exit;
    json_t *room =
        yr_cli_record(cli, "room.join", json_pack("{s:s}", "room", yr_operand(cli, 0)), &exit);

    if (room == NULL)
        return exit;
    if (strcmp(yr_json_str(room, "state", ""), "joining") == 0) {
        yr_buf_adds(&text, "asked ");
        yr_add_ref(&text, json_object_get(room, "inviter"));
        yr_buf_adds(&text, " to let you into ");
    } else {
        yr_buf_adds(&text, "you are in ");
    }
    add_room_name(&text, room);
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
    json_decref(room);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_room_leave(struct yr_cli *cli)
{
    const bool forget = YR_ARG(cli, room_leave_forget) != NULL;
    struct yr_buf question = {0};
    json_t *room, *done;
    enum yr_exit exit;

    room = yr_cli_call(cli, "room.get", json_pack("{s:s}", "room", yr_operand(cli, 0)), &exit);
    if (room == NULL)
        return exit;
    yr_buf_adds(&question, "Leave ");
    add_room_name(&question, room);
    yr_buf_adds(&question, " and delete the whole history?");
    if (forget)
        exit = yr_cli_confirm(cli, yr_buf_str(&question));
    yr_buf_clear(&question);
    if (exit == YR_EXIT_OK) { // the id: the name may have changed hands meanwhile
        done = yr_cli_call(
            cli, "room.leave",
            json_pack("{s:s, s:b}", "room", yr_json_str(room, "id", ""), "forget", (int)forget),
            &exit);
        json_decref(done);
    }
    json_decref(room);
    return exit;
}

/* ---- members' rights ---- */

enum yr_exit yr_cmd_room_kick(struct yr_cli *cli)
{
    enum yr_exit exit;

    json_decref(yr_cli_call(
        cli, "room.kick",
        json_pack("{s:s, s:s}", "room", yr_operand(cli, 0), "member", yr_operand(cli, 1)), &exit));
    return exit;
}

enum yr_exit yr_cmd_room_role(struct yr_cli *cli)
{
    const char *role = yr_operand(cli, 2);

    if (strcmp(role, "admin") != 0 && strcmp(role, "mod") != 0 && strcmp(role, "member") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "one of: admin, mod, member",
                           "room role: no role '%s' can be given", role);
    return yr_cli_do(cli, "room.role",
                     json_pack("{s:s, s:s, s:s}", "room", yr_operand(cli, 0), "member",
                               yr_operand(cli, 1), "role", role));
}

/* ---- settings ---- */

/** Without a text: what it is now. */
static enum yr_exit show_topic(struct yr_cli *cli)
{
    struct yr_buf text = {0};
    enum yr_exit exit;
    json_t *room =
        yr_cli_record(cli, "room.get", json_pack("{s:s}", "room", yr_operand(cli, 0)), &exit);

    if (room != NULL) {
        yr_add_flat(&text, yr_json_str(room, "topic", ""));
        yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    }
    yr_buf_clear(&text);
    json_decref(room);
    return exit;
}

enum yr_exit yr_cmd_room_topic(struct yr_cli *cli)
{
    struct yr_buf text = {0};
    enum yr_exit exit;

    if (cli->line.operand_count < 2)
        return show_topic(cli);
    for (int i = 1; i < cli->line.operand_count; i++)
        yr_buf_addf(&text, "%s%s", i == 1 ? "" : " ", yr_operand(cli, i));
    exit =
        yr_cli_do(cli, "room.topic",
                  json_pack("{s:s, s:s}", "room", yr_operand(cli, 0), "topic", yr_buf_str(&text)));
    yr_buf_clear(&text);
    return exit;
}

enum yr_exit yr_cmd_room_rename(struct yr_cli *cli)
{
    return yr_cli_do(
        cli, "room.rename",
        json_pack("{s:s, s:s}", "room", yr_operand(cli, 0), "name", yr_operand(cli, 1)));
}

enum yr_exit yr_cmd_room_mute(struct yr_cli *cli)
{
    int64_t muted_s;
    const enum yr_exit exit = yr_cli_mute(cli, yr_operand(cli, 1), &muted_s);

    if (exit != YR_EXIT_OK)
        return exit;
    return yr_cli_do(
        cli, "room.mute",
        json_pack("{s:s, s:I}", "room", yr_operand(cli, 0), "muted_s", (json_int_t)muted_s));
}

enum yr_exit yr_cmd_room_set(struct yr_cli *cli)
{
    return yr_cli_do(cli, "room.set",
                     json_pack("{s:s, s:s, s:s}", "room", yr_operand(cli, 0), "key",
                               yr_operand(cli, 1), "value", yr_operand(cli, 2)));
}
