/* cli/cmd_send.c: send. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/common/utf8.h"

#define TEXT_MAX       YR_CLI_TEXT_MAX
#define WAIT_MS_MAX    604800000 /* the node waits for 7 days at most */
#define EXPIRES_MS_MAX INT64_C(31622400000)
#define SLACK_MS       5000 /* how much longer than the node's own wait we wait for its answer */

/** What all messages of one command share. */
struct sending {
    const char *target, *wait;
    int64_t wait_ms, expires_ms; /* expires_ms: 0: never */
};

/** Will we hear what this friend, or who is in this room, has read?  It is mutual. */
static bool tells_read(struct yr_cli *cli, const char *target, enum yr_exit *exit)
{
    struct yr_client_error err = {0};
    json_t *record;
    bool on;

    *exit = yr_cli_connect(cli);
    if (*exit != YR_EXIT_OK)
        return false;
    record = yr_client_call(cli->client, "friend.get", json_pack("{s:s}", "friend", target), &err);
    yr_client_error_clear(&err); // a room, or nobody: message.send says so
    if (strcmp(yr_json_str(record, "receipts", "default"), "default") != 0) {
        on = strcmp(yr_json_str(record, "receipts", ""), "yes") == 0;
        json_decref(record);
        return on;
    }
    json_decref(record);
    record =
        yr_cli_call(cli, "config.get", json_pack("{s:s}", "key", "privacy.read_receipts"), exit);
    on = strcmp(yr_json_str(record, "value", "no"), "yes") == 0;
    json_decref(record);
    return on;
}

static enum yr_exit refuse_wait(struct yr_cli *cli, const char *target, const char *wait)
{
    enum yr_exit exit = YR_EXIT_OK;
    bool on;

    if (strcmp(wait, "accepted") == 0 || strcmp(wait, "held") == 0 ||
        strcmp(wait, "delivered") == 0)
        return YR_EXIT_OK;
    if (strcmp(wait, "read") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--wait: '%s' is none of accepted, held, delivered, read", wait);
    on = tells_read(cli, target, &exit);
    if (exit != YR_EXIT_OK)
        return exit;
    if (!on)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage",
                           "yaari config set privacy.read_receipts yes",
                           "--wait read: read receipts are off, 'read' would never come");
    return YR_EXIT_OK;
}

/** --fail-fast: nothing is sent to someone who is not there, or to a room where nobody else is. */
static enum yr_exit refuse_absent(struct yr_cli *cli, const char *target)
{
    struct yr_client_error err = {0};
    json_t *friend = NULL, *room = NULL;
    bool online;

    if (strcmp(target, "@me") == 0 || strcmp(target, "self") == 0)
        return YR_EXIT_OK;
    if (target[0] != '@')
        room = yr_client_call(cli->client, "room.get", json_pack("{s:s}", "room", target), &err);
    if (room == NULL && (err.code == 0 || err.code == YR_RPC_NO_SUCH_TARGET)) {
        yr_client_error_clear(&err);
        friend =
            yr_client_call(cli->client, "friend.get", json_pack("{s:s}", "friend", target), &err);
    }
    if (friend == NULL && room == NULL && err.code == YR_RPC_NO_SUCH_TARGET) {
        yr_client_error_clear(&err);
        return YR_EXIT_OK; // message.send says so in better words
    }
    if (friend == NULL && room == NULL)
        return yr_cli_error(cli, &err);
    online = room != NULL ? yr_json_int(room, "online", 0) > 1 : yr_friend_linked(friend);
    json_decref(friend);
    json_decref(room);
    if (!online)
        return yr_cli_fail(cli, YR_EXIT_NOHOST, "unreachable", "without --fail-fast it is queued",
                           "'%s' is not online, nothing was sent", target);
    return YR_EXIT_OK;
}

/** Send without waiting for the answer; 0: reported. */
static int64_t start(struct yr_cli *cli, const struct sending *how, const char *text,
                     enum yr_exit *exit)
{
    json_t *params = json_pack("{s:s, s:s}", "target", how->target, "text", text);
    struct yr_client_error err = {0};
    int64_t id;

    if (YR_ARG(cli, send_action) != NULL)
        json_object_set_new(params, "kind", json_string("action"));
    if (YR_ARG(cli, send_reply) != NULL)
        json_object_set_new(params, "reply_to", json_string(YR_ARG(cli, send_reply)));
    if (how->expires_ms > 0)
        json_object_set_new(params, "expires_s", json_integer((how->expires_ms + 999) / 1000));
    if (strcmp(how->wait, "accepted") != 0) {
        json_object_set_new(params, "wait", json_string(how->wait));
        json_object_set_new(params, "timeout_ms", json_integer(how->wait_ms));
        yr_client_set_timeout(cli->client, (unsigned)how->wait_ms + SLACK_MS);
    }
    id = yr_client_start(cli->client, "message.send", params, &err);
    if (id == 0)
        *exit = yr_cli_error(cli, &err);
    return id;
}

static enum yr_exit finish(struct yr_cli *cli, int64_t id)
{
    struct yr_client_error err = {0};
    json_t *message = yr_client_finish(cli->client, id, &err);

    if (message == NULL)
        return yr_cli_error(cli, &err);
    yr_out_json(&cli->out, message);
    if (cli->out.verbose)
        yr_out_say(&cli->out, "%.6s %s", yr_json_str(message, "id", ""),
                   yr_json_str(message, "state", ""));
    json_decref(message);
    return YR_EXIT_OK;
}

