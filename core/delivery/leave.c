/* Leaving letters with holders: who is asked, what is sealed, which envelopes are made anew. */
#include "core/delivery/delivery_state.h"

#define NOBODY YR_FRIENDS_MAX

static bool is_fresh(const struct yr_hold *hold, uint64_t now_s)
{
    return hold->status == YR_HELD_ASKED && now_s < hold->since_s + YR_POST_ANSWER_S;
}

/* ---- one look at what a friend is to get ---- */

struct look {
    struct yr_now now;
    uint64_t now_s; // of the age
    yr_ms now_ms;
    unsigned slot;
    struct yr_holder holders[YR_POST_HOLDERS_SEEN];
    size_t count;
    yr_us next_us;
};

static void look_again(struct look *k, yr_us at_us)
{
    k->next_us = YR_MIN(k->next_us, YR_MAX(at_us, k->now.mono_us + YR_MS));
}

static void look_at_age(struct look *k, uint64_t at_s)
{
    if (at_s > k->now_s)
        look_again(k, k->now.mono_us + (at_s - k->now_s) * YR_S);
}

static bool may_ask(const struct yr_delivery *d, const struct yr_box *b, const struct yr_holder *h)
{
    return yr_posts_linked(d, h->via) && d->boxes[h->slot] != NULL &&
           d->out[h->via] < YR_POST_OUT_MAX && !yr_slots_has(b->trying, h->slot);
}

// Those who can be asked for this friend now stay in k->holders.
static void choose(struct yr_delivery *d, const struct yr_box *b, struct look *k)
{
    size_t kept = 0;

    k->count = d->ops.holders != NULL
                   ? d->ops.holders(d->ops.ctx, k->slot, k->holders, YR_POST_HOLDERS_SEEN)
                   : 0;
    for (size_t i = 0; i < k->count; i++) {
        const struct yr_holder h = k->holders[i];
        const yr_us wary_us = b->wary != NULL ? b->wary[h.slot].until_us : 0;
        if (wary_us > k->now.mono_us)
            look_again(k, wary_us);
        else if (may_ask(d, b, &h)) // else its answer will have us look
            k->holders[kept++] = h;
    }
    k->count = kept;
}

// Receipts wait so that the moment in which they come says little of when the text came.
static yr_ms due_ms(const struct yr_letter *l)
{
    const unsigned spread_s = YR_POST_RECEIPT_S_MAX - YR_POST_RECEIPT_S_MIN;
    const unsigned dice = (unsigned)l->id[8] << 8 | l->id[9];

    if (l->type == 0)
        return (yr_ms)l->made_ms + YR_POST_PATIENCE_MS;
    return (yr_ms)l->made_ms + YR_POST_RECEIPT_S_MIN * 1000 + dice % (spread_s * 1000);
}

// Made later than now: the age went back in a crash.
static bool is_early(const struct look *k, const struct yr_letter *l)
{
    return due_ms(l) > k->now_ms && (yr_ms)l->made_ms <= k->now_ms;
}

bool yr_letter_over(const struct yr_letter *l, struct yr_now now)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, (yr_ms)0) / 1000;

    return l->expires_s != 0 && now_s > l->expires_s;
}

static bool seal_due(struct yr_delivery *d, struct yr_box *b, struct look *k)
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (l->sealed != NULL || yr_letter_over(l, k->now))
            continue;
        if (is_early(k, l))
            look_again(k, k->now.mono_us + (yr_us)(due_ms(l) - k->now_ms) * YR_MS);
        else if (yr_letter_seal(d, b, l) != YR_OK)
            return false; // no session, or no memory: when something comes of it
    }
    return true;
}

struct tally {
    size_t live, asked, taken;
    uint64_t taken_s; // until then it counts as taken; 0: it does not
};

