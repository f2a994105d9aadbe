#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/base.h"
#include "core/limits.h"
#include "net/addr.h"
#include "net/netif.h"
#include "net/random.h"

#define SOCKET_BUFFER (4 << 20) /* bytes asked for; the system gives what rmem_max allows */
#define ROUNDS        4         /* batches read before the loop's other work gets its turn */
#define PORT_TRIES    16        /* random ports that another family's socket may not get */
#define HEARD         512       /* peers whose way in is remembered */

// Room for one IP_PKTINFO or IPV6_PKTINFO.
struct control {
    _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

// What waits for one socket is its own: when the way out of one family is full, the other goes on.
struct sock {
    uv_poll_t poll;
    int fd;
    struct yr_addr bound;
    unsigned ifindex; // of a concrete address; 0: any
    bool wildcard, explicit_port, handle;
    bool full;           // the system took no more; it says when it does again
    uint16_t number;     // of an extra one; 0: a main one
    bool shut;           // an extra one that ends with its handle
    size_t head, queued; // a ring of numbers of slots
    uint16_t queue[YR_UDP_QUEUE];
};

struct slot {
    struct yr_addr to;
    struct yr_addr local; // to send from; family 0: the system's choice
    uint16_t len;
    uint8_t bytes[YR_PACKET_MAX];
};

static_assert(YR_LISTEN_MAX * YR_UDP_QUEUE + YR_UDP_EXTRA < UINT16_MAX, "numbers of slots");
static_assert(YR_UDP_EXTRA <= YR_UDP_QUEUE, "one may have all that wait for extra sockets");

// How a peer's last datagram came in.  Whoever forges its address can claim another way; while the
// way that we answer by is in use, that is not believed.
struct heard {
    struct yr_addr peer;
    struct yr_addr local; // family 0: not known, or the socket's own
    struct sock *sock;
    uint64_t at_ms; // when a datagram last came this way
    bool used;      // something was sent back
};

struct yr_udp {
    struct yr_udp_opts opts;
    struct sock socks[YR_LISTEN_MAX];
    size_t sock_count, handles_open;
    struct sock *extras[YR_SOCKETS_MAX]; // by number - 1; NULL: none
    size_t extra_count, extra_queued;
    struct yr_host_stats stats;
    bool paused, closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    uint64_t seed;
    struct heard heard[HEARD];
    // One slot more than all queues hold: the last free one is the caller's room.  What was given
    // back last is used first, so that a quiet node touches a few of them only.
    struct slot *slots;
    uint16_t *free_slots;
    size_t free_count;
    uint8_t rx[YR_UDP_BATCH][YR_PACKET_MAX];
};

// ---- where a peer was heard ----

static struct heard *heard_slot(struct yr_udp *udp, const struct yr_addr *peer)
{
    uint64_t words[3], h = udp->seed;

