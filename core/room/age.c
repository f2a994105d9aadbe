/* The clock by which keys of rooms grow old.  It runs with the monotonic clock, and at a start it
 * follows the wall clock, but never back and never by more than AGE_LEAP_MS: a clock that is years
 * ahead for a moment must not delete what is still needed.  The price is that a node that was off
 * for long keeps old keys longer. */
#include "core/room/state.h"

#define AGE_SUFFIX  "age"
#define AGE_VERSION 1
#define AGE_LEAP_MS (2 * YR_DAY_MS)
#define AGE_KEEP_MS (YR_DAY_MS / 24) /* that a crash may take back */

enum yr_err yr_rooms_age_load(struct yr_rooms *rooms)
{
    uint8_t row[128];
    size_t len;
    enum yr_err err = yr_rows_get(rooms->rows, YR_TABLE_SELF, NULL, 0, AGE_SUFFIX,
                                  sizeof AGE_SUFFIX - 1, row, sizeof row, &len);
    struct yr_rd rd;

    rooms->age_from_us = rooms->now.mono_us;
    rooms->age_ms = rooms->now.wall_ms;
    rooms->age_kept_ms = 0;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    if (yr_rd_u8(&rd) != AGE_VERSION)
        return YR_ECORRUPT;
    rooms->age_kept_ms = (yr_ms)yr_rd_u64(&rd);
    if (!yr_rd_done(&rd) || rooms->age_kept_ms < 0 || rooms->age_kept_ms > INT64_MAX - AGE_LEAP_MS)
        return YR_ECORRUPT;
    rooms->age_ms = YR_MAX(rooms->age_ms, rooms->age_kept_ms);
    rooms->age_ms = YR_MIN(rooms->age_ms, rooms->age_kept_ms + AGE_LEAP_MS);
    return YR_OK;
}

yr_ms yr_rooms_age(const struct yr_rooms *rooms)
{
    return rooms->age_ms + (yr_ms)((rooms->now.mono_us - rooms->age_from_us) / YR_MS);
}

void yr_rooms_age_flush(struct yr_rooms *rooms)
{
    const yr_ms now_ms = YR_MAX(yr_rooms_age(rooms), (yr_ms)0);
    uint8_t row[1 + 8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    if (rooms->count == 0 || (rooms->age_kept_ms != 0 && now_ms - rooms->age_kept_ms < AGE_KEEP_MS))
        return;
    yr_wr_u8(&wr, AGE_VERSION);
    yr_wr_u64(&wr, (uint64_t)now_ms);
    yr_rows_put(rooms->rows, YR_TABLE_SELF, NULL, 0, AGE_SUFFIX, sizeof AGE_SUFFIX - 1, row,
                yr_wr_len(&wr));
    rooms->age_kept_ms = now_ms;
}
