/* daemon_env.c: what the RPC server asks of the process: connections, the host, the configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/daemon/daemon.h"

/* ---- connections ---- */

static struct yr_now env_now(void *ctx)
{
    struct yr_daemon *daemon = ctx;
    return yr_host_now(daemon->host);
}

static void env_send(void *ctx, void *conn, const char *line, size_t len)
{
    const enum yr_err err = yr_caller_send(conn, line, len);

    if (err == YR_EFULL)
        yr_log(&((struct yr_daemon *)ctx)->log, YR_LOG_INFO, "rpc",
               "a client that does not read is being closed");
}

static size_t env_unsent(void *ctx, void *conn)
{
    (void)ctx;
    return yr_caller_queued(conn);
}

static void env_hold(void *ctx, void *conn)
{
    (void)ctx;
    yr_caller_hold(conn);
}

static void env_release(void *ctx, void *conn)
{
    (void)ctx;
    yr_caller_release(conn);
}

/* ---- the host ---- */

static enum yr_err env_command(void *ctx, const struct yr_cmd *cmd, uint64_t ticket)
{
    struct yr_daemon *daemon = ctx;
    return yr_host_command(daemon->host, cmd, ticket);
}

static enum yr_err wait_for(struct yr_daemon *daemon, enum yr_daemon_wait what, uint64_t ticket,
                            const char *nick)
{
    if (daemon->wait_count == YR_DAEMON_WAITS_MAX)
        return YR_EINVAL;
    daemon->waits[daemon->wait_count].what = what;
    daemon->waits[daemon->wait_count].ticket = ticket;
    snprintf(daemon->waits[daemon->wait_count].nick, sizeof daemon->waits[0].nick, "%s",
             nick != NULL ? nick : "");
    daemon->wait_count++;
    return YR_OK;
}

/* Take back the wait for `ticket`, if the state has not moved meanwhile and answered it. */
static bool unwait(struct yr_daemon *daemon, uint64_t ticket)
{
    for (size_t i = 0; i < daemon->wait_count; i++)
        if (daemon->waits[i].ticket == ticket) {
            daemon->waits[i] = daemon->waits[--daemon->wait_count];
            return true;
        }
    return false;
}

/* Give `started`, a refusal of the host, to the RPC server unless on_state has answered already. */
static enum yr_err started(struct yr_daemon *daemon, enum yr_err err, uint64_t ticket)
{
    return err != YR_OK && unwait(daemon, ticket) ? err : YR_OK;
}

static enum yr_err env_unlock(void *ctx, const char *passphrase, size_t len, uint64_t ticket)
{
    struct yr_daemon *daemon = ctx;
    enum yr_err err = wait_for(daemon, YR_WAIT_UNLOCK, ticket, NULL);

    if (err != YR_OK)
        return err;
    err = yr_host_unlock(daemon->host, len > 0 ? passphrase : NULL, len);
    return started(daemon, err, ticket);
}

static enum yr_err env_lock(void *ctx, uint64_t ticket)
{
    struct yr_daemon *daemon = ctx;
    enum yr_err err = wait_for(daemon, YR_WAIT_LOCK, ticket, NULL);

    return err != YR_OK ? err : started(daemon, yr_host_lock(daemon->host), ticket);
}

static enum yr_err make_identity(struct yr_daemon *daemon, const char *nick, uint64_t ticket)
{
    struct yr_cmd cmd = {.kind = YR_CMD_IDENTITY_NEW, .text = nick};

    cmd.text_len = strlen(nick);
    return yr_host_command(daemon->host, &cmd, ticket);
}

static enum yr_err env_identity_create(void *ctx, const char *nick, uint64_t ticket)
{
    struct yr_daemon *daemon = ctx;
    const char *login = getenv("USER");
    char name[65];
    enum yr_err err;

    if (nick == NULL)
        nick = login != NULL && login[0] != '\0' ? login : "me";
    snprintf(name, sizeof name, "%s", nick);
    if (yr_host_state(daemon->host) == YR_HOST_OPEN)
        return make_identity(daemon, name, ticket);
    if ((err = wait_for(daemon, YR_WAIT_CREATE, ticket, name)) != YR_OK)
        return err;
    return started(daemon, yr_host_unlock(daemon->host, NULL, 0), ticket);
}

