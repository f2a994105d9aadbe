#include "core/delivery/delivery_state.h"

// Room for one more letter behind the last, or NULL.
static struct yr_letter *grow_window(struct yr_delivery *d, struct yr_box *b)
{
    if (b->count == YR_WINDOW_MAX)
        return NULL;
    if (b->window == NULL &&
        (b->window = yr_alloc(d->mem, YR_MEM_CHAT, YR_WINDOW_MAX * sizeof *b->window)) == NULL)
        return NULL;
    return yr_box_at(b, b->count);
}

static void clear_letter(struct yr_delivery *d, struct yr_letter *l)
{
    yr_free_secret(d->mem, l->sealed);
    yr_free_secret(d->mem, l->plain);
    memset(l, 0, sizeof *l);
}

void yr_letters_clear(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->count; i++)
        clear_letter(d, yr_box_at(b, i));
    b->first = b->count = 0;
}

// What had been sealed for the old pair can no longer be opened there: back to plain.
enum yr_err yr_letters_unseal(struct yr_delivery *d, struct yr_box *b)
{
    struct yr_stored letter;
    uint64_t order = 0;
    enum yr_err err;

    yr_letters_clear(d, b);
    b->loaded = 0;
    while ((err = yr_letter_next(d, b, order, &letter)) == YR_OK) {
        uint8_t key[8];
        order = letter.order;
        yr_letter_key(key, order);
        if (letter.sealed_len > 0)
            yr_rows_put(d->rows, YR_TABLE_OUTBOX, b->id, 32, key, sizeof key, d->row,
                        YR_LETTER_HEAD + letter.plain_len);
    }
    return err == YR_ENOENT ? YR_OK : err;
}

static bool send_letter(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now,
                        struct yr_letter *l)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    const uint32_t day = yr_days_send(b, now);
    size_t len;

    // The friend forgets days by what it has opened: if a crash made us forget what we sent, we
    // could go back to a day that is no more.  So the highest day is on disk first.
    if (day > b->sent_day) {
        b->sent_day = day;
        yr_box_put_days(d, b);
        b->day_token = yr_rows_pending(d->rows);
    }
    if (b->day_token > d->durable)
        return false;
    if (!yr_days_use(b, &b->out_keys, b->out_dir, day) ||
        yr_envelope_seal(d->envelope, sizeof d->envelope, &len, b->out_keys.env, b->out_keys.tag,
                         yr_envelope_exp(now_s), (enum yr_envelope_kind)l->sealed[0], l->sealed + 1,
                         l->sealed_len - 1, d->rng) != YR_OK ||
        d->ops.frame(d->ops.ctx, slot, YR_FRAME_ENV_PUT, d->envelope, len) != YR_OK)
        return false;
    yr_envelope_id(l->eid, d->envelope, len);
    l->sent = true;
    l->day = day;
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

// Seal what waits in the window and store it sealed.
static void seal_window(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (l->sealed != NULL)
            continue;
        if (yr_sessions_seal(d, b, l->plain, l->plain_len, &l->sealed, &l->sealed_len) != YR_OK)
            return;
        yr_letter_put(d, b, l->order, l->id, l->plain, l->plain_len, l->sealed, l->sealed_len);
        l->token = yr_rows_pending(d->rows);
        yr_free_secret(d->mem, l->plain);
        l->plain = NULL;
    }
}

static bool load_letter(struct yr_delivery *d, struct yr_box *b, const struct yr_stored *s)
{
    struct yr_letter *l = grow_window(d, b);
    const uint8_t *src = s->sealed_len > 0 ? s->sealed : s->plain;
    const size_t len = s->sealed_len > 0 ? s->sealed_len : s->plain_len;
    uint8_t *copy = l != NULL ? yr_alloc(d->mem, YR_MEM_CHAT, len) : NULL;

    if (copy == NULL)
        return false;
    memcpy(copy, src, len);
    memset(l, 0, sizeof *l);
    l->order = s->order;
    memcpy(l->id, s->id, YR_MSG_ID_LEN);
    if (s->sealed_len > 0) {
        l->sealed = copy;
        l->sealed_len = len;
    } else {
        l->plain = copy;
        l->plain_len = len;
    }
    b->loaded = s->order;
    b->count++;
    return true;
}

