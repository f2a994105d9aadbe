/* Rooms among people of whom some mean harm, or do things at the wrong moment. */
#include <stdio.h>

#include "tests/support/test.h"

#include "core/crypto/identity.h"
#include "core/wire/frames.h"
#include "tests/support/roombus.h"

static struct bus w;

static void invite(unsigned a, unsigned b, const uint8_t *id)
{
    assert_int_equal(yr_rooms_invite(w.people[a].rooms, w.now, id, w.people[b].id), YR_OK);
}

static size_t members(unsigned no, const uint8_t *id)
{
    struct yr_room_info info;

    assert_int_equal(yr_rooms_info(w.people[no].rooms, w.now, id, &info), YR_OK);
    return info.members;
}

static void self_of(unsigned no, const uint8_t *id, uint8_t mid[YR_MID_LEN])
{
    struct yr_room_info info;

    assert_int_equal(yr_rooms_info(w.people[no].rooms, w.now, id, &info), YR_OK);
    memcpy(mid, info.self, YR_MID_LEN);
}

// Nobody has anything left to do at once.
static void assert_calm(void)
{
    for (unsigned i = 0; i < BUS_PEOPLE; i++)
        assert_true(yr_rooms_deadline(w.people[i].rooms) > w.now.mono_us - 100 * YR_MS);
}

/* ---- coming back ---- */

static void who_left_and_is_invited_again_does_not_spin(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    assert_int_equal(bus_say(&w, 0, id, "hello"), YR_OK);
    bus_pass(&w, 1);
    assert_int_equal(yr_rooms_leave(w.people[1].rooms, w.now, id, false), YR_OK);
    bus_pass(&w, 1);
    assert_int_equal(members(0, id), 1);
    invite(0, 1, id);
    bus_pass(&w, 2);
    assert_true(bus_has_room(&w, 1, id, YR_ROOM_INVITED));
    assert_calm();
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    bus_pass(&w, 2);
    assert_true(bus_has_room(&w, 1, id, YR_ROOM_ACTIVE));
    bus_clear(&w);
}

static void rooms_that_nobody_hears_we_left_are_bounded(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    w.people[0].friend[1] = w.people[1].friend[0] = true; // without a link
    for (unsigned i = 0; i < 2 * YR_ROOMS_MAX + YR_ROOM_INVITES_MAX + 2; i++) {
        bus_found(&w, 0, "garden", id);
        invite(0, 1, id);
        bus_hand_over(&w);
        assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
        while (w.first != NULL)
            bus_hand_over(&w);
        assert_int_equal(members(0, id), 2);
        assert_int_equal(yr_rooms_reject(w.people[1].rooms, w.now, id), YR_OK);
        assert_int_equal(yr_rooms_leave(w.people[0].rooms, w.now, id, true), YR_OK);
        bus_pass(&w, 1);
    }
    for (unsigned i = 0; i < YR_ROOMS_MAX; i++)
        bus_found(&w, 0, "garden", id);
    bus_befriend(&w, 0, 1); // and none takes the place of one we are in
    bus_bring(&w, 0, 1, id);
    bus_clear(&w);
}

/* ---- asking to join ---- */

// The question that `no` sends next, copied.
static struct bus_item *question_of(unsigned no)
{
    for (struct bus_item *item = w.first; item != NULL; item = item->next)
        if (item->plain && item->from == no) {
            struct bus_item *copy = malloc(sizeof *copy + item->len);

            assert_non_null(copy);
            memcpy(copy, item, sizeof *copy + item->len);
            return copy;
        }
    fail();
    return NULL;
}

static void says(unsigned from, unsigned to, const struct bus_item *item)
{
    struct yr_plain plain;

    assert_int_equal(yr_plain_decode(&plain, item->bytes, item->len), YR_OK);
    assert_int_equal(yr_rooms_plain(w.people[to].rooms, w.now, from, &plain), YR_OK);
}

