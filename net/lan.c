#include "net/lan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/base.h"
#include "core/limits.h"
#include "net/addr.h"

#define BATCH 16 /* datagrams a system call: a beacon a minute and neighbour is usual */

// One family's receiving socket.
struct group {
    uv_poll_t poll;
    struct yr_lan *lan;
    struct yr_addr addr;
    int fd; // -1: none
};

struct yr_lan {
    struct yr_lan_opts opts;
    struct group groups[2];
    struct yr_netif netifs[YR_NETIF_MAX];
    size_t netif_count;
    struct yr_addr own[YR_NETIF_OWN_MAX], bound[YR_LISTEN_MAX];
    size_t own_count, bound_count;
    unsigned handles;
    bool paused, closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

// ---- membership ----

static bool in_list(const struct yr_netif *list, size_t count, const struct yr_netif *netif,
                    bool v4)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].index == netif->index)
            return v4 ? list[i].v4 : list[i].v6;
    return false;
}

static void membership(const struct group *group, unsigned index, bool join)
{
    if (group->addr.family == 4) {
        struct ip_mreqn req = {.imr_ifindex = (int)index};
        memcpy(&req.imr_multiaddr, group->addr.ip, 4);
        (void)setsockopt(group->fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &req,
                         sizeof req);
    } else {
        struct ipv6_mreq req = {.ipv6mr_interface = index};
        memcpy(&req.ipv6mr_multiaddr, group->addr.ip, 16);
        (void)setsockopt(group->fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &req,
                         sizeof req);
    }
}

bool yr_lan_refresh(struct yr_lan *lan)
{
    struct yr_netif now[YR_NETIF_MAX];
    struct yr_addr own[YR_NETIF_OWN_MAX];
    const size_t own_count = yr_netif_own(own, YR_NETIF_OWN_MAX);
    size_t count;

    lan->bound_count = yr_udp_bound(lan->opts.udp, lan->bound, YR_LISTEN_MAX);
    count = yr_netif_list(lan->bound, lan->bound_count, now, YR_NETIF_MAX);
    if (own_count == YR_NETIF_UNKNOWN || count == YR_NETIF_UNKNOWN)
        return false;
    memcpy(lan->own, own, own_count * sizeof *own);
    lan->own_count = own_count;
    for (size_t g = 0; g < YR_COUNT(lan->groups); g++) {
        const struct group *group = &lan->groups[g];
        const bool v4 = group->addr.family == 4;

        if (group->fd < 0)
            continue;
        for (size_t i = 0; i < lan->netif_count; i++)
            if ((v4 ? lan->netifs[i].v4 : lan->netifs[i].v6) &&
                !in_list(now, count, &lan->netifs[i], v4))
                membership(group, lan->netifs[i].index, false);
        // Joining twice is refused and harmless; an interface that went away and came back under
        // its old number has to be joined again.
        for (size_t i = 0; i < count; i++)
            if (v4 ? now[i].v4 : now[i].v6)
                membership(group, now[i].index, true);
    }
    memcpy(lan->netifs, now, count * sizeof *now);
    lan->netif_count = count;
    return true;
}

// ---- sending and receiving ----

void yr_lan_send(struct yr_lan *lan, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < lan->netif_count; i++) {
        const struct yr_netif *netif = &lan->netifs[i];
        for (size_t g = 0; g < YR_COUNT(lan->groups); g++) {
            struct yr_addr to = lan->groups[g].addr;
            if (to.family == 4 ? !netif->v4 : !netif->v6)
                continue;
            to.scope = to.family == 6 ? netif->index : 0;
            yr_udp_send_via(lan->opts.udp, &to, netif->index, bytes, len);
        }
    }
}

static bool same_ip_on_any_link(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

/** Is it what we sent ourselves?  It comes back because other nodes of this machine want it, and a
 *  second interface on the same network hears it too. */
static bool own(const struct yr_lan *lan, const struct yr_addr *from)
{
    for (size_t b = 0; b < lan->bound_count; b++) {
        if (lan->bound[b].family != from->family || lan->bound[b].port != from->port)
            continue;
        if (same_ip_on_any_link(&lan->bound[b], from))
            return true;
        for (size_t i = 0; i < lan->own_count && yr_addr_wildcard(&lan->bound[b]); i++)
            if (same_ip_on_any_link(&lan->own[i], from))
                return true;
    }
    return false;
}

/** Was it sent to the group?  The IPv6 socket hears its port at every address of the machine. */
static bool to_group(const struct group *group, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        struct in6_pktinfo info;
        if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
            continue;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        return memcmp(&info.ipi6_addr, group->addr.ip, 16) == 0;
    }
    return group->addr.family == 4; // bound to the group itself
}