    memcpy(words, peer->ip, 16);
    words[2] = (uint64_t)peer->port << 32 | peer->scope;
    for (size_t i = 0; i < YR_COUNT(words); i++) { // a cache: a collision costs only the memory
        h = (h ^ words[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return &udp->heard[h % HEARD];
}

static void hear(struct yr_udp *udp, struct sock *sock, const struct yr_addr *peer,
                 const struct yr_addr *local)
{
    const uint64_t now_ms = uv_now(udp->opts.loop);
    struct heard *heard = heard_slot(udp, peer);
    const bool same =
        heard->sock == sock && yr_addr_eq(&heard->peer, peer) && yr_addr_eq(&heard->local, local);

    if (same)
        heard->at_ms = now_ms;
    else if (!heard->used || now_ms - heard->at_ms >= YR_UDP_HEARD_MS)
        *heard = (struct heard){*peer, *local, sock, now_ms, false};
}

void yr_udp_forget(struct yr_udp *udp)
{
    memset(udp->heard, 0, sizeof udp->heard);
}

/** How well a socket suits a destination nobody was heard from; 0: not at all. */
static int suits(const struct sock *sock, const struct yr_addr *to)
{
    if (sock->bound.family != to->family)
        return 0;
    if (sock->wildcard)
        return 2;
    if (yr_addr_loopback(&sock->bound) != yr_addr_loopback(to))
        return 1;
    if (to->scope != 0 && sock->ifindex != to->scope)
        return 1;
    return memcmp(sock->bound.ip, to->ip, to->family == 4 ? 2 : 8) == 0 ? 4 : 3;
}

static struct sock *extra(const struct yr_udp *udp, uint16_t number)
{
    return number >= 1 && number <= YR_SOCKETS_MAX ? udp->extras[number - 1] : NULL;
}

/** The socket to send through, and the local address to send from (family 0: the system's choice).
 *  NULL: no socket of that family, or none of that number. */
static struct sock *route(struct yr_udp *udp, const struct yr_addr *to, struct yr_addr *local)
{
    struct heard *heard = heard_slot(udp, to);
    struct sock *best = NULL;
    int best_fit = 0;

    memset(local, 0, sizeof *local);
    if (to->local != 0) {
        best = extra(udp, to->local);
        return best != NULL && best->bound.family == to->family ? best : NULL;
    }
    if (heard->sock != NULL && yr_addr_eq(&heard->peer, to)) {
        heard->used = true;
        *local = heard->local;
        return heard->sock;
    }
    for (size_t i = 0; i < udp->sock_count; i++) {
        const int fit = suits(&udp->socks[i], to);
        if (fit > best_fit) {
            best = &udp->socks[i];
            best_fit = fit;
        }
    }
    return best;
}

// ---- sending ----

/** Make `msg` leave from `local` (family 0: any) through `ifindex` (0: as routed). */
static void pin(struct msghdr *msg, struct control *control, const struct yr_addr *local,
                int family, unsigned ifindex)
{
    struct cmsghdr *c;

    if (local->family == 0 && ifindex == 0)
        return;
    memset(control, 0, sizeof *control);
    msg->msg_control = control->bytes;
    if (family == 4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)ifindex};
        if (local->family == 4)
            memcpy(&info.ipi_spec_dst, local->ip, 4);
        msg->msg_controllen = CMSG_SPACE(sizeof info);
        c = CMSG_FIRSTHDR(msg);
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = ifindex};
        if (local->family == 6)
            memcpy(&info.ipi6_addr, local->ip, 16);
        msg->msg_controllen = CMSG_SPACE(sizeof info);
        c = CMSG_FIRSTHDR(msg);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
}

static void arm(struct yr_udp *udp, struct sock *sock);

static struct slot *room(const struct yr_udp *udp)
{
    return &udp->slots[udp->free_slots[udp->free_count - 1]];
}

uint8_t *yr_udp_room(struct yr_udp *udp)
{
    return room(udp)->bytes;
}

static struct slot *waiting(const struct yr_udp *udp, const struct sock *sock, size_t i)
{
    return &udp->slots[sock->queue[(sock->head + i) % YR_UDP_QUEUE]];
}

static void drop_head(struct yr_udp *udp, struct sock *sock, size_t count)
{
    for (; count > 0; count--) {
        udp->free_slots[udp->free_count++] = sock->queue[sock->head];
        sock->head = (sock->head + 1) % YR_UDP_QUEUE;
        sock->queued--;
        udp->extra_queued -= sock->number != 0;
    }
}

/** Hand one batch to the system.  false: the socket's buffer is full. */
static bool send_batch(struct yr_udp *udp, struct sock *sock)
{
    struct mmsghdr msgs[YR_UDP_BATCH];
    struct iovec iov[YR_UDP_BATCH];
    struct sockaddr_storage to[YR_UDP_BATCH];
    struct control control[YR_UDP_BATCH];
    const size_t count = YR_MIN(sock->queued, (size_t)YR_UDP_BATCH);
    struct slot *first = waiting(udp, sock, 0);

    memset(msgs, 0, sizeof msgs);
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = waiting(udp, sock, i);
        struct msghdr *msg = &msgs[i].msg_hdr;

        iov[i] = (struct iovec){slot->bytes, slot->len};
        msg->msg_name = &to[i];
        msg->msg_namelen = yr_addr_to_sys(&slot->to, &to[i]);
        msg->msg_iov = &iov[i];
        msg->msg_iovlen = 1;
        pin(msg, &control[i], &slot->local, slot->local.family, 0);
    }
    const int sent = sendmmsg(sock->fd, msgs, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        for (size_t i = 0; i < (size_t)sent; i++)
            udp->stats.tx_bytes += iov[i].iov_len;
        udp->stats.tx_packets += (uint64_t)sent;
        drop_head(udp, sock, (size_t)sent);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (errno == EINTR)
        return true;
    if (first->local.family != 0 &&
        (errno == EINVAL || errno == EADDRNOTAVAIL || errno == ENETUNREACH)) {
        // The local address it came to is gone: let the system choose, once.
        memset(heard_slot(udp, &first->to), 0, sizeof(struct heard));
        first->local.family = 0;
        return true;
    }
    // Too large for the path, unreachable, forbidden: lost, as the network loses packets.
    udp->stats.tx_dropped++;
    drop_head(udp, sock, 1);
    return true;
}

static void flush(struct yr_udp *udp, struct sock *sock)
{
    bool full = false;

    while (sock->queued > 0 && !full)
        full = !send_batch(udp, sock);
    if (full != sock->full) {
        sock->full = full;
        arm(udp, sock);
    }
}

void yr_udp_flush(struct yr_udp *udp)
{
    for (size_t i = 0; i < udp->sock_count; i++)
        if (!udp->socks[i].full) // those are flushed when the loop says that there is room
            flush(udp, &udp->socks[i]);
    for (size_t i = 0; i < YR_SOCKETS_MAX && udp->extra_queued > 0; i++)
        if (udp->extras[i] != NULL && !udp->extras[i]->full)
            flush(udp, udp->extras[i]);
}

void yr_udp_send(struct yr_udp *udp, const struct yr_addr *to, size_t len)
{
    struct slot *slot = room(udp);
    struct sock *sock;

    YR_ASSERT(len > 0 && len <= YR_PACKET_MAX);
    sock = route(udp, to, &slot->local);
    if (sock == NULL || // a family, or a number, that we have no socket for
        (sock->number == 0 ? sock->queued == YR_UDP_QUEUE : udp->extra_queued == YR_UDP_EXTRA)) {
        udp->stats.tx_dropped++;
        return;
    }
    slot->to = *to;
    slot->len = (uint16_t)len;
    sock->queue[(sock->head + sock->queued++) % YR_UDP_QUEUE] = udp->free_slots[--udp->free_count];
    udp->extra_queued += sock->number != 0;
    if (sock->queued >= YR_UDP_BATCH && !sock->full)
        flush(udp, sock);
}

void yr_udp_send_via(struct yr_udp *udp, const struct yr_addr *to, unsigned ifindex,
                     const uint8_t *bytes, size_t len)
{
    const struct yr_addr none = {0};

    for (size_t i = 0; i < udp->sock_count; i++) {
        struct sock *sock = &udp->socks[i];
        struct sockaddr_storage sys;
        struct control control;
        uint8_t copy[YR_PACKET_MAX];
        struct iovec iov = {copy, len};
        struct msghdr msg = {.msg_name = &sys, .msg_iov = &iov, .msg_iovlen = 1};

        if (sock->bound.family != to->family ||
            (ifindex != 0 && sock->ifindex != 0 && sock->ifindex != ifindex) || len > sizeof copy)
            continue;
        memcpy(copy, bytes, len);
        msg.msg_namelen = yr_addr_to_sys(to, &sys);
        pin(&msg, &control, sock->wildcard ? &none : &sock->bound, to->family, ifindex);
        if (sendmsg(sock->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len) {
            udp->stats.tx_packets++;
            udp->stats.tx_bytes += len;
        } else {
            udp->stats.tx_dropped++;
        }
    }
}

// ---- receiving ----

/** The address of ours that a datagram was sent to; family 0: not told, or not one to answer from.
 */
static struct yr_addr local_of(struct msghdr *msg)
{
    struct yr_addr local;

    memset(&local, 0, sizeof local);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            local.family = 4;
            memcpy(local.ip, &info.ipi_spec_dst, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            local.family = 6;
            memcpy(local.ip, &info.ipi6_addr, 16);
        }
    }
    // Link-local sources need an interface as well, which the destination's scope names already.
    if (yr_addr_multicast(&local) || yr_addr_link_local(&local))
        local.family = 0;
    return local;
}

/** Read and hand over one batch.  How many came; -1: all was closed from inside a callback. */
static int receive_batch(struct yr_udp *udp, struct sock *sock)
{
    struct mmsghdr msgs[YR_UDP_BATCH];
    struct iovec iov[YR_UDP_BATCH];
    struct sockaddr_storage from[YR_UDP_BATCH];
    struct control control[YR_UDP_BATCH];

    memset(msgs, 0, sizeof msgs);
    for (size_t i = 0; i < YR_UDP_BATCH; i++) {
        struct msghdr *msg = &msgs[i].msg_hdr;
        iov[i] = (struct iovec){udp->rx[i], sizeof udp->rx[i]};
        msg->msg_name = &from[i];
        msg->msg_namelen = sizeof from[i];
        msg->msg_iov = &iov[i];
        msg->msg_iovlen = 1;
        if (sock->wildcard) {
            msg->msg_control = control[i].bytes;
            msg->msg_controllen = sizeof control[i].bytes;
        }
    }
    const int count = recvmmsg(sock->fd, msgs, YR_UDP_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        struct yr_addr peer = yr_addr_from_sys((const struct sockaddr *)&from[i]);
        const struct yr_addr local = local_of(&msgs[i].msg_hdr);

        peer.local = sock->number;
        if (msgs[i].msg_len == 0 || (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
            peer.family == 0 || peer.port == 0) { // nothing, too much, or nobody to answer
            udp->stats.rx_dropped++;
            continue;
        }
        udp->stats.rx_packets++;
        udp->stats.rx_bytes += msgs[i].msg_len;
        if (sock->number == 0) // the way back of the others is their own socket
            hear(udp, sock, &peer, &local);
        udp->opts.on_datagram(udp->opts.ctx, &peer, udp->rx[i], msgs[i].msg_len);
        if (udp->closing)
            return -1;
    }
    return YR_MAX(count, 0);
}

static void on_readable(struct yr_udp *udp, struct sock *sock)
{
    for (int round = 0, count = YR_UDP_BATCH; round < ROUNDS && count == YR_UDP_BATCH; round++) {
        count = receive_batch(udp, sock);
        if (count <= 0)
            return;
        if (udp->opts.on_batch != NULL)
            udp->opts.on_batch(udp->opts.ctx);
        if (udp->closing || udp->paused || sock->shut)
            return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sock *sock = (struct sock *)poll; // its first member
    struct yr_udp *udp = poll->data;

    if (status < 0) { // an error waits at the socket: fetch it, which clears it, and go on
        int err = 0;
        socklen_t len = sizeof err;
        (void)getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        arm(udp, sock);
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        flush(udp, sock);
    if ((events & UV_READABLE) != 0 && !udp->paused && !sock->shut)
        on_readable(udp, sock);
}

/** Ask the loop for what is wanted of a socket now. */
static void arm(struct yr_udp *udp, struct sock *sock)
{
    const int events = (udp->paused ? 0 : UV_READABLE) | (sock->full ? UV_WRITABLE : 0);

    if (udp->closing || sock->shut)
        return;
    if (events == 0)
        uv_poll_stop(&sock->poll);
    else
        YR_ASSERT(uv_poll_start(&sock->poll, events, on_poll) == 0);
}

static void arm_all(struct yr_udp *udp)
{
    for (size_t i = 0; i < udp->sock_count; i++)
        arm(udp, &udp->socks[i]);
    for (size_t i = 0; i < YR_SOCKETS_MAX && udp->extra_count > 0; i++)
        if (udp->extras[i] != NULL)
            arm(udp, udp->extras[i]);
}

void yr_udp_pause(struct yr_udp *udp, bool pause)
{
    udp->paused = pause;
    arm_all(udp);
}

// ---- opening ----

static void set(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value); // each is an improvement only
}

static void set_options(const struct sock *sock)
{
    const int fd = sock->fd;

    set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
    set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    if (sock->bound.family == 4) {
        set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE); // DF, whatever ICMP claims
        set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
        set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1); // two nodes of one machine
        set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
        set(fd, IPPROTO_IP, IP_PKTINFO, sock->wildcard);
    } else {
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
        set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
        set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
        set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
#ifdef IPV6_MULTICAST_ALL
        set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
        set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, sock->wildcard);
    }
}

/** Make and bind one socket at `port`.  0, or the errno of what failed. */
static int bind_one(struct sock *sock, uint16_t port)
{
    struct yr_addr addr = sock->bound;
    struct sockaddr_storage sys;
    socklen_t len;
    int err;

    addr.port = port;
    sock->fd =
        socket(addr.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sock->fd < 0)
        return errno;
    set_options(sock);
    len = yr_addr_to_sys(&addr, &sys);
    if (bind(sock->fd, (struct sockaddr *)&sys, len) == 0 &&
        getsockname(sock->fd, (struct sockaddr *)&sys, &(socklen_t){sizeof sys}) == 0) {
        sock->bound.port = yr_addr_from_sys((struct sockaddr *)&sys).port;
        return 0;
    }
    err = errno;
    close(sock->fd);
    sock->fd = -1;
    return err;
}

static bool family_is_missing(const struct sock *sock, int err)
{
    return sock->wildcard && (err == EAFNOSUPPORT || err == EADDRNOTAVAIL);
}

/** Close and leave out what has no descriptor (a family the machine lacks). */
static void compact(struct yr_udp *udp)
{
    size_t kept = 0;

    for (size_t i = 0; i < udp->sock_count; i++)
        if (udp->socks[i].fd >= 0)
            udp->socks[kept++] = udp->socks[i];
    udp->sock_count = kept;
}

/** Bind the sockets that asked for no port, all at the same one: `port`, or with 0 at what the
 *  system gives the first.  *at: the socket that failed. */
static int bind_group(struct yr_udp *udp, uint16_t port, struct sock **at)
{
    for (size_t i = 0; i < udp->sock_count; i++) {
        struct sock *sock = &udp->socks[i];
        int err;

        if (sock->explicit_port)
            continue;
        err = bind_one(sock, port);
        if (family_is_missing(sock, err))
            continue;
        if (err != 0) {
            *at = sock;
            for (size_t k = 0; k < i; k++) {
                if (udp->socks[k].explicit_port || udp->socks[k].fd < 0)
                    continue;
                close(udp->socks[k].fd);
                udp->socks[k].fd = -1;
            }
            return err;
        }
        port = sock->bound.port;
    }
    return 0;
}

static enum yr_err bind_failed(const struct sock *sock, uint16_t port, int err,
                               struct yr_net_fail *fail)
{
    struct yr_addr addr = sock->bound;
    char text[YR_ADDR_TEXT];

