/* Rooms among people of whom some mean harm, or do things at the wrong moment. */
#include "tests/support/test.h"

#include "core/crypto/identity.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_left_and_is_invited_again_does_not_spin),
        cmocka_unit_test(rooms_that_nobody_hears_we_left_are_bounded),
        cmocka_unit_test(nobody_comes_in_by_what_another_asked_with),
        cmocka_unit_test(whoever_invites_again_makes_us_ask_nobody_else_again),
        cmocka_unit_test(a_record_of_ours_is_not_given_to_who_asks_before_it_is_durable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
