/* The rooms of some people on a bus in memory: what comes over it, good and bad. */
#include <stdio.h>

#include "tests/support/test.h"

#include "core/crypto/identity.h"
#include "core/room/state.h"
#include "tests/support/roombus.h"

/* ---- what is ours leaves when it is kept ---- */

static void a_record_of_ours_leaves_only_once_it_is_durable(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];
    size_t frames;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    bus_pass(&w, 20);
    frames = w.people[0].frames;
    assert_int_equal(bus_say(&w, 0, id, "hello"), YR_OK);
    assert_int_equal(yr_rooms_tick(w.people[0].rooms, w.now), YR_OK);
    assert_int_equal(w.people[0].frames, frames);
    bus_commit(&w, 0);
    assert_int_equal(w.people[0].frames, frames + 1);
    bus_pass(&w, 1);
    assert_int_equal(bus_texts(&w, 1, id), 1);
    bus_clear(&w);
}

static void who_writes_too_fast_is_told_so_and_loses_nothing(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];
    enum yr_err err = YR_OK;
    size_t said = 0;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    while ((err = bus_say(&w, 0, id, "faster")) == YR_OK)
        said++;
    assert_int_equal(err, YR_EAGAIN);
    assert_true(said > 100 && said < 1000);
    bus_pass(&w, 5);
    assert_int_equal(bus_say(&w, 0, id, "slower"), YR_OK);
    bus_pass(&w, 5);
    assert_int_equal(bus_texts(&w, 0, id), said + 1);
    assert_int_equal(bus_texts(&w, 1, id), said + 1);
    bus_clear(&w);
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
    static struct bus w;
    uint8_t create[YR_ROOM_CREATE_MAX];
    struct yr_room_info info;
    struct yr_plain plain;
    struct seeded rnd;
    uint64_t dropped = 0;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
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
    assert_int_equal(bus_counter(&w, 0, "rooms.drop.invite"), dropped);
    assert_false(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 1, &plain), YR_OK);
    assert_true(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    assert_int_equal(info.state, YR_ROOM_INVITED);
    assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 2, &plain), YR_OK); // no friend
    bus_clear(&w);
}

