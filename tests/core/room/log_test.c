#include "core/room/log.h"

#include <stdio.h>

#include "tests/support/roomlog.h"
#include "tests/support/test.h"

/* ---- one room: alice founded it, bob and carol are members, mallory is nobody ---- */

struct room {
    struct seeded rnd;
    struct scribe alice, bob, carol, mallory;
    struct slip create;
    struct keeper a, b; /* alice's log and bob's */
};

static void room_init(struct room *r, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    seeded_init(&r->rnd, seed);
    scribe_init(&r->alice, &r->rnd);
    scribe_init(&r->bob, &r->rnd);
    scribe_init(&r->carol, &r->rnd);
    scribe_init(&r->mallory, &r->rnd);
    scribe_found(&r->alice, &r->create);
    keeper_init(&r->a, seed + 1);
    keeper_init(&r->b, seed + 2);
    keeper_begin(&r->a, &r->create);
    keeper_begin(&r->b, &r->create);
    scribe_enter(&r->bob, yr_room_log_id(r->a.log));
    scribe_enter(&r->carol, yr_room_log_id(r->a.log));
    scribe_enter(&r->mallory, yr_room_log_id(r->a.log));
    scribe_add(&r->alice, &r->a, &r->bob, YR_RANK_MEMBER, NULL);
    scribe_add(&r->alice, &r->a, &r->carol, YR_RANK_MOD, NULL);
}

static void room_clear(struct room *r)
{
    slip_clear(&r->create);
    keeper_clear(&r->a);
    keeper_clear(&r->b);
}

// Every record of one log, in the order it came, then the states.
static void copy_all(struct keeper *from, struct pile *out)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    struct yr_chain_info info;
    size_t len;

    for (uint64_t at = 1; at <= yr_room_log_end(from->log); at++) {
        struct yr_room_entry entry;

        assert_int_equal(yr_room_log_at(from->log, at, bytes, sizeof bytes, &len, &entry), YR_OK);
        assert_int_equal(entry.arrival, at);
        pile_add(out, bytes, len);
        assert_memory_equal(out->slips[out->count - 1].id, entry.id, YR_REC_ID_LEN);
    }
    for (size_t i = 0; yr_room_log_chain(from->log, i, &info); i++)
        if (info.key.class == YR_CLASS_STATE) {
            assert_int_equal(info.key.incarnation[0], yr_room_kind_number(YR_ROOM_KEY));
            assert_int_equal(
                yr_room_log_state(from->log, info.key.mid, YR_ROOM_KEY, bytes, sizeof bytes, &len),
                YR_OK);
            pile_add(out, bytes, len);
        }
}

// As a neighbour in sync does.
static void give_all(struct keeper *from, struct keeper *to)
{
    struct pile pile = {NULL, 0, 0};

    copy_all(from, &pile);
    for (size_t i = 0; i < pile.count; i++)
        (void)keeper_put(to, &pile.slips[i]);
    pile_clear(&pile);
}

/* ---- taking records ---- */

static void what_one_log_has_another_takes_in_the_same_order(void **state)
{
    struct room r;

    room_init(&r, 1);
    for (size_t i = 0; i < 20; i++) {
        scribe_text(&r.alice, &r.a, "hello", NULL);
        scribe_text(&r.bob, &r.a, "hi", NULL);
    }
    scribe_key(&r.bob, &r.a, r.mallory.seal_pk, NULL);
    give_all(&r.a, &r.b);
    keeper_assert_equal(&r.a, &r.b);
    assert_int_equal(yr_room_log_end(r.b.log), 43);
    assert_int_equal(r.b.told_count, 44);
    for (size_t i = 0; i < 43; i++)
        assert_int_equal(r.b.told[i].entry.arrival, i + 1);
    room_clear(&r);
}

static void what_is_durable_is_read_again(void **state)
{
    struct room r;
    uint8_t before[32], after[32];

    room_init(&r, 2);
    scribe_text(&r.alice, &r.a, "hello", NULL);
    scribe_key(&r.bob, &r.a, r.mallory.seal_pk, NULL);
    keeper_commit(&r.a);
    yr_room_log_digest(r.a.log, before);
    scribe_text(&r.alice, &r.a, "lost", NULL);
    keeper_crash(&r.a);
    yr_room_log_digest(r.a.log, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(yr_room_log_end(r.a.log), 4);
    give_all(&r.a, &r.b);
    keeper_assert_equal(&r.a, &r.b);
    room_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_log_has_another_takes_in_the_same_order),
        cmocka_unit_test(what_is_durable_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
