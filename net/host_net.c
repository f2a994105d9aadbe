// The host's part that is on the network.
#include "net/host_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/addr.h"
#include "net/upnp.h"

#define NAP_US YR_S /* a shorter sleep is none: no link and no lease has missed it */

// ---- sockets ----

static void on_datagram(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct yr_host *host = ctx;

    if (host->state != YR_HOST_OPEN || host->ending != YR_ENDING_NONE)
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
    yr_host_woken(host);
    yr_host_drain(host);
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
        yr_host_say(host, YR_LOG_WARN, "net", "cannot keep the port in %s: %s", host->port_path,
                    strerror(errno));
}

enum yr_err yr_host_open_sockets(struct yr_host *host, const struct yr_host_opts *opts)
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
        yr_host_say(host, YR_LOG_INFO, "net", "listening on %s", text);
    }
    return YR_OK;
}

// ---- own addresses ----

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
    yr_host_say(host, YR_LOG_DEBUG, "net", "%zu own addresses", host->own_count);
    yr_node_addrs(host->node, yr_clock_now(), host->own, host->own_count);
    yr_host_drain(host);
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

void yr_host_woken(struct yr_host *host)
{
    if (!host->network_up || host->state != YR_HOST_OPEN || host->ending != YR_ENDING_NONE ||
        !has_slept(host))
        return;
    yr_host_say(host, YR_LOG_DEBUG, "net", "awake again");
    network_changed(host, true);
    yr_netwatch_again(host->watch, YR_NETIF_AGAIN_MS); // interfaces take their time to come back
}

static void on_network_changed(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    if (host->ending != YR_ENDING_NONE || host->state != YR_HOST_OPEN)
        return;
    network_changed(host, has_slept(host));
}

// ---- port mapping ----

static void on_mapping(void *ctx)
{
    struct yr_host *host = ctx;
    struct yr_mapping_info info;
    char text[YR_ADDR_TEXT];

    if (host->state != YR_HOST_OPEN || host->ending != YR_ENDING_NONE)
        return;
    yr_portmap_info(host->portmap, &info);
    yr_addr_text(text, &info.addr);
    if (info.state == YR_MAPPING_ON)
        yr_host_say(host, YR_LOG_INFO, "net", "the gateway maps %s to us (%s)", text, info.by);
    else if (info.state == YR_MAPPING_NONE)
        yr_host_say(host, YR_LOG_INFO, "net", "no port is mapped: %s", info.why);
    yr_node_mapped(host->node, yr_clock_now(), &info.addr);
    yr_host_drain(host);
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
        yr_host_say(host, YR_LOG_WARN, "net", "no memory to ask the gateway for a port");
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

void yr_host_check_mapping(struct yr_host *host)
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

    if (host->state != YR_HOST_OPEN || host->ending != YR_ENDING_NONE)
        return;
    (void)!yr_node_bootstrap(host->node, yr_clock_now(), addr, key); // one of several
    yr_host_drain(host);
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
    yr_host_say(ctx, YR_LOG_WARN, "net", "the name of a peer was not found, trying again later");
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
    enum yr_err err = yr_host_ready(host);

    if (err == YR_OK)
        err = yr_peer_text_parse(&parts, text);
    if (err != YR_OK)
        return err;
    if (parts.addr.family == 0 && host->opts.offline)
        return YR_EAGAIN;
    return peers_of(host) != NULL ? yr_net_peers_add(host->peers, text, keep, ticket) : YR_ENOMEM;
}

// ---- all of it ----

void yr_host_network_up(struct yr_host *host)
{
    const struct yr_lan_opts lan = {.loop = host->opts.loop,
                                    .udp = host->udp,
                                    .on_datagram = on_datagram,
                                    .on_batch = on_batch,
                                    .ctx = host};
    struct yr_net_fail fail;
    struct yr_self self;

    if (host->network_up || host->udp == NULL || host->state != YR_HOST_OPEN ||
        host->ending != YR_ENDING_NONE)
        return;
    yr_node_self(host->node, &self);
    if (!self.has_identity && host->opts.dht != YR_ROLE_SERVER)
        return;
    if (host->opts.lan && host->lan == NULL && yr_lan_open(&host->lan, &lan, &fail) != YR_OK)
        yr_host_say(host, YR_LOG_WARN, "net", "%s",
                    fail.text); // the rest of the network works without
    if (host->watch == NULL &&
        yr_netwatch_open(&host->watch, host->opts.loop, on_network_changed, host) != YR_OK)
        yr_host_say(host, YR_LOG_WARN, "net", "changes of own addresses will not be seen");
    host->network_up = true;
    (void)has_slept(host); // from here on
    tell_addrs(host, true);
    start_mapping(host);
    take_peers(host);
}

void yr_host_network_down(struct yr_host *host)
{
    host->network_up = false; // the addresses are told again after the next unlock
    if (host->udp == NULL)
        return;
    yr_portmap_stop(host->portmap);
    yr_net_peers_clear(host->peers);
    yr_udp_shut_extras(host->udp);
    yr_udp_pause(host->udp, false);
}
