/* host.h: run one node on a libuv loop: sockets, store, key files, clock and randomness.
 *
 *     open -> [no vault] --unlock: makes one--> unlocking -> open: on the network
 *                 [locked] --unlock-----------> unlocking --wrong passphrase--> [locked]
 *     close from anywhere: what is accepted is flushed, links say goodbye, all handles close
 *
 * The host carries the node's effects out in their order and decides nothing.  All calls of one
 * host come from its loop's thread. */
#ifndef YAARI_HOST_H
#define YAARI_HOST_H

#include "yaari/backup.h"

#define YR_PASSPHRASE_MAX 1024 /* bytes */
#define YR_LISTEN_MAX     8    /* listen addresses of one host */

struct uv_loop_s;
struct yr_host;

enum yr_host_state {
    YR_HOST_NO_VAULT,  /* no vault.key yet: unlock makes one */
    YR_HOST_LOCKED,    /* waits for yr_host_unlock */
    YR_HOST_UNLOCKING, /* a passphrase is being tried, or a vault made */
    YR_HOST_OPEN,      /* the node works; on the network as soon as it has an identity */
    YR_HOST_CLOSING
};

enum yr_log_level { YR_LOG_ERROR, YR_LOG_WARN, YR_LOG_INFO, YR_LOG_DEBUG, YR_LOG_TRACE };

struct yr_host_opts {
    struct uv_loop_s *loop; /* borrowed until the close callback */
    const char *data_dir;   /* copied; made with mode 0700 if its parent is there */
    /** Copied.  None: both wildcards at port 0.  Port 0: the port of the last run if it is free,
     * else another, the same for all of them.  A wildcard of a family the machine lacks is left
     * out. */
    const struct yr_addr *listen;
    size_t listen_count;  /* <= YR_LISTEN_MAX */
    bool lan;             /* multicast beacons */
    bool port_mapping;    /* ask the gateway to let others in: PCP, NAT-PMP, UPnP */
    enum yr_dht_mode dht; /* as in yr_node_opts; a server takes part without an identity, too */
    bool relay;           /* as in yr_node_opts, and so are the next two */
    enum yr_presence_mode presence;
    bool typing;
    struct yr_mail_opts mail;
    bool offline;       /* no socket at all */
    bool read_receipts; /* as in yr_node_opts */
    bool make_vault;    /* without a vault.key: make one at once, under the passphrase or none */
    const char *passphrase; /* copied into locked memory and wiped after use; NULL: none */
    size_t passphrase_len;  /* <= YR_PASSPHRASE_MAX */
    bool small_hash; /* a new vault gets the floor of Argon2id's memory (64 MiB); for tests */
    /** Each event of the node.  May call yr_host_command and the node's queries. */
    void (*on_event)(void *ctx, const struct yr_event *event);
    /** The state moved; err says why UNLOCKING went back to LOCKED (YR_EAUTH: wrong passphrase). */
    void (*on_state)(void *ctx, enum yr_host_state state, enum yr_err err);
    /** A line for the log.  room: who speaks ("net", "store"), a constant.  May be NULL. */
    void (*on_log)(void *ctx, enum yr_log_level level, const char *room, const char *text);
    void *ctx;
};
YR_API struct yr_host_opts yr_host_opts_default(void);

/** Open store and sockets and start unlocking if that needs no passphrase or one is given.
 *  *out owned by the caller, also on error (for yr_host_error); give back with yr_host_close.
 *  NULL only on YR_ENOMEM.
 *  Errors: YR_EDENIED: data_dir or a file in it has the wrong owner or mode; YR_EEXIST: a port is
 *  taken; YR_ECORRUPT: the key files or the store cannot be what we wrote; YR_EVERSION; YR_ENOSPC;
 *  YR_EIO; YR_EINVAL; YR_ENOMEM. */
YR_API YR_MUST_USE enum yr_err yr_host_open(struct yr_host **out, const struct yr_host_opts *opts);

/** What failed last, for the user ("cannot bind 0.0.0.0:7722: Address already in use"): lower case,
 *  without a full stop; "" if nothing did.  Lent until the next call that fails. */
YR_API const char *yr_host_error(const struct yr_host *host);

YR_API enum yr_host_state yr_host_state(const struct yr_host *host);

