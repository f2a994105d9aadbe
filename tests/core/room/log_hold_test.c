#include "core/room/log.h"

#include <stdio.h>

#include "tests/support/roomlog.h"
#include "tests/support/test.h"

#define CROWD 20

/* Alice's room with a crowd of members, and bob's log, which knows them all. */
struct crowd {
    struct seeded rnd;
    struct scribe alice, members[CROWD];
    struct slip create;
    struct keeper a, b;
};

static void crowd_init(struct crowd *c, uint64_t seed)
{
    struct slip add;

    memset(c, 0, sizeof *c);
    seeded_init(&c->rnd, seed);
    scribe_init(&c->alice, &c->rnd);
    scribe_found(&c->alice, &c->create);
    keeper_init(&c->a, seed + 1);
    keeper_init(&c->b, seed + 2);
    keeper_begin(&c->a, &c->create);
    keeper_begin(&c->b, &c->create);
    for (size_t i = 0; i < CROWD; i++) {
        scribe_init(&c->members[i], &c->rnd);
        scribe_enter(&c->members[i], yr_room_log_id(c->a.log));
        scribe_add(&c->alice, &c->a, &c->members[i], YR_RANK_MEMBER, &add);
        scribe_keep(&c->a, &add);
        KEEPER_SEES(&c->b, &add, YR_PUT_NEW);
        slip_clear(&add);
    }
}

static void crowd_clear(struct crowd *c)
{
    slip_clear(&c->create);
    keeper_clear(&c->a);
    keeper_clear(&c->b);
}

// Texts of one author that claim to be so many milliseconds apart; not put anywhere.
static void write_chain(struct crowd *c, struct scribe *s, size_t count, yr_ms apart_ms,
                        const uint8_t *dep, struct pile *out)
{
    const uint8_t body[] = {99};
    struct yr_room_record r;
    struct slip slip;

    scribe_draft(s, &c->a, YR_CLASS_MESSAGE, &r);
    for (size_t i = 0; i < count; i++) {
        r.hlc = (uint64_t)(ROOMLOG_START_MS + (yr_ms)i * apart_ms) << 16;
        if (i == 0 && dep != NULL)
            memcpy(r.deps[r.dep_count++], dep, YR_REC_ID_LEN);
        scribe_sign_bytes(s, &r, body, sizeof body, &slip);
        pile_add(out, slip.bytes, slip.len);
        r.seq++;
        memcpy(r.prev, slip.id, sizeof r.prev);
        r.dep_count = 0;
        slip_clear(&slip);
    }
}

static void a_long_chain_that_came_backwards_is_taken_at_once(void **state)
{
    struct crowd c;
    struct pile chains[CROWD] = {{NULL, 0, 0}};
    const uint8_t *last = NULL;
    size_t n = 0;

    // 16 authors of 256, each citing the last of the one before: 4,096 deep.
    crowd_init(&c, 1);
    for (size_t i = 0; i < YR_ROOM_HELD_MAX / YR_ROOM_HELD_EACH; i++) {
        write_chain(&c, &c.members[i], YR_ROOM_HELD_EACH, 100, last, &chains[i]);
        last = chains[i].slips[chains[i].count - 1].id;
        n += chains[i].count;
    }
    for (size_t i = YR_ROOM_HELD_MAX / YR_ROOM_HELD_EACH; i-- > 0;)
        for (size_t k = chains[i].count; k-- > (i == 0 ? 1 : 0);)
            KEEPER_SEES(&c.b, &chains[i].slips[k], YR_PUT_HELD);
    assert_int_equal(yr_room_log_held(c.b.log), n - 1);
    KEEPER_SEES(&c.b, &chains[0].slips[0], YR_PUT_NEW);
    assert_int_equal(yr_room_log_held(c.b.log), 0);
    assert_int_equal(yr_room_log_end(c.b.log), 1 + CROWD + n);
    for (size_t i = 0; i < CROWD; i++)
        pile_clear(&chains[i]);
    crowd_clear(&c);
}