void yr_daemon_vault_moved(struct yr_daemon *daemon, enum yr_host_state state, enum yr_err err)
{
    const enum yr_err refused = err != YR_OK ? err : YR_ELOCKED;

    if (state == YR_HOST_UNLOCKING)
        return;
    while (daemon->wait_count > 0) {
        const uint64_t ticket = daemon->waits[--daemon->wait_count].ticket;
        const char *nick = daemon->waits[daemon->wait_count].nick;
        enum yr_err end = YR_OK;
        switch (daemon->waits[daemon->wait_count].what) {
        case YR_WAIT_UNLOCK: end = state == YR_HOST_OPEN ? YR_OK : refused; break;
        case YR_WAIT_LOCK: end = state != YR_HOST_OPEN ? YR_OK : YR_EINVAL; break;
        case YR_WAIT_CREATE:
            if (state == YR_HOST_OPEN && (end = make_identity(daemon, nick, ticket)) == YR_OK)
                continue; // its DONE event answers
            end = state == YR_HOST_OPEN ? end : refused;
            break;
        }
        yr_rpc_done(daemon->rpc, ticket, end);
    }
}

static enum yr_err env_peer_add(void *ctx, const char *addr, uint64_t ticket)
{
    return yr_peers_add(ctx, addr, ticket);
}

/* ---- backups ---- */

/* One at a time, so its ticket is all there is to keep. */
static void backup_done(void *ctx, enum yr_err err, const struct yr_backup_info *info,
                        uint64_t bytes, const char *why)
{
    struct yr_daemon *daemon = ctx;

    if (err == YR_OK)
        yr_say(daemon, YR_LOG_INFO, "made a backup of %llu bytes", (unsigned long long)bytes);
    else
        yr_say(daemon, YR_LOG_WARN, "no backup: %s", why);
    if (daemon->rpc != NULL)
        yr_rpc_backup_done(daemon->rpc, daemon->backup_ticket, err, info, bytes, why);
}

static enum yr_err env_backup(void *ctx, const char *path, const char *passphrase, size_t len,
                              uint64_t ticket)
{
    struct yr_daemon *daemon = ctx;
    const enum yr_err err =
        yr_host_backup(daemon->host, path, passphrase, len, backup_done, daemon);

    if (err == YR_OK)
        daemon->backup_ticket = ticket;
    return err;
}

/* ---- status ---- */

static void env_status(void *ctx, struct yr_rpc_status *out)
{
    struct yr_daemon *daemon = ctx;
    const size_t cap = sizeof out->listen / sizeof out->listen[0];

    memset(out, 0, sizeof *out);
    out->profile = daemon->paths.profile;
    out->socket_path = daemon->paths.sock;
    out->vault = yr_host_state(daemon->host) != YR_HOST_NO_VAULT;
    out->offline = daemon->args.offline;
    out->uptime_s = (uv_now(&daemon->loop) - daemon->started_ms) / 1000;
    out->listen_count = yr_host_bound(daemon->host, out->listen, cap);
    if (out->listen_count > cap)
        out->listen_count = cap;
    yr_host_port_mapping(daemon->host, &out->mapping);
}

/* ---- configuration ---- */

static bool env_config_at(void *ctx, size_t i, const char **key, const char **value,
                          const char **origin)
{
    struct yr_daemon *daemon = ctx;

    if (i >= YR_CFG_COUNT)
        return false;
    free(daemon->config_text);
    daemon->config_text = yr_config_text(&daemon->config, (enum yr_config_key)i);
    *key = yr_config_descs[i].name;
    *value = daemon->config_text;
    *origin = yr_config_where(&daemon->config, (enum yr_config_key)i);
    return true;
}

static enum yr_exit env_config_set(void *ctx, const char *key, const char *value,
                                   struct yr_fail *fail)
{
    struct yr_daemon *daemon = ctx;
    const enum yr_config_key id = yr_config_find(key);
    enum yr_exit end;

    if (id == YR_CFG_COUNT)
        return yr_fail(fail, YR_EXIT_CONFIG, "unknown key '%s'", key);
    end = yr_config_set(&daemon->paths, id, value, fail);
    return end != YR_EXIT_OK ? end : yr_daemon_reload(daemon, fail);
}

static enum yr_exit env_reload(void *ctx, struct yr_fail *fail)
{
    return yr_daemon_reload(ctx, fail);
}

static void env_stop(void *ctx)
{
    struct yr_daemon *daemon = ctx;

    yr_say(daemon, YR_LOG_INFO, "stopping: a client asked for it");
    yr_daemon_stop(daemon);
}

const struct yr_rpc_env yr_daemon_env = {.now = env_now,
                                         .send = env_send,
                                         .unsent = env_unsent,
                                         .hold = env_hold,
                                         .release = env_release,
                                         .command = env_command,
                                         .identity_create = env_identity_create,
                                         .unlock = env_unlock,
                                         .lock = env_lock,
                                         .peer_add = env_peer_add,
                                         .backup = env_backup,
                                         .status = env_status,
                                         .config_at = env_config_at,
                                         .config_set = env_config_set,
                                         .reload = env_reload,
                                         .stop = env_stop};
