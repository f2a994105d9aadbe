#include "core/delivery/habit.h"

#define ROW_VERSION 1
#define START       64       // of 255
#define DECAY       8        // a day counts for so much less than the next: about a week is seen
#define LEAP_HOURS  (7 * 24) // nobody was away from all wakings for longer

static uint32_t hour_of(yr_ms wall_ms)
{
    return (uint32_t)(YR_MAX(wall_ms, (yr_ms)0) / 3600000 & UINT32_MAX);
}

void yr_habit_init(struct yr_habit *habit, yr_ms wall_ms)
{
    memset(habit, 0, sizeof *habit);
    habit->at = hour_of(wall_ms);
    memset(habit->part, START, sizeof habit->part);
}

static void fold(struct yr_habit *habit)
{
    uint8_t *part = &habit->part[habit->at % YR_HABIT_HOURS];
    const int to = habit->seen ? 255 : 0, by = (to - *part) / DECAY;

    // The last steps are too small for a division.
    *part = (uint8_t)(by != 0 ? *part + by : to > *part ? *part + 1 : to < *part ? *part - 1 : to);
    habit->changed = true;
}

void yr_habit_note(struct yr_habit *habit, yr_ms wall_ms, bool linked)
{
    const uint32_t now = hour_of(wall_ms);

    if (now < habit->at || now - habit->at > LEAP_HOURS) {
        habit->at = now;
        habit->seen = linked;
        return;
    }
    habit->seen |= linked;
    while (habit->at < now) {
        fold(habit);
        habit->at++;
        habit->seen = linked;
    }
}

double yr_habit_meets(const struct yr_habit *who, const struct yr_habit *with)
{
    double both = 0, all = 0;

    for (size_t i = 0; i < YR_HABIT_HOURS; i++) {
        both += (double)who->part[i] * with->part[i] / 255;
        all += who->part[i];
    }
    return all > 0 ? both / all : 0;
}

void yr_habit_encode(uint8_t out[YR_HABIT_ROW_LEN], const struct yr_habit *habit)
{
    out[0] = ROW_VERSION;
    memcpy(out + 1, habit->part, sizeof habit->part);
}

enum yr_err yr_habit_decode(struct yr_habit *out, yr_ms wall_ms, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_habit read;

    yr_habit_init(&read, wall_ms);
    if (yr_rd_u8(&rd) != ROW_VERSION)
        return YR_EPROTO;
    yr_rd_copy(&rd, read.part, sizeof read.part);
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    *out = read;
    return YR_OK;
}
