/* cli/cli.c: see cli.h. */
#include "cli/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/common/json.h"
#include "cli/common/text_safe.h"
#include "cli/common/utf8.h"
#include "cli/start.h"

#define TEXT_MAX YR_CLI_TEXT_MAX

const char *yr_operand(const struct yr_cli *cli, int i)
{
    return i < cli->line.operand_count ? cli->line.operands[i] : NULL;
}

/* ---- errors ---- */

enum yr_exit yr_cli_fail(struct yr_cli *cli, enum yr_exit exit, const char *name, const char *hint,
                         const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    yr_out_error(&cli->out, (int)exit, 0, name, text == NULL ? name : text, hint, NULL);
    free(text);
    return exit;
}

enum yr_exit yr_cli_fail_with(struct yr_cli *cli, const struct yr_fail *fail)
{
    static const struct {
        enum yr_exit exit;
        const char *name;
    } names[] = {
        {YR_EXIT_USAGE, "usage"},
        {YR_EXIT_DATAERR, "bad_data"},
        {YR_EXIT_NOINPUT, "no_input"},
        {YR_EXIT_UNAVAILABLE, "daemon_not_running"},
        {YR_EXIT_OSERR, "os_error"},
        {YR_EXIT_CANTCREAT, "exists"},
        {YR_EXIT_IOERR, "io"},
        {YR_EXIT_TEMPFAIL, "timeout"},
        {YR_EXIT_PROTOCOL, "unsupported"},
        {YR_EXIT_NOPERM, "denied"},
        {YR_EXIT_CONFIG, "config"},
    };
    const char *name = "internal";

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].exit == fail->exit)
            name = names[i].name;
    yr_out_error(&cli->out, (int)fail->exit, 0, name, fail->what, fail->hint, NULL);
    return fail->exit;
}

enum yr_exit yr_cli_error(struct yr_cli *cli, struct yr_client_error *err)
{
    const enum yr_exit exit = err->exit == 0 ? YR_EXIT_SOFTWARE : (enum yr_exit)err->exit;

    yr_out_error(&cli->out, (int)exit, err->code, err->name, err->message, err->hint, err->data);
    yr_client_error_clear(err);
    return exit;
}

/* ---- asking ---- */

bool yr_cli_can_ask(const struct yr_cli *cli)
{
    return YR_ARG(cli, any_no_input) == NULL && isatty(STDIN_FILENO) == 1 && cli->out.err_tty;
}

const char *yr_login_name(void)
{
    const char *name = getenv("USER");
    const struct passwd *user = name == NULL || name[0] == '\0' ? getpwuid(getuid()) : NULL;

    if (user != NULL)
        name = user->pw_name;
    return name == NULL || name[0] == '\0' ? "me" : name;
}

/** A line of the terminal without its newline; NULL at the end of input. */
static char *read_answer(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = getline(&line, &cap, stdin);

    if (len < 0) {
        free(line);
        return NULL;
    }
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        line[--len] = '\0';
    return line;
}

static void show_question(const struct yr_cli *cli, const char *question, const char *tail)
{
    struct yr_buf line = {0};

    fflush(stdout);
    if (cli->out.utf8)
        yr_buf_addf(&line, "%s%s", question, tail);
    else
        yr_safe_ascii(&line, question, strlen(question));
    fputs(yr_buf_str(&line), stderr);
    yr_buf_clear(&line);
}

static enum yr_exit nobody_to_ask(struct yr_cli *cli, const char *question)
{
    return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL, "no terminal to ask on: %s", question);
}

enum yr_exit yr_cli_ask(struct yr_cli *cli, const char *question, const char *fallback,
                        char **answer)
{
    char *line;

    if (!yr_cli_can_ask(cli))
        return nobody_to_ask(cli, question);
    show_question(cli, question, " ");
    line = read_answer();
    if (line == NULL)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL, "no answer");
    if (line[0] == '\0' && fallback != NULL) {
        free(line);
        line = yr_strdup(fallback);
    }
    *answer = line;
    return YR_EXIT_OK;
}

enum yr_exit yr_cli_ask_secret(struct yr_cli *cli, const char *question, char **answer)
{
    struct termios before, quiet;
    char *line;

    if (!yr_cli_can_ask(cli))
        return nobody_to_ask(cli, question);
    show_question(cli, question, " ");
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return yr_cli_fail(cli, YR_EXIT_OSERR, "os_error", NULL, "terminal: %s", strerror(errno));
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    line = read_answer();
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    if (line == NULL)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL, "no answer");
    *answer = line;
    return YR_EXIT_OK;
}

enum yr_exit yr_cli_confirm(struct yr_cli *cli, const char *question)
{
    char *line;
    bool yes;

