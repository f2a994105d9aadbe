/* cli/cmd_daemon.c: daemon and its subcommands. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/start.h"

#define STEP_MS 20 /* between two looks at something that will end by itself */

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/** Connect if somebody is there.  YR_EXIT_UNAVAILABLE, not reported: nobody is. */
static enum yr_exit try_connect(struct yr_cli *cli)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = cli->timeout_ms};
    struct yr_client_error err = {0};

    if (cli->client != NULL || yr_client_open(&cli->client, &opts, &err) == YR_OK)
        return YR_EXIT_OK;
    if (err.exit != YR_EXIT_UNAVAILABLE)
        return yr_cli_error(cli, &err);
    yr_client_error_clear(&err);
    return YR_EXIT_UNAVAILABLE;
}

static enum yr_exit not_running(struct yr_cli *cli)
{
    return yr_cli_fail(cli, YR_EXIT_UNAVAILABLE, "daemon_not_running", "yaari daemon start",
                       "the node of profile '%s' is not running", cli->paths.profile);
}

static void add_running(struct yr_buf *line, const json_t *status)
{
    const long pid = (long)yr_json_int(status, "pid", 0);

    yr_buf_addf(line, "running, pid %ld, %s", pid, yr_unit_runs(pid) ? "systemd user unit, " : "");
    yr_add_uptime(line, status);
    yr_buf_adds(line, ", socket ");
    yr_add_flat(line, yr_json_str(status, "socket", "?"));
}

static bool healthy(const json_t *status)
{
    const char *state = yr_json_str(status, "state", "ok");

    return (strcmp(state, "ok") == 0 || strcmp(state, "offline") == 0) &&
           !yr_json_bool(status, "store_failing", false) && !yr_json_bool(status, "retired", false);
}

/** --wait: until it is on the network. */
static enum yr_exit wait_ok(struct yr_cli *cli)
{
    const yr_ms deadline = yr_wall_ms() + cli->timeout_ms;
    enum yr_exit exit = YR_EXIT_OK;

    for (;;) {
        json_t *status = yr_cli_call(cli, "net.status", NULL, &exit);
        const bool good = healthy(status);
        char state[32];

        snprintf(state, sizeof state, "%s", yr_json_str(status, "state", "?"));
        json_decref(status);
        if (exit != YR_EXIT_OK || good)
            return exit;
        if (yr_wall_ms() >= deadline)
            return yr_cli_fail(cli, YR_EXIT_TEMPFAIL, "timeout", "yaari status",
                               "the node runs, its state is '%s'", state);
        pause_ms(STEP_MS);
    }
}

static enum yr_exit start(struct yr_cli *cli)
{
    struct yr_buf line = {0};
    struct yr_fail fail = {0};
    json_t *status;
    enum yr_exit exit;

