/* core/node/daily.c: what is done once a day, also by a node that is never up for one: the key of
 * the erasable rows is rotated, so that what was deleted cannot be read again, and keys past their
 * time go. */
#include "core/node/state.h"

#define START_US (60 * YR_S) /* not in the middle of everything else that happens at a start */
#define ROW_KEY  "daily"

enum yr_err yr_daily_load(struct yr_node *n)
{
    uint8_t row[8];
    struct yr_rd rd;
    size_t len;
    yr_ms since_ms;
    enum yr_err err = yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_KEY, sizeof ROW_KEY - 1, row,
                                  sizeof row, &len);

    n->rotate_us = n->now.mono_us + START_US;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    since_ms = n->now.wall_ms - (yr_ms)yr_rd_u64(&rd);
    if (!yr_rd_done(&rd))
        return YR_ECORRUPT;
    if (since_ms >= 0 && since_ms < YR_DAY_MS) // else a day has passed, or the clock was set back
        n->rotate_us += (yr_us)(YR_DAY_MS - since_ms) * YR_MS;
    return YR_OK;
}

void yr_daily_tick(struct yr_node *n)
{
    uint8_t row[8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    if (n->rotate_us > n->now.mono_us)
        return;
    n->rotate_us = n->now.mono_us + YR_DAY_S * YR_S;
    yr_wr_u64(&wr, (uint64_t)n->now.wall_ms);
    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_KEY, sizeof ROW_KEY - 1, row, sizeof row);
    yr_delivery_daily(n->delivery, n->now);
    (void)!yr_rows_rotate(n->rows); // one that cannot start now does so tomorrow
}
