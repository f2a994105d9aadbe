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

// Of what is left with others: a day that the friend has told them, which it does for so many from
// the last on that it has opened (our clock may be far from its own), or did before it left.
uint32_t yr_days_post(const struct yr_box *b, struct yr_now now)
{
    const uint32_t told = YR_MAX(b->acked_day + YR_MAIL_DAYS - 2, b->timekey.day);
    const uint32_t begun = b->timekey.day + YR_TIMEKEY_DAYS, send = yr_days_send(b, now);

    // A new pair's count begins where nothing has been opened yet: see yr_delivery_meet.
    if (today(now) > told && b->acked_day == begun && b->heard_day < begun &&
        b->sent_day <= begun + YR_MAIL_DAYS - 2)
        return YR_MIN(send, b->timekey.day + YR_MAIL_DAYS - 2);
    return YR_MIN(send, told);
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

void yr_days_heard(struct yr_delivery *d, struct yr_box *b, uint32_t day)
{
    if (day <= b->heard_day)
        return;
    b->heard_day = day;
    b->days_dirty = true;
    yr_days_forget(b);
    yr_days_stale(d, b);
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
    const uint32_t guess = clamp(today(now), b->timekey.day, b->timekey.day + YR_TIMEKEY_REACH);

    if (!may_search(b, now))
        return YR_ENOENT;
    if (try_day(b, guess, tag) || try_day(b, guess + 1, tag) ||
        (guess > 0 && try_day(b, guess - 1, tag)))
        return YR_OK;
    for (uint32_t i = 0; i <= YR_TIMEKEY_REACH; i++)
        if (try_day(b, b->timekey.day + i, tag))
            return YR_OK;
    return YR_ENOENT;
}

// Our store was set back by months, and the friend is further on than we reach.  Over its own link
// we go after it, for good: nobody else can make a tag of the pair's, and what was sent under days
// that are no more is sent again.
static bool catch_up(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                     const uint8_t tag[16])
{
    const uint8_t dir = (uint8_t)(1 - b->out_dir);
    struct yr_timekey at = b->timekey;
    uint8_t env[32], theirs[16];
    bool hit = false;
    uint32_t day;

    if (now.mono_us < b->catch_us || at.day > UINT32_MAX / 2)
        return false;
    b->catch_us = now.mono_us + YR_TIMEKEY_CATCH_S * YR_S;
    for (uint32_t i = 0; i < YR_TIMEKEY_CATCH && !hit; i++)
        hit = yr_timekey_advance(&at, at.day + 1) == YR_OK &&
              yr_envelope_keys(&at, dir, at.day, env, theirs) == YR_OK &&
              yr_equal(theirs, tag, sizeof theirs);
    day = at.day - YR_TIMEKEY_DAYS;
    while (hit && b->timekey.day < day)
        hit = yr_timekey_advance(&b->timekey, YR_MIN(day, b->timekey.day + YR_TIMEKEY_REACH)) ==
              YR_OK;
    yr_wipe(env, sizeof env);
    if (hit) {
        b->sent_day = YR_MAX(b->sent_day, b->timekey.day);
        b->acked_day = YR_MAX(b->acked_day, b->timekey.day);
        b->days_dirty = true;
        b->out_keys.valid = b->in_keys.valid = false;
        for (size_t i = 0; i < b->count; i++)
            yr_box_at(b, i)->sent = false;
        b->note.sent = false;
        yr_days_stale(d, b);
        hit = yr_days_use(b, &b->in_keys, dir, at.day);
    } else {
        yr_resets_answer(b, now); // it may be the one that was set back, and goes after us then
    }
    yr_wipe(&at, sizeof at);
    return hit;
}

/* ---- the tags of all friends ---- */

// Whoever keeps mail for us chooses what he asks about, a friend chooses nothing of its tags.
static uint64_t tag_key(const struct yr_delivery *d, const uint8_t tag[16])
{
    uint8_t hash[8];
    struct yr_rd rd;
    uint64_t key;

    yr_siphash(hash, d->tags_secret, tag, 16);
    rd = yr_rd_init(hash, sizeof hash);
    key = yr_rd_u64(&rd);
    return key != 0 ? key : 1;
}

void yr_days_stale(struct yr_delivery *d, struct yr_box *b)
{
    b->tags_stale = d->tags_stale = true;
}

void yr_days_clear(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->tag_count; i++) {
        const uint64_t key = tag_key(d, b->tags[i].tag);
        if (yr_map_get(&d->tags, key) == &b->tags[i])
            yr_map_del(&d->tags, key);
    }
    yr_free(d->mem, b->tags);
    b->tags = NULL;
    b->tag_count = 0;
}

