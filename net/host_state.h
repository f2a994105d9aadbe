/* net/host_state.h: the host, between its two files: host.c (store, vault, effects, beginning and
 * end) and host_net.c (sockets, own addresses, port mapping, peers). */
#ifndef YR_HOST_STATE_H
#define YR_HOST_STATE_H

#include <limits.h>
#include <uv.h>

#include "core/base/base.h"
#include "core/limits.h"
#include "net/alarm.h"
#include "net/gateway.h"
#include "net/lan.h"
#include "net/netif.h"
#include "net/peers.h"
#include "net/portmap.h"
#include "net/udp.h"
#include "net/unlock.h"
#include "yaari/host.h"

// How far a lock or close has come.  Each step begins when nothing is under way any more.
enum yr_ending {
    YR_ENDING_NONE,
    YR_ENDING_FLUSHING, // no input any more; what is at the store or a worker is waited for
    YR_ENDING_GOODBYES, // the links are closed; their last datagrams leave
    YR_ENDING_LOCKING,  // the keys are wiped; who still waits for something is told
    YR_ENDING_HANDLES   // everything closes
};

struct yr_host {
    struct yr_host_opts opts; // without what was borrowed for open only
    enum yr_host_state state;
    struct yr_net_fail fail;
    char dir[PATH_MAX], vault_path[PATH_MAX], shred_path[PATH_MAX], port_path[PATH_MAX];

    struct yr_mem mem;
    struct yr_writer *writer;
    struct yr_node *node;
    struct yr_udp *udp;
    struct yr_lan *lan;
    struct yr_netwatch *watch;
    struct yr_portmap *portmap;
    struct yr_net_peers *peers;
    struct yr_alarm *alarm;
    bool network_up;
    yr_us slept_us;                       // until we last looked
    struct yr_gateway way_out[2];         // IPv4, IPv6: as last told to the node
    struct yr_addr own[YR_NETIF_OWN_MAX]; // as last told to the node
    size_t own_count;

    bool in_batch, draining;
    struct yr_now batch_now;
    struct yr_host_stats stats;

    uv_work_t backup_work;
    struct yr_backup_job *backup; // or NULL

    uv_work_t unlock_work;
    struct yr_unlock job;
    bool unlock_busy, has_passphrase;

    enum yr_ending ending;
    bool lock_only; // the ending is a lock
    size_t handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- host.c ---- */

/** A line for the log. */
void yr_host_say(struct yr_host *host, enum yr_log_level level, const char *room, const char *fmt,
                 ...) __attribute__((format(printf, 4, 5)));
/** Does the node take commands?  Errors: as of yr_host_command. */
enum yr_err yr_host_ready(const struct yr_host *host);
/** Carry out the node's effects until there are no more. */
void yr_host_drain(struct yr_host *host);

/** Something that an ending may wait for is over. */
void yr_host_go_on(struct yr_host *host);

/* ---- backup.c ---- */

/** Make whoever makes a backup end soon. */
void yr_backup_cancel(struct yr_host *host);
/** A restore that was whole when it was interrupted is carried out.  Errors, worded. */
YR_MUST_USE enum yr_err yr_restore_go_on(const char *data_dir, struct yr_net_fail *fail);

/* ---- host_net.c ---- */

/** Errors, worded in host->fail: those of yr_udp_open. */
YR_MUST_USE enum yr_err yr_host_open_sockets(struct yr_host *host, const struct yr_host_opts *opts);
/** Join the network, once there is somebody to be on it. */
void yr_host_network_up(struct yr_host *host);
/** Nobody is there any more (locked): the main sockets stay and read again. */
void yr_host_network_down(struct yr_host *host);
/** Look whether the machine was suspended, and at the network if it was: whatever comes first
 *  afterwards, a deadline, a datagram or the disk. */
void yr_host_woken(struct yr_host *host);
/** The node has news of the network: somebody came in by the port that the gateway maps, and nobody
 *  does any more? */
void yr_host_check_mapping(struct yr_host *host);

#endif
