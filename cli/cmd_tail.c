/* cli/cmd_tail.c: tail and events: streams that can be resumed from a cursor. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/message.h"

/** Where a stream stands. */
struct stream {
    const char *cursor_file; /* NULL: none */
    int64_t left;            /* -C; -1: no end */
    yr_ms deadline_ms;       /* 0: none */
    uint64_t cursor;
};

/* ---- the cursor file ---- */

static bool read_number(const char *text, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && (*end == '\0' || strcmp(end, "\n") == 0) && *out <= INT64_MAX;
}

/** *found: the file is there and its number is in *cursor. */
static enum yr_exit load_cursor(struct yr_cli *cli, const char *path, uint64_t *cursor, bool *found)
{
    struct yr_fail fail = {0};
    char *text = NULL;
    size_t len;

    *found = false;
    if (access(path, F_OK) != 0)
        return YR_EXIT_OK;
    if (yr_read_file(path, 64, &text, &len, &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    *found = read_number(text, cursor);
    free(text);
    if (!*found)
        return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_data", NULL, "'%s': no cursor in it", path);
    return YR_EXIT_OK;
}

/** Written whole or not at all: a reader killed at any point resumes at a line's end. */
static enum yr_exit save_cursor(struct yr_cli *cli, const struct stream *stream)
{
    struct yr_fail fail = {0};
    char text[32];

    if (stream->cursor_file == NULL)
        return YR_EXIT_OK;
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)stream->cursor);
    if (yr_write_file(stream->cursor_file, text, strlen(text), 0600, &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    return YR_EXIT_OK;
}

/** The lines so far must be out before the cursor says so. */
static enum yr_exit flush_and_save(struct yr_cli *cli, const struct stream *stream)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return YR_EXIT_IOERR;
    return save_cursor(cli, stream);
}

/* ---- the stream ---- */

static enum yr_exit stream_init(struct yr_cli *cli, struct stream *stream, enum yr_flag_id count,
                                enum yr_flag_id file)
{
    enum yr_exit exit = yr_cli_number(cli, count, -1, INT64_MAX, &stream->left);

    stream->cursor_file = cli->line.flag[file];
    stream->deadline_ms = cli->timeout_given ? yr_wall_ms() + cli->timeout_ms : 0;
    return exit;
}

static enum yr_exit time_over(struct yr_cli *cli)
{
    return yr_cli_fail(cli, YR_EXIT_TEMPFAIL, "timeout", NULL, "nothing more came in time");
}

/** The next event; NULL: *exit says how to end. */
static json_t *next_event(struct yr_cli *cli, const struct stream *stream, enum yr_exit *exit)
{
    for (;;) {
        const yr_ms left = stream->deadline_ms - yr_wall_ms();
        const int wait = stream->deadline_ms == 0 ? -1
                         : left < 0               ? 0
                         : left > 86400000        ? 86400000
                                                  : (int)left;
        struct yr_client_error err = {0};
        json_t *event = yr_client_next_event(cli->client, wait, &err);

        if (event != NULL)
            return event;
        if (err.exit == YR_EXIT_TEMPFAIL && (wait == 0 || yr_wall_ms() >= stream->deadline_ms)) {
            yr_client_error_clear(&err);
            *exit = time_over(cli);
            return NULL;
        }
        if (err.exit != YR_EXIT_TEMPFAIL && err.exit != 0) {
            *exit = yr_cli_error(cli, &err);
            return NULL;
        }
        yr_client_error_clear(&err);
    }
}

/** Subscribe from *cursor (or from now on); stream->cursor becomes where it starts. */
static enum yr_exit subscribe(struct yr_cli *cli, struct stream *stream, json_t *params,
                              const uint64_t *cursor)
{
    struct yr_client_error err = {0};

    if (cursor != NULL)
        json_object_set_new(params, "since", json_integer((json_int_t)*cursor));
    if (!yr_client_subscribe(cli->client, params, &stream->cursor, &err))
        return yr_cli_error(cli, &err);
    return YR_EXIT_OK;
}

/* ---- tail ---- */

/** Run --exec for a message: JSON on its stdin, no shell.  It may fail; the stream goes on. */
static enum yr_exit run_command(struct yr_cli *cli, const json_t *message)
{
    const int fd = memfd_create("message", MFD_CLOEXEC);
    struct yr_buf line = {0};
    int status = 0;
    bool written;
    pid_t pid;