    if (YR_ARG(cli, any_yes) != NULL)
        return YR_EXIT_OK;
    if (!yr_cli_can_ask(cli))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "--yes answers it",
                           "no terminal to ask on: %s", question);
    show_question(cli, question, " [y/N] ");
    line = read_answer();
    yes = line != NULL &&
          (strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0);
    free(line);
    return yes ? YR_EXIT_OK : YR_EXIT_NOTHING;
}

/* ---- the node ---- */

static bool wants_autostart(const struct yr_cli *cli)
{
    if (YR_ARG(cli, any_autostart) != NULL)
        return true;
    if (YR_ARG(cli, any_no_autostart) != NULL)
        return false;
    return (yr_commands[cli->line.command].traits & YR_T_AUTOSTART) != 0 &&
           isatty(STDIN_FILENO) == 1 && cli->out.err_tty;
}

static const char *hello_state(const struct yr_cli *cli)
{
    return yr_json_str(yr_client_hello(cli->client), "state", "ok");
}

/** The user's first command: who are you? */
static enum yr_exit first_identity(struct yr_cli *cli)
{
    const char *login = yr_login_name();
    struct yr_client_error err = {0};
    struct yr_buf question = {0};
    char *name = NULL;
    json_t *identity;
    enum yr_exit exit;

    yr_buf_adds(&question, "No identity yet. Name your friends will see [");
    yr_add_name(&question, login);
    yr_buf_adds(&question, "]:");
    exit = yr_cli_ask(cli, yr_buf_str(&question), login, &name);
    yr_buf_clear(&question);
    if (exit != YR_EXIT_OK)
        return exit;
    identity =
        yr_client_call(cli->client, "identity.create", json_pack("{s:s}", "name", name), &err);
    free(name);
    if (identity == NULL)
        return yr_cli_error(cli, &err);
    yr_out_note(&cli->out, "Identity %s made.%s", yr_json_str(identity, "short", "?"),
                cli->started ? " Node started." : "");
    json_decref(identity);
    return YR_EXIT_OK;
}

static enum yr_exit open_client(struct yr_cli *cli, bool quiet_if_absent)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = cli->timeout_ms};
    struct yr_client_error err = {0};

    if (yr_client_open(&cli->client, &opts, &err) == YR_OK)
        return YR_EXIT_OK;
    if (quiet_if_absent && err.exit == YR_EXIT_UNAVAILABLE) {
        yr_client_error_clear(&err);
        return YR_EXIT_UNAVAILABLE;
    }
    return yr_cli_error(cli, &err);
}

enum yr_exit yr_cli_connect(struct yr_cli *cli)
{
    const bool autostart = wants_autostart(cli);
    struct yr_fail fail = {0};
    enum yr_exit exit;

    if (cli->client != NULL)
        return YR_EXIT_OK;
    exit = open_client(cli, autostart);
    if (exit == YR_EXIT_UNAVAILABLE && autostart) {
        if (yr_start_node(&cli->paths, YR_ARG(cli, any_socket), &fail) != YR_EXIT_OK)
            return yr_cli_fail_with(cli, &fail);
        cli->started = true;
        exit = open_client(cli, false);
    }
    if (exit != YR_EXIT_OK)
        return exit;
    if ((yr_commands[cli->line.command].traits & YR_T_AUTOSTART) != 0 && yr_cli_can_ask(cli) &&
        strcmp(hello_state(cli), "no_identity") == 0)
        return first_identity(cli);
    if (cli->started)
        yr_out_note(&cli->out, "Node started.");
    return YR_EXIT_OK;
}

json_t *yr_cli_call(struct yr_cli *cli, const char *method, json_t *params, enum yr_exit *exit)
{
    struct yr_client_error err = {0};
    json_t *result;

    *exit = yr_cli_connect(cli);
    if (*exit != YR_EXIT_OK) {
        json_decref(params);
        return NULL;
    }
    result = yr_client_call(cli->client, method, params, &err);
    if (result == NULL)
        *exit = yr_cli_error(cli, &err);
    return result;
}

json_t *yr_cli_record(struct yr_cli *cli, const char *method, json_t *params, enum yr_exit *exit)
{
    json_t *record = yr_cli_call(cli, method, params, exit);

    if (record != NULL)
        yr_out_json(&cli->out, record);
    return record;
}

enum yr_exit yr_cli_do(struct yr_cli *cli, const char *method, json_t *params)
{
    enum yr_exit exit;
    json_t *record = yr_cli_record(cli, method, params, &exit);

    json_decref(record);
    return exit;
}

/* ---- arguments ---- */

