/* cli/cmd_message.c: inbox, read, show, edit, delete, react, why. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/message.h"

/* ---- inbox, read ---- */

static enum yr_exit mark_read(struct yr_cli *cli, const json_t *list)
{
    enum yr_exit exit = YR_EXIT_OK;
    const json_t *unread;
    size_t i;

    json_array_foreach(list, i, unread)
    {
        const char *id = yr_json_str(json_object_get(unread, "target"), "id", "");
        json_t *done = yr_cli_call(cli, "read.set", json_pack("{s:s}", "target", id), &exit);

        json_decref(done);
        if (exit != YR_EXIT_OK)
            break;
    }
    return exit;
}

void yr_show_inbox(struct yr_cli *cli, const json_t *list)
{
    struct yr_table table = yr_table_init(2, NULL);
    struct yr_buf cell = {0};
    const json_t *unread;
    size_t i;

    json_array_foreach(list, i, unread)
    {
        if (!yr_out_human(&cli->out)) {
            yr_out_record(&cli->out, unread);
            continue;
        }
        yr_buf_cut(&cell, 0);
        yr_add_ref(&cell, json_object_get(unread, "target"));
        yr_table_add(&table, YR_ROLE_NICK, yr_buf_str(&cell));
        yr_buf_cut(&cell, 0);
        yr_add_unread(&cell, unread);
        yr_table_add(&table, YR_ROLE_UNREAD, yr_buf_str(&cell));
    }
    yr_table_print(&cli->out, &table);
    yr_buf_clear(&cell);
}

void yr_add_unread(struct yr_buf *text, const json_t *record)
{
    const long long mentions = (long long)yr_json_int(record, "mentions", 0);

    yr_buf_addf(text, "%lld", (long long)yr_json_int(record, "unread", 0));
    if (mentions > 0)
        yr_buf_addf(text, " (%lld %s)", mentions, mentions == 1 ? "mention" : "mentions");
}

json_t *yr_fetch_inbox(struct yr_cli *cli, enum yr_exit *exit)
{
    json_t *answer = yr_cli_call(cli, "read.get", NULL, exit), *list, *unread;
    size_t i;

    if (answer == NULL)
        return NULL;
    list = json_array();
    json_array_foreach(json_object_get(answer, "unread"), i,
                       unread) if (yr_json_int(unread, "unread", 0) > 0 ||
                                   yr_json_int(unread, "mentions", 0) > 0)
        json_array_append(list, unread);
    json_decref(answer);
    return list;
}

enum yr_exit yr_cmd_inbox(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *list = yr_fetch_inbox(cli, &exit);

    if (list == NULL)
        return exit;
    if (YR_ARG(cli, inbox_check) != NULL)
        exit = json_array_size(list) > 0 ? YR_EXIT_OK : YR_EXIT_NOTHING;
    else
        yr_show_inbox(cli, list);
    if (YR_ARG(cli, inbox_check) == NULL && json_array_size(list) == 0)
        yr_out_next(&cli->out, "Nothing is unread.");
    if (YR_ARG(cli, inbox_mark_read) != NULL && json_array_size(list) > 0)
        exit = mark_read(cli, list);
    json_decref(list);
    return exit;
}

enum yr_exit yr_cmd_read(struct yr_cli *cli)
{
    json_t *params = json_pack("{s:s}", "target", yr_operand(cli, 0));

    if (yr_operand(cli, 1) != NULL)
        json_object_set_new(params, "message", json_string(yr_operand(cli, 1)));
    return yr_cli_do(cli, "read.set", params);
}

/* ---- show ---- */

/** "accepted 15:46:01, delivered 15:46:02" */
static void add_ladder(const struct yr_out *out, struct yr_buf *text, const json_t *steps)
{
    struct yr_time_style style = out->time;
    const json_t *step;
    yr_ms time_ms;
    size_t i;

    if (strcmp(style.format, "short") == 0)
        style.format = "+%H:%M:%S"; // the steps of one message are seconds apart
    json_array_foreach(steps, i, step)
    {
        yr_buf_adds(text, i == 0 ? "\n" : ", ");
        yr_add_flat(text, yr_json_str(step, "state", ""));
        yr_buf_addc(text, ' ');
        if (yr_rfc3339_read(yr_json_str(step, "time", ""), &time_ms))
            yr_time_add(text, time_ms, yr_wall_ms(), &style);
    }
}

/** "held by 2 friends until 2026-12-06 15:46", "given up unless delivered by 15:46" */
static void add_holders(struct yr_cli *cli, struct yr_buf *text, const json_t *message)
{
    const long long by = yr_json_int(message, "held_by", 0);
    const char *state = yr_json_str(message, "state", "");

    if (by > 0) {
        yr_buf_addf(text, "\nheld by %lld %s until ", by, by == 1 ? "friend" : "friends");
        yr_add_time(&cli->out, text, yr_json_str(message, "held_until", NULL));
    }
    if (json_object_get(message, "reason") != NULL) {
        yr_buf_adds(text, "\ngiven up: not delivered by ");
        yr_add_time(&cli->out, text, yr_json_str(message, "expires", NULL));
    } else if (json_object_get(message, "expires") != NULL &&
               (strcmp(state, "accepted") == 0 || strcmp(state, "held") == 0)) {
        yr_buf_adds(text, "\ngiven up unless delivered by ");
        yr_add_time(&cli->out, text, yr_json_str(message, "expires", NULL));
    }
}