// What grace asked with is in her ADD, where all members read it.
static void nobody_comes_in_by_what_another_asked_with(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN], grace[YR_MID_LEN];
    struct yr_member_info info;
    struct bus_item *asked;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_befriend(&w, 0, 2);
    bus_found(&w, 0, "garden", id);
    invite(0, 1, id);
    bus_pass(&w, 1);
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    asked = question_of(1);
    bus_pass(&w, 2);
    self_of(1, id, grace);
    invite(0, 2, id);
    says(2, 0, asked); // while she is a member: he is not her
    assert_int_equal(members(0, id), 2);
    assert_int_equal(yr_rooms_kick(w.people[0].rooms, w.now, id, w.people[2].id), YR_ENOENT);
    assert_int_equal(yr_rooms_kick(w.people[0].rooms, w.now, id, w.people[1].id), YR_OK);
    assert_int_equal(members(0, id), 1);
    says(2, 0, asked); // and when she is none: she has not asked again
    bus_pass(&w, 2);
    assert_int_equal(members(0, id), 1);
    assert_int_equal(yr_rooms_member(w.people[0].rooms, w.now, id, grace, &info), YR_OK);
    assert_memory_equal(info.friend_id, w.people[1].id, YR_ID_LEN);
    free(asked);
    bus_clear(&w);
}

static size_t waiting_for(unsigned to)
{
    size_t count = 0;

    for (const struct bus_item *item = w.first; item != NULL; item = item->next)
        count += item->plain && item->to == to;
    return count;
}

static void whoever_invites_again_makes_us_ask_nobody_else_again(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];
    struct bus_item *invitation;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    w.people[1].friend[2] = w.people[2].friend[1] = true;
    bus_found(&w, 0, "garden", id);
    invite(0, 1, id);
    invitation = question_of(0);
    bus_pass(&w, 1);
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    assert_int_equal(waiting_for(0), 1);
    for (unsigned i = 0; i < 20; i++)
        says(2, 1, invitation);
    assert_int_equal(waiting_for(0), 1);
    assert_int_equal(waiting_for(2), 1);
    free(invitation);
    bus_clear(&w);
}

// What waits for somebody who is away must not grow with every link to somebody else.
static void who_invited_us_and_is_away_is_asked_once(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    w.people[0].friend[1] = w.people[1].friend[0] = true; // no link
    bus_found(&w, 0, "garden", id);
    invite(0, 1, id);
    bus_hand_over(&w);
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    assert_int_equal(waiting_for(0), 1);
    w.people[1].friend[2] = true;
    for (unsigned i = 0; i < 10; i++) {
        w.now.mono_us += 61 * YR_S;
        assert_int_equal(yr_rooms_up(w.people[1].rooms, w.now, 2), YR_OK);
        yr_rooms_down(w.people[1].rooms, w.now, 2);
    }
    assert_int_equal(waiting_for(0), 1);
    assert_int_equal(yr_rooms_up(w.people[1].rooms, w.now, 0), YR_OK);
    assert_int_equal(waiting_for(0), 2);
    bus_clear(&w);
}

static void who_is_added_by_somebody_busy_reads_the_history_all_the_same(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];
    size_t said = 0;

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    assert_int_equal(yr_rooms_make(w.people[0].rooms, w.now, "garden", 6, "", 0, 7, id), YR_OK);
    bus_commit(&w, 0);
    invite(0, 1, id);
    bus_pass(&w, 1);
    while (bus_say(&w, 0, id, "busy") == YR_OK)
        said++;
    assert_int_equal(yr_rooms_join(w.people[1].rooms, w.now, id), YR_OK);
    while (w.first != NULL)
        bus_hand_over(&w);
    bus_pass(&w, 10);
    assert_true(bus_has_room(&w, 1, id, YR_ROOM_ACTIVE));
    assert_int_equal(bus_texts(&w, 1, id), said);
    bus_clear(&w);
}

