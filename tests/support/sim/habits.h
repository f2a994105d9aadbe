/* tests/support/sim/habits.h: when people are there and when they are not.
 *
 *   profile   there   stays, mean   comes by day
 *   phone      10 %        6 min    yes
 *   laptop     25 %          1 h    yes
 *   desktop    50 %          3 h    yes
 *   keeper     99 %         48 h    no
 *
 * Stays and absences are Weibull with shape 1/2: most are short and some very long, as in measured
 * networks (shapes of 0.34 to 0.6).  Who comes by day comes back at each hour with a likelihood of
 * 1 - 0.85 cos, least at midnight of a zone of its own within three hours of the others'. */
#ifndef SIM_HABITS_H
#define SIM_HABITS_H

#include "tests/support/sim/sim.h"

struct habit_profile {
    const char *name;
    unsigned permille; /* of the time there */
    yr_us stay_us;     /* mean */
    bool by_day;
};
enum habit_kind { HABIT_PHONE, HABIT_LAPTOP, HABIT_DESKTOP, HABIT_KEEPER };
#define HABIT_KINDS 4
extern const struct habit_profile habit_profiles[HABIT_KINDS];
/** By its name; NULL: there is none. */
const struct habit_profile *habit_profile(const char *name);

/** One person's comings and goings.  Depends on seed and person only. */
struct habit {
    struct habit_profile profile;
    uint64_t seed, person, draws;
    yr_us zone_us; /* how late it is for this person when the world's day begins */
    bool there;    /* until: */
    yr_us until;
};
/** As it is at `now`, for somebody who has lived so for a week. */
void habit_init(struct habit *h, const struct habit_profile *profile, uint64_t seed,
                uint64_t person, yr_us now);
/** What comes at h->until: h->there says what, and until when. */
void habit_next(struct habit *h);

#endif