// Fill the window from the outbox, seal, send what may leave.
void yr_letters_pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    struct yr_stored letter;

    if (!b->up)
        return;
    while (b->count < YR_WINDOW_MAX && b->queued > b->count &&
           yr_letter_next(d, b, b->loaded, &letter) == YR_OK)
        if (!load_letter(d, b, &letter))
            break;
    seal_window(d, b);
    yr_letters_send(d, b, slot, now);
}

enum yr_err yr_delivery_push(struct yr_delivery *d, struct yr_now now, unsigned slot,
                             const uint8_t id[YR_MSG_ID_LEN], const uint8_t *plain, size_t len)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_letter *l;
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    enum yr_err err;

    (void)now;
    if (b == NULL)
        return YR_ENOFRIEND;
    if (len > YR_PLAIN_MAX)
        return YR_ESIZE;
    // With a link, room and nothing before it, it is sealed at once: one commit instead of two.
    if (b->up && b->queued == b->count && yr_sessions_can(b) && grow_window(d, b) != NULL &&
        (err = yr_sessions_seal(d, b, plain, len, &sealed, &sealed_len)) != YR_OK &&
        err != YR_EAGAIN)
        return err;
    err = yr_letter_put(d, b, b->next_order, id, plain, len, sealed, sealed_len);
    if (err != YR_OK) {
        yr_free_secret(d->mem, sealed);
        return err;
    }
    b->queued++;
    if (sealed != NULL) {
        l = yr_box_at(b, b->count++);
        memset(l, 0, sizeof *l);
        l->order = b->loaded = b->next_order;
        l->token = yr_rows_pending(d->rows);
        memcpy(l->id, id, YR_MSG_ID_LEN);
        l->sealed = sealed;
        l->sealed_len = sealed_len;
    }
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
    for (size_t i = 0; i < b->count; i++)
        if (memcmp(yr_box_at(b, i)->id, id, YR_MSG_ID_LEN) == 0)
            return false;
    while (yr_letter_next(d, b, order, &letter) == YR_OK) {
        order = letter.order;
        if (memcmp(letter.id, id, YR_MSG_ID_LEN) != 0)
            continue;
        if (letter.sealed_len > 0)
            return false;
        yr_letter_del(d, b, order);
        return true;
    }
    return false;
}

static struct yr_letter *find_letter(struct yr_box *b, const uint8_t *eid, size_t *at)
{
    for (size_t i = 0; i < b->count; i++)
        if (yr_box_at(b, i)->sent && memcmp(yr_box_at(b, i)->eid, eid, YR_HASH16) == 0) {
            *at = i;
            return yr_box_at(b, i);
        }
    return NULL;
}

static void remove_letter(struct yr_delivery *d, struct yr_box *b, size_t at)
{
    if (yr_box_at(b, at)->day > b->acked_day) {
        b->acked_day = yr_box_at(b, at)->day;
        b->days_dirty = true;
        yr_days_forget(b);
    }
    yr_letter_del(d, b, yr_box_at(b, at)->order);
    clear_letter(d, yr_box_at(b, at));
    for (size_t i = at; i > 0; i--) // in order, so it is nearly always the first
        *yr_box_at(b, i) = *yr_box_at(b, i - 1);
    memset(yr_box_at(b, 0), 0, sizeof(struct yr_letter));
    b->first = (b->first + 1) % YR_WINDOW_MAX;
    b->count--;
}

enum yr_err yr_delivery_acked(struct yr_delivery *d, struct yr_now now, unsigned slot,
                              const uint8_t *body, size_t len)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_rd rd = yr_rd_init(body, len);
    size_t at;

    if (b == NULL || len == 0 || len % (1 + YR_HASH16) != 0)
        return YR_EPROTO;
    while (yr_rd_left(&rd) > 0) {
        const uint8_t status = yr_rd_u8(&rd);
        const uint8_t *eid = yr_rd_bytes(&rd, YR_HASH16);
        if (status == YR_ENV_DONE && find_letter(b, eid, &at) != NULL)
            remove_letter(d, b, at);
    }
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
