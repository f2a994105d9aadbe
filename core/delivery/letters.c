#include "core/delivery/delivery_state.h"
#include "core/wire/frames.h"

// More places in the window, as far as it goes.
static bool widen(struct yr_delivery *d, struct yr_box *b)
{
    const size_t cap = YR_MIN(YR_MAX(2 * b->cap, (size_t)16), (size_t)YR_WINDOW_MAX);
    struct yr_letter *window = yr_alloc(d->mem, YR_MEM_CHAT, cap * sizeof *window);

    if (window == NULL)
        return false;
    for (size_t i = 0; i < b->count; i++)
        window[i] = *yr_box_at(b, i);
    yr_free(d->mem, b->window);
    b->window = window;
    b->cap = cap;
    b->first = 0;
    return true;
}

// Room for one more letter behind the last, or NULL.
static struct yr_letter *grow_window(struct yr_delivery *d, struct yr_box *b)
{
    if (b->count == b->cap && (b->cap == YR_WINDOW_MAX || !widen(d, b)))
        return NULL;
    return yr_box_at(b, b->count);
}

// Most friends are away most of the time.
void yr_letters_shrink(struct yr_delivery *d, struct yr_box *b)
{
    if (b->count > 0 || b->up)
        return;
    yr_free(d->mem, b->window);
    b->window = NULL;
    b->cap = b->first = 0;
}

static void clear_letter(struct yr_delivery *d, struct yr_letter *l)
{
    yr_free_secret(d->mem, l->sealed);
    yr_free_secret(d->mem, l->plain);
    yr_post_free(d, l);
    memset(l, 0, sizeof *l);
}

void yr_letters_clear(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->count; i++)
        clear_letter(d, yr_box_at(b, i));
    b->first = b->count = 0;
    yr_letters_shrink(d, b);
}

enum yr_err yr_letters_unseal(struct yr_delivery *d, struct yr_box *b, const uint8_t sid8[8])
{
    struct yr_stored letter;
    bool any = sid8 == NULL;
    uint64_t order = 0;
    enum yr_err err;

    while ((err = yr_letter_next(d, b, order, &letter)) == YR_OK) {
        const uint8_t *on = yr_sealed_sid8(letter.sealed, letter.sealed_len);
        uint8_t key[8];
        order = letter.order;
        yr_letter_key(key, order);
        if (letter.sealed_len == 0 || (sid8 != NULL && (on == NULL || memcmp(on, sid8, 8) != 0)))
            continue;
        yr_letter_mark(d);
        yr_rows_put(d->rows, YR_TABLE_OUTBOX, b->id, 32, key, sizeof key, d->row,
                    (size_t)(letter.plain + letter.plain_len - d->row));
        yr_rows_del(d->rows, YR_TABLE_POSTED, b->id, 32, key, sizeof key);
        any = true;
    }
    if (!any)
        return err == YR_ENOENT ? YR_OK : err;
    yr_letters_clear(d, b);
    b->loaded = 0;
    (void)!yr_letters_fill(d, b); // their posts: holders say ids
    if (b->queued > 0)
        yr_posts_look(d, b, 0);
    return err == YR_ENOENT ? YR_OK : err;
}

// The friend forgets days by what it has opened: if a crash made us forget what we sent, we could
// go back to a day that is no more.  So the highest day is on disk first.
static uint32_t take_day(struct yr_delivery *d, struct yr_box *b, uint32_t day)
{
    if (day > b->sent_day) {
        b->sent_day = day;
        yr_box_put_days(d, b);
        b->day_token = yr_rows_pending(d->rows);
    }
    return day;
}

uint32_t yr_days_take(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    return take_day(d, b, yr_days_send(b, now));
}

uint32_t yr_days_take_post(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    return take_day(d, b, yr_days_post(b, now));
}

// In the envelope that holders list, while that is not too old: who comes knows it then.
static bool make_posted(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                        struct yr_letter *l, size_t *len)
{
    if (l->post == NULL || l->post->token > d->durable ||
        l->post->day + YR_POST_DAYS < yr_days_send(b, now) || !yr_post_envelope(d, b, l, len))
        return false;
    l->day = l->post->day;
    return true;
}

static bool make_envelope(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                          struct yr_letter *l, size_t *len)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    const uint32_t day = yr_days_take(d, b, now);

    if (b->day_token > d->durable || !yr_days_use(b, &b->out_keys, b->out_dir, day) ||
        yr_envelope_seal(d->envelope, sizeof d->envelope, len, b->out_keys.env, b->out_keys.tag,
                         yr_envelope_exp(now_s), (enum yr_envelope_kind)l->sealed[0], l->sealed + 1,
                         l->sealed_len - 1, d->rng) != YR_OK)
        return false;
    l->day = day;
    return true;
}