enum yr_exit yr_cli_number(struct yr_cli *cli, enum yr_flag_id flag, int64_t absent, int64_t max,
                           int64_t *out)
{
    const char *text = cli->line.flag[flag];
    char *end;
    long long number;

    *out = absent;
    if (text == NULL)
        return YR_EXIT_OK;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 0 || number > max)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--%s: '%s' is not a number from 0 to %lld", yr_flags[flag].name, text,
                           (long long)max);
    *out = number;
    return YR_EXIT_OK;
}

enum yr_exit yr_cli_duration(struct yr_cli *cli, enum yr_flag_id flag, int64_t absent,
                             int64_t *out_ms)
{
    const char *text = cli->line.flag[flag];

    *out_ms = absent;
    if (text != NULL && !yr_duration_read(text, out_ms))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "durations: 90s 5m 2h 7d, or seconds",
                           "--%s: '%s' is not a duration", yr_flags[flag].name, text);
    return YR_EXIT_OK;
}

enum yr_exit yr_cli_mute(struct yr_cli *cli, const char *how, int64_t *out_s)
{
    int64_t muted_ms = -1000;

    if (how != NULL && strcmp(how, "off") == 0)
        muted_ms = 0;
    else if (how != NULL && !yr_duration_read(how, &muted_ms))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "durations: 90s 5m 2h 7d, or seconds",
                           "'%s' is neither a duration nor off", how);
    *out_s = muted_ms / 1000;
    return YR_EXIT_OK;
}

enum yr_exit yr_cli_check_text(struct yr_cli *cli, const char *text, size_t len)
{
    if (len == 0)
        return yr_cli_fail(cli, YR_EXIT_DATAERR, "empty", NULL, "the text is empty");
    if (len > TEXT_MAX)
        return yr_cli_fail(cli, YR_EXIT_DATAERR, "too_large", NULL,
                           "the text is too long: %zu bytes, at most %zu", len, TEXT_MAX);
    if (!yr_utf8_valid(text, len, false))
        return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_text", NULL, "the text is not valid UTF-8");
    return YR_EXIT_OK;
}

/** All of stdin, one byte more than a text may have at most: enough to refuse it. */
static void read_stdin(struct yr_buf *out)
{
    char part[4096];
    size_t n;

    while (out->len <= TEXT_MAX + 1 && (n = fread(part, 1, sizeof part, stdin)) > 0)
        yr_buf_add(out, part, n);
    if (out->len > 0 && out->at[out->len - 1] == '\n')
        yr_buf_cut(out, out->len - 1);
}

enum yr_exit yr_cli_text(struct yr_cli *cli, int first, char **text)
{
    const int count = cli->line.operand_count - first;
    struct yr_buf buf = {0};
    enum yr_exit exit;

    if (count <= 0 && isatty(STDIN_FILENO) == 1)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari chat", "no text given");
    if (count <= 0 || (count == 1 && strcmp(yr_operand(cli, first), "-") == 0))
        read_stdin(&buf);
    else
        for (int i = 0; i < count; i++)
            yr_buf_addf(&buf, "%s%s", i == 0 ? "" : " ", yr_operand(cli, first + i));
    exit = yr_cli_check_text(cli, yr_buf_str(&buf), buf.len);
    if (exit == YR_EXIT_OK)
        *text = yr_buf_take(&buf);
    yr_buf_clear(&buf);
    return exit;
}

void yr_cli_free_secret(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

#define PASSPHRASE_MAX 1024

enum yr_exit yr_cli_read_passphrase(struct yr_cli *cli, const char *fd_text, char **out)
{
    char *end, *secret = yr_xrealloc(NULL, PASSPHRASE_MAX + 2);
    const long fd = strtol(fd_text, &end, 10);
    size_t len = 0;
    ssize_t n = 1;

    if (end == fd_text || *end != '\0' || fd < 0 || fd > 1 << 20) {
        free(secret);
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--passphrase-fd: '%s' is not a descriptor", fd_text);
    }
    while (len <= PASSPHRASE_MAX && n > 0) {
        n = read((int)fd, secret + len, PASSPHRASE_MAX + 1 - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (len > 0 && secret[len - 1] == '\n')
        len--;
    secret[len] = '\0';
    if (n < 0 || len == 0 || len > PASSPHRASE_MAX || strlen(secret) != len) {
        explicit_bzero(secret, PASSPHRASE_MAX + 2);
        free(secret);
        return yr_cli_fail(cli, YR_EXIT_NOINPUT, "no_input", NULL, "descriptor %ld: %s", fd,
                           n < 0 ? strerror(errno) : "no passphrase of 1 to 1024 bytes there");
    }
    *out = secret;
    return YR_EXIT_OK;
}
