#include "tests/support/sim/habits.h"

#include "core/crypto/kdf.h"
#include "tests/support/sim/people.h"

#define HOUR  (3600 * YR_S)
#define DAY   (24 * HOUR)
#define PAST  (7 * DAY)
#define LEAST YR_S

const struct habit_profile habit_profiles[HABIT_KINDS] = {
    [HABIT_PHONE] = {"phone", 100, 360 * YR_S, true},
    [HABIT_LAPTOP] = {"laptop", 250, HOUR, true},
    [HABIT_DESKTOP] = {"desktop", 500, 3 * HOUR, true},
    [HABIT_KEEPER] = {"keeper", 990, 48 * HOUR, false},
};

// (1 - 0.85 cos(hour of 24)) / 1.85 in thousandths.
static const uint16_t by_hour[24] = {81,   97,  143, 216, 311, 422, 541, 659, 770, 865, 938, 984,
                                     1000, 984, 938, 865, 770, 659, 541, 422, 311, 216, 143, 97};
#define BY_DAY_MEAN 480 // in effect; long absences end when they end

const struct habit_profile *habit_profile(const char *name)
{
    for (size_t i = 0; i < YR_COUNT(habit_profiles); i++)
        if (strcmp(habit_profiles[i].name, name) == 0)
            return &habit_profiles[i];
    return NULL;
}

static uint64_t draw(struct habit *h)
{
    static const uint8_t key[16] = "yaari habits";
    const uint64_t in[3] = {h->seed, h->person, h->draws++};
    uint64_t value;
    uint8_t out[8];

    yr_siphash(out, key, in, sizeof in);
    memcpy(&value, out, sizeof value);
    return value;
}

// Weibull 1/2 with this mean, which is 4.163 medians.
static yr_us around(struct habit *h, yr_us mean)
{
    return YR_MAX(people_stay(draw(h), mean * 1000 / 4163), LEAST);
}

static bool comes(struct habit *h, yr_us at)
{
    return !h->profile.by_day || draw(h) % 1000 < by_hour[(at + PAST + h->zone_us) / HOUR % 24];
}

void habit_next(struct habit *h)
{
    const unsigned p = h->profile.permille;
    yr_us away = h->profile.stay_us * (1000 - p) / p;

    h->there = !h->there;
    if (h->there) {
        h->until += around(h, h->profile.stay_us);
        return;
    }
    if (h->profile.by_day) // some of the times that an absence ends nobody comes
        away = away * BY_DAY_MEAN / 1000;
    do
        h->until += around(h, away);
    while (!comes(h, h->until));
}

void habit_init(struct habit *h, const struct habit_profile *profile, uint64_t seed,
                uint64_t person, yr_us now)
{
    yr_us start = now + PAST; // a week later than it is, since times are never below zero

    *h = (struct habit){.profile = *profile, .seed = seed, .person = person};
    h->zone_us = draw(h) % (3 * HOUR);
    h->there = draw(h) % 1000 < profile->permille;
    h->until = now;
    while (h->until <= start)
        habit_next(h);
    h->until -= PAST;
}
