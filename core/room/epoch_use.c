#include "core/room/epoch_state.h"

/* ---- the membership ---- */

static const uint8_t *membership_now(struct yr_epochs *s)
{
    if (s->ops != yr_authority_count(s->authority)) {
        yr_authority_membership(s->authority, s->membership);
        s->ops = yr_authority_count(s->authority);
    }
    return s->membership;
}

bool yr_epoch_current(struct yr_epochs *s, const struct yr_epoch *e)
{
    return e->whole && memcmp(e->membership, membership_now(s), YR_HASH_LEN) == 0;
}

static bool comes_after(const struct yr_epoch *a, const struct yr_epoch *b)
{
    if (a->depth != b->depth)
        return a->depth > b->depth;
    if (a->generation != b->generation)
        return a->generation > b->generation;
    return memcmp(a->id, b->id, sizeof a->id) > 0;
}

struct yr_epoch *yr_epoch_best(struct yr_epochs *s, bool ours)
{
    struct yr_epoch *best = NULL;

    for (size_t i = 0; i < s->count; i++) {
        struct yr_epoch *e = s->list[i];

        if ((best == NULL || comes_after(e, best)) && (!ours || (e->open && e->own)) &&
            yr_epoch_current(s, e))
            best = e;
    }
    return best;
}

enum yr_err yr_epoch_members(struct yr_epochs *s, const uint8_t (*ids)[YR_REC_ID_LEN],
                             size_t id_count, struct yr_room_member **out, size_t *count)
{
    struct yr_room_member *members =
        yr_alloc(s->mem, YR_MEM_ROOM, YR_ROOM_MEMBERS_MAX * sizeof *members);
    enum yr_err err;

    if (members == NULL)
        return YR_ENOMEM;
    *count = YR_ROOM_MEMBERS_MAX;
    err = id_count == 0 ? yr_authority_members(s->authority, members, count)
                        : yr_authority_members_at(s->authority, ids, id_count, members, count);
    if (err != YR_OK) {
        yr_free(s->mem, members);
        return err;
    }
    *out = members;
    return YR_OK;
}

/* ---- which epoch ---- */

bool yr_epochs_opened(struct yr_epochs *s, uint8_t id[YR_EPOCH_ID_LEN])
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->list[i]->announce)
            continue;
        s->list[i]->announce = false;
        memcpy(id, s->list[i]->id, YR_EPOCH_ID_LEN);
        return true;
    }
    return false;
}

bool yr_epochs_readable(const struct yr_epochs *s, const uint8_t id[YR_EPOCH_ID_LEN])
{
    const struct yr_epoch *e = yr_epoch_find(s, id);

    return e != NULL && yr_epoch_readable(e);
}

// In rooms with history a key of the epoch is kept as long as that, and what it grants is at most
// twice as much.
static uint64_t lifetime_ms(const struct yr_epochs *s)
{
    const unsigned days = s->hist_days > 0 ? YR_MIN(s->hist_days, (unsigned)YR_ROOM_EPOCH_DAYS)
                                           : (unsigned)YR_ROOM_EPOCH_DAYS;

    return days * (uint64_t)YR_DAY_MS;
}

static bool passed(uint64_t since_ms, uint64_t now_ms, uint64_t span_ms)
{
    return now_ms >= since_ms && now_ms - since_ms >= span_ms;
}

static bool is_due(struct yr_epochs *s, struct yr_epoch *e, uint64_t now_ms)
{
    if (passed(e->seen_ms, now_ms, lifetime_ms(s)))
        return true;
    return yr_epoch_count(s, e) == YR_OK && e->count >= YR_ROOM_EPOCH_MESSAGES;
}

void yr_epochs_choose(struct yr_epochs *s, yr_ms now_ms, struct yr_epoch_choice *out)
{
    struct yr_epoch *best = yr_epoch_best(s, false), *ours = yr_epoch_best(s, true);

    memset(out, 0, sizeof *out);
    out->state = YR_EPOCH_NONE;
    if (best == NULL)
        return;
    memcpy(out->best, best->id, sizeof out->best);
    out->usable = ours != NULL;
    if (ours != NULL)
        memcpy(out->id, ours->id, sizeof out->id);
    if (ours != best)
        out->state = YR_EPOCH_BEHIND;
    else
        out->state = is_due(s, ours, (uint64_t)now_ms) ? YR_EPOCH_DUE : YR_EPOCH_READY;
}

bool yr_epochs_may_rekey(const struct yr_epochs *s, yr_ms now_ms)
{
    const uint64_t now = (uint64_t)now_ms;
    size_t today = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct yr_epoch *e = s->list[i];

        if (e->added || memcmp(e->author, s->self, YR_MID_LEN) != 0 ||
            passed(e->seen_ms, now, YR_DAY_MS))
            continue;
        if (!passed(e->seen_ms, now, YR_ROOM_REKEY_S * 1000))
            return false;
        today++;
    }
    return today < YR_ROOM_REKEYS_DAY;
}