static bool send_letter(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now,
                        struct yr_letter *l)
{
    size_t len;

    if ((!make_posted(d, b, now, l, &len) && !make_envelope(d, b, now, l, &len)) ||
        d->ops.frame(d->ops.ctx, slot, YR_FRAME_ENV_PUT, d->envelope, len) != YR_OK)
        return false;
    yr_envelope_id(l->eid, d->envelope, len);
    l->sent = true;
    if (b->asked_us == 0)
        b->asked_us = now.mono_us;
    yr_posts_look(d, b, now.mono_us + YR_POST_MUTE_MS * YR_MS);
    return true;
}

void yr_letters_send(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    for (size_t i = 0; b->up && i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (l->sent)
            continue;
        if (l->sealed == NULL || l->token > d->durable || !send_letter(d, b, slot, now, l))
            return; // in order, or not at all
    }
}

enum yr_err yr_letter_seal(struct yr_delivery *d, struct yr_box *b, struct yr_letter *l)
{
    struct yr_stored s = {.order = l->order,
                          .made_ms = l->made_ms,
                          .expires_s = l->expires_s,
                          .type = l->type,
                          .id = l->id,
                          .plain = l->plain,
                          .plain_len = l->plain_len};
    enum yr_err err = yr_sessions_seal(d, b, l->plain, l->plain_len, &l->sealed, &l->sealed_len);

    if (err != YR_OK)
        return err;
    s.sealed = l->sealed;
    s.sealed_len = l->sealed_len;
    (void)yr_letter_put(d, b, &s); // refused: nothing of this transaction is committed
    l->token = yr_rows_pending(d->rows);
    yr_free_secret(d->mem, l->plain);
    l->plain = NULL;
    return YR_OK;
}

// Seal what waits in the window and store it sealed.
static void seal_window(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (yr_box_at(b, i)->sealed == NULL && yr_letter_seal(d, b, yr_box_at(b, i)) != YR_OK)
            return;
}

static unsigned slot_of(const struct yr_delivery *d, const struct yr_box *b)
{
    unsigned slot = 0;

    while (d->boxes[slot] != b)
        slot++;
    return slot;
}

static enum yr_err load_letter(struct yr_delivery *d, struct yr_box *b, const struct yr_stored *s)
{
    struct yr_letter *l = grow_window(d, b);
    const uint8_t *src = s->sealed_len > 0 ? s->sealed : s->plain;
    const size_t len = s->sealed_len > 0 ? s->sealed_len : s->plain_len;
    uint8_t *copy = l != NULL ? yr_alloc(d->mem, YR_MEM_CHAT, len) : NULL;
    struct yr_post post;
    enum yr_err err = YR_ENOENT;

    if (copy == NULL)
        return YR_ENOMEM;
    memcpy(copy, src, len);
    memset(l, 0, sizeof *l);
    l->order = s->order;
    memcpy(l->id, s->id, YR_MSG_ID_LEN);
    l->type = s->type;
    l->made_ms = s->made_ms;
    l->expires_s = s->expires_s;
    l->was_sealed = s->was_sealed;
    if (s->sealed_len > 0) {
        l->sealed = copy;
        l->sealed_len = len;
        err = yr_post_get(d, b, s->order, &post);
        if (err == YR_OK)
            err = yr_post_enter(d, slot_of(d, b), l, &post);
    } else {
        l->plain = copy;
        l->plain_len = len;
    }
    if (err != YR_OK && err != YR_ENOENT) {
        clear_letter(d, l);
        return err;
    }
    b->loaded = s->order;
    b->count++;
    return YR_OK;
}

enum yr_err yr_letters_fill(struct yr_delivery *d, struct yr_box *b)
{
    struct yr_stored letter;
    enum yr_err err = YR_OK;

    while (err == YR_OK && b->count < YR_WINDOW_MAX && b->queued > b->count &&
           (err = yr_letter_next(d, b, b->loaded, &letter)) == YR_OK)
        err = load_letter(d, b, &letter);
    return err == YR_ENOENT ? YR_OK : err;
}

