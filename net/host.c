#include "yaari/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "core/base/base.h"
#include "core/limits.h"
#include "net/addr.h"
#include "net/alarm.h"
#include "net/dir.h"
#include "net/gateway.h"
#include "net/keyfile.h"
#include "net/lan.h"
#include "net/mem.h"
#include "net/netif.h"
#include "net/peers.h"
#include "net/portmap.h"
#include "net/random.h"
#include "net/udp.h"
#include "net/unlock.h"
#include "net/upnp.h"
#include "net/writer.h"

#define STAMP_EVERY 64   /* effects carried out under one reading of the clock */
#define TICKS_MAX   4    /* ticks before the loop's other work gets its turn */
#define NAP_US      YR_S /* a shorter sleep is none: no link and no lease has missed it */

// How far a lock or close has come.  Each step begins when nothing is under way any more.
enum ending {
    RUNNING,
    FLUSHING, // no input any more; what is at the store or a worker is waited for
    GOODBYES, // the links are closed; their last datagrams leave
    LOCKING,  // the keys are wiped; who still waits for something is told
    HANDLES   // everything closes
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

    uv_work_t unlock_work;
    struct yr_unlock job;
    bool unlock_busy, has_passphrase;

    enum ending ending;
    bool lock_only; // the ending is a lock
    size_t handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void drain(struct yr_host *host);
static void go_on_ending(struct yr_host *host);

static void say(struct yr_host *host, enum yr_log_level level, const char *room, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));
static void say(struct yr_host *host, enum yr_log_level level, const char *room, const char *fmt,
                ...)
{
    char text[512];
    va_list args;

    if (host->opts.on_log == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    host->opts.on_log(host->opts.ctx, level, room, text);
}

static void enter(struct yr_host *host, enum yr_host_state state, enum yr_err err)
{
    host->state = state;
    if (host->opts.on_state != NULL && state != YR_HOST_CLOSING)
        host->opts.on_state(host->opts.ctx, state, err);
}

/** Does the node take commands? */
static enum yr_err ready(const struct yr_host *host)
{
    switch (host->state) {
    case YR_HOST_NO_VAULT: return YR_ENOID;
    case YR_HOST_LOCKED:
    case YR_HOST_UNLOCKING: return YR_ELOCKED;
    case YR_HOST_CLOSING: return YR_EAGAIN;
    case YR_HOST_OPEN: break;
    }
    return host->ending == RUNNING ? YR_OK : YR_EAGAIN;
}

// ---- the clock ----

static void woken(struct yr_host *host);

static void on_alarm(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    if (host->ending != RUNNING || host->node == NULL)
        return;
    woken(host);
    yr_node_tick(host->node, yr_clock_now());
    drain(host);
}

static void set_alarm(struct yr_host *host)
{
    if (host->alarm != NULL)
        yr_alarm_set(host->alarm, host->ending == RUNNING && host->state == YR_HOST_OPEN
                                      ? yr_node_deadline(host->node)
                                      : YR_NEVER);
}

// ---- the store and the key file ----

static void on_answer(void *ctx, uint64_t token, enum yr_err err)
{
    struct yr_host *host = ctx;

    if (err != YR_OK)
        say(host, YR_LOG_ERROR, "store", "a write failed: %s", yr_strerror(err));
    yr_node_stored(host->node, yr_clock_now(), token, err);
}

static void on_answers(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    drain(host);
}

// ---- the network ----

static void on_datagram(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct yr_host *host = ctx;

    if (host->state != YR_HOST_OPEN || host->ending != RUNNING)
        return;
    if (!host->in_batch) {
        host->in_batch = true;
        host->batch_now = yr_clock_now();
    }
    yr_node_recv(host->node, host->batch_now, from, bytes, len);
}

static void on_batch(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    host->in_batch = false;
    drain(host);
}

/** Look at the ways out of here: are they others than they were? */
static bool look_out(struct yr_host *host, const struct yr_addr *bound, size_t bound_count)
{
    bool changed = false;

    for (size_t w = 0; w < YR_COUNT(host->way_out); w++) {
        const uint8_t family = w == 0 ? 4 : 6;
        const struct yr_addr *from = NULL;
        struct yr_gateway way;
        enum yr_err err = YR_ENOENT;

        for (size_t b = 0; b < bound_count; b++)
            if (bound[b].family == family && (from == NULL || yr_addr_wildcard(&bound[b])))
                from = &bound[b];
        memset(&way, 0, sizeof way);
        if (from != NULL)
            err = yr_gateway_find(&way, from);
        if (err == YR_EIO)
            continue; // not told: as it was
        if (err != YR_OK)
            memset(&way, 0, sizeof way);
        changed = changed || way.ifindex != host->way_out[w].ifindex ||
                  !yr_addr_eq(&way.gateway, &host->way_out[w].gateway) ||
                  !yr_addr_eq(&way.source, &host->way_out[w].source);
        host->way_out[w] = way;
    }
    return changed;
}

/** Tell the node its addresses, if they or the ways out are others than it knows.  What the system
 * does not tell now stays as it was, and is asked for again. */
static void tell_addrs(struct yr_host *host, bool anyway)
{
    struct yr_addr bound[YR_LISTEN_MAX], own[YR_NETIF_OWN_MAX];
    const size_t bound_count = yr_udp_bound(host->udp, bound, YR_LISTEN_MAX);
    const size_t count = yr_netif_addrs(bound, bound_count, own, YR_NETIF_OWN_MAX);
    bool same = count == host->own_count || count == YR_NETIF_UNKNOWN;

    for (size_t i = 0; i < host->own_count && same && count != YR_NETIF_UNKNOWN; i++)
        same = yr_addr_eq(&own[i], &host->own[i]);
    same = !look_out(host, bound, bound_count) && same; // both are looked at
    if (count == YR_NETIF_UNKNOWN)
        yr_netwatch_again(host->watch, YR_NETIF_AGAIN_MS);
    if (same && !anyway)
        return;
    if (count != YR_NETIF_UNKNOWN) {
        memcpy(host->own, own, count * sizeof *own);
        host->own_count = count;
    }
    say(host, YR_LOG_DEBUG, "net", "%zu own addresses", host->own_count);
    yr_node_addrs(host->node, yr_clock_now(), host->own, host->own_count);
    drain(host);
}

/** The network may be another.  slept: the machine was suspended, and what we know is old in any
 *  case: NATs have forgotten us, and friends may have moved. */
static void network_changed(struct yr_host *host, bool slept)
{
    struct yr_addr bound[YR_LISTEN_MAX];

    yr_udp_forget(host->udp);
    if (host->lan != NULL && !yr_lan_refresh(host->lan))
        yr_netwatch_again(host->watch, YR_NETIF_AGAIN_MS);
    tell_addrs(host, slept);
    yr_portmap_start(host->portmap, bound, yr_udp_bound(host->udp, bound, YR_LISTEN_MAX), slept);
    yr_net_peers_again(host->peers);
}

/** Was the machine suspended since we last looked? */
static bool has_slept(struct yr_host *host)
{
    const yr_us before = host->slept_us;

    host->slept_us = yr_clock_slept();
    return host->slept_us > before + NAP_US;
}

static void woken(struct yr_host *host)
{
    if (!host->network_up || host->state != YR_HOST_OPEN || !has_slept(host))
        return;
    say(host, YR_LOG_DEBUG, "net", "awake again");
    network_changed(host, true);
    yr_netwatch_again(host->watch, YR_NETIF_AGAIN_MS); // interfaces take their time to come back
}

static void on_network_changed(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    if (host->ending != RUNNING || host->state != YR_HOST_OPEN)
        return;
    network_changed(host, has_slept(host));
}

// ---- port mapping ----

static void on_mapping(void *ctx)
{
    struct yr_host *host = ctx;
    struct yr_mapping_info info;
    char text[YR_ADDR_TEXT];

    if (host->state != YR_HOST_OPEN || host->ending != RUNNING)
        return;
    yr_portmap_info(host->portmap, &info);
    yr_addr_text(text, &info.addr);
    if (info.state == YR_MAPPING_ON)
        say(host, YR_LOG_INFO, "net", "the gateway maps %s to us (%s)", text, info.by);
    else if (info.state == YR_MAPPING_NONE)
        say(host, YR_LOG_INFO, "net", "no port is mapped: %s", info.why);
    yr_node_mapped(host->node, yr_clock_now(), &info.addr);
    drain(host);
}

static void start_mapping(struct yr_host *host)
{
    char program[PATH_MAX];
    const struct yr_portmap_opts opts = {.loop = host->opts.loop,
                                         .upnp_program =
                                             yr_upnp_find(program, sizeof program) ? program : NULL,
                                         .on_change = on_mapping,
                                         .ctx = host};
    struct yr_addr bound[YR_LISTEN_MAX];

    if (!host->opts.port_mapping || !host->network_up)
        return;
    if (host->portmap == NULL && yr_portmap_open(&host->portmap, &opts) != YR_OK) {
        say(host, YR_LOG_WARN, "net", "no memory to ask the gateway for a port");
        return;
    }
    yr_portmap_start(host->portmap, bound, yr_udp_bound(host->udp, bound, YR_LISTEN_MAX), false);
}

void yr_host_port_mapping(const struct yr_host *host, struct yr_mapping_info *out)
{
    yr_portmap_info(host->portmap, out);
}

void yr_host_set_port_mapping(struct yr_host *host, bool on)
{
    if (host->opts.port_mapping == on)
        return;
    host->opts.port_mapping = on;
    if (on)
        start_mapping(host);
    else
        yr_portmap_stop(host->portmap);
}

/** Somebody came in by the port that the gateway maps, and nobody does any more. */
static void check_mapping(struct yr_host *host)
{
    struct yr_net_info net;

    yr_node_net(host->node, &net);
    if (net.mapped_works == YR_NO)
        yr_portmap_renew(host->portmap);
}

// ---- peers ----

static enum yr_err peer_command(void *ctx, const struct yr_cmd *cmd, uint64_t ticket)
{
    return yr_host_command(ctx, cmd, ticket);
}

static void peer_start_from(void *ctx, const struct yr_addr *addr, const uint8_t key[32])
{
    struct yr_host *host = ctx;

    if (host->state != YR_HOST_OPEN || host->ending != RUNNING)
        return;
    (void)!yr_node_bootstrap(host->node, yr_clock_now(), addr, key); // one of several
    drain(host);
}

static void peer_failed(void *ctx, uint64_t ticket, enum yr_err err)
{
    const struct yr_host *host = ctx;
    const struct yr_event event = {.kind = YR_EV_DONE, .ticket = ticket, .err = err};

    if (ticket != 0 && host->opts.on_event != NULL)
        host->opts.on_event(host->opts.ctx, &event);
}

static void peer_missing(void *ctx, const char *text)
{
    (void)text; // who it is stays out of the log
    say(ctx, YR_LOG_WARN, "net", "the name of a peer was not found, trying again later");
}

/** NULL: no memory. */
static struct yr_net_peers *peers_of(struct yr_host *host)
{
    const struct yr_net_peers_opts opts = {.loop = host->opts.loop,
                                           .command = peer_command,
                                           .start_from = peer_start_from,
                                           .failed = peer_failed,
                                           .missing = peer_missing,
                                           .ctx = host};

    if (host->peers == NULL && yr_net_peers_open(&host->peers, &opts) != YR_OK)
        host->peers = NULL;
    return host->peers;
}

/** Look after the names among those that the node has kept. */
static void take_peers(struct yr_host *host)
{
    struct yr_peer_info peer;

    for (size_t i = 0; yr_node_peer_at(host->node, i, &peer) && peers_of(host) != NULL; i++)
        yr_net_peers_known(host->peers, peer.name, &peer.addr);
}

enum yr_err yr_host_peer_add(struct yr_host *host, const char *text, bool keep, uint64_t ticket)
{
    struct yr_peer_text parts;
    enum yr_err err = ready(host);

    if (err == YR_OK)
        err = yr_peer_text_parse(&parts, text);
    if (err != YR_OK)
        return err;
    if (parts.addr.family == 0 && host->opts.offline)
        return YR_EAGAIN;
    return peers_of(host) != NULL ? yr_net_peers_add(host->peers, text, keep, ticket) : YR_ENOMEM;
}

/** Join the network, once there is somebody to be on it. */
static void network_up(struct yr_host *host)
{
    const struct yr_lan_opts lan = {.loop = host->opts.loop,
                                    .udp = host->udp,
                                    .on_datagram = on_datagram,
                                    .on_batch = on_batch,
                                    .ctx = host};
    struct yr_net_fail fail;
    struct yr_self self;

    if (host->network_up || host->udp == NULL || host->state != YR_HOST_OPEN ||
        host->ending != RUNNING)
        return;
    yr_node_self(host->node, &self);
    if (!self.has_identity && host->opts.dht != YR_ROLE_SERVER)
        return;
    if (host->opts.lan && host->lan == NULL && yr_lan_open(&host->lan, &lan, &fail) != YR_OK)
        say(host, YR_LOG_WARN, "net", "%s", fail.text); // the rest of the network works without
    if (host->watch == NULL &&
        yr_netwatch_open(&host->watch, host->opts.loop, on_network_changed, host) != YR_OK)
        say(host, YR_LOG_WARN, "net", "changes of own addresses will not be seen");
    host->network_up = true;
    (void)has_slept(host); // from here on
    tell_addrs(host, true);
    start_mapping(host);
    take_peers(host);
}

// ---- effects ----

/** One that does not open costs only what would have been sent there. */
static void open_extra(struct yr_host *host, const struct yr_addr *at)
{
    const enum yr_err err =
        host->udp != NULL ? yr_udp_open_extra(host->udp, at->local, at->family) : YR_OK;

    if (err != YR_OK)
        say(host, YR_LOG_DEBUG, "net", "cannot open one more socket: %s", yr_strerror(err));
}

/** true: what it did may have made the first identity. */
static bool carry_out(struct yr_host *host, const struct yr_effect *fx, const uint8_t *room)
{
    switch (fx->kind) {
    case YR_FX_SEND:
        if (host->udp != NULL)
            yr_udp_send(host->udp, &fx->to, fx->len);
        return false;
    case YR_FX_OPEN: open_extra(host, &fx->to); return false;
    case YR_FX_SHUT:
        if (host->udp != NULL)
            yr_udp_shut_extra(host->udp, fx->to.local);
        return false;
    case YR_FX_LAN:
        if (host->lan != NULL)
            yr_lan_send(host->lan, room, fx->len);
        return false;
    case YR_FX_STORE: yr_writer_store(host->writer, fx->txn); return false;
    case YR_FX_KEYFILE:
        yr_writer_keyfile(host->writer, fx->token, fx->slot, fx->slot_bytes);
        return false;
    case YR_FX_EVENT:
        if (fx->event.kind == YR_EV_NET && host->portmap != NULL && host->ending == RUNNING)
            check_mapping(host);
        if (host->opts.on_event != NULL)
            host->opts.on_event(host->opts.ctx, &fx->event);
        return fx->event.kind == YR_EV_DONE;
    }
    return false;
}

/** Is it time for a tick already? */
static bool due(const struct yr_host *host, struct yr_now now)
{
    return host->ending == RUNNING && host->state == YR_HOST_OPEN &&
           yr_node_deadline(host->node) <= now.mono_us;
}

/** Take the node's effects until there are no more.  Callbacks inside may give it more to do; they
 *  come back here only through the loop below. */
static void drain(struct yr_host *host)
{
    uint8_t scratch[YR_PACKET_MAX];
    struct yr_effect fx;
    struct yr_now now;
    unsigned ticks = 0;
    bool look = false;

    if (host->draining || host->node == NULL || host->ending == HANDLES)
        return;
    host->draining = true;
    now = yr_clock_now();
    for (unsigned n = 1;; n++) {
        uint8_t *room = host->udp != NULL ? yr_udp_room(host->udp) : scratch;
        if (yr_node_poll(host->node, now, &fx, room, YR_PACKET_MAX)) {
            look = carry_out(host, &fx, room) || look;
            if (fx.kind == YR_FX_EVENT) // who was told may have asked for more, later than `now`
                now = yr_clock_now();
        } else {
            now = yr_clock_now();
            if (ticks++ == TICKS_MAX || !due(host, now))
                break;
            yr_node_tick(host->node, now); // here, and not by way of the alarm
        }
        if (n % STAMP_EVERY == 0)
            now = yr_clock_now();
    }
    host->draining = false;
    if (host->udp != NULL)
        yr_udp_flush(host->udp);
    set_alarm(host);
    if (look && !host->network_up)
        network_up(host);
    if (host->ending != RUNNING)
        go_on_ending(host);
}

// ---- unlocking ----

/** The vault key is known: let the node open its store. */
static enum yr_err open_node(struct yr_host *host, const uint8_t vk[32])
{
    uint8_t shred[YR_SHRED_FILE_LEN];
    enum yr_err err = yr_keyfile_read_shred(host->shred_path, shred);
    const bool none = err == YR_ENOENT;

    if (none && !yr_writer_is_empty(host->writer))
        return yr_net_fail(&host->fail, YR_ECORRUPT, 0, "%s is missing, and the store is not empty",
                           host->shred_path);
    if (err != YR_OK && !none)
        return yr_net_fail(&host->fail, err, 0, "cannot read %s: %s", host->shred_path,
                           yr_strerror(err));
    err = yr_node_unlock(host->node, yr_clock_now(), vk, none ? NULL : shred);
    explicit_bzero(shred, sizeof shred);
    if (err == YR_EAUTH)
        yr_net_fail(&host->fail, err, 0, "the keys in %s are not those of its store", host->dir);
    else if (err != YR_OK)
        yr_net_fail(&host->fail, err, 0, "cannot read the store in %s: %s", host->dir,
                    yr_strerror(err));
    return err;
}

/** The attempt is over. */
static enum yr_err unlocked(struct yr_host *host)
{
    const bool unused = host->job.without && host->job.passphrase != NULL;
    enum yr_err err = host->job.fail.err;

    host->has_passphrase = !host->job.without;
    if (err != YR_OK)
        host->fail = host->job.fail;
    else if (host->ending == RUNNING)
        err = open_node(host, host->job.vk);
    yr_unlock_clear(&host->job);
    if (host->ending != RUNNING) {
        go_on_ending(host);
        return err;
    }
    if (err != YR_OK) {
        enter(host, access(host->vault_path, F_OK) == 0 ? YR_HOST_LOCKED : YR_HOST_NO_VAULT, err);
        return err;
    }
    if (unused)
        say(host, YR_LOG_WARN, "store", "%s has no passphrase; the one given is not used",
            host->vault_path);
    enter(host, YR_HOST_OPEN, YR_OK);
    drain(host);
    network_up(host);
    return YR_OK;
}

static void run_unlock(uv_work_t *work)
{
    yr_unlock_run(work->data);
}

static void on_unlocked(uv_work_t *work, int status)
{
    struct yr_unlock *job = work->data;
    struct yr_host *host = (struct yr_host *)((char *)job - offsetof(struct yr_host, job));

    (void)status; // never cancelled
    host->stats.wakeups++;
    host->unlock_busy = false;
    (void)!unlocked(host); // told by on_state
}

enum yr_err yr_host_unlock(struct yr_host *host, const char *passphrase, size_t passphrase_len)
{
    enum yr_err err;

    if (host->node == NULL || host->ending != RUNNING ||
        (host->state != YR_HOST_NO_VAULT && host->state != YR_HOST_LOCKED))
        return yr_net_fail(&host->fail, YR_EINVAL, 0, "it is unlocked already");
    err = yr_unlock_init(&host->job, passphrase, passphrase_len);
    if (err != YR_OK)
        return yr_net_fail(&host->fail, err, 0,
                           err == YR_ESIZE ? "a passphrase has 1 to %d bytes"
                                           : "no memory for a passphrase of up to %d bytes",
                           YR_PASSPHRASE_MAX);
    host->job.path = host->vault_path;
    host->job.make = host->state == YR_HOST_NO_VAULT;
    host->job.small_hash = host->opts.small_hash;
    host->state = YR_HOST_UNLOCKING;
    if (!yr_unlock_is_slow(&host->job)) {
        yr_unlock_run(&host->job);
        return unlocked(host);
    }
    enter(host, YR_HOST_UNLOCKING, YR_OK);
    host->unlock_busy = true;
    host->unlock_work.data = &host->job;
    if (uv_queue_work(host->opts.loop, &host->unlock_work, run_unlock, on_unlocked) != 0)
        YR_ASSERT(false); // fails only without a function to call
    return YR_OK;
}

// ---- opening ----

struct yr_host_opts yr_host_opts_default(void)
{
    const struct yr_node_opts node = yr_node_opts_default();

    return (struct yr_host_opts){.lan = true, .dht = node.dht, .relay = node.relay};
}

static uint16_t read_port(const struct yr_host *host)
{
    char text[16] = "";
    const int fd = open(host->port_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    const long port = len > 0 ? strtol(text, NULL, 10) : 0;

    if (fd >= 0)
        close(fd);
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/** Remember our port, so that friends find us where we were.  Losing it costs a new one. */
static void keep_port(struct yr_host *host, uint16_t port)
{
    char text[16], fresh[PATH_MAX + 8];
    const int len = snprintf(text, sizeof text, "%u\n", port);
    bool ok;
    int fd;

    snprintf(fresh, sizeof fresh, "%s.new", host->port_path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ok = fd >= 0 && write(fd, text, (size_t)len) == len;
    if (fd >= 0)
        close(fd);
    if (!ok || rename(fresh, host->port_path) != 0)
        say(host, YR_LOG_WARN, "net", "cannot keep the port in %s: %s", host->port_path,
            strerror(errno));
}

static enum yr_err open_sockets(struct yr_host *host, const struct yr_host_opts *opts)
{
    const struct yr_udp_opts udp = {.loop = opts->loop,
                                    .listen = opts->listen,
                                    .listen_count = opts->listen_count,
                                    .kept_port = read_port(host),
                                    .on_datagram = on_datagram,
                                    .on_batch = on_batch,
                                    .ctx = host};
    struct yr_addr bound[YR_LISTEN_MAX];
    enum yr_err err = yr_udp_open(&host->udp, &udp, &host->fail);
    uint16_t port;

    if (err != YR_OK)
        return err;
    port = yr_udp_random_port(host->udp);
    if (port != 0 && port != udp.kept_port)
        keep_port(host, port);
    const size_t count = yr_udp_bound(host->udp, bound, YR_LISTEN_MAX);
    for (size_t i = 0; i < count; i++) {
        char text[YR_ADDR_TEXT];
        yr_addr_text(text, &bound[i]);
        say(host, YR_LOG_INFO, "net", "listening on %s", text);
    }
    return YR_OK;
}

static enum yr_err open_store(struct yr_host *host)
{
    char path[PATH_MAX + 8];
    const struct yr_writer_opts opts = {.loop = host->opts.loop,
                                        .store_dir = path,
                                        .shred_path = host->shred_path,
                                        .on_answer = on_answer,
                                        .on_answers = on_answers,
                                        .ctx = host};

    snprintf(path, sizeof path, "%s/store", host->dir);
    return yr_writer_open(&host->writer, &opts, &host->fail);
}

static enum yr_err take_dir(struct yr_host *host, const char *dir)
{
    // Room for the longest name of ours behind it.
    if (strlen(dir) + sizeof "/store/data.mdb" > PATH_MAX)
        return yr_net_fail(&host->fail, YR_EINVAL, 0, "the path of the data directory is too long");
    strcpy(host->dir, dir); // fits, just checked
    snprintf(host->vault_path, PATH_MAX, "%s/vault.key", dir);
    snprintf(host->shred_path, PATH_MAX, "%s/shred.key", dir);
    snprintf(host->port_path, PATH_MAX, "%s/port", dir);
    return yr_dir_private(dir, &host->fail);
}

static enum yr_err open_parts(struct yr_host *host, const struct yr_host_opts *opts)
{
    struct yr_node_opts node = yr_node_opts_default();
    enum yr_err err;

    err = yr_alarm_open(&host->alarm, opts->loop, on_alarm, host);
    if (err != YR_OK)
        return yr_net_fail(&host->fail, err, errno, "cannot make a timer");
    if ((err = take_dir(host, opts->data_dir)) != YR_OK || (err = open_store(host)) != YR_OK)
        return err;
    if (!opts->offline && (err = open_sockets(host, opts)) != YR_OK)
        return err;
    yr_mem_init(&host->mem);
    node.mem = &host->mem;
    node.rng = yr_rng_system();
    node.view = yr_writer_view(host->writer);
    node.lan = opts->lan && !opts->offline;
    node.online = !opts->offline;
    node.read_receipts = opts->read_receipts;
    node.dht = opts->dht;
    node.relay = opts->relay;
    err = yr_node_new(&host->node, &node);
    if (host->mem.unlocked > 0)
        say(host, YR_LOG_WARN, "store",
            "keys may be swapped out: the limit of locked memory is "
            "too low (RLIMIT_MEMLOCK)");
    return err == YR_OK ? YR_OK : yr_net_fail(&host->fail, err, 0, "no memory for the node");
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

static enum yr_err begin(struct yr_host *host, const struct yr_host_opts *opts)
{
    const bool vault = there(host->vault_path);

    host->state = vault ? YR_HOST_LOCKED : YR_HOST_NO_VAULT;
    // A vault made now could never open what an older one closed.
    if (!vault && (there(host->shred_path) || !yr_writer_is_empty(host->writer)))
        return yr_net_fail(&host->fail, YR_ECORRUPT, 0, "%s is missing, and the store is not empty",
                           host->vault_path);
    if (!vault && !opts->make_vault)
        return YR_OK;
    const enum yr_err err = yr_host_unlock(host, opts->passphrase, opts->passphrase_len);
    return err == YR_ELOCKED ? YR_OK : err; // waits for a passphrase
}

enum yr_err yr_host_open(struct yr_host **out, const struct yr_host_opts *opts)
{
    struct yr_host *host = calloc(1, sizeof *host);
    enum yr_err err;

    *out = host;
    if (host == NULL)
        return YR_ENOMEM;
    host->opts = *opts;
    host->opts.data_dir = host->opts.passphrase = NULL;
    host->opts.listen = NULL;
    host->state = YR_HOST_LOCKED;
    err = open_parts(host, opts);
    return err == YR_OK ? begin(host, opts) : err;
}

// ---- what a front end asks ----

const char *yr_host_error(const struct yr_host *host)
{
    return host->fail.text;
}

enum yr_host_state yr_host_state(const struct yr_host *host)
{
    return host->state;
}

bool yr_host_has_passphrase(const struct yr_host *host)
{
    return host->has_passphrase;
}

struct yr_node *yr_host_node(struct yr_host *host)
{
    return host->node;
}

struct yr_now yr_host_now(const struct yr_host *host)
{
    (void)host;
    return yr_clock_now();
}

size_t yr_host_bound(const struct yr_host *host, struct yr_addr *out, size_t cap)
{
    return host->udp != NULL ? yr_udp_bound(host->udp, out, cap) : 0;
}

void yr_host_set_dht(struct yr_host *host, enum yr_dht_mode mode)
{
    host->opts.dht = mode;
    yr_node_set_dht(host->node, yr_clock_now(), mode);
    network_up(host); // a server needs nobody to be on it
    drain(host);
}

void yr_host_set_relay(struct yr_host *host, bool on)
{
    host->opts.relay = on;
    yr_node_set_relay(host->node, yr_clock_now(), on);
    drain(host);
}

void yr_host_stats(const struct yr_host *host, struct yr_host_stats *out)
{
    *out = host->stats;
    if (host->writer != NULL)
        out->commits = yr_writer_commits(host->writer);
    if (host->udp != NULL)
        yr_udp_stats(host->udp, out);
}

enum yr_err yr_host_command(struct yr_host *host, const struct yr_cmd *cmd, uint64_t ticket)
{
    char text[YR_PEER_TEXT];
    enum yr_err err = ready(host);

    if (err != YR_OK)
        return err;
    if (cmd->kind == YR_CMD_PEER_REMOVE && host->peers != NULL && cmd->text_len < sizeof text) {
        snprintf(text, sizeof text, "%.*s", (int)cmd->text_len, cmd->text);
        yr_net_peers_remove(host->peers, text);
    }
    err = yr_node_command(host->node, yr_clock_now(), cmd, ticket);
    drain(host);
    return err;
}

// ---- ending ----

static void released(void *ctx)
{
    struct yr_host *host = ctx;
    void (*on_closed)(void *) = host->on_closed;
    void *closed_ctx = host->closed_ctx;

    if (--host->handles > 0)
        return;
    free(host);
    if (on_closed != NULL)
        on_closed(closed_ctx);
}

static void close_parts(struct yr_host *host)
{
    host->ending = HANDLES;
    yr_node_free(host->node);
    host->node = NULL;
    host->handles = 8;                       // the seven, and this call
    yr_lan_close(host->lan, released, host); // before the sockets it sends through
    yr_netwatch_close(host->watch, released, host);
    yr_portmap_close(host->portmap, released, host);
    yr_net_peers_close(host->peers, released, host);
    yr_alarm_close(host->alarm, released, host);
    yr_udp_close(host->udp, released, host);
    yr_writer_close(host->writer, released, host);
    released(host);
}

/** Locked, and nothing is under way: open again, or close. */
static void said_goodbye(struct yr_host *host)
{
    if (!host->lock_only) {
        close_parts(host);
        return;
    }
    host->lock_only = false;
    host->ending = RUNNING;
    host->network_up = false; // the addresses are told again after the next unlock
    if (host->udp != NULL) {
        yr_portmap_stop(host->portmap);
        yr_net_peers_clear(host->peers);
        yr_udp_shut_extras(host->udp);
        yr_udp_pause(host->udp, false);
    }
    enter(host, YR_HOST_LOCKED, YR_OK);
}

/** Called whenever something that an ending waits for may be over. */
static void go_on_ending(struct yr_host *host)
{
    const bool busy = host->draining || host->unlock_busy ||
                      (host->writer != NULL && yr_writer_busy(host->writer));

    if (host->ending == RUNNING || host->ending == HANDLES || busy)
        return;
    if (host->node == NULL || host->ending == LOCKING) {
        said_goodbye(host);
        return;
    }
    if (host->ending == FLUSHING) {
        host->ending = GOODBYES;
        yr_node_close(host->node, yr_clock_now());
    } else {
        host->ending = LOCKING;
        yr_node_lock(host->node, yr_clock_now());
    }
    drain(host); // comes back here
}

static void begin_ending(struct yr_host *host)
{
    host->ending = FLUSHING;
    if (host->udp != NULL)
        yr_udp_pause(host->udp, true);
    if (host->node != NULL)
        drain(host); // goes on to the end if nothing is under way
    else
        go_on_ending(host);
}

enum yr_err yr_host_lock(struct yr_host *host)
{
    if (host->state != YR_HOST_OPEN || host->ending != RUNNING)
        return yr_net_fail(&host->fail, YR_EINVAL, 0, "it is not unlocked");
    host->lock_only = true;
    begin_ending(host);
    return YR_OK;
}

void yr_host_close(struct yr_host *host, void (*on_closed)(void *ctx), void *ctx)
{
    if (host == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    host->on_closed = on_closed;
    host->closed_ctx = ctx;
    host->lock_only = false; // a lock under way becomes a close
    host->state = YR_HOST_CLOSING;
    if (host->ending == RUNNING)
        begin_ending(host);
    else
        go_on_ending(host);
}
