#include <stdio.h>

#include "tests/support/roomlog.h"
#include "tests/support/test.h"

#define PEOPLE 5
#define STEPS  400
#define WORLDS 12

/* A room of five whose logs get each other's records in any order, some never at first, some twice,
 * some damaged. */

struct world {
    struct seeded rnd;
    struct scribe people[PEOPLE];
    struct keeper keepers[PEOPLE];
    struct pile pile;
    bool quarrels; // some remove others
};

static void world_init(struct world *w, uint64_t seed)
{
    struct slip create;

    memset(w, 0, sizeof *w);
    seeded_init(&w->rnd, seed);
    for (size_t i = 0; i < PEOPLE; i++)
        scribe_init(&w->people[i], &w->rnd);
    scribe_found(&w->people[0], &create);
    for (size_t i = 0; i < PEOPLE; i++) {
        keeper_init(&w->keepers[i], seed * 100 + i);
        keeper_begin(&w->keepers[i], &create);
        if (i > 0)
            scribe_enter(&w->people[i], yr_room_log_id(w->keepers[i].log));
    }
    slip_clear(&create);
    for (size_t i = 1; i < 3; i++) {
        scribe_add(&w->people[0], &w->keepers[0], &w->people[i],
                   i == 1 ? YR_RANK_MOD : YR_RANK_MEMBER, &create);
        scribe_keep(&w->keepers[0], &create);
        pile_add(&w->pile, create.bytes, create.len);
        slip_clear(&create);
    }
}

static void world_clear(struct world *w)
{
    for (size_t i = 0; i < PEOPLE; i++)
        keeper_clear(&w->keepers[i]);
    pile_clear(&w->pile);
}

static bool is_member(struct world *w, size_t log, size_t who)
{
    return yr_authority_rank(yr_room_log_authority(w->keepers[log].log), w->people[who].mid) > 0;
}

// Signed twice with one number, or with a clock out of this world.
static void cheat(struct world *w, size_t who, struct slip *out)
{
    struct scribe *s = &w->people[who];
    struct yr_room_record r;
    struct slip other;
    uint8_t body[] = {99, 1};

    scribe_draft(s, &w->keepers[who], YR_CLASS_MESSAGE, &r);
    if (seeded_below(&w->rnd, 2) == 0) {
        r.hlc = seeded_below(&w->rnd, 2) == 0 ? UINT64_MAX - seeded_below(&w->rnd, 9) : 3;
    } else {
        scribe_sign_bytes(s, &r, body, sizeof body, &other);
        pile_add(&w->pile, other.bytes, other.len);
        slip_clear(&other);
        body[1] = 2;
    }
    scribe_sign_bytes(s, &r, body, sizeof body, out);
}

static void say(struct world *w, size_t who)
{
    struct scribe *s = &w->people[who];
    struct keeper *k = &w->keepers[who];
    struct slip slip = {.bytes = NULL};
    size_t other = seeded_below(&w->rnd, PEOPLE);
    uint8_t key[32];

    if (!is_member(w, who, who))
        return;
    switch (seeded_below(&w->rnd, 20)) {
    case 0:
        if (is_member(w, who, other))
            scribe_text(s, k, "there", &slip);
        else
            scribe_add(s, k, &w->people[other], YR_RANK_MEMBER, &slip);
        break;
    case 1:
        yr_random(&w->rnd.rng, key, sizeof key);
        scribe_key(s, k, key, &slip);
        break;
    case 2:
        if (who == 0) {
            scribe_set(s, k, "a name", &slip);
            break;
        }
        // fall through
    case 3: cheat(w, who, &slip); break;
    case 4:
    case 5:
        if (w->quarrels && other != who && is_member(w, who, other) && who < 2) {
            scribe_remove(s, k, &w->people[other], &slip);
            if (other == 0) // nobody may, and nobody honest would try
                slip_clear(&slip);
            break;
        }
        // fall through
    default: scribe_text(s, k, "text", &slip);
    }
    if (slip.bytes == NULL)
        return;
    scribe_keep(k, &slip);
    pile_add(&w->pile, slip.bytes, slip.len);
    slip_clear(&slip);
}

static void deliver(struct world *w, size_t to, const struct slip *slip)
{
    (void)keeper_put_from(&w->keepers[to], slip->bytes, slip->len, (unsigned)(to + 1));
    assert_false(w->keepers[to].forged);
}

