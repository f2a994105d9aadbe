/* cli/cmd_backup.c: backup, by the node; restore, with none running. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/json.h"
#include "cli/restore.h"
#include "cli/start.h"
#include "net/lock.h"
#include "yaari/host.h"

#define PATIENCE_MS (30 * 60 * 1000)

static void add_size(struct yr_buf *text, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double n = (double)bytes;
    size_t unit = 0;

    while (n >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
        n /= 1000;
        unit++;
    }
    yr_buf_addf(text, unit == 0 ? "%.0f %s" : "%.1f %s", n, units[unit]);
}

/* ---- passphrases ---- */

static enum yr_exit ask_new(struct yr_cli *cli, char **secret)
{
    char *again = NULL;
    enum yr_exit exit = yr_cli_ask_secret(cli, "Passphrase of the backup:", secret);

    if (exit != YR_EXIT_OK)
        return exit;
    if ((*secret)[0] == '\0') {
        exit = yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL, "a backup needs a passphrase");
    } else if ((exit = yr_cli_ask_secret(cli, "The same again:", &again)) == YR_EXIT_OK &&
               strcmp(*secret, again) != 0) {
        exit = yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL, "the two differ");
    }
    yr_cli_free_secret(again);
    return exit;
}

/* ---- backup ---- */

static char *absolute(const char *path)
{
    char dir[PATH_MAX];
    struct yr_buf out = {0};

    if (path[0] != '/' && getcwd(dir, sizeof dir) != NULL)
        yr_buf_addf(&out, "%s/", dir);
    yr_buf_adds(&out, path);
    return yr_buf_take(&out);
}

/** A file to stdout, whole. */
static enum yr_exit pour(struct yr_cli *cli, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    char bytes[65536];
    ssize_t n = -1;

    if (fd >= 0)
        while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))
            for (ssize_t at = 0; at < n;) {
                const ssize_t w = write(STDOUT_FILENO, bytes + at, (size_t)(n - at));
                if (w < 0 && errno == EINTR)
                    continue;
                if (w < 0) {
                    close(fd);
                    return yr_cli_fail(cli, YR_EXIT_IOERR, "io", NULL, "stdout: %s",
                                       strerror(errno));
                }
                at += w;
            }
    const int sys = errno;
    if (fd >= 0)
        close(fd);
    return n == 0 ? YR_EXIT_OK
                  : yr_cli_fail(cli, YR_EXIT_IOERR, "io", NULL, "%s: %s", path, strerror(sys));
}

static enum yr_exit make(struct yr_cli *cli, const char *path, const char *secret, json_t **made)
{
    struct yr_client_error err = {0};

    yr_client_set_timeout(cli->client, cli->timeout_given ? cli->timeout_ms : PATIENCE_MS);
    *made = yr_client_call(cli->client, "backup.create",
                           json_pack("{s:s, s:s}", "path", path, "passphrase", secret), &err);
    return *made == NULL ? yr_cli_error(cli, &err) : YR_EXIT_OK;
}

enum yr_exit yr_cmd_backup(struct yr_cli *cli)
{
    const char *operand = yr_operand(cli, 0), *fd = YR_ARG(cli, backup_passphrase_fd);
    const bool out = strcmp(operand, "-") == 0;
    char *secret = NULL, *path = NULL;
    json_t *made = NULL;
    struct yr_buf text = {0};
    enum yr_exit exit;

    if (out && (isatty(STDOUT_FILENO) || cli->out.json))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "a backup is not for a terminal, nor among JSON: yaari backup FILE");
    if ((exit = yr_cli_connect(cli)) != YR_EXIT_OK)
        return exit;
    if (!out) {
        path = absolute(operand);
        if (access(path, F_OK) == 0) { // before anybody is asked for anything
            exit =
                yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists", NULL, "%s is there already", operand);
            goto out;
        }
    } else {
        yr_buf_addf(&text, "%s/backup-%ld.age", cli->paths.data_dir, (long)getpid());
        path = yr_buf_take(&text);
        text = (struct yr_buf){0};
    }
    exit = fd != NULL ? yr_cli_read_passphrase(cli, fd, &secret) : ask_new(cli, &secret);
    if (exit == YR_EXIT_OK)
        exit = make(cli, path, secret, &made);
    if (out) {
        if (exit == YR_EXIT_OK)
            exit = pour(cli, path);
        (void)unlink(path);
    }
    if (exit == YR_EXIT_OK) {
        yr_out_json(&cli->out, made);
        yr_buf_adds(&text, "wrote ");
        add_size(&text, yr_json_int(made, "bytes", 0));
        yr_buf_adds(&text, ", verified");
        if (out)
            yr_out_note(&cli->out, "%s", yr_buf_str(&text));
        else
            yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    }
