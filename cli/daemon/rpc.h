/* rpc.h: the control interface of the daemon: JSON-RPC 2.0, one object a line.  Manual:
 * yaari-rpc(7).
 *
 * Requests come in as lines, answers and events leave as lines; the process around the server
 * (sockets, files, threads) is behind struct yr_rpc_env, so that all of it runs in a test.
 *
 *     line -> parse -> method table -> parameters checked -> handler -> answer
 *                                                              \-> command with a ticket -> DONE ->
 * answer node's event -> every subscription that wants it, or, when its reader is behind, later
 * from the store */
#ifndef YR_RPC_H
#define YR_RPC_H

#include "cli/common/exits.h"
#include "yaari/host.h"

#define YR_RPC_API         1
#define YR_RPC_CLIENTS_MAX 128  /* at once, as many as the control socket has */
#define YR_RPC_PENDING_MAX 1024 /* unanswered requests of one client */
#define YR_RPC_SUBS_MAX    32   /* subscriptions of one client */
#define YR_RPC_ANSWER_MAX                                                  \
    1048576 /* bytes of JSON in one answer: a list stops there and says so \
             */
#define YR_RPC_UNSENT_HIGH \
    262144 /* bytes waiting for a reader above which its events wait in the store */

struct yr_rpc;
struct yr_rpc_client;

/** What only the process knows about itself. */
struct yr_rpc_status {
    const char *profile, *socket_path; /* lent until the next call into the process */
    bool vault;                        /* there is a vault, open or locked */
    bool offline;                      /* started with --offline */
    struct yr_mapping_info mapping;    /* of a port by the router */
    uint64_t uptime_s;
    size_t listen_count;
    struct yr_addr listen[16];
};

/** What the server asks of the process around it.  None of these may call yr_rpc_client_gone or
 *  yr_rpc_line from inside; yr_rpc_event is allowed. */
struct yr_rpc_env {
    void *ctx;
    struct yr_now (*now)(void *ctx);
    /** Queue one line (newline included, copied) for a connection. */
    void (*send)(void *ctx, void *conn, const char *line, size_t len);
    /** Bytes queued for a connection and not yet taken by its reader. */
    size_t (*unsent)(void *ctx, void *conn);
    /** More will come for this connection although nothing may come from it any more; as many
     *  releases as holds, but none after yr_rpc_client_gone. */
    void (*hold)(void *ctx, void *conn);
    void (*release)(void *ctx, void *conn);

    /** yr_node_command, with the effects carried out. */
    enum yr_err (*command)(void *ctx, const struct yr_cmd *cmd, uint64_t ticket);
    /** Vault, then identity; YR_OK: yr_rpc_done follows.  nick NULL: the login name. */
    enum yr_err (*identity_create)(void *ctx, const char *nick, uint64_t ticket);
    /** Passphrase hash and store; YR_OK: yr_rpc_done follows. */
    enum yr_err (*unlock)(void *ctx, const char *passphrase, size_t len, uint64_t ticket);
    enum yr_err (*lock)(void *ctx, uint64_t ticket); /* likewise */
    /** HOST:PORT[/KEY]; looks a name up; YR_OK: a DONE event or yr_rpc_done follows. */
    enum yr_err (*peer_add)(void *ctx, const char *addr, uint64_t ticket);

    /** yr_host_backup; YR_OK: yr_rpc_backup_done follows. */
    enum yr_err (*backup)(void *ctx, const char *path, const char *passphrase, size_t len,
                          uint64_t ticket);

    void (*status)(void *ctx, struct yr_rpc_status *out);
    /** The i-th configuration key, its running value and where that comes from; false past the end.
     *  All three lent until the next call. */
    bool (*config_at)(void *ctx, size_t i, const char **key, const char **value,
                      const char **origin);
    /** Write a key to the profile's file (value NULL: take it out) and apply it. */
    enum yr_exit (*config_set)(void *ctx, const char *key, const char *value, struct yr_fail *fail);
    enum yr_exit (*reload)(void *ctx, struct yr_fail *fail);
    /** Begin a graceful stop, after what is queued has been sent. */
    void (*stop)(void *ctx);
};

/** env copied, node borrowed; both outlive the server.  *out owned by the caller.
 *  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_rpc_new(struct yr_rpc **out, struct yr_node *node,
                                   const struct yr_rpc_env *env);
void yr_rpc_free(struct yr_rpc *rpc);

/** A program has connected; conn is what env->send gets.  NULL: no memory, or too many. */
struct yr_rpc_client *yr_rpc_client_new(struct yr_rpc *rpc, void *conn);
/** It has gone: what it asked for goes on, what it would have been told is dropped.  NULL is fine.
 */
void yr_rpc_client_gone(struct yr_rpc *rpc, struct yr_rpc_client *client);
/** One line from it, without its newline.  Total: any bytes end in an answer, an error or (for a
 *  notification) in nothing. */
void yr_rpc_line(struct yr_rpc *rpc, struct yr_rpc_client *client, const char *line, size_t len);
/** Answer a line that was too long to be read: -32600. */
void yr_rpc_line_too_long(struct yr_rpc *rpc, struct yr_rpc_client *client);

/** An event of the node, in order. */
void yr_rpc_event(struct yr_rpc *rpc, const struct yr_event *event);
/** The end of identity_create, unlock or peer_add where no DONE event tells it. */
void yr_rpc_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err);

/** The end of backup: as yr_backup_done. */
void yr_rpc_backup_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err,
                        const struct yr_backup_info *info, uint64_t bytes, const char *why);

/** The vault was opened or closed. */
void yr_rpc_vault_moved(struct yr_rpc *rpc);

/** Time passed: waits that ran out, events for readers that were behind. */
void yr_rpc_tick(struct yr_rpc *rpc);
/** When tick is next wanted (monotonic microseconds); YR_NEVER if never. */
yr_us yr_rpc_deadline(const struct yr_rpc *rpc);
/** `read` is never shown while read receipts are off (they are mutual). */
void yr_rpc_set_read_receipts(struct yr_rpc *rpc, bool on);
/** Fill `out` with "rpc.requests" and the like, for the log; false past the end. */
bool yr_rpc_counter(const struct yr_rpc *rpc, size_t i, struct yr_counter *out);

#endif