static enum yr_exit send_one(struct yr_cli *cli, const struct sending *how, const char *text)
{
    enum yr_exit exit = YR_EXIT_OK;
    const int64_t id = start(cli, how, text, &exit);

    return id == 0 ? exit : finish(cli, id);
}

/* ---- --each-line: several on their way, in order ---- */

struct window {
    int64_t ids[YR_CLIENT_CALLS_MAX]; /* a ring */
    size_t first, count, size;
};

static enum yr_exit finish_first(struct yr_cli *cli, struct window *window)
{
    const int64_t id = window->ids[window->first];

    window->first = (window->first + 1) % YR_CLIENT_CALLS_MAX;
    window->count--;
    return finish(cli, id);
}

static enum yr_exit finish_all(struct yr_cli *cli, struct window *window)
{
    enum yr_exit exit = YR_EXIT_OK;

    while (exit == YR_EXIT_OK && window->count > 0)
        exit = finish_first(cli, window);
    fflush(stdout);
    return exit;
}

static enum yr_exit send_line(struct yr_cli *cli, const struct sending *how, struct window *window,
                              const char *line, size_t len)
{
    enum yr_exit exit = YR_EXIT_OK;
    int64_t id;

    if (len == 0)
        return YR_EXIT_OK; // an empty line is no message
    if (len > TEXT_MAX || !yr_utf8_valid(line, len, false)) {
        exit = finish_all(cli, window);
        return exit == YR_EXIT_OK ? yr_cli_check_text(cli, line, len) : exit;
    }
    if (window->count == window->size)
        exit = finish_first(cli, window);
    if (exit != YR_EXIT_OK)
        return exit;
    id = start(cli, how, line, &exit);
    if (id != 0)
        window->ids[(window->first + window->count++) % YR_CLIENT_CALLS_MAX] = id;
    return exit;
}

/** Send the whole lines of `input`, and with `end` what is left of it. */
static enum yr_exit take_lines(struct yr_cli *cli, const struct sending *how, struct window *window,
                               struct yr_buf *input, bool end)
{
    enum yr_exit exit = YR_EXIT_OK;
    size_t at = 0;

    while (exit == YR_EXIT_OK && at < input->len) {
        char *line = input->at + at, *newline = memchr(line, '\n', input->len - at);
        const size_t len = newline == NULL ? input->len - at : (size_t)(newline - line);

        if (newline == NULL && !end && len <= TEXT_MAX)
            break; // the rest of it is still to come
        if (newline != NULL)
            *newline = '\0';
        exit = send_line(cli, how, window, line, len);
        at += len + 1;
    }
    yr_buf_splice(input, 0, at < input->len ? at : input->len, "", 0);
    return exit;
}

/** Is there something to read without waiting? */
static bool readable(void)
{
    struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&pfd, 1, 0) > 0;
}

static enum yr_exit send_lines(struct yr_cli *cli, const struct sending *how)
{
    struct window window = {.size = strcmp(how->wait, "accepted") == 0 ? YR_CLIENT_CALLS_MAX : 1};
    struct yr_buf input = {0};
    char part[16384];
    bool end = false;
    enum yr_exit exit = YR_EXIT_OK;

    while (exit == YR_EXIT_OK && !end) {
        ssize_t n;

        if (window.count > 0 && !readable()) // the writer pauses: report what is done
            exit = finish_all(cli, &window);
        if (exit != YR_EXIT_OK)
            break;
        n = read(STDIN_FILENO, part, sizeof part);
        if (n > 0)
            yr_buf_add(&input, part, (size_t)n);
        end = n == 0 || (n < 0 && errno != EINTR);
        exit = take_lines(cli, how, &window, &input, end);
    }
    if (exit == YR_EXIT_OK)
        exit = finish_all(cli, &window);
    yr_buf_clear(&input);
    return exit;
}

enum yr_exit yr_cmd_send(struct yr_cli *cli)
{
    const char *wait = YR_ARG(cli, send_wait);
    const bool each_line = YR_ARG(cli, send_each_line) != NULL;
    struct sending how = {.target = yr_operand(cli, 0),
                          .wait = wait == NULL ? "accepted" : wait,
                          .wait_ms = cli->timeout_ms < WAIT_MS_MAX ? cli->timeout_ms : WAIT_MS_MAX};
    char *text = NULL;
    enum yr_exit exit;

    exit = yr_cli_duration(cli, YR_F_send_expires, 0, &how.expires_ms);
    if (exit != YR_EXIT_OK)
        return exit;
    if (YR_ARG(cli, send_expires) != NULL &&
        (how.expires_ms < 1000 || how.expires_ms > EXPIRES_MS_MAX))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL, "--expires: one second to 366 days");
    if (each_line && cli->line.operand_count > 1 && strcmp(yr_operand(cli, 1), "-") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "send: --each-line reads stdin, it takes no text");
    if (!each_line) {
        exit = yr_cli_text(cli, 1, &text);
        if (exit != YR_EXIT_OK)
            return exit;
    }
    exit = refuse_wait(cli, how.target, how.wait);
    if (exit == YR_EXIT_OK)
        exit = yr_cli_connect(cli);
    if (exit == YR_EXIT_OK && YR_ARG(cli, send_fail_fast) != NULL)
        exit = refuse_absent(cli, how.target);
    if (exit == YR_EXIT_OK)
        exit = each_line ? send_lines(cli, &how) : send_one(cli, &how, text);
    free(text);
    return exit;
}
