/* The rooms of some people on a bus in memory: what comes over it, good and bad. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/crypto/identity.h"
#include "core/room/state.h"
#include "tests/support/rowbox.h"

#define PEOPLE   6
#define START_MS INT64_C(1790000000000)

// A frame or a direct plaintext on its way.
struct item {
    struct item *next;
    unsigned from, to;
    bool plain;
    uint8_t type;
    size_t len;
    uint8_t bytes[];
};

struct world;

struct person {
    struct world *w;
    unsigned no;
    uint8_t id[YR_ID_LEN];
    char nick[16];
    struct rowbox box;
    struct yr_events *events;
    struct yr_chats *chats;
    struct yr_chat_ops chat_ops;
    struct yr_rooms *rooms;
    bool friend[PEOPLE];
    size_t frames; /* sent */
};

struct world {
    struct person people[PEOPLE];
    struct yr_now now;
    struct item *first, **last;
};

/* ---- the bus ---- */

static void put(struct world *w, unsigned from, unsigned to, bool plain, uint8_t type,
                const uint8_t *bytes, size_t len)
{
    struct item *item = calloc(1, sizeof *item + len);

    assert_non_null(item);
    item->from = from;
    item->to = to;
    item->plain = plain;
    item->type = type;
    item->len = len;
    memcpy(item->bytes, bytes, len);
    *w->last = item;
    w->last = &item->next;
}

static enum yr_err on_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct person *p = ctx;

    p->frames++;
    put(p->w, p->no, slot, false, type, body, len);
    return YR_OK;
}

static const uint8_t *on_pair(void *ctx, unsigned slot, uint8_t *dir)
{
    static uint8_t pair[32];
    const struct person *p = ctx;

    memset(pair, (int)(YR_MIN(p->no, slot) * PEOPLE + YR_MAX(p->no, slot)), sizeof pair);
    *dir = p->no > slot;
    return pair;
}

static enum yr_err on_tell(void *ctx, unsigned slot, struct yr_plain *plain)
{
    static const uint8_t id[YR_MSG_ID_LEN] = {1};
    struct person *p = ctx;
    uint8_t bytes[1024];
    size_t len;
    enum yr_err err;

    plain->id = id;
    if ((err = yr_plain_encode(plain, bytes, sizeof bytes, &len)) == YR_OK)
        put(p->w, p->no, slot, true, 0, bytes, len);
    return err;
}

static bool on_slot_of(void *ctx, const uint8_t id[YR_ID_LEN], unsigned *slot)
{
    const struct person *p = ctx;

    for (*slot = 0; *slot < PEOPLE; (*slot)++)
        if (p->friend[*slot] && memcmp(p->w->people[*slot].id, id, YR_ID_LEN) == 0)
            return true;
    return false;
}

static bool on_friend_at(void *ctx, unsigned slot, struct yr_rooms_friend *out)
{
    const struct person *p = ctx;

    if (slot >= PEOPLE || !p->friend[slot])
        return false;
    *out = (struct yr_rooms_friend){p->w->people[slot].id, p->w->people[slot].nick, true};
    return true;
}

static const char *on_nick(void *ctx)
{
    const struct person *p = ctx;

    return p->nick;
}

static bool on_read_receipts(void *ctx)
{
    return true;
}

static enum yr_err on_say(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                          const uint8_t *plain, size_t len, uint8_t id[YR_MSG_ID_LEN])
{
    const struct person *p = ctx;

    return yr_rooms_say(p->rooms, now, conv, plain, len, id);
}

static const uint8_t *on_incarnation(void *ctx, const uint8_t conv[YR_ID_LEN])
{
    const struct person *p = ctx;

    return yr_rooms_incarnation(p->rooms, conv);
}

static void on_counts(void *ctx, struct yr_message *message)
{
    const struct person *p = ctx;

    yr_rooms_counts(p->rooms, message);
}

static void on_seen(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                    const uint8_t incarnation[YR_INCARNATION_LEN], uint64_t seq)
{
    const struct person *p = ctx;

    yr_rooms_seen(p->rooms, conv, mid, incarnation, seq);
}

static void on_read(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                    const struct yr_place *marker)
{
    const struct person *p = ctx;

    yr_rooms_read(p->rooms, now, conv);
}

/* ---- people ---- */

