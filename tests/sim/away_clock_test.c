/* Mail and clocks that are wrong: scenario M8 of docs/resilience.md.  What is said arrives, once,
 * in the same order for both, whatever the three clocks say; and goes by the holder wherever the
 * two have met since they went wrong. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/cell.h"

#define HOUR  (3600 * YR_S)
#define YEARS (10 * 365 * YR_DAY_MS)

static void assert_same_order(struct cell *c)
{
    char *one = sim_history(c->sim, CELL_FROM, CELL_TO, false);
    char *other = sim_history(c->sim, CELL_TO, CELL_FROM, false);

    assert_string_equal(one, other);
    free(one);
    free(other);
}

// One has a clock that is wrong by so much, and they met since: the holder is of use.
static void a_clock_that_is_known_to_be_wrong_keeps_no_mail_away(void **state)
{
    static const yr_ms skews[] = {2 * YR_DAY_MS,    -2 * YR_DAY_MS, 365 * YR_DAY_MS,
                                  -365 * YR_DAY_MS, YEARS,          -YEARS};

    for (size_t i = 0; i < YR_COUNT(skews); i++)
        for (unsigned who = CELL_FROM; who <= CELL_HOLD; who++) {
            struct sim_opts opts = sim_opts_default(800 + i);
            struct cell *c = cell_new(&opts, 1);
            size_t held;
            sim_skew(c->sim, who, skews[i]);
            (void)cell_say(c, CELL_FROM, CELL_TO); // both learn of it
            (void)cell_say(c, CELL_TO, CELL_FROM);
            cell_run(c, 2 * YR_MIN_US);
            cell_go(c, CELL_TO, false);
            cell_run(c, YR_S);
            held = cell_say(c, CELL_FROM, CELL_TO);
            cell_run(c, YR_MIN_US);
            if (c->texts[held].held == 0)
                fail_msg("node %u, %lld days: not held", who, (long long)(skews[i] / YR_DAY_MS));
            cell_go(c, CELL_FROM, false);
            cell_run(c, HOUR);
            cell_come(c, CELL_TO);
            cell_run(c, 30 * YR_S);
            if (c->texts[held].shown == 0)
                fail_msg("node %u, %lld days: not there", who, (long long)(skews[i] / YR_DAY_MS));
            cell_end(c, 5 * YR_MIN_US);
            assert_same_order(c);
            cell_free(c);
        }
}

// Clocks step while mail waits: held or not, lost by nobody, in the same order in the end.
static void clocks_that_step_while_mail_waits_lose_nothing(void **state)
{
    for (uint64_t seed = 820; seed < 828; seed++) {
        struct sim_opts opts = sim_opts_default(seed);
        struct cell *c = cell_new(&opts, 2);
        for (unsigned round = 0; round < 12; round++) {
            const unsigned who = (unsigned)(sim_draw(c->sim, 1) % c->count);
            const yr_ms skew = ((yr_ms)(sim_draw(c->sim, 2) % 7305) - 3652) * YR_DAY_MS;
            if (round % 2 == 0)
                sim_skew(c->sim, who, skew);
            if (sim_alive(c->sim, who))
                cell_go(c, who, sim_draw(c->sim, 3) % 2 == 0);
            else
                cell_come(c, who);
            for (unsigned from = CELL_FROM; from <= CELL_TO; from++)
                if (sim_alive(c->sim, from))
                    (void)cell_say(c, from, from ^ 1);
            cell_run(c, sim_draw(c->sim, 4) % (2 * HOUR));
        }
        cell_end(c, 10 * YR_MIN_US);
        assert_same_order(c);
        cell_free(c);
    }
}

// A holder's clock runs ten years ahead for a while, and back: what it promised to keep it keeps.
static void a_holder_whose_clock_leaps_drops_nothing_early(void **state)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        struct sim_opts opts = sim_opts_default(830);
        struct cell *c = cell_new(&opts, 1);
        cell_go(c, CELL_TO, false);
        cell_run(c, YR_S);
        for (unsigned i = 0; i < 3; i++)
            (void)cell_say(c, CELL_FROM, CELL_TO);
        cell_run(c, YR_MIN_US);
        assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 3);
        cell_go(c, CELL_FROM, false);
        sim_skew(c->sim, CELL_HOLD, sign * YEARS);
        cell_run(c, 24 * HOUR);
        cell_go(c, CELL_HOLD, true); // and a restart believes no clock either
        cell_come(c, CELL_HOLD);
        cell_run(c, 6 * HOUR);
        assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 3);
        sim_skew(c->sim, CELL_HOLD, 0);
        cell_run(c, 2 * HOUR);
        assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 3);
        cell_come(c, CELL_TO);
        cell_run(c, YR_MIN_US);
        assert_int_equal(cell_missing(c), 0);
        cell_end(c, 5 * YR_MIN_US);
        cell_free(c);
    }
}

// What nobody fetches is dropped in the end, and its sender has it still.
static void what_nobody_fetches_ends_and_is_not_lost(void **state)
{
    struct sim_opts opts = sim_opts_default(840);
    struct cell *c = cell_new(&opts, 1);

    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, YR_MIN_US);
    assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 1);
    cell_go(c, CELL_FROM, false);
    cell_run(c, 17 * 24 * HOUR);
    assert_int_equal(cell_kept(c, CELL_HOLD, CELL_TO), 0);
    cell_come(c, CELL_FROM); // it leaves it again, as it still can
    cell_run(c, 10 * YR_MIN_US);
    cell_come(c, CELL_TO);
    cell_run(c, YR_MIN_US);
    assert_int_equal(cell_missing(c), 0);
    cell_end(c, 5 * YR_MIN_US);
    cell_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_known_to_be_wrong_keeps_no_mail_away),
        cmocka_unit_test(clocks_that_step_while_mail_waits_lose_nothing),
        cmocka_unit_test(a_holder_whose_clock_leaps_drops_nothing_early),
        cmocka_unit_test(what_nobody_fetches_ends_and_is_not_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
