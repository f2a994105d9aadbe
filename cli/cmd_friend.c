/* cli/cmd_friend.c: friend and its subcommands. */
#include <string.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/common/text_safe.h"

/** Someone who is not verified and not renamed by me is shown with a tilde: the name is theirs. */
static void add_friend_name(struct yr_buf *cell, const json_t *friend)
{
    if (json_object_get(friend, "petname") == NULL &&
        strcmp(yr_json_str(friend, "trust", ""), "verified") != 0)
        yr_buf_addc(cell, '~');
    yr_add_name(cell, yr_json_str(friend, "name", "?"));
}

static void add_last_seen(const json_t *friend, struct yr_buf *cell)
{
    if (yr_friend_linked(friend))
        yr_buf_adds(cell, "now");
    else
        yr_add_ago(cell, yr_json_str(friend, "last_seen", NULL));
}

static void friend_row(struct yr_table *table, const json_t *friend)
{
    struct yr_buf cell = {0};
    const char *state = yr_json_str(friend, "state", "");

    add_friend_name(&cell, friend);
    yr_table_add(table, YR_ROLE_NICK, yr_buf_str(&cell));
    yr_table_add(table, YR_ROLE_NONE, yr_json_bool(friend, "blocked", false) ? "blocked" : state);
    yr_table_add(table, YR_ROLE_NONE, yr_json_str(friend, "trust", ""));
    yr_buf_cut(&cell, 0);
    add_last_seen(friend, &cell);
    yr_table_add(table, YR_ROLE_TIME, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    yr_add_path(&cell, friend);
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_friend_list(struct yr_cli *cli)
{
    static const char *const heads[] = {"NAME", "STATE", "TRUST", "LAST SEEN", "PATH"};
    struct yr_table table = yr_table_init(5, heads);
    json_t *params = json_object(), *list, *friend;
    enum yr_exit exit;
    size_t i;

    if (YR_ARG(cli, friend_list_online) != NULL)
        json_object_set_new(params, "online", json_true());
    if (YR_ARG(cli, friend_list_blocked) != NULL)
        json_object_set_new(params, "blocked", json_true());
    list = yr_cli_call(cli, "friend.list", params, &exit);
    json_array_foreach(json_object_get(list, "friends"), i, friend) if (yr_out_human(&cli->out))
        friend_row(&table, friend);
    else yr_out_record(&cli->out, friend);
    yr_table_print(&cli->out, &table);
    if (list != NULL && i == 0)
        yr_out_next(&cli->out, "No friends yet. Next: yaari invite");
    json_decref(list);
    return exit;
}

/** What may differ for one friend: yes, no, or as configured. */
static const char *const settings[] = {"relay", "mail", "presence", "typing", "receipts", "anon"};

static void add_away(struct yr_cli *cli, struct yr_buf *text, const json_t *friend)
{
    const char *why = yr_json_str(friend, "away_text", NULL);
    const char *since = yr_json_str(friend, "away_since", NULL);

    if (since == NULL && why == NULL)
        return;
    yr_buf_adds(text, "\naway         ");
    if (since != NULL) {
        yr_buf_adds(text, "since ");
        yr_add_time(&cli->out, text, since);
    }
    if (why != NULL) {
        yr_buf_adds(text, since != NULL ? ": " : "");
        yr_add_flat(text, why);
    }
}

enum yr_exit yr_cmd_friend_show(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *friend =
        yr_cli_record(cli, "friend.get", json_pack("{s:s}", "friend", yr_operand(cli, 0)), &exit);
    struct yr_buf text = {0};

    if (friend == NULL)
        return exit;
    yr_buf_adds(&text, "name         ");
    yr_add_name(&text, yr_json_str(friend, "name", ""));
    yr_buf_adds(&text, "\ncalls itself ");
    yr_add_name(&text, yr_json_str(friend, "nick", ""));
    if (json_object_get(friend, "status") != NULL) {
        yr_buf_adds(&text, "\nstatus       ");
        yr_add_flat(&text, yr_json_str(friend, "status", ""));
    }
    yr_buf_addf(&text, "\nid           %s\ntrust        %s\nstate        %s",
                yr_json_str(friend, "id", ""), yr_json_str(friend, "trust", ""),
                yr_json_str(friend, "state", ""));
    if (json_object_get(friend, "path") != NULL) {
        yr_buf_adds(&text, ", ");
        yr_add_path(&text, friend);
    }
    if (yr_json_bool(friend, "blocked", false))
        yr_buf_adds(&text, ", blocked");
    if (yr_json_bool(friend, "muted", false))
        yr_buf_adds(&text, ", muted");
    add_away(cli, &text, friend);
    yr_buf_adds(&text, "\nlast seen    ");
    add_last_seen(friend, &text);
    if (json_object_get(friend, "last_active") != NULL) {
        yr_buf_adds(&text, "\nlast active  ");
        yr_add_ago(&text, yr_json_str(friend, "last_active", NULL));
    }
    yr_buf_addf(&text, "\nunread       %lld", (long long)yr_json_int(friend, "unread", 0));
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        yr_buf_addf(&text, "\n%-12s %s", settings[i], yr_json_str(friend, settings[i], "default"));
    yr_buf_adds(&text, "\nfriends since ");
    yr_add_time(&cli->out, &text, yr_json_str(friend, "created", NULL));
    yr_buf_adds(&text, "\nfingerprint\n");
    yr_add_fingerprint(&text, yr_json_str(friend, "fingerprint", ""));
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
    json_decref(friend);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_friend_rename(struct yr_cli *cli)
{
    return yr_cli_do(
        cli, "friend.set",
        json_pack("{s:s, s:s}", "friend", yr_operand(cli, 0), "name", yr_operand(cli, 1)));
}

static enum yr_exit compare(struct yr_cli *cli, const json_t *friend)
{
    struct yr_buf text = {0}, own = {0};
    json_t *me;
    enum yr_exit exit;

    me = yr_cli_call(cli, "identity.get", NULL, &exit);
    if (me == NULL)
        return exit;
    yr_buf_adds(&text, "Compare with ");
    yr_add_name(&text, yr_json_str(friend, "name", "?"));
    yr_buf_adds(&text, " over a call or in person (on the other screen: yaari friend verify ");
    yr_add_name(&own, yr_json_str(me, "name", "?"));
    yr_shell_word(&text, yr_buf_str(&own));
    yr_buf_clear(&own);
    yr_buf_adds(&text, "):\n");
    yr_add_fingerprint(&text, yr_json_str(friend, "fingerprint", ""));
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    fflush(stdout);
    yr_buf_clear(&text);
    json_decref(me);
    return yr_cli_confirm(cli, "Same on both screens?");
}

enum yr_exit yr_cmd_friend_verify(struct yr_cli *cli)
{
    const char *who = yr_operand(cli, 0);
    json_t *friend;
    enum yr_exit exit;

    if (YR_ARG(cli, friend_verify_clear) != NULL)
        return yr_cli_do(cli, "friend.verify", json_pack("{s:s, s:b}", "friend", who, "clear", 1));
    friend = yr_cli_call(cli, "friend.get", json_pack("{s:s}", "friend", who), &exit);
    if (friend == NULL)
        return exit;
    exit = compare(cli, friend);
    if (exit == YR_EXIT_OK) // the id: the name may have changed hands meanwhile
        exit = yr_cli_do(cli, "friend.verify",
                         json_pack("{s:s}", "friend", yr_json_str(friend, "id", "")));
    json_decref(friend);
    return exit;
}

static enum yr_exit block(struct yr_cli *cli, bool blocked)
{
    return yr_cli_do(
        cli, "friend.block",
        json_pack("{s:s, s:b}", "friend", yr_operand(cli, 0), "blocked", (int)blocked));
}

enum yr_exit yr_cmd_friend_block(struct yr_cli *cli)
{
    return block(cli, true);
}

enum yr_exit yr_cmd_friend_unblock(struct yr_cli *cli)
{
    return block(cli, false);
}

enum yr_exit yr_cmd_friend_mute(struct yr_cli *cli)
{
    int64_t muted_s;
    const enum yr_exit exit = yr_cli_mute(cli, yr_operand(cli, 1), &muted_s);

    if (exit != YR_EXIT_OK)
        return exit;
    return yr_cli_do(
        cli, "friend.set",
        json_pack("{s:s, s:I}", "friend", yr_operand(cli, 0), "muted_s", (json_int_t)muted_s));
}

enum yr_exit yr_cmd_friend_set(struct yr_cli *cli)
{
    const char *key = yr_operand(cli, 1), *value = yr_operand(cli, 2);
    bool known = false;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        known = known || strcmp(key, settings[i]) == 0;
    if (!known)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari friend set --help",
                           "friend set: no setting '%s'", key);
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0 && strcmp(value, "default") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari friend set --help",
                           "friend set %s: '%s' is none of yes, no, default", key, value);
    return yr_cli_do(cli, "friend.set",
                     json_pack("{s:s, s:s}", "friend", yr_operand(cli, 0), key, value));
}

enum yr_exit yr_cmd_friend_remove(struct yr_cli *cli)
{
    const bool forget = YR_ARG(cli, friend_remove_forget) != NULL;
    struct yr_buf question = {0};
    json_t *friend, *done;
    enum yr_exit exit;

    friend =
        yr_cli_call(cli, "friend.get", json_pack("{s:s}", "friend", yr_operand(cli, 0)), &exit);
    if (friend == NULL)
        return exit;
    yr_buf_adds(&question, "Remove ");
    yr_add_name(&question, yr_json_str(friend, "name", "?"));
    yr_buf_adds(&question, forget ? " and the whole history?" : "? The history stays.");
    exit = yr_cli_confirm(cli, yr_buf_str(&question));
    yr_buf_clear(&question);
    if (exit == YR_EXIT_OK) {
        done = yr_cli_call(
            cli, "friend.remove",
            json_pack("{s:s, s:b}", "friend", yr_json_str(friend, "id", ""), "forget", (int)forget),
            &exit);
        json_decref(done);
    }
    json_decref(friend);
    return exit;
}
