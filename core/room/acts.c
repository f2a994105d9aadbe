/* core/room/acts.c: what the user does in a room but speak: leaving, removing, ranks, settings. */
#include "core/room/state.h"

/* ---- leaving ---- */

enum yr_err yr_rooms_leave(struct yr_rooms *rooms, struct yr_now now,
                           const uint8_t id[YR_ROOM_ID_LEN], bool forget)
{
    struct yr_room *room = yr_rooms_find(rooms, id);
    struct yr_room_body body = {.kind = YR_ROOM_LEAVE, .known = true};
    bool member;
    enum yr_err err;

    rooms->now = now;
    if (room == NULL || room->forgotten)
        return YR_ENOENT;
    if (room->state == YR_ROOM_INVITED)
        return YR_EDENIED;
    if (room->state == YR_ROOM_GONE && !forget)
        return YR_EDENIED;
    member = room->state == YR_ROOM_ACTIVE || room->state == YR_ROOM_KEYLESS;
    if (member) {
        room->leaving = room->member_count > 1; // else nobody is to hear of it
        if ((err = yr_room_publish(rooms, room, &body)) != YR_OK) {
            room->leaving = false;
            return err;
        }
    }
    if (room->state != YR_ROOM_GONE)
        room->removed = true;
    if (forget) {
        yr_room_changed(rooms, room, true);
        room->forgotten = room->purging = true;
        if ((err = yr_chat_drop(rooms->chats, room->id, false)) != YR_OK)
            return err;
        yr_room_store(rooms, room);
    }
    return yr_rooms_settle(rooms);
}

/* ---- what members do to each other ---- */

enum yr_err yr_rooms_kick(struct yr_rooms *rooms, struct yr_now now,
                          const uint8_t id[YR_ROOM_ID_LEN], const uint8_t who[YR_ID_LEN])
{
    struct yr_room_body body = {.kind = YR_ROOM_REMOVE, .known = true};
    struct yr_authority *authority;
    struct yr_room *room = NULL;
    uint8_t mid[YR_MID_LEN];
    unsigned rank;
    enum yr_err err;

    rooms->now = now;
    if ((err = yr_rooms_active(rooms, id, &room)) != YR_OK ||
        (err = yr_room_who(room, who, mid)) != YR_OK)
        return err;
    authority = yr_room_log_authority(room->log);
    rank = yr_authority_rank(authority, room->self);
    if (rank < YR_RANK_MOD || rank <= yr_authority_rank(authority, mid))
        return YR_EDENIED;
    body.mid = mid;
    if ((err = yr_room_publish(rooms, room, &body)) != YR_OK)
        return err;
    err = yr_room_rekey(rooms, room);
    if (err != YR_OK && err != YR_EAGAIN && err != YR_EDENIED)
        return err; // else the clock sees to it
    return yr_rooms_settle(rooms);
}

enum yr_err yr_rooms_role(struct yr_rooms *rooms, struct yr_now now,
                          const uint8_t id[YR_ROOM_ID_LEN], const uint8_t who[YR_ID_LEN],
                          unsigned rank)
{
    struct yr_room_body body = {.kind = YR_ROOM_ROLE, .known = true};
    struct yr_authority *authority;
    struct yr_room *room = NULL;
    uint8_t mid[YR_MID_LEN];
    unsigned own, theirs;
    enum yr_err err;

    rooms->now = now;
    if (rank != YR_RANK_ADMIN && rank != YR_RANK_MOD && rank != YR_RANK_MEMBER)
        return YR_EINVAL;
    if ((err = yr_rooms_active(rooms, id, &room)) != YR_OK ||
        (err = yr_room_who(room, who, mid)) != YR_OK)
        return err;
    authority = yr_room_log_authority(room->log);
    own = yr_authority_rank(authority, room->self);
    theirs = yr_authority_rank(authority, mid);
    if (own < YR_RANK_ADMIN || own <= theirs || own <= rank)
        return YR_EDENIED;
    if (theirs == rank)
        return YR_OK;
    body.mid = mid;
    body.rank = (uint8_t)rank;
    if ((err = yr_room_publish(rooms, room, &body)) != YR_OK)
        return err;
    return yr_rooms_settle(rooms);
}

enum yr_err yr_rooms_set(struct yr_rooms *rooms, struct yr_now now,
                         const uint8_t id[YR_ROOM_ID_LEN], enum yr_room_setting key,
                         const char *value, size_t len)
{
    struct yr_room_body body = {.kind = YR_ROOM_SET, .known = true, .key = (uint8_t)key};
    struct yr_room *room = NULL;
    enum yr_err err;

    rooms->now = now;
    if ((err = yr_rooms_active(rooms, id, &room)) != YR_OK)
        return err;
    if (len > (key == YR_SETTING_NAME ? YR_ROOM_NAME_MAX : YR_ROOM_VALUE_MAX) ||
        (key == YR_SETTING_NAME && len == 0))
        return YR_ESIZE;
    if (yr_authority_rank(yr_room_log_authority(room->log), room->self) < YR_RANK_MOD)
        return YR_EDENIED;
    body.data = (const uint8_t *)(len > 0 ? value : "");
    body.data_len = len;
    if ((err = yr_room_publish(rooms, room, &body)) != YR_OK)
        return err;
    return yr_rooms_settle(rooms);
}

/* ---- what nobody else sees ---- */

enum yr_err yr_rooms_mute(struct yr_rooms *rooms, struct yr_now now,
                          const uint8_t id[YR_ROOM_ID_LEN], yr_ms until_ms)
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    rooms->now = now;
    if (room == NULL || room->forgotten)
        return YR_ENOENT;
    room->muted_until_ms = until_ms;
    yr_room_store(rooms, room);
    yr_room_changed(rooms, room, false);
    return YR_OK;
}

enum yr_err yr_rooms_mentions(struct yr_rooms *rooms, struct yr_now now,
                              const uint8_t id[YR_ROOM_ID_LEN], bool only)
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    rooms->now = now;
    if (room == NULL || room->forgotten)
        return YR_ENOENT;
    room->mentions_only = only;
    yr_room_store(rooms, room);
    yr_room_changed(rooms, room, false);
    return YR_OK;
}

enum yr_err yr_rooms_nick(struct yr_rooms *rooms, struct yr_now now)
{
    enum yr_err err;

    rooms->now = now;
    for (size_t i = 0; i < rooms->count; i++) {
        struct yr_room *room = rooms->list[i];
        if (room->state != YR_ROOM_INVITED && !room->forgotten &&
            (err = yr_chat_open_room(rooms->chats, room->id, room->self,
                                     rooms->ops.nick(rooms->ops.ctx))) != YR_OK)
            return err;
        if (room->state == YR_ROOM_ACTIVE || room->state == YR_ROOM_KEYLESS)
            room->profile_us = now.mono_us;
    }
    rooms->version++;
    return YR_OK;
}
