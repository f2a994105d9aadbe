/* tests/support/sim/contacts.h: who could have met, and who did.
 *
 * While a world runs, this notes for each two nodes the spans of time in which both were up and not
 * cut off from each other (they could have had a link), and those in which both had one; and for
 * each node when it was up. */
#ifndef SIM_CONTACTS_H
#define SIM_CONTACTS_H

#include "tests/support/sim/sim.h"

#define CONTACTS_MAX 24 /* nodes */

struct span {
    yr_us from, to; /* YR_NEVER: it goes on */
};
struct spans {
    struct span *at;
    size_t count, cap;
};

enum contact { CONTACT_COULD, CONTACT_DID };
struct contacts;

/** Of the nodes there are now and that come; watches from now on.  One for a world. */
struct contacts *contacts_new(struct sim *sim);
/** Before its world. */
void contacts_free(struct contacts *contacts);

/** In order of time, apart from each other.  Lent until the world runs on.  a == b: when it was
 *  up. */
const struct spans *contacts_of(const struct contacts *contacts, enum contact kind, unsigned a,
                                unsigned b);
/** The first time from `at` on at which a span has `least` left; YR_NEVER: none. */
yr_us spans_next(const struct spans *spans, yr_us at, yr_us least);
/** How much of from..to is in them. */
yr_us spans_within(const struct spans *spans, yr_us from, yr_us to);

#endif
