/* What a member can make others' logs do. */
#include "tests/support/roomlog.h"
#include "tests/support/test.h"

#define ROOMLOG_HLC ((uint64_t)ROOMLOG_START_MS << 16)

struct pair {
    struct seeded rnd;
    struct scribe alice, bob;
    struct slip create;
    struct keeper log;
};

static void pair_init(struct pair *p)
{
    memset(p, 0, sizeof *p);
    seeded_init(&p->rnd, 1);
    scribe_init(&p->alice, &p->rnd);
    scribe_found(&p->alice, &p->create);
    keeper_init(&p->log, 2);
    keeper_begin(&p->log, &p->create);
    scribe_init(&p->bob, &p->rnd);
    scribe_enter(&p->bob, yr_room_log_id(p->log.log));
    scribe_add(&p->alice, &p->log, &p->bob, YR_RANK_MEMBER, NULL);
}

static void pair_clear(struct pair *p)
{
    slip_clear(&p->create);
    keeper_clear(&p->log);
}

// One more first record of bob's chain, like no other.
static void variant(struct pair *p, enum yr_room_class class, uint32_t no, struct slip *out)
{
    struct yr_room_record r;
    struct yr_room_body set = {.kind = YR_ROOM_SET, .known = true, .key = YR_SETTING_TOPIC};
    uint8_t text[8] = {99};

    scribe_draft(&p->bob, &p->log, class, &r);
    r.seq = 1;
    memset(r.prev, 0, sizeof r.prev);
    r.hlc = ROOMLOG_HLC;
    memcpy(text + 1, &no, sizeof no);
    set.data = text;
    set.data_len = sizeof text;
    if (class == YR_CLASS_CONTROL)
        scribe_sign(&p->bob, &r, &set, out);
    else
        scribe_sign_bytes(&p->bob, &r, text, sizeof text, out);
}

static enum yr_put put_variant(struct pair *p, enum yr_room_class class, uint32_t no)
{
    struct slip slip;
    enum yr_put what;

    variant(p, class, no, &slip);
    what = keeper_put(&p->log, &slip);
    slip_clear(&slip);
    return what;
}

// To judge an operation can take a third of a second.
static void operations_are_judged_no_faster_than_they_may_be_written(void **state)
{
    struct pair p;

    pair_init(&p);
    for (uint32_t i = 0; i < YR_ROOM_BURST; i++)
        assert_int_equal(put_variant(&p, YR_CLASS_CONTROL, i), YR_PUT_REFUSED); // members may not
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(put_variant(&p, YR_CLASS_CONTROL, YR_ROOM_BURST + i), YR_PUT_HELD);
    assert_int_equal(keeper_counter(&p.log, "room.drop.right"), YR_ROOM_BURST);
    keeper_wait(&p.log, 1000);
    assert_in_range(keeper_counter(&p.log, "room.drop.right"), YR_ROOM_BURST + 1,
                    YR_ROOM_BURST + 11);
    pair_clear(&p);
}

static void who_is_too_fast_is_looked_at_once_for_each_record(void **state)
{
    struct pair p;
    uint64_t before;

    pair_init(&p);
    for (uint32_t i = 0; i < YR_ROOM_BURST; i++)
        assert_int_equal(put_variant(&p, YR_CLASS_MESSAGE, i), YR_PUT_NEW);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(put_variant(&p, YR_CLASS_MESSAGE, YR_ROOM_BURST + i), YR_PUT_HELD);
    before = keeper_counter(&p.log, "room.fast");
    for (size_t i = 0; i < 300; i++)
        keeper_wait(&p.log, 100);
    assert_int_equal(yr_room_log_held(p.log.log), 0);
    assert_int_equal(yr_room_log_end(p.log.log), 2 + YR_ROOM_BURST + 200);
    assert_in_range(keeper_counter(&p.log, "room.fast") - before, 0, 50);
    pair_clear(&p);
}

static void a_seq_signed_many_times_hides_nothing_behind_it(void **state)
{
    struct yr_chain_key key = {.class = YR_CLASS_MESSAGE};
    struct pair p;
    uint64_t arrivals[16], next;
    size_t count;

    pair_init(&p);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(put_variant(&p, YR_CLASS_MESSAGE, i), YR_PUT_NEW);
    scribe_text(&p.bob, &p.log, "second", NULL);
    memcpy(key.mid, p.bob.mid, sizeof key.mid);
    memcpy(key.incarnation, p.bob.incarnation, sizeof key.incarnation);
    assert_int_equal(yr_room_log_range(p.log.log, &key, 1, 9, arrivals, 16, &count, &next), YR_OK);
    assert_int_equal(count, 16);
    assert_int_equal(next, 2);
    assert_int_equal(yr_room_log_range(p.log.log, &key, next, 9, arrivals, 16, &count, &next),
                     YR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(next, 0);
    pair_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_judged_no_faster_than_they_may_be_written),
        cmocka_unit_test(who_is_too_fast_is_looked_at_once_for_each_record),
        cmocka_unit_test(a_seq_signed_many_times_hides_nothing_behind_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