static void receive(struct group *group)
{
    static const size_t cap = YR_PACKET_MAX;
    struct yr_lan *lan = group->lan;
    uint8_t bytes[BATCH][YR_PACKET_MAX];
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage from[BATCH];
    struct {
        _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control[BATCH];
    int count;

    memset(msgs, 0, sizeof msgs);
    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){bytes[i], cap};
        msgs[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                          .msg_namelen = sizeof from[i],
                                          .msg_iov = &iov[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i].bytes,
                                          .msg_controllen = sizeof control[i].bytes};
    }
    count = recvmmsg(group->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count && !lan->closing; i++) {
        const struct yr_addr peer = yr_addr_from_sys((const struct sockaddr *)&from[i]);
        if (msgs[i].msg_len > 0 && (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) == 0 &&
            peer.family != 0 && peer.port != 0 && to_group(group, &msgs[i].msg_hdr) &&
            !own(lan, &peer))
            lan->opts.on_datagram(lan->opts.ctx, &peer, bytes[i], msgs[i].msg_len);
    }
    if (count > 0 && !lan->closing && lan->opts.on_batch != NULL)
        lan->opts.on_batch(lan->opts.ctx);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct group *group = poll->data;

    if (status < 0) {
        int err;
        (void)getsockopt(group->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){sizeof err});
        (void)uv_poll_start(poll, UV_READABLE, on_poll);
    } else if ((events & UV_READABLE) != 0 && !group->lan->paused) {
        receive(group);
    }
}

void yr_lan_pause(struct yr_lan *lan)
{
    lan->paused = true;
    for (size_t g = 0; g < YR_COUNT(lan->groups); g++)
        if (lan->groups[g].fd >= 0)
            uv_poll_stop(&lan->groups[g].poll);
}

// ---- opening and closing ----

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/** The socket on which one group is heard.  0, or the errno of what failed. */
static int open_group(struct group *group)
{
    struct yr_addr at = group->addr;
    struct sockaddr_storage sys;
    socklen_t len;
    int err;

    if (at.family == 6)
        memset(at.ip, 0, sizeof at.ip); // the group itself could be bound on one interface only
    group->fd =
        socket(at.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (group->fd < 0)
        return errno;
    len = yr_addr_to_sys(&at, &sys);
    // REUSEADDR on all of them lets users share the port; each multicast datagram reaches all.
    if (set(group->fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        set(group->fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
        (at.family == 4 ? set(group->fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)
                        : set(group->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                              set(group->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)) &&
        bind(group->fd, (struct sockaddr *)&sys, len) == 0)
        return 0;
    err = errno;
    close(group->fd);
    group->fd = -1;
    return err;
}

static void finish(struct yr_lan *lan)
{
    void (*on_closed)(void *) = lan->on_closed;
    void *ctx = lan->closed_ctx;

    for (size_t g = 0; g < YR_COUNT(lan->groups); g++)
        if (lan->groups[g].fd >= 0)
            close(lan->groups[g].fd);
    free(lan);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct group *group = handle->data;

    if (--group->lan->handles == 0)
        finish(group->lan);
}

enum yr_err yr_lan_open(struct yr_lan **out, const struct yr_lan_opts *opts,
                        struct yr_net_fail *fail)
{
    struct yr_lan *lan = calloc(1, sizeof *lan);
    int err = 0;

    if (lan == NULL)
        return yr_net_fail(fail, YR_ENOMEM, 0, "no memory for the local network");
    lan->opts = *opts;
    for (size_t g = 0; g < YR_COUNT(lan->groups); g++) {
        struct group *group = &lan->groups[g];
        int this;

        group->lan = lan;
        group->fd = -1;
        if (yr_addr_parse(&group->addr, g == 0 ? YR_LAN_GROUP4 : YR_LAN_GROUP6, YR_LAN_PORT) !=
            YR_OK)
            YR_ASSERT(false); // constants
        this = open_group(group);
        if (this == 0 && uv_poll_init(opts->loop, &group->poll, group->fd) != 0) {
            close(group->fd);
            group->fd = -1;
            this = ENOMEM;
        }
        if (this != 0) {
            err = this;
            continue; // a machine may lack a family
        }
        group->poll.data = group;
        lan->handles++;
        (void)uv_poll_start(&group->poll, UV_READABLE, on_poll);
    }
    if (lan->handles == 0) {
        yr_lan_close(lan, NULL, NULL);
        return yr_net_fail(fail, yr_errno_err(err), err, "cannot listen for neighbours on port %d",
                           YR_LAN_PORT);
    }
    (void)yr_lan_refresh(lan);
    *out = lan;
    return YR_OK;
}

void yr_lan_close(struct yr_lan *lan, void (*on_closed)(void *ctx), void *ctx)
{
    if (lan == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    lan->on_closed = on_closed;
    lan->closed_ctx = ctx;
    lan->closing = true;
    if (lan->handles == 0) {
        finish(lan);
        return;
    }
    for (size_t g = 0; g < YR_COUNT(lan->groups); g++)
        if (lan->groups[g].fd >= 0)
            uv_close((uv_handle_t *)&lan->groups[g].poll, on_handle_closed);
}
