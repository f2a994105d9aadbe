#include "cli/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/addr.h"
#include "net/sdnotify.h"

#define LINGER_MS     300   /* for answers that a client has not read when we stop */
#define REFUSED_EVERY 10000 /* ms between log lines about others at the socket */

struct yr_conn {
    struct yr_daemon *daemon;
    struct yr_caller *caller;
    struct yr_rpc_client *client; /* NULL once the RPC server is gone */
    struct yr_conn *next;
};

/* ---- failing to start ---- */

/* Say on stderr why we do not start, and in the log file if there is one. */
static enum yr_exit refuse(struct yr_daemon *daemon, enum yr_exit end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum yr_exit refuse(struct yr_daemon *daemon, enum yr_exit end, const char *format, ...)
{
    char text[900];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%syaarid: %s\n", daemon->log.journal ? "<3>" : "", text);
    if (daemon->log.path != NULL)
        yr_say(daemon, YR_LOG_ERROR, "%s", text);
    return end;
}

static enum yr_exit refuse_fail(struct yr_daemon *daemon, enum yr_exit end,
                                const struct yr_fail *fail)
{
    refuse(daemon, end, "%s", fail->what);
    if (fail->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", fail->hint);
    return end;
}

static enum yr_exit exit_of(enum yr_err err)
{
    switch ((int)err) {
    case YR_EDENIED: return YR_EXIT_NOPERM;
    case YR_EEXIST: return YR_EXIT_UNAVAILABLE; // a port or socket that others hold
    case YR_EINVAL:
    case YR_ESIZE: return YR_EXIT_CONFIG;
    case YR_EVERSION: return YR_EXIT_PROTOCOL;
    case YR_ENOMEM: return YR_EXIT_OSERR;
    default: return YR_EXIT_IOERR;
    }
}

/* ---- the control socket ---- */

static void on_line(void *ctx, struct yr_caller *caller, const char *line, size_t len)
{
    struct yr_daemon *daemon = ctx;
    struct yr_conn *conn = yr_caller_data(caller);

    if (conn == NULL) { // its first line
        conn = yr_xrealloc(NULL, sizeof *conn);
        *conn = (struct yr_conn){.daemon = daemon, .caller = caller, .next = daemon->conns};
        daemon->conns = conn;
        yr_caller_set_data(caller, conn);
        if (daemon->rpc != NULL)
            conn->client = yr_rpc_client_new(daemon->rpc, caller);
        yr_log(&daemon->log, YR_LOG_DEBUG, "rpc", "pid %ld connected", (long)yr_caller_pid(caller));
    }
    if (conn->client == NULL) { // too many, or too late
        yr_caller_close(caller, true);
        return;
    }
    yr_rpc_line(daemon->rpc, conn->client, line, len);
    yr_daemon_rearm(daemon);
}

static void on_too_long(void *ctx, struct yr_caller *caller)
{
    struct yr_daemon *daemon = ctx;
    const struct yr_conn *conn = yr_caller_data(caller);
    static const char answer[] =
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"a request is "
        "one "
        "line of at most 1 MiB\",\"data\":{\"name\":\"invalid_request\",\"exit\":65}}}\n";

    if (conn != NULL && conn->client != NULL)
        yr_rpc_line_too_long(daemon->rpc, conn->client);
    else if (yr_caller_send(caller, answer, sizeof answer - 1) != YR_OK)
        yr_caller_close(caller, true);
}

static void on_caller_gone(void *ctx, struct yr_caller *caller)
{
    struct yr_daemon *daemon = ctx;
    struct yr_conn *conn = yr_caller_data(caller);

    if (conn == NULL)
        return;
    if (daemon->rpc != NULL)
        yr_rpc_client_gone(daemon->rpc, conn->client);
    for (struct yr_conn **at = &daemon->conns; *at != NULL; at = &(*at)->next)
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    free(conn);
    if (daemon->rpc != NULL)
        yr_daemon_rearm(daemon);
}

static void on_refused(void *ctx, uid_t uid, pid_t pid)
{
    struct yr_daemon *daemon = ctx;
    const uint64_t now = uv_now(&daemon->loop);

    daemon->refused_count++;
    if (daemon->refused_last_ms != 0 && now - daemon->refused_last_ms < REFUSED_EVERY)
        return; // others must not be able to fill the log
    daemon->refused_last_ms = now;
    yr_log(&daemon->log, YR_LOG_WARN, "rpc",
           "refused a process of another user at the socket: uid %ld pid %ld (%llu so far)",
           (long)uid, (long)pid, (unsigned long long)daemon->refused_count);
}

/* ---- the RPC server's clock ---- */

static void on_rpc_timer(uv_timer_t *timer)
{
    struct yr_daemon *daemon = timer->data;

    daemon->rpc_deadline = YR_NEVER;
    yr_rpc_tick(daemon->rpc);
    yr_daemon_rearm(daemon);
}

void yr_daemon_rearm(struct yr_daemon *daemon)
{
    const yr_us deadline = daemon->rpc != NULL ? yr_rpc_deadline(daemon->rpc) : YR_NEVER;

    if (deadline == daemon->rpc_deadline)
        return;
    daemon->rpc_deadline = deadline;
    if (deadline == YR_NEVER) {
        uv_timer_stop(&daemon->rpc_timer);
        return;
    }
    const yr_us now = yr_host_now(daemon->host).mono_us;
    uv_update_time(&daemon->loop);
    uv_timer_start(&daemon->rpc_timer, on_rpc_timer,
                   deadline > now ? (deadline - now + 999) / 1000 : 0, 0);
}

/* ---- the host ---- */

static void on_event(void *ctx, const struct yr_event *event)
{
    struct yr_daemon *daemon = ctx;

    if (daemon->rpc == NULL)
        return;
    if (event->kind == YR_EV_DONE && event->err != YR_OK)
        yr_say(daemon, YR_LOG_DEBUG, "a command failed: %s", yr_strerror(event->err));
    yr_rpc_event(daemon->rpc, event);
    yr_daemon_rearm(daemon);
}

static void on_log(void *ctx, enum yr_log_level level, const char *room, const char *text)
{
    struct yr_daemon *daemon = ctx;
    yr_log(&daemon->log, level, room, "%s", text);
}

static const char *state_text(const struct yr_daemon *daemon)
{
    struct yr_self self;

    yr_node_self(yr_host_node(daemon->host), &self);
    switch (yr_host_state(daemon->host)) {
    case YR_HOST_NO_VAULT: return "no identity yet";
    case YR_HOST_LOCKED: return "locked";
    case YR_HOST_UNLOCKING: return "opening the vault";
    case YR_HOST_OPEN:
        return !self.has_identity && yr_settings_dht(&daemon->config) == YR_ROLE_SERVER
                   ? "running, without an identity"
               : !self.has_identity   ? "no identity yet"
               : daemon->args.offline ? "offline"
                                      : "running";
    case YR_HOST_CLOSING: return "stopping";
    }
    return "";
}

static unsigned port_of(const struct yr_daemon *daemon)
{
    struct yr_addr bound[YR_LISTEN_MAX];
    return yr_host_bound(daemon->host, bound, YR_LISTEN_MAX) > 0 ? bound[0].port : 0;
}

/* Tell whoever started us, once the vault is open or will stay closed. */
static void tell_ready(struct yr_daemon *daemon)
{
    if (daemon->ready || daemon->stopping || yr_host_state(daemon->host) == YR_HOST_UNLOCKING)
        return;
    daemon->ready = true;
    yr_say(daemon, YR_LOG_INFO, "ready socket=%s port=%u", daemon->paths.sock, port_of(daemon));
    yr_sdnotify_ready(state_text(daemon));
    if (daemon->args.ready_fd >= 0 && !yr_ready_fd(daemon->args.ready_fd))
        yr_say(daemon, YR_LOG_WARN, "cannot write to --ready-fd %d", daemon->args.ready_fd);
}

static void vault_moved(struct yr_daemon *daemon, enum yr_err err)
{
    const enum yr_host_state state = yr_host_state(daemon->host);

    if (state == YR_HOST_LOCKED && err == YR_EAUTH && !daemon->ready) {
        daemon->exit = refuse(daemon, YR_EXIT_NOPERM, "wrong passphrase for profile '%s'",
                              daemon->paths.profile);
        yr_daemon_stop(daemon);
        return;
    }
    if (state == YR_HOST_LOCKED && err == YR_ELOCKED)
        yr_say(daemon, YR_LOG_INFO, "the vault is closed until yaari key unlock");
    else if (state == YR_HOST_LOCKED && err != YR_OK)
        yr_say(daemon, YR_LOG_WARN, "the vault stays closed: %s", yr_strerror(err));
    yr_say(daemon, YR_LOG_DEBUG, "state: %s", state_text(daemon));
    if (state == YR_HOST_OPEN)
        yr_peers_apply_config(daemon);
    else
        yr_peers_clear(daemon);
    yr_rpc_vault_moved(daemon->rpc);
    yr_daemon_vault_moved(daemon, state, err);
    if (daemon->ready)
        yr_sdnotify_status(state_text(daemon));
    tell_ready(daemon);
    yr_daemon_rearm(daemon);
}

static void on_state(void *ctx, enum yr_host_state state, enum yr_err err)
{
    struct yr_daemon *daemon = ctx;

    (void)state;
    if (daemon->rpc != NULL && !daemon->stopping) // else start() looks at it
        vault_moved(daemon, err);
    else
        daemon->first_err = err;
}

/* ---- signals ---- */

static void log_counters(struct yr_daemon *daemon)
{
    struct yr_node *node = yr_host_node(daemon->host);
    struct yr_host_stats stats;
    struct yr_counter counter;

    yr_host_stats(daemon->host, &stats);
    yr_say(daemon, YR_LOG_INFO,
           "stats rx=%llu/%lluB dropped=%llu tx=%llu/%lluB dropped=%llu commits=%llu wakeups=%llu",
           (unsigned long long)stats.rx_packets, (unsigned long long)stats.rx_bytes,
           (unsigned long long)stats.rx_dropped, (unsigned long long)stats.tx_packets,
           (unsigned long long)stats.tx_bytes, (unsigned long long)stats.tx_dropped,
           (unsigned long long)stats.commits, (unsigned long long)stats.wakeups);
    for (size_t i = 0; (counter = yr_node_counter(node, i)).name != NULL; i++)
        if (counter.value != 0)
            yr_say(daemon, YR_LOG_INFO, "stats %s=%llu", counter.name,
                   (unsigned long long)counter.value);
    for (size_t i = 0; yr_rpc_counter(daemon->rpc, i, &counter); i++)
        yr_say(daemon, YR_LOG_INFO, "stats %s=%llu", counter.name,
               (unsigned long long)counter.value);
}

static void on_hup(struct yr_daemon *daemon)
{
    struct yr_fail fail = {0};

    if (yr_log_reopen(&daemon->log, &fail) != YR_EXIT_OK)
        yr_say(daemon, YR_LOG_WARN, "%s", fail.what);
    yr_daemon_reload(daemon, &fail); // says itself what is wrong
    yr_daemon_rearm(daemon);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct yr_daemon *daemon = handle->data;

    switch (signum) {
    case SIGTERM:
    case SIGINT:
        if (daemon->stopping) {
            unlink(daemon->paths.sock);
            _exit(YR_EXIT_OK); // what was accepted is on disk
        }
        yr_say(daemon, YR_LOG_INFO, "stopping: signal %d", signum);
        yr_daemon_stop(daemon);
        break;
    case SIGHUP:
        if (!daemon->stopping)
            on_hup(daemon);
        break;
    case SIGUSR1:
        if (!daemon->stopping)
            log_counters(daemon);
        break;
    default: break;
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    yr_sdnotify_watchdog();
}

/* ---- stopping ---- */

static void on_control_closed(void *ctx)
{
    struct yr_daemon *daemon = ctx;

    daemon->control = NULL;
    uv_stop(&daemon->loop);
}

static void on_linger_over(uv_timer_t *timer)
{
    struct yr_daemon *daemon = timer->data;
    yr_control_close(daemon->control, on_control_closed, daemon);
}

static void on_linger(uv_timer_t *timer)
{
    struct yr_daemon *daemon = timer->data;

    if (daemon->conns == NULL || uv_now(&daemon->loop) >= daemon->linger_ms)
        on_linger_over(timer);
    else
        uv_timer_start(timer, on_linger, 10, 0);
}

/* The host has flushed everything: the last answers are queued, let them leave. */
static void on_host_closed(void *ctx)
{
    struct yr_daemon *daemon = ctx;

    daemon->host = NULL;
    for (struct yr_conn *conn = daemon->conns; conn != NULL; conn = conn->next)
        conn->client = NULL;
    yr_rpc_free(daemon->rpc);
    daemon->rpc = NULL;
    uv_timer_stop(&daemon->rpc_timer);
    for (struct yr_conn *conn = daemon->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        yr_caller_close(conn->caller, false);
    }
    uv_update_time(&daemon->loop);
    daemon->linger_ms = uv_now(&daemon->loop) + LINGER_MS;
    uv_timer_start(&daemon->linger_timer, on_linger, 0, 0);
}

static void on_stop_over(uv_timer_t *timer)
{
    struct yr_daemon *daemon = timer->data;

    yr_say(daemon, YR_LOG_WARN, "stopping took too long");
    unlink(daemon->paths.sock);
    _exit((int)daemon->exit);
}

static void on_stop(uv_timer_t *timer)
{
    struct yr_daemon *daemon = timer->data;

    uv_timer_start(timer, on_stop_over, YR_DAEMON_STOP_MS - LINGER_MS, 0);
    yr_peers_clear(daemon);
    yr_host_close(daemon->host, on_host_closed, daemon);
}

void yr_daemon_stop(struct yr_daemon *daemon)
{
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    yr_sdnotify_stopping();
    uv_timer_start(&daemon->stop_timer, on_stop, 0, 0); // not from inside whoever called
}

/* ---- starting ---- */

/* The passphrase from its descriptor or from systemd's credentials, without one final newline.
 *  false: reading failed, `fail` says how.  *len 0 with `given` false: there is none. */
static enum yr_exit read_passphrase(const struct yr_daemon *daemon, char out[YR_PASSPHRASE_MAX],
                                    size_t *len, bool *given, struct yr_fail *fail)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    int fd = daemon->args.passphrase_fd;
    char path[4096], extra;
    ssize_t n;

    *len = 0;
    *given = fd >= 0;
    if (fd < 0) {
        if (dir == NULL || dir[0] == '\0')
            return YR_EXIT_OK;
        snprintf(path, sizeof path, "%s/yaari.passphrase", dir);
        if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            return errno == ENOENT ? YR_EXIT_OK
                                   : yr_fail_errno(fail, YR_EXIT_NOPERM, errno,
                                                   "cannot read the passphrase from '%s'", path);
        *given = true;
    }
    while (*len < YR_PASSPHRASE_MAX && (n = read(fd, out + *len, YR_PASSPHRASE_MAX - *len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            const int errnum = errno;
            close(fd);
            return yr_fail_errno(fail, YR_EXIT_CONFIG, errnum, "cannot read the passphrase");
        }
        *len += (size_t)n;
    }
    n = *len == YR_PASSPHRASE_MAX ? read(fd, &extra, 1) : 0;
    close(fd);
    if (n > 0)
        return yr_fail(fail, YR_EXIT_CONFIG, "the passphrase is over %d bytes", YR_PASSPHRASE_MAX);
    if (*len > 0 && out[*len - 1] == '\n')
        --*len;
    if (*len == 0)
        return yr_fail(fail, YR_EXIT_CONFIG, "the passphrase is empty");
    return YR_EXIT_OK;
}

static enum yr_exit open_host(struct yr_daemon *daemon)
{
    const struct yr_config_value *listen = &daemon->config.values[YR_CFG_NET_LISTEN];
    struct yr_host_opts opts = yr_host_opts_default();
    struct yr_addr addrs[YR_LISTEN_MAX];
    char passphrase[YR_PASSPHRASE_MAX];
    struct yr_fail fail = {0};
    enum yr_exit end;
    bool given;
    enum yr_err err;

    if (listen->count > YR_LISTEN_MAX)
        return refuse(daemon, YR_EXIT_CONFIG, "net.listen: more than %d addresses", YR_LISTEN_MAX);
    for (size_t i = 0; i < listen->count; i++)
        if (yr_addr_parse(&addrs[i], listen->items[i], 0) != YR_OK)
            return refuse(daemon, YR_EXIT_CONFIG, "net.listen: '%s' is no address here",
                          listen->items[i]);
    if ((end = read_passphrase(daemon, passphrase, &opts.passphrase_len, &given, &fail)) !=
        YR_EXIT_OK) {
        explicit_bzero(passphrase, sizeof passphrase);
        return refuse_fail(daemon, end, &fail);
    }
    opts.loop = &daemon->loop;
    opts.data_dir = daemon->paths.data_dir;
    opts.listen = addrs;
    opts.listen_count = listen->count;
    opts.lan = yr_config_bool(&daemon->config, YR_CFG_NET_LAN);
    opts.dht = yr_settings_dht(&daemon->config);
    opts.relay = yr_settings_relay(&daemon->config);
    opts.presence = yr_settings_presence(&daemon->config);
    opts.typing = yr_config_bool(&daemon->config, YR_CFG_PRIVACY_TYPING);
    yr_settings_mail(&daemon->config, &opts.mail);
    opts.port_mapping = yr_config_bool(&daemon->config, YR_CFG_NET_PORT_MAPPING);
    opts.offline = daemon->args.offline;
    opts.passphrase = given ? passphrase : NULL;
    // A passphrase would be asked for again otherwise; a server keeps its key in the vault.
    opts.make_vault = given || opts.dht == YR_ROLE_SERVER;
    opts.on_event = on_event;
    opts.on_state = on_state;
    opts.on_log = on_log;
    opts.ctx = daemon;
    err = yr_host_open(&daemon->host, &opts);
    explicit_bzero(passphrase, sizeof passphrase);
    if (err == YR_OK)
        return YR_EXIT_OK;
    return refuse(daemon, exit_of(err), "%s",
                  daemon->host != NULL && yr_host_error(daemon->host)[0] != '\0'
                      ? yr_host_error(daemon->host)
                      : yr_strerror(err));
}

static enum yr_exit open_control(struct yr_daemon *daemon)
{
    const struct yr_config_value *uids = &daemon->config.values[YR_CFG_RPC_ALLOW_UID];
    struct yr_control_opts opts = {.loop = &daemon->loop,
                                   .path = daemon->paths.sock,
                                   .replace_stale = true,
                                   .on_line = on_line,
                                   .on_too_long = on_too_long,
                                   .on_close = on_caller_gone,
                                   .on_refused = on_refused,
                                   .ctx = daemon};
    struct yr_net_fail fail = {0};

    for (size_t i = 0; i < uids->count && i < YR_CONTROL_UIDS_MAX; i++)
        opts.extra_uids[opts.extra_uid_count++] = (uid_t)strtoul(uids->items[i], NULL, 10);
    const enum yr_err err = yr_control_open(&daemon->control, &opts, &fail);
    return err == YR_OK ? YR_EXIT_OK : refuse(daemon, exit_of(err), "%s", fail.text);
}

static enum yr_exit take_lock(struct yr_daemon *daemon)
{
    struct yr_net_fail fail = {0};
    pid_t holder = 0;
    const enum yr_err err = yr_lock_take(&daemon->lock, daemon->paths.pid, &holder, &fail);

    if (err == YR_EEXIST && holder > 0)
        return refuse(daemon, YR_EXIT_CANTCREAT, "another yaarid (pid %ld) uses profile '%s'",
                      (long)holder, daemon->paths.profile);
    if (err == YR_EEXIST)
        return refuse(daemon, YR_EXIT_CANTCREAT, "another yaarid uses profile '%s'",
                      daemon->paths.profile);
    return err == YR_OK
               ? YR_EXIT_OK
               : refuse(daemon, err == YR_EDENIED ? YR_EXIT_NOPERM : exit_of(err), "%s", fail.text);
}

static enum yr_exit make_places(struct yr_daemon *daemon)
{
    struct yr_fail fail = {0};
    enum yr_exit end;
    char *parent = yr_strdup(daemon->paths.data_dir), *slash = strrchr(parent, '/');

    if (slash != NULL && slash != parent)
        *slash = '\0';
    end = yr_mkdirs(parent, &fail);
    if (end == YR_EXIT_OK)
        end = yr_private_dir(daemon->paths.run_dir, &fail);
    free(parent);
    return end == YR_EXIT_OK ? end : refuse_fail(daemon, end, &fail);
}

static void init_handles(struct yr_daemon *daemon)
{
    static const int signums[YR_DAEMON_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    uv_timer_t *const timers[] = {&daemon->rpc_timer, &daemon->stop_timer, &daemon->watchdog,
                                  &daemon->linger_timer};
    const uint64_t watchdog_ms = yr_sdnotify_watchdog_ms();

    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(&daemon->loop, timers[i]);
        timers[i]->data = daemon;
    }
    for (size_t i = 0; i < YR_DAEMON_SIGNALS; i++) {
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        uv_signal_start(&daemon->signals[i], on_signal, signums[i]);
    }
    if (watchdog_ms > 0)
        uv_timer_start(&daemon->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
    daemon->rpc_deadline = YR_NEVER;
}

static enum yr_exit start_rpc(struct yr_daemon *daemon)
{
    struct yr_rpc_env env = yr_daemon_env;
    const bool receipts = yr_config_bool(&daemon->config, YR_CFG_PRIVACY_READ_RECEIPTS);

    env.ctx = daemon;
    if (yr_rpc_new(&daemon->rpc, yr_host_node(daemon->host), &env) != YR_OK)
        return refuse(daemon, YR_EXIT_OSERR, "out of memory");
    yr_node_set_read_receipts(yr_host_node(daemon->host), receipts);
    yr_rpc_set_read_receipts(daemon->rpc, receipts);
    return YR_EXIT_OK;
}

/* Close what open_host and open_control opened, after one of them has failed. */
static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void unwind(struct yr_daemon *daemon)
{
    bool host_closed = false, control_closed = false;

    yr_rpc_free(daemon->rpc);
    daemon->rpc = NULL;
    daemon->stopping = true;
    yr_host_close(daemon->host, on_closed, &host_closed);
    yr_control_close(daemon->control, on_closed, &control_closed);
    while (!host_closed || !control_closed)
        uv_run(&daemon->loop, UV_RUN_ONCE);
}

/* From here on the loop exists; run it until we are stopped. */
static enum yr_exit run(struct yr_daemon *daemon)
{
    enum yr_exit end;

    init_handles(daemon);
    daemon->started_ms = uv_now(&daemon->loop);
    if ((end = open_host(daemon)) != YR_EXIT_OK || (end = start_rpc(daemon)) != YR_EXIT_OK ||
        (end = open_control(daemon)) != YR_EXIT_OK) {
        unwind(daemon);
        return end;
    }
    vault_moved(daemon, daemon->first_err); // what on_state said while there was no RPC server
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    yr_say(daemon, YR_LOG_INFO, "stopped");
    return daemon->exit;
}

static enum yr_exit prepare(struct yr_daemon *daemon)
{
    struct yr_fail fail = {0};
    struct yr_buf errors = {0};
    enum yr_exit end;

    end = yr_paths_init(&daemon->paths, &daemon->args.paths, &fail);
    if (end != YR_EXIT_OK)
        return refuse_fail(daemon, end, &fail);
    end = yr_settings_load(&daemon->config, &daemon->paths, &daemon->args, &errors);
    if (end != YR_EXIT_OK)
        fputs(yr_buf_str(&errors), stderr);
    else if (daemon->args.check_config)
        printf("%s: ok\n", daemon->paths.config);
    yr_buf_clear(&errors);
    if (end != YR_EXIT_OK || daemon->args.check_config)
        return end;
    yr_log_levels(&daemon->log, &daemon->config.values[YR_CFG_LOG_LEVEL]);
    if (daemon->args.log_file != NULL &&
        (end = yr_log_file(&daemon->log, daemon->args.log_file, &fail)) != YR_EXIT_OK)
        return refuse_fail(daemon, end, &fail);
    if (geteuid() == 0)
        yr_say(daemon, YR_LOG_WARN, "running as root: an own user is safer");
    if ((end = make_places(daemon)) != YR_EXIT_OK || (end = take_lock(daemon)) != YR_EXIT_OK)
        return end;
    if (uv_loop_init(&daemon->loop) != 0)
        return refuse(daemon, YR_EXIT_OSERR, "cannot make an event loop");
    return run(daemon);
}

int yr_daemon_run(const struct yr_args *args)
{
    // Static: a name that is still being looked up when we end has a thread that knows the loop.
    static struct yr_daemon the_daemon;
    struct yr_daemon *daemon = &the_daemon;
    enum yr_exit end;

    daemon->args = *args;
    daemon->lock.fd = -1;
    yr_log_init(&daemon->log, args->scrub_log);
    if (getauxval(AT_SECURE) != 0 || getuid() != geteuid() || getgid() != getegid()) {
        end =
            refuse(daemon, YR_EXIT_NOPERM, "it must not be installed set-user-ID or set-group-ID");
    } else {
        yr_harden();
        umask(077);
        signal(SIGPIPE, SIG_IGN);
        end = prepare(daemon);
    }
    yr_lock_release(&daemon->lock);
    yr_config_clear(&daemon->config);
    yr_paths_clear(&daemon->paths);
    free(daemon->config_text);
    yr_log_clear(&daemon->log);
    return (int)end;
}
