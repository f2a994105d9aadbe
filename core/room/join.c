/* core/room/join.c: how rooms begin, and how friends come into them.
 *
 *     invite -> guest "invited" -> ROOM_INVITE ... ROOM_JOIN -> guest "asked" -> ADD -> guest
 *
 * Who asked is added when that can be done: now, or when our rank, the room's bound or the rate of
 * our records allow it again. */
#include "core/room/state.h"

#define ASK_US     (60 * YR_S) /* between two times we ask the same */
#define RETRY_US   (1 * YR_S)  /* until adding somebody is tried again */
#define GUESTS_MAX YR_FRIENDS_MAX

struct yr_guest *yr_room_guest(struct yr_room *room, const uint8_t id[YR_ID_LEN])
{
    for (size_t i = 0; i < room->guest_count; i++)
        if (memcmp(room->guests[i].id, id, YR_ID_LEN) == 0)
            return &room->guests[i];
    return NULL;
}

struct yr_guest *yr_room_guest_of(struct yr_room *room, const uint8_t mid[YR_MID_LEN])
{
    for (size_t i = 0; i < room->guest_count; i++)
        if (room->guests[i].known && memcmp(room->guests[i].mid, mid, YR_MID_LEN) == 0)
            return &room->guests[i];
    return NULL;
}

enum yr_err yr_room_guest_add(struct yr_rooms *rooms, struct yr_room *room,
                              const uint8_t id[YR_ID_LEN], struct yr_guest **out)
{
    struct yr_guest *guest = yr_room_guest(room, id);
    enum yr_err err;

    if (guest == NULL) {
        err = yr_room_grow(rooms, &room->guests, &room->guest_cap, room->guest_count,
                           sizeof *room->guests, GUESTS_MAX);
        if (err != YR_OK)
            return err;
        guest = &room->guests[room->guest_count++];
        memset(guest, 0, sizeof *guest);
        memcpy(guest->id, id, YR_ID_LEN);
    }
    *out = guest;
    return YR_OK;
}

// Keys of our own in this room.
static void make_self(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_identity keys;

    yr_identity_new(&keys, rooms->rng, 0);
    memcpy(room->sign_pk, keys.id, sizeof room->sign_pk);
    memcpy(room->sign_sk, keys.sign_sk, sizeof room->sign_sk);
    yr_identity_clear(&keys);
    yr_random(rooms->rng, room->incarnation, sizeof room->incarnation);
    room->own_delivered = room->own_read = 0;
    room->seal_count = 0;
}

// A new key for epoch secrets; the oldest goes.
static void add_seal(struct yr_rooms *rooms, struct yr_room *room)
{
    uint8_t seed[32];

    if (room->seal_count == YR_ROOM_SEALS_MAX)
        room->seal_count--;
    memmove(&room->seals[1], &room->seals[0], room->seal_count * sizeof *room->seals);
    memmove(&room->seal_ms[1], &room->seal_ms[0], room->seal_count * sizeof *room->seal_ms);
    yr_random(rooms->rng, seed, sizeof seed);
    yr_keypair_from_seed(&room->seals[0], seed);
    room->seal_ms[0] = yr_rooms_age(rooms);
    room->seal_count++;
    yr_wipe(seed, sizeof seed);
}

enum yr_err yr_room_seal_new(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_room_body body = {.kind = YR_ROOM_KEY, .known = true};

    if (yr_room_log_fast(room->log, rooms->now, room->self, YR_CLASS_STATE))
        return YR_EAGAIN; // before there is a key that nobody is told of
    add_seal(rooms, room);
    yr_room_store_seals(rooms, room);
    body.seal_pk = room->seals[0].public_key;
    return yr_room_publish(rooms, room, &body);
}

// Those with a conversation: not the invitations, unless to a room we were in before.
static size_t taken(const struct yr_rooms *rooms, const struct yr_room *but)
{
    size_t count = 0;

    for (size_t i = 0; i < rooms->count; i++) {
        const struct yr_room *room = rooms->list[i];
        count += room != but && !room->forgotten &&
                 (room->state != YR_ROOM_INVITED || room->left_ms != 0);
    }
    return count;
}

/* ---- a room of our own ---- */