static struct tally count_holds(const struct yr_delivery *d, const struct yr_letter *l,
                                uint64_t now_s)
{
    struct tally t = {0, 0, 0, 0};

    for (size_t i = 0; i < l->post->count; i++) {
        const struct yr_hold *hold = &l->post->holds[i];
        t.live += yr_hold_live(d, l->post, hold, now_s);
        t.asked += is_fresh(hold, now_s);
        if (hold->status != YR_HELD_TAKEN)
            continue;
        t.taken++;
        // A receipt that may have come is not sent twice.
        t.taken_s = l->type != 0 ? UINT64_MAX : YR_MAX(t.taken_s, hold->since_s + YR_POST_AGAIN_S);
    }
    if (t.taken_s <= now_s)
        t.taken_s = 0;
    return t;
}

// Fetched, and for long there was no receipt: in the same ratchet message it would tell the friend
// nothing that is to be receipted.  By its id it counts once all the same.
static void seal_anew(struct yr_delivery *d, struct yr_box *b, struct yr_letter *l)
{
    uint8_t *const old = l->sealed;
    const size_t old_len = l->sealed_len;
    struct yr_stored s;

    if (!yr_sessions_can(b) || yr_letter_get(d, b, l->order, &s) != YR_OK ||
        (l->plain = yr_alloc(d->mem, YR_MEM_CHAT, s.plain_len)) == NULL)
        return; // as it is, then
    memcpy(l->plain, s.plain, s.plain_len);
    l->plain_len = s.plain_len;
    l->sealed = NULL;
    if (yr_letter_seal(d, b, l) == YR_OK) {
        yr_free_secret(d->mem, old);
        return;
    }
    yr_free_secret(d->mem, l->plain);
    l->plain = NULL;
    l->sealed = old;
    l->sealed_len = old_len;
}

static bool was_taken(const struct yr_post *post)
{
    for (size_t i = 0; i < post->count; i++)
        if (post->holds[i].status == YR_HELD_TAKEN)
            return true;
    return false;
}

// A new envelope for a letter; nobody has it yet.
static enum yr_err renew(struct yr_delivery *d, struct yr_box *b, const struct look *k,
                         struct yr_letter *l)
{
    const uint64_t wall_s = (uint64_t)YR_MAX(k->now.wall_ms, (yr_ms)0) / 1000;
    const uint32_t day = yr_days_take_post(d, b, k->now);
    struct yr_post post = {.order = l->order, .made_s = k->now_s, .day = day};
    size_t len;

    yr_random(d->rng, post.nonce, sizeof post.nonce);
    post.exp_s = yr_envelope_exp_until(wall_s, l->expires_s);
    yr_post_free(d, l);
    l->post = &post;
    if (!yr_post_envelope(d, b, l, &len)) {
        l->post = NULL;
        return YR_ENOENT;
    }
    l->post = NULL;
    yr_envelope_id(post.eid, d->envelope, len);
    yr_post_put(d, b, &post);
    post.token = yr_rows_pending(d->rows);
    return yr_post_enter(d, k->slot, l, &post);
}

// Nobody has it, and where it was left before it may not be left again in the same envelope.
static bool must_renew(const struct yr_delivery *d, const struct yr_box *b, const struct look *k,
                       const struct yr_letter *l)
{
    const struct tally t = count_holds(d, l, k->now_s);

    return t.live == 0 && t.asked == 0 && t.taken_s == 0 &&
           (l->post->day != yr_days_post(b, k->now) ||
            k->now_s >= l->post->made_s + (uint64_t)YR_POST_DAYS * YR_DAY_S);
}

static void make_posts(struct yr_delivery *d, struct yr_box *b, struct look *k)
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (l->sealed == NULL || yr_letter_over(l, k->now) ||
            (l->post != NULL && !must_renew(d, b, k, l)))
            continue;
        if (is_early(k, l)) { // sealed for a link that came to nothing
            look_again(k, k->now.mono_us + (yr_us)(due_ms(l) - k->now_ms) * YR_MS);
            continue;
        }
        d->counters[YR_ENV_N_RENEWED] += l->post != NULL;
        if (l->post != NULL && was_taken(l->post))
            seal_anew(d, b, l);
        if (renew(d, b, k, l) != YR_OK)
            return;
    }
}

/* ---- leaving it with somebody ---- */

