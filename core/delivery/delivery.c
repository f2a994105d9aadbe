#include "core/delivery/delivery_state.h"

static_assert(YR_ENV_ACKS_HELD == 2 * YR_WINDOW_MAX, "twice what an honest friend sends");

static const char *const counter_names[YR_ENV_COUNTERS] = {
    "envelope.received",  "envelope.duplicate",    "envelope.drop.form", "envelope.drop.tag",
    "envelope.drop.aead", "envelope.drop.session", "envelope.drop.gap",  "envelope.drop.kind"};

enum yr_err yr_delivery_new(struct yr_delivery **out, struct yr_mem *mem, struct yr_rows *rows,
                            const struct yr_rng *rng, const struct yr_delivery_ops *ops)
{
    struct yr_delivery *d = yr_alloc(mem, YR_MEM_CHAT, sizeof *d);

    if (d == NULL)
        return YR_ENOMEM;
    d->mem = mem;
    d->rows = rows;
    d->rng = rng;
    d->ops = *ops;
    *out = d;
    return YR_OK;
}

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

static void clear_window(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->count; i++)
        clear_letter(d, yr_box_at(b, i));
    b->first = b->count = 0;
}

void yr_box_free(struct yr_delivery *d, unsigned slot)
{
    struct yr_box *b = d->boxes[slot];

    if (b == NULL)
        return;
    clear_window(d, b);
    yr_free(d->mem, b->window);
    yr_skipped_clear(&b->skipped);
    yr_free(d->mem, b->acks);
    yr_free_secret(d->mem, b);
    d->boxes[slot] = NULL;
}

void yr_delivery_reset(struct yr_delivery *d)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        yr_box_free(d, slot);
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
    yr_free_secret(d->mem, d);
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
    b->searches = YR_TIMEKEY_SEARCHES;
    yr_skipped_init(&b->skipped, d->mem);
    d->boxes[slot] = b;
    return b;
}

/* ---- a new pair ---- */

// What had been sealed for the old pair can no longer be opened there: back to plain.
static enum yr_err unseal_outbox(struct yr_delivery *d, struct yr_box *b)
{
    struct yr_stored letter;
    uint64_t order = 0;
    enum yr_err err;

    clear_window(d, b);
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
    yr_wipe(b->sessions, sizeof b->sessions);
    b->sessions[0] = session;
    b->session_count = 1;
    b->sessions_dirty = true;
    b->out_keys.valid = b->in_keys.valid = false;
    yr_skipped_clear(&b->skipped);
    yr_timekey_first(&b->timekey, contact->pair, contact->day);
    b->sent_day = b->heard_day = contact->day;
    b->acked_day = contact->day + YR_TIMEKEY_DAYS; // the day that would leave them where they begin
    yr_box_put_days(d, b);
    yr_session_clear(&session);
    return unseal_outbox(d, b);
}

void yr_delivery_remove(struct yr_delivery *d, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);
    struct yr_stored letter;
    uint64_t order = 0;

    if (b == NULL)
        return;
    while (yr_letter_next(d, b, order, &letter) == YR_OK) {
        order = letter.order;
        yr_letter_del(d, b, order);
    }
    yr_rows_del(d->rows, YR_TABLE_TIMEKEY, NULL, 0, b->id, 32);
    yr_rows_del(d->rows, YR_TABLE_SESSION, NULL, 0, b->id, 32);
    yr_rows_del(d->rows, YR_TABLE_PREKEY, NULL, 0, b->id, 32);
    for (uint8_t part = 0; part < YR_SKIPPED_PARTS; part++)
        yr_rows_del(d->rows, YR_TABLE_SKIPPED, b->id, 32, &part, 1);
    yr_box_free(d, slot);
}

/* ---- sending ---- */

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
static uint32_t day_to_use(const struct yr_box *b, struct yr_now now)
{
    const uint32_t low = b->sent_day > YR_TIMEKEY_DAYS ? b->sent_day - YR_TIMEKEY_DAYS : 0;
    const uint32_t high = b->acked_day + YR_TIMEKEY_STEP, own = b->timekey.day + YR_TIMEKEY_REACH;

    return clamp(today(now), YR_MAX(low, b->timekey.day), YR_MIN(high, own));
}

// Days too old for any envelope of theirs go, for good; but not those we may have to send with.
static void forget_days(struct yr_box *b)
{
    const uint32_t old = b->heard_day > YR_TIMEKEY_DAYS ? b->heard_day - YR_TIMEKEY_DAYS : 0;
    const uint32_t day = YR_MIN(old, b->acked_day + YR_TIMEKEY_STEP);

    if (day <= b->timekey.day || yr_timekey_advance(&b->timekey, day) != YR_OK)
        return;
    b->days_dirty = true;
}