/** The vault opens with a passphrase only; false as long as nobody tried to open it. */
YR_API bool yr_host_has_passphrase(const struct yr_host *host);

/** Unlock with a passphrase (copied; NULL: none), or make the vault under it if there is none yet.
 *  The end is told by on_state, which may come before this returns when there is nothing to hash.
 *  Errors: YR_EINVAL: it is open or unlocking already, or closing; YR_ELOCKED: a passphrase is
 * needed; YR_ESIZE; YR_ENOMEM; those of writing the vault. */
YR_API YR_MUST_USE enum yr_err yr_host_unlock(struct yr_host *host, const char *passphrase,
                                              size_t passphrase_len);
/** Flush, close all links, wipe keys.  on_state(LOCKED) when it is done.
 *  Errors: YR_EINVAL: it is not open. */
YR_API YR_MUST_USE enum yr_err yr_host_lock(struct yr_host *host);

/** yr_node_command at the present moment, its effects carried out.  Errors: as there; YR_ELOCKED.
 */
YR_API YR_MUST_USE enum yr_err yr_host_command(struct yr_host *host, const struct yr_cmd *cmd,
                                               uint64_t ticket);

/** Add a peer as people write it, HOST:PORT or HOST:PORT/KEY, or give it again.  HOST is an
 * address, or a name: looked up now, every hour and when the network changes, until
 * YR_CMD_PEER_REMOVE. keep: over a restart; else (a peer of a configuration) a name that is not
 * found is looked for every minute.  The end is told by a DONE event of `ticket`: with YR_EAGAIN if
 * no address was found; ticket 0: nobody waits for it. Errors, without a DONE event: YR_EINVAL: it
 * is no peer; YR_EFULL; YR_EAGAIN: such a name is being looked up, or the host is offline; those of
 * yr_host_command. */
YR_API YR_MUST_USE enum yr_err yr_host_peer_add(struct yr_host *host, const char *text, bool keep,
                                                uint64_t ticket);

/** The node, for queries only; lent until the close callback.  Verbs go through the host.  NULL
 *  after a failed open. */
YR_API struct yr_node *yr_host_node(struct yr_host *host);

/** The moment it is now: microseconds since boot, suspended time included, and the wall clock. */
YR_API struct yr_now yr_host_now(const struct yr_host *host);

/** The addresses the sockets are bound to, with their real ports: up to `cap`; how many there are.
 */
YR_API size_t yr_host_bound(const struct yr_host *host, struct yr_addr *out, size_t cap);

/** Change what was given in yr_host_opts. */
YR_API void yr_host_set_dht(struct yr_host *host, enum yr_dht_mode mode);
YR_API void yr_host_set_relay(struct yr_host *host, bool on);
YR_API void yr_host_set_presence(struct yr_host *host, enum yr_presence_mode presence, bool typing);
YR_API void yr_host_set_mail(struct yr_host *host, const struct yr_mail_opts *mail);

enum yr_mapping_state {
    YR_MAPPING_OFF,    /* not wanted, or not on the network */
    YR_MAPPING_ASKING, /* the gateway is being asked */
    YR_MAPPING_ON,     /* the gateway says that it maps our port */
    YR_MAPPING_NONE    /* it does not; tried again later */
};
/** What became of asking the gateway for a port.  Whether somebody comes in that way the node knows
 *  (yr_net_info.mapped_works). */
struct yr_mapping_info {
    enum yr_mapping_state state;
    struct yr_addr gateway; /* asked, port 0; family 0: none */
    struct yr_addr addr;    /* ON: where others are to reach us */
    const char *by;         /* ON: "pcp", "natpmp", "upnp", a constant; else "" */
    uint64_t left_s;        /* ON: until it ends unless renewed; UINT64_MAX: it does not */
    char why[160];          /* NONE: a sentence without a full stop, else "" */
};
YR_API void yr_host_port_mapping(const struct yr_host *host, struct yr_mapping_info *out);
/** Change yr_host_opts.port_mapping: asks at once, or deletes what is mapped. */
YR_API void yr_host_set_port_mapping(struct yr_host *host, bool on);

/** What sockets and store did. */
struct yr_host_stats {
    uint64_t rx_packets, rx_bytes, rx_dropped; /* dropped: truncated, or not a datagram for us */
    uint64_t tx_packets, tx_bytes, tx_dropped; /* dropped: refused by the system, or a full queue */
    uint64_t commits, wakeups; /* wakeups: callbacks of the loop that ran the node */
};
YR_API void yr_host_stats(const struct yr_host *host, struct yr_host_stats *out);