static enum yr_err write_create(struct yr_rooms *rooms, struct yr_room *room, const char *name,
                                size_t name_len, unsigned hist_days, size_t *len)
{
    struct yr_room_body body = {.kind = YR_ROOM_CREATE,
                                .known = true,
                                .sign_pk = room->sign_pk,
                                .seal_pk = room->seals[0].public_key,
                                .text = (const uint8_t *)name,
                                .text_len = name_len,
                                .max_members = YR_ROOM_MEMBERS_MAX,
                                .invite_min = YR_RANK_MEMBER,
                                .hist_days = (uint8_t)hist_days};
    struct yr_room_record record = {.class = YR_CLASS_CONTROL, .create = true, .seq = 1};
    enum yr_err err;

    if ((err = yr_room_body_encode(&body, rooms->body, YR_ROOM_BODY_MAX, &record.body_len)) !=
        YR_OK)
        return err;
    record.body = rooms->body;
    record.hlc = yr_hlc_next(0, rooms->now.wall_ms);
    memcpy(record.incarnation, room->incarnation, sizeof record.incarnation);
    return yr_room_record_encode(&record, room->sign_sk, room->create, sizeof room->create, len);
}

enum yr_err yr_rooms_make(struct yr_rooms *rooms, struct yr_now now, const char *name,
                          size_t name_len, const char *topic, size_t topic_len, unsigned hist_days,
                          uint8_t id[YR_ROOM_ID_LEN])
{
    static const uint8_t none[YR_ROOM_ID_LEN];
    struct yr_room_body set = {.kind = YR_ROOM_SET, .known = true, .key = YR_SETTING_TOPIC};
    struct yr_room_record record;
    struct yr_room *room;
    enum yr_err err;

    rooms->now = now;
    if (name_len < 1 || name_len > YR_ROOM_NAME_MAX || topic_len > YR_ROOM_VALUE_MAX)
        return YR_ESIZE;
    if (hist_days > YR_ROOM_HIST_DAYS)
        return YR_EINVAL;
    if (taken(rooms, NULL) >= YR_ROOMS_MAX)
        return YR_EFULL;
    if ((err = yr_rooms_enter(rooms, none, &room)) != YR_OK)
        return err;
    room->state = YR_ROOM_ACTIVE;
    make_self(rooms, room);
    add_seal(rooms, room);
    if ((err = write_create(rooms, room, name, name_len, hist_days, &room->create_len)) != YR_OK)
        return err;
    YR_ASSERT(yr_room_record_decode(&record, room->create, room->create_len) == YR_OK);
    memcpy(room->id, record.room_id, sizeof room->id);
    memcpy(room->self, record.author, sizeof room->self);
    if ((err = yr_room_open(rooms, room, room->create, room->create_len)) != YR_OK ||
        (err = yr_chat_open_room(rooms->chats, room->id, room->self,
                                 rooms->ops.nick(rooms->ops.ctx))) != YR_OK ||
        (err = yr_room_refresh(rooms, room, true)) != YR_OK)
        return err;
    yr_room_store_seals(rooms, room);
    yr_room_store(rooms, room);
    if (topic_len > 0) {
        set.data = (const uint8_t *)topic;
        set.data_len = topic_len;
        if ((err = yr_room_publish(rooms, room, &set)) != YR_OK)
            return err;
    }
    if ((err = yr_room_rekey(rooms, room)) != YR_OK)
        return err;
    room->profile_us = now.mono_us;
    memcpy(id, room->id, YR_ROOM_ID_LEN);
    yr_room_changed(rooms, room, false);
    return yr_rooms_settle(rooms);
}

/* ---- inviting ---- */

static bool may_add(struct yr_room *room)
{
    const struct yr_room_body *create = yr_room_log_create(room->log);

    return yr_authority_rank(yr_room_log_authority(room->log), room->self) >= create->invite_min;
}

static bool is_member(struct yr_room *room, const uint8_t mid[YR_MID_LEN])
{
    return yr_authority_rank(yr_room_log_authority(room->log), mid) > 0;
}

static enum yr_err tell_invite(struct yr_rooms *rooms, struct yr_room *room, unsigned slot)
{
    struct yr_plain plain = {.type = YR_PLAIN_ROOM_INVITE, .known = true};
    struct yr_room_entry entry;
    size_t len;
    enum yr_err err = yr_room_log_at(room->log, 1, rooms->in, sizeof rooms->in, &len, &entry);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    plain.create = rooms->in;
    plain.create_len = len;
    plain.mid = room->self;
    plain.text = (const uint8_t *)room->name;
    plain.text_len = strlen(room->name);
    plain.members = (uint32_t)YR_MIN(YR_MAX(room->member_count, 1u), (size_t)YR_ROOM_MEMBERS_MAX);
    return rooms->ops.tell(rooms->ops.ctx, slot, &plain);
}

