/* net/alarm.h: the clock a node lives by, and the one alarm it sets.
 *
 * The monotonic clock is CLOCK_BOOTTIME: it counts suspended time.  When a laptop wakes up, every
 * deadline that passed meanwhile is due at once, so that links whose friends have long given up are
 * closed and dialled anew in that moment, and not after another idle timeout.
 *
 * The alarm is a timerfd, not a uv_timer: those count whole milliseconds from the loop's idea of
 * now, and QUIC's pacing and acknowledgement timers want better. */
#ifndef YR_ALARM_H
#define YR_ALARM_H

#include <uv.h>

#include "yaari/error.h"

/** The moment it is now. */
struct yr_now yr_clock_now(void);

/** How long the machine has been suspended since it started, in microseconds. */
yr_us yr_clock_slept(void);

struct yr_alarm;

/** *out owned by the caller.  Errors: YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_alarm_open(struct yr_alarm **out, uv_loop_t *loop,
                                      void (*on_alarm)(void *ctx), void *ctx);
/** Go off once at `at`, at once if that is past; YR_NEVER: not at all.  Replaces what was set. */
void yr_alarm_set(struct yr_alarm *alarm, yr_us at);
/** NULL is fine: on_closed at once.  on_closed may be NULL. */
void yr_alarm_close(struct yr_alarm *alarm, void (*on_closed)(void *ctx), void *ctx);

#endif
