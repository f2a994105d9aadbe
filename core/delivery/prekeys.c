/* core/delivery/prekeys.c: what a session begins with while one of the two is away (B.7).
 *
 *     made --told--> offered --used by the friend--> dies a day later
 *                        '--another is made---> dies three weeks after it was made
 *
 * Ids rise for ever, also where a store was set back: they follow the clock.  So of two prekeys,
 * and of two sessions that a friend began, we know which is the newer one. */
#include "core/delivery/delivery_state.h"

static uint32_t wall_s(struct yr_now now)
{
    return (uint32_t)YR_MIN((uint64_t)YR_MAX(now.wall_ms, 0) / 1000, (uint64_t)UINT32_MAX / 2);
}

static void push_own(struct yr_box *b, const struct yr_prekey_own *key, uint64_t now_s)
{
    if (b->own_count == YR_PREKEYS_MAX)
        b->own_count--; // the oldest is last
    memmove(&b->own[1], &b->own[0], b->own_count * sizeof b->own[0]);
    b->own[0] = (struct yr_own_prekey){.key = *key, .made_s = now_s};
    b->own_count++;
    b->own_last = YR_MAX(b->own_last, key->id);
    b->prekeys_dirty = true;
}

void yr_delivery_own_prekey(struct yr_delivery *d, struct yr_now now, unsigned slot,
                            const struct yr_prekey_own *prekey)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b != NULL)
        push_own(b, prekey, yr_age_s(d, now));
}

// The last two: made while our clock was wrong.
static bool is_stale(const struct yr_own_prekey *own, uint32_t now_s, uint64_t age_s)
{
    const uint32_t left_s = (YR_PREKEY_DAYS - YR_PREKEY_RENEW_DAYS) * YR_DAY_S;

    return own->used_s != 0 || own->made_s + YR_PREKEY_RENEW_DAYS * YR_DAY_S < age_s ||
           own->key.exp_s < now_s + left_s || own->key.exp_s > now_s + YR_PREKEY_DAYS * YR_DAY_S;
}

struct yr_own_prekey *yr_prekeys_make(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                                      bool always, bool *fresh)
{
    const uint64_t age_s = yr_age_s(d, now);
    const uint32_t now_s = wall_s(now);
    struct yr_prekey_own made;

    *fresh = always || b->own_count == 0 || is_stale(&b->own[0], now_s, age_s);
    if (*fresh) {
        yr_prekey_new(&made, YR_MAX(b->own_last + 1, now_s), now_s + YR_PREKEY_DAYS * YR_DAY_S,
                      d->rng);
        push_own(b, &made, age_s);
        yr_wipe(&made, sizeof made);
    }
    return &b->own[0];
}

enum yr_err yr_delivery_prekey(struct yr_delivery *d, struct yr_now now, unsigned slot,
                               struct yr_prekey *out, bool *fresh)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return YR_ENOFRIEND;
    yr_prekey_public(out, &yr_prekeys_make(d, b, now, false, fresh)->key);
    return YR_OK;
}

static bool is_dead(const struct yr_own_prekey *own, uint64_t age_s)
{
    return own->used_s != 0 ? own->used_s + YR_PREKEY_USED_S < age_s
                            : own->made_s + YR_PREKEY_DAYS * YR_DAY_S < age_s;
}

struct yr_own_prekey *yr_prekeys_find(const struct yr_delivery *d, struct yr_box *b,
                                      struct yr_now now, uint32_t id)
{
    const uint64_t age_s = yr_age_s(d, now);

    for (size_t i = 0; i < b->own_count; i++)
        if (b->own[i].key.id == id && !is_dead(&b->own[i], age_s))
            return &b->own[i];
    return NULL;
}

/* ---- the friend's ---- */

bool yr_prekeys_theirs(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now)
{
    return b->has_theirs && yr_age_s(d, now) < b->theirs_until_s;
}

bool yr_prekeys_newer(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now,
                      const struct yr_prekey *prekey)
{
    return !yr_prekeys_theirs(d, b, now) || prekey->id > b->theirs.id;
}

// Its time is told by the friend's clock: one that cannot be right by ours is not believed.
void yr_prekeys_take(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                     const struct yr_prekey *prekey)
{
    const uint32_t now_s = wall_s(now), life_s = YR_PREKEY_DAYS * YR_DAY_S;
    const bool sane = prekey->exp_s > now_s && prekey->exp_s - now_s <= life_s;

    b->theirs = *prekey;
    b->has_theirs = true;
    b->theirs_until_s = yr_age_s(d, now) + (sane ? prekey->exp_s - now_s : life_s);
    b->prekeys_dirty = true;
}

void yr_delivery_their_prekey(struct yr_delivery *d, struct yr_now now, unsigned slot,
                              const struct yr_prekey *prekey)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b != NULL && yr_prekeys_newer(d, b, now, prekey)) // it may be an old letter
        yr_prekeys_take(d, b, now, prekey);
}

/* ---- time ---- */

static void forget_known(struct yr_box *b, uint32_t prekey)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->known_count; i++)
        if (b->known[i].prekey != prekey)
            b->known[kept++] = b->known[i];
    b->known_count = kept;
}

// The newest stays if nobody has used it.
void yr_prekeys_expire(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    const uint64_t age_s = yr_age_s(d, now);
    size_t kept = 0;

    for (size_t i = 0; i < b->own_count; i++) {
        if ((i == 0 && b->own[i].used_s == 0) || !is_dead(&b->own[i], age_s)) {
            b->own[kept++] = b->own[i];
            continue;
        }
        forget_known(b, b->own[i].key.id);
        b->prekeys_dirty = true;
    }
    yr_wipe(b->own + kept, (b->own_count - kept) * sizeof b->own[0]);
    b->own_count = kept;
}