out:
    yr_buf_clear(&text);
    json_decref(made);
    yr_cli_free_secret(secret);
    free(path);
    return exit;
}

/* ---- restore ---- */

static enum yr_exit exit_of(enum yr_err err)
{
    switch ((int)err) {
    case YR_EEXIST: return YR_EXIT_CANTCREAT;
    case YR_EAUTH:
    case YR_EDENIED:
    case YR_ELOCKED: return YR_EXIT_NOPERM;
    case YR_ENOENT: return YR_EXIT_NOINPUT;
    case YR_EPROTO:
    case YR_ESIZE:
    case YR_EINVAL: return YR_EXIT_DATAERR;
    case YR_EVERSION: return YR_EXIT_PROTOCOL;
    case YR_ENOMEM: return YR_EXIT_OSERR;
    default: return YR_EXIT_IOERR;
    }
}

static const char *name_of(enum yr_err err)
{
    return err == YR_EEXIST                      ? "exists"
           : err == YR_EAUTH                     ? "denied"
           : err == YR_ENOENT                    ? "no_input"
           : err == YR_EPROTO || err == YR_ESIZE ? "bad_data"
                                                 : "io";
}

static json_t *record(const char *path, const struct yr_backup_info *info, uint64_t bytes)
{
    char text[YR_ID_LEN * 2];
    json_t *out = json_object();

    yr_id_text(text, info->id, YR_ID_LEN);
    json_object_set_new(out, "type", json_string("backup"));
    yr_json_put_str(out, "path", path);
    json_object_set_new(out, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(out, "verified", json_true());
    yr_json_put_time(out, "made", info->made_ms);
    yr_json_put_str(out, "id", text);
    json_object_set_new(out, "short", json_stringn(text, 8));
    yr_json_put_str(out, "name", info->nick);
    json_object_set_new(out, "friends", json_integer((json_int_t)info->friends));
    json_object_set_new(out, "rooms", json_integer((json_int_t)info->rooms));
    json_object_set_new(out, "messages", json_integer((json_int_t)info->messages));
    return out;
}

static void add_count(struct yr_buf *text, uint64_t count, const char *one)
{
    yr_buf_addf(text, "%llu %s%s", (unsigned long long)count, one, count == 1 ? "" : "s");
}

static void show(struct yr_cli *cli, const json_t *r, const struct yr_backup_info *info)
{
    struct yr_buf text = {0};

    yr_add_name(&text, info->nick);
    yr_buf_addf(&text, " (yaari id %s): ", yr_json_str(r, "short", "?"));
    add_count(&text, info->friends, "friend");
    yr_buf_adds(&text, ", ");
    add_count(&text, info->rooms, "room");
    yr_buf_adds(&text, ", ");
    add_count(&text, info->messages, "message");
    yr_buf_adds(&text, "; made ");
    yr_add_time(&cli->out, &text, yr_json_str(r, "made", NULL));
    yr_buf_adds(&text, ", ");
    add_size(&text, yr_json_int(r, "bytes", 0));
    yr_buf_adds(&text, ", verified");
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
}

static enum yr_exit read_only(struct yr_cli *cli, const struct yr_restore_opts *opts)
{
    struct yr_backup_info info = {0};
    uint64_t bytes = 0;
    char why[320] = "";
    const enum yr_err err = yr_host_backup_check(opts, &info, &bytes, why, sizeof why);

    if (err != YR_OK)
        return yr_cli_fail(cli, exit_of(err), name_of(err), NULL, "%s: %s", opts->file, why);
    json_t *r = record(opts->file, &info, bytes);
    yr_out_json(&cli->out, r);
    show(cli, r, &info);
    json_decref(r);
    return YR_EXIT_OK;
}

static enum yr_exit lock_profile(struct yr_cli *cli, struct yr_lock *lock)
{
    struct yr_net_fail why = {0};
    struct yr_fail fail = {0};
    pid_t holder = 0;
    enum yr_err err;
    enum yr_exit exit = yr_private_dir(cli->paths.run_dir, &fail);

    if (exit == YR_EXIT_OK)
        exit = yr_private_dir(cli->paths.data_dir, &fail);
    if (exit != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    err = yr_lock_take(lock, cli->paths.pid, &holder, &why);
    if (err == YR_EEXIST)
        return yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists", "yaari daemon stop",
                           "profile '%s': a node is running (pid %ld)", cli->paths.profile,
                           (long)holder);
    return err == YR_OK ? YR_EXIT_OK : yr_cli_fail(cli, exit_of(err), "io", NULL, "%s", why.text);
}

static enum yr_exit make_profile(struct yr_cli *cli, const struct yr_restore_opts *opts)
{
    struct yr_lock lock = {.fd = -1};
    struct yr_backup_info info = {0};
    uint64_t bytes = 0;
    char why[320] = "";
    enum yr_exit exit = lock_profile(cli, &lock);
    enum yr_err err;

    if (exit != YR_EXIT_OK)
        return exit;
    err = yr_host_restore(cli->paths.data_dir, opts, &info, &bytes, why, sizeof why);
    yr_lock_release(&lock);
    if (err == YR_EEXIST)
        return yr_cli_fail(cli, YR_EXIT_CANTCREAT, "exists",
                           "another profile: yaari -P NAME restore", "profile '%s': %s",
                           cli->paths.profile, why);
    if (err != YR_OK)
        return yr_cli_fail(cli, exit_of(err), name_of(err), NULL, "%s: %s", opts->file, why);
    json_t *r = record(opts->file, &info, bytes);
    json_object_set_new(r, "restored", json_true());
    yr_out_json(&cli->out, r);
    show(cli, r, &info);
    yr_out_say(&cli->out, "identity %s restored, profile %s", yr_json_str(r, "short", "?"),
               cli->paths.profile);
    json_decref(r);
    return YR_EXIT_OK;
}

static enum yr_exit start(struct yr_cli *cli, const char *vault_secret)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = PATIENCE_MS};
    struct yr_client_error err = {0};
    struct yr_fail fail = {0};
    json_t *status;

    if (yr_start_node(&cli->paths, YR_ARG(cli, any_socket), &fail) != YR_EXIT_OK)
        return yr_cli_fail_with(cli, &fail);
    if (vault_secret == NULL)
        return YR_EXIT_OK;
    if (yr_client_open(&cli->client, &opts, &err) != YR_OK)
        return yr_cli_error(cli, &err);
    status = yr_client_call(cli->client, "vault.unlock",
                            json_pack("{s:s}", "passphrase", vault_secret), &err);
    if (status == NULL)
        return yr_cli_error(cli, &err);
    json_decref(status);
    return YR_EXIT_OK;
}

