#include "core/delivery/delivery_state.h"

static uint32_t today(struct yr_now now)
{
    const uint64_t day = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000 / YR_DAY_S;

    return day < UINT32_MAX / 2 ? (uint32_t)day : UINT32_MAX / 2;
}

static uint32_t clamp(uint32_t day, uint32_t low, uint32_t high)
{
    return day < low ? low : day > high ? high : day;
}

// A day the friend can derive keys for, whatever our clock says (B.2: a wrong clock destroys
// nothing).  Its oldest day lies YR_TIMEKEY_DAYS before one of ours: at the latest before the last
// we sent, at the earliest before the last we know it has opened.  YR_TIMEKEY_STEP leaves it room
// to lag behind, for both directions come from one chain and it keeps what it has to send with
// itself.
uint32_t yr_days_send(const struct yr_box *b, struct yr_now now)
{
    const uint32_t low = b->sent_day > YR_TIMEKEY_DAYS ? b->sent_day - YR_TIMEKEY_DAYS : 0;
    const uint32_t high = b->acked_day + YR_TIMEKEY_STEP, own = b->timekey.day + YR_TIMEKEY_REACH;

    return clamp(today(now), YR_MAX(low, b->timekey.day), YR_MIN(high, own));
}

// Days too old for any envelope of theirs go, for good; but not those we may have to send with.
void yr_days_forget(struct yr_box *b)
{
    const uint32_t old = b->heard_day > YR_TIMEKEY_DAYS ? b->heard_day - YR_TIMEKEY_DAYS : 0;
    const uint32_t day = YR_MIN(old, b->acked_day + YR_TIMEKEY_STEP);

    if (day <= b->timekey.day || yr_timekey_advance(&b->timekey, day) != YR_OK)
        return;
    b->days_dirty = true;
}

void yr_days_heard(struct yr_box *b, uint32_t day)
{
    if (day <= b->heard_day)
        return;
    b->heard_day = day;
    b->days_dirty = true;
    yr_days_forget(b);
}

bool yr_days_use(const struct yr_box *b, struct yr_day_keys *keys, uint8_t dir, uint32_t day)
{
    if (keys->valid && keys->day == day)
        return true;
    keys->valid = yr_envelope_keys(&b->timekey, dir, day, keys->env, keys->tag) == YR_OK;
    keys->day = day;
    return keys->valid;
}

static bool try_day(struct yr_box *b, uint32_t day, const uint8_t tag[16])
{
    struct yr_day_keys keys = {.valid = false};
    bool hit;

    if (!yr_days_use(b, &keys, (uint8_t)(1 - b->out_dir), day))
        return false;
    hit = yr_equal(keys.tag, tag, sizeof keys.tag);
    if (hit)
        b->in_keys = keys;
    yr_wipe(&keys, sizeof keys);
    return hit;
}

static bool may_search(struct yr_box *b, struct yr_now now)
{
    b->searches += (double)(now.mono_us - b->searches_us) / (double)YR_S;
    b->searches_us = now.mono_us;
    if (b->searches > YR_TIMEKEY_SEARCHES)
        b->searches = YR_TIMEKEY_SEARCHES;
    if (b->searches < 1)
        return false;
    b->searches--;
    return true;
}

// The friend's clock picks the day, and may be wrong by any amount: all that can be derived count.
// An honest one with a wrong clock costs one search a day, for the day found is remembered.
enum yr_err yr_days_find(struct yr_box *b, struct yr_now now, const uint8_t tag[16])
{
    const uint32_t guess =
        clamp(today(now), b->timekey.day, b->timekey.day + YR_TIMEKEY_REACH);

    if (b->in_keys.valid && yr_equal(b->in_keys.tag, tag, 16))
        return YR_OK;
    if (!may_search(b, now))
        return YR_EPROTO;
    if (try_day(b, guess, tag) || try_day(b, guess + 1, tag) ||
        (guess > 0 && try_day(b, guess - 1, tag)))
        return YR_OK;
    for (uint32_t i = 0; i <= YR_TIMEKEY_REACH; i++)
        if (try_day(b, b->timekey.day + i, tag))
            return YR_OK;
    return YR_ENOENT;
}
