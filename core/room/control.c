/* core/room/control.c: control records: what they change, and the lines that say so.
 *
 * What a record changes is not what it says: it may be void, or give others back.  So the members
 * are those of the authority, compared with those we knew, while the lines tell what was done. */
#include "core/room/state.h"

#include <stdarg.h>
#include <stdio.h>

enum yr_err yr_room_note(struct yr_rooms *rooms, struct yr_room *room, const char *format, ...)
{
    char text[YR_ROOM_VALUE_MAX + 256];
    va_list args;

    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return YR_OK; // before we came
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++) // one line, whatever names and topics are
        if ((unsigned char)*c < ' ')
            *c = ' ';
    return yr_chat_note(rooms->chats, rooms->now, room->id, text);
}

/* ---- settings ---- */

// What a SET says, if it can be shown.
static enum yr_err read_setting(struct yr_rooms *rooms, struct yr_room *room,
                                const uint8_t id[YR_REC_ID_LEN], size_t min, size_t max, char *out,
                                bool *ok)
{
    struct yr_room_record record;
    struct yr_room_entry entry;
    struct yr_room_body body;
    size_t len;
    enum yr_err err = yr_room_log_get(room->log, id, rooms->in, sizeof rooms->in, &len, &entry);

    *ok = false;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err; // there is none
    if (yr_room_record_decode(&record, rooms->in, len) != YR_OK ||
        yr_room_body_decode(&body, record.class, record.body, record.body_len) != YR_OK ||
        !body.known || body.kind != YR_ROOM_SET)
        return YR_ECORRUPT;
    if (body.data_len < min || body.data_len > max ||
        (body.data_len > 0 && !yr_utf8_ok(body.data, body.data_len)))
        return YR_OK;
    yr_copy(out, body.data, body.data_len);
    out[body.data_len] = '\0';
    *ok = true;
    return YR_OK;
}

static enum yr_err refresh_setting(struct yr_rooms *rooms, struct yr_room *room, uint8_t key,
                                   uint8_t known[YR_REC_ID_LEN], size_t min, size_t max, char *out,
                                   const void *otherwise, size_t otherwise_len, bool *changed)
{
    char text[YR_ROOM_VALUE_MAX + 1] = "";
    uint8_t id[YR_REC_ID_LEN];
    bool ok = false;
    enum yr_err err;

    if (!yr_authority_setting(yr_room_log_authority(room->log), key, id))
        memset(id, 0, sizeof id);
    if (memcmp(id, known, sizeof id) == 0 && out[0] != '\0')
        return YR_OK;
    if ((err = read_setting(rooms, room, id, min, max, text, &ok)) != YR_OK)
        return err;
    memcpy(known, id, sizeof id);
    if (!ok) {
        yr_copy(text, otherwise, otherwise_len);
        text[otherwise_len] = '\0';
    }
    *changed |= strcmp(text, out) != 0;
    memcpy(out, text, strlen(text) + 1);
    return YR_OK;
}

/* ---- members ---- */

// A member came, or its rank changed.
static enum yr_err refresh_mate(struct yr_rooms *rooms, struct yr_room *room,
                                const struct yr_room_member *member, bool quiet)
{
    struct yr_mate *mate;
    enum yr_err err = yr_room_mate_add(rooms, room, member->mid, &mate);

    if (err != YR_OK || mate->rank == member->rank)
        return err == YR_EFULL ? YR_OK : err; // more than any honest room has
    if (mate->rank == 0) {
        room->member_count++;
        mate->from_seq = yr_room_own_seq(room);
    }
    mate->rank = member->rank;
    mate->dirty = room->mates_dirty = true;
    if (!quiet)
        yr_mate_changed(rooms, room, member->mid, false);
    return YR_OK;
}

static bool is_member(const struct yr_rooms *rooms, size_t count, const uint8_t mid[YR_MID_LEN])
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t at = low + (high - low) / 2;
        const int order = memcmp(rooms->members[at].mid, mid, YR_MID_LEN);
        if (order == 0)
            return true;
        if (order < 0)
            low = at + 1;
        else
            high = at;
    }
    return false;
}

static enum yr_err refresh_members(struct yr_rooms *rooms, struct yr_room *room, bool quiet)
{
    size_t count = YR_COUNT(rooms->members);
    enum yr_err err =
        yr_authority_members(yr_room_log_authority(room->log), rooms->members, &count);

    if (err != YR_OK)
        return err == YR_ESIZE ? YR_OK : err; // more than any honest room has: as they were
    for (size_t i = 0; i < room->mate_count; i++) {
        struct yr_mate *mate = &room->mates[i];
        if (mate->rank == 0 || is_member(rooms, count, mate->mid))
            continue;
        mate->rank = 0;
        mate->dirty = room->mates_dirty = true;
        room->member_count--;
        room->raise = true; // nobody waits for him any more
        if (!quiet)
            yr_mate_changed(rooms, room, mate->mid, true);
    }
    for (size_t i = 0; i < count; i++)
        if ((err = refresh_mate(rooms, room, &rooms->members[i], quiet)) != YR_OK)
            return err;
    return YR_OK;
}

// We are a member now, or none any more.
static enum yr_err refresh_self(struct yr_rooms *rooms, struct yr_room *room)
{
    const struct yr_mate *self = yr_room_mate(room, room->self);
    // Of a room with too many members only this is known.
    const bool member = yr_authority_rank(yr_room_log_authority(room->log), room->self) > 0;

