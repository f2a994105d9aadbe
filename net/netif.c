#include "net/netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "core/base/base.h"
#include "net/addr.h"

// ---- what is ----

/** The IFA_F_ flags of an IPv6 address, which getifaddrs does not tell; 0 where nobody does. */
static unsigned ipv6_flags(const struct yr_addr *addr)
{
    FILE *list = fopen("/proc/net/if_inet6", "re");
    char hex[33], want[33];
    unsigned flags, found = 0;

    for (size_t i = 0; i < 16; i++)
        snprintf(want + 2 * i, 3, "%02x", addr->ip[i]);
    while (list != NULL && fscanf(list, "%32s %*x %*x %*x %x %*s", hex, &flags) == 2)
        if (strcmp(hex, want) == 0)
            found = flags;
    if (list != NULL)
        fclose(list);
    return found;
}

/** The address from which we would speak to the wide world; nothing is sent to find out. */
static struct yr_addr way_out(void)
{
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_storage near;
    struct yr_addr addr = {0};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "198.51.100.1", &far.sin_addr); // documentation: on nobody's network
    if (fd >= 0 && connect(fd, (struct sockaddr *)&far, sizeof far) == 0 &&
        getsockname(fd, (struct sockaddr *)&near, &(socklen_t){sizeof near}) == 0)
        addr = yr_addr_from_sys((struct sockaddr *)&near);
    if (fd >= 0)
        close(fd);
    addr.port = 0;
    return addr;
}

static bool ipv4_private(const uint8_t ip[4])
{
    return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
           (ip[0] == 192 && ip[1] == 168) ||
           (ip[0] == 100 && (ip[1] & 0xc0) == 64); // shared by carriers
}

/** The smaller the better; negative: not to be told. */
static int rank(const struct yr_addr *addr, const struct yr_addr *out)
{
    if (yr_addr_loopback(addr) || yr_addr_link_local(addr) || yr_addr_multicast(addr))
        return -1;
    if (addr->family == 4)
        return yr_addr_same_ip(addr, out) ? 0 : ipv4_private(addr->ip) ? 2 : 1;
    const unsigned flags = ipv6_flags(addr);
    if ((flags & (IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0)
        return -1;
    return ((addr->ip[0] & 0xfe) == 0xfc ? 2 : 0) + ((flags & IFA_F_TEMPORARY) != 0 ? 1 : 0);
}

struct ranked {
    struct yr_addr addr;
    int rank;
};

/** Insert in order of rank, behind equals; an address is taken once. */
static void insert(struct ranked *list, size_t *count, const struct yr_addr *addr, int r)
{
    size_t at = *count;

    for (size_t i = 0; i < *count; i++)
        if (yr_addr_eq(&list[i].addr, addr))
            return;
    if (*count == YR_NETIF_OWN_MAX)
        return;
    for (; at > 0 && list[at - 1].rank > r; at--)
        list[at] = list[at - 1];
    list[at] = (struct ranked){*addr, r};
    ++*count;
}

/** Up, and with somebody at the other end of the cable. */
static bool is_running(const struct ifaddrs *i)
{
    const unsigned need = IFF_UP | IFF_RUNNING;

    return i->ifa_addr != NULL && (i->ifa_flags & need) == need;
}

static bool has_addr(const struct ifaddrs *i, const struct yr_addr *addr);

/** Is a concrete address there now?  all NULL: nobody tells, so it is. */
static bool is_there(const struct ifaddrs *all, const struct yr_addr *addr)
{
    const struct ifaddrs *i = all;

    while (i != NULL && !(is_running(i) && has_addr(i, addr)))
        i = i->ifa_next;
    return all == NULL || i != NULL;
}

static void collect(const struct ifaddrs *all, const struct yr_addr *bound, size_t bound_count,
                    struct ranked *list, size_t *count, uint8_t family)
{
    const struct yr_addr out = way_out();

    for (size_t b = 0; b < bound_count; b++) {
        if (bound[b].family != family)
            continue;
        if (!yr_addr_wildcard(&bound[b])) {
            if (is_there(all, &bound[b]))
                insert(list, count, &bound[b], 0);
            continue;
        }
        for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
            struct yr_addr addr;
            int r;
            if (!is_running(i))
                continue;
            addr = yr_addr_from_sys(i->ifa_addr);
            addr.port = bound[b].port;
            if (addr.family == family && (r = rank(&addr, &out)) >= 0)
                insert(list, count, &addr, r);
        }
    }
}

size_t yr_netif_addrs(const struct yr_addr *bound, size_t bound_count, struct yr_addr *out,
                      size_t cap)
{
    struct ranked list[2][YR_NETIF_OWN_MAX]; // [0] IPv6, [1] IPv4
    size_t count[2] = {0, 0}, at[2] = {0, 0}, written = 0;
    struct ifaddrs *all = NULL;
    bool need_list = false;

    for (size_t b = 0; b < bound_count; b++) // a concrete address is known anyway
        need_list = need_list || yr_addr_wildcard(&bound[b]);
    if (getifaddrs(&all) != 0) {
        if (need_list)
            return YR_NETIF_UNKNOWN;
        all = NULL;
    }
    collect(all, bound, bound_count, list[0], &count[0], 6);
    collect(all, bound, bound_count, list[1], &count[1], 4);
    if (all != NULL)
        freeifaddrs(all);
    for (size_t turn = 0; at[0] < count[0] || at[1] < count[1]; turn ^= 1) {
        if (at[turn] == count[turn])
            continue;
        if (written == cap)
            break;
        out[written++] = list[turn][at[turn]++].addr;
    }
    return written;
}

size_t yr_netif_own(struct yr_addr *out, size_t cap)
{
    struct ifaddrs *all = NULL;
    size_t count = 0;

    if (getifaddrs(&all) != 0)
        return YR_NETIF_UNKNOWN;
    for (const struct ifaddrs *i = all; i != NULL && count < cap; i = i->ifa_next) {
        struct yr_addr addr;
        if (i->ifa_addr == NULL)
            continue;
        addr = yr_addr_from_sys(i->ifa_addr);
        if (addr.family != 0)
            out[count++] = addr;
    }
    freeifaddrs(all);
    return count;
}

static bool has_addr(const struct ifaddrs *i, const struct yr_addr *addr)
{
    struct yr_addr has;

    if (i->ifa_addr == NULL)
        return false;
    has = yr_addr_from_sys(i->ifa_addr);
    return yr_addr_same_ip(&has, addr) || (addr->family == 4 && has.family == 4 &&
                                           yr_addr_loopback(addr) && yr_addr_loopback(&has));
}

unsigned yr_netif_of(const struct yr_addr *addr)
{
    struct ifaddrs *all = NULL;
    unsigned index = 0;

    if (addr->scope != 0)
        return addr->scope;
    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *i = all; i != NULL && index == 0; i = i->ifa_next)
        if (has_addr(i, addr))
            index = if_nametoindex(i->ifa_name);
    freeifaddrs(all);
    return index;
}

