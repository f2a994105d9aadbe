/* core/path/keepalive.h: how long this network remembers where we sent to.  docs/protocol.md
 * "Paths".
 *
 * A second socket asks a friend to answer later: if the answer gets through after T s, nothing need
 * be sent for as long.  The first question (T = 0) shows that the friend can be reached from
 * another port at all; the second is for 180 s, which many networks pass; then the interval is
 * halved.
 *
 *     reach --answer--> test T --answer after T: longer; none: shorter--> ... --> known
 *       \--none--> the next friend
 *
 * What is used is a sixth less: 20 % to spare. */
#ifndef YR_KEEPALIVE_H
#define YR_KEEPALIVE_H

#include "core/base/base.h"
#include "core/limits.h"

struct yr_keepalive {
    bool known;     /* seconds is what was found out, else the default */
    bool asking;    /* a probe is out */
    unsigned low;   /* it worked for so long; 0: the friend was not reached yet */
    unsigned high;  /* it did not */
    unsigned ask_s; /* of the probe that is out */
    unsigned tests, friends;
    yr_us asked_us;
};

void yr_keepalive_init(struct yr_keepalive *k);
/** It was found out in an earlier stay. */
void yr_keepalive_known(struct yr_keepalive *k, unsigned seconds);
/** Seconds between two packets. */
unsigned yr_keepalive_s(const struct yr_keepalive *k);
/** Is there a question left to ask?  No probe is out then. */
bool yr_keepalive_asks(const struct yr_keepalive *k);
/** Ask it now: by how many seconds the answer is to be delayed. */
unsigned yr_keepalive_ask(struct yr_keepalive *k, yr_us now);
/** The answer came.  True: it is known from now on. */
bool yr_keepalive_answer(struct yr_keepalive *k, yr_us now);
/** When an answer that has not come will not. */
yr_us yr_keepalive_deadline(const struct yr_keepalive *k);
/** Time passed.  True as above; *next: ask another friend. */
bool yr_keepalive_tick(struct yr_keepalive *k, yr_us now, bool *next);

#endif