    addr.port = port;
    yr_addr_text(text, &addr);
    return yr_net_fail(fail, yr_errno_err(err), err, "cannot listen on %s", text);
}

static enum yr_err bind_all(struct yr_udp *udp, struct yr_net_fail *fail)
{
    struct sock *at = NULL;
    int err;

    for (size_t i = 0; i < udp->sock_count; i++) {
        struct sock *sock = &udp->socks[i];
        const uint16_t port = sock->bound.port;

        if (!sock->explicit_port)
            continue;
        err = bind_one(sock, port);
        if (err != 0 && !family_is_missing(sock, err))
            return bind_failed(sock, port, err, fail);
    }
    err = bind_group(udp, udp->opts.kept_port, &at);
    for (int tries = 0; err != 0 && tries < PORT_TRIES; tries++)
        err = bind_group(udp, 0, &at);
    if (err != 0)
        return bind_failed(at, 0, err, fail);
    compact(udp);
    if (udp->sock_count == 0)
        return yr_net_fail(fail, YR_EINVAL, 0, "this machine has no IPv4 and no IPv6 to listen on");
    return YR_OK;
}

static void take_listen(struct yr_udp *udp, const struct yr_udp_opts *opts)
{
    static const struct yr_addr wildcards[] = {{.family = 4}, {.family = 6}};
    const struct yr_addr *listen = opts->listen_count > 0 ? opts->listen : wildcards;
    const size_t count = opts->listen_count > 0 ? opts->listen_count : YR_COUNT(wildcards);

    for (size_t i = 0; i < count; i++) {
        struct sock *sock = &udp->socks[udp->sock_count];
        bool twice = false;

        for (size_t k = 0; k < i; k++)
            twice = twice || yr_addr_eq(&listen[i], &listen[k]);
        if (twice)
            continue;
        sock->fd = -1;
        sock->bound = listen[i];
        sock->wildcard = yr_addr_wildcard(&listen[i]);
        sock->explicit_port = listen[i].port != 0;
        sock->ifindex = sock->wildcard ? 0 : yr_netif_of(&listen[i]);
        udp->sock_count++;
    }
}

static enum yr_err make_slots(struct yr_udp *udp, struct yr_net_fail *fail)
{
    udp->free_count = udp->sock_count * YR_UDP_QUEUE + YR_UDP_EXTRA + 1;
    udp->slots = calloc(udp->free_count, sizeof *udp->slots);
    udp->free_slots = calloc(udp->free_count, sizeof *udp->free_slots);
    if (udp->slots == NULL || udp->free_slots == NULL)
        return yr_net_fail(fail, YR_ENOMEM, 0, "no memory for sockets");
    for (size_t i = 0; i < udp->free_count; i++)
        udp->free_slots[i] = (uint16_t)i;
    return YR_OK;
}

enum yr_err yr_udp_open(struct yr_udp **out, const struct yr_udp_opts *opts,
                        struct yr_net_fail *fail)
{
    struct yr_udp *udp;
    enum yr_err err;