/** Does a socket at `bound` cover what an entry of getifaddrs says? */
static bool covers(const struct yr_addr *bound, const struct ifaddrs *i)
{
    const unsigned need = IFF_UP | IFF_MULTICAST;

    if (!yr_addr_wildcard(bound))
        return has_addr(i, bound) && (i->ifa_flags & IFF_UP) != 0;
    return (i->ifa_flags & need) == need && (i->ifa_flags & IFF_LOOPBACK) == 0 &&
           yr_addr_from_sys(i->ifa_addr).family == bound->family;
}

static void note(struct yr_netif *out, size_t *count, size_t cap, unsigned index, uint8_t family)
{
    size_t at = 0;

    while (at < *count && out[at].index != index)
        at++;
    if (index == 0 || at == cap)
        return;
    if (at == *count)
        out[(*count)++] = (struct yr_netif){.index = index};
    out[at].v4 = out[at].v4 || family == 4;
    out[at].v6 = out[at].v6 || family == 6;
}

size_t yr_netif_list(const struct yr_addr *bound, size_t bound_count, struct yr_netif *out,
                     size_t cap)
{
    struct ifaddrs *all = NULL;
    size_t count = 0;

    if (getifaddrs(&all) != 0)
        return YR_NETIF_UNKNOWN;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
        for (size_t b = 0; b < bound_count; b++)
            if (i->ifa_addr != NULL && covers(&bound[b], i))
                note(out, &count, cap, if_nametoindex(i->ifa_name), bound[b].family);
    freeifaddrs(all);
    return count;
}

// ---- what changes ----

struct yr_netwatch {
    uv_poll_t poll, clock_poll;
    uv_timer_t timer;
    int fd, clock_fd;
    unsigned handles;
    bool has_poll, has_clock;
    bool settling; // changes come, the first of them at:
    uint64_t first_ms;
    void (*on_change)(void *ctx);
    void *ctx;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void on_settled(uv_timer_t *timer)
{
    struct yr_netwatch *watch = timer->data;

    watch->settling = false;
    watch->on_change(watch->ctx);
}

/** Something changed: tell once nothing more does, or has done so for long enough. */
static void settle(struct yr_netwatch *watch)
{
    const uint64_t now = uv_now(watch->timer.loop);
    uint64_t passed;

    if (!watch->settling)
        watch->first_ms = now;
    watch->settling = true;
    passed = YR_MIN(now - watch->first_ms, (uint64_t)YR_NETIF_SETTLE_MS_MAX);
    uv_timer_start(&watch->timer, on_settled,
                   YR_MIN((uint64_t)YR_NETIF_SETTLE_MS, YR_NETIF_SETTLE_MS_MAX - passed), 0);
}

/** Does one message of the kernel's tell of something that matters to us?  Of routes only default
 *  ones do: a router's tables may change all day. */
static bool matters(const struct nlmsghdr *head, const char *body)
{
    struct rtmsg route;

    if (head->nlmsg_type != RTM_NEWROUTE && head->nlmsg_type != RTM_DELROUTE)
        return true;
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof route))
        return false;
    memcpy(&route, body, sizeof route);
    return route.rtm_dst_len == 0;
}

