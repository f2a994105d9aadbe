/* cli/cmd_init.c: init: make an identity, with or without a running node. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/common/text_safe.h"
#include "cli/restore.h"
#include "cli/start.h"
#include "net/lock.h"
#include "yaari/host.h"

static json_t *identity_record(const uint8_t id[YR_ID_LEN], const char *name)
{
    char text[YR_ID_LEN * 2];
    json_t *record = json_object();

    yr_id_text(text, id, YR_ID_LEN);
    json_object_set_new(record, "type", json_string("identity"));
    yr_json_put_str(record, "id", text);
    json_object_set_new(record, "short", json_stringn(text, 8));
    yr_json_put_str(record, "name", name);
    yr_json_put_time(record, "created", yr_wall_ms());
    return record;
}

static enum yr_exit exit_of(enum yr_err err)
{
    switch ((int)err) {
    case YR_EEXIST: return YR_EXIT_CANTCREAT;
    case YR_EDENIED:
    case YR_EAUTH:
    case YR_ELOCKED: return YR_EXIT_NOPERM;
    case YR_EIO:
    case YR_ENOSPC:
    case YR_ECORRUPT: return YR_EXIT_IOERR;
    case YR_ESIZE:
    case YR_EINVAL:
    case YR_EPROTO: return YR_EXIT_DATAERR;
    default: return YR_EXIT_OSERR;
    }
}

static enum yr_exit profile_exists(struct yr_cli *cli)
{
    return yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists", "another profile: yaari -P NAME init",
                       "profile '%s': it has an identity already", cli->paths.profile);
}

/** With no node running: take its lock and make the identity here. */
static enum yr_exit make_here(struct yr_cli *cli, const char *name, const char *secret,
                              json_t **identity)
{
    struct yr_lock lock = {.fd = -1};
    struct yr_net_fail why = {0};
    struct yr_fail fail = {0};
    uint8_t id[YR_ID_LEN];
    char text[320] = "";
    pid_t holder = 0;
    enum yr_exit exit;
    enum yr_err err;

    exit = yr_private_dir(cli->paths.run_dir, &fail);
    if (exit == YR_EXIT_OK)
        exit = yr_private_dir(cli->paths.data_dir, &fail);
    if (exit != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    err = yr_lock_take(&lock, cli->paths.pid, &holder, &why);
    if (err == YR_EEXIST && holder > 0)
        return yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists", NULL,
                           "profile '%s': another program (pid %ld) is using it",
                           cli->paths.profile, (long)holder);
    if (err == YR_EEXIST)
        return yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists", NULL,
                           "profile '%s': another program is using it", cli->paths.profile);
    if (err != YR_OK)
        return yr_cli_fail(cli, exit_of(err), "io", NULL, "%s", why.text);
    yr_harden(); // from here on there are keys in this process
    err = yr_host_make_identity(cli->paths.data_dir, name, secret,
                                secret == NULL ? 0 : strlen(secret), id, text, sizeof text);
    yr_lock_release(&lock);
    if (err == YR_EEXIST)
        return profile_exists(cli);
    if (err != YR_OK)
        return yr_cli_fail(cli, exit_of(err), "io", NULL, "profile '%s': %s", cli->paths.profile,
                           text[0] == '\0' ? yr_strerror(err) : text);
    *identity = identity_record(id, name);
    return YR_EXIT_OK;
}

/** A passphrase is hashed for a second or so on purpose. */
static void expect_hash(struct yr_cli *cli)
{
    yr_client_set_timeout(cli->client, cli->timeout_given ? cli->timeout_ms : 60000);
}

static enum yr_exit unlock(struct yr_cli *cli, const char *secret)
{
    struct yr_client_error err = {0};
    json_t *status;

    expect_hash(cli);
    status =
        yr_client_call(cli->client, "vault.unlock", json_pack("{s:s}", "passphrase", secret), &err);
    if (status == NULL)
        return yr_cli_error(cli, &err);
    json_decref(status);
    return YR_EXIT_OK;
}