    if (opts->listen_count > YR_LISTEN_MAX)
        return yr_net_fail(fail, YR_EFULL, 0, "more than %d addresses to listen on", YR_LISTEN_MAX);
    for (size_t i = 0; i < opts->listen_count; i++)
        if (opts->listen[i].family != 4 && opts->listen[i].family != 6)
            return yr_net_fail(fail, YR_EINVAL, 0,
                               "an address to listen on is neither IPv4 nor IPv6");
    udp = calloc(1, sizeof *udp);
    if (udp == NULL)
        return yr_net_fail(fail, YR_ENOMEM, 0, "no memory for sockets");
    udp->opts = *opts;
    udp->opts.listen = NULL; // was borrowed for this call
    yr_random(yr_rng_system(), &udp->seed, sizeof udp->seed);
    take_listen(udp, opts);
    err = bind_all(udp, fail);
    if (err == YR_OK)
        err = make_slots(udp, fail);
    for (size_t i = 0; i < udp->sock_count && err == YR_OK; i++) {
        struct sock *sock = &udp->socks[i];
        const int uv = uv_poll_init(opts->loop, &sock->poll, sock->fd);
        if (uv != 0) {
            err = yr_net_fail(fail, YR_EIO, 0, "cannot watch a socket: %s", uv_strerror(uv));
            break;
        }
        sock->poll.data = udp;
        sock->handle = true;
        udp->handles_open++;
    }
    if (err != YR_OK) {
        yr_udp_close(udp, NULL, NULL);
        return err;
    }
    arm_all(udp);
    *out = udp;
    return YR_OK;
}

// ---- extra sockets ----

/** The main socket whose address an extra one gets. */
static const struct sock *model(const struct yr_udp *udp, uint8_t family)
{
    const struct sock *best = NULL;

    for (size_t i = 0; i < udp->sock_count; i++) {
        const struct sock *sock = &udp->socks[i];
        if (sock->bound.family == family &&
            (best == NULL || (sock->wildcard && !best->wildcard) ||
             (yr_addr_loopback(&best->bound) && !yr_addr_loopback(&sock->bound))))
            best = sock;
    }
    return best;
}

enum yr_err yr_udp_open_extra(struct yr_udp *udp, uint16_t number, uint8_t family)
{
    const struct sock *like = model(udp, family);
    struct sock *sock;
    int sys;