enum yr_err yr_rooms_invite(struct yr_rooms *rooms, struct yr_now now,
                            const uint8_t id[YR_ROOM_ID_LEN], const uint8_t friend[YR_ID_LEN])
{
    struct yr_room *room = NULL;
    struct yr_guest *guest;
    unsigned slot;
    enum yr_err err;

    rooms->now = now;
    if ((err = yr_rooms_active(rooms, id, &room)) != YR_OK)
        return err;
    if (!rooms->ops.slot_of(rooms->ops.ctx, friend, &slot))
        return YR_ENOFRIEND;
    if (!may_add(room))
        return YR_EDENIED;
    guest = yr_room_guest(room, friend);
    if (guest != NULL && guest->known && is_member(room, guest->mid))
        return YR_EEXIST;
    if (room->member_count >= yr_room_log_create(room->log)->max_members)
        return YR_EFULL;
    if ((err = yr_room_guest_add(rooms, room, friend, &guest)) != YR_OK)
        return err;
    guest->invited = true;
    yr_guest_store(rooms, room, guest);
    if ((err = tell_invite(rooms, room, slot)) != YR_OK)
        return err;
    return yr_rooms_settle(rooms);
}

/* ---- being invited ---- */

static bool good_create(const struct yr_plain *plain, struct yr_room_record *record)
{
    struct yr_room_body body;

    return yr_room_record_decode(record, plain->create, plain->create_len) == YR_OK &&
           record->create &&
           yr_room_body_decode(&body, record->class, record->body, record->body_len) == YR_OK &&
           body.known && body.kind == YR_ROOM_CREATE &&
           yr_room_record_verify(record, body.sign_pk) == YR_OK;
}

// Put this friend first among those who may add us.  True: he was not one of them, as this member.
static bool note_inviter(struct yr_room *room, const uint8_t id[YR_ID_LEN],
                         const uint8_t mid[YR_MID_LEN])
{
    size_t at = 0;
    bool is_new;

    while (at < room->inviter_count && memcmp(room->inviters[at].id, id, YR_ID_LEN) != 0)
        at++;
    is_new = at == room->inviter_count || memcmp(room->inviters[at].mid, mid, YR_MID_LEN) != 0;
    if (at == room->inviter_count) {
        if (at == YR_ROOM_INVITERS)
            at--;
        else
            room->inviter_count++;
    }
    memmove(&room->inviters[1], &room->inviters[0], at * sizeof *room->inviters);
    memcpy(room->inviters[0].id, id, YR_ID_LEN);
    memcpy(room->inviters[0].mid, mid, YR_MID_LEN);
    return is_new;
}

static enum yr_err ask(struct yr_rooms *rooms, const struct yr_room *room,
                       const struct yr_inviter *inviter)
{
    const char *nick = rooms->ops.nick(rooms->ops.ctx);
    uint8_t sig[YR_SIG_LEN];
    struct yr_plain plain = {.type = YR_PLAIN_ROOM_JOIN,
                             .known = true,
                             .room = room->id,
                             .sign_pk = room->sign_pk,
                             .seal_pk = room->seals[0].public_key,
                             .join_sig = sig,
                             .text = (const uint8_t *)nick,
                             .text_len = strlen(nick)};
    unsigned slot;

    if (!rooms->ops.slot_of(rooms->ops.ctx, inviter->id, &slot))
        return YR_OK;
    yr_room_join_sign(sig, room->sign_sk, room->id, room->sign_pk, plain.seal_pk, inviter->mid);
    return rooms->ops.tell(rooms->ops.ctx, slot, &plain);
}

// Was just this said by this friend last?
static bool is_known(const struct yr_room *room, const uint8_t friend[YR_ID_LEN],
                     const struct yr_plain *plain)
{
    return room->inviter_count > 0 && memcmp(room->inviters[0].id, friend, YR_ID_LEN) == 0 &&
           memcmp(room->inviters[0].mid, plain->mid, YR_MID_LEN) == 0 &&
           room->invited_members == plain->members && strlen(room->name) == plain->text_len &&
           memcmp(room->name, plain->text, plain->text_len) == 0;
}

