#include "core/chat/hlc.h"

#include "core/limits.h"

#define COUNTER_BITS 16
#define LATEST_MS    INT64_C(253402300799999) /* 9999-12-31 23:59:59.999 UTC */

static uint64_t from_wall(yr_ms wall_ms)
{
    const yr_ms clamped = wall_ms < 0 ? 0 : YR_MIN(wall_ms, LATEST_MS);

    return YR_MIN((uint64_t)clamped << COUNTER_BITS, YR_HLC_MAX);
}

uint64_t yr_hlc_next(uint64_t last, yr_ms wall_ms)
{
    const uint64_t wall = from_wall(wall_ms);

    if (wall > last)
        return wall;
    return last < YR_HLC_MAX ? last + 1 : YR_HLC_MAX;
}

uint64_t yr_hlc_seen(uint64_t last, uint64_t received, yr_ms wall_ms)
{
    const yr_ms clamped = YR_MIN(wall_ms, LATEST_MS - YR_CLOCK_SKEW_MS);
    const uint64_t bound = from_wall(clamped + YR_CLOCK_SKEW_MS);

    return YR_MAX(last, YR_MIN(received, bound));
}

yr_ms yr_hlc_time(uint64_t hlc)
{
    return YR_MIN((yr_ms)(hlc >> COUNTER_BITS), LATEST_MS);
}
