/* core/path/birthday.h: one of two NATs gives each destination another port: guess it.
 * docs/protocol.md "Paths".
 *
 * The hard side opens many sockets, each of which sends to the other and so has a port outside; the
 * easy side sends to random ports of the hard side's address.  256 of 64,512 ports are open: a
 * thousand probes meet one with 98 %.  It lasts ten seconds, and happens only while a person waits:
 * it looks like a port scan. */
#ifndef YR_BIRTHDAY_H
#define YR_BIRTHDAY_H

#include "core/base/base.h"
#include "core/limits.h"

struct yr_birthday {
    bool on, hard;
    unsigned slot;     /* of the friend */
    struct yr_addr at; /* hard: where the easy side is; easy: the hard side, any port */
    yr_us from_us, next_us;
    unsigned sent;
    uint32_t place, step; /* of the walk over all ports: each once */
};

/** Begin.  An earlier one ends. */
void yr_birthday_start(struct yr_birthday *b, const struct yr_rng *rng, unsigned slot, bool hard,
                       const struct yr_addr *at, yr_us now);
/** The next probe that is due: hard: to b->at from a new socket; easy: *port to probe.  False: none
 *  is due now. */
bool yr_birthday_next(struct yr_birthday *b, yr_us now, uint16_t *port);
/** When next has something, or it is over. */
yr_us yr_birthday_deadline(const struct yr_birthday *b);
/** Time is up. */
bool yr_birthday_over(const struct yr_birthday *b, yr_us now);

#endif
