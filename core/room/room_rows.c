/* core/room/room_rows.c: the rows of a room but those of its log, epochs, members and receipts. */
#include "core/room/state.h"

#define ROW_VERSION 1
#define ROW_MAX     4096

static void write_invitation(struct yr_wr *wr, const struct yr_room *room)
{
    yr_wr_u8(wr, (uint8_t)room->inviter_count);
    for (size_t i = 0; i < room->inviter_count; i++) {
        yr_wr_bytes(wr, room->inviters[i].id, YR_ID_LEN);
        yr_wr_bytes(wr, room->inviters[i].mid, YR_MID_LEN);
    }
    yr_wr_u16(wr, (uint16_t)room->create_len);
    yr_wr_bytes(wr, room->create, room->create_len);
    yr_wr_u32(wr, room->invited_members);
}

void yr_room_store(struct yr_rooms *rooms, struct yr_room *room)
{
    uint8_t row[ROW_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, (uint8_t)room->state);
    yr_wr_u8(&wr, (uint8_t)(room->mentions_only | room->leaving << 1 | room->forgotten << 2 |
                            room->erasing << 3 | room->purging << 4));
    yr_wr_u32(&wr, room->order);
    yr_wr_u64(&wr, (uint64_t)room->created_ms);
    yr_wr_u64(&wr, (uint64_t)room->muted_until_ms);
    yr_wr_u64(&wr, (uint64_t)room->left_ms);
    yr_wr_bytes(&wr, room->self, YR_MID_LEN);
    yr_wr_bytes(&wr, room->sign_pk, 32);
    yr_wr_bytes(&wr, room->sign_sk, 64);
    yr_wr_bytes(&wr, room->incarnation, YR_INCARNATION_LEN);
    yr_wr_u64(&wr, room->own_delivered);
    yr_wr_u64(&wr, room->own_read);
    write_invitation(&wr, room);
    yr_wr_text16(&wr, room->name);
    yr_wr_text16(&wr, room->topic);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(rooms->rows, YR_TABLE_ROOM, NULL, 0, room->id, YR_ROOM_ID_LEN, row, yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
    room->dirty = false;
}

static void read_invitation(struct yr_rd *rd, struct yr_room *room)
{
    room->inviter_count = yr_rd_u8(rd);
    if (room->inviter_count > YR_ROOM_INVITERS)
        rd->bad = true;
    for (size_t i = 0; i < room->inviter_count && !rd->bad; i++) {
        yr_rd_copy(rd, room->inviters[i].id, YR_ID_LEN);
        yr_rd_copy(rd, room->inviters[i].mid, YR_MID_LEN);
    }
    room->create_len = yr_rd_u16(rd);
    if (room->create_len > sizeof room->create)
        rd->bad = true;
    if (!rd->bad)
        yr_rd_copy(rd, room->create, room->create_len);
    room->invited_members = yr_rd_u32(rd);
}

static enum yr_err decode_room(struct yr_room *room, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd), state = yr_rd_u8(&rd), flags = yr_rd_u8(&rd);

    room->mentions_only = (flags & 1) != 0;
    room->leaving = (flags & 2) != 0;
    room->forgotten = (flags & 4) != 0;
    room->erasing = (flags & 8) != 0;
    room->purging = (flags & 16) != 0;
    room->order = yr_rd_u32(&rd);
    room->created_ms = (yr_ms)yr_rd_u64(&rd);
    room->muted_until_ms = (yr_ms)yr_rd_u64(&rd);
    room->left_ms = (yr_ms)yr_rd_u64(&rd);
    yr_rd_copy(&rd, room->self, YR_MID_LEN);
    yr_rd_copy(&rd, room->sign_pk, 32);
    yr_rd_copy(&rd, room->sign_sk, 64);
    yr_rd_copy(&rd, room->incarnation, YR_INCARNATION_LEN);
    room->own_delivered = yr_rd_u64(&rd);
    room->own_read = yr_rd_u64(&rd);
    read_invitation(&rd, room);
    yr_rd_text16(&rd, room->name, sizeof room->name);
    yr_rd_text16(&rd, room->topic, sizeof room->topic);
    if (!yr_rd_done(&rd) || version != ROW_VERSION || state > YR_ROOM_GONE)
        return YR_ECORRUPT;
    room->state = (enum yr_room_state)state;
    return YR_OK;
}

