#include "core/delivery/delivery_state.h"

static_assert(YR_ENV_ACKS_HELD == 2 * YR_WINDOW_MAX, "twice what an honest friend sends");

static const char *const counter_names[YR_ENV_COUNTERS] = {
    "envelope.received",  "envelope.duplicate",    "envelope.drop.form",   "envelope.drop.tag",
    "envelope.drop.aead", "envelope.drop.session", "envelope.drop.gap",    "envelope.drop.kind",
    "envelope.mailed",    "envelope.again",        "envelope.refused",     "post.left",
    "post.custody",       "post.refused",          "post.taken",           "post.gone",
    "post.renewed",       "post.receipted",        "envelope.drop.prekey", "session.begun",
    "session.accepted",   "session.bad.sent",      "session.bad.taken"};

enum yr_err yr_delivery_new(struct yr_delivery **out, struct yr_mem *mem, struct yr_rows *rows,
                            const struct yr_rng *rng, const struct yr_age *age,
                            const struct yr_delivery_ops *ops)
{
    struct yr_delivery *d = yr_alloc(mem, YR_MEM_CHAT, sizeof *d);

    if (d == NULL)
        return YR_ENOMEM;
    d->mem = mem;
    d->rows = rows;
    d->rng = rng;
    d->age = age;
    d->ops = *ops;
    yr_random(rng, d->tags_secret, sizeof d->tags_secret);
    yr_map_init(&d->tags, mem, YR_MEM_CHAT);
    yr_eids_init(&d->mailed, mem, rows, rng, YR_EIDS_MAILED);
    d->due_us = YR_NEVER;
    yr_map_init(&d->posts, mem, YR_MEM_CHAT);
    *out = d;
    return YR_OK;
}

void yr_box_free(struct yr_delivery *d, unsigned slot)
{
    struct yr_box *b = d->boxes[slot];

    if (b == NULL)
        return;
    yr_letters_clear(d, b);
    yr_days_clear(d, b);
    yr_free(d->mem, b->window);
    yr_skipped_clear(&b->skipped);
    yr_opened_clear(d, b);
    yr_free(d->mem, b->acks);
    yr_free(d->mem, b->wary);
    yr_free_secret(d->mem, b);
    d->boxes[slot] = NULL;
}

void yr_delivery_reset(struct yr_delivery *d)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        yr_box_free(d, slot);
    yr_eids_clear(&d->mailed);
    memset(d->out, 0, sizeof d->out);
    memset(d->asks, 0, sizeof d->asks);
    memset(d->down_s, 0, sizeof d->down_s);
    d->due_us = YR_NEVER;
    yr_wipe(d->row, sizeof d->row); // texts, and what is left of them
    yr_wipe(d->envelope, sizeof d->envelope);
    yr_wipe(d->opened, sizeof d->opened);
    yr_wipe(d->plain, sizeof d->plain);
}

void yr_delivery_free(struct yr_delivery *d)
{
    if (d == NULL)
        return;
    yr_delivery_reset(d);
    yr_map_clear(&d->tags);
    yr_map_clear(&d->posts);
    yr_free_secret(d->mem, d);
}

enum yr_err yr_delivery_start(struct yr_delivery *d)
{
    return yr_eids_load(&d->mailed);
}

struct yr_box *yr_box_new(struct yr_delivery *d, unsigned slot, const uint8_t id[32],
                          uint8_t out_dir)
{
    struct yr_box *b;

    yr_box_free(d, slot);
    b = yr_alloc(d->mem, YR_MEM_CHAT, sizeof *b);
    if (b == NULL)
        return NULL;
    b->used = true;
    memcpy(b->id, id, 32);
    b->out_dir = out_dir;
    b->next_order = 1;
    b->post_us = YR_NEVER;
    b->searches = YR_TIMEKEY_SEARCHES;
    yr_skipped_init(&b->skipped, d->mem);
    d->boxes[slot] = b;
    yr_days_stale(d, b);
    return b;
}

/* ---- a new pair ---- */

enum yr_err yr_delivery_meet(struct yr_delivery *d, struct yr_now now, unsigned slot,
                             const struct yr_contact *contact, uint8_t out_dir)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_session session;
    const uint32_t day = (uint32_t)((uint64_t)YR_MAX(now.wall_ms, 0) / 1000 / YR_DAY_S);
    enum yr_err err = YR_OK;

    if (contact->inviter)
        yr_session_start_receiver(&session, contact->exporter, contact->hash, &contact->ratchet,
                                  day);
    else
        err = yr_session_start_sender(&session, contact->exporter, contact->hash,
                                      contact->ratchet_remote, day, d->rng);
    if (err != YR_OK)
        return err;
    if (b == NULL && (b = yr_box_new(d, slot, contact->id, out_dir)) == NULL) {
        yr_session_clear(&session);
        return YR_ENOMEM;
    }
    yr_sessions_clear(b);
    b->sessions[0] = session;
    b->more[0].since_s = yr_age_s(d, now);
    b->session_count = 1;
    b->has_theirs = false; // one comes with the contact
    yr_resets_over(b);
    b->prekeys_dirty = true;
    b->out_keys.valid = b->in_keys.valid = false;
    yr_timekey_first(&b->timekey, contact->pair, contact->day);
    b->sent_day = b->heard_day = contact->day;
    b->acked_day = contact->day + YR_TIMEKEY_DAYS; // the day that would leave them where they begin
    yr_days_stale(d, b);
    yr_box_put_days(d, b);
    yr_session_clear(&session);
    return yr_letters_unseal(d, b, NULL);
}

