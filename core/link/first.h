/* core/link/first.h: a packet for no connection we know: is it a friend's first?
 *
 *     form -> hint -> blocked? -> AEAD -> clock -> bucket -> Noise
 *
 * Cheapest first, and the first "no" ends it.  Nothing is allocated, answered or changed but the
 * friend's token bucket.  docs/protocol.md "Links", order of checks. */
#ifndef YR_FIRST_H
#define YR_FIRST_H

#include "core/link/conn.h"

/** What a good first packet held.  Clear with yr_first_clear. */
struct yr_first {
    struct yr_link *link;
    unsigned pair; /* which of its generations */
    struct yr_clock clock;
    ngtcp2_cid dcid, scid;
    struct yr_noise noise; /* message 1 has been read */
    uint8_t payload[YR_LINK_PAYLOAD_MAX];
    size_t payload_len;
};

/** YR_LINK_DROP_NONE when it is good; else why it is not, and *out holds nothing, but for
 *  YR_LINK_DROP_NOISE the link and the clock. */
enum yr_link_drop yr_first_check(struct yr_links *links, const uint8_t *packet, size_t len,
                                 struct yr_first *out);
void yr_first_clear(struct yr_first *first);

#endif