static size_t open_invitations(const struct yr_rooms *rooms)
{
    size_t count = 0;

    for (size_t i = 0; i < rooms->count; i++)
        count += rooms->list[i]->state == YR_ROOM_INVITED && rooms->list[i]->left_ms == 0;
    return count;
}

static enum yr_err invited(struct yr_rooms *rooms, const uint8_t friend[YR_ID_LEN],
                           const struct yr_plain *plain)
{
    struct yr_room_record record;
    struct yr_room *room;
    bool is_new;
    enum yr_err err;

    if (!good_create(plain, &record) || plain->text_len > YR_ROOM_NAME_MAX ||
        plain->create_len > sizeof room->create) {
        yr_rooms_count(rooms, YR_ROOMS_INVITE_BAD);
        return YR_OK;
    }
    room = yr_rooms_find(rooms, record.room_id);
    if (room != NULL && (room->state == YR_ROOM_ACTIVE || room->state == YR_ROOM_KEYLESS))
        return YR_OK;
    if (room != NULL && room->leaving && (err = yr_room_let_go(rooms, room)) != YR_OK)
        return err; // who invites us again has heard of it
    if (room != NULL && room->forgotten) {
        if ((err = yr_room_clear(rooms, room)) != YR_OK)
            return err;
        room = NULL;
    }
    if ((room == NULL || room->state == YR_ROOM_GONE) &&
        open_invitations(rooms) >= YR_ROOM_INVITES_MAX) {
        yr_rooms_count(rooms, YR_ROOMS_INVITE_FULL);
        return YR_OK;
    }
    if (room == NULL && (err = yr_rooms_enter(rooms, record.room_id, &room)) != YR_OK) {
        if (err != YR_EFULL)
            return err;
        yr_rooms_count(rooms, YR_ROOMS_INVITE_FULL);
        return YR_OK;
    }
    if (room->state == YR_ROOM_GONE)
        room->inviter_count = 0;
    if (room->state == YR_ROOM_INVITED && is_known(room, friend, plain))
        return YR_OK;
    is_new = note_inviter(room, friend, plain->mid);
    if (room->state == YR_ROOM_JOINING) { // one more who may add us
        yr_room_store(rooms, room);
        return is_new ? ask(rooms, room, &room->inviters[0])
                      : yr_room_ask_friend(rooms, room, friend);
    }
    room->state = YR_ROOM_INVITED;
    memcpy(room->create, plain->create, plain->create_len);
    room->create_len = plain->create_len;
    memcpy(room->name, plain->text, plain->text_len);
    room->name[plain->text_len] = '\0';
    room->invited_members = plain->members;
    yr_room_store(rooms, room);
    yr_room_changed(rooms, room, false);
    return YR_OK;
}

static enum yr_err ask_all(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err = YR_OK;

    room->asked_us = YR_MAX(rooms->now.mono_us, 1u);
    for (size_t i = 0; i < room->inviter_count && err == YR_OK; i++)
        err = ask(rooms, room, &room->inviters[i]);
    return err;
}

enum yr_err yr_room_ask_friend(struct yr_rooms *rooms, struct yr_room *room,
                               const uint8_t friend[YR_ID_LEN])
{
    if (room->asked_us != 0 && rooms->now.mono_us < room->asked_us + ASK_US)
        return YR_OK;
    for (size_t i = 0; i < room->inviter_count; i++)
        if (memcmp(room->inviters[i].id, friend, YR_ID_LEN) == 0) {
            room->asked_us = YR_MAX(rooms->now.mono_us, 1u);
            return ask(rooms, room, &room->inviters[i]);
        }
    return YR_OK;
}

// What is left of the time when we were in this room before.
static enum yr_err clear_rest(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err = yr_room_clear(rooms, room);

    if (err != YR_OK)
        return err;
    for (size_t i = 0; i < room->mate_count; i++) {
        struct yr_mate *mate = &room->mates[i];
        mate->rank = 0;
        mate->from_seq = mate->delivered = mate->read = 0;
        mate->dirty = room->mates_dirty = true;
    }
    room->member_count = 0;
    memset(room->name_set, 0, sizeof room->name_set);
    memset(room->topic_set, 0, sizeof room->topic_set);
    return YR_OK;
}

