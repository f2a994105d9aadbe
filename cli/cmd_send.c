/* cli/cmd_send.c: send. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/json.h"

#define SLACK_MS 5000 /* how much longer than the node's own wait we wait for its answer */

/** What all messages of one command share. */
struct sending {
    const char *target, *wait;
    int64_t wait_ms;
};

static enum yr_exit refuse_wait(struct yr_cli *cli, const char *wait)
{
    enum yr_exit exit;
    json_t *config;
    bool on;

    if (strcmp(wait, "accepted") == 0 || strcmp(wait, "delivered") == 0)
        return YR_EXIT_OK;
    if (strcmp(wait, "read") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--wait: '%s' is none of accepted, delivered, read", wait);
    config =
        yr_cli_call(cli, "config.get", json_pack("{s:s}", "key", "privacy.read_receipts"), &exit);
    if (config == NULL)
        return exit;
    on = strcmp(yr_json_str(config, "value", "no"), "yes") == 0;
    json_decref(config);
    if (!on)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage",
                           "yaari config set privacy.read_receipts yes",
                           "--wait read: read receipts are off, 'read' would never come");
    return YR_EXIT_OK;
}

/** --fail-fast: nothing is sent to someone who is not there. */
static enum yr_exit refuse_absent(struct yr_cli *cli, const char *target)
{
    enum yr_exit exit;
    json_t *friend;
    bool online;

    if (strcmp(target, "@me") == 0 || strcmp(target, "self") == 0)
        return YR_EXIT_OK;
    friend = yr_cli_call(cli, "friend.get", json_pack("{s:s}", "friend", target), &exit);
    if (friend == NULL)
        return exit;
    online = strcmp(yr_json_str(friend, "state", ""), "online") == 0;
    json_decref(friend);
    if (!online)
        return yr_cli_fail(cli, YR_EXIT_NOHOST, "unreachable", "without --fail-fast it is queued",
                           "'%s' is not online, nothing was sent", target);
    return YR_EXIT_OK;
}

static enum yr_exit not_in_time(struct yr_cli *cli, struct yr_client_error *err,
                                const struct sending *how)
{
    const char *id = yr_json_str(err->data, "id", NULL);
    struct yr_buf span = {0};
    char hint[48] = "";
    enum yr_exit exit;

    if (id != NULL)
        snprintf(hint, sizeof hint, "yaari why %.6s", id);
    yr_span_add(&span, how->wait_ms);
    snprintf(err->message, sizeof err->message,
             "not %s by '%s' within %s; the message stays queued", how->wait, how->target,
             yr_buf_str(&span));
    snprintf(err->hint, sizeof err->hint, "%s", hint);
    yr_buf_clear(&span);
    exit = yr_cli_error(cli, err);
    return exit;
}

static enum yr_exit send_one(struct yr_cli *cli, const struct sending *how, const char *text)
{
    json_t *params = json_pack("{s:s, s:s}", "target", how->target, "text", text), *message;
    struct yr_client_error err = {0};
    enum yr_exit exit;

    if (YR_ARG(cli, send_action) != NULL)
        json_object_set_new(params, "kind", json_string("action"));
    if (YR_ARG(cli, send_reply) != NULL)
        json_object_set_new(params, "reply_to", json_string(YR_ARG(cli, send_reply)));
    if (strcmp(how->wait, "accepted") != 0) {
        json_object_set_new(params, "wait", json_string(how->wait));
        json_object_set_new(params, "timeout_ms", json_integer(how->wait_ms));
        yr_client_set_timeout(cli->client, (unsigned)how->wait_ms + SLACK_MS);
    }
    message = yr_client_call(cli->client, "message.send", params, &err);
    if (message == NULL && err.code == YR_RPC_TIMEOUT)
        return not_in_time(cli, &err, how);
    if (message == NULL)
        return yr_cli_error(cli, &err);
    yr_out_json(&cli->out, message);
    if (cli->out.verbose)
        yr_out_say(&cli->out, "%.6s %s", yr_json_str(message, "id", ""),
                   yr_json_str(message, "state", ""));
    exit = YR_EXIT_OK;
    json_decref(message);
    return exit;
}

static enum yr_exit send_lines(struct yr_cli *cli, const struct sending *how)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    enum yr_exit exit = YR_EXIT_OK;

    while (exit == YR_EXIT_OK && (len = getline(&line, &cap, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        if (len == 0)
            continue; // an empty line is no message
        exit = yr_cli_check_text(cli, line, (size_t)len);
        if (exit == YR_EXIT_OK)
            exit = send_one(cli, how, line);
        fflush(stdout);
    }
    free(line);
    return exit;
}

enum yr_exit yr_cmd_send(struct yr_cli *cli)
{
    const char *wait = YR_ARG(cli, send_wait);
    const bool each_line = YR_ARG(cli, send_each_line) != NULL;
    struct sending how = {.target = yr_operand(cli, 0),
                          .wait = wait == NULL ? "accepted" : wait,
                          .wait_ms = cli->timeout_ms};
    char *text = NULL;
    enum yr_exit exit;

    if (each_line && cli->line.operand_count > 1 && strcmp(yr_operand(cli, 1), "-") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "send: --each-line reads stdin, it takes no text");
    if (!each_line) {
        exit = yr_cli_text(cli, 1, &text);
        if (exit != YR_EXIT_OK)
            return exit;
    }
    exit = refuse_wait(cli, how.wait);
    if (exit == YR_EXIT_OK)
        exit = yr_cli_connect(cli);
    if (exit == YR_EXIT_OK && YR_ARG(cli, send_fail_fast) != NULL)
        exit = refuse_absent(cli, how.target);
    if (exit == YR_EXIT_OK)
        exit = each_line ? send_lines(cli, &how) : send_one(cli, &how, text);
    free(text);
    return exit;
}
