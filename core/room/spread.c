/* core/room/spread.c: rooms and the links: what spreading asks of them, and when what is ours is
 * spread. */
#include "core/room/state.h"

#define GONE_US (60 * YR_S) /* neighbours with a link have heard by then that we left */

/* ---- what spreading asks ---- */

static bool sync_room(void *ctx, size_t i, struct yr_room_view *out)
{
    struct yr_rooms *rooms = ctx;
    struct yr_room *room;

    if (i >= rooms->synced_count)
        return false;
    room = rooms->synced[i];
    out->log = room->log;
    out->self = room->self;
    out->sign_sk = room->sign_sk;
    out->unkept = room->unkept;
    out->unkept_state = room->unkept_state;
    return true;
}

static enum yr_err sync_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                              size_t len)
{
    struct yr_rooms *rooms = ctx;

    return rooms->ops.frame(rooms->ops.ctx, slot, type, body, len);
}

static const uint8_t *sync_pair(void *ctx, unsigned slot, uint8_t *out_dir)
{
    struct yr_rooms *rooms = ctx;

    return rooms->ops.pair(rooms->ops.ctx, slot, out_dir);
}

static enum yr_err sync_record(void *ctx, struct yr_now now, size_t room, unsigned slot,
                               const uint8_t *bytes, size_t len, enum yr_put *what, bool *forged)
{
    struct yr_rooms *rooms = ctx;

    YR_ASSERT(room < rooms->synced_count);
    return yr_room_log_put(rooms->synced[room]->log, now, bytes, len, slot, what, forged);
}

// A friend has proved who he is in a room, or is there no longer.
static void sync_neighbour(void *ctx, struct yr_now now, size_t number, unsigned slot,
                           const uint8_t mid[YR_MID_LEN], bool on)
{
    struct yr_rooms *rooms = ctx;
    struct yr_room *room;
    struct yr_rooms_friend friend;
    struct yr_guest *guest;

    (void)now;
    YR_ASSERT(number < rooms->synced_count);
    room = rooms->synced[number];
    rooms->version++;
    if (!on || !rooms->ops.friend_at(rooms->ops.ctx, slot, &friend))
        return;
    if (room->leaving && room->gone_us == YR_NEVER)
        room->gone_us = rooms->now.mono_us + GONE_US;
    guest = yr_room_guest(room, friend.id);
    if (guest == NULL && yr_room_guest_add(rooms, room, friend.id, &guest) != YR_OK)
        return; // names are not worth more
    if (guest->known && !guest->invited && memcmp(guest->mid, mid, YR_MID_LEN) == 0)
        return;
    guest->known = true;
    guest->invited = guest->asked = false; // he is in, whoever added him
    memcpy(guest->mid, mid, YR_MID_LEN);
    yr_guest_store(rooms, room, guest);
    yr_mate_changed(rooms, room, mid, false);
}

const struct yr_room_sync_ops yr_rooms_sync_ops = {.frame = sync_frame,
                                                   .room = sync_room,
                                                   .pair = sync_pair,
                                                   .record = sync_record,
                                                   .neighbour = sync_neighbour};

/* ---- links ---- */

enum yr_err yr_rooms_up(struct yr_rooms *rooms, struct yr_now now, unsigned slot)
{
    struct yr_rooms_friend friend;
    enum yr_err err = YR_OK;

    rooms->now = now;
    if (!rooms->running)
        return YR_OK;
    rooms->version++;
    yr_room_sync_up(rooms->sync, now, slot);
    if (!rooms->ops.friend_at(rooms->ops.ctx, slot, &friend))
        return YR_OK;
    for (size_t i = 0; i < rooms->count && err == YR_OK; i++)
        if (rooms->list[i]->state == YR_ROOM_JOINING)
            err = yr_room_ask_friend(rooms, rooms->list[i], friend.id);
    return err == YR_OK ? yr_rooms_settle(rooms) : err;
}

void yr_rooms_down(struct yr_rooms *rooms, struct yr_now now, unsigned slot)
{
    rooms->now = now;
    rooms->version++;
    if (rooms->running)
        yr_room_sync_down(rooms->sync, now, slot);
}

void yr_rooms_space(struct yr_rooms *rooms, struct yr_now now, unsigned slot)
{
    rooms->now = now;
    if (rooms->running)
        yr_room_sync_space(rooms->sync, now, slot);
}

enum yr_err yr_rooms_frame(struct yr_rooms *rooms, struct yr_now now, unsigned slot, uint8_t type,
                           const uint8_t *body, size_t len)
{
    enum yr_err err, settled;

    rooms->now = now;
    if (!rooms->running)
        return YR_OK;
    err = yr_room_sync_frame(rooms->sync, now, slot, type, body, len);
    settled = yr_rooms_settle(rooms);
    return settled != YR_OK ? settled : err;
}