// How little is lost when this one is forgotten; 0: it may not be.
static unsigned spare(const struct yr_delivery *d, const struct yr_post *post,
                      const struct yr_hold *hold, uint64_t now_s)
{
    switch (hold->status) {
    case YR_HELD_FULL:
    case YR_HELD_REFUSED: return 5;
    case YR_HELD_GONE: return 4;
    case YR_HELD_TAKEN: return 3;
    case YR_HELD_ASKED: return is_fresh(hold, now_s) ? 0 : 2;
    case YR_HELD_CUSTODY: return yr_hold_live(d, post, hold, now_s) ? 0 : 1;
    }
    return 0;
}

static struct yr_hold *room_for(const struct yr_delivery *d, struct yr_post *post, uint64_t now_s)
{
    struct yr_hold *best = NULL;

    if (post->count < YR_MAIL_HOLDERS_MAX)
        return &post->holds[post->count++];
    for (size_t i = 0; i < post->count; i++) {
        struct yr_hold *hold = &post->holds[i];
        const unsigned worth = spare(d, post, hold, now_s);
        if (worth > 0 && (best == NULL || worth > spare(d, post, best, now_s)))
            best = hold;
    }
    return best;
}

static enum yr_err send_post(struct yr_delivery *d, const struct yr_holder *h, size_t len)
{
    uint8_t *body = d->handed;

    if (h->via == h->slot)
        return d->ops.frame(d->ops.ctx, h->via, YR_FRAME_ENV_PUT, d->envelope, len);
    yr_hash16(body, d->boxes[h->slot]->id, 32);
    memcpy(body + YR_HASH16, d->envelope, len);
    return d->ops.frame(d->ops.ctx, h->via, YR_FRAME_ENV_FWD, body, YR_HASH16 + len);
}

// The same envelope goes to nobody twice, but to who had no room, or did not know its tag yet.
static bool had(const struct yr_box *b, const struct look *k, const struct yr_post *post,
                const struct yr_hold *hold)
{
    return hold != NULL &&
           ((hold->status != YR_HELD_REFUSED && hold->status != YR_HELD_FULL) ||
            k->now_s < hold->since_s + YR_POST_FULL_S || post->day != yr_days_post(b, k->now));
}

// Errors: of the frame; YR_EEXIST: not this one.
static enum yr_err ask_holder(struct yr_delivery *d, struct yr_box *b, struct look *k,
                              struct yr_letter *l, const struct yr_holder *h)
{
    struct yr_post *post = l->post;
    struct yr_hold *hold = yr_post_hold(d, post, h->slot);
    const size_t count = post->count;
    enum yr_err err;
    size_t len;

    if (had(b, k, post, hold) || yr_post_waits(post, h->via) ||
        !yr_post_envelope(d, b, l, &len)) // its day is over: made anew when nobody has it
        return YR_EEXIST;
    if (hold == NULL && (hold = room_for(d, post, k->now_s)) == NULL)
        return YR_EEXIST;
    if ((err = send_post(d, h, len)) != YR_OK) {
        post->count = count;
        return err;
    }
    memset(hold, 0, sizeof *hold);
    memcpy(hold->holder, d->boxes[h->slot]->id, sizeof hold->holder);
    hold->slot = h->slot;
    hold->via = h->via;
    hold->handed = h->via != h->slot;
    hold->named = h->named;
    hold->since_s = k->now_s;
    d->out[h->via]++;
    yr_slots_put(b->trying, h->slot, !yr_slots_has(b->proven, h->slot));
    d->counters[YR_ENV_N_POSTED]++;
    look_at_age(k, k->now_s + YR_POST_ANSWER_S);
    return YR_OK;
}

static yr_us until_tomorrow(struct yr_now now)
{
    const uint64_t wall_s = (uint64_t)YR_MAX(now.wall_ms, (yr_ms)0) / 1000;

    return (YR_DAY_S - wall_s % YR_DAY_S) * YR_S;
}

static void leave_letter(struct yr_delivery *d, struct yr_box *b, struct look *k,
                         struct yr_letter *l)
{
    struct tally t = count_holds(d, l, k->now_s);

