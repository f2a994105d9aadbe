/* net/udp.h: the node's UDP sockets on a libuv loop.
 *
 * Own descriptors under uv_poll, up to 64 datagrams a system call (bench: uv_udp_send costs 3.3 us
 * a packet, this 1.5).  Datagrams are never fragmented: one that the path does not take is dropped,
 * as the network would; so is what ICMP says.  One port for all sockets that did not ask for one.
 *
 * Answers leave from where the question came to: the local address and socket on which a peer was
 * last heard are remembered, for hosts with several addresses.  Nothing here knows who is who, so a
 * way back in use is only given up when it was silent for YR_UDP_HEARD_MS: a forged datagram does
 * not turn it.
 *
 * Beside these main sockets the node opens others for a while, each at a port of its own and known
 * by a number: what a NAT shows of it is another address.  What is sent there says so in `local`,
 * and so does what comes in there. */
#ifndef YR_UDP_H
#define YR_UDP_H

#include <uv.h>

#include "net/fail.h"
#include "yaari/host.h"

#define YR_UDP_BATCH    64   /* datagrams a system call */
#define YR_UDP_QUEUE    512  /* datagrams that wait for a socket's full buffer; more are dropped */
#define YR_UDP_EXTRA    256  /* ... that wait for all extra sockets together */
#define YR_UDP_HEARD_MS 5000 /* silence after which a way back in use may become another */

struct yr_udp;

struct yr_udp_opts {
    uv_loop_t *loop;
    const struct yr_addr *listen; /* borrowed for the call; none: both wildcards at port 0 */
    size_t listen_count;          /* <= YR_LISTEN_MAX */
    uint16_t kept_port;           /* tried first where the port is 0; 0: none */
    /** A datagram of 1..YR_PACKET_MAX bytes, lent for the call. */
    void (*on_datagram)(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len);
    /** A batch was handed over: the moment to answer. */
    void (*on_batch)(void *ctx);
    void *ctx;
};

/** *out owned by the caller.  Errors, worded in *fail: YR_EEXIST: a port is taken; YR_EINVAL: not
 * an address of this machine; YR_EDENIED; YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_udp_open(struct yr_udp **out, const struct yr_udp_opts *opts,
                                    struct yr_net_fail *fail);

/** Room for the next datagram to send: YR_PACKET_MAX bytes, never NULL; lent until yr_udp_send. */
uint8_t *yr_udp_room(struct yr_udp *udp);
/** Queue what is in the room: to `to`, 1..YR_PACKET_MAX bytes.  Leaves at the latest with flush. */
void yr_udp_send(struct yr_udp *udp, const struct yr_addr *to, size_t len);
void yr_udp_flush(struct yr_udp *udp);

/** Open extra socket `number` (1..YR_SOCKETS_MAX) of a family at any port, at the address of a main
 *  one of that family: the wildcard, else not loopback, if there is such a one.  One that is open
 *  under this number is shut first.
 *  Errors: YR_EINVAL: no such number, or no main socket of this family; YR_EFULL: the system gives
 *  no more descriptors; YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_udp_open_extra(struct yr_udp *udp, uint16_t number, uint8_t family);
/** Send what waits there, as far as it goes at once, and close it.  None under this number: fine.
 */
void yr_udp_shut_extra(struct yr_udp *udp, uint16_t number);
void yr_udp_shut_extras(struct yr_udp *udp);
/** How many are open. */
size_t yr_udp_extras(const struct yr_udp *udp);

/** Send now, through interface `ifindex` (0: as routed), past the queue: for multicast. */
void yr_udp_send_via(struct yr_udp *udp, const struct yr_addr *to, unsigned ifindex,
                     const uint8_t *bytes, size_t len);

/** Forget on which socket peers were heard: addresses have changed. */
void yr_udp_forget(struct yr_udp *udp);

/** The bound addresses: up to `cap`; how many there are. */
size_t yr_udp_bound(const struct yr_udp *udp, struct yr_addr *out, size_t cap);
/** The port of the sockets that did not ask for one; 0: all did. */
uint16_t yr_udp_random_port(const struct yr_udp *udp);
/** Adds to *out what sockets did. */
void yr_udp_stats(const struct yr_udp *udp, struct yr_host_stats *out);

/** Stop reading, or go on; sending works all the time. */
void yr_udp_pause(struct yr_udp *udp, bool pause);
/** Try once to send what is queued, close, free; then on_closed.  NULL is fine: on_closed at once.
 */
void yr_udp_close(struct yr_udp *udp, void (*on_closed)(void *ctx), void *ctx);

#endif