// Fill the window from the outbox, seal, send what may leave.
void yr_letters_pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    if (!b->up)
        return;
    (void)!yr_letters_fill(d, b); // what it could not read is tried again with the next commit
    if (b->queued > 0)
        yr_sessions_begin(d, b, slot, now);
    seal_window(d, b);
    yr_letters_send(d, b, slot, now);
}

// A new letter of the outbox goes into the window too, if it has its place there.
static struct yr_letter *enter_letter(struct yr_delivery *d, struct yr_box *b,
                                      const struct yr_stored *s)
{
    struct yr_letter *l = b->queued == b->count ? grow_window(d, b) : NULL;

    if (l == NULL)
        return NULL;
    memset(l, 0, sizeof *l);
    l->order = b->loaded = s->order;
    memcpy(l->id, s->id, YR_MSG_ID_LEN);
    l->type = s->type;
    l->made_ms = s->made_ms;
    l->expires_s = s->expires_s;
    b->count++;
    return l;
}

// What the plaintext says of itself: is it a receipt, and until when is it of use?
static bool merged(struct yr_delivery *d, struct yr_box *b, struct yr_stored *s, unsigned *kind)
{
    struct yr_plain plain;

    *kind = YR_RECEIPT_KINDS;
    if (yr_plain_decode(&plain, s->plain, s->plain_len) != YR_OK || !plain.known)
        return false;
    s->expires_s = plain.expires_s;
    *kind = yr_receipt_kind(&plain);
    if (*kind == YR_RECEIPT_KINDS)
        return false;
    s->type = (uint8_t)plain.type;
    return !b->up && yr_receipt_merge(d, b, *kind, &plain);
}

enum yr_err yr_delivery_push(struct yr_delivery *d, struct yr_now now, unsigned slot,
                             const uint8_t id[YR_MSG_ID_LEN], const uint8_t *plain, size_t len)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_stored s = {.id = id, .plain = plain, .plain_len = len};
    uint8_t *sealed = NULL;
    struct yr_letter *l;
    unsigned kind;
    enum yr_err err;

    d->now = now;
    if (b == NULL)
        return YR_ENOFRIEND;
    if (len > YR_PLAIN_MAX)
        return YR_ESIZE;
    if (merged(d, b, &s, &kind))
        return YR_OK;
    // With a link, room and nothing before it, it is sealed at once: one commit instead of two.
    if (b->up && b->queued == b->count && yr_sessions_can(b) && grow_window(d, b) != NULL &&
        (err = yr_sessions_seal(d, b, plain, len, &sealed, &s.sealed_len)) != YR_OK &&
        err != YR_EAGAIN)
        return err;
    s.order = b->next_order;
    s.made_ms = (uint64_t)yr_age_ms_of(d, now);
    s.sealed = sealed;
    if ((err = yr_letter_put(d, b, &s)) != YR_OK) {
        yr_free_secret(d->mem, sealed);
        return err;
    }
    if (sealed != NULL) {
        l = enter_letter(d, b, &s);
        l->token = yr_rows_pending(d->rows);
        l->sealed = sealed;
        l->sealed_len = s.sealed_len;
    } else if (!b->up) {
        yr_posts_wait(d, b, &s);
        if (kind < YR_RECEIPT_KINDS)
            b->receipts[kind] = s.order;
    }
    b->queued++;
    b->next_order++;
    return YR_OK;
}

bool yr_delivery_recall(struct yr_delivery *d, unsigned slot, const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_stored letter;
    uint64_t order = 0;

    if (b == NULL || b->up)
        return false; // with a link up, what waits is being sealed
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (memcmp(l->id, id, YR_MSG_ID_LEN) != 0)
            continue;
        if (l->sealed != NULL || l->was_sealed)
            return false;
        yr_letter_done(d, b, l, 0);
        return true;
    }
    while (yr_letter_next(d, b, order, &letter) == YR_OK) {
        order = letter.order;
        if (memcmp(letter.id, id, YR_MSG_ID_LEN) != 0)
            continue;
        if (letter.sealed_len > 0 || letter.was_sealed)
            return false;
        yr_letter_del(d, b, order);
        return true;
    }
    return false;
}

/* ---- letters that have come ---- */

struct yr_letter *yr_letter_of(struct yr_box *b, uint64_t order)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (yr_box_at(b, mid)->order < order)
            low = mid + 1;
        else
            high = mid;
    }
    return low < b->count && yr_box_at(b, low)->order == order ? yr_box_at(b, low) : NULL;
}