enum yr_err yr_rooms_join(struct yr_rooms *rooms, struct yr_now now,
                          const uint8_t id[YR_ROOM_ID_LEN])
{
    struct yr_room *room = yr_rooms_find(rooms, id);
    bool reachable = false;
    unsigned slot;
    enum yr_err err;

    rooms->now = now;
    if (room == NULL || room->forgotten || room->state == YR_ROOM_GONE)
        return YR_ENOENT;
    if (room->state != YR_ROOM_INVITED)
        return YR_EEXIST;
    for (size_t i = 0; i < room->inviter_count; i++)
        reachable |= rooms->ops.slot_of(rooms->ops.ctx, room->inviters[i].id, &slot);
    if (!reachable)
        return YR_ENOFRIEND;
    if (taken(rooms, room) >= YR_ROOMS_MAX)
        return YR_EFULL;
    if ((err = clear_rest(rooms, room)) != YR_OK)
        return err;
    make_self(rooms, room);
    yr_room_mid(room->self, room->id, room->sign_pk);
    add_seal(rooms, room);
    yr_room_store_seals(rooms, room);
    room->state = YR_ROOM_JOINING;
    room->left_ms = 0;
    if ((err = yr_room_open(rooms, room, room->create, room->create_len)) != YR_OK ||
        (err = yr_chat_open_room(rooms->chats, room->id, room->self,
                                 rooms->ops.nick(rooms->ops.ctx))) != YR_OK ||
        (err = yr_room_refresh(rooms, room, true)) != YR_OK)
        return err;
    yr_room_store(rooms, room);
    if ((err = ask_all(rooms, room)) != YR_OK)
        return err;
    yr_room_changed(rooms, room, false);
    return yr_rooms_settle(rooms);
}

enum yr_err yr_rooms_reject(struct yr_rooms *rooms, struct yr_now now,
                            const uint8_t id[YR_ROOM_ID_LEN])
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    rooms->now = now;
    if (room == NULL || room->forgotten)
        return YR_ENOENT;
    if (room->state == YR_ROOM_JOINING) // what came of it so far goes, too
        return yr_rooms_leave(rooms, now, id, true);
    if (room->state != YR_ROOM_INVITED)
        return YR_ENOENT;
    room->inviter_count = 0;
    if (room->left_ms != 0) { // we were in it once: that history stays
        room->state = YR_ROOM_GONE;
        yr_room_store(rooms, room);
        yr_room_changed(rooms, room, false);
        return YR_OK;
    }
    yr_room_changed(rooms, room, true);
    yr_rooms_remove(rooms, room);
    return yr_rooms_settle(rooms);
}

/* ---- adding ---- */

static enum yr_err publish_hist(struct yr_rooms *rooms, struct yr_room *room,
                                const uint8_t mid[YR_MID_LEN], const uint8_t seal_pk[32])
{
    struct yr_room_record record;
    size_t at = 0, len;
    enum yr_err err;

    for (;;) {
        yr_room_log_prepare(room->log, rooms->now, YR_CLASS_MESSAGE, room->self, room->incarnation,
                            true, &record);
        err = yr_epochs_hist(room->epochs, yr_rooms_age(rooms), mid, seal_pk, &at, rooms->body,
                             YR_ROOM_BODY_MAX - record.dep_count * YR_REC_ID_LEN, &len);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        record.body = rooms->body;
        record.body_len = len;
        if ((err = yr_room_put(rooms, room, &record)) != YR_OK)
            return err;
    }
}

static enum yr_err publish_add(struct yr_rooms *rooms, struct yr_room *room,
                               const struct yr_guest *guest)
{
    struct yr_room_body body = {.kind = YR_ROOM_ADD, .known = true, .rank = YR_RANK_MEMBER};
    struct yr_add_keys keys;
    enum yr_err err = yr_epochs_add_keys(room->epochs, yr_rooms_age(rooms), guest->sign_pk,
                                         guest->seal_pk, &keys);

    if (err != YR_OK)
        return err;
    body.sign_pk = guest->sign_pk;
    body.seal_pk = guest->seal_pk;
    body.join_sig = guest->join_sig;
    body.epoch = keys.parent;
    body.nonce = keys.nonce;
    body.eph = keys.eph;
    body.sealed = keys.sealed;
    body.text = (const uint8_t *)guest->nick;
    body.text_len = strlen(guest->nick);
    err = yr_room_publish(rooms, room, &body);
    yr_wipe(&keys, sizeof keys);
    return err;
}