    if (number < 1 || number > YR_SOCKETS_MAX || like == NULL || udp->closing)
        return YR_EINVAL;
    yr_udp_shut_extra(udp, number);
    sock = calloc(1, sizeof *sock);
    if (sock == NULL)
        return YR_ENOMEM;
    sock->bound = like->bound;
    sock->number = number;
    sys = bind_one(sock, 0);
    if (sys == 0 && uv_poll_init(udp->opts.loop, &sock->poll, sock->fd) != 0) {
        close(sock->fd);
        sys = EIO;
    }
    if (sys != 0) {
        free(sock);
        return sys == EMFILE || sys == ENFILE || sys == ENOBUFS ? YR_EFULL : yr_errno_err(sys);
    }
    sock->poll.data = udp;
    sock->handle = true;
    udp->handles_open++;
    udp->extras[number - 1] = sock;
    udp->extra_count++;
    arm(udp, sock);
    return YR_OK;
}

static void on_extra_closed(uv_handle_t *handle);

void yr_udp_shut_extra(struct yr_udp *udp, uint16_t number)
{
    struct sock *sock = extra(udp, number);

    if (sock == NULL)
        return;
    sock->shut = true; // before the flush, which must not arm it again
    flush(udp, sock);
    drop_head(udp, sock, sock->queued);
    uv_close((uv_handle_t *)&sock->poll, on_extra_closed);
    close(sock->fd);
    sock->fd = -1;
    udp->extras[number - 1] = NULL;
    udp->extra_count--;
}

void yr_udp_shut_extras(struct yr_udp *udp)
{
    for (uint16_t number = 1; number <= YR_SOCKETS_MAX && udp->extra_count > 0; number++)
        yr_udp_shut_extra(udp, number);
}

size_t yr_udp_extras(const struct yr_udp *udp)
{
    return udp->extra_count;
}

// ---- what is ----

size_t yr_udp_bound(const struct yr_udp *udp, struct yr_addr *out, size_t cap)
{
    const size_t count = YR_MIN(cap, udp->sock_count);

    for (size_t i = 0; i < count; i++)
        out[i] = udp->socks[i].bound;
    return count;
}

uint16_t yr_udp_random_port(const struct yr_udp *udp)
{
    for (size_t i = 0; i < udp->sock_count; i++)
        if (!udp->socks[i].explicit_port)
            return udp->socks[i].bound.port;
    return 0;
}

void yr_udp_stats(const struct yr_udp *udp, struct yr_host_stats *out)
{
    out->rx_packets += udp->stats.rx_packets;
    out->rx_bytes += udp->stats.rx_bytes;
    out->rx_dropped += udp->stats.rx_dropped;
    out->tx_packets += udp->stats.tx_packets;
    out->tx_bytes += udp->stats.tx_bytes;
    out->tx_dropped += udp->stats.tx_dropped;
}

// ---- closing ----

static void finish(struct yr_udp *udp)
{
    void (*on_closed)(void *) = udp->on_closed;
    void *ctx = udp->closed_ctx;

    for (size_t i = 0; i < udp->sock_count; i++)
        if (udp->socks[i].fd >= 0)
            close(udp->socks[i].fd);
    free(udp->slots);
    free(udp->free_slots);
    free(udp);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct yr_udp *udp = handle->data;

    if (--udp->handles_open == 0)
        finish(udp);
}

static void on_extra_closed(uv_handle_t *handle)
{
    struct yr_udp *udp = handle->data;

    free((struct sock *)(uv_poll_t *)handle); // its first member
    if (--udp->handles_open == 0)
        finish(udp);
}

void yr_udp_close(struct yr_udp *udp, void (*on_closed)(void *ctx), void *ctx)
{
    if (udp == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    udp->on_closed = on_closed;
    udp->closed_ctx = ctx;
    if (udp->handles_open == 0) {
        finish(udp);
        return;
    }
    udp->closing = true;
    yr_udp_shut_extras(udp);
    for (size_t i = 0; i < udp->sock_count; i++)
        flush(udp, &udp->socks[i]);
    for (size_t i = 0; i < udp->sock_count; i++)
        if (udp->socks[i].handle)
            uv_close((uv_handle_t *)&udp->socks[i].poll, on_handle_closed);
}
