/* net/netif.h: the machine's own addresses and interfaces, and when they change. */
#ifndef YR_NETIF_H
#define YR_NETIF_H

#include <uv.h>

#include "yaari/error.h"

#define YR_NETIF_MAX     16 /* interfaces on which neighbours are looked for: igmp allows 20 */
#define YR_NETIF_OWN_MAX 64 /* own addresses known */
#define YR_NETIF_SETTLE_MS                                                 \
    200 /* changes come in bursts: told once none has come for so long ... \
         */
#define YR_NETIF_SETTLE_MS_MAX 1000     /* ... or the first of them is so old */
#define YR_NETIF_AGAIN_MS      5000     /* until what the system did not tell is asked for again */
#define YR_NETIF_UNKNOWN       SIZE_MAX /* in place of a count: the system did not tell */

/** Our addresses that may be told to friends, with the ports of `bound`: for a wildcard all of its
 *  family on interfaces that are up and connected, without loopback and link-local ones; for a
 *  concrete address itself as long as it is there, loopback included.
 *  The families take turns, IPv6 first, so that a short list serves everybody; within one the best
 *  comes first: IPv6 global, lasting before temporary, then unique-local; IPv4 on the way out, then
 *  public, then private.
 *  Up to `cap`; how many there are, or YR_NETIF_UNKNOWN. */
size_t yr_netif_addrs(const struct yr_addr *bound, size_t bound_count, struct yr_addr *out,
                      size_t cap);

/** Every address of the machine, link-local ones with their scope; port 0.
 *  Up to `cap`; how many there are, or YR_NETIF_UNKNOWN. */
size_t yr_netif_own(struct yr_addr *out, size_t cap);

/** The interface that has this address (lo has all of 127.0.0.0/8); 0: none. */
unsigned yr_netif_of(const struct yr_addr *addr);

/** An interface on which to look for neighbours. */
struct yr_netif {
    unsigned index;
    bool v4, v6; /* the families that `bound` covers on it */
};
/** The interfaces that `bound` covers: for a wildcard all that are up and take multicast, but
 *  loopback; for a concrete address the one that has it.  Up to `cap`; how many there are, or
 *  YR_NETIF_UNKNOWN. */
size_t yr_netif_list(const struct yr_addr *bound, size_t bound_count, struct yr_netif *out,
                     size_t cap);

struct yr_netwatch;
/** Call on_change when addresses, links or default routes of the machine may have changed, or the
 *  clock was set, which it is when the machine wakes up.  Wakes up for nothing else.  *out owned by
 *  the caller.
 *  Errors: YR_EIO: the system does not tell (a sandbox); YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_netwatch_open(struct yr_netwatch **out, uv_loop_t *loop,
                                         void (*on_change)(void *ctx), void *ctx);
/** Call on_change once more in `ms`, or sooner if something changes.  NULL is fine. */
void yr_netwatch_again(struct yr_netwatch *watch, uint64_t ms);
/** NULL is fine: on_closed at once.  on_closed may be NULL. */
void yr_netwatch_close(struct yr_netwatch *watch, void (*on_closed)(void *ctx), void *ctx);

#endif