static void born(struct world *w, unsigned no)
{
    struct person *p = &w->people[no];
    struct yr_rooms_ops ops = {.frame = on_frame,
                               .pair = on_pair,
                               .tell = on_tell,
                               .slot_of = on_slot_of,
                               .friend_at = on_friend_at,
                               .nick = on_nick,
                               .read_receipts = on_read_receipts,
                               .ctx = p};

    p->w = w;
    p->no = no;
    memset(p->id, (int)no + 1, sizeof p->id);
    snprintf(p->nick, sizeof p->nick, "p%u", no);
    rowbox_open(&p->box, 100 + no);
    p->chat_ops = (struct yr_chat_ops){.say = on_say,
                                       .incarnation = on_incarnation,
                                       .counts = on_counts,
                                       .seen = on_seen,
                                       .read = on_read,
                                       .ctx = p};
    assert_int_equal(yr_events_new(&p->events, &p->box.mem.mem, p->box.rows), YR_OK);
    assert_int_equal(yr_events_start(p->events), YR_OK);
    assert_int_equal(yr_chats_new(&p->chats, &p->box.mem.mem, p->box.rows, p->events,
                                  &p->box.rng.rng, &p->chat_ops),
                     YR_OK);
    assert_int_equal(yr_chats_start(p->chats, w->now, p->id), YR_OK);
    assert_int_equal(yr_rooms_new(&p->rooms, &p->box.mem.mem, p->box.rows, p->events, p->chats,
                                  &p->box.rng.rng, &ops),
                     YR_OK);
    assert_int_equal(yr_rooms_start(p->rooms, w->now), YR_OK);
}

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->now = (struct yr_now){YR_S, START_MS};
    w->last = &w->first;
    for (unsigned i = 0; i < PEOPLE; i++)
        born(w, i);
}

static void world_clear(struct world *w)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct person *p = &w->people[i];
        yr_rooms_free(p->rooms);
        yr_chats_free(p->chats);
        yr_events_free(p->events);
        rowbox_close(&p->box);
    }
    while (w->first != NULL) {
        struct item *item = w->first;
        w->first = item->next;
        free(item);
    }
}

static void befriend(struct world *w, unsigned a, unsigned b)
{
    w->people[a].friend[b] = w->people[b].friend[a] = true;
    assert_int_equal(yr_rooms_up(w->people[a].rooms, w->now, b), YR_OK);
    assert_int_equal(yr_rooms_up(w->people[b].rooms, w->now, a), YR_OK);
}

static void commit(struct world *w, unsigned no)
{
    struct person *p = &w->people[no];
    struct yr_event event;

    assert_int_equal(yr_chats_flush(p->chats, w->now), YR_OK);
    assert_int_equal(yr_rooms_flush(p->rooms, w->now), YR_OK);
    rowbox_settle(&p->box);
    assert_int_equal(yr_rooms_release(p->rooms, w->now, yr_rows_durable(p->box.rows)), YR_OK);
    while (yr_events_next(p->events, &event))
        continue;
}

static void hand_over(struct world *w)
{
    struct item *item = w->first;
    struct person *to = &w->people[item->to];
    struct yr_plain plain;

    w->first = item->next;
    if (w->first == NULL)
        w->last = &w->first;
    if (item->plain) {
        assert_int_equal(yr_plain_decode(&plain, item->bytes, item->len), YR_OK);
        assert_int_equal(yr_rooms_plain(to->rooms, w->now, item->from, &plain), YR_OK);
    } else {
        assert_int_equal(
            yr_rooms_frame(to->rooms, w->now, item->from, item->type, item->bytes, item->len),
            YR_OK);
    }
    free(item);
}

// Let this much time pass, everybody doing what is due.
static void pass(struct world *w, unsigned seconds)
{
    for (unsigned step = 0; step < seconds * 10; step++) {
        for (int turn = 0; turn < 50; turn++) {
            while (w->first != NULL)
                hand_over(w);
            for (unsigned i = 0; i < PEOPLE; i++) {
                if (yr_rooms_deadline(w->people[i].rooms) <= w->now.mono_us)
                    assert_int_equal(yr_rooms_tick(w->people[i].rooms, w->now), YR_OK);
                commit(w, i);
            }
            if (w->first == NULL)
                break;
        }
        w->now.mono_us += 100 * YR_MS;
        w->now.wall_ms += 100;
    }
}

