/* core/delivery/habit.h: at which hours of the day a friend is there, as far as we saw it: who will
 * meet the one a letter is for?
 *
 * For each hour of the day (UTC) the part of the days on which the friend was linked at some time
 * in it; the last days count most.  Hours in which we were not there ourselves say nothing. */
#ifndef YR_HABIT_H
#define YR_HABIT_H

#include "core/base/bytes.h"

#define YR_HABIT_HOURS 24

struct yr_habit {
    uint32_t at;                  /* hours since 1970: up to here it is known */
    bool seen;                    /* in the hour `at` */
    uint8_t part[YR_HABIT_HOURS]; /* of 255 */
    bool changed;                 /* since it was written down */
    uint32_t kept;                /* hours since 1970 of that */
};

/** Nothing is known: one hour in four. */
void yr_habit_init(struct yr_habit *habit, yr_ms wall_ms);
/** Until now the friend was linked, or was not.  A clock that leaps has nothing counted. */
void yr_habit_note(struct yr_habit *habit, yr_ms wall_ms, bool linked);
/** Of the hours in which `who` is there, in how many is `with`?  0..1 */
double yr_habit_meets(const struct yr_habit *who, const struct yr_habit *with);

#define YR_HABIT_ROW_LEN (1 + YR_HABIT_HOURS)
void yr_habit_encode(uint8_t out[YR_HABIT_ROW_LEN], const struct yr_habit *habit);
/** What was known; nothing of it is of now.  Total.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_habit_decode(struct yr_habit *out, yr_ms wall_ms, const void *src,
                                        size_t len);

#endif
