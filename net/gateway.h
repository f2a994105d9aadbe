/* net/gateway.h: the way out of this network, as the kernel's routing tables say. */
#ifndef YR_GATEWAY_H
#define YR_GATEWAY_H

#include "yaari/error.h"

struct yr_gateway {
    struct yr_addr gateway; /* the next hop, port 0; family 0: none, or the far end of a tunnel */
    struct yr_addr source;  /* our address there, port 0 */
    unsigned ifindex;
};

/** How a packet to the wide world would leave from `source` (wildcard: wherever), by family 4 or 6.
 *  One question to the kernel, which does not block; nothing leaves the machine.
 *  Errors: YR_ENOENT: there is no way; YR_EIO: the system does not tell. */
YR_MUST_USE enum yr_err yr_gateway_find(struct yr_gateway *out, const struct yr_addr *source);

#endif
