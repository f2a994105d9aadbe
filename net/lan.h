/* net/lan.h: the multicast groups of one link, by which neighbours find each other.
 *
 * A beacon leaves from the node's own UDP sockets, so that its source is where we can be reached;
 * it arrives at a socket of its own, which all nodes of one machine share. */
#ifndef YR_LAN_H
#define YR_LAN_H

#include "net/netif.h"
#include "net/udp.h"

#define YR_LAN_PORT   42424
#define YR_LAN_GROUP4 "239.255.42.99"   /* administratively scoped: the local network */
#define YR_LAN_GROUP6 "ff12::7961:6172" /* transient, link-local scope; "yaar" */

struct yr_lan;

struct yr_lan_opts {
    uv_loop_t *loop;
    struct yr_udp *udp; /* borrowed until closed */
    void (*on_datagram)(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len);
    void (*on_batch)(void *ctx);
    void *ctx;
};

/** Join on the interfaces that the sockets of `udp` cover.  Interfaces that refuse are left out.
 *  *out owned by the caller.  Errors, worded in *fail: YR_EEXIST: another program keeps the port to
 *  itself; YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_lan_open(struct yr_lan **out, const struct yr_lan_opts *opts,
                                    struct yr_net_fail *fail);
/** Interfaces came or went.  false: the system did not tell which there are; nothing changed. */
bool yr_lan_refresh(struct yr_lan *lan);
/** To the groups, through each interface. */
void yr_lan_send(struct yr_lan *lan, const uint8_t *bytes, size_t len);
void yr_lan_pause(struct yr_lan *lan);
/** NULL is fine: on_closed at once. */
void yr_lan_close(struct yr_lan *lan, void (*on_closed)(void *ctx), void *ctx);

#endif