static void heard(struct yr_box *b, uint32_t day)
{
    if (day <= b->heard_day)
        return;
    b->heard_day = day;
    b->days_dirty = true;
    forget_days(b);
}

static bool use_day(const struct yr_box *b, struct yr_day_keys *keys, uint8_t dir, uint32_t day)
{
    if (keys->valid && keys->day == day)
        return true;
    keys->valid = yr_envelope_keys(&b->timekey, dir, day, keys->env, keys->tag) == YR_OK;
    keys->day = day;
    return keys->valid;
}

static bool send_letter(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now,
                        struct yr_letter *l)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    const uint32_t day = day_to_use(b, now);
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
    if (!use_day(b, &b->out_keys, b->out_dir, day) ||
        yr_envelope_seal(d->envelope, sizeof d->envelope, &len, b->out_keys.env, b->out_keys.tag,
                         yr_envelope_exp(now_s), YR_ENV_MESSAGE, l->sealed, l->sealed_len,
                         d->rng) != YR_OK ||
        d->ops.frame(d->ops.ctx, slot, YR_FRAME_ENV_PUT, d->envelope, len) != YR_OK)
        return false;
    yr_envelope_id(l->eid, d->envelope, len);
    l->sent = true;
    l->day = day;
    return true;
}

static void send_window(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    for (size_t i = 0; b->up && i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (l->sent)
            continue;
        if (l->sealed == NULL || l->token > d->durable || !send_letter(d, b, slot, now, l))
            return; // in order, or not at all
    }
}

// Seal with the session used last for receiving, which is the newest that can send.
static enum yr_err seal_plain(struct yr_delivery *d, struct yr_box *b, const uint8_t *plain,
                              size_t plain_len, uint8_t **out, size_t *out_len)
{
    const size_t cap = plain_len + YR_RATCHET_OVERHEAD;
    uint8_t *sealed = yr_alloc(d->mem, YR_MEM_CHAT, cap);
    enum yr_err err = YR_EAGAIN;

    if (sealed == NULL)
        return YR_ENOMEM;
    for (size_t i = 0; i < b->session_count && err == YR_EAGAIN; i++)
        err = yr_session_encrypt(&b->sessions[i], d->rng, plain, plain_len, sealed, cap, out_len);
    if (err != YR_OK) {
        yr_free(d->mem, sealed);
        return err;
    }
    b->sessions_dirty = true;
    *out = sealed;
    return YR_OK;
}

// Seal what waits in the window and store it sealed.
static void seal_window(struct yr_delivery *d, struct yr_box *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct yr_letter *l = yr_box_at(b, i);
        if (l->sealed != NULL)
            continue;
        if (seal_plain(d, b, l->plain, l->plain_len, &l->sealed, &l->sealed_len) != YR_OK)
            return;
        yr_letter_put(d, b, l->order, l->id, l->plain, l->plain_len, l->sealed, l->sealed_len);
        l->token = yr_rows_pending(d->rows);
        yr_free_secret(d->mem, l->plain);
        l->plain = NULL;
    }
}

static bool can_send(const struct yr_box *b)
{
    for (size_t i = 0; i < b->session_count; i++)
        if (b->sessions[i].flags & YR_SESSION_SENDS)
            return true;
    return false;
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
static void pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    struct yr_stored letter;

    if (!b->up)
        return;
    while (b->count < YR_WINDOW_MAX && b->queued > b->count &&
           yr_letter_next(d, b, b->loaded, &letter) == YR_OK)
        if (!load_letter(d, b, &letter))
            break;
    seal_window(d, b);
    send_window(d, b, slot, now);
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
    if (b->up && b->queued == b->count && can_send(b) && grow_window(d, b) != NULL &&
        (err = seal_plain(d, b, plain, len, &sealed, &sealed_len)) != YR_OK && err != YR_EAGAIN)
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

void yr_delivery_up(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    b->up = true;
    b->ack_count = 0; // of letters the last link brought, which come again by this one
    for (size_t i = 0; i < b->count; i++)
        yr_box_at(b, i)->sent = false; // whatever the last link took, this one has not
    pump(d, b, slot, now);
}

void yr_delivery_down(struct yr_delivery *d, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    b->up = false;
    b->ack_count = 0; // the friend sends again what it has no answer for
    yr_free(d->mem, b->acks);
    b->acks = NULL;
    if (b->count > 0)
        return;
    yr_free(d->mem, b->window); // most friends are away most of the time
    b->window = NULL;
    b->first = 0;
}

void yr_delivery_room(struct yr_delivery *d, struct yr_now now, unsigned slot)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b != NULL)
        yr_delivery_release(d, now, d->durable);
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
        forget_days(b);
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
    pump(d, b, slot, now);
    return YR_OK;
}

/* ---- receiving ---- */