/** "3 of 4 members have it, 2 have read it": an own message in a room. */
static void add_members(struct yr_buf *text, const json_t *message)
{
    const json_t *members = json_object_get(message, "per_member");
    const long long read = (long long)yr_json_int(members, "read", 0);

    if (members == NULL)
        return;
    yr_buf_addf(text, "\n%lld of %lld members have it",
                (long long)yr_json_int(members, "delivered", 0),
                (long long)yr_json_int(members, "of", 0));
    if (read > 0)
        yr_buf_addf(text, ", %lld %s read it", read, read == 1 ? "has" : "have");
}

enum yr_exit yr_cmd_show(struct yr_cli *cli)
{
    const bool raw = YR_ARG(cli, show_raw) != NULL;
    struct yr_message_style style = {.targets = true};
    struct yr_buf text = {0};
    json_t *message;
    enum yr_exit exit;

    if (raw && cli->out.tty)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--raw: not to a terminal, which would obey what others wrote");
    message =
        yr_cli_record(cli, "message.get", json_pack("{s:s}", "id", yr_operand(cli, 0)), &exit);
    if (message == NULL || cli->out.json) {
        json_decref(message);
        return exit;
    }
    if (raw) {
        const json_t *body = json_object_get(message, "text");

        yr_out_write(&cli->out, json_string_value(body), json_string_length(body));
        yr_out_write(&cli->out, "\n", 1);
    } else {
        yr_message_day_add(&cli->out, &text, message);
        yr_message_add(&cli->out, &text, message, &style);
        yr_buf_addf(&text, "id  %s", yr_json_str(message, "id", ""));
        add_ladder(&cli->out, &text, json_object_get(message, "steps"));
        add_holders(cli, &text, message);
        add_members(&text, message);
        yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    }
    yr_buf_clear(&text);
    json_decref(message);
    return exit;
}

/* ---- edit, delete, react ---- */

enum yr_exit yr_cmd_edit(struct yr_cli *cli)
{
    char *text = NULL;
    enum yr_exit exit = yr_cli_text(cli, 1, &text);

    if (exit == YR_EXIT_OK)
        exit = yr_cli_do(cli, "message.edit",
                         json_pack("{s:s, s:s}", "id", yr_operand(cli, 0), "text", text));
    free(text);
    return exit;
}

enum yr_exit yr_cmd_delete(struct yr_cli *cli)
{
    json_t *ids = json_array(), *answer, *message;
    enum yr_exit exit;
    size_t i;

    for (int k = 0; k < cli->line.operand_count; k++)
        json_array_append_new(ids, json_string(yr_operand(cli, k)));
    answer = yr_cli_call(
        cli, "message.delete",
        json_pack("{s:o, s:b}", "ids", ids, "local", (int)(YR_ARG(cli, delete_local) != NULL)),
        &exit);
    json_array_foreach(json_object_get(answer, "messages"), i, message)
        yr_out_json(&cli->out, message);
    json_decref(answer);
    return exit;
}

enum yr_exit yr_cmd_react(struct yr_cli *cli)
{
    return yr_cli_do(cli, "message.react",
                     json_pack("{s:s, s:s, s:b}", "id", yr_operand(cli, 0), "emoji",
                               yr_operand(cli, 1), "remove",
                               (int)(YR_ARG(cli, react_remove) != NULL)));
}

/* ---- why ---- */

/** "to bob: accepted, not yet delivered", "bob: offline": the record itself has ids only. */
static void add_subject(struct yr_cli *cli, struct yr_buf *text, const json_t *why)
{
    const char *subject = yr_json_str(why, "subject", ""), *state = yr_json_str(why, "state", "");
    const bool message = strlen(subject) == 26;
    struct yr_client_error err = {0};
    json_t *record = message ? yr_client_call(cli->client, "message.get",
                                              json_pack("{s:s}", "id", subject), &err)
                             : yr_client_call(cli->client, "friend.get",
                                              json_pack("{s:s}", "friend", subject), &err);
    const json_t *named = message ? json_object_get(record, "target") : record;
    const bool own = yr_json_bool(record, "own", true);

    if (message)
        yr_buf_adds(text, own ? "to " : "from ");
    if (message && !own && strcmp(yr_json_str(named, "kind", ""), "room") == 0) {
        yr_add_ref(text, json_object_get(record, "from"));
        yr_buf_adds(text, " in ");
    }
    if (named == NULL)
        yr_add_flat(text, subject);
    else
        yr_add_ref(text, named);
    yr_buf_addf(text, ": %s", state);
    if (message && (strcmp(state, "accepted") == 0 || strcmp(state, "held") == 0))
        yr_buf_adds(text, ", not yet delivered");
    json_decref(record);
    yr_client_error_clear(&err);
}