static void invitations_are_bounded_and_one_a_room(void **state)
{
    static const uint8_t mid[YR_MID_LEN] = {7};
    static struct bus w;
    uint8_t create[YR_ROOM_CREATE_MAX];
    struct yr_room_info info;
    struct yr_plain plain;
    struct seeded rnd;
    size_t count = 0;

    bus_init(&w);
    for (unsigned i = 1; i < BUS_PEOPLE; i++)
        bus_befriend(&w, 0, i);
    seeded_init(&rnd, 2);
    plain = invitation(&rnd, mid, create);
    for (unsigned again = 0; again < 3; again++) // by all friends, again and again
        for (unsigned i = 1; i < BUS_PEOPLE; i++)
            assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, i, &plain), YR_OK);
    assert_true(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    assert_false(yr_rooms_at(w.people[0].rooms, w.now, 1, &info));
    assert_memory_equal(info.inviter, w.people[BUS_PEOPLE - 1].id, YR_ID_LEN);
    for (unsigned i = 0; i < 100; i++) {
        plain = invitation(&rnd, mid, create);
        assert_int_equal(yr_rooms_plain(w.people[0].rooms, w.now, 1, &plain), YR_OK);
    }
    while (yr_rooms_at(w.people[0].rooms, w.now, count, &info))
        count++;
    assert_int_equal(count, YR_ROOM_INVITES_MAX);
    assert_int_equal(bus_counter(&w, 0, "rooms.full.invite"), 101 - YR_ROOM_INVITES_MAX);
    bus_commit(&w, 0);
    while (count-- > 0) { // each can be said no to
        assert_true(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
        assert_int_equal(yr_rooms_reject(w.people[0].rooms, w.now, info.id), YR_OK);
    }
    assert_false(yr_rooms_at(w.people[0].rooms, w.now, 0, &info));
    bus_clear(&w);
}

static void rooms_are_bounded(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    for (unsigned i = 0; i < YR_ROOMS_MAX; i++)
        bus_found(&w, 0, "one more", id);
    assert_int_equal(yr_rooms_make(w.people[0].rooms, w.now, "full", 4, "", 0, 0, id), YR_EFULL);
    assert_int_equal(yr_rooms_make(w.people[0].rooms, w.now, "", 0, "", 0, 0, id), YR_ESIZE);
    bus_clear(&w);
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

static size_t members(struct bus *w, unsigned no, const uint8_t *id)
{
    struct yr_room_info info;

    assert_int_equal(yr_rooms_info(w->people[no].rooms, w->now, id, &info), YR_OK);
    return info.members;
}

static void who_was_not_invited_is_not_added(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN], other[YR_ROOM_ID_LEN] = {1}, sig[YR_SIG_LEN];
    const uint8_t stranger[YR_MID_LEN] = {9};
    struct yr_room_info info;
    struct yr_identity keys, more;
    struct yr_plain plain;
    struct seeded rnd;
    struct yr_rooms *rooms;

    bus_init(&w);
    rooms = w.people[0].rooms;
    bus_befriend(&w, 0, 1);
    bus_befriend(&w, 0, 2);
    bus_found(&w, 0, "garden", id);
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
    assert_int_equal(bus_counter(&w, 0, "rooms.drop.join"), 5);
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
    bus_clear(&w);
}

static void who_asks_before_it_can_be_added_is_added_later(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    assert_int_equal(yr_rooms_invite(w.people[0].rooms, w.now, id, w.people[1].id), YR_OK);
    bus_pass(&w, 1);
    while (yr_rooms_set(w.people[0].rooms, w.now, id, YR_SETTING_TOPIC, "roses", 5) == YR_OK)
        continue; // until no operation of its own is taken for a while
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    while (w.first != NULL)
        bus_hand_over(&w);
    assert_int_equal(members(&w, 0, id), 1);
    bus_pass(&w, 10);
    assert_true(bus_has_room(&w, 1, id, YR_ROOM_ACTIVE));
    assert_int_equal(members(&w, 0, id), 2);
    bus_clear(&w);
}

/* ---- keys ---- */

// Deletes as well as the disk does: the key that epoch secrets are sealed to.
static void lose_seal(struct bus *w, unsigned no, const uint8_t *id)
{
    struct yr_room *room = yr_rooms_find(w->people[no].rooms, id);

    memset(room->seals[0].secret_key, 7, sizeof room->seals[0].secret_key);
    room->seal_ms[0] -= YR_DAY_MS;
}

static void who_cannot_open_an_epoch_asks_and_reads_on(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    for (unsigned i = 1; i < 4; i++)
        bus_befriend(&w, 0, i);
    bus_found(&w, 0, "garden", id);
    for (unsigned i = 1; i < 4; i++)
        bus_bring(&w, 0, i, id);
    assert_int_equal(bus_say(&w, 0, id, "all four"), YR_OK);
    bus_pass(&w, 15);
    lose_seal(&w, 2, id);
    assert_int_equal(yr_rooms_kick(w.people[0].rooms, w.now, id, w.people[3].id), YR_OK);
    assert_int_equal(bus_say(&w, 0, id, "lost on one of us"), YR_OK);
    bus_pass(&w, 3);
    assert_true(bus_has_room(&w, 2, id, YR_ROOM_KEYLESS));
    assert_int_equal(bus_texts(&w, 2, id), 1);
    bus_pass(&w, 120);
    assert_true(bus_has_room(&w, 2, id, YR_ROOM_ACTIVE));
    assert_int_equal(bus_say(&w, 0, id, "read again"), YR_OK);
    assert_int_equal(bus_say(&w, 2, id, "so it is"), YR_OK);
    bus_pass(&w, 15);
    assert_int_equal(bus_texts(&w, 0, id), 4);
    assert_int_equal(bus_texts(&w, 1, id), 4);
    assert_int_equal(bus_texts(&w, 2, id), 3);
    assert_int_equal(bus_texts(&w, 3, id), 1);
    // What is lost stands as a line after a day, and no longer keeps receipts back.
    w.now.mono_us += (yr_us)YR_DAY_MS * YR_MS;
    w.now.wall_ms += YR_DAY_MS;
    bus_pass(&w, 30);
    assert_int_equal(bus_counter(&w, 2, "rooms.unreadable"), 1);
    assert_false(yr_rooms_missing(
        w.people[0].rooms, id, yr_room_own_seq(yr_rooms_find(w.people[0].rooms, id)),
        yr_rooms_find(w.people[0].rooms, id)->incarnation, 0, (uint8_t[YR_MID_LEN]){0}));
    bus_clear(&w);
}

// He writes as many state records as he may, the last with this nick.
static void tire(struct bus *w, unsigned no, const char *nick)
{
    struct bus_person *p = &w->people[no];

    for (unsigned i = 0; i <= YR_ROOM_BURST; i++) {
        snprintf(p->nick, sizeof p->nick, "p%u", i);
        assert_int_equal(yr_rooms_nick(p->rooms, w->now), YR_OK);
        assert_int_equal(yr_rooms_tick(p->rooms, w->now), YR_OK);
    }
    snprintf(p->nick, sizeof p->nick, "%s", nick);
    assert_int_equal(yr_rooms_nick(p->rooms, w->now), YR_OK);
}

static void what_cannot_be_told_now_is_told_later(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];
    const uint8_t *seal_pk;
    struct yr_member_info info;
    struct yr_room *room;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    bus_pass(&w, 5);
    room = yr_rooms_find(w.people[0].rooms, id);
    tire(&w, 0, "rose");
    room->seal_ms[0] -= 7 * YR_DAY_MS;
    room->look = true;
    assert_int_equal(yr_rooms_tick(w.people[0].rooms, w.now), YR_OK);
    assert_int_equal(room->seal_count, 1); // else nobody would know of it for a week
    assert_in_range(yr_room_keys_deadline(room) - w.now.mono_us, YR_S, 10 * YR_S);
    bus_pass(&w, 15);
    assert_int_equal(room->seal_count, 2);
    room = yr_rooms_find(w.people[1].rooms, id);
    assert_int_equal(yr_rooms_member(w.people[1].rooms, w.now, id,
                                     yr_rooms_find(w.people[0].rooms, id)->self, &info),
                     YR_OK);
    assert_string_equal(info.nick, "rose");
    assert_true(yr_room_log_keys(room->log, info.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, yr_rooms_find(w.people[0].rooms, id)->seals[0].public_key, 32);
    bus_clear(&w);
}

static void keys_are_new_every_week(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN], before[32];
    const uint8_t *seal_pk;
    struct yr_room *rooms[3];
    uint64_t before_made = 0, made = 0;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_befriend(&w, 1, 2);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    bus_bring(&w, 1, 2, id);
    bus_pass(&w, 5);
    for (unsigned i = 0; i < 3; i++) {
        rooms[i] = yr_rooms_find(w.people[i].rooms, id);
        before_made += bus_counter(&w, i, "rooms.rekeys");
    }
    assert_true(yr_room_log_keys(rooms[0]->log, rooms[2]->self, NULL, &seal_pk));
    memcpy(before, seal_pk, sizeof before);
    w.now.mono_us += 7 * (yr_us)YR_DAY_MS * YR_MS;
    w.now.wall_ms += 7 * YR_DAY_MS;
    bus_pass(&w, 60);
    for (unsigned i = 0; i < 3; i++)
        made += bus_counter(&w, i, "rooms.rekeys");
    assert_in_range(made - before_made, 1, 2); // not by everybody
    assert_true(yr_room_log_keys(rooms[0]->log, rooms[2]->self, NULL, &seal_pk));
    assert_memory_not_equal(seal_pk, before, sizeof before);
    assert_int_equal(bus_say(&w, 2, id, "a new week"), YR_OK);
    bus_pass(&w, 2);
    assert_int_equal(bus_texts(&w, 0, id), 1);
    bus_clear(&w);
}