/** What else they say is not looked at: who is told looks at the addresses themselves. */
static bool any_matters(const char *bytes, size_t len)
{
    struct nlmsghdr head;

    for (size_t at = 0; at + sizeof head <= len; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > len - at)
            return true; // cut short
        if (matters(&head, bytes + at + NLMSG_LENGTH(0)))
            return true;
    }
    return false;
}

static void on_netlink(uv_poll_t *poll, int status, int events)
{
    struct yr_netwatch *watch = poll->data;
    bool any = status < 0; // some were lost, or the socket has an error to be cleared
    char bytes[8192];
    ssize_t len;

    (void)events;
    for (;;) {
        len = recv(watch->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len > 0)
            any = any_matters(bytes, (size_t)len) || any;
        else if (len < 0 && errno == ENOBUFS)
            any = true; // there were too many
        else
            break;
    }
    if (status < 0)
        (void)uv_poll_start(poll, UV_READABLE, on_netlink);
    if (any)
        settle(watch);
}

/** Have a timer tell when the wall clock is set: the kernel sets it when the machine wakes up, and
 *  there is no other sign of that.  It goes off by itself once a year. */
static bool arm_clock(struct yr_netwatch *watch)
{
    struct itimerspec far = {0};

    return clock_gettime(CLOCK_REALTIME, &far.it_value) == 0 &&
           (far.it_value.tv_sec += 365 * (time_t)YR_DAY_S) > 0 &&
           (timerfd_settime(watch->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far,
                            NULL) == 0 ||
            errno == ECANCELED); // it was set just now: armed all the same, and told at once
}

static void on_clock(uv_poll_t *poll, int status, int events)
{
    struct yr_netwatch *watch = poll->data;
    uint64_t times;

    (void)status;
    (void)events;
    (void)!read(watch->clock_fd, &times, sizeof times);
    if (!arm_clock(watch))
        uv_poll_stop(poll);
    settle(watch);
}

void yr_netwatch_again(struct yr_netwatch *watch, uint64_t ms)
{
    if (watch == NULL ||
        (uv_is_active((uv_handle_t *)&watch->timer) && uv_timer_get_due_in(&watch->timer) <= ms))
        return;
    uv_timer_start(&watch->timer, on_settled, ms, 0);
}

static void finish(struct yr_netwatch *watch)
{
    void (*on_closed)(void *) = watch->on_closed;
    void *ctx = watch->closed_ctx;

    if (watch->fd >= 0)
        close(watch->fd);
    if (watch->clock_fd >= 0)
        close(watch->clock_fd);
    free(watch);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct yr_netwatch *watch = handle->data;

    if (--watch->handles == 0)
        finish(watch);
}

static bool hear(struct yr_netwatch *watch, uv_loop_t *loop, uv_poll_t *poll, int fd, uv_poll_cb cb)
{
    if (fd < 0 || uv_poll_init(loop, poll, fd) != 0)
        return false;
    poll->data = watch;
    watch->handles++;
    YR_ASSERT(uv_poll_start(poll, UV_READABLE, cb) == 0);
    return true;
}

static int open_netlink(void)
{
    const struct sockaddr_nl at = {.nl_family = AF_NETLINK,
                                   .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                                                RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                                                RTMGRP_IPV6_ROUTE};
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

enum yr_err yr_netwatch_open(struct yr_netwatch **out, uv_loop_t *loop,
                             void (*on_change)(void *ctx), void *ctx)
{
    struct yr_netwatch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return YR_ENOMEM;
    watch->on_change = on_change;
    watch->ctx = ctx;
    watch->fd = open_netlink();
    watch->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    (void)uv_timer_init(loop, &watch->timer); // cannot fail
    watch->timer.data = watch;
    watch->handles++;
    watch->has_poll = hear(watch, loop, &watch->poll, watch->fd, on_netlink);
    // Without this one a sleep is seen when the next deadline is.
    watch->has_clock = watch->clock_fd >= 0 && arm_clock(watch) &&
                       hear(watch, loop, &watch->clock_poll, watch->clock_fd, on_clock);
    if (watch->has_poll) {
        *out = watch;
        return YR_OK;
    }
    yr_netwatch_close(watch, NULL, NULL);
    return YR_EIO;
}

void yr_netwatch_close(struct yr_netwatch *watch, void (*on_closed)(void *ctx), void *ctx)
{
    if (watch == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    watch->on_closed = on_closed;
    watch->closed_ctx = ctx;
    uv_close((uv_handle_t *)&watch->timer, on_handle_closed);
    if (watch->has_poll)
        uv_close((uv_handle_t *)&watch->poll, on_handle_closed);
    if (watch->has_clock)
        uv_close((uv_handle_t *)&watch->clock_poll, on_handle_closed);
}