static bool try_day(struct yr_box *b, uint32_t day, const uint8_t tag[16])
{
    struct yr_day_keys keys = {.valid = false};
    bool hit;

    if (!use_day(b, &keys, (uint8_t)(1 - b->out_dir), day))
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
static enum yr_err find_day(struct yr_box *b, struct yr_now now, const uint8_t tag[16])
{
    const uint32_t guess = clamp(today(now), b->timekey.day, b->timekey.day + YR_TIMEKEY_REACH);

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

static struct yr_session *find_session(struct yr_box *b, const uint8_t sid8[8])
{
    for (size_t i = 0; i < b->session_count; i++)
        if (memcmp(b->sessions[i].sid, sid8, 8) == 0)
            return &b->sessions[i];
    return NULL;
}

static void send_acks(struct yr_delivery *d, struct yr_box *b, unsigned slot);

static enum yr_err add_ack(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                           const uint8_t *envelope, size_t len, uint64_t token)
{
    if (b->acks == NULL &&
        (b->acks = yr_alloc(d->mem, YR_MEM_CHAT, YR_ENV_ACKS_HELD * sizeof *b->acks)) == NULL)
        return YR_ENOMEM;
    if (b->ack_count == YR_ENV_ACKS_HELD)
        return YR_EPROTO;
    yr_envelope_id(b->acks[b->ack_count].eid, envelope, len);
    b->acks[b->ack_count++].token = token;
    if (token <= d->durable)
        send_acks(d, b, slot); // a duplicate: no commit need come after it
    return YR_OK;
}

static enum yr_err open_message(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                                struct yr_now now, const uint8_t *msg, size_t len)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    struct yr_session *session, after;
    uint8_t sid8[8];
    size_t n;
    enum yr_err err;

    if (yr_session_peek(msg, len, sid8) != YR_OK || (session = find_session(b, sid8)) == NULL) {
        d->counters[YR_ENV_N_DROP_SESSION]++;
        return YR_EAUTH;
    }
    err = yr_session_decrypt(session, &after, &b->skipped, now_s, d->rng, msg, len, d->plain,
                             sizeof d->plain, &n);
    if (err == YR_EEXIST) {
        d->counters[YR_ENV_N_DUPLICATES]++;
        return YR_EEXIST;
    }
    if (err != YR_OK) {
        d->counters[err == YR_EFULL ? YR_ENV_N_DROP_GAP : YR_ENV_N_DROP_SESSION]++;
        return err == YR_ENOMEM ? err : YR_EAUTH;
    }
    *session = after;
    yr_session_clear(&after);
    b->sessions_dirty = true;
    d->counters[YR_ENV_N_RECEIVED]++;
    err = d->ops.plain(d->ops.ctx, now, slot, d->plain, n);
    yr_wipe(d->plain, n);
    return err == YR_EEXIST || err == YR_EPROTO ? YR_OK : err;
}

enum yr_err yr_delivery_receive(struct yr_delivery *d, struct yr_now now, unsigned slot,
                                const uint8_t *envelope, size_t len)
{
    struct yr_box *b = yr_box_of(d, slot);
    enum yr_envelope_kind kind;
    const uint8_t *body;
    uint8_t tag[16];
    size_t body_len;
    enum yr_err err;

    if (b == NULL || yr_envelope_peek(envelope, len, NULL, tag) != YR_OK) {
        d->counters[YR_ENV_N_DROP_FORM]++;
        return YR_OK;
    }
    if ((err = find_day(b, now, tag)) != YR_OK) {
        d->counters[YR_ENV_N_DROP_TAG]++;
        return err == YR_EPROTO ? err : YR_OK;
    }
    if (yr_envelope_open(b->in_keys.env, envelope, len, d->opened, sizeof d->opened, &kind, &body,
                         &body_len) != YR_OK) {
        d->counters[YR_ENV_N_DROP_AEAD]++;
        return YR_OK;
    }
    heard(b, b->in_keys.day);
    if (kind == YR_ENV_COVER)
        return add_ack(d, b, slot, envelope, len, 0);
    if (kind != YR_ENV_MESSAGE) {
        d->counters[YR_ENV_N_DROP_KIND]++;
        return YR_OK;
    }
    err = open_message(d, b, slot, now, body, body_len);
    if (err == YR_OK)
        b->received_token = yr_rows_pending(d->rows);
    else if (err == YR_EAUTH)
        return YR_OK; // not acknowledged: it may be read one day
    else if (err != YR_EEXIST)
        return err;
    pump(d, b, slot, now); // the first message received opens our own sending chain
    return add_ack(d, b, slot, envelope, len, b->received_token);
}

/* ---- durability ---- */

static void send_acks(struct yr_delivery *d, struct yr_box *b, unsigned slot)
{
    uint8_t body[YR_ENV_ACKS_SENT * (1 + YR_HASH16)];
    size_t sent = 0;

    while (b->up && sent < b->ack_count && b->acks[sent].token <= d->durable) {
        struct yr_wr wr = yr_wr_init(body, sizeof body);
        size_t n = 0;
        while (sent + n < b->ack_count && n < YR_ENV_ACKS_SENT &&
               b->acks[sent + n].token <= d->durable) {
            yr_wr_u8(&wr, YR_ENV_DONE);
            yr_wr_bytes(&wr, b->acks[sent + n].eid, YR_HASH16);
            n++;
        }
        if (d->ops.frame(d->ops.ctx, slot, YR_FRAME_ENV_ACK, body, yr_wr_len(&wr)) != YR_OK)
            break;
        sent += n;
    }
    b->ack_count -= sent;
    if (sent > 0)
        memmove(b->acks, b->acks + sent, b->ack_count * sizeof *b->acks);
}

// Letters that found no memory, or came while one did, are tried again with the next commit.
static bool has_to_pump(struct yr_box *b)
{
    if (b->queued > b->count && b->count < YR_WINDOW_MAX)
        return true;
    return b->count > 0 && yr_box_at(b, b->count - 1)->sealed == NULL && can_send(b);
}

void yr_delivery_release(struct yr_delivery *d, struct yr_now now, uint64_t durable)
{
    d->durable = durable;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b == NULL || !b->up)
            continue;
        send_acks(d, b, slot);
        if (has_to_pump(b))
            pump(d, b, slot, now);
        else
            send_window(d, b, slot, now);
    }
}