/* ---- quiet ---- */

static void a_room_where_nothing_is_said_is_silent(void **state)
{
    static struct bus w;
    uint8_t id[YR_ROOM_ID_LEN];
    size_t frames = 0;

    bus_init(&w);
    for (unsigned i = 0; i + 1 < BUS_PEOPLE; i++)
        bus_befriend(&w, i, i + 1);
    bus_found(&w, 0, "garden", id);
    for (unsigned i = 0; i + 1 < BUS_PEOPLE; i++)
        bus_bring(&w, i, i + 1, id);
    for (unsigned i = 0; i < BUS_PEOPLE; i++)
        assert_int_equal(bus_say(&w, i, id, "hello"), YR_OK);
    bus_pass(&w, 60);
    for (unsigned i = 0; i < BUS_PEOPLE; i++) {
        assert_true(bus_texts(&w, i, id) >=
                    BUS_PEOPLE - i); // those who came before him may have said it
        frames += w.people[i].frames;
    }
    bus_pass(&w, 300);
    for (unsigned i = 0; i < BUS_PEOPLE; i++) // nor is there anything to do
        assert_true(yr_rooms_deadline(w.people[i].rooms) > w.now.mono_us + YR_MIN_US);
    for (unsigned i = 0; i < BUS_PEOPLE; i++)
        frames -= w.people[i].frames;
    assert_int_equal(frames, 0);
    bus_clear(&w);
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
        cmocka_unit_test(what_cannot_be_told_now_is_told_later),
        cmocka_unit_test(keys_are_new_every_week),
        cmocka_unit_test(a_room_where_nothing_is_said_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
