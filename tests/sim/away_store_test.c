/* A store that is as it was a day ago (a disk image put back, not a backup): scenario M7 of
 * docs/resilience.md.  Nothing is shown twice, nothing hangs, and the others' texts come again or
 * go on; what only the lost day had is lost with it. */
#include "tests/support/test.h"

#include "tests/support/sim/cell.h"

#define HOUR (3600 * YR_S)

struct story {
    struct cell *c;
    struct yr_memstore *old;
    unsigned victim;
    size_t before; /* texts of before the copy was made */
};

// Some texts, a copy, a day with more texts; then the copy is all there is.
static void live(struct story *s, uint64_t seed, unsigned victim, unsigned holders)
{
    struct sim_opts opts = sim_opts_default(seed);

    s->victim = victim;
    s->c = cell_new(&opts, holders);
    for (unsigned i = 0; i < 4; i++) {
        (void)cell_say(s->c, i % 2, 1 - i % 2);
        cell_run(s->c, YR_S);
    }
    s->before = s->c->text_count;
    s->old = yr_memstore_copy(sim_store(s->c->sim, victim));
    for (unsigned i = 0; i < 6; i++) {
        (void)cell_say(s->c, i % 2, 1 - i % 2);
        cell_run(s->c, 4 * HOUR);
    }
    assert_int_equal(cell_missing(s->c), 0);
}

static void roll_back(struct story *s)
{
    cell_go(s->c, s->victim, true);
    yr_memstore_restore(sim_store(s->c->sim, s->victim), s->old);
    cell_run(s->c, 2 * YR_MIN_US);
    cell_come(s->c, s->victim);
}

static void finish(struct story *s)
{
    yr_memstore_free(s->old);
    cell_free(s->c);
}

// What is said from now on both show, in one order; each once.
static void assert_they_talk(struct story *s)
{
    struct cell *c = s->c;
    const size_t first = c->text_count;

    for (unsigned i = 0; i < 6; i++) {
        assert_int_not_equal(cell_say(c, i % 2, 1 - i % 2), SIZE_MAX);
        cell_run(c, 10 * YR_S);
    }
    cell_run(c, 20 * YR_MIN_US);
    for (size_t i = first; i < c->text_count; i++) {
        assert_true(c->texts[i].accepted);
        if (c->texts[i].shown == 0)
            fail_msg("victim %u: text %zu is not there", s->victim, i - first);
        if (c->texts[i].delivered == 0)
            fail_msg("victim %u: text %zu is not told to be there", s->victim, i - first);
    }
}

static void two_talk_on_after_one_lost_a_day(void **state)
{
    for (unsigned victim = CELL_FROM; victim <= CELL_TO; victim++) {
        struct story s;
        live(&s, 900 + victim, victim, 0);
        roll_back(&s);
        assert_true(sim_run_linked(s.c->sim, CELL_FROM, CELL_TO, 10 * YR_MIN_US));
        assert_they_talk(&s);
        finish(&s);
    }
}

static void mail_goes_on_after_a_holder_lost_a_day(void **state)
{
    struct story s;
    struct cell *c;

    live(&s, 910, CELL_HOLD, 1);
    c = s.c;
    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, YR_MIN_US);
    assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 1);
    roll_back(&s);
    assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 0);
    cell_run(c, 25 * HOUR); // the sender asks, is told, and leaves it again the next day
    cell_go(c, CELL_FROM, false);
    cell_come(c, CELL_TO);
    cell_run(c, YR_MIN_US);
    assert_int_equal(cell_missing(c), 0);
    cell_end(c, 10 * YR_MIN_US);
    finish(&s);
}

// The recipient lost a day, and the first it hears is what a friend kept: under keys that it lost.
static void mail_reaches_one_who_lost_a_day(void **state)
{
    struct story s;
    struct cell *c;

    live(&s, 920, CELL_TO, 1);
    c = s.c;
    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, YR_MIN_US);
    assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 1);
    cell_go(c, CELL_FROM, false);
    roll_back(&s);
    cell_run(c, 10 * YR_MIN_US);
    cell_come(c, CELL_FROM);
    cell_run(c, 90 * YR_MIN_US); // a word about unknown keys is told at most once an hour
    assert_true(sim_linked(c->sim, CELL_FROM, CELL_TO));
    assert_int_equal(cell_missing(c), 0);
    assert_they_talk(&s);
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_talk_on_after_one_lost_a_day),
        cmocka_unit_test(mail_goes_on_after_a_holder_lost_a_day),
        cmocka_unit_test(mail_reaches_one_who_lost_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
