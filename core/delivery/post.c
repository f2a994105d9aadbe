/* What is left with friends while the one it is for is away.  docs/protocol.md "Mail" (B.6).
 *
 *     sealed --a holder may be asked--> post made, stored --durable--> asked --CUSTODY--> kept
 *                                        ^                       |--FULL, NO_TAG--> refused
 *                                        '--nobody keeps it any more: a new envelope, another
 * day--'
 *
 * A holder answers for itself: what it says is kept beside the post, and what that is worth ends
 * when its link has been away for long.  Only the friend's own receipt ends a letter. */
#include "core/delivery/delivery_state.h"

#define NOBODY YR_FRIENDS_MAX

yr_ms yr_age_ms_of(const struct yr_delivery *d, struct yr_now now)
{
    if (now.mono_us < d->age->from_us) // nothing has happened yet since it was read
        return YR_MAX(d->age->ms, (yr_ms)0);
    return YR_MAX(yr_age_ms(d->age, now), (yr_ms)0);
}

uint64_t yr_age_s(const struct yr_delivery *d, struct yr_now now)
{
    return (uint64_t)yr_age_ms_of(d, now) / 1000;
}

void yr_posts_look(struct yr_delivery *d, struct yr_box *b, yr_us at_us)
{
    b->post_us = YR_MIN(b->post_us, at_us);
    d->due_us = YR_MIN(d->due_us, at_us);
}

static void look_at_all(struct yr_delivery *d)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (d->boxes[slot] != NULL && d->boxes[slot]->queued > 0 &&
            yr_box_away(d->boxes[slot], d->now))
            yr_posts_look(d, d->boxes[slot], 0);
}

/* ---- posts and their ids ---- */

// Ids are hashes of what we made: nobody chooses where they go.
static uint64_t key_of(const uint8_t eid[YR_HASH16])
{
    struct yr_rd rd = yr_rd_init(eid, 8);
    const uint64_t key = yr_rd_u64(&rd);

    return key != 0 ? key : 1;
}

static struct yr_post *find_post(const struct yr_delivery *d, const uint8_t eid[YR_HASH16])
{
    struct yr_post *post = yr_map_get(&d->posts, key_of(eid));

    return post != NULL && memcmp(post->eid, eid, YR_HASH16) == 0 ? post : NULL;
}

static void unlist(struct yr_delivery *d, const struct yr_post *post)
{
    if (yr_map_get(&d->posts, key_of(post->eid)) == post)
        yr_map_del(&d->posts, key_of(post->eid));
}

void yr_post_free(struct yr_delivery *d, struct yr_letter *l)
{
    if (l->post == NULL)
        return;
    unlist(d, l->post);
    yr_free(d->mem, l->post); // who was asked will say so all the same: d->out still counts it
    l->post = NULL;
}

void yr_post_del(struct yr_delivery *d, const struct yr_box *b, struct yr_letter *l)
{
    uint8_t key[8];

    if (l->post == NULL)
        return;
    yr_letter_key(key, l->order);
    yr_rows_del(d->rows, YR_TABLE_POSTED, b->id, 32, key, sizeof key);
    yr_post_free(d, l);
}

enum yr_err yr_post_enter(struct yr_delivery *d, unsigned slot, struct yr_letter *l,
                          const struct yr_post *read)
{
    struct yr_post *post = yr_alloc(d->mem, YR_MEM_CHAT, sizeof *post);

    if (post == NULL || yr_map_put(&d->posts, key_of(read->eid), post) != YR_OK) {
        yr_free(d->mem, post);
        return YR_ENOMEM;
    }
    *post = *read;
    post->slot = slot;
    l->post = post;
    return YR_OK;
}

bool yr_post_envelope(struct yr_delivery *d, struct yr_box *b, const struct yr_letter *l,
                      size_t *len)
{
    const struct yr_post *post = l->post;

    return yr_days_use(b, &b->out_keys, b->out_dir, post->day) &&
           yr_envelope_seal_again(d->envelope, sizeof d->envelope, len, b->out_keys.env,
                                  b->out_keys.tag, post->exp_s, (enum yr_envelope_kind)l->sealed[0],
                                  l->sealed + 1, l->sealed_len - 1, post->nonce) == YR_OK;
}

/* ---- what holders are worth ---- */

bool yr_posts_linked(const struct yr_delivery *d, unsigned slot)
{
    return slot < YR_FRIENDS_MAX && d->boxes[slot] != NULL && d->boxes[slot]->up;
}