// The friend that asked becomes a member.  Errors: those of the machine; what cannot be now waits.
static enum yr_err add(struct yr_rooms *rooms, struct yr_room *room, struct yr_guest *guest)
{
    const struct yr_guest copy = *guest;
    const bool hist = yr_room_log_create(room->log)->hist_days > 0;
    enum yr_err err;

    if (is_member(room, guest->mid)) { // somebody else was quicker
        guest->asked = guest->invited = false;
        yr_guest_store(rooms, room, guest);
        return YR_OK;
    }
    if (!may_add(room) || room->member_count >= yr_room_log_create(room->log)->max_members)
        return YR_OK; // perhaps later
    err = yr_room_keyed(rooms, room);
    if (err == YR_OK && hist &&
        yr_room_log_fast(room->log, rooms->now, room->self, YR_CLASS_MESSAGE))
        err = YR_EAGAIN; // nobody gives it what it is not given now
    if (err == YR_OK)
        err = publish_add(rooms, room, &copy);
    if (err == YR_OK) {
        guest = yr_room_guest(room, copy.id);
        guest->asked = guest->invited = false; // used up
        yr_guest_store(rooms, room, guest);
        if (hist)
            err = publish_hist(rooms, room, copy.mid, copy.seal_pk);
    }
    if (err == YR_EAGAIN || err == YR_EDENIED || err == YR_EFULL) {
        room->retry_us = rooms->now.mono_us + RETRY_US;
        return YR_OK;
    }
    return err;
}

static enum yr_err asked(struct yr_rooms *rooms, const uint8_t friend[YR_ID_LEN],
                         const struct yr_plain *plain)
{
    struct yr_room *room = yr_rooms_find(rooms, plain->room);
    struct yr_guest *guest = room != NULL ? yr_room_guest(room, friend) : NULL;
    uint8_t mid[YR_MID_LEN];

    if (guest == NULL || room->log == NULL || room->epochs == NULL || !guest->invited ||
        plain->text_len > YR_NICK_MAX ||
        yr_room_join_verify(plain->join_sig, room->id, plain->sign_pk, plain->seal_pk,
                            room->self) != YR_OK) {
        yr_rooms_count(rooms, YR_ROOMS_JOIN_BAD);
        return YR_OK;
    }
    if (guest->known && is_member(room, guest->mid))
        return YR_OK;
    yr_room_mid(mid, room->id, plain->sign_pk);
    // What a newcomer signs is in its ADD for all to read: of whoever was added it proves nothing
    // any more.  If it is this friend, added by somebody else, it will prove that as a neighbour.
    if (yr_room_mate(room, mid) != NULL &&
        !(guest->known && memcmp(guest->mid, mid, YR_MID_LEN) == 0)) {
        yr_rooms_count(rooms, YR_ROOMS_JOIN_BAD);
        return YR_OK;
    }
    memcpy(guest->sign_pk, plain->sign_pk, 32);
    memcpy(guest->seal_pk, plain->seal_pk, 32);
    memcpy(guest->join_sig, plain->join_sig, YR_SIG_LEN);
    memcpy(guest->nick, plain->text, plain->text_len);
    guest->nick[plain->text_len] = '\0';
    memcpy(guest->mid, mid, sizeof mid);
    guest->known = guest->asked = true; // it holds the key of this mid: the signature says so
    yr_guest_store(rooms, room, guest);
    return add(rooms, room, guest);
}

enum yr_err yr_rooms_plain(struct yr_rooms *rooms, struct yr_now now, unsigned slot,
                           const struct yr_plain *plain)
{
    struct yr_rooms_friend friend;
    enum yr_err err = YR_OK;

    rooms->now = now;
    if (!rooms->running || !rooms->ops.friend_at(rooms->ops.ctx, slot, &friend))
        return YR_OK;
    if (plain->type == YR_PLAIN_ROOM_INVITE)
        err = invited(rooms, friend.id, plain);
    else if (plain->type == YR_PLAIN_ROOM_JOIN)
        err = asked(rooms, friend.id, plain);
    return err == YR_OK ? yr_rooms_settle(rooms) : err;
}

enum yr_err yr_room_join_tick(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err;

    if (rooms->now.mono_us < room->retry_us)
        return YR_OK;
    room->retry_us = YR_NEVER;
    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return YR_OK;
    for (size_t i = 0; i < room->guest_count; i++)
        if (room->guests[i].asked && (err = add(rooms, room, &room->guests[i])) != YR_OK)
            return err;
    return YR_OK;
}
