/* net/netif.h: the machine's own addresses, and when they change. */
#ifndef YR_NETIF_H
#define YR_NETIF_H

#include <uv.h>

#include "yaari/error.h"

#define YR_NETIF_MAX       32  /* interfaces looked at */
#define YR_NETIF_SETTLE_MS 200 /* a change is told once nothing more changed for this long */

/** Our addresses that may be told to friends, best first, with the ports of `bound`: for a wildcard
 *  all of its family on interfaces that are up, loopback and link-local left out; a concrete
 * address itself, loopback included.  IPv6 global, then IPv4, then IPv6 unique-local. Up to `cap`;
 * how many there are. */
size_t yr_netif_addrs(const struct yr_addr *bound, size_t bound_count, struct yr_addr *out,
                      size_t cap);

/** An interface on which to look for neighbours. */
struct yr_netif {
    unsigned index;
    char name[16];
    bool v4, v6;        /* has addresses of the family that `bound` covers */
    struct yr_addr ip4; /* one of them */
};
/** The interfaces `bound` covers: for a wildcard all that are up and capable of multicast, but
 *  loopback; for a concrete address the one that has it. */
size_t yr_netif_list(const struct yr_addr *bound, size_t bound_count, struct yr_netif *out,
                     size_t cap);

struct yr_netwatch;
/** Call on_change when addresses or links of the machine changed.  Wakes up for nothing else.
 *  *out owned by the caller.  Errors: YR_EIO: the system does not tell (a sandbox); YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_netwatch_open(struct yr_netwatch **out, uv_loop_t *loop,
                                         void (*on_change)(void *ctx), void *ctx);
/** NULL is fine: on_closed at once. */
void yr_netwatch_close(struct yr_netwatch *watch, void (*on_closed)(void *ctx), void *ctx);

#endif