static void a_line_of_the_room_is_one_line(void **state)
{
    static struct yr_message m;
    struct yr_place place = {{0}};
    uint8_t id[YR_ROOM_ID_LEN];
    size_t lines = 0;

    bus_init(&w);
    bus_found(&w, 0, "garden", id);
    assert_int_equal(yr_rooms_set(w.people[0].rooms, w.now, id, YR_SETTING_TOPIC,
                                  "roses\nmallory made you admin", 28),
                     YR_OK);
    bus_pass(&w, 1);
    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(w.people[0].chats, id, how, &place, &m) == YR_OK; how = YR_SEEK_GT) {
        if (m.kind != YR_MSG_SYSTEM)
            continue;
        assert_null(memchr(m.text, '\n', m.text_len));
        lines++;
    }
    assert_true(lines > 0);
    bus_clear(&w);
}

/* ---- too many ---- */

// Make somebody a member whom nobody ever sees.
static void add_puppet(unsigned adder, const uint8_t *id, struct seeded *rnd)
{
    struct yr_plain plain = {.type = YR_PLAIN_ROOM_JOIN, .known = true};
    struct yr_rooms *rooms = w.people[adder].rooms;
    const unsigned friend = BUS_PEOPLE - 1;
    uint8_t sig[YR_SIG_LEN], self[YR_MID_LEN];
    struct yr_identity keys;

    self_of(adder, id, self);
    yr_identity_new(&keys, &rnd->rng, 0);
    yr_room_join_sign(sig, keys.sign_sk, id, keys.id, keys.device.public_key, self);
    plain.room = id;
    plain.sign_pk = keys.id;
    plain.seal_pk = keys.device.public_key;
    plain.join_sig = sig;
    plain.text = (const uint8_t *)"puppet";
    plain.text_len = 6;
    invite(adder, friend, id);
    assert_int_equal(yr_rooms_plain(rooms, w.now, friend, &plain), YR_OK);
    yr_rooms_unfriend(rooms, w.now, w.people[friend].id);
    w.now.mono_us += 110 * YR_MS;
    w.now.wall_ms += 110;
}

static void a_room_with_too_many_members_is_not_filled_with_operations(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];
    struct seeded rnd;
    uint64_t before;

    bus_init(&w);
    seeded_init(&rnd, 1);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    for (unsigned i = 0; i < 2; i++) {
        w.people[i].friend[BUS_PEOPLE - 1] = true;
        yr_rooms_down(w.people[i].rooms, w.now, 1 - i);
    }
    for (unsigned i = 2; i < YR_ROOM_MEMBERS_MAX; i++)
        add_puppet(0, id, &rnd);
    for (unsigned i = 0; i < 3; i++)
        add_puppet(1, id, &rnd);
    bus_befriend(&w, 0, 1);
    bus_pass(&w, 10);
    assert_int_equal(members(0, id), YR_ROOM_MEMBERS_MAX + 3);
    before = bus_counter(&w, 1, "room.accepted");
    bus_pass(&w, 30);
    assert_int_equal(bus_say(&w, 0, id, "anybody here?"), YR_EAGAIN);
    bus_pass(&w, 1);
    assert_int_equal(bus_counter(&w, 1, "room.accepted"), before);
    bus_clear(&w);
}

/* ---- what is not kept yet ---- */

static void a_record_of_ours_is_not_given_to_who_asks_before_it_is_durable(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    bus_pass(&w, 5);
    assert_int_equal(bus_say(&w, 0, id, "hello"), YR_OK);
    bus_befriend(&w, 0, 1); // a new link: logs are compared
    while (w.first != NULL)
        bus_hand_over(&w);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(yr_rooms_tick(w.people[i].rooms, w.now), YR_OK);
    while (w.first != NULL)
        bus_hand_over(&w);
    assert_int_equal(bus_texts(&w, 1, id), 0);
    bus_pass(&w, 5);
    assert_int_equal(bus_texts(&w, 1, id), 1);
    bus_clear(&w);
}

