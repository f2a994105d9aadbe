/* cli/cmd_config.c: config: works on the file; a running node is told to read it again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/common/json.h"

/** Every mistake of the files on a line of its own; the first as the error. */
static enum yr_exit config_is_bad(struct yr_cli *cli, const char *lines)
{
    const char *rest = lines;
    size_t len = strcspn(lines, "\n");
    enum yr_exit exit;

    exit = yr_cli_fail(cli, YR_EXIT_CONFIG, "config", NULL, "%.*s", (int)len, rest);
    for (rest += len + (rest[len] == '\n'); *rest != '\0'; rest += len + (rest[len] == '\n')) {
        len = strcspn(rest, "\n");
        exit = yr_cli_fail(cli, YR_EXIT_CONFIG, "config", NULL, "%.*s", (int)len, rest);
    }
    return exit;
}

static enum yr_exit load(struct yr_cli *cli)
{
    struct yr_buf errors = {0};
    enum yr_exit exit;

    yr_config_clear(&cli->config);
    exit = yr_config_load(&cli->config, &cli->paths, false, &errors);
    if (exit != YR_EXIT_OK)
        config_is_bad(cli, yr_buf_str(&errors));
    yr_buf_clear(&errors);
    return exit;
}

static enum yr_exit find_key(struct yr_cli *cli, enum yr_config_key *key)
{
    const char *name = yr_operand(cli, 0), *nearest;
    char hint[96];

    *key = yr_config_find(name);
    if (*key != YR_CFG_COUNT)
        return YR_EXIT_OK;
    nearest = yr_config_nearest(name);
    snprintf(hint, sizeof hint, "did you mean '%s'? all keys: yaari config list",
             nearest == NULL ? "" : nearest);
    return yr_cli_fail(cli, YR_EXIT_CONFIG, "config",
                       nearest == NULL ? "all keys: yaari config list" : hint, "unknown key '%s'",
                       name);
}

static json_t *config_record(const struct yr_config *config, enum yr_config_key key)
{
    char *value = yr_config_text(config, key);
    json_t *record = json_pack("{s:s, s:s}", "type", "config", "key", yr_config_descs[key].name);

    yr_json_put_str(record, "value", value);
    yr_json_put_str(record, "origin", yr_config_where(config, key));
    free(value);
    return record;
}

static void print_value(struct yr_cli *cli, enum yr_config_key key)
{
    json_t *record = config_record(&cli->config, key);
    struct yr_buf line = {0};

    yr_out_json(&cli->out, record);
    yr_add_text(&line, yr_json_str(record, "value", ""));
    yr_out_say(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
    json_decref(record);
}

/** A node that runs reads its configuration again; one that does not will. */
static enum yr_exit tell_node(struct yr_cli *cli)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = cli->timeout_ms};
    struct yr_client_error err = {0};
    enum yr_exit exit = YR_EXIT_OK;
    json_t *done = NULL;

    if (yr_client_open(&cli->client, &opts, &err) != YR_OK) {
        exit = err.exit == YR_EXIT_UNAVAILABLE ? YR_EXIT_OK : yr_cli_error(cli, &err);
        yr_client_error_clear(&err);
        return exit;
    }
    done = yr_client_call(cli->client, "daemon.reload", NULL, &err);
    if (done == NULL)
        exit = yr_cli_error(cli, &err);
    json_decref(done);
    return exit;
}

enum yr_exit yr_cmd_config_get(struct yr_cli *cli)
{
    enum yr_config_key key;
    enum yr_exit exit = find_key(cli, &key);

    if (exit == YR_EXIT_OK)
        exit = load(cli);
    if (exit == YR_EXIT_OK)
        print_value(cli, key);
    return exit;
}

static enum yr_exit change(struct yr_cli *cli, enum yr_config_key key, const char *value)
{
    struct yr_fail fail = {0};
    enum yr_exit exit;

