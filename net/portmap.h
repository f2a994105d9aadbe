/* net/portmap.h: a way in through the gateway: one mapping of our UDP port over IPv4, asked for by
 * PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP IGD.
 *
 *     start -> asking: PCP at once, NAT-PMP after 0.5 s, UPnP after 1 s, each with its own patience
 *               | one works -> on: renewed at half of its time, and when the gateway has restarted
 *               |                or nobody comes in any more -> expired -> asking
 *               | none does -> none: again after half an hour
 *     another gateway or own address -> asking from the start; stop, close: the mapping is deleted
 *
 * What the gateway says is what it says: that others really come in at that address, only they can
 * prove.
 *
 * Answers count only from the gateway itself, to what was asked, for our own port, with an address
 * that can be on the Internet and a lifetime of 1 min to 24 h. */
#ifndef YR_PORTMAP_H
#define YR_PORTMAP_H

#include <uv.h>

#include "net/gateway.h"
#include "yaari/host.h"

#define YR_PORTMAP_LIFETIME_S     7200  /* asked for (RFC 6886, 3.3) */
#define YR_PORTMAP_LIFETIME_S_MIN 60    /* a shorter one would have us talk all the time */
#define YR_PORTMAP_LIFETIME_S_MAX 86400 /* believed at most (RFC 6887, 15) */
#define YR_PORTMAP_AGAIN_S        1800  /* after nobody mapped anything; and what lasts for ever */
#define YR_PORTMAP_AGAIN_S_MIN    60    /* ... when the gateway says that it will not last */
#define YR_PORTMAP_RENEW_S        300 /* from one time we ask to the next because nobody comes in */
#define YR_PORTMAP_NOTICE_S       10  /* between two announcements that are acted upon */
#define YR_PORTMAP_PCP_TRIES      5   /* 3, 6, 12, 24, 48 s */
#define YR_PORTMAP_NATPMP_TRIES   9   /* 0.25 s, and double up to 64 s */

struct yr_portmap;

struct yr_portmap_opts {
    uv_loop_t *loop;
    const char *upnp_program; /* copied; NULL: UPnP is not tried */
    /** yr_portmap_info says something else than before. */
    void (*on_change)(void *ctx);
    void *ctx;
    /* for tests: */
    enum yr_err (*find)(struct yr_gateway *out, const struct yr_addr *source); /* NULL: the real */
    uint16_t port;        /* where the gateway listens; 0: YR_PCP_PORT */
    const char *upnp_url; /* copied; the gateway's description, so that it is not searched; NULL */
    bool any_outside;     /* addresses that are not on the Internet are believed, too */
    unsigned quicker;     /* waits are divided by this; 0: by 1 */
};

/** *out owned by the caller; asks nothing yet.  Errors: YR_ENOMEM; YR_EIO. */
YR_MUST_USE enum yr_err yr_portmap_open(struct yr_portmap **out,
                                        const struct yr_portmap_opts *opts);
/** Look at the network and ask, if it is another than before.  bound: the main sockets.
 *  again: ask in any case (after a sleep).  NULL is fine. */
void yr_portmap_start(struct yr_portmap *map, const struct yr_addr *bound, size_t count,
                      bool again);
/** Delete what is mapped and ask nothing until the next start.  NULL is fine. */
void yr_portmap_stop(struct yr_portmap *map);
/** Nobody comes in any more: the gateway may have forgotten what it mapped, and is asked again, but
 *  not more often than every YR_PORTMAP_RENEW_S.  NULL is fine. */
void yr_portmap_renew(struct yr_portmap *map);
/** NULL: off. */
void yr_portmap_info(const struct yr_portmap *map, struct yr_mapping_info *out);
/** Delete what is mapped, close, free; then on_closed, after YR_UPNP_LAST_MS at the latest.  NULL
 *  is fine: on_closed at once. */
void yr_portmap_close(struct yr_portmap *map, void (*on_closed)(void *ctx), void *ctx);

#endif
