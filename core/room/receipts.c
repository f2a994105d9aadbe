/* core/room/receipts.c: who has what, and has read it: what we tell of others' messages, and what
 * others tell of ours.
 *
 * Nothing is said of single messages: a receipt names for each chain how far it goes, so the newest
 * one says all, and however much is said there is one small record every ten seconds. */
#include "core/room/state.h"

#define ROW_VERSION 1
#define FIRST_US    (500 * YR_MS) /* from the first thing to tell, and up to as much again ... */
#define GAP_US      (10 * YR_S)   /* ... and between two receipts */
#define HEARD_MAX   (8 * YR_ROOM_MEMBERS_MAX) /* chains */
#define STEP        64                        /* records looked at in one go */

/* ---- chains ---- */

static void make_key(uint8_t out[YR_MID_LEN + YR_INCARNATION_LEN], const uint8_t mid[YR_MID_LEN],
                     const uint8_t incarnation[YR_INCARNATION_LEN])
{
    memcpy(out, mid, YR_MID_LEN);
    memcpy(out + YR_MID_LEN, incarnation, YR_INCARNATION_LEN);
}

static size_t place_of(const struct yr_room *room, const uint8_t *key)
{
    size_t low = 0, high = room->heard_count;

    while (low < high) {
        const size_t at = low + (high - low) / 2;
        if (memcmp(room->heard[at].key, key, sizeof room->heard[at].key) < 0)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

static struct yr_heard *find(const struct yr_room *room, const uint8_t *key)
{
    const size_t at = place_of(room, key);

    return at < room->heard_count &&
                   memcmp(room->heard[at].key, key, sizeof room->heard[at].key) == 0
               ? &room->heard[at]
               : NULL;
}

enum yr_err yr_room_heard(struct yr_rooms *rooms, struct yr_room *room,
                          const uint8_t mid[YR_MID_LEN],
                          const uint8_t incarnation[YR_INCARNATION_LEN], struct yr_heard **out)
{
    uint8_t key[YR_MID_LEN + YR_INCARNATION_LEN];
    struct yr_heard *heard;
    enum yr_err err;
    size_t at;

    make_key(key, mid, incarnation);
    if ((heard = find(room, key)) == NULL) {
        err = yr_room_grow(rooms, &room->heard, &room->heard_cap, room->heard_count,
                           sizeof *room->heard, HEARD_MAX);
        if (err != YR_OK)
            return err;
        at = place_of(room, key);
        heard = &room->heard[at];
        memmove(heard + 1, heard, (room->heard_count - at) * sizeof *heard);
        memset(heard, 0, sizeof *heard);
        memcpy(heard->key, key, sizeof key);
        room->heard_count++;
    }
    *out = heard;
    return YR_OK;
}

static void touch(struct yr_room *room, struct yr_heard *heard)
{
    heard->dirty = room->heard_dirty = true;
}

void yr_heard_waits(struct yr_room *room, struct yr_heard *heard, uint64_t seq)
{
    if (heard->waiting == 0 || seq < heard->gap)
        heard->gap = seq;
    heard->waiting++;
    touch(room, heard);
}

void yr_heard_opened(struct yr_room *room, struct yr_heard *heard, uint64_t seq)
{
    if (heard->waiting > 0)
        heard->waiting--;
    if (heard->gap <= seq)
        heard->gap = seq + 1; // those of a chain are opened in their order, but for forks
    touch(room, heard);
}

void yr_room_receipts_flush(struct yr_rooms *rooms, struct yr_room *room)
{
    uint8_t row[1 + 8 + 8 + 4];

    for (size_t i = 0; i < room->heard_count; i++) {
        struct yr_heard *heard = &room->heard[i];
        struct yr_wr wr = yr_wr_init(row, sizeof row);
        if (!heard->dirty)
            continue;
        yr_wr_u8(&wr, ROW_VERSION);
        yr_wr_u64(&wr, heard->read);
        yr_wr_u64(&wr, heard->gap);
        yr_wr_u32(&wr, heard->waiting);
        yr_rows_put(rooms->rows, YR_TABLE_ROOMCHAIN, room->id, YR_ROOM_ID_LEN, heard->key,
                    sizeof heard->key, row, yr_wr_len(&wr));
        heard->dirty = false;
    }
    room->heard_dirty = false;
}

static enum yr_err load_chains(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    struct yr_heard *heard;
    uint8_t row[128];
    enum yr_err err;

    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(rooms->rows, YR_TABLE_ROOMCHAIN, room->id, YR_ROOM_ID_LEN, how, &at, row,
                           sizeof row);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        if (at.suffix_len != sizeof heard->key)
            return YR_ECORRUPT;
        if ((err = yr_room_heard(rooms, room, at.suffix, at.suffix + YR_MID_LEN, &heard)) != YR_OK)
            return err;
        struct yr_rd rd = yr_rd_init(row, at.value_len);
        const uint8_t version = yr_rd_u8(&rd);
        heard->read = yr_rd_u64(&rd);
        heard->gap = yr_rd_u64(&rd);
        heard->waiting = yr_rd_u32(&rd);
        if (!yr_rd_done(&rd) || version != ROW_VERSION)
            return YR_ECORRUPT;
    }
}

// What we have told is in our own last receipt.
static enum yr_err load_told(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_room_record record;
    struct yr_room_body body;
    struct yr_heard *heard;
    size_t len;
    enum yr_err err = yr_room_log_state(room->log, room->self, YR_ROOM_RECEIPT, rooms->in,
                                        sizeof rooms->in, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    if (yr_room_record_decode(&record, rooms->in, len) != YR_OK ||
        yr_room_body_decode(&body, record.class, record.body, record.body_len) != YR_OK ||
        !body.known || body.kind != YR_ROOM_RECEIPT)
        return YR_ECORRUPT;
    for (size_t i = 0; i < body.list_count; i++) {
        struct yr_rd rd = yr_rd_init(body.list + i * YR_RECEIPT_LEN, YR_RECEIPT_LEN);
        const uint8_t *mid = yr_rd_bytes(&rd, YR_MID_LEN);
        const uint8_t *incarnation = yr_rd_bytes(&rd, YR_INCARNATION_LEN);
        err = yr_room_heard(rooms, room, mid, incarnation, &heard);
        if (err != YR_OK)
            return err == YR_EFULL ? YR_OK : err;
        heard->told = yr_rd_u32(&rd);
        heard->told_read = yr_rd_u32(&rd);
        heard->read = YR_MAX(heard->read, heard->told_read);
    }
    return YR_OK;
}

/* ---- what we tell ---- */

void yr_room_receipt_due(struct yr_rooms *rooms, struct yr_room *room)
{
    uint8_t random[2];
    yr_us due;

    if (room->receipt_us != YR_NEVER)
        return;
    yr_random(rooms->rng, random, sizeof random);
    due = rooms->now.mono_us + FIRST_US + (random[0] | (yr_us)random[1] << 8) * FIRST_US / 65536;
    if (room->receipt_last_us != 0)
        due = YR_MAX(due, room->receipt_last_us + GAP_US);
    room->receipt_us = due;
}

// The i-th chain of others' messages, how far it is on disk and read; false past the end.
static bool chain_at(struct yr_rooms *rooms, struct yr_room *room, size_t *i,
                     uint8_t key[YR_MID_LEN + YR_INCARNATION_LEN], uint64_t *delivered,
                     uint64_t *read)
{
    const bool tell_read = rooms->ops.read_receipts(rooms->ops.ctx);
    struct yr_chain_info info;

    while (yr_room_log_chain(room->log, (*i)++, &info)) {
        const struct yr_heard *heard;
        if (info.key.class != YR_CLASS_MESSAGE || memcmp(info.key.mid, room->self, YR_MID_LEN) == 0)
            continue;
        make_key(key, info.key.mid, info.key.incarnation);
        heard = find(room, key);
        *delivered = info.seq;
        if (heard != NULL && heard->waiting > 0 && heard->gap > 0)
            *delivered = YR_MIN(*delivered, heard->gap - 1);
        *delivered = YR_MIN(*delivered, (uint64_t)UINT32_MAX);
        *read = heard != NULL && tell_read ? YR_MIN(heard->read, *delivered) : 0;
        if (heard != NULL) { // neither goes back
            *delivered = YR_MAX(*delivered, heard->told);
            *read = YR_MAX(*read, heard->told_read);
        }
        if (*delivered > 0)
            return true;
    }
    return false;
}

static bool is_news(const struct yr_room *room, const uint8_t *key, uint64_t delivered,
                    uint64_t read)
{
    const struct yr_heard *heard = find(room, key);

    return heard == NULL || delivered > heard->told || read > heard->told_read;
}

static void write_one(struct yr_wr *wr, const uint8_t *key, uint64_t delivered, uint64_t read)
{
    yr_wr_bytes(wr, key, YR_MID_LEN + YR_INCARNATION_LEN);
    yr_wr_u32(wr, (uint32_t)delivered);
    yr_wr_u32(wr, (uint32_t)read);
}

// The list of a receipt: what is new, then what is not as long as there is room.
static size_t write_list(struct yr_rooms *rooms, struct yr_room *room, struct yr_wr *wr, bool *news)
{
    uint8_t key[YR_MID_LEN + YR_INCARNATION_LEN];
    uint64_t delivered, read;
    size_t count = 0;

    *news = false;
    for (int old = 0; old < 2; old++)
        for (size_t i = 0;
             count < YR_RECEIPTS_MAX && chain_at(rooms, room, &i, key, &delivered, &read);) {
            const bool is_new = is_news(room, key, delivered, read);
            if (is_new == (old == 1))
                continue;
            *news |= is_new;
            write_one(wr, key, delivered, read);
            count++;
        }
    return count;
}

static enum yr_err note_told(struct yr_rooms *rooms, struct yr_room *room, const uint8_t *list,
                             size_t count)
{
    struct yr_heard *heard;
    enum yr_err err;

    for (size_t i = 0; i < count; i++) {
        struct yr_rd rd = yr_rd_init(list + i * YR_RECEIPT_LEN, YR_RECEIPT_LEN);
        const uint8_t *mid = yr_rd_bytes(&rd, YR_MID_LEN);
        const uint8_t *incarnation = yr_rd_bytes(&rd, YR_INCARNATION_LEN);
        err = yr_room_heard(rooms, room, mid, incarnation, &heard);
        if (err != YR_OK)
            return err == YR_EFULL ? YR_OK : err;
        heard->told = yr_rd_u32(&rd);
        heard->told_read = yr_rd_u32(&rd);
    }
    return YR_OK;
}

static enum yr_err tell(struct yr_rooms *rooms, struct yr_room *room)
{
    uint8_t *const list = rooms->in; // a record's length of room, free here
    struct yr_wr wr = yr_wr_init(list, YR_RECEIPTS_MAX * YR_RECEIPT_LEN);
    struct yr_room_body body = {.kind = YR_ROOM_RECEIPT, .known = true, .list = list};
    bool news;
    enum yr_err err;

    room->receipt_us = YR_NEVER;
    body.list_count = write_list(rooms, room, &wr, &news);
    if (!news)
        return YR_OK;
    room->receipt_last_us = rooms->now.mono_us;
    err = yr_room_publish(rooms, room, &body);
    if (err == YR_EAGAIN || err == YR_EDENIED) {
        room->receipt_us = rooms->now.mono_us + GAP_US;
        return YR_OK;
    }
    return err == YR_OK ? note_told(rooms, room, list, body.list_count) : err;
}

void yr_rooms_seen(struct yr_rooms *rooms, const uint8_t conv[YR_ID_LEN],
                   const uint8_t mid[YR_MID_LEN], const uint8_t incarnation[YR_INCARNATION_LEN],
                   uint64_t seq)
{
    struct yr_room *room = yr_rooms_find(rooms, conv);
    struct yr_heard *heard;

    if (room == NULL || room->log == NULL || room->epochs == NULL ||
        yr_room_heard(rooms, room, mid, incarnation, &heard) != YR_OK || seq <= heard->read)
        return; // what is not told now is told with the next
    heard->read = seq;
    touch(room, heard);
}

void yr_rooms_read(struct yr_rooms *rooms, struct yr_now now, const uint8_t conv[YR_ID_LEN])
{
    struct yr_room *room = yr_rooms_find(rooms, conv);

    rooms->now = now;
    if (room != NULL && room->epochs != NULL)
        yr_room_receipt_due(rooms, room);
}

/* ---- what others tell ---- */

uint64_t yr_room_own_seq(struct yr_room *room)
{
    struct yr_chain_key key = {.class = YR_CLASS_MESSAGE};
    struct yr_chain_info info;

    memcpy(key.mid, room->self, YR_MID_LEN);
    memcpy(key.incarnation, room->incarnation, sizeof key.incarnation);
    return yr_room_log_chain_find(room->log, &key, &info) ? info.seq : 0;
}

enum yr_err yr_room_receipt(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const struct yr_room_body *body)
{
    const uint64_t own = yr_room_own_seq(room);
    struct yr_mate *mate = yr_room_mate(room, record->author);
    uint8_t key[YR_MID_LEN + YR_INCARNATION_LEN];

    (void)rooms;
    if (mate == NULL || memcmp(record->author, room->self, YR_MID_LEN) == 0)
        return YR_OK;
    make_key(key, room->self, room->incarnation);
    for (size_t i = 0; i < body->list_count; i++) {
        struct yr_rd rd = yr_rd_init(body->list + i * YR_RECEIPT_LEN, YR_RECEIPT_LEN);
        uint64_t delivered, read;
        if (memcmp(yr_rd_bytes(&rd, sizeof key), key, sizeof key) != 0)
            continue;
        delivered = YR_MIN((uint64_t)yr_rd_u32(&rd), own);
        read = YR_MIN((uint64_t)yr_rd_u32(&rd), delivered);
        if (delivered <= mate->delivered && read <= mate->read)
            continue;
        mate->delivered = YR_MAX(mate->delivered, delivered);
        mate->read = YR_MAX(mate->read, read);
        mate->dirty = room->mates_dirty = room->raise = true;
    }
    return YR_OK;
}

static bool counts_for(const struct yr_room *room, const struct yr_mate *mate, uint64_t seq)
{
    return mate->rank > 0 && mate->from_seq < seq && memcmp(mate->mid, room->self, YR_MID_LEN) != 0;
}

// Everybody whom they are for has our messages up to here (has read them).
static uint64_t reach(struct yr_room *room, uint64_t own, bool read)
{
    uint64_t least = own;

    for (size_t i = 0; i < room->mate_count; i++) {
        const struct yr_mate *mate = &room->mates[i];
        const uint64_t has = read ? mate->read : mate->delivered;
        if (counts_for(room, mate, UINT64_MAX))
            least = YR_MIN(least, YR_MAX(has, mate->from_seq));
    }
    return least;
}

static bool for_anybody(const struct yr_room *room, uint64_t seq)
{
    for (size_t i = 0; i < room->mate_count; i++)
        if (counts_for(room, &room->mates[i], seq))
            return true;
    return false;
}

static enum yr_err raise_some(struct yr_rooms *rooms, struct yr_room *room, uint64_t *at,
                              uint64_t to, enum yr_state state)
{
    struct yr_chain_key key = {.class = YR_CLASS_MESSAGE};
    uint64_t arrivals[STEP], next;
    struct yr_room_record record;
    struct yr_room_entry entry;
    size_t count, len;
    enum yr_err err;

    if (*at >= to)
        return YR_OK;
    memcpy(key.mid, room->self, YR_MID_LEN);
    memcpy(key.incarnation, room->incarnation, sizeof key.incarnation);
    err = yr_room_log_range(room->log, &key, *at + 1, to, arrivals, STEP, &count, &next);
    for (size_t i = 0; i < count && err == YR_OK; i++) {
        err = yr_room_log_at(room->log, arrivals[i], rooms->in, sizeof rooms->in, &len, &entry);
        if (err != YR_OK)
            break;
        if (yr_room_record_decode(&record, rooms->in, len) != YR_OK)
            return YR_ECORRUPT;
        if (for_anybody(room, record.seq))
            err = yr_chat_raise(rooms->chats, rooms->now, room->id, record.id, state);
    }
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    *at = next != 0 ? YR_MIN(next - 1, to) : to;
    room->raise |= *at < to;
    room->dirty = true;
    return YR_OK;
}

static enum yr_err raise_all(struct yr_rooms *rooms, struct yr_room *room)
{
    const uint64_t own = yr_room_own_seq(room);
    enum yr_err err;

    room->raise = false;
    err =
        raise_some(rooms, room, &room->own_delivered, reach(room, own, false), YR_STATE_DELIVERED);
    if (err != YR_OK)
        return err;
    return raise_some(rooms, room, &room->own_read,
                      YR_MIN(reach(room, own, true), room->own_delivered), YR_STATE_READ);
}

const uint8_t *yr_rooms_incarnation(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN])
{
    const struct yr_room *room = yr_rooms_find(rooms, id);

    return room != NULL ? room->incarnation : NULL;
}

void yr_rooms_counts(struct yr_rooms *rooms, struct yr_message *message)
{
    struct yr_room *room = yr_rooms_find(rooms, message->conv);

    if (room == NULL || memcmp(message->incarnation, room->incarnation, 8) != 0)
        return; // by another copy of ours: what is told of it is not kept
    for (size_t i = 0; i < room->mate_count; i++) {
        const struct yr_mate *mate = &room->mates[i];
        if (!counts_for(room, mate, message->seq))
            continue;
        message->of++;
        message->delivered_to += mate->delivered >= message->seq;
        message->read_by += mate->read >= message->seq;
    }
}

bool yr_rooms_missing(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN], uint64_t seq,
                      const uint8_t incarnation[8], size_t i, uint8_t mid[YR_MID_LEN])
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    if (room == NULL || memcmp(incarnation, room->incarnation, 8) != 0)
        return false;
    for (size_t k = 0; k < room->mate_count; k++) {
        const struct yr_mate *mate = &room->mates[k];
        if (!counts_for(room, mate, seq) || mate->delivered >= seq || i-- > 0)
            continue;
        memcpy(mid, mate->mid, YR_MID_LEN);
        return true;
    }
    return false;
}

/* ---- time ---- */

enum yr_err yr_room_receipts_load(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err;

    if ((err = load_chains(rooms, room)) != YR_OK || (err = load_told(rooms, room)) != YR_OK)
        return err;
    room->raise = true;
    yr_room_receipt_due(rooms, room); // what was read before we stopped may not have been told
    return YR_OK;
}

enum yr_err yr_room_receipts_tick(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err = YR_OK;

    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return YR_OK;
    if (room->raise)
        err = raise_all(rooms, room);
    if (err == YR_OK && rooms->now.mono_us >= room->receipt_us)
        err = tell(rooms, room);
    return err;
}