// Age at which this holder's custody is worth nothing any more, unless we hear of it.
uint64_t yr_hold_silent_s(const struct yr_delivery *d, const struct yr_hold *hold)
{
    uint64_t seen_s = hold->since_s;

    if (hold->slot < YR_FRIENDS_MAX && !hold->handed)
        seen_s = YR_MAX(seen_s, d->down_s[hold->slot]);
    return seen_s + YR_POST_SILENT_S;
}

// Age from which on nobody keeps it any more.
uint64_t yr_post_over_s(const struct yr_post *post)
{
    return post->made_s + (uint64_t)YR_ENVELOPE_DAYS * YR_DAY_S;
}

bool yr_hold_live(const struct yr_delivery *d, const struct yr_post *post,
                  const struct yr_hold *hold, uint64_t now_s)
{
    return hold->status == YR_HELD_CUSTODY && now_s < yr_post_over_s(post) &&
           ((!hold->handed && yr_posts_linked(d, hold->slot)) || now_s < yr_hold_silent_s(d, hold));
}

static bool is_holder(const struct yr_delivery *d, const struct yr_hold *hold, unsigned slot)
{
    return memcmp(hold->holder, d->boxes[slot]->id, sizeof hold->holder) == 0;
}

struct yr_hold *yr_post_hold(const struct yr_delivery *d, struct yr_post *post, unsigned slot)
{
    for (size_t i = 0; i < post->count; i++)
        if (is_holder(d, &post->holds[i], slot))
            return &post->holds[i];
    return NULL;
}

// Is there a question about this post on its way to him?  His answer says only which envelope.
bool yr_post_waits(const struct yr_post *post, unsigned via)
{
    for (size_t i = 0; i < post->count; i++)
        if (post->holds[i].via == via)
            return true;
    return false;
}

static void remove_hold(struct yr_post *post, struct yr_hold *hold)
{
    const size_t at = (size_t)(hold - post->holds);

    memmove(hold, hold + 1, (post->count - at - 1) * sizeof *hold);
    post->count--;
}

/* ---- what they still have ---- */

// Ask over this link for what should be there; more of it when this has been answered.
static void ask_over(struct yr_delivery *d, unsigned slot)
{
    uint8_t body[YR_POST_OUT_MAX * YR_HASH16];
    struct yr_hold *asked[YR_POST_OUT_MAX];
    struct yr_wr wr = yr_wr_init(body, sizeof body);
    size_t n = 0;

    d->asks[slot] = false;
    for (unsigned at = 0; at < YR_FRIENDS_MAX; at++) {
        struct yr_box *b = d->boxes[at];
        for (size_t i = 0; b != NULL && i < b->count; i++) {
            struct yr_post *post = yr_box_at(b, i)->post;
            struct yr_hold *hold = post != NULL ? yr_post_hold(d, post, slot) : NULL;
            if (hold == NULL || !hold->ask || yr_post_waits(post, slot))
                continue;
            if (d->out[slot] + n >= YR_POST_OUT_MAX) {
                d->asks[slot] = true;
                break;
            }
            asked[n++] = hold;
            yr_wr_bytes(&wr, post->eid, YR_HASH16);
        }
    }
    if (n == 0 || d->ops.frame(d->ops.ctx, slot, YR_FRAME_MBX_ASK, body, yr_wr_len(&wr)) != YR_OK)
        return; // when there is room
    for (size_t i = 0; i < n; i++) {
        asked[i]->ask = false;
        asked[i]->via = slot;
    }
    d->out[slot] += (unsigned)n;
}

static bool asks_wait(const struct yr_delivery *d, unsigned slot)
{
    return d->asks[slot] && d->out[slot] < YR_POST_OUT_MAX && yr_posts_linked(d, slot);
}

// All that is kept there is to be asked for.
static void ask_all(struct yr_delivery *d, unsigned slot)
{
    for (unsigned at = 0; at < YR_FRIENDS_MAX; at++) {
        struct yr_box *b = d->boxes[at];
        for (size_t i = 0; b != NULL && i < b->count; i++) {
            struct yr_post *post = yr_box_at(b, i)->post;
            struct yr_hold *hold = post != NULL ? yr_post_hold(d, post, slot) : NULL;
            if (hold == NULL)
                continue;
            hold->slot = slot;
            hold->ask = hold->status == YR_HELD_CUSTODY && !hold->handed;
            d->asks[slot] |= hold->ask;
        }
    }
}