static void garble(struct world *w, size_t to, const struct slip *slip)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    const size_t bit = seeded_below(&w->rnd, 8 * slip->len);

    memcpy(bytes, slip->bytes, slip->len);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    (void)keeper_put_from(&w->keepers[to], bytes, slip->len - seeded_below(&w->rnd, 2), 9);
}

static void step(struct world *w)
{
    const size_t who = seeded_below(&w->rnd, PEOPLE);

    w->keepers[who].now.wall_ms += (yr_ms)seeded_below(&w->rnd, 100000);
    if (seeded_below(&w->rnd, 2) == 0)
        say(w, who);
    for (size_t n = seeded_below(&w->rnd, 4); n > 0 && w->pile.count > 0; n--) {
        const struct slip *slip = &w->pile.slips[seeded_below(&w->rnd, w->pile.count)];

        if (seeded_below(&w->rnd, 10) == 0)
            garble(w, who, slip);
        else
            deliver(w, who, slip);
    }
}

static void deliver_all(struct world *w)
{
    for (size_t round = 0; round < 3; round++)
        for (size_t to = 0; to < PEOPLE; to++) {
            pile_shuffle(&w->pile, &w->rnd);
            for (size_t i = 0; i < w->pile.count; i++)
                deliver(w, to, &w->pile.slips[i]);
        }
}

// Everything is told once, after what it stands on (accepted looks), in the order of arrival.
static void assert_causal(const struct keeper *k)
{
    uint64_t last = 0;

    for (size_t i = 0; i < k->told_count; i++) {
        if (k->told[i].class == YR_CLASS_STATE)
            continue;
        assert_int_equal(k->told[i].entry.arrival, last + 1);
        last++;
    }
    assert_int_equal(last, yr_room_log_end(k->log));
}

static void logs_agree_whatever_order_records_came_in(void **state)
{
    const uint64_t seed = seeded_seed("log_order", 1);

    for (uint64_t i = 0; i < WORLDS; i++) {
        struct world w;

        world_init(&w, seed + i);
        for (size_t n = 0; n < STEPS; n++)
            step(&w);
        deliver_all(&w);
        for (size_t k = 0; k < PEOPLE; k++) {
            assert_causal(&w.keepers[k]);
            assert_true(yr_room_log_end(w.keepers[k].log) > STEPS / 8);
        }
        for (size_t k = 1; k < PEOPLE; k++)
            keeper_assert_equal(&w.keepers[0], &w.keepers[k]);
        world_clear(&w);
    }
}

// While members come and go, and write when they should not, logs differ in what nobody cites; but
// what a member says in the end reaches all, with everything it stands on.
static void the_last_word_reaches_all_whoever_was_removed(void **state)
{
    const uint64_t seed = seeded_seed("log_quarrel", 500);
    size_t late = 0;

    for (uint64_t i = 0; i < WORLDS; i++) {
        struct world w;
        struct slip word;
        size_t heard = 0;

        world_init(&w, seed + i);
        w.quarrels = true;
        for (size_t n = 0; n < STEPS; n++)
            step(&w);
        scribe_text(&w.people[0], &w.keepers[0], "that is all", &word);
        scribe_keep(&w.keepers[0], &word);
        pile_add(&w.pile, word.bytes, word.len);
        for (size_t round = 0; round < 40 && heard < PEOPLE; round++) {
            deliver_all(&w);
            heard = 0;
            for (size_t k = 0; k < PEOPLE; k++)
                heard += yr_room_log_has(w.keepers[k].log, word.id);
        }
        assert_int_equal(heard, PEOPLE);
        for (size_t k = 0; k < PEOPLE; k++) {
            assert_causal(&w.keepers[k]);
            late += keeper_counter(&w.keepers[k], "room.drop.stranger");
        }
        slip_clear(&word);
        world_clear(&w);
    }
    assert_true(late > 100);
}