static uint64_t counter(struct world *w, unsigned no, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_rooms_counter(w->people[no].rooms, i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail();
    return 0;
}

static void found(struct world *w, unsigned no, const char *name, uint8_t id[YR_ROOM_ID_LEN])
{
    assert_int_equal(yr_rooms_make(w->people[no].rooms, w->now, name, strlen(name), "", 0, 0, id),
                     YR_OK);
    commit(w, no);
}

static bool has_room(struct world *w, unsigned no, const uint8_t *id, enum yr_room_state state)
{
    struct yr_room_info info;

    return yr_rooms_info(w->people[no].rooms, w->now, id, &info) == YR_OK && info.state == state;
}

static void bring(struct world *w, unsigned a, unsigned b, const uint8_t *id)
{
    assert_int_equal(yr_rooms_invite(w->people[a].rooms, w->now, id, w->people[b].id), YR_OK);
    pass(w, 1);
    assert_int_equal(yr_rooms_join(w->people[b].rooms, w->now, id), YR_OK);
    pass(w, 2);
    assert_true(has_room(w, b, id, YR_ROOM_ACTIVE));
}

static enum yr_err say(struct world *w, unsigned no, const uint8_t *id, const char *text)
{
    uint8_t msg[YR_MSG_ID_LEN];

    return yr_chat_send(w->people[no].chats, w->now, id, false, text, strlen(text), NULL, NULL, 0,
                        msg);
}

static size_t texts(struct world *w, unsigned no, const uint8_t *id)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    size_t count = 0;

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(w->people[no].chats, id, how, &place, m) == YR_OK; how = YR_SEEK_GT)
        count += m->kind == YR_MSG_TEXT;
    free(m);
    return count;
}

/* ---- what is ours leaves when it is kept ---- */

static void a_record_of_ours_leaves_only_once_it_is_durable(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN];
    size_t frames;

    world_init(&w);
    befriend(&w, 0, 1);
    found(&w, 0, "garden", id);
    bring(&w, 0, 1, id);
    pass(&w, 20);
    frames = w.people[0].frames;
    assert_int_equal(say(&w, 0, id, "hello"), YR_OK);
    assert_int_equal(yr_rooms_tick(w.people[0].rooms, w.now), YR_OK);
    assert_int_equal(w.people[0].frames, frames);
    commit(&w, 0);
    assert_int_equal(w.people[0].frames, frames + 1);
    pass(&w, 1);
    assert_int_equal(texts(&w, 1, id), 1);
    world_clear(&w);
}

static void who_writes_too_fast_is_told_so_and_loses_nothing(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN];
    enum yr_err err = YR_OK;
    size_t said = 0;

    world_init(&w);
    befriend(&w, 0, 1);
    found(&w, 0, "garden", id);
    bring(&w, 0, 1, id);
    while ((err = say(&w, 0, id, "faster")) == YR_OK)
        said++;
    assert_int_equal(err, YR_EAGAIN);
    assert_true(said > 100 && said < 1000);
    pass(&w, 5);
    assert_int_equal(say(&w, 0, id, "slower"), YR_OK);
    pass(&w, 5);
    assert_int_equal(texts(&w, 0, id), said + 1);
    assert_int_equal(texts(&w, 1, id), said + 1);
    world_clear(&w);
}

/* ---- invitations ---- */

// A CREATE by somebody, as an invitation to it.
static struct yr_plain invitation(struct seeded *rnd, const uint8_t mid[YR_MID_LEN],
                                  uint8_t *create)
{
    struct yr_plain plain = {.type = YR_PLAIN_ROOM_INVITE, .known = true, .members = 1};
    struct yr_room_body body = {.kind = YR_ROOM_CREATE,
                                .known = true,
                                .invite_min = 10,
                                .max_members = 10,
                                .text = (const uint8_t *)"room",
                                .text_len = 4};
    struct yr_room_record record = {.class = YR_CLASS_CONTROL, .create = true, .seq = 1};
    struct yr_identity keys;
    uint8_t bytes[256];

    yr_identity_new(&keys, &rnd->rng, 0);
    body.sign_pk = keys.id;
    body.seal_pk = keys.device.public_key;
    assert_int_equal(yr_room_body_encode(&body, bytes, sizeof bytes, &record.body_len), YR_OK);
    record.body = bytes;
    assert_int_equal(
        yr_room_record_encode(&record, keys.sign_sk, create, YR_ROOM_CREATE_MAX, &plain.create_len),
        YR_OK);
    plain.create = create;
    plain.mid = mid;
    plain.text = (const uint8_t *)"room";
    plain.text_len = 4;
    return plain;
}

