/* core/room/keys.c: the epochs of a room in time: who makes one when, who asks for one.
 *
 *     choose says NONE, DUE      -> wait a random while -> still so -> REKEY
 *                 BEHIND         -> NEEDKEY, KEYLESS    -> still so -> REKEY
 *                 READY          -> nothing to do, ACTIVE
 *
 * The wait is random so that of many who see the need one is first, and the others see it gone. */
#include "core/room/state.h"

#define LOOK_US      (3600 * YR_S) /* epochs grow old without anything happening */
#define NEEDKEY_US   (2 * YR_S)    /* parts of an epoch may be on their way */
#define BEHIND_US    (5 * YR_S)    /* time for somebody to answer before we help ourselves */
#define AGAIN_US     (60 * YR_S)   /* we cannot make one now; somebody else may, meanwhile */
#define BUSY_US      (5 * YR_S)    /* the log takes no more of ours just now */
#define SEAL_WEEK_MS (7 * YR_DAY_MS)
#define SEAL_LOST_MS (YR_DAY_MS / 24) /* a key that seems lost is not replaced more often */

static uint64_t draw(struct yr_rooms *rooms)
{
    uint64_t out;

    yr_random(rooms->rng, &out, sizeof out);
    return out;
}

static const uint8_t *newest_seal(void *ctx, const uint8_t mid[YR_MID_LEN])
{
    const struct yr_room *room = ctx;
    const uint8_t *seal_pk = NULL;

    return yr_room_log_keys(room->log, mid, NULL, &seal_pk) ? seal_pk : NULL;
}

// So many heads of control that an epoch cannot cite them: whoever may writes an operation that
// does, and changes nothing.
static enum yr_err join_heads(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_room_body body = {.kind = YR_ROOM_SET, .known = true, .key = YR_SETTING_NAME};
    struct yr_authority *authority = yr_room_log_authority(room->log);

    if (yr_authority_head_count(authority) == 1)
        return YR_EAGAIN; // that is not it: there are too many members
    if (yr_authority_rank(authority, room->self) < YR_RANK_MOD)
        return YR_EAGAIN; // somebody else will
    body.data = (const uint8_t *)room->name;
    body.data_len = strlen(room->name);
    return yr_room_publish(rooms, room, &body);
}

enum yr_err yr_room_rekey(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_room_record record;
    struct yr_rekey rekey;
    size_t len;
    enum yr_err err = yr_epochs_rekey(room->epochs, &rekey);

    if (err == YR_EFULL && (err = join_heads(rooms, room)) == YR_OK)
        err = yr_epochs_rekey(room->epochs, &rekey);
    if (err != YR_OK)
        return err == YR_EFULL ? YR_EAGAIN : err;
    for (unsigned part = 0; part < rekey.parts && err == YR_OK; part++) {
        yr_room_log_prepare(room->log, rooms->now, YR_CLASS_MESSAGE, room->self, room->incarnation,
                            true, &record);
        err = yr_epochs_rekey_part(room->epochs, &rekey, part, newest_seal, room, rooms->body, &len,
                                   record.deps, &record.dep_count);
        if (err != YR_OK)
            break;
        record.body = rooms->body;
        record.body_len = len;
        err = yr_room_put(rooms, room, &record);
    }
    yr_rekey_clear(&rekey);
    if (err == YR_OK)
        yr_rooms_count(rooms, YR_ROOMS_REKEYS);
    room->look = true;
    return err;
}

enum yr_err yr_room_keyed(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_epoch_choice choice;
    enum yr_err err;

    yr_epochs_choose(room->epochs, yr_rooms_age(rooms), &choice);
    if (choice.state == YR_EPOCH_READY || choice.state == YR_EPOCH_DUE)
        return YR_OK;
    // Else whoever makes epochs that we cannot open would have one of ours for every text.
    if (choice.usable && !yr_epochs_may_rekey(room->epochs, yr_rooms_age(rooms)))
        return YR_OK;
    if ((err = yr_room_rekey(rooms, room)) != YR_OK)
        return err;
    yr_epochs_choose(room->epochs, yr_rooms_age(rooms), &choice);
    return choice.usable ? YR_OK : YR_EAGAIN;
}

/* ---- records that came ---- */

// Keys of the time before we came are given by who added us.  From any other member they could be
// made up, and keep out the right ones or, in numbers, the epochs that are here.
static bool by_inviter(struct yr_room *room, const struct yr_room_record *record)
{
    const struct yr_mate *self = yr_room_mate(room, room->self);

    return self != NULL && memcmp(self->adder, record->author, YR_MID_LEN) == 0;
}