    if (t.taken_s == UINT64_MAX)
        return;
    look_at_age(k, t.taken_s);
    // Who says that it was fetched may lie: it counts as one of those who have it, not for all.
    for (size_t i = 0; i < k->count && t.live + t.asked + t.taken < YR_MAIL_HOLDERS_MAX; i++) {
        struct yr_holder *h = &k->holders[i];
        enum yr_err err;
        if (!may_ask(d, b, h))
            continue;
        err = ask_holder(d, b, k, l, h);
        if (err == YR_OK)
            t.asked++;
        else if (err != YR_EEXIST)
            h->via = NOBODY; // its link takes no more now
    }
    for (size_t i = 0; i < l->post->count; i++)
        if (yr_hold_live(d, l->post, &l->post->holds[i], k->now_s))
            look_at_age(k, yr_hold_silent_s(d, &l->post->holds[i]));
    if (t.live > 0)
        look_at_age(k, yr_post_over_s(l->post));
    else if (t.asked == 0) // everybody here had it: in another envelope
        look_again(k, k->now.mono_us + until_tomorrow(k->now));
}

static void leave_all(struct yr_delivery *d, struct yr_box *b, struct look *k)
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        const uint64_t token = l->post != NULL ? YR_MAX(l->token, l->post->token) : 0;
        if (l->post == NULL || yr_letter_over(l, k->now))
            continue;
        if (YR_MAX(token, b->day_token) > d->durable)
            b->post_token = YR_MAX(b->post_token, YR_MAX(token, b->day_token));
        else
            leave_letter(d, b, k, l);
    }
}

// What is said outside of any session is left with two, and never asked for again.
static void leave_note(struct yr_delivery *d, struct yr_box *b, const struct look *k)
{
    size_t len;

    if (b->note.posted || !b->note.due)
        return;
    if (!yr_resets_envelope(d, b, k->now, &len)) { // not durable
        b->post_token = YR_MAX(b->post_token, YR_MAX(b->note.token, b->day_token));
        return;
    }
    for (size_t i = 0, left = 0; i < k->count && left < 2; i++)
        if (may_ask(d, b, &k->holders[i]) && send_post(d, &k->holders[i], len) == YR_OK) {
            d->out[k->holders[i].via]++; // it is answered
            b->note.posted = true;
            left++;
        }
}

void yr_posts_leave(struct yr_delivery *d, struct yr_box *b, unsigned slot)
{
    struct look k = {.now = d->now,
                     .now_s = yr_age_s(d, d->now),
                     .now_ms = yr_age_ms_of(d, d->now),
                     .slot = slot,
                     .next_us = YR_NEVER};

    b->post_us = YR_NEVER;
    if (b->up) { // a session may be begun, or asked for, again
        yr_resets_pump(d, b, slot, d->now);
        yr_letters_pump(d, b, slot, d->now);
        if (b->asked_us != 0 && !yr_box_away(b, d->now))
            yr_posts_look(d, b, b->asked_us + YR_POST_MUTE_MS * YR_MS);
        if (!yr_box_away(b, d->now))
            return;
    } else {
        yr_resets_pump(d, b, slot, d->now);
    }
    if (b->queued == 0 && !b->note.due)
        return;
    if (b->lost_us == 0) // nobody has had time yet to see whether it is there
        b->lost_us = d->now.mono_us + YR_POST_PATIENCE_MS * YR_MS;
    choose(d, b, &k);
    if (k.count > 0 && b->lost_us > d->now.mono_us) {
        look_again(&k, b->lost_us);
    } else if (k.count > 0) {
        leave_note(d, b, &k);
        (void)!yr_letters_fill(d, b); // as many as there is memory for
        if (b->queued > 0)
            yr_sessions_begin(d, b, slot, d->now);
        (void)seal_due(d, b, &k);
        make_posts(d, b, &k);
        leave_all(d, b, &k);
    }
    yr_posts_look(d, b, k.next_us);
}

void yr_posts_wait(struct yr_delivery *d, struct yr_box *b, const struct yr_stored *s)
{
    const struct yr_letter like = {.type = s->type, .made_ms = s->made_ms};
    struct yr_letter l = like;

    memcpy(l.id, s->id, YR_MSG_ID_LEN);
    yr_posts_look(d, b, d->now.mono_us + (yr_us)(due_ms(&l) - (yr_ms)l.made_ms) * YR_MS);
}