static void look_at_doubt(struct yr_delivery *d, unsigned slot)
{
    if (d->doubt_us[slot] == 0)
        return;
    if (d->now.mono_us < d->doubt_us[slot]) {
        d->due_us = YR_MIN(d->due_us, d->doubt_us[slot]);
        return;
    }
    d->doubt_us[slot] = 0;
    d->doubted_us[slot] = d->now.mono_us;
    ask_all(d, slot);
}

// A friend who says so again and again is asked no more often for that.
void yr_delivery_doubt(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    const yr_us last_us = d->doubted_us[slot];

    d->now = now;
    d->doubt_us[slot] =
        last_us == 0 ? now.mono_us : YR_MAX(now.mono_us, last_us + YR_POST_DOUBT_S * YR_S);
    d->due_us = YR_MIN(d->due_us, d->doubt_us[slot]);
}

void yr_delivery_tick(struct yr_delivery *d, struct yr_now now)
{
    d->now = now;
    if (now.mono_us < d->due_us)
        return;
    d->due_us = YR_NEVER;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        look_at_doubt(d, slot);
        if (asks_wait(d, slot))
            ask_over(d, slot);
        if (b != NULL && now.mono_us >= b->post_us)
            yr_posts_leave(d, b, slot);
        else if (b != NULL)
            d->due_us = YR_MIN(d->due_us, b->post_us);
    }
}

yr_us yr_delivery_deadline(const struct yr_delivery *d)
{
    return d->due_us;
}

// The friend was here, or said something of them: who refused may not do so any more.
static void trust_again(struct yr_box *b)
{
    if (b->wary != NULL)
        memset(b->wary, 0, YR_FRIENDS_MAX * sizeof *b->wary);
}

void yr_delivery_holders(struct yr_delivery *d, unsigned slot)
{
    if (yr_box_of(d, slot) == NULL)
        return;
    trust_again(d->boxes[slot]);
    yr_posts_look(d, d->boxes[slot], 0);
}

/* ---- what happens ---- */

// Nothing that was asked over this link is answered over the next one.
static void forget_questions(struct yr_delivery *d, unsigned slot)
{
    for (unsigned at = 0; at < YR_FRIENDS_MAX; at++) {
        struct yr_box *b = d->boxes[at];
        if (b == NULL)
            continue;
        yr_slots_put(b->trying, slot, false);
        yr_slots_put(b->proven, slot, false);
        for (size_t i = 0; i < b->count; i++) {
            struct yr_post *post = yr_box_at(b, i)->post;
            for (size_t k = post != NULL ? post->count : 0; k-- > 0;) {
                struct yr_hold *hold = &post->holds[k];
                if (hold->via != slot)
                    continue;
                hold->via = NOBODY;
                if (hold->status == YR_HELD_ASKED)
                    remove_hold(post, hold);
                yr_posts_look(d, b, 0);
            }
        }
    }
    d->out[slot] = 0;
    d->asks[slot] = false;
    d->doubt_us[slot] = 0;
}

void yr_posts_up(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    d->now = now;
    forget_questions(d, slot);
    ask_all(d, slot);
    if (d->asks[slot])
        d->due_us = 0;
    look_at_all(d);
}

void yr_posts_down(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    struct yr_box *b = d->boxes[slot];

    d->now = now;
    forget_questions(d, slot);
    d->down_s[slot] = yr_age_s(d, now);
    b->lost_us = now.mono_us + YR_POST_PATIENCE_MS * YR_MS;
    trust_again(b);
    if (b->queued > 0)
        yr_posts_look(d, b, b->lost_us);
    for (unsigned at = 0; at < YR_FRIENDS_MAX; at++) // what it keeps is worth less one day
        if (d->boxes[at] != NULL && d->boxes[at]->count > 0)
            yr_posts_look(d, d->boxes[at], now.mono_us + YR_POST_SILENT_S * YR_S);
}

void yr_posts_forget(struct yr_delivery *d, unsigned slot)
{
    forget_questions(d, slot);
    d->down_s[slot] = 0;
    for (unsigned at = 0; at < YR_FRIENDS_MAX; at++) {
        struct yr_box *b = d->boxes[at];
        if (b == NULL || at == slot)
            continue;
        if (b->wary != NULL)
            b->wary[slot] = (struct yr_wary){0};
        for (size_t i = 0; i < b->count; i++) {
            struct yr_post *post = yr_box_at(b, i)->post;
            struct yr_hold *hold = post != NULL ? yr_post_hold(d, post, slot) : NULL;
            if (hold == NULL)
                continue;
            remove_hold(post, hold);
            yr_post_put(d, b, post);
            yr_posts_look(d, b, 0);
        }
    }
}

