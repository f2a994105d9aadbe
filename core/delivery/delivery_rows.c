#include "core/delivery/delivery_state.h"

#define ROW_VERSION    1
#define WAS_SEALED     0x80 /* beside the type */
#define LETTER_VERSION 2    /* 1: without type and times */

void yr_letter_key(uint8_t out[8], uint64_t order)
{
    struct yr_wr wr = yr_wr_init(out, 8);

    yr_wr_u64be(&wr, order);
}

enum yr_err yr_letter_put(struct yr_delivery *d, const struct yr_box *b,
                          const struct yr_stored *letter)
{
    struct yr_wr wr = yr_wr_init(d->row, sizeof d->row);
    uint8_t key[8];

    yr_wr_u8(&wr, LETTER_VERSION);
    yr_wr_bytes(&wr, letter->id, YR_MSG_ID_LEN);
    yr_wr_u8(&wr, (uint8_t)(letter->type | (letter->was_sealed ? WAS_SEALED : 0)));
    yr_wr_u64(&wr, letter->made_ms);
    yr_wr_u64(&wr, letter->expires_s);
    yr_wr_u32(&wr, (uint32_t)letter->plain_len);
    yr_wr_bytes(&wr, letter->plain, letter->plain_len);
    yr_wr_bytes(&wr, letter->sealed, letter->sealed_len);
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    yr_letter_key(key, letter->order);
    return yr_rows_put(d->rows, YR_TABLE_OUTBOX, b->id, 32, key, sizeof key, d->row,
                       yr_wr_len(&wr));
}

void yr_letter_mark(struct yr_delivery *d)
{
    if (d->row[0] == LETTER_VERSION)
        d->row[1 + YR_MSG_ID_LEN] |= WAS_SEALED;
}

static enum yr_err read_letter(const uint8_t *row, size_t len, struct yr_stored *out)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd);

    out->type = 0;
    out->was_sealed = false;
    out->made_ms = out->expires_s = 0;
    out->id = yr_rd_bytes(&rd, YR_MSG_ID_LEN);
    if (version == LETTER_VERSION) {
        out->type = yr_rd_u8(&rd);
        out->was_sealed = (out->type & WAS_SEALED) != 0;
        out->type &= (uint8_t)~WAS_SEALED;
        out->made_ms = yr_rd_u64(&rd);
        out->expires_s = yr_rd_u64(&rd);
    }
    out->plain_len = yr_rd_u32(&rd);
    out->plain = yr_rd_bytes(&rd, out->plain_len);
    out->sealed_len = yr_rd_left(&rd);
    out->sealed = yr_rd_bytes(&rd, out->sealed_len);
    return yr_rd_done(&rd) && (version == 1 || version == LETTER_VERSION) ? YR_OK : YR_ECORRUPT;
}

enum yr_err yr_letter_get(struct yr_delivery *d, const struct yr_box *b, uint64_t order,
                          struct yr_stored *out)
{
    uint8_t key[8];
    size_t len;
    enum yr_err err;

    yr_letter_key(key, order);
    out->order = order;
    err = yr_rows_get(d->rows, YR_TABLE_OUTBOX, b->id, 32, key, sizeof key, d->row, sizeof d->row,
                      &len);
    return err == YR_OK ? read_letter(d->row, len, out) : err;
}

enum yr_err yr_delivery_letter_plain(const uint8_t *row, size_t *len)
{
    struct yr_stored letter;
    enum yr_err err = read_letter(row, *len, &letter);

    if (err == YR_OK)
        *len -= letter.sealed_len;
    return err;
}

enum yr_err yr_letter_next(struct yr_delivery *d, const struct yr_box *b, uint64_t order,
                           struct yr_stored *out)
{
    struct yr_row at;
    struct yr_rd key;
    enum yr_err err;

    yr_letter_key(at.suffix, order);
    at.suffix_len = 8;
    err = yr_rows_seek(d->rows, YR_TABLE_OUTBOX, b->id, 32, YR_SEEK_GT, &at, d->row, sizeof d->row);
    if (err != YR_OK)
        return err;
    key = yr_rd_init(at.suffix, at.suffix_len);
    out->order = yr_rd_u64be(&key);
    return yr_rd_done(&key) ? read_letter(d->row, at.value_len, out) : YR_ECORRUPT;
}

