/* cli/main.c: yaari, the client: read the line, run the command, say what came of it. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/columns.h"
#include "cli/common/json.h"
#include "cli/common/std_fds.h"
#include "cli/common/utf8.h"
#include "cli/help.h"

#define CALL_MS 10000 /* default limit of a call */

/** Was --json said, by someone whose line could not be read? */
static bool mentions_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
            return true;
    return false;
}

static enum yr_exit show_help(struct yr_cli *cli)
{
    struct yr_buf text = {0};

    if (cli->line.command != YR_CMD_none)
        yr_help_command(&text, cli->line.command);
    else if (cli->line.group != YR_GROUP_none)
        yr_help_group(&text, cli->line.group);
    else
        yr_help_overview(&text);
    yr_out_write(&cli->out, yr_buf_str(&text), text.len);
    yr_buf_clear(&text);
    return YR_EXIT_OK;
}

/** The flags that every command has. */
static enum yr_exit take_globals(struct yr_cli *cli)
{
    const char *color = YR_ARG(cli, any_color), *time = YR_ARG(cli, any_time);
    int64_t timeout_ms;
    enum yr_exit exit;

    if (color != NULL && strcmp(color, "auto") != 0 && strcmp(color, "always") != 0 &&
        strcmp(color, "never") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--color: '%s' is none of auto, always, never", color);
    if (time != NULL && !yr_time_format_ok(time))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--time: '%s' is none of iso, short, unix, rel, +STRFTIME", time);
    exit = yr_cli_duration(cli, YR_F_any_timeout, CALL_MS, &timeout_ms);
    if (exit != YR_EXIT_OK)
        return exit;
    cli->timeout_given = YR_ARG(cli, any_timeout) != NULL;
    cli->timeout_ms = timeout_ms > INT32_MAX ? INT32_MAX : (unsigned)timeout_ms;
    if (cli->timeout_given && cli->timeout_ms == 0)
        cli->timeout_ms = 1; // 0 would be for ever
    cli->out.quiet = YR_ARG(cli, any_quiet) != NULL;
    cli->out.verbose = YR_ARG(cli, any_verbose) != NULL;
    cli->out.time.utc = YR_ARG(cli, any_utc) != NULL;
    if (time != NULL) {
        cli->out.time.format = time;
        cli->out.time_given = true;
    }
    cli->out.paged = (yr_commands[cli->line.command].traits & YR_T_PAGED) != 0 && cli->out.tty &&
                     !cli->out.json && YR_ARG(cli, any_no_pager) == NULL;
    return YR_EXIT_OK;
}

/** Files have any name; all else must be UTF-8, for the node and for JSON. */
static enum yr_exit check_utf8(struct yr_cli *cli)
{
    for (int i = 0; i < cli->line.operand_count; i++)
        if (!yr_utf8_valid(cli->line.operands[i], strlen(cli->line.operands[i]), false) &&
            cli->line.command != YR_CMD_config_check)
            return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_text", NULL,
                               "an argument is not valid UTF-8");
    for (int i = 0; i < YR_F_COUNT; i++) {
        const char *value = cli->line.flag[i], *arg = yr_flags[i].arg;

        if (value != NULL && arg != NULL && strcmp(arg, "FILE") != 0 && strcmp(arg, "PATH") != 0 &&
            i != YR_F_tail_exec && !yr_utf8_valid(value, strlen(value), false))
            return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_text", NULL, "--%s: not valid UTF-8",
                               yr_flags[i].name);
    }
    return YR_EXIT_OK;
}

static enum yr_exit find_places(struct yr_cli *cli)
{
    const struct yr_paths_opts opts = {.profile = YR_ARG(cli, any_profile),
                                       .socket = YR_ARG(cli, any_socket)};
    struct yr_buf errors = {0};
    struct yr_fail fail = {0};