void yr_posts_release(struct yr_delivery *d)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b == NULL || b->post_token == 0 || b->post_token > d->durable)
            continue;
        b->post_token = 0;
        yr_posts_look(d, b, 0);
    }
}

void yr_posts_room(struct yr_delivery *d, unsigned slot)
{
    if (!yr_posts_linked(d, slot))
        return;
    d->asks[slot] = true;
    d->due_us = 0;
    look_at_all(d);
}

/* ---- what holders say ---- */

// Longer each time: who is away for months is not asked for every quarter of an hour.
static void beware(struct yr_delivery *d, struct yr_box *b, unsigned slot, uint64_t wait_s,
                   uint64_t most_s)
{
    struct yr_wary *w;

    if (b->wary == NULL)
        b->wary = yr_alloc(d->mem, YR_MEM_CHAT, YR_FRIENDS_MAX * sizeof *b->wary);
    if (b->wary == NULL)
        return;
    w = &b->wary[slot];
    w->until_us = d->now.mono_us + YR_MIN(wait_s << YR_MIN(w->times, 10U), most_s) * YR_S;
    w->times++;
}

// Is this for him to say?  Who was asked may say anything, who keeps it that he does no more.
static struct yr_hold *answered(const struct yr_delivery *d, struct yr_post *post, unsigned from,
                                uint8_t status)
{
    for (size_t i = 0; i < post->count; i++) {
        struct yr_hold *hold = &post->holds[i];
        if (hold->via == from)
            return hold;
        if (!hold->handed && hold->status == YR_HELD_CUSTODY && is_holder(d, hold, from) &&
            (status == YR_ENV_GONE || status == YR_ENV_DONE))
            return hold;
    }
    return NULL;
}

static void refused(struct yr_delivery *d, struct yr_box *b, const struct yr_post *post,
                    struct yr_hold *hold, uint8_t status)
{
    d->counters[YR_ENV_N_POST_REFUSED]++;
    hold->status = status == YR_ENV_FULL ? YR_HELD_FULL : YR_HELD_REFUSED;
    if (hold->slot >= YR_FRIENDS_MAX)
        return;
    if (status != YR_ENV_NO_TAG)
        beware(d, b, hold->slot, YR_POST_FULL_S, YR_POST_FULL_S_MAX);
    else if (post->day == yr_days_post(b, d->now)) // an older day may just be forgotten there
        beware(d, b, hold->slot, hold->named ? YR_POST_NO_TAG_S : YR_POST_NOBODY_S,
               YR_POST_NOBODY_S);
}

// Take an answer in; true: it is worth a row.
static bool take_answer(struct yr_delivery *d, struct yr_box *b, const struct yr_post *post,
                        struct yr_hold *hold, uint8_t status)
{
    const uint64_t now_s = yr_age_s(d, d->now), told_s = hold->since_s;
    const enum yr_held_status before = hold->status;

    hold->since_s = now_s;
    switch (status) {
    case YR_ENV_CUSTODY:
        hold->status = YR_HELD_CUSTODY;
        if (hold->slot < YR_FRIENDS_MAX)
            yr_slots_put(b->proven, hold->slot, true);
        if (b->wary != NULL && hold->slot < YR_FRIENDS_MAX)
            b->wary[hold->slot].times = 0;
        d->counters[YR_ENV_N_CUSTODY] += before != YR_HELD_CUSTODY;
        return before != YR_HELD_CUSTODY || now_s >= told_s + YR_POST_NOTED_S;
    case YR_ENV_DONE:
        hold->status = YR_HELD_TAKEN;
        d->counters[YR_ENV_N_TAKEN]++;
        return true;
    case YR_ENV_GONE:
        hold->status = YR_HELD_GONE;
        d->counters[YR_ENV_N_GONE]++;
        return true;
    default: // or something of later times
        refused(d, b, post, hold, status);
        return true;
    }
}

