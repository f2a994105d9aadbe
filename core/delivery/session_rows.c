#include "core/delivery/delivery_state.h"

#define MORE_VERSION   1
#define MORE_DEAD      1
#define MORE_OPENING   2
#define MORE_MAX       (1 + YR_SESSIONS_MAX * (1 + 8 + YR_PKH_LEN))
#define PREKEY_VERSION 2 /* 1: without times, and without what follows the prekeys */
#define NOTE_DUE       1
#define NOTE_ASK       2
#define KNOWN_LEN      (4 + 32)
#define PREKEYS_MAX                                                                  \
    (2 + YR_PREKEYS_MAX * (YR_PREKEY_OWN_LEN + 16) + 1 + YR_PREKEY_LEN + 8 + 4 + 3 + \
     YR_PKH_KNOWN_MAX * KNOWN_LEN + (2 * YR_PKH_DAY + YR_PKH_KNOWN_MAX) * 8 + 1 + 8 + 8 + 8 + 8)

/* ---- sessions ---- */

static void write_more(struct yr_wr *wr, const struct yr_session_more *more)
{
    yr_wr_u8(wr, (uint8_t)((more->dead ? MORE_DEAD : 0) | (more->opening ? MORE_OPENING : 0)));
    yr_wr_u64(wr, more->since_s);
    if (more->opening)
        yr_wr_bytes(wr, more->header, sizeof more->header);
}

