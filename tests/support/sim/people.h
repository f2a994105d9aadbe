/* tests/support/sim/people.h: behind what people sit, and how long they stay.
 *
 *   class             mapping   filter    desktop-heavy  balanced  mobile-heavy
 *   open              no box                   15 %        10 %         5 %
 *   full cone         any       any            15 %        12 %        10 %
 *   restricted        any       address        25 %        18 %        15 %
 *   port-restricted   any       port           37 %        42 %        35 %
 *   symmetric         port      port            8 %        18 %        35 %
 *
 * What two can do at best follows: two symmetric ones need a relay, a symmetric and a
 * port-restricted one many guesses (birthday), all others punch.  With shares s and p that is
 * direct for 1 - s^2 - 2sp without guesses, and 1 - s^2 - 2sp/50 with them, since 1,024 probes meet
 * one of 256 sockets in 98 % of cases: 93.4, 81.6 and 63.3 %, and 99.2, 96.5 and 87.3 %. */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "tests/support/sim/sim.h"

enum nat_class { NAT_OPEN, NAT_FULL_CONE, NAT_RESTRICTED, NAT_PORT_RESTRICTED, NAT_SYMMETRIC };
#define NAT_CLASSES 5
extern const char *const nat_class_names[NAT_CLASSES];

/** The plainest box of a class; of NAT_OPEN: none that would matter. */
struct nat_opts nat_class_opts(enum nat_class class);

/** What two hosts behind boxes of their own can have at best. */
enum nat_best { NAT_DIRECT, NAT_GUESSED, NAT_RELAYED };
enum nat_best nat_theory(enum nat_class a, enum nat_class b);

/** Shares of the classes in hundredths. */
struct people_mix {
    const char *name;
    unsigned share[NAT_CLASSES];
};
extern const struct people_mix people_mixes[3];
/** By its name; NULL: there is none. */
const struct people_mix *people_mix(const char *name);
/** The share of pairs, in thousandths, that can be direct, with guesses or without. */
unsigned people_theory(const struct people_mix *mix, bool guesses);

/** Somebody of a mix, by a draw. */
enum nat_class people_class(const struct people_mix *mix, uint64_t draw);
/** Put a node behind a box of its own of this class; what the class leaves open (timeout, who
 *  refreshes, hairpin, a second box) comes of the draw.  The box that matters, or SIM_INTERNET. */
unsigned people_settle(struct sim *sim, unsigned node, enum nat_class class, uint64_t draw);

/** How long somebody stays who stays `median` or longer half of the time: Weibull, shape 1/2, so
 *  that most leave soon and some never do. */
yr_us people_stay(uint64_t draw, yr_us median);

#endif
