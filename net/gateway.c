#include "net/gateway.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "core/base/base.h"
#include "net/addr.h"

// Documentation (RFC 5737), and the lowest of all global addresses: nobody's.
static const uint8_t far4[4] = {198, 51, 100, 1};
static const uint8_t far6[16] = {0x20, [15] = 1};

struct question {
    struct nlmsghdr head;
    struct rtmsg route;
    char attrs[64];
};

static void put(struct question *q, unsigned short type, const void *value, size_t len)
{
    struct rtattr attr = {.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(len)};
    char *at = (char *)q + NLMSG_ALIGN(q->head.nlmsg_len);

    memcpy(at, &attr, sizeof attr);
    memcpy(at + RTA_LENGTH(0), value, len);
    q->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(attr.rta_len));
}

static enum yr_err read_answer(const char *bytes, size_t len, struct yr_gateway *out)
{
    struct nlmsghdr head;
    struct rtmsg route;
    size_t at = NLMSG_LENGTH(sizeof route);

    if (len < sizeof head)
        return YR_EIO;
    memcpy(&head, bytes, sizeof head);
    if (head.nlmsg_type != RTM_NEWROUTE) // an error: no route
        return YR_ENOENT;
    if (head.nlmsg_len > len || len < at)
        return YR_EIO;
    memcpy(&route, bytes + NLMSG_LENGTH(0), sizeof route);
    if (route.rtm_type != RTN_UNICAST)
        return YR_ENOENT; // a black hole, or ourselves
    memset(out, 0, sizeof *out);
    while (at + sizeof(struct rtattr) <= head.nlmsg_len) {
        const uint8_t family = route.rtm_family == AF_INET ? 4 : 6;
        const size_t ip_len = family == 4 ? 4 : 16;
        struct rtattr attr;
        size_t value_len;

        memcpy(&attr, bytes + at, sizeof attr);
        if (attr.rta_len < sizeof attr || at + attr.rta_len > head.nlmsg_len)
            break;
        value_len = attr.rta_len - sizeof attr;
        if (attr.rta_type == RTA_OIF && value_len == sizeof out->ifindex) {
            memcpy(&out->ifindex, bytes + at + RTA_LENGTH(0), value_len);
        } else if ((attr.rta_type == RTA_GATEWAY || attr.rta_type == RTA_PREFSRC) &&
                   value_len == ip_len) {
            struct yr_addr *addr = attr.rta_type == RTA_GATEWAY ? &out->gateway : &out->source;
            addr->family = family;
            memcpy(addr->ip, bytes + at + RTA_LENGTH(0), ip_len);
        }
        at += RTA_ALIGN(attr.rta_len);
    }
    if (yr_addr_link_local(&out->gateway))
        out->gateway.scope = out->gateway.family == 6 ? out->ifindex : 0;
    return YR_OK;
}

enum yr_err yr_gateway_find(struct yr_gateway *out, const struct yr_addr *source)
{
    const struct timeval patience = {.tv_sec = 1}; // the kernel answers before send returns
    const size_t ip_len = source->family == 4 ? 4 : 16;
    struct question q;
    enum yr_err err = YR_EIO;
    char answer[2048];
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    memset(&q, 0, sizeof q);
    q.head.nlmsg_type = RTM_GETROUTE;
    q.head.nlmsg_flags = NLM_F_REQUEST;
    q.head.nlmsg_len = NLMSG_LENGTH(sizeof q.route);
    q.route.rtm_family = source->family == 4 ? AF_INET : AF_INET6;
    q.route.rtm_dst_len = (unsigned char)(ip_len * 8);
    put(&q, RTA_DST, source->family == 4 ? far4 : far6, ip_len);
    if (!yr_addr_wildcard(source)) {
        q.route.rtm_src_len = (unsigned char)(ip_len * 8);
        put(&q, RTA_SRC, source->ip, ip_len);
    }
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        send(fd, &q, q.head.nlmsg_len, 0) == (ssize_t)q.head.nlmsg_len) {
        const ssize_t len = recv(fd, answer, sizeof answer, 0);
        err = len > 0 ? read_answer(answer, (size_t)len, out) : YR_EIO;
    }
    if (fd >= 0)
        close(fd);
    if (err == YR_OK && out->source.family == 0) { // it was told by us
        out->source = *source;
        out->source.port = 0;
    }
    return err;
}