static void one_author_cannot_have_more_than_a_part_held(void **state)
{
    struct crowd c;
    struct pile chain = {NULL, 0, 0}, other = {NULL, 0, 0};

    crowd_init(&c, 2);
    write_chain(&c, &c.members[0], YR_ROOM_HELD_EACH + 50, 100, NULL, &chain);
    write_chain(&c, &c.members[1], 2, 100, NULL, &other);
    for (size_t i = 1; i < chain.count; i++)
        KEEPER_SEES(&c.b, &chain.slips[i], YR_PUT_HELD);
    assert_int_equal(yr_room_log_held(c.b.log), YR_ROOM_HELD_EACH);
    assert_int_equal(keeper_counter(&c.b, "room.forgotten"), 49);
    KEEPER_SEES(&c.b, &other.slips[1], YR_PUT_HELD);
    assert_int_equal(yr_room_log_held(c.b.log), YR_ROOM_HELD_EACH + 1);
    KEEPER_SEES(&c.b, &chain.slips[0], YR_PUT_NEW);
    assert_int_equal(yr_room_log_end(c.b.log), 1 + CROWD + YR_ROOM_HELD_EACH + 1);
    for (size_t i = YR_ROOM_HELD_EACH + 1; i < chain.count; i++) // what was forgotten comes again
        KEEPER_SEES(&c.b, &chain.slips[i], YR_PUT_NEW);
    pile_clear(&chain);
    pile_clear(&other);
    crowd_clear(&c);
}

static void large_records_of_the_greedy_leave_room_for_others(void **state)
{
    static uint8_t body[YR_ROOM_BODY_MAX - 9 * YR_REC_ID_LEN] = {99};
    struct crowd c;
    struct slip slip, modest;
    struct pile pile = {NULL, 0, 0};
    struct yr_room_record r;

    crowd_init(&c, 3);
    write_chain(&c, &c.members[CROWD - 1], 2, 100, NULL, &pile);
    modest = pile.slips[1];
    for (size_t i = 0; i < 6; i++) // six fill what can be held, and more
        for (size_t k = 0; k < YR_ROOM_HELD_EACH; k++) {
            scribe_draft(&c.members[i], &c.a, YR_CLASS_MESSAGE, &r);
            r.dep_count = 1;
            yr_random(&c.rnd.rng, r.deps[0], sizeof r.deps[0]);
            scribe_sign_bytes(&c.members[i], &r, body, sizeof body, &slip);
            KEEPER_SEES(&c.b, &slip, YR_PUT_HELD);
            assert_true(c.b.box.mem.mem.used[YR_MEM_ROOM] < YR_ROOM_HELD_BYTES + (2u << 20));
            slip_clear(&slip);
            if (i == 2 && k == 0)
                KEEPER_SEES(&c.b, &modest, YR_PUT_HELD);
        }
    assert_true(yr_room_log_held(c.b.log) > 500);
    KEEPER_SEES(&c.b, &pile.slips[0], YR_PUT_NEW);
    assert_true(yr_room_log_has(c.b.log, modest.id));
    keeper_wait(&c.b, YR_ROOM_HELD_S * 1000);
    assert_int_equal(yr_room_log_held(c.b.log), 0);
    assert_int_equal(yr_room_log_deadline(c.b.log), YR_NEVER);
    pile_clear(&pile);
    crowd_clear(&c);
}

static void what_waits_too_long_is_forgotten_and_may_come_again(void **state)
{
    struct crowd c;
    struct pile chain = {NULL, 0, 0};
    uint8_t ids[4][16];
    unsigned slots[4];

    crowd_init(&c, 4);
    write_chain(&c, &c.members[0], 3, 100, NULL, &chain);
    assert_int_equal(keeper_put_from(&c.b, chain.slips[1].bytes, chain.slips[1].len, 7),
                     YR_PUT_HELD);
    KEEPER_SEES(&c.b, &chain.slips[2], YR_PUT_HELD);
    assert_int_equal(yr_room_log_missing(c.b.log, ids, slots, 4), 1); // the second is here
    assert_memory_equal(ids[0], chain.slips[0].id, 16);
    assert_int_equal(slots[0], 7);
    assert_int_equal(yr_room_log_deadline(c.b.log), c.b.now.mono_us + YR_ROOM_HELD_S * YR_S);
    keeper_wait(&c.b, YR_ROOM_HELD_S * 1000 - 1);
    assert_int_equal(yr_room_log_held(c.b.log), 2);
    keeper_wait(&c.b, 1);
    assert_int_equal(yr_room_log_held(c.b.log), 0);
    assert_int_equal(yr_room_log_missing(c.b.log, ids, slots, 4), 0);
    KEEPER_SEES(&c.b, &chain.slips[0], YR_PUT_NEW);
    KEEPER_SEES(&c.b, &chain.slips[1], YR_PUT_NEW);
    KEEPER_SEES(&c.b, &chain.slips[2], YR_PUT_NEW);
    pile_clear(&chain);
    crowd_clear(&c);
}

/* ---- how fast ---- */