static void an_invitation_that_is_not_whole_leaves_nothing(void **state)
{
    static const uint8_t mid[YR_MID_LEN] = {7};
    static struct world w;
    uint8_t create[YR_ROOM_CREATE_MAX];
    struct yr_room_info info;
    struct yr_plain plain;
    struct seeded rnd;
    uint64_t dropped = 0;

    world_init(&w);
    befriend(&w, 0, 1);
    seeded_init(&rnd, 1);
    plain = invitation(&rnd, mid, create);
    const size_t len = plain.create_len;
    for (plain.create_len = 0; plain.create_len < len; plain.create_len++, dropped++)
        assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 1, &plain), YR_OK);
    for (size_t i = 0; i < len; i++, dropped++) { // whatever is changed, it is signed
        create[i] ^= 1;
        assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 1, &plain), YR_OK);
        create[i] ^= 1;
    }
    assert_int_equal(counter(&w, 0, "rooms.drop.invite"), dropped);
    assert_false(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 1, &plain), YR_OK);
    assert_true(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    assert_int_equal(info.state, YR_ROOM_INVITED);
    assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 2, &plain), YR_OK); // no friend
    world_clear(&w);
}

static void invitations_are_bounded_and_one_a_room(void **state)
{
    static const uint8_t mid[YR_MID_LEN] = {7};
    static struct world w;
    uint8_t create[YR_ROOM_CREATE_MAX];
    struct yr_room_info info;
    struct yr_plain plain;
    struct seeded rnd;
    size_t count = 0;

    world_init(&w);
    for (unsigned i = 1; i < PEOPLE; i++)
        befriend(&w, 0, i);
    seeded_init(&rnd, 2);
    plain = invitation(&rnd, mid, create);
    for (unsigned again = 0; again < 3; again++) // by all friends, again and again
        for (unsigned i = 1; i < PEOPLE; i++)
            assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, i, &plain), YR_OK);
    assert_true(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    assert_false(yr_rooms_at(w.people[0].rooms, w.now, 1, &info));
    assert_memory_equal(info.inviter, w.people[PEOPLE - 1].id, YR_ID_LEN);
    for (unsigned i = 0; i < 100; i++) {
        plain = invitation(&rnd, mid, create);
        assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 1, &plain), YR_OK);
    }
    while (yr_rooms_at(w.people[0].rooms, w.now, count, &info))
        count++;
    assert_int_equal(count, YR_ROOM_INVITES_MAX);
    assert_int_equal(counter(&w, 0, "rooms.full.invite"), 101 - YR_ROOM_INVITES_MAX);
    commit(&w, 0);
    while (count-- > 0) { // each can be said no to
        assert_true(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
        assert_int_equal(yr_rooms_reject(w.people[0].rooms, w.now, info.id), YR_OK);
    }
    assert_false(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    world_clear(&w);
}

static void rooms_are_bounded(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN];

    world_init(&w);
    for (unsigned i = 0; i < YR_ROOMS_MAX; i++)
        found(&w, 0, "one more", id);
    assert_int_equal(yr_rooms_make(w.people[0].rooms, w.now, "full", 4, "", 0, 0, id), YR_EFULL);
    assert_int_equal(yr_rooms_make(w.people[0].rooms, w.now, "", 0, "", 0, 0, id), YR_ESIZE);
    world_clear(&w);
}

/* ---- asking to join ---- */

static struct yr_plain question(const uint8_t *id, const struct yr_identity *keys, uint8_t *sig,
                                const uint8_t inviter[YR_MID_LEN])
{
    struct yr_plain plain = {.type = YR_PLAIN_ROOM_JOIN, .known = true};

    yr_room_join_sign(sig, keys->sign_sk, id, keys->id, keys->device.public_key, inviter);
    plain.room = id;
    plain.sign_pk = keys->id;
    plain.seal_pk = keys->device.public_key;
    plain.join_sig = sig;
    plain.text = (const uint8_t *)"eve";
    plain.text_len = 3;
    return plain;
}

static size_t members(struct world *w, unsigned no, const uint8_t *id)
{
    struct yr_room_info info;

    assert_int_equal(yr_rooms_info(w->people[no].rooms, w->now, id, &info), YR_OK);
    return info.members;
}