void yr_room_store_seals(struct yr_rooms *rooms, const struct yr_room *room)
{
    uint8_t row[YR_ROOM_SEALS_MAX * 40];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    for (size_t i = 0; i < room->seal_count; i++) {
        yr_wr_u64(&wr, (uint64_t)room->seal_ms[i]);
        yr_wr_bytes(&wr, room->seals[i].secret_key, 32);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(rooms->rows, YR_TABLE_ROOMSEAL, NULL, 0, room->id, YR_ROOM_ID_LEN, row,
                yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
}

enum yr_err yr_room_load_seals(struct yr_rooms *rooms, struct yr_room *room)
{
    uint8_t row[YR_ROOM_SEALS_MAX * 40 + 64], seed[32];
    struct yr_rd rd;
    size_t len;
    enum yr_err err = yr_rows_get(rooms->rows, YR_TABLE_ROOMSEAL, NULL, 0, room->id, YR_ROOM_ID_LEN,
                                  row, sizeof row, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    while (yr_rd_left(&rd) > 0 && room->seal_count < YR_ROOM_SEALS_MAX) {
        room->seal_ms[room->seal_count] = (yr_ms)yr_rd_u64(&rd);
        yr_rd_copy(&rd, seed, sizeof seed);
        yr_keypair_from_seed(&room->seals[room->seal_count++], seed);
    }
    yr_wipe(row, sizeof row);
    yr_wipe(seed, sizeof seed);
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

void yr_guest_store(struct yr_rooms *rooms, const struct yr_room *room,
                    const struct yr_guest *guest)
{
    uint8_t row[512];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, (uint8_t)(guest->invited | guest->asked << 1 | guest->known << 2));
    yr_wr_bytes(&wr, guest->mid, YR_MID_LEN);
    yr_wr_bytes(&wr, guest->sign_pk, 32);
    yr_wr_bytes(&wr, guest->seal_pk, 32);
    yr_wr_bytes(&wr, guest->join_sig, YR_SIG_LEN);
    yr_wr_text16(&wr, guest->nick);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(rooms->rows, YR_TABLE_ROOMFRIEND, room->id, YR_ROOM_ID_LEN, guest->id, YR_ID_LEN,
                row, yr_wr_len(&wr));
}

static enum yr_err decode_guest(struct yr_guest *guest, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd), flags = yr_rd_u8(&rd);

    guest->invited = (flags & 1) != 0;
    guest->asked = (flags & 2) != 0;
    guest->known = (flags & 4) != 0;
    yr_rd_copy(&rd, guest->mid, YR_MID_LEN);
    yr_rd_copy(&rd, guest->sign_pk, 32);
    yr_rd_copy(&rd, guest->seal_pk, 32);
    yr_rd_copy(&rd, guest->join_sig, YR_SIG_LEN);
    yr_rd_text16(&rd, guest->nick, sizeof guest->nick);
    return yr_rd_done(&rd) && version == ROW_VERSION ? YR_OK : YR_ECORRUPT;
}

enum yr_err yr_guests_load(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    struct yr_guest *guest;
    uint8_t row[512];
    enum yr_err err;

    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(rooms->rows, YR_TABLE_ROOMFRIEND, room->id, YR_ROOM_ID_LEN, how, &at,
                           row, sizeof row);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        if (at.suffix_len != YR_ID_LEN)
            return YR_ECORRUPT;
        if ((err = yr_room_guest_add(rooms, room, at.suffix, &guest)) != YR_OK ||
            (err = decode_guest(guest, row, at.value_len)) != YR_OK)
            return err;
    }
}

enum yr_err yr_room_delete_rows(struct yr_rooms *rooms, const struct yr_room *room,
                                enum yr_table table)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(rooms->rows, table, room->id, YR_ROOM_ID_LEN, how, &at, NULL, 0);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        yr_rows_del(rooms->rows, table, room->id, YR_ROOM_ID_LEN, at.suffix, at.suffix_len);
    }
}

static int by_order(const void *a, const void *b)
{
    const struct yr_room *const *x = a, *const *y = b;

    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

enum yr_err yr_rooms_load(struct yr_rooms *rooms)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    uint8_t row[ROW_MAX];
    enum yr_err err;

    for (;; how = YR_SEEK_GT) {
        struct yr_room *room;
        err = yr_rows_seek(rooms->rows, YR_TABLE_ROOM, NULL, 0, how, &at, row, sizeof row);
        if (err != YR_OK)
            break;
        err = YR_ECORRUPT;
        if (rooms->count == YR_COUNT(rooms->list) || at.suffix_len != YR_ROOM_ID_LEN)
            break;
        err = YR_ENOMEM;
        if ((room = yr_room_new(rooms, at.suffix)) == NULL)
            break;
        rooms->list[rooms->count++] = room;
        if ((err = decode_room(room, row, at.value_len)) != YR_OK)
            break;
        rooms->next_order = YR_MAX(rooms->next_order, room->order + 1);
    }
    yr_wipe(row, sizeof row);
    qsort(rooms->list, rooms->count, sizeof *rooms->list, by_order);
    return err == YR_ENOENT ? YR_OK : err;
}
