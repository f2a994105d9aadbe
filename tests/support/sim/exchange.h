/* tests/support/sim/exchange.h: two friends who say one text a second each, watched: nothing may be
 * lost or shown twice, and how long each text took is known. */
#ifndef SIM_EXCHANGE_H
#define SIM_EXCHANGE_H

#include "tests/support/sim/sim.h"

#define EXCHANGE_MAX 4000 /* texts each way */

struct exchange {
    struct sim *sim;
    unsigned a, b;
    yr_us said[2][EXCHANGE_MAX], shown[2][EXCHANGE_MAX]; /* by who said it: 0 is a */
    unsigned count, twice;
};

/** Watches the world from now on.  Owned by the caller: free(). */
struct exchange *exchange_new(struct sim *sim, unsigned a, unsigned b);
/** Both say one text each second, for that many seconds. */
void exchange_for(struct exchange *x, unsigned seconds);
/** Fails the test unless everything was shown once; how long it took at this percentile. */
yr_us exchange_took(const struct exchange *x, double percentile);

#endif