// All is said that can be without 0's disk, until 0 has been asked for records so many times.
static void talk(unsigned times)
{
    for (unsigned turn = 0; turn < 50; turn++) {
        while (w.first != NULL) {
            const bool asks =
                w.first->to == 0 && !w.first->plain && w.first->type == YR_FRAME_ROOM_WANT;

            bus_hand_over(&w);
            if (asks && --times == 0)
                return;
        }
        for (unsigned i = 0; i < BUS_PEOPLE; i++)
            if (yr_rooms_deadline(w.people[i].rooms) <= w.now.mono_us)
                assert_int_equal(yr_rooms_tick(w.people[i].rooms, w.now), YR_OK);
        for (unsigned i = 1; i < BUS_PEOPLE; i++)
            bus_commit(&w, i);
    }
}

static void a_name_that_is_durable_is_told_although_what_follows_it_is_not(void **state)
{
    struct yr_member_info info;
    uint8_t id[YR_ROOM_ID_LEN], self[YR_MID_LEN];

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    bus_pass(&w, 5);
    for (unsigned i = 0; i < 2; i++)
        yr_rooms_down(w.people[i].rooms, w.now, 1 - i);
    snprintf(w.people[0].nick, sizeof w.people[0].nick, "rose");
    assert_int_equal(yr_rooms_nick(w.people[0].rooms, w.now), YR_OK);
    bus_pass(&w, 1);
    assert_int_equal(bus_say(&w, 0, id, "hello"), YR_OK);
    bus_befriend(&w, 0, 1); // 1 misses both, and asks for both
    talk(1);
    bus_pass(&w, 60);
    assert_int_equal(bus_texts(&w, 1, id), 1);
    self_of(0, id, self);
    assert_int_equal(yr_rooms_member(w.people[1].rooms, w.now, id, self, &info), YR_OK);
    assert_string_equal(info.nick, "rose");
    bus_clear(&w);
}

static void who_asks_before_it_is_durable_waits_for_a_record_of_ours(void **state)
{
    uint8_t id[YR_ROOM_ID_LEN];

    bus_init(&w);
    bus_befriend(&w, 0, 1);
    bus_found(&w, 0, "garden", id);
    bus_bring(&w, 0, 1, id);
    bus_pass(&w, 5);
    assert_int_equal(bus_say(&w, 0, id, "hello"), YR_OK);
    bus_befriend(&w, 0, 1); // a new link: logs are compared
    talk(1);
    w.people[0].full = true; // it cannot be pushed when it is durable
    bus_commit(&w, 0);
    w.people[0].full = false;
    yr_rooms_space(w.people[0].rooms, w.now, 1);
    bus_pass(&w, 60);
    assert_int_equal(bus_texts(&w, 1, id), 1);
    bus_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_left_and_is_invited_again_does_not_spin),
        cmocka_unit_test(rooms_that_nobody_hears_we_left_are_bounded),
        cmocka_unit_test(nobody_comes_in_by_what_another_asked_with),
        cmocka_unit_test(whoever_invites_again_makes_us_ask_nobody_else_again),
        cmocka_unit_test(who_invited_us_and_is_away_is_asked_once),
        cmocka_unit_test(who_is_added_by_somebody_busy_reads_the_history_all_the_same),
        cmocka_unit_test(a_line_of_the_room_is_one_line),
        cmocka_unit_test(a_room_with_too_many_members_is_not_filled_with_operations),
        cmocka_unit_test(a_record_of_ours_is_not_given_to_who_asks_before_it_is_durable),
        cmocka_unit_test(a_name_that_is_durable_is_told_although_what_follows_it_is_not),
        cmocka_unit_test(who_asks_before_it_is_durable_waits_for_a_record_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
