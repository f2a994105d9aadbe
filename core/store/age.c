#include "core/store/age.h"

#define AGE_SUFFIX  "age"
#define AGE_VERSION 1
#define AGE_LEAP_MS (2 * YR_DAY_MS)
#define AGE_KEEP_MS (YR_DAY_MS / 24) /* that a crash may take back */

enum yr_err yr_age_load(struct yr_age *age, struct yr_rows *rows, struct yr_now now)
{
    uint8_t row[128];
    size_t len;
    enum yr_err err = yr_rows_get(rows, YR_TABLE_SELF, NULL, 0, AGE_SUFFIX, sizeof AGE_SUFFIX - 1,
                                  row, sizeof row, &len);
    struct yr_rd rd;

    age->from_us = now.mono_us;
    age->ms = now.wall_ms;
    age->kept_ms = 0;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    if (yr_rd_u8(&rd) != AGE_VERSION)
        return YR_ECORRUPT;
    age->kept_ms = (yr_ms)yr_rd_u64(&rd);
    if (!yr_rd_done(&rd) || age->kept_ms < 0 || age->kept_ms > INT64_MAX - AGE_LEAP_MS)
        return YR_ECORRUPT;
    age->ms = YR_MAX(age->ms, age->kept_ms);
    age->ms = YR_MIN(age->ms, age->kept_ms + AGE_LEAP_MS);
    return YR_OK;
}

yr_ms yr_age_ms(const struct yr_age *age, struct yr_now now)
{
    return age->ms + (yr_ms)((now.mono_us - age->from_us) / YR_MS);
}

void yr_age_flush(struct yr_age *age, struct yr_rows *rows, struct yr_now now)
{
    const yr_ms now_ms = YR_MAX(yr_age_ms(age, now), (yr_ms)0);
    uint8_t row[1 + 8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    if (age->kept_ms != 0 && now_ms - age->kept_ms < AGE_KEEP_MS)
        return;
    yr_wr_u8(&wr, AGE_VERSION);
    yr_wr_u64(&wr, (uint64_t)now_ms);
    yr_rows_put(rows, YR_TABLE_SELF, NULL, 0, AGE_SUFFIX, sizeof AGE_SUFFIX - 1, row,
                yr_wr_len(&wr));
    age->kept_ms = now_ms;
}