    if (yr_start_node(&cli->paths, YR_ARG(cli, any_socket), &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    exit = YR_ARG(cli, daemon_start_wait) != NULL ? wait_ok(cli) : YR_EXIT_OK;
    if (exit != YR_EXIT_OK)
        return exit;
    status = yr_cli_record(cli, "net.status", NULL, &exit);
    if (status == NULL)
        return exit;
    add_running(&line, status);
    yr_out_note(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
    json_decref(status);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_daemon_start(struct yr_cli *cli)
{
    const enum yr_exit exit = try_connect(cli);

    if (exit == YR_EXIT_OK)
        return yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists", "yaari daemon status",
                           "the node of profile '%s' is running already", cli->paths.profile);
    return exit == YR_EXIT_UNAVAILABLE ? start(cli) : exit;
}

/** Ask it to stop, then wait until it has ended. */
static enum yr_exit stop(struct yr_cli *cli)
{
    const pid_t pid = (pid_t)yr_json_int(yr_client_hello(cli->client), "pid", 0);
    const yr_ms deadline = yr_wall_ms() + cli->timeout_ms;
    enum yr_exit exit;

    json_decref(yr_cli_call(cli, "daemon.stop", NULL, &exit));
    if (exit != YR_EXIT_OK)
        return exit;
    yr_client_close(cli->client);
    cli->client = NULL;
    while (pid > 0 && kill(pid, 0) == 0) {
        if (yr_wall_ms() >= deadline)
            return yr_cli_fail(cli, YR_EXIT_TEMPFAIL, "timeout", NULL,
                               "the node (pid %ld) is still ending", (long)pid);
        pause_ms(STEP_MS);
    }
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_daemon_stop(struct yr_cli *cli)
{
    const enum yr_exit exit = try_connect(cli);

    if (exit == YR_EXIT_UNAVAILABLE)
        return not_running(cli);
    return exit == YR_EXIT_OK ? stop(cli) : exit;
}

enum yr_exit yr_cmd_daemon_restart(struct yr_cli *cli)
{
    enum yr_exit exit = try_connect(cli);

    if (exit == YR_EXIT_OK)
        exit = stop(cli);
    else if (exit == YR_EXIT_UNAVAILABLE)
        exit = YR_EXIT_OK;
    return exit == YR_EXIT_OK ? start(cli) : exit;
}

enum yr_exit yr_cmd_daemon_reload(struct yr_cli *cli)
{
    enum yr_exit exit;

    json_decref(yr_cli_call(cli, "daemon.reload", NULL, &exit));
    return exit;
}

enum yr_exit yr_cmd_daemon_status(struct yr_cli *cli)
{
    enum yr_exit exit = try_connect(cli);
    struct yr_buf line = {0};
    json_t *status;
    bool good;

    if (exit == YR_EXIT_UNAVAILABLE)
        return not_running(cli);
    if (exit != YR_EXIT_OK)
        return exit;
    status = yr_cli_record(cli, "net.status", NULL, &exit);
    if (status == NULL)
        return exit;
    add_running(&line, status);
    good = healthy(status);
    if (!good)
        yr_buf_addf(&line, ", state %s",
                    yr_json_bool(status, "retired", false) ? "restored elsewhere"
                    : yr_json_bool(status, "store_failing", false)
                        ? "store failing"
                        : yr_json_str(status, "state", "?"));
    yr_out_say(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
    json_decref(status);
    return good ? YR_EXIT_OK : YR_EXIT_NOTHING;
}

/* ---- logs ---- */

static enum yr_exit journal(struct yr_cli *cli, bool follow)
{
    char unit[64];

    yr_unit_name(&cli->paths, unit, sizeof unit);
    fflush(stdout);
    execlp("journalctl", "journalctl", "--user", "-u", unit, follow ? "-f" : "--no-pager",
           (char *)NULL);
    return yr_cli_fail(cli, YR_EXIT_OSERR, "os_error", NULL, "journalctl: %s", strerror(errno));
}

/** Print what is there, from where the file stands. */
static void copy_log(struct yr_cli *cli, FILE *file)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    struct yr_buf safe = {0};

    while ((len = getline(&line, &cap, file)) > 0) {
        yr_buf_cut(&safe, 0);
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        yr_add_flat(&safe, line);
        yr_buf_addc(&safe, '\n');
        yr_out_write(&cli->out, yr_buf_str(&safe), safe.len);
    }
    clearerr(file);
    yr_buf_clear(&safe);
    free(line);
}

enum yr_exit yr_cmd_daemon_logs(struct yr_cli *cli)
{
    const bool follow = YR_ARG(cli, daemon_logs_follow) != NULL;
    FILE *file;

    if (yr_unit_known(&cli->paths) && access(cli->paths.log, R_OK) != 0)
        return journal(cli, follow);
    file = fopen(cli->paths.log, "re");
    if (file == NULL)
        return yr_cli_fail(cli, YR_EXIT_NOINPUT, "no_input", NULL, "log '%s': %s", cli->paths.log,
                           strerror(errno));
    if (follow)
        cli->out.paged = false;
    do {
        copy_log(cli, file);
        if (follow && (fflush(stdout) != 0 || ferror(stdout) != 0))
            break;
        if (follow)
            pause_ms(200);
    } while (follow);
    fclose(file);
    return YR_EXIT_OK;
}