    if (yr_paths_init(&cli->paths, &opts, &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    // A mistake in it is no reason not to talk to a node that runs: `config check` tells, and the
    // defaults of presentation do.
    if (yr_config_load(&cli->config, &cli->paths, false, &errors) == YR_EXIT_OK)
        yr_out_configure(&cli->out, &cli->config);
    yr_buf_clear(&errors);
    return YR_EXIT_OK;
}

/** Bare `yaari`. */
static enum yr_exit overview(struct yr_cli *cli)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = cli->timeout_ms};
    struct yr_client_error err = {0};
    struct yr_buf text = {0};
    json_t *status, *inbox;
    enum yr_exit exit;

    if (!cli->out.tty)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari help", "missing command");
    if (yr_client_open(&cli->client, &opts, &err) != YR_OK) {
        if (err.exit != YR_EXIT_UNAVAILABLE)
            return yr_cli_error(cli, &err);
        if (access(cli->paths.vault_key, F_OK) == 0)
            yr_buf_adds(&text, "The node is not running: yaari daemon start\n");
        else
            yr_help_welcome(&text);
        yr_client_error_clear(&err);
    } else if (strcmp(yr_json_str(yr_client_hello(cli->client), "state", ""), "no_identity") == 0) {
        yr_help_welcome(&text);
    } else {
        status = yr_cli_call(cli, "net.status", NULL, &exit);
        if (status == NULL)
            return exit;
        yr_show_status(cli, status);
        json_decref(status);
        inbox = yr_fetch_inbox(cli, &exit);
        if (inbox != NULL)
            yr_show_inbox(cli, inbox);
        json_decref(inbox);
        return exit;
    }
    yr_out_write(&cli->out, yr_buf_str(&text), text.len);
    yr_buf_clear(&text);
    return YR_EXIT_OK;
}

static enum yr_exit run(struct yr_cli *cli)
{
    enum yr_exit exit = take_globals(cli);

    if (exit != YR_EXIT_OK)
        return exit;
    if (cli->line.help) {
        cli->out.paged = cli->out.tty && YR_ARG(cli, any_no_pager) == NULL;
        return show_help(cli);
    }
    if (cli->line.version) {
        yr_out_write(&cli->out, "yaari " YAARI_VERSION "\n", strlen("yaari " YAARI_VERSION "\n"));
        return YR_EXIT_OK;
    }
    exit = check_utf8(cli);
    if (exit == YR_EXIT_OK && (yr_commands[cli->line.command].traits & YR_T_LOCAL) == 0)
        exit = find_places(cli);
    if (exit != YR_EXIT_OK)
        return exit;
    return cli->line.command == YR_CMD_none ? overview(cli)
                                            : yr_commands[cli->line.command].run(cli);
}

int main(int argc, char **argv)
{
    static struct yr_cli cli;
    enum yr_exit exit, written;

    if (!yr_std_fds())
        return YR_EXIT_OSERR;
    yr_json_wipe_freed();     // a passphrase may be in a request
    signal(SIGPIPE, SIG_DFL); // a reader that leaves ends us without a word
    yr_locale_init();
    exit = yr_line_parse(&cli.line, argc, argv);
    cli.out.json = YR_ARG(&cli, any_json) != NULL;
    if (exit != YR_EXIT_OK)
        cli.out.json = cli.out.json || mentions_json(argc, argv);
    yr_out_init(&cli.out, YR_ARG(&cli, any_color));
    if (exit != YR_EXIT_OK)
        exit = yr_cli_fail_with(&cli, &cli.line.fail);
    else
        exit = run(&cli);
    written = yr_out_finish(&cli.out);
    if (written != YR_EXIT_OK && exit == YR_EXIT_OK)
        exit = yr_cli_fail(&cli, written, "io", NULL, "cannot write to stdout");
    yr_client_close(cli.client);
    yr_config_clear(&cli.config);
    yr_paths_clear(&cli.paths);
    return (int)exit;
}