static void show_why(struct yr_cli *cli, const json_t *why)
{
    struct yr_buf text = {0};
    const json_t *step;
    yr_ms next_ms;
    size_t i;

    add_subject(cli, &text, why);
    json_array_foreach(json_object_get(why, "steps"), i, step)
    {
        yr_buf_adds(&text, "\n  ");
        if (json_object_get(step, "time") != NULL)
            yr_add_time(&cli->out, &text, yr_json_str(step, "time", NULL));
        else
            yr_buf_adds(&text, "     "); // always so
        yr_buf_adds(&text, "  ");
        yr_add_flat(&text, yr_json_str(step, "text", ""));
    }
    if (yr_rfc3339_read(yr_json_str(why, "next", ""), &next_ms)) {
        const yr_ms left = next_ms - yr_wall_ms();

        yr_buf_adds(&text, left < 1000 ? "\n  next direct try now" : "\n  next direct try in ");
        if (left >= 1000)
            yr_span_add(&text, left);
        yr_buf_adds(&text, left < 1000 ? ", or when " : ", or at once when ");
        yr_add_ref(&text, json_object_get(why, "target"));
        yr_buf_adds(&text, " appears");
    }
    json_array_foreach(json_object_get(why, "hints"), i, step)
    {
        yr_buf_adds(&text, "\nhint: ");
        yr_add_flat(&text, json_string_value(step));
    }
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
}

/** The last own message that is not there yet; owned, NULL: there is none, or *exit says why. */
static char *last_waiting(struct yr_cli *cli, enum yr_exit *exit)
{
    json_t *answer =
        yr_cli_call(cli, "message.list", json_pack("{s:s, s:i}", "from", "me", "limit", 200), exit);
    const json_t *list = json_object_get(answer, "messages");
    char *id = NULL;

    for (size_t i = json_array_size(list); i-- > 0 && id == NULL;) {
        const json_t *message = json_array_get(list, i);
        const char *state = yr_json_str(message, "state", "");
        const json_t *members = json_object_get(message, "per_member");
        const char *kind = yr_json_str(json_object_get(message, "target"), "kind", "");

        if (members != NULL && yr_json_int(members, "of", 0) == 0)
            continue; // nobody else was there
        if (strcmp(kind, "self") != 0 &&
            (strcmp(state, "accepted") == 0 || strcmp(state, "held") == 0 ||
             strcmp(state, "failed") == 0))
            id = yr_strdup(yr_json_str(message, "id", ""));
    }
    json_decref(answer);
    return id;
}

static json_t *ask_why(struct yr_cli *cli, const char *key, const char *value,
                       struct yr_client_error *err)
{
    return yr_client_call(cli->client, "message.why", json_pack("{s:s}", key, value), err);
}

/** A friend if there is one of that name, else a message. */
static json_t *why_of(struct yr_cli *cli, const char *what, enum yr_exit *exit)
{
    struct yr_client_error as_friend = {0}, as_message = {0};
    json_t *why = ask_why(cli, "friend", what, &as_friend);

    if (why == NULL && as_friend.code == YR_RPC_NO_SUCH_TARGET && strlen(what) >= 4 &&
        what[0] != '@') {
        why = ask_why(cli, "id", what, &as_message);
        if (why == NULL && as_message.code != YR_RPC_NO_SUCH_OBJECT)
            *exit = yr_cli_error(cli, &as_message);
        else if (why == NULL)
            *exit = yr_cli_fail(cli, YR_EXIT_NOINPUT, "no_such_object", "yaari log --ids",
                                "no message or friend '%s'", what);
    } else if (why == NULL) {
        *exit = yr_cli_error(cli, &as_friend);
    }
    yr_client_error_clear(&as_friend);
    yr_client_error_clear(&as_message);
    return why;
}

enum yr_exit yr_cmd_why(struct yr_cli *cli)
{
    const char *what = yr_operand(cli, 0);
    struct yr_client_error err = {0};
    char *waiting = NULL;
    json_t *why = NULL;
    enum yr_exit exit = yr_cli_connect(cli);

    if (exit != YR_EXIT_OK)
        return exit;
    if (what != NULL) {
        why = why_of(cli, what, &exit);
    } else {
        waiting = last_waiting(cli, &exit);
        if (waiting != NULL)
            why = ask_why(cli, "id", waiting, &err);
        if (waiting != NULL && why == NULL)
            exit = yr_cli_error(cli, &err);
        else if (waiting == NULL && exit == YR_EXIT_OK)
            yr_out_say(&cli->out, "every message of yours is delivered");
    }
    if (why != NULL) {
        yr_out_json(&cli->out, why);
        if (!cli->out.json)
            show_why(cli, why);
    }
    json_decref(why);
    free(waiting);
    return exit;
}
