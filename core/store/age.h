/* core/store/age.h: the clock by which what is kept grows old.
 *
 * It runs with the monotonic clock, and at a start it follows the wall clock, but never back and
 * never by more than two days: a clock that is years ahead for a moment must not delete what is
 * still needed.  The price is that a node that was off for long keeps old things longer. */
#ifndef YR_AGE_H
#define YR_AGE_H

#include "core/store/rows.h"

struct yr_age {
    yr_us from_us; /* when the clock was ... */
    yr_ms ms;      /* ... this */
    yr_ms kept_ms; /* as its row has it; 0: there is none */
};

/** Errors: YR_ECORRUPT; YR_EIO; YR_ENOMEM; YR_ELOCKED. */
YR_MUST_USE enum yr_err yr_age_load(struct yr_age *age, struct yr_rows *rows, struct yr_now now);
/** Milliseconds; never less than before in one life of the node. */
yr_ms yr_age_ms(const struct yr_age *age, struct yr_now now);
/** Write it down, unless that was done within the hour. */
void yr_age_flush(struct yr_age *age, struct yr_rows *rows, struct yr_now now);

#endif
