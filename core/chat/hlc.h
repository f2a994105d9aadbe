/* core/chat/hlc.h: the hybrid logical clock of a conversation: 48-bit milliseconds, 16-bit counter.
 * It follows the wall clock, never goes back, and lets nobody else carry it far ahead.
 * docs/protocol.md "Messages". */
#ifndef YR_HLC_H
#define YR_HLC_H

#include "core/base/base.h"

#define YR_HLC_MAX ((uint64_t)INT64_MAX) /* of our own; a received one may be anything */

/** The value of something said now, when `last` is the highest of this clock: always above it
 *  (until YR_HLC_MAX, which no clock reaches). */
uint64_t yr_hlc_next(uint64_t last, yr_ms wall_ms);

/** `last` after a received value: not more than YR_CLOCK_SKEW_MS past our wall clock because of it.
 */
uint64_t yr_hlc_seen(uint64_t last, uint64_t received, yr_ms wall_ms);

/** The time a value tells, for display; not past the year 9999, whatever was received. */
yr_ms yr_hlc_time(uint64_t hlc);

#endif