    yr_json_dump(&line, message);
    yr_buf_addc(&line, '\n');
    written =
        fd >= 0 && write(fd, line.at, line.len) == (ssize_t)line.len && lseek(fd, 0, SEEK_SET) == 0;
    yr_buf_clear(&line);
    pid = written ? fork() : -1;
    if (pid == 0) {
        struct yr_buf argv = {0};

        for (int i = 0; i <= cli->line.rest_count; i++) { // with the NULL behind
            char *arg = i < cli->line.rest_count ? cli->line.rest[i] : NULL;
            yr_buf_add(&argv, &arg, sizeof arg);
        }
        dup2(fd, STDIN_FILENO);
        execvp(cli->line.rest[0], (char *const *)(void *)argv.at);
        _exit(127);
    }
    close(fd);
    if (pid < 0)
        return yr_cli_fail(cli, YR_EXIT_OSERR, "os_error", NULL, "--exec: %s", strerror(errno));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return yr_cli_fail(cli, YR_EXIT_NOINPUT, "no_input", NULL, "--exec: cannot run '%s'",
                           cli->line.rest[0]);
    if (status != 0)
        yr_out_note(&cli->out, "--exec: the command failed for message %.6s",
                    yr_json_str(message, "id", ""));
    return YR_EXIT_OK;
}

static void show_message(struct yr_cli *cli, const json_t *message)
{
    const struct yr_message_style style = {.targets = cli->line.operand_count != 1};
    struct yr_buf lines = {0};

    if (!yr_out_human(&cli->out)) {
        if (YR_ARG(cli, tail_raw) != NULL)
            yr_out_record_raw(&cli->out, message);
        else
            yr_out_record(&cli->out, message);
        return;
    }
    yr_message_add(&cli->out, &lines, message, &style);
    yr_out_write(&cli->out, yr_buf_str(&lines), lines.len);
    yr_buf_clear(&lines);
}

static bool wanted(struct yr_cli *cli, const json_t *message)
{
    if (strcmp(yr_json_str(message, "kind", ""), "system") == 0)
        return false;
    return YR_ARG(cli, tail_own) != NULL || !yr_json_bool(message, "own", false);
}

/** Show one message and move on behind it. */
static enum yr_exit take(struct yr_cli *cli, struct stream *stream, const json_t *message,
                         uint64_t cursor)
{
    enum yr_exit exit = YR_EXIT_OK;

    if (cli->line.rest_count > 0)
        exit = run_command(cli, message);
    else
        show_message(cli, message);
    if (exit != YR_EXIT_OK)
        return exit;
    if (cursor > stream->cursor)
        stream->cursor = cursor;
    if (stream->left > 0)
        stream->left--;
    return flush_and_save(cli, stream);
}

static int by_time(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    const int order = strcmp(yr_json_str(*x, "time", ""), yr_json_str(*y, "time", ""));

    return order != 0 ? order : strcmp(yr_json_str(*x, "id", ""), yr_json_str(*y, "id", ""));
}

/** Messages of one target (NULL: of all), added to `all`. */
static enum yr_exit list_target(struct yr_cli *cli, const char *target, int64_t last,
                                const char *since, json_t *all)
{
    json_t *params = json_object(), *messages;
    enum yr_exit exit;

    if (target != NULL)
        json_object_set_new(params, "target", json_string(target));
    if (since != NULL)
        json_object_set_new(params, "since", json_string(since));
    messages = yr_fetch_messages(cli, params, last, &exit);
    json_array_extend(all, messages);
    json_decref(messages);
    json_decref(params);
    return exit;
}

/** What stands before the stream: the last `last` wanted ones, or those since a time.
 *  seen: receives their ids; they may come again as events. */
static enum yr_exit show_history(struct yr_cli *cli, struct stream *stream, int64_t last,
                                 const char *since, json_t *seen)
{
    // own ones are passed over, and the node does not know: look at more than are wanted
    const int64_t look_at = last > 0 && YR_ARG(cli, tail_own) == NULL ? 1000 : last;
    json_t *all = json_array(), **sorted;
    enum yr_exit exit = YR_EXIT_OK;
    size_t count, kept = 0, from;

    if (cli->line.operand_count == 0)
        exit = list_target(cli, NULL, look_at, since, all);
    for (int i = 0; exit == YR_EXIT_OK && i < cli->line.operand_count; i++)
        exit = list_target(cli, yr_operand(cli, i), look_at, since, all);
    count = json_array_size(all);
    sorted = yr_xrealloc(NULL, (count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        if (wanted(cli, json_array_get(all, i)))
            sorted[kept++] = json_array_get(all, i);
    if (cli->line.operand_count > 1) // one conversation, or all, come in their order
        qsort(sorted, kept, sizeof *sorted, by_time);
    from = last > 0 && kept > (size_t)last ? kept - (size_t)last : 0;
    for (size_t i = from; exit == YR_EXIT_OK && i < kept && stream->left != 0; i++) {
        json_object_set_new(seen, yr_json_str(sorted[i], "id", ""), json_true());
        exit = take(cli, stream, sorted[i], 0);
    }
    free(sorted);
    json_decref(all);
    return exit;
}

static enum yr_exit follow(struct yr_cli *cli, struct stream *stream, const json_t *seen)
{
    enum yr_exit exit = YR_EXIT_OK;

    while (exit == YR_EXIT_OK && stream->left != 0) {
        json_t *event = next_event(cli, stream, &exit);
        const json_t *message = json_object_get(event, "data");
        const char *name = yr_json_str(event, "event", "");

        if (strcmp(name, "gap") == 0)
            yr_out_note(&cli->out,
                        "some messages are older than what the node can replay: yaari log");
        else if (strcmp(name, "message") == 0 && wanted(cli, message) &&
                 json_object_get(seen, yr_json_str(message, "id", "")) == NULL)
            exit = take(cli, stream, message, (uint64_t)yr_json_int(event, "cursor", 0));
        json_decref(event);
    }
    return exit;
}

/** --since: a cursor, or a time as the node reads it. */
static enum yr_exit read_since(struct yr_cli *cli, uint64_t *cursor, bool *is_cursor,
                               char *time_text)
{
    const char *since = YR_ARG(cli, tail_since);
    yr_ms time_ms;

    if (since == NULL)
        return YR_EXIT_OK;
    if (read_number(since, cursor)) {
        *is_cursor = true;
        return YR_EXIT_OK;
    }
    if (!yr_time_read(since, yr_wall_ms(), &time_ms))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage",
                           "a cursor is a number; times: 2026-11-21, 15:30, -2h, yesterday",
                           "--since: '%s' is neither a cursor nor a time", since);
    yr_rfc3339(time_text, time_ms);
    return YR_EXIT_OK;
}

static json_t *tail_params(struct yr_cli *cli)
{
    json_t *params = json_pack("{s:[s]}", "types", "message"), *targets;

    if (cli->line.operand_count > 0) {
        targets = json_array();
        for (int i = 0; i < cli->line.operand_count; i++)
            json_array_append_new(targets, json_string(yr_operand(cli, i)));
        json_object_set_new(params, "targets", targets);
    }
    return params;
}

enum yr_exit yr_cmd_tail(struct yr_cli *cli)
{
    char since[YR_RFC3339_LEN + 1] = "";
    struct stream stream = {0};
    bool has_cursor = false;
    uint64_t cursor = 0;
    int64_t last = 0;
    json_t *seen;
    enum yr_exit exit = stream_init(cli, &stream, YR_F_tail_count, YR_F_tail_cursor);

    if (exit == YR_EXIT_OK && YR_ARG(cli, tail_raw) != NULL && cli->out.tty)
        exit = yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--raw: not to a terminal, which would obey what others wrote");
    if (exit == YR_EXIT_OK)
        exit = yr_cli_number(cli, YR_F_tail_last, cli->out.tty && !cli->out.json ? 10 : 0, 1000,
                             &last);
    if (exit == YR_EXIT_OK)
        exit = read_since(cli, &cursor, &has_cursor, since);
    if (exit == YR_EXIT_OK && !has_cursor && stream.cursor_file != NULL)
        exit = load_cursor(cli, stream.cursor_file, &cursor, &has_cursor);
    if (exit == YR_EXIT_OK)
        exit = yr_cli_connect(cli);
    if (exit == YR_EXIT_OK)
        exit = subscribe(cli, &stream, tail_params(cli), has_cursor ? &cursor : NULL);
    if (exit != YR_EXIT_OK)
        return exit;
    seen = json_object();
    if (!has_cursor && (since[0] != '\0' || last > 0))
        exit = show_history(cli, &stream, since[0] != '\0' ? 0 : last,
                            since[0] != '\0' ? since : NULL, seen);
    if (exit == YR_EXIT_OK)
        exit = save_cursor(cli, &stream);
    if (exit == YR_EXIT_OK)
        exit = follow(cli, &stream, seen);
    json_decref(seen);
    return exit;
}

/* ---- events ---- */

static json_t *event_params(struct yr_cli *cli)
{
    json_t *params = json_object(), *types;
    const char *text = YR_ARG(cli, events_type);

    if (text == NULL)
        return params;
    types = json_array();
    while (*text != '\0') {
        const size_t len = strcspn(text, ",");

        if (len > 0)
            json_array_append_new(types, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    json_object_set_new(params, "types", types);
    return params;
}

enum yr_exit yr_cmd_events(struct yr_cli *cli)
{
    const char *since = YR_ARG(cli, events_since);
    struct stream stream = {0};
    bool has_cursor = false;
    uint64_t cursor = 0;
    enum yr_exit exit = stream_init(cli, &stream, YR_F_events_count, YR_F_events_cursor);

    if (exit == YR_EXIT_OK && since != NULL && strcmp(since, "now") != 0) {
        has_cursor = read_number(since, &cursor);
        if (!has_cursor)
            exit = yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                               "--since: '%s' is neither a cursor nor now", since);
    }
    if (exit == YR_EXIT_OK && since == NULL && stream.cursor_file != NULL)
        exit = load_cursor(cli, stream.cursor_file, &cursor, &has_cursor);
    if (exit == YR_EXIT_OK)
        exit = yr_cli_connect(cli);
    if (exit == YR_EXIT_OK)
        exit = subscribe(cli, &stream, event_params(cli), has_cursor ? &cursor : NULL);
    if (exit == YR_EXIT_OK)
        exit = save_cursor(cli, &stream);
    while (exit == YR_EXIT_OK && stream.left != 0) {
        json_t *event = next_event(cli, &stream, &exit);

        if (event == NULL)
            break;
        json_object_del(event, "sub");
        yr_out_json_line(&cli->out, event);
        stream.cursor = (uint64_t)yr_json_int(event, "cursor", (int64_t)stream.cursor);
        stream.left -= stream.left > 0;
        json_decref(event);
        exit = flush_and_save(cli, &stream);
    }
    return exit;
}