static enum yr_exit restore(struct yr_cli *cli, const struct yr_restore_flags *flags,
                            bool verify_only)
{
    struct yr_restore_opts opts = {.file = flags->file};
    char *secret = NULL, *vault_secret = NULL;
    enum yr_exit exit;

    if (access(flags->file, F_OK) != 0) // before anybody is asked for anything
        return yr_cli_fail(cli, YR_EXIT_NOINPUT, "no_input", NULL, "%s: %s", flags->file,
                           strerror(errno));
    yr_harden(); // from here on there are keys in this process
    exit = flags->passphrase_fd != NULL
               ? yr_cli_read_passphrase(cli, flags->passphrase_fd, &secret)
               : yr_cli_ask_secret(cli, "Passphrase of the backup:", &secret);
    if (exit == YR_EXIT_OK && flags->vault_passphrase_fd != NULL)
        exit = yr_cli_read_passphrase(cli, flags->vault_passphrase_fd, &vault_secret);
    if (exit == YR_EXIT_OK) {
        opts.passphrase = secret;
        opts.passphrase_len = strlen(secret);
        opts.vault_passphrase = vault_secret;
        opts.vault_passphrase_len = vault_secret != NULL ? strlen(vault_secret) : 0;
        exit = verify_only ? read_only(cli, &opts) : make_profile(cli, &opts);
    }
    if (exit == YR_EXIT_OK && !verify_only && flags->start)
        exit = start(cli, vault_secret);
    if (exit == YR_EXIT_OK && !verify_only)
        yr_out_next(&cli->out,
                    "Next: never start the old copy again; friends see a new device key");
    yr_cli_free_secret(secret);
    yr_cli_free_secret(vault_secret);
    return exit;
}

enum yr_exit yr_restore_profile(struct yr_cli *cli, const struct yr_restore_flags *flags)
{
    return restore(cli, flags, false);
}

enum yr_exit yr_cmd_restore(struct yr_cli *cli)
{
    const struct yr_restore_flags flags = {
        .file = yr_operand(cli, 0),
        .passphrase_fd = YR_ARG(cli, restore_passphrase_fd),
        .vault_passphrase_fd = YR_ARG(cli, restore_vault_passphrase_fd),
        .start = YR_ARG(cli, restore_no_start) == NULL,
    };

    return restore(cli, &flags, YR_ARG(cli, restore_verify_only) != NULL);
}
