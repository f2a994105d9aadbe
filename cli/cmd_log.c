/* cli/cmd_log.c: log. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/message.h"

#define PAGE 1000 /* messages asked for at once; the node gives fewer if they are long */

/** Put a time the user wrote into params as the node reads it. */
static enum yr_exit put_time(struct yr_cli *cli, json_t *params, const char *key,
                             enum yr_flag_id flag)
{
    const char *text = cli->line.flag[flag];
    yr_ms time_ms;

    if (text == NULL)
        return YR_EXIT_OK;
    if (!yr_time_read(text, yr_wall_ms(), &time_ms))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage",
                           "times: 2026-11-21, 15:30, -2h, yesterday, or RFC 3339",
                           "--%s: '%s' is not a time", yr_flags[flag].name, text);
    yr_json_put_time(params, key, time_ms);
    return YR_EXIT_OK;
}

static void put(json_t *params, const char *key, const char *value)
{
    if (value != NULL)
        json_object_set_new(params, key, json_string(value));
}

static enum yr_exit make_params(struct yr_cli *cli, json_t *params)
{
    enum yr_exit exit;

    put(params, "target", yr_operand(cli, 0));
    put(params, "before", YR_ARG(cli, log_before));
    put(params, "after", YR_ARG(cli, log_after));
    put(params, "from", YR_ARG(cli, log_from));
    if (YR_ARG(cli, log_unread) != NULL)
        json_object_set_new(params, "unread", json_true());
    if (YR_ARG(cli, log_all) != NULL)
        json_object_set_new(params, "all", json_true());
    exit = put_time(cli, params, "since", YR_F_log_since);
    return exit != YR_EXIT_OK ? exit : put_time(cli, params, "until", YR_F_log_until);
}

/** One page, and where the next one starts.  *more: there is a next one.  NULL: reported. */
static json_t *fetch_page(struct yr_cli *cli, json_t *params, int64_t limit, const char *bound,
                          bool *more, enum yr_exit *exit)
{
    json_t *ask = json_copy(params), *answer, *page;
    const char *resume;

    json_object_set_new(ask, "limit", json_integer(limit < PAGE ? limit : PAGE));
    answer = yr_cli_call(cli, "message.list", ask, exit);
    page = json_incref(json_object_get(answer, "messages"));
    resume = yr_json_str(answer, "resume", NULL);
    *more = yr_json_bool(answer, "more", false) && resume != NULL;
    if (*more)
        put(params, bound, resume);
    json_decref(answer);
    return page;
}

json_t *yr_fetch_messages(struct yr_cli *cli, json_t *params, int64_t last, enum yr_exit *exit)
{
    json_t *pages = json_array(), *all = json_array();
    int64_t left = last == 0 ? INT64_MAX : last;
    bool more = true;

    while (more && left > 0) {
        json_t *page = fetch_page(cli, params, left, "before", &more, exit);

        left -= (int64_t)json_array_size(page);
        if (page != NULL)
            json_array_append_new(pages, page);
    }
    for (size_t i = json_array_size(pages); i-- > 0;)
        json_array_extend(all, json_array_get(pages, i));
    json_decref(pages);
    return all;
}

/** Where the unread ones begin in this conversation; owned, NULL: nowhere. */
static char *first_unread(struct yr_cli *cli, int64_t *count)
{
    const char *target = yr_operand(cli, 0);
    struct yr_client_error err = {0};
    json_t *answer, *unread;
    char *first = NULL;

    *count = 0;
    if (target == NULL)
        return NULL;
    answer = yr_client_call(cli->client, "read.get", json_pack("{s:s}", "target", target), &err);
    unread = json_array_get(json_object_get(answer, "unread"), 0);
    *count = yr_json_int(unread, "unread", 0);
    if (*count > 0 && yr_json_str(unread, "first", NULL) != NULL)
        first = yr_strdup(yr_json_str(unread, "first", NULL));
    json_decref(answer);
    yr_client_error_clear(&err);
    return first;
}

/** Messages of a room that are here but not shown, as earlier ones are missing: a gap at the end.
 */
