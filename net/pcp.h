/* net/pcp.h: what is said to a gateway that maps ports, and what it answers: PCP (RFC 6887) and
 * NAT-PMP (RFC 6886), which share a port and are told apart by their first byte.
 *
 * Only mappings of UDP over IPv4 are asked for.  The decoder is total. */
#ifndef YR_PCP_H
#define YR_PCP_H

#include "yaari/error.h"

#define YR_PCP_PORT        5351 /* where gateways listen */
#define YR_PCP_NOTICE_PORT 5350 /* where they announce, at 224.0.0.1, that they have restarted */
#define YR_PCP_NONCE       12   /* bytes; names a mapping to the gateway */
#define YR_PCP_REQUEST_MAX 60   /* bytes of the longest request */
#define YR_PCP_ANSWER_MAX  1100 /* bytes of the longest answer (RFC 6887, 7) */

enum yr_pcp_kind {
    YR_PCP_MAP,        /* PCP: answer to MAP */
    YR_PCP_ANNOUNCE,   /* PCP: the gateway has restarted */
    YR_NATPMP_ADDRESS, /* NAT-PMP: the gateway's address, asked for or announced */
    YR_NATPMP_MAP,     /* NAT-PMP: a mapping */
    YR_NATPMP_OTHER    /* NAT-PMP's only answer to what it does not know: PCP among it */
};

#define YR_PCP_OK          0
#define YR_PCP_OLD_VERSION 1 /* "unsupported version", in both protocols */

/** One answer.  Which fields have a meaning the kind tells. */
struct yr_pcp_answer {
    enum yr_pcp_kind kind;
    uint16_t result;             /* YR_PCP_OK, or why not */
    uint32_t epoch_s;            /* since the gateway lost its mappings */
    uint8_t nonce[YR_PCP_NONCE]; /* PCP_MAP */
    uint16_t internal, external; /* ..._MAP: ports */
    uint32_t lifetime_s;         /* ..._MAP; of an error in PCP: how long it will last */
    uint8_t ip[4];               /* PCP_MAP with OK, NATPMP_ADDRESS: the outside */
    bool udp;                    /* ..._MAP */
};

/** Ask PCP for a mapping of UDP port `internal` of `ip`; lifetime_s 0: delete it.
 *  external, outside (4 bytes): what it was before; 0, NULL: any.  The length, always
 *  YR_PCP_REQUEST_MAX. */
size_t yr_pcp_map(uint8_t out[YR_PCP_REQUEST_MAX], const uint8_t ip[4],
                  const uint8_t nonce[YR_PCP_NONCE], uint16_t internal, uint16_t external,
                  const uint8_t *outside, uint32_t lifetime_s);
/** The same of NAT-PMP, which tells the outside address apart. */
size_t yr_natpmp_map(uint8_t out[YR_PCP_REQUEST_MAX], uint16_t internal, uint16_t external,
                     uint32_t lifetime_s);
size_t yr_natpmp_address(uint8_t out[YR_PCP_REQUEST_MAX]);

/** Total: any bytes end in YR_OK with all of *out written, or in YR_EPROTO with none of it. */
YR_MUST_USE enum yr_err yr_pcp_decode(struct yr_pcp_answer *out, const uint8_t *bytes, size_t len);

/** What a result other than YR_PCP_OK means to the user: a constant, lower case. */
const char *yr_pcp_reason(const struct yr_pcp_answer *answer);

/** Does a gateway's clock of mappings say that it lost them (RFC 6887, 8.5)?  before_s: what it
 *  said `elapsed_s` of our seconds ago. */
bool yr_pcp_restarted(uint32_t before_s, uint32_t epoch_s, uint64_t elapsed_s);

#endif