void yr_rooms_unfriend(struct yr_rooms *rooms, struct yr_now now, const uint8_t id[YR_ID_LEN])
{
    rooms->now = now;
    for (size_t i = 0; i < rooms->count; i++) {
        struct yr_room *room = rooms->list[i];
        struct yr_guest *guest = yr_room_guest(room, id);
        if (guest == NULL)
            continue;
        yr_rows_del(rooms->rows, YR_TABLE_ROOMFRIEND, room->id, YR_ROOM_ID_LEN, id, YR_ID_LEN);
        *guest = room->guests[--room->guest_count];
        yr_wipe(&room->guests[room->guest_count], sizeof *guest);
        rooms->version++;
    }
}

/* ---- our own records ---- */

static void add_unkept(struct yr_room *room, const struct yr_unspread *one)
{
    if (one->state)
        room->unkept_state = YR_MIN(room->unkept_state, one->place);
    else
        room->unkept = YR_MIN(room->unkept, one->place);
}

enum yr_err yr_room_remember(struct yr_rooms *rooms, struct yr_room *room,
                             const struct yr_room_record *record, const struct yr_room_entry *entry)
{
    enum yr_err err = yr_room_grow(rooms, &rooms->unspread, &rooms->unspread_cap,
                                   rooms->unspread_count, sizeof *rooms->unspread, SIZE_MAX / 64);
    struct yr_unspread *one;

    if (err != YR_OK)
        return err;
    one = &rooms->unspread[rooms->unspread_count++];
    memcpy(one->room, room->id, sizeof one->room);
    memcpy(one->id, record->id, sizeof one->id);
    one->state = record->class == YR_CLASS_STATE;
    one->place = one->state ? record->hlc : entry->arrival;
    one->token = 0; // known once all rows of it are put: yr_rooms_settle
    add_unkept(room, one);
    return YR_OK;
}

bool yr_room_number(const struct yr_rooms *rooms, const struct yr_room *room, size_t *out)
{
    for (*out = 0; *out < rooms->synced_count; (*out)++)
        if (rooms->synced[*out] == room)
            return true;
    return false;
}

enum yr_err yr_room_put(struct yr_rooms *rooms, struct yr_room *room, struct yr_room_record *record)
{
    enum yr_put what;
    bool forged;
    size_t len;
    enum yr_err err =
        yr_room_record_encode(record, room->sign_sk, rooms->out, sizeof rooms->out, &len);

    if (err != YR_OK)
        return err;
    err = yr_room_log_put(room->log, rooms->now, rooms->out, len, YR_ROOM_OWN, &what, &forged);
    if (err != YR_OK)
        return err;
    switch (what) {
    case YR_PUT_NEW:
    case YR_PUT_KNOWN: return YR_OK;
    case YR_PUT_HELD: return YR_EAGAIN;
    case YR_PUT_REFUSED:
    case YR_PUT_LATE:
    case YR_PUT_OLDER: break;
    }
    return YR_EDENIED;
}

enum yr_err yr_room_publish(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_body *body)
{
    struct yr_room_record record;
    size_t len;
    enum yr_err err = yr_room_body_encode(body, rooms->body, YR_ROOM_BODY_MAX, &len);

    if (err != YR_OK)
        return err;
    yr_room_log_prepare(room->log, rooms->now, yr_room_kind_class(body->kind), room->self,
                        room->incarnation, false, &record);
    record.body = rooms->body;
    record.body_len = len;
    return yr_room_put(rooms, room, &record);
}

static enum yr_err spread(struct yr_rooms *rooms, const struct yr_unspread *one)
{
    struct yr_room *room = yr_rooms_find(rooms, one->room);
    struct yr_room_record record;
    struct yr_room_entry entry;
    size_t number, len;
    enum yr_err err;

    if (room == NULL || !yr_room_number(rooms, room, &number))
        return YR_OK;
    err = yr_room_log_get(room->log, one->id, rooms->in, sizeof rooms->in, &len, &entry);
    if (err != YR_OK) // a state record may have been replaced by now
        return err == YR_ENOENT ? YR_OK : err;
    if (yr_room_record_decode(&record, rooms->in, len) != YR_OK)
        return YR_ECORRUPT;
    yr_room_sync_spread(rooms->sync, rooms->now, number, &record, YR_ROOM_OWN);
    return YR_OK;
}

// What is not durable yet, after some of it has become so.
static void note_unkept(struct yr_rooms *rooms)
{
    for (size_t i = 0; i < rooms->count; i++)
        rooms->list[i]->unkept = rooms->list[i]->unkept_state = UINT64_MAX;
    for (size_t i = 0; i < rooms->unspread_count; i++) {
        struct yr_room *room = yr_rooms_find(rooms, rooms->unspread[i].room);
        if (room != NULL)
            add_unkept(room, &rooms->unspread[i]);
    }
}

enum yr_err yr_rooms_release(struct yr_rooms *rooms, struct yr_now now, uint64_t durable)
{
    enum yr_err err = YR_OK;
    size_t done = 0;

    rooms->now = now;
    while (done < rooms->unspread_count && err == YR_OK && rooms->unspread[done].token != 0 &&
           rooms->unspread[done].token <= durable)
        err = spread(rooms, &rooms->unspread[done++]);
    if (done > 0) {
        rooms->unspread_count -= done;
        memmove(rooms->unspread, rooms->unspread + done,
                rooms->unspread_count * sizeof *rooms->unspread);
        note_unkept(rooms);
    }
    return err;
}