// Which letter went in this envelope, and under which day.
static struct yr_letter *find_letter(struct yr_box *b, const uint8_t *eid, uint32_t *day)
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        *day = l->day;
        if (l->sent && memcmp(l->eid, eid, YR_HASH16) == 0)
            return l;
        if (l->post == NULL || memcmp(l->post->eid, eid, YR_HASH16) != 0)
            continue;
        *day = l->post->day;
        return l;
    }
    return NULL;
}

static void take_out(struct yr_delivery *d, struct yr_box *b, struct yr_letter *l)
{
    size_t at = 0;

    while (yr_box_at(b, at) != l)
        at++;
    clear_letter(d, l);
    for (size_t i = at; i > 0; i--) // in order, so it is nearly always the first
        *yr_box_at(b, i) = *yr_box_at(b, i - 1);
    memset(yr_box_at(b, 0), 0, sizeof(struct yr_letter));
    b->first = (b->first + 1) % b->cap;
    b->count--;
    yr_letters_shrink(d, b);
}

void yr_letter_done(struct yr_delivery *d, struct yr_box *b, struct yr_letter *l, uint32_t day)
{
    if (day > b->acked_day) {
        b->acked_day = day;
        b->days_dirty = true;
        yr_days_forget(b);
    }
    yr_post_del(d, b, l);
    yr_letter_del(d, b, l->order);
    take_out(d, b, l);
    if (!b->up && b->queued > b->count)
        yr_posts_look(d, b, 0); // there is room for the next one
}

void yr_letter_receipted(struct yr_delivery *d, struct yr_box *b, const uint8_t id[YR_MSG_ID_LEN])
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        uint32_t day = 0;
        if (memcmp(l->id, id, YR_MSG_ID_LEN) != 0)
            continue;
        if (l->post != NULL) // in which envelope it came is not known: the earlier day is safe
            day = l->day != 0 ? YR_MIN(l->day, l->post->day) : l->post->day;
        d->counters[YR_ENV_N_RECEIPTED]++;
        yr_letter_done(d, b, l, day);
        return;
    }
}

// The friend is there: what is still on its way has its time from now on.
static void answered(struct yr_box *b, struct yr_now now)
{
    b->asked_us = 0;
    for (size_t i = 0; b->asked_us == 0 && i < b->count; i++)
        if (yr_box_at(b, i)->sent)
            b->asked_us = now.mono_us;
}

// An honest friend acknowledges what is near the beginning, and little that is not there at all.
static bool may_look(struct yr_box *b, struct yr_now now)
{
    b->looks -= (double)(now.mono_us - b->looks_us) / (double)(4 * YR_S) * YR_ENV_LOOKS;
    b->looks_us = now.mono_us;
    b->looks = YR_MAX(b->looks, 0.0) + (double)b->count;
    return b->looks <= YR_ENV_LOOKS;
}

enum yr_err yr_delivery_acked(struct yr_delivery *d, struct yr_now now, unsigned slot,
                              const uint8_t *body, size_t len)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_rd rd = yr_rd_init(body, len);
    struct yr_letter *l;
    const uint8_t *eid;
    uint8_t status;
    uint32_t day;

    d->now = now;
    if (b == NULL || !yr_env_ack_ok(body, len))
        return YR_EPROTO;
    while (yr_env_ack_next(&rd, &status, &eid)) {
        if (b->note.sent && memcmp(eid, b->note.eid, YR_HASH16) == 0)
            yr_resets_noted(b);
        else if ((l = find_letter(b, eid, &day)) == NULL && !may_look(b, now))
            return YR_EPROTO;
        else if (l == NULL)
            yr_posts_acked(d, slot, status, eid);
        else if (status == YR_ENV_DONE)
            yr_letter_done(d, b, l, day);
    }
    answered(b, now);
    yr_letters_pump(d, b, slot, now);
    return YR_OK;
}

// Letters that found no memory, or came while one did, are tried again with the next commit.
bool yr_letters_wait(struct yr_box *b)
{
    if (b->queued > b->count && b->count < YR_WINDOW_MAX)
        return true;
    return b->count > 0 && yr_box_at(b, b->count - 1)->sealed == NULL && yr_sessions_can(b);
}

bool yr_delivery_letter(struct yr_delivery *d, unsigned slot, uint64_t *order,
                        uint8_t id[YR_MSG_ID_LEN])
{
    const struct yr_box *b = yr_box_of(d, slot);
    struct yr_stored letter;

    if (b == NULL || yr_letter_next(d, b, *order, &letter) != YR_OK)
        return false;
    *order = letter.order;
    memcpy(id, letter.id, YR_MSG_ID_LEN);
    return true;
}