enum yr_err yr_room_keys(struct yr_rooms *rooms, struct yr_room *room,
                         const struct yr_room_record *record, const struct yr_room_body *body)
{
    uint8_t id[YR_EPOCH_ID_LEN];
    enum yr_err err = YR_OK;

    if (body->kind == YR_ROOM_ADD)
        err = yr_epochs_on_add(room->epochs, yr_rooms_age(rooms), record, body, room->seals,
                               room->seal_count);
    else if (body->kind == YR_ROOM_REKEY)
        err = yr_epochs_on_rekey(room->epochs, yr_rooms_age(rooms), record, body, room->seals,
                                 room->seal_count);
    else if (by_inviter(room, record))
        err = yr_epochs_on_hist(room->epochs, yr_rooms_age(rooms), record, body, room->seals,
                                room->seal_count);
    if (err == YR_EPROTO) {
        yr_rooms_count(rooms, YR_ROOMS_EPOCH_BAD);
        return YR_OK;
    }
    if (err != YR_OK)
        return err;
    room->look = true;
    while (yr_epochs_opened(room->epochs, id))
        ; // what waits is looked at as a whole
    return yr_room_wait_look(rooms, room);
}

enum yr_err yr_room_needkey(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const struct yr_room_body *body)
{
    yr_ms wait_ms;

    if (memcmp(record->author, room->self, YR_MID_LEN) == 0 || room->answer_us != YR_NEVER)
        return YR_OK;
    wait_ms = yr_epochs_answer_ms(room->epochs, yr_rooms_age(rooms), record->author, body->epoch,
                                  draw(rooms));
    if (wait_ms <= 0)
        return YR_OK;
    memcpy(room->answer, body->epoch, sizeof room->answer);
    room->answer_us = rooms->now.mono_us + (yr_us)wait_ms * YR_MS;
    return YR_OK;
}

/* ---- time ---- */

// What may fail for now is due again before long.
static enum yr_err retry(const struct yr_rooms *rooms, enum yr_err err, yr_us wait_us,
                         yr_us *due_us)
{
    if (err != YR_EAGAIN && err != YR_EDENIED)
        return err;
    *due_us = YR_MIN(*due_us, rooms->now.mono_us + wait_us);
    return YR_OK;
}

// Our keys for epoch secrets.  What is sealed to one stays in the log of every member: it is closed
// to who takes our keys only when that one is gone.
static enum yr_err tick_seals(struct yr_rooms *rooms, struct yr_room *room)
{
    const yr_ms now = yr_rooms_age(rooms);
    size_t count = room->seal_count;
    enum yr_err err = YR_OK;

    for (size_t i = 0; i < count; i++)
        room->seal_ms[i] = YR_MIN(room->seal_ms[i], now); // our clock was wrong
    if (count > 0 && now - room->seal_ms[0] >= SEAL_WEEK_MS)
        err = retry(rooms, yr_room_seal_new(rooms, room), BUSY_US, &room->look_us);
    for (count = room->seal_count; count > 1; count--)
        if (now - room->seal_ms[count - 2] < YR_ROOM_RX_DAYS * YR_DAY_MS)
            break;
    if (err != YR_OK || count == room->seal_count)
        return err;
    yr_wipe(&room->seals[count], (room->seal_count - count) * sizeof *room->seals);
    room->seal_count = count;
    yr_room_store_seals(rooms, room);
    return YR_OK;
}

static void enter(struct yr_rooms *rooms, struct yr_room *room, enum yr_room_state state)
{
    if (room->state == state)
        return;
    room->state = state;
    yr_room_store(rooms, room);
    yr_room_changed(rooms, room, false);
}

static enum yr_err look(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_epoch_choice choice;
    yr_us wait_us;
    enum yr_err err;

    room->look = false;
    room->look_us = rooms->now.mono_us + LOOK_US;
    if ((err = yr_epochs_tick(room->epochs, yr_rooms_age(rooms))) != YR_OK ||
        (err = yr_room_wait_look(rooms, room)) != YR_OK)
        return err;
    yr_epochs_choose(room->epochs, yr_rooms_age(rooms), &choice);
    if (choice.state != YR_EPOCH_BEHIND)
        room->needkey_us = YR_NEVER;
    else if (room->needkey_us == YR_NEVER &&
             memcmp(room->needed, choice.best, sizeof room->needed) != 0)
        room->needkey_us = rooms->now.mono_us + NEEDKEY_US;
    if (choice.state == YR_EPOCH_READY || choice.state == YR_EPOCH_DUE)
        enter(rooms, room, YR_ROOM_ACTIVE);
    if (choice.state == YR_EPOCH_READY) {
        room->rekey_us = YR_NEVER;
    } else if (room->rekey_us == YR_NEVER) {
        wait_us = (yr_us)yr_epoch_delay_ms(room->member_count, draw(rooms)) * YR_MS;
        if (choice.state == YR_EPOCH_BEHIND)
            wait_us += BEHIND_US;
        room->rekey_us = rooms->now.mono_us + wait_us;
    }
    return YR_OK;
}