static void add_gap(struct yr_cli *cli, const json_t *messages)
{
    const json_t *target =
        json_object_get(json_array_get(messages, json_array_size(messages) - 1), "target");
    struct yr_client_error err = {0};
    long long waiting;
    struct yr_buf line = {0};
    json_t *room;
    char text[96];

    if (yr_operand(cli, 0) == NULL || strcmp(yr_json_str(target, "kind", ""), "room") != 0)
        return;
    room = yr_client_call(cli->client, "room.get",
                          json_pack("{s:s}", "room", yr_json_str(target, "id", "")), &err);
    waiting = (long long)yr_json_int(room, "waiting", 0);
    if (waiting > 0) {
        snprintf(text, sizeof text, "%lld more %s for earlier ones that are not here yet", waiting,
                 waiting == 1 ? "waits" : "wait");
        yr_rule_add(&cli->out, &line, YR_ROLE_SYSTEM, text);
        yr_out_write(&cli->out, yr_buf_str(&line), line.len);
    }
    yr_buf_clear(&line);
    json_decref(room);
    yr_client_error_clear(&err);
}

static void print_for_people(struct yr_cli *cli, const json_t *messages)
{
    struct yr_message_style style = {.ids = YR_ARG(cli, log_ids) != NULL,
                                     .targets = yr_operand(cli, 0) == NULL};
    struct yr_buf lines = {0};
    int64_t day = -1, unread = 0;
    char *first = first_unread(cli, &unread);
    const bool reverse = YR_ARG(cli, log_reverse) != NULL;
    const size_t count = json_array_size(messages);

    for (size_t i = 0; i < count; i++) {
        const size_t width = yr_message_name_width(&cli->out, json_array_get(messages, i), &style);

        if (width > style.name_width && width <= 16)
            style.name_width = width;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *message = json_array_get(messages, reverse ? count - 1 - i : i);
        char text[64];

        if (yr_message_day(&cli->out, message) != day) {
            day = yr_message_day(&cli->out, message);
            yr_message_day_add(&cli->out, &lines, message);
        }
        if (first != NULL && !reverse && strcmp(yr_json_str(message, "id", ""), first) == 0) {
            snprintf(text, sizeof text, "%lld unread", (long long)unread);
            yr_rule_add(&cli->out, &lines, YR_ROLE_UNREAD, text);
        }
        yr_message_add(&cli->out, &lines, message, &style);
        yr_out_write(&cli->out, yr_buf_str(&lines), lines.len);
        yr_buf_cut(&lines, 0);
    }
    if (!reverse && count > 0)
        add_gap(cli, messages);
    yr_buf_clear(&lines);
    free(first);
}

static void print_records(struct yr_cli *cli, const json_t *messages)
{
    const bool raw = YR_ARG(cli, log_raw) != NULL, reverse = YR_ARG(cli, log_reverse) != NULL;
    const size_t count = json_array_size(messages);

    for (size_t i = 0; i < count; i++) {
        const json_t *message = json_array_get(messages, reverse ? count - 1 - i : i);

        if (raw)
            yr_out_record_raw(&cli->out, message);
        else
            yr_out_record(&cli->out, message);
    }
}

/** All of it, page by page from the oldest: a long history is never held whole. */
static enum yr_exit stream_all(struct yr_cli *cli, json_t *params)
{
    enum yr_exit exit = YR_EXIT_OK;
    bool more = true;

    json_object_set_new(params, "first", json_true());
    while (more && exit == YR_EXIT_OK) {
        json_t *page = fetch_page(cli, params, PAGE, "after", &more, &exit);

        if (page != NULL)
            print_records(cli, page);
        json_decref(page);
    }
    return exit;
}

enum yr_exit yr_cmd_log(struct yr_cli *cli)
{
    json_t *params = json_object(), *messages = NULL;
    int64_t count;
    enum yr_exit exit;

    if (YR_ARG(cli, log_raw) != NULL && cli->out.tty) {
        json_decref(params);
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--raw: not to a terminal, which would obey what others wrote");
    }
    exit = yr_cli_number(cli, YR_F_log_count, cli->out.tty ? 50 : 0, 1000000000, &count);
    if (exit == YR_EXIT_OK)
        exit = make_params(cli, params);
    if (exit == YR_EXIT_OK && count == 0 && !yr_out_human(&cli->out) &&
        YR_ARG(cli, log_reverse) == NULL)
        exit = stream_all(cli, params);
    else if (exit == YR_EXIT_OK)
        messages = yr_fetch_messages(cli, params, count, &exit);
    if (exit == YR_EXIT_OK && messages != NULL && yr_out_human(&cli->out))
        print_for_people(cli, messages);
    else if (exit == YR_EXIT_OK && messages != NULL)
        print_records(cli, messages);
    json_decref(messages);
    json_decref(params);
    return exit;
}
