/* core/path/candidates.h: the places where one friend may be, and which is better. */
#ifndef YR_CANDIDATES_H
#define YR_CANDIDATES_H

#include "core/path/paths.h"

struct yr_spot {
    struct yr_addr addr;
    enum yr_addr_source source;
    bool told; /* the friend himself says so, whatever else is known of it */
    yr_us learnt_us;
    unsigned trips;  /* answers in a row ... */
    yr_us answer_us; /* ... the last one then */
};

struct yr_candidates {
    struct yr_spot list[YR_ADDRS_MAX];
    size_t count;
};

/** Best last. */
enum yr_reach {
    YR_REACH_NOWHERE,
    YR_REACH_RELAY,
    YR_REACH_PUNCHED,
    YR_REACH_MAPPED,
    YR_REACH_V6,
    YR_REACH_LAN
};

/** May we send to it because a friend says so?  Not 0/8 or beyond multicast, not ::, not IPv4 in
 *  disguise; 127/8 and ::1 only if `loopback`. */
bool yr_addr_askable(const struct yr_addr *addr, bool loopback);

const struct yr_spot *yr_candidates_find(const struct yr_candidates *c, const struct yr_addr *addr);
/** Add it or learn more of it; the least useful one makes room: the oldest of those where no link
 *  has been, or of the others if they are more than half.  *fresh: it was not there, or is heard on
 * the LAN now. */
struct yr_spot *yr_candidates_learn(struct yr_candidates *c, const struct yr_addr *addr,
                                    enum yr_addr_source source, yr_us now, bool *fresh);
/** The friend tells these, and no others any more. */
void yr_candidates_told(struct yr_candidates *c, const struct yr_addr *addrs, size_t count,
                        enum yr_addr_source source);
/** Forget those of an extra socket. */
void yr_candidates_shut(struct yr_candidates *c, uint16_t local);

/** own: addresses of our interfaces: who has the same prefix is on the LAN. */
enum yr_reach yr_candidate_rank(const struct yr_spot *c, const struct yr_addr *own,
                                size_t own_count);

#endif