static void who_was_not_invited_is_not_added(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN], other[YR_ROOM_ID_LEN] = {1}, sig[YR_SIG_LEN];
    const uint8_t stranger[YR_MID_LEN] = {9};
    struct yr_room_info info;
    struct yr_identity keys, more;
    struct yr_plain plain;
    struct seeded rnd;
    struct yr_rooms *rooms;

    world_init(&w);
    rooms = w.people[0].rooms;
    befriend(&w, 0, 1);
    befriend(&w, 0, 2);
    found(&w, 0, "garden", id);
    assert_int_equal(yr_rooms_info(rooms, w.now, id, &info), YR_OK);
    seeded_init(&rnd, 3);
    yr_identity_new(&keys, &rnd.rng, 0);
    yr_identity_new(&more, &rnd.rng, 0);
    plain = question(id, &keys, sig, info.self);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK); // nobody asked him
    assert_int_equal(members(&w, 0, id), 1);
    assert_int_equal(yr_rooms_invite(rooms, w.now, id, w.people[1].id), YR_OK);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 2, &plain), YR_OK); // another friend
    plain = question(id, &keys, sig, stranger);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK); // meant for another inviter
    plain = question(other, &keys, sig, info.self);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK); // of another room
    plain = question(id, &keys, sig, info.self);
    sig[0] ^= 1;
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK);
    sig[0] ^= 1;
    assert_int_equal(members(&w, 0, id), 1);
    assert_int_equal(counter(&w, 0, "rooms.drop.join"), 5);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK);
    assert_int_equal(members(&w, 0, id), 2);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK); // again
    plain = question(id, &more, sig, info.self);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK); // twice in one room
    assert_int_equal(members(&w, 0, id), 2);
    assert_int_equal(yr_rooms_kick(rooms, w.now, id, w.people[1].id), YR_OK);
    plain = question(id, &keys, sig, info.self);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK); // the invitation is used up
    plain = question(id, &more, sig, info.self);
    assert_int_equal(yr_rooms_plain(rooms, w.now, 1, &plain), YR_OK);
    assert_int_equal(members(&w, 0, id), 1);
    world_clear(&w);
}

static void who_asks_before_it_can_be_added_is_added_later(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN];

    world_init(&w);
    befriend(&w, 0, 1);
    found(&w, 0, "garden", id);
    assert_int_equal(yr_rooms_invite(w.people[0].rooms, w.now, id, w.people[1].id), YR_OK);
    pass(&w, 1);
    while (yr_rooms_set(w.people[0].rooms, w.now, id, YR_SETTING_TOPIC, "roses", 5) == YR_OK)
        continue; // until no operation of its own is taken for a while
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    while (w.first != NULL)
        hand_over(&w);
    assert_int_equal(members(&w, 0, id), 1);
    pass(&w, 10);
    assert_true(has_room(&w, 1, id, YR_ROOM_ACTIVE));
    assert_int_equal(members(&w, 0, id), 2);
    world_clear(&w);
}

/* ---- keys ---- */

// Deletes as well as the disk does: the key that epoch secrets are sealed to.
static void lose_seal(struct world *w, unsigned no, const uint8_t *id)
{
    struct yr_room *room = yr_rooms_find(w->people[no].rooms, id);

    memset(room->seals[0].secret_key, 7, sizeof room->seals[0].secret_key);
    room->seal_ms[0] -= YR_DAY_MS;
}

static void who_cannot_open_an_epoch_asks_and_reads_on(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN];

    world_init(&w);
    for (unsigned i = 1; i < 4; i++)
        befriend(&w, 0, i);
    found(&w, 0, "garden", id);
    for (unsigned i = 1; i < 4; i++)
        bring(&w, 0, i, id);
    assert_int_equal(say(&w, 0, id, "all four"), YR_OK);
    pass(&w, 15);
    lose_seal(&w, 2, id);
    assert_int_equal(yr_rooms_kick(w.people[0].rooms, w.now, id, w.people[3].id), YR_OK);
    assert_int_equal(say(&w, 0, id, "lost on one of us"), YR_OK);
    pass(&w, 3);
    assert_true(has_room(&w, 2, id, YR_ROOM_KEYLESS));
    assert_int_equal(texts(&w, 2, id), 1);
    pass(&w, 120);
    assert_true(has_room(&w, 2, id, YR_ROOM_ACTIVE));
    assert_int_equal(say(&w, 0, id, "read again"), YR_OK);
    assert_int_equal(say(&w, 2, id, "so it is"), YR_OK);
    pass(&w, 15);
    assert_int_equal(texts(&w, 0, id), 4);
    assert_int_equal(texts(&w, 1, id), 4);
    assert_int_equal(texts(&w, 2, id), 3);
    assert_int_equal(texts(&w, 3, id), 1);
    // What is lost stands as a line after a day, and no longer keeps receipts back.
    w.now.mono_us += (yr_us)YR_DAY_MS * YR_MS;
    w.now.wall_ms += YR_DAY_MS;
    pass(&w, 30);
    assert_int_equal(counter(&w, 2, "rooms.unreadable"), 1);
    assert_false(yr_rooms_missing(
        w.people[0].rooms, id, yr_room_own_seq(yr_rooms_find(w.people[0].rooms, id)),
        yr_rooms_find(w.people[0].rooms, id)->incarnation, 0, (uint8_t[YR_MID_LEN]){0}));
    world_clear(&w);
}

