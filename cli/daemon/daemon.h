/* daemon.h: yaarid as one object: a node's host, the control socket, the RPC server between them,
 * and what the system says to a service (signals, service manager).
 *
 *     open -> running --TERM, INT, daemon.stop--> stopping: host flushes, answers leave -> gone
 *                                      5 s, or a second signal: at once */
#ifndef YR_DAEMON_H
#define YR_DAEMON_H

#include <uv.h>

#include "cli/common/config.h"
#include "cli/daemon/args.h"
#include "cli/daemon/log.h"
#include "cli/daemon/rpc.h"
#include "net/control.h"
#include "net/lock.h"
#include "yaari/host.h"

#define YR_DAEMON_STOP_MS   5000 /* what a graceful stop may take */
#define YR_DAEMON_WAITS_MAX 64   /* RPC requests that wait for the vault */
#define YR_DAEMON_SIGNALS   4

enum yr_daemon_wait { YR_WAIT_UNLOCK, YR_WAIT_LOCK, YR_WAIT_CREATE };

/** A peer of the configuration that the host was given. */
struct yr_daemon_peer {
    char name[128]; /* as configured: HOST:PORT[/KEY] */
    struct yr_daemon_peer *next;
};

struct yr_conn; /* one connection to the control socket */

struct yr_daemon {
    struct yr_args args;
    struct yr_paths paths;
    struct yr_config config;
    struct yr_log log;
    struct yr_lock lock;
    uv_loop_t loop;
    struct yr_host *host;
    struct yr_control *control;
    struct yr_rpc *rpc;
    struct yr_conn *conns;
    uv_signal_t signals[YR_DAEMON_SIGNALS];
    uv_timer_t rpc_timer, stop_timer, watchdog, linger_timer;
    yr_us rpc_deadline; /* what rpc_timer is set to */
    uint64_t started_ms;
    enum yr_exit exit;
    enum yr_err first_err; /* of what the host said before the RPC server was there */
    bool ready, stopping;
    uint64_t linger_ms; /* when the last answers must have left */
    struct {
        enum yr_daemon_wait what;
        uint64_t ticket;
        char nick[65];
    } waits[YR_DAEMON_WAITS_MAX];
    size_t wait_count;
    uint64_t backup_ticket;
    struct yr_daemon_peer *peers;
    char *config_text; /* lent to the RPC server */
    uint64_t refused_last_ms, refused_count;
};

/** Run until stopped; at most once in a process.  Everything the manual calls start-up checks is in
 * here; errors are worded on stderr (and in the log file).  Returns the exit code. */
int yr_daemon_run(const struct yr_args *args);

/* ---- between the daemon's files ---- */

#define yr_say(daemon, level, ...) yr_log(&(daemon)->log, level, "main", __VA_ARGS__)

/** Read configuration, environment and flags.  Errors: YR_EXIT_CONFIG; `errors` has the lines. */
YR_MUST_USE enum yr_exit yr_settings_load(struct yr_config *out, const struct yr_paths *paths,
                                          const struct yr_args *args, struct yr_buf *errors);
/** What the node is told of net.dht, net.relay and [mail]. */
enum yr_dht_mode yr_settings_dht(const struct yr_config *config);
enum yr_presence_mode yr_settings_presence(const struct yr_config *config);
bool yr_settings_relay(const struct yr_config *config);
void yr_settings_mail(const struct yr_config *config, struct yr_mail_opts *out);
/** Read it again and apply what may change while running; what is wrong leaves all as it was. */
enum yr_exit yr_daemon_reload(struct yr_daemon *daemon, struct yr_fail *fail);
void yr_daemon_stop(struct yr_daemon *daemon);
/** Set the timer to what the RPC server wants next. */
void yr_daemon_rearm(struct yr_daemon *daemon);

/** The functions by which the RPC server reaches the process. */
extern const struct yr_rpc_env yr_daemon_env;
/** The vault has opened, closed or refused: answer who waits for it. */
void yr_daemon_vault_moved(struct yr_daemon *daemon, enum yr_host_state state, enum yr_err err);

/** Give the node the peers of the configuration that it does not have, take away those that left.
 */
void yr_peers_apply_config(struct yr_daemon *daemon);
/** peer.add. */
YR_MUST_USE enum yr_err yr_peers_add(struct yr_daemon *daemon, const char *name, uint64_t ticket);
/** Forget what was given: the host has, too (locked), or it ends. */
void yr_peers_clear(struct yr_daemon *daemon);

#endif