// Which days may what comes be under?  Those of the last fortnight, and those for which tags are
// registered; the same by the friend's clock if that is another.
static bool expected(const struct yr_box *b, uint32_t today_, uint32_t day)
{
    return (day + YR_TIMEKEY_DAYS >= today_ && day < today_ + YR_MAIL_DAYS) ||
           (day + YR_TIMEKEY_DAYS >= b->heard_day && day < b->heard_day + YR_MAIL_DAYS);
}

static void work_out(struct yr_delivery *d, struct yr_box *b, unsigned slot)
{
    const uint32_t now_day = d->tags_day;
    struct yr_timekey at = b->timekey;
    struct yr_day_tag *tags = yr_alloc(d->mem, YR_MEM_CHAT, YR_DAY_TAGS * sizeof *tags), *fit;
    uint8_t env[32];
    size_t count = 0;

    if (tags == NULL)
        return; // such a friend's mail is searched for, or waits
    for (uint32_t i = 0; i <= YR_TIMEKEY_REACH && count < YR_DAY_TAGS; i++) {
        const uint32_t day = b->timekey.day + i;
        if (!expected(b, now_day, day) || yr_timekey_advance(&at, day) != YR_OK ||
            yr_envelope_keys(&at, (uint8_t)(1 - b->out_dir), day, env, tags[count].tag) != YR_OK)
            continue;
        tags[count].slot = slot;
        tags[count++].day = day;
    }
    yr_wipe(env, sizeof env);
    yr_wipe(&at, sizeof at);
    if ((fit = yr_realloc(d->mem, YR_MEM_CHAT, tags, YR_MAX(count, 1) * sizeof *tags)) != NULL)
        tags = fit;
    b->tags = tags;
    b->tag_count = count;
    for (size_t i = 0; i < count; i++)
        (void)!yr_map_put(&d->tags, tag_key(d, tags[i].tag), &tags[i]);
}

void yr_days_refresh(struct yr_delivery *d, struct yr_now now)
{
    const uint32_t day = today(now);
    const bool passed = day != d->tags_day;

    if (!d->tags_stale && !passed)
        return;
    d->tags_stale = false;
    d->tags_day = day;
    d->tags_version++;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b == NULL || (!b->tags_stale && !passed))
            continue;
        b->tags_stale = false;
        yr_days_clear(d, b);
        work_out(d, b, slot);
    }
}

enum yr_err yr_delivery_author(struct yr_delivery *d, struct yr_now now, unsigned link,
                               const uint8_t tag[16], bool search, unsigned *author)
{
    struct yr_box *b = yr_box_of(d, link);
    const struct yr_day_tag *hit;
    enum yr_err err;

    if (b != NULL && b->in_keys.valid && yr_equal(b->in_keys.tag, tag, 16)) {
        *author = link;
        return YR_OK;
    }
    yr_days_refresh(d, now);
    hit = yr_map_get(&d->tags, tag_key(d, tag));
    if (hit != NULL && yr_equal(hit->tag, tag, 16) && (b = d->boxes[hit->slot]) != NULL &&
        yr_days_use(b, &b->in_keys, (uint8_t)(1 - b->out_dir), hit->day)) {
        *author = hit->slot;
        return YR_OK;
    }
    b = yr_box_of(d, link);
    if (b == NULL || !search)
        return YR_ENOENT;
    err = yr_days_find(b, now, tag);
    if (err == YR_ENOENT && catch_up(d, b, now, tag))
        err = YR_OK;
    if (err == YR_OK)
        *author = link;
    else
        d->counters[YR_ENV_N_DROP_TAG]++;
    return err;
}

static const struct yr_day_tag *tag_of(const struct yr_box *b, uint32_t day)
{
    for (size_t i = 0; i < b->tag_count; i++)
        if (b->tags[i].day == day)
            return &b->tags[i];
    return NULL;
}

size_t yr_delivery_tags(struct yr_delivery *d, struct yr_now now, unsigned slot, uint32_t day,
                        uint8_t out[2][16])
{
    const struct yr_box *b = yr_box_of(d, slot);
    const struct yr_day_tag *tag;
    size_t count = 0;

    if (b == NULL)
        return 0;
    yr_days_refresh(d, now);
    if ((tag = tag_of(b, day)) != NULL)
        memcpy(out[count++], tag->tag, 16);
    // As far as its clock was off when it sent last; if it only was silent since, this costs a tag.
    const uint32_t shifted = day - d->tags_day + b->heard_day;
    if (shifted - day + 1 > 2 && (tag = tag_of(b, shifted)) != NULL)
        memcpy(out[count++], tag->tag, 16);
    return count;
}

uint64_t yr_delivery_tags_version(const struct yr_delivery *d)
{
    return d->tags_version + d->tags_stale;
}