/** Flush what is accepted, say goodbye to links, close everything, free the host; then on_closed.
 *  NULL host: on_closed at once; it may come before this returns after a failed open, too.
 *  No callback but on_event (for what is still flushed) and on_log comes after this call.  The loop
 *  must run until on_closed. */
YR_API void yr_host_close(struct yr_host *host, void (*on_closed)(void *ctx), void *ctx);

/** Make vault, store and identity in data_dir, on a loop of its own; blocks.  The caller holds the
 *  profile's lock.  May be killed anywhere and run again.
 *  passphrase: NULL for none.  id: receives the identity's public key.
 *  why: receives a sentence for the user on error (may be NULL with why_cap 0).
 *  Errors: YR_EEXIST: there is an identity; YR_EAUTH, YR_ELOCKED, YR_EINVAL: a vault without
 * identity is there and wants another, a, or no passphrase; those of yr_host_open and
 * YR_CMD_IDENTITY_NEW. */
YR_API YR_MUST_USE enum yr_err yr_host_make_identity(const char *data_dir, const char *nick,
                                                     const char *passphrase, size_t passphrase_len,
                                                     uint8_t id[YR_ID_LEN], char *why,
                                                     size_t why_cap);

/** How making a backup ended; info and bytes are of the file, why: a sentence for the user or "".
 */
typedef void (*yr_backup_done)(void *ctx, enum yr_err err, const struct yr_backup_info *info,
                               uint64_t bytes, const char *why);
/** Make a backup of the open node, as it is now, in a new file (mode 0600), beside the loop; read
 *  back and compared before it gets its name.  The passphrase is copied.
 *  The end is told by done, also when the host is closed meanwhile: YR_EEXIST: there is such a
 * file; YR_EDENIED, YR_ENOENT: it cannot be there; YR_ENOSPC, YR_EIO, YR_ECORRUPT, YR_ENOMEM.
 *  Errors, and done is not called: YR_ELOCKED, YR_ENOID; YR_EAGAIN: one is being made; YR_ESIZE:
 *  no passphrase of 1 to YR_PASSPHRASE_MAX bytes; YR_ENOMEM. */
YR_API YR_MUST_USE enum yr_err yr_host_backup(struct yr_host *host, const char *path,
                                              const char *passphrase, size_t passphrase_len,
                                              yr_backup_done done, void *ctx);

/** What a backup is to be restored with. */
struct yr_restore_opts {
    const char *file;
    const char *passphrase; /* of the file */
    size_t passphrase_len;
    const char *vault_passphrase; /* of the vault that is made; NULL: none */
    size_t vault_passphrase_len;
    bool small_hash; /* as in yr_host_opts */
};
/** Read a whole backup and keep nothing; blocks.  why: as in yr_host_make_identity.
 *  Errors: YR_EAUTH: wrong passphrase; YR_EPROTO: damaged, or no backup; YR_EVERSION; YR_ESIZE: its
 *  passphrase is too slow to try; YR_ENOENT, YR_EDENIED: no such file; YR_EIO; YR_ENOMEM. */
YR_API YR_MUST_USE enum yr_err yr_host_backup_check(const struct yr_restore_opts *opts,
                                                    struct yr_backup_info *info, uint64_t *bytes,
                                                    char *why, size_t why_cap);
/** Make a profile of a backup in data_dir, on a loop of its own; blocks.  The caller holds the
 *  profile's lock.  Killed anywhere, there is nothing or all of it, and it may be run again.
 *  Errors: YR_EEXIST: there is an identity, or a vault of which that is not known; those of
 *  yr_host_backup_check and yr_host_open. */
YR_API YR_MUST_USE enum yr_err yr_host_restore(const char *data_dir,
                                               const struct yr_restore_opts *opts,
                                               struct yr_backup_info *info, uint64_t *bytes,
                                               char *why, size_t why_cap);

/** No core dumps, no ptrace by other processes of the user (they would hold keys).  Call first
 * thing in main.  Does nothing in sanitizer builds, whose leak checker needs ptrace. */
YR_API void yr_harden(void);

#endif