static void the_backlog_of_an_honest_author_passes_at_once(void **state)
{
    struct crowd c;
    struct pile chain = {NULL, 0, 0};

    crowd_init(&c, 5);
    write_chain(&c, &c.members[0], 2000, YR_ROOM_RATE_MS, NULL, &chain);
    c.b.now.wall_ms += 86400000; // a day later
    for (size_t i = 0; i < chain.count; i++)
        KEEPER_SEES(&c.b, &chain.slips[i], YR_PUT_NEW);
    pile_clear(&chain);
    crowd_clear(&c);
}

static void a_fast_author_waits_and_nobody_else(void **state)
{
    struct crowd c;
    struct pile chain = {NULL, 0, 0}, other = {NULL, 0, 0};
    size_t before;

    crowd_init(&c, 6);
    write_chain(&c, &c.members[0], YR_ROOM_BURST + 100, 0, NULL, &chain);
    write_chain(&c, &c.members[1], 1, 0, NULL, &other);
    for (size_t i = 0; i < YR_ROOM_BURST; i++)
        KEEPER_SEES(&c.b, &chain.slips[i], YR_PUT_NEW);
    for (size_t i = YR_ROOM_BURST; i < chain.count; i++)
        KEEPER_SEES(&c.b, &chain.slips[i], YR_PUT_HELD);
    assert_int_equal(keeper_counter(&c.b, "room.fast"), 1); // the others wait for that one
    KEEPER_SEES(&c.b, &other.slips[0], YR_PUT_NEW);
    before = yr_room_log_end(c.b.log);
    assert_true(yr_room_log_deadline(c.b.log) <= c.b.now.mono_us + YR_ROOM_RATE_MS * YR_MS);
    keeper_wait(&c.b, YR_ROOM_RATE_MS - 1);
    assert_int_equal(yr_room_log_end(c.b.log), before);
    keeper_wait(&c.b, 1);
    assert_int_equal(yr_room_log_end(c.b.log), before + 1);
    keeper_wait(&c.b, 1000);
    assert_int_equal(yr_room_log_end(c.b.log), before + 11);
    while (yr_room_log_held(c.b.log) > 0) {
        assert_true(yr_room_log_deadline(c.b.log) > c.b.now.mono_us);
        keeper_wait(&c.b, (yr_ms)((yr_room_log_deadline(c.b.log) - c.b.now.mono_us) / YR_MS));
    }
    assert_int_equal(yr_room_log_end(c.b.log), before + 100);
    pile_clear(&chain);
    pile_clear(&other);
    crowd_clear(&c);
}

static void clocks_in_the_future_buy_no_more_than_the_burst(void **state)
{
    struct crowd c;
    struct pile chain = {NULL, 0, 0};
    size_t taken = 0;

    crowd_init(&c, 7);
    write_chain(&c, &c.members[0], 3000, 86400000, NULL, &chain); // one a day, for years to come
    for (size_t i = 0; i < chain.count; i++)
        taken += keeper_put(&c.b, &chain.slips[i]) == YR_PUT_NEW;
    assert_true(taken <= 2 * YR_ROOM_BURST + 2);
    pile_clear(&chain);
    crowd_clear(&c);
}

static void what_others_have_read_of_a_fast_author_passes(void **state)
{
    struct crowd c;
    struct pile chain = {NULL, 0, 0};
    struct slip reply;

    crowd_init(&c, 8);
    write_chain(&c, &c.members[0], YR_ROOM_BURST + 400, 0, NULL, &chain);
    for (size_t i = 0; i < chain.count; i++) { // alice had the time for them
        if (keeper_put(&c.a, &chain.slips[i]) != YR_PUT_NEW)
            keeper_wait(&c.a, YR_ROOM_RATE_MS);
        assert_true(yr_room_log_has(c.a.log, chain.slips[i].id));
    }
    scribe_text(&c.alice, &c.a, "stop it", &reply);
    for (size_t i = 0; i < YR_ROOM_BURST + 20; i++)
        (void)keeper_put(&c.b, &chain.slips[i]);
    KEEPER_SEES(&c.b, &reply, YR_PUT_HELD);
    KEEPER_SEES(&c.b, &chain.slips[chain.count - 1], YR_PUT_HELD); // what it cites
    for (size_t i = YR_ROOM_BURST; i < chain.count - 1; i++)
        (void)keeper_put(&c.b, &chain.slips[i]);
    assert_true(yr_room_log_has(c.b.log, reply.id));
    assert_int_equal(yr_room_log_held(c.b.log), 0);
    for (size_t i = 0; i < chain.count; i++)
        assert_true(yr_room_log_has(c.b.log, chain.slips[i].id));
    pile_clear(&chain);
    slip_clear(&reply);
    crowd_clear(&c);
}