/** Through the node that runs. */
static enum yr_exit make_there(struct yr_cli *cli, const char *name, const char *secret,
                               json_t **identity)
{
    json_t *params = json_pack("{s:s}", "name", name);
    struct yr_client_error err = {0};

    if (secret != NULL)
        json_object_set_new(params, "passphrase", json_string(secret));
    expect_hash(cli);
    *identity = yr_client_call(cli->client, "identity.create", params, &err);
    if (*identity == NULL && err.code == YR_RPC_EXISTS) {
        yr_client_error_clear(&err);
        return profile_exists(cli);
    }
    return *identity == NULL ? yr_cli_error(cli, &err) : YR_EXIT_OK;
}

/** --name, an answer, or the login name. */
static enum yr_exit choose_name(struct yr_cli *cli, char **name)
{
    const char *login = yr_login_name();
    struct yr_buf question = {0}, shown = {0};
    enum yr_exit exit = YR_EXIT_OK;

    if (YR_ARG(cli, init_name) != NULL) {
        *name = yr_strdup(YR_ARG(cli, init_name));
    } else if (!yr_cli_can_ask(cli)) {
        *name = yr_strdup(login);
    } else {
        yr_buf_adds(&question, "Name your friends will see [");
        yr_add_name(&question, login);
        yr_buf_adds(&question, "]:");
        exit = yr_cli_ask(cli, yr_buf_str(&question), login, name);
        yr_buf_clear(&question);
    }
    if (exit == YR_EXIT_OK)
        yr_safe_name(&shown, *name, strlen(*name));
    if (exit == YR_EXIT_OK && (shown.len == 0 || strlen(*name) > 64)) {
        free(*name);
        *name = NULL;
        exit = yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_name", NULL,
                           "a name has 1 to 64 bytes, of which something can be shown");
    }
    yr_buf_clear(&shown);
    return exit;
}

static enum yr_exit start_after_init(struct yr_cli *cli, const char *secret)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = cli->timeout_ms};
    struct yr_client_error err = {0};
    struct yr_fail fail = {0};

    if (yr_start_node(&cli->paths, YR_ARG(cli, any_socket), &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    if (secret == NULL)
        return YR_EXIT_OK;
    if (yr_client_open(&cli->client, &opts, &err) != YR_OK)
        return yr_cli_error(cli, &err);
    return unlock(cli, secret);
}

enum yr_exit yr_cmd_init(struct yr_cli *cli)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = cli->timeout_ms};
    struct yr_client_error err = {0};
    char *name = NULL, *secret = NULL;
    json_t *identity = NULL;
    bool running;
    enum yr_exit exit = YR_EXIT_OK;

    if (YR_ARG(cli, init_restore) != NULL) {
        const struct yr_restore_flags flags = {
            .file = YR_ARG(cli, init_restore),
            .passphrase_fd = YR_ARG(cli, init_passphrase_fd),
            .start = YR_ARG(cli, init_no_start) == NULL,
        };
        if (YR_ARG(cli, init_name) != NULL)
            return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                               "--name: the backup has one; later: yaari me set name");
        return yr_restore_profile(cli, &flags);
    }
    running = yr_client_open(&cli->client, &opts, &err) == YR_OK;
    if (!running && err.exit != YR_EXIT_UNAVAILABLE)
        return yr_cli_error(cli, &err);
    yr_client_error_clear(&err);
    if (running &&
        strcmp(yr_json_str(yr_client_hello(cli->client), "state", "ok"), "no_identity") != 0)
        return profile_exists(cli);
    if (YR_ARG(cli, init_passphrase_fd) != NULL)
        exit = yr_cli_read_passphrase(cli, YR_ARG(cli, init_passphrase_fd), &secret);
    if (exit == YR_EXIT_OK)
        exit = choose_name(cli, &name);
    if (exit == YR_EXIT_OK)
        exit = running ? make_there(cli, name, secret, &identity)
                       : make_here(cli, name, secret, &identity);
    if (exit == YR_EXIT_OK) {
        yr_out_json(&cli->out, identity);
        yr_out_say(&cli->out, "identity %s made, profile %s", yr_json_str(identity, "short", "?"),
                   cli->paths.profile);
        if (!running && YR_ARG(cli, init_no_start) == NULL)
            exit = start_after_init(cli, secret);
    }
    if (exit == YR_EXIT_OK)
        yr_out_next(&cli->out, "Next: yaari invite, or yaari add LINK");
    json_decref(identity);
    yr_cli_free_secret(secret);
    free(name);
    return exit;
}