enum yr_err yr_delivery_renewed(struct yr_delivery *d, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return YR_OK;
    yr_sessions_clear(b);
    yr_wipe(b->own, sizeof b->own);
    b->own_count = b->known_count = 0;
    b->has_theirs = false;
    b->start_count = 0; // of sessions with a device that is no more
    yr_resets_over(b);
    b->prekeys_dirty = true;
    return yr_letters_unseal(d, b, NULL);
}

enum yr_err yr_delivery_cert(struct yr_delivery *d, struct yr_now now, unsigned slot,
                             const uint8_t *body, size_t len, const uint8_t **envelope,
                             size_t *envelope_len)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    struct yr_box *b = yr_box_of(d, slot);
    uint32_t day;

    if (b == NULL)
        return YR_ENOFRIEND;
    day = yr_days_take(d, b, now);
    if (b->day_token > d->durable || !yr_days_use(b, &b->out_keys, b->out_dir, day) ||
        yr_envelope_seal(d->envelope, sizeof d->envelope, envelope_len, b->out_keys.env,
                         b->out_keys.tag, yr_envelope_exp(now_s), YR_ENV_CERT, body, len,
                         d->rng) != YR_OK)
        return YR_EAGAIN;
    *envelope = d->envelope;
    return YR_OK;
}

void yr_delivery_remove(struct yr_delivery *d, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_stored letter;
    uint64_t order = 0;

    if (b == NULL)
        return;
    while (yr_letter_next(d, b, order, &letter) == YR_OK) {
        uint8_t key[8];
        order = letter.order;
        yr_letter_key(key, order);
        yr_letter_del(d, b, order);
        if (letter.sealed_len > 0)
            yr_rows_del(d->rows, YR_TABLE_POSTED, b->id, 32, key, sizeof key);
    }
    yr_posts_forget(d, slot);
    yr_rows_del(d->rows, YR_TABLE_TIMEKEY, NULL, 0, b->id, 32);
    yr_sessions_remove(d, b);
    yr_box_free(d, slot);
}

/* ---- links and time ---- */

void yr_delivery_up(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    b->up = true;
    b->asked_us = 0;
    b->ack_count = 0; // of letters the last link brought, which come again by this one
    for (size_t i = 0; i < b->count; i++)
        yr_box_at(b, i)->sent = false; // whatever the last link took, this one has not
    b->note.sent = false;
    yr_posts_up(d, now, slot);
    yr_letters_pump(d, b, slot, now);
    yr_resets_pump(d, b, slot, now);
}

void yr_delivery_down(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    b->up = false;
    b->asked_us = 0;
    b->ack_count = 0; // the friend sends again what it has no answer for
    yr_free(d->mem, b->acks);
    b->acks = NULL;
    yr_posts_down(d, now, slot);
    yr_letters_shrink(d, b);
}

void yr_delivery_room(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    yr_delivery_release(d, now, d->durable);
    yr_posts_room(d, slot);
}

void yr_delivery_release(struct yr_delivery *d, struct yr_now now, uint64_t durable)
{
    d->now = now;
    d->durable = durable;
    yr_posts_release(d);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b == NULL || !b->up)
            continue;
        yr_acks_send(d, b, slot);
        yr_resets_pump(d, b, slot, now);
        if (yr_letters_wait(b) || (b->queued > 0 && yr_sessions_may_begin(d, b, now)))
            yr_letters_pump(d, b, slot, now);
        else
            yr_letters_send(d, b, slot, now);
    }
}

void yr_delivery_daily(struct yr_delivery *d, struct yr_now now)
{
    d->now = now;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b == NULL)
            continue;
        (void)yr_skipped_expire(&b->skipped, yr_age_s(d, now));
        yr_sessions_expire(d, b, now);
        yr_prekeys_expire(d, b, now);
        yr_receipts_expire(d, b);
    }
}

/* ---- what is ---- */

const struct yr_timekey *yr_delivery_timekey(const struct yr_delivery *d, unsigned slot)
{
    const struct yr_box *b = yr_box_of(d, slot);

    return b != NULL ? &b->timekey : NULL;
}

size_t yr_delivery_queued(const struct yr_delivery *d, unsigned slot)
{
    const struct yr_box *b = yr_box_of(d, slot);

    return b != NULL ? b->queued : 0;
}

struct yr_counter yr_delivery_counter(const struct yr_delivery *d, size_t i)
{
    if (i >= YR_ENV_COUNTERS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], d->counters[i]};
}