static enum yr_err tick_rekey(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_epoch_choice choice;

    room->rekey_us = YR_NEVER;
    yr_epochs_choose(room->epochs, yr_rooms_age(rooms), &choice);
    if (choice.state == YR_EPOCH_READY)
        return YR_OK;
    if (!yr_epochs_may_rekey(room->epochs, yr_rooms_age(rooms))) {
        room->rekey_us = rooms->now.mono_us + AGAIN_US;
        return YR_OK;
    }
    return retry(rooms, yr_room_rekey(rooms, room), AGAIN_US, &room->look_us); // draws a time anew
}

static enum yr_err tick_needkey(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_room_body body = {.kind = YR_ROOM_NEEDKEY, .known = true};
    struct yr_epoch_choice choice;
    enum yr_err err = YR_OK;

    room->needkey_us = YR_NEVER;
    yr_epochs_choose(room->epochs, yr_rooms_age(rooms), &choice);
    if (choice.state != YR_EPOCH_BEHIND)
        return YR_OK;
    enter(rooms, room, YR_ROOM_KEYLESS);
    body.epoch = choice.best;
    // Perhaps it was sealed to a key we no longer have: the answer shall not be.  But whoever makes
    // such epochs shall not take away the keys that what is on its way was sealed to.
    if (yr_rooms_age(rooms) - room->seal_ms[0] >= SEAL_LOST_MS &&
        room->seal_count < YR_ROOM_SEALS_MAX - 2)
        err = yr_room_seal_new(rooms, room);
    if (err == YR_OK)
        err = yr_room_publish(rooms, room, &body);
    if (err == YR_OK)
        memcpy(room->needed, choice.best, sizeof room->needed);
    return retry(rooms, err, BUSY_US, &room->needkey_us);
}

static enum yr_err tick_answer(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_epoch_choice choice;

    room->answer_us = YR_NEVER;
    yr_epochs_choose(room->epochs, yr_rooms_age(rooms), &choice);
    if (!choice.usable || memcmp(choice.id, room->answer, sizeof room->answer) != 0 ||
        !yr_epochs_may_rekey(room->epochs, yr_rooms_age(rooms)))
        return YR_OK;
    return retry(rooms, yr_room_rekey(rooms, room), AGAIN_US, &room->answer_us);
}

static enum yr_err tell_profile(struct yr_rooms *rooms, struct yr_room *room)
{
    const char *nick = rooms->ops.nick(rooms->ops.ctx);
    struct yr_room_body body = {.kind = YR_ROOM_PROFILE,
                                .known = true,
                                .text = (const uint8_t *)nick,
                                .text_len = strlen(nick),
                                .note = (const uint8_t *)""};

    room->profile_us = YR_NEVER;
    return retry(rooms, yr_room_publish(rooms, room, &body), BUSY_US, &room->profile_us);
}

enum yr_err yr_room_keys_tick(struct yr_rooms *rooms, struct yr_room *room)
{
    const yr_us now = rooms->now.mono_us;
    enum yr_err err = YR_OK;

    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return YR_OK;
    if (room->look || now >= room->look_us) {
        if ((err = look(rooms, room)) == YR_OK)
            err = tick_seals(rooms, room);
    }
    if (err == YR_OK && now >= room->profile_us)
        err = tell_profile(rooms, room);
    if (err == YR_OK && now >= room->needkey_us)
        err = tick_needkey(rooms, room);
    if (err == YR_OK && now >= room->rekey_us)
        err = tick_rekey(rooms, room);
    if (err == YR_OK && now >= room->answer_us)
        err = tick_answer(rooms, room);
    return err;
}

yr_us yr_room_keys_deadline(const struct yr_room *room)
{
    yr_us due = YR_MIN(room->look_us, YR_MIN(room->rekey_us, room->needkey_us));

    due = YR_MIN(due, YR_MIN(room->answer_us, room->profile_us));
    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return YR_NEVER;
    return room->look ? 0 : due;
}