void yr_letter_del(struct yr_delivery *d, struct yr_box *b, uint64_t order)
{
    uint8_t key[8];

    yr_letter_key(key, order);
    yr_rows_del(d->rows, YR_TABLE_OUTBOX, b->id, 32, key, sizeof key);
    b->queued--;
}

/* ---- posts ---- */

#define HANDED   0x80 /* status: through another friend */
#define HOLD_LEN (16 + 1 + 8)
#define POST_MAX (1 + 4 + 4 + 8 + YR_NONCE_LEN + YR_HASH16 + YR_MAIL_HOLDERS_MAX * HOLD_LEN)

void yr_post_put(struct yr_delivery *d, const struct yr_box *b, struct yr_post *post)
{
    uint8_t row[POST_MAX], key[8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u32(&wr, post->day);
    yr_wr_u32(&wr, post->exp_s);
    yr_wr_u64(&wr, post->made_s);
    yr_wr_bytes(&wr, post->nonce, sizeof post->nonce);
    yr_wr_bytes(&wr, post->eid, sizeof post->eid);
    for (size_t i = 0; i < post->count; i++) {
        const struct yr_hold *hold = &post->holds[i];
        if (hold->status == YR_HELD_ASKED)
            continue; // it is asked again, if we forget that
        yr_wr_bytes(&wr, hold->holder, sizeof hold->holder);
        yr_wr_u8(&wr, (uint8_t)(hold->status | (hold->handed ? HANDED : 0)));
        yr_wr_u64(&wr, hold->since_s);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    yr_letter_key(key, post->order);
    yr_rows_put(d->rows, YR_TABLE_POSTED, b->id, 32, key, sizeof key, row, yr_wr_len(&wr));
}

static bool read_hold(struct yr_rd *rd, struct yr_hold *out)
{
    uint8_t status;

    memset(out, 0, sizeof *out);
    yr_rd_copy(rd, out->holder, sizeof out->holder);
    status = yr_rd_u8(rd);
    out->since_s = yr_rd_u64(rd);
    out->slot = out->via = YR_FRIENDS_MAX;
    out->handed = (status & HANDED) != 0;
    status &= (uint8_t)~HANDED;
    if (rd->bad || status <= YR_HELD_ASKED || status > YR_HELD_FULL)
        return false;
    out->status = (enum yr_held_status)status;
    return true;
}

enum yr_err yr_post_get(struct yr_delivery *d, const struct yr_box *b, uint64_t order,
                        struct yr_post *out)
{
    uint8_t row[POST_MAX + 64], key[8];
    struct yr_rd rd;
    uint8_t version;
    size_t len;
    enum yr_err err;

    yr_letter_key(key, order);
    err = yr_rows_get(d->rows, YR_TABLE_POSTED, b->id, 32, key, sizeof key, row, sizeof row, &len);
    if (err != YR_OK)
        return err;
    memset(out, 0, sizeof *out);
    rd = yr_rd_init(row, len);
    version = yr_rd_u8(&rd);
    out->order = order;
    out->day = yr_rd_u32(&rd);
    out->exp_s = yr_rd_u32(&rd);
    out->made_s = yr_rd_u64(&rd);
    yr_rd_copy(&rd, out->nonce, sizeof out->nonce);
    yr_rd_copy(&rd, out->eid, sizeof out->eid);
    while (!rd.bad && yr_rd_left(&rd) > 0)
        if (out->count == YR_MAIL_HOLDERS_MAX || !read_hold(&rd, &out->holds[out->count++]))
            return YR_ECORRUPT;
    return yr_rd_done(&rd) && version == ROW_VERSION && out->exp_s % YR_ENVELOPE_STEP_S == 0
               ? YR_OK
               : YR_ECORRUPT;
}

#define TIMEKEY_LEN (YR_TIMEKEY_ROW_LEN + 3 * 4)

void yr_box_put_days(struct yr_delivery *d, const struct yr_box *b)
{
    uint8_t row[TIMEKEY_LEN];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    uint8_t *room = yr_wr_room(&wr, YR_TIMEKEY_ROW_LEN);

    yr_timekey_encode(room, &b->timekey);
    yr_wr_u32(&wr, b->sent_day);
    yr_wr_u32(&wr, b->acked_day);
    yr_wr_u32(&wr, b->heard_day);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(d->rows, YR_TABLE_TIMEKEY, NULL, 0, b->id, 32, row, sizeof row);
    yr_wipe(row, sizeof row);
}

static enum yr_err decode_timekey(struct yr_box *b, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t *key = yr_rd_bytes(&rd, YR_TIMEKEY_ROW_LEN);

    b->sent_day = yr_rd_u32(&rd);
    b->acked_day = yr_rd_u32(&rd);
    b->heard_day = yr_rd_u32(&rd);
    if (!yr_rd_done(&rd) || yr_timekey_decode(&b->timekey, key, YR_TIMEKEY_ROW_LEN) != YR_OK)
        return YR_ECORRUPT;
    return YR_OK;
}

// Since the backup another device may have gone on, a day a day, and the friend with it: it may
// have forgotten days up to 16 before the last that was sent.  As long as YR_TIMEKEY_REACH bridges
// that, a day is used that the friend has whether or not it was so.  Of older backups nothing is
// guessed: with the first link one goes after the other.
static void days_went_by(struct yr_box *b, uint32_t made, uint32_t today)
{
    const uint32_t age = today > made ? today - made : 0;

    if (age <= YR_TIMEKEY_REACH - YR_TIMEKEY_STEP)
        b->sent_day = YR_MAX(b->sent_day, YR_MIN(b->sent_day + age, today));
}

enum yr_err yr_delivery_days_restored(uint8_t *row, size_t len, uint32_t made, uint32_t today)
{
    struct yr_box b;
    struct yr_wr wr = yr_wr_init(row, len);
    enum yr_err err = YR_EPROTO;

    memset(&b, 0, sizeof b);
    if (len == TIMEKEY_LEN && decode_timekey(&b, row, len) == YR_OK &&
        YR_MAX(YR_MAX(b.sent_day, b.acked_day), YR_MAX(b.heard_day, today)) < UINT32_MAX / 4) {
        days_went_by(&b, made, today);
        yr_timekey_encode(yr_wr_room(&wr, YR_TIMEKEY_ROW_LEN), &b.timekey);
        yr_wr_u32(&wr, b.sent_day);
        yr_wr_u32(&wr, b.acked_day);
        yr_wr_u32(&wr, b.heard_day);
        YR_ASSERT(yr_wr_ok(&wr));
        err = YR_OK;
    }
    yr_wipe(&b, sizeof b);
    return err;
}

static enum yr_err load_outbox(struct yr_delivery *d, struct yr_box *b)
{
    struct yr_stored letter;
    uint64_t order = 0;
    enum yr_err err;

    while ((err = yr_letter_next(d, b, order, &letter)) == YR_OK) {
        order = letter.order;
        b->queued++;
    }
    b->next_order = order + 1;
    return err == YR_ENOENT ? YR_OK : err;
}

// What others keep is to be at hand: they say ids of envelopes.
static enum yr_err load_posts(struct yr_delivery *d, struct yr_box *b)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_err err = yr_rows_seek(d->rows, YR_TABLE_POSTED, b->id, 32, YR_SEEK_GE, &at, NULL, 0);

    if (err == YR_OK)
        err = yr_letters_fill(d, b);
    return err == YR_ENOENT || err == YR_ENOMEM ? YR_OK : err; // what there is no memory for: later
}

enum yr_err yr_delivery_load(struct yr_delivery *d, unsigned slot, const uint8_t id[32],
                             uint8_t out_dir)
{
    struct yr_box *b = yr_box_new(d, slot, id, out_dir);
    enum yr_err err;
    size_t len;

    if (b == NULL)
        return YR_ENOMEM;
    err = yr_rows_get(d->rows, YR_TABLE_TIMEKEY, NULL, 0, id, 32, d->row, sizeof d->row, &len);
    if (err == YR_OK)
        err = decode_timekey(b, d->row, len);
    else if (err == YR_ENOENT)
        err = YR_ECORRUPT; // a friend without keys
    if (err == YR_OK)
        err = yr_sessions_load(d, b);
    if (err == YR_OK)
        err = load_outbox(d, b);
    if (err == YR_OK)
        err = load_posts(d, b);
    yr_wipe(d->row, sizeof d->row);
    if (err != YR_OK)
        yr_box_free(d, slot);
    return err;
}

static void flush_box(struct yr_delivery *d, struct yr_box *b)
{
    if (b->days_dirty)
        yr_box_put_days(d, b);
    b->days_dirty = false;
    yr_sessions_flush(d, b);
}

void yr_delivery_flush(struct yr_delivery *d)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (d->boxes[slot] != NULL)
            flush_box(d, d->boxes[slot]);
}