static void keys_are_new_every_week(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN], before[32];
    const uint8_t *seal_pk;
    struct yr_room *rooms[3];
    uint64_t before_made = 0, made = 0;

    world_init(&w);
    befriend(&w, 0, 1);
    befriend(&w, 1, 2);
    found(&w, 0, "garden", id);
    bring(&w, 0, 1, id);
    bring(&w, 1, 2, id);
    pass(&w, 5);
    for (unsigned i = 0; i < 3; i++) {
        rooms[i] = yr_rooms_find(w.people[i].rooms, id);
        before_made += counter(&w, i, "rooms.rekeys");
    }
    assert_true(yr_room_log_keys(rooms[0]->log, rooms[2]->self, NULL, &seal_pk));
    memcpy(before, seal_pk, sizeof before);
    w.now.mono_us += 7 * (yr_us)YR_DAY_MS * YR_MS;
    w.now.wall_ms += 7 * YR_DAY_MS;
    pass(&w, 60);
    for (unsigned i = 0; i < 3; i++)
        made += counter(&w, i, "rooms.rekeys");
    assert_in_range(made - before_made, 1, 2); // not by everybody
    assert_true(yr_room_log_keys(rooms[0]->log, rooms[2]->self, NULL, &seal_pk));
    assert_memory_not_equal(seal_pk, before, sizeof before);
    assert_int_equal(say(&w, 2, id, "a new week"), YR_OK);
    pass(&w, 2);
    assert_int_equal(texts(&w, 0, id), 1);
    world_clear(&w);
}

/* ---- quiet ---- */

static void a_room_where_nothing_is_said_is_silent(void **state)
{
    static struct world w;
    uint8_t id[YR_ROOM_ID_LEN];
    size_t frames = 0;

    world_init(&w);
    for (unsigned i = 0; i + 1 < PEOPLE; i++)
        befriend(&w, i, i + 1);
    found(&w, 0, "garden", id);
    for (unsigned i = 0; i + 1 < PEOPLE; i++)
        bring(&w, i, i + 1, id);
    for (unsigned i = 0; i < PEOPLE; i++)
        assert_int_equal(say(&w, i, id, "hello"), YR_OK);
    pass(&w, 60);
    for (unsigned i = 0; i < PEOPLE; i++) {
        assert_true(texts(&w, i, id) >= PEOPLE - i); // those who came before him may have said it
        frames += w.people[i].frames;
    }
    pass(&w, 300);
    for (unsigned i = 0; i < PEOPLE; i++) // nor is there anything to do
        assert_true(yr_rooms_deadline(w.people[i].rooms) > w.now.mono_us + YR_MIN_US);
    for (unsigned i = 0; i < PEOPLE; i++)
        frames -= w.people[i].frames;
    assert_int_equal(frames, 0);
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_of_ours_leaves_only_once_it_is_durable),
        cmocka_unit_test(who_writes_too_fast_is_told_so_and_loses_nothing),
        cmocka_unit_test(an_invitation_that_is_not_whole_leaves_nothing),
        cmocka_unit_test(invitations_are_bounded_and_one_a_room),
        cmocka_unit_test(rooms_are_bounded),
        cmocka_unit_test(who_was_not_invited_is_not_added),
        cmocka_unit_test(who_asks_before_it_can_be_added_is_added_later),
        cmocka_unit_test(who_cannot_open_an_epoch_asks_and_reads_on),
        cmocka_unit_test(keys_are_new_every_week),
        cmocka_unit_test(a_room_where_nothing_is_said_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
