/* cli/cmd_rpc.c: rpc: the node's methods as they are. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/json.h"

static enum yr_exit list_methods(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *answer = yr_cli_call(cli, "rpc.list", NULL, &exit);
    const json_t *name;
    size_t i;

    if (answer != NULL && cli->out.json)
        yr_out_json_line(&cli->out, answer);
    json_array_foreach(json_object_get(answer, "methods"), i, name)
        yr_out_say(&cli->out, "%s", json_string_value(name));
    json_decref(answer);
    return exit;
}

static enum yr_exit describe(struct yr_cli *cli, const char *method)
{
    enum yr_exit exit;
    json_t *answer = yr_cli_call(cli, "rpc.describe", json_pack("{s:s}", "method", method), &exit);

    if (answer != NULL)
        yr_out_json_line(&cli->out, answer);
    json_decref(answer);
    return exit;
}

static enum yr_exit read_params(struct yr_cli *cli, json_t **params)
{
    const char *text = yr_operand(cli, 1);
    struct yr_buf input = {0};
    char part[4096], why[96] = "";
    size_t n;

    if (text == NULL)
        return YR_EXIT_OK;
    if (strcmp(text, "-") == 0)
        while ((n = fread(part, 1, sizeof part, stdin)) > 0 && input.len < 1u << 20)
            yr_buf_add(&input, part, n);
    else
        yr_buf_adds(&input, text);
    *params = yr_json_read(yr_buf_str(&input), input.len, why, sizeof why);
    yr_buf_clear(&input);
    if (json_is_object(*params))
        return YR_EXIT_OK;
    json_decref(*params);
    *params = NULL;
    return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_data", NULL, "PARAMS is no JSON object%s%s",
                       why[0] == '\0' ? "" : ": ", why);
}

static enum yr_exit call_method(struct yr_cli *cli, const char *method)
{
    json_t *params = NULL, *result;
    enum yr_exit exit = read_params(cli, &params);

    if (exit != YR_EXIT_OK)
        return exit;
    result = yr_cli_call(cli, method, params, &exit);
    if (result != NULL)
        yr_out_json_line(&cli->out, result);
    json_decref(result);
    return exit;
}

/* ---- --stdio: lines there and back ---- */

/** Does this line ask for an answer? */
static bool is_request(const char *line, size_t len)
{
    json_t *object = json_loadb(line, len, 0, NULL);
    const bool asks = !json_is_object(object) || json_object_get(object, "id") != NULL;

    json_decref(object);
    return asks;
}

/** Give back what the node sent until nothing more is here.  *open: answers still to come. */
static enum yr_exit lines_back(struct yr_cli *cli, int64_t *open)
{
    struct yr_client_error err = {0};
    size_t len;
    char *line;

    while ((line = yr_client_read_line(cli->client, 0, &len, &err)) != NULL) {
        json_t *object = json_loadb(line, len, 0, NULL);

        *open -= json_object_get(object, "method") == NULL;
        json_decref(object);
        fwrite(line, 1, len, stdout);
        fputc('\n', stdout);
        free(line);
    }
    if (fflush(stdout) != 0)
        return YR_EXIT_IOERR;
    if (err.exit == YR_EXIT_TEMPFAIL || err.exit == 0) {
        yr_client_error_clear(&err);
        return YR_EXIT_OK;
    }
    return yr_cli_error(cli, &err);
}

/** Pass on the whole lines of stdin that are in `input`. */
static enum yr_exit lines_there(struct yr_cli *cli, struct yr_buf *input, int64_t *open)
{
    struct yr_client_error err = {0};
    size_t at = 0;

    for (;;) {
        const char *end = input->len == at ? NULL : memchr(input->at + at, '\n', input->len - at);
        size_t len;

        if (end == NULL)
            break;
        len = (size_t)(end - input->at) - at;
        *open += is_request(input->at + at, len);
        if (!yr_client_write_line(cli->client, input->at + at, len, &err))
            return yr_cli_error(cli, &err);
        at += len + 1;
    }
    yr_buf_splice(input, 0, at, "", 0);
    return YR_EXIT_OK;
}

static enum yr_exit stdio(struct yr_cli *cli)
{
    struct yr_buf input = {0};
    char part[65536];
    bool eof = false;
    int64_t open = 0;
    enum yr_exit exit = yr_cli_connect(cli);

    while (exit == YR_EXIT_OK && !(eof && open <= 0)) {
        struct pollfd fds[2] = {{.fd = yr_client_fd(cli->client), .events = POLLIN},
                                {.fd = eof ? -1 : STDIN_FILENO, .events = POLLIN}};
        ssize_t n;

        exit = lines_back(cli, &open);
        if (exit != YR_EXIT_OK || (eof && open <= 0))
            break;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return yr_cli_fail(cli, YR_EXIT_OSERR, "os_error", NULL, "poll: %s", strerror(errno));
        if (fds[1].revents == 0)
            continue;
        n = read(STDIN_FILENO, part, sizeof part);
        if (n > 0)
            yr_buf_add(&input, part, (size_t)n);
        else if (n == 0 || errno != EINTR)
            eof = true;
        if (eof && input.len > 0)
            yr_buf_addc(&input, '\n'); // the last line may lack its end
        exit = lines_there(cli, &input, &open);
    }
    yr_buf_clear(&input);
    return exit;
}

enum yr_exit yr_cmd_rpc(struct yr_cli *cli)
{
    const char *method = yr_operand(cli, 0);

    if (YR_ARG(cli, rpc_stdio) != NULL)
        return stdio(cli);
    if (YR_ARG(cli, rpc_list) != NULL)
        return list_methods(cli);
    if (YR_ARG(cli, rpc_describe) != NULL)
        return describe(cli, YR_ARG(cli, rpc_describe));
    if (method == NULL)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari rpc --list", "rpc: missing METHOD");
    return call_method(cli, method);
}
