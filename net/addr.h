/* net/addr.h: addresses as the system and as people write them. */
#ifndef YR_ADDR_H
#define YR_ADDR_H

#include <sys/socket.h>

#include "yaari/error.h"

#define YR_ADDR_TEXT 72 /* "[v6%interface]:port" and a NUL */

/** The length to pass to the system with *out. */
socklen_t yr_addr_to_sys(const struct yr_addr *addr, struct sockaddr_storage *out);
/** family 0 for anything but IPv4 and IPv6. */
struct yr_addr yr_addr_from_sys(const struct sockaddr *sys);

/** "192.0.2.1:7722", "[2001:db8::1]:7722", "[fe80::1%eth0]:7722"; "none" for family 0. */
void yr_addr_text(char out[YR_ADDR_TEXT], const struct yr_addr *addr);

/** The same back, port and brackets optional ("192.0.2.1", "::1", "[::1]:7722"); without one,
 * `port`. Numbers only: no name is looked up.  Errors: YR_EINVAL. */
YR_MUST_USE enum yr_err yr_addr_parse(struct yr_addr *out, const char *text, uint16_t port);

bool yr_addr_wildcard(const struct yr_addr *addr);
bool yr_addr_link_local(const struct yr_addr *addr);
/** The addresses are the same, whatever the ports. */
bool yr_addr_same_ip(const struct yr_addr *a, const struct yr_addr *b);

#endif