yr_ms yr_epoch_delay_ms(size_t members, uint64_t random)
{
    unsigned slots = 1, back = 0;

    while (members >> (slots - 1) > 1 && slots < 16)
        slots++;
    while (back + 1 < slots && (random >> back & 1) != 0)
        back++;
    return (yr_ms)(back + 1 == slots ? 0 : slots - 1 - back) * YR_ROOM_REKEY_SLOT_MS +
           (yr_ms)((random >> 16) % YR_ROOM_REKEY_SLOT_MS);
}

// Was this author answered today?  If not, it is now.
static bool answered(struct yr_epochs *s, const uint8_t author[YR_MID_LEN], uint64_t now_ms)
{
    struct yr_epoch_need *oldest = &s->needs[0];

    for (size_t i = 0; i < YR_COUNT(s->needs); i++) {
        struct yr_epoch_need *need = &s->needs[i];

        if (need->heard_ms != 0 && memcmp(need->mid, author, YR_MID_LEN) == 0) {
            if (!passed(need->heard_ms, now_ms, YR_DAY_MS))
                return true;
            oldest = need;
            break;
        }
        if (need->heard_ms < oldest->heard_ms)
            oldest = need;
    }
    memcpy(oldest->mid, author, YR_MID_LEN);
    oldest->heard_ms = YR_MAX(now_ms, (uint64_t)1);
    return false;
}

yr_ms yr_epochs_answer_ms(struct yr_epochs *s, yr_ms now_ms, const uint8_t author[YR_MID_LEN],
                          const uint8_t id[YR_EPOCH_ID_LEN], uint64_t random)
{
    const struct yr_epoch *ours = yr_epoch_best(s, true);
    const bool staff = yr_authority_rank(s->authority, s->self) >= YR_RANK_MOD;
    size_t count = YR_ROOM_MEMBERS_MAX;
    struct yr_room_member *members;

    if (ours == NULL || ours != yr_epoch_best(s, false) || !yr_epoch_is(ours->id, id) ||
        memcmp(author, s->self, YR_MID_LEN) == 0 || yr_authority_rank(s->authority, author) == 0 ||
        yr_authority_rank(s->authority, s->self) == 0 || answered(s, author, (uint64_t)now_ms))
        return 0;
    if (yr_epoch_members(s, NULL, 0, &members, &count) == YR_OK)
        yr_free(s->mem, members);
    return 1 + yr_epoch_delay_ms(count, random) + (staff ? 0 : YR_ROOM_ANSWER_MS);
}

bool yr_epochs_info(const struct yr_epochs *s, size_t i, struct yr_epoch_info *out)
{
    const struct yr_epoch *e;

    if (i >= s->count)
        return false;
    e = s->list[i];
    memset(out, 0, sizeof *out);
    memcpy(out->id, e->id, sizeof out->id);
    memcpy(out->author, e->author, sizeof out->author);
    out->added = e->added;
    out->readable = yr_epoch_readable(e);
    out->ours = e->open && e->own;
    out->partial = e->partial;
    out->whole = e->whole;
    memcpy(out->maker, e->maker, sizeof out->maker);
    out->depth = e->depth;
    out->generation = e->generation;
    out->seen_ms = (yr_ms)e->seen_ms;
    return true;
}

/* ---- time ---- */

// Delete what is no longer needed of one that another has taken the place of; *gone: all of it.
static enum yr_err age(struct yr_epochs *s, struct yr_epoch *e, uint64_t now_ms, bool *gone)
{
    enum yr_err err;

    *gone = passed(e->superseded_ms, now_ms, YR_ROOM_CHAINS_DAYS * (uint64_t)YR_DAY_MS);
    if (*gone)
        return yr_epoch_delete(s, e);
    if (!e->kept || !passed(e->superseded_ms, now_ms, s->hist_days * (uint64_t)YR_DAY_MS))
        return YR_OK;
    if (!e->open) {
        *gone = true;
        return yr_epoch_delete(s, e);
    }
    if ((err = yr_epoch_del(s, e, YR_EPOCH_KEPT)) != YR_OK)
        return err;
    e->kept = false;
    return yr_epoch_save(s, e);
}

enum yr_err yr_epochs_tick(struct yr_epochs *s, yr_ms now_ms)
{
    const struct yr_epoch *best = yr_epoch_best(s, false), *ours = yr_epoch_best(s, true);
    const uint64_t now = YR_MAX((uint64_t)now_ms, (uint64_t)1);
    enum yr_err err = YR_OK;
    bool gone;

    for (size_t i = 0; i < s->count && err == YR_OK; i += !gone) {
        struct yr_epoch *e = s->list[i];
        const bool used = e == best || e == ours;

        gone = false;
        if (used != (e->superseded_ms == 0) || e->superseded_ms > now || e->seen_ms > now) {
            // a time to come: our clock was wrong, and nothing must wait until it is right
            e->superseded_ms = used ? 0 : now;
            e->seen_ms = YR_MIN(e->seen_ms, now);
            err = yr_epoch_save(s, e);
        }
        if (!used && err == YR_OK)
            err = age(s, e, now, &gone);
    }
    return err;
}

enum yr_err yr_epochs_restart(struct yr_epochs *s)
{
    enum yr_err err = YR_OK;

    for (size_t i = 0; i < s->count && err == YR_OK; i++) {
        if (!s->list[i]->own)
            continue;
        s->list[i]->own = false;
        err = yr_epoch_save(s, s->list[i]);
    }
    return err;
}