static void our_own_are_too_fast_before_they_are_sealed(void **state)
{
    struct crowd c;
    struct slip slip;
    size_t n = 0;

    crowd_init(&c, 9);
    for (; !yr_room_log_fast(c.a.log, c.a.now, c.members[0].mid, YR_CLASS_MESSAGE); n++)
        scribe_text(&c.members[0], &c.a, "spam", NULL);
    assert_int_equal(n, YR_ROOM_BURST);
    scribe_text(&c.members[0], &c.a, "spam", &slip);
    assert_int_equal(keeper_put_from(&c.a, slip.bytes, slip.len, YR_ROOM_OWN), YR_PUT_HELD);
    assert_int_equal(yr_room_log_held(c.a.log), 0); // not kept
    slip_clear(&slip);
    assert_false(yr_room_log_fast(c.a.log, c.a.now, c.members[0].mid, YR_CLASS_STATE));
    keeper_wait(&c.a, YR_ROOM_RATE_MS);
    assert_false(yr_room_log_fast(c.a.log, c.a.now, c.members[0].mid, YR_CLASS_MESSAGE));
    crowd_clear(&c);
}

static void states_are_counted_by_our_clock(void **state)
{
    struct crowd c;
    struct slip slip;
    struct yr_room_record r;
    uint8_t bytes[64];
    const struct yr_room_body body = {.kind = YR_ROOM_KEY, .seal_pk = c.alice.seal_pk};
    size_t taken = 0, len;

    crowd_init(&c, 10);
    assert_int_equal(yr_room_body_encode(&body, bytes, sizeof bytes, &len), YR_OK);
    for (size_t i = 0; i < 2 * YR_ROOM_BURST; i++) {
        scribe_draft(&c.members[0], &c.a, YR_CLASS_STATE, &r);
        r.hlc = (uint64_t)(ROOMLOG_START_MS + (yr_ms)i * 86400000) << 16;
        scribe_sign_bytes(&c.members[0], &r, bytes, len, &slip);
        taken += keeper_put(&c.b, &slip) == YR_PUT_NEW;
        slip_clear(&slip);
    }
    assert_int_equal(taken, YR_ROOM_BURST);
    assert_int_equal(yr_room_log_held(c.b.log), YR_ROOM_HELD_EACH);
    keeper_wait(&c.b, 100 * 1000);
    assert_int_equal(yr_room_log_held(c.b.log), 0);
    crowd_clear(&c);
}

/* ---- chains without end ---- */

static void an_author_begins_so_many_chains_unless_others_cite_them(void **state)
{
    struct crowd c;
    struct slip slip, reply;
    struct scribe many;

    crowd_init(&c, 11);
    many = c.members[0];
    for (uint8_t i = 0; i < YR_ROOM_INCARNATIONS; i++) {
        many.incarnation[0] = i;
        memset(many.incarnation + 1, 0, sizeof many.incarnation - 1);
        scribe_text(&many, &c.a, "again", &slip);
        KEEPER_SEES(&c.b, &slip, YR_PUT_NEW);
        slip_clear(&slip);
    }
    many.incarnation[0]++;
    scribe_text(&many, &c.a, "and again", &slip);
    KEEPER_SEES(&c.b, &slip, YR_PUT_LATE);
    assert_false(c.b.forged);
    KEEPER_SEES(&c.a, &slip, YR_PUT_NEW); // has seen no other
    scribe_text(&c.alice, &c.a, "yes?", &reply);
    KEEPER_SEES(&c.b, &reply, YR_PUT_HELD);
    KEEPER_SEES(&c.b, &slip, YR_PUT_NEW);
    assert_true(yr_room_log_has(c.b.log, reply.id));
    slip_clear(&slip);
    slip_clear(&reply);
    crowd_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_chain_that_came_backwards_is_taken_at_once),
        cmocka_unit_test(one_author_cannot_have_more_than_a_part_held),
        cmocka_unit_test(large_records_of_the_greedy_leave_room_for_others),
        cmocka_unit_test(what_waits_too_long_is_forgotten_and_may_come_again),
        cmocka_unit_test(the_backlog_of_an_honest_author_passes_at_once),
        cmocka_unit_test(a_fast_author_waits_and_nobody_else),
        cmocka_unit_test(clocks_in_the_future_buy_no_more_than_the_burst),
        cmocka_unit_test(what_others_have_read_of_a_fast_author_passes),
        cmocka_unit_test(our_own_are_too_fast_before_they_are_sealed),
        cmocka_unit_test(states_are_counted_by_our_clock),
        cmocka_unit_test(an_author_begins_so_many_chains_unless_others_cite_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