    if (member && room->state == YR_ROOM_JOINING) {
        room->state = YR_ROOM_ACTIVE; // KEYLESS if it turns out so
        room->dirty = true;
        if (self == NULL || strcmp(self->nick, rooms->ops.nick(rooms->ops.ctx)) != 0)
            room->profile_us = rooms->now.mono_us;
        yr_room_changed(rooms, room, false);
    } else if (!member && (room->state == YR_ROOM_ACTIVE || room->state == YR_ROOM_KEYLESS)) {
        room->removed = true;
    }
    return YR_OK;
}

enum yr_err yr_room_refresh(struct yr_rooms *rooms, struct yr_room *room, bool quiet)
{
    const struct yr_room_body *create = yr_room_log_create(room->log);
    const bool joining = room->state == YR_ROOM_JOINING;
    bool changed = false;
    enum yr_err err;

    if ((err = refresh_members(rooms, room, quiet || joining)) != YR_OK ||
        (err = refresh_setting(rooms, room, YR_SETTING_NAME, room->name_set, 1, YR_ROOM_NAME_MAX,
                               room->name, create->text, create->text_len, &changed)) != YR_OK ||
        (err = refresh_setting(rooms, room, YR_SETTING_TOPIC, room->topic_set, 0, YR_ROOM_VALUE_MAX,
                               room->topic, NULL, 0, &changed)) != YR_OK)
        return err;
    if (changed)
        room->dirty = true;
    if (changed && !quiet && !joining)
        yr_room_changed(rooms, room, false);
    return refresh_self(rooms, room);
}

/* ---- lines ---- */

static const char *rank_name(unsigned rank)
{
    return rank >= YR_RANK_FOUNDER ? "founder"
           : rank >= YR_RANK_ADMIN ? "admin"
           : rank >= YR_RANK_MOD   ? "mod"
                                   : "member";
}

static enum yr_err note_set(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_body *body, const char *author)
{
    if (body->data_len > 0 && !yr_utf8_ok(body->data, body->data_len))
        return YR_OK;
    if (body->key == YR_SETTING_TOPIC && body->data_len == 0)
        return yr_room_note(rooms, room, "%s took the topic away", author);
    if (body->key == YR_SETTING_TOPIC)
        return yr_room_note(rooms, room, "%s set the topic: %.*s", author, (int)body->data_len,
                            (const char *)body->data);
    if (body->key == YR_SETTING_NAME && body->data_len > 0 && body->data_len <= YR_ROOM_NAME_MAX)
        return yr_room_note(rooms, room, "%s renamed the room to %.*s", author, (int)body->data_len,
                            (const char *)body->data);
    return YR_OK;
}

static enum yr_err note(struct yr_rooms *rooms, struct yr_room *room,
                        const struct yr_room_record *record, const struct yr_room_body *body,
                        const uint8_t target[YR_MID_LEN])
{
    char author[YR_ROOM_LABEL_MAX], whom[YR_ROOM_LABEL_MAX];

    yr_room_label(rooms, room, record->author, author);
    yr_room_label(rooms, room, target, whom);
    switch (body->kind) {
    case YR_ROOM_ADD: return yr_room_note(rooms, room, "%s added %s", author, whom);
    case YR_ROOM_REMOVE: return yr_room_note(rooms, room, "%s removed %s", author, whom);
    case YR_ROOM_LEAVE: return yr_room_note(rooms, room, "%s left", author);
    case YR_ROOM_ROLE:
        return yr_room_note(rooms, room, "%s made %s %s", author, whom, rank_name(body->rank));
    case YR_ROOM_SET: return note_set(rooms, room, body, author);
    case YR_ROOM_CREATE:
    case YR_ROOM_CONTENT:
    case YR_ROOM_REKEY:
    case YR_ROOM_HIST:
    case YR_ROOM_KEY:
    case YR_ROOM_PROFILE:
    case YR_ROOM_NEEDKEY:
    case YR_ROOM_RECEIPT:
    case YR_ROOM_KIND_COUNT: break;
    }
    return YR_OK;
}

static enum yr_err take_add(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const struct yr_room_body *body,
                            const uint8_t mid[YR_MID_LEN])
{
    struct yr_mate *mate;
    enum yr_err err = yr_room_mate_add(rooms, room, mid, &mate);

    if (err != YR_OK)
        return err == YR_EFULL ? YR_OK : err;
    memcpy(mate->adder, record->author, YR_MID_LEN);
    yr_mate_heard(rooms, room, mate, record->hlc); // it had just asked
    if (!mate->profiled && body->text_len <= YR_NICK_MAX) {
        yr_copy(mate->nick, body->text, body->text_len);
        mate->nick[body->text_len] = '\0';
    }
    mate->dirty = room->mates_dirty = true;
    return YR_OK;
}

enum yr_err yr_room_control(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const struct yr_room_body *body)
{
    uint8_t target[YR_MID_LEN] = {0};
    enum yr_err err;

    if (body->kind == YR_ROOM_ADD) {
        yr_room_mid(target, room->id, body->sign_pk);
        if ((err = take_add(rooms, room, record, body, target)) != YR_OK)
            return err;
    } else if (body->mid != NULL) {
        memcpy(target, body->mid, sizeof target);
    }
    if ((err = yr_room_refresh(rooms, room, false)) != YR_OK ||
        (err = note(rooms, room, record, body, target)) != YR_OK)
        return err;
    room->look = true;
    room->retry_us = rooms->now.mono_us; // who waits to be added may be so now
    if (body->kind == YR_ROOM_ADD)
        return yr_room_keys(rooms, room, record, body);
    return YR_OK;
}