void yr_posts_acked(struct yr_delivery *d, unsigned from, uint8_t status,
                    const uint8_t eid[YR_HASH16])
{
    struct yr_post *post = find_post(d, eid);
    struct yr_hold *hold = post != NULL ? answered(d, post, from, status) : NULL;
    struct yr_box *b = post != NULL ? d->boxes[post->slot] : NULL;
    const bool full = d->out[from] == YR_POST_OUT_MAX;
    enum yr_held_status before;
    struct yr_letter *l;

    if (d->out[from] > 0 && (hold == NULL || hold->via == from))
        d->out[from]--;
    if (full)
        look_at_all(d);
    if (d->asks[from])
        d->due_us = 0;
    if (hold == NULL)
        return; // of a letter that has got there meanwhile, or nothing of ours
    before = hold->status;
    hold->via = NOBODY;
    if (hold->slot < YR_FRIENDS_MAX)
        yr_slots_put(b->trying, hold->slot, false);
    if (take_answer(d, b, post, hold, status))
        yr_post_put(d, b, post);
    if (hold->status == YR_HELD_CUSTODY && before != YR_HELD_CUSTODY && d->ops.held != NULL &&
        (l = yr_letter_of(b, post->order)) != NULL)
        d->ops.held(d->ops.ctx, d->now, post->slot, l->id);
    if (yr_box_away(b, d->now))
        yr_posts_look(d, b, 0);
}

/* ---- what people want to know ---- */

static struct yr_letter *letter_by_id(struct yr_box *b, const uint8_t id[YR_MSG_ID_LEN])
{
    for (size_t i = 0; i < b->count; i++)
        if (memcmp(yr_box_at(b, i)->id, id, YR_MSG_ID_LEN) == 0)
            return yr_box_at(b, i);
    return NULL;
}

void yr_delivery_held(const struct yr_delivery *d, unsigned slot, const uint8_t id[YR_MSG_ID_LEN],
                      struct yr_held *out)
{
    const uint64_t now_s = yr_age_s(d, d->now);
    const yr_ms wall_ms = d->now.wall_ms != 0 ? d->now.wall_ms : (yr_ms)now_s * 1000;
    struct yr_box *b = yr_box_of(d, slot);
    const struct yr_letter *l = b != NULL ? letter_by_id(b, id) : NULL;

    memset(out, 0, sizeof *out);
    if (l == NULL || l->post == NULL)
        return;
    for (size_t i = 0; i < l->post->count; i++) {
        const struct yr_hold *hold = &l->post->holds[i];
        memcpy(out->holder[i], hold->holder, sizeof out->holder[i]);
        out->status[i] = hold->status;
        out->since_ms[i] =
            wall_ms - (now_s > hold->since_s ? (yr_ms)(now_s - hold->since_s) * 1000 : 0);
        out->kept += !yr_letter_over(l, d->now) && yr_hold_live(d, l->post, hold, now_s);
    }
    out->count = (unsigned)l->post->count;
    if (out->kept > 0)
        out->until_ms = (yr_ms)l->post->exp_s * 1000;
}

bool yr_delivery_shunned(const struct yr_delivery *d, unsigned slot, unsigned holder)
{
    const struct yr_box *b = yr_box_of(d, slot);

    return b != NULL && b->wary != NULL && b->wary[holder].until_us > d->now.mono_us;
}

void yr_delivery_held_all(const struct yr_delivery *d, unsigned slot, size_t *letters,
                          unsigned *holders)
{
    const uint64_t now_s = yr_age_s(d, d->now);
    struct yr_box *b = yr_box_of(d, slot);
    uint8_t seen[64][16];

    *letters = 0;
    *holders = 0;
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        const struct yr_post *post = yr_box_at(b, i)->post;
        bool kept = false;
        for (size_t k = 0; post != NULL && k < post->count; k++) {
            size_t at = 0;
            if (!yr_hold_live(d, post, &post->holds[k], now_s))
                continue;
            kept = true;
            while (at < *holders && memcmp(seen[at], post->holds[k].holder, 16) != 0)
                at++;
            if (at == *holders && at < YR_COUNT(seen))
                memcpy(seen[(*holders)++], post->holds[k].holder, 16);
        }
        *letters += kept;
    }
}

size_t yr_delivery_held_by(const struct yr_delivery *d, unsigned holder)
{
    const uint64_t now_s = yr_age_s(d, d->now);
    size_t count = 0;

    for (unsigned slot = 0; d->boxes[holder] != NULL && slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        for (size_t i = 0; b != NULL && i < b->count; i++) {
            const struct yr_post *post = yr_box_at(b, i)->post;
            for (size_t k = 0; post != NULL && k < post->count; k++)
                count += memcmp(post->holds[k].holder, d->boxes[holder]->id,
                                sizeof post->holds[k].holder) == 0 &&
                         yr_hold_live(d, post, &post->holds[k], now_s);
        }
    }
    return count;
}