static void drop_prekeys(struct yr_delivery *d, struct yr_box *b, uint64_t now_s)
{
    const size_t before = b->own_count;

    // The newest stays whatever our clock says.
    while (b->own_count > 1 && b->own[b->own_count - 1].exp_s < now_s)
        yr_wipe(&b->own[--b->own_count], sizeof b->own[0]);
    if (b->own_count != before)
        yr_box_put_prekeys(d, b);
}

void yr_delivery_daily(struct yr_delivery *d, struct yr_now now)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b == NULL)
            continue;
        (void)yr_skipped_expire(&b->skipped, now_s);
        drop_prekeys(d, b, now_s);
    }
}

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

/* ---- prekeys ---- */

void yr_delivery_own_prekey(struct yr_delivery *d, unsigned slot,
                            const struct yr_prekey_own *prekey)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    if (b->own_count == YR_PREKEYS_MAX)
        b->own_count--; // the oldest is last
    memmove(&b->own[1], &b->own[0], b->own_count * sizeof b->own[0]);
    b->own[0] = *prekey;
    b->own_count++;
    yr_box_put_prekeys(d, b);
}

enum yr_err yr_delivery_prekey(struct yr_delivery *d, struct yr_now now, unsigned slot,
                               struct yr_prekey *out, bool *fresh)
{
    struct yr_box *b = yr_box_of(d, slot);
    const uint32_t now_s = (uint32_t)((uint64_t)YR_MAX(now.wall_ms, 0) / 1000);
    struct yr_prekey_own made;

    if (b == NULL)
        return YR_ENOFRIEND;
    // The second: made while our clock was far ahead.
    *fresh = b->own_count == 0 ||
             b->own[0].exp_s < now_s + (YR_PREKEY_DAYS - YR_PREKEY_RENEW_DAYS) * YR_DAY_S ||
             b->own[0].exp_s > now_s + YR_PREKEY_DAYS * YR_DAY_S;
    if (*fresh) {
        yr_prekey_new(&made, b->own_count > 0 ? b->own[0].id + 1 : 1,
                      now_s + YR_PREKEY_DAYS * YR_DAY_S, d->rng);
        yr_delivery_own_prekey(d, slot, &made);
        yr_wipe(&made, sizeof made);
    }
    yr_prekey_public(out, &b->own[0]);
    return YR_OK;
}

void yr_delivery_their_prekey(struct yr_delivery *d, unsigned slot, const struct yr_prekey *prekey)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    b->theirs = *prekey;
    b->has_theirs = true;
    yr_box_put_prekeys(d, b);
}

struct yr_counter yr_delivery_counter(const struct yr_delivery *d, size_t i)
{
    if (i >= YR_ENV_COUNTERS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], d->counters[i]};
}

/* ---- friends who keep letters ---- */

void yr_delivery_held(const struct yr_delivery *d, unsigned slot, const uint8_t id[YR_MSG_ID_LEN],
                      struct yr_held *out)
{
    (void)d; // letters go only where they are for
    (void)slot;
    (void)id;
    memset(out, 0, sizeof *out);
}

void yr_delivery_held_all(const struct yr_delivery *d, unsigned slot, size_t *letters,
                          unsigned *holders)
{
    (void)d;
    (void)slot;
    *letters = 0;
    *holders = 0;
}