    if (yr_config_set(&cli->paths, key, value, &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    exit = load(cli);
    if (exit == YR_EXIT_OK && cli->out.json)
        print_value(cli, key);
    return exit == YR_EXIT_OK ? tell_node(cli) : exit;
}

enum yr_exit yr_cmd_config_set(struct yr_cli *cli)
{
    enum yr_config_key key;
    const enum yr_exit exit = find_key(cli, &key);

    return exit == YR_EXIT_OK ? change(cli, key, yr_operand(cli, 1)) : exit;
}

enum yr_exit yr_cmd_config_unset(struct yr_cli *cli)
{
    enum yr_config_key key;
    enum yr_exit exit = find_key(cli, &key);

    if (exit == YR_EXIT_OK)
        exit = load(cli);
    if (exit != YR_EXIT_OK)
        return exit;
    if (cli->config.values[key].origin != YR_CONFIG_PROFILE)
        return yr_cli_fail(cli, YR_EXIT_NOTHING, "not_set", NULL, "'%s' is not set in '%s'",
                           yr_config_descs[key].name, cli->paths.config);
    return change(cli, key, NULL);
}

static void config_row(struct yr_cli *cli, struct yr_table *table, const json_t *record)
{
    struct yr_buf cell = {0};

    yr_buf_addf(&cell, "%s = ", yr_json_str(record, "key", ""));
    yr_add_flat(&cell, yr_json_str(record, "value", ""));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    if (YR_ARG(cli, config_list_origin) != NULL)
        yr_add_flat(&cell, yr_json_str(record, "origin", ""));
    yr_table_add(table, YR_ROLE_TIME, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_config_list(struct yr_cli *cli)
{
    struct yr_table table = yr_table_init(2, NULL);
    struct yr_buf defaults = {0};
    enum yr_exit exit;

    if (YR_ARG(cli, config_list_defaults) != NULL && !cli->out.json) {
        yr_config_print_defaults(&defaults);
        yr_out_write(&cli->out, yr_buf_str(&defaults), defaults.len);
        yr_buf_clear(&defaults);
        return YR_EXIT_OK;
    }
    if (YR_ARG(cli, config_list_defaults) != NULL) {
        yr_config_clear(&cli->config);
        yr_config_init(&cli->config);
    } else if ((exit = load(cli)) != YR_EXIT_OK) {
        return exit;
    }
    for (int key = 0; key < YR_CFG_COUNT; key++) {
        json_t *record = config_record(&cli->config, (enum yr_config_key)key);

        if (yr_out_human(&cli->out))
            config_row(cli, &table, record);
        else
            yr_out_record(&cli->out, record);
        json_decref(record);
    }
    yr_table_print(&cli->out, &table);
    return YR_EXIT_OK;
}

/* ---- edit, check, path ---- */

static const char *editor(void)
{
    const char *name = getenv("VISUAL");

    if (name == NULL || name[0] == '\0')
        name = getenv("EDITOR");
    return name == NULL || name[0] == '\0' ? "vi" : name;
}

/** Run the user's own editor, which may have arguments. */
static enum yr_exit run_editor(struct yr_cli *cli, const char *path)
{
    struct yr_buf command = {0};
    pid_t pid;
    int status = 0;

    yr_buf_addf(&command, "%s \"$1\"", editor());
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", yr_buf_str(&command), "sh", path, (char *)NULL);
        _exit(127);
    }
    yr_buf_clear(&command);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return yr_cli_fail(cli, YR_EXIT_OSERR, "os_error", NULL, "editor '%s' failed", editor());
    return YR_EXIT_OK;
}

/** A new file begins with the defaults, all commented out. */
static enum yr_exit make_file(struct yr_cli *cli)
{
    static const char start[] = "# yaari config list --defaults shows all keys\n";
    struct yr_fail fail = {0};

    if (access(cli->paths.config, F_OK) == 0)
        return YR_EXIT_OK;
    if (yr_mkdirs(cli->paths.config_dir, &fail) != YR_EXIT_OK ||
        yr_write_file(cli->paths.config, start, sizeof start - 1, 0600, &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_config_edit(struct yr_cli *cli)
{
    enum yr_exit exit;

    if (!yr_cli_can_ask(cli))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari config set KEY VALUE",
                           "config edit: no terminal");
    exit = make_file(cli);
    while (exit == YR_EXIT_OK) {
        exit = run_editor(cli, cli->paths.config);
        if (exit == YR_EXIT_OK)
            exit = load(cli);
        if (exit != YR_EXIT_CONFIG)
            break;
        if (yr_cli_confirm(cli, "Edit it again?") != YR_EXIT_OK)
            return YR_EXIT_CONFIG;
        exit = YR_EXIT_OK;
    }
    return exit == YR_EXIT_OK ? tell_node(cli) : exit;
}

static enum yr_exit check_file(struct yr_cli *cli, const char *path)
{
    struct yr_config config;
    struct yr_buf errors = {0};
    struct yr_fail fail = {0};
    char *bytes = NULL;
    size_t len;
    enum yr_exit exit = YR_EXIT_OK;

    if (yr_read_file(path, YR_CONFIG_FILE_MAX, &bytes, &len, &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    yr_config_init(&config);
    if (yr_config_parse(&config, path, YR_CONFIG_PROFILE, bytes, len, &errors) > 0)
        exit = config_is_bad(cli, yr_buf_str(&errors));
    yr_config_clear(&config);
    yr_buf_clear(&errors);
    free(bytes);
    return exit;
}

enum yr_exit yr_cmd_config_check(struct yr_cli *cli)
{
    const char *path = yr_operand(cli, 0);
    const enum yr_exit exit = path != NULL ? check_file(cli, path) : load(cli);

    if (exit == YR_EXIT_OK)
        yr_out_next(&cli->out, "No mistakes.");
    return exit;
}

enum yr_exit yr_cmd_config_path(struct yr_cli *cli)
{
    struct yr_buf line = {0};

    yr_add_flat(&line, cli->paths.config);
    yr_buf_addc(&line, '\n');
    yr_out_write(&cli->out, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
    return YR_EXIT_OK;
}