// A log that loses what is not durable, again and again, ends up like the others.
static void a_log_that_crashes_after_any_commit_ends_up_the_same(void **state)
{
    const uint64_t seed = seeded_seed("log_crash", 1000);
    struct world w;

    world_init(&w, seed);
    for (size_t n = 0; n < STEPS; n++)
        step(&w);
    deliver_all(&w);
    for (size_t every = 1; every < 12; every++) {
        struct keeper k;
        struct slip create = {.bytes = NULL};
        static uint8_t bytes[YR_ROOM_RECORD_MAX];
        uint8_t before[32], after[32];
        size_t len;

        assert_int_equal(yr_room_log_at(w.keepers[0].log, 1, bytes, sizeof bytes, &len, NULL),
                         YR_OK);
        create.bytes = bytes;
        create.len = len;
        keeper_init(&k, seed + every);
        keeper_begin(&k, &create);
        keeper_commit(&k);
        pile_shuffle(&w.pile, &w.rnd);
        for (size_t i = 0; i < w.pile.count; i++) {
            (void)keeper_put(&k, &w.pile.slips[i]);
            if (i % every != 0)
                continue;
            keeper_commit(&k);
            yr_room_log_digest(k.log, before);
            if (i + 1 < w.pile.count) // and this one is lost
                (void)keeper_put(&k, &w.pile.slips[i + 1]);
            keeper_crash(&k);
            yr_room_log_digest(k.log, after);
            assert_memory_equal(before, after, sizeof before);
        }
        for (size_t round = 0;
             round < 40 && yr_room_log_end(k.log) < yr_room_log_end(w.keepers[0].log); round++)
            for (size_t i = 0; i < w.pile.count; i++)
                (void)keeper_put(&k, &w.pile.slips[i]);
        for (size_t i = 0; i < w.pile.count; i++) // states came in any order
            (void)keeper_put(&k, &w.pile.slips[i]);
        keeper_assert_equal(&w.keepers[0], &k);
        keeper_clear(&k);
    }
    world_clear(&w);
}

// No memory at any point: the error goes up, nothing leaks, and after a reset all goes on.
static void a_log_without_memory_says_so_and_goes_on_after_a_reset(void **state)
{
    struct world w;
    struct slip create = {.bytes = NULL};
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    size_t failures = 0;

    world_init(&w, 7);
    for (size_t n = 0; n < STEPS / 2; n++)
        step(&w);
    deliver_all(&w);
    assert_int_equal(yr_room_log_at(w.keepers[0].log, 1, bytes, sizeof bytes, &create.len, NULL),
                     YR_OK);
    create.bytes = bytes;
    for (size_t left = 0; left < 16; left++) {
        struct keeper k;

        keeper_init(&k, left);
        keeper_begin(&k, &create);
        keeper_commit(&k);
        for (size_t i = 0; i < 6 * w.pile.count; i++) {
            const struct slip *slip = &w.pile.slips[i % w.pile.count];
            enum yr_put what;
            bool forged;
            enum yr_err err;

            k.box.mem.left = (left + i) % 16;
            err = yr_room_log_put(k.log, k.now, slip->bytes, slip->len, 1, &what, &forged);
            if (err == YR_OK)
                err = yr_room_log_flush(k.log);
            k.box.mem.left = SIZE_MAX;
            if (err == YR_OK) {
                rowbox_settle(&k.box);
                continue;
            }
            assert_int_equal(err, YR_ENOMEM);
            failures++;
            keeper_crash(&k);
        }
        for (size_t round = 0; round < 5; round++)
            for (size_t i = 0; i < w.pile.count; i++)
                (void)keeper_put(&k, &w.pile.slips[i]);
        keeper_assert_equal(&w.keepers[0], &k);
        keeper_clear(&k);
    }
    assert_true(failures > 100);
    world_clear(&w);
}

static void an_error_of_the_owner_goes_up(void **state)
{
    struct world w;
    struct slip slip;
    enum yr_put what;
    bool forged;

    world_init(&w, 8);
    deliver_all(&w);
    scribe_text(&w.people[0], &w.keepers[0], "hello", &slip);
    w.keepers[1].refuse = YR_EIO;
    assert_int_equal(yr_room_log_put(w.keepers[1].log, w.keepers[1].now, slip.bytes, slip.len, 1,
                                     &what, &forged),
                     YR_EIO);
    yr_memstore_fail_reads(w.keepers[2].box.store, YR_EIO, 1);
    assert_int_equal(yr_room_log_put(w.keepers[2].log, w.keepers[2].now, slip.bytes, slip.len, 1,
                                     &what, &forged),
                     YR_EIO);
    slip_clear(&slip);
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_agree_whatever_order_records_came_in),
        cmocka_unit_test(the_last_word_reaches_all_whoever_was_removed),
        cmocka_unit_test(a_log_that_crashes_after_any_commit_ends_up_the_same),
        cmocka_unit_test(a_log_without_memory_says_so_and_goes_on_after_a_reset),
        cmocka_unit_test(an_error_of_the_owner_goes_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