static void put_sessions(struct yr_delivery *d, struct yr_box *b)
{
    uint8_t row[YR_SESSIONS_ROW_MAX + MORE_MAX];
    const size_t len = yr_sessions_encode(row, b->sessions, b->session_count);
    struct yr_wr wr = yr_wr_init(row + len, MORE_MAX);

    yr_wr_u8(&wr, MORE_VERSION);
    for (size_t i = 0; i < b->session_count; i++)
        write_more(&wr, &b->more[i]);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(d->rows, YR_TABLE_SESSION, NULL, 0, b->id, 32, row, len + yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
}

static bool read_more(struct yr_rd *rd, struct yr_session_more *more)
{
    const uint8_t flags = yr_rd_u8(rd);

    more->dead = flags & MORE_DEAD;
    more->opening = flags & MORE_OPENING;
    more->since_s = yr_rd_u64(rd);
    if (more->opening)
        yr_rd_copy(rd, more->header, sizeof more->header);
    return !rd->bad && (flags & ~(MORE_DEAD | MORE_OPENING)) == 0 && more->since_s <= INT64_MAX;
}

// Without the rest: of an earlier version, where all were begun by first contact.
static enum yr_err read_sessions(struct yr_delivery *d, struct yr_box *b, const uint8_t *row,
                                 size_t len)
{
    const size_t head = len < 2 ? len : YR_MIN(len, 2 + row[1] * (size_t)YR_SESSION_LEN);
    struct yr_rd rd = yr_rd_init(row + head, len - head);

    if (yr_sessions_decode(b->sessions, &b->session_count, row, head) != YR_OK)
        return YR_ECORRUPT;
    if (len == head) {
        for (size_t i = 0; i < b->session_count; i++)
            b->more[i].since_s = (uint64_t)YR_MAX(d->age->ms, (yr_ms)0) / 1000;
        return YR_OK;
    }
    if (yr_rd_u8(&rd) != MORE_VERSION)
        return YR_ECORRUPT;
    for (size_t i = 0; i < b->session_count; i++)
        if (!read_more(&rd, &b->more[i]))
            return YR_ECORRUPT;
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

/* ---- prekeys and what was begun with them ---- */

static void write_times(struct yr_wr *wr, const uint64_t *times, size_t count)
{
    yr_wr_u8(wr, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        yr_wr_u64(wr, times[i]);
}

static void write_resets(struct yr_wr *wr, const struct yr_box *b)
{
    yr_wr_u8(wr, (uint8_t)b->known_count);
    for (size_t i = 0; i < b->known_count; i++) {
        yr_wr_u32(wr, b->known[i].prekey);
        yr_wr_bytes(wr, b->known[i].e, sizeof b->known[i].e);
    }
    write_times(wr, b->starts_s, b->start_count);
    write_times(wr, b->resets_s, b->reset_count);
    yr_wr_u8(wr, (uint8_t)((b->note.due ? NOTE_DUE : 0) | (b->note.ask ? NOTE_ASK : 0)));
    yr_wr_bytes(wr, b->note.sid8, sizeof b->note.sid8);
    yr_wr_bytes(wr, b->bad_sid8, sizeof b->bad_sid8);
    yr_wr_u64(wr, b->bad_s);
    yr_wr_u64(wr, b->ask_s);
}

static void put_prekeys(struct yr_delivery *d, struct yr_box *b)
{
    uint8_t row[PREKEYS_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, PREKEY_VERSION);
    yr_wr_u8(&wr, (uint8_t)b->own_count);
    for (size_t i = 0; i < b->own_count; i++) {
        uint8_t *room = yr_wr_room(&wr, YR_PREKEY_OWN_LEN);
        yr_prekey_own_encode(room, &b->own[i].key);
        yr_wr_u64(&wr, b->own[i].made_s);
        yr_wr_u64(&wr, b->own[i].used_s);
    }
    yr_wr_u8(&wr, b->has_theirs);
    if (b->has_theirs) {
        uint8_t *room = yr_wr_room(&wr, YR_PREKEY_LEN);
        yr_prekey_encode(room, &b->theirs);
        yr_wr_u64(&wr, b->theirs_until_s);
    }
    yr_wr_u32(&wr, b->own_last);
    write_resets(&wr, b);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(d->rows, YR_TABLE_PREKEY, NULL, 0, b->id, 32, row, yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
}

static bool read_times(struct yr_rd *rd, uint64_t *out, size_t *count, size_t max)
{
    *count = yr_rd_u8(rd);
    if (*count > max)
        return false;
    for (size_t i = 0; i < *count; i++)
        if ((out[i] = yr_rd_u64(rd)) > INT64_MAX)
            return false;
    return true;
}

static bool read_resets(struct yr_rd *rd, struct yr_box *b)
{
    uint8_t flags;

    b->known_count = yr_rd_u8(rd);
    if (b->known_count > YR_PKH_KNOWN_MAX)
        return false;
    for (size_t i = 0; i < b->known_count; i++) {
        b->known[i].prekey = yr_rd_u32(rd);
        yr_rd_copy(rd, b->known[i].e, sizeof b->known[i].e);
    }
    if (!read_times(rd, b->starts_s, &b->start_count, YR_COUNT(b->starts_s)) ||
        !read_times(rd, b->resets_s, &b->reset_count, YR_COUNT(b->resets_s)))
        return false;
    flags = yr_rd_u8(rd);
    b->note.due = flags & NOTE_DUE;
    b->note.ask = flags & NOTE_ASK;
    yr_rd_copy(rd, b->note.sid8, sizeof b->note.sid8);
    yr_rd_copy(rd, b->bad_sid8, sizeof b->bad_sid8);
    b->bad_s = yr_rd_u64(rd);
    b->ask_s = yr_rd_u64(rd);
    return (flags & ~(NOTE_DUE | NOTE_ASK)) == 0 && b->bad_s <= INT64_MAX && b->ask_s <= INT64_MAX;
}

static bool read_own(struct yr_rd *rd, struct yr_own_prekey *own, bool timed, uint64_t now_s)
{
    const uint8_t *at = yr_rd_bytes(rd, YR_PREKEY_OWN_LEN);

    if (at == NULL || yr_prekey_own_decode(&own->key, at, YR_PREKEY_OWN_LEN) != YR_OK)
        return false;
    own->made_s = timed ? yr_rd_u64(rd) : now_s;
    own->used_s = timed ? yr_rd_u64(rd) : 0;
    return own->made_s <= INT64_MAX && own->used_s <= INT64_MAX;
}

static enum yr_err read_prekeys(struct yr_delivery *d, struct yr_box *b, const uint8_t *row,
                                size_t len)
{
    const uint64_t now_s = (uint64_t)YR_MAX(d->age->ms, (yr_ms)0) / 1000;
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd), count = yr_rd_u8(&rd);
    const bool timed = version == PREKEY_VERSION;
    const uint8_t *at;

    if (rd.bad || (version != 1 && !timed) || count > YR_PREKEYS_MAX)
        return YR_ECORRUPT;
    for (size_t i = 0; i < count; i++) {
        if (!read_own(&rd, &b->own[i], timed, now_s))
            return YR_ECORRUPT;
        b->own_last = YR_MAX(b->own_last, b->own[i].key.id);
    }
    b->own_count = count;
    b->has_theirs = yr_rd_u8(&rd) != 0;
    if (b->has_theirs) {
        if ((at = yr_rd_bytes(&rd, YR_PREKEY_LEN)) == NULL ||
            yr_prekey_decode(&b->theirs, at, YR_PREKEY_LEN) != YR_OK)
            return YR_ECORRUPT;
        b->theirs_until_s = timed ? yr_rd_u64(&rd) : now_s + YR_PREKEY_DAYS * YR_DAY_S;
    }
    if (timed) {
        const uint32_t last = yr_rd_u32(&rd);
        b->own_last = YR_MAX(b->own_last, last);
        if (!read_resets(&rd, b))
            return YR_ECORRUPT;
    }
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

/* ---- skipped keys ---- */

static enum yr_err corrupt(enum yr_err err)
{
    return err == YR_EPROTO || err == YR_EVERSION ? YR_ECORRUPT : err;
}

static enum yr_err load_skipped(struct yr_delivery *d, struct yr_box *b)
{
    uint8_t *row = yr_alloc(d->mem, YR_MEM_CHAT, YR_SKIPPED_ROW_MAX);
    enum yr_err err = YR_OK;
    size_t len;

    if (row == NULL)
        return YR_ENOMEM;
    for (uint8_t part = 0; part < YR_SKIPPED_PARTS && err == YR_OK; part++) {
        err = yr_rows_get(d->rows, YR_TABLE_SKIPPED, b->id, 32, &part, 1, row, YR_SKIPPED_ROW_MAX,
                          &len);
        if (err == YR_OK)
            err = corrupt(yr_skipped_decode(&b->skipped, part, row, len));
        else if (err == YR_ENOENT)
            err = YR_OK;
    }
    yr_free_secret(d->mem, row);
    return err;
}

static void put_skipped(struct yr_delivery *d, struct yr_box *b)
{
    unsigned changed = yr_skipped_changed(&b->skipped);

    for (uint8_t part = 0; changed != 0; part++, changed >>= 1) {
        size_t len;
        if ((changed & 1) == 0)
            continue;
        len = yr_skipped_encode(&b->skipped, part, d->row);
        if (len == 0)
            yr_rows_del(d->rows, YR_TABLE_SKIPPED, b->id, 32, &part, 1);
        else
            yr_rows_put(d->rows, YR_TABLE_SKIPPED, b->id, 32, &part, 1, d->row, len);
    }
}

/* ---- all ---- */

enum yr_err yr_sessions_load(struct yr_delivery *d, struct yr_box *b)
{
    enum yr_err err;
    size_t len;

    err = yr_rows_get(d->rows, YR_TABLE_SESSION, NULL, 0, b->id, 32, d->row, sizeof d->row, &len);
    if (err == YR_OK)
        err = read_sessions(d, b, d->row, len);
    if (err != YR_OK && err != YR_ENOENT)
        return err;
    err = yr_rows_get(d->rows, YR_TABLE_PREKEY, NULL, 0, b->id, 32, d->row, sizeof d->row, &len);
    if (err == YR_OK)
        err = read_prekeys(d, b, d->row, len);
    if (err != YR_OK && err != YR_ENOENT)
        return err;
    if ((err = load_skipped(d, b)) != YR_OK)
        return err;
    return yr_opened_load(d, b);
}

void yr_sessions_flush(struct yr_delivery *d, struct yr_box *b)
{
    if (b->sessions_dirty)
        put_sessions(d, b);
    if (b->prekeys_dirty)
        put_prekeys(d, b);
    b->sessions_dirty = b->prekeys_dirty = false;
    put_skipped(d, b);
    yr_opened_flush(d, b);
}

void yr_sessions_remove(struct yr_delivery *d, struct yr_box *b)
{
    yr_rows_del(d->rows, YR_TABLE_SESSION, NULL, 0, b->id, 32);
    yr_rows_del(d->rows, YR_TABLE_PREKEY, NULL, 0, b->id, 32);
    for (uint8_t part = 0; part < YR_SKIPPED_PARTS; part++)
        yr_rows_del(d->rows, YR_TABLE_SKIPPED, b->id, 32, &part, 1);
    yr_opened_remove(d, b);
}
